/* bells.c: the eventfds of the simulated source and databases (the linker's --wrap sends calls here).
 *
 * They wake a process that sleeps on them. Here nobody sleeps: whoever has the turn looks at
 * everything. So nothing needs to be rung, and to ask the kernel for it would be a sixth of the time
 * of a seed. Whatever else is read, written or closed goes on to the kernel.
 * B1  A bell is told by its number, above all that the kernel hands out. */
#include <errno.h>
#include <limits.h>
#include <sys/types.h>

enum { BELL_FD = INT_MAX };

int __wrap_eventfd(unsigned count, int flags);
ssize_t __real_read(int fd, void *data, size_t bytes);
ssize_t __wrap_read(int fd, void *data, size_t bytes);
ssize_t __real_write(int fd, const void *data, size_t bytes);
ssize_t __wrap_write(int fd, const void *data, size_t bytes);
int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_eventfd(unsigned count, int flags)
{
    (void)count;
    (void)flags;
    return BELL_FD;
}

ssize_t __wrap_read(int fd, void *data, size_t bytes)
{
    if (fd != BELL_FD) {
        return __real_read(fd, data, bytes);
    }
    errno = EAGAIN;
    return -1;
}

ssize_t __wrap_write(int fd, const void *data, size_t bytes)
{
    return fd == BELL_FD ? (ssize_t)bytes : __real_write(fd, data, bytes);
}

int __wrap_close(int fd)
{
    return fd == BELL_FD ? 0 : __real_close(fd);
}
