/* report_json.c: the outcome as one JSON object. */
#include <inttypes.h>

#include "prove/outcome.h"

static void put_text(struct weir_buf *ret, const char *text)
{
    weir_buf_put_u8(ret, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            weir_buf_printf(ret, "\\%c", c);
        } else if (c < 0x20) {
            weir_buf_printf(ret, "\\u%04x", c);
        } else {
            weir_buf_put_u8(ret, c);
        }
    }
    weir_buf_put_u8(ret, '"');
}

static void put_row(struct weir_buf *ret, const struct prove_fault_row *row)
{
    weir_buf_printf(ret,
                    "\"tried\":%" PRIu64 ",\"survived\":%" PRIu64 ",\"lost\":%" PRIu64
                    ",\"doubled\":%" PRIu64 ",\"seconds_to_next_commit\":",
                    row->tried, row->survived, row->lost, row->doubled);
    if (row->measured == 0) {
        weir_buf_append_text(ret, "null");
    } else {
        weir_buf_printf(ret, "{\"p50\":%.4f,\"p99\":%.4f,\"max\":%.4f,\"measured\":%" PRIu64 "}",
                        row->p50_s, row->p99_s, row->max_s, row->measured);
    }
}

/* null: it was not counted. */
static void put_tally(struct weir_buf *ret, const char *name, const struct prove_tally *tally,
                      bool is_known)
{
    if (!is_known) {
        weir_buf_printf(ret, ",\"%s\":null", name);
        return;
    }
    weir_buf_printf(ret, ",\"%s\":{\"count\":%" PRIu64 ",\"first_ids\":[", name, tally->count);
    for (uint64_t i = 0; i < tally->count && i < PROVE_EXAMPLES; i++) {
        weir_buf_printf(ret, "%s%" PRIu64, i == 0 ? "" : ",", tally->examples[i]);
    }
    weir_buf_append_text(ret, "]}");
}

static void put_events(struct weir_buf *ret, const struct prove_outcome *outcome)
{
    weir_buf_append_text(ret, ",\n \"events\":[");
    for (size_t i = 0; i < prove_event_count(outcome); i++) {
        const struct prove_event *event = prove_event_at(outcome, i);
        weir_buf_printf(ret,
                        "%s\n  {\"at\":%.4f,\"fault\":\"%s\",\"survived\":%s,\"batch\":%" PRId64,
                        i == 0 ? "" : ",", event->at, prove_fault_word[event->kind],
                        event->survived ? "true" : "false", event->batch);
        if (event->point != NULL) {
            weir_buf_printf(ret, ",\"point\":\"%s\"", event->point);
        }
        if (event->commit_s >= 0) {
            weir_buf_printf(ret, ",\"seconds_to_next_commit\":%.4f", event->commit_s);
        }
        weir_buf_append_text(ret, "}");
    }
    weir_buf_append_text(ret, "]");
}

static void put_option(struct weir_buf *ret, const char *name, const char *value)
{
    weir_buf_printf(ret, ",\"%s\":", name);
    if (value != NULL) {
        put_text(ret, value);
    } else {
        weir_buf_append_text(ret, "null");
    }
}

/* What was judged, and how. The connection string may hold a password. */
static void put_options(struct weir_buf *ret, const struct prove_outcome *outcome)
{
    const struct prove_options *options = outcome->options;
    char date[PROVE_DATE_BYTES];

    prove_outcome_date(outcome, date);
    put_option(ret, "began", date);
    put_option(ret, "brokers", options->brokers);
    put_option(ret, "pipeline", options->pipeline);
    put_option(ret, "external", options->external);
    put_option(ret, "wanted_faults", options->faults);
    weir_buf_printf(ret, ",\"kills\":%" PRIu32 ",\"asked\":%" PRIu32, options->kills,
                    outcome->asked);
}

void prove_report_json(const struct prove_outcome *outcome, struct weir_buf *ret)
{
    const struct prove_verdict *verdict = &outcome->verdict;

    weir_buf_append_text(ret, "{\"held\":");
    weir_buf_printf(ret, "%s,\"mode\":\"%s\",\"seed\":%" PRIu64 ",\"version\":",
                    outcome->held ? "true" : "false", outcome->options->mode,
                    outcome->options->seed);
    put_text(ret, outcome->version);
    put_options(ret, outcome);
    weir_buf_printf(
        ret,
        ",\n \"seconds\":%.3f,\n \"sent\":%" PRIu64 ",\"unsure\":%" PRIu64 ",\"rows\":%" PRIu64
        ",\"batches\":%" PRId64 ",\"looks\":%" PRIu64 ",\"outside_flight\":%" PRIu64
        ",\"digests\":%" PRIu64 ",\"harmed_batches\":%" PRIu64,
        outcome->seconds, verdict->sent, verdict->unsure, verdict->rows, verdict->batches,
        outcome->looks, verdict->outside, verdict->digests, verdict->harmed);
    put_tally(ret, "missing", &verdict->missing, true);
    put_tally(ret, "doubled", &verdict->doubled, verdict->sees_doubles);
    put_tally(ret, "altered", &verdict->altered, verdict->knows_contents);
    put_tally(ret, "invented", &verdict->invented, true);
    weir_buf_append_text(ret, ",\n \"notes\":");
    put_text(ret, outcome->notes);
    weir_buf_append_text(ret, ",\n \"faults\":{");
    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        if (outcome->rows[kind].tried > 0) {
            weir_buf_printf(ret, "\n  \"%s\":{", prove_fault_word[kind]);
            put_row(ret, &outcome->rows[kind]);
            weir_buf_append_text(ret, "},");
        }
    }
    weir_buf_append_text(ret, "\n  \"all\":{");
    put_row(ret, &outcome->total);
    weir_buf_append_text(ret, "}}");
    put_events(ret, outcome);
    weir_buf_append_text(ret, "}\n");
}
