/* test_catalogue.c: the tables say each thing once, and casts are found in their contexts. */
#include "expr/expr.h"
#include "tests/support/test.h"

static void no_function_is_there_twice(void **state)
{
    uint32_t count;
    const struct weir_function *functions = weir_functions(&count);

    (void)state;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            bool same =
                strcmp(functions[i].name, functions[k].name) == 0 &&
                functions[i].arg_count == functions[k].arg_count &&
                memcmp(functions[i].args, functions[k].args, sizeof(functions[i].args)) == 0;
            if (same) {
                fail_msg("%s is there twice for %s", functions[i].name,
                         weir_type_sql_name(functions[i].args[0]));
            }
        }
    }
}

static void no_cast_is_there_twice(void **state)
{
    uint32_t count;
    const struct weir_cast *casts = weir_casts(&count);

    (void)state;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (casts[i].from == casts[k].from && casts[i].to == casts[k].to) {
                fail_msg("%s to %s is there twice", weir_type_sql_name(casts[i].from),
                         weir_type_sql_name(casts[i].to));
            }
        }
    }
}

static void contexts_widen(void **state)
{
    (void)state;
    assert_non_null(weir_cast_find(WEIR_TYPE_INT4, WEIR_TYPE_INT8, WEIR_CAST_IMPLICIT));
    assert_null(weir_cast_find(WEIR_TYPE_INT8, WEIR_TYPE_INT4, WEIR_CAST_IMPLICIT));
    assert_non_null(weir_cast_find(WEIR_TYPE_INT8, WEIR_TYPE_INT4, WEIR_CAST_ASSIGNMENT));
    assert_non_null(weir_cast_find(WEIR_TYPE_INT8, WEIR_TYPE_INT4, WEIR_CAST_EXPLICIT));
    assert_null(weir_cast_find(WEIR_TYPE_BOOL, WEIR_TYPE_INT8, WEIR_CAST_EXPLICIT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_function_is_there_twice),
        cmocka_unit_test(no_cast_is_there_twice),
        cmocka_unit_test(contexts_widen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
