/* test_going_back.c: sinks that go back, and lists that are out of date, while something else has
 * changed since: through the real engine on a source, a sink and a disk in memory. Each test was
 * seen to fail before its mending; the simulator found most of them.
 *
 * What is expected comes from what was sent, never from the sink. */
#include <stdio.h>
#include <string.h>

#include "sink/memory_database.h"
#include "tests/support/small_pipeline.h"
#include "tests/support/test.h"

enum { TURNS_MAX = 100000 };

static void run_until_committed(struct small_pipeline *small, struct small_process *process,
                                uint64_t batch)
{
    for (int i = 0; i < 4000 && small_status(process).committed < batch; i++) {
        small_must_run(small, process, 1);
    }
    assert_int_equal(small_status(process).committed, batch);
}

/* A start with so many output partitions must stop, and name the setting that is needed. */
static void expect_asks_for(struct small_pipeline *small, const char *dir, uint32_t partitions,
                            const char *setting)
{
    struct small_process process;
    struct weir_error err = { 0 };

    small->plan.settings.output_partitions = partitions;
    small_boot(small, dir, true, &process);
    assert_int_equal(small_run(small, &process, TURNS_MAX, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "partitions_changed");
    assert_non_null(strstr(err.text, setting));
    small_close(&process);
}

/* --- A change of the output partitions ------------------------------------------------------ */

/* A running instance has changed P, and the sink goes back to before that: another number of rows is
 * that of an older owner, nobody removed them. */
static void a_sink_goes_back_over_a_change_of_partitions(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 1, .output_partitions = 1 });
    small_send(&small, 30);
    small_finish(&small, "/a");
    uint32_t before = weir_memory_transaction_count(small.database);
    small.plan.settings.output_partitions = 2;
    small_boot(&small, "/a", false, &process);
    small_send(&small, 10);
    run_until_committed(&small, &process, 4);
    weir_memory_go_back(small.database, weir_memory_transaction_count(small.database) - before);
    small_send(&small, 10);
    small_must_run(&small, &process, 4000);
    small_close(&process);
    small_expect_exact(&small);
    small_fini(&small);
}

/* One of two sinks goes back over a change of P. What was sealed under the old P is rebuilt under it,
 * what the other sink holds under the new one: each stop comes only when its setting has done all
 * that it can do, so doing as told leads to the end. */
static void one_of_two_sinks_goes_back_over_a_change_of_partitions(void **state)
{
    struct small_pipeline small;

    (void)state;
    small_init(&small,
               &(struct small_options){ .seed = 2, .two_sinks = true, .output_partitions = 2 });
    small_send(&small, 30);
    small_finish(&small, "/a");
    uint32_t mark = weir_memory_transaction_count(small.second);
    small_send(&small, 30);
    small_finish(&small, "/a");
    small.plan.settings.output_partitions = 3;
    small_send(&small, 30);
    small_finish(&small, "/a");
    weir_memory_go_back(small.second, weir_memory_transaction_count(small.second) - mark);
    small_send(&small, 10);
    expect_asks_for(&small, "/a", 3, "output_partitions = 2");
    expect_asks_for(&small, "/a", 2, "output_partitions = 3");
    small.plan.settings.output_partitions = 3;
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* The same, and the other sink has a batch of the new P in some parts only: its rows, which are a
 * batch apart, must not have to change for what it holds already. */
static void a_sink_goes_back_while_the_other_is_a_batch_apart(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small,
               &(struct small_options){ .seed = 5, .two_sinks = true, .output_partitions = 2 });
    small_send(&small, 30);
    small_finish(&small, "/a");
    uint32_t mark = weir_memory_transaction_count(small.second);
    small_send(&small, 20);
    small_finish(&small, "/a");
    small.plan.settings.output_partitions = 3;
    weir_memory_inject(
        small.database,
        &(struct weir_memory_injection){
            .fault = WEIR_MEMORY_LOST_BEFORE, .batch = 6, .partition = 1, .count = 1000 });
    small_send(&small, 10);
    small_boot(&small, "/a", false, &process);
    for (int i = 0; i < 4000 && small_status(&process).reconnects < 2; i++) {
        small_must_run(&small, &process, 1);
    }
    sim_disk_kill(small.disk);
    small_close(&process);
    weir_memory_inject(small.database, NULL);
    weir_memory_go_back(small.second, weir_memory_transaction_count(small.second) - mark);
    expect_asks_for(&small, "/a", 3, "output_partitions = 2");
    expect_asks_for(&small, "/a", 2, "output_partitions = 3");
    small.plan.settings.output_partitions = 3;
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* The same without a log, and P has changed twice since: the rows of no ledger have the P under which the
 * batch was sealed that one of them lacks; only the map of those that have it tells. */
static void the_old_partitions_are_found_without_a_log(void **state)
{
    struct small_pipeline small;

    (void)state;
    small_init(&small,
               &(struct small_options){ .seed = 6, .two_sinks = true, .output_partitions = 2 });
    small_send(&small, 10);
    small_finish(&small, "/a");
    small.plan.settings.output_partitions = 3;
    small_finish(&small, "/a"); /* nothing new: P changes behind batch 1 */
    small.plan.settings.output_partitions = 4;
    small_finish(&small, "/a");
    weir_memory_go_back(small.second, weir_memory_transaction_count(small.second) - 1);
    static const uint32_t others[] = { 1, 3, 4 };
    for (size_t i = 0; i < 3; i++) {
        expect_asks_for(&small, "/b", others[i],
                        "output_partitions = 2, partition_by = 'source_partition'");
    }
    small.plan.settings.output_partitions = 2;
    small_send(&small, 10);
    small_finish(&small, "/b");
    small_expect_exact(&small);
    small_fini(&small);
}

/* --- Without a look ------------------------------------------------------------------------- */

/* Follows the ledger's rows by what gets in. */
struct watch {
    uint64_t at[2];
    uint64_t apart_max;
};

static void watch_commits(void *context, const struct weir_memory_transaction *transaction)
{
    struct watch *watch = context;

    if (transaction->pipeline == NULL) {
        const struct weir_ledger_row *row = &transaction->after.rows[0];
        watch->at[row->partition] = row->batch;
        uint64_t apart =
            watch->at[0] > watch->at[1] ? watch->at[0] - watch->at[1] : watch->at[1] - watch->at[0];
        watch->apart_max = apart > watch->apart_max ? apart : watch->apart_max;
    }
}

/* The sink goes back between the two parts of a batch while the next one is under way. at_least_once
 * that sent again what it lost without a look would put the parts two batches apart. */
static void at_least_once_looks_before_parts_come_apart(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct watch watch = { .at = { 0 } };

    (void)state;
    small_init(&small, &(struct small_options){
                           .seed = 3, .delivery = WEIR_AT_LEAST_ONCE, .output_partitions = 2 });
    weir_memory_play(small.database,
                     &(struct weir_memory_play){ .context = &watch, .got_in = watch_commits });
    small_boot(&small, "/a", false, &process);
    small_send(&small, 30);
    run_until_committed(&small, &process, 3);
    weir_memory_go_back(small.database, 1);
    watch.at[watch.at[0] == watch.at[1] ? 1 : 0] = 2; /* parts get in in their order */
    small_send(&small, 30);
    small_must_run(&small, &process, 4000);
    assert_int_equal(watch.apart_max, 1);
    struct small_verdict verdict = small_judge(&small);
    assert_int_equal(verdict.missing, 0);
    assert_int_equal(verdict.invented, 0);
    small_close(&process);
    small_fini(&small);
}

/* --- The source ----------------------------------------------------------------------------- */

/* An instance lists the partitions of its source, and waits for its sink. Meanwhile the topic gets
 * one more, and another instance reads it: the ledger that is followed names what the list lacks. */
static void a_list_of_partitions_is_out_of_date(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    char text[32];

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 4 });
    small_send(&small, 10);
    small_finish(&small, "/a");
    small_boot(&small, "/a", true, &process);
    weir_memory_go_away(small.database, 1);
    small_must_run(&small, &process, 1);
    assert_string_equal(small_status(&process).phase, "claiming");
    assert_true(weir_memory_topic_add_partition(small.topic));
    (void)snprintf(text, sizeof(text), "%lld", (long long)small.sent++);
    assert_int_equal(
        weir_memory_topic_append(small.topic, 2, (struct weir_str){ 0 }, weir_str_from(text), 0),
        0);
    small_finish(&small, "/b");
    small_must_run(&small, &process, TURNS_MAX);
    small_close(&process);
    small_expect_exact(&small);
    small_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sink_goes_back_over_a_change_of_partitions),
        cmocka_unit_test(one_of_two_sinks_goes_back_over_a_change_of_partitions),
        cmocka_unit_test(a_sink_goes_back_while_the_other_is_a_batch_apart),
        cmocka_unit_test(the_old_partitions_are_found_without_a_log),
        cmocka_unit_test(at_least_once_looks_before_parts_come_apart),
        cmocka_unit_test(a_list_of_partitions_is_out_of_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
