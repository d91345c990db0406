/* kafka_addresses.h: the option broker_addresses: where brokers can be reached that advertise an address
 * which is of no use here, as behind a port forward, Docker or Kubernetes. */
#ifndef WEIR_SOURCE_KAFKA_ADDRESSES_H
#define WEIR_SOURCE_KAFKA_ADDRESSES_H

#include "base/option.h"

struct addrinfo;

struct kafka_address {
    char *host, *port; /* of IPv6 without brackets */
};

struct kafka_address_pair {
    struct kafka_address advertised, reachable;
};

/* Owns all of it; zeroed, it changes no address. */
struct kafka_addresses {
    struct kafka_address_pair *pairs;
    uint32_t count;
};

/* Reads 'advertised:port=reachable:port, ...'; empty text is no address. WEIR_ECONFIG. On success the
 * caller passes *ret to kafka_addresses_fini(). */
int kafka_addresses_parse(struct weir_str text, struct kafka_addresses *ret,
                          struct weir_error *err);
void kafka_addresses_fini(struct kafka_addresses *addresses);

/* getaddrinfo() of the address where a broker can be reached, for librdkafka's resolve callback: with
 * node, service and hints NULL it frees *res. Any thread. */
int kafka_addresses_resolve(const struct kafka_addresses *addresses, const char *node,
                            const char *service, const struct addrinfo *hints,
                            struct addrinfo **res);

#endif
