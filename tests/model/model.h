/* model.h: the commit protocol of src/txn and the PostgreSQL sink, small enough to be searched
 * whole.
 *
 * A state is everything that decides what can happen next: the database with its ledger, its backup,
 * the commands of dead clients that the server still has, and two instances with a directory each.
 * A move is one atomic thing that somebody does: an instance, the server, or bad luck. search.c
 * follows every move from every state; check.c says what must never be seen.
 *
 *   state.c     the first state, fingerprints, words for a trace
 *   server.c    what the database does: step, take, restore           (src/sink/postgres_ddl.c)
 *   recovery.c  claim, verdict, look                                   (src/txn/start.c, recover.c, look.c)
 *   moves.c     what can happen, and how it changes the state          (src/txn/txn.c, commit.c)
 *   offers.c    what is tried next
 *   check.c     the promise
 *   search.c    breadth first, so that the first trace found is a shortest one
 *   main.c      the table of runs
 *
 * M1  All fields are bytes and states start zeroed: equal states have equal bytes.
 * M2  What is only watched (ghosts) is never read by a rule: vouched, is_stale, unaware, harm, restored, and the
 *     owner of a row when `owner` is off. */
#ifndef WEIR_TESTS_MODEL_H
#define WEIR_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    INSTANCES = 2,
    PARTS_MAX = 2,   /* output partitions, over all databases */
    SLOTS_MAX = 3,   /* batches in flight */
    RECORDS_MAX = 4, /* of the one source partition */
    LOG_MAX = 6,     /* plans behind the last void record */
    ORPHANS_MAX = 3, /* commands of clients that are gone */
    CLAIM_TRIES_MAX = 3,
    BATCH_RECORDS_MAX = 2,
};

/* Rules that can be taken out, one bit each; the texts are in state.c. */
enum rule {
    RULE_IDENTITY,      /* 1: a batch is known by number, t, ranges; else by its number alone */
    RULE_RAISE,         /* 2: advance raises; else the rows commit without a step of the ledger */
    RULE_TAG,           /* 2: only COMMIT is success; else any answer is */
    RULE_OWNER,         /* 2, 6: the owner token is compared; else the generation alone */
    RULE_SEAL,          /* 4: COMMIT is sent when the plan is durable; else at once */
    RULE_ORDER,         /* 5: n + 1 is sent when n is in everywhere; else at once */
    RULE_BELIEVE_LATE,  /* 6: the ledger is believed as read after the take; else as read before */
    RULE_TAKE_AT_ONCE,  /* 6: all rows in one transaction, then confirmed; else row by row */
    RULE_TAKE_COMPARES, /* 6: the take is a compare-and-set; else it overwrites */
    RULE_LOOK_AT_ALL,   /* 7: a look reads all rows; else those of the doubtful parts */
    RULE_SYNC_FOUND,    /* 8: frames found at a start are made durable before they are used */
    RULE_VOID,          /* 10: following the ledger makes older frames unusable */
    RULE_CATCH_UP, /* 11: lagging partitions get what they lack; else the highest row is followed */
    RULE_ROLL_BACK,   /* 13: later upserts are rolled back before n is sent again */
    RULE_SKIP_HELD,   /* 17: a part that is in is not sent again when its batch is rebuilt */
    RULE_REBUILD_FAR, /* 9: what the log knows is rebuilt, however far apart; else: at most one */
    RULE_LOOK_AHEAD, /* 7: a look knows a row ahead of the head, of this log, for in; else: a stop */
    RULES
};

/* What the promise forbids, one bit each; the texts are in state.c. */
enum harm {
    HARM_DOUBLED,  /* a row is in the committed sink twice */
    HARM_LOST,     /* all is quiet and said to be in, and a row is missing */
    HARM_INTRUDER, /* somebody wrote who had been overtaken */
    HARM_UNSEALED, /* rows are in whose plan was not durable */
    HARM_MIXED,    /* one batch number stands for two batches in the sink */
    HARM_SHUT_OUT, /* an instance is fenced by one that was dead before it began */
    HARM_STOPPED,  /* the pipeline stops though log, ledger and source have all that is needed */
    HARM_STUCK,    /* nothing can move, and the work is not done */
    HARMS
};

struct config {
    const char *name;
    uint32_t rules_off; /* bits of enum rule */
    uint32_t harms;     /* bits of enum harm that end the search; 0: all */
    uint8_t parts, databases, slots, records;
    bool upsert;
    uint8_t starts[INSTANCES]; /* how often each may be started */
    uint8_t cuts, restores, losses;
};

/* A batch by identity. Two instances never draw the same t: even times are A's, odd ones B's. */
struct plan {
    uint8_t number, time, first, end;
};

struct ledger_row {
    struct plan at;
    uint8_t generation, owner;
};

/* Rows: how often each record is there. One record makes one row in each partition. */
struct sink {
    struct ledger_row rows[PARTS_MAX];
    uint8_t held[PARTS_MAX][RECORDS_MAX];
};

/* What is behind the last void record: the batch it names, and the plans since. */
struct log {
    struct plan base;
    struct plan plans[LOG_MAX];
    uint8_t count;
    uint8_t durable; /* bit i: plans[i] is; the others are in the page cache */
    uint8_t exists, last_time;
};

enum part_state { PART_NONE, PART_HELD, PART_SENT, PART_DOUBTFUL, PART_AGAIN, PART_IN };

/* Upserts: what a transaction has done about its row lock. */
enum lock_state { LOCK_NONE, LOCK_WAITING, LOCK_HELD };

struct part {
    uint8_t state, lock;
    uint8_t step_allowed;
    uint8_t vouched; /* ghost: the plan was durable when the step was sent */
};

enum slot_state { SLOT_FREE, SLOT_CLOSED, SLOT_SEALED };

struct slot {
    struct plan plan, previous;
    uint8_t state;
    struct part parts[PARTS_MAX];
};

enum phase { DEAD, READING, TAKING, CONFIRMING, RUNNING, FENCED, STOPPED };

enum stop {
    STOP_NONE,
    STOP_UNEVEN,
    STOP_MIXED,
    STOP_DISAGREE,
    STOP_BEHIND,
    STOP_MISMATCH,
    STOP_CONFLICT
};

struct instance {
    uint8_t phase, stop;
    uint8_t is_starting, tries;
    uint8_t at;                           /* which database, or row, the claim is at */
    uint8_t owner, generation[PARTS_MAX]; /* by database */
    struct ledger_row seen[PARTS_MAX];    /* as last read, while it is still of use */
    struct plan tip, committed;           /* last batch closed; last batch known to be in */
    uint8_t last_time;
    uint8_t rebuild_last, rebuild_at; /* number; index in the log's plans */
    struct plan catch_up;             /* number 0: the log has the plans */
    uint8_t unaware; /* ghost, bits: databases that went back and have not been heard of since */
    struct slot slots[SLOTS_MAX]; /* batch n is in slot n % slots */
};

enum orphan_kind { ORPHAN_NONE, ORPHAN_STEP, ORPHAN_TAKE };

/* A command whose client is gone, and which the server will carry out some time, or never. */
struct orphan {
    uint8_t kind;
    uint8_t where; /* partition, or database of a take */
    uint8_t generation, owner;
    struct plan plan, previous; /* step */
    uint8_t vouched;            /* ghost */
    uint8_t is_stale;           /* take, ghost: somebody has taken the ledger since */
    struct ledger_row expected[PARTS_MAX];
};

struct state {
    struct sink sink, backup;
    struct orphan orphans[ORPHANS_MAX]; /* sorted */
    struct instance instances[INSTANCES];
    struct log logs[INSTANCES];
    uint8_t serial[INSTANCES]; /* of the last owner token */
    uint8_t has_backup;
    uint8_t starts[INSTANCES], cuts, restores, losses; /* used up */
    uint8_t restored;                                  /* ghost */
    uint8_t harm;                                      /* ghost: bits of enum harm */
};

enum move_kind {
    MOVE_START,
    MOVE_READ,
    MOVE_TAKE,
    MOVE_CONFIRM,
    MOVE_PLAN, /* a: records */
    MOVE_SEAL,
    MOVE_LOCK,   /* a: slot, b: partition */
    MOVE_STEP,   /* a: slot, b: partition */
    MOVE_LOOK,   /* a: database, b: which pending steps outlive it */
    MOVE_ORPHAN, /* a: which */
    MOVE_CALM_LAST = MOVE_ORPHAN,
    MOVE_NO_ANSWER, /* a: slot, b: partition: a step is carried out, the answer is lost */
    MOVE_CUT,       /* a: slot, b: partition, c: whether the step reached the server */
    MOVE_KILL,      /* a: which pending commands outlive it, b: plans that reached the page cache */
    MOVE_BACKUP,
    MOVE_RESTORE, /* a: database */
    MOVE_LOSE_LOG,
    MOVES
};

struct move {
    uint8_t kind, who, a, b, c;
};

struct result {
    uint64_t states;
    uint32_t depth;
    uint32_t harm; /* bits; 0: none was found */
    bool is_full;  /* the limit of states was reached: nothing is said of the rest */
    double seconds;
};

static inline bool is_on(const struct config *config, enum rule rule)
{
    return (config->rules_off >> rule & 1) == 0;
}

static inline uint8_t database_of(const struct config *config, uint8_t part)
{
    return config->databases == 1 ? 0 : part;
}

/* --- state.c --- */
void state_init(struct state *ret);
uint64_t state_fingerprint(const struct state *state);
/* One line about a move that led from one state to the other. */
void state_tell(FILE *out, const struct config *config, const struct state *before,
                struct move move, const struct state *after);
/* How the sink and the instances stand. */
void state_show(FILE *out, const struct config *config, const struct state *state);
const char *rule_text(enum rule rule);
const char *harm_text(enum harm harm);
bool plan_equal(struct plan a, struct plan b);
/* As the protocol compares batches: RULE_IDENTITY. */
bool plan_same(const struct config *config, struct plan a, struct plan b);

/* --- server.c --- */
/* Carries out rows, advance and COMMIT of a part; false: refused. */
bool server_step(const struct config *config, struct state *state, const struct orphan *step);
/* Takes the generation in one database; false: refused. */
bool server_take(const struct config *config, struct state *state, const struct orphan *take);
void server_restore(const struct config *config, struct state *state, uint8_t database);
bool server_lock_is_free(const struct config *config, const struct state *state, uint8_t part);
/* Keeps a command beyond its client's end; false: there is no room for it. */
bool orphan_add(struct state *state, const struct orphan *orphan);
void orphan_remove(struct state *state, uint8_t index);

/* --- recovery.c --- */
void claim_begin(struct state *state, uint8_t who);
void claim_refused(struct state *state, uint8_t who);
bool claim_read(const struct config *config, struct state *state, uint8_t who);
bool claim_take(const struct config *config, struct state *state, uint8_t who);
bool claim_confirm(const struct config *config, struct state *state, uint8_t who);
/* The take as it would be sent now. */
struct orphan claim_command(const struct config *config, const struct state *state, uint8_t who);
bool look(const struct config *config, struct state *state, uint8_t who, uint8_t database,
          uint8_t survivors);

/* --- moves.c --- */
/* Makes the move; false: it is not possible here, and *state is of no use any more. */
bool move_make(const struct config *config, struct state *state, struct move move);
/* The head's steps are sent when they may be, batches that are in everywhere are let go. */
void run_ahead(const struct config *config, struct state *state, uint8_t who);
/* Everything in flight is let go; bit i of survivors: the i-th pending step reaches the server. */
bool let_go(const struct config *config, struct state *state, uint8_t who, uint8_t survivors);
struct slot *slot_of(const struct config *config, struct instance *instance, uint8_t number);
struct orphan step_command(const struct config *config, const struct state *state, uint8_t who,
                           const struct slot *slot, uint8_t part);

/* --- offers.c --- */
/* The moves that may be possible in a state, and some that turn out not to be. */
size_t moves_list(const struct config *config, const struct state *state, struct move *ret,
                  size_t max);

/* --- check.c --- */
/* Notes what a commit of rows means for the promise; called before the sink changes. */
void check_commit(const struct config *config, struct state *state, const struct orphan *step);
void check_take(struct state *state, const struct orphan *take);
/* Notes what it means that an instance stops. */
void check_stop(const struct config *config, struct state *state, uint8_t who, enum stop stop);
/* Bits of the harm that can be seen in this state; stuck: no move is left but faults. */
uint32_t check_state(const struct config *config, const struct state *state, bool is_stuck);

/* --- search.c --- */
/* Searches all states, up to states_max; tells a shortest trace to out unless it is NULL. Exits on
 * want of memory. */
struct result search(const struct config *config, uint64_t states_max, FILE *out);

#endif
