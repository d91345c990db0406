/* kafka_start.h: the option start. */
#ifndef WEIR_SOURCE_KAFKA_START_H
#define WEIR_SOURCE_KAFKA_START_H

#include "source/kafka_config.h"

/* Fills config's start, start_ms and start_offsets. config->topics is known. WEIR_ECONFIG. */
int kafka_start_parse(struct weir_str text, struct kafka_config *config, struct weir_error *err);

/* The offset that was given for a partition; -1 when there is none. */
int64_t kafka_start_offset(const struct kafka_config *config, struct weir_str topic,
                           int32_t partition);

#endif
