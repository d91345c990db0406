/* proxy_door.h: a port of 127.0.0.1, and the server that the proxy reaches behind it. */
#ifndef WEIR_PROVE_PROXY_DOOR_H
#define WEIR_PROVE_PROXY_DOOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "weir/error.h"

enum { PROVE_FILLERS = 2 };

struct prove_door {
    struct sockaddr_storage server;
    socklen_t server_bytes;
    uint16_t port;
    int anchor_fd;                 /* keeps the port */
    int listen_fd;                 /* -1: connections are refused */
    int filler_fds[PROVE_FILLERS]; /* connections that fill the queue of a blocked door; -1: none */
};

/* Finds the server, as prove_proxy_add() says, and listens. The caller passes *ret to
 * prove_door_fini(). */
int prove_door_init(struct prove_door *ret, const char *host, const char *port,
                    struct weir_error *err);
void prove_door_fini(struct prove_door *door);
void prove_door_open(struct prove_door *door);
/* Whoever connects is refused. */
void prove_door_shut(struct prove_door *door);
/* Whoever connects gets no answer. */
void prove_door_block(struct prove_door *door);
bool prove_door_is_blocked(const struct prove_door *door);

#endif
