/* sink_contract.c: what every sink with a ledger keeps, whatever it is made of. */
#include "tests/contract/sink_contract.h"

#include <stdlib.h>
#include <time.h>

enum { EVENT_WAIT_MS = 10000 };

/* ---- helpers ---- */

static const struct weir_sink_column columns[] = {
    { .name = "id", .type = { WEIR_TYPE_INT8, -1 } },
    { .name = "note", .type = { WEIR_TYPE_TEXT, -1 } },
};
static const uint32_t key[] = { 0 };
static const struct weir_sink_table tables[TABLE_COUNT] = {
    [TABLE_PLAIN] = { .name = "plain", .columns = columns, .column_count = 2 },
    [TABLE_KEYED] = { .name = "keyed",
                      .columns = columns,
                      .column_count = 2,
                      .key = key,
                      .key_count = 1 },
};

static struct weir_str describe(void *context, uint32_t source, uint32_t partition)
{
    static char text[64];

    (void)context;
    (void)snprintf(text, sizeof(text), "source%u/topic/%u", source, partition);
    return weir_str_from(text);
}

void sink_fixture_init(struct sink_fixture *fixture, const struct sink_provider *provider)
{
    provider->reset();
    *fixture = (struct sink_fixture){
        .provider = provider,
        .args = { .pipeline = "contract",
                  .options = provider->options,
                  .tables = tables,
                  .table_count = TABLE_COUNT,
                  .partitions = 1,
                  .slots = 2,
                  .describe_partition = describe },
    };
    test_rows_init(&fixture->rows);
}

void sink_fixture_fini(struct sink_fixture *fixture)
{
    test_rows_fini(&fixture->rows);
}

void *sink_start(struct sink_fixture *fixture, uint8_t owner, struct weir_ledger *ret)
{
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_claim claim = { .name = "contract", .uuid = { 7, owner }, .owner = { owner } };
    struct weir_error err = { 0 };
    void *sink = NULL;

    if (ops->open(&fixture->args, &sink, &err) != WEIR_OK || ops->check(sink, &err) != WEIR_OK ||
        ops->claim(sink, &claim, ret, &err) != WEIR_OK) {
        fail_msg("start: %s", err.text);
    }
    return sink;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct weir_sink_event sink_next_event(struct sink_fixture *fixture, void *sink)
{
    const struct weir_sink_ops *ops = fixture->provider->ops;
    int64_t deadline = now_ms() + EVENT_WAIT_MS;
    struct weir_sink_event event = { .outcome = WEIR_SINK_NONE };

    while (event.outcome == WEIR_SINK_NONE && now_ms() < deadline) {
        struct pollfd fds[WEIR_SINK_SLOTS_MAX * WEIR_OUTPUT_PARTITIONS_MAX];

        assert_int_equal(ops->poll(sink, &event, NULL), WEIR_OK);
        if (event.outcome == WEIR_SINK_NONE) {
            uint32_t count = ops->wait_fds(sink, fds, sizeof(fds) / sizeof(fds[0]));
            (void)poll(fds, count, 100);
        }
    }
    if (event.outcome == WEIR_SINK_NONE) {
        fail_msg("no event came");
    }
    return event;
}

struct weir_ledger_step sink_step(uint64_t n)
{
    return (struct weir_ledger_step){
        .batch = n,
        .t = (int64_t)n * 100,
        .plan = { n, ~n },
        .previous_t = (int64_t)(n - 1) * 100,
        .previous_plan =
            n == 1 ? (struct weir_digest){ 0 } : (struct weir_digest){ n - 1, ~(n - 1) },
        .map = { 1, 2 },
        .definition = { 3, 4 },
        .ends = WEIR_STR("en\0ds'\\"),
        .ranges_json = WEIR_STR("{\"it's/to\\\\pic/0\": [0, 1]}"),
        .source_rows = 5,
    };
}

void sink_write(struct sink_fixture *fixture, void *sink, uint64_t n, uint32_t p, uint32_t table,
                enum weir_on_error on_error, const struct weir_chunk *chunk)
{
    struct weir_error err = { 0 };

    if (fixture->provider->ops->write(sink, n, p, table, 0, on_error, chunk, &err) != WEIR_OK) {
        fail_msg("write: %s", err.text);
    }
}

void sink_complete(struct sink_fixture *fixture, void *sink, uint64_t n,
                   enum weir_sink_outcome want)
{
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_sink_tally tallies[WEIR_OUTPUT_PARTITIONS_MAX];
    struct weir_ledger_step step = sink_step(n);

    assert_int_equal(ops->finish(sink, n, tallies, NULL), WEIR_OK);
    for (uint32_t p = 0; p < fixture->args.partitions; p++) {
        assert_int_equal(ops->commit(sink, n, p, &step, NULL), WEIR_OK);
    }
    for (uint32_t p = 0; p < fixture->args.partitions; p++) {
        struct weir_sink_event event = sink_next_event(fixture, sink);
        if (event.outcome != want) {
            fail_msg("batch %llu: outcome %d, not %d: %s", (unsigned long long)n,
                     (int)event.outcome, (int)want, event.err.text);
        }
        assert_int_equal(event.batch, n);
    }
    if (want == WEIR_SINK_COMMITTED) {
        ops->release(sink, n);
    }
}

void sink_write_many(struct sink_fixture *fixture, void *sink, uint64_t n, uint32_t table,
                     uint32_t count)
{
    for (uint32_t at = 0; at < count; at += TEST_ROWS_MAX) {
        uint32_t left = count - at;

        sink_write(
            fixture, sink, n, 0, table, WEIR_ON_ERROR_FAIL,
            test_chunk(&fixture->rows, 100 + at, left < TEST_ROWS_MAX ? left : TEST_ROWS_MAX));
    }
}

void sink_let_work(struct sink_fixture *fixture, void *sink, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        struct weir_sink_event event;
        struct pollfd fds[4];

        assert_int_equal(fixture->provider->ops->poll(sink, &event, NULL), WEIR_OK);
        assert_int_equal(event.outcome, WEIR_SINK_NONE);
        (void)poll(fds, fixture->provider->ops->wait_fds(sink, fds, 4), 20);
    }
}

/* A batch of count rows from first on into plain, committed. */
static void commit_plain(struct sink_fixture *fixture, void *sink, uint64_t n, int64_t first,
                         uint32_t count)
{
    assert_int_equal(fixture->provider->ops->begin(sink, n, NULL), WEIR_OK);
    sink_write(fixture, sink, n, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, first, count));
    sink_complete(fixture, sink, n, WEIR_SINK_COMMITTED);
}

static void assert_ledger(struct sink_fixture *fixture, void *sink, uint64_t batch, uint64_t rows)
{
    struct weir_ledger ledger;
    struct weir_error err = { 0 };

    if (fixture->provider->ops->look(sink, &ledger, &err) != WEIR_OK) {
        fail_msg("look: %s", err.text);
    }
    assert_int_equal(ledger.count, fixture->args.partitions);
    for (uint32_t p = 0; p < ledger.count; p++) {
        const struct weir_ledger_row *row = &ledger.rows[p];
        struct weir_ledger_step step = sink_step(batch == 0 ? 1 : batch);

        assert_int_equal(row->partition, p);
        assert_int_equal(row->partitions, ledger.count);
        assert_int_equal(row->batch, batch);
        if (batch != 0) {
            assert_int_equal(row->rows, rows);
            assert_int_equal(row->t, step.t);
            assert_true(weir_digest_equal(row->plan, step.plan));
            assert_true(weir_digest_equal(row->map, step.map));
            assert_true(weir_digest_equal(row->definition, step.definition));
            assert_true(weir_str_equal(row->ends, step.ends));
        }
    }
}

/* ---- the contract ---- */

static void batches_go_in_and_the_ledger_follows(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    assert_true(ledger.created);
    assert_int_equal(ledger.generation, 1);
    assert_ledger(fixture, sink, 0, 0);
    for (uint64_t n = 1; n <= 5; n++) {
        commit_plain(fixture, sink, n, (int64_t)n * 1000, 100);
        assert_ledger(fixture, sink, n, 100);
        assert_int_equal(fixture->provider->count(TABLE_PLAIN), n * 100);
    }
    fixture->provider->ops->close(sink);
}

/* covers: E-05 */
static void an_empty_batch_is_a_step_too(void **state)
{
    struct sink_fixture *fixture = *state;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    assert_int_equal(fixture->provider->ops->begin(sink, 1, NULL), WEIR_OK);
    sink_complete(fixture, sink, 1, WEIR_SINK_COMMITTED);
    assert_ledger(fixture, sink, 1, 0);
    fixture->provider->ops->close(sink);
}

static void two_batches_are_open_at_a_time(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    assert_int_equal(ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 100, 4000));
    sink_write(fixture, sink, 1, 0, TABLE_KEYED, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 1, 100));
    for (uint64_t n = 1; n <= 20; n++) {
        assert_int_equal(ops->begin(sink, n + 1, NULL), WEIR_OK);
        sink_write(fixture, sink, n + 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
                   test_chunk(&fixture->rows, 100, 4000));
        sink_write(fixture, sink, n + 1, 0, TABLE_KEYED, WEIR_ON_ERROR_FAIL,
                   test_chunk(&fixture->rows, 1, 100));
        assert_int_equal(fixture->provider->count(TABLE_PLAIN), (n - 1) * 4000);
        sink_complete(fixture, sink, n, WEIR_SINK_COMMITTED);
    }
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 80000);
    assert_int_equal(fixture->provider->count(TABLE_KEYED), 100);
    ops->close(sink);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 80000);
}

/* Rows of a later change of the same key, written in any order, by offset. */
static void keys_collapse_to_their_last_change(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);
    struct weir_chunk *late = test_chunk(&fixture->rows, 1, 10);
    struct weir_chunk *early = test_chunk(&fixture->rows, 1, 10);

    for (uint32_t r = 0; r < 10; r++) { /* all of one key; offsets 1 to 10 stay */
        early->vecs[0].i8[r] = late->vecs[0].i8[r] = 5;
    }
    late->vecs[0].i8[9] = 6;
    assert_int_equal(ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_KEYED, WEIR_ON_ERROR_FAIL, late);
    sink_write(fixture, sink, 1, 0, TABLE_KEYED, WEIR_ON_ERROR_FAIL, early);
    sink_complete(fixture, sink, 1, WEIR_SINK_COMMITTED);
    assert_int_equal(fixture->provider->count(TABLE_KEYED), 2);
    assert_int_equal(fixture->provider->sum_of_ids(TABLE_KEYED), 11);
    assert_ledger(fixture, sink, 1, 20); /* counted before they collapse */
    ops->close(sink);
}

static void a_tally_does_not_depend_on_the_order(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_sink_tally a, b, c;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    for (uint64_t n = 1; n <= 3; n++) {
        assert_int_equal(ops->begin(sink, n, NULL), WEIR_OK);
        uint32_t other = n == 3 ? TABLE_KEYED : TABLE_PLAIN;
        sink_write(fixture, sink, n, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
                   test_chunk(&fixture->rows, n == 1 ? 100 : 150, 50));
        sink_write(fixture, sink, n, 0, other, WEIR_ON_ERROR_FAIL,
                   test_chunk(&fixture->rows, n == 1 ? 150 : 100, 50));
        assert_int_equal(ops->finish(sink, n, n == 1 ? &a : n == 2 ? &b : &c, NULL), WEIR_OK);
        ops->rollback(sink, n, 0);
        ops->release(sink, n);
    }
    assert_true(weir_digest_equal(a.digest, b.digest));
    assert_false(weir_digest_equal(b.digest, c.digest)); /* another table is another row */
    assert_int_equal(a.rows, 100);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 0);
    ops->close(sink);
}

static void another_predecessor_is_refused(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_sink_tally tally;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);
    struct weir_ledger_step step = sink_step(2);

    commit_plain(fixture, sink, 1, 100, 10);
    assert_int_equal(ops->begin(sink, 2, NULL), WEIR_OK);
    sink_write(fixture, sink, 2, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 200, 10));
    assert_int_equal(ops->finish(sink, 2, &tally, NULL), WEIR_OK);
    step.previous_plan.lo++;
    assert_int_equal(ops->commit(sink, 2, 0, &step, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_REFUSED);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 10);
    assert_ledger(fixture, sink, 1, 10);
    /* What commit() allowed can be said anew, and resend() sends everything again. */
    step = sink_step(2);
    assert_int_equal(ops->commit(sink, 2, 0, &step, NULL), WEIR_OK);
    assert_int_equal(ops->resend(sink, 2, 0, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 20);
    ops->release(sink, 2);
    ops->close(sink);
}

/* covers: P-12 */
static void an_overtaken_owner_is_refused(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_ledger ledger;
    void *old = sink_start(fixture, 1, &ledger);
    void *young;

    commit_plain(fixture, old, 1, 100, 10);
    young = sink_start(fixture, 2, &ledger);
    assert_false(ledger.created);
    assert_int_equal(ledger.generation, 2);
    assert_int_equal(ledger.rows[0].batch, 1);
    assert_int_equal(ops->begin(old, 2, NULL), WEIR_OK);
    sink_write(fixture, old, 2, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 200, 10));
    struct weir_sink_tally tally;
    struct weir_ledger_step step = sink_step(2);
    assert_int_equal(ops->finish(old, 2, &tally, NULL), WEIR_OK);
    assert_int_equal(ops->commit(old, 2, 0, &step, NULL), WEIR_OK);
    enum weir_sink_outcome outcome = sink_next_event(fixture, old).outcome;
    if (outcome == WEIR_SINK_LOST) { /* the young one ended the old one's connection */
        assert_int_equal(ops->resend(old, 2, 0, NULL), WEIR_OK);
        outcome = sink_next_event(fixture, old).outcome;
    }
    assert_int_equal(outcome, WEIR_SINK_REFUSED);
    assert_int_equal(ops->look(old, &ledger, NULL), WEIR_OK);
    assert_int_equal(ledger.generation, 2);
    commit_plain(fixture, young, 2, 300, 10);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 20);
    assert_int_equal(fixture->provider->sum_of_ids(TABLE_PLAIN), 1045 + 3045);
    ops->close(young);
    ops->close(old);
}

/* covers: G-09 */
static void a_repeat_is_refused_unless_allowed(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_sink_tally tally;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    commit_plain(fixture, sink, 1, 100, 10);
    struct weir_ledger_step step = sink_step(1);
    assert_int_equal(ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 100, 10));
    assert_int_equal(ops->finish(sink, 1, &tally, NULL), WEIR_OK);
    assert_int_equal(ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_REFUSED);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 10);
    step.repeat_allowed = true;
    assert_int_equal(ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
    assert_int_equal(ops->resend(sink, 1, 0, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 20);
    ops->release(sink, 1);
    ops->close(sink);
}

static void partitions_advance_by_themselves(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_sink_tally tallies[3];
    struct weir_ledger ledger;

    fixture->args.partitions = 3;
    void *sink = sink_start(fixture, 1, &ledger);
    assert_int_equal(ledger.count, 3);
    for (uint64_t n = 1; n <= 3; n++) {
        assert_int_equal(ops->begin(sink, n, NULL), WEIR_OK);
        for (uint32_t p = 0; p < 3; p++) {
            sink_write(fixture, sink, n, p, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
                       test_chunk(&fixture->rows, 100, 10));
        }
        sink_complete(fixture, sink, n, WEIR_SINK_COMMITTED);
        assert_ledger(fixture, sink, n, 10);
    }
    struct weir_ledger_step step = sink_step(4);
    assert_int_equal(ops->begin(sink, 4, NULL), WEIR_OK);
    assert_int_equal(ops->finish(sink, 4, tallies, NULL), WEIR_OK);
    assert_int_equal(ops->commit(sink, 4, 1, &step, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).partition, 1);
    assert_int_equal(ops->look(sink, &ledger, NULL), WEIR_OK);
    assert_int_equal(ledger.rows[0].batch, 3);
    assert_int_equal(ledger.rows[1].batch, 4);
    assert_int_equal(ledger.rows[2].batch, 3);
    ops->close(sink);
}

/* covers: P-29 */
static void the_number_of_partitions_changes(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_claim claim = { .name = "contract", .owner = { 3 }, .definition = { 9, 9 } };
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    commit_plain(fixture, sink, 1, 100, 10);
    ops->close(sink);
    for (uint32_t partitions = 4; partitions >= 2; partitions -= 2) {
        fixture->args.partitions = partitions;
        sink = sink_start(fixture, 2, &ledger);
        assert_int_equal(ledger.count, partitions == 4 ? 1 : 4);
        assert_int_equal(ops->repartition(sink, &claim, &ledger, NULL), WEIR_OK);
        assert_int_equal(ledger.count, partitions);
        assert_int_equal(ledger.generation, partitions == 4 ? 3 : 5);
        for (uint32_t p = 0; p < partitions; p++) {
            assert_int_equal(ledger.rows[p].batch, 1);
            assert_int_equal(ledger.rows[p].owner[0], 3);
            assert_true(weir_digest_equal(ledger.rows[p].definition, claim.definition));
        }
        ops->close(sink);
    }
}

static void uneven_partitions_stay_as_they_are(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_claim claim = { .name = "contract", .owner = { 1 } };
    struct weir_ledger_step step = sink_step(1);
    struct weir_sink_tally tallies[2];
    struct weir_ledger ledger;
    struct weir_error err = { 0 };

    fixture->args.partitions = 2;
    void *sink = sink_start(fixture, 1, &ledger);
    assert_int_equal(ops->begin(sink, 1, NULL), WEIR_OK);
    assert_int_equal(ops->finish(sink, 1, tallies, NULL), WEIR_OK);
    assert_int_equal(ops->commit(sink, 1, 1, &step, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(ops->repartition(sink, &claim, &ledger, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "ledger_uneven");
    ops->close(sink);
}

static void names_and_uuids_are_compared(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_claim claim = {
        .name = "contract", .uuid = { 1 }, .owner = { 1 }, .uuid_known = true
    };
    struct weir_ledger ledger;
    struct weir_error err = { 0 };
    void *sink = NULL;

    assert_int_equal(ops->open(&fixture->args, &sink, NULL), WEIR_OK);
    assert_int_equal(ops->claim(sink, &claim, &ledger, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "ledger_missing");
    claim.uuid_known = false;
    claim.generation_above = 41;
    assert_int_equal(ops->claim(sink, &claim, &ledger, &err), WEIR_OK);
    assert_int_equal(ledger.generation, 42);
    claim.uuid[0] = 2;
    assert_int_equal(ops->claim(sink, &claim, &ledger, &err), WEIR_OK); /* the ledger's uuid wins */
    assert_int_equal(ledger.uuid[0], 1);
    assert_int_equal(ledger.generation, 43);
    claim.uuid_known = true;
    assert_int_equal(ops->claim(sink, &claim, &ledger, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "ledger_of_another");
    ops->close(sink);
}

static void rows_wait_in_memory_after_a_rollback(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_ledger_step step = sink_step(1);
    struct weir_sink_tally tally;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    assert_int_equal(ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 100, 4000));
    ops->rollback(sink, 1, 0);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 5000, 1000));
    assert_int_equal(ops->resend(sink, 1, 0, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 6000, 1000));
    assert_int_equal(ops->finish(sink, 1, &tally, NULL), WEIR_OK);
    assert_int_equal(tally.rows, 6000);
    assert_int_equal(ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
    ops->rollback(sink, 1, 0);
    assert_int_equal(ops->resend(sink, 1, 0, NULL), WEIR_OK); /* still allowed */
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 6000);
    ops->release(sink, 1);
    ops->close(sink);
}

static void a_drop_is_a_step_without_rows(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_ledger_step step = sink_step(1);
    struct weir_sink_tally tally;
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    assert_int_equal(ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 100, 10));
    assert_int_equal(ops->finish(sink, 1, &tally, NULL), WEIR_OK);
    ops->discard_rows(sink, 1, 0);
    assert_int_equal(ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
    assert_int_equal(ops->resend(sink, 1, 0, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 0);
    ops->release(sink, 1);
    ops->close(sink);
}

static void dead_letters_go_in_with_their_batch(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_dead_letter letter = { .record = test_record(&fixture->rows, 2, 77),
                                       .sqlstate = "22P02",
                                       .text = "not a number: 'x\\y'" };
    struct weir_ledger ledger;
    void *sink = sink_start(fixture, 1, &ledger);

    assert_int_equal(ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 100, 10));
    assert_int_equal(ops->dead_letter(sink, 1, 0, 0, &letter, NULL), WEIR_OK);
    assert_int_equal(fixture->provider->dead_letters(), 0);
    sink_complete(fixture, sink, 1, WEIR_SINK_COMMITTED);
    assert_int_equal(fixture->provider->dead_letters(), 1);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 10);
    ops->close(sink);
}

/* Three chunks, each with a row of id 13, from sources that say different things about it.
 * covers: G-12 */
static void refused_rows_are_found_and_leave(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_ledger_step step = sink_step(1);
    struct weir_sink_tally tally;
    struct weir_ledger ledger;
    struct weir_sink_search found = { 0 };
    void *sink = sink_start(fixture, 1, &ledger);

    assert_int_equal(ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_DEAD_LETTER,
               test_chunk(&fixture->rows, 1, 1000));
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_SKIP,
               test_chunk(&fixture->rows, 1, 100));
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 100, 100));
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_DEAD_LETTER,
               test_chunk(&fixture->rows, 13, 1));
    assert_int_equal(ops->finish(sink, 1, &tally, NULL), WEIR_OK);
    assert_int_equal(ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_ROW_REFUSED);
    assert_int_equal(ops->isolate(sink, 1, 0, &found, NULL), WEIR_OK);
    assert_int_equal(found.skipped, 1);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 0);
    assert_int_equal(ops->resend(sink, 1, 0, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_COMMITTED);
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 1201 - 3);
    assert_int_equal(fixture->provider->dead_letters(), 2);
    ops->release(sink, 1);
    ops->close(sink);
}

static void a_refused_row_of_a_strict_source_is_named(void **state)
{
    struct sink_fixture *fixture = *state;
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_ledger_step step = sink_step(1);
    struct weir_error err = { 0 };
    struct weir_sink_tally tally;
    struct weir_ledger ledger;
    struct weir_sink_search found = { 0 };
    void *sink = sink_start(fixture, 1, &ledger);

    assert_int_equal(ops->begin(sink, 1, NULL), WEIR_OK);
    sink_write(fixture, sink, 1, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&fixture->rows, 1, 1000));
    assert_int_equal(ops->finish(sink, 1, &tally, NULL), WEIR_OK);
    assert_int_equal(ops->commit(sink, 1, 0, &step, NULL), WEIR_OK);
    assert_int_equal(sink_next_event(fixture, sink).outcome, WEIR_SINK_ROW_REFUSED);
    assert_int_equal(ops->isolate(sink, 1, 0, &found, &err), WEIR_EDATA);
    assert_non_null(strstr(err.text, "source0/topic/0, offset 13"));
    assert_non_null(strstr(err.text, "23514"));
    assert_int_equal(fixture->provider->count(TABLE_PLAIN), 0);
    ops->close(sink);
}

/* ---- running ---- */

static const struct sink_provider *current;

static int set_up(void **state)
{
    struct sink_fixture *fixture = calloc(1, sizeof(*fixture));

    sink_fixture_init(fixture, current);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct sink_fixture *fixture = *state;

    sink_fixture_fini(fixture);
    free(fixture);
    return 0;
}

#define CONTRACT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int sink_contract_run(const struct sink_provider *provider)
{
    const struct CMUnitTest tests[] = {
        CONTRACT(batches_go_in_and_the_ledger_follows),
        CONTRACT(an_empty_batch_is_a_step_too),
        CONTRACT(two_batches_are_open_at_a_time),
        CONTRACT(keys_collapse_to_their_last_change),
        CONTRACT(a_tally_does_not_depend_on_the_order),
        CONTRACT(another_predecessor_is_refused),
        CONTRACT(an_overtaken_owner_is_refused),
        CONTRACT(a_repeat_is_refused_unless_allowed),
        CONTRACT(partitions_advance_by_themselves),
        CONTRACT(the_number_of_partitions_changes),
        CONTRACT(uneven_partitions_stay_as_they_are),
        CONTRACT(names_and_uuids_are_compared),
        CONTRACT(rows_wait_in_memory_after_a_rollback),
        CONTRACT(a_drop_is_a_step_without_rows),
        CONTRACT(dead_letters_go_in_with_their_batch),
        CONTRACT(refused_rows_are_found_and_leave),
        CONTRACT(a_refused_row_of_a_strict_source_is_named),
    };

    current = provider;
    return cmocka_run_group_tests_name(provider->name, tests, NULL, NULL);
}
