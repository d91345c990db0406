/* definition.c: what a pipeline means, in a canonical text, and its fingerprint.
 *
 * N1  Two files with the same definition turn the same records into the same rows. Addresses,
 *     secrets and tuning are left out: they may change from one start to the next. Of a connector's
 *     options those count that its table marks as defining. on_error is left out as well: whoever
 *     stops at a bad record must be able to say dead_letter and go on with the batch that holds it.
 * N2  The text is made before constants are folded, so that a better folding does not change the
 *     fingerprint of a pipeline that is in use.
 * Checked by tests/unit/sql/test_plan.c. */
#include "sql/compile.h"

static void print_type_of(struct weir_type type, struct weir_buf *ret)
{
    char name[64];

    weir_type_format(type, name, sizeof(name));
    weir_buf_append_text(ret, name);
}

static void define_options(const struct weir_option_def *defs, struct weir_options options,
                           struct weir_buf *ret)
{
    for (; defs != NULL && defs->name != NULL; defs++) {
        if (defs->defining) {
            struct weir_str text = weir_options_get(defs, options, defs->name).text;
            weir_buf_printf(ret, " %s=%zu:", defs->name, text.len); /* length: cannot be forged */
            weir_buf_append(ret, text.data, text.len);
        }
    }
}

static void define_source(const struct weir_plan_source *source, struct weir_buf *ret)
{
    weir_buf_printf(ret, "source %s %s %s", source->name, source->ops->name, source->format->name);
    define_options(source->ops->options, source->options, ret);
    define_options(source->format->options, source->options, ret);
    weir_buf_append_text(ret, "\n");
    for (uint32_t i = 0; i < source->decoded_count; i++) {
        weir_buf_printf(ret, "  %s ", source->decoded[i].name);
        print_type_of(source->decoded[i].type, ret);
        weir_buf_append_text(ret, "\n");
    }
}

static void define_table(const struct weir_plan *plan, const struct weir_plan_table *table,
                         struct weir_buf *ret)
{
    const struct weir_sink_table *target = &table->target;
    const struct weir_plan_sink *sink = &plan->sinks[table->sink];

    weir_buf_printf(ret, "table %s.%s sink=%u %s",
                    target->schema == NULL ? "public" : target->schema, target->name, table->sink,
                    sink->ops->name);
    define_options(sink->ops->table_options, target->options, ret);
    weir_buf_append_text(ret, "\n");
    for (uint32_t i = 0; i < target->column_count; i++) {
        weir_buf_printf(ret, "  %s ", target->columns[i].name);
        print_type_of(target->columns[i].type, ret);
        weir_buf_append_text(ret, target->columns[i].not_null ? " NOT NULL\n" : "\n");
    }
    for (uint32_t i = 0; i < target->key_count; i++) {
        weir_buf_printf(ret, "  key %s\n", target->columns[target->key[i]].name);
    }
}

static void define_insert(const struct weir_plan *plan, const struct weir_plan_insert *insert,
                          struct weir_buf *ret)
{
    const struct weir_plan_source *source = &plan->sources[insert->source];

    weir_buf_printf(ret, "insert %s from %s\n", plan->tables[insert->table].name, source->name);
    for (uint32_t i = 0; i < insert->expr_count; i++) {
        weir_buf_append_text(ret, "  = ");
        print_expr(insert->exprs[i], source, ret);
        weir_buf_append_text(ret, "\n");
    }
    if (insert->filter != NULL) {
        weir_buf_append_text(ret, "  where ");
        print_expr(insert->filter, source, ret);
        weir_buf_append_text(ret, "\n");
    }
}

int definition_make(struct compile *compile)
{
    struct weir_plan *plan = compile->plan;
    struct weir_buf buf = { 0 };
    char *copy = NULL;

    weir_buf_append_text(&buf, "weir pipeline definition, version 1\n");
    for (uint32_t i = 0; i < plan->source_count; i++) {
        define_source(&plan->sources[i], &buf);
    }
    for (uint32_t i = 0; i < plan->table_count; i++) {
        define_table(plan, &plan->tables[i], &buf);
    }
    for (uint32_t i = 0; i < plan->insert_count; i++) {
        define_insert(plan, &plan->inserts[i], &buf);
    }
    if (!buf.failed) {
        copy = weir_arena_copy(&plan->arena, (struct weir_str){ (const char *)buf.data, buf.len });
    }
    if (copy != NULL) {
        plan->definition = (struct weir_str){ copy, buf.len };
        plan->fingerprint = weir_hash128(copy, buf.len);
    }
    weir_buf_fini(&buf);
    return copy == NULL ? weir_sql_no_memory(&compile->sql) : WEIR_OK;
}
