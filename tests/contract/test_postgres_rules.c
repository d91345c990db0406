/* test_postgres_rules.c: rules of the commit protocol that only a real server can break: how a
 * transaction ends, what it sees, and which row locks it holds. docs/EXACTLY_ONCE.md names the
 * rules; each test was seen to fail with its rule left out. */
#include <stdio.h>
#include <stdlib.h>

#include "sink/postgres_sink.h"
#include "tests/contract/postgres_provider.h"
#include "tests/support/pg.h"

/* The sessions of the sink under test. */
#define OF_SINK \
    " FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'weir %'"

static struct sink_provider provider;
static struct weir_option dsn = { .name = { "dsn", 3 } };

/* Linked in place of libpq's function (--wrap in meson.build), to see and to change what is sent. */
int __real_PQsendQuery(PGconn *connection, const char *query);
int __wrap_PQsendQuery(PGconn *connection, const char *query);

static bool abort_instead; /* somebody in between ends transactions as he likes */
static int row_by_row;     /* how many COPYs asked for it */

int __wrap_PQsendQuery(PGconn *connection, const char *query)
{
    const char *commit = strstr(query, ";COMMIT");
    char changed[4096];

    row_by_row += strstr(query, "COPY ") != NULL && strstr(query, " WHERE ") != NULL;
    if (commit == NULL || !abort_instead) {
        return __real_PQsendQuery(connection, query);
    }
    (void)snprintf(changed, sizeof(changed), "%.*s;ROLLBACK", (int)(commit - query), query);
    return __real_PQsendQuery(connection, changed);
}

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

/* Batch n with count rows, begun and finished. */
static void write_batch(struct sink_fixture *fixture, void *sink, uint64_t n, uint32_t table,
                        uint32_t count)
{
    struct weir_sink_tally tally;

    assert_int_equal(provider.ops->begin(sink, n, NULL), WEIR_OK);
    sink_write_many(fixture, sink, n, table, count);
    assert_int_equal(provider.ops->finish(sink, n, &tally, NULL), WEIR_OK);
}

static struct weir_sink_event commit_batch(struct sink_fixture *fixture, void *sink, uint64_t n)
{
    struct weir_ledger_step step = sink_step(n);

    assert_int_equal(provider.ops->commit(sink, n, 0, &step, NULL), WEIR_OK);
    return sink_next_event(fixture, sink);
}

/* Lets the sink work, without an event, until a query gives that number. */
static void wait_for_number(struct sink_fixture *fixture, void *sink, const char *sql, int64_t want)
{
    enum { ROUNDS_MAX = 500 };

    for (int i = 0; i < ROUNDS_MAX && test_pg_number(sql) != want; i++) {
        sink_let_work(fixture, sink, 1);
    }
    assert_int_equal(test_pg_number(sql), want);
}

/* ---- how a transaction ends and what it sees ---- */

/* Rule 2: a COMMIT that is answered with another tag has committed nothing, though nobody said that
 * anything failed.
 * covers: G-07 */
static void only_the_tag_commit_is_success(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    write_batch(fixture, sink, 1, TABLE_PLAIN, 10);
    abort_instead = true;
    struct weir_sink_event event = commit_batch(fixture, sink, 1);
    abort_instead = false;
    assert_int_equal(event.outcome, WEIR_SINK_ROLLED_BACK);
    assert_int_equal(provider.count(TABLE_PLAIN), 0);
    assert_int_equal(provider.ops->look(sink, &ledger, NULL), WEIR_OK);
    assert_int_equal(ledger.rows[0].batch, 0);
    assert_int_equal(provider.ops->resend(sink, 1, 0, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(provider.count(TABLE_PLAIN), 10);
    provider.ops->close(sink);
}

/* For new sessions; the name of the database is not known here. */
static void set_default_isolation(const char *level)
{
    char sql[256];

    (void)snprintf(sql, sizeof(sql),
                   "DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET "
                   "default_transaction_isolation = %%L', current_database(), '%s'); END $$",
                   level);
    test_pg_run(sql);
}

/* Rule 3: the rows of batch 2 go in, in a transaction that is older than the COMMIT of batch 1; under
 * a stricter isolation its step would not be allowed to see the ledger row that batch 1 wrote.
 * covers: G-27 */
static void a_batch_that_streamed_through_a_commit_goes_in(void **state)
{
    static const char in_transactions[] = "SELECT count(*)" OF_SINK " AND xact_start IS NOT NULL";
    static const char *const levels[] = { "repeatable read", "serializable" };
    struct sink_fixture *fixture = *state;

    for (int i = 0; i < 2; i++) {
        struct weir_ledger ledger;

        provider.reset();
        set_default_isolation(levels[i]);
        void *sink = sink_start(fixture, 1, &ledger);
        write_batch(fixture, sink, 1, TABLE_PLAIN, 2000);
        assert_int_equal(provider.ops->begin(sink, 2, NULL), WEIR_OK);
        sink_write_many(fixture, sink, 2, TABLE_PLAIN, 2000);
        wait_for_number(fixture, sink, in_transactions, 2);
        assert_int_equal(commit_batch(fixture, sink, 1).outcome, WEIR_SINK_COMMITTED);
        provider.ops->release(sink, 1);
        sink_complete(fixture, sink, 2, WEIR_SINK_COMMITTED);
        assert_int_equal(provider.count(TABLE_PLAIN), 4000);
        provider.ops->close(sink);
    }
    test_pg_run("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());"
                " END $$");
}

/* ---- row locks ---- */

/* U1: the rows of batch 1 are held up; those of batch 2, which change the same keys, must not
 * overtake them: their locks are let go only behind batch 1. */
static void upserts_do_not_overtake_those_of_an_older_batch(void **state)
{
    struct sink_fixture *fixture = *state;
    PGconn *locker = test_pg_session();
    struct weir_ledger_step step = sink_step(1);
    struct weir_sink_tally tally;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    PQclear(PQexec(locker, "BEGIN; LOCK TABLE plain IN EXCLUSIVE MODE"));
    for (uint64_t n = 1; n <= 2; n++) {
        assert_int_equal(provider.ops->begin(sink, n, NULL), WEIR_OK);
        sink_write_many(fixture, sink, n, TABLE_KEYED, 100);
        if (n == 1) {
            sink_write_many(fixture, sink, n, TABLE_PLAIN, 100);
        }
        assert_int_equal(provider.ops->finish(sink, n, &tally, NULL), WEIR_OK);
    }
    assert_int_equal(provider.ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
    sink_let_work(fixture, sink, 10);
    PQclear(PQexec(locker, "COMMIT"));
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    provider.ops->release(sink, 1);
    assert_int_equal(commit_batch(fixture, sink, 2).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(provider.count(TABLE_KEYED), 100);
    PQfinish(locker);
    provider.ops->close(sink);
}

/* T10: the session of batch 1 ends, and batch 2 gets the row locks that it waited for. Rolled back,
 * it holds them no longer, so batch 1 can be sent again, and batch 2 behind it. */
static void a_rolled_back_batch_lets_its_row_locks_go(void **state)
{
#define ROWS_IN " AND state = 'idle in transaction' AND query LIKE 'INSERT%'"
    static const char idle[] = "SELECT count(*)" OF_SINK ROWS_IN;
    static const char waiting[] = "SELECT count(*)" OF_SINK " AND wait_event_type = 'Lock'";
    static const char end_the_first[] =
        "SELECT count(pg_terminate_backend(pid, 5000))" OF_SINK ROWS_IN;
    struct sink_fixture *fixture = *state;
    struct weir_ledger_step step = sink_step(1);
    struct weir_sink_tally tally;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    for (uint64_t n = 1; n <= 2; n++) {
        assert_int_equal(provider.ops->begin(sink, n, NULL), WEIR_OK);
        sink_write_many(fixture, sink, n, TABLE_KEYED, 100);
        assert_int_equal(provider.ops->finish(sink, n, &tally, NULL), WEIR_OK);
        wait_for_number(fixture, sink, n == 1 ? idle : waiting, 1);
    }
    assert_int_equal(test_pg_number(end_the_first), 1);
    assert_int_equal(sink_next_event(fixture, sink).batch, 1);
    wait_for_number(fixture, sink, waiting, 0);
    assert_int_equal(provider.ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
    provider.ops->rollback(sink, 2, 0);
    assert_int_equal(provider.ops->resend(sink, 1, 0, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    provider.ops->release(sink, 1);
    assert_int_equal(provider.ops->resend(sink, 2, 0, NULL), WEIR_OK);
    assert_int_equal(commit_batch(fixture, sink, 2).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(provider.count(TABLE_KEYED), 100);
    provider.ops->close(sink);
}

/* ---- how rows are sent ---- */

/* A short COPY has the server insert row by row, a long one begins before its batch is finished: both
 * sides of the border, and a batch that crosses it while it grows. */
static void copies_of_every_length_are_exact(void **state)
{
    static const uint32_t pieces[][2] = { { 1, 0 },   { 1000, 0 }, { 1001, 0 },  { 5000, 0 },
                                          { 999, 1 }, { 1000, 1 }, { 4000, 999 } };
    enum { BATCHES = sizeof(pieces) / sizeof(pieces[0]) };
    struct sink_fixture *fixture = *state;
    int64_t count = 0, sum = 0;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    for (uint64_t n = 1; n <= BATCHES; n++) {
        const uint32_t *piece = pieces[n - 1];

        row_by_row = 0;
        assert_int_equal(provider.ops->begin(sink, n, NULL), WEIR_OK);
        for (int i = 0; i < 2; i++) {
            int64_t rows = piece[i];

            sink_write_many(fixture, sink, n, TABLE_PLAIN, piece[i]);
            sink_let_work(fixture, sink, 2);
            count += rows;
            sum += rows * (rows - 1) / 2 + rows * 100;
        }
        sink_complete(fixture, sink, n, WEIR_SINK_COMMITTED);
        assert_int_equal(row_by_row, piece[0] + piece[1] <= 1000);
        assert_int_equal(provider.count(TABLE_PLAIN), count);
        assert_int_equal(provider.sum_of_ids(TABLE_PLAIN), sum);
        assert_int_equal(provider.ops->look(sink, &ledger, NULL), WEIR_OK);
        assert_int_equal(ledger.rows[0].rows, piece[0] + piece[1]);
    }
    provider.ops->close(sink);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_tag_commit_is_success),
        TEST(a_batch_that_streamed_through_a_commit_goes_in),
        TEST(upserts_do_not_overtake_those_of_an_older_batch),
        TEST(a_rolled_back_batch_lets_its_row_locks_go),
        TEST(copies_of_every_length_are_exact),
    };
    dsn.text = weir_str_from(test_pg_open("postgres_rules"));
    provider = postgres_provider((struct weir_options){ &dsn, 1 });
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    test_pg_close();
    return failed;
}
