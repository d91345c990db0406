/* test_retention.c: which segments stay when the log is trimmed, on every I/O backend.
 *
 * Each case fills six segments and trims up to some record of one of them. What must be there
 * afterwards is counted from behind: the active segment, those that the mark needs, those that the
 * options retain. */
#include "tests/support/io_backends.h"
#include "tests/unit/wal/log_fixture.h"

enum {
    SEGMENT_BYTES = WEIR_WAL_SEGMENT_BYTES_MIN,
    SEGMENTS = 6,
    RECORD_BYTES = SEGMENT_BYTES / 4, /* three of them and the header fill a segment */
    PER_SEGMENT = 3,
};

static const struct retention_case {
    const char *name;
    uint64_t retain_bytes, retain_segments;
    unsigned keep_from; /* the segment whose first record is the mark, counted from 0 */
    unsigned oldest;    /* that may be the first one left */
} cases[] = {
    { "nothing is retained", 0, 0, 5, 4 },
    { "by count", 0, 2, 5, 3 },
    { "by bytes", (uint64_t)3 * SEGMENT_BYTES, 0, 5, 2 },
    { "a part of a segment counts as one", SEGMENT_BYTES + 1, 0, 5, 3 },
    { "the count asks for more than the bytes", SEGMENT_BYTES, 4, 5, 1 },
    { "the bytes ask for more than the count", (uint64_t)4 * SEGMENT_BYTES, 1, 5, 1 },
    { "more is retained than there is", 0, 100, 5, 0 },
    { "the mark needs more than the count", 0, 1, 1, 1 },
    { "the mark needs more than the bytes", SEGMENT_BYTES, 0, 2, 2 },
    { "the mark needs all", 0, 1, 0, 0 },
};

/* Appends records until SEGMENTS segments hold one. first_lsns: the first record of each. */
static void fill(weir_wal *wal, uint64_t first_lsns[SEGMENTS])
{
    static uint8_t bytes[RECORD_BYTES - 100];

    for (int i = 0; i < SEGMENTS * PER_SEGMENT; i++) {
        uint64_t lsn = must_append(wal, 1, bytes, sizeof(bytes));

        if (i % PER_SEGMENT == 0) {
            first_lsns[i / PER_SEGMENT] = lsn;
        }
    }
}

static void run_case(const char *backend_name, const struct retention_case *row)
{
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = SEGMENT_BYTES,
                                        .retain_bytes = row->retain_bytes,
                                        .retain_segments = row->retain_segments };
    struct weir_wal_stat stat;
    struct weir_error err = { 0 };
    struct backend backend;
    uint64_t first_lsns[SEGMENTS];
    weir_wal *wal = NULL;

    backend_open(&backend, backend_name);
    assert_int_equal(weir_wal_open(backend.io, backend.dir, &options, &wal, &err), WEIR_OK);
    fill(wal, first_lsns);
    assert_int_equal(weir_wal_trim(wal, first_lsns[row->keep_from], &err), WEIR_OK);
    weir_wal_stat(wal, &stat);
    if (stat.first_lsn > first_lsns[row->oldest]) {
        fail_msg("%s: the log begins at %llu, behind %llu", row->name,
                 (unsigned long long)stat.first_lsn, (unsigned long long)first_lsns[row->oldest]);
    }
    /* One trimmed segment may wait to become the next one. */
    if (row->oldest > 1 && stat.first_lsn < first_lsns[row->oldest - 1]) {
        fail_msg("%s: the log begins at %llu, before %llu", row->name,
                 (unsigned long long)stat.first_lsn,
                 (unsigned long long)first_lsns[row->oldest - 1]);
    }
    assert_int_equal(count_from(wal, first_lsns[row->keep_from]),
                     (SEGMENTS - row->keep_from) * PER_SEGMENT);
    weir_wal_close(wal);

    /* The same is there after a restart, and what was retained can be read. */
    assert_int_equal(weir_wal_open(backend.io, backend.dir, &options, &wal, &err), WEIR_OK);
    assert_int_equal(count_from(wal, first_lsns[row->oldest]),
                     (SEGMENTS - row->oldest) * PER_SEGMENT);
    weir_wal_close(wal);
    backend_close(&backend);
}

static void what_is_asked_for_is_kept(void **state)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        run_case(*state, &cases[i]);
    }
}

/* A log that is trimmed all the time stays as long as it is asked to be, and no longer. */
static void a_log_at_work_does_not_grow(void **state)
{
    enum { RETAINED = 3, ROUNDS = 40 };
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = SEGMENT_BYTES,
                                        .retain_segments = RETAINED };
    static uint8_t bytes[RECORD_BYTES - 100];
    struct weir_wal_stat stat;
    struct backend backend;
    weir_wal *wal = NULL;

    backend_open(&backend, *state);
    assert_int_equal(weir_wal_open(backend.io, backend.dir, &options, &wal, NULL), WEIR_OK);
    for (int i = 0; i < ROUNDS * PER_SEGMENT; i++) {
        uint64_t lsn = must_append(wal, 1, bytes, sizeof(bytes));

        assert_int_equal(weir_wal_trim(wal, lsn, NULL), WEIR_OK);
        weir_wal_stat(wal, &stat);
        assert_true(stat.segment_count <=
                    RETAINED + 3); /* active, prepared, about to be used again */
        if (lsn > (uint64_t)(RETAINED + 1) * PER_SEGMENT) {
            assert_true(stat.first_lsn + (uint64_t)RETAINED * PER_SEGMENT <= lsn + PER_SEGMENT);
        }
    }
    assert_true(stat.recycled_count > ROUNDS / 2);
    weir_wal_close(wal);
    backend_close(&backend);
}

int main(void)
{
    const struct CMUnitTest each[] = {
        cmocka_unit_test(what_is_asked_for_is_kept),
        cmocka_unit_test(a_log_at_work_does_not_grow),
    };
    return backend_run(every_backend, each, sizeof(each) / sizeof(each[0]), NULL, 0);
}
