/* compress.c: bodies of records as zstd frames; the one file that knows zstd.
 *
 * Uses     zstd's stable interface.
 * Z1  Packing allocates nothing after open, and what goes wrong in it only leaves a body as it is.
 *     zstd keeps its memory unless 128 bodies in a row need less than a third of it: none of
 *     WEIR_WAL_COMPRESS_BYTES_MIN and more does.
 * Z2  Unpacking takes memory for the length that the body names, once that was found to be no more
 *     than a record may have and to agree with the frame's own header; never for what a frame
 *     turns out to hold.
 * Z3  A packed body is one frame and nothing behind it, so no two bodies unpack alike by chance.
 * Checked by tests/unit/wal/test_compress.c and tests/fuzz/fuzz_record.c. */
#include "wal/compress.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/assert.h"
#include "wal/wal.h"

enum {
    LENGTH_BYTES = 4, /* in front of the frame: of what was packed */
    /* The log's user waits for the pack, then for the device: the fastest level that packs well. */
    LEVEL = 1,
    /* A body long enough for zstd to take the most memory that it ever takes at this level. */
    WARM_UP_BYTES = 1024 * 1024,
};

struct wal_packer {
    ZSTD_CCtx *context;
};

int wal_packer_open(struct wal_packer **ret, struct weir_error *err)
{
    struct wal_packer *packer = calloc(1, sizeof(*packer));
    uint8_t *zeros = calloc(1, WARM_UP_BYTES);
    uint8_t packed[256]; /* zeros pack to less */

    if (packer != NULL) {
        packer->context = ZSTD_createCCtx();
    }
    /* zstd takes its memory when it packs for the first time: now, not under an append (Z1). */
    if (packer == NULL || packer->context == NULL || zeros == NULL ||
        wal_packer_pack(packer, zeros, WARM_UP_BYTES, packed, sizeof(packed)) == 0) {
        free(zeros);
        wal_packer_close(packer);
        return weir_error_set(err, WEIR_ENOMEM, "compress the log: out of memory");
    }
    free(zeros);
    *ret = packer;
    return WEIR_OK;
}

void wal_packer_close(struct wal_packer *packer)
{
    if (packer != NULL) {
        (void)ZSTD_freeCCtx(packer->context); /* always 0 */
        free(packer);
    }
}

size_t wal_packer_pack(struct wal_packer *packer, const void *bytes, size_t len, uint8_t *to,
                       size_t capacity)
{
    uint32_t length = htole32((uint32_t)len);

    weir_assert(len <= WEIR_WAL_RECORD_BYTES_MAX);
    if (len == 0 || capacity <= LENGTH_BYTES) {
        return 0;
    }
    size_t frame_bytes = ZSTD_compressCCtx(packer->context, to + LENGTH_BYTES,
                                           capacity - LENGTH_BYTES, bytes, len, LEVEL);
    if (ZSTD_isError(frame_bytes) != 0) {
        return 0; /* it did not fit; Z1 */
    }
    memcpy(to, &length, LENGTH_BYTES);
    return LENGTH_BYTES + frame_bytes;
}

/* The length that a packed body names; 0 where it is no packed body. */
static size_t length_of(const uint8_t *packed, size_t packed_bytes)
{
    uint32_t length, magic;

    if (packed_bytes < LENGTH_BYTES + sizeof(magic)) {
        return 0;
    }
    memcpy(&length, packed, sizeof(length));
    memcpy(&magic, packed + LENGTH_BYTES, sizeof(magic));
    length = le32toh(length);
    const uint8_t *frame = packed + LENGTH_BYTES;
    const size_t frame_bytes = packed_bytes - LENGTH_BYTES;
    bool is_one_frame = le32toh(magic) == ZSTD_MAGICNUMBER && /* no older format, none to skip */
                        ZSTD_getFrameContentSize(frame, frame_bytes) == length &&
                        ZSTD_findFrameCompressedSize(frame, frame_bytes) == frame_bytes; /* Z3 */
    return is_one_frame && length <= WEIR_WAL_RECORD_BYTES_MAX ? length : 0;
}

static int reserve(struct wal_unpacker *unpacker, size_t len, struct weir_error *err)
{
    if (unpacker->context == NULL) {
        unpacker->context = ZSTD_createDCtx();
    }
    if (unpacker->context != NULL && unpacker->capacity_bytes < len) {
        free(unpacker->bytes);
        unpacker->bytes = malloc(len);
        unpacker->capacity_bytes = unpacker->bytes == NULL ? 0 : len;
    }
    return unpacker->context != NULL && unpacker->capacity_bytes >= len
               ? WEIR_OK
               : weir_error_set(err, WEIR_ENOMEM, "read the log: out of memory");
}

int wal_unpack(struct wal_unpacker *unpacker, const uint8_t *packed, size_t packed_bytes,
               enum wal_unpacked *ret, size_t *ret_len, struct weir_error *err)
{
    size_t len = length_of(packed, packed_bytes);

    if (len == 0) {
        *ret = WAL_UNPACK_BROKEN;
        return WEIR_OK;
    }
    int rc = reserve(unpacker, len, err); /* Z2 */
    if (rc != WEIR_OK) {
        return rc;
    }
    size_t got = ZSTD_decompressDCtx(unpacker->context, unpacker->bytes, len, packed + LENGTH_BYTES,
                                     packed_bytes - LENGTH_BYTES);
    *ret = got == len ? WAL_UNPACKED : WAL_UNPACK_BROKEN; /* an error is no length */
    *ret_len = len;
    return WEIR_OK;
}

void wal_unpacker_fini(struct wal_unpacker *unpacker)
{
    if (unpacker != NULL) {
        (void)ZSTD_freeDCtx(unpacker->context); /* NULL is a no-op; always 0 */
        free(unpacker->bytes);
        *unpacker = (struct wal_unpacker){ 0 };
    }
}
