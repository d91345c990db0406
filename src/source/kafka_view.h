/* kafka_view.h: what the brokers say of our topics: partitions, leaders, whose cluster it is. */
#ifndef WEIR_SOURCE_KAFKA_VIEW_H
#define WEIR_SOURCE_KAFKA_VIEW_H

#include <librdkafka/rdkafka.h>

#include "source/source.h"

struct kafka_topic {
    char *name;
    rd_kafka_topic_t *handle;
};

struct kafka_topic_view {
    uint32_t partition_count;
    bool missing; /* the brokers know no such topic */
};

struct kafka_view {
    struct kafka_topic_view *topics;
    uint32_t topic_count;
    uint32_t leaderless;   /* partitions without a leader */
    uint64_t identity;     /* of the cluster; 0 when unknown */
    uint64_t leaders_hash; /* changes when some partition's leader does */
    /* One partition of each leader: asking for their ends makes every broker's thread look up. */
    rd_kafka_topic_partition_list_t *one_each;
};

/* Asks for all topics. Blocks for timeout_ms a topic at most. WEIR_EAWAY, WEIR_EAUTH. On success
 * the caller passes *ret to kafka_view_fini(). */
int kafka_view_init(rd_kafka_t *client, const struct kafka_topic *topics, uint32_t topic_count,
                    int timeout_ms, struct kafka_view *ret, struct weir_error *err);
void kafka_view_fini(struct kafka_view *view);

#endif
