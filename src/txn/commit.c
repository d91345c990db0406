/* commit.c: one batch after another, from closed to done.
 *
 * CM1  Seal before COMMIT: a part's step is allowed only when the batch's frame is durable (rule
 *      4); at_least_once does not wait for it, and says so in its name.
 * CM2  Order: only the head's steps are allowed, so n + 1 is advanced in no partition before n is
 *      known to be in all of them (rule 5). [T3, T5]
 * CM3  Before a part is sent again, what later batches have open on that sink is rolled back (rule
 *      13): of the head or not, it waits for their row locks, and they for it. [T10]
 * CM4  A part moves only along the table below; IN is final.
 * CM5  A row is called bad only when the server refused it behind all that comes before it.
 * Checked by asserts tagged CM1 to CM4 and tests/unit/txn/test_traces.c, test_trouble.c,
 * test_between_calls.c, tests/unit/engine/test_engine.c. */
#include "base/assert.h"
#include "base/fail_point.h"
#include "base/log_line.h"
#include "base/variant.h"
#include "txn/txn_internal.h"

enum { FRUITLESS_SEARCHES_MAX = 3 };

/* Row: from; bit: to. */
static const uint8_t allowed_moves[WEIR_PART_STATES] = {
    [WEIR_PART_HELD] = 1 << WEIR_PART_SENT | 1 << WEIR_PART_DOUBTFUL | 1 << WEIR_PART_ROW_BAD |
                       1 << WEIR_PART_AGAIN,
    [WEIR_PART_SENT] =
        1 << WEIR_PART_IN | 1 << WEIR_PART_DOUBTFUL | 1 << WEIR_PART_ROW_BAD | 1 << WEIR_PART_AGAIN,
    [WEIR_PART_DOUBTFUL] = 1 << WEIR_PART_IN | 1 << WEIR_PART_AGAIN,
    [WEIR_PART_ROW_BAD] = 1 << WEIR_PART_AGAIN,
    [WEIR_PART_AGAIN] = 1 << WEIR_PART_HELD | 1 << WEIR_PART_SENT,
    [WEIR_PART_IN] = 0,
};

void weir_part_move(struct weir_part *part, enum weir_part_state to)
{
    weir_assert((allowed_moves[part->state] >> to & 1) != 0); /* CM4 */
    part->state = to;
}

/* --- Seal ----------------------------------------------------------------------------------- */

/* Starts the durable write of the batch's frame. Without room it stays closed; the next step tries
 * again. */
static int append_frame(struct weir_txn *txn, struct weir_batch *batch, struct weir_error *err)
{
    struct weir_buf bytes = { 0 };
    int rc;

    if (batch->in_log) {
        batch->state = WEIR_BATCH_SEALED;
        return WEIR_OK;
    }
    if (txn->log_wait.until_us != 0) {
        return WEIR_OK;
    }
    batch->frame.done = txn->committed.id.batch;
    weir_plan_frame_encode(&batch->frame, &bytes);
    rc = bytes.failed ? weir_error_set(err, WEIR_ENOMEM, "no memory for the plan of a batch")
                      : WEIR_FAIL_AROUND(plan_append,
                                         weir_wal_append(txn->wal, WEIR_FRAME_PLAN, bytes.data,
                                                         bytes.len, &batch->lsn, err),
                                         err);
    weir_buf_fini(&bytes);
    if (rc == WEIR_OK) {
        batch->state = WEIR_BATCH_SEALING;
        weir_txn_retry_over(txn, &txn->log_wait);
        txn->log_wait.count = 0;
        return WEIR_OK;
    }
    return rc == WEIR_EBUSY ? WEIR_OK : weir_txn_retry(txn, &txn->log_wait, err);
}

static int seal_step(struct weir_txn *txn, struct weir_error *err)
{
    uint64_t durable;
    int rc = weir_wal_poll(txn->wal, 0, &durable, err);

    for (uint64_t n = txn->head; rc == WEIR_OK && n <= txn->tip.id.batch; n++) {
        struct weir_batch *batch = weir_txn_slot(txn, n);
        if (batch->state == WEIR_BATCH_CLOSED) {
            rc = append_frame(txn, batch, err);
            if (batch->state == WEIR_BATCH_CLOSED) {
                break; /* frames go into the log in order */
            }
        }
        if (batch->state == WEIR_BATCH_SEALING && batch->lsn <= durable) {
            batch->state = WEIR_BATCH_SEALED;
            txn->status.sealed = n;
        }
    }
    return rc;
}

/* --- Events --------------------------------------------------------------------------------- */

void weir_txn_count_drop(struct weir_txn *txn, struct weir_batch *batch, uint32_t sink, uint32_t p)
{
    struct weir_part_tally *tally = &batch->frame.tallies[sink * batch->frame.partitions + p];

    txn->status.batches_dropped++;
    txn->status.rows_dropped += tally->rows;
    weir_log(WEIR_LOG_WARN, "batch_dropped",
             "pipeline \"%s\": batch %llu (t=%lld) partition %u is dropped: %llu rows, from %.*s",
             txn->args.pipeline, (unsigned long long)batch->frame.id.batch,
             (long long)batch->frame.id.t, p, (unsigned long long)tally->rows,
             WEIR_STR_ARG(batch->ranges_json));
    tally->rows = tally->dead = 0; /* none of them was written */
    batch->parts[sink][p].refused_dead = 0;
}

static int handle_event(struct weir_txn *txn, uint32_t sink, struct weir_sink_event *event,
                        struct weir_error *err)
{
    struct weir_batch *batch = weir_txn_slot(txn, event->batch);
    struct weir_part *part = &batch->parts[sink][event->partition];

    if (batch->state == WEIR_BATCH_FREE || batch->frame.id.batch != event->batch ||
        (part->state != WEIR_PART_HELD && part->state != WEIR_PART_SENT)) {
        return WEIR_OK; /* news of something that is being looked into, or settled */
    }
    switch (event->outcome) {
    case WEIR_SINK_NONE:
        break;
    case WEIR_SINK_COMMITTED:
        weir_part_move(part, WEIR_PART_IN);
        if (part->is_dropped) {
            weir_txn_count_drop(txn, batch, sink, event->partition);
        }
        break;
    case WEIR_SINK_REFUSED:
    case WEIR_SINK_LOST:
        if (part->state == WEIR_PART_SENT &&
            ((event->outcome == WEIR_SINK_LOST && WEIR_VARIANT(unknown_is_in)) ||
             (event->outcome == WEIR_SINK_REFUSED && WEIR_VARIANT(refused_is_in)))) {
            weir_part_move(part, WEIR_PART_IN);
            break;
        }
        weir_part_move(part, WEIR_PART_DOUBTFUL);
        txn->sink_states[sink].must_look = true;
        txn->sink_states[sink].was_refused |= event->outcome == WEIR_SINK_REFUSED;
        txn->status.reconnects += event->outcome == WEIR_SINK_LOST;
        event->err.code = WEIR_EAWAY;
        *err = event->err;
        return weir_txn_retry(txn, &txn->sink_wait, err);
    case WEIR_SINK_ROW_REFUSED:
        txn->refusal = event->err;
        weir_part_move(part, WEIR_PART_ROW_BAD);
        break;
    case WEIR_SINK_ROLLED_BACK:
        weir_part_move(part, WEIR_PART_AGAIN);
        event->err.code = WEIR_EAWAY;
        *err = event->err;
        return weir_txn_retry(txn, &txn->sink_wait, err);
    case WEIR_SINK_BROKEN:
        *err = event->err;
        return event->err.code;
    }
    return WEIR_OK;
}

static int poll_sinks(struct weir_txn *txn, struct weir_error *err)
{
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        for (;;) {
            struct weir_sink_event event = { .outcome = WEIR_SINK_NONE };
            int rc = txn->sinks[s].ops->poll(txn->sinks[s].self, &event, err);
            if (rc != WEIR_OK) {
                return rc;
            }
            if (event.outcome == WEIR_SINK_NONE) {
                break;
            }
            rc = handle_event(txn, s, &event, err);
            if (rc != WEIR_OK) {
                return rc;
            }
        }
    }
    return WEIR_OK;
}

/* --- Send again ----------------------------------------------------------------------------- */

/* Everything that batches after n have open on this sink is rolled back, to be sent again behind
 * n. */
static void roll_back_later(struct weir_txn *txn, uint32_t sink, uint64_t n)
{
    for (uint64_t later = n + 1; later <= txn->tip.id.batch + 1; later++) {
        if (WEIR_VARIANT(later_upserts_stay)) {
            return;
        }
        struct weir_batch *batch = weir_txn_slot(txn, later);
        if (batch->state == WEIR_BATCH_FREE || batch->frame.id.batch != later) {
            continue;
        }
        for (uint32_t p = 0; p < txn->args.partitions; p++) {
            struct weir_part *part = &batch->parts[sink][p];
            if (part->state == WEIR_PART_HELD) {
                txn->sinks[sink].ops->rollback(txn->sinks[sink].self, later, p);
                weir_part_move(part, WEIR_PART_AGAIN);
            }
        }
    }
}

static void count_repeat(struct weir_txn *txn, const struct weir_batch *batch, uint32_t sink,
                         uint32_t p)
{
    const struct weir_part_tally *tally = &batch->frame.tallies[sink * batch->frame.partitions + p];

    txn->status.batches_repeated++;
    txn->status.rows_repeated += tally->rows;
    weir_log(WEIR_LOG_WARN, "batch_repeated",
             "pipeline \"%s\": batch %llu (t=%lld) partition %u is sent again though it may be in: "
             "%llu rows may show twice, from %.*s",
             txn->args.pipeline, (unsigned long long)batch->frame.id.batch,
             (long long)batch->frame.id.t, p, (unsigned long long)tally->rows,
             WEIR_STR_ARG(batch->ranges_json));
}

static int send_again(struct weir_txn *txn, struct weir_batch *batch, uint32_t sink, uint32_t p,
                      struct weir_error *err)
{
    struct weir_part *part = &batch->parts[sink][p];
    int rc;

    roll_back_later(txn, sink, batch->frame.id.batch); /* CM3 */
    rc = WEIR_FAIL_AROUND(
        recover_resend,
        txn->sinks[sink].ops->resend(txn->sinks[sink].self, batch->frame.id.batch, p, err), err);
    if (rc != WEIR_OK) {
        return weir_txn_retry(txn, &txn->sink_wait, err);
    }
    if (part->is_retry && part->step_allowed) {
        count_repeat(txn, batch, sink, p);
    }
    part->is_retry = false;
    part->sent_as_head = batch->frame.id.batch == txn->head;
    weir_part_move(part, part->step_allowed ? WEIR_PART_SENT : WEIR_PART_HELD);
    weir_txn_retry_over(txn, &txn->sink_wait);
    return WEIR_OK;
}

/* The part is refused, but no single row of it: tried again for a while, then told. */
static int note_fruitless_search(struct weir_txn *txn, struct weir_part *part,
                                 struct weir_error *err)
{
    *err = txn->refusal;
    if (++part->fruitless_searches >= FRUITLESS_SEARCHES_MAX) {
        return weir_error_context(err,
                                  "a batch is refused, though each of its rows alone is taken");
    }
    err->code = WEIR_EAWAY;
    return weir_txn_retry(txn, &txn->sink_wait, err);
}

/* A row that the server refuses is searched for only when the batch is complete and everything
 * before it is in; what was refused earlier is first sent once more (CM5). */
static int isolate(struct weir_txn *txn, struct weir_batch *batch, uint32_t sink, uint32_t p,
                   struct weir_error *err)
{
    struct weir_part *part = &batch->parts[sink][p];
    struct weir_sink_search found = { 0 };
    int rc;

    if (batch->state == WEIR_BATCH_OPEN || batch->frame.id.batch != txn->head) {
        return WEIR_OK;
    }
    if (!part->sent_as_head) {
        weir_part_move(part, WEIR_PART_AGAIN);
        return WEIR_OK;
    }
    roll_back_later(txn, sink, txn->head); /* CM3: the search takes the same row locks */
    rc = WEIR_FAIL_AROUND(
        sink_isolate,
        txn->sinks[sink].ops->isolate(txn->sinks[sink].self, batch->frame.id.batch, p, &found, err),
        err);
    if (rc != WEIR_OK) {
        return weir_txn_retry(txn, &txn->sink_wait, err);
    }
    txn->status.rows_skipped += found.skipped;
    if (found.refused > found.skipped) {
        part->refused_dead += found.refused - found.skipped;
        weir_letters_note(&txn->letters, txn->refusal.text);
    }
    weir_part_move(part, WEIR_PART_AGAIN);
    if (found.refused == 0) {
        return note_fruitless_search(txn, part, err);
    }
    part->fruitless_searches = 0;
    return WEIR_OK;
}

static int mend_part(struct weir_txn *txn, struct weir_batch *batch, uint32_t sink, uint32_t p,
                     struct weir_error *err)
{
    int rc = WEIR_OK;

    if (batch->parts[sink][p].state == WEIR_PART_ROW_BAD) {
        rc = isolate(txn, batch, sink, p, err);
    }
    if (rc == WEIR_OK && txn->sink_wait.until_us == 0 &&
        batch->parts[sink][p].state == WEIR_PART_AGAIN) {
        rc = send_again(txn, batch, sink, p, err);
    }
    return rc;
}

/* Looks, isolates and sends again, the head first, until something has to be waited for. */
static int mend(struct weir_txn *txn, struct weir_error *err)
{
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        if (txn->sink_states[s].must_look && txn->phase == WEIR_TXN_RUNNING) {
            int rc = weir_txn_look(txn, s, err);
            if (rc != WEIR_OK || txn->sink_wait.until_us != 0) {
                return rc;
            }
        }
    }
    for (uint64_t n = txn->head; n <= txn->tip.id.batch + 1; n++) {
        struct weir_batch *batch = weir_txn_slot(txn, n);
        if (batch->state == WEIR_BATCH_FREE || batch->frame.id.batch != n) {
            continue;
        }
        for (uint32_t i = 0; i < txn->args.sink_count * txn->args.partitions; i++) {
            int rc = mend_part(txn, batch, i / txn->args.partitions, i % txn->args.partitions, err);
            if (rc != WEIR_OK || txn->sink_wait.until_us != 0) {
                return rc;
            }
        }
    }
    return WEIR_OK;
}

/* --- Step and done -------------------------------------------------------------------------- */

static bool may_step(const struct weir_txn *txn, const struct weir_batch *batch)
{
    return batch->state == WEIR_BATCH_SEALED ||
           ((txn->args.mode == WEIR_TXN_AT_LEAST_ONCE || WEIR_VARIANT(commit_before_seal)) &&
            batch->state == WEIR_BATCH_SEALING);
}

static int allow_steps(struct weir_txn *txn, struct weir_batch *batch, struct weir_error *err)
{
    const struct weir_plan_frame *frame = &batch->frame;
    const struct weir_ledger_step step = {
        .batch = frame->id.batch,
        .t = frame->id.t,
        .plan = frame->id.plan,
        .previous_t = frame->previous.t,
        .previous_plan = frame->previous.plan,
        .map = frame->map,
        .definition = frame->definition,
        .ends = batch->ends,
        .ranges_json = batch->ranges_json,
        .source_rows = frame->source_rows,
        .repeat_allowed = txn->args.mode == WEIR_TXN_AT_LEAST_ONCE,
    };

    weir_assert(frame->id.batch == txn->committed.id.batch + 1 ||
                WEIR_VARIANT(step_out_of_order)); /* CM2 */
    weir_assert(batch->state == WEIR_BATCH_SEALED || txn->args.mode == WEIR_TXN_AT_LEAST_ONCE ||
                WEIR_VARIANT(commit_before_seal)); /* CM1 */
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        for (uint32_t p = 0; p < txn->args.partitions; p++) {
            struct weir_part *part = &batch->parts[s][p];
            if (part->state != WEIR_PART_HELD) {
                continue;
            }
            int rc = WEIR_FAIL_AROUND(
                sink_allow_step,
                txn->sinks[s].ops->commit(txn->sinks[s].self, frame->id.batch, p, &step, err), err);
            if (rc != WEIR_OK) {
                return rc;
            }
            part->step_allowed = true;
            weir_part_move(part, WEIR_PART_SENT);
        }
    }
    return WEIR_OK;
}

static bool is_in_everywhere(const struct weir_txn *txn, const struct weir_batch *batch)
{
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        for (uint32_t p = 0; p < txn->args.partitions; p++) {
            if (batch->parts[s][p].state != WEIR_PART_IN) {
                return false;
            }
            if (WEIR_VARIANT(done_after_one_part)) {
                return batch->state == WEIR_BATCH_SEALED;
            }
        }
    }
    return batch->state == WEIR_BATCH_SEALED;
}

static int retire(struct weir_txn *txn, struct weir_batch *batch, struct weir_error *err)
{
    const struct weir_plan_frame *frame = &batch->frame;
    int rc = WEIR_FAIL_AROUND(done_boundary,
                              weir_tip_set(&txn->committed, frame->id, frame->ranges, err), err);

    if (rc != WEIR_OK) {
        return rc;
    }
    txn->status.committed = frame->id.batch;
    txn->status.batches_committed++;
    txn->status.source_rows_committed += frame->source_rows;
    for (uint32_t i = 0; i < frame->sinks * frame->partitions; i++) {
        txn->status.rows_committed += frame->tallies[i].rows;
        weir_letters_count(txn, frame->tallies[i].dead);
    }
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        for (uint32_t p = 0; p < txn->args.partitions; p++) {
            weir_letters_count(txn, batch->parts[s][p].refused_dead);
            txn->sinks[s].ops->rollback(txn->sinks[s].self, frame->id.batch, p);
        }
        txn->sinks[s].ops->release(txn->sinks[s].self, frame->id.batch);
    }
    uint64_t lsn = batch->lsn;
    batch->state = WEIR_BATCH_FREE;
    weir_arena_reset(&batch->arena);
    txn->head++;
    txn->sink_wait.count = 0;
    return weir_txn_trim(txn, lsn, err);
}

int weir_txn_commit_step(struct weir_txn *txn, struct weir_error *err)
{
    int rc;

    if (txn->log_wait.until_us <= weir_io_mono_us(txn->args.io)) {
        txn->log_wait.until_us = 0;
    }
    rc = seal_step(txn, err);
    if (rc == WEIR_OK) {
        rc = poll_sinks(txn, err);
    }
    if (rc == WEIR_OK && txn->sink_wait.until_us <= weir_io_mono_us(txn->args.io)) {
        txn->sink_wait.until_us = 0;
        rc = mend(txn, err);
    }
    while (rc == WEIR_OK && txn->phase == WEIR_TXN_RUNNING && txn->head <= txn->tip.id.batch) {
        struct weir_batch *head = weir_txn_slot(txn, txn->head);
        if (may_step(txn, head)) {
            rc = allow_steps(txn, head, err);
        }
        if (rc == WEIR_OK && WEIR_VARIANT(step_out_of_order) && txn->head < txn->tip.id.batch &&
            may_step(txn, weir_txn_slot(txn, txn->head + 1))) {
            rc = allow_steps(txn, weir_txn_slot(txn, txn->head + 1), err);
        }
        if (rc != WEIR_OK || !is_in_everywhere(txn, head)) {
            break;
        }
        rc = WEIR_FAIL_AROUND(done_retire, retire(txn, head, err), err);
    }
    weir_letters_tell(txn);
    return rc;
}
