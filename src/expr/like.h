/* like.h: LIKE patterns, with PostgreSQL's rules for the escape character. */
#ifndef WEIR_EXPR_LIKE_H
#define WEIR_EXPR_LIKE_H

#include "base/arena.h"
#include "base/str.h"

enum weir_like_result {
    WEIR_LIKE_NO,
    WEIR_LIKE_YES,
    WEIR_LIKE_BAD_PATTERN, /* the escape character was reached at the pattern's end */
};

/* Matches text against a pattern whose escape character is the backslash. '_' stands for one
 * character of UTF-8, or for one byte. Takes at most text.len * pattern.len steps. */
enum weir_like_result weir_like_match(struct weir_str text, struct weir_str pattern, bool is_utf8);

/* Rewrites a pattern with another escape character (one character; empty: none) to one with the
 * backslash, in arena. false when there is no memory. */
bool weir_like_escape(struct weir_str pattern, struct weir_str escape, bool is_utf8,
                      struct weir_arena *arena, struct weir_str *ret);

#endif
