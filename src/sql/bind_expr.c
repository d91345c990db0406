/* bind_expr.c: gives every name and literal its meaning.
 *
 * Uses  resolve.h for the choice among overloads, bind_coerce.c for casts, bind_branch.c for what
 *       unites several values. Messages and hints are PostgreSQL's, in its words.
 * B2    Each node of the result is of its own: what PostgreSQL compares twice (BETWEEN) is bound
 *       twice, so later passes may change nodes in place. BIND_NODES_MAX keeps that from exploding.
 * Checked by tests/unit/sql/test_expressions.c and test_refusals.c. */
#include "sql/bind_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct weir_type boolean = { .id = WEIR_TYPE_BOOL, .typmod = -1 };

uint32_t scope_find(const struct scope *scope, struct weir_str name)
{
    for (uint32_t i = 0; i < scope->column_count; i++) {
        if (weir_str_equal(scope->columns[i].name, name)) {
            return i;
        }
    }
    return UINT32_MAX;
}

const char *scope_hint(const struct weir_sql *sql, const struct scope *scope, struct weir_str name)
{
    const struct scope_column *nearest = NULL;
    size_t best = 3; /* further away is no help */

    for (uint32_t i = 0; i < scope->column_count; i++) {
        size_t away = weir_str_distance(scope->columns[i].name, name);
        if (away < best) {
            best = away;
            nearest = &scope->columns[i];
        }
    }
    return nearest == NULL
               ? NULL
               : weir_sql_format(sql, "did you mean \"%.*s\"?", WEIR_STR_ARG(nearest->name));
}

static int bind_column(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    struct scope *scope = bind->scope;
    uint32_t index;

    if (ast->qualifier.len != 0 && !weir_str_equal(ast->qualifier, scope->table)) {
        return weir_sql_fail(bind->sql, ast->at, NULL,
                             "missing FROM-clause entry for table \"%.*s\"",
                             WEIR_STR_ARG(ast->qualifier));
    }
    index = scope_find(scope, ast->text);
    if (index == UINT32_MAX) {
        return weir_sql_fail(bind->sql, ast->at, scope_hint(bind->sql, scope, ast->text),
                             "column \"%.*s\" does not exist", WEIR_STR_ARG(ast->text));
    }
    scope->columns[index].used = true;
    *ret = bind_make(bind->sql, WEIR_EXPR_COLUMN, scope->columns[index].type, ast->at, 0);
    if (*ret == NULL) {
        return WEIR_ENOMEM;
    }
    (*ret)->column = index;
    return WEIR_OK;
}

/* A number is an integer, a bigint or a numeric: the first that holds it. */
static int bind_number(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    struct weir_type type = { .id = WEIR_TYPE_NUMERIC, .typmod = -1 };
    struct weir_type unknown = { .id = WEIR_TYPE_UNKNOWN, .typmod = -1 };
    char *end;

    errno = 0;
    long long value = strtoll(ast->text.data, &end, 10);
    if (errno != 0 || *end != '\0') {
        struct weir_expr *literal = bind_literal(bind->sql, unknown, ast->at, ast->text);
        return literal == NULL ? WEIR_ENOMEM
                               : bind_coerce(bind, literal, type, WEIR_CAST_IMPLICIT, ret);
    }
    type.id = value >= INT32_MIN && value <= INT32_MAX ? WEIR_TYPE_INT4 : WEIR_TYPE_INT8;
    *ret = bind_null(bind->sql, type, ast->at);
    if (*ret == NULL) {
        return WEIR_ENOMEM;
    }
    (*ret)->value.valid = NULL;
    if (type.id == WEIR_TYPE_INT4) {
        (*ret)->value.i4[0] = (int32_t)value;
    } else {
        (*ret)->value.i8[0] = value;
    }
    return WEIR_OK;
}

static int bind_bool(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    *ret = bind_null(bind->sql, boolean, ast->at);
    if (*ret == NULL) {
        return WEIR_ENOMEM;
    }
    (*ret)->value.valid = NULL;
    (*ret)->value.b[0] = ast->truth;
    return WEIR_OK;
}

/* "integer, unknown" */
static const char *type_list(const struct weir_sql *sql, const enum weir_type_id *types,
                             uint32_t count)
{
    const char *list = "";

    for (uint32_t i = 0; i < count && list != NULL; i++) {
        list =
            weir_sql_format(sql, "%s%s%s", list, i == 0 ? "" : ", ", weir_type_sql_name(types[i]));
    }
    return list == NULL ? "..." : list;
}

static int fail_operator(const struct bind *bind, struct weir_str name, uint32_t at,
                         const enum weir_type_id *types, uint32_t count, bool ambiguous)
{
    const char *left = count == 2 ? weir_type_sql_name(types[0]) : "";

    return weir_sql_fail(bind->sql, at,
                         ambiguous ? "Could not choose a best candidate operator. You might need "
                                     "to add explicit type casts."
                                   : "No operator matches the given name and argument types. You "
                                     "might need to add explicit type casts.",
                         "operator %s: %s%s%.*s %s", ambiguous ? "is not unique" : "does not exist",
                         left, count == 2 ? " " : "", WEIR_STR_ARG(name),
                         weir_type_sql_name(types[count - 1]));
}

/* PostgreSQL has the function that was chosen, we have not: nothing else may take its place. */
static int fail_missing(const struct bind *bind, const struct weir_function *function, uint32_t at)
{
    return weir_sql_fail(bind->sql, at, NULL, "%s(%s) is not supported yet", function->name,
                         type_list(bind->sql, function->args, function->arg_count));
}

/* text || anything and anything || text: PostgreSQL prints the other side. The catalogue has no
 * polymorphic rows, so the cast is written out here. */
static int bind_text_concat(struct bind *bind, struct weir_expr **left, struct weir_expr **right,
                            bool *ret_done)
{
    static const struct weir_type text = { .id = WEIR_TYPE_TEXT, .typmod = -1 };
    struct weir_expr **sides[2] = { left, right };

    *ret_done = false;
    for (int i = 0; i < 2; i++) {
        struct weir_expr **one = sides[i], **other = sides[1 - i];
        if ((*other)->type.id != WEIR_TYPE_UNKNOWN &&
            resolve_can_coerce((*one)->type.id, WEIR_TYPE_TEXT)) {
            struct weir_expr *cast;
            int rc = bind_coerce(bind, *other, text, WEIR_CAST_EXPLICIT, &cast);
            if (rc == WEIR_OK && cast != NULL) {
                *other = cast;
                *ret_done = true;
            }
            return rc;
        }
    }
    return WEIR_OK;
}

/* Finds the function for an operator; for "||" with one side text it may cast the other. */
static int find_operator(struct bind *bind, struct weir_str name, uint32_t at,
                         struct weir_expr **args, uint32_t count, const struct weir_function **ret)
{
    enum weir_type_id types[2] = { args[0]->type.id, count == 2 ? args[1]->type.id : 0 };
    enum resolve_verdict verdict = resolve_operator(name, types, count, ret);

    if (verdict == RESOLVE_NONE && count == 2 && weir_str_equal(name, WEIR_STR("||"))) {
        bool done;
        int rc = bind_text_concat(bind, &args[0], &args[1], &done);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (done) {
            const enum weir_type_id cast[2] = { args[0]->type.id, args[1]->type.id };
            verdict = resolve_operator(name, cast, count, ret);
        }
    }
    if (verdict != RESOLVE_FOUND) {
        return fail_operator(bind, name, at, types, count, verdict == RESOLVE_AMBIGUOUS);
    }
    return (*ret)->kernel != NULL ? WEIR_OK : fail_missing(bind, *ret, at);
}

int bind_operator(struct bind *bind, struct weir_str name, uint32_t at, struct weir_expr *left,
                  struct weir_expr *right, struct weir_expr **ret)
{
    struct weir_expr *args[2] = { left == NULL ? right : left, right };
    uint32_t count = left == NULL ? 1 : 2;
    const struct weir_function *function;
    int rc;

    if (weir_str_equal(name, WEIR_STR("!="))) {
        name = WEIR_STR("<>");
    }
    rc = find_operator(bind, name, at, args, count, &function);
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_type type = { .id = function->result, .typmod = -1 };
    struct weir_expr *call = bind_make(bind->sql, WEIR_EXPR_CALL, type, at, count);
    if (call == NULL) {
        return WEIR_ENOMEM;
    }
    call->function = function;
    memcpy(call->args, args, count * sizeof(*args));
    *ret = call;
    return bind_coerce_args(bind, call);
}

int bind_equality(struct bind *bind, enum weir_expr_kind kind, uint32_t at, struct weir_expr *left,
                  struct weir_expr *right, struct weir_expr **ret)
{
    int rc = bind_operator(bind, WEIR_STR("="), at, left, right, ret);

    if (rc == WEIR_OK) {
        (*ret)->kind = kind;
        (*ret)->type = kind == WEIR_EXPR_NULLIF ? (*ret)->args[0]->type : boolean;
    }
    return rc;
}

int bind_not(struct bind *bind, struct weir_expr *expr, struct weir_expr **ret)
{
    struct weir_expr *node = bind_make(bind->sql, WEIR_EXPR_NOT, boolean, expr->at, 1);

    if (node == NULL) {
        return WEIR_ENOMEM;
    }
    node->args[0] = expr;
    *ret = node;
    return WEIR_OK;
}

int bind_logic(struct bind *bind, enum weir_expr_kind kind, uint32_t at, struct weir_expr **args,
               uint32_t count, struct weir_expr **ret)
{
    struct weir_expr *node = bind_make(bind->sql, kind, boolean, at, count);

    if (node == NULL) {
        return WEIR_ENOMEM;
    }
    memcpy(node->args, args, count * sizeof(*args));
    *ret = node;
    return WEIR_OK;
}

static int bind_logic_ast(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    enum weir_expr_kind kind = ast->kind == AST_AND  ? WEIR_EXPR_AND
                               : ast->kind == AST_OR ? WEIR_EXPR_OR
                                                     : WEIR_EXPR_NOT;
    struct weir_expr *node = bind_make(bind->sql, kind, boolean, ast->at, ast->arg_count);

    if (node == NULL) {
        return WEIR_ENOMEM;
    }
    for (uint32_t i = 0; i < ast->arg_count; i++) {
        const char *where = kind == WEIR_EXPR_AND ? "AND" : kind == WEIR_EXPR_OR ? "OR" : "NOT";
        int rc = bind_condition(bind, ast->args[i], where, &node->args[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    *ret = node;
    return WEIR_OK;
}

/* IS NULL, IS TRUE, IS FALSE, IS UNKNOWN and their negations. */
static int bind_test(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    enum weir_expr_kind kind = ast->kind == AST_IS_TRUE    ? WEIR_EXPR_IS_TRUE
                               : ast->kind == AST_IS_FALSE ? WEIR_EXPR_IS_FALSE
                                                           : WEIR_EXPR_IS_NULL;
    const char *where = ast->kind == AST_IS_TRUE    ? "IS TRUE"
                        : ast->kind == AST_IS_FALSE ? "IS FALSE"
                                                    : "IS UNKNOWN";
    struct weir_expr *arg, *node;
    int rc;

    if (ast->kind == AST_IS_NULL) {
        rc = bind_expr(bind, ast->args[0], &arg);
        if (rc == WEIR_OK) {
            rc = bind_known(bind, &arg);
        }
    } else {
        rc = bind_condition(bind, ast->args[0], where, &arg);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    node = bind_make(bind->sql, kind, boolean, ast->at, 1);
    if (node == NULL) {
        return WEIR_ENOMEM;
    }
    node->args[0] = arg;
    *ret = node;
    return ast->negated ? bind_not(bind, node, ret) : WEIR_OK;
}

static int bind_explicit(struct bind *bind, struct weir_expr *expr, struct weir_type to,
                         uint32_t at, struct weir_expr **ret)
{
    int rc = bind_coerce(bind, expr, to, WEIR_CAST_EXPLICIT, ret);

    if (rc == WEIR_OK && *ret == NULL) {
        return weir_sql_fail(bind->sql, at, NULL, "cannot cast type %s to %s",
                             weir_type_sql_name(expr->type.id), weir_type_sql_name(to.id));
    }
    return rc;
}

static int bind_cast(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    struct weir_type to;
    struct weir_expr *arg;
    int rc = bind_type(bind->sql, &ast->type, &to);

    if (rc == WEIR_OK) {
        rc = bind_expr(bind, ast->args[0], &arg);
    }
    return rc == WEIR_OK ? bind_explicit(bind, arg, to, ast->at, ret) : rc;
}

/* now() and, with a type of its own, CURRENT_DATE and its like. */
static int bind_now(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    static const struct weir_type timestamptz = { .id = WEIR_TYPE_TIMESTAMPTZ, .typmod = -1 };
    struct weir_expr *now = bind_make(bind->sql, WEIR_EXPR_BATCH_TIME, timestamptz, ast->at, 0);
    struct weir_type to = timestamptz;
    int rc = ast->kind == AST_NOW ? bind_type(bind->sql, &ast->type, &to) : WEIR_OK;

    if (now == NULL) {
        return WEIR_ENOMEM;
    }
    return rc == WEIR_OK ? bind_explicit(bind, now, to, ast->at, ret) : rc;
}

static bool is_one_of(struct weir_str name, const char *const *list)
{
    while (*list != NULL && !weir_str_equal(name, weir_str_from(*list))) {
        list++;
    }
    return *list != NULL;
}

static int fail_function(const struct bind *bind, const struct ast_expr *ast,
                         const enum weir_type_id *types, bool ambiguous)
{
    static const char *const aggregates[] = {
        "count",           "sum",        "avg",      "min",       "max",
        "array_agg",       "string_agg", "bool_and", "bool_or",   "every",
        "json_agg",        "stddev",     "variance", "jsonb_agg", "percentile_cont",
        "percentile_disc", "mode",       NULL,
    };
    const char *hint = "No function matches the given name and argument types. You might need to "
                       "add explicit type casts.";

    if (is_one_of(ast->text, aggregates)) {
        return weir_sql_fail(bind->sql, ast->at, NULL,
                             "aggregate functions are not supported yet: %.*s",
                             WEIR_STR_ARG(ast->text));
    }
    if (ambiguous) {
        hint = "Could not choose a best candidate function. You might need to add explicit type "
               "casts.";
    } else if (!resolve_is_function(ast->text)) {
        hint = "`weir reference` lists the functions there are";
    }
    return weir_sql_fail(bind->sql, ast->at, hint, "function %.*s(%s) %s", WEIR_STR_ARG(ast->text),
                         type_list(bind->sql, types, ast->arg_count),
                         ambiguous ? "is not unique" : "does not exist");
}

/* A function's name with one argument can be a type's, "date(created_at)": a cast. */
static int bind_function_cast(struct bind *bind, const struct ast_expr *ast, struct weir_expr *arg,
                              struct weir_expr **ret)
{
    const struct ast_type type = { .name = ast->text, .at = ast->at };
    struct weir_sql silent = *bind->sql;
    struct weir_type to;

    silent.err = NULL;
    *ret = NULL;
    return bind_type(&silent, &type, &to) == WEIR_OK
               ? bind_coerce(bind, arg, to, WEIR_CAST_EXPLICIT, ret)
               : WEIR_OK;
}

static int bind_call(struct bind *bind, const struct ast_expr *ast, struct weir_expr *call,
                     struct weir_expr **ret)
{
    enum weir_type_id *types =
        weir_arena_calloc(bind->sql->arena, ast->arg_count + 1, sizeof(*types));
    enum resolve_verdict verdict;

    if (types == NULL) {
        return weir_sql_no_memory(bind->sql);
    }
    for (uint32_t i = 0; i < ast->arg_count; i++) {
        types[i] = call->args[i]->type.id;
    }
    verdict = resolve_function(ast->text, types, ast->arg_count, &call->function);
    if (verdict != RESOLVE_FOUND && ast->arg_count == 1) {
        int rc = bind_function_cast(bind, ast, call->args[0], ret);
        if (rc != WEIR_OK || *ret != NULL) {
            return rc;
        }
    }
    if (verdict != RESOLVE_FOUND) {
        return fail_function(bind, ast, types, verdict == RESOLVE_AMBIGUOUS);
    }
    if (call->function->kernel == NULL) {
        return fail_missing(bind, call->function, ast->at);
    }
    call->type.id = call->function->result;
    *ret = call;
    return bind_coerce_args(bind, call);
}

static int bind_function(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    static const char *const now[] = { "now", "transaction_timestamp", NULL };
    static const char *const clocks[] = { "clock_timestamp", "statement_timestamp", "timeofday",
                                          "random",          "gen_random_uuid",     NULL };
    static const struct weir_type none = { .id = WEIR_TYPE_UNKNOWN, .typmod = -1 };
    struct weir_expr *call;

    if (ast->arg_count == 0 && is_one_of(ast->text, now)) {
        return bind_now(bind, ast, ret);
    }
    if (ast->arg_count == 0 && is_one_of(ast->text, clocks)) {
        return weir_sql_fail(bind->sql, ast->at,
                             "a batch must come out the same when it is computed again: now() is "
                             "the batch's time",
                             "function %.*s() is not supported yet", WEIR_STR_ARG(ast->text));
    }
    call = bind_make(bind->sql, WEIR_EXPR_CALL, none, ast->at, ast->arg_count);
    if (call == NULL) {
        return WEIR_ENOMEM;
    }
    for (uint32_t i = 0; i < ast->arg_count; i++) {
        int rc = bind_expr(bind, ast->args[i], &call->args[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return bind_call(bind, ast, call, ret);
}

/* Operators and what is made of their "=". */
static int bind_binary(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    struct weir_expr *left = NULL, *right;
    uint32_t last = ast->arg_count - 1;
    int rc = last == 0 ? WEIR_OK : bind_expr(bind, ast->args[0], &left);

    if (rc == WEIR_OK) {
        rc = bind_expr(bind, ast->args[last], &right);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    switch (ast->kind) {
    case AST_NULLIF:
        return bind_equality(bind, WEIR_EXPR_NULLIF, ast->at, left, right, ret);
    case AST_DISTINCT:
        rc = bind_equality(bind, WEIR_EXPR_DISTINCT, ast->at, left, right, ret);
        return rc == WEIR_OK && ast->negated ? bind_not(bind, *ret, ret) : rc;
    default:
        return bind_operator(bind, ast->text, ast->at, left, right, ret);
    }
}

int bind_expr(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret)
{
    static const struct weir_type unknown = { .id = WEIR_TYPE_UNKNOWN, .typmod = -1 };

    if (++bind->nodes > BIND_NODES_MAX) { /* B2 */
        return weir_sql_fail(bind->sql, ast->at, "nested BETWEEN, IN and CASE multiply",
                             "the expression is too large");
    }
    switch (ast->kind) {
    case AST_COLUMN:
        return bind_column(bind, ast, ret);
    case AST_STAR:
        return weir_sql_fail(bind->sql, ast->at, NULL, "* is not allowed here");
    case AST_STRING:
        *ret = bind_literal(bind->sql, unknown, ast->at, ast->text);
        return *ret == NULL ? WEIR_ENOMEM : WEIR_OK;
    case AST_NULL:
        *ret = bind_null(bind->sql, unknown, ast->at);
        return *ret == NULL ? WEIR_ENOMEM : WEIR_OK;
    case AST_NUMBER:
        return bind_number(bind, ast, ret);
    case AST_BOOL:
        return bind_bool(bind, ast, ret);
    case AST_OPERATOR:
    case AST_DISTINCT:
    case AST_NULLIF:
        return bind_binary(bind, ast, ret);
    case AST_FUNCTION:
        return bind_function(bind, ast, ret);
    case AST_CAST:
        return bind_cast(bind, ast, ret);
    case AST_AND:
    case AST_OR:
    case AST_NOT:
        return bind_logic_ast(bind, ast, ret);
    case AST_IS_NULL:
    case AST_IS_TRUE:
    case AST_IS_FALSE:
    case AST_IS_UNKNOWN:
        return bind_test(bind, ast, ret);
    case AST_BETWEEN:
        return bind_between(bind, ast, ret);
    case AST_IN:
        return bind_in(bind, ast, ret);
    case AST_COALESCE:
        return bind_coalesce(bind, ast, ret);
    case AST_CASE:
        return bind_case(bind, ast, ret);
    case AST_NOW:
        return bind_now(bind, ast, ret);
    }
    weir_assert(false);
}

int bind_condition(struct bind *bind, const struct ast_expr *ast, const char *where,
                   struct weir_expr **ret)
{
    struct weir_expr *expr;
    int rc = bind_expr(bind, ast, &expr);

    return rc == WEIR_OK ? bind_boolean(bind, expr, where, ret) : rc;
}
