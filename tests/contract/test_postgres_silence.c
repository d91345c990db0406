/* test_postgres_silence.c: the PostgreSQL sink over a link on which bytes get lost without a word: what
 * it gives up, what it waits for, and that nothing is lost or doubled either way.
 *
 * Uses     the proxy of `weir prove`, between the sink and the real server. */
#include <stdio.h>

#include "prove/moment.h"
#include "prove/proxy.h"
#include "sink/postgres_sink.h"
#include "tests/contract/postgres_provider.h"
#include "tests/support/pg.h"

enum { ROWS = 10, OPTION_COUNT = 2 };

static struct sink_provider provider;
static struct weir_option options[OPTION_COUNT] = {
    { .name = { "dsn", 3 } },
    { .name = { "answer_timeout", 14 }, .text = { "300 ms", 6 } },
};
static struct prove_proxy *proxy;

static int set_up(void **state)
{
    static struct sink_fixture fixture;

    sink_fixture_init(&fixture, &provider);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    const struct prove_weather calm = { .kind = PROVE_CALM };

    prove_proxy_set(proxy, &calm);
    sink_fixture_fini(*state);
    return 0;
}

static void set(enum prove_weather_kind kind)
{
    const struct prove_weather weather = { .kind = kind };

    prove_proxy_set(proxy, &weather);
}

/* A batch whose rows are in the server, and whose commit is allowed when it returns. The weather comes
 * before the commit, or before the rows. */
static void write_batch(struct sink_fixture *fixture, void *sink, enum prove_weather_kind at_rows,
                        enum prove_weather_kind at_commit)
{
    struct weir_ledger_step step = sink_step(1);
    struct weir_sink_tally tally;

    set(at_rows);
    assert_int_equal(provider.ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 1000, ROWS));
    assert_int_equal(provider.ops->finish(sink, 1, &tally, NULL), WEIR_OK);
    if (at_commit != at_rows) {
        sink_let_work(fixture, sink, 5);
        set(at_commit);
    }
    assert_int_equal(provider.ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
}

/* The part is given up, in about the time of answer_timeout, though the link is open. */
static void expect_loss(struct sink_fixture *fixture, void *sink)
{
    double began_at = prove_now();
    struct weir_sink_event event = sink_next_event(fixture, sink);

    assert_int_equal(event.outcome, WEIR_SINK_LOST);
    assert_non_null(strstr(event.err.text, "has not answered for"));
    assert_true(prove_now() - began_at < 4);
}

static uint64_t batch_in(void *sink)
{
    struct weir_ledger ledger;

    assert_int_equal(provider.ops->look(sink, &ledger, NULL), WEIR_OK);
    return ledger.rows[0].batch;
}

static void expect_commit_of_retry(struct sink_fixture *fixture, void *sink)
{
    assert_int_equal(provider.ops->resend(sink, 1, 0, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(provider.count(TABLE_PLAIN), ROWS);
}

/* covers: N-05, G-05 */
static void a_commit_that_got_lost_is_sent_again(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    write_batch(fixture, sink, PROVE_CALM, PROVE_NO_REQUESTS);
    expect_loss(fixture, sink);
    set(PROVE_CALM);
    assert_int_equal(batch_in(sink), 0);
    expect_commit_of_retry(fixture, sink);
    provider.ops->close(sink);
}

/* covers: N-04, G-04 */
static void a_commit_whose_answer_got_lost_is_found_in_the_ledger(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    write_batch(fixture, sink, PROVE_CALM, PROVE_NO_REPLIES);
    expect_loss(fixture, sink);
    set(PROVE_CALM);
    assert_int_equal(batch_in(sink), 1);
    assert_int_equal(provider.count(TABLE_PLAIN), ROWS);
    provider.ops->close(sink);
}

/* covers: N-03 */
static void a_black_hole_is_noticed_among_the_rows(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    write_batch(fixture, sink, PROVE_BLACK_HOLE, PROVE_BLACK_HOLE);
    /* Connecting gets no answer either: that has its own limit. */
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_LOST);
    set(PROVE_CALM);
    assert_int_equal(batch_in(sink), 0);
    expect_commit_of_retry(fixture, sink);
    provider.ops->close(sink);
}

/* covers: N-10, G-06 */
static void a_commit_that_comes_after_its_retry_changes_nothing(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    write_batch(fixture, sink, PROVE_CALM, PROVE_HOLD);
    expect_loss(fixture, sink);
    assert_int_equal(batch_in(sink), 0);
    expect_commit_of_retry(fixture, sink);
    set(PROVE_CALM); /* now it comes */
    prove_sleep(0.1);
    assert_int_equal(provider.count(TABLE_PLAIN), ROWS);
    assert_int_equal(batch_in(sink), 1);
    provider.ops->close(sink);
}

/* The same, and the retry comes to nothing: the old request alone must not commit behind our back. */
static void a_commit_that_comes_before_its_retry_is_seen(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    write_batch(fixture, sink, PROVE_CALM, PROVE_HOLD);
    expect_loss(fixture, sink);
    set(PROVE_CALM);
    for (double until = prove_now() + 5; batch_in(sink) == 0 && prove_now() < until;) {
        prove_sleep(0.01);
    }
    assert_int_equal(batch_in(sink), 1);
    assert_int_equal(provider.count(TABLE_PLAIN), ROWS);
    provider.ops->close(sink);
}

/* VS1 */
static void a_server_that_works_for_long_is_waited_for(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);
    double began_at = prove_now();

    test_pg_run("CREATE OR REPLACE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " PERFORM pg_sleep(1.2); RETURN NULL; END $$;"
                "CREATE TRIGGER dawdle AFTER INSERT ON plain EXECUTE FUNCTION dawdle()");
    write_batch(fixture, sink, PROVE_CALM, PROVE_CALM);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_true(prove_now() - began_at > 1.2);
    assert_int_equal(provider.count(TABLE_PLAIN), ROWS);
    provider.ops->close(sink);
}

/* covers: N-06, N-07 */
static void a_slow_link_is_waited_for(void **state)
{
    static const struct prove_weather slow[] = {
        { .kind = PROVE_DELAY, .delay_s = 0.02, .seed = 1 },
        { .kind = PROVE_TRICKLE, .write_bytes = 100, .bytes_per_s = 20000 },
    };
    struct sink_fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
        struct weir_ledger ledger;
        provider.reset();
        void *sink = sink_start(fixture, 1, &ledger);
        prove_proxy_set(proxy, &slow[i]);
        struct weir_ledger_step step = sink_step(1);
        struct weir_sink_tally tally;
        assert_int_equal(provider.ops->begin(sink, 1, NULL), WEIR_OK);
        sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
                   test_chunk(&fixture->rows, 1000, ROWS));
        assert_int_equal(provider.ops->finish(sink, 1, &tally, NULL), WEIR_OK);
        assert_int_equal(provider.ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
        assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
        provider.ops->close(sink);
        set(PROVE_CALM);
    }
}

/* The server's string, with the proxy's port; of a keyword given twice the last one counts. */
static void place_proxy(char *ret, size_t ret_bytes)
{
    PGconn *server = test_pg_session();
    struct weir_error err;
    uint16_t port = 0;

    if (prove_proxy_open(&proxy, &err) != WEIR_OK ||
        prove_proxy_add(proxy, PQhost(server), PQport(server), &port, &err) != WEIR_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
    }
    PQfinish(server);
    (void)snprintf(ret, ret_bytes, "%s hostaddr='127.0.0.1' port='%u' connect_timeout='2'",
                   test_pg_dsn(), port);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_commit_that_got_lost_is_sent_again),
        TEST(a_commit_whose_answer_got_lost_is_found_in_the_ledger),
        TEST(a_black_hole_is_noticed_among_the_rows),
        TEST(a_commit_that_comes_after_its_retry_changes_nothing),
        TEST(a_commit_that_comes_before_its_retry_is_seen),
        TEST(a_server_that_works_for_long_is_waited_for),
        TEST(a_slow_link_is_waited_for),
    };
    char dsn[1024];

    (void)test_pg_open("postgres_silence");
    place_proxy(dsn, sizeof(dsn));
    options[0].text = weir_str_from(dsn);
    provider = postgres_provider((struct weir_options){ options, OPTION_COUNT });
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    prove_proxy_close(proxy);
    test_pg_close();
    return failed;
}
