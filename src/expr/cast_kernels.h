/* cast_kernels.h: casts between text and every other type, by the types' input and output
 * functions: to text in assignments, from text when written as a cast, and from a literal that has
 * no type yet everywhere. */
#ifndef WEIR_EXPR_CAST_KERNELS_H
#define WEIR_EXPR_CAST_KERNELS_H

#include "expr/kernel.h"

/* One type that is no text. */
#define WEIR_TEXT_PAIR(C, type)           \
    C(to_text, type, TEXT, ASSIGNMENT)    \
    C(to_text, type, VARCHAR, ASSIGNMENT) \
    C(to_text, type, BPCHAR, ASSIGNMENT)  \
    C(from_text, TEXT, type, EXPLICIT)    \
    C(from_text, VARCHAR, type, EXPLICIT) \
    C(from_text, BPCHAR, type, EXPLICIT)  \
    C(from_text, UNKNOWN, type, IMPLICIT)

#define WEIR_IO_CASTS(C)                     \
    WEIR_TEXT_PAIR(C, BOOL)                  \
    WEIR_TEXT_PAIR(C, INT2)                  \
    WEIR_TEXT_PAIR(C, INT4)                  \
    WEIR_TEXT_PAIR(C, INT8)                  \
    WEIR_TEXT_PAIR(C, FLOAT4)                \
    WEIR_TEXT_PAIR(C, FLOAT8)                \
    WEIR_TEXT_PAIR(C, NUMERIC)               \
    WEIR_TEXT_PAIR(C, BYTEA)                 \
    WEIR_TEXT_PAIR(C, DATE)                  \
    WEIR_TEXT_PAIR(C, TIME)                  \
    WEIR_TEXT_PAIR(C, TIMESTAMP)             \
    WEIR_TEXT_PAIR(C, TIMESTAMPTZ)           \
    WEIR_TEXT_PAIR(C, INTERVAL)              \
    WEIR_TEXT_PAIR(C, UUID)                  \
    WEIR_TEXT_PAIR(C, JSONB)                 \
    C(from_text, UNKNOWN, TEXT, IMPLICIT)    \
    C(from_text, UNKNOWN, VARCHAR, IMPLICIT) \
    C(from_text, UNKNOWN, BPCHAR, IMPLICIT)

WEIR_IO_CASTS(WEIR_DECLARE_CAST)

#endif
