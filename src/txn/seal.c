/* seal.c: closes a batch: what it holds goes into its plan, and a batch that is rebuilt is compared
 * with how it was sealed.
 *
 * SL1  A batch that is rebuilt must come out as it was sealed: the same plan, and in each part the
 *      same rows (rule 12). Otherwise it is planned anew, if nobody holds any of it, or stops.
 * SL2  Plans are given up only when everything before them is in: a void record that stood before a
 *      batch in flight would take away the plan of that batch.
 * SL3  A plan of other output partitions than ours that somebody holds stops the pipeline, but only
 *      when all before it is in: else each of the two settings would ask for the other (rule 16).
 * Checked by asserts tagged SL2 and SL3, tests/unit/txn/test_traces.c and test_going_back.c. */
#include <stdio.h>

#include "base/assert.h"
#include "base/log_line.h"
#include "base/variant.h"
#include "txn/txn_internal.h"

static int finish_sinks(struct weir_txn *txn, struct weir_batch *batch, struct weir_error *err)
{
    struct weir_plan_frame *frame = &batch->frame;
    struct weir_sink_tally tallies[WEIR_OUTPUT_PARTITIONS_MAX];

    frame->tallies = weir_arena_calloc(&batch->arena, (size_t)frame->sinks * frame->partitions,
                                       sizeof(*frame->tallies));
    if (frame->tallies == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for the plan of a batch");
    }
    for (uint32_t s = 0; s < frame->sinks; s++) {
        int rc = txn->sinks[s].ops->finish(txn->sinks[s].self, frame->id.batch, tallies, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        for (uint32_t p = 0; p < frame->partitions; p++) {
            frame->tallies[s * frame->partitions + p] = (struct weir_part_tally){
                .rows = tallies[p].rows, .dead = tallies[p].dead, .digest = tallies[p].digest
            };
        }
    }
    return WEIR_OK;
}

/* Makes the texts that go into the ledger. */
static int print_ranges(struct weir_batch *batch, struct weir_error *err)
{
    struct weir_buf buf = { 0 };
    const char *ends;
    const char *json;
    size_t ends_len;

    weir_ranges_encode_ends(batch->frame.ranges, &buf);
    ends_len = buf.len;
    ends = buf.failed ? NULL
                      : weir_arena_copy(&batch->arena,
                                        (struct weir_str){ (const char *)buf.data, buf.len });
    weir_buf_reset(&buf);
    weir_ranges_print(batch->frame.ranges, false, &buf);
    json = buf.failed ? NULL
                      : weir_arena_copy(&batch->arena,
                                        (struct weir_str){ (const char *)buf.data, buf.len });
    batch->ends = (struct weir_str){ ends, ends_len };
    batch->ranges_json = (struct weir_str){ json, buf.len };
    weir_buf_fini(&buf);
    return ends != NULL && json != NULL
               ? WEIR_OK
               : weir_error_set(err, WEIR_ENOMEM, "no memory for the plan of a batch");
}

static bool same_tallies(const struct weir_plan_frame *a, const struct weir_plan_frame *b)
{
    if (a->sinks != b->sinks || a->partitions != b->partitions) {
        return false;
    }
    for (uint32_t i = 0; i < a->sinks * a->partitions; i++) {
        if (a->tallies[i].rows != b->tallies[i].rows || a->tallies[i].dead != b->tallies[i].dead ||
            !weir_digest_equal(a->tallies[i].digest, b->tallies[i].digest)) {
            return false;
        }
    }
    return true;
}

static bool held_somewhere(const struct weir_txn *txn, uint64_t batch)
{
    for (uint32_t s = 0; s < txn->args.sink_count && !WEIR_VARIANT(planned_anew_though_held); s++) {
        for (uint32_t p = 0; p < txn->sink_states[s].ledger.count; p++) {
            if (txn->sink_states[s].ledger.rows[p].batch >= batch) {
                return true;
            }
        }
    }
    return false;
}

/* A sealed batch cannot be written as it was sealed. It is planned anew only when the ledgers, read
 * under our own generation, show that nobody holds any of it (rule 12). Ledger rows were read when
 * this recovery began; only batches before this one have been written since. */
static int want_new_plan(struct weir_txn *txn, const char *why, struct weir_error *err)
{
    uint64_t n = txn->tip.id.batch + 1;

    if (held_somewhere(txn, n)) {
        return weir_error_set_reason(err, WEIR_ECONFLICT, "plan_mismatch",
                                     "batch %llu is in some sink or output partition and cannot be "
                                     "rebuilt as it was sealed: %s; nothing more was written",
                                     (unsigned long long)n, why);
    }
    if (txn->open != NULL) {
        weir_txn_forget(txn, txn->open);
        txn->open = NULL;
    }
    (void)snprintf(txn->new_plan_why, sizeof(txn->new_plan_why), "%s", why);
    txn->epoch++;
    return WEIR_OK;
}

bool weir_txn_is_of_other_partitions(const struct weir_txn *txn)
{
    return !weir_digest_equal(txn->rebuild_frame.map, txn->map) &&
           held_somewhere(txn, txn->rebuild_frame.id.batch);
}

int weir_txn_want_other_partitions(const struct weir_txn *txn, struct weir_error *err)
{
    const struct weir_plan_frame *frame = &txn->rebuild_frame;

    weir_assert(weir_txn_in_flight(txn) == 0); /* SL3 */
    return weir_error_set_reason(
        err, WEIR_ECONFLICT, "partitions_changed",
        "a sink went back over a change of output_partitions or partition_by: batch %llu, which "
        "is in elsewhere, was sealed under another setting (output_partitions = %u); all before it "
        "is in, go on with that setting",
        (unsigned long long)frame->id.batch, frame->partitions);
}

int weir_txn_plan_anew(struct weir_txn *txn, struct weir_error *err)
{
    struct weir_ranges from = txn->rebuild_frame.ranges;
    int rc;

    weir_assert(weir_batch_id_equal(txn->committed.id, txn->tip.id)); /* SL2 */
    for (uint32_t i = 0; i < from.count; i++) {
        from.items[i].end = from.items[i].first;
    }
    rc = weir_txn_write_void(txn, txn->tip.id, from, txn->new_plan_why, err);
    if (rc == WEIR_OK) {
        rc = weir_tip_set(&txn->tip, txn->tip.id, from, err);
    }
    if (rc != WEIR_OK) {
        return weir_txn_retry(txn, &txn->log_wait, err);
    }
    weir_txn_retry_over(txn, &txn->log_wait);
    weir_log(WEIR_LOG_WARN, "planned_anew",
             "pipeline \"%s\": batches %llu to %llu were sealed but are in nowhere, and are "
             "planned anew: %s",
             txn->args.pipeline, (unsigned long long)txn->tip.id.batch + 1,
             (unsigned long long)txn->rebuild_last, txn->new_plan_why);
    txn->status.sealed = txn->tip.id.batch; /* the void record takes the others back */
    weir_txn_end_rebuild(txn);
    return WEIR_OK;
}

int weir_txn_unreadable(weir_txn *txn, const struct weir_error *cause, struct weir_error *err)
{
    if (txn->tip.id.batch + 1 > txn->rebuild_last || held_somewhere(txn, txn->tip.id.batch + 1)) {
        *err = *cause;
        return cause->code;
    }
    return want_new_plan(txn, cause->text, err);
}

int weir_txn_seal(weir_txn *txn, struct weir_ranges ranges, uint64_t source_rows,
                  struct weir_error *err)
{
    struct weir_batch *batch = txn->open;
    struct weir_plan_frame *frame = &batch->frame;
    int rc;

    weir_assert(batch != NULL);
    frame->source_rows = source_rows;
    rc = weir_ranges_copy(&batch->arena, ranges, &frame->ranges, err);
    if (rc == WEIR_OK) {
        rc = finish_sinks(txn, batch, err);
    }
    if (rc == WEIR_OK) {
        rc = print_ranges(batch, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_plan_digest(txn->uuid, frame, &frame->id.plan, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (frame->id.batch <= txn->rebuild_last) {
        if (!weir_digest_equal(frame->id.plan, txn->rebuild_frame.id.plan) &&
            !WEIR_VARIANT(rebuilt_not_compared)) {
            return want_new_plan(txn, "its plan comes out otherwise", err);
        }
        if (batch->check_tallies && !WEIR_VARIANT(rebuilt_not_compared) &&
            !same_tallies(frame, &txn->rebuild_frame)) { /* SL1 */
            return want_new_plan(txn, "its rows come out otherwise", err);
        }
        txn->status.batches_rebuilt++;
    }
    batch->state = WEIR_BATCH_CLOSED;
    txn->open = NULL;
    if (frame->id.batch == txn->rebuild_last) {
        weir_txn_end_rebuild(txn); /* its cursor would keep the log from being trimmed */
    }
    return weir_tip_set(&txn->tip, frame->id, frame->ranges, err);
}
