/* datetime.c: the calendar, printing, casts and arithmetic of dates, times and timestamps. */
#include "chunk/datetime.h"

#include "chunk/interval.h"

enum {
    DAYS_PER_ERA = 146097, /* 400 years */
    /* Days from 0000-03-01, where the eras are counted from, to 2000-01-01. */
    DAYS_TO_EPOCH = 730425,
    /* Timestamps end here; dates go on. */
    TIMESTAMP_DATE_END = 106751983,
};

/* Years are counted from March, so that the leap day comes last. */
int32_t weir_days_from_civil(int32_t year, int32_t month, int32_t day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return (int32_t)(era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH);
}

struct weir_civil weir_civil_from_days(int32_t days)
{
    int64_t z = (int64_t)days + DAYS_TO_EPOCH;
    int64_t era = (z >= 0 ? z : z - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = z - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* March is 0 */
    struct weir_civil ret = {
        .day = (int32_t)(day_of_year - (153 * month + 2) / 5 + 1),
        .month = (int32_t)(month < 10 ? month + 3 : month - 9),
    };

    ret.year = (int32_t)(year_of_era + era * 400 + (ret.month <= 2));
    return ret;
}

int32_t weir_days_in_month(int32_t year, int32_t month)
{
    static const int8_t days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && is_leap);
}

int32_t weir_day_of_week(int32_t days)
{
    int64_t day = ((int64_t)days + 6) % 7; /* 2000-01-01 was a Saturday */

    return (int32_t)(day < 0 ? day + 7 : day);
}

void weir_timestamp_split(int64_t us, int32_t *ret_days, int64_t *ret_time_us)
{
    int64_t days = us / WEIR_DAY_US;
    int64_t time_us = us % WEIR_DAY_US;

    if (time_us < 0) {
        time_us += WEIR_DAY_US;
        days--;
    }
    *ret_days = (int32_t)days;
    *ret_time_us = time_us;
}

/* Printing. */

static char *put_two(char *p, int64_t value)
{
    *p++ = (char)('0' + value / 10);
    *p++ = (char)('0' + value % 10);
    return p;
}

static char *put_word(char *p, const char *word)
{
    size_t len = strlen(word);

    memcpy(p, word, len);
    return p + len;
}

/* At least four digits; BC is said at the end of the text. */
static char *put_civil(char *p, struct weir_civil civil)
{
    int32_t year = civil.year > 0 ? civil.year : 1 - civil.year;

    if (year >= 10000) {
        char digits[10];
        int count = 0;
        for (int32_t rest = year / 10000; rest != 0; rest /= 10) {
            digits[count++] = (char)('0' + rest % 10);
        }
        while (count != 0) {
            *p++ = digits[--count];
        }
    }
    p = put_two(put_two(p, year / 100 % 100), year % 100);
    *p++ = '-';
    p = put_two(p, civil.month);
    *p++ = '-';
    return put_two(p, civil.day);
}

static char *put_time(char *p, int64_t us)
{
    int64_t fraction = us % WEIR_SECOND_US;
    char digits[6];
    int count = 6;

    p = put_two(p, us / WEIR_HOUR_US);
    *p++ = ':';
    p = put_two(p, us / WEIR_MINUTE_US % 60);
    *p++ = ':';
    p = put_two(p, us / WEIR_SECOND_US % 60);
    if (fraction == 0) {
        return p;
    }
    for (int i = 5; i >= 0; i--, fraction /= 10) {
        digits[i] = (char)('0' + fraction % 10);
    }
    while (digits[count - 1] == '0') {
        count--;
    }
    *p++ = '.';
    memcpy(p, digits, (size_t)count);
    return p + count;
}

size_t weir_date_print(int32_t date, char *ret)
{
    struct weir_civil civil;
    char *p;

    if (!weir_date_is_finite(date)) {
        return (size_t)(put_word(ret, date == WEIR_DATE_NINF ? "-infinity" : "infinity") - ret);
    }
    civil = weir_civil_from_days(date);
    p = put_civil(ret, civil);
    p = civil.year > 0 ? p : put_word(p, " BC");
    return (size_t)(p - ret);
}

size_t weir_time_print(int64_t us, char *ret)
{
    return (size_t)(put_time(ret, us) - ret);
}

static size_t timestamp_print(int64_t us, const char *zone, char *ret)
{
    struct weir_civil civil;
    int32_t days;
    int64_t time_us;
    char *p;

    if (!weir_timestamp_is_finite(us)) {
        return (size_t)(put_word(ret, us == WEIR_TIMESTAMP_NINF ? "-infinity" : "infinity") - ret);
    }
    weir_timestamp_split(us, &days, &time_us);
    civil = weir_civil_from_days(days);
    p = put_civil(ret, civil);
    *p++ = ' ';
    p = put_word(put_time(p, time_us), zone);
    p = civil.year > 0 ? p : put_word(p, " BC");
    return (size_t)(p - ret);
}

size_t weir_timestamp_print(int64_t us, char *ret)
{
    return timestamp_print(us, "", ret);
}

size_t weir_timestamptz_print(int64_t us, char *ret)
{
    return timestamp_print(us, "+00", ret);
}

/* Casts. */

int64_t weir_timestamp_fit(int64_t us, int32_t typmod)
{
    static const int32_t units[] = { 1000000, 100000, 10000, 1000, 100, 10 };

    if (typmod < 0 || typmod > 5 || !weir_timestamp_is_finite(us)) {
        return us;
    }
    int64_t unit = units[typmod];
    return us >= 0 ? (us + unit / 2) / unit * unit : -((-us + unit / 2) / unit * unit);
}

static int timestamp_check(int64_t us, struct weir_value_error *verr)
{
    if (us < WEIR_TIMESTAMP_MIN || us >= WEIR_TIMESTAMP_END) {
        return weir_value_error_set(verr, "22008", "timestamp out of range");
    }
    return WEIR_OK;
}

int weir_date_to_timestamp(int32_t date, int64_t *ret, struct weir_value_error *verr)
{
    if (!weir_date_is_finite(date)) {
        *ret = date == WEIR_DATE_NINF ? WEIR_TIMESTAMP_NINF : WEIR_TIMESTAMP_PINF;
        return WEIR_OK;
    }
    if (date >= TIMESTAMP_DATE_END) {
        return weir_value_error_set(verr, "22008", "date out of range for timestamp");
    }
    *ret = date * WEIR_DAY_US;
    return WEIR_OK;
}

int32_t weir_timestamp_to_date(int64_t us)
{
    int32_t days;
    int64_t time_us;

    if (!weir_timestamp_is_finite(us)) {
        return us == WEIR_TIMESTAMP_NINF ? WEIR_DATE_NINF : WEIR_DATE_PINF;
    }
    weir_timestamp_split(us, &days, &time_us);
    return days;
}

int64_t weir_timestamp_to_time(int64_t us, bool *ret_null)
{
    int32_t days;
    int64_t time_us;

    *ret_null = !weir_timestamp_is_finite(us);
    weir_timestamp_split(us, &days, &time_us);
    return time_us;
}

int64_t weir_interval_to_time(struct weir_interval interval)
{
    int64_t us = interval.us % WEIR_DAY_US;

    return us < 0 ? us + WEIR_DAY_US : us;
}

struct weir_interval weir_time_to_interval(int64_t us)
{
    return (struct weir_interval){ .us = us };
}

int weir_date_compare_timestamp(int32_t date, int64_t us)
{
    int64_t date_us;

    if (weir_date_is_finite(date) && date >= TIMESTAMP_DATE_END) {
        return us == WEIR_TIMESTAMP_PINF ? -1 : 1;
    }
    (void)weir_date_to_timestamp(date, &date_us, NULL); /* cannot fail: see above */
    return (date_us > us) - (date_us < us);
}

/* Arithmetic. */

int weir_date_add_days(int32_t date, int64_t days, int32_t *ret, struct weir_value_error *verr)
{
    int64_t sum;

    if (!weir_date_is_finite(date)) {
        *ret = date;
        return WEIR_OK;
    }
    if (__builtin_add_overflow((int64_t)date, days, &sum) || sum < WEIR_DATE_MIN ||
        sum >= WEIR_DATE_END) {
        return weir_value_error_set(verr, "22008", "date out of range");
    }
    *ret = (int32_t)sum;
    return WEIR_OK;
}

int weir_date_sub(int32_t a, int32_t b, int32_t *ret_days, struct weir_value_error *verr)
{
    if (!weir_date_is_finite(a) || !weir_date_is_finite(b)) {
        return weir_value_error_set(verr, "22008", "cannot subtract infinite dates");
    }
    /* Two dates can be further apart than an integer counts; PostgreSQL wraps around too. */
    *ret_days = (int32_t)(uint32_t)((int64_t)a - b);
    return WEIR_OK;
}

int weir_date_add_time(int32_t date, int64_t us, int64_t *ret, struct weir_value_error *verr)
{
    int64_t midnight = 0;
    int rc = weir_date_to_timestamp(date, &midnight, verr);

    if (rc != WEIR_OK) {
        return rc;
    }
    if (weir_timestamp_is_finite(midnight)) {
        midnight += us; /* cannot overflow: midnight is at most the last day's */
        rc = timestamp_check(midnight, verr);
    }
    if (rc == WEIR_OK) {
        *ret = midnight;
    }
    return rc;
}

/* Adds months to a day; a day that its month does not have becomes the month's last. */
static int32_t days_add_months(int32_t days, int64_t months)
{
    struct weir_civil civil = weir_civil_from_days(days);
    int64_t month = (int64_t)civil.year * 12 + civil.month - 1 + months;
    int64_t year = (month >= 0 ? month : month - 11) / 12;
    int32_t last;

    month -= year * 12;
    if (year > 400000 || year < -10000) {
        return year > 0 ? WEIR_DATE_PINF : WEIR_DATE_NINF; /* far out of any range */
    }
    last = weir_days_in_month((int32_t)year, (int32_t)month + 1);
    return weir_days_from_civil((int32_t)year, (int32_t)month + 1,
                                civil.day < last ? civil.day : last);
}

/* Months first, then days, then the time; each step that is taken must stay within the timestamps. */
static int add_parts(int64_t us, int64_t months, int64_t add_days, int64_t add_us, int64_t *ret,
                     struct weir_value_error *verr)
{
    int64_t sum = us;
    int64_t time_us;
    int32_t days;
    int rc;

    if (!weir_timestamp_is_finite(us)) {
        *ret = us;
        return WEIR_OK;
    }
    if (months != 0) {
        weir_timestamp_split(sum, &days, &time_us);
        days = days_add_months(days, months);
        if (!weir_date_is_finite(days) || days > TIMESTAMP_DATE_END) {
            return weir_value_error_set(verr, "22008", "timestamp out of range");
        }
        sum = days * WEIR_DAY_US + time_us;
        rc = timestamp_check(sum, verr);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    /* 2^31 days are more microseconds than 64 bits count. */
    if (add_days > TIMESTAMP_DATE_END || add_days < -TIMESTAMP_DATE_END ||
        __builtin_add_overflow(sum, add_days * WEIR_DAY_US, &sum) ||
        (add_days != 0 && timestamp_check(sum, NULL) != WEIR_OK) ||
        __builtin_add_overflow(sum, add_us, &sum)) {
        return weir_value_error_set(verr, "22008", "timestamp out of range");
    }
    rc = timestamp_check(sum, verr);
    if (rc == WEIR_OK) {
        *ret = sum;
    }
    return rc;
}

int weir_timestamp_add_interval(int64_t us, struct weir_interval interval, int64_t *ret,
                                struct weir_value_error *verr)
{
    return add_parts(us, interval.months, interval.days, interval.us, ret, verr);
}

int weir_timestamp_sub_interval(int64_t us, struct weir_interval interval, int64_t *ret,
                                struct weir_value_error *verr)
{
    /* Wraps around for the smallest numbers, as in PostgreSQL. */
    interval.months = (int32_t) - (uint32_t)interval.months;
    interval.days = (int32_t) - (uint32_t)interval.days;
    interval.us = (int64_t) - (uint64_t)interval.us;
    return weir_timestamp_add_interval(us, interval, ret, verr);
}

int weir_timestamp_sub(int64_t a, int64_t b, struct weir_interval *ret,
                       struct weir_value_error *verr)
{
    struct weir_interval difference = { .us = (int64_t)((uint64_t)a - (uint64_t)b) };

    if (!weir_timestamp_is_finite(a) || !weir_timestamp_is_finite(b)) {
        return weir_value_error_set(verr, "22008", "cannot subtract infinite timestamps");
    }
    return weir_interval_justify_hours(difference, ret, verr);
}

/* Sums wrap around 64 bits first, as in PostgreSQL, then around the day. */
int64_t weir_time_add_interval(int64_t us, struct weir_interval interval)
{
    int64_t sum = (int64_t)((uint64_t)us + (uint64_t)interval.us) % WEIR_DAY_US;

    return sum < 0 ? sum + WEIR_DAY_US : sum;
}

int64_t weir_time_sub_interval(int64_t us, struct weir_interval interval)
{
    int64_t difference = (int64_t)((uint64_t)us - (uint64_t)interval.us) % WEIR_DAY_US;

    return difference < 0 ? difference + WEIR_DAY_US : difference;
}

struct weir_interval weir_time_sub(int64_t a, int64_t b)
{
    return (struct weir_interval){ .us = a - b };
}
