/* test_arena.c: memory that is given back all at once. */
#include "base/arena.h"
#include "tests/support/test.h"

static void allocations_do_not_overlap(void **state)
{
    struct weir_arena arena;
    unsigned char *places[100];

    (void)state;
    weir_arena_init(&arena, 256);
    for (int i = 0; i < 100; i++) {
        places[i] = weir_arena_alloc(&arena, (size_t)i + 1);
        assert_non_null(places[i]);
        assert_int_equal((uintptr_t)places[i] % 16, 0);
        memset(places[i], i, (size_t)i + 1);
    }
    for (int i = 0; i < 100; i++) {
        for (int j = 0; j <= i; j++) {
            assert_int_equal(places[i][j], i);
        }
    }
    weir_arena_fini(&arena);
}

static void reset_gives_the_same_memory_again(void **state)
{
    struct weir_arena arena;
    void *first;

    (void)state;
    weir_arena_init(&arena, 4096);
    first = weir_arena_alloc(&arena, 100);
    assert_non_null(weir_arena_alloc(&arena, 100000)); /* oversized: freed by reset */
    weir_arena_reset(&arena);
    assert_ptr_equal(weir_arena_alloc(&arena, 100), first);
    assert_int_equal(arena.used_bytes, 100);
    weir_arena_fini(&arena);
}

static void sizes_that_overflow_are_refused(void **state)
{
    struct weir_arena arena;

    (void)state;
    weir_arena_init(&arena, 0);
    assert_null(weir_arena_alloc(&arena, SIZE_MAX - 8));
    assert_null(weir_arena_calloc(&arena, SIZE_MAX / 2, 4));
    weir_arena_fini(&arena);
    weir_arena_fini(&arena); /* a second time is harmless */
    weir_arena_fini(NULL);
}

static void a_copy_ends_with_nul(void **state)
{
    struct weir_arena arena;

    (void)state;
    weir_arena_init(&arena, 0);
    assert_string_equal(weir_arena_copy(&arena, WEIR_STR("weir")), "weir");
    assert_string_equal(weir_arena_copy(&arena, (struct weir_str){ 0 }), "");
    weir_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(reset_gives_the_same_memory_again),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(a_copy_ends_with_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
