/* postgres_ddl.c: the schema weir, its text once, and the tables that a pipeline may create.
 *
 * L1  advance, take and repartition are compare-and-sets that raise: a transaction in which one of
 *     them finds something else than its caller expects cannot commit, even when nobody is there
 *     any more to hear it.
 * L2  The functions name everything in full and run with an empty search path.
 * L3  A schema made by a later weir is refused, never changed.
 * Checked by tests/contract/test_sink_contract.c and tests/contract/test_postgres_sink.c. */
#include <stdlib.h>

#include "sink/postgres_internal.h"

/* Every statement may meet a schema that is there already. */
static const char schema_sql[] =
    "CREATE SCHEMA IF NOT EXISTS weir;\n"
    "COMMENT ON SCHEMA weir IS 'Ledger of weir pipelines. Rows change together with the data that "
    "they vouch for: do not edit or prune them.';\n"
    "CREATE TABLE IF NOT EXISTS weir.version (\n"
    "    single boolean PRIMARY KEY DEFAULT true CHECK (single),\n"
    "    version integer NOT NULL\n"
    ");\n"
    "CREATE TABLE IF NOT EXISTS weir.pipeline (\n"
    "    name text PRIMARY KEY,\n"
    "    uuid uuid NOT NULL UNIQUE,\n"
    "    created_at timestamptz NOT NULL DEFAULT pg_catalog.now()\n"
    ");\n"
    "-- One row for each output partition: the last batch that is in.\n"
    "CREATE TABLE IF NOT EXISTS weir.ledger (\n"
    "    pipeline uuid NOT NULL REFERENCES weir.pipeline (uuid),\n"
    "    partition integer NOT NULL,\n"
    "    partitions integer NOT NULL,\n"
    "    batch bigint NOT NULL,\n"
    "    t bigint NOT NULL,             -- batch time, microseconds since 1970\n"
    "    plan bytea NOT NULL,           -- digests\n"
    "    map bytea NOT NULL,\n"
    "    definition bytea NOT NULL,\n"
    "    rows bigint NOT NULL,          -- output rows of that batch\n"
    "    refused bigint NOT NULL,       -- of these, rows that the server would not take\n"
    "    dead bigint NOT NULL,          -- dead letters written\n"
    "    output bytea NOT NULL,\n"
    "    generation bigint NOT NULL,\n"
    "    owner uuid NOT NULL,\n"
    "    ends bytea NOT NULL,           -- where the source goes on\n"
    "    ranges jsonb,                  -- what that batch read, for people\n"
    "    updated_at timestamptz NOT NULL DEFAULT pg_catalog.now(),\n"
    "    PRIMARY KEY (pipeline, partition)\n"
    ") WITH (fillfactor = 50);\n"
    "-- The history, for a window of batches: which offsets made which rows, and when.\n"
    "CREATE TABLE IF NOT EXISTS weir.batch (\n"
    "    pipeline uuid NOT NULL,\n"
    "    batch bigint NOT NULL,\n"
    "    partition integer NOT NULL,\n"
    "    t bigint NOT NULL,\n"
    "    ranges jsonb,\n"
    "    source_rows bigint NOT NULL,\n"
    "    rows bigint NOT NULL,\n"
    "    refused bigint NOT NULL,\n"
    "    dead bigint NOT NULL,\n"
    "    output bytea NOT NULL,\n"
    "    generation bigint NOT NULL,\n"
    "    committed_at timestamptz NOT NULL,\n"
    "    PRIMARY KEY (pipeline, partition, batch)\n"
    ");\n"
    "CREATE TABLE IF NOT EXISTS weir.dead_letter (\n"
    "    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
    "    pipeline text NOT NULL,\n"
    "    batch bigint NOT NULL,\n"
    "    partition integer NOT NULL,    -- of the output\n"
    "    source text NOT NULL,          -- table of the pipeline file\n"
    "    stream text NOT NULL,          -- topic\n"
    "    stream_partition text NOT NULL,\n"
    "    \"offset\" bigint NOT NULL,\n"
    "    key bytea,\n"
    "    value bytea,\n"
    "    sqlstate text NOT NULL,\n"
    "    error text NOT NULL,\n"
    "    at timestamptz NOT NULL DEFAULT pg_catalog.now()\n"
    ");\n";

static const char functions_sql[] =
    "CREATE OR REPLACE FUNCTION weir.advance(a_pipeline uuid, a_partition integer, a_batch "
    "bigint,\n"
    "    a_t bigint, a_plan bytea, a_previous_t bigint, a_previous_plan bytea,\n"
    "    a_generation bigint, a_owner uuid, a_map bytea, a_definition bytea,\n"
    "    a_source_rows bigint, a_rows bigint, a_refused bigint, a_dead bigint, a_output bytea,\n"
    "    a_ends bytea, a_ranges jsonb, a_repeat_allowed boolean)\n"
    "RETURNS void LANGUAGE plpgsql SET search_path = '' AS $weir$\n"
    "BEGIN\n"
    "    UPDATE weir.ledger AS l SET batch = a_batch, t = a_t, plan = a_plan, map = a_map,\n"
    "        definition = a_definition, rows = a_rows, refused = a_refused, dead = a_dead,\n"
    "        output = a_output, ends = a_ends, ranges = a_ranges,\n"
    "        updated_at = pg_catalog.clock_timestamp()\n"
    "    WHERE l.pipeline = a_pipeline AND l.partition = a_partition\n"
    "        AND l.generation = a_generation AND l.owner = a_owner\n"
    "        AND l.batch = a_batch - 1 AND l.t = a_previous_t AND l.plan = a_previous_plan;\n"
    "    IF NOT FOUND THEN\n"
    "        -- At least once: the batch may be in already. FOR UPDATE, so that nobody takes the\n"
    "        -- row between this look and the commit.\n"
    "        PERFORM 1 FROM weir.ledger AS l\n"
    "        WHERE a_repeat_allowed AND l.pipeline = a_pipeline AND l.partition = a_partition\n"
    "            AND l.generation = a_generation AND l.owner = a_owner\n"
    "            AND l.batch = a_batch AND l.t = a_t AND l.plan = a_plan\n"
    "        FOR UPDATE;\n"
    "        IF NOT FOUND THEN\n"
    "            RAISE EXCEPTION 'weir.ledger of pipeline %, partition %, is not at the\n"
    "predecessor of batch % with generation %', a_pipeline, a_partition, a_batch, a_generation\n"
    "                USING ERRCODE = '" WEIR_SQLSTATE_REFUSED "';\n"
    "        END IF;\n"
    "    END IF;\n"
    "    INSERT INTO weir.batch AS b (pipeline, batch, partition, t, ranges, source_rows, rows,\n"
    "        refused, dead, output, generation, committed_at)\n"
    "    VALUES (a_pipeline, a_batch, a_partition, a_t, a_ranges, a_source_rows, a_rows,\n"
    "        a_refused, a_dead, a_output, a_generation, pg_catalog.clock_timestamp())\n"
    "    ON CONFLICT (pipeline, partition, batch) DO UPDATE SET t = excluded.t,\n"
    "        ranges = excluded.ranges, source_rows = excluded.source_rows, rows = excluded.rows,\n"
    "        refused = excluded.refused, dead = excluded.dead, output = excluded.output,\n"
    "        generation = excluded.generation, committed_at = excluded.committed_at;\n"
    "    IF a_batch % 256 = 0 THEN\n"
    "        DELETE FROM weir.batch AS b WHERE b.pipeline = a_pipeline\n"
    "            AND b.partition = a_partition AND b.batch <= a_batch - 16384;\n"
    "    END IF;\n"
    "END\n"
    "$weir$;\n"
    "CREATE OR REPLACE FUNCTION weir.enroll(a_name text, a_pipeline uuid, a_partitions integer,\n"
    "    a_generation bigint, a_owner uuid, a_definition bytea)\n"
    "RETURNS void LANGUAGE plpgsql SET search_path = '' AS $weir$\n"
    "BEGIN\n"
    "    INSERT INTO weir.pipeline (name, uuid) VALUES (a_name, a_pipeline);\n"
    "    INSERT INTO weir.ledger (pipeline, partition, partitions, batch, t, plan, map, "
    "definition,\n"
    "        rows, refused, dead, output, generation, owner, ends)\n"
    "    SELECT a_pipeline, p, a_partitions, 0, 0, z.zero, z.zero, a_definition, 0, 0, 0, z.zero,\n"
    "        a_generation, a_owner, ''\n"
    "    FROM pg_catalog.generate_series(0, a_partitions - 1) AS p,\n"
    "        (SELECT pg_catalog.decode(pg_catalog.repeat('00', 16), 'hex') AS zero) AS z;\n"
    "END\n"
    "$weir$;\n"
    "CREATE OR REPLACE FUNCTION weir.take(a_pipeline uuid, a_generations bigint[],\n"
    "    a_owners uuid[], a_generation bigint, a_owner uuid)\n"
    "RETURNS void LANGUAGE plpgsql SET search_path = '' AS $weir$\n"
    "DECLARE\n"
    "    r record;\n"
    "    n integer := 0;\n"
    "BEGIN\n"
    "    FOR r IN SELECT l.partition, l.generation, l.owner FROM weir.ledger AS l\n"
    "        WHERE l.pipeline = a_pipeline ORDER BY l.partition FOR UPDATE\n"
    "    LOOP\n"
    "        n := n + 1;\n"
    "        IF r.partition <> n - 1 OR r.generation IS DISTINCT FROM a_generations[n]\n"
    "            OR r.owner IS DISTINCT FROM a_owners[n] THEN\n"
    "            RAISE EXCEPTION 'weir.ledger of pipeline % was taken by another instance',\n"
    "                a_pipeline USING ERRCODE = '" WEIR_SQLSTATE_TAKEN "';\n"
    "        END IF;\n"
    "    END LOOP;\n"
    "    IF n <> pg_catalog.cardinality(a_generations) THEN\n"
    "        RAISE EXCEPTION 'weir.ledger of pipeline % has % rows, not %', a_pipeline, n,\n"
    "            pg_catalog.cardinality(a_generations)\n"
    "            USING ERRCODE = '" WEIR_SQLSTATE_TAKEN "';\n"
    "    END IF;\n"
    "    UPDATE weir.ledger AS l SET generation = a_generation, owner = a_owner,\n"
    "        updated_at = pg_catalog.clock_timestamp() WHERE l.pipeline = a_pipeline;\n"
    "END\n"
    "$weir$;\n"
    "CREATE OR REPLACE FUNCTION weir.repartition(a_pipeline uuid, a_generations bigint[],\n"
    "    a_owners uuid[], a_generation bigint, a_owner uuid, a_partitions integer,\n"
    "    a_definition bytea)\n"
    "RETURNS void LANGUAGE plpgsql SET search_path = '' AS $weir$\n"
    "DECLARE\n"
    "    uneven boolean;\n"
    "BEGIN\n"
    "    PERFORM weir.take(a_pipeline, a_generations, a_owners, a_generation, a_owner);\n"
    "    SELECT pg_catalog.count(DISTINCT (l.batch, l.t, l.plan)) > 1 INTO uneven\n"
    "        FROM weir.ledger AS l WHERE l.pipeline = a_pipeline;\n"
    "    IF uneven THEN\n"
    "        RAISE EXCEPTION 'the partitions of pipeline % are at different batches', a_pipeline\n"
    "            USING ERRCODE = '" WEIR_SQLSTATE_UNEVEN "';\n"
    "    END IF;\n"
    "    DELETE FROM weir.ledger AS l WHERE l.pipeline = a_pipeline\n"
    "        AND l.partition >= a_partitions;\n"
    "    -- Counts and digests were those of the old partitions: true of none of the new ones.\n"
    "    UPDATE weir.ledger AS l SET partitions = a_partitions, definition = a_definition,\n"
    "        rows = 0, refused = 0, dead = 0,\n"
    "        output = pg_catalog.decode(pg_catalog.repeat('00', 16), 'hex')\n"
    "        WHERE l.pipeline = a_pipeline;\n"
    "    INSERT INTO weir.ledger (pipeline, partition, partitions, batch, t, plan, map, "
    "definition,\n"
    "        rows, refused, dead, output, generation, owner, ends, ranges)\n"
    "    SELECT l.pipeline, p, l.partitions, l.batch, l.t, l.plan, l.map, l.definition,\n"
    "        0, 0, 0, l.output, l.generation, l.owner, l.ends, l.ranges\n"
    "    FROM weir.ledger AS l, pg_catalog.generate_series(1, a_partitions - 1) AS p\n"
    "    WHERE l.pipeline = a_pipeline AND l.partition = 0\n"
    "    ON CONFLICT (pipeline, partition) DO NOTHING;\n"
    "END\n"
    "$weir$;\n";

static const char version_sql[] =
    "INSERT INTO weir.version (version) VALUES (1) ON CONFLICT (single) DO NOTHING;\n";
_Static_assert(WEIR_POSTGRES_DDL_VERSION == 1, "version_sql says the same number");

void weir_postgres_quote_name(struct weir_buf *ret, const char *name)
{
    weir_buf_put_u8(ret, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"') {
            weir_buf_put_u8(ret, '"');
        }
        weir_buf_put_u8(ret, (uint8_t)*name);
    }
    weir_buf_put_u8(ret, '"');
}

void weir_postgres_quote_text(struct weir_buf *ret, struct weir_str text)
{
    bool escapes = text.len != 0 && memchr(text.data, '\\', text.len) != NULL;

    /* E'' means the same under either setting of standard_conforming_strings. */
    weir_buf_append_text(ret, escapes ? " E'" : "'");
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\'' || text.data[i] == '\\') {
            weir_buf_put_u8(ret, (uint8_t)text.data[i]);
        }
        weir_buf_put_u8(ret, (uint8_t)text.data[i]);
    }
    weir_buf_put_u8(ret, '\'');
}

void weir_postgres_quote_table(struct weir_buf *ret, const struct weir_sink_table *table)
{
    weir_postgres_quote_name(ret, table->schema == NULL ? "public" : table->schema);
    weir_buf_put_u8(ret, '.');
    weir_postgres_quote_name(ret, table->name);
}

static void create_table_text(const struct weir_sink_table *table, struct weir_buf *ret)
{
    /* Columns that no INSERT writes are part of the table all the same: somebody declared them. */
    const struct weir_sink_column *columns =
        table->declared == NULL ? table->columns : table->declared;
    uint32_t column_count = table->declared == NULL ? table->column_count : table->declared_count;

    weir_buf_append_text(ret, "CREATE TABLE IF NOT EXISTS ");
    weir_postgres_quote_table(ret, table);
    weir_buf_append_text(ret, " (");
    for (uint32_t c = 0; c < column_count; c++) {
        const struct weir_sink_column *column = &columns[c];
        char type[64];

        weir_type_format(column->type, type, sizeof(type));
        weir_buf_append_text(ret, c == 0 ? "\n    " : ",\n    ");
        weir_postgres_quote_name(ret, column->name);
        weir_buf_printf(ret, " %s%s", type, column->not_null ? " NOT NULL" : "");
    }
    for (uint32_t k = 0; k < table->key_count; k++) {
        weir_buf_append_text(ret, k == 0 ? ",\n    PRIMARY KEY (" : ", ");
        weir_postgres_quote_name(ret, table->columns[table->key[k]].name);
    }
    weir_buf_append_text(ret, table->key_count == 0 ? "\n);\n" : ")\n);\n");
}

bool weir_postgres_wants_creation(const struct weir_sink_table *table)
{
    return weir_options_get(weir_postgres_table_options, table->options, "create_table").number !=
           0;
}

int weir_postgres_ddl(const struct weir_sink_args *args, struct weir_buf *ret,
                      struct weir_error *err)
{
    weir_buf_append_text(ret, "BEGIN;\n");
    weir_buf_append_text(ret, schema_sql);
    weir_buf_append_text(ret, functions_sql);
    weir_buf_append_text(ret, version_sql);
    for (uint32_t t = 0; t < args->table_count; t++) {
        create_table_text(&args->tables[t], ret);
    }
    weir_buf_append_text(ret, "COMMIT;\n");
    return ret->failed ? weir_error_set(err, WEIR_ENOMEM, "no memory for text") : WEIR_OK;
}

/* Version of the schema, 0 when it is not there. */
static int read_version(struct weir_postgres_sink *sink, PGconn *connection, long *ret,
                        struct weir_error *err)
{
    PGresult *result = NULL;
    int rc = weir_postgres_run(sink, connection,
                               "SELECT pg_catalog.to_regclass('weir.version') IS NOT NULL", &result,
                               NULL, err);

    if (rc == WEIR_OK && strcmp(PQgetvalue(result, 0, 0), "t") != 0) {
        *ret = 0;
        PQclear(result);
        return WEIR_OK;
    }
    PQclear(result);
    result = NULL;
    if (rc == WEIR_OK) {
        rc = weir_postgres_run(sink, connection, "SELECT version FROM weir.version", &result, NULL,
                               err);
    }
    if (rc == WEIR_OK) {
        *ret = PQntuples(result) == 1 ? strtol(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    }
    PQclear(result);
    return rc;
}

static int check_version(struct weir_postgres_sink *sink, long version, struct weir_error *err)
{
    if (version <= WEIR_POSTGRES_DDL_VERSION) {
        return WEIR_OK;
    }
    return weir_error_set_reason(
        err, WEIR_ECONFLICT, "ledger_version",
        "schema weir in %s has version %ld, this weir knows %d: a later weir "
        "made it; use that one",
        sink->target, version, WEIR_POSTGRES_DDL_VERSION);
}

int weir_postgres_install(struct weir_postgres_sink *sink, PGconn *connection,
                          struct weir_error *err)
{
    struct weir_buf sql = { 0 };
    PGresult *failed = NULL;
    long version = 0;
    int rc = read_version(sink, connection, &version, err);

    if (rc == WEIR_OK) {
        rc = check_version(sink, version, err);
    }
    if (rc != WEIR_OK || version != 0) {
        return rc;
    }
    /* Two starters: the second waits for the first, then finds everything there. IF NOT EXISTS alone
     * would let both go on to the unique indexes of the catalogue and fail there. */
    weir_buf_append_text(&sql,
                         "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n"
                         "SET LOCAL lock_timeout = '30s'; SET LOCAL client_min_messages = error;\n"
                         "SELECT pg_catalog.pg_advisory_xact_lock(8243129771204435);\n");
    weir_buf_append_text(&sql, schema_sql);
    weir_buf_append_text(&sql, functions_sql);
    weir_buf_append_text(&sql, version_sql);
    weir_buf_append_text(&sql, "COMMIT;\n");
    weir_buf_put_u8(&sql, 0);
    rc = sql.failed
             ? weir_error_set(err, WEIR_ENOMEM, "no memory for text")
             : weir_postgres_run(sink, connection, (const char *)sql.data, NULL, &failed, err);
    if (weir_postgres_is(failed, "42501")) {
        rc = weir_error_context(err, "schema weir is missing and this role may not make it; "
                                     "run: weir ddl FILE | psql ... as a role that may");
    }
    if (rc != WEIR_OK) {
        PQfinish(sink->control); /* its transaction is aborted */
        sink->control = NULL;
    }
    PQclear(failed);
    weir_buf_fini(&sql);
    return rc;
}

int weir_postgres_create_tables(struct weir_postgres_sink *sink, PGconn *connection,
                                struct weir_error *err)
{
    int rc = WEIR_OK;

    for (uint32_t t = 0; t < sink->args.table_count && rc == WEIR_OK; t++) {
        const struct weir_sink_table *table = &sink->declared[t];

        if (!weir_postgres_wants_creation(table)) {
            continue;
        }
        weir_buf_reset(&sink->query);
        create_table_text(table, &sink->query);
        weir_buf_put_u8(&sink->query, 0);
        if (sink->query.failed) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory for text");
        }
        rc = weir_postgres_run(sink, connection, (const char *)sink->query.data, NULL, NULL, err);
        if (rc != WEIR_OK) {
            rc = weir_error_context(err, "create_table of %s", sink->tables[t].quoted);
        }
    }
    return rc;
}
