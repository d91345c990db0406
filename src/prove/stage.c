/* stage.c: builds what a proof plays on, and takes it down.
 *
 * SG1  Nothing that was there before is touched: topic and schema have names that were drawn, and of
 *      schema weir only the rows of the proof's own pipeline are removed, or all of it when it was
 *      not there before and nobody else uses it by then.
 * SG2  Connection strings go to children by the environment, never by a command line that others see. */
#include "prove/stage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "prove/guest.h"
#include "prove/topic.h"

enum {
    SQL_BYTES = 2048,
    TEXT_BYTES = 4096,
    VARIABLES_MAX = 7,
    VARIABLE_BYTES = PROVE_ADDRESS_BYTES + 64,
    ARGUMENTS_MAX = 24,
    SETTING_BYTES = 128,
};

extern char **environ;

static const char pipeline_text[] =
    "CREATE TABLE incoming (id bigint, body text) WITH (connector = 'kafka', format = 'json',\n"
    "  brokers = '${WEIR_PROVE_BROKERS}', topic = '${WEIR_PROVE_TOPIC}'%s);\n"
    "CREATE TABLE %s (id bigint, body text, part integer, pos bigint)\n"
    "  WITH (connector = 'postgres', dsn = '${WEIR_PROVE_DSN}'%s);\n"
    "INSERT INTO %s SELECT id, body, _partition, _offset FROM incoming;\n";

/* Behind the proxies: whoever is left without an answer is to notice soon. */
static const char source_behind_proxy[] =
    ",\n  broker_addresses = '${WEIR_PROVE_BROKER_ADDRESSES}', \"kafka.socket.timeout.ms\" = "
    "'2000',\n"
    "  \"kafka.socket.connection.setup.timeout.ms\" = '2000'";
static const char sink_behind_proxy[] = ", answer_timeout = '1 s'";

/* Names that nobody has: the seed alone would meet itself in a second run. */
static int draw_names(struct prove_stage *stage, struct weir_error *err)
{
    uint32_t tag;
    ssize_t len;

    if (getrandom(&tag, sizeof(tag), 0) != (ssize_t)sizeof(tag)) {
        return weir_error_set_errno(err, WEIR_EIO, errno, "no random number");
    }
    (void)snprintf(stage->pipeline, sizeof(stage->pipeline), "weir_prove_%08x", tag);
    (void)snprintf(stage->topic, sizeof(stage->topic), "weir-prove-%08x", tag);
    (void)snprintf(stage->schema, sizeof(stage->schema), "weir_prove_%08x", tag);
    (void)snprintf(stage->table, sizeof(stage->table), "%s.result", stage->schema);
    len = readlink("/proc/self/exe", stage->program, sizeof(stage->program) - 1);
    if (len < 0) {
        return weir_error_set_errno(err, WEIR_EIO, errno, "cannot find this program's own file");
    }
    stage->program[len] = '\0';
    return WEIR_OK;
}

static void below(const struct prove_stage *stage, const char *name, char ret[PROVE_PATH_BYTES])
{
    /* prove_place_make() left room for it. */
    (void)snprintf(ret, PROVE_PATH_BYTES, "%.*s/%s", PROVE_PATH_BYTES - 64, stage->directory, name);
}

static int make_files(struct prove_stage *stage, struct weir_error *err)
{
    char text[TEXT_BYTES];
    int rc = prove_place_make(stage->options->directory, stage->directory, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    below(stage, "pipeline.sql", stage->pipeline_path);
    below(stage, "sent", stage->sent_path);
    below(stage, "weir.log", stage->log_path);
    below(stage, "data", stage->data[0]);
    below(stage, "data-other", stage->data[1]);
    below(stage, "data-old", stage->data_old);
    if (stage->options->pipeline == NULL) {
        (void)snprintf(text, sizeof(text), pipeline_text,
                       stage->between != NULL ? source_behind_proxy : "", stage->table,
                       stage->between != NULL ? sink_behind_proxy : "", stage->table);
        rc = prove_place_write(stage->pipeline_path, text, err);
    }
    return rc != WEIR_OK ? rc : prove_ledger_create(stage->sent_path, &stage->ledger, err);
}

static int make_schema(struct prove_stage *stage, struct weir_error *err)
{
    char sql[SQL_BYTES];
    int64_t there = 0;
    int rc = prove_session_number(stage->look,
                                  "SELECT (pg_catalog.to_regnamespace('weir') IS NOT NULL)::int", 0,
                                  &there, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    stage->had_ledger = there != 0;
    if (stage->options->pipeline != NULL) {
        return WEIR_OK; /* it brings its own table */
    }
    (void)snprintf(sql, sizeof(sql),
                   "CREATE SCHEMA %s; CREATE TABLE %s (id bigint, body text, part integer, pos "
                   "bigint)",
                   stage->schema, stage->table);
    rc = prove_session_run(stage->look, sql, NULL, NULL, err);
    if (rc != WEIR_OK) {
        return weir_error_context(err,
                                  "cannot make schema %s (the role needs CREATE on the "
                                  "database)",
                                  stage->schema);
    }
    stage->has_schema = true;
    return WEIR_OK;
}

static int open_all(struct prove_stage *stage, struct weir_error *err)
{
    const struct prove_options *options = stage->options;
    const bool is_ours = options->external == NULL;
    struct prove_watcher_args watcher = {
        .dsn = options->dsn,
        .table = stage->table,
        .pipeline = is_ours ? stage->pipeline : NULL,
        .rows_may_repeat = strcmp(options->mode, "at_least_once") == 0,
        .ids = stage->rows,
        .began_at = stage->began_at,
    };
    struct prove_load_args load = {
        .brokers = options->brokers,
        .topic = stage->topic,
        .partitions = PROVE_PARTITIONS,
        .seed = options->seed,
    };
    int rc = draw_names(stage, err);

    if (rc == WEIR_OK && options->disk_full_dir != NULL) {
        rc = prove_place_check_small(options->disk_full_dir, err);
    }
    if (rc == WEIR_OK) {
        rc = prove_session_open(options->dsn, "weir prove", &stage->look, err);
    }
    if (rc == WEIR_OK) {
        rc = prove_topic_create(options->brokers, stage->topic, PROVE_PARTITIONS, err);
        stage->has_topic = rc == WEIR_OK;
    }
    if (rc == WEIR_OK && stage->wants_proxies) {
        rc = prove_between_open(options->brokers, stage->look, &stage->between, err);
    }
    if (rc == WEIR_OK && stage->between != NULL) {
        stage->child_brokers = stage->between->brokers;
        stage->child_dsn = stage->between->dsn;
    }
    if (rc == WEIR_OK) {
        rc = make_schema(stage, err);
    }
    if (rc == WEIR_OK) {
        rc = make_files(stage, err);
    }
    if (rc == WEIR_OK && options->pipeline != NULL) {
        rc = prove_guest_open(stage, err);
        load.fitting = &stage->fitting;
        watcher.pipeline = stage->fitting.is_one_transaction ? stage->pipeline : NULL;
    }
    if (rc == WEIR_OK) {
        load.ledger = stage->ledger;
        rc = prove_load_open(&load, &stage->load, err);
    }
    return rc != WEIR_OK ? rc : prove_watcher_open(&watcher, &stage->watcher, err);
}

int prove_stage_open(struct prove_stage *stage, struct weir_error *err)
{
    int rc = open_all(stage, err);

    if (rc != WEIR_OK) {
        prove_stage_close(stage, false);
    }
    return rc;
}

/* SG1 */
static int remove_ledger(struct prove_stage *stage, struct weir_error *err)
{
    static const char *const tables[] = { "batch", "ledger" };
    char sql[SQL_BYTES];
    int64_t there = 0;
    int rc = prove_session_number(
        stage->look, "SELECT (pg_catalog.to_regclass('weir.version') IS NOT NULL)::int", 0, &there,
        err);

    if (rc != WEIR_OK || there == 0) {
        return rc;
    }
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && rc == WEIR_OK; i++) {
        (void)snprintf(
            sql, sizeof(sql),
            "DELETE FROM weir.%s WHERE pipeline IN (SELECT uuid FROM weir.pipeline WHERE "
            "name = '%s')",
            tables[i], stage->pipeline);
        rc = prove_session_run(stage->look, sql, NULL, NULL, err);
    }
    if (rc == WEIR_OK) {
        (void)snprintf(sql, sizeof(sql),
                       "DELETE FROM weir.dead_letter WHERE pipeline = '%s'; DELETE FROM "
                       "weir.pipeline WHERE name = '%s'",
                       stage->pipeline, stage->pipeline);
        rc = prove_session_run(stage->look, sql, NULL, NULL, err);
    }
    if (rc == WEIR_OK && !stage->had_ledger) {
        rc = prove_session_run(
            stage->look,
            "DO $$ BEGIN LOCK TABLE weir.pipeline IN ACCESS EXCLUSIVE MODE; IF "
            "NOT EXISTS (SELECT FROM weir.pipeline) THEN SET LOCAL "
            "client_min_messages = error; DROP SCHEMA weir CASCADE; END IF; END $$",
            NULL, NULL, err);
    }
    return rc;
}

static void say_left(const char *what, const struct weir_error *err)
{
    (void)fprintf(stderr, "weir prove: could not remove %s: %s\n", what, err->text);
}

static void remove_all(struct prove_stage *stage)
{
    struct weir_error err = { 0 };
    char sql[SQL_BYTES];

    if (stage->has_schema || stage->has_guest) {
        const char *name = stage->has_guest ? stage->table : stage->schema;
        (void)snprintf(sql, sizeof(sql), "SET client_min_messages = error; DROP %s %s CASCADE",
                       stage->has_guest ? "TABLE IF EXISTS" : "SCHEMA", name);
        if (prove_session_run(stage->look, sql, NULL, NULL, &err) != WEIR_OK) {
            say_left(name, &err);
        }
        if (remove_ledger(stage, &err) != WEIR_OK) {
            say_left("its rows in schema weir", &err);
        }
    }
    if (stage->has_topic &&
        prove_topic_delete(stage->options->brokers, stage->topic, &err) != WEIR_OK) {
        say_left(stage->topic, &err);
    }
    if (stage->directory[0] != '\0' && prove_place_remove(stage->directory, &err) != WEIR_OK) {
        say_left(stage->directory, &err);
    }
}

void prove_stage_close(struct prove_stage *stage, bool keep)
{
    (void)prove_life_kill(&stage->lives[0]);
    (void)prove_life_kill(&stage->lives[1]);
    prove_load_close(stage->load);
    prove_ledger_close(stage->ledger);
    prove_watcher_close(stage->watcher);
    if (keep) {
        (void)fprintf(stderr,
                      "weir prove: the evidence is kept: %s (pipeline, logs, what was sent), table "
                      "%s, pipeline %s in schema weir, topic %s\n",
                      stage->directory, stage->table, stage->pipeline, stage->topic);
    } else {
        remove_all(stage);
    }
    prove_session_close(stage->look);
    prove_between_close(stage->between);
}

/* The environment of a child: ours, and where it reads and writes. To be freed with the texts. */
static char **make_environment(const struct prove_stage *stage, char (*texts)[VARIABLE_BYTES])
{
    size_t count = 0;
    char **all;

    while (environ[count] != NULL) {
        count++;
    }
    all = calloc(count + VARIABLES_MAX + 1, sizeof(*all));
    if (all == NULL) {
        return NULL;
    }
    (void)snprintf(texts[0], VARIABLE_BYTES, "WEIR_PROVE_BROKERS=%s", stage->child_brokers);
    (void)snprintf(texts[1], VARIABLE_BYTES, "WEIR_PROVE_DSN=%s", stage->child_dsn);
    (void)snprintf(texts[2], VARIABLE_BYTES, "WEIR_PROVE_TOPIC=%s", stage->topic);
    (void)snprintf(texts[3], VARIABLE_BYTES, "WEIR_PROVE_TABLE=%s", stage->table);
    (void)snprintf(texts[4], VARIABLE_BYTES, "WEIR_PROVE_GROUP=%s", stage->pipeline);
    (void)snprintf(texts[5], VARIABLE_BYTES, "WEIR_PROVE_BROKER_ADDRESSES=%s",
                   stage->between != NULL ? stage->between->broker_addresses : "");
    (void)snprintf(texts[6], VARIABLE_BYTES, "WEIR_FAIL=%s",
                   stage->fail_at != NULL ? stage->fail_at : "");
    size_t own = stage->fail_at != NULL ? VARIABLES_MAX : VARIABLES_MAX - 1;
    for (size_t i = 0; i < own; i++) {
        all[i] = texts[i]; /* in front: the first of a name counts */
    }
    memcpy(all + own, environ, count * sizeof(*all));
    return all;
}

static int start(struct prove_stage *stage, char *const *arguments, const char *output_path,
                 struct prove_life *ret, struct weir_error *err)
{
    char texts[VARIABLES_MAX][VARIABLE_BYTES];
    char **environment = make_environment(stage, texts);
    int rc;

    if (environment == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for an environment");
    }
    rc = prove_life_start(ret, arguments, environment, output_path, err);
    free(environment);
    return rc;
}

/* `weir VERB` on the pipeline. Batches are small, so that a fault hits several, and so are segments of
 * the log, so that they come and go too. No fault cuts the power: memory is as good as a disk. */
static int start_weir(struct prove_stage *stage, const char *verb, const char *const *more,
                      const char *output_path, struct prove_life *ret, struct weir_error *err)
{
    char settings[][SETTING_BYTES] = { "name=",
                                       "delivery=",
                                       "batch_rows=",
                                       "log.segment_bytes=256 kB",
                                       "log.retain_bytes=1 MB",
                                       "log.allow_not_durable=true" };
    char *arguments[ARGUMENTS_MAX] = { stage->program, (char *)verb, stage->pipeline_path };
    size_t count = 3;

    (void)snprintf(settings[0], SETTING_BYTES, "name=%s", stage->pipeline);
    (void)snprintf(settings[1], SETTING_BYTES, "delivery=%s", stage->options->mode);
    (void)snprintf(settings[2], SETTING_BYTES, "batch_rows=%d", (int)PROVE_BATCH_ROWS);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        arguments[count++] = "--set";
        arguments[count++] = settings[i];
    }
    while (*more != NULL) {
        arguments[count++] = (char *)*more++;
    }
    return start(stage, arguments, output_path, ret, err);
}

/* The generation that the ledger has now: a life that is started takes a larger one. */
static int64_t generation_now(struct prove_stage *stage)
{
    char sql[SQL_BYTES];
    struct weir_error
        ignored; /* away: what was seen last is as good, for who is away commits nothing */
    int64_t generation = stage->generation;

    if (stage->options->external != NULL) {
        return -1; /* nobody knows whose rows are whose */
    }
    if (stage->has_history) {
        (void)snprintf(sql, sizeof(sql),
                       "SELECT max(generation) FROM weir.ledger WHERE pipeline = (SELECT uuid FROM "
                       "weir.pipeline WHERE name = '%s')",
                       stage->pipeline);
        (void)prove_session_number(stage->look, sql, generation, &generation, &ignored);
    }
    return generation;
}

int prove_stage_start(struct prove_stage *stage, int which, bool until_caught_up,
                      struct weir_error *err)
{
    char *const external[] = { "/bin/sh", "-c", (char *)stage->options->external, NULL };
    const char *const more[] = { "--data", stage->data[which], "--no-progress",
                                 until_caught_up ? "--until-caught-up" : NULL, NULL };

    stage->above[which] = generation_now(stage);
    return stage->options->external != NULL
               ? start(stage, external, stage->log_path, &stage->lives[which], err)
               : start_weir(stage, "run", more, stage->log_path, &stage->lives[which], err);
}

int prove_stage_ask(struct prove_stage *stage, const char *verb, const char *output_path,
                    struct prove_life *ret, struct weir_error *err)
{
    const char *const nothing_more[] = { NULL };

    return start_weir(stage, verb, nothing_more, output_path, ret, err);
}

static void take_progress(void *context, const char *const *values)
{
    struct prove_stage *stage = context;

    stage->batch = strtoll(values[0], NULL, 10);
    stage->records_in += strtoll(values[1], NULL, 10);
    stage->generation = strtoll(values[2], NULL, 10);
}

bool prove_stage_moved(struct prove_stage *stage)
{
    char sql[SQL_BYTES];
    struct weir_error ignored; /* away or not there yet: not moved */
    int64_t before = stage->records_in;
    int64_t there = 0;

    if (stage->options->external != NULL) {
        stage->records_in = prove_watcher_rows(stage->watcher);
        return stage->records_in > before;
    }
    if (!stage->has_history) {
        (void)prove_session_number(stage->look,
                                   "SELECT (pg_catalog.to_regclass('weir.batch') IS NOT NULL)::int",
                                   0, &there, &ignored);
        stage->has_history = there != 0;
    }
    if (stage->has_history) {
        /* Batches of the past never change, so they are added up as they come. */
        (void)snprintf(sql, sizeof(sql),
                       "SELECT max(batch), sum(source_rows), max(generation) FROM weir.batch WHERE "
                       "pipeline = (SELECT "
                       "uuid FROM weir.pipeline WHERE name = '%s') AND partition = 0 AND batch > "
                       "%" PRId64 " HAVING count(*) > 0",
                       stage->pipeline, stage->batch);
        (void)prove_session_run(stage->look, sql, take_progress, stage, &ignored);
    }
    return stage->records_in > before;
}
