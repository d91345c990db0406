/* print_expr.c: a checked expression as SQL, with every cast and bracket written out.
 *
 * The text is canonical: it is what the fingerprint of a pipeline's definition is made of. Two
 * expressions with the same text compute the same.
 * Checked by tests/unit/sql/test_expressions.c and test_plan.c. */
#include <ctype.h>
#include <inttypes.h>

#include "chunk/scalar_text.h"
#include "sql/compile.h"

static void print_type(struct weir_type type, struct weir_buf *ret)
{
    char name[64];

    weir_type_format(type, name, sizeof(name));
    weir_buf_append_text(ret, name);
}

static void print_quoted(struct weir_str text, char quote, struct weir_buf *ret)
{
    weir_buf_append(ret, &quote, 1);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == quote) {
            weir_buf_append(ret, &quote, 1);
        }
        weir_buf_append(ret, text.data + i, 1);
    }
    weir_buf_append(ret, &quote, 1);
}

/* A value of a type that has no literals of its own: 'text'::type, as PostgreSQL prints it. */
static void print_typed(const struct weir_expr *expr, struct weir_buf *ret)
{
    struct weir_arena arena;
    struct weir_str text;

    weir_arena_init(&arena, 0);
    if (weir_value_print(&expr->value, 0, &arena, &text) == WEIR_OK) {
        print_quoted(text, '\'', ret);
        weir_buf_append_text(ret, "::");
        print_type(expr->type, ret);
    } else {
        ret->failed = true;
    }
    weir_arena_fini(&arena);
}

static void print_const(const struct weir_expr *expr, struct weir_buf *ret)
{
    if (weir_vec_is_null(&expr->value, 0)) {
        weir_buf_append_text(ret, "NULL::");
        print_type(expr->type, ret);
        return;
    }
    switch (expr->type.id) {
    case WEIR_TYPE_BOOL:
        weir_buf_append_text(ret, expr->value.b[0] != 0 ? "true" : "false");
        break;
    case WEIR_TYPE_INT4:
        weir_buf_printf(ret, "%" PRId32, expr->value.i4[0]);
        break;
    case WEIR_TYPE_INT8:
        weir_buf_printf(ret, "%" PRId64 "::bigint", expr->value.i8[0]);
        break;
    case WEIR_TYPE_TEXT:
    case WEIR_TYPE_UNKNOWN:
        print_quoted(expr->value.str[0], '\'', ret);
        break;
    default:
        print_typed(expr, ret);
        break;
    }
}

/* A column's name, in double quotes unless it is one that needs none. */
static void print_name(const char *name, struct weir_buf *ret)
{
    bool plain = islower((unsigned char)name[0]) || name[0] == '_';

    for (const char *c = name; *c != '\0'; c++) {
        plain = plain && (islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
    }
    if (plain) {
        weir_buf_append_text(ret, name);
    } else {
        print_quoted(weir_str_from(name), '"', ret);
    }
}

static void print_column(uint32_t column, const struct weir_plan_source *source,
                         struct weir_buf *ret)
{
    if (source == NULL) {
        weir_buf_printf(ret, "$%" PRIu32, column + 1);
    } else if (column < source->decoded_count) {
        print_name(source->decoded[column].name, ret);
    } else {
        weir_buf_append_text(ret, meta_columns[column - source->decoded_count].name);
    }
}

/* args[first..] with a word between them. */
static void print_list(const struct weir_expr *expr, uint32_t first, const char *between,
                       const struct weir_plan_source *source, struct weir_buf *ret)
{
    for (uint32_t i = first; i < expr->arg_count; i++) {
        weir_buf_append_text(ret, i == first ? "" : between);
        print_expr(expr->args[i], source, ret);
    }
}

static void print_call(const struct weir_expr *expr, const struct weir_plan_source *source,
                       struct weir_buf *ret)
{
    const char *name = expr->function->name;
    bool is_function = isalpha((unsigned char)name[0]) || name[0] == '_';

    if (is_function) {
        weir_buf_printf(ret, "%s(", name);
        print_list(expr, 0, ", ", source, ret);
        weir_buf_append_text(ret, ")");
        return;
    }
    weir_buf_append_text(ret, "(");
    if (expr->arg_count == 2) {
        print_expr(expr->args[0], source, ret);
        weir_buf_append_text(ret, " ");
    }
    weir_buf_printf(ret, "%s ", name);
    print_expr(expr->args[expr->arg_count - 1], source, ret);
    weir_buf_append_text(ret, ")");
}

static void print_case(const struct weir_expr *expr, const struct weir_plan_source *source,
                       struct weir_buf *ret)
{
    weir_buf_append_text(ret, "CASE");
    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        weir_buf_append_text(ret, " WHEN ");
        print_expr(expr->args[i], source, ret);
        weir_buf_append_text(ret, " THEN ");
        print_expr(expr->args[i + 1], source, ret);
    }
    weir_buf_append_text(ret, " ELSE ");
    print_expr(expr->args[expr->arg_count - 1], source, ret);
    weir_buf_append_text(ret, " END");
}

/* "(args[0]" and what follows it. */
static void print_test(const struct weir_expr *expr, const char *rest,
                       const struct weir_plan_source *source, struct weir_buf *ret)
{
    weir_buf_append_text(ret, "(");
    print_expr(expr->args[0], source, ret);
    weir_buf_append_text(ret, rest);
}

/* The kinds that take their arguments between brackets and words. */
static void print_construct(const struct weir_expr *expr, const struct weir_plan_source *source,
                            struct weir_buf *ret)
{
    switch (expr->kind) {
    case WEIR_EXPR_AND:
    case WEIR_EXPR_OR:
        weir_buf_append_text(ret, "(");
        print_list(expr, 0, expr->kind == WEIR_EXPR_AND ? " AND " : " OR ", source, ret);
        break;
    case WEIR_EXPR_NOT:
        weir_buf_append_text(ret, "(NOT ");
        print_list(expr, 0, "", source, ret);
        break;
    case WEIR_EXPR_IS_NULL:
        print_test(expr, " IS NULL", source, ret);
        break;
    case WEIR_EXPR_IS_TRUE:
        print_test(expr, " IS TRUE", source, ret);
        break;
    case WEIR_EXPR_IS_FALSE:
        print_test(expr, " IS FALSE", source, ret);
        break;
    case WEIR_EXPR_DISTINCT:
        print_test(expr, " IS DISTINCT FROM ", source, ret);
        print_list(expr, 1, "", source, ret);
        break;
    case WEIR_EXPR_IN:
        print_test(expr, " IN (", source, ret);
        print_list(expr, 1, ", ", source, ret);
        weir_buf_append_text(ret, ")");
        break;
    default:
        weir_buf_append_text(ret, expr->kind == WEIR_EXPR_NULLIF ? "NULLIF(" : "COALESCE(");
        print_list(expr, 0, ", ", source, ret);
        break;
    }
    weir_buf_append_text(ret, ")");
}

void print_expr(const struct weir_expr *expr, const struct weir_plan_source *source,
                struct weir_buf *ret)
{
    switch (expr->kind) {
    case WEIR_EXPR_COLUMN:
        print_column(expr->column, source, ret);
        break;
    case WEIR_EXPR_CONST:
        print_const(expr, ret);
        break;
    case WEIR_EXPR_CALL:
        print_call(expr, source, ret);
        break;
    case WEIR_EXPR_CAST:
        print_expr(expr->args[0], source, ret);
        /* An assignment's cast refuses what an explicit one cuts, so they must not look alike. */
        weir_buf_append_text(ret, expr->cast_is_explicit ? "::" : ":=");
        print_type(expr->type, ret);
        break;
    case WEIR_EXPR_CASE:
        print_case(expr, source, ret);
        break;
    case WEIR_EXPR_BATCH_TIME:
        weir_buf_append_text(ret, "now()");
        break;
    default:
        print_construct(expr, source, ret);
        break;
    }
}
