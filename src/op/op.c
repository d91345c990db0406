/* op.c: what operators share. */
#include "op/op.h"

int weir_flow_drop_failed(struct weir_eval *eval, struct weir_flow *flow, struct weir_error *err)
{
    uint32_t *rows;
    uint32_t count = 0;

    if (eval->failed == NULL) {
        return WEIR_OK;
    }
    rows = weir_arena_alloc(eval->arena, flow->sel.count * sizeof(*rows));
    if (rows == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a selection");
    }
    for (uint32_t i = 0; i < flow->sel.count; i++) {
        uint32_t row = flow->sel.rows[i];
        rows[count] = row;
        count += (eval->failed[row / 64] >> (row % 64) & 1) == 0;
    }
    flow->sel = (struct weir_sel){ .count = count, .rows = rows };
    return WEIR_OK;
}
