/* fault_kill.c: kills: at random while it runs, while it starts, in the drain, and at fail points.
 *
 * Uses     play.h, points.h.
 * PF2  How long after a commit, or after the start, is drawn from the seed. */
#include <signal.h>
#include <string.h>

#include "prove/play.h"

enum {
    EXIT_KILLED = 128 + SIGKILL,
    EXIT_TERMINATED = 128 + SIGTERM, /* while it was still recovering: as a kill */
    POINT_COMMITS_MAX = 6,           /* of a life that has not come to its fail point */
};

/* Seconds */
static const double starting_s = 0.2;
static const double external_s = 0.4; /* for commands that we cannot look into */
static const double draining_s = 0.02;
static const double point_s = 20;
static const double poll_s = 0.002;

static double within(const struct prove_stage *stage, double seconds)
{
    return stage->options->external != NULL ? external_s : seconds;
}

enum prove_played prove_play_running(struct prove_stage *stage, enum prove_fault kind)
{
    enum prove_played played = prove_play_bring_up(stage);

    if (played == PROVE_PLAYED) {
        prove_sleep(prove_chance_within(&stage->chance, within(stage, prove_running_s)));
        played = prove_play_kill(stage, kind);
    }
    return played;
}

enum prove_played prove_play_starting(struct prove_stage *stage, enum prove_fault kind)
{
    if (prove_play_make_room(stage) != PROVE_PLAYED || !prove_play_start(stage, stage->holder)) {
        return PROVE_GAVE_UP;
    }
    prove_sleep(prove_chance_within(&stage->chance, within(stage, starting_s)));
    return prove_play_kill(stage, kind);
}

enum prove_played prove_play_draining(struct prove_stage *stage, enum prove_fault kind)
{
    enum prove_played played = prove_play_bring_up(stage);
    struct prove_life *life = prove_holder(stage);
    double at;

    if (played != PROVE_PLAYED) {
        return played;
    }
    at = prove_stage_now(stage);
    prove_life_terminate(life);
    prove_sleep(prove_chance_within(&stage->chance, draining_s));
    if (!prove_life_kill(life) && life->status != 0 && life->status != EXIT_TERMINATED) {
        return prove_play_give_up(stage, "SIGTERM ended it otherwise than asked", life->status);
    }
    return prove_play_struck(stage, kind, at, NULL); /* a clean end must do no harm either */
}

/* Of a life that has ended by itself, as it should at its fail point. */
static enum prove_played judge_end(struct prove_stage *stage, int status, bool asks_for_end)
{
    if (asks_for_end && (status == 0 || status == EXIT_TERMINATED)) {
        return PROVE_MISSED;
    }
    return status == EXIT_KILLED
               ? PROVE_PLAYED
               : prove_play_give_up(stage, "it did not die at its fail point", status);
}

/* The point is not on this life's way, or not so often: it is killed as usual. */
static enum prove_played end_of_patience(struct prove_stage *stage, bool asks_for_end)
{
    struct prove_life *life = prove_holder(stage);
    double at = prove_stage_now(stage);

    if (prove_life_kill(life)) {
        (void)prove_play_struck(stage, PROVE_RUNNING, at, NULL);
        return prove_interrupted() ? PROVE_GAVE_UP : PROVE_MISSED;
    }
    return judge_end(stage, life->status, asks_for_end); /* it came to it just now */
}

/* Waits for the life to die at its fail point. */
static enum prove_played await_death(struct prove_stage *stage, bool asks_for_end)
{
    struct prove_life *life = prove_holder(stage);
    double until = prove_now() + point_s;
    int commits = 0;
    int status = 0;

    while (!prove_life_ended(life, &status)) {
        commits += prove_play_committed(stage, stage->holder) ? 1 : 0;
        if (commits == 1 && asks_for_end) {
            prove_life_terminate(life);
        }
        if (commits > POINT_COMMITS_MAX || prove_now() > until || prove_interrupted()) {
            return end_of_patience(stage, asks_for_end);
        }
        prove_sleep(poll_s);
    }
    return judge_end(stage, status, asks_for_end);
}

enum prove_played prove_play_point(struct prove_stage *stage, enum prove_fault kind)
{
    struct prove_point point = prove_points_next(&stage->points, &stage->chance);
    struct weir_error err;
    enum prove_played played;

    if (prove_play_make_room(stage) != PROVE_PLAYED) {
        return PROVE_GAVE_UP;
    }
    if (point.wants_no_log &&
        !prove_play_is_done(stage, prove_place_remove(stage->data[stage->holder], &err), &err)) {
        return PROVE_GAVE_UP;
    }
    stage->fail_at = point.order;
    bool started = prove_play_start(stage, stage->holder);
    stage->fail_at = NULL;
    if (!started) {
        return PROVE_GAVE_UP;
    }
    played = await_death(stage, point.asks_for_end);
    if (played != PROVE_PLAYED) {
        return played;
    }
    return prove_play_struck(stage, kind, prove_stage_now(stage), point.name);
}
