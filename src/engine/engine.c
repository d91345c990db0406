/* engine.c: opens the parts of a pipeline and turns the wheel: what is durable goes on, then what
 * is there is gathered.
 *
 * EN1  After an error nothing is written any more; close and open again recovers.
 * EN2  A stop finishes what is open and in flight; nothing of it is sent again at the next start.
 * EN3  A source that is away is told once for each reason, asked ever more seldom, and given up after
 *      retry_limit, however it shows that it is away. Only an answer to the very same question ends it.
 * Checked by tests/unit/engine/test_away.c and test_engine.c. */
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail_point.h"
#include "base/log_line.h"
#include "engine/engine_internal.h"

enum {
    DISCOVER_EVERY_US = 5 * 1000 * 1000,
    PUBLISH_EVERY_US = 1000 * 1000,
    AWAY_PAUSE_US_MIN = 50 * 1000,
    AWAY_PAUSE_US_MAX = 1000 * 1000,
    INBOX_BLOCK_BYTES = 1024 * 1024, /* as the batches' arenas: they change places */
    CHUNK_BLOCK_BYTES = 1024 * 1024,
    SLEEP_FDS_MAX = 128,
    STALL_TOLD_US = 10 * 1000 * 1000, /* as the log does */
};

/* --- Open and close ------------------------------------------------------------------------- */

static int open_txn(struct weir_engine *engine, struct weir_error *err)
{
    static const enum weir_txn_mode modes[] = {
        [WEIR_EXACTLY_ONCE] = WEIR_TXN_EXACTLY_ONCE,
        [WEIR_AT_LEAST_ONCE] = WEIR_TXN_AT_LEAST_ONCE,
        [WEIR_AT_MOST_ONCE] = WEIR_TXN_AT_MOST_ONCE,
    };
    const struct weir_settings *settings = &engine->plan->settings;
    const struct weir_txn_args args = {
        .io = engine->args.io,
        .dir = engine->args.dir,
        .pipeline = settings->name,
        .mode = modes[settings->delivery],
        .definition = engine->plan->definition,
        .fingerprint = engine->plan->fingerprint,
        .in_flight = weir_outputs_in_flight(settings),
        .partitions = settings->output_partitions,
        .partition_by_source = settings->partition_by_source,
        .sinks = engine->sinks,
        .sink_count = engine->plan->sink_count,
        .log_segment_bytes = settings->log_segment_bytes,
        .log_retain_bytes = settings->log_retain_bytes,
        .log_write_limit_us = (uint64_t)settings->log_write_limit_us,
        .retry_limit_us = settings->retry_limit_us,
    };

    return weir_txn_open(&args, &engine->txn, err);
}

int weir_engine_open(const struct weir_engine_args *args, weir_engine **ret, struct weir_error *err)
{
    const struct weir_plan *plan = args->plan;
    struct weir_engine *engine = calloc(1, sizeof(*engine));
    int rc;

    if (plan->sink_count > WEIR_TXN_SINKS_MAX) {
        free(engine);
        return weir_error_set(err, WEIR_ECONFIG, "%u sinks in one pipeline; %d are possible",
                              plan->sink_count, (int)WEIR_TXN_SINKS_MAX);
    }
    if (engine == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a pipeline");
    }
    engine->args = *args;
    engine->plan = plan;
    engine->must_seek = true;
    atomic_init(&engine->stop_requested, false);
    weir_arena_init(&engine->pipeline_arena, 0);
    weir_arena_init(&engine->chunk_arena, CHUNK_BLOCK_BYTES);
    weir_arena_init(&engine->inbox, INBOX_BLOCK_BYTES);
    weir_arena_init(&engine->gather.arena, 0);
    engine->inputs =
        weir_arena_calloc(&engine->pipeline_arena, plan->source_count, sizeof(*engine->inputs));
    engine->transforms =
        weir_arena_calloc(&engine->pipeline_arena, plan->insert_count, sizeof(*engine->transforms));
    rc = engine->inputs != NULL && engine->transforms != NULL
             ? weir_inputs_open(engine, err)
             : weir_error_set(err, WEIR_ENOMEM, "no memory for a pipeline");
    if (rc == WEIR_OK) {
        rc = weir_transforms_open(engine, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_outputs_open(engine, err);
    }
    if (rc == WEIR_OK) {
        rc = open_txn(engine, err);
    }
    if (rc == WEIR_OK) {
        *ret = engine;
        engine = NULL;
    }
    weir_engine_close(engine);
    return rc;
}

void weir_engine_close(weir_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    weir_txn_close(engine->txn); /* rolls back in the sinks, so it goes first */
    if (engine->transforms != NULL && engine->inputs != NULL) {
        weir_outputs_close(engine);
        weir_transforms_close(engine);
        weir_inputs_close(engine);
    }
    weir_arena_fini(&engine->gather.arena);
    weir_arena_fini(&engine->inbox);
    weir_arena_fini(&engine->chunk_arena);
    weir_arena_fini(&engine->pipeline_arena);
    free(engine);
}

/* --- The turn ------------------------------------------------------------------------------- */

/* Some fifth more from one try to the next. */
static uint64_t away_pause_us(const struct weir_engine *engine, uint64_t now)
{
    uint64_t pause = (now - engine->away_since_us) / 5;

    return pause < AWAY_PAUSE_US_MIN   ? AWAY_PAUSE_US_MIN
           : pause > AWAY_PAUSE_US_MAX ? AWAY_PAUSE_US_MAX
                                       : pause;
}

int weir_engine_wait_out(struct weir_engine *engine, enum weir_away how, uint64_t *ret_at_us,
                         struct weir_error *err)
{
    int64_t limit_us = engine->plan->settings.retry_limit_us;
    uint64_t now = weir_io_mono_us(engine->args.io);

    if (engine->away == 0) {
        engine->away_since_us = now;
    }
    engine->away |= (uint32_t)how;
    if (limit_us != 0 && now - engine->away_since_us >= (uint64_t)limit_us) {
        return weir_error_context(err, "gave up after %lld s", (long long)(limit_us / 1000000));
    }
    if (ret_at_us != NULL) {
        *ret_at_us = now + away_pause_us(engine, now);
    }
    bool is_told = (engine->away & ((uint32_t)how - 1)) != 0; /* two reasons must not take turns */
    if (!is_told && strcmp(engine->trouble, err->text) != 0) {
        (void)snprintf(engine->trouble, sizeof(engine->trouble), "%.255s", err->text);
        weir_log(WEIR_LOG_WARN, "waiting", "pipeline \"%s\": %s", engine->plan->settings.name,
                 err->text);
    }
    return WEIR_OK;
}

void weir_engine_wait_over(struct weir_engine *engine, enum weir_away how)
{
    engine->away &= ~(uint32_t)how;
    if (engine->away == 0) { /* EN3 */
        engine->trouble[0] = '\0';
    }
}

/* What sources say by themselves is wrong outside. */
static int watch_sources(struct weir_engine *engine, struct weir_error *err)
{
    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        struct weir_input *input = &engine->inputs[i];
        const char *trouble = input->plan->ops->trouble(input->source);
        if (trouble != NULL) {
            (void)weir_error_set(err, WEIR_EAWAY, "%s: %s", input->plan->name, trouble);
            return weir_engine_wait_out(engine, WEIR_AWAY_TROUBLE, NULL, err);
        }
    }
    weir_engine_wait_over(engine, WEIR_AWAY_TROUBLE);
    return WEIR_OK;
}

/* Asks for partitions at the start and from time to time, between two batches. */
static int discover(struct weir_engine *engine, struct weir_error *err)
{
    uint64_t now = weir_io_mono_us(engine->args.io);
    int rc;

    if (now < engine->discover_at_us || engine->gather.kind != WEIR_WORK_WAIT) {
        return WEIR_OK;
    }
    rc = weir_inputs_discover(engine, err);
    if (rc == WEIR_EAWAY) {
        return weir_engine_wait_out(engine, WEIR_AWAY_DISCOVER, &engine->discover_at_us, err);
    }
    if (rc == WEIR_OK) {
        engine->discover_at_us = now + DISCOVER_EVERY_US;
        engine->is_discovered = true;
        weir_engine_wait_over(engine, WEIR_AWAY_DISCOVER);
    }
    return rc;
}

static void publish(struct weir_engine *engine)
{
    uint64_t now = weir_io_mono_us(engine->args.io);

    if (now < engine->publish_at_us || engine->gather.kind != WEIR_WORK_WAIT) {
        return;
    }
    uint64_t committed = weir_txn_progress(engine->txn).committed;
    if (committed != engine->published_batch) {
        (void)WEIR_FAIL_POINT(done_publish_before, NULL);
        weir_inputs_publish(engine);
        (void)WEIR_FAIL_POINT(done_publish_after, NULL);
        engine->published_batch = committed;
    }
    engine->publish_at_us = now + PUBLISH_EVERY_US;
}

static bool sources_caught_up(const struct weir_engine *engine)
{
    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        struct weir_source_lag lag = { 0 };
        engine->inputs[i].plan->ops->lag(engine->inputs[i].source, &lag);
        if (!lag.caught_up) {
            return false;
        }
    }
    return true;
}

/* EN2: only with nothing open, in flight or still to be rebuilt. */
static void notice_end(struct weir_engine *engine, bool progress)
{
    bool stop = atomic_load_explicit(&engine->stop_requested, memory_order_relaxed);
    bool is_quiet =
        !progress && engine->gather.kind == WEIR_WORK_WAIT && weir_txn_in_flight(engine->txn) == 0;
    engine->is_caught_up = is_quiet && !engine->must_seek &&
                           weir_txn_progress(engine->txn).is_running && sources_caught_up(engine);
    engine->is_finished =
        (stop && is_quiet) || (engine->args.until_caught_up && engine->is_caught_up);
}

int weir_engine_step(weir_engine *engine, bool *ret_idle, struct weir_error *err)
{
    struct weir_error scratch;
    struct weir_txn_progress before = weir_txn_progress(engine->txn);
    bool progress = false;
    int rc;

    err = err != NULL ? err : &scratch; /* decisions are made on the code inside */
    rc = discover(engine, err);
    if (rc == WEIR_OK && engine->is_discovered) {
        rc = weir_txn_step(engine->txn, err);
    }
    if (rc == WEIR_OK && engine->is_discovered) {
        rc = weir_gather_step(engine, &progress, err);
    }
    /* A fresh batch that is open closes soon; one that is rebuilt waits for its source. */
    if (rc == WEIR_OK && engine->is_discovered && engine->gather.kind != WEIR_WORK_FRESH) {
        rc = watch_sources(engine, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    publish(engine);
    struct weir_txn_progress after = weir_txn_progress(engine->txn);
    progress = progress || after.sealed != before.sealed || after.committed != before.committed;
    notice_end(engine, progress);
    *ret_idle = !progress;
    return WEIR_OK;
}

static int64_t time_left(const struct weir_engine *engine, uint64_t due_us)
{
    uint64_t now = weir_io_mono_us(engine->args.io);

    return due_us > now ? (int64_t)(due_us - now) : 0;
}

void weir_engine_sleep(weir_engine *engine, int64_t wait_us)
{
    struct pollfd fds[SLEEP_FDS_MAX];
    int64_t timeout_us;
    uint32_t count = weir_txn_wait_fds(engine->txn, fds, SLEEP_FDS_MAX, &timeout_us);

    if (!engine->is_discovered) { /* the txn has to wait for that */
        timeout_us = time_left(engine, engine->discover_at_us);
    }
    wait_us = timeout_us < wait_us ? timeout_us : wait_us;
    /* While enough is in flight nobody takes the records that wait: their descriptor stays readable,
     * and to sleep on it would be to spin. */
    for (uint32_t i = 0; engine->is_reading && i < engine->plan->source_count; i++) {
        const struct weir_input *input = &engine->inputs[i];
        count += input->plan->ops->wait_fds(input->source, fds + count, SLEEP_FDS_MAX - count);
    }
    if (engine->gather.kind == WEIR_WORK_FRESH) { /* its time must not pass unnoticed */
        int64_t left = time_left(engine, engine->gather.first_us +
                                             (uint64_t)engine->plan->settings.trigger_us);
        wait_us = left < wait_us ? left : wait_us;
    }
    if (wait_us > 0) {
        struct timespec wait = { .tv_sec = wait_us / 1000000,
                                 .tv_nsec = (wait_us % 1000000) * 1000 };
        /* Interrupted or not, the next turn looks at everything. */
        (void)ppoll(fds, count, &wait, NULL);
    }
}

/* --- Looking in from outside ---------------------------------------------------------------- */

void weir_engine_request_stop(weir_engine *engine)
{
    (void)WEIR_FAIL_POINT(stop_request_before, NULL);
    atomic_store_explicit(&engine->stop_requested, true, memory_order_relaxed);
    (void)WEIR_FAIL_POINT(stop_request_after, NULL);
}

bool weir_engine_is_finished(const weir_engine *engine)
{
    return engine->is_finished;
}

static void sum_sources(const struct weir_engine *engine, struct weir_status *ret)
{
    ret->lag_known = true;
    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        struct weir_source_lag lag = { 0 };
        engine->inputs[i].plan->ops->lag(engine->inputs[i].source, &lag);
        ret->lag += lag.records;
        ret->rows_lost += lag.lost;
        ret->lag_known = ret->lag_known && lag.known;
        ret->unknown_fields +=
            engine->inputs[i].plan->format->unknown_fields(engine->inputs[i].decoder);
    }
}

void weir_engine_status(weir_engine *engine, struct weir_status *ret)
{
    struct weir_txn_status txn;

    _Static_assert(sizeof(txn.trouble) <= sizeof(ret->trouble) &&
                       sizeof(engine->trouble) <= sizeof(ret->trouble),
                   "every trouble fits");
    weir_txn_status(engine->txn, &txn);
    *ret = (struct weir_status){
        .phase = engine->is_discovered ? txn.phase : "connecting",
        .batch = txn.batch,
        .sealed = txn.sealed,
        .committed = txn.committed,
        .batch_time_us = txn.t,
        .generation = txn.generation,
        .rows_read = engine->rows_read,
        .rows_read_committed = txn.source_rows_committed,
        .rows_written = txn.rows_committed,
        .rows_dead = txn.rows_dead,
        .rows_skipped = engine->rows_skipped + txn.rows_skipped,
        .batches_committed = txn.batches_committed,
        .batches_rebuilt = txn.batches_rebuilt,
        .batches_dropped = txn.batches_dropped,
        .rows_dropped = txn.rows_dropped,
        .batches_repeated = txn.batches_repeated,
        .rows_repeated = txn.rows_repeated,
        .reconnects = txn.reconnects,
        .clock_regressions = txn.clock_regressions,
        .log_backend = txn.log.backend,
        .log_backend_why = txn.log.backend_why,
        .log_records = txn.log.record_count,
        .log_writes = txn.log.write_count,
        .log_bytes = txn.log.written_bytes,
        .log_segments = txn.log.segment_count,
        .log_late_segments = txn.log.late_segment_count,
        .log_no_space = txn.log.no_space,
        .caught_up = engine->is_caught_up,
    };
    sum_sources(engine, ret);
    if (txn.log.stalled_us >= STALL_TOLD_US) {
        (void)snprintf(ret->trouble, sizeof(ret->trouble),
                       "the log's device has not answered for %llu s",
                       (unsigned long long)(txn.log.stalled_us / 1000000));
        return;
    }
    const char *trouble = txn.trouble[0] != '\0' ? txn.trouble : engine->trouble;
    memcpy(ret->trouble, trouble, strlen(trouble) + 1);
}
