/* fuzz_log.c: the reader of a whole log, over segment files with anything in them.
 *
 * Input: changes to a good log of three segments and a prepared one, seven bytes each: which file
 * and what to do (first byte), where (two bytes, in sectors or blocks), and with what (four bytes).
 * Changes may set headers right again, checksum included, so the reader is also given logs whose
 * every record is whole and whose numbers lie. Verify and open have to agree; a log that opens is
 * good after its close, and holds then what verify counted.
 * covers as a whole: X-11 */
#include "tests/fuzz/fuzz.h"
#include "tests/support/sim_io.h"
#include "wal/record.h"

enum {
    FILES = 4,
    CHANGE_BYTES = 7,
    CHANGES_MAX = 24,
    SEGMENT_BYTES = 5 * WAL_BLOCK_BYTES, /* a header and two records of two blocks */
    BODY_BYTES = WAL_BLOCK_BYTES,
};
_Static_assert((int)SEGMENT_BYTES >= (int)WEIR_WAL_SEGMENT_BYTES_MIN, "segments may be so short");

static const char *const files[FILES] = {
    "/log/0000000000000001.wal",
    "/log/0000000000000002.wal",
    "/log/0000000000000003.wal",
    "/log/0000000000000004.wal",
};

static const struct weir_wal_options options = { .size_bytes = sizeof(options),
                                                 .segment_bytes = SEGMENT_BYTES };

static struct sim_disk *make_log(void)
{
    static const uint8_t bytes[BODY_BYTES];
    struct sim_disk *disk = sim_disk_new(1);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = NULL;
    size_t len;

    weir_assert(weir_wal_open(io, "/log", &options, &wal, NULL) == WEIR_OK);
    while (sim_disk_bytes(disk, files[FILES - 1], &len) == NULL) {
        uint64_t lsn;

        weir_assert(weir_wal_append(wal, 1, bytes, sizeof(bytes), &lsn, NULL) == WEIR_OK);
        weir_assert(weir_wal_wait(wal, lsn, NULL) == WEIR_OK);
    }
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_settle(disk);
    return disk;
}

/* Adds value to a field of the header at bytes, and sets the checksum right. */
static void bend(uint64_t number, uint8_t *bytes, uint64_t at, const uint8_t value[4])
{
    struct wal_segment_header segment;
    struct wal_record_header record;
    struct wal_place place = { .segment_number = number, .offset = at };
    int8_t by = (int8_t)value[1];

    if (at == 0 && wal_segment_header_inspect(bytes, SEGMENT_BYTES, &segment) == WAL_HEADER_WHOLE) {
        segment.number += value[0] == 0 ? (uint64_t)by : 0;
        segment.first_lsn += value[0] == 1 ? (uint64_t)by : 0;
        segment.oldest_number += value[0] == 2 ? (uint64_t)by : 0;
        segment.file_bytes += value[0] == 3 ? (uint64_t)by * WAL_BLOCK_BYTES : 0;
        segment.uuid[0] ^= value[0] == 4 ? value[1] : 0;
        wal_segment_header_encode(&segment, bytes);
        return;
    }
    wal_segment_header_inspect(bytes, SEGMENT_BYTES, &segment);
    memcpy(place.uuid, bytes + 16, sizeof(place.uuid)); /* FORMAT.md: where the log's uuid is */
    if (at != 0 && wal_record_header_inspect(&place, bytes + at, &record)) {
        record.lsn += value[0] == 0 ? (uint64_t)by : 0;
        record.durable_lsn += value[0] == 1 ? (uint64_t)by : 0;
        record.body_bytes += value[0] == 2 ? (uint32_t)by * 1000u : 0;
        record.previous_crc += value[0] == 3 ? value[1] : 0u;
        record.type ^= value[0] == 4 ? value[1] : 0;
        record.storage ^= value[0] == 5 ? value[1] : 0;
        if (record.durable_lsn < record.lsn) { /* what no encoder would write, none has written */
            wal_record_encode_header(&place, &record, bytes + at);
        }
    }
}

static void change(struct sim_disk *disk, const uint8_t how[CHANGE_BYTES])
{
    unsigned file = how[0] % FILES, verb = how[0] / FILES % 8;
    uint64_t where = (uint64_t)how[1] << 8 | how[2];
    size_t len = 0, other_len = 0;
    uint8_t *bytes = sim_disk_bytes(disk, files[file], &len);

    if (bytes == NULL || len < SEGMENT_BYTES) {
        return; /* removed or cut by an earlier change */
    }
    size_t sector = where % (len / SIM_SECTOR_BYTES) * SIM_SECTOR_BYTES;
    size_t block = where % (len / WAL_BLOCK_BYTES) * WAL_BLOCK_BYTES;
    const uint8_t *other = sim_disk_bytes(disk, files[how[3] % FILES], &other_len);
    switch (verb) {
    case 0:
        memset(bytes + sector, how[3], SIM_SECTOR_BYTES);
        break;
    case 1:
        memcpy(bytes + sector + how[5], how + 3, 4);
        break;
    case 2:
        if (other != NULL && other != bytes && other_len >= len) {
            memcpy(bytes + block, other + block, WAL_BLOCK_BYTES);
        }
        break;
    case 3:
        memmove(bytes + block, bytes + how[3] % (SEGMENT_BYTES / WAL_BLOCK_BYTES) * WAL_BLOCK_BYTES,
                WAL_BLOCK_BYTES);
        break;
    case 4:
        (void)sim_disk_truncate(disk, files[file], where % len);
        break;
    case 5:
        (void)sim_disk_remove(disk, files[file]);
        break;
    default:
        bend(file + 1, bytes, block, how + 3);
        break;
    }
}

/* Verify, then open, then verify what the open made of it. */
static void judge(struct sim_disk *disk)
{
    struct weir_wal_report before, after;
    struct weir_error err = { 0 }, open_err = { 0 };
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = NULL;

    int rc = weir_wal_verify(io, "/log", NULL, NULL, &before, &err);
    int open_rc = weir_wal_open(io, "/log", &options, &wal, &open_err);
    if (rc == WEIR_ECONFLICT && strcmp(err.reason, "log_missing") == 0) {
        weir_assert(open_rc == WEIR_OK); /* which makes a new one */
    } else {
        weir_assert(rc == open_rc);
    }
    weir_assert(rc == WEIR_OK || rc == WEIR_ECORRUPT || rc == WEIR_ECONFLICT);
    if (rc == WEIR_ECORRUPT) {
        weir_assert(strstr(err.text, ".wal, offset ") != NULL);
        weir_assert(strstr(err.text, "put the file back") != NULL);
    }
    weir_wal_close(wal);
    if (open_rc == WEIR_OK) {
        weir_assert(weir_wal_verify(io, "/log", NULL, NULL, &after, NULL) == WEIR_OK);
        weir_assert(rc != WEIR_OK || after.record_count == before.record_count + 2);
        weir_assert(after.torn_bytes == 0);
    }
    weir_io_close(io);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct sim_disk *good;

    if (good == NULL) {
        good = make_log();
    }
    struct sim_disk *disk = sim_disk_clone(good, 1);
    for (size_t i = 0; i < CHANGES_MAX && (i + 1) * CHANGE_BYTES <= len; i++) {
        change(disk, data + i * CHANGE_BYTES);
    }
    sim_disk_settle(disk);
    judge(disk);
    sim_disk_free(disk);
    return 0;
}
