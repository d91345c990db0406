/* recover.c: what log and ledgers mean together, after a start or when a sink went back.
 *
 * The ledger is the truth, the log is the witness. The verdict is one of:
 *
 *   GO_ON     every ledger row is at the log's last batch: gather the next one
 *   REBUILD   some rows are behind, at batches of ours: rebuild from the plans (rule 9)
 *   FOLLOW    the ledger knows more than the log, or another instance was at work: go on from the
 *             ledger, behind a durable void record (rule 10)
 *   CATCH_UP  the same, and rows are a batch apart: first give the partitions (of any sink) that
 *             lag exactly what the others have (rule 11)
 *   START     nobody knows anything: the sources' start options decide
 *
 * or a stop that says what was found. Pipelines have no state yet, and all sources can be read
 * again, so following the ledger is always allowed.
 *
 * RC1  A batch is ours only by identity: number, t and plan digest (rule 1). [T1, T4]
 * RC2  Rows of one sink that are more than one batch apart are rebuilt when the log has all their
 *      batches: a restore that fell between two parts of a batch leaves them so, and so does the step
 *      that goes in before it is noticed. Otherwise what lies between them is not known: stop. [T5]
 * Checked by asserts tagged so, tests/unit/txn/test_traces.c, test_far_apart.c and the traces in
 * tests/integration. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/fail_point.h"
#include "base/log_line.h"
#include "base/variant.h"
#include "txn/txn_internal.h"

enum verdict { VERDICT_START, VERDICT_GO_ON, VERDICT_REBUILD, VERDICT_FOLLOW, VERDICT_CATCH_UP };

/* What is known at a recovery: all rows of all ledgers, and the log. */
struct evidence {
    const struct weir_ledger_row *lowest, *highest;
    bool all_known;    /* each row is at a batch of the log's chain */
    bool any_behind;   /* a row is at a batch before the chain's base */
    int64_t lowest_at; /* index in the chain of the lowest row, when all are known */
};

static int conflict(struct weir_error *err, const char *reason, const char *fmt, ...)
    WEIR_PRINTF(3, 4);
static int conflict(struct weir_error *err, const char *reason, const char *fmt, ...)
{
    char text[WEIR_ERROR_TEXT_BYTES];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return weir_error_set_reason(err, WEIR_ECONFLICT, reason, "%s", text);
}

static void consider(struct evidence *found, const struct weir_ledger_row *row,
                     const struct weir_log_view *view)
{
    int64_t at = weir_log_view_find(view, weir_ledger_row_id(row)); /* RC1 */

    if (at < 0) {
        found->all_known = false;
        if (view->count != 0 && row->batch < view->chain[0].id.batch) {
            found->any_behind = true;
        }
    } else if (at < found->lowest_at || WEIR_VARIANT(rebuild_from_highest)) {
        found->lowest_at = at;
    }
    if (found->lowest == NULL || row->batch < found->lowest->batch) {
        found->lowest = row;
    }
    if (found->highest == NULL || row->batch > found->highest->batch) {
        found->highest = row;
    }
}

/* Looks at every row once. */
static struct evidence gather(const struct weir_txn *txn, const struct weir_log_view *view)
{
    struct evidence found = { .all_known = true, .lowest_at = INT64_MAX };

    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        const struct weir_ledger *ledger = &txn->sink_states[s].ledger;
        for (uint32_t p = 0; p < ledger->count; p++) {
            consider(&found, &ledger->rows[p], view);
        }
    }
    weir_assert(found.lowest != NULL);
    return found;
}

/* Rows of one sink whose batches the log does not have. */
static int check_evenness(const struct weir_txn *txn, struct weir_error *err)
{
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        const struct weir_ledger *ledger = &txn->sink_states[s].ledger;
        uint64_t lowest = UINT64_MAX;
        uint64_t highest = 0;
        for (uint32_t p = 0; p < ledger->count; p++) {
            uint64_t batch = ledger->rows[p].batch;
            lowest = batch < lowest ? batch : lowest;
            highest = batch > highest ? batch : highest;
        }
        if (highest - lowest > 1) { /* RC2 */
            return conflict(err, "ledger_uneven",
                            "%s: output partitions stand at batches %llu to %llu, more than one "
                            "apart, and the log does not have them all: the database was restored "
                            "or edited in part; nothing was written",
                            txn->sinks[s].name, (unsigned long long)lowest,
                            (unsigned long long)highest);
        }
    }
    return WEIR_OK;
}

/* Rows that the ledger is to be followed by: equal numbers must be the same batch, and no two are
 * more than one batch apart, whichever sinks they are in. */
static int check_agreement(const struct weir_txn *txn, const struct evidence *found,
                           struct weir_error *err)
{
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        const struct weir_ledger *ledger = &txn->sink_states[s].ledger;
        for (uint32_t p = 0; p < ledger->count; p++) {
            struct weir_batch_id id = weir_ledger_row_id(&ledger->rows[p]);
            const struct weir_ledger_row *same =
                id.batch == found->lowest->batch ? found->lowest : found->highest;
            if (!weir_batch_id_equal(id, weir_ledger_row_id(same))) {
                return conflict(err, "ledger_mixed",
                                "%s: batch %llu of output partition %u is not the batch of that "
                                "number elsewhere: two instances wrote parts of it; nothing was "
                                "written",
                                txn->sinks[s].name, (unsigned long long)id.batch, p);
            }
        }
    }
    if (found->highest->batch - found->lowest->batch > 1) {
        return conflict(err, "sinks_disagree",
                        "the sinks stand at batches %llu and %llu, and the log that could tell "
                        "what is missing is gone; nothing was written",
                        (unsigned long long)found->lowest->batch,
                        (unsigned long long)found->highest->batch);
    }
    return WEIR_OK;
}

static int judge(const struct weir_txn *txn, const struct weir_log_view *view,
                 struct evidence *found, enum verdict *ret, struct weir_error *err)
{
    int rc;

    *found = gather(txn, view);
    if (view->count == 0 && found->highest->batch == 0) {
        *ret = VERDICT_START;
        return WEIR_OK;
    }
    if (view->count != 0 && found->all_known) {
        *ret = found->lowest_at == (int64_t)view->count - 1 ? VERDICT_GO_ON : VERDICT_REBUILD;
        return WEIR_OK;
    }
    rc = check_evenness(txn, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (found->any_behind) {
        return conflict(err, "ledger_behind",
                        "the ledger is at batch %llu, but the log reaches back only to batch %llu: "
                        "the database went back further than log.retain_bytes; nothing was written",
                        (unsigned long long)found->lowest->batch,
                        (unsigned long long)view->chain[0].id.batch);
    }
    rc = check_agreement(txn, found, err);
    if (rc == WEIR_OK) {
        *ret = found->lowest->batch == found->highest->batch ? VERDICT_FOLLOW : VERDICT_CATCH_UP;
        if (WEIR_VARIANT(follow_highest) || WEIR_VARIANT(follow_lowest)) {
            *ret = VERDICT_FOLLOW;
        }
    }
    return rc;
}

/* The first line in which two definitions differ, for messages. */
static void first_difference(struct weir_str was, struct weir_str is, struct weir_str *ret_was,
                             struct weir_str *ret_is)
{
    for (;;) {
        const char *was_end = was.len == 0 ? NULL : memchr(was.data, '\n', was.len);
        const char *is_end = is.len == 0 ? NULL : memchr(is.data, '\n', is.len);
        struct weir_str was_line = { was.data, was_end ? (size_t)(was_end - was.data) : was.len };
        struct weir_str is_line = { is.data, is_end ? (size_t)(is_end - is.data) : is.len };

        if (!weir_str_equal(was_line, is_line) || was_end == NULL || is_end == NULL) {
            *ret_was = was_line;
            *ret_is = is_line;
            return;
        }
        was = (struct weir_str){ was_end + 1, was.len - was_line.len - 1 };
        is = (struct weir_str){ is_end + 1, is.len - is_line.len - 1 };
    }
}

/* A pipeline file may change only between batches, and a ledger without a log must be that of the
 * very same definition. */
static int check_definition(const struct weir_txn *txn, const struct weir_log_view *view,
                            const struct evidence *found, enum verdict verdict,
                            struct weir_error *err)
{
    const struct weir_digest *fingerprint = &txn->args.fingerprint;
    struct weir_str was = { 0 };
    struct weir_str is = { 0 };

    if (!view->has_identity) {
        if (found->highest->batch != 0 &&
            !weir_digest_equal(found->highest->definition, *fingerprint)) {
            return conflict(
                err, "name_taken",
                "the database already knows a pipeline \"%s\" with another definition, and this "
                "data directory knows nothing of it: choose another pipeline.name, or run with the "
                "--data directory that belongs to it",
                txn->args.pipeline);
        }
        return WEIR_OK;
    }
    if (weir_digest_equal(view->identity.fingerprint, *fingerprint)) {
        return WEIR_OK;
    }
    first_difference(view->identity.definition, txn->args.definition, &was, &is);
    if (verdict == VERDICT_REBUILD || verdict == VERDICT_CATCH_UP) {
        return conflict(err, "definition_changed",
                        "the pipeline's definition changed since batch %llu was sealed, which is "
                        "not in everywhere yet: was \"%.*s\", is \"%.*s\". Run the old file once "
                        "with --until-caught-up, then the new one",
                        (unsigned long long)view->chain[view->count - 1].id.batch,
                        WEIR_STR_ARG(was), WEIR_STR_ARG(is));
    }
    weir_log(WEIR_LOG_WARN, "definition_changed",
             "pipeline \"%s\" goes on with another definition: was \"%.*s\", is \"%.*s\"",
             txn->args.pipeline, WEIR_STR_ARG(was), WEIR_STR_ARG(is));
    return WEIR_OK;
}

/* The batch that is not in everywhere was sealed under another map. Only the map itself tells which:
 * the P of the ledgers' rows is that of the last start. */
static int ask_for_map(struct weir_digest sealed_under, struct weir_error *err)
{
    struct weir_partition_map map;

    if (!weir_partition_map_find(sealed_under, &map)) {
        return conflict(
            err, "plan_mismatch",
            "a batch is not in everywhere, and it was sealed under partitions that this "
            "version of weir does not know; nothing was written");
    }
    return conflict(err, "partitions_changed",
                    "output_partitions or partition_by changed while a batch is not in everywhere: "
                    "run once with the old setting (output_partitions = %u, partition_by = '%s') "
                    "and --until-caught-up, then change it",
                    map.partitions, weir_partition_map_by(map));
}

/* Rule 16: P changes only between batches; so does the map. The batch that is to be rebuilt first
 * decides under which: the ledger's rows keep the map of the batch before it. */
static int check_partitions(struct weir_txn *txn, const struct weir_log_view *view,
                            const struct evidence *found, enum verdict verdict,
                            struct weir_error *err)
{
    bool is_rebuild = verdict == VERDICT_REBUILD;
    struct weir_digest map =
        is_rebuild ? view->chain[found->lowest_at + 1].map : found->highest->map;
    bool same_count = true;

    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        same_count = same_count && txn->sink_states[s].ledger.count == txn->args.partitions;
    }
    if (weir_digest_equal(map, txn->map) || WEIR_VARIANT(repartition_any_time) ||
        (verdict != VERDICT_REBUILD && verdict != VERDICT_CATCH_UP)) {
        return same_count ? WEIR_OK : weir_txn_repartition(txn, is_rebuild, err);
    }
    return ask_for_map(map, err);
}

int weir_txn_write_void(struct weir_txn *txn, struct weir_batch_id id, struct weir_ranges ends,
                        const char *reason, struct weir_error *err)
{
    struct weir_void_frame frame = { .id = id, .ends = ends, .reason = weir_str_from(reason) };
    struct weir_buf bytes = { 0 };
    uint64_t lsn;
    int rc;

    weir_void_frame_encode(&frame, &bytes);
    rc = bytes.failed
             ? weir_error_set(err, WEIR_ENOMEM, "no memory for a void record")
             : weir_wal_append(txn->wal, WEIR_FRAME_VOID, bytes.data, bytes.len, &lsn, err);
    if (rc == WEIR_OK) {
        rc = WEIR_FAIL_AROUND(recover_void, weir_wal_wait(txn->wal, lsn, err), err);
    }
    weir_buf_fini(&bytes);
    return rc;
}

static int decode_ends(const struct weir_ledger_row *row, struct weir_arena *arena,
                       struct weir_ranges *ret, struct weir_error *err)
{
    struct weir_reader reader = { .data = (const uint8_t *)row->ends.data, .len = row->ends.len };
    int rc = WEIR_OK;

    *ret = (struct weir_ranges){ 0 };
    if (row->ends.len != 0) { /* batch 0 has none */
        rc = weir_ranges_decode_ends(&reader, arena, ret, err);
    }
    return rc == WEIR_OK ? rc
                         : weir_error_context(err, "ledger row of partition %u", row->partition);
}

/* Goes on from the lowest row of the ledgers, behind a void record. */
static int follow(struct weir_txn *txn, const struct weir_ledger_row *row, const char *reason,
                  struct weir_error *err)
{
    struct weir_batch_id id = weir_ledger_row_id(row);
    struct weir_arena arena;
    struct weir_ranges ends;
    int rc;

    weir_arena_init(&arena, 0);
    rc = decode_ends(row, &arena, &ends, err);
    if (rc == WEIR_OK && !WEIR_VARIANT(follow_without_void)) {
        rc = weir_txn_write_void(txn, id, ends, reason, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_tip_set(&txn->tip, id, ends, err);
    }
    if (rc == WEIR_OK) {
        weir_log(WEIR_LOG_WARN, "ledger_followed",
                 "pipeline \"%s\" goes on from the ledger, after batch %llu: %s",
                 txn->args.pipeline, (unsigned long long)id.batch, reason);
    }
    weir_arena_fini(&arena);
    return rc;
}

/* Makes up the plan of the highest row's batch from the two rows: its ranges begin where the
 * lowest row ends. */
static int make_catch_up(struct weir_txn *txn, const struct evidence *found, struct weir_error *err)
{
    struct weir_plan_frame *frame = &txn->rebuild_frame;
    struct weir_ranges from;
    struct weir_digest digest;
    int rc = decode_ends(found->lowest, &txn->rebuild_arena, &from, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    *frame = (struct weir_plan_frame){
        .id = weir_ledger_row_id(found->highest),
        .previous = weir_ledger_row_id(found->lowest),
        .partitions = found->highest->partitions,
        .map = found->highest->map,
        .definition = found->highest->definition,
    };
    rc = decode_ends(found->highest, &txn->rebuild_arena, &frame->ranges, err);
    for (uint32_t i = 0; rc == WEIR_OK && i < frame->ranges.count; i++) {
        struct weir_range *range = &frame->ranges.items[i];
        const struct weir_range *before =
            weir_ranges_find(from, range->source, range->stream, range->number);
        /* A partition that the earlier row does not know appeared with this batch, and a
         * partition that appears is read from its first record. */
        range->first =
            before != NULL ? before->end : (struct weir_position){ .witness_offset = -1 };
    }
    if (rc == WEIR_OK) {
        rc = weir_plan_digest(txn->uuid, frame, &digest, err);
    }
    if (rc == WEIR_OK && !weir_digest_equal(digest, frame->id.plan)) {
        rc = conflict(
            err, "plan_mismatch",
            "batch %llu is in some sinks or output partitions only, and its plan does not "
            "come out of what the ledgers know of it and of batch %llu, which the others "
            "are at: after a restore another instance wrote there, or the source lost "
            "records in between; restore the databases to one moment; nothing was written",
            (unsigned long long)frame->id.batch, (unsigned long long)frame->previous.batch);
    }
    return rc;
}

static int catch_up(struct weir_txn *txn, const struct evidence *found, struct weir_error *err)
{
    int rc = follow(txn, found->lowest,
                    "output partitions are a batch apart, and the log does not know it", err);

    weir_arena_reset(&txn->rebuild_arena);
    if (rc == WEIR_OK) {
        rc = make_catch_up(txn, found, err);
    }
    txn->rebuild_in_log = false;
    txn->rebuild_last = found->highest->batch;
    return rc;
}

/* Opens a cursor on the first plan to be rebuilt; the tip is the batch before it. */
static int rebuild(struct weir_txn *txn, const struct weir_log_view *view,
                   const struct evidence *found, struct weir_error *err)
{
    const struct weir_log_batch *first = &view->chain[found->lowest_at + 1];
    struct weir_ranges none = { 0 };
    int rc = weir_wal_cursor_open(txn->wal, first->lsn, &txn->cursor, err);

    if (rc == WEIR_OK) {
        rc = weir_tip_set(&txn->tip, view->chain[found->lowest_at].id, none, err);
    }
    txn->rebuild_in_log = true;
    txn->rebuild_last = view->chain[view->count - 1].id.batch;
    txn->rebuild_frame.id.batch = 0;
    weir_log(WEIR_LOG_INFO, "rebuild",
             "pipeline \"%s\": batches %llu to %llu are sealed but not "
             "in everywhere",
             txn->args.pipeline, (unsigned long long)first->id.batch,
             (unsigned long long)txn->rebuild_last);
    return rc;
}

/* Everything is in. A process that dies before it gets another batch in must not leave the log longer
 * each time. */
static int go_on(struct weir_txn *txn, const struct weir_log_view *view, struct weir_error *err)
{
    const struct weir_log_batch *last = &view->chain[view->count - 1];
    int rc = weir_tip_set(&txn->tip, last->id, view->ends, err);

    return rc == WEIR_OK ? weir_txn_trim(txn, last->lsn, err) : rc;
}

static int carry_out(struct weir_txn *txn, const struct weir_log_view *view,
                     const struct evidence *found, enum verdict verdict, struct weir_error *err)
{
    switch (verdict) {
    case VERDICT_START:
        txn->phase = WEIR_TXN_STARTING;
        return weir_tip_set(&txn->tip, (struct weir_batch_id){ 0 }, (struct weir_ranges){ 0 }, err);
    case VERDICT_GO_ON:
        return go_on(txn, view, err);
    case VERDICT_REBUILD:
        return WEIR_FAIL_AROUND(recover_replay, rebuild(txn, view, found, err), err);
    case VERDICT_FOLLOW:
        return WEIR_FAIL_AROUND(recover_follow,
                                follow(txn,
                                       WEIR_VARIANT(follow_lowest) ? found->lowest : found->highest,
                                       view->count == 0 ? "the log is gone"
                                                        : "another instance was at work, or the "
                                                          "log is an older copy",
                                       err),
                                err);
    case VERDICT_CATCH_UP:
        return WEIR_FAIL_AROUND(recover_catch_up, catch_up(txn, found, err), err);
    }
    return weir_error_set(err, WEIR_EBUG, "unknown verdict %d", (int)verdict);
}

static void note_times(struct weir_txn *txn, const struct weir_log_view *view)
{
    txn->last_t = view->last_t > txn->last_t ? view->last_t : txn->last_t;
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        const struct weir_ledger *ledger = &txn->sink_states[s].ledger;
        for (uint32_t p = 0; p < ledger->count; p++) {
            if (ledger->rows[p].t > txn->last_t) {
                txn->last_t = ledger->rows[p].t;
            }
        }
    }
}

/* All rows are at batches of ours by now, or the verdict was another one (RC1). */
static void note_rows(struct weir_txn *txn)
{
    for (uint32_t s = 0; s < txn->args.sink_count; s++) {
        struct weir_txn_sink_state *state = &txn->sink_states[s];
        for (uint32_t p = 0; p < state->ledger.count; p++) {
            state->recovered[p] = weir_ledger_row_id(&state->ledger.rows[p]);
        }
    }
}

/* What is sealed and what is in, for who looks in from outside before the next batch moves them. */
static void note_places(struct weir_txn *txn)
{
    bool more_sealed = txn->rebuild_in_log && txn->rebuild_last > txn->tip.id.batch;

    txn->status.committed = txn->committed.id.batch;
    txn->status.sealed = more_sealed ? txn->rebuild_last : txn->tip.id.batch;
    txn->status.t = txn->tip.id.t;
}

int weir_txn_recover(struct weir_txn *txn, struct weir_error *err)
{
    struct weir_log_view view;
    struct evidence found = { 0 };
    enum verdict verdict = VERDICT_START;
    struct weir_wal_stat stat;
    int rc;

    /* A frame that is still being written belongs to the evidence: wait for it. */
    weir_wal_stat(txn->wal, &stat);
    rc = WEIR_VARIANT(no_wait_for_frames) ? WEIR_OK : weir_wal_wait(txn->wal, stat.last_lsn, err);
    if (rc == WEIR_OK) {
        rc = weir_log_view_read(txn->wal, &view, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    txn->phase = WEIR_TXN_RUNNING;
    txn->identity_lsn = view.identity_lsn;
    note_times(txn, &view);
    rc = WEIR_FAIL_AROUND(start_compare, judge(txn, &view, &found, &verdict, err), err);
    if (rc == WEIR_OK) {
        rc = check_definition(txn, &view, &found, verdict, err);
    }
    if (rc == WEIR_OK) {
        rc = check_partitions(txn, &view, &found, verdict, err);
    }
    if (rc == WEIR_OK) {
        found = gather(txn, &view); /* again: a change of P has made new rows */
    }
    if (rc == WEIR_OK && (!view.has_identity ||
                          !weir_digest_equal(view.identity.fingerprint, txn->args.fingerprint))) {
        rc = WEIR_FAIL_AROUND(start_identity, weir_txn_write_identity(txn, err), err);
    }
    if (rc == WEIR_OK) {
        rc = carry_out(txn, &view, &found, verdict, err);
    }
    if (rc == WEIR_OK) {
        txn->uuid_known = true;
        txn->head = txn->tip.id.batch + 1;
        rc = weir_tip_set(&txn->committed, txn->tip.id, txn->tip.ends, err);
        note_rows(txn);
        note_places(txn);
    }
    weir_log_view_fini(&view);
    return rc;
}

int weir_txn_read_rebuild(struct weir_txn *txn, struct weir_error *err)
{
    struct weir_wal_record record;
    int rc;

    if (!txn->rebuild_in_log || txn->rebuild_frame.id.batch == txn->tip.id.batch + 1) {
        return WEIR_OK;
    }
    do {
        rc = WEIR_FAIL_AROUND(recover_read_plan, weir_wal_cursor_next(txn->cursor, &record, err),
                              err);
    } while (rc == WEIR_OK && record.lsn != 0 && record.type != WEIR_FRAME_PLAN);
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_assert(record.lsn != 0); /* the view saw this plan */
    weir_arena_reset(&txn->rebuild_arena);
    /* Names in the frame are views: keep the record's bytes as long as the frame. */
    char *bytes = weir_arena_copy(&txn->rebuild_arena,
                                  (struct weir_str){ (const char *)record.bytes, record.len });
    if (bytes == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a plan");
    }
    record.bytes = (const uint8_t *)bytes;
    txn->rebuild_lsn = record.lsn;
    rc = weir_plan_frame_decode(&record, &txn->rebuild_arena, &txn->rebuild_frame, err);
    weir_assert(rc != WEIR_OK ||
                weir_batch_id_equal(txn->rebuild_frame.previous, txn->tip.id)); /* RC1 */
    return rc;
}
