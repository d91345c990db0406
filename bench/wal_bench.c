/* wal_bench.c: what a durable append costs, beside bare durable writes of the same size.
 *
 * For each backend and size, rounds of appends to a log alternate with rounds of bare writes, by
 * pwritev2 with RWF_DSYNC and O_DIRECT, into a preallocated file in the same directory, so that
 * both see the same device in the same mood.
 *
 *   wal_bench [DIR]      DIR lies on the device to be measured; default: the current directory */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wal/wal.h"

enum {
    ROUNDS = 8,
    WRITES_A_ROUND = 100,
    SAMPLES = ROUNDS * WRITES_A_ROUND,
    FILE_BYTES = 16 * 1024 * 1024,
    RECORD_HEADER_BYTES = 40, /* so that a record and a bare write are equally long on disk */
};

struct samples {
    uint64_t us[SAMPLES];
    size_t count;
};

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "wal_bench: %s: %s\n", what, why);
    exit(1);
}

static int compare_us(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static uint64_t quantile_us(struct samples *samples, unsigned percent)
{
    qsort(samples->us, samples->count, sizeof(samples->us[0]), compare_us);
    return samples->us[(samples->count - 1) * percent / 100];
}

/* --- Bare writes ---------------------------------------------------------------------------- */

struct bare {
    int fd;
    off_t at;
    uint8_t *data;
};

static void bare_open(struct bare *bare, const char *dir, size_t bytes_max)
{
    char path[WEIR_IO_PATH_BYTES_MAX];

    (void)snprintf(path, sizeof(path), "%s/bare", dir);
    bare->at = 0;
    bare->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
    bare->data = weir_io_alloc(bytes_max);
    if (bare->fd < 0 || bare->data == NULL) {
        die(path, strerror(errno));
    }
    memset(bare->data, 0, bytes_max);
    for (off_t at = 0; at < FILE_BYTES; at += (off_t)bytes_max) {
        if (pwrite(bare->fd, bare->data, bytes_max, at) != (ssize_t)bytes_max) {
            die(path, strerror(errno));
        }
    }
    if (fsync(bare->fd) != 0) {
        die(path, strerror(errno));
    }
    (void)unlink(path); /* the descriptor keeps it until the end */
}

static void bare_round(struct bare *bare, struct weir_io *io, size_t bytes, struct samples *ret)
{
    for (int i = 0; i < WRITES_A_ROUND; i++) {
        struct iovec part = { .iov_base = bare->data, .iov_len = bytes };
        uint64_t begin_us = weir_io_mono_us(io);

        if (bare->at + (off_t)bytes > FILE_BYTES) {
            bare->at = 0;
        }
        if (pwritev2(bare->fd, &part, 1, bare->at, RWF_DSYNC) != (ssize_t)bytes) {
            die("bare write", strerror(errno));
        }
        bare->at += (off_t)bytes;
        ret->us[ret->count++] = weir_io_mono_us(io) - begin_us;
    }
}

/* --- The log -------------------------------------------------------------------------------- */

static void log_round(weir_wal *wal, struct weir_io *io, const uint8_t *data, size_t bytes,
                      struct samples *ret)
{
    struct weir_error err = { 0 };

    for (int i = 0; i < WRITES_A_ROUND; i++) {
        uint64_t begin_us = weir_io_mono_us(io);
        uint64_t lsn = 0;

        int rc = weir_wal_append(wal, 1, data, bytes - RECORD_HEADER_BYTES, &lsn, &err);
        if (rc == WEIR_OK) {
            rc = weir_wal_wait(wal, lsn, &err);
        }
        if (ret != NULL) {
            ret->us[ret->count++] = weir_io_mono_us(io) - begin_us;
        }
        if (rc == WEIR_OK) {
            rc = weir_wal_trim(wal, lsn, &err);
        }
        if (rc != WEIR_OK) {
            die("append", err.text);
        }
    }
}

static void measure(enum weir_io_choice choice, const char *dir, size_t bytes)
{
    static struct samples bare_us, log_us;
    struct weir_io *io = NULL;
    struct weir_error err = { 0 };
    weir_wal *wal = NULL;
    struct bare bare;
    char log_dir[WEIR_IO_PATH_BYTES_MAX];

    (void)snprintf(log_dir, sizeof(log_dir), "%s/log", dir);
    if (weir_io_open(choice, &io, &err) != WEIR_OK ||
        weir_wal_open(io, log_dir, NULL, &wal, &err) != WEIR_OK) {
        die(log_dir, err.text);
    }
    bare_open(&bare, dir, 256 * 1024);
    bare_us.count = log_us.count = 0;
    for (int i = 0; i < 3; i++) { /* until segments are recycled */
        log_round(wal, io, bare.data, 128 * 1024, NULL);
    }
    for (int round = 0; round < ROUNDS; round++) {
        bare_round(&bare, io, bytes, &bare_us);
        log_round(wal, io, bare.data, bytes, &log_us);
    }
    uint64_t log_p50 = quantile_us(&log_us, 50), bare_p50 = quantile_us(&bare_us, 50);
    uint64_t log_p99 = quantile_us(&log_us, 99), bare_p99 = quantile_us(&bare_us, 99);
    printf("%-9s %4zu KiB  log %5llu %6llu us   bare %5llu %6llu us   ratio %.2f\n", io->ops->name,
           bytes / 1024, (unsigned long long)log_p50, (unsigned long long)log_p99,
           (unsigned long long)bare_p50, (unsigned long long)bare_p99,
           (double)log_p50 / (double)(bare_p50 == 0 ? 1 : bare_p50));
    printf("{\"bench\":\"wal\",\"backend\":\"%s\",\"kib\":%zu,\"p50_us\":%llu,\"p99_us\":%llu,"
           "\"bare_p50_us\":%llu,\"bare_p99_us\":%llu}\n",
           io->ops->name, bytes / 1024, (unsigned long long)log_p50, (unsigned long long)log_p99,
           (unsigned long long)bare_p50, (unsigned long long)bare_p99);
    (void)close(bare.fd);
    free(bare.data);
    weir_wal_close(wal);
    weir_io_close(io);
}

static int remove_entry(void *context, const char *name, struct weir_error *err)
{
    char path[2 * WEIR_IO_PATH_BYTES_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", (const char *)context, name);
    return unlink(path) == 0 ? WEIR_OK : weir_error_set_errno(err, WEIR_EIO, errno, "%s", path);
}

/* Removes the log that measure() left. */
static void remove_log(char *log_dir)
{
    struct weir_io *io = NULL;
    struct weir_error err = { 0 };

    if (weir_io_open(WEIR_IO_POSIX, &io, &err) != WEIR_OK ||
        weir_io_list(io, log_dir, remove_entry, log_dir, &err) != WEIR_OK) {
        die(log_dir, err.text);
    }
    weir_io_close(io);
    (void)rmdir(log_dir);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = { 4 * 1024, 64 * 1024, 256 * 1024 };
    static const enum weir_io_choice choices[] = { WEIR_IO_URING, WEIR_IO_POSIX };
    char dir[1024], log_dir[1040];

    (void)snprintf(dir, sizeof(dir), "%s/wal-bench-XXXXXX", argc > 1 ? argv[1] : ".");
    if (mkdtemp(dir) == NULL) {
        die(dir, strerror(errno));
    }
    (void)snprintf(log_dir, sizeof(log_dir), "%s/log", dir);
    printf("durable append, one at a time: p50 and p99\n");
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
            measure(choices[i], dir, sizes[j]);
            remove_log(log_dir);
        }
    }
    (void)rmdir(dir);
    return 0;
}
