/* tree.h: builds expressions by hand, for tests of the evaluator.
 *
 * A column is one of the chunk's; functions are found in the catalogue by name and exact types.
 * Everything lies in one arena, freed at the end of a test. */
#ifndef WEIR_TESTS_EXPR_TREE_H
#define WEIR_TESTS_EXPR_TREE_H

#include "expr/expr.h"
#include "tests/support/test.h"

enum { TREE_ROWS = 6, TREE_COLUMNS = 3 };

/* A chunk with columns a, b (integer) and c (boolean), and an evaluation over it. */
struct tree {
    struct weir_arena arena;
    struct weir_vec vecs[TREE_COLUMNS];
    struct weir_chunk chunk;
    struct weir_eval eval;
};

static const uint32_t tree_all_rows[] = { 0, 1, 2, 3, 4, 5 };
static const struct weir_type tree_int4 = { WEIR_TYPE_INT4, -1 };
static const struct weir_type tree_bool = { WEIR_TYPE_BOOL, -1 };

/* INT32_MIN stands for null in a and b, 2 in c. */
enum { TREE_NULL = INT32_MIN, TREE_BOOL_NULL = 2 };

static inline void tree_init(struct tree *tree, const int32_t a[TREE_ROWS],
                             const int32_t b[TREE_ROWS], const uint8_t c[TREE_ROWS])
{
    uint64_t *valid[TREE_COLUMNS];

    memset(tree, 0, sizeof(*tree));
    weir_arena_init(&tree->arena, 0);
    for (uint32_t i = 0; i < TREE_COLUMNS; i++) {
        tree->vecs[i] = weir_vec_alloc(&tree->arena, i == 2 ? tree_bool : tree_int4, TREE_ROWS);
        valid[i] = weir_bitmap_alloc(&tree->arena, TREE_ROWS, true);
        tree->vecs[i].valid = valid[i];
    }
    for (uint32_t row = 0; row < TREE_ROWS; row++) {
        tree->vecs[0].i4[row] = a[row];
        tree->vecs[1].i4[row] = b[row];
        tree->vecs[2].b[row] = c[row];
        if (a[row] == TREE_NULL) {
            weir_bitmap_clear(valid[0], row);
        }
        if (b[row] == TREE_NULL) {
            weir_bitmap_clear(valid[1], row);
        }
        if (c[row] == TREE_BOOL_NULL) {
            weir_bitmap_clear(valid[2], row);
        }
    }
    tree->chunk =
        (struct weir_chunk){ .rows = TREE_ROWS, .columns = TREE_COLUMNS, .vecs = tree->vecs };
    tree->eval.arena = &tree->arena;
}

static inline void tree_fini(struct tree *tree)
{
    weir_arena_fini(&tree->arena);
}

static inline struct weir_expr *tree_node(struct tree *tree, enum weir_expr_kind kind,
                                          struct weir_type type, uint32_t arg_count,
                                          struct weir_expr *const *args)
{
    struct weir_expr *expr = weir_arena_calloc(&tree->arena, 1, sizeof(*expr));

    expr->kind = kind;
    expr->type = type;
    expr->arg_count = arg_count;
    expr->args = weir_arena_calloc(&tree->arena, arg_count + 1, sizeof(*expr->args));
    for (uint32_t i = 0; i < arg_count; i++) {
        expr->args[i] = args[i];
    }
    return expr;
}

/* Column 0 (a), 1 (b) or 2 (c). */
static inline struct weir_expr *tree_column(struct tree *tree, uint32_t column)
{
    struct weir_expr *expr =
        tree_node(tree, WEIR_EXPR_COLUMN, column == 2 ? tree_bool : tree_int4, 0, NULL);

    expr->column = column;
    return expr;
}

static inline struct weir_expr *tree_int(struct tree *tree, int32_t value)
{
    struct weir_expr *expr = tree_node(tree, WEIR_EXPR_CONST, tree_int4, 0, NULL);

    expr->value = weir_vec_alloc(&tree->arena, tree_int4, 1);
    expr->value.i4[0] = value;
    return expr;
}

/* A constant of a type that is null. */
static inline struct weir_expr *tree_null(struct tree *tree, struct weir_type type)
{
    struct weir_expr *expr = tree_node(tree, WEIR_EXPR_CONST, type, 0, NULL);

    expr->value = weir_vec_alloc(&tree->arena, type, 1);
    expr->value.valid = weir_bitmap_alloc(&tree->arena, 1, false);
    return expr;
}

static inline struct weir_expr *tree_bool_const(struct tree *tree, uint8_t value)
{
    struct weir_expr *expr = tree_node(tree, WEIR_EXPR_CONST, tree_bool, 0, NULL);

    expr->value = weir_vec_alloc(&tree->arena, tree_bool, 1);
    expr->value.b[0] = value;
    return expr;
}

/* The catalogue's row of a binary operator on integers. */
static inline const struct weir_function *tree_operator(const char *name)
{
    uint32_t count;
    const struct weir_function *functions = weir_functions(&count);

    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(functions[i].name, name) == 0 && functions[i].arg_count == 2 &&
            functions[i].args[0] == WEIR_TYPE_INT4 && functions[i].args[1] == WEIR_TYPE_INT4) {
            return &functions[i];
        }
    }
    return NULL;
}

#define TREE(tree, kind, type, ...)                                                       \
    tree_node(tree, kind, type,                                                           \
              sizeof((struct weir_expr *[]){ __VA_ARGS__ }) / sizeof(struct weir_expr *), \
              (struct weir_expr *[]){ __VA_ARGS__ })

static inline struct weir_expr *tree_call(struct tree *tree, const char *name,
                                          struct weir_expr *left, struct weir_expr *right)
{
    const struct weir_function *function = tree_operator(name);
    struct weir_expr *expr;

    assert_non_null(function);
    expr = TREE(tree, WEIR_EXPR_CALL, ((struct weir_type){ function->result, -1 }), left, right);
    expr->function = function;
    return expr;
}

static inline struct weir_vec tree_eval(struct tree *tree, const struct weir_expr *expr)
{
    struct weir_vec ret;
    struct weir_sel sel = { .count = TREE_ROWS, .rows = tree_all_rows };

    assert_int_equal(weir_expr_eval(expr, &tree->eval, &tree->chunk, sel, &ret), WEIR_OK);
    return ret;
}

#endif
