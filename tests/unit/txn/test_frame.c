/* test_frame.c: log records come back as they were written; anything else is refused. */
#include <stdlib.h>

#include "tests/support/sim_io.h"
#include "tests/support/test.h"
#include "txn/log_view.h"

static struct weir_range ranges[] = {
    { .source = { "orders", 6 },
      .stream = { "topic", 5 },
      .number = 3,
      .identity = 77,
      .first = { .next = 10, .witness_offset = 9, .witness_digest = 123 },
      .end = { .next = 20, .witness_offset = 19, .witness_digest = 456 } },
    { .source = { "b", 1 },
      .stream = { "t\"\n", 3 },
      .first = { .witness_offset = -1 },
      .end = { .witness_offset = -1 } },
};
static struct weir_part_tally tallies[] = { { .rows = 5, .dead = 1, .digest = { 1, 2 } },
                                            { .rows = 7, .digest = { 3, 4 } } };

static struct weir_plan_frame a_plan(uint64_t batch)
{
    struct weir_plan_frame ret = {
        .id = { .batch = batch, .t = (int64_t)batch * 100, .plan = { batch, 8 } },
        .previous = { .batch = batch - 1,
                      .t = (int64_t)batch * 100 - 100,
                      .plan = { batch - 1, 8 } },
        .partitions = 2,
        .map = { 5, 6 },
        .definition = { 7, 8 },
        .source_rows = 10,
        .done = batch - 1,
        .ranges = { ranges, 2 },
        .sinks = 1,
        .tallies = tallies,
    };
    return ret;
}

static struct weir_wal_record record_of(unsigned type, const struct weir_buf *bytes, size_t len)
{
    return (struct weir_wal_record){
        .lsn = 1, .type = (uint8_t)type, .bytes = bytes->data, .len = len
    };
}

static void a_plan_comes_back(void **state)
{
    const struct weir_plan_frame plan = a_plan(9);
    struct weir_plan_frame back;
    struct weir_buf bytes = { 0 };
    struct weir_arena arena;

    (void)state;
    weir_arena_init(&arena, 0);
    weir_plan_frame_encode(&plan, &bytes);
    const struct weir_wal_record record = record_of(WEIR_FRAME_PLAN, &bytes, bytes.len);
    assert_int_equal(weir_plan_frame_decode(&record, &arena, &back, NULL), WEIR_OK);
    assert_true(weir_batch_id_equal(back.id, plan.id));
    assert_true(weir_batch_id_equal(back.previous, plan.previous));
    assert_int_equal(back.ranges.count, 2);
    assert_true(weir_str_equal(back.ranges.items[1].stream, ranges[1].stream));
    assert_int_equal(back.ranges.items[0].first.next, 10);
    assert_int_equal(back.ranges.items[0].end.witness_digest, 456);
    assert_int_equal(back.ranges.items[1].end.witness_offset, -1);
    assert_int_equal(back.tallies[1].rows, 7);
    assert_int_equal(back.tallies[0].dead, 1);
    assert_int_equal(back.source_rows, 10);
    weir_buf_fini(&bytes);
    weir_arena_fini(&arena);
}

/* Decodes a record of its type; the texts are of no interest. */
static int decode(const struct weir_wal_record *record)
{
    struct weir_plan_frame plan;
    struct weir_void_frame nothing;
    struct weir_identity identity;
    struct weir_arena arena;
    int rc;

    weir_arena_init(&arena, 0);
    switch (record->type) {
    case WEIR_FRAME_PLAN:
        rc = weir_plan_frame_decode(record, &arena, &plan, NULL);
        break;
    case WEIR_FRAME_VOID:
        rc = weir_void_frame_decode(record, &arena, &nothing, NULL);
        break;
    default:
        rc = weir_identity_decode(record, &identity, NULL);
        break;
    }
    weir_arena_fini(&arena);
    return rc;
}

static void encode_one(unsigned type, struct weir_buf *ret)
{
    const struct weir_plan_frame plan = a_plan(9);
    const struct weir_void_frame nothing = { .id = plan.id,
                                             .ends = { ranges, 2 },
                                             .reason = { "why", 3 } };
    const struct weir_identity identity = { .uuid = { 1, 2, 3 },
                                            .name = { "name", 4 },
                                            .definition = { "text", 4 } };

    if (type == WEIR_FRAME_PLAN) {
        weir_plan_frame_encode(&plan, ret);
    } else if (type == WEIR_FRAME_VOID) {
        weir_void_frame_encode(&nothing, ret);
    } else {
        weir_identity_encode(&identity, ret);
    }
}

/* */
static void a_record_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (unsigned type = WEIR_FRAME_IDENTITY; type <= WEIR_FRAME_VOID; type++) {
        struct weir_buf bytes = { 0 };

        encode_one(type, &bytes);
        struct weir_wal_record whole = record_of(type, &bytes, bytes.len);
        assert_int_equal(decode(&whole), WEIR_OK);
        for (size_t len = 0; len < bytes.len; len++) {
            /* A copy of just that length, so that reading past it shows. */
            uint8_t *copy = malloc(len + 1);
            memcpy(copy, bytes.data, len);
            struct weir_wal_record cut = {
                .lsn = 1, .type = (uint8_t)type, .bytes = copy, .len = len
            };
            assert_int_not_equal(decode(&cut), WEIR_OK);
            free(copy);
        }
        weir_buf_put_u8(&bytes, 0); /* FR1: and one that is too long */
        struct weir_wal_record longer = record_of(type, &bytes, bytes.len);
        assert_int_not_equal(decode(&longer), WEIR_OK);
        weir_buf_fini(&bytes);
    }
}

/* FR2: another spelling of the same record would have another digest. */
static void a_record_has_one_spelling(void **state)
{
    enum { IS_DONE_AT = 1 + 2 * 32 + 4 + 16 + 16 + 8 + 8, KIND_AT = IS_DONE_AT + 1 };
    struct weir_buf plan = { 0 }, ends = { 0 };

    (void)state;
    encode_one(WEIR_FRAME_PLAN, &plan);
    struct weir_wal_record record = record_of(WEIR_FRAME_PLAN, &plan, plan.len);
    plan.data[IS_DONE_AT] = 1;
    assert_int_equal(decode(&record), WEIR_OK);
    plan.data[IS_DONE_AT] = 2; /* is as true as 1 */
    assert_int_equal(decode(&record), WEIR_ECORRUPT);
    weir_buf_fini(&plan);

    /* A plan whose ranges have only their ends reads like one of empty ranges. */
    struct weir_plan_frame frame = a_plan(9);
    frame.ranges.count = 0;
    frame.sinks = 0;
    weir_plan_frame_encode(&frame, &ends);
    record = record_of(WEIR_FRAME_PLAN, &ends, ends.len);
    assert_int_equal(decode(&record), WEIR_OK);
    assert_int_equal(ends.data[KIND_AT], 1);
    ends.data[KIND_AT] = 2;
    assert_int_equal(decode(&record), WEIR_ECORRUPT);
    weir_buf_fini(&ends);
}

/* The log's checksums catch damage first; a forged record must still do no harm.
 * */
static void a_flipped_bit_does_no_harm(void **state)
{
    (void)state;
    for (unsigned type = WEIR_FRAME_IDENTITY; type <= WEIR_FRAME_VOID; type++) {
        struct weir_buf bytes = { 0 };
        struct weir_buf text = { 0 };

        encode_one(type, &bytes);
        for (size_t bit = 0; bit < bytes.len * 8; bit++) {
            bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct weir_wal_record record = record_of(type, &bytes, bytes.len);
            (void)decode(&record); /* may be refused or read otherwise; may not overrun */
            weir_frame_print(&record, &text);
            bytes.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        weir_buf_fini(&bytes);
        weir_buf_fini(&text);
    }
}

/* covers: P-27 */
static void another_version_is_refused_by_name(void **state)
{
    struct weir_buf bytes = { 0 };
    struct weir_plan_frame plan;
    struct weir_arena arena;
    struct weir_error err;

    (void)state;
    weir_arena_init(&arena, 0);
    encode_one(WEIR_FRAME_PLAN, &bytes);
    bytes.data[0] = WEIR_FRAME_VERSION + 1;
    struct weir_wal_record record = record_of(WEIR_FRAME_PLAN, &bytes, bytes.len);
    assert_int_equal(weir_plan_frame_decode(&record, &arena, &plan, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "log_version");
    weir_buf_fini(&bytes);
    weir_arena_fini(&arena);
}

static void ranges_are_printed_for_people(void **state)
{
    struct weir_buf text = { 0 };

    (void)state;
    weir_ranges_print((struct weir_ranges){ ranges, 2 }, true, &text);
    weir_buf_put_u8(&text, 0);
    assert_string_equal((char *)text.data,
                        "{\"orders/topic/3\": [10, 20], \"b/t\\\"\\u000a/0\": [0, 0]}");
    weir_buf_fini(&text);
}

/* --- For people and programs ---------------------------------------------------------------- */

static const char *printed(bool as_json, const struct weir_wal_record *record,
                           struct weir_buf *text)
{
    weir_buf_reset(text);
    if (as_json) {
        weir_frame_print_json(record, text);
    } else {
        weir_frame_print(record, text);
    }
    weir_buf_put_u8(text, 0);
    return (const char *)text->data;
}

#define ID_9 "\"batch\":9,\"t\":900,\"plan\":\"00000000000000080000000000000009\""
#define ID_8 "\"batch\":8,\"t\":800,\"plan\":\"00000000000000080000000000000008\""

static void records_are_told_to_programs(void **state)
{
    static const char *const expected[] = {
        [WEIR_FRAME_IDENTITY] = "\"kind\":\"identity\",\"pipeline\":\"name\","
                                "\"uuid\":\"01020300000000000000000000000000\","
                                "\"fingerprint\":\"00000000000000000000000000000000\"",
        [WEIR_FRAME_PLAN] =
            "\"kind\":\"plan\"," ID_9 ",\"previous\":{" ID_8 "},\"source_rows\":10,\"done\":8,"
            "\"ranges\":{\"orders/topic/3\": [10, 20]},\"parts\":["
            "{\"sink\":0,\"partition\":0,\"rows\":5,\"dead\":1,"
            "\"digest\":\"00000000000000020000000000000001\"},"
            "{\"sink\":0,\"partition\":1,\"rows\":7,\"dead\":0,"
            "\"digest\":\"00000000000000040000000000000003\"}]",
        [WEIR_FRAME_VOID] = "\"kind\":\"void\"," ID_9 ",\"reason\":\"why\",\"ends\":"
                            "{\"orders/topic/3\": [20, 20], \"b/t\\\"\\u000a/0\": [0, 0]}",
    };
    struct weir_buf bytes = { 0 };
    struct weir_buf text = { 0 };

    (void)state;
    for (unsigned type = WEIR_FRAME_IDENTITY; type <= WEIR_FRAME_VOID; type++) {
        weir_buf_reset(&bytes);
        encode_one(type, &bytes);
        struct weir_wal_record record = record_of(type, &bytes, bytes.len);
        assert_string_equal(printed(true, &record, &text), expected[type]);
        record.len--;
        assert_non_null(strstr(printed(true, &record, &text), ",\"unreadable\":\""));
        assert_non_null(strstr(printed(false, &record, &text), "unreadable: "));
    }
    struct weir_plan_frame dropped = a_plan(9);
    dropped.is_done = true; /* at_most_once: its own number, not the one before */
    weir_buf_reset(&bytes);
    weir_plan_frame_encode(&dropped, &bytes);
    struct weir_wal_record record = record_of(WEIR_FRAME_PLAN, &bytes, bytes.len);
    assert_non_null(strstr(printed(true, &record, &text), "\"done\":9,"));
    record = record_of(200, &bytes, 3);
    assert_string_equal(printed(true, &record, &text),
                        "\"kind\":\"other\",\"type\":200,\"bytes\":3");
    assert_string_equal(printed(false, &record, &text), "record of type 200, 3 bytes");
    weir_buf_fini(&bytes);
    weir_buf_fini(&text);
}

/* --- The whole log -------------------------------------------------------------------------- */

static void append(weir_wal *wal, uint8_t type, const struct weir_buf *bytes)
{
    uint64_t lsn;

    assert_int_equal(weir_wal_append(wal, type, bytes->data, bytes->len, &lsn, NULL), WEIR_OK);
    assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_OK);
}

static void append_plan(weir_wal *wal, const struct weir_plan_frame *plan)
{
    struct weir_buf bytes = { 0 };

    weir_plan_frame_encode(plan, &bytes);
    append(wal, WEIR_FRAME_PLAN, &bytes);
    weir_buf_fini(&bytes);
}

/* Opens a log on a fresh simulated disk. */
struct log {
    struct sim_disk *disk;
    struct weir_io *io;
    weir_wal *wal;
};

static struct log new_log(void)
{
    struct log ret = { .disk = sim_disk_new(1) };

    ret.io = sim_disk_boot(ret.disk);
    assert_int_equal(weir_wal_open(ret.io, "/log", NULL, &ret.wal, NULL), WEIR_OK);
    return ret;
}

static void end_log(struct log *log)
{
    weir_wal_close(log->wal);
    weir_io_close(log->io);
    sim_disk_free(log->disk);
}

static void the_chain_starts_anew_at_a_void_record(void **state)
{
    struct log log = new_log();
    struct weir_log_view view;
    struct weir_buf bytes = { 0 };

    (void)state;
    for (uint64_t n = 4; n <= 6; n++) {
        struct weir_plan_frame plan = a_plan(n);
        append_plan(log.wal, &plan);
    }
    assert_int_equal(weir_log_view_read(log.wal, &view, NULL), WEIR_OK);
    assert_int_equal(view.count, 4); /* 3, known as a predecessor, and 4 to 6 */
    assert_int_equal(weir_log_view_find(&view, a_plan(3).id), 0);
    assert_int_equal(weir_log_view_find(&view, a_plan(6).id), 3);
    assert_int_equal(view.last_t, 600);
    struct weir_batch_id other = a_plan(5).id;
    other.t++;
    assert_int_equal(weir_log_view_find(&view, other), -1); /* the number alone is not enough */
    weir_log_view_fini(&view);

    struct weir_void_frame nothing = { .id = { .batch = 20, .t = 50 } };
    weir_void_frame_encode(&nothing, &bytes);
    append(log.wal, WEIR_FRAME_VOID, &bytes);
    assert_int_equal(weir_log_view_read(log.wal, &view, NULL), WEIR_OK);
    assert_int_equal(view.count, 1);
    assert_int_equal(weir_log_view_find(&view, a_plan(6).id), -1);
    assert_int_equal(weir_log_view_find(&view, nothing.id), 0);
    assert_int_equal(view.last_t, 600); /* time is never forgotten */
    weir_log_view_fini(&view);
    weir_buf_fini(&bytes);
    end_log(&log);
}

/* Batch 5 is missing: batch 6 names it as its predecessor, or passes over it. */
static void a_plan_that_stands_on_nothing_is_damage(void **state)
{
    (void)state;
    for (int passes_over = 0; passes_over < 2; passes_over++) {
        struct log log = new_log();
        struct weir_plan_frame plan = a_plan(4);
        struct weir_log_view view;
        struct weir_error err;

        append_plan(log.wal, &plan);
        plan = a_plan(6);
        plan.previous = passes_over ? a_plan(4).id : plan.previous;
        append_plan(log.wal, &plan);
        assert_int_equal(weir_log_view_read(log.wal, &view, &err), WEIR_ECORRUPT);
        assert_string_equal(err.reason, "wal_corrupt");
        end_log(&log);
    }
}

/* Each part of its name counts: two sources may read one topic, one source several. */
static void a_range_is_found_by_its_whole_name(void **state)
{
    struct weir_ranges all = { ranges, 2 };
    const struct weir_str source = ranges[0].source, stream = ranges[0].stream;

    (void)state;
    assert_ptr_equal(weir_ranges_find(all, source, stream, 3), &ranges[0]);
    assert_null(weir_ranges_find(all, source, stream, 4));
    assert_null(weir_ranges_find(all, source, WEIR_STR("topik"), 3));
    assert_null(weir_ranges_find(all, WEIR_STR("border"), stream, 3));
    assert_ptr_equal(weir_ranges_find(all, ranges[1].source, ranges[1].stream, 0), &ranges[1]);
}

/* A later weir may write records that this one cannot judge. */
static void a_record_of_another_kind_is_refused(void **state)
{
    struct log log = new_log();
    struct weir_log_view view;
    struct weir_error err = { 0 };
    struct weir_buf bytes = { 0 };

    (void)state;
    weir_buf_put_u8(&bytes, 1);
    append(log.wal, WEIR_FRAME_VOID + 1, &bytes);
    assert_int_equal(weir_log_view_read(log.wal, &view, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "log_version");
    weir_buf_fini(&bytes);
    end_log(&log);
}

/* The checksums are right, what they cover is not: no part of it is believed. */
static void a_record_that_says_nothing_is_damage(void **state)
{
    (void)state;
    for (int type = WEIR_FRAME_IDENTITY; type <= WEIR_FRAME_VOID; type++) {
        struct log log = new_log();
        struct weir_log_view view;
        struct weir_buf bytes = { 0 };

        encode_one((uint8_t)type, &bytes);
        bytes.len--;
        append(log.wal, (uint8_t)type, &bytes);
        assert_int_equal(weir_log_view_read(log.wal, &view, NULL), WEIR_ECORRUPT);
        weir_buf_fini(&bytes);
        end_log(&log);
    }
}

static void a_long_chain_is_found_in_whole(void **state)
{
    enum { LAST = 2100 };
    struct log log = new_log();
    struct weir_log_view view;

    (void)state;
    for (uint64_t n = 1; n <= LAST; n++) {
        struct weir_plan_frame plan = a_plan(n);
        append_plan(log.wal, &plan);
    }
    assert_int_equal(weir_log_view_read(log.wal, &view, NULL), WEIR_OK);
    assert_int_equal(view.count, LAST + 1);
    for (uint64_t n = 1; n <= LAST; n++) {
        assert_int_equal(weir_log_view_find(&view, a_plan(n).id), n);
    }
    assert_int_equal(weir_log_view_find(&view, a_plan(LAST + 1).id), -1);
    weir_log_view_fini(&view);
    end_log(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_comes_back),
        cmocka_unit_test(a_record_cut_anywhere_is_refused),
        cmocka_unit_test(a_record_has_one_spelling),
        cmocka_unit_test(a_flipped_bit_does_no_harm),
        cmocka_unit_test(another_version_is_refused_by_name),
        cmocka_unit_test(ranges_are_printed_for_people),
        cmocka_unit_test(a_range_is_found_by_its_whole_name),
        cmocka_unit_test(records_are_told_to_programs),
        cmocka_unit_test(a_record_of_another_kind_is_refused),
        cmocka_unit_test(a_record_that_says_nothing_is_damage),
        cmocka_unit_test(a_long_chain_is_found_in_whole),
        cmocka_unit_test(the_chain_starts_anew_at_a_void_record),
        cmocka_unit_test(a_plan_that_stands_on_nothing_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
