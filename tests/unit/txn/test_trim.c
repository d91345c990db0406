/* test_trim.c: what the log forgets and what it keeps, however short the lives are that write it:
 * through the real engine on a source, a sink and a disk in memory.
 *
 * TM1, TM2 of src/txn/trim.c. Each test was seen to fail before its mending. */
#include "tests/support/small_pipeline.h"
#include "tests/support/test.h"
#include "txn/log_view.h"

enum {
    SEGMENT_BYTES = 64 * 1024,
    RETAIN_BYTES = SEGMENT_BYTES,
    /* The active segment and the one before it, one kept for rewinding, one that waits to become the
     * next, the next. */
    LOG_BYTES_MAX = 5 * SEGMENT_BYTES,
    LIVES = 100,
};

static struct small_options small_batches(uint64_t seed)
{
    return (struct small_options){ .seed = seed, .batch_rows = 1 };
}

static void init(struct small_pipeline *small, const struct small_options *options)
{
    small_init(small, options);
    small->plan.settings.log_segment_bytes = SEGMENT_BYTES;
    small->plan.settings.log_retain_bytes = RETAIN_BYTES;
}

/* --- What goes ------------------------------------------------------------------------------ */

/* TM2: no life sees so much as one segment filled. */
static void short_lives_leave_a_short_log(void **state)
{
    struct small_options options = small_batches(1);
    struct small_pipeline small;

    (void)state;
    init(&small, &options);
    for (int life = 0; life < LIVES; life++) {
        small_send(&small, 3);
        small_finish(&small, "/a");
        assert_in_range(sim_disk_used_bytes(small.disk), 1, LOG_BYTES_MAX);
    }
    small_expect_exact(&small);
    small_fini(&small);
}

/* Each life gets in what the one before it sealed, seals one more batch and dies. */
static void lives_that_end_with_a_sealed_batch_leave_a_short_log(void **state)
{
    struct small_options options = small_batches(2);
    struct small_pipeline small;

    (void)state;
    init(&small, &options);
    for (uint64_t life = 1; life <= LIVES; life++) {
        struct small_process process;

        small_send(&small, 1);
        weir_memory_inject(small.database,
                           &(struct weir_memory_injection){ .fault = WEIR_MEMORY_LOST_BEFORE,
                                                            .batch = life,
                                                            .partition = UINT32_MAX,
                                                            .count = UINT32_MAX });
        small_boot(&small, "/a", false, &process);
        for (int i = 0; i < 1000 && small_status(&process).sealed < life; i++) {
            small_must_run(&small, &process, 1);
        }
        assert_int_equal(small_status(&process).sealed, life);
        assert_int_equal(small_status(&process).committed, life - 1);
        assert_in_range(sim_disk_used_bytes(small.disk), 1, LOG_BYTES_MAX);
        sim_disk_kill(small.disk);
        small_close(&process);
        weir_memory_inject(small.database, NULL);
    }
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* Each life dies when its batch is in, before it hears of it. */
static void lives_that_never_hear_of_a_commit_leave_a_short_log(void **state)
{
    struct small_options options = small_batches(3);
    struct small_pipeline small;

    (void)state;
    init(&small, &options);
    for (uint64_t life = 1; life <= LIVES; life++) {
        struct small_process process;
        uint32_t before;

        small_send(&small, 1);
        weir_memory_inject(small.database,
                           &(struct weir_memory_injection){ .fault = WEIR_MEMORY_LOST_AFTER,
                                                            .partition = UINT32_MAX,
                                                            .count = 1 });
        small_boot(&small, "/a", false, &process);
        small_must_run(&small, &process, 1);
        before = weir_memory_transaction_count(small.database);
        for (int i = 0; i < 1000; i++) {
            if (weir_memory_transaction_count(small.database) > before) {
                break;
            }
            small_must_run(&small, &process, 1);
        }
        assert_int_equal(small_status(&process).sealed, life);
        assert_int_equal(small_status(&process).committed, life - 1);
        assert_in_range(sim_disk_used_bytes(small.disk), 1, LOG_BYTES_MAX);
        sim_disk_kill(small.disk);
        small_close(&process);
        weir_memory_inject(small.database, NULL);
    }
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

/* --- What stays ----------------------------------------------------------------------------- */

static void read_log(struct small_pipeline *small, struct weir_log_view *ret)
{
    const struct weir_wal_options options = { .size_bytes = sizeof(options),
                                              .segment_bytes = SEGMENT_BYTES };
    struct weir_io *io = sim_disk_boot(small->disk);
    weir_wal *wal = NULL;

    assert_int_equal(weir_wal_open(io, "/a", &options, &wal, NULL), WEIR_OK);
    assert_int_equal(weir_log_view_read(wal, ret, NULL), WEIR_OK);
    weir_wal_close(wal);
    weir_io_close(io);
}

/* TM1: the power fails at every turn of a life that trims; what is left is still this pipeline's log,
 * and it holds the batch to go on from. Plans and the definition are long, so that a segment is given
 * up while the identity record that replaces the one in it is still being written. */
static void a_power_cut_leaves_a_log_with_its_identity(void **state)
{
    struct small_options options = small_batches(4);
    char definition[3 * WEIR_IO_ALIGN_BYTES];

    (void)state;
    options.source_partitions = 64;
    memset(definition, '-', sizeof(definition));
    for (int turns = 20; turns < 150; turns++) {
        struct small_pipeline small;
        struct small_process process;
        struct weir_log_view view;

        init(&small, &options);
        small.plan.definition = (struct weir_str){ definition, sizeof(definition) };
        small.plan.settings.log_retain_bytes = 0;
        small_send(&small, 100);
        small_boot(&small, "/a", false, &process);
        small_must_run(&small, &process, turns);
        sim_disk_power_cut(small.disk);
        small_close(&process);
        read_log(&small, &view);
        assert_true(view.count > 1);
        assert_true(view.has_identity);
        weir_log_view_fini(&view);
        small_finish(&small, "/a");
        small_expect_exact(&small);
        small_fini(&small);
    }
}

/* A sink may go back as far as the window reaches, over any number of lives. */
static void the_window_for_rewinding_is_kept(void **state)
{
    struct small_options options = small_batches(5);
    struct small_pipeline small;

    (void)state;
    init(&small, &options);
    for (int life = 0; life < LIVES; life++) {
        small_send(&small, 2);
        small_finish(&small, "/a");
    }
    weir_memory_go_back(small.database, 6); /* two lives: a claim and two batches each */
    small_send(&small, 2);
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_lives_leave_a_short_log),
        cmocka_unit_test(lives_that_end_with_a_sealed_batch_leave_a_short_log),
        cmocka_unit_test(lives_that_never_hear_of_a_commit_leave_a_short_log),
        cmocka_unit_test(a_power_cut_leaves_a_log_with_its_identity),
        cmocka_unit_test(the_window_for_rewinding_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
