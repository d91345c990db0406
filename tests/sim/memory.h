/* memory.h: the memory of everything that is simulated: counted, and failing on demand.
 *
 * Threads: one. */
#ifndef WEIR_TESTS_SIM_MEMORY_H
#define WEIR_TESTS_SIM_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* What is allocated now; zeros under a sanitizer, which counts itself. */
struct sim_memory_stat {
    uint64_t blocks, bytes, bytes_max;
};
struct sim_memory_stat sim_memory_stat(void);

/* Lets skip allocations pass, and fails the one that follows. */
void sim_memory_fail(uint64_t skip);
/* Those from here on, until it is called with false, neither fail nor count. */
void sim_memory_spare(bool spare);
/* How many there were that may fail. */
uint64_t sim_memory_calls(void);
/* None fails from here on. Whether one has failed. */
bool sim_memory_heal(void);

#endif
