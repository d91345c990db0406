/* bind_coerce.c: values become other types: literals now, everything else by a CAST node.
 *
 * B1  A literal of unknown type is given to its type's input function while the file is compiled,
 *     so that a bad one is an error with line and column and not a bad row.
 * Checked by tests/unit/sql/test_expressions.c. */
#include "chunk/scalar_text.h"
#include "sql/bind_node.h"

struct weir_expr *bind_make(const struct weir_sql *sql, enum weir_expr_kind kind,
                            struct weir_type type, uint32_t at, uint32_t args)
{
    struct weir_expr *ret = weir_arena_calloc(sql->arena, 1, sizeof(*ret));
    struct weir_expr **list = weir_arena_calloc(sql->arena, args + 1, sizeof(*list));

    if (ret == NULL || list == NULL) {
        (void)weir_sql_no_memory(sql);
        return NULL;
    }
    ret->kind = kind;
    ret->type = type;
    ret->at = at;
    ret->args = list;
    ret->arg_count = args;
    return ret;
}

struct weir_expr *bind_literal(const struct weir_sql *sql, struct weir_type type, uint32_t at,
                               struct weir_str text)
{
    struct weir_expr *ret = bind_make(sql, WEIR_EXPR_CONST, type, at, 0);

    if (ret == NULL) {
        return NULL;
    }
    ret->value = weir_vec_alloc(sql->arena, type, 1);
    if (ret->value.data == NULL) {
        (void)weir_sql_no_memory(sql);
        return NULL;
    }
    ret->value.str[0] = text;
    return ret;
}

struct weir_expr *bind_null(const struct weir_sql *sql, struct weir_type type, uint32_t at)
{
    struct weir_expr *ret = bind_make(sql, WEIR_EXPR_CONST, type, at, 0);

    if (ret == NULL) {
        return NULL;
    }
    ret->value = weir_vec_alloc(sql->arena, type, 1);
    ret->value.valid = weir_bitmap_alloc(sql->arena, 1, false);
    if (ret->value.data == NULL || ret->value.valid == NULL) {
        (void)weir_sql_no_memory(sql);
        return NULL;
    }
    memset(ret->value.data, 0, weir_type_bytes(type.id));
    return ret;
}

/* B1: the value that a literal has as a type, before the type's length is applied. */
static int parse_literal(struct bind *bind, const struct weir_expr *literal, enum weir_type_id id,
                         struct weir_expr **ret)
{
    const struct weir_type type = { .id = id, .typmod = -1 };
    struct weir_expr *value = bind_null(bind->sql, type, literal->at);
    struct weir_value_error why;
    int rc;

    if (value == NULL) {
        return WEIR_ENOMEM;
    }
    rc = weir_value_parse(type, literal->value.str[0], bind->sql->arena, value->value.data, &why);
    if (rc == WEIR_ENOMEM) {
        return weir_sql_no_memory(bind->sql);
    }
    if (rc != WEIR_OK) {
        return weir_sql_fail(bind->sql, literal->at, NULL, "%s", why.text);
    }
    value->value.valid = NULL;
    *ret = value;
    return WEIR_OK;
}

static bool is_null_const(const struct weir_expr *expr)
{
    return expr->kind == WEIR_EXPR_CONST && weir_vec_is_null(&expr->value, 0);
}

int bind_coerce(struct bind *bind, struct weir_expr *expr, struct weir_type to,
                enum weir_cast_context context, struct weir_expr **ret)
{
    enum weir_type_id from = expr->type.id;
    const struct weir_cast *cast;
    struct weir_expr *node;
    int rc;

    if (from == to.id && (to.typmod < 0 || to.typmod == expr->type.typmod)) {
        if (context == WEIR_CAST_EXPLICIT && expr->kind == WEIR_EXPR_COLUMN) {
            expr->type.typmod = to.typmod; /* c::numeric forgets the length that c has */
        }
        *ret = expr;
        return WEIR_OK;
    }
    if (from == WEIR_TYPE_UNKNOWN && is_null_const(expr)) {
        *ret = bind_null(bind->sql, to, expr->at);
        return *ret == NULL ? WEIR_ENOMEM : WEIR_OK;
    }
    if (from == WEIR_TYPE_UNKNOWN) {
        rc = parse_literal(bind, expr, to.id, &node);
        return rc == WEIR_OK ? bind_coerce(bind, node, to, context, ret) : rc;
    }
    /* Only a length changes when the types are the same, which no context forbids. */
    cast = weir_cast_find(from, to.id, from == to.id ? WEIR_CAST_EXPLICIT : context);
    if (cast == NULL) {
        *ret = NULL;
        return WEIR_OK;
    }
    node = bind_make(bind->sql, WEIR_EXPR_CAST, to, expr->at, 1);
    if (node == NULL) {
        return WEIR_ENOMEM;
    }
    node->cast = cast;
    node->cast_is_explicit = context == WEIR_CAST_EXPLICIT;
    node->args[0] = expr;
    *ret = node;
    return WEIR_OK;
}

int bind_coerce_args(struct bind *bind, struct weir_expr *call)
{
    for (uint32_t i = 0; i < call->arg_count; i++) {
        /* IN compares one value with many: its function's second type is that of all of them. */
        uint32_t last = call->function->arg_count - 1;
        enum weir_type_id want = call->function->args[i < last ? i : last];
        struct weir_type to = { .id = want, .typmod = -1 };
        int rc = bind_coerce(bind, call->args[i], to, WEIR_CAST_IMPLICIT, &call->args[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
        weir_assert(call->args[i] != NULL); /* resolution only offers what casts exist for */
    }
    return WEIR_OK;
}

int bind_boolean(struct bind *bind, struct weir_expr *expr, const char *where,
                 struct weir_expr **ret)
{
    static const struct weir_type boolean = { .id = WEIR_TYPE_BOOL, .typmod = -1 };
    int rc = bind_coerce(bind, expr, boolean, WEIR_CAST_ASSIGNMENT, ret);

    if (rc == WEIR_OK && *ret == NULL) {
        return weir_sql_fail(bind->sql, expr->at, NULL,
                             "argument of %s must be type boolean, not type %s", where,
                             weir_type_sql_name(expr->type.id));
    }
    return rc;
}

int bind_assignment(struct bind *bind, struct weir_expr *expr, struct weir_type to,
                    struct weir_str column, struct weir_expr **ret)
{
    int rc = bind_coerce(bind, expr, to, WEIR_CAST_ASSIGNMENT, ret);

    if (rc == WEIR_OK && *ret == NULL) {
        return weir_sql_fail(
            bind->sql, expr->at, "You will need to rewrite or cast the expression.",
            "column \"%.*s\" is of type %s but expression is of type %s", WEIR_STR_ARG(column),
            weir_type_sql_name(to.id), weir_type_sql_name(expr->type.id));
    }
    return rc;
}

int bind_known(struct bind *bind, struct weir_expr **expr)
{
    static const struct weir_type text = { .id = WEIR_TYPE_TEXT, .typmod = -1 };

    return (*expr)->type.id == WEIR_TYPE_UNKNOWN
               ? bind_coerce(bind, *expr, text, WEIR_CAST_IMPLICIT, expr)
               : WEIR_OK;
}
