/* kafka_internal.h: what the files of the Kafka source share. kafka_source.c says how they fit. */
#ifndef WEIR_SOURCE_KAFKA_INTERNAL_H
#define WEIR_SOURCE_KAFKA_INTERNAL_H

#include "source/kafka_client.h"
#include "source/kafka_reader.h"
#include "source/kafka_scout.h"

enum {
    KAFKA_MESSAGES_MAX = 4096,    /* taken from librdkafka at a time */
    KAFKA_PARTITIONS_DEFAULT = 4, /* that a client is made for before the number is known */
};

struct kafka_partition {
    uint32_t topic; /* index in the client's */
    int32_t number;
    struct kafka_reader reader;
    struct weir_loss loss;
    int64_t
        diverged_since_us; /* since when the log seems to end before the position; 0: it does not */
    int64_t corrupt_offset; /* a batch that failed its checksum, and how often it was fetched */
    uint32_t corrupt_tries;
};

struct kafka_source {
    struct weir_source_args args;
    struct kafka_config config;
    struct kafka_client *client;
    struct kafka_scout *scout; /* runs from the first discover() on */
    uint64_t news_seen;        /* the scout's version that was acted on */
    uint64_t leaders_seen;
    struct weir_partition *list;
    struct kafka_partition *partitions; /* the same indexes */
    uint32_t partition_count;
    uint32_t reader_count; /* partitions that poll() reads, by the last seek() */
    bool is_replay;        /* the last seek() had an end */
    uint64_t identity;

    bool assign_wanted;    /* KF1: drop all and fetch anew */
    bool skipped;          /* this poll() moved a position over a loss */
    int64_t assign_due_us; /* not before */
    uint64_t links_seen;   /* the client's lost_links at the last assign() */
    rd_kafka_message_t *messages[KAFKA_MESSAGES_MAX]; /* [message_first, message_count) wait */
    uint32_t message_first, message_count;
    rd_kafka_message_t *taken[KAFKA_MESSAGES_MAX]; /* of the poll under way */
    struct weir_record views[KAFKA_MESSAGES_MAX];  /* of the taken ones */
    uint32_t cached_partition;                     /* where the last message belonged */
    const rd_kafka_topic_t *cached_topic;

    bool is_behind;
    int64_t behind_checked_us, published_us;
    uint64_t dropped; /* records that came again */
    char trouble[KAFKA_TROUBLE_BYTES];
};

static inline const char *kafka_topic_name(const struct kafka_source *self,
                                           const struct kafka_partition *partition)
{
    return self->client->topics[partition->topic].name;
}

/* kafka_discover.c: the functions of that name in struct weir_source_ops. */
int kafka_discover(void *context, struct weir_source_partitions *ret, struct weir_error *err);
int kafka_start_position(void *context, uint32_t index, bool is_new, struct weir_position *ret,
                         struct weir_error *err);
/* Looks through what the scout has heard since the last time. WEIR_ECONFLICT. */
int kafka_heed_scout(struct kafka_source *self, struct weir_error *err);

/* kafka_judge.c: what to do about a partition whose position does not fit its log. WEIR_ECONFLICT and
 * WEIR_ECORRUPT, or WEIR_OK when reading goes on (then mostly with assign_wanted). */
int kafka_judge(struct kafka_source *self, const struct kafka_limits *limits,
                struct weir_error *err);
/* Another record stands where the witness was. */
int kafka_replaced(struct kafka_source *self, struct kafka_partition *partition,
                   struct weir_error *err);
/* librdkafka says that a batch is damaged. */
int kafka_corrupt(struct kafka_source *self, struct kafka_partition *partition,
                  const rd_kafka_message_t *message, struct weir_error *err);

#endif
