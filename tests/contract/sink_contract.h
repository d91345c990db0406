/* sink_contract.h: what a kind of sink provides so that the contract can be run on it, and the small
 * helpers that tests of sinks share. */
#ifndef WEIR_TESTS_SINK_CONTRACT_H
#define WEIR_TESTS_SINK_CONTRACT_H

#include "sink/sink.h"
#include "tests/support/rows.h"
#include "tests/support/test.h"

/* Every sink under test has the tables plain (id bigint, note text) and keyed (the same, PRIMARY KEY
 * (id)), empty at the start of a test, and refuses rows whose id is 13 in plain. */
enum { TABLE_PLAIN, TABLE_KEYED, TABLE_COUNT };

struct sink_provider {
    const char *name;
    const struct weir_sink_ops *ops;
    /* Options for open(), valid for the whole run. */
    struct weir_options options;
    void (*reset)(void); /* empty tables, no ledger */
    uint64_t (*count)(int table);
    int64_t (*sum_of_ids)(int table);
    uint64_t (*dead_letters)(void);
};

struct sink_fixture {
    const struct sink_provider *provider;
    struct test_rows rows;
    struct weir_sink_args args;
};

void sink_fixture_init(struct sink_fixture *fixture, const struct sink_provider *provider);
void sink_fixture_fini(struct sink_fixture *fixture);

/* Opens a sink and claims the ledger for an instance with that owner byte. */
void *sink_start(struct sink_fixture *fixture, uint8_t owner, struct weir_ledger *ret);
/* Waits for the next event; fails the test after ten seconds. */
struct weir_sink_event sink_next_event(struct sink_fixture *fixture, void *sink);
/* The step from batch n - 1 to n, as test plans are made. */
struct weir_ledger_step sink_step(uint64_t n);
/* begin, write of one chunk to partition p of a table, for all other calls the test itself. */
void sink_write(struct sink_fixture *fixture, void *sink, uint64_t n, uint32_t p, uint32_t table,
                enum weir_on_error on_error, const struct weir_chunk *chunk);
/* The same with count rows of ids from 100 on, in as many chunks as it takes. */
void sink_write_many(struct sink_fixture *fixture, void *sink, uint64_t n, uint32_t table,
                     uint32_t count);
/* Lets the sink work for so many times 20 ms, expecting no event. */
void sink_let_work(struct sink_fixture *fixture, void *sink, int rounds);
/* finish and commit of every partition, events awaited: each must be `want`. Then release when it
 * was COMMITTED. */
void sink_complete(struct sink_fixture *fixture, void *sink, uint64_t n,
                   enum weir_sink_outcome want);

/* Runs all contract tests on a provider; the number that failed. */
int sink_contract_run(const struct sink_provider *provider);

#endif
