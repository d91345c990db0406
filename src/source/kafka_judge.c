/* kafka_judge.c: positions that do not fit the log, and records that are damaged.
 *
 * KF2 of kafka_source.c: nothing is skipped but by on_data_loss = 'skip', never in a range that a plan
 * has sealed, and then counted, with a log line that names topic, partition and both offsets. */
#include "base/log_line.h"
#include "source/kafka_internal.h"

enum {
    DIVERGED_US = 3000000, /* after a leader change the end may be told too low for a moment */
    CORRUPT_TRIES_MAX = 4, /* a damaged batch is fetched so many times */
};

/* on_data_loss = 'skip': goes on where there is something, and says what is passed over. */
static void pass_over(struct kafka_source *self, struct kafka_partition *partition,
                      const char *reason, int64_t low, int64_t high)
{
    const char *topic = kafka_topic_name(self, partition);
    int64_t next = partition->reader.at.next;
    int64_t going_on = weir_position_clamp(next, low, high);
    char unread[96] = "";

    if (going_on >= next) {
        weir_log(WEIR_LOG_WARN, reason,
                 "topic %s partition %d: offset %lld was to be read next, and the log begins at "
                 "%lld; going on there (on_data_loss = 'skip')",
                 topic, partition->number, (long long)next, (long long)low);
    } else {
        if (low < going_on) {
            (void)snprintf(unread, sizeof(unread), "offsets %lld to %lld are not read; ",
                           (long long)low, (long long)going_on - 1);
        }
        weir_log(WEIR_LOG_WARN, reason,
                 "topic %s partition %d: offset %lld was to be read next, and the log ends before "
                 "%lld; going on there (on_data_loss = 'skip'), %sif the topic was made anew, run "
                 "under another pipeline.name",
                 topic, partition->number, (long long)next, (long long)high, unread);
    }
    weir_loss_add(&partition->loss, next, going_on);
    kafka_reader_skip(&partition->reader, going_on);
    self->assign_wanted = true;
    self->skipped = true;
}

static int lose(struct kafka_source *self, struct kafka_partition *partition, const char *reason,
                int64_t low, int64_t high, struct weir_error *err)
{
    if (self->config.skip_lost && !self->is_replay) {
        pass_over(self, partition, reason, low, high);
        return WEIR_OK;
    }
    return weir_error_set_reason(
        err, WEIR_ECONFLICT, reason,
        "topic %s partition %d: the next record to read has offset %lld, and the log begins at "
        "%lld and ends before %lld%s",
        kafka_topic_name(self, partition), partition->number, (long long)partition->reader.at.next,
        (long long)low, (long long)high,
        self->is_replay ? " (needed to rebuild a batch that was already planned)" : "");
}

int kafka_judge(struct kafka_source *self, const struct kafka_limits *limits,
                struct weir_error *err)
{
    struct kafka_partition *partition = &self->partitions[limits->partition];
    int64_t now = kafka_clock_us();

    if (limits->partition >= self->reader_count) {
        return WEIR_OK; /* asked before the last seek() */
    }
    switch (kafka_reader_judge(&partition->reader, limits->low, limits->high)) {
    case READER_LOST:
        return lose(self, partition, "data_lost", limits->low, limits->high, err);
    case READER_DIVERGED:
        if (partition->diverged_since_us == 0) {
            partition->diverged_since_us = now;
        }
        if (now - partition->diverged_since_us >= DIVERGED_US) {
            return lose(self, partition, "log_diverged", limits->low, limits->high, err);
        }
        break;
    case READER_WITNESS_LOST:
        weir_log(WEIR_LOG_INFO, "kafka_witness",
                 "topic %s partition %d: the record at offset %lld is no longer kept; going on at "
                 "%lld without comparing it",
                 kafka_topic_name(self, partition), partition->number,
                 (long long)partition->reader.at.witness_offset,
                 (long long)partition->reader.at.next);
        partition->reader.at.witness_offset = -1;
        partition->diverged_since_us = 0;
        break;
    case READER_FITS:
        partition->diverged_since_us = 0;
        break;
    }
    self->assign_wanted = true;
    return WEIR_OK;
}

int kafka_replaced(struct kafka_source *self, struct kafka_partition *partition,
                   struct weir_error *err)
{
    const char *topic = kafka_topic_name(self, partition);
    const struct weir_position *at = &partition->reader.at;

    if (self->config.skip_lost && !self->is_replay) {
        weir_log(WEIR_LOG_WARN, "topic_replaced",
                 "topic %s partition %d: offset %lld holds another record than the one that was "
                 "read there; going on at %lld all the same (on_data_loss = 'skip')",
                 topic, partition->number, (long long)at->witness_offset, (long long)at->next);
        weir_loss_add(&partition->loss, at->next, at->next);
        kafka_reader_skip(&partition->reader, at->next);
        return WEIR_OK;
    }
    return weir_error_set_reason(
        err, WEIR_ECONFLICT, "topic_replaced",
        "topic %s partition %d: offset %lld holds another record than the one that was read "
        "there, so what follows at %lld cannot be trusted: the topic was made anew, or its log cut "
        "and grown again",
        topic, partition->number, (long long)at->witness_offset, (long long)at->next);
}

int kafka_corrupt(struct kafka_source *self, struct kafka_partition *partition,
                  const rd_kafka_message_t *message, struct weir_error *err)
{
    if (partition->corrupt_tries == 0 || partition->corrupt_offset != message->offset) {
        partition->corrupt_offset = message->offset;
        partition->corrupt_tries = 0;
    }
    if (++partition->corrupt_tries < CORRUPT_TRIES_MAX) {
        self->assign_wanted = true; /* it may have been damaged on the way */
        return WEIR_OK;
    }
    return weir_error_set_reason(
        err, WEIR_ECORRUPT, "source_corrupt",
        "topic %s partition %d: the records at offset %lld are damaged: %s",
        kafka_topic_name(self, partition), partition->number, (long long)message->offset,
        rd_kafka_message_errstr(message));
}
