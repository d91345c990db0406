/* chunk.h: rows in memory, by column, a few thousand at most.
 *
 * A chunk is made by a format from records of a source, changed by operators, read by sinks. All
 * its memory belongs to arenas: to the chunk's arena (gone when the next chunk is made) or to the
 * batch's (gone when the batch is done); whoever keeps values longer copies them. */
#ifndef WEIR_CHUNK_CHUNK_H
#define WEIR_CHUNK_CHUNK_H

#include "base/arena.h"
#include "base/str.h"
#include "chunk/type.h"
#include "weir/error.h"

enum { WEIR_CHUNK_ROWS_MAX = 4096 };

/* One message of a source with its coordinates. Lives as long as its batch. */
struct weir_record {
    int64_t offset;        /* in its partition */
    int64_t timestamp_us;  /* since 1970; INT64_MIN when the source has none */
    struct weir_str value; /* raw bytes; readable for 64 bytes behind its end */
    struct weir_str key;   /* raw bytes */
    struct weir_str
        headers;        /* a JSON array of [name, value] pairs as text; empty when not wanted */
    uint32_t partition; /* index in the source's list of partitions, see source.h */
    bool value_is_null, key_is_null;
};

/* One column: rows elements of one type. Null elements hold any value. */
struct weir_vec {
    struct weir_type type;
    const uint64_t
        *valid; /* bit r % 64 of word r / 64 is set when row r is not null; NULL: no nulls */
    union {
        void *data;
        uint8_t *b;
        int16_t *i2;
        int32_t *i4; /* INT4, DATE */
        int64_t *i8; /* INT8, TIME, TIMESTAMP, TIMESTAMPTZ */
        float *f4;
        double *f8;
        struct weir_numeric *num;
        struct weir_str *str; /* TEXT, VARCHAR, BPCHAR, BYTEA, JSONB, UNKNOWN */
        struct weir_interval *interval;
        struct weir_uuid *uuid;
    };
};

struct weir_chunk {
    uint32_t rows; /* at most WEIR_CHUNK_ROWS_MAX */
    uint32_t columns;
    struct weir_vec *vecs;                    /* columns of them */
    const struct weir_record *const *origins; /* rows of them: which record each row came from */
};

/* Which rows of a chunk are meant: count row numbers, rising. */
struct weir_sel {
    uint32_t count;
    const uint32_t *rows;
};

/* A row that could not be decoded, computed or written, and why, in PostgreSQL's words. */
struct weir_row_error {
    uint32_t row;     /* in its chunk */
    char sqlstate[6]; /* "22012" */
    const char *text; /* in the arena of the chunk */
};

static inline bool weir_vec_is_null(const struct weir_vec *vec, uint32_t row)
{
    return vec->valid != NULL && (vec->valid[row / 64] >> (row % 64) & 1) == 0;
}

/* A vector of rows elements with uninitialised data and no bitmap; data NULL without memory. */
struct weir_vec weir_vec_alloc(struct weir_arena *arena, struct weir_type type, uint32_t rows);
/* A bitmap of rows bits, all set (all_valid) or all clear, unused bits of the last word clear;
 * NULL without memory. */
uint64_t *weir_bitmap_alloc(struct weir_arena *arena, uint32_t rows, bool all_valid);

static inline void weir_bitmap_set(uint64_t *bitmap, uint32_t row)
{
    bitmap[row / 64] |= UINT64_C(1) << (row % 64);
}

static inline void weir_bitmap_clear(uint64_t *bitmap, uint32_t row)
{
    bitmap[row / 64] &= ~(UINT64_C(1) << (row % 64));
}

/* The chosen rows of a vector, in order, packed. Values are shared, not copied deeply. */
int weir_vec_gather(struct weir_arena *arena, const struct weir_vec *vec, struct weir_sel sel,
                    struct weir_vec *ret, struct weir_error *err);
/* The same for a whole chunk, origins included. */
int weir_chunk_gather(struct weir_arena *arena, const struct weir_chunk *chunk, struct weir_sel sel,
                      struct weir_chunk *ret, struct weir_error *err);

#endif
