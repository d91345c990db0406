/* record.h: the bytes of the log: segment headers and records. Internal to wal/.
 *
 * docs/FORMAT.md shows the layout. Every checksum also covers the place (log uuid, segment number,
 * offset) at which the bytes belong, so bytes of another log, of a segment's earlier life, or
 * written to the wrong place never pass for what should be there.
 * B1  Encoders fill whole blocks, padding zeroed, and checksums cover the padding: no bit of a
 *     record is unwatched. */
#ifndef WEIR_WAL_RECORD_H
#define WEIR_WAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wal/wal.h"

enum {
    WAL_BLOCK_BYTES = WEIR_IO_ALIGN_BYTES,
    WAL_VERSION = 1,
    WAL_RECORD_HEADER_BYTES = 40,
    WAL_SEGMENT_HEADER_BYTES = WAL_BLOCK_BYTES, /* records follow it */
};

_Static_assert(WEIR_WAL_RECORD_BYTES_MAX < UINT32_MAX - 2 * WAL_BLOCK_BYTES,
               "a record's length, padded, fits its field");
_Static_assert(WEIR_WAL_WAITING_BYTES_MAX <= WEIR_WAL_RECORD_BYTES_MAX,
               "one write carries at most as much as the longest record");
_Static_assert(WEIR_WAL_RECORD_BYTES_MAX + 2 * WAL_BLOCK_BYTES <= WEIR_WAL_SEGMENT_BYTES_MAX,
               "every record fits a segment of some size");
_Static_assert(WEIR_WAL_SEGMENT_BYTES_MIN % WAL_BLOCK_BYTES == 0, "segments are whole blocks");

/* The log's own marks, by their first byte. */
enum wal_mark { WAL_MARK_OPENED = 1, WAL_MARK_CLOSED = 2 };

/* What the bytes of a record's body are. */
enum wal_storage { WAL_STORED_PLAIN = 0, WAL_STORED_PACKED = 1 /* see wal/compress.h */ };

/* Where bytes belong. Part of every checksum, not written out with them. */
struct wal_place {
    uint8_t uuid[WEIR_IO_UUID_BYTES];
    uint64_t segment_number;
    uint64_t offset;
};

/* The header of a segment: its first block. */
struct wal_segment_header {
    uint8_t uuid[WEIR_IO_UUID_BYTES];
    uint64_t number;        /* 1, 2, 3, ... without gaps */
    uint64_t first_lsn;     /* of its first record */
    uint64_t oldest_number; /* oldest segment that was still needed when this one was begun */
    uint32_t previous_crc;  /* of the record before its first one */
    uint64_t file_bytes;    /* length of its file, which never changes from then on */
};

/* The header of a record. */
struct wal_record_header {
    uint32_t crc;      /* of the fields below and the place */
    uint32_t body_crc; /* of the bytes behind the header up to the end of the block, and place */
    uint32_t previous_crc; /* crc of the record before: the chain */
    uint32_t body_bytes;   /* as stored */
    uint8_t type;
    uint8_t storage; /* enum wal_storage, or what only later versions know */
    uint64_t lsn;
    uint64_t durable_lsn; /* records up to here were durable when this one's write began */
};

/* What bytes at some place are. */
enum wal_verdict {
    WAL_WHOLE,    /* a record that belongs there, every bit of it */
    WAL_TORN,     /* its header is whole, its body is not (or not all there) */
    WAL_NO_RECORD /* no header that belongs there */
};

enum wal_header_verdict {
    WAL_HEADER_WHOLE,
    WAL_HEADER_VERSION, /* whole, but of a version that is not ours; ret is not filled */
    WAL_HEADER_NONE
};

/* Bytes that a record of len bytes takes up: whole blocks. */
static inline uint64_t wal_record_space(uint64_t len)
{
    return (WAL_RECORD_HEADER_BYTES + len + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES *
           WAL_BLOCK_BYTES;
}

/* Fills the block at block with a segment's header. */
void wal_segment_header_encode(const struct wal_segment_header *header, uint8_t *block);
enum wal_header_verdict wal_segment_header_inspect(const uint8_t *block, size_t bytes,
                                                   struct wal_segment_header *ret);

/* Writes a record's body at at, in wal_record_space(len) bytes, leaving room for its header.
 * Returns the body's checksum. */
uint32_t wal_record_encode_body(const struct wal_place *place, const void *bytes, size_t len,
                                uint8_t *at);
/* The same where the body's len bytes are there already. */
uint32_t wal_record_finish_body(const struct wal_place *place, size_t len, uint8_t *at);
/* Writes the header in front of an encoded body. Sets header->crc. */
void wal_record_encode_header(const struct wal_place *place, struct wal_record_header *header,
                              uint8_t *at);

/* Reads the header of what should be a record at place. Returns false when it does not belong there
 * (WAL_NO_RECORD). bytes must be at least WAL_RECORD_HEADER_BYTES. */
bool wal_record_header_inspect(const struct wal_place *place, const uint8_t *at,
                               struct wal_record_header *ret);
/* Judges the record at at, of which available bytes can be read. ret is filled unless the verdict
 * is WAL_NO_RECORD. */
enum wal_verdict wal_record_inspect(const struct wal_place *place, const uint8_t *at,
                                    size_t available, struct wal_record_header *ret);

#endif
