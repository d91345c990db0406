/* engine_internal.h: what the files of src/engine share.
 *
 *   engine.c     life, the turn, sleeping
 *   inputs.c     sources: partitions, positions, seeking
 *   gather.c     one batch from its sources into the txn
 *   transform.c  one chunk through the operators of each INSERT
 *   outputs.c    sinks as the plan declares them */
#ifndef WEIR_ENGINE_ENGINE_INTERNAL_H
#define WEIR_ENGINE_ENGINE_INTERNAL_H

#include <stdatomic.h>

#include "engine/engine.h"
#include "op/op.h"
#include "txn/txn.h"

enum { WEIR_INSERT_OPERATORS_MAX = 2 }; /* filter, project */

/* How sources show that they are away. The smaller one's words are told when there are several. */
enum weir_away {
    WEIR_AWAY_DISCOVER = 1 << 0, /* they do not tell their partitions */
    WEIR_AWAY_BEGIN = 1 << 1,    /* they do not tell where a batch begins */
    WEIR_AWAY_TROUBLE = 1 << 2,  /* they complain by themselves */
};

/* One source table at work. */
struct weir_input {
    const struct weir_plan_source *plan;
    uint32_t number; /* in the plan */
    void *source;
    void *decoder;
    struct weir_source_partitions partitions;
    struct weir_position *from; /* where the open or next batch begins, per partition */
    struct weir_position *at;   /* behind what was taken since */
    struct weir_position *now;  /* where the source is */
    uint32_t from_count;        /* partitions that have a position */
    bool must_seal;             /* the next range begins behind a loss (IN3) */
    bool is_read_out;           /* REBUILD: this source's ranges are complete */
};

/* One INSERT at work. */
struct weir_transform {
    const struct weir_plan_insert *plan;
    uint32_t sink, sink_table; /* where its rows go */
    const struct weir_operator_ops *ops[WEIR_INSERT_OPERATORS_MAX];
    void *selves[WEIR_INSERT_OPERATORS_MAX];
    uint32_t op_count;
};

/* The batch being gathered. */
struct weir_gather {
    enum weir_work_kind kind;  /* WAIT: none */
    struct weir_ranges ranges; /* REBUILD: what it must be made of; in arena */
    struct weir_arena arena;
    int64_t t;
    struct weir_arena *records; /* the batch's own arena */
    uint64_t rows;              /* source records so far */
    size_t bytes;
    uint64_t first_us; /* monotonic time of its first record */
    bool must_close;   /* a source left something out, see weir_inputs_note() */
};

struct weir_engine {
    struct weir_engine_args args;
    const struct weir_plan *plan;
    struct weir_input *inputs;         /* plan->source_count */
    struct weir_transform *transforms; /* plan->insert_count */
    struct weir_txn_sink sinks[WEIR_TXN_SINKS_MAX];
    weir_txn *txn;
    struct weir_gather gather;
    struct weir_arena pipeline_arena; /* as long as the engine */
    struct weir_arena chunk_arena;    /* one chunk at a time */
    struct weir_arena inbox;          /* records read before the batch they open */
    uint64_t epoch;                   /* of the txn, as last followed */
    bool must_seek;
    bool is_reading; /* the last turn asked the sources for records */
    bool is_discovered;
    uint64_t discover_at_us; /* when to ask for partitions again */
    uint64_t begin_at_us;    /* when to ask again where a batch begins */
    uint32_t away;           /* enum weir_away */
    uint64_t away_since_us;  /* monotonic: since when away is not 0 */
    atomic_bool stop_requested;
    bool is_finished;
    bool is_caught_up;
    uint64_t rows_read, rows_skipped;
    uint64_t published_batch;
    uint64_t publish_at_us;
    char trouble[256];
};

/* --- engine.c --- */
/* A source is away: WEIR_OK while that may be waited out, else err's code, final. What was asked is
 * asked again at *ret_at_us (NULL: it comes by itself). */
int weir_engine_wait_out(struct weir_engine *engine, enum weir_away how, uint64_t *ret_at_us,
                         struct weir_error *err);
/* It is not away, or no longer so. */
void weir_engine_wait_over(struct weir_engine *engine, enum weir_away how);

/* --- inputs.c --- */
int weir_inputs_open(struct weir_engine *engine, struct weir_error *err);
void weir_inputs_close(struct weir_engine *engine);
/* Learns the partitions of every source; WEIR_EAWAY. New ones make must_seek true. */
int weir_inputs_discover(struct weir_engine *engine, struct weir_error *err);
/* The start positions of all partitions as empty ranges in arena. */
int weir_inputs_starts(struct weir_engine *engine, struct weir_arena *arena,
                       struct weir_ranges *ret, struct weir_error *err);
/* Makes every source read on from where ranges end (FRESH) or exactly ranges (REBUILD). */
int weir_inputs_seek(struct weir_engine *engine, const struct weir_work *work,
                     struct weir_error *err);
/* From where the batch began to where its sources are now, in arena. */
int weir_inputs_ranges(struct weir_engine *engine, struct weir_arena *arena,
                       struct weir_ranges *ret, struct weir_error *err);
/* After a poll or a seek: takes note of where the source is; skipped: on_data_loss = 'skip' moved it.
 * True: the batch must be closed, and one without records is opened for it (IN3). */
bool weir_inputs_note(struct weir_input *input, bool skipped);
/* The batch is closed: the next one begins where the sources are now. */
void weir_inputs_advance(struct weir_engine *engine);
void weir_inputs_publish(struct weir_engine *engine);
/* "orders/flights/3": a partition for people; the context is the engine. */
struct weir_str weir_inputs_describe(void *context, uint32_t source, uint32_t partition);

/* --- transform.c --- */
int weir_transforms_open(struct weir_engine *engine, struct weir_error *err);
void weir_transforms_close(struct weir_engine *engine);
/* Sends one decoded chunk of a source through every INSERT that reads it. */
int weir_transforms_run(struct weir_engine *engine, const struct weir_input *input,
                        const struct weir_chunk *chunk, struct weir_error *err);
/* What on_error says of a bad record: an error, a dead letter, or a count. */
int weir_bad_record(struct weir_engine *engine, const struct weir_input *input,
                    const struct weir_record *record, const struct weir_row_error *why,
                    struct weir_error *err);

/* --- gather.c --- */
/* Goes on with the open batch, or begins what the txn wants; *ret_progress: something came. */
int weir_gather_step(struct weir_engine *engine, bool *ret_progress, struct weir_error *err);
/* Forgets the open batch; the txn already has. */
void weir_gather_forget(struct weir_engine *engine);

/* --- outputs.c --- */
/* Batches in flight at a time. A server is busy with a large one while the other commits, and memory
 * holds both; of small ones there are more, so that it has work during each commit. */
uint32_t weir_outputs_in_flight(const struct weir_settings *settings);
int weir_outputs_open(struct weir_engine *engine, struct weir_error *err);
void weir_outputs_close(struct weir_engine *engine);
/* Fills the arguments of one sink of a plan; *ret_tables is allocated in arena. */
int weir_outputs_args(const struct weir_plan *plan, uint32_t sink, struct weir_arena *arena,
                      struct weir_sink_args *ret, struct weir_error *err);

#endif
