/* jsonb_scan.h: for jsonb*.c only: where the tokens of a JSON text end. */
#ifndef WEIR_CHUNK_JSONB_SCAN_H
#define WEIR_CHUNK_JSONB_SCAN_H

#include "base/str.h"
#include "chunk/scalar_text.h"

/* The quote that closes the string whose first character is at p; NULL when there is none. */
static inline const char *weir_json_string_end(const char *p, const char *end)
{
    while (p < end && *p != '"') {
        p += *p == '\\' ? 2 : 1;
    }
    return p < end ? p : NULL;
}

/* Characters that would make a longer word or number of one that ends before them. */
static inline bool weir_json_is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || weir_char_is_digit(c) || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Behind the number at p, by JSON's grammar; NULL when there is none or something is stuck to it. */
static inline const char *weir_json_number_end(const char *p, const char *end)
{
    const char *digits;

    p += p < end && *p == '-';
    digits = p;
    while (p < end && weir_char_is_digit(*p)) {
        p++;
    }
    if (p == digits || (*digits == '0' && p - digits > 1)) {
        return NULL;
    }
    if (p < end && *p == '.') {
        digits = ++p;
        while (p < end && weir_char_is_digit(*p)) {
            p++;
        }
        if (p == digits) {
            return NULL;
        }
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        digits = p;
        while (p < end && weir_char_is_digit(*p)) {
            p++;
        }
        if (p == digits) {
            return NULL;
        }
    }
    return p < end && weir_json_is_word_char(*p) ? NULL : p;
}

#endif
