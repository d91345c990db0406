/* exhaustive.c: histories that are not drawn but told, all there are of a kind.
 *
 * One instance takes three batches from the source to the database, stops, and starts once more. What
 * goes wrong is enumerated: a crash at each call of the disk or the database (the process killed, or
 * the power cut), a second one at each call of the life that follows, each outcome of each COMMIT
 * (alone, and with a crash at each call), each operation of the disk failing, each allocation failing.
 * After that the rows must be right, whatever error there was must have been a clean one, and a
 * restart must be all that was needed. In each mode, with one and with two output partitions. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "tests/sim/memory.h"
#include "tests/sim/sim.h"

enum { BATCHES = 3, STEPS_MAX = 3000, STARTS_MAX = 20, IDLE_DOUBLINGS_MAX = 14, JOBS_MAX = 64 };

/* --- Playing one ---------------------------------------------------------------------------- */

void sim_script_config(const struct sim_script *script, struct sim_config *ret)
{
    *ret = (struct sim_config){
        .mode = script->mode,
        .source_partitions = script->partitions,
        .output_partitions = script->partitions,
        .sinks = 1,
        .instances = 1,
        .batch_rows = script->partitions,
        .on_error = WEIR_ON_ERROR_FAIL,
        .segment_bytes = (size_t)3 * 4096,
        .retain_bytes = 0,
    };
    ret->rates[SIM_FAULT_no_space] = script->fail_errno == ENOSPC;
}

void sim_script_call(struct sim_world *world)
{
    struct sim_script *script = world->script;

    if (world->current == NULL || script->is_dead || script->life == 2 ||
        ++script->calls[script->life] != script->crash_at[script->life]) {
        return;
    }
    script->is_dead = true;
    script->life++;
    if (script->is_power_cut) {
        sim_disk_power_cut(world->disk);
        world->power_was_cut = true;
    } else {
        sim_disk_kill(world->disk);
    }
    world->killed = true;
    sim_note(world, "crashed", script->life, 0, 0);
}

bool sim_script_commit(struct sim_world *world, enum weir_memory_fault *ret)
{
    struct sim_script *script = world->script;

    sim_script_call(world);
    if (script->is_dead) { /* the COMMIT was not sent any more */
        *ret = WEIR_MEMORY_LOST_BEFORE;
        return true;
    }
    *ret = script->commit_fault;
    return ++script->commits == script->commit_nth;
}

static void watch(void *context)
{
    sim_script_call(context);
}

/* One step of the instance, or its start. Memory fails only here: what simulates has enough. */
static void one_step(struct sim_world *world, struct sim_instance *instance)
{
    struct sim_script *script = world->script;
    uint64_t before = sim_memory_calls();

    script->is_dead = false;
    if (script->memory_nth > script->memory_calls) {
        sim_memory_fail(script->memory_nth - script->memory_calls - 1);
    }
    if (instance->state == SIM_UP) {
        sim_take_turn(world, instance);
    } else {
        instance->state = SIM_DOWN;
        (void)sim_boot(world, instance);
    }
    (void)sim_memory_heal();
    script->memory_calls += sim_memory_calls() - before;
}

/* Starts it as often as it needs, until everything is written and it has stopped as it was told. */
static void until_stopped(struct sim_world *world, struct sim_instance *instance)
{
    uint32_t starts = 0;
    uint32_t idle = 0;
    bool is_stopping = false;

    for (uint32_t i = 0; i < STEPS_MAX && starts < STARTS_MAX && !sim_has_failed(world); i++) {
        sim_begin_turn(world);
        if (instance->state != SIM_UP) {
            starts++;
            is_stopping = false;
        }
        one_step(world, instance);
        if (instance->state == SIM_DOWN && is_stopping && !world->script->is_dead) {
            return;
        }
        if (instance->state == SIM_FENCED || instance->state == SIM_STOPPED) {
            sim_violation(world, "O-13: a restart is not enough");
            return;
        }
        idle = instance->is_idle ? idle + 1 : 0;
        sim_disk_advance(world->disk,
                         UINT64_C(1000)
                             << (idle / 2 < IDLE_DOUBLINGS_MAX ? idle / 2 : IDLE_DOUBLINGS_MAX));
        if (i % 8 == 7) {
            sim_server_settle(world, true);
        }
        if (!is_stopping && sim_is_caught_up(instance) && sim_oracle_complete(world) &&
            sim_nothing_is_late(world)) {
            weir_engine_request_stop(instance->engine);
            is_stopping = true;
        }
    }
    sim_violation(world, "O-13: not everything is written, or it does not stop");
}

void sim_script_play(struct sim_world *world)
{
    struct sim_script *script = world->script;
    struct sim_instance *instance = &world->instances[0];

    sim_disk_watch(world->disk, watch, world);
    world->disk_failed = script->fail_nth != 0;
    world->memory_failed = script->memory_nth != 0;
    if (script->fail_nth != 0) {
        sim_disk_fail(world->disk, script->fail_op, script->fail_nth - 1, 1, script->fail_errno);
    }
    for (uint32_t i = 0; i < BATCHES * script->partitions; i++) {
        sim_send(world, i % script->partitions, false);
    }
    until_stopped(world, instance);
    if (!sim_has_failed(world)) {
        until_stopped(world, instance);
    }
    script->has_failed =
        script->fail_nth != 0 && sim_disk_failures_left(world->disk, script->fail_op) == 0;
    if (!sim_has_failed(world)) {
        sim_oracle_final(world);
    }
}

/* --- All there are -------------------------------------------------------------------------- */

enum kind { CRASHES, PAIRS, OUTCOMES, OUTCOMES_CRASHES, DISK_FAULTS, MEMORY_FAULTS, KINDS };

static const char *const kind_names[KINDS] = {
    [CRASHES] = "crash",
    [PAIRS] = "crash, crash in the recovery",
    [OUTCOMES] = "outcome of COMMIT",
    [OUTCOMES_CRASHES] = "outcome of COMMIT, crash",
    [DISK_FAULTS] = "disk operation fails",
    [MEMORY_FAULTS] = "allocation fails",
};

static const struct outcome {
    enum weir_memory_fault fault;
    bool aborts;
} outcomes[] = {
    { WEIR_MEMORY_LOST_BEFORE, false }, { WEIR_MEMORY_LOST_AFTER, false },
    { WEIR_MEMORY_LATE, false },        { WEIR_MEMORY_LATE, true },
    { WEIR_MEMORY_LATE_LOCKED, false }, { WEIR_MEMORY_LATE_LOCKED, true },
    { WEIR_MEMORY_ROLLED_BACK, false },
};
enum { OUTCOME_COUNT = sizeof(outcomes) / sizeof(outcomes[0]) };

/* What the processes share. */
struct tally {
    atomic_ullong played[KINDS], failed[KINDS];
    struct sim_script at[JOBS_MAX]; /* what each is at, for the case that it dies of it */
    int kind_at[JOBS_MAX];
};

struct run {
    struct tally *tally;
    uint32_t job, jobs;
    uint64_t number; /* of scripts, to share them out */
    struct sim_outcome *outcome;
};

static void describe(enum kind kind, const struct sim_script *script, const char *violation)
{
    printf(
        "%s fails, mode %d, P = %u, %s at %llu and %llu, COMMIT %llu meets %d (%s), disk operation "
        "%d number %llu with %d, allocation %llu: %s\n",
        kind_names[kind], (int)script->mode, script->partitions,
        script->is_power_cut ? "power cut" : "kill", (unsigned long long)script->crash_at[0],
        (unsigned long long)script->crash_at[1], (unsigned long long)script->commit_nth,
        (int)script->commit_fault, script->late_aborts ? "aborts" : "commits", (int)script->fail_op,
        (unsigned long long)script->fail_nth, script->fail_errno,
        (unsigned long long)script->memory_nth, violation);
}

/* Plays it whoever's it is; only the count is shared out. */
static struct sim_script try(struct run *run, enum kind kind, struct sim_script script)
{
    run->tally->at[run->job] = script;
    run->tally->kind_at[run->job] = (int)kind;
    struct sim_script told = script;
    sim_play_script(&script, run->outcome);
    atomic_fetch_add(&run->tally->played[kind], 1);
    if (run->outcome->violation[0] != '\0') {
        if (atomic_fetch_add(&run->tally->failed[kind], 1) < 3) {
            describe(kind, &told, run->outcome->violation);
        }
    }
    return script;
}

static bool is_mine(struct run *run)
{
    return run->number++ % run->jobs == run->job;
}

static void crashes(struct run *run, struct sim_script script, uint64_t calls)
{
    for (uint64_t n = 1; n <= calls; n++) {
        if (!is_mine(run)) {
            continue;
        }
        script.crash_at[0] = n;
        script.crash_at[1] = 0;
        struct sim_script played = try(run, CRASHES, script);
        for (uint64_t m = 1; m <= played.calls[1]; m++) {
            script.crash_at[1] = m;
            (void)try(run, PAIRS, script);
        }
    }
}

static void commit_outcomes(struct run *run, struct sim_script script, uint64_t commits)
{
    for (uint64_t n = 1; n <= commits; n++) {
        for (size_t i = 0; i < OUTCOME_COUNT; i++) {
            script.commit_nth = n;
            script.commit_fault = outcomes[i].fault;
            script.late_aborts = outcomes[i].aborts;
            script.crash_at[0] = 0;
            if (!is_mine(run)) {
                continue;
            }
            struct sim_script played = try(run, OUTCOMES, script);
            for (uint64_t m = 1; m <= played.calls[0]; m++) {
                script.crash_at[0] = m;
                (void)try(run, OUTCOMES_CRASHES, script);
            }
        }
    }
}

/* Until the n-th operation is one that there is not. */
static void disk_faults(struct run *run, struct sim_script script)
{
    static const int errnos[] = { EIO, ENOSPC };

    for (int op = 0; op < SIM_OP_COUNT; op++) {
        for (size_t e = 0; e < 2; e++) {
            if (!is_mine(run)) {
                continue;
            }
            script.fail_op = (enum sim_op)op;
            script.fail_errno = errnos[e];
            script.has_failed = true;
            for (script.fail_nth = 1; script.has_failed; script.fail_nth++) {
                script.has_failed = try(run, DISK_FAULTS, script).has_failed;
            }
        }
    }
}

static void memory_faults(struct run *run, struct sim_script script, uint64_t allocations)
{
    for (script.memory_nth = 1; script.memory_nth <= allocations; script.memory_nth++) {
        if (is_mine(run)) {
            (void)try(run, MEMORY_FAULTS, script);
        }
    }
}

static void play_all(struct run *run, enum weir_delivery mode, uint32_t partitions)
{
    struct sim_script script = { .mode = mode, .partitions = partitions };
    struct sim_script plain = script;

    sim_play_script(&plain, run->outcome);
    if (run->outcome->violation[0] != '\0') {
        describe(CRASHES, &script, run->outcome->violation);
        atomic_fetch_add(&run->tally->failed[CRASHES], 1);
    }
    memory_faults(run, script, plain.memory_calls);
    disk_faults(run, script);
    for (int power = 0; power < 2; power++) {
        script.is_power_cut = power == 1;
        crashes(run, script, plain.calls[0]);
        commit_outcomes(run, script, plain.commits);
    }
}

static void work(struct tally *tally, uint32_t job, uint32_t jobs, enum weir_delivery mode,
                 uint32_t partitions)
{
    struct run run = { .tally = tally, .job = job, .jobs = jobs };

    run.outcome = calloc(1, sizeof(*run.outcome));
    weir_assert(run.outcome != NULL);
    if (freopen("/dev/null", "w", stderr) == NULL) {
        _exit(1);
    }
    play_all(&run, mode, partitions);
    (void)fflush(stdout);
    _exit(0);
}

/* A process that died leaves the rest of its share unplayed: one failure, and the run has failed. */
static void wait_for_all(struct tally *tally, const pid_t *workers, uint32_t jobs)
{
    for (uint32_t job = 0; job < jobs; job++) {
        int status = 0;
        weir_assert(waitpid(workers[job], &status, 0) == workers[job]);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            enum kind kind = (enum kind)tally->kind_at[job];
            atomic_fetch_add(&tally->failed[kind], 1);
            describe(kind, &tally->at[job], "the process died of it");
        }
    }
}

static uint64_t print_table(const struct tally *tally, enum weir_delivery mode, uint32_t partitions,
                            FILE *report, uint64_t *ret_played)
{
    static const char *const modes[] = { [WEIR_EXACTLY_ONCE] = "exactly_once",
                                         [WEIR_AT_LEAST_ONCE] = "at_least_once",
                                         [WEIR_AT_MOST_ONCE] = "at_most_once" };
    uint64_t failed = 0;

    for (int kind = 0; kind < KINDS; kind++) {
        printf("%-14s %u  %-29s %8llu %6llu\n", modes[mode], partitions, kind_names[kind],
               tally->played[kind], tally->failed[kind]);
        if (report != NULL) {
            (void)fprintf(report, "%s\t%u\t%s\t%llu\t%llu\n", modes[mode], partitions,
                          kind_names[kind], tally->played[kind], tally->failed[kind]);
        }
        failed += tally->failed[kind];
        *ret_played += tally->played[kind];
    }
    return failed;
}

uint64_t sim_exhaustive_run(uint32_t jobs, FILE *report)
{
    static const enum weir_delivery modes[] = { WEIR_EXACTLY_ONCE, WEIR_AT_LEAST_ONCE,
                                                WEIR_AT_MOST_ONCE };
    struct tally *tally =
        mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t failed = 0;
    uint64_t played = 0;

    weir_assert(tally != MAP_FAILED && jobs >= 1 && jobs <= JOBS_MAX);
    printf("%-14s %s  %-29s %8s %6s\n", "mode", "P", "what goes wrong", "played", "failed");
    if (report != NULL) {
        (void)fputs("mode\tpartitions\twhat\tplayed\tfailed\n", report);
    }
    for (size_t i = 0; i < 2 * sizeof(modes) / sizeof(modes[0]); i++) {
        uint32_t partitions = 1 + (uint32_t)i % 2;
        pid_t workers[JOBS_MAX];
        memset(tally, 0, sizeof(*tally));
        (void)fflush(NULL);
        for (uint32_t job = 0; job < jobs; job++) {
            workers[job] = fork();
            weir_assert(workers[job] >= 0);
            if (workers[job] == 0) {
                work(tally, job, jobs, modes[i / 2], partitions);
            }
        }
        wait_for_all(tally, workers, jobs);
        failed += print_table(tally, modes[i / 2], partitions, report, &played);
    }
    printf("exhaustive: %llu passed, %llu failed\n", (unsigned long long)(played - failed),
           (unsigned long long)failed);
    (void)munmap(tally, sizeof(*tally));
    return failed;
}
