/* posix_io.c: the backend that needs nothing but POSIX files: pwritev2 with RWF_DSYNC, or pwrite
 * and fdatasync where the kernel has no such flag.
 *
 * Writes are carried out inside write_start() and wait on a list until poll() marks them done, so
 * that callers see the same order of events as with io_uring. Buffered: WEIR_IO_DIRECT only asks
 * for alignment.
 * P1  ready_fd (an eventfd) is readable exactly while the list is not empty.
 * Checked by tests/unit/io/test_io.c. */
#include "io/backends.h"
#include "io/posix_files.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

struct posix_io {
    int ready_fd;
    bool no_dsync;               /* RWF_DSYNC was refused: sync after each durable write */
    struct weir_io_write *first; /* carried out, not yet marked done */
    struct weir_io_write **last;
};

/* Writes what is left of a write. Returns 0 or an errno. */
static int put_all(struct posix_io *io, struct weir_io_write *write)
{
    int fd = posix_file_of(write->file)->fd;

    while (write->written_bytes < write->bytes) {
        struct iovec part = { .iov_base = (uint8_t *)write->data + write->written_bytes,
                              .iov_len = write->bytes - write->written_bytes };
        off_t at = (off_t)(write->at + write->written_bytes);
        ssize_t put = write->durable && !io->no_dsync ? pwritev2(fd, &part, 1, at, RWF_DSYNC)
                                                      : pwritev(fd, &part, 1, at);
        if (put > 0) {
            write->written_bytes += (size_t)put;
        } else if (put == 0) {
            return EIO;
        } else if ((errno == EOPNOTSUPP || errno == ENOSYS) && write->durable && !io->no_dsync) {
            io->no_dsync = true;
        } else if (errno != EINTR && errno != EAGAIN) {
            return errno;
        }
    }
    if (write->durable && io->no_dsync && fdatasync(fd) != 0) {
        return errno; /* not repeated, whatever it is: I3 */
    }
    return 0;
}

static int posix_write_start(void *self, struct weir_io_write *write, struct weir_error *err)
{
    struct posix_io *io = self;

    (void)err;
    write->sys_errno = put_all(io, write);
    if (write->sys_errno != 0) {
        write->code =
            write->sys_errno == ENOSPC || write->sys_errno == EDQUOT ? WEIR_ENOSPC : WEIR_EIO;
    }
    if (io->first == NULL) {
        (void)eventfd_write(io->ready_fd, 1); /* fails only at its counter's end, 2^64 */
    }
    write->next = NULL;
    *io->last = write;
    io->last = &write->next;
    return WEIR_OK;
}

static int posix_poll(void *self, uint64_t wait_us, struct weir_error *err)
{
    struct posix_io *io = self;
    eventfd_t count;

    (void)wait_us; /* whatever was started is finished: there is nothing to wait for */
    (void)err;
    if (io->first != NULL) {
        (void)eventfd_read(io->ready_fd, &count); /* empties it; P1 */
    }
    while (io->first != NULL) {
        struct weir_io_write *write = io->first;
        io->first = write->next;
        write->done = true;
    }
    io->last = &io->first;
    return WEIR_OK;
}

static int posix_io_fd(void *self)
{
    return ((struct posix_io *)self)->ready_fd;
}

static int posix_io_open(void *self, const char *path, unsigned flags, struct weir_io_file **ret,
                         struct weir_error *err)
{
    (void)self;
    return posix_open(path, flags, false, ret, err);
}

static void posix_io_fini(void *self)
{
    struct posix_io *io = self;

    (void)close(io->ready_fd);
    free(io);
}

static const struct weir_io_ops posix_ops = {
    .name = "posix",
    .open = posix_io_open,
    .close = posix_close,
    .read_at = posix_read_at,
    .write_start = posix_write_start,
    .poll = posix_poll,
    .fd = posix_io_fd,
    .sync = posix_sync,
    .size = posix_size,
    .size_of = posix_size_of,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .make_dir = posix_make_dir,
    .sync_dir = posix_sync_dir,
    .list = posix_list,
    .lock_dir = posix_lock_dir,
    .unlock_dir = posix_unlock_dir,
    .now_us = posix_now_us,
    .mono_us = posix_mono_us,
    .random_bytes = posix_random_bytes,
    .fini = posix_io_fini,
};

int posix_io_init(bool no_dsync, struct weir_io *ret, struct weir_error *err)
{
    struct posix_io *io = calloc(1, sizeof(*io));

    if (io == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "open posix I/O: out of memory");
    }
    io->last = &io->first;
    io->no_dsync = no_dsync;
    io->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (io->ready_fd < 0) {
        free(io);
        return posix_fail(err, errno, "make", "eventfd");
    }
    *ret = (struct weir_io){ .ops = &posix_ops, .self = io };
    return WEIR_OK;
}
