/* report.h: errors that look like a compiler's, and the places they point at. */
#ifndef WEIR_SQL_REPORT_H
#define WEIR_SQL_REPORT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "weir/error.h"

/* What every step of compiling one file needs. */
struct weir_sql {
    const char *file; /* name for messages */
    struct weir_str text;
    struct weir_arena *arena; /* where everything that stays is put */
    struct weir_error *err;   /* may be NULL */
};

/* Line and column (both from 1, columns in characters) of a byte of text. */
void weir_sql_locate(struct weir_str text, uint32_t at, uint32_t *ret_line, uint32_t *ret_column);

/* Fills the error with "file:line:column: error: ...", the line, a caret under the place, and
 * "hint: ..." (hint NULL: none). Returns WEIR_ECONFIG. */
int weir_sql_fail(const struct weir_sql *sql, uint32_t at, const char *hint, const char *fmt, ...)
    WEIR_PRINTF(4, 5);

/* The same without a place: a setting that is missing, or one given on the command line. */
int weir_sql_fail_file(const struct weir_sql *sql, const char *hint, const char *fmt, ...)
    WEIR_PRINTF(3, 4);

int weir_sql_no_memory(const struct weir_sql *sql);

/* Formats into the arena; NULL without memory. */
const char *weir_sql_format(const struct weir_sql *sql, const char *fmt, ...) WEIR_PRINTF(2, 3);

#endif
