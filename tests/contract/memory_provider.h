/* memory_provider.h: the memory sink as a subject of the contract. */
#ifndef WEIR_TESTS_MEMORY_PROVIDER_H
#define WEIR_TESTS_MEMORY_PROVIDER_H

#include "sink/memory_sink.h"
#include "tests/contract/sink_contract.h"

/* The tables of the contract and a fresh ledger on every reset. */
struct sink_provider memory_provider(void);
/* What the sinks write to since the last reset. */
struct weir_memory_database *memory_provider_database(void);
void memory_provider_close(void);

#endif
