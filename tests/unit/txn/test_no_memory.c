/* test_no_memory.c: each allocation of what is copied and read for the log fails once, where arenas have no
 * block to spare: WEIR_ENOMEM is told, nothing is handed over, and the next try succeeds. */
#include <stdlib.h>

#include "tests/support/alloc_fault.h"
#include "tests/support/io_backends.h"
#include "txn/log_view.h"

enum {
    ARENA_BYTES = 16, /* of a block: each thing takes one of its own */
    SKIP_MAX = 1000,
    DEFINITION_BYTES = 100000, /* longer than a block of the view's arena */
};

static struct weir_range ranges[] = {
    { .source = { "orders", 6 }, .stream = { "topic_of_orders", 15 }, .number = 1 },
    { .source = { "people", 6 }, .stream = { "topic_of_people", 15 }, .end = { .next = 7 } },
};
static struct weir_part_tally tallies[] = { { .rows = 5, .dead = 1 }, { .rows = 7 } };

static const struct weir_plan_frame plan = {
    .id = { .batch = 4, .t = 400 },
    .previous = { .batch = 3, .t = 300 },
    .partitions = 2,
    .ranges = { ranges, 2 },
    .sinks = 1,
    .tallies = tallies,
};

/* Runs what until no allocation of it is left to fail; returns how many failed. */
static int fail_each(int (*what)(void *context), void *context)
{
    int failures = 0;
    bool reached = true;

    for (uint64_t skip = 0; reached; skip++) {
        alloc_fault_arm(skip);
        int rc = what(context);
        reached = alloc_fault_disarm();
        assert_int_equal(rc, reached ? WEIR_ENOMEM : WEIR_OK);
        failures += reached;
        assert_true(skip < SKIP_MAX);
    }
    return failures;
}

static int copy_ranges(void *context)
{
    struct weir_ranges copy = { 0 };
    struct weir_arena arena;

    (void)context;
    weir_arena_init(&arena, ARENA_BYTES);
    int rc = weir_ranges_copy(&arena, plan.ranges, &copy, NULL);
    assert_int_equal(copy.count, rc == WEIR_OK ? 2 : 0);
    if (rc == WEIR_OK) {
        assert_true(weir_str_equal(copy.items[1].stream, ranges[1].stream));
        assert_ptr_not_equal(copy.items[1].stream.data, ranges[1].stream.data);
    }
    weir_arena_fini(&arena);
    return rc;
}

static void ranges_are_copied_or_not(void **state)
{
    (void)state;
    assert_in_range(fail_each(copy_ranges, NULL), 5, SKIP_MAX); /* themselves and four names */
}

static int decode_plan(void *context)
{
    const struct weir_buf *bytes = context;
    const struct weir_wal_record record = {
        .lsn = 1, .type = WEIR_FRAME_PLAN, .bytes = bytes->data, .len = bytes->len
    };
    struct weir_plan_frame back;
    struct weir_arena arena;

    weir_arena_init(&arena, ARENA_BYTES);
    int rc = weir_plan_frame_decode(&record, &arena, &back, NULL);
    if (rc == WEIR_OK) {
        assert_int_equal(back.tallies[1].rows, 7);
    }
    weir_arena_fini(&arena);
    return rc;
}

static void a_plan_is_read_or_not(void **state)
{
    struct weir_buf bytes = { 0 };

    (void)state;
    weir_plan_frame_encode(&plan, &bytes);
    assert_in_range(fail_each(decode_plan, &bytes), 2, SKIP_MAX); /* ranges and tallies */
    weir_buf_fini(&bytes);
}

static int read_log(void *context)
{
    struct weir_log_view view;
    int rc = weir_log_view_read(context, &view, NULL);

    if (rc == WEIR_OK) {
        assert_true(view.has_identity);
        assert_int_equal(view.identity.definition.len, DEFINITION_BYTES);
        assert_int_equal(view.count, 2); /* batch 4, and 3, on which it stands */
        weir_log_view_fini(&view);
    }
    return rc;
}

static void append(weir_wal *wal, uint8_t type, struct weir_buf *bytes)
{
    uint64_t lsn = 0;

    assert_int_equal(weir_wal_append(wal, type, bytes->data, bytes->len, &lsn, NULL), WEIR_OK);
    assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_OK);
    weir_buf_fini(bytes);
}

static void a_log_is_read_or_not(void **state)
{
    static char definition[DEFINITION_BYTES];
    const struct weir_identity identity = { .name = WEIR_STR("small"),
                                            .definition = { definition, DEFINITION_BYTES } };
    struct weir_buf bytes = { 0 };
    struct backend backend;
    weir_wal *wal = NULL;

    (void)state;
    memset(definition, '-', sizeof(definition));
    backend_open(&backend, "posix"); /* the simulated disk cannot do without memory */
    assert_int_equal(weir_wal_open(backend.io, backend.dir, NULL, &wal, NULL), WEIR_OK);
    weir_identity_encode(&identity, &bytes);
    append(wal, WEIR_FRAME_IDENTITY, &bytes);
    weir_plan_frame_encode(&plan, &bytes);
    append(wal, WEIR_FRAME_PLAN, &bytes);
    assert_in_range(fail_each(read_log, wal), 5, SKIP_MAX);
    weir_wal_close(wal);
    backend_close(&backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_copied_or_not),
        cmocka_unit_test(a_plan_is_read_or_not),
        cmocka_unit_test(a_log_is_read_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
