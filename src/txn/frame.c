/* frame.c: log records to bytes and back.
 *
 * FR1  Every byte of a record is accounted for: one that is shorter or longer than what it says is
 *      refused.
 * FR2  There is one way to write a record: what is accepted would be encoded to the same bytes.
 * Checked by tests/unit/txn/test_frame.c, which cuts and flips every byte, and tests/fuzz/fuzz_plan.c. */
#include "txn/frame.h"

#include <string.h>

static void put_digest(struct weir_buf *buf, struct weir_digest digest)
{
    weir_buf_put_u64(buf, digest.lo);
    weir_buf_put_u64(buf, digest.hi);
}

static struct weir_digest get_digest(struct weir_reader *reader)
{
    struct weir_digest ret;

    ret.lo = weir_reader_u64(reader);
    ret.hi = weir_reader_u64(reader);
    return ret;
}

static void put_id(struct weir_buf *buf, struct weir_batch_id id)
{
    weir_buf_put_u64(buf, id.batch);
    weir_buf_put_u64(buf, (uint64_t)id.t);
    put_digest(buf, id.plan);
}

static struct weir_batch_id get_id(struct weir_reader *reader)
{
    struct weir_batch_id ret;

    ret.batch = weir_reader_u64(reader);
    ret.t = (int64_t)weir_reader_u64(reader);
    ret.plan = get_digest(reader);
    return ret;
}

int weir_plan_digest(const uint8_t uuid[WEIR_UUID_BYTES], const struct weir_plan_frame *frame,
                     struct weir_digest *ret, struct weir_error *err)
{
    struct weir_buf bytes = { 0 };
    int rc = WEIR_OK;

    weir_buf_append(&bytes, uuid, WEIR_UUID_BYTES);
    weir_buf_put_u64(&bytes, frame->id.batch);
    weir_buf_put_u64(&bytes, (uint64_t)frame->id.t);
    weir_buf_put_u32(&bytes, frame->partitions);
    put_digest(&bytes, frame->map);
    put_digest(&bytes, frame->definition);
    weir_ranges_encode(frame->ranges, &bytes);
    if (bytes.failed) {
        rc = weir_error_set(err, WEIR_ENOMEM, "no memory for a plan of %u source ranges",
                            frame->ranges.count);
    } else {
        *ret = weir_hash128(bytes.data, bytes.len);
    }
    weir_buf_fini(&bytes);
    return rc;
}

void weir_identity_encode(const struct weir_identity *identity, struct weir_buf *ret)
{
    weir_buf_put_u8(ret, WEIR_FRAME_VERSION);
    weir_buf_append(ret, identity->uuid, sizeof(identity->uuid));
    weir_buf_put_str(ret, identity->name);
    put_digest(ret, identity->fingerprint);
    weir_buf_put_str(ret, identity->definition);
}

void weir_plan_frame_encode(const struct weir_plan_frame *frame, struct weir_buf *ret)
{
    weir_buf_put_u8(ret, WEIR_FRAME_VERSION);
    put_id(ret, frame->id);
    put_id(ret, frame->previous);
    weir_buf_put_u32(ret, frame->partitions);
    put_digest(ret, frame->map);
    put_digest(ret, frame->definition);
    weir_buf_put_u64(ret, frame->source_rows);
    weir_buf_put_u64(ret, frame->done);
    weir_buf_put_u8(ret, frame->is_done);
    weir_ranges_encode(frame->ranges, ret);
    weir_buf_put_u32(ret, frame->sinks);
    for (uint32_t i = 0; i < frame->sinks * frame->partitions; i++) {
        weir_buf_put_u64(ret, frame->tallies[i].rows);
        weir_buf_put_u64(ret, frame->tallies[i].dead);
        put_digest(ret, frame->tallies[i].digest);
    }
}

void weir_void_frame_encode(const struct weir_void_frame *frame, struct weir_buf *ret)
{
    weir_buf_put_u8(ret, WEIR_FRAME_VERSION);
    put_id(ret, frame->id);
    weir_buf_put_str(ret, frame->reason);
    weir_ranges_encode_ends(frame->ends, ret);
}

/* Every record starts with a version; a later one is not guessed at. */
static int start(const struct weir_wal_record *record, struct weir_reader *ret,
                 struct weir_error *err)
{
    uint8_t version;

    *ret = (struct weir_reader){ .data = record->bytes, .len = record->len };
    version = weir_reader_u8(ret);
    if (ret->failed || version != WEIR_FRAME_VERSION) {
        return weir_error_set_reason(err, WEIR_ECONFLICT, "log_version",
                                     "log record %llu has version %u; this weir reads version %d",
                                     (unsigned long long)record->lsn, version, WEIR_FRAME_VERSION);
    }
    return WEIR_OK;
}

static int finish(const struct weir_reader *reader, const struct weir_wal_record *record,
                  struct weir_error *err)
{
    if (reader->failed || reader->at != reader->len) { /* FR1 */
        return weir_error_set(err, WEIR_ECORRUPT,
                              "log record %llu (type %u) is malformed at byte %zu",
                              (unsigned long long)record->lsn, record->type, reader->at);
    }
    return WEIR_OK;
}

int weir_identity_decode(const struct weir_wal_record *record, struct weir_identity *ret,
                         struct weir_error *err)
{
    struct weir_identity out;
    struct weir_reader reader;
    int rc = start(record, &reader, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    weir_reader_bytes(&reader, out.uuid, sizeof(out.uuid));
    out.name = weir_reader_str(&reader);
    out.fingerprint = get_digest(&reader);
    out.definition = weir_reader_str(&reader);
    rc = finish(&reader, record, err);
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}

static int decode_tallies(struct weir_reader *reader, struct weir_arena *arena,
                          struct weir_plan_frame *frame, struct weir_error *err)
{
    enum { TALLY_BYTES = 32 };
    uint64_t count;

    frame->sinks = weir_reader_u32(reader);
    count = (uint64_t)frame->sinks * frame->partitions;
    if (reader->failed || frame->partitions > WEIR_OUTPUT_PARTITIONS_MAX ||
        count * TALLY_BYTES != reader->len - reader->at) {
        return weir_error_set(err, WEIR_ECORRUPT, "log: a plan with %u sinks of %u partitions",
                              frame->sinks, frame->partitions);
    }
    frame->tallies = weir_arena_calloc(arena, count, sizeof(*frame->tallies));
    if (frame->tallies == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a plan");
    }
    for (uint64_t i = 0; i < count; i++) {
        frame->tallies[i].rows = weir_reader_u64(reader);
        frame->tallies[i].dead = weir_reader_u64(reader);
        frame->tallies[i].digest = get_digest(reader);
    }
    return WEIR_OK;
}

int weir_plan_frame_decode(const struct weir_wal_record *record, struct weir_arena *arena,
                           struct weir_plan_frame *ret, struct weir_error *err)
{
    struct weir_plan_frame out = { 0 };
    struct weir_reader reader;
    int rc = start(record, &reader, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    out.id = get_id(&reader);
    out.previous = get_id(&reader);
    out.partitions = weir_reader_u32(&reader);
    out.map = get_digest(&reader);
    out.definition = get_digest(&reader);
    out.source_rows = weir_reader_u64(&reader);
    out.done = weir_reader_u64(&reader);
    uint8_t is_done = weir_reader_u8(&reader);
    if (is_done > 1) { /* FR2 */
        return weir_error_set(err, WEIR_ECORRUPT, "log record %llu: %u for yes or no",
                              (unsigned long long)record->lsn, is_done);
    }
    out.is_done = is_done == 1;
    rc = weir_ranges_decode(&reader, arena, &out.ranges, err);
    if (rc == WEIR_OK) {
        rc = decode_tallies(&reader, arena, &out, err);
    }
    if (rc == WEIR_OK) {
        rc = finish(&reader, record, err);
    }
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}

int weir_void_frame_decode(const struct weir_wal_record *record, struct weir_arena *arena,
                           struct weir_void_frame *ret, struct weir_error *err)
{
    struct weir_void_frame out;
    struct weir_reader reader;
    int rc = start(record, &reader, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    out.id = get_id(&reader);
    out.reason = weir_reader_str(&reader);
    rc = weir_ranges_decode_ends(&reader, arena, &out.ends, err);
    if (rc == WEIR_OK) {
        rc = finish(&reader, record, err);
    }
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}

static void print_id(const char *label, struct weir_batch_id id, struct weir_buf *ret)
{
    weir_buf_printf(ret, "%s %llu t=%lld plan=%016llx%016llx", label, (unsigned long long)id.batch,
                    (long long)id.t, (unsigned long long)id.plan.hi,
                    (unsigned long long)id.plan.lo);
}

static void print_plan(const struct weir_plan_frame *frame, struct weir_buf *ret)
{
    print_id("plan batch", frame->id, ret);
    print_id(", after batch", frame->previous, ret);
    weir_buf_printf(ret, ", %llu source rows ", (unsigned long long)frame->source_rows);
    weir_ranges_print(frame->ranges, false, ret);
    for (uint32_t i = 0; i < frame->sinks * frame->partitions; i++) {
        const struct weir_part_tally *tally = &frame->tallies[i];
        weir_buf_printf(ret, ", sink %u part %u: %llu rows, %llu dead, digest %016llx%016llx",
                        i / frame->partitions, i % frame->partitions,
                        (unsigned long long)tally->rows, (unsigned long long)tally->dead,
                        (unsigned long long)tally->digest.hi, (unsigned long long)tally->digest.lo);
    }
    weir_buf_printf(ret, ", done up to %llu",
                    (unsigned long long)(frame->is_done ? frame->id.batch : frame->done));
}

void weir_frame_print(const struct weir_wal_record *record, struct weir_buf *ret)
{
    struct weir_error err;
    struct weir_arena arena;
    struct weir_identity identity;
    struct weir_plan_frame plan;
    struct weir_void_frame nothing;
    int rc = WEIR_OK;

    weir_arena_init(&arena, 0);
    switch (record->type) {
    case WEIR_FRAME_IDENTITY:
        rc = weir_identity_decode(record, &identity, &err);
        if (rc == WEIR_OK) {
            weir_buf_printf(ret, "identity of pipeline \"%.*s\", uuid ",
                            WEIR_STR_ARG(identity.name));
            for (int i = 0; i < WEIR_UUID_BYTES; i++) {
                weir_buf_printf(ret, "%02x", identity.uuid[i]);
            }
        }
        break;
    case WEIR_FRAME_PLAN:
        rc = weir_plan_frame_decode(record, &arena, &plan, &err);
        if (rc == WEIR_OK) {
            print_plan(&plan, ret);
        }
        break;
    case WEIR_FRAME_VOID:
        rc = weir_void_frame_decode(record, &arena, &nothing, &err);
        if (rc == WEIR_OK) {
            print_id("void: go on after batch", nothing.id, ret);
            weir_buf_printf(ret, " (%.*s) ", WEIR_STR_ARG(nothing.reason));
            weir_ranges_print(nothing.ends, true, ret);
        }
        break;
    default:
        weir_buf_printf(ret, "record of type %u, %zu bytes", record->type, record->len);
        break;
    }
    if (rc != WEIR_OK) {
        weir_buf_printf(ret, "unreadable: %s", err.text);
    }
    weir_arena_fini(&arena);
}
