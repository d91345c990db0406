/* topic.h: makes and removes the topic that a proof plays on. */
#ifndef WEIR_PROVE_TOPIC_H
#define WEIR_PROVE_TOPIC_H

#include <stdint.h>

#include "weir/error.h"

/* Creates it with one replica a partition. WEIR_EAWAY: no broker answers; WEIR_EREFUSED: no right. */
int prove_topic_create(const char *brokers, const char *name, int partitions,
                       struct weir_error *err);
int prove_topic_delete(const char *brokers, const char *name, struct weir_error *err);

/* Hands each broker's own address to each(), until that fails. WEIR_EAWAY, or what each() said. */
typedef int prove_broker_fn(void *context, const char *host, int port, struct weir_error *err);
int prove_brokers_list(const char *brokers, prove_broker_fn *each, void *context,
                       struct weir_error *err);

#endif
