/* kafka_client.c: makes and ends a librdkafka consumer; its log lines, errors and lost links.
 *
 * KL1  A connection that is lost is counted before anything that comes over its successor can be
 *      seen (the same thread of librdkafka does both), so a batch of messages that was taken while
 *      the count stood still came over the old ones.
 * Checked by tests/integration/test_kafka_source.py. */
#include "source/kafka_client.h"

#include <errno.h>
#include <linux/tcp.h> /* not netinet/tcp.h, whose tcp_info is too short */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/log_line.h"
#include "source/kafka_scout.h"

enum {
    LOG_WINDOW_US = 10000000,
    LOG_LINES_MAX = 10, /* in a window; librdkafka repeats itself while a broker is away */
    END_WAIT_S = 3,
};

static void on_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
    struct kafka_client *client = rd_kafka_opaque(handle);
    int64_t now = kafka_clock_us();

    if (now - atomic_load(&client->log_window_us) > LOG_WINDOW_US) {
        atomic_store(&client->log_window_us, now);
        atomic_store(&client->log_lines, 0);
    }
    if (level < LOG_DEBUG && atomic_fetch_add(&client->log_lines, 1) >= LOG_LINES_MAX) {
        return;
    }
    weir_log(level <= LOG_WARNING ? WEIR_LOG_WARN
             : level < LOG_DEBUG  ? WEIR_LOG_INFO
                                  : WEIR_LOG_DEBUG,
             "kafka_client", "%s: %s", facility, text);
}

static void on_error(rd_kafka_t *handle, int code, const char *reason, void *context)
{
    struct kafka_client *client = context;

    (void)handle;
    client->trouble_us = kafka_clock_us();
    (void)snprintf(client->trouble, sizeof(client->trouble), "%s", reason); /* cut: for people */
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
        client->auth_failed = true;
    }
    /* The code alone says that no TLS link came about, as when the other end goes away meanwhile. */
    if (code == RD_KAFKA_RESP_ERR__SSL && strstr(reason, "certificate verify failed") != NULL) {
        client->is_mistrusted = true;
    }
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        client->is_fatal = true;
    }
}

/* Called by librdkafka's threads in place of close(). */
static int on_close_socket(int fd, void *context)
{
    struct kafka_client *client = context;
    struct tcp_info info = { 0 };
    socklen_t bytes = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0 && info.tcpi_bytes_received > 0) {
        atomic_fetch_add(&client->lost_links, 1); /* KL1 */
    }
    return close(fd);
}

/* Called by librdkafka's threads in place of getaddrinfo() and freeaddrinfo(). */
static int on_resolve(const char *node, const char *service, const struct addrinfo *hints,
                      struct addrinfo **res, void *context)
{
    const struct kafka_client *client = context;

    return kafka_addresses_resolve(&client->addresses, node, service, hints, res);
}

static int make_topics(struct kafka_client *client, const struct kafka_config *config,
                       struct weir_error *err)
{
    client->topics = calloc(config->topic_count, sizeof(*client->topics));
    for (uint32_t i = 0; client->topics != NULL && i < config->topic_count; i++) {
        struct kafka_topic *topic = &client->topics[i];
        client->topic_count++;
        topic->name = strndup(config->topics[i].data, config->topics[i].len);
        topic->handle =
            topic->name == NULL ? NULL : rd_kafka_topic_new(client->handle, topic->name, NULL);
        if (topic->handle == NULL) {
            return weir_error_set(err, WEIR_ECONFIG, "topic %.*s: %s",
                                  WEIR_STR_ARG(config->topics[i]),
                                  rd_kafka_err2str(rd_kafka_last_error()));
        }
    }
    return client->topics == NULL ? weir_error_set(err, WEIR_ENOMEM, "no memory for topics")
                                  : WEIR_OK;
}

static int make_handle(struct kafka_client *client, struct kafka_config *config,
                       const struct weir_source_args *args, uint32_t partition_count,
                       struct weir_error *err)
{
    rd_kafka_conf_t *conf = NULL;
    char text[512];
    int rc = kafka_addresses_parse(config->broker_addresses, &client->addresses, err);

    if (rc == WEIR_OK) {
        rc = kafka_config_properties(config, args, partition_count, &conf, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_log_cb(conf, on_log);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_closesocket_cb(conf, on_close_socket);
    if (client->addresses.count > 0) {
        rd_kafka_conf_set_resolve_cb(conf, on_resolve);
    }
    client->handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (client->handle == NULL) {
        rd_kafka_conf_destroy(conf); /* taken only on success */
        return weir_error_set(err, WEIR_ECONFIG, "librdkafka: %s", text);
    }
    return WEIR_OK;
}

static void free_client(struct kafka_client *client)
{
    for (uint32_t i = 0; i < client->topic_count; i++) {
        free(client->topics[i].name);
    }
    free(client->topics);
    kafka_addresses_fini(&client->addresses);
    if (client->event_fd >= 0) {
        (void)close(client->event_fd); /* an eventfd has nothing to lose */
    }
    (void)pthread_cond_destroy(&client->end_changed);
    (void)pthread_mutex_destroy(&client->lock);
    free(client);
}

int kafka_client_open(struct kafka_config *config, const struct weir_source_args *args,
                      uint32_t partition_count, struct kafka_client **ret, struct weir_error *err)
{
    struct kafka_client *client = calloc(1, sizeof(*client));
    const uint64_t one = 1;
    int rc;

    if (client == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a Kafka client");
    }
    (void)pthread_mutex_init(&client->lock, NULL); /* default attributes: cannot fail */
    (void)pthread_cond_init(&client->end_changed, NULL);
    client->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    rc = client->event_fd < 0
             ? weir_error_set_errno(err, WEIR_ENOMEM, errno, "no file descriptor for events")
             : make_handle(client, config, args, partition_count, err);
    if (rc == WEIR_OK) {
        rc = make_topics(client, config, err);
    }
    if (rc != WEIR_OK) {
        kafka_client_close(client);
        return rc;
    }
    (void)rd_kafka_poll_set_consumer(client->handle); /* callbacks come through the one queue */
    client->queue = rd_kafka_queue_get_consumer(client->handle);
    rd_kafka_queue_io_event_enable(client->queue, client->event_fd, &one, sizeof(one));
    *ret = client;
    return WEIR_OK;
}

static void *end_main(void *context)
{
    struct kafka_client *client = context;

    /* Positions are not the client's, so there is nothing to commit or leave. */
    rd_kafka_destroy_flags(client->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    (void)pthread_mutex_lock(&client->lock);
    client->is_ended = true;
    bool is_abandoned = client->is_abandoned;
    (void)pthread_cond_signal(&client->end_changed);
    (void)pthread_mutex_unlock(&client->lock);
    if (is_abandoned) {
        free_client(client);
    }
    return NULL;
}

/* True when the thread has ended and the client is the caller's again. */
static bool wait_for_end(struct kafka_client *client)
{
    struct timespec deadline;

    (void)clock_gettime(CLOCK_REALTIME, &deadline); /* the clock of a default condition */
    deadline.tv_sec += END_WAIT_S;
    (void)pthread_mutex_lock(&client->lock);
    while (!client->is_ended &&
           pthread_cond_timedwait(&client->end_changed, &client->lock, &deadline) == 0) {
    }
    bool is_ended = client->is_ended;
    client->is_abandoned = !is_ended;
    (void)pthread_mutex_unlock(&client->lock);
    return is_ended;
}

void kafka_client_close(struct kafka_client *client)
{
    pthread_t thread;

    if (client == NULL) {
        return;
    }
    for (uint32_t i = 0; i < client->topic_count; i++) {
        if (client->topics[i].handle != NULL) {
            rd_kafka_topic_destroy(client->topics[i].handle);
        }
    }
    if (client->queue != NULL) {
        rd_kafka_queue_io_event_enable(client->queue, -1, NULL, 0);
        rd_kafka_queue_destroy(client->queue);
    }
    if (client->handle == NULL) {
        free_client(client);
    } else if (pthread_create(&thread, NULL, end_main, client) != 0) {
        rd_kafka_destroy_flags(client->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        free_client(client);
    } else {
        (void)pthread_detach(thread);
        if (wait_for_end(client)) {
            free_client(client);
        } else {
            weir_log(WEIR_LOG_WARN, "kafka_client", "librdkafka does not end; not waiting for it");
        }
    }
}
