/* test_lock.c: one process has a log open, whatever is forked and however it dies.
 *
 * Every process here that opens the log does so by an I/O backend of its own. Parents and children
 * talk by pipes: a child says one byte when it is ready, and goes on when its other pipe closes. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/io_backends.h"
#include "tests/unit/wal/log_fixture.h"

enum { SEGMENT_BYTES = WEIR_WAL_SEGMENT_BYTES_MIN, KILLS = LOG_TEST_IS_SLOW ? 5 : 25 };

static enum weir_io_choice choice_of(const char *name)
{
    return strcmp(name, "posix") == 0 ? WEIR_IO_POSIX : WEIR_IO_URING;
}

/* Opens the log, in a child: there is no test framework to tell of a failure, only exit codes. */
static int open_log(const char *backend, const char *dir, struct weir_io **ret_io, weir_wal **ret)
{
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = SEGMENT_BYTES };
    int rc = weir_io_open(choice_of(backend), ret_io, NULL);

    return rc == WEIR_OK ? weir_wal_open(*ret_io, dir, &options, ret, NULL) : rc;
}

/* What a child that opens the log is told. */
static int answer_in_child(const char *backend, const char *dir)
{
    int status;

    pid_t child = fork();
    if (child == 0) {
        struct weir_io *io = NULL;
        weir_wal *wal = NULL;

        _exit(-open_log(backend, dir, &io, &wal));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

/* covers: P-35 */
static void a_fork_does_not_open_the_lock(void **state)
{
    struct backend backend;

    backend_open(&backend, *state);
    weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    for (int i = 0; i < 3; i++) { /* the end of a child that was refused must not free it either */
        assert_int_equal(answer_in_child(*state, backend.dir), WEIR_EBUSY);
        (void)must_append(wal, 1, "still ours", 10);
    }
    assert_int_equal(count_from(wal, 0), 3);
    weir_wal_close(wal);
    assert_int_equal(answer_in_child(*state, backend.dir), WEIR_OK);
    backend_close(&backend);
}

/* A process that has the log open forks another and is killed. What the other inherited could
 * still write, so the log is not free before that one is gone, too. */
static void what_a_killed_process_forked_keeps_the_lock(void **state)
{
    struct backend backend;
    int ready[2], go_on[2];
    char byte;

    backend_open(&backend, *state);
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(go_on), 0);
    pid_t child = fork();
    if (child == 0) {
        struct weir_io *io = NULL;
        weir_wal *wal = NULL;

        (void)close(go_on[1]);
        if (open_log(*state, backend.dir, &io, &wal) != WEIR_OK) {
            _exit(1);
        }
        if (fork() == 0) {
            (void)write(ready[1], "x", 1);
            _exit((int)read(go_on[0], &byte, 1)); /* 0 when the test closes its end */
        }
        (void)pause();
        _exit(1);
    }
    (void)close(go_on[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(answer_in_child(*state, backend.dir), WEIR_EBUSY);
    (void)close(go_on[1]);
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 0); /* the grandchild is gone */
    int rc = WEIR_EBUSY;
    for (int i = 0; i < 1000 && rc == WEIR_EBUSY; i++) {
        rc = answer_in_child(*state, backend.dir); /* its files close one after another */
    }
    assert_int_equal(rc, WEIR_OK);
    (void)close(ready[0]);
    backend_close(&backend);
}

/* Appends without end, noting what was reported durable in shared memory. */
static void append_until_killed(const char *backend, const char *dir,
                                volatile uint64_t *ret_durable, int ready)
{
    struct weir_io *io = NULL;
    weir_wal *wal = NULL;
    uint8_t bytes[3000] = { 0 };

    int rc = open_log(backend, dir, &io, &wal);
    for (uint64_t i = 0; rc == WEIR_OK; i++) {
        uint64_t lsn, durable = 0;

        rc = weir_wal_append(wal, 1, bytes, sizeof(bytes), &lsn, NULL);
        if (rc == WEIR_OK || rc == WEIR_EBUSY) {
            rc = weir_wal_poll(wal, rc == WEIR_EBUSY ? 1000 : 0, &durable, NULL);
            *ret_durable = durable;
        }
        if (rc == WEIR_OK && i % 16 == 0) {
            rc = weir_wal_trim(wal, durable, NULL);
        }
        if (i == 50) {
            (void)write(ready, "x", 1);
        }
    }
    _exit(1);
}

/* kill -9 in the middle of writes: the log is free at once, and holds all that was reported.
 * covers: P-11 */
static void a_kill_in_full_flight_frees_the_lock(void **state)
{
    struct backend backend;
    volatile uint64_t *durable =
        mmap(NULL, sizeof(*durable), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(durable != MAP_FAILED);
    backend_open(&backend, *state);
    for (int i = 0; i < KILLS; i++) {
        int ready[2];
        char byte;

        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        if (child == 0) {
            append_until_killed(*state, backend.dir, durable, ready[1]);
        }
        (void)close(ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        (void)usleep((useconds_t)(i * 211 % 3000));
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
        assert_true(weir_wal_durable(wal) > *durable); /* its opening mark comes behind all */
        weir_wal_close(wal);
        (void)close(ready[0]);
    }
    backend_close(&backend);
    assert_int_equal(munmap((void *)(uintptr_t)durable, sizeof(*durable)), 0);
}

int main(void)
{
    static const char *const backends[] = { "posix", "io_uring", NULL }; /* sim has no processes */
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fork_does_not_open_the_lock),
        cmocka_unit_test(what_a_killed_process_forked_keeps_the_lock),
        cmocka_unit_test(a_kill_in_full_flight_frees_the_lock),
    };

    return backend_run(backends, tests, sizeof(tests) / sizeof(tests[0]), NULL, 0);
}
