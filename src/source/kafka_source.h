/* kafka_source.h: records of one or more Kafka topics. */
#ifndef WEIR_SOURCE_KAFKA_SOURCE_H
#define WEIR_SOURCE_KAFKA_SOURCE_H

#include "source/source.h"

extern const struct weir_source_ops weir_kafka_source_ops;

#endif
