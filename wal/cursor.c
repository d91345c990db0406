/* cursor.c: reads durable records back, oldest first.
 *
 * Uses     wal/segment.h to read; the open log for what is durable and where segments begin.
 * C1  A cursor keeps its segment from being trimmed (segment.cursor_count).
 * C2  Only durable records are shown, so nothing that is shown can disappear.
 * Checked by tests/unit/wal/test_wal.c and test_damage.c. */
#include "wal/wal_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

struct weir_wal_cursor {
    struct weir_wal *wal;
    struct wal_reader reader; /* of the segment it stands in */
    struct wal_chain chain;
    uint64_t offset;
    uint64_t from_lsn; /* records below are passed over */
};

static void leave(struct weir_wal_cursor *cursor)
{
    struct wal_segment *segment = wal_find_segment(cursor->wal, cursor->reader.number);

    if (cursor->reader.file != NULL) {
        weir_assert(segment != NULL && segment->cursor_count > 0); /* C1 */
        segment->cursor_count--;
        wal_reader_close(&cursor->reader);
    }
}

/* Moves the cursor to the start of a segment. */
static int enter(struct weir_wal_cursor *cursor, uint64_t number, struct weir_error *err)
{
    struct wal_segment *segment = wal_find_segment(cursor->wal, number);
    enum wal_header_verdict verdict = WAL_HEADER_NONE;
    struct wal_segment_header header = { 0 };
    struct wal_reader reader = { 0 };

    weir_assert(segment != NULL);
    int rc = wal_reader_open(cursor->wal->io, cursor->wal->dir, number, &reader, err);
    if (rc == WEIR_OK) {
        rc = wal_reader_segment_header(&reader, &verdict, &header, err);
    }
    if (rc == WEIR_OK && (verdict != WAL_HEADER_WHOLE || header.number != number ||
                          header.first_lsn != segment->first_lsn ||
                          memcmp(header.uuid, cursor->wal->uuid, sizeof(header.uuid)) != 0)) {
        rc = weir_error_set_reason(err, WEIR_ECORRUPT, "log_corrupt",
                                   "%s/%016" PRIu64 ".wal, offset 0: the segment's header was "
                                   "good when the log was opened and is damaged now",
                                   cursor->wal->dir, number);
    }
    if (rc != WEIR_OK) {
        wal_reader_close(&reader);
        return rc;
    }
    leave(cursor);
    segment->cursor_count++; /* C1 */
    cursor->reader = reader;
    cursor->offset = WAL_SEGMENT_HEADER_BYTES;
    cursor->chain.lsn = header.first_lsn;
    cursor->chain.crc = header.previous_crc;
    return WEIR_OK;
}

int weir_wal_cursor_open(weir_wal *wal, uint64_t from_lsn, weir_wal_cursor **ret,
                         struct weir_error *err)
{
    size_t index = 0;

    if (from_lsn != 0 && from_lsn < wal->segments[0].first_lsn) {
        return weir_error_set_reason(err, WEIR_ECONFLICT, "log_trimmed",
                                     "log record %" PRIu64 " is asked for, but the log begins at "
                                     "%" PRIu64,
                                     from_lsn, wal->segments[0].first_lsn);
    }
    struct weir_wal_cursor *cursor = calloc(1, sizeof(*cursor));
    if (cursor == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "read the log: out of memory");
    }
    cursor->wal = wal;
    cursor->from_lsn = from_lsn;
    memcpy(cursor->chain.uuid, wal->uuid, sizeof(cursor->chain.uuid));
    while (index + 1 < wal->segment_count && wal->segments[index + 1].first_lsn <= from_lsn &&
           wal->segments[index + 1].first_lsn <= wal->durable_lsn) {
        index++;
    }
    int rc = enter(cursor, wal->segments[index].number, err);
    if (rc != WEIR_OK) {
        free(cursor);
        return rc;
    }
    *ret = cursor;
    return WEIR_OK;
}

/* Reads the record that comes next, which is durable, in this segment or at the start of the
 * following one. */
static int step(struct weir_wal_cursor *cursor, struct weir_wal_record *ret, struct weir_error *err)
{
    bool skip_body = cursor->chain.lsn < cursor->from_lsn;
    struct wal_record_header header;
    enum wal_found found;

    struct wal_segment *following = wal_find_segment(cursor->wal, cursor->reader.number + 1);
    if (following != NULL && following->first_lsn == cursor->chain.lsn) {
        int rc = enter(cursor, following->number, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    int rc = wal_reader_record(&cursor->reader, &cursor->chain, cursor->offset, skip_body, &found,
                               &header, ret, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (found != WAL_FOUND) {
        return weir_error_set_reason(err, WEIR_ECORRUPT, "log_corrupt",
                                     "%s/%016" PRIu64 ".wal, offset %" PRIu64 ": record %" PRIu64
                                     " was good when the log was opened and is damaged now",
                                     cursor->wal->dir, cursor->reader.number, cursor->offset,
                                     cursor->chain.lsn);
    }
    cursor->offset += wal_record_space(header.body_bytes);
    cursor->chain.lsn++;
    cursor->chain.crc = header.crc;
    return WEIR_OK;
}

int weir_wal_cursor_next(weir_wal_cursor *cursor, struct weir_wal_record *ret,
                         struct weir_error *err)
{
    while (cursor->chain.lsn <= cursor->wal->durable_lsn) { /* C2 */
        struct weir_wal_record record;

        int rc = step(cursor, &record, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (record.lsn >= cursor->from_lsn && record.type != WEIR_WAL_TYPE_OWN) {
            *ret = record;
            return WEIR_OK;
        }
    }
    *ret = (struct weir_wal_record){ 0 };
    return WEIR_OK;
}

void weir_wal_cursor_close(weir_wal_cursor *cursor)
{
    if (cursor != NULL) {
        leave(cursor);
        free(cursor);
    }
}
