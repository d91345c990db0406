/* output.c: everything the command says on stderr.
 *
 * On a terminal: lines for people, and one progress line that is redrawn in place. Elsewhere: one
 * JSON object a line, for a log collector. Lines come from weir's threads one at a time.
 * O1  Nobody waits for a reader: a line that stderr does not take at once (a full pipe, a terminal
 *     that was stopped) is dropped and counted, and the next one that is taken tells how many.
 * O2  What is told of data is on one line and holds no control character, on a terminal too. */
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "weir/log.h"

enum {
    LINE_BYTES_MAX = PIPE_BUF, /* of so much a ready pipe takes all: O1 */
    TAIL_BYTES_MAX = 1024,     /* what follows a message: the numbers of a progress line */
    ESCAPE_BYTES_MAX = sizeof("\\u0000") - 1,
    LAST_WORD_WAIT_MS = 1000, /* why a run ended is worth a moment */
};

static struct {
    bool is_terminal;
    bool is_log; /* a log collector reads it, errors too */
    bool want_progress;
    atomic_bool line_is_open; /* a progress line stands on the terminal */
    atomic_uint dropped;      /* lines since the last one that was taken */
    struct timespec last;
    uint64_t last_rows;
} output;

static const char *const level_names[] = {
    [WEIR_LOG_DEBUG] = "debug",
    [WEIR_LOG_INFO] = "info",
    [WEIR_LOG_WARN] = "warn",
    [WEIR_LOG_ERROR] = "error",
};

/* --- Lines ---------------------------------------------------------------------------------- */

struct line {
    char text[LINE_BYTES_MAX];
    size_t len;
};

static void put(struct line *line, const char *fmt, ...) WEIR_PRINTF(2, 3);

static void put(struct line *line, const char *fmt, ...)
{
    size_t room = sizeof(line->text) - line->len;
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(line->text + line->len, room, fmt, args);
    va_end(args);
    if (len > 0) {
        line->len += (size_t)len < room ? (size_t)len : room - 1;
    }
}

/* Text as the inside of a JSON string; what is too long is cut off. */
static void put_json_text(struct line *line, const char *text)
{
    while (*text != '\0' &&
           line->len + ESCAPE_BYTES_MAX < sizeof(line->text) - (size_t)TAIL_BYTES_MAX) {
        unsigned char c = (unsigned char)*text++;
        if (c == '"' || c == '\\') {
            put(line, "\\%c", c);
        } else if (c == '\n') {
            put(line, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            put(line, "\\u%04x", c);
        } else {
            line->text[line->len++] = (char)c;
        }
    }
}

/* Text for a terminal, which takes some characters for orders. */
static void put_plain_text(struct line *line, const char *text)
{
    while (*text != '\0' && line->len + 1 < sizeof(line->text) - (size_t)TAIL_BYTES_MAX) {
        unsigned char c = (unsigned char)*text++;
        line->text[line->len++] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
    }
}

static void put_head(struct line *line, enum weir_log_level level, const char *event)
{
    struct timespec now;
    struct tm parts;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    (void)gmtime_r(&now.tv_sec, &parts);
    put(line, "{\"at\":\"%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ\"", parts.tm_year + 1900,
        parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
        now.tv_nsec / 1000);
    put(line, ",\"level\":\"%s\",\"event\":\"%s\",\"message\":\"", level_names[level], event);
}

static void put_message(struct line *line, enum weir_log_level level, const char *event,
                        const char *message)
{
    put_head(line, level, event);
    put_json_text(line, message);
    put(line, "\"");
}

/* Whether stderr took the line: a ready one takes all of it (O1). */
static bool write_line(const struct line *line, int wait_ms)
{
    struct pollfd ready = { .fd = STDERR_FILENO, .events = POLLOUT };

    return poll(&ready, 1, wait_ms) == 1 && (ready.revents & POLLOUT) != 0 &&
           write(STDERR_FILENO, line->text, line->len) >= 0;
}

static void emit(const struct line *line, int wait_ms)
{
    unsigned dropped = atomic_exchange(&output.dropped, 0);
    struct line told = { .len = 0 };

    if (dropped != 0) {
        if (output.is_terminal) {
            put(&told, "weir: warning: %u lines are not shown\n", dropped);
        } else {
            put_head(&told, WEIR_LOG_WARN, "log_lines_dropped");
            put(&told, "%u lines were not written: nobody reads them\",\"lines\":%u}\n", dropped,
                dropped);
        }
        if (!write_line(&told, wait_ms)) {
            atomic_fetch_add(&output.dropped, dropped + 1);
            return;
        }
    }
    if (!write_line(line, wait_ms)) {
        atomic_fetch_add(&output.dropped, 1);
    }
}

static void put_end_of_progress(struct line *line)
{
    if (atomic_exchange(&output.line_is_open, false)) {
        put(line, "\r\033[K");
    }
}

static void print_line(void *context, enum weir_log_level level, const char *event,
                       const char *message)
{
    struct line line = { .len = 0 };

    (void)context;
    if (output.is_terminal) {
        put_end_of_progress(&line);
        put(&line, "weir: %s", level >= WEIR_LOG_WARN ? "warning: " : "");
        put_plain_text(&line, message);
        put(&line, "\n");
    } else {
        put_message(&line, level, event, message);
        put(&line, "}\n");
    }
    emit(&line, 0);
}

void cli_output_line(enum weir_log_level level, const char *event, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    print_line(NULL, level, event, text);
}

/* --- For the verbs -------------------------------------------------------------------------- */

void cli_output_open(bool is_log, bool want_progress)
{
    output.is_terminal = isatty(STDERR_FILENO) != 0;
    output.is_log = is_log && !output.is_terminal;
    output.want_progress = want_progress;
    (void)clock_gettime(CLOCK_MONOTONIC, &output.last);
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
    struct line line = { .len = 0 };
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
        put(&line, "\r\033[K");
        put_plain_text(&line, text);
        emit(&line, 0);
        output.line_is_open = true;
        return;
    }
    put_message(&line, WEIR_LOG_INFO, "progress", text);
    put(&line,
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
    emit(&line, 0);
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
    struct line line = { .len = 0 };
    const char *fallback = err->code == WEIR_ECONFIG ? "config" : "failed";

    cli_output_close();
    if (err->code == WEIR_ECONFIG && !output.is_log) {
        /* What is wrong with a pipeline file is several lines, as of a compiler. */
        (void)fprintf(stderr, "%s\n", err->text);
    } else if (output.is_terminal) {
        put(&line, "weir: error: ");
        put_plain_text(&line, err->text);
        put(&line, "\n");
        emit(&line, LAST_WORD_WAIT_MS);
    } else {
        put_message(&line, WEIR_LOG_ERROR, err->reason[0] != '\0' ? err->reason : fallback,
                    err->text);
        put(&line, ",\"code\":\"%s\"}\n", weir_error_name(err->code));
        emit(&line, LAST_WORD_WAIT_MS);
    }
    return weir_error_exit_status(err->code);
}
