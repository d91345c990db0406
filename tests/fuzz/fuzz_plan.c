/* fuzz_plan.c: the records of the commit protocol: identity, plan and void.
 *
 * Input: the record's type, then its bytes. What is accepted must encode to the very same bytes:
 * there is one way to write a frame, so a digest over it names it.
 * covers as a whole: X-11 */
#include "base/arena.h"
#include "tests/fuzz/fuzz.h"
#include "txn/frame.h"

/* Decodes a record and encodes what came out. */
static int go_round(const struct weir_wal_record *record, struct weir_arena *arena,
                    struct weir_buf *ret)
{
    struct weir_identity identity;
    struct weir_plan_frame plan;
    struct weir_void_frame cut;
    struct weir_error err = { 0 };
    int rc;

    if (record->type == WEIR_FRAME_IDENTITY) {
        rc = weir_identity_decode(record, &identity, &err);
        if (rc == WEIR_OK) {
            weir_identity_encode(&identity, ret);
        }
    } else if (record->type == WEIR_FRAME_PLAN) {
        rc = weir_plan_frame_decode(record, arena, &plan, &err);
        if (rc == WEIR_OK) {
            weir_plan_frame_encode(&plan, ret);
        }
    } else {
        rc = weir_void_frame_decode(record, arena, &cut, &err);
        if (rc == WEIR_OK) {
            weir_void_frame_encode(&cut, ret);
        }
    }
    weir_assert(rc == WEIR_OK || err.text[0] != '\0');
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct weir_buf back = { 0 }, line = { 0 };
    struct weir_arena arena;

    if (len == 0) {
        return 0;
    }
    struct weir_wal_record record = {
        .lsn = 1, .type = (uint8_t)(1 + data[0] % 3), .bytes = data + 1, .len = len - 1
    };
    weir_arena_init(&arena, 0);
    int rc = go_round(&record, &arena, &back);
    if (rc == WEIR_OK) {
        weir_assert(back.len == record.len && memcmp(back.data, record.bytes, back.len) == 0);
    } else {
        weir_assert(rc == WEIR_ECORRUPT || rc == WEIR_ECONFLICT);
    }
    weir_frame_print(&record, &line); /* of any record, for `weir wal dump` */
    weir_assert(line.len > 0);
    weir_buf_fini(&back);
    weir_buf_fini(&line);
    weir_arena_fini(&arena);
    return 0;
}
