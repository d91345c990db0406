/* datetime_read.h: for datetime_parse.c only: what the fields of a text say about a date and time. */
#ifndef WEIR_CHUNK_DATETIME_READ_H
#define WEIR_CHUNK_DATETIME_READ_H

#include "chunk/datetime_fields.h"

enum {
    WEIR_HOURS_NOT_GIVEN = -1,
    WEIR_OFFSET_HOURS_MAX = 15, /* of a zone's offset */
};

enum weir_datetime_outcome {
    WEIR_READ_OK,
    WEIR_READ_BAD_FORMAT,
    WEIR_READ_OUT_OF_RANGE,
    WEIR_READ_BAD_OFFSET,
    WEIR_READ_NEEDS_CLOCK,
    WEIR_READ_BAD_ZONE,
    WEIR_READ_UNSUPPORTED,
};

enum weir_datetime_special {
    WEIR_SPECIAL_NONE,
    WEIR_SPECIAL_EPOCH,
    WEIR_SPECIAL_PINF,
    WEIR_SPECIAL_NINF
};

/* What the fields have said so far. */
struct weir_datetime_reading {
    uint32_t parts;
    int32_t year, month, day, day_of_year;
    int32_t hour, minute, second;
    int64_t fraction_us;
    int32_t offset_s; /* east of Greenwich */
    int32_t am_pm;    /* hours to add, or WEIR_HOURS_NOT_GIVEN */
    bool is_bc;
    bool is_year_short; /* of one or two digits */
    bool is_julian;     /* a day number, which needs no calendar */
    bool has_month_name;
    bool time_only;
    bool date_allowed; /* with time_only: only in front of the time */
    char prefix;       /* 't' or 'j': what the next field must be; 0: anything */
    enum weir_datetime_special special;
    const char *culprit; /* for WEIR_READ_NEEDS_CLOCK and WEIR_READ_BAD_ZONE */
};

/* Reads all fields of text and checks them against the calendar and the hours of a day; year may be
 * beyond the dates still. ret->culprit points into fields. */
enum weir_datetime_outcome weir_datetime_read(struct weir_str text, bool time_only,
                                              struct weir_datetime_fields *fields,
                                              struct weir_datetime_reading *ret);

/* The two decimal digits at p, or -1. */
static inline int32_t weir_two_digits(const char *p)
{
    unsigned tens = (unsigned)(p[0] - '0'), ones = (unsigned)(p[1] - '0');

    return tens <= 9 && ones <= 9 ? (int32_t)(tens * 10 + ones) : -1;
}

#endif
