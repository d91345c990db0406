/* postgres_outcomes.c: the ends of COMMITs as a real server brings them about.
 *
 * A backend that has not begun with what it received is one that is stopped (SIGSTOP); one that has made
 * the step of the ledger and not committed is one that waits for weir.batch, which the step writes
 * last. Both are backends of the sink itself. A connection breaks by giving its descriptor to a socket
 * whose other end is closed: the server sees the end of the stream behind what was sent.
 * W1  The server is one of this machine, whose backends this process may stop. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/contract/commit_outcomes.h"
#include "tests/contract/postgres_provider.h"
#include "tests/support/pg.h"

enum { WAIT_MS = 10000, FDS_MAX = 8, DSN_BYTES_MAX = 1024 };

static struct weir_option options[] = { { .name = { "dsn", 3 } },
                                        { .name = { "lock_timeout", 12 } } };
static char dsn[DSN_BYTES_MAX], lingering_dsn[DSN_BYTES_MAX + 64];
static PGconn *locker;  /* holds what a step waits for */
static int64_t backend; /* of the part whose fate it is; 0: none */

/* ---- what the server is at ---- */

static void run_locker(const char *sql)
{
    PGresult *result = PQexec(locker, sql);

    assert_int_equal(PQresultStatus(result) == PGRES_COMMAND_OK ||
                         PQresultStatus(result) == PGRES_TUPLES_OK,
                     true);
    PQclear(result);
}

/* Waits until a query gives a number that is not 0. */
static void wait_until(const char *sql)
{
    for (int waited_ms = 0; test_pg_number(sql) == 0; waited_ms += 5) {
        assert_true(waited_ms < WAIT_MS);
        (void)usleep(5000);
    }
}

static void wait_until_backend(const char *is)
{
    char sql[256];

    (void)snprintf(sql, sizeof(sql), "SELECT %s FROM pg_stat_activity WHERE pid = %lld", is,
                   (long long)backend);
    wait_until(sql);
}

static void wait_for_its_end(void)
{
    wait_until_backend("(count(*) = 0)::int");
}

static void wait_for_lock(void)
{
    wait_until_backend("count(*) FILTER (WHERE wait_event_type = 'Lock')");
}

/* That of the sink whose transaction is open. */
static void find_backend(void)
{
    backend =
        test_pg_number("SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND "
                       "application_name LIKE 'weir %' AND datname = current_database()");
}

static void signal_backend(int signal)
{
    assert_int_equal(kill((pid_t)backend, signal), 0); /* W1 */
}

/* ---- connections ---- */

/* Breaks every connection that a sink waits on. */
static void cut(struct sink_fixture *fixture, void *sink)
{
    struct pollfd fds[FDS_MAX];
    uint32_t count = fixture->provider->ops->wait_fds(sink, fds, FDS_MAX);

    assert_true(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        int ends[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        assert_int_equal(close(ends[1]), 0);
        assert_true(dup2(ends[0], fds[i].fd) == fds[i].fd);
        assert_int_equal(close(ends[0]), 0);
    }
}

/* ---- fates ---- */

static void begin(void)
{
    locker = test_pg_session();
    backend = 0;
    /* What this role is given goes with the database. */
    test_pg_run(
        "DO $$ BEGIN EXECUTE format('GRANT ALL ON DATABASE %I TO pg_monitor',"
        " current_database()); END $$;"
        "GRANT ALL ON SCHEMA public TO pg_monitor; GRANT ALL ON plain, keyed TO pg_monitor");
}

static void end(void)
{
    PQfinish(locker);
    locker = NULL;
    if (backend != 0) {
        (void)kill((pid_t)backend, SIGCONT); /* it is gone unless something failed */
    }
}

/* Whoever acts as another role than it came as finds no session of its own to end. */
static void set_clients(bool linger, bool hurry)
{
    options[0].text = weir_str_from(linger ? lingering_dsn : dsn);
    options[1].text = hurry ? WEIR_STR("400 ms") : WEIR_STR("60 s");
}

static void prepare(struct sink_fixture *fixture, void *sink, enum fate fate)
{
    find_backend();
    switch (fate) {
    case FATE_NEVER_ARRIVES:
        cut(fixture, sink);
        break;
    case FATE_ANSWER_LOST:
    case FATE_LATE_LOCKED:
        run_locker("BEGIN; LOCK TABLE weir.batch IN EXCLUSIVE MODE");
        break;
    case FATE_LATE:
        signal_backend(SIGSTOP);
        break;
    case FATE_LOCK_TIMEOUT:
    case FATE_CANCELLED:
        run_locker("BEGIN; SELECT FROM weir.ledger FOR UPDATE");
        break;
    case FATE_BROKEN:
        run_locker("ALTER TABLE weir.batch RENAME TO elsewhere");
        break;
    case FATE_SOUND:
        break;
    }
}

static void follow(struct sink_fixture *fixture, void *sink, enum fate fate)
{
    char sql[64];

    switch (fate) {
    case FATE_ANSWER_LOST:
        sink_let_work(fixture, sink, 1);
        wait_for_lock();
        run_locker("COMMIT");
        wait_until("SELECT batch FROM weir.ledger");
        cut(fixture, sink);
        break;
    case FATE_LATE_LOCKED:
        sink_let_work(fixture, sink, 1);
        wait_for_lock();
        cut(fixture, sink);
        break;
    case FATE_LATE:
        sink_let_work(fixture, sink, 1);
        cut(fixture, sink);
        break;
    case FATE_CANCELLED:
        sink_let_work(fixture, sink, 1);
        wait_for_lock();
        (void)snprintf(sql, sizeof(sql), "SELECT pg_cancel_backend(%lld)", (long long)backend);
        test_pg_run(sql);
        break;
    case FATE_NEVER_ARRIVES:
    case FATE_LOCK_TIMEOUT:
    case FATE_BROKEN:
    case FATE_SOUND:
        break;
    }
}

static void clear(enum fate fate)
{
    if (fate == FATE_LOCK_TIMEOUT || fate == FATE_CANCELLED) {
        run_locker("COMMIT");
    } else if (fate == FATE_BROKEN) {
        run_locker("ALTER TABLE weir.elsewhere RENAME TO batch");
    } else if (fate == FATE_NEVER_ARRIVES) {
        wait_for_its_end();
    }
}

/* The starter's backend has its command, and is stopped before it looks at it. */
static void lose_claim(struct sink_fixture *fixture)
{
    static const char take[] =
        "BEGIN; SELECT weir.take((SELECT uuid FROM weir.pipeline), ARRAY[1]::bigint[],"
        " ARRAY['01000000-0000-0000-0000-000000000000']::uuid[], 2,"
        " '03000000-0000-0000-0000-000000000000'); COMMIT";
    PGconn *starter = test_pg_session();

    (void)fixture;
    backend = PQbackendPID(starter);
    signal_backend(SIGSTOP);
    assert_int_equal(PQsendQuery(starter, take), 1);
    assert_int_equal(PQflush(starter), 0);
    PQfinish(starter);
}

static void end_late(bool commits)
{
    char sql[128];

    if (!commits) {
        (void)snprintf(sql, sizeof(sql), "SELECT pg_terminate_backend(%lld)", (long long)backend);
        test_pg_run(sql);
    }
    (void)kill((pid_t)backend, SIGCONT); /* one that was ended is gone already */
    if (PQtransactionStatus(locker) == PQTRANS_INTRANS) {
        if (!commits) {
            wait_for_its_end();
        }
        run_locker("COMMIT");
    }
    wait_for_its_end();
}

const struct outcome_server *postgres_outcomes(void)
{
    static struct outcome_server server = { .begin = begin,
                                            .end = end,
                                            .set_clients = set_clients,
                                            .prepare = prepare,
                                            .follow = follow,
                                            .clear = clear,
                                            .lose_claim = lose_claim,
                                            .end_late = end_late };

    (void)snprintf(dsn, sizeof(dsn), "%s", test_pg_dsn());
    (void)snprintf(lingering_dsn, sizeof(lingering_dsn), "%s options='-c role=pg_monitor'", dsn);
    server.provider = postgres_provider((struct weir_options){ options, 2 });
    return &server;
}
