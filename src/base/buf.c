/* buf.c: growable bytes and little-endian numbers. */
#include "base/buf.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_BYTES_MIN = 256 };

void weir_buf_fini(struct weir_buf *buf)
{
    if (buf != NULL) {
        free(buf->data);
        *buf = (struct weir_buf){ 0 };
    }
}

void weir_buf_reset(struct weir_buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

uint8_t *weir_buf_reserve(struct weir_buf *buf, size_t bytes)
{
    size_t need;

    if (buf->failed || __builtin_add_overflow(buf->len, bytes, &need) || need > SIZE_MAX / 2) {
        buf->failed = true;
        return NULL;
    }
    if (need > buf->capacity) {
        size_t capacity = buf->capacity < BUF_BYTES_MIN ? BUF_BYTES_MIN : buf->capacity;
        while (capacity < need) {
            capacity *= 2;
        }
        uint8_t *data = realloc(buf->data, capacity);
        if (data == NULL) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->capacity = capacity;
    }
    return buf->data + buf->len;
}

void weir_buf_append(struct weir_buf *buf, const void *data, size_t bytes)
{
    uint8_t *place = weir_buf_reserve(buf, bytes);

    if (place != NULL && bytes != 0) {
        memcpy(place, data, bytes);
        buf->len += bytes;
    }
}

void weir_buf_append_zeros(struct weir_buf *buf, size_t bytes)
{
    uint8_t *place = weir_buf_reserve(buf, bytes);

    if (place != NULL && bytes != 0) {
        memset(place, 0, bytes);
        buf->len += bytes;
    }
}

void weir_buf_append_text(struct weir_buf *buf, const char *text)
{
    weir_buf_append(buf, text, strlen(text));
}

void weir_buf_printf(struct weir_buf *buf, const char *fmt, ...)
{
    char brief[128]; /* most texts are: they are made once, not measured first */
    va_list args;
    int need;

    va_start(args, fmt);
    need = vsnprintf(brief, sizeof(brief), fmt, args);
    va_end(args);
    if (need < 0) {
        buf->failed = true;
        return;
    }
    if ((size_t)need < sizeof(brief)) {
        weir_buf_append(buf, brief, (size_t)need);
        return;
    }
    uint8_t *place = weir_buf_reserve(buf, (size_t)need + 1);
    if (place != NULL) {
        va_start(args, fmt);
        (void)vsnprintf((char *)place, (size_t)need + 1, fmt, args);
        va_end(args);
        buf->len += (size_t)need;
    }
}

void weir_buf_append_json(struct weir_buf *buf, struct weir_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            weir_buf_printf(buf, "\\%c", c);
        } else if (c < 0x20) {
            weir_buf_printf(buf, "\\u%04x", c);
        } else {
            weir_buf_put_u8(buf, c);
        }
    }
}

void weir_buf_put_u8(struct weir_buf *buf, uint8_t value)
{
    weir_buf_append(buf, &value, sizeof(value));
}

void weir_buf_put_u16(struct weir_buf *buf, uint16_t value)
{
    value = htole16(value);
    weir_buf_append(buf, &value, sizeof(value));
}

void weir_buf_put_u32(struct weir_buf *buf, uint32_t value)
{
    value = htole32(value);
    weir_buf_append(buf, &value, sizeof(value));
}

void weir_buf_put_u64(struct weir_buf *buf, uint64_t value)
{
    value = htole64(value);
    weir_buf_append(buf, &value, sizeof(value));
}

void weir_buf_put_str(struct weir_buf *buf, struct weir_str text)
{
    weir_buf_put_u32(buf, (uint32_t)text.len);
    weir_buf_append(buf, text.data, text.len);
}

/* Copies the next bytes to ret, or zeros it and marks the reader. */
void weir_reader_bytes(struct weir_reader *reader, void *ret, size_t bytes)
{
    if (reader->failed || reader->len - reader->at < bytes) {
        reader->failed = true;
        memset(ret, 0, bytes);
        return;
    }
    memcpy(ret, reader->data + reader->at, bytes);
    reader->at += bytes;
}

uint8_t weir_reader_u8(struct weir_reader *reader)
{
    uint8_t value;

    weir_reader_bytes(reader, &value, sizeof(value));
    return value;
}

uint16_t weir_reader_u16(struct weir_reader *reader)
{
    uint16_t value;

    weir_reader_bytes(reader, &value, sizeof(value));
    return le16toh(value);
}

uint32_t weir_reader_u32(struct weir_reader *reader)
{
    uint32_t value;

    weir_reader_bytes(reader, &value, sizeof(value));
    return le32toh(value);
}

uint64_t weir_reader_u64(struct weir_reader *reader)
{
    uint64_t value;

    weir_reader_bytes(reader, &value, sizeof(value));
    return le64toh(value);
}

struct weir_str weir_reader_str(struct weir_reader *reader)
{
    uint32_t len = weir_reader_u32(reader);

    if (reader->failed || reader->len - reader->at < len) {
        reader->failed = true;
        return (struct weir_str){ 0 };
    }
    struct weir_str ret = { (const char *)reader->data + reader->at, len };
    reader->at += len;
    return ret;
}
