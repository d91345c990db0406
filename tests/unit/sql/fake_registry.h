/* fake_registry.h: small connectors that do nothing but have options, for tests of the compiler. */
#ifndef WEIR_TESTS_FAKE_REGISTRY_H
#define WEIR_TESTS_FAKE_REGISTRY_H

#include "sql/plan.h"

/* Sources: stream (can be read again), socket (cannot). Formats: json, raw, csv. Sinks: store
 * (holds a ledger), printer (does not), stream (a name that is a source too). */
extern const struct weir_registry fake_registry;

/* Three lines that declare a pipeline "p", a source s and a target t in a store. */
#define FAKE_PRELUDE                                                                 \
    "SET pipeline.name = 'p';\n"                                                     \
    "CREATE TABLE s (a integer, b text, c numeric(5,2), e boolean, ts timestamptz) " \
    "WITH (connector = 'stream', topic = 'x');\n"                                    \
    "CREATE TABLE t (x integer, y text) WITH (connector = 'store', dsn = 'db');\n"

#endif
