/* decimal.h: PostgreSQL's numeric: exact decimal numbers with a display scale.
 *
 * A number is SMALL (type.h) whenever its digits at its scale fit 64 bits, and then its arithmetic
 * needs no memory; others are BIG, in digits of base 10 000 as PostgreSQL stores and sends them.
 * decimal.c decides and has the fast paths, decimal_big.c computes with long numbers,
 * decimal_text.c reads and prints, decimal_convert.c knows the other number types.
 *
 * Results (values and scales), limits (131 072 digits before the point, 16 383 behind it) and
 * errors are PostgreSQL 15's. Functions return WEIR_OK, WEIR_EDATA or WEIR_ENOMEM (value_error.h).
 *
 * N1  A BIG number never has a value and scale that SMALL could hold.
 * N2  Its first and last digit are not 0, and 4 * (digits behind the point) covers its scale. */
#ifndef WEIR_CHUNK_DECIMAL_H
#define WEIR_CHUNK_DECIMAL_H

#include "base/arena.h"
#include "base/str.h"
#include "chunk/type.h"
#include "chunk/value_error.h"

enum {
    WEIR_NUMERIC_BASE = 10000,
    WEIR_NUMERIC_BASE_DIGITS = 4,   /* decimal digits in one digit of that base */
    WEIR_NUMERIC_SCALE_MAX = 16383, /* digits after the point */
    WEIR_NUMERIC_WEIGHT_MAX = 32767,
};

/* A long number: the sum of digits[i] * 10000^(weight - i). Never changed once made. */
struct weir_numeric_big {
    int32_t digit_count;
    int32_t weight;
    bool negative;
    int16_t digits[];
};

/* A number as PostgreSQL sends it. digits points to local or into the number. */
struct weir_numeric_digits {
    uint16_t digit_count;
    int16_t weight;
    uint16_t sign; /* WEIR_NUMERIC_SIGN_ */
    uint16_t scale;
    const int16_t *digits;
    int16_t local[8];
};
enum {
    WEIR_NUMERIC_SIGN_POSITIVE = 0x0000,
    WEIR_NUMERIC_SIGN_NEGATIVE = 0x4000,
    WEIR_NUMERIC_SIGN_NAN = 0xc000,
    WEIR_NUMERIC_SIGN_PINF = 0xd000,
    WEIR_NUMERIC_SIGN_NINF = 0xf000,
};

static inline struct weir_numeric weir_numeric_small(int64_t digits, uint16_t scale)
{
    return (struct weir_numeric){ .small = digits, .scale = scale, .kind = WEIR_NUMERIC_SMALL };
}

static inline struct weir_numeric weir_numeric_special(enum weir_numeric_kind kind)
{
    return (struct weir_numeric){ .kind = (uint8_t)kind };
}

/* Text, "123.4500", "1e-5", "NaN", "-Infinity". */
int weir_numeric_parse(struct weir_str text, int32_t typmod, struct weir_arena *arena,
                       struct weir_numeric *ret, struct weir_value_error *verr);
int weir_numeric_print(struct weir_numeric value, struct weir_arena *arena, struct weir_str *ret);
/* Enough for weir_numeric_print_small(), which prints a number that is not BIG. */
enum { WEIR_NUMERIC_TEXT_BYTES = 16512 };
size_t weir_numeric_print_small(struct weir_numeric value, char *ret);

/* Rounds to numeric(p,s); 22003 when there are too many digits before the point. */
int weir_numeric_fit(struct weir_numeric value, int32_t typmod, struct weir_arena *arena,
                     struct weir_numeric *ret, struct weir_value_error *verr);

/* PostgreSQL's order: -Infinity, numbers, Infinity, NaN; equal numbers of different scale are
 * equal. The hash is the same for equal numbers. */
int weir_numeric_compare(struct weir_numeric a, struct weir_numeric b);
uint64_t weir_numeric_hash(struct weir_numeric value);
/* -1, 0 or 1; NaN counts as 1. */
int weir_numeric_sign(struct weir_numeric value);

typedef int weir_numeric_binary_fn(struct weir_numeric a, struct weir_numeric b,
                                   struct weir_arena *arena, struct weir_numeric *ret,
                                   struct weir_value_error *verr);
weir_numeric_binary_fn weir_numeric_add;
weir_numeric_binary_fn weir_numeric_sub;
weir_numeric_binary_fn weir_numeric_mul;
weir_numeric_binary_fn weir_numeric_div;
weir_numeric_binary_fn weir_numeric_mod;

typedef int weir_numeric_unary_fn(struct weir_numeric value, struct weir_arena *arena,
                                  struct weir_numeric *ret, struct weir_value_error *verr);
weir_numeric_unary_fn weir_numeric_neg;
weir_numeric_unary_fn weir_numeric_abs;
weir_numeric_unary_fn weir_numeric_floor;
weir_numeric_unary_fn weir_numeric_ceil;

/* round(value, places) half away from zero, trunc(value, places); places may be negative. */
int weir_numeric_round(struct weir_numeric value, int32_t places, struct weir_arena *arena,
                       struct weir_numeric *ret, struct weir_value_error *verr);
int weir_numeric_trunc(struct weir_numeric value, int32_t places, struct weir_arena *arena,
                       struct weir_numeric *ret, struct weir_value_error *verr);

/* Casts. From integers: weir_numeric_small(value, 0). From floats: the 15 (6) significant digits. */
int weir_numeric_from_float8(double value, struct weir_arena *arena, struct weir_numeric *ret,
                             struct weir_value_error *verr);
int weir_numeric_from_float4(float value, struct weir_arena *arena, struct weir_numeric *ret,
                             struct weir_value_error *verr);
int weir_numeric_to_int2(struct weir_numeric value, int16_t *ret, struct weir_value_error *verr);
int weir_numeric_to_int4(struct weir_numeric value, int32_t *ret, struct weir_value_error *verr);
int weir_numeric_to_int8(struct weir_numeric value, int64_t *ret, struct weir_value_error *verr);
int weir_numeric_to_float4(struct weir_numeric value, struct weir_arena *arena, float *ret,
                           struct weir_value_error *verr);
int weir_numeric_to_float8(struct weir_numeric value, struct weir_arena *arena, double *ret,
                           struct weir_value_error *verr);

/* The digits as PostgreSQL's binary form wants them, without zeros at either end. */
void weir_numeric_to_digits(const struct weir_numeric *value, struct weir_numeric_digits *ret);

/* A number from digits of base 10 000 (any zeros at the ends are dropped), in arena. scale must
 * cover the digits. 22003 when weight or scale are beyond PostgreSQL's limits. */
int weir_numeric_from_digits(bool negative, int32_t weight, const int16_t *digits,
                             int32_t digit_count, int32_t scale, struct weir_arena *arena,
                             struct weir_numeric *ret, struct weir_value_error *verr);

#endif
