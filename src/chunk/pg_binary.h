/* pg_binary.h: values in PostgreSQL's binary wire form, as COPY BINARY and parameters want them:
 * a big-endian length, then the bytes.
 *
 * weir_pg_binary_append() serves every type. The inline functions below serve an encoder that
 * works through one row after another: they write to memory that the caller has reserved and return the
 * place behind what they wrote. */
#ifndef WEIR_CHUNK_PG_BINARY_H
#define WEIR_CHUNK_PG_BINARY_H

#include <endian.h>
#include <string.h>

#include "base/buf.h"
#include "chunk/chunk.h"
#include "chunk/decimal.h"

/* Appends length and bytes of one value that is not null; null is a length of -1. */
void weir_pg_binary_append(struct weir_buf *buf, const struct weir_vec *vec, uint32_t row);
void weir_pg_binary_append_null(struct weir_buf *buf);

/* Most bytes that a value takes, length included: fixed for most types, by the value for the rest. */
size_t weir_pg_binary_bytes_max(const struct weir_vec *vec, uint32_t row);
/* As append, to p, where at least weir_pg_binary_bytes_max() bytes are free. */
uint8_t *weir_pg_binary_put(uint8_t *p, const struct weir_vec *vec, uint32_t row);

static inline uint8_t *weir_pg_put_u16(uint8_t *p, uint16_t value)
{
    value = htobe16(value);
    memcpy(p, &value, sizeof(value));
    return p + sizeof(value);
}

static inline uint8_t *weir_pg_put_u32(uint8_t *p, uint32_t value)
{
    value = htobe32(value);
    memcpy(p, &value, sizeof(value));
    return p + sizeof(value);
}

static inline uint8_t *weir_pg_put_u64(uint8_t *p, uint64_t value)
{
    value = htobe64(value);
    memcpy(p, &value, sizeof(value));
    return p + sizeof(value);
}

static inline uint8_t *weir_pg_put_null(uint8_t *p)
{
    return weir_pg_put_u32(p, UINT32_MAX);
}

static inline uint8_t *weir_pg_put_bool(uint8_t *p, uint8_t value)
{
    p = weir_pg_put_u32(p, 1);
    *p = value;
    return p + 1;
}

static inline uint8_t *weir_pg_put_int2(uint8_t *p, int16_t value)
{
    return weir_pg_put_u16(weir_pg_put_u32(p, 2), (uint16_t)value);
}

/* INT4, DATE. */
static inline uint8_t *weir_pg_put_int4(uint8_t *p, int32_t value)
{
    return weir_pg_put_u32(weir_pg_put_u32(p, 4), (uint32_t)value);
}

/* INT8, TIME, TIMESTAMP, TIMESTAMPTZ. */
static inline uint8_t *weir_pg_put_int8(uint8_t *p, int64_t value)
{
    return weir_pg_put_u64(weir_pg_put_u32(p, 8), (uint64_t)value);
}

static inline uint8_t *weir_pg_put_float4(uint8_t *p, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return weir_pg_put_u32(weir_pg_put_u32(p, 4), bits);
}

static inline uint8_t *weir_pg_put_float8(uint8_t *p, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return weir_pg_put_u64(weir_pg_put_u32(p, 8), bits);
}

/* TEXT, VARCHAR, BPCHAR, BYTEA: 4 + len bytes. */
static inline uint8_t *weir_pg_put_text(uint8_t *p, struct weir_str value)
{
    p = weir_pg_put_u32(p, (uint32_t)value.len);
    if (value.len != 0) {
        memcpy(p, value.data, value.len);
    }
    return p + value.len;
}

/* Bytes of a numeric that is not BIG, length included: header and at most 6 digits. */
enum { WEIR_PG_NUMERIC_SMALL_BYTES_MAX = 4 + 8 + 2 * 6 };

static inline uint8_t *weir_pg_put_numeric(uint8_t *p, const struct weir_numeric *value)
{
    struct weir_numeric_digits d;

    weir_numeric_to_digits(value, &d);
    p = weir_pg_put_u32(p, 8 + 2 * (uint32_t)d.digit_count);
    p = weir_pg_put_u16(p, d.digit_count);
    p = weir_pg_put_u16(p, (uint16_t)d.weight);
    p = weir_pg_put_u16(p, d.sign);
    p = weir_pg_put_u16(p, d.scale);
    for (uint32_t i = 0; i < d.digit_count; i++) {
        p = weir_pg_put_u16(p, (uint16_t)d.digits[i]);
    }
    return p;
}

#endif
