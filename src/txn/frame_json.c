/* frame_json.c: the records of src/txn as JSON, for programs that read `weir wal dump --json`.
 *
 * Uses     frame.h to decode. 64-bit numbers are JSON numbers, digests and uuids are hex digits.
 * Checked by tests/unit/txn/test_frame.c and tests/integration/test_wal_verbs.py. */
#include "txn/frame.h"

static void put_text(const char *name, struct weir_str text, struct weir_buf *ret)
{
    weir_buf_printf(ret, ",\"%s\":\"", name);
    weir_buf_append_json(ret, text);
    weir_buf_append_text(ret, "\"");
}

static void put_number(const char *name, uint64_t value, struct weir_buf *ret)
{
    weir_buf_printf(ret, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void put_digest(const char *name, struct weir_digest digest, struct weir_buf *ret)
{
    weir_buf_printf(ret, ",\"%s\":\"%016llx%016llx\"", name, (unsigned long long)digest.hi,
                    (unsigned long long)digest.lo);
}

static void put_id(struct weir_batch_id id, struct weir_buf *ret)
{
    weir_buf_printf(ret, "\"batch\":%llu,\"t\":%lld", (unsigned long long)id.batch,
                    (long long)id.t);
    put_digest("plan", id.plan, ret);
}

static int put_identity(const struct weir_wal_record *record, struct weir_buf *ret,
                        struct weir_error *err)
{
    struct weir_identity identity;
    int rc = weir_identity_decode(record, &identity, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    put_text("pipeline", identity.name, ret);
    weir_buf_append_text(ret, ",\"uuid\":\"");
    for (int i = 0; i < WEIR_UUID_BYTES; i++) {
        weir_buf_printf(ret, "%02x", identity.uuid[i]);
    }
    weir_buf_append_text(ret, "\"");
    put_digest("fingerprint", identity.fingerprint, ret);
    return WEIR_OK;
}

static int put_plan(const struct weir_wal_record *record, struct weir_arena *arena,
                    struct weir_buf *ret, struct weir_error *err)
{
    struct weir_plan_frame frame;
    int rc = weir_plan_frame_decode(record, arena, &frame, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_append_text(ret, ",");
    put_id(frame.id, ret);
    weir_buf_append_text(ret, ",\"previous\":{");
    put_id(frame.previous, ret);
    weir_buf_append_text(ret, "}");
    put_number("source_rows", frame.source_rows, ret);
    put_number("done", frame.is_done ? frame.id.batch : frame.done, ret);
    weir_buf_append_text(ret, ",\"ranges\":");
    weir_ranges_print(frame.ranges, false, ret);
    weir_buf_append_text(ret, ",\"parts\":[");
    for (uint32_t i = 0; i < frame.sinks * frame.partitions; i++) {
        weir_buf_printf(ret, "%s{\"sink\":%u,\"partition\":%u", i == 0 ? "" : ",",
                        i / frame.partitions, i % frame.partitions);
        put_number("rows", frame.tallies[i].rows, ret);
        put_number("dead", frame.tallies[i].dead, ret);
        put_digest("digest", frame.tallies[i].digest, ret);
        weir_buf_append_text(ret, "}");
    }
    weir_buf_append_text(ret, "]");
    return WEIR_OK;
}

static int put_void(const struct weir_wal_record *record, struct weir_arena *arena,
                    struct weir_buf *ret, struct weir_error *err)
{
    struct weir_void_frame frame;
    int rc = weir_void_frame_decode(record, arena, &frame, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_append_text(ret, ",");
    put_id(frame.id, ret);
    put_text("reason", frame.reason, ret);
    weir_buf_append_text(ret, ",\"ends\":");
    weir_ranges_print(frame.ends, true, ret);
    return WEIR_OK;
}

void weir_frame_print_json(const struct weir_wal_record *record, struct weir_buf *ret)
{
    struct weir_arena arena;
    struct weir_error err;
    int rc = WEIR_OK;

    weir_arena_init(&arena, 0);
    switch (record->type) {
    case WEIR_FRAME_IDENTITY:
        weir_buf_append_text(ret, "\"kind\":\"identity\"");
        rc = put_identity(record, ret, &err);
        break;
    case WEIR_FRAME_PLAN:
        weir_buf_append_text(ret, "\"kind\":\"plan\"");
        rc = put_plan(record, &arena, ret, &err);
        break;
    case WEIR_FRAME_VOID:
        weir_buf_append_text(ret, "\"kind\":\"void\"");
        rc = put_void(record, &arena, ret, &err);
        break;
    default:
        weir_buf_printf(ret, "\"kind\":\"other\",\"type\":%u,\"bytes\":%zu", record->type,
                        record->len);
        break;
    }
    if (rc != WEIR_OK) {
        put_text("unreadable", weir_str_from(err.text), ret);
    }
    weir_arena_fini(&arena);
}
