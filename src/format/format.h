/* format.h: bytes to columns. One table of functions a format.
 *
 * F1  A record that cannot be decoded never makes decode() fail: it is reported by row, and its
 *     row is left out of the chunk.
 * F2  Pure: the same records give the same chunk and the same errors. */
#ifndef WEIR_FORMAT_FORMAT_H
#define WEIR_FORMAT_FORMAT_H

#include "base/option.h"
#include "chunk/chunk.h"

/* One column that the pipeline reads; others are not decoded (but are checked for well-formedness
 * where the format checks whole records). */
struct weir_format_column {
    const char *name;
    struct weir_type type;
};

struct weir_format_args {
    const struct weir_format_column *columns; /* copied */
    uint32_t column_count;
    struct weir_options options; /* of the table; borrowed for the decoder's life */
};

/* Records that are bad, each with its reason; row is the index in the records of the call. */
struct weir_decode_errors {
    struct weir_row_error *items; /* in the arena */
    uint32_t count;
};

struct weir_format_ops {
    const char *name;                      /* "json" */
    const struct weir_option_def *options; /* beside the connector's; ended by a NULL name */
    int (*open)(const struct weir_format_args *args, void **ret_self, struct weir_error *err);
    /* Decodes at most WEIR_CHUNK_ROWS_MAX records into a chunk of the wanted columns (rows of bad
     * records left out, origins set). Values may point into the records' bytes; the rest lies in
     * arena. Fails only with WEIR_ENOMEM. */
    int (*decode)(void *self, const struct weir_record *records, uint32_t count,
                  struct weir_arena *arena, struct weir_chunk *ret,
                  struct weir_decode_errors *ret_errors, struct weir_error *err);
    /* Fields met that no column names, since open. */
    uint64_t (*unknown_fields)(void *self);
    void (*close)(void *self);
};

#endif
