/* text_kernels.h: catalogue rows of functions on text and bytea. */
#ifndef WEIR_EXPR_TEXT_KERNELS_H
#define WEIR_EXPR_TEXT_KERNELS_H

#include "expr/kernel.h"

#define WEIR_TEXT_FUNCTIONS(F1, F2, F3)                             \
    F2(concat, "||", TEXT, TEXT, TEXT, "one after the other")       \
    F2(concat, "||", BYTEA, BYTEA, BYTEA, NULL)                     \
    F2(like, "~~", BOOL, TEXT, TEXT, "LIKE")                        \
    F2(like, "~~", BOOL, BPCHAR, TEXT, NULL)                        \
    F2(like_bytea, "~~", BOOL, BYTEA, BYTEA, NULL)                  \
    F2(not_like, "!~~", BOOL, TEXT, TEXT, "NOT LIKE")               \
    F2(not_like, "!~~", BOOL, BPCHAR, TEXT, NULL)                   \
    F2(not_like_bytea, "!~~", BOOL, BYTEA, BYTEA, NULL)             \
    F2(like_escape, "like_escape", TEXT, TEXT, TEXT,                \
       "a LIKE pattern with another escape character")              \
    F2(like_escape_bytea, "like_escape", BYTEA, BYTEA, BYTEA, NULL) \
    F1(octet_length, "octet_length", INT4, TEXT, "length in bytes") \
    F1(octet_length, "octet_length", INT4, BPCHAR, NULL)            \
    F1(octet_length, "octet_length", INT4, BYTEA, NULL)             \
    F1(octet_length, "length", INT4, BYTEA, NULL)

#define WEIR_TEXT_CASTS(C, SAME)  \
    SAME(TEXT, VARCHAR, IMPLICIT) \
    SAME(TEXT, BPCHAR, IMPLICIT)  \
    SAME(VARCHAR, TEXT, IMPLICIT) \
    SAME(VARCHAR, BPCHAR, IMPLICIT)

WEIR_TEXT_FUNCTIONS(WEIR_DECLARE_1, WEIR_DECLARE_2, WEIR_DECLARE_3)

#endif
