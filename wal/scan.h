/* scan.h: reads a whole log and says where it ends. Internal to wal/. Nothing here writes. */
#ifndef WEIR_WAL_SCAN_H
#define WEIR_WAL_SCAN_H

#include "wal/segment.h"

/* A segment that holds records, or is the first of its log. */
struct wal_segment {
    uint64_t number;
    uint64_t first_lsn;
    uint64_t bytes; /* whole blocks of the file */
    uint32_t cursor_count;
};

struct wal_scan {
    uint8_t uuid[WEIR_IO_UUID_BYTES];
    struct wal_segment *segments; /* oldest first, without gaps; owned */
    size_t segment_count;         /* 0: there is no log */
    struct wal_listing listing;   /* everything that was there */
    size_t leftover_count; /* first ones of listing: trimmed before, but back after a crash */
    bool has_unstarted;    /* the file behind the last segment, prepared and not used yet */
    uint64_t unstarted_bytes;
    uint64_t end;        /* offset in the last segment behind its last record */
    uint64_t unproven;   /* offset there of the first record that no later one proves durable */
    uint64_t torn_bytes; /* remains behind end of a write that was cut off */
    uint64_t unstarted_torn_bytes; /* the same from the start of the unstarted file, its header
                                    * included; 0: there are none */
    struct wal_chain chain;        /* what comes next */
    uint64_t record_count, record_bytes;
    uint64_t compressed_count, compressed_plain_bytes, compressed_stored_bytes;
    uint64_t corrupt_number; /* on WEIR_ECORRUPT: the segment found damaged */
};

/* Reads all of it, calling visit (NULL allowed) for each record. ret is filled as far as it was
 * read even on failure; the caller passes it to wal_scan_fini(). */
int wal_scan_read(struct weir_io *io, const char *dir, weir_wal_visit_fn *visit, void *context,
                  struct wal_scan *ret, struct weir_error *err);
void wal_scan_fini(struct wal_scan *scan);

/* What a good scan of a log that is there says to the outside, but for is_closed. */
void wal_report_fill(const struct wal_scan *scan, struct weir_wal_report *ret);

#endif
