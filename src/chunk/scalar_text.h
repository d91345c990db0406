/* scalar_text.h: PostgreSQL's input and output functions for single values.
 *
 * Input  weir_X_parse() reads text as PostgreSQL's input function of type X does, its errors
 *        included (see value_error.h). Text is expected to be checked UTF-8 (weir_text_parse()
 *        checks). Where there is an arena the result may lie in it or be a view of the text.
 * Output weir_X_print() writes as PostgreSQL does with DateStyle ISO, IntervalStyle postgres,
 *        bytea_output hex and extra_float_digits 1.
 * Numeric, date and time, interval and jsonb have headers of their own; weir_value_parse() and
 * weir_value_print() reach all types. Checked by tests/unit/chunk against PostgreSQL's answers. */
#ifndef WEIR_CHUNK_SCALAR_TEXT_H
#define WEIR_CHUNK_SCALAR_TEXT_H

#include "base/arena.h"
#include "base/str.h"
#include "chunk/chunk.h"
#include "chunk/type.h"
#include "chunk/value_error.h"

/* Room that is enough for the text of any value but NUMERIC, the texts, BYTEA and JSONB. */
enum { WEIR_SCALAR_TEXT_BYTES = 128 };

/* Any type: ret is one element of the type's C type. UNKNOWN is read as TEXT. */
int weir_value_parse(struct weir_type type, struct weir_str text, struct weir_arena *arena,
                     void *ret, struct weir_value_error *verr);
/* Any type, for a value that is not null: a view of the value or text in arena. WEIR_ENOMEM only. */
int weir_value_print(const struct weir_vec *vec, uint32_t row, struct weir_arena *arena,
                     struct weir_str *ret);

int weir_bool_parse(struct weir_str text, uint8_t *ret, struct weir_value_error *verr);
int weir_int2_parse(struct weir_str text, int16_t *ret, struct weir_value_error *verr);
int weir_int4_parse(struct weir_str text, int32_t *ret, struct weir_value_error *verr);
int weir_int8_parse(struct weir_str text, int64_t *ret, struct weir_value_error *verr);
int weir_float4_parse(struct weir_str text, float *ret, struct weir_value_error *verr);
int weir_float8_parse(struct weir_str text, double *ret, struct weir_value_error *verr);
int weir_uuid_parse(struct weir_str text, struct weir_uuid *ret, struct weir_value_error *verr);
int weir_bytea_parse(struct weir_str text, struct weir_arena *arena, struct weir_str *ret,
                     struct weir_value_error *verr);

/* Checks the encoding; *ret is the text itself. */
int weir_text_parse(struct weir_str text, struct weir_str *ret, struct weir_value_error *verr);
/* varchar(n) and char(n) from text. What is too long is 22001 unless only spaces are lost; with
 * is_explicit (a CAST written by the user) it is cut in silence. char(n) is padded with spaces. */
int weir_varchar_fit(struct weir_str text, int32_t typmod, bool is_explicit, struct weir_str *ret,
                     struct weir_value_error *verr);
int weir_bpchar_fit(struct weir_str text, int32_t typmod, bool is_explicit,
                    struct weir_arena *arena, struct weir_str *ret, struct weir_value_error *verr);
/* A char(n) without the spaces at its end: how it is compared, and what it is as text. */
struct weir_str weir_bpchar_trim(struct weir_str value);

/* Each writes at most WEIR_SCALAR_TEXT_BYTES to ret, no NUL, and returns how many. */
size_t weir_bool_print(uint8_t value, char *ret); /* "t" or "f"; a cast to text says "true" */
size_t weir_int8_print(int64_t value, char *ret); /* the smaller integers too */
size_t weir_float4_print(float value, char *ret);
size_t weir_float8_print(double value, char *ret);
size_t weir_uuid_print(const struct weir_uuid *value, char *ret);
/* Hex, in arena. */
int weir_bytea_print(struct weir_str value, struct weir_arena *arena, struct weir_str *ret);

/* For input functions: text without the spaces around it that PostgreSQL's isspace() skips. */
struct weir_str weir_text_trim_space(struct weir_str text);
/* For input functions: 22P02 `invalid input syntax for type TYPE: "TEXT"`. */
int weir_value_error_syntax(struct weir_value_error *verr, const char *type_name,
                            struct weir_str text);

static inline bool weir_char_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool weir_char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

#endif
