/* eval.c: walks a checked expression once a chunk; every node computes a whole column.
 *
 * Uses     kernels through struct weir_function and struct weir_cast; memory from eval->arena.
 * Threads  One evaluation, one thread; expressions are only read and may be shared.
 * X1  Each node gets the rows for which it is needed and hands its children no others.
 * X2  weir_eval_fail() marks the row; the node in which it happened makes the row's value null, so
 *     that whatever is computed from it is skipped by strict kernels.
 * X3  Only now_us comes from outside.
 * Checked by tests/unit/expr/test_eval.c. */
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "expr/kernel.h"

/* One chunk under evaluation: what every node needs. */
struct walk {
    struct weir_eval *eval;
    const struct weir_chunk *chunk;
};

/* The third value of logic, beside 0 (false) and 1 (true), while a result is being put together. */
enum { TRI_NULL = 2 };

static int eval_node(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                     struct weir_vec *ret);

int weir_eval_no_memory(struct weir_eval *eval)
{
    return weir_error_set(eval->err, WEIR_ENOMEM, "no memory for an expression's result");
}

/* Makes room for one more error and sets the row's bit. */
static int grow_errors(struct weir_eval *eval, uint32_t rows)
{
    if (eval->failed == NULL) {
        eval->failed = weir_bitmap_alloc(eval->arena, rows, false);
        if (eval->failed == NULL) {
            return weir_eval_no_memory(eval);
        }
    }
    if (eval->error_count == eval->error_capacity) {
        uint32_t capacity = eval->error_capacity == 0 ? 16 : 2 * eval->error_capacity;
        struct weir_row_error *errors = weir_arena_alloc(eval->arena, capacity * sizeof(*errors));
        if (errors == NULL) {
            return weir_eval_no_memory(eval);
        }
        if (eval->error_count != 0) {
            memcpy(errors, eval->errors, eval->error_count * sizeof(*errors));
        }
        eval->errors = errors;
        eval->error_capacity = capacity;
    }
    return WEIR_OK;
}

static bool has_failed(const struct weir_eval *eval, uint32_t row)
{
    return eval->failed != NULL && (eval->failed[row / 64] >> (row % 64) & 1) != 0;
}

int weir_eval_fail(struct weir_eval *eval, uint32_t row, uint32_t rows, const char *sqlstate,
                   const char *fmt, ...)
{
    va_list args;
    int len;

    if (has_failed(eval, row)) {
        return WEIR_OK;
    }
    if (grow_errors(eval, rows) != WEIR_OK) {
        return WEIR_ENOMEM;
    }
    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    weir_assert(len >= 0);
    char *text = weir_arena_alloc(eval->arena, (size_t)len + 1);
    if (text == NULL) {
        return weir_eval_no_memory(eval);
    }
    va_start(args, fmt);
    (void)vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    struct weir_row_error *error = &eval->errors[eval->error_count++];
    error->row = row;
    error->text = text;
    (void)snprintf(error->sqlstate, sizeof(error->sqlstate), "%s", sqlstate);
    weir_bitmap_set(eval->failed, row);
    return WEIR_OK;
}

/* ---- bitmaps and selections ------------------------------------------------------------------ */

static size_t bitmap_words(uint32_t rows)
{
    return ((size_t)rows + 63) / 64;
}

static bool bitmap_is_full(const uint64_t *bitmap, uint32_t rows)
{
    for (uint32_t word = 0; word < rows / 64; word++) {
        if (bitmap[word] != UINT64_MAX) {
            return false;
        }
    }
    return rows % 64 == 0 || (~bitmap[rows / 64] & ((UINT64_C(1) << (rows % 64)) - 1)) == 0;
}

/* The rows that are set in both; NULL stands for all. */
static int bitmap_and(struct weir_eval *eval, const uint64_t *a, const uint64_t *b, uint32_t rows,
                      const uint64_t **ret)
{
    if (a == NULL || b == NULL || a == b) {
        *ret = a == NULL ? b : a;
        return WEIR_OK;
    }
    uint64_t *both = weir_bitmap_alloc(eval->arena, rows, false);
    if (both == NULL) {
        return weir_eval_no_memory(eval);
    }
    for (size_t word = 0; word < bitmap_words(rows); word++) {
        both[word] = a[word] & b[word];
    }
    *ret = both;
    return WEIR_OK;
}

/* Makes the values of all rows that failed so far null (X2). */
static int mask_failed(struct weir_eval *eval, uint32_t rows, struct weir_vec *vec)
{
    uint64_t *valid = weir_bitmap_alloc(eval->arena, rows, true);

    if (valid == NULL) {
        return weir_eval_no_memory(eval);
    }
    for (size_t word = 0; word < bitmap_words(rows); word++) {
        valid[word] = (vec->valid == NULL ? valid[word] : vec->valid[word]) & ~eval->failed[word];
    }
    vec->valid = valid;
    return WEIR_OK;
}

/* The selected rows whose bit is set; the selection itself when that is all of them. */
static int select_valid(struct weir_eval *eval, const uint64_t *valid, uint32_t rows,
                        struct weir_sel sel, struct weir_sel *ret)
{
    uint32_t count = 0;

    if (valid == NULL || bitmap_is_full(valid, rows)) {
        *ret = sel;
        return WEIR_OK;
    }
    uint32_t *chosen = weir_arena_alloc(eval->arena, ((size_t)sel.count + 1) * sizeof(*chosen));
    if (chosen == NULL) {
        return weir_eval_no_memory(eval);
    }
    for (uint32_t i = 0; i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        chosen[count] = row;
        count += (uint32_t)(valid[row / 64] >> (row % 64) & 1);
    }
    *ret = (struct weir_sel){ .count = count, .rows = chosen };
    return WEIR_OK;
}

/* Splits the selection into the rows for which the condition is true, and the others. */
static int split_true(struct weir_eval *eval, const struct weir_vec *condition, struct weir_sel sel,
                      struct weir_sel *ret_true, struct weir_sel *ret_rest)
{
    uint32_t *taken = weir_arena_alloc(eval->arena, ((size_t)sel.count + 1) * sizeof(*taken));
    uint32_t *rest = weir_arena_alloc(eval->arena, ((size_t)sel.count + 1) * sizeof(*rest));
    uint32_t taken_count = 0, rest_count = 0;

    if (taken == NULL || rest == NULL) {
        return weir_eval_no_memory(eval);
    }
    for (uint32_t i = 0; i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        bool is_true = !weir_vec_is_null(condition, row) && condition->b[row] != 0;
        taken[taken_count] = row;
        rest[rest_count] = row;
        taken_count += is_true;
        rest_count += !is_true;
    }
    *ret_true = (struct weir_sel){ .count = taken_count, .rows = taken };
    *ret_rest = (struct weir_sel){ .count = rest_count, .rows = rest };
    return WEIR_OK;
}

/* ---- columns --------------------------------------------------------------------------------- */

struct bytes16 {
    uint64_t words[2];
};

#define FOR_WIDTH(bytes, ACTION) \
    switch (bytes) {             \
    case 1:                      \
        ACTION(uint8_t);         \
        break;                   \
    case 2:                      \
        ACTION(uint16_t);        \
        break;                   \
    case 4:                      \
        ACTION(uint32_t);        \
        break;                   \
    case 8:                      \
        ACTION(uint64_t);        \
        break;                   \
    default:                     \
        ACTION(struct bytes16);  \
        break;                   \
    }

static int alloc_vec(struct weir_eval *eval, struct weir_type type, uint32_t rows,
                     struct weir_vec *ret)
{
    *ret = weir_vec_alloc(eval->arena, type, rows);
    return ret->data == NULL ? weir_eval_no_memory(eval) : WEIR_OK;
}

/* Every row gets the constant: kernels know full columns only, and filling one costs less than
 * a second version of each kernel would in reading. */
static int eval_const(const struct weir_expr *expr, const struct walk *walk, struct weir_vec *ret)
{
    uint32_t rows = walk->chunk->rows;

    if (alloc_vec(walk->eval, expr->type, rows, ret) != WEIR_OK) {
        return WEIR_ENOMEM;
    }
    if (weir_vec_is_null(&expr->value, 0)) {
        ret->valid = weir_bitmap_alloc(walk->eval->arena, rows, false);
        return ret->valid == NULL ? weir_eval_no_memory(walk->eval) : WEIR_OK;
    }
#define FILL(ctype)                                 \
    do {                                            \
        const ctype *from = expr->value.data;       \
        ctype *to = ret->data;                      \
        for (uint32_t row = 0; row < rows; row++) { \
            to[row] = from[0];                      \
        }                                           \
    } while (0)
    FOR_WIDTH(weir_type_bytes(expr->type.id), FILL)
    return WEIR_OK;
}

static int eval_batch_time(const struct weir_expr *expr, const struct walk *walk,
                           struct weir_vec *ret)
{
    int64_t now = walk->eval->now_us - WEIR_UNIX_TO_PG_EPOCH_US;

    if (alloc_vec(walk->eval, expr->type, walk->chunk->rows, ret) != WEIR_OK) {
        return WEIR_ENOMEM;
    }
    for (uint32_t row = 0; row < walk->chunk->rows; row++) {
        ret->i8[row] = now;
    }
    return WEIR_OK;
}

/* A column being put together from parts, each for some of the rows: null where nothing was put. */
static int begin_parts(struct weir_eval *eval, struct weir_type type, uint32_t rows,
                       struct weir_vec *ret, uint64_t **ret_valid)
{
    if (alloc_vec(eval, type, rows, ret) != WEIR_OK) {
        return WEIR_ENOMEM;
    }
    *ret_valid = weir_bitmap_alloc(eval->arena, rows, false);
    ret->valid = *ret_valid;
    return *ret_valid == NULL ? weir_eval_no_memory(eval) : WEIR_OK;
}

static void put_part(struct weir_vec *vec, uint64_t *valid, const struct weir_vec *part,
                     struct weir_sel sel)
{
#define SCATTER(ctype)                             \
    do {                                           \
        const ctype *from = part->data;            \
        ctype *to = vec->data;                     \
        for (uint32_t i = 0; i < sel.count; i++) { \
            uint32_t row = sel.rows[i];            \
            if (!weir_vec_is_null(part, row)) {    \
                to[row] = from[row];               \
                weir_bitmap_set(valid, row);       \
            }                                      \
        }                                          \
    } while (0)
    FOR_WIDTH(weir_type_bytes(vec->type.id), SCATTER)
}

/* ---- calls and casts ------------------------------------------------------------------------- */

/* Calls a kernel where no argument is null. */
static int run_strict(struct weir_eval *eval, weir_kernel_fn *kernel, const struct weir_vec *args,
                      uint32_t arg_count, uint32_t rows, struct weir_sel sel, struct weir_type type,
                      struct weir_vec *ret)
{
    const uint64_t *valid = NULL;
    struct weir_vec out;
    int rc;

    for (uint32_t i = 0; i < arg_count; i++) {
        rc = bitmap_and(eval, valid, args[i].valid, rows, &valid);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    rc = select_valid(eval, valid, rows, sel, &sel);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = alloc_vec(eval, type, rows, &out);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = kernel(eval, args, rows, sel, &out);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = bitmap_and(eval, valid, out.valid, rows, &out.valid);
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}

static int eval_call(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                     struct weir_vec *ret)
{
    struct weir_vec args[WEIR_FUNCTION_ARGS_MAX];
    struct weir_vec out;
    uint32_t rows = walk->chunk->rows;
    int rc;

    weir_assert(expr->arg_count <= WEIR_FUNCTION_ARGS_MAX);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        rc = eval_node(expr->args[i], walk, sel, &args[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if ((expr->function->flags & WEIR_FUNCTION_STRICT) != 0) {
        return run_strict(walk->eval, expr->function->kernel, args, expr->arg_count, rows, sel,
                          expr->type, ret);
    }
    rc = alloc_vec(walk->eval, expr->type, rows, &out);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = expr->function->kernel(walk->eval, args, rows, sel, &out);
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}

/* As in PostgreSQL a change of type comes first, without a modifier, and the modifier after it. */
static int eval_cast(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                     struct weir_vec *ret)
{
    struct weir_eval *eval = walk->eval;
    uint32_t rows = walk->chunk->rows;
    bool changes_type = expr->cast->from != expr->cast->to;
    struct weir_vec value;
    int rc = eval_node(expr->args[0], walk, sel, &value);

    eval->cast_is_explicit = expr->cast_is_explicit;
    if (rc == WEIR_OK && expr->cast->kernel != NULL) {
        eval->typmod = changes_type ? -1 : expr->type.typmod;
        rc = run_strict(eval, expr->cast->kernel, &value, 1, rows, sel, expr->type, &value);
    }
    if (rc == WEIR_OK && changes_type && expr->type.typmod >= 0) {
        const struct weir_cast *modify =
            weir_cast_find(expr->cast->to, expr->cast->to, WEIR_CAST_EXPLICIT);
        if (modify != NULL) {
            eval->typmod = expr->type.typmod;
            rc = run_strict(eval, modify->kernel, &value, 1, rows, sel, expr->type, &value);
        }
    }
    if (rc == WEIR_OK) {
        value.type = expr->type;
        *ret = value;
    }
    return rc;
}

/* ---- logic ----------------------------------------------------------------------------------- */

/* A chain of conditions: each row goes on until one of them is `stop` (false for AND, true for
 * OR), or to the end; a null on the way makes it null unless it is stopped later. */
struct chain {
    uint8_t stop;
    uint8_t *state;       /* for each row: 0, 1 or TRI_NULL */
    struct weir_sel open; /* rows not stopped yet */
    bool saw_null;
};

static int chain_begin(struct weir_eval *eval, uint32_t rows, struct weir_sel sel, uint8_t stop,
                       struct chain *ret)
{
    *ret = (struct chain){ .stop = stop,
                           .state = weir_arena_alloc(eval->arena, (size_t)rows + 1),
                           .open = sel };
    if (ret->state == NULL) {
        return weir_eval_no_memory(eval);
    }
    memset(ret->state, !stop, rows);
    return WEIR_OK;
}

static int chain_step(struct weir_eval *eval, struct chain *chain, const struct weir_vec *condition)
{
    uint32_t count = 0;
    uint32_t *open = weir_arena_alloc(eval->arena, ((size_t)chain->open.count + 1) * sizeof(*open));

    if (open == NULL) {
        return weir_eval_no_memory(eval);
    }
    for (uint32_t i = 0; i < chain->open.count; i++) {
        uint32_t row = chain->open.rows[i];
        if (weir_vec_is_null(condition, row)) {
            chain->state[row] = TRI_NULL;
            chain->saw_null = true;
        } else if (condition->b[row] == chain->stop) {
            chain->state[row] = chain->stop;
            continue;
        }
        open[count++] = row;
    }
    chain->open = (struct weir_sel){ .count = count, .rows = open };
    return WEIR_OK;
}

static int chain_end(struct weir_eval *eval, const struct chain *chain, struct weir_type type,
                     uint32_t rows, struct weir_vec *ret)
{
    struct weir_vec out = { .type = type, .b = chain->state };

    if (chain->saw_null) {
        uint64_t *valid = weir_bitmap_alloc(eval->arena, rows, false);
        if (valid == NULL) {
            return weir_eval_no_memory(eval);
        }
        for (uint32_t row = 0; row < rows; row++) {
            valid[row / 64] |= (uint64_t)(chain->state[row] != TRI_NULL) << (row % 64);
        }
        out.valid = valid;
    }
    *ret = out;
    return WEIR_OK;
}

static int eval_and_or(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                       struct weir_vec *ret)
{
    struct chain chain;
    struct weir_vec condition;
    uint32_t rows = walk->chunk->rows;
    int rc = chain_begin(walk->eval, rows, sel, expr->kind == WEIR_EXPR_OR, &chain);

    for (uint32_t i = 0; rc == WEIR_OK && i < expr->arg_count; i++) {
        rc = eval_node(expr->args[i], walk, chain.open, &condition);
        if (rc == WEIR_OK) {
            rc = chain_step(walk->eval, &chain, &condition);
        }
    }
    return rc == WEIR_OK ? chain_end(walk->eval, &chain, expr->type, rows, ret) : rc;
}

/* x IN (a, b, ...) is x = a OR x = b OR ..., with x computed once. */
static int eval_in(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                   struct weir_vec *ret)
{
    struct weir_eval *eval = walk->eval;
    struct chain chain;
    struct weir_vec pair[2], equal;
    uint32_t rows = walk->chunk->rows;
    int rc = eval_node(expr->args[0], walk, sel, &pair[0]);

    if (rc == WEIR_OK) {
        rc = chain_begin(eval, rows, sel, 1, &chain);
    }
    for (uint32_t i = 1; rc == WEIR_OK && i < expr->arg_count; i++) {
        rc = eval_node(expr->args[i], walk, chain.open, &pair[1]);
        if (rc == WEIR_OK) {
            rc = run_strict(eval, expr->function->kernel, pair, 2, rows, chain.open, expr->type,
                            &equal);
        }
        if (rc == WEIR_OK) {
            rc = chain_step(eval, &chain, &equal);
        }
    }
    return rc == WEIR_OK ? chain_end(eval, &chain, expr->type, rows, ret) : rc;
}

static int eval_not(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                    struct weir_vec *ret)
{
    uint32_t rows = walk->chunk->rows;
    struct weir_vec value, out;
    int rc = eval_node(expr->args[0], walk, sel, &value);

    if (rc == WEIR_OK) {
        rc = alloc_vec(walk->eval, expr->type, rows, &out);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    WEIR_EACH_ROW(row, out.b[row] = !value.b[row]);
    out.valid = value.valid;
    *ret = out;
    return WEIR_OK;
}

/* IS NULL, IS TRUE, IS FALSE. */
static int eval_is(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                   struct weir_vec *ret)
{
    uint32_t rows = walk->chunk->rows;
    struct weir_vec value, out;
    int rc = eval_node(expr->args[0], walk, sel, &value);

    if (rc == WEIR_OK) {
        rc = alloc_vec(walk->eval, expr->type, rows, &out);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (expr->kind == WEIR_EXPR_IS_NULL) {
        WEIR_EACH_ROW(row, out.b[row] = weir_vec_is_null(&value, row));
    } else {
        uint8_t wanted = expr->kind == WEIR_EXPR_IS_TRUE;
        WEIR_EACH_ROW(row, out.b[row] = !weir_vec_is_null(&value, row) && value.b[row] == wanted);
    }
    *ret = out;
    return WEIR_OK;
}

/* Both arguments of DISTINCT and NULLIF, and whether they are equal (null when one is). */
static int eval_pair(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                     struct weir_vec ret_pair[2], struct weir_vec *ret_equal)
{
    static const struct weir_type boolean = { .id = WEIR_TYPE_BOOL, .typmod = -1 };

    for (uint32_t i = 0; i < 2; i++) {
        int rc = eval_node(expr->args[i], walk, sel, &ret_pair[i]);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return run_strict(walk->eval, expr->function->kernel, ret_pair, 2, walk->chunk->rows, sel,
                      boolean, ret_equal);
}

static int eval_distinct(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                         struct weir_vec *ret)
{
    uint32_t rows = walk->chunk->rows;
    struct weir_vec pair[2], equal, out;
    int rc = eval_pair(expr, walk, sel, pair, &equal);

    if (rc == WEIR_OK) {
        rc = alloc_vec(walk->eval, expr->type, rows, &out);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    WEIR_EACH_SELECTED(row)
    {
        bool left_null = weir_vec_is_null(&pair[0], row);
        bool right_null = weir_vec_is_null(&pair[1], row);
        out.b[row] = left_null || right_null ? left_null != right_null : !equal.b[row];
    }
    *ret = out;
    return WEIR_OK;
}

static int eval_nullif(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                       struct weir_vec *ret)
{
    uint32_t rows = walk->chunk->rows;
    struct weir_vec pair[2], equal;
    int rc = eval_pair(expr, walk, sel, pair, &equal);

    if (rc != WEIR_OK) {
        return rc;
    }
    uint64_t *valid = weir_bitmap_alloc(walk->eval->arena, rows, true);
    if (valid == NULL) {
        return weir_eval_no_memory(walk->eval);
    }
    WEIR_EACH_SELECTED(row)
    {
        bool is_equal = !weir_vec_is_null(&equal, row) && equal.b[row] != 0;
        if (is_equal || weir_vec_is_null(&pair[0], row)) {
            weir_bitmap_clear(valid, row);
        }
    }
    *ret = pair[0];
    ret->type = expr->type;
    ret->valid = valid;
    return WEIR_OK;
}

/* ---- choices --------------------------------------------------------------------------------- */

static int eval_case(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                     struct weir_vec *ret)
{
    struct weir_eval *eval = walk->eval;
    struct weir_vec out, condition, part;
    struct weir_sel open = sel, taken;
    uint64_t *valid;
    int rc = begin_parts(eval, expr->type, walk->chunk->rows, &out, &valid);

    weir_assert(expr->arg_count % 2 == 1);
    for (uint32_t i = 0; rc == WEIR_OK && i + 1 < expr->arg_count; i += 2) {
        rc = eval_node(expr->args[i], walk, open, &condition);
        if (rc == WEIR_OK) {
            rc = split_true(eval, &condition, open, &taken, &open);
        }
        if (rc == WEIR_OK) {
            rc = eval_node(expr->args[i + 1], walk, taken, &part);
        }
        if (rc == WEIR_OK) {
            put_part(&out, valid, &part, taken);
        }
    }
    if (rc == WEIR_OK) {
        rc = eval_node(expr->args[expr->arg_count - 1], walk, open, &part);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    put_part(&out, valid, &part, open);
    *ret = out;
    return WEIR_OK;
}

static int eval_coalesce(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                         struct weir_vec *ret)
{
    struct weir_eval *eval = walk->eval;
    struct weir_vec out, part;
    struct weir_sel open = sel;
    uint64_t *valid;
    int rc = begin_parts(eval, expr->type, walk->chunk->rows, &out, &valid);

    for (uint32_t i = 0; rc == WEIR_OK && i < expr->arg_count && open.count != 0; i++) {
        rc = eval_node(expr->args[i], walk, open, &part);
        if (rc != WEIR_OK) {
            break;
        }
        put_part(&out, valid, &part, open);
        uint32_t *nulls = weir_arena_alloc(eval->arena, ((size_t)open.count + 1) * sizeof(*nulls));
        if (nulls == NULL) {
            return weir_eval_no_memory(eval);
        }
        uint32_t count = 0;
        for (uint32_t at = 0; at < open.count; at++) {
            nulls[count] = open.rows[at];
            count += weir_vec_is_null(&part, open.rows[at]) && !has_failed(eval, open.rows[at]);
        }
        open = (struct weir_sel){ .count = count, .rows = nulls };
    }
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static int eval_kind(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                     struct weir_vec *ret)
{
    switch (expr->kind) {
    case WEIR_EXPR_COLUMN:
        weir_assert(expr->column < walk->chunk->columns);
        *ret = walk->chunk->vecs[expr->column];
        return WEIR_OK;
    case WEIR_EXPR_CONST:
        return eval_const(expr, walk, ret);
    case WEIR_EXPR_CALL:
        return eval_call(expr, walk, sel, ret);
    case WEIR_EXPR_CAST:
        return eval_cast(expr, walk, sel, ret);
    case WEIR_EXPR_AND:
    case WEIR_EXPR_OR:
        return eval_and_or(expr, walk, sel, ret);
    case WEIR_EXPR_NOT:
        return eval_not(expr, walk, sel, ret);
    case WEIR_EXPR_IS_NULL:
    case WEIR_EXPR_IS_TRUE:
    case WEIR_EXPR_IS_FALSE:
        return eval_is(expr, walk, sel, ret);
    case WEIR_EXPR_DISTINCT:
        return eval_distinct(expr, walk, sel, ret);
    case WEIR_EXPR_CASE:
        return eval_case(expr, walk, sel, ret);
    case WEIR_EXPR_COALESCE:
        return eval_coalesce(expr, walk, sel, ret);
    case WEIR_EXPR_NULLIF:
        return eval_nullif(expr, walk, sel, ret);
    case WEIR_EXPR_IN:
        return eval_in(expr, walk, sel, ret);
    case WEIR_EXPR_BATCH_TIME:
        return eval_batch_time(expr, walk, ret);
    }
    return weir_error_set(walk->eval->err, WEIR_EBUG, "expression of unknown kind %d", expr->kind);
}

static int eval_node(const struct weir_expr *expr, const struct walk *walk, struct weir_sel sel,
                     struct weir_vec *ret)
{
    uint32_t errors_before = walk->eval->error_count;
    int rc = eval_kind(expr, walk, sel, ret);

    if (rc == WEIR_OK && walk->eval->error_count != errors_before) {
        rc = mask_failed(walk->eval, walk->chunk->rows, ret); /* X2 */
    }
    return rc;
}

int weir_expr_eval(const struct weir_expr *expr, struct weir_eval *eval,
                   const struct weir_chunk *chunk, struct weir_sel sel, struct weir_vec *ret)
{
    struct walk walk = { .eval = eval, .chunk = chunk };
    struct weir_vec out;
    int rc = eval_node(expr, &walk, sel, &out);

    if (rc == WEIR_OK && eval->failed != NULL) {
        rc = mask_failed(eval, chunk->rows, &out);
    }
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}
