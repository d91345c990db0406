/* decimal_big.h: for decimal*.c only: arithmetic with numbers of any length.
 *
 * A var is a number under construction: digits of base 10 000 in memory of its own, with one spare
 * digit in front for a carry. weir_numeric_var_finish() makes a value of it. */
#ifndef WEIR_CHUNK_DECIMAL_BIG_H
#define WEIR_CHUNK_DECIMAL_BIG_H

#include "chunk/decimal.h"

__extension__ typedef unsigned __int128 weir_uint128;

/* The sum of digits[i] * 10000^(weight - i); scale may be short of the digits until it is rounded. */
struct weir_numeric_var {
    bool negative;
    int32_t weight;
    int32_t digit_count;
    int32_t scale;
    int16_t *digits;
};

/* Room for digit_count digits, all zero, and the spare one; false without memory. */
bool weir_numeric_var_alloc(struct weir_numeric_var *var, int32_t digit_count,
                            struct weir_arena *arena);
/* A copy of a number that is not special; false without memory. */
bool weir_numeric_var_from(struct weir_numeric_var *var, const struct weir_numeric *value,
                           struct weir_arena *arena);
/* Cuts or rounds (half away from zero) to places digits after the point and sets the scale; places
 * may be negative, and the scale is then too. */
void weir_numeric_var_round(struct weir_numeric_var *var, int32_t places, bool is_truncated);
int weir_numeric_var_finish(const struct weir_numeric_var *var, struct weir_arena *arena,
                            struct weir_numeric *ret, struct weir_value_error *verr);

/* A value from up to 128 bits of digits at a scale. */
int weir_numeric_from_uint128(bool negative, weir_uint128 digits, int32_t scale,
                              struct weir_arena *arena, struct weir_numeric *ret,
                              struct weir_value_error *verr);

/* Order of the absolute values. */
int weir_numeric_digits_compare(const struct weir_numeric_digits *a,
                                const struct weir_numeric_digits *b);

/* Operands are not special, divisors not zero. sub adds -b. */
int weir_numeric_big_add(struct weir_numeric a, struct weir_numeric b, bool is_sub,
                         struct weir_arena *arena, struct weir_numeric *ret,
                         struct weir_value_error *verr);
int weir_numeric_big_mul(struct weir_numeric a, struct weir_numeric b, struct weir_arena *arena,
                         struct weir_numeric *ret, struct weir_value_error *verr);
/* The quotient to scale digits after the point, rounded or cut. */
int weir_numeric_big_div(struct weir_numeric a, struct weir_numeric b, int32_t scale,
                         bool is_truncated, struct weir_arena *arena, struct weir_numeric *ret,
                         struct weir_value_error *verr);

#endif
