/* resolve.h: which operator, function or common type is meant. Internal to src/sql. */
#ifndef WEIR_SQL_RESOLVE_H
#define WEIR_SQL_RESOLVE_H

#include "expr/expr.h"

enum resolve_verdict { RESOLVE_FOUND, RESOLVE_NONE, RESOLVE_AMBIGUOUS };

/* An operator or function of the catalogue for arguments of these types (UNKNOWN: a literal). */
enum resolve_verdict resolve_operator(struct weir_str name, const enum weir_type_id *types,
                                      uint32_t count, const struct weir_function **ret);
enum resolve_verdict resolve_function(struct weir_str name, const enum weir_type_id *types,
                                      uint32_t count, const struct weir_function **ret);
/* Some row of the catalogue has that name. */
bool resolve_is_function(struct weir_str name);

/* A value becomes the other type without being asked. */
bool resolve_can_coerce(enum weir_type_id from, enum weir_type_id to);

/* The type that branches of CASE, COALESCE or IN agree on; TEXT when all are UNKNOWN. False when
 * there is none: *ret_culprit is then the first that does not fit *ret. */
bool resolve_common(const enum weir_type_id *types, uint32_t count, enum weir_type_id *ret,
                    uint32_t *ret_culprit);

#endif
