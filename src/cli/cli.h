/* cli.h: what the verbs of the weir command share. */
#ifndef WEIR_CLI_CLI_H
#define WEIR_CLI_CLI_H

#include "weir/log.h"
#include "weir/pipeline.h"

enum { EXIT_USAGE = 2, CLI_SETTINGS_MAX = 64 };

/* A command line after parsing: `weir VERB [OPTION...] ARGUMENT...`. */
struct cli_args {
    const char *verb;
    const char *data_dir; /* --data, or NULL */
    bool until_caught_up;
    bool no_progress;
    bool json, yes, fail_points;
    struct weir_setting settings[CLI_SETTINGS_MAX]; /* --set name=value */
    uint32_t setting_count;
    const char *const *arguments;
    int argument_count;
    char *const *raw_arguments; /* for a verb with options of its own: all, the verb first */
};

/* A verb: runs it and returns the exit status. */
typedef int cli_verb_fn(const struct cli_args *args);
cli_verb_fn cli_run;
cli_verb_fn cli_validate;
cli_verb_fn cli_check;
cli_verb_fn cli_explain;
cli_verb_fn cli_ddl;
cli_verb_fn cli_reference;
cli_verb_fn cli_wal;
cli_verb_fn cli_prove;
cli_verb_fn cli_version;

/* Reads the file that the arguments name ("-": standard input) into *ret; *ret_text is to be freed.
 * Prints what is wrong and returns the exit status, or 0. */
int cli_read_file(const struct cli_args *args, struct weir_pipeline_file *ret, char **ret_text);
/* Prints an error to stderr, as a line a person reads or as a JSON line, and returns its exit
 * status. */
int cli_fail(const struct weir_error *err);

/* --- output.c: stderr ----------------------------------------------------------------------- */

/* Text for people when stderr is a terminal, JSON lines otherwise. Call first. is_log: whatever ends
 * the run is such a line, too, and not told as a compiler would. */
void cli_output_open(bool is_log, bool want_progress);
/* A line of the command's own, as of the library's log. */
void cli_output_line(enum weir_log_level level, const char *event, const char *fmt, ...)
    WEIR_PRINTF(3, 4);
/* Once a second: a progress line, redrawn in place on a terminal. */
void cli_output_progress(const char *pipeline, const struct weir_status *status);
/* Ends a progress line that is being redrawn. */
void cli_output_close(void);

#endif
