/* kafka_view.c: reads metadata, one topic at a time (librdkafka asks for one or for all). */
#include "source/kafka_view.h"

#include <stdlib.h>

#include "base/hash.h"

static bool has_leader(const rd_kafka_topic_partition_list_t *list, int32_t leader)
{
    for (int i = 0; i < list->cnt; i++) {
        if ((intptr_t)list->elems[i].opaque == leader) {
            return true;
        }
    }
    return false;
}

static void add_partition(struct kafka_view *view, const char *topic,
                          const rd_kafka_metadata_partition_t *partition)
{
    const int64_t words[] = { (int64_t)view->leaders_hash, partition->id, partition->leader };

    view->leaders_hash = weir_hash64(words, sizeof(words));
    if (partition->leader < 0) {
        view->leaderless++;
        return;
    }
    if (!has_leader(view->one_each, partition->leader)) {
        rd_kafka_topic_partition_list_add(view->one_each, topic, partition->id)->opaque =
            (void *)(intptr_t)partition->leader; /* a number in a pointer's place, as is usual */
    }
}

static int add_topic(struct kafka_view *view, const rd_kafka_metadata_topic_t *topic,
                     struct weir_error *err)
{
    struct kafka_topic_view *entry = &view->topics[view->topic_count++];

    switch (topic->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
        break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        entry->missing = true;
        return WEIR_OK;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return weir_error_set(err, WEIR_EAUTH, "topic %s: %s", topic->topic,
                              rd_kafka_err2str(topic->err));
    default:
        return weir_error_set(err, WEIR_EAWAY, "topic %s: %s", topic->topic,
                              rd_kafka_err2str(topic->err));
    }
    entry->partition_count = (uint32_t)topic->partition_cnt;
    for (int i = 0; i < topic->partition_cnt; i++) {
        add_partition(view, topic->topic, &topic->partitions[i]);
    }
    return WEIR_OK;
}

int kafka_view_init(rd_kafka_t *client, const struct kafka_topic *topics, uint32_t topic_count,
                    int timeout_ms, struct kafka_view *ret, struct weir_error *err)
{
    struct kafka_view view = { .topics = calloc(topic_count, sizeof(*view.topics)),
                               .one_each = rd_kafka_topic_partition_list_new(4) };
    int rc = WEIR_OK;

    if (view.topics == NULL) {
        rc = weir_error_set(err, WEIR_ENOMEM, "no memory for metadata");
    }
    for (uint32_t i = 0; i < topic_count && rc == WEIR_OK; i++) {
        const rd_kafka_metadata_t *metadata = NULL;
        rd_kafka_resp_err_t code =
            rd_kafka_metadata(client, 0, topics[i].handle, &metadata, timeout_ms);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR || metadata->topic_cnt != 1) {
            rc = weir_error_set(err, WEIR_EAWAY, "no answer about topic %s: %s", topics[i].name,
                                rd_kafka_err2str(code));
        } else {
            rc = add_topic(&view, &metadata->topics[0], err);
        }
        if (metadata != NULL) {
            rd_kafka_metadata_destroy(metadata);
        }
    }
    if (rc == WEIR_OK) {
        char *cluster = rd_kafka_clusterid(client, 0); /* learnt with the metadata */
        view.identity = cluster == NULL ? 0 : weir_hash64(cluster, strlen(cluster));
        if (cluster != NULL) {
            rd_kafka_mem_free(client, cluster);
        }
        *ret = view;
        return WEIR_OK;
    }
    kafka_view_fini(&view);
    return rc;
}

void kafka_view_fini(struct kafka_view *view)
{
    if (view->one_each != NULL) {
        rd_kafka_topic_partition_list_destroy(view->one_each);
    }
    free(view->topics);
    *view = (struct kafka_view){ 0 };
}
