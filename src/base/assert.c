/* assert.c: the last words of a process that found itself wrong. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void weir_assert_fail(const char *text, const char *file, int line, const char *function)
{
    (void)fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, function, text);
    abort();
}
