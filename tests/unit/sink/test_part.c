/* test_part.c: the rows of a part: kept with their origins, collapsed by key, taken out one by one. */
#include <stdlib.h>

#include "sink/part.h"
#include "sink/row_encode.h"
#include "tests/support/rows.h"

enum { PLAIN, KEYED };

static const struct weir_sink_column columns[] = {
    { .name = "id", .type = { WEIR_TYPE_INT8, -1 } },
    { .name = "note", .type = { WEIR_TYPE_TEXT, -1 } },
};
static const uint32_t key[] = { 0 };
static const struct weir_sink_table tables[] = {
    [PLAIN] = { .name = "plain", .columns = columns, .column_count = 2 },
    [KEYED] = { .name = "keyed",
                .columns = columns,
                .column_count = 2,
                .key = key,
                .key_count = 1 },
};

static struct weir_str describe(void *context, uint32_t source, uint32_t partition)
{
    (void)context;
    (void)source;
    (void)partition;
    return WEIR_STR("s/t/0");
}
static const struct weir_sink_args args = { .describe_partition = describe };

struct fixture {
    struct test_rows rows;
    struct weir_arena scratch;
    struct weir_part part;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    test_rows_init(&fixture->rows);
    weir_arena_init(&fixture->scratch, 0);
    *state = fixture;
    return weir_part_init(&fixture->part, tables, 2, NULL);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    weir_part_fini(&fixture->part);
    weir_arena_fini(&fixture->scratch);
    test_rows_fini(&fixture->rows);
    free(fixture);
    return 0;
}

static void put(struct fixture *fixture, uint32_t table, uint32_t source,
                enum weir_on_error on_error, const struct weir_chunk *chunk)
{
    assert_int_equal(
        weir_part_write(&fixture->part, table, source, on_error, chunk, &fixture->scratch, NULL),
        WEIR_OK);
}

/* The id (first field, a bigint) of the i-th row to send. */
static int64_t id_sent(const struct weir_part_table *table, uint32_t i)
{
    struct weir_str row = weir_part_row(table, weir_part_send_row(table, i));
    uint64_t id;

    memcpy(&id, row.data + WEIR_ROW_HEADER_BYTES + WEIR_FIELD_HEADER_BYTES, sizeof(id));
    return (int64_t)__builtin_bswap64(id);
}

static void rows_keep_their_origins(void **state)
{
    struct fixture *fixture = *state;
    const struct weir_part_table *table = &fixture->part.tables[PLAIN];

    put(fixture, PLAIN, 0, WEIR_ON_ERROR_FAIL, test_chunk(&fixture->rows, 100, 3));
    put(fixture, PLAIN, 4, WEIR_ON_ERROR_SKIP, test_chunk(&fixture->rows, 200, 2));
    assert_int_equal(table->rows, 5);
    assert_int_equal(table->origins[2]->offset, 102);
    assert_int_equal(table->origins[3]->offset, 200);
    assert_int_equal(weir_part_run_of(table, 2)->source, 0);
    assert_int_equal(weir_part_run_of(table, 3)->source, 4);
    assert_int_equal(fixture->part.tally.rows, 5);
    assert_int_equal(fixture->part.tally.bytes, table->bytes.len);
}

/* N2: whatever the order of writing, the highest (source, partition, offset) stays. */
static void the_last_change_of_a_key_stays(void **state)
{
    struct fixture *fixture = *state;
    const struct weir_part_table *table = &fixture->part.tables[KEYED];

    put(fixture, KEYED, 1, WEIR_ON_ERROR_FAIL, test_chunk(&fixture->rows, 1, 3));
    put(fixture, KEYED, 0, WEIR_ON_ERROR_FAIL, test_chunk(&fixture->rows, 2, 4));
    weir_part_seal(&fixture->part);
    assert_int_equal(weir_part_send_count(table), 5);
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t row = weir_part_send_row(table, i);
        assert_int_equal(id_sent(table, i), i + 1); /* in the order of keys */
        assert_int_equal(weir_part_run_of(table, row)->source, i < 3 ? 1 : 0);
    }
    assert_int_equal(fixture->part.tally.rows, 7); /* N1 */
}

static void a_row_behind_a_refused_one_comes_back(void **state)
{
    struct fixture *fixture = *state;
    const struct weir_part_table *table = &fixture->part.tables[KEYED];

    put(fixture, KEYED, 0, WEIR_ON_ERROR_DEAD_LETTER, test_chunk(&fixture->rows, 1, 2));
    put(fixture, KEYED, 1, WEIR_ON_ERROR_DEAD_LETTER, test_chunk(&fixture->rows, 2, 1));
    weir_part_seal(&fixture->part);
    uint32_t last = weir_part_send_row(table, 1);
    assert_int_equal(last, 2);
    weir_part_take_out(&fixture->part, KEYED, &last, 1);
    assert_int_equal(weir_part_send_count(table), 2);
    assert_int_equal(weir_part_send_row(table, 1), 1);
}

static void refused_rows_go_where_their_source_says(void **state)
{
    static const struct weir_part_culprit culprits[] = {
        { .row = 0, .sqlstate = "23514", .text = "first" },
        { .row = 3, .sqlstate = "23505", .text = "second" },
        { .row = 5, .sqlstate = "22003", .text = "third" },
    };
    struct fixture *fixture = *state;
    const struct weir_part_table *table = &fixture->part.tables[PLAIN];
    struct weir_digest digest;
    uint64_t skipped = 0;

    put(fixture, PLAIN, 0, WEIR_ON_ERROR_DEAD_LETTER, test_chunk(&fixture->rows, 100, 3));
    put(fixture, PLAIN, 1, WEIR_ON_ERROR_SKIP, test_chunk(&fixture->rows, 200, 1));
    put(fixture, PLAIN, 2, WEIR_ON_ERROR_DEAD_LETTER, test_chunk(&fixture->rows, 300, 2));
    digest = fixture->part.tally.digest;
    weir_part_seal(&fixture->part);
    assert_int_equal(weir_part_refuse(&fixture->part, &args, PLAIN, culprits, 3, &skipped, NULL),
                     WEIR_OK);
    assert_int_equal(skipped, 1);
    assert_int_equal(table->rows, 3);
    assert_int_equal(id_sent(table, 0), 101);
    assert_int_equal(id_sent(table, 2), 300);
    assert_int_equal(weir_part_run_of(table, 1)->source, 0);
    assert_int_equal(weir_part_run_of(table, 2)->source, 2); /* the empty run is passed over */
    assert_int_equal(fixture->part.letter_count, 2);
    assert_int_equal(fixture->part.letters[1].record->offset, 301);
    assert_string_equal(fixture->part.letters[1].sqlstate, "22003");
    assert_int_equal(fixture->part.refused, 3);
    assert_int_equal(fixture->part.tally.rows, 6); /* N1 */
    assert_true(weir_digest_equal(fixture->part.tally.digest, digest));
}

static void a_strict_source_stops_everything(void **state)
{
    static const struct weir_part_culprit culprit = { .row = 1, .sqlstate = "23514", .text = "no" };
    struct fixture *fixture = *state;
    struct weir_error err = { 0 };
    uint64_t skipped = 0;

    put(fixture, PLAIN, 0, WEIR_ON_ERROR_FAIL, test_chunk(&fixture->rows, 100, 3));
    assert_int_equal(weir_part_refuse(&fixture->part, &args, PLAIN, &culprit, 1, &skipped, &err),
                     WEIR_EDATA);
    assert_non_null(strstr(err.text, "s/t/0, offset 101"));
    assert_int_equal(fixture->part.tables[PLAIN].rows, 3);
}

/* The bytes are those that the server expects, nulls among them. */
static void tuples_are_those_of_copy_binary(void **state)
{
    static const uint8_t want[] = { 0, 2, 0, 0, 0,   8,   0,   0,   0,   0,   0,   0,   0,   7,
                                    0, 0, 0, 6, 'n', 'o', 't', 'e', '-', '7', 0,   2,   0,   0,
                                    0, 8, 0, 0, 0,   0,   0,   0,   0,   8,   255, 255, 255, 255 };
    struct fixture *fixture = *state;
    struct weir_chunk *chunk = test_chunk(&fixture->rows, 7, 2);
    uint64_t valid = 1;

    chunk->vecs[1].valid = &valid;
    put(fixture, PLAIN, 0, WEIR_ON_ERROR_FAIL, chunk);
    assert_int_equal(fixture->part.tables[PLAIN].bytes.len, sizeof(want));
    assert_memory_equal(fixture->part.tables[PLAIN].bytes.data, want, sizeof(want));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_keep_their_origins),
        TEST(the_last_change_of_a_key_stays),
        TEST(a_row_behind_a_refused_one_comes_back),
        TEST(refused_rows_go_where_their_source_says),
        TEST(a_strict_source_stops_everything),
        TEST(tuples_are_those_of_copy_binary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
