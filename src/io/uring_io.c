/* uring_io.c: the backend on io_uring; the one file that knows liburing.
 *
 * Writes go past the page cache (O_DIRECT) where the file system allows it, durable ones with
 * RWF_DSYNC. Everything that is rare and may block (open, rename, sync) is done as in posix_io.c.
 * U1  A short write is continued, an interrupted one repeated: done means all of it, or failed.
 * U2  Where RWF_DSYNC is refused, the sync is asked for only after the write's completion, so the
 *     two can never run in the other order.
 * U3  At most URING_WRITES_MAX writes are in the ring; more of them wait on a list.
 * Checked by tests/unit/io/test_io.c. */
#include "io/backends.h"
#include "io/posix_files.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "base/assert.h"

enum { URING_WRITES_MAX = 64 };

enum stage { STAGE_WRITE, STAGE_SYNC };

struct uring_io {
    struct io_uring ring;
    bool no_dsync;
    uint32_t in_ring;            /* writes whose completion was not read yet */
    struct weir_io_write *first; /* waiting for a place in the ring; U3 */
    struct weir_io_write **last;
};

/* Puts the next step of a write into the ring, which has room for it. */
static void put_step(struct uring_io *io, struct weir_io_write *write)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring);
    int fd = posix_file_of(write->file)->fd;

    weir_assert(sqe != NULL); /* U3 */
    if (write->stage == STAGE_SYNC) {
        io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
    } else {
        io_uring_prep_write(sqe, fd, (const uint8_t *)write->data + write->written_bytes,
                            (unsigned)(write->bytes - write->written_bytes),
                            write->at + write->written_bytes);
        sqe->rw_flags = write->durable && !io->no_dsync ? RWF_DSYNC : 0;
    }
    io_uring_sqe_set_data(sqe, write);
}

static int submit(struct uring_io *io, struct weir_error *err)
{
    while (io_uring_sq_ready(&io->ring) > 0) {
        int rc = io_uring_submit(&io->ring);
        if (rc == -EAGAIN || rc == -EBUSY) {
            return WEIR_OK; /* the kernel is short of memory or of places: poll submits again */
        }
        if (rc < 0 && rc != -EINTR) {
            return weir_error_set_errno(err, WEIR_EIO, -rc, "io_uring submit");
        }
    }
    return WEIR_OK;
}

static int uring_write_start(void *self, struct weir_io_write *write, struct weir_error *err)
{
    struct uring_io *io = self;

    weir_assert(write->bytes <= INT32_MAX);
    if (io->in_ring == URING_WRITES_MAX) {
        *io->last = write;
        io->last = &write->next;
        return WEIR_OK;
    }
    io->in_ring++;
    put_step(io, write);
    return submit(io, err);
}

/* Takes in one completion. Returns true when the write has another step to go. */
static bool advance(struct uring_io *io, struct weir_io_write *write, int result)
{
    if ((result == -EINTR || result == -EAGAIN) && write->stage == STAGE_WRITE) {
        return true; /* a sync is not repeated, whatever it says: I3 */
    }
    if (result == -EOPNOTSUPP && write->durable && !io->no_dsync && write->stage == STAGE_WRITE) {
        io->no_dsync = true;
        return true;
    }
    if (result < 0 || (result == 0 && write->stage == STAGE_WRITE)) {
        write->sys_errno = result < 0 ? -result : EIO;
        write->code =
            write->sys_errno == ENOSPC || write->sys_errno == EDQUOT ? WEIR_ENOSPC : WEIR_EIO;
        return false;
    }
    if (write->stage == STAGE_SYNC) {
        return false;
    }
    write->written_bytes += (size_t)result;
    if (write->written_bytes < write->bytes) {
        return true; /* U1 */
    }
    write->stage = STAGE_SYNC;
    return write->durable && io->no_dsync; /* U2 */
}

/* Reads all completions that are there, then gives the free places to those who wait. */
static void drain(struct uring_io *io)
{
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&io->ring, &cqe) == 0) {
        struct weir_io_write *write = io_uring_cqe_get_data(cqe);
        int result = cqe->res;

        io_uring_cqe_seen(&io->ring, cqe);
        if (advance(io, write, result)) {
            put_step(io, write);
        } else {
            write->done = true;
            io->in_ring--;
        }
    }
    while (io->first != NULL && io->in_ring < URING_WRITES_MAX) {
        struct weir_io_write *write = io->first;

        io->first = write->next;
        if (io->first == NULL) {
            io->last = &io->first;
        }
        io->in_ring++;
        put_step(io, write);
    }
}

static int uring_poll(void *self, uint64_t wait_us, struct weir_error *err)
{
    struct uring_io *io = self;
    struct io_uring_cqe *cqe;

    int rc = submit(io, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (io->in_ring > 0 && wait_us > 0 && io_uring_cq_ready(&io->ring) == 0) {
        struct __kernel_timespec limit = { .tv_sec = (int64_t)(wait_us / 1000000),
                                           .tv_nsec = (long long)(wait_us % 1000000) * 1000 };
        rc = io_uring_wait_cqe_timeout(&io->ring, &cqe, &limit);
        if (rc < 0 && rc != -ETIME && rc != -EINTR && rc != -EAGAIN) {
            return weir_error_set_errno(err, WEIR_EIO, -rc, "io_uring wait");
        }
    }
    drain(io);
    return submit(io, err);
}

static int uring_fd(void *self)
{
    return ((struct uring_io *)self)->ring.ring_fd;
}

static int uring_open(void *self, const char *path, unsigned flags, struct weir_io_file **ret,
                      struct weir_error *err)
{
    (void)self;
    return posix_open(path, flags, true, ret, err);
}

static void uring_io_fini(void *self)
{
    struct uring_io *io = self;

    if (io->in_ring > 0 || io->first != NULL) {
        return; /* I1: a write that nobody waits for any more keeps its ring, as it keeps its buffer */
    }
    io_uring_queue_exit(&io->ring);
    free(io);
}

static const struct weir_io_ops uring_ops = {
    .name = "io_uring",
    .open = uring_open,
    .close = posix_close,
    .read_at = posix_read_at,
    .write_start = uring_write_start,
    .poll = uring_poll,
    .fd = uring_fd,
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
    .fini = uring_io_fini,
};

int uring_io_init(struct weir_io *ret, struct weir_error *err)
{
    struct uring_io *io = calloc(1, sizeof(*io));

    if (io == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "open io_uring: out of memory");
    }
    io->last = &io->first;
    int rc = io_uring_queue_init(URING_WRITES_MAX, &io->ring, 0);
    if (rc < 0) {
        free(io);
        return weir_error_set_errno(err, WEIR_EIO, -rc, "io_uring");
    }
    *ret = (struct weir_io){ .ops = &uring_ops, .self = io };
    return WEIR_OK;
}
