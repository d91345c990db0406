/* server.c: what the database does: steps, takes, restores, and commands whose client is gone.
 *
 * A step is rows, advance and COMMIT in one: until COMMIT nobody sees the rows, and advance holds the
 * ledger row's lock until then, so the moment of COMMIT is the only one that counts.
 * Mirrors weir.advance and weir.take of src/sink/postgres_ddl.c. That a starter ends the backends of
 * dead instances is left out: the compare-and-set must be enough where it may not. */
#include <string.h>

#include "tests/model/model.h"

static bool row_expects(const struct config *config, const struct ledger_row *row,
                        const struct orphan *step)
{
    return row->at.number + 1 == step->plan.number && plan_same(config, row->at, step->previous) &&
           row->generation == step->generation &&
           (!is_on(config, RULE_OWNER) || row->owner == step->owner);
}

bool server_step(const struct config *config, struct state *state, const struct orphan *step)
{
    struct ledger_row *row = &state->sink.rows[step->where];
    bool matches = row_expects(config, row, step);

    if (!matches && is_on(config, RULE_RAISE)) {
        return false;
    }
    check_commit(config, state, step);
    for (uint8_t r = step->plan.first; r < step->plan.end; r++) {
        state->sink.held[step->where][r]++;
    }
    if (matches) {
        row->at = step->plan;
    }
    return true;
}

static bool take_expects(const struct config *config, const struct state *state,
                         const struct orphan *take)
{
    for (uint8_t p = 0; p < config->parts; p++) {
        const struct ledger_row *row = &state->sink.rows[p];
        const struct ledger_row *expected = &take->expected[p];
        if (database_of(config, p) == take->where &&
            (row->generation != expected->generation ||
             (is_on(config, RULE_OWNER) && row->owner != expected->owner))) {
            return false;
        }
    }
    return true;
}

bool server_take(const struct config *config, struct state *state, const struct orphan *take)
{
    if (is_on(config, RULE_TAKE_COMPARES) && !take_expects(config, state, take)) {
        return false;
    }
    check_take(state, take);
    for (uint8_t p = 0; p < config->parts; p++) {
        if (database_of(config, p) == take->where) {
            state->sink.rows[p].generation = take->generation;
            state->sink.rows[p].owner = take->owner;
        }
    }
    for (int i = 0; i < ORPHANS_MAX; i++) {
        state->orphans[i].is_stale |=
            state->orphans[i].kind == ORPHAN_TAKE && state->orphans[i].where == take->where;
    }
    return true;
}

/* --- Commands whose client is gone ---------------------------------------------------------- */

/* Sorted, so that the order in which clients died does not make states differ. */
static void sort_orphans(struct state *state)
{
    for (int i = 1; i < ORPHANS_MAX; i++) {
        for (int j = i; j > 0 && memcmp(&state->orphans[j - 1], &state->orphans[j],
                                        sizeof(state->orphans[j])) < 0;
             j--) {
            struct orphan swap = state->orphans[j];
            state->orphans[j] = state->orphans[j - 1];
            state->orphans[j - 1] = swap;
        }
    }
}

bool orphan_add(struct state *state, const struct orphan *orphan)
{
    for (int i = 0; i < ORPHANS_MAX; i++) {
        if (state->orphans[i].kind == ORPHAN_NONE) {
            state->orphans[i] = *orphan;
            sort_orphans(state);
            return true;
        }
    }
    return false;
}

void orphan_remove(struct state *state, uint8_t index)
{
    memset(&state->orphans[index], 0, sizeof(state->orphans[index]));
    sort_orphans(state);
}

/* --- Locks ---------------------------------------------------------------------------------- */

bool server_lock_is_free(const struct config *config, const struct state *state, uint8_t part)
{
    for (int i = 0; i < ORPHANS_MAX; i++) {
        if (state->orphans[i].kind == ORPHAN_STEP && state->orphans[i].where == part) {
            return false;
        }
    }
    for (int who = 0; who < INSTANCES; who++) {
        for (uint8_t k = 0; k < config->slots; k++) {
            const struct part *other = &state->instances[who].slots[k].parts[part];
            if ((other->state == PART_HELD || other->state == PART_SENT) &&
                other->lock == LOCK_HELD) {
                return false;
            }
        }
    }
    return true;
}

/* --- Restore -------------------------------------------------------------------------------- */

/* The server stops, its files are those of the backup, it starts: no session outlives that. */
static void end_sessions(const struct config *config, struct state *state, uint8_t database)
{
    for (uint8_t i = ORPHANS_MAX; i-- > 0;) {
        const struct orphan *orphan = &state->orphans[i];
        if ((orphan->kind == ORPHAN_STEP && database_of(config, orphan->where) == database) ||
            (orphan->kind == ORPHAN_TAKE && orphan->where == database)) {
            orphan_remove(state, i);
        }
    }
    for (int who = 0; who < INSTANCES; who++) {
        struct instance *instance = &state->instances[who];
        instance->unaware |=
            (uint8_t)((instance->phase != DEAD && instance->phase != FENCED) << database);
        if (instance->phase == TAKING) {
            claim_begin(state, who);
        }
        for (uint8_t k = 0; k < config->slots; k++) {
            for (uint8_t p = 0; p < config->parts; p++) {
                struct part *part = &instance->slots[k].parts[p];
                if (database_of(config, p) == database &&
                    (part->state == PART_HELD || part->state == PART_SENT)) {
                    part->state = PART_DOUBTFUL;
                    part->lock = LOCK_NONE;
                    part->vouched = 0;
                }
            }
        }
    }
}

void server_restore(const struct config *config, struct state *state, uint8_t database)
{
    for (uint8_t p = 0; p < config->parts; p++) {
        if (database_of(config, p) == database) {
            state->sink.rows[p] = state->backup.rows[p];
            memcpy(state->sink.held[p], state->backup.held[p], sizeof(state->sink.held[p]));
        }
    }
    end_sessions(config, state, database);
    state->restored = 1;
}
