/* decimal_big.c: school arithmetic with digits of base 10 000.
 *
 * That base is PostgreSQL's own, so limits and rounding fall where they fall there, and COPY sends
 * the digits as they are. Numbers of more than 19 digits are rare: this is the slow path.
 * N1 and N2 of decimal.h are established by weir_numeric_from_digits() alone. */
#include "chunk/decimal_big.h"

#include <string.h>

#include "base/assert.h"

enum { BASE = WEIR_NUMERIC_BASE, SMALL_DIGITS_MAX = 6 };

static const int32_t powers[WEIR_NUMERIC_BASE_DIGITS] = { 1, 10, 100, 1000 };

bool weir_numeric_var_alloc(struct weir_numeric_var *var, int32_t digit_count,
                            struct weir_arena *arena)
{
    int16_t *digits = weir_arena_calloc(arena, (size_t)digit_count + 1, sizeof(*digits));

    if (digits == NULL) {
        return false;
    }
    *var = (struct weir_numeric_var){ .digit_count = digit_count, .digits = digits + 1 };
    return true;
}

bool weir_numeric_var_from(struct weir_numeric_var *var, const struct weir_numeric *value,
                           struct weir_arena *arena)
{
    struct weir_numeric_digits d;

    weir_numeric_to_digits(value, &d);
    if (!weir_numeric_var_alloc(var, d.digit_count, arena)) {
        return false;
    }
    memcpy(var->digits, d.digits, d.digit_count * sizeof(*d.digits));
    var->negative = d.sign == WEIR_NUMERIC_SIGN_NEGATIVE;
    var->weight = d.weight;
    var->scale = d.scale;
    return true;
}

/* Adds one at the last digit, into the spare digit if need be. */
static void var_increment(struct weir_numeric_var *var)
{
    int32_t i = var->digit_count - 1;

    while (i >= 0 && var->digits[i] == BASE - 1) {
        var->digits[i--] = 0;
    }
    if (i >= 0) {
        var->digits[i]++;
        return;
    }
    var->digits--;
    var->digits[0] = 1;
    var->digit_count++;
    var->weight++;
}

void weir_numeric_var_round(struct weir_numeric_var *var, int32_t places, bool is_truncated)
{
    /* Decimal digits that stay, and how many digits of the base they touch. */
    int64_t keep = ((int64_t)var->weight + 1) * WEIR_NUMERIC_BASE_DIGITS + places;
    int64_t touched = (keep + WEIR_NUMERIC_BASE_DIGITS - 1) / WEIR_NUMERIC_BASE_DIGITS;
    int32_t part = (int32_t)(keep % WEIR_NUMERIC_BASE_DIGITS);
    bool carry;

    var->scale = places;
    if (keep < 0 || var->digit_count == 0) {
        var->digit_count = 0;
        return;
    }
    if (touched > var->digit_count || (touched == var->digit_count && part == 0)) {
        return; /* nothing is lost */
    }
    if (part == 0) {
        carry = var->digits[touched] >= BASE / 2;
        var->digit_count = (int32_t)touched;
    } else {
        int32_t unit = powers[WEIR_NUMERIC_BASE_DIGITS - part];
        int16_t *last = &var->digits[touched - 1];
        int32_t lost = *last % unit;

        var->digit_count = (int32_t)touched;
        *last = (int16_t)(*last - lost);
        carry = false;
        if (!is_truncated && lost >= unit / 2) {
            *last = (int16_t)(*last + unit);
            if (*last >= BASE) {
                *last = (int16_t)(*last - BASE);
                var->digit_count--;
                var_increment(var);
                return; /* the digit left out is 0 */
            }
        }
    }
    if (carry && !is_truncated) {
        var_increment(var);
    }
}

int weir_numeric_var_finish(const struct weir_numeric_var *var, struct weir_arena *arena,
                            struct weir_numeric *ret, struct weir_value_error *verr)
{
    return weir_numeric_from_digits(var->negative, var->weight, var->digits, var->digit_count,
                                    var->scale < 0 ? 0 : var->scale, arena, ret, verr);
}

/* The value as SMALL, if its digits at its scale fit 64 bits. Digits have no zeros at the ends. */
static bool make_small(bool negative, int32_t weight, const int16_t *digits, int32_t digit_count,
                       int32_t scale, struct weir_numeric *ret)
{
    uint64_t max = (uint64_t)INT64_MAX + negative;
    weir_uint128 value = 0;
    /* The last digit counts 10^shift units of the scale. */
    int32_t shift = (weight - digit_count + 1) * WEIR_NUMERIC_BASE_DIGITS + scale;

    if (digit_count > SMALL_DIGITS_MAX || shift > 18) {
        return false;
    }
    for (int32_t i = 0; i < digit_count; i++) {
        value = value * BASE + (weir_uint128)digits[i];
    }
    for (; shift > 0 && value <= max; shift--) {
        value *= 10;
    }
    for (; shift < 0; shift++) {
        value /= 10;
    }
    if (value > max) {
        return false;
    }
    *ret = weir_numeric_small((int64_t)(negative ? -(uint64_t)value : (uint64_t)value),
                              (uint16_t)scale);
    return true;
}

int weir_numeric_from_digits(bool negative, int32_t weight, const int16_t *digits,
                             int32_t digit_count, int32_t scale, struct weir_arena *arena,
                             struct weir_numeric *ret, struct weir_value_error *verr)
{
    struct weir_numeric_big *big;

    while (digit_count > 0 && digits[0] == 0) {
        digits++;
        digit_count--;
        weight--;
    }
    while (digit_count > 0 && digits[digit_count - 1] == 0) {
        digit_count--;
    }
    if ((digit_count > 0 && weight > WEIR_NUMERIC_WEIGHT_MAX) || scale > WEIR_NUMERIC_SCALE_MAX) {
        return weir_value_error_set(verr, "22003", "value overflows numeric format");
    }
    if (digit_count == 0) {
        *ret = weir_numeric_small(0, (uint16_t)scale);
        return WEIR_OK;
    }
    if (make_small(negative, weight, digits, digit_count, scale, ret)) {
        return WEIR_OK;
    }
    big = weir_arena_alloc(arena, sizeof(*big) + (size_t)digit_count * sizeof(*digits));
    if (big == NULL) {
        return weir_value_error_memory(verr);
    }
    *big = (struct weir_numeric_big){ .digit_count = digit_count,
                                      .weight = weight,
                                      .negative = negative };
    memcpy(big->digits, digits, (size_t)digit_count * sizeof(*digits));
    *ret = (struct weir_numeric){ .big = big, .scale = (uint16_t)scale, .kind = WEIR_NUMERIC_BIG };
    return WEIR_OK;
}

int weir_numeric_from_uint128(bool negative, weir_uint128 value, int32_t scale,
                              struct weir_arena *arena, struct weir_numeric *ret,
                              struct weir_value_error *verr)
{
    enum { COUNT = 11 }; /* 39 decimal digits, moved by at most 3 */
    int16_t digits[COUNT];
    int32_t fraction = (scale + WEIR_NUMERIC_BASE_DIGITS - 1) / WEIR_NUMERIC_BASE_DIGITS;
    int32_t pad = fraction * WEIR_NUMERIC_BASE_DIGITS - scale;
    /* The lowest digit has only 4 - pad decimals of the value. */
    int32_t low_unit = powers[(WEIR_NUMERIC_BASE_DIGITS - pad) % WEIR_NUMERIC_BASE_DIGITS];

    low_unit = pad == 0 ? BASE : low_unit;
    digits[COUNT - 1] = (int16_t)((int32_t)(value % (weir_uint128)low_unit) * powers[pad]);
    value /= (weir_uint128)low_unit;
    for (int32_t i = COUNT - 2; i >= 0; i--) {
        digits[i] = (int16_t)(value % BASE);
        value /= BASE;
    }
    return weir_numeric_from_digits(negative, COUNT - 1 - fraction, digits, COUNT, scale, arena,
                                    ret, verr);
}

int weir_numeric_digits_compare(const struct weir_numeric_digits *a,
                                const struct weir_numeric_digits *b)
{
    uint32_t common = a->digit_count < b->digit_count ? a->digit_count : b->digit_count;

    if (a->digit_count == 0 || b->digit_count == 0) {
        return (a->digit_count != 0) - (b->digit_count != 0);
    }
    if (a->weight != b->weight) {
        return a->weight < b->weight ? -1 : 1;
    }
    for (uint32_t i = 0; i < common; i++) {
        if (a->digits[i] != b->digits[i]) {
            return a->digits[i] < b->digits[i] ? -1 : 1;
        }
    }
    return (a->digit_count > b->digit_count) - (a->digit_count < b->digit_count);
}

/* The digit that counts 10000^power, 0 where there is none. */
static int32_t digit_at(const struct weir_numeric_digits *d, int32_t power)
{
    int32_t i = d->weight - power;

    return i >= 0 && i < d->digit_count ? d->digits[i] : 0;
}

int weir_numeric_big_add(struct weir_numeric a, struct weir_numeric b, bool is_sub,
                         struct weir_arena *arena, struct weir_numeric *ret,
                         struct weir_value_error *verr)
{
    struct weir_numeric_digits x, y;
    struct weir_numeric_var sum;

    weir_numeric_to_digits(&a, &x);
    weir_numeric_to_digits(&b, &y);
    bool x_negative = x.sign == WEIR_NUMERIC_SIGN_NEGATIVE;
    bool y_negative = (y.sign == WEIR_NUMERIC_SIGN_NEGATIVE) != is_sub;
    bool is_smaller = weir_numeric_digits_compare(&x, &y) < 0;
    const struct weir_numeric_digits *large = is_smaller ? &y : &x;
    const struct weir_numeric_digits *other = is_smaller ? &x : &y;
    int32_t sign = x_negative == y_negative ? 1 : -1; /* how the smaller one counts */
    int32_t top = x.weight > y.weight ? x.weight : y.weight;
    int32_t x_low = x.weight - x.digit_count + 1, y_low = y.weight - y.digit_count + 1;
    int32_t low = x_low < y_low ? x_low : y_low;
    int32_t carry = 0;

    if (!weir_numeric_var_alloc(&sum, top - low + 2, arena)) {
        return weir_value_error_memory(verr);
    }
    for (int32_t i = sum.digit_count - 1, power = low; i >= 0; i--, power++) {
        int32_t digit = digit_at(large, power) + sign * digit_at(other, power) + carry;
        carry = digit >= BASE ? 1 : digit < 0 ? -1 : 0;
        sum.digits[i] = (int16_t)(digit - carry * BASE);
    }
    weir_assert(carry == 0); /* the larger number comes first, and one more digit was made */
    sum.weight = top + 1;
    sum.scale = a.scale > b.scale ? a.scale : b.scale;
    sum.negative = is_smaller ? y_negative : x_negative;
    return weir_numeric_var_finish(&sum, arena, ret, verr);
}

int weir_numeric_big_mul(struct weir_numeric a, struct weir_numeric b, struct weir_arena *arena,
                         struct weir_numeric *ret, struct weir_value_error *verr)
{
    struct weir_numeric_digits x, y;
    struct weir_numeric_var product;

    weir_numeric_to_digits(&a, &x);
    weir_numeric_to_digits(&b, &y);
    if (!weir_numeric_var_alloc(&product, x.digit_count + y.digit_count, arena)) {
        return weir_value_error_memory(verr);
    }
    for (int32_t i = x.digit_count - 1; i >= 0; i--) {
        int32_t carry = 0;
        for (int32_t j = y.digit_count - 1; j >= 0; j--) {
            int32_t sum = product.digits[i + j + 1] + carry + x.digits[i] * y.digits[j];
            product.digits[i + j + 1] = (int16_t)(sum % BASE);
            carry = sum / BASE;
        }
        product.digits[i] = (int16_t)carry;
    }
    product.weight = x.weight + y.weight + 1;
    product.scale = a.scale + b.scale;
    product.negative = x.sign != y.sign;
    if (product.scale > WEIR_NUMERIC_SCALE_MAX) {
        weir_numeric_var_round(&product, WEIR_NUMERIC_SCALE_MAX, false);
    }
    return weir_numeric_var_finish(&product, arena, ret, verr);
}

/* rest (count + 1 digits) minus factor times divisor. Returns the new first digit, which is below
 * zero when the result is. */
static int32_t subtract_multiple(int32_t *rest, const int32_t *divisor, int32_t count,
                                 int32_t factor)
{
    int32_t borrow = 0;

    for (int32_t i = count; i > 0; i--) {
        int32_t digit = rest[i] - factor * divisor[i - 1] - borrow;
        borrow = 0;
        if (digit < 0) {
            borrow = (-digit + BASE - 1) / BASE;
            digit += borrow * BASE;
        }
        rest[i] = digit;
    }
    rest[0] -= borrow;
    return rest[0];
}

/* rest plus divisor. */
static void add_back(int32_t *rest, const int32_t *divisor, int32_t count)
{
    int32_t carry = 0;

    for (int32_t i = count; i > 0; i--) {
        int32_t digit = rest[i] + divisor[i - 1] + carry;
        carry = digit >= BASE;
        rest[i] = digit - carry * BASE;
    }
    rest[0] += carry;
}

/* Long division as by hand: the first two digits of the rest over the first of the divisor (made
 * at least half the base first) guess each digit of the quotient at most two too high (Knuth,
 * The Art of Computer Programming, volume 2, 4.3.1, algorithm D). dividend has quotient_count +
 * divisor_count digits and is used up. */
static void divide(int32_t *dividend, int32_t *divisor, int32_t divisor_count, int16_t *quotient,
                   int32_t quotient_count)
{
    int32_t scale_up = BASE / (divisor[0] + 1);
    int32_t dividend_count = quotient_count + divisor_count;
    int32_t carry = 0;

    for (int32_t i = divisor_count - 1; i >= 0; i--) {
        int32_t digit = divisor[i] * scale_up + carry;
        divisor[i] = digit % BASE;
        carry = digit / BASE;
    }
    carry = 0;
    for (int32_t i = dividend_count - 1; i >= 0; i--) {
        int32_t digit = dividend[i] * scale_up + carry;
        dividend[i] = digit % BASE;
        carry = digit / BASE;
    }
    weir_assert(carry == 0); /* the caller put a zero digit in front */
    for (int32_t q = 0; q < quotient_count; q++) {
        int32_t *rest = dividend + q;
        int32_t guess = (rest[0] * BASE + rest[1]) / divisor[0];

        guess = guess < BASE ? guess : BASE - 1;
        if (guess != 0 && subtract_multiple(rest, divisor, divisor_count, guess) < 0) {
            do {
                guess--;
                add_back(rest, divisor, divisor_count);
            } while (rest[0] < 0);
        }
        quotient[q] = (int16_t)guess;
    }
}

int weir_numeric_big_div(struct weir_numeric a, struct weir_numeric b, int32_t scale,
                         bool is_truncated, struct weir_arena *arena, struct weir_numeric *ret,
                         struct weir_value_error *verr)
{
    struct weir_numeric_digits x, y;
    struct weir_numeric_var quotient;

    weir_numeric_to_digits(&a, &x);
    weir_numeric_to_digits(&b, &y);
    /* One digit more than asked for decides how to round; one in front catches a carry. */
    int32_t top = x.weight - y.weight;
    int32_t wanted =
        top + 1 + (scale + WEIR_NUMERIC_BASE_DIGITS - 1) / WEIR_NUMERIC_BASE_DIGITS + 1;
    int32_t count = wanted < 1 ? 1 : wanted;
    int32_t *dividend, *divisor;

    if (x.digit_count == 0 || wanted < 0) {
        *ret = weir_numeric_small(0, (uint16_t)scale);
        return WEIR_OK;
    }
    dividend = weir_arena_calloc(arena, (size_t)(count + y.digit_count) + 1, sizeof(*dividend));
    divisor = weir_arena_calloc(arena, y.digit_count, sizeof(*divisor));
    if (dividend == NULL || divisor == NULL || !weir_numeric_var_alloc(&quotient, count, arena)) {
        return weir_value_error_memory(verr);
    }
    for (int32_t i = 0; i < x.digit_count && i + 1 < count + y.digit_count; i++) {
        dividend[i + 1] = x.digits[i];
    }
    for (int32_t i = 0; i < y.digit_count; i++) {
        divisor[i] = y.digits[i];
    }
    divide(dividend, divisor, y.digit_count, quotient.digits, count);
    quotient.weight = top;
    quotient.negative = x.sign != y.sign;
    weir_numeric_var_round(&quotient, scale, is_truncated);
    return weir_numeric_var_finish(&quotient, arena, ret, verr);
}
