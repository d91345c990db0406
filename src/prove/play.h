/* play.h: what all faults are made of: a pipeline that has just committed, a note of what was done to
 * it, and the wait for its next commit. */
#ifndef WEIR_PROVE_PLAY_H
#define WEIR_PROVE_PLAY_H

#include "prove/stage.h"

enum prove_played {
    PROVE_PLAYED,
    PROVE_MISSED,  /* nothing was left to write when it struck: does not count */
    PROVE_GAVE_UP, /* the promise is broken, and the outcome knows why; or we were interrupted */
};

/* Plays one kind of fault on the stage's holder. */
typedef enum prove_played prove_play_fn(struct prove_stage *stage, enum prove_fault kind);

/* Most faults strike at most this long after a commit. */
extern const double prove_running_s;

struct prove_life *prove_holder(struct prove_stage *stage);
/* Seconds since the beginning. */
double prove_stage_now(const struct prove_stage *stage);

/* Lets more of the load be sent, so that there is always something to write, and looks how far the
 * table is. True when that is further than at the last look. */
bool prove_play_look(struct prove_stage *stage);
/* Whether records were sent that are not in yet. */
bool prove_play_has_work(const struct prove_stage *stage);

/* PF3: what was started must go on. Tells the outcome and returns PROVE_GAVE_UP. */
enum prove_played prove_play_give_up(struct prove_stage *stage, const char *what, int status);
/* False, and the outcome knows why, when rc is not WEIR_OK. */
bool prove_play_is_done(struct prove_stage *stage, int rc, const struct weir_error *err);

/* Notes that a fault struck then; point: the fail point, or NULL (static). The next commit that is
 * waited for heals it. */
void prove_play_note(struct prove_stage *stage, enum prove_fault kind, double at,
                     const char *point);
/* The last fault went on until now: what was in flight meanwhile was in flight at it. */
void prove_play_note_end(struct prove_stage *stage);

/* Starts a life. False when it could not be started: the outcome knows why. */
bool prove_play_start(struct prove_stage *stage, int which);
/* Looks for a batch that lives[which] itself has committed. It heals the last fault. */
bool prove_play_committed(struct prove_stage *stage, int which);
/* Waits for a batch that lives[which] itself has committed. */
enum prove_played prove_play_await(struct prove_stage *stage, int which);
/* The holder runs and has just committed. */
enum prove_played prove_play_bring_up(struct prove_stage *stage);
/* PF1: notes a fault that ended the holder, unless nothing was left to write. */
enum prove_played prove_play_struck(struct prove_stage *stage, enum prove_fault kind, double at,
                                    const char *point);
/* Kills the holder if it runs, to start it otherwise: that is a kill like others. */
enum prove_played prove_play_make_room(struct prove_stage *stage);
/* Kills the holder, and notes it so. */
enum prove_played prove_play_kill(struct prove_stage *stage, enum prove_fault kind);

/* fault_kill.c */
prove_play_fn prove_play_running, prove_play_starting, prove_play_draining, prove_play_point;
/* fault_takeover.c */
prove_play_fn prove_play_freeze, prove_play_clone;
/* fault_directory.c */
prove_play_fn prove_play_lose_directory, prove_play_put_back, prove_play_fill_disk;
/* fault_server.c */
prove_play_fn prove_play_cut, prove_play_pg_restart, prove_play_kafka_restart;
/* fault_net.c */
prove_play_fn prove_play_net;

#endif
