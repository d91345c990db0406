/* proxy.c: the thread of a proxy: its doors, its links, and the weather over them.
 *
 * PX1  A strike at byte n lets exactly the n bytes before it pass: no more than that are read.
 * PX2  The thread sleeps until a socket or the clock has something for it.
 * Checked by tests/unit/prove/test_proxy.c. */
#include "prove/proxy.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "prove/moment.h"
#include "prove/proxy_door.h"

enum {
    AFTER_BYTES = 32,
    FDS_MAX = 1 + PROVE_PROXY_DOORS_MAX + 2 * PROVE_PROXY_LINKS_MAX,
};

struct prove_proxy {
    pthread_t thread;
    pthread_mutex_t lock; /* of all below but wake_fd, which never changes */
    pthread_cond_t applied;
    int wake_fd;
    bool stops, is_new; /* is_new: the weather was set, and not yet looked at */
    struct prove_weather weather;
    char after[AFTER_BYTES + 1];
    struct prove_chance chance;
    struct prove_door doors[PROVE_PROXY_DOORS_MAX];
    uint32_t door_count;
    struct prove_link *links;
    struct prove_proxy_counts counts;
    bool is_down;     /* FLAP */
    double toggle_at; /* FLAP */
};

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); /* nothing was sent by it */
        *fd = -1;
    }
}

/* ---- links ---- */

static void cut_all(struct prove_proxy *proxy)
{
    for (struct prove_link *link = proxy->links; link != NULL; link = link->next) {
        if (!prove_link_is_over(link)) {
            link->end = PROVE_LINK_BROKEN;
            proxy->counts.struck++;
        }
    }
}

/* What the weather does to every link, whether it was there or is new. */
static void cloud(struct prove_proxy *proxy, struct prove_link *link)
{
    enum prove_weather_kind kind = proxy->weather.kind;
    bool harms = kind == PROVE_BLACK_HOLE || kind == PROVE_NO_REPLIES || kind == PROVE_NO_REQUESTS;

    if (kind == PROVE_BLACK_HOLE || kind == PROVE_NO_REPLIES) {
        link->pipes[PROVE_REPLIES].swallows = true;
    }
    if (kind == PROVE_BLACK_HOLE || kind == PROVE_NO_REQUESTS) {
        link->pipes[PROVE_REQUESTS].swallows = true;
    }
    proxy->counts.struck += harms || kind == PROVE_DELAY || kind == PROVE_TRICKLE;
}

static void set_no_delay(int fd)
{
    const int yes = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)); /* no unix socket has it */
}

static void accept_link(struct prove_proxy *proxy, const struct prove_door *door)
{
    int client = accept4(door->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct prove_link *link;
    int server;

    if (client < 0) {
        return; /* it went while it waited */
    }
    server = proxy->counts.open < PROVE_PROXY_LINKS_MAX
                 ? socket(door->server.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
                 : -1;
    link = server < 0 ? NULL : calloc(1, sizeof(*link));
    if (link == NULL ||
        (connect(server, (const struct sockaddr *)&door->server, door->server_bytes) != 0 &&
         errno != EINPROGRESS && errno != EAGAIN)) {
        free(link);
        close_fd(&server);
        close_fd(&client); /* the server is down: so are we */
        return;
    }
    set_no_delay(client);
    set_no_delay(server);
    link->fds[PROVE_REQUESTS] = client;
    link->fds[PROVE_REPLIES] = server;
    link->connecting = true;
    link->next = proxy->links;
    proxy->links = link;
    proxy->counts.open++;
    proxy->counts.opened++;
    cloud(proxy, link);
}

static bool counts_bytes(const struct prove_proxy *proxy, enum prove_way way)
{
    enum prove_weather_kind kind = proxy->weather.kind;

    return (kind == PROVE_RESET || kind == PROVE_CLOSE || kind == PROVE_CHANGE) &&
           way == proxy->weather.way && proxy->counts.struck == 0;
}

/* Changes one bit when the byte to change is among these. */
static void change(struct prove_proxy *proxy, struct prove_block *block, uint64_t before)
{
    const struct prove_weather *weather = &proxy->weather;
    size_t at = weather->at_byte > before ? (size_t)(weather->at_byte - before) : 0;

    if (at < block->end && proxy->after[0] != '\0') {
        const uint8_t *found =
            memmem(block->bytes + at, block->end - at, proxy->after, strlen(proxy->after));
        at = found == NULL ? block->end : (size_t)(found - block->bytes) + strlen(proxy->after);
    }
    if (at < block->end) {
        block->bytes[at] ^= (uint8_t)(1U << prove_chance_below(&proxy->chance, 8));
        proxy->counts.struck++;
    }
}

static void read_way(struct prove_proxy *proxy, struct prove_link *link, enum prove_way way,
                     double now)
{
    const struct prove_weather *weather = &proxy->weather;
    uint64_t before = proxy->counts.bytes[way];
    bool counts = counts_bytes(proxy, way);
    bool strikes = counts && weather->kind != PROVE_CHANGE;
    size_t bytes_max = PROVE_BLOCK_BYTES;
    struct prove_block *block = NULL;
    double due = now;

    if (strikes && weather->at_byte - before < bytes_max) {
        bytes_max = (size_t)(weather->at_byte - before); /* PX1 */
    }
    proxy->counts.bytes[way] += prove_link_read(link, way, bytes_max, &block);
    if (block != NULL && counts && weather->kind == PROVE_CHANGE) {
        change(proxy, block, before);
    }
    if (weather->kind == PROVE_DELAY) {
        due += prove_chance_within(&proxy->chance, 2 * weather->delay_s);
    }
    if (block != NULL) {
        prove_link_queue(link, way, block, due);
    }
    if (strikes && proxy->counts.bytes[way] == weather->at_byte) {
        proxy->counts.struck++;
        if (weather->kind == PROVE_RESET) {
            prove_link_reset(link, way, now);
        } else {
            prove_link_close(link);
        }
    }
}

static void serve_link(struct prove_proxy *proxy, struct prove_link *link,
                       const struct pollfd fds[PROVE_WAY_COUNT], double now)
{
    const bool trickles = proxy->weather.kind == PROVE_TRICKLE;
    const struct prove_pace pace = {
        .write_bytes = trickles ? proxy->weather.write_bytes : 0,
        .bytes_per_s = proxy->weather.bytes_per_s,
    };

    if (link->connecting && fds[PROVE_REPLIES].revents != 0) {
        int problem = 0;
        socklen_t bytes = sizeof(problem);

        if (getsockopt(link->fds[PROVE_REPLIES], SOL_SOCKET, SO_ERROR, &problem, &bytes) != 0 ||
            problem != 0) {
            link->end = PROVE_LINK_BROKEN;
            return;
        }
        link->connecting = false;
    }
    for (unsigned i = 0; i < PROVE_WAY_COUNT; i++) {
        if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
            read_way(proxy, link, (enum prove_way)i, now);
        }
    }
    prove_link_write(link, now, pace);
}

static void bury_links(struct prove_proxy *proxy)
{
    struct prove_link **at = &proxy->links;

    while (*at != NULL) {
        struct prove_link *link = *at;
        if (prove_link_is_over(link)) {
            *at = link->next;
            prove_link_free(link);
            proxy->counts.open--;
        } else {
            at = &link->next;
        }
    }
}

/* ---- weather ---- */

static void for_doors(struct prove_proxy *proxy, void (*act)(struct prove_door *door))
{
    for (uint32_t i = 0; i < proxy->door_count; i++) {
        act(&proxy->doors[i]);
    }
}

static void flap(struct prove_proxy *proxy, double now)
{
    double longest;

    proxy->is_down = !proxy->is_down;
    if (proxy->is_down) {
        cut_all(proxy);
    }
    for_doors(proxy, proxy->is_down ? prove_door_shut : prove_door_open);
    longest = proxy->is_down ? proxy->weather.down_s : proxy->weather.up_s;
    proxy->toggle_at = now + longest / 2 + prove_chance_within(&proxy->chance, longest / 2);
}

/* What was set comes into force. */
static void apply(struct prove_proxy *proxy, double now)
{
    enum prove_weather_kind kind = proxy->weather.kind;

    proxy->counts.struck = 0;
    memset(proxy->counts.bytes, 0, sizeof(proxy->counts.bytes));
    proxy->chance = (struct prove_chance){ .seed = proxy->weather.seed };
    proxy->is_down = false;
    proxy->toggle_at = kind == PROVE_FLAP ? now : INFINITY;
    for (struct prove_link *link = proxy->links; link != NULL; link = link->next) {
        if (prove_link_is_orphan(link) && !link->pipes[PROVE_REQUESTS].holds) {
            link->end = PROVE_LINK_BROKEN;
            continue;
        }
        prove_link_let_go(link, now);
        link->pipes[PROVE_REQUESTS].holds = kind == PROVE_HOLD;
        proxy->counts.struck += kind == PROVE_HOLD;
        cloud(proxy, link);
    }
    for_doors(proxy, kind == PROVE_REFUSE ? prove_door_shut
                     : kind == PROVE_HANG ? prove_door_block
                                          : prove_door_open);
    if (kind == PROVE_REFUSE || kind == PROVE_HANG) {
        cut_all(proxy);
    }
    proxy->is_new = false;
    (void)pthread_cond_broadcast(&proxy->applied);
}

/* ---- the thread ---- */

/* Fills in what to wait for; returns how many. */
static uint32_t watch(struct prove_proxy *proxy, double now, struct pollfd fds[FDS_MAX],
                      double *ret_until)
{
    uint32_t count = 0;

    fds[count++] = (struct pollfd){ .fd = proxy->wake_fd, .events = POLLIN };
    for (uint32_t i = 0; i < proxy->door_count; i++) {
        const struct prove_door *door = &proxy->doors[i];
        /* A blocked door has its fillers in the queue: they are not to be let in. */
        fds[count++] = (struct pollfd){ .fd = prove_door_is_blocked(door) ? -1 : door->listen_fd,
                                        .events = POLLIN };
    }
    *ret_until = proxy->toggle_at;
    for (const struct prove_link *link = proxy->links; link != NULL; link = link->next) {
        prove_link_wants(link, now, fds + count);
        count += PROVE_WAY_COUNT;
        *ret_until = fmin(*ret_until, prove_link_next(link));
    }
    return count;
}

static void serve(struct prove_proxy *proxy, const struct pollfd *fds, double now)
{
    const struct pollfd *at = fds + 1 + proxy->door_count;

    for (struct prove_link *link = proxy->links; link != NULL; link = link->next) {
        serve_link(proxy, link, at, now);
        at += PROVE_WAY_COUNT;
    }
    for (uint32_t i = 0; i < proxy->door_count; i++) {
        if (fds[1 + i].revents != 0) {
            accept_link(proxy, &proxy->doors[i]);
        }
    }
    if (now >= proxy->toggle_at) {
        flap(proxy, now);
    }
    bury_links(proxy);
}

static void *proxy_main(void *context)
{
    struct prove_proxy *proxy = context;
    struct pollfd fds[FDS_MAX];

    (void)pthread_mutex_lock(&proxy->lock);
    while (!proxy->stops) {
        double until;
        double now = prove_now();
        if (proxy->is_new) {
            apply(proxy, now);
            bury_links(proxy);
        }
        uint32_t count = watch(proxy, now, fds, &until);
        uint32_t doors = proxy->door_count;
        (void)pthread_mutex_unlock(&proxy->lock);

        double left = fmin(fmax(until - now, 0), 60);
        const struct timespec wait = { .tv_sec = (time_t)left,
                                       .tv_nsec = (long)((left - floor(left)) * 1e9) };
        bool is_ready = ppoll(fds, count, &wait, NULL) >= 0;
        (void)pthread_mutex_lock(&proxy->lock);
        if (is_ready && fds[0].revents != 0) {
            uint64_t ignored;
            (void)!read(proxy->wake_fd, &ignored, sizeof(ignored)); /* only wakes */
        }
        /* Links are ours alone; a door that was added meanwhile has moved them in the list. */
        if (is_ready && !proxy->is_new && doors == proxy->door_count) {
            serve(proxy, fds, prove_now());
        }
    }
    (void)pthread_mutex_unlock(&proxy->lock);
    return NULL;
}

static void wake(struct prove_proxy *proxy)
{
    const uint64_t one = 1;

    (void)!write(proxy->wake_fd, &one, sizeof(one)); /* full means that it wakes anyway */
}

int prove_proxy_open(struct prove_proxy **ret, struct weir_error *err)
{
    struct prove_proxy *proxy = calloc(1, sizeof(*proxy));

    if (proxy == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a proxy");
    }
    proxy->toggle_at = INFINITY;
    proxy->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    (void)pthread_mutex_init(&proxy->lock, NULL); /* default attributes: cannot fail */
    (void)pthread_cond_init(&proxy->applied, NULL);
    if (proxy->wake_fd < 0 || pthread_create(&proxy->thread, NULL, proxy_main, proxy) != 0) {
        int rc = weir_error_set_errno(err, WEIR_EIO, errno, "cannot start a proxy");
        close_fd(&proxy->wake_fd);
        free(proxy);
        return rc;
    }
    *ret = proxy;
    return WEIR_OK;
}

void prove_proxy_close(struct prove_proxy *proxy)
{
    if (proxy == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->stops = true;
    (void)pthread_mutex_unlock(&proxy->lock);
    wake(proxy);
    (void)pthread_join(proxy->thread, NULL);
    cut_all(proxy);
    bury_links(proxy);
    for (uint32_t i = 0; i < proxy->door_count; i++) {
        prove_door_fini(&proxy->doors[i]);
    }
    close_fd(&proxy->wake_fd);
    (void)pthread_cond_destroy(&proxy->applied);
    (void)pthread_mutex_destroy(&proxy->lock);
    free(proxy);
}

int prove_proxy_add(struct prove_proxy *proxy, const char *host, const char *port,
                    uint16_t *ret_port, struct weir_error *err)
{
    struct prove_door door;
    int rc = prove_door_init(&door, host, port, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    (void)pthread_mutex_lock(&proxy->lock);
    if (proxy->door_count == PROVE_PROXY_DOORS_MAX) {
        rc =
            weir_error_set(err, WEIR_ECONFIG, "more than %d addresses", (int)PROVE_PROXY_DOORS_MAX);
        prove_door_fini(&door);
    } else {
        proxy->doors[proxy->door_count++] = door;
        *ret_port = door.port;
    }
    (void)pthread_mutex_unlock(&proxy->lock);
    wake(proxy);
    return rc;
}

void prove_proxy_set(struct prove_proxy *proxy, const struct prove_weather *weather)
{
    (void)pthread_mutex_lock(&proxy->lock);
    proxy->weather = *weather;
    (void)snprintf(proxy->after, sizeof(proxy->after), "%s",
                   weather->after == NULL ? "" : weather->after);
    proxy->weather.after = NULL; /* the caller's */
    proxy->is_new = true;
    wake(proxy);
    while (proxy->is_new) {
        (void)pthread_cond_wait(&proxy->applied, &proxy->lock);
    }
    (void)pthread_mutex_unlock(&proxy->lock);
}

void prove_proxy_count(struct prove_proxy *proxy, struct prove_proxy_counts *ret)
{
    (void)pthread_mutex_lock(&proxy->lock);
    *ret = proxy->counts;
    (void)pthread_mutex_unlock(&proxy->lock);
}
