/* chunk.c: allocates and packs columns. Uses base/arena.h only. */
#include "chunk/chunk.h"

#include <string.h>

struct weir_vec weir_vec_alloc(struct weir_arena *arena, struct weir_type type, uint32_t rows)
{
    return (struct weir_vec){ .type = type,
                              .data = weir_arena_alloc(arena, rows * weir_type_bytes(type.id)) };
}

uint64_t *weir_bitmap_alloc(struct weir_arena *arena, uint32_t rows, bool all_valid)
{
    size_t words = ((size_t)rows + 63) / 64;
    uint64_t *ret = weir_arena_alloc(arena, words * sizeof(*ret));

    if (ret != NULL) {
        memset(ret, all_valid ? 0xff : 0, words * sizeof(*ret));
        if (all_valid && rows % 64 != 0) {
            ret[words - 1] = (UINT64_C(1) << (rows % 64)) - 1;
        }
    }
    return ret;
}

/* One loop for each width, so that the compiler sees a fixed-size copy. */
#define GATHER(ctype)                              \
    do {                                           \
        const ctype *from = vec->data;             \
        ctype *to = out.data;                      \
        for (uint32_t i = 0; i < sel.count; i++) { \
            to[i] = from[sel.rows[i]];             \
        }                                          \
    } while (0)

struct bytes16 {
    uint64_t words[2];
};

_Static_assert(sizeof(struct weir_str) == 16 && sizeof(struct weir_numeric) == 16 &&
                   sizeof(struct weir_interval) == 16 && sizeof(struct weir_uuid) == 16,
               "gather copies elements of 1, 2, 4, 8 or 16 bytes");

int weir_vec_gather(struct weir_arena *arena, const struct weir_vec *vec, struct weir_sel sel,
                    struct weir_vec *ret, struct weir_error *err)
{
    struct weir_vec out = weir_vec_alloc(arena, vec->type, sel.count);

    if (out.data == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a column of %u rows", sel.count);
    }
    switch (weir_type_bytes(vec->type.id)) {
    case 1:
        GATHER(uint8_t);
        break;
    case 2:
        GATHER(uint16_t);
        break;
    case 4:
        GATHER(uint32_t);
        break;
    case 8:
        GATHER(uint64_t);
        break;
    default:
        GATHER(struct bytes16);
        break;
    }
    if (vec->valid != NULL) {
        uint64_t *valid = weir_bitmap_alloc(arena, sel.count, false);
        if (valid == NULL) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory for a column of %u rows", sel.count);
        }
        for (uint32_t i = 0; i < sel.count; i++) {
            valid[i / 64] |= (vec->valid[sel.rows[i] / 64] >> (sel.rows[i] % 64) & 1) << (i % 64);
        }
        out.valid = valid;
    }
    *ret = out;
    return WEIR_OK;
}

int weir_chunk_gather(struct weir_arena *arena, const struct weir_chunk *chunk, struct weir_sel sel,
                      struct weir_chunk *ret, struct weir_error *err)
{
    struct weir_chunk out = { .rows = sel.count, .columns = chunk->columns };
    const struct weir_record **origins = weir_arena_alloc(arena, sel.count * sizeof(*origins));

    out.vecs = weir_arena_calloc(arena, chunk->columns, sizeof(*out.vecs));
    if (out.vecs == NULL || origins == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a chunk of %u rows", sel.count);
    }
    for (uint32_t c = 0; c < chunk->columns; c++) {
        int rc = weir_vec_gather(arena, &chunk->vecs[c], sel, &out.vecs[c], err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < sel.count; i++) {
        origins[i] = chunk->origins[sel.rows[i]];
    }
    out.origins = origins;
    *ret = out;
    return WEIR_OK;
}
