/* test_memory.c: each allocation of a log's life fails once, whichever: the call that needed it
 * says WEIR_ENOMEM, the log goes on or opens again, and nothing that was acknowledged is gone. */
#include "tests/support/alloc_fault.h"
#include "tests/support/io_backends.h"
#include "tests/unit/wal/log_fixture.h"

enum { SEGMENT_BYTES = WEIR_WAL_SEGMENT_BYTES_MIN };

/* What a life of the log came to. */
struct life {
    uint64_t acknowledged; /* LSN */
    int failures;          /* calls that said WEIR_ENOMEM */
};

/* Takes note of what a call said. Returns whether it succeeded. */
static bool went_well(struct life *life, int rc)
{
    assert_true(rc == WEIR_OK || rc == WEIR_ENOMEM);
    life->failures += rc == WEIR_ENOMEM;
    return rc == WEIR_OK;
}

/* Appends len bytes, again when there was no memory: the log must go on. */
static void append(struct life *life, weir_wal *wal, const uint8_t *bytes, size_t len)
{
    uint64_t lsn = 0;

    while (!went_well(life, weir_wal_append(wal, 1, bytes, len, &lsn, NULL))) {
    }
    while (!went_well(life, weir_wal_wait(wal, lsn, NULL))) {
    }
    life->acknowledged = lsn;
}

static void read_back(struct life *life, weir_wal *wal)
{
    weir_wal_cursor *cursor = NULL;
    struct weir_wal_record record = { .lsn = 1 };

    while (!went_well(life, weir_wal_cursor_open(wal, 0, &cursor, NULL))) {
    }
    while (record.lsn != 0) {
        (void)went_well(life, weir_wal_cursor_next(cursor, &record, NULL));
    }
    weir_wal_cursor_close(cursor);
}

/* Opens the log on an I/O layer of its own, and uses all of it. */
static void live(struct life *life, enum weir_io_choice choice, const char *dir)
{
    static uint8_t bytes[150000]; /* longer than a segment; some can be compressed, all cannot */
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = SEGMENT_BYTES,
                                        .compress_from_bytes =
                                            WEIR_HAVE_ZSTD ? WEIR_WAL_COMPRESS_BYTES_MIN : 0 };
    struct weir_wal_report report;
    struct weir_io *io = NULL;
    weir_wal *wal = NULL;

    for (size_t i = WEIR_WAL_COMPRESS_BYTES_MIN; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * i * 2654435761u >> 13);
    }
    while (!went_well(life, weir_io_open_for(choice, dir, &io, NULL))) {
    }
    while (!went_well(life, weir_wal_open(io, dir, &options, &wal, NULL))) {
    }
    for (int i = 0; i < 16; i++) {
        append(life, wal, bytes, i == 7 ? sizeof(bytes) : i == 9 ? 66000 : 9000);
    }
    read_back(life, wal);
    (void)went_well(life, weir_wal_verify(io, dir, NULL, NULL, &report, NULL));
    (void)went_well(life, weir_wal_trim(wal, life->acknowledged - 3, NULL));
    append(life, wal, bytes, 10);
    weir_wal_close(wal);
    weir_io_close(io);
}

/* covers: P-14 */
static void any_allocation_may_fail(void **state)
{
    bool reached = true;
    int told = 0;

    for (uint64_t skip = 0; reached; skip++) {
        struct life life = { 0 };
        struct backend backend;

        backend_open(&backend, *state);
        alloc_fault_arm(skip);
        live(&life, strcmp(*state, "posix") == 0 ? WEIR_IO_POSIX : WEIR_IO_URING, backend.dir);
        reached = alloc_fault_disarm();
        told += life.failures;
        if (life.failures > 1) {
            fail_msg("allocation %llu failed once and was told %d times", (unsigned long long)skip,
                     life.failures);
        }
        weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
        assert_int_equal(count_from(wal, life.acknowledged), 1);
        weir_wal_close(wal);
        backend_close(&backend);
        assert_true(skip < 10000);
    }
    assert_true(told > 20); /* most of them; some calls go on without */
}

int main(void)
{
    static const char *const backends[] = { "posix", "io_uring", NULL };
    static const struct CMUnitTest tests[] = { cmocka_unit_test(any_allocation_may_fail) };

    return backend_run(backends, tests, 1, NULL, 0);
}
