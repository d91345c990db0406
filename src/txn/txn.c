/* txn.c: life of a txn, and the calls by which the engine feeds it.
 *
 * TX1  Batches are numbered without gaps; batch n + 1 is begun only after n was closed, and at
 *      most args.in_flight batches are not known to be in.
 * TX2  t rises strictly, over restarts too: it is drawn above all that log and ledgers have shown.
 * Checked by asserts tagged so and tests/unit/txn/test_traces.c, tests/unit/engine/test_engine.c. */
#include "txn/txn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/fail_point.h"
#include "base/log_line.h"
#include "base/variant.h"
#include "txn/txn_internal.h"

enum {
    RETRY_US_MIN = 10 * 1000,
    RETRY_US_MAX = 5 * 1000 * 1000,
    RETRY_DOUBLINGS_MAX = 9,
};

#define BATCH_TIME_MAX_US INT64_C(9000000000000000000) /* some 280 000 years: a broken clock */

/* --- Small things --------------------------------------------------------------------------- */

struct weir_batch *weir_txn_slot(struct weir_txn *txn, uint64_t batch)
{
    return &txn->slots[batch % txn->args.in_flight];
}

int weir_tip_set(struct weir_tip *tip, struct weir_batch_id id, struct weir_ranges ends,
                 struct weir_error *err)
{
    int rc;

    weir_arena_reset(&tip->arena);
    tip->id = id;
    rc = weir_ranges_copy(&tip->arena, ends, &tip->ends, err);
    for (uint32_t i = 0; rc == WEIR_OK && i < tip->ends.count; i++) {
        tip->ends.items[i].first = tip->ends.items[i].end;
    }
    return rc;
}

void weir_txn_retry_over(struct weir_txn *txn, struct weir_txn_wait *wait)
{
    wait->since_us = 0;
    wait->until_us = 0;
    if (txn->sink_wait.since_us == 0 && txn->log_wait.since_us == 0) {
        txn->status.trouble[0] = '\0';
    }
}

int weir_txn_retry(struct weir_txn *txn, struct weir_txn_wait *wait, struct weir_error *err)
{
    uint64_t now = weir_io_mono_us(txn->args.io);
    uint32_t doublings = wait->count < RETRY_DOUBLINGS_MAX ? wait->count : RETRY_DOUBLINGS_MAX;
    uint64_t delay = (uint64_t)RETRY_US_MIN << doublings;
    uint8_t jitter = 0;

    if (weir_error_action(err->code) != WEIR_ACTION_RETRY) {
        return err->code;
    }
    if (wait->since_us == 0) {
        wait->since_us = now;
    }
    if (txn->args.retry_limit_us != 0 &&
        now - wait->since_us >= (uint64_t)txn->args.retry_limit_us) {
        return weir_error_context(err, "gave up after %lld s",
                                  (long long)(txn->args.retry_limit_us / 1000000));
    }
    delay = delay < RETRY_US_MAX ? delay : RETRY_US_MAX;
    if (weir_io_random_bytes(txn->args.io, &jitter, sizeof(jitter), NULL) != WEIR_OK) {
        jitter = 0; /* without randomness the delay is merely regular */
    }
    wait->until_us = now + delay - delay * jitter / 1024;
    wait->count++;
    if (strcmp(txn->status.trouble, err->text) != 0) {
        (void)snprintf(txn->status.trouble, sizeof(txn->status.trouble), "%.255s", err->text);
        weir_log(WEIR_LOG_WARN, "waiting", "pipeline \"%s\": %s", txn->args.pipeline, err->text);
    }
    return WEIR_OK;
}

/* --- Open and close ------------------------------------------------------------------------- */

static int read_identity(struct weir_txn *txn, struct weir_error *err)
{
    struct weir_log_view view;
    int rc = weir_log_view_read(txn->wal, &view, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    if (view.has_identity) {
        struct weir_str name = weir_str_from(txn->args.pipeline);
        txn->uuid_known = true;
        memcpy(txn->uuid, view.identity.uuid, sizeof(txn->uuid));
        if (!weir_str_equal(view.identity.name, name)) {
            rc = weir_error_set_reason(
                err, WEIR_ECONFLICT, "other_pipeline",
                "data directory %s belongs to pipeline \"%.*s\", not to \"%s\": choose another "
                "--data directory",
                txn->args.dir, WEIR_STR_ARG(view.identity.name), txn->args.pipeline);
        }
    }
    weir_log_view_fini(&view);
    return rc;
}

/* A disk too small for a first file is told with the setting that helps. */
static int open_log(struct weir_txn *txn, struct weir_error *err)
{
    const struct weir_wal_options options = {
        .size_bytes = sizeof(options),
        .segment_bytes = txn->args.log_segment_bytes,
        .retain_bytes = txn->args.log_retain_bytes,
        .write_limit_us = txn->args.log_write_limit_us,
    };
    struct weir_error cause = { 0 };
    int rc = weir_wal_open(txn->args.io, txn->args.dir, &options, &txn->wal, &cause);

    if (rc == WEIR_ENOSPC) {
        return weir_error_set_reason(err, rc, "no_space",
                                     "no room for a file of the log: make room, or let "
                                     "pipeline.log.segment_bytes be less: %s",
                                     cause.text);
    }
    if (rc != WEIR_OK && err != NULL) {
        *err = cause;
    }
    return rc;
}

int weir_txn_open(const struct weir_txn_args *args, weir_txn **ret, struct weir_error *err)
{
    struct weir_txn *txn = calloc(1, sizeof(*txn));
    int rc;

    if (txn == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a pipeline");
    }
    weir_assert(args->sink_count >= 1 && args->sink_count <= WEIR_TXN_SINKS_MAX);
    weir_assert(args->in_flight >= 1 && args->in_flight <= WEIR_TXN_IN_FLIGHT_MAX);
    weir_assert(args->partitions >= 1 && args->partitions <= WEIR_OUTPUT_PARTITIONS_MAX);
    txn->args = *args;
    txn->map = weir_partition_map_digest((struct weir_partition_map){
        .partitions = args->partitions, .by_source = args->partition_by_source });
    memcpy(txn->sinks, args->sinks, args->sink_count * sizeof(*args->sinks));
    txn->args.sinks = txn->sinks;
    txn->last_t = INT64_MIN;
    for (uint32_t i = 0; i < txn->args.in_flight; i++) {
        weir_arena_init(&txn->slots[i].arena, 1024 * 1024);
    }
    weir_arena_init(&txn->tip.arena, 0);
    weir_arena_init(&txn->committed.arena, 0);
    weir_arena_init(&txn->rebuild_arena, 0);
    rc = open_log(txn, err);
    if (rc == WEIR_OK) {
        rc = read_identity(txn, err);
    }
    if (rc == WEIR_OK) {
        *ret = txn;
        txn = NULL;
    }
    weir_txn_close(txn);
    return rc;
}

void weir_txn_forget(struct weir_txn *txn, struct weir_batch *batch)
{
    if (batch->state == WEIR_BATCH_FREE) {
        return;
    }
    for (uint32_t s = 0; s < batch->begun_sinks; s++) {
        for (uint32_t p = 0; p < txn->args.partitions; p++) {
            txn->sinks[s].ops->rollback(txn->sinks[s].self, batch->frame.id.batch, p);
        }
        txn->sinks[s].ops->release(txn->sinks[s].self, batch->frame.id.batch);
    }
    weir_arena_reset(&batch->arena);
    batch->state = WEIR_BATCH_FREE;
}

void weir_txn_close(weir_txn *txn)
{
    if (txn == NULL) {
        return;
    }
    weir_letters_tell_end(txn);
    for (uint32_t i = 0; i < txn->args.in_flight; i++) {
        weir_txn_forget(txn, &txn->slots[i]);
        weir_arena_fini(&txn->slots[i].arena);
    }
    weir_wal_cursor_close(txn->cursor);
    weir_wal_close(txn->wal);
    weir_arena_fini(&txn->tip.arena);
    weir_arena_fini(&txn->committed.arena);
    weir_arena_fini(&txn->rebuild_arena);
    free(txn);
}

void weir_txn_end_rebuild(struct weir_txn *txn)
{
    weir_wal_cursor_close(txn->cursor);
    txn->cursor = NULL;
    txn->rebuild_last = 0;
    txn->rebuild_frame.id.batch = 0;
    txn->new_plan_why[0] = '\0';
}

void weir_txn_rewind(struct weir_txn *txn, enum weir_txn_phase phase)
{
    for (uint32_t i = 0; i < txn->args.in_flight; i++) {
        weir_txn_forget(txn, &txn->slots[i]);
    }
    txn->open = NULL;
    weir_txn_end_rebuild(txn);
    txn->phase = phase;
    txn->epoch++;
}

/* --- Step ----------------------------------------------------------------------------------- */

static int recovery_step(struct weir_txn *txn, struct weir_error *err)
{
    int rc;

    if (txn->sink_wait.until_us > weir_io_mono_us(txn->args.io)) {
        return WEIR_OK;
    }
    txn->sink_wait.until_us = 0;
    if (txn->phase == WEIR_TXN_CLAIMING) {
        rc = weir_txn_claim(txn, err);
        if (rc != WEIR_OK) {
            return weir_txn_retry(txn, &txn->sink_wait, err);
        }
        txn->phase = WEIR_TXN_RECOVERING;
    }
    rc = weir_txn_recover(txn, err);
    if (rc != WEIR_OK) {
        weir_txn_rewind(txn, WEIR_TXN_CLAIMING);
        return weir_txn_retry(txn, &txn->sink_wait, err);
    }
    weir_txn_retry_over(txn, &txn->sink_wait);
    weir_txn_retry_over(txn, &txn->log_wait); /* it was read, and written to where need be */
    return WEIR_OK;
}

int weir_txn_step(weir_txn *txn, struct weir_error *err)
{
    struct weir_error scratch;

    if (err == NULL) {
        err = &scratch; /* decisions are made on the code inside */
    }
    switch (txn->phase) {
    case WEIR_TXN_CLAIMING:
    case WEIR_TXN_RECOVERING:
        return recovery_step(txn, err);
    case WEIR_TXN_STARTING:
        return WEIR_OK;
    case WEIR_TXN_RUNNING:
        break;
    }
    return weir_txn_commit_step(txn, err);
}

/* --- What the engine does next -------------------------------------------------------------- */

/* Whether a ledger that was read under our generation shows a part of a batch that is rebuilt. Rows
 * of another P are those of a sink that holds all of it, see weir_txn_repartition(). */
static bool is_held(const struct weir_txn *txn, uint32_t sink, uint32_t p, uint64_t n)
{
    const struct weir_ledger *ledger = &txn->sink_states[sink].ledger;

    if (WEIR_VARIANT(held_parts_sent_again)) {
        return false;
    }
    for (uint32_t i = 0; ledger->count != txn->args.partitions && i < ledger->count; i++) {
        weir_assert(ledger->rows[i].batch >= n);
    }
    return ledger->count != txn->args.partitions || ledger->rows[p].batch >= n;
}

/* The parts of a batch as it begins: those that some sink already holds are not sent (rule 17). */
static int begin_parts(struct weir_txn *txn, struct weir_batch *batch, bool is_rebuilt,
                       struct weir_error *err)
{
    const uint64_t n = batch->frame.id.batch;

    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        int rc = txn->sinks[s].ops->begin(txn->sinks[s].self, n, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        batch->begun_sinks = s + 1;
        for (uint32_t p = 0; p < txn->args.partitions; p++) {
            bool is_in = is_rebuilt && is_held(txn, s, p, n);
            batch->parts[s][p] = (struct weir_part){ .state = is_in ? WEIR_PART_IN : WEIR_PART_HELD,
                                                     .sent_as_head = n == txn->head };
        }
    }
    return WEIR_OK;
}

/* at_most_once: a sealed batch that is not in is never sent again; its steps go in without rows,
 * and the count says how much is missing. */
static int drop_sealed(struct weir_txn *txn, struct weir_error *err)
{
    struct weir_batch *batch = weir_txn_slot(txn, txn->rebuild_frame.id.batch);
    struct weir_work work = { .kind = WEIR_WORK_REBUILD,
                              .batch = txn->rebuild_frame.id.batch,
                              .t = txn->rebuild_frame.id.t,
                              .ranges = txn->rebuild_frame.ranges };
    struct weir_arena *arena;
    int64_t t;
    int rc = weir_txn_begin(txn, &work, &t, &arena, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    batch->check_tallies = false;
    rc = weir_txn_seal(txn, work.ranges, txn->rebuild_frame.source_rows, err);
    if (rc == WEIR_OK && batch->state == WEIR_BATCH_CLOSED) { /* else it is planned anew */
        txn->status.batches_dropped++;
        txn->status.rows_dropped += batch->frame.source_rows;
        weir_log(WEIR_LOG_WARN, "batch_dropped",
                 "pipeline \"%s\": batch %llu (t=%lld) was in flight and is dropped: %llu source "
                 "rows, from %.*s",
                 txn->args.pipeline, (unsigned long long)batch->frame.id.batch,
                 (long long)batch->frame.id.t, (unsigned long long)batch->frame.source_rows,
                 WEIR_STR_ARG(batch->ranges_json));
    }
    return rc;
}

int weir_txn_next(weir_txn *txn, struct weir_work *ret, struct weir_error *err)
{
    uint64_t next = txn->tip.id.batch + 1;
    uint64_t now = weir_io_mono_us(txn->args.io);
    int rc;

    *ret = (struct weir_work){ .kind = WEIR_WORK_WAIT, .epoch = txn->epoch };
    if (txn->sink_wait.until_us > now || txn->log_wait.until_us > now) {
        return WEIR_OK;
    }
    txn->log_wait.until_us = 0;
    if (txn->phase == WEIR_TXN_STARTING) {
        ret->kind = WEIR_WORK_START;
        return WEIR_OK;
    }
    if (txn->new_plan_why[0] != '\0') {
        return weir_txn_in_flight(txn) == 0 ? weir_txn_plan_anew(txn, err) : WEIR_OK;
    }
    if (txn->phase != WEIR_TXN_RUNNING || txn->open != NULL ||
        weir_txn_slot(txn, next)->state != WEIR_BATCH_FREE) {
        return WEIR_OK;
    }
    if (next > txn->rebuild_last) {
        *ret = (struct weir_work){
            .kind = WEIR_WORK_FRESH, .epoch = txn->epoch, .batch = next, .ranges = txn->tip.ends
        };
        return WEIR_OK;
    }
    rc = weir_txn_read_rebuild(txn, err);
    if (rc == WEIR_OK && weir_txn_is_of_other_partitions(txn)) {
        return weir_txn_in_flight(txn) == 0 ? weir_txn_want_other_partitions(txn, err) : WEIR_OK;
    }
    if (rc == WEIR_OK && txn->args.mode == WEIR_TXN_AT_MOST_ONCE && txn->rebuild_in_log &&
        !WEIR_VARIANT(sealed_sent_again)) {
        return WEIR_FAIL_AROUND(recover_drop, drop_sealed(txn, err), err);
    }
    if (rc == WEIR_OK) {
        *ret = (struct weir_work){ .kind = WEIR_WORK_REBUILD,
                                   .epoch = txn->epoch,
                                   .batch = next,
                                   .t = txn->rebuild_frame.id.t,
                                   .ranges = txn->rebuild_frame.ranges };
    }
    return rc;
}

int weir_txn_start(weir_txn *txn, struct weir_ranges starts, struct weir_error *err)
{
    int rc;

    weir_assert(txn->phase == WEIR_TXN_STARTING);
    rc = weir_txn_write_void(txn, (struct weir_batch_id){ 0 }, starts, "the very start", err);
    if (rc == WEIR_OK) {
        rc = weir_tip_set(&txn->tip, (struct weir_batch_id){ 0 }, starts, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_tip_set(&txn->committed, (struct weir_batch_id){ 0 }, starts, err);
    }
    if (rc == WEIR_OK) {
        txn->phase = WEIR_TXN_RUNNING;
        weir_txn_retry_over(txn, &txn->log_wait);
        return WEIR_OK;
    }
    return weir_txn_retry(txn, &txn->log_wait, err);
}

/* TX2: wall clock, but never at or below a time that was used. */
static int draw_time(struct weir_txn *txn, int64_t *ret, struct weir_error *err)
{
    int64_t now = weir_io_now_us(txn->args.io);

    if (now <= txn->last_t && !WEIR_VARIANT(time_of_the_clock)) {
        txn->status.clock_regressions++;
        now = txn->last_t + 1;
    }
    if (now > BATCH_TIME_MAX_US) {
        return weir_error_set_reason(err, WEIR_ECONFLICT, "clock",
                                     "batch time %lld is out of range: the clock was wrong once, "
                                     "and batch times never go back",
                                     (long long)now);
    }
    txn->last_t = now;
    *ret = now;
    return WEIR_OK;
}

int weir_txn_begin(weir_txn *txn, const struct weir_work *work, int64_t *ret_t,
                   struct weir_arena **ret_arena, struct weir_error *err)
{
    struct weir_batch *batch = weir_txn_slot(txn, work->batch);
    bool is_rebuilt = work->kind == WEIR_WORK_REBUILD;
    int64_t t = work->t;
    int rc;

    weir_assert(txn->open == NULL && batch->state == WEIR_BATCH_FREE);
    weir_assert(work->batch == txn->tip.id.batch + 1 &&
                work->batch - txn->committed.id.batch <= txn->args.in_flight); /* TX1 */
    if (!is_rebuilt) {
        rc = WEIR_FAIL_AROUND(plan_assign_t, draw_time(txn, &t, err), err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    batch->frame = (struct weir_plan_frame){
        .id = { .batch = work->batch, .t = t },
        .previous = txn->tip.id,
        .partitions = txn->args.partitions,
        .map = txn->map,
        .definition = txn->args.fingerprint,
        .sinks = txn->args.sink_count,
        .is_done = txn->args.mode == WEIR_TXN_AT_MOST_ONCE,
    };
    batch->in_log = is_rebuilt && txn->rebuild_in_log;
    batch->lsn = batch->in_log ? txn->rebuild_lsn : 0;
    batch->check_tallies = batch->in_log;
    batch->begun_sinks = 0;
    batch->state = WEIR_BATCH_OPEN;
    txn->open = batch;
    txn->status.t = t;
    *ret_t = t;
    *ret_arena = &batch->arena;
    return begin_parts(txn, batch, is_rebuilt, err);
}

int weir_txn_write(weir_txn *txn, uint32_t sink, uint32_t partition, uint32_t table,
                   uint32_t source, enum weir_on_error on_error, const struct weir_chunk *chunk,
                   struct weir_error *err)
{
    weir_assert(txn->open != NULL);
    return txn->sinks[sink].ops->write(txn->sinks[sink].self, txn->open->frame.id.batch, partition,
                                       table, source, on_error, chunk, err);
}

int weir_txn_dead_letter(weir_txn *txn, uint32_t partition, uint32_t source,
                         const struct weir_dead_letter *letter, struct weir_error *err)
{
    weir_assert(txn->open != NULL);
    weir_letters_note(&txn->letters, letter->text);
    return txn->sinks[0].ops->dead_letter(txn->sinks[0].self, txn->open->frame.id.batch, partition,
                                          source, letter, err);
}

/* --- Looking in from outside ---------------------------------------------------------------- */

uint32_t weir_txn_in_flight(const weir_txn *txn)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < txn->args.in_flight; i++) {
        count += txn->slots[i].state != WEIR_BATCH_FREE && &txn->slots[i] != txn->open;
    }
    return count;
}

struct weir_ranges weir_txn_committed_ends(const weir_txn *txn)
{
    return txn->committed.ends;
}

static bool is_rebuilding(const struct weir_txn *txn)
{
    return txn->phase == WEIR_TXN_RUNNING && txn->rebuild_last > txn->tip.id.batch;
}

struct weir_txn_progress weir_txn_progress(const weir_txn *txn)
{
    return (struct weir_txn_progress){ .sealed = txn->status.sealed,
                                       .committed = txn->status.committed,
                                       .is_running =
                                           txn->phase == WEIR_TXN_RUNNING && !is_rebuilding(txn) };
}

void weir_txn_status(const weir_txn *txn, struct weir_txn_status *ret)
{
    static const char *const names[] = {
        [WEIR_TXN_CLAIMING] = "claiming",
        [WEIR_TXN_RECOVERING] = "recovering",
        [WEIR_TXN_STARTING] = "starting",
        [WEIR_TXN_RUNNING] = "running",
    };

    *ret = txn->status;
    weir_wal_stat(txn->wal, &ret->log);
    ret->phase = names[txn->phase];
    ret->batch = txn->open != NULL ? txn->open->frame.id.batch : txn->tip.id.batch;
    if (is_rebuilding(txn)) {
        ret->phase = "rebuilding";
    }
}

static bool is_sealing(const struct weir_txn *txn)
{
    for (uint32_t i = 0; i < txn->args.in_flight; i++) {
        if (txn->slots[i].state == WEIR_BATCH_CLOSED || txn->slots[i].state == WEIR_BATCH_SEALING) {
            return true;
        }
    }
    return false;
}

/* INT64_MAX: nothing is waited for that time brings. */
static int64_t time_to_next_try(const struct weir_txn *txn)
{
    const uint64_t dues[] = { txn->sink_wait.until_us, txn->log_wait.until_us };
    uint64_t now = weir_io_mono_us(txn->args.io);
    int64_t ret = INT64_MAX;

    for (int i = 0; i < 2; i++) {
        int64_t left = dues[i] > now ? (int64_t)(dues[i] - now) : 0;
        ret = dues[i] != 0 && left < ret ? left : ret;
    }
    return ret;
}

uint32_t weir_txn_wait_fds(const weir_txn *txn, struct pollfd *ret, uint32_t max,
                           int64_t *ret_timeout_us)
{
    uint32_t count = 0;
    int fd = weir_wal_fd(txn->wal);

    if (fd >= 0 && count < max) {
        ret[count++] = (struct pollfd){ .fd = fd, .events = POLLIN };
    }
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        count += txn->sinks[s].ops->wait_fds(txn->sinks[s].self, ret + count, max - count);
    }
    *ret_timeout_us = time_to_next_try(txn);
    if (*ret_timeout_us == INT64_MAX &&
        (txn->phase == WEIR_TXN_CLAIMING || txn->phase == WEIR_TXN_RECOVERING ||
         (fd < 0 && is_sealing(txn)))) {
        *ret_timeout_us = 0;
    }
    return count;
}
