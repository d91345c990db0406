/* test_postgres_sink.c: the PostgreSQL sink against a real server that does what servers do: it
 * refuses at the last moment, drops rows, ends sessions, and goes on working for clients that are
 * dead. The traces are those of docs/EXACTLY_ONCE.md. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chunk/decimal.h"
#include "sink/postgres_internal.h"
#include "sink/postgres_sink.h"
#include "tests/contract/postgres_provider.h"
#include "tests/support/pg.h"

static struct sink_provider provider;
static struct weir_option options[2] = { { .name = { "dsn", 3 } },
                                         { .name = { "lock_timeout", 12 } } };

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

/* Batch n with count rows from 1000 * n on, begun and finished. */
static void write_batch(struct sink_fixture *fixture, void *sink, uint64_t n, uint32_t table,
                        uint32_t count)
{
    struct weir_sink_tally tally;

    assert_int_equal(provider.ops->begin(sink, n, NULL), WEIR_OK);
    sink_write(fixture, sink, n, 0, table, WEIR_ON_ERROR_DEAD_LETTER,
               test_chunk(&fixture->rows, (int64_t)n * 1000, count));
    assert_int_equal(provider.ops->finish(sink, n, &tally, NULL), WEIR_OK);
}

static struct weir_sink_event commit_batch(struct sink_fixture *fixture, void *sink, uint64_t n)
{
    struct weir_ledger_step step = sink_step(n);

    assert_int_equal(provider.ops->commit(sink, n, 0, &step, NULL), WEIR_OK);
    return sink_next_event(fixture, sink);
}

/* fork(), with a child that aborts where a test would fail, so that it never runs other tests. */
static pid_t fork_child(void)
{
    (void)fflush(NULL);
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
    }
    return child;
}

/* ---- values ---- */

static const struct weir_sink_column every_type[] = {
    { "id", { WEIR_TYPE_INT4, -1 }, true },         { "b", { WEIR_TYPE_BOOL, -1 }, false },
    { "i2", { WEIR_TYPE_INT2, -1 }, false },        { "i8", { WEIR_TYPE_INT8, -1 }, false },
    { "f4", { WEIR_TYPE_FLOAT4, -1 }, false },      { "f8", { WEIR_TYPE_FLOAT8, -1 }, false },
    { "n", { WEIR_TYPE_NUMERIC, -1 }, false },      { "t", { WEIR_TYPE_TEXT, -1 }, false },
    { "v", { WEIR_TYPE_VARCHAR, 14 }, false },      { "c", { WEIR_TYPE_BPCHAR, 9 }, false },
    { "y", { WEIR_TYPE_BYTEA, -1 }, false },        { "d", { WEIR_TYPE_DATE, -1 }, false },
    { "ti", { WEIR_TYPE_TIME, -1 }, false },        { "ts", { WEIR_TYPE_TIMESTAMP, -1 }, false },
    { "tz", { WEIR_TYPE_TIMESTAMPTZ, -1 }, false }, { "iv", { WEIR_TYPE_INTERVAL, -1 }, false },
    { "u", { WEIR_TYPE_UUID, -1 }, false },         { "j", { WEIR_TYPE_JSONB, -1 }, false },
};
enum { EVERY_COUNT = sizeof(every_type) / sizeof(every_type[0]), EVERY_ROWS = 4 };

/* Row 0: usual values. Row 1: nulls. Row 2: the largest. Row 3: the smallest. */
static struct weir_chunk *chunk_of_every_type(struct test_rows *rows)
{
    static const char long_number[] = "-123456789012345678901234567890.000012345678901234567890";
    struct weir_chunk *chunk = test_chunk(rows, 0, EVERY_ROWS);
    struct weir_vec *v = weir_arena_calloc(&rows->arena, EVERY_COUNT, sizeof(*v));

    for (uint32_t c = 0; c < EVERY_COUNT; c++) {
        v[c] = weir_vec_alloc(&rows->arena, every_type[c].type, EVERY_ROWS);
        memset(v[c].data, 0, EVERY_ROWS * weir_type_bytes(every_type[c].type.id));
        uint64_t *valid = weir_bitmap_alloc(&rows->arena, EVERY_ROWS, true);
        weir_bitmap_clear(valid, 1);
        v[c].valid = c == 0 ? NULL : valid;
    }
    for (uint32_t r = 0; r < EVERY_ROWS; r++) {
        bool top = r == 2, low = r == 3;

        v[0].i4[r] = (int32_t)r;
        v[1].b[r] = !low;
        v[2].i2[r] = top ? INT16_MAX : low ? INT16_MIN : -7;
        v[3].i8[r] = top ? INT64_MAX : low ? INT64_MIN : 7;
        v[4].f4[r] = top ? __builtin_inff() : low ? -0.0F : 1.5F;
        v[5].f8[r] = top ? __builtin_nan("") : low ? -__builtin_inf() : 0.1;
        v[6].num[r] = weir_numeric_small(low ? INT64_MIN : 12345000, low ? 0 : 4);
        v[7].str[r] = top ? WEIR_STR("") : WEIR_STR("Zürich 北京 \\ '\t");
        v[8].str[r] = WEIR_STR("0123456789");
        v[9].str[r] = WEIR_STR("ab   ");
        v[10].str[r] = WEIR_STR("\0\1\377");
        v[11].i4[r] = top ? INT32_MAX : low ? INT32_MIN : 1;
        v[12].i8[r] = top ? INT64_C(86400000000) : 1;
        v[13].i8[r] = top ? INT64_MAX : low ? INT64_MIN : 1;
        v[14].i8[r] = -1;
        v[15].interval[r] = (struct weir_interval){ .us = -1, .days = 2, .months = 14 };
        memset(v[16].uuid[r].bytes, 0xab, sizeof(v[16].uuid[r].bytes));
        v[17].str[r] = WEIR_STR("{\"a\": [1.50, null]}");
    }
    assert_int_equal(
        weir_numeric_parse(WEIR_STR(long_number), -1, &rows->arena, &v[6].num[2], NULL), WEIR_OK);
    chunk->columns = EVERY_COUNT;
    chunk->vecs = v;
    return chunk;
}

static const char every_row_sql[] =
    "SELECT count(*) FROM every AS e WHERE e::text IN (SELECT r::text FROM unnest(ARRAY["
    "ROW(0, true, -7, 7, 1.5, 0.1, 1234.5000, E'Zürich 北京 \\\\ ''\\t', '0123456789', 'ab   ',"
    " '\\x0001ff', '2000-01-02', '00:00:00.000001', '2000-01-01 00:00:00.000001',"
    " '1999-12-31 23:59:59.999999Z', '1 year 2 mons 2 days -00:00:00.000001',"
    " 'abababab-abab-abab-abab-abababababab', '{\"a\": [1.50, null]}')::every,"
    "ROW(1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,"
    " NULL, NULL, NULL)::every,"
    "ROW(2, true, 32767, 9223372036854775807, 'inf', 'nan',"
    " '-123456789012345678901234567890.000012345678901234567890', '', '0123456789', 'ab   ',"
    " '\\x0001ff', 'infinity', '24:00', 'infinity', '1999-12-31 23:59:59.999999Z',"
    " '1 year 2 mons 2 days -00:00:00.000001', 'abababab-abab-abab-abab-abababababab',"
    " '{\"a\": [1.50, null]}')::every,"
    "ROW(3, false, -32768, '-9223372036854775808', '-0', '-inf', '-9223372036854775808',"
    " E'Zürich 北京 \\\\ ''\\t', '0123456789', 'ab   ', '\\x0001ff', '-infinity',"
    " '00:00:00.000001', '-infinity', '1999-12-31 23:59:59.999999Z',"
    " '1 year 2 mons 2 days -00:00:00.000001', 'abababab-abab-abab-abab-abababababab',"
    " '{\"a\": [1.50, null]}')::every]) AS r)";

static void write_every_type(struct sink_fixture *fixture, bool keyed)
{
    static const uint32_t key[] = { 0 };
    const struct weir_option create = { .name = WEIR_STR("create_table"),
                                        .text = WEIR_STR("true") };
    const struct weir_sink_table table = { .name = "every",
                                           .columns = every_type,
                                           .column_count = EVERY_COUNT,
                                           .key = key,
                                           .key_count = keyed ? 1 : 0,
                                           .options = { &create, 1 } };
    struct weir_ledger ledger;

    test_pg_run("DROP TABLE IF EXISTS every");
    fixture->args.tables = &table;
    fixture->args.table_count = 1;
    void *sink = sink_start(fixture, 1, &ledger);
    assert_int_equal(provider.ops->check(sink, NULL), WEIR_OK);
    assert_int_equal(provider.ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, 0, WEIR_ON_ERROR_FAIL, chunk_of_every_type(&fixture->rows));
    sink_complete(fixture, sink, 1, WEIR_SINK_COMMITTED);
    provider.ops->close(sink);
    assert_int_equal(test_pg_number(every_row_sql), EVERY_ROWS);
}

static void every_type_is_copied_exactly(void **state)
{
    write_every_type(*state, false);
}

static void every_type_is_upserted_exactly(void **state)
{
    write_every_type(*state, true);
}

/* One statement takes so many rows and no more: the first and the last of a slice, and what is
 * there already. */
static void many_keys_go_in_slices(void **state)
{
    static const uint32_t counts[] = { WEIR_POSTGRES_UPSERT_ROWS_MAX,
                                       WEIR_POSTGRES_UPSERT_ROWS_MAX + 1 };
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    for (uint64_t n = 1; n <= 2; n++) {
        int64_t count = counts[n - 1];

        assert_int_equal(provider.ops->begin(sink, n, NULL), WEIR_OK);
        sink_write_many(fixture, sink, n, TABLE_KEYED, counts[n - 1]);
        sink_complete(fixture, sink, n, WEIR_SINK_COMMITTED);
        assert_int_equal(provider.count(TABLE_KEYED), count);
        assert_int_equal(provider.sum_of_ids(TABLE_KEYED), count * (count - 1) / 2 + count * 100);
    }
    provider.ops->close(sink);
}

/* Settings of the database that could change what our text means or how a transaction sees.
 * covers: G-27 */
static void unusual_settings_do_not_matter(void **state)
{
    struct sink_fixture *fixture = *state;
    static const char *const settings[] = { "standard_conforming_strings = off",
                                            "bytea_output = 'escape'",
                                            "DateStyle = 'German'",
                                            "default_transaction_isolation = 'serializable'",
                                            "synchronous_commit = off",
                                            "search_path = 'nowhere'",
                                            "client_encoding = 'LATIN1'",
                                            "extra_float_digits = -5",
                                            "default_transaction_read_only = off" };
    struct weir_ledger ledger;
    char sql[256];

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        (void)snprintf(sql, sizeof(sql),
                       "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET %s',"
                       " current_database()); END $$",
                       settings[i]);
        if (strchr(settings[i], '\'') != NULL) { /* quotes inside format()'s own */
            (void)snprintf(
                sql, sizeof(sql),
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET ', current_database())"
                " || $x$%s$x$; END $$",
                settings[i]);
        }
        test_pg_run(sql);
    }
    void *sink = sink_start(fixture, 1, &ledger);
    for (uint64_t n = 1; n <= 3; n++) {
        write_batch(fixture, sink, n, TABLE_PLAIN, 10);
        assert_int_equal(commit_batch(fixture, sink, n).outcome, WEIR_SINK_COMMITTED);
        provider.ops->release(sink, n);
    }
    provider.ops->close(sink);
    assert_int_equal(test_pg_number("SELECT count(*) FROM weir.batch"), 3);
    test_pg_run("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());"
                " END $$");
}

/* ---- refusals ---- */

/* covers: G-25 */
static void a_trigger_that_drops_rows_is_noticed(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;

    test_pg_run(
        "CREATE OR REPLACE FUNCTION drop_odd() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF new.id % 2 = 1 THEN RETURN NULL; END IF; RETURN new; END $$;"
        "CREATE TRIGGER odd BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION drop_odd();"
        "CREATE TRIGGER odd BEFORE INSERT ON keyed FOR EACH ROW EXECUTE FUNCTION drop_odd()");
    void *sink = sink_start(fixture, 1, &ledger);
    for (uint32_t table = TABLE_PLAIN; table <= TABLE_KEYED; table++) {
        write_batch(fixture, sink, 1, table, 10);
        struct weir_sink_event event = commit_batch(fixture, sink, 1);
        assert_int_equal(event.outcome, WEIR_SINK_BROKEN);
        assert_string_equal(event.err.reason, "row_count");
        assert_int_equal(provider.count((int)table), 0);
        provider.ops->release(sink, 1);
    }
    provider.ops->close(sink);
}

/* covers: G-12 */
static void a_constraint_checked_at_commit_is_isolated(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    struct weir_sink_search found = { 0 };

    test_pg_run("ALTER TABLE plain ADD FOREIGN KEY (id) REFERENCES keyed DEFERRABLE INITIALLY"
                " DEFERRED; INSERT INTO keyed SELECT i, '' FROM generate_series(1000, 1099) AS i"
                " WHERE i <> 1042");
    void *sink = sink_start(fixture, 1, &ledger);
    write_batch(fixture, sink, 1, TABLE_PLAIN, 100);
    struct weir_sink_event event = commit_batch(fixture, sink, 1);
    assert_int_equal(event.outcome, WEIR_SINK_ROW_REFUSED);
    assert_int_equal(provider.ops->isolate(sink, 1, 0, &found, NULL), WEIR_OK);
    assert_int_equal(provider.ops->resend(sink, 1, 0, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(provider.count(TABLE_PLAIN), 99);
    assert_int_equal(test_pg_number("SELECT count(*) FROM weir.dead_letter WHERE \"offset\" = 1042"
                                    " AND sqlstate = '23503' AND source = 'source0' AND stream ="
                                    " 'topic' AND stream_partition = '0' AND key IS NULL AND"
                                    " convert_from(value, 'UTF8') = '{\"id\":1042}'"),
                     1);
    provider.ops->close(sink);
}

/* covers: G-08, G-26 */
static void a_locked_table_is_tried_again(void **state)
{
    struct sink_fixture *fixture = *state;
    PGconn *other = test_pg_session();
    struct weir_ledger ledger;

    options[1].text = WEIR_STR("200 ms");
    fixture->args.options.count = 2;
    void *sink = sink_start(fixture, 1, &ledger);
    PQclear(PQexec(other, "BEGIN; LOCK TABLE plain IN ACCESS EXCLUSIVE MODE"));
    write_batch(fixture, sink, 1, TABLE_PLAIN, 10);
    assert_int_equal(commit_batch(fixture, sink, 1).outcome, WEIR_SINK_ROLLED_BACK);
    PQclear(PQexec(other, "COMMIT"));
    assert_int_equal(provider.ops->resend(sink, 1, 0, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    PQfinish(other);
    provider.ops->close(sink);
}

/* covers: G-22 */
static void a_dropped_table_is_the_end(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    test_pg_run("DROP TABLE plain");
    write_batch(fixture, sink, 1, TABLE_PLAIN, 10);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_BROKEN);
    provider.ops->close(sink);
}

/* ---- sessions that end ---- */

/* covers: G-14 */
static void an_ended_session_is_a_loss_that_can_be_repaired(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    write_batch(fixture, sink, 1, TABLE_PLAIN, 10);
    sink_let_work(fixture, sink, 5);
    assert_int_equal(test_pg_number("SELECT count(pg_terminate_backend(pid, 5000)) FROM"
                                    " pg_stat_activity WHERE application_name LIKE 'weir %'"
                                    " AND datname = current_database()"),
                     1);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_LOST);
    assert_int_equal(provider.ops->look(sink, &ledger, NULL), WEIR_OK);
    assert_int_equal(ledger.rows[0].batch, 0);
    struct weir_ledger_step step = sink_step(1);
    assert_int_equal(provider.ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
    assert_int_equal(provider.ops->resend(sink, 1, 0, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(provider.count(TABLE_PLAIN), 10);
    provider.ops->close(sink);
}

/* The places at which a client is killed, and whether its batch may then be in. */
enum kill_point {
    KILL_STREAMING,
    KILL_ROWS_IN,
    KILL_COMMIT_SENT,
    KILL_COMMITTED,
    KILL_POINT_COUNT
};

static _Noreturn void live_and_die(struct sink_fixture *fixture, enum kill_point point)
{
    struct weir_ledger_step step = sink_step(1);
    struct weir_sink_tally tally;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    (void)provider.ops->begin(sink, 1, NULL);
    for (int i = 0; i < 20; i++) {
        sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
                   test_chunk(&fixture->rows, 1000, 1000));
    }
    if (point > KILL_STREAMING) {
        (void)provider.ops->finish(sink, 1, &tally, NULL);
        sink_let_work(fixture, sink, 10);
    }
    if (point > KILL_ROWS_IN) {
        (void)provider.ops->commit(sink, 1, 0, &step, NULL);
    }
    if (point == KILL_COMMITTED) {
        (void)sink_next_event(fixture, sink);
    }
    (void)kill(getpid(), SIGKILL);
    abort();
}

/* covers: G-02 */
static void a_killed_client_leaves_all_or_nothing(void **state)
{
    struct sink_fixture *fixture = *state;

    for (enum kill_point point = 0; point < KILL_POINT_COUNT; point++) {
        struct weir_ledger ledger;
        int status;

        provider.reset();
        pid_t child = fork_child();
        if (child == 0) {
            live_and_die(fixture, point);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        void *sink = sink_start(fixture, 2, &ledger);
        assert_int_equal(ledger.generation, 2);
        uint64_t batch = ledger.rows[0].batch;
        if (point != KILL_COMMIT_SENT) {
            assert_int_equal(batch, point == KILL_COMMITTED);
        }
        assert_int_equal(provider.count(TABLE_PLAIN), batch * 20000);
        write_batch(fixture, sink, batch + 1, TABLE_PLAIN, 10);
        assert_int_equal(commit_batch(fixture, sink, batch + 1).outcome, WEIR_SINK_COMMITTED);
        assert_int_equal(provider.count(TABLE_PLAIN), batch * 20000 + 10);
        provider.ops->close(sink);
    }
}

/* ---- commands that the server still has when their client is gone ---- */

/* What a client of owner 1 and generation 1 would have sent for batch 1, from another session. */
static const char queued_commit[] =
    "BEGIN; INSERT INTO plain VALUES (1, 'ghost');"
    "SELECT weir.advance((SELECT uuid FROM weir.pipeline), 0, 1, 100, digest, 0,"
    " decode(repeat('00', 16), 'hex'), 1, '01000000-0000-0000-0000-000000000000', digest, digest, "
    "1,"
    " 1, 0, 0, digest, 'ends', NULL, false) FROM (SELECT decode(repeat('01', 16), 'hex') AS digest)"
    " AS d; COMMIT";

static void send(PGconn *session, const char *sql)
{
    assert_int_equal(PQsendQuery(session, sql), 1);
}

static void drain(PGconn *session)
{
    for (PGresult *result; (result = PQgetResult(session)) != NULL;) {
        PQclear(result);
    }
}

/* T6: the ghost's commit runs after another instance took the ledger.
 * covers: G-06 */
static void a_queued_commit_after_the_take_changes_nothing(void **state)
{
    struct sink_fixture *fixture = *state;
    PGconn *ghost = test_pg_session();
    struct weir_ledger ledger;

    provider.ops->close(sink_start(fixture, 1, &ledger));
    void *sink = sink_start(fixture, 2, &ledger);
    send(ghost, queued_commit);
    drain(ghost);
    assert_int_equal(provider.count(TABLE_PLAIN), 0);
    write_batch(fixture, sink, 1, TABLE_PLAIN, 10);
    assert_int_equal(commit_batch(fixture, sink, 1).outcome, WEIR_SINK_COMMITTED);
    PQfinish(ghost);
    provider.ops->close(sink);
}

/* T7: it runs while the other instance claims; what claim() returns knows of it.
 * covers: G-06 */
static void a_queued_commit_before_the_take_is_seen(void **state)
{
    struct sink_fixture *fixture = *state;
    PGconn *locker = test_pg_session(), *ghost = test_pg_session();
    struct weir_ledger ledger;
    int status;

    provider.ops->close(sink_start(fixture, 1, &ledger));
    PQclear(PQexec(locker, "BEGIN; SELECT FROM weir.ledger FOR UPDATE"));
    send(ghost, queued_commit); /* first in the row's queue; the claim comes second */
    usleep(100000);
    pid_t child = fork_child();
    if (child == 0) {
        void *sink = sink_start(fixture, 2, &ledger);
        (void)sink;
        _exit(ledger.rows[0].batch == 1 && ledger.generation == 2 ? 0 : 1);
    }
    usleep(300000);
    assert_int_equal(test_pg_number("SELECT generation FROM weir.ledger"), 1); /* it waits */
    send(locker, "COMMIT");
    drain(locker);
    drain(ghost);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(provider.count(TABLE_PLAIN), 1);
    PQfinish(locker);
    PQfinish(ghost);
}

/* T9: a dead starter's take runs after the live one's own.
 * covers: P-12 */
static void a_queued_take_after_the_take_changes_nothing(void **state)
{
    struct sink_fixture *fixture = *state;
    PGconn *ghost = test_pg_session();
    struct weir_ledger ledger;

    provider.ops->close(sink_start(fixture, 1, &ledger));
    void *sink = sink_start(fixture, 2, &ledger);
    send(ghost, "BEGIN; SELECT weir.take((SELECT uuid FROM weir.pipeline), ARRAY[1]::bigint[],"
                " ARRAY['01000000-0000-0000-0000-000000000000']::uuid[], 3,"
                " '03000000-0000-0000-0000-000000000000'); COMMIT");
    drain(ghost);
    assert_int_equal(provider.ops->look(sink, &ledger, NULL), WEIR_OK);
    assert_int_equal(ledger.generation, 2);
    assert_int_equal(ledger.rows[0].owner[0], 2);
    PQfinish(ghost);
    provider.ops->close(sink);
}

/* The dead instance's own session, blocked in its COMMIT, is ended by the one that comes after. */
/* A session of a namesake: the same pipeline in a copy of the database, in the same cluster. */
static PGconn *session_in_a_copy(void)
{
    char dsn[512];
    PGconn *own = test_pg_session();

    (void)snprintf(dsn, sizeof(dsn), "host=%s port=%s user=%s dbname=template1", PQhost(own),
                   PQport(own), PQuser(own));
    PGconn *copy = PQconnectdb(dsn);
    assert_int_equal(PQstatus(copy), CONNECTION_OK);
    PQclear(PQexec(copy, "SELECT set_config('application_name', a.application_name, false) FROM "
                         "pg_stat_activity AS a WHERE a.application_name LIKE 'weir %' LIMIT 1"));
    PQfinish(own);
    return copy;
}

/* covers: G-06 */
static void a_claim_ends_the_sessions_of_dead_instances(void **state)
{
    struct sink_fixture *fixture = *state;
    PGconn *locker = test_pg_session();
    struct weir_ledger ledger;
    struct weir_ledger_step step = sink_step(1);
    void *dead = sink_start(fixture, 1, &ledger);

    write_batch(fixture, dead, 1, TABLE_PLAIN, 10);
    sink_let_work(fixture, dead, 5);
    PQclear(PQexec(locker, "BEGIN; LOCK TABLE weir.batch IN EXCLUSIVE MODE"));
    assert_int_equal(provider.ops->commit(dead, 1, 0, &step, NULL), WEIR_OK);
    sink_let_work(fixture, dead,
                  5); /* it has advanced, and now waits for weir.batch with the row locked */
    PGconn *copy = session_in_a_copy();
    void *live = sink_start(fixture, 2, &ledger);
    assert_int_equal(ledger.rows[0].batch, 0);
    assert_int_equal(ledger.generation, 2);
    PQclear(PQexec(locker, "COMMIT"));
    assert_int_equal(sink_next_event(fixture, dead).outcome, WEIR_SINK_LOST);
    assert_int_equal(provider.count(TABLE_PLAIN), 0);
    PGresult *alive = PQexec(copy, "SELECT 1"); /* another database is another ledger */
    assert_int_equal(PQresultStatus(alive), PGRES_TUPLES_OK);
    PQclear(alive);
    PQfinish(copy);
    PQfinish(locker);
    provider.ops->close(live);
    provider.ops->close(dead);
}

/* T8 and first starts: many at once, on a database without schema weir.
 * covers: P-12 */
static void starters_at_the_same_moment_agree_on_one(void **state)
{
    enum { STARTERS = 6 };
    struct sink_fixture *fixture = *state;
    pid_t children[STARTERS];
    int taken = 0;

    fixture->args.partitions = 2;
    for (int i = 0; i < STARTERS; i++) {
        children[i] = fork_child();
        if (children[i] == 0) {
            struct weir_claim claim = { .name = "contract",
                                        .uuid = { (uint8_t)i },
                                        .owner = { (uint8_t)(i + 1) } };
            struct weir_ledger ledger;
            void *sink = NULL;
            int rc = provider.ops->open(&fixture->args, &sink, NULL);
            rc = rc == WEIR_OK ? provider.ops->claim(sink, &claim, &ledger, NULL) : rc;
            _exit(rc == WEIR_OK ? 0 : rc == WEIR_EFENCED ? 1 : rc == WEIR_EAWAY ? 2 : 3);
        }
    }
    for (int i = 0; i < STARTERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_not_equal(WEXITSTATUS(status), 3);
        taken += WEXITSTATUS(status) == 0;
    }
    assert_true(taken >= 1);
    assert_int_equal(test_pg_number("SELECT count(*) FROM weir.pipeline"), 1);
    assert_int_equal(test_pg_number("SELECT count(*) FROM weir.ledger"), 2);
    assert_int_equal(test_pg_number("SELECT count(DISTINCT (generation, owner)) FROM weir.ledger"),
                     1);
}

/* ---- what is left behind ---- */

static void the_history_is_pruned(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    test_pg_run("INSERT INTO weir.batch SELECT uuid, b, 0, b, NULL, 0, 0, 0, 0, '', 1, now() FROM"
                " weir.pipeline, generate_series(1, 4000) AS b");
    test_pg_run(
        "UPDATE weir.ledger SET batch = 20479, t = 2047900,"
        " plan = decode(lpad(to_hex(~20479::bigint), 16, '0') || lpad(to_hex(20479), 16, '0'),"
        " 'hex')");
    write_batch(fixture, sink, 20480, TABLE_PLAIN, 1);
    assert_int_equal(commit_batch(fixture, sink, 20480).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(test_pg_number("SELECT count(*) FROM weir.batch WHERE batch <= 4000"), 0);
    assert_int_equal(test_pg_number("SELECT count(*) FROM weir.batch"), 1);
    assert_int_equal(test_pg_number("SELECT (ranges->'it''s/to\\pic/0'->>1)::int FROM weir.ledger"),
                     1);
    provider.ops->close(sink);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_type_is_copied_exactly),
        TEST(every_type_is_upserted_exactly),
        TEST(many_keys_go_in_slices),
        TEST(unusual_settings_do_not_matter),
        TEST(a_trigger_that_drops_rows_is_noticed),
        TEST(a_constraint_checked_at_commit_is_isolated),
        TEST(a_locked_table_is_tried_again),
        TEST(a_dropped_table_is_the_end),
        TEST(an_ended_session_is_a_loss_that_can_be_repaired),
        TEST(a_killed_client_leaves_all_or_nothing),
        TEST(a_queued_commit_after_the_take_changes_nothing),
        TEST(a_queued_commit_before_the_take_is_seen),
        TEST(a_queued_take_after_the_take_changes_nothing),
        TEST(a_claim_ends_the_sessions_of_dead_instances),
        TEST(starters_at_the_same_moment_agree_on_one),
        TEST(the_history_is_pruned),
    };
    options[0].text = weir_str_from(test_pg_open("postgres_sink"));
    provider = postgres_provider((struct weir_options){ options, 1 });
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_pg_close();
    return failed;
}
