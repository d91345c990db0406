/* transform.c: one chunk of a source through the operators of every INSERT that reads it, and into
 * the parts of the open batch.
 *
 * TR1  Which output partition a row goes to depends on its values and its record alone, so a
 *      rebuilt batch splits the same way. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/fail_point.h"
#include "base/log_line.h"
#include "chunk/value.h"
#include "engine/engine_internal.h"

static int add_operator(struct weir_transform *transform, const struct weir_operator_ops *ops,
                        struct weir_expr *const *exprs, uint32_t count, struct weir_error *err)
{
    const struct weir_op_args args = { .exprs = exprs, .expr_count = count };
    void *self = calloc(1, ops->self_bytes);

    if (self == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for operator %s", ops->name);
    }
    weir_assert(transform->op_count < WEIR_INSERT_OPERATORS_MAX);
    transform->ops[transform->op_count] = ops;
    transform->selves[transform->op_count] = self;
    transform->op_count++;
    return ops->init(self, &args, err);
}

/* Which table of its sink an INSERT's target is. */
static void find_target(const struct weir_plan *plan, struct weir_transform *transform)
{
    uint32_t table = transform->plan->table;
    const struct weir_plan_sink *sink = &plan->sinks[plan->tables[table].sink];

    transform->sink = plan->tables[table].sink;
    transform->sink_table = 0;
    while (sink->tables[transform->sink_table] != table) {
        transform->sink_table++;
        weir_assert(transform->sink_table < sink->table_count);
    }
}

int weir_transforms_open(struct weir_engine *engine, struct weir_error *err)
{
    for (uint32_t i = 0; i < engine->plan->insert_count; i++) {
        const struct weir_plan_insert *insert = &engine->plan->inserts[i];
        struct weir_transform *transform = &engine->transforms[i];
        int rc = WEIR_OK;

        transform->plan = insert;
        find_target(engine->plan, transform);
        if (insert->filter != NULL) {
            rc = add_operator(transform, &weir_filter_ops,
                              (struct weir_expr *const *)&insert->filter, 1, err);
        }
        if (rc == WEIR_OK) {
            rc = add_operator(transform, &weir_project_ops, insert->exprs, insert->expr_count, err);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

void weir_transforms_close(struct weir_engine *engine)
{
    for (uint32_t i = 0; i < engine->plan->insert_count; i++) {
        struct weir_transform *transform = &engine->transforms[i];
        for (uint32_t j = 0; j < transform->op_count; j++) {
            if (transform->ops[j]->fini != NULL) {
                transform->ops[j]->fini(transform->selves[j]);
            }
            free(transform->selves[j]);
        }
    }
}

/* --- Bad records ---------------------------------------------------------------------------- */

int weir_bad_record(struct weir_engine *engine, const struct weir_input *input,
                    const struct weir_record *record, const struct weir_row_error *why,
                    struct weir_error *err)
{
    struct weir_str where = weir_inputs_describe(engine, input->number, record->partition);
    struct weir_dead_letter letter = { .record = record, .text = why->text };
    uint32_t part = record->partition % engine->plan->settings.output_partitions;

    switch (input->plan->on_error) {
    case WEIR_ON_ERROR_FAIL:
        return weir_error_set_reason(err, WEIR_EDATA, "poison",
                                     "%.*s offset %lld: %s (SQLSTATE %s)", WEIR_STR_ARG(where),
                                     (long long)record->offset, why->text, why->sqlstate);
    case WEIR_ON_ERROR_SKIP:
        engine->rows_skipped++;
        weir_log(WEIR_LOG_DEBUG, "record_skipped", "%.*s offset %lld: %s (SQLSTATE %s)",
                 WEIR_STR_ARG(where), (long long)record->offset, why->text, why->sqlstate);
        return WEIR_OK;
    case WEIR_ON_ERROR_DEAD_LETTER:
        break;
    }
    memcpy(letter.sqlstate, why->sqlstate, sizeof(letter.sqlstate));
    return weir_txn_dead_letter(engine->txn, part, input->number, &letter, err);
}

/* A record whose row failed in several INSERTs is bad once. */
static int report_failures(struct weir_engine *engine, const struct weir_input *input,
                           const struct weir_chunk *chunk, const struct weir_eval *eval,
                           uint64_t *reported, struct weir_error *err)
{
    for (uint32_t i = 0; i < eval->error_count; i++) {
        const struct weir_row_error *why = &eval->errors[i];
        if ((reported[why->row / 64] >> (why->row % 64) & 1) != 0) {
            continue;
        }
        weir_bitmap_set(reported, why->row);
        int rc = weir_bad_record(engine, input, chunk->origins[why->row], why, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

/* --- Metadata columns ----------------------------------------------------------------------- */

static int fill_meta(const struct weir_input *input, enum weir_meta_column meta,
                     const struct weir_chunk *chunk, struct weir_arena *arena, struct weir_vec *ret,
                     struct weir_error *err)
{
    static const enum weir_type_id types[WEIR_META_COUNT] = {
        [WEIR_META_TOPIC] = WEIR_TYPE_TEXT,  [WEIR_META_PARTITION] = WEIR_TYPE_INT4,
        [WEIR_META_OFFSET] = WEIR_TYPE_INT8, [WEIR_META_TIMESTAMP] = WEIR_TYPE_TIMESTAMPTZ,
        [WEIR_META_KEY] = WEIR_TYPE_BYTEA,   [WEIR_META_HEADERS] = WEIR_TYPE_JSONB,
    };
    struct weir_vec vec = weir_vec_alloc(arena, (struct weir_type){ types[meta], -1 }, chunk->rows);
    uint64_t *valid = weir_bitmap_alloc(arena, chunk->rows, true);

    if (vec.data == NULL || valid == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for metadata columns");
    }
    for (uint32_t r = 0; r < chunk->rows; r++) {
        const struct weir_record *record = chunk->origins[r];
        const struct weir_partition *partition = &input->partitions.items[record->partition];
        switch (meta) {
        case WEIR_META_TOPIC:
            vec.str[r] = partition->stream;
            break;
        case WEIR_META_PARTITION:
            vec.i4[r] = partition->number;
            break;
        case WEIR_META_OFFSET:
            vec.i8[r] = record->offset;
            break;
        case WEIR_META_TIMESTAMP:
            vec.i8[r] = record->timestamp_us - WEIR_UNIX_TO_PG_EPOCH_US;
            if (record->timestamp_us == INT64_MIN) {
                weir_bitmap_clear(valid, r);
            }
            break;
        case WEIR_META_KEY:
            vec.str[r] = record->key;
            if (record->key_is_null) {
                weir_bitmap_clear(valid, r);
            }
            break;
        case WEIR_META_HEADERS:
            vec.str[r] = record->headers;
            break;
        case WEIR_META_COUNT:
            break;
        }
    }
    vec.valid = valid;
    *ret = vec;
    return WEIR_OK;
}

/* The decoded columns and behind them the metadata columns that some expression reads. */
static int add_meta(struct weir_engine *engine, const struct weir_input *input,
                    const struct weir_chunk *chunk, struct weir_chunk *ret, struct weir_error *err)
{
    struct weir_arena *arena = &engine->chunk_arena;
    uint32_t decoded = chunk->columns;

    *ret = *chunk;
    ret->columns = decoded + WEIR_META_COUNT;
    ret->vecs = weir_arena_calloc(arena, ret->columns, sizeof(*ret->vecs));
    if (ret->vecs == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for metadata columns");
    }
    if (decoded != 0) {
        memcpy(ret->vecs, chunk->vecs, decoded * sizeof(*ret->vecs));
    }
    for (uint32_t m = 0; m < WEIR_META_COUNT; m++) {
        if ((input->plan->meta_used >> m & 1) != 0) {
            int rc = fill_meta(input, m, chunk, arena, &ret->vecs[decoded + m], err);
            if (rc != WEIR_OK) {
                return rc;
            }
        }
    }
    return WEIR_OK;
}

/* --- Output partitions ---------------------------------------------------------------------- */

/* A row's number for splitting: its source partition, else its table's key, else its record's
 * key, else its source partition. */
static uint64_t spread(const struct weir_engine *engine, const struct weir_sink_table *table,
                       const struct weir_chunk *chunk, uint32_t row)
{
    const struct weir_record *record = chunk->origins[row];
    uint64_t hash = 0;

    if (engine->plan->settings.partition_by_source) {
        return record->partition;
    }
    for (uint32_t k = 0; k < table->key_count; k++) {
        const struct weir_vec *vec = &chunk->vecs[table->key[k]];
        /* A null in a key is refused by the sink; which part it is refused in does not matter. */
        hash = hash * 31 + (weir_vec_is_null(vec, row) ? 0 : weir_value_hash(vec, row));
    }
    if (table->key_count != 0) {
        return hash;
    }
    return record->key_is_null ? record->partition : weir_hash64(record->key.data, record->key.len);
}

static int write_split(struct weir_engine *engine, const struct weir_transform *transform,
                       const struct weir_input *input, const struct weir_chunk *chunk,
                       struct weir_error *err)
{
    const uint32_t parts = engine->plan->settings.output_partitions;
    const struct weir_sink_table *table = &engine->plan->tables[transform->plan->table].target;
    uint32_t *rows = weir_arena_alloc(&engine->chunk_arena, chunk->rows * sizeof(*rows));
    uint8_t *targets = weir_arena_alloc(&engine->chunk_arena, chunk->rows);

    if (rows == NULL || targets == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory to split a chunk");
    }
    for (uint32_t r = 0; r < chunk->rows; r++) {
        targets[r] = (uint8_t)(spread(engine, table, chunk, r) % parts); /* TR1 */
    }
    for (uint32_t p = 0; p < parts; p++) {
        struct weir_chunk part;
        struct weir_sel sel = { .rows = rows };
        for (uint32_t r = 0; r < chunk->rows; r++) {
            rows[sel.count] = r;
            sel.count += targets[r] == p;
        }
        if (sel.count == 0) {
            continue;
        }
        int rc = weir_chunk_gather(&engine->chunk_arena, chunk, sel, &part, err);
        if (rc == WEIR_OK) {
            rc = weir_txn_write(engine->txn, transform->sink, p, transform->sink_table,
                                input->number, input->plan->on_error, &part, err);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

/* --- The whole way -------------------------------------------------------------------------- */

static int run_one(struct weir_engine *engine, const struct weir_transform *transform,
                   const struct weir_input *input, const struct weir_chunk *chunk,
                   struct weir_sel all, uint64_t *reported, struct weir_error *err)
{
    struct weir_flow flow = { .chunk = *chunk, .sel = all };
    struct weir_eval eval = { .arena = &engine->chunk_arena, .now_us = engine->gather.t };
    int rc = WEIR_OK;

    for (uint32_t i = 0; rc == WEIR_OK && i < transform->op_count; i++) {
        rc = WEIR_FAIL_AROUND(compute_operator,
                              transform->ops[i]->process(transform->selves[i], &eval, &flow, err),
                              err);
    }
    if (rc == WEIR_OK) {
        rc = report_failures(engine, input, chunk, &eval, reported, err);
    }
    if (rc != WEIR_OK || flow.chunk.rows == 0 || flow.sel.count == 0) {
        return rc;
    }
    if (engine->plan->settings.output_partitions > 1) {
        return write_split(engine, transform, input, &flow.chunk, err);
    }
    return weir_txn_write(engine->txn, transform->sink, 0, transform->sink_table, input->number,
                          input->plan->on_error, &flow.chunk, err);
}

int weir_transforms_run(struct weir_engine *engine, const struct weir_input *input,
                        const struct weir_chunk *chunk, struct weir_error *err)
{
    struct weir_arena *arena = &engine->chunk_arena;
    uint32_t *rows = weir_arena_alloc(arena, (chunk->rows + 1) * sizeof(*rows));
    uint64_t *reported = weir_bitmap_alloc(arena, chunk->rows + 1, false);
    struct weir_chunk full;
    int rc = add_meta(engine, input, chunk, &full, err);

    if (rc == WEIR_OK && (rows == NULL || reported == NULL)) {
        rc = weir_error_set(err, WEIR_ENOMEM, "no memory for a selection");
    }
    for (uint32_t r = 0; rc == WEIR_OK && r < chunk->rows; r++) {
        rows[r] = r;
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < engine->plan->insert_count; i++) {
        const struct weir_transform *transform = &engine->transforms[i];
        if (transform->plan->source == input->number) {
            rc = run_one(engine, transform, input, &full,
                         (struct weir_sel){ .count = chunk->rows, .rows = rows }, reported, err);
        }
    }
    return rc;
}
