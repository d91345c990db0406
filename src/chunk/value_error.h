/* value_error.h: why one value could not be read or computed, in PostgreSQL's words.
 *
 * The functions on single values (scalar_text.h, decimal.h, datetime.h, ...) return WEIR_OK;
 * WEIR_EDATA with this filled in, when PostgreSQL would raise an error; or WEIR_ENOMEM. Only a
 * failure fills it, and only success writes the result. */
#ifndef WEIR_CHUNK_VALUE_ERROR_H
#define WEIR_CHUNK_VALUE_ERROR_H

#include "weir/error.h"

enum { WEIR_VALUE_ERROR_TEXT_BYTES = 250 };

struct weir_value_error {
    char sqlstate[6];                       /* "22P02" */
    char text[WEIR_VALUE_ERROR_TEXT_BYTES]; /* message, and detail behind ": "; long ones are cut */
};

/* Fills *verr (NULL is allowed) and returns WEIR_EDATA. */
int weir_value_error_set(struct weir_value_error *verr, const char *sqlstate, const char *fmt, ...)
    WEIR_PRINTF(3, 4);

/* Fills *verr with PostgreSQL's "out of memory" and returns WEIR_ENOMEM. */
int weir_value_error_memory(struct weir_value_error *verr);

#endif
