/* test_plan.c: what a good file becomes: settings, columns, sinks, explain, definition. */
#include <stdlib.h>

#include "sql/reference.h"
#include "tests/support/test.h"
#include "tests/unit/sql/fake_registry.h"

static struct weir_plan *make_with(const char *text, const struct weir_setting_override *overrides,
                                   uint32_t count)
{
    struct weir_plan *plan = NULL;
    struct weir_error err = { 0 };
    int rc =
        weir_plan_make("f.sql", weir_str_from(text), &fake_registry, overrides, count, &plan, &err);

    if (rc != WEIR_OK) {
        fail_msg("%s", err.text);
    }
    return plan;
}

static struct weir_plan *make(const char *text)
{
    return make_with(text, NULL, 0);
}

static const char flights[] =
    "SET pipeline.name = 'flights';\n"
    "SET pipeline.trigger = '${WEIR_TEST_TRIGGER:-250 ms}';\n"
    "CREATE TABLE departures (minute integer, unused text, \"Dest\" text, delay integer)\n"
    "  WITH (connector = 'stream', topic = 'fl', on_error = 'dead_letter',\n"
    "        \"stream.sasl.password\" = 'geheim', on_data_loss = 'skip');\n"
    "CREATE TABLE public.flights (dest text, delay bigint, note text, place bigint NOT NULL,\n"
    "  PRIMARY KEY (place, dest))\n"
    "  WITH (connector = 'store', dsn = 'postgres://me:geheim@db/x', ticket = 'geheim');\n"
    "CREATE TABLE late (n integer, at timestamptz)\n"
    "  WITH (connector = 'store', dsn = 'postgres://me:geheim@db/x', ticket = 'geheim',\n"
    "        create_table = true);\n"
    "CREATE TABLE elsewhere (n integer) WITH (connector = 'store', dsn = 'other');\n"
    "INSERT INTO flights (place, dest, delay)\n"
    "SELECT _offset, \"Dest\", delay FROM departures d WHERE d.delay IS NOT NULL;\n"
    "INSERT INTO public.late SELECT minute + 1, now() FROM departures\n"
    "WHERE delay > 15 AND \"Dest\" NOT IN ('ATL', 'it''s');\n"
    "INSERT INTO elsewhere SELECT CASE WHEN delay > 1 THEN 1 ELSE delay END FROM departures;\n";

static const char flights_explained[] =
    "pipeline flights\n"
    "  delivery             exactly_once\n"
    "  trigger              250 ms\n"
    "  batch_rows           50000\n"
    "  batch_bytes          16777216\n"
    "  output_partitions    1\n"
    "  partition_by         key\n"
    "  retry_limit          600 s\n"
    "  log.segment_bytes    16777216\n"
    "  log.retain_bytes     67108864\n"
    "\n"
    "source departures (stream, json)\n"
    "  topic                fl\n"
    "  stream.sasl.password ***\n"
    "  on_data_loss         skip\n"
    "  on_error             dead_letter\n"
    "  reads                minute integer, Dest text, delay integer, _offset\n"
    "\n"
    "sink 1 (store), one transaction a batch\n"
    "  dsn                  postgres://me:***@db/x\n"
    "  ticket               ***\n"
    "  table public.flights: rows replace those of the same key (place, dest)\n"
    "  table late: rows are appended\n"
    "  create_table         true\n"
    "\n"
    "sink 2 (store), one transaction a batch\n"
    "  dsn                  other\n"
    "  table elsewhere: rows are appended\n"
    "\n"
    "insert into public.flights (f.sql:13)\n"
    "`- project\n"
    "   |  dest text = \"Dest\"\n"
    "   |  delay bigint = delay:=bigint\n"
    "   |  place bigint = _offset\n"
    "   `- filter (NOT (delay IS NULL))\n"
    "      `- scan departures\n"
    "\n"
    "insert into late (f.sql:15)\n"
    "`- project\n"
    "   |  n integer = (minute + 1)\n"
    "   |  at timestamp with time zone = now()\n"
    "   `- filter ((delay > 15) AND (NOT (\"Dest\" IN ('ATL', 'it''s'))))\n"
    "      `- scan departures\n"
    "\n"
    "insert into elsewhere (f.sql:17)\n"
    "`- project\n"
    "   |  n integer = CASE WHEN (delay > 1) THEN 1 ELSE delay END\n"
    "   `- scan departures\n"
    "\n"
    "promise\n";

static void explain_tells_the_whole_plan(void **state)
{
    struct weir_plan *plan = make(flights);
    struct weir_buf buf = { 0 };

    (void)state;
    weir_plan_explain(plan, &buf);
    weir_buf_put_u8(&buf, 0);
    char *promise = strstr((char *)buf.data, "promise\n");
    assert_non_null(promise);
    assert_non_null(strstr(promise, "  departures -> public.flights: exactly_once\n"));
    assert_non_null(strstr(promise, "ledger moves in the same store transaction"));
    assert_non_null(strstr(promise, "outside the promise: bad records, which become dead letters"));
    assert_non_null(strstr(promise, "(on_data_loss = 'skip')"));
    assert_non_null(strstr(promise, "\nfingerprint "));
    assert_null(strstr((char *)buf.data, "geheim"));
    promise[strlen("promise\n")] = '\0';
    assert_string_equal((char *)buf.data, flights_explained);
    weir_buf_fini(&buf);
    weir_plan_free(plan);
}

static void the_definition_is_what_the_pipeline_means(void **state)
{
    struct weir_plan *plan = make(flights);

    (void)state;
    assert_string_equal(plan->definition.data,
                        "weir pipeline definition, version 1\n"
                        "source departures stream json topic=2:fl\n"
                        "  minute integer\n"
                        "  Dest text\n"
                        "  delay integer\n"
                        "table public.flights sink=0 store mode=4:auto\n"
                        "  dest text NOT NULL\n"
                        "  delay bigint\n"
                        "  place bigint NOT NULL\n"
                        "  key place\n"
                        "  key dest\n"
                        "table public.late sink=0 store mode=4:auto\n"
                        "  n integer\n"
                        "  at timestamp with time zone\n"
                        "table public.elsewhere sink=1 store mode=4:auto\n"
                        "  n integer\n"
                        "insert public.flights from departures\n"
                        "  = \"Dest\"\n"
                        "  = delay:=bigint\n"
                        "  = _offset\n"
                        "  where (NOT (delay IS NULL))\n"
                        "insert late from departures\n"
                        "  = (minute + 1)\n"
                        "  = now()\n"
                        "  where ((delay > 15) AND (NOT (\"Dest\" IN ('ATL', 'it''s'))))\n"
                        "insert elsewhere from departures\n"
                        "  = CASE WHEN (delay > 1) THEN 1 ELSE delay END\n");
    weir_plan_free(plan);
}

static void columns_are_numbered_as_the_chunk_has_them(void **state)
{
    struct weir_plan *plan = make(flights);
    const struct weir_plan_source *source = &plan->sources[0];
    const struct weir_sink_table *table = &plan->tables[0].target;

    (void)state;
    assert_int_equal(source->decoded_count, 3); /* unused is not decoded */
    assert_string_equal(source->decoded[1].name, "Dest");
    assert_int_equal(source->meta_used, 1 << WEIR_META_OFFSET);
    assert_int_equal(plan->inserts[0].exprs[0]->column, 1);
    assert_int_equal(plan->inserts[0].exprs[2]->column, 3 + WEIR_META_OFFSET);
    assert_int_equal(table->column_count, 3); /* note is named by no INSERT */
    assert_int_equal(table->key_count, 2);
    assert_int_equal(table->key[0], 2);
    assert_int_equal(table->key[1], 0);
    assert_true(table->columns[0].not_null);
    assert_false(table->columns[1].not_null);
    assert_string_equal(table->schema, "public");
    assert_null(plan->tables[1].target.schema);
    assert_int_equal(plan->sink_count, 2);
    assert_int_equal(plan->sinks[0].table_count, 2);
    assert_int_equal(plan->tables[2].sink, 1);
    assert_int_equal(plan->settings.trigger_us, 250000);
    weir_plan_free(plan);
}

static void inserts_of_one_table_are_united(void **state)
{
    struct weir_plan *plan = make(FAKE_PRELUDE "INSERT INTO t (y) SELECT b FROM s;\n"
                                               "INSERT INTO t (x) SELECT a FROM s;\n");

    (void)state;
    assert_int_equal(plan->tables[0].target.column_count, 2);
    assert_int_equal(plan->inserts[0].expr_count, 2);
    assert_int_equal(plan->inserts[0].exprs[0]->kind, WEIR_EXPR_CONST);
    assert_int_equal(plan->inserts[0].exprs[0]->type.id, WEIR_TYPE_INT4);
    assert_true(weir_vec_is_null(&plan->inserts[0].exprs[0]->value, 0));
    assert_int_equal(plan->inserts[0].exprs[1]->kind, WEIR_EXPR_COLUMN);
    assert_int_equal(plan->inserts[1].exprs[1]->kind, WEIR_EXPR_CONST);
    weir_plan_free(plan);
}

static void a_star_is_the_declared_columns(void **state)
{
    struct weir_plan *plan = make(
        "SET pipeline.name = 'x';\n"
        "CREATE TABLE s (a integer, b text) WITH (connector = 'stream', topic = 'x');\n"
        "CREATE TABLE t (x integer, y text, z integer) WITH (connector = 'store', dsn = 'd');\n"
        "INSERT INTO t SELECT s.*, a FROM s;\n");

    (void)state;
    assert_int_equal(plan->inserts[0].expr_count, 3);
    assert_int_equal(plan->inserts[0].exprs[1]->column, 1);
    assert_int_equal(plan->inserts[0].exprs[2]->column, 0);
    assert_int_equal(plan->sources[0].meta_used, 0);
    weir_plan_free(plan);
}

static const char small[] = FAKE_PRELUDE "INSERT INTO t SELECT a, b FROM s;\n";

static void the_command_line_wins_over_the_file(void **state)
{
    static const struct weir_setting_override overrides[] = {
        { "pipeline.name", "q" },          { "trigger", "1 s" },
        { "output_partitions", "2" },      { "output_partitions", "4" },
        { "delivery", "at_least_once" },   { "partition_by", "source_partition" },
        { "pipeline.retry_limit", "0 s" },
    };
    struct weir_plan *plan = make_with(small, overrides, sizeof(overrides) / sizeof(overrides[0]));

    (void)state;
    assert_string_equal(plan->settings.name, "q");
    assert_int_equal(plan->settings.trigger_us, 1000000);
    assert_int_equal(plan->settings.output_partitions, 4);
    assert_int_equal(plan->settings.delivery, WEIR_AT_LEAST_ONCE);
    assert_true(plan->settings.partition_by_source);
    assert_int_equal(plan->settings.retry_limit_us, 0);
    weir_plan_free(plan);
}

static const struct bad_override {
    struct weir_setting_override override;
    const char *want;
} bad_overrides[] = {
    { { "nam", "x" },
      "f.sql: error: --set: unknown setting \"nam\"\nhint: `weir reference` lists the settings" },
    { { "trigger", "soon" },
      "f.sql: error: --set: option trigger: 'soon' is not a duration such as '100 ms', '5 s' or '2 "
      "min'" },
};

/* */
static void a_bad_override_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_overrides) / sizeof(bad_overrides[0]); i++) {
        struct weir_plan *plan = NULL;
        struct weir_error err;
        assert_int_equal(weir_plan_make("f.sql", weir_str_from(small), &fake_registry,
                                        &bad_overrides[i].override, 1, &plan, &err),
                         WEIR_ECONFIG);
        assert_string_equal(err.text, bad_overrides[i].want);
    }
}

/* Each row is a file that differs from the small one, and whether it means something else. */
static const struct meaning {
    const char *name, *text;
    bool same;
} meanings[] = {
    { "layout and comments", "-- c\n" FAKE_PRELUDE "INSERT INTO t\nSELECT a,b /* d */ FROM s",
      true },
    { "another name and pace",
      "SET pipeline.name = 'q'; SET pipeline.trigger = '1 s'; SET pipeline.batch_rows = 7;\n"
      "CREATE TABLE s (a integer, b text, more date) WITH (connector = 'stream', topic = 'x', "
      "brokers = 'far', \"stream.x\" = 'y');\n"
      "CREATE TABLE t (x integer, y text) WITH (connector = 'store', dsn = 'other', ticket = 'x', "
      "create_table = true);\nINSERT INTO t SELECT a, b FROM s",
      true },
    { "columns by name", FAKE_PRELUDE "INSERT INTO public.t (y, x) SELECT b, a FROM s AS q", true },
    { "a filter", FAKE_PRELUDE "INSERT INTO t SELECT a, b FROM s WHERE a > 1", false },
    { "an expression", FAKE_PRELUDE "INSERT INTO t SELECT a + 1, b FROM s", false },
    { "a second INSERT",
      FAKE_PRELUDE "INSERT INTO t SELECT a, b FROM s; INSERT INTO t SELECT a, b FROM s", false },
    { "another topic",
      "SET pipeline.name = 'p';\n"
      "CREATE TABLE s (a integer, b text) WITH (connector = 'stream', topic = 'y');\n"
      "CREATE TABLE t (x integer, y text) WITH (connector = 'store', dsn = 'db');\n"
      "INSERT INTO t SELECT a, b FROM s",
      false },
    { "another type",
      "SET pipeline.name = 'p';\n"
      "CREATE TABLE s (a smallint, b text) WITH (connector = 'stream', topic = 'x');\n"
      "CREATE TABLE t (x integer, y text) WITH (connector = 'store', dsn = 'db');\n"
      "INSERT INTO t SELECT a, b FROM s",
      false },
    { "a key",
      "SET pipeline.name = 'p';\n"
      "CREATE TABLE s (a integer, b text) WITH (connector = 'stream', topic = 'x');\n"
      "CREATE TABLE t (x integer, y text, PRIMARY KEY (x)) WITH (connector = 'store', dsn = "
      "'db');\n"
      "INSERT INTO t SELECT a, b FROM s",
      false },
    { "another answer to bad records",
      "SET pipeline.name = 'p';\n"
      "CREATE TABLE s (a integer, b text) WITH (connector = 'stream', topic = 'x', on_error = "
      "'skip');\n"
      "CREATE TABLE t (x integer, y text) WITH (connector = 'store', dsn = 'db');\n"
      "INSERT INTO t SELECT a, b FROM s",
      true },
};

enum { MEANINGS = sizeof(meanings) / sizeof(meanings[0]) };

static void the_fingerprint_follows_the_meaning(void **state)
{
    const struct meaning *row = *state;
    struct weir_plan *plan = make(small), *other = make(row->text);

    assert_int_equal(weir_digest_equal(plan->fingerprint, other->fingerprint), row->same);
    weir_plan_free(plan);
    weir_plan_free(other);
}

/* What is declared is for who makes the table; what is written is for who fills it. */
static void a_target_knows_columns_that_nothing_writes(void **state)
{
    struct weir_plan *plan =
        make("SET pipeline.name = 'p';\n"
             "CREATE TABLE s (a integer) WITH (connector = 'stream', topic = 'x');\n"
             "CREATE TABLE t (note text, x integer, y numeric(4,1), PRIMARY KEY (x))\n"
             "  WITH (connector = 'store', dsn = 'db');\n"
             "INSERT INTO t (x) SELECT a FROM s;\n");
    const struct weir_sink_table *target = &plan->tables[0].target;

    (void)state;
    assert_int_equal(target->column_count, 1);
    assert_string_equal(target->columns[target->key[0]].name, "x");
    assert_int_equal(target->declared_count, 3);
    assert_string_equal(target->declared[0].name, "note");
    assert_true(target->declared[1].not_null && !target->declared[2].not_null);
    assert_int_equal(target->declared[2].type.id, WEIR_TYPE_NUMERIC);
    weir_plan_free(plan);
}

static void connections_that_mean_the_same_are_one(void **state)
{
    struct weir_plan *plan =
        make("SET pipeline.name = 'p';\n"
             "CREATE TABLE s (a integer) WITH (connector = 'stream', topic = 'x');\n"
             "CREATE TABLE t (x integer) WITH (connector = 'store', dsn = 'db',\n"
             "  patience = '30000 ms', \"store.zone\" = 'x');\n"
             "CREATE TABLE u (x integer) WITH (connector = 'store', \"store.zone\" = 'x',\n"
             "  dsn = 'db');\n"
             "INSERT INTO t SELECT a FROM s;\n"
             "INSERT INTO u SELECT a FROM s;\n");

    (void)state;
    assert_int_equal(plan->sink_count, 1);
    assert_int_equal(plan->sinks[0].table_count, 2);
    weir_plan_free(plan);
}

static void environment_variables_are_values_and_not_sql(void **state)
{
    static const char text[] =
        "SET pipeline.name = 'p';\n"
        "CREATE TABLE s (a integer) WITH (connector = 'stream', topic = 'a${WEIR_TEST_A}b"
        "${WEIR_TEST_A:-no}${WEIR_TEST_EMPTY:-yes}${WEIR_TEST_EMPTY}$x{');\n"
        "CREATE TABLE t (x integer, y text) WITH (connector = 'store', dsn = "
        "'${WEIR_TEST_A:?why}');\n"
        "INSERT INTO t SELECT a, '${WEIR_TEST_A}' FROM s;\n";
    struct weir_plan *plan;

    (void)state;
    assert_int_equal(setenv("WEIR_TEST_A", "'); DROP TABLE t; --", 1), 0);
    assert_int_equal(setenv("WEIR_TEST_EMPTY", "", 1), 0);
    plan = make(text);
    struct weir_str topic =
        weir_options_get(plan->sources[0].ops->options, plan->sources[0].options, "topic").text;
    assert_string_equal(topic.data, "a'); DROP TABLE t; --b'); DROP TABLE t; --yes$x{");
    struct weir_str literal = plan->inserts[0].exprs[1]->value.str[0];
    assert_true(weir_str_equal(literal, WEIR_STR("${WEIR_TEST_A}"))); /* data is left alone */
    weir_plan_free(plan);
}

static void raw_takes_one_column_and_metadata(void **state)
{
    struct weir_plan *plan = make(
        "SET pipeline.name = 'p';\n"
        "CREATE TABLE s (line text) WITH (connector = 'stream', topic = 'x', format = 'raw');\n"
        "CREATE TABLE t (x text, k bytea, p integer, at timestamptz, h jsonb, topic text)\n"
        "  WITH (connector = 'store', dsn = 'db');\n"
        "INSERT INTO t SELECT line, _key, _partition, _timestamp, _headers, _topic FROM s;\n");

    (void)state;
    assert_string_equal(plan->sources[0].format->name, "raw");
    assert_int_equal(plan->sources[0].meta_used, 0x3f & ~(1 << WEIR_META_OFFSET));
    weir_plan_free(plan);
}

static void modes_that_promise_less_need_less(void **state)
{
    struct weir_plan *plan =
        make("SET pipeline.name = 'p'; SET pipeline.delivery = 'at_most_once';\n"
             "CREATE TABLE s (a text) WITH (connector = 'socket', port = 99);\n"
             "CREATE TABLE t (x text) WITH (connector = 'printer');\n"
             "INSERT INTO t SELECT a FROM s;\n");
    struct weir_buf buf = { 0 };

    (void)state;
    weir_plan_explain(plan, &buf);
    weir_buf_put_u8(&buf, 0);
    assert_non_null(
        strstr((char *)buf.data, "s -> t: at_most_once\n    each row once or not at all"));
    weir_buf_fini(&buf);
    weir_plan_free(plan);
}

static void the_reference_lists_everything(void **state)
{
    static const char *const wanted[] = {
        "| `pipeline.trigger` | duration | `100 ms` |",
        "| `on_error` | `fail\\|dead_letter\\|skip` | `fail` |",
        "### Source `stream`",
        "### Sink `store`, of a table",
        "### Format `csv`",
        "| `_offset` | bigint | its offset in the partition |",
        "- timestamp with time zone\n",
        "`integer + integer`",
        "`lower(text)`",
        "`boolean = boolean`",
    };
    struct weir_buf buf = { 0 };

    (void)state;
    weir_reference_markdown(&fake_registry, &buf);
    weir_buf_put_u8(&buf, 0);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strstr((char *)buf.data, wanted[i]) == NULL) {
            fail_msg("the reference does not hold: %s", wanted[i]);
        }
    }
    weir_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest fixed[] = {
        cmocka_unit_test(explain_tells_the_whole_plan),
        cmocka_unit_test(the_definition_is_what_the_pipeline_means),
        cmocka_unit_test(columns_are_numbered_as_the_chunk_has_them),
        cmocka_unit_test(inserts_of_one_table_are_united),
        cmocka_unit_test(a_star_is_the_declared_columns),
        cmocka_unit_test(a_target_knows_columns_that_nothing_writes),
        cmocka_unit_test(connections_that_mean_the_same_are_one),
        cmocka_unit_test(the_command_line_wins_over_the_file),
        cmocka_unit_test(a_bad_override_is_refused),
        cmocka_unit_test(environment_variables_are_values_and_not_sql),
        cmocka_unit_test(raw_takes_one_column_and_metadata),
        cmocka_unit_test(modes_that_promise_less_need_less),
        cmocka_unit_test(the_reference_lists_everything),
    };
    enum { FIXED = sizeof(fixed) / sizeof(fixed[0]) };
    struct CMUnitTest tests[FIXED + MEANINGS];

    memcpy(tests, fixed, sizeof(fixed));
    for (size_t i = 0; i < MEANINGS; i++) {
        tests[FIXED + i] =
            (struct CMUnitTest){ meanings[i].name, the_fingerprint_follows_the_meaning, NULL, NULL,
                                 (void *)&meanings[i] };
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
