/* history.c: reads weir.batch in order, one batch after another.
 *
 * What a batch must say is computed here from the list of what was sent: the digest of a batch is the
 * sum, lane by lane, of XXH3's 128 bits over each row as COPY BINARY takes it, of which the lower half
 * is mixed with the table's number (docs/FORMAT.md). Nothing of src/sink is used for it. */
#include "prove/history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum {
    SQL_BYTES = 1024,
    COLUMNS = 4,        /* of the table: id, body, part, pos */
    DIGEST_TEXT = 33,   /* in hex, with its end */
    COMPLAINTS_MAX = 5, /* that are told in full */
};

#define TABLE_MIX UINT64_C(0x9e3779b97f4a7c15) /* times the number of the table, from 1 */

struct history {
    struct prove_stage *stage;
    const struct prove_ids *ids;
    uint64_t *id_at[PROVE_PARTITIONS]; /* id by offset; UINT64_MAX: not known */
    int64_t known[PROVE_PARTITIONS];   /* offsets of id_at */
    int64_t ends[PROVE_PARTITIONS];    /* of the batch before; -1: not known */
    int64_t number, t, generation;     /* of the batch before; 0: none */
    uint64_t complaints;
    struct weir_buf row;
};

struct range {
    int64_t first, end;
};

struct batch {
    int64_t number, t, generation, source_rows, rows;
    const char *digest;
    struct range ranges[PROVE_PARTITIONS]; /* empty: nothing was read there */
};

static void complain(struct history *history, const struct batch *batch, const char *what)
{
    if (history->complaints++ < COMPLAINTS_MAX) {
        prove_outcome_break(history->stage->outcome, "weir.batch, batch %" PRId64 ": %s",
                            batch->number, what);
    } else {
        history->stage->outcome->broken++;
    }
}

/* Finds ids by their place. */
static int index_places(struct history *history, struct weir_error *err)
{
    const struct prove_sent *sent = history->ids->sent;
    uint64_t count = history->stage->rows;

    for (uint64_t id = 0; id < count; id++) {
        if (sent[id].state == PROVE_SENT && history->known[sent[id].partition] <= sent[id].offset) {
            history->known[sent[id].partition] = sent[id].offset + 1;
        }
    }
    for (int p = 0; p < PROVE_PARTITIONS; p++) {
        size_t bytes = ((size_t)history->known[p] + 1) * sizeof(*history->id_at[p]);
        history->id_at[p] = malloc(bytes);
        if (history->id_at[p] == NULL) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory for the history");
        }
        memset(history->id_at[p], 0xff, bytes);
        history->ends[p] = -1;
    }
    for (uint64_t id = 0; id < count; id++) {
        if (sent[id].state == PROVE_SENT) {
            history->id_at[sent[id].partition][sent[id].offset] = id;
        }
    }
    return WEIR_OK;
}

static void put_big_endian(struct weir_buf *ret, uint64_t value, int bytes)
{
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
        weir_buf_put_u8(ret, (uint8_t)(value >> shift));
    }
}

static void put_field(struct weir_buf *ret, uint64_t value, int bytes)
{
    put_big_endian(ret, (uint64_t)bytes, 4);
    put_big_endian(ret, value, bytes);
}

/* The row that the built-in pipeline makes of a record, as COPY BINARY takes it. */
static struct weir_digest digest_of(struct history *history, uint64_t id)
{
    const struct prove_sent *sent = &history->ids->sent[id];
    struct weir_buf *row = &history->row;
    char body[PROVE_BODY_BYTES];
    struct weir_digest digest;

    prove_load_body(history->stage->options->seed, id, body);
    row->len = 0;
    put_big_endian(row, COLUMNS, 2);
    put_field(row, id, 8);
    put_big_endian(row, strlen(body), 4);
    weir_buf_append_text(row, body);
    put_field(row, (uint64_t)sent->partition, 4);
    put_field(row, (uint64_t)sent->offset, 8);
    digest = weir_hash128(row->data, row->len);
    digest.lo ^= TABLE_MIX;
    return digest;
}

/* The id of a place; UINT64_MAX when the broker never told it. */
static uint64_t id_of(const struct history *history, int partition, int64_t offset)
{
    return offset < history->known[partition] ? history->id_at[partition][offset] : UINT64_MAX;
}

/* "0:17:40,3:5:9": partition, first offset, one past the last. */
static void read_ranges(const char *text, struct batch *batch)
{
    while (text != NULL && *text != '\0') {
        char *end;
        long partition = strtol(text, &end, 10);
        int64_t first = strtoll(end + (*end == ':'), &end, 10);
        int64_t past = strtoll(end + (*end == ':'), &end, 10);
        if (partition >= 0 && partition < PROVE_PARTITIONS) {
            batch->ranges[partition] = (struct range){ first, past };
        }
        text = *end == ',' ? end + 1 : NULL;
    }
}

/* HI1 */
static void check_order(struct history *history, const struct batch *batch)
{
    if (history->number != 0 && batch->number != history->number + 1) {
        complain(history, batch, "the numbers before it have a gap");
    }
    if (history->number != 0 && batch->t <= history->t) {
        complain(history, batch, "its time is not above that of the batch before");
    }
    if (batch->generation < history->generation) {
        complain(history, batch, "its generation is below that of the batch before");
    }
    for (int p = 0; p < PROVE_PARTITIONS; p++) {
        const struct range *range = &batch->ranges[p];
        int64_t wanted = history->ends[p] >= 0 ? history->ends[p] : range->first;
        if (range->first == range->end) {
            continue;
        }
        if (range->first != (batch->number == 1 ? 0 : wanted)) {
            complain(history, batch, "it does not begin where the batch before it ended");
        }
        history->ends[p] = range->end;
    }
    history->number = batch->number;
    history->t = batch->t;
    history->generation = batch->generation;
}

/* Whether some fault struck while the batch may have been open. */
static bool was_in_flight(const struct history *history, int64_t number)
{
    const struct prove_outcome *outcome = history->stage->outcome;

    for (size_t i = 0; i < prove_event_count(outcome); i++) {
        const struct prove_event *event = prove_event_at(outcome, i);
        if (number >= event->batch - PROVE_IN_FLIGHT_MAX &&
            number <= event->batch_until + PROVE_IN_FLIGHT_MAX) {
            return true;
        }
    }
    return false;
}

/* Goes through the records of a batch: HI2 in what is told by ret_*, and which rows came to harm. */
static bool weigh(struct history *history, const struct batch *batch, bool may_harm,
                  struct weir_digest *ret_sum, int64_t *ret_records)
{
    bool all_known = true;
    bool harmed = false;

    for (int p = 0; p < PROVE_PARTITIONS; p++) {
        for (int64_t at = batch->ranges[p].first; at < batch->ranges[p].end; at++) {
            uint64_t id = id_of(history, p, at);
            ++*ret_records;
            if (id == UINT64_MAX) {
                all_known = false;
                continue;
            }
            weir_digest_add(ret_sum, digest_of(history, id));
            harmed = harmed || history->ids->times[id] != 1;
            history->ids->excused[id] = may_harm;
        }
    }
    history->stage->outcome->verdict.harmed += harmed;
    return all_known;
}

static void check_batch(struct history *history, const struct batch *batch)
{
    const char *mode = history->stage->options->mode;
    bool is_dropped = batch->rows == 0 && strcmp(mode, "at_most_once") == 0; /* HI3 */
    bool may_harm =
        (is_dropped || strcmp(mode, "at_least_once") == 0) && was_in_flight(history, batch->number);
    struct weir_digest sum = { 0 };
    int64_t records = 0;
    char text[DIGEST_TEXT];

    check_order(history, batch);
    bool all_known = weigh(history, batch, may_harm, &sum, &records);
    if (batch->source_rows != records) {
        complain(history, batch, "it does not count as many records as its ranges hold");
    }
    if (is_dropped || !all_known || history->stage->options->pipeline != NULL) {
        return; /* what the user's own pipeline makes of a record is its own affair */
    }
    (void)snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, sum.hi, sum.lo);
    history->stage->outcome->verdict.digests++;
    if (batch->rows != records) {
        complain(history, batch, "it does not count as many rows as were sent in its ranges");
    }
    if (strcmp(batch->digest, text) != 0) {
        complain(history, batch, "its digest is not that of the rows sent in its ranges");
    }
}

static void take_batch(void *context, const char *const *values)
{
    struct history *history = context;
    struct batch batch = {
        .number = strtoll(values[0], NULL, 10),
        .t = strtoll(values[1], NULL, 10),
        .generation = strtoll(values[2], NULL, 10),
        .source_rows = strtoll(values[3], NULL, 10),
        .rows = strtoll(values[4], NULL, 10),
        .digest = values[5],
    };

    read_ranges(values[6], &batch);
    check_batch(history, &batch);
    history->stage->outcome->verdict.batches = batch.number;
}

int prove_history_check(struct prove_stage *stage, const struct prove_ids *ids,
                        struct weir_error *err)
{
    struct history history = { .stage = stage, .ids = ids };
    char sql[SQL_BYTES];
    int rc = index_places(&history, err);

    (void)snprintf(
        sql, sizeof(sql),
        "SELECT batch, t, generation, source_rows, rows, encode(output, 'hex'), (SELECT "
        "string_agg(substring(key FROM '[0-9]+$') || ':' || (value->>0) || ':' || "
        "(value->>1), ',') FROM jsonb_each(ranges)) FROM weir.batch WHERE pipeline = "
        "(SELECT uuid FROM weir.pipeline WHERE name = '%s') AND partition = 0 ORDER BY batch",
        stage->pipeline);
    if (rc == WEIR_OK) {
        rc = prove_session_run(stage->look, sql, take_batch, &history, err);
    }
    for (int p = 0; p < PROVE_PARTITIONS; p++) {
        free(history.id_at[p]);
    }
    weir_buf_fini(&history.row);
    return rc;
}
