/* weir/error.h: what can go wrong, and what the caller does next.
 *
 * Functions return WEIR_OK (0) or one of the negative codes below and fill an optional struct
 * weir_error, which the caller owns and which never allocates. Branch on the answer
 * (weir_error_action), not on the text. Threads: an error belongs to whoever passed it in. */
#ifndef WEIR_ERROR_H
#define WEIR_ERROR_H

#include "weir/export.h"

/* What the caller does after a failure. */
enum weir_action {
    WEIR_ACTION_NONE,  /* nothing failed */
    WEIR_ACTION_RETRY, /* the same call may succeed later */
    WEIR_ACTION_ABORT, /* give up this batch; the pipeline can go on */
    WEIR_ACTION_STOP,  /* stop the pipeline */
};

/* One row a failure: name, value (never reused), what the caller does next, exit status of the
 * command, text. */
#define WEIR_ERROR_TABLE(X)                                                                 \
    X(WEIR_EBUSY, -1, RETRY, 1, "busy: the same call may succeed later")                    \
    X(WEIR_EAWAY, -2, RETRY, 69, "broker or database cannot be reached")                    \
    X(WEIR_ENOSPC, -3, RETRY, 74, "no space left on the device")                            \
    X(WEIR_EREFUSED, -4, ABORT, 1, "the sink refused the batch: nothing was published")     \
    X(WEIR_EDATA, -5, STOP, 65, "bad data, and on_error is 'fail'")                         \
    X(WEIR_EFENCED, -6, STOP, 76, "a newer instance of this pipeline has taken over")       \
    X(WEIR_ECONFLICT, -7, STOP, 1, "log, ledger, source or definition do not fit together") \
    X(WEIR_ECORRUPT, -8, STOP, 74, "stored bytes do not match their checksum")              \
    X(WEIR_EIO, -9, STOP, 74, "device or file system error")                                \
    X(WEIR_ECONFIG, -10, STOP, 78, "the pipeline file or an option is wrong")               \
    X(WEIR_ESCHEMA, -11, STOP, 78, "the target table does not fit the pipeline")            \
    X(WEIR_ENOMEM, -12, STOP, 1, "out of memory")                                           \
    X(WEIR_EINVAL, -13, STOP, 2, "the call itself is wrong")                                \
    X(WEIR_EBUG, -14, STOP, 70, "a mistake of weir's own: please report it")                \
    X(WEIR_EAUTH, -15, STOP, 69, "broker or database refuses these credentials")

enum {
    WEIR_OK = 0,
#define WEIR_ERROR_ENUM(name, value, action, status, text) name = (value),
    WEIR_ERROR_TABLE(WEIR_ERROR_ENUM)
#undef WEIR_ERROR_ENUM
};

enum { WEIR_ERROR_TEXT_BYTES = 1024, WEIR_ERROR_REASON_BYTES = 32 };

struct weir_error {
    int code;                             /* WEIR_OK or a code of the table */
    int sys_errno;                        /* errno at the point of failure, or 0 */
    char reason[WEIR_ERROR_REASON_BYTES]; /* one word of docs/ERRORS.md, such as "ledger_missing" */
    char text[WEIR_ERROR_TEXT_BYTES];     /* outermost context first, then the cause */
};

/* Fills *err (NULL is allowed) and returns code, so callers write `rc = weir_error_set(...)`. */
WEIR_API int weir_error_set(struct weir_error *err, int code, const char *fmt, ...)
    WEIR_PRINTF(3, 4);

/* The same with a reason: the word by which documentation and monitoring know this failure. */
WEIR_API int weir_error_set_reason(struct weir_error *err, int code, const char *reason,
                                   const char *fmt, ...) WEIR_PRINTF(4, 5);

/* The same for a failed system call: keeps sys_errno and appends its text. */
WEIR_API int weir_error_set_errno(struct weir_error *err, int code, int sys_errno, const char *fmt,
                                  ...) WEIR_PRINTF(4, 5);

/* Puts context in front of the text that *err already holds. Returns err's code. */
WEIR_API int weir_error_context(struct weir_error *err, const char *fmt, ...) WEIR_PRINTF(2, 3);

WEIR_API enum weir_action weir_error_action(int code);
WEIR_API int weir_error_exit_status(int code);     /* the command's exit status; 0 for WEIR_OK */
WEIR_API const char *weir_error_name(int code);    /* "WEIR_EBUSY"; "?" for unknown codes */
WEIR_API const char *weir_error_summary(int code); /* the table's text */

#endif
