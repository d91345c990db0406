/* weir/log.h: where weir's log lines go.
 *
 * Errors that a call returns are never logged by the library; lines tell what it absorbed or
 * decided by itself (a reconnect, a recovery, a dropped batch). */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#include "weir/export.h"

enum weir_log_level { WEIR_LOG_DEBUG, WEIR_LOG_INFO, WEIR_LOG_WARN, WEIR_LOG_ERROR };

/* Called for each line, from any of weir's threads, one at a time. event is a fixed word such as
 * "batch_dropped"; message is one line of text without secrets. Both are borrowed. */
typedef void weir_log_fn(void *context, enum weir_log_level level, const char *event,
                         const char *message);

/* Sends lines at or above level to fn; NULL silences them (the default). Call it before anything
 * else of weir is running. */
WEIR_API void weir_log_set(weir_log_fn *fn, void *context, enum weir_log_level level);

#endif
