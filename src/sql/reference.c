/* reference.c: docs/REFERENCE.md from the code's own tables, so that it cannot be out of date.
 *
 * Checked by tests/unit/sql/test_plan.c. */
#include "sql/reference.h"

#include <ctype.h>
#include <stdio.h>

#include "sql/compile.h"

static const char *kind_name(enum weir_option_kind kind)
{
    switch (kind) {
    case WEIR_OPTION_TEXT:
        return "text";
    case WEIR_OPTION_BOOL:
        return "true or false";
    case WEIR_OPTION_INTEGER:
        return "integer";
    case WEIR_OPTION_DURATION:
        return "duration";
    case WEIR_OPTION_BYTES:
        return "bytes";
    case WEIR_OPTION_CHOICE:
        return "choice";
    }
    return "?";
}

/* A cell of a table: a bar would end it. */
static void put_cell(const char *text, struct weir_buf *ret)
{
    for (; *text != '\0'; text++) {
        weir_buf_append_text(ret, *text == '|' ? "\\" : "");
        weir_buf_append(ret, text, 1);
    }
}

static void put_code(const char *text, struct weir_buf *ret)
{
    weir_buf_append_text(ret, "`");
    put_cell(text, ret);
    weir_buf_append_text(ret, "`");
}

static void put_options(const char *prefix, const struct weir_option_def *defs,
                        struct weir_buf *ret)
{
    if (defs == NULL || defs->name == NULL) {
        weir_buf_append_text(ret, "None.\n");
        return;
    }
    weir_buf_append_text(ret,
                         "| option | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for (; defs->name != NULL; defs++) {
        weir_buf_printf(ret, "| `%s%s` | ", prefix, defs->name);
        if (defs->kind == WEIR_OPTION_CHOICE) {
            put_code(defs->choices, ret);
        } else {
            weir_buf_append_text(ret, kind_name(defs->kind));
        }
        weir_buf_append_text(ret, " | ");
        if (defs->required) {
            weir_buf_append_text(ret, "required");
        } else if (defs->default_text != NULL) {
            put_code(defs->default_text, ret);
        }
        weir_buf_append_text(ret, " | ");
        put_cell(defs->help == NULL ? "" : defs->help, ret);
        weir_buf_append_text(ret, " |\n");
    }
}

static void put_connectors(const struct weir_registry *registry, struct weir_buf *ret)
{
    for (uint32_t i = 0; registry->sources[i] != NULL; i++) {
        weir_buf_printf(ret, "\n### Source `%s`\n\n", registry->sources[i]->name);
        put_options("", registry->sources[i]->options, ret);
    }
    for (uint32_t i = 0; registry->sinks[i] != NULL; i++) {
        weir_buf_printf(ret, "\n### Sink `%s`, of the connection\n\n", registry->sinks[i]->name);
        put_options("", registry->sinks[i]->sink_options, ret);
        weir_buf_printf(ret, "\n### Sink `%s`, of a table\n\n", registry->sinks[i]->name);
        put_options("", registry->sinks[i]->table_options, ret);
    }
    for (uint32_t i = 0; registry->formats[i] != NULL; i++) {
        weir_buf_printf(ret, "\n### Format `%s`\n\n", registry->formats[i]->name);
        put_options("", registry->formats[i]->options, ret);
    }
}

static void put_metadata(struct weir_buf *ret)
{
    weir_buf_append_text(ret, "\n## Metadata columns of every source\n\n"
                              "| column | type | meaning |\n| --- | --- | --- |\n");
    for (uint32_t m = 0; m < WEIR_META_COUNT; m++) {
        weir_buf_printf(ret, "| `%s` | %s | %s |\n", meta_columns[m].name,
                        weir_type_sql_name(meta_columns[m].type), meta_columns[m].help);
    }
}

static const char *context_name(enum weir_cast_context context)
{
    return context == WEIR_CAST_IMPLICIT     ? "by itself"
           : context == WEIR_CAST_ASSIGNMENT ? "when assigned to a column"
                                             : "when written";
}

static void put_types(struct weir_buf *ret)
{
    uint32_t count;
    const struct weir_cast *casts = weir_casts(&count);

    weir_buf_append_text(ret, "\n## Types\n\n");
    for (uint32_t id = 0; id < WEIR_TYPE_UNKNOWN; id++) {
        weir_buf_printf(ret, "- %s\n", weir_type_sql_name((enum weir_type_id)id));
    }
    weir_buf_append_text(ret, "\n## Casts\n\n| from | to | happens |\n| --- | --- | --- |\n");
    for (uint32_t i = 0; i < count; i++) {
        if (casts[i].from != WEIR_TYPE_UNKNOWN && casts[i].from != casts[i].to) {
            weir_buf_printf(ret, "| %s | %s | %s |\n", weir_type_sql_name(casts[i].from),
                            weir_type_sql_name(casts[i].to), context_name(casts[i].context));
        }
    }
}

static void put_signature(const struct weir_function *function, struct weir_buf *ret)
{
    bool is_word = isalpha((unsigned char)function->name[0]) != 0;
    char separator[16];

    (void)snprintf(separator, sizeof(separator), "%s%s ", is_word ? "" : " ",
                   is_word ? "," : function->name);
    weir_buf_append_text(ret, "`");
    if (is_word) {
        weir_buf_printf(ret, "%s(", function->name);
    } else if (function->arg_count == 1) {
        weir_buf_printf(ret, "%s ", function->name);
    }
    for (uint32_t i = 0; i < function->arg_count; i++) {
        put_cell(i == 0 ? "" : separator, ret);
        weir_buf_append_text(ret, weir_type_sql_name(function->args[i]));
    }
    weir_buf_append_text(ret, is_word ? ")`" : "`");
}

static void put_functions(bool words, struct weir_buf *ret)
{
    const char *help = "";
    uint32_t count;
    const struct weir_function *functions = weir_functions(&count);

    weir_buf_append_text(ret, "\n| form | result | meaning |\n| --- | --- | --- |\n");
    for (uint32_t i = 0; i < count; i++) {
        help = functions[i].help == NULL ? help : functions[i].help;
        if ((isalpha((unsigned char)functions[i].name[0]) != 0) != words ||
            functions[i].kernel == NULL) { /* known by name, in order to be refused */
            continue;
        }
        weir_buf_append_text(ret, "| ");
        put_signature(&functions[i], ret);
        weir_buf_printf(ret, " | %s | ", weir_type_sql_name(functions[i].result));
        put_cell(help, ret);
        weir_buf_append_text(ret, " |\n");
    }
}

/* What the grammar has beside operators and functions. */
static void put_constructs(struct weir_buf *ret)
{
    weir_buf_append_text(
        ret, "\n## Constructs\n\n"
             "- `AND`, `OR`, `NOT`, three-valued\n"
             "- `IS [NOT] NULL`, `IS [NOT] TRUE`, `IS [NOT] FALSE`, `IS [NOT] UNKNOWN`\n"
             "- `IS [NOT] DISTINCT FROM`, `[NOT] BETWEEN [SYMMETRIC]`, `[NOT] IN (list)`\n"
             "- `CASE`, `COALESCE`, `NULLIF`\n"
             "- `[NOT] LIKE`, `[NOT] ILIKE`, with `ESCAPE`\n"
             "- `CAST(x AS type)`, `x::type`, `type 'literal'`, `text || anything`\n"
             "- `EXTRACT(field FROM x)`, `SUBSTRING(x FROM a FOR b)`, `TRIM(BOTH x FROM y)`, "
             "`POSITION(x IN y)`, `AT TIME ZONE`\n"
             "- `now()`, `CURRENT_TIMESTAMP`, `CURRENT_DATE`, `LOCALTIMESTAMP`, `LOCALTIME`: the "
             "batch's time\n");
}

void weir_reference_markdown(const struct weir_registry *registry, struct weir_buf *ret)
{
    weir_buf_append_text(ret, "# Reference\n\nMade by `weir reference`.\n\n"
                              "## Settings: `SET name = 'value'` and `--set name=value`\n\n");
    put_options("pipeline.", weir_setting_defs, ret);
    weir_buf_append_text(ret, "\n## Tables: `CREATE TABLE ... WITH (option = 'value')`\n\n"
                              "Every source and every target:\n\n");
    put_options("", weir_table_option_defs, ret);
    put_connectors(registry, ret);
    put_metadata(ret);
    put_types(ret);
    put_constructs(ret);
    weir_buf_append_text(ret, "\n## Operators\n");
    put_functions(false, ret);
    weir_buf_append_text(ret, "\n## Functions\n");
    put_functions(true, ret);
}
