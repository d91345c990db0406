/* stops.c: a pipeline may stop only for what really happened.
 *
 * Every error that ends an instance is compared with the faults that struck: the same error without
 * its cause is a violation, as a pipeline that needs an operator for nothing does not hold O-13. The
 * log's own words count as well: following the ledger, or planning anew, needs a cause too. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"
#include "weir/log.h"

bool sim_logs_may_differ(const struct sim_world *world)
{
    bool several = (world->dirs_used & (world->dirs_used - 1)) != 0;

    return several || world->log_lost ||
           (world->config.mode == WEIR_AT_LEAST_ONCE &&
            (world->power_was_cut || world->disk_failed || world->killed));
}

static bool is_overtaken(const struct sim_world *world, const struct sim_instance *instance)
{
    for (uint32_t s = 0; s < world->config.sinks; s++) {
        const struct sim_step *now = sim_oracle_now(&world->sinks[s]);
        if (now->count != 0 &&
            memcmp(now->rows[0].owner, instance->owner[s], WEIR_UUID_BYTES) != 0) {
            return true;
        }
    }
    return false;
}

static bool is_conflict_due(const struct sim_world *world, const char *reason)
{
    bool retains_all = world->config.retain_bytes > 1 << 20;
    bool is_apart = world->went_back && world->config.sinks > 1;

    if (strcmp(reason, "ledger_behind") == 0) {
        return world->went_back && (sim_logs_may_differ(world) || !retains_all || is_apart ||
                                    world->source_changed || world->repartitioned);
    }
    if (strcmp(reason, "ledger_uneven") ==
        0) { /* the restore fell between parts, and the log is gone */
        return world->went_back && (sim_logs_may_differ(world) || !retains_all);
    }
    if (strcmp(reason, "sinks_disagree") == 0 || strcmp(reason, "ledger_mixed") == 0) {
        return is_apart && sim_logs_may_differ(world);
    }
    if (strcmp(reason, "partitions_changed") == 0) {
        return world->repartitioned;
    }
    if (strcmp(reason, "plan_mismatch") == 0 && is_apart && sim_oracle_diverged(world)) {
        return true;
    }
    if (strcmp(reason, "plan_mismatch") == 0 || strcmp(reason, "topic_replaced") == 0 ||
        strcmp(reason, "log_diverged") == 0) {
        return world->source_changed;
    }
    return false;
}

/* The operator mends what can be mended: a bad record goes to the dead letters from now on. */
static enum sim_instance_state stop_at_bad_record(struct sim_world *world)
{
    if (world->config.on_error != WEIR_ON_ERROR_FAIL ||
        world->config.rates[SIM_FAULT_bad_record] == 0) {
        sim_violation(world, "O-10: a stop at a bad record where there is none");
    }
    world->plan.sources[0].on_error = WEIR_ON_ERROR_DEAD_LETTER;
    return SIM_DOWN;
}

/* The operator does what he is told: "run once with the old setting (output_partitions = 2)". */
static enum sim_instance_state put_partitions_back(struct sim_world *world,
                                                   const struct weir_error *err)
{
    static const char says[] = "output_partitions = ";
    const char *at = strstr(err->text, says);

    if (at == NULL) {
        sim_violation(world, "O-15: which output_partitions to put back is not told");
        return SIM_STOPPED;
    }
    world->plan.settings.output_partitions = (uint32_t)strtoul(at + sizeof(says) - 1, NULL, 10);
    return SIM_DOWN;
}

enum sim_instance_state sim_judge_stop(struct sim_world *world, struct sim_instance *instance,
                                       int rc, const struct weir_error *err)
{
    bool is_due = false;
    enum sim_instance_state ret = SIM_STOPPED;

    switch (rc) {
    case WEIR_EFENCED:
        is_due = is_overtaken(world, instance) || world->went_back;
        ret = SIM_FENCED;
        break;
    case WEIR_EIO:
        is_due = world->disk_failed;
        world->disk_failed = true;
        ret = SIM_DOWN;
        break;
    case WEIR_ENOSPC:
        is_due = world->config.rates[SIM_FAULT_no_space] != 0 && !world->is_calm;
        ret = SIM_DOWN;
        break;
    case WEIR_ENOMEM:
        is_due = world->memory_failed;
        ret = SIM_DOWN;
        break;
    case WEIR_EDATA:
        return stop_at_bad_record(world);
    case WEIR_ECONFLICT:
        is_due = is_conflict_due(world, err->reason);
        if (strcmp(err->reason, "partitions_changed") == 0) {
            ret = put_partitions_back(world, err);
        }
        break;
    default:
        break;
    }
    if (world->is_traced) {
        printf("      %s: %s\n", err->reason, err->text);
    }
    if (!is_due) {
        sim_violation(world, "O-13: a stop without a cause: %s", err->text);
    }
    return ret;
}

static void hear(void *context, enum weir_log_level level, const char *event, const char *message)
{
    struct sim_world *world = context;

    (void)level;
    if (world->is_traced) {
        printf("      %s: %s\n", event, message);
    }
    if (strcmp(event, "ledger_followed") == 0 && !sim_logs_may_differ(world)) {
        sim_violation(world, "rule 4: the log knows less than the ledger: %s", message);
    }
    if (strcmp(event, "planned_anew") == 0 && !world->source_changed && !world->repartitioned) {
        sim_violation(world, "rule 12: a sealed batch is planned anew without a cause: %s",
                      message);
    }
}

void sim_stops_listen(struct sim_world *world)
{
    weir_log_set(world == NULL ? NULL : hear, world, WEIR_LOG_WARN);
}
