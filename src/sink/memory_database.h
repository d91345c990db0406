/* memory_database.h: what memory_sink.c needs of a memory database. See memory_sink.h. */
#ifndef WEIR_SINK_MEMORY_DATABASE_H
#define WEIR_SINK_MEMORY_DATABASE_H

#include "sink/memory_sink.h"
#include "sink/part.h"

/* A part on its way in: everything the server needs to decide. Borrowed during the call. */
struct weir_memory_commit {
    const uint8_t *uuid;  /* the pipeline's */
    const uint8_t *owner; /* the client's */
    uint64_t generation;
    uint32_t partition;
    const struct weir_ledger_step *step;
    const struct weir_part *part;
};

/* Decides a COMMIT, injected faults included: what the client gets to see. */
enum weir_sink_outcome weir_memory_commit(struct weir_memory_database *database,
                                          const struct weir_memory_commit *commit,
                                          struct weir_error *err);
/* Counts down weir_memory_go_away(): WEIR_EAWAY or WEIR_OK. */
int weir_memory_reach(struct weir_memory_database *database, struct weir_error *err);
bool weir_memory_row_refused(const struct weir_memory_database *database, const char *table,
                             const struct weir_record *origin);

/* The pipeline of that name; NULL: unknown. */
const uint8_t *weir_memory_pipeline_uuid(const struct weir_memory_database *database,
                                         const char *name);
/* Reads the ledger of a pipeline; ends are valid while no transaction is taken back. */
void weir_memory_read_ledger(const struct weir_memory_database *database, const uint8_t *uuid,
                             struct weir_ledger *ret);
/* Replaces the rows of the ledger: a claim, or another number of partitions. WEIR_ENOMEM. */
int weir_memory_write_ledger(struct weir_memory_database *database, const char *name,
                             const struct weir_ledger *ledger, struct weir_error *err);
/* Ends late commits of this pipeline that another owner left behind, unless they linger. */
void weir_memory_terminate_others(struct weir_memory_database *database, const uint8_t *uuid,
                                  const uint8_t *owner);

#endif
