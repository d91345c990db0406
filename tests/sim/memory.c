/* memory.c: the memory of everything that is simulated (the linker's --wrap sends calls here).
 *
 * A seed takes and gives back tens of thousands of blocks, all in one thread: lists of free blocks by
 * size, without locks or headers, cost a tenth of what malloc() takes. They are counted as well: what
 * a seed has left over at its end was lost by somebody (O-14). And the n-th one fails on demand.
 *
 * Address space is reserved once and handed out in spans, each cut into blocks of one size; so a
 * block's size is told by its address, and what comes from elsewhere is told apart.
 * Under a sanitizer, which has to see each block, memory comes from malloc() itself. */
#include "tests/sim/memory.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"

void *__real_malloc(size_t bytes);
void *__real_realloc(void *data, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
void __real_free(void *data);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *data, size_t bytes);
void *__wrap_reallocarray(void *data, size_t count, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
char *__wrap_strdup(const char *text);
void __wrap_free(void *data);
void *sim_steady_malloc(size_t bytes);
void *sim_steady_calloc(size_t count, size_t bytes);
void *sim_steady_realloc(void *data, size_t bytes);
char *sim_steady_strdup(const char *text);

/* --- Failing, counting ---------------------------------------------------------------------- */

static bool is_armed, has_failed, is_spared;
static uint64_t left, calls;
static struct sim_memory_stat stat;

void sim_memory_fail(uint64_t skip)
{
    is_armed = true;
    has_failed = false;
    left = skip;
}

bool sim_memory_heal(void)
{
    is_armed = false;
    return has_failed;
}

struct sim_memory_stat sim_memory_stat(void)
{
    return stat;
}

void sim_memory_spare(bool spare)
{
    is_spared = spare;
}

uint64_t sim_memory_calls(void)
{
    return calls;
}

static bool must_fail(void)
{
    if (is_spared) {
        return false;
    }
    calls++;
    if (!is_armed || left-- > 0) {
        return false;
    }
    is_armed = false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

/* --- Blocks --------------------------------------------------------------------------------- */

enum {
    PAGE_BYTES = 4096,
    SPAN_BYTES = 16 * PAGE_BYTES,
    SPANS_MAX = 64 * 1024, /* 4 GiB, of which only what is touched is there */
    SMALL_BYTES_MAX = 1024,
    SMALL_STEP_BYTES = 16,
    SMALL_CLASSES = SMALL_BYTES_MAX / SMALL_STEP_BYTES,
    LARGE_CLASSES = 20, /* 2 KiB, 4 KiB, ... 1 GiB */
    CLASSES = SMALL_CLASSES + LARGE_CLASSES,
};

struct block {
    struct block *next;
};

static struct {
    uint8_t *base;
    uint32_t used;              /* spans */
    uint8_t classes[SPANS_MAX]; /* of the blocks of a span */
    struct block *free[CLASSES];
    uint8_t *fresh[CLASSES], *fresh_end[CLASSES]; /* of a span that was never cut up */
} pool;

static uint32_t class_of(size_t bytes)
{
    uint32_t ret = SMALL_CLASSES;

    if (bytes <= SMALL_BYTES_MAX) {
        return bytes == 0 ? 0 : (uint32_t)((bytes - 1) / SMALL_STEP_BYTES);
    }
    for (size_t size = (size_t)2 * SMALL_BYTES_MAX; size < bytes; size *= 2) {
        ret++;
    }
    weir_assert(ret < CLASSES);
    return ret;
}

static size_t size_of(uint32_t class)
{
    return class < SMALL_CLASSES ? (size_t)(class + 1) * SMALL_STEP_BYTES
                                 : (size_t)SMALL_BYTES_MAX << (class - SMALL_CLASSES + 1);
}

static void cut_span(uint32_t class)
{
    size_t size = size_of(class);
    size_t bytes = size < SPAN_BYTES ? SPAN_BYTES : size;
    uint32_t spans = (uint32_t)(bytes / SPAN_BYTES);

    if (pool.base == NULL) {
        void *map = mmap(NULL, (size_t)SPANS_MAX * SPAN_BYTES, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        weir_assert(map != MAP_FAILED);
        pool.base = map;
    }
    weir_assert(pool.used + spans <= SPANS_MAX);
    pool.fresh[class] = pool.base + (size_t)pool.used * SPAN_BYTES;
    pool.fresh_end[class] = pool.fresh[class] + bytes / size * size;
    memset(pool.classes + pool.used, (int)class, spans);
    pool.used += spans;
}

static bool is_ours(const void *data)
{
    uintptr_t at = (uintptr_t)data - (uintptr_t)pool.base;

    return pool.base != NULL && at < (uintptr_t)SPANS_MAX * SPAN_BYTES;
}

static uint32_t class_at(const void *data)
{
    return pool.classes[(size_t)((const uint8_t *)data - pool.base) / SPAN_BYTES];
}

static void *take(size_t bytes)
{
    uint32_t class = class_of(bytes);
    struct block *block = pool.free[class];

    stat.blocks++;
    stat.bytes += size_of(class);
    if (stat.bytes > stat.bytes_max) {
        stat.bytes_max = stat.bytes;
    }
    if (block != NULL) {
        pool.free[class] = block->next;
        return block;
    }
    if (pool.fresh[class] == pool.fresh_end[class]) {
        cut_span(class);
    }
    void *ret = pool.fresh[class];
    pool.fresh[class] += size_of(class);
    return ret;
}

static void give_back(void *data)
{
    uint32_t class = class_at(data);
    struct block *block = data;

    stat.blocks--;
    stat.bytes -= size_of(class);
    block->next = pool.free[class];
    pool.free[class] = block;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { IS_POOLED = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { IS_POOLED = 0 };
#else
enum { IS_POOLED = 1 };
#endif
#else
enum { IS_POOLED = 1 };
#endif

/* --- The memory of what simulates, which never fails ----------------------------------------- */

static void *steady(void *ret)
{
    weir_assert(ret != NULL);
    return ret;
}

void *sim_steady_malloc(size_t bytes)
{
    return steady(IS_POOLED ? take(bytes) : __real_malloc(bytes));
}

void *sim_steady_calloc(size_t count, size_t bytes)
{
    weir_assert(count == 0 || bytes <= SIZE_MAX / count);
    return memset(sim_steady_malloc(count * bytes), 0, count * bytes);
}

void *sim_steady_realloc(void *data, size_t bytes)
{
    bool was_spared = is_spared;

    is_spared = true;
    void *ret = steady(__wrap_realloc(data, bytes));
    is_spared = was_spared;
    return ret;
}

char *sim_steady_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;

    return memcpy(sim_steady_malloc(bytes), text, bytes);
}

/* --- What the linker sends here ------------------------------------------------------------- */

void *__wrap_malloc(size_t bytes)
{
    if (must_fail()) {
        return NULL;
    }
    return IS_POOLED ? take(bytes) : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    void *ret = count != 0 && bytes > SIZE_MAX / count ? NULL : __wrap_malloc(count * bytes);

    if (ret != NULL) {
        memset(ret, 0, count * bytes);
    }
    return ret;
}

void *__wrap_realloc(void *data, size_t bytes)
{
    if (!is_ours(data) && data != NULL) {
        return must_fail() ? NULL : __real_realloc(data, bytes);
    }
    if (data != NULL && class_at(data) == class_of(bytes)) {
        return must_fail() ? NULL : data;
    }
    void *ret = __wrap_malloc(bytes);
    if (ret != NULL && data != NULL) {
        size_t old = size_of(class_at(data));
        memcpy(ret, data, old < bytes ? old : bytes);
        give_back(data);
    }
    return ret;
}

void *__wrap_reallocarray(void *data, size_t count, size_t bytes)
{
    return count != 0 && bytes > SIZE_MAX / count ? NULL : __wrap_realloc(data, count * bytes);
}

/* Blocks of a power of two stand on a multiple of it, up to a page. */
void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
    weir_assert(align > SMALL_BYTES_MAX && align <= PAGE_BYTES);
    if (!IS_POOLED) {
        return must_fail() ? NULL : __real_aligned_alloc(align, bytes);
    }
    return __wrap_malloc(bytes > align ? bytes : align);
}

char *__wrap_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *ret = __wrap_malloc(bytes);

    return ret == NULL ? NULL : memcpy(ret, text, bytes);
}

void __wrap_free(void *data)
{
    if (is_ours(data)) {
        give_back(data);
    } else {
        __real_free(data);
    }
}
