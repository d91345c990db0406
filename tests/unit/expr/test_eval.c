/* test_eval.c: which rows are computed (X1), what a failed row does (X2), three-valued logic. */
#include "tests/unit/expr/tree.h"

static const int32_t column_a[TREE_ROWS] = { 1, 2, TREE_NULL, 4, 0, 6 };
static const int32_t column_b[TREE_ROWS] = { 0, 2, 3, TREE_NULL, 0, 3 };
static const uint8_t column_c[TREE_ROWS] = { 1, 0, TREE_BOOL_NULL, 1, 0, TREE_BOOL_NULL };

static void setup(struct tree *tree)
{
    tree_init(tree, column_a, column_b, column_c);
}

/* Compares a column of integers with what is expected; TREE_NULL for null. */
static void expect_ints(const struct weir_vec *vec, const int32_t want[TREE_ROWS])
{
    for (uint32_t row = 0; row < TREE_ROWS; row++) {
        assert_int_equal(weir_vec_is_null(vec, row) ? TREE_NULL : vec->i4[row], want[row]);
    }
}

static void expect_bools(const struct weir_vec *vec, const uint8_t want[TREE_ROWS])
{
    for (uint32_t row = 0; row < TREE_ROWS; row++) {
        assert_int_equal(weir_vec_is_null(vec, row) ? TREE_BOOL_NULL : vec->b[row], want[row]);
    }
}

/* covers: E-02 */
static void a_failed_row_is_null_and_recorded_once(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *quotient =
        tree_call(&tree, "/", tree_column(&tree, 0), tree_column(&tree, 1));
    struct weir_expr *twice = tree_call(&tree, "+", quotient, quotient);
    struct weir_vec ret = tree_eval(&tree, twice);

    expect_ints(&ret, (const int32_t[]){ TREE_NULL, 2, TREE_NULL, TREE_NULL, TREE_NULL, 4 });
    assert_int_equal(tree.eval.error_count, 2); /* X2: rows 0 and 4, each by its first failure */
    assert_int_equal(tree.eval.errors[0].row, 0);
    assert_int_equal(tree.eval.errors[1].row, 4);
    assert_string_equal(tree.eval.errors[0].sqlstate, "22012");
    assert_string_equal(tree.eval.errors[0].text, "division by zero");
    tree_fini(&tree);
}

static void a_row_that_failed_stays_null_in_the_next_expression(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    (void)tree_eval(&tree, tree_call(&tree, "/", tree_column(&tree, 0), tree_column(&tree, 1)));
    struct weir_vec ret = tree_eval(&tree, tree_column(&tree, 0));
    expect_ints(&ret, (const int32_t[]){ TREE_NULL, 2, TREE_NULL, 4, TREE_NULL, 6 });
    tree_fini(&tree);
}

/* b <> 0 AND a / b = 1: the division never sees a zero. */
static void the_right_side_of_and_is_computed_where_needed(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *quotient =
        tree_call(&tree, "/", tree_column(&tree, 0), tree_column(&tree, 1));
    struct weir_expr *both = TREE(&tree, WEIR_EXPR_AND, tree_bool,
                                  tree_call(&tree, "<>", tree_column(&tree, 1), tree_int(&tree, 0)),
                                  tree_call(&tree, "=", quotient, tree_int(&tree, 1)));
    struct weir_vec ret = tree_eval(&tree, both);

    expect_bools(&ret, (const uint8_t[]){ 0, 1, TREE_BOOL_NULL, TREE_BOOL_NULL, 0, 0 });
    assert_int_equal(tree.eval.error_count, 0); /* X1 */
    tree_fini(&tree);
}

static void case_computes_only_the_branch_taken(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *quotient =
        tree_call(&tree, "/", tree_column(&tree, 0), tree_column(&tree, 1));
    struct weir_expr *choice =
        TREE(&tree, WEIR_EXPR_CASE, tree_int4,
             tree_call(&tree, "=", tree_column(&tree, 1), tree_int(&tree, 0)), tree_int(&tree, -1),
             tree_call(&tree, "=", tree_column(&tree, 0), tree_int(&tree, 6)),
             tree_null(&tree, tree_int4), quotient);
    struct weir_vec ret = tree_eval(&tree, choice);

    expect_ints(&ret, (const int32_t[]){ -1, 1, TREE_NULL, TREE_NULL, -1, TREE_NULL });
    assert_int_equal(tree.eval.error_count, 0); /* X1 */
    tree_fini(&tree);
}

static void coalesce_stops_at_the_first_value(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *fails = tree_call(&tree, "/", tree_int(&tree, 1), tree_int(&tree, 0));
    struct weir_expr *first = TREE(&tree, WEIR_EXPR_COALESCE, tree_int4, tree_column(&tree, 0),
                                   tree_column(&tree, 1), fails);
    struct weir_vec ret = tree_eval(&tree, first);

    expect_ints(&ret, (const int32_t[]){ 1, 2, 3, 4, 0, 6 });
    assert_int_equal(tree.eval.error_count, 0); /* X1 */
    tree_fini(&tree);
}

/* a / b fails in rows 0 and 4: the failure is not taken for a null that 7 could replace. */
static void coalesce_does_not_hide_a_failure(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *quotient =
        tree_call(&tree, "/", tree_column(&tree, 0), tree_column(&tree, 1));
    struct weir_expr *first =
        TREE(&tree, WEIR_EXPR_COALESCE, tree_int4, quotient, tree_int(&tree, 7));
    struct weir_vec ret = tree_eval(&tree, first);

    expect_ints(&ret, (const int32_t[]){ TREE_NULL, 1, 7, 7, TREE_NULL, 2 });
    assert_int_equal(tree.eval.error_count, 2);
    tree_fini(&tree);
}

static void logic_has_three_values(void **state)
{
    static const uint8_t values[] = { 0, 1, TREE_BOOL_NULL };
    static const uint8_t want_and[3][3] = { { 0, 0, 0 }, { 0, 1, 2 }, { 0, 2, 2 } };
    static const uint8_t want_or[3][3] = { { 0, 1, 2 }, { 1, 1, 1 }, { 2, 1, 2 } };
    struct tree tree;

    (void)state;
    setup(&tree);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            struct weir_expr *args[2];
            for (int side = 0; side < 2; side++) {
                uint8_t value = values[side == 0 ? i : k];
                args[side] = value == TREE_BOOL_NULL ? tree_null(&tree, tree_bool)
                                                     : tree_bool_const(&tree, value);
            }
            struct weir_vec ret =
                tree_eval(&tree, tree_node(&tree, WEIR_EXPR_AND, tree_bool, 2, args));
            assert_int_equal(weir_vec_is_null(&ret, 0) ? TREE_BOOL_NULL : ret.b[0], want_and[i][k]);
            ret = tree_eval(&tree, tree_node(&tree, WEIR_EXPR_OR, tree_bool, 2, args));
            assert_int_equal(weir_vec_is_null(&ret, 0) ? TREE_BOOL_NULL : ret.b[0], want_or[i][k]);
        }
    }
    tree_fini(&tree);
}

static void is_tests_are_never_null(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *c = tree_column(&tree, 2);
    struct weir_vec ret = tree_eval(&tree, TREE(&tree, WEIR_EXPR_IS_NULL, tree_bool, c));
    expect_bools(&ret, (const uint8_t[]){ 0, 0, 1, 0, 0, 1 });
    ret = tree_eval(&tree, TREE(&tree, WEIR_EXPR_IS_TRUE, tree_bool, c));
    expect_bools(&ret, (const uint8_t[]){ 1, 0, 0, 1, 0, 0 });
    ret = tree_eval(&tree, TREE(&tree, WEIR_EXPR_IS_FALSE, tree_bool, c));
    expect_bools(&ret, (const uint8_t[]){ 0, 1, 0, 0, 1, 0 });
    ret = tree_eval(&tree, TREE(&tree, WEIR_EXPR_NOT, tree_bool, c));
    expect_bools(&ret, (const uint8_t[]){ 0, 1, 2, 0, 1, 2 });
    tree_fini(&tree);
}

static void distinct_nullif_and_in(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *a = tree_column(&tree, 0), *b = tree_column(&tree, 1);
    struct weir_expr *expr = TREE(&tree, WEIR_EXPR_DISTINCT, tree_bool, a, b);
    expr->function = tree_operator("=");
    struct weir_vec ret = tree_eval(&tree, expr);
    expect_bools(&ret, (const uint8_t[]){ 1, 0, 1, 1, 0, 1 });

    expr = TREE(&tree, WEIR_EXPR_NULLIF, tree_int4, a, b);
    expr->function = tree_operator("=");
    ret = tree_eval(&tree, expr);
    expect_ints(&ret, (const int32_t[]){ 1, TREE_NULL, TREE_NULL, 4, TREE_NULL, 6 });

    expr = TREE(&tree, WEIR_EXPR_IN, tree_bool, a, tree_int(&tree, 6), b, tree_int(&tree, 4));
    expr->function = tree_operator("=");
    ret = tree_eval(&tree, expr);
    expect_bools(&ret, (const uint8_t[]){ 0, 1, 2, 1, 1, 1 });
    tree_fini(&tree);
}

static void only_selected_rows_are_computed(void **state)
{
    static const uint32_t some[] = { 1, 5 };
    struct weir_vec ret;
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *quotient =
        tree_call(&tree, "/", tree_column(&tree, 0), tree_column(&tree, 1));
    assert_int_equal(weir_expr_eval(quotient, &tree.eval, &tree.chunk,
                                    (struct weir_sel){ .count = 2, .rows = some }, &ret),
                     WEIR_OK);
    assert_int_equal(tree.eval.error_count, 0); /* X1 */
    assert_int_equal(ret.i4[1], 1);
    assert_int_equal(ret.i4[5], 2);
    tree_fini(&tree);
}

/* A filter may leave nothing; that is no lack of memory. */
static void no_rows_are_no_failure(void **state)
{
    struct weir_vec ret;
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *quotient = tree_call(&tree, "/", tree_column(&tree, 0), tree_int(&tree, 0));
    struct weir_expr *choice =
        TREE(&tree, WEIR_EXPR_CASE, tree_int4, tree_column(&tree, 2), quotient,
             TREE(&tree, WEIR_EXPR_COALESCE, tree_int4, tree_column(&tree, 1), quotient));
    tree.chunk.rows = 0;
    assert_int_equal(weir_expr_eval(choice, &tree.eval, &tree.chunk,
                                    (struct weir_sel){ .count = 0, .rows = tree_all_rows }, &ret),
                     WEIR_OK);
    assert_int_equal(tree.eval.error_count, 0);
    tree_fini(&tree);
}

/* covers: E-09 */
static void batch_time_is_now(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    tree.eval.now_us = WEIR_UNIX_TO_PG_EPOCH_US + 5;
    struct weir_type type = { WEIR_TYPE_TIMESTAMPTZ, -1 };
    struct weir_vec ret = tree_eval(&tree, tree_node(&tree, WEIR_EXPR_BATCH_TIME, type, 0, NULL));
    assert_int_equal(ret.i8[3], 5); /* X3 */
    tree_fini(&tree);
}

static void folding_computes_constants_and_leaves_failures(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *sum = tree_call(&tree, "+", tree_int(&tree, 2), tree_int(&tree, 3));
    assert_int_equal(weir_expr_fold(sum, &tree.arena, NULL), WEIR_OK);
    assert_int_equal(sum->kind, WEIR_EXPR_CONST);
    assert_int_equal(sum->value.i4[0], 5);

    struct weir_expr *fails = tree_call(&tree, "/", tree_int(&tree, 1), tree_int(&tree, 0));
    assert_int_equal(weir_expr_fold(fails, &tree.arena, NULL), WEIR_OK);
    assert_int_equal(fails->kind, WEIR_EXPR_CALL);

    struct weir_expr *null =
        tree_call(&tree, "+", tree_column(&tree, 0), tree_null(&tree, tree_int4));
    assert_int_equal(weir_expr_fold(null, &tree.arena, NULL), WEIR_OK);
    assert_int_equal(null->kind, WEIR_EXPR_CONST);
    assert_true(weir_vec_is_null(&null->value, 0));

    struct weir_expr *decided =
        TREE(&tree, WEIR_EXPR_AND, tree_bool, tree_column(&tree, 2), tree_bool_const(&tree, 0));
    assert_int_equal(weir_expr_fold(decided, &tree.arena, NULL), WEIR_OK);
    assert_int_equal(decided->kind, WEIR_EXPR_CONST);
    tree_fini(&tree);
}

/* Branches that are never taken go, as does what follows one that always is: with nothing but null
 * left, a strict function of it is null and its other argument cannot fail. */
static void folding_leaves_only_what_can_be_reached(void **state)
{
    struct tree tree;

    (void)state;
    setup(&tree);
    struct weir_expr *fails = tree_call(&tree, "/", tree_column(&tree, 0), tree_int(&tree, 0));
    struct weir_expr *never =
        TREE(&tree, WEIR_EXPR_CASE, tree_int4, tree_bool_const(&tree, 0), tree_column(&tree, 1),
             tree_null(&tree, tree_bool), fails, tree_null(&tree, tree_int4));
    struct weir_expr *sum = tree_call(&tree, "+", never, fails);
    assert_int_equal(weir_expr_fold(sum, &tree.arena, NULL), WEIR_OK);
    assert_int_equal(sum->kind, WEIR_EXPR_CONST);
    assert_true(weir_vec_is_null(&sum->value, 0));

    struct weir_expr *some =
        TREE(&tree, WEIR_EXPR_CASE, tree_int4, tree_column(&tree, 2), tree_int(&tree, 1),
             tree_bool_const(&tree, 1), tree_int(&tree, 2), tree_column(&tree, 2), fails, fails);
    assert_int_equal(weir_expr_fold(some, &tree.arena, NULL), WEIR_OK);
    assert_int_equal(some->arg_count, 3);
    struct weir_vec ret = tree_eval(&tree, some);
    expect_ints(&ret, (const int32_t[]){ 1, 2, 2, 1, 2, 2 });

    struct weir_expr *first =
        TREE(&tree, WEIR_EXPR_COALESCE, tree_int4, tree_null(&tree, tree_int4),
             tree_column(&tree, 0), tree_int(&tree, 9), fails);
    assert_int_equal(weir_expr_fold(first, &tree.arena, NULL), WEIR_OK);
    assert_int_equal(first->arg_count, 2);

    struct weir_expr *both =
        TREE(&tree, WEIR_EXPR_AND, tree_bool, tree_bool_const(&tree, 1), tree_column(&tree, 2));
    assert_int_equal(weir_expr_fold(both, &tree.arena, NULL), WEIR_OK);
    assert_int_equal(both->kind, WEIR_EXPR_COLUMN);
    tree_fini(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_row_is_null_and_recorded_once),
        cmocka_unit_test(a_row_that_failed_stays_null_in_the_next_expression),
        cmocka_unit_test(the_right_side_of_and_is_computed_where_needed),
        cmocka_unit_test(case_computes_only_the_branch_taken),
        cmocka_unit_test(coalesce_stops_at_the_first_value),
        cmocka_unit_test(coalesce_does_not_hide_a_failure),
        cmocka_unit_test(logic_has_three_values),
        cmocka_unit_test(is_tests_are_never_null),
        cmocka_unit_test(distinct_nullif_and_in),
        cmocka_unit_test(only_selected_rows_are_computed),
        cmocka_unit_test(no_rows_are_no_failure),
        cmocka_unit_test(batch_time_is_now),
        cmocka_unit_test(folding_computes_constants_and_leaves_failures),
        cmocka_unit_test(folding_leaves_only_what_can_be_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
