/* text_kernels.c: functions on text and bytea, by column.
 *
 * Uses     like.h. Results that are part of an argument are views of it; others lie in the
 *          evaluation's arena. */
#include "expr/text_kernels.h"

#include "expr/like.h"

/* The results of all rows lie in one piece of memory, measured first. */
WEIR_KERNEL(concat)
{
    const struct weir_str *a = args[0].str, *b = args[1].str;
    size_t bytes = 1;

    WEIR_EACH_SELECTED(row)
    {
        bytes += a[row].len + b[row].len;
    }
    char *out = weir_arena_alloc(eval->arena, bytes);
    if (out == NULL) {
        return weir_eval_no_memory(eval);
    }
    WEIR_EACH_SELECTED(row)
    {
        ret->str[row] = (struct weir_str){ out, a[row].len + b[row].len };
        if (a[row].len != 0) {
            memcpy(out, a[row].data, a[row].len);
        }
        if (b[row].len != 0) {
            memcpy(out + a[row].len, b[row].data, b[row].len);
        }
        out += ret->str[row].len;
    }
    return WEIR_OK;
}

WEIR_KERNEL(octet_length)
{
    WEIR_EACH_ROW(row, ret->i4[row] = (int32_t)args[0].str[row].len);
    return WEIR_OK;
}

/* ---- LIKE ------------------------------------------------------------------------------------ */

static int match_rows(struct weir_eval *eval, const struct weir_vec *args, uint32_t rows,
                      struct weir_sel sel, bool is_utf8, bool negate, struct weir_vec *ret)
{
    int rc = WEIR_OK;

    for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        enum weir_like_result result = weir_like_match(args[0].str[row], args[1].str[row], is_utf8);
        if (result == WEIR_LIKE_BAD_PATTERN) {
            rc = weir_eval_fail(eval, row, rows, "22025",
                                "LIKE pattern must not end with escape character");
        }
        ret->b[row] = (result == WEIR_LIKE_YES) != negate;
    }
    return rc;
}

WEIR_KERNEL(like)
{
    return match_rows(eval, args, rows, sel, true, false, ret);
}

WEIR_KERNEL(not_like)
{
    return match_rows(eval, args, rows, sel, true, true, ret);
}

WEIR_KERNEL(like_bytea)
{
    return match_rows(eval, args, rows, sel, false, false, ret);
}

WEIR_KERNEL(not_like_bytea)
{
    return match_rows(eval, args, rows, sel, false, true, ret);
}

/* Whether an escape string is at most one character long. */
static bool is_escape(struct weir_str escape, bool is_utf8)
{
    unsigned char first = escape.len == 0 ? 0 : (unsigned char)escape.data[0];
    size_t bytes = !is_utf8 || first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    return escape.len <= bytes;
}

static int escape_rows(struct weir_eval *eval, const struct weir_vec *args, uint32_t rows,
                       struct weir_sel sel, bool is_utf8, struct weir_vec *ret)
{
    for (uint32_t i = 0; i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        struct weir_str pattern = args[0].str[row], escape = args[1].str[row];
        if (!is_escape(escape, is_utf8)) {
            if (weir_eval_fail(eval, row, rows, "22025", "invalid escape string") != WEIR_OK) {
                return WEIR_ENOMEM;
            }
        } else if (weir_str_equal(escape, WEIR_STR("\\"))) {
            ret->str[row] = pattern;
        } else if (!weir_like_escape(pattern, escape, is_utf8, eval->arena, &ret->str[row])) {
            return weir_eval_no_memory(eval);
        }
    }
    return WEIR_OK;
}

WEIR_KERNEL(like_escape)
{
    return escape_rows(eval, args, rows, sel, true, ret);
}

WEIR_KERNEL(like_escape_bytea)
{
    return escape_rows(eval, args, rows, sel, false, ret);
}
