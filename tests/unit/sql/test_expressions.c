/* test_expressions.c: what expressions are taken to mean: their type, and every cast and overload
 * written out, constants folded.
 *
 * The types are those that PostgreSQL 15 gives to the same expressions; ":=" is a cast that was not
 * written, by which an expression is brought to the type of an operator or a branch. */
#include "sql/bind.h"
#include "sql/compile.h"
#include "tests/support/test.h"

static const char columns[] =
    "CREATE TABLE t (a integer, b text, c numeric(5,2), e boolean, ts timestamptz, d date, "
    "v varchar(3), j jsonb, i interval, f double precision, u uuid, k bytea)";

static const struct meaning {
    const char *text, *type, *printed;
} meanings[] = {
    { "a", "integer", "a" },
    { "\"a\"", "integer", "a" },
    { "a + 1", "integer", "(a + 1)" },
    { "a + 2147483648", "bigint", "(a + 2147483648::bigint)" },
    { "a + 1.5", "numeric", "(a:=numeric + '1.5'::numeric)" },
    { "a::smallint + 1::smallint", "smallint", "(a::smallint + '1'::smallint)" },
    { "a::bigint * a", "bigint", "(a::bigint * a)" },
    { "a / 2", "integer", "(a / 2)" },
    { "a % 2", "integer", "(a % 2)" },
    { "-a", "integer", "(- a)" },
    { "- (-5)", "integer", "5" },
    { "+a", "integer", "(+ a)" },
    { "-5", "integer", "-5" },
    { "2147483648", "bigint", "2147483648::bigint" },
    { "-2147483648", "integer", "-2147483648" },
    { "-2147483649", "bigint", "-2147483649::bigint" },
    { "9223372036854775807", "bigint", "9223372036854775807::bigint" },
    { "9223372036854775808", "numeric", "'9223372036854775808'::numeric" },
    { "-9223372036854775808", "bigint", "-9223372036854775808::bigint" },
    { "1.50", "numeric", "'1.50'::numeric" },
    { "1e3", "numeric", "'1000'::numeric" },
    { "0.1e-2", "numeric", "'0.001'::numeric" },
    { "c + 1", "numeric", "(c + '1'::numeric)" },
    { "c * f", "double precision", "(c:=double precision * f)" },
    { "f + 1", "double precision", "(f + '1'::double precision)" },
    { "a + f", "double precision", "(a:=double precision + f)" },
    { "a + c", "numeric", "(a:=numeric + c)" },
    { "c / 3", "numeric", "(c / '3'::numeric)" },
    { "a < 1", "boolean", "(a < 1)" },
    { "a = 1.5", "boolean", "(a:=numeric = '1.5'::numeric)" },
    { "a <> c", "boolean", "(a:=numeric <> c)" },
    { "a != 1", "boolean", "(a <> 1)" },
    { "f >= 1", "boolean", "(f >= '1'::double precision)" },
    { "b < 'x'", "boolean", "(b < 'x')" },
    { "v = 'x'", "boolean", "(v:=text = 'x')" },
    { "b = v", "boolean", "(b = v:=text)" },
    { "v = v", "boolean", "(v:=text = v:=text)" },
    { "v || v", "text", "(v:=text || v:=text)" },
    { "b || v", "text", "(b || v:=text)" },
    { "b || 'x'", "text", "(b || 'x')" },
    { "'x' || 'y'", "text", "'xy'" },
    { "k || k", "bytea", "(k || k)" },
    { "e AND true", "boolean", "(e AND true)" },
    { "e OR a = 1 OR NULL", "boolean", "(e OR (a = 1) OR NULL::boolean)" },
    { "NOT e", "boolean", "(NOT e)" },
    { "NULL AND e", "boolean", "(NULL::boolean AND e)" },
    { "a IS NULL", "boolean", "(a IS NULL)" },
    { "b IS NOT NULL", "boolean", "(NOT (b IS NULL))" },
    { "NULL IS NULL", "boolean", "true" },
    { "'x' IS NULL", "boolean", "false" },
    { "e IS TRUE", "boolean", "(e IS TRUE)" },
    { "e IS NOT TRUE", "boolean", "(NOT (e IS TRUE))" },
    { "e IS FALSE", "boolean", "(e IS FALSE)" },
    { "e IS NOT FALSE", "boolean", "(NOT (e IS FALSE))" },
    { "e IS UNKNOWN", "boolean", "(e IS NULL)" },
    { "e IS NOT UNKNOWN", "boolean", "(NOT (e IS NULL))" },
    { "(a > 1) IS UNKNOWN", "boolean", "((a > 1) IS NULL)" },
    { "a IS DISTINCT FROM 1", "boolean", "(a IS DISTINCT FROM 1)" },
    { "a IS NOT DISTINCT FROM NULL", "boolean", "(NOT (a IS DISTINCT FROM NULL::integer))" },
    { "b IS DISTINCT FROM 'x'", "boolean", "(b IS DISTINCT FROM 'x')" },
    { "a BETWEEN 1 AND 2", "boolean", "((a >= 1) AND (a <= 2))" },
    { "a NOT BETWEEN 1 AND 2", "boolean", "(NOT ((a >= 1) AND (a <= 2)))" },
    { "a BETWEEN SYMMETRIC 2 AND 1", "boolean",
      "(((a >= 2) AND (a <= 1)) OR ((a >= 1) AND (a <= 2)))" },
    { "a NOT BETWEEN SYMMETRIC 2 AND 1", "boolean",
      "(NOT (((a >= 2) AND (a <= 1)) OR ((a >= 1) AND (a <= 2))))" },
    { "b BETWEEN 'a' AND 'z'", "boolean", "((b >= 'a') AND (b <= 'z'))" },
    { "c BETWEEN 1 AND f", "boolean", "((c >= '1'::numeric) AND (c:=double precision <= f))" },
    { "d BETWEEN '2020-01-01' AND '2021-01-01'", "boolean",
      "((d >= '2020-01-01'::date) AND (d <= '2021-01-01'::date))" },
    { "a IN (1, 2, 3)", "boolean", "(a IN (1, 2, 3))" },
    { "a NOT IN (1, 2)", "boolean", "(NOT (a IN (1, 2)))" },
    { "a IN (1)", "boolean", "(a = 1)" },
    { "a IN (1, 2.5)", "boolean", "(a:=numeric IN ('1'::numeric, '2.5'::numeric))" },
    { "a IN (1, NULL)", "boolean", "(a IN (1, NULL::integer))" },
    { "a IN ('1', '2')", "boolean", "(a IN (1, 2))" },
    { "a IN (1, 2, a)", "boolean", "((a IN (1, 2)) OR (a = a))" },
    { "a IN (a, c)", "boolean", "((a = a) OR (a:=numeric = c))" },
    { "b IN ('x', 'y')", "boolean", "(b IN ('x', 'y'))" },
    { "v IN ('x', 'y')", "boolean", "(v:=text IN ('x', 'y'))" },
    { "c IN (1, 2)", "boolean", "(c IN ('1'::numeric, '2'::numeric))" },
    { "f IN (1, 2.5)", "boolean", "(f IN ('1'::double precision, '2.5'::double precision))" },
    { "d IN ('2020-01-01', '2020-01-02')", "boolean",
      "(d IN ('2020-01-01'::date, '2020-01-02'::date))" },
    { "e IN (true, NULL)", "boolean", "(e IN (true, NULL::boolean))" },
    { "CASE WHEN e THEN 1 END", "integer", "CASE WHEN e THEN 1 ELSE NULL::integer END" },
    { "CASE WHEN e THEN 1 ELSE 2.5 END", "numeric",
      "CASE WHEN e THEN '1'::numeric ELSE '2.5'::numeric END" },
    { "CASE WHEN e THEN a ELSE f END", "double precision",
      "CASE WHEN e THEN a:=double precision ELSE f END" },
    { "CASE WHEN e THEN NULL ELSE a END", "integer", "CASE WHEN e THEN NULL::integer ELSE a END" },
    { "CASE WHEN e THEN 'x' ELSE 'y' END", "text", "CASE WHEN e THEN 'x' ELSE 'y' END" },
    { "CASE WHEN e THEN 'x' ELSE b END", "text", "CASE WHEN e THEN 'x' ELSE b END" },
    { "CASE WHEN e THEN v ELSE 'x' END", "character varying",
      "CASE WHEN e THEN v ELSE 'x'::character varying END" },
    { "CASE WHEN e THEN c ELSE c END", "numeric(5,2)", "CASE WHEN e THEN c ELSE c END" },
    { "CASE WHEN e THEN c ELSE 1 END", "numeric", "CASE WHEN e THEN c ELSE '1'::numeric END" },
    { "CASE WHEN e THEN v ELSE b END", "text", "CASE WHEN e THEN v:=text ELSE b END" },
    { "CASE WHEN e THEN '2020-01-01' ELSE d END", "date",
      "CASE WHEN e THEN '2020-01-01'::date ELSE d END" },
    { "CASE a WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'many' END", "text",
      "CASE WHEN (a = 1) THEN 'one' WHEN (a = 2) THEN 'two' ELSE 'many' END" },
    { "CASE b WHEN 'x' THEN 1 END", "integer",
      "CASE WHEN (b = 'x') THEN 1 ELSE NULL::integer END" },
    { "CASE 'x' WHEN b THEN 1 END", "integer",
      "CASE WHEN ('x' = b) THEN 1 ELSE NULL::integer END" },
    { "CASE WHEN 't' THEN 1 END", "integer", "1" },
    { "COALESCE(a, 0)", "integer", "COALESCE(a, 0)" },
    { "COALESCE(a, 1.5)", "numeric", "COALESCE(a:=numeric, '1.5'::numeric)" },
    { "COALESCE(NULL, a)", "integer", "COALESCE(NULL::integer, a)" },
    { "COALESCE(NULL, 'x')", "text", "'x'" },
    { "COALESCE(b, 'x')", "text", "COALESCE(b, 'x')" },
    { "COALESCE(v, b)", "character varying", "COALESCE(v, b:=character varying)" },
    { "COALESCE(c, c)", "numeric(5,2)", "COALESCE(c, c)" },
    { "COALESCE(a, '5')", "integer", "COALESCE(a, 5)" },
    { "COALESCE(a)", "integer", "COALESCE(a)" },
    { "NULLIF(a, 1)", "integer", "NULLIF(a, 1)" },
    { "NULLIF(b, '')", "text", "NULLIF(b, '')" },
    { "NULLIF(a, 1.5)", "numeric", "NULLIF(a:=numeric, '1.5'::numeric)" },
    { "NULLIF(1, a)", "integer", "NULLIF(1, a)" },
    { "NULLIF('x', b)", "text", "NULLIF('x', b)" },
    { "a::bigint", "bigint", "a::bigint" },
    { "a::smallint", "smallint", "a::smallint" },
    { "a::numeric(5,2)", "numeric(5,2)", "a::numeric(5,2)" },
    { "c::integer", "integer", "c::integer" },
    { "c::numeric(3,1)", "numeric(3,1)", "c::numeric(3,1)" },
    { "c::numeric", "numeric", "c" },
    { "b::varchar(2)", "character varying(2)", "b::character varying(2)" },
    { "b::char(3)", "character(3)", "b::character(3)" },
    { "b::varchar", "character varying", "b::character varying" },
    { "v::text", "text", "v::text" },
    { "v::varchar(2)", "character varying(2)", "v::character varying(2)" },
    { "'12'::integer", "integer", "12" },
    { "'1.50'::numeric", "numeric", "'1.50'::numeric" },
    { "'1.567'::numeric(4,2)", "numeric(4,2)", "'1.57'::numeric(4,2)" },
    { "'abc'::varchar(2)", "character varying(2)", "'ab'::character varying(2)" },
    { "'abc'::char(5)", "character(5)", "'abc  '::character(5)" },
    { "'2020-02-29'::date", "date", "'2020-02-29'::date" },
    { "date '2020-02-29'", "date", "'2020-02-29'::date" },
    { "timestamp '2020-02-29 12:30'", "timestamp without time zone",
      "'2020-02-29 12:30:00'::timestamp without time zone" },
    { "timestamptz '2020-02-29 12:30+02'", "timestamp with time zone",
      "'2020-02-29 10:30:00+00'::timestamp with time zone" },
    { "time '12:30'", "time without time zone", "'12:30:00'::time without time zone" },
    { "interval '1 day 2 hours'", "interval", "'1 day 02:00:00'::interval" },
    { "'{\"a\": 1}'::jsonb", "jsonb", "'{\"a\": 1}'::jsonb" },
    { "'\\x00ff'::bytea", "bytea", "'\\x00ff'::bytea" },
    { "'00000000-0000-0000-0000-000000000001'::uuid", "uuid",
      "'00000000-0000-0000-0000-000000000001'::uuid" },
    { "true", "boolean", "true" },
    { "'t'::boolean", "boolean", "true" },
    { "CAST(a AS double precision)", "double precision", "a::double precision" },
    { "float8 '1.5'", "double precision", "'1.5'::double precision" },
    { "real '1.5'", "real", "'1.5'::real" },
    { "a::boolean", "boolean", "a::boolean" },
    { "e::integer", "integer", "e::integer" },
    { "f::numeric", "numeric", "f::numeric" },
    { "NULL::integer", "integer", "NULL::integer" },
    { "NULL", "text", "NULL::text" },
    { "'x'", "text", "'x'" },
    { "lower(b)", "text", "lower(b)" },
    { "upper(v)", "text", "upper(v:=text)" },
    { "length(b)", "integer", "length(b)" },
    { "length('x')", "integer", "1" },
    { "length(k)", "integer", "length(k)" },
    { "substring(b FROM 2 FOR 3)", "text", "substring(b, 2, 3)" },
    { "substring(b FROM 2)", "text", "substring(b, 2)" },
    { "substring(b, 2)", "text", "substring(b, 2)" },
    { "substr(b, 2, 1)", "text", "substr(b, 2, 1)" },
    { "trim(b)", "text", "btrim(b)" },
    { "trim(both 'x' from b)", "text", "btrim(b, 'x')" },
    { "trim(leading from b)", "text", "ltrim(b)" },
    { "trim(trailing 'x' from v)", "text", "rtrim(v:=text, 'x')" },
    { "btrim(b)", "text", "btrim(b)" },
    { "ltrim(b, 'x')", "text", "ltrim(b, 'x')" },
    { "position('x' in b)", "integer", "position(b, 'x')" },
    { "abs(a)", "integer", "abs(a)" },
    { "abs(c)", "numeric", "abs(c)" },
    { "abs(-1.5)", "numeric", "'1.5'::numeric" },
    { "round(c)", "numeric", "round(c)" },
    { "round(c, 1)", "numeric", "round(c, 1)" },
    { "round(f)", "double precision", "round(f)" },
    { "round(a)", "double precision", "round(a:=double precision)" },
    { "floor(c)", "numeric", "floor(c)" },
    { "ceil(f)", "double precision", "ceil(f)" },
    { "ceiling(f)", "double precision", "ceiling(f)" },
    { "floor(a)", "double precision", "floor(a:=double precision)" },
    { "b LIKE 'x%'", "boolean", "(b ~~ 'x%')" },
    { "b NOT LIKE 'x%'", "boolean", "(b !~~ 'x%')" },
    { "b ILIKE 'x%'", "boolean", "(b ~~* 'x%')" },
    { "b NOT ILIKE v", "boolean", "(b !~~* v:=text)" },
    { "b LIKE 'x!%' ESCAPE '!'", "boolean", "(b ~~ 'x\\%')" },
    { "v LIKE 'x'", "boolean", "(v:=text ~~ 'x')" },
    { "now()", "timestamp with time zone", "now()" },
    { "current_timestamp", "timestamp with time zone", "now()" },
    { "d < ts", "boolean", "(d < ts)" },
    { "d = '2020-01-01'", "boolean", "(d = '2020-01-01'::date)" },
    { "ts > '2020-01-01'", "boolean", "(ts > '2020-01-01 00:00:00+00'::timestamp with time zone)" },
    { "u = '00000000-0000-0000-0000-000000000001'", "boolean",
      "(u = '00000000-0000-0000-0000-000000000001'::uuid)" },
    { "k = '\\x00'", "boolean", "(k = '\\x00'::bytea)" },
    { "int4(c)", "integer", "c::integer" },
    { "float8(a)", "double precision", "a::double precision" },
    { "a = '5'", "boolean", "(a = 5)" },
    { "'5' = a", "boolean", "(5 = a)" },
    { "a + '5'", "integer", "(a + 5)" },
    { "'5' + a", "integer", "(5 + a)" },
    { "f * '2'", "double precision", "(f * '2'::double precision)" },
    { "c = '1.5'", "boolean", "(c = '1.5'::numeric)" },
    { "1 = 1.0", "boolean", "true" },
    { "'a' = 'b'", "boolean", "false" },
    { "'1' < '2'", "boolean", "true" },
};

enum { MEANINGS = sizeof(meanings) / sizeof(meanings[0]) };

static void means(void **state)
{
    const struct meaning *row = *state;
    struct weir_plan_source source = { .name = "t" };
    struct weir_bound_select bound;
    struct weir_error err = { 0 };
    struct weir_arena arena;
    struct weir_buf buf = { 0 };
    char type[64];

    weir_arena_init(&arena, 0);
    assert_int_equal(
        weir_bind_columns(WEIR_STR(columns), &arena, &source.decoded, &source.decoded_count, &err),
        WEIR_OK);
    weir_buf_printf(&buf, "SELECT %s", row->text);
    struct weir_str text = { (const char *)buf.data, buf.len };
    if (weir_bind_select(source.decoded, source.decoded_count, text, &arena, &bound, &err) !=
        WEIR_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(bound.expr_count, 1);
    weir_type_format(bound.exprs[0]->type, type, sizeof(type));
    assert_string_equal(type, row->type);
    weir_buf_reset(&buf);
    print_expr(bound.exprs[0], &source, &buf);
    weir_buf_put_u8(&buf, 0);
    assert_string_equal((const char *)buf.data, row->printed);
    weir_buf_fini(&buf);
    weir_arena_fini(&arena);
}

int main(void)
{
    struct CMUnitTest tests[MEANINGS];

    for (size_t i = 0; i < MEANINGS; i++) {
        tests[i] = (struct CMUnitTest){ meanings[i].text, means, NULL, NULL, (void *)&meanings[i] };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
