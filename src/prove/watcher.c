/* watcher.c: the second reader.
 *
 * Threads  One of its own with a session of its own; others read a count, which is atomic.
 * PW1  Each look is one snapshot (REPEATABLE READ) of table and history.
 * PW2  What was seen once never goes: each look holds every id of the look before.
 * PW3  A batch is all or nothing: the table holds as many rows as the batches of the history made.
 * PW4  The last batch never goes back.
 * What breaks a rule is told in words, in the outcome.
 *
 * A look is a bit for each id and a count for each 64 of them, so a million rows are 16 000 short
 * lines; the reader rests three times as long as a look takes, so that it is not itself the load. */
#include "prove/watcher.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prove/moment.h"
#include "prove/session.h"

enum { PAUSE_MS = 50, PAUSE_PER_LOOK = 3, SQL_BYTES = 1024, LAST_LOOK_TRIES = 60 };

struct prove_watcher {
    struct prove_watcher_args args;
    struct prove_session *session;
    pthread_t thread;
    bool has_thread;
    atomic_bool closing;
    atomic_int_fast64_t rows;
    uint64_t *seen, *now; /* a bit an id: the look before, this look */
    uint64_t words;
    int64_t rows_now;
    int64_t batch, batch_rows; /* of the history: the last one, and the rows of all up to it */
    int64_t batch_now, batch_rows_now;
    bool has_history;
    struct prove_outcome found; /* looks, samples, notes */
};

static void take_ids(void *context, const char *const *values)
{
    struct prove_watcher *watcher = context;
    uint64_t word = values[0] == NULL ? UINT64_MAX : strtoull(values[0], NULL, 10);

    watcher->rows_now += strtoll(values[2], NULL, 10);
    if (word < watcher->words && values[1] != NULL) { /* ids that nobody sent: the verdict's */
        watcher->now[word] = (uint64_t)strtoll(values[1], NULL, 10);
    }
}

static void take_history(void *context, const char *const *values)
{
    struct prove_watcher *watcher = context;

    watcher->batch_now = strtoll(values[0], NULL, 10);
    watcher->batch_rows_now = watcher->batch_rows + strtoll(values[1], NULL, 10);
}

/* The history may not be there before the first start. */
static int find_history(struct prove_watcher *watcher, struct weir_error *err)
{
    int64_t there = 0;
    int rc = WEIR_OK;

    if (!watcher->has_history && watcher->args.pipeline != NULL) {
        rc = prove_session_number(watcher->session,
                                  "SELECT (pg_catalog.to_regclass('weir.batch') IS NOT NULL)::int",
                                  0, &there, err);
        watcher->has_history = there != 0;
    }
    return rc;
}

/* PW1. The history is immutable below the last batch that was seen, and only a window of it is
 * kept: rows are summed on from there. */
static int read_snapshot(struct prove_watcher *watcher, struct weir_error *err)
{
    char sql[SQL_BYTES];
    int rc = prove_session_run(watcher->session, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                               NULL, NULL, err);

    watcher->rows_now = 0;
    memset(watcher->now, 0, watcher->words * sizeof(*watcher->now));
    if (rc == WEIR_OK) {
        (void)snprintf(sql, sizeof(sql),
                       "SELECT id / 64, bit_or(1::bigint << (id %% 64)::int), count(*) FROM %s "
                       "GROUP BY 1",
                       watcher->args.table);
        rc = prove_session_run(watcher->session, sql, take_ids, watcher, err);
    }
    if (rc == WEIR_OK && watcher->has_history) {
        (void)snprintf(sql, sizeof(sql),
                       "SELECT coalesce(max(batch), 0), coalesce(sum(rows - refused) FILTER (WHERE "
                       "batch > %" PRId64
                       "), 0) FROM weir.batch b JOIN weir.pipeline p ON p.uuid = "
                       "b.pipeline WHERE p.name = '%s'",
                       watcher->batch, watcher->args.pipeline);
        rc = prove_session_run(watcher->session, sql, take_history, watcher, err);
    }
    if (rc == WEIR_OK) {
        rc = prove_session_run(watcher->session, "COMMIT", NULL, NULL, err);
    } else {
        struct weir_error ignored; /* the session may be gone, and its transaction with it */
        (void)prove_session_run(watcher->session, "ROLLBACK", NULL, NULL, &ignored);
    }
    return rc;
}

static void judge(struct prove_watcher *watcher, double at)
{
    struct prove_outcome *found = &watcher->found;
    uint64_t gone = 0;
    uint64_t first = 0;

    for (uint64_t w = 0; w < watcher->words; w++) {
        uint64_t bits = watcher->seen[w] & ~watcher->now[w];
        if (bits != 0 && gone == 0) {
            first = w * 64 + (uint64_t)__builtin_ctzll(bits);
        }
        gone += (uint64_t)__builtin_popcountll(bits);
    }
    if (gone > 0) { /* PW2 */
        prove_outcome_break(found,
                            "%.2f s: %" PRIu64 " rows that were seen are gone, the first is "
                            "id %" PRIu64,
                            at, gone, first);
    }
    if (watcher->has_history && watcher->batch_now < watcher->batch) { /* PW4 */
        prove_outcome_break(found,
                            "%.2f s: the history went back from batch %" PRId64 " to %" PRId64, at,
                            watcher->batch, watcher->batch_now);
    }
    if (watcher->has_history &&
        (watcher->args.rows_may_repeat ? watcher->rows_now < watcher->batch_rows_now
                                       : watcher->rows_now != watcher->batch_rows_now)) { /* PW3 */
        prove_outcome_break(found,
                            "%.2f s: %" PRId64
                            " rows are in the table, but the batches up to %" PRId64
                            " made %" PRId64,
                            at, watcher->rows_now, watcher->batch_now, watcher->batch_rows_now);
    }
}

/* Returns false when the database was away. */
static bool look(struct prove_watcher *watcher)
{
    struct weir_error err = { 0 };
    double at = prove_now() - watcher->args.began_at;
    int rc = find_history(watcher, &err);

    if (rc == WEIR_OK) {
        rc = read_snapshot(watcher, &err);
    }
    if (rc != WEIR_OK) {
        if (rc != WEIR_EAWAY) {
            prove_outcome_break(&watcher->found, "%.2f s: the second reader cannot read: %s", at,
                                err.text);
        }
        return false;
    }
    judge(watcher, at);
    const struct prove_sample sample = { at, watcher->rows_now, watcher->batch_now };
    weir_buf_append(&watcher->found.samples, &sample, sizeof(sample));
    uint64_t *words = watcher->seen;
    watcher->seen = watcher->now;
    watcher->now = words;
    watcher->batch = watcher->batch_now;
    watcher->batch_rows = watcher->batch_rows_now;
    watcher->found.looks++;
    atomic_store(&watcher->rows, watcher->rows_now);
    return true;
}

static void *work(void *context)
{
    struct prove_watcher *watcher = context;

    while (!atomic_load(&watcher->closing)) {
        double began = prove_now();
        (void)look(watcher); /* away: the next look finds what became of it */
        double pause = PAUSE_MS / 1000.0 + PAUSE_PER_LOOK * (prove_now() - began);
        while (pause > 0 && !atomic_load(&watcher->closing)) {
            prove_sleep(PAUSE_MS / 1000.0);
            pause -= PAUSE_MS / 1000.0;
        }
    }
    for (int i = 0; i < LAST_LOOK_TRIES && !look(watcher) && !prove_interrupted(); i++) {
        prove_sleep(1);
    }
    return NULL;
}

int prove_watcher_open(const struct prove_watcher_args *args, struct prove_watcher **ret,
                       struct weir_error *err)
{
    struct prove_watcher *watcher = calloc(1, sizeof(*watcher));
    int rc = watcher == NULL ? weir_error_set(err, WEIR_ENOMEM, "no memory for the second reader")
                             : prove_session_open(args->dsn, "weir prove: second reader",
                                                  &watcher->session, err);

    if (rc == WEIR_OK) {
        watcher->args = *args;
        watcher->words = args->ids / 64 + 1;
        watcher->seen = calloc(watcher->words, sizeof(*watcher->seen));
        watcher->now = calloc(watcher->words, sizeof(*watcher->now));
        if (watcher->seen == NULL || watcher->now == NULL ||
            pthread_create(&watcher->thread, NULL, work, watcher) != 0) {
            rc = weir_error_set(err, WEIR_ENOMEM, "no memory for the second reader");
        } else {
            watcher->has_thread = true;
        }
    }
    if (rc != WEIR_OK) {
        prove_watcher_close(watcher);
        return rc;
    }
    *ret = watcher;
    return WEIR_OK;
}

int64_t prove_watcher_rows(const struct prove_watcher *watcher)
{
    return atomic_load(&watcher->rows);
}

static void join(struct prove_watcher *watcher)
{
    atomic_store(&watcher->closing, true);
    if (watcher->has_thread) {
        (void)pthread_join(watcher->thread, NULL); /* fails only for a thread that is not ours */
        watcher->has_thread = false;
    }
}

void prove_watcher_finish(struct prove_watcher *watcher, struct prove_outcome *outcome)
{
    char *line = watcher->found.notes;
    uint64_t told = 0;

    join(watcher);
    outcome->looks = watcher->found.looks;
    outcome->samples = watcher->found.samples;
    watcher->found.samples = (struct weir_buf){ 0 }; /* the outcome owns it now */
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        prove_outcome_break(outcome, "%s", line);
        told++;
    }
    outcome->broken += watcher->found.broken - told;
}

void prove_watcher_close(struct prove_watcher *watcher)
{
    if (watcher == NULL) {
        return;
    }
    join(watcher);
    prove_session_close(watcher->session);
    prove_outcome_fini(&watcher->found);
    free(watcher->seen);
    free(watcher->now);
    free(watcher);
}
