/* moves.c: what can happen, and how it changes the state. offers.c says what is tried.
 *
 * Moves that wait for nobody and that nobody else can see are made at once, in run_ahead(): a step is
 * sent as soon as it may be (the server may still take as long as it likes), a part that is known not
 * to be in is sent again, a batch that is in everywhere is let go. An answer arrives with what it
 * answers: a client that is slow to read it is one that is slow to move.
 * Mirrors src/txn/commit.c and txn.c, and U1 of src/sink/postgres_part.c. */
#include <string.h>

#include "tests/model/model.h"

struct slot *slot_of(const struct config *config, struct instance *instance, uint8_t number)
{
    return &instance->slots[number % config->slots];
}

struct orphan step_command(const struct config *config, const struct state *state, uint8_t who,
                           const struct slot *slot, uint8_t part)
{
    const struct instance *instance = &state->instances[who];

    return (struct orphan){ .kind = ORPHAN_STEP,
                            .where = part,
                            .generation = instance->generation[database_of(config, part)],
                            .owner = instance->owner,
                            .plan = slot->plan,
                            .previous = slot->previous,
                            .vouched = slot->parts[part].vouched };
}

/* --- What an instance does without being asked ---------------------------------------------- */

static bool is_durable(const struct log *log, struct plan plan)
{
    for (int i = 0; i < log->count; i++) {
        if (plan_equal(log->plans[i], plan)) {
            return (log->durable >> i & 1) != 0;
        }
    }
    return false;
}

static void send_step(const struct state *state, uint8_t who, const struct slot *slot,
                      struct part *part)
{
    part->state = PART_SENT;
    part->step_allowed = 1;
    part->vouched = is_durable(&state->logs[who], slot->plan);
}

static void roll_back_later(const struct config *config, struct instance *instance, uint8_t number,
                            uint8_t database)
{
    for (uint8_t later = (uint8_t)(number + 1); later <= instance->tip.number; later++) {
        struct slot *slot = slot_of(config, instance, later);
        for (uint8_t p = 0; p < config->parts; p++) {
            if (database_of(config, p) == database && slot->parts[p].state == PART_HELD) {
                slot->parts[p].state = PART_AGAIN;
                slot->parts[p].lock = LOCK_NONE;
            }
        }
    }
}

/* The head first: what it rolls back is sent again behind it. */
static void send_again(const struct config *config, struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];
    uint8_t head = (uint8_t)(instance->committed.number + 1);

    for (uint8_t n = head; n <= instance->tip.number; n++) {
        struct slot *slot = slot_of(config, instance, n);
        for (uint8_t p = 0; p < config->parts; p++) {
            struct part *part = &slot->parts[p];
            if (part->state != PART_AGAIN) {
                continue;
            }
            if (n == head && is_on(config, RULE_ROLL_BACK)) {
                roll_back_later(config, instance, n, database_of(config, p));
            }
            part->state = PART_HELD;
            if (part->step_allowed) {
                send_step(state, who, slot, part);
            }
        }
    }
}

static bool may_step(const struct config *config, const struct slot *slot, bool is_head)
{
    return (is_head || !is_on(config, RULE_ORDER)) &&
           (slot->state == SLOT_SEALED ||
            (slot->state == SLOT_CLOSED && !is_on(config, RULE_SEAL)));
}

static bool is_in_everywhere(const struct config *config, const struct slot *slot)
{
    for (uint8_t p = 0; p < config->parts; p++) {
        if (slot->parts[p].state != PART_IN) {
            return false;
        }
    }
    return slot->state == SLOT_SEALED;
}

/* U1: whether the rows of all batches before this one are in the server. */
static bool older_rows_are_in(const struct config *config, struct instance *instance,
                              uint8_t number)
{
    for (uint8_t n = (uint8_t)(instance->committed.number + 1); n < number; n++) {
        for (uint8_t p = 0; p < config->parts; p++) {
            const struct part *part = &slot_of(config, instance, n)->parts[p];
            if (part->state != PART_IN && part->lock != LOCK_HELD) {
                return false;
            }
        }
    }
    return true;
}

static void send_upserts(const struct config *config, struct instance *instance)
{
    for (uint8_t n = (uint8_t)(instance->committed.number + 1); n <= instance->tip.number; n++) {
        for (uint8_t p = 0; p < config->parts; p++) {
            struct part *part = &slot_of(config, instance, n)->parts[p];
            if ((part->state == PART_HELD || part->state == PART_SENT) && part->lock == LOCK_NONE &&
                older_rows_are_in(config, instance, n)) {
                part->lock = LOCK_WAITING;
            }
        }
    }
}

void run_ahead(const struct config *config, struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];
    uint8_t n;

    send_again(config, state, who);
    for (n = (uint8_t)(instance->committed.number + 1); n <= instance->tip.number; n++) {
        struct slot *slot = slot_of(config, instance, n);
        bool is_head = n == instance->committed.number + 1;
        for (uint8_t p = 0; p < config->parts; p++) {
            if (slot->parts[p].state == PART_HELD && may_step(config, slot, is_head)) {
                send_step(state, who, slot, &slot->parts[p]);
            }
        }
        if (is_head && is_in_everywhere(config, slot)) {
            instance->committed = slot->plan;
            memset(slot, 0, sizeof(*slot));
        }
    }
    if (config->upsert) {
        send_upserts(config, instance);
    }
    if (instance->rebuild_last != 0 && instance->tip.number >= instance->rebuild_last) {
        instance->rebuild_last = 0;
        instance->rebuild_at = 0;
        memset(&instance->catch_up, 0, sizeof(instance->catch_up));
        memset(instance->seen, 0, sizeof(instance->seen));
    }
}

/* --- Coming and going ----------------------------------------------------------------------- */

static bool keep_if(struct state *state, const struct orphan *command, uint8_t *survivors)
{
    bool is_kept = (*survivors & 1) != 0;

    *survivors >>= 1;
    return !is_kept || orphan_add(state, command);
}

bool let_go(const struct config *config, struct state *state, uint8_t who, uint8_t survivors)
{
    struct instance *instance = &state->instances[who];

    if (instance->phase == TAKING && is_on(config, RULE_TAKE_AT_ONCE)) {
        struct orphan take = claim_command(config, state, who);
        if (!keep_if(state, &take, &survivors)) {
            return false;
        }
    }
    for (uint8_t k = 0; k < config->slots; k++) {
        for (uint8_t p = 0; p < config->parts; p++) {
            const struct part *part = &instance->slots[k].parts[p];
            if (part->state == PART_SENT && (!config->upsert || part->lock == LOCK_HELD)) {
                struct orphan step = step_command(config, state, who, &instance->slots[k], p);
                if (!keep_if(state, &step, &survivors)) {
                    return false;
                }
            }
        }
    }
    memset(instance->slots, 0, sizeof(instance->slots));
    memset(&instance->catch_up, 0, sizeof(instance->catch_up));
    memset(&instance->tip, 0, sizeof(instance->tip));
    memset(&instance->committed, 0, sizeof(instance->committed));
    instance->rebuild_last = 0;
    instance->rebuild_at = 0;
    return survivors == 0; /* else the same as another move */
}

static bool start(const struct config *config, struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];
    struct log *log = &state->logs[who];

    if ((instance->phase != DEAD && instance->phase != FENCED) ||
        state->starts[who] == config->starts[who]) {
        return false;
    }
    state->starts[who]++;
    memset(instance, 0, sizeof(*instance));
    instance->is_starting = 1;
    claim_begin(state, who);
    if (is_on(config, RULE_SYNC_FOUND)) {
        log->durable = (uint8_t)((1u << log->count) - 1);
    }
    return true;
}

static bool append(struct log *log, struct plan plan, bool is_durable_now)
{
    if (log->count == LOG_MAX) {
        return false;
    }
    log->durable |= (uint8_t)(is_durable_now << log->count);
    log->plans[log->count++] = plan;
    log->last_time = plan.time > log->last_time ? plan.time : log->last_time;
    return true;
}

static struct slot *oldest_closed(const struct config *config, struct instance *instance)
{
    for (uint8_t n = (uint8_t)(instance->committed.number + 1); n <= instance->tip.number; n++) {
        struct slot *slot = slot_of(config, instance, n);
        if (slot->state == SLOT_CLOSED) {
            return slot;
        }
    }
    return NULL;
}

/* Plans that were on their way may be found later, in the page cache. */
static bool kill(const struct config *config, struct state *state, uint8_t who, uint8_t survivors,
                 uint8_t plans)
{
    struct instance *instance = &state->instances[who];

    if (instance->phase == DEAD || instance->phase == FENCED || instance->phase == STOPPED) {
        return false;
    }
    for (uint8_t i = 0; i < plans; i++) {
        struct slot *slot = oldest_closed(config, instance);
        if (slot == NULL || !append(&state->logs[who], slot->plan, false)) {
            return false;
        }
        slot->state = SLOT_SEALED;
    }
    if (!let_go(config, state, who, survivors)) {
        return false;
    }
    memset(instance, 0, sizeof(*instance));
    return true;
}

/* --- Batches -------------------------------------------------------------------------------- */

/* Even times are A's, odd ones B's; each is above all that log and ledger have shown. */
static uint8_t draw_time(struct instance *instance, uint8_t who)
{
    do {
        instance->last_time++;
    } while (instance->last_time % INSTANCES != who);
    return instance->last_time;
}

static void begin(const struct config *config, struct instance *instance, struct plan plan,
                  enum slot_state sealed, bool is_rebuilt)
{
    struct slot *slot = slot_of(config, instance, plan.number);

    *slot = (struct slot){ .plan = plan, .previous = instance->tip, .state = (uint8_t)sealed };
    for (uint8_t p = 0; p < config->parts; p++) {
        bool is_in = is_rebuilt && is_on(config, RULE_SKIP_HELD) &&
                     instance->seen[p].at.number >= plan.number;
        slot->parts[p].state = is_in ? PART_IN : PART_HELD;
    }
    instance->tip = plan;
}

/* Rows go into open transactions; how many records the batch takes is up to chance. */
static bool plan_batch(const struct config *config, struct state *state, uint8_t who,
                       uint8_t records)
{
    struct instance *instance = &state->instances[who];
    uint8_t next = (uint8_t)(instance->tip.number + 1);

    if (instance->phase != RUNNING || slot_of(config, instance, next)->state != SLOT_FREE) {
        return false;
    }
    if (next <= instance->rebuild_last) {
        const struct log *log = &state->logs[who];
        if (records != 1) {
            return false;
        }
        if (instance->catch_up.number != 0) {
            begin(config, instance, instance->catch_up, SLOT_CLOSED, true);
        } else {
            begin(config, instance, log->plans[instance->rebuild_at], SLOT_SEALED, true);
            instance->rebuild_at++;
        }
    } else {
        struct plan plan = { .number = next, .first = instance->tip.end };
        plan.end = (uint8_t)(plan.first + records);
        if (plan.end > config->records) {
            return false;
        }
        plan.time = draw_time(instance, who);
        begin(config, instance, plan, SLOT_CLOSED, false);
    }
    run_ahead(config, state, who);
    return true;
}

static bool seal(const struct config *config, struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];
    struct slot *slot = instance->phase == RUNNING ? oldest_closed(config, instance) : NULL;

    if (slot == NULL || !append(&state->logs[who], slot->plan, true)) {
        return false;
    }
    slot->state = SLOT_SEALED;
    run_ahead(config, state, who);
    return true;
}

static bool lock(const struct config *config, struct state *state, struct move move)
{
    struct part *part = &state->instances[move.who].slots[move.a].parts[move.b];

    if (part->lock != LOCK_WAITING || !server_lock_is_free(config, state, move.b)) {
        return false;
    }
    part->lock = LOCK_HELD;
    run_ahead(config, state, move.who);
    return true;
}

static bool step(const struct config *config, struct state *state, struct move move,
                 bool is_answered)
{
    struct instance *instance = &state->instances[move.who];
    struct slot *slot = &instance->slots[move.a];
    struct part *part = &slot->parts[move.b];
    struct orphan command;
    bool is_in;

    if (part->state != PART_SENT || (config->upsert && part->lock != LOCK_HELD) ||
        (!is_answered && state->cuts++ == config->cuts)) {
        return false;
    }
    command = step_command(config, state, move.who, slot, move.b);
    is_in = server_step(config, state, &command);
    part->lock = LOCK_NONE;
    part->vouched = 0;
    if (is_answered && !is_in) {
        instance->unaware &= (uint8_t) ~(1u << database_of(config, move.b));
    }
    part->state = is_answered && (is_in || !is_on(config, RULE_TAG)) ? PART_IN : PART_DOUBTFUL;
    run_ahead(config, state, move.who);
    return true;
}

/* The line of one part is cut; a step that reached the server is still carried out. */
static bool cut(const struct config *config, struct state *state, struct move move)
{
    struct instance *instance = &state->instances[move.who];
    struct slot *slot = &instance->slots[move.a];
    struct part *part = &slot->parts[move.b];

    if ((part->state != PART_HELD && part->state != PART_SENT) || state->cuts == config->cuts ||
        (move.c && (part->state != PART_SENT || (config->upsert && part->lock != LOCK_HELD)))) {
        return false;
    }
    state->cuts++;
    if (move.c) {
        struct orphan command = step_command(config, state, move.who, slot, move.b);
        if (!orphan_add(state, &command)) {
            return false;
        }
    }
    part->state = PART_DOUBTFUL;
    part->lock = LOCK_NONE;
    part->vouched = 0;
    return true;
}

static bool run_orphan(const struct config *config, struct state *state, uint8_t index)
{
    struct orphan command = state->orphans[index];

    if (command.kind == ORPHAN_NONE) {
        return false;
    }
    orphan_remove(state, index);
    (void)(command.kind == ORPHAN_STEP ? server_step(config, state, &command)
                                       : server_take(config, state, &command));
    return true;
}

/* --- Bad luck that strikes no line ---------------------------------------------------------- */

static bool strike(const struct config *config, struct state *state, struct move move)
{
    switch ((enum move_kind)move.kind) {
    case MOVE_BACKUP:
        if (state->has_backup || config->restores == 0) {
            return false;
        }
        state->has_backup = 1;
        state->backup = state->sink;
        return true;
    case MOVE_RESTORE:
        if (!state->has_backup || state->restores == config->restores) {
            return false;
        }
        state->restores++;
        server_restore(config, state, move.a);
        return true;
    case MOVE_LOSE_LOG:
        if (state->instances[move.who].phase != DEAD || !state->logs[move.who].exists ||
            state->losses == config->losses) {
            return false;
        }
        state->losses++;
        memset(&state->logs[move.who], 0, sizeof(state->logs[move.who]));
        return true;
    default:
        return false;
    }
}

/* --- All moves ------------------------------------------------------------------------------ */

bool move_make(const struct config *config, struct state *state, struct move move)
{
    switch ((enum move_kind)move.kind) {
    case MOVE_START:
        return start(config, state, move.who);
    case MOVE_READ:
        return claim_read(config, state, move.who);
    case MOVE_TAKE:
        return claim_take(config, state, move.who);
    case MOVE_CONFIRM:
        return claim_confirm(config, state, move.who);
    case MOVE_PLAN:
        return plan_batch(config, state, move.who, move.a);
    case MOVE_SEAL:
        return seal(config, state, move.who);
    case MOVE_LOCK:
        return lock(config, state, move);
    case MOVE_STEP:
        return step(config, state, move, true);
    case MOVE_LOOK:
        return look(config, state, move.who, move.a, move.b);
    case MOVE_ORPHAN:
        return run_orphan(config, state, move.a);
    case MOVE_NO_ANSWER:
        return step(config, state, move, false);
    case MOVE_CUT:
        return cut(config, state, move);
    case MOVE_KILL:
        return kill(config, state, move.who, move.a, move.b);
    case MOVE_BACKUP:
    case MOVE_RESTORE:
    case MOVE_LOSE_LOG:
    case MOVES:
        break;
    }
    return strike(config, state, move);
}
