/* filter.c: WHERE. Keeps the rows for which the condition is true (not false, not null).
 *
 * Uses expr/expr.h. Stateless; touches the selection only, never the columns. */
#include "op/op.h"

struct filter {
    const struct weir_expr *condition;
};

static int filter_init(void *self, const struct weir_op_args *args, struct weir_error *err)
{
    struct filter *filter = self;

    if (args->expr_count != 1) {
        return weir_error_set(err, WEIR_EBUG, "a filter has one condition, not %u",
                              args->expr_count);
    }
    filter->condition = args->exprs[0];
    return WEIR_OK;
}

static int filter_process(void *self, struct weir_eval *eval, struct weir_flow *flow,
                          struct weir_error *err)
{
    const struct filter *filter = self;
    struct weir_vec is_true;
    uint32_t *rows;
    uint32_t count = 0;
    int rc;

    eval->err = err;
    rc = weir_expr_eval(filter->condition, eval, &flow->chunk, flow->sel, &is_true);
    if (rc != WEIR_OK) {
        return rc;
    }
    rows = weir_arena_alloc(eval->arena, flow->sel.count * sizeof(*rows));
    if (rows == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a selection");
    }
    for (uint32_t i = 0; i < flow->sel.count; i++) {
        uint32_t row = flow->sel.rows[i];
        rows[count] = row;
        count += !weir_vec_is_null(&is_true, row) && is_true.b[row] != 0;
    }
    flow->sel = (struct weir_sel){ .count = count, .rows = rows };
    return weir_flow_drop_failed(eval, flow, err);
}

const struct weir_operator_ops weir_filter_ops = {
    .name = "filter",
    .self_bytes = sizeof(struct filter),
    .init = filter_init,
    .process = filter_process,
};
