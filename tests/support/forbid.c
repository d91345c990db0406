/* forbid.c: runs a program that is not given something of the kernel: forbid THING PROGRAM...
 *
 * So the very same test program runs a second time where io_uring, O_DIRECT or RWF_DSYNC is not to
 * be had. Where seccomp itself is forbidden it ends with 77, which Meson counts as skipped. */
#include "tests/support/forbid.h"

#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    enum { EXIT_SKIPPED = 77 };

    if (argc < 3) {
        (void)fprintf(stderr, "usage: forbid io_uring|direct|dsync PROGRAM [ARGUMENT]...\n");
        return 2;
    }
    int sys_errno = forbid(argv[1]);
    if (sys_errno != 0) {
        (void)printf("1..0 # SKIP forbid %s: %s\n", argv[1], strerror(sys_errno));
        return EXIT_SKIPPED;
    }
    (void)execv(argv[2], argv + 2);
    perror(argv[2]);
    return 1;
}
