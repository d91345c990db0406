/* decimal.c: numeric's comparison, arithmetic and rounding.
 *
 * Each operation first tries 64 or 128 bit integers, which serves nearly all numbers that people
 * store; what does not fit goes to decimal_big.c. Both give the same values and scales: checked by
 * tests/unit/chunk/test_decimal.c against PostgreSQL. */
#include "chunk/decimal.h"

#include "base/assert.h"
#include "base/hash.h"
#include "chunk/decimal_big.h"

__extension__ typedef __int128 int128;

enum {
    POWER_MAX = 18, /* 10^18 is the largest power of ten in 64 bits, signed */
    /* Of a quotient, see select_div_scale in PostgreSQL's documentation of numeric: */
    DIV_DIGITS_MIN = 16,
    DISPLAY_SCALE_MAX = 1000,
    /* No number has a digit further to the left. */
    ROUND_PLACES_MIN = -(WEIR_NUMERIC_WEIGHT_MAX + 1) * WEIR_NUMERIC_BASE_DIGITS - 1,
    TYPMOD_OFFSET = 4,
    SCALE_OF_INFINITY = 0x20, /* a bit of PostgreSQL's storage that it sends along */
};

static const int64_t powers[POWER_MAX + 1] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
};

static bool is_special(struct weir_numeric value)
{
    return value.kind >= WEIR_NUMERIC_NAN;
}

static bool is_small(struct weir_numeric value)
{
    return value.kind == WEIR_NUMERIC_SMALL;
}

static uint64_t magnitude(int64_t value)
{
    return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

int weir_numeric_sign(struct weir_numeric value)
{
    switch (value.kind) {
    case WEIR_NUMERIC_SMALL:
        return (value.small > 0) - (value.small < 0);
    case WEIR_NUMERIC_BIG:
        return value.big->negative ? -1 : 1;
    case WEIR_NUMERIC_NINF:
        return -1;
    default:
        return 1;
    }
}

void weir_numeric_to_digits(const struct weir_numeric *value, struct weir_numeric_digits *ret)
{
    static const uint32_t pads[WEIR_NUMERIC_BASE_DIGITS] = { 1, 1000, 100, 10 };
    enum { LOCAL = sizeof(ret->local) / sizeof(ret->local[0]) };

    ret->digit_count = 0;
    ret->weight = 0;
    ret->scale = value->scale;
    ret->digits = ret->local;
    switch (value->kind) {
    case WEIR_NUMERIC_BIG:
        ret->digit_count = (uint16_t)value->big->digit_count;
        ret->weight = (int16_t)value->big->weight;
        ret->sign = value->big->negative ? WEIR_NUMERIC_SIGN_NEGATIVE : WEIR_NUMERIC_SIGN_POSITIVE;
        ret->digits = value->big->digits;
        return;
    case WEIR_NUMERIC_SMALL:
        break;
    default:
        ret->scale = value->kind == WEIR_NUMERIC_NAN ? 0 : SCALE_OF_INFINITY;
        ret->sign = value->kind == WEIR_NUMERIC_NAN    ? WEIR_NUMERIC_SIGN_NAN
                    : value->kind == WEIR_NUMERIC_PINF ? WEIR_NUMERIC_SIGN_PINF
                                                       : WEIR_NUMERIC_SIGN_NINF;
        return;
    }
    uint64_t rest = magnitude(value->small);
    uint32_t fraction = ((uint32_t)value->scale + 3) / WEIR_NUMERIC_BASE_DIGITS;
    int at = LOCAL, end = LOCAL;

    ret->sign = value->small < 0 ? WEIR_NUMERIC_SIGN_NEGATIVE : WEIR_NUMERIC_SIGN_POSITIVE;
    if (rest == 0) {
        return;
    }
    if (value->scale % WEIR_NUMERIC_BASE_DIGITS != 0) {
        /* The lowest digit holds only scale % 4 decimals of the value. */
        uint32_t pad = pads[value->scale % WEIR_NUMERIC_BASE_DIGITS];
        uint32_t unit = WEIR_NUMERIC_BASE / pad;
        ret->local[--at] = (int16_t)(rest % unit * pad);
        rest /= unit;
    }
    for (; rest != 0; rest /= WEIR_NUMERIC_BASE) {
        ret->local[--at] = (int16_t)(rest % WEIR_NUMERIC_BASE);
    }
    ret->weight = (int16_t)(LOCAL - at - 1 - (int)fraction);
    while (ret->local[end - 1] == 0) {
        end--;
    }
    ret->digits = ret->local + at;
    ret->digit_count = (uint16_t)(end - at);
}

/* Where a special value stands in the order of all; 0 for numbers. */
static int special_rank(struct weir_numeric value)
{
    switch (value.kind) {
    case WEIR_NUMERIC_NAN:
        return 2;
    case WEIR_NUMERIC_PINF:
        return 1;
    case WEIR_NUMERIC_NINF:
        return -1;
    default:
        return 0;
    }
}

int weir_numeric_compare(struct weir_numeric a, struct weir_numeric b)
{
    if (is_small(a) && is_small(b)) {
        if (a.scale == b.scale) {
            return (a.small > b.small) - (a.small < b.small);
        }
        if (a.scale <= POWER_MAX && b.scale <= POWER_MAX) {
            int128 x = a.small, y = b.small;
            x *= a.scale < b.scale ? powers[b.scale - a.scale] : 1;
            y *= b.scale < a.scale ? powers[a.scale - b.scale] : 1;
            return (x > y) - (x < y);
        }
    }
    if (is_special(a) || is_special(b)) {
        int x = special_rank(a), y = special_rank(b);
        return (x > y) - (x < y);
    }
    int sign = weir_numeric_sign(a);
    if (sign != weir_numeric_sign(b)) {
        return sign < weir_numeric_sign(b) ? -1 : 1;
    }
    struct weir_numeric_digits x, y;
    weir_numeric_to_digits(&a, &x);
    weir_numeric_to_digits(&b, &y);
    return sign * weir_numeric_digits_compare(&x, &y);
}

uint64_t weir_numeric_hash(struct weir_numeric value)
{
    struct weir_numeric_digits d;
    uint64_t hash;

    weir_numeric_to_digits(&value, &d);
    hash = weir_hash64(d.digits, d.digit_count * sizeof(*d.digits));
    return hash ^ ((uint64_t)(uint16_t)d.weight << 16 | d.sign);
}

/* Infinity and NaN in a + b. */
static struct weir_numeric special_add(struct weir_numeric a, struct weir_numeric b)
{
    if (a.kind == WEIR_NUMERIC_NAN || b.kind == WEIR_NUMERIC_NAN ||
        (is_special(a) && is_special(b) && a.kind != b.kind)) {
        return weir_numeric_special(WEIR_NUMERIC_NAN);
    }
    return is_special(a) ? a : b;
}

static struct weir_numeric special_neg(struct weir_numeric value)
{
    switch (value.kind) {
    case WEIR_NUMERIC_PINF:
        return weir_numeric_special(WEIR_NUMERIC_NINF);
    case WEIR_NUMERIC_NINF:
        return weir_numeric_special(WEIR_NUMERIC_PINF);
    default:
        return value;
    }
}

/* a or b at the larger of both scales; false when that takes more than 64 bits. */
static bool align(struct weir_numeric *a, struct weir_numeric *b)
{
    struct weir_numeric *lower = a->scale < b->scale ? a : b;
    struct weir_numeric *other = lower == a ? b : a;
    int32_t steps = other->scale - lower->scale;

    if (steps > POWER_MAX || __builtin_mul_overflow(lower->small, powers[steps], &lower->small)) {
        return false;
    }
    lower->scale = other->scale;
    return true;
}

int weir_numeric_add(struct weir_numeric a, struct weir_numeric b, struct weir_arena *arena,
                     struct weir_numeric *ret, struct weir_value_error *verr)
{
    struct weir_numeric x = a, y = b;
    int64_t sum;

    if (is_small(a) && is_small(b) && align(&x, &y) &&
        !__builtin_add_overflow(x.small, y.small, &sum)) {
        *ret = weir_numeric_small(sum, x.scale);
        return WEIR_OK;
    }
    if (is_special(a) || is_special(b)) {
        *ret = special_add(a, b);
        return WEIR_OK;
    }
    return weir_numeric_big_add(a, b, false, arena, ret, verr);
}

int weir_numeric_sub(struct weir_numeric a, struct weir_numeric b, struct weir_arena *arena,
                     struct weir_numeric *ret, struct weir_value_error *verr)
{
    struct weir_numeric x = a, y = b;
    int64_t difference;

    if (is_small(a) && is_small(b) && align(&x, &y) &&
        !__builtin_sub_overflow(x.small, y.small, &difference)) {
        *ret = weir_numeric_small(difference, x.scale);
        return WEIR_OK;
    }
    if (is_special(a) || is_special(b)) {
        *ret = special_add(a, special_neg(b));
        return WEIR_OK;
    }
    return weir_numeric_big_add(a, b, true, arena, ret, verr);
}

/* Infinity and NaN in a * b. */
static struct weir_numeric special_mul(struct weir_numeric a, struct weir_numeric b)
{
    int sign = weir_numeric_sign(a) * weir_numeric_sign(b);

    if (a.kind == WEIR_NUMERIC_NAN || b.kind == WEIR_NUMERIC_NAN || sign == 0) {
        return weir_numeric_special(WEIR_NUMERIC_NAN);
    }
    return weir_numeric_special(sign > 0 ? WEIR_NUMERIC_PINF : WEIR_NUMERIC_NINF);
}

int weir_numeric_mul(struct weir_numeric a, struct weir_numeric b, struct weir_arena *arena,
                     struct weir_numeric *ret, struct weir_value_error *verr)
{
    if (is_small(a) && is_small(b) && a.scale + b.scale <= WEIR_NUMERIC_SCALE_MAX) {
        int64_t product;
        if (!__builtin_mul_overflow(a.small, b.small, &product)) {
            *ret = weir_numeric_small(product, (uint16_t)(a.scale + b.scale));
            return WEIR_OK;
        }
        return weir_numeric_from_uint128((a.small < 0) != (b.small < 0),
                                         (weir_uint128)magnitude(a.small) * magnitude(b.small),
                                         a.scale + b.scale, arena, ret, verr);
    }
    if (is_special(a) || is_special(b)) {
        *ret = special_mul(a, b);
        return WEIR_OK;
    }
    return weir_numeric_big_mul(a, b, arena, ret, verr);
}

/* Infinity, NaN and zero divisors in a / b. *ret_done tells whether that is all. */
static int special_div(struct weir_numeric a, struct weir_numeric b, struct weir_numeric *ret,
                       bool *ret_done, struct weir_value_error *verr)
{
    *ret_done = true;
    if (a.kind == WEIR_NUMERIC_NAN || b.kind == WEIR_NUMERIC_NAN) {
        *ret = weir_numeric_special(WEIR_NUMERIC_NAN);
    } else if (weir_numeric_sign(b) == 0) {
        return weir_value_error_set(verr, "22012", "division by zero");
    } else if (is_special(a)) {
        *ret = is_special(b) ? weir_numeric_special(WEIR_NUMERIC_NAN) : special_mul(a, b);
    } else if (is_special(b)) {
        *ret = weir_numeric_small(0, 0);
    } else {
        *ret_done = false;
    }
    return WEIR_OK;
}

/* The scale of a quotient: as many digits as give 16 significant ones, estimated from the first
 * digits of base 10 000, and never fewer than the operands show. */
static int32_t div_scale(struct weir_numeric a, struct weir_numeric b)
{
    struct weir_numeric_digits x, y;
    int32_t weight, scale;

    weir_numeric_to_digits(&a, &x);
    weir_numeric_to_digits(&b, &y);
    weight = x.weight - y.weight;
    weight -= (x.digit_count == 0 ? 0 : x.digits[0]) <= y.digits[0];
    scale = DIV_DIGITS_MIN - weight * WEIR_NUMERIC_BASE_DIGITS;
    scale = scale < a.scale ? a.scale : scale;
    scale = scale < b.scale ? b.scale : scale;
    scale = scale < 0 ? 0 : scale;
    return scale > DISPLAY_SCALE_MAX ? DISPLAY_SCALE_MAX : scale;
}

/* a / b to scale digits with 128 bits; false when they do not do. */
static bool small_div(struct weir_numeric a, struct weir_numeric b, int32_t scale,
                      weir_uint128 *ret)
{
    int32_t steps = scale + b.scale - a.scale;
    weir_uint128 dividend = magnitude(a.small);
    uint64_t divisor = magnitude(b.small);

    if (steps < 0) {
        return false;
    }
    for (; steps > 0; steps -= POWER_MAX) {
        uint64_t power = (uint64_t)powers[steps < POWER_MAX ? steps : POWER_MAX];
        if (__builtin_mul_overflow(dividend, (weir_uint128)power, &dividend)) {
            return false;
        }
    }
    weir_uint128 quotient = dividend / divisor;
    uint64_t rest = (uint64_t)(dividend - quotient * divisor);
    *ret = quotient + (rest >= divisor - rest); /* half away from zero */
    return true;
}

int weir_numeric_div(struct weir_numeric a, struct weir_numeric b, struct weir_arena *arena,
                     struct weir_numeric *ret, struct weir_value_error *verr)
{
    weir_uint128 quotient;
    int32_t scale;
    bool done;
    int rc = special_div(a, b, ret, &done, verr);

    if (rc != WEIR_OK || done) {
        return rc;
    }
    scale = div_scale(a, b);
    if (is_small(a) && is_small(b) && small_div(a, b, scale, &quotient)) {
        return weir_numeric_from_uint128((a.small < 0) != (b.small < 0), quotient, scale, arena,
                                         ret, verr);
    }
    return weir_numeric_big_div(a, b, scale, false, arena, ret, verr);
}

int weir_numeric_mod(struct weir_numeric a, struct weir_numeric b, struct weir_arena *arena,
                     struct weir_numeric *ret, struct weir_value_error *verr)
{
    struct weir_numeric x = a, y = b, whole;
    bool done;
    int rc;

    if (is_special(b) && !is_special(a) && b.kind != WEIR_NUMERIC_NAN) {
        *ret = a; /* less than infinity: all of it remains */
        return WEIR_OK;
    }
    if (is_special(a) && a.kind != WEIR_NUMERIC_NAN && weir_numeric_sign(b) != 0) {
        *ret = weir_numeric_special(WEIR_NUMERIC_NAN);
        return WEIR_OK;
    }
    rc = special_div(a, b, ret, &done, verr);
    if (rc != WEIR_OK || done) {
        return rc;
    }
    if (is_small(a) && is_small(b) && align(&x, &y)) {
        /* The remainder by -1 overflows the processor's division for the smallest number. */
        *ret = weir_numeric_small(y.small == -1 ? 0 : x.small % y.small, x.scale);
        return WEIR_OK;
    }
    rc = weir_numeric_big_div(a, b, 0, true, arena, &whole, verr);
    if (rc == WEIR_OK) {
        rc = weir_numeric_mul(whole, b, arena, &whole, verr);
    }
    return rc != WEIR_OK ? rc : weir_numeric_sub(a, whole, arena, ret, verr);
}

int weir_numeric_neg(struct weir_numeric value, struct weir_arena *arena, struct weir_numeric *ret,
                     struct weir_value_error *verr)
{
    struct weir_numeric_var var;

    if (is_special(value)) {
        *ret = special_neg(value);
        return WEIR_OK;
    }
    if (is_small(value) && value.small != INT64_MIN) {
        *ret = weir_numeric_small(-value.small, value.scale);
        return WEIR_OK;
    }
    if (!weir_numeric_var_from(&var, &value, arena)) {
        return weir_value_error_memory(verr);
    }
    var.negative = !var.negative;
    return weir_numeric_var_finish(&var, arena, ret, verr);
}

int weir_numeric_abs(struct weir_numeric value, struct weir_arena *arena, struct weir_numeric *ret,
                     struct weir_value_error *verr)
{
    if (weir_numeric_sign(value) < 0) {
        return weir_numeric_neg(value, arena, ret, verr);
    }
    *ret = value;
    return WEIR_OK;
}

/* Rounds or cuts to places digits behind the point, also to fewer than none. */
static int to_places(struct weir_numeric value, int32_t places, bool is_truncated,
                     struct weir_arena *arena, struct weir_numeric *ret,
                     struct weir_value_error *verr)
{
    struct weir_numeric_var var;
    int32_t steps = value.scale - places;

    if (is_special(value)) {
        *ret = value;
        return WEIR_OK;
    }
    if (is_small(value) && places >= 0 && steps >= -POWER_MAX && steps <= POWER_MAX) {
        int64_t digits = value.small;
        if (steps >= 0) {
            int64_t unit = powers[steps], rest = digits % unit;
            digits = digits / unit;
            if (!is_truncated && steps > 0 && magnitude(rest) >= (uint64_t)unit / 2) {
                digits += value.small < 0 ? -1 : 1;
            }
            *ret = weir_numeric_small(digits, (uint16_t)places);
            return WEIR_OK;
        }
        if (!__builtin_mul_overflow(digits, powers[-steps], &digits)) {
            *ret = weir_numeric_small(digits, (uint16_t)places);
            return WEIR_OK;
        }
    }
    if (!weir_numeric_var_from(&var, &value, arena)) {
        return weir_value_error_memory(verr);
    }
    weir_numeric_var_round(&var, places, is_truncated);
    return weir_numeric_var_finish(&var, arena, ret, verr);
}

static int32_t clamp_places(int32_t places)
{
    return places > WEIR_NUMERIC_SCALE_MAX ? WEIR_NUMERIC_SCALE_MAX
           : places < ROUND_PLACES_MIN     ? ROUND_PLACES_MIN
                                           : places;
}

int weir_numeric_round(struct weir_numeric value, int32_t places, struct weir_arena *arena,
                       struct weir_numeric *ret, struct weir_value_error *verr)
{
    return to_places(value, clamp_places(places), false, arena, ret, verr);
}

int weir_numeric_trunc(struct weir_numeric value, int32_t places, struct weir_arena *arena,
                       struct weir_numeric *ret, struct weir_value_error *verr)
{
    return to_places(value, clamp_places(places), true, arena, ret, verr);
}

/* Cuts to a whole number, then takes one step in a direction if something was lost on that side. */
static int to_whole(struct weir_numeric value, int step, struct weir_arena *arena,
                    struct weir_numeric *ret, struct weir_value_error *verr)
{
    struct weir_numeric whole;
    int rc = to_places(value, 0, true, arena, &whole, verr);

    if (rc == WEIR_OK && weir_numeric_compare(value, whole) == step) {
        rc = weir_numeric_add(whole, weir_numeric_small(step, 0), arena, &whole, verr);
    }
    if (rc == WEIR_OK) {
        *ret = whole;
    }
    return rc;
}

int weir_numeric_floor(struct weir_numeric value, struct weir_arena *arena,
                       struct weir_numeric *ret, struct weir_value_error *verr)
{
    return to_whole(value, -1, arena, ret, verr);
}

int weir_numeric_ceil(struct weir_numeric value, struct weir_arena *arena, struct weir_numeric *ret,
                      struct weir_value_error *verr)
{
    return to_whole(value, 1, arena, ret, verr);
}

/* Decimal digits before the point. */
static int64_t whole_digits(struct weir_numeric value)
{
    struct weir_numeric_digits d;
    int64_t count;

    weir_numeric_to_digits(&value, &d);
    if (d.digit_count == 0) {
        return INT64_MIN;
    }
    count = ((int64_t)d.weight + 1) * WEIR_NUMERIC_BASE_DIGITS;
    return count - (d.digits[0] < 10 ? 3 : d.digits[0] < 100 ? 2 : d.digits[0] < 1000 ? 1 : 0);
}

int weir_numeric_fit(struct weir_numeric value, int32_t typmod, struct weir_arena *arena,
                     struct weir_numeric *ret, struct weir_value_error *verr)
{
    int32_t precision = (typmod - TYPMOD_OFFSET) >> 16 & 0xffff;
    /* 11 bits with a sign. */
    int32_t scale = (((typmod - TYPMOD_OFFSET) & 0x7ff) ^ 0x400) - 0x400;
    int32_t whole_max = precision - scale;
    struct weir_numeric fitted;
    bool fits;
    int rc;

    if (typmod < TYPMOD_OFFSET || value.kind == WEIR_NUMERIC_NAN) {
        *ret = value;
        return WEIR_OK;
    }
    if (is_special(value)) {
        return weir_value_error_set(verr, "22003",
                                    "numeric field overflow: A field with precision %d, scale %d "
                                    "cannot hold an infinite value.",
                                    precision, scale);
    }
    rc = to_places(value, scale, false, arena, &fitted, verr);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (is_small(fitted) && scale >= 0 && precision <= POWER_MAX) {
        fits = magnitude(fitted.small) < (uint64_t)powers[precision];
    } else {
        fits = whole_digits(fitted) <= whole_max;
    }
    if (!fits) {
        return weir_value_error_set(verr, "22003",
                                    "numeric field overflow: A field with precision %d, scale %d "
                                    "must round to an absolute value less than %s%d.",
                                    precision, scale, whole_max != 0 ? "10^" : "",
                                    whole_max != 0 ? whole_max : 1);
    }
    *ret = fitted;
    return WEIR_OK;
}
