/* decode.c: see decode.h. */
#include "tests/unit/format/decode.h"

#include <stdlib.h>

#include "tests/support/test.h"

static char *buffers[WEIR_CHUNK_ROWS_MAX]; /* of the last call: values point into them */
static uint32_t buffer_count;

static void free_buffers(void)
{
    while (buffer_count > 0) {
        free(buffers[--buffer_count]);
    }
}

void decode_open(struct decode *ret, const struct weir_format_ops *ops,
                 const struct weir_format_column *columns, uint32_t column_count,
                 struct weir_options options)
{
    struct weir_format_args args = { columns, column_count, options };
    struct weir_error err = { 0 };

    *ret = (struct decode){ .ops = ops };
    weir_arena_init(&ret->arena, 0);
    if (ops->open(&args, &ret->format, &err) != WEIR_OK) {
        print_error("open: %s\n", err.text);
        fail();
    }
}

void decode_close(struct decode *decode)
{
    decode->ops->close(decode->format);
    weir_arena_fini(&decode->arena);
    free_buffers();
}

void decode_texts(struct decode *decode, const struct weir_str *texts, uint32_t count)
{
    static struct weir_record records[WEIR_CHUNK_ROWS_MAX];
    struct weir_error err = { 0 };

    free_buffers();
    weir_arena_reset(&decode->arena);
    for (uint32_t i = 0; i < count; i++) {
        char *copy = calloc(1, texts[i].len + DECODE_PADDING_BYTES);
        assert_non_null(copy);
        if (texts[i].len > 0) {
            memcpy(copy, texts[i].data, texts[i].len);
        }
        memset(copy + texts[i].len, '1', DECODE_PADDING_BYTES); /* whoever reads it as JSON, errs */
        buffers[buffer_count++] = copy;
        records[i] = (struct weir_record){ .offset = i,
                                           .value = { copy, texts[i].len },
                                           .value_is_null = texts[i].data == NULL };
    }
    int rc = decode->ops->decode(decode->format, records, count, &decode->arena, &decode->chunk,
                                 &decode->errors, &err);
    assert_int_equal(rc, WEIR_OK);
    assert_true(decode->chunk.rows + decode->errors.count <= count);
    for (uint32_t row = 0; row < decode->chunk.rows; row++) {
        assert_ptr_equal(decode->chunk.origins[row], &records[decode->chunk.origins[row]->offset]);
    }
}

void decode_text(struct decode *decode, struct weir_str text)
{
    decode_texts(decode, &text, 1);
}

const struct weir_row_error *decode_only_error(const struct decode *decode)
{
    assert_int_equal(decode->errors.count, 1);
    return &decode->errors.items[0];
}
