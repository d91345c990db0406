/* inputs.c: the sources of a pipeline: which partitions there are, where they stand, where they
 * go on.
 *
 * IN1  from[] of a source is what the txn's ranges say, by name; a partition that they do not name
 *      begins at its first record, or where the start option says at the very start.
 * IN3  Ranges never run backwards, and hold nothing that on_data_loss = 'skip' left out: a partition that
 *      is moved by it begins a new range there, sealed at once, as a start could choose another place.
 * IN2  Start positions are made durable (weir_txn_start) before anything is read from them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/variant.h"
#include "engine/engine_internal.h"

int weir_inputs_open(struct weir_engine *engine, struct weir_error *err)
{
    const struct weir_plan *plan = engine->plan;

    for (uint32_t i = 0; i < plan->source_count; i++) {
        const struct weir_plan_source *source = &plan->sources[i];
        struct weir_input *input = &engine->inputs[i];
        const struct weir_source_args source_args = {
            .name = source->name,
            .options = source->options,
            .want_headers = (source->meta_used >> WEIR_META_HEADERS & 1) != 0,
            .pipeline = plan->settings.name,
        };
        const struct weir_format_args format_args = {
            .columns = source->decoded,
            .column_count = source->decoded_count,
            .options = source->options,
        };
        input->plan = source;
        input->number = i;
        int rc = source->ops->open(&source_args, &input->source, err);
        if (rc == WEIR_OK) {
            rc = source->format->open(&format_args, &input->decoder, err);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

void weir_inputs_close(struct weir_engine *engine)
{
    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        struct weir_input *input = &engine->inputs[i];
        if (input->decoder != NULL) {
            input->plan->format->close(input->decoder);
        }
        if (input->source != NULL) {
            input->plan->ops->close(input->source);
        }
        free(input->from);
        free(input->at);
        free(input->now);
    }
}

static int grow_positions(struct weir_input *input, struct weir_error *err)
{
    struct weir_position **arrays[] = { &input->from, &input->at, &input->now };

    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        struct weir_position *array =
            realloc(*arrays[i], (input->partitions.count + 1) * sizeof(*array));
        if (array == NULL) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory for %u partitions",
                                  input->partitions.count);
        }
        *arrays[i] = array;
    }
    return WEIR_OK;
}

int weir_inputs_discover(struct weir_engine *engine, struct weir_error *err)
{
    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        struct weir_input *input = &engine->inputs[i];
        uint32_t before = input->partitions.count;
        int rc = input->plan->ops->discover(input->source, &input->partitions, err);

        if (rc == WEIR_OK && input->partitions.count != before) {
            engine->must_seek = true;
            rc = grow_positions(input, err);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

static uint32_t count_partitions(const struct weir_engine *engine)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        count += engine->inputs[i].partitions.count;
    }
    return count;
}

static struct weir_range range_of(const struct weir_input *input, uint32_t partition,
                                  struct weir_position first, struct weir_position end)
{
    const struct weir_partition *item = &input->partitions.items[partition];

    return (struct weir_range){ .source = weir_str_from(input->plan->name),
                                .stream = item->stream,
                                .number = item->number,
                                .identity = item->identity,
                                .first = first,
                                .end = end };
}

static int alloc_ranges(const struct weir_engine *engine, struct weir_arena *arena,
                        struct weir_ranges *ret, struct weir_error *err)
{
    uint32_t count = count_partitions(engine);

    *ret = (struct weir_ranges){ weir_arena_calloc(arena, count, sizeof(*ret->items)), 0 };
    return ret->items != NULL
               ? WEIR_OK
               : weir_error_set(err, WEIR_ENOMEM, "no memory for %u partitions", count);
}

int weir_inputs_starts(struct weir_engine *engine, struct weir_arena *arena,
                       struct weir_ranges *ret, struct weir_error *err)
{
    int rc = alloc_ranges(engine, arena, ret, err);

    for (uint32_t i = 0; rc == WEIR_OK && i < engine->plan->source_count; i++) {
        struct weir_input *input = &engine->inputs[i];
        for (uint32_t p = 0; rc == WEIR_OK && p < input->partitions.count; p++) {
            struct weir_position at;
            rc = input->plan->ops->start_position(input->source, p, false, &at, err);
            ret->items[ret->count++] = range_of(input, p, at, at);
        }
    }
    return rc;
}

/* Which partition of the input a range means; -1: none that is known. */
static int64_t find_partition(const struct weir_input *input, const struct weir_range *range)
{
    for (uint32_t p = 0; p < input->partitions.count; p++) {
        const struct weir_partition *item = &input->partitions.items[p];
        if (item->number == range->number && weir_str_equal(item->stream, range->stream)) {
            return p;
        }
    }
    return -1;
}

/* Every range must find its partition, in the same cluster as before. */
static int check_ranges(const struct weir_input *input, struct weir_ranges ranges,
                        struct weir_error *err)
{
    for (uint32_t i = 0; i < ranges.count; i++) {
        const struct weir_range *range = &ranges.items[i];
        if (!weir_str_equal(range->source, weir_str_from(input->plan->name))) {
            continue;
        }
        int64_t p = find_partition(input, range);
        if (p < 0) {
            return weir_error_set_reason(
                err, WEIR_ECONFLICT, "topic_replaced",
                "%s: topic %.*s no longer has partition %d, which was read up to offset %lld",
                input->plan->name, WEIR_STR_ARG(range->stream), range->number,
                (long long)range->end.next);
        }
        if (input->partitions.items[p].identity != range->identity) {
            return weir_error_set_reason(
                err, WEIR_ECONFLICT, "cluster_changed",
                "%s: topic %.*s is in another cluster than the one that was read before",
                input->plan->name, WEIR_STR_ARG(range->stream));
        }
    }
    return WEIR_OK;
}

/* Where partition p goes on, and where it ends for a rebuild. */
static int place_partition(struct weir_input *input, uint32_t p, const struct weir_work *work,
                           struct weir_position *ret_at, struct weir_position *ret_until,
                           struct weir_error *err)
{
    const struct weir_partition *item = &input->partitions.items[p];
    const struct weir_range *range = weir_ranges_find(
        work->ranges, weir_str_from(input->plan->name), item->stream, item->number);

    if (range == NULL) { /* IN1; a rebuild reads nothing of it */
        int rc = input->plan->ops->start_position(input->source, p, true, ret_at, err);
        *ret_until = *ret_at;
        return rc;
    }
    bool is_rebuild = work->kind == WEIR_WORK_REBUILD && !WEIR_VARIANT(rebuild_other_ranges);
    *ret_at = is_rebuild ? range->first : range->end;
    *ret_until = range->end;
    return WEIR_OK;
}

static int seek_input(struct weir_engine *engine, struct weir_input *input,
                      const struct weir_work *work, struct weir_error *err)
{
    uint32_t count = input->partitions.count;
    struct weir_position *until = weir_arena_calloc(&engine->gather.arena, count, sizeof(*until));
    int rc = check_ranges(input, work->ranges, err);

    if (until == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u partitions", count);
    }
    for (uint32_t p = 0; rc == WEIR_OK && p < count; p++) {
        rc = place_partition(input, p, work, &input->from[p], &until[p], err);
    }
    if (rc == WEIR_OK) {
        rc = input->plan->ops->seek(input->source, input->from,
                                    work->kind == WEIR_WORK_REBUILD ? until : NULL, count, err);
    }
    input->from_count = count;
    if (rc == WEIR_OK && work->kind == WEIR_WORK_FRESH) {
        memcpy(input->at, input->from, count * sizeof(*input->at));
        engine->gather.must_close |= weir_inputs_note(input, true); /* nothing was read yet */
    }
    return rc;
}

bool weir_inputs_note(struct weir_input *input, bool skipped)
{
    bool must_close = input->must_seal;

    input->must_seal = false;
    input->plan->ops->positions(input->source, input->now, input->from_count);
    for (uint32_t p = 0; p < input->from_count; p++) {
        const struct weir_position *now = &input->now[p];
        if (!skipped || now->next == input->at[p].next) {
            weir_assert(now->next >= input->at[p].next); /* IN3 */
            input->at[p] = *now;
        } else if (input->at[p].next == input->from[p].next) { /* nothing was taken of it */
            input->from[p] = input->at[p] = *now;
            must_close = true;
        } else { /* the range ends where it is; the next one is sealed, too */
            must_close = input->must_seal = true;
        }
    }
    return must_close;
}

/* Whether every range of a source names a partition that is known. */
static bool knows_all(const struct weir_input *input, struct weir_ranges ranges)
{
    for (uint32_t i = 0; i < ranges.count; i++) {
        if (weir_str_equal(ranges.items[i].source, weir_str_from(input->plan->name)) &&
            find_partition(input, &ranges.items[i]) < 0) {
            return false;
        }
    }
    return true;
}

int weir_inputs_seek(struct weir_engine *engine, const struct weir_work *work,
                     struct weir_error *err)
{
    bool is_complete = true;

    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        is_complete = is_complete && knows_all(&engine->inputs[i], work->ranges);
    }
    if (!is_complete) { /* another instance may have read a partition that is new to us */
        int rc = weir_inputs_discover(engine, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        int rc = seek_input(engine, &engine->inputs[i], work, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return WEIR_OK;
}

int weir_inputs_ranges(struct weir_engine *engine, struct weir_arena *arena,
                       struct weir_ranges *ret, struct weir_error *err)
{
    int rc = alloc_ranges(engine, arena, ret, err);

    for (uint32_t i = 0; rc == WEIR_OK && i < engine->plan->source_count; i++) {
        struct weir_input *input = &engine->inputs[i];
        for (uint32_t p = 0; p < input->from_count; p++) {
            ret->items[ret->count++] = range_of(input, p, input->from[p], input->at[p]); /* IN3 */
        }
    }
    return rc;
}

void weir_inputs_advance(struct weir_engine *engine)
{
    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        struct weir_input *input = &engine->inputs[i];
        input->plan->ops->positions(input->source, input->from, input->from_count);
        memcpy(input->at, input->from, input->from_count * sizeof(*input->at));
    }
}

void weir_inputs_publish(struct weir_engine *engine)
{
    struct weir_ranges ends = weir_txn_committed_ends(engine->txn);

    for (uint32_t i = 0; i < engine->plan->source_count; i++) {
        struct weir_input *input = &engine->inputs[i];
        struct weir_position *at =
            weir_arena_calloc(&engine->chunk_arena, input->partitions.count, sizeof(*at));
        if (at == NULL) {
            return; /* for display only */
        }
        for (uint32_t p = 0; p < input->partitions.count; p++) {
            const struct weir_partition *item = &input->partitions.items[p];
            const struct weir_range *range = weir_ranges_find(
                ends, weir_str_from(input->plan->name), item->stream, item->number);
            at[p] = range != NULL ? range->end : (struct weir_position){ .next = -1 };
        }
        input->plan->ops->publish(input->source, at, input->partitions.count);
    }
}

struct weir_str weir_inputs_describe(void *context, uint32_t source, uint32_t partition)
{
    static _Thread_local char text[512];
    const struct weir_engine *engine = context;
    const struct weir_input *input = &engine->inputs[source];
    const struct weir_partition *item = &input->partitions.items[partition];
    int len = snprintf(text, sizeof(text), "%s/%.*s/%d", input->plan->name,
                       WEIR_STR_ARG(item->stream), item->number);

    weir_assert(partition < input->partitions.count);
    return (struct weir_str){ text, len < (int)sizeof(text) ? (size_t)len : sizeof(text) - 1 };
}
