/* test_failing_steps.c: each step of the log's life fails once, just before or just after it was
 * done. A failure that a call has told of is final (W3), whatever step it was; and what was
 * acknowledged before is there at the next open.
 *
 * The orders of WEIR_FAIL are read once for a process, so each case runs in a child of its own. The
 * log is compiled into this program with the points switched on. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail_point.h"
#include "tests/support/sim_io.h"
#include "tests/unit/wal/log_fixture.h"

enum { SEGMENT_BYTES = WEIR_WAL_SEGMENT_BYTES_MIN, APPENDS = 60, RECORD_BYTES = 9000 };

/* How a child ends. */
enum outcome { UNTOUCHED, FINAL, FORGOTTEN, LOST, REFUSED, OUTCOMES };
static const char *const outcome_names[OUTCOMES] = { "no call failed", "a failure was final",
                                                     "a failure was forgotten",
                                                     "a record that was acknowledged is gone",
                                                     "the order was refused" };

/* Appends, and trims often enough to recycle and to remove segments. *ret_acknowledged: LSN. */
static int append_and_trim(weir_wal *wal, uint64_t *ret_acknowledged)
{
    static const uint8_t bytes[RECORD_BYTES];
    int rc = WEIR_OK;

    for (int i = 0; rc == WEIR_OK && i < APPENDS; i++) {
        uint64_t lsn;

        rc = weir_wal_append(wal, 1, bytes, sizeof(bytes), &lsn, NULL);
        if (rc == WEIR_OK) {
            rc = weir_wal_wait(wal, lsn, NULL);
        }
        if (rc == WEIR_OK) {
            *ret_acknowledged = lsn;
            rc = i % 20 == 19 ? weir_wal_trim(wal, lsn, NULL) : WEIR_OK;
        }
    }
    return rc;
}

static bool is_final(weir_wal *wal)
{
    uint64_t lsn;

    return weir_wal_append(wal, 1, "x", 1, &lsn, NULL) == WEIR_EIO &&
           weir_wal_poll(wal, 0, NULL, NULL) == WEIR_EIO && weir_wal_trim(wal, 1, NULL) == WEIR_EIO;
}

static enum outcome live(void)
{
    struct sim_disk *disk = sim_disk_new(1);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", SEGMENT_BYTES);
    uint64_t acknowledged = 0;

    enum outcome outcome = append_and_trim(wal, &acknowledged) == WEIR_OK ? UNTOUCHED
                           : is_final(wal)                                ? FINAL
                                                                          : FORGOTTEN;
    weir_wal_close(wal);
    wal = must_open(io, "/log", SEGMENT_BYTES);
    if (acknowledged != 0 && count_from(wal, acknowledged) == 0) {
        outcome = LOST;
    }
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
    return outcome;
}

static enum outcome outcome_of(const char *order)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        (void)setenv("WEIR_FAIL", order, 1);
        _exit(weir_fail_point_init(NULL) == WEIR_OK ? (int)live() : REFUSED);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < OUTCOMES);
    return (enum outcome)WEXITSTATUS(status);
}

/* The steps of appending, trimming and preparing, that can fail. */
#define STEP_NAME(step, code, text) { #step, code },
static const struct {
    const char *name;
    int code;
} steps[] = { WEIR_FAIL_STEP_TABLE(STEP_NAME) };

static void a_failure_is_final(void **state)
{
    static const char *const sides[] = { "before", "after" };
    int finals = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        for (int side = 0; side < 2 && steps[i].code == WEIR_EIO; side++) {
            char order[128];

            if (strncmp(steps[i].name, "log_", 4) != 0) {
                continue;
            }
            (void)snprintf(order, sizeof(order), "%s_%s:fail:2", steps[i].name, sides[side]);
            enum outcome outcome = outcome_of(order);
            if (outcome > FINAL) {
                fail_msg("%s: %s", order, outcome_names[outcome]);
            }
            finals += outcome == FINAL;
        }
    }
    assert_true(finals > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_failure_is_final) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
