/* proxy_door.c: opens, shuts and blocks the ports of a proxy.
 *
 * PD1  A port stays ours while it is shut: a socket that is bound and does not listen keeps it.
 * Checked by tests/unit/prove/test_proxy.c. */
#include "prove/proxy_door.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64 };

static int bind_socket(uint16_t *port, bool listens, int backlog)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(*port) };
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int yes = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)) != 0 ||
        bind(fd, (struct sockaddr *)&address, bytes) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) != 0 ||
        (listens && listen(fd, backlog) != 0)) {
        if (fd >= 0) {
            (void)close(fd); /* errno of what failed is not asked for after this */
        }
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* a listening or filling socket has nothing to lose */
        *fd = -1;
    }
}

void prove_door_shut(struct prove_door *door)
{
    close_fd(&door->listen_fd);
    for (unsigned i = 0; i < PROVE_FILLERS; i++) {
        close_fd(&door->filler_fds[i]);
    }
}

bool prove_door_is_blocked(const struct prove_door *door)
{
    return door->filler_fds[0] >= 0;
}

void prove_door_open(struct prove_door *door)
{
    if (door->listen_fd < 0 || prove_door_is_blocked(door)) {
        prove_door_shut(door);
        door->listen_fd = bind_socket(&door->port, true, BACKLOG);
    }
}

/* A door whose queue is full answers nobody: Linux drops what asks for a connection. */
void prove_door_block(struct prove_door *door)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(door->port) };

    prove_door_shut(door);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    door->listen_fd = bind_socket(&door->port, true, 0);
    for (unsigned i = 0; i < PROVE_FILLERS; i++) {
        door->filler_fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (door->filler_fds[i] >= 0) {
            /* Under way is all that it is to be. */
            (void)connect(door->filler_fds[i], (struct sockaddr *)&address, sizeof(address));
        }
    }
}

/* Whether somebody answers there; then that is the address. */
static bool try_address(struct prove_door *door, const struct sockaddr *address, socklen_t bytes)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, address, bytes) == 0;

    close_fd(&fd);
    if (answers) {
        memcpy(&door->server, address, bytes);
        door->server_bytes = bytes;
    }
    return answers;
}

static bool find_server(struct prove_door *door, const char *host, const char *port)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct addrinfo *found = NULL;
    bool answers = false;

    if (host[0] == '/') {
        int len = snprintf(local.sun_path, sizeof(local.sun_path), "%s/.s.PGSQL.%s", host, port);
        return len < (int)sizeof(local.sun_path) &&
               try_address(door, (struct sockaddr *)&local, sizeof(local));
    }
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return false;
    }
    for (const struct addrinfo *at = found; at != NULL && !answers; at = at->ai_next) {
        answers = try_address(door, at->ai_addr, at->ai_addrlen);
    }
    freeaddrinfo(found);
    return answers;
}

int prove_door_init(struct prove_door *ret, const char *host, const char *port,
                    struct weir_error *err)
{
    struct prove_door door = { .listen_fd = -1, .filler_fds = { -1, -1 } };

    if (!find_server(&door, host, port)) {
        return weir_error_set(err, WEIR_EAWAY, "cannot connect to %s, port %s", host, port);
    }
    door.anchor_fd = bind_socket(&door.port, false, 0);
    if (door.anchor_fd >= 0) {
        prove_door_open(&door);
    }
    if (door.listen_fd < 0) {
        prove_door_fini(&door);
        return weir_error_set_errno(err, WEIR_EIO, errno, "no port for a proxy");
    }
    *ret = door;
    return WEIR_OK;
}

void prove_door_fini(struct prove_door *door)
{
    prove_door_shut(door);
    close_fd(&door->anchor_fd);
}
