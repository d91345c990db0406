/* test_readme.c: the example of wal/README.md, compiled from that very page, does what it says.
 *
 * The build takes the first block of C out of the page (meson.build) and links it with the log's
 * library and what that stands on, nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/io_backends.h"

/* Runs the example with up to two words (NULL: no more) and keeps what it prints. Returns its exit code. */
static int run_example(const char *dir, const char *first, const char *second, char *ret,
                       size_t bytes)
{
    int ends[2];
    int status = 0;
    size_t len = 0;
    ssize_t got;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)execl(WEIR_README_EXAMPLE, WEIR_README_EXAMPLE, dir, first, second, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    assert_true(child > 0);
    while ((got = read(ends[0], ret + len, bytes - 1 - len)) > 0) {
        len += (size_t)got;
    }
    ret[len] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_example_of_the_readme_works(void **state)
{
    struct backend backend;
    char text[1024];

    (void)state;
    backend_open(&backend, "posix");
    assert_int_equal(run_example(backend.dir, "one", "two", text, sizeof(text)), 0);
    assert_non_null(strstr(text, "one\ntwo\n"));
    assert_int_equal(run_example(backend.dir, "three", NULL, text, sizeof(text)), 0);
    assert_non_null(strstr(text, "one\ntwo\nthree\n"));
    backend_close(&backend);
}

static void the_example_says_what_is_wrong(void **state)
{
    struct backend backend;
    struct weir_io_lock *lock = NULL;
    char text[1024];

    (void)state;
    backend_open(&backend, "posix");
    assert_int_equal(weir_io_make_dir(backend.io, backend.dir, NULL), WEIR_OK);
    assert_int_equal(weir_io_lock_dir(backend.io, backend.dir, &lock, NULL), WEIR_OK);
    assert_int_equal(run_example(backend.dir, "one", NULL, text, sizeof(text)), 1);
    assert_non_null(strstr(text, "stop it, or use another directory"));
    weir_io_unlock_dir(backend.io, lock);
    backend_close(&backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_the_readme_works),
        cmocka_unit_test(the_example_says_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
