/* watch.c: what harms the log while it is in use: a device that does not answer, and somebody who removes
 * or cuts its files.
 *
 * Checked by tests/unit/wal/test_stall.c and test_damage.c. */
#include <errno.h>
#include <inttypes.h>

#include "base/log_line.h"
#include "wal/wal_internal.h"

int wal_check_answer(struct weir_wal *wal, const struct weir_io_write *write, uint64_t since_us,
                     struct weir_error *err)
{
    enum { TELL_AFTER_US = 10 * 1000 * 1000 };
    uint64_t for_us = weir_io_mono_us(wal->io) - since_us;
    struct weir_error cause = { 0 };

    if (write->done) {
        return WEIR_OK;
    }
    if (for_us >= TELL_AFTER_US && !wal->is_stall_told) {
        wal->is_stall_told = true; /* of this log, until a write of records is done */
        weir_log(WEIR_LOG_WARN, "log_stalled",
                 "%s: the device has not answered a write for %" PRIu64 " s", wal->dir,
                 for_us / 1000000);
    }
    if (wal->write_limit_us == 0 || for_us < wal->write_limit_us) {
        return WEIR_OK;
    }
    wal->is_stalled = true;
    (void)weir_error_set(&cause, WEIR_EIO,
                         "%s: the device has not answered a write of %zu bytes for %" PRIu64 " s",
                         wal->dir, write->bytes, for_us / 1000000);
    cause.sys_errno = ETIMEDOUT;
    return wal_fail(wal, &cause, err);
}

static int harmed_in_use(const struct weir_wal *wal, uint64_t number, bool is_cut,
                         struct weir_error *err)
{
    char path[WEIR_IO_PATH_BYTES_MAX];

    wal_segment_path(wal->dir, number, path);
    return weir_error_set_reason(
        err, WEIR_ECORRUPT, "log_corrupt",
        "%s was %s by somebody while it was in use: put the file back from a copy, or move the "
        "directory away and let the ledger say where to go on",
        path, is_cut ? "cut" : "removed");
}

int wal_check_in_place(struct weir_wal *wal, const struct wal_segment *segment,
                       struct weir_error *err)
{
    char path[WEIR_IO_PATH_BYTES_MAX];
    struct weir_error cause = { 0 };
    uint64_t bytes = 0;

    wal_segment_path(wal->dir, segment->number, path);
    int rc = weir_io_size_of(wal->io, path, &bytes, &cause);
    if (rc == WEIR_OK ? bytes >= segment->bytes : cause.sys_errno != ENOENT) {
        return WEIR_OK;
    }
    return harmed_in_use(wal, segment->number, rc == WEIR_OK, err);
}

/* By its descriptor: that takes 2 us, a look for its name 8. */
int wal_check_write(struct weir_wal *wal, struct weir_error *err)
{
    const struct wal_segment *segment = wal_find_segment(wal, wal->writing.segment_number);
    bool is_named = true;
    uint64_t bytes = 0;

    if (weir_io_size(wal->io, wal->writing.file, &bytes, &is_named, NULL) != WEIR_OK ||
        (is_named && bytes >= segment->bytes)) {
        return WEIR_OK;
    }
    return harmed_in_use(wal, segment->number, is_named, err);
}
