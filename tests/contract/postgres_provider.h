/* postgres_provider.h: the PostgreSQL sink as a subject of the contract. test_pg_open() comes first. */
#ifndef WEIR_TESTS_POSTGRES_PROVIDER_H
#define WEIR_TESTS_POSTGRES_PROVIDER_H

#include "tests/contract/sink_contract.h"

/* The tables of the contract and a fresh ledger on every reset. options: dsn and others. */
struct sink_provider postgres_provider(struct weir_options options);

#endif
