/* report_html.c: the outcome as one page: verdict, timeline as an inline picture, table. It needs no
 * other file, and no script, and follows the reader's choice of a light or dark page. */
#include <inttypes.h>

#include "prove/outcome.h"

/* The picture: three panels with one time axis. Pixels. */
enum {
    WIDTH = 1000,
    LEFT = 150,
    RIGHT = 12,
    TOP = 24,
    ROWS_HEIGHT = 200,
    LANE_HEIGHT = 16, /* one for each kind of fault that was played */
    SECONDS_HEIGHT = 120,
    GAP = 26,
    AXIS_HEIGHT = 24,
    POINTS_MAX = 1000,
    TICKS = 5,
};

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>weir prove</title>\n<style>\n"
    ":root{color-scheme:light dark;--page:#fff;--ink:#1c1c1c;--dim:#666;--rule:#ddd;--good:#186a2b;"
    "--bad:#b00020}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#16181c;--ink:#e8e8e8;--dim:#9a9a9a;"
    "--rule:#3a3d44;--good:#6fcf86;--bad:#ff7b86}}\n"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;"
    "background:var(--page);color:var(--ink)}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.2em .8em;border-bottom:1px solid var(--rule);text-align:right}"
    "td:first-child,th:first-child{text-align:left}\n"
    ".held{color:var(--good)}.broken{color:var(--bad)}pre{white-space:pre-wrap}\n"
    "svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--dim)}"
    "svg .rule{stroke:var(--rule)}svg .rows{fill:none;stroke:var(--ink);stroke-width:2}"
    "</style></head><body>\n";

static void put_text(struct weir_buf *ret, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            weir_buf_append_text(ret, "&lt;");
            break;
        case '>':
            weir_buf_append_text(ret, "&gt;");
            break;
        case '&':
            weir_buf_append_text(ret, "&amp;");
            break;
        default:
            weir_buf_put_u8(ret, (uint8_t)*text);
        }
    }
}

/* As many hues as there are kinds, neighbours far apart; bright enough on black, and dark enough on
 * white. */
static void put_colour(struct weir_buf *ret, unsigned kind)
{
    weir_buf_printf(ret, "hsl(%u,65%%,55%%)", kind * 1375 / 10 % 360);
}

static double x_of(const struct prove_outcome *outcome, double at)
{
    return LEFT + at / (outcome->seconds > 0 ? outcome->seconds : 1) * (WIDTH - LEFT - RIGHT);
}

/* A place in a panel that begins at top and is as high. */
static double y_of(int top, int height, double value, double value_max)
{
    return top + height - value / (value_max > 0 ? value_max : 1) * height;
}

/* Lines across a panel, with what they stand for. */
static void put_scale(struct weir_buf *ret, int top, int height, double value_max, int digits,
                      const char *unit)
{
    for (int i = 0; i <= TICKS; i++) {
        double value = value_max * i / TICKS;
        double y = y_of(top, height, value, value_max);
        weir_buf_printf(ret,
                        "<line class=\"rule\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                        "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f%s</text>\n",
                        LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, digits, value, unit);
    }
}

static void put_heading(struct weir_buf *ret, int top, const char *text)
{
    weir_buf_printf(ret, "<text x=\"%d\" y=\"%d\">%s</text>\n", LEFT, top - 8, text);
}

/* What the second reader saw in the table. */
static void put_rows(struct weir_buf *ret, const struct prove_outcome *outcome, int top)
{
    size_t count = prove_sample_count(outcome);
    size_t step = count / POINTS_MAX + 1;
    double rows_max = (double)outcome->verdict.rows;

    put_heading(ret, top, "committed rows, as the second reader saw them");
    put_scale(ret, top, ROWS_HEIGHT, rows_max, 0, "");
    weir_buf_append_text(ret, "<polyline class=\"rows\" points=\"");
    for (size_t i = 0; i < count; i += step) {
        const struct prove_sample *sample = prove_sample_at(outcome, i);
        weir_buf_printf(ret, "%.1f,%.1f ", x_of(outcome, sample->at),
                        y_of(top, ROWS_HEIGHT, (double)sample->rows, rows_max));
    }
    weir_buf_append_text(ret, "\"/>\n");
}

/* One line of marks for each kind of fault. */
static void put_lanes(struct weir_buf *ret, const struct prove_outcome *outcome, int top)
{
    int y = top;

    put_heading(ret, top, "faults");
    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        if (outcome->rows[kind].tried == 0) {
            continue;
        }
        weir_buf_printf(ret, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text><g stroke=\"",
                        LEFT - 6, y + LANE_HEIGHT - 4, prove_fault_word[kind]);
        put_colour(ret, kind);
        weir_buf_append_text(ret, "\" stroke-width=\"1.5\">\n");
        for (size_t i = 0; i < prove_event_count(outcome); i++) {
            const struct prove_event *event = prove_event_at(outcome, i);
            double x = x_of(outcome, event->at);
            if (event->kind == kind) {
                weir_buf_printf(ret,
                                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"><title>%.2f s, "
                                "after batch %" PRId64 "%s%s</title></line>\n",
                                x, x, y + 1, y + LANE_HEIGHT - 2, event->at, event->batch,
                                event->point != NULL ? ", at " : "",
                                event->point != NULL ? event->point : "");
            }
        }
        weir_buf_append_text(ret, "</g>\n");
        y += LANE_HEIGHT;
    }
}

/* How long each fault was felt: a dot a fault. */
static void put_seconds(struct weir_buf *ret, const struct prove_outcome *outcome, int top)
{
    double seconds_max = outcome->total.max_s;

    put_heading(ret, top, "seconds from a fault to the next commit");
    put_scale(ret, top, SECONDS_HEIGHT, seconds_max, 2, " s");
    for (size_t i = 0; i < prove_event_count(outcome); i++) {
        const struct prove_event *event = prove_event_at(outcome, i);
        if (event->commit_s < 0) {
            continue;
        }
        weir_buf_printf(ret, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"",
                        x_of(outcome, event->at),
                        y_of(top, SECONDS_HEIGHT, event->commit_s, seconds_max));
        put_colour(ret, event->kind);
        weir_buf_printf(ret, "\"><title>%.2f s: %s</title></circle>\n", event->commit_s,
                        prove_fault_word[event->kind]);
    }
}

static void put_timeline(struct weir_buf *ret, const struct prove_outcome *outcome)
{
    int lanes = 0;

    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        lanes += outcome->rows[kind].tried > 0 ? 1 : 0;
    }
    int seconds_top = TOP + ROWS_HEIGHT + GAP + lanes * LANE_HEIGHT + GAP;
    int end = seconds_top + SECONDS_HEIGHT;
    weir_buf_printf(ret,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" role=\"img\" "
                    "aria-label=\"rows and faults over time\">\n",
                    WIDTH, end + AXIS_HEIGHT);
    put_rows(ret, outcome, TOP);
    put_lanes(ret, outcome, TOP + ROWS_HEIGHT + GAP);
    put_seconds(ret, outcome, seconds_top);
    for (int i = 0; i <= TICKS; i++) {
        double at = outcome->seconds * i / TICKS;
        weir_buf_printf(ret, "<text x=\"%.0f\" y=\"%d\" text-anchor=\"%s\">%.0f s</text>\n",
                        x_of(outcome, at), end + AXIS_HEIGHT - 6, i == TICKS ? "end" : "middle",
                        at);
    }
    weir_buf_append_text(ret, "</svg>\n");
}

static void put_row(struct weir_buf *ret, const char *name, const struct prove_fault_row *row)
{
    weir_buf_printf(ret,
                    "%s</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64
                    "</td><td>%" PRIu64 "</td>",
                    name, row->tried, row->survived, row->lost, row->doubled);
    if (row->measured > 0) {
        weir_buf_printf(ret, "<td>%.2f</td><td>%.2f</td><td>%.2f</td></tr>\n", row->p50_s,
                        row->p99_s, row->max_s);
    } else {
        weir_buf_append_text(ret, "<td></td><td></td><td></td></tr>\n");
    }
}

static void put_table(struct weir_buf *ret, const struct prove_outcome *outcome)
{
    weir_buf_append_text(ret,
                         "<table><tr><th rowspan=\"2\">fault</th><th rowspan=\"2\">tried</th>"
                         "<th rowspan=\"2\">survived</th><th rowspan=\"2\">rows lost</th>"
                         "<th rowspan=\"2\">rows doubled</th><th colspan=\"3\">seconds to the next "
                         "commit</th></tr>\n<tr><th>p50</th><th>p99</th><th>max</th></tr>\n");
    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        if (outcome->rows[kind].tried > 0) {
            weir_buf_append_text(ret, "<tr><td><span style=\"color:");
            put_colour(ret, kind);
            weir_buf_append_text(ret, "\">&#9632;</span> ");
            put_row(ret, prove_fault_help[kind], &outcome->rows[kind]);
        }
    }
    const struct prove_fault_row before = prove_outcome_before(outcome);
    if (before.lost + before.doubled > 0) {
        weir_buf_append_text(ret, "<tr><td>");
        put_row(ret, "before the first fault", &before);
    }
    weir_buf_append_text(ret, "<tr><td>");
    put_row(ret, "all", &outcome->total);
    weir_buf_append_text(ret, "</table>\n");
}

static void put_count(struct weir_buf *ret, uint64_t count, const char *name, bool is_known,
                      const char *unless)
{
    if (is_known) {
        weir_buf_printf(ret, ", %" PRIu64 " %s", count, name);
    } else {
        weir_buf_printf(ret, ", %s %s", name, unless);
    }
}

/* What was judged, and how. The connection string may hold a password. */
static void put_options(struct weir_buf *ret, const struct prove_outcome *outcome)
{
    const struct prove_options *options = outcome->options;
    char date[PROVE_DATE_BYTES];

    prove_outcome_date(outcome, date);
    weir_buf_printf(ret, "<p>%s, seed %" PRIu64 ", %" PRIu32 " kills, faults: ", date,
                    options->seed, options->kills);
    put_text(ret, options->faults);
    weir_buf_append_text(ret, ". Brokers: ");
    put_text(ret, options->brokers);
    weir_buf_append_text(ret, options->external != NULL   ? ". Command: "
                              : options->pipeline != NULL ? ". Pipeline: "
                                                          : ". The built-in pipeline");
    if (options->external != NULL || options->pipeline != NULL) {
        put_text(ret, options->external != NULL ? options->external : options->pipeline);
    }
    weir_buf_append_text(ret, "; weir ");
    put_text(ret, outcome->version);
    weir_buf_append_text(ret, ".</p>\n");
}

static void put_verdict(struct weir_buf *ret, const struct prove_outcome *outcome)
{
    const struct prove_verdict *verdict = &outcome->verdict;

    weir_buf_printf(ret, "<h1 class=\"%s\">%s: the promise %s</h1>\n<p>",
                    outcome->held ? "held" : "broken", outcome->options->mode,
                    prove_outcome_word(outcome));
    weir_buf_printf(ret,
                    "%" PRIu64 " rows were sent, %" PRIu64 " are in the table: %" PRIu64 " missing",
                    verdict->sent, verdict->rows, verdict->missing.count);
    put_count(ret, verdict->doubled.count, "doubled", verdict->sees_doubles,
              "hidden by the upsert");
    put_count(ret, verdict->altered.count, "altered", verdict->knows_contents, "not compared");
    weir_buf_printf(ret,
                    ", %" PRIu64 " invented. A second reader looked %" PRIu64 " times. %" PRIu64
                    " faults were played, %" PRIu32 " were asked for; %.1f seconds.</p>\n",
                    verdict->invented.count, outcome->looks, outcome->total.tried, outcome->asked,
                    outcome->seconds);
    put_options(ret, outcome);
    if (outcome->notes[0] != '\0') {
        weir_buf_append_text(ret, "<pre class=\"broken\">");
        put_text(ret, outcome->notes);
        weir_buf_append_text(ret, "</pre>\n");
    }
}

void prove_report_html(const struct prove_outcome *outcome, struct weir_buf *ret)
{
    weir_buf_append_text(ret, head);
    put_verdict(ret, outcome);
    put_timeline(ret, outcome);
    put_table(ret, outcome);
    weir_buf_append_text(ret, "</body></html>\n");
}
