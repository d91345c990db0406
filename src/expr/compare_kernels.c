/* compare_kernels.c: = <> < <= > >= over columns.
 *
 * Numbers, dates and times compare by one instruction and in vector registers; what has an order
 * of its own compares by a three-way function that the compiler inlines into each loop.
 * Text is compared byte by byte: that is the order of code points, and of the collation C.UTF-8. */
#include "expr/compare_kernels.h"

#include <math.h>

#include "chunk/datetime.h"
#include "chunk/decimal.h"
#include "chunk/interval.h"
#include "chunk/jsonb.h"
#include "chunk/scalar_text.h"

/* One kernel: result is an expression in x and y. */
#define COMPARE(name, left, right, result)                                          \
    WEIR_KERNEL(name)                                                               \
    {                                                                               \
        const left *a = args[0].data;                                               \
        const right *b = args[1].data;                                              \
        uint8_t *out = ret->b;                                                      \
                                                                                    \
        WEIR_EACH_ROW(row, left x = a[row]; right y = b[row]; out[row] = (result)); \
        return WEIR_OK;                                                             \
    }

/* ---- numbers --------------------------------------------------------------------------------- */

#define NUMBERS(suffix, left, right)          \
    COMPARE(eq_##suffix, left, right, x == y) \
    COMPARE(ne_##suffix, left, right, x != y) \
    COMPARE(lt_##suffix, left, right, x < y)  \
    COMPARE(le_##suffix, left, right, x <= y) \
    COMPARE(gt_##suffix, left, right, x > y)  \
    COMPARE(ge_##suffix, left, right, x >= y)

NUMBERS(b_b, uint8_t, uint8_t)
NUMBERS(i2_i2, int16_t, int16_t)
NUMBERS(i2_i4, int16_t, int32_t)
NUMBERS(i2_i8, int16_t, int64_t)
NUMBERS(i4_i2, int32_t, int16_t)
NUMBERS(i4_i4, int32_t, int32_t)
NUMBERS(i4_i8, int32_t, int64_t)
NUMBERS(i8_i2, int64_t, int16_t)
NUMBERS(i8_i4, int64_t, int32_t)
NUMBERS(i8_i8, int64_t, int64_t)

/* All NaNs are equal, and larger than every other number. */
#define FLOATS(suffix, left, right)                                     \
    COMPARE(eq_##suffix, left, right, x == y || (isnan(x) && isnan(y))) \
    COMPARE(ne_##suffix, left, right, isnan(x) ? !isnan(y) : x != y)    \
    COMPARE(lt_##suffix, left, right, isnan(y) ? !isnan(x) : x < y)     \
    COMPARE(le_##suffix, left, right, isnan(y) || x <= y)               \
    COMPARE(gt_##suffix, left, right, isnan(x) ? !isnan(y) : x > y)     \
    COMPARE(ge_##suffix, left, right, isnan(x) || x >= y)

FLOATS(f4_f4, float, float)
FLOATS(f4_f8, float, double)
FLOATS(f8_f4, double, float)
FLOATS(f8_f8, double, double)

/* ---- what has an order of its own ------------------------------------------------------------ */

#define ORDERED(suffix, left, right, compare)             \
    COMPARE(eq_##suffix, left, right, compare(x, y) == 0) \
    COMPARE(ne_##suffix, left, right, compare(x, y) != 0) \
    COMPARE(lt_##suffix, left, right, compare(x, y) < 0)  \
    COMPARE(le_##suffix, left, right, compare(x, y) <= 0) \
    COMPARE(gt_##suffix, left, right, compare(x, y) > 0)  \
    COMPARE(ge_##suffix, left, right, compare(x, y) >= 0)

COMPARE(eq_text, struct weir_str, struct weir_str, weir_str_equal(x, y))
COMPARE(ne_text, struct weir_str, struct weir_str, !weir_str_equal(x, y))
COMPARE(lt_text, struct weir_str, struct weir_str, weir_str_compare(x, y) < 0)
COMPARE(le_text, struct weir_str, struct weir_str, weir_str_compare(x, y) <= 0)
COMPARE(gt_text, struct weir_str, struct weir_str, weir_str_compare(x, y) > 0)
COMPARE(ge_text, struct weir_str, struct weir_str, weir_str_compare(x, y) >= 0)

/* Trailing blanks of character(n) do not count. */
static inline int compare_bpchar(struct weir_str a, struct weir_str b)
{
    return weir_str_compare(weir_bpchar_trim(a), weir_bpchar_trim(b));
}

ORDERED(bpchar, struct weir_str, struct weir_str, compare_bpchar)

/* The timestamp at which a date begins. Dates reach further than timestamps: those beyond are put
 * between the last timestamp and infinity, where no timestamp is. */
static inline int64_t date_begin(int32_t date)
{
    if (!weir_date_is_finite(date)) {
        return date == WEIR_DATE_PINF ? WEIR_TIMESTAMP_PINF : WEIR_TIMESTAMP_NINF;
    }
    return date < WEIR_TIMESTAMP_END / WEIR_DAY_US ? date * WEIR_DAY_US : WEIR_TIMESTAMP_PINF - 1;
}

static inline int compare_date_timestamp(int32_t date, int64_t timestamp)
{
    int64_t begin = date_begin(date);

    return (begin > timestamp) - (begin < timestamp);
}

static inline int compare_timestamp_date(int64_t timestamp, int32_t date)
{
    return -compare_date_timestamp(date, timestamp);
}

ORDERED(d_ts, int32_t, int64_t, compare_date_timestamp)
ORDERED(ts_d, int64_t, int32_t, compare_timestamp_date)

/* Most columns hold one scale: then the order is that of the digits. */
static inline int compare_numerics(struct weir_numeric a, struct weir_numeric b)
{
    if (a.kind == WEIR_NUMERIC_SMALL && b.kind == WEIR_NUMERIC_SMALL && a.scale == b.scale) {
        return (a.small > b.small) - (a.small < b.small);
    }
    return weir_numeric_compare(a, b);
}

ORDERED(numeric, struct weir_numeric, struct weir_numeric, compare_numerics)
ORDERED(jsonb, struct weir_str, struct weir_str, weir_jsonb_compare)
ORDERED(interval, struct weir_interval, struct weir_interval, weir_interval_compare)

static inline int compare_uuids(struct weir_uuid a, struct weir_uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes));
}

ORDERED(uuid, struct weir_uuid, struct weir_uuid, compare_uuids)
