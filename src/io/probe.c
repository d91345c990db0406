/* probe.c: what the file system of a directory can do, found out by doing it.
 *
 * A file without a name (O_TMPFILE) is opened for direct I/O and written once, durably. Nothing is
 * left behind. Where the file system knows no such files, both are taken to be there: the backends
 * find out at the first file or write, and go on without. Whether it keeps what it is given is not to be
 * found out that way: there, its name is believed.
 * Checked by tests/unit/io/test_choice.c and test_durable.c. */
#include "io/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Where a directory lies, or is to be made. */
static void parent_of(const char *dir, char ret[WEIR_IO_PATH_BYTES_MAX])
{
    const char *slash = strrchr(dir, '/');

    (void)snprintf(ret, WEIR_IO_PATH_BYTES_MAX, "%.*s/", slash == NULL ? 1 : (int)(slash - dir),
                   slash == NULL ? "." : dir);
}

/* Opens an unnamed file in dir or, where dir is yet to be made, beside it. */
static int open_unnamed(const char *dir, int flags)
{
    int os_flags = O_TMPFILE | O_RDWR | O_CLOEXEC | flags;
    int fd = open(dir, os_flags, 0600);

    if (fd < 0 && errno == ENOENT) {
        char parent[WEIR_IO_PATH_BYTES_MAX];

        parent_of(dir, parent);
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

/* File systems that forget, or of which another machine has the last word. */
static const struct not_durable {
    uint32_t magic;
    const char *name, *why;
} not_durable[] = {
    { TMPFS_MAGIC, "tmpfs", "in memory" },          { RAMFS_MAGIC, "ramfs", "in memory" },
    { NFS_SUPER_MAGIC, "NFS", "on the network" },   { SMB_SUPER_MAGIC, "SMB", "on the network" },
    { CIFS_SUPER_MAGIC, "CIFS", "on the network" }, { SMB2_SUPER_MAGIC, "SMB", "on the network" },
    { AFS_SUPER_MAGIC, "AFS", "on the network" },   { AFS_FS_MAGIC, "AFS", "on the network" },
    { CODA_SUPER_MAGIC, "Coda", "on the network" }, { CEPH_SUPER_MAGIC, "Ceph", "on the network" },
    { V9FS_MAGIC, "9p", "on another machine" },
};

int weir_io_check_durable(const char *dir, struct weir_error *err)
{
    char parent[WEIR_IO_PATH_BYTES_MAX];
    struct statfs info;
    int failed = statfs(dir, &info);

    if (failed != 0 && errno == ENOENT) {
        parent_of(dir, parent);
        failed = statfs(parent, &info);
    }
    for (size_t i = 0; failed == 0 && i < sizeof(not_durable) / sizeof(not_durable[0]); i++) {
        if ((uint32_t)info.f_type == not_durable[i].magic) {
            return weir_error_set_reason(
                err, WEIR_ECONFIG, "not_durable",
                "%s lies %s (%s), where a log does not outlive what it is kept for: give another "
                "directory, or allow it with pipeline.log.allow_not_durable = 'true'",
                dir, not_durable[i].why, not_durable[i].name);
        }
    }
    return WEIR_OK;
}
