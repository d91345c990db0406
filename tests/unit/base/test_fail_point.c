/* test_fail_point.c: orders are read, refused, and carried out at the very pass they name.
 *
 * WEIR_FAIL is read once for a process, so each case runs in a child of its own. The sources are
 * compiled into this program with the points switched on, whatever the build does. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fail_point.h"
#include "tests/support/test.h"

enum { PASSES = 3, CHILD_READ = 10, CHILD_REFUSED = 20 };

/* Ends as CHILD_REFUSED, or passes one point PASSES times and ends as CHILD_READ and the number of
 * failures that it met. */
static void run_child(const char *orders)
{
    struct weir_error err = { 0 };
    int failures = 0;

    (void)setenv("WEIR_FAIL", orders, 1);
    if (weir_fail_point_init(&err) != WEIR_OK) {
        _exit(err.code == WEIR_ECONFIG && err.text[0] != '\0' ? CHILD_REFUSED : 0);
    }
    for (int i = 0; i < PASSES; i++) {
        int rc = WEIR_FAIL_AROUND(log_remove, WEIR_OK, &err);
        if (rc != WEIR_OK) {
            failures += rc == WEIR_EIO && err.code == WEIR_EIO;
        }
    }
    _exit(CHILD_READ + failures);
}

/* The exit status of a child that is given these orders; negative for a signal. */
static int outcome(const char *orders)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        run_child(orders);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    if (WIFSTOPPED(status)) {
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        return -WSTOPSIG(status);
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static const struct order_case {
    const char *name, *orders;
    int want;
} cases[] = {
    { "no orders do nothing", "", CHILD_READ },
    { "another point does nothing", "log_trim_before:kill", CHILD_READ },
    { "kill", "log_remove_before:kill", -SIGKILL },
    { "kill behind the step", "log_remove_after:kill", -SIGKILL },
    { "kill at the last pass", "log_remove_before:kill:3", -SIGKILL },
    { "a pass that never comes", "log_remove_before:kill:4", CHILD_READ },
    { "stop", "log_remove_before:stop", -SIGSTOP },
    { "fail happens once", "log_remove_before:fail", CHILD_READ + 1 },
    { "a failure hides the point behind", "log_remove_before:fail,log_remove_after:fail:3",
      CHILD_READ + 1 },
    { "both points of a step", "log_remove_before:fail,log_remove_after:fail:2", CHILD_READ + 2 },
    { "a delay passes", "log_remove_before:delay=1:2", CHILD_READ },
    { "an unknown point", "log_remuve_before:kill", CHILD_REFUSED },
    { "a step without its side", "log_remove:kill", CHILD_REFUSED },
    { "no action", "log_remove_before", CHILD_REFUSED },
    { "an empty action", "log_remove_before:", CHILD_REFUSED },
    { "an unknown action", "log_remove_before:burn", CHILD_REFUSED },
    { "the zeroth pass", "log_remove_before:kill:0", CHILD_REFUSED },
    { "a pass that is no number", "log_remove_before:kill:2x", CHILD_REFUSED },
    { "too large a number", "log_remove_before:kill:99999999999", CHILD_REFUSED },
    { "a delay without a length", "log_remove_before:delay=", CHILD_REFUSED },
    { "one point twice", "log_remove_before:kill,log_remove_before:fail", CHILD_REFUSED },
    { "an empty piece", "log_remove_before:kill,", CHILD_REFUSED },
    { "a failure where none is possible", "stop_request_before:fail", CHILD_REFUSED },
};

enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static void orders_are_carried_out(void **state)
{
    const struct order_case *row = *state;

    assert_int_equal(outcome(row->orders), row->want);
}

static void a_step_keeps_its_own_failure(void **state)
{
    struct weir_error err = { 0 };

    (void)state;
    assert_int_equal(WEIR_FAIL_AROUND(log_remove, WEIR_ENOSPC, &err), WEIR_ENOSPC);
}

static void the_list_names_both_points_of_every_step(void **state)
{
    size_t lines = 0;

    (void)state;
    for (const char *at = weir_fail_point_list(); *at != '\0'; at++) {
        lines += *at == '\n';
    }
    assert_int_equal(lines, WEIR_FAIL_POINT_COUNT);
    assert_non_null(strstr(weir_fail_point_list(), "sink_commit_send_after  "));
}

int main(void)
{
    struct CMUnitTest tests[CASES + 2];

    for (size_t i = 0; i < CASES; i++) {
        tests[i] = (struct CMUnitTest){ cases[i].name, orders_are_carried_out, NULL, NULL,
                                        (void *)(uintptr_t)&cases[i] };
    }
    tests[CASES] = (struct CMUnitTest)cmocka_unit_test(a_step_keeps_its_own_failure);
    tests[CASES + 1] =
        (struct CMUnitTest)cmocka_unit_test(the_list_names_both_points_of_every_step);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
