/* wal.h: the write-ahead log, a library of its own on io/io.h.
 *
 * A log is a directory of segment files holding records, numbered by LSN. It keeps the records
 * that were acknowledged as durable, in order, through any crash, and refuses to open when one of
 * them is damaged. It knows nothing of what the bytes mean. README.md tells the idea,
 * docs/FORMAT.md the bytes.
 *
 * Threads  One thread uses a log. weir_wal_verify() may run anywhere, also in another process.
 * W1  Records become durable in the order of their LSNs; weir_wal_durable() never goes back.
 * W2  A record that weir_wal_poll() has reported as durable is found by every later open, and
 *     every record that open finds is durable before open returns.
 * W3  A failed write is final: the log says WEIR_EIO to everything from then on. Open it again. So is a
 *     segment that somebody else removed or cut, with WEIR_ECORRUPT, and a write that the device does
 *     not answer in time, with WEIR_EIO. */
#ifndef WEIR_WAL_WAL_H
#define WEIR_WAL_WAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"
#include "weir/error.h"

enum {
    WEIR_WAL_RECORD_BYTES_MAX = 64 * 1024 * 1024, /* bytes of one record, without header */
    WEIR_WAL_WAITING_BYTES_MAX = 8 * 1024 * 1024, /* several records waiting for one write */
#ifdef WEIR_SMALL_LIMITS /* the simulator: a header and two small records */
    WEIR_WAL_SEGMENT_BYTES_MIN = 12 * 1024,
#else
    WEIR_WAL_SEGMENT_BYTES_MIN = 64 * 1024,
#endif
    WEIR_WAL_SEGMENT_BYTES_MAX = 1024 * 1024 * 1024,
    WEIR_WAL_SEGMENT_BYTES_DEFAULT = 16 * 1024 * 1024,
    WEIR_WAL_COMPRESS_BYTES_MIN = 64 * 1024, /* shorter records are never compressed */
    WEIR_WAL_TYPE_OWN = 0, /* record type of the log's own marks; users have 1 to 255 */
};

typedef struct weir_wal weir_wal;
typedef struct weir_wal_cursor weir_wal_cursor;

struct weir_wal_options {
    size_t size_bytes;      /* sizeof(struct weir_wal_options) */
    uint64_t segment_bytes; /* of a usual segment file, a multiple of 4096; 0 means 16 MiB */
    /* Kept for rewinding, below the mark of weir_wal_trim(): the newest segments of so many bytes in
     * all, and at least so many of them. Whichever asks for more holds; 0 asks for nothing. What the
     * mark needs stays in any case. */
    uint64_t retain_bytes;
    uint64_t retain_segments;
    /* Records of so many bytes and more (64 KiB at least) are stored as zstd frames where that takes
     * up fewer blocks; 0: none are. Packing takes the appending thread 2 to 10 ms a MiB, and 0.6 MiB
     * of memory from open on. Reading needs no option. */
    uint64_t compress_from_bytes;
    /* A write that is under way for so long fails the log; 0: it is waited for without end. Where the
     * I/O layer cannot write and look on, it is 0 in any case. */
    uint64_t write_limit_us;
};

/* One record as read back. bytes is borrowed, see the function that returns it. */
struct weir_wal_record {
    uint64_t lsn; /* 0: there is no record (the end) */
    uint8_t type;
    const uint8_t *bytes;
    size_t len;
};

struct weir_wal_stat {
    uint8_t uuid[WEIR_IO_UUID_BYTES]; /* drawn when the log was made */
    bool created;                     /* this open made the log */
    uint64_t first_lsn;               /* oldest record still there */
    uint64_t newest_segment_lsn;      /* first record of the newest segment, written or to come */
    uint64_t last_lsn;                /* newest one, durable or waiting */
    uint64_t durable_lsn;
    uint64_t segment_count;    /* files, the prepared one included */
    uint64_t segment_bytes;    /* on disk, of all of them */
    uint64_t record_count;     /* appended since open */
    uint64_t write_count;      /* durable writes since open; smaller where records shared one */
    uint64_t written_bytes;    /* by them, padding included */
    uint64_t compressed_count; /* of the records appended since open: stored as zstd frames */
    uint64_t compressed_plain_bytes, compressed_stored_bytes; /* theirs, before and after */
    uint64_t recycled_count, created_count, removed_count;    /* segment files, since open */
    uint64_t stalled_us;         /* how long the write that is under way has been so; 0: none is */
    uint64_t late_segment_count; /* of those: an append waited until the file was made or grown */
    uint64_t cut_bytes;          /* of a torn tail that this open found and cut off */
    bool no_space;       /* the next segment could not be made; appends may fail with WEIR_ENOSPC */
    const char *backend; /* of the I/O: "io_uring", "posix", "sim"; static */
    const char *backend_why; /* it was chosen, in words, "" for the usual one; until io is closed */
};

/* Opens the log in dir, or makes one there when it holds none (and dir too). Locks dir, reads all
 * segments, cuts a torn tail, and makes the tail that it found durable again before it returns.
 * Owns   On success the caller passes *ret to weir_wal_close(). dir is copied, io is borrowed
 *        until then. opts may be NULL.
 * Fails  WEIR_EBUSY (locked by another), WEIR_ECORRUPT (names file and offset; nothing was
 *        changed), WEIR_ECONFLICT (reason "log_version"), WEIR_ENOSPC, WEIR_EIO, WEIR_ECONFIG (an
 *        option; compress_from_bytes where weir was built without zstd). */
WEIR_MUST_CHECK int weir_wal_open(struct weir_io *io, const char *dir,
                                  const struct weir_wal_options *opts, weir_wal **ret,
                                  struct weir_error *err);

/* Waits for writes under way, marks the log as closed and frees it. NULL is a no-op. Cannot fail:
 * what was reported durable already is, and nothing else was promised. A log that failed because a
 * write was not answered stays as it is, memory and lock included: the write may still be under way. */
void weir_wal_close(weir_wal *wal);

/* Adds a record and starts its durable write; while another write is under way it waits and shares
 * the next write with all that wait. bytes are copied. *ret_lsn rises with every append (not
 * always by one: the log's own marks take numbers too).
 * Fails  WEIR_EBUSY (too much is waiting: poll, then call again), WEIR_ENOSPC (no room for a
 *        new segment: call again later), WEIR_EINVAL (too long, or type 0), WEIR_ENOMEM,
 *        WEIR_EIO (final). After WEIR_EBUSY and WEIR_ENOSPC nothing was added. */
WEIR_MUST_CHECK int weir_wal_append(weir_wal *wal, uint8_t type, const void *bytes, size_t len,
                                    uint64_t *ret_lsn, struct weir_error *err);

/* Looks for finished writes, waiting up to wait_us for one when one is under way, starts the next
 * write, and prepares segments. *ret_durable_lsn (NULL allowed): all records up to it are durable.
 * Fails  WEIR_EIO, WEIR_ECORRUPT (somebody removed or cut the segment), both final. */
WEIR_MUST_CHECK int weir_wal_poll(weir_wal *wal, uint64_t wait_us, uint64_t *ret_durable_lsn,
                                  struct weir_error *err);

/* Polls until the record is durable. */
WEIR_MUST_CHECK int weir_wal_wait(weir_wal *wal, uint64_t lsn, struct weir_error *err);

/* The newest durable LSN as of the last poll. */
uint64_t weir_wal_durable(const weir_wal *wal);

/* A descriptor for poll(2), readable when weir_wal_poll() has something to do; -1: there is none,
 * call weir_wal_poll() instead of sleeping. */
int weir_wal_fd(const weir_wal *wal);

/* Records below keep_from_lsn are no longer needed. Whole segments of them are reused or removed,
 * oldest first, but for those that the options retain and those a cursor stands on. Takes effect
 * when the record keep_from_lsn is durable itself: it may be what makes the older ones needless.
 * The mark only rises and is not kept over a restart.
 * Fails  WEIR_EIO, final. */
WEIR_MUST_CHECK int weir_wal_trim(weir_wal *wal, uint64_t keep_from_lsn, struct weir_error *err);

void weir_wal_stat(const weir_wal *wal, struct weir_wal_stat *ret);

/* A reader of durable records, from the first one at or above from_lsn (0: the oldest there is).
 * Owns   The caller closes it before the log.
 * Fails  WEIR_ECONFLICT (reason "log_trimmed": from_lsn is no longer there), WEIR_EIO,
 *        WEIR_ENOMEM. */
WEIR_MUST_CHECK int weir_wal_cursor_open(weir_wal *wal, uint64_t from_lsn, weir_wal_cursor **ret,
                                         struct weir_error *err);
/* The next record; ret->lsn is 0 when there is none that is durable yet (ask again after appending
 * more). ret->bytes is valid until the next call on this cursor.
 * Fails  WEIR_ECORRUPT (the record was good when the log was opened), WEIR_EIO. */
WEIR_MUST_CHECK int weir_wal_cursor_next(weir_wal_cursor *cursor, struct weir_wal_record *ret,
                                         struct weir_error *err);
void weir_wal_cursor_close(weir_wal_cursor *cursor); /* NULL is a no-op */

/* Where a record lies, for people. name is the segment's file name, borrowed. */
struct weir_wal_place {
    const char *name;
    uint64_t segment_number;
    uint64_t offset;
};

/* Called for each record, the log's own marks included. Another code than WEIR_OK ends the reading
 * and is returned. */
typedef int weir_wal_visit_fn(void *context, const struct weir_wal_place *place,
                              const struct weir_wal_record *record, struct weir_error *err);

struct weir_wal_report {
    uint8_t uuid[WEIR_IO_UUID_BYTES];
    uint64_t segment_count, segment_bytes; /* files, one prepared behind the last included */
    uint64_t first_lsn, last_lsn;          /* 0 both: there are no records */
    uint64_t record_count, record_bytes;   /* the bytes as they were appended */
    uint64_t compressed_count; /* of the records: stored as zstd frames, from so many bytes ... */
    uint64_t compressed_plain_bytes, compressed_stored_bytes; /* ... to so many */
    uint64_t torn_bytes; /* behind the last whole record, of a write cut off by a crash; or of one
                          * that is being written just now */
    uint64_t next_torn_bytes; /* of those, at the start of the file behind the last segment */
    uint64_t end_segment_number, end_offset;
    bool is_closed; /* the last record marks an orderly end */
};

/* Reads and checks a whole log without changing or locking anything, also while another process
 * writes it. visit may be NULL.
 * Fails  WEIR_ECORRUPT (the first damage: file and offset), WEIR_ECONFLICT (reason "log_missing":
 *        dir holds no log), WEIR_EBUSY (the log was trimmed while it was read: run again),
 *        WEIR_EIO, and what visit returns. */
WEIR_MUST_CHECK int weir_wal_verify(struct weir_io *io, const char *dir, weir_wal_visit_fn *visit,
                                    void *context, struct weir_wal_report *ret,
                                    struct weir_error *err);

/* Cuts the torn tail that seen, a report of weir_wal_verify(), tells of: overwrites it with zeros,
 * durably, and touches nothing else. weir_wal_open() does as much by itself; this is for those who
 * want to see first what goes.
 * Fails  WEIR_EBUSY (reason "locked": in use; or the log has changed since it was verified; nothing
 *        was written), WEIR_ENOSPC, WEIR_EIO, and what weir_wal_verify() may return. */
WEIR_MUST_CHECK int weir_wal_cut(struct weir_io *io, const char *dir,
                                 const struct weir_wal_report *seen, struct weir_error *err);

#endif
