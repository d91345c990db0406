/* postgres_internal.h: what the files of the PostgreSQL sink share. Only postgres_*.c include it, as
 * only they know libpq. postgres_sink.c has the table of functions and the overview. */
#ifndef WEIR_SINK_POSTGRES_INTERNAL_H
#define WEIR_SINK_POSTGRES_INTERNAL_H

#include <libpq-fe.h>

#include "sink/part.h"
#include "sink/sink.h"

/* SQLSTATEs raised by the functions of schema weir. */
#define WEIR_SQLSTATE_REFUSED "WE001" /* the ledger's row is not what the step expects */
#define WEIR_SQLSTATE_TAKEN "WE002"   /* another starter took the ledger meanwhile */
#define WEIR_SQLSTATE_UNEVEN "WE003"  /* the partitions stand at different batches */

enum {
    WEIR_POSTGRES_DDL_VERSION = 1,
    WEIR_POSTGRES_APPLICATION_NAME_BYTES = 64, /* PostgreSQL's limit, NUL included */
    WEIR_POSTGRES_TARGET_BYTES = 256,
    WEIR_POSTGRES_SERVER_BYTES = 64,
    WEIR_POSTGRES_TERMINATE_WAIT_MS = 5000, /* for an old backend of ours to be gone */
    WEIR_POSTGRES_UPSERT_ROWS_MAX = 50000,  /* rows of one INSERT ... SELECT FROM unnest() */
};

/* Where a part stands. The moves are listed in postgres_part.c. */
enum weir_postgres_state {
    WEIR_POSTGRES_FREE,         /* the slot holds no batch */
    WEIR_POSTGRES_UNSENT,       /* no transaction open; resend() or release() follow */
    WEIR_POSTGRES_READY,        /* to be sent, nothing sent yet */
    WEIR_POSTGRES_STARTING,     /* BEGIN, COPY or both are sent, no answer yet */
    WEIR_POSTGRES_COPYING,      /* the server takes rows */
    WEIR_POSTGRES_COPY_ENDING,  /* all rows of the table are sent, no answer yet */
    WEIR_POSTGRES_UPSERTING,    /* an upsert is sent, no answer yet */
    WEIR_POSTGRES_OPEN,         /* in the transaction, between two statements */
    WEIR_POSTGRES_ROWS_IN,      /* in the transaction, nothing but the step is missing */
    WEIR_POSTGRES_COMMITTING,   /* advance and COMMIT are sent, no answer yet */
    WEIR_POSTGRES_ROLLING_BACK, /* ROLLBACK is sent after an error, no answer yet */
    WEIR_POSTGRES_IN,           /* committed */
    WEIR_POSTGRES_STATE_COUNT
};

struct weir_postgres_part {
    struct weir_part rows;
    uint32_t number; /* p */
    enum weir_postgres_state state;
    PGconn *connection;                      /* NULL: none; kept from batch to batch */
    char server[WEIR_POSTGRES_SERVER_BYTES]; /* that it is to, see weir_postgres_server() */
    int64_t since_ms; /* in this state, or, in COPYING, since the server took all that there was */
    int lost_pid;     /* backend of a connection that was given up; 0: none */
    bool allowed;     /* commit() was called, step is set */
    bool tag_is_commit; /* the server said COMMIT */
    struct weir_ledger_step step;
    struct weir_buf step_bytes; /* of the step's strings */
    uint32_t section;           /* what is being sent: a table's number, or table_count: letters */
    uint32_t section_rows;      /* rows of it given to the server */
    size_t section_bytes;       /* bytes of it given to libpq */
    bool *section_done;         /* for each table, and one for the letters */
    bool any_done;
    struct weir_buf letter_bytes; /* dead letters as COPY BINARY takes them */
    struct weir_sink_event event; /* the answer so far; outcome NONE: nothing bad was heard */
    bool event_ready;             /* poll() may hand it out */
};

struct weir_postgres_batch {
    uint64_t number; /* 0: the slot is free */
    bool finished;
    struct weir_postgres_part *parts; /* P of them */
};

/* Per table, made at open(). */
struct weir_postgres_table {
    char *quoted;     /* "schema"."name" */
    char *copy;       /* COPY ... FROM STDIN (FORMAT binary) */
    char *upsert;     /* INSERT ... SELECT FROM unnest(...), NULL without a key */
    Oid *array_types; /* of the upsert's parameters */
};

struct weir_postgres_sink {
    struct weir_sink_args args; /* its tables: without the keys of those that only append */
    const struct weir_sink_table *declared; /* the tables as the pipeline says them */
    struct weir_arena arena;                /* pipeline's life */
    struct weir_arena scratch;
    struct weir_postgres_table *tables;
    PQconninfoOption *conninfo;              /* the dsn, parsed */
    char target[WEIR_POSTGRES_TARGET_BYTES]; /* "host:port/database", for messages */
    char application_name[WEIR_POSTGRES_APPLICATION_NAME_BYTES];
    char *begin;               /* BEGIN and settings, one simple query */
    int64_t answer_timeout_ms; /* 0: none */
    int64_t unreachable_ms;    /* when asking for a silent backend failed; 0: never */
    PGconn *control;           /* for claim, look, check; NULL: none */
    char control_server[WEIR_POSTGRES_SERVER_BYTES]; /* that it is to ... */
    char ledger_server[WEIR_POSTGRES_SERVER_BYTES];  /* ... and that the ledger was last read in */
    uint8_t uuid[WEIR_UUID_BYTES];
    uint8_t owner[WEIR_UUID_BYTES];
    uint64_t generation;
    struct weir_buf ends; /* of the ledger last read */
    struct weir_buf query;
    bool has_keys; /* some table is upserted */
    struct weir_postgres_batch batches[WEIR_SINK_SLOTS_MAX];
};

extern const struct weir_option_def weir_postgres_sink_options[];
extern const struct weir_option_def weir_postgres_table_options[];

/* ---- postgres_error.c: what the server's words mean ---- */

/* What an error result means for the part whose statement it answers. */
enum weir_sink_outcome weir_postgres_outcome(const PGresult *result);
/* Fills err from an error result: "MESSAGE (SQLSTATE xxxxx)", with a code that fits. */
int weir_postgres_result_error(const struct weir_postgres_sink *sink, const PGresult *result,
                               struct weir_error *err);
/* Fills err from a connection that failed: WEIR_EAWAY, or WEIR_EAUTH. */
int weir_postgres_connection_error(const struct weir_postgres_sink *sink, const PGconn *connection,
                                   struct weir_error *err);
/* Whether the result's SQLSTATE is this one. */
bool weir_postgres_is(const PGresult *result, const char *sqlstate);

/* ---- postgres_connection.c: connections, and statements one waits for ---- */

/* Parses the dsn. WEIR_ECONFIG without any part of it in the text. */
int weir_postgres_parse_dsn(struct weir_postgres_sink *sink, struct weir_error *err);
/* Names later connections after pipeline and owner, see rule 18. */
void weir_postgres_name_application(struct weir_postgres_sink *sink);
/* Connects, nonblocking from then on. Waits for connect_timeout at most. WEIR_EAWAY, WEIR_EAUTH. */
int weir_postgres_connect(const struct weir_postgres_sink *sink, PGconn **ret,
                          struct weir_error *err);
/* Names the life of the server and the database that a connection is to: a database that was put back
 * has another name than it had. WEIR_EAWAY. */
int weir_postgres_server(struct weir_postgres_sink *sink, PGconn *connection,
                         char ret[WEIR_POSTGRES_SERVER_BYTES], struct weir_error *err);
/* The control connection, opened anew when it broke. */
int weir_postgres_control(struct weir_postgres_sink *sink, PGconn **ret, struct weir_error *err);
/* Runs statements and waits. *ret is the last result (PQclear it; may be NULL for "not wanted").
 * An error result gives weir_postgres_result_error(), and *ret_failed the result (NULL: not
 * wanted). */
int weir_postgres_run(struct weir_postgres_sink *sink, PGconn *connection, const char *sql,
                      PGresult **ret, PGresult **ret_failed, struct weir_error *err);
/* The same, with less patience, for a statement that asks how another one does. */
int weir_postgres_run_briefly(struct weir_postgres_sink *sink, PGconn *connection, const char *sql,
                              PGresult **ret, struct weir_error *err);
/* Waits for the answer to what was sent, as above. */
int weir_postgres_wait(struct weir_postgres_sink *sink, PGconn *connection, PGresult **ret,
                       PGresult **ret_failed, struct weir_error *err);
/* Writes all that libpq holds back, waiting for the socket. */
int weir_postgres_flush(struct weir_postgres_sink *sink, PGconn *connection,
                        struct weir_error *err);
/* Ends sessions of our own role (which: a condition on pg_stat_activity) and waits until they are
 * gone, WEIR_POSTGRES_TERMINATE_WAIT_MS at most: what is still there then the ledger keeps
 * harmless. */
int weir_postgres_terminate(struct weir_postgres_sink *sink, PGconn *connection, const char *which,
                            struct weir_error *err);

/* ---- postgres_silence.c: answers that do not come ---- */

/* Milliseconds of the monotonic clock. */
int64_t weir_postgres_now_ms(void);
/* Whether the backend of a silent connection is at work for us, or its answer has come by now: asks over
 * a new connection. No answer means no, and is remembered in unreachable_ms. */
bool weir_postgres_is_at_work(struct weir_postgres_sink *sink, const PGconn *silent);
/* Whether the server owes the part an answer for too long and is not at work on it; *err says so. May
 * wait for connect_timeout when it does. */
bool weir_postgres_is_silent(struct weir_postgres_sink *sink, struct weir_postgres_part *part,
                             struct weir_error *err);

/* ---- postgres_ddl.c: the schema weir ---- */

int weir_postgres_ddl(const struct weir_sink_args *args, struct weir_buf *ret,
                      struct weir_error *err);
/* Makes schema weir where it is missing; compares its version. WEIR_ESCHEMA says what to run. */
int weir_postgres_install(struct weir_postgres_sink *sink, PGconn *connection,
                          struct weir_error *err);
/* Makes the tables that say create_table and are missing. */
int weir_postgres_create_tables(struct weir_postgres_sink *sink, PGconn *connection,
                                struct weir_error *err);
/* Whether the table says create_table. */
bool weir_postgres_wants_creation(const struct weir_sink_table *table);
/* Appends a name in double quotes, a text in single quotes: no backslash, no setting matters. */
void weir_postgres_quote_name(struct weir_buf *ret, const char *name);
void weir_postgres_quote_text(struct weir_buf *ret, struct weir_str text);
/* Appends "schema"."name" of a table. */
void weir_postgres_quote_table(struct weir_buf *ret, const struct weir_sink_table *table);

/* ---- postgres_ledger.c: claim, look, repartition, and the step's text ---- */

int weir_postgres_claim(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                        struct weir_error *err);
int weir_postgres_look(void *self, struct weir_ledger *ret, struct weir_error *err);
int weir_postgres_repartition(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                              struct weir_error *err);
/* Reads the rows of weir.ledger, partition by partition; what a hand put there may be anything.
 * WEIR_ECONFLICT, reason "ledger_uneven". ret->uuid is not filled. */
int weir_postgres_parse_ledger(struct weir_postgres_sink *sink, const PGresult *result,
                               struct weir_ledger *ret, struct weir_error *err);
/* Appends the call of weir.advance() for a part. */
void weir_postgres_advance(const struct weir_postgres_sink *sink,
                           const struct weir_postgres_part *part, struct weir_buf *ret);

/* ---- postgres_check.c ---- */

int weir_postgres_check(void *self, struct weir_error *err);

/* ---- postgres_part.c: one part's transaction ---- */

/* Moves a part on as far as it goes without waiting. */
void weir_postgres_pump(struct weir_postgres_sink *sink, struct weir_postgres_batch *batch,
                        struct weir_postgres_part *part);
/* Puts a part that is not sent back to its beginning, on a working connection. */
int weir_postgres_restart(struct weir_postgres_sink *sink, struct weir_postgres_part *part,
                          struct weir_error *err);
/* Rolls back whatever the part has open, without waiting. */
void weir_postgres_abandon(struct weir_postgres_part *part);
void weir_postgres_set_state(struct weir_postgres_part *part, enum weir_postgres_state state);
/* Whether the part has something to write to its socket. */
bool weir_postgres_wants_write(const struct weir_postgres_part *part);

/* ---- postgres_letters.c ---- */

/* The COPY that takes them. */
extern const char weir_postgres_letters_copy[];
/* Makes letter_bytes of the part's dead letters; false: no memory. */
bool weir_postgres_encode_letters(const struct weir_postgres_sink *sink, uint64_t batch,
                                  struct weir_postgres_part *part);

/* ---- postgres_upsert.c ---- */

/* Makes the upsert's text and parameter types of a table with a key. */
int weir_postgres_upsert_prepare(struct weir_postgres_sink *sink, uint32_t table,
                                 struct weir_error *err);
/* Sends rows [first, first + count) of those that the table sends. */
int weir_postgres_upsert_send(struct weir_postgres_sink *sink, PGconn *connection,
                              const struct weir_part_table *rows, uint32_t table, uint32_t first,
                              uint32_t count, struct weir_error *err);

/* ---- postgres_isolate.c ---- */

int weir_postgres_isolate(struct weir_postgres_sink *sink, struct weir_postgres_part *part,
                          struct weir_sink_search *ret, struct weir_error *err);

/* The bytes that begin and end a stream of COPY BINARY. */
extern const char weir_postgres_copy_header[19];
extern const char weir_postgres_copy_trailer[2];

#endif
