/* test_kernel_oddities.c: what the real backends make of a kernel that does less than it was asked for,
 * or answers in a way that is rare.
 *
 * The linker puts the functions named __wrap_ in place of the C library's and liburing's (see
 * meson.build); they change a request or an answer as `kernel` says, and note the order of things. */
#include <errno.h>
#include <liburing.h>
#include <sys/uio.h>

#include "tests/support/io_backends.h"

enum { FILE_BYTES = 256 * 1024, PART_BYTES = 8192, EVENTS_MAX = 256 };

static struct kernel {
    size_t at_most;              /* bytes that one write takes; 0: all */
    int interrupted;             /* so many writes end with EINTR or EAGAIN first */
    bool breaks_file;            /* the next write finds that its file is not open */
    char events[EVENTS_MAX + 1]; /* w: a write began; s: a sync began */
    size_t event_count;
} kernel;

static void note(char event)
{
    if (kernel.event_count < EVENTS_MAX) {
        kernel.events[kernel.event_count++] = event;
        kernel.events[kernel.event_count] = '\0';
    }
}

/* The names that <sys/uio.h> gives pwritev() and pwritev2() where offsets have 64 bits. */
ssize_t __real_pwritev64(int fd, const struct iovec *parts, int count, off_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int count, off_t at);
ssize_t __real_pwritev64v2(int fd, const struct iovec *parts, int count, off_t at, int flags);
ssize_t __wrap_pwritev64v2(int fd, const struct iovec *parts, int count, off_t at, int flags);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);

/* Whether this call ends before it has done anything. */
static bool is_cut_off(void)
{
    if (kernel.breaks_file) {
        kernel.breaks_file = false;
        errno = EBADF;
        return true;
    }
    if (kernel.interrupted == 0) {
        return false;
    }
    errno = kernel.interrupted-- % 2 == 0 ? EINTR : EAGAIN;
    return true;
}

static struct iovec shortened(const struct iovec *part)
{
    struct iovec ret = *part;

    if (kernel.at_most != 0 && ret.iov_len > kernel.at_most) {
        ret.iov_len = kernel.at_most;
    }
    return ret;
}

ssize_t __wrap_pwritev64(int fd, const struct iovec *parts, int count, off_t at)
{
    const struct iovec part = shortened(parts);

    note('w');
    return is_cut_off() ? -1 : __real_pwritev64(fd, &part, count, at);
}

ssize_t __wrap_pwritev64v2(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
    const struct iovec part = shortened(parts);

    note('w');
    return is_cut_off() ? -1 : __real_pwritev64v2(fd, &part, count, at, flags);
}

int __wrap_fdatasync(int fd)
{
    note('s');
    return __real_fdatasync(fd);
}

int __wrap_io_uring_submit(struct io_uring *ring)
{
    struct io_uring_sq *queue = &ring->sq;

    for (unsigned i = queue->sqe_head; i != queue->sqe_tail; i++) {
        struct io_uring_sqe *sqe = &queue->sqes[i & *queue->kring_mask];

        note(sqe->opcode == IORING_OP_FSYNC ? 's' : 'w');
        if (sqe->opcode == IORING_OP_WRITE && kernel.at_most != 0 && sqe->len > kernel.at_most) {
            sqe->len = (unsigned)kernel.at_most;
        }
        if (sqe->opcode == IORING_OP_WRITE && kernel.breaks_file) {
            sqe->fd = -1;
            kernel.breaks_file = false;
        }
        if (sqe->opcode == IORING_OP_WRITE && kernel.interrupted > 0) {
            return --kernel.interrupted % 2 == 0 ? -EINTR : -EAGAIN;
        }
    }
    return __real_io_uring_submit(ring);
}

/* A file of FILE_BYTES on a backend. */
struct target {
    struct backend backend;
    struct weir_io_file *file;
    uint8_t *data, *back;
};

static void target_open(struct target *ret, const char *backend_name)
{
    char path[256];

    kernel = (struct kernel){ 0 };
    *ret = (struct target){ .data = weir_io_alloc(FILE_BYTES), .back = weir_io_alloc(FILE_BYTES) };
    assert_true(ret->data != NULL && ret->back != NULL);
    for (size_t i = 0; i < FILE_BYTES; i++) {
        ret->data[i] = (uint8_t)(i * 7 + i / 4096);
    }
    backend_open(&ret->backend, backend_name);
    assert_int_equal(weir_io_make_dir(ret->backend.io, ret->backend.dir, NULL), WEIR_OK);
    (void)snprintf(path, sizeof(path), "%s/file", ret->backend.dir);
    assert_int_equal(weir_io_file_open(ret->backend.io, path,
                                       WEIR_IO_WRITE | WEIR_IO_CREATE | WEIR_IO_DIRECT, &ret->file,
                                       NULL),
                     WEIR_OK);
}

static void target_close(struct target *target)
{
    kernel = (struct kernel){ 0 };
    weir_io_file_close(target->backend.io, target->file);
    backend_close(&target->backend);
    free(target->data);
    free(target->back);
}

static int write_all(struct target *target)
{
    return weir_io_write_at(target->backend.io, target->file, 0, target->data, FILE_BYTES, true,
                            NULL);
}

static void assert_is_there(struct target *target)
{
    size_t got = 0;

    assert_int_equal(
        weir_io_read_at(target->backend.io, target->file, 0, target->back, FILE_BYTES, &got, NULL),
        WEIR_OK);
    assert_int_equal(got, FILE_BYTES);
    assert_memory_equal(target->back, target->data, FILE_BYTES);
}

/* covers: D-01 */
static void a_short_write_is_gone_on_with(void **state)
{
    struct target target;

    target_open(&target, *state);
    kernel.at_most = PART_BYTES;
    assert_int_equal(write_all(&target), WEIR_OK);
    assert_true(kernel.event_count >= FILE_BYTES / PART_BYTES);
    assert_is_there(&target);
    target_close(&target);
}

/* covers: D-21 */
static void an_interrupted_write_is_made_again(void **state)
{
    struct target target;

    target_open(&target, *state);
    kernel.interrupted = 4;
    assert_int_equal(write_all(&target), WEIR_OK);
    assert_int_equal(kernel.interrupted, 0);
    assert_is_there(&target);
    target_close(&target);
}

/* Whichever of many writes is over first, each is told done once, with its own bytes in place.
 * covers: D-21 */
static void completions_come_in_any_order(void **state)
{
    enum { WRITES = FILE_BYTES / PART_BYTES };
    struct weir_io_write writes[WRITES];
    struct target target;
    size_t done = 0;

    target_open(&target, *state);
    for (size_t i = 0; i < WRITES; i++) {
        size_t at = (i * 13 % WRITES) * PART_BYTES; /* all of them, in another order */

        writes[i] = (struct weir_io_write){ .file = target.file,
                                            .at = at,
                                            .data = target.data + at,
                                            .bytes = PART_BYTES,
                                            .durable = i % 2 == 0 };
        assert_int_equal(weir_io_write_start(target.backend.io, &writes[i], NULL), WEIR_OK);
    }
    for (int turn = 0; done < WRITES && turn < 10000; turn++) {
        assert_int_equal(weir_io_poll(target.backend.io, 1000, NULL), WEIR_OK);
        done = 0;
        for (size_t i = 0; i < WRITES; i++) {
            done += writes[i].done;
        }
    }
    assert_int_equal(done, WRITES);
    for (size_t i = 0; i < WRITES; i++) {
        assert_int_equal(writes[i].code, WEIR_OK);
    }
    assert_is_there(&target);
    target_close(&target);
}

/* Where write and sync are two calls, the second begins when all of the first is over; where they are
 * one, there is no second.
 * covers: D-19 */
static void a_sync_comes_behind_its_write(void **state)
{
    struct target target;

    target_open(&target, *state);
    kernel.at_most = PART_BYTES;
    assert_int_equal(write_all(&target), WEIR_OK);
    const char *sync = strchr(kernel.events, 's');
    if (sync != NULL) {
        assert_true(sync - kernel.events >= FILE_BYTES / PART_BYTES);
        assert_null(strchr(sync, 'w'));
    }
    target_close(&target);
}

/* A write that was cut off is followed by no sync that could vouch for it.
 * covers: D-20 */
static void what_failed_is_not_synced(void **state)
{
    struct target target;

    target_open(&target, *state);
    kernel.breaks_file = true;
    assert_int_equal(write_all(&target), WEIR_EIO);
    assert_null(strchr(kernel.events, 's'));
    assert_int_equal(write_all(&target), WEIR_OK);
    assert_is_there(&target);
    target_close(&target);
}

int main(void)
{
    static const char *const real_backends[] = { "posix", "io_uring", NULL };
    const struct CMUnitTest each[] = {
        cmocka_unit_test(a_short_write_is_gone_on_with),
        cmocka_unit_test(an_interrupted_write_is_made_again),
        cmocka_unit_test(completions_come_in_any_order),
        cmocka_unit_test(a_sync_comes_behind_its_write),
        cmocka_unit_test(what_failed_is_not_synced),
    };
    return backend_run(real_backends, each, sizeof(each) / sizeof(each[0]), NULL, 0);
}
