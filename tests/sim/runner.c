/* runner.c: one seed, in this process or in a child; many seeds on several processes.
 *
 * Workers take ranges of seeds one after another from a counter in shared memory and leave there
 * which seed they are at, so that one that dies of an assertion names its seed. A worker that died
 * is replaced. */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "tests/sim/memory.h"
#include "tests/sim/sim.h"

enum { JOBS_MAX = 64, SEEDS_AT_ONCE = 64, FAILURES_TOLD = 5, HASH_EVERY = 64, SECONDS_MAX = 5 };

static void play_world(struct sim_world *world, struct sim_outcome *ret)
{
    ret->crashed = false;
    ret->hash = 0;
    ret->violation[0] = '\0';
    ret->event_count = 0;
    memset(ret->struck, 0, sizeof(ret->struck));
    world->outcome = ret;
    uint64_t blocks = sim_memory_stat().blocks;
    sim_world_run(world);
    blocks = sim_memory_stat().blocks - blocks;
    if (blocks != 0) {
        sim_violation(world, "O-14: %llu blocks of memory are never given back",
                      (unsigned long long)blocks);
    }
}

void sim_play(uint64_t seed, const struct sim_event *only, size_t only_count, bool traced,
              struct sim_outcome *ret)
{
    struct sim_world *world = calloc(1, sizeof(*world));

    weir_assert(world != NULL);
    world->seed = seed;
    world->only = only;
    world->only_count = only_count;
    world->is_traced = traced;
    play_world(world, ret);
    free(world);
}

void sim_play_script(struct sim_script *script, struct sim_outcome *ret)
{
    struct sim_world *world = calloc(1, sizeof(*world));

    weir_assert(world != NULL);
    world->script = script;
    play_world(world, ret);
    free(world);
}

static void *share(size_t bytes)
{
    void *ret = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    weir_assert(ret != MAP_FAILED);
    return ret;
}

static void note_crash(struct sim_outcome *outcome, int status)
{
    outcome->crashed = true;
    (void)snprintf(outcome->violation, sizeof(outcome->violation),
                   "the process died of signal %d%s", WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                   WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF ? " (it hung)" : "");
}

/* Of the processor: who merely starves does not hang. */
static void limit_time(void)
{
    const struct itimerval limit = { .it_value.tv_sec = SECONDS_MAX };

    weir_assert(setitimer(ITIMER_PROF, &limit, NULL) == 0);
}

static void play_in_child(uint64_t seed, const struct sim_event *only, size_t only_count,
                          struct sim_outcome *shared)
{
    if (freopen("/dev/null", "w", stderr) == NULL) {
        _exit(1);
    }
    limit_time();
    sim_play(seed, only, only_count, false, shared);
    _exit(0);
}

void sim_play_apart(uint64_t seed, const struct sim_event *only, size_t only_count,
                    struct sim_outcome *ret)
{
    struct sim_outcome *shared = share(sizeof(*shared));
    int status = 0;

    (void)fflush(NULL);
    pid_t child = fork();
    weir_assert(child >= 0);
    if (child == 0) {
        play_in_child(seed, only, only_count, shared);
    }
    weir_assert(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        note_crash(shared, status);
    }
    *ret = *shared;
    (void)munmap(shared, sizeof(*shared));
}

/* --- Many ----------------------------------------------------------------------------------- */

struct board {
    atomic_ullong next, done, failed, unlike;
    unsigned long long from, to;
    bool first_only;
    atomic_bool stop;
    atomic_ullong at[JOBS_MAX]; /* the seed that a worker is at */
    atomic_ullong failures[FAILURES_TOLD];
    atomic_ullong struck[SIM_FAULTS];
};

static void note_failure(struct board *board, uint64_t seed)
{
    unsigned long long nth = atomic_fetch_add(&board->failed, 1);

    if (nth < FAILURES_TOLD) {
        atomic_store(&board->failures[nth], seed);
    }
    if (board->first_only) {
        atomic_store(&board->stop, true);
    }
}

/* Now and then a seed is played twice: it must come out alike. */
static void play_seed(struct board *board, uint64_t seed, struct sim_outcome *outcome)
{
    sim_play(seed, NULL, 0, false, outcome);
    bool failed = outcome->violation[0] != '\0';
    for (size_t i = 0; i < SIM_FAULTS; i++) {
        if (outcome->struck[i] != 0) {
            atomic_fetch_add(&board->struck[i], outcome->struck[i]);
        }
    }

    if (seed % HASH_EVERY == 0 && !failed) {
        uint64_t hash = outcome->hash;
        sim_play(seed, NULL, 0, false, outcome);
        if (outcome->hash != hash) {
            atomic_fetch_add(&board->unlike, 1);
            failed = true;
        }
    }
    if (failed) {
        note_failure(board, seed);
    }
    atomic_fetch_add(&board->done, 1);
}

static void work(struct board *board, uint32_t job, uint64_t from)
{
    struct sim_outcome *outcome = calloc(1, sizeof(*outcome));
    uint64_t seed = from;

    weir_assert(outcome != NULL);
    if (freopen("/dev/null", "w", stderr) == NULL) {
        _exit(1);
    }
    while (!atomic_load(&board->stop)) {
        if (seed % SEEDS_AT_ONCE == 0 || seed == UINT64_MAX) {
            seed = atomic_fetch_add(&board->next, SEEDS_AT_ONCE);
        }
        for (bool first = true; seed <= board->to && (first || seed % SEEDS_AT_ONCE != 0); seed++) {
            first = false;
            if (atomic_load(&board->stop)) {
                _exit(0);
            }
            if (seed < board->from) {
                continue;
            }
            atomic_store(&board->at[job], seed);
            limit_time();
            play_seed(board, seed, outcome);
        }
        if (seed > board->to) {
            _exit(0);
        }
    }
    _exit(0);
}

static pid_t hire(struct board *board, uint32_t job, uint64_t from)
{
    (void)fflush(NULL);
    pid_t child = fork();

    weir_assert(child >= 0);
    if (child == 0) {
        work(board, job, from);
    }
    return child;
}

/* Waits for all workers; one that died is replaced, behind the seed it died of. */
static void oversee(struct board *board, uint32_t jobs)
{
    pid_t workers[JOBS_MAX];
    uint32_t left = jobs;

    for (uint32_t job = 0; job < jobs; job++) {
        workers[job] = hire(board, job, UINT64_MAX);
    }
    while (left > 0) {
        int status = 0;
        pid_t gone = wait(&status);
        weir_assert(gone > 0);
        for (uint32_t job = 0; job < jobs; job++) {
            if (workers[job] != gone) {
                continue;
            }
            uint64_t seed = atomic_load(&board->at[job]);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                left--;
                break;
            }
            note_failure(board, seed);
            atomic_fetch_add(&board->done, 1);
            workers[job] = hire(board, job, seed + 1);
        }
    }
}

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct board *post(uint64_t from, uint64_t to, bool first_only)
{
    struct board *board = share(sizeof(*board));

    atomic_store(&board->next, from - from % SEEDS_AT_ONCE); /* ranges begin at multiples */
    board->from = from;
    board->to = to;
    board->first_only = first_only;
    return board;
}

static void tell_failure(uint64_t seed, struct sim_outcome *outcome)
{
    sim_play_apart(seed, NULL, 0, outcome);
    sim_shrink(seed, outcome);
    sim_print_failure(seed, outcome);
}

uint64_t sim_run_list(const char *path)
{
    struct sim_outcome *outcome = calloc(1, sizeof(*outcome));
    FILE *file = fopen(path, "r");
    char line[512];
    uint64_t count = 0;
    uint64_t failed = 0;

    weir_assert(outcome != NULL);
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (line[0] == '#' || end == line) {
            continue;
        }
        count++;
        sim_play_apart(seed, NULL, 0, outcome);
        if (outcome->violation[0] != '\0') {
            failed++;
            tell_failure(seed, outcome);
        }
    }
    if (file != NULL) {
        (void)fclose(file); /* it was only read */
    }
    printf("sim: %llu passed, %llu failed\n", (unsigned long long)(count - failed),
           (unsigned long long)failed);
    free(outcome);
    return count == 0 ? 1 : failed;
}

/* Processor time of the workers that are gone. */
static double cpu_s(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* How often each kind of fault struck: one that never did proves nothing. */
static void tell_faults(const struct board *board)
{
    printf("faults struck:");
    for (int i = 0; i < SIM_FAULTS; i++) {
        printf(" %s %llu%s", sim_fault_name((enum sim_fault)i), board->struck[i],
               i + 1 < SIM_FAULTS ? "," : "\n");
    }
}

/* A row for the seeds, then one for each kind of fault. */
static void write_report(FILE *report, const struct board *board, uint64_t from, double seconds,
                         double cpu)
{
    (void)fputs("what\tfrom\tto\tschedules\tviolations\tseconds\tcpu_seconds\tstruck\n", report);
    (void)fprintf(report, "seeds\t%llu\t%llu\t%llu\t%llu\t%.1f\t%.1f\t\n", (unsigned long long)from,
                  board->to, board->done, board->failed, seconds, cpu);
    for (int i = 0; i < SIM_FAULTS; i++) {
        (void)fprintf(report, "%s\t\t\t\t\t\t\t%llu\n", sim_fault_name((enum sim_fault)i),
                      board->struck[i]);
    }
}

uint64_t sim_run_seeds(uint64_t from, uint64_t to, uint32_t jobs, FILE *report)
{
    struct board *board = post(from, to, false);
    struct sim_outcome *outcome = calloc(1, sizeof(*outcome));
    double begin = now_s();

    weir_assert(outcome != NULL && jobs >= 1 && jobs <= JOBS_MAX);
    oversee(board, jobs);
    double seconds = now_s() - begin;
    double cpu = cpu_s();
    uint64_t failed = atomic_load(&board->failed);
    uint64_t done = atomic_load(&board->done);
    for (uint64_t i = 0; i < failed && i < FAILURES_TOLD; i++) {
        tell_failure(atomic_load(&board->failures[i]), outcome);
    }
    printf("%llu seeds in %.1f s, %.0f a second of a core; %llu played twice came out otherwise\n",
           (unsigned long long)done, seconds, (double)done / cpu,
           (unsigned long long)atomic_load(&board->unlike));
    tell_faults(board);
    if (report != NULL) {
        write_report(report, board, from, seconds, cpu);
    }
    printf("sim: %llu passed, %llu failed\n", (unsigned long long)(done - failed),
           (unsigned long long)failed);
    free(outcome);
    (void)munmap(board, sizeof(*board));
    return failed;
}

bool sim_find_failure(uint64_t from, uint64_t to, uint32_t jobs, uint64_t *ret_seed,
                      struct sim_outcome *ret)
{
    struct board *board = post(from, to, true);
    bool found;

    oversee(board, jobs);
    found = atomic_load(&board->failed) != 0;
    if (found) {
        *ret_seed = atomic_load(&board->failures[0]);
        sim_play_apart(*ret_seed, NULL, 0, ret);
    }
    (void)munmap(board, sizeof(*board));
    return found;
}
