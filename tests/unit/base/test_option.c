/* test_option.c: options are read as a user would expect, or refused with what is allowed. */
#include "base/option.h"
#include "tests/support/test.h"

static const struct weir_option_def defs[] = {
    { .name = "interval", .kind = WEIR_OPTION_DURATION, .default_text = "100 ms" },
    { .name = "rows", .kind = WEIR_OPTION_INTEGER, .min = 1, .max = 1000 },
    { .name = "size", .kind = WEIR_OPTION_BYTES },
    { .name = "strict", .kind = WEIR_OPTION_BOOL, .default_text = "true" },
    { .name = "mode", .kind = WEIR_OPTION_CHOICE, .choices = "append|update" },
    { .name = "dsn", .kind = WEIR_OPTION_TEXT, .required = true, .help = "where to connect" },
    { .name = "kafka.*", .kind = WEIR_OPTION_TEXT },
    { 0 },
};

static const struct parse_case {
    const char *name, *option, *text;
    int want;
    int64_t number;
} parse_cases[] = {
    { "milliseconds", "interval", "100 ms", WEIR_OK, 100000 },
    { "no space before the unit", "interval", "5s", WEIR_OK, 5000000 },
    { "a day", "interval", " 1 day ", WEIR_OK, 86400000000 },
    { "a duration needs a unit", "interval", "100", WEIR_ECONFIG, 0 },
    { "a duration that overflows", "interval", "9223372036854775807 d", WEIR_ECONFIG, 0 },
    { "an integer in range", "rows", "1000", WEIR_OK, 1000 },
    { "an integer above the range", "rows", "1001", WEIR_ECONFIG, 0 },
    { "an integer with a tail", "rows", "10x", WEIR_ECONFIG, 0 },
    { "an empty integer", "rows", "", WEIR_ECONFIG, 0 },
    { "an integer over 64 bits", "rows", "9223372036854775808", WEIR_ECONFIG, 0 },
    { "kilobytes", "size", "64 kB", WEIR_OK, 65536 },
    { "plain bytes", "size", "17", WEIR_OK, 17 },
    { "on is true", "strict", "ON", WEIR_OK, 1 },
    { "no is false", "strict", "no", WEIR_OK, 0 },
    { "maybe is neither", "strict", "maybe", WEIR_ECONFIG, 0 },
    { "a choice", "mode", "update", WEIR_OK, 1 },
    { "half a choice", "mode", "upd", WEIR_ECONFIG, 0 },
};

enum { PARSE_CASES = sizeof(parse_cases) / sizeof(parse_cases[0]) };

static void parses(void **state)
{
    const struct parse_case *row = *state;
    struct weir_option_value value = { 0 };
    const struct weir_option_def *def = defs;

    while (strcmp(def->name, row->option) != 0) {
        def++;
    }
    assert_int_equal(weir_option_parse(def, weir_str_from(row->text), &value, NULL), row->want);
    assert_true(value.number == row->number);
}

static void a_good_list_passes(void **state)
{
    const struct weir_option items[] = {
        { WEIR_STR("dsn"), WEIR_STR("host=x"), 10 },
        { WEIR_STR("kafka.client.id"), WEIR_STR("me"), 20 },
    };
    struct weir_options options = { items, 2 };
    uint32_t at;

    (void)state;
    assert_int_equal(weir_options_check(defs, options, &at, NULL), WEIR_OK);
    assert_int_equal(weir_options_get(defs, options, "interval").number, 100000);
    assert_false(weir_options_get(defs, options, "interval").is_set);
    assert_true(weir_options_get(defs, options, "dsn").is_set);
    assert_int_equal(weir_options_get(defs, options, "mode").text.len, 0);
}

/* */
static void a_bad_list_names_the_culprit(void **state)
{
    const struct weir_option unknown[] = { { WEIR_STR("interval_"), WEIR_STR("1 s"), 7 } };
    const struct weir_option twice[] = { { WEIR_STR("rows"), WEIR_STR("1"), 1 },
                                         { WEIR_STR("rows"), WEIR_STR("1"), 9 } };
    struct weir_error err;
    uint32_t at;

    (void)state;
    assert_int_equal(weir_options_check(defs, (struct weir_options){ unknown, 1 }, &at, &err),
                     WEIR_ECONFIG);
    assert_int_equal(at, 7);
    assert_string_equal(err.text, "unknown option \"interval_\"; did you mean \"interval\"?");
    assert_int_equal(weir_options_check(defs, (struct weir_options){ twice, 2 }, &at, &err),
                     WEIR_ECONFIG);
    assert_int_equal(at, 9);
    assert_int_equal(weir_options_check(defs, (struct weir_options){ 0 }, &at, &err), WEIR_ECONFIG);
    assert_string_equal(err.text, "option \"dsn\" is missing: where to connect");
}

int main(void)
{
    struct CMUnitTest tests[PARSE_CASES + 2];

    for (size_t i = 0; i < PARSE_CASES; i++) {
        tests[i] =
            (struct CMUnitTest){ parse_cases[i].name, parses, NULL, NULL, (void *)&parse_cases[i] };
    }
    tests[PARSE_CASES] = (struct CMUnitTest)cmocka_unit_test(a_good_list_passes);
    tests[PARSE_CASES + 1] = (struct CMUnitTest)cmocka_unit_test(a_bad_list_names_the_culprit);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
