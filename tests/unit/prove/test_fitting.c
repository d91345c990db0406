/* test_fitting.c: which pipelines of the user's own can be played, and what is sent to them. */
#include "prove/fitting.h"

#include "tests/support/test.h"

/* As `weir explain` prints it. */
#define PIPELINE(reads, node, part)                                                       \
    "pipeline mine\n  output_partitions    1\n\nsource o (kafka, json)\n"                 \
    "  reads                " reads "\n\nsink 1 (postgres), one transaction a batch" part \
    "\n  dsn                  ***\n  table public.mine: rows are appended\n\n"            \
    "insert into public.mine (mine.sql:6)\n`- project\n   |  id bigint = id\n" node       \
    "   `- scan o\n"

static void columns_table_and_partitions_are_read(void **state)
{
    struct prove_fitting fitting;
    struct weir_error err;

    (void)state;
    assert_int_equal(
        prove_fitting_read(PIPELINE("id bigint, amount numeric(12,2), _offset", "", ""), &fitting,
                           &err),
        WEIR_OK);
    assert_int_equal(fitting.column_count, 2); /* the source makes _offset */
    assert_string_equal(fitting.columns[1].name, "amount");
    assert_string_equal(fitting.columns[1].type, "numeric(12,2)");
    assert_string_equal(fitting.table, "public.mine");
    assert_true(fitting.is_one_transaction);
    assert_int_equal(
        prove_fitting_read(PIPELINE("id bigint", "", " and output partition"), &fitting, &err),
        WEIR_OK);
    assert_false(fitting.is_one_transaction);
}

static void what_cannot_be_judged_is_refused(void **state)
{
    static const struct {
        const char *explained, *word;
    } rows[] = {
        { PIPELINE("id bigint", "   `- filter (id > 0)\n   ", ""), "WHERE" },
        { PIPELINE("name text", "", ""), "no column id" },
        { PIPELINE("id text", "", ""), "no column id" },
        { PIPELINE("id bigint, at interval", "", ""), "type interval" },
        { PIPELINE("id bigint", "", "") "\nsource p (kafka, json)\n", "2 sources" },
        { "", "0 sources" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct prove_fitting fitting;
        struct weir_error err;
        assert_int_equal(prove_fitting_read(rows[i].explained, &fitting, &err), WEIR_ECONFIG);
        assert_non_null(strstr(err.text, rows[i].word));
    }
}

static void a_file_must_go_where_the_proof_plays(void **state)
{
    struct weir_error err;

    (void)state;
    assert_int_equal(prove_fitting_check_text("'${WEIR_PROVE_BROKERS}' '${WEIR_PROVE_TOPIC:-t}' "
                                              "'${WEIR_PROVE_DSN:?why}'",
                                              &err),
                     WEIR_OK);
    assert_int_equal(
        prove_fitting_check_text("'${WEIR_PROVE_BROKERS}' 'orders' '${WEIR_PROVE_DSN}'", &err),
        WEIR_ECONFIG);
    assert_non_null(strstr(err.text, "${WEIR_PROVE_TOPIC}"));
}

static void messages_are_json_of_the_types_that_are_read(void **state)
{
    struct prove_fitting fitting;
    struct weir_error err;
    char message[PROVE_MESSAGE_BYTES];
    char again[PROVE_MESSAGE_BYTES];

    (void)state;
    assert_int_equal(
        prove_fitting_read(PIPELINE("id bigint, ok boolean, day date, doc jsonb", "", ""), &fitting,
                           &err),
        WEIR_OK);
    size_t len = prove_fitting_message(&fitting, 7, 42, message);
    message[len] = '\0';
    assert_int_equal(strncmp(message, "{\"id\":42,\"ok\":", 14), 0);
    assert_non_null(strstr(message, ",\"day\":\"2024-01-"));
    assert_non_null(strstr(message, ",\"doc\":{\"n\":"));
    assert_int_equal(message[len - 1], '}');
    assert_int_equal(prove_fitting_message(&fitting, 7, 42, again), len);
    assert_memory_equal(message, again, len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_table_and_partitions_are_read),
        cmocka_unit_test(what_cannot_be_judged_is_refused),
        cmocka_unit_test(a_file_must_go_where_the_proof_plays),
        cmocka_unit_test(messages_are_json_of_the_types_that_are_read),
    };

    return cmocka_run_group_tests_name("fitting", tests, NULL, NULL);
}
