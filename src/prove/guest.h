/* guest.h: the user's own pipeline on a stage. */
#ifndef WEIR_PROVE_GUEST_H
#define WEIR_PROVE_GUEST_H

#include "prove/stage.h"

/* Copies the file of --pipeline to the stage, checks that it can be played, and makes its table, which must
 * not be there yet. Fills stage->fitting and stage->table. WEIR_ECONFIG says what does not fit. */
int prove_guest_open(struct prove_stage *stage, struct weir_error *err);

#endif
