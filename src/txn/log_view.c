/* log_view.c: reads the log from its oldest record to its newest.
 *
 * LV1  A plan stands on the plan or the void record before it; anything else is damage that the
 *      checksums cannot see, and stops.
 * Checked by tests/unit/txn/test_frame.c. */
#include "txn/log_view.h"

#include <stdlib.h>
#include <string.h>

static int push(struct weir_log_view *view, struct weir_batch_id id, uint64_t lsn,
                struct weir_error *err)
{
    if (view->count == view->capacity) {
        uint32_t capacity = view->capacity == 0 ? 1024 : view->capacity * 2;
        struct weir_log_batch *chain = realloc(view->chain, capacity * sizeof(*chain));
        if (chain == NULL) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory to read a log of %u batches",
                                  view->count);
        }
        view->chain = chain;
        view->capacity = capacity;
    }
    view->chain[view->count++] = (struct weir_log_batch){ .id = id, .lsn = lsn };
    if (id.t > view->last_t) {
        view->last_t = id.t;
    }
    return WEIR_OK;
}

static int read_identity(struct weir_log_view *view, const struct weir_wal_record *record,
                         struct weir_error *err)
{
    struct weir_identity identity;
    int rc = weir_identity_decode(record, &identity, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    weir_arena_reset(&view->arena);
    const char *name = weir_arena_copy(&view->arena, identity.name);
    const char *definition = weir_arena_copy(&view->arena, identity.definition);
    if (name == NULL || definition == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for the log's identity record");
    }
    identity.name.data = name;
    identity.definition.data = definition;
    view->identity = identity;
    view->identity_lsn = record->lsn;
    view->has_identity = true;
    return WEIR_OK;
}

/* Reads a plan; only its identity and where it ended are kept. */
static int read_plan(struct weir_log_view *view, const struct weir_wal_record *record,
                     struct weir_arena *scratch, struct weir_error *err)
{
    struct weir_plan_frame frame;
    int rc = weir_plan_frame_decode(record, scratch, &frame, err);

    if (rc == WEIR_OK && view->count == 0) {
        rc = push(view, frame.previous, 0, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    const struct weir_batch_id last = view->chain[view->count - 1].id;
    if (!weir_batch_id_equal(frame.previous, last) || frame.id.batch != last.batch + 1) { /* LV1 */
        return weir_error_set_reason(
            err, WEIR_ECORRUPT, "wal_corrupt",
            "log record %llu: the plan of batch %llu does not stand on batch %llu before it",
            (unsigned long long)record->lsn, (unsigned long long)frame.id.batch,
            (unsigned long long)last.batch);
    }
    rc = push(view, frame.id, record->lsn, err);
    if (rc == WEIR_OK) {
        view->chain[view->count - 1].map = frame.map;
        weir_arena_reset(&view->ends_arena);
        rc = weir_ranges_copy(&view->ends_arena, frame.ranges, &view->ends, err);
    }
    return rc;
}

static int read_void(struct weir_log_view *view, const struct weir_wal_record *record,
                     struct weir_arena *scratch, struct weir_error *err)
{
    struct weir_void_frame frame;
    int rc = weir_void_frame_decode(record, scratch, &frame, err);

    if (rc == WEIR_OK) {
        view->count = 0; /* what came before is never used again */
        rc = push(view, frame.id, record->lsn, err);
    }
    if (rc == WEIR_OK) {
        weir_arena_reset(&view->ends_arena);
        rc = weir_ranges_copy(&view->ends_arena, frame.ends, &view->ends, err);
    }
    return rc;
}

int weir_log_view_read(weir_wal *wal, struct weir_log_view *ret, struct weir_error *err)
{
    struct weir_log_view view = { .last_t = INT64_MIN };
    weir_wal_cursor *cursor = NULL;
    struct weir_wal_record record;
    struct weir_arena scratch;
    int rc;

    weir_arena_init(&view.arena, 0);
    weir_arena_init(&view.ends_arena, 0);
    weir_arena_init(&scratch, 0);
    rc = weir_wal_cursor_open(wal, 0, &cursor, err);
    while (rc == WEIR_OK) {
        rc = weir_wal_cursor_next(cursor, &record, err);
        if (rc != WEIR_OK || record.lsn == 0) {
            break;
        }
        weir_arena_reset(&scratch);
        switch (record.type) {
        case WEIR_FRAME_IDENTITY:
            rc = read_identity(&view, &record, err);
            break;
        case WEIR_FRAME_PLAN:
            rc = read_plan(&view, &record, &scratch, err);
            break;
        case WEIR_FRAME_VOID:
            rc = read_void(&view, &record, &scratch, err);
            break;
        default:
            rc = weir_error_set_reason(err, WEIR_ECONFLICT, "log_version",
                                       "log record %llu has type %u, which this weir does not know",
                                       (unsigned long long)record.lsn, record.type);
            break;
        }
    }
    weir_wal_cursor_close(cursor);
    weir_arena_fini(&scratch);
    if (rc == WEIR_OK) {
        *ret = view;
    } else {
        weir_log_view_fini(&view);
    }
    return rc;
}

void weir_log_view_fini(struct weir_log_view *view)
{
    weir_arena_fini(&view->arena);
    weir_arena_fini(&view->ends_arena);
    free(view->chain);
    *view = (struct weir_log_view){ 0 };
}

int64_t weir_log_view_find(const struct weir_log_view *view, struct weir_batch_id id)
{
    if (view->count == 0 || id.batch < view->chain[0].id.batch ||
        id.batch - view->chain[0].id.batch >= view->count) {
        return -1;
    }
    /* Numbers in the chain have no gaps, so the number is the place. */
    int64_t index = (int64_t)(id.batch - view->chain[0].id.batch);
    return weir_batch_id_equal(view->chain[index].id, id) ? index : -1;
}
