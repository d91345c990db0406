/* shim.c: preloaded into a weir (LD_PRELOAD) to be a bad host: between it and the C library.
 *
 * Uses     only libc and the dynamic linker. The environment says what happens; nothing without it.
 *
 *     WEIR_SHIM_STORM_US=N       a signal with a handler every N us, and no call is restarted after it
 *     WEIR_SHIM_SHORT_WRITES=1   no write to a file takes more than one block
 *     WEIR_SHIM_CLOCK_US=T       the wall clock stands still at T, in us since 1970
 *     WEIR_SHIM_THREADS=N        no thread but the first N can be started
 *     WEIR_SHIM_MEMORY=N         no allocation that weir itself asks for but the first N succeeds
 *
 * H1  What client libraries allocate is left alone: librdkafka ends the process when it gets none, and
 *     the SQL parser, whose code is in weir's own, dies of it. So memory is counted from the first
 *     thread on, which is started when the file has been read. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_BYTES = 4096, MICROSECONDS = 1000000, OBJECTS_MAX = 4 };

static struct {
    bool short_writes, has_clock, has_threads, has_memory;
    struct timespec clock;
    atomic_long threads, memory; /* so many are still to be had */
    atomic_bool has_begun;       /* a thread was started */
    struct {
        uintptr_t begin, end;
    } weir[OBJECTS_MAX]; /* the code of weir, program and library */
    size_t weir_count;
} shim;

/* --- The beginning -------------------------------------------------------------------------- */

static bool read_number(const char *name, long *ret)
{
    const char *text = getenv(name);

    if (text != NULL) {
        *ret = strtol(text, NULL, 10);
    }
    return text != NULL;
}

static int note_code(struct dl_phdr_info *info, size_t size, void *context)
{
    bool is_weir = info->dlpi_name[0] == '\0' || strstr(info->dlpi_name, "libweir.so") != NULL;

    (void)size;
    (void)context;
    for (int i = 0; is_weir && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 &&
            shim.weir_count < OBJECTS_MAX) {
            shim.weir[shim.weir_count].begin = info->dlpi_addr + part->p_vaddr;
            shim.weir[shim.weir_count++].end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
        }
    }
    return 0;
}

static void on_storm(int number)
{
    (void)number;
}

static void start_storm(long every_us)
{
    struct sigaction action = { .sa_handler = on_storm };
    struct itimerval timer = { .it_interval = { .tv_usec = every_us },
                               .it_value = { .tv_usec = every_us } };

    (void)sigaction(SIGALRM, &action, NULL);
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

__attribute__((constructor)) static void begin(void)
{
    long number;

    if (read_number("WEIR_SHIM_STORM_US", &number)) {
        start_storm(number);
    }
    shim.short_writes = getenv("WEIR_SHIM_SHORT_WRITES") != NULL;
    shim.has_clock = read_number("WEIR_SHIM_CLOCK_US", &number);
    if (shim.has_clock) {
        shim.clock.tv_sec = number / MICROSECONDS;
        shim.clock.tv_nsec = number % MICROSECONDS * 1000;
    }
    shim.has_threads = read_number("WEIR_SHIM_THREADS", &number);
    if (shim.has_threads) {
        shim.threads = number;
    }
    (void)dl_iterate_phdr(note_code, NULL);
    shim.has_memory = read_number("WEIR_SHIM_MEMORY", &number);
    if (shim.has_memory) {
        shim.memory = number;
    }
}

static void *next_of(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* --- What stands in for libc's -------------------------------------------------------------- */

#pragma GCC visibility push(default) /* all that follows has to be found before libc's */

/* The first block of a write, if that is all that is taken of it. */
static int shorten(const struct iovec *parts, int count, struct iovec *ret)
{
    *ret = parts[0];
    if (!shim.short_writes || count == 0) {
        return count;
    }
    ret->iov_len = ret->iov_len < BLOCK_BYTES ? ret->iov_len : BLOCK_BYTES;
    return 1;
}

ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    static ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    struct iovec first;

    if (real == NULL) {
        *(void **)&real = next_of("pwritev2");
    }
    int left = shorten(parts, count, &first);
    return real(fd, left == 1 ? &first : parts, left, offset, flags);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    static ssize_t (*real)(int, const struct iovec *, int, off_t);
    struct iovec first;

    if (real == NULL) {
        *(void **)&real = next_of("pwritev");
    }
    int left = shorten(parts, count, &first);
    return real(fd, left == 1 ? &first : parts, left, offset);
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    static int (*real)(clockid_t, struct timespec *);

    if (real == NULL) {
        *(void **)&real = next_of("clock_gettime");
    }
    if (shim.has_clock && clock == CLOCK_REALTIME) {
        *ret = shim.clock;
        return 0;
    }
    return real(clock, ret);
}

int pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *arg)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    if (real == NULL) {
        *(void **)&real = next_of("pthread_create");
    }
    shim.has_begun = true;
    if (shim.has_threads && atomic_fetch_sub(&shim.threads, 1) <= 0) {
        return EAGAIN;
    }
    return real(ret, attributes, run, arg);
}

static bool is_refused(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;

    for (size_t i = 0; shim.has_memory && shim.has_begun && i < shim.weir_count; i++) {
        if (at >= shim.weir[i].begin && at < shim.weir[i].end) {
            return atomic_fetch_sub(&shim.memory, 1) <= 0;
        }
    }
    return false;
}

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

static void *none(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t bytes)
{
    return is_refused(__builtin_return_address(0)) ? none() : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return is_refused(__builtin_return_address(0)) ? none() : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return is_refused(__builtin_return_address(0)) ? none() : __libc_realloc(old, bytes);
}
