/* postgres_check.c: do the real tables fit the pipeline's? Says what to run when they do not.
 *
 * Writes nothing. What only shows at run time (a trigger that drops rows, a column that is NOT NULL
 * in the table only) is left to the batches.
 * Checked by tests/contract/test_postgres_sink.c. */
#include <stdlib.h>

#include "base/log_line.h"
#include "sink/postgres_internal.h"

/* Columns of the answer to columns_sql. */
enum {
    COLUMN_NAME,
    COLUMN_TYPE, /* as format_type() prints it */
    COLUMN_OID,  /* of a domain: its base type's */
    COLUMN_TYPMOD,
    COLUMN_NOT_NULL,
    COLUMN_DEFAULTED, /* default, identity or generated */
    COLUMN_GENERATED, /* cannot be written */
    COLUMN_INSERT,
    COLUMN_UPDATE,
    COLUMN_SELECT,
    COLUMN_DETERMINISTIC, /* its collation holds equal only what is equal bytewise */
    TABLE_KIND,
    TABLE_USAGE,
    TABLE_ROW_SECURITY,
    SCHEMA_NAME, /* these two quoted as SQL wants them */
    ROLE_NAME,
};

static const char columns_sql[] =
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),"
    " CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END,"
    " CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,"
    " a.attnotnull, a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '',"
    " a.attgenerated <> '' OR a.attidentity = 'a',"
    " pg_catalog.has_column_privilege(c.oid, a.attnum, 'INSERT'),"
    " pg_catalog.has_column_privilege(c.oid, a.attnum, 'UPDATE'),"
    " pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'),"
    " coalesce(l.collisdeterministic, true), c.relkind,"
    " pg_catalog.has_schema_privilege(n.oid, 'USAGE'), pg_catalog.row_security_active(c.oid),"
    " pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(current_user)"
    " FROM pg_catalog.pg_class AS c"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0"
    " AND NOT a.attisdropped"
    " JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid"
    " LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation"
    " WHERE n.nspname = ";

static bool is_true(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static int find_column(const PGresult *result, const char *name)
{
    for (int r = 0; r < PQntuples(result); r++) {
        if (strcmp(PQgetvalue(result, r, COLUMN_NAME), name) == 0) {
            return r;
        }
    }
    return -1;
}

static bool is_text_oid(Oid oid)
{
    return oid == weir_type_pg_oid(WEIR_TYPE_TEXT) || oid == weir_type_pg_oid(WEIR_TYPE_VARCHAR) ||
           oid == weir_type_pg_oid(WEIR_TYPE_BPCHAR);
}

/* Equal, or the table's is the wider one with the same bytes. */
static bool type_fits(struct weir_type type, Oid oid, int32_t typmod)
{
    if (weir_type_is_text(type.id) && is_text_oid(oid)) {
        return true;
    }
    return oid == weir_type_pg_oid(type.id) && (typmod == -1 || typmod == type.typmod);
}

static int check_table_kind(const struct weir_postgres_sink *sink, uint32_t t,
                            const PGresult *result, struct weir_error *err)
{
    const char *name = sink->tables[t].quoted;
    char kind;

    if (PQntuples(result) == 0) {
        return weir_error_set_reason(
            err, WEIR_ESCHEMA, "table_missing",
            "there is no table %s in %s; say create_table = 'true', or run: "
            "weir ddl FILE | psql ...",
            name, sink->target);
    }
    kind = PQgetvalue(result, 0, TABLE_KIND)[0];
    if (kind != 'r' && kind != 'p') {
        return weir_error_set_reason(err, WEIR_ESCHEMA, "not_a_table",
                                     "%s in %s is a %s: exactly-once needs an ordinary table", name,
                                     sink->target,
                                     kind == 'v'   ? "view"
                                     : kind == 'm' ? "materialized view"
                                     : kind == 'f' ? "foreign table"
                                                   : "relation of another kind");
    }
    if (!is_true(result, 0, TABLE_USAGE)) {
        return weir_error_set_reason(err, WEIR_ESCHEMA, "no_privilege",
                                     "no privilege on the schema of %s in %s; run: GRANT USAGE ON "
                                     "SCHEMA %s TO %s",
                                     name, sink->target, PQgetvalue(result, 0, SCHEMA_NAME),
                                     PQgetvalue(result, 0, ROLE_NAME));
    }
    if (is_true(result, 0, TABLE_ROW_SECURITY)) {
        return weir_error_set_reason(
            err, WEIR_ESCHEMA, "row_security",
            "row security is active on %s in %s, which COPY does not allow; "
            "use a role that bypasses it",
            name, sink->target);
    }
    return WEIR_OK;
}

/* Texts of any length may fit, so a column that takes only short ones is no misfit. */
static void warn_if_narrow(const struct weir_postgres_sink *sink, uint32_t t,
                           const struct weir_sink_column *column, const PGresult *result, int row)
{
    int32_t typmod = (int32_t)strtol(PQgetvalue(result, row, COLUMN_TYPMOD), NULL, 10);

    if (weir_type_is_text(column->type.id) && typmod != -1 &&
        (column->type.typmod == -1 || column->type.typmod > typmod)) {
        weir_log(
            WEIR_LOG_WARN, "column_narrow",
            "column \"%s\" of %s in %s is %s: a longer text is refused, and on_error says what "
            "becomes of its row",
            column->name, sink->tables[t].quoted, sink->target,
            PQgetvalue(result, row, COLUMN_TYPE));
    }
}

static int check_column(const struct weir_postgres_sink *sink, uint32_t t, uint32_t c,
                        const PGresult *result, struct weir_error *err)
{
    const struct weir_sink_table *table = &sink->args.tables[t];
    const struct weir_sink_column *column = &table->columns[c];
    const char *name = sink->tables[t].quoted;
    int row = find_column(result, column->name);
    char type[64];

    weir_type_format(column->type, type, sizeof(type));
    if (row < 0) {
        return weir_error_set_reason(err, WEIR_ESCHEMA, "column_missing",
                                     "table %s in %s has no column \"%s\"; run: ALTER TABLE %s ADD "
                                     "COLUMN \"%s\" %s",
                                     name, sink->target, column->name, name, column->name, type);
    }
    if (!type_fits(column->type, (Oid)strtoul(PQgetvalue(result, row, COLUMN_OID), NULL, 10),
                   (int32_t)strtol(PQgetvalue(result, row, COLUMN_TYPMOD), NULL, 10))) {
        return weir_error_set_reason(
            err, WEIR_ESCHEMA, "column_type",
            "column \"%s\" of %s in %s is of type %s, the pipeline says %s; "
            "change the pipeline, or run: ALTER TABLE %s ALTER COLUMN "
            "\"%s\" TYPE %s",
            column->name, name, sink->target, PQgetvalue(result, row, COLUMN_TYPE), type, name,
            column->name, type);
    }
    if (is_true(result, row, COLUMN_GENERATED)) {
        return weir_error_set_reason(err, WEIR_ESCHEMA, "column_generated",
                                     "column \"%s\" of %s in %s is generated by the server; leave "
                                     "it out of the pipeline's table",
                                     column->name, name, sink->target);
    }
    bool updates = table->key_count != 0;
    if (!is_true(result, row, COLUMN_INSERT) ||
        (updates &&
         (!is_true(result, row, COLUMN_UPDATE) || !is_true(result, row, COLUMN_SELECT)))) {
        return weir_error_set_reason(err, WEIR_ESCHEMA, "no_privilege",
                                     "no privilege to write column \"%s\" of %s in %s; run: GRANT "
                                     "%s ON %s TO %s",
                                     column->name, name, sink->target,
                                     updates ? "SELECT, INSERT, UPDATE" : "INSERT", name,
                                     PQgetvalue(result, row, ROLE_NAME));
    }
    warn_if_narrow(sink, t, column, result, row);
    return WEIR_OK;
}

/* Columns of the real table that the pipeline leaves out must be able to do without a value. */
static int check_left_out(const struct weir_postgres_sink *sink, uint32_t t, const PGresult *result,
                          struct weir_error *err)
{
    const struct weir_sink_table *table = &sink->args.tables[t];

    for (int r = 0; r < PQntuples(result); r++) {
        const char *name = PQgetvalue(result, r, COLUMN_NAME);
        bool written = false;

        for (uint32_t c = 0; c < table->column_count; c++) {
            written = written || strcmp(table->columns[c].name, name) == 0;
        }
        if (!written && is_true(result, r, COLUMN_NOT_NULL) &&
            !is_true(result, r, COLUMN_DEFAULTED)) {
            return weir_error_set_reason(
                err, WEIR_ESCHEMA, "column_not_null",
                "column \"%s\" of %s in %s is NOT NULL, has no default, and "
                "the pipeline does not write it; add it to the pipeline, or "
                "run: ALTER TABLE %s ALTER COLUMN \"%s\" DROP NOT NULL",
                name, sink->tables[t].quoted, sink->target, sink->tables[t].quoted, name);
        }
    }
    return WEIR_OK;
}

static void put_key_names(const struct weir_sink_table *table, struct weir_buf *ret, bool as_texts)
{
    for (uint32_t k = 0; k < table->key_count; k++) {
        const char *name = table->columns[table->key[k]].name;

        if (k != 0) {
            weir_buf_put_u8(ret, ',');
        }
        if (as_texts) {
            weir_postgres_quote_text(ret, weir_str_from(name));
        } else {
            weir_postgres_quote_name(ret, name);
        }
    }
}

/* ON CONFLICT needs a unique index over exactly the key's columns. */
static int check_key(struct weir_postgres_sink *sink, PGconn *connection, uint32_t t,
                     struct weir_error *err)
{
    const struct weir_sink_table *table = &sink->args.tables[t];
    PGresult *result = NULL;
    struct weir_buf names = { 0 };
    int rc;

    weir_buf_reset(&sink->query);
    weir_buf_append_text(
        &sink->query, "SELECT 1 FROM pg_catalog.pg_index AS i"
                      " JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid"
                      " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace,"
                      " LATERAL (SELECT pg_catalog.array_agg(a.attname::text) AS names"
                      " FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum ="
                      " ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) AS k"
                      " WHERE i.indisunique AND i.indimmediate AND i.indisvalid"
                      " AND i.indpred IS NULL AND i.indexprs IS NULL AND n.nspname = ");
    weir_postgres_quote_text(&sink->query,
                             weir_str_from(table->schema == NULL ? "public" : table->schema));
    weir_buf_append_text(&sink->query, " AND c.relname = ");
    weir_postgres_quote_text(&sink->query, weir_str_from(table->name));
    for (int side = 0; side < 2; side++) {
        weir_buf_append_text(&sink->query,
                             side == 0 ? " AND k.names @> ARRAY[" : " AND k.names <@ ARRAY[");
        put_key_names(table, &sink->query, true);
        weir_buf_append_text(&sink->query, "]::text[]");
    }
    weir_buf_put_u8(&sink->query, 0);
    put_key_names(table, &names, false);
    weir_buf_put_u8(&names, 0);
    if (sink->query.failed || names.failed) {
        weir_buf_fini(&names);
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a statement");
    }
    rc = weir_postgres_run(sink, connection, (const char *)sink->query.data, &result, NULL, err);
    if (rc == WEIR_OK && PQntuples(result) == 0) {
        rc = weir_error_set_reason(
            err, WEIR_ESCHEMA, "no_unique_index",
            "table %s in %s has no unique index over exactly (%s); run: CREATE "
            "UNIQUE INDEX ON %s (%s)",
            sink->tables[t].quoted, sink->target, (const char *)names.data, sink->tables[t].quoted,
            (const char *)names.data);
    }
    PQclear(result);
    weir_buf_fini(&names);
    return rc;
}

static int check_key_columns(const struct weir_postgres_sink *sink, uint32_t t,
                             const PGresult *result, struct weir_error *err)
{
    const struct weir_sink_table *table = &sink->args.tables[t];

    for (uint32_t k = 0; k < table->key_count; k++) {
        const char *name = table->columns[table->key[k]].name;
        int row = find_column(result, name);

        if (row >= 0 && !is_true(result, row, COLUMN_DETERMINISTIC)) {
            return weir_error_set_reason(
                err, WEIR_ESCHEMA, "key_collation",
                "key column \"%s\" of %s in %s has a nondeterministic "
                "collation, which weir cannot compare by; run: ALTER TABLE %s "
                "ALTER COLUMN \"%s\" TYPE text COLLATE \"C\"",
                name, sink->tables[t].quoted, sink->target, sink->tables[t].quoted, name);
        }
    }
    return WEIR_OK;
}

static int check_table(struct weir_postgres_sink *sink, PGconn *connection, uint32_t t,
                       struct weir_error *err)
{
    const struct weir_sink_table *table = &sink->args.tables[t];
    PGresult *result = NULL;
    int rc;

    weir_buf_reset(&sink->query);
    weir_buf_append_text(&sink->query, columns_sql);
    weir_postgres_quote_text(&sink->query,
                             weir_str_from(table->schema == NULL ? "public" : table->schema));
    weir_buf_append_text(&sink->query, " AND c.relname = ");
    weir_postgres_quote_text(&sink->query, weir_str_from(table->name));
    weir_buf_put_u8(&sink->query, 0);
    if (sink->query.failed) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a statement");
    }
    rc = weir_postgres_run(sink, connection, (const char *)sink->query.data, &result, NULL, err);
    if (rc == WEIR_OK && PQntuples(result) == 0 && weir_postgres_wants_creation(table)) {
        PQclear(result); /* claim() makes it as it should be */
        return WEIR_OK;
    }
    if (rc == WEIR_OK) {
        rc = check_table_kind(sink, t, result, err);
    }
    for (uint32_t c = 0; c < table->column_count && rc == WEIR_OK; c++) {
        rc = check_column(sink, t, c, result, err);
    }
    if (rc == WEIR_OK) {
        rc = check_left_out(sink, t, result, err);
    }
    if (rc == WEIR_OK) {
        rc = check_key_columns(sink, t, result, err);
    }
    PQclear(result);
    return rc == WEIR_OK && table->key_count != 0 ? check_key(sink, connection, t, err) : rc;
}

int weir_postgres_check(void *self, struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    PGconn *connection;
    int rc = weir_postgres_control(sink, &connection, err);

    for (uint32_t t = 0; t < sink->args.table_count && rc == WEIR_OK; t++) {
        rc = check_table(sink, connection, t, err);
    }
    return rc;
}
