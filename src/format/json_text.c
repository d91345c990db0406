/* json_text.c: the grammar of JSON over the index that simdjson's first stage has made.
 *
 * The index tells where tokens begin. A token ends where the next one begins, but for white space
 * between; so a scalar's text is known before it is read, and everything in it has to be of it. */
#include "format/json_text.h"

#include <string.h>

#include "chunk/utf8.h"

const char json_zero_character[] = "\\u0000 cannot be converted to text";
const char json_too_deep[] = "arrays and objects are nested too deeply";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Skips digits; false when there is none. */
static bool skip_digits(const char **at, const char *end)
{
    const char *first = *at;

    while (*at < end && is_digit(**at)) {
        (*at)++;
    }
    return *at > first;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool is_number(struct weir_str token)
{
    const char *at = token.data;
    const char *end = at + token.len;

    if (at < end && *at == '-') {
        at++;
    }
    if (at < end && *at == '0') {
        at++;
    } else if (!skip_digits(&at, end)) {
        return false;
    }
    if (at < end && *at == '.') {
        at++;
        if (!skip_digits(&at, end)) {
            return false;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) {
            at++;
        }
        if (!skip_digits(&at, end)) {
            return false;
        }
    }
    return at == end;
}

/* Four hexadecimal digits; -1 when they are not. */
static int32_t read_hex(const char *at, const char *end)
{
    int32_t value = 0;

    if (end - at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = is_digit(c)            ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* The code point behind \u at *at, of one escape or of a surrogate pair; moves *at behind it. */
static const char *read_code_point(const char **at, const char *end, uint32_t *ret)
{
    int32_t first = read_hex(*at, end);

    if (first < 0) {
        return "\\u must be followed by four hexadecimal digits";
    }
    *at += 4;
    *ret = (uint32_t)first;
    if (first >= 0xd800 && first < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' &&
        (*at)[1] == 'u') {
        int32_t second = read_hex(*at + 2, end);
        if (second >= 0xdc00 && second < 0xe000) {
            *at += 6;
            *ret = 0x10000 + (((uint32_t)first - 0xd800) << 10) + ((uint32_t)second - 0xdc00);
            return NULL;
        }
    }
    return first >= 0xd800 && first < 0xe000 ? "half of a surrogate pair stands alone" : NULL;
}

/* Reads one escape whose backslash is behind us, and writes what it stands for to out (unless NULL). */
static const char *read_escape(const char **at, const char *end, char **out)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    char bytes[4];
    size_t count = 1;

    const char *found = *at < end ? memchr(names, **at, sizeof(names) - 1) : NULL;
    if (found != NULL) {
        bytes[0] = meanings[found - names];
        (*at)++;
    } else if (*at < end && **at == 'u') {
        uint32_t code;
        (*at)++;
        const char *wrong = read_code_point(at, end, &code);
        if (wrong != NULL) {
            return wrong;
        }
        count = weir_utf8_put(code, bytes);
    } else {
        return "a string holds an unknown escape";
    }
    if (out != NULL) {
        memcpy(*out, bytes, count);
        *out += count;
    }
    return NULL;
}

/* Unescapes what is between the quotes; with out NULL only checks. (What nobody reads may hold a
 * \u0000, which SQL's text cannot.) */
static const char *unescape(struct weir_str inner, char *out, size_t *ret_bytes)
{
    const char *at = inner.data;
    const char *end = at + inner.len;
    char *to = out;

    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((backslash == NULL ? end : backslash) - at);
        if (out != NULL) {
            memcpy(to, at, plain);
            to += plain;
        }
        at += plain;
        if (backslash != NULL) {
            at++;
            const char *wrong = read_escape(&at, end, out == NULL ? NULL : &to);
            if (wrong != NULL) {
                return wrong;
            }
        }
    }
    *ret_bytes = out == NULL ? 0 : (size_t)(to - out);
    return NULL;
}

static struct weir_str inside(struct weir_str quoted)
{
    return (struct weir_str){ quoted.data + 1, quoted.len - 2 };
}

const char *json_string(const struct json_value *value, struct weir_arena *arena,
                        struct weir_str *ret)
{
    struct weir_str inner = inside(value->raw);
    size_t bytes;

    if (!value->has_escapes) {
        *ret = inner;
        return NULL;
    }
    char *out = weir_arena_alloc(arena, inner.len + 4); /* escapes only shrink */
    *ret = (struct weir_str){ 0 };
    if (out == NULL) {
        return NULL;
    }
    const char *wrong = unescape(inner, out, &bytes);
    if (wrong == NULL && memchr(out, '\0', bytes) != NULL) {
        wrong = json_zero_character;
    }
    if (wrong == NULL) {
        *ret = (struct weir_str){ out, bytes };
    }
    return wrong;
}

/* Eight bytes at a time: the usual string is short, and a call would cost more than it. Reads up to
 * seven bytes behind the string, which are readable (json_index.h). */
static bool has_backslash(struct weir_str text)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    for (size_t i = 0; i < text.len; i += 8) {
        uint64_t word;
        memcpy(&word, text.data + i, sizeof(word));
        word ^= ones * '\\';
        uint64_t zeros = (word - ones) & ~word & ones << 7; /* low ones are exact, see below */
        if (zeros != 0) {
            /* The lowest marked byte is a true one; is it still inside? */
            return i + (size_t)__builtin_ctzll(zeros) / 8 < text.len;
        }
    }
    return false;
}

const char *json_take_string(struct json_text *text, struct json_value *ret)
{
    struct weir_str raw = json_peek_token(text);

    /* Between the quote that opens a string and the next token are the string and white space. */
    if (raw.len < 2 || raw.data[raw.len - 1] != '"') {
        return "a string is not closed";
    }
    text->next++;
    *ret = (struct json_value){ JSON_STRING, raw, has_backslash(inside(raw)) };
    return NULL;
}

static const char *take_scalar(struct json_text *text, struct json_value *ret)
{
    static const struct word {
        const char *text;
        size_t bytes;
        enum json_kind kind;
    } words[] = { { "true", 4, JSON_TRUE }, { "false", 5, JSON_FALSE }, { "null", 4, JSON_NULL } };

    if (text->next >= text->count) {
        return "the text ends too early";
    }
    struct weir_str raw = json_peek_token(text);
    ret->raw = raw;
    ret->has_escapes = false;
    if (raw.data[0] == '-' || is_digit(raw.data[0])) {
        if (!is_number(raw)) {
            return "a number is malformed";
        }
        ret->kind = JSON_NUMBER;
        text->next++;
        return NULL;
    }
    for (int i = 0; i < 3; i++) {
        if (raw.len == words[i].bytes && memcmp(raw.data, words[i].text, raw.len) == 0) {
            ret->kind = words[i].kind;
            text->next++;
            return NULL;
        }
    }
    return "a value is neither string, number, object, array, true, false nor null";
}

/* A value that is neither array nor object, escapes included (JT1): what nobody reads is not looked at
 * again. */
static const char *take_leaf(struct json_text *text, struct json_value *ret)
{
    size_t bytes;

    if (json_peek(text) != '"') {
        return take_scalar(text, ret);
    }
    const char *wrong = json_take_string(text, ret);
    return wrong == NULL && ret->has_escapes ? unescape(inside(ret->raw), NULL, &bytes) : wrong;
}

/* "key" : */
static const char *check_key(struct json_text *text)
{
    if (json_peek(text) != '"') {
        return "a key must be a string";
    }
    struct json_value key;
    const char *wrong = take_leaf(text, &key);
    if (wrong != NULL) {
        return wrong;
    }
    if (json_peek(text) != ':') {
        return "a colon is missing behind a key";
    }
    text->next++;
    return NULL;
}

/* Goes through an array or object. kinds remembers in bit d whether level d is an object. */
static const char *check_nested(struct json_text *text)
{
    uint64_t kinds = 0;
    uint32_t depth = 1; /* the object that holds the field */
    const char *wrong = NULL;
    struct json_value leaf;

    _Static_assert(JSON_DEPTH_MAX <= 64, "one bit a level");
    for (;;) {
        char c = json_peek(text);
        if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX) {
                return json_too_deep;
            }
            uint64_t bit = UINT64_C(1) << (depth - 1);
            kinds = c == '{' ? kinds | bit : kinds & ~bit;
            text->next++;
            if (json_peek(text) != (c == '{' ? '}' : ']')) {
                wrong = c == '{' ? check_key(text) : NULL;
                if (wrong != NULL) {
                    return wrong;
                }
                continue;
            }
            text->next++; /* empty */
            depth--;
        } else {
            wrong = take_leaf(text, &leaf);
            if (wrong != NULL) {
                return wrong;
            }
        }
        /* A value has ended: close what ends here. */
        for (;;) {
            if (depth == 1) {
                return NULL;
            }
            bool in_object = (kinds >> (depth - 1) & 1) != 0;
            c = json_peek(text);
            text->next += text->next < text->count;
            if (c == ',') {
                wrong = in_object ? check_key(text) : NULL;
                if (wrong != NULL) {
                    return wrong;
                }
                break;
            }
            if (c != (in_object ? '}' : ']')) {
                return "a comma or a closing bracket is missing";
            }
            depth--;
        }
    }
}

const char *json_take_value(struct json_text *text, struct json_value *ret)
{
    char c = json_peek(text);

    if (c == '{' || c == '[') {
        const char *begin = text->data + text->at[text->next];
        const char *wrong = check_nested(text);
        if (wrong == NULL) {
            const char *end = text->data + text->at[text->next - 1] + 1; /* the closing bracket */
            *ret = (struct json_value){ c == '{' ? JSON_OBJECT : JSON_ARRAY,
                                        { begin, (size_t)(end - begin) },
                                        false };
        }
        return wrong;
    }
    return take_leaf(text, ret);
}
