/* time_kernels.c: arithmetic, fields and casts of dates, times, timestamps and intervals.
 *
 * Uses     chunk/datetime.h and chunk/interval.h for each value; zone.h for AT TIME ZONE. */
#include "expr/time_kernels.h"

#include <math.h>
#include <strings.h>

#include "chunk/datetime.h"
#include "chunk/decimal.h"
#include "chunk/interval.h"
#include "chunk/scalar_text.h"

/* A function of two values; the arguments may stand in either order. */
#define CALL_2(function, a, b, to) function(args[0].a[row], args[1].b[row], &ret->to[row], &verr)
#define CALL_SWAPPED(function, a, b, to) \
    function(args[1].a[row], args[0].b[row], &ret->to[row], &verr)

/* ---- arithmetic ------------------------------------------------------------------------------ */

static int date_add_interval(int32_t date, struct weir_interval interval, int64_t *ret,
                             struct weir_value_error *verr)
{
    int64_t us;
    int rc = weir_date_to_timestamp(date, &us, verr);

    return rc == WEIR_OK ? weir_timestamp_add_interval(us, interval, ret, verr) : rc;
}

static int date_sub_interval(int32_t date, struct weir_interval interval, int64_t *ret,
                             struct weir_value_error *verr)
{
    int64_t us;
    int rc = weir_date_to_timestamp(date, &us, verr);

    return rc == WEIR_OK ? weir_timestamp_sub_interval(us, interval, ret, verr) : rc;
}

WEIR_VALUE_KERNEL(date_add_days, CALL_2(weir_date_add_days, i4, i4, i4))
WEIR_VALUE_KERNEL(days_add_date, CALL_SWAPPED(weir_date_add_days, i4, i4, i4))
WEIR_VALUE_KERNEL(date_sub_days, weir_date_add_days(args[0].i4[row], -(int64_t)args[1].i4[row],
                                                    &ret->i4[row], &verr))
WEIR_VALUE_KERNEL(date_add_interval, CALL_2(date_add_interval, i4, interval, i8))
WEIR_VALUE_KERNEL(interval_add_date, CALL_SWAPPED(date_add_interval, i4, interval, i8))
WEIR_VALUE_KERNEL(date_sub_interval, CALL_2(date_sub_interval, i4, interval, i8))
WEIR_VALUE_KERNEL(date_add_time, CALL_2(weir_date_add_time, i4, i8, i8))
WEIR_VALUE_KERNEL(time_add_date, CALL_SWAPPED(weir_date_add_time, i4, i8, i8))
WEIR_VALUE_KERNEL(date_sub, CALL_2(weir_date_sub, i4, i4, i4))
WEIR_VALUE_KERNEL(ts_add_interval, CALL_2(weir_timestamp_add_interval, i8, interval, i8))
WEIR_VALUE_KERNEL(interval_add_ts, CALL_SWAPPED(weir_timestamp_add_interval, i8, interval, i8))
WEIR_VALUE_KERNEL(ts_sub_interval, CALL_2(weir_timestamp_sub_interval, i8, interval, i8))
WEIR_VALUE_KERNEL(ts_sub, CALL_2(weir_timestamp_sub, i8, i8, interval))
WEIR_VALUE_KERNEL(interval_add, CALL_2(weir_interval_add, interval, interval, interval))
WEIR_VALUE_KERNEL(interval_sub, CALL_2(weir_interval_sub, interval, interval, interval))
WEIR_VALUE_KERNEL(interval_mul, CALL_2(weir_interval_mul, interval, f8, interval))
WEIR_VALUE_KERNEL(mul_interval, CALL_SWAPPED(weir_interval_mul, interval, f8, interval))
WEIR_VALUE_KERNEL(interval_div, CALL_2(weir_interval_div, interval, f8, interval))
WEIR_VALUE_KERNEL(interval_neg,
                  weir_interval_neg(args[0].interval[row], &ret->interval[row], &verr))
WEIR_SAFE_KERNEL(time_add_interval, i8,
                 weir_time_add_interval(args[0].i8[row], args[1].interval[row]))
WEIR_SAFE_KERNEL(interval_add_time, i8,
                 weir_time_add_interval(args[1].i8[row], args[0].interval[row]))
WEIR_SAFE_KERNEL(time_sub_interval, i8,
                 weir_time_sub_interval(args[0].i8[row], args[1].interval[row]))
WEIR_SAFE_KERNEL(time_sub, interval, weir_time_sub(args[0].i8[row], args[1].i8[row]))

WEIR_VALUE_KERNEL(justify_hours,
                  weir_interval_justify_hours(args[0].interval[row], &ret->interval[row], &verr))
WEIR_VALUE_KERNEL(justify_days,
                  weir_interval_justify_days(args[0].interval[row], &ret->interval[row], &verr))
WEIR_VALUE_KERNEL(justify_interval,
                  weir_interval_justify(args[0].interval[row], &ret->interval[row], &verr))

WEIR_SAFE_KERNEL(isfinite_date, b, weir_date_is_finite(args[0].i4[row]))
WEIR_SAFE_KERNEL(isfinite_ts, b, weir_timestamp_is_finite(args[0].i8[row]))
WEIR_SAFE_KERNEL(isfinite_interval, b, 1)

/* ---- fields ---------------------------------------------------------------------------------- */

/* One field of the value in a row. */
typedef int extract_fn(struct weir_str unit, const struct weir_vec *value, uint32_t row,
                       struct weir_arena *arena, struct weir_numeric *ret, bool *ret_null,
                       struct weir_value_error *verr);

static int extract_date(struct weir_str unit, const struct weir_vec *value, uint32_t row,
                        struct weir_arena *arena, struct weir_numeric *ret, bool *ret_null,
                        struct weir_value_error *verr)
{
    return weir_date_extract(unit, value->i4[row], arena, ret, ret_null, verr);
}

static int extract_time(struct weir_str unit, const struct weir_vec *value, uint32_t row,
                        struct weir_arena *arena, struct weir_numeric *ret, bool *ret_null,
                        struct weir_value_error *verr)
{
    *ret_null = false;
    return weir_time_extract(unit, value->i8[row], arena, ret, verr);
}

static int extract_ts(struct weir_str unit, const struct weir_vec *value, uint32_t row,
                      struct weir_arena *arena, struct weir_numeric *ret, bool *ret_null,
                      struct weir_value_error *verr)
{
    return weir_timestamp_extract(unit, value->i8[row], false, arena, ret, ret_null, verr);
}

static int extract_tstz(struct weir_str unit, const struct weir_vec *value, uint32_t row,
                        struct weir_arena *arena, struct weir_numeric *ret, bool *ret_null,
                        struct weir_value_error *verr)
{
    return weir_timestamp_extract(unit, value->i8[row], true, arena, ret, ret_null, verr);
}

static int extract_interval(struct weir_str unit, const struct weir_vec *value, uint32_t row,
                            struct weir_arena *arena, struct weir_numeric *ret, bool *ret_null,
                            struct weir_value_error *verr)
{
    *ret_null = false;
    return weir_interval_extract(unit, value->interval[row], arena, ret, verr);
}

/* date_part() takes a date for the timestamp at which it begins, extract() does not. */
static int extract_date_begin(struct weir_str unit, const struct weir_vec *value, uint32_t row,
                              struct weir_arena *arena, struct weir_numeric *ret, bool *ret_null,
                              struct weir_value_error *verr)
{
    int64_t us;
    int rc = weir_date_to_timestamp(value->i4[row], &us, verr);

    return rc == WEIR_OK ? weir_timestamp_extract(unit, us, false, arena, ret, ret_null, verr) : rc;
}

/* A field as PostgreSQL computes it in floating point: seconds are the sum of whole ones and their
 * fraction, which is not always the double nearest to the decimal number. */
static int field_as_float(struct weir_str unit, struct weir_numeric field, struct weir_arena *arena,
                          double *ret, struct weir_value_error *verr)
{
    bool is_epoch = unit.len == 5 && strncasecmp(unit.data, "epoch", 5) == 0;
    int64_t seconds = field.small / WEIR_SECOND_US, rest_us = field.small % WEIR_SECOND_US;

    if (field.kind == WEIR_NUMERIC_SMALL && field.scale == 6 && !is_epoch) {
        *ret = (double)seconds + (double)rest_us / 1e6;
        return WEIR_OK;
    }
    if (field.kind == WEIR_NUMERIC_SMALL && field.scale == 6) {
        *ret = (double)field.small / 1e6;
        return WEIR_OK;
    }
    if (field.kind == WEIR_NUMERIC_SMALL && field.scale == 3) {
        *ret = (double)seconds * 1e3 + (double)rest_us / 1e3;
        return WEIR_OK;
    }
    return weir_numeric_to_float8(field, arena, ret, verr);
}

static int extract_rows(struct weir_eval *eval, const struct weir_vec *args, uint32_t rows,
                        struct weir_sel sel, extract_fn *extract, bool as_float,
                        struct weir_vec *ret)
{
    struct weir_value_error verr;
    int rc = WEIR_OK;

    for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        struct weir_str unit = args[0].str[row];
        struct weir_numeric field;
        bool is_null = false;

        rc = extract(unit, &args[1], row, eval->arena, &field, &is_null, &verr);
        if (rc == WEIR_OK && is_null) {
            rc = weir_eval_set_null(eval, row, rows, ret);
            continue;
        }
        if (rc == WEIR_OK && as_float) {
            rc = field_as_float(unit, field, eval->arena, &ret->f8[row], &verr);
        } else if (rc == WEIR_OK) {
            ret->num[row] = field;
        }
        if (rc != WEIR_OK) {
            rc = weir_eval_fail_value(eval, row, rows, rc, &verr);
        }
    }
    return rc;
}

#define EXTRACT(name, function, as_float)                                    \
    WEIR_KERNEL(name)                                                        \
    {                                                                        \
        return extract_rows(eval, args, rows, sel, function, as_float, ret); \
    }

EXTRACT(extract_date, extract_date, false)
EXTRACT(extract_time, extract_time, false)
EXTRACT(extract_ts, extract_ts, false)
EXTRACT(extract_tstz, extract_tstz, false)
EXTRACT(extract_interval, extract_interval, false)
EXTRACT(part_date, extract_date_begin, true)
EXTRACT(part_time, extract_time, true)
EXTRACT(part_ts, extract_ts, true)
EXTRACT(part_tstz, extract_tstz, true)
EXTRACT(part_interval, extract_interval, true)

WEIR_VALUE_KERNEL(trunc_ts, weir_timestamp_trunc(args[0].str[row], args[1].i8[row], false,
                                                 &ret->i8[row], &verr))
WEIR_VALUE_KERNEL(trunc_tstz, weir_timestamp_trunc(args[0].str[row], args[1].i8[row], true,
                                                   &ret->i8[row], &verr))
WEIR_VALUE_KERNEL(trunc_interval, weir_interval_trunc(args[0].str[row], args[1].interval[row],
                                                      &ret->interval[row], &verr))

/* ---- AT TIME ZONE ---------------------------------------------------------------------------- */

/* us moved by seconds, in the range of timestamps. */
static int move_seconds(int64_t us, int64_t seconds, int64_t *ret, struct weir_value_error *verr)
{
    int64_t moved;

    if (!weir_timestamp_is_finite(us)) {
        *ret = us;
        return WEIR_OK;
    }
    if (__builtin_add_overflow(us, seconds * WEIR_SECOND_US, &moved) ||
        moved < WEIR_TIMESTAMP_MIN || moved >= WEIR_TIMESTAMP_END) {
        return weir_value_error_set(verr, "22008", "timestamp out of range");
    }
    *ret = moved;
    return WEIR_OK;
}

/* Reads one or two digits; false when there is none or the number is above max. */
static bool read_number(struct weir_str *text, int64_t max, int64_t *ret)
{
    int64_t number = 0;
    size_t digits = 0;

    while (digits < text->len && text->data[digits] >= '0' && text->data[digits] <= '9' &&
           number <= max) {
        number = 10 * number + (text->data[digits] - '0');
        digits++;
    }
    text->data += digits;
    text->len -= digits;
    *ret = number;
    return digits != 0 && number <= max;
}

/* "+2", "-05:30", "+1:2:3": as in POSIX, what is added to local time to get UTC. */
static bool read_posix_offset(struct weir_str zone, int64_t *ret_seconds)
{
    static const int64_t unit_seconds[] = { 3600, 60, 1 };
    static const int64_t unit_max[] = { 167, 59, 59 };
    int64_t sign, number, seconds = 0;

    if (zone.len == 0 || (zone.data[0] != '+' && zone.data[0] != '-')) {
        return false;
    }
    sign = zone.data[0] == '-' ? -1 : 1;
    for (int unit = 0; unit < 3 && (unit == 0 || zone.len != 0); unit++) {
        if (unit != 0 && zone.data[0] != ':') {
            return false;
        }
        zone.data++;
        zone.len--;
        if (!read_number(&zone, unit_max[unit], &number)) {
            return false;
        }
        seconds += number * unit_seconds[unit];
    }
    *ret_seconds = sign * seconds;
    return zone.len == 0;
}

/* Seconds to add to local time to get UTC. Other zones would need a database of their rules, which
 * changes from year to year: then the same batch could be computed twice with two results. */
static int zone_seconds(struct weir_str zone, int64_t *ret, struct weir_value_error *verr)
{
    static const char *const names[] = { "utc", "gmt", "z", "uct", "zulu", "etc/utc", "etc/gmt" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == zone.len && strncasecmp(names[i], zone.data, zone.len) == 0) {
            *ret = 0;
            return WEIR_OK;
        }
    }
    if (read_posix_offset(zone, ret)) {
        return WEIR_OK;
    }
    return weir_value_error_set(verr, WEIR_SQLSTATE_NOT_SUPPORTED,
                                "time zone \"%.*s\" is not supported: use UTC or an offset",
                                WEIR_STR_ARG(zone));
}

static int zone_to_ts(struct weir_str zone, int64_t us, int64_t *ret, struct weir_value_error *verr)
{
    int64_t seconds;
    int rc = zone_seconds(zone, &seconds, verr);

    return rc == WEIR_OK ? move_seconds(us, -seconds, ret, verr) : rc;
}

static int zone_from_ts(struct weir_str zone, int64_t us, int64_t *ret,
                        struct weir_value_error *verr)
{
    int64_t seconds;
    int rc = zone_seconds(zone, &seconds, verr);

    return rc == WEIR_OK ? move_seconds(us, seconds, ret, verr) : rc;
}

/* An interval is what local time is ahead of UTC; sign -1 goes back to UTC. */
static int zone_interval(struct weir_interval zone, int64_t us, int64_t sign, int64_t *ret,
                         struct weir_value_error *verr)
{
    char text[WEIR_SCALAR_TEXT_BYTES];

    if (!weir_timestamp_is_finite(us)) {
        *ret = us;
        return WEIR_OK;
    }
    if (zone.months != 0 || zone.days != 0) {
        int len = (int)weir_interval_print(zone, text);
        return weir_value_error_set(verr, WEIR_SQLSTATE_INVALID_PARAMETER,
                                    "interval time zone \"%.*s\" must not include months or days",
                                    len, text);
    }
    return move_seconds(us, sign * (zone.us / WEIR_SECOND_US), ret, verr);
}

WEIR_VALUE_KERNEL(zone_to_ts, CALL_2(zone_to_ts, str, i8, i8))
WEIR_VALUE_KERNEL(zone_from_ts, CALL_2(zone_from_ts, str, i8, i8))
WEIR_VALUE_KERNEL(zone_interval_to_ts,
                  zone_interval(args[0].interval[row], args[1].i8[row], 1, &ret->i8[row], &verr))
WEIR_VALUE_KERNEL(zone_interval_from_ts,
                  zone_interval(args[0].interval[row], args[1].i8[row], -1, &ret->i8[row], &verr))

/* ---- casts ----------------------------------------------------------------------------------- */

/* In UTC both kinds of timestamp are the same number, but rounding to fewer digits of a second may
 * have left the range, which PostgreSQL notices here. */
static int ts_to_ts(int64_t us, int64_t *ret, struct weir_value_error *verr)
{
    return move_seconds(us, 0, ret, verr);
}

WEIR_VALUE_KERNEL(ts_to_ts, ts_to_ts(args[0].i8[row], &ret->i8[row], &verr))
WEIR_VALUE_KERNEL(date_to_ts, weir_date_to_timestamp(args[0].i4[row], &ret->i8[row], &verr))
WEIR_SAFE_KERNEL(ts_to_date, i4, weir_timestamp_to_date(args[0].i8[row]))
WEIR_SAFE_KERNEL(time_to_interval, interval, weir_time_to_interval(args[0].i8[row]))
WEIR_SAFE_KERNEL(interval_to_time, i8, weir_interval_to_time(args[0].interval[row]))
WEIR_SAFE_KERNEL(ts_fit, i8, weir_timestamp_fit(args[0].i8[row], eval->typmod))
WEIR_VALUE_KERNEL(interval_fit, weir_interval_fit(args[0].interval[row], eval->typmod,
                                                  &ret->interval[row], &verr))

WEIR_KERNEL(ts_to_time)
{
    int rc = WEIR_OK;

    for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        bool is_null = false;
        ret->i8[row] = weir_timestamp_to_time(args[0].i8[row], &is_null);
        if (is_null) {
            rc = weir_eval_set_null(eval, row, rows, ret);
        }
    }
    return rc;
}

/* to_timestamp(): seconds since 1970, rounded to microseconds after the epoch has moved to 2000. */
static int from_unix_seconds(double seconds, int64_t *ret, struct weir_value_error *verr)
{
    static const double unix_epoch_s = 946684800.0;

    if (isnan(seconds)) {
        return weir_value_error_set(verr, "22008", "timestamp cannot be NaN");
    }
    if (isinf(seconds)) {
        *ret = seconds < 0 ? WEIR_TIMESTAMP_NINF : WEIR_TIMESTAMP_PINF;
        return WEIR_OK;
    }
    double us = rint((seconds - unix_epoch_s) * 1e6);
    if (us < (double)WEIR_TIMESTAMP_MIN || us >= (double)WEIR_TIMESTAMP_END) {
        return weir_value_error_set(verr, "22008", "timestamp out of range: \"%g\"", seconds);
    }
    *ret = (int64_t)us;
    return WEIR_OK;
}

WEIR_VALUE_KERNEL(to_timestamp, from_unix_seconds(args[0].f8[row], &ret->i8[row], &verr))
