/* test_moving_leader.c: the Kafka source while the leaders of its partitions move between brokers.
 *
 * On the imitation of a cluster that librdkafka brings along for such tests: the real broker of the
 * other tests is alone, and has nobody to move to. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <time.h>

#include "source/kafka_source.h"
#include "source/witness.h"
#include "tests/support/test.h"

enum { BROKERS = 3, PARTITIONS = 2, TURNS = 12, EACH = 25, TIMEOUT_MS = 20000 };

#define TOPIC "t"

static rd_kafka_t *make_producer(const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256] = "";

    if (brokers != NULL) {
        assert_int_equal(rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof(text)),
                         RD_KAFKA_CONF_OK);
    }
    rd_kafka_conf_set_log_cb(conf, NULL);
    rd_kafka_t *ret = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(ret);
    return ret;
}

static void send_to_all(rd_kafka_t *writer, int first)
{
    for (int i = 0; i < EACH; i++) {
        for (int p = 0; p < PARTITIONS; p++) {
            char value[16];
            size_t len = (size_t)snprintf(value, sizeof(value), "%d", first + i);
            assert_int_equal(rd_kafka_producev(writer, RD_KAFKA_V_TOPIC(TOPIC),
                                               RD_KAFKA_V_PARTITION(p),
                                               RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                               RD_KAFKA_V_VALUE(value, len), RD_KAFKA_V_END),
                             RD_KAFKA_RESP_ERR_NO_ERROR);
        }
    }
    assert_int_equal(rd_kafka_flush(writer, TIMEOUT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void *open_source(const char *brokers, struct weir_source_partitions *ret)
{
    static struct weir_option options[2]; /* borrowed by the source until it is closed */
    struct weir_error err = { 0 };
    void *self = NULL;

    options[0] = (struct weir_option){ WEIR_STR("brokers"), weir_str_from(brokers), 0 };
    options[1] = (struct weir_option){ WEIR_STR("topic"), WEIR_STR(TOPIC), 0 };
    const struct weir_source_args args = { .name = "t",
                                           .options = { options, 2 },
                                           .pipeline = "moving" };
    if (weir_kafka_source_ops.open(&args, &self, &err) != WEIR_OK ||
        weir_kafka_source_ops.discover(self, ret, &err) != WEIR_OK) {
        fail_msg("%s", err.text);
    }
    return self;
}

/* Reads until both partitions have come as far as end; each record has to be the next one. */
static void read_to(void *source, int64_t next[PARTITIONS], int64_t end)
{
    const struct weir_source_limits limits = { .rows_max = 10,
                                               .bytes_max = 1 << 20,
                                               .wait_us = 20000 };
    time_t deadline = time(NULL) + TIMEOUT_MS / 1000;
    struct weir_arena arena;

    weir_arena_init(&arena, 0);
    while (next[0] < end || next[1] < end) {
        struct weir_records got = { 0 };
        struct weir_error err = { 0 };

        if (weir_kafka_source_ops.poll(source, &limits, &arena, &got, &err) != WEIR_OK) {
            fail_msg("%s", err.text);
        }
        for (uint32_t i = 0; i < got.count; i++) {
            char value[16];
            int64_t *at = &next[got.items[i].partition];
            int len = snprintf(value, sizeof(value), "%d", (int)*at);

            assert_int_equal(got.items[i].offset, *at);
            assert_int_equal(got.items[i].value.len, len);
            assert_memory_equal(got.items[i].value.data, value, (size_t)len);
            (*at)++;
        }
        weir_arena_reset(&arena);
        assert_true(time(NULL) < deadline);
    }
    weir_arena_fini(&arena);
}

/* covers: K-03 */
static void records_come_in_order_and_once_though_leaders_move(void **state)
{
    rd_kafka_t *host = make_producer(NULL); /* whose threads run the brokers */
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(host, BROKERS);
    int64_t next[PARTITIONS] = { 0 };
    struct weir_source_partitions partitions;
    struct weir_position at[PARTITIONS];

    (void)state;
    assert_non_null(cluster);
    const char *brokers = rd_kafka_mock_cluster_bootstraps(cluster);
    assert_int_equal(rd_kafka_mock_topic_create(cluster, TOPIC, PARTITIONS, BROKERS), 0);
    rd_kafka_t *writer = make_producer(brokers);
    send_to_all(writer, 0);
    void *source = open_source(brokers, &partitions);
    assert_int_equal(partitions.count, PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++) {
        at[p] = weir_position_first(0);
    }
    assert_int_equal(weir_kafka_source_ops.seek(source, at, NULL, PARTITIONS, NULL), WEIR_OK);
    for (int turn = 1; turn <= TURNS; turn++) {
        /* In every other turn nothing has come over the old leader's link since the last move. */
        if (turn % 2 == 0) {
            read_to(source, next, (int64_t)turn * EACH);
        }
        assert_int_equal(rd_kafka_mock_partition_set_leader(cluster, TOPIC, turn % PARTITIONS,
                                                            1 + turn % BROKERS),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
        send_to_all(writer, turn * EACH);
    }
    read_to(source, next, (int64_t)(TURNS + 1) * EACH);
    weir_kafka_source_ops.close(source);
    rd_kafka_destroy(writer);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_in_order_and_once_though_leaders_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
