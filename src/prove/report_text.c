/* report_text.c: the table of faults and the verdict, for a terminal. */
#include <inttypes.h>
#include <stdio.h>

#include "prove/outcome.h"

static void print_row(const char *name, const struct prove_fault_row *row)
{
    char seconds[64] = "      -      -      -";

    if (row->measured > 0) {
        (void)snprintf(seconds, sizeof(seconds), "%7.2f%7.2f%7.2f", row->p50_s, row->p99_s,
                       row->max_s);
    }
    (void)printf("%-54s%7" PRIu64 "%10" PRIu64 "%6" PRIu64 "%9" PRIu64 "  %s\n", name, row->tried,
                 row->survived, row->lost, row->doubled, seconds);
}

/* unless: why it was not counted; NULL: it was. */
static void print_tally(const char *name, const struct prove_tally *tally, const char *unless)
{
    if (unless != NULL) {
        (void)printf("  %-10s%s\n", name, unless);
        return;
    }
    (void)printf("  %-10s%" PRIu64, name, tally->count);
    for (uint64_t i = 0; i < tally->count && i < PROVE_EXAMPLES; i++) {
        (void)printf("%s%" PRIu64, i == 0 ? "  (id " : ", ", tally->examples[i]);
    }
    (void)printf("%s\n", tally->count > PROVE_EXAMPLES ? ", ...)" : tally->count > 0 ? ")" : "");
}

void prove_report_text(const struct prove_outcome *outcome)
{
    const struct prove_verdict *verdict = &outcome->verdict;
    const struct prove_fault_row before = prove_outcome_before(outcome);

    (void)printf("%-54s%7s%10s%6s%9s  %s\n%-54s%7s%10s%6s%9s  %7s%7s%7s\n", "", "", "", "", "",
                 "seconds to the next commit", "fault", "tried", "survived", "lost", "doubled",
                 "p50", "p99", "max");
    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        if (outcome->rows[kind].tried > 0) {
            print_row(prove_fault_help[kind], &outcome->rows[kind]);
        }
    }
    if (before.lost + before.doubled > 0) {
        print_row("before the first fault", &before);
    }
    print_row("all", &outcome->total);
    if (prove_outcome_is_short(outcome)) {
        (void)printf("%" PRIu64 " of %" PRIu32
                     " faults that were asked for were played: the rows came to their end\n",
                     outcome->total.tried, outcome->asked);
    }
    (void)printf("\n%" PRIu64 " rows were sent, %" PRIu64 " are in the table", verdict->sent,
                 verdict->rows);
    if (verdict->batches > 0) {
        (void)printf(", in %" PRId64 " batches", verdict->batches);
    }
    if (verdict->digests > 0) {
        (void)printf(" (%" PRIu64 " digests compared)", verdict->digests);
    }
    (void)printf("; a second reader looked %" PRIu64 " times; %.1f s\n", outcome->looks,
                 outcome->seconds);
    print_tally("missing", &verdict->missing, NULL);
    print_tally("doubled", &verdict->doubled,
                verdict->sees_doubles ? NULL : "hidden by the upsert");
    print_tally("altered", &verdict->altered, verdict->knows_contents ? NULL : "not compared");
    print_tally("invented", &verdict->invented, NULL);
    if (verdict->unsure > 0) {
        (void)printf("  %" PRIu64
                     " more are not counted: the broker never said whether it has them\n",
                     verdict->unsure);
    }
    if (outcome->held && verdict->harmed > 0) {
        (void)printf("They are rows of %" PRIu64 " batch%s in flight at a fault%s.\n",
                     verdict->harmed, verdict->harmed == 1 ? "," : "es, each of them",
                     verdict->missing.count > 0 ? " and said by weir.batch to be dropped" : "");
    }
    (void)fputs(outcome->notes, stdout);
    (void)printf("\n%s: the promise %s (seed %" PRIu64 ")\n", outcome->options->mode,
                 prove_outcome_word(outcome), outcome->options->seed);
}
