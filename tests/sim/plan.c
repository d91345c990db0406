/* plan.c: the simulated pipeline: one source of numbers, one table out(k, id) in each database.
 *
 * A record is a decimal number, its id; k is the id modulo SIM_KEYS, and the table's key if it has
 * one. A record that begins with "b" cannot be decoded. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "tests/sim/sim.h"

static const struct weir_option_def no_options[] = { { 0 } };

static int number_open(const struct weir_format_args *args, void **ret_self, struct weir_error *err)
{
    (void)args;
    (void)err;
    *ret_self = calloc(1, 1);
    return *ret_self != NULL ? WEIR_OK : WEIR_ENOMEM;
}

static int number_decode(void *self, const struct weir_record *records, uint32_t count,
                         struct weir_arena *arena, struct weir_chunk *ret,
                         struct weir_decode_errors *ret_errors, struct weir_error *err)
{
    struct weir_vec *vecs = weir_arena_calloc(arena, 2, sizeof(*vecs));
    const struct weir_record **origins = weir_arena_calloc(arena, count, sizeof(*origins));
    struct weir_row_error *errors = weir_arena_calloc(arena, count, sizeof(*errors));
    uint32_t rows = 0;

    (void)self;
    if (vecs == NULL || origins == NULL || errors == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "decode: out of memory");
    }
    vecs[0] = weir_vec_alloc(arena, (struct weir_type){ WEIR_TYPE_INT8, -1 }, count);
    vecs[1] = weir_vec_alloc(arena, (struct weir_type){ WEIR_TYPE_INT8, -1 }, count);
    if (vecs[0].i8 == NULL || vecs[1].i8 == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "decode: out of memory");
    }
    *ret_errors = (struct weir_decode_errors){ .items = errors };
    for (uint32_t i = 0; i < count; i++) {
        if (records[i].value.data[0] == 'b') {
            errors[ret_errors->count++] =
                (struct weir_row_error){ .row = i, .sqlstate = "22P02", .text = "not a number" };
            continue;
        }
        int64_t id = strtoll(records[i].value.data, NULL, 10);
        vecs[0].i8[rows] = id % SIM_KEYS;
        vecs[1].i8[rows] = id;
        origins[rows++] = &records[i];
    }
    *ret = (struct weir_chunk){ .rows = rows, .columns = 2, .vecs = vecs, .origins = origins };
    return WEIR_OK;
}

static uint64_t number_unknown(void *self)
{
    (void)self;
    return 0;
}

static const struct weir_format_ops number_format = {
    .name = "number",
    .options = no_options,
    .open = number_open,
    .decode = number_decode,
    .unknown_fields = number_unknown,
    .close = free,
};

#define BIGINT ((struct weir_type){ WEIR_TYPE_INT8, -1 })

static const struct weir_option source_option = { { "topic", 5 }, { "numbers", 7 }, 0 };
static const struct weir_option bases[] = { { { "database", 8 }, { "first", 5 }, 0 },
                                            { { "database", 8 }, { "second", 6 }, 0 } };
static struct weir_format_column decoded[] = { { "k", { WEIR_TYPE_INT8, -1 } },
                                               { "id", { WEIR_TYPE_INT8, -1 } } };
static const struct weir_sink_column columns[] = { { "k", { WEIR_TYPE_INT8, -1 }, true },
                                                   { "id", { WEIR_TYPE_INT8, -1 }, true } };
static const uint32_t key = 0;
static uint32_t table_numbers[] = { 0, 1 };
static struct weir_expr column_exprs[2];
static struct weir_expr *exprs[] = { &column_exprs[0], &column_exprs[1] };

static struct weir_settings settings_of(const struct sim_config *config)
{
    return (struct weir_settings){
        .name = "sim",
        .delivery = config->mode,
        .trigger_us = 20000,
        .batch_rows_max = config->batch_rows,
        .batch_bytes_max = 1 << 20,
        .output_partitions = config->output_partitions,
        .partition_by_source = true,
        .log_segment_bytes = config->segment_bytes,
        .log_retain_bytes = config->retain_bytes,
    };
}

void sim_plan_make(struct sim_world *world)
{
    const struct sim_config *config = &world->config;
    struct weir_plan *plan = &world->plan;

    for (uint32_t c = 0; c < 2; c++) {
        column_exprs[c] =
            (struct weir_expr){ .kind = WEIR_EXPR_COLUMN, .type = BIGINT, .column = c };
    }
    weir_arena_init(&plan->arena, 0);
    plan->file = "sim.sql";
    plan->settings = settings_of(config);
    plan->sources = weir_arena_calloc(&plan->arena, 1, sizeof(*plan->sources));
    plan->tables = weir_arena_calloc(&plan->arena, config->sinks, sizeof(*plan->tables));
    plan->sinks = weir_arena_calloc(&plan->arena, config->sinks, sizeof(*plan->sinks));
    plan->inserts = weir_arena_calloc(&plan->arena, config->sinks, sizeof(*plan->inserts));
    weir_assert(plan->inserts != NULL);
    plan->source_count = 1;
    plan->table_count = plan->sink_count = plan->insert_count = config->sinks;
    plan->sources[0] = (struct weir_plan_source){ .name = "numbers",
                                                  .ops = &weir_memory_source_ops,
                                                  .format = &number_format,
                                                  .options = { &source_option, 1 },
                                                  .on_error = config->on_error,
                                                  .decoded = decoded,
                                                  .decoded_count = 2 };
    for (uint32_t i = 0; i < config->sinks; i++) {
        plan->tables[i] = (struct weir_plan_table){ .name = "out",
                                                    .sink = i,
                                                    .target = { .name = "out",
                                                                .columns = columns,
                                                                .column_count = 2,
                                                                .key = config->keyed ? &key : NULL,
                                                                .key_count = config->keyed } };
        plan->sinks[i] = (struct weir_plan_sink){ .ops = &weir_memory_sink_ops,
                                                  .options = { &bases[i], 1 },
                                                  .tables = &table_numbers[i],
                                                  .table_count = 1 };
        plan->inserts[i] = (struct weir_plan_insert){ .table = i, .exprs = exprs, .expr_count = 2 };
    }
    plan->definition = WEIR_STR("numbers into out\n");
    plan->fingerprint = weir_hash128(plan->definition.data, plan->definition.len);
}
