/* kafka_start.c: reads the option start: a word, a time, or offsets.
 *
 * A text of digits only is milliseconds since 1970; one that begins like a date is a time; anything
 * else with a colon is a list of offsets.
 * Checked by tests/unit/source/test_kafka_config.c. */
#include "source/kafka_start.h"

#include <stdlib.h>

#include "chunk/datetime.h"

static int bad_start(struct weir_str text, struct weir_error *err)
{
    return weir_error_set(err, WEIR_ECONFIG,
                          "option start: '%.*s' is not earliest, latest, a time such as "
                          "'2024-05-01 12:00:00+02', milliseconds since 1970, or offsets such as "
                          "'0:1200,1:1187'",
                          WEIR_STR_ARG(text));
}

/* All of text as a decimal number from 0 to INT64_MAX. */
static bool read_number(struct weir_str text, int64_t *ret)
{
    int64_t value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.data[i] - '0', &value)) {
            return false;
        }
    }
    *ret = value;
    return text.len > 0;
}

static bool looks_like_date(struct weir_str text)
{
    static const char shape[] = "dddd-dd-dd";

    for (size_t i = 0; i < sizeof(shape) - 1; i++) {
        if (i >= text.len || (shape[i] == 'd' ? text.data[i] < '0' || text.data[i] > '9'
                                              : text.data[i] != shape[i])) {
            return false;
        }
    }
    return true;
}

static struct weir_str part(struct weir_str text, size_t begin, size_t end)
{
    return (struct weir_str){ text.data + begin, end - begin };
}

/* The place of the last colon before end; SIZE_MAX when there is none. */
static size_t last_colon(struct weir_str text, size_t end)
{
    while (end > 0 && text.data[end - 1] != ':') {
        end--;
    }
    return end == 0 ? SIZE_MAX : end - 1;
}

/* "partition:offset" or "topic:partition:offset". */
static bool read_offset(struct weir_str text, struct kafka_start_offset *ret)
{
    size_t second = last_colon(text, text.len);
    size_t first = second == SIZE_MAX ? SIZE_MAX : last_colon(text, second);
    size_t begin = first == SIZE_MAX ? 0 : first + 1;
    int64_t partition;

    if (second == SIZE_MAX || !read_number(part(text, begin, second), &partition) ||
        partition > INT32_MAX || !read_number(part(text, second + 1, text.len), &ret->offset)) {
        return false;
    }
    ret->partition = (int32_t)partition;
    ret->topic = first == SIZE_MAX ? (struct weir_str){ 0 } : part(text, 0, first);
    return first == SIZE_MAX || first > 0;
}

static int check_offset(const struct kafka_config *config, const struct kafka_start_offset *offset,
                        struct weir_error *err)
{
    if (offset->topic.len == 0 && config->topic_count > 1) {
        return weir_error_set(
            err, WEIR_ECONFIG,
            "option start: with several topics each offset needs its topic, as in "
            "'%.*s:%d:%lld'",
            WEIR_STR_ARG(config->topics[0]), offset->partition, (long long)offset->offset);
    }
    for (uint32_t i = 0; offset->topic.len > 0; i++) {
        if (i == config->topic_count) {
            return weir_error_set(err, WEIR_ECONFIG,
                                  "option start: '%.*s' is not among the topics of option topic",
                                  WEIR_STR_ARG(offset->topic));
        }
        if (weir_str_equal(config->topics[i], offset->topic)) {
            break;
        }
    }
    if (kafka_start_offset(config, offset->topic.len == 0 ? config->topics[0] : offset->topic,
                           offset->partition) >= 0) {
        return weir_error_set(err, WEIR_ECONFIG, "option start: partition %d is there twice",
                              offset->partition);
    }
    return WEIR_OK;
}

static int parse_offsets(struct weir_str text, struct kafka_config *config, struct weir_error *err)
{
    size_t commas = 0;

    for (size_t i = 0; i < text.len; i++) {
        commas += text.data[i] == ',';
    }
    config->start = KAFKA_START_OFFSETS;
    config->start_offsets = calloc(commas + 1, sizeof(*config->start_offsets));
    if (config->start_offsets == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for options");
    }
    for (size_t begin = 0; begin <= text.len;) {
        struct kafka_start_offset offset;
        size_t end = begin;
        while (end < text.len && text.data[end] != ',') {
            end++;
        }
        struct weir_str item = part(text, begin, end);
        while (item.len > 0 && item.data[0] == ' ') {
            item = part(item, 1, item.len);
        }
        if (!read_offset(item, &offset)) {
            return bad_start(text, err);
        }
        int rc = check_offset(config, &offset, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        config->start_offsets[config->start_offset_count++] = offset;
        begin = end + 1;
    }
    return WEIR_OK;
}

int kafka_start_parse(struct weir_str text, struct kafka_config *config, struct weir_error *err)
{
    if (weir_str_equal(text, WEIR_STR("earliest"))) {
        config->start = KAFKA_START_EARLIEST;
        return WEIR_OK;
    }
    if (weir_str_equal(text, WEIR_STR("latest"))) {
        config->start = KAFKA_START_LATEST;
        return WEIR_OK;
    }
    if (read_number(text, &config->start_ms)) {
        config->start = KAFKA_START_TIME;
        return WEIR_OK;
    }
    if (looks_like_date(text)) {
        int64_t us;
        if (weir_timestamptz_parse(text, -1, &us, NULL) != WEIR_OK ||
            !weir_timestamp_is_finite(us)) {
            return bad_start(text, err);
        }
        /* Rounded up to Kafka's milliseconds: no record before the moment is read. */
        us += WEIR_UNIX_TO_PG_EPOCH_US;
        config->start = KAFKA_START_TIME;
        config->start_ms = us / 1000 + (us % 1000 > 0);
        return WEIR_OK;
    }
    if (last_colon(text, text.len) == SIZE_MAX) {
        return bad_start(text, err);
    }
    return parse_offsets(text, config, err);
}

int64_t kafka_start_offset(const struct kafka_config *config, struct weir_str topic,
                           int32_t partition)
{
    for (uint32_t i = 0; i < config->start_offset_count; i++) {
        const struct kafka_start_offset *offset = &config->start_offsets[i];
        if (offset->partition == partition &&
            (offset->topic.len == 0 || weir_str_equal(offset->topic, topic))) {
            return offset->offset;
        }
    }
    return -1;
}
