/* moment.c: the clock, sleeping that a signal ends, and seeded chance. */
#include "prove/moment.h"

#include <signal.h>
#include <time.h>

enum { NS_PER_S = 1000000000 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void prove_catch_interrupts(void)
{
    struct sigaction action = { .sa_handler = on_interrupt };

    (void)sigemptyset(&action.sa_mask); /* these fail only for wrong numbers */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL); /* servers that we let be killed */
}

bool prove_interrupted(void)
{
    return interrupted != 0;
}

double prove_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (double)now.tv_sec + (double)now.tv_nsec / NS_PER_S;
}

void prove_sleep(double seconds)
{
    double end = prove_now() + seconds, left = seconds;

    while (left > 0 && interrupted == 0) {
        /* A signal may go to another thread: never sleep past a turn. */
        double turn = left < 0.2 ? left : 0.2;
        struct timespec pause = { .tv_nsec = (long)(turn * NS_PER_S) };
        (void)nanosleep(&pause, NULL);
        left = end - prove_now();
    }
}

uint64_t prove_mix(uint64_t seed, uint64_t number)
{
    uint64_t z = seed * 0x9E3779B97F4A7C15u + number * 0xD1B54A32D192ED03u + 0x632BE59BD9B4E019u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t prove_chance_below(struct prove_chance *chance, uint64_t end)
{
    return end == 0 ? 0 : prove_mix(chance->seed, chance->count++) % end;
}

double prove_chance_within(struct prove_chance *chance, double seconds)
{
    return (double)prove_chance_below(chance, NS_PER_S) / NS_PER_S * seconds;
}
