/* bind_select.c: expressions over a plain list of columns, for those who have no pipeline file.
 *
 * Checked by tests/unit/sql/test_expressions.c. */
#include "sql/bind.h"

#include "sql/bind_node.h"

static int bind_targets(struct bind *bind, const struct ast_insert *select,
                        struct weir_bound_select *ret)
{
    ret->exprs = weir_arena_calloc(bind->sql->arena, select->target_count + 1, sizeof(*ret->exprs));
    if (ret->exprs == NULL) {
        return weir_sql_no_memory(bind->sql);
    }
    for (uint32_t i = 0; i < select->target_count; i++) {
        struct weir_expr **expr = &ret->exprs[ret->expr_count++];
        int rc = bind_expr(bind, select->targets[i].expr, expr);
        if (rc == WEIR_OK) {
            rc = bind_known(bind, expr);
        }
        if (rc == WEIR_OK) {
            rc = weir_expr_fold(*expr, bind->sql->arena, bind->sql->err);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

int weir_bind_select(const struct weir_format_column *columns, uint32_t column_count,
                     struct weir_str text, struct weir_arena *arena, struct weir_bound_select *ret,
                     struct weir_error *err)
{
    const struct weir_sql sql = { .file = "select", .text = text, .arena = arena, .err = err };
    struct scope scope = { .column_count = column_count };
    struct bind bind = { .sql = &sql, .scope = &scope };
    struct weir_bound_select bound = { 0 };
    struct ast_insert select;
    int rc = weir_sql_parse_select(&sql, &select);

    if (rc != WEIR_OK) {
        return rc;
    }
    scope.columns = weir_arena_calloc(arena, column_count + 1, sizeof(*scope.columns));
    if (scope.columns == NULL) {
        return weir_sql_no_memory(&sql);
    }
    for (uint32_t i = 0; i < column_count; i++) {
        scope.columns[i] = (struct scope_column){ .name = weir_str_from(columns[i].name),
                                                  .type = columns[i].type };
    }
    rc = bind_targets(&bind, &select, &bound);
    if (rc == WEIR_OK && select.where != NULL) {
        rc = bind_condition(&bind, select.where, "WHERE", &bound.filter);
        if (rc == WEIR_OK) {
            rc = weir_expr_fold(bound.filter, arena, err);
        }
    }
    if (rc == WEIR_OK) {
        *ret = bound;
    }
    return rc;
}

int weir_bind_columns(struct weir_str text, struct weir_arena *arena,
                      struct weir_format_column **ret, uint32_t *ret_count, struct weir_error *err)
{
    const struct weir_sql sql = { .file = "columns", .text = text, .arena = arena, .err = err };
    struct weir_format_column *columns;
    struct ast_file file;
    int rc = weir_sql_parse(&sql, &file);

    if (rc != WEIR_OK) {
        return rc;
    }
    if (file.create_count != 1) {
        return weir_sql_fail_file(&sql, NULL, "exactly one CREATE TABLE is expected");
    }
    const struct ast_create *create = &file.creates[0];
    columns = weir_arena_calloc(arena, create->column_count + 1, sizeof(*columns));
    if (columns == NULL) {
        return weir_sql_no_memory(&sql);
    }
    for (uint32_t i = 0; i < create->column_count; i++) {
        columns[i].name = create->columns[i].name.data;
        rc = bind_type(&sql, &create->columns[i].type, &columns[i].type);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    *ret = columns;
    *ret_count = create->column_count;
    return WEIR_OK;
}
