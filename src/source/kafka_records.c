/* kafka_records.c: copies messages out of librdkafka.
 *
 * Messages are destroyed as soon as they are copied: each one holds on to the whole fetch response
 * that it came in. */
#include "source/kafka_records.h"

#include "base/buf.h"
#include "chunk/utf8.h"

enum {
    RUN_BYTES = 32 << 10,     /* copied to one piece of the arena, so that no piece is oversized */
    VALUE_PADDING_BYTES = 64, /* see struct weir_record */
};

struct weir_record kafka_record_view(const rd_kafka_message_t *message, uint32_t partition)
{
    rd_kafka_timestamp_type_t type;
    int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    int64_t timestamp_us;

    if (timestamp_ms < 0 || __builtin_mul_overflow(timestamp_ms, 1000, &timestamp_us)) {
        timestamp_us = INT64_MIN; /* none, or beyond any calendar */
    }
    return (struct weir_record){
        .offset = message->offset,
        .timestamp_us = timestamp_us,
        .value = { message->payload, message->payload == NULL ? 0 : message->len },
        .key = { message->key, message->key == NULL ? 0 : message->key_len },
        .partition = partition,
        .value_is_null = message->payload == NULL,
        .key_is_null = message->key == NULL,
    };
}

static struct weir_str copy_text(char **to, struct weir_str text)
{
    struct weir_str ret = { *to, text.len };

    if (text.len > 0) {
        memcpy(*to, text.data, text.len);
    }
    *to += text.len;
    return ret;
}

bool kafka_records_copy(struct weir_record *records, uint32_t count, struct weir_arena *arena)
{
    for (uint32_t first = 0; first < count;) {
        uint32_t end = first;
        size_t bytes = 0;
        do {
            bytes += records[end].value.len + records[end].key.len;
            end++;
        } while (end < count && bytes < RUN_BYTES);
        char *to = weir_arena_alloc(arena, bytes + VALUE_PADDING_BYTES);
        if (to == NULL) {
            return false;
        }
        for (; first < end; first++) {
            records[first].value = copy_text(&to, records[first].value);
            records[first].key = copy_text(&to, records[first].key);
        }
        memset(to, 0, VALUE_PADDING_BYTES);
    }
    return true;
}

static void append_string(struct weir_buf *buf, struct weir_str text)
{
    weir_buf_append(buf, "\"", 1);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') {
            weir_buf_printf(buf, "\\%c", c);
        } else if (c < 0x20) {
            weir_buf_printf(buf, "\\u%04x", c);
        } else {
            weir_buf_append(buf, &c, 1);
        }
    }
    weir_buf_append(buf, "\"", 1);
}

static void append_bytes(struct weir_buf *buf, struct weir_str bytes)
{
    if (weir_utf8_check(bytes, NULL) == WEIR_OK) {
        append_string(buf, bytes);
        return;
    }
    weir_buf_append_text(buf, "\"\\\\x");
    for (size_t i = 0; i < bytes.len; i++) {
        weir_buf_printf(buf, "%02x", (unsigned char)bytes.data[i]);
    }
    weir_buf_append(buf, "\"", 1);
}

bool kafka_record_headers(const rd_kafka_message_t *message, struct weir_arena *arena,
                          struct weir_str *ret)
{
    rd_kafka_headers_t *headers;
    struct weir_buf buf = { 0 };
    const char *name;
    const void *value;
    size_t bytes;

    weir_buf_append(&buf, "[", 1);
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &bytes) ==
                           RD_KAFKA_RESP_ERR_NO_ERROR;
             i++) {
            weir_buf_append_text(&buf, i == 0 ? "[" : ", [");
            append_bytes(&buf, weir_str_from(name));
            weir_buf_append_text(&buf, ", ");
            if (value == NULL) {
                weir_buf_append_text(&buf, "null");
            } else {
                append_bytes(&buf, (struct weir_str){ value, bytes });
            }
            weir_buf_append(&buf, "]", 1);
        }
    }
    weir_buf_append(&buf, "]", 1);
    struct weir_str text = { (const char *)buf.data, buf.len };
    char *copy = buf.failed ? NULL : weir_arena_copy(arena, text);
    *ret = (struct weir_str){ copy, copy == NULL ? 0 : text.len };
    weir_buf_fini(&buf);
    return copy != NULL;
}
