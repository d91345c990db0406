/* catalogue.c: the tables of operators, functions and casts, put together from the lists of rows
 * in the headers of the families. */
#include "expr/arith_kernels.h"
#include "expr/cast_kernels.h"
#include "expr/compare_kernels.h"
#include "expr/json_kernels.h"
#include "expr/numeric_kernels.h"
#include "expr/text_kernels.h"
#include "expr/time_kernels.h"

#define ROW(kernel_name, sql_name, result_type, count, help_text, ...) \
    { .name = (sql_name),                                              \
      .arg_count = (count),                                            \
      .args = { __VA_ARGS__ },                                         \
      .result = WEIR_TYPE_##result_type,                               \
      .flags = WEIR_FUNCTION_STRICT,                                   \
      .kernel = weir_kernel_##kernel_name,                             \
      .help = (help_text) },
#define ROW_1(kernel, name, result, a, help) ROW(kernel, name, result, 1, help, WEIR_TYPE_##a)
#define ROW_2(kernel, name, result, a, b, help) \
    ROW(kernel, name, result, 2, help, WEIR_TYPE_##a, WEIR_TYPE_##b)
#define ROW_3(kernel, name, result, a, b, c, help) \
    ROW(kernel, name, result, 3, help, WEIR_TYPE_##a, WEIR_TYPE_##b, WEIR_TYPE_##c)

/* PostgreSQL has the function, weir does not yet. */
#define MISSING_ROW(sql_name, count, ...) \
    { .name = (sql_name),                 \
      .arg_count = (count),               \
      .args = { __VA_ARGS__ },            \
      .flags = WEIR_FUNCTION_STRICT },
#define MISSING_2(name, a, b) MISSING_ROW(name, 2, WEIR_TYPE_##a, WEIR_TYPE_##b)
#define MISSING_3(name, a, b, c) MISSING_ROW(name, 3, WEIR_TYPE_##a, WEIR_TYPE_##b, WEIR_TYPE_##c)

#define ALL_FUNCTIONS(F1, F2, F3, M2, M3)   \
    WEIR_COMPARE_FUNCTIONS(F1, F2, F3)      \
    WEIR_ARITH_FUNCTIONS(F1, F2, F3)        \
    WEIR_NUMERIC_FUNCTIONS(F1, F2, F3)      \
    WEIR_TEXT_FUNCTIONS(F1, F2, F3, M2, M3) \
    WEIR_TIME_FUNCTIONS(F1, F2, F3, M2, M3) \
    WEIR_JSON_FUNCTIONS(F1, F2, M2)

static const struct weir_function functions[] = { ALL_FUNCTIONS(ROW_1, ROW_2, ROW_3, MISSING_2,
                                                                MISSING_3) };

#define CAST_ROW(kernel_name, from_type, to_type, cast_context) \
    { .from = WEIR_TYPE_##from_type,                            \
      .to = WEIR_TYPE_##to_type,                                \
      .context = WEIR_CAST_##cast_context,                      \
      .kernel = weir_kernel_##kernel_name },
/* Same bits: nothing to do. */
#define SAME_ROW(from_type, to_type, cast_context) \
    { .from = WEIR_TYPE_##from_type,               \
      .to = WEIR_TYPE_##to_type,                   \
      .context = WEIR_CAST_##cast_context },

#define ALL_CASTS(C, SAME)   \
    WEIR_ARITH_CASTS(C)      \
    WEIR_NUMERIC_CASTS(C)    \
    WEIR_TEXT_CASTS(C, SAME) \
    WEIR_TIME_CASTS(C)       \
    WEIR_JSON_CASTS(C)       \
    WEIR_IO_CASTS(C)

static const struct weir_cast casts[] = { ALL_CASTS(CAST_ROW, SAME_ROW) };

const struct weir_function *weir_functions(uint32_t *ret_count)
{
    *ret_count = sizeof(functions) / sizeof(functions[0]);
    return functions;
}

const struct weir_cast *weir_casts(uint32_t *ret_count)
{
    *ret_count = sizeof(casts) / sizeof(casts[0]);
    return casts;
}

const struct weir_cast *weir_cast_find(enum weir_type_id from, enum weir_type_id to,
                                       enum weir_cast_context context)
{
    for (size_t i = 0; i < sizeof(casts) / sizeof(casts[0]); i++) {
        if (casts[i].from == from && casts[i].to == to && casts[i].context <= context) {
            return &casts[i];
        }
    }
    return NULL;
}
