/* faults.c: plays faults on a stage.
 *
 * PF1  A kill counts only if the process died of it while rows were still to be written; else it is
 *      played again, with rows that were kept for the purpose.
 * PF2  Which fault comes when, and how long after the first commit of a life, is drawn from the seed.
 * PF3  Whatever is started again must commit again. What ends by itself, or does not, breaks the
 *      promise just as a lost row does. */
#include "prove/faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CUTS = 3,
    FROZEN_TURNS = 60,
    ATTEMPTS_MAX = 8, /* lives for one fault */
    EXIT_FENCED = 76,
    EXIT_TERMINATED = 128 + 15, /* SIGTERM while it was still recovering: as a kill */
    STARTING_PERCENT = 25,      /* of the kills */
    DRAINING_PERCENT = 8,
    OTHERS_PERCENT = 4, /* each other kind, of the number of kills; at least one */
};

/* Seconds */
static const double commit_timeout_s = 90;
static const double running_s = 0.015; /* a kill comes at most this long after a commit ... */
static const double starting_s = 0.2;  /* ... or after the start */
static const double external_s = 0.4;  /* the same for commands that we cannot look into */
static const double draining_s = 0.02;
static const double frozen_turn_s = 1;
static const double shell_s = 120;
static const double external_quiet_s = 5; /* a command has caught up when nothing came so long */
static const double poll_s = 0.002;
static const double settle_s = 0.01; /* what the server was still at when its client was hurt */

enum played { PLAYED, MISSED, GAVE_UP };

static bool is_wanted(const struct prove_options *options, enum prove_fault kind)
{
    const char *word = prove_fault_word[kind];
    size_t len = strlen(word);

    if (options->external != NULL && kind != PROVE_RUNNING && kind != PROVE_STARTING) {
        return false;
    }
    if ((kind == PROVE_PG_RESTART && options->pg_restart == NULL) ||
        (kind == PROVE_KAFKA_RESTART && options->kafka_restart == NULL)) {
        return false;
    }
    for (const char *at = options->faults; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if ((strncmp(at, word, len) == 0 && (at[len] == '\0' || at[len] == ',')) ||
            strcmp(at, "all") == 0) {
            return true;
        }
    }
    return false;
}

/* How often a kind is played. */
static uint32_t share_of(const struct prove_options *options, enum prove_fault kind)
{
    uint32_t percent = kind == PROVE_STARTING   ? STARTING_PERCENT
                       : kind == PROVE_DRAINING ? DRAINING_PERCENT
                                                : OTHERS_PERCENT;
    uint32_t count = options->kills * percent / 100;

    return !is_wanted(options, kind) ? 0 : count == 0 ? 1 : count;
}

int prove_deck_deal(const struct prove_options *options, struct prove_deck *ret,
                    struct weir_error *err)
{
    struct prove_chance chance = { .seed = prove_mix(options->seed, 1) };
    uint32_t shares[PROVE_FAULT_COUNT];
    uint32_t count = 0;

    for (unsigned kind = PROVE_RUNNING + 1; kind < PROVE_FAULT_COUNT; kind++) {
        shares[kind] = share_of(options, (enum prove_fault)kind);
        count += kind < PROVE_FREEZE ? shares[kind] : 0;
    }
    /* The plain kill makes up the number. */
    shares[PROVE_RUNNING] = !is_wanted(options, PROVE_RUNNING) ? 0
                            : options->kills > count           ? options->kills - count
                                                               : 0;
    count = 0;
    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        count += shares[kind];
    }
    ret->kinds = calloc(count + 1, 1);
    if (ret->kinds == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for faults");
    }
    for (unsigned kind = 0; kind < PROVE_FAULT_COUNT; kind++) {
        memset(ret->kinds + ret->count, (int)kind, shares[kind]);
        ret->count += shares[kind];
    }
    for (uint32_t i = ret->count; i > 1; i--) {
        uint64_t other = prove_chance_below(&chance, i);
        uint8_t kind = ret->kinds[i - 1];
        ret->kinds[i - 1] = ret->kinds[other];
        ret->kinds[other] = kind;
    }
    return WEIR_OK;
}

void prove_deck_fini(struct prove_deck *deck)
{
    free(deck->kinds);
}

static struct prove_life *holder(struct prove_stage *stage)
{
    return &stage->lives[stage->holder];
}

static double now(const struct prove_stage *stage)
{
    return prove_now() - stage->began_at;
}

/* More of the load, an equal part for each fault that is left. */
static void release(struct prove_stage *stage, uint32_t left)
{
    stage->released += (stage->rows - stage->released) / (left + 2);
    prove_load_allow(stage->load, stage->released);
}

/* PF3 */
static enum played give_up(struct prove_stage *stage, const char *what, int status)
{
    prove_outcome_break(stage->outcome, "%.2f s: %s (exit status %d); its log: %s", now(stage),
                        what, status, stage->log_path);
    return GAVE_UP;
}

static void note(struct prove_stage *stage, enum prove_fault kind, double at)
{
    const struct prove_event event = {
        .at = at,
        .kind = kind,
        .commit_s = -1,
        .batch = stage->batch,
        .first_id = prove_load_settled(stage->load),
    };

    weir_buf_append(&stage->outcome->events, &event, sizeof(event));
    if (!stage->outcome->events.failed) {
        stage->hurt = prove_event_at(stage->outcome, prove_event_count(stage->outcome) - 1);
        stage->hurt_at = at;
    }
}

/* Whoever was hurt has committed again. */
static void note_commit(struct prove_stage *stage)
{
    if (stage->hurt != NULL) {
        stage->hurt->commit_s = now(stage) - stage->hurt_at;
        stage->hurt = NULL;
    }
}

static bool start(struct prove_stage *stage, int which)
{
    struct weir_error err;

    if (prove_stage_start(stage, which, false, &err) != WEIR_OK) {
        prove_outcome_break(stage->outcome, "%.2f s: %s", now(stage), err.text);
        return false;
    }
    return true;
}

/* Waits for a commit that was not seen before, by the life that was started last. */
static enum played await_commit(struct prove_stage *stage, int which)
{
    double until = prove_now() + commit_timeout_s;
    int status = 0;

    while (!prove_stage_moved(stage)) {
        if (prove_interrupted()) {
            return GAVE_UP;
        }
        if (prove_life_ended(&stage->lives[which], &status)) {
            return give_up(stage, "it ended by itself", status);
        }
        if ((uint64_t)stage->records_in >= prove_load_settled(stage->load) &&
            stage->released >= stage->rows) {
            return MISSED; /* nothing is left to commit */
        }
        if (prove_now() > until) {
            return give_up(stage, "it runs, but commits nothing", 0);
        }
        prove_sleep(poll_s);
    }
    note_commit(stage);
    return PLAYED;
}

/* Runs and has just committed. */
static enum played bring_up(struct prove_stage *stage)
{
    int status;

    if (prove_life_ended(holder(stage), &status) && !start(stage, stage->holder)) {
        return GAVE_UP;
    }
    return await_commit(stage, stage->holder);
}

/* PF1 */
static enum played kill_holder(struct prove_stage *stage, enum prove_fault kind)
{
    double at = now(stage);

    if (!prove_life_kill(holder(stage))) {
        return prove_interrupted() ? GAVE_UP : give_up(stage, "it ended by itself", 0);
    }
    prove_sleep(settle_s);
    (void)prove_stage_moved(stage); /* what was in by then heals nothing */
    if ((uint64_t)stage->records_in >= prove_load_settled(stage->load)) {
        return MISSED;
    }
    note(stage, kind, at);
    return PLAYED;
}

static enum played kill_running(struct prove_stage *stage, enum prove_fault kind)
{
    enum played played = bring_up(stage);
    double within = stage->options->external != NULL ? external_s : running_s;

    if (played == PLAYED) {
        prove_sleep(prove_chance_within(&stage->chance, within));
        played = kill_holder(stage, kind);
    }
    return played;
}

static enum played kill_starting(struct prove_stage *stage)
{
    double within = stage->options->external != NULL ? external_s : starting_s;

    (void)prove_life_kill(holder(stage));
    if (!start(stage, stage->holder)) {
        return GAVE_UP;
    }
    prove_sleep(prove_chance_within(&stage->chance, within));
    return kill_holder(stage, PROVE_STARTING);
}

static enum played kill_draining(struct prove_stage *stage)
{
    enum played played = bring_up(stage);
    int status = 0;
    double at;

    if (played != PLAYED) {
        return played;
    }
    prove_life_terminate(holder(stage));
    at = now(stage);
    if (prove_life_wait(holder(stage), prove_chance_within(&stage->chance, draining_s), &status)) {
        if (status != 0 && status != EXIT_TERMINATED) {
            return give_up(stage, "SIGTERM ended it otherwise than asked", status);
        }
        note(stage, PROVE_DRAINING, at); /* it was faster: a clean end must do no harm either */
        return PLAYED;
    }
    return kill_holder(stage, PROVE_DRAINING);
}

/* The frozen one is overtaken: when it wakes up it must find out and end, without a row. */
static enum played freeze(struct prove_stage *stage, uint32_t left)
{
    struct prove_life *zombie = holder(stage);
    int other = 1 - stage->holder;
    int status = 0;
    enum played played = bring_up(stage);

    if (played != PLAYED) {
        return played;
    }
    prove_sleep(prove_chance_within(&stage->chance, running_s));
    double at = now(stage);
    prove_life_freeze(zombie);
    prove_sleep(settle_s);
    (void)prove_stage_moved(stage);
    note(stage, PROVE_FREEZE, at);
    release(stage, left);
    if (!start(stage, other)) {
        return GAVE_UP;
    }
    played = await_commit(stage, other);
    release(stage, left); /* something to write, for both */
    prove_life_thaw(zombie);
    stage->holder = other;
    if (played == GAVE_UP) {
        return GAVE_UP;
    }
    /* A late COMMIT of its own may have ended the wait above before the other one had taken over, and
     * who has nothing to write does not look: it gets work until it finds out. */
    bool ended = false;
    for (int i = 0; i < FROZEN_TURNS && !ended && !prove_interrupted(); i++) {
        ended = prove_life_wait(zombie, frozen_turn_s, &status);
        release(stage, left);
    }
    if (!ended) {
        return prove_interrupted()
                   ? GAVE_UP
                   : give_up(stage, "frozen and overtaken, it woke up and did not end", 0);
    }
    return status == EXIT_FENCED
               ? PLAYED
               : give_up(stage, "frozen and overtaken, it did not end as fenced (76)", status);
}

/* Fails only for the disk we keep directories on. */
static bool is_done(struct prove_stage *stage, int rc, const struct weir_error *err)
{
    if (rc != WEIR_OK) {
        prove_outcome_break(stage->outcome, "%.2f s: %s", now(stage), err->text);
    }
    return rc == WEIR_OK;
}

static enum played lose_directory(struct prove_stage *stage)
{
    struct weir_error err;
    enum played played = kill_running(stage, PROVE_DIR_LOST);

    if (played == PLAYED &&
        !is_done(stage, prove_place_remove(stage->data[stage->holder], &err), &err)) {
        return GAVE_UP;
    }
    return played == PLAYED ? bring_up(stage) : played;
}

/* A copy is taken, the pipeline goes on, is killed, and finds the copy in place of its directory. */
static enum played put_back(struct prove_stage *stage, uint32_t left)
{
    struct weir_error err;
    const char *data = stage->data[stage->holder];
    enum played played = bring_up(stage);

    (void)prove_life_kill(holder(stage));
    if (played != PLAYED || !is_done(stage, prove_place_remove(stage->data_old, &err), &err) ||
        !is_done(stage, prove_place_copy(data, stage->data_old, &err), &err)) {
        return played == PLAYED ? GAVE_UP : played;
    }
    release(stage, left);
    played = kill_running(stage, PROVE_DIR_OLD);
    if (played != PLAYED) {
        return played;
    }
    if (!is_done(stage, prove_place_remove(data, &err), &err) ||
        !is_done(stage, prove_place_copy(stage->data_old, data, &err), &err)) {
        return GAVE_UP;
    }
    return bring_up(stage);
}

static enum played run_clone(struct prove_stage *stage, uint32_t left)
{
    struct weir_error err;
    int other = 1 - stage->holder;
    enum played played = kill_running(stage, PROVE_DIR_CLONED);

    if (played != PLAYED) {
        return played;
    }
    if (!is_done(stage, prove_place_remove(stage->data[other], &err), &err) ||
        !is_done(stage, prove_place_copy(stage->data[stage->holder], stage->data[other], &err),
                 &err)) {
        return GAVE_UP;
    }
    release(stage, left);
    stage->holder = other;
    played = bring_up(stage);
    (void)prove_life_kill(holder(stage));
    stage->holder = 1 - other;
    release(stage, left);
    return played == PLAYED ? bring_up(stage) : played;
}

/* The server ends its sessions, a few times, wherever they are: every step must survive a lost line. */
static enum played cut_sessions(struct prove_stage *stage, uint32_t left)
{
    char sql[512];
    struct weir_error err;
    enum played played = bring_up(stage);

    (void)snprintf(
        sql, sizeof(sql),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        "starts_with(application_name, 'weir ' || (SELECT replace(uuid::text, '-', '') FROM "
        "weir.pipeline WHERE name = '%s'))",
        stage->pipeline);
    for (int i = 0; i < CUTS && played == PLAYED; i++) {
        release(stage, left);
        prove_sleep(prove_chance_within(&stage->chance, 2 * running_s));
        if (i == 0) {
            note(stage, PROVE_PG_CUT, now(stage));
        }
        if (!is_done(stage, prove_session_run(stage->look, sql, NULL, NULL, &err), &err)) {
            return GAVE_UP;
        }
    }
    prove_sleep(settle_s);
    (void)prove_stage_moved(stage);
    release(stage, left);
    return played == PLAYED ? bring_up(stage) : played;
}

static enum played restart_server(struct prove_stage *stage, enum prove_fault kind,
                                  const char *command, uint32_t left)
{
    struct weir_error err;
    int status = 0;
    enum played played = bring_up(stage);

    if (played != PLAYED) {
        return played;
    }
    note(stage, kind, now(stage));
    if (!is_done(stage, prove_life_shell(command, stage->log_path, shell_s, &status, &err), &err)) {
        return GAVE_UP;
    }
    if (status != 0) {
        prove_outcome_break(stage->outcome, "%.2f s: '%s' ended with status %d", now(stage),
                            command, status);
        return GAVE_UP;
    }
    release(stage, left);
    return bring_up(stage);
}

static enum played play_once(struct prove_stage *stage, enum prove_fault kind, uint32_t left)
{
    switch (kind) {
    case PROVE_RUNNING:
        return kill_running(stage, kind);
    case PROVE_STARTING:
        return kill_starting(stage);
    case PROVE_DRAINING:
        return kill_draining(stage);
    case PROVE_FREEZE:
        return freeze(stage, left);
    case PROVE_DIR_LOST:
        return lose_directory(stage);
    case PROVE_DIR_OLD:
        return put_back(stage, left);
    case PROVE_DIR_CLONED:
        return run_clone(stage, left);
    case PROVE_PG_CUT:
        return cut_sessions(stage, left);
    case PROVE_PG_RESTART:
        return restart_server(stage, kind, stage->options->pg_restart, left);
    case PROVE_KAFKA_RESTART:
        return restart_server(stage, kind, stage->options->kafka_restart, left);
    case PROVE_FAULT_COUNT:
        break;
    }
    return GAVE_UP;
}

int prove_fault_play(struct prove_stage *stage, enum prove_fault kind, uint32_t left,
                     struct weir_error *err)
{
    enum played played = MISSED;
    size_t before = prove_event_count(stage->outcome);

    for (int i = 0; i < ATTEMPTS_MAX && played == MISSED && !prove_interrupted(); i++) {
        release(stage, left);
        int rc = prove_load_wait(stage->load, commit_timeout_s, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        played = play_once(stage, kind, left);
    }
    if (played == GAVE_UP && !prove_interrupted()) {
        return weir_error_set(err, WEIR_ECONFLICT, "it did not survive: %s",
                              prove_fault_help[kind]);
    }
    for (size_t i = before; i < prove_event_count(stage->outcome); i++) {
        prove_event_at(stage->outcome, i)->survived = true;
    }
    return WEIR_OK;
}

int prove_fault_finish(struct prove_stage *stage, struct weir_error *err)
{
    int status = 0;
    int rc;

    stage->released = stage->rows;
    prove_load_allow(stage->load, stage->rows);
    rc = prove_load_wait(stage->load, commit_timeout_s, err);
    if (rc != WEIR_OK || prove_interrupted()) {
        return rc;
    }
    if (stage->options->external == NULL) {
        (void)prove_life_kill(holder(stage));
        rc = prove_stage_start(stage, stage->holder, true, err);
        if (rc == WEIR_OK && !prove_life_wait(holder(stage), commit_timeout_s, &status)) {
            (void)give_up(stage, "the last run did not catch up", 0);
        } else if (rc == WEIR_OK && status != 0) {
            (void)give_up(stage, "the last run ended otherwise than asked", status);
        }
        (void)prove_stage_moved(stage);
        note_commit(stage);
        return rc;
    }
    /* A command that we cannot ask: it has what it needs when nothing comes any more. */
    double quiet_since = prove_now();
    if (prove_life_ended(holder(stage), &status)) {
        rc = prove_stage_start(stage, stage->holder, false, err);
    }
    while (rc == WEIR_OK && !prove_interrupted() && prove_now() - quiet_since < external_quiet_s) {
        if (prove_stage_moved(stage)) {
            note_commit(stage);
            quiet_since = prove_now();
        }
        prove_sleep(poll_s);
    }
    (void)prove_life_kill(holder(stage));
    return rc;
}
