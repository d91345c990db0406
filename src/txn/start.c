/* start.c: takes the pipeline for this instance.
 *
 * ST1  Nothing that a ledger says is believed before every ledger carries our generation and
 *      owner token; decisions rest on rows read after the last one was taken. [T7, T8, T9]
 * ST2  The owner token is drawn for each claim, so a restored sink that hands out a generation
 *      twice cannot make two instances look alike. [T2]
 * Checked by tests/unit/txn/test_traces.c, test_between_calls.c and tests/integration/. */
#include <string.h>

#include "base/fail_point.h"
#include "base/log_line.h"
#include "base/variant.h"
#include "txn/txn_internal.h"

enum { CLAIM_TRIES_MAX = 3 };

/* The rows' count is the ledger's own P; all of them ours? */
int weir_txn_check_owner(const struct weir_txn *txn, uint32_t sink, bool *ret_went_back,
                         struct weir_error *err)
{
    const struct weir_txn_sink_state *state = &txn->sink_states[sink];

    *ret_went_back = false;
    for (uint32_t p = 0; p < state->ledger.count; p++) {
        const struct weir_ledger_row *row = &state->ledger.rows[p];
        bool is_another = memcmp(row->owner, txn->owner, sizeof(txn->owner)) != 0 &&
                          !WEIR_VARIANT(owner_not_compared);
        if (row->generation < state->generation) {
            *ret_went_back = true;
        } else if ((row->generation > state->generation || is_another) &&
                   !WEIR_VARIANT(never_fenced)) {
            return weir_error_set_reason(
                err, WEIR_EFENCED, "fenced",
                "another instance of pipeline \"%s\" took over in %s: generation %llu there, "
                "ours is %llu",
                txn->args.pipeline, txn->sinks[sink].name, (unsigned long long)row->generation,
                (unsigned long long)state->generation);
        }
    }
    return WEIR_OK;
}

static int claim_one(struct weir_txn *txn, uint32_t sink, uint64_t above, struct weir_error *err)
{
    struct weir_txn_sink_state *state = &txn->sink_states[sink];
    struct weir_claim claim = {
        .name = txn->args.pipeline,
        .uuid_known = txn->uuid_known,
        .generation_above = above,
        .definition = txn->args.fingerprint,
    };
    int rc;

    memcpy(claim.uuid, txn->uuid, sizeof(claim.uuid));
    memcpy(claim.owner, txn->owner, sizeof(claim.owner));
    rc = WEIR_FAIL_AROUND(
        start_claim,
        txn->sinks[sink].ops->claim(txn->sinks[sink].self, &claim, &state->ledger, err), err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (sink > 0 && memcmp(state->ledger.uuid, txn->uuid, sizeof(txn->uuid)) != 0) {
        return weir_error_set_reason(
            err, WEIR_ECONFLICT, "ledger_of_another",
            "%s knows pipeline \"%s\" by another uuid than %s: choose another pipeline.name, or "
            "targets that belong together",
            txn->sinks[sink].name, txn->args.pipeline, txn->sinks[0].name);
    }
    memcpy(txn->uuid, state->ledger.uuid, sizeof(txn->uuid));
    state->generation = state->ledger.generation;
    state->must_look = false;
    return WEIR_OK;
}

static int look_one(struct weir_txn *txn, uint32_t sink, struct weir_error *err)
{
    struct weir_txn_sink_state *state = &txn->sink_states[sink];
    bool went_back;
    int rc = WEIR_FAIL_AROUND(
        start_read_ledger, txn->sinks[sink].ops->look(txn->sinks[sink].self, &state->ledger, err),
        err);

    if (rc == WEIR_OK) {
        rc = weir_txn_check_owner(txn, sink, &went_back, err);
    }
    if (rc == WEIR_OK && (went_back || state->ledger.count == 0)) {
        rc = weir_error_set(err, WEIR_EAWAY, "%s went back while its ledger was being read",
                            txn->sinks[sink].name);
    }
    return rc;
}

/* The largest generation that this instance holds; 0 before its first claim. */
static uint64_t largest_generation(const struct weir_txn *txn)
{
    uint64_t generation = 0;

    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        if (txn->sink_states[s].generation > generation) {
            generation = txn->sink_states[s].generation;
        }
    }
    return generation;
}

static int claim_all(struct weir_txn *txn, struct weir_error *err)
{
    uint64_t generation = largest_generation(txn); /* a sink that went back is overtaken */
    int rc = WEIR_OK;

    if (WEIR_VARIANT(generation_not_above_own)) {
        generation = 0;
    }
    if (!txn->uuid_known) {
        rc = weir_io_random_bytes(txn->args.io, txn->uuid, sizeof(txn->uuid), err);
    }
    if (rc == WEIR_OK) {
        rc = weir_io_random_bytes(txn->args.io, txn->owner, sizeof(txn->owner), err); /* ST2 */
    }
    if (WEIR_VARIANT(owner_not_drawn)) {
        memset(txn->owner, 0, sizeof(txn->owner));
    }
    for (uint32_t s = 0; rc == WEIR_OK && s < txn->args.sink_count; s++) {
        rc = claim_one(txn, s, generation, err);
        generation = txn->sink_states[s].generation;
    }
    for (uint32_t s = 0; rc == WEIR_OK && s < txn->args.sink_count; s++) {
        if (!WEIR_VARIANT(ledger_before_claim)) {
            rc = look_one(txn, s, err); /* ST1 */
        }
    }
    if (rc == WEIR_OK) {
        txn->status.generation = generation;
        weir_log(WEIR_LOG_INFO, "generation_taken", "pipeline \"%s\": generation %llu is ours",
                 txn->args.pipeline, (unsigned long long)generation);
    }
    return rc;
}

/* Before the first claim: an instance whose tables do not fit must not shut out one that works. */
static int check_all(struct weir_txn *txn, struct weir_error *err)
{
    int rc = WEIR_OK;

    for (uint32_t s = 0; rc == WEIR_OK && s < txn->args.sink_count; s++) {
        rc = txn->sinks[s].ops->check(txn->sinks[s].self, err);
    }
    return rc;
}

int weir_txn_claim(struct weir_txn *txn, struct weir_error *err)
{
    bool is_starting = largest_generation(txn) == 0;
    int rc = is_starting ? check_all(txn, err) : WEIR_OK;

    if (rc == WEIR_OK) {
        rc = claim_all(txn, err);
    }
    /* A starter that was overtaken while it claimed has believed nothing yet: it may begin again, as
     * if it had been started a moment later. The other one is often dead: its claim was still
     * running in the server when it was killed. An instance that has run before gives way. */
    for (int i = 1; rc == WEIR_EFENCED && is_starting && i < CLAIM_TRIES_MAX; i++) {
        rc = claim_all(txn, err);
    }
    return rc;
}

static bool is_apart(const struct weir_ledger *ledger)
{
    for (uint32_t p = 1; p < ledger->count; p++) {
        if (ledger->rows[p].batch != ledger->rows[0].batch) {
            return true;
        }
    }
    return false;
}

/* Rows that are a batch apart stay as they are (rule 16). That is no obstacle to a rebuild: the batch
 * that some of them have was sealed under their P, so all that is rebuilt under ours comes before
 * it, and they have it. Where ours ends weir_txn_next() says so. */
int weir_txn_repartition(struct weir_txn *txn, bool for_rebuild, struct weir_error *err)
{
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        struct weir_txn_sink_state *state = &txn->sink_states[s];
        struct weir_claim claim = {
            .name = txn->args.pipeline,
            .uuid_known = true,
            .generation_above = state->generation,
            .definition = txn->args.fingerprint,
        };
        int rc;

        if (state->ledger.count == txn->args.partitions ||
            (for_rebuild && is_apart(&state->ledger))) {
            continue;
        }
        weir_log(WEIR_LOG_INFO, "repartition", "%s: output partitions change from %u to %u",
                 txn->sinks[s].name, state->ledger.count, txn->args.partitions);
        memcpy(claim.uuid, txn->uuid, sizeof(claim.uuid));
        memcpy(claim.owner, txn->owner, sizeof(claim.owner));
        rc = WEIR_FAIL_AROUND(
            start_repartition,
            txn->sinks[s].ops->repartition(txn->sinks[s].self, &claim, &state->ledger, err), err);
        if (rc != WEIR_OK) {
            return rc;
        }
        state->generation = state->ledger.generation;
    }
    return WEIR_OK;
}

int weir_txn_write_identity(struct weir_txn *txn, struct weir_error *err)
{
    struct weir_identity identity = {
        .name = weir_str_from(txn->args.pipeline),
        .fingerprint = txn->args.fingerprint,
        .definition = txn->args.definition,
    };
    struct weir_buf bytes = { 0 };
    int rc;

    memcpy(identity.uuid, txn->uuid, sizeof(identity.uuid));
    weir_identity_encode(&identity, &bytes);
    rc = bytes.failed ? weir_error_set(err, WEIR_ENOMEM, "no memory for the identity record")
                      : weir_wal_append(txn->wal, WEIR_FRAME_IDENTITY, bytes.data, bytes.len,
                                        &txn->identity_lsn, err);
    weir_buf_fini(&bytes);
    return rc;
}
