/* datetime_fields.c: fields and words of dates and times. */
#include "chunk/datetime_fields.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "chunk/scalar_text.h"

/* The state of cutting: what is left, and where the next character of a field goes. */
struct cutter {
    const char *p;
    const char *end;
    char *out;
    char *out_end;
};

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
    return is_alpha(c) || weir_char_is_digit(c);
}

static bool is_punctuation(char c)
{
    return c > ' ' && c < 0x7f && !is_alnum(c);
}

/* The next character; NUL at the end (a text holds none). */
static char peek(const struct cutter *cut)
{
    return cut->p < cut->end ? *cut->p : '\0';
}

static bool take(struct cutter *cut)
{
    char c = *cut->p++;

    if (cut->out == cut->out_end) {
        return false;
    }
    *cut->out++ = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    return true;
}

/* Takes letters, digits or either, and any characters of more. */
static bool take_all(struct cutter *cut, bool letters, bool digits, const char *more)
{
    for (char c = peek(cut); c != '\0'; c = peek(cut)) {
        if (!(letters && is_alpha(c)) && !(digits && weir_char_is_digit(c)) &&
            strchr(more, c) == NULL) {
            return true;
        }
        if (!take(cut)) {
            return false;
        }
    }
    return true;
}

/* A field that starts with a digit. */
static bool cut_digits(struct cutter *cut, enum weir_datetime_field_kind *ret_kind)
{
    char separator[2] = { 0 };

    *ret_kind = WEIR_FIELD_NUMBER;
    if (!take_all(cut, false, true, "")) {
        return false;
    }
    if (peek(cut) == ':') {
        *ret_kind = WEIR_FIELD_TIME;
        return take_all(cut, false, true, ":.");
    }
    if (peek(cut) != '-' && peek(cut) != '/' && peek(cut) != '.') {
        return true;
    }
    separator[0] = peek(cut);
    if (!take(cut)) {
        return false;
    }
    if (!weir_char_is_digit(peek(cut))) {
        *ret_kind = WEIR_FIELD_DATE; /* "01-jan-2013" */
        return take_all(cut, true, true, separator);
    }
    *ret_kind = separator[0] == '.' ? WEIR_FIELD_NUMBER : WEIR_FIELD_DATE;
    if (!take_all(cut, false, true, "")) {
        return false;
    }
    if (peek(cut) == separator[0]) {
        *ret_kind = WEIR_FIELD_DATE;
        return take_all(cut, false, true, separator);
    }
    return true;
}

/* A field that starts with a letter: a word, or a date or zone that contains one. */
static bool cut_letters(struct cutter *cut, enum weir_datetime_field_kind *ret_kind)
{
    char *start = cut->out;
    char next;
    bool is_date;

    *ret_kind = WEIR_FIELD_WORD;
    if (!take_all(cut, true, false, "")) {
        return false;
    }
    next = peek(cut);
    is_date = next == '-' || next == '/' || next == '.';
    if (next == '+' || weir_char_is_digit(next)) {
        int32_t value;
        if (cut->out == cut->out_end) {
            return false;
        }
        *cut->out = '\0';
        is_date = weir_datetime_core_word(start, &value) == WEIR_WORD_NONE;
    }
    if (is_date) {
        *ret_kind = WEIR_FIELD_DATE;
        return take_all(cut, true, true, "+-/_.:");
    }
    return true;
}

/* A field that starts with a sign. */
static bool cut_sign(struct cutter *cut, enum weir_datetime_field_kind *ret_kind)
{
    if (!take(cut)) {
        return false;
    }
    while (weir_char_is_space(peek(cut))) {
        cut->p++;
    }
    if (weir_char_is_digit(peek(cut))) {
        *ret_kind = WEIR_FIELD_SIGNED;
        return take_all(cut, false, true, ":.-");
    }
    if (is_alpha(peek(cut))) {
        *ret_kind = WEIR_FIELD_SPECIAL;
        return take_all(cut, true, false, "");
    }
    return false;
}

/* One field of a text that is not at a space or punctuation. */
static bool cut_field(struct cutter *cut, struct weir_datetime_field *ret)
{
    char c = peek(cut);
    bool ok;

    ret->text = cut->out;
    if (weir_char_is_digit(c)) {
        ok = cut_digits(cut, &ret->kind);
    } else if (c == '.') {
        ret->kind = WEIR_FIELD_NUMBER;
        ok = take(cut) && take_all(cut, false, true, "");
    } else if (is_alpha(c)) {
        ok = cut_letters(cut, &ret->kind);
    } else {
        ok = (c == '+' || c == '-') && cut_sign(cut, &ret->kind);
    }
    if (!ok || cut->out == cut->out_end) {
        return false;
    }
    *cut->out++ = '\0';
    return true;
}

bool weir_datetime_split(struct weir_str text, struct weir_datetime_fields *ret)
{
    struct cutter cut = { .p = text.data,
                          .end = text.data + text.len,
                          .out = ret->bytes,
                          .out_end = ret->bytes + sizeof(ret->bytes) };

    ret->count = 0;
    while (cut.p < cut.end) {
        char c = *cut.p;
        if (weir_char_is_space(c) || (is_punctuation(c) && c != '.' && c != '+' && c != '-')) {
            cut.p++;
            continue;
        }
        if (ret->count == WEIR_DATETIME_FIELDS_MAX || !cut_field(&cut, &ret->items[ret->count])) {
            return false;
        }
        ret->count++;
    }
    return true;
}

struct word {
    const char *text;
    enum weir_datetime_word_kind kind;
    int32_t value;
};

static const struct word core_words[] = {
    { "t", WEIR_WORD_PREFIX, 't' },
    { "-infinity", WEIR_WORD_NINF, 0 },
    { "ad", WEIR_WORD_ERA, 0 },
    { "allballs", WEIR_WORD_MIDNIGHT, 0 },
    { "am", WEIR_WORD_AM_PM, 0 },
    { "apr", WEIR_WORD_MONTH, 4 },
    { "april", WEIR_WORD_MONTH, 4 },
    { "at", WEIR_WORD_IGNORED, 0 },
    { "aug", WEIR_WORD_MONTH, 8 },
    { "august", WEIR_WORD_MONTH, 8 },
    { "bc", WEIR_WORD_ERA, 1 },
    { "d", WEIR_WORD_UNIT, 0 },
    { "dec", WEIR_WORD_MONTH, 12 },
    { "december", WEIR_WORD_MONTH, 12 },
    { "dow", WEIR_WORD_UNIT, 0 },
    { "doy", WEIR_WORD_UNIT, 0 },
    { "dst", WEIR_WORD_SUMMER, 3600 },
    { "epoch", WEIR_WORD_EPOCH, 0 },
    { "feb", WEIR_WORD_MONTH, 2 },
    { "february", WEIR_WORD_MONTH, 2 },
    { "fri", WEIR_WORD_DAY_OF_WEEK, 5 },
    { "friday", WEIR_WORD_DAY_OF_WEEK, 5 },
    { "h", WEIR_WORD_UNIT, 0 },
    { "infinity", WEIR_WORD_PINF, 0 },
    { "isodow", WEIR_WORD_UNIT, 0 },
    { "isoyear", WEIR_WORD_UNIT, 0 },
    { "j", WEIR_WORD_PREFIX, 'j' },
    { "jan", WEIR_WORD_MONTH, 1 },
    { "january", WEIR_WORD_MONTH, 1 },
    { "jd", WEIR_WORD_PREFIX, 'j' },
    { "jul", WEIR_WORD_MONTH, 7 },
    { "julian", WEIR_WORD_PREFIX, 'j' },
    { "july", WEIR_WORD_MONTH, 7 },
    { "jun", WEIR_WORD_MONTH, 6 },
    { "june", WEIR_WORD_MONTH, 6 },
    { "m", WEIR_WORD_UNIT, 0 },
    { "mar", WEIR_WORD_MONTH, 3 },
    { "march", WEIR_WORD_MONTH, 3 },
    { "may", WEIR_WORD_MONTH, 5 },
    { "mm", WEIR_WORD_UNIT, 0 },
    { "mon", WEIR_WORD_DAY_OF_WEEK, 1 },
    { "monday", WEIR_WORD_DAY_OF_WEEK, 1 },
    { "nov", WEIR_WORD_MONTH, 11 },
    { "november", WEIR_WORD_MONTH, 11 },
    { "now", WEIR_WORD_CLOCK, 0 },
    { "oct", WEIR_WORD_MONTH, 10 },
    { "october", WEIR_WORD_MONTH, 10 },
    { "on", WEIR_WORD_IGNORED, 0 },
    { "pm", WEIR_WORD_AM_PM, 12 },
    { "s", WEIR_WORD_UNIT, 0 },
    { "sat", WEIR_WORD_DAY_OF_WEEK, 6 },
    { "saturday", WEIR_WORD_DAY_OF_WEEK, 6 },
    { "sep", WEIR_WORD_MONTH, 9 },
    { "sept", WEIR_WORD_MONTH, 9 },
    { "september", WEIR_WORD_MONTH, 9 },
    { "sun", WEIR_WORD_DAY_OF_WEEK, 0 },
    { "sunday", WEIR_WORD_DAY_OF_WEEK, 0 },
    { "thu", WEIR_WORD_DAY_OF_WEEK, 4 },
    { "thur", WEIR_WORD_DAY_OF_WEEK, 4 },
    { "thurs", WEIR_WORD_DAY_OF_WEEK, 4 },
    { "thursday", WEIR_WORD_DAY_OF_WEEK, 4 },
    { "today", WEIR_WORD_CLOCK, 0 },
    { "tomorrow", WEIR_WORD_CLOCK, 0 },
    { "tue", WEIR_WORD_DAY_OF_WEEK, 2 },
    { "tues", WEIR_WORD_DAY_OF_WEEK, 2 },
    { "tuesday", WEIR_WORD_DAY_OF_WEEK, 2 },
    { "wed", WEIR_WORD_DAY_OF_WEEK, 3 },
    { "wednesday", WEIR_WORD_DAY_OF_WEEK, 3 },
    { "weds", WEIR_WORD_DAY_OF_WEEK, 3 },
    { "y", WEIR_WORD_UNIT, 0 },
    { "yesterday", WEIR_WORD_CLOCK, 0 },
};

/* Names of UTC, and the abbreviations of PostgreSQL's default set whose offset never depends on
 * the date and that people do send. */
static const struct word zone_words[] = {
    { "z", WEIR_WORD_ZONE, 0 },         { "zulu", WEIR_WORD_ZONE, 0 },
    { "utc", WEIR_WORD_ZONE, 0 },       { "gmt", WEIR_WORD_ZONE, 0 },
    { "ut", WEIR_WORD_ZONE, 0 },        { "uct", WEIR_WORD_ZONE, 0 },
    { "wet", WEIR_WORD_ZONE, 0 },       { "bst", WEIR_WORD_ZONE, 3600 },
    { "cet", WEIR_WORD_ZONE, 3600 },    { "cest", WEIR_WORD_ZONE, 7200 },
    { "eet", WEIR_WORD_ZONE, 7200 },    { "eest", WEIR_WORD_ZONE, 10800 },
    { "est", WEIR_WORD_ZONE, -18000 },  { "edt", WEIR_WORD_ZONE, -14400 },
    { "cst", WEIR_WORD_ZONE, -21600 },  { "cdt", WEIR_WORD_ZONE, -18000 },
    { "mst", WEIR_WORD_ZONE, -25200 },  { "mdt", WEIR_WORD_ZONE, -21600 },
    { "pst", WEIR_WORD_ZONE, -28800 },  { "pdt", WEIR_WORD_ZONE, -25200 },
    { "jst", WEIR_WORD_ZONE, 32400 },   { "universal", WEIR_WORD_ZONE, 0 },
    { "greenwich", WEIR_WORD_ZONE, 0 },
};

static enum weir_datetime_word_kind find_word(const struct word *words, size_t count,
                                              const char *text, int32_t *ret_value)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i].text, text) == 0) {
            *ret_value = words[i].value;
            return words[i].kind;
        }
    }
    return WEIR_WORD_NONE;
}

enum weir_datetime_word_kind weir_datetime_core_word(const char *text, int32_t *ret_value)
{
    return find_word(core_words, sizeof(core_words) / sizeof(core_words[0]), text, ret_value);
}

enum weir_datetime_word_kind weir_datetime_word(const char *text, int32_t *ret_value)
{
    enum weir_datetime_word_kind kind =
        find_word(zone_words, sizeof(zone_words) / sizeof(zone_words[0]), text, ret_value);

    return kind != WEIR_WORD_NONE ? kind : weir_datetime_core_word(text, ret_value);
}

/* Ten bytes are compared, so long words stand here cut: "microseconds", "timezone_hour". */
enum { UNIT_BYTES_COMPARED = 10 };

static const struct {
    const char *text;
    enum weir_datetime_unit unit;
} unit_words[] = {
    { "ago", WEIR_UNIT_AGO },
    { "c", WEIR_UNIT_CENTURY },
    { "cent", WEIR_UNIT_CENTURY },
    { "centuries", WEIR_UNIT_CENTURY },
    { "century", WEIR_UNIT_CENTURY },
    { "d", WEIR_UNIT_DAY },
    { "day", WEIR_UNIT_DAY },
    { "days", WEIR_UNIT_DAY },
    { "dec", WEIR_UNIT_DECADE },
    { "decade", WEIR_UNIT_DECADE },
    { "decades", WEIR_UNIT_DECADE },
    { "decs", WEIR_UNIT_DECADE },
    { "h", WEIR_UNIT_HOUR },
    { "hour", WEIR_UNIT_HOUR },
    { "hours", WEIR_UNIT_HOUR },
    { "hr", WEIR_UNIT_HOUR },
    { "hrs", WEIR_UNIT_HOUR },
    { "m", WEIR_UNIT_MINUTE },
    { "microsecon", WEIR_UNIT_MICROSECOND },
    { "mil", WEIR_UNIT_MILLENNIUM },
    { "millennia", WEIR_UNIT_MILLENNIUM },
    { "millennium", WEIR_UNIT_MILLENNIUM },
    { "millisecon", WEIR_UNIT_MILLISECOND },
    { "mils", WEIR_UNIT_MILLENNIUM },
    { "min", WEIR_UNIT_MINUTE },
    { "mins", WEIR_UNIT_MINUTE },
    { "minute", WEIR_UNIT_MINUTE },
    { "minutes", WEIR_UNIT_MINUTE },
    { "mon", WEIR_UNIT_MONTH },
    { "mons", WEIR_UNIT_MONTH },
    { "month", WEIR_UNIT_MONTH },
    { "months", WEIR_UNIT_MONTH },
    { "ms", WEIR_UNIT_MILLISECOND },
    { "msec", WEIR_UNIT_MILLISECOND },
    { "mseconds", WEIR_UNIT_MILLISECOND },
    { "msecs", WEIR_UNIT_MILLISECOND },
    { "qtr", WEIR_UNIT_QUARTER },
    { "quarter", WEIR_UNIT_QUARTER },
    { "s", WEIR_UNIT_SECOND },
    { "sec", WEIR_UNIT_SECOND },
    { "second", WEIR_UNIT_SECOND },
    { "seconds", WEIR_UNIT_SECOND },
    { "secs", WEIR_UNIT_SECOND },
    { "timezone", WEIR_UNIT_ZONE },
    { "timezone_h", WEIR_UNIT_ZONE_HOUR },
    { "timezone_m", WEIR_UNIT_ZONE_MINUTE },
    { "us", WEIR_UNIT_MICROSECOND },
    { "usec", WEIR_UNIT_MICROSECOND },
    { "usecond", WEIR_UNIT_MICROSECOND },
    { "useconds", WEIR_UNIT_MICROSECOND },
    { "usecs", WEIR_UNIT_MICROSECOND },
    { "w", WEIR_UNIT_WEEK },
    { "week", WEIR_UNIT_WEEK },
    { "weeks", WEIR_UNIT_WEEK },
    { "y", WEIR_UNIT_YEAR },
    { "year", WEIR_UNIT_YEAR },
    { "years", WEIR_UNIT_YEAR },
    { "yr", WEIR_UNIT_YEAR },
    { "yrs", WEIR_UNIT_YEAR },
    { "dow", WEIR_UNIT_DAY_OF_WEEK },
    { "doy", WEIR_UNIT_DAY_OF_YEAR },
    { "epoch", WEIR_UNIT_EPOCH },
    { "isodow", WEIR_UNIT_ISO_DAY_OF_WEEK },
    { "isoyear", WEIR_UNIT_ISO_YEAR },
    { "j", WEIR_UNIT_JULIAN },
    { "jd", WEIR_UNIT_JULIAN },
    { "julian", WEIR_UNIT_JULIAN },
};

enum weir_datetime_unit weir_datetime_unit(const char *text)
{
    for (size_t i = 0; i < sizeof(unit_words) / sizeof(unit_words[0]); i++) {
        if (text[0] == unit_words[i].text[0] &&
            strncmp(text, unit_words[i].text, UNIT_BYTES_COMPARED) == 0) {
            return unit_words[i].unit;
        }
    }
    return WEIR_UNIT_NONE;
}

bool weir_datetime_int(const char *text, const char **ret_end, int32_t *ret)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    *ret_end = end;
    if (errno == ERANGE || value < INT32_MIN || value > INT32_MAX) {
        return false;
    }
    *ret = (int32_t)value;
    return true;
}

bool weir_datetime_fraction(const char *text, int64_t *ret_us)
{
    struct weir_value_error ignored; /* the caller has better words */
    double value;

    if (text[0] == '.' && text[1] == '\0') {
        *ret_us = 0;
        return true;
    }
    if (text[0] != '.' || !weir_char_is_digit(text[1]) ||
        weir_float8_parse(weir_str_from(text), &value, &ignored) != WEIR_OK) {
        return false;
    }
    *ret_us = (int64_t)rint(value * 1000000.0);
    return true;
}
