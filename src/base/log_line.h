/* log_line.h: how weir's own code writes a log line. */
#ifndef WEIR_BASE_LOG_LINE_H
#define WEIR_BASE_LOG_LINE_H

#include "weir/log.h"

/* event is a fixed word in snake_case, listed in docs/ERRORS.md when an operator should act on it.
 * Control characters in the message become spaces, so data cannot forge a line. */
void weir_log(enum weir_log_level level, const char *event, const char *fmt, ...) WEIR_PRINTF(3, 4);

#endif
