/* pipeline.c: the public interface, on top of plan and engine. */
#include "weir/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/fail_point.h"
#include "base/log_line.h"
#include "engine/engine.h"
#include "sql/reference.h"

enum { TURN_WAIT_US_MAX = 100 * 1000 };

struct weir_pipeline {
    struct weir_plan *plan;
    struct weir_io *io;
    weir_engine *engine;
    char *dir;
};

const char *weir_version(void)
{
    return WEIR_VERSION;
}

const char *weir_fail_points(void)
{
    return weir_fail_point_list();
}

static int read_plan(const struct weir_pipeline_file *file, struct weir_plan **ret,
                     struct weir_error *err)
{
    struct weir_setting_override *overrides = NULL;
    struct weir_str text = { file->text, file->text_bytes };
    int rc;

    if (file->setting_count != 0) {
        overrides = calloc(file->setting_count, sizeof(*overrides));
        if (overrides == NULL) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory for settings");
        }
    }
    for (uint32_t i = 0; i < file->setting_count; i++) {
        overrides[i] = (struct weir_setting_override){ .name = file->settings[i].name,
                                                       .value = file->settings[i].value };
    }
    rc =
        weir_plan_make(file->name, text, weir_registry(), overrides, file->setting_count, ret, err);
    free(overrides);
    return rc;
}

int weir_take_text(struct weir_buf *buf, char **ret, struct weir_error *err)
{
    weir_buf_put_u8(buf, 0);
    if (buf->failed) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for text");
    }
    *ret = (char *)buf->data;
    *buf = (struct weir_buf){ 0 };
    return WEIR_OK;
}

int weir_validate(const struct weir_pipeline_file *file, struct weir_error *err)
{
    struct weir_plan *plan = NULL;
    int rc = read_plan(file, &plan, err);

    if (rc == WEIR_OK) {
        rc = weir_engine_validate(plan, err);
    }
    weir_plan_free(plan);
    return rc;
}

int weir_check(const struct weir_pipeline_file *file, struct weir_error *err)
{
    struct weir_plan *plan = NULL;
    int rc = read_plan(file, &plan, err);

    if (rc == WEIR_OK) {
        rc = weir_engine_check(plan, err);
    }
    weir_plan_free(plan);
    return rc;
}

int weir_explain(const struct weir_pipeline_file *file, char **ret_text, struct weir_error *err)
{
    struct weir_plan *plan = NULL;
    struct weir_buf text = { 0 };
    int rc = read_plan(file, &plan, err);

    if (rc == WEIR_OK) {
        weir_plan_explain(plan, &text);
        rc = weir_take_text(&text, ret_text, err);
    }
    weir_buf_fini(&text);
    weir_plan_free(plan);
    return rc;
}

int weir_ddl(const struct weir_pipeline_file *file, char **ret_text, struct weir_error *err)
{
    struct weir_plan *plan = NULL;
    struct weir_buf text = { 0 };
    int rc = read_plan(file, &plan, err);

    if (rc == WEIR_OK) {
        rc = weir_engine_ddl(plan, &text, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_take_text(&text, ret_text, err);
    }
    weir_buf_fini(&text);
    weir_plan_free(plan);
    return rc;
}

int weir_reference(char **ret_text, struct weir_error *err)
{
    struct weir_buf text = { 0 };
    int rc;

    weir_reference_markdown(weir_registry(), &text);
    rc = weir_take_text(&text, ret_text, err);
    weir_buf_fini(&text);
    return rc;
}

/* --- A running pipeline --------------------------------------------------------------------- */

/* The data directory: as given, or NAME.weir in the current directory. */
static int choose_dir(weir_pipeline *pipeline, const char *dir, struct weir_error *err)
{
    int len = dir != NULL ? asprintf(&pipeline->dir, "%s", dir)
                          : asprintf(&pipeline->dir, "%s.weir", pipeline->plan->settings.name);

    if (len < 0) {
        pipeline->dir = NULL;
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a path");
    }
    return WEIR_OK;
}

/* A log that a power cut may take with it is made only where the user wants it so. */
static int check_dir(const weir_pipeline *pipeline, struct weir_error *err)
{
    struct weir_error cause = { 0 };
    int rc = weir_io_check_durable(pipeline->dir, &cause);

    if (rc != WEIR_OK && pipeline->plan->settings.log_allow_not_durable) {
        weir_log(WEIR_LOG_WARN, cause.reason, "%s", cause.text);
        return WEIR_OK;
    }
    if (rc != WEIR_OK && err != NULL) {
        *err = cause;
    }
    return rc;
}

int weir_pipeline_open(const struct weir_pipeline_file *file,
                       const struct weir_pipeline_options *options, weir_pipeline **ret,
                       struct weir_error *err)
{
    weir_pipeline *pipeline = calloc(1, sizeof(*pipeline));
    int rc;

    if (pipeline == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a pipeline");
    }
    rc = weir_fail_point_init(err);
    if (rc == WEIR_OK) {
        rc = read_plan(file, &pipeline->plan, err);
    }
    if (rc == WEIR_OK) {
        rc = choose_dir(pipeline, options->dir, err);
    }
    if (rc == WEIR_OK) {
        rc = check_dir(pipeline, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_io_open_for(WEIR_IO_AUTO, pipeline->dir, &pipeline->io, err);
    }
    if (rc == WEIR_OK) {
        const struct weir_engine_args args = {
            .plan = pipeline->plan,
            .io = pipeline->io,
            .dir = pipeline->dir,
            .until_caught_up = options->until_caught_up,
        };
        rc = weir_engine_open(&args, &pipeline->engine, err);
    }
    if (rc == WEIR_OK) {
        *ret = pipeline;
        pipeline = NULL;
    }
    weir_pipeline_close(pipeline);
    return rc;
}

int weir_pipeline_run(weir_pipeline *pipeline, int64_t wait_us, bool *ret_finished,
                      struct weir_error *err)
{
    uint64_t start = weir_io_mono_us(pipeline->io);
    int64_t left = wait_us;
    bool idle;

    *ret_finished = false;
    do {
        int rc = weir_engine_step(pipeline->engine, &idle, err);
        if (rc != WEIR_OK) {
            return rc;
        }
        *ret_finished = weir_engine_is_finished(pipeline->engine);
        left = wait_us - (int64_t)(weir_io_mono_us(pipeline->io) - start);
        if (idle && !*ret_finished && left > 0) {
            weir_engine_sleep(pipeline->engine, left < TURN_WAIT_US_MAX ? left : TURN_WAIT_US_MAX);
        }
    } while (!*ret_finished && left > 0);
    return WEIR_OK;
}

void weir_pipeline_stop(weir_pipeline *pipeline)
{
    weir_engine_request_stop(pipeline->engine);
}

void weir_pipeline_status(weir_pipeline *pipeline, struct weir_status *ret)
{
    weir_engine_status(pipeline->engine, ret);
}

const char *weir_pipeline_name(const weir_pipeline *pipeline)
{
    return pipeline->plan->settings.name;
}

void weir_pipeline_close(weir_pipeline *pipeline)
{
    if (pipeline == NULL) {
        return;
    }
    weir_engine_close(pipeline->engine);
    weir_io_close(pipeline->io);
    weir_plan_free(pipeline->plan);
    free(pipeline->dir);
    free(pipeline);
}
