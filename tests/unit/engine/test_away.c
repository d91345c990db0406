/* test_away.c: sources that do not answer: told once for each reason, asked ever more seldom, given up
 * after retry_limit (EN3). A turn of small_run() is a millisecond of the simulated clock. */
#include "tests/support/small_pipeline.h"
#include "tests/support/test.h"
#include "weir/log.h"

enum { SECOND = 1000, LIMIT_S = 60 };

/* What does not answer, and how often it was asked since; the memory source does the rest. */
static struct {
    bool discover, start_position;
    const char *trouble;
    int asked, told;
} outage;

static int refuse(struct weir_error *err)
{
    outage.asked++;
    return weir_error_set(err, WEIR_EAWAY, "nobody is there");
}

static int discover(void *self, struct weir_source_partitions *ret, struct weir_error *err)
{
    return outage.discover ? refuse(err) : weir_memory_source_ops.discover(self, ret, err);
}

static int start_position(void *self, uint32_t partition, bool is_new, struct weir_position *ret,
                          struct weir_error *err)
{
    return outage.start_position
               ? refuse(err)
               : weir_memory_source_ops.start_position(self, partition, is_new, ret, err);
}

static const char *trouble(void *self)
{
    return outage.trouble != NULL ? outage.trouble : weir_memory_source_ops.trouble(self);
}

static struct weir_source_ops source_ops;

static void count_waiting(void *context, enum weir_log_level level, const char *event,
                          const char *message)
{
    (void)context;
    (void)level;
    (void)message;
    outage.told += strcmp(event, "waiting") == 0;
}

static void set_up(struct small_pipeline *small, struct small_process *process)
{
    memset(&outage, 0, sizeof(outage));
    source_ops = weir_memory_source_ops;
    source_ops.discover = discover;
    source_ops.start_position = start_position;
    source_ops.trouble = trouble;
    weir_log_set(count_waiting, NULL, WEIR_LOG_INFO);
    small_init(small, &(struct small_options){ .seed = 1 });
    small->plan.sources[0].ops = &source_ops;
    small->plan.settings.retry_limit_us = LIMIT_S * INT64_C(1000000);
    small_boot(small, "/a", false, process);
}

static void tear_down(struct small_pipeline *small, struct small_process *process)
{
    small_close(process);
    small_fini(small);
    weir_log_set(NULL, NULL, WEIR_LOG_ERROR);
}

static void run_ok(struct small_pipeline *small, struct small_process *process, int turns)
{
    struct weir_error err = { 0 };

    assert_int_equal(small_run(small, process, turns, &err), WEIR_OK);
}

/* It is waited out until the limit, with one line and few questions. */
static void expect_patience(struct small_pipeline *small, struct small_process *process)
{
    struct weir_error err = { 0 };

    run_ok(small, process, (LIMIT_S - 2) * SECOND);
    assert_int_equal(outage.told, 1);
    assert_in_range(outage.asked, 0, 100);
    assert_int_equal(small_run(small, process, 10 * SECOND, &err), WEIR_EAWAY);
    assert_non_null(strstr(err.text, "gave up after 60 s"));
    assert_int_equal(weir_error_exit_status(err.code), 69);
}

static void partitions_that_are_never_told(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    set_up(&small, &process);
    outage.discover = true;
    expect_patience(&small, &process);
    tear_down(&small, &process);
}

/* The source has nothing to complain about, and yet it does not answer. */
static void partitions_that_are_not_told_again(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    set_up(&small, &process);
    small_send(&small, 30);
    run_ok(&small, &process, SECOND);
    outage.discover = true;
    run_ok(&small, &process, 5 * SECOND); /* until it is asked again */
    expect_patience(&small, &process);
    small_expect_exact(&small);
    tear_down(&small, &process);
}

static void a_beginning_that_is_never_told(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    set_up(&small, &process);
    outage.start_position = true;
    expect_patience(&small, &process);
    tear_down(&small, &process);
}

static void two_reasons_do_not_take_turns(void **state)
{
    struct small_pipeline small;
    struct small_process process;

    (void)state;
    set_up(&small, &process);
    run_ok(&small, &process, SECOND);
    outage.discover = true;
    run_ok(&small, &process, 5 * SECOND);
    outage.trouble = "the cable is out";
    expect_patience(&small, &process);
    tear_down(&small, &process);
}

/* Each absence has a limit and a line of its own. */
static void an_answer_ends_the_waiting(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_status status;

    (void)state;
    set_up(&small, &process);
    for (int i = 1; i <= 3; i++) {
        run_ok(&small, &process, 6 * SECOND);
        outage.discover = true;
        run_ok(&small, &process, (LIMIT_S - 10) * SECOND);
        assert_int_equal(outage.told, i);
        outage.discover = false;
        small_send(&small, 10);
        run_ok(&small, &process, 2 * SECOND);
        weir_engine_status(process.engine, &status);
        assert_string_equal(status.trouble, "");
    }
    small_expect_exact(&small);
    tear_down(&small, &process);
}

/* A batch that is rebuilt is open while its source is away. */
static void a_rebuild_gives_up_too(void **state)
{
    struct small_pipeline small;
    struct small_process process;
    struct weir_status status;

    (void)state;
    set_up(&small, &process);
    weir_memory_inject(small.database,
                       &(struct weir_memory_injection){
                           .fault = WEIR_MEMORY_LOST_BEFORE, .batch = 1, .count = 1000 });
    small_send(&small, 30);
    run_ok(&small, &process, 20);
    sim_disk_kill(small.disk);
    small_close(&process);
    weir_memory_inject(small.database, NULL);
    small_boot(&small, "/a", false, &process);
    do {
        run_ok(&small, &process, 1);
        weir_engine_status(process.engine, &status);
    } while (strcmp(status.phase, "rebuilding") != 0 && status.committed == 0);
    outage.told = 0;
    weir_memory_topic_set_away(small.topic, true);
    expect_patience(&small, &process);
    weir_memory_topic_set_away(small.topic, false);
    small_close(&process);
    small_finish(&small, "/a");
    small_expect_exact(&small);
    tear_down(&small, &process);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_that_are_never_told),
        cmocka_unit_test(partitions_that_are_not_told_again),
        cmocka_unit_test(a_beginning_that_is_never_told),
        cmocka_unit_test(two_reasons_do_not_take_turns),
        cmocka_unit_test(an_answer_ends_the_waiting),
        cmocka_unit_test(a_rebuild_gives_up_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
