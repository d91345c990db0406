/* outcome.h: what a proof has seen, as faults, watcher and verdict write it and the reports read it. */
#ifndef WEIR_PROVE_OUTCOME_H
#define WEIR_PROVE_OUTCOME_H

#include <time.h>

#include "base/buf.h"
#include "prove/prove.h"

/* What the network does, before the broker and before the database: fault_net.c. */
#define PROVE_NET_TABLE(X)                                                                      \
    X(NET_RESET_BROKER, "net-reset-broker", "broker: a link is reset at a byte")                \
    X(NET_CLOSE_BROKER, "net-close-broker", "broker: a link is closed at a byte")               \
    X(NET_BLACK_HOLE_BROKER, "net-black-hole-broker", "broker: links swallow everything")       \
    X(NET_NO_REPLIES_BROKER, "net-no-replies-broker", "broker: links swallow replies")          \
    X(NET_NO_REQUESTS_BROKER, "net-no-requests-broker", "broker: links swallow requests")       \
    X(NET_DELAY_BROKER, "net-delay-broker", "broker: bytes come late")                          \
    X(NET_TRICKLE_BROKER, "net-trickle-broker", "broker: a few bytes at a time")                \
    X(NET_REFUSE_BROKER, "net-refuse-broker", "broker: connections are refused")                \
    X(NET_HANG_BROKER, "net-hang-broker", "broker: connecting hangs")                           \
    X(NET_FLAP_BROKER, "net-flap-broker", "broker: it comes and goes")                          \
    X(NET_HOLD_BROKER, "net-hold-broker", "broker: old requests come after their retry")        \
    X(NET_CHANGE_BROKER, "net-change-broker", "broker: a bit of a record is flipped")           \
    X(NET_RESET_DATABASE, "net-reset-database", "database: a link is reset at a byte")          \
    X(NET_CLOSE_DATABASE, "net-close-database", "database: a link is closed at a byte")         \
    X(NET_BLACK_HOLE_DATABASE, "net-black-hole-database", "database: links swallow everything") \
    X(NET_NO_REPLIES_DATABASE, "net-no-replies-database", "database: links swallow replies")    \
    X(NET_NO_REQUESTS_DATABASE, "net-no-requests-database", "database: links swallow requests") \
    X(NET_DELAY_DATABASE, "net-delay-database", "database: bytes come late")                    \
    X(NET_TRICKLE_DATABASE, "net-trickle-database", "database: a few bytes at a time")          \
    X(NET_REFUSE_DATABASE, "net-refuse-database", "database: connections are refused")          \
    X(NET_HANG_DATABASE, "net-hang-database", "database: connecting hangs")                     \
    X(NET_FLAP_DATABASE, "net-flap-database", "database: it comes and goes")                    \
    X(NET_CHANGE_DATABASE, "net-change-database", "database: a bit under TLS is flipped")       \
    X(NET_HOLD_DATABASE, "net-hold-database", "database: old requests come after their retry")

/* One row a kind of fault: name, name on the command line, what is done. */
#define PROVE_FAULT_TABLE(X)                                                             \
    X(RUNNING, "kill", "SIGKILL while it runs")                                          \
    X(STARTING, "kill-start", "SIGKILL while it starts or recovers")                     \
    X(DRAINING, "kill-drain", "SIGTERM, then SIGKILL in the drain")                      \
    X(POINT, "fail-point", "SIGKILL at a fail point")                                    \
    X(FREEZE, "freeze", "SIGSTOP; another takes over; it wakes up")                      \
    X(DIR_LOST, "dir-lost", "SIGKILL, data directory lost")                              \
    X(DIR_OLD, "dir-old", "SIGKILL, older data directory put back")                      \
    X(DIR_CLONED, "dir-cloned", "SIGKILL, a clone of its directory runs, then it again") \
    X(DISK_FULL, "disk-full", "the disk of its data directory is full for a while")      \
    X(PG_CUT, "pg-cut", "its database sessions are ended")                               \
    X(PG_RESTART, "pg-restart", "the database is restarted")                             \
    X(KAFKA_RESTART, "kafka-restart", "the broker is restarted")                         \
    PROVE_NET_TABLE(X)

enum prove_fault {
#define PROVE_FAULT_ENUM(name, word, help) PROVE_##name,
    PROVE_FAULT_TABLE(PROVE_FAULT_ENUM)
#undef PROVE_FAULT_ENUM
        PROVE_FAULT_COUNT
};

extern const char *const prove_fault_word[PROVE_FAULT_COUNT];
extern const char *const prove_fault_help[PROVE_FAULT_COUNT];

/* One fault that was played. */
struct prove_event {
    double at; /* seconds after the beginning */
    enum prove_fault kind;
    bool survived;       /* it went on afterwards, as it should */
    double commit_s;     /* until the next commit; negative: was hurt again before */
    int64_t batch;       /* the last batch that was in, seen right after the fault began */
    int64_t batch_until; /* ... and when it was over */
    uint64_t first_id;   /* rows from here to the next event's were sent for this one */
    const char *point;   /* the fail point it died at, or NULL; borrowed from the stage */
};

/* What the second reader saw in one look. */
struct prove_sample {
    double at;
    int64_t rows;
    int64_t batch;
};

enum { PROVE_EXAMPLES = 5, PROVE_NOTE_BYTES = 4096, PROVE_DATE_BYTES = 32 };

/* How often something was seen, and the first few ids. */
struct prove_tally {
    uint64_t count;
    uint64_t examples[PROVE_EXAMPLES];
};

struct prove_verdict {
    uint64_t sent, unsure; /* by the independent ledger */
    uint64_t rows;         /* in the table */
    struct prove_tally missing, doubled, altered, invented;
    bool sees_doubles;   /* false: an upsert, which hides them */
    bool knows_contents; /* false: rows of the user's own pipeline are known by their ids alone */
    uint64_t outside;    /* missing or doubled rows that were not in flight at a fault */
    int64_t batches;     /* of weir.batch; 0: not looked at */
    uint64_t digests;    /* batches of it whose digest was compared */
    uint64_t harmed;     /* ... which have rows that are missing or doubled */
};

/* Per kind of fault, for the table. */
struct prove_fault_row {
    uint64_t tried, survived, lost, doubled, measured;
    double p50_s, p99_s, max_s;
};

struct prove_outcome {
    const struct prove_options *options; /* borrowed */
    const char *version;                 /* of the weir that is hurt; static */
    time_t began;
    double seconds;
    uint32_t asked;          /* faults that were to be played; more may be tried, or fewer */
    struct weir_buf events;  /* of struct prove_event */
    struct weir_buf samples; /* of struct prove_sample */
    uint64_t looks;
    struct prove_verdict verdict;
    struct prove_fault_row rows[PROVE_FAULT_COUNT];
    struct prove_fault_row total;
    uint64_t broken;              /* promises that did not hold; notes says which */
    char notes[PROVE_NOTE_BYTES]; /* one line each; cut when there are too many */
    bool stopped; /* before the end: it did not go on; what it had yet to write counts as missing */
    bool held;    /* nothing is broken, and something was tried */
};

void prove_outcome_fini(struct prove_outcome *outcome);
size_t prove_event_count(const struct prove_outcome *outcome);
struct prove_event *prove_event_at(const struct prove_outcome *outcome, size_t index);
size_t prove_sample_count(const struct prove_outcome *outcome);
const struct prove_sample *prove_sample_at(const struct prove_outcome *outcome, size_t index);

/* "held", "DID NOT HOLD", or "is NOT PROVEN": what the promise did. */
const char *prove_outcome_word(const struct prove_outcome *outcome);
/* Whether the load ended before the faults did. */
bool prove_outcome_is_short(const struct prove_outcome *outcome);
/* Lost and doubled rows that were sent before the first fault. */
struct prove_fault_row prove_outcome_before(const struct prove_outcome *outcome);
/* When it began, as "2026-01-31 12:00:00 UTC". */
void prove_outcome_date(const struct prove_outcome *outcome, char ret[PROVE_DATE_BYTES]);

/* Something that must not be was seen. Not for two threads at once. */
void prove_outcome_break(struct prove_outcome *outcome, const char *fmt, ...) WEIR_PRINTF(2, 3);
void prove_tally_add(struct prove_tally *tally, uint64_t id);
/* Sums up events into rows and total: all but lost and doubled, which the verdict fills. */
void prove_outcome_sum(struct prove_outcome *outcome);
/* Which event a row was sent for; NULL when for none. */
const struct prove_event *prove_event_of(const struct prove_outcome *outcome, uint64_t id);

/* report_text.c: to stdout. */
void prove_report_text(const struct prove_outcome *outcome);
/* report_json.c, report_html.c: into *ret. */
void prove_report_json(const struct prove_outcome *outcome, struct weir_buf *ret);
void prove_report_html(const struct prove_outcome *outcome, struct weir_buf *ret);

#endif
