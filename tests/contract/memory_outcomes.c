/* memory_outcomes.c: the ends of COMMITs as the simulator draws them (sink/memory_sink.h). */
#include "tests/contract/commit_outcomes.h"
#include "tests/contract/memory_provider.h"

static bool is_claim_lost;

static enum weir_memory_answer call(void *context)
{
    bool was_lost = is_claim_lost;

    (void)context;
    is_claim_lost = false;
    return was_lost ? WEIR_MEMORY_AT_WORK : WEIR_MEMORY_ANSWERS;
}

static void begin(void)
{
    weir_memory_play(memory_provider_database(), &(struct weir_memory_play){ .call = call });
}

static void end(void)
{
    is_claim_lost = false;
}

static void set_clients(bool linger, bool hurry)
{
    (void)hurry; /* waiting takes no time */
    weir_memory_late_linger(memory_provider_database(), linger);
}

static void prepare(struct sink_fixture *fixture, void *sink, enum fate fate)
{
    static const enum weir_memory_fault faults[] = {
        [FATE_NEVER_ARRIVES] = WEIR_MEMORY_LOST_BEFORE,
        [FATE_ANSWER_LOST] = WEIR_MEMORY_LOST_AFTER,
        [FATE_LATE] = WEIR_MEMORY_LATE,
        [FATE_LATE_LOCKED] = WEIR_MEMORY_LATE_LOCKED,
        [FATE_LOCK_TIMEOUT] = WEIR_MEMORY_ROLLED_BACK,
        [FATE_CANCELLED] = WEIR_MEMORY_ROLLED_BACK,
        [FATE_BROKEN] = WEIR_MEMORY_BROKEN,
    };

    (void)fixture;
    (void)sink;
    if (fate != FATE_SOUND) {
        weir_memory_inject(memory_provider_database(),
                           &(struct weir_memory_injection){
                               .fault = faults[fate], .partition = UINT32_MAX, .count = 1 });
    }
}

static void follow(struct sink_fixture *fixture, void *sink, enum fate fate)
{
    (void)fixture;
    (void)sink;
    (void)fate;
}

static void clear(enum fate fate)
{
    (void)fate;
}

static void lose_claim(struct sink_fixture *fixture)
{
    const struct weir_claim claim = { .name = "contract", .owner = { 3 } };
    const struct weir_sink_ops *ops = fixture->provider->ops;
    struct weir_ledger ledger;
    void *starter = NULL;

    assert_int_equal(ops->open(&fixture->args, &starter, NULL), WEIR_OK);
    is_claim_lost = true;
    assert_int_equal(ops->claim(starter, &claim, &ledger, NULL), WEIR_EAWAY);
    ops->close(starter);
}

static void end_late(bool commits)
{
    struct weir_memory_database *database = memory_provider_database();

    for (uint32_t left = weir_memory_late_count(database); left > 0; left--) {
        assert_true(weir_memory_end_late(database, 0, commits));
    }
}

const struct outcome_server *memory_outcomes(void)
{
    static struct outcome_server server = { .begin = begin,
                                            .end = end,
                                            .set_clients = set_clients,
                                            .prepare = prepare,
                                            .follow = follow,
                                            .clear = clear,
                                            .lose_claim = lose_claim,
                                            .end_late = end_late };

    server.provider = memory_provider();
    return &server;
}
