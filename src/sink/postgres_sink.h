/* postgres_sink.h: rows and ledger in one PostgreSQL database, exactly once.
 *
 * One object is one database. See sink.h for the calls, docs/POSTGRES.md for what it makes there
 * and the privileges it needs. */
#ifndef WEIR_SINK_POSTGRES_SINK_H
#define WEIR_SINK_POSTGRES_SINK_H

#include "sink/sink.h"

extern const struct weir_sink_ops weir_postgres_sink_ops;

#endif
