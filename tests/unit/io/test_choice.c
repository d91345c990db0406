/* test_choice.c: which backend is chosen where something is missing, that one line says so with the
 * reason, and that a log works there and is the same log everywhere.
 *
 * Each case runs in a child, because what seccomp has taken does not come back. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log_line.h"
#include "tests/support/forbid.h"
#include "tests/support/io_backends.h"
#include "wal/wal.h"

/* The lines of event io_backend, one after another. */
struct lines {
    int count;
    char text[256];
};

static void keep_line(void *context, enum weir_log_level level, const char *event,
                      const char *message)
{
    struct lines *lines = context;

    (void)level;
    if (strcmp(event, "io_backend") == 0) {
        lines->count++;
        (void)snprintf(lines->text, sizeof(lines->text), "%s", message);
    }
}

/* Appends to the log in dir by the backend of the program's own choice. */
static int use_log(const char *dir, struct weir_wal_stat *ret, struct weir_error *err)
{
    struct weir_io *io = NULL;
    weir_wal *wal = NULL;
    uint64_t lsn = 0;

    int rc = weir_io_open_for(WEIR_IO_AUTO, dir, &io, err);
    if (rc == WEIR_OK) {
        rc = weir_wal_open(io, dir, NULL, &wal, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_wal_append(wal, 1, "record", 6, &lsn, err);
    }
    if (rc == WEIR_OK) {
        rc = weir_wal_wait(wal, lsn, err);
    }
    if (rc == WEIR_OK) {
        weir_wal_stat(wal, ret);
        ret->backend_why =
            ret->backend_why[0] == '\0' ? "" : "for a reason"; /* which the line has */
    }
    weir_wal_close(wal);
    weir_io_close(io);
    return rc;
}

/* In the child: what it has to tell, one line, into the pipe. */
static void tell(int to, const char *forbidden, const char *dir)
{
    struct lines lines = { 0 };
    struct weir_error err = { 0 };
    struct weir_wal_stat stat = { .backend = "none", .backend_why = "" };

    weir_log_set(keep_line, &lines, WEIR_LOG_DEBUG);
    int sys_errno = forbidden == NULL ? 0 : forbid(forbidden);
    int rc = sys_errno == 0 ? use_log(dir, &stat, &err) : WEIR_OK;
    (void)dprintf(to, "%d %d %d %s %s [%s %s]", sys_errno, rc, lines.count, lines.text, err.text,
                  stat.backend, stat.backend_why);
}

/* Runs use_log() in a child without the forbidden thing; what is left of its one line must hold
 * want, and what the log tells of itself be metric. */
static void start_without(const char *forbidden, const char *dir, const char *want,
                          const char *metric)
{
    char text[1024] = "";
    int ends[2], sys_errno = -1, rc = -1, count = -1, at = 0, status;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        tell(ends[1], forbidden, dir);
        _exit(0);
    }
    (void)close(ends[1]);
    for (ssize_t got = 1, len = 0; got > 0 && len < (ssize_t)sizeof(text) - 1; len += got) {
        got = read(ends[0], text + len, sizeof(text) - 1 - (size_t)len);
        assert_true(got >= 0);
    }
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(sscanf(text, "%d %d %d %n", &sys_errno, &rc, &count, &at), 3);
    if (sys_errno != 0) {
        (void)printf("# no seccomp here, not tried without %s\n", forbidden);
        return;
    }
    if (rc != WEIR_OK || count != 1 || strstr(text + at, want) == NULL ||
        strstr(text + at, metric) == NULL) {
        fail_msg("without %s: \"%s\" is not one line with \"%s\"", forbidden, text, want);
    }
}

/* covers: D-28, P-19 */
static void a_log_starts_wherever_it_is(void **state)
{
    struct backend backend;
    struct weir_wal_report report;

    (void)state;
    backend_open(&backend, "posix");
    start_without("io_uring", backend.dir, "log I/O by pwritev2, because of io_uring",
                  "[posix for a reason]");
    start_without("direct", backend.dir, "log I/O by pwritev2, because the file system",
                  "[posix for a reason]");
    start_without("dsync", backend.dir, "pwritev2 and fdatasync, because RWF_DSYNC is refused",
                  "[posix for a reason]");
    if (backend_is_there("io_uring")) {
        start_without(NULL, backend.dir, "log I/O by io_uring", "[io_uring ]");
    }
    assert_int_equal(weir_wal_verify(backend.io, backend.dir, NULL, NULL, &report, NULL), WEIR_OK);
    assert_int_equal(report.record_count % 3, 0); /* each with its two marks */
    backend_close(&backend);
}

/* A file that a dying process still writes is waited for: its lock goes with its last holder. */
static void a_file_is_written_by_one_process(void **state)
{
    struct backend backend;
    struct weir_io_file *file = NULL;
    char path[192];
    int ready[2];
    char byte;

    (void)state;
    backend_open(&backend, "posix");
    assert_int_equal(weir_io_make_dir(backend.io, backend.dir, NULL), WEIR_OK);
    (void)snprintf(path, sizeof(path), "%s/a", backend.dir);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        if (weir_io_file_open(backend.io, path, WEIR_IO_WRITE | WEIR_IO_CREATE, &file, NULL) ==
                WEIR_OK &&
            write(ready[1], "x", 1) == 1) {
            (void)usleep(300000);
        }
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    uint64_t begin_us = weir_io_mono_us(backend.io);
    assert_int_equal(weir_io_file_open(backend.io, path, WEIR_IO_WRITE, &file, NULL), WEIR_OK);
    assert_true(weir_io_mono_us(backend.io) - begin_us > 100000);
    weir_io_file_close(backend.io, file);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(ready[0]);
    (void)close(ready[1]);
    backend_close(&backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_starts_wherever_it_is),
        cmocka_unit_test(a_file_is_written_by_one_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
