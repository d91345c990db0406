/* bind_table.c: the declared tables, and which of them are read and written.
 *
 * A table that some INSERT reads is a source, one that is written is a target; a table that is both
 * or neither is refused.
 * Checked by tests/unit/sql/test_plan.c and test_refusals.c. */
#include "sql/compile.h"

enum { TABLE_COLUMNS_MAX = 1600 }; /* PostgreSQL's own limit */

const struct meta_column meta_columns[WEIR_META_COUNT] = {
    [WEIR_META_TOPIC] = { "_topic", WEIR_TYPE_TEXT, "the topic (or stream) of the record" },
    [WEIR_META_PARTITION] = { "_partition", WEIR_TYPE_INT4, "number of its partition" },
    [WEIR_META_OFFSET] = { "_offset", WEIR_TYPE_INT8, "its offset in the partition" },
    [WEIR_META_TIMESTAMP] = { "_timestamp", WEIR_TYPE_TIMESTAMPTZ,
                              "its timestamp; NULL when it has none" },
    [WEIR_META_KEY] = { "_key", WEIR_TYPE_BYTEA, "its key; NULL when it has none" },
    [WEIR_META_HEADERS] = { "_headers", WEIR_TYPE_JSONB, "its headers: [[name, value], ...]" },
};

/* No schema and schema public are the same place, as for psql. */
static bool is_same_table(const struct ast_table_name *a, const struct ast_table_name *b)
{
    struct weir_str in_a = a->schema.len == 0 ? WEIR_STR("public") : a->schema;
    struct weir_str in_b = b->schema.len == 0 ? WEIR_STR("public") : b->schema;

    return weir_str_equal(a->name, b->name) && weir_str_equal(in_a, in_b);
}

struct table *tables_find(const struct compile *compile, const struct ast_table_name *name)
{
    for (uint32_t i = 0; i < compile->file.create_count; i++) {
        if (is_same_table(&compile->file.creates[i].table, name)) {
            return &compile->tables[i];
        }
    }
    return NULL;
}

const char *table_display_name(const struct weir_sql *sql, const struct ast_table_name *name)
{
    return name->schema.len == 0 ? name->name.data
                                 : weir_sql_format(sql, "%.*s.%.*s", WEIR_STR_ARG(name->schema),
                                                   WEIR_STR_ARG(name->name));
}

static uint32_t find_column(const struct ast_create *create, struct weir_str name)
{
    uint32_t i = 0;

    while (i < create->column_count && !weir_str_equal(create->columns[i].name, name)) {
        i++;
    }
    return i == create->column_count ? UINT32_MAX : i;
}

static int bind_columns(const struct weir_sql *sql, struct table *table)
{
    const struct ast_create *create = table->ast;

    if (create->column_count > TABLE_COLUMNS_MAX) {
        return weir_sql_fail(sql, create->table.at, NULL, "tables can have at most %d columns",
                             TABLE_COLUMNS_MAX);
    }
    table->types = weir_arena_calloc(sql->arena, create->column_count + 1, sizeof(*table->types));
    table->not_null = weir_arena_calloc(sql->arena, create->column_count + 1, sizeof(bool));
    table->used = weir_arena_calloc(sql->arena, create->column_count + 1, sizeof(bool));
    table->key = weir_arena_calloc(sql->arena, create->column_count + 1, sizeof(*table->key));
    if (table->types == NULL || table->not_null == NULL || table->used == NULL ||
        table->key == NULL) {
        return weir_sql_no_memory(sql);
    }
    for (uint32_t i = 0; i < create->column_count; i++) {
        const struct ast_column *column = &create->columns[i];
        int rc;

        if (find_column(create, column->name) != i) {
            return weir_sql_fail(sql, column->at, NULL, "column \"%.*s\" specified more than once",
                                 WEIR_STR_ARG(column->name));
        }
        rc = bind_type(sql, &column->type, &table->types[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
        table->not_null[i] = column->not_null;
    }
    return WEIR_OK;
}

static int add_key(const struct weir_sql *sql, struct table *table, uint32_t column, uint32_t at)
{
    for (uint32_t i = 0; i < table->key_count; i++) {
        if (table->key[i] == column) {
            return weir_sql_fail(sql, at, NULL,
                                 "column \"%.*s\" appears twice in primary key constraint",
                                 WEIR_STR_ARG(table->ast->columns[column].name));
        }
    }
    table->key[table->key_count++] = column;
    table->not_null[column] = true;
    return WEIR_OK;
}

static int bind_key(const struct weir_sql *sql, struct table *table)
{
    const struct ast_create *create = table->ast;

    for (uint32_t i = 0; i < create->key_count; i++) {
        uint32_t column = find_column(create, create->keys[i].text);
        int rc = column == UINT32_MAX ? weir_sql_fail(sql, create->keys[i].at, NULL,
                                                      "column \"%.*s\" named in key does not exist",
                                                      WEIR_STR_ARG(create->keys[i].text))
                                      : add_key(sql, table, column, create->keys[i].at);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < create->column_count; i++) {
        if (create->columns[i].is_key) {
            if (table->key_count > 0) {
                return weir_sql_fail(sql, create->columns[i].at, NULL,
                                     "multiple primary keys for table \"%.*s\"",
                                     WEIR_STR_ARG(create->table.name));
            }
            (void)add_key(sql, table, i, create->columns[i].at); /* the first: cannot be double */
        }
    }
    return WEIR_OK;
}

/* What an INSERT reads of a source: its columns, and behind them the metadata. */
static int make_scope(const struct weir_sql *sql, struct table *table)
{
    const struct ast_create *create = table->ast;
    uint32_t count = create->column_count;
    struct scope_column *columns =
        weir_arena_calloc(sql->arena, count + WEIR_META_COUNT, sizeof(*columns));

    if (columns == NULL) {
        return weir_sql_no_memory(sql);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct ast_column *column = &create->columns[i];
        if (column->name.data[0] == '_') {
            return weir_sql_fail(sql, column->at,
                                 "names that begin with _ are kept for metadata: _topic, "
                                 "_partition, _offset, _timestamp, _key, _headers",
                                 "a source's column cannot be named \"%.*s\"",
                                 WEIR_STR_ARG(column->name));
        }
        if (table->not_null[i]) {
            return weir_sql_fail(sql, column->at,
                                 "say it where rows are read: WHERE ... IS NOT NULL",
                                 "NOT NULL and PRIMARY KEY of a source are not supported yet");
        }
        columns[i] = (struct scope_column){ .name = column->name, .type = table->types[i] };
    }
    for (uint32_t m = 0; m < WEIR_META_COUNT; m++) {
        columns[count + m] = (struct scope_column){
            .name = weir_str_from(meta_columns[m].name),
            .type = { .id = meta_columns[m].type, .typmod = -1 },
        };
    }
    table->scope = (struct scope){ .table = create->table.name,
                                   .columns = columns,
                                   .column_count = count + WEIR_META_COUNT,
                                   .star_count = count };
    return WEIR_OK;
}

static int find_role(const struct compile *compile, const struct ast_table_name *name,
                     struct table **ret)
{
    *ret = tables_find(compile, name);
    return *ret != NULL ? WEIR_OK
                        : weir_sql_fail(&compile->sql, name->at,
                                        "declare it with CREATE TABLE ... WITH (connector = ...)",
                                        "relation \"%s\" does not exist",
                                        table_display_name(&compile->sql, name));
}

static int find_roles(struct compile *compile)
{
    const struct weir_sql *sql = &compile->sql;

    if (compile->file.insert_count == 0) {
        return weir_sql_fail_file(sql, "add INSERT INTO target SELECT ... FROM source",
                                  "the pipeline has no INSERT");
    }
    for (uint32_t i = 0; i < compile->file.insert_count; i++) {
        const struct ast_insert *insert = &compile->file.inserts[i];
        struct table *target, *source;
        int rc = find_role(compile, &insert->table, &target);

        if (rc == WEIR_OK && !insert->has_from) {
            rc =
                weir_sql_fail(sql, insert->at, NULL, "this INSERT reads no table: FROM is missing");
        }
        if (rc == WEIR_OK) {
            rc = find_role(compile, &insert->from, &source);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
        target->is_written = true;
        source->is_read = true;
        if (target->is_read || source->is_written) {
            return weir_sql_fail(sql, target->is_read ? insert->table.at : insert->from.at, NULL,
                                 "a table that is both written and read is not supported yet");
        }
    }
    return WEIR_OK;
}

int tables_make(struct compile *compile)
{
    const struct weir_sql *sql = &compile->sql;
    int rc = WEIR_OK;

    compile->tables =
        weir_arena_calloc(sql->arena, compile->file.create_count + 1, sizeof(*compile->tables));
    if (compile->tables == NULL) {
        return weir_sql_no_memory(sql);
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < compile->file.create_count; i++) {
        struct table *table = &compile->tables[i];
        const struct ast_create *create = &compile->file.creates[i];

        table->ast = create;
        if (tables_find(compile, &create->table) != table) {
            return weir_sql_fail(sql, create->table.at, NULL, "relation \"%s\" already exists",
                                 table_display_name(sql, &create->table));
        }
        rc = bind_columns(sql, table);
        if (rc == WEIR_OK) {
            rc = bind_key(sql, table);
        }
    }
    if (rc == WEIR_OK) {
        rc = find_roles(compile);
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < compile->file.create_count; i++) {
        struct table *table = &compile->tables[i];
        if (!table->is_read && !table->is_written) {
            rc = weir_sql_fail(sql, table->ast->table.at, "take it out, or name it in an INSERT",
                               "table \"%s\" is neither read nor written",
                               table_display_name(sql, &table->ast->table));
        } else if (table->is_read) {
            rc = make_scope(sql, table);
        }
    }
    return rc;
}
