/* text_kernels.h: catalogue rows of functions on text and bytea. */
#ifndef WEIR_EXPR_TEXT_KERNELS_H
#define WEIR_EXPR_TEXT_KERNELS_H

#include "expr/kernel.h"

#define WEIR_CONCAT_FUNCTIONS(F2)                             \
    F2(concat, "||", TEXT, TEXT, TEXT, "one after the other") \
    F2(concat, "||", BYTEA, BYTEA, BYTEA, NULL)

#define WEIR_LIKE_FUNCTIONS(F2)                                                            \
    F2(like, "~~", BOOL, TEXT, TEXT, "LIKE")                                               \
    F2(like, "~~", BOOL, BPCHAR, TEXT, NULL)                                               \
    F2(like_bytea, "~~", BOOL, BYTEA, BYTEA, NULL)                                         \
    F2(not_like, "!~~", BOOL, TEXT, TEXT, "NOT LIKE")                                      \
    F2(not_like, "!~~", BOOL, BPCHAR, TEXT, NULL)                                          \
    F2(not_like_bytea, "!~~", BOOL, BYTEA, BYTEA, NULL)                                    \
    F2(ilike, "~~*", BOOL, TEXT, TEXT, "ILIKE")                                            \
    F2(ilike, "~~*", BOOL, BPCHAR, TEXT, NULL)                                             \
    F2(not_ilike, "!~~*", BOOL, TEXT, TEXT, "NOT ILIKE")                                   \
    F2(not_ilike, "!~~*", BOOL, BPCHAR, TEXT, NULL)                                        \
    F2(like_escape, "like_escape", TEXT, TEXT, TEXT, "a LIKE pattern with another escape") \
    F2(like_escape_bytea, "like_escape", BYTEA, BYTEA, BYTEA, NULL)

#define WEIR_LENGTH_FUNCTIONS(F1)                                              \
    F1(length, "length", INT4, TEXT, "number of characters (bytes for bytea)") \
    F1(length_bpchar, "length", INT4, BPCHAR, NULL)                            \
    F1(octet_length, "length", INT4, BYTEA, NULL)                              \
    F1(length, "char_length", INT4, TEXT, "number of characters")              \
    F1(length_bpchar, "char_length", INT4, BPCHAR, NULL)                       \
    F1(length, "character_length", INT4, TEXT, "the same as char_length")      \
    F1(length_bpchar, "character_length", INT4, BPCHAR, NULL)                  \
    F1(octet_length, "octet_length", INT4, TEXT, "number of bytes")            \
    F1(octet_length, "octet_length", INT4, BPCHAR, NULL)                       \
    F1(octet_length, "octet_length", INT4, BYTEA, NULL)

#define WEIR_PART_FUNCTIONS(F2, F3, MISSING_2, MISSING_3)                                \
    F2(substring_from, "substring", TEXT, TEXT, INT4, "the part from that character on") \
    F3(substring, "substring", TEXT, TEXT, INT4, INT4,                                   \
       "the part from a character, of that length")                                      \
    F2(substring_bytea_from, "substring", BYTEA, BYTEA, INT4, NULL)                      \
    F3(substring_bytea, "substring", BYTEA, BYTEA, INT4, INT4, NULL)                     \
    MISSING_2("substring", TEXT, TEXT)                                                   \
    MISSING_3("substring", TEXT, TEXT, TEXT)                                             \
    F2(substring_from, "substr", TEXT, TEXT, INT4, "the same as substring")              \
    F3(substring, "substr", TEXT, TEXT, INT4, INT4, NULL)                                \
    F2(substring_bytea_from, "substr", BYTEA, BYTEA, INT4, NULL)                         \
    F3(substring_bytea, "substr", BYTEA, BYTEA, INT4, INT4, NULL)                        \
    F2(left, "left", TEXT, TEXT, INT4, "the first n characters; all but the last -n")    \
    F2(right, "right", TEXT, TEXT, INT4, "the last n characters; all but the first -n")

#define WEIR_TRIM_FUNCTIONS(F1, F2)                                                   \
    F1(btrim_blanks, "btrim", TEXT, TEXT, "without blanks at both ends")              \
    F1(ltrim_blanks, "ltrim", TEXT, TEXT, "without blanks at the beginning")          \
    F1(rtrim_blanks, "rtrim", TEXT, TEXT, "without blanks at the end")                \
    F2(btrim, "btrim", TEXT, TEXT, TEXT, "without those characters at both ends")     \
    F2(ltrim, "ltrim", TEXT, TEXT, TEXT, "without those characters at the beginning") \
    F2(rtrim, "rtrim", TEXT, TEXT, TEXT, "without those characters at the end")       \
    F2(btrim_bytea, "btrim", BYTEA, BYTEA, BYTEA, NULL)                               \
    F2(ltrim_bytea, "ltrim", BYTEA, BYTEA, BYTEA, NULL)                               \
    F2(rtrim_bytea, "rtrim", BYTEA, BYTEA, BYTEA, NULL)

#define WEIR_TEXT_FUNCTIONS(F1, F2, F3, MISSING_2, MISSING_3)                                    \
    WEIR_CONCAT_FUNCTIONS(F2)                                                                    \
    WEIR_LIKE_FUNCTIONS(F2)                                                                      \
    WEIR_LENGTH_FUNCTIONS(F1)                                                                    \
    WEIR_PART_FUNCTIONS(F2, F3, MISSING_2, MISSING_3)                                            \
    WEIR_TRIM_FUNCTIONS(F1, F2)                                                                  \
    F1(lower, "lower", TEXT, TEXT, "in lower case")                                              \
    F1(upper, "upper", TEXT, TEXT, "in upper case")                                              \
    F2(position, "position", INT4, TEXT, TEXT, "where the second is in the first, from 1; or 0") \
    F2(position_bytea, "position", INT4, BYTEA, BYTEA, NULL)                                     \
    F2(position, "strpos", INT4, TEXT, TEXT, "the same as position")                             \
    F2(starts_with, "starts_with", BOOL, TEXT, TEXT, "the second begins the first")              \
    F3(replace, "replace", TEXT, TEXT, TEXT, TEXT, "every second replaced by the third")

#define WEIR_TEXT_CASTS(C, SAME)                 \
    SAME(TEXT, VARCHAR, IMPLICIT)                \
    SAME(TEXT, BPCHAR, IMPLICIT)                 \
    SAME(VARCHAR, TEXT, IMPLICIT)                \
    SAME(VARCHAR, BPCHAR, IMPLICIT)              \
    C(bpchar_to_text, BPCHAR, TEXT, IMPLICIT)    \
    C(bpchar_to_text, BPCHAR, VARCHAR, IMPLICIT) \
    C(varchar_fit, VARCHAR, VARCHAR, IMPLICIT)   \
    C(bpchar_fit, BPCHAR, BPCHAR, IMPLICIT)

WEIR_TEXT_FUNCTIONS(WEIR_DECLARE_1, WEIR_DECLARE_2, WEIR_DECLARE_3, WEIR_DECLARE_MISSING_2,
                    WEIR_DECLARE_MISSING_3)
WEIR_TEXT_CASTS(WEIR_DECLARE_CAST, WEIR_DECLARE_SAME)

#endif
