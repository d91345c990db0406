/* decimal_convert.c: numeric to and from integers and floats. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "chunk/decimal.h"
#include "chunk/scalar_text.h"

/* Rounds to a whole number within min and max. */
static int to_integer(struct weir_numeric value, const char *type_name, int64_t min, int64_t max,
                      int64_t *ret, struct weir_value_error *verr)
{
    struct weir_numeric whole;

    if (value.kind == WEIR_NUMERIC_NAN) {
        return weir_value_error_set(verr, "0A000", "cannot convert NaN to %s", type_name);
    }
    if (value.kind == WEIR_NUMERIC_PINF || value.kind == WEIR_NUMERIC_NINF) {
        return weir_value_error_set(verr, "0A000", "cannot convert infinity to %s", type_name);
    }
    whole = value;
    if (value.scale != 0 || value.kind == WEIR_NUMERIC_BIG) {
        /* A number that fits has at most 6 digits of base 10 000: a small arena of its own. */
        struct weir_arena arena;
        int rc;

        weir_arena_init(&arena, 512);
        rc = weir_numeric_round(value, 0, &arena, &whole, verr);
        weir_arena_fini(&arena);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if (whole.kind != WEIR_NUMERIC_SMALL || whole.small < min || whole.small > max) {
        return weir_value_error_set(verr, "22003", "%s out of range", type_name);
    }
    *ret = whole.small;
    return WEIR_OK;
}

int weir_numeric_to_int2(struct weir_numeric value, int16_t *ret, struct weir_value_error *verr)
{
    int64_t whole;
    int rc = to_integer(value, "smallint", INT16_MIN, INT16_MAX, &whole, verr);

    if (rc == WEIR_OK) {
        *ret = (int16_t)whole;
    }
    return rc;
}

int weir_numeric_to_int4(struct weir_numeric value, int32_t *ret, struct weir_value_error *verr)
{
    int64_t whole;
    int rc = to_integer(value, "integer", INT32_MIN, INT32_MAX, &whole, verr);

    if (rc == WEIR_OK) {
        *ret = (int32_t)whole;
    }
    return rc;
}

int weir_numeric_to_int8(struct weir_numeric value, int64_t *ret, struct weir_value_error *verr)
{
    return to_integer(value, "bigint", INT64_MIN, INT64_MAX, ret, verr);
}

/* PostgreSQL converts to floats through text, so overflow has the words of the float's input. */
int weir_numeric_to_float8(struct weir_numeric value, struct weir_arena *arena, double *ret,
                           struct weir_value_error *verr)
{
    struct weir_str text;

    if (value.kind == WEIR_NUMERIC_SMALL && value.scale == 0) {
        *ret = (double)value.small;
        return WEIR_OK;
    }
    if (weir_numeric_print(value, arena, &text) != WEIR_OK) {
        return weir_value_error_memory(verr);
    }
    return weir_float8_parse(text, ret, verr);
}

int weir_numeric_to_float4(struct weir_numeric value, struct weir_arena *arena, float *ret,
                           struct weir_value_error *verr)
{
    struct weir_str text;

    if (weir_numeric_print(value, arena, &text) != WEIR_OK) {
        return weir_value_error_memory(verr);
    }
    return weir_float4_parse(text, ret, verr);
}

static int from_float(double value, int digits, struct weir_arena *arena, struct weir_numeric *ret,
                      struct weir_value_error *verr)
{
    char text[40];
    int len;

    if (isnan(value) || isinf(value)) {
        *ret = weir_numeric_special(isnan(value)  ? WEIR_NUMERIC_NAN
                                    : value > 0.0 ? WEIR_NUMERIC_PINF
                                                  : WEIR_NUMERIC_NINF);
        return WEIR_OK;
    }
    len = snprintf(text, sizeof(text), "%.*g", digits, value);
    for (int i = 0; i < len; i++) {
        text[i] = text[i] == ',' ? '.' : text[i]; /* the process's locale */
    }
    return weir_numeric_parse((struct weir_str){ text, (size_t)len }, -1, arena, ret, verr);
}

int weir_numeric_from_float8(double value, struct weir_arena *arena, struct weir_numeric *ret,
                             struct weir_value_error *verr)
{
    return from_float(value, DBL_DIG, arena, ret, verr);
}

int weir_numeric_from_float4(float value, struct weir_arena *arena, struct weir_numeric *ret,
                             struct weir_value_error *verr)
{
    return from_float((double)value, FLT_DIG, arena, ret, verr);
}
