/* type.c: what the table of types says, and types as SQL text. */
#include "chunk/type.h"

#include <stdio.h>

#include "base/str.h"

static const struct type_row {
    const char *sql_name;
    uint32_t pg_oid;
    size_t bytes;
} type_rows[WEIR_TYPE_COUNT] = {
#define TYPE_ROW(id, name, oid, ctype) [WEIR_TYPE_##id] = { (name), (oid), sizeof(ctype) },
    WEIR_TYPE_TABLE(TYPE_ROW)
#undef TYPE_ROW
};

const char *weir_type_sql_name(enum weir_type_id id)
{
    return type_rows[id].sql_name;
}

uint32_t weir_type_pg_oid(enum weir_type_id id)
{
    return type_rows[id].pg_oid;
}

size_t weir_type_bytes(enum weir_type_id id)
{
    return type_rows[id].bytes;
}

enum { TYPMOD_HEADER = 4 }; /* PostgreSQL adds the size of a varlena header to lengths */

void weir_type_format(struct weir_type type, char *ret, size_t ret_bytes)
{
    const char *name = weir_type_sql_name(type.id);
    int32_t mod = type.typmod - TYPMOD_HEADER;

    if (type.typmod < 0) {
        (void)snprintf(ret, ret_bytes, "%s", name);
        return;
    }
    switch (type.id) {
    case WEIR_TYPE_VARCHAR:
    case WEIR_TYPE_BPCHAR:
        (void)snprintf(ret, ret_bytes, "%s(%d)", name, mod);
        break;
    case WEIR_TYPE_NUMERIC:
        /* The scale is an 11-bit signed number. */
        (void)snprintf(ret, ret_bytes, "numeric(%d,%d)", (mod >> 16) & 0xffff,
                       ((mod & 0x7ff) ^ 0x400) - 0x400);
        break;
    case WEIR_TYPE_TIME:
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_TIMESTAMPTZ: {
        const char *rest = name;
        while (*rest != '\0' && *rest != ' ') {
            rest++;
        }
        (void)snprintf(ret, ret_bytes, "%.*s(%d)%s", (int)(rest - name), name, type.typmod, rest);
        break;
    }
    default:
        (void)snprintf(ret, ret_bytes, "%s", name);
        break;
    }
}
