/* error.c: fills struct weir_error and maps codes to answers. Uses only libc; allocates nothing. */
#include "weir/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct weir_error *err, int code, int sys_errno, const char *reason)
{
    err->code = code;
    err->sys_errno = sys_errno;
    (void)snprintf(err->reason, sizeof(err->reason), "%s", reason);
}

int weir_error_set(struct weir_error *err, int code, const char *fmt, ...)
{
    va_list args;

    if (err == NULL) {
        return code;
    }
    fill(err, code, 0, "");
    va_start(args, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    return code;
}

int weir_error_set_reason(struct weir_error *err, int code, const char *reason, const char *fmt,
                          ...)
{
    va_list args;

    if (err == NULL) {
        return code;
    }
    fill(err, code, 0, reason);
    va_start(args, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    return code;
}

int weir_error_set_errno(struct weir_error *err, int code, int sys_errno, const char *fmt, ...)
{
    char head[WEIR_ERROR_TEXT_BYTES / 2];
    char cause[128];
    va_list args;

    if (err == NULL) {
        return code;
    }
    fill(err, code, sys_errno, "");
    va_start(args, fmt);
    (void)vsnprintf(head, sizeof(head), fmt, args);
    va_end(args);
    /* The GNU variant: returns the text, which need not be in the buffer. */
    const char *text = strerror_r(sys_errno, cause, sizeof(cause));
    (void)snprintf(err->text, sizeof(err->text), "%s: %s", head, text);
    return code;
}

int weir_error_context(struct weir_error *err, const char *fmt, ...)
{
    char cause[WEIR_ERROR_TEXT_BYTES];
    va_list args;
    int used;

    if (err == NULL) {
        return WEIR_OK;
    }
    memcpy(cause, err->text, sizeof(cause));
    va_start(args, fmt);
    used = vsnprintf(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof(err->text)) {
        /* Cut at the end when both do not fit: the context says where, the cause begins with what. */
        (void)snprintf(err->text + used, sizeof(err->text) - (size_t)used, ": %.*s",
                       (int)(sizeof(err->text) - (size_t)used), cause);
    }
    return err->code;
}

enum weir_action weir_error_action(int code)
{
    switch (code) {
#define ACTION_CASE(name, value, action, status, text) \
    case name:                                         \
        return WEIR_ACTION_##action;
        WEIR_ERROR_TABLE(ACTION_CASE)
#undef ACTION_CASE
    case WEIR_OK:
        return WEIR_ACTION_NONE;
    default:
        return WEIR_ACTION_STOP;
    }
}

int weir_error_exit_status(int code)
{
    switch (code) {
#define STATUS_CASE(name, value, action, status, text) \
    case name:                                         \
        return status;
        WEIR_ERROR_TABLE(STATUS_CASE)
#undef STATUS_CASE
    case WEIR_OK:
        return 0;
    default:
        return 70;
    }
}

const char *weir_error_name(int code)
{
    switch (code) {
#define NAME_CASE(name, value, action, status, text) \
    case name:                                       \
        return #name;
        WEIR_ERROR_TABLE(NAME_CASE)
#undef NAME_CASE
    case WEIR_OK:
        return "WEIR_OK";
    default:
        return "?";
    }
}

const char *weir_error_summary(int code)
{
    switch (code) {
#define TEXT_CASE(name, value, action, status, text) \
    case name:                                       \
        return text;
        WEIR_ERROR_TABLE(TEXT_CASE)
#undef TEXT_CASE
    case WEIR_OK:
        return "ok";
    default:
        return "unknown error";
    }
}
