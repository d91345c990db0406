/* test_report.c: the shape of messages: place, line, caret, hint, and no secrets in them. */
#include "sql/redact.h"
#include "sql/report.h"
#include "tests/support/test.h"

static const struct report_case {
    const char *name, *text;
    uint32_t at;
    const char *hint, *want;
} report_cases[] = {
    { "the first byte", "abc", 0, NULL, "f:1:1: error: no\n    abc\n    ^" },
    { "the third line, with a hint", "a\nb\ncde\nf", 6, "do",
      "f:3:3: error: no\n    cde\n      ^\nhint: do" },
    { "the end of the file", "ab", 2, NULL, "f:1:3: error: no\n    ab\n      ^" },
    { "behind the end of the file", "ab", 99, NULL, "f:1:3: error: no\n    ab\n      ^" },
    { "an empty file", "", 0, NULL, "f:1:1: error: no\n    \n    ^" },
    { "a tab before it stays a tab", "\tab", 2, NULL, "f:1:3: error: no\n    \tab\n    \t ^" },
    { "characters of two bytes", "\xc3\xa4\xc3\xa4x", 4, NULL,
      "f:1:3: error: no\n    \xc3\xa4\xc3\xa4x\n      ^" },
    { "characters two columns wide", "\xe4\xb8\xadx", 3, NULL,
      "f:1:2: error: no\n    \xe4\xb8\xadx\n      ^" },
    { "a mark on the character before", "e\xcc\x81x", 3, NULL,
      "f:1:3: error: no\n    e\xcc\x81x\n     ^" },
    { "a carriage return ends the line", "ab\r\nc", 1, NULL, "f:1:2: error: no\n    ab\n     ^" },
    { "control characters are not obeyed", "\x1b[1mx", 4, NULL,
      "f:1:5: error: no\n    ?[1mx\n        ^" },
    { "a password is starred", "dsn = 'host=h password=s\xc3\xa4 x' y", 30, NULL,
      "f:1:30: error: no\n    dsn = 'host=h password=** x' y\n                                 ^" },
};

enum { REPORT_CASES = sizeof(report_cases) / sizeof(report_cases[0]) };

static void reports(void **state)
{
    const struct report_case *row = *state;
    struct weir_error err;
    struct weir_sql sql = { .file = "f", .text = weir_str_from(row->text), .err = &err };

    assert_int_equal(weir_sql_fail(&sql, row->at, row->hint, "no"), WEIR_ECONFIG);
    assert_string_equal(err.text, row->want);
}

static void a_long_line_is_cut_around_the_caret(void **state)
{
    static char text[5000];
    struct weir_error err;
    struct weir_sql sql = { .file = "f", .text = { text, sizeof(text) }, .err = &err };
    uint32_t line, column;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[2500] = '!';
    assert_int_equal(weir_sql_fail(&sql, 2500, "hint", "no"), WEIR_ECONFIG);
    weir_sql_locate(sql.text, 2500, &line, &column);
    assert_int_equal(column, 2501);
    const char *shown = strchr(err.text, '\n') + 1;
    const char *caret = strchr(shown, '\n') + 1;
    assert_int_equal(shown[strcspn(caret, "^")], '!');
    assert_non_null(strstr(caret, "\nhint: hint"));
}

static const struct secret_case {
    const char *text, *want;
} secret_cases[] = {
    { "host=h password=geheim user=u", "host=h password=*** user=u" },
    { "host=h PASSWORD = 'ge heim' user=u", "host=h PASSWORD = '***' user=u" },
    { "postgres://u:p@ss@h/d?x=1", "postgres://u:***@h/d?x=1" },
    { "postgresql://u@h/d", "postgresql://u@h/d" },
    { "postgresql://h:5432/d?user=u&password=x&y=1",
      "postgresql://h:5432/d?user=u&password=***&y=1" },
    { "\"kafka.sasl.password\" = 'geheim', x = 'y'", "\"kafka.sasl.password\" = '***', x = 'y'" },
    { "dsn = 'password=''ge heim'' x'", "dsn = 'password=''***'' x'" },
    { "sslpassword=x", "sslpassword=***" },
    { "the password is missing", "the password is missing" },
    { "", "" },
};

static void secrets_are_starred(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(secret_cases) / sizeof(secret_cases[0]); i++) {
        struct weir_buf buf = { 0 };
        redact_text(weir_str_from(secret_cases[i].text), false, &buf);
        weir_buf_put_u8(&buf, 0);
        assert_string_equal((const char *)buf.data, secret_cases[i].want);
        weir_buf_fini(&buf);
    }
}

/* */
static void a_secret_option_is_starred_by_name(void **state)
{
    struct weir_buf buf = { 0 };

    (void)state;
    redact_option(NULL, WEIR_STR("kafka.ssl.key.password"), WEIR_STR("geheim"), &buf);
    redact_option(NULL, WEIR_STR("topic"), WEIR_STR("flights"), &buf);
    weir_buf_put_u8(&buf, 0);
    assert_string_equal((const char *)buf.data, "***flights");
    weir_buf_fini(&buf);
}

int main(void)
{
    struct CMUnitTest tests[REPORT_CASES + 3];

    for (size_t i = 0; i < REPORT_CASES; i++) {
        tests[i] = (struct CMUnitTest){ report_cases[i].name, reports, NULL, NULL,
                                        (void *)&report_cases[i] };
    }
    tests[REPORT_CASES] = (struct CMUnitTest)cmocka_unit_test(a_long_line_is_cut_around_the_caret);
    tests[REPORT_CASES + 1] = (struct CMUnitTest)cmocka_unit_test(secrets_are_starred);
    tests[REPORT_CASES + 2] =
        (struct CMUnitTest)cmocka_unit_test(a_secret_option_is_starred_by_name);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
