/* wal.c: the write path of the log: open, append, poll, close.
 *
 * A record is encoded into the group that waits; when no write is under way the group is written
 * at once, else when that write is done. So one write carries what came meanwhile, and nobody
 * waits for company.
 *
 * Uses     io/io.h; repair.c, supply.c, watch.c.
 * W1  Records become durable in order: groups are written one after another.
 * W3  A failed write is final: do not try again. The kernel may have marked the pages clean, so a
 *     second try could succeed for bytes that never reached the device, and we would acknowledge
 *     a batch that a power cut takes back. Recovery writes them again instead. So is everything
 *     else that a call tells as WEIR_EIO: who goes on after it must have opened the log again.
 * L1  (wal_internal.h) one write of records under way, in one segment.
 * Checked by asserts tagged W1 and L1, tests/unit/wal/test_wal.c, test_crash.c and
 * test_failing_steps.c. */
#include "wal/wal_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/fail_point.h"
#include "base/variant.h"

/* --- Failure -------------------------------------------------------------------------------- */

int wal_fail(struct weir_wal *wal, const struct weir_error *cause, struct weir_error *err)
{
    if (!wal->failed) {
        wal->failed = true;
        wal->failure = *cause;
    }
    if (cause->code == WEIR_ECORRUPT) {
        return weir_error_set_reason(err, WEIR_ECORRUPT, cause->reason, "%s", cause->text);
    }
    return weir_error_set_errno(err, WEIR_EIO, cause->sys_errno,
                                "%s (the log stops here; a restart recovers)", cause->text);
}

int wal_failed_before(const struct weir_wal *wal, struct weir_error *err)
{
    if (wal->failure.code == WEIR_ECORRUPT) {
        return weir_error_set_reason(err, WEIR_ECORRUPT, wal->failure.reason, "%s",
                                     wal->failure.text);
    }
    return weir_error_set_errno(err, WEIR_EIO, wal->failure.sys_errno, "the log has failed: %s",
                                wal->failure.text);
}

struct wal_segment *wal_find_segment(struct weir_wal *wal, uint64_t number)
{
    for (size_t i = 0; i < wal->segment_count; i++) {
        if (wal->segments[i].number == number) {
            return &wal->segments[i];
        }
    }
    return NULL;
}

/* --- Groups --------------------------------------------------------------------------------- */

/* Room for bytes more behind what the group holds. */
static int group_reserve(struct wal_group *group, uint64_t bytes, struct weir_error *err)
{
    size_t need = group->used_bytes + (size_t)bytes;
    size_t capacity = need <= WAL_GROUP_BYTES_SHORT ? WAL_GROUP_BYTES_SHORT : WAL_GROUP_BYTES_LONG;

    if (need <= group->capacity_bytes) {
        return WEIR_OK;
    }
    while (capacity < need) {
        capacity *= 2;
    }
    uint8_t *grown = weir_io_alloc(capacity);
    if (grown == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "append to the log: out of memory");
    }
    if (group->used_bytes != 0) {
        memcpy(grown, group->bytes, group->used_bytes);
    }
    free(group->bytes);
    group->bytes = grown;
    group->capacity_bytes = capacity;
    return WEIR_OK;
}

static void group_reset(struct wal_group *group)
{
    group->used_bytes = 0;
    group->file = NULL;
    if (group->capacity_bytes > WAL_GROUP_KEEP_BYTES) {
        free(group->bytes);
        *group = (struct wal_group){ 0 };
    }
}

/* Gives every record of a group its place in the chain. Done when its write begins, not when it was
 * taken in, because only now is it known what was durable before it. */
static void seal(struct weir_wal *wal, struct wal_group *group)
{
    struct wal_place place = { .segment_number = group->segment_number };
    size_t at = 0;

    memcpy(place.uuid, wal->uuid, sizeof(place.uuid));
    if (group->offset == 0) {
        struct wal_segment_header header = {
            .number = group->segment_number,
            .first_lsn = wal->durable_lsn + 1,
            .oldest_number = wal->segments[0].number,
            .previous_crc = wal->previous_crc,
            .file_bytes = wal_active(wal)->bytes,
        };
        memcpy(header.uuid, wal->uuid, sizeof(header.uuid));
        wal_segment_header_encode(&header, group->bytes);
        at = WAL_SEGMENT_HEADER_BYTES;
    }
    for (uint64_t lsn = wal->durable_lsn + 1; at < group->used_bytes; lsn++) {
        struct wal_record_header header;

        place.offset = group->offset + at;
        bool is_ours = wal_record_header_inspect(&place, group->bytes + at, &header);
        weir_assert(is_ours && header.lsn == lsn); /* W1 */
        header.durable_lsn = wal->durable_lsn;
        header.previous_crc = wal->previous_crc;
        wal_record_encode_header(&place, &header, group->bytes + at);
        wal->previous_crc = header.crc;
        at += (size_t)wal_record_space(header.body_bytes);
    }
    weir_assert(at == group->used_bytes);
}

/* Starts the write of what waits. */
static int submit(struct weir_wal *wal, struct weir_error *err)
{
    struct wal_group empty = wal->writing;
    struct weir_error cause = { 0 };

    weir_assert(!wal->is_writing && wal->waiting.used_bytes > 0); /* L1 */
    wal->writing = wal->waiting;
    wal->waiting = empty;
    seal(wal, &wal->writing);
    wal->write = (struct weir_io_write){
        .file = wal->writing.file,
        .at = wal->writing.offset,
        .data = wal->writing.bytes,
        .bytes = wal->writing.used_bytes,
        .durable = true,
    };
    wal->is_writing = true;
    wal->is_looked_for = false;
    wal->writing_since_us = weir_io_mono_us(wal->io);
    wal->stat.write_count++;
    wal->stat.written_bytes += wal->writing.used_bytes;
    if (WEIR_FAIL_POINT(log_write_before, &cause) != WEIR_OK ||
        weir_io_write_start(wal->io, &wal->write, &cause) != WEIR_OK) {
        wal->write.done = true;
        return wal_fail(wal, &cause, err);
    }
    return WEIR_FAIL_POINT(log_write_after, &cause) == WEIR_OK ? WEIR_OK
                                                               : wal_fail(wal, &cause, err);
}

/* Takes note of a write that is done. */
static int complete(struct weir_wal *wal, struct weir_error *err)
{
    struct weir_error cause = { 0 };

    if (wal->write.code != WEIR_OK && !WEIR_VARIANT(failed_write_is_done)) {
        (void)weir_error_set_errno(&cause, WEIR_EIO, wal->write.sys_errno,
                                   "write %zu bytes at %" PRIu64 " of %s/%016" PRIu64 ".wal",
                                   wal->write.bytes, wal->write.at, wal->dir,
                                   wal->writing.segment_number);
        return wal_fail(wal, &cause, err); /* W3 */
    }
    if (WEIR_FAIL_POINT(log_complete_before, &cause) != WEIR_OK) {
        return wal_fail(wal, &cause, err);
    }
    weir_assert(wal->writing.last_lsn > wal->durable_lsn); /* W1 */
    wal->durable_lsn = wal->writing.last_lsn;
    if (wal->writing.file != wal->file) {
        weir_io_file_close(wal->io, wal->writing.file); /* a newer segment has been begun */
    }
    wal->is_writing = false;
    wal->is_stall_told = false;
    group_reset(&wal->writing);
    return WEIR_FAIL_POINT(log_complete_after, &cause) == WEIR_OK ? WEIR_OK
                                                                  : wal_fail(wal, &cause, err);
}

/* --- Append and poll ------------------------------------------------------------------------ */

static int begin_segment(struct weir_wal *wal, struct weir_error *err)
{
    int rc = wal_supply_take(wal, wal->last_lsn + 1, err);

    if (rc == WEIR_OK) {
        wal->offset = 0;
    }
    return rc;
}

/* Goes on in a new segment, which has room for so many bytes. A lack of space or memory leaves the
 * log as it was. */
static int next_segment(struct weir_wal *wal, uint64_t bytes, struct weir_error *err)
{
    struct weir_error cause = { 0 };
    int rc = wal_supply_finish(wal, bytes, &cause);

    if (rc == WEIR_OK) {
        rc = WEIR_FAIL_AROUND(log_segment_switch, begin_segment(wal, &cause), &cause);
    }
    if (rc == WEIR_EIO) {
        return wal->failed ? wal_failed_before(wal, err) : wal_fail(wal, &cause, err); /* W3 */
    }
    if (rc != WEIR_OK && err != NULL) {
        *err = cause;
    }
    return rc;
}

/* Makes room for a record of space bytes behind the last one, in a new segment if need be. */
static int make_room(struct weir_wal *wal, uint64_t space, struct weir_error *err)
{
    struct wal_group *group = &wal->waiting;
    int rc;

    if (group->used_bytes > 0 && group->used_bytes + space > WEIR_WAL_WAITING_BYTES_MAX) {
        return weir_error_set(err, WEIR_EBUSY, "%zu bytes wait for the log's device",
                              group->used_bytes);
    }
    if (wal->offset + space <= wal_active(wal)->bytes) {
        return group_reserve(group, space, err);
    }
    if (group->used_bytes > 0) {
        return weir_error_set(err, WEIR_EBUSY, "the end of a log segment waits for the device");
    }
    rc = group_reserve(group, WAL_SEGMENT_HEADER_BYTES + space, err);
    return rc == WEIR_OK ? next_segment(wal, WAL_SEGMENT_HEADER_BYTES + space, err) : rc;
}

/* Writes a record's body, packed where that is wanted and takes up fewer blocks, and says so in
 * *header. Room is made for the plain bytes: only now is it known what becomes of them. */
static void encode_body(struct weir_wal *wal, const struct wal_place *place, const void *bytes,
                        size_t len, struct wal_record_header *header, uint8_t *at)
{
    size_t packed_bytes = 0;

    if (wal->packer != NULL && len >= wal->compress_from_bytes) {
        size_t fewer_blocks = (size_t)wal_record_space(len) - WAL_BLOCK_BYTES;
        packed_bytes = wal_packer_pack(wal->packer, bytes, len, at + WAL_RECORD_HEADER_BYTES,
                                       fewer_blocks - WAL_RECORD_HEADER_BYTES);
    }
    if (packed_bytes == 0) {
        header->body_bytes = (uint32_t)len;
        header->body_crc = wal_record_encode_body(place, bytes, len, at);
        return;
    }
    header->storage = WAL_STORED_PACKED;
    header->body_bytes = (uint32_t)packed_bytes;
    header->body_crc = wal_record_finish_body(place, packed_bytes, at);
    wal->stat.compressed_count++;
    wal->stat.compressed_plain_bytes += len;
    wal->stat.compressed_stored_bytes += packed_bytes;
}

int wal_append(struct weir_wal *wal, uint8_t type, const void *bytes, size_t len, uint64_t *ret_lsn,
               struct weir_error *err)
{
    struct wal_group *group = &wal->waiting;
    struct wal_place place = { 0 };
    struct wal_record_header header = { .type = type };

    if (wal->failed) {
        return wal_failed_before(wal, err);
    }
    if (len > WEIR_WAL_RECORD_BYTES_MAX) {
        return weir_error_set(err, WEIR_EINVAL, "a log record of %zu bytes; %d are the limit", len,
                              WEIR_WAL_RECORD_BYTES_MAX);
    }
    int rc = make_room(wal, wal_record_space(len), err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (group->used_bytes == 0) {
        group->file = wal->file;
        group->segment_number = wal_active(wal)->number;
        group->offset = wal->offset;
        if (wal->offset == 0) {
            group->used_bytes = WAL_SEGMENT_HEADER_BYTES; /* written by seal() */
            wal->offset = WAL_SEGMENT_HEADER_BYTES;
        }
    }
    weir_assert(group->offset + group->used_bytes == wal->offset); /* L1 */
    memcpy(place.uuid, wal->uuid, sizeof(place.uuid));
    place.segment_number = group->segment_number;
    place.offset = wal->offset;
    header.lsn = wal->last_lsn + 1;
    encode_body(wal, &place, bytes, len, &header, group->bytes + group->used_bytes);
    uint64_t space = wal_record_space(header.body_bytes);
    wal_record_encode_header(&place, &header, group->bytes + group->used_bytes);
    group->used_bytes += (size_t)space;
    group->last_lsn = header.lsn;
    wal->offset += space;
    wal->last_lsn = header.lsn;
    wal->stat.record_count++;
    *ret_lsn = header.lsn;
    return wal->is_writing ? WEIR_OK : submit(wal, err);
}

int weir_wal_append(weir_wal *wal, uint8_t type, const void *bytes, size_t len, uint64_t *ret_lsn,
                    struct weir_error *err)
{
    if (type == WEIR_WAL_TYPE_OWN) {
        return weir_error_set(err, WEIR_EINVAL, "log record type 0 is the log's own");
    }
    return wal_append(wal, type, bytes, len, ret_lsn, err);
}

int weir_wal_poll(weir_wal *wal, uint64_t wait_us, uint64_t *ret_durable_lsn,
                  struct weir_error *err)
{
    struct weir_error cause = { 0 };
    int rc = WEIR_OK;

    if (wal->failed) {
        return wal_failed_before(wal, err);
    }
    /* While a write of records is under way, so that nobody waits for both. */
    rc = wal_supply_step(wal, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (wal->is_writing && !wal->is_looked_for) {
        wal->is_looked_for = true; /* now, while the device is at work, it costs no time */
        if (wal_check_write(wal, &cause) != WEIR_OK) {
            return wal_fail(wal, &cause, err); /* W2: no open would find these records */
        }
    }
    if (weir_io_poll(wal->io, wal->is_writing && !wal->write.done ? wait_us : 0, &cause) !=
        WEIR_OK) {
        return wal_fail(wal, &cause, err);
    }
    if (wal->is_writing) {
        rc = wal->write.done ? complete(wal, err)
                             : wal_check_answer(wal, &wal->write, wal->writing_since_us, err);
    }
    if (rc == WEIR_OK && !wal->is_writing && wal->waiting.used_bytes > 0) {
        rc = submit(wal, err);
    }
    if (rc == WEIR_OK && wal->supply.is_writing && wal->supply.write.done) {
        rc = wal_supply_step(wal, err); /* a caller that sleeps would not come back for it */
    }
    if (rc == WEIR_OK && ret_durable_lsn != NULL) {
        *ret_durable_lsn = wal->durable_lsn;
    }
    return rc;
}

int weir_wal_wait(weir_wal *wal, uint64_t lsn, struct weir_error *err)
{
    enum { WAIT_US = 1000000 };
    int rc = WEIR_OK;

    if (lsn > wal->last_lsn) {
        return weir_error_set(err, WEIR_EINVAL, "LSN %" PRIu64 " was never appended", lsn);
    }
    while (rc == WEIR_OK && wal->durable_lsn < lsn) {
        rc = weir_wal_poll(wal, WAIT_US, NULL, err);
    }
    return rc;
}

uint64_t weir_wal_durable(const weir_wal *wal)
{
    return wal->durable_lsn;
}

int weir_wal_fd(const weir_wal *wal)
{
    return weir_io_fd(wal->io);
}

void weir_wal_stat(const weir_wal *wal, struct weir_wal_stat *ret)
{
    *ret = wal->stat;
    memcpy(ret->uuid, wal->uuid, sizeof(ret->uuid));
    ret->backend = wal->io->ops->name;
    ret->backend_why = wal->io->why;
    ret->first_lsn = wal->segments[0].first_lsn;
    ret->newest_segment_lsn = wal->segments[wal->segment_count - 1].first_lsn;
    ret->last_lsn = wal->last_lsn;
    ret->durable_lsn = wal->durable_lsn;
    ret->stalled_us = wal->is_writing ? weir_io_mono_us(wal->io) - wal->writing_since_us : 0;
    ret->segment_count = wal->segment_count + (wal->supply.file != NULL ? 1 : 0);
    ret->segment_bytes = wal->supply.filled_bytes;
    for (size_t i = 0; i < wal->segment_count; i++) {
        ret->segment_bytes += wal->segments[i].bytes;
    }
}

/* --- Open and close ------------------------------------------------------------------------- */

/* Adds a mark and waits for it. The one of the opening holds random bytes: whatever an earlier life
 * left behind the end can never continue the chain. Both prove that the records before them were
 * durable, so damage to those is told from a torn tail. */
static int append_mark(struct weir_wal *wal, enum wal_mark mark, struct weir_error *err)
{
    uint8_t nonce[WEIR_IO_UUID_BYTES];
    struct weir_buf body = { 0 };
    uint64_t lsn;

    int rc = weir_io_random_bytes(wal->io, nonce, sizeof(nonce), err);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_put_u8(&body, (uint8_t)mark);
    weir_buf_put_u64(&body, (uint64_t)weir_io_now_us(wal->io));
    weir_buf_append(&body, nonce, sizeof(nonce));
    rc = body.failed ? weir_error_set(err, WEIR_ENOMEM, "mark the log: out of memory")
                     : wal_append(wal, WEIR_WAL_TYPE_OWN, body.data, body.len, &lsn, err);
    weir_buf_fini(&body);
    return rc == WEIR_OK ? weir_wal_wait(wal, lsn, err) : rc;
}

static int take_options(const struct weir_wal_options *opts, struct weir_wal *wal,
                        struct weir_error *err)
{
    wal->segment_bytes = WEIR_WAL_SEGMENT_BYTES_DEFAULT;
    if (opts == NULL) {
        return WEIR_OK;
    }
    if (opts->size_bytes != sizeof(*opts)) {
        return weir_error_set(err, WEIR_EINVAL, "weir_wal_options of another version");
    }
    if (opts->segment_bytes != 0) {
        wal->segment_bytes = opts->segment_bytes;
    }
    wal->retain_bytes = opts->retain_bytes;
    wal->retain_segments = opts->retain_segments;
    wal->compress_from_bytes = opts->compress_from_bytes;
    wal->write_limit_us = opts->write_limit_us;
    if (wal->segment_bytes < WEIR_WAL_SEGMENT_BYTES_MIN ||
        wal->segment_bytes > WEIR_WAL_SEGMENT_BYTES_MAX ||
        wal->segment_bytes % WAL_BLOCK_BYTES != 0) {
        return weir_error_set(err, WEIR_ECONFIG,
                              "log segments of %" PRIu64 " bytes: give %d to %d, a multiple of %d",
                              wal->segment_bytes, WEIR_WAL_SEGMENT_BYTES_MIN,
                              WEIR_WAL_SEGMENT_BYTES_MAX, WAL_BLOCK_BYTES);
    }
    if (wal->compress_from_bytes == 0) {
        return WEIR_OK;
    }
    return wal->compress_from_bytes >= WEIR_WAL_COMPRESS_BYTES_MIN
               ? wal_packer_open(&wal->packer, err)
               : weir_error_set(err, WEIR_ECONFIG,
                                "log records compressed from %" PRIu64 " bytes on: give 0 (never), "
                                "or %d and more",
                                wal->compress_from_bytes, WEIR_WAL_COMPRESS_BYTES_MIN);
}

static bool is_under_way(const struct weir_wal *wal)
{
    return (wal->is_writing && !wal->write.done) ||
           (wal->supply.is_writing && !wal->supply.write.done);
}

/* Waits for everything under way, but not once more for what was waited for in vain. */
static bool drain(struct weir_wal *wal)
{
    enum { WAIT_US = 1000000 };
    uint64_t wait_us = wal->is_stalled ? 0 : WAIT_US;

    while (is_under_way(wal)) {
        if (weir_io_poll(wal->io, wait_us, NULL) != WEIR_OK ||
            (wal->is_stalled && is_under_way(wal))) {
            return false;
        }
    }
    return true;
}

/* Frees wal. Buffers that the I/O layer does not give back are left to it (io.h, I1). */
static void release(struct weir_wal *wal)
{
    if (!drain(wal)) {
        return;
    }
    wal->supply.is_writing = false;
    wal_supply_fini(wal);
    if (wal->is_writing && wal->writing.file != wal->file) {
        weir_io_file_close(wal->io, wal->writing.file);
    }
    weir_io_file_close(wal->io, wal->file);
    (void)WEIR_FAIL_POINT(stop_unlock_before, NULL);
    weir_io_unlock_dir(wal->io, wal->lock);
    (void)WEIR_FAIL_POINT(stop_unlock_after, NULL);
    wal_packer_close(wal->packer);
    free(wal->waiting.bytes);
    free(wal->writing.bytes);
    free(wal->segments);
    free(wal->dir);
    free(wal);
}

int weir_wal_open(struct weir_io *io, const char *dir, const struct weir_wal_options *opts,
                  weir_wal **ret, struct weir_error *err)
{
    struct weir_wal *wal = calloc(1, sizeof(*wal));
    int rc;

    if (wal == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "open log %s: out of memory", dir);
    }
    wal->io = io;
    wal->dir = strdup(dir);
    rc = wal->dir == NULL ? weir_error_set(err, WEIR_ENOMEM, "open log %s: out of memory", dir)
                          : take_options(opts, wal, err);
    if (rc == WEIR_OK) {
        rc = WEIR_FAIL_AROUND(start_open_dir, weir_io_make_dir(io, dir, err), err);
    }
    if (rc == WEIR_OK) {
        rc = WEIR_FAIL_AROUND(start_lock, weir_io_lock_dir(io, dir, &wal->lock, err), err);
    }
    if (rc == WEIR_OK) {
        rc = wal_repair(wal, err);
    }
    if (rc == WEIR_OK) {
        rc = WEIR_FAIL_AROUND(start_mark, append_mark(wal, WAL_MARK_OPENED, err), err);
    }
    if (rc != WEIR_OK) {
        release(wal);
        return rc;
    }
    *ret = wal;
    return WEIR_OK;
}

void weir_wal_close(weir_wal *wal)
{
    if (wal == NULL) {
        return;
    }
    if (weir_wal_wait(wal, wal->last_lsn, NULL) == WEIR_OK) {
        /* It only helps; nobody waits for it. */
        (void)WEIR_FAIL_AROUND(stop_mark, append_mark(wal, WAL_MARK_CLOSED, NULL), NULL);
    }
    release(wal);
}
