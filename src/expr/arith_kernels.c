/* arith_kernels.c: + - * / %, rounding and casts of integers and floats, as in PostgreSQL's int.c,
 * int8.c and float.c: every overflow is an error, so is an underflow of floats to zero.
 *
 * Uses     libm for rounding, which is exact.
 * K1, K2   See kernel.h. */
#include "expr/arith_kernels.h"

#include <math.h>

/* The range messages are PostgreSQL's; casts and operators share them. */
#define RANGE_i2 "smallint out of range"
#define RANGE_i4 "integer out of range"
#define RANGE_i8 "bigint out of range"

#define CTYPE_i2 int16_t
#define CTYPE_i4 int32_t
#define CTYPE_i8 int64_t
#define CTYPE_f4 float
#define CTYPE_f8 double

/* ---- integers -------------------------------------------------------------------------------- */

/* a op b by a builtin that tells overflow. */
#define CHECKED(op, builtin, left, right, result)                                                 \
    WEIR_KERNEL(op##_##left##_##right)                                                            \
    {                                                                                             \
        const CTYPE_##left *a = args[0].data;                                                     \
        const CTYPE_##right *b = args[1].data;                                                    \
        CTYPE_##result *out = ret->data;                                                          \
        bool overflow = false;                                                                    \
        int rc = WEIR_OK;                                                                         \
                                                                                                  \
        WEIR_EACH_ROW(row, overflow |= builtin(a[row], b[row], &out[row]));                       \
        for (uint32_t i = 0; overflow && rc == WEIR_OK && i < sel.count; i++) {                   \
            uint32_t row = sel.rows[i];                                                           \
            if (builtin(a[row], b[row], &out[row])) {                                             \
                rc = weir_eval_fail(eval, row, rows, WEIR_SQLSTATE_OUT_OF_RANGE, RANGE_##result); \
            }                                                                                     \
        }                                                                                         \
        return rc;                                                                                \
    }

/* The instruction traps on 0 and on the smallest number by -1, so both are kept away from it. */
#define DIVISION(left, right, result)                                                             \
    WEIR_KERNEL(div_##left##_##right)                                                             \
    {                                                                                             \
        const CTYPE_##left *a = args[0].data;                                                     \
        const CTYPE_##right *b = args[1].data;                                                    \
        CTYPE_##result *out = ret->data;                                                          \
        int rc = WEIR_OK;                                                                         \
                                                                                                  \
        for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {                               \
            uint32_t row = sel.rows[i];                                                           \
            if (b[row] == 0) {                                                                    \
                rc = weir_eval_fail(eval, row, rows, WEIR_SQLSTATE_DIVISION_BY_ZERO,              \
                                    "division by zero");                                          \
            } else if (b[row] != -1) {                                                            \
                out[row] = (CTYPE_##result)(a[row] / b[row]);                                     \
            } else if (__builtin_sub_overflow(0, a[row], &out[row])) {                            \
                rc = weir_eval_fail(eval, row, rows, WEIR_SQLSTATE_OUT_OF_RANGE, RANGE_##result); \
            }                                                                                     \
        }                                                                                         \
        return rc;                                                                                \
    }

#define PAIR(left, right, result)                             \
    CHECKED(add, __builtin_add_overflow, left, right, result) \
    CHECKED(sub, __builtin_sub_overflow, left, right, result) \
    CHECKED(mul, __builtin_mul_overflow, left, right, result) \
    DIVISION(left, right, result)

PAIR(i2, i2, i2)
PAIR(i2, i4, i4)
PAIR(i2, i8, i8)
PAIR(i4, i2, i4)
PAIR(i4, i4, i4)
PAIR(i4, i8, i8)
PAIR(i8, i2, i8)
PAIR(i8, i4, i8)
PAIR(i8, i8, i8)

#define REMAINDER(type)                                                              \
    WEIR_KERNEL(mod_##type)                                                          \
    {                                                                                \
        const CTYPE_##type *a = args[0].data, *b = args[1].data;                     \
        CTYPE_##type *out = ret->data;                                               \
        int rc = WEIR_OK;                                                            \
                                                                                     \
        for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {                  \
            uint32_t row = sel.rows[i];                                              \
            if (b[row] == 0) {                                                       \
                rc = weir_eval_fail(eval, row, rows, WEIR_SQLSTATE_DIVISION_BY_ZERO, \
                                    "division by zero");                             \
            } else {                                                                 \
                out[row] = b[row] == -1 ? 0 : (CTYPE_##type)(a[row] % b[row]);       \
            }                                                                        \
        }                                                                            \
        return rc;                                                                   \
    }

/* -x and |x|, which the smallest number does not have. */
#define ONE_SIDED(name, type, condition)                                                        \
    WEIR_KERNEL(name##_##type)                                                                  \
    {                                                                                           \
        const CTYPE_##type *a = args[0].data;                                                   \
        CTYPE_##type *out = ret->data;                                                          \
        int rc = WEIR_OK;                                                                       \
                                                                                                \
        for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {                             \
            uint32_t row = sel.rows[i];                                                         \
            CTYPE_##type x = a[row];                                                            \
            out[row] = x;                                                                       \
            if ((condition) && __builtin_sub_overflow(0, x, &out[row])) {                       \
                rc = weir_eval_fail(eval, row, rows, WEIR_SQLSTATE_OUT_OF_RANGE, RANGE_##type); \
            }                                                                                   \
        }                                                                                       \
        return rc;                                                                              \
    }

/* An expression in x that cannot fail. */
#define PLAIN(name, from, to, expression)                                                 \
    WEIR_KERNEL(name)                                                                     \
    {                                                                                     \
        const CTYPE_##from *a = args[0].data;                                             \
        CTYPE_##to *out = ret->data;                                                      \
                                                                                          \
        WEIR_EACH_ROW(row, CTYPE_##from x = a[row]; out[row] = (CTYPE_##to)(expression)); \
        return WEIR_OK;                                                                   \
    }

#define INTEGER(type)           \
    REMAINDER(type)             \
    ONE_SIDED(neg, type, true)  \
    ONE_SIDED(abs, type, x < 0) \
    PLAIN(plus_##type, type, type, x)

INTEGER(i2)
INTEGER(i4)
INTEGER(i8)

/* ---- floats ---------------------------------------------------------------------------------- */

/* Operators across float types compute in double precision. */
#define WIDE_f4_f4 float
#define WIDE_f4_f8 double
#define WIDE_f8_f4 double
#define WIDE_f8_f8 double

static int fail_float(struct weir_eval *eval, uint32_t row, uint32_t rows, double result)
{
    return weir_eval_fail(eval, row, rows, WEIR_SQLSTATE_OUT_OF_RANGE, "value out of range: %s",
                          result == 0 ? "underflow" : "overflow");
}

/* x op y; bad is what tells that the result z is none. */
#define FLOAT_OPERATOR(name, op, left, right, bad)                                                 \
    WEIR_KERNEL(name##_##left##_##right)                                                           \
    {                                                                                              \
        const CTYPE_##left *a = args[0].data;                                                      \
        const CTYPE_##right *b = args[1].data;                                                     \
        WIDE_##left##_##right *out = ret->data;                                                    \
        bool any_bad = false;                                                                      \
        int rc = WEIR_OK;                                                                          \
                                                                                                   \
        WEIR_EACH_ROW(row, WIDE_##left##_##right x = a[row], y = b[row], z = x op y; out[row] = z; \
                      any_bad |= (bad));                                                           \
        for (uint32_t i = 0; any_bad && rc == WEIR_OK && i < sel.count; i++) {                     \
            uint32_t row = sel.rows[i];                                                            \
            WIDE_##left##_##right x = a[row], y = b[row], z = out[row];                            \
            if (bad) {                                                                             \
                rc = fail_float(eval, row, rows, (double)z);                                       \
            }                                                                                      \
        }                                                                                          \
        return rc;                                                                                 \
    }

#define FLOAT_DIVISION(left, right)                                                  \
    WEIR_KERNEL(div_##left##_##right)                                                \
    {                                                                                \
        const CTYPE_##left *a = args[0].data;                                        \
        const CTYPE_##right *b = args[1].data;                                       \
        WIDE_##left##_##right *out = ret->data;                                      \
        int rc = WEIR_OK;                                                            \
                                                                                     \
        for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {                  \
            uint32_t row = sel.rows[i];                                              \
            WIDE_##left##_##right x = a[row], y = b[row], z = x / y;                 \
            out[row] = z;                                                            \
            if (y == 0 && !isnan(x)) {                                               \
                rc = weir_eval_fail(eval, row, rows, WEIR_SQLSTATE_DIVISION_BY_ZERO, \
                                    "division by zero");                             \
            } else if ((isinf(z) && !isinf(x)) || (z == 0 && x != 0 && !isinf(y))) { \
                rc = fail_float(eval, row, rows, (double)z);                         \
            }                                                                        \
        }                                                                            \
        return rc;                                                                   \
    }

#define OVERFLOWS(x, y, z) (isinf(z) && !isinf(x) && !isinf(y))
#define FLOAT_PAIR(left, right)                                                             \
    FLOAT_OPERATOR(add, +, left, right, OVERFLOWS(x, y, z))                                 \
    FLOAT_OPERATOR(sub, -, left, right, OVERFLOWS(x, y, z))                                 \
    FLOAT_OPERATOR(mul, *, left, right, OVERFLOWS(x, y, z) || (z == 0 && x != 0 && y != 0)) \
    FLOAT_DIVISION(left, right)

FLOAT_PAIR(f4, f4)
FLOAT_PAIR(f4, f8)
FLOAT_PAIR(f8, f4)
FLOAT_PAIR(f8, f8)

PLAIN(plus_f4, f4, f4, x)
PLAIN(plus_f8, f8, f8, x)
PLAIN(neg_f4, f4, f4, -x)
PLAIN(neg_f8, f8, f8, -x)
PLAIN(abs_f4, f4, f4, fabsf(x))
PLAIN(abs_f8, f8, f8, fabs(x))
PLAIN(round_f8, f8, f8, rint(x))
PLAIN(trunc_f8, f8, f8, trunc(x))
PLAIN(floor_f8, f8, f8, floor(x))
PLAIN(ceil_f8, f8, f8, ceil(x))
PLAIN(sign_f8, f8, f8, (x > 0) - (x < 0))

/* ---- casts ----------------------------------------------------------------------------------- */

PLAIN(i2_to_i4, i2, i4, x)
PLAIN(i2_to_i8, i2, i8, x)
PLAIN(i2_to_f4, i2, f4, x)
PLAIN(i2_to_f8, i2, f8, x)
PLAIN(i4_to_i8, i4, i8, x)
PLAIN(i4_to_f4, i4, f4, x)
PLAIN(i4_to_f8, i4, f8, x)
PLAIN(i8_to_f4, i8, f4, x)
PLAIN(i8_to_f8, i8, f8, x)
PLAIN(f4_to_f8, f4, f8, x)

#define CTYPE_bool uint8_t
PLAIN(bool_to_i4, bool, i4, x)
PLAIN(i4_to_bool, i4, bool, x != 0)

#define SMALLEST_i2 (-0x1p15)
#define SMALLEST_i4 (-0x1p31)
#define SMALLEST_i8 (-0x1p63)

#define NARROWING(from, to)                                                                   \
    WEIR_KERNEL(from##_to_##to)                                                               \
    {                                                                                         \
        const CTYPE_##from *a = args[0].data;                                                 \
        CTYPE_##to *out = ret->data;                                                          \
        int rc = WEIR_OK;                                                                     \
                                                                                              \
        for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {                           \
            uint32_t row = sel.rows[i];                                                       \
            if (__builtin_add_overflow(a[row], 0, &out[row])) {                               \
                rc = weir_eval_fail(eval, row, rows, WEIR_SQLSTATE_OUT_OF_RANGE, RANGE_##to); \
            }                                                                                 \
        }                                                                                     \
        return rc;                                                                            \
    }

/* To the nearest whole number, ties to even; NaN fails both comparisons and so the test. */
#define ROUNDING(from, to)                                                                    \
    WEIR_KERNEL(from##_to_##to)                                                               \
    {                                                                                         \
        const CTYPE_##from *a = args[0].data;                                                 \
        CTYPE_##to *out = ret->data;                                                          \
        int rc = WEIR_OK;                                                                     \
                                                                                              \
        for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {                           \
            uint32_t row = sel.rows[i];                                                       \
            double x = rint((double)a[row]);                                                  \
            if (x >= SMALLEST_##to && x < -SMALLEST_##to) {                                   \
                out[row] = (CTYPE_##to)x;                                                     \
            } else {                                                                          \
                rc = weir_eval_fail(eval, row, rows, WEIR_SQLSTATE_OUT_OF_RANGE, RANGE_##to); \
            }                                                                                 \
        }                                                                                     \
        return rc;                                                                            \
    }

NARROWING(i4, i2)
NARROWING(i8, i2)
NARROWING(i8, i4)
ROUNDING(f4, i2)
ROUNDING(f4, i4)
ROUNDING(f4, i8)
ROUNDING(f8, i2)
ROUNDING(f8, i4)
ROUNDING(f8, i8)

WEIR_KERNEL(f8_to_f4)
{
    const double *a = args[0].f8;
    float *out = ret->f4;
    int rc = WEIR_OK;

    for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        out[row] = (float)a[row];
        if ((isinf(out[row]) && !isinf(a[row])) || (out[row] == 0 && a[row] != 0)) {
            rc = fail_float(eval, row, rows, (double)out[row]);
        }
    }
    return rc;
}
