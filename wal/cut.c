/* cut.c: overwrites a torn tail with zeros: the part of opening a log that loses something, done
 * alone, for people who want to see first what goes.
 *
 * Uses     wal/scan.h to find the end again, io/io.h to write.
 * CU1  Only bytes behind the last whole record are written, and only those that the caller has seen:
 *      the log is locked, read again and compared first.
 * CU2  A crash in the middle leaves a tail that is torn otherwise; cutting again ends it.
 * Checked by tests/unit/wal/test_cut.c. */
#include "wal/wal_internal.h"

#include <string.h>

#include "base/assert.h"

static int zero(struct weir_io *io, const char *dir, uint64_t segment, uint64_t at, uint64_t bytes,
                struct weir_error *err)
{
    struct weir_io_file *file = NULL;
    char path[WEIR_IO_PATH_BYTES_MAX];

    if (bytes == 0) {
        return WEIR_OK;
    }
    wal_segment_path(dir, segment, path);
    int rc = weir_io_file_open(io, path, WEIR_IO_WRITE | WEIR_IO_DIRECT, &file, err);
    if (rc == WEIR_OK) {
        rc = wal_write_zeros(io, file, at, bytes, err);
    }
    weir_io_file_close(io, file);
    return rc;
}

static bool is_same_tail(const struct weir_wal_report *a, const struct weir_wal_report *b)
{
    return memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0 && a->last_lsn == b->last_lsn &&
           a->end_segment_number == b->end_segment_number && a->end_offset == b->end_offset &&
           a->torn_bytes == b->torn_bytes && a->next_torn_bytes == b->next_torn_bytes;
}

static int cut(struct weir_io *io, const char *dir, const struct weir_wal_report *seen,
               struct weir_error *err)
{
    struct weir_wal_report found;
    struct wal_scan scan = { 0 };
    int rc = wal_scan_read(io, dir, NULL, NULL, &scan, err);

    if (rc == WEIR_OK && scan.segment_count > 0) {
        wal_report_fill(&scan, &found);
    }
    if (rc == WEIR_OK && (scan.segment_count == 0 || !is_same_tail(&found, seen))) { /* CU1 */
        rc = weir_error_set(err, WEIR_EBUSY,
                            "%s: the log has changed since it was looked at; nothing was cut", dir);
    }
    if (rc == WEIR_OK) {
        weir_assert(scan.end == found.end_offset); /* CU1 */
        rc = zero(io, dir, found.end_segment_number, scan.end, scan.torn_bytes, err);
    }
    if (rc == WEIR_OK) {
        rc = zero(io, dir, found.end_segment_number + 1, 0, scan.unstarted_torn_bytes, err);
    }
    wal_scan_fini(&scan);
    return rc;
}

int weir_wal_cut(struct weir_io *io, const char *dir, const struct weir_wal_report *seen,
                 struct weir_error *err)
{
    struct weir_io_lock *lock = NULL;
    int rc = weir_io_lock_dir(io, dir, &lock, err);

    if (rc == WEIR_OK) {
        rc = cut(io, dir, seen, err);
    }
    weir_io_unlock_dir(io, lock);
    return rc;
}
