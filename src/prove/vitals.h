/* vitals.h: what a child process uses, for faults that must not make it leak or spin. */
#ifndef WEIR_PROVE_VITALS_H
#define WEIR_PROVE_VITALS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct prove_vitals {
    uint32_t descriptors; /* open ones */
    double cpu_s;         /* processor time so far, of all its threads */
};

/* Reads /proc; false when the process is gone. */
bool prove_vitals_read(pid_t pid, struct prove_vitals *ret);

#endif
