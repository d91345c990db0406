/* kafka_scout.h: a thread that asks the brokers what would make poll() wait.
 *
 * It refreshes the view of the topics every few seconds, looks up the limits of a partition whose
 * position seems not to fit, and while the reader is behind it asks for ends every few
 * milliseconds. The last is needed because librdkafka 2.0.2, once a queue limit was reached, lets a
 * broker's thread sleep for up to a second although the queue is empty again (its issue 2879);
 * any request wakes that thread.
 * Threads: the functions are called by the source's thread; news is told by writing to event_fd. */
#ifndef WEIR_SOURCE_KAFKA_SCOUT_H
#define WEIR_SOURCE_KAFKA_SCOUT_H

#include "source/kafka_view.h"

struct kafka_scout;

struct kafka_limits {
    uint32_t partition; /* as it was asked */
    int64_t low, high;  /* first offset kept; one past the last that can be read */
};

/* Takes the view, which is its first news. client, topics and event_fd are borrowed until stop. */
int kafka_scout_start(rd_kafka_t *client, const struct kafka_topic *topics, uint32_t topic_count,
                      int event_fd, bool wakes_brokers, struct kafka_view *view,
                      struct kafka_scout **ret, struct weir_error *err);
/* Ends the thread; waits for a request under way, a few seconds at most. NULL is a no-op. */
void kafka_scout_stop(struct kafka_scout *scout);

void kafka_scout_set_behind(struct kafka_scout *scout, bool behind);
/* Refresh the view soon. */
void kafka_scout_hurry(struct kafka_scout *scout);
/* Look up the limits of a partition; the answer comes through kafka_scout_take_limits(). Asking for
 * one that is being looked up is a no-op. */
void kafka_scout_ask_limits(struct kafka_scout *scout, uint32_t partition, const char *topic,
                            int32_t number);
bool kafka_scout_take_limits(struct kafka_scout *scout, struct kafka_limits *ret);

/* What was heard last. The view is locked until kafka_scout_unlock(). */
struct kafka_news {
    const struct kafka_view *view;
    uint64_t version;         /* rises with every view */
    int64_t heard_us;         /* when the brokers last answered, by the monotonic clock */
    int64_t missing_since_us; /* since when some topic is not known; 0: all are */
    const char *failure;      /* why the last refresh failed; NULL when it did not */
};
void kafka_scout_lock(struct kafka_scout *scout, struct kafka_news *ret);
void kafka_scout_unlock(struct kafka_scout *scout);
/* The version alone, without a lock. */
uint64_t kafka_scout_version(struct kafka_scout *scout);

int64_t kafka_clock_us(void); /* monotonic */

#endif
