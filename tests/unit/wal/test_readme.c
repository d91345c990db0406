/* test_readme.c: the example of wal/README.md, compiled from that very page, does what it says.
 *
 * The build takes the first block of C out of the page (meson.build) and links it with the log's
 * library and what that stands on, nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/io_backends.h"

/* Runs the example and keeps what it prints. Returns its exit code. */
static int run_example(const char *dir, const char *words, char *ret, size_t bytes)
{
    char command[1024];
    size_t len = 0;

    (void)snprintf(command, sizeof(command), "%s %s %s 2>&1", WEIR_README_EXAMPLE, dir, words);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    len = fread(ret, 1, bytes - 1, pipe);
    ret[len] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_example_of_the_readme_works(void **state)
{
    struct backend backend;
    char text[1024];

    (void)state;
    backend_open(&backend, "posix");
    assert_int_equal(run_example(backend.dir, "one two", text, sizeof(text)), 0);
    assert_non_null(strstr(text, "one\ntwo\n"));
    assert_int_equal(run_example(backend.dir, "three", text, sizeof(text)), 0);
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
    assert_int_equal(run_example(backend.dir, "one", text, sizeof(text)), 1);
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
