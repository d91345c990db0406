/* datetime_parse.c: the text of dates, times and timestamps.
 *
 * Nearly all texts are "YYYY-MM-DD HH:MM:SS" with or without fraction and offset: read_iso()
 * takes these. The rest goes through datetime_read.c. The result of both ways is the same where
 * both apply: tests/unit/chunk/test_value_text.c. */
#include "chunk/datetime.h"

#include "chunk/datetime_read.h"
#include "chunk/scalar_text.h"

enum { UNIX_EPOCH_DATE = -10957 };

/* "Z", "+hh", "+hhmm", "+hh:mm" up to the very end. */
static bool read_iso_offset(const char *p, const char *end, int32_t *ret_s)
{
    int32_t hours, minutes = 0;
    bool negative = *p == '-';

    if (*p == 'Z') {
        *ret_s = 0;
        return p + 1 == end;
    }
    if ((*p != '+' && *p != '-') || end - p < 3) {
        return false;
    }
    hours = weir_two_digits(p + 1);
    p += 3;
    if (p != end) {
        p += *p == ':';
        if (end - p != 2) {
            return false;
        }
        minutes = weir_two_digits(p);
    }
    if (hours < 0 || hours > WEIR_OFFSET_HOURS_MAX || minutes < 0 || minutes > 59) {
        return false;
    }
    *ret_s = (hours * 60 + minutes) * (negative ? -60 : 60);
    return true;
}

/* "YYYY-MM-DD", 'T' or a space, "HH:MM:SS", ".ffffff", an offset, all but the date optional but in
 * this order. false when the text is anything else, or not valid: the long way then finds out. */
static bool read_iso(struct weir_str text, int32_t *ret_date, int64_t *ret_time_us,
                     int32_t *ret_offset_s)
{
    const char *p = text.data;
    const char *end = p + text.len;
    int32_t year, month, day, hour, minute, second, fraction = 0;

    *ret_time_us = 0;
    *ret_offset_s = 0;
    if (text.len < 10 || p[4] != '-' || p[7] != '-') {
        return false;
    }
    year = weir_two_digits(p) < 0 || weir_two_digits(p + 2) < 0
               ? -1
               : weir_two_digits(p) * 100 + weir_two_digits(p + 2);
    month = weir_two_digits(p + 5);
    day = weir_two_digits(p + 8);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > weir_days_in_month(year, month)) {
        return false;
    }
    *ret_date = weir_days_from_civil(year, month, day);
    if (text.len == 10) {
        return true;
    }
    if (text.len < 19 || (p[10] != 'T' && p[10] != ' ') || p[13] != ':' || p[16] != ':') {
        return false;
    }
    hour = weir_two_digits(p + 11);
    minute = weir_two_digits(p + 14);
    second = weir_two_digits(p + 17);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) {
        return false;
    }
    p += 19;
    if (p < end && *p == '.') {
        int32_t unit = 1000000;
        for (p++; p < end && weir_char_is_digit(*p) && unit > 1; p++) {
            unit /= 10;
            fraction += (*p - '0') * unit;
        }
        if (unit == 1000000 || (p < end && weir_char_is_digit(*p))) {
            return false;
        }
    }
    *ret_time_us = ((hour * 60 + minute) * 60 + second) * WEIR_SECOND_US + fraction;
    return p == end || read_iso_offset(p, end, ret_offset_s);
}

static int read_error(enum weir_datetime_outcome outcome, const struct weir_datetime_reading *r,
                      const char *type_name, struct weir_str text, struct weir_value_error *verr)
{
    switch (outcome) {
    case WEIR_READ_OUT_OF_RANGE:
        return weir_value_error_set(verr, "22008", "date/time field value out of range: \"%.*s\"",
                                    WEIR_STR_ARG(text));
    case WEIR_READ_BAD_OFFSET:
        return weir_value_error_set(verr, "22009", "time zone displacement out of range: \"%.*s\"",
                                    WEIR_STR_ARG(text));
    case WEIR_READ_NEEDS_CLOCK:
        return weir_value_error_set(verr, "0A000",
                                    "\"%s\" as a value of type %s is not supported: it depends on "
                                    "when it is read; use now(), the batch's time",
                                    r->culprit, type_name);
    case WEIR_READ_BAD_ZONE:
        return weir_value_error_set(verr, "0A000",
                                    "time zone \"%s\" is not supported: give the offset from UTC "
                                    "instead, such as -05:00",
                                    r->culprit);
    case WEIR_READ_UNSUPPORTED:
        return weir_value_error_set(verr, "0A000",
                                    "units before the numbers of a %s are not supported: \"%.*s\"",
                                    type_name, WEIR_STR_ARG(text));
    default:
        return weir_value_error_set(verr, "22007", "invalid input syntax for type %s: \"%.*s\"",
                                    type_name, WEIR_STR_ARG(text));
    }
}

static int64_t time_of_day(const struct weir_datetime_reading *r)
{
    return r->hour * WEIR_HOUR_US + r->minute * WEIR_MINUTE_US + r->second * WEIR_SECOND_US +
           r->fraction_us;
}

int weir_date_parse(struct weir_str text, int32_t *ret, struct weir_value_error *verr)
{
    struct weir_datetime_fields fields;
    struct weir_datetime_reading r;
    int64_t time_us;
    int32_t offset_s, days;
    enum weir_datetime_outcome outcome;

    if (read_iso(text, &days, &time_us, &offset_s)) {
        *ret = days;
        return WEIR_OK;
    }
    outcome = weir_datetime_read(text, false, &fields, &r);
    if (outcome != WEIR_READ_OK) {
        return read_error(outcome, &r, "date", text, verr);
    }
    switch (r.special) {
    case WEIR_SPECIAL_EPOCH:
        *ret = UNIX_EPOCH_DATE;
        return WEIR_OK;
    case WEIR_SPECIAL_PINF:
    case WEIR_SPECIAL_NINF:
        *ret = r.special == WEIR_SPECIAL_PINF ? WEIR_DATE_PINF : WEIR_DATE_NINF;
        return WEIR_OK;
    case WEIR_SPECIAL_NONE:
        break;
    }
    days = weir_days_from_civil(r.year, r.month, r.day);
    if (days < WEIR_DATE_MIN || days >= WEIR_DATE_END) {
        return weir_value_error_set(verr, "22008", "date out of range: \"%.*s\"",
                                    WEIR_STR_ARG(text));
    }
    *ret = days;
    return WEIR_OK;
}

int weir_time_parse(struct weir_str text, int32_t typmod, int64_t *ret,
                    struct weir_value_error *verr)
{
    struct weir_datetime_fields fields;
    struct weir_datetime_reading r;
    enum weir_datetime_outcome outcome = weir_datetime_read(text, true, &fields, &r);

    if (outcome != WEIR_READ_OK) {
        return read_error(outcome, &r, "time", text, verr);
    }
    *ret = weir_timestamp_fit(time_of_day(&r), typmod);
    return WEIR_OK;
}

static int timestamp_parse(struct weir_str text, int32_t typmod, bool with_zone, int64_t *ret,
                           struct weir_value_error *verr)
{
    const char *type_name = with_zone ? "timestamp with time zone" : "timestamp";
    struct weir_datetime_fields fields;
    struct weir_datetime_reading r;
    int64_t us;
    int32_t days, offset_s;
    enum weir_datetime_outcome outcome;

    if (read_iso(text, &days, &us, &offset_s)) {
        us += days * WEIR_DAY_US - (with_zone ? offset_s * WEIR_SECOND_US : 0);
        *ret = weir_timestamp_fit(us, typmod);
        return WEIR_OK;
    }
    outcome = weir_datetime_read(text, false, &fields, &r);
    if (outcome != WEIR_READ_OK) {
        return read_error(outcome, &r, type_name, text, verr);
    }
    switch (r.special) {
    case WEIR_SPECIAL_EPOCH:
        *ret = -WEIR_UNIX_TO_PG_EPOCH_US;
        return WEIR_OK;
    case WEIR_SPECIAL_PINF:
    case WEIR_SPECIAL_NINF:
        *ret = r.special == WEIR_SPECIAL_PINF ? WEIR_TIMESTAMP_PINF : WEIR_TIMESTAMP_NINF;
        return WEIR_OK;
    case WEIR_SPECIAL_NONE:
        break;
    }
    days = weir_days_from_civil(r.year, r.month, r.day);
    us = time_of_day(&r) - (with_zone ? r.offset_s * WEIR_SECOND_US : 0);
    if (days < WEIR_DATE_MIN - 1 || days > WEIR_TIMESTAMP_END / WEIR_DAY_US ||
        __builtin_add_overflow(days * WEIR_DAY_US, us, &us) || us < WEIR_TIMESTAMP_MIN ||
        us >= WEIR_TIMESTAMP_END) {
        return weir_value_error_set(verr, "22008", "timestamp out of range: \"%.*s\"",
                                    WEIR_STR_ARG(text));
    }
    *ret = weir_timestamp_fit(us, typmod);
    return WEIR_OK;
}

int weir_timestamp_parse(struct weir_str text, int32_t typmod, int64_t *ret,
                         struct weir_value_error *verr)
{
    return timestamp_parse(text, typmod, false, ret, verr);
}

int weir_timestamptz_parse(struct weir_str text, int32_t typmod, int64_t *ret,
                           struct weir_value_error *verr)
{
    return timestamp_parse(text, typmod, true, ret, verr);
}
