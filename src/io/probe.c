/* probe.c: what the file system of a directory can do, found out by doing it.
 *
 * A file without a name (O_TMPFILE) is opened for direct I/O and written once, durably. Nothing is
 * left behind. Where the file system knows no such files, both are taken to be there: the backends
 * find out at the first file or write, and go on without.
 * Checked by tests/unit/io/test_choice.c. */
#include "io/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* Opens an unnamed file in dir or, where dir is yet to be made, beside it. */
static int open_unnamed(const char *dir, int flags)
{
    int os_flags = O_TMPFILE | O_RDWR | O_CLOEXEC | flags;
    int fd = open(dir, os_flags, 0600);

    if (fd < 0 && errno == ENOENT) {
        char parent[WEIR_IO_PATH_BYTES_MAX];
        const char *slash = strrchr(dir, '/');

        (void)snprintf(parent, sizeof(parent), "%.*s/", slash == NULL ? 1 : (int)(slash - dir),
                       slash == NULL ? "." : dir);
        fd = open(parent, os_flags, 0600);
    }
    return fd;
}

static bool refuses_dsync(int fd)
{
    void *block = weir_io_alloc(WEIR_IO_ALIGN_BYTES);
    struct iovec part = { .iov_base = block, .iov_len = WEIR_IO_ALIGN_BYTES };
    bool is_refused = false;

    if (block != NULL) {
        memset(block, 0, WEIR_IO_ALIGN_BYTES);
        is_refused =
            pwritev2(fd, &part, 1, 0, RWF_DSYNC) < 0 && (errno == EOPNOTSUPP || errno == ENOSYS);
    }
    free(block);
    return is_refused;
}

void io_probe(const char *dir, struct io_probe *ret)
{
    int fd = open_unnamed(dir, O_DIRECT);

    *ret = (struct io_probe){ 0 };
    if (fd < 0 && errno == EINVAL) {
        fd = open_unnamed(dir, 0); /* which tells a missing O_DIRECT from a missing O_TMPFILE */
        ret->no_direct = fd >= 0;
    }
    if (fd >= 0) {
        ret->no_dsync = refuses_dsync(fd);
        (void)close(fd);
    }
}
