/* expr.h: checked expressions and their evaluation, a column at a time.
 *
 * src/sql builds trees of struct weir_expr, with all types decided and all casts explicit;
 * weir_expr_eval() computes one for the selected rows of a chunk. Meaning, rounding, errors and
 * SQLSTATEs are PostgreSQL 15's (collation C.UTF-8, time zone UTC unless the pipeline sets one).
 *
 * X1  Only selected rows are evaluated: a branch of CASE, or the right side of AND, OR and
 *     COALESCE, cannot fail for a row that does not take it.
 * X2  A row's failure does not stop the others: it is recorded once (the first one), and the row's
 *     value is null from there on.
 * X3  Pure: no clock but eval->now_us, no randomness, no locale. */
#ifndef WEIR_EXPR_EXPR_H
#define WEIR_EXPR_EXPR_H

#include "chunk/chunk.h"

struct weir_eval; /* below */

/* Computes ret for the selected rows; args are columns of the chunk's full length. ret->data is
 * allocated by the caller; the function sets ret->valid when it yields nulls of its own. Strict
 * functions (the usual case) are called with rows selected where no argument is null. */
typedef int weir_kernel_fn(struct weir_eval *eval, const struct weir_vec *args, uint32_t rows,
                           struct weir_sel sel, struct weir_vec *ret);

enum { WEIR_FUNCTION_ARGS_MAX = 4 };

enum weir_function_flags {
    WEIR_FUNCTION_STRICT = 1, /* null when any argument is null */
    WEIR_FUNCTION_STABLE = 2, /* depends on the batch's time: not folded into a constant */
};

/* One row of the catalogue of operators ("+", "~~" for LIKE, "->>") and functions ("lower"). Types
 * are exact: src/sql inserts casts. TEXT stands for VARCHAR too (same values, no conversion). */
struct weir_function {
    const char *name;
    uint32_t arg_count;
    enum weir_type_id args[WEIR_FUNCTION_ARGS_MAX];
    enum weir_type_id result;
    uint32_t flags;
    weir_kernel_fn *kernel; /* NULL: PostgreSQL has it, weir does not: src/sql refuses it by name */
    const char *help;       /* one line for docs/REFERENCE.md; NULL repeats the row before */
};

/* The whole catalogue, for look-up by src/sql and for the reference. */
const struct weir_function *weir_functions(uint32_t *ret_count);

enum weir_cast_context { WEIR_CAST_IMPLICIT, WEIR_CAST_ASSIGNMENT, WEIR_CAST_EXPLICIT };

/* One row of the table of casts, as in pg_cast. The kernel gets the target's typmod through
 * eval->typmod. A cast from a type to itself (only the typmod changes: numeric(12,2),
 * varchar(3), timestamp(0)) is a row too. */
struct weir_cast {
    enum weir_type_id from, to;
    enum weir_cast_context context; /* the weakest context in which PostgreSQL applies it */
    weir_kernel_fn *kernel;         /* NULL: same bits, nothing to do */
};
const struct weir_cast *weir_casts(uint32_t *ret_count);
/* The cast's row, or NULL when PostgreSQL has none in that context. UNKNOWN to anything is the
 * type's input function. */
const struct weir_cast *weir_cast_find(enum weir_type_id from, enum weir_type_id to,
                                       enum weir_cast_context context);

enum weir_expr_kind {
    WEIR_EXPR_COLUMN,   /* a column of the input chunk */
    WEIR_EXPR_CONST,    /* a literal */
    WEIR_EXPR_CALL,     /* operator or function */
    WEIR_EXPR_CAST,     /* args[0] to type, or only to its typmod; one node does both in turn */
    WEIR_EXPR_AND,      /* three-valued, from left to right */
    WEIR_EXPR_OR,       /* three-valued, from left to right */
    WEIR_EXPR_NOT,      /* three-valued */
    WEIR_EXPR_IS_NULL,  /* never null */
    WEIR_EXPR_IS_TRUE,  /* x IS TRUE; IS NOT TRUE is NOT of it; never null */
    WEIR_EXPR_IS_FALSE, /* x IS FALSE; never null */
    WEIR_EXPR_DISTINCT, /* args[0] IS DISTINCT FROM args[1]: call.function is their "="; never null */
    WEIR_EXPR_CASE,     /* args: condition, value, condition, value, ..., else */
    WEIR_EXPR_COALESCE,   /* the first that is not null */
    WEIR_EXPR_NULLIF,     /* args[0], or null when "=" (function) says args are equal */
    WEIR_EXPR_IN,         /* args[0] = any of args[1..] by "=" (function), three-valued */
    WEIR_EXPR_BATCH_TIME, /* now(): the batch's t as timestamptz */
};

struct weir_expr {
    enum weir_expr_kind kind;
    struct weir_type type;                /* of the result */
    uint32_t at;                          /* byte offset in the pipeline file, for messages */
    uint32_t column;                      /* COLUMN: index in the input chunk */
    struct weir_vec value;                /* CONST: one element (valid has one bit when null) */
    const struct weir_function *function; /* CALL, DISTINCT, NULLIF, IN */
    const struct weir_cast *cast;         /* CAST */
    bool cast_is_explicit; /* CAST: written as one: varchar(n), char(n) cut silently */
    uint32_t arg_count;
    struct weir_expr **args;
};

/* What one evaluation needs and leaves behind. */
struct weir_eval {
    struct weir_arena *arena;      /* for results; the chunk's */
    int64_t now_us;                /* batch time t, microseconds since 1970 */
    int32_t typmod;                /* for cast kernels; set by weir_expr_eval() */
    bool cast_is_explicit;         /* for cast kernels; set by weir_expr_eval() */
    struct weir_row_error *errors; /* one for each failed row, in the order found; in the arena */
    uint32_t error_count, error_capacity;
    uint64_t *failed;       /* bitmap over the rows of the chunk; NULL until a row fails */
    struct weir_error *err; /* for failures that are not a row's: out of memory */
};

/* Computes expr for the selected rows of chunk; *ret is a column of chunk->rows elements, defined
 * at selected rows only, in eval->arena. Returns WEIR_OK also when rows failed (see eval->errors,
 * which grow over several calls for the same chunk); WEIR_ENOMEM otherwise. */
int weir_expr_eval(const struct weir_expr *expr, struct weir_eval *eval,
                   const struct weir_chunk *chunk, struct weir_sel sel, struct weir_vec *ret);

/* For kernels: records that row failed with a SQLSTATE and text (formatted), unless it already
 * has. Returns WEIR_OK or WEIR_ENOMEM. */
int weir_eval_fail(struct weir_eval *eval, uint32_t row, uint32_t rows, const char *sqlstate,
                   const char *fmt, ...) WEIR_PRINTF(5, 6);

/* Folds what is constant below expr (no columns, nothing STABLE) into CONST nodes, in arena. A
 * constant that fails (1/0) is left as it is, to fail only for rows that reach it. */
int weir_expr_fold(struct weir_expr *expr, struct weir_arena *arena, struct weir_error *err);

#endif
