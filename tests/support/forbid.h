/* forbid.h: takes from this process, by seccomp, what older kernels, containers and plain file
 * systems do not give: io_uring, O_DIRECT, RWF_DSYNC. There is no way back, and children inherit it.
 *
 * The answers are those of the real thing: EPERM as a container's filter says for io_uring, EINVAL
 * as a file system without direct I/O, EOPNOTSUPP as a kernel without the flag. */
#ifndef WEIR_TESTS_FORBID_H
#define WEIR_TESTS_FORBID_H

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* One system call that fails with sys_errno: always, or when an argument has a bit. */
struct forbidden {
    const char *name;
    uint32_t call;
    uint32_t arg, bit; /* bit 0: always */
    int sys_errno;
};

static const struct forbidden forbidden_things[] = {
    { "io_uring", SYS_io_uring_setup, 0, 0, EPERM },
    { "direct", SYS_openat, 2, O_DIRECT, EINVAL },
    { "dsync", SYS_pwritev2, 5, RWF_DSYNC, EOPNOTSUPP },
};

/* Forbids the thing of that name. Returns 0, or an errno. */
static inline int forbid(const char *name)
{
    const struct forbidden *thing = NULL;

    for (size_t i = 0; i < sizeof(forbidden_things) / sizeof(forbidden_things[0]); i++) {
        if (strcmp(forbidden_things[i].name, name) == 0) {
            thing = &forbidden_things[i];
        }
    }
    if (thing == NULL) {
        return EINVAL;
    }
    uint32_t arg_at =
        (uint32_t)(offsetof(struct seccomp_data, args) + thing->arg * sizeof(uint64_t));
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, thing->call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                 thing->bit == 0 ? 0 : arg_at), /* little-endian: low half */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, thing->bit == 0 ? UINT32_MAX : thing->bit, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)thing->sys_errno),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof(filter) / sizeof(filter[0]), .filter = filter };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        return errno;
    }
    return 0;
}

#endif
