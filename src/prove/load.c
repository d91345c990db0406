/* load.c: the producer of the load.
 *
 * Threads  One of its own produces and hears what became of each message; the ledger is written
 *          by it alone. The caller moves a limit up and reads a count, both atomic.
 * PL1  The producer is idempotent: a message whose answer was lost is sent again by the client and
 *      stands in the topic once. One that is given up is written down as unsure.
 * PL2  An id is in the ledger once it has its fate, never before. */
#include "prove/load.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "prove/moment.h"

enum {
    POLL_MS = 20,
    BURST = 1000, /* messages between two looks at the answers */
};

struct prove_load {
    struct prove_load_args args;
    rd_kafka_t *producer;
    rd_kafka_topic_t *topic;
    pthread_t thread;
    bool has_thread;
    atomic_uint_fast64_t allowed, settled;
    atomic_bool closing, failed;
    pthread_mutex_t lock; /* guards error */
    struct weir_error error;
};

void prove_load_body(uint64_t seed, uint64_t id, char ret[PROVE_BODY_BYTES])
{
    uint64_t words = 1 + prove_mix(seed, id) % 8;

    for (uint64_t w = 0; w < words; w++) {
        (void)snprintf(ret + 16 * w, 17, "%016llx",
                       (unsigned long long)prove_mix(seed + 1 + w, id));
    }
}

/* The load cannot go on; the first reason stays. */
static void give_up(struct prove_load *load, const char *what, const char *why)
{
    (void)pthread_mutex_lock(&load->lock);
    if (!atomic_load(&load->failed)) {
        (void)weir_error_set(&load->error, WEIR_EAWAY, "the load cannot be sent: %s: %s", what,
                             why);
        atomic_store(&load->failed, true);
    }
    (void)pthread_mutex_unlock(&load->lock);
}

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *context)
{
    struct prove_load *load = context;
    uint64_t id = (uint64_t)(uintptr_t)message->_private;
    bool arrived = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;

    (void)producer;
    if (rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED) {
        prove_ledger_add(load->args.ledger, id, message->partition, arrived ? message->offset : -1);
    }
    (void)atomic_fetch_add(&load->settled, 1); /* PL2: behind the line */
}

static size_t make_message(const struct prove_load *load, uint64_t id,
                           char ret[PROVE_MESSAGE_BYTES])
{
    char body[PROVE_BODY_BYTES];

    if (load->args.fitting != NULL) {
        return prove_fitting_message(load->args.fitting, load->args.seed, id, ret);
    }
    prove_load_body(load->args.seed, id, body);
    return (size_t)snprintf(ret, PROVE_MESSAGE_BYTES, "{\"id\":%llu,\"body\":\"%s\"}",
                            (unsigned long long)id, body);
}

/* Returns false when the client's queue is full. */
static bool send_one(struct prove_load *load, uint64_t id)
{
    char message[PROVE_MESSAGE_BYTES];
    int32_t partition =
        (int32_t)(prove_mix(load->args.seed + 99, id) % (uint64_t)load->args.partitions);

    size_t len = make_message(load, id, message);
    if (rd_kafka_produce(load->topic, partition, RD_KAFKA_MSG_F_COPY, message, len, NULL, 0,
                         (void *)(uintptr_t)id) == 0) {
        return true;
    }
    if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        give_up(load, load->args.topic, rd_kafka_err2str(rd_kafka_last_error()));
    }
    return false;
}

static void *work(void *context)
{
    struct prove_load *load = context;
    uint64_t next = 0;

    while (!atomic_load(&load->closing) && !atomic_load(&load->failed)) {
        uint64_t end = atomic_load(&load->allowed);
        char text[256];

        for (int i = 0; i < BURST && next < end && send_one(load, next); i++) {
            next++;
        }
        (void)rd_kafka_poll(load->producer, next < end ? 0 : POLL_MS);
        if (rd_kafka_fatal_error(load->producer, text, sizeof(text)) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            give_up(load, load->args.topic, text);
        }
        struct weir_error err;
        if (prove_ledger_flush(load->args.ledger, &err) != WEIR_OK) {
            give_up(load, "the list of what was sent", err.text);
        }
    }
    return NULL;
}

static int open_producer(struct prove_load *load, struct weir_error *err)
{
    /* linger: one message a request would make the broker the slowest part. */
    static const char *const properties[][2] = {
        { "enable.idempotence", "true" },
        { "linger.ms", "2" },
        { "message.timeout.ms", "300000" },
        { "log_level", "0" },
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];
    bool good = rd_kafka_conf_set(conf, "bootstrap.servers", load->args.brokers, text,
                                  sizeof(text)) == RD_KAFKA_CONF_OK;

    for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]) && good; i++) {
        good = rd_kafka_conf_set(conf, properties[i][0], properties[i][1], text, sizeof(text)) ==
               RD_KAFKA_CONF_OK;
    }
    rd_kafka_conf_set_opaque(conf, load);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    load->producer = good ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text)) : NULL;
    if (load->producer == NULL) {
        rd_kafka_conf_destroy(conf); /* taken only on success */
        return weir_error_set(err, WEIR_ECONFIG, "librdkafka: %s", text);
    }
    load->topic = rd_kafka_topic_new(load->producer, load->args.topic, NULL);
    return load->topic == NULL ? weir_error_set(err, WEIR_ECONFIG, "topic %s: %s", load->args.topic,
                                                rd_kafka_err2str(rd_kafka_last_error()))
                               : WEIR_OK;
}

int prove_load_open(const struct prove_load_args *args, struct prove_load **ret,
                    struct weir_error *err)
{
    struct prove_load *load = calloc(1, sizeof(*load));
    int rc;

    if (load == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for the load");
    }
    load->args = *args;
    (void)pthread_mutex_init(&load->lock, NULL); /* cannot fail with default attributes */
    rc = open_producer(load, err);
    if (rc == WEIR_OK && pthread_create(&load->thread, NULL, work, load) != 0) {
        rc = weir_error_set(err, WEIR_ENOMEM, "no thread for the load");
    }
    if (rc != WEIR_OK) {
        prove_load_close(load);
        return rc;
    }
    load->has_thread = true;
    *ret = load;
    return WEIR_OK;
}

void prove_load_allow(struct prove_load *load, uint64_t end)
{
    atomic_store(&load->allowed, end);
}

uint64_t prove_load_settled(const struct prove_load *load)
{
    return atomic_load(&load->settled);
}

int prove_load_wait(struct prove_load *load, double seconds, struct weir_error *err)
{
    double until = prove_now() + seconds;

    while (atomic_load(&load->settled) < atomic_load(&load->allowed) && !prove_interrupted()) {
        if (atomic_load(&load->failed)) {
            (void)pthread_mutex_lock(&load->lock);
            *err = load->error;
            (void)pthread_mutex_unlock(&load->lock);
            return err->code;
        }
        if (prove_now() > until) {
            return weir_error_set(err, WEIR_EAWAY,
                                  "the broker did not take the load within %.0f seconds", seconds);
        }
        prove_sleep(0.002);
    }
    return WEIR_OK;
}

void prove_load_close(struct prove_load *load)
{
    if (load == NULL) {
        return;
    }
    atomic_store(&load->closing, true);
    if (load->has_thread) {
        (void)pthread_join(load->thread, NULL); /* fails only for a thread that is not ours */
    }
    if (load->topic != NULL) {
        rd_kafka_topic_destroy(load->topic);
    }
    if (load->producer != NULL) {
        /* What is still queued was never asked about: nobody waits for it. */
        (void)rd_kafka_purge(load->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                                 RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_destroy(load->producer);
    }
    (void)pthread_mutex_destroy(&load->lock);
    free(load);
}
