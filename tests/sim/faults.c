/* faults.c: what goes wrong in a turn, beside what the databases do (server.c). */
#include <errno.h>

#include "base/assert.h"
#include "tests/sim/sim.h"

static const char *const names[SIM_FAULTS] = {
#define SIM_FAULT_NAME(name) #name,
    SIM_FAULT_TABLE(SIM_FAULT_NAME)
#undef SIM_FAULT_NAME
};

const char *sim_fault_name(enum sim_fault fault)
{
    return names[fault];
}

static bool is_left_out(const struct sim_world *world, enum sim_fault fault)
{
    for (size_t i = 0; i < world->only_count; i++) {
        if (world->only[i].turn == world->turn && world->only[i].fault == fault) {
            return false;
        }
    }
    return world->only != NULL;
}

static void remember(struct sim_world *world, enum sim_fault fault)
{
    size_t count = world->outcome->event_count;

    if (count != 0 && world->outcome->events[count - 1].turn == world->turn) {
        for (size_t i = count; i > 0 && world->outcome->events[i - 1].turn == world->turn; i--) {
            if (world->outcome->events[i - 1].fault == fault) {
                return;
            }
        }
    }
    if (count < SIM_EVENTS_MAX) {
        world->outcome->events[world->outcome->event_count++] =
            (struct sim_event){ .turn = world->turn, .fault = fault };
    }
}

static uint64_t answer(const struct sim_world *world, enum sim_fault fault, uint64_t question)
{
    return sim_mix(world->seed, (uint64_t)world->turn << 32 | (uint64_t)fault << 16 | question);
}

bool sim_strikes_when_on(struct sim_world *world, enum sim_fault fault)
{
    uint32_t rate = world->config.rates[fault];
    uint32_t question = world->asked[fault]++;

    if (world->is_calm || is_left_out(world, fault) ||
        answer(world, fault, question) % SIM_RATE_ALWAYS >= rate) { /* F1 */
        return false;
    }
    remember(world, fault);
    world->outcome->struck[fault]++;
    sim_note(world, names[fault], world->turn, 0, 0);
    return true;
}

uint64_t sim_fault_draw(struct sim_world *world, enum sim_fault fault, uint64_t limit)
{
    return answer(world, fault, 0x8000u + world->asked[fault]++) % limit;
}

static struct sim_instance *any_instance(struct sim_world *world, enum sim_fault fault)
{
    return &world->instances[sim_fault_draw(world, fault, world->config.instances)];
}

/* --- Processes ------------------------------------------------------------------------------ */

static void power_cut(struct sim_world *world)
{
    sim_disk_power_cut(world->disk);
    world->power_was_cut = true;
    for (uint32_t i = 0; i < world->config.instances; i++) {
        sim_kill(world, &world->instances[i]);
    }
}

static bool is_alive(const struct sim_instance *instance)
{
    return instance->state == SIM_UP || instance->state == SIM_FROZEN;
}

static void hurt_processes(struct sim_world *world)
{
    if (sim_strikes(world, SIM_FAULT_kill)) {
        sim_kill(world, any_instance(world, SIM_FAULT_kill));
    }
    if (sim_strikes(world, SIM_FAULT_power_cut)) {
        power_cut(world);
    }
    if (sim_strikes(world, SIM_FAULT_start_other)) {
        struct sim_instance *other = any_instance(world, SIM_FAULT_start_other);
        if (!is_alive(other)) {
            (void)sim_boot(world, other);
        }
    }
    if (sim_strikes(world, SIM_FAULT_stop)) {
        struct sim_instance *instance = any_instance(world, SIM_FAULT_stop);
        if (instance->state == SIM_UP) {
            weir_engine_request_stop(instance->engine);
            instance->is_stopping = true;
        }
    }
    if (sim_strikes(world, SIM_FAULT_freeze)) {
        struct sim_instance *instance = any_instance(world, SIM_FAULT_freeze);
        instance->state = instance->state == SIM_UP ? SIM_FROZEN : instance->state;
    }
    if (sim_strikes(world, SIM_FAULT_thaw)) {
        struct sim_instance *instance = any_instance(world, SIM_FAULT_thaw);
        instance->state = instance->state == SIM_FROZEN ? SIM_UP : instance->state;
    }
}

/* --- Directories ---------------------------------------------------------------------------- */

static void hurt_directories(struct sim_world *world)
{
    if (sim_strikes(world, SIM_FAULT_dir_lost)) {
        struct sim_instance *instance = any_instance(world, SIM_FAULT_dir_lost);
        sim_kill(world, instance);
        sim_disk_replace_dir(world->disk, NULL, instance->dir);
        world->log_lost = true;
    }
    if (sim_strikes(world, SIM_FAULT_dir_cloned)) {
        struct sim_instance *from = any_instance(world, SIM_FAULT_dir_cloned);
        struct sim_instance *to = any_instance(world, SIM_FAULT_dir_cloned);
        if (from != to && from->ever_started) {
            sim_kill(world, to);
            sim_disk_replace_dir(world->disk, from->dir, to->dir);
            world->log_lost = true;
        }
    }
    if (sim_strikes(world, SIM_FAULT_image_taken)) {
        struct sim_instance *instance = any_instance(world, SIM_FAULT_image_taken);
        sim_disk_replace_dir(world->disk, instance->dir, instance->image);
        instance->has_image = true;
    }
    if (sim_strikes(world, SIM_FAULT_image_put_back)) {
        struct sim_instance *instance = any_instance(world, SIM_FAULT_image_put_back);
        if (instance->has_image) {
            sim_kill(world, instance);
            sim_disk_replace_dir(world->disk, instance->image, instance->dir);
            world->log_lost = true;
        }
    }
}

/* --- Disk and clock ------------------------------------------------------------------------- */

static void hurt_disk(struct sim_world *world)
{
    if (sim_strikes(world, SIM_FAULT_write_fails)) {
        sim_disk_fail(world->disk, SIM_WRITE, 0, 1, EIO);
        world->disk_failed = true;
    }
    if (sim_strikes(world, SIM_FAULT_sync_fails)) {
        bool is_dir = sim_fault_draw(world, SIM_FAULT_sync_fails, 2) == 0;
        sim_disk_fail(world->disk, is_dir ? SIM_SYNC_DIR : SIM_SYNC, 0, 1, EIO);
        world->disk_failed = true;
    }
    if (sim_strikes(world, SIM_FAULT_no_space)) {
        sim_disk_limit(world->disk, sim_disk_used_bytes(world->disk));
    } else if (world->config.rates[SIM_FAULT_no_space] != 0 && sim_draw(world, 8) == 0) {
        sim_disk_limit(world->disk, UINT64_MAX);
    }
    if (world->config.rates[SIM_FAULT_hold_writes] != 0) {
        bool still = world->is_holding && sim_draw(world, 4) != 0;
        world->is_holding = sim_strikes(world, SIM_FAULT_hold_writes) || still;
        sim_disk_slow_writes(world->disk, world->is_holding);
    }
    if (sim_strikes(world, SIM_FAULT_clock_step)) {
        int64_t by = (int64_t)sim_fault_draw(world, SIM_FAULT_clock_step, 2000000000000u);
        sim_disk_set_now(world->disk, INT64_C(1700000000000000) - 1000000000000 + by);
        world->clock_stepped = true;
    }
}

/* --- Source --------------------------------------------------------------------------------- */

/* The last record of a partition is cut off, and another one takes its place. */
static void regrow(struct sim_world *world, uint32_t q)
{
    struct sim_partition *partition = &world->partitions[q];
    struct sim_record *last =
        partition->count == 0 ? NULL : &partition->records[partition->count - 1];

    if (last == NULL || last->was_id >= 0 || last->is_bad ||
        last->offset + 1 != weir_memory_topic_end(world->topic, q)) {
        return;
    }
    weir_memory_topic_cut(world->topic, q, last->offset);
    partition->count--;
    int64_t was = last->id;
    while (world->sent % SIM_KEYS != was % SIM_KEYS) {
        world->sent++; /* of the same key: batches that hold either one have the same keys */
    }
    sim_send(world, q, false);
    partition->records[partition->count - 1].was_id = was;
    world->source_changed = true;
}

static void hurt_source(struct sim_world *world)
{
    if (sim_strikes(world, SIM_FAULT_source_away)) {
        weir_memory_topic_set_away(world->topic, true);
    } else if (world->config.rates[SIM_FAULT_source_away] != 0 && sim_draw(world, 6) == 0) {
        weir_memory_topic_set_away(world->topic, false);
    }
    if (sim_strikes(world, SIM_FAULT_gap)) {
        uint32_t q = (uint32_t)sim_fault_draw(world, SIM_FAULT_gap, world->partition_count);
        weir_memory_topic_append_gap(world->topic, q, 1 + q);
    }
    if (world->partition_count < SIM_SOURCE_PARTITIONS_MAX &&
        sim_strikes(world, SIM_FAULT_add_partition) &&
        weir_memory_topic_add_partition(world->topic)) {
        world->partition_count++;
    }
    if (sim_strikes(world, SIM_FAULT_regrow)) {
        regrow(world, (uint32_t)sim_fault_draw(world, SIM_FAULT_regrow, world->partition_count));
    }
    if (sim_strikes(world, SIM_FAULT_bad_record)) {
        sim_send(world,
                 (uint32_t)sim_fault_draw(world, SIM_FAULT_bad_record, world->partition_count),
                 true);
    }
}

/* --- Databases ------------------------------------------------------------------------------ */

static void go_back(struct sim_world *world)
{
    uint32_t s = (uint32_t)sim_fault_draw(world, SIM_FAULT_go_back, world->config.sinks);
    struct sim_sink *sink = &world->sinks[s];
    uint32_t have = weir_memory_transaction_count(sink->database);
    uint32_t by = 1 + (uint32_t)sim_fault_draw(world, SIM_FAULT_go_back, 6);

    if (have < 2) {
        return; /* a ledger that is gone altogether is a stop, and not what is looked for here */
    }
    by = by < have ? by : have - 1;
    weir_memory_go_back(sink->database, by);
    sim_oracle_went_back(sink, by);
    world->went_back = true;
    sim_note(world, "went back", s, by, 0);
}

/* The standby of a database takes over. Without synchronous replication it lacks what was committed
 * last, and what the old server takes after it; with it, the old one answers no COMMIT any more. */
static void promote(struct sim_world *world)
{
    uint32_t s = (uint32_t)sim_fault_draw(world, SIM_FAULT_promote, world->config.sinks);
    struct sim_sink *sink = &world->sinks[s];
    uint32_t have = weir_memory_transaction_count(sink->database);
    bool is_synchronous = sim_fault_draw(world, SIM_FAULT_promote, 3) == 0;
    uint32_t lag = is_synchronous ? 0 : (uint32_t)sim_fault_draw(world, SIM_FAULT_promote, 4);

    if (have < 2) {
        return; /* as in go_back() */
    }
    lag = lag < have ? lag : have - 1;
    weir_assert(weir_memory_promote(sink->database, lag, is_synchronous));
    if (!is_synchronous) {
        sim_oracle_went_back(sink, lag);
        world->went_back = true;
    }
    sim_note(world, "promoted", s, lag, is_synchronous);
}

/* An old server ends, and every connection to it. */
static void end_old_servers(struct sim_world *world)
{
    for (uint32_t s = 0; s < world->config.sinks; s++) {
        if (weir_memory_has_old(world->sinks[s].database) &&
            sim_fault_draw(world, SIM_FAULT_promote, 8) == 0) {
            weir_memory_end_old(world->sinks[s].database);
            sim_note(world, "old server ends", s, 0, 0);
        }
    }
}

static void hurt_databases(struct sim_world *world)
{
    if (sim_strikes(world, SIM_FAULT_go_back)) {
        go_back(world);
    }
    end_old_servers(world);
    if (sim_strikes(world, SIM_FAULT_promote)) {
        promote(world);
    }
    if (world->config.rates[SIM_FAULT_linger] != 0) {
        bool linger = sim_strikes(world, SIM_FAULT_linger);
        for (uint32_t s = 0; s < world->config.sinks; s++) {
            weir_memory_late_linger(world->sinks[s].database, linger);
        }
    }
    if (sim_draw(world, 8) == 0) {
        sim_server_settle(world, false);
    }
}

/* Another P in the pipeline file: whoever starts next reads it. */
static void repartition(struct sim_world *world)
{
    if (sim_strikes(world, SIM_FAULT_repartition)) {
        world->plan.settings.output_partitions =
            1 + (uint32_t)sim_fault_draw(world, SIM_FAULT_repartition, SIM_OUTPUT_PARTITIONS_MAX);
        for (uint32_t i = 0; i < world->config.instances; i++) {
            sim_kill(world, &world->instances[i]); /* the file is read at a start */
        }
        world->repartitioned = true;
    }
}

void sim_faults_turn(struct sim_world *world)
{
    hurt_processes(world);
    hurt_directories(world);
    hurt_disk(world);
    hurt_source(world);
    hurt_databases(world);
    repartition(world);
}
