/* topic.c: the topic of a proof, and the brokers' addresses, through librdkafka's admin client. */
#include "prove/topic.h"

#include <librdkafka/rdkafka.h>

enum { WAIT_MS = 15000 };

/* An admin client that keeps quiet: what goes wrong is in the answers. */
static int open_client(const char *brokers, rd_kafka_t **ret, struct weir_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof(text)) !=
            RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "log_level", "0", text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return weir_error_set(err, WEIR_ECONFIG, "brokers: %s", text);
    }
    *ret = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (*ret == NULL) {
        rd_kafka_conf_destroy(conf); /* taken only on success */
        return weir_error_set(err, WEIR_ECONFIG, "librdkafka: %s", text);
    }
    return WEIR_OK;
}

/* What the broker said to the one topic that was asked about. */
static int judge(rd_kafka_event_t *event, const char *brokers, const char *what, const char *name,
                 struct weir_error *err)
{
    const rd_kafka_topic_result_t *const *topics = NULL;
    size_t count = 0;

    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return weir_error_set(err, WEIR_EAWAY, "cannot %s topic %s at %s: %s", what, name, brokers,
                              event == NULL ? "no answer" : rd_kafka_event_error_string(event));
    }
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT) {
        topics =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    } else {
        topics =
            rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    }
    for (size_t i = 0; i < count; i++) {
        if (rd_kafka_topic_result_error(topics[i]) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            const char *text = rd_kafka_topic_result_error_string(topics[i]);
            return weir_error_set(
                err, WEIR_EREFUSED, "cannot %s topic %s: %s", what, name,
                text != NULL ? text : rd_kafka_err2str(rd_kafka_topic_result_error(topics[i])));
        }
    }
    return WEIR_OK;
}

/* Both requests: send, wait, judge. create and remove: one of them is NULL. */
static int ask(const char *brokers, const char *name, rd_kafka_NewTopic_t *create,
               rd_kafka_DeleteTopic_t *remove, struct weir_error *err)
{
    rd_kafka_t *client = NULL;
    rd_kafka_queue_t *queue;
    rd_kafka_event_t *event;
    rd_kafka_AdminOptions_t *options;
    char text[256];
    int rc = open_client(brokers, &client, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    queue = rd_kafka_queue_new(client);
    options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_ANY);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, WAIT_MS, text, sizeof(text));
    if (create != NULL) {
        rd_kafka_CreateTopics(client, &create, 1, options, queue);
    } else {
        rd_kafka_DeleteTopics(client, &remove, 1, options, queue);
    }
    event = rd_kafka_queue_poll(queue, WAIT_MS + 1000);
    rc = judge(event, brokers, create != NULL ? "make" : "delete", name, err);
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    return rc;
}

int prove_topic_create(const char *brokers, const char *name, int partitions,
                       struct weir_error *err)
{
    char text[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, text, sizeof(text));
    int rc;

    if (topic == NULL) {
        return weir_error_set(err, WEIR_EINVAL, "topic %s: %s", name, text);
    }
    rc = ask(brokers, name, topic, NULL, err);
    rd_kafka_NewTopic_destroy(topic);
    return rc;
}

int prove_topic_delete(const char *brokers, const char *name, struct weir_error *err)
{
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    int rc = ask(brokers, name, NULL, topic, err);

    rd_kafka_DeleteTopic_destroy(topic);
    return rc;
}

int prove_brokers_list(const char *brokers, prove_broker_fn *each, void *context,
                       struct weir_error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_t *client = NULL;
    int rc = open_client(brokers, &client, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, NULL, &metadata, WAIT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        rc = weir_error_set(err, WEIR_EAWAY, "cannot ask %s for all brokers: %s", brokers,
                            rd_kafka_err2str(code));
    }
    for (int i = 0; rc == WEIR_OK && i < metadata->broker_cnt; i++) {
        rc = each(context, metadata->brokers[i].host, metadata->brokers[i].port, err);
    }
    if (metadata != NULL) {
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_destroy(client);
    return rc;
}
