/* test_every_fault.c: in each of these histories everything fails once that can: every allocation, every
 * call of the disk, every call of the sink. Whatever the txn then says, the next life gets every record
 * in, once. */
#include <stdio.h>

#include "tests/support/test.h"
#include "tests/unit/txn/faulty_world.h"

enum { TURNS_MAX = 2000, SKIP_MAX = 20000 };

static void fault(struct faulty_world *world, uint32_t sink, enum weir_memory_fault fault,
                  uint64_t batch, uint32_t partition, uint32_t count)
{
    weir_memory_inject(world->databases[sink], &(struct weir_memory_injection){
                                                   .fault = fault,
                                                   .batch = batch,
                                                   .partition = partition,
                                                   .count = count,
                                               });
}

static void live_well(struct faulty_world *world, const char *dir, int64_t records)
{
    struct weir_error err = { 0 };

    world->records = records;
    int rc = faulty_live(world, dir, TURNS_MAX, false, &err);
    if (rc != WEIR_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(rc, WEIR_OK);
}

/* A life that is killed with batch n sealed and in no sink, or in some partitions only. */
static void die_with(struct faulty_world *world, uint64_t batch, uint32_t partition)
{
    struct weir_error err = { 0 };

    for (uint32_t s = 0; s < world->sinks; s++) {
        fault(world, s, WEIR_MEMORY_LOST_BEFORE, batch, partition, UINT32_MAX);
    }
    world->records = 12;
    assert_int_equal(faulty_live(world, "/a", 60, true, &err), WEIR_OK);
    assert_true(world->status.sealed >= batch && world->status.committed == batch - 1);
    for (uint32_t s = 0; s < world->sinks; s++) {
        weir_memory_inject(world->databases[s], NULL);
    }
}

/* --- Histories: what was before the life in which something fails ---------------------------- */

static const char *nothing(struct faulty_world *world)
{
    (void)world;
    return "/a";
}

static const char *some_are_in(struct faulty_world *world)
{
    live_well(world, "/a", 6);
    return "/a";
}

/* The next batch begins a segment, in which the identity record is written again. */
static const char *a_segment_is_full(struct faulty_world *world)
{
    live_well(world, "/a", 26);
    return "/a";
}

static const char *some_are_sealed(struct faulty_world *world)
{
    die_with(world, 3, UINT32_MAX);
    return "/a";
}

static const char *one_part_is_in(struct faulty_world *world)
{
    die_with(world, 3, 1);
    return "/a";
}

static const char *the_log_is_lost(struct faulty_world *world)
{
    live_well(world, "/a", 6);
    return "/b";
}

static const char *the_log_is_lost_and_one_part_is_in(struct faulty_world *world)
{
    die_with(world, 3, 1);
    return "/b";
}

static const char *the_sink_went_back(struct faulty_world *world)
{
    live_well(world, "/a", 10);
    weir_memory_go_back(world->databases[world->sinks - 1], 3);
    return "/a";
}

static const char *partitions_change(struct faulty_world *world)
{
    live_well(world, "/a", 6);
    world->partitions = 3;
    return "/a";
}

static const char *the_definition_changes(struct faulty_world *world)
{
    live_well(world, "/a", 6);
    world->definition = WEIR_STR("one line\nquite another\n");
    return "/a";
}

static const char *a_commit_is_lost(struct faulty_world *world)
{
    fault(world, 0, WEIR_MEMORY_LOST_AFTER, 2, 0, 1);
    fault(world, 0, WEIR_MEMORY_LOST_BEFORE, 4, 0, 1);
    fault(world, 0, WEIR_MEMORY_ROLLED_BACK, 5, 0, 2);
    return "/a";
}

static const struct history {
    const char *name;
    const char *(*begin)(struct faulty_world *world); /* returns the directory to go on in */
    uint32_t sinks, partitions;
    enum weir_txn_mode mode;
} histories[] = {
    { "a first life", nothing, 1, 2, WEIR_TXN_EXACTLY_ONCE },
    { "a first life with two sinks", nothing, 2, 1, WEIR_TXN_EXACTLY_ONCE },
    { "a second life", some_are_in, 1, 1, WEIR_TXN_EXACTLY_ONCE },
    { "a segment is full", a_segment_is_full, 1, 1, WEIR_TXN_EXACTLY_ONCE },
    { "batches are sealed", some_are_sealed, 1, 2, WEIR_TXN_EXACTLY_ONCE },
    { "batches are sealed, at_least_once", some_are_sealed, 1, 1, WEIR_TXN_AT_LEAST_ONCE },
    { "batches are sealed, at_most_once", some_are_sealed, 1, 1, WEIR_TXN_AT_MOST_ONCE },
    { "one part is in", one_part_is_in, 1, 2, WEIR_TXN_EXACTLY_ONCE },
    { "the log is lost", the_log_is_lost, 1, 2, WEIR_TXN_EXACTLY_ONCE },
    { "the log is lost and one part is in", the_log_is_lost_and_one_part_is_in, 1, 2,
      WEIR_TXN_EXACTLY_ONCE },
    { "the sink went back", the_sink_went_back, 1, 1, WEIR_TXN_EXACTLY_ONCE },
    { "one of two sinks went back", the_sink_went_back, 2, 1, WEIR_TXN_EXACTLY_ONCE },
    { "partitions change", partitions_change, 1, 2, WEIR_TXN_EXACTLY_ONCE },
    { "the definition changes", the_definition_changes, 1, 1, WEIR_TXN_EXACTLY_ONCE },
    { "commits are lost", a_commit_is_lost, 1, 2, WEIR_TXN_EXACTLY_ONCE },
    { "commits are lost, at_least_once", a_commit_is_lost, 1, 1, WEIR_TXN_AT_LEAST_ONCE },
    { "commits are lost, at_most_once", a_commit_is_lost, 1, 2, WEIR_TXN_AT_MOST_ONCE },
};
enum { HISTORIES = sizeof(histories) / sizeof(histories[0]) };

/* --- The test ------------------------------------------------------------------------------- */

/* Whether there was something left to fail. */
static bool play(const struct history *history, enum faulty_kind kind, uint64_t skip)
{
    static const int allowed[FAULTY_KINDS] = { [FAULTY_MEMORY] = WEIR_ENOMEM,
                                               [FAULTY_DISK] = WEIR_EIO,
                                               [FAULTY_SINK_AWAY] = WEIR_EAWAY,
                                               [FAULTY_SINK_DEAD] = WEIR_ECONFIG };
    struct faulty_world world;
    struct weir_error err = { 0 };

    faulty_init(&world, skip + 1, history->sinks, history->partitions);
    world.mode = history->mode;
    const char *dir = history->begin(&world);
    int64_t records = world.records < 14 ? 14 : world.records + 8;
    world.records = records;
    faulty_arm(&world, kind, skip);
    int rc = faulty_live(&world, dir, TURNS_MAX, skip % 2 == 1, &err);
    bool has_failed = faulty_disarm(&world);
    if (rc != WEIR_OK && rc != allowed[kind]) {
        fail_msg("%s, %d, %llu: %s", history->name, (int)kind, (unsigned long long)skip, err.text);
    }
    assert_true(rc == WEIR_OK || has_failed);
    weir_memory_inject(world.databases[0], NULL);
    live_well(&world, dir, records);
    faulty_expect(&world);
    faulty_fini(&world);
    return has_failed;
}

static void anything_may_fail_once(void **state)
{
    const struct history *history = *state;

    for (int kind = FAULTY_MEMORY; kind < FAULTY_KINDS; kind++) {
        uint64_t skip = 0;
        while (play(history, (enum faulty_kind)kind, skip)) {
            assert_true(++skip < SKIP_MAX);
        }
        assert_true(skip >= 10); /* it was at work at all */
    }
}

int main(void)
{
    struct CMUnitTest tests[HISTORIES];

    for (size_t i = 0; i < HISTORIES; i++) {
        tests[i] = (struct CMUnitTest){ histories[i].name, anything_may_fail_once, NULL, NULL,
                                        (void *)(uintptr_t)&histories[i] };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
