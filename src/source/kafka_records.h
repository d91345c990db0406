/* kafka_records.h: librdkafka's messages to records, and their bytes to the arena. */
#ifndef WEIR_SOURCE_KAFKA_RECORDS_H
#define WEIR_SOURCE_KAFKA_RECORDS_H

#include <librdkafka/rdkafka.h>

#include "source/source.h"

/* A record whose key and value still lie in the message. */
struct weir_record kafka_record_view(const rd_kafka_message_t *message, uint32_t partition);

/* Moves what records point at into the arena, so that the messages may be destroyed: runs of
 * values, each followed by its key, with 64 zeros behind. False without memory. */
bool kafka_records_copy(struct weir_record *records, uint32_t count, struct weir_arena *arena);

/* The headers as a JSON array of [name, value] pairs, in arena. A value that is not UTF-8 text is
 * given as bytea prints it, "\\x00ff"; one that is null, as null. False without memory. */
bool kafka_record_headers(const rd_kafka_message_t *message, struct weir_arena *arena,
                          struct weir_str *ret);

#endif
