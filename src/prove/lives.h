/* lives.h: child processes: the weir (or the command) that is hurt.
 *
 * LV1  Signals go to processes that were started here and have not been waited for, so a pid can be
 *      nobody else's.
 * LV2  A child dies with us: it asks the kernel to be killed when its parent is. */
#ifndef WEIR_PROVE_LIVES_H
#define WEIR_PROVE_LIVES_H

#include <stdbool.h>
#include <sys/types.h>

#include "weir/error.h"

/* A zeroed struct is no process. */
struct prove_life {
    pid_t pid;  /* 0: none, or its end was seen */
    int status; /* with which it ended: 128 + n after signal n */
    bool is_frozen;
    double started_at;
};

/* Starts argv[0] in a process group of its own; its output goes to the end of log_path. */
int prove_life_start(struct prove_life *life, char *const argv[], char *const envp[],
                     const char *log_path, struct weir_error *err);
/* True when it has ended (or never was); *ret_status is then its exit status, 128 + n after
 * signal n, 0 when there was no process. */
bool prove_life_ended(struct prove_life *life, int *ret_status);
/* Waits; false when it still runs after so many seconds. */
bool prove_life_wait(struct prove_life *life, double seconds, int *ret_status);
/* SIGKILL to the whole group, and waits for its end. Returns true when it died of that. */
bool prove_life_kill(struct prove_life *life);
void prove_life_freeze(struct prove_life *life);
void prove_life_thaw(struct prove_life *life);
void prove_life_terminate(struct prove_life *life); /* SIGTERM */

/* Runs a shell command to its end; its status as above. */
int prove_life_shell(const char *command, const char *log_path, double seconds, int *ret_status,
                     struct weir_error *err);

#endif
