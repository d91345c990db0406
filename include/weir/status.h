/* weir/status.h: what a running pipeline tells about itself. */
#ifndef WEIR_STATUS_H
#define WEIR_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct weir_status {
    const char *phase;          /* "connecting", "claiming", "recovering", "rebuilding", "running",
                          "draining"; static */
    uint64_t batch;             /* being gathered, or the last one; 0: none yet */
    uint64_t sealed, committed; /* last batch numbers; 0 until log and ledger were compared */
    int64_t batch_time_us;      /* t of the last batch begun */
    uint64_t generation;
    uint64_t rows_read;               /* source records taken in, since open */
    uint64_t rows_read_committed;     /* of those, in batches that are in */
    uint64_t rows_written;            /* output rows that are in */
    uint64_t rows_dead, rows_skipped; /* bad records, by what became of them */
    uint64_t rows_lost; /* source records that were gone, passed over by on_data_loss = 'skip' */
    uint64_t batches_committed, batches_rebuilt;
    uint64_t batches_dropped, rows_dropped;   /* at_most_once */
    uint64_t batches_repeated, rows_repeated; /* at_least_once */
    uint64_t reconnects, clock_regressions, unknown_fields;
    const char *log_backend;     /* what the log writes by: "io_uring", "posix"; static */
    const char *log_backend_why; /* in words, "" for the usual one; until the pipeline is closed */
    uint64_t log_records, log_writes,
        log_bytes;              /* since open; fewer writes where some were shared */
    uint64_t log_segments;      /* files that there are */
    uint64_t log_late_segments; /* a record waited until a file was there */
    bool log_no_space;          /* the next file cannot be made */
    int64_t lag;                /* records known to wait in the sources */
    bool lag_known;
    bool caught_up;    /* at the end of every partition, and everything read is in */
    char trouble[256]; /* what is being waited for, or "" */
};

#endif
