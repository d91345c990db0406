/* decode.h: one message through a format, for tests. */
#ifndef WEIR_TESTS_DECODE_H
#define WEIR_TESTS_DECODE_H

#include "format/format.h"

enum { DECODE_PADDING_BYTES = 64 };

/* A decoder with what one call of it brought. */
struct decode {
    const struct weir_format_ops *ops;
    void *format;
    struct weir_arena arena;
    struct weir_chunk chunk;
    struct weir_decode_errors errors;
};

void decode_open(struct decode *ret, const struct weir_format_ops *ops,
                 const struct weir_format_column *columns, uint32_t column_count,
                 struct weir_options options);
void decode_close(struct decode *decode);
/* Decodes texts (NULL: no value) as one chunk; the last call's results are gone. Each message lies in memory of
 * its own with just the padding that records have, so that a sanitizer sees what reads too far. */
void decode_texts(struct decode *decode, const struct weir_str *texts, uint32_t count);
void decode_text(struct decode *decode, struct weir_str text);
/* The only error of the last call. */
const struct weir_row_error *decode_only_error(const struct decode *decode);

#endif
