/* test_kafka_config.c: which options the Kafka source takes, and what it says of the others. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

#include "source/kafka_addresses.h"
#include "source/kafka_source.h"
#include "source/kafka_start.h"
#include "tests/support/test.h"

enum { OPTIONS_MAX = 8 };

struct option_pair {
    const char *name, *text;
};

/* Opens a source with these options beside a broker and a topic; connects to nothing. */
static int open_with(const struct option_pair *pairs, uint32_t count, struct weir_error *err)
{
    struct weir_option options[OPTIONS_MAX] = {
        { WEIR_STR("brokers"), WEIR_STR("127.0.0.1:1"), 0 },
        { WEIR_STR("topic"), WEIR_STR("t"), 0 },
    };
    void *source = NULL;
    uint32_t at;

    for (uint32_t i = 0; i < count; i++) {
        options[2 + i] =
            (struct weir_option){ weir_str_from(pairs[i].name), weir_str_from(pairs[i].text), 0 };
    }
    struct weir_source_args args = { .name = "t",
                                     .options = { options, 2 + count },
                                     .pipeline = "p" };
    int rc = weir_options_check(weir_kafka_source_options, args.options, &at, err);
    if (rc == WEIR_OK) {
        rc = weir_kafka_source_ops.open(&args, &source, err);
    }
    if (rc == WEIR_OK) {
        weir_kafka_source_ops.close(source);
    }
    return rc;
}

/* covers: X-13 */
static void properties_of_librdkafka_are_checked_by_it(void **state)
{
    static const struct option_pair good = { "kafka.fetch.wait.max.ms", "5" };
    static const struct option_pair unknown = { "kafka.fetch.wait.max", "5" };
    static const struct option_pair bad = { "kafka.fetch.wait.max.ms", "often" };
    struct weir_error err = { 0 };

    (void)state;
    assert_int_equal(open_with(&good, 1, &err), WEIR_OK);
    assert_int_equal(open_with(&unknown, 1, &err), WEIR_ECONFIG);
    assert_non_null(strstr(err.text, "No such configuration property"));
    assert_int_equal(open_with(&bad, 1, &err), WEIR_ECONFIG);
    assert_non_null(strstr(err.text, "fetch.wait.max.ms"));
}

/* KC1
 * covers: X-08 */
static void what_weir_decides_is_refused_with_the_right_option(void **state)
{
    static const struct {
        struct option_pair pair;
        const char *hint;
    } rows[] = {
        { { "kafka.plugin.library.paths", "x.so" }, "loads code" },
        { { "kafka.ssl.engine.location", "x.so" }, "loads code" },
        { { "kafka.ssl.providers", "x" }, "loads code" },
        { { "kafka.sasl.kerberos.kinit.cmd", "true" }, "runs a command" },
        { { "kafka.sasl.kerberos.min.time.before.relogin", "1" }, "has a command run" },
        { { "kafka.ssl.engine.id", "x" }, "does not know it" },
        { { "kafka.sasl.of.tomorrow", "x" }, "does not know it" },
        { { "kafka.plugin.of.tomorrow", "x" }, "does not know it" },
        { { "kafka.auto.offset.reset", "latest" }, "start" },
        { { "kafka.isolation.level", "read_uncommitted" }, "isolation" },
        { { "kafka.enable.auto.commit", "true" }, "positions" },
        { { "kafka.enable.partition.eof", "false" }, "end" },
        { { "kafka.group.id", "g" }, "group" },
        { { "kafka.bootstrap.servers", "x" }, "brokers" },
        { { "kafka.check.crcs", "false" }, "damaged" },
    };
    struct weir_error err = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(open_with(&rows[i].pair, 1, &err), WEIR_ECONFIG);
        if (strstr(err.text, rows[i].hint) == NULL || strstr(err.text, rows[i].pair.name) == NULL) {
            print_error("%s\n", err.text);
            fail();
        }
    }
}

/* covers: X-08 */
static void no_command_is_run_for_a_ticket(void **state)
{
    const struct weir_option options[] = {
        { WEIR_STR("brokers"), WEIR_STR("b"), 0 },
        { WEIR_STR("topic"), WEIR_STR("t"), 0 },
        { WEIR_STR("kafka.sasl.kerberos.principal"), WEIR_STR("x; touch y #"), 0 },
    };
    struct weir_source_args args = { .name = "t", .options = { options, 3 }, .pipeline = "p" };
    struct kafka_config config;
    rd_kafka_conf_t *conf = NULL;
    char value[32];
    size_t bytes = sizeof(value);

    (void)state;
    assert_int_equal(kafka_config_init(&args, &config, NULL), WEIR_OK);
    assert_int_equal(kafka_config_properties(&config, &args, 1, &conf, NULL), WEIR_OK);
    assert_int_equal(
        rd_kafka_conf_get(conf, "sasl.kerberos.min.time.before.relogin", value, &bytes),
        RD_KAFKA_CONF_OK);
    assert_string_equal(value, "0"); /* which switches kinit off */
    rd_kafka_conf_destroy(conf);
    kafka_config_fini(&config);
}

static void reachable_addresses_are_checked(void **state)
{
    static const char *const good[] = { "", "kafka-0:9092=localhost:31090",
                                        "a:1=b:2, [::1]:9092=[2001:db8::1]:65535 ,A.b:1=c:1" };
    static const struct {
        const char *text, *hint;
    } bad[] = {
        { "kafka-0:9092", "'kafka-0:9092' is not advertised:port=reachable:port" },
        { "kafka-0=localhost:31090", "is not advertised:port" },
        { "kafka-0:9092=localhost", "is not advertised:port" },
        { "kafka-0:9092=localhost:0", "is not advertised:port" },
        { "kafka-0:9092=localhost:65536", "is not advertised:port" },
        { "kafka-0:9092=localhost:9x", "is not advertised:port" },
        { "::1:9092=localhost:9092", "is not advertised:port" },
        { "a b:9092=localhost:9092", "is not advertised:port" },
        { ":9092=localhost:9092", "is not advertised:port" },
        { "a:1=b:2,", "'' is not advertised:port" },
        { "a:1=b:2,A:1=c:3", "'A:1' is there twice" },
    };
    struct weir_error err = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        const struct option_pair pair = { "broker_addresses", good[i] };
        assert_int_equal(open_with(&pair, 1, &err), WEIR_OK);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct option_pair pair = { "broker_addresses", bad[i].text };
        assert_int_equal(open_with(&pair, 1, &err), WEIR_ECONFIG);
        if (strstr(err.text, bad[i].hint) == NULL) {
            print_error("%s: %s\n", bad[i].text, err.text);
            fail();
        }
    }
}

/* Where an address leads, as number:port. */
static void resolve(const struct kafka_addresses *addresses, const char *node, const char *service,
                    char ret[INET6_ADDRSTRLEN + 8])
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    char host[INET6_ADDRSTRLEN], port[8];
    struct addrinfo *found = NULL;

    assert_int_equal(kafka_addresses_resolve(addresses, node, service, &hints, &found), 0);
    assert_int_equal(getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), port,
                                 sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV),
                     0);
    (void)snprintf(ret, INET6_ADDRSTRLEN + 8, "%s:%s", host, port);
    assert_int_equal(kafka_addresses_resolve(addresses, NULL, NULL, NULL, &found), 0);
}

static void an_advertised_address_leads_to_the_reachable_one(void **state)
{
    struct kafka_addresses addresses;
    char text[INET6_ADDRSTRLEN + 8];
    struct weir_error err;

    (void)state;
    assert_int_equal(
        kafka_addresses_parse(WEIR_STR("kafka-0:9092=127.0.0.1:31090, kafka-1:9092=[::1]:31091"),
                              &addresses, &err),
        WEIR_OK);
    resolve(&addresses, "Kafka-0", "9092", text);
    assert_string_equal(text, "127.0.0.1:31090");
    resolve(&addresses, "kafka-1", "9092", text);
    assert_string_equal(text, "::1:31091");
    resolve(&addresses, "127.0.0.1", "9092", text); /* any other is what it says */
    assert_string_equal(text, "127.0.0.1:9092");
    kafka_addresses_fini(&addresses);
}

/* covers: X-07 */
static void secrets_are_known_and_not_told(void **state)
{
    static const char *const names[] = { "kafka.sasl.password", "kafka.ssl.key.password",
                                         "kafka.ssl.key.pem", "kafka.sasl.oauthbearer.config" };
    const struct option_pair pair = { "kafka.ssl.key.pem", "not a key: TOPSECRET" };
    struct weir_error err = { 0 };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const struct weir_option_def *def =
            weir_option_find(weir_kafka_source_options, weir_str_from(names[i]));
        assert_non_null(def);
        assert_true(def->secret);
    }
    (void)open_with(&pair, 1, &err); /* wrong or unused: that is librdkafka's affair */
    assert_null(strstr(err.text, "TOPSECRET"));
}

static int parse_start(const char *topics, const char *text, struct kafka_config *ret,
                       struct weir_error *err)
{
    const struct weir_option options[] = {
        { WEIR_STR("brokers"), WEIR_STR("b"), 0 },
        { WEIR_STR("topic"), weir_str_from(topics), 0 },
        { WEIR_STR("start"), weir_str_from(text), 0 },
    };
    struct weir_source_args args = { .name = "t", .options = { options, 3 }, .pipeline = "p" };

    *ret = (struct kafka_config){ 0 };
    return kafka_config_init(&args, ret, err);
}

static void a_start_is_a_word_a_time_or_offsets(void **state)
{
    static const struct {
        const char *text;
        enum kafka_start_kind kind;
        int64_t ms;
    } rows[] = {
        { "earliest", KAFKA_START_EARLIEST, 0 },
        { "latest", KAFKA_START_LATEST, 0 },
        { "1700000000123", KAFKA_START_TIME, 1700000000123 },
        { "2023-11-14 22:13:20.123+00", KAFKA_START_TIME, 1700000000123 },
        { "2023-11-14T23:13:20.1231+01:00", KAFKA_START_TIME, 1700000000124 },
        { "2023-11-14", KAFKA_START_TIME, 1699920000000 },
        { "0:5,1:7", KAFKA_START_OFFSETS, 0 },
    };
    struct kafka_config config;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse_start("t", rows[i].text, &config, NULL), WEIR_OK);
        assert_int_equal(config.start, rows[i].kind);
        assert_true(config.start_ms == rows[i].ms);
        kafka_config_fini(&config);
    }
}

static void offsets_belong_to_partitions(void **state)
{
    struct kafka_config config;

    (void)state;
    assert_int_equal(parse_start("a", "0:5, 3:9223372036854775807", &config, NULL), WEIR_OK);
    assert_true(kafka_start_offset(&config, WEIR_STR("a"), 0) == 5);
    assert_true(kafka_start_offset(&config, WEIR_STR("a"), 3) == INT64_MAX);
    assert_true(kafka_start_offset(&config, WEIR_STR("a"), 1) == -1);
    kafka_config_fini(&config);
    assert_int_equal(parse_start("a, b", "b:0:7,a:0:5", &config, NULL), WEIR_OK);
    assert_true(kafka_start_offset(&config, WEIR_STR("a"), 0) == 5);
    assert_true(kafka_start_offset(&config, WEIR_STR("b"), 0) == 7);
    kafka_config_fini(&config);
}

static void other_starts_and_topics_are_refused(void **state)
{
    static const struct {
        const char *topics, *start, *words;
    } rows[] = {
        { "t", "newest", "earliest, latest" },
        { "t", "", "earliest, latest" },
        { "t", "0:5,", "earliest, latest" },
        { "t", "0:-1", "earliest, latest" },
        { "t", "0:9223372036854775808", "earliest, latest" },
        { "t", "2023-13-01", "earliest, latest" },
        { "t", "0:5,0:6", "twice" },
        { "a,b", "0:5", "topic" },
        { "a,b", "c:0:5", "among the topics" },
        { "a,,b", "earliest", "not a topic name" },
        { "a,a", "earliest", "twice" },
        { "", "earliest", "not a topic name" },
    };
    struct kafka_config config;
    struct weir_error err = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse_start(rows[i].topics, rows[i].start, &config, &err), WEIR_ECONFIG);
        if (strstr(err.text, rows[i].words) == NULL) {
            print_error("%s\n", err.text);
            fail();
        }
    }
}

/* KC2 */
static void queues_shrink_with_the_number_of_partitions(void **state)
{
    static const struct {
        uint32_t partitions;
        const char *kbytes;
    } rows[] = { { 1, "4096" }, { 4, "4096" }, { 16, "1024" }, { 100000, "64" } };
    const struct weir_option options[] = {
        { WEIR_STR("brokers"), WEIR_STR("b"), 0 },
        { WEIR_STR("topic"), WEIR_STR("t"), 0 },
    };
    struct weir_source_args args = { .name = "t", .options = { options, 2 }, .pipeline = "p" };
    struct kafka_config config;

    (void)state;
    assert_int_equal(kafka_config_init(&args, &config, NULL), WEIR_OK);
    assert_string_equal(config.group, "weir-p");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rd_kafka_conf_t *conf = NULL;
        char value[32];
        size_t bytes = sizeof(value);
        assert_int_equal(kafka_config_properties(&config, &args, rows[i].partitions, &conf, NULL),
                         WEIR_OK);
        assert_int_equal(rd_kafka_conf_get(conf, "queued.max.messages.kbytes", value, &bytes),
                         RD_KAFKA_CONF_OK);
        assert_string_equal(value, rows[i].kbytes);
        rd_kafka_conf_destroy(conf);
    }
    kafka_config_fini(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_of_librdkafka_are_checked_by_it),
        cmocka_unit_test(what_weir_decides_is_refused_with_the_right_option),
        cmocka_unit_test(no_command_is_run_for_a_ticket),
        cmocka_unit_test(reachable_addresses_are_checked),
        cmocka_unit_test(an_advertised_address_leads_to_the_reachable_one),
        cmocka_unit_test(secrets_are_known_and_not_told),
        cmocka_unit_test(a_start_is_a_word_a_time_or_offsets),
        cmocka_unit_test(offsets_belong_to_partitions),
        cmocka_unit_test(other_starts_and_topics_are_refused),
        cmocka_unit_test(queues_shrink_with_the_number_of_partitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
