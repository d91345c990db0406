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

/* Takes bytes and fills them; returns the place. */
static unsigned char *fill(struct weir_arena *arena, size_t bytes, int value)
{
    unsigned char *place = weir_arena_alloc(arena, bytes);

    assert_non_null(place);
    memset(place, value, bytes);
    return place;
}

static void what_was_given_out_can_change_hands(void **state)
{
    (void)state;
    for (size_t spares = 0; spares < 4; spares++) {
        for (size_t used = 0; used < 4; used++) {
            struct weir_arena arena;
            struct weir_arena from;
            unsigned char *places[4] = { NULL };

            weir_arena_init(&arena, 1024);
            weir_arena_init(&from, 1024);
            for (size_t i = 0; i < spares; i++) {
                (void)fill(&arena, 1000, 0xee);
            }
            for (size_t i = 0; i < 3; i++) {
                (void)fill(&from, 1000, 0xdd); /* from has spares of its own */
            }
            weir_arena_reset(&arena);
            weir_arena_reset(&from);
            for (size_t i = 0; i < used; i++) {
                places[i] = fill(&from, 1000, (int)i);
            }
            weir_arena_take_over(&arena, &from);
            assert_int_equal(arena.used_bytes, used * 1000);
            assert_int_equal(from.used_bytes, 0);
            for (int i = 0; i < 8; i++) { /* both go on, and tread on nothing */
                (void)fill(&arena, 1000, 0xcc);
                (void)fill(&from, 1000, 0xbb);
            }
            for (size_t i = 0; i < used; i++) {
                assert_int_equal(places[i][0], i);
                assert_int_equal(places[i][999], i);
            }
            weir_arena_fini(&arena);
            weir_arena_fini(&from);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(reset_gives_the_same_memory_again),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(a_copy_ends_with_nul),
        cmocka_unit_test(what_was_given_out_can_change_hands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
