/* jsonb.c: JSON text to the text that PostgreSQL prints for it as jsonb.
 *
 * One pass over the input appends the canonical text of every value to one buffer in the order of
 * the input; each object notes where its members begin and, when it closes, writes them again in
 * their order behind. What was written first is overwritten by that, so the result is in place.
 * J1  Depth is limited: a bomb of brackets cannot overflow the stack. */
#include "chunk/jsonb.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"
#include "chunk/decimal.h"
#include "chunk/jsonb_scan.h"
#include "chunk/scalar_text.h"
#include "chunk/utf8.h"

/* A member of an object under construction: its key (unescaped) and its canonical text, which is
 * `"key": value`. */
struct member {
    struct weir_str key;
    size_t from, to; /* in out */
    uint32_t at;     /* which one of the object: of equal keys the last wins */
};

struct parser {
    const char *p;
    const char *end;
    struct weir_str text; /* all of it, for messages */
    struct weir_arena *arena;
    struct weir_buf out;
    struct weir_buf members; /* of all open objects: struct member */
    uint32_t depth;
    struct weir_value_error *verr;
};

static int parse_value(struct parser *p);

static int syntax_error(struct parser *p)
{
    struct weir_str token = { p->p, (size_t)(p->end - p->p) };

    if (token.len == 0) {
        return weir_value_error_set(p->verr, "22P02",
                                    "invalid input syntax for type json: The input string ended "
                                    "unexpectedly.");
    }
    token.len = weir_utf8_offset(token, 32);
    return weir_value_error_set(p->verr, "22P02", "invalid input syntax for type json: at \"%.*s\"",
                                WEIR_STR_ARG(token));
}

static void skip_space(struct parser *p)
{
    while (p->p < p->end && (*p->p == ' ' || *p->p == '\n' || *p->p == '\t' || *p->p == '\r')) {
        p->p++;
    }
}

/* Reads the four hex digits of an escape. */
static bool parse_hex4(struct parser *p, uint32_t *ret)
{
    uint32_t code = 0;

    if (p->end - p->p < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        char c = p->p[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) {
            return false;
        }
        code = code * 16 + digit;
    }
    p->p += 4;
    *ret = code;
    return true;
}

/* What stands behind "\u", a second half of a pair included. */
static int parse_unicode(struct parser *p, char **to)
{
    uint32_t code, low;

    if (!parse_hex4(p, &code)) {
        return syntax_error(p);
    }
    if (code == 0) {
        return weir_value_error_set(p->verr, "22P05",
                                    "unsupported Unicode escape sequence: \\u0000 cannot be "
                                    "converted to text.");
    }
    if (code >= 0xd800 && code <= 0xdbff) {
        if (p->end - p->p < 2 || p->p[0] != '\\' || p->p[1] != 'u') {
            return weir_value_error_set(p->verr, "22P02",
                                        "invalid input syntax for type json: Unicode low surrogate "
                                        "must follow a high surrogate.");
        }
        p->p += 2;
        if (!parse_hex4(p, &low)) {
            return syntax_error(p);
        }
        if (low < 0xdc00 || low > 0xdfff) {
            return weir_value_error_set(p->verr, "22P02",
                                        "invalid input syntax for type json: Unicode low surrogate "
                                        "must follow a high surrogate.");
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code <= 0xdfff) {
        return weir_value_error_set(p->verr, "22P02",
                                    "invalid input syntax for type json: Unicode low surrogate "
                                    "must follow a high surrogate.");
    }
    *to += weir_utf8_put(code, *to);
    return WEIR_OK;
}

static int parse_escape(struct parser *p, char **to)
{
    static const char from[] = "\"\\/bfnrt";
    static const char means[] = "\"\\/\b\f\n\r\t";
    const char *found;

    p->p++;
    if (p->p == p->end) {
        return syntax_error(p);
    }
    if (*p->p == 'u') {
        p->p++;
        return parse_unicode(p, to);
    }
    found = *p->p == '\0' ? NULL : strchr(from, *p->p);
    if (found == NULL) {
        return syntax_error(p);
    }
    *(*to)++ = means[found - from];
    p->p++;
    return WEIR_OK;
}

/* The string that starts at the quote, without escapes: a view of the input or in the arena. */
static int parse_string(struct parser *p, struct weir_str *ret)
{
    const char *start = ++p->p;
    char *data, *to;

    while (p->p < p->end && *p->p != '"' && *p->p != '\\' && (unsigned char)*p->p >= ' ') {
        p->p++;
    }
    if (p->p < p->end && *p->p == '"') {
        *ret = (struct weir_str){ start, (size_t)(p->p - start) };
        p->p++;
        return WEIR_OK;
    }
    const char *close = weir_json_string_end(start, p->end);
    if (close == NULL) {
        p->p = p->end;
        return syntax_error(p);
    }
    data = weir_arena_alloc(p->arena, (size_t)(close - start));
    if (data == NULL) {
        return weir_value_error_memory(p->verr);
    }
    memcpy(data, start, (size_t)(p->p - start));
    to = data + (p->p - start);
    while (*p->p != '"') {
        if (*p->p == '\\') {
            int rc = parse_escape(p, &to);
            if (rc != WEIR_OK) {
                return rc;
            }
        } else if ((unsigned char)*p->p < ' ') {
            return syntax_error(p);
        } else {
            *to++ = *p->p++;
        }
    }
    p->p++;
    *ret = (struct weir_str){ data, (size_t)(to - data) };
    return WEIR_OK;
}

/* Appends a string as PostgreSQL escapes it. */
static void put_string(struct weir_buf *out, struct weir_str text)
{
    uint8_t *to = weir_buf_reserve(out, 2 + 6 * text.len);
    uint8_t *start = to;

    if (to == NULL) {
        return;
    }
    *to++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        static const char hex[] = "0123456789abcdef";
        static const char from[] = "\"\\\b\f\n\r\t";
        static const char names[] = "\"\\bfnrt";
        unsigned char c = (unsigned char)text.data[i];
        if (c >= ' ' && c != '"' && c != '\\') {
            *to++ = c;
            continue;
        }
        const char *found = strchr(from, c);
        *to++ = '\\';
        if (found != NULL) {
            *to++ = (uint8_t)names[found - from];
        } else {
            memcpy(to, "u00", 3);
            to[3] = (uint8_t)hex[c >> 4];
            to[4] = (uint8_t)hex[c & 15];
            to += 5;
        }
    }
    *to++ = '"';
    out->len += (size_t)(to - start);
}

static int parse_number(struct parser *p)
{
    const char *end = weir_json_number_end(p->p, p->end);
    struct weir_numeric value;
    struct weir_str text;
    int rc;

    if (end == NULL) {
        return syntax_error(p);
    }
    rc = weir_numeric_parse((struct weir_str){ p->p, (size_t)(end - p->p) }, -1, p->arena, &value,
                            p->verr);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (weir_numeric_print(value, p->arena, &text) != WEIR_OK) {
        return weir_value_error_memory(p->verr);
    }
    weir_buf_append(&p->out, text.data, text.len);
    p->p = end;
    return WEIR_OK;
}

static int parse_word(struct parser *p)
{
    static const char *const words[] = { "true", "false", "null" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]);
        size_t left = (size_t)(p->end - p->p);
        if (left >= len && memcmp(p->p, words[i], len) == 0 &&
            (left == len || !weir_json_is_word_char(p->p[len]))) {
            weir_buf_append(&p->out, words[i], len);
            p->p += len;
            return WEIR_OK;
        }
    }
    return syntax_error(p);
}

static int parse_array(struct parser *p)
{
    bool is_first = true;

    p->p++;
    weir_buf_append_text(&p->out, "[");
    skip_space(p);
    while (p->p < p->end && *p->p != ']') {
        if (!is_first) {
            if (*p->p != ',') {
                return syntax_error(p);
            }
            p->p++;
            weir_buf_append_text(&p->out, ", ");
        }
        int rc = parse_value(p);
        if (rc != WEIR_OK) {
            return rc;
        }
        skip_space(p);
        is_first = false;
    }
    if (p->p == p->end) {
        return syntax_error(p);
    }
    p->p++;
    weir_buf_append_text(&p->out, "]");
    return WEIR_OK;
}

/* By length of the key, then its bytes, then place. */
static int member_compare(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    if (x->key.len != y->key.len) {
        return x->key.len < y->key.len ? -1 : 1;
    }
    int order = weir_str_compare(x->key, y->key);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

/* Sorts the members of the object whose text starts at start, drops overruled ones, and puts their
 * texts in order. */
static int order_members(struct parser *p, struct member *members, uint32_t count, size_t start)
{
    bool is_ordered = true;

    for (uint32_t i = 1; i < count && is_ordered; i++) {
        is_ordered = member_compare(&members[i - 1], &members[i]) < 0 &&
                     !weir_str_equal(members[i - 1].key, members[i].key);
    }
    if (is_ordered) {
        return WEIR_OK;
    }
    qsort(members, count, sizeof(*members), member_compare);
    size_t bytes = p->out.len - start, len = 1;
    char *sorted = weir_arena_alloc(p->arena, bytes);
    if (sorted == NULL) {
        return weir_value_error_memory(p->verr);
    }
    sorted[0] = '{';
    for (uint32_t i = 0; i < count; i++) {
        size_t member_bytes = members[i].to - members[i].from;
        if (i + 1 < count && weir_str_equal(members[i].key, members[i + 1].key)) {
            continue;
        }
        if (len != 1) {
            memcpy(sorted + len, ", ", 2);
            len += 2;
        }
        memcpy(sorted + len, p->out.data + members[i].from, member_bytes);
        len += member_bytes;
    }
    weir_assert(len <= bytes);
    memcpy(p->out.data + start, sorted, len);
    p->out.len = start + len;
    return WEIR_OK;
}

/* `"key": value`, appended, with its place. */
static int parse_member(struct parser *p, struct member *ret)
{
    int rc;

    skip_space(p);
    if (p->p == p->end || *p->p != '"') {
        return syntax_error(p);
    }
    rc = parse_string(p, &ret->key);
    if (rc != WEIR_OK) {
        return rc;
    }
    skip_space(p);
    if (p->p == p->end || *p->p != ':') {
        return syntax_error(p);
    }
    p->p++;
    ret->from = p->out.len;
    put_string(&p->out, ret->key);
    weir_buf_append_text(&p->out, ": ");
    rc = parse_value(p);
    ret->to = p->out.len;
    return rc;
}

static int parse_object(struct parser *p)
{
    size_t start = p->out.len, first = p->members.len;
    struct member member = { .at = 0 };
    int rc;

    p->p++;
    weir_buf_append_text(&p->out, "{");
    skip_space(p);
    while (p->p < p->end && *p->p != '}') {
        if (member.at != 0) {
            if (*p->p != ',') {
                return syntax_error(p);
            }
            p->p++;
            weir_buf_append_text(&p->out, ", ");
        }
        rc = parse_member(p, &member);
        if (rc != WEIR_OK) {
            return rc;
        }
        weir_buf_append(&p->members, &member, sizeof(member));
        member.at++;
        skip_space(p);
    }
    if (p->p == p->end) {
        return syntax_error(p);
    }
    if (p->members.failed || p->out.failed) {
        return weir_value_error_memory(p->verr);
    }
    p->p++;
    if (member.at != 0) {
        struct member *members = (struct member *)(void *)(p->members.data + first);
        rc = order_members(p, members, member.at, start);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    p->members.len = first;
    weir_buf_append_text(&p->out, "}");
    return WEIR_OK;
}

static int parse_value(struct parser *p)
{
    struct weir_str string;
    int rc;

    skip_space(p);
    if (p->p == p->end) {
        return syntax_error(p);
    }
    switch (*p->p) {
    case '{':
    case '[':
        if (++p->depth > WEIR_JSONB_DEPTH_MAX) { /* J1 */
            return weir_value_error_set(p->verr, "54001",
                                        "JSON is nested too deeply: more than %d levels",
                                        WEIR_JSONB_DEPTH_MAX);
        }
        rc = *p->p == '{' ? parse_object(p) : parse_array(p);
        p->depth--;
        return rc;
    case '"':
        rc = parse_string(p, &string);
        if (rc == WEIR_OK) {
            put_string(&p->out, string);
        }
        return rc;
    case '-':
        return parse_number(p);
    default:
        return weir_char_is_digit(*p->p) ? parse_number(p) : parse_word(p);
    }
}

int weir_jsonb_parse(struct weir_str text, struct weir_arena *arena, struct weir_str *ret,
                     struct weir_value_error *verr)
{
    struct parser p = {
        .p = text.data, .end = text.data + text.len, .text = text, .arena = arena, .verr = verr
    };
    int rc = weir_utf8_check(text, verr);
    char *copy = NULL;

    if (rc == WEIR_OK) {
        rc = parse_value(&p);
    }
    if (rc == WEIR_OK) {
        skip_space(&p);
        rc = p.p == p.end ? WEIR_OK : syntax_error(&p);
    }
    if (rc == WEIR_OK) {
        copy = p.out.failed
                   ? NULL
                   : weir_arena_copy(arena, (struct weir_str){ (char *)p.out.data, p.out.len });
        rc = copy == NULL ? weir_value_error_memory(verr) : WEIR_OK;
    }
    if (rc == WEIR_OK) {
        *ret = (struct weir_str){ copy, p.out.len };
    }
    weir_buf_fini(&p.out);
    weir_buf_fini(&p.members);
    return rc;
}
