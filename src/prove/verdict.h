/* verdict.h: was the promise kept? */
#ifndef WEIR_PROVE_VERDICT_H
#define WEIR_PROVE_VERDICT_H

#include "prove/stage.h"

/* Compares the table with the list of what was sent, and judges by the mode. Fills outcome->verdict,
 * held, and lost and doubled of the rows. */
int prove_verdict_give(struct prove_stage *stage, struct weir_error *err);

#endif
