/* value_text.c: leads from a type to its input and output function. */
#include "chunk/datetime.h"
#include "chunk/decimal.h"
#include "chunk/interval.h"
#include "chunk/jsonb.h"
#include "chunk/scalar_text.h"
#include "chunk/utf8.h"

static int varchar_parse(struct weir_str text, int32_t typmod, struct weir_str *ret,
                         struct weir_value_error *verr)
{
    int rc = weir_utf8_check(text, verr);

    return rc != WEIR_OK ? rc : weir_varchar_fit(text, typmod, false, ret, verr);
}

static int bpchar_parse(struct weir_str text, int32_t typmod, struct weir_arena *arena,
                        struct weir_str *ret, struct weir_value_error *verr)
{
    int rc = weir_utf8_check(text, verr);

    return rc != WEIR_OK ? rc : weir_bpchar_fit(text, typmod, false, arena, ret, verr);
}

int weir_value_parse(struct weir_type type, struct weir_str text, struct weir_arena *arena,
                     void *ret, struct weir_value_error *verr)
{
    switch (type.id) {
    case WEIR_TYPE_BOOL:
        return weir_bool_parse(text, ret, verr);
    case WEIR_TYPE_INT2:
        return weir_int2_parse(text, ret, verr);
    case WEIR_TYPE_INT4:
        return weir_int4_parse(text, ret, verr);
    case WEIR_TYPE_INT8:
        return weir_int8_parse(text, ret, verr);
    case WEIR_TYPE_FLOAT4:
        return weir_float4_parse(text, ret, verr);
    case WEIR_TYPE_FLOAT8:
        return weir_float8_parse(text, ret, verr);
    case WEIR_TYPE_NUMERIC:
        return weir_numeric_parse(text, type.typmod, arena, ret, verr);
    case WEIR_TYPE_TEXT:
    case WEIR_TYPE_UNKNOWN:
        return weir_text_parse(text, ret, verr);
    case WEIR_TYPE_VARCHAR:
        return varchar_parse(text, type.typmod, ret, verr);
    case WEIR_TYPE_BPCHAR:
        return bpchar_parse(text, type.typmod, arena, ret, verr);
    case WEIR_TYPE_BYTEA:
        return weir_bytea_parse(text, arena, ret, verr);
    case WEIR_TYPE_DATE:
        return weir_date_parse(text, ret, verr);
    case WEIR_TYPE_TIME:
        return weir_time_parse(text, type.typmod, ret, verr);
    case WEIR_TYPE_TIMESTAMP:
        return weir_timestamp_parse(text, type.typmod, ret, verr);
    case WEIR_TYPE_TIMESTAMPTZ:
        return weir_timestamptz_parse(text, type.typmod, ret, verr);
    case WEIR_TYPE_INTERVAL:
        return weir_interval_parse(text, type.typmod, ret, verr);
    case WEIR_TYPE_UUID:
        return weir_uuid_parse(text, ret, verr);
    case WEIR_TYPE_JSONB:
        return weir_jsonb_parse(text, arena, ret, verr);
    case WEIR_TYPE_COUNT:
        break;
    }
    return weir_value_error_set(verr, "42704", "type %d does not exist", (int)type.id);
}

/* Prints a value of a type whose text has at most WEIR_SCALAR_TEXT_BYTES. */
static size_t scalar_print(const struct weir_vec *vec, uint32_t row, char *ret)
{
    switch (vec->type.id) {
    case WEIR_TYPE_BOOL:
        return weir_bool_print(vec->b[row], ret);
    case WEIR_TYPE_INT2:
        return weir_int8_print(vec->i2[row], ret);
    case WEIR_TYPE_INT4:
        return weir_int8_print(vec->i4[row], ret);
    case WEIR_TYPE_INT8:
        return weir_int8_print(vec->i8[row], ret);
    case WEIR_TYPE_FLOAT4:
        return weir_float4_print(vec->f4[row], ret);
    case WEIR_TYPE_FLOAT8:
        return weir_float8_print(vec->f8[row], ret);
    case WEIR_TYPE_DATE:
        return weir_date_print(vec->i4[row], ret);
    case WEIR_TYPE_TIME:
        return weir_time_print(vec->i8[row], ret);
    case WEIR_TYPE_TIMESTAMP:
        return weir_timestamp_print(vec->i8[row], ret);
    case WEIR_TYPE_TIMESTAMPTZ:
        return weir_timestamptz_print(vec->i8[row], ret);
    case WEIR_TYPE_INTERVAL:
        return weir_interval_print(vec->interval[row], ret);
    case WEIR_TYPE_UUID:
        return weir_uuid_print(&vec->uuid[row], ret);
    default:
        return 0; /* weir_value_print() has dealt with the others */
    }
}

int weir_value_print(const struct weir_vec *vec, uint32_t row, struct weir_arena *arena,
                     struct weir_str *ret)
{
    char *data;

    switch (vec->type.id) {
    case WEIR_TYPE_TEXT:
    case WEIR_TYPE_VARCHAR:
    case WEIR_TYPE_BPCHAR:
    case WEIR_TYPE_JSONB:
    case WEIR_TYPE_UNKNOWN:
        *ret = vec->str[row];
        return WEIR_OK;
    case WEIR_TYPE_BYTEA:
        return weir_bytea_print(vec->str[row], arena, ret);
    case WEIR_TYPE_NUMERIC:
        return weir_numeric_print(vec->num[row], arena, ret);
    default:
        data = weir_arena_alloc(arena, WEIR_SCALAR_TEXT_BYTES);
        if (data == NULL) {
            return WEIR_ENOMEM;
        }
        *ret = (struct weir_str){ data, scalar_print(vec, row, data) };
        return WEIR_OK;
    }
}
