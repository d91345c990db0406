/* explain.c: what `weir explain` prints: the plan, and the promise of every path.
 *
 * Secrets are starred by redact.c. Checked by tests/unit/sql/test_plan.c. */
#include <inttypes.h>

#include "sql/compile.h"
#include "sql/redact.h"

enum { NAME_COLUMNS = 20 };

static const char *const on_error_names[] = { "fail", "dead_letter", "skip" };

static void print_field(struct weir_buf *ret, const char *name, const char *value)
{
    weir_buf_printf(ret, "  %-*s %s\n", NAME_COLUMNS, name, value);
}

static void print_number(struct weir_buf *ret, const char *name, int64_t value, const char *unit)
{
    weir_buf_printf(ret, "  %-*s %" PRId64 "%s\n", NAME_COLUMNS, name, value, unit);
}

static void explain_settings(const struct weir_settings *settings, struct weir_buf *ret)
{
    weir_buf_printf(ret, "pipeline %s\n", settings->name);
    print_field(ret, "delivery", delivery_name(settings->delivery));
    if (settings->trigger_us % 1000 == 0) {
        print_number(ret, "trigger", settings->trigger_us / 1000, " ms");
    } else {
        print_number(ret, "trigger", settings->trigger_us, " us");
    }
    print_number(ret, "batch_rows", settings->batch_rows_max, "");
    print_number(ret, "batch_bytes", (int64_t)settings->batch_bytes_max, "");
    print_number(ret, "output_partitions", settings->output_partitions, "");
    print_field(ret, "partition_by", settings->partition_by_source ? "source_partition" : "key");
    if (settings->retry_limit_us == 0) {
        print_field(ret, "retry_limit", "never gives up");
    } else {
        print_number(ret, "retry_limit", settings->retry_limit_us / 1000000, " s");
    }
    print_number(ret, "log.segment_bytes", (int64_t)settings->log_segment_bytes, "");
    print_number(ret, "log.retain_bytes", (int64_t)settings->log_retain_bytes, "");
}

static void explain_options(const struct weir_option_def *defs, const struct weir_option_def *more,
                            struct weir_options options, struct weir_buf *ret)
{
    for (uint32_t i = 0; i < options.count; i++) {
        const struct weir_option *option = &options.items[i];
        const struct weir_option_def *def =
            defs == NULL ? NULL : weir_option_find(defs, option->name);
        if (def == NULL && more != NULL) {
            def = weir_option_find(more, option->name);
        }
        weir_buf_printf(ret, "  %-*.*s ", NAME_COLUMNS, WEIR_STR_ARG(option->name));
        redact_option(def, option->name, option->text, ret);
        weir_buf_append_text(ret, "\n");
    }
}

static void explain_source(const struct weir_plan_source *source, struct weir_buf *ret)
{
    const char *between = "";

    weir_buf_printf(ret, "\nsource %s (%s, %s)\n", source->name, source->ops->name,
                    source->format->name);
    explain_options(source->ops->options, source->format->options, source->options, ret);
    print_field(ret, "on_error", on_error_names[source->on_error]);
    weir_buf_printf(ret, "  %-*s ", NAME_COLUMNS, "reads");
    for (uint32_t i = 0; i < source->decoded_count; i++) {
        char type[64];
        weir_type_format(source->decoded[i].type, type, sizeof(type));
        weir_buf_printf(ret, "%s%s %s", between, source->decoded[i].name, type);
        between = ", ";
    }
    for (uint32_t m = 0; m < WEIR_META_COUNT; m++) {
        if ((source->meta_used >> m & 1) != 0) {
            weir_buf_printf(ret, "%s%s", between, meta_columns[m].name);
            between = ", ";
        }
    }
    weir_buf_append_text(ret, between[0] == '\0' ? "nothing of a record\n" : "\n");
}

static void explain_target(const struct weir_plan_table *table, struct weir_buf *ret)
{
    const struct weir_sink_table *target = &table->target;

    weir_buf_printf(ret, "  table %s: ", table->name);
    if (target->key_count == 0) {
        weir_buf_append_text(ret, "rows are appended\n");
    } else {
        weir_buf_append_text(ret, "rows replace those of the same key (");
        for (uint32_t i = 0; i < target->key_count; i++) {
            weir_buf_printf(ret, "%s%s", i == 0 ? "" : ", ", target->columns[target->key[i]].name);
        }
        weir_buf_append_text(ret, ")\n");
    }
}

static void explain_sink(const struct weir_plan *plan, uint32_t index, struct weir_buf *ret)
{
    const struct weir_plan_sink *sink = &plan->sinks[index];

    weir_buf_printf(ret, "\nsink %" PRIu32 " (%s), one transaction a batch%s\n", index + 1,
                    sink->ops->name,
                    plan->settings.output_partitions > 1 ? " and output partition" : "");
    explain_options(sink->ops->sink_options, NULL, sink->options, ret);
    for (uint32_t i = 0; i < sink->table_count; i++) {
        const struct weir_plan_table *table = &plan->tables[sink->tables[i]];
        explain_target(table, ret);
        explain_options(sink->ops->table_options, NULL, table->target.options, ret);
    }
}

static void explain_insert(const struct weir_plan *plan, const struct weir_plan_insert *insert,
                           struct weir_buf *ret)
{
    const struct weir_plan_source *source = &plan->sources[insert->source];
    const struct weir_plan_table *table = &plan->tables[insert->table];
    uint32_t line, column;

    weir_plan_locate(plan, insert->at, &line, &column);
    weir_buf_printf(ret, "\ninsert into %s (%s:%" PRIu32 ")\n`- project\n", table->name, plan->file,
                    line);
    for (uint32_t i = 0; i < insert->expr_count; i++) {
        char type[64];
        weir_type_format(insert->exprs[i]->type, type, sizeof(type));
        weir_buf_printf(ret, "   |  %s %s = ", table->target.columns[i].name, type);
        print_expr(insert->exprs[i], source, ret);
        weir_buf_append_text(ret, "\n");
    }
    if (insert->filter != NULL) {
        weir_buf_append_text(ret, "   `- filter ");
        print_expr(insert->filter, source, ret);
        weir_buf_append_text(ret, "\n   ");
    }
    weir_buf_printf(ret, "   `- scan %s\n", source->name);
}

void weir_plan_explain(const struct weir_plan *plan, struct weir_buf *ret)
{
    explain_settings(&plan->settings, ret);
    for (uint32_t i = 0; i < plan->source_count; i++) {
        explain_source(&plan->sources[i], ret);
    }
    for (uint32_t i = 0; i < plan->sink_count; i++) {
        explain_sink(plan, i, ret);
    }
    for (uint32_t i = 0; i < plan->insert_count; i++) {
        explain_insert(plan, &plan->inserts[i], ret);
    }
    weir_buf_append_text(ret, "\npromise\n");
    for (uint32_t i = 0; i < plan->insert_count; i++) {
        promise_explain(plan, &plan->inserts[i], ret);
    }
    weir_buf_printf(ret, "\nfingerprint %016" PRIx64 "%016" PRIx64 "\n", plan->fingerprint.hi,
                    plan->fingerprint.lo);
}
