/* postgres_connection.c: connections to the server, and statements that are waited for.
 *
 * Every wait has a limit: connect_timeout for connecting, STATEMENT_WAIT_MS for the statements of start
 * and recovery, and answer_timeout for those that the server is not at work on; TCP's own timeouts
 * below all. Nothing here is on the path of a
 * batch. No session state is relied on but what the connection string sets, as a pooler may hand
 * every transaction to another backend.
 * Checked by tests/contract/test_postgres_sink.c. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log_line.h"
#include "sink/postgres_internal.h"

/* What is set unless the dsn says otherwise. */
static const struct connection_default {
    const char *keyword, *value;
    bool forced;
} connection_defaults[] = {
    { "connect_timeout", "5", false },
    { "keepalives", "1", false },
    { "keepalives_idle", "10", false },
    { "keepalives_interval", "5", false },
    { "keepalives_count", "3", false },
    { "tcp_user_timeout", "30000", false },
    { "target_session_attrs", "read-write", false },
    { "client_encoding", "UTF8", true }, /* text in memory is UTF-8 */
};
enum {
    CONNECTION_DEFAULT_COUNT = sizeof(connection_defaults) / sizeof(connection_defaults[0]),
    CONNECTION_PARAMETERS_MAX = 80,
    STATEMENT_WAIT_MS = 60000, /* for one short statement of start or recovery */
    BRIEF_WAIT_MS = 5000,      /* for one that asks how another one does */
};

/* How long to wait for one connection. */
struct patience {
    int64_t began_ms, ask_ms, end_ms; /* ask_ms: when to ask whether the server is at work */
    bool asks;
};

int weir_postgres_parse_dsn(struct weir_postgres_sink *sink, struct weir_error *err)
{
    struct weir_str dsn =
        weir_options_get(weir_postgres_sink_options, sink->args.options, "dsn").text;
    const char *host = "", *port = "5432", *dbname = "";
    char *text = weir_arena_copy(&sink->scratch, dsn);
    char *said = NULL;

    if (text == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a connection string");
    }
    sink->conninfo = PQconninfoParse(text, &said);
    PQfreemem(said); /* it can quote the password */
    if (sink->conninfo == NULL) {
        return weir_error_set(err, WEIR_ECONFIG,
                              "option dsn is not a connection string of PostgreSQL; write "
                              "'postgresql://user@host:5432/database' or 'host=... dbname=...'");
    }
    for (const PQconninfoOption *option = sink->conninfo; option->keyword != NULL; option++) {
        if (option->val == NULL || option->val[0] == '\0') {
            continue;
        }
        if (strcmp(option->keyword, "sslkey") == 0 && strchr(option->val, ':') != NULL) {
            return weir_error_set(
                err, WEIR_ECONFIG,
                "option dsn: an sslkey with a colon names an engine of OpenSSL, and that "
                "would load code into weir: give the path of a file without one");
        }
        if (strcmp(option->keyword, "host") == 0 ||
            (strcmp(option->keyword, "hostaddr") == 0 && host[0] == '\0')) {
            host = option->val;
        } else if (strcmp(option->keyword, "port") == 0) {
            port = option->val;
        } else if (strcmp(option->keyword, "dbname") == 0) {
            dbname = option->val;
        }
    }
    (void)snprintf(sink->target, sizeof(sink->target), "PostgreSQL at %s:%s/%s",
                   host[0] == '\0' ? "localhost" : host, port, dbname);
    (void)snprintf(sink->application_name, sizeof(sink->application_name), "weir %s",
                   sink->args.pipeline);
    return WEIR_OK;
}

/* Two digits a byte, and a zero behind them. */
static void print_hex(const uint8_t *bytes, size_t count, char *ret)
{
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
    }
}

void weir_postgres_name_application(struct weir_postgres_sink *sink)
{
    enum { OWNER_BYTES = WEIR_UUID_BYTES / 2 }; /* of the token: all that there is room for */
    char uuid[2 * WEIR_UUID_BYTES + 1];
    char owner[2 * OWNER_BYTES + 1];

    print_hex(sink->uuid, WEIR_UUID_BYTES, uuid);
    print_hex(sink->owner, OWNER_BYTES, owner);
    (void)snprintf(sink->application_name, sizeof(sink->application_name), "weir %s %s", uuid,
                   owner);
}

/* Warnings at a commit mean that it is not replicated as it should be; the rest is small talk. */
static void hear_notice(void *context, const PGresult *notice)
{
    const struct weir_postgres_sink *sink = context;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

    if (severity != NULL && message != NULL && strcmp(severity, "WARNING") == 0) {
        weir_log(WEIR_LOG_WARN, "sink_warning", "%s: %s", sink->target, message);
    }
}

int weir_postgres_connect(const struct weir_postgres_sink *sink, PGconn **ret,
                          struct weir_error *err)
{
    const char *keywords[CONNECTION_PARAMETERS_MAX];
    const char *values[CONNECTION_PARAMETERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < CONNECTION_DEFAULT_COUNT; i++) {
        keywords[count] = connection_defaults[i].keyword;
        values[count++] = connection_defaults[i].value;
    }
    /* Of a keyword given twice libpq takes the later value. */
    for (const PQconninfoOption *option = sink->conninfo; option->keyword != NULL; option++) {
        bool forced = strcmp(option->keyword, "client_encoding") == 0 ||
                      strcmp(option->keyword, "application_name") == 0;
        if (option->val != NULL && !forced) {
            weir_assert(count + 2 < CONNECTION_PARAMETERS_MAX);
            keywords[count] = option->keyword;
            values[count++] = option->val;
        }
    }
    keywords[count] = "application_name";
    values[count++] = sink->application_name;
    keywords[count] = NULL;
    values[count] = NULL;

    PGconn *connection = PQconnectdbParams(keywords, values, 0);
    if (connection == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a connection");
    }
    if (PQstatus(connection) != CONNECTION_OK || PQsetnonblocking(connection, 1) != 0) {
        int rc = weir_postgres_connection_error(sink, connection, err);
        PQfinish(connection);
        return rc;
    }
    (void)PQsetNoticeReceiver(connection, hear_notice, (void *)(uintptr_t)sink);
    *ret = connection;
    return WEIR_OK;
}

int weir_postgres_server(struct weir_postgres_sink *sink, PGconn *connection,
                         char ret[WEIR_POSTGRES_SERVER_BYTES], struct weir_error *err)
{
    PGresult *result = NULL;
    int rc = weir_postgres_run(sink, connection,
                               "SELECT pg_catalog.pg_postmaster_start_time()::pg_catalog.text"
                               " || ' ' || oid FROM pg_catalog.pg_database"
                               " WHERE datname = pg_catalog.current_database()",
                               &result, NULL, err);

    if (rc == WEIR_OK && PQntuples(result) != 1) {
        rc = weir_error_set(err, WEIR_EAWAY, "%s does not know its own name", sink->target);
    }
    if (rc == WEIR_OK) {
        (void)snprintf(ret, WEIR_POSTGRES_SERVER_BYTES, "%s", PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return rc;
}

int weir_postgres_control(struct weir_postgres_sink *sink, PGconn **ret, struct weir_error *err)
{
    int rc = WEIR_OK;

    if (sink->control != NULL && (PQstatus(sink->control) != CONNECTION_OK ||
                                  PQtransactionStatus(sink->control) != PQTRANS_IDLE)) {
        PQfinish(sink->control);
        sink->control = NULL;
    }
    if (sink->control == NULL) {
        rc = weir_postgres_connect(sink, &sink->control, err);
        if (rc == WEIR_OK) {
            rc = weir_postgres_server(sink, sink->control, sink->control_server, err);
        }
    }
    if (rc == WEIR_OK) {
        *ret = sink->control;
    } else {
        PQfinish(sink->control); /* nobody knows where it leads */
        sink->control = NULL;
    }
    return rc;
}

static struct patience begin_waiting(const struct weir_postgres_sink *sink, bool is_brief)
{
    int64_t now = weir_postgres_now_ms();
    struct patience ret = { .began_ms = now,
                            .end_ms = now + (is_brief ? BRIEF_WAIT_MS : STATEMENT_WAIT_MS) };

    ret.asks = !is_brief && sink->answer_timeout_ms != 0;
    ret.ask_ms = ret.asks ? now + sink->answer_timeout_ms : ret.end_ms;
    return ret;
}

/* Waits until the socket can be read (or written). */
static int wait_socket(struct weir_postgres_sink *sink, PGconn *connection, short events,
                       struct patience *patience, struct weir_error *err)
{
    struct pollfd fd = { .fd = PQsocket(connection), .events = events };
    int64_t now = weir_postgres_now_ms();
    int64_t until = patience->ask_ms < patience->end_ms ? patience->ask_ms : patience->end_ms;
    int ready = until <= now ? 0 : poll(&fd, 1, (int)(until - now));

    if (ready < 0 && errno != EINTR) {
        return weir_error_set_errno(err, WEIR_EAWAY, errno, "%s: poll", sink->target);
    }
    if (ready != 0) {
        return WEIR_OK;
    }
    now = weir_postgres_now_ms();
    if (now < patience->end_ms && patience->asks && weir_postgres_is_at_work(sink, connection)) {
        patience->ask_ms = weir_postgres_now_ms() + sink->answer_timeout_ms;
        return WEIR_OK;
    }
    return weir_error_set(err, WEIR_EAWAY, "%s has not answered for %lld ms", sink->target,
                          (long long)(now - patience->began_ms));
}

static int flush(struct weir_postgres_sink *sink, PGconn *connection, bool is_brief,
                 struct weir_error *err)
{
    struct patience patience = begin_waiting(sink, is_brief);
    int rc = WEIR_OK;
    int more;

    while (rc == WEIR_OK && (more = PQflush(connection)) != 0) {
        if (more < 0 || PQconsumeInput(connection) == 0) {
            return weir_postgres_connection_error(sink, connection, err);
        }
        rc = wait_socket(sink, connection, POLLIN | POLLOUT, &patience, err);
    }
    return rc;
}

int weir_postgres_flush(struct weir_postgres_sink *sink, PGconn *connection, struct weir_error *err)
{
    return flush(sink, connection, false, err);
}

/* Takes the answers: the last into *ret_last, the first error into *ret_failed. */
static int take_answers(struct weir_postgres_sink *sink, PGconn *connection, bool is_brief,
                        PGresult **ret_last, PGresult **ret_failed, struct weir_error *err)
{
    struct patience patience = begin_waiting(sink, is_brief);
    int rc = flush(sink, connection, is_brief, err);

    while (rc == WEIR_OK) {
        if (PQisBusy(connection)) {
            rc = wait_socket(sink, connection, POLLIN, &patience, err);
            if (rc == WEIR_OK && PQconsumeInput(connection) == 0) {
                rc = weir_postgres_connection_error(sink, connection, err);
            }
            continue;
        }
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            break;
        }
        ExecStatusType status = PQresultStatus(result);
        if ((status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) && *ret_failed == NULL) {
            *ret_failed = result;
            continue;
        }
        PQclear(*ret_last);
        *ret_last = result;
        if (status == PGRES_COPY_IN) {
            break; /* the caller sends rows now */
        }
    }
    return rc;
}

static int wait_for(struct weir_postgres_sink *sink, PGconn *connection, bool is_brief,
                    PGresult **ret, PGresult **ret_failed, struct weir_error *err)
{
    PGresult *last = NULL, *failed = NULL;
    int rc = take_answers(sink, connection, is_brief, &last, &failed, err);

    if (rc == WEIR_OK && failed != NULL) {
        rc = weir_postgres_result_error(sink, failed, err);
    }
    if (rc == WEIR_OK && ret != NULL) {
        *ret = last;
        last = NULL;
    }
    if (ret_failed != NULL) {
        *ret_failed = failed;
        failed = NULL;
    }
    PQclear(last);
    PQclear(failed);
    return rc;
}

int weir_postgres_wait(struct weir_postgres_sink *sink, PGconn *connection, PGresult **ret,
                       PGresult **ret_failed, struct weir_error *err)
{
    return wait_for(sink, connection, false, ret, ret_failed, err);
}

int weir_postgres_run(struct weir_postgres_sink *sink, PGconn *connection, const char *sql,
                      PGresult **ret, PGresult **ret_failed, struct weir_error *err)
{
    if (ret_failed != NULL) {
        *ret_failed = NULL;
    }
    if (PQsendQuery(connection, sql) == 0) {
        return weir_postgres_connection_error(sink, connection, err);
    }
    return wait_for(sink, connection, false, ret, ret_failed, err);
}

int weir_postgres_run_briefly(struct weir_postgres_sink *sink, PGconn *connection, const char *sql,
                              PGresult **ret, struct weir_error *err)
{
    if (PQsendQuery(connection, sql) == 0) {
        return weir_postgres_connection_error(sink, connection, err);
    }
    return wait_for(sink, connection, true, ret, NULL, err);
}

int weir_postgres_terminate(struct weir_postgres_sink *sink, PGconn *connection, const char *which,
                            struct weir_error *err)
{
    /* Not pg_terminate_backend(pid, timeout): it looks again only every 100 ms, and most backends
     * whose client is dead are gone after one or two. */
    const char *what = "pg_catalog.pg_terminate_backend(pid)";
    int64_t deadline = weir_postgres_now_ms() + WEIR_POSTGRES_TERMINATE_WAIT_MS;
    unsigned pause_us = 500;
    bool gone = false;
    char sql[512];
    int rc = WEIR_OK;

    while (rc == WEIR_OK && !gone && weir_postgres_now_ms() < deadline) {
        PGresult *result = NULL;

        (void)snprintf(sql, sizeof(sql),
                       "SELECT pg_catalog.count(%s) FROM pg_catalog.pg_stat_activity"
                       " WHERE pid <> pg_catalog.pg_backend_pid() AND usename = current_user"
                       " AND datname = pg_catalog.current_database() AND %s",
                       what, which);
        rc = weir_postgres_run(sink, connection, sql, &result, NULL, err);
        gone = rc == WEIR_OK && strcmp(PQgetvalue(result, 0, 0), "0") == 0;
        PQclear(result);
        if (!gone) {
            (void)usleep(pause_us); /* woken early, it looks early */
            pause_us = pause_us < 50000 ? pause_us * 2 : pause_us;
        }
        what = "pid"; /* once told is enough */
    }
    return rc;
}
