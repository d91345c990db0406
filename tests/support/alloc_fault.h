/* alloc_fault.h: lets the n-th allocation fail.
 *
 * A test program that links alloc_fault.c by the dependency alloc_fault has every malloc, calloc, realloc,
 * aligned_alloc and strdup of its own code pass through it; those inside libc do not. */
#ifndef WEIR_TESTS_ALLOC_FAULT_H
#define WEIR_TESTS_ALLOC_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* Lets skip allocations pass and fails the next one, once. */
void alloc_fault_arm(uint64_t skip);
/* Between the two calls allocations pass and are not counted: those of a test's own stage. */
void alloc_fault_hold(void);
void alloc_fault_release(void);
/* No more failures. Returns whether one happened since it was armed. */
bool alloc_fault_disarm(void);

#endif
