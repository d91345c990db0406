/* gather.c: one batch from its sources into the txn.
 *
 * A fresh batch is opened by its first record and closed when it is large enough, when its time is
 * up, or as soon as nothing more is there and nothing is in flight: with a backlog it grows, without
 * one it shrinks to what has arrived. A batch that is rebuilt ends where its plan says.
 *
 * GA1  Records live in the batch's arena until the batch is over; chunks live for one turn.
 * GA2  A rebuilt batch is closed only when every source has come to the end of its ranges. */
#include "base/fail_point.h"
#include "base/log_line.h"
#include "base/variant.h"
#include "engine/engine_internal.h"

void weir_gather_forget(struct weir_engine *engine)
{
    struct weir_gather *gather = &engine->gather;

    weir_arena_reset(&gather->arena);
    weir_arena_reset(&engine->inbox);
    *gather = (struct weir_gather){ .arena = gather->arena };
    engine->must_seek = !WEIR_VARIANT(seek_forgotten);
}

/* --- From records to rows ------------------------------------------------------------------- */

static int process(struct weir_engine *engine, struct weir_input *input,
                   const struct weir_records *records, struct weir_error *err)
{
    for (uint32_t at = 0; at < records->count; at += WEIR_CHUNK_ROWS_MAX) {
        uint32_t left = records->count - at;
        uint32_t count = left < WEIR_CHUNK_ROWS_MAX ? left : WEIR_CHUNK_ROWS_MAX;
        const struct weir_record *first = records->items + at;
        struct weir_decode_errors bad = { 0 };
        struct weir_chunk chunk;

        weir_arena_reset(&engine->chunk_arena);
        int rc =
            WEIR_FAIL_AROUND(read_decode,
                             input->plan->format->decode(input->decoder, first, count,
                                                         &engine->chunk_arena, &chunk, &bad, err),
                             err);
        for (uint32_t i = 0; rc == WEIR_OK && i < bad.count; i++) {
            rc = weir_bad_record(engine, input, first + bad.items[i].row, &bad.items[i], err);
        }
        if (rc == WEIR_OK && chunk.rows != 0) {
            rc = weir_transforms_run(engine, input, &chunk, err);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

static void count_records(struct weir_engine *engine, const struct weir_records *records)
{
    struct weir_gather *gather = &engine->gather;

    for (uint32_t i = 0; i < records->count; i++) {
        gather->bytes += records->items[i].value.len + records->items[i].key.len;
    }
    gather->rows += records->count;
    engine->rows_read += records->count;
}

/* The limits of the next poll: what the batch still has room for, a chunk at most. */
static struct weir_source_limits room(const struct weir_engine *engine)
{
    const struct weir_settings *settings = &engine->plan->settings;
    const struct weir_gather *gather = &engine->gather;
    struct weir_source_limits ret = { .rows_max = WEIR_CHUNK_ROWS_MAX };

    if (gather->kind == WEIR_WORK_FRESH) {
        uint64_t rows = settings->batch_rows_max - gather->rows;
        ret.rows_max = rows < WEIR_CHUNK_ROWS_MAX ? (uint32_t)rows : WEIR_CHUNK_ROWS_MAX;
    } else if (settings->batch_rows_max < WEIR_CHUNK_ROWS_MAX) {
        ret.rows_max = settings->batch_rows_max;
    }
    ret.bytes_max =
        settings->batch_bytes_max > gather->bytes ? settings->batch_bytes_max - gather->bytes : 1;
    return ret;
}

static bool is_full(const struct weir_engine *engine)
{
    return engine->gather.rows >= engine->plan->settings.batch_rows_max ||
           engine->gather.bytes >= engine->plan->settings.batch_bytes_max;
}

/* --- Opening and closing -------------------------------------------------------------------- */

static int open_batch(struct weir_engine *engine, const struct weir_work *work,
                      struct weir_error *err)
{
    struct weir_gather *gather = &engine->gather;
    int rc = weir_txn_begin(engine->txn, work, &gather->t, &gather->records, err);

    gather->kind = work->kind;
    gather->rows = 0;
    gather->bytes = 0;
    gather->first_us = weir_io_mono_us(engine->args.io);
    return rc;
}

static int close_batch(struct weir_engine *engine, struct weir_error *err)
{
    struct weir_gather *gather = &engine->gather;
    struct weir_ranges ranges = gather->ranges;
    int rc = WEIR_OK;

    if (gather->kind == WEIR_WORK_FRESH) {
        rc = WEIR_FAIL_AROUND(plan_choose_range,
                              weir_inputs_ranges(engine, &gather->arena, &ranges, err), err);
    }
    if (rc == WEIR_OK) {
        rc =
            WEIR_FAIL_AROUND(plan_seal, weir_txn_seal(engine->txn, ranges, gather->rows, err), err);
    }
    if (gather->kind == WEIR_WORK_FRESH) {
        weir_inputs_advance(engine);
    } else {
        engine->must_seek = true; /* the next one has other bounds */
    }
    weir_arena_reset(&gather->arena);
    *gather = (struct weir_gather){ .arena = gather->arena };
    return rc;
}

/* --- A fresh batch -------------------------------------------------------------------------- */

/* Takes what a source has into the open batch, opening one for the first record, or to seal where
 * the source goes on after a loss. */
static int take_fresh(struct weir_engine *engine, struct weir_input *input,
                      const struct weir_work *work, bool *ret_progress, struct weir_error *err)
{
    struct weir_gather *gather = &engine->gather;
    struct weir_source_limits limits = { .rows_max = WEIR_CHUNK_ROWS_MAX,
                                         .bytes_max = engine->plan->settings.batch_bytes_max };
    bool is_open = gather->kind != WEIR_WORK_WAIT;
    struct weir_records records;
    int rc;

    if (is_open) {
        limits = room(engine);
    } else if (engine->plan->settings.batch_rows_max < limits.rows_max) {
        limits.rows_max = engine->plan->settings.batch_rows_max;
    }
    rc = input->plan->ops->poll(input->source, &limits, is_open ? gather->records : &engine->inbox,
                                &records, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    gather->must_close |= weir_inputs_note(input, records.skipped);
    if (records.count == 0 && !gather->must_close) {
        if (!is_open) { /* else what a source needed to look around piles up */
            weir_arena_reset(&engine->inbox);
        }
        return WEIR_OK;
    }
    if (!is_open) {
        rc = WEIR_FAIL_AROUND(read_first_record, open_batch(engine, work, err), err);
        if (rc != WEIR_OK) {
            return rc;
        }
        /* The first records were read before there was a batch: their memory becomes its. GA1 */
        weir_arena_take_over(gather->records, &engine->inbox);
    }
    *ret_progress = true;
    count_records(engine, &records);
    return process(engine, input, &records, err);
}

static bool is_time_to_close(const struct weir_engine *engine, bool came)
{
    const struct weir_gather *gather = &engine->gather;
    int64_t trigger_us = engine->plan->settings.trigger_us;
    uint64_t age_us = weir_io_mono_us(engine->args.io) - gather->first_us;

    if (is_full(engine) || gather->must_close || (int64_t)age_us >= trigger_us) {
        return true;
    }
    return !came && weir_txn_in_flight(engine->txn) == 0;
}

static int gather_fresh(struct weir_engine *engine, const struct weir_work *work,
                        bool *ret_progress, struct weir_error *err)
{
    bool stopping = atomic_load_explicit(&engine->stop_requested, memory_order_relaxed);
    bool came = false;

    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        if (stopping || (engine->gather.kind != WEIR_WORK_WAIT && is_full(engine))) {
            break;
        }
        int rc = take_fresh(engine, &engine->inputs[i], work, &came, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    *ret_progress = came;
    if (engine->gather.kind != WEIR_WORK_WAIT && (stopping || is_time_to_close(engine, came))) {
        *ret_progress = true;
        return close_batch(engine, err);
    }
    return WEIR_OK;
}

/* --- A batch that is rebuilt ---------------------------------------------------------------- */

static int gather_rebuild(struct weir_engine *engine, bool *ret_progress, struct weir_error *err)
{
    bool all_reached = true;

    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        struct weir_input *input = &engine->inputs[i];
        struct weir_source_limits limits = room(engine);
        struct weir_records records;
        int rc =
            input->plan->ops->poll(input->source, &limits, engine->gather.records, &records, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        if (records.count != 0) {
            *ret_progress = true;
            count_records(engine, &records);
            rc = process(engine, input, &records, err);
            if (rc != WEIR_OK) {
                return rc;
            }
        }
        all_reached = all_reached && input->plan->ops->reached(input->source);
    }
    if (all_reached) { /* GA2 */
        *ret_progress = true;
        return WEIR_FAIL_AROUND(recover_compare, close_batch(engine, err), err);
    }
    return WEIR_OK;
}

/* --- Following the txn ---------------------------------------------------------------------- */

static int seek(struct weir_engine *engine, const struct weir_work *work, struct weir_error *err)
{
    int rc;

    if (work->kind == WEIR_WORK_WAIT || (!engine->must_seek && work->kind == WEIR_WORK_FRESH)) {
        return WEIR_OK;
    }
    rc = WEIR_FAIL_AROUND(start_seek, weir_inputs_seek(engine, work, err), err);
    engine->must_seek = rc != WEIR_OK || work->kind == WEIR_WORK_REBUILD;
    weir_arena_reset(&engine->inbox);
    return rc;
}

static int begin_rebuild(struct weir_engine *engine, const struct weir_work *work,
                         struct weir_error *err)
{
    int rc;

    weir_arena_reset(&engine->gather.arena);
    rc = weir_ranges_copy(&engine->gather.arena, work->ranges, &engine->gather.ranges, err);
    return rc == WEIR_OK ? open_batch(engine, work, err) : rc;
}

static int start(struct weir_engine *engine, struct weir_error *err)
{
    struct weir_ranges starts;
    int rc = WEIR_FAIL_AROUND(start_positions,
                              weir_inputs_starts(engine, &engine->gather.arena, &starts, err), err);

    if (rc == WEIR_OK) {
        rc = weir_txn_start(engine->txn, starts, err);
    }
    weir_arena_reset(&engine->gather.arena);
    return rc;
}

/* A rebuild that the source makes impossible may be planned anew; any other trouble is final. */
static int judge_failure(struct weir_engine *engine, bool is_rebuild, int rc,
                         struct weir_error *err)
{
    struct weir_error cause = *err;

    if (rc != WEIR_ECONFLICT || !is_rebuild) {
        return rc;
    }
    rc = weir_txn_unreadable(engine->txn, &cause, err);
    if (rc == WEIR_OK) {
        weir_gather_forget(engine);
    }
    return rc;
}

/* Begins what the txn wants: seeks, and for a rebuild opens its batch. */
static int begin(struct weir_engine *engine, const struct weir_work *work, struct weir_error *err)
{
    int rc;

    if (work->kind == WEIR_WORK_START) {
        return start(engine, err);
    }
    rc = seek(engine, work, err);
    return rc == WEIR_OK && work->kind == WEIR_WORK_REBUILD
               ? WEIR_FAIL_AROUND(recover_rebuild, begin_rebuild(engine, work, err), err)
               : rc;
}

int weir_gather_step(struct weir_engine *engine, bool *ret_progress, struct weir_error *err)
{
    struct weir_gather *gather = &engine->gather;
    struct weir_work work;
    enum weir_work_kind kind;
    int rc = weir_txn_next(engine->txn, &work, err);

    engine->is_reading = false;
    if (rc != WEIR_OK) {
        return rc;
    }
    if (work.epoch != engine->epoch) { /* the txn has taken everything up anew */
        engine->epoch = work.epoch;
        weir_gather_forget(engine);
    }
    kind = gather->kind;
    if (kind == WEIR_WORK_WAIT) {
        if (atomic_load_explicit(&engine->stop_requested, memory_order_relaxed)) {
            return WEIR_OK; /* what is sealed but not rebuilt is found again by the next start */
        }
        if (weir_io_mono_us(engine->args.io) < engine->begin_at_us) {
            return WEIR_OK;
        }
        kind = work.kind;
        rc = begin(engine, &work, err);
        if (rc == WEIR_EAWAY) { /* a source: the same again after a while */
            weir_arena_reset(&gather->arena);
            return weir_engine_wait_out(engine, WEIR_AWAY_BEGIN, &engine->begin_at_us, err);
        }
        if (rc == WEIR_OK && kind != WEIR_WORK_WAIT) { /* nobody was asked anything then */
            weir_engine_wait_over(engine, WEIR_AWAY_BEGIN);
        }
    }
    engine->is_reading = kind == WEIR_WORK_REBUILD || kind == WEIR_WORK_FRESH;
    if (rc == WEIR_OK && kind == WEIR_WORK_REBUILD) {
        rc = gather_rebuild(engine, ret_progress, err);
    } else if (rc == WEIR_OK && kind == WEIR_WORK_FRESH) {
        rc = gather_fresh(engine, &work, ret_progress, err);
    }
    return rc == WEIR_OK ? rc : judge_failure(engine, kind == WEIR_WORK_REBUILD, rc, err);
}
