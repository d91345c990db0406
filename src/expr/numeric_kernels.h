/* numeric_kernels.h: catalogue rows of arithmetic on numeric, and its casts to other numbers. */
#ifndef WEIR_EXPR_NUMERIC_KERNELS_H
#define WEIR_EXPR_NUMERIC_KERNELS_H

#include "expr/kernel.h"

#define WEIR_NUMERIC_FUNCTIONS(F1, F2, F3)                                                     \
    F2(numeric_add, "+", NUMERIC, NUMERIC, NUMERIC, "addition")                                \
    F2(numeric_sub, "-", NUMERIC, NUMERIC, NUMERIC, "subtraction")                             \
    F2(numeric_mul, "*", NUMERIC, NUMERIC, NUMERIC, "multiplication")                          \
    F2(numeric_div, "/", NUMERIC, NUMERIC, NUMERIC, "division")                                \
    F2(numeric_mod, "%", NUMERIC, NUMERIC, NUMERIC, "remainder")                               \
    F2(numeric_mod, "mod", NUMERIC, NUMERIC, NUMERIC, "remainder")                             \
    F1(numeric_plus, "+", NUMERIC, NUMERIC, "the number itself")                               \
    F1(numeric_neg, "-", NUMERIC, NUMERIC, "negation")                                         \
    F1(numeric_abs, "abs", NUMERIC, NUMERIC, "absolute value")                                 \
    F1(numeric_sign, "sign", NUMERIC, NUMERIC, "-1, 0 or 1")                                   \
    F1(numeric_floor, "floor", NUMERIC, NUMERIC, "nearest whole number that is not larger")    \
    F1(numeric_ceil, "ceil", NUMERIC, NUMERIC, "nearest whole number that is not smaller")     \
    F1(numeric_ceil, "ceiling", NUMERIC, NUMERIC, "the same as ceil")                          \
    F1(numeric_round, "round", NUMERIC, NUMERIC, "nearest whole number, ties away from zero")  \
    F2(numeric_round_to, "round", NUMERIC, NUMERIC, INT4, "rounded to so many decimal places") \
    F1(numeric_trunc, "trunc", NUMERIC, NUMERIC, "whole part, cut towards zero")               \
    F2(numeric_trunc_to, "trunc", NUMERIC, NUMERIC, INT4, "cut to so many decimal places")

#define WEIR_NUMERIC_CASTS(C)                     \
    C(i2_to_numeric, INT2, NUMERIC, IMPLICIT)     \
    C(i4_to_numeric, INT4, NUMERIC, IMPLICIT)     \
    C(i8_to_numeric, INT8, NUMERIC, IMPLICIT)     \
    C(f4_to_numeric, FLOAT4, NUMERIC, ASSIGNMENT) \
    C(f8_to_numeric, FLOAT8, NUMERIC, ASSIGNMENT) \
    C(numeric_to_i2, NUMERIC, INT2, ASSIGNMENT)   \
    C(numeric_to_i4, NUMERIC, INT4, ASSIGNMENT)   \
    C(numeric_to_i8, NUMERIC, INT8, ASSIGNMENT)   \
    C(numeric_to_f4, NUMERIC, FLOAT4, IMPLICIT)   \
    C(numeric_to_f8, NUMERIC, FLOAT8, IMPLICIT)   \
    C(numeric_fit, NUMERIC, NUMERIC, IMPLICIT)

WEIR_NUMERIC_FUNCTIONS(WEIR_DECLARE_1, WEIR_DECLARE_2, WEIR_DECLARE_3)
WEIR_NUMERIC_CASTS(WEIR_DECLARE_CAST)

#endif
