/* record.c: encodes and judges the bytes of the log. Pure functions of memory.
 *
 * B1 is checked by tests/unit/wal/test_record.c, which flips every bit. */
#include "wal/record.h"

#include <endian.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"

static const uint8_t segment_magic[8] = { 'W', 'E', 'I', 'R', 'W', 'A', 'L', '\n' };
static const uint8_t record_magic[4] = { 'W', 'R', 'E', 'C' };

/* Offsets in a segment's header. */
enum {
    SEGMENT_VERSION = 8,
    SEGMENT_CRC = 12,
    SEGMENT_UUID = 16,
    SEGMENT_NUMBER = 32,
    SEGMENT_FIRST_LSN = 40,
    SEGMENT_OLDEST_NUMBER = 48,
    SEGMENT_PREVIOUS_CRC = 56,
    SEGMENT_BLOCK_BYTES = 60,
    SEGMENT_FILE_BYTES = 64,
    SEGMENT_END = 72,
};

/* Offsets in a record's header. */
enum {
    RECORD_CRC = 4,
    RECORD_COVERED = 8, /* the crc covers all from here */
    RECORD_BODY_CRC = 8,
    RECORD_PREVIOUS_CRC = 12,
    RECORD_BODY_BYTES = 16,
    RECORD_TYPE = 20,
    RECORD_STORAGE = 21, /* and two zero bytes */
    RECORD_LSN = 24,
    RECORD_DURABLE_LSN = 32,
    RECORD_END = 40,
};

_Static_assert(SEGMENT_END <= (int)WAL_SEGMENT_HEADER_BYTES, "the header fits its block");
_Static_assert(RECORD_END == (int)WAL_RECORD_HEADER_BYTES, "the fields end where the body begins");

static void put_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static void put_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

static uint32_t get_u32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t get_u64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

/* --- Segments ------------------------------------------------------------------------------- */

/* Checksum of a header block, its own field left out. */
static uint32_t segment_crc(const uint8_t *block)
{
    uint32_t crc = weir_crc32c(0, block, SEGMENT_CRC);

    return weir_crc32c(crc, block + SEGMENT_UUID, WAL_SEGMENT_HEADER_BYTES - SEGMENT_UUID);
}

void wal_segment_header_encode(const struct wal_segment_header *header, uint8_t *block)
{
    memset(block, 0, WAL_SEGMENT_HEADER_BYTES);
    memcpy(block, segment_magic, sizeof(segment_magic));
    put_u32(block + SEGMENT_VERSION, WAL_VERSION);
    memcpy(block + SEGMENT_UUID, header->uuid, WEIR_IO_UUID_BYTES);
    put_u64(block + SEGMENT_NUMBER, header->number);
    put_u64(block + SEGMENT_FIRST_LSN, header->first_lsn);
    put_u64(block + SEGMENT_OLDEST_NUMBER, header->oldest_number);
    put_u32(block + SEGMENT_PREVIOUS_CRC, header->previous_crc);
    put_u32(block + SEGMENT_BLOCK_BYTES, WAL_BLOCK_BYTES);
    put_u64(block + SEGMENT_FILE_BYTES, header->file_bytes);
    put_u32(block + SEGMENT_CRC, segment_crc(block));
}

enum wal_header_verdict wal_segment_header_inspect(const uint8_t *block, size_t bytes,
                                                   struct wal_segment_header *ret)
{
    if (bytes < WAL_SEGMENT_HEADER_BYTES ||
        memcmp(block, segment_magic, sizeof(segment_magic)) != 0 ||
        get_u32(block + SEGMENT_CRC) != segment_crc(block)) {
        return WAL_HEADER_NONE;
    }
    if (get_u32(block + SEGMENT_VERSION) != WAL_VERSION ||
        get_u32(block + SEGMENT_BLOCK_BYTES) != WAL_BLOCK_BYTES) {
        return WAL_HEADER_VERSION;
    }
    *ret = (struct wal_segment_header){
        .number = get_u64(block + SEGMENT_NUMBER),
        .first_lsn = get_u64(block + SEGMENT_FIRST_LSN),
        .oldest_number = get_u64(block + SEGMENT_OLDEST_NUMBER),
        .previous_crc = get_u32(block + SEGMENT_PREVIOUS_CRC),
        .file_bytes = get_u64(block + SEGMENT_FILE_BYTES),
    };
    memcpy(ret->uuid, block + SEGMENT_UUID, WEIR_IO_UUID_BYTES);
    /* No encoder writes others, and LSNs that follow must not wrap. */
    return ret->first_lsn > 0 && ret->first_lsn <= INT64_MAX ? WAL_HEADER_WHOLE : WAL_HEADER_NONE;
}

/* --- Records -------------------------------------------------------------------------------- */

/* What every checksum of a record starts from. */
static uint32_t place_crc(const struct wal_place *place)
{
    uint8_t bytes[WEIR_IO_UUID_BYTES + 16];

    memcpy(bytes, place->uuid, WEIR_IO_UUID_BYTES);
    put_u64(bytes + WEIR_IO_UUID_BYTES, place->segment_number);
    put_u64(bytes + WEIR_IO_UUID_BYTES + 8, place->offset);
    return weir_crc32c(0, bytes, sizeof(bytes));
}

uint32_t wal_record_encode_body(const struct wal_place *place, const void *bytes, size_t len,
                                uint8_t *at)
{
    size_t rest = (size_t)wal_record_space(len) - WAL_RECORD_HEADER_BYTES;
    uint8_t *body = at + WAL_RECORD_HEADER_BYTES;

    weir_assert(len <= WEIR_WAL_RECORD_BYTES_MAX);
    uint32_t crc = weir_crc32c_copy(place_crc(place), body, bytes, len);
    memset(body + len, 0, rest - len); /* B1 */
    return weir_crc32c(crc, body + len, rest - len);
}

uint32_t wal_record_finish_body(const struct wal_place *place, size_t len, uint8_t *at)
{
    size_t rest = (size_t)wal_record_space(len) - WAL_RECORD_HEADER_BYTES;
    uint8_t *body = at + WAL_RECORD_HEADER_BYTES;

    weir_assert(len <= WEIR_WAL_RECORD_BYTES_MAX);
    memset(body + len, 0, rest - len); /* B1 */
    return weir_crc32c(place_crc(place), body, rest);
}

void wal_record_encode_header(const struct wal_place *place, struct wal_record_header *header,
                              uint8_t *at)
{
    weir_assert(header->durable_lsn < header->lsn);
    memset(at, 0, WAL_RECORD_HEADER_BYTES);
    memcpy(at, record_magic, sizeof(record_magic));
    put_u32(at + RECORD_BODY_CRC, header->body_crc);
    put_u32(at + RECORD_PREVIOUS_CRC, header->previous_crc);
    put_u32(at + RECORD_BODY_BYTES, header->body_bytes);
    at[RECORD_TYPE] = header->type;
    at[RECORD_STORAGE] = header->storage;
    put_u64(at + RECORD_LSN, header->lsn);
    put_u64(at + RECORD_DURABLE_LSN, header->durable_lsn);
    header->crc = weir_crc32c(place_crc(place), at + RECORD_COVERED, RECORD_END - RECORD_COVERED);
    put_u32(at + RECORD_CRC, header->crc);
}

bool wal_record_header_inspect(const struct wal_place *place, const uint8_t *at,
                               struct wal_record_header *ret)
{
    uint32_t crc = get_u32(at + RECORD_CRC);

    if (memcmp(at, record_magic, sizeof(record_magic)) != 0 ||
        crc != weir_crc32c(place_crc(place), at + RECORD_COVERED, RECORD_END - RECORD_COVERED)) {
        return false;
    }
    *ret = (struct wal_record_header){
        .crc = crc,
        .body_crc = get_u32(at + RECORD_BODY_CRC),
        .previous_crc = get_u32(at + RECORD_PREVIOUS_CRC),
        .body_bytes = get_u32(at + RECORD_BODY_BYTES),
        .type = at[RECORD_TYPE],
        .storage = at[RECORD_STORAGE],
        .lsn = get_u64(at + RECORD_LSN),
        .durable_lsn = get_u64(at + RECORD_DURABLE_LSN),
    };
    return ret->body_bytes <= WEIR_WAL_RECORD_BYTES_MAX && ret->durable_lsn < ret->lsn;
}

enum wal_verdict wal_record_inspect(const struct wal_place *place, const uint8_t *at,
                                    size_t available, struct wal_record_header *ret)
{
    if (available < WAL_RECORD_HEADER_BYTES || !wal_record_header_inspect(place, at, ret)) {
        return WAL_NO_RECORD;
    }
    uint64_t space = wal_record_space(ret->body_bytes);
    if (available < space ||
        weir_crc32c(place_crc(place), at + WAL_RECORD_HEADER_BYTES,
                    (size_t)space - WAL_RECORD_HEADER_BYTES) != ret->body_crc) {
        return WAL_TORN;
    }
    return WAL_WHOLE;
}
