/* proxy_link.h: one connection of a client through the proxy: two queues of bytes, and what ails them.
 *
 * PL1  What is passed on is what came, byte for byte and in order, but for the one byte that a fault
 *      changes. A way that has swallowed a byte passes on none after it: no network takes bytes out of
 *      the middle of a stream.
 * PL2  A queue is bounded: when it is full its sender is not read, so TCP holds it back.
 * PL3  Held requests are let go even when their client is gone by then: that is the command of a dead
 *      client which the server still has to do.
 * Checked by tests/unit/prove/test_proxy.c. */
#ifndef WEIR_PROVE_PROXY_LINK_H
#define WEIR_PROVE_PROXY_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two ways of a link; also the side where the bytes of that way come from. */
enum prove_way { PROVE_REQUESTS, PROVE_REPLIES, PROVE_WAY_COUNT };

enum { PROVE_BLOCK_BYTES = 16384, PROVE_QUEUE_BYTES_MAX = 1 << 20 };

/* Bytes that were read and are not yet written. */
struct prove_block {
    struct prove_block *next;
    double due; /* not before */
    size_t at, end;
    uint8_t bytes[PROVE_BLOCK_BYTES];
};

struct prove_pipe {
    struct prove_block *first, *last;
    size_t queued_bytes;
    double pace_until; /* no write before (trickle) */
    bool swallows; /* bytes are thrown away, and so is their end: the other side hears nothing */
    bool discards; /* bytes are thrown away, and their end is passed on behind those before */
    bool holds;    /* bytes wait until they are let go */
    bool saw_end;  /* the sender said that nothing more comes */
    bool shut;     /* and that was passed on */
};

enum prove_link_end {
    PROVE_LINK_LIVES,
    PROVE_LINK_TO_RESET, /* when what was read of last_way has arrived */
    PROVE_LINK_BROKEN,   /* over; what is still open is reset */
    PROVE_LINK_ENDED,    /* over, both sides agree */
};

struct prove_link {
    struct prove_link *next;
    int fds[PROVE_WAY_COUNT]; /* of the client, of the server; -1: closed */
    struct prove_pipe pipes[PROVE_WAY_COUNT];
    bool connecting; /* to the server */
    enum prove_link_end end;
    enum prove_way last_way;
    double reset_at, look_at; /* TO_RESET: at the latest; when to look again */
};

/* How bytes are written out at the moment. */
struct prove_pace {
    uint32_t write_bytes; /* at a time; 0: as many as there are */
    uint32_t bytes_per_s; /* with write_bytes only */
};

/* What the sockets of a link are to be polled for; an fd that is not is -1. */
void prove_link_wants(const struct prove_link *link, double now,
                      struct pollfd ret[PROVE_WAY_COUNT]);
/* When it has something to do by the clock alone; INFINITY: never. */
double prove_link_next(const struct prove_link *link);
/* Reads at most so many bytes of one way. Returns how many came, 0 when none: *ret_block is then not
 * touched, else the caller queues it or frees it. */
size_t prove_link_read(struct prove_link *link, enum prove_way way, size_t bytes_max,
                       struct prove_block **ret_block);
/* Takes a block; it is thrown away when the way says so. */
void prove_link_queue(struct prove_link *link, enum prove_way way, struct prove_block *block,
                      double due);
/* Writes what is due, and passes ends on. */
void prove_link_write(struct prove_link *link, double now, struct prove_pace pace);

/* The faults of a single link. Reset: when all that was read of one way has arrived, both sides are
 * reset. Close: both sides are told, in the orderly way and behind all that was read, that nothing
 * more comes. */
void prove_link_reset(struct prove_link *link, enum prove_way way, double now);
void prove_link_close(struct prove_link *link);
/* What is held, late or paced may go now. */
void prove_link_let_go(struct prove_link *link, double now);
bool prove_link_is_over(const struct prove_link *link);
/* Its client is gone, and its server has not heard of that. */
bool prove_link_is_orphan(const struct prove_link *link);
/* Closes what is still open, resets it unless both sides have ended, and frees it. */
void prove_link_free(struct prove_link *link);

#endif
