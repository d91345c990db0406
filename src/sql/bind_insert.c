/* bind_insert.c: INSERT INTO target SELECT ... FROM source WHERE ..., and the columns it needs.
 *
 * I1  A plan's COLUMN nodes count the columns of the decoded chunk: those of the source's columns
 *     that some INSERT needs, in the table's order, then all metadata columns. While expressions are
 *     being bound they count the scope's columns; the numbers change once, at the end, when it is
 *     known which columns are needed.
 * I2  A target's columns are those that some INSERT names, in the table's order; an INSERT that
 *     leaves one of them out writes NULL there.
 * Checked by tests/unit/sql/test_plan.c and test_refusals.c. */
#include "base/assert.h"
#include "sql/compile.h"

/* One INSERT between the steps: its expressions by declared column of the target. */
struct pending {
    struct weir_expr **by_column; /* NULL: not named */
};

static const struct ast_column *column_of(const struct table *table, uint32_t number)
{
    return &table->ast->columns[number];
}

/* The declared column that the INSERT's number-th expression goes to; UINT32_MAX: none. */
static int target_column(const struct compile *compile, const struct ast_insert *insert,
                         const struct table *target, uint32_t number, uint32_t *ret)
{
    const struct ast_name *name = &insert->columns[number];

    if (insert->column_count == 0) {
        *ret = number < target->ast->column_count ? number : UINT32_MAX;
        return WEIR_OK;
    }
    *ret = UINT32_MAX;
    if (number >= insert->column_count) {
        return WEIR_OK;
    }
    for (uint32_t i = 0; i < target->ast->column_count; i++) {
        if (weir_str_equal(column_of(target, i)->name, name->text)) {
            *ret = i;
            return WEIR_OK;
        }
    }
    return weir_sql_fail(&compile->sql, name->at, NULL,
                         "column \"%.*s\" of relation \"%.*s\" does not exist",
                         WEIR_STR_ARG(name->text), WEIR_STR_ARG(target->ast->table.name));
}

static int put(struct compile *compile, struct bind *bind, const struct ast_insert *insert,
               struct table *target, struct pending *pending, uint32_t number,
               struct weir_expr *expr)
{
    uint32_t column;
    int rc = target_column(compile, insert, target, number, &column);

    if (rc != WEIR_OK) {
        return rc;
    }
    if (column == UINT32_MAX) {
        return weir_sql_fail(&compile->sql, expr->at, NULL,
                             "INSERT has more expressions than target columns");
    }
    if (pending->by_column[column] != NULL) {
        return weir_sql_fail(&compile->sql, insert->columns[number].at, NULL,
                             "column \"%.*s\" specified more than once",
                             WEIR_STR_ARG(column_of(target, column)->name));
    }
    target->used[column] = true;
    return bind_assignment(bind, expr, target->types[column], column_of(target, column)->name,
                           &pending->by_column[column]);
}

static int bind_star(struct compile *compile, struct bind *bind, const struct ast_insert *insert,
                     struct table *target, struct pending *pending, const struct ast_expr *star,
                     uint32_t *number)
{
    for (uint32_t i = 0; i < bind->scope->star_count; i++) {
        const struct ast_expr column = { .kind = AST_COLUMN,
                                         .at = star->at,
                                         .text = bind->scope->columns[i].name,
                                         .qualifier = star->qualifier };
        struct weir_expr *expr;
        int rc = bind_expr(bind, &column, &expr);
        if (rc == WEIR_OK) {
            rc = put(compile, bind, insert, target, pending, (*number)++, expr);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

static int check_omitted(const struct compile *compile, const struct ast_insert *insert,
                         const struct table *target, const struct pending *pending, uint32_t given)
{
    if (insert->column_count > given) {
        return weir_sql_fail(&compile->sql, insert->columns[given].at, NULL,
                             "INSERT has more target columns than expressions");
    }
    for (uint32_t i = 0; i < target->ast->column_count; i++) {
        if (pending->by_column[i] == NULL && target->not_null[i]) {
            return weir_sql_fail(
                &compile->sql, insert->table.at,
                "name it and give it a value, or declare it without NOT NULL",
                "column \"%.*s\" of relation \"%.*s\" is NOT NULL, but this INSERT "
                "leaves it out",
                WEIR_STR_ARG(column_of(target, i)->name), WEIR_STR_ARG(target->ast->table.name));
        }
    }
    return WEIR_OK;
}

static int bind_insert(struct compile *compile, uint32_t index, struct pending *pending)
{
    const struct ast_insert *insert = &compile->file.inserts[index];
    struct weir_plan_insert *ret = &compile->plan->inserts[index];
    struct table *target = tables_find(compile, &insert->table);
    struct table *source = tables_find(compile, &insert->from);
    struct bind bind = { .sql = &compile->sql, .scope = &source->scope };
    uint32_t number = 0;
    int rc = WEIR_OK;

    *ret = (struct weir_plan_insert){ .source = source->number,
                                      .table = target->number,
                                      .at = insert->at };
    source->scope.table = insert->alias.len != 0 ? insert->alias : source->ast->table.name;
    pending->by_column = weir_arena_calloc(compile->sql.arena, target->ast->column_count + 1,
                                           sizeof(struct weir_expr *));
    if (pending->by_column == NULL) {
        return weir_sql_no_memory(&compile->sql);
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < insert->target_count; i++) {
        const struct ast_expr *ast = insert->targets[i].expr;
        struct weir_expr *expr;
        if (ast->kind == AST_STAR) {
            rc = bind_star(compile, &bind, insert, target, pending, ast, &number);
            continue;
        }
        rc = bind_expr(&bind, ast, &expr);
        if (rc == WEIR_OK) {
            rc = put(compile, &bind, insert, target, pending, number++, expr);
        }
    }
    if (rc == WEIR_OK) {
        rc = check_omitted(compile, insert, target, pending, number);
    }
    if (rc == WEIR_OK && insert->where != NULL) {
        rc = bind_condition(&bind, insert->where, "WHERE", &ret->filter);
    }
    return rc;
}

/* I1: from the scope's numbers to the decoded chunk's. */
static void renumber(struct weir_expr *expr, const uint32_t *numbers)
{
    if (expr->kind == WEIR_EXPR_COLUMN) {
        expr->column = numbers[expr->column];
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        renumber(expr->args[i], numbers);
    }
}

/* Which columns are decoded, and the new number of each column of the scope. */
static int make_decoded(struct compile *compile, const struct table *table, uint32_t **ret_numbers)
{
    struct weir_plan_source *source = &compile->plan->sources[table->number];
    const struct scope *scope = &table->scope;
    uint32_t *numbers =
        weir_arena_calloc(compile->sql.arena, scope->column_count, sizeof(*numbers));

    source->decoded =
        weir_arena_calloc(compile->sql.arena, scope->star_count + 1, sizeof(*source->decoded));
    if (numbers == NULL || source->decoded == NULL) {
        return weir_sql_no_memory(&compile->sql);
    }
    for (uint32_t i = 0; i < scope->star_count; i++) {
        numbers[i] = source->decoded_count;
        if (scope->columns[i].used) {
            source->decoded[source->decoded_count++] =
                (struct weir_format_column){ .name = scope->columns[i].name.data,
                                             .type = scope->columns[i].type };
        }
    }
    for (uint32_t m = 0; m < WEIR_META_COUNT; m++) {
        numbers[scope->star_count + m] = source->decoded_count + m;
        source->meta_used |= (uint32_t)scope->columns[scope->star_count + m].used << m;
    }
    *ret_numbers = numbers;
    return WEIR_OK;
}

/* I2: the columns of a target that are written at all, and all of them for who makes the table. */
static int make_target_columns(struct compile *compile, const struct table *table)
{
    struct weir_sink_table *target = &compile->plan->tables[table->number].target;
    uint32_t count = table->ast->column_count;
    struct weir_sink_column *columns =
        weir_arena_calloc(compile->sql.arena, count + 1, sizeof(*columns));
    struct weir_sink_column *declared =
        weir_arena_calloc(compile->sql.arena, count + 1, sizeof(*declared));
    uint32_t *key = weir_arena_calloc(compile->sql.arena, table->key_count + 1, sizeof(*key));

    if (columns == NULL || declared == NULL || key == NULL) {
        return weir_sql_no_memory(&compile->sql);
    }
    for (uint32_t i = 0; i < count; i++) {
        declared[i] = (struct weir_sink_column){ .name = column_of(table, i)->name.data,
                                                 .type = table->types[i],
                                                 .not_null = table->not_null[i] };
        if (!table->used[i]) {
            continue;
        }
        for (uint32_t k = 0; k < table->key_count; k++) {
            if (table->key[k] == i) {
                key[k] = target->column_count;
            }
        }
        columns[target->column_count++] = declared[i];
    }
    target->columns = columns;
    target->declared = declared;
    target->declared_count = count;
    target->key = key;
    target->key_count = table->key_count;
    return WEIR_OK;
}

static int finish_insert(struct compile *compile, uint32_t index, const struct pending *pending,
                         const uint32_t *numbers)
{
    struct weir_plan_insert *insert = &compile->plan->inserts[index];
    const struct table *target = tables_find(compile, &compile->file.inserts[index].table);

    insert->exprs = weir_arena_calloc(compile->sql.arena, target->ast->column_count + 1,
                                      sizeof(struct weir_expr *));
    if (insert->exprs == NULL) {
        return weir_sql_no_memory(&compile->sql);
    }
    for (uint32_t i = 0; i < target->ast->column_count; i++) {
        struct weir_expr *expr = pending->by_column[i];
        if (!target->used[i]) {
            continue;
        }
        if (expr == NULL) {
            expr = bind_null(&compile->sql, target->types[i], insert->at);
            if (expr == NULL) {
                return WEIR_ENOMEM;
            }
        }
        renumber(expr, numbers);
        insert->exprs[insert->expr_count++] = expr;
    }
    if (insert->filter != NULL) {
        renumber(insert->filter, numbers);
    }
    return WEIR_OK;
}

int inserts_make(struct compile *compile)
{
    struct weir_plan *plan = compile->plan;
    uint32_t count = compile->file.insert_count, tables = compile->file.create_count;
    struct pending *pending = weir_arena_calloc(&plan->arena, count + 1, sizeof(*pending));
    uint32_t **numbers = weir_arena_calloc(&plan->arena, plan->source_count + 1, sizeof(*numbers));
    int rc = WEIR_OK;

    plan->inserts = weir_arena_calloc(&plan->arena, count + 1, sizeof(*plan->inserts));
    if (pending == NULL || numbers == NULL || plan->inserts == NULL) {
        return weir_sql_no_memory(&compile->sql);
    }
    plan->insert_count = count;
    for (uint32_t i = 0; rc == WEIR_OK && i < count; i++) {
        rc = bind_insert(compile, i, &pending[i]);
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < tables; i++) {
        const struct table *table = &compile->tables[i];
        rc = table->is_read ? make_decoded(compile, table, &numbers[table->number])
                            : make_target_columns(compile, table);
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < count; i++) {
        rc = finish_insert(compile, i, &pending[i], numbers[plan->inserts[i].source]);
    }
    return rc;
}
