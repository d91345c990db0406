/* backends.h: the backends that weir_io_open() chooses from. Internal to src/io/. */
#ifndef WEIR_IO_BACKENDS_H
#define WEIR_IO_BACKENDS_H

#include "io/io.h"

/* no_dsync: it is known already that RWF_DSYNC is refused. */
int posix_io_init(bool no_dsync, struct weir_io *ret, struct weir_error *err);

/* Fails with WEIR_EIO and sys_errno ENOSYS, EPERM or ENOMEM where io_uring is missing, forbidden or
 * short of locked memory. */
int uring_io_init(struct weir_io *ret, struct weir_error *err);

#endif
