/* test_stall.c: a device that takes writes and never answers.
 *
 * The log neither waits for ever nor touches what the device may still be reading. */
#include "tests/support/sim_io.h"
#include "tests/unit/wal/log_fixture.h"

enum {
    SEGMENT_BYTES = WEIR_WAL_SEGMENT_BYTES_MIN,
    LIMIT_US = 60 * 1000 * 1000,
    SOON_US = LIMIT_US + 2 * 1000 * 1000, /* the limit, and a wait that has begun before it */
};

static struct sim_disk *disk;
static struct weir_io *io;
static weir_wal *wal;
/* What is left to a device is no leak: whoever looks for leaks finds it here. */
static weir_wal *volatile left[3];

static weir_wal *open_limited(uint64_t limit_us)
{
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = SEGMENT_BYTES,
                                        .write_limit_us = limit_us };
    weir_wal *ret = NULL;

    assert_int_equal(weir_wal_open(io, "/log", &options, &ret, NULL), WEIR_OK);
    return ret;
}

static void begin(uint64_t limit_us)
{
    disk = sim_disk_new(5);
    io = sim_disk_boot(disk);
    wal = open_limited(limit_us);
}

/* The process ends; the next one finds what was acknowledged. */
static void restart_and_count(uint64_t count)
{
    sim_disk_kill(disk); /* which ends the write, too */
    assert_int_equal(weir_io_poll(io, 0, NULL), WEIR_OK);
    weir_io_close(io);
    sim_disk_heal(disk);
    io = sim_disk_boot(disk);
    wal = open_limited(LIMIT_US);
    assert_in_range(count_from(wal, 0), count, count + 1); /* the last may have got there */
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
}

/* covers: D-23 */
static void a_write_that_is_not_answered_ends_the_log(void **state)
{
    struct weir_wal_stat stat;
    struct weir_error err = { 0 };
    uint64_t lsn = 0;

    (void)state;
    begin(LIMIT_US);
    (void)must_append(wal, 1, "one", 3);
    sim_disk_hold_writes(disk, true);
    uint64_t since = weir_io_mono_us(io);
    assert_int_equal(weir_wal_append(wal, 1, "two", 3, &lsn, NULL), WEIR_OK);
    assert_int_equal(weir_wal_wait(wal, lsn, &err), WEIR_EIO);
    assert_in_range(weir_io_mono_us(io) - since, LIMIT_US, SOON_US);
    assert_non_null(strstr(err.text, "has not answered"));
    weir_wal_stat(wal, &stat);
    assert_true(stat.stalled_us >= LIMIT_US);
    assert_true(weir_wal_durable(wal) < lsn);
    assert_int_equal(weir_wal_append(wal, 1, "three", 5, &lsn, NULL), WEIR_EIO); /* for good */
    left[0] = wal;
    weir_wal_close(wal); /* returns */
    restart_and_count(1);
}

/* The write that makes the next segment.
 * covers: D-23 */
static void a_segment_that_is_never_made_ends_the_log(void **state)
{
    static uint8_t bytes[9000];
    uint64_t lsn = 0, count = 0;
    int rc = WEIR_OK;

    (void)state;
    begin(LIMIT_US);
    while (count < 3) {
        (void)must_append(wal, 1, bytes, sizeof(bytes));
        count++;
    }
    sim_disk_hold_writes(disk, true);
    static uint8_t longer[SEGMENT_BYTES]; /* so that it needs another segment at once */
    uint64_t since = weir_io_mono_us(io);
    rc = weir_wal_append(wal, 1, longer, sizeof(longer), &lsn, NULL);
    assert_int_equal(rc, WEIR_EIO);
    assert_in_range(weir_io_mono_us(io) - since, LIMIT_US, SOON_US);
    left[1] = wal;
    weir_wal_close(wal);
    restart_and_count(count);
}

/* A limit shorter than the time after which a slow device is told of holds as well. */
static void a_short_limit_holds(void **state)
{
    enum { SHORT_US = 2 * 1000 * 1000 };
    uint64_t lsn = 0;

    (void)state;
    begin(SHORT_US);
    sim_disk_hold_writes(disk, true);
    uint64_t since = weir_io_mono_us(io);
    assert_int_equal(weir_wal_append(wal, 1, "one", 3, &lsn, NULL), WEIR_OK);
    assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_EIO);
    assert_in_range(weir_io_mono_us(io) - since, SHORT_US, 2 * SHORT_US);
    left[2] = wal;
    weir_wal_close(wal);
    restart_and_count(0);
}

/* covers: D-22 */
static void a_slow_device_is_waited_for(void **state)
{
    uint64_t lsn = 0;

    (void)state;
    for (int is_limited = 0; is_limited < 2; is_limited++) {
        begin(is_limited ? LIMIT_US : 0);
        sim_disk_hold_writes(disk, true);
        assert_int_equal(weir_wal_append(wal, 1, "one", 3, &lsn, NULL), WEIR_OK);
        sim_disk_advance(disk, is_limited ? LIMIT_US - 1000 * 1000 : (uint64_t)100 * LIMIT_US);
        assert_int_equal(weir_wal_poll(wal, 0, NULL, NULL), WEIR_OK);
        assert_true(weir_wal_durable(wal) < lsn);
        sim_disk_hold_writes(disk, false);
        assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_OK);
        weir_wal_close(wal);
        restart_and_count(1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_is_not_answered_ends_the_log),
        cmocka_unit_test(a_segment_that_is_never_made_ends_the_log),
        cmocka_unit_test(a_short_limit_holds),
        cmocka_unit_test(a_slow_device_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
