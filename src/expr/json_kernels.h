/* json_kernels.h: catalogue rows of functions on jsonb, and its casts to numbers and boolean. */
#ifndef WEIR_EXPR_JSON_KERNELS_H
#define WEIR_EXPR_JSON_KERNELS_H

#include "expr/kernel.h"

#define WEIR_JSON_FUNCTIONS(F1, F2, MISSING_2)                                                     \
    F2(json_member, "->", JSONB, JSONB, TEXT, "the member with that key")                          \
    F2(json_element, "->", JSONB, JSONB, INT4, "the element with that number, from 0")             \
    F2(json_member_text, "->>", TEXT, JSONB, TEXT, "the member with that key, as text")            \
    F2(json_element_text, "->>", TEXT, JSONB, INT4, "the element with that number, as text")       \
    F1(json_typeof, "jsonb_typeof", TEXT, JSONB, "object, array, string, number, boolean or null") \
    MISSING_2("||", JSONB, JSONB)                                                                  \
    MISSING_2("-", JSONB, TEXT)                                                                    \
    MISSING_2("-", JSONB, INT4)

#define WEIR_JSON_CASTS(C)                       \
    C(json_to_bool, JSONB, BOOL, EXPLICIT)       \
    C(json_to_numeric, JSONB, NUMERIC, EXPLICIT) \
    C(json_to_i2, JSONB, INT2, EXPLICIT)         \
    C(json_to_i4, JSONB, INT4, EXPLICIT)         \
    C(json_to_i8, JSONB, INT8, EXPLICIT)         \
    C(json_to_f4, JSONB, FLOAT4, EXPLICIT)       \
    C(json_to_f8, JSONB, FLOAT8, EXPLICIT)

WEIR_JSON_FUNCTIONS(WEIR_DECLARE_1, WEIR_DECLARE_2, WEIR_DECLARE_MISSING_2)
WEIR_JSON_CASTS(WEIR_DECLARE_CAST)

#endif
