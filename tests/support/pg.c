/* pg.c: see pg.h. Uses libpq directly, so that what a sink wrote is read by somebody else. */
#include "tests/support/pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static PGconn *server;
static PGconn *session;
static char database[64];
static char dsn[1024];

static _Noreturn void give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static PGconn *connect_to(const char *conninfo)
{
    PGconn *ret = PQconnectdb(conninfo);

    if (PQstatus(ret) != CONNECTION_OK) {
        give_up("WEIR_TEST_PG_DSN", PQerrorMessage(ret));
    }
    return ret;
}

static void run_on(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        give_up(sql, PQerrorMessage(connection));
    }
    PQclear(result);
}

/* The server's string with another database: as key=value pairs the last one wins. */
static void make_dsn(const char *server_dsn)
{
    PQconninfoOption *options = PQconninfoParse(server_dsn, NULL);
    size_t at = 0;

    if (options == NULL) {
        give_up("WEIR_TEST_PG_DSN", "not a connection string");
    }
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val != NULL && strcmp(option->keyword, "dbname") != 0 && at < sizeof(dsn)) {
            at += (size_t)snprintf(dsn + at, sizeof(dsn) - at, "%s='%s' ", option->keyword,
                                   option->val);
        }
    }
    if (at < sizeof(dsn)) {
        (void)snprintf(dsn + at, sizeof(dsn) - at, "dbname='%s'", database);
    }
    PQconninfoFree(options);
}

const char *test_pg_open(const char *name)
{
    const char *server_dsn = getenv("WEIR_TEST_PG_DSN");
    char sql[128];

    if (server_dsn == NULL) {
        give_up("WEIR_TEST_PG_DSN", "is not set; ./dev test starts a server and sets it");
    }
    server = connect_to(server_dsn);
    (void)snprintf(database, sizeof(database), "weir_%s_%ld", name, (long)getpid());
    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s", database);
    run_on(server, sql);
    make_dsn(server_dsn);
    session = connect_to(dsn);
    run_on(session, "SET client_min_messages = error");
    return dsn;
}

void test_pg_close(void)
{
    char sql[128];

    PQfinish(session);
    (void)snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", database);
    run_on(server, sql);
    PQfinish(server);
}

const char *test_pg_dsn(void)
{
    return dsn;
}

PGconn *test_pg_session(void)
{
    return connect_to(dsn);
}

void test_pg_run(const char *sql)
{
    run_on(session, sql);
}

int64_t test_pg_number(const char *sql)
{
    PGresult *result = PQexec(session, sql);
    int64_t ret;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1) {
        give_up(sql, PQerrorMessage(session));
    }
    ret = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return ret;
}
