/* kernel.h: what the files of kernels share: their signature, their loops, their rows in the
 * catalogue.
 *
 * A kernel's rows are written once, in the header of its family (arith_kernels.h, ...), as a list
 * macro; the header makes the declarations from it and catalogue.c the table.
 *
 * K1  A kernel writes ret at the selected rows only and reads arguments there only.
 * K2  A loop over a fixed-width type calls nothing per row. What can fail first computes all rows
 *     and remembers whether any failed; a second pass, taken only then, names the rows. */
#ifndef WEIR_EXPR_KERNEL_H
#define WEIR_EXPR_KERNEL_H

#include "chunk/value_error.h"
#include "expr/expr.h"

/* Not every kernel can fail or has a use for the number of rows. */
#define WEIR_UNUSED __attribute__((unused))

#define WEIR_KERNEL(name)                                                                      \
    int weir_kernel_##name(struct weir_eval *eval WEIR_UNUSED,                                 \
                           const struct weir_vec *args WEIR_UNUSED, uint32_t rows WEIR_UNUSED, \
                           struct weir_sel sel, struct weir_vec *ret)

/* Runs the statement with row set to each selected row. When all are selected it is a plain counted
 * loop, which the compiler can turn into vector instructions. */
#define WEIR_EACH_ROW(row, ...)                                       \
    do {                                                              \
        if (sel.count == rows) {                                      \
            for (uint32_t row = 0; row < rows; row++) {               \
                __VA_ARGS__;                                          \
            }                                                         \
        } else {                                                      \
            for (uint32_t sel_at = 0; sel_at < sel.count; sel_at++) { \
                uint32_t row = sel.rows[sel_at];                      \
                __VA_ARGS__;                                          \
            }                                                         \
        }                                                             \
    } while (0)

/* The same as one indexed loop, for statements that cost much more than finding their row. */
#define WEIR_EACH_SELECTED(row) \
    for (uint32_t sel_at = 0, row; sel_at < sel.count && (row = sel.rows[sel_at], true); sel_at++)

/* A row without a kernel: PostgreSQL has the function, weir does not yet. It takes part in the choice
 * among overloads, so that none is taken for another, and src/sql refuses it by name. */
#define WEIR_DECLARE_SAME(from, to, context)
#define WEIR_DECLARE_MISSING_2(name, a, b)
#define WEIR_DECLARE_MISSING_3(name, a, b, c)

/* Makers of declarations from lists of rows; catalogue.c has those that make the table. */
#define WEIR_DECLARE_1(kernel, name, result, a, help) weir_kernel_fn weir_kernel_##kernel;
#define WEIR_DECLARE_2(kernel, name, result, a, b, help) weir_kernel_fn weir_kernel_##kernel;
#define WEIR_DECLARE_3(kernel, name, result, a, b, c, help) weir_kernel_fn weir_kernel_##kernel;
#define WEIR_DECLARE_CAST(kernel, from, to, context) weir_kernel_fn weir_kernel_##kernel;

/* SQLSTATEs that more than one file raises. */
#define WEIR_SQLSTATE_DIVISION_BY_ZERO "22012"
#define WEIR_SQLSTATE_OUT_OF_RANGE "22003"
#define WEIR_SQLSTATE_INVALID_PARAMETER "22023"
#define WEIR_SQLSTATE_NOT_SUPPORTED "0A000"

/* Fills eval->err and returns WEIR_ENOMEM. */
int weir_eval_no_memory(struct weir_eval *eval);

/* Turns the failure of a function on single values (WEIR_EDATA, WEIR_ENOMEM) into the row's. */
int weir_eval_fail_value(struct weir_eval *eval, uint32_t row, uint32_t rows, int rc,
                         const struct weir_value_error *verr);

/* Makes one result null. WEIR_OK or WEIR_ENOMEM. */
int weir_eval_set_null(struct weir_eval *eval, uint32_t row, uint32_t rows, struct weir_vec *ret);

/* A kernel that calls a function on single values for each row; call is an expression in row, args,
 * ret, eval and verr that yields its return code. */
#define WEIR_VALUE_KERNEL(name, call)                                  \
    WEIR_KERNEL(name)                                                  \
    {                                                                  \
        struct weir_value_error verr;                                  \
        int rc = WEIR_OK;                                              \
        for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {    \
            uint32_t row = sel.rows[i];                                \
            rc = (call);                                               \
            if (rc != WEIR_OK) {                                       \
                rc = weir_eval_fail_value(eval, row, rows, rc, &verr); \
            }                                                          \
        }                                                              \
        return rc;                                                     \
    }

/* The same for a function that cannot fail: result is an expression in row and args. */
#define WEIR_SAFE_KERNEL(name, member, result) \
    WEIR_KERNEL(name)                          \
    {                                          \
        WEIR_EACH_SELECTED(row)                \
        {                                      \
            ret->member[row] = (result);       \
        }                                      \
        return WEIR_OK;                        \
    }

#endif
