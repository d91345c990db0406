/* memory_sink.c: the client's side of the memory sink: the calls of sink.h.
 *
 * Uses     part.h for the rows of a part, memory_database.h for what the server would do, memory_ledger.c
 *          for the calls about the ledger.
 * The answer to a commit comes by poll(), so a caller that counts on one within commit() fails here as
 * it would with a real server; what the server does may happen earlier (weir_memory_play). An eventfd wakes whoever sleeps on wait_fds().
 * K1 to K3 of sink.h. Checked by tests/contract/test_sink_contract.c. */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/variant.h"
#include "sink/memory_internal.h"

static const struct weir_option_def sink_options[] = {
    { .name = "database",
      .kind = WEIR_OPTION_TEXT,
      .default_text = "memory",
      .help = "name of the database, within this process" },
    { 0 },
};

static const struct weir_option_def table_options[] = { { 0 } };

static bool same_domain(struct weir_options a, struct weir_options b)
{
    return weir_str_equal(weir_options_get(sink_options, a, "database").text,
                          weir_options_get(sink_options, b, "database").text);
}

static int ddl(const struct weir_sink_args *args, struct weir_buf *ret, struct weir_error *err)
{
    (void)args;
    weir_buf_append_text(ret, "-- Tables in memory are made by themselves.\n");
    return ret->failed ? weir_error_set(err, WEIR_ENOMEM, "no memory for text") : WEIR_OK;
}

static void close_sink(void *self)
{
    struct memory_sink *sink = self;

    if (sink == NULL) {
        return;
    }
    for (uint32_t s = 0; s < WEIR_SINK_SLOTS_MAX; s++) {
        for (uint32_t p = 0; sink->batches[s].parts != NULL && p < sink->args.partitions; p++) {
            weir_part_fini(&sink->batches[s].parts[p].rows);
            weir_buf_fini(&sink->batches[s].parts[p].step_bytes);
        }
        free(sink->batches[s].parts);
    }
    weir_arena_fini(&sink->scratch);
    weir_memory_database_close(sink->database);
    if (sink->event_fd >= 0) {
        (void)close(sink->event_fd); /* nothing can be lost in it */
    }
    free(sink);
}

static int open_sink(const struct weir_sink_args *args, void **ret_self, struct weir_error *err)
{
    struct memory_sink *sink = calloc(1, sizeof(*sink));
    struct weir_str name = weir_options_get(sink_options, args->options, "database").text;
    int rc = WEIR_OK;

    if (sink == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a sink");
    }
    weir_assert(args->slots >= 1 && args->slots <= WEIR_SINK_SLOTS_MAX);
    weir_assert(args->partitions >= 1 && args->partitions <= WEIR_OUTPUT_PARTITIONS_MAX);
    sink->args = *args;
    weir_arena_init(&sink->scratch, 0);
    sink->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    char *copy = weir_arena_copy(&sink->scratch, name);
    sink->database = copy == NULL ? NULL : weir_memory_database_open(copy);
    if (sink->event_fd < 0 || sink->database == NULL) {
        rc = weir_error_set(err, WEIR_ENOMEM, "cannot open memory database \"%.*s\"",
                            WEIR_STR_ARG(name));
    }
    for (uint32_t s = 0; s < args->slots && rc == WEIR_OK; s++) {
        sink->batches[s].parts = calloc(args->partitions, sizeof(struct memory_part));
        if (sink->batches[s].parts == NULL) {
            rc = weir_error_set(err, WEIR_ENOMEM, "no memory for a sink");
        }
        for (uint32_t p = 0; p < args->partitions && rc == WEIR_OK; p++) {
            rc = weir_part_init(&sink->batches[s].parts[p].rows, args->tables, args->table_count,
                                err);
        }
    }
    if (rc != WEIR_OK) {
        close_sink(sink);
        return rc;
    }
    *ret_self = sink;
    return WEIR_OK;
}

static int check(void *self, struct weir_error *err)
{
    struct memory_sink *sink = self;

    return weir_memory_reach(sink->database, NULL, err);
}

/* ---- batches ---- */

static struct memory_batch *batch_of(struct memory_sink *sink, uint64_t number)
{
    struct memory_batch *batch = &sink->batches[number % sink->args.slots];

    weir_assert(number != 0 && batch->number == number);
    return batch;
}

static struct memory_part *part_of(struct memory_sink *sink, uint64_t number, uint32_t partition)
{
    weir_assert(partition < sink->args.partitions);
    return &batch_of(sink, number)->parts[partition];
}

static void wake(struct memory_sink *sink)
{
    uint64_t one = 1;

    /* Can only fail when the counter is full, and then it is readable as it should be. */
    if (!sink->is_rung) {
        (void)!write(sink->event_fd, &one, sizeof(one));
    }
    sink->is_rung = true;
}

static int begin(void *self, uint64_t number, struct weir_error *err)
{
    struct memory_sink *sink = self;
    struct memory_batch *batch = &sink->batches[number % sink->args.slots];

    (void)err;
    weir_assert(number != 0 && batch->number == 0);
    batch->number = number;
    batch->finished = false;
    for (uint32_t p = 0; p < sink->args.partitions; p++) {
        batch->parts[p].state = PART_SENDING;
        batch->parts[p].has_begun = false;
        batch->parts[p].has_upserts_out = false;
        batch->parts[p].has_rows_in = false;
        batch->parts[p].allowed = false;
        batch->parts[p].decided.outcome = WEIR_SINK_NONE;
    }
    return WEIR_OK;
}

static int write_rows(void *self, uint64_t batch, uint32_t partition, uint32_t table,
                      uint32_t source, enum weir_on_error on_error, const struct weir_chunk *chunk,
                      struct weir_error *err)
{
    struct memory_sink *sink = self;

    return weir_part_write(&part_of(sink, batch, partition)->rows, table, source, on_error, chunk,
                           &sink->scratch, err);
}

static int dead_letter(void *self, uint64_t batch, uint32_t partition, uint32_t source,
                       const struct weir_dead_letter *letter, struct weir_error *err)
{
    return weir_part_add_letter(&part_of(self, batch, partition)->rows, source, letter, true, err);
}

static int finish(void *self, uint64_t number, struct weir_sink_tally *ret_tallies,
                  struct weir_error *err)
{
    struct memory_sink *sink = self;
    struct memory_batch *batch = batch_of(sink, number);

    (void)err;
    weir_assert(!batch->finished);
    for (uint32_t p = 0; p < sink->args.partitions; p++) {
        weir_part_seal(&batch->parts[p].rows);
        ret_tallies[p] = batch->parts[p].rows.tally;
    }
    batch->finished = true;
    wake(sink);
    return WEIR_OK;
}

static const char refusal[] = "new row violates a check constraint";

static bool holds_refused(const struct memory_sink *sink, const struct memory_part *part)
{
    for (uint32_t t = 0; t < part->rows.table_count; t++) {
        const struct weir_part_table *table = &part->rows.tables[t];
        for (uint32_t i = 0; i < weir_part_send_count(table); i++) {
            const struct weir_record *origin = table->origins[weir_part_send_row(table, i)];
            if (weir_memory_row_refused(sink->database, table->target->name, origin)) {
                return true;
            }
        }
    }
    return false;
}

static bool has_keys(const struct weir_part *part)
{
    for (uint32_t t = 0; t < part->table_count; t++) {
        if (part->tables[t].target->key_count != 0) {
            return true;
        }
    }
    return false;
}

static bool share_key(const struct weir_part *a, const struct weir_part *b)
{
    for (uint32_t t = 0; t < a->table_count; t++) {
        const struct weir_part_table *left = &a->tables[t];
        const struct weir_part_table *right = &b->tables[t];
        for (uint32_t i = 0; left->target->key_count != 0 && i < weir_part_send_count(left); i++) {
            struct weir_str key = weir_part_key(left, weir_part_send_row(left, i));
            for (uint32_t j = 0; j < weir_part_send_count(right); j++) {
                if (weir_str_equal(key, weir_part_key(right, weir_part_send_row(right, j)))) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* Upserts are not sent before the rows of earlier batches are in the server. */
static bool older_rows_are_in(const struct memory_sink *sink, uint64_t number)
{
    for (uint32_t s = 0; s < sink->args.slots; s++) {
        const struct memory_batch *batch = &sink->batches[s];
        for (uint32_t p = 0; batch->number != 0 && p < sink->args.partitions; p++) {
            const struct memory_part *part = &batch->parts[p];
            if (batch->number < number && part->state != PART_IN &&
                (part->state != PART_SENDING || !part->has_rows_in)) {
                return false;
            }
        }
    }
    return true;
}

/* Once sent, they wait in the server for open transactions that hold the same keys, whoever's. */
static bool waits_for_keys(const struct memory_sink *sink, const struct memory_part *part)
{
    for (uint32_t s = 0; s < sink->args.slots; s++) {
        const struct memory_batch *batch = &sink->batches[s];
        for (uint32_t p = 0; batch->number != 0 && p < sink->args.partitions; p++) {
            const struct memory_part *other = &batch->parts[p];
            if (other != part && other->state == PART_SENDING && other->has_rows_in &&
                share_key(&part->rows, &other->rows)) {
                return true;
            }
        }
    }
    return false;
}

/* Whether the rows of a part are in its open transaction, as far as can be by now. */
static bool bring_rows_in(const struct memory_sink *sink, uint64_t number, struct memory_part *part)
{
    part->has_upserts_out =
        part->has_upserts_out || !has_keys(&part->rows) || older_rows_are_in(sink, number);
    part->has_rows_in = part->has_rows_in || (part->has_upserts_out && !waits_for_keys(sink, part));
    return part->has_rows_in;
}

/* A part gets a connection when it first needs one, and a new one after it was rolled back or lost:
 * a server that went back in between is not noticed by that. */
static void connect_part(const struct memory_sink *sink, struct memory_part *part)
{
    if (!part->is_connected) {
        part->is_connected = true;
        part->life = sink->database->lives;
    }
}

/* Begins a part's transaction. False: its connection, a new one, leads to another server than that in
 * which the ledger was last read, as this one was promoted since; so it needs a look, at this one. */
static bool begin_part(struct memory_sink *sink, struct memory_part *part)
{
    if (part->is_connected && !part->has_begun &&
        weir_memory_promoted_between(sink->database, part->life, sink->ledger_life)) {
        part->is_connected = false; /* to a server that was deposed */
    }
    connect_part(sink, part);
    if (sink->args.partitions == 1) {
        sink->ledger_life = part->life; /* no sisters: its own step compares all that there is */
    }
    if (!part->has_begun &&
        weir_memory_promoted_between(sink->database, part->life, sink->ledger_life)) {
        part->is_connected = false;
        sink->has_control = false;
        return false;
    }
    part->has_begun = true;
    return true;
}

/* What becomes of a part whose rows are all on their way. */
static void decide(struct memory_sink *sink, uint64_t batch, uint32_t p)
{
    struct memory_part *part = part_of(sink, batch, p);
    struct weir_sink_event *event = &part->decided;

    if (part->state != PART_SENDING || event->outcome != WEIR_SINK_NONE) {
        return;
    }
    /* Asked again and again while it is not allowed: what an error would hold is left as it is. */
    event->batch = batch;
    event->partition = p;
    event->err.code = WEIR_OK;
    event->err.text[0] = '\0';
    struct weir_memory_database *server =
        begin_part(sink, part) ? weir_memory_server(sink->database, part->life) : NULL;
    if (server == NULL || (!part->allowed && weir_memory_cuts(sink->database))) {
        (void)weir_error_set(&event->err, WEIR_EAWAY, "connection lost");
        event->outcome = WEIR_SINK_LOST;
        return;
    }
    if (!bring_rows_in(sink, batch, part)) {
        return;
    }
    if (holds_refused(sink, part)) {
        (void)weir_error_set(&event->err, WEIR_EDATA, "%s (SQLSTATE 23514)", refusal);
        event->outcome = WEIR_SINK_ROW_REFUSED;
        return;
    }
    if (!part->allowed) {
        return;
    }
    struct weir_memory_commit commit_now = {
        .uuid = sink->uuid,
        .owner = sink->owner,
        .generation = sink->generation,
        .partition = p,
        .step = &part->step,
        .part = &part->rows,
    };
    event->outcome = weir_memory_commit(server, &commit_now, &event->err);
}

static int commit(void *self, uint64_t number, uint32_t partition,
                  const struct weir_ledger_step *step, struct weir_error *err)
{
    struct memory_sink *sink = self;
    struct memory_part *part = part_of(sink, number, partition);

    weir_assert(step->batch == number);
    weir_buf_reset(&part->step_bytes);
    weir_buf_append(&part->step_bytes, step->ends.data, step->ends.len);
    if (part->step_bytes.failed) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a step of the ledger");
    }
    part->step = *step;
    part->step.ends = (struct weir_str){ (const char *)part->step_bytes.data, step->ends.len };
    part->step.ranges_json = (struct weir_str){ 0 }; /* for people only */
    part->allowed = true;
    if (weir_memory_decides_at_once(sink->database)) {
        decide(sink, number, partition);
    }
    wake(sink);
    return WEIR_OK;
}

static void rollback(void *self, uint64_t batch, uint32_t partition)
{
    struct memory_part *part = part_of(self, batch, partition);

    if (part->state == PART_SENDING) {
        part->state = PART_UNSENT;
        part->is_connected = false;
        part->decided.outcome = WEIR_SINK_NONE;
    }
}

static int resend(void *self, uint64_t batch, uint32_t partition, struct weir_error *err)
{
    struct memory_sink *sink = self;
    struct memory_part *part = part_of(sink, batch, partition);
    int rc = weir_memory_reach(sink->database, NULL, err);

    weir_assert(part->state != PART_IN);
    if (rc == WEIR_OK) {
        connect_part(sink, part);
        part->state = PART_SENDING;
        part->has_begun = false;
        part->has_upserts_out = false;
        part->has_rows_in = false;
        part->decided.outcome = WEIR_SINK_NONE;
        wake(sink);
    }
    return rc;
}

/* The rows of a table that the server refuses; *ret is the caller's to free. */
static int find_refused(const struct memory_sink *sink, const struct weir_part_table *table,
                        struct weir_part_culprit **ret, uint32_t *ret_count, struct weir_error *err)
{
    uint32_t count = 0;
    struct weir_part_culprit *culprits = calloc((size_t)table->rows + 1, sizeof(*culprits));
    bool *sent = calloc((size_t)table->rows + 1, sizeof(*sent));

    if (culprits == NULL || sent == NULL) {
        free(culprits);
        free(sent);
        return weir_error_set(err, WEIR_ENOMEM, "no memory to find refused rows");
    }
    for (uint32_t i = 0; i < weir_part_send_count(table); i++) {
        sent[weir_part_send_row(table, i)] = true;
    }
    for (uint32_t r = 0; r < table->rows; r++) {
        if (sent[r] &&
            weir_memory_row_refused(sink->database, table->target->name, table->origins[r])) {
            culprits[count++] =
                (struct weir_part_culprit){ .row = r, .sqlstate = "23514", .text = refusal };
        }
    }
    free(sent);
    *ret = culprits;
    *ret_count = count;
    return WEIR_OK;
}

static int isolate(void *self, uint64_t batch, uint32_t partition, struct weir_sink_search *ret,
                   struct weir_error *err)
{
    struct memory_sink *sink = self;
    struct memory_part *part = part_of(sink, batch, partition);
    struct weir_sink_search search = { 0 };
    int rc = weir_memory_reach(sink->database, NULL, err);

    for (uint32_t t = 0; t < part->rows.table_count && rc == WEIR_OK; t++) {
        struct weir_part_culprit *culprits = NULL;
        uint32_t count = 0;

        rc = find_refused(sink, &part->rows.tables[t], &culprits, &count, err);
        if (rc == WEIR_OK) {
            rc = weir_part_refuse(&part->rows, &sink->args, t, culprits, count, &search.skipped,
                                  err);
            search.refused += count;
        }
        free(culprits);
    }
    if (rc == WEIR_OK) {
        *ret = search;
    }
    return rc;
}

static void discard_rows(void *self, uint64_t batch, uint32_t partition)
{
    weir_part_discard_rows(&part_of(self, batch, partition)->rows);
}

static void release(void *self, uint64_t number)
{
    struct memory_sink *sink = self;
    struct memory_batch *batch = batch_of(sink, number);

    for (uint32_t p = 0; p < sink->args.partitions; p++) {
        weir_part_reset(&batch->parts[p].rows);
    }
    batch->number = 0;
}

/* ---- events ---- */

static struct memory_batch *oldest_after(struct memory_sink *sink, uint64_t number)
{
    struct memory_batch *found = NULL;

    for (uint32_t s = 0; s < sink->args.slots; s++) {
        struct memory_batch *batch = &sink->batches[s];
        if (batch->number > number && (found == NULL || batch->number < found->number)) {
            found = batch;
        }
    }
    return found;
}

static int poll_sink(void *self, struct weir_sink_event *ret, struct weir_error *err)
{
    struct memory_sink *sink = self;
    struct memory_batch *batch = oldest_after(sink, 0);
    uint64_t pending;

    (void)err;
    for (; batch != NULL; batch = oldest_after(sink, batch->number)) {
        for (uint32_t p = 0; p < sink->args.partitions && batch->finished; p++) {
            struct memory_part *part = &batch->parts[p];

            decide(sink, batch->number, p);
            if (part->state == PART_SENDING && part->decided.outcome != WEIR_SINK_NONE) {
                *ret = part->decided;
                part->is_connected = ret->outcome != WEIR_SINK_LOST;
                part->state = ret->outcome == WEIR_SINK_COMMITTED ? PART_IN : PART_UNSENT;
                part->decided.outcome = WEIR_SINK_NONE;
                return WEIR_OK;
            }
        }
    }
    ret->outcome = WEIR_SINK_NONE;
    if (sink->is_rung) { /* nothing left: sleep from here on */
        (void)!read(sink->event_fd, &pending, sizeof(pending));
        sink->is_rung = false;
    }
    return WEIR_OK;
}

static uint32_t wait_fds(void *self, struct pollfd *ret, uint32_t max)
{
    const struct memory_sink *sink = self;

    if (max == 0) {
        return 0;
    }
    *ret = (struct pollfd){ .fd = sink->event_fd, .events = POLLIN };
    return 1;
}

const struct weir_sink_ops weir_memory_sink_ops = {
    .name = "memory",
    .sink_options = sink_options,
    .table_options = table_options,
    .holds_ledger = true,
    .same_domain = same_domain,
    .ddl = ddl,
    .open = open_sink,
    .check = check,
    .claim = weir_memory_claim,
    .look = weir_memory_look,
    .repartition = weir_memory_repartition,
    .begin = begin,
    .write = write_rows,
    .dead_letter = dead_letter,
    .finish = finish,
    .commit = commit,
    .rollback = rollback,
    .resend = resend,
    .isolate = isolate,
    .discard_rows = discard_rows,
    .release = release,
    .poll = poll_sink,
    .wait_fds = wait_fds,
    .close = close_sink,
};
