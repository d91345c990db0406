/* recovery.c: how an instance takes the ledger, what log and ledger mean together, and what a look
 * finds. The names are those of the code: claim is src/txn/start.c, judge is src/txn/recover.c, look is
 * src/txn/look.c.
 *
 * Reading the last ledger and acting on it are one move: what happens between them is noticed later
 * just as well, since all that is written is conditional. */
#include <string.h>

#include "tests/model/model.h"

/* --- Claim ---------------------------------------------------------------------------------- */

/* From the first ledger on, under a new owner token. */
void claim_begin(struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];

    instance->phase = READING;
    instance->at = 0;
    instance->owner = (uint8_t)((who + 1) << 4 | ++state->serial[who]);
    memset(instance->seen, 0, sizeof(instance->seen));
}

/* A starter that was overtaken while it claimed may begin again; who has run before gives way. */
void claim_refused(struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];

    if (instance->is_starting && ++instance->tries < CLAIM_TRIES_MAX) {
        claim_begin(state, who);
        return;
    }
    memset(instance, 0, sizeof(*instance));
    instance->phase = FENCED;
}

static void read_rows(const struct config *config, const struct state *state,
                      struct instance *instance, uint8_t database)
{
    instance->unaware &= (uint8_t) ~(1u << database);
    for (uint8_t p = 0; p < config->parts; p++) {
        if (database_of(config, p) == database) {
            instance->seen[p] = state->sink.rows[p];
        }
    }
}

bool claim_read(const struct config *config, struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];

    if (instance->phase != READING) {
        return false;
    }
    read_rows(config, state, instance, instance->at);
    instance->phase = TAKING;
    return true;
}

/* Larger than what was seen in this database and than all that the instance ever held. */
static uint8_t next_generation(const struct config *config, const struct instance *instance)
{
    uint8_t above = 0;

    for (uint8_t d = 0; d < config->databases; d++) {
        above = instance->generation[d] > above ? instance->generation[d] : above;
    }
    for (uint8_t p = 0; p < config->parts; p++) {
        if (instance->seen[p].generation > above) {
            above = instance->seen[p].generation;
        }
    }
    return (uint8_t)(above + 1);
}

struct orphan claim_command(const struct config *config, const struct state *state, uint8_t who)
{
    const struct instance *instance = &state->instances[who];
    struct orphan take = { .kind = ORPHAN_TAKE,
                           .where = instance->at,
                           .generation = next_generation(config, instance),
                           .owner = instance->owner };

    for (uint8_t p = 0; p < config->parts; p++) {
        if (database_of(config, p) == instance->at) {
            take.expected[p] = instance->seen[p];
        }
    }
    return take;
}

static void recover(const struct config *config, struct state *state, uint8_t who);

/* Without RULE_TAKE_AT_ONCE: one row after the other, in an order of one's own. */
static bool take_a_row(const struct config *config, struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];
    uint8_t p = who == 0 ? instance->at : (uint8_t)(config->parts - 1 - instance->at);
    uint8_t generation = next_generation(config, instance);

    state->sink.rows[p].generation = generation;
    state->sink.rows[p].owner = instance->owner;
    if (++instance->at == config->parts) {
        instance->generation[0] = generation;
        instance->at = 0;
        instance->phase = CONFIRMING;
    }
    return true;
}

bool claim_take(const struct config *config, struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];
    struct orphan take;

    if (instance->phase != TAKING) {
        return false;
    }
    if (!is_on(config, RULE_TAKE_AT_ONCE)) {
        return take_a_row(config, state, who);
    }
    take = claim_command(config, state, who);
    take.kind = ORPHAN_NONE; /* its client is there */
    if (!server_take(config, state, &take)) {
        claim_refused(state, who);
        return true;
    }
    instance->generation[instance->at] = take.generation;
    instance->at++;
    instance->phase = READING;
    if (instance->at == config->databases) {
        instance->at = 0;
        instance->phase = CONFIRMING;
        if (!is_on(config, RULE_BELIEVE_LATE)) {
            recover(config, state, who);
        }
    }
    return true;
}

enum owning { OURS, OVERTAKEN, WENT_BACK };

/* Whose the rows of one database are, as last read. */
static enum owning whose(const struct config *config, const struct instance *instance,
                         uint8_t database)
{
    enum owning found = OURS;

    for (uint8_t p = 0; p < config->parts; p++) {
        const struct ledger_row *row = &instance->seen[p];
        uint8_t ours = instance->generation[database];
        if (database_of(config, p) != database) {
            continue;
        }
        if (row->generation < ours) {
            found = WENT_BACK;
        } else if (row->generation > ours ||
                   (is_on(config, RULE_OWNER) && row->owner != instance->owner)) {
            return OVERTAKEN;
        }
    }
    return found;
}

bool claim_confirm(const struct config *config, struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];
    enum owning found;

    if (instance->phase != CONFIRMING) {
        return false;
    }
    read_rows(config, state, instance, instance->at);
    found = is_on(config, RULE_TAKE_AT_ONCE) ? whose(config, instance, instance->at) : OURS;
    if (found == OVERTAKEN) {
        claim_refused(state, who);
    } else if (found == WENT_BACK) {
        claim_begin(state, who);
    } else if (++instance->at == config->databases) {
        instance->at = 0;
        recover(config, state, who);
    }
    return true;
}

/* --- Verdict -------------------------------------------------------------------------------- */

/* Index in the log's chain, 0 for its base; -1: not a batch of this log. */
static int find_in_log(const struct config *config, const struct log *log, struct plan plan)
{
    if (!log->exists) {
        return -1;
    }
    for (int i = log->count; i > 0; i--) {
        if (plan_same(config, log->plans[i - 1], plan)) {
            return i;
        }
    }
    return plan_same(config, log->base, plan) ? 0 : -1;
}

struct evidence {
    const struct ledger_row *lowest, *highest;
    bool all_known, any_behind;
    int lowest_at;
};

static enum stop gather(const struct config *config, const struct instance *instance,
                        const struct log *log, struct evidence *ret)
{
    *ret = (struct evidence){ .all_known = true, .lowest_at = LOG_MAX + 1 };
    for (uint8_t p = 0; p < config->parts; p++) {
        const struct ledger_row *row = &instance->seen[p];
        int at = find_in_log(config, log, row->at);
        if (at < 0) {
            ret->all_known = false;
            ret->any_behind |= log->exists && row->at.number < log->base.number;
        } else if (at < ret->lowest_at) {
            ret->lowest_at = at;
        }
        if (ret->lowest == NULL || row->at.number < ret->lowest->at.number) {
            ret->lowest = row;
        }
        if (ret->highest == NULL || row->at.number > ret->highest->at.number) {
            ret->highest = row;
        }
    }
    if (ret->all_known && is_on(config, RULE_REBUILD_FAR)) {
        return STOP_NONE;
    }
    return config->databases == 1 && ret->highest->at.number - ret->lowest->at.number > 1
               ? STOP_UNEVEN
               : STOP_NONE;
}

static enum stop check_agreement(const struct config *config, const struct instance *instance,
                                 const struct evidence *found)
{
    for (uint8_t p = 0; p < config->parts; p++) {
        struct plan at = instance->seen[p].at;
        const struct ledger_row *same =
            at.number == found->lowest->at.number ? found->lowest : found->highest;
        if (!plan_same(config, at, same->at)) {
            return STOP_MIXED;
        }
    }
    return found->highest->at.number - found->lowest->at.number > 1 ? STOP_DISAGREE : STOP_NONE;
}

static void write_void(const struct config *config, struct log *log, struct plan base)
{
    if (is_on(config, RULE_VOID) || !log->exists) {
        uint8_t last_time = log->last_time;
        memset(log, 0, sizeof(*log));
        log->base = base;
        log->exists = 1;
        log->last_time = last_time;
    }
    log->last_time = base.time > log->last_time ? base.time : log->last_time;
}

static void stand_on(struct instance *instance, struct plan plan)
{
    instance->tip = plan;
    instance->committed = plan;
}

static enum stop follow_or_catch_up(const struct config *config, struct instance *instance,
                                    struct log *log, const struct evidence *found)
{
    enum stop stop = check_agreement(config, instance, found);

    if (stop != STOP_NONE) {
        return stop;
    }
    if (found->lowest->at.number == found->highest->at.number || !is_on(config, RULE_CATCH_UP)) {
        write_void(config, log, found->highest->at);
        stand_on(instance, found->highest->at);
        return STOP_NONE;
    }
    if (found->highest->at.first != found->lowest->at.end) {
        return STOP_MISMATCH;
    }
    write_void(config, log, found->lowest->at);
    stand_on(instance, found->lowest->at);
    instance->catch_up = found->highest->at;
    instance->rebuild_last = found->highest->at.number;
    return STOP_NONE;
}

static enum stop judge(const struct config *config, struct instance *instance, struct log *log)
{
    struct evidence found;
    enum stop stop = gather(config, instance, log, &found);

    if (stop != STOP_NONE) {
        return stop;
    }
    if (!log->exists && found.highest->at.number == 0) {
        write_void(config, log, found.highest->at);
        stand_on(instance, found.highest->at);
        return STOP_NONE;
    }
    if (log->exists && found.all_known) {
        stand_on(instance, found.lowest_at == 0 ? log->base : log->plans[found.lowest_at - 1]);
        if (found.lowest_at < log->count) {
            instance->rebuild_at = (uint8_t)found.lowest_at;
            instance->rebuild_last = log->plans[log->count - 1].number;
        }
        return STOP_NONE;
    }
    return found.any_behind ? STOP_BEHIND : follow_or_catch_up(config, instance, log, &found);
}

static void recover(const struct config *config, struct state *state, uint8_t who)
{
    struct instance *instance = &state->instances[who];
    struct log *log = &state->logs[who];
    enum stop stop;

    instance->last_time = log->last_time;
    for (uint8_t p = 0; p < config->parts; p++) {
        if (instance->seen[p].at.time > instance->last_time) {
            instance->last_time = instance->seen[p].at.time;
        }
    }
    stop = judge(config, instance, log);
    if (stop != STOP_NONE) {
        check_stop(config, state, who, stop);
        memset(instance, 0, sizeof(*instance));
        instance->phase = STOPPED;
        instance->stop = (uint8_t)stop;
        return;
    }
    instance->phase = RUNNING;
    instance->is_starting = 0;
    instance->tries = 0;
    if (instance->rebuild_last == 0) {
        memset(instance->seen, 0, sizeof(instance->seen));
    }
}

/* --- Look ----------------------------------------------------------------------------------- */

enum finding { FOUND_IN, FOUND_NOT_IN, FOUND_EARLIER, FOUND_STRANGER };

static enum finding compare(const struct config *config, const struct instance *instance,
                            const struct log *log, const struct slot *head, struct plan at)
{
    if (head->state != SLOT_FREE && plan_same(config, at, head->plan)) {
        return FOUND_IN;
    }
    if (plan_same(config, at, instance->committed)) {
        return FOUND_NOT_IN;
    }
    if (at.number < instance->committed.number) {
        return FOUND_EARLIER;
    }
    return is_on(config, RULE_LOOK_AHEAD) && find_in_log(config, log, at) >= 0 ? FOUND_IN
                                                                               : FOUND_STRANGER;
}

static bool is_doubtful(const struct config *config, const struct instance *instance, uint8_t p)
{
    for (uint8_t k = 0; k < config->slots; k++) {
        if (instance->slots[k].parts[p].state == PART_DOUBTFUL) {
            return true;
        }
    }
    return false;
}

static bool is_looked_at(const struct config *config, const struct instance *instance, uint8_t p,
                         uint8_t database)
{
    return database_of(config, p) == database &&
           (is_on(config, RULE_LOOK_AT_ALL) || is_doubtful(config, instance, p));
}

static bool take_up_again(const struct config *config, struct state *state, uint8_t who,
                          uint8_t survivors)
{
    if (!let_go(config, state, who, survivors)) {
        return false;
    }
    claim_begin(state, who);
    return true;
}

static bool give_up(const struct config *config, struct state *state, uint8_t who, enum phase phase,
                    enum stop stop, uint8_t survivors)
{
    if (!let_go(config, state, who, survivors)) {
        return false;
    }
    if (stop != STOP_NONE) {
        check_stop(config, state, who, stop);
    }
    memset(&state->instances[who], 0, sizeof(state->instances[who]));
    state->instances[who].phase = (uint8_t)phase;
    state->instances[who].stop = (uint8_t)stop;
    return true;
}

static void settle(const struct config *config, struct instance *instance, const struct log *log,
                   const struct slot *head, uint8_t p)
{
    struct plan at = instance->seen[p].at;
    bool is_found = compare(config, instance, log, head, at) == FOUND_IN;

    for (uint8_t k = 0; k < config->slots; k++) {
        struct slot *slot = &instance->slots[k];
        struct part *part = &slot->parts[p];
        if (slot->state != SLOT_FREE && part->state == PART_DOUBTFUL) {
            part->state = is_found && slot->plan.number <= at.number ? PART_IN : PART_AGAIN;
        }
    }
}

bool look(const struct config *config, struct state *state, uint8_t who, uint8_t database,
          uint8_t survivors)
{
    struct instance *instance = &state->instances[who];
    const struct log *log = &state->logs[who];
    struct slot *head = slot_of(config, instance, (uint8_t)(instance->committed.number + 1));
    bool is_wanted = false;
    enum owning found;

    for (uint8_t p = 0; p < config->parts; p++) {
        is_wanted =
            is_wanted || (database_of(config, p) == database && is_doubtful(config, instance, p));
    }
    if (instance->phase != RUNNING || !is_wanted) {
        return false;
    }
    read_rows(config, state, instance, database);
    found = whose(config, instance, database);
    if (found == OVERTAKEN) {
        return give_up(config, state, who, FENCED, STOP_NONE, survivors);
    }
    for (uint8_t p = 0; p < config->parts && found == OURS; p++) {
        if (!is_looked_at(config, instance, p, database)) {
            continue;
        }
        enum finding finding = compare(config, instance, log, head, instance->seen[p].at);
        if (finding == FOUND_STRANGER) {
            return give_up(config, state, who, STOPPED, STOP_CONFLICT, survivors);
        }
        if (finding == FOUND_EARLIER || (finding == FOUND_NOT_IN && head->state != SLOT_FREE &&
                                         head->parts[p].state == PART_IN)) {
            found = WENT_BACK;
        }
    }
    if (found == WENT_BACK) {
        return take_up_again(config, state, who, survivors);
    }
    for (uint8_t p = 0; p < config->parts; p++) {
        if (is_looked_at(config, instance, p, database)) {
            settle(config, instance, log, head, p);
        }
    }
    if (instance->rebuild_last <= instance->tip.number) {
        memset(instance->seen, 0, sizeof(instance->seen));
    }
    run_ahead(config, state, who);
    return survivors == 0;
}
