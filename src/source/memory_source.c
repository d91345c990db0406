/* memory_source.c: topics in memory and the source that reads them.
 *
 * A partition keeps its records in one growing array, sorted by offset; gaps are offsets that no
 * record has. All of a topic stands under its own lock; the list of topics under another, taken
 * first where both are needed.
 * S1, S2, S3 of source.h, checked by tests/contract/test_source_contract.c. */
#include "source/memory_source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/log_line.h"
#include "source/witness.h"

enum {
    MEMORY_PARTITIONS_MAX = 64, /* fixed, so that partition lists never move under a source */
    VALUE_PADDING_BYTES = 64,   /* see struct weir_record */
};

struct memory_partition {
    struct weir_record *records; /* owned with their bytes; [first, count) are still there */
    size_t first, count, capacity;
    int64_t low, end; /* offsets kept */
};

struct weir_memory_topic {
    struct weir_memory_topic *next; /* in the list of all topics */
    pthread_mutex_t lock;
    char *name;
    struct memory_partition partitions[MEMORY_PARTITIONS_MAX];
    uint32_t partition_count;
    uint64_t identity;
    int event_fd; /* readable after anything has changed, until a source looks */
    atomic_bool is_rung;
    bool away;
};

static struct {
    pthread_mutex_t lock;
    struct weir_memory_topic *first;
} topics = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* Neither can fail: default mutexes, never locked twice by one thread. */
static void lock(pthread_mutex_t *mutex)
{
    (void)pthread_mutex_lock(mutex);
}

static void unlock(pthread_mutex_t *mutex)
{
    (void)pthread_mutex_unlock(mutex);
}

/* ---- the topic ---- */

static struct weir_memory_topic *find_topic(struct weir_str name)
{
    struct weir_memory_topic *topic;

    lock(&topics.lock);
    for (topic = topics.first; topic != NULL; topic = topic->next) {
        if (weir_str_equal(weir_str_from(topic->name), name)) {
            break;
        }
    }
    unlock(&topics.lock);
    return topic;
}

struct weir_memory_topic *weir_memory_topic_new(const char *name, uint32_t partitions)
{
    struct weir_memory_topic *topic = calloc(1, sizeof(*topic));

    weir_assert(partitions <= MEMORY_PARTITIONS_MAX);
    weir_assert(find_topic(weir_str_from(name)) == NULL);
    if (topic == NULL) {
        return NULL;
    }
    topic->name = strdup(name);
    topic->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (topic->name == NULL || topic->event_fd < 0) {
        free(topic->name);
        free(topic);
        return NULL;
    }
    (void)pthread_mutex_init(&topic->lock, NULL); /* cannot fail with default attributes */
    topic->identity = weir_hash64(name, strlen(name));
    topic->partition_count = partitions;
    lock(&topics.lock);
    topic->next = topics.first;
    topics.first = topic;
    unlock(&topics.lock);
    return topic;
}

static void free_record(struct weir_record *record)
{
    free((char *)record->value.data); /* one allocation holds value and key, see copy_record() */
}

void weir_memory_topic_free(struct weir_memory_topic *topic)
{
    if (topic == NULL) {
        return;
    }
    lock(&topics.lock);
    struct weir_memory_topic **at = &topics.first;
    while (*at != topic) {
        at = &(*at)->next;
    }
    *at = topic->next;
    unlock(&topics.lock);
    for (uint32_t p = 0; p < topic->partition_count; p++) {
        struct memory_partition *partition = &topic->partitions[p];
        for (size_t i = partition->first; i < partition->count; i++) {
            free_record(&partition->records[i]);
        }
        free(partition->records);
    }
    (void)close(topic->event_fd); /* an eventfd has nothing to lose */
    (void)pthread_mutex_destroy(&topic->lock);
    free(topic->name);
    free(topic);
}

static void notify(struct weir_memory_topic *topic)
{
    uint64_t one = 1;

    /* Fails only when the counter is full, and then it is readable already. */
    if (!atomic_exchange(&topic->is_rung, true)) {
        (void)!write(topic->event_fd, &one, sizeof(one));
    }
}

static bool copy_record(struct weir_str key, struct weir_str value, struct weir_record *ret)
{
    char *bytes = calloc(1, value.len + key.len + VALUE_PADDING_BYTES);

    if (bytes == NULL) {
        return false;
    }
    ret->value = (struct weir_str){ bytes, value.len };
    ret->key = (struct weir_str){ bytes + value.len, key.len };
    ret->value_is_null = value.data == NULL;
    ret->key_is_null = key.data == NULL;
    if (value.len > 0) {
        memcpy(bytes, value.data, value.len);
    }
    if (key.len > 0) {
        memcpy(bytes + value.len, key.data, key.len);
    }
    return true;
}

static bool grow(struct memory_partition *partition)
{
    size_t capacity = partition->capacity == 0 ? 64 : partition->capacity * 2;

    if (partition->count < partition->capacity) {
        return true;
    }
    struct weir_record *records = realloc(partition->records, capacity * sizeof(*records));
    if (records == NULL) {
        return false;
    }
    partition->records = records;
    partition->capacity = capacity;
    return true;
}

int64_t weir_memory_topic_append(struct weir_memory_topic *topic, uint32_t partition,
                                 struct weir_str key, struct weir_str value, int64_t timestamp_us)
{
    struct memory_partition *to = &topic->partitions[partition];
    struct weir_record record = { .timestamp_us = timestamp_us, .partition = partition };
    int64_t offset = -1;

    weir_assert(partition < topic->partition_count);
    lock(&topic->lock);
    if (grow(to) && copy_record(key, value, &record)) {
        offset = to->end++;
        record.offset = offset;
        to->records[to->count++] = record;
    }
    unlock(&topic->lock);
    notify(topic);
    return offset;
}

void weir_memory_topic_append_gap(struct weir_memory_topic *topic, uint32_t partition,
                                  uint32_t count)
{
    weir_assert(partition < topic->partition_count);
    lock(&topic->lock);
    topic->partitions[partition].end += count;
    unlock(&topic->lock);
    notify(topic);
}

void weir_memory_topic_trim(struct weir_memory_topic *topic, uint32_t partition, int64_t low)
{
    struct memory_partition *from = &topic->partitions[partition];

    lock(&topic->lock);
    weir_assert(partition < topic->partition_count);
    weir_assert(low <= from->end);
    while (from->first < from->count && from->records[from->first].offset < low) {
        free_record(&from->records[from->first++]);
    }
    from->low = low > from->low ? low : from->low;
    unlock(&topic->lock);
    notify(topic);
}

void weir_memory_topic_cut(struct weir_memory_topic *topic, uint32_t partition, int64_t end)
{
    struct memory_partition *from = &topic->partitions[partition];

    lock(&topic->lock);
    weir_assert(partition < topic->partition_count);
    weir_assert(end <= from->end);
    while (from->count > from->first && from->records[from->count - 1].offset >= end) {
        free_record(&from->records[--from->count]);
    }
    from->end = end;
    from->low = from->low < end ? from->low : end;
    unlock(&topic->lock);
    notify(topic);
}

bool weir_memory_topic_add_partition(struct weir_memory_topic *topic)
{
    bool has_room;

    lock(&topic->lock);
    has_room = topic->partition_count < MEMORY_PARTITIONS_MAX;
    topic->partition_count += has_room ? 1 : 0;
    unlock(&topic->lock);
    notify(topic);
    return has_room;
}

void weir_memory_topic_set_away(struct weir_memory_topic *topic, bool away)
{
    lock(&topic->lock);
    topic->away = away;
    unlock(&topic->lock);
    notify(topic);
}

void weir_memory_topic_set_identity(struct weir_memory_topic *topic, uint64_t identity)
{
    lock(&topic->lock);
    topic->identity = identity;
    unlock(&topic->lock);
}

int64_t weir_memory_topic_end(struct weir_memory_topic *topic, uint32_t partition)
{
    lock(&topic->lock);
    int64_t end = topic->partitions[partition].end;
    unlock(&topic->lock);
    return end;
}

/* ---- the source ---- */

static const struct weir_option_def memory_options[] = {
    { .name = "topic",
      .kind = WEIR_OPTION_TEXT,
      .required = true,
      .defining = true,
      .help = "name of a topic that the embedding program has made" },
    { .name = "start",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "earliest",
      .choices = "earliest|latest",
      .help = "where a pipeline without any position begins" },
    { .name = "on_data_loss",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "fail",
      .choices = "fail|skip",
      .help = "what to do when records to be read are gone" },
    { .name = NULL },
};

struct memory_reader {
    struct weir_position at;
    int64_t until; /* INT64_MAX: no end */
};

struct memory_source {
    struct weir_memory_topic *topic;
    struct weir_partition list[MEMORY_PARTITIONS_MAX];
    struct memory_reader readers[MEMORY_PARTITIONS_MAX];
    struct weir_loss losses[MEMORY_PARTITIONS_MAX];
    uint32_t reader_count; /* partitions that poll() reads, by the last seek() */
    uint32_t turn;         /* the partition that the next poll() looks at first */
    bool start_at_end, skip_lost;
};

static int memory_open(const struct weir_source_args *args, void **ret_self, struct weir_error *err)
{
    struct weir_str name = weir_options_get(memory_options, args->options, "topic").text;
    struct weir_memory_topic *topic = find_topic(name);
    struct memory_source *self;

    if (topic == NULL) {
        return weir_error_set(err, WEIR_ECONFIG, "there is no topic \"%.*s\" in memory",
                              WEIR_STR_ARG(name));
    }
    self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a source");
    }
    self->topic = topic;
    self->start_at_end = weir_options_get(memory_options, args->options, "start").number == 1;
    self->skip_lost = weir_options_get(memory_options, args->options, "on_data_loss").number == 1;
    *ret_self = self;
    return WEIR_OK;
}

static int away(struct memory_source *self, struct weir_error *err)
{
    return weir_error_set(err, WEIR_EAWAY, "topic \"%s\" is away", self->topic->name);
}

static int memory_discover(void *context, struct weir_source_partitions *ret,
                           struct weir_error *err)
{
    struct memory_source *self = context;
    struct weir_memory_topic *topic = self->topic;
    int rc = WEIR_OK;

    lock(&topic->lock);
    if (topic->away) {
        rc = away(self, err);
    } else {
        for (uint32_t p = 0; p < topic->partition_count; p++) {
            self->list[p] = (struct weir_partition){ .stream = weir_str_from(topic->name),
                                                     .number = (int32_t)p,
                                                     .identity = topic->identity };
        }
        *ret = (struct weir_source_partitions){ self->list, topic->partition_count };
    }
    unlock(&topic->lock);
    return rc;
}

static int memory_start_position(void *context, uint32_t partition, bool is_new,
                                 struct weir_position *ret, struct weir_error *err)
{
    struct memory_source *self = context;
    struct memory_partition *from = &self->topic->partitions[partition];
    int rc = WEIR_OK;

    lock(&self->topic->lock);
    weir_assert(partition < self->topic->partition_count);
    if (self->topic->away) {
        rc = away(self, err);
    } else {
        *ret = weir_position_first(self->start_at_end && !is_new ? from->end : from->low);
    }
    unlock(&self->topic->lock);
    return rc;
}

/* The first record at or behind offset; NULL when there is none. */
static const struct weir_record *find_record(const struct memory_partition *from, int64_t offset)
{
    size_t low = from->first;
    size_t high = from->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (from->records[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == from->count ? NULL : &from->records[low];
}

/* Why the position cannot be read on from, as a reason; NULL when it can. */
static const char *conflict_of(const struct memory_partition *from, const struct weir_position *at)
{
    if (at->next < from->low) {
        return "data_lost";
    }
    if (at->next > from->end) {
        return "log_diverged";
    }
    if (at->witness_offset < from->low) {
        return NULL; /* none, or fallen to retention since */
    }
    const struct weir_record *witness = find_record(from, at->witness_offset);
    if (witness != NULL && witness->offset == at->witness_offset &&
        weir_record_digest(witness) != at->witness_digest) {
        return "topic_replaced";
    }
    return NULL;
}

static int check_position(struct memory_source *self, uint32_t partition, struct weir_position *at,
                          bool skip, bool *ret_skipped, struct weir_error *err)
{
    const struct memory_partition *from = &self->topic->partitions[partition];
    const char *reason = conflict_of(from, at);

    if (reason == NULL) {
        return WEIR_OK;
    }
    if (!skip) {
        return weir_error_set_reason(
            err, WEIR_ECONFLICT, reason,
            "topic %s partition %u: position %lld does not fit the log, which holds %lld to %lld",
            self->topic->name, partition, (long long)at->next, (long long)from->low,
            (long long)from->end);
    }
    int64_t next = weir_position_clamp(at->next, from->low, from->end);
    weir_log(WEIR_LOG_WARN, reason, "topic %s partition %u: going on at offset %lld, not %lld",
             self->topic->name, partition, (long long)next, (long long)at->next);
    weir_loss_add(&self->losses[partition], at->next, next);
    *at = weir_position_first(next);
    *ret_skipped = true;
    return WEIR_OK;
}

static int memory_seek(void *context, const struct weir_position *at,
                       const struct weir_position *until, uint32_t count, struct weir_error *err)
{
    struct memory_source *self = context;
    bool skipped;
    int rc = WEIR_OK;

    lock(&self->topic->lock);
    weir_assert(count <= self->topic->partition_count);
    self->reader_count = count;
    self->turn = 0;
    for (uint32_t p = 0; p < count && rc == WEIR_OK; p++) {
        self->readers[p] =
            (struct memory_reader){ .at = at[p],
                                    .until = until == NULL ? INT64_MAX : until[p].next };
        /* A range that a plan has sealed must come back whole: nothing is skipped in it. */
        rc = check_position(self, p, &self->readers[p].at, self->skip_lost && until == NULL,
                            &skipped, err);
    }
    unlock(&self->topic->lock);
    notify(self->topic);
    return rc;
}

/* A record with its bytes in the arena; the caller's count of bytes is raised. */
static bool copy_out(const struct weir_record *from, struct weir_arena *arena,
                     struct weir_record *ret)
{
    size_t bytes = from->value.len + from->key.len + VALUE_PADDING_BYTES;
    char *to = weir_arena_alloc(arena, bytes);

    if (to == NULL) {
        return false;
    }
    memcpy(to, from->value.data, bytes); /* key and padding lie right behind */
    *ret = *from;
    ret->value.data = to;
    ret->key.data = to + from->value.len;
    return true;
}

/* Hands out what one partition has, up to the limits that *ret leaves. */
static int read_partition(struct memory_source *self, uint32_t p,
                          const struct weir_source_limits *limits, struct weir_arena *arena,
                          struct weir_records *ret, size_t *bytes, struct weir_error *err)
{
    const struct memory_partition *from = &self->topic->partitions[p];
    struct memory_reader *reader = &self->readers[p];
    int64_t end = reader->until < from->end ? reader->until : from->end;
    const struct weir_record *stop = from->records + from->count;
    const struct weir_record *record = find_record(from, reader->at.next);

    for (; record != NULL && record < stop && record->offset < end; record++) {
        size_t size = record->value.len + record->key.len;
        if (ret->count == limits->rows_max ||
            (ret->count > 0 && *bytes + size > limits->bytes_max)) {
            return WEIR_OK;
        }
        if (!copy_out(record, arena, &ret->items[ret->count])) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory for records");
        }
        *bytes += size;
        reader->at = weir_position_after(&ret->items[ret->count++]);
    }
    reader->at.next = end > reader->at.next ? end : reader->at.next; /* gaps are passed at once */
    return WEIR_OK;
}

static int memory_poll(void *context, const struct weir_source_limits *limits,
                       struct weir_arena *arena, struct weir_records *ret, struct weir_error *err)
{
    struct memory_source *self = context;
    struct weir_memory_topic *topic = self->topic;
    struct weir_records out = { .items = weir_arena_alloc(arena,
                                                          limits->rows_max * sizeof(*out.items)) };
    uint64_t drained;
    size_t bytes = 0;
    int rc = WEIR_OK;

    if (out.items == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u records", limits->rows_max);
    }
    if (atomic_load(&topic->is_rung)) { /* what comes before the store is seen below */
        (void)!read(topic->event_fd, &drained, sizeof(drained));
        atomic_store(&topic->is_rung, false);
    }
    lock(&topic->lock);
    for (uint32_t p = 0; p < self->reader_count && rc == WEIR_OK && !topic->away; p++) {
        int64_t low = topic->partitions[p].low;
        if (self->readers[p].at.next < low || self->readers[p].at.next > topic->partitions[p].end) {
            bool is_range = self->readers[p].until != INT64_MAX;
            rc = check_position(self, p, &self->readers[p].at, self->skip_lost && !is_range,
                                &out.skipped, err);
        }
    }
    for (uint32_t i = 0; i < self->reader_count && rc == WEIR_OK && !topic->away && !out.skipped;
         i++) {
        uint32_t p = (self->turn + i) % self->reader_count;
        rc = read_partition(self, p, limits, arena, &out, &bytes, err);
    }
    unlock(&topic->lock);
    if (out.count > 0) {
        self->turn = (self->turn + 1) % self->reader_count;
        notify(topic); /* there may be more than was asked for */
    }
    if (rc == WEIR_OK) {
        *ret = out;
    }
    return rc;
}

static void memory_positions(void *context, struct weir_position *ret, uint32_t count)
{
    struct memory_source *self = context;

    weir_assert(count <= self->reader_count);
    for (uint32_t p = 0; p < count; p++) {
        ret[p] = self->readers[p].at;
    }
}

static bool memory_reached(void *context)
{
    struct memory_source *self = context;

    for (uint32_t p = 0; p < self->reader_count; p++) {
        if (self->readers[p].at.next < self->readers[p].until) {
            return false;
        }
    }
    return true;
}

static void memory_lag(void *context, struct weir_source_lag *ret)
{
    struct memory_source *self = context;
    struct weir_source_lag lag = { .known = self->reader_count != 0 }; /* else behind what? */

    lock(&self->topic->lock);
    for (uint32_t p = 0; p < self->reader_count; p++) {
        int64_t behind = self->topic->partitions[p].end - self->readers[p].at.next;
        lag.records += behind > 0 ? behind : 0;
        lag.lost += self->losses[p].records;
    }
    unlock(&self->topic->lock);
    lag.caught_up = lag.known && lag.records == 0;
    *ret = lag;
}

/* Nobody outside looks. */
static void memory_publish(void *context, const struct weir_position *at, uint32_t count)
{
    (void)context;
    (void)at;
    (void)count;
}

static uint32_t memory_wait_fds(void *context, struct pollfd *ret, uint32_t max)
{
    struct memory_source *self = context;

    if (max == 0) {
        return 0;
    }
    *ret = (struct pollfd){ .fd = self->topic->event_fd, .events = POLLIN };
    return 1;
}

static const char *memory_trouble(void *context)
{
    struct memory_source *self = context;

    lock(&self->topic->lock);
    bool is_away = self->topic->away;
    unlock(&self->topic->lock);
    return is_away ? "the topic is away" : NULL;
}

static void memory_close(void *context)
{
    free(context);
}

const struct weir_source_ops weir_memory_source_ops = {
    .name = "memory",
    .options = memory_options,
    .replayable = true,
    .open = memory_open,
    .discover = memory_discover,
    .start_position = memory_start_position,
    .seek = memory_seek,
    .poll = memory_poll,
    .positions = memory_positions,
    .reached = memory_reached,
    .lag = memory_lag,
    .publish = memory_publish,
    .wait_fds = memory_wait_fds,
    .trouble = memory_trouble,
    .close = memory_close,
};
