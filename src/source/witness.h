/* witness.h: the digest by which a source knows a record again.
 *
 * Offsets alone do not name a record: a topic can be deleted and made anew, or cut and grown again,
 * and then the same offset holds something else. So a position carries the digest of the last
 * record before it, and seek() compares. */
#ifndef WEIR_SOURCE_WITNESS_H
#define WEIR_SOURCE_WITNESS_H

#include "source/source.h"

/* Covers offset, timestamp, key and value (null told from empty). Never changes: digests are kept in
 * logs and ledgers. Headers are left out because they are only read when a query wants them. */
uint64_t weir_record_digest(const struct weir_record *record);

/* The position behind the record, with the record as its witness. */
static inline struct weir_position weir_position_after(const struct weir_record *record)
{
    return (struct weir_position){ .next = record->offset + 1,
                                   .witness_offset = record->offset,
                                   .witness_digest = weir_record_digest(record) };
}

/* A position that nothing was read before. */
static inline struct weir_position weir_position_first(int64_t next)
{
    return (struct weir_position){ .next = next, .witness_offset = -1 };
}

/* Where on_data_loss = 'skip' goes on when next is not to be had from a log that holds [low, end):
 * never at an offset below the one where it was, so nothing is read twice, unless the log ends
 * before it: then behind all that is there. */
static inline int64_t weir_position_clamp(int64_t next, int64_t low, int64_t end)
{
    return next < low ? low : next > end ? end : next;
}

/* How much of one partition on_data_loss = 'skip' has left out. */
struct weir_loss {
    uint64_t records; /* at most: by offsets, and some of those may never have held a record */
    int64_t end;      /* where the last skip went on */
};

/* Takes note of a skip from next to going_on. What is skipped again, after a seek to before it, counts
 * once. What a log lost that ends too early, or was made anew, cannot be told by offsets: nothing. */
static inline void weir_loss_add(struct weir_loss *loss, int64_t next, int64_t going_on)
{
    int64_t from = next > loss->end ? next : loss->end;

    if (going_on > from) {
        loss->records += (uint64_t)(going_on - from);
    }
    loss->end = going_on;
}

#endif
