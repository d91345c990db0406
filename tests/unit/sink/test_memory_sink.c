/* test_memory_sink.c: the faults of the memory sink do what their names say. What it has in common
 * with other sinks is in tests/contract/test_sink_contract.c. */
#include <stdlib.h>

#include "sink/memory_sink.h"
#include "tests/support/rows.h"
#include "tests/support/test.h"

static const struct weir_sink_column columns[] = {
    { .name = "id", .type = { WEIR_TYPE_INT8, -1 } },
    { .name = "note", .type = { WEIR_TYPE_TEXT, -1 } },
};
static const struct weir_sink_table tables[] = {
    { .name = "t", .columns = columns, .column_count = 2 },
};

static struct weir_str describe(void *context, uint32_t source, uint32_t partition)
{
    (void)context;
    (void)source;
    (void)partition;
    return WEIR_STR("s/topic/0");
}

static const struct weir_sink_args args = {
    .pipeline = "p",
    .tables = tables,
    .table_count = 1,
    .partitions = 1,
    .slots = 2,
    .describe_partition = describe,
};

struct fixture {
    struct test_rows rows;
    struct weir_memory_database *database;
};

static const struct weir_sink_ops *const ops = &weir_memory_sink_ops;

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    test_rows_init(&fixture->rows);
    fixture->database = weir_memory_database_open("memory");
    *state = fixture;
    return fixture->database == NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    weir_memory_database_close(fixture->database);
    test_rows_fini(&fixture->rows);
    free(fixture);
    return 0;
}

static void *start(uint8_t owner, struct weir_ledger *ret)
{
    struct weir_claim claim = { .name = "p", .uuid = { 7 }, .owner = { owner } };
    void *sink = NULL;

    assert_int_equal(ops->open(&args, &sink, NULL), WEIR_OK);
    assert_int_equal(ops->claim(sink, &claim, ret, NULL), WEIR_OK);
    return sink;
}

/* Writes batch n with one row and asks for its commit; returns the outcome. */
static enum weir_sink_outcome run_batch(struct fixture *fixture, void *sink, uint64_t n)
{
    struct weir_sink_tally tally;
    struct weir_sink_event event = { 0 };
    struct weir_ledger_step step = { .batch = n,
                                     .t = (int64_t)n * 10,
                                     .plan = { n, 0 },
                                     .previous_t = (int64_t)(n - 1) * 10,
                                     .previous_plan = { n - 1, 0 } };

    assert_int_equal(ops->begin(sink, n, NULL), WEIR_OK);
    assert_int_equal(ops->write(sink, n, 0, 0, 0, WEIR_ON_ERROR_FAIL,
                                test_chunk(&fixture->rows, (int64_t)n, 1), NULL),
                     WEIR_OK);
    assert_int_equal(ops->finish(sink, n, &tally, NULL), WEIR_OK);
    assert_int_equal(tally.rows, 1);
    assert_int_equal(ops->commit(sink, n, 0, &step, NULL), WEIR_OK);
    assert_int_equal(ops->poll(sink, &event, NULL), WEIR_OK);
    return event.outcome;
}

static size_t rows_in(struct fixture *fixture)
{
    struct weir_memory_row *rows = NULL;
    size_t count = 0;

    assert_int_equal(weir_memory_table_rows(fixture->database, "public.t", &rows, &count), WEIR_OK);
    free(rows);
    return count;
}

static void inject(struct fixture *fixture, enum weir_memory_fault fault)
{
    struct weir_memory_injection injection = { .fault = fault,
                                               .partition = UINT32_MAX,
                                               .count = 1 };

    weir_memory_inject(fixture->database, &injection);
}

static void a_lost_answer_may_be_a_commit_or_not(void **state)
{
    struct fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = start(1, &ledger);

    inject(fixture, WEIR_MEMORY_LOST_BEFORE);
    assert_int_equal(run_batch(fixture, sink, 1), WEIR_SINK_LOST);
    assert_int_equal(rows_in(fixture), 0);
    assert_int_equal(ops->look(sink, &ledger, NULL), WEIR_OK);
    assert_int_equal(ledger.rows[0].batch, 0);

    struct weir_sink_event event;
    inject(fixture, WEIR_MEMORY_LOST_AFTER);
    assert_int_equal(ops->resend(sink, 1, 0, NULL), WEIR_OK);
    assert_int_equal(ops->poll(sink, &event, NULL), WEIR_OK);
    assert_int_equal(event.outcome, WEIR_SINK_LOST);
    assert_int_equal(rows_in(fixture), 1);
    assert_int_equal(ops->look(sink, &ledger, NULL), WEIR_OK);
    assert_int_equal(ledger.rows[0].batch, 1);
    ops->release(sink, 1);
    ops->close(sink);
}

static void a_late_commit_is_judged_when_it_arrives(void **state)
{
    struct fixture *fixture = *state;
    struct weir_ledger ledger;
    void *dead = start(1, &ledger);

    inject(fixture, WEIR_MEMORY_LATE);
    assert_int_equal(run_batch(fixture, dead, 1), WEIR_SINK_LOST);
    assert_int_equal(weir_memory_deliver_late(fixture->database), 1);
    assert_int_equal(rows_in(fixture), 1);
    ops->release(dead, 1);

    inject(fixture, WEIR_MEMORY_LATE);
    assert_int_equal(run_batch(fixture, dead, 2), WEIR_SINK_LOST);
    weir_memory_late_linger(fixture->database, true);
    void *live = start(2, &ledger);
    assert_int_equal(ledger.generation, 2);
    assert_int_equal(weir_memory_deliver_late(fixture->database), 0); /* another owner by now */
    assert_int_equal(rows_in(fixture), 1);
    ops->close(live);
    ops->close(dead);
}

static void going_back_takes_rows_and_ledger(void **state)
{
    struct fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = start(1, &ledger);

    for (uint64_t n = 1; n <= 3; n++) {
        assert_int_equal(run_batch(fixture, sink, n), WEIR_SINK_COMMITTED);
        ops->release(sink, n);
    }
    weir_memory_go_back(fixture->database, 2);
    assert_int_equal(rows_in(fixture), 1);
    assert_int_equal(ops->look(sink, &ledger, NULL), WEIR_OK);
    assert_int_equal(ledger.rows[0].batch, 1);
    /* The server that it was connected to is gone; the new one does not stand at batch 3. */
    assert_int_equal(run_batch(fixture, sink, 4), WEIR_SINK_LOST);
    assert_int_equal(ops->resend(sink, 4, 0, NULL), WEIR_OK);
    struct weir_sink_event event;
    assert_int_equal(ops->poll(sink, &event, NULL), WEIR_OK);
    assert_int_equal(event.outcome, WEIR_SINK_REFUSED);
    ops->close(sink);
}

static void away_is_for_a_while(void **state)
{
    struct fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = start(1, &ledger);

    weir_memory_go_away(fixture->database, 1);
    assert_int_equal(ops->look(sink, &ledger, NULL), WEIR_EAWAY);
    assert_int_equal(ops->look(sink, &ledger, NULL), WEIR_OK);
    ops->close(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_lost_answer_may_be_a_commit_or_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_late_commit_is_judged_when_it_arrives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(going_back_takes_rows_and_ledger, set_up, tear_down),
        cmocka_unit_test_setup_teardown(away_is_for_a_while, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
