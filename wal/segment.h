/* segment.h: segment files: their names, which of them there are, and reading them. Internal to
 * wal/. Nothing here writes. */
#ifndef WEIR_WAL_SEGMENT_H
#define WEIR_WAL_SEGMENT_H

#include "wal/compress.h"
#include "wal/record.h"

enum {
    WAL_NAME_BYTES = 32, /* a file's name, with the NUL */
#ifdef WEIR_SMALL_LIMITS /* the simulator's: reading ahead ends inside a segment */
    WAL_READ_AHEAD_BYTES = 8192,
#else
    WAL_READ_AHEAD_BYTES = 1024 * 1024, /* read at once, when reading on */
#endif
};

/* The file that becomes the next segment, until it is long enough and durable. */
#define WAL_UNFINISHED_NAME "next.new"

void wal_segment_name(uint64_t number, char ret[WAL_NAME_BYTES]);
/* dir/name, of a directory that was listed once. */
void wal_path(const char *dir, const char *name, char ret[WEIR_IO_PATH_BYTES_MAX]);
void wal_segment_path(const char *dir, uint64_t number, char ret[WEIR_IO_PATH_BYTES_MAX]);

struct wal_listing {
    uint64_t *numbers; /* of the segment files, rising; owned */
    size_t count;
    bool has_unfinished; /* WAL_UNFINISHED_NAME is there */
};

/* Files that are not the log's are left out. Fails with WEIR_ECONFIG where dir is so long that their
 * paths would be too long; whatever opens a log lists it first, so nothing else has to ask. */
int wal_listing_read(struct weir_io *io, const char *dir, struct wal_listing *ret,
                     struct weir_error *err);
void wal_listing_fini(struct wal_listing *listing);

/* Reads one segment front to back through a window of aligned memory. A zeroed one is closed. */
struct wal_reader {
    struct weir_io *io;
    struct weir_io_file *file;
    uint64_t number;     /* by its name */
    uint64_t file_bytes; /* when it was opened */
    size_t ahead_bytes;  /* read at once; WAL_READ_AHEAD_BYTES unless set otherwise */
    uint8_t *window;
    size_t capacity_bytes;
    uint64_t window_at;
    size_t window_bytes;
    struct wal_unpacker unpacker;
};

int wal_reader_open(struct weir_io *io, const char *dir, uint64_t number, struct wal_reader *ret,
                    struct weir_error *err);
void wal_reader_close(struct wal_reader *reader);

/* At least want bytes from the aligned offset at, or fewer where the file ends. *ret is valid until
 * the next call. A failed read is tried once more: reading changes nothing. */
int wal_reader_get(struct wal_reader *reader, uint64_t at, size_t want, const uint8_t **ret,
                   size_t *ret_available, struct weir_error *err);

/* What says that this is no header is read a second time before that is believed. */
int wal_reader_segment_header(struct wal_reader *reader, enum wal_header_verdict *ret_verdict,
                              struct wal_segment_header *ret, struct weir_error *err);

/* Where in the chain a reader of records stands. */
struct wal_chain {
    uint8_t uuid[WEIR_IO_UUID_BYTES];
    uint64_t lsn; /* of the record that comes next */
    uint32_t crc; /* of the one before it */
};

/* What is found where a record is expected. */
enum wal_found {
    WAL_FOUND,
    WAL_FOUND_NOTHING, /* no whole record that continues the chain */
    WAL_FOUND_BROKEN,  /* such a record, but its body cannot be unpacked */
    WAL_FOUND_UNKNOWN, /* such a record, stored in a way that this build cannot read */
};

/* The record that the chain expects at at. Where there is nothing, the bytes are read a second time
 * before that is believed. With skip_body only its header is checked. ret and *ret_header are filled
 * when it is found; ret->bytes is valid until the next call. */
int wal_reader_record(struct wal_reader *reader, const struct wal_chain *chain, uint64_t at,
                      bool skip_body, enum wal_found *ret_found,
                      struct wal_record_header *ret_header, struct weir_wal_record *ret,
                      struct weir_error *err);

#endif
