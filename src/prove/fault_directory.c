/* fault_directory.c: the data directory is lost, an older one is put back, its disk is full. */
#include <stdio.h>
#include <string.h>

#include "prove/play.h"

/* Seconds */
static const double full_s = 5;    /* at most so long is a disk full ... */
static const double silence_s = 1; /* ... or this long after the last commit */
static const double poll_s = 0.002;

enum prove_played prove_play_lose_directory(struct prove_stage *stage, enum prove_fault kind)
{
    struct weir_error err;
    enum prove_played played = prove_play_running(stage, kind);

    if (played == PROVE_PLAYED &&
        !prove_play_is_done(stage, prove_place_remove(stage->data[stage->holder], &err), &err)) {
        return PROVE_GAVE_UP;
    }
    return played == PROVE_PLAYED ? prove_play_bring_up(stage) : played;
}

/* A copy is taken, the pipeline goes on, is killed, and finds the copy in place of its directory. */
enum prove_played prove_play_put_back(struct prove_stage *stage, enum prove_fault kind)
{
    struct weir_error err;
    const char *data = stage->data[stage->holder];
    enum prove_played played = prove_play_bring_up(stage);

    if (played == PROVE_PLAYED) {
        played = prove_play_kill(stage, PROVE_RUNNING); /* one more of these */
    }
    if (played != PROVE_PLAYED) {
        return played;
    }
    if (!prove_play_is_done(stage, prove_place_remove(stage->data_old, &err), &err) ||
        !prove_play_is_done(stage, prove_place_copy(data, stage->data_old, &err), &err)) {
        return PROVE_GAVE_UP;
    }
    played = prove_play_running(stage, kind);
    if (played != PROVE_PLAYED) {
        return played;
    }
    if (!prove_play_is_done(stage, prove_place_remove(data, &err), &err) ||
        !prove_play_is_done(stage, prove_place_copy(stage->data_old, data, &err), &err)) {
        return PROVE_GAVE_UP;
    }
    return prove_play_bring_up(stage);
}

/* Full, and it goes on as long as what it has made ready lasts; it must wait then, not end. */
static enum prove_played await_silence(struct prove_stage *stage)
{
    double until = prove_now() + full_s;
    double quiet_since = prove_now();
    int status = 0;

    while (prove_now() < until && prove_now() - quiet_since < silence_s) {
        if (prove_interrupted()) {
            return PROVE_GAVE_UP;
        }
        if (prove_life_ended(prove_holder(stage), &status)) {
            return prove_play_give_up(stage, "it ended when its disk was full", status);
        }
        if (prove_play_look(stage)) {
            quiet_since = prove_now();
        }
        prove_sleep(poll_s);
    }
    return PROVE_PLAYED;
}

static enum prove_played fill_disk(struct prove_stage *stage, enum prove_fault kind,
                                   const char *ballast)
{
    struct weir_error err;
    enum prove_played played = prove_play_bring_up(stage);

    if (played != PROVE_PLAYED) {
        return played;
    }
    prove_play_note(stage, kind, prove_stage_now(stage), NULL);
    if (!prove_play_is_done(stage, prove_place_fill(ballast, &err), &err)) {
        return PROVE_GAVE_UP;
    }
    played = await_silence(stage);
    prove_play_note_end(stage);
    if (!prove_play_is_done(stage, prove_place_remove(ballast, &err), &err)) {
        return PROVE_GAVE_UP;
    }
    return played == PROVE_PLAYED ? prove_play_bring_up(stage) : played;
}

/* The data directory moves to the small disk for this one fault. */
enum prove_played prove_play_fill_disk(struct prove_stage *stage, enum prove_fault kind)
{
    struct weir_error err;
    char *data = stage->data[stage->holder];
    char usual[PROVE_PATH_BYTES];
    char small[PROVE_PATH_BYTES];
    char ballast[PROVE_PATH_BYTES];

    (void)snprintf(small, sizeof(small), "%.*s/%s", PROVE_PATH_BYTES - PROVE_NAME_BYTES - 2,
                   stage->options->disk_full_dir, stage->pipeline);
    (void)snprintf(ballast, sizeof(ballast), "%.*s.full", PROVE_PATH_BYTES - 6, small);
    if (prove_play_make_room(stage) != PROVE_PLAYED ||
        (prove_place_exists(data) && /* not before the first life */
         !prove_play_is_done(stage, prove_place_copy(data, small, &err), &err))) {
        return PROVE_GAVE_UP;
    }
    memcpy(usual, data, sizeof(usual));
    memcpy(data, small, sizeof(small));
    enum prove_played played = fill_disk(stage, kind, ballast);
    if (played != PROVE_GAVE_UP) {
        played = prove_play_make_room(stage) == PROVE_PLAYED ? played : PROVE_GAVE_UP;
    }
    (void)prove_life_kill(prove_holder(stage)); /* after an interrupt it still runs */
    memcpy(data, usual, sizeof(usual));
    if (!prove_play_is_done(stage, prove_place_remove(data, &err), &err) ||
        !prove_play_is_done(stage, prove_place_copy(small, data, &err), &err) ||
        !prove_play_is_done(stage, prove_place_remove(small, &err), &err)) {
        return PROVE_GAVE_UP;
    }
    return played;
}
