/* faulty_world.h: a txn of its own between a sink and a disk in memory, each call of which can be made
 * to fail, and a driver in the place of the engine.
 *
 * The source is the numbers 0, 1, 2, ...: a batch takes the next two, and each becomes a dead letter of
 * its own, so that what the sink holds can be told record by record without any format or table. */
#ifndef WEIR_TESTS_FAULTY_WORLD_H
#define WEIR_TESTS_FAULTY_WORLD_H

#include "sink/memory_sink.h"
#include "tests/support/sim_io.h"
#include "txn/txn.h"

enum { FAULTY_RECORDS_MAX = 64, FAULTY_SINKS_MAX = 2 };

/* What fails: the n-th such thing after it is armed, once. */
enum faulty_kind {
    FAULTY_NOTHING,
    FAULTY_MEMORY,    /* an allocation of wal/, src/txn or src/base: NULL */
    FAULTY_DISK,      /* a call of the disk: WEIR_EIO */
    FAULTY_SINK_AWAY, /* a call of the sink: WEIR_EAWAY */
    FAULTY_SINK_DEAD, /* a call of the sink: WEIR_ECONFIG, which no waiting mends */
    FAULTY_KINDS,
};

struct faulty_world {
    struct sim_disk *disk;
    struct weir_memory_database *databases[FAULTY_SINKS_MAX];
    enum weir_txn_mode mode;
    uint32_t sinks, partitions;
    int64_t records; /* how many the source has ... */
    int64_t lost;    /* ... and the first so many of them it has no more */
    const char *pipeline;
    struct weir_str definition;
    int64_t retry_limit_us;
    int log_fd; /* what the disk says to sleep on; -1: it has nothing (every second seed) */
    /* Called before each turn of a life; NULL: nothing happens. */
    void (*between)(struct faulty_world *world, int turn);
    enum faulty_kind kind;
    uint64_t skip;
    bool is_armed, has_failed;
    struct weir_txn_status status; /* of the last life, at its end */
};

void faulty_init(struct faulty_world *world, uint64_t seed, uint32_t sinks, uint32_t partitions);
void faulty_fini(struct faulty_world *world);

/* Lets skip things of a kind pass in the next life, and fails the one behind them. */
void faulty_arm(struct faulty_world *world, enum faulty_kind kind, uint64_t skip);
/* Nothing fails any more. Whether something did. */
bool faulty_disarm(struct faulty_world *world);

/* One life in dir: it ends, with WEIR_OK, when all records are in, or after so many turns; or with what
 * its txn said. is_killed: its end is a kill -9. */
int faulty_live(struct faulty_world *world, const char *dir, int turns, bool is_killed,
                struct weir_error *err);

/* Asserts that each record is in the sink once (at_least_once: or more often; at_most_once: at most
 * once). */
void faulty_expect(const struct faulty_world *world);

#endif
