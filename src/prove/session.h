/* session.h: a plain SQL session, as anybody with psql has one. */
#ifndef WEIR_PROVE_SESSION_H
#define WEIR_PROVE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/error.h"

/* Used by one thread at a time. */
struct prove_session;

/* A row: column values as text, NULL for NULL; valid during the call. */
typedef void prove_row_fn(void *context, const char *const *values);

/* Connects as application_name; *ret is to be closed. Fails with WEIR_EAWAY or WEIR_EAUTH. */
int prove_session_open(const char *dsn, const char *application_name, struct prove_session **ret,
                       struct weir_error *err);
void prove_session_close(struct prove_session *session);

/* Whether a connection by this string is encrypted or fails. */
bool prove_session_demands_tls(const char *dsn);
/* Where it is connected to: a name, an address or the directory of a unix socket; and the port. */
const char *prove_session_host(const struct prove_session *session);
const char *prove_session_port(const struct prove_session *session);
/* A connection string for the same database that leads to a port of 127.0.0.1 instead; all else is as
 * this session has it, the password included. WEIR_ECONFIG when it does not fit. */
int prove_session_reroute(const struct prove_session *session, uint16_t port, char *ret,
                          size_t ret_bytes, struct weir_error *err);

/* Runs statements (with rows: just one) and hands each row to each(), which may be NULL. Connects
 * again first when the connection is lost. WEIR_EAWAY: it was lost, the same call may succeed later;
 * WEIR_EREFUSED: the server says no, err holds its words. */
int prove_session_run(struct prove_session *session, const char *sql, prove_row_fn *each,
                      void *context, struct weir_error *err);
/* The first column of the first row, or absent when there is none or it is NULL. */
int prove_session_number(struct prove_session *session, const char *sql, int64_t absent,
                         int64_t *ret, struct weir_error *err);

#endif
