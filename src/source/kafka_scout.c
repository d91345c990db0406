/* kafka_scout.c: the scout's thread.
 *
 * All that both threads touch lies under one lock, which is never held during a request.
 * KS1  A request blocks for REQUEST_MS at most, so stop() ends in bounded time. */
#include "source/kafka_scout.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    REQUEST_MS = 2000,
    REFRESH_US = 3000000,     /* how soon a partition that was added is seen */
    REFRESH_SOON_US = 250000, /* while something is wrong */
    WAKE_US = 5000,           /* between two wake-ups of the brokers' threads while behind */
    ASKED_MAX = 64,           /* partitions looked up at a time; others ask again */
};

struct asked {
    uint32_t partition;
    int32_t number;
    const char *topic;
};

struct kafka_scout {
    rd_kafka_t *client;
    const struct kafka_topic *topics;
    uint32_t topic_count;
    int event_fd;
    bool wakes_brokers;
    pthread_t thread;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool stopping, behind, hurry;
    struct kafka_view view;
    atomic_uint_least64_t version;
    int64_t heard_us, missing_since_us;
    int64_t next_refresh_us, next_wake_us, next_look_up_us;
    struct weir_error failure;
    struct asked asked[ASKED_MAX]; /* the first one may be under way */
    uint32_t asked_count;
    struct kafka_limits found[ASKED_MAX];
    uint32_t found_count;
};

int64_t kafka_clock_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void tell(struct kafka_scout *scout)
{
    uint64_t one = 1;

    /* Fails only when the counter is full, and then it is readable already. */
    (void)!write(scout->event_fd, &one, sizeof(one));
}

static bool any_missing(const struct kafka_view *view)
{
    for (uint32_t i = 0; i < view->topic_count; i++) {
        if (view->topics[i].missing) {
            return true;
        }
    }
    return false;
}

/* Called with the lock; gives it up during the request. */
static void refresh(struct kafka_scout *scout)
{
    struct kafka_view view;
    struct weir_error err = { 0 };

    scout->hurry = false;
    (void)pthread_mutex_unlock(&scout->lock);
    int rc =
        kafka_view_init(scout->client, scout->topics, scout->topic_count, REQUEST_MS, &view, &err);
    (void)pthread_mutex_lock(&scout->lock);
    scout->failure = err;
    int64_t now = kafka_clock_us();
    if (rc == WEIR_OK) {
        kafka_view_fini(&scout->view);
        scout->view = view;
        scout->heard_us = now;
        if (!any_missing(&view)) {
            scout->missing_since_us = 0;
        } else if (scout->missing_since_us == 0) {
            scout->missing_since_us = now;
        }
    }
    bool is_well = rc == WEIR_OK && scout->missing_since_us == 0 && view.leaderless == 0;
    scout->next_refresh_us = now + (is_well ? REFRESH_US : REFRESH_SOON_US);
    atomic_fetch_add(&scout->version, 1);
    tell(scout);
}

/* Asks one partition of each leader for its end; the answer is of no interest. */
static void wake_brokers(struct kafka_scout *scout)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_copy(scout->view.one_each);

    (void)pthread_mutex_unlock(&scout->lock);
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = RD_KAFKA_OFFSET_END; /* as a timestamp: the latest */
    }
    if (list->cnt > 0) {
        /* A failure is seen by the next refresh, which counts. */
        (void)rd_kafka_offsets_for_times(scout->client, list, REQUEST_MS);
    }
    rd_kafka_topic_partition_list_destroy(list);
    (void)pthread_mutex_lock(&scout->lock);
    scout->next_wake_us = kafka_clock_us() + WAKE_US;
}

static void look_up(struct kafka_scout *scout)
{
    struct asked asked = scout->asked[0];
    struct kafka_limits limits = { .partition = asked.partition };

    (void)pthread_mutex_unlock(&scout->lock);
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        scout->client, asked.topic, asked.number, &limits.low, &limits.high, REQUEST_MS);
    (void)pthread_mutex_lock(&scout->lock);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        int64_t soon = kafka_clock_us() + REFRESH_SOON_US; /* the question stands */
        scout->next_look_up_us = soon;
        scout->next_refresh_us = soon < scout->next_refresh_us ? soon : scout->next_refresh_us;
    } else {
        scout->asked_count--;
        memmove(scout->asked, scout->asked + 1, scout->asked_count * sizeof(scout->asked[0]));
        if (scout->found_count < ASKED_MAX) {
            scout->found[scout->found_count++] = limits;
        }
        tell(scout);
    }
}

static void wait_until(struct kafka_scout *scout, int64_t deadline_us)
{
    struct timespec deadline = { .tv_sec = deadline_us / 1000000,
                                 .tv_nsec = deadline_us % 1000000 * 1000 };

    (void)pthread_cond_timedwait(&scout->changed, &scout->lock, &deadline); /* looks again anyway */
}

static int64_t next_due(const struct kafka_scout *scout, bool may_wake)
{
    int64_t due = scout->next_refresh_us;

    if (may_wake && scout->next_wake_us < due) {
        due = scout->next_wake_us;
    }
    if (scout->asked_count > 0 && scout->next_look_up_us < due) {
        due = scout->next_look_up_us;
    }
    return due;
}

static void *scout_main(void *context)
{
    struct kafka_scout *scout = context;

    (void)pthread_mutex_lock(&scout->lock);
    while (!scout->stopping) {
        int64_t now = kafka_clock_us();
        bool may_wake = scout->behind && scout->wakes_brokers;
        if (now >= scout->next_refresh_us) {
            refresh(scout);
        } else if (may_wake && now >= scout->next_wake_us) {
            wake_brokers(scout);
        } else if (scout->asked_count > 0 && now >= scout->next_look_up_us) {
            look_up(scout);
        } else {
            wait_until(scout, next_due(scout, may_wake));
        }
    }
    (void)pthread_mutex_unlock(&scout->lock);
    return NULL;
}

int kafka_scout_start(rd_kafka_t *client, const struct kafka_topic *topics, uint32_t topic_count,
                      int event_fd, bool wakes_brokers, struct kafka_view *view,
                      struct kafka_scout **ret, struct weir_error *err)
{
    struct kafka_scout *scout = calloc(1, sizeof(*scout));
    pthread_condattr_t monotonic;

    if (scout == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a thread");
    }
    scout->client = client;
    scout->topics = topics;
    scout->topic_count = topic_count;
    scout->event_fd = event_fd;
    scout->wakes_brokers = wakes_brokers;
    scout->view = *view;
    scout->heard_us = kafka_clock_us();
    scout->next_refresh_us = scout->heard_us + REFRESH_US;
    (void)pthread_mutex_init(&scout->lock,
                             NULL); /* default attributes: cannot fail, nor the rest */
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&scout->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    int code = pthread_create(&scout->thread, NULL, scout_main, scout);
    if (code != 0) {
        free(scout);
        return weir_error_set_errno(err, WEIR_ENOMEM, code, "cannot start a thread");
    }
    *view = (struct kafka_view){ 0 };
    *ret = scout;
    return WEIR_OK;
}

void kafka_scout_stop(struct kafka_scout *scout)
{
    if (scout == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&scout->lock);
    scout->stopping = true;
    (void)pthread_cond_signal(&scout->changed);
    (void)pthread_mutex_unlock(&scout->lock);
    (void)pthread_join(scout->thread, NULL); /* KS1 */
    kafka_view_fini(&scout->view);
    (void)pthread_cond_destroy(&scout->changed);
    (void)pthread_mutex_destroy(&scout->lock);
    free(scout);
}

void kafka_scout_set_behind(struct kafka_scout *scout, bool behind)
{
    (void)pthread_mutex_lock(&scout->lock);
    if (behind && !scout->behind) {
        (void)pthread_cond_signal(&scout->changed);
    }
    scout->behind = behind;
    (void)pthread_mutex_unlock(&scout->lock);
}

void kafka_scout_hurry(struct kafka_scout *scout)
{
    (void)pthread_mutex_lock(&scout->lock);
    if (!scout->hurry) {
        int64_t soon = kafka_clock_us() + REFRESH_SOON_US;
        scout->hurry = true;
        scout->next_refresh_us = soon < scout->next_refresh_us ? soon : scout->next_refresh_us;
        (void)pthread_cond_signal(&scout->changed);
    }
    (void)pthread_mutex_unlock(&scout->lock);
}

void kafka_scout_ask_limits(struct kafka_scout *scout, uint32_t partition, const char *topic,
                            int32_t number)
{
    (void)pthread_mutex_lock(&scout->lock);
    bool is_known = scout->asked_count == ASKED_MAX;
    for (uint32_t i = 0; i < scout->asked_count; i++) {
        is_known = is_known || scout->asked[i].partition == partition;
    }
    if (!is_known) {
        scout->asked[scout->asked_count++] = (struct asked){ partition, number, topic };
        (void)pthread_cond_signal(&scout->changed);
    }
    (void)pthread_mutex_unlock(&scout->lock);
}

bool kafka_scout_take_limits(struct kafka_scout *scout, struct kafka_limits *ret)
{
    (void)pthread_mutex_lock(&scout->lock);
    bool found = scout->found_count > 0;
    if (found) {
        *ret = scout->found[--scout->found_count];
    }
    (void)pthread_mutex_unlock(&scout->lock);
    return found;
}

void kafka_scout_lock(struct kafka_scout *scout, struct kafka_news *ret)
{
    (void)pthread_mutex_lock(&scout->lock);
    *ret = (struct kafka_news){
        .view = &scout->view,
        .version = atomic_load(&scout->version),
        .heard_us = scout->heard_us,
        .missing_since_us = scout->missing_since_us,
        .failure = scout->failure.code == WEIR_OK ? NULL : scout->failure.text,
    };
}

void kafka_scout_unlock(struct kafka_scout *scout)
{
    (void)pthread_mutex_unlock(&scout->lock);
}

uint64_t kafka_scout_version(struct kafka_scout *scout)
{
    return atomic_load(&scout->version);
}
