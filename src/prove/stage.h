/* stage.h: what one proof plays on: topic, schema, files, load, reader, and the lives of weir. */
#ifndef WEIR_PROVE_STAGE_H
#define WEIR_PROVE_STAGE_H

#include "prove/between.h"
#include "prove/fitting.h"
#include "prove/ledger.h"
#include "prove/lives.h"
#include "prove/load.h"
#include "prove/moment.h"
#include "prove/outcome.h"
#include "prove/place.h"
#include "prove/points.h"
#include "prove/session.h"
#include "prove/watcher.h"

enum {
    PROVE_NAME_BYTES = 64,
    PROVE_PARTITIONS = 4,
    PROVE_BATCH_ROWS = 100, /* small, so that a fault hits several batches */
    PROVE_IN_FLIGHT_MAX = 3,
};

struct prove_stage {
    const struct prove_options *options;
    struct prove_outcome *outcome;
    struct prove_chance chance;
    double began_at;
    char pipeline[PROVE_NAME_BYTES], topic[PROVE_NAME_BYTES], schema[PROVE_NAME_BYTES];
    char table[2 * PROVE_NAME_BYTES]; /* qualified */
    char directory[PROVE_PATH_BYTES];
    char pipeline_path[PROVE_PATH_BYTES], sent_path[PROVE_PATH_BYTES], log_path[PROVE_PATH_BYTES];
    char data[2][PROVE_PATH_BYTES], data_old[PROVE_PATH_BYTES];
    char program[PROVE_PATH_BYTES];
    bool has_topic, has_schema, has_guest, had_ledger, has_history;
    struct prove_fitting fitting; /* of the user's own pipeline, if options name one */
    struct prove_session *look;
    struct prove_ledger *ledger;
    struct prove_load *load;
    struct prove_watcher *watcher;
    struct prove_life lives[2]; /* each with data[] of the same number */
    int64_t above[2];           /* generation in the ledger when each of them was started */
    int holder;                 /* the one that is to write */
    struct prove_points points;
    const char *fail_at; /* WEIR_FAIL of the next life, or NULL */
    /* How children reach the servers; borrowed. The addresses of options, unless somebody stands
     * in between. */
    const char *child_brokers, *child_dsn;
    bool wants_proxies;            /* set before it is opened */
    struct prove_between *between; /* NULL: nobody stands in between */
    uint64_t rows, released; /* of the load: the most there may be, and those that may be sent */
    int64_t batch;           /* the last one that was seen in */
    int64_t generation;      /* of the instance that committed it */
    int64_t records_in;      /* records of all batches up to it */
    struct prove_event
        *hurt; /* not healed by a commit yet; NULL: none. Valid until the next event */
    double hurt_at;
};

/* Connects, and makes directory, topic, schema, table, files, load and reader. */
int prove_stage_open(struct prove_stage *stage, struct weir_error *err);
/* Ends all processes. Removes what was made, unless keep: then says where it is. */
void prove_stage_close(struct prove_stage *stage, bool keep);

/* Starts a life: `weir run` on data[which], or the external command. */
int prove_stage_start(struct prove_stage *stage, int which, bool until_caught_up,
                      struct weir_error *err);
/* Starts `weir VERB` on the pipeline; what it prints goes to a file. */
int prove_stage_ask(struct prove_stage *stage, const char *verb, const char *output_path,
                    struct prove_life *ret, struct weir_error *err);
/* Reads how far it is into batch and records_in (of an external command: rows seen). Returns true when
 * that is further than at the call before. */
bool prove_stage_moved(struct prove_stage *stage);

#endif
