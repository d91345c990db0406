/* report_html.c: the outcome as one page: verdict, timeline as an inline picture, table. It needs no
 * other file, and no script. */
#include <inttypes.h>
#include <stdio.h>

#include "prove/outcome.h"

enum {
    WIDTH = 1000,
    HEIGHT = 260,
    LEFT = 60,
    TOP = 20,
    POINTS_MAX = 1000,
    TICKS = 5,
    COLOUR_BYTES = 24
};

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>weir prove</title>\n"
    "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;"
    "color:#222}table{border-collapse:collapse}td,th{padding:.2em .8em;border-bottom:1px solid "
    "#ddd;"
    "text-align:right}td:first-child,th:first-child{text-align:left}.held{color:#186a2b}.broken{"
    "color:#b00020}svg{width:100%;height:auto;background:#fafafa;border:1px solid "
    "#ddd}pre{white-space"
    ":pre-wrap}svg text{font-size:12px;fill:#555}</style></head><body>\n";

/* A colour for each kind: the golden angle keeps neighbours apart, however many there are. */
static void colour_of(unsigned kind, char ret[COLOUR_BYTES])
{
    (void)snprintf(ret, COLOUR_BYTES, "hsl(%u,70%%,%u%%)", kind * 1375 / 10 % 360,
                   kind % 2 == 0 ? 40U : 55U);
}

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

static double x_of(const struct prove_outcome *outcome, double at)
{
    return LEFT + at / (outcome->seconds > 0 ? outcome->seconds : 1) * (WIDTH - LEFT - 10);
}

static double y_of(double rows, double rows_max)
{
    return TOP + HEIGHT - rows / (rows_max > 0 ? rows_max : 1) * HEIGHT;
}

static void put_axes(struct weir_buf *ret, const struct prove_outcome *outcome, double rows_max)
{
    for (int i = 0; i <= TICKS; i++) {
        double at = outcome->seconds * i / TICKS;
        double rows = rows_max * i / TICKS;
        weir_buf_printf(ret,
                        "<text x=\"%.0f\" y=\"%d\" text-anchor=\"middle\">%.0f s</text>"
                        "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%.0f</text>\n",
                        x_of(outcome, at), TOP + HEIGHT + 36, at, LEFT - 6,
                        y_of(rows, rows_max) + 4, rows);
    }
}

/* Kills below, as marks; commits above, as the rows that the second reader saw. */
static void put_timeline(struct weir_buf *ret, const struct prove_outcome *outcome)
{
    size_t count = prove_sample_count(outcome);
    size_t step = count / POINTS_MAX + 1;
    double rows_max = (double)outcome->verdict.rows;

    weir_buf_printf(ret,
                    "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"rows over time, and "
                    "faults\">\n",
                    WIDTH, TOP + HEIGHT + 44);
    for (size_t i = 0; i < prove_event_count(outcome); i++) {
        const struct prove_event *event = prove_event_at(outcome, i);
        double x = x_of(outcome, event->at);
        char colour[COLOUR_BYTES];

        colour_of(event->kind, colour);
        weir_buf_printf(ret,
                        "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\" stroke=\"%s\" "
                        "stroke-opacity=\".45\"><title>%.2f s: %s</title></line>\n",
                        x, x, TOP, TOP + HEIGHT + 18, colour, event->at,
                        prove_fault_help[event->kind]);
    }
    weir_buf_append_text(ret,
                         "<polyline fill=\"none\" stroke=\"#222\" stroke-width=\"2\" points=\"");
    for (size_t i = 0; i < count; i += step) {
        const struct prove_sample *sample = prove_sample_at(outcome, i);
        weir_buf_printf(ret, "%.1f,%.1f ", x_of(outcome, sample->at),
                        y_of((double)sample->rows, rows_max));
    }
    weir_buf_append_text(ret, "\"/>\n");
    put_axes(ret, outcome, rows_max);
    weir_buf_append_text(ret,
                         "</svg>\n<p>Black: committed rows, as a second reader saw them. Coloured "
                         "lines: faults.</p>\n");
}

static void put_row(struct weir_buf *ret, const char *colour, const char *name,
                    const struct prove_fault_row *row)
{
    weir_buf_printf(ret,
                    "<tr><td><span style=\"color:%s\">&#9632;</span> %s</td><td>%" PRIu64
                    "</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td>",
                    colour, name, row->tried, row->survived, row->lost, row->doubled);
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
                         "<table><tr><th>fault</th><th>tried</th><th>survived</th><th>lost</th>"
                         "<th>doubled</th><th>p50</th><th>p99</th><th>max: seconds to the next "
                         "commit</th></tr>\n");
    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        if (outcome->rows[kind].tried > 0) {
            char colour[COLOUR_BYTES];

            colour_of(kind, colour);
            put_row(ret, colour, prove_fault_help[kind], &outcome->rows[kind]);
        }
    }
    put_row(ret, "#222", "all", &outcome->total);
    weir_buf_append_text(ret, "</table>\n");
}

void prove_report_html(const struct prove_outcome *outcome, struct weir_buf *ret)
{
    const struct prove_verdict *verdict = &outcome->verdict;

    weir_buf_append_text(ret, head);
    weir_buf_printf(ret, "<h1 class=\"%s\">%s: the promise %s</h1>\n<p>",
                    outcome->held ? "held" : "broken", outcome->options->mode,
                    outcome->held ? "held" : "did not hold");
    weir_buf_printf(
        ret,
        "%" PRIu64 " rows were sent, %" PRIu64 " are in the table: %" PRIu64 " missing, %" PRIu64
        " doubled, %" PRIu64 " altered, %" PRIu64 " invented. A second reader looked %" PRIu64
        " times. %.1f seconds, seed %" PRIu64 ", %s",
        verdict->sent, verdict->rows, verdict->missing.count, verdict->doubled.count,
        verdict->altered.count, verdict->invented.count, outcome->looks, outcome->seconds,
        outcome->options->seed, outcome->options->external != NULL ? "command: " : "weir ");
    put_text(ret,
             outcome->options->external != NULL ? outcome->options->external : outcome->version);
    weir_buf_append_text(ret, ".</p>\n");
    if (outcome->notes[0] != '\0') {
        weir_buf_append_text(ret, "<pre class=\"broken\">");
        put_text(ret, outcome->notes);
        weir_buf_append_text(ret, "</pre>\n");
    }
    put_timeline(ret, outcome);
    put_table(ret, outcome);
    weir_buf_append_text(ret, "</body></html>\n");
}
