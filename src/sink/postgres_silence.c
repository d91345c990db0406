/* postgres_silence.c: what to think of a server that owes an answer.
 *
 * A link can be dead without anybody being told: a firewall forgot it, a forwarder in between hangs. TCP
 * notices only when nobody acknowledges its bytes. But an answer may also take long because there is
 * much to do, or because COMMIT waits for a standby. So after answer_timeout the server is asked, over
 * another connection, whether that backend is at work; only if it is not, or if nobody answers there
 * either, the link is given up, as if it had been cut.
 *
 * VS1  Who is at work is never given up: else a statement that takes longer would never get done.
 * VS2  Giving up is always safe: what became of the part is then read from the ledger (RESOLVE).
 * Checked by tests/contract/test_postgres_silence.c. */
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "sink/postgres_internal.h"

enum { GRACE_MS = 200 }; /* for an answer that is on the way */

int64_t weir_postgres_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool waits_for_server(const struct weir_postgres_part *part)
{
    switch (part->state) {
    case WEIR_POSTGRES_STARTING:
    case WEIR_POSTGRES_COPYING: /* since_ms moves on while the server takes what we have */
    case WEIR_POSTGRES_COPY_ENDING:
    case WEIR_POSTGRES_UPSERTING:
    case WEIR_POSTGRES_COMMITTING:
    case WEIR_POSTGRES_ROLLING_BACK:
        return true;
    default:
        return false;
    }
}

/* Whether something comes from the server, or the link ends: a backend that is found idle has answered
 * while we asked, and its answer is on the way. */
static bool is_heard(const PGconn *connection)
{
    struct pollfd fd = { .fd = PQsocket(connection), .events = POLLIN };

    return poll(&fd, 1, GRACE_MS) > 0;
}

/* VS1. Behind a pooler the number is not the backend's: then any backend of ours may be the one. What
 * waits for its client is at work for nobody. */
bool weir_postgres_is_at_work(struct weir_postgres_sink *sink, const PGconn *silent)
{
    int pid = PQbackendPID(silent);
    PGconn *connection = NULL;
    PGresult *result = NULL;
    struct weir_error ignored; /* no answer is an answer here */
    char sql[640];
    bool is_busy = false;
    int rc = weir_postgres_connect(sink, &connection, &ignored);

    if (rc == WEIR_OK) {
        (void)snprintf(sql, sizeof(sql),
                       "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity"
                       " WHERE pid <> pg_catalog.pg_backend_pid() AND state = 'active'"
                       " AND wait_event_type IS DISTINCT FROM 'Client' AND CASE WHEN EXISTS"
                       " (SELECT FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = %d"
                       " AND pg_catalog.starts_with(a.application_name, 'weir '))"
                       " THEN pid = %d ELSE application_name = '%s' END",
                       pid, pid, sink->application_name);
        rc = weir_postgres_run_briefly(sink, connection, sql, &result, &ignored);
    }
    if (rc == WEIR_OK) {
        is_busy = strcmp(PQgetvalue(result, 0, 0), "0") != 0;
    } else {
        sink->unreachable_ms = weir_postgres_now_ms();
    }
    PQclear(result);
    PQfinish(connection);
    return is_busy || is_heard(silent);
}

bool weir_postgres_is_silent(struct weir_postgres_sink *sink, struct weir_postgres_part *part,
                             struct weir_error *err)
{
    int64_t now = weir_postgres_now_ms();
    int64_t limit = sink->answer_timeout_ms;

    if (limit == 0 || !waits_for_server(part) || now - part->since_ms < limit) {
        return false;
    }
    /* Asking takes a while when nobody answers: once is enough for all parts. */
    bool is_reachable = sink->unreachable_ms == 0 || now - sink->unreachable_ms >= limit;
    if (is_reachable && weir_postgres_is_at_work(sink, part->connection)) {
        part->since_ms = weir_postgres_now_ms();
        return false;
    }
    (void)weir_error_set(err, WEIR_EAWAY,
                         "%s has not answered for %lld ms and is not at work for us: the link is "
                         "taken for dead",
                         sink->target, (long long)(now - part->since_ms));
    return true;
}
