/* json_value.h: one JSON value into one element of a column.
 *
 * The rule is that of PostgreSQL's json_populate_record(): null is NULL; a string is what it says, anything
 * else is its text, and that goes through the input function of the column's type. So "12" and 12
 * both fill an integer, 12.5 is an error there, true fills a text with 'true', and jsonb takes any value.
 * One exception: a number in a date or time column is refused (PostgreSQL would take 20240101 for a date and
 * most other numbers for nonsense) unless timestamp_format says what it counts. */
#ifndef WEIR_FORMAT_JSON_VALUE_H
#define WEIR_FORMAT_JSON_VALUE_H

#include "chunk/chunk.h"
#include "chunk/value_error.h"
#include "format/json_text.h"

struct json_value_options {
    int64_t timestamp_unit_us; /* what a number in a timestamp column counts; 0: refused */
};

/* value is not null. WEIR_OK, WEIR_EDATA (verr says why) or WEIR_ENOMEM. */
int json_value_store(const struct json_value *value, const struct json_value_options *options,
                     struct weir_vec *vec, uint32_t row, struct weir_arena *arena,
                     struct weir_value_error *verr);

#endif
