/* small_disk.h: a real file system of a few megabytes, in memory, that goes with the test.
 *
 * It is mounted in a mount namespace of the test's own, so nobody else sees it and nothing is left
 * behind. That wants root, or the right to make a user namespace; where neither is to be had the test
 * says so as a skipped one. */
#ifndef WEIR_TESTS_SMALL_DISK_H
#define WEIR_TESTS_SMALL_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

/* Leaves the mounts of everybody else; as root of a user namespace where that is what it takes. */
static inline bool small_disk_unshare(void)
{
    char map[64];
    unsigned id = getuid();

    if (unshare(CLONE_NEWNS) == 0) {
        return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return false;
    }
    int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    int len = snprintf(map, sizeof(map), "0 %u 1", id);
    bool is_mapped = fd >= 0 && write(fd, map, (size_t)len) == len;
    if (fd >= 0) {
        (void)close(fd);
    }
    return is_mapped && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* Mounts one and makes it the current directory. options: "size=4m,nr_inodes=20". False, with the
 * line of a skipped test written, where it cannot be. */
static inline bool small_disk_enter(const char *options)
{
    char name[] = "small-disk-XXXXXX", dir[4096];

    if (mkdtemp(name) == NULL || realpath(name, dir) == NULL) {
        perror(name);
        return false;
    }
    bool is_there = small_disk_unshare() && mount("none", dir, "tmpfs", 0, options) == 0;
    if (!is_there) {
        (void)printf("1..1\nok 1 - small disk # SKIP cannot mount one: %s\n", strerror(errno));
        (void)rmdir(dir);
        return false;
    }
    /* Being somewhere keeps it: the name is not needed any more. */
    return chdir(dir) == 0 && umount2(dir, MNT_DETACH) == 0 && rmdir(dir) == 0;
}

/* Takes all the space there is, but for leave_bytes. */
static inline void small_disk_fill(size_t leave_bytes)
{
    enum { BLOCK_BYTES = 4096 };
    static const char block[BLOCK_BYTES];
    int fd = open("ballast", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    off_t size = 0;

    for (ssize_t put = 1; put > 0; size += put > 0 ? put : 0) {
        put = write(fd, block, sizeof(block));
    }
    if (fd < 0 || ftruncate(fd, size > (off_t)leave_bytes ? size - (off_t)leave_bytes : 0) != 0) {
        perror("ballast");
    }
    (void)close(fd);
}

/* Takes all the file names there are. */
static inline int small_disk_fill_names(void)
{
    char name[32];
    int count = 0;

    for (int fd = 0; fd >= 0; count++) {
        (void)snprintf(name, sizeof(name), "ballast-%d", count);
        fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    return count - 1;
}

/* Gives back what the two above took. */
static inline void small_disk_free(int names)
{
    char name[32];

    (void)unlink("ballast");
    for (int i = 0; i < names; i++) {
        (void)snprintf(name, sizeof(name), "ballast-%d", i);
        (void)unlink(name);
    }
}

#endif
