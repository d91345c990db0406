/* json_kernels.c: members of jsonb values, and jsonb as numbers. Uses chunk/jsonb.h. */
#include "expr/json_kernels.h"

#include "chunk/decimal.h"
#include "chunk/jsonb.h"

/* ---- members --------------------------------------------------------------------------------- */

/* What is found in the row's value by the key or number in the second argument. */
static bool find_member(const struct weir_vec *args, uint32_t row, struct weir_str *ret)
{
    return args[1].type.id == WEIR_TYPE_INT4
               ? weir_jsonb_get_index(args[0].str[row], args[1].i4[row], ret)
               : weir_jsonb_get_key(args[0].str[row], args[1].str[row], ret);
}

static int member_rows(struct weir_eval *eval, const struct weir_vec *args, uint32_t rows,
                       struct weir_sel sel, bool as_text, struct weir_vec *ret)
{
    int rc = WEIR_OK;

    for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        bool is_null = !find_member(args, row, &ret->str[row]);
        if (!is_null && as_text) {
            rc = weir_jsonb_to_text(ret->str[row], eval->arena, &ret->str[row], &is_null);
            if (rc != WEIR_OK) {
                return weir_eval_no_memory(eval);
            }
        }
        if (is_null) {
            rc = weir_eval_set_null(eval, row, rows, ret);
        }
    }
    return rc;
}

#define MEMBER(name, as_text)                                    \
    WEIR_KERNEL(name)                                            \
    {                                                            \
        return member_rows(eval, args, rows, sel, as_text, ret); \
    }

MEMBER(json_member, false)
MEMBER(json_element, false)
MEMBER(json_member_text, true)
MEMBER(json_element_text, true)

/* ---- kinds and casts ------------------------------------------------------------------------- */

/* The first character of a jsonb value tells what it is. */
static char kind_of(struct weir_str json)
{
    char first = json.len == 0 ? 'n' : json.data[0];

    return first == '-' || (first >= '0' && first <= '9') ? '0' : first;
}

/* The name by which jsonb_typeof() knows the kind, or that in messages, which differs in one. */
static struct weir_str kind_name(char kind, bool in_message)
{
    switch (kind) {
    case '{':
        return WEIR_STR("object");
    case '[':
        return WEIR_STR("array");
    case '"':
        return WEIR_STR("string");
    case '0':
        return in_message ? WEIR_STR("numeric") : WEIR_STR("number");
    case 't':
    case 'f':
        return WEIR_STR("boolean");
    default:
        return WEIR_STR("null");
    }
}

WEIR_SAFE_KERNEL(json_typeof, str, kind_name(kind_of(args[0].str[row]), false))

static int refuse_cast(struct weir_str json, enum weir_type_id to, struct weir_value_error *verr)
{
    return weir_value_error_set(verr, WEIR_SQLSTATE_INVALID_PARAMETER,
                                "cannot cast jsonb %s to type %s",
                                kind_name(kind_of(json), true).data, weir_type_sql_name(to));
}

static int to_bool(struct weir_str json, uint8_t *ret, struct weir_value_error *verr)
{
    char kind = kind_of(json);

    if (kind != 't' && kind != 'f') {
        return refuse_cast(json, WEIR_TYPE_BOOL, verr);
    }
    *ret = kind == 't';
    return WEIR_OK;
}

static int to_numeric(struct weir_str json, enum weir_type_id to, struct weir_arena *arena,
                      struct weir_numeric *ret, struct weir_value_error *verr)
{
    return kind_of(json) == '0' ? weir_numeric_parse(json, -1, arena, ret, verr)
                                : refuse_cast(json, to, verr);
}

WEIR_VALUE_KERNEL(json_to_bool, to_bool(args[0].str[row], &ret->b[row], &verr))
WEIR_VALUE_KERNEL(json_to_numeric, to_numeric(args[0].str[row], WEIR_TYPE_NUMERIC, eval->arena,
                                              &ret->num[row], &verr))

/* Other numbers are cast from the numeric that the jsonb value holds. */
#define NUMBER(name, type, convert)                                                           \
    WEIR_KERNEL(name)                                                                         \
    {                                                                                         \
        struct weir_value_error verr;                                                         \
        int rc = WEIR_OK;                                                                     \
        for (uint32_t i = 0; rc == WEIR_OK && i < sel.count; i++) {                           \
            uint32_t row = sel.rows[i];                                                       \
            struct weir_numeric number;                                                       \
            rc = to_numeric(args[0].str[row], WEIR_TYPE_##type, eval->arena, &number, &verr); \
            if (rc == WEIR_OK) {                                                              \
                rc = (convert);                                                               \
            }                                                                                 \
            if (rc != WEIR_OK) {                                                              \
                rc = weir_eval_fail_value(eval, row, rows, rc, &verr);                        \
            }                                                                                 \
        }                                                                                     \
        return rc;                                                                            \
    }

NUMBER(json_to_i2, INT2, weir_numeric_to_int2(number, &ret->i2[row], &verr))
NUMBER(json_to_i4, INT4, weir_numeric_to_int4(number, &ret->i4[row], &verr))
NUMBER(json_to_i8, INT8, weir_numeric_to_int8(number, &ret->i8[row], &verr))
NUMBER(json_to_f4, FLOAT4, weir_numeric_to_float4(number, eval->arena, &ret->f4[row], &verr))
NUMBER(json_to_f8, FLOAT8, weir_numeric_to_float8(number, eval->arena, &ret->f8[row], &verr))
