/* crc32c.h: the Castagnoli checksum of everything weir writes to disk. */
#ifndef WEIR_BASE_CRC32C_H
#define WEIR_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Checksum of bytes, continued from seed: crc32c(crc32c(0, a), b) is that of a followed by b. */
uint32_t weir_crc32c(uint32_t seed, const void *data, size_t bytes);

/* The same of what it copies on the way; to and data do not overlap. */
uint32_t weir_crc32c_copy(uint32_t seed, void *to, const void *data, size_t bytes);

#endif
