/* fault_takeover.c: two instances of one pipeline: a frozen one that is overtaken, and a clone. */
#include "prove/play.h"

enum { EXIT_FENCED = 76 };

/* Seconds */
static const double fenced_timeout_s = 60;
static const double poll_s = 0.005;
static const double settle_s = 0.01;

/* The one that was frozen has work, until it finds out that it was overtaken. */
static enum prove_played await_fenced(struct prove_stage *stage, struct prove_life *frozen)
{
    double until = prove_now() + fenced_timeout_s;
    int status = 0;

    while (!prove_life_ended(frozen, &status)) {
        if (prove_interrupted()) {
            return PROVE_GAVE_UP;
        }
        if (prove_now() > until) {
            return prove_play_give_up(stage, "frozen and overtaken, it woke up and did not end", 0);
        }
        (void)prove_play_look(stage);
        prove_sleep(poll_s);
    }
    return status == EXIT_FENCED
               ? PROVE_PLAYED
               : prove_play_give_up(stage, "frozen and overtaken, it did not end as fenced (76)",
                                    status);
}

/* The frozen one is overtaken: when it wakes up it must find out and end, without a row. */
enum prove_played prove_play_freeze(struct prove_stage *stage, enum prove_fault kind)
{
    struct prove_life *frozen = prove_holder(stage);
    int other = 1 - stage->holder;
    enum prove_played played = prove_play_bring_up(stage);

    if (played != PROVE_PLAYED) {
        return played;
    }
    prove_sleep(prove_chance_within(&stage->chance, prove_running_s));
    double at = prove_stage_now(stage);
    prove_life_freeze(frozen);
    prove_sleep(settle_s);
    (void)prove_play_look(stage);
    prove_play_note(stage, kind, at, NULL);
    if (!prove_play_start(stage, other)) {
        return PROVE_GAVE_UP;
    }
    played = prove_play_await(stage, other);
    prove_play_note_end(stage);
    prove_life_thaw(frozen);
    stage->holder = other;
    return played == PROVE_PLAYED ? await_fenced(stage, frozen) : played;
}

enum prove_played prove_play_clone(struct prove_stage *stage, enum prove_fault kind)
{
    struct weir_error err;
    int first = stage->holder;
    int other = 1 - first;
    enum prove_played played = prove_play_running(stage, kind);

    if (played != PROVE_PLAYED) {
        return played;
    }
    if (!prove_play_is_done(stage, prove_place_remove(stage->data[other], &err), &err) ||
        !prove_play_is_done(stage, prove_place_copy(stage->data[first], stage->data[other], &err),
                            &err)) {
        return PROVE_GAVE_UP;
    }
    stage->holder = other;
    played = prove_play_bring_up(stage);
    if (played == PROVE_PLAYED) {
        (void)prove_play_kill(stage, PROVE_RUNNING); /* one more of these */
    }
    stage->holder = first;
    return played == PROVE_PLAYED ? prove_play_bring_up(stage) : played;
}
