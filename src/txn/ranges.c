/* ranges.c: ranges to bytes and back. docs/FORMAT.md has the layout. */
#include "txn/ranges.h"

enum ranges_kind { RANGES_BOTH = 1, RANGES_ENDS = 2 };

static bool copy_text(struct weir_arena *arena, struct weir_str *text)
{
    char *copy = weir_arena_copy(arena, *text);

    *text = (struct weir_str){ copy, text->len };
    return copy != NULL;
}

int weir_ranges_copy(struct weir_arena *arena, struct weir_ranges from, struct weir_ranges *ret,
                     struct weir_error *err)
{
    struct weir_ranges out = { weir_arena_calloc(arena, from.count, sizeof(*out.items)),
                               from.count };

    if (out.items == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u source ranges", from.count);
    }
    for (uint32_t i = 0; i < from.count; i++) {
        out.items[i] = from.items[i];
        if (!copy_text(arena, &out.items[i].source) || !copy_text(arena, &out.items[i].stream)) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory for %u source ranges", from.count);
        }
    }
    *ret = out;
    return WEIR_OK;
}

const struct weir_range *weir_ranges_find(struct weir_ranges ranges, struct weir_str source,
                                          struct weir_str stream, int32_t number)
{
    for (uint32_t i = 0; i < ranges.count; i++) {
        const struct weir_range *range = &ranges.items[i];
        if (range->number == number && weir_str_equal(range->source, source) &&
            weir_str_equal(range->stream, stream)) {
            return range;
        }
    }
    return NULL;
}

static void put_position(struct weir_buf *buf, const struct weir_position *at)
{
    weir_buf_put_u64(buf, (uint64_t)at->next);
    weir_buf_put_u64(buf, (uint64_t)at->witness_offset);
    weir_buf_put_u64(buf, at->witness_digest);
}

static struct weir_position get_position(struct weir_reader *reader)
{
    struct weir_position ret;

    ret.next = (int64_t)weir_reader_u64(reader);
    ret.witness_offset = (int64_t)weir_reader_u64(reader);
    ret.witness_digest = weir_reader_u64(reader);
    return ret;
}

static void encode(struct weir_ranges ranges, enum ranges_kind kind, struct weir_buf *ret)
{
    weir_buf_put_u8(ret, (uint8_t)kind);
    weir_buf_put_u32(ret, ranges.count);
    for (uint32_t i = 0; i < ranges.count; i++) {
        const struct weir_range *range = &ranges.items[i];
        weir_buf_put_str(ret, range->source);
        weir_buf_put_str(ret, range->stream);
        weir_buf_put_u32(ret, (uint32_t)range->number);
        weir_buf_put_u64(ret, range->identity);
        if (kind == RANGES_BOTH) {
            put_position(ret, &range->first);
        }
        put_position(ret, &range->end);
    }
}

void weir_ranges_encode(struct weir_ranges ranges, struct weir_buf *ret)
{
    encode(ranges, RANGES_BOTH, ret);
}

void weir_ranges_encode_ends(struct weir_ranges ranges, struct weir_buf *ret)
{
    encode(ranges, RANGES_ENDS, ret);
}

static int decode(enum ranges_kind want, struct weir_reader *reader, struct weir_arena *arena,
                  struct weir_ranges *ret, struct weir_error *err)
{
    enum { ENTRY_BYTES_MIN = 44 }; /* two empty strings, and the end alone */
    uint8_t kind = weir_reader_u8(reader);
    uint32_t count = weir_reader_u32(reader);
    struct weir_ranges out = { .count = count };

    /* A count that the bytes cannot hold is not worth its memory. */
    if (reader->failed || kind != want || count > WEIR_RANGES_MAX ||
        count > (reader->len - reader->at) / ENTRY_BYTES_MIN) {
        return weir_error_set(err, WEIR_ECORRUPT, "source ranges: kind %u with %u entries", kind,
                              count);
    }
    out.items = weir_arena_calloc(arena, count, sizeof(*out.items));
    if (out.items == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u source ranges", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct weir_range *range = &out.items[i];
        range->source = weir_reader_str(reader);
        range->stream = weir_reader_str(reader);
        range->number = (int32_t)weir_reader_u32(reader);
        range->identity = weir_reader_u64(reader);
        if (kind == RANGES_BOTH) {
            range->first = get_position(reader);
        }
        range->end = get_position(reader);
        if (kind == RANGES_ENDS) {
            range->first = range->end;
        }
        if (!reader->failed && range->end.next < range->first.next) {
            return weir_error_set(err, WEIR_ECORRUPT, "source ranges: entry %u runs backwards", i);
        }
    }
    if (reader->failed) {
        return weir_error_set(err, WEIR_ECORRUPT, "source ranges: cut short");
    }
    *ret = out;
    return WEIR_OK;
}

int weir_ranges_decode(struct weir_reader *reader, struct weir_arena *arena,
                       struct weir_ranges *ret, struct weir_error *err)
{
    return decode(RANGES_BOTH, reader, arena, ret, err);
}

int weir_ranges_decode_ends(struct weir_reader *reader, struct weir_arena *arena,
                            struct weir_ranges *ret, struct weir_error *err)
{
    return decode(RANGES_ENDS, reader, arena, ret, err);
}

void weir_ranges_print(struct weir_ranges ranges, bool with_all, struct weir_buf *ret)
{
    const char *separator = "\"";

    weir_buf_append_text(ret, "{");
    for (uint32_t i = 0; i < ranges.count; i++) {
        const struct weir_range *range = &ranges.items[i];
        if (!with_all && range->first.next == range->end.next) {
            continue;
        }
        weir_buf_append_text(ret, separator);
        weir_buf_append_json(ret, range->source);
        weir_buf_append_text(ret, "/");
        weir_buf_append_json(ret, range->stream);
        weir_buf_printf(ret, "/%d\": [%lld, %lld]", range->number, (long long)range->first.next,
                        (long long)range->end.next);
        separator = ", \"";
    }
    weir_buf_append_text(ret, "}");
}
