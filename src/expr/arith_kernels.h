/* arith_kernels.h: catalogue rows of arithmetic on integers and floats.
 *
 * WEIR_ARITH_FUNCTIONS(F1, F2, F3) lists them, WEIR_ARITH_CASTS(C) the casts among these types and
 * boolean. Operators across types are rows of their own, as in PostgreSQL: smallint + integer is
 * not smallint widened, and the resolution of overloads sees the difference. */
#ifndef WEIR_EXPR_ARITH_KERNELS_H
#define WEIR_EXPR_ARITH_KERNELS_H

#include "expr/kernel.h"

/* One operator over all pairs of integer types, and over all pairs of float types. */
#define WEIR_INTEGER_PAIRS(F2, kernel, name, help)   \
    F2(kernel##_i2_i2, name, INT2, INT2, INT2, help) \
    F2(kernel##_i2_i4, name, INT4, INT2, INT4, NULL) \
    F2(kernel##_i2_i8, name, INT8, INT2, INT8, NULL) \
    F2(kernel##_i4_i2, name, INT4, INT4, INT2, NULL) \
    F2(kernel##_i4_i4, name, INT4, INT4, INT4, NULL) \
    F2(kernel##_i4_i8, name, INT8, INT4, INT8, NULL) \
    F2(kernel##_i8_i2, name, INT8, INT8, INT2, NULL) \
    F2(kernel##_i8_i4, name, INT8, INT8, INT4, NULL) \
    F2(kernel##_i8_i8, name, INT8, INT8, INT8, NULL)
#define WEIR_FLOAT_PAIRS(F2, kernel, name)                 \
    F2(kernel##_f4_f4, name, FLOAT4, FLOAT4, FLOAT4, NULL) \
    F2(kernel##_f4_f8, name, FLOAT8, FLOAT4, FLOAT8, NULL) \
    F2(kernel##_f8_f4, name, FLOAT8, FLOAT8, FLOAT4, NULL) \
    F2(kernel##_f8_f8, name, FLOAT8, FLOAT8, FLOAT8, NULL)

#define WEIR_ARITH_FUNCTIONS(F1, F2, F3)                                                \
    WEIR_INTEGER_PAIRS(F2, add, "+", "addition")                                        \
    WEIR_FLOAT_PAIRS(F2, add, "+")                                                      \
    WEIR_INTEGER_PAIRS(F2, sub, "-", "subtraction")                                     \
    WEIR_FLOAT_PAIRS(F2, sub, "-")                                                      \
    WEIR_INTEGER_PAIRS(F2, mul, "*", "multiplication")                                  \
    WEIR_FLOAT_PAIRS(F2, mul, "*")                                                      \
    WEIR_INTEGER_PAIRS(F2, div, "/", "division; that of integers cuts towards zero")    \
    WEIR_FLOAT_PAIRS(F2, div, "/")                                                      \
    F2(mod_i2, "%", INT2, INT2, INT2, "remainder, with the sign of the first argument") \
    F2(mod_i4, "%", INT4, INT4, INT4, NULL)                                             \
    F2(mod_i8, "%", INT8, INT8, INT8, NULL)                                             \
    F2(mod_i2, "mod", INT2, INT2, INT2, "the operator % as a function")                 \
    F2(mod_i4, "mod", INT4, INT4, INT4, NULL)                                           \
    F2(mod_i8, "mod", INT8, INT8, INT8, NULL)                                           \
    F1(plus_i2, "+", INT2, INT2, "the number itself")                                   \
    F1(plus_i4, "+", INT4, INT4, NULL)                                                  \
    F1(plus_i8, "+", INT8, INT8, NULL)                                                  \
    F1(plus_f4, "+", FLOAT4, FLOAT4, NULL)                                              \
    F1(plus_f8, "+", FLOAT8, FLOAT8, NULL)                                              \
    F1(neg_i2, "-", INT2, INT2, "negation")                                             \
    F1(neg_i4, "-", INT4, INT4, NULL)                                                   \
    F1(neg_i8, "-", INT8, INT8, NULL)                                                   \
    F1(neg_f4, "-", FLOAT4, FLOAT4, NULL)                                               \
    F1(neg_f8, "-", FLOAT8, FLOAT8, NULL)                                               \
    F1(abs_i2, "abs", INT2, INT2, "absolute value")                                     \
    F1(abs_i4, "abs", INT4, INT4, NULL)                                                 \
    F1(abs_i8, "abs", INT8, INT8, NULL)                                                 \
    F1(abs_f4, "abs", FLOAT4, FLOAT4, NULL)                                             \
    F1(abs_f8, "abs", FLOAT8, FLOAT8, NULL)                                             \
    F1(round_f8, "round", FLOAT8, FLOAT8, "nearest whole number, ties to even")         \
    F1(trunc_f8, "trunc", FLOAT8, FLOAT8, "whole part, cut towards zero")               \
    F1(floor_f8, "floor", FLOAT8, FLOAT8, "nearest whole number that is not larger")    \
    F1(ceil_f8, "ceil", FLOAT8, FLOAT8, "nearest whole number that is not smaller")     \
    F1(ceil_f8, "ceiling", FLOAT8, FLOAT8, "the same as ceil")                          \
    F1(sign_f8, "sign", FLOAT8, FLOAT8, "-1, 0 or 1")

#define WEIR_ARITH_CASTS(C)                 \
    C(i2_to_i4, INT2, INT4, IMPLICIT)       \
    C(i2_to_i8, INT2, INT8, IMPLICIT)       \
    C(i2_to_f4, INT2, FLOAT4, IMPLICIT)     \
    C(i2_to_f8, INT2, FLOAT8, IMPLICIT)     \
    C(i4_to_i2, INT4, INT2, ASSIGNMENT)     \
    C(i4_to_i8, INT4, INT8, IMPLICIT)       \
    C(i4_to_f4, INT4, FLOAT4, IMPLICIT)     \
    C(i4_to_f8, INT4, FLOAT8, IMPLICIT)     \
    C(i8_to_i2, INT8, INT2, ASSIGNMENT)     \
    C(i8_to_i4, INT8, INT4, ASSIGNMENT)     \
    C(i8_to_f4, INT8, FLOAT4, IMPLICIT)     \
    C(i8_to_f8, INT8, FLOAT8, IMPLICIT)     \
    C(f4_to_i2, FLOAT4, INT2, ASSIGNMENT)   \
    C(f4_to_i4, FLOAT4, INT4, ASSIGNMENT)   \
    C(f4_to_i8, FLOAT4, INT8, ASSIGNMENT)   \
    C(f4_to_f8, FLOAT4, FLOAT8, IMPLICIT)   \
    C(f8_to_i2, FLOAT8, INT2, ASSIGNMENT)   \
    C(f8_to_i4, FLOAT8, INT4, ASSIGNMENT)   \
    C(f8_to_i8, FLOAT8, INT8, ASSIGNMENT)   \
    C(f8_to_f4, FLOAT8, FLOAT4, ASSIGNMENT) \
    C(bool_to_i4, BOOL, INT4, EXPLICIT)     \
    C(i4_to_bool, INT4, BOOL, EXPLICIT)

WEIR_ARITH_FUNCTIONS(WEIR_DECLARE_1, WEIR_DECLARE_2, WEIR_DECLARE_3)
WEIR_ARITH_CASTS(WEIR_DECLARE_CAST)

#endif
