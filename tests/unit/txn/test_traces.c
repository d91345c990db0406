/* test_traces.c: the histories that break a commit protocol which lacks one of its rules, played
 * through the real engine on a source, a sink and a disk in memory. Each test was seen to fail
 * with its rule left out.
 *
 * What is expected comes from what was sent, never from the sink. */
#include <stdlib.h>

#include "tests/support/small_pipeline.h"
#include "tests/support/test.h"
#include "txn/txn.h"

enum { TURNS_MAX = 100000 };

/* A pipeline with as many batches in flight as the test is run with. */
static void trace_init(void **state, struct small_pipeline *ret, struct small_options options)
{
    options.in_flight = *(const uint32_t *)*state;
    small_init(ret, &options);
}

/* Turns until batch n is sealed, but cannot get in: its COMMIT never arrives. */
static void seal_without_commit(struct small_pipeline *small, const char *dir, uint64_t n,
                                uint32_t partition)
{
    struct small_process process;
    struct weir_error err;

    weir_memory_inject(
        small->database,
        &(struct weir_memory_injection){
            .fault = WEIR_MEMORY_LOST_BEFORE, .batch = n, .partition = partition, .count = 1000 });
    small_boot(small, dir, false, &process);
    for (int i = 0; i < 1000 && small_status(&process).sealed < n; i++) {
        assert_int_equal(small_run(small, &process, 1, &err), WEIR_OK);
    }
    assert_true(small_status(&process).sealed >= n);
    assert_int_equal(small_run(small, &process, 10, &err), WEIR_OK); /* the other parts get in */
    sim_disk_kill(small->disk);
    small_close(&process);
    weir_memory_inject(small->database, NULL);
}

/* T1: A seals plan 1 and is killed; B, in an empty directory, commits its own batch 1 of other
 * ranges; A starts again. Numbers alone would say that A's batch 1 is in.
 * covers: P-12 */
static void a_batch_is_known_by_identity_not_by_number(void **state)
{
    for (uint32_t parts = 1; parts <= 2; parts++) {
        struct small_pipeline small;

        trace_init(state, &small,
                   (struct small_options){ .seed = parts, .output_partitions = parts });
        small_send(&small, 4); /* A's batch 1 is of four rows */
        seal_without_commit(&small, "/a", 1, UINT32_MAX);
        small_send(&small, 6); /* B's is of ten, and its only one */
        small_finish(&small, "/b");
        small_expect_exact(&small);
        small_send(&small, 50);
        small_finish(&small, "/a");
        small_expect_exact(&small);
        small_fini(&small);
    }
}

/* Going on from a ledger leaves plans behind in the log that must never be used again, not even by
 * the next start, nor for a sink that goes back behind them.
 * covers: G-16 */
static void plans_before_a_void_record_are_never_used(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err;

    trace_init(state, &small, (struct small_options){ .seed = 2 });
    small_send(&small, 34);
    small_finish(&small, "/a");
    small_send(&small, 30);
    small_finish(&small, "/b");
    uint32_t mark = weir_memory_transaction_count(small.database);
    small_send(&small, 30);
    small_finish(&small, "/a"); /* follows, and goes on */
    small_send(&small, 30);
    small_finish(&small, "/a"); /* reads its own log again */
    small_expect_exact(&small);

    /* Back to where only B had been: A's older plans do not lead there. */
    weir_memory_go_back(small.database, weir_memory_transaction_count(small.database) - mark + 1);
    small_boot(&small, "/a", true, &process);
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "ledger_behind");
    small_close(&process);
    small_fini(&small);
}

/* T3: two parts, one has the batch, the log is gone. Going on from either row alone loses or doubles
 * the rows of the other part.
 * covers: P-30 */
static void parts_a_batch_apart_catch_up_without_a_log(void **state)
{
    for (uint32_t lagging = 0; lagging < 2; lagging++) {
        struct small_pipeline small;

        trace_init(state, &small,
                   (struct small_options){ .seed = lagging, .output_partitions = 2 });
        small_send(&small, 70);
        seal_without_commit(&small, "/a", 3, lagging);
        small_send(&small, 30);
        small_finish(&small, "/b");
        small_expect_exact(&small);
        small_send(&small, 30);
        small_finish(&small, "/a"); /* and the old directory still knows its way */
        small_expect_exact(&small);
        small_fini(&small);
    }
}

/* The same with the log: only the part that lacks the batch is written.
 * covers: G-05 */
static void parts_a_batch_apart_are_rebuilt_from_the_log(void **state)
{
    for (uint32_t lagging = 0; lagging < 2; lagging++) {
        struct small_pipeline small;

        trace_init(state, &small,
                   (struct small_options){ .seed = lagging, .output_partitions = 2 });
        small_send(&small, 70);
        seal_without_commit(&small, "/a", 3, lagging);
        small_finish(&small, "/a");
        small_expect_exact(&small);
        small_fini(&small);
    }
}

/* A start at "latest" is chosen once: what comes after it is not skipped by a second start that
 * finds nothing committed.
 * covers: K-13 */
static void a_start_at_latest_stays_where_it_was_chosen(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct small_verdict verdict;
    struct weir_error err;

    trace_init(state, &small, (struct small_options){ .seed = 4, .start_latest = true });
    small_send(&small, 20);
    small_boot(&small, "/a", false, &process);
    assert_int_equal(small_run(&small, &process, 20, &err), WEIR_OK);
    sim_disk_power_cut(small.disk);
    small_close(&process);
    small_send(&small, 30); /* while nobody runs */
    small_finish(&small, "/a");
    verdict = small_judge(&small);
    assert_int_equal(verdict.missing, 20); /* those before the start, and no others */
    assert_int_equal(verdict.doubled, 0);
    small_fini(&small);
}

/* Batch times rise for ever, whatever the clock does.
 * covers: P-20, P-21, P-22 */
static void batch_times_rise_though_the_clock_steps_back(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err;
    int64_t last = INT64_MIN;

    trace_init(state, &small, (struct small_options){ .seed = 5 });
    for (int round = 0; round < 4; round++) {
        /* 2026, a year earlier, 1969, and 2263 */
        static const int64_t clocks[] = { INT64_C(1790000000000000), INT64_C(1758000000000000), -1,
                                          INT64_C(9246000000000000) };
        sim_disk_set_now(small.disk, clocks[round]);
        small_send(&small, 25);
        small_boot(&small, round % 2 == 0 ? "/a" : "/b", true, &process);
        assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_OK);
        assert_true(small_status(&process).batch_time_us > last);
        last = small_status(&process).batch_time_us;
        small_close(&process);
    }
    small_expect_exact(&small);
    small_fini(&small);
}

/* at_most_once: a part whose fate was open is dropped when it is not in, and counted.
 * covers: G-04, G-05 */
static void at_most_once_drops_and_counts_an_open_fate(void **state)
{
    static const enum weir_memory_fault faults[] = { WEIR_MEMORY_LOST_BEFORE,
                                                     WEIR_MEMORY_LOST_AFTER };

    for (int i = 0; i < 2; i++) {
        struct small_pipeline small;
        struct small_process process;
        struct small_verdict verdict;
        struct weir_error err;

        trace_init(state, &small,
                   (struct small_options){ .seed = 6, .delivery = WEIR_AT_MOST_ONCE });
        weir_memory_inject(small.database,
                           &(struct weir_memory_injection){
                               .fault = faults[i], .batch = 4, .partition = 0, .count = 1 });
        small_send(&small, 100);
        small_boot(&small, "/a", true, &process);
        assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_OK);
        verdict = small_judge(&small);
        assert_int_equal(verdict.doubled, 0);
        assert_int_equal(verdict.missing, faults[i] == WEIR_MEMORY_LOST_BEFORE ? 10 : 0);
        assert_int_equal(small_status(&process).rows_dropped, verdict.missing);
        small_close(&process);
        small_fini(&small);
    }
}

/* at_least_once: an answer that was lost is not looked up; what may show twice is counted.
 * covers: G-04 */
static void at_least_once_repeats_and_counts_an_open_fate(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct small_verdict verdict;
    struct weir_error err;

    trace_init(state, &small, (struct small_options){ .seed = 7, .delivery = WEIR_AT_LEAST_ONCE });
    weir_memory_inject(
        small.database,
        &(struct weir_memory_injection){
            .fault = WEIR_MEMORY_LOST_AFTER, .batch = 4, .partition = 0, .count = 1 });
    small_send(&small, 100);
    small_boot(&small, "/a", true, &process);
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_OK);
    verdict = small_judge(&small);
    assert_int_equal(verdict.missing, 0);
    assert_int_equal(verdict.doubled, 10);
    assert_int_equal(small_status(&process).rows_repeated, 10);
    small_close(&process);
    small_fini(&small);
}

/* Rule 12: what was sealed comes out otherwise, because the source was cut and grew again.
 * covers: K-17 */
static void a_batch_that_comes_out_otherwise_is_planned_anew_or_stops(void **state)
{
    static const struct {
        uint32_t parts;
        const char
            *is; /* where the last record of partition 0 was: another one, or one of no use */
    } ways[] = { { 1, "28" }, { 2, "28" }, { 1, "bad" }, { 2, "bad" } };

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const uint32_t parts = ways[i].parts;
        struct small_pipeline small;
        struct small_process process;
        struct weir_error err;

        trace_init(state, &small,
                   (struct small_options){ .seed = 8,
                                           .output_partitions = parts,
                                           .on_error = WEIR_ON_ERROR_DEAD_LETTER });
        small_send(&small, 30);
        /* With two parts the batch is in one of them (the other's COMMIT is lost). */
        seal_without_commit(&small, "/a", 3, parts == 1 ? UINT32_MAX : 0);
        int64_t end = weir_memory_topic_end(small.topic, 0);
        weir_memory_topic_cut(small.topic, 0, end - 1);
        assert_int_equal(weir_memory_topic_append(small.topic, 0, (struct weir_str){ 0 },
                                                  weir_str_from(ways[i].is), 0),
                         end - 1);
        small_boot(&small, "/a", true, &process);
        int rc = small_run(&small, &process, TURNS_MAX, &err);
        if (parts == 1) {
            assert_int_equal(rc, WEIR_OK);
            assert_int_equal(small_judge(&small).invented, 0);
        } else {
            assert_int_equal(rc, WEIR_ECONFLICT);
            assert_string_equal(err.reason, "plan_mismatch");
        }
        small_close(&process);
        small_fini(&small);
    }
}

/* The sink goes back again and again while the disk is slow. */
static void a_sink_goes_back_while_the_disk_is_slow(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err;

    trace_init(state, &small, (struct small_options){ .seed = 9 });
    small_send(&small, 60);
    small_boot(&small, "/a", false, &process);
    assert_int_equal(small_run(&small, &process, 400, &err), WEIR_OK);
    weir_memory_go_back(small.database, 3);
    small_send(&small, 60);
    for (int i = 0; i < 200; i++) { /* a slow disk */
        sim_disk_hold_writes(small.disk, i % 3 != 0);
        if (i % 50 == 49) {
            weir_memory_go_back(small.database, 1);
        }
        assert_int_equal(small_run(&small, &process, 1, &err), WEIR_OK);
    }
    sim_disk_hold_writes(small.disk, false);
    small_send(&small,
               10); /* a sink that goes back behind an idle pipeline shows with the next row */
    assert_int_equal(small_run(&small, &process, 4000, &err), WEIR_OK);
    small_expect_exact(&small);
    small_close(&process);
    small_send(&small, 10);
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* A plan that is being written when the sink goes back is part of the evidence: those of batches 7
 * and 8 are on their way to the disk when their connections end. A recovery that does not wait does
 * not see them, and puts another batch 7 behind them: two plans on one predecessor, a log that no
 * start can read. */
static void a_plan_on_its_way_to_the_disk_is_no_other_plan(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err;

    trace_init(state, &small, (struct small_options){ .seed = 16 });
    small_send(&small, 60);
    small_boot(&small, "/a", false, &process);
    assert_int_equal(small_run(&small, &process, 400, &err), WEIR_OK);
    assert_int_equal(small_status(&process).committed, 6);
    sim_disk_hold_writes(small.disk, true);
    small_send(&small, 20);
    assert_int_equal(small_run(&small, &process, 20, &err), WEIR_OK);
    assert_int_equal(small_status(&process).sealed, 6); /* 7 and 8 are appended, not yet durable */
    weir_memory_go_back(small.database, 1);
    sim_disk_slow_writes(small.disk, true);
    sim_disk_hold_writes(small.disk, false);
    assert_int_equal(small_run(&small, &process, 4000, &err), WEIR_OK);
    small_expect_exact(&small);
    small_close(&process);
    small_finish(&small, "/a"); /* reads its log */
    small_expect_exact(&small);
    small_fini(&small);
}

/* A directory belongs to one pipeline, and a ledger to one definition.
 * covers: P-13, P-28 */
static void another_definition_is_told_from_ours(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err;

    trace_init(state, &small, (struct small_options){ .seed = 10 });
    small_send(&small, 34);
    seal_without_commit(&small, "/a", 2, UINT32_MAX);

    small.plan.definition = WEIR_STR("numbers into elsewhere\n");
    small.plan.fingerprint = weir_hash128("x", 1);
    small_boot(&small, "/a", true, &process); /* a sealed batch is open */
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "definition_changed");
    small_close(&process);
    small_boot(&small, "/c", true, &process); /* a ledger of another definition, no log */
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "name_taken");
    small_close(&process);
    small_fini(&small);
}

/* Rule 16: P changes between batches, and only there.
 * covers: P-29 */
static void output_partitions_change_between_batches(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err;

    trace_init(state, &small, (struct small_options){ .seed = 11 });
    small_send(&small, 34);
    small_finish(&small, "/a");
    small.plan.settings.output_partitions = 3;
    small_send(&small, 34);
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_send(&small, 34);
    seal_without_commit(&small, "/a", 9, 1);
    small.plan.settings.output_partitions = 2;
    small_boot(&small, "/a", true, &process);
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "partitions_changed");
    small_close(&process);
    small.plan.settings.output_partitions = 3;
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* T2: the sink was restored to before A took it, and hands out A's generation to B. The number is
 * equal; the owner token is not.
 * covers: G-31, P-12 */
static void a_generation_that_is_given_out_twice_is_told_apart(void **state)
{
    struct small_pipeline small;
    struct small_process a;
    struct weir_error err;

    trace_init(state, &small, (struct small_options){ .seed = 12 });
    small_send(&small, 10);
    small_finish(&small, "/b");
    uint32_t backup = weir_memory_transaction_count(small.database);
    weir_memory_inject(small.database,
                       &(struct weir_memory_injection){
                           .fault = WEIR_MEMORY_LOST_BEFORE, .batch = 2, .count = 1000 });
    small_send(&small, 4);
    small_boot(&small, "/a", false, &a);
    for (int i = 0; i < 1000 && small_status(&a).sealed < 2; i++) {
        assert_int_equal(small_run(&small, &a, 1, &err), WEIR_OK);
    }
    weir_memory_inject(small.database, NULL);
    weir_memory_go_back(small.database, weir_memory_transaction_count(small.database) - backup);
    small_send(&small, 6);
    small_finish(&small, "/b"); /* its batch 2 has other rows */
    assert_int_equal(small_run(&small, &a, TURNS_MAX, &err), WEIR_EFENCED);
    small_close(&a);
    small_expect_exact(&small);
    small_fini(&small);
}

/* Rule 6: whoever takes a ledger again takes a larger generation than it ever had.
 * covers: G-31 */
static void a_sink_that_went_back_gets_a_larger_generation(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err;

    trace_init(state, &small, (struct small_options){ .seed = 13 });
    for (int i = 0; i < 3; i++) {
        small_send(&small, 10);
        small_finish(&small, "/a");
    }
    uint32_t before = weir_memory_transaction_count(small.database);
    small_send(&small, 10);
    small_boot(&small, "/a", false, &process);
    assert_int_equal(small_run(&small, &process, 200, &err), WEIR_OK);
    uint64_t generation = small_status(&process).generation;
    weir_memory_go_back(small.database, weir_memory_transaction_count(small.database) - before);
    small_send(&small, 10);
    assert_int_equal(small_run(&small, &process, 2000, &err), WEIR_OK);
    assert_true(small_status(&process).generation > generation);
    small_expect_exact(&small);
    small_close(&process);
    small_fini(&small);
}

/* A disk that takes a plan and never answers is given up, told before; the next start recovers.
 * covers: D-23 */
static void a_disk_that_never_answers_ends_the_run(void **state)
{
    enum { LIMIT_US = 60 * 1000 * 1000 };
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err = { 0 };

    trace_init(state, &small, (struct small_options){ .seed = 14 });
    small.plan.settings.log_write_limit_us = LIMIT_US;
    small_boot(&small, "/a", false, &process);
    assert_int_equal(small_run(&small, &process, 10, &err), WEIR_OK);
    uint32_t before = weir_memory_transaction_count(small.database);
    sim_disk_hold_writes(small.disk, true);
    small_send(&small, 30);
    assert_int_equal(small_run(&small, &process, 200, &err), WEIR_OK);
    sim_disk_advance(small.disk, LIMIT_US / 2);
    assert_int_equal(small_run(&small, &process, 1, &err), WEIR_OK);
    assert_non_null(strstr(small_status(&process).trouble, "has not answered"));
    sim_disk_advance(small.disk, LIMIT_US / 2);
    assert_int_equal(small_run(&small, &process, 1, &err), WEIR_EIO);
    assert_int_equal(weir_memory_transaction_count(small.database), before);
    sim_disk_kill(small.disk); /* the process ends, and with it the write */
    small_close(&process);
    sim_disk_heal(small.disk);
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* Rule 4: while the disk is slow, nothing of a batch gets into the sink.
 * covers: D-22 */
static void nothing_is_in_before_its_plan_is_durable(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err;

    trace_init(state, &small, (struct small_options){ .seed = 14 });
    small_boot(&small, "/a", false, &process);
    assert_int_equal(small_run(&small, &process, 10, &err), WEIR_OK);
    uint32_t before = weir_memory_transaction_count(small.database);
    sim_disk_hold_writes(small.disk, true);
    small_send(&small, 30);
    assert_int_equal(small_run(&small, &process, 200, &err), WEIR_OK);
    assert_int_equal(weir_memory_transaction_count(small.database), before);
    sim_disk_hold_writes(small.disk, false);
    assert_int_equal(small_run(&small, &process, 200, &err), WEIR_OK);
    small_expect_exact(&small);
    small_close(&process);
    small_fini(&small);
}

/* Rule 14: a batch that a start finds sealed and not in is never sent again with its rows. */
static void at_most_once_does_not_send_what_a_start_finds_sealed(void **state)
{
    struct small_pipeline small;

    trace_init(state, &small, (struct small_options){ .seed = 15, .delivery = WEIR_AT_MOST_ONCE });
    small_send(&small, 30);
    seal_without_commit(&small, "/a", 3, UINT32_MAX);
    small_finish(&small, "/a");
    struct small_verdict verdict = small_judge(&small);
    assert_int_equal(verdict.missing, 10);
    assert_int_equal(verdict.doubled, 0);
    small_fini(&small);
}

/* Each history is played with both numbers of batches that can be in flight. */
static uint32_t two = 2, three = 3;

#define WITH(test, count) \
    ((struct CMUnitTest){ #test ", " #count " in flight", test, NULL, NULL, &(count) })
#define TRACE(test) WITH(test, two), WITH(test, three)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE(a_batch_is_known_by_identity_not_by_number),
        TRACE(plans_before_a_void_record_are_never_used),
        TRACE(parts_a_batch_apart_catch_up_without_a_log),
        TRACE(parts_a_batch_apart_are_rebuilt_from_the_log),
        TRACE(a_start_at_latest_stays_where_it_was_chosen),
        TRACE(batch_times_rise_though_the_clock_steps_back),
        TRACE(at_most_once_drops_and_counts_an_open_fate),
        TRACE(at_least_once_repeats_and_counts_an_open_fate),
        TRACE(a_batch_that_comes_out_otherwise_is_planned_anew_or_stops),
        TRACE(a_sink_goes_back_while_the_disk_is_slow),
        TRACE(a_plan_on_its_way_to_the_disk_is_no_other_plan),
        TRACE(another_definition_is_told_from_ours),
        TRACE(output_partitions_change_between_batches),
        TRACE(a_generation_that_is_given_out_twice_is_told_apart),
        TRACE(a_sink_that_went_back_gets_a_larger_generation),
        TRACE(nothing_is_in_before_its_plan_is_durable),
        TRACE(a_disk_that_never_answers_ends_the_run),
        TRACE(at_most_once_does_not_send_what_a_start_finds_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
