/* test_kafka_reader.c: one partition's position, through all that can be heard of it. */
#include "source/kafka_reader.h"
#include "tests/support/test.h"

static struct weir_record record_at(int64_t offset)
{
    return (struct weir_record){ .offset = offset, .value = WEIR_STR("v") };
}

static enum kafka_reader_verdict hear(struct kafka_reader *reader, int64_t offset)
{
    struct weir_record record = record_at(offset);

    return kafka_reader_record(reader, &record);
}

static struct kafka_reader begin(int64_t next, int64_t witness, int64_t until)
{
    struct kafka_reader reader;
    struct weir_position at = weir_position_first(next);

    if (witness >= 0) {
        struct weir_record record = record_at(witness);
        at = weir_position_after(&record);
        at.next = next;
    }
    kafka_reader_begin(&reader, at, until);
    return reader;
}

/* covers: K-18 */
static void records_are_taken_in_order_and_once(void **state)
{
    struct kafka_reader reader = begin(5, -1, INT64_MAX);

    (void)state;
    assert_int_equal(kafka_reader_fetch_offset(&reader), 5);
    assert_int_equal(hear(&reader, 4), READER_DROP);
    assert_int_equal(hear(&reader, 5), READER_TAKE);
    assert_int_equal(hear(&reader, 5), READER_DROP);
    assert_int_equal(hear(&reader, 9), READER_TAKE); /* a gap: aborted or compacted */
    assert_int_equal(hear(&reader, 7), READER_DROP);
    assert_int_equal(reader.at.next, 10);
}

static void a_witness_is_compared_before_anything_counts(void **state)
{
    struct kafka_reader reader = begin(5, 3, INT64_MAX);

    (void)state;
    assert_int_equal(reader.phase, READER_VERIFY);
    assert_int_equal(kafka_reader_fetch_offset(&reader), 3);
    assert_int_equal(hear(&reader, 2), READER_DROP);
    assert_int_equal(hear(&reader, 3), READER_DROP);
    assert_int_equal(reader.phase, READER_READ);
    assert_int_equal(hear(&reader, 4), READER_DROP); /* processed, says the position */
    assert_int_equal(hear(&reader, 5), READER_TAKE);
}

/* covers: K-06 */
static void another_record_is_noticed_and_stays_so(void **state)
{
    struct kafka_reader reader = begin(5, 4, INT64_MAX);

    (void)state;
    reader.at.witness_digest ^= 1;
    assert_int_equal(hear(&reader, 4), READER_REPLACED);
    assert_int_equal(reader.phase, READER_VERIFY);
    assert_int_equal(hear(&reader, 4), READER_REPLACED);
}

static void a_witness_that_was_compacted_away_is_let_go(void **state)
{
    struct kafka_reader reader = begin(5, 3, INT64_MAX);

    (void)state;
    assert_int_equal(hear(&reader, 6), READER_TAKE);
    reader = begin(5, 3, INT64_MAX);
    assert_true(kafka_reader_end(&reader, 8));
    assert_int_equal(reader.phase, READER_READ);
    assert_int_equal(reader.at.next, 8);
}

/* covers: K-16 */
static void the_end_moves_the_position_past_what_nobody_sees(void **state)
{
    struct kafka_reader reader = begin(5, -1, INT64_MAX);

    (void)state;
    assert_true(kafka_reader_end(&reader, 5));
    assert_true(reader.at_end);
    assert_int_equal(reader.at.next, 5);
    assert_int_equal(hear(&reader, 5), READER_TAKE);
    assert_false(reader.at_end);
    assert_true(kafka_reader_end(&reader, 9));
    assert_int_equal(reader.at.next, 9);
    assert_false(kafka_reader_end(&reader, 8)); /* the log was cut */
    assert_int_equal(reader.at.next, 9);
}

static void a_range_ends_at_its_bound(void **state)
{
    struct kafka_reader reader = begin(5, -1, 7);

    (void)state;
    assert_int_equal(hear(&reader, 5), READER_TAKE);
    assert_int_equal(hear(&reader, 8), READER_DROP); /* so 6 is nobody's */
    assert_int_equal(reader.phase, READER_DONE);
    assert_int_equal(reader.at.next, 7);
    assert_int_equal(hear(&reader, 9), READER_DROP);

    reader = begin(5, -1, 7);
    assert_int_equal(hear(&reader, 6), READER_TAKE);
    assert_int_equal(reader.phase, READER_DONE); /* without waiting for more */

    reader = begin(5, -1, 7);
    assert_true(kafka_reader_end(&reader, 6));
    assert_int_equal(reader.phase, READER_READ);
    assert_true(kafka_reader_end(&reader, 12));
    assert_int_equal(reader.phase, READER_DONE);
    assert_int_equal(reader.at.next, 7);

    reader = begin(7, 6, 7); /* nothing to read: nothing to compare either */
    assert_int_equal(reader.phase, READER_DONE);
}

static void limits_are_judged(void **state)
{
    static const struct {
        int64_t next, witness, low, high;
        enum kafka_reader_fit want;
    } rows[] = {
        { 5, -1, 0, 9, READER_FITS },     { 5, -1, 5, 5, READER_FITS },
        { 5, -1, 6, 9, READER_LOST },     { 5, 4, 6, 9, READER_LOST },
        { 5, -1, 0, 4, READER_DIVERGED }, { 5, 4, 5, 9, READER_WITNESS_LOST },
        { 5, 4, 4, 9, READER_FITS },      { 0, -1, 0, 0, READER_FITS },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kafka_reader reader = begin(rows[i].next, rows[i].witness, INT64_MAX);
        assert_int_equal(kafka_reader_judge(&reader, rows[i].low, rows[i].high), rows[i].want);
    }
}

static void skipping_never_goes_back_but_to_the_end(void **state)
{
    (void)state;
    assert_int_equal(weir_position_clamp(5, 8, 20), 8);
    assert_int_equal(weir_position_clamp(5, 0, 3), 3);
    assert_int_equal(weir_position_clamp(5, 0, 20), 5);
}

static void a_digest_covers_all_of_a_record(void **state)
{
    const struct weir_record record = {
        .offset = 1, .timestamp_us = 2, .key = WEIR_STR("k"), .value = WEIR_STR("v")
    };
    struct weir_record other[6];
    uint64_t digest = weir_record_digest(&record);

    (void)state;
    for (int i = 0; i < 6; i++) {
        other[i] = record;
    }
    other[0].offset = 2;
    other[1].timestamp_us = 3;
    other[2].key = WEIR_STR("l");
    other[3].value = WEIR_STR("");
    other[4].value = WEIR_STR("");
    other[4].value_is_null = true;
    other[5].key = WEIR_STR("");
    other[5].key_is_null = true;
    for (int i = 0; i < 6; i++) {
        assert_true(weir_record_digest(&other[i]) != digest);
    }
    assert_true(weir_record_digest(&other[3]) != weir_record_digest(&other[4]));
    /* Kept in logs and ledgers: must never change. */
    assert_true(digest == UINT64_C(0x633a3a9ecb98cdbc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_taken_in_order_and_once),
        cmocka_unit_test(a_witness_is_compared_before_anything_counts),
        cmocka_unit_test(another_record_is_noticed_and_stays_so),
        cmocka_unit_test(a_witness_that_was_compacted_away_is_let_go),
        cmocka_unit_test(the_end_moves_the_position_past_what_nobody_sees),
        cmocka_unit_test(a_range_ends_at_its_bound),
        cmocka_unit_test(limits_are_judged),
        cmocka_unit_test(skipping_never_goes_back_but_to_the_end),
        cmocka_unit_test(a_digest_covers_all_of_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
