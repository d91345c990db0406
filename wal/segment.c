/* segment.c: names, lists and reads segment files.
 *
 * Uses     io/io.h to read, wal/record.h to judge what was read.
 * S1  The window never holds more than was read: what lies behind window_bytes is not looked at.
 * S2  No path is too long: a directory is listed before a file in it is named.
 * Checked by tests/unit/wal/. */
#include "wal/segment.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* --- Names ---------------------------------------------------------------------------------- */

/* Sixteen digits and more where they do not suffice, then ".wal". By hand: a scan of the log asks for
 * each name several times, and a printf would be a good part of what it costs. */
void wal_segment_name(uint64_t number, char ret[WAL_NAME_BYTES])
{
    static const char end[] = ".wal";
    enum { DIGITS = 16, DIGITS_MAX = 20 /* of 2^64 - 1 */ };
    char digits[] = "00000000000000000000";
    size_t first = DIGITS_MAX;

    while (number != 0) {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    }
    first = first < DIGITS_MAX - DIGITS ? first : DIGITS_MAX - DIGITS;
    memcpy(ret, digits + first, DIGITS_MAX - first);
    memcpy(ret + DIGITS_MAX - first, end, sizeof(end));
}

void wal_path(const char *dir, const char *name, char ret[WEIR_IO_PATH_BYTES_MAX])
{
    size_t dir_len = strlen(dir);
    size_t name_len = strlen(name);

    weir_assert(dir_len + 1 + name_len < WEIR_IO_PATH_BYTES_MAX); /* S2 */
    memcpy(ret, dir, dir_len);
    ret[dir_len] = '/';
    memcpy(ret + dir_len + 1, name, name_len + 1);
}

void wal_segment_path(const char *dir, uint64_t number, char ret[WEIR_IO_PATH_BYTES_MAX])
{
    char name[WAL_NAME_BYTES];

    wal_segment_name(number, name);
    wal_path(dir, name, ret);
}

/* The number of a segment's file name, 0 for any other name. */
static uint64_t number_of(const char *name)
{
    char back[WAL_NAME_BYTES];
    uint64_t number = strtoull(name, NULL, 10);

    wal_segment_name(number, back);
    return strcmp(name, back) == 0 ? number : 0; /* "1.wal" is no name of ours */
}

static int add_name(void *context, const char *name, struct weir_error *err)
{
    struct wal_listing *listing = context;
    uint64_t number = number_of(name);

    if (strcmp(name, WAL_UNFINISHED_NAME) == 0) {
        listing->has_unfinished = true;
    }
    if (number == 0) {
        return WEIR_OK;
    }
    uint64_t *numbers = realloc(listing->numbers, (listing->count + 1) * sizeof(*numbers));
    if (numbers == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "list the log: out of memory");
    }
    listing->numbers = numbers;
    listing->numbers[listing->count++] = number;
    return WEIR_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

int wal_listing_read(struct weir_io *io, const char *dir, struct wal_listing *ret,
                     struct weir_error *err)
{
    struct wal_listing listing = { 0 };

    if (strlen(dir) + WAL_NAME_BYTES >= WEIR_IO_PATH_BYTES_MAX) { /* S2 */
        return weir_error_set(err, WEIR_ECONFIG, "path too long: %s", dir);
    }
    int rc = weir_io_list(io, dir, add_name, &listing, err);
    if (rc != WEIR_OK) {
        wal_listing_fini(&listing);
        return rc;
    }
    if (listing.count > 0) {
        qsort(listing.numbers, listing.count, sizeof(*listing.numbers), compare_numbers);
    }
    *ret = listing;
    return WEIR_OK;
}

void wal_listing_fini(struct wal_listing *listing)
{
    if (listing != NULL) {
        free(listing->numbers);
        *listing = (struct wal_listing){ 0 };
    }
}

/* --- Reading -------------------------------------------------------------------------------- */

int wal_reader_open(struct weir_io *io, const char *dir, uint64_t number, struct wal_reader *ret,
                    struct weir_error *err)
{
    struct wal_reader reader = { .io = io, .number = number, .ahead_bytes = WAL_READ_AHEAD_BYTES };
    char path[WEIR_IO_PATH_BYTES_MAX];

    wal_segment_path(dir, number, path);
    int rc = weir_io_file_open(io, path, WEIR_IO_READ | WEIR_IO_DIRECT, &reader.file, err);
    if (rc == WEIR_OK) {
        bool is_named;
        rc = weir_io_size(io, reader.file, &reader.file_bytes, &is_named, err);
    }
    if (rc != WEIR_OK) {
        wal_reader_close(&reader);
        return rc;
    }
    *ret = reader;
    return WEIR_OK;
}

void wal_reader_close(struct wal_reader *reader)
{
    if (reader != NULL && reader->io != NULL) {
        weir_io_file_close(reader->io, reader->file);
        free(reader->window);
        wal_unpacker_fini(&reader->unpacker);
        *reader = (struct wal_reader){ 0 };
    }
}

static int fill_window(struct wal_reader *reader, uint64_t at, size_t want, struct weir_error *err)
{
    uint64_t left_bytes = reader->file_bytes > at ? reader->file_bytes - at : 0;
    size_t bytes = reader->ahead_bytes;
    size_t got;

    if (bytes > left_bytes) {
        bytes = (size_t)(left_bytes + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    }
    bytes = want < bytes ? bytes : want;

    if (reader->capacity_bytes < bytes) {
        uint8_t *window = weir_io_alloc(bytes);
        if (window == NULL) {
            return weir_error_set(err, WEIR_ENOMEM, "read the log: out of memory");
        }
        free(reader->window);
        reader->window = window;
        reader->capacity_bytes = bytes;
    }
    reader->window_bytes = 0;
    int rc = weir_io_read_at(reader->io, reader->file, at, reader->window, bytes, &got, err);
    if (rc == WEIR_EIO) {
        rc = weir_io_read_at(reader->io, reader->file, at, reader->window, bytes, &got, err);
    }
    if (rc == WEIR_OK) {
        reader->window_at = at;
        reader->window_bytes = got;
    }
    return rc;
}

int wal_reader_get(struct wal_reader *reader, uint64_t at, size_t want, const uint8_t **ret,
                   size_t *ret_available, struct weir_error *err)
{
    weir_assert(at % WAL_BLOCK_BYTES == 0);
    want = (want + WAL_BLOCK_BYTES - 1) / WAL_BLOCK_BYTES * WAL_BLOCK_BYTES;
    if (at < reader->window_at || at + want > reader->window_at + reader->window_bytes) {
        int rc = fill_window(reader, at, want, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    size_t skip = (size_t)(at - reader->window_at);
    weir_assert(skip <= reader->window_bytes); /* S1 */
    *ret = reader->window + skip;
    *ret_available = reader->window_bytes - skip;
    return WEIR_OK;
}

static int read_segment_header(struct wal_reader *reader, enum wal_header_verdict *ret_verdict,
                               bool *ret_is_blank, struct wal_segment_header *ret,
                               struct weir_error *err)
{
    const uint8_t *block;
    size_t available;

    int rc = wal_reader_get(reader, 0, WAL_SEGMENT_HEADER_BYTES, &block, &available, err);
    if (rc == WEIR_OK) {
        *ret_verdict = wal_segment_header_inspect(block, available, ret);
        *ret_is_blank =
            available == 0 || (block[0] == 0 && memcmp(block, block + 1, available - 1) == 0);
    }
    return rc;
}

int wal_reader_segment_header(struct wal_reader *reader, enum wal_header_verdict *ret_verdict,
                              struct wal_segment_header *ret, struct weir_error *err)
{
    bool is_blank = false; /* a file that was prepared, or nothing: no other bytes are expected */
    int rc = read_segment_header(reader, ret_verdict, &is_blank, ret, err);

    if (rc == WEIR_OK && *ret_verdict == WAL_HEADER_NONE && !is_blank) {
        reader->window_bytes = 0; /* as for a record */
        rc = read_segment_header(reader, ret_verdict, &is_blank, ret, err);
    }
    return rc;
}

/* Makes of a whole body at bytes what was appended. */
static int read_body(struct wal_reader *reader, const struct wal_record_header *header,
                     const uint8_t *bytes, enum wal_found *ret_found, struct weir_wal_record *ret,
                     struct weir_error *err)
{
    enum wal_unpacked unpacked = WAL_UNPACK_UNKNOWN;

    if (header->storage == WAL_STORED_PLAIN) {
        *ret_found = WAL_FOUND;
        ret->bytes = bytes;
        return WEIR_OK;
    }
    if (header->storage == WAL_STORED_PACKED) {
        int rc =
            wal_unpack(&reader->unpacker, bytes, header->body_bytes, &unpacked, &ret->len, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        ret->bytes = reader->unpacker.bytes;
    }
    *ret_found = unpacked == WAL_UNPACKED        ? WAL_FOUND
                 : unpacked == WAL_UNPACK_BROKEN ? WAL_FOUND_BROKEN
                                                 : WAL_FOUND_UNKNOWN;
    return WEIR_OK;
}

static int read_record(struct wal_reader *reader, const struct wal_chain *chain, uint64_t at,
                       bool skip_body, enum wal_found *ret_found,
                       struct wal_record_header *ret_header, struct weir_wal_record *ret,
                       struct weir_error *err)
{
    struct wal_place place = { .segment_number = reader->number, .offset = at };
    struct wal_record_header header;
    const uint8_t *bytes;
    size_t available;

    *ret_found = WAL_FOUND_NOTHING;
    memcpy(place.uuid, chain->uuid, sizeof(place.uuid));
    int rc = wal_reader_get(reader, at, WAL_BLOCK_BYTES, &bytes, &available, err);
    if (rc != WEIR_OK || available < WAL_RECORD_HEADER_BYTES ||
        !wal_record_header_inspect(&place, bytes, &header) || header.lsn != chain->lsn ||
        header.previous_crc != chain->crc) {
        return rc;
    }
    *ret = (struct weir_wal_record){ .lsn = header.lsn,
                                     .type = header.type,
                                     .len = header.body_bytes };
    *ret_header = header;
    if (skip_body) {
        *ret_found = WAL_FOUND;
        return WEIR_OK;
    }
    rc = wal_reader_get(reader, at, (size_t)wal_record_space(header.body_bytes), &bytes, &available,
                        err);
    if (rc != WEIR_OK || wal_record_inspect(&place, bytes, available, ret_header) != WAL_WHOLE) {
        return rc;
    }
    return read_body(reader, &header, bytes + WAL_RECORD_HEADER_BYTES, ret_found, ret, err);
}

int wal_reader_record(struct wal_reader *reader, const struct wal_chain *chain, uint64_t at,
                      bool skip_body, enum wal_found *ret_found,
                      struct wal_record_header *ret_header, struct weir_wal_record *ret,
                      struct weir_error *err)
{
    int rc = read_record(reader, chain, at, skip_body, ret_found, ret_header, ret, err);

    if (rc == WEIR_OK && *ret_found == WAL_FOUND_NOTHING) {
        /* Wrong bytes may come from the way, not from the device; and a writer may just have
         * finished what this window saw half done. */
        reader->window_bytes = 0;
        rc = read_record(reader, chain, at, skip_body, ret_found, ret_header, ret, err);
    }
    return rc;
}
