/* small_pipeline.h: a whole pipeline in memory, driven turn by turn: for tests of txn and engine.
 *
 * One source "numbers" on a memory topic whose records are decimal numbers; one table out(id
 * bigint) (with a key, if asked for) in a memory database, or in each of two; log, clock and
 * randomness on a simulated disk. Each engine booted on it is a process of its own. */
#ifndef WEIR_TESTS_SMALL_PIPELINE_H
#define WEIR_TESTS_SMALL_PIPELINE_H

#include "engine/engine.h"
#include "sink/memory_sink.h"
#include "source/memory_source.h"
#include "tests/support/sim_io.h"

struct small_pipeline {
    struct sim_disk *disk;
    struct weir_memory_topic *topic;
    struct weir_memory_database *database;
    struct weir_memory_database *second; /* with two_sinks */
    struct weir_plan plan;
    int64_t sent;   /* numbers 0 .. sent - 1 are in the topic */
    int digits_min; /* of a number in a record */
};

struct small_options {
    uint64_t seed;
    uint32_t source_partitions; /* 0 means 2 */
    uint32_t output_partitions; /* 0 means 1 */
    uint32_t batch_rows;        /* 0 means 10 */
    uint32_t in_flight;         /* batches: 3, or 2 (then a batch is 10 rows); 0 means 3 */
    enum weir_delivery delivery;
    enum weir_on_error on_error;
    bool with_key;
    bool start_latest;
    bool skip_lost; /* on_data_loss = 'skip' */
    bool two_sinks; /* every number goes to both */
};

/* Aborts the test without memory. */
void small_init(struct small_pipeline *small, const struct small_options *options);
void small_fini(struct small_pipeline *small);

/* Appends count more numbers, spread over the partitions of the topic. */
void small_send(struct small_pipeline *small, int64_t count);

/* A process: an engine with an io of its own, in data directory dir ("/a"). */
struct small_process {
    struct weir_io *io;
    weir_engine *engine;
};
void small_boot(struct small_pipeline *small, const char *dir, bool until_caught_up,
                struct small_process *ret);
/* Closes it in order. */
void small_close(struct small_process *process);
/* Runs a process in dir until it has caught up; fails the test when it does not. */
void small_finish(struct small_pipeline *small, const char *dir);
/* Takes turns until it is finished, fails, or has had as many; returns the code. */
int small_run(struct small_pipeline *small, struct small_process *process, int turns,
              struct weir_error *err);
/* The same; fails the test when a turn fails. */
void small_must_run(struct small_pipeline *small, struct small_process *process, int turns);
struct weir_status small_status(const struct small_process *process);

/* What the table holds (both together, with two sinks) against what was sent: every number
 * 0 .. sent - 1, each once. */
struct small_verdict {
    int64_t missing, doubled, invented;
};
struct small_verdict small_judge(const struct small_pipeline *small);
/* Asserts that nothing is missing, doubled or invented. */
void small_expect_exact(const struct small_pipeline *small);

#endif
