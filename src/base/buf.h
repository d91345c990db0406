/* buf.h: a growable run of bytes, and the one place that writes and reads little-endian numbers.
 *
 * A buffer that ran out of memory stays marked (failed) and ignores later appends, so a long
 * series of appends is checked once, at its end. A reader likewise: past the end it yields zeros
 * and stays marked. */
#ifndef WEIR_BASE_BUF_H
#define WEIR_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct weir_buf {
    uint8_t *data;
    size_t len;
    size_t capacity;
    bool failed; /* an append found no memory; len is what came before */
};

/* A zeroed struct is an empty buffer. */
void weir_buf_fini(struct weir_buf *buf);
/* Empties, keeps the memory. */
void weir_buf_reset(struct weir_buf *buf);
/* Makes room for bytes more behind len and returns the place; NULL (and marked) without memory.
 * The caller adds to len what it has written. */
uint8_t *weir_buf_reserve(struct weir_buf *buf, size_t bytes);
void weir_buf_append(struct weir_buf *buf, const void *data, size_t bytes);
void weir_buf_append_zeros(struct weir_buf *buf, size_t bytes);
void weir_buf_append_text(struct weir_buf *buf, const char *text);
/* As the inside of a JSON string, without the quotes. */
void weir_buf_append_json(struct weir_buf *buf, struct weir_str text);
void weir_buf_printf(struct weir_buf *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Little-endian, for our own files. */
void weir_buf_put_u8(struct weir_buf *buf, uint8_t value);
void weir_buf_put_u16(struct weir_buf *buf, uint16_t value);
void weir_buf_put_u32(struct weir_buf *buf, uint32_t value);
void weir_buf_put_u64(struct weir_buf *buf, uint64_t value);
void weir_buf_put_str(struct weir_buf *buf, struct weir_str text); /* u32 length, bytes */

struct weir_reader {
    const uint8_t *data;
    size_t len;
    size_t at;
    bool failed; /* something was asked for that is not there */
};

uint8_t weir_reader_u8(struct weir_reader *reader);
uint16_t weir_reader_u16(struct weir_reader *reader);
uint32_t weir_reader_u32(struct weir_reader *reader);
uint64_t weir_reader_u64(struct weir_reader *reader);
struct weir_str weir_reader_str(struct weir_reader *reader); /* a view into data */
void weir_reader_bytes(struct weir_reader *reader, void *ret, size_t bytes);

#endif
