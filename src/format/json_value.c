/* json_value.c: JSON values to SQL values.
 *
 * What messages are mostly made of (integers, decimals, plain strings) has a short way; the rest
 * takes the type's input function, which also has the last word on errors. */
#include "format/json_value.h"

#include "chunk/datetime.h"
#include "chunk/decimal.h"
#include "chunk/jsonb.h"
#include "chunk/scalar_text.h"

enum { INTEGER_DIGITS_SAFE = 18 }; /* that many always fit 64 bits */

/* A JSON number without fraction and exponent. False for others and for very long ones. */
static bool read_integer(struct weir_str text, int64_t *ret)
{
    const char *at = text.data;
    const char *end = at + text.len;
    bool is_negative = *at == '-';
    int64_t value = 0;

    at += is_negative;
    if (end - at > INTEGER_DIGITS_SAFE) {
        return false;
    }
    for (; at < end; at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (digit > 9) {
            return false;
        }
        value = value * 10 + (int64_t)digit;
    }
    *ret = is_negative ? -value : value;
    return true;
}

/* A number of units since 1970 in microseconds; digits beyond are dropped. */
static bool read_moment(struct weir_str text, int64_t unit_us, int64_t *ret)
{
    const char *point = memchr(text.data, '.', text.len);
    struct weir_str whole = { text.data, point == NULL ? text.len : (size_t)(point - text.data) };
    int64_t us;

    if (!read_integer(whole, &us) || __builtin_mul_overflow(us, unit_us, &us)) {
        return false;
    }
    for (size_t i = whole.len + 1; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false; /* an exponent */
        }
        unit_us /= 10;
        int64_t part = (text.data[i] - '0') * unit_us;
        us += text.data[0] == '-' ? -part : part;
    }
    return !__builtin_sub_overflow(us, WEIR_UNIX_TO_PG_EPOCH_US, ret);
}

static int store_moment(struct weir_str text, const struct json_value_options *options,
                        struct weir_vec *vec, uint32_t row, struct weir_value_error *verr)
{
    int64_t us;

    if (options->timestamp_unit_us == 0 || vec->type.id == WEIR_TYPE_DATE ||
        vec->type.id == WEIR_TYPE_TIME) {
        return weir_value_error_set(verr, "22007", "the number %.*s is no %s%s", WEIR_STR_ARG(text),
                                    weir_type_sql_name(vec->type.id),
                                    vec->type.id == WEIR_TYPE_DATE || vec->type.id == WEIR_TYPE_TIME
                                        ? ""
                                        : "; set the option timestamp_format to what it counts");
    }
    if (!read_moment(text, options->timestamp_unit_us, &us) || us < WEIR_TIMESTAMP_MIN ||
        us >= WEIR_TIMESTAMP_END) {
        return weir_value_error_set(verr, "22008", "timestamp out of range: \"%.*s\"",
                                    WEIR_STR_ARG(text));
    }
    vec->i8[row] = weir_timestamp_fit(us, vec->type.typmod);
    return WEIR_OK;
}

/* The short ways; false when there is none for this value. */
static bool store_integer(const struct json_value *value, struct weir_vec *vec, uint32_t row)
{
    int64_t number;

    if (!read_integer(value->raw, &number)) {
        return false;
    }
    switch (vec->type.id) {
    case WEIR_TYPE_INT2:
        vec->i2[row] = (int16_t)number;
        return number == vec->i2[row];
    case WEIR_TYPE_INT4:
        vec->i4[row] = (int32_t)number;
        return number == vec->i4[row];
    case WEIR_TYPE_INT8:
        vec->i8[row] = number;
        return true;
    case WEIR_TYPE_FLOAT8:
        vec->f8[row] = (double)number;
        /* Beyond 2^53 the input function rounds; -0 keeps its sign there. */
        return number != 0 && number > -(INT64_C(1) << 53) && number < INT64_C(1) << 53;
    default:
        return false;
    }
}

static int store_number(const struct json_value *value, const struct json_value_options *options,
                        struct weir_vec *vec, uint32_t row, struct weir_arena *arena,
                        struct weir_value_error *verr)
{
    if (store_integer(value, vec, row)) {
        return WEIR_OK;
    }
    switch (vec->type.id) {
    case WEIR_TYPE_NUMERIC:
        return weir_numeric_parse(value->raw, vec->type.typmod, arena, &vec->num[row], verr);
    case WEIR_TYPE_DATE:
    case WEIR_TYPE_TIME:
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_TIMESTAMPTZ:
        return store_moment(value->raw, options, vec, row, verr);
    default:
        return weir_value_parse(vec->type, value->raw, arena,
                                (char *)vec->data + row * weir_type_bytes(vec->type.id), verr);
    }
}

static int store_text(struct weir_str text, struct weir_vec *vec, uint32_t row,
                      struct weir_arena *arena, struct weir_value_error *verr)
{
    switch (vec->type.id) {
    case WEIR_TYPE_TEXT:
    case WEIR_TYPE_UNKNOWN:
        vec->str[row] = text; /* its encoding is checked with the whole message */
        return WEIR_OK;
    case WEIR_TYPE_VARCHAR:
        return weir_varchar_fit(text, vec->type.typmod, false, &vec->str[row], verr);
    default:
        return weir_value_parse(vec->type, text, arena,
                                (char *)vec->data + row * weir_type_bytes(vec->type.id), verr);
    }
}

static int store_string(const struct json_value *value, struct weir_vec *vec, uint32_t row,
                        struct weir_arena *arena, struct weir_value_error *verr)
{
    struct weir_str text;
    const char *wrong = json_string(value, arena, &text);

    if (wrong != NULL) {
        return weir_value_error_set(verr, wrong == json_zero_character ? "22P05" : "22P02", "%s",
                                    wrong);
    }
    if (text.data == NULL) {
        return WEIR_ENOMEM;
    }
    return store_text(text, vec, row, arena, verr);
}

int json_value_store(const struct json_value *value, const struct json_value_options *options,
                     struct weir_vec *vec, uint32_t row, struct weir_arena *arena,
                     struct weir_value_error *verr)
{
    if (vec->type.id == WEIR_TYPE_JSONB) {
        return weir_jsonb_parse(value->raw, arena, &vec->str[row], verr);
    }
    switch (value->kind) {
    case JSON_STRING:
        return store_string(value, vec, row, arena, verr);
    case JSON_NUMBER:
        return store_number(value, options, vec, row, arena, verr);
    case JSON_TRUE:
    case JSON_FALSE:
        if (vec->type.id == WEIR_TYPE_BOOL) {
            vec->b[row] = value->kind == JSON_TRUE;
            return WEIR_OK;
        }
        return store_text(value->raw, vec, row, arena, verr);
    default:
        return store_text(value->raw, vec, row, arena, verr);
    }
}
