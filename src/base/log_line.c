/* log_line.c: formats a line and hands it to the embedding program's function.
 *
 * The target is set once, before threads start; lines of several threads are kept apart by a lock
 * that nothing else takes. */
#include "base/log_line.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

enum { LOG_LINE_BYTES_MAX = 2048 };

static struct {
    pthread_mutex_t lock;
    weir_log_fn *fn;
    void *context;
    enum weir_log_level level;
} target = { .lock = PTHREAD_MUTEX_INITIALIZER };

void weir_log_set(weir_log_fn *fn, void *context, enum weir_log_level level)
{
    (void)pthread_mutex_lock(&target.lock); /* cannot fail: a default mutex, never held here */
    target.fn = fn;
    target.context = context;
    target.level = level;
    (void)pthread_mutex_unlock(&target.lock);
}

void weir_log(enum weir_log_level level, const char *event, const char *fmt, ...)
{
    char line[LOG_LINE_BYTES_MAX];
    va_list args;

    if (target.fn == NULL || level < target.level) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    for (char *at = line; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f) {
            *at = ' ';
        }
    }
    (void)pthread_mutex_lock(&target.lock);
    target.fn(target.context, level, event, line);
    (void)pthread_mutex_unlock(&target.lock);
}
