/* op.h: one step between a decoded chunk and a sink.
 *
 * An operator changes rows on their way. process() is a pure function of its rows and its own
 * state: no clock, no randomness, no I/O, no statics. After a crash the engine runs the same batch
 * again and needs the same bytes; time arrives through eval, as the batch's t. */
#ifndef WEIR_OP_OP_H
#define WEIR_OP_OP_H

#include "expr/expr.h"

/* Rows on their way: the selected rows of a chunk. Memory is the chunk's arena (eval->arena). */
struct weir_flow {
    struct weir_chunk chunk;
    struct weir_sel sel;
};

struct weir_op_args {
    struct weir_expr *const *exprs; /* FILTER: one condition; PROJECT: one for each output column */
    uint32_t expr_count;
};

struct weir_operator_ops {
    const char *name;
    size_t self_bytes; /* the engine allocates and zeroes this much before init() */
    /* args are borrowed until fini(). */
    int (*init)(void *self, const struct weir_op_args *args, struct weir_error *err);
    /* Turns *flow into the operator's output. Rows that fail are recorded in eval and leave the
     * flow. Fails only with WEIR_ENOMEM. */
    int (*process)(void *self, struct weir_eval *eval, struct weir_flow *flow,
                   struct weir_error *err);
    void (*fini)(void *self); /* NULL: nothing to free */
};

extern const struct weir_operator_ops weir_filter_ops;
extern const struct weir_operator_ops weir_project_ops;

/* The selected rows that have not failed; *flow's selection is replaced when some have. */
int weir_flow_drop_failed(struct weir_eval *eval, struct weir_flow *flow, struct weir_error *err);

#endif
