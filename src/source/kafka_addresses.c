/* kafka_addresses.c: reads the option broker_addresses, and resolves names through it.
 *
 * KA1  Only where a connection goes is changed: librdkafka still knows a broker by the address that it
 *      advertises, and that is the name which its certificate must hold.
 * Checked by tests/unit/source/test_kafka_config.c and tests/integration/test_network.py. */
#include "source/kafka_addresses.h"

#include <netdb.h>
#include <stdlib.h>
#include <strings.h>

enum { ADDRESSES_MAX = 1024, PORT_DIGITS_MAX = 5, PORT_MAX = 65535 };

/* What comes before the first of these letters; the letter and the rest are left in *rest. */
static struct weir_str cut_before(struct weir_str *rest, char letter)
{
    const char *found = rest->len == 0 ? NULL : memchr(rest->data, letter, rest->len);
    struct weir_str head = *rest;

    if (found != NULL) {
        head.len = (size_t)(found - rest->data);
    }
    *rest = (struct weir_str){ rest->data + head.len, rest->len - head.len };
    return head;
}

static bool is_port(struct weir_str text)
{
    unsigned long value = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i == PORT_DIGITS_MAX) {
            return false;
        }
        value = value * 10 + (unsigned long)(text.data[i] - '0');
    }
    return value >= 1 && value <= PORT_MAX;
}

/* "host:port" or "[address]:port". False when it is neither; *ret is then zeroed or to be freed. */
static bool read_address(struct weir_str text, struct kafka_address *ret)
{
    const char *colon = text.len == 0 ? NULL : memrchr(text.data, ':', text.len);
    struct weir_str host, port;

    if (colon == NULL) {
        return false;
    }
    host = (struct weir_str){ text.data, (size_t)(colon - text.data) };
    port = (struct weir_str){ colon + 1, text.len - host.len - 1 };
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']') {
        host = (struct weir_str){ host.data + 1, host.len - 2 };
    } else if (host.len > 0 && memchr(host.data, ':', host.len) != NULL) {
        return false; /* where such an address ends is not to be guessed */
    }
    if (host.len == 0 || memchr(host.data, ' ', host.len) != NULL || !is_port(port)) {
        return false;
    }
    ret->host = strndup(host.data, host.len);
    ret->port = strndup(port.data, port.len);
    return true;
}

static void free_pair(struct kafka_address_pair *pair)
{
    free(pair->advertised.host);
    free(pair->advertised.port);
    free(pair->reachable.host);
    free(pair->reachable.port);
}

/* Host names do not differ by case. */
static const struct kafka_address *find(const struct kafka_addresses *addresses, const char *host,
                                        const char *port)
{
    for (uint32_t i = 0; i < addresses->count; i++) {
        const struct kafka_address *advertised = &addresses->pairs[i].advertised;
        if (strcasecmp(advertised->host, host) == 0 && strcmp(advertised->port, port) == 0) {
            return &addresses->pairs[i].reachable;
        }
    }
    return NULL;
}

static int read_pair(struct weir_str text, struct kafka_addresses *ret, struct weir_error *err)
{
    struct kafka_address_pair pair = { 0 };
    struct weir_str rest = text;
    struct weir_str advertised = weir_str_trim(cut_before(&rest, '='));
    int rc = WEIR_OK;

    if (rest.len == 0 || !read_address(advertised, &pair.advertised) ||
        !read_address(weir_str_trim((struct weir_str){ rest.data + 1, rest.len - 1 }),
                      &pair.reachable)) {
        rc =
            weir_error_set(err, WEIR_ECONFIG,
                           "option broker_addresses: '%.*s' is not advertised:port=reachable:port, "
                           "such as 'kafka-0:9092=localhost:31092'",
                           WEIR_STR_ARG(text));
    } else if (pair.advertised.host == NULL || pair.advertised.port == NULL ||
               pair.reachable.host == NULL || pair.reachable.port == NULL) {
        rc = weir_error_set(err, WEIR_ENOMEM, "no memory for options");
    } else if (find(ret, pair.advertised.host, pair.advertised.port) != NULL) {
        rc = weir_error_set(err, WEIR_ECONFIG, "option broker_addresses: '%.*s' is there twice",
                            WEIR_STR_ARG(advertised));
    }
    if (rc != WEIR_OK) {
        free_pair(&pair);
        return rc;
    }
    ret->pairs[ret->count++] = pair;
    return WEIR_OK;
}

int kafka_addresses_parse(struct weir_str text, struct kafka_addresses *ret, struct weir_error *err)
{
    struct kafka_addresses addresses = { 0 };
    struct weir_str rest = text;
    size_t count = 1;
    int rc = WEIR_OK;

    if (text.len == 0) {
        *ret = addresses;
        return WEIR_OK;
    }
    for (size_t i = 0; i < text.len; i++) {
        count += text.data[i] == ',';
    }
    if (count > ADDRESSES_MAX) {
        return weir_error_set(err, WEIR_ECONFIG, "option broker_addresses: more than %d addresses",
                              (int)ADDRESSES_MAX);
    }
    addresses.pairs = calloc(count, sizeof(*addresses.pairs));
    if (addresses.pairs == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for options");
    }
    for (size_t i = 0; i < count && rc == WEIR_OK; i++) {
        rc = read_pair(weir_str_trim(cut_before(&rest, ',')), &addresses, err);
        if (rest.len > 0) {
            rest = (struct weir_str){ rest.data + 1, rest.len - 1 };
        }
    }
    if (rc != WEIR_OK) {
        kafka_addresses_fini(&addresses);
        return rc;
    }
    *ret = addresses;
    return WEIR_OK;
}

void kafka_addresses_fini(struct kafka_addresses *addresses)
{
    for (uint32_t i = 0; i < addresses->count; i++) {
        free_pair(&addresses->pairs[i]);
    }
    free(addresses->pairs);
    *addresses = (struct kafka_addresses){ 0 };
}

int kafka_addresses_resolve(const struct kafka_addresses *addresses, const char *node,
                            const char *service, const struct addrinfo *hints,
                            struct addrinfo **res)
{
    const struct kafka_address *reachable;

    if (node == NULL) {
        freeaddrinfo(*res);
        return 0;
    }
    reachable = find(addresses, node, service);
    return reachable == NULL ? getaddrinfo(node, service, hints, res)
                             : getaddrinfo(reachable->host, reachable->port, hints, res);
}
