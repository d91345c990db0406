/* io_backends.h: gives a test one after another of the I/O backends, each with a directory of its own.
 *
 * A group of tests takes a backend's name as its state: "posix", "io_uring" or "sim". Where the
 * kernel forbids io_uring, its tests are left out. */
#ifndef WEIR_TESTS_IO_BACKENDS_H
#define WEIR_TESTS_IO_BACKENDS_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/sim_io.h"
#include "tests/support/test.h"

struct backend {
    struct weir_io *io;
    struct sim_disk *disk; /* sim only */
    char dir[128];         /* does not exist yet; its parent does */
    char parent[64];
};

/* Scratch directories lie where the tests are built, on a real file system. */
static inline void backend_open(struct backend *ret, const char *name)
{
    struct weir_error err = { 0 };

    *ret = (struct backend){ 0 };
    if (strcmp(name, "sim") == 0) {
        ret->disk = sim_disk_new(1);
        ret->io = sim_disk_boot(ret->disk);
        (void)snprintf(ret->dir, sizeof(ret->dir), "/data");
        return;
    }
    enum weir_io_choice choice = strcmp(name, "posix") == 0 ? WEIR_IO_POSIX : WEIR_IO_URING;
    if (weir_io_open(choice, &ret->io, &err) != WEIR_OK) {
        fail_msg("%s: %s", name, err.text);
    }
    (void)snprintf(ret->parent, sizeof(ret->parent), "weir-test-XXXXXX");
    assert_non_null(mkdtemp(ret->parent));
    (void)snprintf(ret->dir, sizeof(ret->dir), "%s/data", ret->parent);
}

static inline void backend_remove_dir(const char *path)
{
    DIR *dir = opendir(path);

    for (struct dirent *entry = NULL; dir != NULL && (entry = readdir(dir)) != NULL;) {
        char name[512];

        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        (void)unlink(name); /* "." and ".." refuse */
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    (void)rmdir(path);
}

static inline void backend_close(struct backend *backend)
{
    weir_io_close(backend->io);
    sim_disk_free(backend->disk);
    if (backend->parent[0] != '\0') {
        backend_remove_dir(backend->dir);
        backend_remove_dir(backend->parent);
    }
}

/* Whether io_uring is to be had. Its tests are left out where not: a skipped test is a failed one
 * to Meson, by the way in which CMocka writes it. */
static inline bool backend_is_there(const char *name)
{
    struct weir_io *io = NULL;
    struct weir_error err = { 0 };

    if (strcmp(name, "io_uring") != 0) {
        return true;
    }
    if (weir_io_open(WEIR_IO_URING, &io, &err) != WEIR_OK) {
        (void)printf("# %s\n", err.text);
        return false;
    }
    weir_io_close(io);
    return true;
}

/* Runs the tests of a table once for each of the backends named (ended by NULL), then the single
 * ones once, as one group. */
static inline int backend_run(const char *const *backends, const struct CMUnitTest *tests,
                              size_t count, const struct CMUnitTest *single, size_t single_count)
{
    enum { TESTS_MAX = 128, NAME_BYTES = 96 };
    static struct CMUnitTest all[TESTS_MAX];
    static char names[TESTS_MAX][NAME_BYTES];
    size_t filled = 0;

    for (; *backends != NULL; backends++) {
        for (size_t i = 0; backend_is_there(*backends) && i < count; i++) {
            assert_true(filled < TESTS_MAX);
            (void)snprintf(names[filled], NAME_BYTES, "%s: %s", *backends, tests[i].name);
            all[filled] = tests[i];
            all[filled].name = names[filled];
            all[filled++].initial_state = (void *)(uintptr_t)*backends;
        }
    }
    for (size_t i = 0; i < single_count; i++) {
        assert_true(filled < TESTS_MAX);
        all[filled++] = single[i];
    }
    return _cmocka_run_group_tests("tests", all, filled, NULL, NULL);
}

static const char *const every_backend[] = { "posix", "io_uring", "sim", NULL };

#endif
