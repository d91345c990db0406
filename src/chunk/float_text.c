/* float_text.c: real and double precision, text in and shortest text out.
 *
 * Input is strtod()'s, as in PostgreSQL; plain short decimals, the usual case, take a way of their
 * own that gives the same bits: a mantissa of at most 2^53 and a power of ten of at most 10^22 are
 * both exact doubles, so one division rounds once. Likewise 2^24 and 10^10 for real.
 *
 * Output is the shortest decimal that lies strictly inside the value's rounding interval, and of
 * those the nearest, in PostgreSQL's layout. "Strictly" matters: 1e+23 is just in the middle
 * between two doubles, reads back only thanks to round-to-even, and is therefore not printed. */
#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "chunk/scalar_text.h"

__extension__ typedef __int128 int128;

enum {
    FAST_DIGITS_MAX = 15, /* any such mantissa is below 2^53 */
    FAST_POWER_MAX = 22,  /* 10^22 is the last exact power of ten */
    FLOAT4_MANTISSA_MAX = 1 << FLT_MANT_DIG,
    FLOAT4_POWER_MAX = 10, /* and 10^10 of real */
    TEXT_BYTES_STACK = 512,
};

static const double powers_of_ten[FAST_POWER_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

/* The embedding program's locale may have a decimal comma. */
static void c_locale_make(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", NULL);
}

static locale_t get_c_locale(void)
{
    (void)pthread_once(&c_locale_once, c_locale_make);
    return c_locale;
}

/* A plain decimal: mantissa / 10^places. */
struct plain_decimal {
    uint64_t mantissa;
    int places;
    bool negative;
};

/* Plain decimals of few digits: "12", "-0.5". false when the text is anything else. */
static bool plain_parse(struct weir_str text, struct plain_decimal *ret)
{
    const char *p = text.data;
    const char *end = p + text.len;
    const char *point = NULL;
    int digits = 0;

    *ret = (struct plain_decimal){ .negative = p < end && *p == '-' };
    for (p += ret->negative; p < end; p++) {
        if (weir_char_is_digit(*p) && digits < FAST_DIGITS_MAX) {
            ret->mantissa = ret->mantissa * 10 + (uint64_t)(*p - '0');
            digits++;
        } else if (*p == '.' && point == NULL && digits != 0) {
            point = p;
        } else {
            return false;
        }
    }
    ret->places = point == NULL ? 0 : (int)(end - point - 1);
    return digits != 0;
}

typedef bool strto_fn(const char *text, char **ret_end, double *ret);

/* Each yields false when the value is beyond the type or too small for it. */
static bool strto_float8(const char *text, char **ret_end, double *ret)
{
    errno = 0;
    *ret = strtod_l(text, ret_end, get_c_locale());
    return errno != ERANGE || (*ret != 0.0 && !isinf(*ret));
}

static bool strto_float4(const char *text, char **ret_end, double *ret)
{
    errno = 0;
    float value = strtof_l(text, ret_end, get_c_locale());
    *ret = (double)value;
    return errno != ERANGE || (value != 0.0f && !isinf(value));
}

static int float_parse(struct weir_str text, const char *type_name, strto_fn *convert, double *ret,
                       struct weir_value_error *verr)
{
    struct weir_str trimmed = weir_text_trim_space(text);
    char stack[TEXT_BYTES_STACK];
    char *copy = stack;
    char *end;
    double value;
    int rc = WEIR_OK;

    if (trimmed.len == 0) {
        return weir_value_error_syntax(verr, type_name, text);
    }
    if (trimmed.len >= sizeof(stack)) {
        copy = malloc(trimmed.len + 1);
        if (copy == NULL) {
            return weir_value_error_memory(verr);
        }
    }
    memcpy(copy, trimmed.data, trimmed.len);
    copy[trimmed.len] = '\0';
    bool in_range = convert(copy, &end, &value);
    if (!in_range) {
        rc = weir_value_error_set(verr, "22003", "\"%.*s\" is out of range for type %s",
                                  (int)(end - copy), copy, type_name);
    } else if (end != copy + trimmed.len) {
        rc = weir_value_error_syntax(verr, type_name, text);
    } else {
        *ret = value;
    }
    if (copy != stack) {
        free(copy);
    }
    return rc;
}

int weir_float8_parse(struct weir_str text, double *ret, struct weir_value_error *verr)
{
    struct plain_decimal plain;

    if (plain_parse(text, &plain)) {
        double value = (double)plain.mantissa / powers_of_ten[plain.places];
        *ret = plain.negative ? -value : value;
        return WEIR_OK;
    }
    return float_parse(text, "double precision", strto_float8, ret, verr);
}

int weir_float4_parse(struct weir_str text, float *ret, struct weir_value_error *verr)
{
    struct plain_decimal plain;
    double value;
    int rc;

    if (plain_parse(text, &plain) && plain.mantissa <= FLOAT4_MANTISSA_MAX &&
        plain.places <= FLOAT4_POWER_MAX) {
        float quotient = (float)plain.mantissa / (float)powers_of_ten[plain.places];
        *ret = plain.negative ? -quotient : quotient;
        return WEIR_OK;
    }
    rc = float_parse(text, "real", strto_float4, &value, verr);
    if (rc == WEIR_OK) {
        *ret = (float)value;
    }
    return rc;
}

/* A positive finite number as decimal digits: 0.d1d2d3... * 10^(exponent + 1). */
struct decimal_digits {
    char digits[24];
    int count;
    int exponent; /* of the first digit: 0 for 1 to 9 */
};

/* What differs between the two types. */
struct float_kind {
    int digits_safe;    /* so many always survive a round trip from decimal */
    int digits_max;     /* so many always bring the value back */
    int fixed_exponent; /* from this exponent on in scientific form */
    double normal_min;  /* below it precision fades */
    int mantissa_bits;
    bool (*reads_back)(const char *text, double value);
};

static bool float8_reads_back(const char *text, double value)
{
    return strtod_l(text, NULL, get_c_locale()) == value;
}

static bool float4_reads_back(const char *text, double value)
{
    return (double)strtof_l(text, NULL, get_c_locale()) == value;
}

static const struct float_kind float8_kind = { DBL_DIG, 17,           15,
                                               DBL_MIN, DBL_MANT_DIG, float8_reads_back };
static const struct float_kind float4_kind = {
    FLT_DIG, 9, 6, (double)FLT_MIN, FLT_MANT_DIG, float4_reads_back
};

/* Splits printf's "d.ddde+xx"; zeros at the end are dropped. */
static struct decimal_digits digits_of(double value, int count)
{
    struct decimal_digits ret = { .count = 0 };
    char text[40];
    const char *p = text;

    (void)snprintf(text, sizeof(text), "%.*e", count - 1, value);
    for (; *p != 'e'; p++) {
        if (weir_char_is_digit(*p)) { /* the point may be a comma in the process's locale */
            ret.digits[ret.count++] = *p;
        }
    }
    ret.exponent = (int)strtol(p + 1, NULL, 10); /* printf's: three digits at most */
    while (ret.count > 1 && ret.digits[ret.count - 1] == '0') {
        ret.count--;
    }
    return ret;
}

/* The decimal lies exactly between value and a neighbour. That takes a value with more than one
 * unit in its last place, and no power of ten above 10^23 can do it, so whole numbers of 128 bits
 * are enough to find out. */
static bool is_midpoint(const struct decimal_digits *d, double value, int mantissa_bits)
{
    int binary_exponent;
    int128 exact, decimal = 0;

    (void)frexp(value, &binary_exponent);
    if (binary_exponent <= mantissa_bits || binary_exponent > 120 || d->exponent > 36 ||
        d->count > d->exponent + 1) {
        return false;
    }
    exact = (int128)value;
    for (int i = 0; i <= d->exponent; i++) {
        decimal = decimal * 10 + (i < d->count ? d->digits[i] - '0' : 0);
    }
    int128 distance = decimal > exact ? decimal - exact : exact - decimal;
    int128 unit = (int128)1 << (binary_exponent - mantissa_bits);
    /* Below a power of two the neighbour is half as far. */
    bool is_half_as_far = decimal < exact && (exact & (exact - 1)) == 0;
    return distance * (is_half_as_far ? 4 : 2) == unit;
}

static bool is_good(const struct decimal_digits *d, double value, const struct float_kind *kind)
{
    char text[48];

    (void)snprintf(text, sizeof(text), "%.*se%d", d->count, d->digits,
                   d->exponent - (d->count - 1));
    return kind->reads_back(text, value) && !is_midpoint(d, value, kind->mantissa_bits);
}

/* Adds one to the last digit of a decimal of count digits. */
static void digits_step_up(struct decimal_digits *d, int count)
{
    int i = count - 1;

    while (d->count < count) {
        d->digits[d->count++] = '0';
    }
    while (i >= 0 && d->digits[i] == '9') {
        d->digits[i--] = '0';
    }
    if (i >= 0) {
        d->digits[i]++;
    } else {
        d->digits[0] = '1';
        d->exponent++;
    }
    while (d->count > 1 && d->digits[d->count - 1] == '0') {
        d->count--;
    }
}

static struct decimal_digits shortest(double value, const struct float_kind *kind)
{
    int mantissa_exponent;
    bool is_power_of_two = frexp(value, &mantissa_exponent) == 0.5;

    for (int count = value < kind->normal_min ? 1 : kind->digits_safe; count < kind->digits_max;
         count++) {
        struct decimal_digits d = digits_of(value, count);
        if (is_good(&d, value, kind)) {
            return d;
        }
        /* The interval of a power of two reaches further up than down, so a decimal that is not
         * the nearest of its length may still be inside. */
        if (is_power_of_two) {
            digits_step_up(&d, count);
            if (is_good(&d, value, kind)) {
                return d;
            }
        }
    }
    return digits_of(value, kind->digits_max);
}

static size_t scientific_print(const struct decimal_digits *d, char *ret)
{
    size_t len = 0;
    unsigned exponent = (unsigned)(d->exponent < 0 ? -d->exponent : d->exponent);

    ret[len++] = d->digits[0];
    if (d->count > 1) {
        ret[len++] = '.';
        memcpy(ret + len, d->digits + 1, (size_t)d->count - 1);
        len += (size_t)d->count - 1;
    }
    ret[len++] = 'e';
    ret[len++] = d->exponent < 0 ? '-' : '+';
    if (exponent >= 100) {
        ret[len++] = (char)('0' + exponent / 100);
    }
    ret[len++] = (char)('0' + exponent / 10 % 10);
    ret[len++] = (char)('0' + exponent % 10);
    return len;
}

static size_t fixed_print(const struct decimal_digits *d, char *ret)
{
    size_t len = 0;
    int at = 0;

    if (d->exponent < 0) {
        ret[len++] = '0';
    }
    for (; at <= d->exponent; at++) {
        ret[len++] = at < d->count ? d->digits[at] : '0';
    }
    if (at < d->count) {
        ret[len++] = '.';
        for (int zeros = -d->exponent - 1; zeros > 0; zeros--) {
            ret[len++] = '0';
        }
        for (; at < d->count; at++) {
            ret[len++] = d->digits[at];
        }
    }
    return len;
}

static size_t float_print(double value, const struct float_kind *kind, char *ret)
{
    struct decimal_digits d;
    size_t len = 0;

    if (isnan(value)) {
        memcpy(ret, "NaN", 3);
        return 3;
    }
    if (signbit(value)) {
        ret[len++] = '-';
        value = -value;
    }
    if (isinf(value)) {
        memcpy(ret + len, "Infinity", 8);
        return len + 8;
    }
    if (value == 0.0) {
        ret[len++] = '0';
        return len;
    }
    d = shortest(value, kind);
    if (d.exponent < -4 || d.exponent >= kind->fixed_exponent) {
        return len + scientific_print(&d, ret + len);
    }
    return len + fixed_print(&d, ret + len);
}

size_t weir_float8_print(double value, char *ret)
{
    return float_print(value, &float8_kind, ret);
}

size_t weir_float4_print(float value, char *ret)
{
    return float_print((double)value, &float4_kind, ret);
}
