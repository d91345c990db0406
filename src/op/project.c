/* project.c: SELECT. Computes the output columns and packs the rows that are left.
 *
 * Uses expr/expr.h. Stateless. When every row is left, columns are passed on without a copy. */
#include "op/op.h"

struct project {
    struct weir_expr *const *exprs;
    uint32_t count;
};

static int project_init(void *self, const struct weir_op_args *args, struct weir_error *err)
{
    struct project *project = self;

    (void)err; /* nothing here can fail */
    project->exprs = args->exprs;
    project->count = args->expr_count;
    return WEIR_OK;
}

/* Row numbers 0 to count - 1. */
static int select_all(struct weir_eval *eval, uint32_t count, struct weir_sel *ret,
                      struct weir_error *err)
{
    uint32_t *rows = weir_arena_alloc(eval->arena, count * sizeof(*rows));

    if (rows == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a selection");
    }
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = i;
    }
    *ret = (struct weir_sel){ .count = count, .rows = rows };
    return WEIR_OK;
}

static int project_process(void *self, struct weir_eval *eval, struct weir_flow *flow,
                           struct weir_error *err)
{
    const struct project *project = self;
    struct weir_chunk out = {
        .rows = flow->chunk.rows,
        .columns = project->count,
        .vecs = weir_arena_calloc(eval->arena, project->count, sizeof(*out.vecs)),
        .origins = flow->chunk.origins,
    };
    int rc = WEIR_OK;

    if (out.vecs == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u columns", project->count);
    }
    eval->err = err;
    for (uint32_t c = 0; rc == WEIR_OK && c < project->count; c++) {
        rc = weir_expr_eval(project->exprs[c], eval, &flow->chunk, flow->sel, &out.vecs[c]);
    }
    if (rc == WEIR_OK) {
        rc = weir_flow_drop_failed(eval, flow, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (flow->sel.count == out.rows) {
        flow->chunk = out;
        return WEIR_OK;
    }
    rc = weir_chunk_gather(eval->arena, &out, flow->sel, &flow->chunk, err);
    return rc == WEIR_OK ? select_all(eval, flow->chunk.rows, &flow->sel, err) : rc;
}

const struct weir_operator_ops weir_project_ops = {
    .name = "project",
    .self_bytes = sizeof(struct project),
    .init = project_init,
    .process = project_process,
};
