/* fault_net.c: what the network does to a pipeline, on its way to the brokers or to the database.
 *
 * PN1  Links that lost bytes stay silent for ever, so it is weir's own timeouts that must notice.
 * PN2  It leaks no descriptors over a fault, and does not spin while nothing comes through. */
#include <stdio.h>

#include "prove/play.h"
#include "prove/vitals.h"

enum {
    AT_BYTE_MAX = 100000, /* of the conversation, from the fault on */
    AT_BYTE_SMALL = 3000,
    TRICKLE_BYTES_MAX = 100,
    TRICKLE_BYTES_PER_S = 1024,
    DESCRIPTORS_SLACK = 24, /* links that are being made anew, and such as wait for their end */
};

/* Seconds */
static const double silence_s = 1.5; /* between half and three halves of it are drawn */
static const double delay_s = 0.03;
static const double slow_s = 1.5;
static const double flap_s = 3;
static const double flap_turn_s = 0.3;
static const double strike_timeout_s = 20;
static const double settle_s = 0.01;
static const double poll_s = 0.002;
static const double busy_share = 0.5; /* of a processor, while nothing comes through */

/* How long, and what for. */
enum course {
    AT_BYTE,   /* until it has struck */
    FOR_TIME,  /* and after that it must go on */
    UNTIL_NEXT /* it must go on meanwhile, and after it still */
};

/* By kind of fault. */
static const struct spec {
    enum prove_endpoint endpoint;
    enum prove_weather_kind weather;
    enum course course;
    bool is_silence; /* nothing to do but wait */
} specs[PROVE_FAULT_COUNT] = {
#define BOTH(name, ...)                                          \
    [PROVE_NET_##name##_BROKER] = { PROVE_BROKER, __VA_ARGS__ }, \
    [PROVE_NET_##name##_DATABASE] = { PROVE_DATABASE, __VA_ARGS__ }
    BOTH(RESET, PROVE_RESET, AT_BYTE, false),
    BOTH(CLOSE, PROVE_CLOSE, AT_BYTE, false),
    BOTH(BLACK_HOLE, PROVE_BLACK_HOLE, FOR_TIME, true),
    BOTH(NO_REPLIES, PROVE_NO_REPLIES, FOR_TIME, true),
    BOTH(NO_REQUESTS, PROVE_NO_REQUESTS, FOR_TIME, true),
    BOTH(DELAY, PROVE_DELAY, UNTIL_NEXT, false),
    BOTH(TRICKLE, PROVE_TRICKLE, FOR_TIME, false),
    BOTH(REFUSE, PROVE_REFUSE, FOR_TIME, true),
    BOTH(HANG, PROVE_HANG, FOR_TIME, true),
    BOTH(FLAP, PROVE_FLAP, FOR_TIME, false),
    BOTH(HOLD, PROVE_HOLD, UNTIL_NEXT, false),
    BOTH(CHANGE, PROVE_CHANGE, AT_BYTE, false),
#undef BOTH
};

static struct prove_weather draw_weather(const struct spec *spec, struct prove_chance *chance)
{
    bool counts_replies = prove_chance_below(chance, 2) == 0 || spec->weather == PROVE_CHANGE;
    /* Rows come as replies of the brokers and go as requests to the database; all else is small talk.
     * Small numbers hit what is said at the beginning of links. */
    bool has_rows = counts_replies == (spec->endpoint == PROVE_BROKER);
    uint64_t at_byte_max =
        has_rows && prove_chance_below(chance, 2) == 0 ? AT_BYTE_MAX : AT_BYTE_SMALL;

    return (struct prove_weather){
        .kind = spec->weather,
        .way = counts_replies ? PROVE_REPLIES : PROVE_REQUESTS,
        .at_byte = prove_chance_below(chance, at_byte_max),
        /* Of a record batch, a part that its checksum is of; under TLS there is no telling. */
        .after = spec->endpoint == PROVE_BROKER ? "\"id\":" : NULL,
        .delay_s = delay_s,
        .write_bytes = 1 + (uint32_t)prove_chance_below(chance, TRICKLE_BYTES_MAX),
        .bytes_per_s = TRICKLE_BYTES_PER_S,
        .up_s = flap_turn_s,
        .down_s = flap_turn_s,
        .seed = prove_chance_below(chance, UINT64_MAX),
    };
}

static double draw_seconds(const struct spec *spec, struct prove_chance *chance)
{
    if (spec->weather == PROVE_FLAP) {
        return flap_s;
    }
    return spec->is_silence ? silence_s / 2 + prove_chance_within(chance, silence_s) : slow_s;
}

/* Goes on while the load does. False when interrupted. */
static bool sit_through(struct prove_stage *stage, double seconds)
{
    for (double until = prove_now() + seconds; prove_now() < until && !prove_interrupted();) {
        (void)prove_play_look(stage);
        prove_sleep(poll_s);
    }
    return !prove_interrupted();
}

static bool await_strike(struct prove_stage *stage, struct prove_proxy *proxy)
{
    struct prove_proxy_counts counts = { 0 };

    for (double until = prove_now() + strike_timeout_s;
         prove_now() < until && counts.struck == 0 && !prove_interrupted();) {
        (void)prove_play_look(stage);
        prove_sleep(poll_s);
        prove_proxy_count(proxy, &counts);
    }
    return counts.struck > 0;
}

/* PN2 */
static enum prove_played judge_vitals(struct prove_stage *stage, const struct spec *spec,
                                      const struct prove_vitals *before, double cpu_s,
                                      double seconds)
{
    struct prove_vitals after;
    char text[128];

    if (!prove_vitals_read(prove_holder(stage)->pid, &after)) {
        return PROVE_PLAYED; /* the wait for its next commit has to say what that means */
    }
    if (after.descriptors > before->descriptors + DESCRIPTORS_SLACK) {
        (void)snprintf(text, sizeof(text), "it has %u descriptors open, %u before the fault",
                       after.descriptors, before->descriptors);
        return prove_play_give_up(stage, text, 0);
    }
    if (spec->is_silence && cpu_s > busy_share * seconds) {
        (void)snprintf(text, sizeof(text), "it used %.2f s of processor time in %.2f s of silence",
                       cpu_s, seconds);
        return prove_play_give_up(stage, text, 0);
    }
    return PROVE_PLAYED;
}

/* The weather, from its beginning to its end. *ret_cpu_s: processor time meanwhile. */
static enum prove_played play_weather(struct prove_stage *stage, enum prove_fault kind,
                                      double seconds, double *ret_cpu_s)
{
    const struct spec *spec = &specs[kind];
    const struct prove_weather calm = { .kind = PROVE_CALM };
    const struct prove_weather weather = draw_weather(spec, &stage->chance);
    struct prove_proxy *proxy = stage->between->proxies[spec->endpoint];
    struct prove_vitals begin = { 0 }, end = { 0 };
    enum prove_played played = PROVE_PLAYED;

    prove_sleep(prove_chance_within(&stage->chance, prove_running_s));
    (void)prove_vitals_read(prove_holder(stage)->pid, &begin);
    prove_proxy_set(proxy, &weather);
    if (spec->course == AT_BYTE && !await_strike(stage, proxy)) {
        played = prove_interrupted() ? PROVE_GAVE_UP : PROVE_MISSED;
    }
    if (played == PROVE_PLAYED) {
        double at = prove_stage_now(stage);
        prove_sleep(settle_s);
        (void)prove_play_look(stage); /* what was in by then heals nothing */
        prove_play_note(stage, kind, at, NULL);
    }
    if (played == PROVE_PLAYED && spec->course == UNTIL_NEXT) {
        played = prove_play_bring_up(stage);
    }
    if (played == PROVE_PLAYED && spec->course != AT_BYTE && !sit_through(stage, seconds)) {
        played = PROVE_GAVE_UP;
    }
    if (prove_vitals_read(prove_holder(stage)->pid, &end)) {
        *ret_cpu_s = end.cpu_s - begin.cpu_s;
    }
    prove_proxy_set(proxy, &calm);
    prove_play_note_end(stage);
    return played;
}

enum prove_played prove_play_net(struct prove_stage *stage, enum prove_fault kind)
{
    const struct spec *spec = &specs[kind];
    double seconds = draw_seconds(spec, &stage->chance);
    struct prove_vitals before = { 0 };
    double cpu_s = 0;
    enum prove_played played = prove_play_bring_up(stage);

    if (played != PROVE_PLAYED || !prove_vitals_read(prove_holder(stage)->pid, &before)) {
        return played;
    }
    played = play_weather(stage, kind, seconds, &cpu_s);
    if (played == PROVE_PLAYED) {
        played = prove_play_bring_up(stage);
    }
    return played == PROVE_PLAYED ? judge_vitals(stage, spec, &before, cpu_s, seconds) : played;
}
