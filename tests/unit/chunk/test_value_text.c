/* test_value_text.c: every type reads and prints texts, and sends values, as PostgreSQL 15 does.
 *
 * The expected texts, errors and bytes are PostgreSQL's own answers (expected_text.inc, made by
 * tests/support/pg_values.py), except in the cases named "ours", where weir differs on purpose. */
#include <stdio.h>

#include "chunk/datetime.h"
#include "chunk/decimal.h"
#include "chunk/jsonb.h"
#include "chunk/pg_binary.h"
#include "chunk/scalar_text.h"
#include "chunk/utf8.h"
#include "chunk/value.h"
#include "tests/support/test.h"

static const struct expected {
    enum weir_type_id type;
    int32_t typmod;
    const char *text;
    const char *want; /* output, or "!" SQLSTATE message */
    const char *want_hex;
} rows[] = {
#include "expected_text.inc"
};

/* One value of any type. */
union element {
    uint8_t bytes[16];
    int64_t align;
};

static struct weir_vec vec_of(struct weir_type type, union element *element)
{
    return (struct weir_vec){ .type = type, .data = element };
}

static void check_error(const struct expected *row, const struct weir_value_error *verr)
{
    char text[sizeof(verr->text) + 8];

    (void)snprintf(text, sizeof(text), "!%s %s", verr->sqlstate, verr->text);
    text[strlen(row->want) < sizeof(text) ? strlen(row->want) : 0] = '\0'; /* without the detail */
    if (strcmp(text, row->want) != 0) {
        fail_msg("%s '%s': '%s', not '%s'", weir_type_sql_name(row->type), row->text, text,
                 row->want);
    }
}

static void check_binary(const struct expected *row, const struct weir_vec *vec)
{
    struct weir_buf buf = { 0 };
    char hex[3] = { 0 };

    weir_pg_binary_append(&buf, vec, 0);
    assert_false(buf.failed);
    assert_int_equal(buf.len, 4 + strlen(row->want_hex) / 2);
    assert_int_equal((size_t)buf.data[0] << 24 | (size_t)buf.data[1] << 16 |
                         (size_t)buf.data[2] << 8 | buf.data[3],
                     buf.len - 4);
    for (size_t i = 4; i < buf.len; i++) {
        (void)snprintf(hex, sizeof(hex), "%02x", buf.data[i]);
        if (memcmp(hex, row->want_hex + 2 * (i - 4), 2) != 0) {
            fail_msg("%s '%s': byte %zu is %s", weir_type_sql_name(row->type), row->text, i - 4,
                     hex);
        }
    }
    weir_buf_fini(&buf);
}

static void check_row(const struct expected *row, struct weir_arena *arena)
{
    struct weir_type type = { row->type, row->typmod };
    union element element, again;
    struct weir_value_error verr;
    struct weir_vec vec = vec_of(type, &element), vec_again = vec_of(type, &again);
    struct weir_str text;

    if (weir_value_parse(type, weir_str_from(row->text), arena, &element, &verr) != WEIR_OK) {
        check_error(row, &verr);
        return;
    }
    assert_int_equal(weir_value_print(&vec, 0, arena, &text), WEIR_OK);
    if (!weir_str_equal(text, weir_str_from(row->want))) {
        fail_msg("%s '%s': '%.*s', not '%s'", weir_type_sql_name(row->type), row->text,
                 WEIR_STR_ARG(text), row->want);
    }
    check_binary(row, &vec);
    /* What is printed reads back as an equal value. */
    assert_int_equal(weir_value_parse(type, text, arena, &again, &verr), WEIR_OK);
    assert_int_equal(weir_value_compare(&vec, 0, &vec_again, 0), 0);
    assert_true(weir_value_hash(&vec, 0) == weir_value_hash(&vec_again, 0));
    assert_true(weir_value_copy(arena, &vec, 0, &again));
    assert_int_equal(weir_value_compare(&vec, 0, &vec_again, 0), 0);
}

static void a_type_reads_and_prints_as_postgresql(void **state)
{
    enum weir_type_id type = (enum weir_type_id)(uintptr_t)*state;
    struct weir_arena arena;
    size_t count = 0;

    weir_arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].type == type) {
            check_row(&rows[i], &arena);
            weir_arena_reset(&arena);
            count++;
        }
    }
    assert_true(count > 0);
    weir_arena_fini(&arena);
}

/* What needs a clock, or a database of zones, is refused by name: PostgreSQL would take it. */
static void ours_clocks_and_zones_are_refused(void **state)
{
    static const char *const texts[] = { "now", "today", "2013-01-01 05:00:00 America/New_York",
                                         "2013-01-01 05:00:00 utc+3", "y2001m02d03" };
    struct weir_value_error verr;
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(weir_timestamptz_parse(weir_str_from(texts[i]), -1, &us, &verr),
                         WEIR_EDATA);
        assert_string_equal(verr.sqlstate, "0A000");
    }
    assert_int_equal(
        weir_timestamptz_parse(WEIR_STR("2013-01-01 05:00:00 America/New_York"), -1, &us, &verr),
        WEIR_EDATA);
    assert_non_null(strstr(verr.text, "\"america/new_york\""));
}

/* covers: G-10, X-03 */
static void texts_must_be_utf8(void **state)
{
    const struct {
        struct weir_str text;
        const char *want; /* NULL: fine */
    } cases[] = {
        { WEIR_STR("plain ascii, more than eight bytes"), NULL },
        { WEIR_STR("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"), NULL },
        { WEIR_STR("12345678\xff"), "0xff" },
        { WEIR_STR("a\0b"), "0x00" },
        { WEIR_STR("1234\0"
                   "5678"),
          "0x00" },
        { WEIR_STR("\xc0\x80"), "0xc0 0x80" },
        { WEIR_STR("\xed\xa0\x80"), "0xed 0xa0 0x80" },
        { WEIR_STR("\xf4\x90\x80\x80"), "0xf4 0x90 0x80 0x80" },
        { WEIR_STR("\xe2\x82"), "0xe2 0x82" },
        { WEIR_STR("\x80"), "0x80" },
    };
    struct weir_value_error verr;
    struct weir_str ret;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int rc = weir_text_parse(cases[i].text, &ret, &verr);
        if (cases[i].want == NULL) {
            assert_int_equal(rc, WEIR_OK);
        } else {
            assert_int_equal(rc, WEIR_EDATA);
            assert_string_equal(verr.sqlstate, "22021");
            assert_string_equal(strstr(verr.text, ": ") + 2, cases[i].want);
        }
    }
}

/* A bomb of brackets is an error, not an overflow of the stack.
 * */
static void nesting_has_a_limit(void **state)
{
    static char bomb[2 * (WEIR_JSONB_DEPTH_MAX + 1)];
    struct weir_value_error verr;
    struct weir_arena arena;
    struct weir_str ret, inner;
    size_t depth = WEIR_JSONB_DEPTH_MAX;

    (void)state;
    weir_arena_init(&arena, 0);
    memset(bomb, '[', depth + 1);
    memset(bomb + depth + 1, ']', depth + 1);
    assert_int_equal(weir_jsonb_parse((struct weir_str){ bomb, sizeof(bomb) }, &arena, &ret, &verr),
                     WEIR_EDATA);
    assert_string_equal(verr.sqlstate, "54001");
    assert_int_equal(
        weir_jsonb_parse((struct weir_str){ bomb + 1, 2 * depth }, &arena, &ret, &verr), WEIR_OK);
    assert_true(weir_jsonb_get_index(ret, 0, &inner));
    assert_int_equal(inner.len, ret.len - 2);
    assert_true(weir_jsonb_compare(ret, inner) != 0);
    weir_arena_fini(&arena);
}

static void a_cast_cuts_and_an_input_refuses(void **state)
{
    struct weir_value_error verr;
    struct weir_arena arena;
    struct weir_str ret;

    (void)state;
    weir_arena_init(&arena, 0);
    assert_int_equal(weir_varchar_fit(WEIR_STR("abcd"), 7, true, &ret, &verr), WEIR_OK);
    assert_true(weir_str_equal(ret, WEIR_STR("abc")));
    assert_int_equal(weir_varchar_fit(WEIR_STR("abcd"), 7, false, &ret, &verr), WEIR_EDATA);
    assert_string_equal(verr.sqlstate, "22001");
    assert_string_equal(verr.text, "value too long for type character varying(3)");
    assert_int_equal(weir_bpchar_fit(WEIR_STR("\xc3\xa4"), 7, true, &arena, &ret, &verr), WEIR_OK);
    assert_true(weir_str_equal(ret, WEIR_STR("\xc3\xa4  ")));
    weir_arena_fini(&arena);
}

int main(void)
{
    struct CMUnitTest tests[WEIR_TYPE_COUNT + 8];
    size_t count = 0;

    for (uintptr_t type = 0; type < WEIR_TYPE_UNKNOWN; type++) {
        tests[count++] =
            (struct CMUnitTest){ weir_type_sql_name((enum weir_type_id)type),
                                 a_type_reads_and_prints_as_postgresql, NULL, NULL, (void *)type };
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(ours_clocks_and_zones_are_refused);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(texts_must_be_utf8);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(nesting_has_a_limit);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(a_cast_cuts_and_an_input_refuses);
    return _cmocka_run_group_tests("value_text", tests, count, NULL, NULL);
}
