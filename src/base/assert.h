/* assert.h: weir_assert(), for our own mistakes. Stays on in release builds; what comes from
 * disk, network or users is an error, never an assertion. */
#ifndef WEIR_BASE_ASSERT_H
#define WEIR_BASE_ASSERT_H

/* Prints "file:line: function: assertion failed: text" to stderr and aborts. */
_Noreturn void weir_assert_fail(const char *text, const char *file, int line, const char *function);

#define weir_assert(condition) \
    ((condition) ? (void)0 : weir_assert_fail(#condition, __FILE__, __LINE__, __func__))

#endif
