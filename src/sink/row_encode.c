/* row_encode.c: writes tuples column by column.
 *
 * Two passes: the first adds up how long each row gets, so that every row has its place; the
 * second writes one column after another into those places, in loops that know their type.
 * Numbers of variable length are encoded in the first pass and copied in the second.
 * Checked by tests/unit/sink/test_part.c and, value by value, by the server in
 * tests/contract/test_postgres_sink.c. */
#include "sink/row_encode.h"

#include <endian.h>
#include <string.h>

#include "chunk/pg_binary.h"

enum {
    FIELD_BYTES_MAX = 0x3fffffff, /* PostgreSQL takes no longer value */
    JSONB_VERSION = 1,
};

/* An encoded number with its length word, waiting for its place. One that is too long for it is
 * encoded again when it gets there. */
struct numeric_slot {
    uint32_t bytes;
    uint8_t data[WEIR_PG_NUMERIC_SMALL_BYTES_MAX];
};

static void put16(uint8_t *at, uint16_t value)
{
    value = htobe16(value);
    memcpy(at, &value, sizeof(value));
}

static void put32(uint8_t *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof(value));
}

int32_t weir_field_bytes(const uint8_t *field)
{
    uint32_t bytes;

    memcpy(&bytes, field, sizeof(bytes));
    return (int32_t)be32toh(bytes);
}

const uint8_t *weir_field_next(const uint8_t *field)
{
    int32_t bytes = weir_field_bytes(field);

    return field + WEIR_FIELD_HEADER_BYTES + (bytes < 0 ? 0 : bytes);
}

static void encode_numeric(const struct weir_numeric *number, struct numeric_slot *slot)
{
    if (number->kind == WEIR_NUMERIC_BIG) {
        struct weir_numeric_digits digits;

        weir_numeric_to_digits(number, &digits);
        slot->bytes = WEIR_FIELD_HEADER_BYTES + 8 + 2 * (uint32_t)digits.digit_count;
    } else {
        slot->bytes = (uint32_t)(weir_pg_put_numeric(slot->data, number) - slot->data);
    }
}

/* Bytes of a value of fixed width in PostgreSQL's binary form; 0: it varies. */
static uint32_t fixed_bytes(enum weir_type_id id)
{
    switch (id) {
    case WEIR_TYPE_BOOL:
        return 1;
    case WEIR_TYPE_INT2:
        return 2;
    case WEIR_TYPE_INT4:
    case WEIR_TYPE_FLOAT4:
    case WEIR_TYPE_DATE:
        return 4;
    case WEIR_TYPE_INT8:
    case WEIR_TYPE_FLOAT8:
    case WEIR_TYPE_TIME:
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_TIMESTAMPTZ:
        return 8;
    case WEIR_TYPE_INTERVAL:
    case WEIR_TYPE_UUID:
        return 16;
    default:
        return 0;
    }
}

/* First pass over one column: adds each value's length to that of its row. */
static int measure(const struct weir_vec *vec, uint32_t rows, struct numeric_slot *slots,
                   size_t *lengths, struct weir_error *err)
{
    uint32_t fixed = fixed_bytes(vec->type.id);
    uint32_t extra = vec->type.id == WEIR_TYPE_JSONB ? 1 : 0;

    for (uint32_t r = 0; r < rows; r++) {
        if (weir_vec_is_null(vec, r)) {
            continue;
        }
        if (fixed != 0) {
            lengths[r] += fixed;
        } else if (vec->type.id == WEIR_TYPE_NUMERIC) {
            encode_numeric(&vec->num[r], &slots[r]);
            lengths[r] += slots[r].bytes - WEIR_FIELD_HEADER_BYTES;
        } else {
            if (vec->str[r].len > FIELD_BYTES_MAX - extra) {
                return weir_error_set(err, WEIR_EDATA, "a value of %zu bytes is longer than 1 GB",
                                      vec->str[r].len);
            }
            lengths[r] += vec->str[r].len + extra;
        }
    }
    return WEIR_OK;
}

/* Writes one value of a column of fixed width for each row that has one. */
#define WRITE_FIXED(bytes, put)                       \
    for (uint32_t r = 0; r < rows; r++) {             \
        uint8_t *at = places[r];                      \
        if (weir_vec_is_null(vec, r)) {               \
            put32(at, UINT32_MAX);                    \
            places[r] = at + WEIR_FIELD_HEADER_BYTES; \
            continue;                                 \
        }                                             \
        put32(at, (bytes));                           \
        at += WEIR_FIELD_HEADER_BYTES;                \
        put;                                          \
        places[r] = at + (bytes);                     \
    }                                                 \
    break

static void write_interval(uint8_t *at, const struct weir_interval *interval)
{
    put64(at, (uint64_t)interval->us);
    put32(at + 8, (uint32_t)interval->days);
    put32(at + 12, (uint32_t)interval->months);
}

static void write_fixed(const struct weir_vec *vec, uint32_t rows, uint8_t **places)
{
    const uint32_t *bits32 = vec->data; /* numbers and floats alike: a byte swap */
    const uint64_t *bits64 = vec->data;

    switch (fixed_bytes(vec->type.id)) {
    case 1:
        WRITE_FIXED(1, *at = vec->b[r]);
    case 2:
        WRITE_FIXED(2, put16(at, (uint16_t)vec->i2[r]));
    case 4:
        WRITE_FIXED(4, put32(at, bits32[r]));
    case 8:
        WRITE_FIXED(8, put64(at, bits64[r]));
    default:
        if (vec->type.id == WEIR_TYPE_UUID) {
            WRITE_FIXED(16, memcpy(at, vec->uuid[r].bytes, 16));
        }
        WRITE_FIXED(16, write_interval(at, &vec->interval[r]));
    }
}

static void write_numeric(const struct weir_vec *vec, uint32_t rows,
                          const struct numeric_slot *slots, uint8_t **places)
{
    for (uint32_t r = 0; r < rows; r++) {
        if (weir_vec_is_null(vec, r)) {
            places[r] = weir_pg_put_null(places[r]);
        } else if (vec->num[r].kind == WEIR_NUMERIC_BIG) {
            places[r] = weir_pg_put_numeric(places[r], &vec->num[r]);
        } else {
            memcpy(places[r], slots[r].data, slots[r].bytes);
            places[r] += slots[r].bytes;
        }
    }
}

static void write_str(const struct weir_vec *vec, uint32_t rows, uint8_t **places)
{
    uint32_t extra = vec->type.id == WEIR_TYPE_JSONB ? 1 : 0;

    for (uint32_t r = 0; r < rows; r++) {
        uint8_t *at = places[r];
        struct weir_str text;

        if (weir_vec_is_null(vec, r)) {
            put32(at, UINT32_MAX);
            places[r] = at + WEIR_FIELD_HEADER_BYTES;
            continue;
        }
        text = vec->str[r];
        put32(at, (uint32_t)text.len + extra);
        at += WEIR_FIELD_HEADER_BYTES;
        if (extra != 0) {
            *at++ = JSONB_VERSION;
        }
        if (text.len != 0) {
            memcpy(at, text.data, text.len);
        }
        places[r] = at + text.len;
    }
}

int weir_row_encode(const struct weir_chunk *chunk, struct weir_arena *scratch,
                    struct weir_buf *ret, size_t *ret_ends, struct weir_error *err)
{
    uint32_t rows = chunk->rows;
    size_t bare = WEIR_ROW_HEADER_BYTES + (size_t)chunk->columns * WEIR_FIELD_HEADER_BYTES;
    size_t end = ret->len;
    int rc;

    weir_arena_reset(scratch);
    uint8_t **places = weir_arena_calloc(scratch, rows, sizeof(*places));
    struct numeric_slot **slots = weir_arena_calloc(scratch, chunk->columns, sizeof(*slots));
    if (places == NULL || slots == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory to encode %u rows", rows);
    }
    for (uint32_t r = 0; r < rows; r++) {
        ret_ends[r] = bare;
    }
    for (uint32_t c = 0; c < chunk->columns; c++) {
        if (chunk->vecs[c].type.id == WEIR_TYPE_NUMERIC) {
            slots[c] = weir_arena_calloc(scratch, rows, sizeof(**slots));
            if (slots[c] == NULL) {
                return weir_error_set(err, WEIR_ENOMEM, "no memory to encode %u rows", rows);
            }
        }
        rc = measure(&chunk->vecs[c], rows, slots[c], ret_ends, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    for (uint32_t r = 0; r < rows; r++) {
        end += ret_ends[r];
        ret_ends[r] = end;
    }
    uint8_t *base = weir_buf_reserve(ret, end - ret->len);
    if (base == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %zu bytes of rows", end - ret->len);
    }
    for (uint32_t r = 0; r < rows; r++) {
        places[r] = r == 0 ? base : ret->data + ret_ends[r - 1];
        put16(places[r], (uint16_t)chunk->columns);
        places[r] += WEIR_ROW_HEADER_BYTES;
    }
    for (uint32_t c = 0; c < chunk->columns; c++) {
        const struct weir_vec *vec = &chunk->vecs[c];

        if (fixed_bytes(vec->type.id) != 0) {
            write_fixed(vec, rows, places);
        } else if (vec->type.id == WEIR_TYPE_NUMERIC) {
            write_numeric(vec, rows, slots[c], places);
        } else {
            write_str(vec, rows, places);
        }
    }
    ret->len = end;
    return WEIR_OK;
}
