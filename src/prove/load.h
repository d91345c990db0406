/* load.h: a seeded load: messages with an id each, sent by a thread of its own while faults go on. */
#ifndef WEIR_PROVE_LOAD_H
#define WEIR_PROVE_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prove/fitting.h"
#include "prove/ledger.h"

struct prove_load;

struct prove_load_args {
    const char *brokers; /* borrowed until the close */
    const char *topic;   /* the same */
    int32_t partitions;
    uint64_t seed;
    const struct prove_fitting *fitting; /* whose messages to make; NULL: id and body. Borrowed */
    struct prove_ledger *ledger; /* written by the load's thread; borrowed until the close */
};

enum { PROVE_BODY_BYTES = 16 * 8 + 1 };

/* What the column body of a row must hold: a pure function of seed and id. */
void prove_load_body(uint64_t seed, uint64_t id, char ret[PROVE_BODY_BYTES]);

int prove_load_open(const struct prove_load_args *args, struct prove_load **ret,
                    struct weir_error *err);
/* Ids below end may be sent from now on. */
void prove_load_allow(struct prove_load *load, uint64_t end);
/* How many ids have their fate: acknowledged, or given up. */
uint64_t prove_load_settled(const struct prove_load *load);
/* Waits until all that is allowed is settled and written down. Fails with what the load fails with. */
int prove_load_wait(struct prove_load *load, double seconds, struct weir_error *err);
void prove_load_close(struct prove_load *load);

#endif
