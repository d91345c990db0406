/* kafka_client.h: the librdkafka handle of a source, with its callbacks, and how it is let go. */
#ifndef WEIR_SOURCE_KAFKA_CLIENT_H
#define WEIR_SOURCE_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "source/kafka_addresses.h"
#include "source/kafka_config.h"
#include "source/kafka_view.h"

enum { KAFKA_TROUBLE_BYTES = 256 };

struct kafka_client {
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue; /* where everything arrives */
    struct kafka_topic *topics;
    uint32_t topic_count;
    struct kafka_addresses addresses;
    int event_fd;                     /* readable when the queue may hold something */
    atomic_uint_least64_t lost_links; /* connections that had carried answers and were closed */
    /* What librdkafka complained of last and when, by kafka_clock_us(). Callbacks run inside the
     * calls of the source's thread, so these need no lock. */
    char trouble[KAFKA_TROUBLE_BYTES];
    int64_t trouble_us;
    bool auth_failed, is_fatal;
    bool is_mistrusted;                 /* a broker's certificate is not what it should be */
    atomic_int_least64_t log_window_us; /* log lines are counted by windows of time */
    atomic_uint log_lines;
    pthread_mutex_t lock; /* of how it ends */
    pthread_cond_t end_changed;
    bool is_ended, is_abandoned;
};

/* Connects to nothing yet. WEIR_ECONFIG with librdkafka's words. The caller passes *ret to
 * kafka_client_close(). */
int kafka_client_open(struct kafka_config *config, const struct weir_source_args *args,
                      uint32_t partition_count, struct kafka_client **ret, struct weir_error *err);
/* Waits for librdkafka's threads a few seconds at most; what is not finished by then is left to a
 * thread of its own. NULL is a no-op. */
void kafka_client_close(struct kafka_client *client);

#endif
