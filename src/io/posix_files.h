/* posix_files.h: what both backends on the real world do alike: everything but writes and polls.
 *
 * Internal to src/io/. The functions fit struct weir_io_ops; none of them looks at self. */
#ifndef WEIR_IO_POSIX_FILES_H
#define WEIR_IO_POSIX_FILES_H

#include "io/io.h"

/* What a struct weir_io_file * of these backends points to. */
struct posix_file {
    int fd;
    bool direct; /* opened past the page cache */
    char *path;  /* for messages */
};

static inline struct posix_file *posix_file_of(struct weir_io_file *file)
{
    return (struct posix_file *)file;
}

/* Fills *err from errno: WEIR_ENOSPC, WEIR_EBUSY, WEIR_ECONFIG or WEIR_EIO. Returns the code. */
int posix_fail(struct weir_error *err, int sys_errno, const char *verb, const char *path);

/* direct says whether WEIR_IO_DIRECT is obeyed; where the file system refuses, the file is opened
 * buffered. */
int posix_open(const char *path, unsigned flags, bool direct, struct weir_io_file **ret,
               struct weir_error *err);
void posix_close(void *self, struct weir_io_file *file);
int posix_read_at(void *self, struct weir_io_file *file, uint64_t at, void *data, size_t bytes,
                  size_t *ret_bytes, struct weir_error *err);
int posix_sync(void *self, struct weir_io_file *file, struct weir_error *err);
int posix_size(void *self, struct weir_io_file *file, uint64_t *ret_bytes, bool *ret_is_named,
               struct weir_error *err);
int posix_size_of(void *self, const char *path, uint64_t *ret_bytes, struct weir_error *err);
int posix_rename(void *self, const char *from, const char *to, struct weir_error *err);
int posix_unlink(void *self, const char *path, struct weir_error *err);
int posix_make_dir(void *self, const char *path, struct weir_error *err);
int posix_sync_dir(void *self, const char *path, struct weir_error *err);
int posix_list(void *self, const char *path, weir_io_list_fn *fn, void *context,
               struct weir_error *err);
int posix_lock_dir(void *self, const char *path, struct weir_io_lock **ret, struct weir_error *err);
void posix_unlock_dir(void *self, struct weir_io_lock *lock);
int64_t posix_now_us(void *self);
uint64_t posix_mono_us(void *self);
int posix_random_bytes(void *self, void *data, size_t bytes, struct weir_error *err);

#endif
