/* look.c: after a refusal or a reconnect, the ledger says what became of the parts.
 *
 * LK1  All rows of the ledger are read in one statement before anything else is sent (rule 7).
 * LK2  The order of the questions is fixed: fenced, gone back, there, not there, gone further
 *      back, ahead where recovery found it, anything else. [T2, T5]
 * Checked by tests/unit/txn/test_traces.c, test_going_back.c, test_far_apart.c and
 * tests/integration. */
#include "base/fail_point.h"
#include "base/log_line.h"
#include "base/variant.h"
#include "txn/txn_internal.h"

/* What the row says of the head, the oldest batch that is not known to be in. */
enum finding {
    FOUND_IN,       /* the row is at this very batch, or ahead of it at one of ours */
    FOUND_NOT_IN,   /* it is at its very predecessor */
    FOUND_EARLIER,  /* at an earlier number: the sink went back */
    FOUND_STRANGER, /* anything else */
};

static enum finding compare(const struct weir_txn *txn, uint32_t sink,
                            const struct weir_ledger_row *row)
{
    const struct weir_txn_sink_state *state = &txn->sink_states[sink];
    struct weir_batch_id id = weir_ledger_row_id(row);
    const struct weir_batch *head = txn->slots + txn->head % txn->args.in_flight;
    bool head_closed = txn->head <= txn->tip.id.batch;

    if (head_closed && weir_batch_id_equal(id, head->frame.id)) {
        return FOUND_IN;
    }
    if (weir_batch_id_equal(id, txn->committed.id)) {
        return FOUND_NOT_IN;
    }
    if (WEIR_VARIANT(going_back_unnoticed)) {
        return FOUND_NOT_IN;
    }
    /* While batches are rebuilt for those that lag, the others stand where recovery found them. */
    if (id.batch > txn->head &&
        weir_batch_id_equal(id, state->recovered[row - state->ledger.rows])) {
        return FOUND_IN;
    }
    return id.batch < txn->committed.id.batch ? FOUND_EARLIER : FOUND_STRANGER;
}

/* at_most_once: a part whose fate was open and that is not in is never sent with its rows again;
 * its step goes in without them, which makes the drop final and its count exact (rule 14). Its
 * earlier COMMIT may still come first: only the ledger's row tells which of the two got in. */
static void settle(struct weir_txn *txn, struct weir_batch *batch, uint32_t sink, uint32_t p,
                   bool is_in)
{
    struct weir_part *part = &batch->parts[sink][p];

    if (part->state != WEIR_PART_DOUBTFUL) {
        return; /* still under way, or settled: its own answer will come */
    }
    if (is_in && !WEIR_VARIANT(unknown_is_not_in)) {
        weir_part_move(part, WEIR_PART_IN);
        if (part->is_dropped && txn->sink_states[sink].ledger.rows[p].rows == 0) {
            weir_txn_count_drop(txn, batch, sink, p);
        }
        return;
    }
    if (part->step_allowed && txn->args.mode == WEIR_TXN_AT_MOST_ONCE &&
        !WEIR_VARIANT(drop_sent_again)) {
        txn->sinks[sink].ops->discard_rows(txn->sinks[sink].self, batch->frame.id.batch, p);
        part->is_dropped = true;
    }
    weir_part_move(part, WEIR_PART_AGAIN);
}

/* Whether the head's part was known to be in. [T5] */
static bool was_in(const struct weir_txn *txn, uint32_t sink, uint32_t p)
{
    const struct weir_batch *head = txn->slots + txn->head % txn->args.in_flight;

    return txn->head <= txn->tip.id.batch && head->parts[sink][p].state == WEIR_PART_IN;
}

/* The sink is older than what we know to be in it: from its ledger on everything is taken up
 * again. */
static void went_back(struct weir_txn *txn, uint32_t sink, const char *how)
{
    weir_log(WEIR_LOG_WARN, "sink_went_back",
             "pipeline \"%s\": %s went back in time (%s); batches up to %llu were in",
             txn->args.pipeline, txn->sinks[sink].name, how,
             (unsigned long long)txn->committed.id.batch);
    weir_txn_rewind(txn, WEIR_TXN_CLAIMING);
}

static int settle_all(struct weir_txn *txn, uint32_t sink, struct weir_error *err)
{
    const struct weir_ledger *ledger = &txn->sink_states[sink].ledger;

    for (uint32_t p = 0; p < ledger->count; p++) {
        const struct weir_ledger_row *row =
            &ledger->rows[WEIR_VARIANT(look_at_one_partition) ? 0 : p];
        enum finding finding = compare(txn, sink, row);
        if (finding == FOUND_EARLIER || (finding == FOUND_NOT_IN && was_in(txn, sink, p))) {
            went_back(txn, sink, "its ledger is at an earlier batch");
            return WEIR_OK;
        }
        if (finding == FOUND_STRANGER) {
            return weir_error_set_reason(
                err, WEIR_ECONFLICT, "ledger_conflict",
                "%s: output partition %u is at batch %llu (t=%lld), which this instance did not "
                "write, under its own generation; nothing more was written",
                txn->sinks[sink].name, p, (unsigned long long)row->batch, (long long)row->t);
        }
    }
    for (uint32_t p = 0; p < ledger->count; p++) {
        const struct weir_ledger_row *row =
            &ledger->rows[WEIR_VARIANT(look_at_one_partition) ? 0 : p];
        for (uint32_t i = 0; i < txn->args.in_flight; i++) {
            struct weir_batch *batch = &txn->slots[i];
            if (batch->state != WEIR_BATCH_FREE) {
                bool is_in = batch->frame.id.batch <= row->batch;
                settle(txn, batch, sink, p, is_in && compare(txn, sink, row) == FOUND_IN);
            }
        }
    }
    return WEIR_OK;
}

/* at_least_once with one partition sends again what it is not sure of, without looking; rows may then
 * show twice. */
static void send_blindly(struct weir_txn *txn, uint32_t sink)
{
    for (uint32_t i = 0; i < txn->args.in_flight; i++) {
        struct weir_batch *batch = &txn->slots[i];
        for (uint32_t p = 0; batch->state != WEIR_BATCH_FREE && p < txn->args.partitions; p++) {
            struct weir_part *part = &batch->parts[sink][p];
            if (part->state == WEIR_PART_DOUBTFUL) {
                part->is_retry = true;
                weir_part_move(part, WEIR_PART_AGAIN);
            }
        }
    }
    txn->sink_states[sink].must_look = false;
}

int weir_txn_look(struct weir_txn *txn, uint32_t sink, struct weir_error *err)
{
    struct weir_txn_sink_state *state = &txn->sink_states[sink];
    bool is_older = false;
    int rc;

    bool is_single = txn->args.partitions == 1; /* several must not come apart (rule 5) */

    if (txn->args.mode == WEIR_TXN_AT_LEAST_ONCE && !state->was_refused && is_single) {
        send_blindly(txn, sink);
        return WEIR_OK;
    }
    rc = WEIR_FAIL_AROUND(recover_resolve,
                          txn->sinks[sink].ops->look(txn->sinks[sink].self, &state->ledger, err),
                          err); /* LK1 */
    if (rc != WEIR_OK) {
        return weir_txn_retry(txn, &txn->sink_wait, err);
    }
    weir_txn_retry_over(txn, &txn->sink_wait);
    state->must_look = false;
    state->was_refused = false;
    rc = weir_txn_check_owner(txn, sink, &is_older, err);
    if (rc == WEIR_OK && is_older) {
        went_back(txn, sink, "its generation is older than ours");
        return WEIR_OK;
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    /* Only now: another number of rows is that of an older or a newer owner, too. */
    if (state->ledger.count != txn->args.partitions) {
        return weir_error_set_reason(
            err, WEIR_ECONFLICT, "ledger_missing",
            "%s has %u ledger rows of pipeline \"%s\" where %u were: somebody removed them; "
            "restore schema weir, or run with another pipeline.name",
            txn->sinks[sink].name, state->ledger.count, txn->args.pipeline, txn->args.partitions);
    }
    return settle_all(txn, sink, err);
}
