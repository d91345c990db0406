/* test_like.c: LIKE patterns, their escapes, and that none takes exponential time. */
#include "expr/like.h"
#include "tests/support/test.h"

static const struct sample {
    const char *text, *pattern;
    enum weir_like_result want;
} samples[] = {
    { "", "", WEIR_LIKE_YES },
    { "", "%", WEIR_LIKE_YES },
    { "", "_", WEIR_LIKE_NO },
    { "a", "", WEIR_LIKE_NO },
    { "abc", "abc", WEIR_LIKE_YES },
    { "abc", "ab", WEIR_LIKE_NO },
    { "abc", "%c", WEIR_LIKE_YES },
    { "abcabd", "%ab_", WEIR_LIKE_YES },
    { "abcabd", "%ab%d", WEIR_LIKE_YES },
    { "abc", "a%%%", WEIR_LIKE_YES },
    { "abc", "____", WEIR_LIKE_NO },
    { "abc", "%___", WEIR_LIKE_YES },
    { "abc", "_%_%_%_", WEIR_LIKE_NO },
    { "\xc3\xa4\xe2\x82\xac", "__", WEIR_LIKE_YES },
    { "\xc3\xa4", "%_", WEIR_LIKE_YES },
    { "\xc3\xa4", "%__", WEIR_LIKE_NO },
    { "50%", "50\\%", WEIR_LIKE_YES },
    { "500", "50\\%", WEIR_LIKE_NO },
    { "a_b", "%\\_b", WEIR_LIKE_YES },
    { "a", "b\\", WEIR_LIKE_NO },
    { "b", "b\\", WEIR_LIKE_NO },
    { "bc", "b\\", WEIR_LIKE_BAD_PATTERN },
    { "", "%\\", WEIR_LIKE_NO },
    { "a", "%\\", WEIR_LIKE_BAD_PATTERN },
    { "", "%%", WEIR_LIKE_YES },
    { "a", "%_\\", WEIR_LIKE_BAD_PATTERN },
    { "", "\\", WEIR_LIKE_NO },
};
enum { SAMPLE_COUNT = sizeof(samples) / sizeof(samples[0]) };

static void patterns_match_as_in_postgresql(void **state)
{
    (void)state;
    for (int i = 0; i < SAMPLE_COUNT; i++) {
        enum weir_like_result got = weir_like_match(weir_str_from(samples[i].text),
                                                    weir_str_from(samples[i].pattern), true);
        if (got != samples[i].want) {
            fail_msg("'%s' LIKE '%s' is %d", samples[i].text, samples[i].pattern, (int)got);
        }
    }
}

static void a_hostile_pattern_ends_soon(void **state)
{
    char text[4096], pattern[4096];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t i = 0; i < sizeof(pattern); i += 2) {
        memcpy(pattern + i, "%a", 2);
    }
    pattern[sizeof(pattern) - 1] = 'b';
    assert_int_equal(weir_like_match((struct weir_str){ text, sizeof(text) },
                                     (struct weir_str){ pattern, sizeof(pattern) }, true),
                     WEIR_LIKE_NO);
}

static void escapes_are_rewritten(void **state)
{
    struct weir_arena arena;
    struct weir_str ret;

    (void)state;
    weir_arena_init(&arena, 0);
    assert_true(weir_like_escape(WEIR_STR("a#%b\\c##"), WEIR_STR("#"), true, &arena, &ret));
    assert_true(weir_str_equal(ret, WEIR_STR("a\\%b\\\\c\\#")));
    assert_true(weir_like_escape(WEIR_STR("a\\%"), WEIR_STR(""), true, &arena, &ret));
    assert_true(weir_str_equal(ret, WEIR_STR("a\\\\%")));
    weir_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_in_postgresql),
        cmocka_unit_test(a_hostile_pattern_ends_soon),
        cmocka_unit_test(escapes_are_rewritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
