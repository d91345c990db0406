/* cast_kernels.c: text to values and values to text. Uses chunk/scalar_text.h for each value. */
#include "expr/cast_kernels.h"

#include "chunk/scalar_text.h"

/* A cast of a boolean spells it out, where the output function writes one letter. */
static int print(const struct weir_vec *vec, uint32_t row, struct weir_arena *arena,
                 struct weir_str *ret)
{
    if (vec->type.id == WEIR_TYPE_BOOL) {
        *ret = vec->b[row] != 0 ? WEIR_STR("true") : WEIR_STR("false");
        return WEIR_OK;
    }
    return weir_value_print(vec, row, arena, ret);
}

WEIR_VALUE_KERNEL(to_text, print(&args[0], row, eval->arena, &ret->str[row]))

/* The length of the type comes later, by the cast of the type to itself (see eval.c). */
WEIR_KERNEL(from_text)
{
    struct weir_type type = { .id = ret->type.id, .typmod = -1 };
    size_t bytes = weir_type_bytes(type.id);
    struct weir_value_error verr;
    int rc = WEIR_OK;

    for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        rc = weir_value_parse(type, args[0].str[row], eval->arena, ret->b + row * bytes, &verr);
        if (rc != WEIR_OK) {
            rc = weir_eval_fail_value(eval, row, rows, rc, &verr);
        }
    }
    return rc;
}
