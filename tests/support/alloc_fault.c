/* alloc_fault.c: see alloc_fault.h. The linker's --wrap sends calls here. */
#include "tests/support/alloc_fault.h"

#include <errno.h>
#include <stddef.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *data, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *data, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
char *__wrap_strdup(const char *text);

static bool is_armed, has_failed;
static uint64_t left;
static unsigned held;

void alloc_fault_arm(uint64_t skip)
{
    is_armed = true;
    has_failed = false;
    left = skip;
}

void alloc_fault_hold(void)
{
    held++;
}

void alloc_fault_release(void)
{
    held--;
}

bool alloc_fault_disarm(void)
{
    is_armed = false;
    return has_failed;
}

static bool must_fail(void)
{
    if (!is_armed || held != 0 || left-- > 0) {
        return false;
    }
    is_armed = false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t bytes)
{
    return must_fail() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return must_fail() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *data, size_t bytes)
{
    return must_fail() ? NULL : __real_realloc(data, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
    return must_fail() ? NULL : __real_aligned_alloc(align, bytes);
}

char *__wrap_strdup(const char *text)
{
    return must_fail() ? NULL : __real_strdup(text);
}
