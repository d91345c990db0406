/* weir/pipeline.h: pipelines from a file of SQL: check them, explain them, run them.
 *
 * A pipeline belongs to the thread that opened it; only weir_pipeline_stop() may be called from
 * another thread or from a signal handler. Several pipelines may run in one process, each with a
 * data directory of its own. */
#ifndef WEIR_PIPELINE_H
#define WEIR_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/error.h"
#include "weir/export.h"
#include "weir/status.h"

/* A setting that wins over the file's SET: { "batch_rows", "1000" }. */
struct weir_setting {
    const char *name;
    const char *value;
};

/* The text of a pipeline. Everything is borrowed for the call. Environment variables in it are
 * replaced when it is read. */
struct weir_pipeline_file {
    size_t size_bytes; /* sizeof(struct weir_pipeline_file) */
    const char *name;  /* for messages: "orders.sql" */
    const char *text;
    size_t text_bytes;
    const struct weir_setting *settings;
    uint32_t setting_count;
};

/* Checks a file without connecting to anything. WEIR_ECONFIG: err->text is the whole message, as a
 * compiler prints it. */
WEIR_API WEIR_MUST_CHECK int weir_validate(const struct weir_pipeline_file *file,
                                           struct weir_error *err);
/* Checks it against its sources and sinks too; writes nothing. WEIR_ECONFIG, WEIR_ESCHEMA,
 * WEIR_EAWAY, WEIR_EAUTH. */
WEIR_API WEIR_MUST_CHECK int weir_check(const struct weir_pipeline_file *file,
                                        struct weir_error *err);
/* The plan, and the promise of every path with what it rests on, without secrets. The caller frees
 * *ret_text with free(). */
WEIR_API WEIR_MUST_CHECK int weir_explain(const struct weir_pipeline_file *file, char **ret_text,
                                          struct weir_error *err);
/* The SQL that makes ledgers and tables, for databases where weir may not. free() *ret_text. */
WEIR_API WEIR_MUST_CHECK int weir_ddl(const struct weir_pipeline_file *file, char **ret_text,
                                      struct weir_error *err);
/* Options, types and functions as Markdown, from the tables of the code. free() *ret_text. */
WEIR_API WEIR_MUST_CHECK int weir_reference(char **ret_text, struct weir_error *err);
WEIR_API const char *weir_version(void);
/* The points at which the environment variable WEIR_FAIL can hurt this build, each with what it is,
 * a line each; "" in a build without them (-Dfail_points=true), as it is used in production. */
WEIR_API const char *weir_fail_points(void);

/* A running pipeline. */
typedef struct weir_pipeline weir_pipeline;

struct weir_pipeline_options {
    size_t size_bytes;    /* sizeof(struct weir_pipeline_options) */
    const char *dir;      /* data directory, made when it is not there; copied. NULL: NAME.weir */
    bool until_caught_up; /* finish when everything that is there has been written */
};

/* Reads the file, locks dir and reads the log in it. Sources and sinks are connected to while it
 * runs.
 * Owns   On success the caller passes *ret to weir_pipeline_close().
 * Fails  WEIR_ECONFIG, WEIR_EBUSY (another process holds dir), WEIR_ECONFLICT (dir belongs to
 *        another pipeline), WEIR_ECORRUPT, WEIR_EIO, WEIR_ENOMEM; *ret is then untouched. */
WEIR_API WEIR_MUST_CHECK int weir_pipeline_open(const struct weir_pipeline_file *file,
                                                const struct weir_pipeline_options *options,
                                                weir_pipeline **ret, struct weir_error *err);
/* Runs for about wait_us microseconds, or until there is an error or the end. *ret_finished: it was
 * stopped, or has caught up, and nothing is in flight. After an error only close is allowed; the
 * next open recovers. */
WEIR_API WEIR_MUST_CHECK int weir_pipeline_run(weir_pipeline *pipeline, int64_t wait_us,
                                               bool *ret_finished, struct weir_error *err);
/* Asks it to finish the open batch and end. From any thread, or a signal handler. */
WEIR_API void weir_pipeline_stop(weir_pipeline *pipeline);
WEIR_API void weir_pipeline_status(weir_pipeline *pipeline, struct weir_status *ret);
/* The pipeline's name; valid until close. */
WEIR_API const char *weir_pipeline_name(const weir_pipeline *pipeline);
/* Abandons the open batch and frees everything; the next open replays it. NULL is a no-op. Cannot
 * fail: whatever had to be durable already is. */
WEIR_API void weir_pipeline_close(weir_pipeline *pipeline);

/* --- The log of a data directory, for people and programs ----------------------------------- */

/* As text, or as JSON: one object a line. */
enum weir_form { WEIR_FORM_TEXT, WEIR_FORM_JSON };

/* Reads and checks the log of a data directory without changing it, also while it is in use. Calls
 * line (NULL: nobody) with one line for each record, and *ret_summary gets one line in the end;
 * free() it. WEIR_ECORRUPT names the first damage by file and offset. */
typedef void weir_line_fn(void *context, const char *line);
WEIR_API WEIR_MUST_CHECK int weir_log_read(const char *dir, enum weir_form form, weir_line_fn *line,
                                           void *context, char **ret_summary,
                                           struct weir_error *err);
/* What the log holds, counted: segments, bytes, LSNs, records by kind, batches sealed and done, and
 * what is torn at its end. Changes nothing; fails as weir_log_read(). free() *ret_text. */
WEIR_API WEIR_MUST_CHECK int weir_log_stat(const char *dir, enum weir_form form, char **ret_text,
                                           struct weir_error *err);

/* Shown the tail that is to be cut, as lines of text; true: cut it. */
typedef bool weir_ask_fn(void *context, const char *tail);
/* Cuts what a crash left of a write behind the last record, if there is any and ask agrees; the next
 * run would do the same by itself. Refuses everything else that may be wrong with a log: it fails as
 * weir_log_read(), or with WEIR_EBUSY while somebody uses the log. *ret_cut_bytes: 0 when nothing was
 * cut. */
WEIR_API WEIR_MUST_CHECK int weir_log_repair(const char *dir, weir_ask_fn *ask, void *context,
                                             uint64_t *ret_cut_bytes, struct weir_error *err);

#endif
