/* offers.c: the moves that are tried in a state; moves.c makes them, and knows which turn out not to be
 * possible. */
#include "tests/model/model.h"

struct moves {
    struct move *items;
    size_t count, max;
};

static void add(struct moves *ret, enum move_kind kind, uint8_t who, uint8_t a, uint8_t b,
                uint8_t c)
{
    if (ret->count < ret->max) {
        ret->items[ret->count++] = (struct move){ (uint8_t)kind, who, a, b, c };
    }
}

/* Commands of the instance that may outlive it. */
static uint8_t pending(const struct config *config, const struct instance *instance)
{
    uint8_t count = instance->phase == TAKING;

    for (uint8_t k = 0; k < config->slots; k++) {
        for (uint8_t p = 0; p < config->parts; p++) {
            count += instance->slots[k].parts[p].state == PART_SENT;
        }
    }
    return count;
}

static void add_part_moves(const struct config *config, const struct part *part, uint8_t who,
                           uint8_t slot, uint8_t p, struct moves *ret)
{
    if (part->lock == LOCK_WAITING) {
        add(ret, MOVE_LOCK, who, slot, p, 0);
    }
    if (part->state == PART_SENT) {
        add(ret, MOVE_STEP, who, slot, p, 0);
    }
    if (config->cuts != 0 && (part->state == PART_SENT || part->state == PART_HELD)) {
        add(ret, MOVE_NO_ANSWER, who, slot, p, 0);
        add(ret, MOVE_CUT, who, slot, p, 0);
        add(ret, MOVE_CUT, who, slot, p, 1);
    }
}

static void add_running_moves(const struct config *config, const struct instance *instance,
                              uint8_t who, struct moves *ret)
{
    uint8_t fates = (uint8_t)(1u << pending(config, instance));

    for (int records = 1; records <= BATCH_RECORDS_MAX; records++) {
        add(ret, MOVE_PLAN, who, records, 0, 0);
    }
    add(ret, MOVE_SEAL, who, 0, 0, 0);
    for (uint8_t k = 0; k < config->slots; k++) {
        for (uint8_t p = 0; p < config->parts && instance->slots[k].state != SLOT_FREE; p++) {
            add_part_moves(config, &instance->slots[k].parts[p], who, k, p, ret);
        }
    }
    for (uint8_t d = 0; d < config->databases; d++) {
        for (uint8_t fate = 0; fate < fates; fate++) {
            add(ret, MOVE_LOOK, who, d, fate, 0);
        }
    }
}

static void add_moves_of(const struct config *config, const struct state *state, uint8_t who,
                         struct moves *ret)
{
    static const uint8_t claiming[] = {
        [READING] = MOVE_READ, [TAKING] = MOVE_TAKE, [CONFIRMING] = MOVE_CONFIRM
    };
    const struct instance *instance = &state->instances[who];
    uint8_t fates = (uint8_t)(1u << pending(config, instance));
    uint8_t closed = 0;

    switch ((enum phase)instance->phase) {
    case DEAD:
        add(ret, MOVE_LOSE_LOG, who, 0, 0, 0);
        add(ret, MOVE_START, who, 0, 0, 0);
        return;
    case FENCED:
        add(ret, MOVE_START, who, 0, 0, 0);
        return;
    case STOPPED:
        return;
    case READING:
    case TAKING:
    case CONFIRMING:
        add(ret, (enum move_kind)claiming[instance->phase], who, 0, 0, 0);
        break;
    case RUNNING:
        add_running_moves(config, instance, who, ret);
        break;
    }
    for (uint8_t k = 0; k < config->slots; k++) {
        closed += instance->slots[k].state == SLOT_CLOSED;
    }
    for (uint8_t fate = 0; fate < fates; fate++) {
        for (uint8_t plans = 0; plans <= closed; plans++) {
            add(ret, MOVE_KILL, who, fate, plans, 0);
        }
    }
}

size_t moves_list(const struct config *config, const struct state *state, struct move *ret,
                  size_t max)
{
    struct moves moves = { .items = ret, .max = max };

    for (int who = 0; who < INSTANCES; who++) {
        add_moves_of(config, state, who, &moves);
    }
    for (uint8_t i = 0; i < ORPHANS_MAX && state->orphans[i].kind != ORPHAN_NONE; i++) {
        add(&moves, MOVE_ORPHAN, 0, i, 0, 0);
    }
    if (config->restores != 0 && !state->has_backup) {
        add(&moves, MOVE_BACKUP, 0, 0, 0, 0);
    }
    for (uint8_t d = 0; d < config->databases && state->restores < config->restores; d++) {
        add(&moves, MOVE_RESTORE, 0, d, 0, 0);
    }
    return moves.count;
}
