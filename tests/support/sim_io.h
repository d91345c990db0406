/* sim_io.h: a simulated disk, clock and randomness behind struct weir_io, all from one seed.
 *
 * The disk keeps what programs see and what a power cut leaves apart, sector by sector and name by
 * name. A process is booted on it, works through its struct weir_io, and is killed or dies with
 * the power; then the next one is booted on what is left.
 *
 *   struct sim_disk *disk = sim_disk_new(42);
 *   struct weir_io *io = sim_disk_boot(disk);
 *   ... open a log on io, append ...
 *   sim_disk_power_cut(disk);             io is dead now: every call on it fails
 *   weir_wal_close(wal); weir_io_close(io);                       frees memory only
 *   io = sim_disk_boot(disk);             and see what is there
 *
 * Everything is single-threaded; a disk outlives the processes booted on it. */
#ifndef WEIR_TESTS_SIM_IO_H
#define WEIR_TESTS_SIM_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"

enum { SIM_SECTOR_BYTES = 512 }; /* written by the device as a whole or not at all */

enum sim_op {
    SIM_OPEN,
    SIM_READ,
    SIM_WRITE,
    SIM_SYNC,
    SIM_SYNC_DIR,
    SIM_RENAME,
    SIM_UNLINK,
    SIM_OP_COUNT,
};

struct sim_disk;

/* Aborts the test when there is no memory. The root directory "/" exists. */
struct sim_disk *sim_disk_new(uint64_t seed);
void sim_disk_free(struct sim_disk *disk);

/* A new process. The caller passes it to weir_io_close(). */
struct weir_io *sim_disk_boot(struct sim_disk *disk);

/* kill -9 of all processes: what they wrote stays visible, and may be lost by a later power cut.
 * Writes under way happen wholly, in part or not at all. */
void sim_disk_kill(struct sim_disk *disk);

/* The same for one process; io is what sim_disk_boot() gave. */
void sim_disk_kill_one(struct weir_io *io);

/* All processes die. Every sector that was not made durable keeps its old bytes or has the new
 * ones; behind a file's durable end it may hold garbage, too. Names that were not made durable are
 * there or not. */
void sim_disk_power_cut(struct sim_disk *disk);

/* --- Faults --------------------------------------------------------------------------------- */

/* Lets skip operations of a kind pass, then fails the next times of them with sys_errno. A failed
 * write may have happened in part. What a failed sync or durable write should have made durable
 * looks clean from then on: later syncs succeed without writing it. */
void sim_disk_fail(struct sim_disk *disk, enum sim_op op, uint64_t skip, uint64_t times,
                   int sys_errno);
/* Lets skip reads pass; the next one brings a wrong bit, once. The disk itself holds the right one. */
void sim_disk_flip_read(struct sim_disk *disk, uint64_t skip);
/* How many of those failures are still to come. */
uint64_t sim_disk_failures_left(const struct sim_disk *disk, enum sim_op op);
void sim_disk_heal(
    struct sim_disk *disk); /* no more failures, no limit of space, no holding, none slow */
/* Calls fn before each operation of a process that lives; fn may end it. NULL: nothing any more. */
void sim_disk_watch(struct sim_disk *disk, void (*fn)(void *context), void *context);
/* Operations of a kind since the disk was made. */
uint64_t sim_disk_count(const struct sim_disk *disk, enum sim_op op);
/* Files may take up this much in all; writing more fails with ENOSPC. */
void sim_disk_limit(struct sim_disk *disk, uint64_t bytes);
/* Started writes are not carried out until this is called with false again. */
void sim_disk_hold_writes(struct sim_disk *disk, bool hold);
/* As long as this is on, they are carried out only for a caller that waits, one for each time. */
void sim_disk_slow_writes(struct sim_disk *disk, bool slow);

/* --- The bytes themselves ------------------------------------------------------------------- */

/* The content of a file as programs see it, NULL when there is none. Changes made through the
 * pointer are durable at once when sim_disk_settle() is called after them. */
uint8_t *sim_disk_bytes(struct sim_disk *disk, const char *path, size_t *ret_len);
void sim_disk_settle(struct sim_disk *disk); /* everything visible is durable from now on */
bool sim_disk_truncate(struct sim_disk *disk, const char *path, size_t len);
bool sim_disk_remove(struct sim_disk *disk, const char *path);
bool sim_disk_copy(struct sim_disk *disk, const char *from, const char *to);
/* Makes a directory, that no process uses, the durable copy of another; of none (NULL): it is empty
 * then, as after `rm -r`. */
void sim_disk_replace_dir(struct sim_disk *disk, const char *from, const char *to);
/* Bytes of all files that programs see. */
uint64_t sim_disk_used_bytes(const struct sim_disk *disk);
/* A second disk with the same content and another seed; no processes. */
struct sim_disk *sim_disk_clone(const struct sim_disk *disk, uint64_t seed);

/* --- Clock and randomness ------------------------------------------------------------------- */

void sim_disk_set_now(struct sim_disk *disk, int64_t now_us); /* the wall clock only */
void sim_disk_advance(struct sim_disk *disk, uint64_t by_us); /* both clocks */
uint64_t sim_disk_random(struct sim_disk *disk);

#endif
