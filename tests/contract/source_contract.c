/* source_contract.c: the tests of source.h's promises S1 to S3 and of each function's comment. */
#include "tests/contract/source_contract.h"

#include <stdio.h>
#include <time.h>

#include "source/witness.h"
#include "tests/support/test.h"

enum { READ_MAX = 4096, PARTITIONS_MAX = 8, OPTIONS_MAX = 16 };

static const struct outside_ops *outside;

/* What a test has read, by partition. */
struct reading {
    void *source;
    struct weir_arena arena;
    struct weir_record records[READ_MAX];
    uint32_t count;
    bool skipped; /* some poll() was moved over a loss */
};

static void *open_source(const char *topic, const char *start, const char *on_data_loss)
{
    static struct weir_option options[OPTIONS_MAX]; /* borrowed by the source until it is closed */
    uint32_t count = 0;
    uint32_t at;
    void *self = NULL;
    struct weir_error err = { 0 };

    options[count++] = (struct weir_option){ WEIR_STR("topic"), weir_str_from(topic), 0 };
    options[count++] = (struct weir_option){ WEIR_STR("start"), weir_str_from(start), 0 };
    options[count++] =
        (struct weir_option){ WEIR_STR("on_data_loss"), weir_str_from(on_data_loss), 0 };
    for (uint32_t i = 0; i < outside->option_count; i++) {
        options[count++] = outside->options[i];
    }
    struct weir_source_args args = { .name = "t",
                                     .options = { options, count },
                                     .pipeline = "contract" };
    int rc = weir_options_check(outside->source->options, args.options, &at, &err);
    assert_int_equal(rc, WEIR_OK);
    rc = outside->source->open(&args, &self, &err);
    if (rc != WEIR_OK) {
        print_error("open: %s\n", err.text);
    }
    assert_int_equal(rc, WEIR_OK);
    return self;
}

static uint32_t discover(void *source)
{
    struct weir_source_partitions list = { 0 };
    struct weir_error err = { 0 };

    if (outside->source->discover(source, &list, &err) != WEIR_OK) {
        print_error("discover: %s\n", err.text);
        fail();
    }
    for (uint32_t i = 0; i < list.count; i++) {
        assert_int_equal(list.items[i].number, (int)i);
    }
    return list.count;
}

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void start(struct reading *ret, const char *topic, const char *where)
{
    memset(ret, 0, sizeof(*ret));
    weir_arena_init(&ret->arena, 0);
    ret->source = open_source(topic, where, "fail");
    assert_true(discover(ret->source) > 0);
}

static void finish(struct reading *reading)
{
    outside->source->close(reading->source);
    weir_arena_fini(&reading->arena);
}

static void seek_ok(struct reading *reading, const struct weir_position *at,
                    const struct weir_position *until, uint32_t count)
{
    struct weir_error err = { 0 };
    int rc = outside->source->seek(reading->source, at, until, count, &err);

    if (rc != WEIR_OK) {
        print_error("seek: %s\n", err.text);
    }
    assert_int_equal(rc, WEIR_OK);
    reading->count = 0;
}

static int poll_once(struct reading *reading, uint32_t rows_max, struct weir_error *err)
{
    const struct weir_source_limits limits = { .rows_max = rows_max,
                                               .bytes_max = 1 << 20,
                                               .wait_us = 20000 };
    struct weir_records got = { 0 };
    int rc = outside->source->poll(reading->source, &limits, &reading->arena, &got, err);

    assert_true(rc != WEIR_OK || got.count <= rows_max);
    assert_true(rc != WEIR_OK || !got.skipped || got.count == 0);
    reading->skipped = reading->skipped || got.skipped;
    for (uint32_t i = 0; rc == WEIR_OK && i < got.count; i++) {
        assert_true(reading->count < READ_MAX);
        reading->records[reading->count++] = got.items[i];
    }
    return rc;
}

/* Reads until count records are there (and, with it, nothing more comes for a moment), or until
 * the source says that a range is complete. */
static void read_records(struct reading *reading, uint32_t count, uint32_t rows_max)
{
    int64_t deadline = now_us() + 20000000;
    struct weir_error err = { 0 };

    while (reading->count < count && now_us() < deadline) {
        int rc = poll_once(reading, rows_max, &err);
        if (rc != WEIR_OK) {
            print_error("poll: %s\n", err.text);
        }
        assert_int_equal(rc, WEIR_OK);
    }
    assert_int_equal(poll_once(reading, rows_max, &err), WEIR_OK);
    assert_int_equal(reading->count, count);
}

static void read_until_reached(struct reading *reading, uint32_t rows_max)
{
    int64_t deadline = now_us() + 20000000;
    struct weir_error err = { 0 };

    while (!outside->source->reached(reading->source) && now_us() < deadline) {
        assert_int_equal(poll_once(reading, rows_max, &err), WEIR_OK);
    }
    assert_true(outside->source->reached(reading->source));
}

/* Polls until it fails, and returns the reason. */
static const char *read_until_conflict(struct reading *reading, struct weir_error *err)
{
    int64_t deadline = now_us() + 20000000;
    int rc = WEIR_OK;

    while (rc == WEIR_OK && now_us() < deadline) {
        rc = poll_once(reading, 100, err);
    }
    assert_int_equal(rc, WEIR_ECONFLICT);
    return err->reason;
}

static void fill(uint32_t partition, uint32_t first, uint32_t count)
{
    char key[16];
    char value[32];

    for (uint32_t i = first; i < first + count; i++) {
        (void)snprintf(key, sizeof(key), "k%u", i);
        (void)snprintf(value, sizeof(value), "value %u of %u", i, partition);
        outside->append(partition, key, value, 1700000000000000 + (int64_t)i * 1000);
    }
}

static void assert_text(struct weir_str got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.data, want, got.len);
}

static void records_come_with_their_coordinates(void **state)
{
    const char *topic = outside->make(1);
    struct reading reading;

    (void)state;
    outside->append(0, "key", "value", 1700000000123000);
    outside->append(0, "key", NULL, 1700000000124000);
    outside->append(0, NULL, "", 1700000000125000);
    start(&reading, topic, "earliest");
    struct weir_position at;
    assert_int_equal(outside->source->start_position(reading.source, 0, false, &at, NULL), WEIR_OK);
    assert_int_equal(at.next, 0);
    assert_int_equal(at.witness_offset, -1);
    seek_ok(&reading, &at, NULL, 1);
    read_records(&reading, 3, 100);
    const struct weir_record *got = reading.records;
    assert_text(got[0].value, "value");
    assert_text(got[0].key, "key");
    assert_false(got[0].value_is_null || got[0].key_is_null);
    assert_true(got[0].offset == 0 && got[1].offset == 1 && got[2].offset == 2);
    assert_true(got[0].timestamp_us == 1700000000123000);
    assert_true(got[1].value_is_null && !got[1].key_is_null);
    assert_true(got[2].key_is_null && !got[2].value_is_null && got[2].value.len == 0);
    outside->source->positions(reading.source, &at, 1);
    assert_int_equal(at.next, 3);
    assert_true(at.witness_digest == weir_record_digest(&got[2]) && at.witness_offset == 2);
    finish(&reading);
    outside->drop();
}

static void start_at_the_end_sees_only_what_comes_later(void **state)
{
    const char *topic = outside->make(1);
    struct weir_position at;
    struct reading reading;

    (void)state;
    fill(0, 0, 5);
    start(&reading, topic, "latest");
    assert_int_equal(outside->source->start_position(reading.source, 0, true, &at, NULL), WEIR_OK);
    assert_int_equal(at.next, 0); /* a new partition is read from its first record all the same */
    assert_int_equal(outside->source->start_position(reading.source, 0, false, &at, NULL), WEIR_OK);
    assert_int_equal(at.next, 5);
    seek_ok(&reading, &at, NULL, 1);
    fill(0, 5, 2);
    read_records(&reading, 2, 100);
    assert_int_equal(reading.records[0].offset, 5);
    finish(&reading);
    outside->drop();
}

/* S1, S2, S3: small polls, all partitions, and again from any place. */
static void the_same_range_comes_however_often(void **state)
{
    const char *topic = outside->make(3);
    struct weir_position at[3];
    struct weir_position until[3];
    struct reading reading;

    (void)state;
    for (uint32_t p = 0; p < 3; p++) {
        fill(p, 0, 50);
        at[p] = weir_position_first(5 * (int64_t)p);
        until[p] = weir_position_first(20 + 10 * (int64_t)p);
    }
    start(&reading, topic, "earliest");
    for (uint32_t rows_max = 1; rows_max < 200; rows_max *= 3) {
        int64_t expected[3] = { 0, 5, 10 };
        seek_ok(&reading, at, until, 3);
        read_until_reached(&reading, rows_max);
        assert_int_equal(reading.count, 20 + 25 + 30);
        for (uint32_t i = 0; i < reading.count; i++) {
            const struct weir_record *record = &reading.records[i];
            assert_int_equal(record->offset, expected[record->partition]++);
        }
        struct weir_position end[3];
        outside->source->positions(reading.source, end, 3);
        for (uint32_t p = 0; p < 3; p++) {
            assert_int_equal(end[p].next, until[p].next);
            assert_int_equal(end[p].witness_offset, until[p].next - 1);
        }
    }
    finish(&reading);
    outside->drop();
}

static void an_empty_range_is_reached_at_once(void **state)
{
    const char *topic = outside->make(2);
    struct weir_position at[2] = { weir_position_first(3), weir_position_first(0) };
    struct reading reading;

    (void)state;
    fill(0, 0, 5);
    start(&reading, topic, "earliest");
    seek_ok(&reading, at, at, 2);
    read_until_reached(&reading, 10);
    assert_int_equal(reading.count, 0);
    finish(&reading);
    outside->drop();
}

/* covers: K-16 */
static void a_range_may_end_in_records_nobody_sees(void **state)
{
    const char *topic = outside->make(1);
    struct weir_position at = weir_position_first(0);
    struct weir_position end;
    struct reading reading;

    (void)state;
    fill(0, 0, 3);
    outside->append_gap(0);
    int64_t behind_gap = outside->end(0);
    assert_true(behind_gap > 3);
    start(&reading, topic, "earliest");
    for (int round = 0; round < 2; round++) {
        /* First with the gap at the end of the log, then in its middle. */
        for (int64_t until = 3; until <= behind_gap; until++) {
            struct weir_position bound = weir_position_first(until);
            seek_ok(&reading, &at, &bound, 1);
            read_until_reached(&reading, 100);
            assert_int_equal(reading.count, 3);
            outside->source->positions(reading.source, &end, 1);
            assert_int_equal(end.next, until);
            assert_int_equal(end.witness_offset, 2);
        }
        fill(0, 100, 2);
    }
    finish(&reading);
    outside->drop();
}

/* covers: K-16 */
static void positions_pass_what_nobody_sees(void **state)
{
    const char *topic = outside->make(1);
    struct weir_position at = weir_position_first(0);
    int64_t deadline = now_us() + 20000000;
    struct weir_error err = { 0 };
    struct reading reading;

    (void)state;
    fill(0, 0, 2);
    outside->append_gap(0);
    struct weir_source_lag lag = { 0 };
    start(&reading, topic, "earliest");
    outside->source->lag(reading.source, &lag);
    assert_false(lag.known || lag.caught_up); /* of what? */
    seek_ok(&reading, &at, NULL, 1);
    while (at.next < outside->end(0) && now_us() < deadline) {
        assert_int_equal(poll_once(&reading, 10, &err), WEIR_OK);
        outside->source->positions(reading.source, &at, 1);
    }
    assert_int_equal(at.next, outside->end(0));
    outside->source->lag(reading.source, &lag);
    assert_true(lag.known && lag.caught_up && lag.records == 0);
    finish(&reading);
    outside->drop();
}

static void a_position_goes_on_where_it_was_taken(void **state)
{
    const char *topic = outside->make(1);
    struct weir_position at = weir_position_first(0);
    struct reading reading;

    (void)state;
    fill(0, 0, 10);
    start(&reading, topic, "earliest");
    seek_ok(&reading, &at, NULL, 1);
    read_records(&reading, 10, 7);
    outside->source->positions(reading.source, &at, 1);
    finish(&reading);
    fill(0, 10, 3);
    start(&reading, topic, "earliest");
    seek_ok(&reading, &at, NULL, 1); /* compares the witness */
    read_records(&reading, 3, 100);
    assert_int_equal(reading.records[0].offset, 10);
    finish(&reading);
    outside->drop();
}

static const char *conflict_at(const char *topic, struct weir_position at,
                               const struct weir_position *until, struct weir_error *err)
{
    struct reading reading;

    start(&reading, topic, "earliest");
    int rc = outside->source->seek(reading.source, &at, until, 1, err);
    if (rc == WEIR_OK) {
        (void)read_until_conflict(&reading, err);
    } else {
        assert_int_equal(rc, WEIR_ECONFLICT);
    }
    finish(&reading);
    return err->reason;
}

/* covers: K-04 */
static void lost_records_are_named(void **state)
{
    const char *topic = outside->make(1);
    struct weir_error err = { 0 };

    (void)state;
    fill(0, 0, 10);
    outside->trim(0, 4);
    assert_string_equal(conflict_at(topic, weir_position_first(3), NULL, &err), "data_lost");
    assert_non_null(strstr(err.text, topic));
    assert_non_null(strchr(err.text, '3'));
    assert_non_null(strchr(err.text, '4'));
    outside->drop();
}

/* covers: K-05 */
static void a_position_beyond_the_end_is_named(void **state)
{
    const char *topic = outside->make(1);
    struct weir_error err = { 0 };

    (void)state;
    fill(0, 0, 10);
    assert_string_equal(conflict_at(topic, weir_position_first(15), NULL, &err), "log_diverged");
    outside->drop();
}

/* covers: K-06 */
static void another_record_at_the_same_offset_is_noticed(void **state)
{
    const char *topic = outside->make(1);
    struct weir_position at = { .next = 5, .witness_offset = 4, .witness_digest = 42 };
    struct weir_error err = { 0 };

    (void)state;
    fill(0, 0, 10);
    assert_string_equal(conflict_at(topic, at, NULL, &err), "topic_replaced");
    outside->drop();
}

static void a_witness_may_fall_to_retention(void **state)
{
    const char *topic = outside->make(1);
    struct weir_position at = { .next = 5, .witness_offset = 4, .witness_digest = 42 };
    struct reading reading;

    (void)state;
    fill(0, 0, 10);
    outside->trim(0, 5);
    start(&reading, topic, "earliest");
    seek_ok(&reading, &at, NULL, 1);
    read_records(&reading, 5, 100);
    assert_int_equal(reading.records[0].offset, 5);
    finish(&reading);
    outside->drop();
}

static uint64_t lost_of(void *source)
{
    struct weir_source_lag lag = { 0 };

    outside->source->lag(source, &lag);
    return lag.lost;
}

static void skipping_goes_on_at_the_first_record_kept(void **state)
{
    const char *topic = outside->make(1);
    struct weir_position at = weir_position_first(1);
    struct weir_position until = weir_position_first(8);
    struct weir_error err = { 0 };
    struct reading reading = { 0 };

    (void)state;
    fill(0, 0, 10);
    outside->trim(0, 6);
    reading.source = open_source(topic, "earliest", "skip");
    (void)discover(reading.source);
    seek_ok(&reading, &at, NULL, 1);
    struct weir_position now;
    outside->source->positions(reading.source, &now, 1);
    read_records(&reading, 4, 100);
    assert_int_equal(reading.records[0].offset, 6);
    assert_int_equal(lost_of(reading.source), 5);
    assert_true(now.next == 6 || reading.skipped); /* found at once, or told later */
    /* What is skipped again is not lost again. */
    seek_ok(&reading, &at, NULL, 1);
    read_records(&reading, 4, 100);
    assert_int_equal(lost_of(reading.source), 5);
    /* But a range that a plan has sealed comes back whole or not at all. */
    int rc = outside->source->seek(reading.source, &at, &until, 1, &err);
    if (rc == WEIR_OK) {
        (void)read_until_conflict(&reading, &err);
    }
    assert_string_equal(err.reason, "data_lost");
    finish(&reading);
    outside->drop();
}

/* covers: K-11 */
static void a_partition_that_is_added_comes_at_the_end(void **state)
{
    const char *topic = outside->make(1);
    struct weir_position at[2] = { weir_position_first(0) };
    int64_t deadline = now_us() + 20000000;
    struct reading reading;

    (void)state;
    fill(0, 0, 3);
    start(&reading, topic, "latest");
    seek_ok(&reading, at, NULL, 1);
    read_records(&reading, 3, 100);
    outside->add_partition();
    fill(1, 0, 2);
    while (discover(reading.source) < 2 && now_us() < deadline) {
        (void)poll_once(&reading, 10, NULL);
    }
    outside->source->positions(reading.source, at, 1);
    assert_int_equal(outside->source->start_position(reading.source, 1, true, &at[1], NULL),
                     WEIR_OK);
    assert_int_equal(at[1].next, 0);
    seek_ok(&reading, at, NULL, 2);
    read_records(&reading, 2, 100);
    assert_int_equal(reading.records[0].partition, 1);
    finish(&reading);
    outside->drop();
}

static void waiting_ends_when_something_comes(void **state)
{
    const char *topic = outside->make(1);
    struct weir_position at = weir_position_first(0);
    struct weir_error err = { 0 };
    struct reading reading;
    struct pollfd fds[4];

    (void)state;
    start(&reading, topic, "earliest");
    seek_ok(&reading, &at, NULL, 1);
    uint32_t count = outside->source->wait_fds(reading.source, fds, 4);
    assert_true(count > 0 && count <= 4);
    for (int i = 0; i < 50; i++) { /* what comes of the start itself */
        assert_int_equal(poll_once(&reading, 10, &err), WEIR_OK);
    }
    fill(0, 0, 1);
    int64_t deadline = now_us() + 20000000;
    while (reading.count == 0 && now_us() < deadline) {
        assert_true(poll(fds, count, 20000) > 0);
        assert_int_equal(poll_once(&reading, 10, &err), WEIR_OK);
    }
    assert_int_equal(reading.count, 1);
    finish(&reading);
    outside->drop();
}

int source_contract_run(const struct outside_ops *ops)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_with_their_coordinates),
        cmocka_unit_test(start_at_the_end_sees_only_what_comes_later),
        cmocka_unit_test(the_same_range_comes_however_often),
        cmocka_unit_test(an_empty_range_is_reached_at_once),
        cmocka_unit_test(a_range_may_end_in_records_nobody_sees),
        cmocka_unit_test(positions_pass_what_nobody_sees),
        cmocka_unit_test(a_position_goes_on_where_it_was_taken),
        cmocka_unit_test(lost_records_are_named),
        cmocka_unit_test(a_position_beyond_the_end_is_named),
        cmocka_unit_test(another_record_at_the_same_offset_is_noticed),
        cmocka_unit_test(a_witness_may_fall_to_retention),
        cmocka_unit_test(skipping_goes_on_at_the_first_record_kept),
        cmocka_unit_test(a_partition_that_is_added_comes_at_the_end),
        cmocka_unit_test(waiting_ends_when_something_comes),
    };

    outside = ops;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
