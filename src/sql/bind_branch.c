/* bind_branch.c: CASE, COALESCE, IN and BETWEEN, which unite values of several types.
 *
 * B2  as in bind_expr.c: values that PostgreSQL compares more than once are bound anew each time.
 * Checked by tests/unit/sql/test_expressions.c. */
#include "sql/bind_node.h"

static const struct weir_type boolean = { .id = WEIR_TYPE_BOOL, .typmod = -1 };

/* The common type of branches; its typmod stays when all of them have the same. */
static int common_type(struct bind *bind, const char *where, struct weir_expr *const *branches,
                       uint32_t count, struct weir_type *ret)
{
    enum weir_type_id *types = weir_arena_calloc(bind->sql->arena, count + 1, sizeof(*types));
    uint32_t culprit;

    if (types == NULL) {
        return weir_sql_no_memory(bind->sql);
    }
    for (uint32_t i = 0; i < count; i++) {
        types[i] = branches[i]->type.id;
    }
    if (!resolve_common(types, count, &ret->id, &culprit)) {
        return weir_sql_fail(bind->sql, branches[culprit]->at, NULL,
                             "%s types %s and %s cannot be matched", where,
                             weir_type_sql_name(ret->id), weir_type_sql_name(types[culprit]));
    }
    ret->typmod = branches[0]->type.typmod;
    for (uint32_t i = 0; i < count; i++) {
        if (branches[i]->type.id != ret->id || branches[i]->type.typmod != ret->typmod) {
            ret->typmod = -1;
        }
    }
    return WEIR_OK;
}

/* Casts one branch to the common type. Literals go through their type's input function here. */
static int unite(struct bind *bind, const char *where, struct weir_type type,
                 struct weir_expr **branch)
{
    struct weir_expr *expr = *branch;
    struct weir_type to = { .id = type.id, .typmod = -1 };
    int rc = bind_coerce(bind, expr, to, WEIR_CAST_IMPLICIT, branch);

    if (rc == WEIR_OK && *branch == NULL) {
        return weir_sql_fail(bind->sql, expr->at, NULL, "%s could not convert type %s to %s", where,
                             weir_type_sql_name(expr->type.id), weir_type_sql_name(type.id));
    }
    return rc;
}

int bind_coalesce(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    struct weir_expr *node =
        bind_make(bind->sql, WEIR_EXPR_COALESCE, boolean, ast->at, ast->arg_count);
    int rc = WEIR_OK;

    if (node == NULL) {
        return WEIR_ENOMEM;
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < ast->arg_count; i++) {
        rc = bind_expr(bind, ast->args[i], &node->args[i]);
    }
    if (rc == WEIR_OK) {
        rc = common_type(bind, "COALESCE", node->args, node->arg_count, &node->type);
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < ast->arg_count; i++) {
        rc = unite(bind, "COALESCE", node->type, &node->args[i]);
    }
    *ret = node;
    return rc;
}

/* A condition of CASE: itself, or "operand = it". */
static int bind_when(struct bind *bind, const struct ast_expr *operand, const struct ast_expr *when,
                     struct weir_expr **ret)
{
    struct weir_expr *left, *right;
    int rc;

    if (operand == NULL) {
        return bind_condition(bind, when, "CASE/WHEN", ret);
    }
    rc = bind_expr(bind, operand, &left);
    if (rc == WEIR_OK) {
        rc = bind_known(bind, &left);
    }
    if (rc == WEIR_OK) {
        rc = bind_expr(bind, when, &right);
    }
    return rc == WEIR_OK ? bind_operator(bind, WEIR_STR("="), when->at, left, right, ret) : rc;
}

int bind_case(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    uint32_t pairs = ast->arg_count / 2;
    struct weir_expr *node = bind_make(bind->sql, WEIR_EXPR_CASE, boolean, ast->at, ast->arg_count);
    struct weir_expr **values = weir_arena_calloc(bind->sql->arena, pairs + 1, sizeof(*values));
    const struct ast_expr *otherwise = ast->args[2 * pairs];
    static const struct weir_type unknown = { .id = WEIR_TYPE_UNKNOWN, .typmod = -1 };
    int rc = WEIR_OK;

    if (node == NULL || values == NULL) {
        return weir_sql_no_memory(bind->sql);
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < pairs; i++) {
        rc = bind_when(bind, ast->operand, ast->args[2 * i], &node->args[2 * i]);
        if (rc == WEIR_OK) {
            rc = bind_expr(bind, ast->args[2 * i + 1], &values[i + 1]);
        }
    }
    if (rc == WEIR_OK && otherwise != NULL) {
        rc = bind_expr(bind, otherwise, &values[0]);
    } else if (rc == WEIR_OK) {
        values[0] = bind_null(bind->sql, unknown, ast->at);
        rc = values[0] == NULL ? WEIR_ENOMEM : WEIR_OK;
    }
    if (rc == WEIR_OK) { /* ELSE has the first word on the type, as in PostgreSQL */
        rc = common_type(bind, "CASE", values, pairs + 1, &node->type);
    }
    for (uint32_t i = 0; rc == WEIR_OK && i <= pairs; i++) {
        rc = unite(bind, i == 0 ? "CASE/ELSE" : "CASE/WHEN", node->type, &values[i]);
        node->args[i == 0 ? 2 * pairs : 2 * i - 1] = values[i];
    }
    *ret = node;
    return rc;
}

static bool has_column(const struct ast_expr *ast)
{
    if (ast == NULL) {
        return false;
    }
    if (ast->kind == AST_COLUMN || has_column(ast->operand)) {
        return true;
    }
    for (uint32_t i = 0; i < ast->arg_count; i++) {
        if (has_column(ast->args[i])) {
            return true;
        }
    }
    return false;
}

/* "value = any of items" where the items, all without columns, have a common type with value.
 * *ret is NULL when they have none: then each is compared on its own. */
static int bind_in_list(struct bind *bind, const struct ast_expr *ast, struct weir_expr **items,
                        uint32_t count, struct weir_expr **ret)
{
    enum weir_type_id *types = weir_arena_calloc(bind->sql->arena, count + 1, sizeof(*types));
    struct weir_type type = { .typmod = -1 };
    struct weir_expr *value, *first;
    uint32_t culprit;
    int rc = bind_expr(bind, ast->args[0], &value);

    *ret = NULL;
    if (rc != WEIR_OK || types == NULL) {
        return rc != WEIR_OK ? rc : weir_sql_no_memory(bind->sql);
    }
    types[0] = value->type.id;
    for (uint32_t i = 0; i < count; i++) {
        types[i + 1] = items[i]->type.id;
    }
    if (!resolve_common(types, count + 1, &type.id, &culprit)) {
        return WEIR_OK;
    }
    for (uint32_t i = 0; i <= count; i++) {
        if (!resolve_can_coerce(types[i], type.id)) {
            return WEIR_OK;
        }
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < count; i++) {
        rc = unite(bind, "IN", type, &items[i]);
    }
    if (rc == WEIR_OK) {
        rc = bind_equality(bind, WEIR_EXPR_IN, ast->at, value, items[0], &first);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret = bind_make(bind->sql, WEIR_EXPR_IN, boolean, ast->at, count + 1);
    if (*ret == NULL) {
        return WEIR_ENOMEM;
    }
    (*ret)->function = first->function;
    (*ret)->args[0] = first->args[0];
    (*ret)->args[1] = first->args[1];
    memcpy((*ret)->args + 2, items + 1, (count - 1) * sizeof(*items));
    return bind_coerce_args(bind, *ret);
}

static int bind_in_one(struct bind *bind, const struct ast_expr *ast, uint32_t item,
                       struct weir_expr **ret)
{
    struct weir_expr *left, *right;
    int rc = bind_expr(bind, ast->args[0], &left);

    if (rc == WEIR_OK) {
        rc = bind_expr(bind, ast->args[item], &right);
    }
    return rc == WEIR_OK ? bind_operator(bind, WEIR_STR("="), ast->at, left, right, ret) : rc;
}

int bind_in(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    struct weir_expr **items = weir_arena_calloc(bind->sql->arena, ast->arg_count, sizeof(*items));
    struct weir_expr **terms = weir_arena_calloc(bind->sql->arena, ast->arg_count, sizeof(*terms));
    uint32_t item_count = 0, term_count = 0;
    bool listed = false;
    int rc = WEIR_OK;

    if (items == NULL || terms == NULL) {
        return weir_sql_no_memory(bind->sql);
    }
    for (uint32_t i = 1; rc == WEIR_OK && i < ast->arg_count; i++) {
        if (!has_column(ast->args[i])) {
            rc = bind_expr(bind, ast->args[i], &items[item_count++]);
        }
    }
    if (rc == WEIR_OK && item_count > 1) {
        rc = bind_in_list(bind, ast, items, item_count, &terms[0]);
        listed = rc == WEIR_OK && terms[0] != NULL;
        term_count = listed ? 1 : 0;
    }
    for (uint32_t i = 1; rc == WEIR_OK && i < ast->arg_count; i++) {
        if (!listed || has_column(ast->args[i])) {
            rc = bind_in_one(bind, ast, i, &terms[term_count++]);
        }
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret = terms[0];
    if (term_count > 1) {
        rc = bind_logic(bind, WEIR_EXPR_OR, ast->at, terms, term_count, ret);
    }
    return rc == WEIR_OK && ast->negated ? bind_not(bind, *ret, ret) : rc;
}

/* value >= low AND value <= high */
static int bind_range(struct bind *bind, const struct ast_expr *ast, uint32_t low, uint32_t high,
                      struct weir_expr **ret)
{
    const struct weir_str names[2] = { WEIR_STR(">="), WEIR_STR("<=") };
    const uint32_t bounds[2] = { low, high };
    struct weir_expr *terms[2];
    int rc = WEIR_OK;

    for (int i = 0; rc == WEIR_OK && i < 2; i++) {
        struct weir_expr *left, *right;
        rc = bind_expr(bind, ast->args[0], &left);
        if (rc == WEIR_OK) {
            rc = bind_expr(bind, ast->args[bounds[i]], &right);
        }
        if (rc == WEIR_OK) {
            rc = bind_operator(bind, names[i], ast->at, left, right, &terms[i]);
        }
    }
    return rc == WEIR_OK ? bind_logic(bind, WEIR_EXPR_AND, ast->at, terms, 2, ret) : rc;
}

int bind_between(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    struct weir_expr *terms[2];
    int rc = bind_range(bind, ast, 1, 2, &terms[0]);

    if (rc == WEIR_OK && ast->symmetric) {
        rc = bind_range(bind, ast, 2, 1, &terms[1]);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret = terms[0];
    if (ast->symmetric) {
        rc = bind_logic(bind, WEIR_EXPR_OR, ast->at, terms, 2, ret);
    }
    return rc == WEIR_OK && ast->negated ? bind_not(bind, *ret, ret) : rc;
}
