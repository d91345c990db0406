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

#include "prove/history.h"

enum { SQL_BYTES = 1024 };

struct count {
    struct prove_stage *stage;
    struct prove_verdict *verdict;
    struct prove_sent *sent; /* an entry an id */
    uint32_t *times;         /* rows of each id */
    uint8_t *excused;        /* ids that a batch in flight at a fault explains */
};

static bool is_as_sent(const struct count *count, uint64_t id, const char *const *values)
{
    const struct prove_sent *sent = &count->sent[id];
    char body[PROVE_BODY_BYTES];

    if (count->stage->options->pipeline != NULL) {
        return true; /* what it makes of a message is its own affair */
    }
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
    if (outcome->total.tried == 0) {
        prove_outcome_break(outcome, "no fault was played, so nothing is proven");
    }
    if (verdict->rows == 0 && stage->options->external != NULL) {
        prove_outcome_break(outcome, "the command never wrote a row; what it said is in %s",
                            stage->log_path);
    }
    outcome->held = outcome->broken == 0;
}

static void free_count(struct count *count)
{
    free(count->sent);
    free(count->times);
    free(count->excused);
}

int prove_verdict_give(struct prove_stage *stage, struct weir_error *err)
{
    struct count count = { .stage = stage, .verdict = &stage->outcome->verdict };
    bool is_ours = stage->options->external == NULL;
    bool is_guest = stage->options->pipeline != NULL;
    char sql[SQL_BYTES];
    int rc = prove_ledger_read(stage->sent_path, stage->rows, &count.sent, err);

    count.times = calloc(stage->rows + 1, sizeof(*count.times));
    count.excused = calloc(stage->rows + 1, sizeof(*count.excused));
    if (rc == WEIR_OK && (count.times == NULL || count.excused == NULL)) {
        rc = weir_error_set(err, WEIR_ENOMEM, "no memory for the verdict");
    }
    count.verdict->knows_contents = !is_guest;
    count.verdict->sees_doubles = !is_guest || !stage->fitting.is_upsert;
    (void)snprintf(sql, sizeof(sql), "SELECT id%s FROM %s", is_guest ? "" : ", body, part, pos",
                   stage->table);
    if (rc == WEIR_OK) {
        rc = prove_session_run(stage->look, sql, take_row, &count, err);
    }
    prove_outcome_sum(stage->outcome);
    if (rc == WEIR_OK && is_ours) {
        const struct prove_ids ids = { count.sent, count.times, count.excused };
        rc = prove_history_check(stage, &ids, err);
    }
    if (rc == WEIR_OK) {
        count_ids(&count);
        judge(stage);
    }
    free_count(&count);
    return rc;
}
