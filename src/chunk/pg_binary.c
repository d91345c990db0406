/* pg_binary.c: any value in PostgreSQL's binary form, by type. */
#include "chunk/pg_binary.h"

#include "base/assert.h"

enum { JSONB_VERSION = 1 };

static uint8_t *put_interval(uint8_t *p, struct weir_interval value)
{
    p = weir_pg_put_u64(weir_pg_put_u32(p, 16), (uint64_t)value.us);
    p = weir_pg_put_u32(p, (uint32_t)value.days);
    return weir_pg_put_u32(p, (uint32_t)value.months);
}

static uint8_t *put_jsonb(uint8_t *p, struct weir_str value)
{
    p = weir_pg_put_u32(p, (uint32_t)value.len + 1);
    *p++ = JSONB_VERSION;
    if (value.len != 0) {
        memcpy(p, value.data, value.len);
    }
    return p + value.len;
}

static uint8_t *put_uuid(uint8_t *p, const struct weir_uuid *value)
{
    p = weir_pg_put_u32(p, sizeof(value->bytes));
    memcpy(p, value->bytes, sizeof(value->bytes));
    return p + sizeof(value->bytes);
}

size_t weir_pg_binary_bytes_max(const struct weir_vec *vec, uint32_t row)
{
    switch (vec->type.id) {
    case WEIR_TYPE_TEXT:
    case WEIR_TYPE_VARCHAR:
    case WEIR_TYPE_BPCHAR:
    case WEIR_TYPE_BYTEA:
    case WEIR_TYPE_UNKNOWN:
        return 4 + vec->str[row].len;
    case WEIR_TYPE_JSONB:
        return 4 + 1 + vec->str[row].len;
    case WEIR_TYPE_NUMERIC:
        return vec->num[row].kind == WEIR_NUMERIC_BIG
                   ? 4 + 8 + 2 * (size_t)vec->num[row].big->digit_count
                   : WEIR_PG_NUMERIC_SMALL_BYTES_MAX;
    default:
        return 4 + 16;
    }
}

uint8_t *weir_pg_binary_put(uint8_t *p, const struct weir_vec *vec, uint32_t row)
{
    switch (vec->type.id) {
    case WEIR_TYPE_BOOL:
        return weir_pg_put_bool(p, vec->b[row]);
    case WEIR_TYPE_INT2:
        return weir_pg_put_int2(p, vec->i2[row]);
    case WEIR_TYPE_INT4:
    case WEIR_TYPE_DATE:
        return weir_pg_put_int4(p, vec->i4[row]);
    case WEIR_TYPE_INT8:
    case WEIR_TYPE_TIME:
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_TIMESTAMPTZ:
        return weir_pg_put_int8(p, vec->i8[row]);
    case WEIR_TYPE_FLOAT4:
        return weir_pg_put_float4(p, vec->f4[row]);
    case WEIR_TYPE_FLOAT8:
        return weir_pg_put_float8(p, vec->f8[row]);
    case WEIR_TYPE_NUMERIC:
        return weir_pg_put_numeric(p, &vec->num[row]);
    case WEIR_TYPE_TEXT:
    case WEIR_TYPE_VARCHAR:
    case WEIR_TYPE_BPCHAR:
    case WEIR_TYPE_BYTEA:
    case WEIR_TYPE_UNKNOWN:
        return weir_pg_put_text(p, vec->str[row]);
    case WEIR_TYPE_INTERVAL:
        return put_interval(p, vec->interval[row]);
    case WEIR_TYPE_UUID:
        return put_uuid(p, &vec->uuid[row]);
    case WEIR_TYPE_JSONB:
        return put_jsonb(p, vec->str[row]);
    case WEIR_TYPE_COUNT:
        break;
    }
    weir_assert(vec->type.id < WEIR_TYPE_COUNT);
    return p;
}

void weir_pg_binary_append(struct weir_buf *buf, const struct weir_vec *vec, uint32_t row)
{
    uint8_t *place = weir_buf_reserve(buf, weir_pg_binary_bytes_max(vec, row));

    if (place != NULL) {
        buf->len += (size_t)(weir_pg_binary_put(place, vec, row) - place);
    }
}

void weir_pg_binary_append_null(struct weir_buf *buf)
{
    uint8_t *place = weir_buf_reserve(buf, 4);

    if (place != NULL) {
        buf->len += (size_t)(weir_pg_put_null(place) - place);
    }
}
