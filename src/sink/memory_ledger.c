/* memory_ledger.c: taking, reading and repartitioning the ledger of the memory sink, as
 * postgres_ledger.c does in the server.
 *
 * Checked by tests/contract/test_sink_contract.c and commit_outcomes.c. */
#include "base/variant.h"
#include "sink/memory_internal.h"

/* The server that calls reach: the one that they reached before, as long as it answers. */
static struct weir_memory_database *control(struct memory_sink *sink)
{
    struct weir_memory_database *ret =
        sink->has_control ? weir_memory_server(sink->database, sink->control_life) : NULL;

    if (ret == NULL) {
        sink->has_control = true;
        sink->control_life = sink->database->lives;
        ret = sink->database;
    }
    return ret;
}

static void read_ledger(struct memory_sink *sink, const struct weir_memory_database *server,
                        struct weir_ledger *ret)
{
    weir_memory_read_ledger(server, sink->uuid, ret);
    sink->ledger_life = sink->control_life;
}

static void stamp(struct memory_sink *sink, const struct weir_claim *claim,
                  struct weir_ledger *ledger)
{
    uint64_t above =
        claim->generation_above > ledger->generation ? claim->generation_above : ledger->generation;

    ledger->generation = above + 1;
    for (uint32_t p = 0; p < ledger->count; p++) {
        ledger->rows[p].generation = ledger->generation;
        memcpy(ledger->rows[p].owner, claim->owner, WEIR_UUID_BYTES);
    }
    memcpy(sink->uuid, ledger->uuid, WEIR_UUID_BYTES);
    memcpy(sink->owner, claim->owner, WEIR_UUID_BYTES);
    sink->generation = ledger->generation;
}

/* The ledger of a pipeline that the sink does not know yet. */
static void make_ledger(const struct memory_sink *sink, const struct weir_claim *claim,
                        struct weir_ledger *ret)
{
    *ret = (struct weir_ledger){ .created = true, .count = sink->args.partitions };
    memcpy(ret->uuid, claim->uuid, WEIR_UUID_BYTES);
    for (uint32_t p = 0; p < ret->count; p++) {
        ret->rows[p] = (struct weir_ledger_row){ .partition = p,
                                                 .partitions = ret->count,
                                                 .definition = claim->definition,
                                                 .ends = WEIR_STR("") };
    }
}

static int check_known(const uint8_t *uuid, const struct weir_claim *claim, struct weir_error *err)
{
    if (uuid == NULL && claim->uuid_known) {
        return weir_error_set_reason(err, WEIR_ECONFLICT, "ledger_missing",
                                     "the sink knows no pipeline \"%s\"", claim->name);
    }
    if (uuid != NULL && claim->uuid_known && memcmp(uuid, claim->uuid, WEIR_UUID_BYTES) != 0) {
        return weir_error_set_reason(err, WEIR_ECONFLICT, "ledger_of_another",
                                     "the sink's pipeline \"%s\" is another one", claim->name);
    }
    return WEIR_OK;
}

/* Takes the rows of the ledger, as they were seen. */
static int write_ledger(struct memory_sink *sink, const struct weir_claim *claim,
                        struct weir_memory_database *server, const struct weir_ledger *seen,
                        struct weir_ledger *ledger, bool is_late, struct weir_error *err)
{
    stamp(sink, claim, ledger);
    if (server->waits_for_standby) {
        return weir_error_set(err, WEIR_EAWAY, "the server waits for a standby");
    }
    int rc = weir_memory_write_ledger(server, claim->name, seen, ledger, is_late, err);
    if (rc == WEIR_OK && is_late) {
        rc = weir_error_set(err, WEIR_EAWAY, "connection lost");
    }
    return rc;
}

int weir_memory_claim(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                      struct weir_error *err)
{
    struct memory_sink *sink = self;
    struct weir_ledger early = { 0 };
    struct weir_ledger seen = { 0 };
    struct weir_ledger ledger;
    bool is_late;
    struct weir_memory_database *server = control(sink);
    const uint8_t *uuid = weir_memory_pipeline_uuid(server, claim->name);

    if (uuid != NULL && WEIR_VARIANT(ledger_before_claim)) {
        weir_memory_read_ledger(server, uuid, &early);
    }
    int rc = weir_memory_reach(sink->database, &is_late, err);
    uuid = weir_memory_pipeline_uuid(server, claim->name);
    if (rc == WEIR_OK) {
        rc = check_known(uuid, claim, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    if (uuid == NULL || WEIR_VARIANT(claim_makes_ledger_anew)) {
        make_ledger(sink, claim, &ledger);
    } else {
        weir_memory_terminate_others(server, uuid, claim->owner);
        if (weir_memory_is_held(server, uuid) && !WEIR_VARIANT(claim_ignores_row_lock)) {
            return weir_error_set(err, WEIR_EAWAY, "canceling statement due to lock timeout");
        }
        weir_memory_read_ledger(server, uuid, &seen);
        ledger = seen;
    }
    rc = write_ledger(sink, claim, server, &seen, &ledger, is_late, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    read_ledger(sink, server, ret);
    sink->has_control = false; /* the next one goes under another name */
    ret->created = ledger.created;
    if (early.count != 0 && WEIR_VARIANT(ledger_before_claim)) {
        early.generation = ret->generation;
        *ret = early;
    }
    return WEIR_OK;
}

int weir_memory_look(void *self, struct weir_ledger *ret, struct weir_error *err)
{
    struct memory_sink *sink = self;
    int rc = weir_memory_reach(sink->database, NULL, err);

    if (rc == WEIR_OK) {
        read_ledger(sink, control(sink), ret);
    }
    return rc;
}

int weir_memory_repartition(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                            struct weir_error *err)
{
    struct memory_sink *sink = self;
    struct weir_ledger seen;
    struct weir_ledger ledger;
    bool is_late;
    int rc = weir_memory_reach(sink->database, &is_late, err);

    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_memory_database *server = control(sink);
    read_ledger(sink, server, &ledger);
    for (uint32_t p = 0; p < ledger.count; p++) {
        if (ledger.rows[p].generation != sink->generation ||
            memcmp(ledger.rows[p].owner, sink->owner, WEIR_UUID_BYTES) != 0) {
            return weir_error_set(err, WEIR_EFENCED, "another instance took the ledger");
        }
        if (ledger.rows[p].batch != ledger.rows[0].batch ||
            !weir_digest_equal(ledger.rows[p].plan, ledger.rows[0].plan)) {
            return weir_error_set_reason(err, WEIR_ECONFLICT, "ledger_uneven",
                                         "the partitions are at different batches");
        }
    }
    seen = ledger;
    ledger.count = sink->args.partitions;
    for (uint32_t p = 0; p < ledger.count; p++) {
        ledger.rows[p] = ledger.rows[0];
        ledger.rows[p].partition = p;
        ledger.rows[p].partitions = ledger.count;
        ledger.rows[p].definition = claim->definition;
        ledger.rows[p].rows = 0; /* of the old partitions: true of none of the new ones */
        ledger.rows[p].output = (struct weir_digest){ 0 };
    }
    rc = write_ledger(sink, claim, server, &seen, &ledger, is_late, err);
    if (rc == WEIR_OK) {
        read_ledger(sink, server, ret);
    }
    return rc;
}
