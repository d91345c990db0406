/* engine.h: the loop that drives one batch after another.
 *
 * A state machine driven by weir_engine_step(). It sees the world only through struct weir_io and
 * the interfaces of source and sink, so a simulator can drive this very code.
 * Threads: one thread; weir_engine_request_stop() may be called from any, and from a signal
 * handler. */
#ifndef WEIR_ENGINE_ENGINE_H
#define WEIR_ENGINE_ENGINE_H

#include "io/io.h"
#include "sql/plan.h"
#include "weir/status.h"

typedef struct weir_engine weir_engine;

struct weir_engine_args {
    const struct weir_plan *plan; /* borrowed until close */
    struct weir_io *io;           /* borrowed until close */
    const char *dir;              /* data directory; borrowed until close */
    bool until_caught_up;         /* finish when everything that is there has been written */
};

/* Opens log, sources and sinks; connects to nothing yet. Fails as weir_txn_open() and the open
 * functions of the plan's nodes. */
int weir_engine_open(const struct weir_engine_args *args, weir_engine **ret,
                     struct weir_error *err);
/* Abandons the open batch; what was promised is durable already. NULL is a no-op. */
void weir_engine_close(weir_engine *engine);

/* One turn. *ret_idle: nothing could be done; sleep before the next. Any error is final. */
int weir_engine_step(weir_engine *engine, bool *ret_idle, struct weir_error *err);
/* Sleeps until something may have happened, wait_us at most. */
void weir_engine_sleep(weir_engine *engine, int64_t wait_us);

/* Asks it to finish the batch that is open, and everything in flight. */
void weir_engine_request_stop(weir_engine *engine);
/* Stopped, or caught up: nothing is open or in flight. */
bool weir_engine_is_finished(const weir_engine *engine);
void weir_engine_status(weir_engine *engine, struct weir_status *ret);

/* Checks what a plan cannot know of its sinks' options; connects to nothing. */
int weir_engine_validate(const struct weir_plan *plan, struct weir_error *err);
/* Connects to sources and sinks and checks that they fit; writes nothing. */
int weir_engine_check(const struct weir_plan *plan, struct weir_error *err);
/* Appends the SQL that makes ledgers and tables of all sinks. */
int weir_engine_ddl(const struct weir_plan *plan, struct weir_buf *ret, struct weir_error *err);

/* The one list of kinds of nodes that a pipeline file may name. */
const struct weir_registry *weir_registry(void);

/* Hands a buffer's text over as a string, to be freed with free(). WEIR_ENOMEM. */
int weir_take_text(struct weir_buf *buf, char **ret, struct weir_error *err);

#endif
