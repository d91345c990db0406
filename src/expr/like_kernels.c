/* like_kernels.c: LIKE, ILIKE and their negations by column. Uses like.h for each value. */
#include "chunk/utf8.h"
#include "expr/like.h"
#include "expr/text_kernels.h"

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

/* ILIKE is LIKE of both in lower case. */
static int match_lower(struct weir_eval *eval, const struct weir_vec *args, uint32_t rows,
                       struct weir_sel sel, bool negate, struct weir_vec *ret)
{
    struct weir_vec lower[2] = { args[0], args[1] };

    for (uint32_t i = 0; i < 2; i++) {
        lower[i] = weir_vec_alloc(eval->arena, args[i].type, rows);
        if (lower[i].data == NULL) {
            return weir_eval_no_memory(eval);
        }
        int rc = weir_kernel_lower(eval, &args[i], rows, sel, &lower[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return match_rows(eval, lower, rows, sel, true, negate, ret);
}

WEIR_KERNEL(ilike)
{
    return match_lower(eval, args, rows, sel, false, ret);
}

WEIR_KERNEL(not_ilike)
{
    return match_lower(eval, args, rows, sel, true, ret);
}

/* Whether an escape string is at most one character long. */
static bool is_escape(struct weir_str escape, bool is_utf8)
{
    return escape.len <= 1 ||
           (is_utf8 && escape.len == weir_utf8_char_bytes((unsigned char)escape.data[0]));
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
