/* wal_bench.c: what the log costs, beside bare durable writes of the same size, mode and file length.
 *
 *   wal_bench DIR [PAIRS]     DIR lies on the device to be measured; PAIRS of writes a size (1000)
 *
 * Prints one line a figure, fields separated by tabs: backend, figure, KiB a write, the log's value,
 * that of bare writes, unit. bench/wal.py makes a table of them.
 *
 * N1  An append and a bare write take turns, and the one that goes first alternates: both see the
 *     same device in the same mood. Bandwidth alternates in rounds, because it takes a run of writes.
 * N2  Measured is a log at work: its segments are trimmed and used again. How often an append had to
 *     wait for a segment is counted from the first record on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bare_writes.h"
#include "wal/wal.h"

enum {
    KIB = 1024,
    MIB = 1024 * KIB,
    RECORD_HEADER_BYTES = 40, /* so that a record and a bare write are equally long on disk */
    FILE_BYTES = WEIR_WAL_SEGMENT_BYTES_DEFAULT,
    WRITE_BYTES_MAX = MIB,
    ROUNDS = 9, /* of bandwidth and scan; the median counts */
    ROUND_WRITES = 32,
    SCAN_BYTES = 256 * MIB,
    SCAN_RECORD_BYTES = 64 * KIB,
};

struct samples {
    uint64_t *ns;
    size_t count;
};

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static double quantile_us(struct samples *samples, double share)
{
    qsort(samples->ns, samples->count, sizeof(samples->ns[0]), compare);
    return (double)samples->ns[(size_t)((double)(samples->count - 1) * share)] / 1000;
}

static struct samples samples_of(size_t count)
{
    struct samples ret = { .ns = calloc(count, sizeof(*ret.ns)) };

    if (ret.ns == NULL) {
        bench_die("samples", "out of memory");
    }
    return ret;
}

/* A backend, a log on it, and bare writes beside it. */
struct bench {
    struct weir_io *io;
    weir_wal *wal;
    char log_dir[WEIR_IO_PATH_BYTES_MAX];
    struct bare_writes *bare;
    uint8_t *data;
};

static void must(int rc, const char *what, const struct weir_error *err)
{
    if (rc != WEIR_OK) {
        bench_die(what, err->text);
    }
}

static void open_bench(enum weir_io_choice choice, const char *dir, struct bench *ret)
{
    struct weir_error err = { 0 };

    *ret = (struct bench){ .data = weir_io_alloc(WRITE_BYTES_MAX) };
    if (ret->data == NULL) {
        bench_die("data", "out of memory");
    }
    memset(ret->data, 0x5a, WRITE_BYTES_MAX);
    (void)snprintf(ret->log_dir, sizeof(ret->log_dir), "%s/log", dir);
    must(weir_io_open(choice, &ret->io, &err), "I/O", &err);
    must(weir_wal_open(ret->io, ret->log_dir, NULL, &ret->wal, &err), ret->log_dir, &err);
    ret->bare = bare_open(choice, dir, FILE_BYTES, WRITE_BYTES_MAX);
}

static int remove_entry(void *context, const char *name, struct weir_error *err)
{
    const struct bench *bench = context;
    char path[WEIR_IO_PATH_BYTES_MAX + 256];

    (void)snprintf(path, sizeof(path), "%s/%s", bench->log_dir, name);
    return unlink(path) == 0 ? WEIR_OK : weir_error_set(err, WEIR_EIO, "remove %s", path);
}

static void close_bench(struct bench *bench)
{
    struct weir_error err = { 0 };

    weir_wal_close(bench->wal);
    bare_close(bench->bare);
    must(weir_io_list(bench->io, bench->log_dir, remove_entry, bench, &err), "clean up", &err);
    (void)rmdir(bench->log_dir);
    weir_io_close(bench->io);
    free(bench->data);
}

static uint64_t append(struct bench *bench, size_t bytes)
{
    struct weir_error err = { 0 };
    uint64_t lsn = 0;
    int rc;

    while ((rc = weir_wal_append(bench->wal, 1, bench->data, bytes - RECORD_HEADER_BYTES, &lsn,
                                 &err)) == WEIR_EBUSY) {
        must(weir_wal_poll(bench->wal, 1000, NULL, &err), "poll", &err);
    }
    must(rc, "append", &err);
    return lsn;
}

static void wait_and_trim(struct bench *bench, uint64_t lsn)
{
    struct weir_error err = { 0 };

    must(weir_wal_wait(bench->wal, lsn, &err), "wait", &err);
    must(weir_wal_trim(bench->wal, lsn, &err), "trim", &err);
}

/* --- What is measured ----------------------------------------------------------------------- */

static void timed_append(struct bench *bench, size_t bytes, struct samples *ret)
{
    struct weir_error err = { 0 };
    uint64_t begin_ns = bench_now_ns();
    uint64_t lsn = append(bench, bytes);

    must(weir_wal_wait(bench->wal, lsn, &err), "wait", &err);
    ret->ns[ret->count++] = bench_now_ns() - begin_ns;
    must(weir_wal_trim(bench->wal, lsn, &err), "trim", &err);
}

static void timed_bare(struct bench *bench, size_t bytes, struct samples *ret)
{
    uint64_t begin_ns = bench_now_ns();

    bare_write(bench->bare, bytes);
    ret->ns[ret->count++] = bench_now_ns() - begin_ns;
}

static void line(const struct bench *bench, const char *figure, size_t bytes, double log,
                 double bare, const char *unit)
{
    (void)printf("%s\t%s\t%zu\t%.3f\t%.3f\t%s\n", bench->io->ops->name, figure, bytes / KIB, log,
                 bare, unit);
    (void)fflush(stdout);
}

static void measure_appends(struct bench *bench, size_t bytes, size_t pairs)
{
    struct samples log = samples_of(pairs), bare = samples_of(pairs);

    for (size_t i = 0; i < pairs; i++) { /* N1 */
        if (i % 2 == 0) {
            timed_append(bench, bytes, &log);
            timed_bare(bench, bytes, &bare);
        } else {
            timed_bare(bench, bytes, &bare);
            timed_append(bench, bytes, &log);
        }
    }
    line(bench, "append_p50", bytes, quantile_us(&log, 0.5), quantile_us(&bare, 0.5), "us");
    line(bench, "append_p99", bytes, quantile_us(&log, 0.99), quantile_us(&bare, 0.99), "us");
    free(log.ns);
    free(bare.ns);
}

/* The log is given the next frame while one is being written; all is durable at the end. */
static void measure_bandwidth(struct bench *bench, size_t bytes)
{
    struct samples log = samples_of(ROUNDS), bare = samples_of(ROUNDS);

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t lsn = 0, begin_ns = bench_now_ns();

        for (int i = 0; i < ROUND_WRITES; i++) {
            uint64_t previous_lsn = lsn;

            lsn = append(bench, bytes);
            wait_and_trim(bench, previous_lsn);
        }
        wait_and_trim(bench, lsn);
        log.ns[log.count++] = bench_now_ns() - begin_ns;
        begin_ns = bench_now_ns();
        for (int i = 0; i < ROUND_WRITES; i++) {
            bare_write(bench->bare, bytes);
        }
        bare.ns[bare.count++] = bench_now_ns() - begin_ns;
    }
    const double round_bytes = (double)bytes * ROUND_WRITES;
    line(bench, "bandwidth", bytes, round_bytes / quantile_us(&log, 0.5),
         round_bytes / quantile_us(&bare, 0.5), "MB/s");
    free(log.ns);
    free(bare.ns);
}

/* Reads one file of the log by 1 MiB. */
static int read_entry(void *context, const char *name, struct weir_error *err)
{
    const struct bench *bench = context;
    struct weir_io_file *file = NULL;
    char path[WEIR_IO_PATH_BYTES_MAX + 256];
    size_t got = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", bench->log_dir, name);
    int rc = weir_io_file_open(bench->io, path, WEIR_IO_READ | WEIR_IO_DIRECT, &file, err);
    for (uint64_t at = 0; rc == WEIR_OK && (at == 0 || got == MIB); at += MIB) {
        rc = weir_io_read_at(bench->io, file, at, bench->data, MIB, &got, err);
    }
    weir_io_file_close(bench->io, file);
    return rc;
}

static void read_all(struct bench *bench)
{
    struct weir_error err = { 0 };

    must(weir_io_list(bench->io, bench->log_dir, read_entry, bench, &err), "read", &err);
}

/* What recovery does with a log: reads and checks all of it. Bare: reads its files. */
static void measure_scan(struct bench *bench)
{
    struct samples log = samples_of(ROUNDS), bare = samples_of(ROUNDS);
    struct weir_wal_report report = { 0 };
    struct weir_error err = { 0 };
    uint64_t lsn = 0;

    for (size_t done = 0; done < SCAN_BYTES; done += SCAN_RECORD_BYTES) {
        lsn = append(bench, SCAN_RECORD_BYTES);
    }
    must(weir_wal_wait(bench->wal, lsn, &err), "wait", &err);
    for (int round = -1; round < ROUNDS; round++) { /* the first one fills the cache */
        uint64_t begin_ns = bench_now_ns();

        must(weir_wal_verify(bench->io, bench->log_dir, NULL, NULL, &report, &err), "scan", &err);
        if (round >= 0) {
            log.ns[log.count++] = bench_now_ns() - begin_ns;
            begin_ns = bench_now_ns();
            read_all(bench);
            bare.ns[bare.count++] = bench_now_ns() - begin_ns;
        }
    }
    const double bytes = (double)report.segment_bytes;
    line(bench, "scan", SCAN_RECORD_BYTES, bytes / quantile_us(&log, 0.5),
         bytes / quantile_us(&bare, 0.5), "MB/s");
    wait_and_trim(bench, lsn);
    free(log.ns);
    free(bare.ns);
}

/* Appends until segments are used again; then everything, and what the log says of itself. */
static void measure(enum weir_io_choice choice, const char *dir, size_t pairs)
{
    static const size_t sizes[] = { 4 * KIB, 64 * KIB, 256 * KIB };
    struct weir_wal_stat stat = { 0 };
    struct bench bench;

    open_bench(choice, dir, &bench);
    while (weir_wal_stat(bench.wal, &stat), stat.recycled_count == 0) {
        wait_and_trim(&bench, append(&bench, 256 * KIB));
    }
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        measure_appends(&bench, sizes[i], pairs);
    }
    measure_bandwidth(&bench, MIB);
    weir_wal_stat(bench.wal, &stat);
    line(&bench, "late_segments", 0, (double)stat.late_segment_count, 0, "count");
    measure_scan(&bench);
    close_bench(&bench);
}

/* The backend that a program without wishes gets in dir. */
static void tell_choice(const char *dir)
{
    struct weir_error err = { 0 };
    struct weir_io *io = NULL;

    must(weir_io_open_for(WEIR_IO_AUTO, dir, &io, &err), "I/O", &err);
    (void)printf("%s\tin_use\t0\t1\t0\t\n", io->ops->name);
    weir_io_close(io);
}

int main(int argc, char **argv)
{
    char dir[WEIR_IO_PATH_BYTES_MAX];
    size_t pairs = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;

    if (argc < 2 || pairs == 0) {
        bench_die("usage", "wal_bench DIR [PAIRS]");
    }
    (void)snprintf(dir, sizeof(dir), "%s/wal-bench-XXXXXX", argv[1]);
    if (mkdtemp(dir) == NULL) {
        bench_die(dir, "cannot be made");
    }
    tell_choice(dir);
    measure(WEIR_IO_URING, dir, pairs);
    measure(WEIR_IO_POSIX, dir, pairs);
    (void)rmdir(dir);
    return 0;
}
