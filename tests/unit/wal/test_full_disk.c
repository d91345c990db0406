/* test_full_disk.c: a log on a real file system that gets full, and has room again.
 *
 * What was acknowledged stays, what does not fit is refused with WEIR_ENOSPC and can be tried again,
 * on each real I/O backend. */
#include <errno.h>
#include <string.h>

#include "tests/support/io_backends.h"
#include "tests/support/small_disk.h"
#include "tests/unit/wal/log_fixture.h"

enum { SEGMENT_BYTES = WEIR_WAL_SEGMENT_BYTES_MIN, RECORD_BYTES = 5000, TRIES = 20 };

static int try_append(weir_wal *wal, struct weir_error *err)
{
    static uint8_t bytes[RECORD_BYTES];
    uint64_t lsn = 0;

    int rc = weir_wal_append(wal, 1, bytes, sizeof(bytes), &lsn, err);
    return rc == WEIR_OK ? weir_wal_wait(wal, lsn, err) : rc;
}

/* Appends until there is no room; returns how many were acknowledged. */
static uint64_t append_until_full(weir_wal *wal)
{
    struct weir_wal_stat stat;
    struct weir_error err = { 0 };
    uint64_t count = 0;
    int rc;

    while ((rc = try_append(wal, &err)) == WEIR_OK) {
        count++;
    }
    if (rc != WEIR_ENOSPC || strstr(err.text, strerror(ENOSPC)) == NULL) {
        fail_msg("after %llu records: %s", (unsigned long long)count, err.text);
    }
    weir_wal_stat(wal, &stat);
    assert_true(stat.no_space);
    for (int i = 0; i < TRIES; i++) { /* nothing gets worse by trying */
        assert_int_equal(try_append(wal, NULL), WEIR_ENOSPC);
        assert_int_equal(weir_wal_poll(wal, 0, NULL, NULL), WEIR_OK);
    }
    assert_int_equal(count_from(wal, 0), count);
    return count;
}

static void goes_on(weir_wal *wal, uint64_t count)
{
    struct weir_wal_stat stat;

    for (int i = 0; i < TRIES; i++) {
        assert_int_equal(try_append(wal, NULL), WEIR_OK);
    }
    weir_wal_stat(wal, &stat);
    assert_false(stat.no_space);
    assert_int_equal(count_from(wal, 0), count + TRIES);
}

/* covers: D-04 */
static void no_space_is_waited_out(void **state)
{
    struct backend backend;

    backend_open(&backend, *state);
    weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    small_disk_fill(5 * SEGMENT_BYTES / 2);
    uint64_t count = append_until_full(wal);
    small_disk_free(0);
    goes_on(wal, count);
    weir_wal_close(wal);
    wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    assert_int_equal(count_from(wal, 0), count + TRIES);
    weir_wal_close(wal);
    backend_close(&backend);
}

/* A full log that is opened again may or may not have room for its own mark.
 * covers: D-06 */
static void a_full_log_is_recovered(void **state)
{
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = SEGMENT_BYTES };
    struct backend backend;
    weir_wal *wal = NULL;

    backend_open(&backend, *state);
    wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    small_disk_fill(SEGMENT_BYTES + SEGMENT_BYTES / 2);
    uint64_t count = append_until_full(wal);
    weir_wal_close(wal);
    for (int i = 0; i < TRIES; i++) {
        int rc = weir_wal_open(backend.io, backend.dir, &options, &wal, NULL);
        assert_true(rc == WEIR_OK || rc == WEIR_ENOSPC);
        if (rc == WEIR_OK) {
            assert_int_equal(count_from(wal, 0), count);
            assert_int_equal(weir_wal_trim(wal, 1, NULL), WEIR_OK);
            weir_wal_close(wal);
        }
    }
    small_disk_free(0);
    wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    goes_on(wal, count);
    weir_wal_close(wal);
    backend_close(&backend);
}

/* A log that cannot be made leaves nothing behind that the next try would stumble over.
 * covers: D-06 */
static void a_log_is_made_when_there_is_room(void **state)
{
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = SEGMENT_BYTES };
    struct backend backend;
    struct weir_error err = { 0 };
    weir_wal *wal = NULL;

    backend_open(&backend, *state);
    small_disk_fill(SEGMENT_BYTES / 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(weir_wal_open(backend.io, backend.dir, &options, &wal, &err), WEIR_ENOSPC);
        assert_non_null(strstr(err.text, backend.dir)); /* which file, and why */
        assert_non_null(strstr(err.text, strerror(ENOSPC)));
    }
    small_disk_free(0);
    wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    goes_on(wal, 0);
    weir_wal_close(wal);
    backend_close(&backend);
}

/* There is space, but no name for another file.
 * covers: D-30 */
static void no_inode_is_waited_out(void **state)
{
    struct backend backend;

    backend_open(&backend, *state);
    weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    int names = small_disk_fill_names();
    uint64_t count = append_until_full(wal);
    small_disk_free(names);
    goes_on(wal, count);
    weir_wal_close(wal);
    backend_close(&backend);
}

/* covers: D-30 */
static void a_path_too_long_is_refused(void **state)
{
    char path[2 * WEIR_IO_PATH_BYTES_MAX];
    struct weir_error err = { 0 };
    struct backend backend;
    weir_wal *wal = NULL;

    backend_open(&backend, *state);
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_not_equal(weir_wal_open(backend.io, path, NULL, &wal, &err), WEIR_OK);
    assert_null(wal);
    assert_string_not_equal(err.text, "");
    backend_close(&backend);
}

int main(void)
{
    static const char *const real_backends[] = { "posix", "io_uring", NULL };
    const struct CMUnitTest each[] = {
        cmocka_unit_test(no_space_is_waited_out),
        cmocka_unit_test(a_full_log_is_recovered),
        cmocka_unit_test(a_log_is_made_when_there_is_room),
        cmocka_unit_test(no_inode_is_waited_out),
        cmocka_unit_test(a_path_too_long_is_refused),
    };

    if (!small_disk_enter("size=2m,nr_inodes=20")) {
        return 0;
    }
    return backend_run(real_backends, each, sizeof(each) / sizeof(each[0]), NULL, 0);
}
