/* compile.h: a plan while it is being made, and the steps that make it. Internal to src/sql.
 *
 * The order: parse.c, settings.c, bind_table.c (roles, then sources, sinks and targets),
 * bind_insert.c, promise.c, definition.c; plan.c calls them. */
#ifndef WEIR_SQL_COMPILE_H
#define WEIR_SQL_COMPILE_H

#include "sql/bind_expr.h"
#include "sql/plan.h"

/* One CREATE TABLE, with what is known of it so far. */
struct table {
    const struct ast_create *ast;
    struct weir_type *types; /* of the declared columns */
    bool *not_null;          /* PRIMARY KEY included */
    bool *used;              /* of a target: some INSERT names the column */
    uint32_t *key;           /* declared columns of the PRIMARY KEY */
    uint32_t key_count;
    bool is_read, is_written;
    uint32_t number;    /* in plan->sources or plan->tables */
    struct scope scope; /* of a source: declared columns, then metadata columns */
};

struct compile {
    struct weir_sql sql;
    struct weir_plan *plan;
    const struct weir_registry *registry;
    struct ast_file file;
    struct table *tables; /* file.create_count of them */
};

/* The pipeline's settings, and the table they are made from (names without "pipeline."). */
extern const struct weir_option_def weir_setting_defs[];
int settings_make(struct compile *compile, const struct weir_setting_override *overrides,
                  uint32_t override_count);

/* Replaces ${VAR}, ${VAR:-default} and ${VAR:?why} in the text of a string literal. */
int environment_expand(const struct weir_sql *sql, struct ast_option *option);

/* What WITH (...) of any table may say beside its connector's own options. */
extern const struct weir_option_def weir_table_option_defs[];

int tables_make(struct compile *compile);
/* The table that a name means; NULL when there is none. */
struct table *tables_find(const struct compile *compile, const struct ast_table_name *name);
/* "public.revenue" */
const char *table_display_name(const struct weir_sql *sql, const struct ast_table_name *name);

/* Sources, targets and sinks of the plan, when all roles are known. */
int connectors_make(struct compile *compile);

int inserts_make(struct compile *compile);

/* Refuses combinations that cannot keep the promise. */
int promise_check(const struct compile *compile);
/* What the promise of one INSERT rests on, a line each. */
void promise_explain(const struct weir_plan *plan, const struct weir_plan_insert *insert,
                     struct weir_buf *ret);

/* The canonical text and its fingerprint; before constants are folded. */
int definition_make(struct compile *compile);

/* An expression as SQL, its columns by the names of source; NULL source: "$1" by number. */
void print_expr(const struct weir_expr *expr, const struct weir_plan_source *source,
                struct weir_buf *ret);

/* The names and types of metadata columns, in the order of enum weir_meta_column. */
struct meta_column {
    const char *name;
    enum weir_type_id type;
    const char *help;
};
extern const struct meta_column meta_columns[WEIR_META_COUNT];

/* "exactly_once" ... */
const char *delivery_name(enum weir_delivery delivery);

#endif
