/* value_error.c: fills the error of one value. Never allocates.
 *
 * A text that is too long is cut before a character, not within one: it may end up in a column of
 * a dead letter, where PostgreSQL would refuse half a character. */
#include "chunk/value_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int weir_value_error_set(struct weir_value_error *verr, const char *sqlstate, const char *fmt, ...)
{
    va_list args;
    int len;

    if (verr == NULL) {
        return WEIR_EDATA;
    }
    (void)snprintf(verr->sqlstate, sizeof(verr->sqlstate), "%s", sqlstate);
    va_start(args, fmt);
    len = vsnprintf(verr->text, sizeof(verr->text), fmt, args);
    va_end(args);
    if (len >= (int)sizeof(verr->text)) {
        size_t end = sizeof(verr->text) - 1;
        while (end > 0 && ((unsigned char)verr->text[end - 1] & 0xc0) == 0x80) {
            end--;
        }
        /* end - 1 is now the last character's first byte, or an ASCII one that may stay. */
        if (end > 0 && (unsigned char)verr->text[end - 1] >= 0xc0) {
            end--;
        }
        verr->text[end] = '\0';
    }
    return WEIR_EDATA;
}

int weir_value_error_memory(struct weir_value_error *verr)
{
    (void)weir_value_error_set(verr, "53200", "out of memory");
    return WEIR_ENOMEM;
}
