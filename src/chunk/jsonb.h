/* jsonb.h: jsonb values, kept as the text that PostgreSQL prints for them.
 *
 * That text is canonical: keys sorted by length, then bytes; of equal keys the last wins; ", " and
 * ": " between; numbers as numeric prints them. So equal text is equal value but for numbers of
 * different scale (1.0 and 1), which weir_jsonb_compare() knows. */
#ifndef WEIR_CHUNK_JSONB_H
#define WEIR_CHUNK_JSONB_H

#include "base/arena.h"
#include "base/str.h"
#include "chunk/value_error.h"

/* PostgreSQL takes a few thousand levels, by the size of its stack. */
enum { WEIR_JSONB_DEPTH_MAX = 4096 };

/* Any JSON text to jsonb's text, in arena. 22P02 for bad JSON, 22P05 for \u0000, 22003 for numbers
 * beyond numeric, 54001 for nesting that is too deep. */
int weir_jsonb_parse(struct weir_str text, struct weir_arena *arena, struct weir_str *ret,
                     struct weir_value_error *verr);

/* json -> key and json -> index (from 0; negative ones count from the end; a scalar is its own
 * element 0, as in PostgreSQL). A view; false when there is no such member: SQL's NULL. */
bool weir_jsonb_get_key(struct weir_str json, struct weir_str key, struct weir_str *ret);
bool weir_jsonb_get_index(struct weir_str json, int32_t index, struct weir_str *ret);

/* What ->> makes of a member: a string without quotes and escapes (in arena), other values as they
 * are; *ret_null for JSON's null. WEIR_ENOMEM only. */
int weir_jsonb_to_text(struct weir_str json, struct weir_arena *arena, struct weir_str *ret,
                       bool *ret_null);

/* PostgreSQL's order of jsonb values, and a hash that is the same for equal ones. */
int weir_jsonb_compare(struct weir_str a, struct weir_str b);
uint64_t weir_jsonb_hash(struct weir_str json);

#endif
