/* log_view.h: what the log says, read once at each recovery. */
#ifndef WEIR_TXN_LOG_VIEW_H
#define WEIR_TXN_LOG_VIEW_H

#include "txn/frame.h"

/* One batch that the log knows. lsn is that of its plan, or for the base of the chain that of a void
 * record; 0 for a base that is known only as a predecessor. */
struct weir_log_batch {
    struct weir_batch_id id;
    uint64_t lsn;
    struct weir_digest map; /* that its plan was made under; zero for the base */
};

/* The chain of batches since the last void record: chain[0] is the base, each following one
 * stands on the one before it. */
struct weir_log_view {
    struct weir_arena arena;
    bool has_identity;
    struct weir_identity identity; /* the last one; strings in arena */
    uint64_t identity_lsn;         /* of its record */
    struct weir_log_batch *chain;
    uint32_t count, capacity; /* count 0: the log knows no batch */
    struct weir_ranges ends;  /* where the last of the chain ended; in ends_arena */
    struct weir_arena ends_arena;
    int64_t last_t; /* the largest batch time the log has ever seen */
};

/* Reads the whole log. WEIR_ECORRUPT when a plan does not stand on the one before it. */
int weir_log_view_read(weir_wal *wal, struct weir_log_view *ret, struct weir_error *err);
void weir_log_view_fini(struct weir_log_view *view);

/* Index of a batch in the chain by identity, or -1. */
int64_t weir_log_view_find(const struct weir_log_view *view, struct weir_batch_id id);

#endif
