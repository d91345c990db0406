/* row_key.h: a row's key as bytes that compare like the values.
 *
 * Keys that PostgreSQL's unique index holds for equal (1.0 and 1.00, 0.0 and -0.0, 'a' and 'a ' as
 * character(2), 30 days and one month) get equal bytes, so that a batch never sends two rows that
 * ON CONFLICT would meet twice. memcmp() gives a total order, the same in every session, so row
 * locks are always taken in the same order; for numbers and times it is also that of the index.
 * Collations that hold different texts for equal are not known here; check() refuses them. */
#ifndef WEIR_SINK_ROW_KEY_H
#define WEIR_SINK_ROW_KEY_H

#include "base/buf.h"
#include "chunk/chunk.h"

/* Whether a column of this type can be in a key. */
bool weir_row_key_allowed(enum weir_type_id id);
/* Appends value r of vec. Out of memory marks the buffer. */
void weir_row_key_append(struct weir_buf *ret, const struct weir_vec *vec, uint32_t r);

#endif
