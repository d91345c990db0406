/* interval.c: prints, compares and computes with intervals. Fractions of months and days flow down
 * to days and microseconds as in PostgreSQL, where 30 days and 24 hours stand for them. */
#include "chunk/interval.h"

#include <math.h>

#include "chunk/datetime.h"
#include "chunk/scalar_text.h"

enum {
    DAYS_PER_MONTH = 30,
    MONTHS_PER_YEAR = 12,
    SECONDS_PER_DAY = 86400,
    /* An interval's modifier: precision below, the bits of its fields above. */
    PRECISION_ALL = 0xffff,
    RANGE_ALL = 0x7fff,
    FIELD_MONTH = 1 << 1,
    FIELD_YEAR = 1 << 2,
    FIELD_DAY = 1 << 3,
    FIELD_HOUR = 1 << 10,
    FIELD_MINUTE = 1 << 11,
    FIELD_SECOND = 1 << 12,
};

static int out_of_range(struct weir_value_error *verr)
{
    return weir_value_error_set(verr, "22008", "interval out of range");
}

/* Printing. */

struct printer {
    char *p;
    bool is_empty;
    bool was_negative; /* the part before: a positive one then says so */
};

static void print_part(struct printer *out, int32_t value, const char *unit)
{
    if (value == 0) {
        return;
    }
    if (!out->is_empty) {
        *out->p++ = ' ';
    }
    if (out->was_negative && value > 0) {
        *out->p++ = '+';
    }
    out->p += weir_int8_print(value, out->p);
    *out->p++ = ' ';
    memcpy(out->p, unit, strlen(unit));
    out->p += strlen(unit);
    if (value != 1) {
        *out->p++ = 's';
    }
    out->was_negative = value < 0;
    out->is_empty = false;
}

static char *print_two(char *p, uint64_t value)
{
    *p++ = (char)('0' + value / 10);
    *p++ = (char)('0' + value % 10);
    return p;
}

static void print_time(struct printer *out, int64_t us)
{
    uint64_t rest = us < 0 ? -(uint64_t)us : (uint64_t)us;
    uint64_t hours = rest / WEIR_HOUR_US;
    uint64_t fraction = rest % WEIR_SECOND_US;

    if (!out->is_empty) {
        *out->p++ = ' ';
    }
    if (us < 0 || out->was_negative) {
        *out->p++ = us < 0 ? '-' : '+';
    }
    if (hours < 10) {
        *out->p++ = '0';
    }
    out->p += weir_int8_print((int64_t)hours, out->p);
    *out->p++ = ':';
    out->p = print_two(out->p, rest / WEIR_MINUTE_US % 60);
    *out->p++ = ':';
    out->p = print_two(out->p, rest / WEIR_SECOND_US % 60);
    if (fraction != 0) {
        *out->p++ = '.';
        for (uint64_t unit = 100000; fraction != 0; unit /= 10) {
            *out->p++ = (char)('0' + fraction / unit);
            fraction %= unit;
        }
    }
}

size_t weir_interval_print(struct weir_interval value, char *ret)
{
    struct printer out = { .p = ret, .is_empty = true };

    print_part(&out, value.months / MONTHS_PER_YEAR, "year");
    print_part(&out, value.months % MONTHS_PER_YEAR, "mon");
    print_part(&out, value.days, "day");
    if (out.is_empty || value.us != 0) {
        print_time(&out, value.us);
    }
    return (size_t)(out.p - ret);
}

/* Comparison. */

weir_int128 weir_interval_estimate_us(struct weir_interval value)
{
    int64_t days = (int64_t)value.months * DAYS_PER_MONTH + value.days;

    return (weir_int128)days * WEIR_DAY_US + value.us;
}

int weir_interval_compare(struct weir_interval a, struct weir_interval b)
{
    weir_int128 x = weir_interval_estimate_us(a), y = weir_interval_estimate_us(b);

    return (x > y) - (x < y);
}

/* Modifiers. */

int weir_interval_fit(struct weir_interval value, int32_t typmod, struct weir_interval *ret,
                      struct weir_value_error *verr)
{
    static const int32_t units[] = { 1000000, 100000, 10000, 1000, 100, 10 };
    int32_t fields = typmod >> 16 & RANGE_ALL;
    int32_t precision = typmod & PRECISION_ALL;

    if (typmod < 0) {
        *ret = value;
        return WEIR_OK;
    }
    /* What is finer than the range's last field is cut, what is coarser is kept. */
    if (fields != RANGE_ALL) {
        int64_t unit = (fields & FIELD_SECOND) != 0   ? 1
                       : (fields & FIELD_MINUTE) != 0 ? WEIR_MINUTE_US
                       : (fields & FIELD_HOUR) != 0   ? WEIR_HOUR_US
                                                      : 0;
        value.us = unit == 0 ? 0 : value.us / unit * unit;
        if ((fields & (FIELD_YEAR | FIELD_MONTH)) != 0) {
            value.days = 0;
        }
        if (fields == FIELD_YEAR) {
            value.months = value.months / MONTHS_PER_YEAR * MONTHS_PER_YEAR;
        }
    }
    if (precision < (int32_t)(sizeof(units) / sizeof(units[0]))) {
        int64_t unit = units[precision];
        int64_t rounded;
        if (__builtin_add_overflow(value.us, value.us >= 0 ? unit / 2 : -unit / 2, &rounded)) {
            return out_of_range(verr);
        }
        value.us = rounded / unit * unit;
    }
    *ret = value;
    return WEIR_OK;
}

/* Arithmetic. */

int weir_interval_add(struct weir_interval a, struct weir_interval b, struct weir_interval *ret,
                      struct weir_value_error *verr)
{
    struct weir_interval sum;

    if (__builtin_add_overflow(a.months, b.months, &sum.months) ||
        __builtin_add_overflow(a.days, b.days, &sum.days) ||
        __builtin_add_overflow(a.us, b.us, &sum.us)) {
        return out_of_range(verr);
    }
    *ret = sum;
    return WEIR_OK;
}

int weir_interval_sub(struct weir_interval a, struct weir_interval b, struct weir_interval *ret,
                      struct weir_value_error *verr)
{
    struct weir_interval difference;

    if (__builtin_sub_overflow(a.months, b.months, &difference.months) ||
        __builtin_sub_overflow(a.days, b.days, &difference.days) ||
        __builtin_sub_overflow(a.us, b.us, &difference.us)) {
        return out_of_range(verr);
    }
    *ret = difference;
    return WEIR_OK;
}

int weir_interval_neg(struct weir_interval value, struct weir_interval *ret,
                      struct weir_value_error *verr)
{
    return weir_interval_sub((struct weir_interval){ 0 }, value, ret, verr);
}

static bool to_int32(double value, int32_t *ret)
{
    if (!(value >= -0x1p31 && value < 0x1p31)) { /* false for NaN too */
        return false;
    }
    *ret = (int32_t)value;
    return true;
}

static double round_to_us(double value)
{
    return rint(value * 1000000.0) / 1000000.0;
}

/* Makes an interval of months, days and microseconds with fractions: those of months become days,
 * those of days time, rounded to microseconds at each step. */
static int from_fractions(double months, double days, double us, struct weir_interval *ret,
                          struct weir_value_error *verr)
{
    struct weir_interval result;
    double days_more, seconds_more;
    int32_t whole;

    if (!to_int32(months, &result.months) || !to_int32(days, &result.days)) {
        return out_of_range(verr);
    }
    days_more = round_to_us((months - result.months) * DAYS_PER_MONTH);
    seconds_more =
        round_to_us((days - result.days + days_more - (int32_t)days_more) * SECONDS_PER_DAY);
    /* Rounding, or both fractions together, may have given a whole day. */
    if (fabs(seconds_more) >= SECONDS_PER_DAY) {
        whole = (int32_t)(seconds_more / SECONDS_PER_DAY);
        seconds_more -= (double)whole * SECONDS_PER_DAY;
        if (__builtin_add_overflow(result.days, whole, &result.days)) {
            return out_of_range(verr);
        }
    }
    if (__builtin_add_overflow(result.days, (int32_t)days_more, &result.days)) {
        return out_of_range(verr);
    }
    us = rint(us + seconds_more * (double)WEIR_SECOND_US);
    if (!(us >= -0x1p63 && us < 0x1p63)) {
        return out_of_range(verr);
    }
    result.us = (int64_t)us;
    *ret = result;
    return WEIR_OK;
}

int weir_interval_mul(struct weir_interval value, double factor, struct weir_interval *ret,
                      struct weir_value_error *verr)
{
    return from_fractions(value.months * factor, value.days * factor, (double)value.us * factor,
                          ret, verr);
}

int weir_interval_div(struct weir_interval value, double divisor, struct weir_interval *ret,
                      struct weir_value_error *verr)
{
    if (divisor == 0.0) {
        return weir_value_error_set(verr, "22012", "division by zero");
    }
    return from_fractions(value.months / divisor, value.days / divisor, (double)value.us / divisor,
                          ret, verr);
}

/* Moves whole units from low to high; false when high overflows. */
static bool carry_days(struct weir_interval *value)
{
    int32_t whole = (int32_t)(value->us / WEIR_DAY_US);

    value->us %= WEIR_DAY_US;
    return !__builtin_add_overflow(value->days, whole, &value->days);
}

static bool carry_months(struct weir_interval *value)
{
    int32_t whole = value->days / DAYS_PER_MONTH;

    value->days %= DAYS_PER_MONTH;
    return !__builtin_add_overflow(value->months, whole, &value->months);
}

/* Gives the time the sign of the days. */
static void align_time_sign(struct weir_interval *value)
{
    if (value->days > 0 && value->us < 0) {
        value->us += WEIR_DAY_US;
        value->days--;
    } else if (value->days < 0 && value->us > 0) {
        value->us -= WEIR_DAY_US;
        value->days++;
    }
}

int weir_interval_justify_hours(struct weir_interval value, struct weir_interval *ret,
                                struct weir_value_error *verr)
{
    if (!carry_days(&value)) {
        return out_of_range(verr);
    }
    align_time_sign(&value);
    *ret = value;
    return WEIR_OK;
}

int weir_interval_justify_days(struct weir_interval value, struct weir_interval *ret,
                               struct weir_value_error *verr)
{
    if (!carry_months(&value)) {
        return out_of_range(verr);
    }
    if (value.months > 0 && value.days < 0) {
        value.days += DAYS_PER_MONTH;
        value.months--;
    } else if (value.months < 0 && value.days > 0) {
        value.days -= DAYS_PER_MONTH;
        value.months++;
    }
    *ret = value;
    return WEIR_OK;
}

int weir_interval_justify(struct weir_interval value, struct weir_interval *ret,
                          struct weir_value_error *verr)
{
    bool same_sign = (value.days > 0 && value.us > 0) || (value.days < 0 && value.us < 0);

    /* Days first where the time will add to them, so that they do not overflow needlessly. */
    if ((same_sign && !carry_months(&value)) || !carry_days(&value) || !carry_months(&value)) {
        return out_of_range(verr);
    }
    if (value.months > 0 && (value.days < 0 || (value.days == 0 && value.us < 0))) {
        value.days += DAYS_PER_MONTH;
        value.months--;
    } else if (value.months < 0 && (value.days > 0 || (value.days == 0 && value.us > 0))) {
        value.days -= DAYS_PER_MONTH;
        value.months++;
    }
    align_time_sign(&value);
    *ret = value;
    return WEIR_OK;
}
