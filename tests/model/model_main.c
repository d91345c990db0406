/* model_main.c: the table of runs: each known trace with its rule off, and configurations with all
 * rules on.
 *
 * usage: weir_model [--trace] [RUN]...
 * A run with a rule off passes when the harm that it names is found, one with all rules on when all
 * its states were seen and none is harmed. */
#include <string.h>

#include "tests/model/model.h"

#define OFF(rule) (1u << RULE_##rule)
#define HARM(harm) (1u << HARM_##harm)
#define SHAPE(p, d, k, r) .parts = (p), .databases = (d), .slots = (k), .records = (r)
#define STARTS(a, b) .starts = { (a), (b) }
#define LUCK(c, r, l) .cuts = (c), .restores = (r), .losses = (l)

enum { STATES_MAX = 24 * 1000 * 1000 };

/* SHAPE: partitions, databases, batches in flight, records. STARTS: of A, of B. LUCK: lines cut,
 * restores, lost logs. Each shape is the smallest in which its trace was found. */
static const struct config runs[] = {
    { "T1", OFF(IDENTITY), HARM(DOUBLED) | HARM(LOST), SHAPE(1, 1, 1, 3), STARTS(2, 1) },
    { "T2", OFF(OWNER), 0, SHAPE(1, 1, 1, 2), STARTS(1, 1), LUCK(0, 1, 0) },
    { "T2 doubled", OFF(OWNER) | OFF(IDENTITY), HARM(DOUBLED), SHAPE(1, 1, 1, 3), STARTS(1, 1),
      LUCK(0, 1, 0) },
    { "T3", OFF(CATCH_UP), 0, SHAPE(2, 1, 1, 2), STARTS(2, 0), LUCK(0, 0, 1) },
    { "T4", OFF(OWNER), HARM(MIXED), SHAPE(2, 1, 1, 2), STARTS(1, 1), LUCK(0, 1, 0) },
    { "T5", OFF(LOOK_AT_ALL), 0, SHAPE(2, 1, 1, 3), STARTS(1, 0), LUCK(0, 1, 0) },
    { "T6", OFF(RAISE), HARM(DOUBLED), SHAPE(1, 1, 1, 2), STARTS(1, 1) },
    { "T7", OFF(BELIEVE_LATE), 0, SHAPE(1, 1, 1, 2), STARTS(1, 1) },
    { "T8", OFF(TAKE_AT_ONCE), HARM(MIXED), SHAPE(2, 1, 1, 2), STARTS(1, 1) },
    { "T9", OFF(TAKE_COMPARES), 0, SHAPE(1, 1, 1, 2), STARTS(1, 1) },
    { "T10", OFF(ROLL_BACK), 0, SHAPE(1, 1, 2, 2), STARTS(1, 0), LUCK(1, 0, 0), .upsert = true },
    { "COMMIT first", OFF(SEAL), 0, SHAPE(1, 1, 1, 1), STARTS(1, 0) },
    { "any answer", OFF(TAG), 0, SHAPE(1, 1, 1, 2), STARTS(1, 0), LUCK(0, 1, 0) },
    { "no order", OFF(ORDER), 0, SHAPE(2, 1, 2, 2), STARTS(2, 0), LUCK(0, 0, 1) },
    { "no sync", OFF(SYNC_FOUND), 0, SHAPE(1, 1, 1, 1), STARTS(2, 0) },
    { "far apart", OFF(REBUILD_FAR), 0, SHAPE(2, 1, 1, 2), STARTS(1, 0), LUCK(0, 1, 0) },
    { "row ahead", OFF(LOOK_AHEAD), 0, SHAPE(2, 2, 3, 3), STARTS(1, 0), LUCK(1, 1, 0) },
    { "T7, databases", OFF(BELIEVE_LATE), 0, SHAPE(2, 2, 1, 2), STARTS(1, 1) },
    { "one instance", 0, 0, SHAPE(2, 1, 2, 2), STARTS(2, 0), LUCK(1, 1, 1) },
    { "three batches", 0, 0, SHAPE(2, 1, 3, 3), STARTS(2, 0), LUCK(1, 1, 0) },
    { "upserts", 0, 0, SHAPE(2, 1, 2, 2), STARTS(2, 0), LUCK(1, 0, 0), .upsert = true },
    { "two instances", 0, 0, SHAPE(1, 1, 2, 2), STARTS(2, 1), LUCK(0, 0, 1) },
    { "two, parts", 0, 0, SHAPE(2, 1, 2, 2), STARTS(1, 1) },
    { "two, databases", 0, 0, SHAPE(2, 2, 1, 2), STARTS(1, 1) },
    { "two, restore", 0, 0, SHAPE(1, 1, 1, 2), STARTS(1, 1), LUCK(0, 1, 0) },
    { "databases", 0, 0, SHAPE(2, 2, 2, 2), STARTS(2, 0), LUCK(1, 1, 0) },
};

enum { RUNS = sizeof(runs) / sizeof(runs[0]) };

static const char *first_text(uint32_t bits, int count, const char *(*text)(int))
{
    for (int i = 0; i < count; i++) {
        if ((bits >> i & 1) != 0) {
            return text(i);
        }
    }
    return "-";
}

static const char *rule_name(int rule)
{
    return rule_text((enum rule)rule);
}

static const char *harm_name(int harm)
{
    return harm_text((enum harm)harm);
}

static bool is_wanted(const struct config *config, int count, char **names)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], config->name) == 0) {
            return true;
        }
    }
    return count == 0;
}

static bool do_run(const struct config *config, bool with_trace)
{
    struct result result = search(config, STATES_MAX, with_trace ? stdout : NULL);
    bool passed = config->rules_off != 0 ? result.harm != 0 : result.harm == 0 && !result.is_full;

    (void)printf("%-14s %-48s %-18s %5u %10llu %6.1f  %s\n", config->name,
                 first_text(config->rules_off, RULES, rule_name),
                 first_text(result.harm, HARMS, harm_name), result.depth,
                 (unsigned long long)result.states, result.seconds, passed ? "ok" : "FAILED");
    (void)fflush(stdout);
    return passed;
}

int main(int argc, char **argv)
{
    bool with_trace = false;
    int passed = 0, failed = 0, first = 1;

    if (argc > 1 && strcmp(argv[1], "--trace") == 0) {
        with_trace = true;
        first++;
    }
    (void)printf("%-14s %-48s %-18s %5s %10s %6s\n", "run", "rule off", "harm", "moves", "states",
                 "s");
    for (int i = 0; i < RUNS; i++) {
        if (is_wanted(&runs[i], argc - first, argv + first)) {
            if (do_run(&runs[i], with_trace)) {
                passed++;
            } else {
                failed++;
            }
        }
    }
    (void)printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed != 0 ? 0 : 1;
}
