/* like.c: matches LIKE patterns by going back to the last '%' only.
 *
 * That is enough: if the part between two '%' matches somewhere, its first match leaves most of the
 * text to what follows. So there is no recursion, and no pattern takes exponential time. A pattern
 * that ends in the escape character is an error only for a text that gets that far, as in
 * PostgreSQL. */
#include "expr/like.h"

#include "chunk/utf8.h"

/* Bytes of the character at text[at], or the one byte. */
static size_t char_bytes(struct weir_str text, size_t at, bool is_utf8)
{
    size_t bytes = is_utf8 ? weir_utf8_char_bytes((unsigned char)text.data[at]) : 1;

    return bytes < text.len - at ? bytes : text.len - at;
}

/* Moves *at to the next place where the pattern from part on may begin to match: where its first
 * byte is. A byte that begins a character is never found within another one. */
static bool next_try(struct weir_str text, struct weir_str pattern, size_t part, bool is_utf8,
                     size_t *at)
{
    if (*at == text.len) {
        return false;
    }
    *at += char_bytes(text, *at, is_utf8);
    if (pattern.data[part] == '\\') {
        return true;
    }
    const char *found = memchr(text.data + *at, pattern.data[part], text.len - *at);
    if (found != NULL) {
        *at = (size_t)(found - text.data);
    }
    return found != NULL;
}

enum weir_like_result weir_like_match(struct weir_str text, struct weir_str pattern, bool is_utf8)
{
    size_t t = 0, p = 0;
    size_t retry_t = 0, retry_p = 0; /* where the part behind the last '%' is tried, and begins */
    bool has_retry = false;

    for (;;) {
        if (t == text.len) {
            while (p < pattern.len && pattern.data[p] == '%') {
                p++;
            }
            return p == pattern.len ? WEIR_LIKE_YES : WEIR_LIKE_NO;
        }
        if (p < pattern.len && pattern.data[p] == '%') {
            /* Each '_' beside the '%' takes one character more. */
            for (; p < pattern.len && (pattern.data[p] == '%' || pattern.data[p] == '_'); p++) {
                if (pattern.data[p] == '_') {
                    if (t == text.len) {
                        return WEIR_LIKE_NO;
                    }
                    t += char_bytes(text, t, is_utf8);
                }
            }
            if (p == pattern.len) {
                return WEIR_LIKE_YES; /* it takes the rest */
            }
            has_retry = true;
            retry_p = p;
            retry_t = t;
        }
        if (p < pattern.len && pattern.data[p] == '\\' && p + 1 == pattern.len) {
            return WEIR_LIKE_BAD_PATTERN;
        }
        if (p < pattern.len && pattern.data[p] == '_') {
            t += char_bytes(text, t, is_utf8);
            p++;
            continue;
        }
        if (p < pattern.len && t < text.len) {
            size_t literal = pattern.data[p] == '\\' ? p + 1 : p;
            if (text.data[t] == pattern.data[literal]) {
                t++;
                p = literal + 1;
                continue;
            }
        }
        if (!has_retry || !next_try(text, pattern, retry_p, is_utf8, &retry_t)) {
            return WEIR_LIKE_NO;
        }
        t = retry_t;
        p = retry_p;
    }
}

bool weir_like_escape(struct weir_str pattern, struct weir_str escape, bool is_utf8,
                      struct weir_arena *arena, struct weir_str *ret)
{
    char *out = weir_arena_alloc(arena, 2 * pattern.len + 1);
    size_t len = 0;
    bool after_escape = false;

    if (out == NULL) {
        return false;
    }
    for (size_t at = 0; at < pattern.len;) {
        size_t bytes = char_bytes(pattern, at, is_utf8);
        struct weir_str one = { pattern.data + at, bytes };
        at += bytes;
        if (!after_escape && escape.len != 0 && weir_str_equal(one, escape)) {
            out[len++] = '\\';
            after_escape = true;
            continue;
        }
        if (!after_escape && one.data[0] == '\\') {
            out[len++] = '\\'; /* an ordinary character of this pattern */
        }
        memcpy(out + len, one.data, bytes);
        len += bytes;
        after_escape = false;
    }
    *ret = (struct weir_str){ out, len };
    return true;
}
