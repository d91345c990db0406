/* arena.c: a list of blocks, filled front to back.
 *
 * A1  current is NULL (nothing allocated since the last reset) or a block of the list.
 * A2  Blocks behind current are empty spares, kept by reset.
 * Checked by asserts tagged A1 and tests/unit/base/test_arena.c. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"

enum { ARENA_ALIGN_BYTES = 16, ARENA_BLOCK_BYTES_DEFAULT = 64 * 1024 };

struct weir_arena_block {
    struct weir_arena_block *next;
    size_t capacity_bytes;
    size_t used_bytes;
    alignas(ARENA_ALIGN_BYTES) unsigned char data[];
};

void weir_arena_init(struct weir_arena *arena, size_t block_bytes)
{
    *arena = (struct weir_arena){ .block_bytes =
                                      block_bytes == 0 ? ARENA_BLOCK_BYTES_DEFAULT : block_bytes };
}

void weir_arena_fini(struct weir_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    for (struct weir_arena_block *block = arena->first; block != NULL;) {
        struct weir_arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (struct weir_arena){ .block_bytes = arena->block_bytes };
}

void weir_arena_reset(struct weir_arena *arena)
{
    struct weir_arena_block **link = &arena->first;

    while (*link != NULL) {
        struct weir_arena_block *block = *link;
        if (block->capacity_bytes > arena->block_bytes) {
            *link = block->next;
            free(block);
        } else {
            block->used_bytes = 0;
            link = &block->next;
        }
    }
    arena->current = NULL;
    arena->used_bytes = 0;
}

/* The next block with room for bytes: a spare one, or a new one linked behind current. */
static struct weir_arena_block *grow(struct weir_arena *arena, size_t bytes)
{
    struct weir_arena_block **link = arena->current == NULL ? &arena->first : &arena->current->next;
    struct weir_arena_block *block = *link;

    if (block == NULL || block->capacity_bytes < bytes) {
        size_t capacity = bytes > arena->block_bytes ? bytes : arena->block_bytes;

        block = malloc(sizeof(*block) + capacity);
        if (block == NULL) {
            return NULL;
        }
        block->capacity_bytes = capacity;
        block->used_bytes = 0;
        block->next = *link;
        *link = block;
    }
    arena->current = block;
    return block;
}

void *weir_arena_alloc(struct weir_arena *arena, size_t bytes)
{
    struct weir_arena_block *block = arena->current;
    size_t rounded;

    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    rounded = (bytes + ARENA_ALIGN_BYTES - 1) & ~(size_t)(ARENA_ALIGN_BYTES - 1);
    if (block == NULL || block->capacity_bytes - block->used_bytes < rounded) {
        block = grow(arena, rounded);
        if (block == NULL) {
            return NULL;
        }
    }
    weir_assert(block->used_bytes + rounded <= block->capacity_bytes); /* A1 */
    void *ret = block->data + block->used_bytes;
    block->used_bytes += rounded;
    arena->used_bytes += bytes;
    return ret;
}

void weir_arena_take_over(struct weir_arena *arena, struct weir_arena *from)
{
    struct weir_arena_block *last_used = from->current;
    struct weir_arena_block *spares = arena->first; /* A2: all of arena's blocks are */
    struct weir_arena_block *last_spare = NULL;
    struct weir_arena_block *rest = arena->first;

    weir_assert(arena->current == NULL && arena->block_bytes == from->block_bytes);
    if (last_used == NULL) {
        return;
    }
    /* As many spares as there are used blocks, or all there are. */
    for (struct weir_arena_block *used = from->first; used != last_used->next; used = used->next) {
        if (rest != NULL) {
            last_spare = rest;
            rest = rest->next;
        }
    }
    arena->first = from->first;
    arena->current = last_used;
    arena->used_bytes = from->used_bytes;
    from->first = last_used->next;
    last_used->next = rest;
    if (last_spare != NULL) {
        last_spare->next = from->first;
        from->first = spares;
    }
    from->current = NULL;
    from->used_bytes = 0;
}

void *weir_arena_calloc(struct weir_arena *arena, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    void *ret = weir_arena_alloc(arena, bytes);
    if (ret != NULL) {
        memset(ret, 0, bytes);
    }
    return ret;
}

char *weir_arena_copy(struct weir_arena *arena, struct weir_str text)
{
    char *ret = weir_arena_alloc(arena, text.len + 1);

    if (ret != NULL) {
        if (text.len != 0) {
            memcpy(ret, text.data, text.len);
        }
        ret[text.len] = '\0';
    }
    return ret;
}
