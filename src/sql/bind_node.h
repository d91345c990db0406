/* bind_node.h: the steps that the bind_*.c files share. Internal to src/sql. */
#ifndef WEIR_SQL_BIND_NODE_H
#define WEIR_SQL_BIND_NODE_H

#include "base/assert.h"
#include "sql/bind_expr.h"
#include "sql/resolve.h"

/* A node with room for args arguments, or NULL (and the error filled). */
struct weir_expr *bind_make(const struct weir_sql *sql, enum weir_expr_kind kind,
                            struct weir_type type, uint32_t at, uint32_t args);
/* A constant of a string type or UNKNOWN; the text is kept. NULL (and the error filled). */
struct weir_expr *bind_literal(const struct weir_sql *sql, struct weir_type type, uint32_t at,
                               struct weir_str text);

/* Casts the arguments of a node to what its function takes. */
int bind_coerce_args(struct bind *bind, struct weir_expr *call);
/* expr as boolean, or "argument of WHERE must be type boolean, ...". */
int bind_boolean(struct bind *bind, struct weir_expr *expr, const char *where,
                 struct weir_expr **ret);
/* A literal that nothing has given a type to becomes text. */
int bind_known(struct bind *bind, struct weir_expr **expr);

/* "left name right" (left NULL: a prefix operator). */
int bind_operator(struct bind *bind, struct weir_str name, uint32_t at, struct weir_expr *left,
                  struct weir_expr *right, struct weir_expr **ret);
/* The "=" by which NULLIF, IN and IS DISTINCT FROM compare; kind says which of them. */
int bind_equality(struct bind *bind, enum weir_expr_kind kind, uint32_t at, struct weir_expr *left,
                  struct weir_expr *right, struct weir_expr **ret);
/* NOT of a boolean node. */
int bind_not(struct bind *bind, struct weir_expr *expr, struct weir_expr **ret);
/* AND or OR of two or more boolean nodes. */
int bind_logic(struct bind *bind, enum weir_expr_kind kind, uint32_t at, struct weir_expr **args,
               uint32_t count, struct weir_expr **ret);

/* bind_branch.c: expressions that unite branches. */
int bind_case(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret);
int bind_coalesce(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret);
int bind_in(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret);
int bind_between(struct bind *bind, const struct ast_expr *ast, struct weir_expr **ret);

#endif
