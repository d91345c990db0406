/* sim_disk.h: the insides of the simulated disk, shared by sim_disk.c and sim_io.c alone. */
#ifndef WEIR_TESTS_SIM_DISK_H
#define WEIR_TESTS_SIM_DISK_H

#include "tests/support/sim_io.h"

enum sector {
    SECTOR_CLEAN,
    SECTOR_DIRTY, /* a sync would make it durable */
    SECTOR_LOST,  /* a sync failed: it looks clean, but only a new write makes it durable */
};

/* What a file's content is, whatever its name. */
struct inode {
    uint8_t *seen;         /* capacity_bytes */
    uint8_t *sectors;      /* their states */
    const uint8_t **olds;  /* of a sector that is not clean: what is durable of it; else NULL */
    size_t capacity_bytes; /* whole sectors */
    size_t seen_bytes, durable_bytes;
};

struct name {
    char *path;
    struct inode *inode;
};

struct names {
    struct name *items;
    size_t count;
};

enum change_kind { CHANGE_CREATE, CHANGE_RENAME, CHANGE_UNLINK };

struct change {
    enum change_kind kind;
    char *path, *to; /* to: CHANGE_RENAME only */
    struct inode *inode;
};

struct fault {
    uint64_t skip, times;
    int sys_errno;
};

struct sim_process;

struct sim_disk {
    uint64_t random;
    struct inode **inodes; /* all that ever were */
    size_t inode_count;
    struct names seen, durable;
    struct change *journal;
    size_t journal_count;
    char **dirs;
    size_t dir_count;
    struct sim_process *processes;
    struct fault faults[SIM_OP_COUNT];
    uint64_t reads_before_flip; /* 0: none is to come */
    uint64_t counts[SIM_OP_COUNT];
    void (*watch)(void *context);
    void *watch_context;
    uint64_t limit_bytes;
    bool hold_writes, slow_writes;
    int64_t wall_us; /* minus mono_us */
    uint64_t mono_us;
};

struct sim_process {
    struct sim_disk *disk;
    struct sim_process *next;
    bool alive;
    struct weir_io_write *first, **last; /* started */
    char **locked;
    size_t locked_count;
};

struct sim_file {
    struct inode *inode;
    char *path;
};

struct sim_lock {
    char *path;
};

/* realloc() that cannot fail. */
void *sim_grown(void *data, size_t bytes);
char *sim_copy_text(const char *text);
/* A random number from 0 to limit - 1. */
uint64_t sim_below(struct sim_disk *disk, uint64_t limit);

struct name *sim_find(struct names *names, const char *path);
void sim_names_copy(struct names *to, const struct names *from);
void sim_names_fini(struct names *names);
/* Does it to what is seen, and keeps it in the journal until sync_dir. */
void sim_change(struct sim_disk *disk, enum change_kind kind, const char *path, const char *to,
                struct inode *inode);
/* Makes the changes in one directory durable. */
void sim_journal_sync(struct sim_disk *disk, const char *dir);
bool sim_is_in(const char *path, const char *dir);
bool sim_dir_exists(const struct sim_disk *disk, const char *path);
/* Whether the directory exists in which a file would be. */
bool sim_has_dir(const struct sim_disk *disk, const char *path);

struct inode *sim_inode_new(struct sim_disk *disk);
void sim_write_seen(struct inode *inode, uint64_t at, const void *data, size_t bytes);
void sim_write_durable(struct inode *inode, uint64_t at, const void *data, size_t bytes);
void sim_make_durable(struct inode *inode, uint64_t at, size_t bytes);
/* What was written just now will not be made durable by a sync. */
void sim_lose(struct inode *inode, uint64_t at, size_t bytes);
/* Whether a file may grow so far that a write up to end fits. */
bool sim_has_room(const struct sim_disk *disk, const struct inode *inode, uint64_t end);

#endif
