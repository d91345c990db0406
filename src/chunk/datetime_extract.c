/* datetime_extract.c: extract() and date_trunc() of dates, times, timestamps and intervals. */
#include "chunk/datetime.h"
#include "chunk/datetime_fields.h"
#include "chunk/decimal.h"

enum {
    SECONDS_PER_DAY = 86400,
    JULIAN_OF_EPOCH = 2451545,
    UNIX_EPOCH_DATE = -10957,
    MONTHS_PER_YEAR = 12,
};

enum { UNIT_NAME_BYTES = 64 }; /* PostgreSQL cuts names there */

static void lower_name(struct weir_str name, char ret[UNIT_NAME_BYTES])
{
    size_t len = name.len < UNIT_NAME_BYTES ? name.len : UNIT_NAME_BYTES - 1;

    for (size_t i = 0; i < len; i++) {
        char c = name.data[i];
        ret[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    ret[len] = '\0';
}

static enum weir_datetime_unit find_unit(struct weir_str name)
{
    char lower[UNIT_NAME_BYTES];
    enum weir_datetime_unit unit;

    lower_name(name, lower);
    unit = weir_datetime_unit(lower);
    return unit == WEIR_UNIT_AGO ? WEIR_UNIT_NONE : unit;
}

static int unit_error(enum weir_datetime_unit unit, struct weir_str name, enum weir_type_id type,
                      struct weir_value_error *verr)
{
    bool is_known = unit != WEIR_UNIT_NONE;
    char lower[UNIT_NAME_BYTES];

    lower_name(name, lower);
    return weir_value_error_set(verr, is_known ? "0A000" : "22023",
                                "unit \"%s\" not %s for type %s", lower,
                                is_known ? "supported" : "recognized", weir_type_sql_name(type));
}

/* Monday of the week of a day. */
static int32_t week_start(int32_t days)
{
    return days - (weir_day_of_week(days) + 6) % 7;
}

/* The ISO year is the one that holds the week's Thursday. */
static int32_t iso_year(int32_t days)
{
    return weir_civil_from_days(week_start(days) + 3).year;
}

static int32_t iso_week(int32_t days)
{
    int32_t thursday = week_start(days) + 3;
    int32_t year = weir_civil_from_days(thursday).year;

    return (thursday - weir_days_from_civil(year, 1, 1)) / 7 + 1;
}

/* Years as people count them: there is no year 0. */
static int32_t shown_year(int32_t year)
{
    return year > 0 ? year : year - 1;
}

/* The century or millennium: of 100 or 1000 years, the first one of them being year 1. */
static int32_t group_of_years(int32_t year, int32_t size)
{
    return year > 0 ? (year + size - 1) / size : -((size - 1 - (year - 1)) / size);
}

/* Decades are counted from year 0, and floor downwards. */
static int32_t decade_of(int32_t year)
{
    return year >= 0 ? year / 10 : -((8 - (year - 1)) / 10);
}

/* Units that only need the day; false for the others. */
static bool extract_day_unit(enum weir_datetime_unit unit, int32_t days, int32_t *ret)
{
    struct weir_civil civil = weir_civil_from_days(days);
    int32_t day_of_week = weir_day_of_week(days);

    switch (unit) {
    case WEIR_UNIT_DAY:
        *ret = civil.day;
        return true;
    case WEIR_UNIT_WEEK:
        *ret = iso_week(days);
        return true;
    case WEIR_UNIT_MONTH:
        *ret = civil.month;
        return true;
    case WEIR_UNIT_QUARTER:
        *ret = (civil.month - 1) / 3 + 1;
        return true;
    case WEIR_UNIT_YEAR:
        *ret = shown_year(civil.year);
        return true;
    case WEIR_UNIT_DECADE:
        *ret = decade_of(civil.year);
        return true;
    case WEIR_UNIT_CENTURY:
        *ret = group_of_years(civil.year, 100);
        return true;
    case WEIR_UNIT_MILLENNIUM:
        *ret = group_of_years(civil.year, 1000);
        return true;
    case WEIR_UNIT_DAY_OF_WEEK:
        *ret = day_of_week;
        return true;
    case WEIR_UNIT_ISO_DAY_OF_WEEK:
        *ret = day_of_week == 0 ? 7 : day_of_week;
        return true;
    case WEIR_UNIT_DAY_OF_YEAR:
        *ret = days - weir_days_from_civil(civil.year, 1, 1) + 1;
        return true;
    case WEIR_UNIT_ISO_YEAR:
        *ret = shown_year(iso_year(days));
        return true;
    default:
        return false;
    }
}

/* Units that only need the time of day; false for the others. */
static bool extract_time_unit(enum weir_datetime_unit unit, int64_t us, struct weir_numeric *ret)
{
    int64_t minute_us = us % WEIR_MINUTE_US; /* seconds and what is below */

    switch (unit) {
    case WEIR_UNIT_MICROSECOND:
        *ret = weir_numeric_small(minute_us, 0);
        return true;
    case WEIR_UNIT_MILLISECOND:
        *ret = weir_numeric_small(minute_us, 3);
        return true;
    case WEIR_UNIT_SECOND:
        *ret = weir_numeric_small(minute_us, 6);
        return true;
    case WEIR_UNIT_MINUTE:
        *ret = weir_numeric_small(us / WEIR_MINUTE_US % 60, 0);
        return true;
    case WEIR_UNIT_HOUR:
        *ret = weir_numeric_small(us / WEIR_HOUR_US, 0);
        return true;
    default:
        return false;
    }
}

/* Of an infinity, what grows without end is infinite, and what goes round is null. */
static void extract_infinity(enum weir_datetime_unit unit, bool negative, struct weir_numeric *ret,
                             bool *ret_null)
{
    switch (unit) {
    case WEIR_UNIT_YEAR:
    case WEIR_UNIT_DECADE:
    case WEIR_UNIT_CENTURY:
    case WEIR_UNIT_MILLENNIUM:
    case WEIR_UNIT_JULIAN:
    case WEIR_UNIT_ISO_YEAR:
    case WEIR_UNIT_EPOCH:
        *ret_null = false;
        *ret = weir_numeric_special(negative ? WEIR_NUMERIC_NINF : WEIR_NUMERIC_PINF);
        return;
    default:
        *ret_null = true;
        return;
    }
}

int weir_date_extract(struct weir_str name, int32_t date, struct weir_arena *arena,
                      struct weir_numeric *ret, bool *ret_null, struct weir_value_error *verr)
{
    enum weir_datetime_unit unit = find_unit(name);
    int32_t value;

    (void)arena; /* one signature for all; whole numbers need none */
    if (unit != WEIR_UNIT_JULIAN && unit != WEIR_UNIT_EPOCH && !extract_day_unit(unit, 0, &value)) {
        return unit_error(unit, name, WEIR_TYPE_DATE, verr);
    }
    *ret_null = false;
    if (!weir_date_is_finite(date)) {
        extract_infinity(unit, date == WEIR_DATE_NINF, ret, ret_null);
    } else if (unit == WEIR_UNIT_JULIAN) {
        *ret = weir_numeric_small((int64_t)date + JULIAN_OF_EPOCH, 0);
    } else if (unit == WEIR_UNIT_EPOCH) {
        *ret = weir_numeric_small(((int64_t)date - UNIX_EPOCH_DATE) * SECONDS_PER_DAY, 0);
    } else {
        (void)extract_day_unit(unit, date, &value); /* known, see above */
        *ret = weir_numeric_small(value, 0);
    }
    return WEIR_OK;
}

int weir_time_extract(struct weir_str name, int64_t us, struct weir_arena *arena,
                      struct weir_numeric *ret, struct weir_value_error *verr)
{
    enum weir_datetime_unit unit = find_unit(name);

    (void)arena; /* as above */
    if (unit == WEIR_UNIT_EPOCH) {
        *ret = weir_numeric_small(us, 6);
        return WEIR_OK;
    }
    return extract_time_unit(unit, us, ret) ? WEIR_OK
                                            : unit_error(unit, name, WEIR_TYPE_TIME, verr);
}

/* The Julian day with the time as its fraction. */
static int extract_julian(int32_t days, int64_t time_us, struct weir_arena *arena,
                          struct weir_numeric *ret, struct weir_value_error *verr)
{
    struct weir_numeric fraction;
    int rc = weir_numeric_div(weir_numeric_small(time_us, 0), weir_numeric_small(WEIR_DAY_US, 0),
                              arena, &fraction, verr);

    if (rc != WEIR_OK) {
        return rc;
    }
    return weir_numeric_add(weir_numeric_small((int64_t)days + JULIAN_OF_EPOCH, 0), fraction, arena,
                            ret, verr);
}

/* Seconds since 1970. Where the microseconds take more than 64 bits, PostgreSQL divides, and so
 * rounds to the 16 digits of a quotient. */
static int extract_epoch(int64_t us, struct weir_arena *arena, struct weir_numeric *ret,
                         struct weir_value_error *verr)
{
    struct weir_numeric value;
    int64_t sum;
    int rc;

    if (!__builtin_add_overflow(us, WEIR_UNIX_TO_PG_EPOCH_US, &sum)) {
        *ret = weir_numeric_small(sum, 6);
        return WEIR_OK;
    }
    rc = weir_numeric_add(weir_numeric_small(us, 0),
                          weir_numeric_small(WEIR_UNIX_TO_PG_EPOCH_US, 0), arena, &value, verr);
    if (rc == WEIR_OK) {
        rc = weir_numeric_div(value, weir_numeric_small(WEIR_SECOND_US, 0), arena, &value, verr);
    }
    return rc != WEIR_OK ? rc : weir_numeric_round(value, 6, arena, ret, verr);
}

int weir_timestamp_extract(struct weir_str name, int64_t us, bool with_zone,
                           struct weir_arena *arena, struct weir_numeric *ret, bool *ret_null,
                           struct weir_value_error *verr)
{
    enum weir_datetime_unit unit = find_unit(name);
    enum weir_type_id type = with_zone ? WEIR_TYPE_TIMESTAMPTZ : WEIR_TYPE_TIMESTAMP;
    int32_t days, value;
    int64_t time_us;

    *ret_null = false;
    if (!weir_timestamp_is_finite(us) && unit != WEIR_UNIT_NONE) {
        extract_infinity(unit, us == WEIR_TIMESTAMP_NINF, ret, ret_null);
        return WEIR_OK;
    }
    weir_timestamp_split(us, &days, &time_us);
    if (extract_time_unit(unit, time_us, ret)) {
        return WEIR_OK;
    }
    if (extract_day_unit(unit, days, &value)) {
        *ret = weir_numeric_small(value, 0);
        return WEIR_OK;
    }
    switch (unit) {
    case WEIR_UNIT_JULIAN:
        return extract_julian(days, time_us, arena, ret, verr);
    case WEIR_UNIT_EPOCH:
        return extract_epoch(us, arena, ret, verr);
    case WEIR_UNIT_ZONE:
    case WEIR_UNIT_ZONE_HOUR:
    case WEIR_UNIT_ZONE_MINUTE:
        if (with_zone) {
            *ret = weir_numeric_small(0, 0); /* UTC */
            return WEIR_OK;
        }
        return unit_error(unit, name, type, verr);
    default:
        return unit_error(unit, name, type, verr);
    }
}

int weir_interval_extract(struct weir_str name, struct weir_interval interval,
                          struct weir_arena *arena, struct weir_numeric *ret,
                          struct weir_value_error *verr)
{
    enum weir_datetime_unit unit = find_unit(name);
    int32_t year = interval.months / MONTHS_PER_YEAR, month = interval.months % MONTHS_PER_YEAR;
    int64_t quarter_days; /* a year has 365.25 of them, so all is counted in quarters */
    int64_t value;

    if (extract_time_unit(unit, interval.us, ret)) {
        return WEIR_OK;
    }
    switch (unit) {
    case WEIR_UNIT_DAY:
        value = interval.days;
        break;
    case WEIR_UNIT_MONTH:
        value = month;
        break;
    case WEIR_UNIT_QUARTER:
        value = month / 3 + 1;
        break;
    case WEIR_UNIT_YEAR:
        value = year;
        break;
    case WEIR_UNIT_DECADE:
        value = year / 10;
        break;
    case WEIR_UNIT_CENTURY:
        value = year / 100;
        break;
    case WEIR_UNIT_MILLENNIUM:
        value = year / 1000;
        break;
    case WEIR_UNIT_EPOCH:
        quarter_days = INT64_C(1461) * year + 120 * (int64_t)month + 4 * (int64_t)interval.days;
        return weir_numeric_add(weir_numeric_small(quarter_days * (SECONDS_PER_DAY / 4), 0),
                                weir_numeric_small(interval.us, 6), arena, ret, verr);
    default:
        return unit_error(unit, name, WEIR_TYPE_INTERVAL, verr);
    }
    *ret = weir_numeric_small(value, 0);
    return WEIR_OK;
}

/* The first day of the unit that holds a day; false for units that are not made of days. */
static bool trunc_day_unit(enum weir_datetime_unit unit, int32_t days, int32_t *ret)
{
    struct weir_civil civil = weir_civil_from_days(days);
    int32_t year = civil.year, month = 1;

    switch (unit) {
    case WEIR_UNIT_DAY:
        *ret = days;
        return true;
    case WEIR_UNIT_WEEK:
        *ret = week_start(days);
        return true;
    case WEIR_UNIT_MONTH:
        month = civil.month;
        break;
    case WEIR_UNIT_QUARTER:
        month = (civil.month - 1) / 3 * 3 + 1;
        break;
    case WEIR_UNIT_YEAR:
        break;
    case WEIR_UNIT_DECADE:
        year = decade_of(year) * 10;
        break;
    case WEIR_UNIT_CENTURY:
    case WEIR_UNIT_MILLENNIUM: {
        int32_t size = unit == WEIR_UNIT_CENTURY ? 100 : 1000;
        int32_t group = group_of_years(year, size);
        year = group > 0 ? group * size - (size - 1) : group * size + 1;
        break;
    }
    default:
        return false;
    }
    *ret = weir_days_from_civil(year, month, 1);
    return true;
}

/* Microseconds of a unit below the day; 0 for others. */
static int64_t unit_us(enum weir_datetime_unit unit)
{
    switch (unit) {
    case WEIR_UNIT_MICROSECOND:
        return 1;
    case WEIR_UNIT_MILLISECOND:
        return 1000;
    case WEIR_UNIT_SECOND:
        return WEIR_SECOND_US;
    case WEIR_UNIT_MINUTE:
        return WEIR_MINUTE_US;
    case WEIR_UNIT_HOUR:
        return WEIR_HOUR_US;
    default:
        return 0;
    }
}

int weir_timestamp_trunc(struct weir_str name, int64_t us, bool with_zone, int64_t *ret,
                         struct weir_value_error *verr)
{
    enum weir_datetime_unit unit = find_unit(name);
    int64_t step_us = unit_us(unit);
    int32_t days;
    int64_t time_us;

    if (!weir_timestamp_is_finite(us)) {
        *ret = us;
        return WEIR_OK;
    }
    weir_timestamp_split(us, &days, &time_us);
    if (step_us != 0) {
        us = days * WEIR_DAY_US + time_us / step_us * step_us;
    } else if (trunc_day_unit(unit, days, &days)) {
        us = days * WEIR_DAY_US;
    } else {
        return unit_error(unit > WEIR_UNIT_TRUNC_LAST ? WEIR_UNIT_NONE : unit, name,
                          with_zone ? WEIR_TYPE_TIMESTAMPTZ : WEIR_TYPE_TIMESTAMP, verr);
    }
    /* Cutting goes below the range, or what timestamp(0) rounded up was above it. */
    if (us < WEIR_TIMESTAMP_MIN || us >= WEIR_TIMESTAMP_END) {
        return weir_value_error_set(verr, "22008", "timestamp out of range");
    }
    *ret = us;
    return WEIR_OK;
}

int weir_interval_trunc(struct weir_str name, struct weir_interval interval,
                        struct weir_interval *ret, struct weir_value_error *verr)
{
    enum weir_datetime_unit unit = find_unit(name);
    int64_t step_us = unit_us(unit);
    int32_t step_months;

    if (step_us != 0 || unit == WEIR_UNIT_DAY) {
        interval.us = step_us == 0 ? 0 : interval.us / step_us * step_us;
        *ret = interval;
        return WEIR_OK;
    }
    switch (unit) {
    case WEIR_UNIT_MONTH:
        step_months = 1;
        break;
    case WEIR_UNIT_QUARTER:
        step_months = 3;
        break;
    case WEIR_UNIT_YEAR:
        step_months = MONTHS_PER_YEAR;
        break;
    case WEIR_UNIT_DECADE:
        step_months = 10 * MONTHS_PER_YEAR;
        break;
    case WEIR_UNIT_CENTURY:
        step_months = 100 * MONTHS_PER_YEAR;
        break;
    case WEIR_UNIT_MILLENNIUM:
        step_months = 1000 * MONTHS_PER_YEAR;
        break;
    default:
        return unit_error(unit > WEIR_UNIT_TRUNC_LAST ? WEIR_UNIT_NONE : unit, name,
                          WEIR_TYPE_INTERVAL, verr);
    }
    *ret = (struct weir_interval){ .months = interval.months / step_months * step_months };
    return WEIR_OK;
}
