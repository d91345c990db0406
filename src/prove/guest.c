/* guest.c: the user's own pipeline on a stage.
 *
 * What it reads and writes is asked of `weir explain`, its table is made by what `weir ddl` prints: as
 * the user would. Name, mode and batch size are the proof's, by --set. */
#include "prove/guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prove/fitting.h"

enum { SQL_BYTES = 512 };

static const double ask_s = 60;

/* What a verb prints of the pipeline; *ret is to be freed. */
static int ask(struct prove_stage *stage, const char *verb, char **ret, struct weir_error *err)
{
    struct prove_life life = { 0 };
    char path[PROVE_PATH_BYTES];
    char *text = NULL;
    int status = 0;
    int rc;

    (void)snprintf(path, sizeof(path), "%.*s/%s", PROVE_PATH_BYTES - 64, stage->directory, verb);
    rc = prove_stage_ask(stage, verb, path, &life, err);
    if (rc == WEIR_OK && !prove_life_wait(&life, ask_s, &status)) {
        (void)prove_life_kill(&life);
        return weir_error_set(err, WEIR_ECONFIG, "weir %s does not end", verb);
    }
    if (rc == WEIR_OK) {
        rc = prove_place_read(path, &text, err);
    }
    if (rc == WEIR_OK && status != 0) {
        rc = weir_error_set(err, WEIR_ECONFIG, "the pipeline of --pipeline is not good: %.*s",
                            (int)strcspn(text, "\n"), text);
    }
    if (rc != WEIR_OK) {
        free(text);
        return rc;
    }
    *ret = text;
    return WEIR_OK;
}

static int copy_file(struct prove_stage *stage, struct weir_error *err)
{
    char *text = NULL;
    int rc = prove_place_read(stage->options->pipeline, &text, err);

    if (rc == WEIR_OK) {
        rc = prove_fitting_check_text(text, err);
    }
    if (rc == WEIR_OK) {
        rc = prove_place_write(stage->pipeline_path, text, err);
    }
    free(text);
    return rc;
}

static int fit(struct prove_stage *stage, struct weir_error *err)
{
    char *text = NULL;
    int rc = ask(stage, "explain", &text, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    rc = prove_fitting_read(text, &stage->fitting, err);
    free(text);
    if (rc == WEIR_OK) {
        (void)snprintf(stage->table, sizeof(stage->table), "%s", stage->fitting.table);
    }
    return rc;
}

static int make_table(struct prove_stage *stage, struct weir_error *err)
{
    char sql[SQL_BYTES];
    char *text = NULL;
    int64_t found = 0;
    int rc;

    (void)snprintf(sql, sizeof(sql), "SELECT (to_regclass('%s') IS NOT NULL)::int", stage->table);
    rc = prove_session_number(stage->look, sql, 0, &found, err);
    if (rc == WEIR_OK && found != 0) {
        rc = weir_error_set(err, WEIR_ECONFIG,
                            "table %s is there: prove makes it and drops it, so give a database "
                            "where it is not, or another name",
                            stage->table);
    }
    if (rc == WEIR_OK) {
        rc = ask(stage, "ddl", &text, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    stage->has_guest = true; /* even half of it is to be removed */
    rc = prove_session_run(stage->look, "SET client_min_messages = error", NULL, NULL, err);
    if (rc == WEIR_OK) {
        rc = prove_session_run(stage->look, text, NULL, NULL, err);
    }
    free(text);
    if (rc != WEIR_OK) {
        return weir_error_context(err, "cannot make table %s", stage->table);
    }
    (void)snprintf(
        sql, sizeof(sql),
        "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('%s') AND attname "
        "= 'id' AND atttypid = 'bigint'::regtype",
        stage->table);
    rc = prove_session_number(stage->look, sql, 0, &found, err);
    return rc != WEIR_OK || found == 1
               ? rc
               : weir_error_set(err, WEIR_ECONFIG,
                                "table %s has no column id of type bigint: prove knows rows by it",
                                stage->table);
}

int prove_guest_open(struct prove_stage *stage, struct weir_error *err)
{
    int rc = copy_file(stage, err);

    if (rc == WEIR_OK) {
        rc = fit(stage, err);
    }
    return rc == WEIR_OK ? make_table(stage, err) : rc;
}
