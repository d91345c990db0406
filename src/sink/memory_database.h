/* memory_database.h: what memory_sink.c needs of a memory database. See memory_sink.h. */
#ifndef WEIR_SINK_MEMORY_DATABASE_H
#define WEIR_SINK_MEMORY_DATABASE_H

#include "sink/memory_sink.h"
#include "sink/part.h"

enum { WEIR_MEMORY_INJECTIONS_MAX = 32, WEIR_MEMORY_NAME_BYTES_MAX = 64 };

struct weir_memory_stored {
    const char *table; /* "schema.name" */
    bool keyed;
    struct weir_str key;
    struct weir_memory_row row;
};

/* One transaction; all that it points to is in its arena. */
struct weir_memory_transaction {
    uint32_t refs; /* lists that hold it: a promoted server and the old one share what both have */
    struct weir_arena arena;
    const char *pipeline;     /* of a claim; NULL: a commit */
    struct weir_ledger after; /* the ledger rows that it wrote: all of them, or one */
    struct weir_memory_stored *rows;
    size_t row_count;
    struct weir_memory_letter *letters;
    size_t letter_count;
    /* What the ledger must say for it to get in: of a commit ... */
    struct weir_ledger_step step;
    /* ... and of a claim: who it was taken from. */
    uint64_t seen_generation;
    uint8_t seen_owner[WEIR_UUID_BYTES];
    bool has_advanced; /* late: it holds the ledger's row until it ends */
};

struct weir_memory_transactions {
    struct weir_memory_transaction **items;
    size_t count, max;
};

struct weir_memory_database {
    struct weir_memory_database *next;
    char name[WEIR_MEMORY_NAME_BYTES_MAX];
    uint32_t refs;
    struct weir_memory_transactions committed;
    struct weir_memory_transactions late;
    bool late_lingers;
    struct weir_memory_injection injections[WEIR_MEMORY_INJECTIONS_MAX];
    uint32_t injection_count;
    uint32_t away_count;
    uint64_t lives; /* how often it went back or was promoted: connections know theirs */
    struct weir_memory_database *old; /* what it was promoted from, and still answers; NULL: none */
    uint64_t promoted_life;           /* the one that began with the last promotion; 0: none did */
    bool waits_for_standby;           /* of an old one: no COMMIT is answered any more */
    weir_memory_refuses refuses;
    void *refuses_context;
    struct weir_memory_play play;
};

/* The server at the other end of a connection that was made in that life; NULL: it is gone. */
struct weir_memory_database *weir_memory_server(struct weir_memory_database *database,
                                                uint64_t life);
/* Whether another server was promoted between two lives. */
bool weir_memory_promoted_between(const struct weir_memory_database *database, uint64_t a,
                                  uint64_t b);

/* A part on its way in: everything the server needs to decide. Borrowed during the call. */
struct weir_memory_commit {
    const uint8_t *uuid;  /* the pipeline's */
    const uint8_t *owner; /* the client's */
    uint64_t generation;
    uint32_t partition;
    const struct weir_ledger_step *step;
    const struct weir_part *part;
};

/* Decides a COMMIT, injected faults included: what the client gets to see. NONE: it waits. */
enum weir_sink_outcome weir_memory_commit(struct weir_memory_database *database,
                                          const struct weir_memory_commit *commit,
                                          struct weir_error *err);
/* Whether a call is answered: WEIR_OK or WEIR_EAWAY. With ret_at_work the call may also be WEIR_OK
 * and *ret_at_work: it is carried out later, and its answer is lost. */
int weir_memory_reach(struct weir_memory_database *database, bool *ret_at_work,
                      struct weir_error *err);
/* What a COMMIT meets instead of success; false: nothing. */
bool weir_memory_take_fault(struct weir_memory_database *database,
                            const struct weir_memory_commit *commit, enum weir_memory_fault *ret);
bool weir_memory_list_add(struct weir_memory_transactions *list,
                          struct weir_memory_transaction *transaction);
void weir_memory_list_cut(struct weir_memory_transactions *list, size_t count);
bool weir_memory_cuts(const struct weir_memory_database *database);
bool weir_memory_decides_at_once(const struct weir_memory_database *database);
/* Some row of the pipeline's ledger is held by a transaction that has advanced and not ended. */
bool weir_memory_is_held(const struct weir_memory_database *database, const uint8_t *uuid);
bool weir_memory_row_refused(const struct weir_memory_database *database, const char *table,
                             const struct weir_record *origin);

/* The pipeline of that name; NULL: unknown. */
const uint8_t *weir_memory_pipeline_uuid(const struct weir_memory_database *database,
                                         const char *name);
/* Reads the ledger of a pipeline; ends are valid while no transaction is taken back. */
void weir_memory_read_ledger(const struct weir_memory_database *database, const uint8_t *uuid,
                             struct weir_ledger *ret);
/* Replaces the rows of the ledger, as they were seen: a claim, or another number of partitions.
 * late: it waits in the server, see weir_memory_end_late(). WEIR_ENOMEM. */
int weir_memory_write_ledger(struct weir_memory_database *database, const char *name,
                             const struct weir_ledger *seen, const struct weir_ledger *ledger,
                             bool late, struct weir_error *err);
/* Ends late commits of this pipeline that another owner left behind, unless they linger. */
void weir_memory_terminate_others(struct weir_memory_database *database, const uint8_t *uuid,
                                  const uint8_t *owner);

#endif
