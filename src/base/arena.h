/* arena.h: memory that is given back all at once (a batch, a chunk, a plan).
 *
 * Allocation is a pointer bump; a block is taken from malloc when the last one is full, and kept
 * over reset so that a steady state allocates nothing. One thread at a time. */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include <stddef.h>

#include "base/str.h"

struct weir_arena_block;

struct weir_arena {
    struct weir_arena_block *first;   /* blocks in the order they were taken */
    struct weir_arena_block *current; /* the one being filled */
    size_t block_bytes;               /* size of a usual block */
    size_t used_bytes;                /* given out since the last reset, without padding */
};

/* Takes no memory yet. block_bytes 0 means 64 KiB. */
void weir_arena_init(struct weir_arena *arena, size_t block_bytes);
/* Frees everything; zeroed and finished arenas are allowed. */
void weir_arena_fini(struct weir_arena *arena);
/* Everything given out becomes invalid; usual blocks are kept, oversized ones freed. */
void weir_arena_reset(struct weir_arena *arena);

/* Moves everything that was given out by from to arena, which has given out nothing since its last
 * reset; the addresses stay valid. from gets as many of arena's spare blocks in return, so that
 * neither grows by it. Both have the same block_bytes. */
void weir_arena_take_over(struct weir_arena *arena, struct weir_arena *from);

/* bytes of uninitialised memory, aligned to 16; NULL when there is no memory (or bytes overflow). */
void *weir_arena_alloc(struct weir_arena *arena, size_t bytes);
/* The same for count elements of size bytes, zeroed; NULL also when count * size overflows. */
void *weir_arena_calloc(struct weir_arena *arena, size_t count, size_t size);
/* A copy with a NUL behind it (not counted in any length); NULL when there is no memory. */
char *weir_arena_copy(struct weir_arena *arena, struct weir_str text);

#endif
