/* eval.c: walks a checked expression once a chunk; every node computes a whole column.
 *
 * Uses     kernels through struct weir_function and struct weir_cast; memory from eval->arena.
 * Threads  One evaluation, one thread; expressions are only read and may be shared.
 * X1  Each node gets the rows for which it is needed and hands its children no others.
 * X2  weir_eval_fail() marks the row; the node in which it happened makes the row's value null, so
 *     that whatever is computed from it is skipped by strict kernels.
 * X3  Only now_us comes from outside.
 * Checked by tests/unit/expr/test_eval.c. */
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "expr/eval_node.h"

int weir_eval_no_memory(struct weir_eval *eval)
{
    return weir_error_set(eval->err, WEIR_ENOMEM, "no memory for an expression's result");
}

/* Makes room for one more error and sets the row's bit. */
static int grow_errors(struct weir_eval *eval, uint32_t rows)
{
    if (eval->failed == NULL) {
        eval->failed = weir_bitmap_alloc(eval->arena, rows, false);
        if (eval->failed == NULL) {
            return weir_eval_no_memory(eval);
        }
    }
    if (eval->error_count == eval->error_capacity) {
        uint32_t capacity = eval->error_capacity == 0 ? 16 : 2 * eval->error_capacity;
        struct weir_row_error *errors = weir_arena_alloc(eval->arena, capacity * sizeof(*errors));
        if (errors == NULL) {
            return weir_eval_no_memory(eval);
        }
        if (eval->error_count != 0) {
            memcpy(errors, eval->errors, eval->error_count * sizeof(*errors));
        }
        eval->errors = errors;
        eval->error_capacity = capacity;
    }
    return WEIR_OK;
}

bool weir_eval_has_failed(const struct weir_eval *eval, uint32_t row)
{
    return eval->failed != NULL && (eval->failed[row / 64] >> (row % 64) & 1) != 0;
}

int weir_eval_fail(struct weir_eval *eval, uint32_t row, uint32_t rows, const char *sqlstate,
                   const char *fmt, ...)
{
    va_list args;
    int len;

    if (weir_eval_has_failed(eval, row)) {
        return WEIR_OK;
    }
    if (grow_errors(eval, rows) != WEIR_OK) {
        return WEIR_ENOMEM;
    }
    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    weir_assert(len >= 0);
    char *text = weir_arena_alloc(eval->arena, (size_t)len + 1);
    if (text == NULL) {
        return weir_eval_no_memory(eval);
    }
    va_start(args, fmt);
    (void)vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    struct weir_row_error *error = &eval->errors[eval->error_count++];
    error->row = row;
    error->text = text;
    (void)snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", sqlstate);
    weir_bitmap_set(eval->failed, row);
    return WEIR_OK;
}

/* ---- constants ------------------------------------------------------------------------------- */

/* Every row gets the constant: kernels know full columns only, and filling one costs less than
 * a second version of each kernel would in reading. */
static int eval_const(const struct weir_expr *expr, const struct weir_walk *walk,
                      struct weir_vec *ret)
{
    uint32_t rows = walk->chunk->rows;

    if (weir_eval_alloc(walk->eval, expr->type, rows, ret) != WEIR_OK) {
        return WEIR_ENOMEM;
    }
    if (weir_vec_is_null(&expr->value, 0)) {
        ret->valid = weir_bitmap_alloc(walk->eval->arena, rows, false);
        return ret->valid == NULL ? weir_eval_no_memory(walk->eval) : WEIR_OK;
    }
#define FILL(ctype)                                 \
    do {                                            \
        const ctype *from = expr->value.data;       \
        ctype *to = ret->data;                      \
        for (uint32_t row = 0; row < rows; row++) { \
            to[row] = from[0];                      \
        }                                           \
    } while (0)
    WEIR_FOR_WIDTH(weir_type_bytes(expr->type.id), FILL)
    return WEIR_OK;
}

static int eval_batch_time(const struct weir_expr *expr, const struct weir_walk *walk,
                           struct weir_vec *ret)
{
    int64_t now = walk->eval->now_us - WEIR_UNIX_TO_PG_EPOCH_US;

    if (weir_eval_alloc(walk->eval, expr->type, walk->chunk->rows, ret) != WEIR_OK) {
        return WEIR_ENOMEM;
    }
    for (uint32_t row = 0; row < walk->chunk->rows; row++) {
        ret->i8[row] = now;
    }
    return WEIR_OK;
}

/* ---- calls and casts ------------------------------------------------------------------------- */

int weir_eval_run(struct weir_eval *eval, weir_kernel_fn *kernel, const struct weir_vec *args,
                  uint32_t arg_count, uint32_t rows, struct weir_sel sel, struct weir_type type,
                  struct weir_vec *ret)
{
    const uint64_t *valid = NULL;
    struct weir_vec out;
    int rc;

    for (uint32_t i = 0; i < arg_count; i++) {
        rc = weir_eval_and_valid(eval, valid, args[i].valid, rows, &valid);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    rc = weir_eval_select_valid(eval, valid, rows, sel, &sel);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = weir_eval_alloc(eval, type, rows, &out);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = kernel(eval, args, rows, sel, &out);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = weir_eval_and_valid(eval, valid, out.valid, rows, &out.valid);
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}

static int eval_call(const struct weir_expr *expr, const struct weir_walk *walk,
                     struct weir_sel sel, struct weir_vec *ret)
{
    struct weir_vec args[WEIR_FUNCTION_ARGS_MAX];
    struct weir_vec out;
    uint32_t rows = walk->chunk->rows;
    int rc;

    weir_assert(expr->arg_count <= WEIR_FUNCTION_ARGS_MAX);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        rc = weir_eval_node(expr->args[i], walk, sel, &args[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if ((expr->function->flags & WEIR_FUNCTION_STRICT) != 0) {
        return weir_eval_run(walk->eval, expr->function->kernel, args, expr->arg_count, rows, sel,
                             expr->type, ret);
    }
    rc = weir_eval_alloc(walk->eval, expr->type, rows, &out);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = expr->function->kernel(walk->eval, args, rows, sel, &out);
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}

/* As in PostgreSQL a change of type comes first, without a modifier, and the modifier after it. */
static int eval_cast(const struct weir_expr *expr, const struct weir_walk *walk,
                     struct weir_sel sel, struct weir_vec *ret)
{
    struct weir_eval *eval = walk->eval;
    uint32_t rows = walk->chunk->rows;
    bool changes_type = expr->cast->from != expr->cast->to;
    struct weir_vec value;
    int rc = weir_eval_node(expr->args[0], walk, sel, &value);

    eval->cast_is_explicit = expr->cast_is_explicit;
    if (rc == WEIR_OK && expr->cast->kernel != NULL) {
        eval->typmod = changes_type ? -1 : expr->type.typmod;
        rc = weir_eval_run(eval, expr->cast->kernel, &value, 1, rows, sel, expr->type, &value);
    }
    if (rc == WEIR_OK && changes_type && expr->type.typmod >= 0) {
        const struct weir_cast *modify =
            weir_cast_find(expr->cast->to, expr->cast->to, WEIR_CAST_EXPLICIT);
        if (modify != NULL) {
            eval->typmod = expr->type.typmod;
            rc = weir_eval_run(eval, modify->kernel, &value, 1, rows, sel, expr->type, &value);
        }
    }
    if (rc == WEIR_OK) {
        value.type = expr->type;
        *ret = value;
    }
    return rc;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static int eval_kind(const struct weir_expr *expr, const struct weir_walk *walk,
                     struct weir_sel sel, struct weir_vec *ret)
{
    switch (expr->kind) {
    case WEIR_EXPR_COLUMN:
        weir_assert(expr->column < walk->chunk->columns);
        *ret = walk->chunk->vecs[expr->column];
        return WEIR_OK;
    case WEIR_EXPR_CONST:
        return eval_const(expr, walk, ret);
    case WEIR_EXPR_CALL:
        return eval_call(expr, walk, sel, ret);
    case WEIR_EXPR_CAST:
        return eval_cast(expr, walk, sel, ret);
    case WEIR_EXPR_AND:
    case WEIR_EXPR_OR:
        return weir_eval_and_or(expr, walk, sel, ret);
    case WEIR_EXPR_NOT:
        return weir_eval_not(expr, walk, sel, ret);
    case WEIR_EXPR_IS_NULL:
    case WEIR_EXPR_IS_TRUE:
    case WEIR_EXPR_IS_FALSE:
        return weir_eval_is(expr, walk, sel, ret);
    case WEIR_EXPR_DISTINCT:
        return weir_eval_distinct(expr, walk, sel, ret);
    case WEIR_EXPR_CASE:
        return weir_eval_case(expr, walk, sel, ret);
    case WEIR_EXPR_COALESCE:
        return weir_eval_coalesce(expr, walk, sel, ret);
    case WEIR_EXPR_NULLIF:
        return weir_eval_nullif(expr, walk, sel, ret);
    case WEIR_EXPR_IN:
        return weir_eval_in(expr, walk, sel, ret);
    case WEIR_EXPR_BATCH_TIME:
        return eval_batch_time(expr, walk, ret);
    }
    return weir_error_set(walk->eval->err, WEIR_EBUG, "expression of unknown kind %d", expr->kind);
}

int weir_eval_node(const struct weir_expr *expr, const struct weir_walk *walk, struct weir_sel sel,
                   struct weir_vec *ret)
{
    uint32_t errors_before = walk->eval->error_count;
    int rc = eval_kind(expr, walk, sel, ret);

    if (rc == WEIR_OK && walk->eval->error_count != errors_before) {
        rc = weir_eval_mask_failed(walk->eval, walk->chunk->rows, ret); /* X2 */
    }
    return rc;
}

int weir_expr_eval(const struct weir_expr *expr, struct weir_eval *eval,
                   const struct weir_chunk *chunk, struct weir_sel sel, struct weir_vec *ret)
{
    struct weir_walk walk = { .eval = eval, .chunk = chunk };
    struct weir_vec out;
    int rc = weir_eval_node(expr, &walk, sel, &out);

    if (rc == WEIR_OK && eval->failed != NULL) {
        rc = weir_eval_mask_failed(eval, chunk->rows, &out);
    }
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}
