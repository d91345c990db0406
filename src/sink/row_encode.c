/* row_encode.c: writes tuples column by column.
 *
 * Two passes: the first adds up how long each row gets, so that every row has its place; the
 * second writes one column after another into those places, in loops that know their type.
 * Numbers of variable length are encoded in the first pass and copied in the second.
 * Checked by tests/unit/sink/test_row_encode.c and, value by value, by the server in
 * tests/contract/test_sink_contract.c. */
#include "sink/row_encode.h"

#include <endian.h>
#include <string.h>

enum {
    FIELD_BYTES_MAX = 0x3fffffff, /* PostgreSQL takes no longer value */
    NUMERIC_BASE = 10000,
    NUMERIC_BASE_DIGITS = 4,
    NUMERIC_HEADER_BYTES = 8,
    NUMERIC_NEGATIVE = 0x4000,
    NUMERIC_NAN = 0xc000,
    NUMERIC_PINF = 0xd000,
    NUMERIC_NINF = 0xf000,
    JSONB_VERSION = 1,
};

/* An encoded number, waiting for its place. */
struct numeric_slot {
    uint32_t bytes;
    uint8_t data[WEIR_NUMERIC_SMALL_BYTES];
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

static void numeric_header(uint8_t *at, unsigned count, int weight, unsigned sign, unsigned scale)
{
    put16(at, (uint16_t)count);
    put16(at + 2, (uint16_t)weight);
    put16(at + 4, (uint16_t)sign);
    put16(at + 6, (uint16_t)scale);
}

uint32_t weir_numeric_small_encode(const struct weir_numeric *number,
                                   uint8_t ret[WEIR_NUMERIC_SMALL_BYTES])
{
    static const uint16_t powers[NUMERIC_BASE_DIGITS] = { 1, 10, 100, 1000 };
    uint16_t digits[6]; /* lowest first */
    unsigned count = 0;
    unsigned partial = number->scale % NUMERIC_BASE_DIGITS;
    int weight = -(int)(number->scale / NUMERIC_BASE_DIGITS); /* of the lowest digit kept */
    bool negative = number->small < 0;
    uint64_t rest = negative ? 0 - (uint64_t)number->small : (uint64_t)number->small;

    if (number->kind != WEIR_NUMERIC_SMALL) {
        unsigned sign = number->kind == WEIR_NUMERIC_NAN    ? NUMERIC_NAN
                        : number->kind == WEIR_NUMERIC_PINF ? NUMERIC_PINF
                                                            : NUMERIC_NINF;
        numeric_header(ret, 0, 0, sign, 0);
        return NUMERIC_HEADER_BYTES;
    }
    if (partial != 0) {
        uint16_t low = (uint16_t)(rest % powers[partial]);
        rest /= powers[partial];
        digits[count++] = (uint16_t)(low * powers[NUMERIC_BASE_DIGITS - partial]);
        weight--;
    }
    while (rest != 0) {
        digits[count++] = (uint16_t)(rest % NUMERIC_BASE);
        rest /= NUMERIC_BASE;
    }
    while (count != 0 && digits[count - 1] == 0) { /* only the partial digit can be such a zero */
        count--;
    }
    unsigned first = 0;
    while (first < count && digits[first] == 0) {
        first++;
    }
    if (first == count) {
        numeric_header(ret, 0, 0, 0, number->scale);
        return NUMERIC_HEADER_BYTES;
    }
    numeric_header(ret, count - first, weight + (int)count - 1, negative ? NUMERIC_NEGATIVE : 0,
                   number->scale);
    for (unsigned i = count; i > first; i--) {
        put16(ret + NUMERIC_HEADER_BYTES + 2 * (size_t)(count - i), digits[i - 1]);
    }
    return NUMERIC_HEADER_BYTES + 2 * (count - first);
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
            if (vec->num[r].kind == WEIR_NUMERIC_BIG) {
                return weir_error_set(err, WEIR_EDATA, "a number with more than 18 digits");
            }
            slots[r].bytes = weir_numeric_small_encode(&vec->num[r], slots[r].data);
            lengths[r] += slots[r].bytes;
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
        uint8_t *at = places[r];
        bool null = weir_vec_is_null(vec, r);
        uint32_t bytes = null ? 0 : slots[r].bytes;

        put32(at, null ? UINT32_MAX : bytes);
        at += WEIR_FIELD_HEADER_BYTES;
        memcpy(at, slots[r].data, bytes);
        places[r] = at + bytes;
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
