/* sim.h: what the files of the simulator share.
 *
 * A seed is a whole history: it draws a configuration (which faults there are, how often, limits
 * small enough to matter), then turns of a world in which instances of one pipeline run the very
 * engine, log and protocol on a simulated disk, clock, source and database.
 *
 *   sim.c       the command line
 *   runner.c    many seeds on several processes; what a seed came to
 *   shrink.c    the shortest list of faults of a failing seed
 *   variants.c  known-bad variants: each must be caught
 *   world.c     one seed: instances, turns, the end
 *   config.c    what a seed draws first
 *   faults.c    what goes wrong in a turn
 *   server.c    what the database does with COMMITs and calls
 *   exhaustive.c  histories that are told, all of them
 *   oracle.c    checks of every transaction against the source's own list
 *   stops.c     which stops of a pipeline are as they should be
 *   plan.c      the pipeline itself
 *   memory.c    where all of it allocates
 *   bells.c     what would wake a process that sleeps
 *
 * F1  Whether a fault strikes depends on seed, turn, kind and the how-many-th question of the turn
 *     alone, so a fault that is left out moves no other.
 * Threads: one. */
#ifndef WEIR_TESTS_SIM_SIM_H
#define WEIR_TESTS_SIM_SIM_H

#include <stdio.h>

#include "engine/engine.h"
#include "sink/memory_database.h"
#include "source/memory_source.h"
#include "tests/support/sim_io.h"

enum {
    SIM_SINKS_MAX = 2,
    SIM_INSTANCES_MAX = 3,
    SIM_SOURCE_PARTITIONS_MAX = 4,
    SIM_OUTPUT_PARTITIONS_MAX = 3,
    SIM_KEYS = 3, /* of a table with a key */
    SIM_EVENTS_MAX = 512,
    SIM_RATE_ALWAYS = 10000, /* rates are per so many */
};

/* Name, the turn asks for it. Names are what --only takes. */
#define SIM_FAULT_TABLE(X) \
    X(kill)                \
    X(power_cut)           \
    X(start_other)         \
    X(stop)                \
    X(freeze)              \
    X(thaw)                \
    X(lost_before)         \
    X(lost_after)          \
    X(late)                \
    X(late_locked)         \
    X(deadlock)            \
    X(call_away)           \
    X(call_at_work)        \
    X(linger)              \
    X(late_aborts)         \
    X(go_back)             \
    X(source_away)         \
    X(gap)                 \
    X(add_partition)       \
    X(bad_record)          \
    X(regrow)              \
    X(clock_step)          \
    X(write_fails)         \
    X(sync_fails)          \
    X(no_space)            \
    X(hold_writes)         \
    X(dir_lost)            \
    X(dir_cloned)          \
    X(image_taken)         \
    X(image_put_back)      \
    X(repartition)         \
    X(link_cut)            \
    X(promote)

enum sim_fault {
#define SIM_FAULT_ENUM(name) SIM_FAULT_##name,
    SIM_FAULT_TABLE(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULTS
};
const char *sim_fault_name(enum sim_fault fault);

/* A fault that struck. */
struct sim_event {
    uint32_t turn;
    enum sim_fault fault;
};

/* What a seed came to. */
struct sim_outcome {
    bool crashed;
    uint64_t hash;       /* of everything that was noted */
    char violation[512]; /* empty: none */
    struct sim_event events[SIM_EVENTS_MAX];
    size_t event_count;
    uint32_t struck[SIM_FAULTS]; /* how often */
};

struct sim_config {
    enum weir_delivery mode;
    uint32_t source_partitions, output_partitions, sinks, instances;
    uint32_t batch_rows;
    bool keyed;
    enum weir_on_error on_error;
    uint32_t turns, records;
    size_t segment_bytes, retain_bytes;
    uint32_t rates[SIM_FAULTS]; /* of SIM_RATE_ALWAYS; 0: off */
    bool keeps_running;         /* at the end, who runs goes on instead of being killed */
};

enum sim_instance_state { SIM_DOWN, SIM_UP, SIM_FROZEN, SIM_FENCED, SIM_STOPPED };

struct sim_instance {
    enum sim_instance_state state;
    char dir[8], image[16];
    bool has_image;
    struct weir_io *io;
    weir_engine *engine;
    bool is_stopping, is_idle;
    bool ever_started;
    uint64_t boot;         /* the how-many-th of the world */
    struct weir_plan plan; /* as it read its file: a shallow copy of the world's */
    uint8_t owner[SIM_SINKS_MAX][WEIR_UUID_BYTES]; /* as last taken */
    uint64_t generation[SIM_SINKS_MAX];            /* largest taken by this process */
};

/* One record of the source's own list. */
struct sim_record {
    int64_t offset, id;
    int64_t was_id; /* of the record that stood here before the source was cut; -1: none */
    bool is_bad;
};

struct sim_partition {
    struct sim_record *records;
    size_t count, max;
};

/* What the oracle knows of one row of a ledger. */
struct sim_row {
    uint64_t batch, generation;
    int64_t t;
    struct weir_digest plan;
    uint8_t owner[WEIR_UUID_BYTES];
    int64_t from[SIM_SOURCE_PARTITIONS_MAX], ends[SIM_SOURCE_PARTITIONS_MAX];
};

struct sim_step {
    uint32_t count; /* rows of the ledger there are */
    struct sim_row rows[SIM_OUTPUT_PARTITIONS_MAX];
    uint8_t uuid[WEIR_UUID_BYTES];
    uint64_t doubled, missing; /* rows, so far */
};

/* A part that was tried, by its key. */
struct sim_try {
    uint64_t batch;
    int64_t t;
    uint32_t p;
    uint64_t boots[SIM_INSTANCES_MAX]; /* of each instance, when it tried it last; 0: never */
    struct weir_digest plan, output;
    bool had_rows, is_open;
};

/* One database, and the history of its ledger as the oracle has it: steps[i] is behind transaction
 * i. */
struct sim_sink {
    struct sim_world *world;
    uint32_t number;
    struct weir_memory_database *database;
    struct sim_step *steps;
    size_t step_count, step_max;
    uint64_t apart_max; /* so many batches its rows may be apart now */
    struct sim_try *tries;
    size_t try_count, try_max;
};

/* A history that is not drawn but told (exhaustive.c): one instance, three batches, and one or two
 * things that go wrong, each at the n-th call of its kind. Calls are operations of the disk and
 * commands to the database. 0: none. */
struct sim_script {
    enum weir_delivery mode;
    uint32_t partitions;  /* of source and output */
    uint64_t crash_at[2]; /* calls of the first life, of the second */
    bool is_power_cut;
    uint64_t commit_nth; /* meets with commit_fault */
    enum weir_memory_fault commit_fault;
    bool late_aborts;  /* what the server is at work on when its client is gone */
    uint64_t fail_nth; /* of fail_op, with fail_errno */
    enum sim_op fail_op;
    int fail_errno;
    uint64_t memory_nth;
    /* How it went. */
    uint64_t calls[3]; /* of each life: a life ends with a crash */
    uint64_t commits, memory_calls;
    uint32_t life;
    bool has_failed; /* the disk, as it was told to */
    bool is_dead;    /* who crashed, until its turn is over */
};

struct sim_world {
    uint64_t seed;
    struct sim_script *script; /* NULL: drawn from the seed */
    struct sim_config config;
    struct weir_plan plan;
    struct sim_disk *disk;
    struct weir_memory_topic *topic;
    struct sim_sink sinks[SIM_SINKS_MAX];
    struct sim_instance instances[SIM_INSTANCES_MAX];
    struct sim_instance *current; /* whose turn it is; NULL: nobody's */
    uint64_t boots;
    struct sim_partition partitions[SIM_SOURCE_PARTITIONS_MAX];
    uint32_t partition_count;
    int64_t sent;

    uint32_t turn;
    bool is_calm;               /* the end: no more faults */
    uint32_t asked[SIM_FAULTS]; /* in this turn */
    uint32_t draws;             /* of the schedule, in this turn */

    /* What happened, by which stops are judged. */
    uint32_t dirs_used; /* bit i: instance i has been started */
    bool log_lost, went_back, disk_failed, power_was_cut, source_changed, clock_stepped, killed;
    bool repartitioned, memory_failed;
    bool is_holding; /* the disk's writes, in this turn */

    /* --only: the faults that may strike; NULL: all. */
    const struct sim_event *only;
    size_t only_count;
    bool is_traced;
    struct sim_outcome *outcome; /* filled while it goes on: a world may end in an assertion */
};

/* --- world.c --- */
/* Plays a seed; the world keeps its verdict. */
void sim_world_run(struct sim_world *world);
/* Takes note: of the trace that is printed, and of its hash. */
void sim_note(struct sim_world *world, const char *what, uint64_t a, uint64_t b, uint64_t c);
static inline bool sim_has_failed(const struct sim_world *world)
{
    return world->outcome->violation[0] != '\0';
}
/* The first one counts. */
void sim_violation(struct sim_world *world, const char *fmt, ...) WEIR_PRINTF(2, 3);
bool sim_boot(struct sim_world *world, struct sim_instance *instance);
void sim_kill(struct sim_world *world, struct sim_instance *instance);
/* It is up, and everything that it read is in. */
bool sim_is_caught_up(const struct sim_instance *instance);
void sim_take_turn(struct sim_world *world, struct sim_instance *instance);
uint64_t sim_draw(struct sim_world *world, uint64_t limit); /* of the schedule: 0 .. limit - 1 */
void sim_send(struct sim_world *world, uint32_t partition, bool bad);

void sim_begin_turn(struct sim_world *world);
bool sim_nothing_is_late(const struct sim_world *world);

/* --- exhaustive.c --- */
/* Plays all there are, in so many processes; prints a table. Returns how many failed. */
uint64_t sim_exhaustive_run(uint32_t jobs, FILE *report);
void sim_script_config(const struct sim_script *script, struct sim_config *ret);
void sim_script_play(struct sim_world *world);
/* A call is about to be made; who makes it may be dead after it. */
void sim_script_call(struct sim_world *world);
/* Whether this COMMIT meets with something. */
bool sim_script_commit(struct sim_world *world, enum weir_memory_fault *ret);

/* --- config.c --- */
void sim_config_draw(uint64_t seed, struct sim_config *ret);
uint64_t sim_mix(uint64_t a, uint64_t b);

/* --- plan.c --- */
void sim_plan_make(struct sim_world *world);

/* --- faults.c --- */
/* The same of a fault that is on. */
bool sim_strikes_when_on(struct sim_world *world, enum sim_fault fault);
/* Whether a fault strikes now. */
static inline bool sim_strikes(struct sim_world *world, enum sim_fault fault)
{
    return world->config.rates[fault] != 0 && sim_strikes_when_on(world, fault);
}
/* A detail of the fault that was asked for last. */
uint64_t sim_fault_draw(struct sim_world *world, enum sim_fault fault, uint64_t limit);
void sim_faults_turn(struct sim_world *world);

/* --- server.c --- */
void sim_server_attach(struct sim_world *world, struct sim_sink *sink);
/* Lets transactions of dead clients come to their end; all: until none is left. */
void sim_server_settle(struct sim_world *world, bool all);

/* --- oracle.c --- */
void sim_oracle_tried(struct sim_sink *sink, const struct weir_memory_transaction *transaction,
                      bool is_rolled_back);
void sim_oracle_got_in(struct sim_sink *sink, const struct weir_memory_transaction *transaction);
void sim_oracle_went_back(struct sim_sink *sink, uint32_t transactions);
const struct sim_step *sim_oracle_now(const struct sim_sink *sink);
/* Some database is at a batch of which another one had a different batch of that number: after a
 * restore two instances wrote one each. */
bool sim_oracle_diverged(const struct sim_world *world);
bool sim_oracle_complete(const struct sim_world *world);
void sim_oracle_final(struct sim_world *world);

/* --- stops.c --- */
/* Judges why a turn failed; a violation unless that is as it should be. Returns the state in which
 * the instance is left. */
enum sim_instance_state sim_judge_stop(struct sim_world *world, struct sim_instance *instance,
                                       int rc, const struct weir_error *err);
/* Logs can know less than the ledgers, or another story. */
bool sim_logs_may_differ(const struct sim_world *world);
void sim_stops_listen(struct sim_world *world);

/* --- runner.c --- */
/* In this process. */
void sim_play(uint64_t seed, const struct sim_event *only, size_t only_count, bool traced,
              struct sim_outcome *ret);
/* A history that is told. */
void sim_play_script(struct sim_script *script, struct sim_outcome *ret);
/* In a child, so that an assertion that fails is an outcome too. */
void sim_play_apart(uint64_t seed, const struct sim_event *only, size_t only_count,
                    struct sim_outcome *ret);
/* Seeds from to to on so many processes; the first failing ones are shrunk and told. Returns how many
 * failed. */
uint64_t sim_run_seeds(uint64_t from, uint64_t to, uint32_t jobs, FILE *report);
/* The seeds at the beginnings of the lines of a file; lines that begin with # tell about it. Returns
 * how many failed; a file that holds none counts as one. */
uint64_t sim_run_list(const char *path);
/* The first seed of the range that fails; false: none. */
bool sim_find_failure(uint64_t from, uint64_t to, uint32_t jobs, uint64_t *ret_seed,
                      struct sim_outcome *ret);

/* --- shrink.c --- */
void sim_shrink(uint64_t seed, struct sim_outcome *outcome);
void sim_print_failure(uint64_t seed, const struct sim_outcome *outcome);

/* --- variants.c --- */
bool sim_variant_choose(const char *name);
/* Each variant must be caught; prints the table. Returns how many were not. */
uint32_t sim_variants_run(uint32_t jobs, FILE *report);
const char *sim_variant_name(void);

#endif
