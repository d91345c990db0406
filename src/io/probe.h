/* probe.h: what the file system of a directory can do. Internal to src/io/. */
#ifndef WEIR_IO_PROBE_H
#define WEIR_IO_PROBE_H

#include "io/io.h"

struct io_probe {
    bool no_direct; /* no O_DIRECT: the file system has none */
    bool no_dsync;  /* no RWF_DSYNC: the kernel is older than 4.7, or forbids it */
};

/* dir need not be there yet, but the directory that is to hold it. */
void io_probe(const char *dir, struct io_probe *ret);

#endif
