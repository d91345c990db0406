/* faults.c: the table of faults, how many of each, and the course of one.
 *
 * Uses     play.h: each kind of fault is one function, in a file named fault_*.c.
 * PF2  Which fault comes when is drawn from the seed. */
#include "prove/faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prove/play.h"

enum {
    ATTEMPTS_MAX = 8, /* lives for one fault */
    KILLS_FEW = 4,    /* of fewer, not every kind of kill comes */
    STARTING_PERCENT = 25,
    DRAINING_PERCENT = 8,
    POINT_PERCENT = 30,
    OTHERS_PERCENT = 4, /* of the number of kills, in addition to them; at least one */
    NET_PERCENT = 1,    /* the same; there are many of them, and each takes seconds */
};

/* Seconds */
static const double commit_timeout_s = 90;
static const double external_quiet_s = 5; /* a command has caught up when nothing came so long */
static const double poll_s = 0.002;

static bool has_points(const struct prove_options *options)
{
    (void)options;
    return prove_points_exist();
}

static bool has_small_disk(const struct prove_options *options)
{
    return options->disk_full_dir != NULL;
}

static bool has_pg_restart(const struct prove_options *options)
{
    return options->pg_restart != NULL;
}

static bool has_kafka_restart(const struct prove_options *options)
{
    return options->kafka_restart != NULL;
}

/* How each kind is played. A new kind is a row here, a row of PROVE_FAULT_TABLE and its function. */
static const struct kind {
    prove_play_fn *play;
    uint32_t percent; /* of --kills; 0: what the other kills leave */
    bool is_kill;     /* one of --kills */
    bool fits_any;    /* can be done to a command of --external too */
    bool is_net;      /* needs proxies; asked for by the word net as well */
    bool (*is_possible)(const struct prove_options *options); /* NULL: always */
    const char *needs;                                        /* when it is not */
} kinds[PROVE_FAULT_COUNT] = {
    [PROVE_RUNNING] = { .play = prove_play_running, .is_kill = true, .fits_any = true },
    [PROVE_STARTING] = { .play = prove_play_starting,
                         .percent = STARTING_PERCENT,
                         .is_kill = true,
                         .fits_any = true },
    [PROVE_DRAINING] = { .play = prove_play_draining,
                         .percent = DRAINING_PERCENT,
                         .is_kill = true },
    [PROVE_POINT] = { .play = prove_play_point,
                      .percent = POINT_PERCENT,
                      .is_kill = true,
                      .is_possible = has_points,
                      .needs = "a build with -Dfail_points=true" },
    [PROVE_FREEZE] = { .play = prove_play_freeze, .percent = OTHERS_PERCENT },
    [PROVE_DIR_LOST] = { .play = prove_play_lose_directory, .percent = OTHERS_PERCENT },
    [PROVE_DIR_OLD] = { .play = prove_play_put_back, .percent = OTHERS_PERCENT },
    [PROVE_DIR_CLONED] = { .play = prove_play_clone, .percent = OTHERS_PERCENT },
    [PROVE_DISK_FULL] = { .play = prove_play_fill_disk,
                          .percent = OTHERS_PERCENT,
                          .is_possible = has_small_disk,
                          .needs = "--disk-full-dir" },
    [PROVE_PG_CUT] = { .play = prove_play_cut, .percent = OTHERS_PERCENT },
    [PROVE_PG_RESTART] = { .play = prove_play_pg_restart,
                           .percent = OTHERS_PERCENT,
                           .is_possible = has_pg_restart,
                           .needs = "--pg-restart" },
    [PROVE_KAFKA_RESTART] = { .play = prove_play_kafka_restart,
                              .percent = OTHERS_PERCENT,
                              .is_possible = has_kafka_restart,
                              .needs = "--kafka-restart" },
#define NET_KIND(name, word, help) \
    [PROVE_##name] = { .play = prove_play_net, .percent = NET_PERCENT, .is_net = true },
    PROVE_NET_TABLE(NET_KIND)
#undef NET_KIND
};

/* Without TLS a changed byte of a row is a changed row: nobody on either side could notice. */
static bool fits_database(const struct prove_options *options, enum prove_fault kind)
{
    return kind != PROVE_NET_CHANGE_DATABASE || prove_session_demands_tls(options->dsn);
}

/* Whether the list of --faults holds the word. */
static bool is_listed(const struct prove_options *options, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = options->faults; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, len) == 0 && (at[len] == '\0' || at[len] == ',')) {
            return true;
        }
    }
    return false;
}

/* Whether a kind is to be played. WEIR_ECONFIG when it is named but cannot be. */
static int is_wanted(const struct prove_options *options, bool can_be_led, enum prove_fault number,
                     bool *ret, struct weir_error *err)
{
    const struct kind *kind = &kinds[number];
    bool is_named = is_listed(options, prove_fault_word[number]);
    const char *needs = NULL;

    if (options->external != NULL && !kind->fits_any) {
        needs = "weir itself, not --external";
    } else if (kind->is_net && !can_be_led) {
        needs =
            "broker_addresses = '${WEIR_PROVE_BROKER_ADDRESSES:-}' in the pipeline, which leads it "
            "through the proxy";
    } else if (kind->is_possible != NULL && !kind->is_possible(options)) {
        needs = kind->needs;
    } else if (!fits_database(options, number)) {
        needs = "a --dsn with sslmode=require or stricter: without TLS nobody could notice";
    }
    if (needs != NULL && (is_named || (is_listed(options, "net") && kind->is_net && !can_be_led))) {
        return weir_error_set(err, WEIR_ECONFIG, "fault %s needs %s", prove_fault_word[number],
                              needs);
    }
    *ret = needs == NULL &&
           (is_named || is_listed(options, "all") || (kind->is_net && is_listed(options, "net")));
    return WEIR_OK;
}

/* Whether brokers can be given other addresses than those that they advertise. */
static int check_can_be_led(const struct prove_options *options, bool *ret, struct weir_error *err)
{
    char *text = NULL;
    int rc;

    *ret = true;
    if (options->pipeline == NULL) {
        return WEIR_OK;
    }
    rc = prove_place_read(options->pipeline, &text, err);
    if (rc == WEIR_OK) {
        *ret = prove_fitting_can_be_led(text);
    }
    free(text);
    return rc;
}

/* How often each kind is played. The first kind of kill that is wanted takes what the others leave. */
static void share_out(const struct prove_options *options, const bool *wanted, uint32_t *ret)
{
    unsigned first = PROVE_FAULT_COUNT;
    uint32_t kills_left = options->kills;

    for (unsigned kind = PROVE_FAULT_COUNT; kind-- > 0;) {
        uint32_t count = (uint32_t)((uint64_t)options->kills * kinds[kind].percent / 100);
        uint32_t least = kinds[kind].is_kill && options->kills < KILLS_FEW ? 0 : 1;
        ret[kind] = !wanted[kind] ? 0 : count > least ? count : least;
        if (wanted[kind] && kinds[kind].is_kill) {
            first = kind;
            kills_left -= ret[kind];
        }
    }
    if (first != PROVE_FAULT_COUNT) {
        ret[first] += kills_left;
    }
}

static void shuffle(struct prove_deck *deck, struct prove_chance *chance)
{
    for (uint32_t i = deck->count; i > 1; i--) {
        uint64_t other = prove_chance_below(chance, i);
        uint8_t kind = deck->kinds[i - 1];
        deck->kinds[i - 1] = deck->kinds[other];
        deck->kinds[other] = kind;
    }
}

int prove_deck_deal(const struct prove_options *options, struct prove_deck *ret,
                    struct weir_error *err)
{
    struct prove_chance chance = { .seed = prove_mix(options->seed, 1) };
    bool wanted[PROVE_FAULT_COUNT];
    uint32_t shares[PROVE_FAULT_COUNT];
    uint64_t count = 0;
    bool can_be_led;
    int rc = check_can_be_led(options, &can_be_led, err);

    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT && rc == WEIR_OK; kind++) {
        rc = is_wanted(options, can_be_led, (enum prove_fault)kind, &wanted[kind], err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    share_out(options, wanted, shares);
    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        count += shares[kind];
    }
    if (count == 0) {
        return weir_error_set(err, WEIR_ECONFIG,
                              "there is nothing to play: no fault is left of "
                              "--faults and --kills");
    }
    ret->kinds = calloc(count, 1);
    if (ret->kinds == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for faults");
    }
    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        memset(ret->kinds + ret->count, (int)kind, shares[kind]);
        ret->count += shares[kind];
    }
    shuffle(ret, &chance);
    return WEIR_OK;
}

bool prove_deck_needs_proxies(const struct prove_deck *deck)
{
    for (uint32_t i = 0; i < deck->count; i++) {
        if (kinds[deck->kinds[i]].is_net) {
            return true;
        }
    }
    return false;
}

void prove_deck_fini(struct prove_deck *deck)
{
    free(deck->kinds);
}

int prove_fault_play(struct prove_stage *stage, enum prove_fault kind, struct weir_error *err)
{
    enum prove_played played = PROVE_MISSED;
    size_t before = prove_event_count(stage->outcome);

    for (int i = 0; i < ATTEMPTS_MAX && played == PROVE_MISSED && !prove_interrupted(); i++) {
        (void)prove_play_look(stage);
        int rc = prove_load_wait(stage->load, commit_timeout_s, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        played = kinds[kind].play(stage, kind);
    }
    if (played == PROVE_GAVE_UP && !prove_interrupted()) {
        return weir_error_set(err, WEIR_ECONFLICT, "it did not survive: %s",
                              prove_fault_help[kind]);
    }
    for (size_t i = before; i < prove_event_count(stage->outcome); i++) {
        prove_event_at(stage->outcome, i)->survived = true;
    }
    return WEIR_OK;
}

/* A command that we cannot ask: it has what it needs when nothing comes any more. */
static int finish_external(struct prove_stage *stage, struct weir_error *err)
{
    double quiet_since = prove_now();
    int status;
    int rc = WEIR_OK;

    if (prove_life_ended(prove_holder(stage), &status)) {
        rc = prove_stage_start(stage, stage->holder, false, err);
    }
    while (rc == WEIR_OK && !prove_interrupted() && prove_now() - quiet_since < external_quiet_s) {
        if (prove_stage_moved(stage)) {
            quiet_since = prove_now();
        }
        prove_sleep(poll_s);
    }
    (void)prove_life_kill(prove_holder(stage));
    return rc;
}

int prove_fault_finish(struct prove_stage *stage, struct weir_error *err)
{
    int status = 0;
    int rc;

    if (stage->options->rows == 0) {
        stage->rows = stage->released; /* it was as much as the faults needed */
    }
    stage->released = stage->rows;
    prove_load_allow(stage->load, stage->rows);
    rc = prove_load_wait(stage->load, commit_timeout_s, err);
    if (rc != WEIR_OK || prove_interrupted()) {
        return rc;
    }
    if (stage->options->external != NULL) {
        return finish_external(stage, err);
    }
    if (prove_play_make_room(stage) != PROVE_PLAYED) {
        return WEIR_OK; /* the outcome knows */
    }
    rc = prove_stage_start(stage, stage->holder, true, err);
    if (rc == WEIR_OK && !prove_life_wait(prove_holder(stage), commit_timeout_s, &status)) {
        if (!prove_interrupted()) {
            (void)prove_play_give_up(stage, "the last run did not catch up", 0);
        }
    } else if (rc == WEIR_OK && status != 0) {
        (void)prove_play_give_up(stage, "the last run ended otherwise than asked", status);
    } else if (prove_event_count(stage->outcome) > 0) { /* the last kill, before this run */
        prove_event_at(stage->outcome, prove_event_count(stage->outcome) - 1)->survived = true;
    }
    return rc;
}
