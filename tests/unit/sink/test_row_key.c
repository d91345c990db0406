/* test_row_key.c: keys compare as PostgreSQL's unique index has them: equal bytes for equal values,
 * and bytes in the order of values for numbers and times. */
#include "chunk/decimal.h"
#include "sink/row_key.h"
#include "tests/support/test.h"

static struct weir_str key_of(struct weir_buf *buf, enum weir_type_id id, const void *value)
{
    struct weir_vec vec = { .type = { id, -1 }, .data = (void *)(uintptr_t)value };
    size_t at = buf->len;

    weir_row_key_append(buf, &vec, 0);
    return (struct weir_str){ (const char *)buf->data + at, buf->len - at };
}

/* Each list rises strictly. */
static void assert_rises(enum weir_type_id id, const void *values, size_t count)
{
    struct weir_buf buf = { 0 };
    struct weir_str keys[16];

    (void)weir_buf_reserve(&buf, 4096); /* so that views stay */
    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++) {
        keys[i] = key_of(&buf, id, (const char *)values + i * weir_type_bytes(id));
        if (i != 0 && weir_str_compare(keys[i - 1], keys[i]) >= 0) {
            fail_msg("type %s: value %zu is not above the one before", weir_type_sql_name(id), i);
        }
    }
    weir_buf_fini(&buf);
}

static void assert_same(enum weir_type_id id, const void *a, const void *b)
{
    struct weir_buf buf = { 0 };

    (void)weir_buf_reserve(&buf, 4096);
    struct weir_str x = key_of(&buf, id, a);
    struct weir_str y = key_of(&buf, id, b);
    assert_true(weir_str_equal(x, y));
    weir_buf_fini(&buf);
}

static void numbers_rise(void **state)
{
    static const int64_t i8[] = { INT64_MIN, -256, -1, 0, 1, 255, 256, INT64_MAX };
    static const int32_t i4[] = { INT32_MIN, -1, 0, 1, INT32_MAX };
    const double f8[] = { -__builtin_inf(), -1e300,           -1, -1e-300, 0, 1e-300, 1,
                          __builtin_inf(),  __builtin_nan("") };

    (void)state;
    assert_rises(WEIR_TYPE_INT8, i8, sizeof(i8) / sizeof(i8[0]));
    assert_rises(WEIR_TYPE_INT4, i4, sizeof(i4) / sizeof(i4[0]));
    assert_rises(WEIR_TYPE_FLOAT8, f8, sizeof(f8) / sizeof(f8[0]));
}

static void numerics_rise_whatever_their_scale(void **state)
{
    static const char *const texts[] = { "-Infinity", "-100000000000000000000.5",
                                         "-10000",    "-9999.9999",
                                         "-1.001",    "-1",
                                         "-0.00001",  "0",
                                         "0.00001",   "1",
                                         "1.0001",    "9999",
                                         "10000",     "123456789012345678901234",
                                         "Infinity",  "NaN" };
    struct weir_numeric numbers[sizeof(texts) / sizeof(texts[0])];
    struct weir_arena arena;

    (void)state;
    weir_arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(weir_numeric_parse(weir_str_from(texts[i]), -1, &arena, &numbers[i], NULL),
                         WEIR_OK);
    }
    assert_rises(WEIR_TYPE_NUMERIC, numbers, sizeof(texts) / sizeof(texts[0]));
    weir_arena_fini(&arena);
}

static void equal_values_have_equal_keys(void **state)
{
    const struct weir_numeric one = weir_numeric_small(1, 0), one_00 = weir_numeric_small(100, 2);
    const double zero = 0.0, minus_zero = -0.0, nan = __builtin_nan(""), other_nan = -nan;
    const struct weir_str bare = WEIR_STR("ab"), padded = WEIR_STR("ab   ");
    const struct weir_interval month = { .months = 1 }, days = { .days = 30 };
    const struct weir_interval hours = { .us = INT64_C(30) * 86400000000 };
    const struct weir_interval mixed = { .months = 1, .days = 1, .us = -INT64_C(86400000000) };

    (void)state;
    assert_same(WEIR_TYPE_NUMERIC, &one, &one_00);
    assert_same(WEIR_TYPE_FLOAT8, &zero, &minus_zero);
    assert_same(WEIR_TYPE_FLOAT8, &nan, &other_nan);
    assert_same(WEIR_TYPE_BPCHAR, &bare, &padded);
    assert_same(WEIR_TYPE_INTERVAL, &month, &days);
    assert_same(WEIR_TYPE_INTERVAL, &month, &hours);
    assert_same(WEIR_TYPE_INTERVAL, &month, &mixed);
}

static void texts_and_bytes_end_where_they_end(void **state)
{
    const struct weir_str texts[] = { WEIR_STR(""), WEIR_STR("a"), WEIR_STR("a "), WEIR_STR("ab"),
                                      WEIR_STR("b") };
    const struct weir_str bytes[] = { WEIR_STR(""), WEIR_STR("\0"), WEIR_STR("\0\0"),
                                      WEIR_STR("\0\1"), WEIR_STR("\1") };

    (void)state;
    assert_rises(WEIR_TYPE_TEXT, texts, sizeof(texts) / sizeof(texts[0]));
    assert_rises(WEIR_TYPE_BYTEA, bytes, sizeof(bytes) / sizeof(bytes[0]));
}

/* ('a', 'bc') and ('ab', 'c') are two keys. */
static void columns_do_not_run_together(void **state)
{
    const struct weir_str left[] = { WEIR_STR("a"), WEIR_STR("bc") };
    const struct weir_str right[] = { WEIR_STR("ab"), WEIR_STR("c") };
    struct weir_buf buf = { 0 };

    (void)state;
    (void)weir_buf_reserve(&buf, 4096);
    for (int i = 0; i < 2; i++) {
        (void)key_of(&buf, WEIR_TYPE_TEXT, &left[i]);
    }
    struct weir_str a = { (const char *)buf.data, buf.len };
    for (int i = 0; i < 2; i++) {
        (void)key_of(&buf, WEIR_TYPE_TEXT, &right[i]);
    }
    struct weir_str b = { (const char *)buf.data + a.len, buf.len - a.len };
    assert_false(weir_str_equal(a, b));
    weir_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_rise),
        cmocka_unit_test(numerics_rise_whatever_their_scale),
        cmocka_unit_test(equal_values_have_equal_keys),
        cmocka_unit_test(texts_and_bytes_end_where_they_end),
        cmocka_unit_test(columns_do_not_run_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
