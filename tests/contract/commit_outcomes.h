/* commit_outcomes.h: what a kind of server provides so that the ends of COMMITs can be told on it.
 *
 * The simulator draws how the COMMIT of a client ends whose connection breaks, or who dies; what it
 * draws is true only if a server really does it. So every such end is told as a sequence of acts with
 * what must be seen after each (commit_outcomes.c), and played on the model (memory_outcomes.c) and on
 * PostgreSQL (postgres_outcomes.c). */
#ifndef WEIR_TESTS_COMMIT_OUTCOMES_H
#define WEIR_TESTS_COMMIT_OUTCOMES_H

#include "tests/contract/sink_contract.h"

/* What a COMMIT meets with. In each case but the last four the connection breaks. */
enum fate {
    FATE_NEVER_ARRIVES, /* the rows are in the open transaction, the COMMIT is never sent */
    FATE_ANSWER_LOST,   /* it is carried out */
    FATE_LATE,        /* it has arrived, but the server has not begun with the step of the ledger */
    FATE_LATE_LOCKED, /* the step is made, the ledger's row is held, the COMMIT is not carried out */
    FATE_SOUND,
    FATE_LOCK_TIMEOUT, /* the step waits for somebody else's lock for too long */
    FATE_CANCELLED,    /* it is cancelled while it waits */
    FATE_BROKEN,       /* the server lacks a table that it needs */
};

struct outcome_server {
    struct sink_provider provider;
    /* A new history, and the end of it, however far it came. */
    void (*begin)(void);
    void (*end)(void);
    /* Of clients that are opened from now on. linger: nobody can end transactions that were left
     * behind; hurry: they wait for locks only briefly. */
    void (*set_clients)(bool linger, bool hurry);
    /* Before the COMMIT of a part whose rows are in its open transaction, and after it was given to
     * the sink, before anybody asks for its outcome. */
    void (*prepare)(struct sink_fixture *fixture, void *sink, enum fate fate);
    void (*follow)(struct sink_fixture *fixture, void *sink, enum fate fate);
    /* Behind the event: what stood in the way of other transactions is gone. */
    void (*clear)(enum fate fate);
    /* A starter of owner 3, who saw generation 1 of owner 1, dies while its claim is on its way. */
    void (*lose_claim)(struct sink_fixture *fixture);
    /* What a lost client left behind comes to its end, by its own COMMIT or by being ended. */
    void (*end_late)(bool commits);
};

/* Plays all of them; the number that failed. */
int commit_outcomes_run(const struct outcome_server *server);

const struct outcome_server *memory_outcomes(void);
/* test_pg_open() comes first. */
const struct outcome_server *postgres_outcomes(void);

#endif
