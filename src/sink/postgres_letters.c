/* postgres_letters.c: the dead letters of a part as the bytes of a COPY BINARY into weir.dead_letter.
 *
 * The table is made in postgres_ddl.c, the COPY is sent by postgres_part.c.
 * Checked by tests/contract/. */
#include <endian.h>
#include <string.h>

#include "sink/postgres_internal.h"

enum { COLUMNS = 11 };

const char weir_postgres_letters_copy[] =
    "COPY weir.dead_letter (pipeline, batch, partition, source, stream, stream_partition,"
    " \"offset\", key, value, sqlstate, error) FROM STDIN (FORMAT binary)";

static void put_field(struct weir_buf *ret, const void *data, size_t bytes)
{
    uint32_t length = htobe32((uint32_t)bytes);

    weir_buf_append(ret, &length, sizeof(length));
    weir_buf_append(ret, data, bytes);
}

static void put_text_field(struct weir_buf *ret, struct weir_str text)
{
    put_field(ret, text.data, text.len);
}

static void put_nullable(struct weir_buf *ret, struct weir_str bytes, bool null)
{
    static const uint8_t null_field[4] = { 0xff, 0xff, 0xff, 0xff };

    if (null) {
        weir_buf_append(ret, null_field, sizeof(null_field));
    } else {
        put_field(ret, bytes.data, bytes.len);
    }
}

/* "table/stream/partition" in its three parts; a stream may hold slashes itself. */
static void put_place(struct weir_buf *ret, struct weir_str place)
{
    const char *first = memchr(place.data, '/', place.len);
    const char *last = memrchr(place.data, '/', place.len);
    const char *end = place.data + place.len;

    if (first == NULL || last == first) {
        put_text_field(ret, place);
        put_text_field(ret, WEIR_STR(""));
        put_text_field(ret, WEIR_STR(""));
        return;
    }
    put_field(ret, place.data, (size_t)(first - place.data));
    put_field(ret, first + 1, (size_t)(last - first - 1));
    put_field(ret, last + 1, (size_t)(end - last - 1));
}

bool weir_postgres_encode_letters(const struct weir_postgres_sink *sink, uint64_t batch,
                                  struct weir_postgres_part *part)
{
    struct weir_buf *ret = &part->letter_bytes;
    uint16_t fields = htobe16(COLUMNS);

    weir_buf_reset(ret);
    for (uint32_t i = 0; i < part->rows.letter_count; i++) {
        const struct weir_part_letter *letter = &part->rows.letters[i];
        const struct weir_record *record = letter->record;
        const char *text = (const char *)part->rows.letter_texts.data + letter->text_at;
        uint64_t number = htobe64(batch), offset = htobe64((uint64_t)record->offset);
        uint32_t partition = htobe32(part->number);

        weir_buf_append(ret, &fields, sizeof(fields));
        put_text_field(ret, weir_str_from(sink->args.pipeline));
        put_field(ret, &number, sizeof(number));
        put_field(ret, &partition, sizeof(partition));
        put_place(ret, sink->args.describe_partition(sink->args.describe_context, letter->source,
                                                     record->partition));
        put_field(ret, &offset, sizeof(offset));
        put_nullable(ret, record->key, record->key_is_null);
        put_nullable(ret, record->value, record->value_is_null);
        put_text_field(ret, weir_str_from(letter->sqlstate));
        put_text_field(ret, weir_str_from(text));
    }
    return !ret->failed;
}
