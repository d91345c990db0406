/* crc32c.c: by the processor's instructions where it has them, else by a table.
 *
 * The instruction takes three cycles, but a new one can begin in each: so long runs go through it in
 * three lanes, whose checksums are joined at the end. A copy rides along for the price of its stores.
 *
 * Polynomial 0x1EDC6F41, reflected, as in RFC 3720 section B.4, whose test vectors are in
 * tests/unit/base/test_crc32c.c. */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>

enum { LANE_BYTES = 256 };

/* x^(8n - 33) modulo the polynomial, for runs of n bytes: of one lane and of two. A checksum times
 * this, times x^33 (of which the multiplication gives one, the instruction the others), is what it
 * would be with n zero bytes behind. */
#define BEHIND_ONE_LANE 0xb9e02b86u
#define BEHIND_TWO_LANES 0xdd7e3b0cu

#define INLINE_FOR_CRC static inline __attribute__((always_inline, target("sse4.2,pclmul")))

INLINE_FOR_CRC uint32_t with_zeros(uint32_t crc, uint32_t factor)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc), _mm_cvtsi32_si128((int)factor), 0);

    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* One step of a lane: eight bytes at data, copied to to unless that is NULL. */
INLINE_FOR_CRC uint64_t step(uint64_t crc, uint8_t *to, const uint8_t *data)
{
    uint64_t word;

    memcpy(&word, data, sizeof(word));
    if (to != NULL) {
        memcpy(to, &word, sizeof(word));
    }
    return _mm_crc32_u64(crc, word);
}

/* Always inlined into a function with and one without to. */
INLINE_FOR_CRC uint32_t by_instruction(uint32_t crc, uint8_t *to, const uint8_t *data, size_t bytes)
{
    while (bytes >= 3 * LANE_BYTES) {
        uint64_t first = crc, second = 0, third = 0;

#pragma GCC unroll 8
        for (size_t i = 0; i < LANE_BYTES; i += 8) {
            first = step(first, to == NULL ? NULL : to + i, data + i);
            second = step(second, to == NULL ? NULL : to + LANE_BYTES + i, data + LANE_BYTES + i);
            third =
                step(third, to == NULL ? NULL : to + 2 * LANE_BYTES + i, data + 2 * LANE_BYTES + i);
        }
        crc = with_zeros((uint32_t)first, BEHIND_TWO_LANES) ^
              with_zeros((uint32_t)second, BEHIND_ONE_LANE) ^ (uint32_t)third;
        data += 3 * LANE_BYTES;
        to = to == NULL ? NULL : to + 3 * LANE_BYTES;
        bytes -= 3 * LANE_BYTES;
    }
    uint64_t wide = crc;
    for (; bytes >= 8; data += 8, bytes -= 8) {
        wide = step(wide, to, data);
        to = to == NULL ? NULL : to + 8;
    }
    crc = (uint32_t)wide;
    if (to != NULL && bytes > 0) {
        memcpy(to, data, bytes);
    }
    for (; bytes > 0; data++, bytes--) {
        crc = _mm_crc32_u8(crc, *data);
    }
    return crc;
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
crc_by_instruction(uint32_t crc, const uint8_t *data, size_t bytes)
{
    return by_instruction(crc, NULL, data, bytes);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
copy_by_instruction(uint32_t crc, uint8_t *to, const uint8_t *data, size_t bytes)
{
    return by_instruction(crc, to, data, bytes);
}

static bool has_instructions(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
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
#if defined(__x86_64__)
    if (has_instructions()) {
        return ~crc_by_instruction(~seed, data, bytes);
    }
#endif
    return ~crc_by_table(~seed, data, bytes);
}

uint32_t weir_crc32c_copy(uint32_t seed, void *to, const void *data, size_t bytes)
{
#if defined(__x86_64__)
    if (has_instructions()) {
        return ~copy_by_instruction(~seed, to, data, bytes);
    }
#endif
    if (bytes > 0) {
        memcpy(to, data, bytes);
    }
    return ~crc_by_table(~seed, data, bytes);
}
