/* json_text.h: walks over an indexed JSON text and checks all of its grammar (RFC 8259).
 *
 * JT1  What json_skip_value() accepts, it has checked whole: numbers, words, escapes, commas, depth.
 * Checked by tests/unit/format/test_json_text.c. */
#ifndef WEIR_FORMAT_JSON_TEXT_H
#define WEIR_FORMAT_JSON_TEXT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"
#include "format/json_index.h"

enum { JSON_DEPTH_MAX = 64 }; /* arrays and objects inside each other, the outermost included */

struct json_text {
    const char *data;
    const uint32_t *at; /* where tokens begin; at[count] is the text's length */
    uint32_t count;
    uint32_t next; /* the token to be looked at */
};

enum json_kind {
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
    JSON_OBJECT,
    JSON_ARRAY
};

struct json_value {
    enum json_kind kind;
    struct weir_str raw; /* as written; a string with its quotes */
    bool has_escapes;    /* a string with a backslash */
};

/* The first character of the token to be looked at; NUL at the end. */
static inline char json_peek(const struct json_text *text)
{
    return text->next < text->count ? text->data[text->at[text->next]] : '\0';
}

static inline bool json_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The text of the token to be looked at, when that is a string, a number or a word: up to the next
 * token, without the white space between. There is one. */
static inline struct weir_str json_peek_token(const struct json_text *text)
{
    const char *begin = text->data + text->at[text->next];
    const char *end = text->data + text->at[text->next + 1];

    while (end > begin && json_is_space(end[-1])) {
        end--;
    }
    return (struct weir_str){ begin, (size_t)(end - begin) };
}

/* Takes the value that begins at the next token. Returns NULL, or what is wrong with it. */
const char *json_take_value(struct json_text *text, struct json_value *ret);
/* Takes a string alone; for keys. */
const char *json_take_string(struct json_text *text, struct json_value *ret);

/* What a string says. With escapes it is written to the arena, otherwise it is a view. Returns NULL, or
 * what is wrong; data of *ret is NULL without memory. */
const char *json_string(const struct json_value *value, struct weir_arena *arena,
                        struct weir_str *ret);

extern const char json_zero_character[]; /* the text for \u0000, which SQL's text cannot hold */
extern const char json_too_deep[];

#endif
