/* test_no_zstd.c: a weir that was built without zstd tells so, where it is asked to compress and
 * where it meets what another one has compressed. Links wal/no_zstd.c in place of compress.c. */
#include "tests/unit/wal/damaged_log.h"

static void it_does_not_compress(void **state)
{
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .compress_from_bytes = WEIR_WAL_COMPRESS_BYTES_MIN };
    struct sim_disk *disk = make_small(true);
    struct weir_io *io = sim_disk_boot(disk);
    struct weir_error err = { 0 };
    weir_wal *wal = NULL;

    (void)state;
    assert_int_equal(weir_wal_open(io, "/log", &options, &wal, &err), WEIR_ECONFIG);
    assert_non_null(strstr(err.text, "without zstd"));
    wal = must_open(io, "/log", 0); /* nothing was locked or changed */
    assert_int_equal(count_from(wal, 0), RECORDS);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(disk);
}

/* It is no damage, and not to be taken for a torn tail: nothing is cut. */
static void what_is_compressed_stops_it(void **state)
{
    struct sim_disk *disk = make_small(false);
    struct weir_error err = { 0 };
    uint64_t count = 0;

    (void)state;
    (void)replace_last(disk, WAL_STORED_PACKED, "a frame", 7);
    assert_int_equal(judge(disk, &count, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "log_version");
    assert_non_null(strstr(err.text, "0000000000000001.wal, offset 16384"));
    assert_non_null(strstr(err.text, "zstd"));
    sim_disk_free(disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_does_not_compress),
        cmocka_unit_test(what_is_compressed_stops_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
