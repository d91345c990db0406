/* test_engine.c: the very engine, log and protocol, on a source, a sink and a disk in memory.
 *
 * What is expected comes from what was sent, never from the sink. */
#include <malloc.h>

#include "tests/support/small_pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/test.h"
#include "weir/log.h"

enum { TURNS_MAX = 100000 };

static void ten_batches_arrive(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_status status;
    struct weir_error err;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 1, .batch_rows = 10 });
    small_send(&small, 100);
    small_boot(&small, "/a", true, &process);
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_OK);
    weir_engine_status(process.engine, &status);
    assert_int_equal(status.committed, 10);
    assert_int_equal(status.rows_written, 100);
    assert_true(status.caught_up);
    small_close(&process);
    small_expect_exact(&small);
    small_fini(&small);
}

/* Sanitizers have allocators of their own, of which mallinfo2() knows nothing: this is for the others. */
static size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

/* An hour without a record is a million polls. */
static void a_pipeline_without_work_needs_no_more_memory(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 3, .batch_rows = 4096 });
    small_send(&small, 10);
    small_boot(&small, "/a", false, &process);
    small_must_run(&small, &process, 400);
    assert_int_equal(small_status(&process).committed, 1);
    size_t before = memory_in_use();
    small_must_run(&small, &process, 400);
    assert_in_range(memory_in_use(), 0, before + (64 << 10));
    small_close(&process);
    small_fini(&small);
}

/* A start that finds nothing to do still says how far the pipeline is. */
static void a_restart_tells_what_log_and_ledger_say(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_status status;
    struct weir_error err;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 2, .batch_rows = 10 });
    small_send(&small, 100);
    small_finish(&small, "/a");
    const char *const dirs[] = { "/a", "/b" }; /* with its log, and by the ledger alone */
    for (int i = 0; i < 2; i++) {
        small_boot(&small, dirs[i], false, &process);
        weir_engine_status(process.engine, &status);
        assert_int_equal(status.sealed, 0);
        assert_int_equal(small_run(&small, &process, 20, &err), WEIR_OK);
        weir_engine_status(process.engine, &status);
        assert_int_equal(status.sealed, 10);
        assert_int_equal(status.committed, 10);
        assert_int_equal(status.batch, 10);
        assert_true(status.batch_time_us > 0);
        assert_int_equal(status.batches_committed, 0);
        small_close(&process);
    }
    small_fini(&small);
}

/* A batch that is sealed and not in: the one number is ahead of the other until it is rebuilt. */
static void a_restart_tells_what_is_sealed_and_not_in(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_status status;
    struct weir_error err;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 4, .batch_rows = 10 });
    weir_memory_inject(small.database,
                       &(struct weir_memory_injection){
                           .fault = WEIR_MEMORY_LOST_BEFORE, .batch = 5, .count = 1000 });
    small_send(&small, 50);
    small_boot(&small, "/a", false, &process);
    assert_int_equal(small_run(&small, &process, 100, &err), WEIR_OK);
    sim_disk_kill(small.disk);
    small_close(&process);
    small_boot(&small, "/a", false, &process);
    do {
        assert_int_equal(small_run(&small, &process, 1, &err), WEIR_OK);
        weir_engine_status(process.engine, &status);
    } while (status.sealed == 0);
    assert_int_equal(status.sealed, 5);
    assert_int_equal(status.committed, 4);
    weir_memory_inject(small.database, NULL);
    assert_int_equal(small_run(&small, &process, 10000, &err), WEIR_OK);
    weir_engine_status(process.engine, &status);
    assert_int_equal(status.sealed, 5);
    assert_int_equal(status.committed, 5);
    assert_int_equal(status.batch, 5);
    small_close(&process);
    small_expect_exact(&small);
    small_fini(&small);
}

/* Kills the process after so many turns and lets a second one finish. */
static void crash_after(uint64_t seed, int turns, bool power_cut, const struct small_options *base)
{
    struct small_options options = *base;
    struct small_pipeline small;
    struct small_process process;
    struct weir_error err;

    options.seed = seed;
    small_init(&small, &options);
    small_send(&small, 100);
    small_boot(&small, "/a", false, &process);
    assert_int_equal(small_run(&small, &process, turns, &err), WEIR_OK);
    if (power_cut) {
        sim_disk_power_cut(small.disk);
    } else {
        sim_disk_kill(small.disk);
    }
    small_close(&process);
    small_send(&small, 17);
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* covers: P-02, P-07 */
static void a_crash_at_every_turn_loses_and_doubles_nothing(void **state)
{
    (void)state;
    for (int turns = 0; turns < 60; turns++) {
        crash_after((uint64_t)turns, turns, turns % 2 == 0, &(struct small_options){ 0 });
        crash_after((uint64_t)turns, turns, turns % 2 == 0,
                    &(struct small_options){ .output_partitions = 2 });
        crash_after((uint64_t)turns, turns, turns % 2 == 0,
                    &(struct small_options){ .with_key = true });
    }
}

/* covers: P-30 */
static void a_lost_log_is_followed_by_the_ledger(void **state)
{
    (void)state;
    for (uint32_t parts = 1; parts <= 2; parts++) {
        struct small_pipeline small;
        struct small_process process;
        struct weir_error err;

        small_init(&small, &(struct small_options){ .seed = 3, .output_partitions = parts });
        small_send(&small, 100);
        small_boot(&small, "/a", false, &process);
        assert_int_equal(small_run(&small, &process, 12, &err), WEIR_OK);
        sim_disk_kill(small.disk);
        small_close(&process);
        small_finish(&small, "/b"); /* an empty directory */
        small_expect_exact(&small);
        small_fini(&small);
    }
}

static const struct fault_case {
    const char *name;
    enum weir_memory_fault fault;
    uint32_t output_partitions;
    bool with_key;
} fault_cases[] = {
    /* covers: G-05 */
    { "a COMMIT that never arrived is sent again", WEIR_MEMORY_LOST_BEFORE, 1, false },
    /* covers: G-04, G-09 */
    { "a COMMIT whose answer was lost is found in the ledger", WEIR_MEMORY_LOST_AFTER, 1, false },
    /* covers: G-06 */
    { "a COMMIT that the server still works on is settled", WEIR_MEMORY_LATE, 1, false },
    /* covers: G-08 */
    { "a deadlock is tried again", WEIR_MEMORY_ROLLED_BACK, 1, false },
    { "the same with two parts: never arrived", WEIR_MEMORY_LOST_BEFORE, 2, false },
    { "the same with two parts: answer lost", WEIR_MEMORY_LOST_AFTER, 2, false },
    { "the same with a key: never arrived", WEIR_MEMORY_LOST_BEFORE, 1, true },
    { "the same with a key: answer lost", WEIR_MEMORY_LOST_AFTER, 1, true },
};

enum { FAULT_CASES = sizeof(fault_cases) / sizeof(fault_cases[0]) };

static void a_commit_fails(void **state)
{
    const struct fault_case *row = *state;

    for (uint64_t batch = 1; batch <= 10; batch++) {
        struct small_pipeline small;

        small_init(&small, &(struct small_options){ .seed = batch,
                                                    .output_partitions = row->output_partitions,
                                                    .with_key = row->with_key });
        weir_memory_inject(small.database,
                           &(struct weir_memory_injection){
                               .fault = row->fault, .batch = batch, .partition = 0, .count = 2 });
        small_send(&small, 100);
        small_finish(&small, "/a");
        (void)weir_memory_deliver_late(small.database);
        small_expect_exact(&small);
        small_fini(&small);
    }
}

/* covers: G-16 */
static void a_sink_that_goes_back_is_written_again(void **state)
{
    (void)state;
    for (uint32_t back = 1; back < 8; back++) {
        struct small_pipeline small;

        small_init(&small, &(struct small_options){ .seed = back });
        small_send(&small, 100);
        small_finish(&small, "/a");
        weir_memory_go_back(small.database, back);
        small_send(&small, 20);
        small_finish(&small, "/a");
        small_expect_exact(&small);
        small_fini(&small);
    }
}

/* covers: G-16 */
static void a_sink_that_goes_back_while_it_runs_is_noticed(void **state)
{
    (void)state;
    for (uint32_t back = 1; back < 6; back++) {
        struct small_pipeline small;
        struct small_process process;
        struct weir_error err;

        small_init(&small, &(struct small_options){ .seed = back });
        small_send(&small, 60);
        small_boot(&small, "/a", false, &process);
        assert_int_equal(small_run(&small, &process, 200, &err), WEIR_OK);
        weir_memory_go_back(small.database, back);
        small_send(&small, 60);
        assert_int_equal(small_run(&small, &process, 3000, &err), WEIR_OK);
        small_expect_exact(&small);
        small_close(&process);
        small_fini(&small);
    }
}

/* covers: P-12 */
static void an_overtaken_instance_is_fenced(void **state)
{
    struct small_pipeline small;
    struct small_process old_one;
    struct weir_error err;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 5 });
    small_send(&small, 100);
    small_boot(&small, "/a", false, &old_one);
    assert_int_equal(small_run(&small, &old_one, 9, &err), WEIR_OK);
    small_finish(&small, "/b");
    small_send(&small, 50);
    assert_int_equal(small_run(&small, &old_one, TURNS_MAX, &err), WEIR_EFENCED);
    small_close(&old_one);
    small_finish(&small, "/b");
    small_expect_exact(&small);
    small_finish(&small, "/a"); /* the old directory follows the ledger (T1) */
    small_expect_exact(&small);
    small_fini(&small);
}

/* covers: P-02 */
static void at_most_once_loses_only_what_it_counts(void **state)
{
    (void)state;
    for (int turns = 0; turns < 60; turns++) {
        struct small_pipeline small;
        struct small_process process;
        struct weir_status status;
        struct weir_error err;

        small_init(&small, &(struct small_options){ .seed = (uint64_t)turns,
                                                    .delivery = WEIR_AT_MOST_ONCE });
        small_send(&small, 100);
        small_boot(&small, "/a", false, &process);
        assert_int_equal(small_run(&small, &process, turns, &err), WEIR_OK);
        sim_disk_kill(small.disk);
        small_close(&process);
        small_boot(&small, "/a", true, &process);
        assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_OK);
        weir_engine_status(process.engine, &status);
        struct small_verdict verdict = small_judge(&small);
        assert_int_equal(verdict.doubled, 0);
        assert_int_equal(verdict.invented, 0);
        assert_int_equal(verdict.missing, status.rows_dropped);
        small_close(&process);
        small_fini(&small);
    }
}

/* covers: P-07 */
static void at_least_once_loses_nothing(void **state)
{
    (void)state;
    for (int turns = 0; turns < 60; turns++) {
        crash_after((uint64_t)turns, turns, true,
                    &(struct small_options){ .delivery = WEIR_AT_LEAST_ONCE });
    }
}

static void count_dead_letters(void *context, enum weir_log_level level, const char *event,
                               const char *message)
{
    (void)level;
    if (strcmp(event, "dead_letters") == 0) {
        (*(int *)context)++;
        assert_non_null(strstr(message, "1 rows or records"));
    }
}

/* covers: E-01 */
static void bad_records_go_where_on_error_says(void **state)
{
    static const enum weir_on_error policies[] = { WEIR_ON_ERROR_FAIL, WEIR_ON_ERROR_DEAD_LETTER,
                                                   WEIR_ON_ERROR_SKIP };

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct small_pipeline small;
        struct small_process process;
        struct weir_memory_letter *letters = NULL;
        struct weir_status status;
        struct weir_error err;
        size_t count = 0;
        int lines = 0;

        weir_log_set(count_dead_letters, &lines, WEIR_LOG_WARN);
        small_init(&small, &(struct small_options){ .seed = 9, .on_error = policies[i] });
        small_send(&small, 25);
        int64_t offset =
            weir_memory_topic_append(small.topic, 1, (struct weir_str){ 0 }, WEIR_STR("bad"), 0);
        small_send(&small, 25);
        small_boot(&small, "/a", true, &process);
        int rc = small_run(&small, &process, TURNS_MAX, &err);
        weir_engine_status(process.engine, &status);
        assert_int_equal(weir_memory_dead_letters(small.database, &letters, &count), WEIR_OK);
        if (policies[i] == WEIR_ON_ERROR_FAIL) {
            char want[64];
            assert_int_equal(rc, WEIR_EDATA);
            (void)snprintf(want, sizeof(want), "numbers/numbers/1 offset %lld", (long long)offset);
            assert_non_null(strstr(err.text, want));
        } else {
            assert_int_equal(rc, WEIR_OK);
            small_expect_exact(&small);
        }
        assert_int_equal(count, policies[i] == WEIR_ON_ERROR_DEAD_LETTER ? 1 : 0);
        if (count == 1) {
            assert_int_equal(letters[0].offset, offset);
            assert_int_equal(letters[0].source_partition, 1);
        }
        assert_int_equal(status.rows_skipped, policies[i] == WEIR_ON_ERROR_SKIP ? 1 : 0);
        assert_int_equal(status.rows_dead, count);
        assert_int_equal(lines, count); /* the first one is told at once */
        free(letters);
        small_close(&process);
        assert_int_equal(lines, 2 * count); /* and the end tells how many there were */
        weir_log_set(NULL, NULL, WEIR_LOG_ERROR);
        small_fini(&small);
    }
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(ten_batches_arrive),
        cmocka_unit_test(a_pipeline_without_work_needs_no_more_memory),
        cmocka_unit_test(a_restart_tells_what_log_and_ledger_say),
        cmocka_unit_test(a_restart_tells_what_is_sealed_and_not_in),
        cmocka_unit_test(a_crash_at_every_turn_loses_and_doubles_nothing),
        cmocka_unit_test(a_lost_log_is_followed_by_the_ledger),
        cmocka_unit_test(a_sink_that_goes_back_is_written_again),
        cmocka_unit_test(a_sink_that_goes_back_while_it_runs_is_noticed),
        cmocka_unit_test(an_overtaken_instance_is_fenced),
        cmocka_unit_test(at_most_once_loses_only_what_it_counts),
        cmocka_unit_test(at_least_once_loses_nothing),
        cmocka_unit_test(bad_records_go_where_on_error_says),
    };
    enum { PLAIN = sizeof(plain) / sizeof(plain[0]) };
    struct CMUnitTest tests[PLAIN + FAULT_CASES];

    memcpy(tests, plain, sizeof(plain));
    for (size_t i = 0; i < FAULT_CASES; i++) {
        tests[PLAIN + i] = (struct CMUnitTest){ fault_cases[i].name, a_commit_fails, NULL, NULL,
                                                (void *)&fault_cases[i] };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
