/* test_every_harm.c: everything that can be done to the bytes of a small log, one after another.
 *
 * Every bit flipped, the file cut at every byte, every sector zeroed, made random, put back to what
 * it held before and swapped with every other, every segment missing, doubled, swapped and taken
 * from another log. Records are appended one by one, so each one proves all before it: whatever is
 * done to a proven record must stop the log with file, offset and what to do, and what is done to
 * those that nothing proves any more must leave exactly the ones before them. */
#include <malloc.h>
#include <stdlib.h>

#include "tests/unit/wal/damaged_log.h"

enum {
    SECTORS_A_BLOCK = WAL_BLOCK_BYTES / SIM_SECTOR_BYTES,
    PACKED_RECORDS = 2,
    BLOCKS_BEHIND = 2,                /* of those behind the end, so many are harmed, too */
    STEP = LOG_TEST_IS_SLOW ? 13 : 1, /* a prime: no pattern of the format repeats with it */
    SWAP_STEP = LOG_TEST_IS_SLOW ? 7 : 1,
};

/* The newest segment of a log, as it is and as it was before its present life. */
struct victim {
    struct sim_disk *disk;
    struct weir_io *io;
    const char *path;
    uint8_t *bytes; /* on the disk, to be harmed */
    size_t len;
    uint8_t *good, *old; /* copies, len bytes */
    size_t end;          /* behind the last record, a block long */
    uint64_t last_lsn;
    bool is_recycled;
};

static void victim_init(struct victim *ret, struct sim_disk *disk, const char *path,
                        const uint8_t *old)
{
    struct wal_scan scan = { 0 };

    *ret = (struct victim){ .disk = disk, .path = path, .is_recycled = old != NULL };
    ret->io = sim_disk_boot(disk);
    ret->bytes = sim_disk_bytes(disk, path, &ret->len);
    assert_non_null(ret->bytes);
    ret->good = malloc(ret->len);
    ret->old = calloc(1, ret->len);
    assert_true(ret->good != NULL && ret->old != NULL);
    memcpy(ret->good, ret->bytes, ret->len);
    if (old != NULL) {
        memcpy(ret->old, old, ret->len);
    }
    assert_int_equal(wal_scan_read(ret->io, "/log", NULL, NULL, &scan, NULL), WEIR_OK);
    ret->end = (size_t)scan.end;
    ret->last_lsn = scan.chain.lsn - 1;
    wal_scan_fini(&scan);
}

static void victim_fini(struct victim *victim)
{
    weir_io_close(victim->io);
    sim_disk_free(victim->disk);
    free(victim->good);
    free(victim->old);
}

/* A log whose only segment was never used before. */
static void make_fresh(struct victim *ret, bool closed)
{
    victim_init(ret, make_small(closed), FIRST, NULL);
}

/* A log whose newest segment is the trimmed first one under its third name, so that it is full of
 * whole records of an earlier life: behind its end, and before in every sector. */
static void make_recycled(struct victim *ret)
{
    struct sim_disk *disk = sim_disk_new(5);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    static uint8_t old[SEGMENT_BYTES];
    size_t len;

    for (int behind = 0; behind < 4;) {
        const uint8_t *first = sim_disk_bytes(disk, FIRST, &len);
        if (first != NULL) {
            assert_int_equal(len, sizeof(old));
            memcpy(old, first, sizeof(old));
        }
        uint64_t lsn = must_append(wal, 1, "some bytes", 10);
        assert_int_equal(weir_wal_trim(wal, lsn, NULL), WEIR_OK);
        const uint8_t *third = sim_disk_bytes(disk, THIRD, &len);
        behind += third != NULL && memcmp(third, old, WAL_BLOCK_BYTES) != 0;
    }
    struct weir_wal_stat stat;
    weir_wal_stat(wal, &stat);
    assert_true(stat.recycled_count == 1);
    sim_disk_kill(disk);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_settle(disk);
    victim_init(ret, disk, THIRD, old);
}

#if WEIR_HAVE_ZSTD
/* A log of compressed records, each of which takes up one block. */
static void make_packed(struct victim *ret)
{
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = 2 * SEGMENT_BYTES,
                                        .compress_from_bytes = WEIR_WAL_COMPRESS_BYTES_MIN };
    static const uint8_t bytes[WEIR_WAL_COMPRESS_BYTES_MIN] = "zeros behind this";
    struct sim_disk *disk = sim_disk_new(7);
    struct weir_io *io = sim_disk_boot(disk);
    struct weir_wal_stat stat;
    weir_wal *wal = NULL;

    assert_int_equal(weir_wal_open(io, "/log", &options, &wal, NULL), WEIR_OK);
    for (int i = 0; i < PACKED_RECORDS; i++) {
        (void)must_append(wal, 1, bytes, sizeof(bytes));
    }
    weir_wal_stat(wal, &stat);
    assert_int_equal(stat.compressed_count, PACKED_RECORDS);
    sim_disk_kill(disk);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_settle(disk);
    victim_init(ret, disk, FIRST, NULL);
    assert_int_equal(ret->end, WAL_SEGMENT_HEADER_BYTES + (PACKED_RECORDS + 1) * WAL_BLOCK_BYTES);
}
#endif

/* --- Judging -------------------------------------------------------------------------------- */

/* The first block that differs from what was written, SIZE_MAX when none does before the end. */
static size_t first_harmed_block(const struct victim *victim)
{
    for (size_t at = 0; at < victim->end; at += WAL_BLOCK_BYTES) {
        if (memcmp(victim->bytes + at, victim->good + at, WAL_BLOCK_BYTES) != 0) {
            return at;
        }
    }
    return SIZE_MAX;
}

/* Whether a record behind a block has kept its header, which proves what lies before it. */
static bool is_proven(const struct victim *victim, size_t block_at)
{
    for (size_t at = block_at + WAL_BLOCK_BYTES; at < victim->end; at += WAL_BLOCK_BYTES) {
        if (memcmp(victim->bytes + at, victim->good + at, WAL_RECORD_HEADER_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the message tells what was found, where, and what to do. */
static bool is_helpful(const char *text)
{
    return strstr(text, ".wal, offset ") != NULL && strstr(text, "put the file back") != NULL &&
           strstr(text, "nothing was changed") != NULL;
}

/* Reads the harmed log and compares the verdict with what it has to be; then mends the harm. */
static void check_and_mend(struct victim *victim, const char *harm, size_t a, size_t b)
{
    size_t harmed = first_harmed_block(victim);
    uint64_t lost = harmed == SIZE_MAX ? 0 : (victim->end - harmed) / WAL_BLOCK_BYTES;
    struct wal_scan scan = { 0 };
    struct weir_error err = { 0 };

    int rc = wal_scan_read(victim->io, "/log", NULL, NULL, &scan, &err);
    uint64_t last_lsn = scan.chain.lsn - 1;
    wal_scan_fini(&scan);
    if (harmed != SIZE_MAX && is_proven(victim, harmed)) {
        if (rc != WEIR_ECORRUPT || !is_helpful(err.text)) {
            fail_msg("%s %zu %zu: %s: %s", harm, a, b, weir_error_name(rc), err.text);
        }
    } else if (rc != WEIR_OK || last_lsn != victim->last_lsn - lost) {
        fail_msg("%s %zu %zu: %s, LSN %llu: %s", harm, a, b, weir_error_name(rc),
                 (unsigned long long)last_lsn, err.text);
    }
    if (harmed != SIZE_MAX) {
        memcpy(victim->bytes, victim->good, victim->end);
    }
}

/* --- Bits, bytes, sectors ------------------------------------------------------------------- */

static void flip_every_bit(struct victim *victim)
{
    for (size_t bit = 0; bit < victim->end * 8; bit += STEP) {
        victim->bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        check_and_mend(victim, "flipped bit", bit, 0);
    }
}

/* Fills every tail of the last record with something else: the write got so far. */
static void tear_at_every_byte(struct victim *victim)
{
    for (size_t at = victim->end - WAL_BLOCK_BYTES; at < victim->end; at += STEP) {
        memset(victim->bytes + at, 0xa5, victim->end - at);
        check_and_mend(victim, "torn at", at, 0);
        memcpy(victim->bytes + at, victim->old + at, victim->end - at);
        check_and_mend(victim, "torn over old bytes at", at, 0);
    }
}

static void harm_every_sector(struct victim *victim)
{
    size_t sectors = victim->end / SIM_SECTOR_BYTES + BLOCKS_BEHIND * SECTORS_A_BLOCK;

    for (size_t i = 0; i < sectors; i++) {
        uint8_t *sector = victim->bytes + i * SIM_SECTOR_BYTES;

        memset(sector, 0, SIM_SECTOR_BYTES);
        check_and_mend(victim, "zeroed sector", i, 0);
        memcpy(sector, victim->old + i * SIM_SECTOR_BYTES, SIM_SECTOR_BYTES);
        check_and_mend(victim, "old sector", i, 0);
        for (int draw = 0; draw < 20; draw++) {
            for (size_t at = 0; at < SIM_SECTOR_BYTES; at++) {
                sector[at] = (uint8_t)sim_disk_random(victim->disk);
            }
            check_and_mend(victim, "random sector", i, 0);
        }
        memcpy(sector, victim->good + i * SIM_SECTOR_BYTES, SIM_SECTOR_BYTES);
    }
    for (size_t at = 0; at < victim->end; at += WAL_BLOCK_BYTES) {
        memcpy(victim->bytes + at, victim->old + at, WAL_BLOCK_BYTES);
        check_and_mend(victim, "a whole old record at", at, 0);
    }
}

static void swap_every_two_sectors(struct victim *victim)
{
    size_t sectors = victim->end / SIM_SECTOR_BYTES + BLOCKS_BEHIND * SECTORS_A_BLOCK;

    for (size_t i = 0; i < sectors; i++) {
        for (size_t j = i + 1; j < sectors; j += SWAP_STEP) {
            size_t a = i * SIM_SECTOR_BYTES, b = j * SIM_SECTOR_BYTES;

            memcpy(victim->bytes + a, victim->good + b, SIM_SECTOR_BYTES);
            memcpy(victim->bytes + b, victim->good + a, SIM_SECTOR_BYTES);
            check_and_mend(victim, "swapped sectors", i, j);
            memcpy(victim->bytes + a, victim->good + a, SIM_SECTOR_BYTES);
            memcpy(victim->bytes + b, victim->good + b, SIM_SECTOR_BYTES);
        }
    }
}

/* A segment's file never becomes shorter, so wherever it is cut, behind its end too, it is damage:
 * records that were acknowledged may have gone with the rest. */
static void cut_at_every_byte(struct victim *victim)
{
    for (size_t len = victim->len; len > 0;) {
        struct wal_scan scan = { 0 };
        struct weir_error err = { 0 };

        len = len < (size_t)STEP ? 0 : len - STEP;
        assert_true(sim_disk_truncate(victim->disk, victim->path, len));
        int rc = wal_scan_read(victim->io, "/log", NULL, NULL, &scan, &err);
        wal_scan_fini(&scan);
        if (rc != WEIR_ECORRUPT || !is_helpful(err.text)) {
            fail_msg("cut at %zu: %s: %s", len, weir_error_name(rc), err.text);
        }
    }
}

/* Runs one harm on a closed log, on one that a kill left behind, on a recycled segment, and on one of
 * compressed records. */
static void on_every_victim(void (*harm)(struct victim *victim))
{
    struct victim victim;

    make_fresh(&victim, true);
    harm(&victim);
    victim_fini(&victim);
    make_fresh(&victim, false);
    harm(&victim);
    victim_fini(&victim);
    make_recycled(&victim);
    harm(&victim);
    victim_fini(&victim);
#if WEIR_HAVE_ZSTD
    make_packed(&victim);
    harm(&victim);
    victim_fini(&victim);
#endif
}

/* covers: D-14, D-15 */
static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    on_every_victim(flip_every_bit);
}

/* covers: D-07 */
static void a_tail_torn_at_every_byte_is_cut(void **state)
{
    (void)state;
    on_every_victim(tear_at_every_byte);
}

/* covers: D-07, D-13, D-17 */
static void every_harmed_sector_is_found(void **state)
{
    (void)state;
    on_every_victim(harm_every_sector);
}

/* covers: D-16 */
static void every_two_swapped_sectors_are_found(void **state)
{
    (void)state;
    on_every_victim(swap_every_two_sectors);
}

static void a_file_cut_at_every_byte_is_found(void **state)
{
    (void)state;
    on_every_victim(cut_at_every_byte);
}

/* --- Whole segments ------------------------------------------------------------------------- */

/* The three segments of make_long() and the prepared file behind them. */
static const char *const files[] = { FIRST, SECOND, THIRD, FOURTH };
enum { FILES = sizeof(files) / sizeof(files[0]), PREPARED = FILES - 1 };

/* Verify and open of the log on disk: corrupt and helpful, or whole. Frees the disk. */
static void expect(struct sim_disk *disk, bool is_whole, const char *harm, size_t i, size_t j)
{
    struct weir_error err = { 0 };
    uint64_t count = 0;

    int rc = judge(disk, &count, &err);
    if (is_whole ? rc != WEIR_OK : rc != WEIR_ECORRUPT || !is_helpful(err.text)) {
        fail_msg("%s %s %s: %s: %s", harm, files[i], files[j], weir_error_name(rc), err.text);
    }
    sim_disk_free(disk);
}

/* Without its oldest segment a log looks trimmed, which is for its user to see (first_lsn, and
 * "log_trimmed" from a cursor); without the prepared one nothing is gone.
 * covers: D-24 */
static void a_missing_segment_is_found(void **state)
{
    struct sim_disk *whole = make_long(1);

    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        struct sim_disk *disk = sim_disk_clone(whole, 1);

        assert_true(sim_disk_remove(disk, files[i]));
        expect(disk, i == 0 || i == PREPARED, "missing", i, i);
    }
    sim_disk_free(whole);
}

/* A copy in the place of the prepared file is what recycling makes of a segment; nothing is gone.
 * covers: D-25 */
static void a_doubled_or_swapped_segment_is_found(void **state)
{
    struct sim_disk *whole = make_long(1);

    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        for (size_t j = 0; j < FILES; j++) {
            struct sim_disk *disk = sim_disk_clone(whole, 1);
            size_t len;

            if (i == j) {
                sim_disk_free(disk);
                continue;
            }
            assert_true(sim_disk_copy(disk, files[i], files[j]));
            expect(disk, j == PREPARED, "doubled", i, j);
            disk = sim_disk_clone(whole, 1);
            memcpy(sim_disk_bytes(disk, files[i], &len), sim_disk_bytes(whole, files[j], &len),
                   SEGMENT_BYTES);
            memcpy(sim_disk_bytes(disk, files[j], &len), sim_disk_bytes(whole, files[i], &len),
                   SEGMENT_BYTES);
            expect(disk, false, "swapped", i, j);
        }
    }
    sim_disk_free(whole);
}

/* The other log has the same history, so only its name is another. Its prepared file holds nothing
 * and names nobody.
 * covers: D-25 */
static void a_segment_of_another_log_is_found(void **state)
{
    struct sim_disk *whole = make_long(1), *other = make_long(2);

    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        for (size_t j = 0; j < FILES; j++) {
            struct sim_disk *disk = sim_disk_clone(whole, 1);
            size_t len;

            memcpy(sim_disk_bytes(disk, files[j], &len), sim_disk_bytes(other, files[i], &len),
                   SEGMENT_BYTES);
            expect(disk, i == PREPARED && j == PREPARED, "another log's", i, j);
        }
    }
    sim_disk_free(whole);
    sim_disk_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(a_tail_torn_at_every_byte_is_cut),
        cmocka_unit_test(every_harmed_sector_is_found),
        cmocka_unit_test(every_two_swapped_sectors_are_found),
        cmocka_unit_test(a_file_cut_at_every_byte_is_found),
        cmocka_unit_test(a_missing_segment_is_found),
        cmocka_unit_test(a_doubled_or_swapped_segment_is_found),
        cmocka_unit_test(a_segment_of_another_log_is_found),
    };
    (void)mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024); /* a fifth of the time, with 600 000 flips */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
