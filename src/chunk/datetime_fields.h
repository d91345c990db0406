/* datetime_fields.h: for datetime_*.c and interval_parse.c only: cuts the text of a date, time or
 * interval into fields (numbers, words, "2013-01-01", "05:00:00", "-08:00") and knows the words.
 *
 * Where fields begin and end, and what kind they look like, follows PostgreSQL's rules, because
 * what a text may look like rests on them: any order, any punctuation between. */
#ifndef WEIR_CHUNK_DATETIME_FIELDS_H
#define WEIR_CHUNK_DATETIME_FIELDS_H

#include "base/str.h"
#include "chunk/type.h"

enum { WEIR_DATETIME_FIELDS_MAX = 25, WEIR_DATETIME_TEXT_BYTES_MAX = 256 };

enum weir_datetime_field_kind {
    WEIR_FIELD_NUMBER,  /* "2013", "20130101", ".5" */
    WEIR_FIELD_DATE,    /* "2013-01-01", "01-jan-2013", "america/new_york" */
    WEIR_FIELD_TIME,    /* "05:00:00.5" */
    WEIR_FIELD_WORD,    /* "january", "t", "utc" */
    WEIR_FIELD_SIGNED,  /* "-08:00", "+5" */
    WEIR_FIELD_SPECIAL, /* "-infinity" */
};

struct weir_datetime_field {
    enum weir_datetime_field_kind kind;
    char *text; /* lower case, NUL-terminated, in bytes */
};

struct weir_datetime_fields {
    uint32_t count;
    struct weir_datetime_field items[WEIR_DATETIME_FIELDS_MAX];
    char bytes[WEIR_DATETIME_TEXT_BYTES_MAX];
};

/* false when text cannot be cut into fields, or into too many. */
bool weir_datetime_split(struct weir_str text, struct weir_datetime_fields *ret);

enum weir_datetime_word_kind {
    WEIR_WORD_NONE, /* not a word of these lists */
    WEIR_WORD_IGNORED,
    WEIR_WORD_MONTH,
    WEIR_WORD_DAY_OF_WEEK,
    WEIR_WORD_AM_PM,  /* value: 0 or 12 hours */
    WEIR_WORD_ERA,    /* value: 1 for BC */
    WEIR_WORD_ZONE,   /* value: seconds east of Greenwich */
    WEIR_WORD_SUMMER, /* "dst" */
    WEIR_WORD_PREFIX, /* value: 't' or 'j', which say what the next field is */
    WEIR_WORD_UNIT,   /* 'y', 'm' ... as prefixes, which are not supported */
    WEIR_WORD_EPOCH,
    WEIR_WORD_PINF,
    WEIR_WORD_NINF,
    WEIR_WORD_MIDNIGHT, /* "allballs": 00:00 UTC */
    WEIR_WORD_CLOCK,    /* "now", "today": needs a clock */
};

/* Words of dates and times, zones included. */
enum weir_datetime_word_kind weir_datetime_word(const char *text, int32_t *ret_value);
/* The same without zones. */
enum weir_datetime_word_kind weir_datetime_core_word(const char *text, int32_t *ret_value);

/* Units of intervals, extract() and date_trunc(). */
enum weir_datetime_unit {
    WEIR_UNIT_NONE, /* not a unit */
    WEIR_UNIT_MICROSECOND,
    WEIR_UNIT_MILLISECOND,
    WEIR_UNIT_SECOND,
    WEIR_UNIT_MINUTE,
    WEIR_UNIT_HOUR,
    WEIR_UNIT_DAY,
    WEIR_UNIT_WEEK,
    WEIR_UNIT_MONTH,
    WEIR_UNIT_YEAR,
    WEIR_UNIT_DECADE,
    WEIR_UNIT_CENTURY,
    WEIR_UNIT_MILLENNIUM,
    WEIR_UNIT_INTERVAL_LAST = WEIR_UNIT_MILLENNIUM, /* those behind are not parts of intervals */
    WEIR_UNIT_AGO,
    WEIR_UNIT_QUARTER,
    WEIR_UNIT_ZONE,
    WEIR_UNIT_ZONE_HOUR,
    WEIR_UNIT_ZONE_MINUTE,
    WEIR_UNIT_TRUNC_LAST = WEIR_UNIT_ZONE_MINUTE, /* those behind are for extract() only */
    WEIR_UNIT_DAY_OF_WEEK,
    WEIR_UNIT_ISO_DAY_OF_WEEK,
    WEIR_UNIT_DAY_OF_YEAR,
    WEIR_UNIT_ISO_YEAR,
    WEIR_UNIT_JULIAN,
    WEIR_UNIT_EPOCH,
};

/* The unit of a word in lower case. */
enum weir_datetime_unit weir_datetime_unit(const char *text);

/* An integer as strtol() reads it; *ret_end is behind it. false when it is not within 32 bits. */
bool weir_datetime_int(const char *text, const char **ret_end, int32_t *ret);
/* ".25" to microseconds, to the nearest; false when it is anything else. */
bool weir_datetime_fraction(const char *text, int64_t *ret_us);

#endif
