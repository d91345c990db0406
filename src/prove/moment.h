/* moment.h: time, waiting and chance, as everything in this folder uses them. */
#ifndef WEIR_PROVE_MOMENT_H
#define WEIR_PROVE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Seconds of the monotonic clock. */
double prove_now(void);
void prove_sleep(double seconds); /* ends early when interrupted */

/* SIGINT and SIGTERM set a flag that every wait looks at. */
void prove_catch_interrupts(void);
bool prove_interrupted(void);

/* 64 well-mixed bits of the pair (splitmix64). */
uint64_t prove_mix(uint64_t seed, uint64_t number);

/* A stream of random numbers; the same seed gives the same stream. */
struct prove_chance {
    uint64_t seed, count;
};

uint64_t prove_chance_below(struct prove_chance *chance, uint64_t end); /* 0 <= n < end */
double prove_chance_within(struct prove_chance *chance, double seconds);

#endif
