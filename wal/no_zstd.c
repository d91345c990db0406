/* no_zstd.c: stands in for compress.c where weir is built without zstd (meson option zstd): nothing
 * is packed, and a body that is packed is told as what this build cannot read.
 *
 * Checked by tests/unit/wal/test_no_zstd.c. */
#include "wal/compress.h"

#include <string.h>

#include "base/assert.h"

int wal_packer_open(struct wal_packer **ret, struct weir_error *err)
{
    (void)ret;
    return weir_error_set(err, WEIR_ECONFIG,
                          "the log is to be compressed, but weir was built without zstd");
}

void wal_packer_close(struct wal_packer *packer)
{
    (void)packer;
}

size_t wal_packer_pack(struct wal_packer *packer, const void *bytes, size_t len, uint8_t *to,
                       size_t capacity)
{
    weir_assert(packer == NULL); /* none was ever opened */
    (void)bytes;
    (void)len;
    memset(to, 0, capacity);
    return 0;
}

int wal_unpack(struct wal_unpacker *unpacker, const uint8_t *packed, size_t packed_bytes,
               enum wal_unpacked *ret, size_t *ret_len, struct weir_error *err)
{
    (void)unpacker;
    (void)packed;
    (void)packed_bytes;
    (void)err;
    *ret = WAL_UNPACK_UNKNOWN;
    *ret_len = 0;
    return WEIR_OK;
}

void wal_unpacker_fini(struct wal_unpacker *unpacker)
{
    (void)unpacker;
}
