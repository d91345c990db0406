/* weir_oracle.c: evaluates SELECT lists over given rows and prints every value, for comparison with
 * PostgreSQL (test_oracle.py).
 *
 * Input, one command a line:
 *   table CREATE TABLE t (a integer, ...)   begins a table without rows
 *   row a<TAB>b<TAB>...                     one row in the text format of COPY (\N is null)
 *   select SELECT a + 1, b                  computes it over the rows so far
 * Output: a select's answer is one line a target, "type NAME", then for each row one line with as
 * many fields as targets, separated by tabs: "=" and the value, or "null", or "!SQLSTATE text".
 * "refused text" takes the place of all that when the SELECT does not bind. Control characters and
 * backslashes are escaped. Every answer ends with the line "end". */
#include <stdio.h>
#include <stdlib.h>

#include "chunk/scalar_text.h"
#include "sql/bind.h"

enum { ROWS_MAX = WEIR_CHUNK_ROWS_MAX };

/* The rows at hand. Column data has room for ROWS_MAX rows. */
struct table {
    struct weir_arena arena;
    struct weir_format_column *columns;
    uint32_t column_count;
    struct weir_vec *vecs;
    uint64_t **valid;
    uint32_t rows;
};

_Noreturn static void die(const char *what, const char *detail)
{
    (void)fprintf(stderr, "weir_oracle: %s: %s\n", what, detail);
    exit(2);
}

static void print_escaped(struct weir_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < ' ' || c == '\\') {
            (void)printf("\\%03o", c);
        } else {
            (void)putchar(c);
        }
    }
}

/* ---- tables ---------------------------------------------------------------------------------- */

static void begin_table(struct table *table, struct weir_str sql)
{
    struct weir_error err = { 0 };

    weir_arena_fini(&table->arena);
    *table = (struct table){ 0 };
    weir_arena_init(&table->arena, 0);
    if (weir_bind_columns(sql, &table->arena, &table->columns, &table->column_count, &err) !=
        WEIR_OK) {
        die("table", err.text);
    }
    table->vecs = weir_arena_calloc(&table->arena, table->column_count, sizeof(*table->vecs));
    table->valid = weir_arena_calloc(&table->arena, table->column_count, sizeof(*table->valid));
    for (uint32_t i = 0; i < table->column_count; i++) {
        table->vecs[i] = weir_vec_alloc(&table->arena, table->columns[i].type, ROWS_MAX);
        table->valid[i] = weir_bitmap_alloc(&table->arena, ROWS_MAX, true);
        table->vecs[i].valid = table->valid[i];
    }
}

/* Takes the text up to the next tab off the line, without the escapes of COPY. */
static struct weir_str take_field(struct weir_str *line, struct weir_arena *arena, bool *ret_null)
{
    char *out = weir_arena_alloc(arena, line->len + 1);
    size_t len = 0, at = 0;

    *ret_null = line->len >= 2 && memcmp(line->data, "\\N", 2) == 0;
    for (; at < line->len && line->data[at] != '\t'; at++) {
        char c = line->data[at];
        if (c == '\\' && at + 1 < line->len) {
            c = line->data[++at];
            c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
        }
        out[len++] = c;
    }
    at += at < line->len; /* the tab */
    line->data += at;
    line->len -= at;
    return (struct weir_str){ out, len };
}

static void add_row(struct table *table, struct weir_str line)
{
    if (table->rows == ROWS_MAX) {
        die("row", "too many rows");
    }
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct weir_type type = table->columns[i].type;
        struct weir_value_error verr;
        bool is_null;
        struct weir_str text = take_field(&line, &table->arena, &is_null);
        if (is_null) {
            weir_bitmap_clear(table->valid[i], table->rows);
        } else if (weir_value_parse(type, text, &table->arena,
                                    table->vecs[i].b + table->rows * weir_type_bytes(type.id),
                                    &verr) != WEIR_OK) {
            die(table->columns[i].name, verr.text);
        }
    }
    table->rows++;
}

/* ---- selects --------------------------------------------------------------------------------- */

static const struct weir_row_error *find_error(const struct weir_eval *eval, uint32_t row)
{
    for (uint32_t i = 0; i < eval->error_count; i++) {
        if (eval->errors[i].row == row) {
            return &eval->errors[i];
        }
    }
    return NULL;
}

static void print_value(const struct weir_vec *vec, uint32_t row, const struct weir_eval *eval)
{
    const struct weir_row_error *error = find_error(eval, row);
    struct weir_str text;

    if (error != NULL) {
        (void)printf("!%s ", error->sqlstate);
        print_escaped(weir_str_from(error->text));
    } else if (weir_vec_is_null(vec, row)) {
        (void)printf("null");
    } else {
        if (weir_value_print(vec, row, eval->arena, &text) != WEIR_OK) {
            die("select", "out of memory");
        }
        (void)putchar('=');
        print_escaped(text);
    }
}

static void compute(const struct table *table, const struct weir_bound_select *select,
                    struct weir_arena *arena)
{
    static uint32_t all_rows[ROWS_MAX];
    struct weir_chunk chunk = { .rows = table->rows,
                                .columns = table->column_count,
                                .vecs = table->vecs };
    struct weir_vec *results = weir_arena_calloc(arena, select->expr_count, sizeof(*results));
    struct weir_eval *evals = weir_arena_calloc(arena, select->expr_count, sizeof(*evals));
    struct weir_error err = { 0 };

    for (uint32_t row = 0; row < table->rows; row++) {
        all_rows[row] = row;
    }
    for (uint32_t i = 0; i < select->expr_count; i++) {
        evals[i] = (struct weir_eval){ .arena = arena, .err = &err };
        struct weir_sel sel = { .count = table->rows, .rows = all_rows };
        if (weir_expr_eval(select->exprs[i], &evals[i], &chunk, sel, &results[i]) != WEIR_OK) {
            die("select", err.text);
        }
        (void)printf("type %s\n", weir_type_sql_name(select->exprs[i]->type.id));
    }
    for (uint32_t row = 0; row < table->rows; row++) {
        for (uint32_t i = 0; i < select->expr_count; i++) {
            if (i > 0) {
                (void)putchar('\t');
            }
            print_value(&results[i], row, &evals[i]);
        }
        (void)putchar('\n');
    }
}

static void run_select(const struct table *table, struct weir_str sql)
{
    struct weir_arena arena;
    struct weir_bound_select select;
    struct weir_error err = { 0 };

    weir_arena_init(&arena, 0);
    if (weir_bind_select(table->columns, table->column_count, sql, &arena, &select, &err) ==
        WEIR_OK) {
        compute(table, &select, &arena);
    } else {
        (void)printf("refused ");
        print_escaped(weir_str_from(err.text));
        (void)putchar('\n');
    }
    (void)printf("end\n");
    weir_arena_fini(&arena);
}

static void run_command(struct table *table, struct weir_str line)
{
    static const char *const words[] = { "table ", "row ", "select " };
    static void (*const begin[])(struct table *, struct weir_str) = { begin_table, add_row };

    for (int i = 0; i < 3; i++) {
        size_t len = strlen(words[i]);
        if (line.len < len || memcmp(line.data, words[i], len) != 0) {
            continue;
        }
        line.data += len;
        line.len -= len;
        if (i < 2) {
            begin[i](table, line);
        } else {
            run_select(table, line);
        }
        return;
    }
    die("unknown command", line.data);
}

int main(void)
{
    struct table table = { 0 };
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len;

    while ((len = getline(&line, &capacity, stdin)) > 0) {
        len -= line[len - 1] == '\n';
        line[len] = '\0';
        run_command(&table, (struct weir_str){ line, (size_t)len });
    }
    free(line);
    weir_arena_fini(&table.arena);
    return 0;
}
