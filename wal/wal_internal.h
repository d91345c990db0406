/* wal_internal.h: an open log, as its parts see it. Internal to wal/.
 *
 *   wal.c      open, close, append, poll: the write path
 *   repair.c   what open does to the disk: makes a log, or mends the end of one
 *   supply.c   the next segment: prepared ahead of need, from a new or from a trimmed file; trim
 *   cursor.c   reading back
 *
 * L1  At most one write of records is under way; it lies in one segment.
 * L2  At most one segment file is prepared behind the active one, and only once the active one
 *     holds a durable record, so recovery finds at most one file that was never begun.
 * L3  A segment is given up only when a later one holds a durable record. */
#ifndef WEIR_WAL_INTERNAL_H
#define WEIR_WAL_INTERNAL_H

#include "wal/scan.h"

enum {
    WAL_ZERO_CHUNK_BYTES = 1024 * 1024, /* of one preparing write */
    WAL_CHECKED_SEGMENTS_MAX = 64,      /* looked for at once, the newest */
    /* What a group has for short records. One that needs more takes as much as lies in huge pages. */
    WAL_GROUP_BYTES_SHORT = 64 * 1024,
    WAL_GROUP_BYTES_LONG = WEIR_IO_HUGE_BYTES,
    WAL_GROUP_KEEP_BYTES = 2 * WEIR_WAL_WAITING_BYTES_MAX, /* longer buffers are given back */
};

/* Records that are written together, as they will be on disk. */
struct wal_group {
    uint8_t *bytes; /* aligned; owned */
    size_t capacity_bytes;
    size_t used_bytes;
    struct weir_io_file *file;
    uint64_t segment_number;
    uint64_t offset; /* in the file; 0 where the segment's header goes with it */
    uint64_t last_lsn;
};

enum wal_supply_state {
    WAL_SUPPLY_NONE,    /* no file behind the active segment */
    WAL_SUPPLY_FILLING, /* zeros are being written into it */
    WAL_SUPPLY_READY,   /* it can be begun at once */
};

/* The file that becomes the next segment. */
struct wal_supply {
    enum wal_supply_state state;
    struct weir_io_file *file;
    uint64_t number;
    uint64_t filled_bytes;
    uint64_t target_bytes;
    bool is_named; /* it has its final name, durably */
    bool is_writing;
    uint64_t writing_since_us;
    struct weir_io_write write;
};

struct weir_wal {
    struct weir_io *io;
    char *dir;
    struct weir_io_lock *lock;
    uint64_t segment_bytes, retain_bytes, retain_segments, compress_from_bytes, write_limit_us;
    struct wal_packer *packer; /* NULL: nothing is compressed */
    uint8_t uuid[WEIR_IO_UUID_BYTES];

    struct wal_segment *segments; /* oldest first; the last is the active one */
    size_t segment_count;
    struct weir_io_file *file; /* of the active segment */
    uint64_t offset;           /* behind the last record taken in */

    uint64_t last_lsn;      /* taken in */
    uint64_t durable_lsn;   /* W1 */
    uint64_t low_lsn;       /* trim: records below it are not needed */
    uint64_t later_low_lsn; /* the same, once this record is durable */
    uint32_t previous_crc;  /* of the last record handed to the device */

    struct wal_group waiting, writing;
    bool is_writing;
    bool is_looked_for; /* the file of the write under way */
    bool is_stall_told;
    uint64_t writing_since_us;
    struct weir_io_write write;
    struct wal_supply supply;

    bool failed;     /* W3 */
    bool is_stalled; /* because a write was not answered; it may be under way for ever */
    struct weir_error failure;
    struct weir_wal_stat stat; /* its counters */
};

static inline struct wal_segment *wal_active(struct weir_wal *wal)
{
    return &wal->segments[wal->segment_count - 1];
}

/* Makes a failure final and returns WEIR_EIO, or WEIR_ECORRUPT where that is what it is. *cause is the
 * failure itself. */
int wal_fail(struct weir_wal *wal, const struct weir_error *cause, struct weir_error *err);
/* Says again why the log has failed. */
int wal_failed_before(const struct weir_wal *wal, struct weir_error *err);

/* --- watch.c --- */
/* Fails when a write, which is under way since then, is so for too long.
 * Fails  WEIR_EIO, final. */
int wal_check_answer(struct weir_wal *wal, const struct weir_io_write *write, uint64_t since_us,
                     struct weir_error *err);
/* Find out whether a segment of this log is still there, as long as it was. A check that cannot be made
 * says nothing. wal_check_write() looks at the file of the write under way, wherever it was moved to;
 * wal_check_in_place() for a name.
 * Fail   WEIR_ECORRUPT. */
int wal_check_write(struct weir_wal *wal, struct weir_error *err);
int wal_check_in_place(struct weir_wal *wal, const struct wal_segment *segment,
                       struct weir_error *err);

/* --- wal.c --- */
struct wal_segment *wal_find_segment(struct weir_wal *wal, uint64_t number);

/* weir_wal_append() that also takes the log's own type. */
int wal_append(struct weir_wal *wal, uint8_t type, const void *bytes, size_t len, uint64_t *ret_lsn,
               struct weir_error *err);

/* Finds or makes the log in wal->dir, mends its end, and leaves wal ready to append. */
int wal_repair(struct weir_wal *wal, struct weir_error *err);

/* One step, without waiting: starts to prepare the next segment when it is time, goes on with it. */
int wal_supply_step(struct weir_wal *wal, struct weir_error *err);
/* Makes the next segment ready with at least bytes_min, waiting for it. WEIR_ENOSPC and WEIR_EBUSY
 * leave the log as it was. */
int wal_supply_finish(struct weir_wal *wal, uint64_t bytes_min, struct weir_error *err);
/* Begins the prepared segment: it becomes the active one. */
int wal_supply_take(struct weir_wal *wal, uint64_t first_lsn, struct weir_error *err);
/* Lets go of it, at close. */
void wal_supply_fini(struct weir_wal *wal);
/* Durable zeros, waiting for them. */
int wal_write_zeros(struct weir_io *io, struct weir_io_file *file, uint64_t at, uint64_t bytes,
                    struct weir_error *err);

#endif
