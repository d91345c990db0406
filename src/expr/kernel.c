/* kernel.c: what kernels do when a row has no value. */
#include "expr/kernel.h"

int weir_eval_fail_value(struct weir_eval *eval, uint32_t row, uint32_t rows, int rc,
                         const struct weir_value_error *verr)
{
    if (rc != WEIR_EDATA) {
        return weir_eval_no_memory(eval);
    }
    return weir_eval_fail(eval, row, rows, verr->sqlstate, "%s", verr->text);
}

int weir_eval_set_null(struct weir_eval *eval, uint32_t row, uint32_t rows, struct weir_vec *ret)
{
    if (ret->valid == NULL) {
        ret->valid = weir_bitmap_alloc(eval->arena, rows, true);
        if (ret->valid == NULL) {
            return weir_eval_no_memory(eval);
        }
    }
    weir_bitmap_clear((uint64_t *)ret->valid, row); /* made above, so it is ours to change */
    return WEIR_OK;
}
