/* datetime_read.c: reads a date and time field by field, with DateStyle "ISO, MDY".
 *
 * Each field says which parts of a date and time it gives; a part given twice is an error, and a
 * number's meaning depends on the parts that are known when it comes. */
#include "chunk/datetime_read.h"

#include "chunk/datetime.h"
#include "chunk/scalar_text.h"

/* Parts of a date and time that a field can give. */
enum part {
    PART_YEAR = 1 << 0,
    PART_MONTH = 1 << 1,
    PART_DAY = 1 << 2,
    PART_DAY_OF_YEAR = 1 << 3,
    PART_TIME = 1 << 4,
    PART_ZONE = 1 << 5,
    PART_SUMMER = 1 << 6,
    PART_AM_PM = 1 << 7,
    PART_ERA = 1 << 8,
    PART_DAY_OF_WEEK = 1 << 9,
    PART_SPECIAL = 1 << 10,
    PART_DATE = PART_YEAR | PART_MONTH | PART_DAY,
};

enum { YEAR_END = 5880000 }; /* beyond the dates, and days are still counted in 32 bits */

/* Numbers without separators: "20130101", "130101", "050000.5", "0500". */
static enum weir_datetime_outcome read_run(struct weir_datetime_reading *r, char *text,
                                           uint32_t known, uint32_t *ret_parts)
{
    char *point = strchr(text, '.');
    size_t len = strlen(text);
    int32_t year;
    const char *end;

    if (point != NULL) {
        if (!weir_datetime_fraction(point, &r->fraction_us)) {
            return WEIR_READ_BAD_FORMAT;
        }
        *point = '\0';
        len = (size_t)(point - text);
    } else if ((known & PART_DATE) != PART_DATE && len >= 6) {
        r->day = weir_two_digits(text + len - 2);
        r->month = weir_two_digits(text + len - 4);
        text[len - 4] = '\0';
        if (!weir_datetime_int(text, &end, &year)) {
            return WEIR_READ_OUT_OF_RANGE;
        }
        r->year = year;
        r->is_year_short = r->is_year_short || len - 4 == 2;
        *ret_parts = PART_DATE;
        return WEIR_READ_OK;
    }
    if ((known & PART_TIME) != 0 || (len != 6 && len != 4)) {
        return WEIR_READ_BAD_FORMAT;
    }
    r->hour = weir_two_digits(text);
    r->minute = weir_two_digits(text + 2);
    r->second = len == 6 ? weir_two_digits(text + 4) : 0;
    *ret_parts = PART_TIME;
    return WEIR_READ_OK;
}

/* A number within a date: month, day or year, by what is known. */
static enum weir_datetime_outcome read_number(struct weir_datetime_reading *r, char *text,
                                              uint32_t known, uint32_t *ret_parts)
{
    size_t len = strlen(text);
    const char *end;
    int32_t value;

    if (!weir_datetime_int(text, &end, &value)) {
        return WEIR_READ_OUT_OF_RANGE;
    }
    if (end == text) {
        return WEIR_READ_BAD_FORMAT;
    }
    if (*end == '.') {
        if (end - text > 2) { /* "040506.789" */
            return read_run(r, text, known | PART_DATE, ret_parts);
        }
        if (!weir_datetime_fraction(end, &r->fraction_us)) {
            return WEIR_READ_BAD_FORMAT;
        }
    } else if (*end != '\0') {
        return WEIR_READ_BAD_FORMAT;
    }
    if (len == 3 && (known & PART_DATE) == PART_YEAR && value >= 1 && value <= 366) {
        r->day_of_year = value;
        *ret_parts = PART_DAY_OF_YEAR | PART_MONTH | PART_DAY;
        return WEIR_READ_OK;
    }
    switch (known & PART_DATE) {
    case 0: /* a long number can only be a year; else the month comes first */
        *ret_parts = len >= 3 ? PART_YEAR : PART_MONTH;
        break;
    case PART_MONTH: /* behind a name of a month: year or day, by its length */
        *ret_parts = r->has_month_name && len >= 3 ? PART_YEAR : PART_DAY;
        break;
    case PART_YEAR:
    case PART_DAY:
        *ret_parts = PART_MONTH;
        break;
    case PART_YEAR | PART_MONTH:
        *ret_parts = PART_DAY;
        if (r->has_month_name && len >= 3 && r->is_year_short) {
            /* What was taken for a year of two digits was the day. */
            r->day = r->year;
            r->year = value;
            r->is_year_short = false;
            return WEIR_READ_OK;
        }
        break;
    case PART_MONTH | PART_DAY:
        *ret_parts = PART_YEAR;
        break;
    case PART_DATE:
        return read_run(r, text, known, ret_parts);
    default:
        return WEIR_READ_BAD_FORMAT;
    }
    if (*ret_parts == PART_YEAR) {
        r->year = value;
        r->is_year_short = len <= 2;
    } else if (*ret_parts == PART_MONTH) {
        r->month = value;
    } else {
        r->day = value;
    }
    return WEIR_READ_OK;
}

/* Cuts the next run of letters or of digits out of a date's field, or yields NULL. *ret_bad: there
 * are characters, but no run. */
static char *next_run(char **p, bool *ret_bad)
{
    char *start;
    bool digits;

    while (**p != '\0' && !weir_char_is_digit(**p) && !(**p >= 'a' && **p <= 'z')) {
        *ret_bad = true;
        ++*p;
    }
    start = *p;
    if (*start == '\0') {
        return NULL;
    }
    *ret_bad = false;
    digits = weir_char_is_digit(*start);
    while (digits ? weir_char_is_digit(**p) : (**p >= 'a' && **p <= 'z')) {
        ++*p;
    }
    if (**p != '\0') {
        **p = '\0';
        ++*p;
    }
    return start;
}

/* "2013-01-01", "1/8/1999", "08-jan-99". Names first, for they say what the numbers are not. */
static enum weir_datetime_outcome read_date(struct weir_datetime_reading *r, char *text,
                                            uint32_t known, uint32_t *ret_parts)
{
    char *runs[WEIR_DATETIME_FIELDS_MAX];
    uint32_t count = 0;
    uint32_t parts;
    bool is_bad = false;
    int32_t value;

    *ret_parts = 0;
    for (char *run = next_run(&text, &is_bad); run != NULL; run = next_run(&text, &is_bad)) {
        if (count == WEIR_DATETIME_FIELDS_MAX) {
            return WEIR_READ_BAD_FORMAT;
        }
        runs[count++] = run;
    }
    if (is_bad) {
        return WEIR_READ_BAD_FORMAT;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (weir_char_is_digit(runs[i][0])) {
            continue;
        }
        enum weir_datetime_word_kind kind = weir_datetime_core_word(runs[i], &value);
        if (kind != WEIR_WORD_IGNORED) {
            if (kind != WEIR_WORD_MONTH || ((known | *ret_parts) & PART_MONTH) != 0) {
                return WEIR_READ_BAD_FORMAT;
            }
            r->month = value;
            r->has_month_name = true;
            *ret_parts |= PART_MONTH;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!weir_char_is_digit(runs[i][0])) {
            continue;
        }
        enum weir_datetime_outcome outcome = read_number(r, runs[i], known | *ret_parts, &parts);
        if (outcome != WEIR_READ_OK) {
            return outcome;
        }
        if (((known | *ret_parts) & parts) != 0) {
            return WEIR_READ_BAD_FORMAT;
        }
        *ret_parts |= parts;
    }
    /* Nothing but a zone may stand in front of a date that is written in one piece. */
    parts = (known | *ret_parts) & ~(uint32_t)(PART_DAY_OF_YEAR | PART_ZONE);
    return parts == PART_DATE ? WEIR_READ_OK : WEIR_READ_BAD_FORMAT;
}

/* "05:00", "05:00:00.5"; "00:00.5" is minutes and seconds. */
static enum weir_datetime_outcome read_time(struct weir_datetime_reading *r, const char *text,
                                            uint32_t *ret_parts)
{
    const char *p;

    *ret_parts = PART_TIME;
    r->second = 0;
    r->fraction_us = 0;
    if (!weir_datetime_int(text, &p, &r->hour)) {
        return WEIR_READ_OUT_OF_RANGE;
    }
    if (*p != ':') {
        return WEIR_READ_BAD_FORMAT;
    }
    if (!weir_datetime_int(p + 1, &p, &r->minute)) {
        return WEIR_READ_OUT_OF_RANGE;
    }
    if (*p == ':' && !weir_datetime_int(p + 1, &p, &r->second)) {
        return WEIR_READ_OUT_OF_RANGE;
    }
    if (*p == '.') {
        if (!weir_datetime_fraction(p, &r->fraction_us)) {
            return WEIR_READ_BAD_FORMAT;
        }
        if (strchr(text, ':') == strrchr(text, ':')) {
            r->second = r->minute;
            r->minute = r->hour;
            r->hour = 0;
        }
    } else if (*p != '\0') {
        return WEIR_READ_BAD_FORMAT;
    }
    if (r->hour < 0 || r->minute < 0 || r->minute > 59 || r->second < 0 || r->second > 60) {
        return WEIR_READ_OUT_OF_RANGE;
    }
    return WEIR_READ_OK;
}

/* "+05", "-0800", "+05:30", "+05:30:15". */
static enum weir_datetime_outcome read_offset(struct weir_datetime_reading *r, const char *text,
                                              uint32_t *ret_parts)
{
    int32_t hours, minutes = 0, seconds = 0;
    const char *p;

    *ret_parts = PART_ZONE;
    if (text[0] != '+' && text[0] != '-') {
        return WEIR_READ_BAD_FORMAT;
    }
    if (!weir_datetime_int(text + 1, &p, &hours)) {
        return WEIR_READ_BAD_OFFSET;
    }
    if (*p == ':') {
        if (!weir_datetime_int(p + 1, &p, &minutes) ||
            (*p == ':' && !weir_datetime_int(p + 1, &p, &seconds))) {
            return WEIR_READ_BAD_OFFSET;
        }
    } else if (*p == '\0' && strlen(text) > 3) {
        minutes = hours % 100;
        hours /= 100;
    }
    if (hours < 0 || hours > WEIR_OFFSET_HOURS_MAX || minutes < 0 || minutes > 59 || seconds < 0 ||
        seconds > 59) {
        return WEIR_READ_BAD_OFFSET;
    }
    r->offset_s = (hours * 60 + minutes) * 60 + seconds;
    r->offset_s = text[0] == '-' ? -r->offset_s : r->offset_s;
    return *p == '\0' ? WEIR_READ_OK : WEIR_READ_BAD_FORMAT;
}

/* A number by itself, or behind "T" or "J". */
static enum weir_datetime_outcome read_number_field(struct weir_datetime_reading *r, char *text,
                                                    uint32_t *ret_parts)
{
    uint32_t known = r->parts | (r->time_only ? PART_DATE : 0);
    const char *point = strchr(text, '.');
    size_t whole = point == NULL ? strlen(text) : (size_t)(point - text);
    const char *end;
    int32_t days;

    if (r->prefix == 't') {
        r->prefix = 0;
        return read_run(r, text, known | PART_DATE, ret_parts);
    }
    if (r->prefix == 'j') {
        r->prefix = 0;
        if (point != NULL || !weir_datetime_int(text, &end, &days) || *end != '\0') {
            return point != NULL ? WEIR_READ_UNSUPPORTED : WEIR_READ_BAD_FORMAT;
        }
        if (days < 0) {
            return WEIR_READ_OUT_OF_RANGE;
        }
        struct weir_civil civil = weir_civil_from_days(days + WEIR_DATE_MIN);
        r->year = civil.year;
        r->month = civil.month;
        r->day = civil.day;
        r->is_julian = true;
        *ret_parts = PART_DATE;
        return WEIR_READ_OK;
    }
    if (point != NULL && (known & PART_DATE) == 0) {
        return read_date(r, text, known, ret_parts); /* "1.8.1999" was a date already: "1999.123" */
    }
    if ((point != NULL && whole > 2) ||
        (whole >= 6 && ((known & PART_DATE) == 0 || (known & PART_TIME) == 0))) {
        return read_run(r, text, known, ret_parts);
    }
    return read_number(r, text, known, ret_parts);
}

/* A field with separators: a date, or when that is known already a time run together with an offset
 * ("040506-08"), or a zone's name. */
static enum weir_datetime_outcome read_date_field(struct weir_datetime_reading *r, char *text,
                                                  uint32_t *ret_parts)
{
    bool is_date = r->time_only ? r->date_allowed : (r->parts & PART_DATE) != PART_DATE;
    uint32_t run_parts;
    char *minus;

    if (r->prefix == 'j') {
        return WEIR_READ_UNSUPPORTED;
    }
    if (is_date && r->prefix == 0) {
        return read_date(r, text, r->parts, ret_parts);
    }
    if (!weir_char_is_digit(text[0]) && r->prefix == 0) {
        r->culprit = text;
        return WEIR_READ_BAD_ZONE;
    }
    r->prefix = 0;
    minus = strchr(text, '-');
    if ((r->parts & PART_TIME) != 0 || minus == NULL) {
        return WEIR_READ_BAD_FORMAT;
    }
    enum weir_datetime_outcome outcome = read_offset(r, minus, ret_parts);
    *minus = '\0';
    if (outcome == WEIR_READ_OK) {
        outcome = read_run(r, text, r->parts | PART_DATE, &run_parts);
        *ret_parts |= run_parts;
    }
    return outcome;
}

/* A word. ret_parts stays 0 for one that gives nothing. */
static enum weir_datetime_outcome read_word(struct weir_datetime_reading *r, const char *text,
                                            bool is_last, uint32_t *ret_parts)
{
    int32_t value = 0;
    enum weir_datetime_word_kind kind = weir_datetime_word(text, &value);

    switch (kind) {
    case WEIR_WORD_IGNORED:
        return WEIR_READ_OK;
    case WEIR_WORD_MONTH:
        *ret_parts = PART_MONTH;
        if ((r->parts & PART_MONTH) != 0 && !r->has_month_name && (r->parts & PART_DAY) == 0 &&
            r->month >= 1 && r->month <= 31) {
            r->day = r->month; /* "8 january": the number was the day */
            *ret_parts = PART_DAY;
        }
        r->has_month_name = true;
        r->month = value;
        return WEIR_READ_OK;
    case WEIR_WORD_DAY_OF_WEEK:
        *ret_parts = PART_DAY_OF_WEEK;
        return WEIR_READ_OK;
    case WEIR_WORD_AM_PM:
        *ret_parts = PART_AM_PM;
        r->am_pm = value;
        return WEIR_READ_OK;
    case WEIR_WORD_ERA:
        *ret_parts = PART_ERA;
        r->is_bc = value == 1;
        return WEIR_READ_OK;
    case WEIR_WORD_ZONE:
        *ret_parts = PART_ZONE;
        r->offset_s = value;
        return WEIR_READ_OK;
    case WEIR_WORD_SUMMER:
        *ret_parts = PART_SUMMER;
        r->offset_s += value;
        return (r->parts & PART_ZONE) != 0 ? WEIR_READ_OK : WEIR_READ_BAD_FORMAT;
    case WEIR_WORD_PREFIX:
        r->prefix = (char)value;
        return is_last || (value == 't' && !r->time_only && (r->parts & PART_DATE) != PART_DATE)
                   ? WEIR_READ_BAD_FORMAT
                   : WEIR_READ_OK;
    case WEIR_WORD_MIDNIGHT:
        *ret_parts = PART_TIME | PART_ZONE;
        return WEIR_READ_OK;
    case WEIR_WORD_EPOCH:
    case WEIR_WORD_PINF:
    case WEIR_WORD_NINF:
        *ret_parts = PART_SPECIAL;
        r->special = kind == WEIR_WORD_EPOCH  ? WEIR_SPECIAL_EPOCH
                     : kind == WEIR_WORD_PINF ? WEIR_SPECIAL_PINF
                                              : WEIR_SPECIAL_NINF;
        return r->time_only ? WEIR_READ_BAD_FORMAT : WEIR_READ_OK;
    case WEIR_WORD_CLOCK:
        r->culprit = text;
        return r->time_only && strcmp(text, "now") != 0 ? WEIR_READ_BAD_FORMAT
                                                        : WEIR_READ_NEEDS_CLOCK;
    case WEIR_WORD_UNIT:
        return WEIR_READ_UNSUPPORTED;
    case WEIR_WORD_NONE:
        break;
    }
    return WEIR_READ_BAD_FORMAT;
}

static enum weir_datetime_outcome read_field(struct weir_datetime_reading *r,
                                             const struct weir_datetime_field *field, bool is_last)
{
    uint32_t parts = 0;
    enum weir_datetime_outcome outcome;

    if (r->prefix != 0 && field->kind != WEIR_FIELD_NUMBER && field->kind != WEIR_FIELD_DATE &&
        !(field->kind == WEIR_FIELD_TIME && r->prefix == 't')) {
        return WEIR_READ_BAD_FORMAT;
    }
    switch (field->kind) {
    case WEIR_FIELD_NUMBER:
        outcome = read_number_field(r, field->text, &parts);
        break;
    case WEIR_FIELD_DATE:
        outcome = read_date_field(r, field->text, &parts);
        break;
    case WEIR_FIELD_TIME:
        r->prefix = 0;
        outcome = read_time(r, field->text, &parts);
        break;
    case WEIR_FIELD_SIGNED:
        outcome = read_offset(r, field->text, &parts);
        break;
    default:
        outcome = read_word(r, field->text, is_last, &parts);
        break;
    }
    if (outcome == WEIR_READ_OK && (r->parts & parts) != 0) {
        return WEIR_READ_BAD_FORMAT;
    }
    r->parts |= parts;
    return outcome;
}

/* Makes year, month and day of what was given, and checks them against the calendar. */
static enum weir_datetime_outcome settle_date(struct weir_datetime_reading *r)
{
    if ((r->parts & PART_YEAR) != 0 && !r->is_julian) {
        if (!r->is_bc && r->is_year_short) {
            r->year += r->year < 70 ? 2000 : r->year < 100 ? 1900 : 0;
        } else if (r->year <= 0) {
            return WEIR_READ_OUT_OF_RANGE;
        }
        r->year = r->is_bc ? 1 - r->year : r->year;
    }
    if (r->year > YEAR_END || r->year < -YEAR_END) {
        r->year = r->year > 0 ? YEAR_END : -YEAR_END; /* the caller says that it is out of range */
    }
    if ((r->parts & PART_DAY_OF_YEAR) != 0) {
        int32_t days = weir_days_from_civil(r->year, 1, 1) + r->day_of_year - 1;
        struct weir_civil civil = weir_civil_from_days(days);
        r->year = civil.year;
        r->month = civil.month;
        r->day = civil.day;
    }
    if (((r->parts & PART_MONTH) != 0 && (r->month < 1 || r->month > 12)) ||
        ((r->parts & PART_DAY) != 0 && (r->day < 1 || r->day > 31)) ||
        ((r->parts & PART_DATE) == PART_DATE && r->day > weir_days_in_month(r->year, r->month))) {
        return WEIR_READ_OUT_OF_RANGE;
    }
    return WEIR_READ_OK;
}

static enum weir_datetime_outcome settle_time(struct weir_datetime_reading *r)
{
    if (r->am_pm != WEIR_HOURS_NOT_GIVEN) {
        if (r->hour > 12) {
            return WEIR_READ_OUT_OF_RANGE;
        }
        r->hour = r->hour % 12 + r->am_pm;
    }
    if (r->hour < 0 || r->minute < 0 || r->second < 0 || r->minute > 59 || r->second > 60 ||
        r->hour > 24 ||
        (r->hour == 24 && (r->minute != 0 || r->second != 0 || r->fraction_us != 0))) {
        return WEIR_READ_OUT_OF_RANGE;
    }
    return WEIR_READ_OK;
}

enum weir_datetime_outcome weir_datetime_read(struct weir_str text, bool time_only,
                                              struct weir_datetime_fields *fields,
                                              struct weir_datetime_reading *ret)
{
    enum weir_datetime_outcome outcome = WEIR_READ_OK;

    *ret = (struct weir_datetime_reading){ .am_pm = WEIR_HOURS_NOT_GIVEN, .time_only = time_only };
    if (!weir_datetime_split(text, fields)) {
        return WEIR_READ_BAD_FORMAT;
    }
    for (uint32_t i = 0; i < fields->count && outcome == WEIR_READ_OK; i++) {
        ret->date_allowed = i == 0 && fields->count >= 2 &&
                            (fields->items[fields->count - 1].kind == WEIR_FIELD_DATE ||
                             fields->items[1].kind == WEIR_FIELD_TIME);
        outcome = read_field(ret, &fields->items[i], i + 1 == fields->count);
    }
    if (outcome != WEIR_READ_OK) {
        return outcome;
    }
    outcome = settle_date(ret);
    if (outcome == WEIR_READ_OK) {
        outcome = settle_time(ret);
    }
    uint32_t needed = ret->special != WEIR_SPECIAL_NONE ? PART_SPECIAL
                      : time_only                       ? PART_TIME
                                                        : PART_DATE;
    if (outcome == WEIR_READ_OK && (ret->parts & needed) != needed) {
        return WEIR_READ_BAD_FORMAT;
    }
    return outcome;
}
