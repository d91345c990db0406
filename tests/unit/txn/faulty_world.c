/* faulty_world.c: see faulty_world.h. Each call of the disk and of the sink goes through a function of
 * here that counts it; what they allocate themselves is not counted. */
#include "tests/unit/txn/faulty_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/alloc_fault.h"
#include "tests/support/test.h"

enum { BATCH_RECORDS = 2, TURN_US = 5000 };

/* The txn under test has no place to carry a context through the tables below. */
static struct faulty_world *the_world;
static const struct weir_io_ops *disk_ops;

static bool must_fail(enum faulty_kind kind)
{
    struct faulty_world *world = the_world;

    if (!world->is_armed || world->kind != kind || world->skip-- > 0) {
        return false;
    }
    world->is_armed = false;
    world->has_failed = true;
    return true;
}

/* --- The disk ------------------------------------------------------------------------------- */

/* Around a call of the simulated disk, which is a part of the stage. */
#define DISK_CALL(name, params, args)                                          \
    static int disk_##name params                                              \
    {                                                                          \
        if (must_fail(FAULTY_DISK)) {                                          \
            return weir_error_set(err, WEIR_EIO, "the disk fails: %s", #name); \
        }                                                                      \
        alloc_fault_hold();                                                    \
        int rc = disk_ops->name args;                                          \
        alloc_fault_release();                                                 \
        return rc;                                                             \
    }

DISK_CALL(open,
          (void *self, const char *path, unsigned flags, struct weir_io_file **ret,
           struct weir_error *err),
          (self, path, flags, ret, err))
DISK_CALL(read_at,
          (void *self, struct weir_io_file *file, uint64_t at, void *data, size_t bytes,
           size_t *ret_bytes, struct weir_error *err),
          (self, file, at, data, bytes, ret_bytes, err))
DISK_CALL(write_start, (void *self, struct weir_io_write *write, struct weir_error *err),
          (self, write, err))
DISK_CALL(sync, (void *self, struct weir_io_file *file, struct weir_error *err), (self, file, err))
DISK_CALL(size,
          (void *self, struct weir_io_file *file, uint64_t *ret_bytes, bool *ret_is_named,
           struct weir_error *err),
          (self, file, ret_bytes, ret_is_named, err))
DISK_CALL(rename, (void *self, const char *from, const char *to, struct weir_error *err),
          (self, from, to, err))
DISK_CALL(unlink, (void *self, const char *path, struct weir_error *err), (self, path, err))
DISK_CALL(make_dir, (void *self, const char *path, struct weir_error *err), (self, path, err))
DISK_CALL(sync_dir, (void *self, const char *path, struct weir_error *err), (self, path, err))
DISK_CALL(list,
          (void *self, const char *path, weir_io_list_fn *fn, void *context,
           struct weir_error *err),
          (self, path, fn, context, err))
DISK_CALL(lock_dir,
          (void *self, const char *path, struct weir_io_lock **ret, struct weir_error *err),
          (self, path, ret, err))
DISK_CALL(random_bytes, (void *self, void *data, size_t bytes, struct weir_error *err),
          (self, data, bytes, err))

static int disk_poll(void *self, uint64_t wait_us, struct weir_error *err)
{
    alloc_fault_hold();
    int rc = disk_ops->poll(self, wait_us, err);
    alloc_fault_release();
    return rc;
}

/* Nobody sleeps on it here, so it need not be open. */
static int disk_fd(void *self)
{
    (void)self;
    return the_world->log_fd;
}

/* The same io under a table that fails. */
static struct weir_io disk_that_fails(struct weir_io *io, struct weir_io_ops *ret_ops)
{
    disk_ops = io->ops;
    *ret_ops = *io->ops;
    ret_ops->open = disk_open;
    ret_ops->read_at = disk_read_at;
    ret_ops->write_start = disk_write_start;
    ret_ops->sync = disk_sync;
    ret_ops->size = disk_size;
    ret_ops->rename = disk_rename;
    ret_ops->unlink = disk_unlink;
    ret_ops->make_dir = disk_make_dir;
    ret_ops->sync_dir = disk_sync_dir;
    ret_ops->list = disk_list;
    ret_ops->lock_dir = disk_lock_dir;
    ret_ops->random_bytes = disk_random_bytes;
    ret_ops->poll = disk_poll;
    ret_ops->fd = disk_fd;
    return (struct weir_io){ .ops = ret_ops, .self = io->self };
}

/* --- The sink ------------------------------------------------------------------------------- */

static int sink_fails(const char *name, struct weir_error *err)
{
    if (must_fail(FAULTY_SINK_AWAY)) {
        return weir_error_set(err, WEIR_EAWAY, "the sink is away: %s", name);
    }
    if (must_fail(FAULTY_SINK_DEAD)) {
        return weir_error_set(err, WEIR_ECONFIG, "the sink is no good: %s", name);
    }
    return WEIR_OK;
}

#define SINK_CALL(name, params, args)        \
    static int sink_##name params            \
    {                                        \
        int rc = sink_fails(#name, err);     \
        if (rc != WEIR_OK) {                 \
            return rc;                       \
        }                                    \
        alloc_fault_hold();                  \
        rc = weir_memory_sink_ops.name args; \
        alloc_fault_release();               \
        return rc;                           \
    }

SINK_CALL(check, (void *self, struct weir_error *err), (self, err))
SINK_CALL(claim,
          (void *self, const struct weir_claim *claim, struct weir_ledger *ret,
           struct weir_error *err),
          (self, claim, ret, err))
SINK_CALL(look, (void *self, struct weir_ledger *ret, struct weir_error *err), (self, ret, err))
SINK_CALL(repartition,
          (void *self, const struct weir_claim *claim, struct weir_ledger *ret,
           struct weir_error *err),
          (self, claim, ret, err))
SINK_CALL(finish, (void *self, uint64_t batch, struct weir_sink_tally *ret, struct weir_error *err),
          (self, batch, ret, err))
SINK_CALL(commit,
          (void *self, uint64_t batch, uint32_t partition, const struct weir_ledger_step *step,
           struct weir_error *err),
          (self, batch, partition, step, err))
SINK_CALL(resend, (void *self, uint64_t batch, uint32_t partition, struct weir_error *err),
          (self, batch, partition, err))

/* These two cannot be away: a line that is cut is an event, see weir_memory_inject(). */
static int sink_begin(void *self, uint64_t batch, struct weir_error *err)
{
    if (must_fail(FAULTY_SINK_DEAD)) {
        return weir_error_set(err, WEIR_ECONFIG, "the sink is no good: begin");
    }
    alloc_fault_hold();
    int rc = weir_memory_sink_ops.begin(self, batch, err);
    alloc_fault_release();
    return rc;
}

static int sink_poll(void *self, struct weir_sink_event *ret, struct weir_error *err)
{
    alloc_fault_hold();
    int rc = weir_memory_sink_ops.poll(self, ret, err);
    alloc_fault_release();
    if (rc == WEIR_OK && ret->outcome != WEIR_SINK_NONE && must_fail(FAULTY_SINK_DEAD)) {
        ret->outcome = WEIR_SINK_BROKEN;
        (void)weir_error_set(&ret->err, WEIR_ECONFIG, "the sink is no good: poll");
    }
    return rc;
}

static struct weir_sink_ops sink_that_fails(void)
{
    struct weir_sink_ops ret = weir_memory_sink_ops;

    ret.check = sink_check;
    ret.claim = sink_claim;
    ret.look = sink_look;
    ret.repartition = sink_repartition;
    ret.begin = sink_begin;
    ret.finish = sink_finish;
    ret.commit = sink_commit;
    ret.resend = sink_resend;
    ret.poll = sink_poll;
    return ret;
}

/* --- The stage ------------------------------------------------------------------------------ */

static const char *const names[FAULTY_SINKS_MAX] = { "first", "second" };

void faulty_init(struct faulty_world *world, uint64_t seed, uint32_t sinks, uint32_t partitions)
{
    *world = (struct faulty_world){ .disk = sim_disk_new(seed),
                                    .sinks = sinks,
                                    .partitions = partitions,
                                    .pipeline = "small",
                                    .log_fd = seed % 2 == 0 ? 1000 : -1,
                                    .definition = WEIR_STR("one line\nanother\n") };
    for (uint32_t s = 0; s < sinks; s++) {
        world->databases[s] = weir_memory_database_open(names[s]);
        assert_non_null(world->databases[s]);
    }
}

void faulty_fini(struct faulty_world *world)
{
    for (uint32_t s = 0; s < world->sinks; s++) {
        weir_memory_database_close(world->databases[s]);
    }
    sim_disk_free(world->disk);
}

void faulty_arm(struct faulty_world *world, enum faulty_kind kind, uint64_t skip)
{
    world->kind = kind;
    world->skip = skip;
    world->is_armed = kind != FAULTY_NOTHING && kind != FAULTY_MEMORY;
    world->has_failed = false;
}

bool faulty_disarm(struct faulty_world *world)
{
    world->is_armed = false;
    world->kind = FAULTY_NOTHING;
    return world->has_failed;
}

static struct weir_str describe(void *context, uint32_t source, uint32_t partition)
{
    (void)context;
    (void)source;
    (void)partition;
    return WEIR_STR("numbers/numbers/0");
}

/* --- The driver ----------------------------------------------------------------------------- */

static struct weir_ranges range_of(struct weir_range *range, int64_t first, int64_t end)
{
    *range = (struct weir_range){
        .source = WEIR_STR("numbers"),
        .stream = WEIR_STR("numbers"),
        .identity = 7,
        .first = { .next = first, .witness_offset = -1 },
        .end = { .next = end, .witness_offset = -1 },
    };
    return (struct weir_ranges){ range, 1 };
}

/* Gathers what the work says. */
static int gather(struct faulty_world *world, weir_txn *txn, const struct weir_work *work,
                  struct weir_error *err)
{
    struct weir_range range = work->ranges.items[0];
    bool is_fresh = work->kind == WEIR_WORK_FRESH;
    int64_t first = is_fresh ? range.end.next : range.first.next;
    int64_t end = is_fresh ? first + BATCH_RECORDS : range.end.next;
    struct weir_arena *arena;
    int64_t t;
    int rc;

    if (first < world->lost && !is_fresh) {
        struct weir_error cause;
        (void)weir_error_set(&cause, WEIR_ECONFLICT, "records are gone");
        return weir_txn_unreadable(txn, &cause, err);
    }
    if (first < world->lost) {
        first = world->lost;
        end = first + BATCH_RECORDS;
    }
    end = end < world->records ? end : world->records;
    if (is_fresh && end == first) {
        return WEIR_OK;
    }
    rc = weir_txn_begin(txn, work, &t, &arena, err);
    for (int64_t i = first; rc == WEIR_OK && i < end; i++) {
        struct weir_record *record = weir_arena_calloc(arena, 1, sizeof(*record));
        if (record == NULL) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory for a record");
        }
        record->offset = i;
        const struct weir_dead_letter letter = { .record = record,
                                                 .sqlstate = "22P02",
                                                 .text = "" };
        alloc_fault_hold();
        rc = weir_txn_dead_letter(txn, (uint32_t)i % world->partitions, 0, &letter, err);
        alloc_fault_release();
    }
    if (rc == WEIR_OK) {
        rc = weir_txn_seal(txn, range_of(&range, first, end), (uint64_t)(end - first), err);
    }
    return rc;
}

static bool is_done(const struct faulty_world *world, const weir_txn *txn)
{
    struct weir_ranges ends = weir_txn_committed_ends(txn);

    return ends.count != 0 && ends.items[0].end.next >= world->records &&
           weir_txn_in_flight(txn) == 0;
}

/* What an engine would sleep on: descriptors, the log's first, and no time that lies in the past. */
static void check_sleep(const struct faulty_world *world, const weir_txn *txn)
{
    struct pollfd fds[1 + FAULTY_SINKS_MAX];
    int64_t timeout_us = -1;
    uint32_t count;

    alloc_fault_hold();
    count = weir_txn_wait_fds(txn, fds, 1 + FAULTY_SINKS_MAX, &timeout_us);
    assert_in_range(count, world->log_fd >= 0, 1 + FAULTY_SINKS_MAX);
    if (world->log_fd >= 0) {
        assert_int_equal(fds[0].fd, world->log_fd);
        assert_int_equal(fds[0].events, POLLIN);
    }
    assert_true(timeout_us >= 0);
    assert_int_equal(weir_txn_wait_fds(txn, fds, 0, &timeout_us), 0);
    alloc_fault_release();
}

static int turn(struct faulty_world *world, weir_txn *txn, struct weir_error *err)
{
    struct weir_range range;
    struct weir_work work;
    int rc = weir_txn_step(txn, err);

    if (rc == WEIR_OK) {
        rc = weir_txn_next(txn, &work, err);
    }
    if (rc == WEIR_OK && work.kind == WEIR_WORK_WAIT) {
        check_sleep(world, txn);
    }
    if (rc != WEIR_OK || work.kind == WEIR_WORK_WAIT) {
        return rc;
    }
    return work.kind == WEIR_WORK_START ? weir_txn_start(txn, range_of(&range, 0, 0), err)
                                        : gather(world, txn, &work, err);
}

static int run(struct faulty_world *world, const struct weir_txn_args *args, int turns,
               weir_txn **ret, struct weir_error *err)
{
    int rc = weir_txn_open(args, ret, err);

    for (int i = 0; rc == WEIR_OK && i < turns && !is_done(world, *ret); i++) {
        if (world->between != NULL) {
            world->between(world, i);
        }
        rc = turn(world, *ret, err);
        alloc_fault_hold();
        sim_disk_advance(world->disk, TURN_US);
        alloc_fault_release();
    }
    return rc;
}

int faulty_live(struct faulty_world *world, const char *dir, int turns, bool is_killed,
                struct weir_error *err)
{
    const struct weir_sink_ops sink_ops = sink_that_fails();
    struct weir_txn_sink sinks[FAULTY_SINKS_MAX] = { 0 };
    struct weir_io *booted = sim_disk_boot(world->disk);
    struct weir_io_ops io_ops;
    struct weir_io io = disk_that_fails(booted, &io_ops);
    weir_txn *txn = NULL;

    the_world = world;
    for (uint32_t s = 0; s < world->sinks; s++) {
        const struct weir_option option = { { "database", 8 }, weir_str_from(names[s]), 0 };
        const struct weir_sink_args args = { .pipeline = "small",
                                             .options = { &option, 1 },
                                             .partitions = world->partitions,
                                             .slots = 3,
                                             .describe_partition = describe };
        sinks[s] = (struct weir_txn_sink){ .name = names[s], .ops = &sink_ops };
        assert_int_equal(sink_ops.open(&args, &sinks[s].self, err), WEIR_OK);
    }
    const struct weir_txn_args args = {
        .io = &io,
        .dir = dir,
        .pipeline = world->pipeline,
        .mode = world->mode,
        .definition = world->definition,
        .fingerprint = weir_hash128(world->definition.data, world->definition.len),
        .in_flight = 3,
        .partitions = world->partitions,
        .sinks = sinks,
        .sink_count = world->sinks,
        .retry_limit_us = world->retry_limit_us,
        .log_segment_bytes = 64 * 1024,
        .log_retain_bytes = 64 * 1024,
    };
    if (world->kind == FAULTY_MEMORY) {
        alloc_fault_arm(world->skip);
    }
    int rc = run(world, &args, turns, &txn, err);
    if (txn != NULL) {
        weir_txn_status(txn, &world->status);
    }
    alloc_fault_hold(); /* what ends a life cannot fail */
    if (is_killed) {
        sim_disk_kill(world->disk);
    }
    weir_txn_close(txn);
    alloc_fault_release();
    if (world->kind == FAULTY_MEMORY) {
        world->has_failed = alloc_fault_disarm();
    }
    for (uint32_t s = 0; s < world->sinks; s++) {
        sink_ops.close(sinks[s].self);
    }
    weir_io_close(booted);
    return rc;
}

/* --- The verdict ---------------------------------------------------------------------------- */

void faulty_expect(const struct faulty_world *world)
{
    struct weir_memory_letter *letters = NULL;
    uint32_t seen[FAULTY_RECORDS_MAX] = { 0 };
    size_t count = 0;

    assert_int_equal(weir_memory_dead_letters(world->databases[0], &letters, &count), WEIR_OK);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(letters[i].offset, 0, world->records - 1);
        seen[letters[i].offset]++;
    }
    free(letters);
    for (int64_t i = 0; i < world->records; i++) {
        if (i < world->lost && seen[i] == 0) {
            continue;
        }
        if ((seen[i] == 0 && world->mode != WEIR_TXN_AT_MOST_ONCE) ||
            (seen[i] > 1 && world->mode != WEIR_TXN_AT_LEAST_ONCE)) {
            fail_msg("record %lld is there %u times", (long long)i, seen[i]);
        }
    }
}
