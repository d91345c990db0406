/* test_durable.c: which file systems a log is not made on.
 *
 * The kernel's answer to statfs() is made up here, as network file systems are not to be had in a test. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "io/io.h"
#include "tests/support/test.h"

enum { FUSE_MAGIC = 0x65735546 };

static uint32_t magic;
static const char *place; /* the only directory that is there */

/* The linker puts this in place of the library's function. */
int __wrap_statfs64(const char *path, struct statfs *ret);

int __wrap_statfs64(const char *path, struct statfs *ret)
{
    if (strcmp(path, place) != 0) {
        errno = ENOENT;
        return -1;
    }
    memset(ret, 0, sizeof(*ret));
    memcpy(&ret->f_type, &magic,
           sizeof(magic)); /* the type's own type differs from place to place */
    return 0;
}

static const struct {
    const char *name;
    uint32_t magic;
    bool is_durable;
} file_systems[] = {
    { "ext4", EXT4_SUPER_MAGIC, true },
    { "XFS", XFS_SUPER_MAGIC, true },
    { "btrfs", BTRFS_SUPER_MAGIC, true },
    { "overlay", OVERLAYFS_SUPER_MAGIC, true }, /* what is below cannot be asked for */
    { "FUSE", FUSE_MAGIC, true },               /* may be anything */
    { "tmpfs", TMPFS_MAGIC, false },
    { "ramfs", RAMFS_MAGIC, false },
    { "NFS", NFS_SUPER_MAGIC, false },
    { "SMB", SMB2_SUPER_MAGIC, false },
    { "CIFS", CIFS_SUPER_MAGIC, false },
    { "Ceph", CEPH_SUPER_MAGIC, false },
    { "9p", V9FS_MAGIC, false },
};

/* covers: D-29 */
static void memory_and_network_are_refused(void **state)
{
    static const char *const places[] = { "/data/log", "/data/" }; /* there, or yet to be made */

    (void)state;
    for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]); i++) {
        for (size_t j = 0; j < 2; j++) {
            struct weir_error err = { 0 };

            place = places[j];
            magic = file_systems[i].magic;
            int rc = weir_io_check_durable("/data/log", &err);
            if (rc != (file_systems[i].is_durable ? WEIR_OK : WEIR_ECONFIG)) {
                fail_msg("%s: %s", file_systems[i].name, err.text);
            }
            if (rc != WEIR_OK) {
                assert_string_equal(err.reason, "not_durable");
                assert_non_null(strstr(err.text, file_systems[i].name));
            }
        }
    }
}

static void what_cannot_be_found_out_passes(void **state)
{
    (void)state;
    place = "/elsewhere";
    assert_int_equal(weir_io_check_durable("/data/log", NULL), WEIR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_and_network_are_refused),
        cmocka_unit_test(what_cannot_be_found_out_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
