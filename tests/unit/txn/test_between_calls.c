/* test_between_calls.c: what other sessions of a server do between two calls of one instance:
 * another starter comes between its claims, row locks are held by its own later batches.
 *
 * Uses     the real engine on a source and a disk in memory; the memory sink, with some of its calls
 *          replaced by calls that do what the other session does first, or that fail.
 * What is expected comes from what was sent, never from the sink. Each test was seen to fail with
 * its rule left out. */
#include <stdlib.h>

#include "tests/support/small_pipeline.h"
#include "tests/support/test.h"

enum { TURNS_MAX = 5000, PARTITIONS = 2 };

static const struct weir_sink_ops *const server = &weir_memory_sink_ops;

/* --- Rule 6: another starter ---------------------------------------------------------------- */

static struct small_pipeline *crowded; /* NULL: nobody else comes */

/* Takes both ledgers, gets its batch 1 into the first database alone, and is gone. */
static void another_comes_and_goes(struct small_pipeline *small)
{
    const struct weir_memory_injection never = {
        .fault = WEIR_MEMORY_LOST_BEFORE, .batch = 1, .partition = UINT32_MAX, .count = 1000
    };
    struct small_process other;

    weir_memory_inject(small->second, &never);
    small_boot(small, "/b", false, &other);
    for (int i = 0; i < TURNS_MAX && small_status(&other).sealed == 0; i++) {
        small_must_run(small, &other, 1);
    }
    small_must_run(small, &other, 20);
    assert_int_equal(small_status(&other).committed, 0);
    small_close(&other);
    weir_memory_inject(small->second, NULL);
    small_send(small, 6); /* who plans batch 1 from now on makes it a larger one */
}

static int claim_after_another(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                               struct weir_error *err)
{
    struct small_pipeline *small = crowded;

    crowded = NULL;
    if (small != NULL) {
        another_comes_and_goes(small);
    }
    return server->claim(self, claim, ret, err);
}

/* A takes the first database; B takes both and commits its batch 1 in the first; A takes the second.
 * What A read in the first is old by now. Whoever goes on from it puts a batch 1 of other rows into
 * the second database, and no start can bring the two together again. */
static void ledgers_are_read_after_the_last_is_taken(void **state)
{
    struct weir_sink_ops ops = *server;
    struct small_pipeline small;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 1, .two_sinks = true });
    ops.claim = claim_after_another;
    small.plan.sinks[1].ops = &ops;
    small_send(&small, 4);
    crowded = &small;
    small_finish(&small, "/a");
    assert_null(crowded);
    small_expect_exact(&small);
    small_fini(&small);
}

static uint32_t looks_alone; /* so many looks find nobody else; behind them, ... */
static uint32_t overtakers;  /* ... so many others take over between claims and looks */
static uint32_t looks;

/* What it finds is what another starter's claim would have left. */
static int look_after_another(void *self, struct weir_ledger *ret, struct weir_error *err)
{
    int rc = server->look(self, ret, err);

    looks++;
    if (looks <= looks_alone) {
        return rc;
    }
    for (uint32_t p = 0; rc == WEIR_OK && overtakers > 0 && p < ret->count; p++) {
        ret->rows[p].generation++;
        ret->rows[p].owner[0] ^= 1;
    }
    overtakers -= overtakers > 0;
    return rc;
}

/* A starter that is overtaken has believed nothing yet and begins again, a few times; an instance that
 * has run gives way at once. */
static void a_starter_tries_again_and_a_runner_gives_way(void **state)
{
    enum { TRIES = 3 };
    struct weir_sink_ops ops = *server;
    struct small_process process;
    struct small_pipeline small;
    struct weir_error err = { 0 };

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 2 });
    ops.look = look_after_another;
    small.plan.sinks[0].ops = &ops;
    small_send(&small, 20);
    looks = looks_alone = 0;
    overtakers = TRIES;
    small_boot(&small, "/a", true, &process);
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_EFENCED);
    assert_int_equal(looks, TRIES);
    assert_int_equal(weir_memory_transaction_count(small.database), TRIES); /* claims alone */
    small_close(&process);

    overtakers = TRIES - 1;
    small_boot(&small, "/a", false, &process);
    small_must_run(&small, &process, 200);
    assert_int_equal(overtakers, 0);
    looks = 0;
    looks_alone = 1; /* it sees that the sink went back, and takes its ledger once more */
    overtakers = TRIES;
    weir_memory_go_back(small.database, 1);
    small_send(&small, 20);
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_EFENCED);
    assert_int_equal(looks, 2);
    small_close(&process);
    overtakers = 0;
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

static uint32_t empty_looks;

static int look_at_nothing(void *self, struct weir_ledger *ret, struct weir_error *err)
{
    int rc = server->look(self, ret, err);

    if (rc == WEIR_OK && empty_looks > 0) {
        empty_looks--;
        ret->count = 0;
    }
    return rc;
}

/* The database is put back between a claim and the look behind it: the claim is gone, so is its ledger. It is
 * taken once more, and nothing is concluded from what was not there. */
static void a_ledger_that_goes_behind_a_claim_is_taken_again(void **state)
{
    struct weir_sink_ops ops = *server;
    struct small_pipeline small;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 3 });
    small_send(&small, 20);
    small_finish(&small, "/a");
    ops.look = look_at_nothing;
    small.plan.sinks[0].ops = &ops;
    small_send(&small, 20);
    empty_looks = 2;
    small_finish(&small, "/a");
    assert_int_equal(empty_looks, 0);
    small_expect_exact(&small);
    small_fini(&small);
}

/* --- Rule 13: row locks --------------------------------------------------------------------- */

/* Every batch upserts the same keys: whose rows are in the server has them locked, until it is
 * rolled back or in. Batches begin to wait for a lock in their order, so only what is sent again
 * can find one that a later batch holds. */
static bool is_locked_by[8][PARTITIONS]; /* batch n is in row n % 8 */
static uint32_t partitions;              /* P of the pipeline */

static bool *locks_of(uint64_t batch)
{
    return is_locked_by[batch % 8];
}

/* The server lets it wait for a transaction that waits for us: for ever. */
static bool waits_for_a_later_one(uint64_t batch)
{
    for (uint64_t later = batch + 1; later < batch + 4; later++) {
        if (locks_of(later)[0] || locks_of(later)[1]) {
            return true;
        }
    }
    return false;
}

static int finish_and_lock(void *self, uint64_t batch, struct weir_sink_tally *ret_tallies,
                           struct weir_error *err)
{
    for (uint32_t p = 0; p < partitions; p++) {
        locks_of(batch)[p] = true;
    }
    return server->finish(self, batch, ret_tallies, err);
}

static void rollback_and_unlock(void *self, uint64_t batch, uint32_t partition)
{
    locks_of(batch)[partition] = false;
    server->rollback(self, batch, partition);
}

static int resend_and_lock(void *self, uint64_t batch, uint32_t partition, struct weir_error *err)
{
    if (waits_for_a_later_one(batch)) {
        return WEIR_OK; /* and no event will come */
    }
    locks_of(batch)[partition] = true;
    return server->resend(self, batch, partition, err);
}

static int isolate_with_locks(void *self, uint64_t batch, uint32_t partition,
                              struct weir_sink_search *ret, struct weir_error *err)
{
    if (waits_for_a_later_one(batch)) {
        return weir_error_set(err, WEIR_EAWAY, "canceling statement due to lock timeout");
    }
    return server->isolate(self, batch, partition, ret, err);
}

static void add_locks(struct small_pipeline *small, struct weir_sink_ops *ops)
{
    partitions = small->plan.settings.output_partitions;
    memset(is_locked_by, 0, sizeof(is_locked_by));
    *ops = *server;
    ops->finish = finish_and_lock;
    ops->rollback = rollback_and_unlock;
    ops->resend = resend_and_lock;
    ops->isolate = isolate_with_locks;
    small->plan.sinks[0].ops = ops;
}

/* Sends and gathers as many batches as can be in flight before the first may commit. */
static void fill(struct small_pipeline *small, struct small_process *process)
{
    small_must_run(small, process, 10);
    sim_disk_hold_writes(small->disk, true);
    small_send(small, 60);
    small_must_run(small, process, 50);
    assert_true(locks_of(1)[0] && locks_of(2)[0]);
    sim_disk_hold_writes(small->disk, false);
}

/* T10: the connection of batch 1 dies, batch 2 gets the locks that it waited for, and batch 1 is sent
 * again. */
static void later_upserts_are_rolled_back_before_a_batch_is_sent_again(void **state)
{
    for (uint32_t i = 0; i < 4; i++) {
        struct small_process process;
        struct small_pipeline small;
        struct weir_sink_ops ops;

        (void)state;
        small_init(&small, &(struct small_options){ .seed = i,
                                                    .in_flight = 2 + i / 2,
                                                    .output_partitions = 1 + i % PARTITIONS });
        add_locks(&small, &ops);
        weir_memory_inject(
            small.database,
            &(struct weir_memory_injection){
                .fault = WEIR_MEMORY_LOST_BEFORE, .batch = 1, .partition = 0, .count = 1 });
        small_boot(&small, "/a", false, &process);
        fill(&small, &process);
        small_must_run(&small, &process, TURNS_MAX);
        assert_int_equal(small_status(&process).reconnects, 1);
        assert_true(small_status(&process).caught_up);
        small_close(&process);
        small_expect_exact(&small);
        small_fini(&small);
    }
}

static uint64_t cut; /* the batch whose connection is cut next; 0: none */

static int poll_and_cut(void *self, struct weir_sink_event *ret, struct weir_error *err)
{
    if (cut == 0) {
        return server->poll(self, ret, err);
    }
    *ret = (struct weir_sink_event){ .outcome = WEIR_SINK_LOST, .batch = cut };
    (void)weir_error_set(&ret->err, WEIR_EAWAY, "connection lost");
    rollback_and_unlock(self, cut, 0);
    cut = 0;
    return WEIR_OK;
}

/* The same with a batch that is not the oldest in flight: the connection of batch 2 dies while the plan
 * of batch 1 is still being written, and batch 3 gets the locks. */
static void later_upserts_are_rolled_back_before_any_batch_is_sent_again(void **state)
{
    struct small_process process;
    struct small_pipeline small;
    struct weir_sink_ops ops;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 5, .in_flight = 3 });
    add_locks(&small, &ops);
    ops.poll = poll_and_cut;
    small_boot(&small, "/a", false, &process);
    small_must_run(&small, &process, 10);
    sim_disk_hold_writes(small.disk, true);
    small_send(&small, 60);
    small_must_run(&small, &process, 50);
    assert_true(locks_of(2)[0] && locks_of(3)[0]);
    cut = 2;
    small_must_run(&small, &process, 200);
    assert_int_equal(small_status(&process).reconnects, 1);
    assert_int_equal(small_status(&process).committed, 0);
    sim_disk_hold_writes(small.disk, false);
    small_must_run(&small, &process, TURNS_MAX);
    assert_true(small_status(&process).caught_up);
    small_close(&process);
    small_expect_exact(&small);
    small_fini(&small);
}

static bool is_of_batch_1(void *context, const char *table, const struct weir_record *record)
{
    (void)context;
    (void)table;
    return record->partition == 1 && record->offset == 0;
}

/* The same when a row of batch 1 is refused: the search for it takes the same locks. */
static void later_upserts_are_rolled_back_before_a_row_is_searched_for(void **state)
{
    for (uint32_t in_flight = 2; in_flight <= 3; in_flight++) {
        struct small_process process;
        struct small_pipeline small;
        struct weir_sink_ops ops;

        (void)state;
        small_init(&small, &(struct small_options){ .seed = in_flight,
                                                    .in_flight = in_flight,
                                                    .on_error = WEIR_ON_ERROR_DEAD_LETTER });
        add_locks(&small, &ops);
        weir_memory_refuse(small.database, is_of_batch_1, NULL);
        small_boot(&small, "/a", false, &process);
        fill(&small, &process);
        small_must_run(&small, &process, TURNS_MAX);
        assert_true(small_status(&process).caught_up);
        small_close(&process);
        struct small_verdict verdict = small_judge(&small);
        assert_int_equal(verdict.missing, 1); /* it is a dead letter */
        assert_int_equal(verdict.doubled, 0);
        small_fini(&small);
    }
}

/* --- A sink that fails ---------------------------------------------------------------------- */

static uint32_t searches_cut; /* so many searches lose their connection */

static int isolate_and_cut(void *self, uint64_t batch, uint32_t partition,
                           struct weir_sink_search *ret, struct weir_error *err)
{
    if (searches_cut > 0) {
        searches_cut--;
        return weir_error_set(err, WEIR_EAWAY, "connection lost");
    }
    return server->isolate(self, batch, partition, ret, err);
}

static void a_search_that_is_cut_short_is_done_again(void **state)
{
    struct weir_sink_ops ops = *server;
    struct small_pipeline small;
    struct weir_memory_letter *letters = NULL;
    size_t count = 0;

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 4, .on_error = WEIR_ON_ERROR_DEAD_LETTER });
    ops.isolate = isolate_and_cut;
    small.plan.sinks[0].ops = &ops;
    weir_memory_refuse(small.database, is_of_batch_1, NULL);
    small_send(&small, 30);
    searches_cut = 3;
    small_finish(&small, "/a");
    assert_int_equal(searches_cut, 0);
    assert_int_equal(weir_memory_dead_letters(small.database, &letters, &count), WEIR_OK);
    assert_int_equal(count, 1);
    free(letters);
    assert_int_equal(small_judge(&small).missing, 1); /* it is that letter */
    assert_int_equal(small_judge(&small).doubled, 0);
    small_fini(&small);
}

static int poll_for_nothing(void *self, struct weir_sink_event *ret, struct weir_error *err)
{
    (void)self;
    (void)ret;
    return weir_error_set(err, WEIR_ECONFIG, "the sink is no good");
}

static void a_sink_that_cannot_be_asked_stops(void **state)
{
    struct weir_sink_ops ops = *server;
    struct small_process process;
    struct small_pipeline small;
    struct weir_error err = { 0 };

    (void)state;
    small_init(&small, &(struct small_options){ .seed = 5 });
    small.plan.sinks[0].ops = &ops;
    small_send(&small, 30);
    ops.poll = poll_for_nothing;
    small_boot(&small, "/a", true, &process);
    assert_int_equal(small_run(&small, &process, TURNS_MAX, &err), WEIR_ECONFIG);
    assert_non_null(strstr(err.text, "the sink is no good"));
    small_close(&process);
    ops.poll = server->poll;
    small_finish(&small, "/a");
    small_expect_exact(&small);
    small_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ledgers_are_read_after_the_last_is_taken),
        cmocka_unit_test(a_starter_tries_again_and_a_runner_gives_way),
        cmocka_unit_test(a_ledger_that_goes_behind_a_claim_is_taken_again),
        cmocka_unit_test(later_upserts_are_rolled_back_before_a_batch_is_sent_again),
        cmocka_unit_test(later_upserts_are_rolled_back_before_any_batch_is_sent_again),
        cmocka_unit_test(later_upserts_are_rolled_back_before_a_row_is_searched_for),
        cmocka_unit_test(a_search_that_is_cut_short_is_done_again),
        cmocka_unit_test(a_sink_that_cannot_be_asked_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
