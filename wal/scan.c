/* scan.c: finds the end of a log, and tells a write cut off by a crash from damage.
 *
 * One write is under way at a time, and every record says which records were durable when its
 * write began. So what was cut off lies behind the last whole record, and nothing that can be read
 * there claims that it was durable; a record that claims so proves that an acknowledged record
 * before it is gone. The same holds for the first write of a new segment, which carries the
 * segment's header.
 *
 * A segment that is missing altogether shows by its number, but for the last one: behind a log that
 * lost its last segment lies nothing that could tell. Its user's ledger does.
 *
 * Uses     wal/segment.h to read. Nothing above wal/.
 * R1  The log has no gaps: LSNs rise by one, each record names the checksum of the one before.
 * R2  A torn record is accepted only at the very end. Anywhere else it is damage, and opening
 *     fails: records acknowledged after it would silently disappear.
 * R3  Nothing is written here, so an interrupted recovery simply runs again.
 * Checked by tests/unit/wal/test_damage.c (every bit, every byte) and test_crash.c. */
#include "wal/scan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/fail_point.h"

/* A segment file, before it is known what it is. */
struct candidate {
    uint64_t number;
    uint64_t bytes;
    enum wal_header_verdict verdict;
    struct wal_segment_header header;
};

struct scan_run {
    struct weir_io *io;
    const char *dir;
    weir_wal_visit_fn *visit;
    void *context;
    struct wal_scan *scan;
    struct candidate *files; /* those of scan->listing behind the leftovers */
    size_t file_count;
};

static int corrupt(struct scan_run *run, uint64_t number, uint64_t offset, const char *what,
                   struct weir_error *err)
{
    run->scan->corrupt_number = number;
    return weir_error_set_reason(
        err, WEIR_ECORRUPT, "log_corrupt",
        "%s/%016" PRIu64 ".wal, offset %" PRIu64
        ": %s; nothing was changed: put the file back from a copy, or move the directory away and "
        "let the ledger say where to go on",
        run->dir, number, offset, what);
}

/* --- Which files make up the log ------------------------------------------------------------ */

static int read_candidate(struct scan_run *run, uint64_t number, struct candidate *ret,
                          struct weir_error *err)
{
    struct wal_reader reader = { 0 };

    int rc = wal_reader_open(run->io, run->dir, number, &reader, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    reader.ahead_bytes = 0; /* the header is all that is wanted */
    *ret = (struct candidate){ .number = number,
                               .bytes = reader.file_bytes / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES };
    rc = wal_reader_segment_header(&reader, &ret->verdict, &ret->header, err);
    wal_reader_close(&reader);
    if (rc == WEIR_OK && ret->verdict == WAL_HEADER_VERSION) {
        return weir_error_set_reason(err, WEIR_ECONFLICT, "log_version",
                                     "%s/%016" PRIu64
                                     ".wal was written by another version of weir: "
                                     "open it with that one",
                                     run->dir, number);
    }
    return rc;
}

static bool is_started(const struct candidate *file)
{
    return file->verdict == WAL_HEADER_WHOLE && file->header.number == file->number;
}

/* Reads the headers of the files that follow each other up to the last one. Segments are removed
 * oldest first, each removal made durable before the next, so what a crash brings back lies below
 * the mark that the newest header holds; any other gap is a lost file. */
static int read_candidates(struct scan_run *run, struct weir_error *err)
{
    const struct wal_listing *listing = &run->scan->listing;
    size_t first = listing->count - 1;

    while (first > 0 && listing->numbers[first - 1] + 1 == listing->numbers[first]) {
        first--;
    }
    run->scan->leftover_count = first;
    run->file_count = listing->count - first;
    run->files = calloc(run->file_count, sizeof(*run->files));
    if (run->files == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "read the log: out of memory");
    }
    for (size_t i = 0; i < run->file_count; i++) {
        int rc = read_candidate(run, listing->numbers[first + i], &run->files[i], err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    const struct candidate *newest = &run->files[run->file_count - 1];
    if (!is_started(newest) && run->file_count > 1) {
        newest--;
    }
    if (first > 0 &&
        (!is_started(newest) || listing->numbers[first - 1] >= newest->header.oldest_number)) {
        int rc = corrupt(run, listing->numbers[first] - 1, 0, "this segment is missing", err);
        run->scan->corrupt_number = listing->numbers[first]; /* one that can be looked up */
        return rc;
    }
    return WEIR_OK;
}

/* Refuses files that are not what their place among the others says. Only the last one may be a
 * file that was prepared and never begun: zeros, or a segment's earlier life. */
static int check_candidates(struct scan_run *run, struct weir_error *err)
{
    const struct candidate *first = &run->files[0];

    for (size_t i = 0; i < run->file_count; i++) {
        const struct candidate *file = &run->files[i];
        bool may_be_unstarted = i > 0 && i + 1 == run->file_count;

        if (file->bytes < WEIR_WAL_SEGMENT_BYTES_MIN) {
            return corrupt(run, file->number, file->bytes,
                           "the file ends here, shorter than any segment", err);
        }
        if (file->verdict == WAL_HEADER_NONE) {
            if (!may_be_unstarted) {
                return corrupt(run, file->number, 0, "the segment's header is damaged", err);
            }
        } else if (memcmp(file->header.uuid, first->header.uuid, WEIR_IO_UUID_BYTES) != 0) {
            return corrupt(run, file->number, 0, "this segment belongs to another log", err);
        } else if (file->header.number > file->number ||
                   (file->header.number < file->number && !may_be_unstarted)) {
            return corrupt(run, file->number, 0,
                           "the file holds another segment than its name says", err);
        } else if (is_started(file) && file->bytes < file->header.file_bytes) {
            /* A file is as long as it gets before it becomes a segment: no crash cuts it short. */
            return corrupt(run, file->number, file->bytes,
                           "the file ends here, but was longer when the segment was begun", err);
        }
    }
    return WEIR_OK;
}

/* --- Records -------------------------------------------------------------------------------- */

/* A record that belongs here, every bit of it, must also be one that can be read: R2. */
static int check_readable(struct scan_run *run, enum wal_found found, uint64_t number,
                          uint64_t offset, struct weir_error *err)
{
    if (found == WAL_FOUND_BROKEN) {
        return corrupt(run, number, offset,
                       "a record's checksums are right, but its compressed body does not hold what "
                       "it says",
                       err);
    }
    if (found == WAL_FOUND_UNKNOWN) {
        return weir_error_set_reason(
            err, WEIR_ECONFLICT, "log_version",
            "%s/%016" PRIu64 ".wal, offset %" PRIu64
            ": a record is stored in a way that this build of weir cannot "
            "read (is it one without zstd?): open the log with one that can",
            run->dir, number, offset);
    }
    return WEIR_OK;
}

static void count_record(struct wal_scan *scan, const struct wal_record_header *header,
                         const struct weir_wal_record *record)
{
    scan->record_count++;
    scan->record_bytes += record->len;
    if (header->storage == WAL_STORED_PACKED) {
        scan->compressed_count++;
        scan->compressed_plain_bytes += record->len;
        scan->compressed_stored_bytes += header->body_bytes;
    }
}

/* Reads a segment's records as far as the chain holds, and leaves scan at their end. */
static int walk(struct scan_run *run, struct wal_reader *reader, struct weir_error *err)
{
    struct wal_scan *scan = run->scan;
    struct weir_wal_place place = { .segment_number = reader->number };
    char name[WAL_NAME_BYTES];

    wal_segment_name(reader->number, name);
    place.name = name;
    scan->end = WAL_SEGMENT_HEADER_BYTES;
    scan->unproven = scan->end;
    for (;;) {
        struct wal_record_header header;
        struct weir_wal_record record;
        enum wal_found found;

        int rc = wal_reader_record(reader, &scan->chain, scan->end, false, &found, &header, &record,
                                   err);
        if (rc == WEIR_OK) {
            rc = check_readable(run, found, reader->number, scan->end, err);
        }
        if (rc != WEIR_OK || found == WAL_FOUND_NOTHING) {
            return rc;
        }
        place.offset = scan->end;
        if (run->visit != NULL) {
            rc = run->visit(run->context, &place, &record, err);
            if (rc != WEIR_OK) {
                return rc;
            }
        }
        if (header.durable_lsn + 1 == header.lsn) {
            scan->unproven = scan->end; /* all before it were durable when it was written */
        }
        count_record(scan, &header, &record);
        scan->chain.lsn = header.lsn + 1; /* R1 */
        scan->chain.crc = header.crc;
        scan->end += wal_record_space(header.body_bytes);
    }
}

/* Looks at every block from at on for headers of records that were written here. One that says
 * that the missing record was durable makes it damage (R2); others are remains of a write that
 * was cut off. *ret_torn_bytes is how far they reach. */
static int look_behind(struct scan_run *run, struct wal_reader *reader, uint64_t at,
                       uint64_t *ret_torn_bytes, struct weir_error *err)
{
    const struct wal_chain *chain = &run->scan->chain;
    struct wal_place place = { .segment_number = reader->number };
    uint64_t file_bytes = reader->file_bytes / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    uint64_t reach = at;

    memcpy(place.uuid, chain->uuid, sizeof(place.uuid));
    for (uint64_t offset = at; offset < file_bytes; offset += WAL_BLOCK_BYTES) {
        struct wal_record_header header;
        const uint8_t *bytes;
        size_t available;

        int rc = wal_reader_get(reader, offset, WAL_BLOCK_BYTES, &bytes, &available, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        place.offset = offset;
        if (available < WAL_BLOCK_BYTES || !wal_record_header_inspect(&place, bytes, &header)) {
            continue;
        }
        if (header.durable_lsn >= chain->lsn) {
            return corrupt(run, reader->number, at,
                           "a record is damaged here, although later ones prove that it was "
                           "written",
                           err);
        }
        uint64_t end = offset + wal_record_space(header.body_bytes);
        reach = end > reach ? end : reach;
    }
    *ret_torn_bytes = (reach < file_bytes ? reach : file_bytes) - at;
    return WEIR_OK;
}

static int add_segment(struct wal_scan *scan, const struct candidate *file, struct weir_error *err)
{
    struct wal_segment *segments =
        realloc(scan->segments, (scan->segment_count + 1) * sizeof(*segments));

    if (segments == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "read the log: out of memory");
    }
    scan->segments = segments;
    segments[scan->segment_count++] = (struct wal_segment){ .number = file->number,
                                                            .first_lsn = file->header.first_lsn,
                                                            .bytes = file->bytes };
    return WEIR_OK;
}

/* The newest file holds no whole record: it was never begun, or its first write was cut off. A
 * header that got through of that write counts as torn, too: it names the record that was to
 * follow, and recovery is going to put another one there. */
static int leave_unstarted(struct scan_run *run, const struct candidate *file,
                           struct wal_reader *reader, struct weir_error *err)
{
    struct wal_scan *scan = run->scan;
    uint64_t torn_bytes = 0;
    int rc = WEIR_OK;

    scan->has_unstarted = true;
    scan->unstarted_bytes = file->bytes;
    if (file->bytes > WAL_SEGMENT_HEADER_BYTES) {
        rc = look_behind(run, reader, WAL_SEGMENT_HEADER_BYTES, &torn_bytes, err);
    }
    if (rc == WEIR_OK && (is_started(file) || torn_bytes > 0)) {
        scan->unstarted_torn_bytes = WAL_SEGMENT_HEADER_BYTES + torn_bytes;
    }
    return rc;
}

/* Reads the records of file number index. The scan stands behind those of the files before it. */
static int read_segment(struct scan_run *run, size_t index, struct wal_reader *reader,
                        struct weir_error *err)
{
    struct wal_scan *scan = run->scan;
    const struct candidate *file = &run->files[index];
    uint64_t end_before = scan->end, unproven_before = scan->unproven;
    uint64_t lsn_before = scan->chain.lsn;

    if (!is_started(file)) {
        return leave_unstarted(run, file, reader, err);
    }
    if (index > 0 && (file->header.first_lsn != scan->chain.lsn ||
                      file->header.previous_crc != scan->chain.crc)) {
        return corrupt(run, file->number - 1, scan->end,
                       "a record is damaged here, although the next segment proves that it was "
                       "written",
                       err);
    }
    int rc = walk(run, reader, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    bool is_last = index + 1 == run->file_count;
    if (index > 0 && is_last && scan->chain.lsn == lsn_before) {
        scan->end = end_before;
        scan->unproven = unproven_before;
        return leave_unstarted(run, file, reader, err);
    }
    rc = add_segment(scan, file, err);
    if (rc == WEIR_OK && (is_last || (index + 2 == run->file_count && !is_started(file + 1)))) {
        rc = look_behind(run, reader, scan->end, &scan->torn_bytes, err);
    }
    return rc;
}

static int read_all(struct scan_run *run, struct weir_error *err)
{
    struct wal_scan *scan = run->scan;
    const struct wal_segment_header *first = &run->files[0].header;

    memcpy(scan->uuid, first->uuid, sizeof(scan->uuid));
    memcpy(scan->chain.uuid, first->uuid, sizeof(scan->chain.uuid));
    scan->chain.lsn = first->first_lsn;
    scan->chain.crc = first->previous_crc;
    for (size_t i = 0; i < run->file_count; i++) {
        struct wal_reader reader = { 0 };

        int rc = wal_reader_open(run->io, run->dir, run->files[i].number, &reader, err);
        if (rc == WEIR_OK) {
            rc = WEIR_FAIL_AROUND(start_read_segment, read_segment(run, i, &reader, err), err);
        }
        wal_reader_close(&reader);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    weir_assert(scan->segment_count > 0);
    return WEIR_OK;
}

int wal_scan_read(struct weir_io *io, const char *dir, weir_wal_visit_fn *visit, void *context,
                  struct wal_scan *ret, struct weir_error *err)
{
    struct scan_run run = { .io = io, .dir = dir, .visit = visit, .context = context, .scan = ret };

    *ret = (struct wal_scan){ 0 };
    int rc = wal_listing_read(io, dir, &ret->listing, err);
    if (rc != WEIR_OK || ret->listing.count == 0) {
        return rc;
    }
    rc = read_candidates(&run, err);
    if (rc == WEIR_OK) {
        rc = check_candidates(&run, err);
    }
    if (rc == WEIR_OK) {
        rc = read_all(&run, err);
    }
    free(run.files);
    return rc;
}

void wal_scan_fini(struct wal_scan *scan)
{
    if (scan != NULL) {
        free(scan->segments);
        wal_listing_fini(&scan->listing);
        *scan = (struct wal_scan){ 0 };
    }
}
