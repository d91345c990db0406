/* test_far_apart.c: output partitions, or sinks, that stand several batches apart, all of which the
 * log has: they are given what they lack, whatever happens meanwhile. Through the real engine on a
 * source, a sink and a disk in memory.
 *
 * RC2 of src/txn/recover.c, LK2 of look.c. Each test was seen to fail before its mending. */
#include "sink/memory_database.h"
#include "tests/support/small_pipeline.h"
#include "tests/support/test.h"

enum { TURNS_MAX = 100000 };

static bool is_of(const struct weir_memory_transaction *transaction, uint32_t partition)
{
    return transaction->pipeline == NULL && transaction->after.rows[0].partition == partition;
}

/* Partition p goes back by count batches, the others stay: the backup fell between the partitions, and
 * before it was noticed steps went in where they fitted. */
static void one_goes_back(struct weir_memory_database *database, uint32_t partition, uint32_t count)
{
    struct weir_memory_transactions *list = &database->committed;
    size_t last = list->count; /* what is behind is of this partition, in its order */

    for (size_t i = list->count; i-- > 0;) {
        struct weir_memory_transaction *transaction = list->items[i];
        if (is_of(transaction, partition)) {
            last--;
            for (size_t k = i; k < last; k++) {
                list->items[k] = list->items[k + 1];
            }
            list->items[last] = transaction;
        }
    }
    weir_memory_go_back(database, count);
}

static void begin(struct small_pipeline *small, uint64_t seed, bool with_key)
{
    small_init(small, &(struct small_options){
                          .seed = seed, .output_partitions = 2, .with_key = with_key });
    small_send(small, 60);
    small_finish(small, "/a");
}

/* --- Partitions of one sink ----------------------------------------------------------------- */

static void partitions_far_apart_are_rebuilt_from_the_log(void **state)
{
    (void)state;
    for (uint32_t back = 1; back <= 4; back++) {
        int64_t missing = 0;
        for (uint32_t p = 0; p < 2; p++) {
            struct small_pipeline small;

            begin(&small, 10 * back + p, back % 2 == 0);
            one_goes_back(small.database, p, back);
            missing += small_judge(&small).missing;
            small_send(&small, 20);
            small_finish(&small, "/a");
            small_expect_exact(&small);
            small_fini(&small);
        }
        assert_int_not_equal(missing, 0);
    }
}

/* A line is cut while they are rebuilt: the row that is ahead is no other instance's work. */
static void a_look_knows_the_row_that_is_ahead(void **state)
{
    static const enum weir_memory_fault faults[] = { WEIR_MEMORY_LOST_BEFORE,
                                                     WEIR_MEMORY_LOST_AFTER };

    (void)state;
    for (uint64_t batch = 3; batch <= 8; batch++) {
        for (uint32_t i = 0; i < 4; i++) {
            struct small_pipeline small;

            begin(&small, 100 + batch, false);
            one_goes_back(small.database, 1, 4); /* to batch 2 */
            weir_memory_inject(small.database, &(struct weir_memory_injection){
                                                   .fault = faults[i % 2],
                                                   .batch = batch,
                                                   .partition = i / 2 == 0 ? UINT32_MAX : 1,
                                                   .count = 1,
                                               });
            small_send(&small, 20); /* batches 7 and 8 */
            small_finish(&small, "/a");
            small_expect_exact(&small);
            small_fini(&small);
        }
    }
}

/* Without the log nobody knows what lies between: nothing is written. */
static void partitions_far_apart_without_a_log_stop(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err = { 0 };

    (void)state;
    begin(&small, 1, false);
    one_goes_back(small.database, 1, 2);
    int64_t missing = small_judge(&small).missing;
    small_boot(&small, "/b", true, &process);
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "ledger_uneven");
    assert_int_equal(small_judge(&small).missing, missing);
    small_close(&process);
    small_finish(&small, "/a"); /* the log is found again */
    small_expect_exact(&small);
    small_fini(&small);
}

/* --- Two sinks ------------------------------------------------------------------------------ */

/* One went back by several batches; a line is cut on the other, at any moment of the rebuilding. */
static void a_line_is_cut_on_the_sink_that_is_ahead(void **state)
{
    (void)state;
    for (int turns = 1; turns < 60; turns++) {
        struct small_pipeline small;
        struct small_process process;
        struct weir_error err = { 0 };

        small_init(&small, &(struct small_options){ .seed = (uint64_t)turns, .two_sinks = true });
        small_send(&small, 60);
        small_finish(&small, "/a");
        weir_memory_go_back(small.second, 2 + turns % 3);
        small_send(&small, 20);
        small_boot(&small, "/a", true, &process);
        assert_int_equal(small_run(&small, &process, turns, &err), WEIR_OK);
        weir_memory_go_back(small.database, 0); /* the lines alone */
        int rc = small_run(&small, &process, TURNS_MAX, &err);
        if (rc != WEIR_OK) {
            print_error("cut at turn %d: %s\n", turns, err.text);
        }
        assert_int_equal(rc, WEIR_OK);
        small_close(&process);
        small_expect_exact(&small);
        small_fini(&small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_far_apart_are_rebuilt_from_the_log),
        cmocka_unit_test(a_look_knows_the_row_that_is_ahead),
        cmocka_unit_test(partitions_far_apart_without_a_log_stop),
        cmocka_unit_test(a_line_is_cut_on_the_sink_that_is_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
