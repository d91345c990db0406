/* compare_kernels.h: catalogue rows of = <> < <= > >=.
 *
 * PostgreSQL has such operators across the integer types, the float types and the types of dates;
 * for other pairs src/sql inserts casts. */
#ifndef WEIR_EXPR_COMPARE_KERNELS_H
#define WEIR_EXPR_COMPARE_KERNELS_H

#include "expr/kernel.h"

/* All pairs of types: suffix of the kernels, left type, right type. */
#define WEIR_COMPARE_PAIRS(P, F2, op, name, help)          \
    P(F2, op, name, b_b, BOOL, BOOL, help)                 \
    P(F2, op, name, i2_i2, INT2, INT2, NULL)               \
    P(F2, op, name, i2_i4, INT2, INT4, NULL)               \
    P(F2, op, name, i2_i8, INT2, INT8, NULL)               \
    P(F2, op, name, i4_i2, INT4, INT2, NULL)               \
    P(F2, op, name, i4_i4, INT4, INT4, NULL)               \
    P(F2, op, name, i4_i8, INT4, INT8, NULL)               \
    P(F2, op, name, i8_i2, INT8, INT2, NULL)               \
    P(F2, op, name, i8_i4, INT8, INT4, NULL)               \
    P(F2, op, name, i8_i8, INT8, INT8, NULL)               \
    P(F2, op, name, f4_f4, FLOAT4, FLOAT4, NULL)           \
    P(F2, op, name, f4_f8, FLOAT4, FLOAT8, NULL)           \
    P(F2, op, name, f8_f4, FLOAT8, FLOAT4, NULL)           \
    P(F2, op, name, f8_f8, FLOAT8, FLOAT8, NULL)           \
    P(F2, op, name, numeric, NUMERIC, NUMERIC, NULL)       \
    P(F2, op, name, text, TEXT, TEXT, NULL)                \
    P(F2, op, name, bpchar, BPCHAR, BPCHAR, NULL)          \
    P(F2, op, name, text, BYTEA, BYTEA, NULL)              \
    P(F2, op, name, i4_i4, DATE, DATE, NULL)               \
    P(F2, op, name, d_ts, DATE, TIMESTAMP, NULL)           \
    P(F2, op, name, d_ts, DATE, TIMESTAMPTZ, NULL)         \
    P(F2, op, name, ts_d, TIMESTAMP, DATE, NULL)           \
    P(F2, op, name, i8_i8, TIMESTAMP, TIMESTAMP, NULL)     \
    P(F2, op, name, i8_i8, TIMESTAMP, TIMESTAMPTZ, NULL)   \
    P(F2, op, name, ts_d, TIMESTAMPTZ, DATE, NULL)         \
    P(F2, op, name, i8_i8, TIMESTAMPTZ, TIMESTAMP, NULL)   \
    P(F2, op, name, i8_i8, TIMESTAMPTZ, TIMESTAMPTZ, NULL) \
    P(F2, op, name, i8_i8, TIME, TIME, NULL)               \
    P(F2, op, name, interval, INTERVAL, INTERVAL, NULL)    \
    P(F2, op, name, uuid, UUID, UUID, NULL)                \
    P(F2, op, name, jsonb, JSONB, JSONB, NULL)

#define WEIR_COMPARE_ROW(F2, op, name, suffix, left, right, help) \
    F2(op##_##suffix, name, BOOL, left, right, help)

#define WEIR_COMPARE_FUNCTIONS(F1, F2, F3)                                   \
    WEIR_COMPARE_PAIRS(WEIR_COMPARE_ROW, F2, eq, "=", "equal")               \
    WEIR_COMPARE_PAIRS(WEIR_COMPARE_ROW, F2, ne, "<>", "not equal")          \
    WEIR_COMPARE_PAIRS(WEIR_COMPARE_ROW, F2, lt, "<", "less than")           \
    WEIR_COMPARE_PAIRS(WEIR_COMPARE_ROW, F2, le, "<=", "less than or equal") \
    WEIR_COMPARE_PAIRS(WEIR_COMPARE_ROW, F2, gt, ">", "greater than")        \
    WEIR_COMPARE_PAIRS(WEIR_COMPARE_ROW, F2, ge, ">=", "greater than or equal")

WEIR_COMPARE_FUNCTIONS(WEIR_DECLARE_1, WEIR_DECLARE_2, WEIR_DECLARE_3)

#endif
