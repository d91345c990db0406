/* test_record.c: recovery must tell a whole record from a torn one and from bytes that do not
 * belong where they are, so each row harms one good record in one way. */
#include "wal/record.h"

#include "base/crc32c.h"
#include "tests/support/test.h"

enum { BODY_BYTES = 100 };

static struct wal_place good_place(void)
{
    struct wal_place place = { .segment_number = 3, .offset = 8192 };

    memset(place.uuid, 0x11, sizeof(place.uuid));
    return place;
}

/* One block holding a record of BODY_BYTES. */
static void encode_good(uint8_t *block, struct wal_record_header *header)
{
    struct wal_place place = good_place();
    uint8_t body[BODY_BYTES];

    memset(body, 'x', sizeof(body));
    memset(block, 0xee, WAL_BLOCK_BYTES); /* what the padding must overwrite */
    *header = (struct wal_record_header){
        .type = 7, .lsn = 12, .durable_lsn = 11, .previous_crc = 99, .body_bytes = BODY_BYTES
    };
    header->body_crc = wal_record_encode_body(&place, body, sizeof(body), block);
    wal_record_encode_header(&place, header, block);
}

/* available_bytes: what can be read. flip_at: SIZE_MAX flips nothing. */
static const struct harm {
    const char *name;
    size_t available_bytes, flip_at;
    uint64_t other_offset, other_segment;
    uint8_t other_uuid;
    enum wal_verdict want;
} harms[] = {
    { "an intact record is whole", WAL_BLOCK_BYTES, SIZE_MAX, 0, 0, 0, WAL_WHOLE },
    { "a cut inside the body is torn", 2048, SIZE_MAX, 0, 0, 0, WAL_TORN },
    { "a cut inside the header is no record", 39, SIZE_MAX, 0, 0, 0, WAL_NO_RECORD },
    { "nothing at all is no record", 0, SIZE_MAX, 0, 0, 0, WAL_NO_RECORD },
    { "a flipped magic is no record", WAL_BLOCK_BYTES, 0, 0, 0, 0, WAL_NO_RECORD },
    { "a flipped length is no record", WAL_BLOCK_BYTES, 17, 0, 0, 0, WAL_NO_RECORD },
    { "a flipped LSN is no record", WAL_BLOCK_BYTES, 24, 0, 0, 0, WAL_NO_RECORD },
    { "a flipped body is torn", WAL_BLOCK_BYTES, 60, 0, 0, 0, WAL_TORN },
    { "a flipped padding is torn", WAL_BLOCK_BYTES, 4095, 0, 0, 0, WAL_TORN },
    { "another offset is no record", WAL_BLOCK_BYTES, SIZE_MAX, 4096, 0, 0, WAL_NO_RECORD },
    { "a segment's earlier life is no record", WAL_BLOCK_BYTES, SIZE_MAX, 0, 2, 0, WAL_NO_RECORD },
    { "another log is no record", WAL_BLOCK_BYTES, SIZE_MAX, 0, 0, 0x12, WAL_NO_RECORD },
};
enum { HARM_COUNT = sizeof(harms) / sizeof(harms[0]) };

static void inspect_names_the_harm(void **state)
{
    const struct harm *row = *state;
    struct wal_record_header header, back;
    struct wal_place place = good_place();
    uint8_t block[WAL_BLOCK_BYTES];

    encode_good(block, &header);
    if (row->flip_at != SIZE_MAX) {
        block[row->flip_at] ^= 0x01;
    }
    place.offset = row->other_offset != 0 ? row->other_offset : place.offset;
    place.segment_number = row->other_segment != 0 ? row->other_segment : place.segment_number;
    place.uuid[0] = row->other_uuid != 0 ? row->other_uuid : place.uuid[0];
    assert_int_equal(wal_record_inspect(&place, block, row->available_bytes, &back), row->want);
}

/* B1: no bit of a record is unwatched. */
static void every_bit_counts(void **state)
{
    struct wal_record_header header, back;
    struct wal_place place = good_place();
    uint8_t block[WAL_BLOCK_BYTES];

    (void)state;
    encode_good(block, &header);
    for (size_t bit = 0; bit < sizeof(block) * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_not_equal(wal_record_inspect(&place, block, sizeof(block), &back), WAL_WHOLE);
        block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

/* Changes a byte of a record's header and sets its checksum right: what no encoder writes. */
static void forge(uint8_t *block, size_t at, uint8_t value)
{
    struct wal_place place = good_place();
    uint8_t from[WEIR_IO_UUID_BYTES + 16] = { 0 };

    block[at] = value;
    memcpy(from, place.uuid, WEIR_IO_UUID_BYTES);
    from[WEIR_IO_UUID_BYTES] = (uint8_t)place.segment_number;
    from[WEIR_IO_UUID_BYTES + 9] = (uint8_t)(place.offset >> 8);
    uint32_t crc = weir_crc32c(weir_crc32c(0, from, sizeof(from)), block + 8, 32);
    for (unsigned i = 0; i < 4; i++) {
        block[4 + i] = (uint8_t)(crc >> 8 * i);
    }
}

static void a_header_that_cannot_be_is_no_record(void **state)
{
    struct wal_record_header header, back;
    struct wal_place place = good_place();
    uint8_t block[WAL_BLOCK_BYTES];

    (void)state;
    encode_good(block, &header);
    forge(block, 32, 10); /* durable was LSN 10, when 12 was written: so it may be */
    assert_int_equal(wal_record_inspect(&place, block, sizeof(block), &back), WAL_WHOLE);
    forge(block, 32, 12); /* it was durable before it was written */
    assert_int_equal(wal_record_inspect(&place, block, sizeof(block), &back), WAL_NO_RECORD);
    encode_good(block, &header);
    forge(block, 19, 0xff); /* a body of four gigabytes */
    assert_int_equal(wal_record_inspect(&place, block, sizeof(block), &back), WAL_NO_RECORD);
}

static void header_fields_come_back(void **state)
{
    struct wal_record_header header, back = { 0 };
    struct wal_place place = good_place();
    uint8_t block[WAL_BLOCK_BYTES];

    (void)state;
    encode_good(block, &header);
    assert_int_equal(wal_record_inspect(&place, block, sizeof(block), &back), WAL_WHOLE);
    assert_int_equal(back.type, 7);
    assert_int_equal(back.lsn, 12);
    assert_int_equal(back.durable_lsn, 11);
    assert_int_equal(back.previous_crc, 99);
    assert_int_equal(back.body_bytes, BODY_BYTES);
    assert_int_equal(back.crc, header.crc);
}

static void segment_headers_are_watched_too(void **state)
{
    struct wal_segment_header header = {
        .number = 5, .first_lsn = 70, .oldest_number = 2, .previous_crc = 0xabcdef
    };
    struct wal_segment_header back = { 0 };
    uint8_t block[WAL_SEGMENT_HEADER_BYTES];

    (void)state;
    memset(header.uuid, 0x22, sizeof(header.uuid));
    wal_segment_header_encode(&header, block);
    assert_int_equal(wal_segment_header_inspect(block, sizeof(block), &back), WAL_HEADER_WHOLE);
    assert_memory_equal(&back, &header, sizeof(back));
    assert_int_equal(wal_segment_header_inspect(block, sizeof(block) - 1, &back), WAL_HEADER_NONE);
    for (size_t bit = 0; bit < sizeof(block) * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(wal_segment_header_inspect(block, sizeof(block), &back), WAL_HEADER_NONE);
        block[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

/* Their checksums are right, but LSNs that follow would wrap. */
static void first_lsns_that_nobody_writes_are_refused(void **state)
{
    static const uint64_t lsns[] = { 0, (uint64_t)INT64_MAX + 1, UINT64_MAX };
    uint8_t block[WAL_SEGMENT_HEADER_BYTES];
    struct wal_segment_header back;

    (void)state;
    for (size_t i = 0; i < sizeof(lsns) / sizeof(lsns[0]); i++) {
        struct wal_segment_header header = { .number = 5, .first_lsn = lsns[i] };

        wal_segment_header_encode(&header, block);
        assert_int_equal(wal_segment_header_inspect(block, sizeof(block), &back), WAL_HEADER_NONE);
    }
}

/* The first bytes of a record as docs/FORMAT.md shows them: a change here is a new version. */
static void the_bytes_are_those_of_the_book(void **state)
{
    static const uint8_t fields[] = { 99, 0, 0, 0, 100, 0,  0, 0, 7, 0, 0, 0, 12, 0,  0,
                                      0,  0, 0, 0, 0,   11, 0, 0, 0, 0, 0, 0, 0,  'x' };
    struct wal_record_header header;
    uint8_t block[WAL_BLOCK_BYTES];

    (void)state;
    encode_good(block, &header);
    assert_memory_equal(block, "WREC", 4);
    assert_int_equal(block[4] | block[5] << 8 | block[6] << 16 | (uint32_t)block[7] << 24,
                     header.crc);
    assert_memory_equal(block + 12, fields, sizeof(fields));
    assert_int_equal(block[WAL_BLOCK_BYTES - 1], 0);
}

int main(void)
{
    struct CMUnitTest tests[HARM_COUNT + 6]; /* one named test a row: a failure names its row */

    for (size_t i = 0; i < HARM_COUNT; i++) {
        tests[i] = (struct CMUnitTest){ harms[i].name, inspect_names_the_harm, NULL, NULL,
                                        (void *)(uintptr_t)&harms[i] };
    }
    tests[HARM_COUNT] = (struct CMUnitTest)cmocka_unit_test(every_bit_counts);
    tests[HARM_COUNT + 1] = (struct CMUnitTest)cmocka_unit_test(header_fields_come_back);
    tests[HARM_COUNT + 2] = (struct CMUnitTest)cmocka_unit_test(segment_headers_are_watched_too);
    tests[HARM_COUNT + 3] = (struct CMUnitTest)cmocka_unit_test(the_bytes_are_those_of_the_book);
    tests[HARM_COUNT + 4] =
        (struct CMUnitTest)cmocka_unit_test(a_header_that_cannot_be_is_no_record);
    tests[HARM_COUNT + 5] =
        (struct CMUnitTest)cmocka_unit_test(first_lsns_that_nobody_writes_are_refused);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
