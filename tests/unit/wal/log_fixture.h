/* log_fixture.h: what the log's tests do again and again. Every failure fails the test. */
#ifndef WEIR_TESTS_LOG_FIXTURE_H
#define WEIR_TESTS_LOG_FIXTURE_H

#include "tests/support/test.h"
#include "wal/wal.h"

/* Sanitizers make everything ten times slower; long loops then do a part of their work. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOG_TEST_IS_SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LOG_TEST_IS_SLOW 1
#endif
#endif
#ifndef LOG_TEST_IS_SLOW
#define LOG_TEST_IS_SLOW 0
#endif

static inline weir_wal *must_open(struct weir_io *io, const char *dir, uint64_t segment_bytes)
{
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = segment_bytes };
    struct weir_error err = { 0 };
    weir_wal *wal = NULL;

    if (weir_wal_open(io, dir, &options, &wal, &err) != WEIR_OK) {
        fail_msg("open %s: %s", dir, err.text);
    }
    return wal;
}

/* Appends and waits. */
static inline uint64_t must_append(weir_wal *wal, uint8_t type, const void *bytes, size_t len)
{
    struct weir_error err = { 0 };
    uint64_t lsn = 0;

    int rc = weir_wal_append(wal, type, bytes, len, &lsn, &err);
    if (rc == WEIR_OK) {
        rc = weir_wal_wait(wal, lsn, &err);
    }
    if (rc != WEIR_OK) {
        fail_msg("append: %s", err.text);
    }
    return lsn;
}

/* The record a cursor finds next; lsn 0 at the end. */
static inline struct weir_wal_record must_next(weir_wal_cursor *cursor)
{
    struct weir_wal_record record = { 0 };
    struct weir_error err = { 0 };

    if (weir_wal_cursor_next(cursor, &record, &err) != WEIR_OK) {
        fail_msg("read: %s", err.text);
    }
    return record;
}

/* The number of records from an LSN on. */
static inline uint64_t count_from(weir_wal *wal, uint64_t from_lsn)
{
    weir_wal_cursor *cursor = NULL;
    uint64_t count = 0;

    assert_int_equal(weir_wal_cursor_open(wal, from_lsn, &cursor, NULL), WEIR_OK);
    while (must_next(cursor).lsn != 0) {
        count++;
    }
    weir_wal_cursor_close(cursor);
    return count;
}

#endif
