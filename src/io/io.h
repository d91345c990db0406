/* io.h: the seam to the world: files, clock and randomness behind one table of functions.
 *
 * Nothing above src/io/ touches the operating system for these but through this table, so the
 * very same log, protocol and engine run on a simulated disk and clock. Backends: posix_io.c,
 * uring_io.c; for tests, tests/support/sim_io.c. All of them pass tests/unit/io/test_io.c.
 *
 * Threads  One thread uses the files of a weir_io; clock and randomness may be used from any.
 * I1  A buffer given to a write belongs to the I/O layer until the write is marked done, which
 *     happens only inside weir_io_poll().
 * I2  A durable write that is done with WEIR_OK survives a power cut. A name survives one only
 *     after weir_io_sync_dir() of its directory.
 * I3  After a failed write or sync nothing is known of the bytes; a second sync proves nothing. */
#ifndef WEIR_IO_IO_H
#define WEIR_IO_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/error.h"

enum {
    WEIR_IO_ALIGN_BYTES = 4096, /* of buffer, offset and length where WEIR_IO_DIRECT is given */
    WEIR_IO_HUGE_BYTES = 2 * 1024 * 1024, /* a huge page, where the machine has such */
    WEIR_IO_PATH_BYTES_MAX = 4096,        /* with the NUL */
    WEIR_IO_UUID_BYTES = 16,
};

struct weir_io_file; /* opaque: each backend has its own */
struct weir_io_lock;

enum weir_io_flags {
    WEIR_IO_READ = 1 << 0,
    WEIR_IO_WRITE = 1 << 1,  /* implies reading */
    WEIR_IO_CREATE = 1 << 2, /* the file must not exist; mode 0600 */
    /* Go past the page cache where the backend and the file system can. Every buffer, offset and
     * length is then aligned to WEIR_IO_ALIGN_BYTES. */
    WEIR_IO_DIRECT = 1 << 3,
};

/* One asynchronous write. The caller owns it, fills the first part, hands it to
 * weir_io_write_start() and leaves it and data alone until done is set. */
struct weir_io_write {
    struct weir_io_file *file;
    uint64_t at; /* offset in the file */
    const void *data;
    size_t bytes;
    bool durable; /* done means on the device, as with RWF_DSYNC */

    bool done;
    int code; /* when done: WEIR_OK, WEIR_ENOSPC or WEIR_EIO */
    int sys_errno;

    size_t written_bytes; /* the rest is the backend's */
    int stage;
    struct weir_io_write *next;
};

/* Called for each entry of a directory but "." and ".."; another code than WEIR_OK ends the list
 * and is returned. name is borrowed. */
typedef int weir_io_list_fn(void *context, const char *name, struct weir_error *err);

/* What a backend fills in. The wrappers below say what each function promises. */
struct weir_io_ops {
    const char *name; /* "io_uring", "posix", "sim" */
    int (*open)(void *self, const char *path, unsigned flags, struct weir_io_file **ret,
                struct weir_error *err);
    void (*close)(void *self, struct weir_io_file *file);
    int (*read_at)(void *self, struct weir_io_file *file, uint64_t at, void *data, size_t bytes,
                   size_t *ret_bytes, struct weir_error *err);
    int (*write_start)(void *self, struct weir_io_write *write, struct weir_error *err);
    int (*poll)(void *self, uint64_t wait_us, struct weir_error *err);
    int (*fd)(void *self);
    int (*sync)(void *self, struct weir_io_file *file, struct weir_error *err);
    int (*size)(void *self, struct weir_io_file *file, uint64_t *ret_bytes, bool *ret_is_named,
                struct weir_error *err);
    int (*size_of)(void *self, const char *path, uint64_t *ret_bytes, struct weir_error *err);
    int (*rename)(void *self, const char *from, const char *to, struct weir_error *err);
    int (*unlink)(void *self, const char *path, struct weir_error *err);
    int (*make_dir)(void *self, const char *path, struct weir_error *err);
    int (*sync_dir)(void *self, const char *path, struct weir_error *err);
    int (*list)(void *self, const char *path, weir_io_list_fn *fn, void *context,
                struct weir_error *err);
    int (*lock_dir)(void *self, const char *path, struct weir_io_lock **ret,
                    struct weir_error *err);
    void (*unlock_dir)(void *self, struct weir_io_lock *lock);
    int64_t (*now_us)(void *self);
    uint64_t (*mono_us)(void *self);
    int (*random_bytes)(void *self, void *data, size_t bytes, struct weir_error *err);
    void (*fini)(void *self); /* weir_io_close() */
};

struct weir_io {
    const struct weir_io_ops *ops;
    void *self;
    char why[160]; /* this backend was chosen, as the log line says; "" where there was no choice */
};

enum weir_io_choice { WEIR_IO_AUTO, WEIR_IO_URING, WEIR_IO_POSIX };

/* Opens a backend on the real world. WEIR_IO_AUTO takes io_uring where the kernel allows it, else
 * posix; one log line (event "io_backend") says which, and why.
 * Owns   The caller passes *ret to weir_io_close() after everything that uses it is closed.
 * Fails  WEIR_EIO when WEIR_IO_URING was asked for and is not to be had, WEIR_ENOMEM. */
WEIR_MUST_CHECK int weir_io_open(enum weir_io_choice choice, struct weir_io **ret,
                                 struct weir_error *err);
/* The same for a directory whose files are to be written, which need not be there yet: WEIR_IO_AUTO
 * also takes posix where its file system has no direct I/O, or the kernel no RWF_DSYNC. */
WEIR_MUST_CHECK int weir_io_open_for(enum weir_io_choice choice, const char *dir,
                                     struct weir_io **ret, struct weir_error *err);
/* Refuses a directory whose file system is in memory or on the network: it forgets with the power, or
 * calls durable what another machine has yet to write. dir need not be there yet, but the directory
 * that is to hold it. What cannot be found out is let pass.
 * Fails  WEIR_ECONFIG, reason "not_durable". */
WEIR_MUST_CHECK int weir_io_check_durable(const char *dir, struct weir_error *err);
void weir_io_close(struct weir_io *io); /* NULL is a no-op */

/* --- Files ---------------------------------------------------------------------------------- */

/* Opens a file; never follows a symbolic link in the last step of path. For writing a file is open
 * once at a time over all processes: a write that a killed process left under way keeps it, and is
 * waited for. The lock of the directory would not do, it goes before such a write is over.
 * Fails  WEIR_EIO with sys_errno ENOENT or EEXIST where that is the cause; WEIR_ENOSPC, WEIR_EBUSY
 *        (no descriptors left, or still written by another), WEIR_ECONFIG (permissions). */
WEIR_MUST_CHECK static inline int weir_io_file_open(struct weir_io *io, const char *path,
                                                    unsigned flags, struct weir_io_file **ret,
                                                    struct weir_error *err)
{
    return io->ops->open(io->self, path, flags, ret, err);
}

/* No write may be under way on the file. Cannot fail: durable writes already are. NULL allowed. */
static inline void weir_io_file_close(struct weir_io *io, struct weir_io_file *file)
{
    if (file != NULL) {
        io->ops->close(io->self, file);
    }
}

/* Reads bytes at an offset; *ret_bytes is smaller only where the file ends. */
WEIR_MUST_CHECK static inline int weir_io_read_at(struct weir_io *io, struct weir_io_file *file,
                                                  uint64_t at, void *data, size_t bytes,
                                                  size_t *ret_bytes, struct weir_error *err)
{
    return io->ops->read_at(io->self, file, at, data, bytes, ret_bytes, err);
}

/* Starts a write. A failure here means that nothing was started; a failure of the write itself is
 * in write->code when it is done. Writes that overlap each other are the caller's mistake. */
WEIR_MUST_CHECK static inline int
weir_io_write_start(struct weir_io *io, struct weir_io_write *write, struct weir_error *err)
{
    write->done = false;
    write->code = WEIR_OK;
    write->sys_errno = 0;
    write->written_bytes = 0;
    write->stage = 0;
    write->next = NULL;
    return io->ops->write_start(io->self, write, err);
}

/* Marks finished writes as done. Waits up to wait_us for one when none is finished and some are
 * under way; may return earlier with nothing done (a signal). */
WEIR_MUST_CHECK static inline int weir_io_poll(struct weir_io *io, uint64_t wait_us,
                                               struct weir_error *err)
{
    return io->ops->poll(io->self, wait_us, err);
}

/* A descriptor that poll(2) finds readable while weir_io_poll() has something to tell; -1 where
 * the backend has none (then ask weir_io_poll() instead of sleeping). */
static inline int weir_io_fd(struct weir_io *io)
{
    return io->ops->fd(io->self);
}

/* Makes everything written to the file durable; blocks. */
WEIR_MUST_CHECK static inline int weir_io_sync(struct weir_io *io, struct weir_io_file *file,
                                               struct weir_error *err)
{
    return io->ops->sync(io->self, file, err);
}

/* *ret_is_named: some name leads to it still; false when somebody has removed it. */
WEIR_MUST_CHECK static inline int weir_io_size(struct weir_io *io, struct weir_io_file *file,
                                               uint64_t *ret_bytes, bool *ret_is_named,
                                               struct weir_error *err)
{
    return io->ops->size(io->self, file, ret_bytes, ret_is_named, err);
}

/* The length of the file that a name leads to now, whichever file that is; follows no symbolic link.
 * Fails  WEIR_EIO with sys_errno ENOENT where there is none of that name. */
WEIR_MUST_CHECK static inline int weir_io_size_of(struct weir_io *io, const char *path,
                                                  uint64_t *ret_bytes, struct weir_error *err)
{
    return io->ops->size_of(io->self, path, ret_bytes, err);
}

/* weir_io_write_start() and waiting for it, in one. Writes of others may become done meanwhile. */
WEIR_MUST_CHECK int weir_io_write_at(struct weir_io *io, struct weir_io_file *file, uint64_t at,
                                     const void *data, size_t bytes, bool durable,
                                     struct weir_error *err);

/* Memory for direct I/O: bytes rounded up to WEIR_IO_ALIGN_BYTES, uninitialised; NULL without
 * memory. WEIR_IO_HUGE_BYTES and more are rounded up to that, and lie in huge pages where these are
 * to be had: the kernel then has one page to hold for a write where it had hundreds, and the device
 * one address. Freed with free(). */
void *weir_io_alloc(size_t bytes);

/* --- Directories ---------------------------------------------------------------------------- */

WEIR_MUST_CHECK static inline int weir_io_rename(struct weir_io *io, const char *from,
                                                 const char *to, struct weir_error *err)
{
    return io->ops->rename(io->self, from, to, err);
}

static inline int weir_io_unlink(struct weir_io *io, const char *path, struct weir_error *err)
{
    return io->ops->unlink(io->self, path, err);
}

/* Makes sure that path is a directory of ours: made with mode 0700 when it is not there (its name
 * is durable then). One that exists and is a symbolic link, no directory, or writable for
 * everybody is refused with WEIR_ECONFIG, reason "data_dir". */
WEIR_MUST_CHECK static inline int weir_io_make_dir(struct weir_io *io, const char *path,
                                                   struct weir_error *err)
{
    return io->ops->make_dir(io->self, path, err);
}

/* Makes the names in a directory durable: those created, renamed and removed before the call. */
WEIR_MUST_CHECK static inline int weir_io_sync_dir(struct weir_io *io, const char *path,
                                                   struct weir_error *err)
{
    return io->ops->sync_dir(io->self, path, err);
}

WEIR_MUST_CHECK static inline int weir_io_list(struct weir_io *io, const char *path,
                                               weir_io_list_fn *fn, void *context,
                                               struct weir_error *err)
{
    return io->ops->list(io->self, path, fn, context, err);
}

/* Takes a directory for this process alone, by a lock on an open file "lock" in it: the lock goes
 * with the process, however it dies, and the file means nothing without it.
 * Fails  WEIR_EBUSY, reason "locked", naming the holder's process id where it is known. */
WEIR_MUST_CHECK static inline int weir_io_lock_dir(struct weir_io *io, const char *path,
                                                   struct weir_io_lock **ret,
                                                   struct weir_error *err)
{
    return io->ops->lock_dir(io->self, path, ret, err);
}

static inline void weir_io_unlock_dir(struct weir_io *io, struct weir_io_lock *lock)
{
    if (lock != NULL) {
        io->ops->unlock_dir(io->self, lock);
    }
}

/* --- Clock and randomness ------------------------------------------------------------------- */

/* Wall clock, microseconds since 1970; may step in any direction. */
static inline int64_t weir_io_now_us(struct weir_io *io)
{
    return io->ops->now_us(io->self);
}

/* A clock that never steps back; for durations only. */
static inline uint64_t weir_io_mono_us(struct weir_io *io)
{
    return io->ops->mono_us(io->self);
}

WEIR_MUST_CHECK static inline int weir_io_random_bytes(struct weir_io *io, void *data, size_t bytes,
                                                       struct weir_error *err)
{
    return io->ops->random_bytes(io->self, data, bytes, err);
}

#endif
