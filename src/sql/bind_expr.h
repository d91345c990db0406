/* bind_expr.h: from our tree to checked expressions, by PostgreSQL's rules. Internal to src/sql. */
#ifndef WEIR_SQL_BIND_EXPR_H
#define WEIR_SQL_BIND_EXPR_H

#include "expr/expr.h"
#include "sql/ast.h"

/* One column that an expression may name. */
struct scope_column {
    struct weir_str name;
    struct weir_type type;
    bool used; /* set by binding */
};

/* The columns an expression sees; COLUMN nodes get their index here. */
struct scope {
    struct weir_str table; /* the qualifier it answers to; empty: none */
    struct scope_column *columns;
    uint32_t column_count;
    uint32_t star_count; /* the first star_count of them are what * stands for */
};

enum { BIND_NODES_MAX = 100000 };

struct bind {
    const struct weir_sql *sql;
    struct scope *scope;
    uint32_t nodes; /* bound so far: what is bound more than once (BETWEEN) must not explode */
};

/* The type meant by a name of PostgreSQL's; unknown names are refused with the list. */
int bind_type(const struct weir_sql *sql, const struct ast_type *type, struct weir_type *ret);

/* Types stay UNKNOWN for a literal that nothing has given a type to. */
int bind_expr(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret);
/* A condition; where is the construct's name for messages ("WHERE"). */
int bind_condition(struct bind *bind, const struct ast_expr *ast, const char *where,
                   struct weir_expr **ret);

/* expr as type to, with the length rules of its typmod. *ret is NULL when no cast exists in that
 * context: the caller knows what to say. */
int bind_coerce(struct bind *bind, struct weir_expr *expr, struct weir_type to,
                enum weir_cast_context context, struct weir_expr **ret);

/* "(expr) as assigned to a column of type to"; the column's name is for the message. */
int bind_assignment(struct bind *bind, struct weir_expr *expr, struct weir_type to,
                    struct weir_str column, struct weir_expr **ret);

/* A null constant of a type. NULL without memory. */
struct weir_expr *bind_null(const struct weir_sql *sql, struct weir_type type, uint32_t at);

/* Number of the column with that name; UINT32_MAX when there is none. */
uint32_t scope_find(const struct scope *scope, struct weir_str name);
/* A hint with the name most like the one that was not found; NULL when none is near. */
const char *scope_hint(const struct weir_sql *sql, const struct scope *scope, struct weir_str name);

#endif
