/* run_verb.c: `weir run`: a pipeline until it is told to stop.
 *
 * SIGTERM and SIGINT finish the open batch; a second SIGINT stops at once, which loses nothing: the
 * next start recovers as after a crash. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "weir/log.h"

enum {
    TURN_US = 200 * 1000,
    PROGRESS_SECONDS = 1,
    DRAIN_SECONDS_MAX = 20, /* after that what is in flight is left to the next start */
    EXIT_INTERRUPTED = 130,
};

static weir_pipeline *running; /* for the signal handler; set before it is installed */
static volatile sig_atomic_t interrupts;
static volatile sig_atomic_t stopping;

static void handle_signal(int number)
{
    stopping = 1;
    if (number == SIGINT && ++interrupts > 1) {
        _exit(EXIT_INTERRUPTED);
    }
    weir_pipeline_stop(running);
}

static void install_handlers(void)
{
    struct sigaction action = { .sa_handler = handle_signal };

    (void)sigemptyset(&action.sa_mask); /* these fail only for wrong numbers */
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
}

/* A reader of our output, or a server, that goes away is no reason to die. */
static void ignore_broken_pipes(void)
{
    struct sigaction action = { .sa_handler = SIG_IGN };

    (void)sigaction(SIGPIPE, &action, NULL);
}

static time_t now_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Until the end, an error, or the limit of draining. */
static int run(weir_pipeline *pipeline, struct weir_error *err)
{
    struct weir_status status;
    time_t progress_at = now_seconds() + PROGRESS_SECONDS;
    time_t drain_until = 0;
    bool finished = false;

    while (!finished) {
        int rc = weir_pipeline_run(pipeline, TURN_US, &finished, err);
        time_t now = now_seconds();
        if (rc != WEIR_OK) {
            return rc;
        }
        if (now >= progress_at || finished) {
            weir_pipeline_status(pipeline, &status);
            cli_output_progress(weir_pipeline_name(pipeline), &status);
            progress_at = now + PROGRESS_SECONDS;
        }
        if (stopping != 0 && drain_until == 0) {
            drain_until = now + DRAIN_SECONDS_MAX;
        }
        if (drain_until != 0 && now > drain_until) {
            break; /* sealed batches are found again by the next start */
        }
    }
    return WEIR_OK;
}

int cli_run(const struct cli_args *args)
{
    const struct weir_pipeline_options options = {
        .size_bytes = sizeof(options),
        .dir = args->data_dir,
        .until_caught_up = args->until_caught_up,
    };
    struct weir_pipeline_file file;
    struct weir_error err = { 0 };
    char *text = NULL;
    int status;
    int rc;

    ignore_broken_pipes();
    cli_output_open(true, !args->no_progress);
    status = cli_read_file(args, &file, &text);
    if (status != 0) {
        return status;
    }
    rc = weir_pipeline_open(&file, &options, &running, &err);
    if (rc == WEIR_OK) {
        install_handlers();
        rc = run(running, &err);
    }
    status = rc == WEIR_OK ? EXIT_SUCCESS : cli_fail(&err); /* at once: closing may take a moment */
    /* A process that ends needs no tidy client libraries; but what they still hold open is closed
     * in order, so that the servers see an end and not a break. */
    weir_pipeline_close(running);
    cli_output_close();
    free(text);
    return status;
}
