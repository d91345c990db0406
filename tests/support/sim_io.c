/* sim_io.c: struct weir_io on the simulated disk, one for each process booted on it.
 *
 * Started writes are carried out in order, inside poll().
 * D2  A dead process changes nothing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/support/sim_disk.h"

/* --- Faults --------------------------------------------------------------------------------- */

static int fail(struct weir_error *err, int sys_errno, const char *verb, const char *path)
{
    int code = sys_errno == ENOSPC ? WEIR_ENOSPC : WEIR_EIO;

    return weir_error_set_errno(err, code, sys_errno, "%s %s", verb, path);
}

/* Counts an operation. Returns 0, or the errno with which it is to fail. */
static int stumble(struct sim_process *process, enum sim_op op)
{
    struct sim_disk *disk = process->disk;
    struct fault *fault = &disk->faults[op];

    if (process->alive && disk->watch != NULL) {
        disk->watch(disk->watch_context);
    }
    if (!process->alive) {
        return EIO; /* D2 */
    }
    disk->counts[op]++;
    disk->mono_us += 1 + sim_below(disk, 100);
    if (fault->times == 0) {
        return 0;
    }
    if (fault->skip > 0) {
        fault->skip--;
        return 0;
    }
    fault->times--;
    return fault->sys_errno;
}

/* Carries out one started write. */
static void perform(struct sim_process *process, struct weir_io_write *write)
{
    struct sim_disk *disk = process->disk;
    struct inode *inode = ((struct sim_file *)write->file)->inode;
    int sys_errno = stumble(process, SIM_WRITE);

    if (sys_errno == 0 && !sim_has_room(disk, inode, write->at + write->bytes)) {
        sys_errno = ENOSPC;
    }
    if (sys_errno != 0) {
        if (process->alive && sys_errno != ENOSPC) {
            size_t part = (size_t)sim_below(disk, write->bytes + 1);
            sim_write_seen(inode, write->at, write->data, part);
            sim_lose(inode, write->at, part);
        }
        write->sys_errno = sys_errno;
        write->code = sys_errno == ENOSPC ? WEIR_ENOSPC : WEIR_EIO;
        return;
    }
    if (write->durable) {
        sim_write_durable(inode, write->at, write->data, write->bytes);
    } else {
        sim_write_seen(inode, write->at, write->data, write->bytes);
    }
}

/* --- The table of functions ----------------------------------------------------------------- */

static int sim_open(void *self, const char *path, unsigned flags, struct weir_io_file **ret,
                    struct weir_error *err)
{
    struct sim_process *process = self;
    struct sim_disk *disk = process->disk;
    int sys_errno = stumble(process, SIM_OPEN);
    struct name *name = sim_find(&disk->seen, path); /* as it is behind a crash */

    if (sys_errno == 0 && name == NULL && (flags & WEIR_IO_CREATE) == 0) {
        sys_errno = ENOENT;
    } else if (sys_errno == 0 && name != NULL && (flags & WEIR_IO_CREATE) != 0) {
        sys_errno = EEXIST;
    } else if (sys_errno == 0 && name == NULL && !sim_has_dir(disk, path)) {
        sys_errno = ENOENT;
    }
    if (sys_errno != 0) {
        return fail(err, sys_errno, "open", path);
    }
    struct sim_file *file = calloc(1, sizeof(*file));
    weir_assert(file != NULL);
    file->path = sim_copy_text(path);
    file->inode = name != NULL ? name->inode : sim_inode_new(disk);
    if (name == NULL) {
        sim_change(disk, CHANGE_CREATE, path, NULL, file->inode);
    }
    *ret = (struct weir_io_file *)file;
    return WEIR_OK;
}

static void sim_close(void *self, struct weir_io_file *handle)
{
    struct sim_process *process = self;
    struct sim_file *file = (struct sim_file *)handle;

    for (struct weir_io_write *write = process->first; write != NULL; write = write->next) {
        weir_assert(write->file != handle); /* io.h: no write may be under way */
    }
    free(file->path);
    free(file);
}

static int sim_read_at(void *self, struct weir_io_file *handle, uint64_t at, void *data,
                       size_t bytes, size_t *ret_bytes, struct weir_error *err)
{
    struct sim_disk *disk = ((struct sim_process *)self)->disk;
    struct sim_file *file = (struct sim_file *)handle;
    int sys_errno = stumble(self, SIM_READ);

    if (sys_errno != 0) {
        return fail(err, sys_errno, "read", file->path);
    }
    size_t there = at < file->inode->seen_bytes ? file->inode->seen_bytes - (size_t)at : 0;
    *ret_bytes = bytes < there ? bytes : there;
    if (*ret_bytes > 0) {
        memcpy(data, file->inode->seen + at, *ret_bytes);
    }
    if (disk->reads_before_flip > 0 && --disk->reads_before_flip == 0 && *ret_bytes > 0) {
        ((uint8_t *)data)[sim_below(disk, *ret_bytes)] ^= 1;
    }
    return WEIR_OK;
}

static int sim_write_start(void *self, struct weir_io_write *write, struct weir_error *err)
{
    struct sim_process *process = self;

    (void)err;
    write->next = NULL;
    *process->last = write;
    process->last = &write->next;
    return WEIR_OK;
}

/* Finishes some of the started writes, in the order in which they were started: one at least when
 * the caller waits. */
static int sim_poll(void *self, uint64_t wait_us, struct weir_error *err)
{
    struct sim_process *process = self;
    struct sim_disk *disk = process->disk;
    bool must = wait_us > 0 || !process->alive;

    (void)err;
    if (process->alive && (disk->hold_writes || (disk->slow_writes && !must))) {
        disk->mono_us += wait_us / 2;
        return WEIR_OK;
    }
    while (process->first != NULL && (must || (!disk->slow_writes && sim_below(disk, 2) == 0))) {
        struct weir_io_write *write = process->first;

        process->first = write->next;
        if (process->first == NULL) {
            process->last = &process->first;
        }
        perform(process, write);
        write->done = true;
        must = !process->alive;
    }
    disk->mono_us += wait_us / 2;
    return WEIR_OK;
}

static int sim_fd(void *self)
{
    (void)self;
    return -1;
}

static int sim_sync(void *self, struct weir_io_file *handle, struct weir_error *err)
{
    struct sim_file *file = (struct sim_file *)handle;
    struct inode *inode = file->inode;
    int sys_errno = stumble(self, SIM_SYNC);

    if (!((struct sim_process *)self)->alive) {
        return fail(err, sys_errno, "sync", file->path); /* D2 */
    }
    for (size_t i = 0; i < inode->capacity_bytes / SIM_SECTOR_BYTES; i++) {
        if (inode->sectors[i] == SECTOR_DIRTY && sys_errno != 0) {
            inode->sectors[i] = SECTOR_LOST;
        } else if (inode->sectors[i] == SECTOR_DIRTY) {
            sim_make_durable(inode, i * SIM_SECTOR_BYTES, SIM_SECTOR_BYTES);
        }
    }
    if (sys_errno != 0) {
        return fail(err, sys_errno, "sync", file->path);
    }
    inode->durable_bytes = inode->seen_bytes;
    return WEIR_OK;
}

static int sim_size(void *self, struct weir_io_file *handle, uint64_t *ret_bytes,
                    bool *ret_is_named, struct weir_error *err)
{
    struct sim_process *process = self;
    struct sim_file *file = (struct sim_file *)handle;
    const struct names *seen = &process->disk->seen;

    if (!process->alive) {
        return fail(err, EIO, "stat", file->path);
    }
    *ret_bytes = file->inode->seen_bytes;
    *ret_is_named = false;
    for (size_t i = 0; i < seen->count && !*ret_is_named; i++) {
        *ret_is_named = seen->items[i].inode == file->inode;
    }
    return WEIR_OK;
}

static int sim_size_of(void *self, const char *path, uint64_t *ret_bytes, struct weir_error *err)
{
    struct sim_process *process = self;
    struct name *name = sim_find(&process->disk->seen, path);

    if (!process->alive || name == NULL) {
        return fail(err, process->alive ? ENOENT : EIO, "stat", path);
    }
    *ret_bytes = name->inode->seen_bytes;
    return WEIR_OK;
}

static int sim_rename(void *self, const char *from, const char *to, struct weir_error *err)
{
    struct sim_process *process = self;
    int sys_errno = stumble(process, SIM_RENAME);
    struct name *name = sim_find(&process->disk->seen, from);

    if (sys_errno == 0 && name == NULL) {
        sys_errno = ENOENT;
    }
    if (sys_errno != 0) {
        return fail(err, sys_errno, "rename", from);
    }
    sim_change(process->disk, CHANGE_RENAME, from, to, name->inode);
    return WEIR_OK;
}

static int sim_unlink(void *self, const char *path, struct weir_error *err)
{
    struct sim_process *process = self;
    int sys_errno = stumble(process, SIM_UNLINK);

    if (sys_errno == 0 && sim_find(&process->disk->seen, path) == NULL) {
        sys_errno = ENOENT;
    }
    if (sys_errno != 0) {
        return fail(err, sys_errno, "unlink", path);
    }
    sim_change(process->disk, CHANGE_UNLINK, path, NULL, NULL);
    return WEIR_OK;
}

static int sim_make_dir(void *self, const char *path, struct weir_error *err)
{
    struct sim_process *process = self;
    struct sim_disk *disk = process->disk;

    if (!process->alive) {
        return fail(err, EIO, "make directory", path);
    }
    if (sim_find(&disk->seen, path) != NULL) {
        return weir_error_set_reason(err, WEIR_ECONFIG, "data_dir", "%s is not a directory", path);
    }
    if (!sim_dir_exists(disk, path)) {
        disk->dirs = sim_grown(disk->dirs, (disk->dir_count + 1) * sizeof(char *));
        disk->dirs[disk->dir_count++] = sim_copy_text(path);
    }
    return WEIR_OK;
}

static int sim_sync_dir(void *self, const char *path, struct weir_error *err)
{
    struct sim_process *process = self;
    int sys_errno = stumble(process, SIM_SYNC_DIR);

    if (sys_errno != 0) {
        return fail(err, sys_errno, "sync", path);
    }
    sim_journal_sync(process->disk, path);
    return WEIR_OK;
}

/* The names in a directory, one behind the other with their ends. */
static char *copy_names(const struct names *seen, const char *dir, size_t *ret_len)
{
    size_t skip = strlen(dir) + 1;
    char *ret = NULL;
    size_t len = 0;

    for (size_t i = 0; i < seen->count; i++) {
        const char *path = seen->items[i].path;
        if (sim_is_in(path, dir)) {
            size_t bytes = strlen(path + skip) + 1;
            ret = sim_grown(ret, len + bytes);
            memcpy(ret + len, path + skip, bytes);
            len += bytes;
        }
    }
    *ret_len = len;
    return ret;
}

static int sim_list(void *self, const char *path, weir_io_list_fn *fn, void *context,
                    struct weir_error *err)
{
    struct sim_process *process = self;
    size_t len;
    int rc = WEIR_OK;

    if (!process->alive || !sim_dir_exists(process->disk, path)) {
        return fail(err, process->alive ? ENOENT : EIO, "list", path);
    }
    char *names = copy_names(&process->disk->seen, path, &len); /* fn may change the directory */
    for (size_t at = 0; rc == WEIR_OK && at < len; at += strlen(names + at) + 1) {
        rc = fn(context, names + at, err);
    }
    free(names);
    return rc;
}

static int sim_lock_dir(void *self, const char *path, struct weir_io_lock **ret,
                        struct weir_error *err)
{
    struct sim_process *process = self;

    if (!process->alive) {
        return fail(err, EIO, "lock", path);
    }
    for (struct sim_process *other = process->disk->processes; other != NULL; other = other->next) {
        for (size_t i = 0; i < other->locked_count; i++) {
            if (strcmp(other->locked[i], path) == 0) {
                return weir_error_set_reason(err, WEIR_EBUSY, "locked",
                                             "%s is in use by another process", path);
            }
        }
    }
    struct sim_lock *lock = calloc(1, sizeof(*lock));
    weir_assert(lock != NULL);
    lock->path = sim_copy_text(path);
    process->locked = sim_grown(process->locked, (process->locked_count + 1) * sizeof(char *));
    process->locked[process->locked_count++] = sim_copy_text(path);
    *ret = (struct weir_io_lock *)lock;
    return WEIR_OK;
}

static void sim_unlock_dir(void *self, struct weir_io_lock *handle)
{
    struct sim_process *process = self;
    struct sim_lock *lock = (struct sim_lock *)handle;

    for (size_t i = 0; i < process->locked_count; i++) {
        if (strcmp(process->locked[i], lock->path) == 0) {
            free(process->locked[i]);
            process->locked[i] = process->locked[--process->locked_count];
            break;
        }
    }
    free(lock->path);
    free(lock);
}

static int64_t sim_now_us(void *self)
{
    struct sim_disk *disk = ((struct sim_process *)self)->disk;

    return disk->wall_us + (int64_t)disk->mono_us;
}

static uint64_t sim_mono_us(void *self)
{
    return ((struct sim_process *)self)->disk->mono_us;
}

static int sim_random_bytes(void *self, void *data, size_t bytes, struct weir_error *err)
{
    struct sim_disk *disk = ((struct sim_process *)self)->disk;

    (void)err;
    for (size_t i = 0; i < bytes; i++) {
        ((uint8_t *)data)[i] = (uint8_t)sim_disk_random(disk);
    }
    return WEIR_OK;
}

static void sim_fini(void *self)
{
    struct sim_process *process = self;

    for (struct sim_process **link = &process->disk->processes; *link != NULL;
         link = &(*link)->next) {
        if (*link == process) {
            *link = process->next;
            break;
        }
    }
    for (size_t i = 0; i < process->locked_count; i++) {
        free(process->locked[i]);
    }
    free(process->locked);
    free(process);
}

static const struct weir_io_ops sim_ops = {
    .name = "sim",
    .open = sim_open,
    .close = sim_close,
    .read_at = sim_read_at,
    .write_start = sim_write_start,
    .poll = sim_poll,
    .fd = sim_fd,
    .sync = sim_sync,
    .size = sim_size,
    .size_of = sim_size_of,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .make_dir = sim_make_dir,
    .sync_dir = sim_sync_dir,
    .list = sim_list,
    .lock_dir = sim_lock_dir,
    .unlock_dir = sim_unlock_dir,
    .now_us = sim_now_us,
    .mono_us = sim_mono_us,
    .random_bytes = sim_random_bytes,
    .fini = sim_fini,
};

/* --- Booting -------------------------------------------------------------------------------- */

struct weir_io *sim_disk_boot(struct sim_disk *disk)
{
    struct sim_process *process = calloc(1, sizeof(*process));
    struct weir_io *io = calloc(1, sizeof(*io));

    weir_assert(process != NULL && io != NULL);
    *process = (struct sim_process){ .disk = disk, .next = disk->processes, .alive = true };
    process->last = &process->first;
    disk->processes = process;
    *io = (struct weir_io){ .ops = &sim_ops, .self = process };
    return io;
}
