/* shrink.c: the shortest list of faults with which a seed still fails.
 *
 * Faults are left out in halves, then one by one, as long as the seed fails without them. Each try
 * is played in a child. Whether a fault strikes does not depend on others (F1), so those that stay
 * strike as before. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/sim/sim.h"

enum { TRIES_MAX = 400 };

static bool fails_with(uint64_t seed, const struct sim_event *events, size_t count,
                       struct sim_outcome *scratch)
{
    sim_play_apart(seed, events, count, scratch);
    return scratch->violation[0] != '\0';
}

void sim_shrink(uint64_t seed, struct sim_outcome *outcome)
{
    struct sim_outcome *scratch = calloc(1, sizeof(*scratch));
    struct sim_event kept[SIM_EVENTS_MAX];
    struct sim_event fewer[SIM_EVENTS_MAX];
    size_t count = outcome->event_count;
    uint32_t tries = 0;

    weir_assert(scratch != NULL);
    memcpy(kept, outcome->events, count * sizeof(kept[0]));
    for (size_t piece = count; piece >= 1; piece = piece == 1 ? 0 : (piece + 1) / 2) {
        for (size_t at = 0; at < count && tries < TRIES_MAX;) {
            size_t end = at + piece < count ? at + piece : count;
            size_t left = count - (end - at);
            memcpy(fewer, kept, at * sizeof(kept[0]));
            memcpy(fewer + at, kept + end, (count - end) * sizeof(kept[0]));
            tries++;
            if (fails_with(seed, fewer, left, scratch)) {
                memcpy(kept, fewer, left * sizeof(kept[0]));
                count = left;
                memcpy(outcome->violation, scratch->violation, sizeof(outcome->violation));
            } else {
                at = end;
            }
        }
    }
    memcpy(outcome->events, kept, count * sizeof(kept[0]));
    outcome->event_count = count;
    free(scratch);
}

void sim_print_failure(uint64_t seed, const struct sim_outcome *outcome)
{
    printf("seed %llu fails: %s\n  repeat it: ./dev sim", (unsigned long long)seed,
           outcome->violation);
    if (sim_variant_name() != NULL) {
        printf(" --variant %s", sim_variant_name());
    }
    printf(" --seed %llu --trace --only ", (unsigned long long)seed);
    for (size_t i = 0; i < outcome->event_count; i++) {
        printf("%s%u:%s", i == 0 ? "" : ",", outcome->events[i].turn,
               sim_fault_name(outcome->events[i].fault));
    }
    printf("%s\n", outcome->event_count == 0 ? "none" : "");
}
