/* promise.c: which combinations of source, sink and mode keep their promise, and why.
 *
 * Checked by tests/unit/sql/test_plan.c and test_refusals.c. */
#include "sql/compile.h"

const char *delivery_name(enum weir_delivery delivery)
{
    switch (delivery) {
    case WEIR_EXACTLY_ONCE:
        return "exactly_once";
    case WEIR_AT_LEAST_ONCE:
        return "at_least_once";
    case WEIR_AT_MOST_ONCE:
        return "at_most_once";
    }
    return "?";
}

/* A source's option has that value (a default counts); false when it has no such option. */
static bool option_is(const struct weir_plan_source *source, const char *name, const char *value)
{
    return source->ops->options != NULL &&
           weir_option_find(source->ops->options, weir_str_from(name)) != NULL &&
           weir_str_equal(weir_options_get(source->ops->options, source->options, name).text,
                          weir_str_from(value));
}

static uint32_t option_place(const struct weir_plan_source *source, const char *name)
{
    for (uint32_t i = 0; i < source->options.count; i++) {
        if (weir_str_equal(source->options.items[i].name, weir_str_from(name))) {
            return source->options.items[i].at;
        }
    }
    return source->at;
}

static int check_source(const struct compile *compile, const struct weir_plan_source *source)
{
    enum weir_delivery delivery = compile->plan->settings.delivery;

    if (delivery != WEIR_AT_MOST_ONCE && !source->ops->replayable) {
        return weir_sql_fail(&compile->sql, source->at,
                             "use SET pipeline.delivery = 'at_most_once', or another source",
                             "%s needs a source that can be read again after a crash, which "
                             "connector \"%s\" cannot",
                             delivery_name(delivery), source->ops->name);
    }
    if (delivery == WEIR_EXACTLY_ONCE && option_is(source, "isolation", "read_uncommitted")) {
        return weir_sql_fail(&compile->sql, option_place(source, "isolation"),
                             "use isolation = 'read_committed'",
                             "exactly_once cannot be kept with isolation 'read_uncommitted': "
                             "records of an aborted transaction may be gone when a batch is "
                             "computed again");
    }
    return WEIR_OK;
}

/* mode = 'update' says that rows replace others, and nothing says which. */
static int check_mode(const struct compile *compile, const struct weir_plan_table *table)
{
    for (uint32_t i = 0; i < table->target.options.count; i++) {
        const struct weir_option *option = &table->target.options.items[i];
        if (table->target.key_count == 0 && weir_str_equal(option->name, WEIR_STR("mode")) &&
            weir_str_equal(option->text, WEIR_STR("update"))) {
            return weir_sql_fail(&compile->sql, option->at, "declare PRIMARY KEY (...)",
                                 "mode 'update' of table \"%s\" needs a PRIMARY KEY", table->name);
        }
    }
    return WEIR_OK;
}

static int check_target(const struct compile *compile, const struct weir_plan_table *table)
{
    const struct weir_settings *settings = &compile->plan->settings;
    const struct weir_sink_ops *ops = compile->plan->sinks[table->sink].ops;

    if (settings->delivery == WEIR_EXACTLY_ONCE && !ops->holds_ledger) {
        return weir_sql_fail(&compile->sql, table->at,
                             "use SET pipeline.delivery = 'at_least_once', or another sink",
                             "exactly_once needs a sink that keeps a ledger in the transaction of "
                             "its rows, which connector \"%s\" cannot",
                             ops->name);
    }
    if (settings->partition_by_source && table->target.key_count > 0) {
        return weir_sql_fail(&compile->sql, table->at, "use SET pipeline.partition_by = 'key'",
                             "table \"%s\" has a PRIMARY KEY, and partition_by is "
                             "'source_partition': changes of one key could be written by two "
                             "connections in any order",
                             table->name);
    }
    return check_mode(compile, table);
}

int promise_check(const struct compile *compile)
{
    const struct weir_plan *plan = compile->plan;
    int rc = WEIR_OK;

    for (uint32_t i = 0; rc == WEIR_OK && i < plan->source_count; i++) {
        rc = check_source(compile, &plan->sources[i]);
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < plan->table_count; i++) {
        rc = check_target(compile, &plan->tables[i]);
    }
    return rc;
}

static void explain_mode(const struct weir_plan *plan, const struct weir_plan_source *source,
                         const struct weir_sink_ops *sink, struct weir_buf *ret)
{
    const char *name = source->ops->name;

    switch (plan->settings.delivery) {
    case WEIR_EXACTLY_ONCE:
        weir_buf_printf(ret, "    each row exactly once, a batch all or nothing%s\n",
                        plan->settings.output_partitions > 1 ? " in each output partition" : "");
        weir_buf_printf(ret,
                        "    - %s can be read again from any offset: a batch whose outcome is "
                        "unknown is computed again, the same\n",
                        name);
        weir_buf_append_text(ret, "    - the log seals offsets and batch time, durably, before any "
                                  "output can be seen\n");
        weir_buf_printf(ret,
                        "    - the ledger moves in the same %s transaction as the rows, by a "
                        "compare-and-set that refuses an overtaken instance\n",
                        sink->name);
        break;
    case WEIR_AT_LEAST_ONCE:
        weir_buf_append_text(ret, "    each row once or more; doubled only from batches in flight "
                                  "at a fault\n");
        weir_buf_printf(ret,
                        "    - %s can be read again from any offset: what was not known to be "
                        "written is written again\n",
                        name);
        break;
    case WEIR_AT_MOST_ONCE:
        weir_buf_append_text(ret, "    each row once or not at all; missing only from batches in "
                                  "flight at a fault\n");
        weir_buf_append_text(ret, "    - a batch is marked done in the log before it is written\n");
        break;
    }
}

void promise_explain(const struct weir_plan *plan, const struct weir_plan_insert *insert,
                     struct weir_buf *ret)
{
    const struct weir_plan_source *source = &plan->sources[insert->source];
    const struct weir_plan_table *table = &plan->tables[insert->table];

    weir_buf_printf(ret, "  %s -> %s: %s\n", source->name, table->name,
                    delivery_name(plan->settings.delivery));
    explain_mode(plan, source, plan->sinks[table->sink].ops, ret);
    if (table->target.key_count > 0) {
        weir_buf_append_text(ret, "    - rows of one key collapse to the last one of each batch\n");
    }
    if (source->on_error == WEIR_ON_ERROR_FAIL) {
        weir_buf_append_text(ret, "    - a bad record stops the pipeline (on_error = 'fail')\n");
    } else {
        weir_buf_printf(ret, "    - outside the promise: bad records, %s\n",
                        source->on_error == WEIR_ON_ERROR_SKIP
                            ? "which are counted and dropped (on_error = 'skip')"
                            : "which become dead letters in the same transaction");
    }
    if (option_is(source, "on_data_loss", "skip")) {
        weir_buf_append_text(ret, "    - outside the promise: records that are gone before they "
                                  "were read (on_data_loss = 'skip')\n");
    }
}
