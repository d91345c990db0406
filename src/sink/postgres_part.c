/* postgres_part.c: the transaction of one part, as a state machine that never waits.
 *
 * A part is a row of sections: each table without a key is a COPY, the dead letters are one, each
 * table with a key is a series of upserts. The first COPY runs while rows are still being gathered;
 * the others follow when the batch is finished. BEGIN and its settings travel with the first
 * statement, advance and COMMIT with each other, so a batch of one table costs three round trips.
 *
 * U1  Upserts of a batch are sent only when all rows of the older batches are in the server, so a
 *     younger transaction can wait for an older one's row locks, never the reverse.
 * U2  The server's count of a COPY or upsert equals the rows that were sent, or nothing is in.
 * S1  Nothing is sent to a server that was started, or a database that was made, after the ledger was
 *     last read: what is there may be older. It counts as a lost connection, so a look comes first.
 *     Only so can a connection that is opened late not step a partition whose sisters went back. [T5]
 *     A pipeline of one partition has none, and at_least_once does not look before it sends again.
 * K1 to K3 of sink.h.
 * Checked by asserts tagged K2 and U1, tests/contract/, and tests/integration/test_goes_back.py (S1). */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/fail_point.h"
#include "sink/postgres_internal.h"

enum { SEND_BYTES = 65536 }; /* given to libpq at a time; it holds back no more than twice that */

const char weir_postgres_copy_header[19] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
const char weir_postgres_copy_trailer[2] = "\377\377";

/* COPY inserts rows in groups of up to 1 000, and each COPY makes the slots for them anew: that costs
 * more than the rows themselves when there are no more of them than slots. A condition that calls a
 * volatile function makes it insert row by row (PostgreSQL, src/backend/commands/copyfrom.c). */
enum { COPY_SLOTS = 1000 };
static const char copy_row_by_row[] = " WHERE pg_catalog.random() >= 0";

#define TO(state) (1u << WEIR_POSTGRES_##state)
/* ROLLING_BACK and UNSENT can be reached from wherever something was sent. */
#define FAIL (TO(ROLLING_BACK) | TO(UNSENT))

/* Which moves are allowed, from each state. */
static const uint32_t moves[WEIR_POSTGRES_STATE_COUNT] = {
    [WEIR_POSTGRES_FREE] = TO(READY),
    [WEIR_POSTGRES_UNSENT] = TO(READY) | TO(FREE),
    [WEIR_POSTGRES_READY] = TO(STARTING) | TO(COMMITTING) | TO(UNSENT) | TO(FREE),
    [WEIR_POSTGRES_STARTING] = TO(COPYING) | TO(OPEN) | FAIL,
    [WEIR_POSTGRES_COPYING] = TO(COPY_ENDING) | FAIL,
    [WEIR_POSTGRES_COPY_ENDING] = TO(OPEN) | FAIL,
    [WEIR_POSTGRES_UPSERTING] = TO(OPEN) | FAIL,
    [WEIR_POSTGRES_OPEN] = TO(STARTING) | TO(UPSERTING) | TO(ROWS_IN) | FAIL,
    [WEIR_POSTGRES_ROWS_IN] = TO(COMMITTING) | FAIL,
    [WEIR_POSTGRES_COMMITTING] = TO(IN) | FAIL,
    [WEIR_POSTGRES_ROLLING_BACK] = TO(UNSENT),
    [WEIR_POSTGRES_IN] = TO(FREE),
};

void weir_postgres_set_state(struct weir_postgres_part *part, enum weir_postgres_state state)
{
    weir_assert((moves[part->state] >> state & 1) != 0);
    part->state = state;
    part->since_ms = weir_postgres_now_ms();
}

/* ---- ways out ---- */

/* Gives the connection up. Its backend may still be at work: it is ended before the part is sent
 * again, and until then the ledger's compare-and-set keeps it harmless. */
static void drop_connection(struct weir_postgres_part *part)
{
    if (part->connection != NULL) {
        part->lost_pid = PQbackendPID(part->connection);
        PQfinish(part->connection);
        part->connection = NULL;
    }
}

static void publish(struct weir_postgres_part *part)
{
    weir_assert(part->event.outcome != WEIR_SINK_NONE);
    part->event_ready = true;
}

/* Whatever the server was at, nobody will tell us. */
static void lose_for(struct weir_postgres_part *part, const struct weir_error *why)
{
    if (part->event.outcome == WEIR_SINK_NONE || part->state == WEIR_POSTGRES_COMMITTING) {
        part->event.err = *why;
        part->event.outcome = WEIR_SINK_LOST;
    }
    drop_connection(part);
    weir_postgres_set_state(part, WEIR_POSTGRES_UNSENT);
    publish(part);
}

static void lose(struct weir_postgres_sink *sink, struct weir_postgres_part *part)
{
    struct weir_error why;

    (void)weir_postgres_connection_error(sink, part->connection, &why);
    lose_for(part, &why);
}

/* After an error that the server told: the transaction is aborted, or over. */
static void fail(struct weir_postgres_sink *sink, struct weir_postgres_part *part)
{
    if (part->event.outcome == WEIR_SINK_LOST || PQstatus(part->connection) != CONNECTION_OK) {
        lose(sink, part);
    } else if (PQtransactionStatus(part->connection) == PQTRANS_IDLE) {
        weir_postgres_set_state(part, WEIR_POSTGRES_UNSENT);
        publish(part);
    } else if (PQsendQuery(part->connection, "ROLLBACK") == 0) {
        lose(sink, part);
    } else {
        weir_postgres_set_state(part, WEIR_POSTGRES_ROLLING_BACK);
    }
}

static void fail_with(struct weir_postgres_sink *sink, struct weir_postgres_part *part,
                      enum weir_sink_outcome outcome)
{
    part->event.outcome = outcome;
    fail(sink, part);
}

void weir_postgres_abandon(struct weir_postgres_part *part)
{
    if (part->state == WEIR_POSTGRES_UNSENT || part->state == WEIR_POSTGRES_IN) {
        return;
    }
    if (part->state != WEIR_POSTGRES_READY) {
        drop_connection(part);
    }
    part->event_ready = false;
    weir_postgres_set_state(part, WEIR_POSTGRES_UNSENT);
}

int weir_postgres_restart(struct weir_postgres_sink *sink, struct weir_postgres_part *part,
                          struct weir_error *err)
{
    int rc = WEIR_OK;

    if (part->connection != NULL && (PQstatus(part->connection) != CONNECTION_OK ||
                                     PQtransactionStatus(part->connection) != PQTRANS_IDLE)) {
        drop_connection(part);
    }
    if (part->connection == NULL) {
        rc = WEIR_FAIL_AROUND(sink_connect, weir_postgres_connect(sink, &part->connection, err),
                              err);
        if (rc == WEIR_OK) {
            rc = weir_postgres_server(sink, part->connection, part->server, err);
        }
        if (rc == WEIR_OK && part->lost_pid != 0) {
            char which[128];

            /* The number alone may be somebody else's by now: the name must be ours as well. */
            (void)snprintf(which, sizeof(which), "pid = %d AND application_name = '%s'",
                           part->lost_pid, sink->application_name);
            rc = weir_postgres_terminate(sink, part->connection, which, err);
        }
        if (rc == WEIR_OK) {
            part->lost_pid = 0;
        } else {
            PQfinish(part->connection); /* another try does all of this again */
            part->connection = NULL;
        }
    }
    return rc;
}

/* ---- sections ---- */

static bool is_letters(const struct weir_postgres_part *part)
{
    return part->section == part->rows.table_count;
}

static bool is_keyed(const struct weir_postgres_part *part)
{
    return !is_letters(part) && part->rows.tables[part->section].target->key_count != 0;
}

static bool choose(struct weir_postgres_part *part, uint32_t section)
{
    part->section = section;
    part->section_rows = 0;
    part->section_bytes = 0;
    part->any_done = true;
    return true;
}

/* U1: whether a batch's upserts may be sent. */
static bool older_rows_are_in(const struct weir_postgres_sink *sink, uint64_t number)
{
    for (uint32_t s = 0; s < sink->args.slots; s++) {
        const struct weir_postgres_batch *batch = &sink->batches[s];
        for (uint32_t p = 0; p < sink->args.partitions; p++) {
            enum weir_postgres_state state = batch->parts[p].state;
            if (batch->number != 0 && batch->number < number && state != WEIR_POSTGRES_ROWS_IN &&
                state != WEIR_POSTGRES_COMMITTING && state != WEIR_POSTGRES_IN) {
                return false;
            }
        }
    }
    return true;
}

enum next { NEXT_SECTION, NEXT_WAIT, NEXT_NONE };

/* Chooses what to send next. */
static enum next next_section(struct weir_postgres_sink *sink, struct weir_postgres_batch *batch,
                              struct weir_postgres_part *part)
{
    uint32_t tables = part->rows.table_count;

    for (uint32_t t = 0; t < tables; t++) {
        const struct weir_part_table *table = &part->rows.tables[t];
        if (table->target->key_count == 0 && table->rows != 0 && !part->section_done[t] &&
            (batch->finished || (!part->any_done && table->rows > COPY_SLOTS)) && choose(part, t)) {
            return NEXT_SECTION;
        }
    }
    if (!batch->finished) {
        return NEXT_WAIT;
    }
    if (part->rows.letter_count != 0 && !part->section_done[tables] && choose(part, tables)) {
        return NEXT_SECTION;
    }
    for (uint32_t t = 0; t < tables; t++) {
        const struct weir_part_table *table = &part->rows.tables[t];
        if (table->target->key_count != 0 && table->order_count != 0 && !part->section_done[t]) {
            if (!older_rows_are_in(sink, batch->number)) {
                return NEXT_WAIT;
            }
            (void)choose(part, t);
            return NEXT_SECTION;
        }
    }
    return NEXT_NONE;
}

/* ---- sending ---- */

/* Sends a query, BEGIN and settings in front of it when no transaction is open yet. */
static bool send_query(struct weir_postgres_sink *sink, struct weir_postgres_part *part)
{
    weir_buf_put_u8(&sink->query, 0);
    return !sink->query.failed && PQsendQuery(part->connection, (const char *)sink->query.data);
}

static void begin_query(struct weir_postgres_sink *sink, const struct weir_postgres_part *part)
{
    weir_buf_reset(&sink->query);
    if (part->state == WEIR_POSTGRES_READY) {
        weir_buf_append_text(&sink->query, sink->begin);
    }
}

/* Sends BEGIN and the head of what the chosen section needs. A COPY of at most COPY_SLOTS rows starts
 * when all of them are there. */
static void start_section(struct weir_postgres_sink *sink, struct weir_postgres_batch *batch,
                          struct weir_postgres_part *part)
{
    bool ok = true;

    if (is_keyed(part) && part->state == WEIR_POSTGRES_OPEN) {
        const struct weir_part_table *rows = &part->rows.tables[part->section];
        uint32_t count = rows->order_count - part->section_rows;

        count = count > WEIR_POSTGRES_UPSERT_ROWS_MAX ? WEIR_POSTGRES_UPSERT_ROWS_MAX : count;
        if (WEIR_FAIL_AROUND(sink_upsert,
                             weir_postgres_upsert_send(sink, part->connection, rows, part->section,
                                                       part->section_rows, count, &part->event.err),
                             &part->event.err) != WEIR_OK) {
            lose(sink, part);
            return;
        }
        part->section_rows += count;
        weir_postgres_set_state(part, WEIR_POSTGRES_UPSERTING);
        return;
    }
    begin_query(sink, part);
    if (is_letters(part)) {
        ok = WEIR_FAIL_POINT(sink_dead_letters_before, NULL) == WEIR_OK &&
             weir_postgres_encode_letters(sink, batch->number, part) &&
             WEIR_FAIL_POINT(sink_dead_letters_after, NULL) == WEIR_OK;
        weir_buf_append_text(&sink->query, weir_postgres_letters_copy);
    } else if (!is_keyed(part)) {
        weir_buf_append_text(&sink->query, sink->tables[part->section].copy);
        if (part->rows.tables[part->section].rows <= COPY_SLOTS) {
            weir_buf_append_text(&sink->query, copy_row_by_row);
        }
    } /* else: BEGIN alone, upserts follow in the extended protocol */
    ok = ok && WEIR_FAIL_POINT(sink_begin_before, NULL) == WEIR_OK && send_query(sink, part) &&
         WEIR_FAIL_POINT(sink_begin_after, NULL) == WEIR_OK;
    weir_postgres_set_state(part, WEIR_POSTGRES_STARTING);
    if (!ok) {
        lose(sink, part);
    }
}

static void send_commit(struct weir_postgres_sink *sink, struct weir_postgres_part *part)
{
    weir_assert(part->allowed); /* K2 */
    begin_query(sink, part);
    weir_postgres_advance(sink, part, &sink->query);
    weir_buf_append_text(&sink->query, ";COMMIT");
    bool ok = WEIR_FAIL_POINT(sink_commit_send_before, NULL) == WEIR_OK && send_query(sink, part) &&
              WEIR_FAIL_POINT(sink_commit_send_after, NULL) == WEIR_OK;
    part->tag_is_commit = false;
    weir_postgres_set_state(part, WEIR_POSTGRES_COMMITTING);
    if (!ok) {
        lose(sink, part);
    }
}

/* The bytes of the COPY at hand, without header and trailer. */
static struct weir_str copy_bytes(const struct weir_postgres_part *part)
{
    const struct weir_buf *bytes =
        is_letters(part) ? &part->letter_bytes : &part->rows.tables[part->section].bytes;

    return (struct weir_str){ (const char *)bytes->data, bytes->len };
}

/* Gives rows to libpq as long as the socket takes them. */
static void send_rows(struct weir_postgres_sink *sink, struct weir_postgres_batch *batch,
                      struct weir_postgres_part *part)
{
    struct weir_str bytes = copy_bytes(part);
    int held = PQflush(part->connection);

    if (held == 0) {
        part->since_ms = weir_postgres_now_ms(); /* it is not the server that we wait for */
    }
    while (held == 0 && part->section_bytes < bytes.len) {
        size_t count = bytes.len - part->section_bytes;

        /* What comes in small pieces is sent in large ones while more is to come. */
        if (count < SEND_BYTES && !batch->finished) {
            return;
        }
        count = count > SEND_BYTES ? SEND_BYTES : count;
        if (WEIR_FAIL_POINT(sink_copy_chunk_before, NULL) != WEIR_OK ||
            PQputCopyData(part->connection, bytes.data + part->section_bytes, (int)count) != 1 ||
            WEIR_FAIL_POINT(sink_copy_chunk_after, NULL) != WEIR_OK) {
            held = -1;
            break;
        }
        part->section_bytes += count;
        held = PQflush(part->connection);
    }
    if (held == 0 && batch->finished) {
        if (WEIR_FAIL_POINT(sink_copy_end_before, NULL) != WEIR_OK ||
            PQputCopyData(part->connection, weir_postgres_copy_trailer,
                          sizeof(weir_postgres_copy_trailer)) != 1 ||
            PQputCopyEnd(part->connection, NULL) != 1 ||
            WEIR_FAIL_POINT(sink_copy_end_after, NULL) != WEIR_OK) {
            held = -1;
        } else {
            part->section_rows =
                is_letters(part) ? part->rows.letter_count : part->rows.tables[part->section].rows;
            weir_postgres_set_state(part, WEIR_POSTGRES_COPY_ENDING);
            held = PQflush(part->connection);
        }
    }
    if (held < 0) {
        lose(sink, part);
    }
}

/* ---- answers ---- */

/* U2. DO NOTHING passes over rows that are there already, so such an upsert may count less. */
static void check_count(struct weir_postgres_sink *sink, struct weir_postgres_part *part,
                        const PGresult *result)
{
    unsigned long long counted = strtoull(PQcmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
    unsigned long long sent = part->section_rows;
    const struct weir_sink_table *target;

    if (part->state == WEIR_POSTGRES_UPSERTING) {
        target = part->rows.tables[part->section].target;
        sent = (sent - 1) % WEIR_POSTGRES_UPSERT_ROWS_MAX + 1; /* of this slice */
        if (target->key_count == target->column_count && counted <= sent) {
            return;
        }
    }
    if (counted != sent && part->event.outcome == WEIR_SINK_NONE) {
        part->event.outcome = WEIR_SINK_BROKEN;
        (void)weir_error_set_reason(
            &part->event.err, WEIR_ESCHEMA, "row_count",
            "%s: %s took %llu of %llu rows: a trigger or rule drops or adds "
            "rows; remove it, or write to another table",
            sink->target,
            is_letters(part) ? "weir.dead_letter" : sink->tables[part->section].quoted, counted,
            sent);
    }
}

/* Takes in one answer. */
static void hear(struct weir_postgres_sink *sink, struct weir_postgres_part *part,
                 const PGresult *result)
{
    const char *tag = PQcmdStatus((PGresult *)(uintptr_t)result);

    switch (PQresultStatus(result)) {
    case PGRES_COPY_IN:
        weir_assert(part->state == WEIR_POSTGRES_STARTING);
        if (PQputCopyData(part->connection, weir_postgres_copy_header,
                          sizeof(weir_postgres_copy_header)) == 1) {
            weir_postgres_set_state(part, WEIR_POSTGRES_COPYING);
        } else {
            lose(sink, part);
        }
        break;
    case PGRES_COMMAND_OK:
        if (part->state == WEIR_POSTGRES_COPY_ENDING || part->state == WEIR_POSTGRES_UPSERTING) {
            (void)WEIR_FAIL_POINT(sink_row_count_before, NULL);
            check_count(sink, part, result);
            (void)WEIR_FAIL_POINT(sink_row_count_after, NULL);
        }
        part->tag_is_commit = strcmp(tag, "COMMIT") == 0; /* K3 */
        break;
    case PGRES_TUPLES_OK: /* settings, advance */
        break;
    default:
        if (part->event.outcome == WEIR_SINK_NONE) {
            part->event.outcome = weir_postgres_outcome(result);
            (void)weir_postgres_result_error(sink, result, &part->event.err);
        }
        break;
    }
}

/* The server has answered everything: on to the next step. */
static void settle(struct weir_postgres_sink *sink, struct weir_postgres_part *part)
{
    if (part->state == WEIR_POSTGRES_ROLLING_BACK) {
        weir_postgres_set_state(part, WEIR_POSTGRES_UNSENT);
        publish(part);
        return;
    }
    if (part->event.outcome != WEIR_SINK_NONE) {
        fail(sink, part);
        return;
    }
    switch (part->state) {
    case WEIR_POSTGRES_STARTING:
        weir_postgres_set_state(part, WEIR_POSTGRES_OPEN); /* BEGIN alone */
        break;
    case WEIR_POSTGRES_COPY_ENDING:
        part->section_done[part->section] = true;
        weir_postgres_set_state(part, WEIR_POSTGRES_OPEN);
        break;
    case WEIR_POSTGRES_UPSERTING:
        part->section_done[part->section] =
            part->section_rows == part->rows.tables[part->section].order_count;
        weir_postgres_set_state(part, WEIR_POSTGRES_OPEN);
        break;
    default:
        weir_assert(part->state == WEIR_POSTGRES_COMMITTING);
        if (WEIR_FAIL_POINT(sink_commit_reply_before, NULL) != WEIR_OK) {
            lose(sink, part);
            return;
        }
        if (!part->tag_is_commit) { /* the transaction was aborted before: known not to be in */
            (void)weir_error_set(&part->event.err, WEIR_EREFUSED,
                                 "%s answered COMMIT with ROLLBACK", sink->target);
            fail_with(sink, part, WEIR_SINK_ROLLED_BACK);
            return;
        }
        if (WEIR_FAIL_POINT(sink_commit_reply_after, NULL) != WEIR_OK) {
            lose(sink, part);
            return;
        }
        part->event.outcome = WEIR_SINK_COMMITTED;
        weir_postgres_set_state(part, WEIR_POSTGRES_IN);
        publish(part);
        break;
    }
}

/* Takes in whatever has been answered; false: the server has not said everything yet. */
static bool listen_to(struct weir_postgres_sink *sink, struct weir_postgres_part *part)
{
    while (!PQisBusy(part->connection)) {
        PGresult *result = PQgetResult(part->connection);
        if (result == NULL) {
            settle(sink, part);
            return true;
        }
        hear(sink, part, result);
        PQclear(result);
        if (part->connection == NULL || part->state == WEIR_POSTGRES_COPYING) {
            return true;
        }
    }
    return false;
}

/* ---- the machine ---- */

static bool is_where_the_ledger_was_read(const struct weir_postgres_sink *sink,
                                         const struct weir_postgres_part *part)
{
    return strcmp(part->server, sink->ledger_server) == 0;
}

/* Opened for the first time, or anew, without a look: that needs one when the server is not the one
 * that the ledger was read in (S1). */
static bool open_connection(struct weir_postgres_sink *sink, struct weir_postgres_part *part)
{
    if (part->connection != NULL && !is_where_the_ledger_was_read(sink, part)) {
        drop_connection(part); /* to a server that is gone */
    }
    if (weir_postgres_restart(sink, part, &part->event.err) == WEIR_OK) {
        if (sink->args.partitions == 1) { /* no sisters: its own step compares all that there is */
            memcpy(sink->ledger_server, part->server, sizeof(sink->ledger_server));
        }
        if (is_where_the_ledger_was_read(sink, part)) {
            return true;
        }
        (void)weir_error_set(&part->event.err, WEIR_EAWAY,
                             "%s was started anew since its ledger was read", sink->target);
        PQfinish(sink->control); /* the look goes where the part goes */
        sink->control = NULL;
    }
    part->event.outcome = WEIR_SINK_LOST;
    weir_postgres_set_state(part, WEIR_POSTGRES_UNSENT);
    publish(part);
    return false;
}

/* One step between statements; false: there is nothing to do now. */
static bool advance_part(struct weir_postgres_sink *sink, struct weir_postgres_batch *batch,
                         struct weir_postgres_part *part)
{
    enum next next = part->state == WEIR_POSTGRES_OPEN && part->section_rows != 0 &&
                             !part->section_done[part->section] && is_keyed(part)
                         ? NEXT_SECTION /* more slices of the same table */
                         : NEXT_WAIT;

    /* After BEGIN alone the section was chosen already. */
    if (next == NEXT_WAIT && part->state != WEIR_POSTGRES_ROWS_IN) {
        next = next_section(sink, batch, part);
    }
    if (part->state == WEIR_POSTGRES_READY && (next == NEXT_SECTION || part->allowed) &&
        next != NEXT_WAIT && !open_connection(sink, part)) {
        return false;
    }
    if (next == NEXT_SECTION) {
        start_section(sink, batch, part);
        return true;
    }
    if (next == NEXT_NONE && part->state == WEIR_POSTGRES_OPEN) {
        weir_postgres_set_state(part, WEIR_POSTGRES_ROWS_IN);
    }
    if (part->allowed && (part->state == WEIR_POSTGRES_ROWS_IN ||
                          (next == NEXT_NONE && part->state == WEIR_POSTGRES_READY))) {
        send_commit(sink, part);
        return true;
    }
    return false;
}

void weir_postgres_pump(struct weir_postgres_sink *sink, struct weir_postgres_batch *batch,
                        struct weir_postgres_part *part)
{
    struct weir_error why;
    bool moved = true;

    while (moved) {
        moved = false;
        switch (part->state) {
        case WEIR_POSTGRES_FREE:
        case WEIR_POSTGRES_UNSENT:
        case WEIR_POSTGRES_IN:
            return;
        case WEIR_POSTGRES_READY:
            moved = advance_part(sink, batch, part);
            break;
        default:
            if (PQflush(part->connection) < 0 || PQconsumeInput(part->connection) == 0) {
                lose(sink, part);
            } else if (part->state == WEIR_POSTGRES_OPEN || part->state == WEIR_POSTGRES_ROWS_IN) {
                moved = advance_part(sink, batch, part);
            } else if (part->state == WEIR_POSTGRES_COPYING) {
                send_rows(sink, batch, part);
                moved = part->state == WEIR_POSTGRES_COPY_ENDING;
            } else {
                moved = listen_to(sink, part);
            }
            break;
        }
    }
    if (weir_postgres_is_silent(sink, part, &why)) { /* after all that is there was heard */
        lose_for(part, &why);
    }
}

bool weir_postgres_wants_write(const struct weir_postgres_part *part)
{
    return part->connection != NULL && part->state != WEIR_POSTGRES_UNSENT &&
           PQflush(part->connection) == 1;
}
