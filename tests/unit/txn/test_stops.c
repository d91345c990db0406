/* test_stops.c: what a txn refuses to go on with, and by which name. Nothing is written then. What the
 * ledger or the log says is made so by hand, for no run of the protocol leaves it behind. */
#include "sink/memory_database.h"
#include "tests/support/test.h"
#include "tests/unit/txn/faulty_world.h"

enum { TURNS_MAX = 2000 };

static int live(struct faulty_world *world, const char *dir, int64_t records,
                struct weir_error *err)
{
    world->records = records;
    return faulty_live(world, dir, TURNS_MAX, false, err);
}

static void live_well(struct faulty_world *world, const char *dir, int64_t records)
{
    struct weir_error err = { 0 };
    int rc = live(world, dir, records, &err);

    if (rc != WEIR_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(rc, WEIR_OK);
}

static uint32_t transactions(const struct faulty_world *world)
{
    uint32_t count = 0;

    for (uint32_t s = 0; s < world->sinks; s++) {
        count += weir_memory_transaction_count(world->databases[s]);
    }
    return count;
}

/* The next life stops for this reason. No row gets in: what gets in are claims alone, one a sink. */
static void expect_stop(struct faulty_world *world, const char *dir, const char *reason)
{
    struct weir_error err = { 0 };
    uint32_t before = transactions(world);

    assert_int_equal(live(world, dir, 20, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, reason);
    assert_in_range(transactions(world), before, before + world->sinks);
    faulty_fini(world);
}

/* The ledger row that a partition got with its last batch, to be falsified. */
static struct weir_ledger_row *last_row(struct faulty_world *world, uint32_t sink,
                                        uint32_t partition)
{
    const struct weir_memory_transactions *list = &world->databases[sink]->committed;

    for (size_t i = list->count; i > 0; i--) {
        struct weir_memory_transaction *transaction = list->items[i - 1];
        if (transaction->pipeline == NULL && transaction->after.rows[0].partition == partition) {
            return &transaction->after.rows[0];
        }
    }
    fail_msg("no batch is in");
    return NULL;
}

/* Batch 3 is sealed and in some partitions only (UINT32_MAX: in none). */
static void die_with_batch_3(struct faulty_world *world, uint32_t lagging)
{
    struct weir_error err = { 0 };

    weir_memory_inject(world->databases[0],
                       &(struct weir_memory_injection){ .fault = WEIR_MEMORY_LOST_BEFORE,
                                                        .batch = 3,
                                                        .partition = lagging,
                                                        .count = UINT32_MAX });
    world->records = 12;
    assert_int_equal(faulty_live(world, "/a", 60, true, &err), WEIR_OK);
    assert_int_equal(world->status.committed, 2);
    weir_memory_inject(world->databases[0], NULL);
}

/* --- Without the log ------------------------------------------------------------------------ */

static void two_batches_of_one_number(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 1, 1, 2);
    live_well(&world, "/a", 6);
    last_row(&world, 0, 1)->t++;
    expect_stop(&world, "/b", "ledger_mixed");
}

static void sinks_that_are_far_apart(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 2, 2, 1);
    live_well(&world, "/a", 10);
    weir_memory_go_back(world.databases[1], 3);
    expect_stop(&world, "/b", "sinks_disagree");
}

/* A map of a later version, say. */
static void a_map_that_nobody_knows(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 3, 1, 2);
    die_with_batch_3(&world, 1);
    last_row(&world, 0, 0)->map.lo++;
    expect_stop(&world, "/b", "plan_mismatch");
}

static void a_plan_that_cannot_be_made_up_again(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 3, 1, 2);
    die_with_batch_3(&world, 1);
    last_row(&world, 0, 0)->plan.lo++;
    expect_stop(&world, "/b", "plan_mismatch");
}

static void ends_that_cannot_be_read(void **state)
{
    struct faulty_world world;
    struct weir_error err = { 0 };

    (void)state;
    faulty_init(&world, 4, 1, 1);
    live_well(&world, "/a", 6);
    last_row(&world, 0, 0)->ends.len--;
    assert_int_equal(live(&world, "/b", 20, &err), WEIR_ECORRUPT);
    assert_non_null(strstr(err.text, "ledger row of partition 0"));
    faulty_fini(&world);
}

static void sinks_of_two_pipelines(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 5, 2, 1);
    live_well(&world, "/a", 6);
    weir_memory_go_back(world.databases[0], UINT32_MAX); /* the first knows nothing any more */
    expect_stop(&world, "/b", "ledger_of_another");
}

static void a_ledger_that_is_gone(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 6, 1, 1);
    live_well(&world, "/a", 6);
    weir_memory_go_back(world.databases[0], UINT32_MAX);
    expect_stop(&world, "/a", "ledger_missing");
}

/* --- Other settings than a sealed batch was made under --------------------------------------- */

static void another_definition(void **state)
{
    static const struct {
        const char *is, *told;
    } changes[] = {
        { "one line\nquite another\n", "was \"another\", is \"quite another\"" },
        { "", "was \"one line\", is \"\"" },
        { "one line\nanother\nand more\n", "was \"\", is \"and more\"" },
        { "one line", "was \"another\", is \"\"" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct faulty_world world;
        struct weir_error err = { 0 };

        faulty_init(&world, 7, 1, 1);
        die_with_batch_3(&world, UINT32_MAX);
        world.definition = weir_str_from(changes[i].is);
        assert_int_equal(live(&world, "/a", 20, &err), WEIR_ECONFLICT);
        assert_string_equal(err.reason, "definition_changed");
        if (i != 3) { /* what differs is the line's end */
            assert_non_null(strstr(err.text, changes[i].told));
        }
        world.definition = WEIR_STR("one line\nanother\n");
        live_well(&world, "/a", 14); /* the old one first */
        faulty_expect(&world);
        faulty_fini(&world);
    }
}

static void a_name_that_is_taken(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 8, 1, 1);
    live_well(&world, "/a", 6);
    world.definition = WEIR_STR("somebody else's\n");
    expect_stop(&world, "/b", "name_taken");
}

static void other_partitions(void **state)
{
    struct faulty_world world;
    struct weir_error err = { 0 };

    (void)state;
    for (int without_log = 0; without_log < 2; without_log++) {
        const char *dir = without_log ? "/b" : "/a";

        faulty_init(&world, 9, 1, 2);
        die_with_batch_3(&world, 1);
        world.partitions = 3;
        assert_int_equal(live(&world, dir, 20, &err), WEIR_ECONFLICT);
        assert_string_equal(err.reason, "partitions_changed");
        world.partitions = 2;
        live_well(&world, dir, 14);
        faulty_expect(&world);
        faulty_fini(&world);
    }
}

/* --- Others --------------------------------------------------------------------------------- */

static void a_database_that_went_back_too_far(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 10, 1, 1);
    live_well(&world, "/a", 4);
    uint32_t then = transactions(&world);
    live_well(&world, "/b", 8); /* a void record at batch 2 begins this log */
    weir_memory_go_back(world.databases[0], transactions(&world) - then + 1);
    expect_stop(&world, "/b", "ledger_behind");
}

static void a_directory_of_another_pipeline(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 12, 1, 1);
    live_well(&world, "/a", 4);
    world.pipeline = "another";
    expect_stop(&world, "/a", "other_pipeline");
}

/* Batches are on their way when somebody edits the row: the next look finds a batch that nobody wrote. */
static void falsify_and_cut(struct faulty_world *world, int turn)
{
    if (turn == 20) {
        last_row(world, 0, 0)->t++;
        weir_memory_go_back(world->databases[0], 0); /* the lines alone */
    }
}

static void a_row_that_nobody_wrote(void **state)
{
    struct faulty_world world;
    struct weir_error err = { 0 };

    (void)state;
    faulty_init(&world, 13, 1, 2);
    world.between = falsify_and_cut;
    assert_int_equal(live(&world, "/a", 60, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "ledger_conflict");
    faulty_fini(&world);
}

static void take_the_ledger_away(struct faulty_world *world, int turn)
{
    if (turn == 20) {
        weir_memory_go_back(world->databases[0], UINT32_MAX);
    }
}

static void a_ledger_that_goes_away(void **state)
{
    struct faulty_world world;
    struct weir_error err = { 0 };

    (void)state;
    faulty_init(&world, 14, 1, 2);
    world.between = take_the_ledger_away;
    assert_int_equal(live(&world, "/a", 60, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "ledger_missing");
    faulty_fini(&world);
}

static void a_sink_that_stays_away_too_long(void **state)
{
    struct faulty_world world;
    struct weir_error err = { 0 };

    (void)state;
    faulty_init(&world, 15, 1, 1);
    live_well(&world, "/a", 4);
    world.retry_limit_us = 2000000;
    weir_memory_go_away(world.databases[0], 3);
    live_well(&world, "/a", 8); /* it is back in time */
    weir_memory_go_away(world.databases[0], UINT32_MAX);
    assert_int_equal(live(&world, "/a", 12, &err), WEIR_EAWAY);
    assert_non_null(strstr(err.text, "gave up after 2 s"));
    weir_memory_go_away(world.databases[0], 0);
    live_well(&world, "/a", 12);
    faulty_expect(&world);
    faulty_fini(&world);
}

/* What is waited out is told by a code; nobody has to ask for its words. */
static void a_caller_without_words_waits_as_well(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 18, 1, 1);
    weir_memory_go_away(world.databases[0], 3);
    assert_int_equal(live(&world, "/a", 8, NULL), WEIR_OK);
    faulty_expect(&world);
    weir_memory_go_back(world.databases[0], UINT32_MAX);
    assert_int_equal(live(&world, "/a", 12, NULL), WEIR_ECONFLICT);
    faulty_fini(&world);
}

/* What was sealed can be read no more: it is planned anew when nobody holds it, and only then. */
static void records_that_are_gone(void **state)
{
    struct faulty_world world;
    struct weir_error err = { 0 };

    (void)state;
    faulty_init(&world, 16, 1, 2);
    die_with_batch_3(&world, UINT32_MAX);
    world.lost = 5;
    live_well(&world, "/a", 14);
    faulty_expect(&world);
    faulty_fini(&world);

    faulty_init(&world, 17, 1, 2);
    die_with_batch_3(&world, 1);
    world.lost = 5;
    assert_int_equal(live(&world, "/a", 14, &err), WEIR_ECONFLICT);
    assert_non_null(strstr(err.text, "records are gone"));
    world.lost = 0; /* found again */
    live_well(&world, "/a", 14);
    faulty_expect(&world);
    faulty_fini(&world);
}

static void a_clock_that_was_wrong_once(void **state)
{
    struct faulty_world world;

    (void)state;
    faulty_init(&world, 11, 1, 1);
    live_well(&world, "/a", 4);
    sim_disk_set_now(world.disk, INT64_C(9100000000000000000));
    expect_stop(&world, "/a", "clock");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_batches_of_one_number),
        cmocka_unit_test(sinks_that_are_far_apart),
        cmocka_unit_test(a_map_that_nobody_knows),
        cmocka_unit_test(a_plan_that_cannot_be_made_up_again),
        cmocka_unit_test(ends_that_cannot_be_read),
        cmocka_unit_test(sinks_of_two_pipelines),
        cmocka_unit_test(a_ledger_that_is_gone),
        cmocka_unit_test(another_definition),
        cmocka_unit_test(a_name_that_is_taken),
        cmocka_unit_test(other_partitions),
        cmocka_unit_test(a_database_that_went_back_too_far),
        cmocka_unit_test(a_directory_of_another_pipeline),
        cmocka_unit_test(a_row_that_nobody_wrote),
        cmocka_unit_test(a_ledger_that_goes_away),
        cmocka_unit_test(a_sink_that_stays_away_too_long),
        cmocka_unit_test(a_caller_without_words_waits_as_well),
        cmocka_unit_test(records_that_are_gone),
        cmocka_unit_test(a_clock_that_was_wrong_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
