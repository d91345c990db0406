/* fault_directory.c: the data directory is lost, or an older one is put back. */
#include "prove/play.h"

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
