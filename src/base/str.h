/* str.h: a view of bytes that somebody else owns. Not NUL-terminated unless said so. */
#ifndef WEIR_BASE_STR_H
#define WEIR_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct weir_str {
    const char *data; /* NULL only when len is 0 */
    size_t len;       /* bytes */
};

/* A literal as a view. */
#define WEIR_STR(literal) ((struct weir_str){ (literal), sizeof(literal) - 1 })
/* What printf may take for its "%.*s": an empty view may have no data. */
static inline const char *weir_str_text(struct weir_str s)
{
    return s.len == 0 ? "" : s.data;
}
/* For printf's "%.*s". */
#define WEIR_STR_ARG(s) (int)(s).len, weir_str_text(s)

static inline struct weir_str weir_str_from(const char *text)
{
    return (struct weir_str){ text, text == NULL ? 0 : strlen(text) };
}

static inline bool weir_str_equal(struct weir_str a, struct weir_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Without the blanks at both ends. */
static inline struct weir_str weir_str_trim(struct weir_str text)
{
    while (text.len > 0 && text.data[0] == ' ') {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && text.data[text.len - 1] == ' ') {
        text.len--;
    }
    return text;
}

/* Bytewise order, as PostgreSQL's collation "C": negative, 0 or positive. */
static inline int weir_str_compare(struct weir_str a, struct weir_str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* How many letters must change, come or go between two words, for "did you mean"; SIZE_MAX for
 * words too long to compare. */
size_t weir_str_distance(struct weir_str a, struct weir_str b);

#endif
