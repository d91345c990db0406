/* test_mutations.c: no text crashes the compiler, however broken or deep.
 *
 * Good files are cut, doubled, shuffled and have bytes changed, from a fixed seed; built with the
 * sanitizers, this is a small fuzz run. Whatever comes out must be a plan or a message. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/test.h"
#include "tests/unit/sql/fake_registry.h"

static const char *const seeds[] = {
    FAKE_PRELUDE "INSERT INTO t SELECT a + 1, lower(b) FROM s WHERE a > 0 AND b LIKE 'x%';\n",
    FAKE_PRELUDE
    "INSERT INTO t (y, x) SELECT CASE WHEN e THEN b ELSE NULL END, _partition FROM s q "
    "WHERE q.a IN (1, 2, 3) OR e IS NOT TRUE;",
    FAKE_PRELUDE "INSERT INTO t SELECT COALESCE(a, 0), 'it''s' || b FROM s WHERE a BETWEEN 1 AND 5 "
                 "AND NOT (b IS NULL) AND a IS DISTINCT FROM 7;",
    "/* c */ SET pipeline.name = 'x'; -- d\nCREATE TABLE k (\"A b\" bigint, c varchar(3)) WITH "
    "(connector = 'stream', topic = '${T:-t}', \"stream.x\" = 'y', on_error = 'skip');\n"
    "CREATE TABLE u (a bigint, c text, PRIMARY KEY (a)) WITH (connector = 'store', dsn = 'x');\n"
    "INSERT INTO u SELECT * FROM k WHERE c <> '\xc3\xa4' AND NULLIF(c, 'x') IS NOT NULL;",
};

static const char *const words[] = {
    "(",
    ")",
    ",",
    ";",
    "'",
    "\"",
    "::int",
    " AND ",
    " NOT ",
    "SELECT",
    "FROM",
    "*",
    "CASE ",
    " END",
    " IN (",
    "NULL",
    "$1",
    "--",
    "/*",
    "${X",
    "numeric(3,2)",
    "[1]",
    "::",
    " BETWEEN ",
    "99999999999999999999",
    "'\\x'",
    "\xff",
    "\xc3",
    " UNION ",
    "\n",
    " x ",
    "interval '1'",
    " OVER ()",
    "E'\\u00e4'",
    "U&'\\0041'",
};

enum { SEEDS = sizeof(seeds) / sizeof(seeds[0]), WORDS = sizeof(words) / sizeof(words[0]) };
enum { MUTATIONS = 6000, TEXT_BYTES_MAX = 8192 };

static uint64_t random_state = 20130101;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 33) % limit;
}

/* Compiles text; the outcome must be a plan or a message. Returns whether it was a plan. */
static bool compile(struct weir_str text)
{
    struct weir_plan *plan = NULL;
    struct weir_error err = { 0 };
    struct weir_buf shown = { 0 };
    int rc = weir_plan_make("f.sql", text, &fake_registry, NULL, 0, &plan, &err);

    if (rc == WEIR_OK) {
        weir_plan_explain(plan, &shown);
        assert_true(shown.len > 0);
    } else {
        assert_int_equal(rc, WEIR_ECONFIG);
        assert_memory_equal(err.text, "f.sql:", 6);
    }
    weir_buf_fini(&shown);
    weir_plan_free(plan);
    return rc == WEIR_OK;
}

static size_t splice(char *text, size_t len, size_t at, size_t removed, const char *put,
                     size_t bytes)
{
    memmove(text + at + bytes, text + at + removed, len - at - removed);
    memcpy(text + at, put, bytes);
    return len - removed + bytes;
}

static size_t mutate(char *text, size_t len)
{
    size_t at = random_below((uint32_t)len + 1), rest = len - at;
    size_t span = rest == 0 ? 0 : random_below((uint32_t)(rest < 40 ? rest : 40));
    const char *word = words[random_below(WORDS)];
    char copy[64];

    switch (random_below(5)) {
    case 0: /* cut a piece out */
        return splice(text, len, at, span, "", 0);
    case 1: /* put a word in */
        return splice(text, len, at, 0, word, strlen(word));
    case 2: /* put a word in the place of a piece */
        return splice(text, len, at, span, word, strlen(word));
    case 3: /* double a piece */
        memcpy(copy, text + at, span);
        return splice(text, len, at, 0, copy, span);
    default: /* change a byte */
        if (rest > 0) {
            text[at] = (char)random_below(256);
        }
        return len;
    }
}

/* covers: X-13 */
static void mutated_files_give_a_plan_or_a_message(void **state)
{
    static char text[TEXT_BYTES_MAX];
    uint32_t plans = 0;

    (void)state;
    for (uint32_t i = 0; i < MUTATIONS; i++) {
        const char *seed = seeds[random_below(SEEDS)];
        size_t len = strlen(seed);
        memcpy(text, seed, len);
        for (uint32_t k = random_below(4); k-- > 0;) {
            len = mutate(text, len);
        }
        plans += compile((struct weir_str){ text, len });
    }
    assert_true(plans > MUTATIONS / 20); /* the mutations reach behind the parser */
}

/* What is repeated, how often, and what closes it. */
static const struct deep_case {
    const char *name, *before, *open, *middle, *close;
    uint32_t times;
    bool good;
} deep_cases[] = {
    /* covers: X-14 */
    { "ten thousand brackets", "SELECT ", "(", "a", ")", 10000, false },
    /* covers: X-14 */
    { "four hundred thousand brackets", "SELECT ", "(", "a", ")", 400000, false },
    { "a long chain of operators", "SELECT 1", "+1", "", "", 250000, false },
    { "a chain of operators and commas in calls", "SELECT 1", "+f(1,2)", "", "", 50000, false },
    { "a long chain of NOT", "SELECT ", "NOT ", "e", "", 100000, false },
    { "nested calls", "SELECT ", "lower(", "b", ")", 5000, false },
    { "nested CASE", "SELECT ", "CASE WHEN e THEN ", "a", " END", 5000, false },
    { "nested CASE in a condition", "SELECT ", "CASE WHEN ", "e", " THEN e END", 5000, false },
    { "a chain of casts", "SELECT a", "::int", "", "", 100000, false },
    { "a chain of UNION", "SELECT 1, 2", " UNION SELECT 1, 2", "", "", 20000, false },
    { "a chain of JOIN", "SELECT 1 FROM x", " JOIN y ON a AND b", "", "", 20000, false },
    { "nested subqueries", "SELECT ", "(SELECT ", "1", ")", 5000, false },
    { "nested BETWEEN", "SELECT ", "(", "a", " BETWEEN 1 AND 2) BETWEEN true AND false", 40,
      false },
    { "many terms of AND", "SELECT a, b FROM s WHERE a = 1", " AND a = 1", "", "", 20000, true },
    { "many terms of OR", "SELECT a, b FROM s WHERE a = 1", " OR a = 1", "", "", 20000, true },
    { "a long IN list", "SELECT a, b FROM s WHERE a IN (1", ",1", "", ")", 1, true },
    { "many branches of CASE", "SELECT CASE", " WHEN a = 1 THEN 2", " ELSE 3 END, b FROM s", "",
      5000, true },
};

enum { DEEP_CASES = sizeof(deep_cases) / sizeof(deep_cases[0]) };

static void deep_files_are_safe(void **state)
{
    const struct deep_case *row = *state;
    struct weir_buf buf = { 0 };

    weir_buf_append_text(&buf, FAKE_PRELUDE "INSERT INTO t ");
    weir_buf_append_text(&buf, row->before);
    for (uint32_t i = 0; i < row->times; i++) {
        weir_buf_append_text(&buf, row->open);
    }
    weir_buf_append_text(&buf, row->middle);
    for (uint32_t i = 0; i < row->times; i++) {
        weir_buf_append_text(&buf, row->close);
    }
    weir_buf_append_text(&buf, ";");
    assert_false(buf.failed);
    assert_int_equal(compile((struct weir_str){ (const char *)buf.data, buf.len }), row->good);
    weir_buf_fini(&buf);
}

/* covers: X-14 */
static void a_file_of_more_than_a_mebibyte_is_refused(void **state)
{
    size_t len = 1024 * 1024 + 1;
    char *text = malloc(len);

    (void)state;
    assert_non_null(text);
    memset(text, ' ', len);
    assert_false(compile((struct weir_str){ text, len }));
    assert_false(compile((struct weir_str){ text, len - 1 }));
    free(text);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    static const struct weir_str texts[] = { { "SET\0x", 5 },         { "'\x80'", 3 },
                                             { "'\xc3", 2 },          { "'\xe4\xb8'", 4 },
                                             { "'\xf8\x80\x80'", 5 }, { NULL, 0 } };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_false(compile(texts[i]));
    }
}

int main(void)
{
    struct CMUnitTest tests[DEEP_CASES + 3];

    for (size_t i = 0; i < DEEP_CASES; i++) {
        tests[i] = (struct CMUnitTest){ deep_cases[i].name, deep_files_are_safe, NULL, NULL,
                                        (void *)&deep_cases[i] };
    }
    tests[DEEP_CASES] = (struct CMUnitTest)cmocka_unit_test(mutated_files_give_a_plan_or_a_message);
    tests[DEEP_CASES + 1] =
        (struct CMUnitTest)cmocka_unit_test(a_file_of_more_than_a_mebibyte_is_refused);
    tests[DEEP_CASES + 2] = (struct CMUnitTest)cmocka_unit_test(bytes_that_are_no_text_are_refused);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
