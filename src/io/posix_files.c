/* posix_files.c: files, directories, clock and randomness of the real world, without the writes.
 *
 * Uses     POSIX, and Linux where POSIX is silent (O_DIRECT, flock, getrandom).
 * F1  Every descriptor is O_CLOEXEC: a child that runs another program holds no lock of ours.
 * F2  Interrupted calls are repeated, but for close and sync: repeating those is wrong.
 * F3  A file that is open for writing is locked by that very open file (lock_file tells why).
 * Checked by tests/unit/io/test_io.c and test_choice.c. */
#include "io/posix_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int posix_fail(struct weir_error *err, int sys_errno, const char *verb, const char *path)
{
    int code = WEIR_EIO;

    switch (sys_errno) {
    case ENOSPC:
    case EDQUOT:
        code = WEIR_ENOSPC;
        break;
    case EMFILE:
    case ENFILE:
        code = WEIR_EBUSY;
        break;
    case ENOMEM:
        code = WEIR_ENOMEM;
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        code = WEIR_ECONFIG;
        break;
    default:
        break;
    }
    return weir_error_set_errno(err, code, sys_errno, "%s %s", verb, path);
}

/* --- Files ---------------------------------------------------------------------------------- */

static int open_fd(const char *path, int flags, bool *direct)
{
    int fd = -1;

    if (*direct) {
        do {
            fd = open(path, flags | O_DIRECT, 0600);
        } while (fd < 0 && errno == EINTR);
        if (fd >= 0 || errno != EINVAL) {
            return fd;
        }
        /* The file system has no direct I/O. Some create the file before they say so. */
        *direct = false;
        flags &= ~O_EXCL;
    }
    do {
        fd = open(path, flags, 0600);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Takes a file that is to be written for this process alone. The kernel finishes the writes of a
 * killed process after its locks are gone, but not before it lets go of the open file, to which
 * this lock belongs: so none of them can land upon what the next process writes. */
static int lock_file(int fd, const char *path, struct weir_error *err)
{
    enum { TRIES_MAX = 5000, PAUSE_NS = 1000000 };

    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK) {
            return posix_fail(err, errno, "lock", path);
        }
        if (i == TRIES_MAX) {
            return weir_error_set_reason(err, WEIR_EBUSY, "locked",
                                         "%s is still written by another process: stop it", path);
        }
        (void)nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
    }
    return WEIR_OK;
}

int posix_open(const char *path, unsigned flags, bool direct, struct weir_io_file **ret,
               struct weir_error *err)
{
    int os_flags = O_CLOEXEC | O_NOFOLLOW | ((flags & WEIR_IO_WRITE) != 0 ? O_RDWR : O_RDONLY) |
                   ((flags & WEIR_IO_CREATE) != 0 ? O_CREAT | O_EXCL : 0);
    struct posix_file *file = calloc(1, sizeof(*file));
    char *copy = strdup(path);

    if (file == NULL || copy == NULL) {
        free(file);
        free(copy);
        return weir_error_set(err, WEIR_ENOMEM, "open %s: out of memory", path);
    }
    *file = (struct posix_file){ .direct = direct && (flags & WEIR_IO_DIRECT) != 0, .path = copy };
    file->fd = open_fd(path, os_flags, &file->direct);
    int rc = file->fd < 0 ? posix_fail(err, errno, "open", path) : WEIR_OK;
    if (rc == WEIR_OK && (flags & WEIR_IO_WRITE) != 0) {
        rc = lock_file(file->fd, path, err);
        if (rc != WEIR_OK) {
            (void)close(file->fd);
        }
    }
    if (rc != WEIR_OK) {
        free(copy);
        free(file);
        return rc;
    }
    *ret = (struct weir_io_file *)file;
    return WEIR_OK;
}

void posix_close(void *self, struct weir_io_file *handle)
{
    struct posix_file *file = posix_file_of(handle);

    (void)self;
    (void)close(file->fd); /* durable writes already are; other errors come too late to matter */
    free(file->path);
    free(file);
}

int posix_read_at(void *self, struct weir_io_file *handle, uint64_t at, void *data, size_t bytes,
                  size_t *ret_bytes, struct weir_error *err)
{
    struct posix_file *file = posix_file_of(handle);
    size_t done = 0;

    (void)self;
    while (done < bytes) {
        ssize_t got = pread(file->fd, (uint8_t *)data + done, bytes - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return posix_fail(err, errno, "read", file->path);
        }
        done += (size_t)got;
        if (got == 0 || (file->direct && done % WEIR_IO_ALIGN_BYTES != 0)) {
            break; /* the end of the file, which direct I/O shows by an odd length */
        }
    }
    *ret_bytes = done;
    return WEIR_OK;
}

int posix_sync(void *self, struct weir_io_file *handle, struct weir_error *err)
{
    struct posix_file *file = posix_file_of(handle);

    (void)self;
    return fdatasync(file->fd) == 0 ? WEIR_OK : posix_fail(err, errno, "sync", file->path);
}

/* Length and number of names, and nothing else: who asks for the times of a file as well (stat, fstat) makes
 * its next write dirty the inode, on kernels with multigrain timestamps (6.13), and a durable write of
 * 4 KiB then takes a quarter more. */
static int ask(int fd, const char *path, int flags, uint64_t *ret_bytes, uint64_t *ret_names)
{
    struct statx found;
    struct stat old;

    if (statx(fd, path, flags, STATX_SIZE | STATX_NLINK, &found) == 0) {
        *ret_bytes = found.stx_size;
        *ret_names = found.stx_nlink;
        return 0;
    }
    if (errno == ENOENT ||
        fstatat(fd, path, &old, flags) != 0) { /* a filter may forbid statx() alone */
        return -1;
    }
    *ret_bytes = (uint64_t)old.st_size;
    *ret_names = old.st_nlink;
    return 0;
}

int posix_size(void *self, struct weir_io_file *handle, uint64_t *ret_bytes, bool *ret_is_named,
               struct weir_error *err)
{
    struct posix_file *file = posix_file_of(handle);
    uint64_t names;

    (void)self;
    if (ask(file->fd, "", AT_EMPTY_PATH, ret_bytes, &names) != 0) {
        return posix_fail(err, errno, "stat", file->path);
    }
    *ret_is_named = names != 0;
    return WEIR_OK;
}

int posix_size_of(void *self, const char *path, uint64_t *ret_bytes, struct weir_error *err)
{
    uint64_t names;

    (void)self;
    if (ask(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, ret_bytes, &names) != 0) {
        return posix_fail(err, errno, "stat", path);
    }
    return WEIR_OK;
}

/* --- Directories ---------------------------------------------------------------------------- */

int posix_rename(void *self, const char *from, const char *to, struct weir_error *err)
{
    (void)self;
    return rename(from, to) == 0 ? WEIR_OK : posix_fail(err, errno, "rename", from);
}

int posix_unlink(void *self, const char *path, struct weir_error *err)
{
    (void)self;
    return unlink(path) == 0 ? WEIR_OK : posix_fail(err, errno, "unlink", path);
}

static int open_dir_fd(const char *path)
{
    int fd;

    do {
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

int posix_sync_dir(void *self, const char *path, struct weir_error *err)
{
    int fd = open_dir_fd(path);
    int rc = WEIR_OK;

    (void)self;
    if (fd < 0) {
        return posix_fail(err, errno, "open", path);
    }
    if (fsync(fd) != 0) {
        rc = posix_fail(err, errno, "sync", path);
    }
    (void)close(fd);
    return rc;
}

static int sync_parent(const char *path, struct weir_error *err)
{
    char parent[WEIR_IO_PATH_BYTES_MAX];
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    if (len == 0) {
        return posix_sync_dir(NULL, ".", err);
    }
    if (len >= sizeof(parent)) {
        return weir_error_set(err, WEIR_ECONFIG, "path too long: %s", path);
    }
    memcpy(parent, path, len);
    parent[len] = '\0';
    return posix_sync_dir(NULL, parent, err);
}

/* A system call says that the directory of the data cannot be used. */
static int refuse_dir(struct weir_error *err, int sys_errno, const char *verb, const char *path)
{
    int rc = posix_fail(err, sys_errno, verb, path);

    if (err != NULL) {
        (void)snprintf(err->reason, sizeof(err->reason), "data_dir");
    }
    return rc;
}

int posix_make_dir(void *self, const char *path, struct weir_error *err)
{
    struct stat stat;

    (void)self;
    if (mkdir(path, 0700) == 0) {
        return sync_parent(path, err);
    }
    if (errno != EEXIST) {
        return refuse_dir(err, errno, "make directory", path);
    }
    if (lstat(path, &stat) != 0) {
        return refuse_dir(err, errno, "stat", path);
    }
    if (S_ISLNK(stat.st_mode)) {
        return weir_error_set_reason(err, WEIR_ECONFIG, "data_dir",
                                     "%s is a symbolic link: give the directory itself", path);
    }
    if (!S_ISDIR(stat.st_mode)) {
        return weir_error_set_reason(err, WEIR_ECONFIG, "data_dir", "%s is not a directory", path);
    }
    if ((stat.st_mode & S_IWOTH) != 0) {
        return weir_error_set_reason(err, WEIR_ECONFIG, "data_dir",
                                     "%s is writable for everybody: run chmod o-w on it", path);
    }
    return WEIR_OK;
}

int posix_list(void *self, const char *path, weir_io_list_fn *fn, void *context,
               struct weir_error *err)
{
    DIR *dir = opendir(path);
    int rc = WEIR_OK;

    (void)self;
    if (dir == NULL) {
        return posix_fail(err, errno, "list", path);
    }
    while (rc == WEIR_OK) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            rc = errno == 0 ? WEIR_OK : posix_fail(err, errno, "list", path);
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            rc = fn(context, entry->d_name, err);
        }
    }
    (void)closedir(dir);
    return rc;
}

/* --- The lock of a directory ---------------------------------------------------------------- */

/* A struct weir_io_lock * points to one of these. */
struct posix_lock {
    int fd;
};

static int busy(int fd, const char *path, struct weir_error *err)
{
    char pid[24] = { 0 };
    ssize_t got = pread(fd, pid, sizeof(pid) - 1, 0);

    if (got > 0 && strspn(pid, "0123456789") > 0) {
        pid[strspn(pid, "0123456789")] = '\0';
        return weir_error_set_reason(
            err, WEIR_EBUSY, "locked",
            "%s is in use by process %s: stop it, or use another directory", path, pid);
    }
    return weir_error_set_reason(
        err, WEIR_EBUSY, "locked",
        "%s is in use by another process: stop it, or use another directory", path);
}

int posix_lock_dir(void *self, const char *path, struct weir_io_lock **ret, struct weir_error *err)
{
    char name[WEIR_IO_PATH_BYTES_MAX];
    char pid[24];
    int fd;

    (void)self;
    if (snprintf(name, sizeof(name), "%s/lock", path) >= (int)sizeof(name)) {
        return weir_error_set(err, WEIR_ECONFIG, "path too long: %s", path);
    }
    do {
        fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return refuse_dir(err, errno, "open", name);
    }
    /* flock belongs to the open file: a second open in this very process is shut out as well,
     * which a lock by fcntl would let through (and drop at the first close). */
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int rc = errno == EWOULDBLOCK ? busy(fd, path, err) : posix_fail(err, errno, "lock", name);
        (void)close(fd);
        return rc;
    }
    struct posix_lock *lock = malloc(sizeof(*lock));
    if (lock == NULL) {
        (void)close(fd);
        return weir_error_set(err, WEIR_ENOMEM, "lock %s: out of memory", path);
    }
    lock->fd = fd;
    /* The number only helps the message above; a lock without it locks as well. */
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0) {
        ssize_t put = pwrite(fd, pid, (size_t)len, 0);
        (void)put;
    }
    *ret = (struct weir_io_lock *)lock;
    return WEIR_OK;
}

void posix_unlock_dir(void *self, struct weir_io_lock *handle)
{
    struct posix_lock *lock = (struct posix_lock *)handle;

    (void)self;
    (void)close(lock->fd);
    free(lock);
}

/* --- Clock and randomness ------------------------------------------------------------------- */

static int64_t clock_us(clockid_t clock)
{
    struct timespec now = { 0 };

    (void)clock_gettime(clock, &now); /* cannot fail for the two clocks used here */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t posix_now_us(void *self)
{
    (void)self;
    return clock_us(CLOCK_REALTIME);
}

uint64_t posix_mono_us(void *self)
{
    (void)self;
    return (uint64_t)clock_us(CLOCK_MONOTONIC);
}

int posix_random_bytes(void *self, void *data, size_t bytes, struct weir_error *err)
{
    (void)self;
    for (size_t done = 0; done < bytes;) {
        ssize_t got = getrandom((uint8_t *)data + done, bytes - done, 0);
        if (got < 0 && errno != EINTR) {
            return weir_error_set_errno(err, WEIR_EIO, errno, "getrandom");
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return WEIR_OK;
}
