/* interval_parse.c: the text of intervals: PostgreSQL's own form in any order ("1 year 2 mons
 * -3 days 04:05:06 ago"), the SQL standard's ("1-2 3 4:05:06") and ISO 8601's ("P1Y2M3DT4H5M6S").
 *
 * Fields are read from the last to the first, because a unit stands behind its number. What is a
 * fraction of a unit goes to the smaller ones. */
#include <math.h>

#include "chunk/datetime.h"
#include "chunk/datetime_fields.h"
#include "chunk/interval.h"
#include "chunk/scalar_text.h"

#define UNIT_BIT(unit) (UINT32_C(1) << (unit))
#define UNITS_SECONDS \
    (UNIT_BIT(WEIR_UNIT_SECOND) | UNIT_BIT(WEIR_UNIT_MILLISECOND) | UNIT_BIT(WEIR_UNIT_MICROSECOND))
#define UNITS_TIME (UNIT_BIT(WEIR_UNIT_HOUR) | UNIT_BIT(WEIR_UNIT_MINUTE) | UNITS_SECONDS)

enum outcome { READ_OK, READ_BAD_FORMAT, READ_OUT_OF_RANGE };

enum { DAYS_PER_MONTH = 30, MONTHS_PER_YEAR = 12, DAYS_PER_WEEK = 7 };

#define ISO_NUMBER_MAX 1e15

/* The sum of the fields so far. */
struct sum {
    int64_t us;
    int32_t days, months, years;
};

/* Adding to the sum; each yields false when that overflows. */

static bool add_int32(int32_t *to, int64_t value, int32_t scale)
{
    int32_t product;

    return value >= INT32_MIN && value <= INT32_MAX &&
           !__builtin_mul_overflow((int32_t)value, scale, &product) &&
           !__builtin_add_overflow(*to, product, to);
}

static bool add_fraction_us(struct sum *sum, double fraction, int64_t unit_us)
{
    fraction *= (double)unit_us;
    int64_t us = (int64_t)fraction;
    double rest = fraction - (double)us;

    us += rest > 0.5 ? 1 : rest < -0.5 ? -1 : 0;
    return !__builtin_add_overflow(sum->us, us, &sum->us);
}

static bool add_us(struct sum *sum, int64_t value, double fraction, int64_t unit_us)
{
    int64_t us;

    return !__builtin_mul_overflow(value, unit_us, &us) &&
           !__builtin_add_overflow(sum->us, us, &sum->us) &&
           add_fraction_us(sum, fraction, unit_us);
}

static bool add_fraction_days(struct sum *sum, double fraction, int32_t unit_days)
{
    fraction *= unit_days;
    int32_t days = (int32_t)fraction;

    return add_int32(&sum->days, days, 1) && add_fraction_us(sum, fraction - days, WEIR_DAY_US);
}

static bool add_years(struct sum *sum, int64_t value, double fraction, int32_t unit_years)
{
    return add_int32(&sum->years, value, unit_years) &&
           add_int32(&sum->months, (int64_t)rint(fraction * unit_years * MONTHS_PER_YEAR), 1);
}

static bool add_unit(struct sum *sum, enum weir_datetime_unit unit, int64_t value, double fraction)
{
    switch (unit) {
    case WEIR_UNIT_MICROSECOND:
        return add_us(sum, value, fraction, 1);
    case WEIR_UNIT_MILLISECOND:
        return add_us(sum, value, fraction, 1000);
    case WEIR_UNIT_SECOND:
        return add_us(sum, value, fraction, WEIR_SECOND_US);
    case WEIR_UNIT_MINUTE:
        return add_us(sum, value, fraction, WEIR_MINUTE_US);
    case WEIR_UNIT_HOUR:
        return add_us(sum, value, fraction, WEIR_HOUR_US);
    case WEIR_UNIT_DAY:
        return add_int32(&sum->days, value, 1) && add_fraction_us(sum, fraction, WEIR_DAY_US);
    case WEIR_UNIT_WEEK:
        return add_int32(&sum->days, value, DAYS_PER_WEEK) &&
               add_fraction_days(sum, fraction, DAYS_PER_WEEK);
    case WEIR_UNIT_MONTH:
        return add_int32(&sum->months, value, 1) &&
               add_fraction_days(sum, fraction, DAYS_PER_MONTH);
    case WEIR_UNIT_YEAR:
        return add_years(sum, value, fraction, 1);
    case WEIR_UNIT_DECADE:
        return add_years(sum, value, fraction, 10);
    case WEIR_UNIT_CENTURY:
        return add_years(sum, value, fraction, 100);
    case WEIR_UNIT_MILLENNIUM:
        return add_years(sum, value, fraction, 1000);
    default:
        return false;
    }
}

/* Reading integers of 64 bits, as strtoll() does. false when they do not fit. */
static bool read_int64(const char *text, const char **ret_end, int64_t *ret)
{
    bool negative = *text == '-';
    const char *p = text + (*text == '-' || *text == '+');
    const char *digits = p;
    uint64_t value = 0;

    for (; weir_char_is_digit(*p); p++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value)) {
            return false;
        }
    }
    *ret_end = p == digits ? text : p;
    if (value > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *ret = (int64_t)(negative ? -value : value);
    return true;
}

/* ".25" as a fraction. */
static bool read_fraction(const char *text, double *ret)
{
    struct weir_value_error ignored; /* the caller has better words */

    *ret = 0.0;
    return text[1] == '\0' || (weir_char_is_digit(text[1]) &&
                               weir_float8_parse(weir_str_from(text), ret, &ignored) == WEIR_OK);
}

/* "4:05:06.7", "4:05", and "5:06.7" for minutes and seconds. */
static enum outcome read_time(const char *text, int64_t *ret_us)
{
    int64_t hours, us = 0, fraction_us = 0;
    int32_t minutes, seconds = 0;
    const char *p;

    if (!read_int64(text, &p, &hours)) {
        return READ_OUT_OF_RANGE;
    }
    if (*p != ':') {
        return READ_BAD_FORMAT;
    }
    if (!weir_datetime_int(p + 1, &p, &minutes) ||
        (*p == ':' && !weir_datetime_int(p + 1, &p, &seconds))) {
        return READ_OUT_OF_RANGE;
    }
    if (*p == '.') {
        if (!weir_datetime_fraction(p, &fraction_us)) {
            return READ_BAD_FORMAT;
        }
        if (strchr(text, ':') == strrchr(text, ':')) {
            if (hours > INT32_MAX) {
                return READ_OUT_OF_RANGE;
            }
            seconds = minutes;
            minutes = (int32_t)hours;
            hours = 0;
        }
    } else if (*p != '\0') {
        return READ_BAD_FORMAT;
    }
    if (hours < 0 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 60 ||
        __builtin_mul_overflow(hours, WEIR_HOUR_US, &us) ||
        __builtin_add_overflow(
            us, minutes * WEIR_MINUTE_US + seconds * WEIR_SECOND_US + fraction_us, &us)) {
        return READ_OUT_OF_RANGE;
    }
    *ret_us = us;
    return READ_OK;
}

/* The state of reading from the last field to the first. */
struct reading {
    struct sum sum;
    uint32_t units;               /* given so far */
    enum weir_datetime_unit unit; /* of the number that comes next */
    bool is_ago;
};

/* A number, or the standard's "years-months". */
static enum outcome read_number(struct reading *r, const char *text)
{
    bool negative = text[0] == '-';
    double fraction = 0.0;
    int64_t value;
    int32_t months;
    const char *p;
    uint32_t bits;

    if (r->unit == WEIR_UNIT_NONE) {
        r->unit = WEIR_UNIT_SECOND;
    }
    if (r->unit > WEIR_UNIT_INTERVAL_LAST) {
        return READ_BAD_FORMAT; /* "1 ago day", "1 quarter" */
    }
    if (!read_int64(text, &p, &value)) {
        return READ_OUT_OF_RANGE;
    }
    if (*p == '-') {
        r->unit = WEIR_UNIT_MONTH;
        if (!weir_datetime_int(p + 1, &p, &months) || months < 0 || months >= MONTHS_PER_YEAR) {
            return READ_OUT_OF_RANGE;
        }
        if (*p != '\0') {
            return READ_BAD_FORMAT;
        }
        if (__builtin_mul_overflow(value, MONTHS_PER_YEAR, &value) ||
            __builtin_add_overflow(value, negative ? -months : months, &value)) {
            return READ_OUT_OF_RANGE;
        }
    } else if (*p == '.') {
        if (!read_fraction(p, &fraction)) {
            return READ_BAD_FORMAT;
        }
        fraction = negative ? -fraction : fraction;
    } else if (*p != '\0') {
        return READ_BAD_FORMAT;
    }
    bits = r->unit == WEIR_UNIT_SECOND && fraction != 0.0 ? UNITS_SECONDS : UNIT_BIT(r->unit);
    if (!add_unit(&r->sum, r->unit, value, fraction)) {
        return READ_OUT_OF_RANGE;
    }
    if (r->unit == WEIR_UNIT_HOUR) {
        r->unit = WEIR_UNIT_DAY; /* "1 2 hours": the number before is days */
    }
    if ((r->units & bits) != 0) {
        return READ_BAD_FORMAT;
    }
    r->units |= bits;
    return READ_OK;
}

static enum outcome read_clock(struct reading *r, const char *text, bool negative)
{
    int64_t us;
    enum outcome outcome = read_time(text, &us);

    if (outcome != READ_OK) {
        return outcome;
    }
    if ((r->units & UNITS_TIME) != 0) {
        return READ_BAD_FORMAT;
    }
    r->units |= UNITS_TIME;
    r->unit = WEIR_UNIT_DAY; /* "1 02:03": the number before is days */
    return __builtin_add_overflow(r->sum.us, negative ? -us : us, &r->sum.us) ? READ_OUT_OF_RANGE
                                                                              : READ_OK;
}

static enum outcome read_word(struct reading *r, const char *text)
{
    enum weir_datetime_unit unit = weir_datetime_unit(text);
    int32_t value;

    if (unit > WEIR_UNIT_TRUNC_LAST) {
        return READ_BAD_FORMAT;
    }
    if (unit != WEIR_UNIT_NONE) {
        r->is_ago |= unit == WEIR_UNIT_AGO;
        r->unit = unit;
        return READ_OK;
    }
    return weir_datetime_core_word(text, &value) == WEIR_WORD_IGNORED ? READ_OK : READ_BAD_FORMAT;
}

static enum outcome read_fields(struct weir_str text, struct sum *ret)
{
    struct weir_datetime_fields fields;
    struct reading r = { .unit = WEIR_UNIT_NONE };

    if (!weir_datetime_split(text, &fields)) {
        return READ_BAD_FORMAT;
    }
    for (uint32_t i = fields.count; i-- > 0;) {
        const struct weir_datetime_field *field = &fields.items[i];
        enum outcome outcome = READ_BAD_FORMAT;

        switch (field->kind) {
        case WEIR_FIELD_TIME:
            outcome = read_clock(&r, field->text, false);
            break;
        case WEIR_FIELD_SIGNED:
            if (strchr(field->text, ':') != NULL) {
                outcome = read_clock(&r, field->text + 1, field->text[0] == '-');
            }
            if (outcome == READ_BAD_FORMAT) {
                outcome = read_number(&r, field->text);
            }
            break;
        case WEIR_FIELD_DATE:
        case WEIR_FIELD_NUMBER:
            outcome = read_number(&r, field->text);
            break;
        default:
            outcome = read_word(&r, field->text);
            break;
        }
        if (outcome != READ_OK) {
            return outcome;
        }
    }
    if (r.units == 0) {
        return READ_BAD_FORMAT;
    }
    if (r.is_ago) {
        if (__builtin_sub_overflow(0, r.sum.us, &r.sum.us) ||
            __builtin_sub_overflow(0, r.sum.days, &r.sum.days) ||
            __builtin_sub_overflow(0, r.sum.months, &r.sum.months) ||
            __builtin_sub_overflow(0, r.sum.years, &r.sum.years)) {
            return READ_OUT_OF_RANGE;
        }
    }
    *ret = r.sum;
    return READ_OK;
}

/* ISO 8601. */

struct iso_number {
    int64_t whole;
    double fraction;
    int width; /* digits before the point */
};

/* "-12.5" at *p, which is moved behind it. */
static enum outcome iso_number(const char **p, struct iso_number *ret)
{
    const char *start = *p;
    const char *end = start + (*start == '-');
    const char *digits = end;
    struct weir_value_error ignored;
    double value;

    while (weir_char_is_digit(*end)) {
        end++;
    }
    ret->width = (int)(end - digits);
    if (*end == '.') {
        for (end++; weir_char_is_digit(*end); end++) {
        }
    }
    if (weir_float8_parse((struct weir_str){ start, (size_t)(end - start) }, &value, &ignored) !=
        WEIR_OK) {
        return READ_BAD_FORMAT;
    }
    if (value < -ISO_NUMBER_MAX || value > ISO_NUMBER_MAX) {
        return READ_OUT_OF_RANGE;
    }
    ret->whole = (int64_t)value;
    ret->fraction = value - (double)ret->whole;
    *p = end;
    return READ_OK;
}

/* "0001-02-03" or "04:05:06" from its second number on; units ends with WEIR_UNIT_NONE. */
static enum outcome iso_list(const char **p, char separator, const enum weir_datetime_unit *units,
                             struct sum *sum)
{
    struct iso_number n;

    for (; *units != WEIR_UNIT_NONE && **p == separator; units++) {
        ++*p;
        enum outcome outcome = iso_number(p, &n);
        if (outcome != READ_OK) {
            return outcome;
        }
        if (!add_unit(sum, *units, n.whole, n.fraction)) {
            return READ_OUT_OF_RANGE;
        }
    }
    return **p == '\0' || (separator == '-' && **p == 'T') ? READ_OK : READ_BAD_FORMAT;
}

/* The unit that a designator means, before and behind the "T". */
static enum weir_datetime_unit iso_unit(char designator, bool is_time)
{
    switch (designator) {
    case 'Y':
        return is_time ? WEIR_UNIT_NONE : WEIR_UNIT_YEAR;
    case 'M':
        return is_time ? WEIR_UNIT_MINUTE : WEIR_UNIT_MONTH;
    case 'W':
        return is_time ? WEIR_UNIT_NONE : WEIR_UNIT_WEEK;
    case 'D':
        return is_time ? WEIR_UNIT_NONE : WEIR_UNIT_DAY;
    case 'H':
        return is_time ? WEIR_UNIT_HOUR : WEIR_UNIT_NONE;
    case 'S':
        return is_time ? WEIR_UNIT_SECOND : WEIR_UNIT_NONE;
    default:
        return WEIR_UNIT_NONE;
    }
}

/* The forms without designators: "P00010203T040506", "P0001-02-03T04:05:06". p is behind the first
 * number. */
static enum outcome iso_alternative(const char **p, const struct iso_number *n, bool is_time,
                                    struct sum *sum)
{
    static const enum weir_datetime_unit date_units[] = { WEIR_UNIT_MONTH, WEIR_UNIT_DAY,
                                                          WEIR_UNIT_NONE };
    static const enum weir_datetime_unit time_units[] = { WEIR_UNIT_MINUTE, WEIR_UNIT_SECOND,
                                                          WEIR_UNIT_NONE };
    bool at_end = **p == '\0' || (!is_time && **p == 'T');
    bool ok;

    if (at_end && n->width == (is_time ? 6 : 8)) {
        /* In this form PostgreSQL takes a fraction of a second for one of a microsecond. */
        ok = add_unit(sum, is_time ? WEIR_UNIT_HOUR : WEIR_UNIT_YEAR, n->whole / 10000, 0.0) &&
             add_unit(sum, is_time ? WEIR_UNIT_MINUTE : WEIR_UNIT_MONTH, n->whole / 100 % 100,
                      0.0) &&
             add_unit(sum, is_time ? WEIR_UNIT_SECOND : WEIR_UNIT_DAY, n->whole % 100, 0.0) &&
             add_unit(sum, is_time ? WEIR_UNIT_MICROSECOND : WEIR_UNIT_DAY, 0, n->fraction);
        return ok ? READ_OK : READ_OUT_OF_RANGE;
    }
    if (!at_end && **p != (is_time ? ':' : '-')) {
        return READ_BAD_FORMAT;
    }
    if (!add_unit(sum, is_time ? WEIR_UNIT_HOUR : WEIR_UNIT_YEAR, n->whole, n->fraction)) {
        return READ_OUT_OF_RANGE;
    }
    return iso_list(p, is_time ? ':' : '-', is_time ? time_units : date_units, sum);
}

static enum outcome read_iso(struct weir_str text, struct sum *ret)
{
    char copy[WEIR_DATETIME_TEXT_BYTES_MAX];
    const char *p = copy;
    bool is_time = false, has_field = false;
    struct sum sum = { 0 };

    if (text.len < 2 || text.len >= sizeof(copy) || text.data[0] != 'P') {
        return READ_BAD_FORMAT;
    }
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    p++;
    while (*p != '\0') {
        struct iso_number n;
        enum outcome outcome;
        enum weir_datetime_unit unit;

        if (*p == 'T') {
            is_time = true;
            has_field = false;
            p++;
            continue;
        }
        outcome = iso_number(&p, &n);
        if (outcome != READ_OK) {
            return outcome;
        }
        unit = iso_unit(*p, is_time);
        if (unit != WEIR_UNIT_NONE) {
            p++;
            outcome = add_unit(&sum, unit, n.whole, n.fraction) ? READ_OK : READ_OUT_OF_RANGE;
        } else {
            outcome = has_field ? READ_BAD_FORMAT : iso_alternative(&p, &n, is_time, &sum);
        }
        if (outcome != READ_OK) {
            return outcome;
        }
        has_field = true;
    }
    *ret = sum;
    return READ_OK;
}

int weir_interval_parse(struct weir_str text, int32_t typmod, struct weir_interval *ret,
                        struct weir_value_error *verr)
{
    struct sum sum;
    int64_t months;
    enum outcome outcome = read_fields(text, &sum);

    if (outcome == READ_BAD_FORMAT) {
        outcome = read_iso(text, &sum);
    }
    if (outcome == READ_OUT_OF_RANGE) {
        return weir_value_error_set(verr, "22015", "interval field value out of range: \"%.*s\"",
                                    WEIR_STR_ARG(text));
    }
    if (outcome != READ_OK) {
        return weir_value_error_set(
            verr, "22007", "invalid input syntax for type interval: \"%.*s\"", WEIR_STR_ARG(text));
    }
    months = (int64_t)sum.years * MONTHS_PER_YEAR + sum.months;
    if (months < INT32_MIN || months > INT32_MAX) {
        return weir_value_error_set(verr, "22008", "interval out of range");
    }
    return weir_interval_fit(
        (struct weir_interval){ .us = sum.us, .days = sum.days, .months = (int32_t)months }, typmod,
        ret, verr);
}
