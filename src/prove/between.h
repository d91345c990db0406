/* between.h: a proxy before the brokers and one before the database, and the addresses by which a child
 * gets through them. */
#ifndef WEIR_PROVE_BETWEEN_H
#define WEIR_PROVE_BETWEEN_H

#include "prove/proxy.h"
#include "prove/session.h"

enum prove_endpoint { PROVE_BROKER, PROVE_DATABASE, PROVE_ENDPOINT_COUNT };

enum { PROVE_ADDRESS_BYTES = 2048 };

struct prove_between {
    struct prove_proxy *proxies[PROVE_ENDPOINT_COUNT];
    char brokers[PROVE_ADDRESS_BYTES];          /* for the option brokers */
    char broker_addresses[PROVE_ADDRESS_BYTES]; /* for the option of that name */
    char dsn[PROVE_ADDRESS_BYTES];
};

/* Asks a broker for all of them and puts a proxy before each, and one before the database of the session.
 * WEIR_EAWAY, WEIR_EIO, WEIR_ECONFIG for addresses that are too many. The caller passes *ret to
 * prove_between_close(). */
int prove_between_open(const char *brokers, struct prove_session *session,
                       struct prove_between **ret, struct weir_error *err);
/* NULL is a no-op. */
void prove_between_close(struct prove_between *between);

#endif
