/* postgres_ledger.c: taking, reading and advancing the ledger.
 *
 * Claiming goes: end the backends that older instances of this pipeline left behind, read, take by
 * compare-and-set on what was read, read again. A command of a dead instance that the server still
 * works on can come before the take (then the take raises and we are told) or after it (then it
 * raises itself): never unnoticed (rule 6).
 * Checked by tests/contract/test_sink_contract.c and tests/contract/test_postgres_sink.c. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/fail_point.h"
#include "sink/postgres_internal.h"

enum { CLAIM_TRIES_MAX = 3, DIGEST_HEX_BYTES = 32 };

/* ---- values as text ---- */

static void put_hex(struct weir_buf *ret, const void *data, size_t bytes)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = data;

    for (size_t i = 0; i < bytes; i++) {
        weir_buf_put_u8(ret, (uint8_t)digits[from[i] >> 4]);
        weir_buf_put_u8(ret, (uint8_t)digits[from[i] & 15]);
    }
}

/* decode(), as a backslash in a literal would hang on a setting of the server. */
static void put_bytea(struct weir_buf *ret, const void *data, size_t bytes)
{
    weir_buf_append_text(ret, "pg_catalog.decode('");
    put_hex(ret, data, bytes);
    weir_buf_append_text(ret, "', 'hex')");
}

static void put_digest(struct weir_buf *ret, struct weir_digest digest)
{
    weir_buf_printf(ret, "pg_catalog.decode('%016llx%016llx', 'hex')",
                    (unsigned long long)digest.hi, (unsigned long long)digest.lo);
}

static void put_uuid(struct weir_buf *ret, const uint8_t uuid[WEIR_UUID_BYTES])
{
    weir_buf_put_u8(ret, '\'');
    put_hex(ret, uuid, WEIR_UUID_BYTES);
    weir_buf_append_text(ret, "'::pg_catalog.uuid");
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes of a text of hex digits (dashes of a uuid are skipped); false when it is not such a text
 * or does not give exactly bytes of them. */
static bool get_hex(const char *text, uint8_t *ret, size_t bytes)
{
    size_t at = 0;

    while (*text != '\0') {
        if (*text == '-') {
            text++;
            continue;
        }
        int high = hex_digit(text[0]);
        int low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0 || at == bytes) {
            return false;
        }
        ret[at++] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return at == bytes;
}

static bool get_digest(const char *text, struct weir_digest *ret)
{
    uint8_t bytes[DIGEST_HEX_BYTES / 2];

    if (!get_hex(text, bytes, sizeof(bytes))) {
        return false;
    }
    *ret = (struct weir_digest){ 0 };
    for (int i = 0; i < 8; i++) {
        ret->hi = ret->hi << 8 | bytes[i];
        ret->lo = ret->lo << 8 | bytes[8 + i];
    }
    return true;
}

void weir_postgres_advance(const struct weir_postgres_sink *sink,
                           const struct weir_postgres_part *part, struct weir_buf *ret)
{
    const struct weir_ledger_step *step = &part->step;
    const struct weir_sink_tally *tally = &part->rows.tally;

    weir_buf_append_text(ret, "SELECT weir.advance(");
    put_uuid(ret, sink->uuid);
    weir_buf_printf(ret, ",%u,%llu,%lld,", part->number, (unsigned long long)step->batch,
                    (long long)step->t);
    put_digest(ret, step->plan);
    weir_buf_printf(ret, ",%lld,", (long long)step->previous_t);
    put_digest(ret, step->previous_plan);
    weir_buf_printf(ret, ",%llu,", (unsigned long long)sink->generation);
    put_uuid(ret, sink->owner);
    weir_buf_put_u8(ret, ',');
    put_digest(ret, step->map);
    weir_buf_put_u8(ret, ',');
    put_digest(ret, step->definition);
    weir_buf_printf(ret, ",%llu,%llu,%llu,%u,", (unsigned long long)step->source_rows,
                    (unsigned long long)tally->rows, (unsigned long long)part->rows.refused,
                    part->rows.letter_count);
    put_digest(ret, tally->digest);
    weir_buf_put_u8(ret, ',');
    put_bytea(ret, step->ends.data, step->ends.len);
    weir_buf_put_u8(ret, ',');
    if (step->ranges_json.len == 0) {
        weir_buf_append_text(ret, "NULL");
    } else {
        weir_postgres_quote_text(ret, step->ranges_json);
    }
    weir_buf_append_text(ret, step->repeat_allowed ? ",true)" : ",false)");
}

/* ---- reading ---- */

static const char ledger_columns[] =
    "SELECT partition, partitions, batch, t, pg_catalog.encode(plan, 'hex'),"
    " pg_catalog.encode(map, 'hex'), pg_catalog.encode(definition, 'hex'), rows,"
    " pg_catalog.encode(output, 'hex'), generation, owner, pg_catalog.encode(ends, 'hex')"
    " FROM weir.ledger WHERE pipeline = ";

static bool parse_row(const PGresult *result, int r, struct weir_ledger_row *ret)
{
    *ret = (struct weir_ledger_row){
        .partition = (uint32_t)strtoul(PQgetvalue(result, r, 0), NULL, 10),
        .partitions = (uint32_t)strtoul(PQgetvalue(result, r, 1), NULL, 10),
        .batch = strtoull(PQgetvalue(result, r, 2), NULL, 10),
        .t = strtoll(PQgetvalue(result, r, 3), NULL, 10),
        .rows = strtoull(PQgetvalue(result, r, 7), NULL, 10),
        .generation = strtoull(PQgetvalue(result, r, 9), NULL, 10),
    };
    return get_digest(PQgetvalue(result, r, 4), &ret->plan) &&
           get_digest(PQgetvalue(result, r, 5), &ret->map) &&
           get_digest(PQgetvalue(result, r, 6), &ret->definition) &&
           get_digest(PQgetvalue(result, r, 8), &ret->output) &&
           get_hex(PQgetvalue(result, r, 10), ret->owner, sizeof(ret->owner)) &&
           ret->partition == (uint32_t)r;
}

static int damaged(const struct weir_postgres_sink *sink, struct weir_error *err)
{
    return weir_error_set_reason(err, WEIR_ECONFLICT, "ledger_uneven",
                                 "weir.ledger in %s was altered by hand: partitions are missing or "
                                 "values are not weir's; restore its rows",
                                 sink->target);
}

/* The ends of all rows go to one buffer; views into it are made when it grows no more. */
static int parse_ends(struct weir_postgres_sink *sink, const PGresult *result,
                      struct weir_ledger *ret, struct weir_error *err)
{
    size_t total = 0;

    for (uint32_t r = 0; r < ret->count; r++) {
        total += (size_t)PQgetlength(result, (int)r, 11) / 2;
    }
    weir_buf_reset(&sink->ends);
    uint8_t *at = weir_buf_reserve(&sink->ends, total + 1);
    if (at == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for the ledger");
    }
    for (uint32_t r = 0; r < ret->count; r++) {
        size_t bytes = (size_t)PQgetlength(result, (int)r, 11) / 2;

        if (!get_hex(PQgetvalue(result, (int)r, 11), at, bytes)) {
            return damaged(sink, err);
        }
        ret->rows[r].ends = (struct weir_str){ (const char *)at, bytes };
        at += bytes;
    }
    return WEIR_OK;
}

int weir_postgres_parse_ledger(struct weir_postgres_sink *sink, const PGresult *result,
                               struct weir_ledger *ret, struct weir_error *err)
{
    *ret = (struct weir_ledger){ .count = (uint32_t)PQntuples(result) };
    bool good = ret->count <= WEIR_OUTPUT_PARTITIONS_MAX;
    for (uint32_t r = 0; good && r < ret->count; r++) {
        good = parse_row(result, (int)r, &ret->rows[r]) && ret->rows[r].partitions == ret->count;
        if (ret->rows[r].generation > ret->generation) {
            ret->generation = ret->rows[r].generation;
        }
    }
    return good ? parse_ends(sink, result, ret, err) : damaged(sink, err);
}

/* All rows in one statement; none of them is WEIR_OK with count 0. */
static int read_ledger(struct weir_postgres_sink *sink, PGconn *connection,
                       const uint8_t uuid[WEIR_UUID_BYTES], struct weir_ledger *ret,
                       struct weir_error *err)
{
    PGresult *result = NULL, *failed = NULL;
    int rc;

    weir_buf_reset(&sink->query);
    weir_buf_append_text(&sink->query, ledger_columns);
    put_uuid(&sink->query, uuid);
    weir_buf_append_text(&sink->query, " ORDER BY partition");
    weir_buf_put_u8(&sink->query, 0);
    if (sink->query.failed) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a statement");
    }
    rc = weir_postgres_run(sink, connection, (const char *)sink->query.data, &result, &failed, err);
    if (weir_postgres_is(failed, "42P01")) { /* schema weir is there, or this was not called */
        rc = weir_error_set_reason(err, WEIR_ECONFLICT, "ledger_missing",
                                   "the table weir.ledger is gone from %s; what it vouched for is "
                                   "not known any more",
                                   sink->target);
    }
    PQclear(failed);
    if (rc != WEIR_OK) {
        return rc;
    }
    rc = weir_postgres_parse_ledger(sink, result, ret, err);
    memcpy(ret->uuid, uuid, WEIR_UUID_BYTES);
    memcpy(sink->ledger_server, sink->control_server, sizeof(sink->ledger_server));
    PQclear(result);
    return rc;
}

int weir_postgres_look(void *self, struct weir_ledger *ret, struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    PGconn *connection;
    int rc = weir_postgres_control(sink, &connection, err);

    if (rc == WEIR_OK) {
        rc = read_ledger(sink, connection, sink->uuid, ret, err);
    }
    return rc;
}

/* ---- taking ---- */

/* The uuid that the database knows for the pipeline's name. */
static int find_pipeline(struct weir_postgres_sink *sink, PGconn *connection, const char *name,
                         bool *ret_found, uint8_t ret[WEIR_UUID_BYTES], struct weir_error *err)
{
    PGresult *result = NULL;
    int rc;

    weir_buf_reset(&sink->query);
    weir_buf_append_text(&sink->query, "SELECT uuid FROM weir.pipeline WHERE name = ");
    weir_postgres_quote_text(&sink->query, weir_str_from(name));
    weir_buf_put_u8(&sink->query, 0);
    if (sink->query.failed) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a statement");
    }
    rc = weir_postgres_run(sink, connection, (const char *)sink->query.data, &result, NULL, err);
    if (rc == WEIR_OK) {
        *ret_found = PQntuples(result) == 1;
        if (*ret_found && !get_hex(PQgetvalue(result, 0, 0), ret, WEIR_UUID_BYTES)) {
            rc = damaged(sink, err);
        }
    }
    PQclear(result);
    return rc;
}

/* Rule 18: ends the backends of other instances of this pipeline and waits until they are gone, for
 * a transaction that has advanced would keep us waiting, and a queued command could come after our
 * read. Only those of our own role can be seen and ended; the compare-and-set guards against the
 * rest. */
static int terminate_others(struct weir_postgres_sink *sink, PGconn *connection,
                            struct weir_error *err)
{
    int named = (int)sizeof("weir ") - 1 + 2 * WEIR_UUID_BYTES; /* up to the owner */
    char which[256];

    (void)snprintf(which, sizeof(which),
                   "pg_catalog.starts_with(application_name, '%.*s') AND application_name <> '%s'",
                   named, sink->application_name, sink->application_name);
    return weir_postgres_terminate(sink, connection, which, err);
}

/* One statement in a transaction of its own, with time limits. *ret_failed as weir_postgres_run. */
static int run_alone(struct weir_postgres_sink *sink, PGconn *connection, struct weir_buf *call,
                     PGresult **ret_failed, struct weir_error *err)
{
    int rc;

    weir_buf_reset(&sink->query);
    weir_buf_append_text(&sink->query, sink->begin);
    weir_buf_append(&sink->query, call->data, call->len);
    weir_buf_append_text(&sink->query, ";COMMIT");
    weir_buf_put_u8(&sink->query, 0);
    if (sink->query.failed || call->failed) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a statement");
    }
    rc = weir_postgres_run(sink, connection, (const char *)sink->query.data, NULL, ret_failed, err);
    if (rc != WEIR_OK && PQtransactionStatus(connection) == PQTRANS_INERROR) {
        /* Its failure changes nothing: the next user of the connection opens another one. */
        (void)weir_postgres_run(sink, connection, "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

static void put_expected(struct weir_buf *call, const struct weir_ledger *seen)
{
    weir_buf_append_text(call, ",ARRAY[");
    for (uint32_t r = 0; r < seen->count; r++) {
        weir_buf_printf(call, "%s%llu", r == 0 ? "" : ",",
                        (unsigned long long)seen->rows[r].generation);
    }
    weir_buf_append_text(call, "]::bigint[],ARRAY[");
    for (uint32_t r = 0; r < seen->count; r++) {
        if (r != 0) {
            weir_buf_put_u8(call, ',');
        }
        put_uuid(call, seen->rows[r].owner);
    }
    weir_buf_append_text(call, "]::uuid[]");
}

static int enroll(struct weir_postgres_sink *sink, PGconn *connection,
                  const struct weir_claim *claim, PGresult **ret_failed, struct weir_error *err)
{
    struct weir_buf call = { 0 };

    weir_buf_append_text(&call, "SELECT weir.enroll(");
    weir_postgres_quote_text(&call, weir_str_from(claim->name));
    weir_buf_put_u8(&call, ',');
    put_uuid(&call, claim->uuid);
    weir_buf_printf(&call, ",%u,%llu,", sink->args.partitions,
                    (unsigned long long)claim->generation_above + 1);
    put_uuid(&call, claim->owner);
    weir_buf_put_u8(&call, ',');
    put_digest(&call, claim->definition);
    weir_buf_put_u8(&call, ')');
    int rc = run_alone(sink, connection, &call, ret_failed, err);
    weir_buf_fini(&call);
    return rc;
}

static uint64_t next_generation(const struct weir_claim *claim, const struct weir_ledger *seen)
{
    uint64_t above =
        claim->generation_above > seen->generation ? claim->generation_above : seen->generation;
    return above + 1;
}

static int take(struct weir_postgres_sink *sink, PGconn *connection, const struct weir_claim *claim,
                const struct weir_ledger *seen, struct weir_error *err)
{
    struct weir_buf call = { 0 };

    weir_buf_append_text(&call, "SELECT weir.take(");
    put_uuid(&call, seen->uuid);
    put_expected(&call, seen);
    weir_buf_printf(&call, ",%llu,", (unsigned long long)next_generation(claim, seen));
    put_uuid(&call, claim->owner);
    weir_buf_put_u8(&call, ')');
    int rc = run_alone(sink, connection, &call, NULL, err);
    weir_buf_fini(&call);
    return rc;
}

/* What was read after taking must be ours throughout, or another starter came between. */
static int confirm(struct weir_postgres_sink *sink, PGconn *connection, struct weir_ledger *ret,
                   struct weir_error *err)
{
    int rc = read_ledger(sink, connection, sink->uuid, ret, err);

    for (uint32_t r = 0; rc == WEIR_OK && r < ret->count; r++) {
        if (ret->rows[r].generation != ret->generation ||
            memcmp(ret->rows[r].owner, sink->owner, WEIR_UUID_BYTES) != 0) {
            rc = weir_error_set(err, WEIR_EFENCED, "another instance took weir.ledger in %s",
                                sink->target);
        }
    }
    if (rc == WEIR_OK && ret->count == 0) {
        rc = weir_error_set_reason(err, WEIR_ECONFLICT, "ledger_missing",
                                   "the rows of pipeline \"%s\" are gone from weir.ledger in %s",
                                   sink->args.pipeline, sink->target);
    }
    if (rc == WEIR_OK) {
        sink->generation = ret->generation;
    }
    return rc;
}

static int conflict_of_names(const struct weir_postgres_sink *sink, const struct weir_claim *claim,
                             bool found, struct weir_error *err)
{
    if (!found) {
        return weir_error_set_reason(err, WEIR_ECONFLICT, "ledger_missing",
                                     "the log knows pipeline \"%s\", but weir.pipeline in %s does "
                                     "not: it is another database, or its ledger was removed",
                                     claim->name, sink->target);
    }
    return weir_error_set_reason(err, WEIR_ECONFLICT, "ledger_of_another",
                                 "pipeline \"%s\" in %s is not the one of this log (its uuid "
                                 "differs): another data directory, or another database",
                                 claim->name, sink->target);
}

/* One try; *ret_again says that another starter enrolled the pipeline at the same moment. */
static int claim_once(struct weir_postgres_sink *sink, PGconn *connection,
                      const struct weir_claim *claim, struct weir_ledger *ret, bool *ret_again,
                      struct weir_error *err)
{
    uint8_t uuid[WEIR_UUID_BYTES];
    bool found = false, created = false;
    PGresult *failed = NULL;
    int rc = find_pipeline(sink, connection, claim->name, &found, uuid, err);

    *ret_again = false;
    if (rc != WEIR_OK) {
        return rc;
    }
    if (claim->uuid_known && (!found || memcmp(uuid, claim->uuid, WEIR_UUID_BYTES) != 0)) {
        return conflict_of_names(sink, claim, found, err);
    }
    memcpy(sink->uuid, found ? uuid : claim->uuid, WEIR_UUID_BYTES);
    memcpy(sink->owner, claim->owner, WEIR_UUID_BYTES);
    weir_postgres_name_application(sink);
    if (!found) {
        rc = WEIR_FAIL_AROUND(start_enroll, enroll(sink, connection, claim, &failed, err), err);
        *ret_again = weir_postgres_is(failed, "23505");
        PQclear(failed);
        created = rc == WEIR_OK;
    } else {
        rc = terminate_others(sink, connection, err);
        if (rc == WEIR_OK) {
            rc = read_ledger(sink, connection, uuid, ret, err);
        }
        if (rc == WEIR_OK) {
            rc = WEIR_FAIL_AROUND(start_take, take(sink, connection, claim, ret, err), err);
        }
    }
    if (rc == WEIR_OK) {
        rc = confirm(sink, connection, ret, err);
        ret->created = created;
    }
    return rc;
}

int weir_postgres_claim(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                        struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    PGconn *connection;
    bool again = true;
    int rc = weir_postgres_control(sink, &connection, err);

    if (rc == WEIR_OK) {
        rc = WEIR_FAIL_AROUND(start_install, weir_postgres_install(sink, connection, err), err);
    }
    if (rc == WEIR_OK) {
        rc = weir_postgres_create_tables(sink, connection, err);
    }
    for (int i = 0; rc == WEIR_OK && again && i < CLAIM_TRIES_MAX; i++) {
        rc = claim_once(sink, connection, claim, ret, &again, err);
        if (again && i + 1 < CLAIM_TRIES_MAX) {
            rc = WEIR_OK;
        }
    }
    if (rc == WEIR_OK) {
        /* From now on under the pipeline's own name, so that a later instance can end it. */
        PQfinish(sink->control);
        sink->control = NULL;
    }
    return rc;
}

int weir_postgres_repartition(void *self, const struct weir_claim *claim, struct weir_ledger *ret,
                              struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    struct weir_buf call = { 0 };
    PGresult *failed = NULL;
    PGconn *connection;
    int rc = weir_postgres_control(sink, &connection, err);

    if (rc == WEIR_OK) {
        rc = confirm(sink, connection, ret, err);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    weir_buf_append_text(&call, "SELECT weir.repartition(");
    put_uuid(&call, sink->uuid);
    put_expected(&call, ret);
    weir_buf_printf(&call, ",%llu,", (unsigned long long)next_generation(claim, ret));
    put_uuid(&call, claim->owner);
    weir_buf_printf(&call, ",%u,", sink->args.partitions);
    put_digest(&call, claim->definition);
    weir_buf_put_u8(&call, ')');
    rc = run_alone(sink, connection, &call, &failed, err);
    if (weir_postgres_is(failed, WEIR_SQLSTATE_UNEVEN)) {
        rc = weir_error_set_reason(err, WEIR_ECONFLICT, "ledger_uneven",
                                   "the partitions of pipeline \"%s\" in %s are at different "
                                   "batches: finish the open one with the old output_partitions",
                                   claim->name, sink->target);
    }
    PQclear(failed);
    weir_buf_fini(&call);
    if (rc == WEIR_OK) {
        memcpy(sink->owner, claim->owner, WEIR_UUID_BYTES);
        weir_postgres_name_application(sink);
        rc = confirm(sink, connection, ret, err);
    }
    return rc;
}
