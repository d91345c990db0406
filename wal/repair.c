/* repair.c: what opening a log does to the disk: makes a new log, or mends the end of an old one.
 *
 * The end that was found may be only in the page cache, and a write that failed before the crash
 * may have left pages that the kernel takes for clean. So every record that no later one proves
 * durable is written once more, durably, before anybody acts on it. A sync would not do.
 *
 * Uses     wal/scan.h to find the end, io/io.h to write.
 * M1  Nothing is written before the whole log was read and found good.
 * M2  Every step can be cut off by a crash and done again.
 * M3  A new log's first segment gets its name after its header is durable: a log whose only segment
 *     has no header is a damaged one, never a young one.
 * Checked by tests/unit/wal/test_crash.c. */
#include "wal/wal_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/fail_point.h"
#include "base/log_line.h"
#include "base/variant.h"

static int remove_file(struct weir_wal *wal, const char *name, struct weir_error *err)
{
    char path[WEIR_IO_PATH_BYTES_MAX];

    wal_path(wal->dir, name, path);
    int rc = weir_io_unlink(wal->io, path, err);
    return rc == WEIR_OK ? weir_io_sync_dir(wal->io, wal->dir, err) : rc;
}

static int open_segment(struct weir_wal *wal, uint64_t number, struct weir_io_file **ret,
                        struct weir_error *err)
{
    char path[WEIR_IO_PATH_BYTES_MAX];

    wal_segment_path(wal->dir, number, path);
    return weir_io_file_open(wal->io, path, WEIR_IO_WRITE | WEIR_IO_DIRECT, ret, err);
}

/* --- A new log ------------------------------------------------------------------------------ */

static int fill_first(struct weir_wal *wal, struct weir_io_file *file, struct weir_error *err)
{
    struct wal_segment_header header = {
        .number = 1, .first_lsn = 1, .oldest_number = 1, .file_bytes = wal->segment_bytes
    };
    uint8_t *block = weir_io_alloc(WAL_BLOCK_BYTES);

    if (block == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "make a log: out of memory");
    }
    memcpy(header.uuid, wal->uuid, sizeof(header.uuid));
    wal_segment_header_encode(&header, block);
    int rc = wal_write_zeros(wal->io, file, 0, wal->segment_bytes, err);
    if (rc == WEIR_OK) {
        rc = weir_io_write_at(wal->io, file, 0, block, WAL_BLOCK_BYTES, true, err);
    }
    free(block);
    return rc;
}

static int create(struct weir_wal *wal, struct weir_error *err)
{
    struct weir_io_file *file = NULL;
    char from[WEIR_IO_PATH_BYTES_MAX], to[WEIR_IO_PATH_BYTES_MAX];

    wal_path(wal->dir, WAL_UNFINISHED_NAME, from);
    wal_segment_path(wal->dir, 1, to);
    int rc = weir_io_random_bytes(wal->io, wal->uuid, sizeof(wal->uuid), err);
    if (rc == WEIR_OK) {
        const unsigned flags = WEIR_IO_WRITE | WEIR_IO_CREATE | WEIR_IO_DIRECT;
        rc = WEIR_FAIL_AROUND(start_create_file,
                              weir_io_file_open(wal->io, from, flags, &file, err), err);
    }
    if (rc != WEIR_OK) {
        weir_io_file_close(wal->io, file);
        return rc;
    }
    wal->file = file; /* closed with the log, whatever comes */
    rc = WEIR_FAIL_AROUND(start_create_fill, fill_first(wal, file, err), err);
    if (rc != WEIR_OK) {
        (void)weir_error_context(err, "make %s of %llu bytes", from,
                                 (unsigned long long)wal->segment_bytes);
    }
    if (rc == WEIR_OK) {
        rc = WEIR_FAIL_AROUND(start_create_rename, weir_io_rename(wal->io, from, to, err),
                              err); /* M3 */
    }
    if (rc == WEIR_OK) {
        rc = WEIR_FAIL_AROUND(start_create_sync_dir, weir_io_sync_dir(wal->io, wal->dir, err), err);
    }
    if (rc != WEIR_OK) {
        (void)weir_io_unlink(wal->io, from, NULL); /* room for others; the next open does it too */
        return rc;
    }
    wal->segments = calloc(1, sizeof(*wal->segments));
    if (wal->segments == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "make a log: out of memory");
    }
    wal->segments[0] =
        (struct wal_segment){ .number = 1, .first_lsn = 1, .bytes = wal->segment_bytes };
    wal->segment_count = 1;
    wal->offset = WAL_SEGMENT_HEADER_BYTES;
    wal->stat.created = true;
    wal->stat.created_count = 1;
    return WEIR_OK;
}

/* --- A log that was there ------------------------------------------------------------------- */

/* Reads until two readings agree: what is about to be written over itself is not checked by anything
 * else, and a wrong byte that came in on the way would be there for good. */
static int read_surely(struct wal_reader *reader, uint64_t at, size_t want, const uint8_t **ret,
                       struct weir_error *err)
{
    enum { READINGS_MAX = 4 };
    uint32_t before = 0;

    for (int reading = 0; reading < READINGS_MAX; reading++) {
        size_t available;

        reader->window_bytes = 0; /* from the device, each time */
        int rc = wal_reader_get(reader, at, want, ret, &available, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (available < want) {
            return weir_error_set(err, WEIR_EIO, "the log's last segment became shorter");
        }
        uint32_t crc = weir_crc32c(0, *ret, want);
        if (reading > 0 && crc == before) {
            return WEIR_OK;
        }
        before = crc;
    }
    return weir_error_set(err, WEIR_EIO, "the log's last segment reads otherwise each time");
}

/* Writes again what lies in [from, to) of the active segment. */
static int write_again(struct weir_wal *wal, uint64_t from, uint64_t to, struct weir_error *err)
{
    struct wal_reader reader = { 0 };

    int rc = wal_reader_open(wal->io, wal->dir, wal_active(wal)->number, &reader, err);
    while (rc == WEIR_OK && from < to) {
        uint64_t part = to - from < WAL_READ_AHEAD_BYTES ? to - from : WAL_READ_AHEAD_BYTES;
        const uint8_t *bytes;

        rc = read_surely(&reader, from, (size_t)part, &bytes, err);
        if (rc == WEIR_OK) {
            rc = weir_io_write_at(wal->io, wal->file, from, bytes, (size_t)part, true, err);
        }
        from += part;
    }
    wal_reader_close(&reader);
    return rc;
}

static int remove_leftovers(struct weir_wal *wal, const struct wal_scan *scan,
                            struct weir_error *err)
{
    int rc = WEIR_OK;

    for (size_t i = 0; rc == WEIR_OK && i < scan->leftover_count; i++) {
        char name[WAL_NAME_BYTES];

        wal_segment_name(scan->listing.numbers[i], name);
        rc = remove_file(wal, name, err);
    }
    return rc;
}

static int adopt_unstarted(struct weir_wal *wal, const struct wal_scan *scan,
                           struct weir_error *err)
{
    struct wal_supply *supply = &wal->supply;

    if (!scan->has_unstarted) {
        return WEIR_OK;
    }
    supply->number = wal_active(wal)->number + 1;
    int rc = open_segment(wal, supply->number, &supply->file, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    supply->filled_bytes = scan->unstarted_bytes;
    supply->is_named = true;
    supply->state = WAL_SUPPLY_READY;
    rc = wal_write_zeros(wal->io, supply->file, 0, scan->unstarted_torn_bytes, err);
    if (rc == WEIR_OK) {
        /* Its length may be what a failed write left in memory only. A durable write at its end
         * makes it stay, and a segment's header can vouch for it. */
        rc = wal_write_zeros(wal->io, supply->file, supply->filled_bytes - WAL_BLOCK_BYTES,
                             WAL_BLOCK_BYTES, err);
    }
    return rc;
}

static int mend(struct weir_wal *wal, const struct wal_scan *scan, struct weir_error *err)
{
    /* The first record of a segment was written together with the segment's header. */
    uint64_t from = scan->unproven == WAL_SEGMENT_HEADER_BYTES ? 0 : scan->unproven;

    int rc = remove_leftovers(wal, scan, err);
    if (rc == WEIR_OK) {
        rc = weir_io_sync_dir(wal->io, wal->dir, err); /* names that were seen, not yet durable */
    }
    if (rc == WEIR_OK) {
        rc = open_segment(wal, wal_active(wal)->number, &wal->file, err);
    }
    if (rc == WEIR_OK) {
        rc = WEIR_FAIL_AROUND(
            start_write_again,
            WEIR_VARIANT(found_not_synced) ? WEIR_OK : write_again(wal, from, scan->end, err), err);
    }
    if (rc == WEIR_OK && scan->torn_bytes > 0) {
        rc = WEIR_FAIL_AROUND(start_cut_tail,
                              wal_write_zeros(wal->io, wal->file, scan->end, scan->torn_bytes, err),
                              err);
    }
    if (rc == WEIR_OK) {
        rc = adopt_unstarted(wal, scan, err);
    }
    if (rc == WEIR_OK && scan->torn_bytes + scan->unstarted_torn_bytes > 0) {
        wal->stat.cut_bytes = scan->torn_bytes + scan->unstarted_torn_bytes;
        weir_log(WEIR_LOG_WARN, "log_tail_cut",
                 "%s: cut %" PRIu64 " bytes of a write that a crash had broken off, behind LSN "
                 "%" PRIu64,
                 wal->dir, wal->stat.cut_bytes, wal->last_lsn);
    }
    return rc;
}

int wal_repair(struct weir_wal *wal, struct weir_error *err)
{
    struct wal_scan scan = { 0 };

    int rc = wal_scan_read(wal->io, wal->dir, NULL, NULL, &scan, err);
    if (rc == WEIR_OK && scan.listing.has_unfinished) {
        rc = WEIR_FAIL_AROUND(start_remove_unfinished, remove_file(wal, WAL_UNFINISHED_NAME, err),
                              err);
    }
    if (rc == WEIR_OK && scan.segment_count == 0) {
        rc = create(wal, err);
    } else if (rc == WEIR_OK) {
        wal->segments = scan.segments;
        wal->segment_count = scan.segment_count;
        scan.segments = NULL; /* wal owns them now */
        memcpy(wal->uuid, scan.uuid, sizeof(wal->uuid));
        wal->last_lsn = scan.chain.lsn - 1;
        wal->durable_lsn = wal->last_lsn;
        wal->previous_crc = scan.chain.crc;
        wal->offset = scan.end;
        rc = mend(wal, &scan, err);
    }
    wal_scan_fini(&scan);
    return rc;
}
