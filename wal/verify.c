/* verify.c: checks a log without changing it, also one that another process is writing.
 *
 * Uses     wal/scan.h.
 * V1  A log that is being written moves on while it is read. Damage is reported only when a second
 *     reading finds it in the same segment: what was half written the first time is whole then.
 * V2  Each record is visited once, however often the log is read.
 * Checked by tests/unit/wal/test_verify.c. */
#include "wal/scan.h"

#include <inttypes.h>
#include <string.h>

enum { READINGS_MAX = 3 };

struct visited {
    weir_wal_visit_fn *visit;
    void *context;
    uint64_t last_lsn;
    bool is_closed; /* that record is the mark of an orderly end */
};

static int visit_once(void *context, const struct weir_wal_place *place,
                      const struct weir_wal_record *record, struct weir_error *err)
{
    struct visited *visited = context;

    if (record->lsn <= visited->last_lsn) {
        return WEIR_OK; /* V2 */
    }
    visited->last_lsn = record->lsn;
    visited->is_closed =
        record->type == WEIR_WAL_TYPE_OWN && record->len > 0 && record->bytes[0] == WAL_MARK_CLOSED;
    return visited->visit == NULL ? WEIR_OK : visited->visit(visited->context, place, record, err);
}

static bool is_listed(struct weir_io *io, const char *dir, uint64_t number)
{
    struct wal_listing listing = { 0 };
    bool found = false;

    if (wal_listing_read(io, dir, &listing, NULL) != WEIR_OK) {
        return true; /* what was found damaged is reported */
    }
    for (size_t i = 0; i < listing.count; i++) {
        found = found || listing.numbers[i] == number;
    }
    wal_listing_fini(&listing);
    return found;
}

void wal_report_fill(const struct wal_scan *scan, struct weir_wal_report *ret)
{
    const struct wal_segment *last = &scan->segments[scan->segment_count - 1];

    *ret = (struct weir_wal_report){
        .segment_count = scan->segment_count + (scan->has_unstarted ? 1 : 0),
        .record_count = scan->record_count,
        .record_bytes = scan->record_bytes,
        .compressed_count = scan->compressed_count,
        .compressed_plain_bytes = scan->compressed_plain_bytes,
        .compressed_stored_bytes = scan->compressed_stored_bytes,
        .segment_bytes = scan->unstarted_bytes,
        .torn_bytes = scan->torn_bytes + scan->unstarted_torn_bytes,
        .next_torn_bytes = scan->unstarted_torn_bytes,
        .end_segment_number = last->number,
        .end_offset = scan->end,
    };
    memcpy(ret->uuid, scan->uuid, sizeof(ret->uuid));
    for (size_t i = 0; i < scan->segment_count; i++) {
        ret->segment_bytes += scan->segments[i].bytes;
    }
    if (scan->record_count > 0) {
        ret->last_lsn = scan->chain.lsn - 1;
        ret->first_lsn = ret->last_lsn - scan->record_count + 1;
    }
}

int weir_wal_verify(struct weir_io *io, const char *dir, weir_wal_visit_fn *visit, void *context,
                    struct weir_wal_report *ret, struct weir_error *err)
{
    struct visited visited = { .visit = visit, .context = context };
    uint64_t corrupt_number = 0;
    int rc = WEIR_OK;

    for (int reading = 0; reading < READINGS_MAX; reading++) {
        struct wal_scan scan = { 0 };

        rc = wal_scan_read(io, dir, visit_once, &visited, &scan, err);
        bool is_sure = rc != WEIR_ECORRUPT || scan.corrupt_number == corrupt_number; /* V1 */
        corrupt_number = scan.corrupt_number;
        if (rc == WEIR_OK && scan.segment_count > 0) {
            wal_report_fill(&scan, ret);
            ret->is_closed = visited.is_closed;
        } else if (rc == WEIR_OK) {
            rc = weir_error_set_reason(err, WEIR_ECONFLICT, "log_missing", "%s holds no log", dir);
        }
        wal_scan_fini(&scan);
        if (is_sure) {
            break;
        }
    }
    if (rc == WEIR_ECORRUPT && !is_listed(io, dir, corrupt_number)) {
        return weir_error_set(err, WEIR_EBUSY,
                              "%s/%016" PRIu64 ".wal was trimmed while it was read: run this again",
                              dir, corrupt_number);
    }
    return rc;
}
