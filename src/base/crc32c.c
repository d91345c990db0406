/* crc32c.c: by the processor's instruction where it has one, else by a table.
 *
 * Polynomial 0x1EDC6F41, reflected, as in RFC 3720 section B.4, whose test vectors are in
 * tests/unit/base/test_crc32c.c. */
#include "base/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t
crc_by_instruction(uint32_t crc, const uint8_t *at, size_t bytes)
{
    uint64_t wide = crc;

    for (; bytes >= 8; at += 8, bytes -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    for (; bytes > 0; at++, bytes--) {
        crc = _mm_crc32_u8(crc, *at);
    }
    return crc;
}
#endif

/* Four bits a step: a table of 16 words, built by hand from the reflected polynomial. */
static uint32_t crc_by_table(uint32_t crc, const uint8_t *at, size_t bytes)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };

    for (; bytes > 0; at++, bytes--) {
        crc ^= *at;
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return crc;
}

uint32_t weir_crc32c(uint32_t seed, const void *data, size_t bytes)
{
    uint32_t crc = ~seed;

#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) {
        return ~crc_by_instruction(crc, data, bytes);
    }
#endif
    return ~crc_by_table(crc, data, bytes);
}
