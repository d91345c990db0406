/* test_buf.c: what is put into a buffer comes out of a reader, and never more than that. */
#include "base/buf.h"
#include "tests/support/test.h"

static void numbers_come_back(void **state)
{
    struct weir_buf buf = { 0 };
    static const uint8_t bytes[] = { 0x12, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12 };

    (void)state;
    weir_buf_put_u8(&buf, 0x12);
    weir_buf_put_u16(&buf, 0x1234);
    weir_buf_put_u32(&buf, 0x12345678);
    assert_memory_equal(buf.data, bytes, sizeof(bytes)); /* little-endian */
    weir_buf_put_u64(&buf, UINT64_MAX - 1);
    weir_buf_put_str(&buf, WEIR_STR("text"));

    struct weir_reader reader = { .data = buf.data, .len = buf.len };
    assert_int_equal(weir_reader_u8(&reader), 0x12);
    assert_int_equal(weir_reader_u16(&reader), 0x1234);
    assert_int_equal(weir_reader_u32(&reader), 0x12345678);
    assert_true(weir_reader_u64(&reader) == UINT64_MAX - 1);
    assert_true(weir_str_equal(weir_reader_str(&reader), WEIR_STR("text")));
    assert_false(reader.failed);
    assert_int_equal(reader.at, reader.len);
    weir_buf_fini(&buf);
}

static void reading_past_the_end_is_marked(void **state)
{
    static const uint8_t bytes[] = { 255, 255, 255, 255, 'x' };
    struct weir_reader reader = { .data = bytes, .len = sizeof(bytes) };

    (void)state;
    assert_int_equal(weir_reader_str(&reader).len, 0); /* says 4 GiB, has one byte */
    assert_true(reader.failed);
    assert_int_equal(weir_reader_u8(&reader), 0); /* and stays marked */
    assert_true(reader.failed);
}

static void printf_appends(void **state)
{
    struct weir_buf buf = { 0 };

    (void)state;
    weir_buf_append_text(&buf, "a");
    weir_buf_printf(&buf, "%d-%s", 42, "b");
    assert_int_equal(buf.len, 5);
    assert_memory_equal(buf.data, "a42-b", 5);
    weir_buf_fini(&buf);
}

static void a_failed_buffer_ignores_appends(void **state)
{
    struct weir_buf buf = { 0 };

    (void)state;
    assert_null(weir_buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    weir_buf_put_u8(&buf, 1);
    assert_int_equal(buf.len, 0);
    weir_buf_reset(&buf);
    weir_buf_put_u8(&buf, 1);
    assert_int_equal(buf.len, 1);
    weir_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(reading_past_the_end_is_marked),
        cmocka_unit_test(printf_appends),
        cmocka_unit_test(a_failed_buffer_ignores_appends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
