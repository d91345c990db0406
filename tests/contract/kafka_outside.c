/* kafka_outside.c: makes, fills and trims topics with librdkafka's producer and admin client. */
#include "tests/contract/kafka_outside.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/test.h"

enum { TIMEOUT_MS = 20000, NAME_BYTES = 64 };

static struct {
    const char *brokers;
    rd_kafka_t *producer;      /* plain; also for admin requests */
    rd_kafka_t *transactional; /* begun when first needed */
    char topic[NAME_BYTES];
    uint32_t partitions, serial;
} outside;

static rd_kafka_t *make_producer(const char *transactional_id)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256] = "";

    assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", outside.brokers, NULL, 0), 0);
    assert_int_equal(rd_kafka_conf_set(conf, "linger.ms", "0", NULL, 0), 0);
    assert_int_equal(rd_kafka_conf_set(conf, "queue.buffering.max.messages", "2000000", NULL, 0),
                     0);
    /* client.id makes its own connections; isolation is that of the ends it asks for */
    assert_int_equal(rd_kafka_conf_set(conf, "isolation.level", "read_committed", NULL, 0), 0);
    if (transactional_id != NULL) {
        assert_int_equal(rd_kafka_conf_set(conf, "transactional.id", transactional_id, NULL, 0), 0);
    }
    rd_kafka_conf_set_log_cb(conf, NULL);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (producer == NULL) {
        print_error("producer: %s\n", text);
    }
    assert_non_null(producer);
    return producer;
}

bool kafka_outside_init(void)
{
    outside.brokers = getenv("WEIR_TEST_KAFKA");
    if (outside.brokers == NULL) {
        return false;
    }
    outside.producer = make_producer(NULL);
    return true;
}

void kafka_outside_fini(void)
{
    rd_kafka_destroy(outside.producer);
    if (outside.transactional != NULL) {
        rd_kafka_destroy(outside.transactional);
    }
}

const char *kafka_outside_brokers(void)
{
    return outside.brokers;
}

static void print_broken(rd_kafka_error_t *error)
{
    if (error != NULL) {
        print_error("Kafka: %s\n", rd_kafka_error_string(error));
    }
    assert_null(error);
}

static rd_kafka_queue_t *admin_queue(void)
{
    return rd_kafka_queue_new(outside.producer);
}

/* Waits for the answer of the admin request behind the queue. */
static rd_kafka_event_t *admin_answer(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);

    assert_non_null(event);
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        print_error("Kafka: %s\n", rd_kafka_event_error_string(event));
    }
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_queue_destroy(queue);
    return event;
}

static bool partition_is_ready(int32_t partition)
{
    const rd_kafka_metadata_t *metadata;
    int64_t low;
    int64_t high;

    /* The client believes its cache, which may say that there is no such topic. */
    if (rd_kafka_metadata(outside.producer, 1, NULL, &metadata, TIMEOUT_MS) == 0) {
        rd_kafka_metadata_destroy(metadata);
    }
    return rd_kafka_query_watermark_offsets(outside.producer, outside.topic, partition, &low, &high,
                                            TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void wait_for_partitions(void)
{
    for (uint32_t p = 0; p < outside.partitions; p++) {
        int tries = 0;
        while (!partition_is_ready((int32_t)p)) {
            struct timespec wait = { 0, 50000000 };
            (void)nanosleep(&wait, NULL);
            assert_true(++tries < 400);
        }
    }
}

const char *kafka_outside_make(uint32_t partitions)
{
    struct timespec now;
    char text[256];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)snprintf(outside.topic, sizeof(outside.topic), "t%lld-%u", (long long)now.tv_sec,
                   outside.serial++);
    outside.partitions = partitions;
    rd_kafka_queue_t *queue = admin_queue();
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(outside.topic, (int)partitions, 1, text, sizeof(text));
    rd_kafka_CreateTopics(outside.producer, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = admin_answer(queue);
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    assert_int_equal(count, 1);
    assert_int_equal(rd_kafka_topic_result_error(results[0]), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(topic);
    wait_for_partitions();
    return outside.topic;
}

void kafka_outside_drop(void)
{
    rd_kafka_queue_t *queue = admin_queue();
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(outside.topic);

    rd_kafka_DeleteTopics(outside.producer, &topic, 1, NULL, queue);
    rd_kafka_event_destroy(admin_answer(queue));
    rd_kafka_DeleteTopic_destroy(topic);
}

static void produce(rd_kafka_t *producer, uint32_t partition, const char *key, const char *value,
                    size_t value_bytes, int64_t timestamp_ms)
{
    size_t key_bytes = key == NULL ? 0 : strlen(key);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(outside.topic), RD_KAFKA_V_PARTITION((int32_t)partition),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_bytes),
        RD_KAFKA_V_VALUE((void *)value, value_bytes), RD_KAFKA_V_TIMESTAMP(timestamp_ms),
        RD_KAFKA_V_END);

    assert_int_equal(code, 0);
}

static void flush(rd_kafka_t *producer)
{
    assert_int_equal(rd_kafka_flush(producer, TIMEOUT_MS), 0);
}

void kafka_outside_append(uint32_t partition, const char *key, const char *value,
                          int64_t timestamp_us)
{
    produce(outside.producer, partition, key, value, value == NULL ? 0 : strlen(value),
            timestamp_us / 1000);
    flush(outside.producer);
}

void kafka_outside_fill(uint32_t partition, uint32_t first, uint32_t count, uint32_t bytes)
{
    char *value = calloc(1, bytes + 16);

    assert_non_null(value);
    for (uint32_t i = first; i < first + count; i++) {
        int len = snprintf(value, bytes + 16, "%u", i);
        size_t size = (size_t)len < bytes ? bytes : (size_t)len;
        memset(value + len, '.', size - (size_t)len);
        produce(outside.producer, partition, NULL, value, size, 0);
        if (i % 10000 == 0) {
            (void)rd_kafka_poll(outside.producer, 0); /* delivery reports */
        }
    }
    flush(outside.producer);
    free(value);
}

void kafka_outside_transaction(uint32_t partition, uint32_t count, bool commit)
{
    char id[NAME_BYTES + 16];

    if (outside.transactional == NULL) {
        (void)snprintf(id, sizeof(id), "contract-%s", outside.topic);
        outside.transactional = make_producer(id);
        print_broken(rd_kafka_init_transactions(outside.transactional, TIMEOUT_MS));
    }
    print_broken(rd_kafka_begin_transaction(outside.transactional));
    for (uint32_t i = 0; i < count; i++) {
        produce(outside.transactional, partition, "k", commit ? "committed" : "aborted",
                commit ? 9 : 7, 0);
    }
    flush(outside.transactional);
    print_broken(commit ? rd_kafka_commit_transaction(outside.transactional, TIMEOUT_MS)
                        : rd_kafka_abort_transaction(outside.transactional, TIMEOUT_MS));
}

void kafka_outside_abort_one(uint32_t partition)
{
    int64_t before = kafka_outside_end(partition);
    int tries = 0;

    kafka_outside_transaction(partition, 1, false);
    while (kafka_outside_end(partition) < before + 2) { /* the marker comes a little later */
        struct timespec wait = { 0, 10000000 };
        (void)nanosleep(&wait, NULL);
        assert_true(++tries < 1000);
    }
}

void kafka_outside_trim(uint32_t partition, int64_t low)
{
    rd_kafka_queue_t *queue = admin_queue();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, outside.topic, (int32_t)partition)->offset = low;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(outside.producer, &request, 1, NULL, queue);
    rd_kafka_event_destroy(admin_answer(queue));
    rd_kafka_DeleteRecords_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_outside_add_partition(void)
{
    rd_kafka_queue_t *queue = admin_queue();
    char text[256];

    outside.partitions++;
    rd_kafka_NewPartitions_t *request =
        rd_kafka_NewPartitions_new(outside.topic, outside.partitions, text, sizeof(text));
    rd_kafka_CreatePartitions(outside.producer, &request, 1, NULL, queue);
    rd_kafka_event_destroy(admin_answer(queue));
    rd_kafka_NewPartitions_destroy(request);
    wait_for_partitions();
}

int64_t kafka_outside_end(uint32_t partition)
{
    int64_t low;
    int64_t high = -1;

    assert_int_equal(rd_kafka_query_watermark_offsets(outside.producer, outside.topic,
                                                      (int32_t)partition, &low, &high, TIMEOUT_MS),
                     0);
    return high;
}
