/* utf8.h: what SQL does with characters: check, count, cut, change case.
 *
 * A character is a Unicode code point, as in a PostgreSQL database of encoding UTF8. All functions
 * but weir_utf8_check() expect text that passed it. Case follows glibc's C.UTF-8, whatever locale
 * the process runs in. */
#ifndef WEIR_CHUNK_UTF8_H
#define WEIR_CHUNK_UTF8_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "chunk/value_error.h"

/* Refuses what PostgreSQL refuses in a text (22021): zero bytes, overlong forms, surrogates, code
 * points above U+10FFFF, cut sequences. */
int weir_utf8_check(struct weir_str text, struct weir_value_error *verr);

/* Bytes of the character that starts with this byte. */
static inline size_t weir_utf8_char_bytes(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Number of characters. */
size_t weir_utf8_length(struct weir_str text);
/* Bytes that the first `chars` characters take; text.len when there are fewer. */
size_t weir_utf8_offset(struct weir_str text, size_t chars);

/* substring(text FROM start FOR count), a view; start counts from 1 and may lie outside. A negative
 * count is 22011. weir_utf8_substring_from() is the form without FOR. */
int weir_utf8_substring(struct weir_str text, int32_t start, int32_t count, struct weir_str *ret,
                        struct weir_value_error *verr);
struct weir_str weir_utf8_substring_from(struct weir_str text, int32_t start);

/* lower(text), upper(text): one character to one, in arena (a view when nothing changes). */
int weir_utf8_lower(struct weir_str text, struct weir_arena *arena, struct weir_str *ret);
int weir_utf8_upper(struct weir_str text, struct weir_arena *arena, struct weir_str *ret);
/* Writes one character, at most 4 bytes, and returns how many. */
size_t weir_utf8_put(uint32_t code, char *ret);
/* The code point that starts at text[*at], and *at moved behind it; lower case of one. */
uint32_t weir_utf8_next(struct weir_str text, size_t *at);
uint32_t weir_utf8_char_lower(uint32_t code);

#endif
