/* eval_logic.c: AND, OR, NOT, IS, DISTINCT, NULLIF, IN, CASE and COALESCE.
 *
 * X1  Each child is given only the rows whose result it can still change.
 * Checked by tests/unit/expr/test_eval.c. */
#include "base/assert.h"
#include "expr/eval_node.h"

/* The third value of logic, beside 0 (false) and 1 (true), while a result is being put together. */
enum { TRI_NULL = 2 };

/* A chain of conditions: each row goes on until one of them is `stop` (false for AND, true for
 * OR), or to the end; a null on the way makes it null unless it is stopped later. */
struct chain {
    uint8_t stop;
    uint8_t *state;       /* for each row: 0, 1 or TRI_NULL */
    struct weir_sel open; /* rows not stopped yet */
    bool saw_null;
};

static int chain_begin(struct weir_eval *eval, uint32_t rows, struct weir_sel sel, uint8_t stop,
                       struct chain *ret)
{
    *ret = (struct chain){ .stop = stop,
                           .state = weir_arena_alloc(eval->arena, (size_t)rows + 1),
                           .open = sel };
    if (ret->state == NULL) {
        return weir_eval_no_memory(eval);
    }
    memset(ret->state, !stop, rows);
    return WEIR_OK;
}

static int chain_step(struct weir_eval *eval, struct chain *chain, const struct weir_vec *condition)
{
    uint32_t count = 0;
    uint32_t *open = weir_arena_alloc(eval->arena, ((size_t)chain->open.count + 1) * sizeof(*open));

    if (open == NULL) {
        return weir_eval_no_memory(eval);
    }
    for (uint32_t i = 0; i < chain->open.count; i++) {
        uint32_t row = chain->open.rows[i];
        if (weir_vec_is_null(condition, row)) {
            chain->state[row] = TRI_NULL;
            chain->saw_null = true;
        } else if (condition->b[row] == chain->stop) {
            chain->state[row] = chain->stop;
            continue;
        }
        open[count++] = row;
    }
    chain->open = (struct weir_sel){ .count = count, .rows = open };
    return WEIR_OK;
}

static int chain_end(struct weir_eval *eval, const struct chain *chain, struct weir_type type,
                     uint32_t rows, struct weir_vec *ret)
{
    struct weir_vec out = { .type = type, .b = chain->state };

    if (chain->saw_null) {
        uint64_t *valid = weir_bitmap_alloc(eval->arena, rows, false);
        if (valid == NULL) {
            return weir_eval_no_memory(eval);
        }
        for (uint32_t row = 0; row < rows; row++) {
            valid[row / 64] |= (uint64_t)(chain->state[row] != TRI_NULL) << (row % 64);
        }
        out.valid = valid;
    }
    *ret = out;
    return WEIR_OK;
}

int weir_eval_and_or(const struct weir_expr *expr, const struct weir_walk *walk,
                     struct weir_sel sel, struct weir_vec *ret)
{
    struct chain chain;
    struct weir_vec condition;
    uint32_t rows = walk->chunk->rows;
    int rc = chain_begin(walk->eval, rows, sel, expr->kind == WEIR_EXPR_OR, &chain);

    for (uint32_t i = 0; rc == WEIR_OK && i < expr->arg_count; i++) {
        rc = weir_eval_node(expr->args[i], walk, chain.open, &condition);
        if (rc == WEIR_OK) {
            rc = chain_step(walk->eval, &chain, &condition);
        }
    }
    return rc == WEIR_OK ? chain_end(walk->eval, &chain, expr->type, rows, ret) : rc;
}

/* x IN (a, b, ...) is x = a OR x = b OR ..., with x computed once. */
int weir_eval_in(const struct weir_expr *expr, const struct weir_walk *walk, struct weir_sel sel,
                 struct weir_vec *ret)
{
    struct weir_eval *eval = walk->eval;
    struct chain chain;
    struct weir_vec pair[2], equal;
    uint32_t rows = walk->chunk->rows;
    int rc = weir_eval_node(expr->args[0], walk, sel, &pair[0]);

    if (rc == WEIR_OK) {
        rc = chain_begin(eval, rows, sel, 1, &chain);
    }
    for (uint32_t i = 1; rc == WEIR_OK && i < expr->arg_count; i++) {
        rc = weir_eval_node(expr->args[i], walk, chain.open, &pair[1]);
        if (rc == WEIR_OK) {
            rc = weir_eval_run(eval, expr->function->kernel, pair, 2, rows, chain.open, expr->type,
                               &equal);
        }
        if (rc == WEIR_OK) {
            rc = chain_step(eval, &chain, &equal);
        }
    }
    return rc == WEIR_OK ? chain_end(eval, &chain, expr->type, rows, ret) : rc;
}

int weir_eval_not(const struct weir_expr *expr, const struct weir_walk *walk, struct weir_sel sel,
                  struct weir_vec *ret)
{
    uint32_t rows = walk->chunk->rows;
    struct weir_vec value, out;
    int rc = weir_eval_node(expr->args[0], walk, sel, &value);

    if (rc == WEIR_OK) {
        rc = weir_eval_alloc(walk->eval, expr->type, rows, &out);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    WEIR_EACH_ROW(row, out.b[row] = !value.b[row]);
    out.valid = value.valid;
    *ret = out;
    return WEIR_OK;
}

/* IS NULL, IS TRUE, IS FALSE. */
int weir_eval_is(const struct weir_expr *expr, const struct weir_walk *walk, struct weir_sel sel,
                 struct weir_vec *ret)
{
    uint32_t rows = walk->chunk->rows;
    struct weir_vec value, out;
    int rc = weir_eval_node(expr->args[0], walk, sel, &value);

    if (rc == WEIR_OK) {
        rc = weir_eval_alloc(walk->eval, expr->type, rows, &out);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (expr->kind == WEIR_EXPR_IS_NULL) {
        WEIR_EACH_ROW(row, out.b[row] = weir_vec_is_null(&value, row));
    } else {
        uint8_t wanted = expr->kind == WEIR_EXPR_IS_TRUE;
        WEIR_EACH_ROW(row, out.b[row] = !weir_vec_is_null(&value, row) && value.b[row] == wanted);
    }
    *ret = out;
    return WEIR_OK;
}

/* Both arguments of DISTINCT and NULLIF, and whether they are equal (null when one is). */
static int eval_pair(const struct weir_expr *expr, const struct weir_walk *walk,
                     struct weir_sel sel, struct weir_vec ret_pair[2], struct weir_vec *ret_equal)
{
    static const struct weir_type boolean = { .id = WEIR_TYPE_BOOL, .typmod = -1 };

    for (uint32_t i = 0; i < 2; i++) {
        int rc = weir_eval_node(expr->args[i], walk, sel, &ret_pair[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return weir_eval_run(walk->eval, expr->function->kernel, ret_pair, 2, walk->chunk->rows, sel,
                         boolean, ret_equal);
}

int weir_eval_distinct(const struct weir_expr *expr, const struct weir_walk *walk,
                       struct weir_sel sel, struct weir_vec *ret)
{
    uint32_t rows = walk->chunk->rows;
    struct weir_vec pair[2], equal, out;
    int rc = eval_pair(expr, walk, sel, pair, &equal);

    if (rc == WEIR_OK) {
        rc = weir_eval_alloc(walk->eval, expr->type, rows, &out);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    WEIR_EACH_SELECTED(row)
    {
        bool left_null = weir_vec_is_null(&pair[0], row);
        bool right_null = weir_vec_is_null(&pair[1], row);
        out.b[row] = left_null || right_null ? left_null != right_null : !equal.b[row];
    }
    *ret = out;
    return WEIR_OK;
}

int weir_eval_nullif(const struct weir_expr *expr, const struct weir_walk *walk,
                     struct weir_sel sel, struct weir_vec *ret)
{
    uint32_t rows = walk->chunk->rows;
    struct weir_vec pair[2], equal;
    int rc = eval_pair(expr, walk, sel, pair, &equal);

    if (rc != WEIR_OK) {
        return rc;
    }
    uint64_t *valid = weir_bitmap_alloc(walk->eval->arena, rows, true);
    if (valid == NULL) {
        return weir_eval_no_memory(walk->eval);
    }
    WEIR_EACH_SELECTED(row)
    {
        bool is_equal = !weir_vec_is_null(&equal, row) && equal.b[row] != 0;
        if (is_equal || weir_vec_is_null(&pair[0], row)) {
            weir_bitmap_clear(valid, row);
        }
    }
    *ret = pair[0];
    ret->type = expr->type;
    ret->valid = valid;
    return WEIR_OK;
}

/* ---- choices --------------------------------------------------------------------------------- */

int weir_eval_case(const struct weir_expr *expr, const struct weir_walk *walk, struct weir_sel sel,
                   struct weir_vec *ret)
{
    struct weir_eval *eval = walk->eval;
    struct weir_vec out, condition, part;
    struct weir_sel open = sel, taken;
    uint64_t *valid;
    int rc = weir_eval_begin_parts(eval, expr->type, walk->chunk->rows, &out, &valid);

    weir_assert(expr->arg_count % 2 == 1);
    for (uint32_t i = 0; rc == WEIR_OK && i + 1 < expr->arg_count; i += 2) {
        rc = weir_eval_node(expr->args[i], walk, open, &condition);
        if (rc == WEIR_OK) {
            rc = weir_eval_split(eval, &condition, open, &taken, &open);
        }
        if (rc == WEIR_OK) {
            rc = weir_eval_node(expr->args[i + 1], walk, taken, &part);
        }
        if (rc == WEIR_OK) {
            weir_eval_put_part(&out, valid, &part, taken);
        }
    }
    if (rc == WEIR_OK) {
        rc = weir_eval_node(expr->args[expr->arg_count - 1], walk, open, &part);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_eval_put_part(&out, valid, &part, open);
    *ret = out;
    return WEIR_OK;
}

int weir_eval_coalesce(const struct weir_expr *expr, const struct weir_walk *walk,
                       struct weir_sel sel, struct weir_vec *ret)
{
    struct weir_eval *eval = walk->eval;
    struct weir_vec out, part;
    struct weir_sel open = sel;
    uint64_t *valid;
    int rc = weir_eval_begin_parts(eval, expr->type, walk->chunk->rows, &out, &valid);

    for (uint32_t i = 0; rc == WEIR_OK && i < expr->arg_count && open.count != 0; i++) {
        rc = weir_eval_node(expr->args[i], walk, open, &part);
        if (rc != WEIR_OK) {
            break;
        }
        weir_eval_put_part(&out, valid, &part, open);
        uint32_t *nulls = weir_arena_alloc(eval->arena, ((size_t)open.count + 1) * sizeof(*nulls));
        if (nulls == NULL) {
            return weir_eval_no_memory(eval);
        }
        uint32_t count = 0;
        for (uint32_t at = 0; at < open.count; at++) {
            nulls[count] = open.rows[at];
            count += weir_vec_is_null(&part, open.rows[at]) &&
                     !weir_eval_has_failed(eval, open.rows[at]);
        }
        open = (struct weir_sel){ .count = count, .rows = nulls };
    }
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}
