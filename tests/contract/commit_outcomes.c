/* commit_outcomes.c: the ends that a COMMIT can come to, each a sequence of acts.
 *
 * An old instance (owner 1) sends batch 1, of ten rows, whose COMMIT meets with something; then it looks
 * and sends again, or a young one (owner 2) takes the ledger, in every order in which what the server
 * is still at work on can come to its end.
 * C1  The same table is played on the model and on PostgreSQL: what differs is a mistake of the model. */
#include "tests/contract/commit_outcomes.h"

#include <stdlib.h>

enum { ROWS = 10, ACTS_MAX = 12, LET_WORK_ROUNDS = 5 };

enum verb {
    END,          /* of a sequence */
    OLD_SENDS,    /* batch 1, whose COMMIT meets with `how`: the outcome is `want` */
    OLD_RESENDS,  /* batch 1, soundly; WEIR_SINK_NONE: it waits */
    OLD_HEARS,    /* the outcome of what waited */
    OLD_LOOKS,    /* the ledger stands at batch `want`, of generation `how` */
    CLAIM_LOST,   /* another starter's: nothing is seen of it yet */
    LATE_COMMITS, /* what the server is at work on; nothing if it was ended before */
    LATE_ABORTS,
    YOUNG_CLAIMS, /* and finds batch `want`, taking generation `how`; 0: it must try again */
    YOUNG_SENDS,  /* batch `want`, which gets in */
    COUNTED,      /* so many rows are in the table */
};

struct act {
    enum verb verb;
    int how, want;
};

static const struct sequence {
    const char *name;
    bool linger, hurry; /* the old instance, see set_clients() */
    struct act acts[ACTS_MAX];
} sequences[] = {
    /* covers: G-03 */
    { "a COMMIT that never arrived is not in, and goes in when it is sent again",
      false,
      false,
      { { OLD_SENDS, FATE_NEVER_ARRIVES, WEIR_SINK_LOST },
        { OLD_LOOKS, 1, 0 },
        { OLD_RESENDS, 0, WEIR_SINK_COMMITTED },
        { COUNTED, 0, ROWS } } },
    { "a COMMIT that never arrived is not in for who comes after",
      false,
      false,
      { { OLD_SENDS, FATE_NEVER_ARRIVES, WEIR_SINK_LOST },
        { YOUNG_CLAIMS, 2, 0 },
        { YOUNG_SENDS, 0, 1 },
        { OLD_RESENDS, 0, WEIR_SINK_REFUSED },
        { COUNTED, 0, ROWS } } },
    /* covers: G-04 */
    { "a COMMIT whose answer was lost is in, and is refused when it is sent again",
      false,
      false,
      { { OLD_SENDS, FATE_ANSWER_LOST, WEIR_SINK_LOST },
        { OLD_LOOKS, 1, 1 },
        { OLD_RESENDS, 0, WEIR_SINK_REFUSED },
        { COUNTED, 0, ROWS } } },
    { "a COMMIT whose answer was lost is in for who comes after",
      false,
      false,
      { { OLD_SENDS, FATE_ANSWER_LOST, WEIR_SINK_LOST },
        { YOUNG_CLAIMS, 2, 1 },
        { YOUNG_SENDS, 0, 2 },
        { COUNTED, 0, 2 * ROWS } } },
    { "a late COMMIT is not seen, then it is",
      true,
      false,
      { { OLD_SENDS, FATE_LATE, WEIR_SINK_LOST },
        { OLD_LOOKS, 1, 0 },
        { LATE_COMMITS, 0, 0 },
        { OLD_LOOKS, 1, 1 },
        { OLD_RESENDS, 0, WEIR_SINK_REFUSED },
        { COUNTED, 0, ROWS } } },
    { "a late COMMIT that lands behind a second try of it changes nothing",
      true,
      false,
      { { OLD_SENDS, FATE_LATE, WEIR_SINK_LOST },
        { OLD_LOOKS, 1, 0 },
        { OLD_RESENDS, 0, WEIR_SINK_COMMITTED },
        { LATE_COMMITS, 0, 0 },
        { OLD_LOOKS, 1, 1 },
        { COUNTED, 0, ROWS } } },
    /* covers: G-05 */
    { "a late COMMIT that is rolled back leaves nothing",
      true,
      false,
      { { OLD_SENDS, FATE_LATE, WEIR_SINK_LOST },
        { LATE_ABORTS, 0, 0 },
        { OLD_LOOKS, 1, 0 },
        { OLD_RESENDS, 0, WEIR_SINK_COMMITTED },
        { COUNTED, 0, ROWS } } },
    { "a late COMMIT is ended by who comes after",
      false,
      false,
      { { OLD_SENDS, FATE_LATE, WEIR_SINK_LOST },
        { YOUNG_CLAIMS, 2, 0 },
        { LATE_COMMITS, 0, 0 },
        { COUNTED, 0, 0 },
        { YOUNG_SENDS, 0, 1 },
        { COUNTED, 0, ROWS } } },
    /* covers: G-06 */
    { "a late COMMIT that nobody could end is refused behind the next claim",
      true,
      false,
      { { OLD_SENDS, FATE_LATE, WEIR_SINK_LOST },
        { YOUNG_CLAIMS, 2, 0 },
        { LATE_COMMITS, 0, 0 },
        { COUNTED, 0, 0 },
        { YOUNG_SENDS, 0, 1 },
        { COUNTED, 0, ROWS } } },
    { "a late COMMIT that nobody could end is refused behind the next one's batch",
      true,
      false,
      { { OLD_SENDS, FATE_LATE, WEIR_SINK_LOST },
        { YOUNG_CLAIMS, 2, 0 },
        { YOUNG_SENDS, 0, 1 },
        { LATE_COMMITS, 0, 0 },
        { OLD_LOOKS, 2, 1 },
        { COUNTED, 0, ROWS } } },
    { "a step that is made but not committed is ended by who comes after",
      false,
      false,
      { { OLD_SENDS, FATE_LATE_LOCKED, WEIR_SINK_LOST },
        { OLD_LOOKS, 1, 0 },
        { YOUNG_CLAIMS, 2, 0 },
        { LATE_COMMITS, 0, 0 },
        { YOUNG_SENDS, 0, 1 },
        { COUNTED, 0, ROWS } } },
    /* covers: G-06 */
    { "a claim waits for a step that nobody could end, and finds it in",
      true,
      false,
      { { OLD_SENDS, FATE_LATE_LOCKED, WEIR_SINK_LOST },
        { YOUNG_CLAIMS, 0, 0 },
        { LATE_COMMITS, 0, 0 },
        { YOUNG_CLAIMS, 2, 1 },
        { COUNTED, 0, ROWS },
        { YOUNG_SENDS, 0, 2 },
        { COUNTED, 0, 2 * ROWS } } },
    { "a claim waits for a step that nobody could end, and finds it rolled back",
      true,
      false,
      { { OLD_SENDS, FATE_LATE_LOCKED, WEIR_SINK_LOST },
        { YOUNG_CLAIMS, 0, 0 },
        { LATE_ABORTS, 0, 0 },
        { YOUNG_CLAIMS, 2, 0 },
        { YOUNG_SENDS, 0, 1 },
        { COUNTED, 0, ROWS } } },
    { "a second try waits for the first one's step, and is refused when that gets in",
      true,
      false,
      { { OLD_SENDS, FATE_LATE_LOCKED, WEIR_SINK_LOST },
        { OLD_LOOKS, 1, 0 },
        { OLD_RESENDS, 0, WEIR_SINK_NONE },
        { LATE_COMMITS, 0, 0 },
        { OLD_HEARS, 0, WEIR_SINK_REFUSED },
        { OLD_LOOKS, 1, 1 },
        { COUNTED, 0, ROWS } } },
    { "a second try waits for the first one's step, and gets in when that is rolled back",
      true,
      false,
      { { OLD_SENDS, FATE_LATE_LOCKED, WEIR_SINK_LOST },
        { OLD_RESENDS, 0, WEIR_SINK_NONE },
        { LATE_ABORTS, 0, 0 },
        { OLD_HEARS, 0, WEIR_SINK_COMMITTED },
        { COUNTED, 0, ROWS } } },
    /* covers: G-08 */
    { "a step that waits for a lock for too long is rolled back",
      false,
      true,
      { { OLD_SENDS, FATE_LOCK_TIMEOUT, WEIR_SINK_ROLLED_BACK },
        { OLD_LOOKS, 1, 0 },
        { OLD_RESENDS, 0, WEIR_SINK_COMMITTED },
        { COUNTED, 0, ROWS } } },
    { "a step that is cancelled is rolled back",
      false,
      false,
      { { OLD_SENDS, FATE_CANCELLED, WEIR_SINK_ROLLED_BACK },
        { OLD_RESENDS, 0, WEIR_SINK_COMMITTED },
        { COUNTED, 0, ROWS } } },
    { "a server that lacks a table takes nothing",
      false,
      false,
      { { OLD_SENDS, FATE_BROKEN, WEIR_SINK_BROKEN }, { OLD_LOOKS, 1, 0 }, { COUNTED, 0, 0 } } },
    /* covers: P-12 */
    { "an instance that was overtaken while it waited for nothing is refused",
      false,
      false,
      { { YOUNG_CLAIMS, 2, 0 },
        { OLD_SENDS, FATE_SOUND, WEIR_SINK_REFUSED },
        { OLD_LOOKS, 2, 0 },
        { COUNTED, 0, 0 } } },
    { "a dead starter's claim that lands first is one to take the ledger from",
      false,
      false,
      { { CLAIM_LOST, 0, 0 },
        { OLD_LOOKS, 1, 0 },
        { LATE_COMMITS, 0, 0 },
        { OLD_LOOKS, 2, 0 },
        { OLD_SENDS, FATE_SOUND, WEIR_SINK_REFUSED },
        { YOUNG_CLAIMS, 3, 0 },
        { YOUNG_SENDS, 0, 1 },
        { COUNTED, 0, ROWS } } },
    { "a dead starter's claim that lands behind another one changes nothing",
      false,
      false,
      { { CLAIM_LOST, 0, 0 },
        { YOUNG_CLAIMS, 2, 0 },
        { LATE_COMMITS, 0, 0 },
        { OLD_LOOKS, 2, 0 },
        { YOUNG_SENDS, 0, 1 },
        { COUNTED, 0, ROWS } } },
};
enum { SEQUENCE_COUNT = sizeof(sequences) / sizeof(sequences[0]) };

/* ---- playing ---- */

struct player {
    const struct sequence *sequence;
    const struct outcome_server *server;
    const struct weir_sink_ops *ops;
    struct sink_fixture fixture;
    void *old, *young;
};

static const struct outcome_server *current;

/* Batch n, begun, written and finished; its rows are in the open transaction as far as they can be. */
static void write_batch(struct player *player, void *sink, uint64_t n)
{
    struct weir_sink_tally tally;

    assert_int_equal(player->ops->begin(sink, n, NULL), WEIR_OK);
    sink_write(&player->fixture, sink, n, 0, TABLE_PLAIN, WEIR_ON_ERROR_FAIL,
               test_chunk(&player->fixture.rows, (int64_t)n * 1000, ROWS));
    assert_int_equal(player->ops->finish(sink, n, &tally, NULL), WEIR_OK);
    sink_let_work(&player->fixture, sink, LET_WORK_ROUNDS);
}

static void commit_batch(struct player *player, void *sink, uint64_t n)
{
    struct weir_ledger_step step = sink_step(n);

    assert_int_equal(player->ops->commit(sink, n, 0, &step, NULL), WEIR_OK);
}

static void hear(struct player *player, void *sink, int want)
{
    if (want == WEIR_SINK_NONE) {
        sink_let_work(&player->fixture, sink, LET_WORK_ROUNDS);
        return;
    }
    struct weir_sink_event event = sink_next_event(&player->fixture, sink);
    if ((int)event.outcome != want) {
        fail_msg("outcome %d, not %d: %s", (int)event.outcome, want, event.err.text);
    }
}

static void old_sends(struct player *player, enum fate fate, int want)
{
    write_batch(player, player->old, 1);
    player->server->prepare(&player->fixture, player->old, fate);
    commit_batch(player, player->old, 1);
    player->server->follow(&player->fixture, player->old, fate);
    hear(player, player->old, want);
    player->server->clear(fate);
}

static void old_looks(struct player *player, uint64_t generation, uint64_t batch)
{
    struct weir_ledger ledger;

    assert_int_equal(player->ops->look(player->old, &ledger, NULL), WEIR_OK);
    assert_int_equal(ledger.rows[0].batch, batch);
    assert_int_equal(ledger.generation, generation);
}

static void young_claims(struct player *player, uint64_t generation, uint64_t batch)
{
    const struct weir_claim claim = { .name = "contract", .uuid = { 7, 2 }, .owner = { 2 } };
    struct weir_error err = { 0 };
    struct weir_ledger ledger;

    if (player->young == NULL) {
        player->server->set_clients(player->sequence->linger, true);
        assert_int_equal(player->ops->open(&player->fixture.args, &player->young, NULL), WEIR_OK);
    }
    int rc = player->ops->claim(player->young, &claim, &ledger, &err);
    if (generation == 0) {
        assert_int_equal(rc, WEIR_EAWAY);
        return;
    }
    if (rc != WEIR_OK) {
        fail_msg("claim: %s", err.text);
    }
    assert_int_equal(ledger.generation, generation);
    assert_int_equal(ledger.rows[0].batch, batch);
    assert_int_equal(ledger.rows[0].owner[0], 2);
}

static void young_sends(struct player *player, uint64_t n)
{
    write_batch(player, player->young, n);
    commit_batch(player, player->young, n);
    hear(player, player->young, WEIR_SINK_COMMITTED);
    player->ops->release(player->young, n);
}

static void act(struct player *player, const struct act *what)
{
    const struct outcome_server *server = player->server;

    switch (what->verb) {
    case OLD_SENDS:
        old_sends(player, (enum fate)what->how, what->want);
        break;
    case OLD_RESENDS:
        assert_int_equal(player->ops->resend(player->old, 1, 0, NULL), WEIR_OK);
        hear(player, player->old, what->want);
        break;
    case OLD_HEARS:
        hear(player, player->old, what->want);
        break;
    case OLD_LOOKS:
        old_looks(player, (uint64_t)what->how, (uint64_t)what->want);
        break;
    case CLAIM_LOST:
        server->lose_claim(&player->fixture);
        break;
    case LATE_COMMITS:
    case LATE_ABORTS:
        server->end_late(what->verb == LATE_COMMITS);
        break;
    case YOUNG_CLAIMS:
        young_claims(player, (uint64_t)what->how, (uint64_t)what->want);
        break;
    case YOUNG_SENDS:
        young_sends(player, (uint64_t)what->want);
        break;
    case COUNTED:
        assert_int_equal(server->provider.count(TABLE_PLAIN), what->want);
        break;
    case END:
        break;
    }
}

static int set_up(void **state)
{
    struct player *player = calloc(1, sizeof(*player));

    *player =
        (struct player){ .sequence = *state, .server = current, .ops = current->provider.ops };
    sink_fixture_init(&player->fixture, &current->provider);
    current->begin();
    *state = player;
    return 0;
}

static int tear_down(void **state)
{
    struct player *player = *state;

    current->end();
    player->ops->close(player->young);
    player->ops->close(player->old);
    sink_fixture_fini(&player->fixture);
    free(player);
    return 0;
}

static void play(void **state)
{
    struct player *player = *state;
    const struct sequence *sequence = player->sequence;
    struct weir_ledger ledger;

    current->set_clients(sequence->linger, sequence->hurry);
    player->old = sink_start(&player->fixture, 1, &ledger);
    assert_int_equal(ledger.generation, 1);
    for (size_t i = 0; i < ACTS_MAX && sequence->acts[i].verb != END; i++) {
        act(player, &sequence->acts[i]);
    }
}

int commit_outcomes_run(const struct outcome_server *server)
{
    struct CMUnitTest tests[SEQUENCE_COUNT]; /* one named test a row */

    current = server;
    for (size_t i = 0; i < SEQUENCE_COUNT; i++) {
        tests[i] = (struct CMUnitTest){ sequences[i].name, play, set_up, tear_down,
                                        (void *)&sequences[i] };
    }
    return cmocka_run_group_tests_name(server->provider.name, tests, NULL, NULL);
}
