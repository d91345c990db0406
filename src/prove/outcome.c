/* outcome.c: keeps what was seen and sums it up. */
#include "prove/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const prove_fault_word[PROVE_FAULT_COUNT] = {
#define PROVE_FAULT_WORD(name, word, help) [PROVE_##name] = (word),
    PROVE_FAULT_TABLE(PROVE_FAULT_WORD)
#undef PROVE_FAULT_WORD
};

const char *const prove_fault_help[PROVE_FAULT_COUNT] = {
#define PROVE_FAULT_HELP(name, word, help) [PROVE_##name] = (help),
    PROVE_FAULT_TABLE(PROVE_FAULT_HELP)
#undef PROVE_FAULT_HELP
};

const char *prove_fault_names(void)
{
#define PROVE_FAULT_LIST(name, word, help) ", " word
    static const char names[] = PROVE_FAULT_TABLE(PROVE_FAULT_LIST);
#undef PROVE_FAULT_LIST
    return names + strlen(", ");
}

void prove_outcome_fini(struct prove_outcome *outcome)
{
    weir_buf_fini(&outcome->events);
    weir_buf_fini(&outcome->samples);
}

size_t prove_event_count(const struct prove_outcome *outcome)
{
    return outcome->events.len / sizeof(struct prove_event);
}

struct prove_event *prove_event_at(const struct prove_outcome *outcome, size_t index)
{
    return (struct prove_event *)(void *)outcome->events.data + index;
}

size_t prove_sample_count(const struct prove_outcome *outcome)
{
    return outcome->samples.len / sizeof(struct prove_sample);
}

const struct prove_sample *prove_sample_at(const struct prove_outcome *outcome, size_t index)
{
    return (const struct prove_sample *)(const void *)outcome->samples.data + index;
}

void prove_outcome_break(struct prove_outcome *outcome, const char *fmt, ...)
{
    char *notes = outcome->notes;
    size_t len = strlen(notes), room = sizeof(outcome->notes);
    va_list list;

    outcome->broken++;
    if (len + 2 < room) {
        va_start(list, fmt);
        (void)vsnprintf(notes + len, room - len - 1, fmt, list);
        va_end(list);
        len = strlen(notes);
        memcpy(notes + len, "\n", sizeof("\n")); /* a byte was kept for it */
    }
}

const char *prove_outcome_word(const struct prove_outcome *outcome)
{
    return outcome->held ? "held" : outcome->total.tried == 0 ? "is NOT PROVEN" : "DID NOT HOLD";
}

bool prove_outcome_is_short(const struct prove_outcome *outcome)
{
    return outcome->total.tried < outcome->asked && !outcome->stopped;
}

struct prove_fault_row prove_outcome_before(const struct prove_outcome *outcome)
{
    struct prove_fault_row ret = { .lost = outcome->total.lost, .doubled = outcome->total.doubled };

    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        ret.lost -= outcome->rows[kind].lost;
        ret.doubled -= outcome->rows[kind].doubled;
    }
    return ret;
}

void prove_outcome_date(const struct prove_outcome *outcome, char ret[PROVE_DATE_BYTES])
{
    struct tm fields;

    (void)gmtime_r(&outcome->began, &fields);
    (void)strftime(ret, PROVE_DATE_BYTES, "%Y-%m-%d %H:%M:%S UTC", &fields);
}

void prove_tally_add(struct prove_tally *tally, uint64_t id)
{
    if (tally->count < PROVE_EXAMPLES) {
        tally->examples[tally->count] = id;
    }
    tally->count++;
}

static int compare_seconds(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* One row of the table: the events of one kind, or of all (PROVE_FAULT_COUNT). */
static void sum_kind(const struct prove_outcome *outcome, unsigned kind, double *seconds,
                     struct prove_fault_row *ret)
{
    size_t count = 0;

    for (size_t i = 0; i < prove_event_count(outcome); i++) {
        const struct prove_event *event = prove_event_at(outcome, i);
        if (kind != PROVE_FAULT_COUNT && event->kind != kind) {
            continue;
        }
        ret->tried++;
        ret->survived += event->survived;
        if (event->commit_s >= 0 && seconds != NULL) {
            seconds[count++] = event->commit_s;
        }
    }
    ret->measured = count;
    if (count > 0) {
        qsort(seconds, count, sizeof(*seconds), compare_seconds);
        ret->p50_s = seconds[count / 2];
        ret->p99_s = seconds[(count * 99 + 99) / 100 - 1];
        ret->max_s = seconds[count - 1];
    }
}

void prove_outcome_sum(struct prove_outcome *outcome)
{
    double *seconds = calloc(prove_event_count(outcome) + 1, sizeof(*seconds));

    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        sum_kind(outcome, kind, seconds, &outcome->rows[kind]);
    }
    sum_kind(outcome, PROVE_FAULT_COUNT, seconds, &outcome->total);
    free(seconds);
}

const struct prove_event *prove_event_of(const struct prove_outcome *outcome, uint64_t id)
{
    const struct prove_event *found = NULL;
    size_t low = 0;
    size_t high = prove_event_count(outcome);

    while (low < high) { /* first_id never falls from one event to the next */
        size_t middle = low + (high - low) / 2;
        if (prove_event_at(outcome, middle)->first_id <= id) {
            found = prove_event_at(outcome, middle);
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return found;
}
