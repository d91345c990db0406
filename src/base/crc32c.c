/* crc32c.c: by the processor's instruction where it has one, else by a table.
 *
 * Polynomial 0x1EDC6F41, reflected, as in RFC 3720 section B.4, whose test vectors are in
 * tests/unit/base/test_crc32c.c. */
#include "base/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <wmmintrin.h>

enum { LANE_BYTES = 256 };

/* The remainder of a lane as if so many bytes of zeros followed it: times x^(8 * bytes) modulo the
 * polynomial. The instruction multiplies by x^32 and the product of two reflected numbers stands one
 * bit off, so by is x^(8 * bytes - 33) modulo the polynomial, reflected. */
__attribute__((target("sse4.2,pclmul"))) static uint64_t move_up(uint64_t crc, uint32_t by)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc), _mm_cvtsi64_si128(by), 0);

    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* The instruction takes three cycles, but one can be started in each: three lanes at once. What is
 * left is at most three lanes long. */
__attribute__((target("sse4.2,pclmul"))) static uint64_t
crc_by_lanes(uint64_t crc, const uint8_t **at, size_t *bytes)
{
    static const uint32_t up_by_one = 0xb9e02b86;
    static const uint32_t up_by_two = 0xdd7e3b0c;

    for (; *bytes >= (size_t)3 * LANE_BYTES; *at += 3 * LANE_BYTES, *bytes -= 3 * LANE_BYTES) {
        uint64_t second = 0;
        uint64_t third = 0;
        for (size_t i = 0; i < LANE_BYTES; i += sizeof(uint64_t)) {
            uint64_t words[3];
            memcpy(&words[0], *at + i, sizeof(words[0]));
            memcpy(&words[1], *at + LANE_BYTES + i, sizeof(words[1]));
            memcpy(&words[2], *at + (size_t)2 * LANE_BYTES + i, sizeof(words[2]));
            crc = _mm_crc32_u64(crc, words[0]);
            second = _mm_crc32_u64(second, words[1]);
            third = _mm_crc32_u64(third, words[2]);
        }
        crc = move_up(crc, up_by_two) ^ move_up(second, up_by_one) ^ third;
    }
    return crc;
}

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
        const uint8_t *at = data;
        if (__builtin_cpu_supports("pclmul")) {
            crc = (uint32_t)crc_by_lanes(crc, &at, &bytes);
        }
        return ~crc_by_instruction(crc, at, bytes);
    }
#endif
    return ~crc_by_table(crc, data, bytes);
}
