/* kafka_outside.h: topics of a real broker, for tests in C.
 *
 * The broker's address comes in WEIR_TEST_KAFKA. Every function asserts that it worked. One topic at a
 * time, with a name of its own, so that tests never meet each other's records. */
#ifndef WEIR_TESTS_KAFKA_OUTSIDE_H
#define WEIR_TESTS_KAFKA_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>

/* False when there is no WEIR_TEST_KAFKA. */
bool kafka_outside_init(void);
void kafka_outside_fini(void);
const char *kafka_outside_brokers(void);

const char *kafka_outside_make(uint32_t partitions);
void kafka_outside_drop(void);
void kafka_outside_append(uint32_t partition, const char *key, const char *value,
                          int64_t timestamp_us);
/* count records as fast as it goes: value "N" padded to bytes, N from first on. */
void kafka_outside_fill(uint32_t partition, uint32_t first, uint32_t count, uint32_t bytes);
/* A transaction with one record that is aborted (two offsets that nobody sees). */
void kafka_outside_abort_one(uint32_t partition);
/* A transaction with count records, committed or aborted. */
void kafka_outside_transaction(uint32_t partition, uint32_t count, bool commit);
void kafka_outside_trim(uint32_t partition, int64_t low);
void kafka_outside_add_partition(void);
/* The end that a reader of committed records can reach. */
int64_t kafka_outside_end(uint32_t partition);

#endif
