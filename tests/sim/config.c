/* config.c: what a seed draws before anything happens (a swarm: no two seeds have the same faults).
 *
 * Most faults are off in most seeds: rare combinations show only where nothing else gets in the
 * way. Limits are small enough to be reached. */
#include "tests/sim/sim.h"

/* How often a fault strikes when it is on: per SIM_RATE_ALWAYS turns, or questions. */
static const uint16_t usual_rates[SIM_FAULTS] = {
    [SIM_FAULT_kill] = 300,          [SIM_FAULT_power_cut] = 200,
    [SIM_FAULT_start_other] = 300,   [SIM_FAULT_stop] = 150,
    [SIM_FAULT_freeze] = 300,        [SIM_FAULT_thaw] = 500,
    [SIM_FAULT_lost_before] = 700,   [SIM_FAULT_lost_after] = 700,
    [SIM_FAULT_late] = 700,          [SIM_FAULT_late_locked] = 700,
    [SIM_FAULT_deadlock] = 500,      [SIM_FAULT_call_away] = 1500,
    [SIM_FAULT_call_at_work] = 800,  [SIM_FAULT_linger] = 500,
    [SIM_FAULT_late_aborts] = 4000,  [SIM_FAULT_go_back] = 150,
    [SIM_FAULT_source_away] = 200,   [SIM_FAULT_gap] = 500,
    [SIM_FAULT_add_partition] = 100, [SIM_FAULT_bad_record] = 300,
    [SIM_FAULT_regrow] = 100,        [SIM_FAULT_clock_step] = 300,
    [SIM_FAULT_write_fails] = 60,    [SIM_FAULT_sync_fails] = 60,
    [SIM_FAULT_no_space] = 150,      [SIM_FAULT_hold_writes] = 600,
    [SIM_FAULT_dir_lost] = 100,      [SIM_FAULT_dir_cloned] = 150,
    [SIM_FAULT_image_taken] = 400,   [SIM_FAULT_image_put_back] = 200,
    [SIM_FAULT_repartition] = 200,   [SIM_FAULT_link_cut] = 150,
    [SIM_FAULT_promote] = 200,
};

/* SplitMix64 over both. */
uint64_t sim_mix(uint64_t a, uint64_t b)
{
    uint64_t mixed = a * 0x9e3779b97f4a7c15u + b + 0x9e3779b97f4a7c15u;

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static uint64_t draw(uint64_t *state, uint64_t limit)
{
    *state = sim_mix(*state, 1);
    return *state % limit;
}

static uint32_t draw_rate(uint64_t *state, uint64_t crowd, uint32_t fault)
{
    bool on = draw(state, 10) < crowd;
    uint32_t scale = 1u << draw(state, 4); /* a half to four times the usual rate */
    uint32_t rate = on ? usual_rates[fault] * scale / 2 : 0;

    return rate > SIM_RATE_ALWAYS ? SIM_RATE_ALWAYS : rate;
}

/* From a stream of its own, in few seeds: the others play as they did before there was this fault, all
 * of seeds.txt among them. */
static void draw_promotions(uint64_t seed, struct sim_config *config)
{
    enum { STREAM = 25, ONE_IN = 8 };
    uint64_t state = sim_mix(seed, STREAM);

    if (draw(&state, ONE_IN) == 0) {
        config->rates[SIM_FAULT_promote] = draw_rate(&state, 10, SIM_FAULT_promote);
    }
}

static void draw_faults(uint64_t *state, struct sim_config *config)
{
    uint64_t crowd = 1 + draw(state, 8); /* of ten faults so many are on */

    for (uint32_t i = 0; i < SIM_FAULT_link_cut; i++) {
        config->rates[i] = draw_rate(state, crowd, i);
    }
    if (draw(state, 8) != 0) { /* what cannot be told from a stop that is as it should be is rare */
        config->rates[SIM_FAULT_regrow] = 0;
    }
    if (config->rates[SIM_FAULT_freeze] != 0 && config->rates[SIM_FAULT_thaw] == 0) {
        config->rates[SIM_FAULT_thaw] = usual_rates[SIM_FAULT_thaw];
    }
    /* The youngest come last, so that older seeds draw what they drew before. */
    config->rates[SIM_FAULT_link_cut] = draw_rate(state, crowd, SIM_FAULT_link_cut);
}

void sim_config_draw(uint64_t seed, struct sim_config *ret)
{
    static const uint32_t batch_rows[] = { 1, 2, 3, 5, 8 };
    static const size_t segments[] = { 3, 4, 6, 10 };
    uint64_t state = sim_mix(seed, 0);
    struct sim_config config = { 0 };
    uint64_t mode = draw(&state, 10);

    config.mode = mode < 7    ? WEIR_EXACTLY_ONCE
                  : mode == 7 ? WEIR_AT_LEAST_ONCE
                              : (mode == 8 ? WEIR_AT_MOST_ONCE : WEIR_EXACTLY_ONCE);
    config.source_partitions = 1 + (uint32_t)draw(&state, 3);
    config.output_partitions =
        draw(&state, 2) == 0 ? 1 : 1 + (uint32_t)draw(&state, SIM_OUTPUT_PARTITIONS_MAX);
    config.sinks = draw(&state, 4) == 0 ? 2 : 1;
    config.instances = draw(&state, 2) == 0 ? 1 : 1 + (uint32_t)draw(&state, SIM_INSTANCES_MAX);
    config.batch_rows = batch_rows[draw(&state, 5)];
    config.keyed = draw(&state, 4) == 0;
    config.on_error = (enum weir_on_error)draw(&state, 3);
    config.turns = 10 + (uint32_t)draw(&state, 50);
    config.records = 4 + (uint32_t)draw(&state, 24);
    config.segment_bytes = segments[draw(&state, 4)] * 4096;
    config.retain_bytes = draw(&state, 3) == 0 ? draw(&state, 8) * 8192 : 64 << 20;
    config.keeps_running = draw(&state, 2) == 0;
    draw_faults(&state, &config);
    draw_promotions(seed, &config);
    if (config.keyed) {
        config.output_partitions = 1; /* a key must have one partition */
        config.rates[SIM_FAULT_repartition] = 0;
    }
    if (config.instances == 1) {
        config.rates[SIM_FAULT_start_other] = config.rates[SIM_FAULT_dir_cloned] = 0;
    }
    *ret = config;
}
