/* time_kernels.h: catalogue rows of dates, times, timestamps and intervals.
 *
 * The session's time zone is UTC, so timestamp and timestamptz share their kernels. */
#ifndef WEIR_EXPR_TIME_KERNELS_H
#define WEIR_EXPR_TIME_KERNELS_H

#include "expr/kernel.h"

#define WEIR_TIME_ARITHMETIC(F1, F2)                                                   \
    F2(date_add_days, "+", DATE, DATE, INT4, "days later")                             \
    F2(days_add_date, "+", DATE, INT4, DATE, NULL)                                     \
    F2(date_add_interval, "+", TIMESTAMP, DATE, INTERVAL, "later by an interval")      \
    F2(interval_add_date, "+", TIMESTAMP, INTERVAL, DATE, NULL)                        \
    F2(date_add_time, "+", TIMESTAMP, DATE, TIME, "that time of the day")              \
    F2(time_add_date, "+", TIMESTAMP, TIME, DATE, NULL)                                \
    F2(ts_add_interval, "+", TIMESTAMP, TIMESTAMP, INTERVAL, "later by an interval")   \
    F2(interval_add_ts, "+", TIMESTAMP, INTERVAL, TIMESTAMP, NULL)                     \
    F2(ts_add_interval, "+", TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL, NULL)                 \
    F2(interval_add_ts, "+", TIMESTAMPTZ, INTERVAL, TIMESTAMPTZ, NULL)                 \
    F2(time_add_interval, "+", TIME, TIME, INTERVAL, NULL)                             \
    F2(interval_add_time, "+", TIME, INTERVAL, TIME, NULL)                             \
    F2(interval_add, "+", INTERVAL, INTERVAL, INTERVAL, "addition, field by field")    \
    F2(date_sub, "-", INT4, DATE, DATE, "days between")                                \
    F2(date_sub_days, "-", DATE, DATE, INT4, "days earlier")                           \
    F2(date_sub_interval, "-", TIMESTAMP, DATE, INTERVAL, "earlier by an interval")    \
    F2(ts_sub_interval, "-", TIMESTAMP, TIMESTAMP, INTERVAL, NULL)                     \
    F2(ts_sub_interval, "-", TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL, NULL)                 \
    F2(time_sub_interval, "-", TIME, TIME, INTERVAL, NULL)                             \
    F2(ts_sub, "-", INTERVAL, TIMESTAMP, TIMESTAMP, "time between, in days and hours") \
    F2(ts_sub, "-", INTERVAL, TIMESTAMPTZ, TIMESTAMPTZ, NULL)                          \
    F2(time_sub, "-", INTERVAL, TIME, TIME, NULL)                                      \
    F2(interval_sub, "-", INTERVAL, INTERVAL, INTERVAL, "subtraction, field by field") \
    F1(interval_neg, "-", INTERVAL, INTERVAL, "negation")                              \
    F2(interval_mul, "*", INTERVAL, INTERVAL, FLOAT8, "multiplication")                \
    F2(mul_interval, "*", INTERVAL, FLOAT8, INTERVAL, NULL)                            \
    F2(interval_div, "/", INTERVAL, INTERVAL, FLOAT8, "division")

#define WEIR_TIME_FUNCTIONS(F1, F2, F3, MISSING_2, MISSING_3)                              \
    WEIR_TIME_ARITHMETIC(F1, F2)                                                           \
    F2(extract_date, "extract", NUMERIC, TEXT, DATE, "a field: extract(year FROM x)")      \
    F2(extract_time, "extract", NUMERIC, TEXT, TIME, NULL)                                 \
    F2(extract_ts, "extract", NUMERIC, TEXT, TIMESTAMP, NULL)                              \
    F2(extract_tstz, "extract", NUMERIC, TEXT, TIMESTAMPTZ, NULL)                          \
    F2(extract_interval, "extract", NUMERIC, TEXT, INTERVAL, NULL)                         \
    F2(part_date, "date_part", FLOAT8, TEXT, DATE, "extract as a double precision number") \
    F2(part_time, "date_part", FLOAT8, TEXT, TIME, NULL)                                   \
    F2(part_ts, "date_part", FLOAT8, TEXT, TIMESTAMP, NULL)                                \
    F2(part_tstz, "date_part", FLOAT8, TEXT, TIMESTAMPTZ, NULL)                            \
    F2(part_interval, "date_part", FLOAT8, TEXT, INTERVAL, NULL)                           \
    F2(trunc_ts, "date_trunc", TIMESTAMP, TEXT, TIMESTAMP,                                 \
       "cut to a field: date_trunc('hour', x)")                                            \
    F2(trunc_tstz, "date_trunc", TIMESTAMPTZ, TEXT, TIMESTAMPTZ, NULL)                     \
    F2(trunc_interval, "date_trunc", INTERVAL, TEXT, INTERVAL, NULL)                       \
    MISSING_3("date_trunc", TEXT, TIMESTAMPTZ, TEXT)                                       \
    F2(zone_to_ts, "timezone", TIMESTAMP, TEXT, TIMESTAMPTZ,                               \
       "x AT TIME ZONE zone, where zone is UTC or an offset as in POSIX")                  \
    F2(zone_from_ts, "timezone", TIMESTAMPTZ, TEXT, TIMESTAMP, NULL)                       \
    F2(zone_interval_to_ts, "timezone", TIMESTAMP, INTERVAL, TIMESTAMPTZ, NULL)            \
    F2(zone_interval_from_ts, "timezone", TIMESTAMPTZ, INTERVAL, TIMESTAMP, NULL)          \
    F1(to_timestamp, "to_timestamp", TIMESTAMPTZ, FLOAT8, "from seconds since 1970")       \
    MISSING_2("to_timestamp", TEXT, TEXT)                                                  \
    F1(isfinite_date, "isfinite", BOOL, DATE, "neither infinity nor -infinity")            \
    F1(isfinite_ts, "isfinite", BOOL, TIMESTAMP, NULL)                                     \
    F1(isfinite_ts, "isfinite", BOOL, TIMESTAMPTZ, NULL)                                   \
    F1(isfinite_interval, "isfinite", BOOL, INTERVAL, NULL)                                \
    F1(justify_hours, "justify_hours", INTERVAL, INTERVAL, "24 hours become a day")        \
    F1(justify_days, "justify_days", INTERVAL, INTERVAL, "30 days become a month")         \
    F1(justify_interval, "justify_interval", INTERVAL, INTERVAL, "both of these")

#define WEIR_TIME_CASTS(C)                          \
    C(date_to_ts, DATE, TIMESTAMP, IMPLICIT)        \
    C(date_to_ts, DATE, TIMESTAMPTZ, IMPLICIT)      \
    C(ts_to_date, TIMESTAMP, DATE, ASSIGNMENT)      \
    C(ts_to_date, TIMESTAMPTZ, DATE, ASSIGNMENT)    \
    C(ts_to_time, TIMESTAMP, TIME, ASSIGNMENT)      \
    C(ts_to_time, TIMESTAMPTZ, TIME, ASSIGNMENT)    \
    C(ts_to_ts, TIMESTAMP, TIMESTAMPTZ, IMPLICIT)   \
    C(ts_to_ts, TIMESTAMPTZ, TIMESTAMP, ASSIGNMENT) \
    C(time_to_interval, TIME, INTERVAL, IMPLICIT)   \
    C(interval_to_time, INTERVAL, TIME, ASSIGNMENT) \
    C(ts_fit, TIME, TIME, IMPLICIT)                 \
    C(ts_fit, TIMESTAMP, TIMESTAMP, IMPLICIT)       \
    C(ts_fit, TIMESTAMPTZ, TIMESTAMPTZ, IMPLICIT)   \
    C(interval_fit, INTERVAL, INTERVAL, IMPLICIT)

WEIR_TIME_FUNCTIONS(WEIR_DECLARE_1, WEIR_DECLARE_2, WEIR_DECLARE_3, WEIR_DECLARE_MISSING_2,
                    WEIR_DECLARE_MISSING_3)
WEIR_TIME_CASTS(WEIR_DECLARE_CAST)

#endif
