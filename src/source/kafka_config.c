/* kafka_config.c: the options of the Kafka source and the properties of librdkafka behind them.
 *
 * KC1  No property that decides what is read, or that runs code, can be set through kafka.*: each
 *      is refused by name, with the option of weir that does what was meant; and so is each that weir
 *      does not know, where librdkafka has properties that run code.
 * KC2  What librdkafka buffers stays below QUEUE_BYTES_TOTAL however many partitions there are.
 * Checked by tests/unit/source/test_kafka_config.c. */
#include "source/kafka_config.h"

#include <stdio.h>
#include <stdlib.h>

#include "source/kafka_addresses.h"
#include "source/kafka_start.h"

enum {
    /* Bytes of messages that librdkafka may hold for us, in all partitions and in one. Its own
     * bookkeeping comes on top: about 400 bytes a message. */
    QUEUE_BYTES_TOTAL = 16 << 20,
    QUEUE_BYTES_PARTITION_MAX = 4 << 20,
    QUEUE_BYTES_PARTITION_MIN = 64 << 10,
    FETCH_BYTES_MAX = 4 << 20,
    PROPERTY_BYTES = 256,
};

#define SECRET(property)                                                     \
    {                                                                        \
        .name = "kafka." property, .kind = WEIR_OPTION_TEXT, .secret = true, \
        .help = "librdkafka's " property "; never shown"                     \
    }

const struct weir_option_def weir_kafka_source_options[] = {
    { .name = "brokers",
      .kind = WEIR_OPTION_TEXT,
      .required = true,
      .help = "host:port of one or more brokers, with commas between; the others are learnt from "
              "them" },
    { .name = "broker_addresses",
      .kind = WEIR_OPTION_TEXT,
      .help = "where to find brokers whose own addresses are of no use here, as behind a port "
              "forward, Docker or Kubernetes: 'advertised:port=reachable:port, ...', such as "
              "'kafka-0.kafka:9092=localhost:31090'. A certificate is checked for the advertised "
              "name" },
    { .name = "topic",
      .kind = WEIR_OPTION_TEXT,
      .required = true,
      .defining = true,
      .help = "the topic, or several with commas between" },
    { .name = "start",
      .kind = WEIR_OPTION_TEXT,
      .default_text = "earliest",
      .help =
          "where a pipeline begins that has no position yet: earliest, latest, a time ('2024-05-01 "
          "12:00:00+02', or milliseconds since 1970: the first record at or after it), or an "
          "offset for each partition ('0:1200,1:1187'; with several topics "
          "'orders:0:1200,refunds:0:7')" },
    { .name = "on_data_loss",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "fail",
      .choices = "fail|skip",
      .help =
          "what to do when records that were to be read next are gone. fail stops. skip logs "
          "topic, partition and both offsets and goes on: at the first record kept when retention "
          "has passed the position (data_lost; the offsets passed over count as rows_lost), at the "
          "log's end when that lies before the position (log_diverged), at the same offset when "
          "another record stands where the last one read was (topic_replaced). In the latter two "
          "offsets do not tell how much is missing, and nothing is counted. It never reads an "
          "offset again: what a topic that was made anew holds below the position is read under "
          "another pipeline.name. Behind a skip there is no record to compare with until the next "
          "one is read: a topic made anew in between goes unnoticed. Batches that were already "
          "planned, and a deleted topic, stop the pipeline in any case" },
    { .name = "isolation",
      .kind = WEIR_OPTION_CHOICE,
      .defining = true,
      .default_text = "read_committed",
      .choices = "read_committed|read_uncommitted",
      .help = "whether records of transactions that are open or aborted are read" },
    { .name = "group",
      .kind = WEIR_OPTION_TEXT,
      .help = "consumer group under which positions are published for lag tools; weir never reads "
              "them back. Default: weir-PIPELINE" },
    SECRET("sasl.password"),
    SECRET("sasl.oauthbearer.config"),
    SECRET("sasl.oauthbearer.client.secret"),
    SECRET("ssl.key.password"),
    SECRET("ssl.key.pem"),
    SECRET("ssl.keystore.password"),
    { .name = "kafka.*",
      .kind = WEIR_OPTION_TEXT,
      .help =
          "any property of librdkafka, but those that weir must set by itself; the name in double "
          "quotes, because of its dots: \"kafka.security.protocol\" = 'sasl_ssl'" },
    { .name = NULL },
};

/* Properties that the user may not set (KC1), and why. */
static const struct denied {
    const char *name, *why;
} denied_properties[] = {
    { "plugin.library.paths", "it loads code into weir" },
    { "ssl.engine.location", "it loads code into weir" },
    { "ssl.providers", "it loads code into weir" },
    { "sasl.kerberos.kinit.cmd", "it runs a command; keep the ticket fresh outside of weir" },
    { "sasl.kerberos.min.time.before.relogin",
      "it has a command run; keep the ticket fresh outside of weir" },
    { "bootstrap.servers", "use the option brokers" },
    { "metadata.broker.list", "use the option brokers" },
    { "test.mock.num.brokers", "it reads from brokers that do not exist" },
    { "group.id", "use the option group" },
    { "group.instance.id", "weir does not join a consumer group" },
    { "auto.offset.reset", "use the options start and on_data_loss" },
    { "isolation.level", "use the option isolation" },
    { "enable.auto.commit", "weir keeps positions itself" },
    { "auto.commit.enable", "weir keeps positions itself" },
    { "enable.auto.offset.store", "weir keeps positions itself" },
    { "offset.store.method", "weir keeps positions itself" },
    { "enable.partition.eof", "weir needs it to see the end of a partition" },
    { "check.crcs", "damaged records are always refused" },
    { "topic.blacklist", "use the option topic" },
    { NULL, NULL },
};

struct property {
    const char *name, *value;
};

/* Those that no user may change. */
static const struct property fixed_properties[] = {
    { "enable.auto.commit", "false" },
    { "enable.auto.offset.store", "false" },
    /* Without it a range that ends in control records would never be seen to be complete. */
    { "enable.partition.eof", "true" },
    /* "error": an offset out of range is for weir to judge, never for the client to skip. */
    { "auto.offset.reset", "error" },
    { "check.crcs", "true" },
    /* 0: no kinit. Otherwise a shell would run it, with the keytab and the principal in its line as they
     * were given. */
    { "sasl.kerberos.min.time.before.relogin", "0" },
    { NULL, NULL },
};

/* Where a property may load code or run a command, what is not known to do neither is refused: a later
 * librdkafka may know more of them. */
static const char *const watched_families[] = { "plugin", "ssl", "sasl" };
static const char *const harmless_properties[] = {
    "ssl.cipher.suites",
    "ssl.curves.list",
    "ssl.sigalgs.list",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.ca.certificate.stores",
    "ssl.crl.location",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.endpoint.identification.algorithm",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "sasl.kerberos.service.name",
    "sasl.kerberos.principal",
    "sasl.kerberos.keytab",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.token.endpoint.url",
};

/* Those that have another default with us. */
static const struct property tuned_properties[] = {
    /* A fetch that finds nothing holds back the partitions that it does not ask for; also, it is
     * only its answer that tells of a partition's end. */
    { "fetch.wait.max.ms", "20" },       { "fetch.min.bytes", "1" },
    { "fetch.error.backoff.ms", "50" },  { "socket.nagle.disable", "true" },
    { "reconnect.backoff.ms", "50" },    { "reconnect.backoff.max.ms", "1000" },
    { "log.connection.close", "false" }, { NULL, NULL },
};

static bool is_watched(const char *name)
{
    for (size_t i = 0; i < sizeof(watched_families) / sizeof(watched_families[0]); i++) {
        if (strncmp(name, watched_families[i], strlen(watched_families[i])) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_harmless(const char *name)
{
    for (size_t i = 0; i < sizeof(harmless_properties) / sizeof(harmless_properties[0]); i++) {
        if (strcmp(name, harmless_properties[i]) == 0) {
            return true;
        }
    }
    return false;
}

static const char *why_denied(const char *name)
{
    for (const struct denied *at = denied_properties; at->name != NULL; at++) {
        if (strcmp(at->name, name) == 0) {
            return at->why;
        }
    }
    return is_watched(name) && !is_harmless(name)
               ? "weir does not know it, and its like may load code or run a command"
               : NULL;
}

static int set_property(rd_kafka_conf_t *conf, const char *name, const char *value,
                        struct weir_error *err)
{
    char text[512];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        return weir_error_set(err, WEIR_ECONFIG, "option kafka.%s: %s", name, text);
    }
    return WEIR_OK;
}

static int set_number(rd_kafka_conf_t *conf, const char *name, int64_t value,
                      struct weir_error *err)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%lld", (long long)value); /* 32 bytes hold any number */
    return set_property(conf, name, text, err);
}

static int set_properties(rd_kafka_conf_t *conf, const struct property *list,
                          struct weir_error *err)
{
    int rc = WEIR_OK;

    for (; list->name != NULL && rc == WEIR_OK; list++) {
        rc = set_property(conf, list->name, list->value, err);
    }
    return rc;
}

/* One kafka.* option. Its text may be a secret, so it never appears in an error of ours. */
static int set_option(rd_kafka_conf_t *conf, const struct weir_option *option,
                      struct weir_error *err)
{
    struct weir_str name = { option->name.data + strlen("kafka."),
                             option->name.len - strlen("kafka.") };
    char property[PROPERTY_BYTES];
    char *value;

    if (name.len >= sizeof(property)) {
        return weir_error_set(err, WEIR_ECONFIG, "option kafka.*: the name is too long");
    }
    memcpy(property, name.data, name.len);
    property[name.len] = '\0';
    const char *why = why_denied(property);
    if (why != NULL) {
        return weir_error_set(err, WEIR_ECONFIG, "option kafka.%s is not allowed: %s", property,
                              why);
    }
    value = strndup(option->text.len == 0 ? "" : option->text.data, option->text.len);
    if (value == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for options");
    }
    int rc = set_property(conf, property, value, err);
    free(value);
    return rc;
}

static int set_user_options(rd_kafka_conf_t *conf, struct weir_options options,
                            struct weir_error *err)
{
    int rc = WEIR_OK;

    for (uint32_t i = 0; i < options.count && rc == WEIR_OK; i++) {
        struct weir_str name = options.items[i].name;
        if (name.len > strlen("kafka.") && memcmp(name.data, "kafka.", strlen("kafka.")) == 0) {
            rc = set_option(conf, &options.items[i], err);
        }
    }
    return rc;
}

/* librdkafka's limit is by partition; ours is for all of them together (KC2). */
static int set_queue_limits(rd_kafka_conf_t *conf, uint32_t partition_count, struct weir_error *err)
{
    int64_t bytes = QUEUE_BYTES_TOTAL / (partition_count == 0 ? 1 : partition_count);

    bytes = bytes > QUEUE_BYTES_PARTITION_MAX ? QUEUE_BYTES_PARTITION_MAX : bytes;
    bytes = bytes < QUEUE_BYTES_PARTITION_MIN ? QUEUE_BYTES_PARTITION_MIN : bytes;
    int rc = set_number(conf, "queued.max.messages.kbytes", bytes / 1024, err);
    if (rc == WEIR_OK) {
        rc = set_number(conf, "fetch.max.bytes", FETCH_BYTES_MAX, err);
    }
    return rc;
}

int kafka_config_properties(struct kafka_config *config, const struct weir_source_args *args,
                            uint32_t partition_count, rd_kafka_conf_t **ret, struct weir_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[512];
    int rc;

    (void)snprintf(text, sizeof(text), "weir-%s",
                   args->pipeline); /* a long name is cut: display only */
    rc = set_property(conf, "client.id", text, err);
    if (rc == WEIR_OK) {
        rc = set_properties(conf, tuned_properties, err);
    }
    if (rc == WEIR_OK) {
        rc = set_queue_limits(conf, partition_count, err);
    }
    config->wakes_itself =
        rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", "1", NULL, 0) == RD_KAFKA_CONF_OK;
    if (rc == WEIR_OK) {
        rc = set_user_options(conf, args->options, err);
    }
    if (rc == WEIR_OK) {
        rc = set_properties(conf, fixed_properties, err);
    }
    if (rc == WEIR_OK) {
        rc = set_property(conf, "isolation.level",
                          config->read_committed ? "read_committed" : "read_uncommitted", err);
    }
    if (rc == WEIR_OK) {
        rc = set_property(conf, "group.id", config->group, err);
    }
    if (rc == WEIR_OK) {
        char *brokers = strndup(config->brokers.data, config->brokers.len);
        rc = brokers == NULL ? weir_error_set(err, WEIR_ENOMEM, "no memory for options")
                             : set_property(conf, "bootstrap.servers", brokers, err);
        free(brokers);
    }
    if (rc != WEIR_OK) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    *ret = conf;
    return WEIR_OK;
}

static int split_topics(struct weir_str text, struct kafka_config *config, struct weir_error *err)
{
    size_t commas = 0;

    for (size_t i = 0; i < text.len; i++) {
        commas += text.data[i] == ',';
    }
    config->topics = calloc(commas + 1, sizeof(*config->topics));
    if (config->topics == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for options");
    }
    for (size_t begin = 0; begin <= text.len;) {
        const char *comma =
            begin == text.len ? NULL : memchr(text.data + begin, ',', text.len - begin);
        size_t end = comma == NULL ? text.len : (size_t)(comma - text.data);
        struct weir_str topic = weir_str_trim((struct weir_str){ text.data + begin, end - begin });
        if (topic.len == 0 || topic.len > 249) { /* Kafka's own limit */
            return weir_error_set(err, WEIR_ECONFIG, "option topic: '%.*s' is not a topic name",
                                  WEIR_STR_ARG(topic));
        }
        for (uint32_t i = 0; i < config->topic_count; i++) {
            if (weir_str_equal(config->topics[i], topic)) {
                return weir_error_set(err, WEIR_ECONFIG, "option topic: '%.*s' is there twice",
                                      WEIR_STR_ARG(topic));
            }
        }
        config->topics[config->topic_count++] = topic;
        begin = end + 1;
    }
    return WEIR_OK;
}

int kafka_config_init(const struct weir_source_args *args, struct kafka_config *ret,
                      struct weir_error *err)
{
    const struct weir_option_def *defs = weir_kafka_source_options;
    struct weir_option_value group = weir_options_get(defs, args->options, "group");
    struct kafka_config config = {
        .brokers = weir_options_get(defs, args->options, "brokers").text,
        .broker_addresses = weir_options_get(defs, args->options, "broker_addresses").text,
        .skip_lost = weir_options_get(defs, args->options, "on_data_loss").number == 1,
        .read_committed = weir_options_get(defs, args->options, "isolation").number == 0,
    };
    struct kafka_addresses addresses = { 0 }; /* each client makes its own */
    int rc = split_topics(weir_options_get(defs, args->options, "topic").text, &config, err);

    if (rc == WEIR_OK) {
        rc = kafka_addresses_parse(config.broker_addresses, &addresses, err);
        kafka_addresses_fini(&addresses);
    }
    if (rc == WEIR_OK) {
        rc = kafka_start_parse(weir_options_get(defs, args->options, "start").text, &config, err);
    }
    if (rc == WEIR_OK) {
        int len = group.is_set ? asprintf(&config.group, "%.*s", WEIR_STR_ARG(group.text))
                               : asprintf(&config.group, "weir-%s", args->pipeline);
        if (len < 0) {
            config.group = NULL;
            rc = weir_error_set(err, WEIR_ENOMEM, "no memory for options");
        }
    }
    if (rc != WEIR_OK) {
        kafka_config_fini(&config);
        return rc;
    }
    *ret = config;
    return WEIR_OK;
}

void kafka_config_fini(struct kafka_config *config)
{
    free(config->topics);
    free(config->start_offsets);
    free(config->group);
    *config = (struct kafka_config){ 0 };
}
