/* prove.h: `weir prove`: gives a pipeline a hard life on real servers and judges what came of it.
 *
 * The caller gives addresses and numbers; topic, schema, table, load, faults and verdict are made
 * here. Uses no part of the engine: the weir that is hurt is a child process, and what is right is
 * decided from the list of what was sent against what a plain SQL session sees. */
#ifndef WEIR_PROVE_PROVE_H
#define WEIR_PROVE_PROVE_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/error.h"

enum {
    PROVE_EXIT_HELD = 0,
    PROVE_EXIT_BROKEN = 1,        /* the promise did not hold, or the pipeline ended by itself */
    PROVE_EXIT_INTERRUPTED = 130, /* SIGINT or SIGTERM: no verdict */
};

struct prove_options {
    const char *brokers;
    const char *dsn;
    const char *mode;          /* exactly_once, at_least_once, at_most_once */
    const char *faults;        /* names with commas between, or "all" */
    const char *pipeline;      /* file of the user's own pipeline, or NULL */
    const char *external;      /* a shell command in place of `weir run`, or NULL */
    const char *pg_restart;    /* a shell command that restarts the database, or NULL */
    const char *kafka_restart; /* the same for the broker */
    const char *disk_full_dir; /* on a small file system that may be filled up, or NULL */
    const char *directory;     /* where the work directory is made; NULL: TMPDIR, or /tmp */
    const char *report_path;   /* HTML, or NULL */
    const char *json_path;     /* JSON, or NULL */
    uint64_t rows;             /* messages of the load; 0: 1000 for each fault */
    uint64_t seed;
    uint32_t kills;
    bool no_progress;
};

/* Names of the faults for help texts, with ", " between; static. */
const char *prove_fault_names(void);

/* Runs it all, prints table and verdict to stdout, progress to stderr. *ret_status is one of
 * PROVE_EXIT_*. Fails when nothing could be judged: WEIR_EAWAY, WEIR_EAUTH, WEIR_ECONFIG,
 * WEIR_EIO, WEIR_ENOMEM. */
int prove_run(const struct prove_options *options, int *ret_status, struct weir_error *err);

#endif
