/* postgres_upsert.c: INSERT ... SELECT FROM unnest(binary arrays) ON CONFLICT DO UPDATE.
 *
 * One statement carries up to WEIR_POSTGRES_UPSERT_ROWS_MAX rows in the order of their keys, one
 * array a column. An array's elements have the very form of a tuple's fields, so building them is
 * copying. No named statements: a pooler may hand each transaction to another backend.
 * Checked by tests/contract/test_sink_contract.c. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sink/postgres_internal.h"
#include "sink/row_encode.h"

enum { ARRAY_HEADER_BYTES = 20, BINARY = 1 };

/* The oid of the array type over each type. */
static Oid array_oid(enum weir_type_id id)
{
    static const Oid oids[WEIR_TYPE_COUNT] = {
        [WEIR_TYPE_BOOL] = 1000,     [WEIR_TYPE_INT2] = 1005,      [WEIR_TYPE_INT4] = 1007,
        [WEIR_TYPE_INT8] = 1016,     [WEIR_TYPE_FLOAT4] = 1021,    [WEIR_TYPE_FLOAT8] = 1022,
        [WEIR_TYPE_NUMERIC] = 1231,  [WEIR_TYPE_TEXT] = 1009,      [WEIR_TYPE_VARCHAR] = 1015,
        [WEIR_TYPE_BPCHAR] = 1014,   [WEIR_TYPE_BYTEA] = 1001,     [WEIR_TYPE_DATE] = 1182,
        [WEIR_TYPE_TIME] = 1183,     [WEIR_TYPE_TIMESTAMP] = 1115, [WEIR_TYPE_TIMESTAMPTZ] = 1185,
        [WEIR_TYPE_INTERVAL] = 1187, [WEIR_TYPE_UUID] = 2951,      [WEIR_TYPE_JSONB] = 3807,
    };
    return oids[id];
}

static bool is_key(const struct weir_sink_table *table, uint32_t column)
{
    for (uint32_t k = 0; k < table->key_count; k++) {
        if (table->key[k] == column) {
            return true;
        }
    }
    return false;
}

static void upsert_text(const struct weir_sink_table *table, struct weir_buf *ret)
{
    bool first = true;

    weir_buf_append_text(ret, "INSERT INTO ");
    weir_postgres_quote_table(ret, table);
    weir_buf_append_text(ret, " AS weir_target");
    for (uint32_t c = 0; c < table->column_count; c++) {
        weir_buf_append_text(ret, c == 0 ? " (" : ",");
        weir_postgres_quote_name(ret, table->columns[c].name);
    }
    weir_buf_append_text(ret, ") SELECT * FROM ROWS FROM (");
    for (uint32_t c = 0; c < table->column_count; c++) {
        weir_buf_printf(ret, "%spg_catalog.unnest($%u)", c == 0 ? "" : ",", c + 1);
    }
    for (uint32_t k = 0; k < table->key_count; k++) {
        weir_buf_append_text(ret, k == 0 ? ") ON CONFLICT (" : ",");
        weir_postgres_quote_name(ret, table->columns[table->key[k]].name);
    }
    for (uint32_t c = 0; c < table->column_count; c++) {
        if (!is_key(table, c)) {
            weir_buf_append_text(ret, first ? ") DO UPDATE SET " : ",");
            weir_postgres_quote_name(ret, table->columns[c].name);
            weir_buf_append_text(ret, "=excluded.");
            weir_postgres_quote_name(ret, table->columns[c].name);
            first = false;
        }
    }
    if (first) { /* nothing but the key: a row that is there is as it should be */
        weir_buf_append_text(ret, ") DO NOTHING");
    }
}

int weir_postgres_upsert_prepare(struct weir_postgres_sink *sink, uint32_t t,
                                 struct weir_error *err)
{
    const struct weir_sink_table *table = &sink->args.tables[t];
    struct weir_postgres_table *ret = &sink->tables[t];
    struct weir_buf text = { 0 };

    upsert_text(table, &text);
    if (!text.failed) {
        ret->upsert =
            weir_arena_copy(&sink->arena, (struct weir_str){ (const char *)text.data, text.len });
    }
    weir_buf_fini(&text);
    ret->array_types = weir_arena_calloc(&sink->arena, table->column_count, sizeof(Oid));
    if (ret->upsert == NULL || ret->array_types == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a sink");
    }
    for (uint32_t c = 0; c < table->column_count; c++) {
        ret->array_types[c] = array_oid(table->columns[c].type.id);
        weir_assert(ret->array_types[c] != 0);
    }
    return WEIR_OK;
}

static void put32(uint8_t *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof(value));
}

/* The array of one column: a header, then the fields of the rows as they are. fields go on to the
 * next column. Returns the array's length. */
static size_t fill_array(enum weir_type_id type, const uint8_t **fields, uint32_t count,
                         uint8_t *at)
{
    uint8_t *const header = at;
    uint32_t nulls = 0;

    at += ARRAY_HEADER_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *next = weir_field_next(fields[i]);
        size_t bytes = (size_t)(next - fields[i]);

        nulls |= weir_field_bytes(fields[i]) < 0 ? 1 : 0;
        memcpy(at, fields[i], bytes);
        at += bytes;
        fields[i] = next;
    }
    put32(header, 1);         /* dimensions */
    put32(header + 4, nulls); /* whether there are nulls */
    put32(header + 8, weir_type_pg_oid(type));
    put32(header + 12, count);
    put32(header + 16, 1); /* lower bound */
    return (size_t)(at - header);
}

/* Bytes that the arrays of these rows take together. */
static size_t arrays_bytes(const struct weir_part_table *rows, uint32_t first, uint32_t count)
{
    size_t total = (size_t)rows->target->column_count * ARRAY_HEADER_BYTES;

    for (uint32_t i = 0; i < count; i++) {
        total += weir_part_row(rows, weir_part_send_row(rows, first + i)).len;
    }
    return total;
}

int weir_postgres_upsert_send(struct weir_postgres_sink *sink, PGconn *connection,
                              const struct weir_part_table *rows, uint32_t table, uint32_t first,
                              uint32_t count, struct weir_error *err)
{
    const struct weir_postgres_table *target = &sink->tables[table];
    uint32_t columns = rows->target->column_count;

    weir_assert(count != 0 && first + count <= weir_part_send_count(rows));
    weir_arena_reset(&sink->scratch);
    uint8_t *at = weir_arena_alloc(&sink->scratch, arrays_bytes(rows, first, count));
    const uint8_t **fields = weir_arena_calloc(&sink->scratch, count, sizeof(*fields));
    const char **values = weir_arena_calloc(&sink->scratch, columns, sizeof(*values));
    int *lengths = weir_arena_calloc(&sink->scratch, columns, sizeof(*lengths));
    int *formats = weir_arena_calloc(&sink->scratch, columns, sizeof(*formats));
    if (at == NULL || fields == NULL || values == NULL || lengths == NULL || formats == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for an upsert");
    }
    for (uint32_t i = 0; i < count; i++) {
        struct weir_str row = weir_part_row(rows, weir_part_send_row(rows, first + i));
        fields[i] = (const uint8_t *)row.data + WEIR_ROW_HEADER_BYTES;
    }
    for (uint32_t c = 0; c < columns; c++) {
        size_t bytes = fill_array(rows->target->columns[c].type.id, fields, count, at);

        values[c] = (const char *)at;
        lengths[c] = (int)bytes;
        formats[c] = BINARY;
        at += bytes;
    }
    if (PQsendQueryParams(connection, target->upsert, (int)columns, target->array_types, values,
                          lengths, formats, 0) == 0) {
        return weir_postgres_connection_error(sink, connection, err);
    }
    return WEIR_OK;
}
