/* history.h: weir.batch, the history that weir keeps in the database, against what was sent.
 *
 * HI1  Numbers have no gaps, times rise, generations never fall, and each batch goes on in each partition
 *      where the one before it ended.
 * HI2  A batch has read as many records as its ranges hold, and count and digest of the rows it says it
 *      wrote are those that the list of what was sent gives for these ranges.
 * HI3  at_most_once may drop a batch, whole, if it was in flight at a fault. */
#ifndef WEIR_PROVE_HISTORY_H
#define WEIR_PROVE_HISTORY_H

#include "prove/stage.h"

/* What the verdict knows of each id below stage->rows. */
struct prove_ids {
    const struct prove_sent *sent;
    const uint32_t *times; /* rows of it in the table */
    uint8_t *excused;      /* written here: may be missing, or doubled, in this mode */
};

/* Reads all that is kept of it, tells the outcome what breaks a rule, and counts batches, digests and
 * harmed batches into its verdict. */
int prove_history_check(struct prove_stage *stage, const struct prove_ids *ids,
                        struct weir_error *err);

#endif
