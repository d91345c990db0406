/* bind.h: expressions with all names and types decided, without any connector.
 *
 * For whoever has columns and wants expressions over them: tests against PostgreSQL, tools. The
 * compiler of pipeline files (plan.h) is built on the same functions, see bind_expr.h. */
#ifndef WEIR_SQL_BIND_H
#define WEIR_SQL_BIND_H

#include "expr/expr.h"
#include "format/format.h"

/* What a SELECT over one list of columns computes. */
struct weir_bound_select {
    struct weir_expr **exprs; /* one for each target; literals of no type have become text */
    uint32_t expr_count;
    struct weir_expr *filter; /* WHERE; NULL: none */
};

/* Binds "SELECT a + 1, lower(b) WHERE a > 0": a COLUMN node's number is its index in columns.
 * Constants are folded. Everything is put into arena. WEIR_ECONFIG with a message as a compiler's,
 * WEIR_ENOMEM. */
int weir_bind_select(const struct weir_format_column *columns, uint32_t column_count,
                     struct weir_str text, struct weir_arena *arena, struct weir_bound_select *ret,
                     struct weir_error *err);

/* Reads the columns of "CREATE TABLE t (a integer, b numeric(12,2))". */
int weir_bind_columns(struct weir_str text, struct weir_arena *arena,
                      struct weir_format_column **ret, uint32_t *ret_count, struct weir_error *err);

#endif
