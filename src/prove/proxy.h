/* proxy.h: a TCP proxy that does to links what networks do to them.
 *
 * It listens on ports of 127.0.0.1, one for each server address that it is given, and passes
 * everything on byte for byte. Weather is what it does to it meanwhile; it comes and goes by
 * prove_proxy_set(), and holds for all ports of a proxy. One thread of its own. */
#ifndef WEIR_PROVE_PROXY_H
#define WEIR_PROVE_PROXY_H

#include "prove/proxy_link.h"
#include "weir/error.h"

enum prove_weather_kind {
    PROVE_CALM,
    PROVE_RESET,       /* at a byte: both sides get a reset when the bytes before it have arrived */
    PROVE_CLOSE,       /* at a byte: both sides get an orderly end behind the bytes before it */
    PROVE_BLACK_HOLE,  /* nothing arrives any more on the links that there are, and on new ones */
    PROVE_NO_REPLIES,  /* requests arrive, replies do not */
    PROVE_NO_REQUESTS, /* the reverse */
    PROVE_DELAY,       /* each block is late, by a time drawn anew */
    PROVE_TRICKLE,     /* a few bytes at a time, and few of them a second */
    PROVE_REFUSE,      /* links are reset, new ones refused */
    PROVE_HANG,        /* links are reset, connecting gets no answer */
    PROVE_FLAP,        /* refuses, passes on, refuses, ... */
    PROVE_HOLD,        /* requests of the links that there are wait; new links are well */
    PROVE_CHANGE,      /* one bit of one byte */
    PROVE_WEATHER_COUNT
};

struct prove_weather {
    enum prove_weather_kind kind;
    enum prove_way way; /* RESET, CLOSE, CHANGE: whose bytes are counted */
    uint64_t at_byte;   /* RESET, CLOSE, CHANGE: so many pass, over all links, before it strikes */
    const char *after;  /* CHANGE: ... and then the byte behind this text; copied, cut at 32 */
    double delay_s;     /* DELAY: the mean; between none and twice as much is drawn */
    uint32_t write_bytes; /* TRICKLE: at a time */
    uint32_t bytes_per_s; /* TRICKLE: of each link and way */
    double up_s, down_s;  /* FLAP: the longest; between half and all of it is drawn */
    uint64_t seed;
};

struct prove_proxy_counts {
    uint64_t opened;                 /* links, since the proxy is there */
    uint64_t struck;                 /* links that the weather has harmed, since it was set */
    uint32_t open;                   /* links now */
    uint64_t bytes[PROVE_WAY_COUNT]; /* since the weather was set */
};

enum { PROVE_PROXY_DOORS_MAX = 64, PROVE_PROXY_LINKS_MAX = 256 };

struct prove_proxy;

/* Fails with WEIR_EIO or WEIR_ENOMEM. *ret is to be closed. */
int prove_proxy_open(struct prove_proxy **ret, struct weir_error *err);
/* Ends all links. NULL is a no-op. */
void prove_proxy_close(struct prove_proxy *proxy);

/* Listens for a server: host is a name, an address or the directory of a unix socket of PostgreSQL,
 * port its number as text. Connects to it once to see that it is there: WEIR_EAWAY. */
int prove_proxy_add(struct prove_proxy *proxy, const char *host, const char *port,
                    uint16_t *ret_port, struct weir_error *err);
/* Changes the weather; it is in force when this returns. What was held or late goes on at once. Links
 * that have lost bytes never get well: they stay as they are until a side gives up. Those that only
 * the server still knows of are reset by the next weather. */
void prove_proxy_set(struct prove_proxy *proxy, const struct prove_weather *weather);
void prove_proxy_count(struct prove_proxy *proxy, struct prove_proxy_counts *ret);

#endif
