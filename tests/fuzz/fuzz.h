/* fuzz.h: what every fuzz target includes.
 *
 * A target is one function that gives bytes to a decoder and aborts, by weir_assert or a sanitizer,
 * when that does anything but accept or refuse them. `./dev fuzz NAME` links it with libFuzzer;
 * every other build links it with replay.c, which runs it over corpus/NAME/ as a test. What a fuzzer
 * found goes into that folder and stays there. */
#ifndef WEIR_TESTS_FUZZ_H
#define WEIR_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
