/* test_wal.c: what a log promises while all goes well, on every I/O backend, and how it stops when
 * the device fails. */
#include <errno.h>

#include "tests/support/io_backends.h"
#include "tests/unit/wal/log_fixture.h"

enum { SEGMENT_BYTES = WEIR_WAL_SEGMENT_BYTES_MIN };

/* --- On every backend ----------------------------------------------------------------------- */

/* covers: E-12 */
static void records_come_back_after_a_restart(void **state)
{
    static uint8_t long_bytes[300000]; /* longer than a segment */
    struct backend backend;
    struct weir_wal_record record;
    weir_wal_cursor *cursor = NULL;

    backend_open(&backend, *state);
    memset(long_bytes, 'q', sizeof(long_bytes));
    weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    uint64_t first = must_append(wal, 1, "alpha", 5);
    uint64_t second = must_append(wal, 255, NULL, 0);
    uint64_t third = must_append(wal, 3, long_bytes, sizeof(long_bytes));
    uint64_t fourth = must_append(wal, 4, "omega", 5);
    assert_true(first < second && second < third && third < fourth);
    assert_int_equal(weir_wal_durable(wal), fourth);
    weir_wal_close(wal);

    wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    assert_int_equal(weir_wal_cursor_open(wal, 0, &cursor, NULL), WEIR_OK);
    record = must_next(cursor);
    assert_int_equal(record.lsn, first);
    assert_int_equal(record.type, 1);
    assert_int_equal(record.len, 5);
    assert_memory_equal(record.bytes, "alpha", 5);
    record = must_next(cursor);
    assert_int_equal(record.lsn, second);
    assert_int_equal(record.len, 0);
    record = must_next(cursor);
    assert_int_equal(record.len, sizeof(long_bytes));
    assert_memory_equal(record.bytes, long_bytes, sizeof(long_bytes));
    record = must_next(cursor);
    assert_int_equal(record.lsn, fourth);
    assert_int_equal(must_next(cursor).lsn, 0);

    uint64_t fifth = must_append(wal, 5, "more", 4); /* a cursor at the end goes on */
    assert_int_equal(must_next(cursor).lsn, fifth);
    weir_wal_cursor_close(cursor);
    assert_int_equal(count_from(wal, third), 3);
    weir_wal_close(wal);
    backend_close(&backend);
}

static void what_waits_shares_one_write(void **state)
{
    struct backend backend;
    struct weir_wal_stat before, after;
    uint64_t lsn = 0;

    backend_open(&backend, *state);
    weir_wal *wal = must_open(backend.io, backend.dir, 0);
    weir_wal_stat(wal, &before);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(weir_wal_append(wal, 1, "x", 1, &lsn, NULL), WEIR_OK);
    }
    assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_OK);
    weir_wal_stat(wal, &after);
    assert_int_equal(after.record_count - before.record_count, 20);
    assert_int_equal(after.write_count - before.write_count, 2);
    weir_wal_close(wal);
    backend_close(&backend);
}

static void too_much_waiting_is_refused_and_taken_later(void **state)
{
    static uint8_t bytes[3 * 1024 * 1024];
    struct backend backend;
    uint64_t lsn = 0;

    backend_open(&backend, *state);
    weir_wal *wal = must_open(backend.io, backend.dir, 0);
    for (int i = 0; i < 3; i++) { /* one is being written, two wait */
        assert_int_equal(weir_wal_append(wal, 1, bytes, sizeof(bytes), &lsn, NULL), WEIR_OK);
    }
    assert_int_equal(weir_wal_append(wal, 1, bytes, sizeof(bytes), &lsn, NULL), WEIR_EBUSY);
    assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_OK);
    (void)must_append(wal, 1, bytes, sizeof(bytes));
    assert_int_equal(count_from(wal, 0), 4);
    weir_wal_close(wal);
    backend_close(&backend);
}

/* covers: D-13, E-18 */
static void trimmed_segments_are_used_again(void **state)
{
    static uint8_t bytes[5000];
    struct backend backend;
    struct weir_wal_stat stat;
    weir_wal_cursor *cursor = NULL;
    struct weir_error err = { 0 };
    uint64_t lsn = 0;

    backend_open(&backend, *state);
    weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    for (int i = 0; i < 200; i++) {
        lsn = must_append(wal, 1, bytes, sizeof(bytes));
        assert_int_equal(weir_wal_trim(wal, lsn, NULL), WEIR_OK);
    }
    weir_wal_stat(wal, &stat);
    assert_true(stat.segment_count <= 4);
    assert_true(stat.created_count <= 4);
    assert_true(stat.recycled_count > 15);
    assert_true(stat.first_lsn > 150);
    assert_int_equal(weir_wal_cursor_open(wal, 1, &cursor, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "log_trimmed");
    weir_wal_close(wal);
    wal = must_open(backend.io, backend.dir, SEGMENT_BYTES); /* stale records are no damage */
    assert_int_equal(count_from(wal, lsn), 1);
    weir_wal_close(wal);
    backend_close(&backend);
}

static void a_cursor_holds_what_it_reads(void **state)
{
    static uint8_t bytes[5000];
    struct backend backend;
    weir_wal_cursor *cursor = NULL;
    uint64_t count = 0;

    backend_open(&backend, *state);
    weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    (void)must_append(wal, 9, "first", 5);
    assert_int_equal(weir_wal_cursor_open(wal, 0, &cursor, NULL), WEIR_OK);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(weir_wal_trim(wal, must_append(wal, 1, bytes, sizeof(bytes)), NULL),
                         WEIR_OK);
    }
    assert_int_equal(must_next(cursor).type, 9);
    while (must_next(cursor).lsn != 0) {
        count++;
    }
    assert_int_equal(count, 60);
    weir_wal_cursor_close(cursor);
    weir_wal_close(wal);
    backend_close(&backend);
}

static void some_segments_are_kept_for_rewinding(void **state)
{
    static uint8_t bytes[5000];
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = SEGMENT_BYTES,
                                        .retain_bytes = 3 * (uint64_t)SEGMENT_BYTES };
    struct backend backend;
    weir_wal *wal = NULL;
    uint64_t lsn = 0;

    backend_open(&backend, *state);
    assert_int_equal(weir_wal_open(backend.io, backend.dir, &options, &wal, NULL), WEIR_OK);
    for (int i = 0; i < 100; i++) {
        lsn = must_append(wal, 1, bytes, sizeof(bytes));
        assert_int_equal(weir_wal_trim(wal, lsn, NULL), WEIR_OK);
    }
    assert_true(count_from(wal, 0) >= 3 * 7); /* seven of these fill a segment */
    assert_true(count_from(wal, 0) <= 6 * 7);
    weir_wal_close(wal);
    backend_close(&backend);
}

/* covers: P-11 */
static void a_log_is_opened_once(void **state)
{
    struct backend backend;
    struct weir_error err = { 0 };
    weir_wal *second = NULL;

    backend_open(&backend, *state);
    weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    assert_int_equal(weir_wal_open(backend.io, backend.dir, NULL, &second, &err), WEIR_EBUSY);
    assert_string_equal(err.reason, "locked");
    assert_null(second);
    weir_wal_close(wal);
    wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    weir_wal_close(wal);
    backend_close(&backend);
}

static void a_log_can_be_checked_while_it_is_written(void **state)
{
    static uint8_t bytes[5000];
    struct backend backend;
    struct weir_wal_report report;
    struct weir_error err = { 0 };

    backend_open(&backend, *state);
    assert_int_equal(weir_wal_verify(backend.io, backend.parent[0] ? backend.parent : "", NULL,
                                     NULL, &report, &err),
                     WEIR_ECONFLICT);
    assert_string_equal(err.reason, "log_missing");
    weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    for (int i = 0; i < 40; i++) {
        uint64_t lsn = must_append(wal, 1, bytes, sizeof(bytes));
        if (weir_wal_verify(backend.io, backend.dir, NULL, NULL, &report, &err) != WEIR_OK) {
            fail_msg("%s", err.text);
        }
        assert_int_equal(report.last_lsn, lsn);
        assert_int_equal(report.torn_bytes, 0);
        assert_int_equal(weir_wal_trim(wal, lsn, NULL), WEIR_OK);
    }
    weir_wal_close(wal);
    backend_close(&backend);
}

static void wrong_calls_are_refused(void **state)
{
    static const uint64_t odd_bytes[] = { WEIR_WAL_SEGMENT_BYTES_MIN + 1,
                                          WEIR_WAL_SEGMENT_BYTES_MIN / 2,
                                          2 * (uint64_t)WEIR_WAL_SEGMENT_BYTES_MAX };
    struct backend backend;
    weir_wal *wal = NULL;
    uint64_t lsn = 0;

    backend_open(&backend, *state);
    for (size_t i = 0; i < sizeof(odd_bytes) / sizeof(odd_bytes[0]); i++) {
        struct weir_wal_options odd = { .size_bytes = sizeof(odd), .segment_bytes = odd_bytes[i] };
        assert_int_equal(weir_wal_open(backend.io, backend.dir, &odd, &wal, NULL), WEIR_ECONFIG);
    }
    wal = must_open(backend.io, backend.dir, 0);
    assert_int_equal(weir_wal_append(wal, 0, "x", 1, &lsn, NULL), WEIR_EINVAL);
    assert_int_equal(
        weir_wal_append(wal, 1, "x", (size_t)WEIR_WAL_RECORD_BYTES_MAX + 1, &lsn, NULL),
        WEIR_EINVAL);
    assert_int_equal(weir_wal_wait(wal, 1000, NULL), WEIR_EINVAL);
    assert_int_equal(lsn, 0);
    weir_wal_close(wal);
    weir_wal_close(NULL);
    weir_wal_cursor_close(NULL);
    backend_close(&backend);
}

/* --- On a device that fails ----------------------------------------------------------------- */

/* covers: D-02, D-03 */
static void a_failed_write_is_final(void **state)
{
    struct sim_disk *disk = sim_disk_new(1);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    struct weir_error err = { 0 };
    uint64_t lsn = 0;

    (void)state;
    uint64_t acknowledged = must_append(wal, 1, "a", 1);
    sim_disk_fail(disk, SIM_WRITE, 0, 1, EIO);
    assert_int_equal(weir_wal_append(wal, 1, "b", 1, &lsn, NULL), WEIR_OK);
    assert_int_equal(weir_wal_wait(wal, lsn, &err), WEIR_EIO);
    assert_int_equal(err.sys_errno, EIO);
    uint64_t writes = sim_disk_count(disk, SIM_WRITE);
    assert_int_equal(weir_wal_append(wal, 1, "c", 1, &lsn, &err), WEIR_EIO);
    assert_int_equal(weir_wal_poll(wal, 0, NULL, NULL), WEIR_EIO);
    assert_int_equal(weir_wal_trim(wal, 1, NULL), WEIR_EIO);
    assert_int_equal(weir_wal_durable(wal), acknowledged);
    weir_wal_close(wal);
    assert_int_equal(sim_disk_count(disk, SIM_WRITE), writes); /* no second try, no mark */
    weir_io_close(io);
    sim_disk_free(disk);
}

/* A device that breaks under a write never says what became of its buffer: it stays, and so does the log
 * that it is part of. */
static int never_done(void *self, uint64_t wait_us, struct weir_error *err)
{
    (void)self;
    (void)wait_us;
    return weir_error_set_errno(err, WEIR_EIO, EIO, "the ring is gone");
}

static void a_buffer_that_is_not_given_back_is_not_freed(void **state)
{
    static weir_wal *wal; /* left where it is by close: not lost */
    struct sim_disk *disk = sim_disk_new(1);
    struct weir_io *io = sim_disk_boot(disk);
    const struct weir_io_ops *ops = io->ops;
    struct weir_io_ops broken = *ops;
    struct weir_error err = { 0 };
    uint64_t lsn = 0;

    (void)state;
    wal = must_open(io, "/log", SEGMENT_BYTES);
    sim_disk_hold_writes(disk, true);
    assert_int_equal(weir_wal_append(wal, 1, "b", 1, &lsn, NULL), WEIR_OK);
    broken.poll = never_done;
    io->ops = &broken;
    assert_int_equal(weir_wal_poll(wal, 0, NULL, &err), WEIR_EIO);
    assert_non_null(strstr(err.text, "the ring is gone"));
    assert_int_equal(weir_wal_append(wal, 1, "c", 1, &lsn, NULL), WEIR_EIO);
    weir_wal_close(wal);
    io->ops = ops;
    sim_disk_hold_writes(disk, false);
    assert_int_equal(weir_io_poll(io, 0, NULL), WEIR_OK); /* it writes from that buffer */
    weir_io_close(io);
    io = sim_disk_boot(disk);
    weir_wal *next = must_open(io, "/log", SEGMENT_BYTES);
    assert_int_equal(count_from(next, 0), 1);
    weir_wal_close(next);
    weir_io_close(io);
    sim_disk_free(disk);
}

/* The memory of a record that is longer than what usually waits for a write is given back behind it: what
 * comes next is written from its own. */
static void a_very_long_record_is_one_among_others(void **state)
{
    enum { LONG_BYTES = 17 * 1024 * 1024 };
    uint8_t *bytes = calloc(1, LONG_BYTES);
    struct sim_disk *disk = sim_disk_new(1);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'l', LONG_BYTES);
    uint64_t before = must_append(wal, 1, "before", 6);
    uint64_t lsn = must_append(wal, 2, bytes, LONG_BYTES);
    (void)must_append(wal, 1, "behind", 6);
    weir_wal_close(wal);
    wal = must_open(io, "/log", SEGMENT_BYTES);
    weir_wal_cursor *cursor = NULL;
    assert_int_equal(weir_wal_cursor_open(wal, before, &cursor, NULL), WEIR_OK);
    assert_memory_equal(must_next(cursor).bytes, "before", 6);
    struct weir_wal_record record = must_next(cursor);
    assert_int_equal(record.lsn, lsn);
    assert_int_equal(record.len, LONG_BYTES);
    assert_memory_equal(record.bytes, bytes, LONG_BYTES);
    assert_memory_equal(must_next(cursor).bytes, "behind", 6);
    weir_wal_cursor_close(cursor);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
    free(bytes);
}

/* A program writes what it needs of old records anew, and trims up to the copy at once. The old
 * ones must stay until the copy is durable. */
static void a_trim_waits_for_its_record(void **state)
{
    static uint8_t bytes[5000];
    struct sim_disk *disk = sim_disk_new(1);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    struct weir_wal_stat stat;
    uint64_t lsn = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        (void)must_append(wal, 1, bytes, sizeof(bytes));
    }
    sim_disk_hold_writes(disk, true);
    assert_int_equal(weir_wal_append(wal, 2, "copy", 4, &lsn, NULL), WEIR_OK);
    assert_int_equal(weir_wal_trim(wal, lsn, NULL), WEIR_OK);
    assert_int_equal(count_from(wal, 0), 60);
    sim_disk_hold_writes(disk, false);
    assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_OK);
    assert_int_equal(weir_wal_trim(wal, 1, NULL), WEIR_OK); /* the earlier trim is in effect now */
    weir_wal_stat(wal, &stat);
    assert_true(stat.removed_count > 3);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
}

/* Appends until the next segment cannot be made, frees space, and goes on.
 * covers: D-04 */
static void no_space_is_waited_out(void **state)
{
    static uint8_t bytes[5000];
    struct sim_disk *disk = sim_disk_new(1);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    struct weir_wal_stat stat;
    struct weir_error err = { 0 };
    uint64_t lsn = 0, count = 0;
    int rc = WEIR_OK;

    (void)state;
    sim_disk_limit(disk, 2 * SEGMENT_BYTES + 1000);
    while (rc == WEIR_OK) {
        rc = weir_wal_append(wal, 1, bytes, sizeof(bytes), &lsn, &err);
        count += rc == WEIR_OK;
        if (rc == WEIR_OK) {
            assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_OK);
        }
    }
    assert_int_equal(rc, WEIR_ENOSPC);
    assert_int_equal(err.sys_errno, ENOSPC);
    weir_wal_stat(wal, &stat);
    assert_true(stat.no_space);
    assert_int_equal(weir_wal_append(wal, 1, bytes, sizeof(bytes), &lsn, NULL), WEIR_ENOSPC);
    assert_int_equal(weir_wal_poll(wal, 0, NULL, NULL), WEIR_OK);
    sim_disk_heal(disk);
    (void)must_append(wal, 1, bytes, sizeof(bytes));
    assert_int_equal(count_from(wal, 0), count + 1);
    weir_wal_stat(wal, &stat);
    assert_false(stat.no_space);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
}

/* An operation of a history fails, whichever: what was acknowledged is there afterwards. */
static void fail_each(enum sim_op op, int sys_errno)
{
    static uint8_t bytes[9000];

    for (uint64_t skip = 0;; skip++) {
        struct sim_disk *disk = sim_disk_new(skip);
        struct weir_io *io = sim_disk_boot(disk);
        struct weir_wal_options options = { .size_bytes = sizeof(options),
                                            .segment_bytes = SEGMENT_BYTES };
        uint64_t lsn = 0, acknowledged = 0;
        weir_wal *wal = NULL;

        sim_disk_fail(disk, op, skip, 1, sys_errno);
        int rc = weir_wal_open(io, "/log", &options, &wal, NULL);
        for (int i = 0; rc == WEIR_OK && i < 30; i++) {
            rc = weir_wal_append(wal, 1, bytes, sizeof(bytes), &lsn, NULL);
            if (rc == WEIR_OK) {
                rc = weir_wal_wait(wal, lsn, NULL);
                acknowledged = rc == WEIR_OK ? lsn : acknowledged;
            }
            if (rc == WEIR_OK && i > 3) {
                rc = weir_wal_trim(wal, lsn - 3, NULL);
            }
        }
        bool reached = sim_disk_count(disk, op) > skip;
        sim_disk_power_cut(disk);
        weir_wal_close(wal);
        weir_io_close(io);
        io = sim_disk_boot(disk);
        sim_disk_heal(disk);
        wal = must_open(io, "/log", SEGMENT_BYTES);
        if (acknowledged > 0) {
            assert_true(count_from(wal, acknowledged) >= 1);
        }
        weir_wal_close(wal);
        weir_io_close(io);
        sim_disk_free(disk);
        if (!reached) {
            return;
        }
    }
}

/* covers: D-02, D-03, D-05 */
static void any_operation_may_fail(void **state)
{
    (void)state;
    for (int op = 0; op < SIM_OP_COUNT; op++) {
        fail_each((enum sim_op)op, EIO);
        fail_each((enum sim_op)op, ENOSPC);
    }
}

/* Rule: recovery believes what it has written again. A write fails, but its bytes are in the page
 * cache and look clean; the restart finds the record, so from then on it must stay. */
static void what_an_open_found_stays(void **state)
{
    uint64_t found_by_open = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sim_disk *disk = sim_disk_new(seed);
        struct weir_io *io = sim_disk_boot(disk);
        weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
        uint64_t lsn = 0;

        sim_disk_fail(disk, SIM_WRITE, 0, 1, EIO);
        assert_int_equal(weir_wal_append(wal, 1, "b", 1, &lsn, NULL), WEIR_OK);
        assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_EIO);
        sim_disk_kill(disk);
        weir_wal_close(wal);
        weir_io_close(io);

        io = sim_disk_boot(disk);
        wal = must_open(io, "/log", SEGMENT_BYTES);
        uint64_t found = count_from(wal, 0);
        found_by_open += found;
        sim_disk_power_cut(disk);
        weir_wal_close(wal);
        weir_io_close(io);

        io = sim_disk_boot(disk);
        wal = must_open(io, "/log", SEGMENT_BYTES);
        assert_int_equal(count_from(wal, 0), found);
        weir_wal_close(wal);
        weir_io_close(io);
        sim_disk_free(disk);
    }
    assert_true(found_by_open > 0); /* else this test tests nothing */
}

int main(void)
{
    static const struct CMUnitTest everywhere[] = {
        cmocka_unit_test(records_come_back_after_a_restart),
        cmocka_unit_test(what_waits_shares_one_write),
        cmocka_unit_test(too_much_waiting_is_refused_and_taken_later),
        cmocka_unit_test(trimmed_segments_are_used_again),
        cmocka_unit_test(a_cursor_holds_what_it_reads),
        cmocka_unit_test(some_segments_are_kept_for_rewinding),
        cmocka_unit_test(a_log_is_opened_once),
        cmocka_unit_test(a_log_can_be_checked_while_it_is_written),
        cmocka_unit_test(wrong_calls_are_refused),
    };
    static const struct CMUnitTest failing[] = {
        cmocka_unit_test(a_failed_write_is_final),
        cmocka_unit_test(a_trim_waits_for_its_record),
        cmocka_unit_test(no_space_is_waited_out),
        cmocka_unit_test(any_operation_may_fail),
        cmocka_unit_test(what_an_open_found_stays),
        cmocka_unit_test(a_buffer_that_is_not_given_back_is_not_freed),
        cmocka_unit_test(a_very_long_record_is_one_among_others),
    };
    enum {
        EVERYWHERE = sizeof(everywhere) / sizeof(everywhere[0]),
        FAILING = sizeof(failing) / sizeof(failing[0]),
    };

    return backend_run(every_backend, everywhere, EVERYWHERE, failing, FAILING);
}
