/* source.h: where rows come from. One table of functions a kind of source.
 *
 * A source hands out records with their coordinates and can go back to any position it has named,
 * as long as the outside still has the records. Only a source reads its positions; only src/txn
 * stores them, inside the plan of a batch. Sources never see operators, sinks or the log.
 *
 * S1  Offsets of one partition only rise between two seeks; a record that goes back is dropped
 *     and counted, a gap that the outside cannot explain is an error.
 * S2  poll() never blocks longer than wait_us and never hands out more than it was asked for.
 * S3  After seek(at, until) exactly the records of [at, until) come, however often.
 * Threads: one thread calls it; a source may have threads of its own. */
#ifndef WEIR_SOURCE_SOURCE_H
#define WEIR_SOURCE_SOURCE_H

#include <poll.h>

#include "base/option.h"
#include "chunk/chunk.h"

/* A place in one partition: the next offset to read, and a witness by which a topic that was made
 * anew, or cut and grown again, is told from the old one. */
struct weir_position {
    int64_t next;            /* next offset to read; everything before it is processed */
    int64_t witness_offset;  /* the last record handed out before next; -1: none yet */
    uint64_t witness_digest; /* weir_hash64() of that record as the source defines it */
};

/* One partition of a source. Indexes never change; partitions found later come at the end. */
struct weir_partition {
    struct weir_str stream; /* the topic; lives as long as the source */
    int32_t number;         /* the partition's number in it */
    uint64_t identity;      /* of the outside (cluster id): another one is another source */
};

struct weir_source_partitions {
    const struct weir_partition *items; /* valid until the next call of the source */
    uint32_t count;
};

struct weir_source_limits {
    uint32_t rows_max;
    size_t bytes_max; /* of keys and values; at least one record is handed out */
    int64_t wait_us;
};

/* What one poll() brought. Records and their bytes are in the arena that poll() was given. */
struct weir_records {
    struct weir_record *items;
    uint32_t count;
    bool skipped; /* on_data_loss = 'skip' moved a position: there are no records then */
};

/* How far away the source's end is, for progress lines and --until-caught-up, and what is missing. */
struct weir_source_lag {
    int64_t records; /* known to wait in all partitions */
    bool known;      /* false until every partition's end has been learnt */
    bool caught_up;  /* at the end of every partition, as last heard */
    uint64_t lost;   /* records that on_data_loss = 'skip' passed over since open, at most */
};

struct weir_source_args {
    const char *name;            /* the table's name in the pipeline */
    struct weir_options options; /* checked; borrowed for the source's life */
    bool want_headers;           /* some expression reads _headers */
    const char *pipeline;        /* the pipeline's name, for client ids and group offsets */
};

struct weir_source_ops {
    const char *name;                      /* "kafka" */
    const struct weir_option_def *options; /* what WITH (...) may say, ended by a NULL name */
    bool replayable;                       /* seek() can go back */
    /* Makes the object and checks its options (those only the client library can judge
     * included); connects to nothing yet. WEIR_ECONFIG. */
    int (*open)(const struct weir_source_args *args, void **ret_self, struct weir_error *err);
    /* Learns or refreshes the list of partitions. Blocks for a few seconds at most. WEIR_EAWAY
     * when the outside does not answer, WEIR_ECONFIG when there is no such topic. */
    int (*discover)(void *self, struct weir_source_partitions *ret, struct weir_error *err);
    /* Where a partition that has no position yet starts, by the start option (a partition that
     * appeared while the pipeline was running starts at its first record: is_new). The answer is
     * sealed in a plan before anything read from there counts. WEIR_EAWAY. */
    int (*start_position)(void *self, uint32_t partition, bool is_new, struct weir_position *ret,
                          struct weir_error *err);
    /* From now on poll() reads partitions 0..count-1 from at[i].next. With until (NULL: no end)
     * it stops in each partition at until[i].next. Checks witnesses: WEIR_ECONFLICT with reason
     * "topic_replaced", "data_lost" (offsets below the first kept one) or "log_diverged"
     * (offsets above the end); with on_data_loss = 'skip' it logs, counts (lag.lost), and
     * goes on at the first record there is, as positions() tells. May find out later, in poll(). */
    int (*seek)(void *self, const struct weir_position *at, const struct weir_position *until,
                uint32_t count, struct weir_error *err);
    /* Records that have come, of any partitions, in each by rising offset. WEIR_OK with count 0
     * when nothing came in time. WEIR_EAWAY is not an error of poll(): it waits, and status()
     * tells. */
    int (*poll)(void *self, const struct weir_source_limits *limits, struct weir_arena *arena,
                struct weir_records *ret, struct weir_error *err);
    /* For each partition where the next poll() goes on: past the last record handed out, and past
     * records that readers never see (control records, aborted, compacted) as soon as that is
     * known. */
    void (*positions)(void *self, struct weir_position *ret, uint32_t count);
    /* With until: every partition has been read to its end, invisible records included. */
    bool (*reached)(void *self);
    void (*lag)(void *self, struct weir_source_lag *ret);
    /* Tells the outside how far the pipeline has come (consumer group offsets), for display only.
     * Never blocks, may be lost. */
    void (*publish)(void *self, const struct weir_position *at, uint32_t count);
    /* Adds what becomes readable when poll() has something. Returns how many it added (<= max). */
    uint32_t (*wait_fds)(void *self, struct pollfd *ret, uint32_t max);
    /* One line on what is wrong outside ("broker 1 is down"), or NULL. Valid until the next call. */
    const char *(*trouble)(void *self);
    void (*close)(void *self);
};

#endif
