/* fault_server.c: what happens to the servers: sessions that they end, and restarts. */
#include <stdio.h>

#include "prove/play.h"

enum { CUTS = 3, SQL_BYTES = 512 };

/* Seconds */
static const double shell_s = 120;
static const double settle_s = 0.01;

/* The server ends its sessions, a few times, wherever they are: every step must survive a lost line. */
enum prove_played prove_play_cut(struct prove_stage *stage, enum prove_fault kind)
{
    char sql[SQL_BYTES];
    struct weir_error err;
    enum prove_played played = prove_play_bring_up(stage);

    (void)snprintf(
        sql, sizeof(sql),
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
        "starts_with(application_name, 'weir ' || (SELECT replace(uuid::text, '-', '') FROM "
        "weir.pipeline WHERE name = '%s'))",
        stage->pipeline);
    for (int i = 0; i < CUTS && played == PROVE_PLAYED; i++) {
        prove_sleep(prove_chance_within(&stage->chance, 2 * prove_running_s));
        if (i == 0) {
            prove_play_note(stage, kind, prove_stage_now(stage), NULL);
        }
        if (!prove_play_is_done(stage, prove_session_run(stage->look, sql, NULL, NULL, &err),
                                &err)) {
            return PROVE_GAVE_UP;
        }
    }
    if (played != PROVE_PLAYED) {
        return played;
    }
    prove_sleep(settle_s);
    (void)prove_play_look(stage);
    prove_play_note_end(stage);
    return prove_play_bring_up(stage);
}

static enum prove_played restart(struct prove_stage *stage, enum prove_fault kind,
                                 const char *command)
{
    struct weir_error err;
    int status = 0;
    enum prove_played played = prove_play_bring_up(stage);

    if (played != PROVE_PLAYED) {
        return played;
    }
    prove_play_note(stage, kind, prove_stage_now(stage), NULL);
    if (!prove_play_is_done(
            stage, prove_life_shell(command, stage->log_path, shell_s, &status, &err), &err)) {
        return PROVE_GAVE_UP;
    }
    if (status != 0) {
        prove_outcome_break(stage->outcome, "%.2f s: '%s' ended with status %d",
                            prove_stage_now(stage), command, status);
        return PROVE_GAVE_UP;
    }
    played = prove_play_bring_up(stage);
    prove_play_note_end(stage);
    return played;
}

enum prove_played prove_play_pg_restart(struct prove_stage *stage, enum prove_fault kind)
{
    return restart(stage, kind, stage->options->pg_restart);
}

enum prove_played prove_play_kafka_restart(struct prove_stage *stage, enum prove_fault kind)
{
    return restart(stage, kind, stage->options->kafka_restart);
}
