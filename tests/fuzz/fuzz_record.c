/* fuzz_record.c: segment headers and records, as bytes anywhere on a disk may be.
 *
 * Input: bytes that are judged as they are, as a packed body, too, and then taken for a record's body,
 * which has to come back: no fuzzer finds a checksum that fits.
 * covers as a whole: X-11 */
#include "tests/fuzz/fuzz.h"
#include "wal/compress.h"
#include "wal/record.h"

static const struct wal_place place = { .uuid = "a log's own name",
                                        .segment_number = 3,
                                        .offset = 4096 };

static void judge_segment(const uint8_t *bytes, size_t len)
{
    struct wal_segment_header header;
    uint8_t back[WAL_SEGMENT_HEADER_BYTES];

    if (wal_segment_header_inspect(bytes, len, &header) == WAL_HEADER_WHOLE) {
        wal_segment_header_encode(&header, back);
        weir_assert(memcmp(back + 16, bytes + 16, 56) == 0); /* the fields; the rest is padding */
    }
}

static void judge_record(const uint8_t *bytes, size_t len)
{
    struct wal_record_header header;

    enum wal_verdict verdict = wal_record_inspect(&place, bytes, len, &header);
    if (verdict != WAL_NO_RECORD) {
        weir_assert(header.body_bytes <= WEIR_WAL_RECORD_BYTES_MAX);
        weir_assert(header.durable_lsn < header.lsn);
    }
    if (verdict == WAL_WHOLE) {
        weir_assert(wal_record_space(header.body_bytes) <= len);
    }
}

/* Encodes what the input's first bytes say, and must read back the same. */
static void go_round(const uint8_t *bytes, size_t len)
{
    uint8_t *at = malloc((size_t)wal_record_space(len));
    struct wal_record_header back, header = { .type = len > 0 ? bytes[0] : 0 };

    weir_assert(at != NULL);
    header.lsn = 1 + (uint64_t)header.type;
    header.body_bytes = (uint32_t)len;
    header.body_crc = wal_record_encode_body(&place, bytes, len, at);
    wal_record_encode_header(&place, &header, at);
    weir_assert(wal_record_inspect(&place, at, (size_t)wal_record_space(len), &back) == WAL_WHOLE);
    weir_assert(back.crc == header.crc && back.body_crc == header.body_crc);
    weir_assert(back.type == header.type && back.lsn == header.lsn);
    weir_assert(back.body_bytes == header.body_bytes);
    weir_assert(len == 0 || memcmp(at + WAL_RECORD_HEADER_BYTES, bytes, len) == 0);
    if (len > 0) {
        at[WAL_RECORD_HEADER_BYTES + len / 2] ^= 0x10;
        weir_assert(wal_record_inspect(&place, at, (size_t)wal_record_space(len), &back) ==
                    WAL_TORN);
    }
    free(at);
}

/* What is taken for a packed body has the length that it names, and no more than a record may. */
static void judge_packed(const uint8_t *bytes, size_t len)
{
    struct wal_unpacker unpacker = { 0 };
    enum wal_unpacked unpacked;
    size_t plain_bytes = 0;

    weir_assert(wal_unpack(&unpacker, bytes, len, &unpacked, &plain_bytes, NULL) == WEIR_OK);
    weir_assert(unpacker.capacity_bytes <= WEIR_WAL_RECORD_BYTES_MAX);
    if (unpacked == WAL_UNPACKED) {
        weir_assert(plain_bytes > 0 && plain_bytes == unpacker.capacity_bytes);
    }
    wal_unpacker_fini(&unpacker);
}

/* Packs the input where it can be made shorter, and must unpack the same. */
static void pack_round(const uint8_t *bytes, size_t len)
{
    static struct wal_packer *packer;
    struct wal_unpacker unpacker = { 0 };
    enum wal_unpacked unpacked;
    size_t back_bytes = 0;

    if (packer == NULL && wal_packer_open(&packer, NULL) != WEIR_OK) {
        return; /* built without zstd */
    }
    uint8_t *to = malloc(len + 1);
    weir_assert(to != NULL);
    size_t packed_bytes = wal_packer_pack(packer, bytes, len, to, len);
    weir_assert(packed_bytes <= len);
    if (packed_bytes > 0) {
        weir_assert(wal_unpack(&unpacker, to, packed_bytes, &unpacked, &back_bytes, NULL) ==
                    WEIR_OK);
        weir_assert(unpacked == WAL_UNPACKED && back_bytes == len);
        weir_assert(memcmp(unpacker.bytes, bytes, len) == 0);
    }
    wal_unpacker_fini(&unpacker);
    free(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    judge_segment(data, len);
    judge_record(data, len);
    judge_packed(data, len);
    go_round(data, len);
    pack_round(data, len);
    return 0;
}
