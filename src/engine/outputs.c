/* outputs.c: the sinks of a pipeline, as its plan declares them. */
#include "engine/engine_internal.h"

enum { SMALL_BATCH_ROWS = 10000 };

uint32_t weir_outputs_in_flight(const struct weir_settings *settings)
{
    return settings->batch_rows_max <= SMALL_BATCH_ROWS ? 3 : 2;
}

int weir_outputs_args(const struct weir_plan *plan, uint32_t sink, struct weir_arena *arena,
                      struct weir_sink_args *ret, struct weir_error *err)
{
    const struct weir_plan_sink *item = &plan->sinks[sink];
    struct weir_sink_table *tables = weir_arena_calloc(arena, item->table_count, sizeof(*tables));

    if (tables == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u tables", item->table_count);
    }
    for (uint32_t i = 0; i < item->table_count; i++) {
        tables[i] = plan->tables[item->tables[i]].target;
    }
    *ret = (struct weir_sink_args){
        .pipeline = plan->settings.name,
        .options = item->options,
        .tables = tables,
        .table_count = item->table_count,
        .partitions = plan->settings.output_partitions,
        .slots = weir_outputs_in_flight(&plan->settings),
    };
    return WEIR_OK;
}

int weir_outputs_open(struct weir_engine *engine, struct weir_error *err)
{
    for (uint32_t s = 0; s < engine->plan->sink_count; s++) {
        const struct weir_plan_sink *item = &engine->plan->sinks[s];
        struct weir_sink_args args;
        int rc = weir_outputs_args(engine->plan, s, &engine->pipeline_arena, &args, err);

        args.describe_partition = weir_inputs_describe;
        args.describe_context = engine;
        engine->sinks[s] = (struct weir_txn_sink){ .name = item->ops->name, .ops = item->ops };
        if (rc == WEIR_OK) {
            rc = item->ops->open(&args, &engine->sinks[s].self, err);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

void weir_outputs_close(struct weir_engine *engine)
{
    for (uint32_t s = 0; s < engine->plan->sink_count; s++) {
        if (engine->sinks[s].self != NULL) {
            engine->sinks[s].ops->close(engine->sinks[s].self);
        }
    }
}

static struct weir_str describe_nothing(void *context, uint32_t source, uint32_t partition)
{
    (void)context;
    (void)source;
    (void)partition;
    return WEIR_STR("?"); /* no record is read here */
}

static int check_sources(const struct weir_plan *plan, struct weir_error *err)
{
    for (uint32_t i = 0; i < plan->source_count; i++) {
        const struct weir_plan_source *source = &plan->sources[i];
        const struct weir_source_args args = { .name = source->name,
                                               .options = source->options,
                                               .pipeline = plan->settings.name };
        struct weir_source_partitions partitions;
        void *self = NULL;
        int rc = source->ops->open(&args, &self, err);
        if (rc == WEIR_OK) {
            rc = source->ops->discover(self, &partitions, err);
        }
        if (self != NULL) {
            source->ops->close(self);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

/* Opens a sink, connects it where that is wanted, and closes it. */
static int check_sink(const struct weir_plan *plan, uint32_t sink, bool connect,
                      struct weir_error *err)
{
    const struct weir_sink_ops *ops = plan->sinks[sink].ops;
    struct weir_sink_args args;
    struct weir_arena arena;
    void *self = NULL;

    weir_arena_init(&arena, 0);
    int rc = weir_outputs_args(plan, sink, &arena, &args, err);
    args.describe_partition = describe_nothing;
    if (rc == WEIR_OK) {
        rc = ops->open(&args, &self, err);
    }
    if (rc == WEIR_OK && connect) {
        rc = ops->check(self, err);
    }
    if (self != NULL) {
        ops->close(self);
    }
    weir_arena_fini(&arena);
    return rc;
}

int weir_engine_validate(const struct weir_plan *plan, struct weir_error *err)
{
    int rc = WEIR_OK;

    for (uint32_t s = 0; rc == WEIR_OK && s < plan->sink_count; s++) {
        rc = check_sink(plan, s, false, err);
    }
    return rc;
}

int weir_engine_check(const struct weir_plan *plan, struct weir_error *err)
{
    int rc = check_sources(plan, err);

    for (uint32_t s = 0; rc == WEIR_OK && s < plan->sink_count; s++) {
        rc = check_sink(plan, s, true, err);
    }
    return rc;
}

int weir_engine_ddl(const struct weir_plan *plan, struct weir_buf *ret, struct weir_error *err)
{
    struct weir_arena arena;
    int rc = weir_engine_validate(plan, err);

    weir_arena_init(&arena, 0);
    for (uint32_t s = 0; rc == WEIR_OK && s < plan->sink_count; s++) {
        struct weir_sink_args args;
        rc = weir_outputs_args(plan, s, &arena, &args, err);
        if (rc == WEIR_OK) {
            rc = plan->sinks[s].ops->ddl(&args, ret, err);
        }
    }
    weir_arena_fini(&arena);
    return rc;
}
