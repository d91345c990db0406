/* value.c: order, equality and hash of values of any type. */
#include "chunk/value.h"

#include <math.h>

#include "base/assert.h"
#include "base/hash.h"
#include "chunk/decimal.h"
#include "chunk/interval.h"
#include "chunk/jsonb.h"
#include "chunk/scalar_text.h"

#define COMPARE(x, y) (((x) > (y)) - ((x) < (y)))

int weir_float8_compare(double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return (isnan(a) != 0) - (isnan(b) != 0);
    }
    return COMPARE(a, b);
}

int weir_value_compare(const struct weir_vec *a, uint32_t i, const struct weir_vec *b, uint32_t j)
{
    switch (a->type.id) {
    case WEIR_TYPE_BOOL:
        return COMPARE(a->b[i], b->b[j]);
    case WEIR_TYPE_INT2:
        return COMPARE(a->i2[i], b->i2[j]);
    case WEIR_TYPE_INT4:
    case WEIR_TYPE_DATE:
        return COMPARE(a->i4[i], b->i4[j]);
    case WEIR_TYPE_INT8:
    case WEIR_TYPE_TIME:
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_TIMESTAMPTZ:
        return COMPARE(a->i8[i], b->i8[j]);
    case WEIR_TYPE_FLOAT4:
        return weir_float8_compare((double)a->f4[i], (double)b->f4[j]);
    case WEIR_TYPE_FLOAT8:
        return weir_float8_compare(a->f8[i], b->f8[j]);
    case WEIR_TYPE_NUMERIC:
        return weir_numeric_compare(a->num[i], b->num[j]);
    case WEIR_TYPE_TEXT:
    case WEIR_TYPE_VARCHAR:
    case WEIR_TYPE_BYTEA:
    case WEIR_TYPE_UNKNOWN:
        return weir_str_compare(a->str[i], b->str[j]);
    case WEIR_TYPE_BPCHAR:
        return weir_str_compare(weir_bpchar_trim(a->str[i]), weir_bpchar_trim(b->str[j]));
    case WEIR_TYPE_INTERVAL:
        return weir_interval_compare(a->interval[i], b->interval[j]);
    case WEIR_TYPE_UUID:
        return memcmp(a->uuid[i].bytes, b->uuid[j].bytes, sizeof(a->uuid[i].bytes));
    case WEIR_TYPE_JSONB:
        return weir_jsonb_compare(a->str[i], b->str[j]);
    case WEIR_TYPE_COUNT:
        break;
    }
    weir_assert(a->type.id < WEIR_TYPE_COUNT);
    return 0;
}

static uint64_t hash_integer(int64_t value)
{
    return weir_hash64(&value, sizeof(value));
}

static uint64_t hash_float(double value)
{
    if (isnan(value)) {
        value = NAN; /* one NaN for all */
    }
    value = value == 0.0 ? 0.0 : value; /* and one zero */
    return weir_hash64(&value, sizeof(value));
}

uint64_t weir_value_hash(const struct weir_vec *vec, uint32_t row)
{
    struct weir_str text;
    weir_int128 estimate;

    switch (vec->type.id) {
    case WEIR_TYPE_BOOL:
        return hash_integer(vec->b[row]);
    case WEIR_TYPE_INT2:
        return hash_integer(vec->i2[row]);
    case WEIR_TYPE_INT4:
    case WEIR_TYPE_DATE:
        return hash_integer(vec->i4[row]);
    case WEIR_TYPE_INT8:
    case WEIR_TYPE_TIME:
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_TIMESTAMPTZ:
        return hash_integer(vec->i8[row]);
    case WEIR_TYPE_FLOAT4:
        return hash_float((double)vec->f4[row]);
    case WEIR_TYPE_FLOAT8:
        return hash_float(vec->f8[row]);
    case WEIR_TYPE_NUMERIC:
        return weir_numeric_hash(vec->num[row]);
    case WEIR_TYPE_TEXT:
    case WEIR_TYPE_VARCHAR:
    case WEIR_TYPE_BYTEA:
    case WEIR_TYPE_UNKNOWN:
        return weir_hash64(vec->str[row].data, vec->str[row].len);
    case WEIR_TYPE_BPCHAR:
        text = weir_bpchar_trim(vec->str[row]);
        return weir_hash64(text.data, text.len);
    case WEIR_TYPE_INTERVAL:
        estimate = weir_interval_estimate_us(vec->interval[row]);
        return weir_hash64(&estimate, sizeof(estimate));
    case WEIR_TYPE_UUID:
        return weir_hash64(vec->uuid[row].bytes, sizeof(vec->uuid[row].bytes));
    case WEIR_TYPE_JSONB:
        return weir_jsonb_hash(vec->str[row]);
    case WEIR_TYPE_COUNT:
        break;
    }
    weir_assert(vec->type.id < WEIR_TYPE_COUNT);
    return 0;
}

static bool copy_str(struct weir_arena *arena, struct weir_str value, void *ret)
{
    char *data = weir_arena_copy(arena, value);

    if (data == NULL) {
        return false;
    }
    *(struct weir_str *)ret = (struct weir_str){ data, value.len };
    return true;
}

static bool copy_numeric(struct weir_arena *arena, struct weir_numeric value, void *ret)
{
    if (value.kind == WEIR_NUMERIC_BIG) {
        size_t bytes =
            sizeof(*value.big) + (size_t)value.big->digit_count * sizeof(value.big->digits[0]);
        struct weir_numeric_big *big = weir_arena_alloc(arena, bytes);

        if (big == NULL) {
            return false;
        }
        memcpy(big, value.big, bytes);
        value.big = big;
    }
    *(struct weir_numeric *)ret = value;
    return true;
}

bool weir_value_copy(struct weir_arena *arena, const struct weir_vec *vec, uint32_t row, void *ret)
{
    size_t bytes = weir_type_bytes(vec->type.id);

    switch (vec->type.id) {
    case WEIR_TYPE_TEXT:
    case WEIR_TYPE_VARCHAR:
    case WEIR_TYPE_BPCHAR:
    case WEIR_TYPE_BYTEA:
    case WEIR_TYPE_JSONB:
    case WEIR_TYPE_UNKNOWN:
        return copy_str(arena, vec->str[row], ret);
    case WEIR_TYPE_NUMERIC:
        return copy_numeric(arena, vec->num[row], ret);
    default:
        memcpy(ret, (const char *)vec->data + row * bytes, bytes);
        return true;
    }
}
