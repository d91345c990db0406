/* test_cut.c: weir_wal_cut() takes away what was shown, and nothing else, or refuses.
 *
 * Each test makes a log on a simulated disk, harms its end, and looks at every byte afterwards. */
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/wal/killed_log.h"
#include "wal/record.h"

#define FIRST "/log/0000000000000001.wal"
#define SECOND "/log/0000000000000002.wal"

enum {
    SEGMENT_BYTES = WEIR_WAL_SEGMENT_BYTES_MIN,
    RECORDS = 3,
    LAST_AT = (1 + RECORDS) * WAL_BLOCK_BYTES, /* behind header, opening mark and the others */
};

static struct weir_wal_report must_verify(struct sim_disk *disk)
{
    struct weir_io *io = sim_disk_boot(disk);
    struct weir_wal_report report;
    struct weir_error err = { 0 };

    if (weir_wal_verify(io, "/log", NULL, NULL, &report, &err) != WEIR_OK) {
        fail_msg("verify: %s", err.text);
    }
    weir_io_close(io);
    return report;
}

static int cut(struct sim_disk *disk, const struct weir_wal_report *seen, struct weir_error *err)
{
    struct weir_io *io = sim_disk_boot(disk);
    int rc = weir_wal_cut(io, "/log", seen, err);

    weir_io_close(io);
    return rc;
}

/* The first segment's bytes, to be freed. */
static uint8_t *copy_of(struct sim_disk *disk, const char *path, size_t *ret_len)
{
    uint8_t *bytes = sim_disk_bytes(disk, path, ret_len);
    uint8_t *copy = malloc(*ret_len);

    assert_non_null(copy);
    memcpy(copy, bytes, *ret_len);
    return copy;
}

/* Whatever part of the last record is left: it goes, durably, and all before it stays. */
static void a_tail_torn_anywhere_is_cut(void **state)
{
    struct sim_disk *whole = make_killed(7, RECORDS);

    (void)state;
    for (size_t keep = 0; keep < WAL_BLOCK_BYTES; keep += 97) {
        struct sim_disk *disk = sim_disk_clone(whole, 1);
        struct weir_error err = { 0 };
        size_t len;

        memset(sim_disk_bytes(disk, FIRST, &len) + LAST_AT + keep, 0xa5, WAL_BLOCK_BYTES - keep);
        sim_disk_settle(disk);
        uint8_t *before = copy_of(disk, FIRST, &len);
        struct weir_wal_report seen = must_verify(disk);
        assert_int_equal(seen.torn_bytes, keep < WAL_RECORD_HEADER_BYTES ? 0 : WAL_BLOCK_BYTES);
        assert_int_equal(cut(disk, &seen, &err), WEIR_OK);
        sim_disk_power_cut(disk); /* what was cut stays cut */
        struct weir_wal_report found = must_verify(disk);
        assert_int_equal(found.torn_bytes, 0);
        assert_int_equal(found.last_lsn, RECORDS); /* the opening mark is one */
        assert_memory_equal(sim_disk_bytes(disk, FIRST, &len), before, LAST_AT);
        assert_memory_equal(sim_disk_bytes(disk, FIRST, &len) + LAST_AT + WAL_BLOCK_BYTES,
                            before + LAST_AT + WAL_BLOCK_BYTES, len - LAST_AT - WAL_BLOCK_BYTES);
        free(before);
        sim_disk_free(disk);
    }
    sim_disk_free(whole);
}

/* The first write of a segment left its header and nothing else. */
static void a_torn_start_of_a_segment_is_cut(void **state)
{
    static uint8_t bytes[5000];
    struct sim_disk *disk = sim_disk_new(7);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    struct weir_error err = { 0 };
    struct weir_wal_stat stat = { 0 };
    uint64_t last_lsn = 0;
    size_t len;

    (void)state;
    /* Up to the first record of the second segment. */
    while (sim_disk_bytes(disk, SECOND, &len) == NULL ||
           memcmp(sim_disk_bytes(disk, SECOND, &len), "WEIRWAL", 7) != 0) {
        weir_wal_stat(wal, &stat);
        last_lsn = stat.last_lsn;
        (void)must_append(wal, 1, bytes, sizeof(bytes));
    }
    kill_log(disk, io, wal);
    memset(sim_disk_bytes(disk, SECOND, &len) + WAL_BLOCK_BYTES, 0, len - WAL_BLOCK_BYTES);
    sim_disk_settle(disk);
    struct weir_wal_report seen = must_verify(disk);
    assert_int_equal(seen.next_torn_bytes, WAL_BLOCK_BYTES);
    assert_int_equal(seen.torn_bytes, WAL_BLOCK_BYTES);
    assert_int_equal(seen.segment_bytes, 2 * SEGMENT_BYTES);
    assert_int_equal(cut(disk, &seen, &err), WEIR_OK);
    struct weir_wal_report found = must_verify(disk);
    assert_int_equal(found.torn_bytes, 0);
    assert_int_equal(found.last_lsn, last_lsn);
    sim_disk_free(disk);
}

static void only_what_was_shown_is_cut(void **state)
{
    struct sim_disk *disk = make_killed(7, RECORDS);
    struct weir_error err = { 0 };
    size_t len;

    (void)state;
    struct weir_wal_report whole = must_verify(disk);
    sim_disk_bytes(disk, FIRST, &len)[LAST_AT + 50] ^= 1;
    sim_disk_settle(disk);
    uint8_t *before = copy_of(disk, FIRST, &len);
    assert_int_equal(cut(disk, &whole, &err), WEIR_EBUSY);
    assert_memory_equal(sim_disk_bytes(disk, FIRST, &len), before, len);
    free(before);
    sim_disk_free(disk);
}

/* CU1, field by field: a tail that is not the one that was shown, in whatever, stays as it is. */
static void each_difference_from_what_was_shown_counts(void **state)
{
    struct sim_disk *disk = make_killed(7, RECORDS);
    struct weir_error err = { 0 };
    size_t len;

    (void)state;
    sim_disk_bytes(disk, FIRST, &len)[LAST_AT + 50] ^= 1;
    sim_disk_settle(disk);
    const struct weir_wal_report seen = must_verify(disk);
    struct weir_wal_report others[] = { seen, seen, seen, seen, seen, seen };
    others[0].uuid[0] ^= 1;
    others[1].last_lsn++;
    others[2].end_segment_number++;
    others[3].end_offset += WAL_BLOCK_BYTES;
    others[4].torn_bytes += WAL_BLOCK_BYTES;
    others[5].next_torn_bytes += WAL_BLOCK_BYTES;
    uint8_t *before = copy_of(disk, FIRST, &len);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(cut(disk, &others[i], &err), WEIR_EBUSY);
        assert_memory_equal(sim_disk_bytes(disk, FIRST, &len), before, len);
    }
    free(before);
    assert_int_equal(cut(disk, &seen, &err), WEIR_OK);
    sim_disk_free(disk);
}

static void a_log_that_is_gone_is_not_cut(void **state)
{
    struct sim_disk *disk = make_killed(7, RECORDS);
    struct weir_wal_report seen = must_verify(disk);
    struct weir_error err = { 0 };

    (void)state;
    sim_disk_replace_dir(disk, NULL, "/log");
    assert_int_equal(cut(disk, &seen, &err), WEIR_EBUSY);
    assert_int_equal(sim_disk_used_bytes(disk), 0);
    sim_disk_free(disk);
}

static void a_log_in_use_is_left_alone(void **state)
{
    struct sim_disk *disk = make_killed(7, RECORDS);
    struct weir_wal_report seen = must_verify(disk);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    struct weir_error err = { 0 };

    (void)state;
    assert_int_equal(weir_wal_cut(io, "/log", &seen, &err), WEIR_EBUSY);
    assert_string_equal(err.reason, "locked");
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
}

static void damage_is_no_torn_tail(void **state)
{
    struct sim_disk *disk = make_killed(7, RECORDS);
    struct weir_wal_report seen = must_verify(disk);
    struct weir_error err = { 0 };
    size_t len;

    (void)state;
    sim_disk_bytes(disk, FIRST, &len)[LAST_AT - 2 * WAL_BLOCK_BYTES + 50] ^= 1;
    sim_disk_settle(disk);
    uint8_t *before = copy_of(disk, FIRST, &len);
    assert_int_equal(cut(disk, &seen, &err), WEIR_ECORRUPT);
    assert_memory_equal(sim_disk_bytes(disk, FIRST, &len), before, len);
    free(before);
    sim_disk_free(disk);
}

static void a_cut_that_fails_can_be_done_again(void **state)
{
    struct sim_disk *disk = make_killed(7, RECORDS);
    struct weir_error err = { 0 };
    size_t len;

    (void)state;
    sim_disk_bytes(disk, FIRST, &len)[LAST_AT + 50] ^= 1;
    sim_disk_settle(disk);
    struct weir_wal_report seen = must_verify(disk);
    sim_disk_fail(disk, SIM_WRITE, 0, 1, EIO);
    assert_int_equal(cut(disk, &seen, &err), WEIR_EIO);
    sim_disk_heal(disk);
    seen = must_verify(disk);
    assert_int_equal(cut(disk, &seen, &err), WEIR_OK);
    assert_int_equal(must_verify(disk).torn_bytes, 0);
    sim_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tail_torn_anywhere_is_cut),
        cmocka_unit_test(a_torn_start_of_a_segment_is_cut),
        cmocka_unit_test(only_what_was_shown_is_cut),
        cmocka_unit_test(each_difference_from_what_was_shown_counts),
        cmocka_unit_test(a_log_that_is_gone_is_not_cut),
        cmocka_unit_test(a_log_in_use_is_left_alone),
        cmocka_unit_test(damage_is_no_torn_tail),
        cmocka_unit_test(a_cut_that_fails_can_be_done_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
