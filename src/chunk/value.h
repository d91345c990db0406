/* value.h: order, equality and hash of values of any type, as PostgreSQL's default b-tree and hash
 * operators have them (collation C.UTF-8): NaN is equal to itself and above all numbers, -0 equals 0,
 * char(n) ignores spaces at its end, text goes by code points, intervals by their estimate. */
#ifndef WEIR_CHUNK_VALUE_H
#define WEIR_CHUNK_VALUE_H

#include "chunk/chunk.h"

/* Negative, 0 or positive. Both vectors have the same type; neither value is null. */
int weir_value_compare(const struct weir_vec *a, uint32_t a_row, const struct weir_vec *b,
                       uint32_t b_row);
static inline bool weir_value_equal(const struct weir_vec *a, uint32_t a_row,
                                    const struct weir_vec *b, uint32_t b_row)
{
    return weir_value_compare(a, a_row, b, b_row) == 0;
}
/* The same for equal values of one type. Not for storage: it may change between versions. */
uint64_t weir_value_hash(const struct weir_vec *vec, uint32_t row);

/* Copies the memory behind a value (text, long numbers) to arena, so that the element can outlive
 * its chunk. false without memory. */
bool weir_value_copy(struct weir_arena *arena, const struct weir_vec *vec, uint32_t row, void *ret);

int weir_float8_compare(double a, double b);

#endif
