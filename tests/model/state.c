/* state.c: the first state, fingerprints, and the words in which a trace is told. */
#include "tests/model/model.h"

#include <string.h>

static const char *const rule_texts[RULES] = {
    [RULE_IDENTITY] = "a batch is known by its number alone",
    [RULE_RAISE] = "advance does not raise",
    [RULE_TAG] = "any answer to COMMIT is success",
    [RULE_OWNER] = "no owner token, the generation alone",
    [RULE_SEAL] = "COMMIT does not wait for the plan",
    [RULE_ORDER] = "n + 1 does not wait for n",
    [RULE_BELIEVE_LATE] = "the ledger is believed as read before the take",
    [RULE_TAKE_AT_ONCE] = "the take goes row by row",
    [RULE_TAKE_COMPARES] = "the take overwrites",
    [RULE_LOOK_AT_ALL] = "a look reads the doubtful rows only",
    [RULE_SYNC_FOUND] = "frames found at a start are not synced",
    [RULE_VOID] = "no void record",
    [RULE_CATCH_UP] = "no log: the highest row is followed",
    [RULE_ROLL_BACK] = "later upserts stay when n is sent again",
    [RULE_REBUILD_FAR] = "rows two apart are a stop, whatever the log has",
    [RULE_LOOK_AHEAD] = "a row ahead of the head is a stranger",
    [RULE_SKIP_HELD] = "a rebuilt batch is sent to all",
};

static const char *const harm_texts[HARMS] = {
    [HARM_DOUBLED] = "doubled",
    [HARM_LOST] = "lost",
    [HARM_INTRUDER] = "fenced one writes",
    [HARM_UNSEALED] = "rows without a plan",
    [HARM_MIXED] = "batch of two plans",
    [HARM_SHUT_OUT] = "dead one fences",
    [HARM_STOPPED] = "needless stop",
    [HARM_STUCK] = "stuck",
};

static const char *const stop_texts[] = {
    [STOP_NONE] = "",
    [STOP_UNEVEN] = "ledger_uneven",
    [STOP_MIXED] = "ledger_mixed",
    [STOP_DISAGREE] = "sinks_disagree",
    [STOP_BEHIND] = "ledger_behind",
    [STOP_MISMATCH] = "plan_mismatch",
    [STOP_CONFLICT] = "ledger_conflict",
};

const char *rule_text(enum rule rule)
{
    return rule_texts[rule];
}

const char *harm_text(enum harm harm)
{
    return harm_texts[harm];
}

bool plan_equal(struct plan a, struct plan b)
{
    return a.number == b.number && a.time == b.time && a.first == b.first && a.end == b.end;
}

bool plan_same(const struct config *config, struct plan a, struct plan b)
{
    return is_on(config, RULE_IDENTITY) ? plan_equal(a, b) : a.number == b.number;
}

/* The pipeline is enrolled at generation 0 by nobody; batch 0 is in everywhere. */
void state_init(struct state *ret)
{
    memset(ret, 0, sizeof(*ret));
}

uint64_t state_fingerprint(const struct state *state)
{
    const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t high = odd, low = ~odd;
    uint8_t bytes[(sizeof(*state) + 15) / 16 * 16] = { 0 };

    memcpy(bytes, state, sizeof(*state));
    for (size_t i = 0; i < sizeof(bytes); i += 16) {
        uint64_t pair[2];
        memcpy(pair, bytes + i, sizeof(pair));
        high = (high ^ pair[0]) * UINT64_C(0xff51afd7ed558ccd);
        low = (low ^ pair[1]) * UINT64_C(0xc4ceb9fe1a85ec53);
        high ^= high >> 32;
        low ^= low >> 29;
    }
    high = (high ^ (low >> 31 | low << 33)) * odd;
    return high ^ high >> 32;
}

/* --- Words ---------------------------------------------------------------------------------- */

static char name_of(uint8_t who)
{
    return (char)('A' + who);
}

static void tell_owner(FILE *out, uint8_t owner)
{
    if (owner == 0) {
        (void)fprintf(out, "nobody");
    } else {
        (void)fprintf(out, "%c%d", name_of((uint8_t)(owner >> 4) - 1), owner & 15);
    }
}

static void tell_plan(FILE *out, struct plan plan)
{
    (void)fprintf(out, "batch %d", plan.number);
    if (plan.number != 0) {
        (void)fprintf(out, " (t=%d, records %d to %d)", plan.time, plan.first, plan.end - 1);
    }
}

static const char *database_text(const struct config *config, uint8_t database)
{
    return config->databases == 1 ? "the database" : database == 0 ? "database 0" : "database 1";
}

/* What became of an instance by a claim, a verdict or a look. */
static void tell_outcome(FILE *out, const struct instance *before, const struct instance *after)
{
    if (after->phase == STOPPED) {
        (void)fprintf(out, ": it stops, %s", stop_texts[after->stop]);
    } else if (after->phase == FENCED) {
        (void)fprintf(out, ": it is fenced");
    } else if (after->phase == READING && before->owner != after->owner) {
        (void)fprintf(out, ": it begins to claim again, as ");
        tell_owner(out, after->owner);
    } else if (after->phase == RUNNING && before->phase != RUNNING) {
        (void)fprintf(out, ": it goes on after ");
        tell_plan(out, after->tip);
        if (after->rebuild_last != 0) {
            (void)fprintf(out, ", rebuilding up to %d", after->rebuild_last);
        }
    }
}

static void tell_step(FILE *out, const struct config *config, const struct state *before,
                      struct move move, const struct state *after)
{
    const struct slot *slot = &before->instances[move.who].slots[move.a];
    const struct ledger_row *was = &before->sink.rows[move.b];
    const struct ledger_row *is = &after->sink.rows[move.b];
    bool is_in = memcmp(was, is, sizeof(*was)) != 0;
    bool has_rows = memcmp(before->sink.held[move.b], after->sink.held[move.b],
                           sizeof(after->sink.held[move.b])) != 0;

    (void)config;
    (void)fprintf(out, "the server runs %c's step of ", name_of(move.who));
    tell_plan(out, slot->plan);
    (void)fprintf(out, " in partition %d: %s%s", move.b,
                  is_in      ? "committed"
                  : has_rows ? "its rows commit, without a step of the ledger"
                             : "refused",
                  move.kind == MOVE_NO_ANSWER ? ", and the answer is lost" : "");
}

static void tell_plan_move(FILE *out, const struct config *config, const struct state *before,
                           struct move move, const struct state *after)
{
    const struct instance *instance = &after->instances[move.who];

    (void)config;
    (void)fprintf(out, "%c %s ", name_of(move.who),
                  instance->tip.number <= before->instances[move.who].rebuild_last ? "rebuilds"
                                                                                   : "plans");
    tell_plan(out, instance->tip);
}

static void tell_kill(FILE *out, const struct state *before, struct move move,
                      const struct state *after)
{
    int orphans = 0;

    for (int i = 0; i < ORPHANS_MAX; i++) {
        orphans += (after->orphans[i].kind != 0) - (before->orphans[i].kind != 0);
    }
    (void)fprintf(out, "%c is killed", name_of(move.who));
    if (orphans > 0) {
        (void)fprintf(out, "; commands of its that the server still has: %d", orphans);
    }
    if (move.b > 0) {
        (void)fprintf(out, "; plans of its in the page cache only: %d", move.b);
    }
}

static void tell_orphan(FILE *out, const struct state *before, struct move move,
                        const struct state *after)
{
    const struct orphan *orphan = &before->orphans[move.a];

    (void)fprintf(out, "the server comes to ");
    if (orphan->kind == ORPHAN_STEP) {
        (void)fprintf(out, "a step left behind by ");
        tell_owner(out, orphan->owner);
        (void)fprintf(out, ", ");
        tell_plan(out, orphan->plan);
        (void)fprintf(out, " in partition %d", orphan->where);
    } else {
        (void)fprintf(out, "a take left behind by ");
        tell_owner(out, orphan->owner);
    }
    (void)fprintf(out, ": %s",
                  memcmp(&before->sink, &after->sink, sizeof(after->sink)) != 0 ? "done"
                                                                                : "refused");
}

void state_tell(FILE *out, const struct config *config, const struct state *before,
                struct move move, const struct state *after)
{
    const struct instance *was = &before->instances[move.who];
    const struct instance *is = &after->instances[move.who];
    char who = name_of(move.who);

    switch ((enum move_kind)move.kind) {
    case MOVE_START:
        (void)fprintf(out, "%c starts, with owner token ", who);
        tell_owner(out, is->owner);
        break;
    case MOVE_READ:
        (void)fprintf(out, "%c reads the ledger of %s", who, database_text(config, was->at));
        break;
    case MOVE_TAKE:
        (void)fprintf(out, "%c takes %s %d", who,
                      is_on(config, RULE_TAKE_AT_ONCE) ? database_text(config, was->at) : "row",
                      is_on(config, RULE_TAKE_AT_ONCE)
                          ? claim_command(config, before, move.who).generation
                      : move.who == 0 ? was->at
                                      : config->parts - 1 - was->at);
        tell_outcome(out, was, is);
        break;
    case MOVE_CONFIRM:
        (void)fprintf(out, "%c reads %s again", who, database_text(config, was->at));
        tell_outcome(out, was, is);
        break;
    case MOVE_PLAN:
        tell_plan_move(out, config, before, move, after);
        break;
    case MOVE_SEAL:
        (void)fprintf(out, "%c's next plan is durable", who);
        break;
    case MOVE_LOCK:
        (void)fprintf(out, "the server gives the row lock to %c's batch %d", who,
                      was->slots[move.a].plan.number);
        break;
    case MOVE_STEP:
    case MOVE_NO_ANSWER:
        tell_step(out, config, before, move, after);
        break;
    case MOVE_LOOK:
        (void)fprintf(out, "%c looks at the ledger of %s", who, database_text(config, move.a));
        tell_outcome(out, was, is);
        break;
    case MOVE_ORPHAN:
        tell_orphan(out, before, move, after);
        break;
    case MOVE_CUT:
        (void)fprintf(out, "the line of %c's batch %d in partition %d is cut%s", who,
                      was->slots[move.a].plan.number, move.b,
                      move.c ? "; its step has reached the server" : "");
        break;
    case MOVE_KILL:
        tell_kill(out, before, move, after);
        break;
    case MOVE_BACKUP:
        (void)fprintf(out, "a backup is made");
        break;
    case MOVE_RESTORE:
        (void)fprintf(out, "%s is restored", database_text(config, move.a));
        break;
    case MOVE_LOSE_LOG:
        (void)fprintf(out, "%c's log is lost", who);
        break;
    case MOVES:
        break;
    }
    (void)fprintf(out, "\n");
}

void state_show(FILE *out, const struct config *config, const struct state *state)
{
    for (uint8_t p = 0; p < config->parts; p++) {
        const struct ledger_row *row = &state->sink.rows[p];
        (void)fprintf(out, "      partition %d: ", p);
        tell_plan(out, row->at);
        (void)fprintf(out, ", generation %d of ", row->generation);
        tell_owner(out, row->owner);
        (void)fprintf(out, "; each record's rows:");
        for (uint8_t r = 0; r < config->records; r++) {
            (void)fprintf(out, " %d", state->sink.held[p][r]);
        }
        (void)fprintf(out, "\n");
    }
}
