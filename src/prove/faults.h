/* faults.h: what is done to a pipeline, one fault after another. */
#ifndef WEIR_PROVE_FAULTS_H
#define WEIR_PROVE_FAULTS_H

#include "prove/stage.h"

/* The faults to play, in the order drawn from the seed. */
struct prove_deck {
    uint8_t *kinds; /* enum prove_fault */
    uint32_t count;
};

/* Deals kills of the wanted number, and some of every other wanted kind. WEIR_ECONFIG for a kind that
 * was asked for by name and is not possible here, and when nothing is left to play. */
int prove_deck_deal(const struct prove_options *options, struct prove_deck *ret,
                    struct weir_error *err);
/* Whether it holds faults of the network. */
bool prove_deck_needs_proxies(const struct prove_deck *deck);
void prove_deck_fini(struct prove_deck *deck);

/* Plays one, in as many lives as it takes to hit while rows were still to be written. What must not be
 * is told to the outcome, and WEIR_ECONFLICT returned when going on makes no sense. */
int prove_fault_play(struct prove_stage *stage, enum prove_fault kind, struct weir_error *err);
/* Lets it write all that is left, undisturbed. */
int prove_fault_finish(struct prove_stage *stage, struct weir_error *err);

#endif
