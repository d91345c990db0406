/* txn.h: the commit protocol as the engine sees it.
 *
 * src/txn alone orders the durable steps of a batch: plan in the log, rows and ledger step in the
 * sinks' transactions, done. It also decides at each start, after each refusal and each
 * reconnect what log and ledgers mean together. docs/EXACTLY_ONCE.md tells the protocol and has a
 * row for every point at which a crash can fall.
 *
 * The engine calls weir_txn_step() again and again, asks weir_txn_next() what to do, and then
 * either gathers a new batch or rebuilds one that is named to it:
 *
 *     next -> begin -> (read, compute, write)... -> seal        step, step, step ...
 *
 * Threads: one thread. */
#ifndef WEIR_TXN_TXN_H
#define WEIR_TXN_TXN_H

#include "txn/frame.h"

#ifdef WEIR_SMALL_LIMITS /* the simulator's: it starts pipelines much of its time */
enum { WEIR_TXN_SINKS_MAX = 2 };
#else
enum { WEIR_TXN_SINKS_MAX = 8 };
#endif
enum { WEIR_TXN_IN_FLIGHT_MAX = 4 };
_Static_assert((int)WEIR_TXN_IN_FLIGHT_MAX <= (int)WEIR_SINK_SLOTS_MAX,
               "a batch in flight needs a slot");

enum weir_txn_mode { WEIR_TXN_EXACTLY_ONCE, WEIR_TXN_AT_LEAST_ONCE, WEIR_TXN_AT_MOST_ONCE };

struct weir_txn_sink {
    const char *name; /* for messages */
    const struct weir_sink_ops *ops;
    void *self; /* borrowed until weir_txn_close() */
};

struct weir_txn_args {
    struct weir_io *io; /* borrowed, like all that follows, until weir_txn_close() */
    const char *dir;    /* of the log */
    const char *pipeline;
    enum weir_txn_mode mode;
    struct weir_str definition;
    struct weir_digest fingerprint;
    uint32_t in_flight;  /* batches not known to be in at a time, 1 to WEIR_TXN_IN_FLIGHT_MAX */
    uint32_t partitions; /* P */
    bool partition_by_source; /* how rows find their p, see partition_map.h */
    const struct weir_txn_sink *sinks;
    uint32_t sink_count;
    uint64_t log_segment_bytes, log_retain_bytes, log_write_limit_us;
    int64_t retry_limit_us; /* give up after this long without a sink; 0: never */
};

typedef struct weir_txn weir_txn;

/* What the engine shall do next. */
enum weir_work_kind {
    WEIR_WORK_WAIT,    /* nothing now: the sinks are away, or enough is in flight */
    WEIR_WORK_START,   /* nobody knows where to begin: choose, then weir_txn_start() */
    WEIR_WORK_FRESH,   /* gather a new batch that begins at ranges[].end */
    WEIR_WORK_REBUILD, /* gather exactly ranges[] again, for the batch that is named */
};

struct weir_work {
    enum weir_work_kind kind;
    uint64_t epoch; /* a new one: forget the open batch, seek to where this work begins */
    uint64_t batch; /* number */
    int64_t t;      /* REBUILD: its batch time; FRESH: 0, begin() draws it */
    struct weir_ranges ranges; /* valid until the next call of next() or step() */
};

struct weir_txn_status {
    const char *phase;          /* "claiming", "recovering", "running" */
    uint64_t batch;             /* being gathered, or the last one closed */
    uint64_t sealed, committed; /* batch numbers; 0 until recovery has found them */
    int64_t t;                  /* of the last batch begun */
    uint64_t generation;
    uint64_t rows_committed; /* output rows, since open */
    uint64_t source_rows_committed;
    uint64_t batches_committed;
    uint64_t rows_dead, rows_skipped;
    /* at_most_once: found sealed at a start: source rows; a part of uncertain fate: its rows. */
    uint64_t batches_dropped, rows_dropped;
    uint64_t batches_repeated, rows_repeated; /* at_least_once: sent again, outcome unknown */
    uint64_t batches_rebuilt;
    uint64_t reconnects, clock_regressions;
    struct weir_wal_stat log;
    char trouble[256]; /* what is being waited for, or "" */
};

/* Opens and reads the log. Sinks are not touched yet.
 * Owns   the caller passes *ret to weir_txn_close().
 * Fails  as weir_wal_open(); WEIR_ECONFLICT "other_pipeline" for another pipeline's directory. */
int weir_txn_open(const struct weir_txn_args *args, weir_txn **ret, struct weir_error *err);
/* Rolls back what is open and frees everything. What was promised is durable already. */
void weir_txn_close(weir_txn *txn);

/* Goes as far as possible without blocking, but for connecting to a sink (seconds at most). What
 * can be waited out is absorbed (see status); any error is final for this txn. */
int weir_txn_step(weir_txn *txn, struct weir_error *err);

/* What to do now. WEIR_ECORRUPT and friends when a plan to be rebuilt cannot be read. */
int weir_txn_next(weir_txn *txn, struct weir_work *ret, struct weir_error *err);

/* Answers WEIR_WORK_START: makes the chosen starting positions (empty ranges) durable before
 * anything is read from them, so that a start at "latest" stays where it was chosen. */
int weir_txn_start(weir_txn *txn, struct weir_ranges starts, struct weir_error *err);

/* Opens the batch that next() named. *ret_t is its batch time, *ret_arena holds its records until
 * it is over. */
int weir_txn_begin(weir_txn *txn, const struct weir_work *work, int64_t *ret_t,
                   struct weir_arena **ret_arena, struct weir_error *err);
/* Adds rows to the open batch; see weir_sink_ops.write. */
int weir_txn_write(weir_txn *txn, uint32_t sink, uint32_t partition, uint32_t table,
                   uint32_t source, enum weir_on_error on_error, const struct weir_chunk *chunk,
                   struct weir_error *err);
/* Adds a bad record to the dead letters of the open batch, in the first sink. */
int weir_txn_dead_letter(weir_txn *txn, uint32_t partition, uint32_t source,
                         const struct weir_dead_letter *letter, struct weir_error *err);
/* Closes the open batch: ranges is what it was made of (for a rebuilt one, what it was told). The
 * rest happens in step(). WEIR_ECONFLICT "plan_mismatch" when a rebuilt batch came out otherwise
 * than it was sealed and some sink already holds it. */
int weir_txn_seal(weir_txn *txn, struct weir_ranges ranges, uint64_t source_rows,
                  struct weir_error *err);
/* A rebuilt batch cannot be rebuilt because its source no longer has the records. Plans anew when
 * no ledger holds it; else fails with cause. */
int weir_txn_unreadable(weir_txn *txn, const struct weir_error *cause, struct weir_error *err);

/* Batches sealed or being sealed that are not known to be in everywhere. */
uint32_t weir_txn_in_flight(const weir_txn *txn);
struct weir_txn_progress {
    uint64_t sealed, committed; /* last batches */
    bool is_running;            /* started, and nothing left to rebuild */
};
/* What of the status each turn wants to know. */
struct weir_txn_progress weir_txn_progress(const weir_txn *txn);
/* Where the last batch known to be in everywhere ended; valid until the next step. */
struct weir_ranges weir_txn_committed_ends(const weir_txn *txn);
void weir_txn_status(const weir_txn *txn, struct weir_txn_status *ret);
/* For sleeping; see weir_source_ops.wait_fds. *ret_timeout_us: step() wants to run by then. */
uint32_t weir_txn_wait_fds(const weir_txn *txn, struct pollfd *ret, uint32_t max,
                           int64_t *ret_timeout_us);

#endif
