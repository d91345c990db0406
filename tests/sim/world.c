/* world.c: one seed: a world with instances in it, turn by turn, and its end.
 *
 * In the first part everything may go wrong. Then faults end, and the pipeline must come to an end
 * of its own: everything written (O-13), every instance that was overtaken gone. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/sim/sim.h"

enum {
    STEP_STARTS_US_MAX = 300,
    CALM_TURNS_MAX = 1500,
    CALM_BOOTS_MAX = 40,
    ZOMBIE_TURNS_MAX = 400,
    IDLE_DOUBLINGS_MAX = 14,
};

/* --- Notes ---------------------------------------------------------------------------------- */

void sim_note(struct sim_world *world, const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    world->outcome->hash =
        sim_mix(sim_mix(world->outcome->hash, a), sim_mix(b, c) + (uint8_t)what[0]);
    if (world->is_traced) {
        printf("%5u %s %-18s %llu %llu %llu\n", world->turn,
               world->current == NULL ? "--" : world->current->dir, what, (unsigned long long)a,
               (unsigned long long)b, (unsigned long long)c);
    }
}

void sim_violation(struct sim_world *world, const char *fmt, ...)
{
    va_list args;

    if (sim_has_failed(world)) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(world->outcome->violation, sizeof(world->outcome->violation), fmt, args);
    va_end(args);
    sim_note(world, "VIOLATION", 0, 0, 0);
    if (world->is_traced) {
        printf("      %s\n", world->outcome->violation);
    }
}

uint64_t sim_draw(struct sim_world *world, uint64_t limit)
{
    weir_assert(limit > 0);
    return sim_mix(world->seed ^ 0x5c4ed01e, (uint64_t)world->turn << 32 | world->draws++) % limit;
}

/* --- Source --------------------------------------------------------------------------------- */

void sim_send(struct sim_world *world, uint32_t q, bool bad)
{
    struct sim_partition *partition = &world->partitions[q];
    char text[32];
    int len = snprintf(text, sizeof(text), "%s%lld", bad ? "b" : "", (long long)world->sent);
    int64_t offset = weir_memory_topic_append(world->topic, q, (struct weir_str){ 0 },
                                              (struct weir_str){ text, (size_t)len }, 0);

    weir_assert(offset >= 0);
    if (partition->count == partition->max) {
        partition->max = partition->max == 0 ? 64 : partition->max * 2;
        partition->records =
            realloc(partition->records, partition->max * sizeof(*partition->records));
        weir_assert(partition->records != NULL);
    }
    partition->records[partition->count++] =
        (struct sim_record){ .offset = offset, .id = world->sent, .was_id = -1, .is_bad = bad };
    world->sent++;
}

/* --- Instances ------------------------------------------------------------------------------ */

static void close_instance(struct sim_world *world, struct sim_instance *instance)
{
    struct sim_instance *before = world->current;

    world->current = instance;
    weir_engine_close(instance->engine);
    weir_io_close(instance->io);
    instance->engine = NULL;
    instance->io = NULL;
    instance->is_stopping = false;
    world->current = before;
}

bool sim_is_caught_up(const struct sim_instance *instance)
{
    struct weir_status status = { 0 };

    if (instance->state == SIM_UP) {
        weir_engine_status(instance->engine, &status);
    }
    return status.caught_up;
}

void sim_kill(struct sim_world *world, struct sim_instance *instance)
{
    if (instance->state == SIM_UP || instance->state == SIM_FROZEN) {
        sim_disk_kill_one(instance->io);
        close_instance(world, instance);
        sim_note(world, "killed", 0, 0, 0);
        world->killed = true;
    }
    instance->state = SIM_DOWN;
}

/* Whether a told crash has ended who had the turn. */
static bool has_died(struct sim_world *world)
{
    return world->script != NULL && world->script->is_dead;
}

bool sim_boot(struct sim_world *world, struct sim_instance *instance)
{
    struct weir_error err = { 0 };

    weir_assert(instance->engine == NULL);
    instance->boot = ++world->boots;
    world->current = instance;
    world->dirs_used |= 1u << (instance - world->instances);
    instance->ever_started = true;
    memset(instance->generation, 0, sizeof(instance->generation));
    memset(instance->owner, 0, sizeof(instance->owner));
    instance->plan = world->plan; /* as the file is now */
    instance->io = sim_disk_boot(world->disk);
    const struct weir_engine_args args = { .plan = &instance->plan,
                                           .io = instance->io,
                                           .dir = instance->dir };
    int rc = weir_engine_open(&args, &instance->engine, &err);
    sim_note(world, "booted", (uint64_t)-rc, 0, 0);
    if (has_died(world)) {
        close_instance(world, instance);
    } else if (rc == WEIR_OK) {
        instance->state = SIM_UP;
    } else {
        instance->state = sim_judge_stop(world, instance, rc, &err);
        close_instance(world, instance);
    }
    world->current = NULL;
    return rc == WEIR_OK;
}

void sim_take_turn(struct sim_world *world, struct sim_instance *instance)
{
    struct weir_error err = { 0 };
    bool idle = true;

    world->current = instance;
    int rc = weir_engine_step(instance->engine, &idle, &err);
    instance->is_idle = idle;
    if (has_died(world)) {
        close_instance(world, instance);
        instance->state = SIM_DOWN;
    } else if (rc != WEIR_OK) {
        sim_note(world, "failed", (uint64_t)-rc, 0, 0);
        instance->state = sim_judge_stop(world, instance, rc, &err);
        close_instance(world, instance);
    } else if (weir_engine_is_finished(instance->engine)) {
        close_instance(world, instance);
        instance->state = SIM_DOWN;
    }
    world->current = NULL;
}

/* A supervisor starts again what is down, but for instances that were fenced. */
static void supervise(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->config.instances; i++) {
        struct sim_instance *instance = &world->instances[i];
        if (instance->state == SIM_DOWN && (instance->ever_started || i == 0) &&
            sim_draw(world, 3) == 0) {
            (void)sim_boot(world, instance);
        }
    }
}

/* --- Turns ---------------------------------------------------------------------------------- */

void sim_begin_turn(struct sim_world *world)
{
    world->turn++;
    memset(world->asked, 0, sizeof(world->asked));
    world->draws = 0;
}

static void everybody_steps(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->config.instances; i++) {
        struct sim_instance *instance = &world->instances[i];
        uint64_t steps = sim_draw(world, 4);
        for (uint64_t n = 0; n < steps && instance->state == SIM_UP; n++) {
            sim_take_turn(world, instance);
        }
    }
}

/* From a hundred microseconds to a few seconds. */
static void pass_time(struct sim_world *world)
{
    sim_disk_advance(world->disk, 100 + sim_draw(world, UINT64_C(100) << sim_draw(world, 15)));
}

static void play(struct sim_world *world)
{
    while (world->turn < world->config.turns && !sim_has_failed(world)) {
        sim_begin_turn(world);
        if (world->sent < world->config.records) {
            uint64_t count = sim_draw(world, 4);
            for (uint64_t i = 0; i < count; i++) {
                sim_send(world, (uint32_t)sim_draw(world, world->partition_count), false);
            }
        }
        sim_faults_turn(world);
        supervise(world);
        everybody_steps(world);
        pass_time(world);
    }
}

/* --- The end -------------------------------------------------------------------------------- */

static void calm_down(struct sim_world *world)
{
    world->is_calm = true;
    sim_disk_heal(world->disk);
    weir_memory_topic_set_away(world->topic, false);
    for (uint32_t s = 0; s < world->config.sinks; s++) {
        weir_memory_late_linger(world->sinks[s].database, false);
        weir_memory_end_old(world->sinks[s].database);
    }
    for (uint32_t i = 0; i < world->config.instances; i++) {
        struct sim_instance *instance = &world->instances[i];
        if (!world->config.keeps_running && instance->state == SIM_UP) {
            sim_kill(world, instance);
        }
        if (instance->is_stopping) {
            sim_kill(world, instance);
        }
    }
    /* A sink that went back behind an idle pipeline shows with the next row. */
    sim_send(world, (uint32_t)sim_draw(world, world->partition_count), false);
}

/* The one that is to finish: who runs, else who was started last, and is allowed to. */
static struct sim_instance *choose_finisher(struct sim_world *world)
{
    struct sim_instance *ret = NULL;

    for (uint32_t i = 0; i < world->config.instances; i++) {
        if (world->instances[i].state == SIM_UP) {
            return &world->instances[i];
        }
    }
    uint32_t first = (uint32_t)sim_draw(world, world->config.instances);
    for (uint32_t i = 0; i < world->config.instances; i++) {
        struct sim_instance *instance = &world->instances[(first + i) % world->config.instances];
        if (instance->state == SIM_DOWN || instance->state == SIM_FENCED) {
            return instance;
        }
        ret = instance->state == SIM_FROZEN ? instance : ret;
    }
    if (ret != NULL) {
        ret->state = SIM_UP;
    }
    return ret;
}

bool sim_nothing_is_late(const struct sim_world *world)
{
    for (uint32_t s = 0; s < world->config.sinks; s++) {
        if (weir_memory_late_count(world->sinks[s].database) != 0) {
            return false;
        }
    }
    return true;
}

/* Turns of everybody who is up, until all is written. False: somebody had to stop for good. */
static bool finish(struct sim_world *world)
{
    uint64_t boots_max = world->boots + CALM_BOOTS_MAX;
    uint32_t idle_turns = 0;

    for (uint32_t i = 0; i < CALM_TURNS_MAX && world->boots < boots_max && !sim_has_failed(world);
         i++) {
        sim_begin_turn(world);
        struct sim_instance *finisher = choose_finisher(world);
        if (finisher == NULL) {
            return false;
        }
        if (finisher->state != SIM_UP && !sim_boot(world, finisher)) {
            continue;
        }
        everybody_steps(world);
        idle_turns = finisher->is_idle ? idle_turns + 1 : 0;
        uint32_t doublings =
            idle_turns / 2 < IDLE_DOUBLINGS_MAX ? idle_turns / 2 : IDLE_DOUBLINGS_MAX;
        sim_disk_advance(world->disk, UINT64_C(1000) << doublings);
        if (sim_draw(world, 4) == 0) {
            sim_server_settle(world, false);
        }
        if (sim_nothing_is_late(world) && sim_oracle_complete(world) &&
            sim_is_caught_up(finisher)) {
            return true;
        }
    }
    if (!sim_has_failed(world)) {
        sim_violation(
            world,
            "O-13: not everything is written long after the last fault (complete %d, caught up "
            "%d)",
            sim_oracle_complete(world), sim_is_caught_up(choose_finisher(world)));
    }
    return false;
}

static bool owns_everything(const struct sim_world *world, const struct sim_instance *instance)
{
    for (uint32_t s = 0; s < world->config.sinks; s++) {
        const struct sim_step *now = sim_oracle_now(&world->sinks[s]);
        if (now->count == 0 ||
            memcmp(now->rows[0].owner, instance->owner[s], WEIR_UUID_BYTES) != 0) {
            return false;
        }
    }
    return true;
}

/* Instances that were frozen wake up and have something to do: those that do not own the ledger any
 * more must notice, and go (P-08). */
static void wake_zombies(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->config.instances; i++) {
        struct sim_instance *instance = &world->instances[i];
        if (instance->state == SIM_FROZEN) {
            instance->state = SIM_UP;
        }
    }
    for (uint32_t i = 0; i < ZOMBIE_TURNS_MAX && !sim_has_failed(world); i++) {
        uint32_t zombies = 0;
        sim_begin_turn(world);
        if (i % 32 == 0) {
            sim_send(world, (uint32_t)sim_draw(world, world->partition_count), false);
        }
        everybody_steps(world);
        sim_disk_advance(world->disk, UINT64_C(1000) << (i / 4 % IDLE_DOUBLINGS_MAX));
        for (uint32_t k = 0; k < world->config.instances; k++) {
            zombies += world->instances[k].state == SIM_UP &&
                       !owns_everything(world, &world->instances[k]);
        }
        if (zombies == 0 && i > 8) {
            return;
        }
    }
    if (!sim_has_failed(world)) {
        sim_violation(world, "P-08: an instance that was overtaken goes on");
    }
}

static void end(struct sim_world *world)
{
    calm_down(world);
    if (finish(world)) {
        wake_zombies(world);
        if (!sim_has_failed(world) && finish(world)) {
            sim_oracle_final(world);
        }
    }
}

/* --- A world -------------------------------------------------------------------------------- */

static void make(struct sim_world *world)
{
    static const char *const databases[] = { "first", "second" };

    if (world->script != NULL) {
        sim_script_config(world->script, &world->config);
    } else {
        sim_config_draw(world->seed, &world->config);
    }
    world->disk = sim_disk_new(world->seed);
    world->topic = weir_memory_topic_new("numbers", world->config.source_partitions);
    weir_assert(world->topic != NULL);
    world->partition_count = world->config.source_partitions;
    sim_plan_make(world);
    for (uint32_t s = 0; s < world->config.sinks; s++) {
        world->sinks[s].number = s;
        world->sinks[s].database = weir_memory_database_open(databases[s]);
        weir_assert(world->sinks[s].database != NULL);
        sim_server_attach(world, &world->sinks[s]);
    }
    for (uint32_t i = 0; i < world->config.instances; i++) {
        struct sim_instance *instance = &world->instances[i];
        (void)snprintf(instance->dir, sizeof(instance->dir), "/%c", 'a' + (char)i);
        (void)snprintf(instance->image, sizeof(instance->image), "/%c.image", 'a' + (char)i);
    }
    sim_stops_listen(world);
}

static void unmake(struct sim_world *world)
{
    sim_stops_listen(NULL);
    for (uint32_t i = 0; i < world->config.instances; i++) {
        sim_kill(world, &world->instances[i]);
    }
    for (uint32_t s = 0; s < world->config.sinks; s++) {
        weir_memory_database_close(world->sinks[s].database);
        free(world->sinks[s].steps);
        free(world->sinks[s].tries);
    }
    for (uint32_t q = 0; q < SIM_SOURCE_PARTITIONS_MAX; q++) {
        free(world->partitions[q].records);
    }
    weir_memory_topic_free(world->topic);
    sim_disk_free(world->disk);
    weir_arena_fini(&world->plan.arena);
}

void sim_world_run(struct sim_world *world)
{
    make(world);
    if (world->script != NULL) {
        sim_script_play(world);
    } else {
        play(world);
    }
    if (world->script == NULL && !sim_has_failed(world)) {
        end(world);
    }
    unmake(world);
}
