/* row_encode.h: rows of a chunk as the bytes that PostgreSQL's COPY BINARY takes.
 *
 * A tuple is an int16 with the number of fields, then for each field an int32 length (-1: NULL)
 * and its bytes, all big-endian. The same field bytes are what binary array parameters hold, so a
 * row is encoded once, whatever becomes of it. Pure: knows no server.
 * E1  Equal rows give equal bytes: digests of rebuilt batches rest on it. */
#ifndef WEIR_SINK_ROW_ENCODE_H
#define WEIR_SINK_ROW_ENCODE_H

#include "base/arena.h"
#include "base/buf.h"
#include "chunk/chunk.h"

enum { WEIR_ROW_HEADER_BYTES = 2, WEIR_FIELD_HEADER_BYTES = 4 };

/* Appends every row of chunk to *ret; ret_ends[r] (room for chunk->rows) is the offset in *ret
 * behind row r. scratch is reset. WEIR_ENOMEM, and WEIR_EDATA for what no server would take. */
int weir_row_encode(const struct weir_chunk *chunk, struct weir_arena *scratch,
                    struct weir_buf *ret, size_t *ret_ends, struct weir_error *err);

/* One field of an encoded row: its length word and bytes. Returns where the next one begins. */
const uint8_t *weir_field_next(const uint8_t *field);
/* Bytes of a field without its length word; negative: NULL. */
int32_t weir_field_bytes(const uint8_t *field);

#endif
