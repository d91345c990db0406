/* hash.c: the only file that knows xxHash. */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t weir_hash64(const void *data, size_t bytes)
{
    return XXH3_64bits(data, bytes);
}

struct weir_digest weir_hash128(const void *data, size_t bytes)
{
    XXH128_hash_t hash = XXH3_128bits(data, bytes);

    return (struct weir_digest){ .lo = hash.low64, .hi = hash.high64 };
}
