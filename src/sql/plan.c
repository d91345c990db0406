/* plan.c: makes a plan of a pipeline file, step by step (see compile.h).
 *
 * Checked by tests/unit/sql/test_plan.c. */
#include "sql/plan.h"

#include <stdlib.h>

#include "sql/compile.h"

/* Last of all, as what follows no longer needs the text of a constant (definition.c, N2). */
static int fold(const struct weir_plan *plan, struct weir_arena *arena, struct weir_error *err)
{
    int rc = WEIR_OK;

    for (uint32_t i = 0; rc == WEIR_OK && i < plan->insert_count; i++) {
        const struct weir_plan_insert *insert = &plan->inserts[i];
        if (insert->filter != NULL) {
            rc = weir_expr_fold(insert->filter, arena, err);
        }
        for (uint32_t c = 0; rc == WEIR_OK && c < insert->expr_count; c++) {
            rc = weir_expr_fold(insert->exprs[c], arena, err);
        }
    }
    return rc;
}

static int make(struct compile *compile, const struct weir_setting_override *overrides,
                uint32_t override_count)
{
    int rc = weir_sql_parse(&compile->sql, &compile->file);

    if (rc == WEIR_OK) {
        rc = settings_make(compile, overrides, override_count);
    }
    if (rc == WEIR_OK) {
        rc = tables_make(compile);
    }
    if (rc == WEIR_OK) {
        rc = connectors_make(compile);
    }
    if (rc == WEIR_OK) {
        rc = inserts_make(compile);
    }
    if (rc == WEIR_OK) {
        rc = promise_check(compile);
    }
    if (rc == WEIR_OK) {
        rc = definition_make(compile);
    }
    return rc == WEIR_OK ? fold(compile->plan, &compile->plan->arena, compile->sql.err) : rc;
}

int weir_plan_make(const char *file, struct weir_str text, const struct weir_registry *registry,
                   const struct weir_setting_override *overrides, uint32_t override_count,
                   struct weir_plan **ret, struct weir_error *err)
{
    struct weir_plan *plan = calloc(1, sizeof(*plan));
    struct compile compile = { .plan = plan, .registry = registry };
    int rc;

    if (plan == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "out of memory while reading %s", file);
    }
    weir_arena_init(&plan->arena, 0);
    plan->file = weir_arena_copy(&plan->arena, weir_str_from(file));
    plan->text = (struct weir_str){ weir_arena_copy(&plan->arena, text), text.len };
    compile.sql = (struct weir_sql){ plan->file, plan->text, &plan->arena, err };
    rc = plan->file == NULL || plan->text.data == NULL
             ? weir_error_set(err, WEIR_ENOMEM, "out of memory while reading %s", file)
             : make(&compile, overrides, override_count);
    if (rc == WEIR_OK) {
        *ret = plan;
        plan = NULL; /* *ret owns it now */
    }
    weir_plan_free(plan);
    return rc;
}

void weir_plan_free(struct weir_plan *plan)
{
    if (plan != NULL) {
        struct weir_arena arena = plan->arena;
        weir_arena_fini(&arena);
        free(plan);
    }
}

void weir_plan_locate(const struct weir_plan *plan, uint32_t at, uint32_t *ret_line,
                      uint32_t *ret_column)
{
    weir_sql_locate(plan->text, at, ret_line, ret_column);
}
