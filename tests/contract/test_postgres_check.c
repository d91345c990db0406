/* test_postgres_check.c: before anything is written: tables that do not fit, roles that may not,
 * servers that are not there, secrets that stay secret; and what is made where it may be. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sink/postgres_sink.h"
#include "tests/contract/postgres_provider.h"
#include "tests/support/pg.h"

static struct sink_provider provider;
static struct weir_option dsn_option = { .name = { "dsn", 3 } };

static int set_up(void **state)
{
    struct sink_fixture *fixture = calloc(1, sizeof(*fixture));

    sink_fixture_init(fixture, &provider);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    sink_fixture_fini(*state);
    free(*state);
    return 0;
}

/* What check() says of the contract's tables after the server has been changed so. */
static const struct misfit {
    const char *name, *sql, *want, *words;
} misfits[] = {
    { "a table that is not there", "DROP TABLE plain", "table_missing", "weir ddl" },
    /* covers: G-25 */
    { "a view", "DROP TABLE plain; CREATE VIEW plain AS SELECT 1::bigint AS id, ''::text AS note",
      "not_a_table", "view" },
    { "a column that is not there", "ALTER TABLE plain DROP note", "column_missing",
      "ADD COLUMN \"note\" text" },
    { "a column of another type", "ALTER TABLE plain ALTER id TYPE integer", "column_type",
      "is of type integer, the pipeline says bigint" },
    { "a generated column",
      "ALTER TABLE plain DROP note; ALTER TABLE plain ADD note text GENERATED ALWAYS AS ('x') "
      "STORED",
      "column_generated", "note" },
    { "a column that needs a value", "ALTER TABLE plain ADD owner text NOT NULL", "column_not_null",
      "owner" },
    { "no unique index", "ALTER TABLE keyed DROP CONSTRAINT keyed_pkey", "no_unique_index",
      "CREATE UNIQUE INDEX ON \"public\".\"keyed\" (\"id\")" },
    { "a unique index over more",
      "ALTER TABLE keyed DROP CONSTRAINT keyed_pkey;"
      "CREATE UNIQUE INDEX ON keyed (id, note)",
      "no_unique_index", "keyed" },
    { "a partial unique index",
      "ALTER TABLE keyed DROP CONSTRAINT keyed_pkey;"
      "CREATE UNIQUE INDEX ON keyed (id) WHERE id > 0",
      "no_unique_index", "keyed" },
    { "a deferrable key",
      "ALTER TABLE keyed DROP CONSTRAINT keyed_pkey;"
      "ALTER TABLE keyed ADD PRIMARY KEY (id) DEFERRABLE",
      "no_unique_index", "keyed" },
};
enum { MISFIT_COUNT = sizeof(misfits) / sizeof(misfits[0]) };
static const struct misfit *next_misfit = misfits;

static void check_names_what_does_not_fit(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct misfit *row = next_misfit++;
    struct weir_error err = { 0 };
    void *sink = NULL;

    test_pg_run(row->sql);
    assert_int_equal(provider.ops->open(&fixture->args, &sink, &err), WEIR_OK);
    assert_int_equal(provider.ops->check(sink, &err), WEIR_ESCHEMA);
    assert_string_equal(err.reason, row->want);
    if (strstr(err.text, row->words) == NULL) {
        fail_msg("%s", err.text);
    }
    provider.ops->close(sink);
    test_pg_run("DROP VIEW IF EXISTS plain_view");
    if (strstr(row->sql, "CREATE VIEW") != NULL) {
        test_pg_run("DROP VIEW plain");
    }
}

static void what_is_wider_fits(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_error err = { 0 };
    void *sink = NULL;

    test_pg_run("ALTER TABLE plain ALTER note TYPE varchar(100), ADD extra text,"
                " ADD at timestamptz NOT NULL DEFAULT now();"
                "CREATE DOMAIN big AS bigint; ALTER TABLE plain ALTER id TYPE big");
    assert_int_equal(provider.ops->open(&fixture->args, &sink, &err), WEIR_OK);
    if (provider.ops->check(sink, &err) != WEIR_OK) {
        fail_msg("%s", err.text);
    }
    provider.ops->close(sink);
    test_pg_run("DROP TABLE plain; DROP DOMAIN big");
}

static void missing_tables_are_made_when_told(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_option create = { .name = WEIR_STR("create_table"), .text = WEIR_STR("true") };
    struct weir_sink_table tables[TABLE_COUNT];
    struct weir_ledger ledger;

    memcpy(tables, fixture->args.tables, sizeof(tables));
    for (int t = 0; t < TABLE_COUNT; t++) {
        tables[t].options = (struct weir_options){ &create, 1 };
    }
    fixture->args.tables = tables;
    test_pg_run("DROP TABLE plain, keyed");
    void *sink = sink_start(fixture, 1, &ledger);
    assert_int_equal(provider.ops->check(sink, NULL), WEIR_OK);
    provider.ops->close(sink);
}

/* The table that is made has what was declared, and rows that fill a part of it arrive. */
static void a_table_is_made_with_every_declared_column(void **state)
{
    static const struct weir_sink_column declared[] = {
        { "note", { WEIR_TYPE_TEXT, -1 }, false },
        { "spare", { WEIR_TYPE_VARCHAR, 14 }, false },
        { "id", { WEIR_TYPE_INT8, -1 }, true },
    };
    static const char columns_sql[] =
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'wide'::regclass AND"
        " concat_ws(' ', attnum, attname, format_type(atttypid, atttypmod), attnotnull) IN"
        " ('1 note text f', '2 spare character varying(10) f', '3 id bigint t')";
    struct sink_fixture *fixture = *state;
    struct weir_option create = { .name = WEIR_STR("create_table"), .text = WEIR_STR("true") };
    static const uint32_t key[] = { 0 };
    const struct weir_sink_table table = { .name = "wide",
                                           .columns = &declared[2],
                                           .column_count = 1,
                                           .declared = declared,
                                           .declared_count = 3,
                                           .key = key,
                                           .key_count = 1,
                                           .options = { &create, 1 } };
    struct weir_buf text = { 0 };
    struct weir_ledger ledger;

    fixture->args.tables = &table;
    fixture->args.table_count = 1;
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        test_pg_run("DROP TABLE IF EXISTS wide");
        if (by_hand == 1) {
            assert_int_equal(provider.ops->ddl(&fixture->args, &text, NULL), WEIR_OK);
            weir_buf_put_u8(&text, 0);
            test_pg_run((const char *)text.data);
        }
        void *sink = sink_start(fixture, 1, &ledger);
        assert_int_equal(provider.ops->check(sink, NULL), WEIR_OK);
        provider.ops->close(sink);
        assert_int_equal(test_pg_number(columns_sql), 3);
        assert_int_equal(test_pg_number("SELECT count(*) FROM pg_index WHERE indisprimary AND"
                                        " indrelid = 'wide'::regclass AND indkey::text = '3'"),
                         1);
    }
    weir_buf_fini(&text);
    test_pg_run("DROP TABLE wide");
}

static void its_ddl_runs_twice(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    struct weir_buf text = { 0 };

    test_pg_run("DROP TABLE plain, keyed");
    assert_int_equal(provider.ops->ddl(&fixture->args, &text, NULL), WEIR_OK);
    weir_buf_put_u8(&text, 0);
    test_pg_run((const char *)text.data);
    test_pg_run((const char *)text.data);
    weir_buf_fini(&text);
    void *sink = sink_start(fixture, 1, &ledger);
    assert_true(ledger.created);
    provider.ops->close(sink);
}

static void a_later_schema_is_refused(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_claim claim = { .name = "contract" };
    struct weir_error err = { 0 };
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    test_pg_run("UPDATE weir.version SET version = 2");
    assert_int_equal(provider.ops->claim(sink, &claim, &ledger, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "ledger_version");
    provider.ops->close(sink);
}

/* covers: G-23, G-24 */
static void an_emptied_ledger_is_not_made_again(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_claim claim = { .name = "contract" };
    struct weir_error err = { 0 };
    struct weir_ledger ledger;

    fixture->args.partitions = 2;
    void *sink = sink_start(fixture, 1, &ledger);
    test_pg_run("DELETE FROM weir.ledger WHERE partition = 0");
    assert_int_equal(provider.ops->claim(sink, &claim, &ledger, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "ledger_uneven");
    test_pg_run("DELETE FROM weir.ledger");
    assert_int_equal(provider.ops->claim(sink, &claim, &ledger, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "ledger_missing");
    provider.ops->close(sink);
}

/* ---- roles ---- */

static char role[64];

/* A role without any right of its own; the fixture's dsn becomes that of the role. */
static void become_nobody(char *dsn, size_t dsn_bytes)
{
    char sql[256];

    (void)snprintf(role, sizeof(role), "weir_nobody_%ld", (long)getpid());
    (void)snprintf(sql, sizeof(sql), "CREATE ROLE %s LOGIN PASSWORD 'hunter2'", role);
    test_pg_run(sql);
    (void)snprintf(dsn, dsn_bytes, "%s user='%s' password='hunter2'", test_pg_dsn(), role);
    dsn_option.text = weir_str_from(dsn);
}

static void be_oneself_again(void)
{
    char sql[256];

    dsn_option.text = weir_str_from(test_pg_dsn());
    (void)snprintf(sql, sizeof(sql), "DROP OWNED BY %s; DROP ROLE %s", role, role);
    test_pg_run(sql);
}

static void grant(const char *what)
{
    char sql[512];

    (void)snprintf(sql, sizeof(sql), "GRANT %s TO %s", what, role);
    test_pg_run(sql);
}

/* The grants of docs/POSTGRES.md, and nothing else. */
static void least_privileges_are_enough(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_dead_letter letter = { .record = test_record(&fixture->rows, 0, 1),
                                       .sqlstate = "22P02",
                                       .text = "bad" };
    struct weir_ledger ledger;
    char dsn[1200];

    provider.ops->close(sink_start(fixture, 1, &ledger)); /* the owner makes the schema */
    become_nobody(dsn, sizeof(dsn));
    grant("USAGE ON SCHEMA weir");
    grant("SELECT ON weir.version");
    grant("SELECT, INSERT ON weir.pipeline");
    grant("SELECT, INSERT, UPDATE, DELETE ON weir.ledger, weir.batch");
    grant("INSERT ON weir.dead_letter");
    grant("INSERT ON plain");
    grant("SELECT, INSERT, UPDATE ON keyed");
    void *sink = sink_start(fixture, 2, &ledger);
    assert_int_equal(ledger.generation, 2);
    assert_int_equal(provider.ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 100, 10));
    sink_write(fixture, sink, 1, 0, TABLE_KEYED, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 100, 10));
    assert_int_equal(provider.ops->dead_letter(sink, 1, 0, 0, &letter, NULL), WEIR_OK);
    sink_complete(fixture, sink, 1, WEIR_SINK_COMMITTED);
    provider.ops->close(sink);
    assert_int_equal(provider.dead_letters(), 1);
    be_oneself_again();
}

static void missing_privileges_are_named(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_claim claim = { .name = "contract" };
    struct weir_error err = { 0 };
    struct weir_ledger ledger;
    char dsn[1200];
    void *sink = NULL;

    become_nobody(dsn, sizeof(dsn));
    assert_int_equal(provider.ops->open(&fixture->args, &sink, &err), WEIR_OK);
    assert_int_equal(provider.ops->check(sink, &err), WEIR_ESCHEMA);
    assert_string_equal(err.reason, "no_privilege");
    assert_non_null(strstr(err.text, "GRANT INSERT ON \"public\".\"plain\" TO "));
    assert_null(strstr(err.text, "this role")); /* it can be pasted */
    assert_int_equal(provider.ops->claim(sink, &claim, &ledger, &err), WEIR_ESCHEMA);
    assert_non_null(strstr(err.text, "weir ddl FILE | psql"));
    provider.ops->close(sink);
    be_oneself_again();
}

/* ---- connecting ---- */

/* */
static void passwords_are_never_told(void **state)
{
    static const struct {
        const char *dsn;
        int want;
    } rows[] = {
        { "postgresql://u:s3cr3t@127.0.0.1:1/x", WEIR_EAWAY },
        { "host=127.0.0.1 port=1 password=s3cr3t user=s3cr3t", WEIR_EAWAY },
        { "postgresql://u:s3cr3t@[127.0.0.1:1/x", WEIR_ECONFIG },
        { "password=s3cr3t 's3cr3t", WEIR_ECONFIG },
        { "nonsense s3cr3t", WEIR_ECONFIG },
    };
    struct sink_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_error err = { 0 };
        void *sink = NULL;

        dsn_option.text = weir_str_from(rows[i].dsn);
        int rc = provider.ops->open(&fixture->args, &sink, &err);
        if (rc == WEIR_OK) {
            rc = provider.ops->check(sink, &err);
        }
        assert_int_equal(rc, rows[i].want);
        assert_null(strstr(err.text, "s3cr3t"));
        provider.ops->close(sink);
    }
    dsn_option.text = weir_str_from(test_pg_dsn());
}

static void one_database_is_one_domain(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        { "postgresql://u:x@h/d", "host=h dbname=d port=5432 user=v", true },
        { "postgresql://h/d", "postgresql://h/e", false },
        { "postgresql://h:5433/d", "postgresql://h/d", false },
        { "postgresql://h/d", "postgresql://g/d", false },
        { "host=h user=d", "host=h user=u dbname=d", true },
        { "host=h user=d", "host=h user=u", false },
        { "host='' dbname=d", "dbname=d", true },
        { "hostaddr=10.0.0.1 host=h dbname=d", "hostaddr=10.0.0.1 dbname=d", true },
        { "hostaddr=10.0.0.1 dbname=d", "host=10.0.0.1 dbname=d", true },
        { "hostaddr=10.0.0.1 host=h dbname=d", "hostaddr=10.0.0.2 host=h dbname=d", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_option a = { .name = WEIR_STR("dsn"), .text = weir_str_from(rows[i].a) };
        struct weir_option b = { .name = WEIR_STR("dsn"), .text = weir_str_from(rows[i].b) };

        assert_int_equal(provider.ops->same_domain((struct weir_options){ &a, 1 },
                                                   (struct weir_options){ &b, 1 }),
                         rows[i].same);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    struct CMUnitTest tests[MISFIT_COUNT + 10];
    size_t count = 0;
    int failed;

    for (; count < MISFIT_COUNT; count++) { /* one named test a row */
        tests[count] = (struct CMUnitTest)TEST(check_names_what_does_not_fit);
        tests[count].name = misfits[count].name;
    }
    tests[count++] = (struct CMUnitTest)TEST(what_is_wider_fits);
    tests[count++] = (struct CMUnitTest)TEST(missing_tables_are_made_when_told);
    tests[count++] = (struct CMUnitTest)TEST(a_table_is_made_with_every_declared_column);
    tests[count++] = (struct CMUnitTest)TEST(its_ddl_runs_twice);
    tests[count++] = (struct CMUnitTest)TEST(a_later_schema_is_refused);
    tests[count++] = (struct CMUnitTest)TEST(an_emptied_ledger_is_not_made_again);
    tests[count++] = (struct CMUnitTest)TEST(least_privileges_are_enough);
    tests[count++] = (struct CMUnitTest)TEST(missing_privileges_are_named);
    tests[count++] = (struct CMUnitTest)TEST(passwords_are_never_told);
    tests[count++] = (struct CMUnitTest)TEST(one_database_is_one_domain);
    dsn_option.text = weir_str_from(test_pg_open("postgres_check"));
    provider = postgres_provider((struct weir_options){ &dsn_option, 1 });
    failed = _cmocka_run_group_tests("postgres_check", tests, count, NULL, NULL);
    test_pg_close();
    return failed;
}
