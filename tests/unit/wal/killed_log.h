/* killed_log.h: logs on a simulated disk whose process was killed. For test_cut.c and test_reading.c. */
#ifndef WEIR_TESTS_KILLED_LOG_H
#define WEIR_TESTS_KILLED_LOG_H

#include "tests/support/sim_io.h"
#include "tests/unit/wal/log_fixture.h"

/* kill -9, on a disk that then gets everything written. */
static inline void kill_log(struct sim_disk *disk, struct weir_io *io, weir_wal *wal)
{
    sim_disk_kill(disk);
    weir_wal_close(wal);
    weir_io_close(io);
    sim_disk_settle(disk);
}

/* A killed log of so many short records, in segments of the smallest size, in /log. */
static inline struct sim_disk *make_killed(uint64_t seed, uint32_t records)
{
    struct sim_disk *disk = sim_disk_new(seed);
    struct weir_io *io = sim_disk_boot(disk);
    weir_wal *wal = must_open(io, "/log", WEIR_WAL_SEGMENT_BYTES_MIN);

    for (uint32_t i = 0; i < records; i++) {
        (void)must_append(wal, 1, "some bytes", 10);
    }
    kill_log(disk, io, wal);
    return disk;
}

#endif
