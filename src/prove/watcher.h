/* watcher.h: the second reader: looks at the table all the time while others write it. */
#ifndef WEIR_PROVE_WATCHER_H
#define WEIR_PROVE_WATCHER_H

#include "prove/outcome.h"

struct prove_watcher;

struct prove_watcher_args {
    const char *dsn;
    const char *table;    /* qualified; all are borrowed until the close */
    const char *pipeline; /* name in weir.pipeline; NULL: rows are not weighed against weir.batch */
    bool rows_may_repeat; /* at_least_once: more rows than weir.batch says are in order */
    uint64_t ids;         /* ids are below this */
    double began_at;
};

int prove_watcher_open(const struct prove_watcher_args *args, struct prove_watcher **ret,
                       struct weir_error *err);
/* Rows of the last look. */
int64_t prove_watcher_rows(const struct prove_watcher *watcher);
/* One more look, then the end; moves what was seen into outcome. */
void prove_watcher_finish(struct prove_watcher *watcher, struct prove_outcome *outcome);
void prove_watcher_close(struct prove_watcher *watcher);

#endif
