/* postgres_error.c: what the server's words mean for a part, and for the pipeline.
 *
 * Q1  No text that leaves here holds the password, whoever put it in.
 * Checked by tests/contract/test_sink_contract.c and tests/contract/test_postgres_sink.c. */
#include <stdlib.h>

#include "sink/postgres_internal.h"

/* One row a class: the first that SQLSTATE begins with decides. */
static const struct sqlstate_class {
    const char *prefix;
    enum weir_sink_outcome outcome;
    int code;
} classes[] = {
    { WEIR_SQLSTATE_REFUSED, WEIR_SINK_REFUSED, WEIR_EREFUSED },
    { WEIR_SQLSTATE_TAKEN, WEIR_SINK_REFUSED, WEIR_EFENCED },
    { WEIR_SQLSTATE_UNEVEN, WEIR_SINK_REFUSED, WEIR_ECONFLICT },
    { "08", WEIR_SINK_LOST, WEIR_EAWAY },           /* connection */
    { "57P", WEIR_SINK_LOST, WEIR_EAWAY },          /* shutdown, crash, terminated, starting up */
    { "25006", WEIR_SINK_LOST, WEIR_EAWAY },        /* read only: a standby by now */
    { "25P03", WEIR_SINK_LOST, WEIR_EAWAY },        /* idle in transaction for too long */
    { "40", WEIR_SINK_ROLLED_BACK, WEIR_EAWAY },    /* serialisation, deadlock */
    { "53", WEIR_SINK_ROLLED_BACK, WEIR_EAWAY },    /* disk, memory, connections */
    { "55P03", WEIR_SINK_ROLLED_BACK, WEIR_EAWAY }, /* lock timeout */
    { "55006", WEIR_SINK_ROLLED_BACK, WEIR_EAWAY }, /* object in use */
    { "57014", WEIR_SINK_ROLLED_BACK, WEIR_EAWAY }, /* cancelled, statement timeout */
    { "58", WEIR_SINK_ROLLED_BACK, WEIR_EAWAY },    /* the server's own I/O */
    { "22", WEIR_SINK_ROW_REFUSED, WEIR_EDATA },    /* data */
    { "23", WEIR_SINK_ROW_REFUSED, WEIR_EDATA },    /* constraint */
    { "44", WEIR_SINK_ROW_REFUSED, WEIR_EDATA },    /* check option */
    { "P0", WEIR_SINK_ROW_REFUSED, WEIR_EDATA },    /* RAISE in a trigger */
    { "54000", WEIR_SINK_ROW_REFUSED, WEIR_EDATA }, /* index row too large */
    { "28", WEIR_SINK_BROKEN, WEIR_EAUTH },         /* authentication */
    { "42", WEIR_SINK_BROKEN, WEIR_ESCHEMA },       /* names, types, privileges */
    { "3F", WEIR_SINK_BROKEN, WEIR_ESCHEMA },       /* no such schema */
    { "", WEIR_SINK_BROKEN, WEIR_ESCHEMA },
};

static const struct sqlstate_class *class_of(const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    bool fatal =
        severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
    size_t i = 0;

    /* libpq makes results without SQLSTATE for connections that broke; and what is fatal took the
     * connection with it, whatever else it says. */
    if (sqlstate == NULL || fatal) {
        sqlstate = "08006";
    }
    while (strncmp(sqlstate, classes[i].prefix, strlen(classes[i].prefix)) != 0) {
        i++;
    }
    return &classes[i];
}

enum weir_sink_outcome weir_postgres_outcome(const PGresult *result)
{
    return class_of(result)->outcome;
}

bool weir_postgres_is(const PGresult *result, const char *sqlstate)
{
    const char *have = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return have != NULL && strcmp(have, sqlstate) == 0;
}

static const char *password_of(const struct weir_postgres_sink *sink)
{
    for (const PQconninfoOption *option = sink->conninfo; option != NULL && option->keyword != NULL;
         option++) {
        if (strcmp(option->keyword, "password") == 0) {
            return option->val;
        }
    }
    return NULL;
}

/* Copies text as one line, the password (Q1) and control characters replaced. */
static void clean(const struct weir_postgres_sink *sink, const char *text, char *ret,
                  size_t ret_bytes)
{
    const char *password = password_of(sink);
    size_t secret_bytes = password == NULL ? 0 : strlen(password);
    size_t at = 0;

    while (*text != '\0' && at + 4 < ret_bytes) {
        if (secret_bytes != 0 && strncmp(text, password, secret_bytes) == 0) {
            memcpy(ret + at, "***", 3);
            at += 3;
            text += secret_bytes;
        } else {
            ret[at++] = (unsigned char)*text < ' ' ? ' ' : *text;
            text++;
        }
    }
    while (at != 0 && ret[at - 1] == ' ') {
        at--;
    }
    ret[at] = '\0';
}

int weir_postgres_result_error(const struct weir_postgres_sink *sink, const PGresult *result,
                               struct weir_error *err)
{
    const struct sqlstate_class *class = class_of(result);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    char text[WEIR_ERROR_TEXT_BYTES / 2];
    char more[WEIR_ERROR_TEXT_BYTES / 4] = "";

    clean(sink, message == NULL ? PQresultErrorMessage(result) : message, text, sizeof(text));
    if (detail != NULL) {
        clean(sink, detail, more, sizeof(more));
    }
    return weir_error_set(err, class->code, "%s%s%s%s (SQLSTATE %s, %s)", text,
                          detail == NULL ? "" : " (", more, detail == NULL ? "" : ")",
                          sqlstate == NULL ? "08006" : sqlstate, sink->target);
}

int weir_postgres_connection_error(const struct weir_postgres_sink *sink, const PGconn *connection,
                                   struct weir_error *err)
{
    /* libpq tells a refusal at connect time in words only; these are the server's, in English. */
    static const char *const refusals[] = {
        "authentication failed",
        "no password supplied",
        "no pg_hba.conf entry",
        "does not exist",
        "permission denied",
        /* TLS: a server that is not the one that was meant; waiting would not mend it. */
        "certificate verify failed",
        "does not match host name",
        "server does not support SSL",
    };
    const char *said = PQerrorMessage(connection);
    char text[WEIR_ERROR_TEXT_BYTES / 2];
    int code = WEIR_EAWAY;

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (strstr(said, refusals[i]) != NULL) {
            code = WEIR_EAUTH;
        }
    }
    clean(sink, said, text, sizeof(text));
    return weir_error_set(err, code, "%s: %s", sink->target,
                          text[0] == '\0' ? "connection lost" : text);
}
