/* server.c: what the simulated databases do with COMMITs and with calls. */
#include "tests/sim/memory.h"
#include "tests/sim/sim.h"

static bool commit(void *context, uint64_t batch, uint32_t partition, enum weir_memory_fault *ret)
{
    static const struct {
        enum sim_fault fault;
        enum weir_memory_fault meets;
    } fates[] = {
        { SIM_FAULT_lost_before, WEIR_MEMORY_LOST_BEFORE },
        { SIM_FAULT_lost_after, WEIR_MEMORY_LOST_AFTER },
        { SIM_FAULT_late, WEIR_MEMORY_LATE },
        { SIM_FAULT_late_locked, WEIR_MEMORY_LATE_LOCKED },
        { SIM_FAULT_deadlock, WEIR_MEMORY_ROLLED_BACK },
    };
    struct sim_sink *sink = context;
    bool strikes = false;

    if (sink->world->script != NULL) {
        return sim_script_commit(sink->world, ret);
    }
    for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
        if (sim_strikes(sink->world, fates[i].fault) && !strikes) {
            sim_note(sink->world, "commit meets", sink->number, batch, partition);
            *ret = fates[i].meets;
            strikes = true;
        }
    }
    return strikes;
}

static bool cut(void *context)
{
    struct sim_sink *sink = context;

    return sim_strikes(sink->world, SIM_FAULT_link_cut);
}

static bool at_once(void *context)
{
    struct sim_sink *sink = context;

    return sim_draw(sink->world, 2) == 0;
}

static enum weir_memory_answer call(void *context)
{
    struct sim_sink *sink = context;

    if (sink->world->script != NULL) {
        sim_script_call(sink->world);
        return sink->world->script->is_dead ? WEIR_MEMORY_AWAY : WEIR_MEMORY_ANSWERS;
    }
    if (sim_draw(sink->world, 2) == 0) { /* it arrives behind what the server was at work on */
        sim_server_settle(sink->world, false);
    }
    if (sim_strikes(sink->world, SIM_FAULT_call_away)) {
        return WEIR_MEMORY_AWAY;
    }
    return sim_strikes(sink->world, SIM_FAULT_call_at_work) ? WEIR_MEMORY_AT_WORK
                                                            : WEIR_MEMORY_ANSWERS;
}

static void tried(void *context, const struct weir_memory_transaction *transaction,
                  bool is_rolled_back)
{
    sim_memory_spare(true);
    sim_oracle_tried(context, transaction, is_rolled_back);
    sim_memory_spare(false);
}

static void got_in(void *context, const struct weir_memory_transaction *transaction)
{
    sim_memory_spare(true);
    sim_oracle_got_in(context, transaction);
    sim_memory_spare(false);
}

void sim_server_attach(struct sim_world *world, struct sim_sink *sink)
{
    sink->world = world;
    weir_memory_play(sink->database, &(struct weir_memory_play){ .context = sink,
                                                                 .commit = commit,
                                                                 .cut = cut,
                                                                 .at_once = at_once,
                                                                 .call = call,
                                                                 .tried = tried,
                                                                 .got_in = got_in });
}

static bool settle_one(struct sim_world *world, struct sim_sink *sink)
{
    uint32_t count = weir_memory_late_count(sink->database);
    struct sim_instance *current = world->current;
    uint32_t first = count == 0 ? 0 : (uint32_t)sim_draw(world, count);
    bool done = false;

    world->current = NULL; /* its client is not who is at work now */
    for (uint32_t i = 0; i < count && !done; i++) {
        bool commits = world->script != NULL ? !world->script->late_aborts
                                             : !sim_strikes(world, SIM_FAULT_late_aborts);
        done = weir_memory_end_late(sink->database, (first + i) % count, commits);
        sim_note(world, "late one ends", sink->number, commits, done);
    }
    world->current = current;
    return done;
}

void sim_server_settle(struct sim_world *world, bool all)
{
    for (uint32_t s = 0; s < world->config.sinks; s++) {
        while (settle_one(world, &world->sinks[s]) && all) {
        }
    }
}
