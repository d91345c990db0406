/* ranges.h: which records of the sources a batch is made of.
 *
 * A range names its partition by source, stream and number, never by an index, so that a log or a
 * ledger can be read by a pipeline that lists its partitions in another order. */
#ifndef WEIR_TXN_RANGES_H
#define WEIR_TXN_RANGES_H

#include "base/arena.h"
#include "base/buf.h"
#include "source/source.h"

enum { WEIR_RANGES_MAX = 100000 }; /* partitions of all sources of a pipeline */

struct weir_range {
    struct weir_str source, stream; /* "orders" reads the topic "orders_v2" */
    int32_t number;                 /* partition of the stream */
    uint64_t identity;              /* of the outside, see source.h */
    struct weir_position first;     /* where it begins */
    struct weir_position end;       /* where the next one begins */
};

struct weir_ranges {
    struct weir_range *items;
    uint32_t count;
};

/* A deep copy in arena. */
int weir_ranges_copy(struct weir_arena *arena, struct weir_ranges from, struct weir_ranges *ret,
                     struct weir_error *err);
/* The range of a partition, or NULL. */
const struct weir_range *weir_ranges_find(struct weir_ranges ranges, struct weir_str source,
                                          struct weir_str stream, int32_t number);
/* Bytes for the log: both ends of each range. */
void weir_ranges_encode(struct weir_ranges ranges, struct weir_buf *ret);
/* Bytes for the ledger: where the ranges end; read back as empty ranges that begin and end there. */
void weir_ranges_encode_ends(struct weir_ranges ranges, struct weir_buf *ret);
/* Reads what its namesake above wrote, and only that, in arena; strings are views into the reader's
 * bytes. WEIR_ECORRUPT. */
int weir_ranges_decode(struct weir_reader *reader, struct weir_arena *arena,
                       struct weir_ranges *ret, struct weir_error *err);
int weir_ranges_decode_ends(struct weir_reader *reader, struct weir_arena *arena,
                            struct weir_ranges *ret, struct weir_error *err);
/* Text for people: {"orders/orders_v2/0": [0, 1000]}, only ranges that hold something; with_all
 * also the empty ones. */
void weir_ranges_print(struct weir_ranges ranges, bool with_all, struct weir_buf *ret);

#endif
