/* test_io.c: what every I/O backend promises, and what only the real ones can be asked. */
#include "io/io.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/support/io_backends.h"
#include "weir/log.h"

/* --- On every backend ----------------------------------------------------------------------- */

static const char *in(const struct backend *backend, const char *name)
{
    static char path[WEIR_IO_PATH_BYTES_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", backend->dir, name);
    return path;
}

static struct weir_io_file *must_create(const struct backend *backend, const char *name)
{
    struct weir_io_file *file = NULL;
    struct weir_error err = { 0 };

    if (weir_io_file_open(backend->io, in(backend, name),
                          WEIR_IO_WRITE | WEIR_IO_CREATE | WEIR_IO_DIRECT, &file,
                          &err) != WEIR_OK) {
        fail_msg("%s", err.text);
    }
    return file;
}

static void bytes_come_back(void **state)
{
    struct backend backend;
    struct weir_io_file *file;
    uint64_t size;
    bool is_named = false;
    size_t got;

    backend_open(&backend, *state);
    assert_int_equal(weir_io_make_dir(backend.io, backend.dir, NULL), WEIR_OK);
    assert_int_equal(weir_io_make_dir(backend.io, backend.dir, NULL), WEIR_OK);
    file = must_create(&backend, "a");
    uint8_t *data = weir_io_alloc(8192);
    memset(data, 'a', 8192);
    assert_int_equal(weir_io_write_at(backend.io, file, 4096, data, 8192, true, NULL), WEIR_OK);
    assert_int_equal(weir_io_size(backend.io, file, &size, &is_named, NULL), WEIR_OK);
    assert_int_equal(size, 12288);
    assert_true(is_named);
    memset(data, 'b', 8192);
    assert_int_equal(weir_io_read_at(backend.io, file, 8192, data, 8192, &got, NULL), WEIR_OK);
    assert_int_equal(got, 4096); /* the file ends there */
    assert_int_equal(data[0], 'a');
    assert_int_equal(data[4095], 'a');
    assert_int_equal(weir_io_read_at(backend.io, file, 0, data, 4096, &got, NULL), WEIR_OK);
    assert_int_equal(data[100], 0); /* a hole */
    assert_int_equal(weir_io_sync(backend.io, file, NULL), WEIR_OK);
    assert_int_equal(weir_io_sync_dir(backend.io, backend.dir, NULL), WEIR_OK);
    assert_int_equal(weir_io_unlink(backend.io, in(&backend, "a"), NULL), WEIR_OK);
    assert_int_equal(weir_io_size(backend.io, file, &size, &is_named, NULL), WEIR_OK);
    assert_false(is_named);
    weir_io_file_close(backend.io, file);
    free(data);
    backend_close(&backend);
}

static void many_writes_are_all_done(void **state)
{
    enum { WRITES = 100 };
    static struct weir_io_write writes[WRITES];
    struct backend backend;
    struct weir_io_file *file;
    int done = 0;

    backend_open(&backend, *state);
    assert_int_equal(weir_io_make_dir(backend.io, backend.dir, NULL), WEIR_OK);
    file = must_create(&backend, "a");
    uint8_t *data = weir_io_alloc(4096);
    memset(data, 'z', 4096);
    for (int i = 0; i < WRITES; i++) {
        writes[i] = (struct weir_io_write){ .file = file,
                                            .at = (uint64_t)i * 4096,
                                            .data = data,
                                            .bytes = 4096,
                                            .durable = i % 2 == 0 };
        assert_int_equal(weir_io_write_start(backend.io, &writes[i], NULL), WEIR_OK);
        assert_false(writes[i].done); /* only poll says so */
    }
    while (done < WRITES) {
        struct pollfd ready = { .fd = weir_io_fd(backend.io), .events = POLLIN };
        if (ready.fd >= 0) {
            assert_int_equal(poll(&ready, 1, 10000), 1);
        }
        assert_int_equal(weir_io_poll(backend.io, ready.fd < 0 ? 1000 : 0, NULL), WEIR_OK);
        done = 0;
        for (int i = 0; i < WRITES; i++) {
            done += writes[i].done;
            assert_int_equal(writes[i].code, WEIR_OK);
        }
    }
    struct pollfd quiet = { .fd = weir_io_fd(backend.io), .events = POLLIN };
    assert_int_equal(poll(&quiet, 1, 0), 0); /* nothing left to tell */
    weir_io_file_close(backend.io, file);
    free(data);
    backend_close(&backend);
}

static int count_names(void *context, const char *name, struct weir_error *err)
{
    (void)name;
    (void)err;
    ++*(int *)context;
    return WEIR_OK;
}

static void names_change(void **state)
{
    struct backend backend;
    struct weir_io_file *file = NULL;
    struct weir_error err = { 0 };
    char from[WEIR_IO_PATH_BYTES_MAX];
    int count = 0;

    backend_open(&backend, *state);
    assert_int_equal(weir_io_make_dir(backend.io, backend.dir, NULL), WEIR_OK);
    weir_io_file_close(backend.io, must_create(&backend, "a"));
    (void)snprintf(from, sizeof(from), "%s", in(&backend, "a"));
    assert_int_equal(
        weir_io_file_open(backend.io, from, WEIR_IO_WRITE | WEIR_IO_CREATE, &file, &err), WEIR_EIO);
    assert_int_equal(err.sys_errno, EEXIST);
    assert_int_equal(weir_io_rename(backend.io, from, in(&backend, "b"), NULL), WEIR_OK);
    assert_int_equal(weir_io_file_open(backend.io, from, WEIR_IO_READ, &file, &err), WEIR_EIO);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_int_equal(weir_io_list(backend.io, backend.dir, count_names, &count, NULL), WEIR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(weir_io_unlink(backend.io, in(&backend, "b"), NULL), WEIR_OK);
    count = 0;
    assert_int_equal(weir_io_list(backend.io, backend.dir, count_names, &count, NULL), WEIR_OK);
    assert_int_equal(count, 0);
    backend_close(&backend);
}

static void a_directory_is_locked_once(void **state)
{
    struct backend backend;
    struct weir_io_lock *lock = NULL, *other = NULL;
    struct weir_error err = { 0 };

    backend_open(&backend, *state);
    assert_int_equal(weir_io_make_dir(backend.io, backend.dir, NULL), WEIR_OK);
    assert_int_equal(weir_io_lock_dir(backend.io, backend.dir, &lock, NULL), WEIR_OK);
    assert_int_equal(weir_io_lock_dir(backend.io, backend.dir, &other, &err), WEIR_EBUSY);
    assert_string_equal(err.reason, "locked");
    weir_io_unlock_dir(backend.io, lock);
    assert_int_equal(weir_io_lock_dir(backend.io, backend.dir, &lock, NULL), WEIR_OK);
    weir_io_unlock_dir(backend.io, lock);
    backend_close(&backend);
}

static void clocks_and_randomness_work(void **state)
{
    struct backend backend;
    uint8_t a[16] = { 0 }, b[16] = { 0 };

    backend_open(&backend, *state);
    uint64_t before = weir_io_mono_us(backend.io);
    assert_true(weir_io_now_us(backend.io) > INT64_C(1600000000000000));
    assert_true(weir_io_mono_us(backend.io) >= before);
    assert_int_equal(weir_io_random_bytes(backend.io, a, sizeof(a), NULL), WEIR_OK);
    assert_int_equal(weir_io_random_bytes(backend.io, b, sizeof(b), NULL), WEIR_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    backend_close(&backend);
}

/* --- On the real world only ----------------------------------------------------------------- */

/* */
static void what_we_make_is_private(void **state)
{
    struct backend backend;
    struct stat stat_of;

    (void)state;
    backend_open(&backend, "posix");
    assert_int_equal(weir_io_make_dir(backend.io, backend.dir, NULL), WEIR_OK);
    weir_io_file_close(backend.io, must_create(&backend, "a"));
    assert_int_equal(stat(backend.dir, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 07777, 0700);
    assert_int_equal(stat(in(&backend, "a"), &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 07777, 0600);
    backend_close(&backend);
}

/* covers: P-33, X-12 */
static void unsafe_directories_are_refused(void **state)
{
    struct backend backend;
    struct weir_error err = { 0 };
    struct weir_io_file *file = NULL;
    char other[160];

    (void)state;
    backend_open(&backend, "posix");
    (void)snprintf(other, sizeof(other), "%s/other", backend.parent);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_int_equal(symlink("other", backend.dir), 0);
    assert_int_equal(weir_io_make_dir(backend.io, backend.dir, &err), WEIR_ECONFIG);
    assert_string_equal(err.reason, "data_dir");
    assert_int_equal(unlink(backend.dir), 0);
    assert_int_equal(chmod(other, 0777), 0);
    assert_int_equal(weir_io_make_dir(backend.io, other, &err), WEIR_ECONFIG);
    assert_non_null(strstr(err.text, "chmod"));
    assert_int_equal(chmod(other, 0700), 0);
    assert_int_equal(weir_io_make_dir(backend.io, other, &err), WEIR_OK);
    assert_int_equal(symlink("nowhere", backend.dir), 0); /* a file is not followed either */
    assert_int_equal(weir_io_file_open(backend.io, backend.dir, WEIR_IO_WRITE, &file, NULL),
                     WEIR_EIO);
    assert_int_equal(unlink(backend.dir), 0);
    assert_int_equal(rmdir(other), 0);
    backend_close(&backend);
}

/* The lock goes with the process, however it dies, and names it while it lives.
 * covers: P-11 */
static void a_lock_dies_with_its_process(void **state)
{
    struct backend backend;
    struct weir_io_lock *lock = NULL;
    struct weir_error err = { 0 };
    char pid[32];
    int ready[2];
    char byte;

    (void)state;
    backend_open(&backend, "posix");
    assert_int_equal(weir_io_make_dir(backend.io, backend.dir, NULL), WEIR_OK);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        if (weir_io_lock_dir(backend.io, backend.dir, &lock, NULL) == WEIR_OK &&
            write(ready[1], "x", 1) == 1) {
            (void)pause();
        }
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(weir_io_lock_dir(backend.io, backend.dir, &lock, &err), WEIR_EBUSY);
    (void)snprintf(pid, sizeof(pid), "process %ld:", (long)child);
    assert_non_null(strstr(err.text, pid));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(weir_io_lock_dir(backend.io, backend.dir, &lock, NULL), WEIR_OK);
    weir_io_unlock_dir(backend.io, lock);
    (void)close(ready[0]);
    (void)close(ready[1]);
    backend_close(&backend);
}

static void keep_line(void *context, enum weir_log_level level, const char *event,
                      const char *message)
{
    (void)level;
    (void)snprintf(context, 256, "%s: %s", event, message);
}

static void the_choice_is_said(void **state)
{
    struct weir_io *io = NULL;
    char line[256] = "";

    (void)state;
    weir_log_set(keep_line, line, WEIR_LOG_DEBUG);
    assert_int_equal(weir_io_open(WEIR_IO_POSIX, &io, NULL), WEIR_OK);
    assert_non_null(strstr(line, "io_backend: log I/O by pwritev2"));
    weir_io_close(io);
    assert_int_equal(weir_io_open(WEIR_IO_AUTO, &io, NULL), WEIR_OK);
    assert_non_null(strstr(line, strcmp(io->ops->name, "posix") == 0 ? "pwritev2" : "io_uring"));
    weir_io_close(io);
    weir_io_close(NULL);
    weir_log_set(NULL, NULL, WEIR_LOG_DEBUG);
}

/* --- On the simulated disk only ------------------------------------------------------------- */

/* After a power cut there is what was made durable, and each unsynced thing or not. */
static void a_power_cut_takes_what_was_not_synced(void **state)
{
    int kept = 0, lost = 0, named = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sim_disk *disk = sim_disk_new(seed);
        struct weir_io *io = sim_disk_boot(disk);
        struct weir_io_file *file = NULL;
        size_t len;

        assert_int_equal(weir_io_make_dir(io, "/d", NULL), WEIR_OK);
        assert_int_equal(weir_io_file_open(io, "/d/a", WEIR_IO_WRITE | WEIR_IO_CREATE, &file, NULL),
                         WEIR_OK);
        assert_int_equal(weir_io_write_at(io, file, 0, "durable!", 8, true, NULL), WEIR_OK);
        assert_int_equal(weir_io_sync_dir(io, "/d", NULL), WEIR_OK);
        assert_int_equal(weir_io_write_at(io, file, 0, "volatile", 8, false, NULL), WEIR_OK);
        assert_int_equal(weir_io_rename(io, "/d/a", "/d/b", NULL), WEIR_OK);
        sim_disk_power_cut(disk);
        weir_io_file_close(io, file);
        weir_io_close(io);
        const uint8_t *bytes = sim_disk_bytes(disk, "/d/b", &len);
        named += bytes != NULL;
        bytes = bytes != NULL ? bytes : sim_disk_bytes(disk, "/d/a", &len);
        assert_non_null(bytes);
        assert_int_equal(len, 8);
        kept += memcmp(bytes, "volatile", 8) == 0;
        lost += memcmp(bytes, "durable!", 8) == 0;
        sim_disk_free(disk);
    }
    assert_int_equal(kept + lost, 100);
    assert_true(kept > 20 && lost > 20 && named > 20 && named < 80);
}

/* The trap of fsync: after a failed one, the next succeeds and proves nothing. */
static void a_failed_sync_drops_its_pages(void **state)
{
    int lost = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct sim_disk *disk = sim_disk_new(seed);
        struct weir_io *io = sim_disk_boot(disk);
        struct weir_io_file *file = NULL;
        size_t len;

        assert_int_equal(weir_io_make_dir(io, "/d", NULL), WEIR_OK);
        assert_int_equal(weir_io_file_open(io, "/d/a", WEIR_IO_WRITE | WEIR_IO_CREATE, &file, NULL),
                         WEIR_OK);
        assert_int_equal(weir_io_sync_dir(io, "/d", NULL), WEIR_OK);
        assert_int_equal(weir_io_write_at(io, file, 0, "old", 3, true, NULL), WEIR_OK);
        assert_int_equal(weir_io_write_at(io, file, 0, "new", 3, false, NULL), WEIR_OK);
        sim_disk_fail(disk, SIM_SYNC, 0, 1, EIO);
        assert_int_equal(weir_io_sync(io, file, NULL), WEIR_EIO);
        assert_int_equal(weir_io_sync(io, file, NULL), WEIR_OK);
        sim_disk_power_cut(disk);
        weir_io_file_close(io, file);
        weir_io_close(io);
        lost += memcmp(sim_disk_bytes(disk, "/d/a", &len), "old", 3) == 0;
        sim_disk_free(disk);
    }
    assert_true(lost > 5);
}

/* Long pieces also to huge pages, so that they can lie in such. */
static void memory_is_aligned(void **state)
{
    static const size_t sizes[] = {
        0, 1, 4096, 4097, WEIR_IO_HUGE_BYTES - 1, WEIR_IO_HUGE_BYTES, WEIR_IO_HUGE_BYTES + 1
    };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *data = weir_io_alloc(sizes[i]);

        assert_non_null(data);
        assert_int_equal((uintptr_t)data % WEIR_IO_ALIGN_BYTES, 0);
        assert_true(sizes[i] < WEIR_IO_HUGE_BYTES || (uintptr_t)data % WEIR_IO_HUGE_BYTES == 0);
        memset(data, 1, sizes[i]);
        free(data);
    }
    assert_null(weir_io_alloc(SIZE_MAX));
}

int main(void)
{
    static const struct CMUnitTest everywhere[] = {
        cmocka_unit_test(bytes_come_back),
        cmocka_unit_test(many_writes_are_all_done),
        cmocka_unit_test(names_change),
        cmocka_unit_test(a_directory_is_locked_once),
        cmocka_unit_test(clocks_and_randomness_work),
    };
    static const struct CMUnitTest single[] = {
        cmocka_unit_test(what_we_make_is_private),
        cmocka_unit_test(unsafe_directories_are_refused),
        cmocka_unit_test(a_lock_dies_with_its_process),
        cmocka_unit_test(the_choice_is_said),
        cmocka_unit_test(a_power_cut_takes_what_was_not_synced),
        cmocka_unit_test(a_failed_sync_drops_its_pages),
        cmocka_unit_test(memory_is_aligned),
    };
    enum {
        EVERYWHERE = sizeof(everywhere) / sizeof(everywhere[0]),
        SINGLE = sizeof(single) / sizeof(single[0]),
    };

    return backend_run(every_backend, everywhere, EVERYWHERE, single, SINGLE);
}
