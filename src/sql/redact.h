/* redact.h: keeps secrets out of everything that people see. Internal to src/sql. */
#ifndef WEIR_SQL_REDACT_H
#define WEIR_SQL_REDACT_H

#include "base/buf.h"
#include "base/option.h"

/* Appends text with passwords starred: behind "password=" and its like, and in URLs
 * (user:password@host). With keep_columns each character becomes one star, so that a caret below
 * the text stays where it belongs. */
void redact_text(struct weir_str text, bool keep_columns, struct weir_buf *ret);

/* Appends an option's value as it may be shown: "***" for a secret one, by its row of the table or
 * by its name ("kafka.sasl.password"). def may be NULL. */
void redact_option(const struct weir_option_def *def, struct weir_str name, struct weir_str text,
                   struct weir_buf *ret);

#endif
