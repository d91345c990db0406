/* verdict.c: the table, as a plain SQL session sees it, against the list of what was sent.
 *
 * PV1  Expected is what the list in the file says, read back from disk, and what seed and id give as
 *      the body. Nothing that weir reported decides; weir.batch is only held against the same rows.
 * PV2  at_most_once may miss rows only of batches that the history says were dropped whole;
 *      at_least_once may double rows only of batches that were in flight at a fault. */
#include "prove/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SQL_BYTES = 1024 };

struct count {
    struct prove_stage *stage;
    struct prove_verdict *verdict;
    struct prove_sent *sent;           /* an entry an id */
    uint32_t *times;                   /* rows of each id */
    uint8_t *excused;                  /* ids that a batch in flight explains */
    uint64_t *id_at[PROVE_PARTITIONS]; /* id by offset */
    int64_t ends[PROVE_PARTITIONS];
};

static bool is_as_sent(const struct count *count, uint64_t id, const char *const *values)
{
    const struct prove_sent *sent = &count->sent[id];
    char body[PROVE_BODY_BYTES];

    prove_load_body(count->stage->options->seed, id, body);
    if (values[1] == NULL || strcmp(values[1], body) != 0) {
        return false;
    }
    if (count->stage->options->external != NULL || sent->state == PROVE_UNSURE) {
        return true; /* others need not write where a row came from */
    }
    return values[2] != NULL && values[3] != NULL &&
           strtoll(values[2], NULL, 10) == sent->partition &&
           strtoll(values[3], NULL, 10) == sent->offset;
}

static void take_row(void *context, const char *const *values)
{
    struct count *count = context;
    uint64_t id = values[0] == NULL ? UINT64_MAX : strtoull(values[0], NULL, 10);

    count->verdict->rows++;
    if (id >= count->stage->rows || count->sent[id].state == PROVE_NOT_SENT) {
        prove_tally_add(&count->verdict->invented, id);
        return;
    }
    count->times[id]++;
    if (!is_as_sent(count, id, values)) {
        prove_tally_add(&count->verdict->altered, id);
    }
}

/* A range of offsets of a batch whose rows may be missing, or doubled. */
static void take_excuse(void *context, const char *const *values)
{
    struct count *count = context;
    const char *slash = strrchr(values[0], '/');
    long partition = slash == NULL ? -1 : strtol(slash + 1, NULL, 10);

    if (partition < 0 || partition >= PROVE_PARTITIONS) {
        return;
    }
    int64_t end = strtoll(values[2], NULL, 10);
    for (int64_t at = strtoll(values[1], NULL, 10); at < end && at < count->ends[partition]; at++) {
        count->excused[count->id_at[partition][at]] = 1;
    }
}

/* Finds ids by their place, for the ranges of batches. */
static int index_places(struct count *count, struct weir_error *err)
{
    for (uint64_t id = 0; id < count->stage->rows; id++) {
        const struct prove_sent *sent = &count->sent[id];
        if (sent->state == PROVE_SENT && sent->partition < PROVE_PARTITIONS &&
            count->ends[sent->partition] <= sent->offset) {
            count->ends[sent->partition] = sent->offset + 1;
        }
    }
    for (int p = 0; p < PROVE_PARTITIONS; p++) {
        count->id_at[p] = calloc((size_t)count->ends[p] + 1, sizeof(*count->id_at[p]));
        if (count->id_at[p] == NULL) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory for the verdict");
        }
    }
    for (uint64_t id = 0; id < count->stage->rows; id++) {
        if (count->sent[id].state == PROVE_SENT) {
            count->id_at[count->sent[id].partition][count->sent[id].offset] = id;
        }
    }
    return WEIR_OK;
}

/* PV2: the ranges of batches that may miss rows, or have doubled ones. */
static int read_excuses(struct count *count, struct weir_error *err)
{
    const struct prove_stage *stage = count->stage;
    struct weir_buf sql = { 0 };
    int rc = index_places(count, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_printf(
        &sql,
        "SELECT r.key, r.value->>0, r.value->>1 FROM weir.batch b JOIN weir.pipeline p ON "
        "p.uuid = b.pipeline, jsonb_each(b.ranges) r WHERE p.name = '%s' AND ",
        stage->pipeline);
    if (strcmp(stage->options->mode, "at_most_once") == 0) {
        weir_buf_append_text(&sql, "b.source_rows > 0 AND b.rows = 0");
    } else {
        weir_buf_append_text(&sql, "b.batch IN (0");
        for (size_t i = 0; i < prove_event_count(stage->outcome); i++) {
            const struct prove_event *event = prove_event_at(stage->outcome, i);
            int64_t first = event->batch - PROVE_IN_FLIGHT_MAX;
            for (int64_t n = first; n <= event->batch_until + PROVE_IN_FLIGHT_MAX; n++) {
                weir_buf_printf(&sql, ",%" PRId64, n);
            }
        }
        weir_buf_append_text(&sql, ")");
    }
    weir_buf_put_u8(&sql, 0);
    rc = sql.failed
             ? weir_error_set(err, WEIR_ENOMEM, "no memory for the verdict")
             : prove_session_run(stage->look, (const char *)sql.data, take_excuse, count, err);
    weir_buf_fini(&sql);
    return rc;
}

static void count_ids(struct count *count)
{
    struct prove_verdict *verdict = count->verdict;
    struct prove_outcome *outcome = count->stage->outcome;

    for (uint64_t id = 0; id < count->stage->rows; id++) {
        bool is_missing = count->sent[id].state == PROVE_SENT && count->times[id] == 0;
        bool is_doubled = count->times[id] > 1;
        const struct prove_event *event = prove_event_of(outcome, id);

        verdict->sent += count->sent[id].state == PROVE_SENT;
        verdict->unsure += count->sent[id].state == PROVE_UNSURE;
        verdict->outside += (is_missing || is_doubled) && count->excused[id] == 0;
        if (is_missing) {
            prove_tally_add(&verdict->missing, id);
        }
        if (is_doubled) {
            prove_tally_add(&verdict->doubled, id);
        }
        if (event != NULL) {
            outcome->rows[event->kind].lost += is_missing;
            outcome->rows[event->kind].doubled += is_doubled;
        }
    }
    outcome->total.lost = verdict->missing.count;
    outcome->total.doubled = verdict->doubled.count;
}

/* The history must say the same of the rows: gapless numbers, and as many rows as there are. */
static int weigh_history(struct count *count, struct weir_error *err)
{
    struct prove_stage *stage = count->stage;
    struct prove_verdict *verdict = count->verdict;
    char sql[SQL_BYTES];
    int64_t gaps = 0;
    int rc;

    (void)snprintf(
        sql, sizeof(sql),
        "SELECT coalesce(max(batch), 0) FROM weir.batch WHERE pipeline = (SELECT uuid FROM "
        "weir.pipeline WHERE name = '%s')",
        stage->pipeline);
    rc = prove_session_number(stage->look, sql, 0, &verdict->batches, err);
    if (rc == WEIR_OK) {
        (void)snprintf(
            sql, sizeof(sql),
            "SELECT max(batch) - min(batch) + 1 - count(*) FROM weir.batch WHERE pipeline "
            "= (SELECT uuid FROM weir.pipeline WHERE name = '%s')",
            stage->pipeline);
        rc = prove_session_number(stage->look, sql, 0, &gaps, err);
    }
    if (rc == WEIR_OK && gaps != 0) {
        prove_outcome_break(stage->outcome, "the history lacks %" PRId64 " batches", gaps);
    }
    return rc;
}

static void judge(struct prove_stage *stage)
{
    struct prove_outcome *outcome = stage->outcome;
    const struct prove_verdict *verdict = &outcome->verdict;
    const char *mode = stage->options->mode;
    bool may_miss = strcmp(mode, "at_most_once") == 0;
    bool may_double = strcmp(mode, "at_least_once") == 0;

    if (verdict->missing.count > 0 && !may_miss) {
        prove_outcome_break(outcome, "%" PRIu64 " rows are missing", verdict->missing.count);
    }
    if (verdict->doubled.count > 0 && !may_double) {
        prove_outcome_break(outcome, "%" PRIu64 " rows are doubled", verdict->doubled.count);
    }
    if (verdict->altered.count > 0) {
        prove_outcome_break(outcome, "%" PRIu64 " rows are not what was sent",
                            verdict->altered.count);
    }
    if (verdict->invented.count > 0) {
        prove_outcome_break(outcome, "%" PRIu64 " rows were never sent", verdict->invented.count);
    }
    if (verdict->outside > 0 && !outcome->stopped && (may_miss || may_double) &&
        stage->options->external == NULL) {
        prove_outcome_break(outcome,
                            "%" PRIu64 " missing or doubled rows were not in flight at a "
                            "fault",
                            verdict->outside);
    }
    outcome->held = outcome->broken == 0;
}

static void free_count(struct count *count)
{
    for (int p = 0; p < PROVE_PARTITIONS; p++) {
        free(count->id_at[p]);
    }
    free(count->sent);
    free(count->times);
    free(count->excused);
}

int prove_verdict_give(struct prove_stage *stage, struct weir_error *err)
{
    struct count count = { .stage = stage, .verdict = &stage->outcome->verdict };
    bool is_ours = stage->options->external == NULL;
    char sql[SQL_BYTES];
    int rc = prove_ledger_read(stage->sent_path, stage->rows, &count.sent, err);

    count.times = calloc(stage->rows + 1, sizeof(*count.times));
    count.excused = calloc(stage->rows + 1, sizeof(*count.excused));
    if (rc == WEIR_OK && (count.times == NULL || count.excused == NULL)) {
        rc = weir_error_set(err, WEIR_ENOMEM, "no memory for the verdict");
    }
    (void)snprintf(sql, sizeof(sql), "SELECT id, body, part, pos FROM %s", stage->table);
    if (rc == WEIR_OK) {
        rc = prove_session_run(stage->look, sql, take_row, &count, err);
    }
    prove_outcome_sum(stage->outcome);
    if (rc == WEIR_OK && is_ours) {
        rc = weigh_history(&count, err);
    }
    if (rc == WEIR_OK && is_ours && strcmp(stage->options->mode, "exactly_once") != 0) {
        rc = read_excuses(&count, err);
    }
    if (rc == WEIR_OK) {
        count_ids(&count);
        judge(stage);
    }
    free_count(&count);
    return rc;
}
