/* parse_expr.c: expressions and types of libpg_query's tree as nodes of our own.
 *
 * P1  as in parse_node.h. Recursion is bounded by SQL_NESTING_MAX, which parse_text.c checks on
 *     the tokens before libpg_query sees them.
 * Checked by tests/unit/sql/test_refusals.c and test_plan.c. */
#include "sql/parse_node.h"

#include <stdio.h>

static const ProtobufCMessage *base_of(const void *message)
{
    return message;
}

static struct ast_expr *make(const struct parse *p, enum ast_kind kind, uint32_t at, uint32_t args)
{
    struct ast_expr *ret = weir_arena_calloc(p->sql->arena, 1, sizeof(*ret));
    struct ast_expr **list = weir_arena_calloc(p->sql->arena, args + 1, sizeof(*list));

    if (ret == NULL || list == NULL) {
        (void)weir_sql_no_memory(p->sql);
        return NULL;
    }
    ret->kind = kind;
    ret->at = at;
    ret->args = list;
    ret->arg_count = args;
    return ret;
}

static int make_text(const struct parse *p, enum ast_kind kind, uint32_t at, uint32_t args,
                     const char *text, struct ast_expr **ret)
{
    struct ast_expr *expr = make(p, kind, at, args);

    if (expr == NULL) {
        return WEIR_ENOMEM;
    }
    expr->text = parse_copy(p, text);
    if (expr->text.data == NULL) {
        return weir_sql_no_memory(p->sql);
    }
    *ret = expr;
    return WEIR_OK;
}

/* An expression with count arguments, all read from nodes. */
static int make_with(const struct parse *p, enum ast_kind kind, uint32_t at,
                     PgQuery__Node *const *nodes, size_t count, struct ast_expr **ret)
{
    struct ast_expr *expr = make(p, kind, at, (uint32_t)count);

    if (expr == NULL) {
        return WEIR_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        int rc = parse_expr(p, nodes[i], &expr->args[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    *ret = expr;
    return WEIR_OK;
}

static uint32_t location(int32_t at, const struct parse *p)
{
    return at < 0 ? p->statement_at : (uint32_t)at;
}

static int parse_const(const struct parse *p, const PgQuery__AConst *node, struct ast_expr **ret)
{
    uint32_t at = location(node->location, p);
    struct ast_expr *expr;
    char digits[16];

    if (node->isnull) {
        *ret = make(p, AST_NULL, at, 0);
        return *ret == NULL ? WEIR_ENOMEM : WEIR_OK;
    }
    switch (node->val_case) {
    case PG_QUERY__A__CONST__VAL_IVAL:
        (void)snprintf(digits, sizeof(digits), "%d", node->ival->ival);
        return make_text(p, AST_NUMBER, at, 0, digits, ret);
    case PG_QUERY__A__CONST__VAL_FVAL:
        return make_text(p, AST_NUMBER, at, 0, node->fval->fval, ret);
    case PG_QUERY__A__CONST__VAL_SVAL:
        return make_text(p, AST_STRING, at, 0, node->sval->sval, ret);
    case PG_QUERY__A__CONST__VAL_BOOLVAL:
        expr = make(p, AST_BOOL, at, 0);
        if (expr != NULL) {
            expr->truth = node->boolval->boolval;
            *ret = expr;
        }
        return expr == NULL ? WEIR_ENOMEM : WEIR_OK;
    default:
        return parse_refuse(p, at, "a bit string");
    }
}

static int parse_column(const struct parse *p, const PgQuery__ColumnRef *node,
                        struct ast_expr **ret)
{
    uint32_t at = location(node->location, p);
    const PgQuery__Node *last = node->fields[node->n_fields - 1];
    const char *name = parse_string_of(last);
    int rc;

    if (node->n_fields > 2) {
        return parse_refuse(p, at, "a name of more than two parts");
    }
    rc = make_text(p, name == NULL ? AST_STAR : AST_COLUMN, at, 0, name == NULL ? "*" : name, ret);
    if (rc == WEIR_OK && node->n_fields == 2) {
        (*ret)->qualifier = parse_copy(p, parse_string_of(node->fields[0]));
    }
    return rc;
}

/* The bare name of an operator or function: "+" or pg_catalog.+; another schema is refused. */
static int parse_name(const struct parse *p, PgQuery__Node *const *names, size_t count, uint32_t at,
                      const char **ret)
{
    if (count == 2 && strcmp(parse_string_of(names[0]), "pg_catalog") == 0) {
        *ret = parse_string_of(names[1]);
        return WEIR_OK;
    }
    if (count != 1) {
        return parse_refuse(p, at, "a schema in front of a name");
    }
    *ret = parse_string_of(names[0]);
    return WEIR_OK;
}

static int parse_binary(const struct parse *p, const PgQuery__AExpr *node, enum ast_kind kind,
                        const char *name, struct ast_expr **ret)
{
    PgQuery__Node *args[2] = { node->lexpr, node->rexpr };
    size_t first = node->lexpr == NULL ? 1 : 0;
    struct ast_expr *expr;
    int rc = make_with(p, kind, location(node->location, p), args + first, 2 - first, &expr);

    if (rc != WEIR_OK) {
        return rc;
    }
    expr->text = parse_copy(p, name);
    if (expr->text.data == NULL) {
        return weir_sql_no_memory(p->sql);
    }
    *ret = expr;
    return WEIR_OK;
}

/* BETWEEN and IN: a value and a list on the right. */
static int parse_with_list(const struct parse *p, const PgQuery__AExpr *node, enum ast_kind kind,
                           struct ast_expr **ret)
{
    uint32_t at = location(node->location, p);
    const PgQuery__List *list;
    struct ast_expr *expr;
    int rc;

    if (node->rexpr->node_case != PG_QUERY__NODE__NODE_LIST) {
        return parse_refuse_node(p, node->rexpr, at);
    }
    list = node->rexpr->list;
    expr = make(p, kind, at, (uint32_t)list->n_items + 1);
    if (expr == NULL) {
        return WEIR_ENOMEM;
    }
    rc = parse_expr(p, node->lexpr, &expr->args[0]);
    for (size_t i = 0; rc == WEIR_OK && i < list->n_items; i++) {
        rc = parse_expr(p, list->items[i], &expr->args[i + 1]);
    }
    *ret = expr;
    return rc;
}

static int parse_operator(const struct parse *p, const PgQuery__AExpr *node, struct ast_expr **ret)
{
    uint32_t at = location(node->location, p);
    PgQuery__AExprKind kind = node->kind;
    const char *name;
    int rc = parse_name(p, node->name, node->n_name, at, &name);

    if (rc != WEIR_OK) {
        return rc;
    }
    switch (kind) {
    case PG_QUERY__A__EXPR__KIND__AEXPR_OP:
    case PG_QUERY__A__EXPR__KIND__AEXPR_LIKE:
    case PG_QUERY__A__EXPR__KIND__AEXPR_ILIKE:
        return parse_binary(p, node, AST_OPERATOR, name, ret);
    case PG_QUERY__A__EXPR__KIND__AEXPR_DISTINCT:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT:
        rc = parse_binary(p, node, AST_DISTINCT, name, ret);
        break;
    case PG_QUERY__A__EXPR__KIND__AEXPR_NULLIF:
        return parse_binary(p, node, AST_NULLIF, name, ret);
    case PG_QUERY__A__EXPR__KIND__AEXPR_IN:
        rc = parse_with_list(p, node, AST_IN, ret);
        break;
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN:
    case PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM:
    case PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM:
        rc = parse_with_list(p, node, AST_BETWEEN, ret);
        break;
    case PG_QUERY__A__EXPR__KIND__AEXPR_SIMILAR:
        return parse_refuse(p, at, "SIMILAR TO");
    default:
        return parse_refuse(p, at, "an operator with ANY or ALL");
    }
    if (rc == WEIR_OK) {
        (*ret)->negated = kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_DISTINCT ||
                          kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN ||
                          kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM ||
                          (kind == PG_QUERY__A__EXPR__KIND__AEXPR_IN && strcmp(name, "<>") == 0);
        (*ret)->symmetric = kind == PG_QUERY__A__EXPR__KIND__AEXPR_BETWEEN_SYM ||
                            kind == PG_QUERY__A__EXPR__KIND__AEXPR_NOT_BETWEEN_SYM;
    }
    return rc;
}

static int parse_function(const struct parse *p, const PgQuery__FuncCall *node,
                          struct ast_expr **ret)
{
    uint32_t at = location(node->location, p);
    const char *name;
    struct ast_expr *expr;
    int rc = parse_check_fields(p, base_of(node), at, "funcname args agg_star funcformat");

    if (rc == WEIR_OK) {
        rc = parse_name(p, node->funcname, node->n_funcname, at, &name);
    }
    if (rc == WEIR_OK) {
        rc = make_with(p, AST_FUNCTION, at, node->args, node->n_args, &expr);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    expr->text = parse_copy(p, name);
    if (expr->text.data == NULL) {
        return weir_sql_no_memory(p->sql);
    }
    if (node->agg_star) {
        return weir_sql_fail(p->sql, at, NULL, "aggregate functions are not supported yet: %s(*)",
                             name);
    }
    *ret = expr;
    return WEIR_OK;
}

int parse_type(const struct parse *p, const PgQuery__TypeName *name, struct ast_type *ret)
{
    struct ast_type type = { .at = location(name->location, p) };
    const char *bare = NULL;
    int rc = parse_check_fields(p, base_of(name), type.at, "names typmods typemod");

    if (rc == WEIR_OK) {
        rc = parse_name(p, name->names, name->n_names, type.at, &bare);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    type.name = parse_copy(p, bare);
    if (type.name.data == NULL) {
        return weir_sql_no_memory(p->sql);
    }
    if (name->n_typmods > 2) {
        return weir_sql_fail(p->sql, type.at, NULL, "invalid type modifier of type %s", bare);
    }
    for (size_t i = 0; i < name->n_typmods; i++) {
        const PgQuery__Node *mod = name->typmods[i];
        if (mod->node_case != PG_QUERY__NODE__NODE_A_CONST ||
            mod->a_const->val_case != PG_QUERY__A__CONST__VAL_IVAL) {
            return weir_sql_fail(p->sql, parse_locate(parse_node_message(mod), type.at), NULL,
                                 "type modifiers must be simple constants");
        }
        type.mods[type.mod_count++] = mod->a_const->ival->ival;
    }
    *ret = type;
    return WEIR_OK;
}

static int parse_cast(const struct parse *p, const PgQuery__TypeCast *node, struct ast_expr **ret)
{
    struct ast_type type;
    struct ast_expr *expr;
    int rc = parse_type(p, node->type_name, &type);

    if (rc != WEIR_OK) {
        return rc;
    }
    /* "interval '1 minute'" has no place of its own: it begins with the type's name. */
    expr = make(p, AST_CAST, node->location < 0 ? type.at : (uint32_t)node->location, 1);
    if (expr == NULL) {
        return WEIR_ENOMEM;
    }
    expr->type = type;
    rc = parse_expr(p, node->arg, &expr->args[0]);
    *ret = expr;
    return rc;
}

static int parse_case(const struct parse *p, const PgQuery__CaseExpr *node, struct ast_expr **ret)
{
    struct ast_expr *expr =
        make(p, AST_CASE, location(node->location, p), (uint32_t)node->n_args * 2 + 1);
    int rc = WEIR_OK;

    if (expr == NULL) {
        return WEIR_ENOMEM;
    }
    if (node->arg != NULL) {
        rc = parse_expr(p, node->arg, &expr->operand);
    }
    for (size_t i = 0; rc == WEIR_OK && i < node->n_args; i++) {
        const PgQuery__CaseWhen *when = node->args[i]->case_when;
        rc = parse_expr(p, when->expr, &expr->args[2 * i]);
        if (rc == WEIR_OK) {
            rc = parse_expr(p, when->result, &expr->args[2 * i + 1]);
        }
    }
    if (rc == WEIR_OK && node->defresult != NULL) {
        rc = parse_expr(p, node->defresult, &expr->args[2 * node->n_args]);
    }
    *ret = expr;
    return rc;
}

static int parse_null_test(const struct parse *p, const PgQuery__NullTest *node,
                           struct ast_expr **ret)
{
    int rc = make_with(p, AST_IS_NULL, location(node->location, p), &node->arg, 1, ret);

    if (rc == WEIR_OK) {
        (*ret)->negated = node->nulltesttype == PG_QUERY__NULL_TEST_TYPE__IS_NOT_NULL;
    }
    return rc;
}

static int parse_truth_test(const struct parse *p, const PgQuery__BooleanTest *node,
                            struct ast_expr **ret)
{
    static const struct {
        enum ast_kind kind;
        bool negated;
    } tests[] = {
        [PG_QUERY__BOOL_TEST_TYPE__IS_TRUE] = { AST_IS_TRUE, false },
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_TRUE] = { AST_IS_TRUE, true },
        [PG_QUERY__BOOL_TEST_TYPE__IS_FALSE] = { AST_IS_FALSE, false },
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_FALSE] = { AST_IS_FALSE, true },
        [PG_QUERY__BOOL_TEST_TYPE__IS_UNKNOWN] = { AST_IS_UNKNOWN, false },
        [PG_QUERY__BOOL_TEST_TYPE__IS_NOT_UNKNOWN] = { AST_IS_UNKNOWN, true },
    };
    int rc = make_with(p, tests[node->booltesttype].kind, location(node->location, p), &node->arg,
                       1, ret);

    if (rc == WEIR_OK) {
        (*ret)->negated = tests[node->booltesttype].negated;
    }
    return rc;
}

/* CURRENT_TIMESTAMP and its relatives: all of them are the batch's time, as some type. */
static int parse_now(const struct parse *p, const PgQuery__SQLValueFunction *node,
                     struct ast_expr **ret)
{
    uint32_t at = location(node->location, p);
    const char *type;

    switch (node->op) {
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_DATE:
        type = "date";
        break;
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIMESTAMP_N:
        type = "timestamptz";
        break;
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIME_N:
        type = "time";
        break;
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_LOCALTIMESTAMP_N:
        type = "timestamp";
        break;
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME:
    case PG_QUERY__SQLVALUE_FUNCTION_OP__SVFOP_CURRENT_TIME_N:
        return parse_refuse(p, at, "CURRENT_TIME (time with time zone)");
    default:
        return parse_refuse(p, at, "a function that tells of session, user or catalogue");
    }
    *ret = make(p, AST_NOW, at, 0);
    if (*ret == NULL) {
        return WEIR_ENOMEM;
    }
    (*ret)->type = (struct ast_type){ .name = weir_str_from(type), .at = at };
    if (node->typmod >= 0) {
        (*ret)->type.mods[0] = node->typmod;
        (*ret)->type.mod_count = 1;
    }
    return WEIR_OK;
}

static int parse_logic(const struct parse *p, const PgQuery__BoolExpr *node, struct ast_expr **ret)
{
    enum ast_kind kind = node->boolop == PG_QUERY__BOOL_EXPR_TYPE__AND_EXPR  ? AST_AND
                         : node->boolop == PG_QUERY__BOOL_EXPR_TYPE__OR_EXPR ? AST_OR
                                                                             : AST_NOT;

    return make_with(p, kind, location(node->location, p), node->args, node->n_args, ret);
}

int parse_expr(const struct parse *p, const PgQuery__Node *node, struct ast_expr **ret)
{
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_A_CONST:
        return parse_const(p, node->a_const, ret);
    case PG_QUERY__NODE__NODE_COLUMN_REF:
        return parse_column(p, node->column_ref, ret);
    case PG_QUERY__NODE__NODE_A_EXPR:
        return parse_operator(p, node->a_expr, ret);
    case PG_QUERY__NODE__NODE_FUNC_CALL:
        return parse_function(p, node->func_call, ret);
    case PG_QUERY__NODE__NODE_TYPE_CAST:
        return parse_cast(p, node->type_cast, ret);
    case PG_QUERY__NODE__NODE_BOOL_EXPR:
        return parse_logic(p, node->bool_expr, ret);
    case PG_QUERY__NODE__NODE_NULL_TEST:
        return parse_null_test(p, node->null_test, ret);
    case PG_QUERY__NODE__NODE_BOOLEAN_TEST:
        return parse_truth_test(p, node->boolean_test, ret);
    case PG_QUERY__NODE__NODE_CASE_EXPR:
        return parse_case(p, node->case_expr, ret);
    case PG_QUERY__NODE__NODE_COALESCE_EXPR:
        return make_with(p, AST_COALESCE, location(node->coalesce_expr->location, p),
                         node->coalesce_expr->args, node->coalesce_expr->n_args, ret);
    case PG_QUERY__NODE__NODE_SQLVALUE_FUNCTION:
        return parse_now(p, node->sqlvalue_function, ret);
    default:
        return parse_refuse_node(p, node, p->statement_at);
    }
}
