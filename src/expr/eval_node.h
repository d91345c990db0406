/* eval_node.h: the evaluator's parts, for each other. Internal to eval*.c.
 *
 * eval.c        the walk, constants, calls and casts
 * eval_logic.c  three-valued logic, CASE, COALESCE and their kin
 * eval_vec.c    bitmaps, selections and columns put together from parts */
#ifndef WEIR_EXPR_EVAL_NODE_H
#define WEIR_EXPR_EVAL_NODE_H

#include "expr/kernel.h"

/* One chunk under evaluation: what every node needs. */
struct weir_walk {
    struct weir_eval *eval;
    const struct weir_chunk *chunk;
};

/* Computes one node for the selected rows; rows that fail in it come out null. */
typedef int weir_eval_node_fn(const struct weir_expr *expr, const struct weir_walk *walk,
                              struct weir_sel sel, struct weir_vec *ret);
weir_eval_node_fn weir_eval_node;
weir_eval_node_fn weir_eval_and_or, weir_eval_in, weir_eval_not, weir_eval_is;
weir_eval_node_fn weir_eval_distinct, weir_eval_nullif, weir_eval_case, weir_eval_coalesce;

/* Calls a kernel where no argument is null. */
int weir_eval_run(struct weir_eval *eval, weir_kernel_fn *kernel, const struct weir_vec *args,
                  uint32_t arg_count, uint32_t rows, struct weir_sel sel, struct weir_type type,
                  struct weir_vec *ret);

bool weir_eval_has_failed(const struct weir_eval *eval, uint32_t row);
/* Makes the values of all rows that failed so far null (X2). */
int weir_eval_mask_failed(struct weir_eval *eval, uint32_t rows, struct weir_vec *vec);

/* The rows that are set in both; NULL stands for all. */
int weir_eval_and_valid(struct weir_eval *eval, const uint64_t *a, const uint64_t *b, uint32_t rows,
                        const uint64_t **ret);
/* The selected rows whose bit is set; the selection itself when that is all of them. */
int weir_eval_select_valid(struct weir_eval *eval, const uint64_t *valid, uint32_t rows,
                           struct weir_sel sel, struct weir_sel *ret);
/* Splits the selection into the rows for which the condition is true, and the others. */
int weir_eval_split(struct weir_eval *eval, const struct weir_vec *condition, struct weir_sel sel,
                    struct weir_sel *ret_true, struct weir_sel *ret_rest);

int weir_eval_alloc(struct weir_eval *eval, struct weir_type type, uint32_t rows,
                    struct weir_vec *ret);
/* A column being put together from parts, each for some of the rows: null where nothing was put. */
int weir_eval_begin_parts(struct weir_eval *eval, struct weir_type type, uint32_t rows,
                          struct weir_vec *ret, uint64_t **ret_valid);
void weir_eval_put_part(struct weir_vec *vec, uint64_t *valid, const struct weir_vec *part,
                        struct weir_sel sel);

/* ACTION(type) with a type as wide as an element of so many bytes, so that the compiler sees copies
 * of a fixed size. */
struct weir_bytes16 {
    uint64_t words[2];
};
#define WEIR_FOR_WIDTH(bytes, ACTION) \
    switch (bytes) {                  \
    case 1:                           \
        ACTION(uint8_t);              \
        break;                        \
    case 2:                           \
        ACTION(uint16_t);             \
        break;                        \
    case 4:                           \
        ACTION(uint32_t);             \
        break;                        \
    case 8:                           \
        ACTION(uint64_t);             \
        break;                        \
    default:                          \
        ACTION(struct weir_bytes16);  \
        break;                        \
    }

#endif
