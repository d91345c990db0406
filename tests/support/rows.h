/* rows.h: small chunks for tests of sinks: columns (id bigint, note text), each row from a record of
 * its own, whose offset is the row's id unless said otherwise. */
#ifndef WEIR_TESTS_ROWS_H
#define WEIR_TESTS_ROWS_H

#include <stdio.h>

#include "chunk/chunk.h"
#include "tests/support/test.h"

enum { TEST_ROWS_MAX = 4096 };

/* Everything lives until test_rows_fini(). */
struct test_rows {
    struct weir_arena arena;
};

static inline void test_rows_init(struct test_rows *rows)
{
    weir_arena_init(&rows->arena, 0);
}

static inline void test_rows_fini(struct test_rows *rows)
{
    weir_arena_fini(&rows->arena);
}

static inline struct weir_record *test_record(struct test_rows *rows, uint32_t partition,
                                              int64_t offset)
{
    struct weir_record *record = weir_arena_calloc(&rows->arena, 1, sizeof(*record));
    char text[32];

    assert_non_null(record);
    (void)snprintf(text, sizeof(text), "{\"id\":%lld}", (long long)offset);
    record->partition = partition;
    record->offset = offset;
    record->value.data = weir_arena_copy(&rows->arena, weir_str_from(text));
    record->value.len = strlen(text);
    record->key_is_null = true;
    return record;
}

/* count rows with ids first, first + 1, ... of source partition 0; note is "note-ID". */
static inline struct weir_chunk *test_chunk(struct test_rows *rows, int64_t first, uint32_t count)
{
    struct weir_chunk *chunk = weir_arena_calloc(&rows->arena, 1, sizeof(*chunk));
    struct weir_vec *vecs = weir_arena_calloc(&rows->arena, 2, sizeof(*vecs));
    const struct weir_record **origins = weir_arena_calloc(&rows->arena, count, sizeof(*origins));

    assert_true(count <= TEST_ROWS_MAX);
    vecs[0] = weir_vec_alloc(&rows->arena, (struct weir_type){ WEIR_TYPE_INT8, -1 }, count);
    vecs[1] = weir_vec_alloc(&rows->arena, (struct weir_type){ WEIR_TYPE_TEXT, -1 }, count);
    for (uint32_t r = 0; r < count; r++) {
        char note[32];
        int64_t id = first + r;

        (void)snprintf(note, sizeof(note), "note-%lld", (long long)id);
        vecs[0].i8[r] = id;
        vecs[1].str[r].data = weir_arena_copy(&rows->arena, weir_str_from(note));
        vecs[1].str[r].len = strlen(note);
        origins[r] = test_record(rows, 0, id);
    }
    *chunk = (struct weir_chunk){ .rows = count, .columns = 2, .vecs = vecs, .origins = origins };
    return chunk;
}

#endif
