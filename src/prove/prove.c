/* prove.c: the course of a proof: stage, faults, last run, verdict, reports, tidying up. */
#include "prove/prove.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "prove/faults.h"
#include "prove/verdict.h"

/* The most that a load may come to: what is sent is what the faults need. */
enum { ROWS_PER_FAULT_MAX = 20000, ROWS_LAST = 100000 };

static const double progress_tty_s = 0.2;
static const double progress_s = 10;

/* Redrawn on a terminal; a line now and then elsewhere. */
static void show_progress(const struct prove_stage *stage, uint32_t played, uint32_t count,
                          double *last)
{
    bool is_terminal = isatty(STDERR_FILENO) != 0;
    double now = prove_now();

    if (stage->options->no_progress || now - *last < (is_terminal ? progress_tty_s : progress_s)) {
        return;
    }
    *last = now;
    (void)fprintf(stderr,
                  "%sweir prove: fault %" PRIu32 " of %" PRIu32 ", %" PRIu64 " rows sent, %" PRId64
                  " seen in the table, %.0f s%s",
                  is_terminal ? "\r\033[K" : "", played, count, prove_load_settled(stage->load),
                  prove_watcher_rows(stage->watcher), now - stage->began_at,
                  is_terminal ? "" : "\n");
}

static void end_progress(const struct prove_stage *stage)
{
    if (!stage->options->no_progress && isatty(STDERR_FILENO) != 0) {
        (void)fputs("\r\033[K", stderr); /* the table comes on stdout */
    }
}

/* All faults, the last run, the verdict. */
static int play(struct prove_stage *stage, const struct prove_deck *deck, struct weir_error *err)
{
    double last = 0;
    int rc = WEIR_OK;

    for (uint32_t i = 0; i < deck->count && rc == WEIR_OK && !prove_interrupted(); i++) {
        show_progress(stage, i, deck->count, &last);
        rc = prove_fault_play(stage, (enum prove_fault)deck->kinds[i], err);
    }
    if (rc == WEIR_OK && !prove_interrupted()) {
        rc = prove_fault_finish(stage, err);
    }
    if (rc == WEIR_ECONFLICT) {
        prove_outcome_break(stage->outcome, "%s", err->text);
        stage->outcome->stopped = true;
        rc = WEIR_OK; /* that is a verdict too, and what is missing belongs to it */
    }
    end_progress(stage);
    if (rc == WEIR_OK && !prove_interrupted()) {
        prove_watcher_finish(stage->watcher, stage->outcome);
        stage->outcome->seconds = prove_now() - stage->began_at;
        rc = prove_verdict_give(stage, err);
    }
    return rc;
}

static int write_report(const char *path,
                        void (*make)(const struct prove_outcome *, struct weir_buf *),
                        const struct prove_outcome *outcome, struct weir_error *err)
{
    struct weir_buf text = { 0 };
    int rc;

    if (path == NULL) {
        return WEIR_OK;
    }
    make(outcome, &text);
    weir_buf_put_u8(&text, 0);
    rc = text.failed ? weir_error_set(err, WEIR_ENOMEM, "no memory for a report")
                     : prove_place_write(path, (const char *)text.data, err);
    weir_buf_fini(&text);
    return rc;
}

static int report(const struct prove_outcome *outcome, struct weir_error *err)
{
    int rc = write_report(outcome->options->json_path, prove_report_json, outcome, err);

    if (rc == WEIR_OK) {
        rc = write_report(outcome->options->report_path, prove_report_html, outcome, err);
    }
    prove_report_text(outcome);
    return rc;
}

/* Reports that could not be written would be found out about after hours. */
static int check_paths(const struct prove_options *options, struct weir_error *err)
{
    const char *const paths[] = { options->json_path, options->report_path };
    int rc = WEIR_OK;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && rc == WEIR_OK; i++) {
        rc = paths[i] == NULL ? WEIR_OK : prove_place_check_file(paths[i], err);
    }
    return rc;
}

int prove_run(const struct prove_options *options, int *ret_status, struct weir_error *err)
{
    struct prove_outcome outcome = { .options = options,
                                     .version = WEIR_VERSION,
                                     .began = time(NULL) };
    struct prove_stage stage = {
        .options = options,
        .outcome = &outcome,
        .chance = { .seed = prove_mix(options->seed, 2) },
        .began_at = prove_now(),
        .child_brokers = options->brokers,
        .child_dsn = options->dsn,
    };
    struct prove_deck deck = { 0 };
    int rc = check_paths(options, err);

    if (rc == WEIR_OK) {
        rc = prove_deck_deal(options, &deck, err);
    }
    prove_catch_interrupts();
    outcome.asked = deck.count;
    stage.rows =
        options->rows != 0 ? options->rows : (uint64_t)deck.count * ROWS_PER_FAULT_MAX + ROWS_LAST;
    if (rc == WEIR_OK) {
        rc = prove_points_init(&stage.points, &stage.chance, err);
    }
    if (rc == WEIR_OK) {
        stage.wants_proxies = prove_deck_needs_proxies(&deck);
        rc = prove_stage_open(&stage, err);
    }
    if (rc == WEIR_OK) {
        rc = play(&stage, &deck, err);
        bool interrupted = prove_interrupted();
        if (rc == WEIR_OK && !interrupted) {
            rc = report(&outcome, err);
        }
        prove_stage_close(&stage, !interrupted && (rc != WEIR_OK || !outcome.held));
        *ret_status = interrupted    ? PROVE_EXIT_INTERRUPTED
                      : outcome.held ? PROVE_EXIT_HELD
                                     : PROVE_EXIT_BROKEN;
        if (interrupted) {
            (void)fprintf(stderr, "weir prove: interrupted, nothing is proven; cleaned up\n");
            rc = WEIR_OK;
        }
    }
    prove_points_fini(&stage.points);
    prove_deck_fini(&deck);
    prove_outcome_fini(&outcome);
    return rc;
}
