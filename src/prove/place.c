/* place.c: makes, copies and removes directories. */
#include "prove/place.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    DIRECTORIES_OPEN_MAX = 16,
    TEXT_BYTES_MAX = 1 << 20,
    FILL_BYTES = 1 << 16,
    FILL_BYTES_MAX = 256 << 20
};

int prove_place_make(const char *parent, char ret[PROVE_PATH_BYTES], struct weir_error *err)
{
    char path[PROVE_PATH_BYTES];
    const char *base = parent != NULL ? parent : getenv("TMPDIR");

    if (base == NULL || base[0] == '\0') {
        base = "/tmp";
    }
    /* Room for what will be below it. */
    if (snprintf(path, sizeof(path), "%s/weir-prove-XXXXXX", base) >= PROVE_PATH_BYTES - 64) {
        return weir_error_set(err, WEIR_ECONFIG, "%s: the path is too long", base);
    }
    if (mkdtemp(path) == NULL) {
        return weir_error_set_errno(err, WEIR_EIO, errno, "cannot make a directory in %s", base);
    }
    memcpy(ret, path, sizeof(path));
    return WEIR_OK;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path) != 0 && errno != ENOENT ? -1 : 0;
}

int prove_place_remove(const char *path, struct weir_error *err)
{
    if (nftw(path, remove_one, DIRECTORIES_OPEN_MAX, FTW_DEPTH | FTW_PHYS) != 0 &&
        errno != ENOENT) {
        return weir_error_set_errno(err, WEIR_EIO, errno, "cannot remove %s", path);
    }
    return WEIR_OK;
}

/* nftw has no context argument: what the copy that is under way needs. One copy at a time. */
static struct {
    const char *to;
    size_t from_len;
} copying;

static int copy_file(const char *from, const char *to, const struct stat *info)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, info->st_mode & 0777);
    off_t left = info->st_size;
    ssize_t sent = 1;

    while (in >= 0 && out >= 0 && left > 0 && sent > 0) {
        sent = sendfile(out, in, NULL, (size_t)left);
        left -= sent > 0 ? sent : 0;
    }
    if (in >= 0) {
        (void)close(in); /* only read */
    }
    if (out >= 0 && close(out) != 0) {
        return -1;
    }
    return in < 0 || out < 0 || left > 0 ? -1 : 0;
}

static int copy_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    char to[2 * PROVE_PATH_BYTES];

    (void)where;
    (void)snprintf(to, sizeof(to), "%s%s", copying.to, path + copying.from_len);
    if (kind == FTW_D) {
        return mkdir(to, 0700);
    }
    return kind == FTW_F ? copy_file(path, to, info) : 0; /* sockets and links are not data */
}

int prove_place_copy(const char *from, const char *to, struct weir_error *err)
{
    copying.to = to;
    copying.from_len = strlen(from);
    if (nftw(from, copy_one, DIRECTORIES_OPEN_MAX, FTW_PHYS) != 0) {
        return weir_error_set_errno(err, WEIR_EIO, errno, "cannot copy %s to %s", from, to);
    }
    return WEIR_OK;
}

bool prove_place_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

int prove_place_check_small(const char *directory, struct weir_error *err)
{
    struct statvfs info;

    if (statvfs(directory, &info) != 0) {
        return weir_error_set_errno(err, WEIR_ECONFIG, errno, "cannot see how full %s is",
                                    directory);
    }
    if ((uint64_t)info.f_bavail * info.f_frsize > FILL_BYTES_MAX) {
        return weir_error_set(err, WEIR_ECONFIG,
                              "%s has more than 256 MiB left: give a file system of its own, small "
                              "enough to be filled up",
                              directory);
    }
    return WEIR_OK;
}

int prove_place_fill(const char *path, struct weir_error *err)
{
    static const char zeros[FILL_BYTES];
    size_t bytes = FILL_BYTES;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0600);

    if (fd < 0 && errno != ENOSPC) {
        return weir_error_set_errno(err, WEIR_EIO, errno, "cannot make %s", path);
    }
    while (fd >= 0 && bytes > 0) { /* to the last byte */
        if (write(fd, zeros, bytes) <= 0) {
            bytes /= 2;
        }
    }
    if (fd >= 0) {
        (void)close(fd); /* nobody reads it */
    }
    return WEIR_OK;
}

int prove_place_read(const char *path, char **ret, struct weir_error *err)
{
    FILE *file = fopen(path, "re");
    char *text = malloc(TEXT_BYTES_MAX + 1);
    int rc = WEIR_OK;

    if (file == NULL || text == NULL) {
        rc = file == NULL ? weir_error_set_errno(err, WEIR_ECONFIG, errno, "cannot read %s", path)
                          : weir_error_set(err, WEIR_ENOMEM, "no memory for %s", path);
    } else {
        size_t len = fread(text, 1, TEXT_BYTES_MAX, file);
        text[len] = '\0';
        if (ferror(file) != 0 || len == TEXT_BYTES_MAX) {
            rc = weir_error_set(err, WEIR_ECONFIG, "cannot read %s, or it is too large", path);
        }
    }
    if (file != NULL) {
        (void)fclose(file); /* only read */
    }
    if (rc != WEIR_OK) {
        free(text);
        return rc;
    }
    *ret = text;
    return WEIR_OK;
}

int prove_place_check_file(const char *path, struct weir_error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_new = fd < 0 && errno == ENOENT;

    if (is_new) {
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    }
    if (fd < 0) {
        return weir_error_set_errno(err, WEIR_ECONFIG, errno, "cannot write %s", path);
    }
    (void)close(fd); /* nothing was written */
    if (is_new) {
        (void)unlink(path); /* an empty report would say something */
    }
    return WEIR_OK;
}

int prove_place_write(const char *path, const char *text, struct weir_error *err)
{
    FILE *file = fopen(path, "we");
    bool written = file != NULL && fputs(text, file) >= 0;

    if (file != NULL && fclose(file) != 0) {
        written = false;
    }
    return written ? WEIR_OK : weir_error_set_errno(err, WEIR_EIO, errno, "cannot write %s", path);
}
