/* row_key.c: values as bytes that memcmp() orders. Uses chunk/decimal.h for the digits of numbers.
 *
 * Every value is prefix-free (fixed width, or ended by a byte that cannot occur in it), so keys of
 * several columns are compared by comparing their bytes one after the other.
 * Checked by tests/unit/sink/test_row_key.c. */
#include "sink/row_key.h"

#include <endian.h>
#include <string.h>

#include "chunk/decimal.h"

enum { KEY_NULL = 1, KEY_VALUE = 0 }; /* NULLs last, as in an index */

bool weir_row_key_allowed(enum weir_type_id id)
{
    return id != WEIR_TYPE_JSONB && id != WEIR_TYPE_UNKNOWN;
}

/* A signed number of 64 bits: the sign flipped, so that negative ones come first. */
static void put_signed(struct weir_buf *ret, int64_t value)
{
    uint64_t bits = htobe64((uint64_t)value ^ UINT64_C(1) << 63);

    weir_buf_append(ret, &bits, sizeof(bits));
}

static void put_float(struct weir_buf *ret, double value)
{
    uint64_t bits;

    if (value != value) {
        bits = UINT64_MAX; /* NaN: the largest, and equal to itself */
    } else {
        value = value == 0 ? 0 : value; /* -0.0 is 0.0 */
        memcpy(&bits, &value, sizeof(bits));
        bits = bits >> 63 != 0 ? ~bits : bits | UINT64_C(1) << 63;
    }
    bits = htobe64(bits);
    weir_buf_append(ret, &bits, sizeof(bits));
}

/* Text ends with a zero byte, which it cannot hold. */
static void put_text(struct weir_buf *ret, struct weir_str text, bool blank_padded)
{
    while (blank_padded && text.len != 0 && text.data[text.len - 1] == ' ') {
        text.len--;
    }
    weir_buf_append(ret, text.data, text.len);
    weir_buf_put_u8(ret, 0);
}

/* Bytes may hold zeros: each becomes 0, 1; the end is 0, 0. */
static void put_bytes(struct weir_buf *ret, struct weir_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        weir_buf_put_u8(ret, (uint8_t)bytes.data[i]);
        if (bytes.data[i] == 0) {
            weir_buf_put_u8(ret, 1);
        }
    }
    weir_buf_put_u8(ret, 0);
    weir_buf_put_u8(ret, 0);
}

/* An interval counts 30 days to the month and 24 hours to the day when it is compared. */
static void put_interval(struct weir_buf *ret, const struct weir_interval *interval)
{
    static const int64_t day_us = INT64_C(86400000000);
    int64_t days = (int64_t)interval->months * 30 + interval->days + interval->us / day_us;
    int64_t rest = interval->us % day_us;

    if (rest < 0) {
        rest += day_us;
        days--;
    }
    put_signed(ret, days);
    put_signed(ret, rest);
}

/* A number without its display scale: class of sign, weight, digits, end; all but the class
 * inverted when it is negative. */
static void put_numeric(struct weir_buf *ret, const struct weir_numeric *number)
{
    enum { LOWEST, NEGATIVE, ZERO, POSITIVE, HIGHEST, NAN_LAST };
    struct weir_numeric_digits form;

    weir_numeric_to_digits(number, &form);
    if (number->kind == WEIR_NUMERIC_NAN || number->kind == WEIR_NUMERIC_PINF ||
        number->kind == WEIR_NUMERIC_NINF) {
        weir_buf_put_u8(ret, number->kind == WEIR_NUMERIC_NAN    ? NAN_LAST
                             : number->kind == WEIR_NUMERIC_PINF ? HIGHEST
                                                                 : LOWEST);
        return;
    }
    if (form.digit_count == 0) {
        weir_buf_put_u8(ret, ZERO);
        return;
    }
    bool negative = form.sign == WEIR_NUMERIC_SIGN_NEGATIVE;
    uint16_t flip = negative ? 0xffff : 0;
    uint16_t weight = htobe16((uint16_t)(form.weight ^ -0x8000) ^ flip);
    weir_buf_put_u8(ret, negative ? NEGATIVE : POSITIVE);
    weir_buf_append(ret, &weight, sizeof(weight));
    for (uint32_t i = 0; i < form.digit_count; i++) {
        /* Plus one: the end, a zero, is then smaller than any digit. */
        uint16_t digit = htobe16((uint16_t)(form.digits[i] + 1) ^ flip);
        weir_buf_append(ret, &digit, sizeof(digit));
    }
    weir_buf_append(ret, &flip, sizeof(flip));
}

void weir_row_key_append(struct weir_buf *ret, const struct weir_vec *vec, uint32_t r)
{
    if (weir_vec_is_null(vec, r)) {
        weir_buf_put_u8(ret, KEY_NULL);
        return;
    }
    weir_buf_put_u8(ret, KEY_VALUE);
    switch (vec->type.id) {
    case WEIR_TYPE_BOOL:
        weir_buf_put_u8(ret, vec->b[r]);
        break;
    case WEIR_TYPE_INT2:
        put_signed(ret, vec->i2[r]);
        break;
    case WEIR_TYPE_INT4:
    case WEIR_TYPE_DATE:
        put_signed(ret, vec->i4[r]);
        break;
    case WEIR_TYPE_INT8:
    case WEIR_TYPE_TIME:
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_TIMESTAMPTZ:
        put_signed(ret, vec->i8[r]);
        break;
    case WEIR_TYPE_FLOAT4:
        put_float(ret, vec->f4[r]);
        break;
    case WEIR_TYPE_FLOAT8:
        put_float(ret, vec->f8[r]);
        break;
    case WEIR_TYPE_NUMERIC:
        put_numeric(ret, &vec->num[r]);
        break;
    case WEIR_TYPE_UUID:
        weir_buf_append(ret, vec->uuid[r].bytes, sizeof(vec->uuid[r].bytes));
        break;
    case WEIR_TYPE_INTERVAL:
        put_interval(ret, &vec->interval[r]);
        break;
    case WEIR_TYPE_BYTEA:
        put_bytes(ret, vec->str[r]);
        break;
    default:
        put_text(ret, vec->str[r], vec->type.id == WEIR_TYPE_BPCHAR);
        break;
    }
}
