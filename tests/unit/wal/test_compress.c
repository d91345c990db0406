/* test_compress.c: records stored as zstd frames: what a user of the log sees of them (nothing, but
 * fewer bytes), on every I/O backend; what becomes of bodies that hold something else than they say;
 * and where their memory comes from.
 *
 * test_every_harm.c does to a small compressed log all that can be done to it. */
#include <endian.h>
#include <zstd.h>

#include "tests/support/io_backends.h"
#include "tests/unit/wal/damaged_log.h"

enum {
    THRESHOLD = 70000,
    LONG_BYTES = 300000,
    PACKING_SEGMENT_BYTES = 256 * 1024, /* shorter than the longest record */
    FRAME_BYTES_MAX = 4000,
    PREFIX_BYTES = 4, /* docs/FORMAT.md: the length before the frame */
};

/* --- Memory --------------------------------------------------------------------------------- */

/* Calls of malloc, those within libzstd included; which of them fails. The sanitizers have a malloc
 * of their own: nothing is counted then. */
static uint64_t allocations, allocation_that_fails = UINT64_MAX;

#if !LOG_TEST_IS_SLOW
void *__libc_malloc(size_t bytes);

__attribute__((visibility("default"))) void *malloc(size_t bytes)
{
    return ++allocations == allocation_that_fails ? NULL : __libc_malloc(bytes);
}
#endif

/* --- Records -------------------------------------------------------------------------------- */

static uint8_t text[LONG_BYTES], noise[LONG_BYTES];

/* What packs well, and what does not. */
static int make_bytes(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (size_t i = 0; i < LONG_BYTES; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        noise[i] = (uint8_t)(random >> 56);
        text[i] = (uint8_t)("some words of a record, again and again. "[i % 41]);
        text[i] ^= i % 997 == 0 ? noise[i] : 0;
    }
    return 0;
}

static weir_wal *must_open_packing(struct weir_io *io, const char *dir, uint64_t from_bytes)
{
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .segment_bytes = PACKING_SEGMENT_BYTES,
                                        .compress_from_bytes = from_bytes };
    struct weir_error err = { 0 };
    weir_wal *wal = NULL;

    if (weir_wal_open(io, dir, &options, &wal, &err) != WEIR_OK) {
        fail_msg("open %s: %s", dir, err.text);
    }
    return wal;
}

/* The records that the tests append, all in one life or each in another one. */
static const struct row {
    const uint8_t *bytes;
    size_t len;
    bool is_compressed; /* where records are from THRESHOLD on */
} rows[] = {
    { text, THRESHOLD - 1, false },
    { text, THRESHOLD, true },
    { noise, THRESHOLD, false }, /* it would not become shorter */
    { text, LONG_BYTES, true },
    { noise, LONG_BYTES, false },
    { text, 0, false },
    { text + 5, LONG_BYTES - 5, true },
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void assert_rows(weir_wal *wal)
{
    weir_wal_cursor *cursor = NULL;

    assert_int_equal(weir_wal_cursor_open(wal, 0, &cursor, NULL), WEIR_OK);
    for (size_t i = 0; i < ROWS; i++) {
        struct weir_wal_record record = must_next(cursor);

        assert_true(record.lsn != 0);
        assert_int_equal(record.type, i + 1);
        assert_int_equal(record.len, rows[i].len);
        assert_true(record.len == 0 || memcmp(record.bytes, rows[i].bytes, record.len) == 0);
    }
    assert_int_equal(must_next(cursor).lsn, 0);
    weir_wal_cursor_close(cursor);
}

static void compressed_records_come_back(void **state)
{
    struct backend backend;
    struct weir_wal_stat stat;
    struct weir_wal_report report;
    uint64_t plain_bytes = 0;

    backend_open(&backend, *state);
    weir_wal *wal = must_open_packing(backend.io, backend.dir, THRESHOLD);
    for (size_t i = 0; i < ROWS; i++) {
        weir_wal_stat(wal, &stat);
        uint64_t count_before = stat.compressed_count;
        (void)must_append(wal, (uint8_t)(i + 1), rows[i].bytes, rows[i].len);
        weir_wal_stat(wal, &stat);
        assert_int_equal(stat.compressed_count - count_before, rows[i].is_compressed);
        plain_bytes += rows[i].is_compressed ? rows[i].len : 0;
    }
    assert_int_equal(stat.compressed_plain_bytes, plain_bytes);
    assert_true(stat.compressed_stored_bytes < plain_bytes / 10);
    assert_true(stat.written_bytes < 2 * THRESHOLD + LONG_BYTES + plain_bytes / 10);
    assert_rows(wal);
    weir_wal_close(wal);

    wal = must_open(backend.io, backend.dir, SEGMENT_BYTES); /* no option is wanted to read */
    assert_rows(wal);
    weir_wal_close(wal);
    assert_int_equal(weir_wal_verify(backend.io, backend.dir, NULL, NULL, &report, NULL), WEIR_OK);
    assert_int_equal(report.compressed_count, stat.compressed_count);
    assert_int_equal(report.compressed_plain_bytes, plain_bytes);
    assert_int_equal(report.compressed_stored_bytes, stat.compressed_stored_bytes);
    backend_close(&backend);
}

/* Compressed and plain records of many lives, in one segment and shared writes. */
static void the_option_may_change(void **state)
{
    struct backend backend;
    weir_wal *wal = NULL;

    backend_open(&backend, *state);
    for (size_t i = 0; i < ROWS; i++) {
        uint64_t lsn;

        wal = must_open_packing(backend.io, backend.dir, i % 2 == 0 ? 0 : THRESHOLD);
        while (weir_wal_append(wal, (uint8_t)(i + 1), rows[i].bytes, rows[i].len, &lsn, NULL) ==
               WEIR_EBUSY) {
            assert_int_equal(weir_wal_poll(wal, 1000, NULL, NULL), WEIR_OK);
        }
        weir_wal_close(wal);
    }
    wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    assert_rows(wal);
    weir_wal_close(wal);
    backend_close(&backend);
}

static void what_waits_is_compressed_too(void **state)
{
    struct backend backend;
    struct weir_wal_stat stat;
    uint64_t lsn = 0;

    backend_open(&backend, *state);
    weir_wal *wal = must_open_packing(backend.io, backend.dir, THRESHOLD);
    for (int i = 0; i < 200; i++) { /* through many segments */
        while (weir_wal_append(wal, 1, text + i, THRESHOLD, &lsn, NULL) == WEIR_EBUSY) {
            assert_int_equal(weir_wal_poll(wal, 1000, NULL, NULL), WEIR_OK);
        }
        assert_int_equal(weir_wal_trim(wal, lsn / 2, NULL), WEIR_OK);
    }
    assert_int_equal(weir_wal_wait(wal, lsn, NULL), WEIR_OK);
    weir_wal_stat(wal, &stat);
    assert_int_equal(stat.compressed_count, 200);
    assert_true(stat.recycled_count > 0);
    weir_wal_close(wal);
    wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    assert_int_equal(count_from(wal, lsn), 1);
    weir_wal_close(wal);
    backend_close(&backend);
}

static void nothing_is_compressed_unasked(void **state)
{
    struct backend backend;
    struct weir_wal_stat stat;
    struct weir_error err = { 0 };

    backend_open(&backend, *state);
    weir_wal *wal = must_open(backend.io, backend.dir, SEGMENT_BYTES);
    (void)must_append(wal, 1, text, LONG_BYTES);
    weir_wal_stat(wal, &stat);
    assert_int_equal(stat.compressed_count, 0);
    assert_true(stat.written_bytes > LONG_BYTES);
    weir_wal_close(wal);

    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .compress_from_bytes = WEIR_WAL_COMPRESS_BYTES_MIN - 1 };
    assert_int_equal(weir_wal_open(backend.io, backend.dir, &options, &wal, &err), WEIR_ECONFIG);
    assert_non_null(strstr(err.text, "65536"));
    backend_close(&backend);
}

/* --- Bodies that hold something else than they say ------------------------------------------ */

/* The frame of len bytes of text or zeros, its length before it. Returns how long both are. */
static size_t pack(uint8_t *to, const uint8_t *bytes, size_t len)
{
    uint32_t length = htole32((uint32_t)len);

    memcpy(to, &length, sizeof(length));
    size_t frame_bytes =
        ZSTD_compress(to + PREFIX_BYTES, FRAME_BYTES_MAX - PREFIX_BYTES, bytes, len, 1);
    assert_false(ZSTD_isError(frame_bytes));
    return PREFIX_BYTES + frame_bytes;
}

static void set_length(uint8_t *packed, uint32_t length)
{
    length = htole32(length);
    memcpy(packed, &length, sizeof(length));
}

static size_t good(uint8_t *to)
{
    return pack(to, text, 5000);
}

static size_t longer_than_it_says(uint8_t *to)
{
    size_t bytes = good(to);

    set_length(to, 4999);
    return bytes;
}

static size_t shorter_than_it_says(uint8_t *to)
{
    size_t bytes = good(to);

    set_length(to, 5001);
    return bytes;
}

/* Consistent in itself, but longer than any record: it must not be given memory. */
static size_t a_bomb(uint8_t *to)
{
    size_t len = (size_t)WEIR_WAL_RECORD_BYTES_MAX + 1;
    uint8_t *zeros = calloc(1, len);
    uint8_t *packed = malloc(ZSTD_compressBound(len));

    assert_true(zeros != NULL && packed != NULL);
    size_t frame_bytes = ZSTD_compress(packed, ZSTD_compressBound(len), zeros, len, 19);
    assert_true(frame_bytes < SEGMENT_BYTES / 2);
    memcpy(to + PREFIX_BYTES, packed, frame_bytes);
    set_length(to, (uint32_t)len);
    free(zeros);
    free(packed);
    return PREFIX_BYTES + frame_bytes;
}

/* The frame's header lies, too, in agreement with the length. */
static size_t a_bomb_in_disguise(uint8_t *to)
{
    static const uint8_t zeros[1024 * 1024];
    const uint32_t told = htole32(70000);
    size_t bytes = pack(to, zeros, sizeof(zeros));

    set_length(to, 70000);
    for (size_t at = PREFIX_BYTES; at < PREFIX_BYTES + 10; at++) {
        uint8_t kept[sizeof(told)];

        memcpy(kept, to + at, sizeof(kept));
        memcpy(to + at, &told, sizeof(told));
        if (ZSTD_getFrameContentSize(to + PREFIX_BYTES, bytes - PREFIX_BYTES) == 70000) {
            return bytes;
        }
        memcpy(to + at, kept, sizeof(kept));
    }
    fail_msg("the field is not where it was looked for");
    return 0;
}

static size_t two_frames(uint8_t *to)
{
    uint8_t second[FRAME_BYTES_MAX];
    size_t bytes = good(to);
    size_t second_bytes = pack(second, text, 3000);

    memcpy(to + bytes, second + PREFIX_BYTES, second_bytes - PREFIX_BYTES);
    set_length(to, 8000);
    return bytes + second_bytes - PREFIX_BYTES;
}

static size_t bytes_behind(uint8_t *to)
{
    size_t bytes = good(to);

    to[bytes] = 0;
    return bytes + 1;
}

static size_t a_frame_to_skip(uint8_t *to)
{
    static const uint8_t frame[] = { 0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c' };

    set_length(to, 3);
    memcpy(to + PREFIX_BYTES, frame, sizeof(frame));
    return PREFIX_BYTES + sizeof(frame);
}

static size_t a_frame_without_length(uint8_t *to)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();

    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)));
    size_t frame_bytes =
        ZSTD_compress2(context, to + PREFIX_BYTES, FRAME_BYTES_MAX - PREFIX_BYTES, text, 5000);
    assert_false(ZSTD_isError(frame_bytes));
    (void)ZSTD_freeCCtx(context);
    set_length(to, 5000);
    return PREFIX_BYTES + frame_bytes;
}

static size_t a_broken_block(uint8_t *to)
{
    size_t bytes = good(to);

    to[bytes - 1] ^= 0xff; /* the end of its stream of sequences */
    to[bytes / 2] ^= 0xff;
    return bytes;
}

static size_t plain_text(uint8_t *to)
{
    memcpy(to, text, 100);
    return 100;
}

static size_t nothing(uint8_t *to)
{
    set_length(to, 5);
    return 0;
}

static size_t a_length_alone(uint8_t *to)
{
    set_length(to, 5);
    return PREFIX_BYTES;
}

static size_t no_bytes_packed(uint8_t *to)
{
    return pack(to, text, 0);
}

static const struct body {
    const char *name;
    size_t (*make)(uint8_t *to);
} broken[] = {
    { "longer than it says", longer_than_it_says },
    { "shorter than it says", shorter_than_it_says },
    { "longer than any record", a_bomb },
    { "longer than its frame says", a_bomb_in_disguise },
    { "two frames", two_frames },
    { "bytes behind the frame", bytes_behind },
    { "a frame to be skipped", a_frame_to_skip },
    { "a frame that names no length", a_frame_without_length },
    { "a frame with a broken block", a_broken_block },
    { "no frame", plain_text },
    { "no bytes at all", nothing },
    { "a length alone", a_length_alone },
    { "a frame of nothing", no_bytes_packed },
};
enum { BROKEN = sizeof(broken) / sizeof(broken[0]) };

/* The checksums are right, so it is no torn tail, although it is the last record: it is damage, told
 * with its place. */
static void a_broken_body_is_damage(void **state)
{
    static uint8_t body[SEGMENT_BYTES / 2];

    (void)state;
    for (size_t i = 0; i < BROKEN; i++) {
        struct sim_disk *disk = make_small(false);
        struct weir_error err = { 0 };
        char where[64];
        uint64_t count = 0;
        uint64_t at = replace_last(disk, WAL_STORED_PACKED, body, broken[i].make(body));

        (void)snprintf(where, sizeof(where), "0000000000000001.wal, offset %d: ", (int)at);
        if (judge(disk, &count, &err) != WEIR_ECORRUPT || strstr(err.text, where) == NULL ||
            strstr(err.text, "put the file back") == NULL) {
            fail_msg("%s: %s", broken[i].name, err.text);
        }
        sim_disk_free(disk);
    }
}

/* The same way of putting a body there, with one that is right; every cut of it is broken. */
static void every_cut_of_a_body_is_damage(void **state)
{
    static uint8_t body[FRAME_BYTES_MAX];
    size_t bytes = good(body);

    (void)state;
    for (size_t cut = 0; cut <= bytes; cut++) {
        struct sim_disk *disk = make_small(false);
        struct weir_error err = { 0 };
        uint64_t count = 0;

        (void)replace_last(disk, WAL_STORED_PACKED, body, cut);
        assert_int_equal(judge(disk, &count, &err), cut < bytes ? WEIR_ECORRUPT : WEIR_OK);
        assert_int_equal(count, cut < bytes ? 0 : RECORDS);
        sim_disk_free(disk);
    }
}

static void what_a_later_version_stored_is_left_to_it(void **state)
{
    struct sim_disk *disk = make_small(false);
    struct weir_error err = { 0 };
    uint64_t count;

    (void)state;
    (void)replace_last(disk, WAL_STORED_PACKED + 1, "who knows", 9);
    assert_int_equal(judge(disk, &count, &err), WEIR_ECONFLICT);
    assert_string_equal(err.reason, "log_version");
    sim_disk_free(disk);
}

/* --- Memory --------------------------------------------------------------------------------- */

/* Z1 of wal/compress.c: from open on nothing is allocated, however long or short the records. */
static void packing_allocates_nothing(void **state)
{
    struct wal_packer *packer = NULL;
    static uint8_t packed[LONG_BYTES];

    (void)state;
    assert_int_equal(wal_packer_open(&packer, NULL), WEIR_OK);
    uint64_t before = allocations;
    for (size_t len = WEIR_WAL_COMPRESS_BYTES_MIN; len <= LONG_BYTES; len += len / 3) {
        for (int i = 0; i < 300; i++) { /* more than twice what zstd waits before it shrinks */
            assert_true(wal_packer_pack(packer, text, len, packed, len) > 0);
        }
    }
    for (int i = 0; i < 300; i++) {
        assert_true(wal_packer_pack(packer, text, WEIR_WAL_COMPRESS_BYTES_MIN, packed, LONG_BYTES) >
                    0);
    }
    assert_int_equal(allocations, before);
    wal_packer_close(packer);
}

static void what_does_not_fit_is_not_packed(void **state)
{
    static uint8_t packed[LONG_BYTES];
    struct wal_packer *packer = NULL;

    (void)state;
    assert_int_equal(wal_packer_open(&packer, NULL), WEIR_OK);
    size_t fits = wal_packer_pack(packer, text, THRESHOLD, packed, sizeof(packed));
    assert_true(fits > PREFIX_BYTES);
    assert_int_equal(wal_packer_pack(packer, text, THRESHOLD, packed, fits - 1), 0);
    assert_int_equal(wal_packer_pack(packer, text, THRESHOLD, packed, PREFIX_BYTES), 0);
    assert_int_equal(wal_packer_pack(packer, text, 0, packed, sizeof(packed)), 0);
    wal_packer_close(packer);
    wal_unpacker_fini(NULL);
}

/* zstd's allocations, one after another, when the log is opened and when it is read. */
static void zstd_may_lack_memory(void **state)
{
    bool reached = true;
    int told = 0;

    (void)state;
    for (uint64_t n = 1; reached && !LOG_TEST_IS_SLOW; n++) {
        struct wal_packer *packer = NULL;
        struct wal_unpacker unpacker = { 0 };
        enum wal_unpacked unpacked = WAL_UNPACK_BROKEN;
        static uint8_t packed[FRAME_BYTES_MAX];
        size_t len = 0;

        allocations = 0;
        allocation_that_fails = n;
        int rc = wal_packer_open(&packer, NULL);
        assert_true(rc == WEIR_OK || rc == WEIR_ENOMEM);
        told += rc == WEIR_ENOMEM;
        if (rc == WEIR_OK) {
            size_t bytes = wal_packer_pack(packer, text, 20000, packed, sizeof(packed));
            assert_true(bytes > 0);
            rc = wal_unpack(&unpacker, packed, bytes, &unpacked, &len, NULL);
            assert_true(rc == WEIR_OK || rc == WEIR_ENOMEM);
            told += rc == WEIR_ENOMEM;
            assert_int_equal(wal_unpack(&unpacker, packed, bytes, &unpacked, &len, NULL), WEIR_OK);
            assert_true(unpacked == WAL_UNPACKED && len == 20000);
            assert_memory_equal(unpacker.bytes, text, len);
        }
        reached = allocations >= n;
        wal_unpacker_fini(&unpacker);
        wal_packer_close(packer);
    }
    allocation_that_fails = UINT64_MAX;
    assert_true(told >= 4 || LOG_TEST_IS_SLOW);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_records_come_back),
        cmocka_unit_test(the_option_may_change),
        cmocka_unit_test(what_waits_is_compressed_too),
        cmocka_unit_test(nothing_is_compressed_unasked),
    };
    static const struct CMUnitTest single[] = {
        cmocka_unit_test(a_broken_body_is_damage),
        cmocka_unit_test(every_cut_of_a_body_is_damage),
        cmocka_unit_test(what_a_later_version_stored_is_left_to_it),
        cmocka_unit_test(what_does_not_fit_is_not_packed),
        cmocka_unit_test(packing_allocates_nothing),
        cmocka_unit_test(zstd_may_lack_memory),
    };
    (void)make_bytes(NULL);
    return backend_run(every_backend, tests, sizeof(tests) / sizeof(tests[0]), single,
                       sizeof(single) / sizeof(single[0]));
}
