/* fold.c: computes what does not depend on the rows once, when a plan is made.
 *
 * Uses     weir_expr_eval() on a chunk of one row without columns.
 * A call is replaced by its value when its arguments are constants, and by null when it is strict
 * and one of them is null; constants in AND, OR, CASE, COALESCE and NULLIF take away what they
 * decide: as in PostgreSQL, so that the same rows fail. What fails is left in place, for the rows
 * that reach it (X1). */
#include "expr/expr.h"

static bool is_const(const struct weir_expr *expr)
{
    return expr->kind == WEIR_EXPR_CONST;
}

static bool is_null_const(const struct weir_expr *expr)
{
    return is_const(expr) && weir_vec_is_null(&expr->value, 0);
}

static bool is_bool_const(const struct weir_expr *expr, uint8_t value)
{
    return is_const(expr) && !is_null_const(expr) && expr->value.b[0] == value;
}

static void make_const(struct weir_expr *expr, struct weir_vec value)
{
    value.type = expr->type;
    *expr = (struct weir_expr){
        .kind = WEIR_EXPR_CONST, .type = expr->type, .at = expr->at, .value = value
    };
}

static int make_null(struct weir_expr *expr, struct weir_arena *arena, struct weir_error *err)
{
    struct weir_vec value = weir_vec_alloc(arena, expr->type, 1);

    value.valid = weir_bitmap_alloc(arena, 1, false);
    if (value.data == NULL || value.valid == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a constant");
    }
    make_const(expr, value);
    return WEIR_OK;
}

/* Whether the node's own rule makes it null because an argument is. */
static bool is_made_null(const struct weir_expr *expr)
{
    bool is_strict =
        expr->kind == WEIR_EXPR_CAST ||
        (expr->kind == WEIR_EXPR_CALL && (expr->function->flags & WEIR_FUNCTION_STRICT) != 0);

    for (uint32_t i = 0; is_strict && i < expr->arg_count; i++) {
        if (is_null_const(expr->args[i])) {
            return true;
        }
    }
    return false;
}

static bool is_foldable(const struct weir_expr *expr)
{
    if (expr->kind == WEIR_EXPR_COLUMN || expr->kind == WEIR_EXPR_CONST ||
        expr->kind == WEIR_EXPR_BATCH_TIME ||
        (expr->function != NULL && (expr->function->flags & WEIR_FUNCTION_STABLE) != 0)) {
        return false;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!is_const(expr->args[i])) {
            return false;
        }
    }
    return true;
}

/* Replaces the node by its value, unless computing it fails. */
static int compute(struct weir_expr *expr, struct weir_arena *arena, struct weir_error *err)
{
    static const uint32_t first_row = 0;
    struct weir_eval eval = { .arena = arena, .err = err };
    struct weir_chunk chunk = { .rows = 1 };
    struct weir_vec value;
    int rc = weir_expr_eval(expr, &eval, &chunk,
                            (struct weir_sel){ .count = 1, .rows = &first_row }, &value);

    if (rc == WEIR_OK && eval.error_count == 0) {
        make_const(expr, value);
    }
    return rc;
}

/* The node becomes another one that yields the same value; its place in the file stays its own. */
static void become(struct weir_expr *expr, const struct weir_expr *other)
{
    uint32_t at = expr->at;

    *expr = *other;
    expr->at = at;
}

/* AND without constants that are true, OR without those that are false; the constant that decides,
 * when there is one. */
static void simplify_logic(struct weir_expr *expr)
{
    uint8_t deciding = expr->kind == WEIR_EXPR_OR;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (is_bool_const(expr->args[i], deciding)) {
            become(expr, expr->args[i]);
            return;
        }
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        /* The last one stays, so that something is left. */
        if (!is_bool_const(expr->args[i], !deciding) || (kept == 0 && i + 1 == expr->arg_count)) {
            expr->args[kept++] = expr->args[i];
        }
    }
    expr->arg_count = kept;
    if (kept == 1) {
        become(expr, expr->args[0]);
    }
}

/* CASE without branches that are never taken, and without those behind one that always is. */
static void simplify_case(struct weir_expr *expr)
{
    struct weir_expr *otherwise = expr->args[expr->arg_count - 1];
    uint32_t kept = 0;

    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        if (is_bool_const(expr->args[i], 1)) {
            otherwise = expr->args[i + 1];
            break;
        }
        if (!is_const(expr->args[i])) {
            expr->args[kept++] = expr->args[i];
            expr->args[kept++] = expr->args[i + 1];
        }
    }
    expr->args[kept] = otherwise;
    expr->arg_count = kept + 1;
    if (kept == 0) {
        become(expr, otherwise);
    }
}

/* COALESCE without nulls, and without what is behind a constant. */
static void simplify_coalesce(struct weir_expr *expr)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < expr->arg_count; i++) {
        bool is_last = i + 1 == expr->arg_count;
        if (!is_null_const(expr->args[i]) || (is_last && kept == 0)) {
            expr->args[kept++] = expr->args[i];
        }
        if (is_const(expr->args[i]) && !is_null_const(expr->args[i])) {
            break;
        }
    }
    expr->arg_count = kept;
    if (kept == 1) {
        become(expr, expr->args[0]);
    }
}

/* What is null is not equal to anything: then NULLIF is its first argument. */
static void simplify_nullif(struct weir_expr *expr)
{
    if (is_null_const(expr->args[0]) || is_null_const(expr->args[1])) {
        become(expr, expr->args[0]);
    }
}

static void simplify(struct weir_expr *expr)
{
    switch (expr->kind) {
    case WEIR_EXPR_AND:
    case WEIR_EXPR_OR:
        simplify_logic(expr);
        break;
    case WEIR_EXPR_CASE:
        simplify_case(expr);
        break;
    case WEIR_EXPR_COALESCE:
        simplify_coalesce(expr);
        break;
    case WEIR_EXPR_NULLIF:
        simplify_nullif(expr);
        break;
    default:
        break;
    }
}

int weir_expr_fold(struct weir_expr *expr, struct weir_arena *arena, struct weir_error *err)
{
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        int rc = weir_expr_fold(expr->args[i], arena, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    simplify(expr);
    if (is_made_null(expr)) {
        return make_null(expr, arena, err);
    }
    return is_foldable(expr) ? compute(expr, arena, err) : WEIR_OK;
}
