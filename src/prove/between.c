/* between.c: puts proxies before the servers.
 *
 * A Kafka client goes where the brokers say they are, whatever it was told at first: so each advertised
 * address gets a port of the proxy, and weir's option broker_addresses leads there. The database's
 * connection string keeps its host, for a certificate may be checked against it, and gets our port. */
#include "prove/between.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prove/topic.h"

enum { PORT_BYTES = 8 };

/* Appends to a list with commas between; false when it is full. */
static bool append(char list[PROVE_ADDRESS_BYTES], const char *text)
{
    size_t len = strlen(list);
    int more = snprintf(list + len, PROVE_ADDRESS_BYTES - len, "%s%s", len == 0 ? "" : ",", text);

    return more >= 0 && (size_t)more < PROVE_ADDRESS_BYTES - len;
}

/* One broker, as prove_brokers_list() tells them. */
static int place_broker(void *context, const char *host, int port, struct weir_error *err)
{
    struct prove_between *between = context;
    bool is_v6 = strchr(host, ':') != NULL;
    char number[PORT_BYTES], text[512];
    uint16_t door = 0;
    int rc;

    (void)snprintf(number, sizeof(number), "%d", port);
    rc = prove_proxy_add(between->proxies[PROVE_BROKER], host, number, &door, err);
    if (rc != WEIR_OK) {
        return weir_error_context(err, "a proxy before the broker");
    }
    (void)snprintf(text, sizeof(text), "%s%s%s:%d=127.0.0.1:%u", is_v6 ? "[" : "", host,
                   is_v6 ? "]" : "", port, door);
    bool fits = append(between->broker_addresses, text);
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", door);
    fits = append(between->brokers, text) && fits;
    return fits ? WEIR_OK
                : weir_error_set(err, WEIR_ECONFIG, "network faults: too many brokers to proxy");
}

static int place_database(struct prove_between *between, struct prove_session *session,
                          struct weir_error *err)
{
    uint16_t door = 0;
    int rc = prove_proxy_add(between->proxies[PROVE_DATABASE], prove_session_host(session),
                             prove_session_port(session), &door, err);

    if (rc != WEIR_OK) {
        return weir_error_context(err, "a proxy before the database");
    }
    return prove_session_reroute(session, door, between->dsn, sizeof(between->dsn), err);
}

int prove_between_open(const char *brokers, struct prove_session *session,
                       struct prove_between **ret, struct weir_error *err)
{
    struct prove_between *between = calloc(1, sizeof(*between));
    int rc = WEIR_OK;

    if (between == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for proxies");
    }
    for (int i = 0; i < PROVE_ENDPOINT_COUNT && rc == WEIR_OK; i++) {
        rc = prove_proxy_open(&between->proxies[i], err);
    }
    if (rc == WEIR_OK) {
        rc = prove_brokers_list(brokers, place_broker, between, err);
    }
    if (rc == WEIR_OK) {
        rc = place_database(between, session, err);
    }
    if (rc != WEIR_OK) {
        prove_between_close(between);
        return rc;
    }
    *ret = between;
    return WEIR_OK;
}

void prove_between_close(struct prove_between *between)
{
    for (int i = 0; between != NULL && i < PROVE_ENDPOINT_COUNT; i++) {
        prove_proxy_close(between->proxies[i]);
    }
    free(between);
}
