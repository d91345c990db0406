/* interval.h: PostgreSQL's interval: months, days and microseconds, side by side.
 *
 * Compared by an estimate: a month is 30 days, a day 24 hours. interval.c computes and prints
 * (IntervalStyle postgres), interval_parse.c reads. */
#ifndef WEIR_CHUNK_INTERVAL_H
#define WEIR_CHUNK_INTERVAL_H

#include "base/str.h"
#include "chunk/type.h"
#include "chunk/value_error.h"

/* "1 year 2 mons 3 days 04:05:06", "@ 1 hour ago", "P1Y2M3DT4H5M6S", "1-2 3 4:05:06". */
int weir_interval_parse(struct weir_str text, int32_t typmod, struct weir_interval *ret,
                        struct weir_value_error *verr);
/* At most WEIR_SCALAR_TEXT_BYTES, no NUL; returns how many. */
size_t weir_interval_print(struct weir_interval value, char *ret);

/* interval(p), and ranges of fields such as interval day to second(p). */
int weir_interval_fit(struct weir_interval value, int32_t typmod, struct weir_interval *ret,
                      struct weir_value_error *verr);

int weir_interval_add(struct weir_interval a, struct weir_interval b, struct weir_interval *ret,
                      struct weir_value_error *verr);
int weir_interval_sub(struct weir_interval a, struct weir_interval b, struct weir_interval *ret,
                      struct weir_value_error *verr);
int weir_interval_neg(struct weir_interval value, struct weir_interval *ret,
                      struct weir_value_error *verr);
int weir_interval_mul(struct weir_interval value, double factor, struct weir_interval *ret,
                      struct weir_value_error *verr);
int weir_interval_div(struct weir_interval value, double divisor, struct weir_interval *ret,
                      struct weir_value_error *verr);

/* justify_hours(): 24 hours to a day. justify_days(): 30 days to a month. justify_interval(): both. */
int weir_interval_justify_hours(struct weir_interval value, struct weir_interval *ret,
                                struct weir_value_error *verr);
int weir_interval_justify_days(struct weir_interval value, struct weir_interval *ret,
                               struct weir_value_error *verr);
int weir_interval_justify(struct weir_interval value, struct weir_interval *ret,
                          struct weir_value_error *verr);

int weir_interval_compare(struct weir_interval a, struct weir_interval b);
/* The estimate by which intervals compare, in microseconds: equal intervals have equal ones. */
__extension__ typedef __int128 weir_int128;
weir_int128 weir_interval_estimate_us(struct weir_interval value);

#endif
