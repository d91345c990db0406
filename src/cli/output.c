/* output.c: everything the command says on stderr.
 *
 * On a terminal: lines for people, and one progress line that is redrawn in place. Elsewhere: one
 * JSON object a line, for a log collector. Lines come from weir's threads one at a time. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "weir/log.h"

static struct {
    bool is_terminal;
    bool want_progress;
    bool line_is_open; /* a progress line stands on the terminal */
    struct timespec last;
    uint64_t last_rows;
} output;

static const char *const level_names[] = {
    [WEIR_LOG_DEBUG] = "debug",
    [WEIR_LOG_INFO] = "info",
    [WEIR_LOG_WARN] = "warn",
    [WEIR_LOG_ERROR] = "error",
};

/* Text as the inside of a JSON string. */
static void print_json_text(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            (void)fprintf(stderr, "\\%c", c);
        } else if (c == '\n') {
            (void)fputs("\\n", stderr);
        } else if (c < 0x20) {
            (void)fprintf(stderr, "\\u%04x", c);
        } else {
            (void)fputc(c, stderr);
        }
    }
}

static void print_time(void)
{
    struct timespec now;
    struct tm parts;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    (void)gmtime_r(&now.tv_sec, &parts);
    (void)fprintf(stderr, "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ", parts.tm_year + 1900,
                  parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                  now.tv_nsec / 1000);
}

static void print_head(enum weir_log_level level, const char *event, const char *message)
{
    (void)fputs("{\"at\":\"", stderr);
    print_time();
    (void)fprintf(stderr, "\",\"level\":\"%s\",\"event\":\"%s\",\"message\":\"", level_names[level],
                  event);
    print_json_text(message);
    (void)fputs("\"", stderr);
}

static void end_progress_line(void)
{
    if (output.line_is_open) {
        (void)fputs("\r\033[K", stderr);
        output.line_is_open = false;
    }
}

static void print_line(void *context, enum weir_log_level level, const char *event,
                       const char *message)
{
    (void)context;
    if (output.is_terminal) {
        end_progress_line();
        (void)fprintf(stderr, "weir: %s%s\n", level >= WEIR_LOG_WARN ? "warning: " : "", message);
        return;
    }
    print_head(level, event, message);
    (void)fputs("}\n", stderr);
}

void cli_output_open(bool want_progress)
{
    output.is_terminal = isatty(STDERR_FILENO) != 0;
    output.want_progress = want_progress;
    (void)clock_gettime(CLOCK_MONOTONIC, &output.last);
    /* One write a line: lines of several processes on one stream stay whole. */
    static char buffer[16 * 1024];
    (void)setvbuf(stderr, buffer, _IOLBF, sizeof(buffer));
    weir_log_set(print_line, NULL, WEIR_LOG_INFO);
}

static double seconds_since_last(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)(now.tv_sec - output.last.tv_sec) +
                     (double)(now.tv_nsec - output.last.tv_nsec) / 1e9;
    output.last = now;
    return seconds;
}

static void format_lag(const struct weir_status *status, char *ret, size_t ret_bytes)
{
    if (status->lag_known) {
        (void)snprintf(ret, ret_bytes, "%" PRId64, status->lag);
    } else {
        (void)snprintf(ret, ret_bytes, "?");
    }
}

void cli_output_progress(const char *pipeline, const struct weir_status *status)
{
    char lag[32];
    char lost[48] = "";
    char text[768];
    double seconds = seconds_since_last();
    double rate =
        seconds > 0 ? (double)(status->rows_read_committed - output.last_rows) / seconds : 0;

    output.last_rows = status->rows_read_committed;
    if (!output.want_progress) {
        return;
    }
    format_lag(status, lag, sizeof(lag));
    if (status->rows_lost != 0) {
        (void)snprintf(lost, sizeof(lost), ", lost %" PRIu64, status->rows_lost);
    }
    (void)snprintf(text, sizeof(text),
                   "%s: %s, %.0f rows/s, lag %s, batch %" PRIu64 ", sealed %" PRIu64
                   ", committed %" PRIu64 "%s%s%s",
                   pipeline, status->phase, rate, lag, status->batch, status->sealed,
                   status->committed, lost,
                   status->trouble[0] == '\0' ? "" : "; waiting: ", status->trouble);
    if (output.is_terminal) {
        (void)fprintf(stderr, "\r\033[K%s", text);
        (void)fflush(stderr);
        output.line_is_open = true;
        return;
    }
    print_head(WEIR_LOG_INFO, "progress", text);
    (void)fprintf(
        stderr,
        ",\"phase\":\"%s\",\"rows_per_s\":%.0f,\"lag\":%s,\"batch\":%" PRIu64 ",\"sealed\":%" PRIu64
        ",\"committed\":%" PRIu64 ",\"generation\":%" PRIu64 ",\"rows_read\":%" PRIu64
        ",\"rows_committed\":%" PRIu64 ",\"rows_written\":%" PRIu64 ",\"rows_dead\":%" PRIu64
        ",\"rows_skipped\":%" PRIu64 ",\"rows_lost\":%" PRIu64 ",\"rows_dropped\":%" PRIu64
        ",\"rows_repeated\":%" PRIu64 ",\"reconnects\":%" PRIu64 ",\"unknown_fields\":%" PRIu64
        ",\"log_backend\":\"%s\",\"log_records\":%" PRIu64 ",\"log_writes\":%" PRIu64
        ",\"log_bytes\":%" PRIu64 ",\"log_segments\":%" PRIu64 ",\"log_late_segments\":%" PRIu64
        ",\"log_no_space\":%s}\n",
        status->phase, rate, status->lag_known ? lag : "null", status->batch, status->sealed,
        status->committed, status->generation, status->rows_read, status->rows_read_committed,
        status->rows_written, status->rows_dead, status->rows_skipped, status->rows_lost,
        status->rows_dropped, status->rows_repeated, status->reconnects, status->unknown_fields,
        status->log_backend, status->log_records, status->log_writes, status->log_bytes,
        status->log_segments, status->log_late_segments, status->log_no_space ? "true" : "false");
}

void cli_output_close(void)
{
    if (output.line_is_open) {
        (void)fputc('\n', stderr);
        output.line_is_open = false;
    }
    weir_log_set(NULL, NULL, WEIR_LOG_ERROR);
}

int cli_fail(const struct weir_error *err)
{
    cli_output_close();
    if (output.is_terminal || err->code == WEIR_ECONFIG) {
        /* What is wrong with a pipeline file is several lines, as of a compiler. */
        (void)fprintf(stderr, "%s%s\n",
                      err->code == WEIR_ECONFIG ? "" : "weir: error: ", err->text);
    } else {
        print_head(WEIR_LOG_ERROR, err->reason[0] != '\0' ? err->reason : "failed", err->text);
        (void)fprintf(stderr, ",\"code\":\"%s\"}\n", weir_error_name(err->code));
    }
    return weir_error_exit_status(err->code);
}
