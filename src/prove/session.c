/* session.c: a plain SQL session on libpq, the only file of this folder that knows it.
 *
 * Rows come one at a time (single-row mode): a table of any size is read in little memory. */
#include "prove/session.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { COLUMNS_MAX = 16 };

struct prove_session {
    PGconn *connection;
};

/* libpq's message on one line. */
static int fail(struct weir_error *err, int code, const char *what, const char *message)
{
    char line[512];
    size_t len = 0;

    for (const char *at = message; *at != '\0' && len + 1 < sizeof(line); at++) {
        line[len++] = *at == '\n' || *at == '\t' ? ' ' : *at;
    }
    while (len > 0 && line[len - 1] == ' ') {
        len--;
    }
    line[len] = '\0';
    return weir_error_set(err, code, "%s: %s", what, line);
}

static int fail_connect(PGconn *connection, struct weir_error *err)
{
    const char *message = PQerrorMessage(connection);
    bool is_refusal = PQconnectionNeedsPassword(connection) != 0 ||
                      strstr(message, "authentication failed") != NULL;

    return fail(err, is_refusal ? WEIR_EAUTH : WEIR_EAWAY, "cannot connect to the database",
                message);
}

int prove_session_open(const char *dsn, const char *application_name, struct prove_session **ret,
                       struct weir_error *err)
{
    /* dbname first: an expanded connection string; what follows it wins over what it says. */
    const char *const names[] = { "connect_timeout", "dbname", "application_name", NULL };
    const char *const values[] = { "5", dsn, application_name, NULL };
    struct prove_session *session = calloc(1, sizeof(*session));
    int rc = WEIR_OK;

    if (session == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a session");
    }
    session->connection = PQconnectdbParams(names, values, 1);
    if (PQstatus(session->connection) != CONNECTION_OK) {
        rc = fail_connect(session->connection, err);
        prove_session_close(session);
        return rc;
    }
    *ret = session;
    return WEIR_OK;
}

void prove_session_close(struct prove_session *session)
{
    if (session != NULL) {
        PQfinish(session->connection);
        free(session);
    }
}

bool prove_session_demands_tls(const char *dsn)
{
    PQconninfoOption *options = PQconninfoParse(dsn, NULL);
    bool ret = false;

    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
         option++) {
        if (strcmp(option->keyword, "sslmode") == 0 && option->val != NULL) {
            ret = strcmp(option->val, "require") == 0 || strncmp(option->val, "verify-", 7) == 0;
        }
    }
    PQconninfoFree(options);
    return ret;
}

const char *prove_session_host(const struct prove_session *session)
{
    return PQhost(session->connection);
}

const char *prove_session_port(const struct prove_session *session)
{
    return PQport(session->connection);
}

/* keyword='value', as libpq reads it. */
static void append_pair(struct weir_buf *ret, const char *keyword, const char *value)
{
    weir_buf_printf(ret, "%s='", keyword);
    for (const char *at = value; *at != '\0'; at++) {
        if (*at == '\'' || *at == '\\') {
            weir_buf_put_u8(ret, '\\');
        }
        weir_buf_put_u8(ret, (uint8_t)*at);
    }
    weir_buf_append_text(ret, "' ");
}

/* What a rerouted string says by itself. */
static bool is_replaced(const char *keyword, bool is_local)
{
    static const char *const replaced[] = {
        "host",     "hostaddr",         "port",
        "service",  "application_name", "fallback_application_name",
        "password", "connect_timeout"
    };
    static const char *const for_local[] = { "sslmode", "gssencmode", "requirepeer" };

    for (size_t i = 0; i < sizeof(replaced) / sizeof(replaced[0]); i++) {
        if (strcmp(keyword, replaced[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; is_local && i < sizeof(for_local) / sizeof(for_local[0]); i++) {
        if (strcmp(keyword, for_local[i]) == 0) {
            return true;
        }
    }
    return false;
}

int prove_session_reroute(const struct prove_session *session, uint16_t port, char *ret,
                          size_t ret_bytes, struct weir_error *err)
{
    PQconninfoOption *options = PQconninfo(session->connection);
    const char *host = PQhost(session->connection);
    const char *password = PQpass(session->connection);
    bool is_local = host[0] == '/'; /* a socket, on which there is no encryption */
    struct weir_buf text = { 0 };

    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
         option++) {
        if (option->val != NULL && option->val[0] != '\0' &&
            !is_replaced(option->keyword, is_local)) {
            append_pair(&text, option->keyword, option->val);
        }
    }
    PQconninfoFree(options);
    append_pair(&text, "host",
                is_local ? "127.0.0.1" : host); /* certificates are held against it */
    if (is_local) {
        append_pair(&text, "sslmode", "disable");
        append_pair(&text, "gssencmode", "disable");
    }
    if (password != NULL && password[0] != '\0') {
        append_pair(&text, "password",
                    password); /* the file that it came from knows no such port */
    }
    weir_buf_printf(&text, "hostaddr='127.0.0.1' port='%u' connect_timeout='2'", port);
    weir_buf_put_u8(&text, 0);
    bool fits = options != NULL && !text.failed && text.len <= ret_bytes;
    if (fits) {
        memcpy(ret, text.data, text.len);
    }
    weir_buf_fini(&text);
    return fits ? WEIR_OK
                : weir_error_set(err, WEIR_ECONFIG,
                                 "the connection string is too long to be changed");
}

static void hand_out(const PGresult *result, prove_row_fn *each, void *context)
{
    const char *values[COLUMNS_MAX] = { NULL };
    int columns = PQnfields(result) < COLUMNS_MAX ? PQnfields(result) : COLUMNS_MAX;

    for (int row = 0; row < PQntuples(result) && each != NULL; row++) {
        for (int c = 0; c < columns; c++) {
            values[c] = PQgetisnull(result, row, c) != 0 ? NULL : PQgetvalue(result, row, c);
        }
        each(context, values);
    }
}

/* Whether an error is the end of the session: libpq made it up, or the server said good-bye. */
static bool is_lost(const PGconn *connection, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    return severity == NULL || strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0 ||
           PQstatus(connection) != CONNECTION_OK;
}

int prove_session_run(struct prove_session *session, const char *sql, prove_row_fn *each,
                      void *context, struct weir_error *err)
{
    PGconn *connection = session->connection;
    PGresult *result;
    int rc = WEIR_OK;

    if (PQstatus(connection) != CONNECTION_OK) {
        PQreset(connection);
        if (PQstatus(connection) != CONNECTION_OK) {
            return fail_connect(connection, err);
        }
    }
    if (PQsendQuery(connection, sql) == 0) {
        return fail(err, WEIR_EAWAY, "the database went away", PQerrorMessage(connection));
    }
    if (each != NULL) {
        (void)PQsetSingleRowMode(connection); /* fails only at the wrong moment */
    }
    while ((result = PQgetResult(connection)) != NULL) {
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_FATAL_ERROR && rc == WEIR_OK) {
            bool lost = is_lost(connection, result);
            rc = fail(err, lost ? WEIR_EAWAY : WEIR_EREFUSED,
                      lost ? "the database went away" : "the database says",
                      PQresultErrorMessage(result));
        } else if (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK) {
            hand_out(result, each, context);
        }
        PQclear(result);
    }
    return rc;
}

struct number {
    int64_t value;
    bool is_there;
};

static void take_number(void *context, const char *const *values)
{
    struct number *number = context;

    if (!number->is_there && values[0] != NULL) {
        number->value = strtoll(values[0], NULL, 10);
        number->is_there = true;
    }
}

int prove_session_number(struct prove_session *session, const char *sql, int64_t absent,
                         int64_t *ret, struct weir_error *err)
{
    struct number number = { 0 };
    int rc = prove_session_run(session, sql, take_number, &number, err);

    if (rc == WEIR_OK) {
        *ret = number.is_there ? number.value : absent;
    }
    return rc;
}
