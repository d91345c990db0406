/* proxy_link.c: reads, queues and writes the bytes of one link. Nothing here waits. */
#include "prove/proxy_link.h"

#include <errno.h>
#include <linux/sockios.h>
#include <math.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const double arrive_s = 0.2; /* the longest that a reset waits for bytes on their way */
static const double look_s = 0.002; /* how often it looks whether they have arrived */

static enum prove_way other(enum prove_way way)
{
    return way == PROVE_REQUESTS ? PROVE_REPLIES : PROVE_REQUESTS;
}

static void reset_fd(int *fd)
{
    const struct linger at_once = { .l_onoff = 1 };

    if (*fd >= 0) {
        /* What cannot be set or closed is gone already. */
        (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        (void)close(*fd);
        *fd = -1;
    }
}

static void drop_queue(struct prove_pipe *pipe)
{
    while (pipe->first != NULL) {
        struct prove_block *block = pipe->first;
        pipe->first = block->next;
        free(block);
    }
    pipe->last = NULL;
    pipe->queued_bytes = 0;
}

static bool is_read(const struct prove_link *link, enum prove_way way)
{
    const struct prove_pipe *pipe = &link->pipes[way];

    return link->end == PROVE_LINK_LIVES && link->fds[way] >= 0 && !pipe->saw_end &&
           !(way == PROVE_REPLIES && link->connecting) &&
           pipe->queued_bytes < PROVE_QUEUE_BYTES_MAX; /* PL2 */
}

static double write_at(const struct prove_link *link, enum prove_way way)
{
    const struct prove_pipe *pipe = &link->pipes[way];

    if (pipe->first == NULL || pipe->holds || link->fds[other(way)] < 0 || link->connecting ||
        prove_link_is_over(link)) {
        return INFINITY;
    }
    return fmax(pipe->first->due, pipe->pace_until);
}

void prove_link_wants(const struct prove_link *link, double now, struct pollfd ret[PROVE_WAY_COUNT])
{
    for (unsigned side = 0; side < PROVE_WAY_COUNT; side++) {
        enum prove_way way = (enum prove_way)side;
        short events = is_read(link, way) ? POLLIN : 0;

        if (write_at(link, other(way)) <= now || (way == PROVE_REPLIES && link->connecting)) {
            events = (short)(events | POLLOUT);
        }
        /* An fd that nothing is wanted of would still wake us for its end, again and again. */
        ret[side] = (struct pollfd){ .fd = events == 0 ? -1 : link->fds[side], .events = events };
    }
}

double prove_link_next(const struct prove_link *link)
{
    double at = fmin(write_at(link, PROVE_REQUESTS), write_at(link, PROVE_REPLIES));

    return link->end == PROVE_LINK_TO_RESET ? fmin(at, link->look_at) : at;
}

/* The client, or the server, is gone in the hard way. */
static void lose_side(struct prove_link *link, enum prove_way side)
{
    reset_fd(&link->fds[side]);
    if (side == PROVE_REPLIES) {
        link->end = PROVE_LINK_BROKEN; /* the client hears of it when the link is freed */
        return;
    }
    drop_queue(&link->pipes[PROVE_REPLIES]);
    link->pipes[PROVE_REPLIES].swallows = true;
    link->pipes[PROVE_REQUESTS].saw_end = true; /* PL3 */
}

size_t prove_link_read(struct prove_link *link, enum prove_way way, size_t bytes_max,
                       struct prove_block **ret_block)
{
    struct prove_block *block;
    ssize_t count;

    if (!is_read(link, way) || bytes_max == 0) {
        return 0;
    }
    block = malloc(sizeof(*block));
    if (block == NULL) {
        lose_side(link, PROVE_REPLIES);
        return 0;
    }
    bytes_max = bytes_max < PROVE_BLOCK_BYTES ? bytes_max : PROVE_BLOCK_BYTES;
    count = read(link->fds[way], block->bytes, bytes_max);
    if (count > 0) {
        block->at = 0;
        block->end = (size_t)count;
        *ret_block = block;
        return (size_t)count;
    }
    free(block);
    if (count == 0) {
        link->pipes[way].saw_end = true;
    } else if (errno != EAGAIN && errno != EINTR) {
        lose_side(link, way);
    }
    return 0;
}

void prove_link_queue(struct prove_link *link, enum prove_way way, struct prove_block *block,
                      double due)
{
    struct prove_pipe *pipe = &link->pipes[way];

    if (pipe->swallows || pipe->discards) {
        free(block);
        return;
    }
    block->next = NULL;
    block->due = pipe->last != NULL ? fmax(due, pipe->last->due) : due; /* PL1: in order */
    if (pipe->last != NULL) {
        pipe->last->next = block;
    } else {
        pipe->first = block;
    }
    pipe->last = block;
    pipe->queued_bytes += block->end - block->at;
}

static void write_way(struct prove_link *link, enum prove_way way, double now,
                      struct prove_pace pace)
{
    struct prove_pipe *pipe = &link->pipes[way];

    while (write_at(link, way) <= now) {
        struct prove_block *block = pipe->first;
        size_t bytes = block->end - block->at;
        bytes = pace.write_bytes != 0 && pace.write_bytes < bytes ? pace.write_bytes : bytes;
        ssize_t count = send(link->fds[other(way)], block->bytes + block->at, bytes, MSG_NOSIGNAL);
        if (count < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                lose_side(link, other(way));
            }
            return;
        }
        block->at += (size_t)count;
        pipe->queued_bytes -= (size_t)count;
        if (pace.write_bytes != 0) {
            pipe->pace_until = now + (double)count / pace.bytes_per_s;
        }
        if (block->at == block->end) {
            pipe->first = block->next;
            pipe->last = pipe->first == NULL ? NULL : pipe->last;
            free(block);
        }
    }
}

/* Whether all that was written to a side was taken in by its kernel. */
static bool has_arrived(int fd)
{
    int left = 0;

    return fd < 0 || ioctl(fd, SIOCOUTQ, &left) != 0 || left == 0;
}

static void settle_reset(struct prove_link *link, double now)
{
    bool is_written = link->pipes[link->last_way].first == NULL;

    link->look_at = now + look_s;
    if (now >= link->reset_at || (is_written && has_arrived(link->fds[other(link->last_way)]))) {
        link->end = PROVE_LINK_BROKEN;
    }
}

/* Passes on that a way has ended, and sees whether all has. */
static void settle(struct prove_link *link)
{
    const struct prove_pipe *requests = &link->pipes[PROVE_REQUESTS];
    const struct prove_pipe *replies = &link->pipes[PROVE_REPLIES];

    if (requests->saw_end && requests->swallows && link->fds[PROVE_REQUESTS] >= 0) {
        lose_side(link, PROVE_REQUESTS); /* its server does not hear that it went */
    }
    for (unsigned i = 0; i < PROVE_WAY_COUNT; i++) {
        struct prove_pipe *pipe = &link->pipes[i];
        int to = link->fds[other((enum prove_way)i)];

        if ((pipe->saw_end || pipe->discards) && pipe->first == NULL && !pipe->swallows &&
            !pipe->shut && !link->connecting && to >= 0) {
            (void)shutdown(to, SHUT_WR); /* fails when it is gone already */
            pipe->shut = true;
        }
    }
    if (replies->saw_end && (link->fds[PROVE_REQUESTS] < 0 ||
                             (requests->saw_end && (replies->shut || replies->swallows)))) {
        link->end = PROVE_LINK_ENDED;
    }
}

void prove_link_write(struct prove_link *link, double now, struct prove_pace pace)
{
    if (link->end == PROVE_LINK_TO_RESET) {
        write_way(link, link->last_way, now, (struct prove_pace){ 0 });
    } else if (!prove_link_is_over(link)) {
        write_way(link, PROVE_REQUESTS, now, pace);
        write_way(link, PROVE_REPLIES, now, pace);
    }
    if (link->end == PROVE_LINK_TO_RESET) {
        settle_reset(link, now);
    } else if (link->end == PROVE_LINK_LIVES) {
        settle(link);
    }
}

void prove_link_reset(struct prove_link *link, enum prove_way way, double now)
{
    if (link->end == PROVE_LINK_LIVES) {
        drop_queue(&link->pipes[other(way)]);
        link->pipes[way].holds = false;
        link->last_way = way;
        link->reset_at = now + arrive_s;
        link->look_at = now;
        link->end = PROVE_LINK_TO_RESET;
    }
}

void prove_link_close(struct prove_link *link)
{
    for (unsigned i = 0; i < PROVE_WAY_COUNT; i++) {
        link->pipes[i].discards = true;
    }
}

void prove_link_let_go(struct prove_link *link, double now)
{
    for (unsigned i = 0; i < PROVE_WAY_COUNT; i++) {
        link->pipes[i].holds = false;
        link->pipes[i].pace_until = now;
        for (struct prove_block *block = link->pipes[i].first; block != NULL; block = block->next) {
            block->due = fmin(block->due, now);
        }
    }
}

bool prove_link_is_over(const struct prove_link *link)
{
    return link->end >= PROVE_LINK_BROKEN;
}

bool prove_link_is_orphan(const struct prove_link *link)
{
    return link->fds[PROVE_REQUESTS] < 0;
}

void prove_link_free(struct prove_link *link)
{
    for (unsigned i = 0; i < PROVE_WAY_COUNT; i++) {
        drop_queue(&link->pipes[i]);
        if (link->end != PROVE_LINK_ENDED) {
            reset_fd(&link->fds[i]);
        } else if (link->fds[i] >= 0) {
            (void)close(link->fds[i]); /* both sides have said all they had to */
        }
    }
    free(link);
}
