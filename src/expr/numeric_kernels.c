/* numeric_kernels.c: arithmetic on numeric by column. Uses chunk/decimal.h for each value. */
#include "expr/numeric_kernels.h"

#include "chunk/decimal.h"

/* Numbers of one scale that fit 64 bits add up as integers; all others take the long way. */
#define SUM(name, builtin, function)                                                          \
    WEIR_KERNEL(name)                                                                         \
    {                                                                                         \
        const struct weir_numeric *a = args[0].num, *b = args[1].num;                         \
        struct weir_value_error verr;                                                         \
        int rc = WEIR_OK;                                                                     \
        for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {                           \
            uint32_t row = sel.rows[i];                                                       \
            int64_t sum;                                                                      \
            if (a[row].kind == WEIR_NUMERIC_SMALL && b[row].kind == WEIR_NUMERIC_SMALL &&     \
                a[row].scale == b[row].scale && !builtin(a[row].small, b[row].small, &sum)) { \
                ret->num[row] = weir_numeric_small(sum, a[row].scale);                        \
                continue;                                                                     \
            }                                                                                 \
            rc = function(a[row], b[row], eval->arena, &ret->num[row], &verr);                \
            if (rc != WEIR_OK) {                                                              \
                rc = weir_eval_fail_value(eval, row, rows, rc, &verr);                        \
            }                                                                                 \
        }                                                                                     \
        return rc;                                                                            \
    }

SUM(numeric_add, __builtin_add_overflow, weir_numeric_add)
SUM(numeric_sub, __builtin_sub_overflow, weir_numeric_sub)

#define BINARY(function) \
    function(args[0].num[row], args[1].num[row], eval->arena, &ret->num[row], &verr)
#define UNARY(function) function(args[0].num[row], eval->arena, &ret->num[row], &verr)
#define TO_PLACES(function, places) \
    function(args[0].num[row], places, eval->arena, &ret->num[row], &verr)

WEIR_VALUE_KERNEL(numeric_mul, BINARY(weir_numeric_mul))
WEIR_VALUE_KERNEL(numeric_div, BINARY(weir_numeric_div))
WEIR_VALUE_KERNEL(numeric_mod, BINARY(weir_numeric_mod))
WEIR_VALUE_KERNEL(numeric_neg, UNARY(weir_numeric_neg))
WEIR_VALUE_KERNEL(numeric_abs, UNARY(weir_numeric_abs))
WEIR_VALUE_KERNEL(numeric_floor, UNARY(weir_numeric_floor))
WEIR_VALUE_KERNEL(numeric_ceil, UNARY(weir_numeric_ceil))
WEIR_VALUE_KERNEL(numeric_round, TO_PLACES(weir_numeric_round, 0))
WEIR_VALUE_KERNEL(numeric_round_to, TO_PLACES(weir_numeric_round, args[1].i4[row]))
WEIR_VALUE_KERNEL(numeric_trunc, TO_PLACES(weir_numeric_trunc, 0))
WEIR_VALUE_KERNEL(numeric_trunc_to, TO_PLACES(weir_numeric_trunc, args[1].i4[row]))
WEIR_SAFE_KERNEL(numeric_plus, num, args[0].num[row])

static struct weir_numeric sign_of(struct weir_numeric value)
{
    return value.kind == WEIR_NUMERIC_NAN ? value : weir_numeric_small(weir_numeric_sign(value), 0);
}

WEIR_SAFE_KERNEL(numeric_sign, num, sign_of(args[0].num[row]))

/* ---- casts ----------------------------------------------------------------------------------- */

WEIR_SAFE_KERNEL(i2_to_numeric, num, weir_numeric_small(args[0].i2[row], 0))
WEIR_SAFE_KERNEL(i4_to_numeric, num, weir_numeric_small(args[0].i4[row], 0))
WEIR_SAFE_KERNEL(i8_to_numeric, num, weir_numeric_small(args[0].i8[row], 0))
WEIR_VALUE_KERNEL(f4_to_numeric,
                  weir_numeric_from_float4(args[0].f4[row], eval->arena, &ret->num[row], &verr))
WEIR_VALUE_KERNEL(f8_to_numeric,
                  weir_numeric_from_float8(args[0].f8[row], eval->arena, &ret->num[row], &verr))
WEIR_VALUE_KERNEL(numeric_to_i2, weir_numeric_to_int2(args[0].num[row], &ret->i2[row], &verr))
WEIR_VALUE_KERNEL(numeric_to_i4, weir_numeric_to_int4(args[0].num[row], &ret->i4[row], &verr))
WEIR_VALUE_KERNEL(numeric_to_i8, weir_numeric_to_int8(args[0].num[row], &ret->i8[row], &verr))
WEIR_VALUE_KERNEL(numeric_to_f4,
                  weir_numeric_to_float4(args[0].num[row], eval->arena, &ret->f4[row], &verr))
WEIR_VALUE_KERNEL(numeric_to_f8,
                  weir_numeric_to_float8(args[0].num[row], eval->arena, &ret->f8[row], &verr))
WEIR_VALUE_KERNEL(numeric_fit, weir_numeric_fit(args[0].num[row], eval->typmod, eval->arena,
                                                &ret->num[row], &verr))
