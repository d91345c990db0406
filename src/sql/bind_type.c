/* bind_type.c: the names of types, and what may stand in brackets behind them.
 *
 * Limits and messages are PostgreSQL's. Checked by tests/unit/sql/test_refusals.c. */
#include "sql/bind_expr.h"

enum modifier { MODIFIER_NONE, MODIFIER_LENGTH, MODIFIER_NUMERIC, MODIFIER_PRECISION };

enum {
    LENGTH_MAX = 10485760,
    NUMERIC_PRECISION_MAX = 1000,
    NUMERIC_SCALE_MAX = 1000,
    TIME_PRECISION_MAX = 6,
    TYPMOD_HEADER = 4, /* PostgreSQL adds the size of a varlena header */
};

static const struct type_name {
    const char *name; /* pg_type.typname, which the grammar makes of "double precision" too */
    enum weir_type_id id;
    enum modifier modifier;
} type_names[] = {
    { "bool", WEIR_TYPE_BOOL, MODIFIER_NONE },
    { "int2", WEIR_TYPE_INT2, MODIFIER_NONE },
    { "int4", WEIR_TYPE_INT4, MODIFIER_NONE },
    { "int8", WEIR_TYPE_INT8, MODIFIER_NONE },
    { "float4", WEIR_TYPE_FLOAT4, MODIFIER_NONE },
    { "float8", WEIR_TYPE_FLOAT8, MODIFIER_NONE },
    { "numeric", WEIR_TYPE_NUMERIC, MODIFIER_NUMERIC },
    { "text", WEIR_TYPE_TEXT, MODIFIER_NONE },
    { "varchar", WEIR_TYPE_VARCHAR, MODIFIER_LENGTH },
    { "bpchar", WEIR_TYPE_BPCHAR, MODIFIER_LENGTH },
    { "bytea", WEIR_TYPE_BYTEA, MODIFIER_NONE },
    { "date", WEIR_TYPE_DATE, MODIFIER_NONE },
    { "time", WEIR_TYPE_TIME, MODIFIER_PRECISION },
    { "timestamp", WEIR_TYPE_TIMESTAMP, MODIFIER_PRECISION },
    { "timestamptz", WEIR_TYPE_TIMESTAMPTZ, MODIFIER_PRECISION },
    { "interval", WEIR_TYPE_INTERVAL, MODIFIER_NONE },
    { "uuid", WEIR_TYPE_UUID, MODIFIER_NONE },
    { "jsonb", WEIR_TYPE_JSONB, MODIFIER_NONE },
};

static int unknown_type(const struct weir_sql *sql, const struct ast_type *type)
{
    if (weir_str_equal(type->name, WEIR_STR("json"))) {
        return weir_sql_fail(sql, type->at, "use jsonb", "type \"json\" is not supported yet");
    }
    return weir_sql_fail(
        sql, type->at,
        "the types are boolean, smallint, integer, bigint, real, double precision, "
        "numeric(p,s), text, varchar(n), char(n), bytea, date, time, timestamp, "
        "timestamptz, interval, uuid, jsonb",
        "type \"%.*s\" is not supported yet", WEIR_STR_ARG(type->name));
}

static int bind_length(const struct weir_sql *sql, const struct ast_type *type, int32_t *ret)
{
    const char *name = weir_str_equal(type->name, WEIR_STR("bpchar")) ? "char" : "varchar";

    if (type->mod_count != 1) {
        return weir_sql_fail(sql, type->at, NULL, "invalid type modifier");
    }
    if (type->mods[0] < 1) {
        return weir_sql_fail(sql, type->at, NULL, "length for type %s must be at least 1", name);
    }
    if (type->mods[0] > LENGTH_MAX) {
        return weir_sql_fail(sql, type->at, NULL, "length for type %s cannot exceed %d", name,
                             LENGTH_MAX);
    }
    *ret = type->mods[0] + TYPMOD_HEADER;
    return WEIR_OK;
}

static int bind_numeric(const struct weir_sql *sql, const struct ast_type *type, int32_t *ret)
{
    int32_t precision = type->mods[0], scale = type->mod_count == 2 ? type->mods[1] : 0;

    if (precision < 1 || precision > NUMERIC_PRECISION_MAX) {
        return weir_sql_fail(sql, type->at, NULL, "NUMERIC precision %d must be between 1 and %d",
                             precision, NUMERIC_PRECISION_MAX);
    }
    if (scale < -NUMERIC_SCALE_MAX || scale > NUMERIC_SCALE_MAX) {
        return weir_sql_fail(sql, type->at, NULL, "NUMERIC scale %d must be between -%d and %d",
                             scale, NUMERIC_SCALE_MAX, NUMERIC_SCALE_MAX);
    }
    *ret = (int32_t)(((uint32_t)precision << 16) | ((uint32_t)scale & 0x7ff)) + TYPMOD_HEADER;
    return WEIR_OK;
}

static int bind_precision(const struct weir_sql *sql, const struct ast_type *type, int32_t *ret)
{
    if (type->mod_count != 1) {
        return weir_sql_fail(sql, type->at, NULL, "invalid type modifier");
    }
    if (type->mods[0] < 0 || type->mods[0] > TIME_PRECISION_MAX) {
        return weir_sql_fail(sql, type->at, NULL, "%.*s precision must be between 0 and %d",
                             WEIR_STR_ARG(type->name), TIME_PRECISION_MAX);
    }
    *ret = type->mods[0];
    return WEIR_OK;
}

int bind_type(const struct weir_sql *sql, const struct ast_type *type, struct weir_type *ret)
{
    const struct type_name *row = type_names;
    const struct type_name *end = row + sizeof(type_names) / sizeof(type_names[0]);

    while (row < end && !weir_str_equal(weir_str_from(row->name), type->name)) {
        row++;
    }
    if (row == end) {
        return unknown_type(sql, type);
    }
    *ret = (struct weir_type){ .id = row->id, .typmod = -1 };
    if (type->mod_count == 0) {
        return WEIR_OK;
    }
    switch (row->modifier) {
    case MODIFIER_LENGTH:
        return bind_length(sql, type, &ret->typmod);
    case MODIFIER_NUMERIC:
        return bind_numeric(sql, type, &ret->typmod);
    case MODIFIER_PRECISION:
        return bind_precision(sql, type, &ret->typmod);
    case MODIFIER_NONE:
        break;
    }
    if (row->id == WEIR_TYPE_INTERVAL) {
        return weir_sql_fail(sql, type->at, "write interval '1 minute'",
                             "interval with a field or precision is not supported yet");
    }
    return weir_sql_fail(sql, type->at, NULL, "type modifier is not allowed for type \"%s\"",
                         row->name);
}
