/* kafka_source.c: the Kafka source: partitions, positions, and what becomes of each message.
 *
 * weir keeps the positions; librdkafka is told by assign() where each partition is to be read from,
 * and nothing else: no consumer group, no pause, no stored offsets. Whenever something is in doubt (a
 * connection was lost, the log's limits do not fit, a damaged batch) all that was fetched is thrown
 * away and fetching starts anew from weir's own positions, each with its witness: that costs a few
 * megabytes of traffic and makes one rule of all cases.
 *
 * Uses     kafka_discover and kafka_judge (parts of the source), kafka_client (the handle), kafka_scout
 *          (requests that block), kafka_reader (each partition's position), kafka_records (bytes).
 * KF1  A record is handed out only when it was fetched after the last assign() and over connections
 *      that were not lost since; its partition's reader has the last word (KR1, KR2).
 * KF2  Nothing is skipped but by on_data_loss = 'skip', and then with a log line that names topic,
 *      partition and both offsets.
 * S1, S2, S3 of source.h: tests/contract/source_contract.c, run against a real broker by
 * tests/integration/test_kafka_source.py. */
#include "source/kafka_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/fail_point.h"
#include "base/log_line.h"
#include "source/kafka_internal.h"
#include "source/kafka_records.h"

enum {
    ASSIGN_AGAIN_US = 200000, /* between two assignments that failed */
    BEHIND_CHECK_US = 2000,
    PUBLISH_US = 1000000,
};

/* ---- life ---- */

static void kafka_close(void *context)
{
    struct kafka_source *self = context;

    if (self == NULL) {
        return;
    }
    kafka_scout_stop(self->scout);
    for (uint32_t i = self->message_first; i < self->message_count; i++) {
        rd_kafka_message_destroy(self->messages[i]);
    }
    kafka_client_close(self->client);
    kafka_config_fini(&self->config);
    free(self->list);
    free(self->partitions);
    free(self);
}

static int kafka_open(const struct weir_source_args *args, void **ret_self, struct weir_error *err)
{
    struct kafka_source *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a source");
    }
    self->args = *args;
    int rc = kafka_config_init(args, &self->config, err);
    if (rc == WEIR_OK) {
        rc = kafka_client_open(&self->config, args, KAFKA_PARTITIONS_DEFAULT, &self->client, err);
    }
    if (rc != WEIR_OK) {
        kafka_close(self);
        return rc;
    }
    *ret_self = self;
    return WEIR_OK;
}

/* ---- assignment ---- */

static void drop_messages(struct kafka_source *self)
{
    for (; self->message_first < self->message_count; self->message_first++) {
        rd_kafka_message_destroy(self->messages[self->message_first]);
    }
    self->message_first = 0;
    self->message_count = 0;
}

/* Fetching starts anew, everywhere, from where the readers stand. */
static void assign(struct kafka_source *self)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)self->reader_count);

    drop_messages(self);
    self->links_seen = atomic_load(&self->client->lost_links); /* before: KF1 */
    for (uint32_t i = 0; i < self->reader_count; i++) {
        struct kafka_partition *partition = &self->partitions[i];
        kafka_reader_begin(&partition->reader, partition->reader.at, partition->reader.until);
        if (partition->reader.phase != READER_DONE) {
            rd_kafka_topic_partition_list_add(list, kafka_topic_name(self, partition),
                                              partition->number)
                ->offset = kafka_reader_fetch_offset(&partition->reader);
        }
    }
    rd_kafka_resp_err_t code = rd_kafka_assign(self->client->handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    self->assign_wanted = code != RD_KAFKA_RESP_ERR_NO_ERROR;
    self->assign_due_us = kafka_clock_us() + ASSIGN_AGAIN_US;
    if (self->assign_wanted) {
        weir_log(WEIR_LOG_WARN, "kafka_assign", "librdkafka refuses partitions: %s",
                 rd_kafka_err2str(code));
    }
}

static int kafka_seek(void *context, const struct weir_position *at,
                      const struct weir_position *until, uint32_t count, struct weir_error *err)
{
    struct kafka_source *self = context;

    (void)err; /* what does not fit is found by poll(), without another round trip here */
    weir_assert(count <= self->partition_count);
    self->reader_count = count;
    self->is_replay = until != NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct kafka_partition *partition = &self->partitions[i];
        partition->reader.at = at[i];
        partition->reader.until = until == NULL ? INT64_MAX : until[i].next;
        partition->diverged_since_us = 0;
        partition->corrupt_tries = 0;
    }
    assign(self);
    return WEIR_OK;
}

static void ask_limits(struct kafka_source *self, const struct kafka_partition *partition)
{
    kafka_scout_ask_limits(self->scout, (uint32_t)(partition - self->partitions),
                           kafka_topic_name(self, partition), partition->number);
}

/* ---- messages ---- */

/* Whose message it is; NULL when it belongs to no partition that is read. */
static struct kafka_partition *partition_of(struct kafka_source *self,
                                            const rd_kafka_message_t *message)
{
    if (message->rkt == NULL) {
        return NULL;
    }
    if (message->rkt == self->cached_topic && self->cached_partition < self->reader_count &&
        self->partitions[self->cached_partition].number == message->partition) {
        return &self->partitions[self->cached_partition];
    }
    const char *name = rd_kafka_topic_name(message->rkt);
    for (uint32_t i = 0; i < self->reader_count; i++) {
        if (self->partitions[i].number == message->partition &&
            strcmp(kafka_topic_name(self, &self->partitions[i]), name) == 0) {
            self->cached_topic = message->rkt;
            self->cached_partition = i;
            return &self->partitions[i];
        }
    }
    return NULL;
}

static void complain(struct kafka_source *self, const rd_kafka_message_t *message)
{
    self->client->trouble_us = kafka_clock_us();
    (void)snprintf(self->client->trouble, sizeof(self->client->trouble), "%s",
                   rd_kafka_message_errstr(message)); /* cut: for people */
    kafka_scout_hurry(self->scout);
}

/* A message that is no record. */
static int handle_event(struct kafka_source *self, const rd_kafka_message_t *message,
                        struct weir_error *err)
{
    struct kafka_partition *partition = partition_of(self, message);

    if (partition == NULL || partition->reader.phase == READER_DONE) {
        if (partition == NULL) {
            complain(self, message);
        }
        return WEIR_OK;
    }
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        if (!kafka_reader_end(&partition->reader, message->offset)) {
            ask_limits(self, partition);
        }
        return WEIR_OK;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        ask_limits(self, partition);
        return WEIR_OK;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__UNDERFLOW:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
        return kafka_corrupt(self, partition, message, err);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        self->assign_wanted = true; /* what comes back may be another topic of that name */
        complain(self, message);
        return WEIR_OK;
    default:
        complain(self, message);
        return WEIR_OK;
    }
}

/* What fetching has brought, when nothing waits. False when there is nothing to be looked at. */
static bool fetch_messages(struct kafka_source *self)
{
    const uint64_t one = 1;
    uint64_t drained;

    if (self->message_first < self->message_count) {
        return true;
    }
    /* Cleared before looking, so that what comes in between makes it readable again. */
    (void)!read(self->client->event_fd, &drained, sizeof(drained));
    ssize_t count =
        rd_kafka_consume_batch_queue(self->client->queue, 0, self->messages, KAFKA_MESSAGES_MAX);
    self->message_first = 0;
    self->message_count = count > 0 ? (uint32_t)count : 0;
    if (self->message_count == KAFKA_MESSAGES_MAX) {
        (void)!write(self->client->event_fd, &one, sizeof(one)); /* there may be more */
    }
    if (atomic_load(&self->client->lost_links) != self->links_seen) {
        self->assign_wanted = true; /* KF1 */
    }
    return self->message_count > 0;
}

/* Goes through waiting messages until the limits are reached or something has to be done first.
 * Taken ones go to self->taken and self->views. */
static int sort_messages(struct kafka_source *self, const struct weir_source_limits *limits,
                         uint32_t *ret_count, struct weir_error *err)
{
    size_t bytes = 0;
    uint32_t count = 0;
    int rc = WEIR_OK;

    while (rc == WEIR_OK && self->message_first < self->message_count && !self->assign_wanted &&
           count < limits->rows_max) {
        rd_kafka_message_t *message = self->messages[self->message_first];
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rc = handle_event(self, message, err);
            rd_kafka_message_destroy(message);
            self->message_first++;
            continue;
        }
        if (count > 0 && bytes + message->len + message->key_len > limits->bytes_max) {
            break;
        }
        self->message_first++;
        struct kafka_partition *partition = partition_of(self, message);
        uint32_t index = partition == NULL ? 0 : (uint32_t)(partition - self->partitions);
        struct weir_record view = kafka_record_view(message, index);
        enum kafka_reader_verdict verdict =
            partition == NULL ? READER_DROP : kafka_reader_record(&partition->reader, &view);
        if (verdict == READER_TAKE) {
            bytes += message->len + message->key_len;
            self->taken[count] = message;
            self->views[count++] = view;
            continue;
        }
        if (verdict == READER_REPLACED) {
            rc = kafka_replaced(self, partition, err);
        } else {
            self->dropped++;
        }
        rd_kafka_message_destroy(message);
    }
    *ret_count = count;
    return rc;
}

/* The last record of each partition is the witness of its position. */
static void set_witnesses(struct kafka_source *self, const struct weir_record *records,
                          uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        struct weir_position *at = &self->partitions[records[i].partition].reader.at;
        if (i + 1 < count && records[i + 1].partition == records[i].partition) {
            continue; /* inside a run; a shorter run of the same partition is overwritten below */
        }
        if (at->witness_offset < records[i].offset) {
            at->witness_offset = records[i].offset;
            at->witness_digest = weir_record_digest(&records[i]);
        }
    }
}

static int hand_out(struct kafka_source *self, uint32_t count, struct weir_arena *arena,
                    struct weir_records *ret, struct weir_error *err)
{
    struct weir_record *records = weir_arena_alloc(arena, count * sizeof(*records));
    bool has_memory = records != NULL;

    if (has_memory) {
        memcpy(records, self->views, count * sizeof(*records));
        has_memory = kafka_records_copy(records, count, arena);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (has_memory && self->args.want_headers) {
            has_memory = kafka_record_headers(self->taken[i], arena, &records[i].headers);
        }
        rd_kafka_message_destroy(self->taken[i]);
    }
    if (!has_memory) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u records", count);
    }
    set_witnesses(self, records, count);
    *ret = (struct weir_records){ .items = records, .count = count };
    return WEIR_OK;
}

/* Whether records wait at the broker that librdkafka may be too sleepy to fetch: see kafka_scout.h. */
static void check_behind(struct kafka_source *self)
{
    int64_t now = kafka_clock_us();
    bool is_behind = false;
    int64_t low;
    int64_t high;

    if (now - self->behind_checked_us < BEHIND_CHECK_US) {
        return;
    }
    self->behind_checked_us = now;
    for (uint32_t i = 0; i < self->reader_count && !is_behind; i++) {
        const struct kafka_partition *partition = &self->partitions[i];
        is_behind = partition->reader.phase != READER_DONE && !partition->reader.at_end &&
                    rd_kafka_get_watermark_offsets(
                        self->client->handle, kafka_topic_name(self, partition), partition->number,
                        &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
                    high > partition->reader.at.next;
    }
    if (is_behind != self->is_behind) {
        self->is_behind = is_behind;
        kafka_scout_set_behind(self->scout, is_behind);
    }
}

static int poll_once(struct kafka_source *self, const struct weir_source_limits *limits,
                     struct weir_arena *arena, struct weir_records *ret, bool *ret_any,
                     struct weir_error *err)
{
    struct kafka_limits found;
    uint32_t count = 0;
    int rc = kafka_heed_scout(self, err);

    self->skipped = false;
    while (rc == WEIR_OK && kafka_scout_take_limits(self->scout, &found)) {
        rc = kafka_judge(self, &found, err);
    }
    ret->skipped = self->skipped;
    if (rc != WEIR_OK) {
        return rc;
    }
    *ret_any = fetch_messages(self);
    if (self->client->is_fatal) {
        return weir_error_set(err, WEIR_EIO, "librdkafka gives up: %s", self->client->trouble);
    }
    if (self->assign_wanted) {
        drop_messages(self); /* KF1 */
        if (kafka_clock_us() >= self->assign_due_us) {
            assign(self);
        }
        return WEIR_OK;
    }
    rc = sort_messages(self, limits, &count, err);
    check_behind(self);
    if (rc != WEIR_OK) {
        for (uint32_t i = 0; i < count; i++) {
            rd_kafka_message_destroy(self->taken[i]);
        }
        return rc;
    }
    return count == 0 ? WEIR_OK
                      : WEIR_FAIL_AROUND(read_fetch, hand_out(self, count, arena, ret, err), err);
}

static int kafka_poll(void *context, const struct weir_source_limits *limits,
                      struct weir_arena *arena, struct weir_records *ret, struct weir_error *err)
{
    struct kafka_source *self = context;
    int64_t deadline = kafka_clock_us() + limits->wait_us;
    struct weir_records out = { 0 };
    bool any = false;

    weir_assert(self->scout != NULL); /* discover() comes first */
    for (;;) {
        int rc = poll_once(self, limits, arena, &out, &any, err);
        int64_t left_us = deadline - kafka_clock_us();
        if (rc != WEIR_OK) {
            return rc;
        }
        if (out.count > 0 || out.skipped || any || left_us <= 0) {
            *ret = out;
            return WEIR_OK;
        }
        struct pollfd fd = { .fd = self->client->event_fd, .events = POLLIN };
        struct timespec wait = { left_us / 1000000, left_us % 1000000 * 1000 };
        (void)ppoll(&fd, 1, &wait, NULL); /* interrupted or not: looks again */
    }
}

/* ---- what others want to know ---- */

static void kafka_positions(void *context, struct weir_position *ret, uint32_t count)
{
    struct kafka_source *self = context;

    weir_assert(count <= self->reader_count);
    for (uint32_t i = 0; i < count; i++) {
        ret[i] = self->partitions[i].reader.at;
    }
}

static bool kafka_reached(void *context)
{
    struct kafka_source *self = context;

    for (uint32_t i = 0; i < self->reader_count; i++) {
        if (self->partitions[i].reader.phase != READER_DONE) {
            return false;
        }
    }
    return true;
}

static void kafka_lag(void *context, struct weir_source_lag *ret)
{
    struct kafka_source *self = context;
    bool is_reading = self->reader_count != 0; /* else behind what? */
    struct weir_source_lag lag = { .known = is_reading, .caught_up = is_reading };

    for (uint32_t i = 0; i < self->reader_count; i++) {
        const struct kafka_partition *partition = &self->partitions[i];
        int64_t low;
        int64_t high = -1;
        rd_kafka_resp_err_t code =
            rd_kafka_get_watermark_offsets(self->client->handle, kafka_topic_name(self, partition),
                                           partition->number, &low, &high);
        lag.lost += partition->loss.records;
        lag.caught_up = lag.caught_up && partition->reader.at_end;
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0) {
            lag.known = lag.known && partition->reader.at_end;
        } else if (high > partition->reader.at.next) {
            lag.records += high - partition->reader.at.next;
        }
    }
    *ret = lag;
}

static void kafka_publish(void *context, const struct weir_position *at, uint32_t count)
{
    struct kafka_source *self = context;
    int64_t now = kafka_clock_us();

    if (now - self->published_us < PUBLISH_US || count > self->partition_count) {
        return;
    }
    self->published_us = now;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, kafka_topic_name(self, &self->partitions[i]),
                                          self->partitions[i].number)
            ->offset = at[i].next;
    }
    (void)rd_kafka_commit(self->client->handle, list, 1); /* for display: may be lost */
    rd_kafka_topic_partition_list_destroy(list);
}

static uint32_t kafka_wait_fds(void *context, struct pollfd *ret, uint32_t max)
{
    struct kafka_source *self = context;

    if (max == 0) {
        return 0;
    }
    *ret = (struct pollfd){ .fd = self->client->event_fd, .events = POLLIN };
    return 1;
}

static const char *kafka_trouble(void *context)
{
    struct kafka_source *self = context;
    struct kafka_news news;
    const char *ret = NULL;

    if (self->scout == NULL) {
        return self->client->trouble_us > 0 ? self->client->trouble : NULL;
    }
    kafka_scout_lock(self->scout, &news);
    if (self->client->trouble_us > news.heard_us) {
        ret = self->client->trouble;
    } else if (news.failure != NULL) {
        (void)snprintf(self->trouble, sizeof(self->trouble), "%s", news.failure);
        ret = self->trouble;
    } else if (news.view->leaderless > 0) {
        (void)snprintf(self->trouble, sizeof(self->trouble), "%u partitions have no leader",
                       news.view->leaderless);
        ret = self->trouble;
    } else if (news.missing_since_us > 0) {
        (void)snprintf(self->trouble, sizeof(self->trouble), "a topic is missing");
        ret = self->trouble;
    }
    kafka_scout_unlock(self->scout);
    return ret;
}

const struct weir_source_ops weir_kafka_source_ops = {
    .name = "kafka",
    .options = weir_kafka_source_options,
    .replayable = true,
    .open = kafka_open,
    .discover = kafka_discover,
    .start_position = kafka_start_position,
    .seek = kafka_seek,
    .poll = kafka_poll,
    .positions = kafka_positions,
    .reached = kafka_reached,
    .lag = kafka_lag,
    .publish = kafka_publish,
    .wait_fds = kafka_wait_fds,
    .trouble = kafka_trouble,
    .close = kafka_close,
};
