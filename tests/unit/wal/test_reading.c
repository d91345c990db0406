/* test_reading.c: a log is read back, checked and cut on a disk that fails or has rotted: what is said is
 * that, and nothing is lost by it. */
#include <errno.h>

#include "tests/unit/wal/killed_log.h"
#include "wal/record.h"

enum {
    SEGMENT_BYTES = WEIR_WAL_SEGMENT_BYTES_MIN,
    RECORDS = 40, /* some three segments of them */
    SKIP_MAX = 200,
    MARK = 1, /* each opening leaves one */
};

#define LAST "/log/0000000000000003.wal"

/* The last record becomes a torn one. */
static void tear(struct sim_disk *disk)
{
    size_t len = 0;
    uint8_t *bytes = sim_disk_bytes(disk, LAST, &len);
    size_t at = len - WAL_BLOCK_BYTES;

    assert_non_null(bytes);
    while (bytes[at] == 0) {
        at -= WAL_BLOCK_BYTES;
    }
    memset(bytes + at + WAL_RECORD_HEADER_BYTES, 0xee, 4);
    sim_disk_settle(disk);
}

/* How often an operation has to fail to be told: a failed read is tried once more. */
static uint64_t times(enum sim_op op)
{
    return op == SIM_READ ? 2 : 1;
}

static int read_all(weir_wal *wal, uint64_t *ret_count)
{
    struct weir_wal_record record = { .lsn = 1 };
    weir_wal_cursor *cursor = NULL;
    int rc = weir_wal_cursor_open(wal, 0, &cursor, NULL);

    *ret_count = 0;
    while (rc == WEIR_OK && record.lsn != 0) {
        rc = weir_wal_cursor_next(cursor, &record, NULL);
        *ret_count += rc == WEIR_OK && record.lsn != 0;
    }
    weir_wal_cursor_close(cursor);
    return rc;
}

static void a_read_that_fails_ends_a_cursor_not_the_log(void **state)
{
    int failures = 0;

    (void)state;
    for (enum sim_op op = SIM_OPEN; op <= SIM_READ; op++) {
        for (uint64_t skip = 0; skip < SKIP_MAX; skip++) {
            struct sim_disk *disk = make_killed(3, RECORDS);
            struct weir_io *io = sim_disk_boot(disk);
            weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
            uint64_t count = 0;

            sim_disk_fail(disk, op, skip, times(op), EIO);
            int rc = read_all(wal, &count);
            sim_disk_heal(disk);
            assert_true(rc == WEIR_EIO || (rc == WEIR_OK && count == RECORDS));
            failures += rc == WEIR_EIO;
            skip = rc == WEIR_OK ? SKIP_MAX : skip;
            assert_int_equal(read_all(wal, &count), WEIR_OK);
            assert_int_equal(count, RECORDS);
            (void)must_append(wal, 1, "one more", 8);
            weir_wal_close(wal);
            weir_io_close(io);
            sim_disk_free(disk);
        }
    }
    assert_true(failures >= 2); /* segments are opened, and read */
}

/* A read that fails once, or brings a wrong byte once: the second try is right, and nobody notices.
 * covers: D-18 */
static void one_bad_read_is_made_good_by_another(void **state)
{
    static const char *const hows[] = { "an error", "a wrong bit" };

    (void)state;
    for (int how = 0; how < 2; how++) {
        bool was_hit = true;
        for (uint64_t skip = 0; was_hit; skip++) {
            struct sim_disk *disk = make_killed(3, RECORDS);
            struct weir_io *io = sim_disk_boot(disk);
            struct weir_wal_stat stat;
            uint64_t count = 0;

            if (how == 0) {
                sim_disk_fail(disk, SIM_READ, skip, 1, EIO);
            } else {
                sim_disk_flip_read(disk, skip);
            }
            uint64_t reads = sim_disk_count(disk, SIM_READ);
            weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
            int rc = read_all(wal, &count);
            was_hit = sim_disk_count(disk, SIM_READ) - reads > skip;
            weir_wal_stat(wal, &stat);
            if (rc != WEIR_OK || count != RECORDS || stat.cut_bytes != 0) {
                fail_msg("%s in read %d: %d, %d records", hows[how], (int)skip, rc, (int)count);
            }
            weir_wal_close(wal);
            weir_io_close(io);
            sim_disk_free(disk);
            assert_true(skip < SKIP_MAX);
        }
    }
}

/* The second try fails, too: a halt, and a restart finds everything.
 * covers: D-18 */
static void a_read_that_fails_twice_ends_the_opening(void **state)
{
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = SEGMENT_BYTES };
    int failures = 0;

    (void)state;
    for (uint64_t skip = 0;; skip++) {
        struct sim_disk *disk = make_killed(3, RECORDS);
        struct weir_io *io = sim_disk_boot(disk);
        weir_wal *wal = NULL;

        sim_disk_fail(disk, SIM_READ, skip, 2, EIO);
        int rc = weir_wal_open(io, "/log", &options, &wal, NULL);
        weir_wal_close(wal);
        sim_disk_heal(disk);
        wal = must_open(io, "/log", SEGMENT_BYTES);
        assert_int_equal(count_from(wal, 0), RECORDS);
        weir_wal_close(wal);
        weir_io_close(io);
        sim_disk_free(disk);
        if (rc == WEIR_OK) {
            break;
        }
        assert_int_equal(rc, WEIR_EIO);
        failures++;
    }
    assert_true(failures >= 6); /* headers and records of three segments */
}

/* A segment that was good when the log was opened. */
static void a_segment_that_rots_is_noticed_by_a_cursor(void **state)
{
    static const size_t places[] = { 0, 17, WAL_BLOCK_BYTES + 3, 5 * WAL_BLOCK_BYTES + 30 };

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct sim_disk *disk = make_killed(3, RECORDS);
        struct weir_io *io = sim_disk_boot(disk);
        weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
        size_t len = 0;
        uint64_t count = 0;

        sim_disk_bytes(disk, "/log/0000000000000002.wal", &len)[places[i]] ^= 0x10;
        assert_int_equal(read_all(wal, &count), WEIR_ECORRUPT);
        assert_in_range(count, 1, RECORDS - 1); /* what lies before it was read */
        kill_log(disk, io, wal);
        sim_disk_free(disk);
    }
}

/* The header of a segment is whole, but another one's: somebody put a file there while the log was open. */
static void a_segment_that_is_exchanged_is_noticed_by_a_cursor(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        struct sim_disk *disk = make_killed(3, RECORDS);
        struct weir_io *io = sim_disk_boot(disk);
        weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
        struct wal_segment_header header;
        size_t len = 0;
        uint64_t count = 0;
        uint8_t *bytes = sim_disk_bytes(disk, "/log/0000000000000002.wal", &len);

        assert_int_equal(wal_segment_header_inspect(bytes, len, &header), WAL_HEADER_WHOLE);
        header.number += what == 0;
        header.first_lsn -= what == 1;
        header.uuid[3] ^= what == 2;
        wal_segment_header_encode(&header, bytes);
        assert_int_equal(read_all(wal, &count), WEIR_ECORRUPT);
        assert_in_range(count, 1, RECORDS - 1);
        kill_log(disk, io, wal);
        sim_disk_free(disk);
    }
}

/* Removes the first segment before the operation whose turn it is. */
struct trimmer {
    struct sim_disk *disk;
    uint64_t left;
};

static void trim_in_time(void *context)
{
    struct trimmer *trimmer = context;

    if (trimmer->left-- == 0) {
        (void)sim_disk_remove(trimmer->disk, "/log/0000000000000001.wal");
    }
}

/* A running log gives up a segment, which was damaged, while it is checked: from then on it is no part of
 * the log, and what was found in it is no damage of it. */
static void damage_in_a_segment_that_goes_meanwhile_is_none(void **state)
{
    int trimmed = 0;

    (void)state;
    for (uint64_t before = 0; before < SKIP_MAX; before++) {
        struct sim_disk *disk = make_killed(3, RECORDS);
        struct trimmer trimmer = { disk, before };
        struct weir_wal_report report;
        struct weir_error err = { 0 };
        size_t len = 0;

        sim_disk_bytes(disk, "/log/0000000000000001.wal", &len)[3 * WAL_BLOCK_BYTES + 50] ^= 1;
        struct weir_io *io = sim_disk_boot(disk);
        sim_disk_watch(disk, trim_in_time, &trimmer);
        int rc = weir_wal_verify(io, "/log", NULL, NULL, &report, &err);
        sim_disk_watch(disk, NULL, NULL);
        bool is_there = sim_disk_bytes(disk, "/log/0000000000000001.wal", &len) != NULL;
        assert_int_equal(rc == WEIR_ECORRUPT, is_there);
        if (rc == WEIR_EBUSY) {
            assert_non_null(strstr(err.text, "was trimmed while it was read"));
            trimmed++;
        }
        weir_io_close(io);
        sim_disk_free(disk);
        before = is_there ? SKIP_MAX : before;
    }
    assert_true(trimmed >= 1);
}

/* Killed when its first segment had its name and no record yet, not even the log's own mark. */
static void a_log_without_a_record_is_whole(void **state)
{
    const struct weir_wal_options options = { .size_bytes = sizeof(options),
                                              .segment_bytes = SEGMENT_BYTES };
    struct sim_disk *disk = sim_disk_new(3);
    struct weir_io *io = sim_disk_boot(disk);
    struct weir_wal_report report;
    weir_wal *wal = NULL;

    (void)state;
    sim_disk_fail(disk, SIM_WRITE, 2, 1, EIO); /* behind the zeros and the header */
    assert_int_equal(weir_wal_open(io, "/log", &options, &wal, NULL), WEIR_EIO);
    weir_io_close(io);
    size_t len = 0;
    uint8_t *bytes = sim_disk_bytes(disk, "/log/0000000000000001.wal", &len);
    memset(bytes + WAL_BLOCK_BYTES, 0, len - WAL_BLOCK_BYTES);
    sim_disk_settle(disk);
    io = sim_disk_boot(disk);
    assert_int_equal(weir_wal_verify(io, "/log", NULL, NULL, &report, NULL), WEIR_OK);
    assert_int_equal(report.record_count, 0);
    assert_int_equal(report.first_lsn, 0);
    assert_int_equal(report.last_lsn, 0);
    assert_int_equal(report.segment_count, 1);
    wal = must_open(io, "/log", SEGMENT_BYTES);
    assert_int_equal(must_append(wal, 1, "some bytes", 10), 1 + MARK);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
}

/* The directory's own path may be taken, but none of a file in it. */
static void a_directory_too_deep_for_its_files_is_refused(void **state)
{
    char dir[WEIR_IO_PATH_BYTES_MAX - 20] = { '/' };
    struct sim_disk *disk = sim_disk_new(3);
    struct weir_io *io = sim_disk_boot(disk);
    struct weir_wal_report report = { 0 };
    weir_wal *wal = NULL;

    (void)state;
    memset(dir + 1, 'x', sizeof(dir) - 2);
    assert_int_equal(weir_wal_open(io, dir, NULL, &wal, NULL), WEIR_ECONFIG);
    assert_null(wal);
    assert_int_equal(weir_wal_verify(io, dir, NULL, NULL, &report, NULL), WEIR_ECONFIG);
    assert_int_equal(weir_wal_cut(io, dir, &report, NULL), WEIR_ECONFIG);
    weir_io_close(io);
    sim_disk_free(disk);
}

static void checking_and_cutting_may_fail_anywhere(void **state)
{
    int failures = 0;

    (void)state;
    for (enum sim_op op = SIM_OPEN; op < SIM_OP_COUNT; op++) {
        bool reached = true;
        for (uint64_t skip = 0; reached; skip++) {
            struct sim_disk *disk = make_killed(3, RECORDS);
            struct weir_wal_report seen;
            struct weir_wal_report report;

            tear(disk);
            struct weir_io *io = sim_disk_boot(disk);
            assert_int_equal(weir_wal_verify(io, "/log", NULL, NULL, &seen, NULL), WEIR_OK);
            assert_int_not_equal(seen.torn_bytes, 0);
            sim_disk_fail(disk, op, skip, times(op), EIO);
            int rc = weir_wal_verify(io, "/log", NULL, NULL, &report, NULL);
            if (rc == WEIR_OK) {
                rc = weir_wal_cut(io, "/log", &seen, NULL);
            }
            sim_disk_heal(disk);
            assert_true(rc == WEIR_OK || rc == WEIR_EIO);
            reached = rc != WEIR_OK;
            failures += reached;
            assert_int_equal(weir_wal_verify(io, "/log", NULL, NULL, &report, NULL), WEIR_OK);
            assert_int_equal(report.last_lsn, seen.last_lsn);
            assert_int_equal(report.record_count, RECORDS + MARK - 1);
            weir_io_close(io);
            sim_disk_free(disk);
            assert_true(skip < SKIP_MAX);
        }
    }
    assert_true(failures >= 10);
}

static int refuse(void *context, const struct weir_wal_place *place,
                  const struct weir_wal_record *record, struct weir_error *err)
{
    uint64_t *left = context;

    (void)place;
    (void)record;
    return (*left)-- == 0 ? weir_error_set(err, WEIR_EDATA, "enough") : WEIR_OK;
}

static void a_visitor_may_end_the_reading(void **state)
{
    struct sim_disk *disk = make_killed(3, RECORDS);
    struct weir_io *io = sim_disk_boot(disk);
    struct weir_wal_report report;

    (void)state;
    for (uint64_t after = 0; after < RECORDS; after++) {
        uint64_t left = after;
        assert_int_equal(weir_wal_verify(io, "/log", refuse, &left, &report, NULL), WEIR_EDATA);
    }
    weir_io_close(io);
    sim_disk_free(disk);
}

static void options_of_another_version_are_refused(void **state)
{
    const struct weir_wal_options options = { .size_bytes = 1 };
    struct sim_disk *disk = make_killed(3, RECORDS);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = NULL;

    (void)state;
    assert_int_equal(weir_wal_open(io, "/log", &options, &wal, NULL), WEIR_EINVAL);
    assert_null(wal);
    weir_io_close(io);
    sim_disk_free(disk);
}

/* A mark beyond the end means the end: nothing that is not written yet may be given up. */
static void trimming_goes_no_further_than_the_end(void **state)
{
    struct sim_disk *disk = make_killed(3, RECORDS);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    struct weir_wal_stat stat;

    (void)state;
    assert_int_equal(weir_wal_trim(wal, UINT64_MAX, NULL), WEIR_OK);
    for (int i = 0; i < RECORDS; i++) {
        uint64_t lsn = must_append(wal, 1, "some bytes", 10);
        assert_int_equal(count_from(wal, lsn), 1);
    }
    weir_wal_stat(wal, &stat);
    assert_in_range(stat.first_lsn, 2, RECORDS + 2 * MARK + 1);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_that_fails_ends_a_cursor_not_the_log),
        cmocka_unit_test(one_bad_read_is_made_good_by_another),
        cmocka_unit_test(a_read_that_fails_twice_ends_the_opening),
        cmocka_unit_test(a_segment_that_rots_is_noticed_by_a_cursor),
        cmocka_unit_test(a_segment_that_is_exchanged_is_noticed_by_a_cursor),
        cmocka_unit_test(damage_in_a_segment_that_goes_meanwhile_is_none),
        cmocka_unit_test(a_log_without_a_record_is_whole),
        cmocka_unit_test(a_directory_too_deep_for_its_files_is_refused),
        cmocka_unit_test(checking_and_cutting_may_fail_anywhere),
        cmocka_unit_test(a_visitor_may_end_the_reading),
        cmocka_unit_test(options_of_another_version_are_refused),
        cmocka_unit_test(trimming_goes_no_further_than_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
