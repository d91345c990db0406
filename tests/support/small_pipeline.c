/* small_pipeline.c: a hand-made plan over memory nodes. */
#include "tests/support/small_pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/engine_internal.h"
#include "tests/support/test.h"

/* --- A format: a record is a decimal number; "bad" is not ----------------------------------- */

static const struct weir_option_def no_options[] = { { 0 } };

static int number_open(const struct weir_format_args *args, void **ret_self, struct weir_error *err)
{
    (void)args;
    (void)err;
    *ret_self = calloc(1, 1);
    assert_non_null(*ret_self);
    return WEIR_OK;
}

static int number_decode(void *self, const struct weir_record *records, uint32_t count,
                         struct weir_arena *arena, struct weir_chunk *ret,
                         struct weir_decode_errors *ret_errors, struct weir_error *err)
{
    struct weir_vec *vec = weir_arena_calloc(arena, 1, sizeof(*vec));
    const struct weir_record **origins = weir_arena_calloc(arena, count, sizeof(*origins));
    struct weir_row_error *errors = weir_arena_calloc(arena, count, sizeof(*errors));
    uint32_t rows = 0;

    (void)self;
    (void)err;
    *vec = weir_vec_alloc(arena, (struct weir_type){ WEIR_TYPE_INT8, -1 }, count);
    *ret_errors = (struct weir_decode_errors){ .items = errors };
    for (uint32_t i = 0; i < count; i++) {
        if (records[i].value.data[0] == 'b') {
            errors[ret_errors->count++] =
                (struct weir_row_error){ .row = i, .sqlstate = "22P02", .text = "not a number" };
            continue;
        }
        vec->i8[rows] = strtoll(records[i].value.data, NULL, 10);
        origins[rows++] = &records[i];
    }
    *ret = (struct weir_chunk){ .rows = rows, .columns = 1, .vecs = vec, .origins = origins };
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

/* --- The plan ------------------------------------------------------------------------------- */

static struct weir_options source_options(struct small_pipeline *small,
                                          const struct small_options *options)
{
    struct weir_option *items = weir_arena_calloc(&small->plan.arena, 3, sizeof(*items));
    uint32_t count = 0;

    assert_non_null(items);
    items[count++] = (struct weir_option){ { "topic", 5 }, { "numbers", 7 }, 0 };
    if (options->start_latest) {
        items[count++] = (struct weir_option){ { "start", 5 }, { "latest", 6 }, 0 };
    }
    if (options->skip_lost) {
        items[count++] = (struct weir_option){ { "on_data_loss", 12 }, { "skip", 4 }, 0 };
    }
    return (struct weir_options){ items, count };
}

/* How many batches are in flight follows from how many rows they may have: two, when it is very
 * many. So that they still have ten, each record takes a tenth of the bytes. */
static void limit_by_bytes(struct small_pipeline *small)
{
    enum { ROWS = 10, DIGITS = 8 };

    small->plan.settings.batch_rows_max = 1 << 20;
    small->plan.settings.batch_bytes_max = (uint64_t)ROWS * DIGITS;
    small->digits_min = DIGITS;
}

static void make_plan(struct small_pipeline *small, const struct small_options *options)
{
    static const struct weir_option bases[] = { { { "database", 8 }, { "small", 5 }, 0 },
                                                { { "database", 8 }, { "second", 6 }, 0 } };
    static struct weir_format_column decoded = { "id", { WEIR_TYPE_INT8, -1 } };
    static const struct weir_sink_column column = { "id", { WEIR_TYPE_INT8, -1 }, true };
    static const uint32_t key = 0;
    static uint32_t table_numbers[] = { 0, 1 };
    static struct weir_expr expr = { .kind = WEIR_EXPR_COLUMN,
                                     .type = { WEIR_TYPE_INT8, -1 },
                                     .column = 0 };
    static struct weir_expr *exprs[] = { &expr };
    struct weir_plan *plan = &small->plan;
    uint32_t sinks = options->two_sinks ? 2 : 1;

    weir_arena_init(&plan->arena, 0);
    plan->file = "small.sql";
    plan->settings = (struct weir_settings){
        .name = "small",
        .delivery = options->delivery,
        .trigger_us = 1000000,
        .batch_rows_max = options->batch_rows == 0 ? 10 : options->batch_rows,
        .batch_bytes_max = 1 << 20,
        .output_partitions = options->output_partitions == 0 ? 1 : options->output_partitions,
        .partition_by_source = true,
        .log_segment_bytes = 64 * 1024,
        .log_retain_bytes = 1 << 20,
    };
    plan->sources = weir_arena_calloc(&plan->arena, 1, sizeof(*plan->sources));
    plan->tables = weir_arena_calloc(&plan->arena, sinks, sizeof(*plan->tables));
    plan->sinks = weir_arena_calloc(&plan->arena, sinks, sizeof(*plan->sinks));
    plan->inserts = weir_arena_calloc(&plan->arena, sinks, sizeof(*plan->inserts));
    plan->source_count = 1;
    plan->table_count = plan->sink_count = plan->insert_count = sinks;
    plan->sources[0] = (struct weir_plan_source){ .name = "numbers",
                                                  .ops = &weir_memory_source_ops,
                                                  .format = &number_format,
                                                  .options = source_options(small, options),
                                                  .on_error = options->on_error,
                                                  .decoded = &decoded,
                                                  .decoded_count = 1 };
    for (uint32_t i = 0; i < sinks; i++) {
        plan->tables[i] = (struct weir_plan_table){
            .name = "out",
            .sink = i,
            .target = { .name = "out",
                        .columns = &column,
                        .column_count = 1,
                        .key = options->with_key ? &key : NULL,
                        .key_count = options->with_key ? 1 : 0 },
        };
        plan->sinks[i] = (struct weir_plan_sink){ .ops = &weir_memory_sink_ops,
                                                  .options = { &bases[i], 1 },
                                                  .tables = &table_numbers[i],
                                                  .table_count = 1 };
        plan->inserts[i] = (struct weir_plan_insert){ .table = i, .exprs = exprs, .expr_count = 1 };
    }
    if (options->in_flight == 2) {
        limit_by_bytes(small);
    }
    plan->definition = WEIR_STR("numbers into out\n");
    plan->fingerprint = weir_hash128(plan->definition.data, plan->definition.len);
}

void small_init(struct small_pipeline *small, const struct small_options *options)
{
    uint32_t partitions = options->source_partitions == 0 ? 2 : options->source_partitions;

    *small = (struct small_pipeline){ 0 };
    small->disk = sim_disk_new(options->seed);
    small->topic = weir_memory_topic_new("numbers", partitions);
    small->database = weir_memory_database_open("small");
    assert_non_null(small->topic);
    assert_non_null(small->database);
    if (options->two_sinks) {
        small->second = weir_memory_database_open("second");
        assert_non_null(small->second);
    }
    make_plan(small, options);
    if (options->in_flight != 0) {
        assert_int_equal(weir_outputs_in_flight(&small->plan.settings), options->in_flight);
    }
}

void small_fini(struct small_pipeline *small)
{
    weir_memory_database_close(small->second);
    weir_memory_database_close(small->database);
    weir_memory_topic_free(small->topic);
    sim_disk_free(small->disk);
    weir_arena_fini(&small->plan.arena);
}

void small_send(struct small_pipeline *small, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        char text[32];
        int len = snprintf(text, sizeof(text), "%0*lld", small->digits_min, (long long)small->sent);
        /* Unequal partitions, as in life. */
        uint32_t partition = small->sent % 3 == 0 ? 1 : 0;
        assert_true(weir_memory_topic_append(small->topic, partition, (struct weir_str){ 0 },
                                             (struct weir_str){ text, (size_t)len }, 0) >= 0);
        small->sent++;
    }
}

/* --- Processes ------------------------------------------------------------------------------ */

void small_boot(struct small_pipeline *small, const char *dir, bool until_caught_up,
                struct small_process *ret)
{
    struct weir_error err;

    ret->io = sim_disk_boot(small->disk);
    const struct weir_engine_args args = {
        .plan = &small->plan, .io = ret->io, .dir = dir, .until_caught_up = until_caught_up
    };
    int rc = weir_engine_open(&args, &ret->engine, &err);
    if (rc != WEIR_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(rc, WEIR_OK);
}

void small_close(struct small_process *process)
{
    weir_engine_close(process->engine);
    weir_io_close(process->io);
    *process = (struct small_process){ 0 };
}

int small_run(struct small_pipeline *small, struct small_process *process, int turns,
              struct weir_error *err)
{
    for (int i = 0; i < turns && !weir_engine_is_finished(process->engine); i++) {
        bool idle;
        int rc = weir_engine_step(process->engine, &idle, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        sim_disk_advance(small->disk, 1000);
    }
    return WEIR_OK;
}

void small_must_run(struct small_pipeline *small, struct small_process *process, int turns)
{
    struct weir_error err = { 0 };
    int rc = small_run(small, process, turns, &err);

    if (rc != WEIR_OK) {
        print_error("%s\n", err.text);
    }
    assert_int_equal(rc, WEIR_OK);
}

struct weir_status small_status(const struct small_process *process)
{
    struct weir_status ret;

    weir_engine_status(process->engine, &ret);
    return ret;
}

void small_finish(struct small_pipeline *small, const char *dir)
{
    enum { TURNS_MAX = 100000 };
    struct small_process process;

    small_boot(small, dir, true, &process);
    small_must_run(small, &process, TURNS_MAX);
    assert_true(weir_engine_is_finished(process.engine));
    small_close(&process);
}

/* --- The verdict ---------------------------------------------------------------------------- */

static struct small_verdict judge(const struct small_pipeline *small,
                                  const struct weir_memory_database *database)
{
    struct weir_memory_row *rows = NULL;
    struct small_verdict ret = { 0 };
    uint32_t *seen = calloc((size_t)small->sent + 1, sizeof(*seen));
    size_t count = 0;

    assert_non_null(seen);
    assert_int_equal(weir_memory_table_rows(database, "public.out", &rows, &count), WEIR_OK);
    for (size_t i = 0; i < count; i++) {
        int64_t id = weir_memory_row_integer(&rows[i], 0);
        if (id < 0 || id >= small->sent) {
            ret.invented++;
        } else {
            ret.doubled += seen[id]++ != 0;
        }
    }
    for (int64_t id = 0; id < small->sent; id++) {
        ret.missing += seen[id] == 0;
    }
    free(rows);
    free(seen);
    return ret;
}

struct small_verdict small_judge(const struct small_pipeline *small)
{
    struct small_verdict ret = judge(small, small->database);

    if (small->second != NULL) {
        struct small_verdict more = judge(small, small->second);
        ret.missing += more.missing;
        ret.doubled += more.doubled;
        ret.invented += more.invented;
    }
    return ret;
}

void small_expect_exact(const struct small_pipeline *small)
{
    struct small_verdict verdict = small_judge(small);

    assert_int_equal(verdict.missing, 0);
    assert_int_equal(verdict.doubled, 0);
    assert_int_equal(verdict.invented, 0);
}
