/* test_value_ops.c: operators and functions on single values give what PostgreSQL 15 gives.
 *
 * The expected results are PostgreSQL's own answers (expected_ops.inc, made by
 * tests/support/pg_values.py). One test an operator; a failure names its operands. */
#include <stdio.h>
#include <stdlib.h>

#include "chunk/datetime.h"
#include "chunk/decimal.h"
#include "chunk/interval.h"
#include "chunk/jsonb.h"
#include "chunk/scalar_text.h"
#include "chunk/utf8.h"
#include "tests/support/test.h"

static const struct expected {
    const char *op;
    const char *a, *b;
    const char *want; /* text, "!" SQLSTATE message, NULL for null */
} rows[] = {
#include "expected_ops.inc"
};

/* One call: operands as text, result as a value of a type. */
struct call {
    struct weir_str a, b;
    struct weir_arena arena;
    struct weir_value_error verr;
    bool is_null;
    union {
        int16_t i2;
        int32_t i4;
        int64_t i8;
        float f4;
        double f8;
        struct weir_numeric num;
        struct weir_interval interval;
        struct weir_str str;
    } ret;
};

/* Operands: a text that cannot be read is the call's error. */
#define READER(name, ctype, parse)                          \
    static ctype name(struct call *c, struct weir_str text) \
    {                                                       \
        ctype value;                                        \
        memset(&value, 0, sizeof(value));                   \
        c->verr.sqlstate[0] = '\0';                         \
        if ((parse) != WEIR_OK) {                           \
            c->is_null = true;                              \
        }                                                   \
        return value;                                       \
    }

READER(num, struct weir_numeric, weir_numeric_parse(text, -1, &c->arena, &value, &c->verr))
READER(f4, float, weir_float4_parse(text, &value, &c->verr))
READER(f8, double, weir_float8_parse(text, &value, &c->verr))
READER(i4, int32_t, weir_int4_parse(text, &value, &c->verr))
READER(stamp, int64_t, weir_timestamp_parse(text, -1, &value, &c->verr))
READER(stamptz, int64_t, weir_timestamptz_parse(text, -1, &value, &c->verr))
READER(day, int32_t, weir_date_parse(text, &value, &c->verr))
READER(tod, int64_t, weir_time_parse(text, -1, &value, &c->verr))
READER(span, struct weir_interval, weir_interval_parse(text, -1, &value, &c->verr))
READER(json, struct weir_str, weir_jsonb_parse(text, &c->arena, &value, &c->verr))

/* Results that are yielded, not written. */
#define YIELD(member, value) (c->ret.member = (value), WEIR_OK)
/* Results that can be SQL's null. */
#define FOUND(is_found) (c->is_null = !(is_found), WEIR_OK)

static int json_text(struct call *c)
{
    struct weir_str member;

    if (!weir_jsonb_get_key(json(c, c->a), c->b, &member)) {
        return FOUND(false);
    }
    return weir_jsonb_to_text(member, &c->arena, &c->ret.str, &c->is_null);
}

/* Compares, and checks that what is equal has one hash. */
static int numeric_order(struct call *c)
{
    struct weir_numeric a = num(c, c->a), b = num(c, c->b);
    int order = weir_numeric_compare(a, b);

    assert_int_equal(weir_numeric_compare(b, a), -order);
    if (order == 0) {
        assert_true(weir_numeric_hash(a) == weir_numeric_hash(b));
    }
    return order;
}

static int json_order(struct call *c)
{
    struct weir_str a = json(c, c->a), b = json(c, c->b);
    int order = weir_jsonb_compare(a, b);

    assert_true((order < 0) == (weir_jsonb_compare(b, a) > 0));
    if (order == 0) {
        assert_true(weir_jsonb_hash(a) == weir_jsonb_hash(b));
    }
    return (order > 0) - (order < 0);
}

#define N_A num(c, c->a)
#define N_B num(c, c->b)
#define TO_NUM &c->arena, &c->ret.num, &c->verr
#define TO_SPAN &c->ret.interval, &c->verr
#define TO_I8 &c->ret.i8, &c->verr

/* operator, type of the result, call */
#define OPS(X)                                                                                     \
    X("numeric +", NUMERIC, weir_numeric_add(N_A, N_B, TO_NUM))                                    \
    X("numeric -", NUMERIC, weir_numeric_sub(N_A, N_B, TO_NUM))                                    \
    X("numeric *", NUMERIC, weir_numeric_mul(N_A, N_B, TO_NUM))                                    \
    X("numeric /", NUMERIC, weir_numeric_div(N_A, N_B, TO_NUM))                                    \
    X("numeric %", NUMERIC, weir_numeric_mod(N_A, N_B, TO_NUM))                                    \
    X("numeric <=>", INT4, YIELD(i4, numeric_order(c)))                                            \
    X("numeric neg", NUMERIC, weir_numeric_neg(N_A, TO_NUM))                                       \
    X("numeric abs", NUMERIC, weir_numeric_abs(N_A, TO_NUM))                                       \
    X("numeric floor", NUMERIC, weir_numeric_floor(N_A, TO_NUM))                                   \
    X("numeric ceil", NUMERIC, weir_numeric_ceil(N_A, TO_NUM))                                     \
    X("numeric round", NUMERIC, weir_numeric_round(N_A, i4(c, c->b), TO_NUM))                      \
    X("numeric trunc", NUMERIC, weir_numeric_trunc(N_A, i4(c, c->b), TO_NUM))                      \
    X("numeric to int2", INT2, weir_numeric_to_int2(N_A, &c->ret.i2, &c->verr))                    \
    X("numeric to int4", INT4, weir_numeric_to_int4(N_A, &c->ret.i4, &c->verr))                    \
    X("numeric to int8", INT8, weir_numeric_to_int8(N_A, TO_I8))                                   \
    X("numeric to float4", FLOAT4, weir_numeric_to_float4(N_A, &c->arena, &c->ret.f4, &c->verr))   \
    X("numeric to float8", FLOAT8, weir_numeric_to_float8(N_A, &c->arena, &c->ret.f8, &c->verr))   \
    X("float4 to numeric", NUMERIC, weir_numeric_from_float4(f4(c, c->a), TO_NUM))                 \
    X("float8 to numeric", NUMERIC, weir_numeric_from_float8(f8(c, c->a), TO_NUM))                 \
    X("timestamp + interval", TIMESTAMP,                                                           \
      weir_timestamp_add_interval(stamp(c, c->a), span(c, c->b), TO_I8))                           \
    X("timestamp - interval", TIMESTAMP,                                                           \
      weir_timestamp_sub_interval(stamp(c, c->a), span(c, c->b), TO_I8))                           \
    X("timestamp - timestamp", INTERVAL,                                                           \
      weir_timestamp_sub(stamp(c, c->a), stamp(c, c->b), TO_SPAN))                                 \
    X("timestamp to date", DATE, YIELD(i4, weir_timestamp_to_date(stamp(c, c->a))))                \
    X("timestamp to time", TIME, YIELD(i8, weir_timestamp_to_time(stamp(c, c->a), &c->is_null)))   \
    X("timestamp extract", NUMERIC,                                                                \
      weir_timestamp_extract(c->b, stamp(c, c->a), false, &c->arena, &c->ret.num, &c->is_null,     \
                             &c->verr))                                                            \
    X("timestamptz extract", NUMERIC,                                                              \
      weir_timestamp_extract(c->b, stamptz(c, c->a), true, &c->arena, &c->ret.num, &c->is_null,    \
                             &c->verr))                                                            \
    X("timestamp trunc", TIMESTAMP, weir_timestamp_trunc(c->b, stamp(c, c->a), false, TO_I8))      \
    X("date + integer", DATE, weir_date_add_days(day(c, c->a), i4(c, c->b), &c->ret.i4, &c->verr)) \
    X("date - date", INT4, weir_date_sub(day(c, c->a), day(c, c->b), &c->ret.i4, &c->verr))        \
    X("date + time", TIMESTAMP, weir_date_add_time(day(c, c->a), tod(c, c->b), TO_I8))             \
    X("date <=> timestamp", INT4,                                                                  \
      YIELD(i4, weir_date_compare_timestamp(day(c, c->a), stamp(c, c->b))))                        \
    X("date extract", NUMERIC,                                                                     \
      weir_date_extract(c->b, day(c, c->a), &c->arena, &c->ret.num, &c->is_null, &c->verr))        \
    X("time + interval", TIME, YIELD(i8, weir_time_add_interval(tod(c, c->a), span(c, c->b))))     \
    X("time - interval", TIME, YIELD(i8, weir_time_sub_interval(tod(c, c->a), span(c, c->b))))     \
    X("time - time", INTERVAL, YIELD(interval, weir_time_sub(tod(c, c->a), tod(c, c->b))))         \
    X("time extract", NUMERIC, weir_time_extract(c->b, tod(c, c->a), TO_NUM))                      \
    X("interval to time", TIME, YIELD(i8, weir_interval_to_time(span(c, c->a))))                   \
    X("interval + interval", INTERVAL, weir_interval_add(span(c, c->a), span(c, c->b), TO_SPAN))   \
    X("interval - interval", INTERVAL, weir_interval_sub(span(c, c->a), span(c, c->b), TO_SPAN))   \
    X("interval <=>", INT4, YIELD(i4, weir_interval_compare(span(c, c->a), span(c, c->b))))        \
    X("interval neg", INTERVAL, weir_interval_neg(span(c, c->a), TO_SPAN))                         \
    X("interval *", INTERVAL, weir_interval_mul(span(c, c->a), f8(c, c->b), TO_SPAN))              \
    X("interval /", INTERVAL, weir_interval_div(span(c, c->a), f8(c, c->b), TO_SPAN))              \
    X("interval justify_hours", INTERVAL, weir_interval_justify_hours(span(c, c->a), TO_SPAN))     \
    X("interval justify_days", INTERVAL, weir_interval_justify_days(span(c, c->a), TO_SPAN))       \
    X("interval justify", INTERVAL, weir_interval_justify(span(c, c->a), TO_SPAN))                 \
    X("interval extract", NUMERIC, weir_interval_extract(c->b, span(c, c->a), TO_NUM))             \
    X("interval trunc", INTERVAL, weir_interval_trunc(c->b, span(c, c->a), TO_SPAN))               \
    X("jsonb <=>", INT4, YIELD(i4, json_order(c)))                                                 \
    X("jsonb -> key", JSONB, FOUND(weir_jsonb_get_key(json(c, c->a), c->b, &c->ret.str)))          \
    X("jsonb ->> key", TEXT, json_text(c))                                                         \
    X("jsonb -> index", JSONB,                                                                     \
      FOUND(weir_jsonb_get_index(json(c, c->a), i4(c, c->b), &c->ret.str)))                        \
    X("text upper", TEXT, weir_utf8_upper(c->a, &c->arena, &c->ret.str))                           \
    X("text lower", TEXT, weir_utf8_lower(c->a, &c->arena, &c->ret.str))                           \
    X("text length", INT8, YIELD(i8, (int64_t)weir_utf8_length(c->a)))                             \
    X("text substring", TEXT, YIELD(str, weir_utf8_substring_from(c->a, i4(c, c->b))))             \
    X("text substring 2", TEXT, weir_utf8_substring(c->a, i4(c, c->b), 2, &c->ret.str, &c->verr))

#define DECLARE_CALL(name, type, call) { name, WEIR_TYPE_##type },
static const struct op {
    const char *name;
    enum weir_type_id result;
} ops[] = { OPS(DECLARE_CALL) };
enum { OP_COUNT = sizeof(ops) / sizeof(ops[0]) };

static int run(const char *op, struct call *c)
{
#define RUN_CALL(name, type, call) \
    if (strcmp(op, name) == 0) {   \
        return call;               \
    }
    OPS(RUN_CALL)
    fail_msg("no operator %s", op);
    return WEIR_EINVAL;
}

/* Whether the call came out as wanted; *text says how it came out. */
static bool check(const struct expected *row, enum weir_type_id type, struct call *c, char *text,
                  size_t text_bytes)
{
    int rc = run(row->op, c);
    struct weir_vec vec = { .type = { type, -1 }, .data = &c->ret };
    struct weir_str out;

    if (c->verr.sqlstate[0] != '\0') {
        rc = WEIR_EDATA; /* an operand could not be read */
    }
    if (rc != WEIR_OK) {
        (void)snprintf(text, text_bytes, "!%s %s", c->verr.sqlstate, c->verr.text);
        /* A detail may follow the message, and a long message is cut. */
        bool is_cut = strlen(c->verr.text) + 1 == sizeof(c->verr.text);
        return row->want != NULL && row->want[0] == '!' &&
               strncmp(text, row->want, strlen(is_cut ? text : row->want)) == 0;
    }
    if (c->is_null) {
        (void)snprintf(text, text_bytes, "null");
        return row->want == NULL;
    }
    assert_int_equal(weir_value_print(&vec, 0, &c->arena, &out), WEIR_OK);
    (void)snprintf(text, text_bytes, "%.*s", WEIR_STR_ARG(out));
    return row->want != NULL && weir_str_equal(out, weir_str_from(row->want));
}

static void an_operator_gives_what_postgresql_gives(void **state)
{
    const struct op *op = *state;
    struct call c = { .is_null = false };
    char text[1024];
    size_t count = 0;

    weir_arena_init(&c.arena, 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].op, op->name) != 0) {
            continue;
        }
        c.a = weir_str_from(rows[i].a);
        c.b = weir_str_from(rows[i].b);
        c.is_null = false;
        c.verr.sqlstate[0] = '\0';
        if (!check(&rows[i], op->result, &c, text, sizeof(text))) {
            fail_msg("%s of '%s' and '%s': %s, not %s", op->name, rows[i].a, rows[i].b, text,
                     rows[i].want == NULL ? "null" : rows[i].want);
        }
        weir_arena_reset(&c.arena);
        count++;
    }
    assert_true(count > 0);
    weir_arena_fini(&c.arena);
}

int main(void)
{
    struct CMUnitTest tests[OP_COUNT];

    for (size_t i = 0; i < OP_COUNT; i++) {
        tests[i] = (struct CMUnitTest){ ops[i].name, an_operator_gives_what_postgresql_gives, NULL,
                                        NULL, (void *)(uintptr_t)&ops[i] };
    }
    return _cmocka_run_group_tests("value_ops", tests, OP_COUNT, NULL, NULL);
}
