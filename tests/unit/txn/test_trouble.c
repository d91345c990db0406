/* test_trouble.c: what goes wrong while something else is already wrong: through the real engine
 * on a source, a sink and a disk in memory. Each test was seen to fail before its mending.
 *
 * What is expected comes from what was sent, never from the sink. */
#include <stdlib.h>
#include <time.h>

#include "tests/support/small_pipeline.h"
#include "tests/support/test.h"

enum { TURNS_MAX = 100000 };

static void fail_commits(struct small_pipeline *small, enum weir_memory_fault fault, uint64_t batch,
                         uint32_t partition, uint32_t count)
{
    weir_memory_inject(small->database, &(struct weir_memory_injection){ .fault = fault,
                                                                         .batch = batch,
                                                                         .partition = partition,
                                                                         .count = count });
}

/* Turns until batch n is sealed and cannot get in, then kill -9. */
static void seal_and_kill(struct small_pipeline *small, const char *dir, uint64_t n)
{
    struct small_process process;

    fail_commits(small, WEIR_MEMORY_LOST_BEFORE, n, UINT32_MAX, 1000);
    small_boot(small, dir, false, &process);
    for (int i = 0; i < 1000 && small_status(&process).sealed < n; i++) {
        small_must_run(small, &process, 1);
    }
    assert_int_equal(small_status(&process).sealed, n);
    sim_disk_kill(small->disk);
    small_close(&process);
    weir_memory_inject(small->database, NULL);
}

/* --- The log -------------------------------------------------------------------------------- */

/* Reading plans back must not keep their segments for the rest of a process's life.
 * covers: E-18 */
static void a_log_is_trimmed_after_a_rebuild(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 1, .batch_rows = 1 });
    small.plan.settings.log_retain_bytes = 64 * 1024;
    small_send(&small, 2);
    seal_and_kill(&small, "/a", 1);
    sim_disk_limit(small.disk, 10 << 20);
    small_send(&small, 4500); /* plans of some 18 MB */
    small_boot(&small, "/a", true, &process);
    small_must_run(&small, &process, TURNS_MAX);
    assert_true(small_status(&process).caught_up);
    small_close(&process);
    small_expect_exact(&small);
    small_fini(&small);
}

/* The batch that the log has no room for; 0: it went on without trouble. */
static uint64_t run_out_of_room(struct small_pipeline *small, struct small_process *process)
{
    small_boot(small, "/a", false, process);
    small_must_run(small, process, 10);
    sim_disk_limit(small->disk, 1); /* no further segment */
    for (int i = 0; i < 20000; i++) {
        small_must_run(small, process, 1);
        if (small_status(process).trouble[0] != '\0' && small_status(process).reconnects == 0) {
            break;
        }
    }
    small_must_run(small, process, 200);
    return small_status(process).sealed + 1;
}

/* Without room for the plan of n + 1, batch n is still looked after: only when it is in may the log
 * give up what it holds.
 * covers: D-04 */
static void a_full_log_does_not_hold_up_what_is_sealed(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 2, .batch_rows = 1 });
    small_send(&small, 2000);
    uint64_t stuck = run_out_of_room(&small, &process);
    assert_in_range(stuck, 3, 1999);
    assert_int_equal(small_status(&process).committed, stuck - 1);
    small_close(&process);
    small_fini(&small);

    small_init(&small, &(struct small_options){ .seed = 2, .batch_rows = 1 });
    small_send(&small, 2000);
    fail_commits(&small, WEIR_MEMORY_LOST_BEFORE, stuck - 1, 0, 1);
    assert_int_equal(run_out_of_room(&small, &process), stuck);
    assert_int_equal(small_status(&process).reconnects, 1);
    assert_int_equal(small_status(&process).committed, stuck - 1);
    sim_disk_heal(small.disk);
    small_close(&process);
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* A log that was full for a moment is no reason to give up at the next trouble, hours later. */
static void trouble_that_is_over_does_not_count_for_the_next(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 3, .batch_rows = 1 });
    small.plan.settings.retry_limit_us = 60 * 1000000;
    small_send(&small, 2000);
    (void)run_out_of_room(&small, &process);
    assert_true(small_status(&process).trouble[0] != '\0');
    sim_disk_heal(small.disk);
    small_must_run(&small, &process, 20000);
    assert_string_equal(small_status(&process).trouble, "");
    small_expect_exact(&small);
    sim_disk_advance(small.disk, UINT64_C(3600) * 1000000);
    fail_commits(&small, WEIR_MEMORY_LOST_BEFORE, 0, UINT32_MAX, 1);
    small_send(&small, 10);
    small_must_run(&small, &process, 2000);
    small_expect_exact(&small);
    small_close(&process);
    small_fini(&small);
}

/* --- The sink goes back --------------------------------------------------------------------- */

/* T5: the sink goes back between two parts of a batch, after the first was heard to be in. A look at
 * the other part alone would let the ledger's rows drift two batches apart. */
static void a_part_that_was_in_and_is_gone_is_noticed(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 4, .output_partitions = 2 });
    small_send(&small, 60);
    fail_commits(&small, WEIR_MEMORY_LOST_BEFORE, 3, 1, 1);
    small_boot(&small, "/a", false, &process);
    for (int i = 0; i < 1000 && small_status(&process).reconnects == 0; i++) {
        small_must_run(&small, &process, 1);
    }
    assert_int_equal(small_status(&process).reconnects, 1);
    weir_memory_go_back(small.database, 1); /* batch 3 of part 0 */
    small_must_run(&small, &process, 4000);
    small_close(&process);
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* --- A change of P -------------------------------------------------------------------------- */

/* The first batch under a new P is rebuilt like any other.
 * covers: P-29 */
static void a_crash_right_after_a_change_of_partitions(void **state)
{
    static const uint32_t changes[][2] = { { 1, 3 }, { 3, 2 }, { 2, 1 } };

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct small_pipeline small;

        small_init(&small,
                   &(struct small_options){ .seed = 5, .output_partitions = changes[i][0] });
        small_send(&small, 30);
        small_finish(&small, "/a");
        small.plan.settings.output_partitions = changes[i][1];
        small_send(&small, 10);
        seal_and_kill(&small, "/a", 4);
        small_finish(&small, "/a");
        small_expect_exact(&small);
        small_fini(&small);
    }
}

/* --- Several sinks -------------------------------------------------------------------------- */

static void crash_with_two_sinks(enum weir_delivery delivery, const char *second_dir)
{
    for (int turns = 0; turns < 60; turns++) {
        struct small_pipeline small;
        struct small_process process;

        small_init(&small, &(struct small_options){ .seed = (uint64_t)turns,
                                                    .delivery = delivery,
                                                    .output_partitions = 1 + turns % 2,
                                                    .two_sinks = true });
        if (turns % 3 == 0) { /* the second sink lags */
            fail_commits(&small, WEIR_MEMORY_LOST_BEFORE, 3, 0, 20);
        }
        small_send(&small, 100);
        small_boot(&small, "/a", false, &process);
        small_must_run(&small, &process, turns - turns / 3);
        sim_disk_hold_writes(small.disk, turns % 5 == 4 && turns > 8); /* the last stay unwritten */
        small_must_run(&small, &process, turns / 3);
        sim_disk_power_cut(small.disk);
        sim_disk_hold_writes(small.disk, false);
        weir_memory_inject(small.database, NULL);
        small_close(&process);
        small_send(&small, 17);
        small_finish(&small, second_dir);
        struct small_verdict verdict = small_judge(&small);
        assert_int_equal(verdict.missing, 0);
        assert_int_equal(verdict.invented, 0);
        if (delivery == WEIR_EXACTLY_ONCE) {
            assert_int_equal(verdict.doubled, 0);
        }
        small_fini(&small);
    }
}

/* covers: G-36 */
static void two_sinks_stay_together_through_crashes(void **state)
{
    (void)state;
    crash_with_two_sinks(WEIR_EXACTLY_ONCE, "/a");
    crash_with_two_sinks(WEIR_AT_LEAST_ONCE, "/a");
}

/* Without the log: the sink that lags gets exactly what the other one has more.
 * covers: G-36 */
static void two_sinks_a_batch_apart_catch_up_without_a_log(void **state)
{
    (void)state;
    crash_with_two_sinks(WEIR_EXACTLY_ONCE, "/b");
}

/* Rule 17: one sink goes back; the other already holds what is rebuilt.
 * covers: G-16, G-36 */
static void one_of_two_sinks_goes_back(void **state)
{
    (void)state;
    for (uint32_t back = 1; back < 8; back++) {
        struct small_pipeline small;

        small_init(&small, &(struct small_options){ .seed = back, .two_sinks = true });
        small_send(&small, 100);
        small_finish(&small, "/a");
        weir_memory_go_back(back % 2 == 0 ? small.database : small.second, back);
        small_send(&small, 20);
        small_finish(&small, "/a");
        small_expect_exact(&small);
        small_fini(&small);
    }
}

/* --- Rows that are refused ------------------------------------------------------------------ */

/* Takes records of batch 2 only when those of batch 1 are in, as a foreign key does. */
static bool lacks_its_predecessor(void *context, const char *table,
                                  const struct weir_record *record)
{
    const struct small_pipeline *small = context;
    struct weir_memory_row *rows = NULL;
    size_t count = 0;

    (void)table;
    assert_int_equal(weir_memory_table_rows(small->database, "public.out", &rows, &count), WEIR_OK);
    free(rows);
    return record->partition == 1 && count < 10;
}

static void a_row_that_waits_for_the_batch_before_is_not_bad(void **state)
{
    struct small_pipeline small;
    struct weir_memory_letter *letters = NULL;
    size_t count = 0;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 6,
                                                .source_partitions = 2,
                                                .on_error = WEIR_ON_ERROR_DEAD_LETTER });
    small_send(&small, 60);
    weir_memory_refuse(small.database, lacks_its_predecessor, &small);
    fail_commits(&small, WEIR_MEMORY_LOST_BEFORE, 1, 0, 2); /* so that batch 2 is heard first */
    small_finish(&small, "/a");
    assert_int_equal(weir_memory_dead_letters(small.database, &letters, &count), WEIR_OK);
    assert_int_equal(count, 0);
    free(letters);
    small_expect_exact(&small);
    small_fini(&small);
}

/* The batch is refused, but no single row of it is: a trigger that counts, say. */
static bool every_second_time(void *context, const char *table, const struct weir_record *record)
{
    int *calls = context;

    (void)table;
    (void)record;
    return (*calls)++ % 2 == 0;
}

static void a_refusal_without_a_culprit_stops(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err = { 0 };
    int calls = 0;

    (void)state;
    small_init(&small, &(struct small_options){
                           .seed = 7, .batch_rows = 1, .on_error = WEIR_ON_ERROR_DEAD_LETTER });
    small_send(&small, 1);
    weir_memory_refuse(small.database, every_second_time, &calls);
    small_boot(&small, "/a", true, &process);
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_EDATA);
    assert_non_null(strstr(err.text, "23514"));
    assert_true(calls < 100);
    small_close(&process);
    weir_memory_refuse(small.database, NULL, NULL);
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* --- At most once --------------------------------------------------------------------------- */

/* A drop is counted once, whatever becomes of its own COMMIT, and its rows are not called written. */
static void a_drop_that_fails_itself_is_counted_once(void **state)
{
    static const enum weir_memory_fault faults[] = { WEIR_MEMORY_LOST_BEFORE,
                                                     WEIR_MEMORY_LOST_AFTER, WEIR_MEMORY_LATE };

    (void)state;
    for (int i = 0; i < 3 * 40; i++) { /* late ones get in after so many turns */
        struct small_pipeline small;
        struct small_process process;
        int wait = -1;

        small_init(&small,
                   &(struct small_options){ .seed = (uint64_t)i, .delivery = WEIR_AT_MOST_ONCE });
        small_send(&small, 100);
        weir_memory_late_linger(small.database, true);
        fail_commits(&small, faults[i % 3], 4, 0, 1 + (i / 3) % 3);
        small_boot(&small, "/a", true, &process);
        for (int turn = 0; turn < TURNS_MAX && !weir_engine_is_finished(process.engine); turn++) {
            small_must_run(&small, &process, 1);
            wait = wait < 0 && small_status(&process).reconnects != 0 ? i / 3 : wait - (wait > 0);
            if (wait == 0) {
                (void)weir_memory_deliver_late(small.database);
            }
        }
        struct weir_status status = small_status(&process);
        struct small_verdict verdict = small_judge(&small);
        assert_int_equal(verdict.doubled, 0);
        assert_int_equal(status.rows_dropped, verdict.missing);
        assert_int_equal(status.rows_written, 100 - verdict.missing);
        assert_int_equal(status.batches_dropped, verdict.missing / 10);
        small_close(&process);
        small_fini(&small);
    }
}

/* A plan of an older definition cannot be dropped as it was sealed: nothing of it is used again.
 * covers: P-28 */
static void at_most_once_goes_back_behind_a_change(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 8, .delivery = WEIR_AT_MOST_ONCE });
    small_send(&small, 30);
    small_finish(&small, "/a");
    small.plan.definition = WEIR_STR("numbers into out, otherwise\n");
    small.plan.fingerprint = weir_hash128("y", 1);
    small_send(&small, 30);
    small_finish(&small, "/a");
    weir_memory_go_back(small.database, 5); /* to batch 2, behind the claim between 3 and 4 */
    small_send(&small, 10);
    small_boot(&small, "/a", true, &process);
    small_must_run(&small, &process, TURNS_MAX);
    struct small_verdict verdict = small_judge(&small);
    assert_int_equal(verdict.doubled, 0);
    assert_int_equal(verdict.invented, 0);
    assert_int_equal(verdict.missing, small_status(&process).rows_dropped);
    small_close(&process);
    small_fini(&small);
}

/* --- Sources -------------------------------------------------------------------------------- */

/* on_data_loss = 'skip', and six batches of a log that then ends earlier than it did. */
static void init_with_a_cut_topic(struct small_pipeline *small)
{
    small_init(small, &(struct small_options){ .seed = 9, .skip_lost = true });
    small_send(small, 60);
    small_finish(small, "/a");
    weir_memory_topic_cut(small->topic, 0, 5);
}

/* Going on further back must not seal a range that runs backwards, which no start could read. */
static void skipping_back_seals_ranges_that_can_be_read(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    init_with_a_cut_topic(&small);
    fail_commits(&small, WEIR_MEMORY_LOST_BEFORE, 7, UINT32_MAX, 1000);
    small_boot(&small, "/a", false, &process);
    small_must_run(&small, &process, 50);
    small_send(&small, 10); /* all of them behind the cut */
    small_must_run(&small, &process, 50);
    assert_int_equal(small_status(&process).sealed, 8); /* 7 says where it went on */
    sim_disk_kill(small.disk);
    small_close(&process);
    weir_memory_inject(small.database, NULL);
    small_finish(&small, "/a"); /* reads its log */
    small_expect_exact(&small);
    small_fini(&small);
}

/* A start finds another end of the log than the one before it: what has come in between would be left
 * out, if where the first one went on were not sealed before there is a record. */
static void where_skipping_back_goes_on_is_durable_at_once(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    init_with_a_cut_topic(&small);
    small_boot(&small, "/a", false, &process);
    small_must_run(&small, &process, 400);
    assert_int_equal(small_status(&process).committed, 7);
    sim_disk_kill(small.disk);
    small_close(&process);
    small_send(&small, 10);
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* Half of a batch is in that begins behind a loss. What was lost is no part of its range, so it is
 * rebuilt, though that cannot be read any more. */
static void a_batch_behind_a_loss_is_rebuilt(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 12, .skip_lost = true, .two_sinks = true });
    small_send(&small, 60);
    small_finish(&small, "/a");
    small_send(&small, 60);
    weir_memory_topic_trim(small.topic, 0, 40 + 7);
    weir_memory_topic_trim(small.topic, 1, 20 + 5);
    fail_commits(&small, WEIR_MEMORY_LOST_BEFORE, 7, UINT32_MAX, 1000);
    small_boot(&small, "/a", false, &process);
    small_must_run(&small, &process, 200);
    assert_in_range(small_status(&process).sealed, 7, UINT64_MAX);
    assert_int_equal(small_status(&process).committed, 6);
    sim_disk_kill(small.disk);
    small_close(&process);
    weir_memory_inject(small.database, NULL);
    small_finish(&small, "/a");
    struct small_verdict verdict = small_judge(&small);
    assert_int_equal(verdict.missing, 2 * (7 + 5));
    assert_int_equal(verdict.doubled, 0);
    small_fini(&small);
}

/* What retention took before it was read is missing from the table, and counted: no more, no less.
 * covers: K-04 */
static void what_skipping_leaves_out_is_counted(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 12, .skip_lost = true });
    small_send(&small, 60);
    small_finish(&small, "/a");
    small_send(&small, 60);
    weir_memory_topic_trim(small.topic, 0, 40 + 7);
    weir_memory_topic_trim(small.topic, 1, 20 + 5);
    small_boot(&small, "/a", true, &process);
    small_must_run(&small, &process, 100000);
    assert_int_equal(small_status(&process).rows_lost, 7 + 5);
    assert_int_equal(small_judge(&small).missing, 7 + 5);
    small_close(&process);
    small_fini(&small);
}

/* --- Sleeping ------------------------------------------------------------------------------- */

static int64_t sleep_us(const struct small_process *process)
{
    struct timespec before;
    struct timespec after;

    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    weir_engine_sleep(process->engine, 20000);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    return (after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
}

/* Waiting for the starting positions is waiting, not spinning. */
static void waiting_for_start_positions_sleeps(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 10 });
    weir_memory_go_away(small.database, 1);
    small_boot(&small, "/a", false, &process);
    small_must_run(&small, &process, 1);
    weir_memory_topic_set_away(small.topic, true);
    small_must_run(&small, &process, 100);
    assert_string_equal(small_status(&process).phase, "starting");
    assert_true(sleep_us(&process) >= 15000);
    small_close(&process);
    small_fini(&small);
}

/* So is waiting for a sink that is away while the source has more. */
static void waiting_for_a_sink_sleeps(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 11 });
    small_send(&small, 100);
    fail_commits(&small, WEIR_MEMORY_LOST_BEFORE, 2, 0, 1);
    small_boot(&small, "/a", false, &process);
    while (small_status(&process).reconnects == 0) {
        small_must_run(&small, &process, 1);
    }
    weir_memory_go_away(small.database, 1000);
    small_must_run(&small, &process, 200); /* tries get rarer */
    assert_true(sleep_us(&process) >= 15000);
    small_close(&process);
    small_fini(&small);
}

/* However long a sink is away and however much comes meanwhile, what is sealed and not in is bounded,
 * and with it the log: the source waits.
 * covers: D-32 */
static void the_log_of_a_sink_that_is_away_stays_small(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_status status;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 12 });
    small_send(&small, 100);
    fail_commits(&small, WEIR_MEMORY_LOST_BEFORE, 2, 0, 1);
    small_boot(&small, "/a", false, &process);
    while (small_status(&process).reconnects == 0) {
        small_must_run(&small, &process, 1);
    }
    weir_memory_go_away(small.database, 100);
    small_send(&small, 1000);
    small_must_run(&small, &process, 200);
    status = small_status(&process);
    uint64_t records = status.log_records, used = sim_disk_used_bytes(small.disk);
    assert_true(status.sealed - status.committed <= 3);
    small_send(&small, 1000);
    small_must_run(&small, &process, 200);
    status = small_status(&process);
    assert_true(status.reconnects < 100); /* it is still away */
    assert_int_equal(status.log_records, records);
    assert_int_equal(sim_disk_used_bytes(small.disk), used);
    assert_true(status.sealed - status.committed <= 3);
    small_close(&process);
    small_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_is_trimmed_after_a_rebuild),
        cmocka_unit_test(a_full_log_does_not_hold_up_what_is_sealed),
        cmocka_unit_test(trouble_that_is_over_does_not_count_for_the_next),
        cmocka_unit_test(a_part_that_was_in_and_is_gone_is_noticed),
        cmocka_unit_test(a_crash_right_after_a_change_of_partitions),
        cmocka_unit_test(two_sinks_stay_together_through_crashes),
        cmocka_unit_test(two_sinks_a_batch_apart_catch_up_without_a_log),
        cmocka_unit_test(one_of_two_sinks_goes_back),
        cmocka_unit_test(a_row_that_waits_for_the_batch_before_is_not_bad),
        cmocka_unit_test(a_refusal_without_a_culprit_stops),
        cmocka_unit_test(a_drop_that_fails_itself_is_counted_once),
        cmocka_unit_test(at_most_once_goes_back_behind_a_change),
        cmocka_unit_test(skipping_back_seals_ranges_that_can_be_read),
        cmocka_unit_test(where_skipping_back_goes_on_is_durable_at_once),
        cmocka_unit_test(a_batch_behind_a_loss_is_rebuilt),
        cmocka_unit_test(what_skipping_leaves_out_is_counted),
        cmocka_unit_test(waiting_for_start_positions_sleeps),
        cmocka_unit_test(waiting_for_a_sink_sleeps),
        cmocka_unit_test(the_log_of_a_sink_that_is_away_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
