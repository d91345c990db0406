/* damaged_log.h: small logs to be harmed, and the judgement over them. For the tests of damage. */
#ifndef WEIR_TESTS_DAMAGED_LOG_H
#define WEIR_TESTS_DAMAGED_LOG_H

#include "tests/support/sim_io.h"
#include "tests/unit/wal/log_fixture.h"
#include "wal/scan.h"

#define FIRST "/log/0000000000000001.wal"
#define SECOND "/log/0000000000000002.wal"
#define THIRD "/log/0000000000000003.wal"
#define FOURTH "/log/0000000000000004.wal"

enum { SEGMENT_BYTES = WEIR_WAL_SEGMENT_BYTES_MIN, RECORDS = 3 };

/* A log of RECORDS short records; closed, or left as a kill leaves it. */
static inline struct sim_disk *make_small(bool closed)
{
    struct sim_disk *disk = sim_disk_new(7);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);

    for (unsigned i = 0; i < RECORDS; i++) {
        (void)must_append(wal, (uint8_t)(i + 1), "some bytes", 10);
    }
    if (!closed) {
        sim_disk_kill(disk);
    }
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_settle(disk);
    return disk;
}

/* A log of three segments that hold records, and a prepared fourth. */
static inline struct sim_disk *make_long(uint64_t seed)
{
    static uint8_t bytes[7000];
    struct sim_disk *disk = sim_disk_new(seed);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    size_t len;

    while (sim_disk_bytes(disk, FOURTH, &len) == NULL) {
        (void)must_append(wal, 1, bytes, sizeof(bytes));
    }
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_settle(disk);
    return disk;
}

/* Gives the last record of make_small(false) another body, stored in the given way, with checksums
 * that are right. Returns its offset. */
static inline uint64_t replace_last(struct sim_disk *disk, uint8_t storage, const void *body,
                                    size_t body_bytes)
{
    struct wal_place place = { .segment_number = 1,
                               .offset = WAL_SEGMENT_HEADER_BYTES + RECORDS * WAL_BLOCK_BYTES };
    struct wal_segment_header segment;
    struct wal_record_header header;
    size_t len;
    uint8_t *bytes = sim_disk_bytes(disk, FIRST, &len);
    uint8_t *at = bytes + place.offset;

    assert_true(place.offset + wal_record_space(body_bytes) <= len);
    assert_int_equal(wal_segment_header_inspect(bytes, len, &segment), WAL_HEADER_WHOLE);
    memcpy(place.uuid, segment.uuid, sizeof(place.uuid));
    assert_true(wal_record_header_inspect(&place, at, &header));
    header.storage = storage;
    header.body_bytes = (uint32_t)body_bytes;
    header.body_crc = wal_record_encode_body(&place, body, body_bytes, at);
    wal_record_encode_header(&place, &header, at);
    return place.offset;
}

/* What verify says; open, on a copy of the disk, has to say the same. *ret_count: user records. */
static inline int judge(struct sim_disk *disk, uint64_t *ret_count, struct weir_error *err)
{
    struct sim_disk *copy = sim_disk_clone(disk, 1);
    struct weir_io *io = sim_disk_boot(disk);
    struct weir_io *copy_io = sim_disk_boot(copy);
    struct weir_wal_report report;
    weir_wal *wal = NULL;

    int rc = weir_wal_verify(io, "/log", NULL, NULL, &report, err);
    assert_int_equal(weir_wal_open(copy_io, "/log", NULL, &wal, NULL), rc);
    if (rc == WEIR_OK) {
        *ret_count = count_from(wal, 0);
    }
    weir_wal_close(wal);
    weir_io_close(copy_io);
    weir_io_close(io);
    sim_disk_free(copy);
    return rc;
}

static inline void assert_corrupt(struct sim_disk *disk, const char *where)
{
    struct weir_error err = { 0 };
    uint64_t count;

    assert_int_equal(judge(disk, &count, &err), WEIR_ECORRUPT);
    if (strstr(err.text, where) == NULL) {
        fail_msg("\"%s\" does not name %s", err.text, where);
    }
}

#endif
