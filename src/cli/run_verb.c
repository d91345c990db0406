/* run_verb.c: `weir run`: a pipeline until it is told to stop.
 *
 * SIGTERM and SIGINT finish the open batch, unless that would take long; a second SIGINT stops at
 * once. Neither loses anything: the next start recovers as after a crash. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

enum {
    TURN_US = 200 * 1000,
    PROGRESS_SECONDS = 1,
    DRAIN_SECONDS_MAX = 20, /* after that what is in flight is left to the next start */
    STOP_WAIT_SECONDS = 3,  /* the same while all of it waits for something that is away */
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

/* A stop that was asked for. */
struct stop {
    time_t since; /* 0: nobody asked */
    time_t moved; /* the last time that nothing was waited for */
};

/* Goes on with a stop that has not come to its end. Returns whether to give it up: what is sealed is
 * found again by the next start, and what is not was never taken out of its source. */
static bool give_up(weir_pipeline *pipeline, struct stop *stop, time_t now)
{
    struct weir_status status;

    weir_pipeline_status(pipeline, &status);
    bool waits = status.trouble[0] != '\0';
    if (stop->since == 0) {
        stop->since = stop->moved = now;
        cli_output_line(WEIR_LOG_INFO, "stopping", "pipeline \"%s\": stopping: %s%s",
                        weir_pipeline_name(pipeline),
                        waits ? "a batch is open, and waits: " : "finishes the open batch",
                        status.trouble);
    }
    if (!waits) {
        stop->moved = now;
    }
    if (now - stop->moved < STOP_WAIT_SECONDS && now - stop->since < DRAIN_SECONDS_MAX) {
        return false;
    }
    cli_output_line(WEIR_LOG_WARN, "stop_unfinished",
                    "pipeline \"%s\": stopped with a batch open, which the next start takes up%s%s",
                    weir_pipeline_name(pipeline), waits ? "; it waited: " : "", status.trouble);
    return true;
}

/* Until the end, an error, or a stop that is given up. */
static int run(weir_pipeline *pipeline, struct weir_error *err)
{
    struct weir_status status;
    time_t progress_at = now_seconds() + PROGRESS_SECONDS;
    struct stop stop = { 0 };
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
        if (stopping != 0 && !finished && give_up(pipeline, &stop, now)) {
            break;
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
