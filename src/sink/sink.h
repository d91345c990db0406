/* sink.h: where rows go. One table of functions a kind of sink.
 *
 * A sink is a transaction domain, not a table: all tables of one database, their dead letters and
 * their ledger are written together. It offers primitives; the order in which they are called,
 * and what their outcomes mean, is src/txn's business alone.
 *
 * A batch in a sink has P parts (output partitions), each written in one transaction by one
 * connection. The sink keeps the encoded rows of a part until release(), so that it can send them
 * again; up to `slots` batches are open at a time.
 *
 * K1  Nothing of a part is visible before its COMMIT succeeded, and its ledger row is changed in
 *     the very same transaction, by a compare-and-set that raises in the server.
 * K2  advance and COMMIT are sent only after commit(); rows may be sent as soon as they are written.
 * K3  An outcome is reported COMMITTED only for the command tag COMMIT.
 * Threads: one thread calls it. */
#ifndef WEIR_SINK_SINK_H
#define WEIR_SINK_SINK_H

#include <poll.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/option.h"
#include "chunk/chunk.h"

#ifdef WEIR_SMALL_LIMITS /* the simulator's: it copies ledgers much of its time */
enum { WEIR_OUTPUT_PARTITIONS_MAX = 4 };
#else
enum { WEIR_OUTPUT_PARTITIONS_MAX = 32 };
#endif
enum { WEIR_UUID_BYTES = 16, WEIR_SINK_SLOTS_MAX = 4 };

/* What becomes of a record that cannot be decoded, computed or written. */
enum weir_on_error { WEIR_ON_ERROR_FAIL, WEIR_ON_ERROR_DEAD_LETTER, WEIR_ON_ERROR_SKIP };

struct weir_sink_column {
    const char *name;
    struct weir_type type;
    bool not_null;
};

/* A target table as the pipeline declares it. */
struct weir_sink_table {
    const char *schema; /* NULL: "public" */
    const char *name;
    const struct weir_sink_column *columns; /* those the pipeline writes, in order */
    uint32_t column_count;
    const struct weir_sink_column *declared; /* every column, for making the table; NULL: columns */
    uint32_t declared_count;
    const uint32_t *key; /* numbers of the PRIMARY KEY's columns; none: rows are appended */
    uint32_t key_count;
    struct weir_options options; /* create_table ... */
};

struct weir_sink_args {
    const char *pipeline;        /* name, for application_name and dead letters */
    struct weir_options options; /* connection options, checked; borrowed for the sink's life */
    const struct weir_sink_table *tables; /* borrowed for the sink's life */
    uint32_t table_count;
    uint32_t partitions; /* P */
    uint32_t slots;      /* batches open at a time, 1 to WEIR_SINK_SLOTS_MAX */
    /* Coordinates of a record for messages and dead letters: "orders/flights/3" for a record of
     * the pipeline's source number source. Valid during the call. */
    struct weir_str (*describe_partition)(void *context, uint32_t source, uint32_t partition);
    void *describe_context;
};

/* One row of the ledger: what the sink itself knows of partition p of this pipeline. */
struct weir_ledger_row {
    uint32_t partition, partitions; /* p and P */
    uint64_t batch;                 /* last batch in; 0: none yet */
    int64_t t;                      /* its batch time; 0 for batch 0 */
    struct weir_digest plan;        /* its plan's digest; zero for batch 0 */
    struct weir_digest map;         /* of the partition map; zero for batch 0 */
    struct weir_digest definition;  /* fingerprint of the pipeline's definition */
    uint64_t rows;                  /* output rows of that batch in this partition */
    struct weir_digest output;      /* digest of these rows */
    uint64_t generation;
    uint8_t owner[WEIR_UUID_BYTES];
    struct weir_str ends; /* source range ends as src/txn encoded them; opaque to the sink */
};

/* A starting instance's demand for the ledger, see PROTOCOL rule 6. */
struct weir_claim {
    const char *name;               /* the pipeline's */
    uint8_t uuid[WEIR_UUID_BYTES];  /* the pipeline's as the log knows it, else a fresh candidate */
    bool uuid_known;                /* the log knows it: a ledger without it is "ledger_missing",
                                        one with another is "ledger_of_another" */
    uint8_t owner[WEIR_UUID_BYTES]; /* drawn for this start */
    uint64_t generation_above;      /* take one strictly larger than this and the ledger's */
    struct weir_digest definition;  /* for rows made now */
};

struct weir_ledger {
    uint8_t uuid[WEIR_UUID_BYTES]; /* the pipeline's in this sink */
    uint64_t generation;           /* as taken by claim(); the largest seen by look() */
    bool created;                  /* claim() made the rows: nothing was known of this pipeline */
    uint32_t count;                /* rows found; all P of them in the order of p */
    struct weir_ledger_row rows[WEIR_OUTPUT_PARTITIONS_MAX]; /* ends: valid until the next call */
};

/* The step of the ledger that goes with a part. */
struct weir_ledger_step {
    uint64_t batch; /* n; the row must be at n - 1 ... */
    int64_t t;
    struct weir_digest plan;
    int64_t previous_t; /* ... and at this very predecessor */
    struct weir_digest previous_plan;
    struct weir_digest map, definition;
    struct weir_str ends;        /* opaque, for the ledger */
    struct weir_str ranges_json; /* the same for people: {"orders/flights/0": [0, 1000], ...} */
    uint64_t source_rows;        /* records in the ranges, bad ones included */
    bool repeat_allowed;         /* at_least_once: a row that is already at n is fine too */
};

/* How much a part holds, before the sink refused anything. Order does not matter to the digest. */
struct weir_sink_tally {
    uint64_t rows;
    struct weir_digest digest;
    uint64_t dead; /* records given to dead_letter() */
    size_t bytes;  /* held in memory for this part */
};

enum weir_sink_outcome {
    WEIR_SINK_NONE,        /* nothing happened */
    WEIR_SINK_COMMITTED,   /* the part is in, durably */
    WEIR_SINK_REFUSED,     /* the ledger row did not match: rolled back, nothing is in */
    WEIR_SINK_ROW_REFUSED, /* the server refuses a row (SQLSTATE 22, 23, P0001 ...): rolled back */
    WEIR_SINK_ROLLED_BACK, /* known not to be in, and worth another try (deadlock, lock timeout) */
    WEIR_SINK_LOST,        /* connection lost: the outcome must be looked up in the ledger */
    WEIR_SINK_BROKEN,      /* another try is no use (table dropped, no privilege): err says why */
};

/* What isolate() found. */
struct weir_sink_search {
    uint64_t refused; /* rows taken out of the part */
    uint64_t skipped; /* of these, rows of sources that say skip */
};

struct weir_sink_event {
    enum weir_sink_outcome outcome;
    uint64_t batch;
    uint32_t partition;
    struct weir_error err; /* why, in the server's words; code as for the pipeline's error */
};

/* Records that never became rows: undecodable or uncomputable ones. */
struct weir_dead_letter {
    const struct weir_record *record; /* valid until the batch is released */
    char sqlstate[6];
    const char *text; /* copied */
};

struct weir_sink_ops {
    const char *name;                            /* "postgres" */
    const struct weir_option_def *sink_options;  /* of the connection: equal for all its tables */
    const struct weir_option_def *table_options; /* of one table */
    bool holds_ledger;                           /* can promise exactly_once */

    /* Two tables with such options are in the same transaction domain. */
    bool (*same_domain)(struct weir_options a, struct weir_options b);
    /* Appends the SQL (or a description) that makes ledger and tables, for `weir ddl`. */
    int (*ddl)(const struct weir_sink_args *args, struct weir_buf *ret, struct weir_error *err);

    /* Makes the object; connects to nothing. */
    int (*open)(const struct weir_sink_args *args, void **ret_self, struct weir_error *err);
    /* Connects and compares the declared tables with the real ones; writes nothing. WEIR_ESCHEMA
     * (says what to run), WEIR_EAWAY, WEIR_EAUTH. */
    int (*check)(void *self, struct weir_error *err);
    /* Makes ledger (and tables with create_table) where missing and allowed, then takes a new
     * generation for all P rows in one transaction of its own and reads them. Old transactions of
     * this pipeline that stand in the way are terminated. ret->count is the ledger's own P, which
     * can differ from ours: then repartition() follows. WEIR_EAWAY: try again. WEIR_ECONFLICT with
     * reason "ledger_missing", "ledger_of_another", "ledger_uneven". WEIR_EFENCED: another starter
     * was faster. */
    int (*claim)(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                 struct weir_error *err);
    /* Reads all rows of the ledger in one statement, on a fresh connection if need be. WEIR_EAWAY:
     * try again. */
    int (*look)(void *self, struct weir_ledger *ret, struct weir_error *err);
    /* Rule 16: replaces the ledger's rows, all at the same batch, by P rows at that batch. */
    int (*repartition)(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                       struct weir_error *err);

    /* Opens batch n (all its parts) in slot n % slots, which is free. */
    int (*begin)(void *self, uint64_t batch, struct weir_error *err);
    /* Adds rows of a chunk (which is the caller's again afterwards) to a part. on_error and source
     * (number in the pipeline) are those of the rows' source. Order within a source partition is
     * kept. Rows of a table with a key collapse to one for each key: the one with the highest
     * (source, partition, offset), so that a rebuilt batch is the same whatever the order. */
    int (*write)(void *self, uint64_t batch, uint32_t partition, uint32_t table, uint32_t source,
                 enum weir_on_error on_error, const struct weir_chunk *chunk,
                 struct weir_error *err);
    /* Adds a record to the dead letters of a part. */
    int (*dead_letter)(void *self, uint64_t batch, uint32_t partition, uint32_t source,
                       const struct weir_dead_letter *letter, struct weir_error *err);
    /* No more rows will come for this batch; ret_tallies gets P entries. */
    int (*finish)(void *self, uint64_t batch, struct weir_sink_tally *ret_tallies,
                  struct weir_error *err);
    /* Allows the step: behind the part's rows, advance and COMMIT are sent. step is copied. */
    int (*commit)(void *self, uint64_t batch, uint32_t partition,
                  const struct weir_ledger_step *step, struct weir_error *err);
    /* Rolls back whatever the part's connection has open; rows stay in memory. */
    void (*rollback)(void *self, uint64_t batch, uint32_t partition);
    /* Sends the part again from its beginning (rolled back first); what commit() allowed stays
     * allowed. Connects anew where needed. WEIR_EAWAY: try again later. */
    int (*resend)(void *self, uint64_t batch, uint32_t partition, struct weir_error *err);
    /* After ROW_REFUSED: finds the rows that the server refuses by halving under savepoints in a
     * transaction that is rolled back. Rows of sources that say dead_letter or skip leave the part
     * (dead letters are written with it); one of a source that says fail gives WEIR_EDATA, with the
     * record's coordinates and the server's words. There may be none: the server may refuse rows
     * for what else is there, or is not there yet. resend() follows. WEIR_EAWAY: try again. */
    int (*isolate)(void *self, uint64_t batch, uint32_t partition, struct weir_sink_search *ret,
                   struct weir_error *err);
    /* at_most_once: forgets the part's rows, so that its step goes in without them and the ledger
     * says that there are none. */
    void (*discard_rows)(void *self, uint64_t batch, uint32_t partition);
    /* The batch is over: frees its memory and slot. Its parts have no transaction open. */
    void (*release)(void *self, uint64_t batch);

    /* Moves bytes and answers without blocking; *ret is the next event, or NONE. */
    int (*poll)(void *self, struct weir_sink_event *ret, struct weir_error *err);
    uint32_t (*wait_fds)(void *self, struct pollfd *ret, uint32_t max);
    void (*close)(void *self);
};

#endif
