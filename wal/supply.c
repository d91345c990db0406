/* supply.c: prepares the next segment ahead of need, and gives old ones back.
 *
 * A durable write into a file that grows costs ten to thirty times one into a file whose blocks
 * are there and written. So the next segment is a trimmed one under a new name, or a new file
 * filled with zeros in small durable writes beside those of records.
 *
 * Uses     io/io.h to write, rename and remove.
 * L2  (wal_internal.h) one prepared file at most, and not before the active segment is durable.
 * L3  (wal_internal.h) no segment is given up that recovery may need to find the end.
 * P2  A file takes a segment's name only when every byte of it is durable, and the name is durable
 *     before a record is written into it.
 * P3  Segments go oldest first, each removal durable before the next, so what is there after a
 *     crash has no gap.
 * Checked by asserts, tests/unit/wal/test_wal.c and test_crash.c. */
#include "wal/wal_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/fail_point.h"
#include "base/log_line.h"
#include "base/variant.h"

/* Zeros to write; never written to, so it takes up no memory of its own. */
static _Alignas(WEIR_IO_ALIGN_BYTES) uint8_t zeros[WAL_ZERO_CHUNK_BYTES];

/* --- Life cycle ----------------------------------------------------------------------------- */

static void supply_move(struct wal_supply *supply, enum wal_supply_state to)
{
    static const bool allowed[3][3] = {
        [WAL_SUPPLY_NONE] = { [WAL_SUPPLY_FILLING] = true, [WAL_SUPPLY_READY] = true },
        [WAL_SUPPLY_FILLING] = { [WAL_SUPPLY_READY] = true, [WAL_SUPPLY_NONE] = true },
        [WAL_SUPPLY_READY] = { [WAL_SUPPLY_NONE] = true, [WAL_SUPPLY_FILLING] = true },
    };

    weir_assert(allowed[supply->state][to]);
    supply->state = to;
}

/* Gives up a filling: a new file is removed, one that was only to grow stays as long as it was. */
static void abandon(struct weir_wal *wal)
{
    struct wal_supply *supply = &wal->supply;
    char path[WEIR_IO_PATH_BYTES_MAX];

    weir_assert(!supply->is_writing);
    if (supply->is_named) {
        supply_move(supply, WAL_SUPPLY_READY);
        return;
    }
    weir_io_file_close(wal->io, supply->file);
    wal_path(wal->dir, WAL_UNFINISHED_NAME, path);
    (void)weir_io_unlink(wal->io, path, NULL); /* the next open removes it as well */
    *supply = (struct wal_supply){ .state = supply->state };
    supply_move(supply, WAL_SUPPLY_NONE);
}

/* --- Trimmed segments ----------------------------------------------------------------------- */

/* Whether segment index is needed by nobody: neither for its records, nor kept for rewinding, nor
 * under a cursor, nor to find the end of the log. */
static bool is_retired(const struct weir_wal *wal, size_t index)
{
    uint64_t kept_bytes = 0, kept_segments = 0;

    if (index + 1 >= wal->segment_count || wal->segments[index].cursor_count > 0 ||
        wal->segments[index + 1].first_lsn > wal->low_lsn) {
        return false;
    }
    weir_assert(wal->segments[index + 1].first_lsn <= wal->durable_lsn); /* L3 */
    for (size_t i = index + 1; i + 1 < wal->segment_count; i++) {
        kept_bytes += wal->segments[i].bytes;
        kept_segments++;
    }
    return kept_bytes >= wal->retain_bytes && kept_segments >= wal->retain_segments;
}

static void forget_oldest(struct weir_wal *wal)
{
    wal->segment_count--;
    memmove(wal->segments, wal->segments + 1, wal->segment_count * sizeof(*wal->segments));
}

static int remove_oldest(struct weir_wal *wal, struct weir_error *err)
{
    char path[WEIR_IO_PATH_BYTES_MAX];

    wal_segment_path(wal->dir, wal->segments[0].number, path);
    int rc = WEIR_FAIL_AROUND(log_remove, weir_io_unlink(wal->io, path, err), err);
    if (rc == WEIR_OK) {
        forget_oldest(wal);
        wal->stat.removed_count++;
        rc = WEIR_FAIL_AROUND(log_remove_sync_dir, weir_io_sync_dir(wal->io, wal->dir, err),
                              err); /* P3 */
    }
    return rc;
}

/* A trim up to a record that is not durable yet takes effect when it is: until then a crash would
 * leave neither that record nor those it was to replace. */
static void settle_low(struct weir_wal *wal)
{
    if (wal->later_low_lsn <= wal->durable_lsn && wal->later_low_lsn > wal->low_lsn) {
        wal->low_lsn = wal->later_low_lsn;
    }
}

int weir_wal_trim(weir_wal *wal, uint64_t keep_from_lsn, struct weir_error *err)
{
    struct weir_error cause = { 0 };

    if (wal->failed) {
        return wal_failed_before(wal, err);
    }
    if (keep_from_lsn > wal->last_lsn) {
        keep_from_lsn = wal->last_lsn;
    }
    if (keep_from_lsn > wal->durable_lsn && wal->later_low_lsn <= wal->durable_lsn) {
        wal->later_low_lsn = keep_from_lsn; /* later ones wait until this one is in effect */
    } else if (keep_from_lsn > wal->low_lsn && keep_from_lsn <= wal->durable_lsn) {
        wal->low_lsn = keep_from_lsn;
    }
    settle_low(wal);
    /* One of them stays to become the next segment: a rename is cheaper than a new file. */
    while (is_retired(wal, 0) && is_retired(wal, 1)) {
        if (remove_oldest(wal, &cause) != WEIR_OK) {
            return wal_fail(wal, &cause, err);
        }
    }
    return wal_supply_step(wal, err); /* here nobody waits for a record */
}

/* --- Preparing ------------------------------------------------------------------------------ */

/* Turns the oldest segment into the next one. Its bytes stay: no checksum fits its new number. */
static int recycle(struct weir_wal *wal, struct weir_error *err)
{
    struct wal_supply *supply = &wal->supply;
    uint64_t number = wal_active(wal)->number + 1;
    uint64_t bytes = wal->segments[0].bytes;
    struct weir_io_file *file = NULL;
    struct weir_error cause = { 0 };
    char from[WEIR_IO_PATH_BYTES_MAX], to[WEIR_IO_PATH_BYTES_MAX];

    wal_segment_path(wal->dir, wal->segments[0].number, from);
    wal_segment_path(wal->dir, number, to);
    int rc = weir_io_file_open(wal->io, from, WEIR_IO_WRITE | WEIR_IO_DIRECT, &file, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = WEIR_FAIL_AROUND(log_recycle_rename, weir_io_rename(wal->io, from, to, &cause), &cause);
    if (rc == WEIR_OK) {
        forget_oldest(wal);
        rc = WEIR_FAIL_AROUND(
            log_recycle_sync_dir,
            WEIR_VARIANT(name_not_synced) ? WEIR_OK : weir_io_sync_dir(wal->io, wal->dir, &cause),
            &cause); /* P2, P3 */
    }
    if (rc != WEIR_OK) {
        weir_io_file_close(wal->io, file);
        return wal_fail(wal, &cause, err);
    }
    *supply = (struct wal_supply){
        .file = file, .number = number, .filled_bytes = bytes, .is_named = true
    };
    supply_move(supply, WAL_SUPPLY_READY);
    wal->stat.recycled_count++;
    return WEIR_OK;
}

/* Segments that are not open may disappear, too. Looked for where a file is made anyway: otherwise it
 * would show only when they are needed. */
static int check_older(struct weir_wal *wal, struct weir_error *err)
{
    struct weir_error cause = { 0 };
    size_t last = wal->segment_count - 1; /* the active one: each write of records looks for it */
    size_t first = last > WAL_CHECKED_SEGMENTS_MAX ? last - WAL_CHECKED_SEGMENTS_MAX : 0;

    for (size_t i = first; i < last; i++) {
        if (wal_check_in_place(wal, &wal->segments[i], &cause) != WEIR_OK) {
            return wal_fail(wal, &cause, err);
        }
    }
    return WEIR_OK;
}

static int begin(struct weir_wal *wal, uint64_t target_bytes, struct weir_error *err)
{
    struct wal_supply *supply = &wal->supply;
    struct weir_io_file *file = NULL;
    char path[WEIR_IO_PATH_BYTES_MAX];

    weir_assert(supply->state == WAL_SUPPLY_NONE);
    int rc = check_older(wal, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    settle_low(wal);
    if (is_retired(wal, 0) && wal->segments[0].bytes == target_bytes) {
        return recycle(wal, err);
    }
    wal_path(wal->dir, WAL_UNFINISHED_NAME, path);
    const unsigned flags = WEIR_IO_WRITE | WEIR_IO_CREATE | WEIR_IO_DIRECT;
    rc = WEIR_FAIL_AROUND(log_segment_create, weir_io_file_open(wal->io, path, flags, &file, err),
                          err);
    if (rc != WEIR_OK) {
        weir_io_file_close(wal->io, file);
        return rc;
    }
    *supply = (struct wal_supply){ .file = file,
                                   .number = wal_active(wal)->number + 1,
                                   .target_bytes = target_bytes };
    supply_move(supply, WAL_SUPPLY_FILLING);
    return WEIR_OK;
}

/* Everything is durable: the file gets its name. */
static int finish_filling(struct weir_wal *wal, struct weir_error *err)
{
    struct wal_supply *supply = &wal->supply;
    char from[WEIR_IO_PATH_BYTES_MAX], to[WEIR_IO_PATH_BYTES_MAX];

    if (!supply->is_named) {
        wal_path(wal->dir, WAL_UNFINISHED_NAME, from);
        wal_segment_path(wal->dir, supply->number, to);
        int rc = WEIR_FAIL_AROUND(log_segment_rename, weir_io_rename(wal->io, from, to, err), err);
        if (rc == WEIR_OK) {
            rc = WEIR_FAIL_AROUND(
                log_segment_sync_dir,
                WEIR_VARIANT(name_not_synced) ? WEIR_OK : weir_io_sync_dir(wal->io, wal->dir, err),
                err); /* P2 */
        }
        if (rc != WEIR_OK) {
            return rc;
        }
        supply->is_named = true;
        wal->stat.created_count++;
    }
    supply_move(supply, WAL_SUPPLY_READY);
    return WEIR_OK;
}

static int start_chunk(struct weir_wal *wal, struct weir_error *err)
{
    struct wal_supply *supply = &wal->supply;
    uint64_t left_bytes = supply->target_bytes - supply->filled_bytes;

    supply->write = (struct weir_io_write){
        .file = supply->file,
        .at = supply->filled_bytes,
        .data = zeros,
        .bytes = left_bytes < sizeof(zeros) ? (size_t)left_bytes : sizeof(zeros),
        .durable = true,
    };
    int rc = WEIR_FAIL_POINT(log_segment_fill_before, err);
    if (rc == WEIR_OK) {
        rc = weir_io_write_start(wal->io, &supply->write, err);
    }
    supply->is_writing = rc == WEIR_OK;
    supply->writing_since_us = weir_io_mono_us(wal->io);
    return rc == WEIR_OK ? WEIR_FAIL_POINT(log_segment_fill_after, err) : rc;
}

/* Goes on with a filling. A lack of space gives it up and is returned; everything else that fails
 * is final. */
static int fill(struct weir_wal *wal, struct weir_error *err)
{
    struct wal_supply *supply = &wal->supply;
    struct weir_error cause = { 0 };
    int rc;

    if (supply->is_writing) {
        if (!supply->write.done) {
            return WEIR_OK;
        }
        supply->is_writing = false;
        if (supply->write.code == WEIR_ENOSPC) {
            int sys_errno = supply->write.sys_errno; /* abandoning forgets the write */
            abandon(wal);
            return weir_error_set_errno(err, WEIR_ENOSPC, sys_errno,
                                        "no room for another log segment in %s", wal->dir);
        }
        if (supply->write.code != WEIR_OK) {
            (void)weir_error_set_errno(&cause, supply->write.code, supply->write.sys_errno,
                                       "prepare a log segment in %s", wal->dir);
            return wal_fail(wal, &cause, err);
        }
        supply->filled_bytes += supply->write.bytes;
    }
    rc = supply->filled_bytes < supply->target_bytes ? start_chunk(wal, &cause)
                                                     : finish_filling(wal, &cause);
    return rc == WEIR_OK ? WEIR_OK : wal_fail(wal, &cause, err);
}

/* L2: recovery could not tell two files that were never begun from a missing segment. */
static bool may_prepare(const struct weir_wal *wal)
{
    uint64_t first_lsn = wal->segments[wal->segment_count - 1].first_lsn;

    return wal->durable_lsn >= first_lsn || wal->last_lsn < first_lsn;
}

/* How much of the active segment is used when the next one is prepared. Filling a new file takes as
 * long as filling the rest with records: half would be too late for a log that is written as fast as
 * the device can. At once, a log that is hardly used would take twice its space. Where a file is a few
 * zeros' writes, half is early enough. */
static uint64_t used_before_preparing(const struct weir_wal *wal)
{
    uint64_t bytes = wal->segments[wal->segment_count - 1].bytes;

    return bytes > (uint64_t)4 * WAL_ZERO_CHUNK_BYTES ? bytes / 8 : bytes / 2;
}

int wal_supply_step(struct weir_wal *wal, struct weir_error *err)
{
    struct weir_error cause = { 0 };
    int rc = WEIR_OK;

    if (wal->supply.state == WAL_SUPPLY_FILLING) {
        rc = fill(wal, &cause);
    } else if (wal->supply.state == WAL_SUPPLY_NONE && !wal->stat.no_space &&
               wal->offset > used_before_preparing(wal) && may_prepare(wal)) {
        rc = begin(wal, wal->segment_bytes, &cause);
    }
    if (rc == WEIR_OK || wal->failed) {
        return rc == WEIR_OK ? WEIR_OK : wal_failed_before(wal, err);
    }
    /* Not needed yet: the append that needs it tries again, and says so when it fails too. */
    wal->stat.no_space = true;
    weir_log(WEIR_LOG_WARN, "log_segment_late", "%s", cause.text);
    return WEIR_OK;
}

int wal_supply_finish(struct weir_wal *wal, uint64_t bytes_min, struct weir_error *err)
{
    enum { WAIT_US = 1000000 };
    struct wal_supply *supply = &wal->supply;
    uint64_t target = bytes_min > wal->segment_bytes ? bytes_min : wal->segment_bytes;
    bool is_late = false;
    int rc = WEIR_OK;

    while (rc == WEIR_OK &&
           (supply->state != WAL_SUPPLY_READY || supply->filled_bytes < bytes_min)) {
        is_late = true;
        if (supply->state == WAL_SUPPLY_NONE) {
            if (!may_prepare(wal)) {
                return weir_error_set(err, WEIR_EBUSY, "the log's last segment is being begun");
            }
            rc = begin(wal, target, err);
            continue;
        }
        if (supply->state == WAL_SUPPLY_READY) {
            supply_move(supply, WAL_SUPPLY_FILLING);
            supply->target_bytes = target;
        }
        if (supply->target_bytes < bytes_min) {
            supply->target_bytes = target;
        }
        rc = weir_io_poll(wal->io, supply->is_writing ? WAIT_US : 0, err);
        if (rc == WEIR_OK && supply->is_writing) {
            rc = wal_check_answer(wal, &supply->write, supply->writing_since_us, err);
        }
        if (rc == WEIR_OK) {
            rc = fill(wal, err);
        }
    }
    wal->stat.no_space = rc == WEIR_ENOSPC;
    wal->stat.late_segment_count += is_late && rc == WEIR_OK ? 1 : 0;
    return rc;
}

int wal_supply_take(struct weir_wal *wal, uint64_t first_lsn, struct weir_error *err)
{
    struct wal_supply *supply = &wal->supply;
    struct wal_segment *segments =
        realloc(wal->segments, (wal->segment_count + 1) * sizeof(*segments));

    weir_assert(supply->state == WAL_SUPPLY_READY && supply->is_named); /* P2 */
    if (segments == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "begin a log segment: out of memory");
    }
    wal->segments = segments;
    if (!wal->is_writing || wal->writing.file != wal->file) {
        weir_io_file_close(wal->io, wal->file); /* else when that write is done */
    }
    wal->file = supply->file;
    segments[wal->segment_count++] = (struct wal_segment){ .number = supply->number,
                                                           .first_lsn = first_lsn,
                                                           .bytes = supply->filled_bytes };
    supply_move(supply, WAL_SUPPLY_NONE);
    *supply = (struct wal_supply){ .state = WAL_SUPPLY_NONE };
    return WEIR_OK;
}

void wal_supply_fini(struct weir_wal *wal)
{
    if (wal->supply.state == WAL_SUPPLY_FILLING) {
        abandon(wal);
    }
    weir_io_file_close(wal->io, wal->supply.file);
    wal->supply.file = NULL;
}

int wal_write_zeros(struct weir_io *io, struct weir_io_file *file, uint64_t at, uint64_t bytes,
                    struct weir_error *err)
{
    int rc = WEIR_OK;

    while (rc == WEIR_OK && bytes > 0) {
        size_t part = bytes < sizeof(zeros) ? (size_t)bytes : sizeof(zeros);
        rc = weir_io_write_at(io, file, at, zeros, part, true, err);
        at += part;
        bytes -= part;
    }
    return rc;
}
