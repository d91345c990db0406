/* memory_source.h: a topic in memory, for tests of everything above a source and for programs that
 * push records themselves.
 *
 * The topic is the outside: it outlives the sources that read it, so that a test can close a
 * source, start anew and find the same records. A source finds its topic by name
 * (topic = 'orders'), among those that exist in the process.
 * Threads: a topic may be changed by any thread; a source belongs to one. */
#ifndef WEIR_SOURCE_MEMORY_SOURCE_H
#define WEIR_SOURCE_MEMORY_SOURCE_H

#include "source/source.h"

extern const struct weir_source_ops weir_memory_source_ops;

struct weir_memory_topic;

/* Makes a topic with empty partitions 0..partitions-1. Names of living topics differ (asserted).
 * NULL without memory. */
struct weir_memory_topic *weir_memory_topic_new(const char *name, uint32_t partitions);
/* Frees it; no source may be open on it. NULL is a no-op. */
void weir_memory_topic_free(struct weir_memory_topic *topic);

/* Appends a record; key and value are copied, data NULL makes a null. Returns its offset; -1
 * without memory. */
int64_t weir_memory_topic_append(struct weir_memory_topic *topic, uint32_t partition,
                                 struct weir_str key, struct weir_str value, int64_t timestamp_us);
/* The next count offsets hold nothing that readers see, as after an aborted transaction. */
void weir_memory_topic_append_gap(struct weir_memory_topic *topic, uint32_t partition,
                                  uint32_t count);
/* Forgets what lies before low, as retention does. */
void weir_memory_topic_trim(struct weir_memory_topic *topic, uint32_t partition, int64_t low);
/* Forgets what lies at end and behind, as an unclean leader change does. */
void weir_memory_topic_cut(struct weir_memory_topic *topic, uint32_t partition, int64_t end);
/* One partition more. False without memory. */
bool weir_memory_topic_add_partition(struct weir_memory_topic *topic);
/* While away, discover() and start_position() fail and poll() brings nothing. */
void weir_memory_topic_set_away(struct weir_memory_topic *topic, bool away);
/* Another cluster behind the same name. */
void weir_memory_topic_set_identity(struct weir_memory_topic *topic, uint64_t identity);
/* The end of a partition: the offset that the next record gets. */
int64_t weir_memory_topic_end(struct weir_memory_topic *topic, uint32_t partition);

#endif
