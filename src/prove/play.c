/* play.c: what all faults are made of.
 *
 * PF1  A fault counts only if it struck while rows were still to be written; else it is played again.
 * PF3  Whatever is started again must commit again. What ends by itself, or does not commit, breaks
 *      the promise just as a lost row does.
 * PF4  Whose commit it was is known by its generation: a life's is above the one that the ledger had
 *      when it was started. The COMMIT of a dead or frozen one may come in late, and under its own. */
#include "prove/play.h"

#include <inttypes.h>

/* Seconds */
static const double commit_timeout_s = 90;
static const double poll_s = 0.002;
static const double settle_s = 0.01; /* what the server was still at when its client was hurt */
const double prove_running_s = 0.015;

/* What is to be there for the taking at each moment: more than a life writes between two looks. */
enum { BACKLOG_ROWS = 2000, BACKLOG_ROWS_EXTERNAL = 5000 };

struct prove_life *prove_holder(struct prove_stage *stage)
{
    return &stage->lives[stage->holder];
}

double prove_stage_now(const struct prove_stage *stage)
{
    return prove_now() - stage->began_at;
}

bool prove_play_look(struct prove_stage *stage)
{
    bool moved = prove_stage_moved(stage);
    uint64_t backlog = stage->options->external != NULL ? BACKLOG_ROWS_EXTERNAL : BACKLOG_ROWS;
    uint64_t wanted = (uint64_t)stage->records_in + backlog;

    wanted = wanted > stage->rows ? stage->rows : wanted;
    if (wanted > stage->released) {
        stage->released = wanted;
        prove_load_allow(stage->load, wanted);
    }
    return moved;
}

bool prove_play_has_work(const struct prove_stage *stage)
{
    return (uint64_t)stage->records_in < prove_load_settled(stage->load);
}

enum prove_played prove_play_give_up(struct prove_stage *stage, const char *what, int status)
{
    prove_outcome_break(stage->outcome, "%.2f s: %s (exit status %d); its log: %s",
                        prove_stage_now(stage), what, status, stage->log_path);
    return PROVE_GAVE_UP;
}

bool prove_play_is_done(struct prove_stage *stage, int rc, const struct weir_error *err)
{
    if (rc != WEIR_OK) {
        prove_outcome_break(stage->outcome, "%.2f s: %s", prove_stage_now(stage), err->text);
    }
    return rc == WEIR_OK;
}

void prove_play_note(struct prove_stage *stage, enum prove_fault kind, double at, const char *point)
{
    const struct prove_event event = {
        .at = at,
        .kind = kind,
        .commit_s = -1,
        .batch = stage->batch,
        .batch_until = stage->batch,
        .first_id = prove_load_settled(stage->load),
        .point = point,
    };

    weir_buf_append(&stage->outcome->events, &event, sizeof(event));
    if (stage->outcome->events.failed) {
        prove_outcome_break(stage->outcome, "no memory to write down a fault");
        return;
    }
    stage->hurt = prove_event_at(stage->outcome, prove_event_count(stage->outcome) - 1);
    stage->hurt_at = at;
}

void prove_play_note_end(struct prove_stage *stage)
{
    size_t count = prove_event_count(stage->outcome);

    if (count > 0) {
        prove_event_at(stage->outcome, count - 1)->batch_until = stage->batch;
    }
}

bool prove_play_committed(struct prove_stage *stage, int which)
{
    bool is_its = prove_play_look(stage) && stage->generation > stage->above[which]; /* PF4 */

    if (is_its && stage->hurt != NULL) {
        stage->hurt->commit_s = prove_stage_now(stage) - stage->hurt_at;
        stage->hurt = NULL;
    }
    return is_its;
}

bool prove_play_start(struct prove_stage *stage, int which)
{
    struct weir_error err;

    return prove_play_is_done(stage, prove_stage_start(stage, which, false, &err), &err);
}

enum prove_played prove_play_await(struct prove_stage *stage, int which)
{
    double until = prove_now() + commit_timeout_s;
    int status = 0;

    while (!prove_play_committed(stage, which)) {
        if (prove_interrupted()) {
            return PROVE_GAVE_UP;
        }
        if (prove_life_ended(&stage->lives[which], &status)) {
            return prove_play_give_up(stage, "it ended by itself", status);
        }
        if (!prove_play_has_work(stage) && stage->released >= stage->rows &&
            prove_load_settled(stage->load) >= stage->released) {
            return PROVE_MISSED; /* nothing is left to commit */
        }
        if (prove_now() > until) {
            return prove_play_give_up(stage, "it runs, but commits nothing", 0);
        }
        prove_sleep(poll_s);
    }
    return PROVE_PLAYED;
}

enum prove_played prove_play_bring_up(struct prove_stage *stage)
{
    int status;

    if (prove_life_ended(prove_holder(stage), &status) && !prove_play_start(stage, stage->holder)) {
        return PROVE_GAVE_UP;
    }
    return prove_play_await(stage, stage->holder);
}

enum prove_played prove_play_struck(struct prove_stage *stage, enum prove_fault kind, double at,
                                    const char *point)
{
    prove_sleep(settle_s);
    (void)prove_play_look(stage); /* what was in by then heals nothing */
    if (!prove_play_has_work(stage)) {
        return PROVE_MISSED;
    }
    prove_play_note(stage, kind, at, point);
    return PROVE_PLAYED;
}

enum prove_played prove_play_make_room(struct prove_stage *stage)
{
    bool runs = prove_holder(stage)->pid != 0;
    enum prove_played played = runs ? prove_play_kill(stage, PROVE_RUNNING) : PROVE_PLAYED;

    return played == PROVE_MISSED ? PROVE_PLAYED : played;
}

enum prove_played prove_play_kill(struct prove_stage *stage, enum prove_fault kind)
{
    struct prove_life *life = prove_holder(stage);
    double at = prove_stage_now(stage);

    if (!prove_life_kill(life)) {
        return prove_interrupted() ? PROVE_GAVE_UP
                                   : prove_play_give_up(stage, "it ended by itself", life->status);
    }
    return prove_play_struck(stage, kind, at, NULL);
}
