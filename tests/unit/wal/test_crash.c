/* test_crash.c: a log on a simulated disk lives through kills, power cuts and failing devices.
 *
 * Each seed is a history of several lives. A life opens the log, checks all it finds against what
 * earlier lives appended, appends and trims, and ends: closed, killed, without power, or after an
 * operation failed. What must hold after any of them:
 *   - every record that was reported durable, and not trimmed, is there, byte for byte, in order;
 *   - nothing is there that was not appended;
 *   - what an open found is found by every later one, though it was never reported before (the
 *     tail is written again before open returns);
 *   - the log opens: no crash looks like damage.
 * WEIR_SEEDS=first:count runs other seeds, and a failure names its seed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "tests/support/sim_io.h"
#include "tests/unit/wal/log_fixture.h"

enum { RECORDS_MAX = 4096, LIVES = 8, SEEDS_DEFAULT = LOG_TEST_IS_SLOW ? 300 : 3000 };

/* What was appended under an LSN, and whether it has to be there. */
struct expected {
    uint8_t type; /* 0: nothing, or a mark of the log's own */
    bool durable;
    uint32_t len;
    uint64_t seed; /* the bytes are made from it */
};

struct history {
    uint64_t seed;
    struct sim_disk *disk;
    struct expected expected[RECORDS_MAX];
    uint64_t last_lsn;
    uint64_t low_lsn; /* trimmed below */
    struct weir_wal_options options;
};

/* Half of them can be compressed. */
static void make_bytes(uint64_t seed, uint8_t *ret, size_t len)
{
    const size_t same_bytes = seed % 2 == 0 ? sizeof(seed) : 512;

    for (size_t i = 0; i < len; i += sizeof(seed)) {
        if (i % same_bytes == 0) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
        }
        memcpy(ret + i, &seed, len - i < sizeof(seed) ? len - i : sizeof(seed));
    }
}

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fail_msg("seed %llu: %s", (unsigned long long)history->seed, #condition); \
        }                                                                             \
    } while (0)

/* Compares what the log holds with what it should. Whatever is found counts as durable then. */
static void check_content(struct history *history, weir_wal *wal)
{
    static uint8_t bytes[WEIR_WAL_WAITING_BYTES_MAX];
    struct weir_wal_stat stat;
    struct weir_wal_record record;
    weir_wal_cursor *cursor;

    weir_wal_stat(wal, &stat);
    CHECK(stat.first_lsn <= history->low_lsn || history->low_lsn == 0);
    CHECK(weir_wal_cursor_open(wal, 0, &cursor, NULL) == WEIR_OK);
    uint64_t next = stat.first_lsn;
    for (;;) {
        CHECK(weir_wal_cursor_next(cursor, &record, NULL) == WEIR_OK);
        uint64_t end = record.lsn == 0 ? stat.last_lsn + 1 : record.lsn;
        for (; next < end; next++) { /* passed over: the log's own marks, or lost for good */
            CHECK(history->expected[next].type == 0 || !history->expected[next].durable);
            history->expected[next] = (struct expected){ 0 };
        }
        if (record.lsn == 0) {
            break;
        }
        struct expected *expected = &history->expected[record.lsn];
        CHECK(expected->type == record.type && expected->len == record.len);
        make_bytes(expected->seed, bytes, record.len);
        CHECK(memcmp(bytes, record.bytes, record.len) == 0);
        expected->durable = true;
        next++;
    }
    for (; next <= history->last_lsn; next++) {
        CHECK(!history->expected[next].durable);
        history->expected[next] = (struct expected){ 0 };
    }
    history->last_lsn = stat.last_lsn;
    weir_wal_cursor_close(cursor);
}

static void note_durable(struct history *history, uint64_t durable_lsn)
{
    for (uint64_t lsn = durable_lsn; lsn > 0 && !history->expected[lsn].durable; lsn--) {
        history->expected[lsn].durable = true;
    }
}

static uint32_t random_len(struct sim_disk *disk)
{
    switch (sim_disk_random(disk) % 16) {
    case 0:
        return 0;
    case 1:
        return (uint32_t)(sim_disk_random(disk) % 200000); /* longer than a segment */
    case 2:
    case 3:
        return (uint32_t)(sim_disk_random(disk) % 20000);
    default:
        return (uint32_t)(sim_disk_random(disk) % 5000);
    }
}

/* Appends, polls and trims for a while. Stops when the log fails. */
static void work(struct history *history, weir_wal *wal)
{
    static uint8_t bytes[200000];
    struct sim_disk *disk = history->disk;
    uint64_t steps = sim_disk_random(disk) % 40;

    for (uint64_t i = 0; i < steps && history->last_lsn + 2 < RECORDS_MAX; i++) {
        uint64_t durable_lsn = 0, lsn;
        struct expected new = { .type = (uint8_t)(1 + sim_disk_random(disk) % 255),
                                .len = random_len(disk),
                                .seed = sim_disk_random(disk) };

        make_bytes(new.seed, bytes, new.len);
        int rc = weir_wal_append(wal, new.type, bytes, new.len, &lsn, NULL);
        if (rc == WEIR_OK) {
            CHECK(lsn == history->last_lsn + 1);
            history->expected[lsn] = new;
            history->last_lsn = lsn;
        }
        CHECK(rc == WEIR_OK || rc == WEIR_EBUSY || rc == WEIR_EIO || rc == WEIR_ENOSPC);
        if (rc == WEIR_EIO) {
            return;
        }
        if (rc == WEIR_EBUSY || sim_disk_random(disk) % 2 == 0) {
            uint64_t wait_us = rc == WEIR_EBUSY ? 1000 : sim_disk_random(disk) % 2;
            rc = weir_wal_poll(wal, wait_us, &durable_lsn, NULL);
            CHECK(rc == WEIR_OK || rc == WEIR_EIO);
            if (rc != WEIR_OK) {
                return;
            }
            note_durable(history, durable_lsn);
        }
        if (sim_disk_random(disk) % 8 == 0 && history->last_lsn > 0) {
            uint64_t keep = history->last_lsn - sim_disk_random(disk) % 10 % history->last_lsn;
            history->low_lsn = keep > history->low_lsn ? keep : history->low_lsn;
            rc = weir_wal_trim(wal, keep, NULL);
            CHECK(rc == WEIR_OK || rc == WEIR_EIO);
        }
    }
}

/* Plans a failure for some operation of this life, maybe during the open. */
static void plan_fault(struct history *history)
{
    static const int errnos[] = { EIO, EIO, EIO, ENOSPC };
    struct sim_disk *disk = history->disk;

    sim_disk_heal(disk);
    if (sim_disk_random(disk) % 2 == 0) {
        enum sim_op op = (enum sim_op)(sim_disk_random(disk) % SIM_OP_COUNT);
        uint64_t times = sim_disk_random(disk) % 2 == 0 ? 1 : UINT64_MAX;
        int sys_errno = op == SIM_WRITE ? errnos[sim_disk_random(disk) % 4] : EIO;

        sim_disk_fail(disk, op, sim_disk_random(disk) % 24, times, sys_errno);
    }
    if (sim_disk_random(disk) % 8 == 0) {
        sim_disk_limit(disk, 65536 * (1 + sim_disk_random(disk) % 6));
    }
}

static void live(struct history *history)
{
    struct sim_disk *disk = history->disk;
    struct weir_io *io = sim_disk_boot(disk);
    struct weir_error err = { 0 };
    weir_wal *wal = NULL;

    plan_fault(history);
    int rc = weir_wal_open(io, "/log", &history->options, &wal, &err);
    if (rc == WEIR_OK) {
        sim_disk_fail(disk, SIM_READ, 0, 0, 0); /* reading back here is the test's, not a fault's */
        sim_disk_fail(disk, SIM_OPEN, 0, 0, 0);
        check_content(history, wal);
        work(history, wal);
    } else if (rc != WEIR_EIO && rc != WEIR_ENOSPC) {
        fail_msg("seed %llu: open: %s: %s", (unsigned long long)history->seed, weir_error_name(rc),
                 err.text);
    }
    switch (sim_disk_random(disk) % 4) {
    case 0:
        sim_disk_kill(disk);
        break;
    case 1:
        break; /* closed while all is well, or after a failure */
    default:
        sim_disk_power_cut(disk);
        break;
    }
    weir_wal_close(wal);
    weir_io_close(io);
}

static void run_seed(uint64_t seed)
{
    struct history *history = calloc(1, sizeof(*history));

    weir_assert(history != NULL);
    history->seed = seed;
    history->disk = sim_disk_new(seed);
    history->options = (struct weir_wal_options){
        .size_bytes = sizeof(history->options),
        .segment_bytes = WEIR_WAL_SEGMENT_BYTES_MIN,
        .retain_bytes = sim_disk_random(history->disk) % 3 * 65536,
        .compress_from_bytes = WEIR_HAVE_ZSTD ? seed % 2 * WEIR_WAL_COMPRESS_BYTES_MIN : 0,
    };
    for (int i = 0; i < LIVES; i++) {
        live(history);
    }
    sim_disk_heal(history->disk);
    struct weir_io *io = sim_disk_boot(history->disk);
    struct weir_error err = { 0 };
    weir_wal *wal = NULL;
    if (weir_wal_open(io, "/log", &history->options, &wal, &err) != WEIR_OK) {
        fail_msg("seed %llu: last open: %s", (unsigned long long)seed, err.text);
    }
    check_content(history, wal);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_free(history->disk);
    free(history);
}

/* covers: D-02, D-03, D-04, D-07, D-08, D-09, D-10, D-11, P-07 */
static void lives_of_many_logs(void **state)
{
    const char *text = getenv("WEIR_SEEDS");
    unsigned long long first = 1, count = SEEDS_DEFAULT;

    (void)state;
    if (text != NULL && sscanf(text, "%llu:%llu", &first, &count) != 2) {
        fail_msg("WEIR_SEEDS=%s is not first:count", text);
    }
    for (unsigned long long seed = first; seed < first + count; seed++) {
        run_seed(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(lives_of_many_logs) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
