/* test_raw_format.c: messages as they are. */
#include "format/raw_format.h"
#include "tests/support/test.h"
#include "tests/unit/format/decode.h"

static const struct weir_str texts[] = { { "12", 2 }, { NULL, 0 }, { "", 0 }, { "\xff\x00", 2 } };

static void bytes_are_taken_as_they_are(void **state)
{
    const struct weir_format_column column = { "data", { WEIR_TYPE_BYTEA, -1 } };
    struct decode decode;

    (void)state;
    decode_open(&decode, &weir_raw_format_ops, &column, 1, (struct weir_options){ 0 });
    decode_texts(&decode, texts, 4);
    assert_int_equal(decode.chunk.rows, 4);
    assert_true(weir_vec_is_null(&decode.chunk.vecs[0], 1));
    assert_false(weir_vec_is_null(&decode.chunk.vecs[0], 2));
    assert_int_equal(decode.chunk.vecs[0].str[2].len, 0);
    assert_memory_equal(decode.chunk.vecs[0].str[3].data, "\xff\x00", 2);
    decode_close(&decode);
}

static void other_types_read_text(void **state)
{
    const struct weir_format_column column = { "n", { WEIR_TYPE_INT4, -1 } };
    struct decode decode;

    (void)state;
    decode_open(&decode, &weir_raw_format_ops, &column, 1, (struct weir_options){ 0 });
    decode_texts(&decode, texts, 3);
    assert_int_equal(decode.chunk.rows, 2);
    assert_int_equal(decode.chunk.vecs[0].i4[0], 12);
    assert_true(weir_vec_is_null(&decode.chunk.vecs[0], 1));
    assert_int_equal(decode_only_error(&decode)->row, 2);
    assert_string_equal(decode_only_error(&decode)->sqlstate, "22P02");
    decode_close(&decode);
}

static void text_is_checked(void **state)
{
    const struct weir_format_column column = { "t", { WEIR_TYPE_TEXT, -1 } };
    struct decode decode;

    (void)state;
    decode_open(&decode, &weir_raw_format_ops, &column, 1, (struct weir_options){ 0 });
    decode_texts(&decode, texts, 4);
    assert_int_equal(decode_only_error(&decode)->row, 3);
    assert_string_equal(decode_only_error(&decode)->sqlstate, "22021");
    decode_close(&decode);
}

static void no_column_is_enough_for_metadata(void **state)
{
    struct decode decode;

    (void)state;
    decode_open(&decode, &weir_raw_format_ops, NULL, 0, (struct weir_options){ 0 });
    decode_texts(&decode, texts, 4);
    assert_int_equal(decode.chunk.rows, 4);
    assert_int_equal(decode.chunk.columns, 0);
    decode_close(&decode);
}

static void two_columns_are_refused(void **state)
{
    const struct weir_format_column columns[] = { { "a", { WEIR_TYPE_TEXT, -1 } },
                                                  { "b", { WEIR_TYPE_TEXT, -1 } } };
    struct weir_format_args args = { columns, 2, { 0 } };
    struct weir_error err = { 0 };
    void *format;

    (void)state;
    assert_int_equal(weir_raw_format_ops.open(&args, &format, &err), WEIR_ECONFIG);
    assert_non_null(strstr(err.text, "\"b\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_taken_as_they_are),
        cmocka_unit_test(other_types_read_text),
        cmocka_unit_test(text_is_checked),
        cmocka_unit_test(no_column_is_enough_for_metadata),
        cmocka_unit_test(two_columns_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
