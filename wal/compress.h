/* compress.h: bodies of records as zstd frames. Internal to wal/. Nothing else there knows zstd.
 *
 * compress.c does it; no_zstd.c stands in where weir is built without zstd. A packed body is the
 * length of what was packed, and one zstd frame of exactly that; docs/FORMAT.md shows the bytes. */
#ifndef WEIR_WAL_COMPRESS_H
#define WEIR_WAL_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "weir/error.h"

/* Packs. Has all the memory that it needs from open on. */
struct wal_packer;

/* Fails  WEIR_ECONFIG (built without zstd), WEIR_ENOMEM. */
int wal_packer_open(struct wal_packer **ret, struct weir_error *err);
void wal_packer_close(struct wal_packer *packer); /* NULL is a no-op */

/* Packs len bytes into at most capacity bytes at to. Returns how many it took; 0 when they do not
 * fit, and then what is at to means nothing. */
size_t wal_packer_pack(struct wal_packer *packer, const void *bytes, size_t len, uint8_t *to,
                       size_t capacity);

/* Unpacks, into memory of its own that grows to the longest body. A zeroed one is empty. */
struct wal_unpacker {
    void *context; /* the library's */
    uint8_t *bytes;
    size_t capacity_bytes;
};

enum wal_unpacked {
    WAL_UNPACKED,
    WAL_UNPACK_BROKEN, /* what is packed is not what its length says, or nothing that was packed */
    WAL_UNPACK_UNKNOWN /* this build cannot tell */
};

/* Unpacks a whole body. With WAL_UNPACKED, unpacker->bytes holds *ret_len bytes until the next call.
 * Fails  WEIR_ENOMEM. */
int wal_unpack(struct wal_unpacker *unpacker, const uint8_t *packed, size_t packed_bytes,
               enum wal_unpacked *ret, size_t *ret_len, struct weir_error *err);
void wal_unpacker_fini(struct wal_unpacker *unpacker);

#endif
