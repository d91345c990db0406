/* utf8.c: characters of UTF-8 text. ASCII runs are taken eight bytes at a time. */
#include "chunk/utf8.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/assert.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)
#define LOW_BITS UINT64_C(0x0101010101010101)

static locale_t utf8_locale;
static pthread_once_t utf8_locale_once = PTHREAD_ONCE_INIT;

static void utf8_locale_make(void)
{
    utf8_locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    weir_assert(utf8_locale != NULL); /* glibc has had it built in since 2.35 */
}

static locale_t get_utf8_locale(void)
{
    (void)pthread_once(&utf8_locale_once, utf8_locale_make);
    return utf8_locale;
}

static uint64_t load8(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return word;
}

/* Eight bytes that are all ASCII and not zero. */
static bool is_plain8(const char *p)
{
    uint64_t word = load8(p);

    return ((word | (word - LOW_BITS)) & HIGH_BITS) == 0;
}

/* Bytes of the well-formed character at p, 0 when it is not one. */
static size_t char_check(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80) {
        return p[0] != 0;
    }
    if (p[0] < 0xc2 || p[0] > 0xf4) {
        return 0;
    }
    size_t bytes = weir_utf8_char_bytes(p[0]);
    if (left < bytes) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return bytes;
}

static int encoding_error(struct weir_str text, size_t at, struct weir_value_error *verr)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *p = (const unsigned char *)text.data + at;
    size_t bytes = p[0] >= 0xf8 ? 1 : p[0] < 0xc0 ? 1 : weir_utf8_char_bytes(p[0]);
    char list[4 * 5 + 1];
    size_t len = 0;

    for (size_t i = 0; i < bytes && at + i < text.len; i++) {
        if (i != 0) {
            list[len++] = ' ';
        }
        list[len++] = '0';
        list[len++] = 'x';
        list[len++] = hex[p[i] >> 4];
        list[len++] = hex[p[i] & 15];
    }
    list[len] = '\0';
    return weir_value_error_set(verr, "22021", "invalid byte sequence for encoding \"UTF8\": %s",
                                list);
}

int weir_utf8_check(struct weir_str text, struct weir_value_error *verr)
{
    size_t at = 0;

    while (at < text.len) {
        if (text.len - at >= 8 && is_plain8(text.data + at)) {
            at += 8;
            continue;
        }
        size_t bytes = char_check((const unsigned char *)text.data + at, text.len - at);
        if (bytes == 0) {
            return encoding_error(text, at, verr);
        }
        at += bytes;
    }
    return WEIR_OK;
}

size_t weir_utf8_length(struct weir_str text)
{
    size_t following = 0, at = 0;

    for (; text.len - at >= 8; at += 8) {
        uint64_t word = load8(text.data + at);
        /* Bytes 10xxxxxx continue a character: bit 7 set, bit 6 clear. */
        following += (size_t)__builtin_popcountll(word & ~(word << 1) & HIGH_BITS);
    }
    for (; at < text.len; at++) {
        following += ((unsigned char)text.data[at] & 0xc0) == 0x80;
    }
    return text.len - following;
}

size_t weir_utf8_offset(struct weir_str text, size_t chars)
{
    size_t at = 0;

    while (at < text.len && chars != 0) {
        if (chars >= 8 && text.len - at >= 8 && (load8(text.data + at) & HIGH_BITS) == 0) {
            at += 8;
            chars -= 8;
        } else {
            at += weir_utf8_char_bytes((unsigned char)text.data[at]);
            chars--;
        }
    }
    return at < text.len ? at : text.len;
}

/* The part from character number start (from 1) up to before end. */
static struct weir_str slice(struct weir_str text, int64_t start, int64_t end)
{
    size_t from = start <= 1 ? 0 : weir_utf8_offset(text, (size_t)(start - 1));
    struct weir_str rest = { text.data + from, text.len - from };

    start = start < 1 ? 1 : start;
    rest.len = end <= start ? 0 : weir_utf8_offset(rest, (size_t)(end - start));
    return rest;
}

int weir_utf8_substring(struct weir_str text, int32_t start, int32_t count, struct weir_str *ret,
                        struct weir_value_error *verr)
{
    if (count < 0) {
        return weir_value_error_set(verr, "22011", "negative substring length not allowed");
    }
    *ret = slice(text, start, (int64_t)start + count);
    return WEIR_OK;
}

struct weir_str weir_utf8_substring_from(struct weir_str text, int32_t start)
{
    return slice(text, start, INT64_MAX);
}

uint32_t weir_utf8_next(struct weir_str text, size_t *at)
{
    const unsigned char *p = (const unsigned char *)text.data + *at;
    size_t bytes = weir_utf8_char_bytes(p[0]);

    *at += bytes;
    switch (bytes) {
    case 1:
        return p[0];
    case 2:
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    case 3:
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    default:
        return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
               (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    }
}

size_t weir_utf8_put(uint32_t code, char *ret)
{
    if (code < 0x80) {
        ret[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        ret[0] = (char)(0xc0 | code >> 6);
        ret[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        ret[0] = (char)(0xe0 | code >> 12);
        ret[1] = (char)(0x80 | (code >> 6 & 0x3f));
        ret[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    ret[0] = (char)(0xf0 | code >> 18);
    ret[1] = (char)(0x80 | (code >> 12 & 0x3f));
    ret[2] = (char)(0x80 | (code >> 6 & 0x3f));
    ret[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

uint32_t weir_utf8_char_lower(uint32_t code)
{
    if (code < 0x80) {
        return code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
    }
    return (uint32_t)towlower_l((wint_t)code, get_utf8_locale());
}

static uint32_t char_upper(uint32_t code)
{
    if (code < 0x80) {
        return code >= 'a' && code <= 'z' ? code - ('a' - 'A') : code;
    }
    return (uint32_t)towupper_l((wint_t)code, get_utf8_locale());
}

/* Maps each character. A character may change its number of bytes, at most to 4 from 1. */
static int map_chars(struct weir_str text, uint32_t (*map)(uint32_t), struct weir_arena *arena,
                     struct weir_str *ret)
{
    size_t ascii = 0, len = 0, at = 0;
    char *data;

    while (ascii < text.len && (unsigned char)text.data[ascii] < 0x80) {
        ascii++;
    }
    data = weir_arena_alloc(arena, ascii + 4 * weir_utf8_length((struct weir_str){
                                                   text.data + ascii, text.len - ascii }));
    if (data == NULL) {
        return WEIR_ENOMEM;
    }
    while (at < text.len) {
        len += weir_utf8_put(map(weir_utf8_next(text, &at)), data + len);
    }
    *ret = (struct weir_str){ data, len };
    return WEIR_OK;
}

/* Whether all of text is ASCII without letters of the range that changes. */
static bool is_unchanged(struct weir_str text, char first, char last)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.data[i] >= 0x80 ||
            (text.data[i] >= first && text.data[i] <= last)) {
            return false;
        }
    }
    return true;
}

int weir_utf8_lower(struct weir_str text, struct weir_arena *arena, struct weir_str *ret)
{
    if (is_unchanged(text, 'A', 'Z')) {
        *ret = text;
        return WEIR_OK;
    }
    return map_chars(text, weir_utf8_char_lower, arena, ret);
}

int weir_utf8_upper(struct weir_str text, struct weir_arena *arena, struct weir_str *ret)
{
    if (is_unchanged(text, 'a', 'z')) {
        *ret = text;
        return WEIR_OK;
    }
    return map_chars(text, char_upper, arena, ret);
}
