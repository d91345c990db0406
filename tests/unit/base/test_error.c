/* test_error.c: an error keeps its cause, whatever is put in front of it. */
#include "weir/error.h"

#include <errno.h>

#include "tests/support/test.h"

static void context_goes_in_front(void **state)
{
    struct weir_error err = { 0 };

    (void)state;
    assert_int_equal(weir_error_set_errno(&err, WEIR_EIO, ENOSPC, "write %s", "log"), WEIR_EIO);
    assert_int_equal(weir_error_context(&err, "segment %d", 7), WEIR_EIO);
    assert_string_equal(err.text, "segment 7: write log: No space left on device");
    assert_int_equal(err.sys_errno, ENOSPC);
}

static void long_text_is_cut_not_overrun(void **state)
{
    struct weir_error err = { 0 };

    (void)state;
    assert_int_equal(weir_error_set(&err, WEIR_EDATA, "%2000d", 1), WEIR_EDATA);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    assert_int_equal(weir_error_context(&err, "%2000d", 2), WEIR_EDATA);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void every_code_has_an_answer(void **state)
{
    (void)state;
    assert_int_equal(weir_error_action(WEIR_OK), WEIR_ACTION_NONE);
    assert_int_equal(weir_error_action(WEIR_EAWAY), WEIR_ACTION_RETRY);
    assert_int_equal(weir_error_action(-9999), WEIR_ACTION_STOP);
    assert_int_equal(weir_error_exit_status(WEIR_EFENCED), 76);
    assert_string_equal(weir_error_name(WEIR_EDATA), "WEIR_EDATA");
    assert_int_equal(weir_error_set(NULL, WEIR_EDATA, "nobody listens"), WEIR_EDATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(long_text_is_cut_not_overrun),
        cmocka_unit_test(every_code_has_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
