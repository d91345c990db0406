/* memory_sink.h: a sink in memory that keeps the promise, and breaks down on demand.
 *
 * A memory database stands for the server: it lives on when a sink object (the client) is closed,
 * several sinks can open the same one, and it holds tables, dead letters and a ledger that change
 * together or not at all, by the same compare-and-set as the PostgreSQL sink's. Sinks find it by
 * the option `database`.
 *
 * Everything that was ever committed is a list of transactions; rows and ledger are what the list
 * adds up to. Going back in time is cutting the list.
 *
 * For tests of src/txn and the engine, and for pipelines that need no server. Threads: a database
 * and all its sinks belong to one thread. */
#ifndef WEIR_SINK_MEMORY_SINK_H
#define WEIR_SINK_MEMORY_SINK_H

#include "sink/sink.h"

extern const struct weir_sink_ops weir_memory_sink_ops;

struct weir_memory_database;

/* The database of that name, made when there is none; NULL without memory. Each open needs a close;
 * the last close (of callers and sinks) frees it. */
struct weir_memory_database *weir_memory_database_open(const char *name);
void weir_memory_database_close(struct weir_memory_database *database);

/* What happens to a COMMIT instead of success. */
enum weir_memory_fault {
    WEIR_MEMORY_LOST_BEFORE, /* the connection breaks, the COMMIT never arrives: LOST */
    WEIR_MEMORY_LOST_AFTER,  /* committed (if the ledger allows), the answer is lost: LOST */
    WEIR_MEMORY_LATE,        /* LOST, and the server works on it until deliver_late() or a claim
                                that terminates it */
    WEIR_MEMORY_LATE_LOCKED, /* the same, and it has advanced already: it holds the ledger's row */
    WEIR_MEMORY_ROLLED_BACK, /* a deadlock: ROLLED_BACK */
    WEIR_MEMORY_BROKEN,      /* the table is gone: BROKEN */
};

/* The next `count` commits of that batch (0: any) and partition (UINT32_MAX: any) fail so; NULL takes
 * back what was injected before. */
struct weir_memory_injection {
    enum weir_memory_fault fault;
    uint64_t batch;
    uint32_t partition;
    uint32_t count;
};
void weir_memory_inject(struct weir_memory_database *database,
                        const struct weir_memory_injection *injection);

/* The next `count` calls of claim, look, resend, repartition, check and isolate say WEIR_EAWAY. */
void weir_memory_go_away(struct weir_memory_database *database, uint32_t count);

/* Whether the server refuses a row; sqlstate "23514". NULL: it takes every row. */
typedef bool (*weir_memory_refuses)(void *context, const char *table,
                                    const struct weir_record *origin);
void weir_memory_refuse(struct weir_memory_database *database, weir_memory_refuses refuses,
                        void *context);

/* Commits that are late (WEIR_MEMORY_LATE) reach the ledger now, in their order; those that it no
 * longer allows change nothing. Returns how many got in. With linger, claims do not terminate late
 * commits. */
uint32_t weir_memory_deliver_late(struct weir_memory_database *database);
void weir_memory_late_linger(struct weir_memory_database *database, bool linger);

/* How many there are, and the end of one of them: it gets in if it can, or is rolled back. False: it
 * waits for another one that holds the ledger's row. */
uint32_t weir_memory_late_count(const struct weir_memory_database *database);
bool weir_memory_end_late(struct weir_memory_database *database, uint32_t index, bool commits);

/* A test that plays the server. Functions that are NULL leave it sound. */
struct weir_memory_transaction;
enum weir_memory_answer {
    WEIR_MEMORY_ANSWERS,
    WEIR_MEMORY_AWAY,    /* WEIR_EAWAY, nothing happened */
    WEIR_MEMORY_AT_WORK, /* WEIR_EAWAY; a claim or a repartition still waits in the server, any
                            other call is gone */
};
struct weir_memory_play {
    void *context;
    /* A COMMIT; true: it meets with *ret. */
    bool (*commit)(void *context, uint64_t batch, uint32_t partition, enum weir_memory_fault *ret);
    /* Whether the connection of a part breaks that is not allowed to commit yet. */
    bool (*cut)(void *context);
    /* Whether a COMMIT is decided at once, before anybody asks for its answer. */
    bool (*at_once)(void *context);
    /* The calls of weir_memory_go_away(). */
    enum weir_memory_answer (*call)(void *context);
    /* A COMMIT has reached the server; a transaction got in. memory_database.h tells what is in it. */
    void (*tried)(void *context, const struct weir_memory_transaction *transaction,
                  bool is_rolled_back);
    void (*got_in)(void *context, const struct weir_memory_transaction *transaction);
};
void weir_memory_play(struct weir_memory_database *database, const struct weir_memory_play *play);

/* Takes back the last `count` transactions (commits and claims alike), as a restored backup does. What
 * was under way in the server is gone: connections, and transactions that were late. */
void weir_memory_go_back(struct weir_memory_database *database, uint32_t count);
/* A standby takes over that lacks the last `lag` transactions. New connections reach it; those that
 * there are go on with the old server, which does not know, takes commits and answers them, until
 * weir_memory_end_old() breaks them. is_synchronous: the old one answers no COMMIT any more, as it
 * waits for its standby, which lacks nothing. False: no memory. */
bool weir_memory_promote(struct weir_memory_database *database, uint32_t lag, bool is_synchronous);
void weir_memory_end_old(struct weir_memory_database *database);
bool weir_memory_has_old(const struct weir_memory_database *database);
/* How many transactions there are: a mark to go back to. */
uint32_t weir_memory_transaction_count(const struct weir_memory_database *database);

/* One row as it is in a table. */
struct weir_memory_row {
    uint64_t batch;
    uint32_t partition; /* of the output */
    uint32_t source;    /* where it came from ... */
    uint32_t source_partition;
    int64_t offset;
    struct weir_str bytes; /* ... and its fields, as row_encode.h writes them */
};

/* The rows of "schema.name" as a reader sees them, of tables with a key one for each key. The caller
 * frees *ret_rows; bytes live as long as the transactions they came with. WEIR_ENOMEM. */
int weir_memory_table_rows(const struct weir_memory_database *database, const char *table,
                           struct weir_memory_row **ret_rows, size_t *ret_count);
/* Field number `column` of a row as a number (bigint, integer, smallint, boolean). */
int64_t weir_memory_row_integer(const struct weir_memory_row *row, uint32_t column);
/* The bytes of a field; data NULL: it is null. */
struct weir_str weir_memory_row_field(const struct weir_memory_row *row, uint32_t column);

/* Coordinates of a dead letter. */
struct weir_memory_letter {
    uint64_t batch;
    uint32_t source;
    uint32_t source_partition;
    int64_t offset;
    char sqlstate[6];
};
/* The same for dead letters. */
int weir_memory_dead_letters(const struct weir_memory_database *database,
                             struct weir_memory_letter **ret_letters, size_t *ret_count);

#endif
