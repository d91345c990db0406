/* reference.h: the reference of settings, types, operators and functions, made from the tables that
 * the compiler itself works by. */
#ifndef WEIR_SQL_REFERENCE_H
#define WEIR_SQL_REFERENCE_H

#include "sql/plan.h"

/* Appends docs/REFERENCE.md: settings, the options of every connector and format of the registry,
 * metadata columns, types, casts, operators and functions. */
void weir_reference_markdown(const struct weir_registry *registry, struct weir_buf *ret);

#endif
