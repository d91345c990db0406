/* witness.c: digests of records. */
#include "source/witness.h"

#include "base/hash.h"

uint64_t weir_record_digest(const struct weir_record *record)
{
    /* Numbers as little-endian bytes, so that the digest is the same on every machine. */
    const uint64_t words[] = {
        (uint64_t)record->offset,
        (uint64_t)record->timestamp_us,
        record->key_is_null ? 0 : weir_hash64(record->key.data, record->key.len),
        record->value_is_null ? 0 : weir_hash64(record->value.data, record->value.len),
        (uint64_t)record->key_is_null | (uint64_t)record->value_is_null << 1,
    };
    enum { WORD_COUNT = sizeof(words) / sizeof(words[0]) };
    uint8_t bytes[sizeof(words)];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(words[i / 8] >> (i % 8 * 8));
    }
    _Static_assert(WORD_COUNT == 5, "the digest's layout is fixed");
    return weir_hash64(bytes, sizeof(bytes));
}
