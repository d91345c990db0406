/* kafka_config.h: what WITH (connector = 'kafka', ...) may say, and what it means to librdkafka. */
#ifndef WEIR_SOURCE_KAFKA_CONFIG_H
#define WEIR_SOURCE_KAFKA_CONFIG_H

#include <librdkafka/rdkafka.h>

#include "source/source.h"

extern const struct weir_option_def weir_kafka_source_options[];

enum kafka_start_kind {
    KAFKA_START_EARLIEST,
    KAFKA_START_LATEST,
    KAFKA_START_TIME,    /* the first record at or after a moment */
    KAFKA_START_OFFSETS, /* one for each partition */
};

struct kafka_start_offset {
    struct weir_str topic; /* empty: of the only topic */
    int32_t partition;
    int64_t offset;
};

/* The checked options. Text lives as long as the options it was made from. */
struct kafka_config {
    struct weir_str brokers;
    struct weir_str broker_addresses; /* as kafka_addresses_parse() takes them */
    struct weir_str *topics;
    uint32_t topic_count;
    char *group; /* owned; for publish() only */
    enum kafka_start_kind start;
    int64_t start_ms;
    struct kafka_start_offset *start_offsets;
    uint32_t start_offset_count;
    bool skip_lost;
    bool read_committed;
    bool wakes_itself; /* this librdkafka has fetch.queue.backoff.ms */
};

/* Checks what can be checked without a broker. WEIR_ECONFIG. On success the caller passes *ret to
 * kafka_config_fini(). */
int kafka_config_init(const struct weir_source_args *args, struct kafka_config *ret,
                      struct weir_error *err);
void kafka_config_fini(struct kafka_config *config);

/* A new set of librdkafka's properties: weir's own for partition_count partitions, and over them
 * the user's kafka.*. WEIR_ECONFIG with librdkafka's words. The caller owns *ret. */
int kafka_config_properties(struct kafka_config *config, const struct weir_source_args *args,
                            uint32_t partition_count, rd_kafka_conf_t **ret,
                            struct weir_error *err);

#endif
