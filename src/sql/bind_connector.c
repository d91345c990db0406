/* bind_connector.c: WITH (...) of a table: which connector and format, and their options.
 *
 * Every option belongs to one table of options: weir's own (connector, format, on_error), the
 * connector's, the format's; any other name is refused, with the nearest known one.
 * Checked by tests/unit/sql/test_plan.c and test_refusals.c. */
#include "base/assert.h"
#include "sql/compile.h"

const struct weir_option_def weir_table_option_defs[] = {
    { .name = "connector",
      .kind = WEIR_OPTION_TEXT,
      .required = true,
      .help = "what the table is: 'kafka', 'postgres' ..." },
    { .name = "format",
      .kind = WEIR_OPTION_TEXT,
      .default_text = "json",
      .help = "how a source's records are read" },
    { .name = "on_error",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "fail",
      .choices = "fail|dead_letter|skip",
      .help = "what becomes of a source's record that cannot be read, computed or written" },
    { .name = NULL },
};

enum { OWN_CONNECTOR, OWN_FORMAT, OWN_ON_ERROR };

enum { DEFS_MAX = 256 };

/* Several tables of options as one, for one check of a whole WITH clause. */
struct def_list {
    struct weir_option_def items[DEFS_MAX];
    uint32_t count;
};

static void add_defs(struct def_list *list, const struct weir_option_def *defs)
{
    for (; defs != NULL && defs->name != NULL; defs++) {
        weir_assert(list->count + 1 < DEFS_MAX);
        list->items[list->count++] = *defs;
    }
    list->items[list->count] = (struct weir_option_def){ 0 };
}

/* The options of a WITH clause with their variables replaced. */
static int take_options(struct compile *compile, const struct ast_create *create,
                        struct weir_options *ret)
{
    struct weir_option *items =
        weir_arena_calloc(compile->sql.arena, create->option_count + 1, sizeof(*items));

    if (items == NULL) {
        return weir_sql_no_memory(&compile->sql);
    }
    for (uint32_t i = 0; i < create->option_count; i++) {
        struct ast_option *option = &create->options[i];
        int rc = environment_expand(&compile->sql, option);
        if (rc != WEIR_OK) {
            return rc;
        }
        items[i] = (struct weir_option){ option->name, option->text, option->at };
    }
    *ret = (struct weir_options){ items, create->option_count };
    return WEIR_OK;
}

static const struct weir_option *find(struct weir_options options, const char *name)
{
    for (uint32_t i = 0; i < options.count; i++) {
        if (weir_str_equal(options.items[i].name, weir_str_from(name))) {
            return &options.items[i];
        }
    }
    return NULL;
}

/* Those options that a table of options knows. */
static int select_known(const struct weir_sql *sql, struct weir_options from,
                        const struct weir_option_def *defs, const struct weir_option_def *more,
                        struct weir_options *ret)
{
    struct weir_option *items = weir_arena_calloc(sql->arena, from.count + 1, sizeof(*items));
    uint32_t count = 0;

    if (items == NULL) {
        return weir_sql_no_memory(sql);
    }
    for (uint32_t i = 0; i < from.count; i++) {
        if (weir_option_find(defs, from.items[i].name) != NULL ||
            (more != NULL && weir_option_find(more, from.items[i].name) != NULL)) {
            items[count++] = from.items[i];
        }
    }
    *ret = (struct weir_options){ items, count };
    return WEIR_OK;
}

static int check(const struct compile *compile, const struct ast_create *create,
                 const struct def_list *defs, struct weir_options options)
{
    struct weir_error err = { 0 };
    uint32_t at;

    if (weir_options_check(defs->items, options, &at, &err) == WEIR_OK) {
        return WEIR_OK;
    }
    return weir_sql_fail(&compile->sql, at == UINT32_MAX ? create->table.at : at, NULL, "%s",
                         err.text);
}

/* "kafka, memory": the names that a role could have been given. */
#define LIST_NAMES(sql, rows, ret)                                                        \
    do {                                                                                  \
        (ret) = "";                                                                       \
        for (uint32_t list_at = 0; (rows)[list_at] != NULL && (ret) != NULL; list_at++) { \
            (ret) = weir_sql_format((sql), "%s%s%s", (ret), list_at == 0 ? "" : ", ",     \
                                    (rows)[list_at]->name);                               \
        }                                                                                 \
    } while (0)

/* Finds the row of a list ended by NULL whose name is the given text; NULL when there is none. */
#define FIND_NAME(rows, text, ret)                                              \
    do {                                                                        \
        uint32_t find_at = 0;                                                   \
        while ((rows)[find_at] != NULL &&                                       \
               !weir_str_equal(weir_str_from((rows)[find_at]->name), (text))) { \
            find_at++;                                                          \
        }                                                                       \
        (ret) = (rows)[find_at];                                                \
    } while (0)

static int no_connector(const struct compile *compile, const struct ast_create *create,
                        const struct weir_option *named, const char *what, const char *known)
{
    const char *hint = weir_sql_format(&compile->sql, "what can be %s: %s", what, known);

    if (named == NULL) {
        return weir_sql_fail(&compile->sql, create->table.at, hint,
                             "table \"%s\" has no connector: WITH (connector = '...') is missing",
                             table_display_name(&compile->sql, &create->table));
    }
    return weir_sql_fail(&compile->sql, named->at, hint, "connector \"%.*s\" cannot be %s",
                         WEIR_STR_ARG(named->text), what);
}

static int check_raw(const struct compile *compile, const struct table *table)
{
    const struct ast_create *create = table->ast;

    if (create->column_count != 1 ||
        (table->types[0].id != WEIR_TYPE_BYTEA && table->types[0].id != WEIR_TYPE_TEXT)) {
        return weir_sql_fail(&compile->sql, create->table.at, NULL,
                             "format 'raw' takes exactly one column, of type bytea or text");
    }
    return WEIR_OK;
}

static int make_source(struct compile *compile, struct table *table)
{
    const struct weir_sql *sql = &compile->sql;
    const struct weir_registry *registry = compile->registry;
    struct weir_plan_source *source = &compile->plan->sources[table->number];
    struct weir_options all;
    struct def_list defs = { .count = 0 };
    const char *known;
    int rc = take_options(compile, table->ast, &all);

    if (rc != WEIR_OK) {
        return rc;
    }
    const struct weir_option *connector = find(all, "connector"), *format = find(all, "format");
    struct weir_str format_name = format == NULL ? WEIR_STR("json") : format->text;
    struct weir_str name = connector == NULL ? WEIR_STR("") : connector->text;
    FIND_NAME(registry->sources, name, source->ops);
    if (source->ops == NULL) {
        LIST_NAMES(sql, registry->sources, known);
        return no_connector(compile, table->ast, connector, "read from", known);
    }
    FIND_NAME(registry->formats, format_name, source->format);
    if (source->format == NULL) {
        LIST_NAMES(sql, registry->formats, known);
        return weir_sql_fail(sql, format == NULL ? table->ast->table.at : format->at,
                             weir_sql_format(sql, "the formats are: %s", known),
                             "unknown format \"%.*s\"", WEIR_STR_ARG(format_name));
    }
    add_defs(&defs, weir_table_option_defs);
    add_defs(&defs, source->ops->options);
    add_defs(&defs, source->format->options);
    rc = check(compile, table->ast, &defs, all);
    if (rc == WEIR_OK && weir_str_equal(format_name, WEIR_STR("raw"))) {
        rc = check_raw(compile, table);
    }
    if (rc == WEIR_OK) {
        rc =
            select_known(sql, all, source->ops->options, source->format->options, &source->options);
    }
    source->name = table_display_name(sql, &table->ast->table);
    source->at = table->ast->table.at;
    if (rc == WEIR_OK) {
        source->on_error =
            (enum weir_on_error)weir_options_get(weir_table_option_defs, all,
                                                 weir_table_option_defs[OWN_ON_ERROR].name)
                .number;
    }
    return rc;
}

/* Whether an option means the same in both lists: '30 s' is '30000 ms', what is left out is its default. */
static bool means_the_same(const struct weir_option_def *defs, struct weir_options a,
                           struct weir_options b, const char *name)
{
    const struct weir_option_def *def = weir_option_find(defs, weir_str_from(name));
    struct weir_option_value left = weir_options_get(defs, a, name);
    struct weir_option_value right = weir_options_get(defs, b, name);

    if (def->default_text == NULL && left.is_set != right.is_set) {
        return false;
    }
    return def->kind == WEIR_OPTION_TEXT ? weir_str_equal(left.text, right.text)
                                         : left.number == right.number;
}

/* Connection options of one transaction domain are those of one connection: what either table says,
 * the other one must say as well, options of a prefix ("kafka.*") included. */
static int check_agreement(const struct compile *compile, const struct weir_plan_sink *sink,
                           struct weir_options options, uint32_t table_at)
{
    const struct weir_options lists[] = { options, sink->options };

    for (int side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < lists[side].count; i++) {
            const struct weir_option *said = &lists[side].items[i];
            const char *name = said->name.data;
            if (!means_the_same(sink->ops->sink_options, options, sink->options, name)) {
                return weir_sql_fail(&compile->sql, side == 0 ? said->at : table_at,
                                     "tables of one database are written in one transaction, over "
                                     "the same connection",
                                     "option \"%s\" differs from that of table \"%s\"", name,
                                     compile->plan->tables[sink->tables[0]].name);
            }
        }
    }
    return WEIR_OK;
}

/* The sink that a target belongs to: that of its transaction domain, or a new one. */
static int join_sink(struct compile *compile, uint32_t table, const struct weir_sink_ops *ops,
                     struct weir_options options)
{
    struct weir_plan *plan = compile->plan;
    uint32_t s = 0;

    while (s < plan->sink_count &&
           (plan->sinks[s].ops != ops || !ops->same_domain(plan->sinks[s].options, options))) {
        s++;
    }
    struct weir_plan_sink *sink = &plan->sinks[s];
    plan->tables[table].sink = s;
    if (s < plan->sink_count) {
        int rc = check_agreement(compile, sink, options, plan->tables[table].at);
        sink->tables[sink->table_count++] = table;
        return rc;
    }
    sink->tables = weir_arena_calloc(compile->sql.arena, plan->table_count, sizeof(*sink->tables));
    if (sink->tables == NULL) {
        return weir_sql_no_memory(&compile->sql);
    }
    sink->ops = ops;
    sink->options = options;
    sink->tables[sink->table_count++] = table;
    plan->sink_count++;
    return WEIR_OK;
}

static int make_target(struct compile *compile, struct table *table)
{
    const struct weir_sql *sql = &compile->sql;
    const struct ast_create *create = table->ast;
    struct weir_plan_table *target = &compile->plan->tables[table->number];
    const struct weir_sink_ops *ops;
    struct weir_options all, connection;
    struct def_list defs = { .count = 0 };
    int rc = take_options(compile, create, &all);

    if (rc != WEIR_OK) {
        return rc;
    }
    const struct weir_option *connector = find(all, weir_table_option_defs[OWN_CONNECTOR].name);
    struct weir_str name = connector == NULL ? WEIR_STR("") : connector->text;
    FIND_NAME(compile->registry->sinks, name, ops);
    if (ops == NULL) {
        const char *known;
        LIST_NAMES(sql, compile->registry->sinks, known);
        return no_connector(compile, create, connector, "written to", known);
    }
    const struct weir_option *misplaced = find(all, weir_table_option_defs[OWN_ON_ERROR].name);
    if (misplaced == NULL) {
        misplaced = find(all, weir_table_option_defs[OWN_FORMAT].name);
    }
    if (misplaced != NULL && weir_option_find(ops->table_options, misplaced->name) == NULL) {
        return weir_sql_fail(sql, misplaced->at, "give it to the table that is read",
                             "option \"%.*s\" belongs to a source", WEIR_STR_ARG(misplaced->name));
    }
    add_defs(&defs, weir_table_option_defs);
    add_defs(&defs, ops->sink_options);
    add_defs(&defs, ops->table_options);
    rc = check(compile, create, &defs, all);
    if (rc == WEIR_OK) {
        rc = select_known(sql, all, ops->sink_options, NULL, &connection);
    }
    if (rc == WEIR_OK) {
        rc = select_known(sql, all, ops->table_options, NULL, &target->target.options);
    }
    target->name = table_display_name(sql, &create->table);
    target->at = create->table.at;
    target->target.schema = create->table.schema.len == 0 ? NULL : create->table.schema.data;
    target->target.name = create->table.name.data;
    return rc == WEIR_OK ? join_sink(compile, table->number, ops, connection) : rc;
}

int connectors_make(struct compile *compile)
{
    struct weir_plan *plan = compile->plan;
    uint32_t count = compile->file.create_count;
    int rc = WEIR_OK;

    for (uint32_t i = 0; i < count; i++) {
        struct table *table = &compile->tables[i];
        table->number = table->is_read ? plan->source_count++ : plan->table_count++;
    }
    plan->sources = weir_arena_calloc(&plan->arena, plan->source_count + 1, sizeof(*plan->sources));
    plan->tables = weir_arena_calloc(&plan->arena, plan->table_count + 1, sizeof(*plan->tables));
    plan->sinks = weir_arena_calloc(&plan->arena, plan->table_count + 1, sizeof(*plan->sinks));
    if (plan->sources == NULL || plan->tables == NULL || plan->sinks == NULL) {
        return weir_sql_no_memory(&compile->sql);
    }
    for (uint32_t i = 0; rc == WEIR_OK && i < count; i++) {
        struct table *table = &compile->tables[i];
        rc = table->is_read ? make_source(compile, table) : make_target(compile, table);
    }
    return rc;
}
