/* test_json_format.c: what JSON messages become, and which are refused. */
#include "format/json_format.h"

#include <stdio.h>
#include <stdlib.h>

#include "chunk/decimal.h"
#include "tests/support/test.h"
#include "tests/unit/format/decode.h"

#define TYPE(id_, typmod_)                         \
    {                                              \
        .id = WEIR_TYPE_##id_, .typmod = (typmod_) \
    }

static const struct weir_format_column columns[] = {
    { "id", TYPE(INT8, -1) },      { "small", TYPE(INT2, -1) },
    { "n", TYPE(INT4, -1) },       { "name", TYPE(TEXT, -1) },
    { "ok", TYPE(BOOL, -1) },      { "amount", TYPE(NUMERIC, -1) },
    { "ratio", TYPE(FLOAT8, -1) }, { "code", TYPE(VARCHAR, 7) },
    { "data", TYPE(BYTEA, -1) },   { "price", TYPE(NUMERIC, ((5 << 16) | 2) + 4) },
};
enum { ID, SMALL, N, NAME, OK, AMOUNT, RATIO, CODE, DATA, PRICE, COLUMN_COUNT };

static int open_decoder(void **state)
{
    static struct decode decode;

    decode_open(&decode, &weir_json_format_ops, columns, COLUMN_COUNT, (struct weir_options){ 0 });
    *state = &decode;
    return 0;
}

static int close_decoder(void **state)
{
    decode_close(*state);
    return 0;
}

static const struct weir_vec *decode_good(struct decode *decode, const char *text)
{
    decode_text(decode, weir_str_from(text));
    if (decode->errors.count > 0) {
        print_error("%s: %s\n", text, decode->errors.items[0].text);
    }
    assert_int_equal(decode->errors.count, 0);
    assert_int_equal(decode->chunk.rows, 1);
    assert_int_equal(decode->chunk.columns, COLUMN_COUNT);
    return decode->chunk.vecs;
}

static void assert_text(struct weir_str got, const char *want, size_t bytes)
{
    assert_int_equal(got.len, bytes);
    assert_memory_equal(got.data, want, bytes);
}

static void a_field_fills_its_column(void **state)
{
    const struct weir_vec *vecs = decode_good(
        *state, "{\"id\": -9223372036854775808, \"small\":32767,\"n\":-5,\"name\":\"Ann\","
                "\"ok\":true,\"amount\":12.3400,\"ratio\":1.5e3,\"code\":\"abc\"}");

    assert_true(vecs[ID].i8[0] == INT64_MIN);
    assert_int_equal(vecs[SMALL].i2[0], 32767);
    assert_int_equal(vecs[N].i4[0], -5);
    assert_text(vecs[NAME].str[0], "Ann", 3);
    assert_int_equal(vecs[OK].b[0], 1);
    assert_true(vecs[AMOUNT].num[0].small == 123400 && vecs[AMOUNT].num[0].scale == 4);
    assert_true(vecs[RATIO].f8[0] == 1500.0);
    assert_text(vecs[CODE].str[0], "abc", 3);
    assert_true(weir_vec_is_null(&vecs[DATA], 0)); /* it did not come */
    assert_false(weir_vec_is_null(&vecs[CODE], 0));
}

static void null_and_missing_are_null(void **state)
{
    const struct weir_vec *vecs = decode_good(*state, "{\"id\":null,\"name\":\"\"}");

    assert_true(weir_vec_is_null(&vecs[ID], 0));
    assert_true(weir_vec_is_null(&vecs[N], 0));
    assert_false(weir_vec_is_null(&vecs[NAME], 0));
    assert_int_equal(vecs[NAME].str[0].len, 0);
    vecs = decode_good(*state, "{}");
    for (uint32_t c = 0; c < COLUMN_COUNT; c++) {
        assert_true(weir_vec_is_null(&vecs[c], 0));
    }
}

static void strings_go_through_the_input_function(void **state)
{
    const struct weir_vec *vecs =
        decode_good(*state, "{\"id\":\" 12 \",\"ok\":\"yes\",\"amount\":\"1e2\",\"ratio\":\"NaN\","
                            "\"data\":\"\\\\x00ff\",\"n\":\"7\"}");

    assert_true(vecs[ID].i8[0] == 12);
    assert_int_equal(vecs[OK].b[0], 1);
    assert_true(vecs[AMOUNT].num[0].small == 100);
    assert_true(vecs[RATIO].f8[0] != vecs[RATIO].f8[0]);
    assert_text(vecs[DATA].str[0], "\x00\xff", 2);
}

static void a_text_takes_what_is_written(void **state)
{
    assert_text(decode_good(*state, "{\"name\":1.50}")[NAME].str[0], "1.50", 4);
    assert_text(decode_good(*state, "{\"name\":true }")[NAME].str[0], "true", 4);
    assert_text(decode_good(*state, "{\"name\": {\"a\": [1, 2 ]} }")[NAME].str[0],
                "{\"a\": [1, 2 ]}", 14);
}

/* */
static void numbers_keep_all_their_digits(void **state)
{
    const struct weir_vec *vecs = decode_good(
        *state, "{\"amount\":12345678901234567890123456789.123456789012345678901234567890}");
    struct decode *decode = *state;
    struct weir_str text;

    assert_int_equal(weir_numeric_print(vecs[AMOUNT].num[0], &decode->arena, &text), WEIR_OK);
    assert_text(text, "12345678901234567890123456789.123456789012345678901234567890", 60);
    vecs = decode_good(*state, "{\"price\":999.994}");
    assert_true(vecs[PRICE].num[0].small == 99999 && vecs[PRICE].num[0].scale == 2);
}

static void escapes_are_read(void **state)
{
    const struct weir_vec *vecs = decode_good(
        *state, "{\"name\":\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\ude00z\"}");

    assert_text(vecs[NAME].str[0], "a\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z", 19);
    vecs = decode_good(*state, "{\"\\u0069d\": 7}"); /* keys too */
    assert_true(vecs[ID].i8[0] == 7);
}

static void white_space_is_allowed_between_tokens(void **state)
{
    const struct weir_vec *vecs =
        decode_good(*state, " \r\n\t{ \"id\" \n:\t1 , \"name\" : \"x\"\r}\n ");

    assert_true(vecs[ID].i8[0] == 1);
    assert_text(vecs[NAME].str[0], "x", 1);
}

static void unknown_fields_are_counted(void **state)
{
    struct decode *decode = *state;
    uint64_t before = decode->ops->unknown_fields(decode->format);

    (void)decode_good(decode, "{\"id\":1,\"x\":{\"id\":[{},[],\"\\u0000\",-0.1e-9]},\"y\":null}");
    assert_int_equal(decode->ops->unknown_fields(decode->format) - before, 2);
}

/* Fields in another order, gone and back: what was remembered of the last message never shows. */
static void the_order_of_fields_is_free(void **state)
{
    static const char *const texts[] = {
        "{\"id\":1,\"n\":2,\"name\":\"a\"}", "{\"name\":\"b\",\"id\":3,\"n\":4}",
        "{\"n\":5,\"x\":0,\"id\":6}",        "{\"id\":7,\"n\":8,\"name\":\"c\"}",
        "{\"nam\":1,\"nn\":2,\"i\":3}",
    };
    static const struct {
        int64_t id; /* 0: null */
        int32_t n;
    } want[] = { { 1, 2 }, { 3, 4 }, { 6, 5 }, { 7, 8 }, { 0, 0 } };

    for (size_t i = 0; i < 5; i++) {
        const struct weir_vec *vecs = decode_good(*state, texts[i]);
        assert_int_equal(weir_vec_is_null(&vecs[ID], 0), want[i].id == 0);
        assert_true(want[i].id == 0 || vecs[ID].i8[0] == want[i].id);
        assert_true(want[i].n == 0 || vecs[N].i4[0] == want[i].n);
    }
}

static void bad_messages_leave_no_row(void **state)
{
    struct decode *decode = *state;
    const struct weir_str texts[] = {
        WEIR_STR("{\"id\":1,\"name\":null}"),
        WEIR_STR("{\"id\":null,\"n\":\"x\"}"),
        WEIR_STR("{\"id\":2}"),
        { NULL, 0 },
        WEIR_STR("{\"id\":3"),
        WEIR_STR("{\"id\":4,\"name\":\"d\"}"),
    };

    decode_texts(decode, texts, 6);
    assert_int_equal(decode->chunk.rows, 3);
    assert_int_equal(decode->errors.count, 3);
    assert_int_equal(decode->errors.items[0].row, 1);
    assert_int_equal(decode->errors.items[1].row, 3);
    assert_int_equal(decode->errors.items[2].row, 4);
    for (uint32_t row = 0; row < 3; row++) {
        static const int64_t ids[] = { 1, 2, 4 };
        assert_false(weir_vec_is_null(&decode->chunk.vecs[ID], row));
        assert_true(decode->chunk.vecs[ID].i8[row] == ids[row]);
    }
    assert_true(weir_vec_is_null(&decode->chunk.vecs[NAME], 0));
    assert_false(weir_vec_is_null(&decode->chunk.vecs[NAME], 2));
    assert_int_equal(decode->chunk.vecs[NAME].valid[0], 4); /* nothing behind the last row */
}

static void tombstones_may_be_skipped(void **state)
{
    const struct weir_option option = { WEIR_STR("null_value"), WEIR_STR("skip"), 0 };
    const struct weir_str texts[] = { { NULL, 0 }, WEIR_STR("{\"id\":1}"), { NULL, 0 } };
    struct decode decode;

    (void)state;
    decode_open(&decode, &weir_json_format_ops, columns, COLUMN_COUNT,
                (struct weir_options){ &option, 1 });
    decode_texts(&decode, texts, 3);
    assert_int_equal(decode.chunk.rows, 1);
    assert_int_equal(decode.errors.count, 0);
    assert_int_equal(decode.chunk.origins[0]->offset, 1);
    decode_close(&decode);
}

/* */
static void depth_is_limited(void **state)
{
    char text[512] = "{\"x\":";

    for (int depth = 1; depth <= 70; depth++) {
        struct weir_str whole;
        char *to = text + 5;
        memset(to, '[', (size_t)depth);
        memset(to + depth, ']', (size_t)depth);
        to[2 * depth] = '}';
        whole = (struct weir_str){ text, 6 + 2 * (size_t)depth };
        decode_text(*state, whole);
        if (depth < 64) {
            assert_int_equal(((struct decode *)*state)->errors.count, 0);
        } else {
            assert_string_equal(decode_only_error(*state)->sqlstate, "54000");
        }
    }
}

static void a_message_may_be_large_but_not_too_large(void **state)
{
    size_t bytes = 10 << 20;
    char *text = malloc(bytes + 16);
    const struct weir_option option = { WEIR_STR("message_bytes_max"), WEIR_STR("1 MB"), 0 };
    struct decode decode;

    assert_non_null(text);
    memset(text, ' ', bytes + 16);
    memcpy(text, "{\"name\":\"", 9);
    memset(text + 9, 'x', bytes);
    memcpy(text + 9 + bytes, "\"}", 2);
    decode_text(*state, (struct weir_str){ text, bytes + 11 });
    assert_int_equal(((struct decode *)*state)->chunk.vecs[NAME].str[0].len, bytes);
    decode_open(&decode, &weir_json_format_ops, columns, COLUMN_COUNT,
                (struct weir_options){ &option, 1 });
    decode_text(&decode, (struct weir_str){ text, bytes + 11 });
    assert_string_equal(decode_only_error(&decode)->sqlstate, "54000");
    decode_close(&decode);
    free(text);
}

/* Refused, with this SQLSTATE and these words. */
static const struct refusal {
    const char *name, *text, *sqlstate, *words;
} refusals[] = {
    { "an empty message", "", "22P02", "empty" },
    { "white space only", " \n", "22P02", "empty" },
    { "an array", "[]", "22P02", "not a JSON object" },
    { "a number", "1", "22P02", "not a JSON object" },
    { "a string", "\"{}\"", "22P02", "not a JSON object" },
    { "a cut object", "{", "22P02", "" },
    { "a cut key", "{\"id", "22P02", "not closed" },
    { "a key without value", "{\"id\"", "22P02", "colon" },
    { "a key and a colon", "{\"id\":", "22P02", "id" },
    { "a cut number", "{\"id\":1", "22P02", "comma" },
    { "a cut string", "{\"name\":\"a", "22P02", "not closed" },
    { "an escaped end", "{\"name\":\"a\\\"}", "22P02", "not closed" },
    { "a comma at the end", "{\"id\":1,}", "22P02", "key" },
    { "a comma at the start", "{,\"id\":1}", "22P02", "key" },
    { "two commas", "{\"id\":1,,\"n\":2}", "22P02", "key" },
    { "no comma", "{\"id\":1 \"n\":2}", "22P02", "comma" },
    { "two colons", "{\"id\"::1}", "22P02", "id" },
    { "a bare key", "{id:1}", "22P02", "key" },
    { "single quotes", "{'id':1}", "22P02", "key" },
    { "a number as key", "{1:1}", "22P02", "key" },
    { "text behind", "{\"id\":1}x", "22P02", "follows" },
    { "an object behind", "{\"id\":1}{}", "22P02", "follows" },
    { "a NUL behind", "{\"id\":1}\x01", "22P02", "follows" },
    { "a byte order mark", "\xef\xbb\xbf{}", "22P02", "not a JSON object" },
    { "a leading zero", "{\"id\":01}", "22P02", "number" },
    { "a leading plus", "{\"id\":+1}", "22P02", "id" },
    { "a bare minus", "{\"id\":-}", "22P02", "number" },
    { "a bare point", "{\"ratio\":1.}", "22P02", "number" },
    { "no digit before a point", "{\"ratio\":.5}", "22P02", "ratio" },
    { "a cut exponent", "{\"ratio\":1e}", "22P02", "number" },
    /* */
    { "NaN", "{\"ratio\":NaN}", "22P02", "ratio" },
    { "a hexadecimal number", "{\"id\":0x1}", "22P02", "number" },
    { "a string glued to a number", "{\"id\":1\"a\"}", "22P02", "number" },
    { "a number glued to a string", "{\"name\":\"a\"1}", "22P02", "comma" },
    { "a cut word", "{\"ok\":tru}", "22P02", "ok" },
    { "a longer word", "{\"ok\":truex}", "22P02", "ok" },
    { "a word in capitals", "{\"ok\":True}", "22P02", "ok" },
    { "a form feed between", "{\f\"id\":1}", "22P02", "" },
    { "a substitute for a colon", "{\"id\"\x1a 1}", "22P02", "" },
    { "a control character", "{\"name\":\"a\nb\"}", "22P02", "control character" },
    { "a control character nobody reads", "{\"x\":\"a\nb\"}", "22P02", "control character" },
    { "an unknown escape", "{\"name\":\"\\x\"}", "22P02", "name" },
    { "an unknown escape nobody reads", "{\"x\":[\"\\x\"]}", "22P02", "escape" },
    { "a cut escape", "{\"name\":\"\\u12\"}", "22P02", "name" },
    /* */
    { "half a surrogate pair", "{\"name\":\"\\ud800\"}", "22P02", "surrogate" },
    { "two first halves", "{\"name\":\"\\ud800\\ud800\"}", "22P02", "surrogate" },
    { "a second half alone", "{\"name\":\"\\udc00\"}", "22P02", "surrogate" },
    /* covers: G-10, X-03 */
    { "an escaped zero", "{\"name\":\"\\u0000\"}", "22P05", "name" },
    /* covers: G-10, X-03 */
    { "bad UTF-8", "{\"name\":\"\xff\"}", "22021", "UTF8" },
    /* */
    { "bad UTF-8 nobody reads", "{\"x\":\"\xc0\x80\"}", "22021", "UTF8" },
    { "bad UTF-8 in a key", "{\"\xed\xa0\x80\":1}", "22021", "UTF8" },
    /* */
    { "a key twice", "{\"id\":1,\"id\":2}", "22030", "\"id\"" },
    { "a key twice, once null", "{\"id\":null,\"id\":2}", "22030", "\"id\"" },
    { "a key twice, once escaped", "{\"id\":1,\"\\u0069d\":2}", "22030", "\"id\"" },
    { "an unknown key twice", "{\"x\":1,\"y\":2,\"x\":3}", "22030", "\"x\"" },
    { "a malformed number nobody reads", "{\"x\":[1,02]}", "22P02", "number" },
    { "an unclosed array", "{\"x\":[1,2}", "22P02", "x" },
    { "a key in an array", "{\"x\":[\"a\":1]}", "22P02", "x" },
    { "an object without key", "{\"x\":{1}}", "22P02", "x" },
    { "an object with a comma at its end", "{\"x\":{\"a\":1,}}", "22P02", "x" },
    { "an array with a comma at its end", "{\"x\":[1,]}", "22P02", "x" },
    { "brackets crossed", "{\"x\":[{]}}", "22P02", "x" },
    { "a fraction for an integer", "{\"id\":1.5}", "22P02", "\"id\"" },
    { "an exponent for an integer", "{\"id\":1e3}", "22P02", "\"id\"" },
    /* covers: G-11 */
    { "too large for bigint", "{\"id\":9223372036854775808}", "22003", "\"id\"" },
    { "too large for integer", "{\"n\":2147483648}", "22003", "\"n\"" },
    { "too small for smallint", "{\"small\":-32769}", "22003", "\"small\"" },
    { "too large for double precision", "{\"ratio\":1e400}", "22003", "\"ratio\"" },
    /* covers: G-11 */
    { "too large for numeric(5,2)", "{\"price\":999.995}", "22003", "\"price\"" },
    /* covers: G-11 */
    { "too long for varchar(3)", "{\"code\":\"abcd\"}", "22001", "\"code\"" },
    { "a word for an integer", "{\"id\":true}", "22P02", "\"id\"" },
    { "an object for an integer", "{\"id\":{}}", "22P02", "\"id\"" },
    { "an array for a boolean", "{\"ok\":[]}", "22P02", "\"ok\"" },
    { "a string for a number", "{\"amount\":\"x\"}", "22P02", "\"amount\"" },
};
enum { REFUSAL_COUNT = sizeof(refusals) / sizeof(refusals[0]) };

static void is_refused(void **state)
{
    const struct refusal *row = *state;
    struct decode decode;

    decode_open(&decode, &weir_json_format_ops, columns, COLUMN_COUNT, (struct weir_options){ 0 });
    decode_text(&decode, weir_str_from(row->text));
    assert_int_equal(decode.chunk.rows, 0);
    const struct weir_row_error *error = decode_only_error(&decode);
    assert_string_equal(error->sqlstate, row->sqlstate);
    if (strstr(error->text, row->words) == NULL) {
        print_error("%s\n", error->text);
        fail();
    }
    decode_close(&decode);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_field_fills_its_column, open_decoder, close_decoder),
        cmocka_unit_test_setup_teardown(null_and_missing_are_null, open_decoder, close_decoder),
        cmocka_unit_test_setup_teardown(strings_go_through_the_input_function, open_decoder,
                                        close_decoder),
        cmocka_unit_test_setup_teardown(a_text_takes_what_is_written, open_decoder, close_decoder),
        cmocka_unit_test_setup_teardown(numbers_keep_all_their_digits, open_decoder, close_decoder),
        cmocka_unit_test_setup_teardown(escapes_are_read, open_decoder, close_decoder),
        cmocka_unit_test_setup_teardown(white_space_is_allowed_between_tokens, open_decoder,
                                        close_decoder),
        cmocka_unit_test_setup_teardown(unknown_fields_are_counted, open_decoder, close_decoder),
        cmocka_unit_test_setup_teardown(the_order_of_fields_is_free, open_decoder, close_decoder),
        cmocka_unit_test_setup_teardown(bad_messages_leave_no_row, open_decoder, close_decoder),
        cmocka_unit_test(tombstones_may_be_skipped),
        cmocka_unit_test_setup_teardown(depth_is_limited, open_decoder, close_decoder),
        cmocka_unit_test_setup_teardown(a_message_may_be_large_but_not_too_large, open_decoder,
                                        close_decoder),
    };
    enum { TEST_COUNT = sizeof(tests) / sizeof(tests[0]) };
    struct CMUnitTest all[TEST_COUNT + REFUSAL_COUNT];

    memcpy(all, tests, sizeof(tests));
    for (size_t i = 0; i < REFUSAL_COUNT; i++) {
        all[TEST_COUNT + i] =
            (struct CMUnitTest){ refusals[i].name, is_refused, NULL, NULL, (void *)&refusals[i] };
    }
    return cmocka_run_group_tests(all, NULL, NULL);
}
