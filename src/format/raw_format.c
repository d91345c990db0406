/* raw_format.c: one column that is the whole value of a message.
 *
 * As bytea the bytes are taken as they are; as any other type they are text that the type's input function
 * reads. A message without a value is NULL.
 * F1, F2 of format.h. Checked by tests/unit/format/test_raw_format.c. */
#include "format/raw_format.h"

#include <stdlib.h>

#include "base/assert.h"
#include "chunk/scalar_text.h"

static const struct weir_option_def raw_options[] = { { .name = NULL } };

struct raw_format {
    struct weir_type type;
    bool has_column; /* no column is read when only metadata is wanted */
};

static int raw_open(const struct weir_format_args *args, void **ret_self, struct weir_error *err)
{
    struct raw_format *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a decoder");
    }
    if (args->column_count > 1) {
        free(self);
        return weir_error_set(err, WEIR_ECONFIG,
                              "format raw has one column, the whole value; \"%s\" is one too many",
                              args->columns[1].name);
    }
    self->has_column = args->column_count == 1;
    self->type = self->has_column ? args->columns[0].type : (struct weir_type){ 0 };
    *ret_self = self;
    return WEIR_OK;
}

static int store(const struct raw_format *self, const struct weir_record *record,
                 struct weir_vec *vec, uint32_t row, struct weir_arena *arena,
                 struct weir_value_error *verr)
{
    if (self->type.id == WEIR_TYPE_BYTEA) {
        vec->str[row] = record->value;
        return WEIR_OK;
    }
    return weir_value_parse(self->type, record->value, arena,
                            (char *)vec->data + row * weir_type_bytes(self->type.id), verr);
}

static int add_error(struct weir_decode_errors *errors, uint32_t record, uint32_t records_max,
                     const struct weir_value_error *verr, struct weir_arena *arena)
{
    if (errors->items == NULL) {
        errors->items = weir_arena_calloc(arena, records_max, sizeof(*errors->items));
    }
    char *text = errors->items == NULL ? NULL : weir_arena_copy(arena, weir_str_from(verr->text));
    if (text == NULL) {
        return WEIR_ENOMEM;
    }
    struct weir_row_error *error = &errors->items[errors->count++];
    error->row = record;
    error->text = text;
    memcpy(error->sqlstate, verr->sqlstate, sizeof(error->sqlstate));
    return WEIR_OK;
}

static int decode_rows(const struct raw_format *self, const struct weir_record *records,
                       uint32_t count, struct weir_arena *arena, struct weir_chunk *chunk,
                       struct weir_decode_errors *errors)
{
    const struct weir_record **origins = weir_arena_calloc(arena, count + 1, sizeof(*origins));
    uint64_t *valid = weir_bitmap_alloc(arena, count, false);
    struct weir_vec vec = weir_vec_alloc(arena, self->type, count);
    uint32_t row = 0;

    chunk->vecs = weir_arena_calloc(arena, 1, sizeof(*chunk->vecs));
    if (origins == NULL || valid == NULL || vec.data == NULL || chunk->vecs == NULL) {
        return WEIR_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct weir_value_error verr;
        int rc = WEIR_OK;
        if (self->has_column && !records[i].value_is_null) {
            rc = store(self, &records[i], &vec, row, arena, &verr);
        }
        if (rc == WEIR_EDATA) {
            rc = add_error(errors, i, count, &verr, arena);
        } else if (rc == WEIR_OK) {
            if (!records[i].value_is_null) {
                weir_bitmap_set(valid, row);
            }
            origins[row++] = &records[i];
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    vec.valid = valid;
    chunk->vecs[0] = vec;
    chunk->columns = self->has_column ? 1 : 0;
    chunk->rows = row;
    chunk->origins = origins;
    return WEIR_OK;
}

static int raw_decode(void *context, const struct weir_record *records, uint32_t count,
                      struct weir_arena *arena, struct weir_chunk *ret,
                      struct weir_decode_errors *ret_errors, struct weir_error *err)
{
    struct weir_chunk chunk = { 0 };
    struct weir_decode_errors errors = { 0 };

    weir_assert(count <= WEIR_CHUNK_ROWS_MAX);
    if (decode_rows(context, records, count, arena, &chunk, &errors) != WEIR_OK) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u rows", count);
    }
    *ret = chunk;
    *ret_errors = errors;
    return WEIR_OK;
}

static uint64_t raw_unknown_fields(void *context)
{
    (void)context;
    return 0;
}

static void raw_close(void *context)
{
    free(context);
}

const struct weir_format_ops weir_raw_format_ops = {
    .name = "raw",
    .options = raw_options,
    .open = raw_open,
    .decode = raw_decode,
    .unknown_fields = raw_unknown_fields,
    .close = raw_close,
};
