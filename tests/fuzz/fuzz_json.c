/* fuzz_json.c: JSON messages into columns of every type there is.
 *
 * Input: one message. It becomes a row, or an error that says why. Column i is called like the i-th
 * letter. The last type, UNKNOWN, is none that a column can have. */
#include "format/json_format.h"
#include "tests/fuzz/fuzz.h"

enum { PADDING_BYTES = 64 }; /* records are readable so far behind their end */

static void *open_format(void)
{
    static struct weir_format_column columns[WEIR_TYPE_UNKNOWN];
    static char names[WEIR_TYPE_UNKNOWN][2];
    struct weir_format_args args = { .columns = columns, .column_count = WEIR_TYPE_UNKNOWN };
    void *format = NULL;

    for (int i = 0; i < WEIR_TYPE_UNKNOWN; i++) {
        names[i][0] = (char)('a' + i);
        columns[i] =
            (struct weir_format_column){ .name = names[i],
                                         .type = { .id = (enum weir_type_id)i, .typmod = -1 } };
    }
    weir_assert(weir_json_format_ops.open(&args, &format, NULL) == WEIR_OK);
    return format;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void *format;
    struct weir_decode_errors errors = { 0 };
    struct weir_chunk chunk = { 0 };
    struct weir_arena arena;
    char *text = malloc(len + PADDING_BYTES);

    weir_assert(text != NULL);
    if (format == NULL) {
        format = open_format();
    }
    if (len > 0) {
        memcpy(text, data, len);
    }
    memset(text + len, '1', PADDING_BYTES); /* whoever reads it as JSON, errs */
    const struct weir_record record = { .value = { text, len } };
    weir_arena_init(&arena, 0);
    weir_assert(weir_json_format_ops.decode(format, &record, 1, &arena, &chunk, &errors, NULL) ==
                WEIR_OK);
    weir_assert(chunk.rows + errors.count == 1);
    weir_assert(errors.count == 0 || errors.items[0].text[0] != '\0');
    weir_arena_fini(&arena);
    free(text);
    return 0;
}
