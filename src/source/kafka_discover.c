/* kafka_discover.c: which partitions there are, and where a new pipeline begins in each.
 *
 * The first discover() asks and waits; later ones take over what the scout has heard.
 * Indexes of partitions never change: new ones come at the end. */
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/fail_point.h"
#include "source/kafka_internal.h"
#include "source/kafka_start.h"

enum {
    DISCOVER_MS = 5000,
    TOPIC_GONE_US = 5000000, /* a broker that has just started may not know a topic yet */
};

static int add_partition(struct kafka_source *self, uint32_t topic, int32_t number,
                         struct weir_error *err)
{
    uint32_t count = self->partition_count + 1;
    struct weir_partition *list = realloc(self->list, count * sizeof(*list));

    if (list != NULL) {
        self->list = list;
    }
    struct kafka_partition *partitions = realloc(self->partitions, count * sizeof(*partitions));
    if (partitions != NULL) {
        self->partitions = partitions;
    }
    if (list == NULL || partitions == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u partitions", count);
    }
    list[count - 1] = (struct weir_partition){
        .stream = weir_str_from(self->client->topics[topic].name),
        .number = number,
        .identity = self->identity,
    };
    partitions[count - 1] = (struct kafka_partition){ .topic = topic, .number = number };
    self->partition_count = count;
    return WEIR_OK;
}

static uint32_t known_partitions(const struct kafka_source *self, uint32_t topic)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < self->partition_count; i++) {
        count += self->partitions[i].topic == topic;
    }
    return count;
}

/* Takes over what is new in the view; new partitions come at the end. */
static int merge_view(struct kafka_source *self, const struct kafka_view *view,
                      struct weir_error *err)
{
    if (self->identity == 0) {
        self->identity = view->identity;
    } else if (view->identity != 0 && view->identity != self->identity) {
        return weir_error_set_reason(err, WEIR_ECONFLICT, "cluster_changed",
                                     "another Kafka cluster answers at %.*s",
                                     WEIR_STR_ARG(self->config.brokers));
    }
    for (uint32_t t = 0; t < view->topic_count; t++) {
        uint32_t known = known_partitions(self, t);
        if (view->topics[t].missing) {
            continue;
        }
        if (view->topics[t].partition_count < known) {
            return weir_error_set_reason(err, WEIR_ECONFLICT, "topic_replaced",
                                         "topic %s has %u partitions and had %u: it was made anew",
                                         self->client->topics[t].name,
                                         view->topics[t].partition_count, known);
        }
        for (; known < view->topics[t].partition_count; known++) {
            int rc = add_partition(self, t, (int32_t)known, err);
            if (rc != WEIR_OK) {
                return rc;
            }
        }
    }
    return WEIR_OK;
}

int kafka_heed_scout(struct kafka_source *self, struct weir_error *err)
{
    struct kafka_news news;
    int rc;

    if (self->scout == NULL || kafka_scout_version(self->scout) == self->news_seen) {
        return WEIR_OK;
    }
    kafka_scout_lock(self->scout, &news);
    self->news_seen = news.version;
    rc = merge_view(self, news.view, err);
    for (uint32_t t = 0; t < news.view->topic_count && rc == WEIR_OK; t++) {
        if (news.view->topics[t].missing &&
            news.heard_us - news.missing_since_us >= TOPIC_GONE_US) {
            rc = weir_error_set_reason(err, WEIR_ECONFLICT, "topic_gone",
                                       "topic %s does not exist any more",
                                       self->client->topics[t].name);
        }
    }
    /* Another leader may hold another log (see log_diverged): compare the witnesses. */
    if (news.failure == NULL && news.view->leaders_hash != self->leaders_seen) {
        self->leaders_seen = news.view->leaders_hash;
        self->assign_wanted = self->reader_count > 0;
    }
    kafka_scout_unlock(self->scout);
    return rc;
}

/* The first view, asked for again for a while when a topic is missing: a broker that has just
 * started may not know all of them. */
static int first_view(struct kafka_source *self, struct kafka_view *ret, struct weir_error *err)
{
    int64_t deadline = kafka_clock_us() + TOPIC_GONE_US / 2;
    struct kafka_client *client = self->client;

    for (;;) {
        uint32_t missing = 0;
        int rc = kafka_view_init(client->handle, client->topics, client->topic_count, DISCOVER_MS,
                                 ret, err);
        if (rc != WEIR_OK) {
            rd_kafka_poll(client->handle, 0); /* callbacks: why */
            if (client->trouble_us > 0) {
                bool is_refused = client->auth_failed || client->is_mistrusted;
                rc = weir_error_set(err, is_refused ? WEIR_EAUTH : rc, "%s", client->trouble);
            }
            return rc;
        }
        while (missing < ret->topic_count && !ret->topics[missing].missing) {
            missing++;
        }
        if (missing == ret->topic_count) {
            return WEIR_OK;
        }
        kafka_view_fini(ret);
        if (kafka_clock_us() >= deadline) {
            return weir_error_set_reason(
                err, WEIR_ECONFIG, "topic_missing", "there is no topic \"%s\" at %.*s",
                client->topics[missing].name, WEIR_STR_ARG(self->config.brokers));
        }
        (void)usleep(100000); /* an interrupted sleep only asks sooner */
    }
}

static int start_scout(struct kafka_source *self, struct weir_error *err)
{
    struct kafka_view view;
    uint32_t count = 0;
    int rc = first_view(self, &view, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    for (uint32_t t = 0; t < view.topic_count; t++) {
        count += view.topics[t].partition_count;
    }
    if (count > KAFKA_PARTITIONS_DEFAULT) { /* its queues would be too large together */
        kafka_client_close(self->client);
        self->client = NULL;
        rc = kafka_client_open(&self->config, &self->args, count, &self->client, err);
    }
    if (rc == WEIR_OK) {
        rc = merge_view(self, &view, err);
    }
    if (rc == WEIR_OK) {
        self->leaders_seen = view.leaders_hash;
        rc = kafka_scout_start(self->client->handle, self->client->topics,
                               self->client->topic_count, self->client->event_fd,
                               !self->config.wakes_itself, &view, &self->scout, err);
    }
    kafka_view_fini(&view);
    return rc;
}

int kafka_discover(void *context, struct weir_source_partitions *ret, struct weir_error *err)
{
    struct kafka_source *self = context;
    int rc = self->scout == NULL ? WEIR_FAIL_AROUND(start_discover, start_scout(self, err), err)
                                 : kafka_heed_scout(self, err);

    if (rc == WEIR_OK) {
        *ret = (struct weir_source_partitions){ self->list, self->partition_count };
    }
    return rc;
}

static int offset_at_time(struct kafka_source *self, const struct kafka_partition *partition,
                          int64_t *ret, struct weir_error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *item = rd_kafka_topic_partition_list_add(
        list, kafka_topic_name(self, partition), partition->number);
    int64_t start_ms = self->config.start_ms;

    item->offset = start_ms < 0 ? 0 : start_ms; /* negative ones mean something else to Kafka */
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(self->client->handle, list, DISCOVER_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = item->err;
    }
    *ret = item->offset; /* negative: no record is that young */
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return weir_error_set(err, WEIR_EAWAY, "topic %s partition %d: no offset for a time: %s",
                              kafka_topic_name(self, partition), partition->number,
                              rd_kafka_err2str(code));
    }
    return WEIR_OK;
}

int kafka_start_position(void *context, uint32_t index, bool is_new, struct weir_position *ret,
                         struct weir_error *err)
{
    struct kafka_source *self = context;
    const struct kafka_partition *partition = &self->partitions[index];
    enum kafka_start_kind start = is_new ? KAFKA_START_EARLIEST : self->config.start;
    const char *topic = kafka_topic_name(self, partition);
    int64_t low;
    int64_t high;
    int64_t next = -1;
    int rc = WEIR_OK;

    weir_assert(index < self->partition_count);
    if (start == KAFKA_START_OFFSETS) {
        next = kafka_start_offset(&self->config, weir_str_from(topic), partition->number);
        if (next < 0) {
            return weir_error_set(err, WEIR_ECONFIG,
                                  "option start: there is no offset for topic %s partition %d",
                                  topic, partition->number);
        }
        *ret = weir_position_first(next);
        return WEIR_OK;
    }
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        self->client->handle, topic, partition->number, &low, &high, DISCOVER_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return weir_error_set(err, WEIR_EAWAY, "topic %s partition %d: no offsets: %s", topic,
                              partition->number, rd_kafka_err2str(code));
    }
    if (start == KAFKA_START_TIME) {
        rc = offset_at_time(self, partition, &next, err);
    }
    if (rc == WEIR_OK) {
        next = start == KAFKA_START_EARLIEST ? low : next < 0 ? high : next;
        *ret = weir_position_first(next);
    }
    return rc;
}
