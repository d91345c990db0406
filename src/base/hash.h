/* hash.h: fingerprints and digests (xxHash's XXH3). Not for defence against an attacker. */
#ifndef WEIR_BASE_HASH_H
#define WEIR_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 128 bits; also used as a sum of many digests, so that order does not matter. */
struct weir_digest {
    uint64_t lo, hi;
};

uint64_t weir_hash64(const void *data, size_t bytes);
struct weir_digest weir_hash128(const void *data, size_t bytes);

/* Adds one digest to a running sum, lane by lane modulo 2^64: the digest of a multiset. */
static inline void weir_digest_add(struct weir_digest *sum, struct weir_digest one)
{
    sum->lo += one.lo;
    sum->hi += one.hi;
}

static inline bool weir_digest_equal(struct weir_digest a, struct weir_digest b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

#endif
