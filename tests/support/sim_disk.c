/* sim_disk.c: what the simulated disk holds, and what crashes leave of it.
 *
 * A file has its bytes as they are seen, a state for each sector, and for those that are not clean
 * what a power cut would leave of them.
 * A directory is a list of names, also twice: the changes since the last sync_dir are a journal,
 * of which a power cut keeps a part.
 * D1  A sector has old bytes exactly while it is not clean. */
#include "tests/support/sim_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* --- Memory and randomness ------------------------------------------------------------------ */

void *sim_grown(void *data, size_t bytes)
{
    void *ret = realloc(data, bytes == 0 ? 1 : bytes);

    weir_assert(ret != NULL);
    return ret;
}

char *sim_copy_text(const char *text)
{
    char *ret = strdup(text);

    weir_assert(ret != NULL);
    return ret;
}

/* SplitMix64: any seed will do, 0 too. */
uint64_t sim_disk_random(struct sim_disk *disk)
{
    uint64_t mixed = disk->random += 0x9e3779b97f4a7c15u;

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

uint64_t sim_below(struct sim_disk *disk, uint64_t limit)
{
    return sim_disk_random(disk) % limit;
}

/* --- Names ---------------------------------------------------------------------------------- */

struct name *sim_find(struct names *names, const char *path)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i].path, path) == 0) {
            return &names->items[i];
        }
    }
    return NULL;
}

static void drop(struct names *names, const char *path)
{
    struct name *name = sim_find(names, path);

    if (name != NULL) {
        free(name->path);
        *name = names->items[--names->count];
    }
}

static void put(struct names *names, const char *path, struct inode *inode)
{
    drop(names, path);
    names->items = sim_grown(names->items, (names->count + 1) * sizeof(*names->items));
    names->items[names->count++] = (struct name){ .path = sim_copy_text(path), .inode = inode };
}

void sim_names_fini(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i].path);
    }
    free(names->items);
    *names = (struct names){ 0 };
}

void sim_names_copy(struct names *to, const struct names *from)
{
    sim_names_fini(to);
    for (size_t i = 0; i < from->count; i++) {
        put(to, from->items[i].path, from->items[i].inode);
    }
}

static void apply(struct names *names, const struct change *change)
{
    struct name *old = sim_find(names, change->path);

    switch (change->kind) {
    case CHANGE_CREATE:
        put(names, change->path, change->inode);
        break;
    case CHANGE_RENAME:
        put(names, change->to, change->inode);
        if (old != NULL) {
            drop(names, change->path);
        }
        break;
    case CHANGE_UNLINK:
        drop(names, change->path);
        break;
    }
}

void sim_change(struct sim_disk *disk, enum change_kind kind, const char *path, const char *to,
                struct inode *inode)
{
    disk->journal = sim_grown(disk->journal, (disk->journal_count + 1) * sizeof(*disk->journal));
    disk->journal[disk->journal_count] =
        (struct change){ .kind = kind,
                         .path = sim_copy_text(path),
                         .to = to == NULL ? NULL : sim_copy_text(to),
                         .inode = inode };
    apply(&disk->seen, &disk->journal[disk->journal_count++]);
}

static void journal_clear(struct sim_disk *disk)
{
    for (size_t i = 0; i < disk->journal_count; i++) {
        free(disk->journal[i].path);
        free(disk->journal[i].to);
    }
    disk->journal_count = 0;
}

bool sim_is_in(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && path[len] == '/' && strchr(path + len + 1, '/') == NULL;
}

void sim_journal_sync(struct sim_disk *disk, const char *dir)
{
    size_t left = 0;

    for (size_t i = 0; i < disk->journal_count; i++) {
        if (sim_is_in(disk->journal[i].path, dir)) {
            apply(&disk->durable, &disk->journal[i]);
            free(disk->journal[i].path);
            free(disk->journal[i].to);
        } else {
            disk->journal[left++] = disk->journal[i];
        }
    }
    disk->journal_count = left;
}

bool sim_dir_exists(const struct sim_disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->dir_count; i++) {
        if (strcmp(disk->dirs[i], path) == 0) {
            return true;
        }
    }
    return false;
}

bool sim_has_dir(const struct sim_disk *disk, const char *path)
{
    for (size_t i = 0; i < disk->dir_count; i++) {
        if (sim_is_in(path, disk->dirs[i])) {
            return true;
        }
    }
    return false;
}

/* --- Content -------------------------------------------------------------------------------- */

struct inode *sim_inode_new(struct sim_disk *disk)
{
    struct inode *inode = calloc(1, sizeof(*inode));

    weir_assert(inode != NULL);
    disk->inodes = sim_grown(disk->inodes, (disk->inode_count + 1) * sizeof(struct inode *));
    disk->inodes[disk->inode_count++] = inode;
    return inode;
}

static const uint8_t zeros[SIM_SECTOR_BYTES]; /* most old sectors are: they need no copy */

/* Room for a write, which follows: what it will not write is zeros. */
static void inode_reserve(struct inode *inode, size_t at, size_t bytes)
{
    size_t old = inode->capacity_bytes;
    size_t end = at + bytes;
    size_t capacity = (end + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES * SIM_SECTOR_BYTES;
    size_t old_count = old / SIM_SECTOR_BYTES;
    size_t count = capacity / SIM_SECTOR_BYTES;

    if (capacity <= old) {
        return;
    }
    inode->seen = sim_grown(inode->seen, capacity);
    inode->sectors = sim_grown(inode->sectors, count);
    inode->olds = sim_grown(inode->olds, count * sizeof(*inode->olds));
    if (at > old) {
        memset(inode->seen + old, 0, at - old);
    }
    memset(inode->seen + end, 0, capacity - end);
    memset(inode->sectors + old_count, SECTOR_CLEAN, count - old_count);
    memset(inode->olds + old_count, 0, (count - old_count) * sizeof(*inode->olds));
    inode->capacity_bytes = capacity;
}

static size_t sectors_end(uint64_t at, size_t bytes)
{
    return (size_t)(at + bytes + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES;
}

static void clean(struct inode *inode, size_t sector)
{
    if (inode->olds[sector] != zeros) {
        free((void *)inode->olds[sector]);
    }
    inode->olds[sector] = NULL; /* D1 */
    inode->sectors[sector] = SECTOR_CLEAN;
}

/* Before a sector changes. */
static void dirty(struct inode *inode, size_t sector, bool is_fresh)
{
    const uint8_t *bytes = inode->seen + sector * SIM_SECTOR_BYTES;

    if (inode->sectors[sector] == SECTOR_CLEAN) {
        if (is_fresh || memcmp(bytes, zeros, SIM_SECTOR_BYTES) == 0) {
            inode->olds[sector] = zeros;
        } else {
            uint8_t *copy = sim_grown(NULL, SIM_SECTOR_BYTES);
            memcpy(copy, bytes, SIM_SECTOR_BYTES);
            inode->olds[sector] = copy;
        }
    }
    inode->sectors[sector] = SECTOR_DIRTY;
}

void sim_lose(struct inode *inode, uint64_t at, size_t bytes)
{
    for (size_t i = at / SIM_SECTOR_BYTES; bytes > 0 && i < sectors_end(at, bytes); i++) {
        inode->sectors[i] = SECTOR_LOST;
    }
}

void sim_make_durable(struct inode *inode, uint64_t at, size_t bytes)
{
    for (size_t i = at / SIM_SECTOR_BYTES; bytes > 0 && i < sectors_end(at, bytes); i++) {
        clean(inode, i);
    }
    if (at + bytes > inode->durable_bytes) {
        inode->durable_bytes = (size_t)(at + bytes);
    }
}

static void inode_free(struct inode *inode)
{
    sim_make_durable(inode, 0, inode->capacity_bytes);
    free(inode->seen);
    free(inode->sectors);
    free(inode->olds);
    free(inode);
}

static void write_bytes(struct inode *inode, uint64_t at, const void *data, size_t bytes)
{
    if (bytes > 0) { /* seen is NULL in a file that never held a byte */
        memcpy(inode->seen + at, data, bytes);
    }
    if (at + bytes > inode->seen_bytes) {
        inode->seen_bytes = (size_t)at + bytes;
    }
}

void sim_write_seen(struct inode *inode, uint64_t at, const void *data, size_t bytes)
{
    size_t fresh = inode->capacity_bytes / SIM_SECTOR_BYTES;

    if (bytes > 0) {
        inode_reserve(inode, (size_t)at, bytes);
    }
    for (size_t i = at / SIM_SECTOR_BYTES; bytes > 0 && i < sectors_end(at, bytes); i++) {
        dirty(inode, i, i >= fresh);
    }
    write_bytes(inode, at, data, bytes);
}

void sim_write_durable(struct inode *inode, uint64_t at, const void *data, size_t bytes)
{
    if (bytes > 0) {
        inode_reserve(inode, (size_t)at, bytes);
    }
    write_bytes(inode, at, data, bytes);
    sim_make_durable(inode, at, bytes);
}

uint64_t sim_disk_used_bytes(const struct sim_disk *disk)
{
    uint64_t used = 0;

    for (size_t i = 0; i < disk->seen.count; i++) {
        used += disk->seen.items[i].inode->seen_bytes;
    }
    return used;
}

bool sim_has_room(const struct sim_disk *disk, const struct inode *inode, uint64_t end)
{
    return end <= inode->seen_bytes ||
           sim_disk_used_bytes(disk) + (end - inode->seen_bytes) <= disk->limit_bytes;
}

/* --- Crashes -------------------------------------------------------------------------------- */

/* A write under way when everything ends: a part of it, from its start. */
static void break_off(struct sim_disk *disk, struct weir_io_write *write)
{
    struct inode *inode = ((struct sim_file *)write->file)->inode;
    size_t part =
        sim_below(disk, 3) == 0 ? write->bytes : (size_t)sim_below(disk, write->bytes + 1);

    if (sim_has_room(disk, inode, write->at + part)) {
        sim_write_seen(inode, write->at, write->data, part);
    }
}

static void kill_process(struct sim_process *process)
{
    for (struct weir_io_write *write = process->first; process->alive && write != NULL;
         write = write->next) {
        break_off(process->disk, write);
    }
    process->alive = false;
    for (size_t i = 0; i < process->locked_count; i++) {
        free(process->locked[i]);
    }
    process->locked_count = 0;
}

void sim_disk_kill_one(struct weir_io *io)
{
    kill_process(io->self);
}

void sim_disk_kill(struct sim_disk *disk)
{
    for (struct sim_process *process = disk->processes; process != NULL; process = process->next) {
        kill_process(process);
    }
}

static void cut_content(struct sim_disk *disk, struct inode *inode)
{
    size_t size = sim_below(disk, 2) == 0 ? inode->seen_bytes : inode->durable_bytes;

    for (size_t i = 0; i < inode->capacity_bytes / SIM_SECTOR_BYTES; i++) {
        uint8_t *sector = inode->seen + i * SIM_SECTOR_BYTES;
        if (inode->sectors[i] == SECTOR_CLEAN) {
            continue;
        }
        uint64_t fate = sim_below(disk, 16);
        if (fate == 7 && i * SIM_SECTOR_BYTES >= inode->durable_bytes) {
            /* Space that was never made durable shows whatever the device held there. */
            for (size_t j = 0; j < SIM_SECTOR_BYTES; j++) {
                sector[j] = (uint8_t)sim_disk_random(disk);
            }
        } else if (fate < 8) {
            memcpy(sector, inode->olds[i], SIM_SECTOR_BYTES);
        }
        clean(inode, i);
    }
    if (inode->capacity_bytes > size) {
        memset(inode->seen + size, 0, inode->capacity_bytes - size);
    }
    inode->seen_bytes = inode->durable_bytes = size;
}

void sim_disk_power_cut(struct sim_disk *disk)
{
    bool in_order = sim_below(disk, 2) == 0;
    size_t kept = (size_t)sim_below(disk, disk->journal_count + 1);

    sim_disk_kill(disk);
    for (size_t i = 0; i < disk->journal_count; i++) {
        if (in_order ? i < kept : sim_below(disk, 2) == 0) {
            apply(&disk->durable, &disk->journal[i]);
        }
    }
    journal_clear(disk);
    sim_names_copy(&disk->seen, &disk->durable);
    for (size_t i = 0; i < disk->inode_count; i++) {
        cut_content(disk, disk->inodes[i]);
    }
}

void sim_disk_settle(struct sim_disk *disk)
{
    for (size_t i = 0; i < disk->inode_count; i++) {
        struct inode *inode = disk->inodes[i];

        sim_make_durable(inode, 0, inode->capacity_bytes);
        inode->durable_bytes = inode->seen_bytes;
    }
    journal_clear(disk);
    sim_names_copy(&disk->durable, &disk->seen);
}

/* --- The disk itself ------------------------------------------------------------------------ */

struct sim_disk *sim_disk_new(uint64_t seed)
{
    struct sim_disk *disk = calloc(1, sizeof(*disk));

    weir_assert(disk != NULL);
    disk->random = seed;
    disk->limit_bytes = UINT64_MAX;
    disk->wall_us = INT64_C(1700000000000000);
    disk->dirs = sim_grown(NULL, sizeof(char *));
    disk->dirs[disk->dir_count++] = sim_copy_text("");
    return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
    if (disk == NULL) {
        return;
    }
    weir_assert(disk->processes == NULL);
    for (size_t i = 0; i < disk->inode_count; i++) {
        inode_free(disk->inodes[i]);
    }
    free(disk->inodes);
    sim_names_fini(&disk->seen);
    sim_names_fini(&disk->durable);
    journal_clear(disk);
    free(disk->journal);
    for (size_t i = 0; i < disk->dir_count; i++) {
        free(disk->dirs[i]);
    }
    free(disk->dirs);
    free(disk);
}

struct sim_disk *sim_disk_clone(const struct sim_disk *disk, uint64_t seed)
{
    struct sim_disk *copy = sim_disk_new(seed);

    for (size_t i = 0; i < disk->seen.count; i++) {
        const struct inode *from = disk->seen.items[i].inode;
        struct inode *to = sim_inode_new(copy);

        sim_write_seen(to, 0, from->seen, from->seen_bytes);
        put(&copy->seen, disk->seen.items[i].path, to);
    }
    for (size_t i = 1; i < disk->dir_count; i++) {
        copy->dirs = sim_grown(copy->dirs, (copy->dir_count + 1) * sizeof(char *));
        copy->dirs[copy->dir_count++] = sim_copy_text(disk->dirs[i]);
    }
    copy->mono_us = disk->mono_us;
    copy->wall_us = disk->wall_us;
    sim_disk_settle(copy);
    return copy;
}

void sim_disk_fail(struct sim_disk *disk, enum sim_op op, uint64_t skip, uint64_t times,
                   int sys_errno)
{
    disk->faults[op] = (struct fault){ .skip = skip, .times = times, .sys_errno = sys_errno };
}

void sim_disk_flip_read(struct sim_disk *disk, uint64_t skip)
{
    disk->reads_before_flip = skip + 1;
}

uint64_t sim_disk_failures_left(const struct sim_disk *disk, enum sim_op op)
{
    return disk->faults[op].times;
}

void sim_disk_heal(struct sim_disk *disk)
{
    memset(disk->faults, 0, sizeof(disk->faults));
    disk->limit_bytes = UINT64_MAX;
    disk->hold_writes = false;
    disk->slow_writes = false;
}

void sim_disk_watch(struct sim_disk *disk, void (*fn)(void *context), void *context)
{
    disk->watch = fn;
    disk->watch_context = context;
}

uint64_t sim_disk_count(const struct sim_disk *disk, enum sim_op op)
{
    return disk->counts[op];
}

void sim_disk_limit(struct sim_disk *disk, uint64_t bytes)
{
    disk->limit_bytes = bytes;
}

void sim_disk_hold_writes(struct sim_disk *disk, bool hold)
{
    disk->hold_writes = hold;
}

void sim_disk_slow_writes(struct sim_disk *disk, bool slow)
{
    disk->slow_writes = slow;
}

uint8_t *sim_disk_bytes(struct sim_disk *disk, const char *path, size_t *ret_len)
{
    struct name *name = sim_find(&disk->seen, path);

    if (name == NULL) {
        return NULL;
    }
    *ret_len = name->inode->seen_bytes;
    return name->inode->seen;
}

bool sim_disk_truncate(struct sim_disk *disk, const char *path, size_t len)
{
    struct name *name = sim_find(&disk->seen, path);

    if (name == NULL || len > name->inode->seen_bytes) {
        return false;
    }
    memset(name->inode->seen + len, 0, name->inode->capacity_bytes - len);
    name->inode->seen_bytes = len;
    sim_disk_settle(disk);
    return true;
}

bool sim_disk_remove(struct sim_disk *disk, const char *path)
{
    if (sim_find(&disk->seen, path) == NULL) {
        return false;
    }
    drop(&disk->seen, path);
    sim_disk_settle(disk);
    return true;
}

bool sim_disk_copy(struct sim_disk *disk, const char *from, const char *to)
{
    struct name *name = sim_find(&disk->seen, from);

    if (name == NULL) {
        return false;
    }
    struct inode *inode = sim_inode_new(disk);
    sim_write_seen(inode, 0, name->inode->seen, name->inode->seen_bytes);
    put(&disk->seen, to, inode);
    sim_disk_settle(disk);
    return true;
}

static bool add_dir(struct sim_disk *disk, const char *path)
{
    if (sim_dir_exists(disk, path)) {
        return false;
    }
    disk->dirs = sim_grown(disk->dirs, (disk->dir_count + 1) * sizeof(char *));
    disk->dirs[disk->dir_count++] = sim_copy_text(path);
    return true;
}

void sim_disk_replace_dir(struct sim_disk *disk, const char *from, const char *to)
{
    sim_journal_sync(disk, to);
    for (size_t i = disk->seen.count; i > 0; i--) {
        if (sim_is_in(disk->seen.items[i - 1].path, to)) {
            char *path = sim_copy_text(disk->seen.items[i - 1].path);
            drop(&disk->durable, path);
            drop(&disk->seen, path);
            free(path);
        }
    }
    (void)add_dir(disk, to);
    for (size_t i = 0, count = disk->seen.count; from != NULL && i < count; i++) {
        const struct name *name = &disk->seen.items[i];
        char path[WEIR_IO_PATH_BYTES_MAX];
        if (!sim_is_in(name->path, from)) {
            continue;
        }
        struct inode *inode = sim_inode_new(disk);
        sim_write_durable(inode, 0, name->inode->seen, name->inode->seen_bytes);
        (void)snprintf(path, sizeof(path), "%s%s", to, name->path + strlen(from));
        put(&disk->seen, path, inode);
        put(&disk->durable, path, inode);
    }
}

void sim_disk_set_now(struct sim_disk *disk, int64_t now_us)
{
    disk->wall_us = now_us - (int64_t)disk->mono_us;
}

void sim_disk_advance(struct sim_disk *disk, uint64_t by_us)
{
    disk->mono_us += by_us;
}
