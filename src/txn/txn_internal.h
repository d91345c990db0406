/* txn_internal.h: what the files of src/txn share: the batch in flight, and the txn itself.
 *
 *   txn.c      life of the object, and the calls of the engine
 *   seal.c     closes a batch, checks one that was rebuilt    (rule 12)
 *   start.c    takes the generation in every ledger           (PROTOCOL rules 6, 16, 18)
 *   recover.c  what log and ledgers mean together             (rules 1, 8 to 12, 17)
 *   commit.c   seal, step, done: one batch after another      (rules 2 to 5, 13 to 15)
 *   look.c     what became of a part after a refusal or reconnect (rule 7)
 *   trim.c     what the log may forget
 *   partition_map.c  how rows find their output partition
 *   log_view.c, frame.c, ranges.c   what is on disk */
#ifndef WEIR_TXN_TXN_INTERNAL_H
#define WEIR_TXN_TXN_INTERNAL_H

#include "txn/log_view.h"
#include "txn/partition_map.h"
#include "txn/txn.h"

/* One part of a batch in one sink. commit.c has the table of allowed moves. */
enum weir_part_state {
    WEIR_PART_HELD,     /* rows may be on their way; its step is not allowed yet */
    WEIR_PART_SENT,     /* its step is allowed: behind the rows, advance and COMMIT are sent */
    WEIR_PART_DOUBTFUL, /* refused, or the connection is lost: look at the ledger */
    WEIR_PART_ROW_BAD,  /* the server refuses a row: find it, once it is the head */
    WEIR_PART_AGAIN,    /* known not to be in: send it again */
    WEIR_PART_IN,       /* known to be in */
    WEIR_PART_STATES
};

struct weir_part {
    enum weir_part_state state;
    bool step_allowed; /* commit() was called for it */
    bool is_retry;     /* it was sent before: rows may show twice in at_least_once */
    bool sent_as_head; /* what it was sent behind was in by then */
    bool is_dropped;   /* at_most_once: its rows are forgotten, its step is to go in without them */
    uint32_t fruitless_searches; /* one after another, for a row that the server refuses */
    uint64_t refused_dead;       /* rows that the server refused and that became dead letters */
};

enum weir_batch_state {
    WEIR_BATCH_FREE,
    WEIR_BATCH_OPEN,    /* the engine adds rows */
    WEIR_BATCH_CLOSED,  /* its frame is not in the log yet */
    WEIR_BATCH_SEALING, /* its frame is being written */
    WEIR_BATCH_SEALED,  /* its frame is durable */
};

struct weir_batch {
    enum weir_batch_state state;
    struct weir_plan_frame frame; /* what it points to lies in arena */
    struct weir_arena arena;      /* records of the engine too */
    uint64_t lsn;                 /* of its plan; 0: it is in no log yet */
    uint32_t begun_sinks;         /* the first so many sinks know of it */
    bool in_log;                  /* rebuilt: its plan is durable already */
    bool check_tallies;           /* rebuilt: what it must come out as is in frame.tallies */
    struct weir_str ends, ranges_json;
    struct weir_part parts[WEIR_TXN_SINKS_MAX][WEIR_OUTPUT_PARTITIONS_MAX];
};

/* A place between two batches: the last one, and where its ranges ended. */
struct weir_tip {
    struct weir_batch_id id;
    struct weir_ranges ends;
    struct weir_arena arena;
};

enum weir_txn_phase { WEIR_TXN_CLAIMING, WEIR_TXN_RECOVERING, WEIR_TXN_STARTING, WEIR_TXN_RUNNING };

/* Waiting after a failure that may pass. The log and the sinks wait apart: without room in the log,
 * batches that are sealed must still get in. */
struct weir_txn_wait {
    uint64_t since_us; /* monotonic; 0: nothing is failing */
    uint64_t until_us; /* 0: try now */
    uint32_t count;
};

struct weir_txn_sink_state {
    uint64_t generation;                                        /* ours, as taken */
    struct weir_ledger ledger;                                  /* as last read */
    struct weir_batch_id recovered[WEIR_OUTPUT_PARTITIONS_MAX]; /* where recovery found the rows */
    bool must_look;                                             /* some part is doubtful */
    bool was_refused; /* by the ledger: only a look can tell what to do */
};

/* Dead letters, for those who look on. */
struct weir_letters {
    uint64_t untold;     /* in since the last line about them */
    uint64_t tell_at_us; /* monotonic; 0: nothing was told yet */
    char last_why[256];
};

struct weir_txn {
    struct weir_txn_args args;
    struct weir_digest map; /* rows find their output partition by it now */
    struct weir_txn_sink sinks[WEIR_TXN_SINKS_MAX];
    struct weir_txn_sink_state sink_states[WEIR_TXN_SINKS_MAX];
    weir_wal *wal;
    enum weir_txn_phase phase;
    uint64_t epoch;

    bool uuid_known; /* the log has it */
    uint8_t uuid[WEIR_UUID_BYTES];
    uint8_t owner[WEIR_UUID_BYTES]; /* drawn for each claim */
    int64_t last_t;
    uint64_t identity_lsn; /* of the newest identity record; 0: there is none */

    struct weir_batch slots[WEIR_TXN_IN_FLIGHT_MAX]; /* batch n is in slot n % args.in_flight */
    struct weir_batch *open;                         /* the one being gathered, or NULL */
    uint64_t head;                                   /* the oldest batch not known to be in */
    struct weir_tip tip;       /* the last batch closed; the next stands on it */
    struct weir_tip committed; /* the last batch known to be in everywhere */

    /* Batches to be rebuilt: from the one after tip up to rebuild_last, plans by the cursor. */
    uint64_t rebuild_last;
    weir_wal_cursor *cursor;
    struct weir_plan_frame
        rebuild_frame; /* of the batch after tip, once read; id.batch 0: not yet */
    struct weir_arena rebuild_arena;
    uint64_t rebuild_lsn;   /* of that plan */
    bool rebuild_in_log;    /* false: made up from the ledgers (rule 11) */
    char new_plan_why[256]; /* not empty: the plans that are left cannot be rebuilt, and why */

    struct weir_txn_wait sink_wait, log_wait;
    struct weir_error refusal; /* of a row, as last heard */
    struct weir_letters letters;

    struct weir_txn_status status;
};

/* --- start.c --- */
/* Takes a new generation in every ledger, then reads them all. */
int weir_txn_claim(struct weir_txn *txn, struct weir_error *err);
/* Gives each ledger as many rows as there are output partitions. */
int weir_txn_repartition(struct weir_txn *txn, bool for_rebuild, struct weir_error *err);
/* Appends the identity record; durable before any plan behind it. */
int weir_txn_write_identity(struct weir_txn *txn, struct weir_error *err);

/* --- recover.c --- */
/* Compares log and ledgers and sets up what comes next. */
int weir_txn_recover(struct weir_txn *txn, struct weir_error *err);
/* Reads the plan of the batch after tip into rebuild_frame, if it is not there yet. */
int weir_txn_read_rebuild(struct weir_txn *txn, struct weir_error *err);
/* Makes a void record durable: the next batch stands on id and begins at ends. */
int weir_txn_write_void(struct weir_txn *txn, struct weir_batch_id id, struct weir_ranges ends,
                        const char *reason, struct weir_error *err);

/* --- commit.c --- */
int weir_txn_commit_step(struct weir_txn *txn, struct weir_error *err);
void weir_part_move(struct weir_part *part, enum weir_part_state to);
/* at_most_once: the step of a part went in without its rows. */
void weir_txn_count_drop(struct weir_txn *txn, struct weir_batch *batch, uint32_t sink, uint32_t p);
/* Lets go of every batch, as if the process had died, and takes everything up again from log and
 * ledgers. */
void weir_txn_rewind(struct weir_txn *txn, enum weir_txn_phase phase);

/* --- trim.c --- */
/* Gives back what nobody needs any more; lsn is that of the last batch that is in everywhere (0: in
 * no log, nothing happens). */
int weir_txn_trim(struct weir_txn *txn, uint64_t lsn, struct weir_error *err);

/* --- letters.c --- */
/* Keeps why a row or record became a dead letter. */
void weir_letters_note(struct weir_letters *letters, const char *why);
/* So many are in. */
void weir_letters_count(struct weir_txn *txn, uint64_t rows);
/* A line about those since the last one, if it is time. */
void weir_letters_tell(struct weir_txn *txn);
/* The last line: how many there were. */
void weir_letters_tell_end(const struct weir_txn *txn);

/* --- look.c --- */
int weir_txn_look(struct weir_txn *txn, uint32_t sink, struct weir_error *err);
/* WEIR_EFENCED when a row is not ours any more; *ret_went_back when it is older than we are. */
int weir_txn_check_owner(const struct weir_txn *txn, uint32_t sink, bool *ret_went_back,
                         struct weir_error *err);

/* --- seal.c --- */
/* Gives up the plans that are left to be rebuilt; nothing is in flight. */
int weir_txn_plan_anew(struct weir_txn *txn, struct weir_error *err);
/* Whether the plan in rebuild_frame cannot come out as it was sealed under our partition map, and
 * must, because some sink holds it. */
bool weir_txn_is_of_other_partitions(const struct weir_txn *txn);
/* Says so; nothing is in flight. WEIR_ECONFLICT. */
int weir_txn_want_other_partitions(const struct weir_txn *txn, struct weir_error *err);

/* --- txn.c --- */
/* Lets go of one batch: rolled back and released in every sink. */
void weir_txn_forget(struct weir_txn *txn, struct weir_batch *batch);
void weir_txn_end_rebuild(struct weir_txn *txn);
struct weir_batch *weir_txn_slot(struct weir_txn *txn, uint64_t batch);
int weir_tip_set(struct weir_tip *tip, struct weir_batch_id id, struct weir_ranges ends,
                 struct weir_error *err);
/* Decides what a failure means: WEIR_OK when it is waited out (the next try is scheduled), else
 * its code, final. */
int weir_txn_retry(struct weir_txn *txn, struct weir_txn_wait *wait, struct weir_error *err);
void weir_txn_retry_over(struct weir_txn *txn, struct weir_txn_wait *wait);
static inline struct weir_batch_id weir_ledger_row_id(const struct weir_ledger_row *row)
{
    return (struct weir_batch_id){ .batch = row->batch, .t = row->t, .plan = row->plan };
}

#endif
