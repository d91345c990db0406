/* io_backends.h: gives a test one after another of the I/O backends, each with a directory of its own.
 *
 * A group of tests takes a backend's name as its state: "posix", "io_uring" or "sim". Where the
 * kernel forbids io_uring, its tests are skipped. */
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
        (void)fprintf(stderr, "# %s: %s\n", name, err.text);
        skip();
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

/* A test of a table, once for each backend. name has room for "io_uring: " before it. */
#define BACKEND_COUNT 3
static const char *const backend_names[BACKEND_COUNT] = { "posix", "io_uring", "sim" };

static inline void backend_tests(const struct CMUnitTest *tests, size_t count,
                                 struct CMUnitTest *ret)
{
    for (size_t i = 0; i < count * BACKEND_COUNT; i++) {
        static char names[BACKEND_COUNT * 64][96];
        const char *backend = backend_names[i / count];

        assert_true(i < sizeof(names) / sizeof(names[0]));
        (void)snprintf(names[i], sizeof(names[i]), "%s: %s", backend, tests[i % count].name);
        ret[i] = tests[i % count];
        ret[i].name = names[i];
        ret[i].initial_state = (void *)(uintptr_t)backend;
    }
}

#endif
