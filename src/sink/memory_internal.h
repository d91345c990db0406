/* memory_internal.h: what the files of the memory sink's client side share: memory_sink.c, memory_ledger.c. */
#ifndef WEIR_SINK_MEMORY_INTERNAL_H
#define WEIR_SINK_MEMORY_INTERNAL_H

#include "sink/memory_database.h"

enum part_state {
    PART_UNSENT,  /* rolled back or never sent: resend() or release() follow */
    PART_SENDING, /* rows on their way; decided once the batch is finished and allowed */
    PART_IN,
};

struct memory_part {
    struct weir_part rows;
    enum part_state state;
    bool is_connected;
    bool has_begun;       /* its transaction: it stays with its connection */
    uint64_t life;        /* of the database, when its connection was made */
    bool has_upserts_out; /* they are in the server, or wait there for locks */
    bool has_rows_in;     /* its rows hold the locks of their keys */
    bool allowed;
    struct weir_sink_event decided; /* outcome NONE: not yet */
    struct weir_ledger_step step;
    struct weir_buf step_bytes; /* of the step's strings */
};

struct memory_batch {
    uint64_t number; /* 0: the slot is free */
    bool finished;
    struct memory_part *parts;
};

struct memory_sink {
    struct weir_sink_args args;
    struct weir_memory_database *database;
    uint8_t uuid[WEIR_UUID_BYTES];
    uint8_t owner[WEIR_UUID_BYTES];
    uint64_t generation;
    bool has_control;      /* the connection of calls that are no part's ... */
    uint64_t control_life; /* ... as memory_part.life */
    uint64_t ledger_life;  /* of the connection by which the ledger was last read */
    struct memory_batch batches[WEIR_SINK_SLOTS_MAX];
    struct weir_arena scratch;
    int event_fd;
    bool is_rung; /* event_fd is readable */
};

/* memory_ledger.c: calls of sink.h. */
int weir_memory_claim(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                      struct weir_error *err);
int weir_memory_look(void *self, struct weir_ledger *ret, struct weir_error *err);
int weir_memory_repartition(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                            struct weir_error *err);

#endif
