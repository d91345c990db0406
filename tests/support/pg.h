/* pg.h: a database of its own for a test program, on the server that WEIR_TEST_PG_DSN names. */
#ifndef WEIR_TESTS_PG_H
#define WEIR_TESTS_PG_H

#include <libpq-fe.h>
#include <stdint.h>

/* Makes an empty database, named after the program and its process, and connects to it. Returns its
 * connection string. Ends the program when there is no server. */
const char *test_pg_open(const char *name);
/* Drops it. */
void test_pg_close(void);
/* The connection string of the database. */
const char *test_pg_dsn(void);
/* Another session; the caller finishes it. */
PGconn *test_pg_session(void);
/* Runs statements, on the test's own session; fails the program when they do. */
void test_pg_run(const char *sql);
/* The one number that a query gives; 0 for NULL. */
int64_t test_pg_number(const char *sql);

#endif
