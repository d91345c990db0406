/* test_promotion.c: a standby takes over while connections to the old server live on, through the real
 * engine on a source, a sink and a disk in memory.
 *
 * What the old server commits from then on nobody else sees, but weir is told that it is in. What is
 * expected comes from what was sent, never from the sink. The simulator draws the same (promote). */
#include "sink/memory_database.h"
#include "tests/support/small_pipeline.h"
#include "tests/support/test.h"

enum { TURNS_MAX = 4000 };

static void run_until_committed(struct small_pipeline *small, struct small_process *process,
                                uint64_t batch)
{
    for (int i = 0; i < TURNS_MAX && small_status(process).committed < batch; i++) {
        small_must_run(small, process, 1);
    }
    assert_true(small_status(process).committed >= batch);
}

static const struct promotion {
    const char *name;
    enum weir_delivery delivery;
    uint32_t partitions, lag;
    bool is_synchronous;
} promotions[] = {
    /* covers: G-16 */
    { "exactly_once is exact at a standby that lacks nothing", WEIR_EXACTLY_ONCE, 1, 0, false },
    { "exactly_once is exact at a standby that lags", WEIR_EXACTLY_ONCE, 1, 3, false },
    { "exactly_once is exact at a standby that lags by half a batch", WEIR_EXACTLY_ONCE, 2, 1,
      false },
    { "exactly_once is exact when the old server waits for its standby", WEIR_EXACTLY_ONCE, 2, 0,
      true },
    { "at_least_once lacks nothing at a standby that lacks nothing", WEIR_AT_LEAST_ONCE, 1, 0,
      false },
    { "at_least_once lacks nothing at a standby that lags", WEIR_AT_LEAST_ONCE, 1, 3, false },
    { "at_least_once lacks nothing at a standby that lags by half a batch", WEIR_AT_LEAST_ONCE, 2,
      1, false },
    { "at_most_once doubles nothing at a standby that lags", WEIR_AT_MOST_ONCE, 1, 3, false },
};
enum { PROMOTION_COUNT = sizeof(promotions) / sizeof(promotions[0]) };

static void a_standby_takes_over(void **state)
{
    const struct promotion *row = *state;
    struct small_pipeline small;
    struct small_process process;

    small_init(&small, &(struct small_options){ .seed = 1,
                                                .delivery = row->delivery,
                                                .output_partitions = row->partitions });
    small_boot(&small, "/a", false, &process);
    small_send(&small, 60);
    run_until_committed(&small, &process, 5);
    assert_true(weir_memory_promote(small.database, row->lag, row->is_synchronous));
    uint32_t before = weir_memory_transaction_count(small.database);
    small_send(&small, 60);
    small_must_run(&small, &process, 300);
    assert_int_equal(weir_memory_transaction_count(small.database), before); /* into the void */
    weir_memory_end_old(small.database);
    small_send(&small, 20);
    small_must_run(&small, &process, TURNS_MAX);
    assert_true(small_status(&process).caught_up);
    struct small_verdict verdict = small_judge(&small);
    assert_int_equal(verdict.invented, 0);
    if (row->delivery != WEIR_AT_MOST_ONCE) {
        assert_int_equal(verdict.missing, 0);
    }
    if (row->delivery != WEIR_AT_LEAST_ONCE) {
        assert_int_equal(verdict.doubled, 0);
    }
    small_close(&process);
    small_fini(&small);
}

/* covers: G-16, P-12 */
static void another_instance_is_at_the_new_server(void **state)
{
    struct small_pipeline small;
    struct small_process old, young;
    struct weir_error err = { 0 };

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 2, .output_partitions = 2 });
    small_boot(&small, "/a", false, &old);
    small_send(&small, 60);
    run_until_committed(&small, &old, 4);
    assert_true(weir_memory_promote(small.database, 0, false));
    small_boot(&small, "/b", false, &young);
    small_send(&small, 60);
    for (int i = 0; i < 300; i++) {
        small_must_run(&small, &old, 1);
        small_must_run(&small, &young, 1);
    }
    weir_memory_end_old(small.database);
    small_send(&small, 20);
    assert_int_equal(small_run(&small, &old, TURNS_MAX, &err), WEIR_EFENCED);
    small_must_run(&small, &young, TURNS_MAX);
    small_close(&old);
    small_close(&young);
    small_expect_exact(&small);
    small_fini(&small);
}

int main(void)
{
    struct CMUnitTest tests[PROMOTION_COUNT + 1]; /* one named test a row */

    for (size_t i = 0; i < PROMOTION_COUNT; i++) {
        tests[i] = (struct CMUnitTest){ promotions[i].name, a_standby_takes_over, NULL, NULL,
                                        (void *)&promotions[i] };
    }
    tests[PROMOTION_COUNT] =
        (struct CMUnitTest)cmocka_unit_test(another_instance_is_at_the_new_server);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
