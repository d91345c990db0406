/* environment.c: ${VAR} inside the string literals of options and settings.
 *
 * Replaced after parsing, so a variable's value is always a value and never becomes SQL.
 * Checked by tests/unit/sql/test_plan.c and test_refusals.c. */
#include "sql/compile.h"

#include <ctype.h>
#include <stdlib.h>

/* One "${...}", taken apart. */
struct variable {
    const char *name;
    enum { VARIABLE_PLAIN, VARIABLE_DEFAULT, VARIABLE_REQUIRED } kind;
    struct weir_str rest; /* the default, or why it is required */
};

static int split(const struct weir_sql *sql, uint32_t at, struct weir_str inner,
                 struct variable *ret)
{
    size_t len = 0;

    while (len < inner.len && (isalpha((unsigned char)inner.data[len]) || inner.data[len] == '_' ||
                               (len > 0 && isdigit((unsigned char)inner.data[len])))) {
        len++;
    }
    ret->name = weir_arena_copy(sql->arena, (struct weir_str){ inner.data, len });
    if (ret->name == NULL) {
        return weir_sql_no_memory(sql);
    }
    ret->rest = (struct weir_str){ inner.data + len, inner.len - len };
    ret->kind = VARIABLE_PLAIN;
    if (ret->rest.len >= 2 && ret->rest.data[0] == ':' &&
        (ret->rest.data[1] == '-' || ret->rest.data[1] == '?')) {
        ret->kind = ret->rest.data[1] == '-' ? VARIABLE_DEFAULT : VARIABLE_REQUIRED;
        ret->rest = (struct weir_str){ ret->rest.data + 2, ret->rest.len - 2 };
    }
    if (len == 0 || (ret->kind == VARIABLE_PLAIN && ret->rest.len > 0)) {
        return weir_sql_fail(sql, at, "write ${VAR}, ${VAR:-default} or ${VAR:?why}",
                             "\"${%.*s}\" does not name an environment variable",
                             WEIR_STR_ARG(inner));
    }
    return WEIR_OK;
}

static int value_of(const struct weir_sql *sql, uint32_t at, const struct variable *variable,
                    struct weir_str *ret)
{
    const char *value = getenv(variable->name);
    bool empty = value == NULL || value[0] == '\0';

    switch (variable->kind) {
    case VARIABLE_PLAIN:
        if (value == NULL) {
            return weir_sql_fail(
                sql, at,
                weir_sql_format(sql, "set it, or give a default: ${%s:-...}", variable->name),
                "environment variable %s is not set", variable->name);
        }
        *ret = weir_str_from(value);
        return WEIR_OK;
    case VARIABLE_DEFAULT:
        *ret = empty ? variable->rest : weir_str_from(value);
        return WEIR_OK;
    case VARIABLE_REQUIRED:
        break;
    }
    if (empty) {
        return weir_sql_fail(sql, at, NULL, "environment variable %s is not set: %.*s",
                             variable->name, WEIR_STR_ARG(variable->rest));
    }
    *ret = weir_str_from(value);
    return WEIR_OK;
}

static int expand(const struct weir_sql *sql, const struct ast_option *option, struct weir_buf *ret)
{
    struct weir_str text = option->text;

    for (size_t i = 0; i < text.len;) {
        struct variable variable = { 0 };
        struct weir_str value = { 0 };
        const char *close;
        int rc;

        if (text.len - i < 2 || text.data[i] != '$' || text.data[i + 1] != '{') {
            weir_buf_append(ret, text.data + i, 1);
            i++;
            continue;
        }
        close = memchr(text.data + i, '}', text.len - i);
        if (close == NULL) {
            return weir_sql_fail(sql, option->at, NULL, "\"${\" without \"}\"");
        }
        struct weir_str inner = { text.data + i + 2, (size_t)(close - text.data) - i - 2 };
        rc = split(sql, option->at, inner, &variable);
        if (rc == WEIR_OK) {
            rc = value_of(sql, option->at, &variable, &value);
        }
        if (rc != WEIR_OK) {
            return rc;
        }
        weir_buf_append(ret, value.data, value.len);
        i = (size_t)(close - text.data) + 1;
    }
    return WEIR_OK;
}

int environment_expand(const struct weir_sql *sql, struct ast_option *option)
{
    struct weir_buf buf = { 0 };
    int rc = option->is_string ? expand(sql, option, &buf) : WEIR_OK;

    if (rc == WEIR_OK && option->is_string) {
        struct weir_str text = { (const char *)buf.data, buf.len };
        const char *copy = buf.failed ? NULL : weir_arena_copy(sql->arena, text);
        if (copy == NULL) {
            rc = weir_sql_no_memory(sql);
        } else {
            option->text = (struct weir_str){ copy, buf.len };
        }
    }
    weir_buf_fini(&buf);
    return rc;
}
