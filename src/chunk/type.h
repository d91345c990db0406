/* type.h: the SQL types, named and laid out as PostgreSQL does.
 *
 * A value in memory has the shape of PostgreSQL's binary form (same epoch, same units, same
 * infinities) wherever that is a fixed-width number, so encoding for COPY is a byte swap. */
#ifndef WEIR_CHUNK_TYPE_H
#define WEIR_CHUNK_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* id, SQL name, PostgreSQL's type oid, C type of one element */
#define WEIR_TYPE_TABLE(X)                                     \
    X(BOOL, "boolean", 16, uint8_t)                            \
    X(INT2, "smallint", 21, int16_t)                           \
    X(INT4, "integer", 23, int32_t)                            \
    X(INT8, "bigint", 20, int64_t)                             \
    X(FLOAT4, "real", 700, float)                              \
    X(FLOAT8, "double precision", 701, double)                 \
    X(NUMERIC, "numeric", 1700, struct weir_numeric)           \
    X(TEXT, "text", 25, struct weir_str)                       \
    X(VARCHAR, "character varying", 1043, struct weir_str)     \
    X(BPCHAR, "character", 1042, struct weir_str)              \
    X(BYTEA, "bytea", 17, struct weir_str)                     \
    X(DATE, "date", 1082, int32_t)                             \
    X(TIME, "time without time zone", 1083, int64_t)           \
    X(TIMESTAMP, "timestamp without time zone", 1114, int64_t) \
    X(TIMESTAMPTZ, "timestamp with time zone", 1184, int64_t)  \
    X(INTERVAL, "interval", 1186, struct weir_interval)        \
    X(UUID, "uuid", 2950, struct weir_uuid)                    \
    X(JSONB, "jsonb", 3802, struct weir_str)                   \
    X(UNKNOWN, "unknown", 705, struct weir_str)

enum weir_type_id {
#define WEIR_TYPE_ENUM(id, name, oid, ctype) WEIR_TYPE_##id,
    WEIR_TYPE_TABLE(WEIR_TYPE_ENUM)
#undef WEIR_TYPE_ENUM
        WEIR_TYPE_COUNT
};

/* A type with its modifier, in PostgreSQL's encoding of atttypmod: varchar(n) and char(n) n + 4,
 * numeric(p,s) ((p << 16) | (s & 0x7ff)) + 4, time and timestamps their precision; -1 is none.
 * UNKNOWN is the type of a literal or NULL that nothing has given a type to yet. */
struct weir_type {
    enum weir_type_id id;
    int32_t typmod;
};

/* A number with decimal digits, as PostgreSQL's numeric: a value and a display scale. Numbers whose
 * digits (scale digits after the point) fit 64 bits are held in place; others point to memory of
 * the arena in which they were made. */
enum weir_numeric_kind {
    WEIR_NUMERIC_SMALL, /* value = small / 10^scale */
    WEIR_NUMERIC_BIG,   /* value = big */
    WEIR_NUMERIC_NAN,
    WEIR_NUMERIC_PINF,
    WEIR_NUMERIC_NINF,
};
struct weir_numeric_big; /* decimal.h */
struct weir_numeric {
    union {
        int64_t small;
        const struct weir_numeric_big *big;
    };
    uint16_t scale; /* digits shown after the point, 0 to 16383 */
    uint8_t kind;   /* enum weir_numeric_kind */
};

struct weir_interval {
    int64_t us;
    int32_t days;
    int32_t months;
};

struct weir_uuid {
    uint8_t bytes[16];
};

/* DATE: days since 2000-01-01. TIMESTAMP, TIMESTAMPTZ: microseconds since 2000-01-01 00:00 (UTC).
 * Both use their type's smallest and largest number for -infinity and infinity. TIME: microseconds
 * since midnight, 0 to 86 400 000 000 inclusive. BOOL: 0 or 1. JSONB: text in the form in which
 * PostgreSQL prints it. TEXT and friends: valid UTF-8 without zero bytes. */

#define WEIR_UNIX_TO_PG_EPOCH_US INT64_C(946684800000000)

const char *weir_type_sql_name(enum weir_type_id id);
uint32_t weir_type_pg_oid(enum weir_type_id id);
size_t weir_type_bytes(enum weir_type_id id); /* size of one element */

/* Writes the type as SQL, "numeric(12,2)", to ret (NUL-terminated, cut when too small). */
void weir_type_format(struct weir_type type, char *ret, size_t ret_bytes);

static inline bool weir_type_is_text(enum weir_type_id id)
{
    return id == WEIR_TYPE_TEXT || id == WEIR_TYPE_VARCHAR || id == WEIR_TYPE_BPCHAR;
}

#endif
