/* test_damage.c: what harms a log on disk is found, and what only cuts its tail off is not taken
 * for harm.
 *
 * Each test makes a small log on a simulated disk, harms a copy of it in one way, and looks at what
 * open and verify say. test_every_harm.c does to one small log all that can be done to it. */
#include "base/crc32c.h"
#include "tests/unit/wal/damaged_log.h"

/* Two records share a write of which only the second part arrives: that is a torn tail, although a
 * whole record follows the hole. The same hole is damage once a later record proves the write.
 * covers: D-08 */
static void a_hole_is_judged_by_what_follows(void **state)
{
    for (int proven = 0; proven < 2; proven++) {
        struct sim_disk *disk = sim_disk_new(3);
        struct weir_io *io = sim_disk_boot(disk);
        weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
        struct weir_error err = { 0 };
        uint64_t lsn, count = 0;
        size_t len;

        (void)state;
        assert_int_equal(weir_wal_append(wal, 1, "a", 1, &lsn, NULL), WEIR_OK);
        assert_int_equal(weir_wal_append(wal, 1, "b", 1, &lsn, NULL), WEIR_OK);
        assert_int_equal(weir_wal_append(wal, 1, "c", 1, &lsn, NULL), WEIR_OK);
        assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_OK);
        if (proven) {
            (void)must_append(wal, 1, "d", 1);
        }
        sim_disk_kill(disk);
        weir_wal_close(wal);
        weir_io_close(io);
        sim_disk_settle(disk);
        sim_disk_bytes(disk, FIRST, &len)[3 * WAL_BLOCK_BYTES + 50] ^= 1; /* in "b" */
        if (proven) {
            assert_corrupt(disk, "0000000000000001.wal, offset 12288");
        } else {
            assert_int_equal(judge(disk, &count, &err), WEIR_OK);
            assert_int_equal(count, 1);
        }
        sim_disk_free(disk);
    }
}

/* --- Files ---------------------------------------------------------------------------------- */

static void a_long_log_is_whole(void **state)
{
    struct sim_disk *disk = make_long(1);
    struct weir_error err = { 0 };
    uint64_t count = 0;

    (void)state;
    assert_int_equal(judge(disk, &count, &err), WEIR_OK);
    assert_true(count > 16);
    sim_disk_free(disk);
}

/* covers: D-24 */
static void a_missing_segment_is_named(void **state)
{
    struct sim_disk *disk = make_long(1);

    (void)state;
    assert_true(sim_disk_remove(disk, SECOND));
    assert_corrupt(disk, "0000000000000002.wal");
    sim_disk_free(disk);
}

/* covers: D-25 */
static void a_segment_of_another_log_is_named(void **state)
{
    static const char *const paths[] = { SECOND, THIRD, FOURTH };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct sim_disk *disk = make_long(1);
        struct sim_disk *other = make_long(2);
        size_t len, other_len;
        uint8_t *bytes = sim_disk_bytes(disk, paths[i], &len);

        memcpy(bytes, sim_disk_bytes(other, SECOND, &other_len), len);
        assert_corrupt(disk, "another log");
        sim_disk_free(disk);
        sim_disk_free(other);
    }
}

/* covers: D-25 */
static void a_doubled_segment_is_named(void **state)
{
    struct sim_disk *disk = make_long(1);

    (void)state;
    assert_true(sim_disk_copy(disk, SECOND, THIRD));
    assert_corrupt(disk, "0000000000000003.wal");
    assert_true(sim_disk_copy(disk, SECOND, FIRST));
    assert_corrupt(disk, "0000000000000001.wal");
    sim_disk_free(disk);
}

/* A write that was acknowledged and never happened leaves what the block held before.
 * covers: D-17 */
static void a_write_that_never_happened_is_found(void **state)
{
    struct sim_disk *disk = make_long(1);
    size_t len;

    (void)state;
    memset(sim_disk_bytes(disk, SECOND, &len) + 3 * WAL_BLOCK_BYTES, 0, 2 * WAL_BLOCK_BYTES);
    assert_corrupt(disk, "0000000000000002.wal, offset 12288");
    sim_disk_free(disk);
}

/* covers: D-16 */
static void a_misdirected_write_is_found(void **state)
{
    struct sim_disk *disk = make_long(1);
    size_t len;
    uint8_t *bytes = sim_disk_bytes(disk, SECOND, &len);

    (void)state;
    memcpy(bytes + 3 * WAL_BLOCK_BYTES, bytes + 5 * WAL_BLOCK_BYTES, 2 * WAL_BLOCK_BYTES);
    assert_corrupt(disk, "0000000000000002.wal, offset 12288");
    sim_disk_free(disk);
}

/* A record of another history of the same log, at its place and with its LSN: all that tells it
 * from the right one is the chain. */
static void a_record_of_another_history_is_found(void **state)
{
    struct sim_disk *disks[2] = { make_small(false), NULL };
    size_t len, other_len;

    (void)state;
    disks[1] = sim_disk_clone(disks[0], 99);
    for (int i = 0; i < 2; i++) {
        struct weir_io *io = sim_disk_boot(disks[i]);
        weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);

        (void)must_append(wal, 1, i == 0 ? "left" : "right", 5);
        (void)must_append(wal, 1, "same", 4);
        weir_wal_close(wal);
        weir_io_close(io);
        sim_disk_settle(disks[i]);
    }
    size_t at = (2 + RECORDS + 1) * WAL_BLOCK_BYTES; /* behind the second opening mark */
    memcpy(sim_disk_bytes(disks[0], FIRST, &len) + at,
           sim_disk_bytes(disks[1], FIRST, &other_len) + at, WAL_BLOCK_BYTES);
    assert_corrupt(disks[0], "0000000000000001.wal, offset 24576");
    sim_disk_free(disks[0]);
    sim_disk_free(disks[1]);
}

/* A segment file whose header is zeroed, one that is last or not.
 * covers: D-26 */
static void broken_headers_are_told_apart(void **state)
{
    struct sim_disk *disk = make_long(1);
    struct sim_disk *young = make_small(true);
    struct weir_error err = { 0 };
    uint64_t count = 0;
    size_t len;

    (void)state;
    memset(sim_disk_bytes(disk, FOURTH, &len), 0, 100);
    assert_int_equal(judge(disk, &count, &err), WEIR_OK); /* prepared and never begun */
    memset(sim_disk_bytes(disk, THIRD, &len), 0, WAL_BLOCK_BYTES);
    assert_corrupt(disk, "0000000000000003.wal, offset 0");
    memset(sim_disk_bytes(young, FIRST, &len), 0, WAL_BLOCK_BYTES);
    assert_corrupt(young, "0000000000000001.wal, offset 0");
    sim_disk_free(disk);
    sim_disk_free(young);
}

/* A later weir may write another format, or other blocks: that is no damage, and no log to go on with.
 * The offsets are those of docs/FORMAT.md. */
static void a_log_of_another_version_is_left_to_it(void **state)
{
    enum { VERSION_AT = 8, CRC_AT = 12, UUID_AT = 16, BLOCK_BYTES_AT = 60 };
    static const size_t places[] = { VERSION_AT, BLOCK_BYTES_AT };

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct sim_disk *disk = make_long(1);
        struct weir_error err = { 0 };
        uint64_t count;
        size_t len;
        uint8_t *block = sim_disk_bytes(disk, SECOND, &len);

        block[places[i]] += 2;
        uint32_t crc = weir_crc32c(weir_crc32c(0, block, CRC_AT), block + UUID_AT,
                                   WAL_SEGMENT_HEADER_BYTES - UUID_AT);
        for (unsigned byte = 0; byte < 4; byte++) {
            block[CRC_AT + byte] = (uint8_t)(crc >> 8 * byte);
        }
        assert_int_equal(judge(disk, &count, &err), WEIR_ECONFLICT);
        assert_string_equal(err.reason, "log_version");
        assert_non_null(strstr(err.text, "0000000000000002.wal"));
        sim_disk_free(disk);
    }
}

/* The header of the newest segment is gone, but records in it prove that they were durable. */
static void a_damaged_last_header_is_found(void **state)
{
    struct sim_disk *disk = make_long(1);
    size_t len;

    (void)state;
    assert_true(sim_disk_remove(disk, FOURTH));
    sim_disk_bytes(disk, THIRD, &len)[40] ^= 1;
    assert_corrupt(disk, "0000000000000003.wal");
    sim_disk_free(disk);
}

/* Trimmed segments that a crash brought back are not taken for records, and go away.
 * covers: D-12 */
static void a_trimmed_segment_that_came_back_is_removed(void **state)
{
    struct sim_disk *disk = make_long(1);
    struct sim_disk *old = sim_disk_clone(disk, 1);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    static uint8_t bytes[7000];
    size_t len, old_len;

    (void)state;
    for (int i = 0; i < 60; i++) {
        assert_int_equal(weir_wal_trim(wal, must_append(wal, 1, bytes, sizeof(bytes)), NULL),
                         WEIR_OK);
    }
    uint64_t count = count_from(wal, 0);
    assert_null(sim_disk_bytes(disk, FIRST, &len));
    weir_wal_close(wal);

    struct weir_io_file *file = NULL;
    assert_int_equal(weir_io_file_open(io, FIRST, WEIR_IO_WRITE | WEIR_IO_CREATE, &file, NULL),
                     WEIR_OK);
    uint8_t *first = sim_disk_bytes(old, FIRST, &old_len);
    assert_int_equal(weir_io_write_at(io, file, 0, first, old_len, true, NULL), WEIR_OK);
    weir_io_file_close(io, file);

    wal = must_open(io, "/log", SEGMENT_BYTES);
    assert_int_equal(count_from(wal, 0), count);
    assert_null(sim_disk_bytes(disk, FIRST, &len));
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
    sim_disk_free(old);
}

/* Damage that comes while the log is open is found when the record is read. */
static void a_cursor_finds_later_damage(void **state)
{
    struct sim_disk *disk = make_small(true);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    weir_wal_cursor *cursor = NULL;
    struct weir_wal_record record;
    struct weir_error err = { 0 };
    size_t len;

    (void)state;
    sim_disk_bytes(disk, FIRST, &len)[3 * WAL_BLOCK_BYTES + 45] ^= 4;
    assert_int_equal(weir_wal_cursor_open(wal, 0, &cursor, NULL), WEIR_OK);
    assert_int_equal(must_next(cursor).type, 1);
    assert_int_equal(weir_wal_cursor_next(cursor, &record, &err), WEIR_ECORRUPT);
    assert_non_null(strstr(err.text, "offset 12288"));
    weir_wal_cursor_close(cursor);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
}

/* Appends until the log says that it cannot; returns how many records were acknowledged. */
static uint64_t append_until_noticed(weir_wal *wal, struct weir_error *err)
{
    static uint8_t bytes[7000];
    uint64_t lsn = 0, count = 0;
    int rc = WEIR_OK;

    while (rc == WEIR_OK && count < 4 * SEGMENT_BYTES / sizeof(bytes)) {
        rc = weir_wal_append(wal, 1, bytes, sizeof(bytes), &lsn, err);
        rc = rc == WEIR_OK ? weir_wal_wait(wal, lsn, err) : rc;
        count += rc == WEIR_OK;
    }
    assert_int_equal(rc, WEIR_ECORRUPT);
    assert_int_equal(weir_wal_append(wal, 1, "x", 1, &lsn, NULL), WEIR_ECORRUPT); /* for good */
    return count;
}

/* Somebody tidies up in the directory of a running log.
 * covers: D-31 */
static void a_segment_harmed_in_use_ends_the_log(void **state)
{
    (void)state;
    for (int is_cut = 0; is_cut < 2; is_cut++) {
        for (int is_active = 0; is_active < 2; is_active++) {
            struct sim_disk *disk = make_long(3);
            struct weir_io *io = sim_disk_boot(disk);
            weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
            const char *path = is_active ? FOURTH : SECOND;
            struct weir_error err = { 0 };

            assert_true(is_cut ? sim_disk_truncate(disk, path, SEGMENT_BYTES / 2)
                               : sim_disk_remove(disk, path));
            uint64_t count = append_until_noticed(wal, &err);
            assert_non_null(strstr(err.text, path));
            assert_string_equal(err.reason, "log_corrupt");
            if (is_active) {
                assert_int_equal(count, 0); /* nothing is acknowledged that would not be found */
            }
            weir_wal_close(wal);
            weir_io_close(io);
            sim_disk_settle(disk);
            if (!is_active) {
                assert_corrupt(disk, "0000000000000002.wal"); /* a restart meets it again */
            }
            sim_disk_free(disk);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hole_is_judged_by_what_follows),
        cmocka_unit_test(a_long_log_is_whole),
        cmocka_unit_test(a_missing_segment_is_named),
        cmocka_unit_test(a_segment_of_another_log_is_named),
        cmocka_unit_test(a_doubled_segment_is_named),
        cmocka_unit_test(a_write_that_never_happened_is_found),
        cmocka_unit_test(a_misdirected_write_is_found),
        cmocka_unit_test(a_record_of_another_history_is_found),
        cmocka_unit_test(broken_headers_are_told_apart),
        cmocka_unit_test(a_log_of_another_version_is_left_to_it),
        cmocka_unit_test(a_damaged_last_header_is_found),
        cmocka_unit_test(a_trimmed_segment_that_came_back_is_removed),
        cmocka_unit_test(a_cursor_finds_later_damage),
        cmocka_unit_test(a_segment_harmed_in_use_ends_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
