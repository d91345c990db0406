/* bare_writes.c: see bare_writes.h. */
#include "bench/bare_writes.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct bare_writes {
    bool by_uring;
    struct io_uring ring;
    int fd;
    size_t file_bytes, at;
    uint8_t *data;
};

void bench_die(const char *what, const char *why)
{
    (void)fprintf(stderr, "wal_bench: %s: %s\n", what, why);
    exit(1);
}

uint64_t bench_now_ns(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void fill_file(const struct bare_writes *bare, const char *path, size_t part_bytes)
{
    for (size_t at = 0; at < bare->file_bytes; at += part_bytes) {
        size_t part = bare->file_bytes - at < part_bytes ? bare->file_bytes - at : part_bytes;
        if (pwrite(bare->fd, bare->data, part, (off_t)at) != (ssize_t)part) {
            bench_die(path, strerror(errno));
        }
    }
    if (fsync(bare->fd) != 0) {
        bench_die(path, strerror(errno));
    }
}

struct bare_writes *bare_open(enum weir_io_choice choice, const char *dir, size_t file_bytes,
                              size_t write_bytes_max)
{
    struct bare_writes *bare = calloc(1, sizeof(*bare));
    char path[WEIR_IO_PATH_BYTES_MAX];
    int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC;

    if (bare == NULL) {
        bench_die("bare writes", "out of memory");
    }
    bare->by_uring = choice == WEIR_IO_URING;
    bare->file_bytes = file_bytes;
    bare->data = weir_io_alloc(write_bytes_max);
    (void)snprintf(path, sizeof(path), "%s/bare", dir);
    bare->fd = open(path, bare->by_uring ? flags | O_DIRECT : flags, 0600);
    if (bare->fd < 0 || bare->data == NULL) {
        bench_die(path, strerror(errno));
    }
    if (bare->by_uring && io_uring_queue_init(8, &bare->ring, 0) < 0) {
        bench_die("io_uring", "not to be had");
    }
    memset(bare->data, 0, write_bytes_max);
    fill_file(bare, path, write_bytes_max);
    memset(bare->data, 0x5a, write_bytes_max);
    (void)unlink(path); /* the descriptor keeps it until the end */
    return bare;
}

static ssize_t write_by_uring(struct bare_writes *bare, size_t bytes)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&bare->ring);
    struct io_uring_cqe *cqe;

    io_uring_prep_write(sqe, bare->fd, bare->data, (unsigned)bytes, bare->at);
    sqe->rw_flags = RWF_DSYNC;
    if (io_uring_submit_and_wait(&bare->ring, 1) < 0 || io_uring_peek_cqe(&bare->ring, &cqe) != 0) {
        return -1;
    }
    ssize_t put = cqe->res;
    io_uring_cqe_seen(&bare->ring, cqe);
    return put;
}

void bare_write(struct bare_writes *bare, size_t bytes)
{
    struct iovec part = { .iov_base = bare->data, .iov_len = bytes };

    if (bare->at + bytes > bare->file_bytes) {
        bare->at = 0;
    }
    ssize_t put = bare->by_uring ? write_by_uring(bare, bytes)
                                 : pwritev2(bare->fd, &part, 1, (off_t)bare->at, RWF_DSYNC);
    if (put != (ssize_t)bytes) {
        bench_die("bare write", put < 0 ? strerror(errno) : "short");
    }
    bare->at += bytes;
}

void bare_close(struct bare_writes *bare)
{
    if (bare->by_uring) {
        io_uring_queue_exit(&bare->ring);
    }
    (void)close(bare->fd);
    free(bare->data);
    free(bare);
}
