/* datetime.h: date, time, timestamp and timestamptz, as PostgreSQL with time zone UTC.
 *
 * Values are as in type.h. The calendar is the proleptic Gregorian one. A timestamptz is computed
 * and printed in UTC, so all timestamp functions serve it too.
 *
 * D1  Pure: nothing asks a clock, so 'now', 'today', 'tomorrow' and 'yesterday' are refused (0A000)
 *     where PostgreSQL would take them.
 * datetime.c has calendar, printing, casts and arithmetic, datetime_parse.c and
 * datetime_read.c read, datetime_extract.c has extract and date_trunc. */
#ifndef WEIR_CHUNK_DATETIME_H
#define WEIR_CHUNK_DATETIME_H

#include "base/arena.h"
#include "base/str.h"
#include "chunk/type.h"
#include "chunk/value_error.h"

#define WEIR_DATE_NINF INT32_MIN
#define WEIR_DATE_PINF INT32_MAX
#define WEIR_TIMESTAMP_NINF INT64_MIN
#define WEIR_TIMESTAMP_PINF INT64_MAX

#define WEIR_SECOND_US INT64_C(1000000)
#define WEIR_MINUTE_US (60 * WEIR_SECOND_US)
#define WEIR_HOUR_US (60 * WEIR_MINUTE_US)
#define WEIR_DAY_US (24 * WEIR_HOUR_US)

/* Smallest and one past the largest finite values. */
#define WEIR_DATE_MIN (-2451545)
#define WEIR_DATE_END INT32_C(2145031949)
#define WEIR_TIMESTAMP_MIN INT64_C(-211813488000000000)
#define WEIR_TIMESTAMP_END INT64_C(9223371331200000000)

static inline bool weir_date_is_finite(int32_t date)
{
    return date != WEIR_DATE_NINF && date != WEIR_DATE_PINF;
}

static inline bool weir_timestamp_is_finite(int64_t us)
{
    return us != WEIR_TIMESTAMP_NINF && us != WEIR_TIMESTAMP_PINF;
}

/* A day of the calendar; year 0 is 1 BC. */
struct weir_civil {
    int32_t year;
    int32_t month; /* 1 to 12 */
    int32_t day;   /* 1 to 31 */
};
/* Days since 2000-01-01; any year within +-6 000 000, month 1 to 12, any day. */
int32_t weir_days_from_civil(int32_t year, int32_t month, int32_t day);
struct weir_civil weir_civil_from_days(int32_t days);
int32_t weir_days_in_month(int32_t year, int32_t month);
/* The day's number in the week, Sunday 0. */
int32_t weir_day_of_week(int32_t days);
/* A timestamp as days and the time of day in microseconds (never negative). */
void weir_timestamp_split(int64_t us, int32_t *ret_days, int64_t *ret_time_us);

/* Text in. typmod is the precision or -1. */
int weir_date_parse(struct weir_str text, int32_t *ret, struct weir_value_error *verr);
int weir_time_parse(struct weir_str text, int32_t typmod, int64_t *ret,
                    struct weir_value_error *verr);
int weir_timestamp_parse(struct weir_str text, int32_t typmod, int64_t *ret,
                         struct weir_value_error *verr);
int weir_timestamptz_parse(struct weir_str text, int32_t typmod, int64_t *ret,
                           struct weir_value_error *verr);

/* Text out: at most WEIR_SCALAR_TEXT_BYTES, no NUL; returns how many. */
size_t weir_date_print(int32_t date, char *ret);
size_t weir_time_print(int64_t us, char *ret);
size_t weir_timestamp_print(int64_t us, char *ret);
size_t weir_timestamptz_print(int64_t us, char *ret);

/* Rounds a time or timestamp to typmod digits of a second. */
int64_t weir_timestamp_fit(int64_t us, int32_t typmod);

/* Casts; date + time too. */
int weir_date_to_timestamp(int32_t date, int64_t *ret, struct weir_value_error *verr);
int32_t weir_timestamp_to_date(int64_t us);
int64_t weir_timestamp_to_time(int64_t us, bool *ret_null); /* null for infinities */
int64_t weir_interval_to_time(struct weir_interval interval);
struct weir_interval weir_time_to_interval(int64_t us);
int weir_date_add_time(int32_t date, int64_t us, int64_t *ret, struct weir_value_error *verr);
/* Compares as PostgreSQL does: the date may lie beyond the timestamps. */
int weir_date_compare_timestamp(int32_t date, int64_t us);

/* Arithmetic. date - integer is weir_date_add_days() with -days. */
int weir_date_add_days(int32_t date, int64_t days, int32_t *ret, struct weir_value_error *verr);
int weir_date_sub(int32_t a, int32_t b, int32_t *ret_days, struct weir_value_error *verr);
int weir_timestamp_add_interval(int64_t us, struct weir_interval interval, int64_t *ret,
                                struct weir_value_error *verr);
int weir_timestamp_sub_interval(int64_t us, struct weir_interval interval, int64_t *ret,
                                struct weir_value_error *verr);
int weir_timestamp_sub(int64_t a, int64_t b, struct weir_interval *ret,
                       struct weir_value_error *verr);
int64_t weir_time_add_interval(int64_t us, struct weir_interval interval);
int64_t weir_time_sub_interval(int64_t us, struct weir_interval interval);
struct weir_interval weir_time_sub(int64_t a, int64_t b);

/* date_trunc(unit, value); the date's is the timestamp's. */
int weir_timestamp_trunc(struct weir_str unit, int64_t us, bool with_zone, int64_t *ret,
                         struct weir_value_error *verr);
int weir_interval_trunc(struct weir_str unit, struct weir_interval interval,
                        struct weir_interval *ret, struct weir_value_error *verr);

/* extract(unit from value), a numeric with the digits that PostgreSQL 15 shows; *ret_null where it
 * yields null. date_part() is the same as double precision. */
int weir_date_extract(struct weir_str unit, int32_t date, struct weir_arena *arena,
                      struct weir_numeric *ret, bool *ret_null, struct weir_value_error *verr);
int weir_time_extract(struct weir_str unit, int64_t us, struct weir_arena *arena,
                      struct weir_numeric *ret, struct weir_value_error *verr);
int weir_timestamp_extract(struct weir_str unit, int64_t us, bool with_zone,
                           struct weir_arena *arena, struct weir_numeric *ret, bool *ret_null,
                           struct weir_value_error *verr);
int weir_interval_extract(struct weir_str unit, struct weir_interval interval,
                          struct weir_arena *arena, struct weir_numeric *ret,
                          struct weir_value_error *verr);

#endif
