/* check.c: the promise, judged from the records of the source and from who came after whom; no rule
 * of the protocol is consulted.
 *
 * C1  A row that is committed is never committed again; in the end none is missing.
 * C2  Who was overtaken writes nothing. The owner of a row is the last who took it, whether or not the
 *     protocol compares it.
 * C3  Rows are committed only when their plan is durable.
 * C4  The work goes on as long as log, ledger and source have what it takes. */
#include "tests/model/model.h"

static void note(struct state *state, enum harm harm)
{
    state->harm |= (uint8_t)(1u << harm);
}

void check_commit(const struct config *config, struct state *state, const struct orphan *step)
{
    const struct ledger_row *row = &state->sink.rows[step->where];

    if (row->owner != step->owner) {
        note(state, HARM_INTRUDER);
    }
    if (!step->vouched) {
        note(state, HARM_UNSEALED);
    }
    for (uint8_t r = step->plan.first; r < step->plan.end; r++) {
        if (state->sink.held[step->where][r] != 0) {
            note(state, HARM_DOUBLED);
        }
    }
    for (uint8_t p = 0; p < config->parts; p++) {
        if (p != step->where && state->sink.rows[p].at.number == step->plan.number &&
            !plan_equal(state->sink.rows[p].at, step->plan)) {
            note(state, HARM_MIXED);
        }
    }
}

/* Owner tokens are who << 4 | serial. */
void check_take(struct state *state, const struct orphan *take)
{
    if (take->kind == ORPHAN_TAKE && take->is_stale) {
        note(state, HARM_SHUT_OUT);
    }
}

static bool is_idle(const struct config *config, const struct instance *instance)
{
    if (instance->phase != RUNNING || instance->tip.end != config->records) {
        return false;
    }
    for (uint8_t k = 0; k < config->slots; k++) {
        if (instance->slots[k].state != SLOT_FREE) {
            return false;
        }
    }
    return true;
}

/* All is quiet, and said to be in: by an instance that has heard of every database since it went back,
 * or by the ledger itself. */
static bool looks_done(const struct config *config, const struct state *state,
                       const struct instance *instance)
{
    bool ledger_says = true;

    if (!is_idle(config, instance) || state->orphans[0].kind != ORPHAN_NONE) {
        return false;
    }
    for (uint8_t p = 0; p < config->parts; p++) {
        ledger_says = ledger_says && state->sink.rows[p].at.end == config->records;
    }
    return ledger_says || instance->unaware == 0;
}

static bool is_row_missing(const struct config *config, const struct state *state)
{
    for (uint8_t p = 0; p < config->parts; p++) {
        for (uint8_t r = 0; r < config->records; r++) {
            if (state->sink.held[p][r] == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Whether a log has every batch at which the ledger stands. */
static bool reaches_back(const struct config *config, const struct state *state,
                         const struct log *log)
{
    for (uint8_t p = 0; p < config->parts; p++) {
        struct plan at = state->sink.rows[p].at;
        bool is_known = log->exists && plan_equal(log->base, at);
        for (int i = 0; i < log->count; i++) {
            is_known = is_known || plan_equal(log->plans[i], at);
        }
        if (!is_known) {
            return false;
        }
    }
    return true;
}

/* A sink that went back needs a log that reaches back as far: only without one is a stop what was
 * promised, and only one that says so. */
void check_stop(const struct config *config, struct state *state, uint8_t who, enum stop stop)
{
    bool is_of_distance = stop == STOP_UNEVEN || stop == STOP_DISAGREE || stop == STOP_BEHIND;

    if (!state->restored || !is_of_distance || reaches_back(config, state, &state->logs[who])) {
        note(state, HARM_STOPPED);
    }
}

uint32_t check_state(const struct config *config, const struct state *state, bool is_stuck)
{
    uint32_t harm = state->harm;
    bool all_idle = true;

    for (int who = 0; who < INSTANCES; who++) {
        const struct instance *instance = &state->instances[who];
        if (looks_done(config, state, instance) && is_row_missing(config, state)) {
            harm |= 1u << HARM_LOST;
        }
        all_idle = all_idle && (instance->phase == DEAD || instance->phase == FENCED ||
                                instance->phase == STOPPED || is_idle(config, instance));
    }
    if (is_stuck && !all_idle) {
        harm |= 1u << HARM_STUCK;
    }
    return harm;
}
