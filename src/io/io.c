/* io.c: chooses a backend, and the few functions that are the same on all of them. */
#include "io/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/log_line.h"
#include "io/backends.h"
#include "io/probe.h"

/* The backend that needs no more than any kernel has. */
static int take_posix(const struct io_probe *probe, const char *why, struct weir_io *ret,
                      struct weir_error *err)
{
    int rc = posix_io_init(probe->no_dsync, ret, err);

    (void)snprintf(ret->why, sizeof(ret->why), "%.*s", (int)sizeof(ret->why) - 1,
                   probe->no_dsync ? "because RWF_DSYNC is refused here" : why);
    return rc;
}

static int take_uring(struct weir_io *ret, struct weir_error *err)
{
#if WEIR_HAVE_URING
    return uring_io_init(ret, err);
#else
    (void)ret;
    return weir_error_set_errno(err, WEIR_EIO, ENOSYS, "io_uring: not built in");
#endif
}

/* The one line that says which backend it is, and why. */
static void tell(const struct weir_io *io, const struct io_probe *probe)
{
    if (io->why[0] == '\0') {
        weir_log(WEIR_LOG_INFO, "io_backend", "log I/O by io_uring");
    } else {
        weir_log(WEIR_LOG_INFO, "io_backend", "log I/O by pwritev2%s, %s",
                 probe->no_dsync ? " and fdatasync" : "", io->why);
    }
}

static int choose(enum weir_io_choice choice, const struct io_probe *probe, struct weir_io *ret,
                  struct weir_error *err)
{
    struct weir_error cause = { 0 };
    char why[sizeof(cause.text) + 32];

    if (choice == WEIR_IO_POSIX) {
        return take_posix(probe, "as asked for", ret, err);
    }
    if (probe->no_direct || probe->no_dsync) {
        return take_posix(probe, "because the file system has no direct I/O", ret, err);
    }
    int rc = take_uring(ret, &cause);
    if (rc == WEIR_OK) {
        return WEIR_OK;
    }
    if (choice == WEIR_IO_URING || rc == WEIR_ENOMEM) {
        return weir_error_set_errno(err, rc, cause.sys_errno,
                                    "io_uring cannot be used here, choose posix");
    }
    (void)snprintf(why, sizeof(why), "because of %s", cause.text);
    return take_posix(probe, why, ret, err);
}

int weir_io_open_for(enum weir_io_choice choice, const char *dir, struct weir_io **ret,
                     struct weir_error *err)
{
    struct weir_io *io = calloc(1, sizeof(*io));
    struct io_probe probe = { 0 };

    if (io == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "open I/O: out of memory");
    }
    if (dir != NULL && choice != WEIR_IO_URING) {
        io_probe(dir, &probe);
    }
    int rc = choose(choice, &probe, io, err);
    if (rc != WEIR_OK) {
        free(io);
        return rc;
    }
    tell(io, &probe);
    *ret = io;
    return WEIR_OK;
}

int weir_io_open(enum weir_io_choice choice, struct weir_io **ret, struct weir_error *err)
{
    return weir_io_open_for(choice, NULL, ret, err);
}

void weir_io_close(struct weir_io *io)
{
    if (io != NULL) {
        io->ops->fini(io->self);
        free(io);
    }
}

int weir_io_write_at(struct weir_io *io, struct weir_io_file *file, uint64_t at, const void *data,
                     size_t bytes, bool durable, struct weir_error *err)
{
    enum { WAIT_US = 1000000 };
    struct weir_io_write write = {
        .file = file, .at = at, .data = data, .bytes = bytes, .durable = durable
    };

    int rc = weir_io_write_start(io, &write, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    while (!write.done) {
        rc = weir_io_poll(io, WAIT_US, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    return write.code == WEIR_OK
               ? WEIR_OK
               : weir_error_set_errno(err, write.code, write.sys_errno, "write %zu bytes at %llu",
                                      bytes, (unsigned long long)at);
}

void *weir_io_alloc(size_t bytes)
{
    size_t align = bytes < WEIR_IO_HUGE_BYTES ? WEIR_IO_ALIGN_BYTES : WEIR_IO_HUGE_BYTES;
    size_t rounded = (bytes + align - 1) & ~(align - 1);

    if (rounded < bytes) {
        return NULL;
    }
    void *data = aligned_alloc(align, rounded == 0 ? align : rounded);
    if (data != NULL && align == WEIR_IO_HUGE_BYTES) {
        (void)madvise(data, rounded, MADV_HUGEPAGE); /* without them it works as well, slower */
    }
    return data;
}
