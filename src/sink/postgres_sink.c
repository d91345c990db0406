/* postgres_sink.c: the PostgreSQL sink: its options, its life cycle, and the calls of sink.h.
 *
 * Each part (batch slot and output partition) has a connection of its own, opened when it is first
 * needed and kept; the start, looks and checks have one more. How a part's transaction goes is in
 * postgres_part.c; what the ledger holds and how it is taken in postgres_ledger.c and
 * postgres_ddl.c.
 *
 * K1 to K3 of sink.h. Checked by tests/contract/. */
#include <stdlib.h>

#include "base/assert.h"
#include "sink/postgres_internal.h"
#include "sink/postgres_sink.h"
#include "sink/row_key.h"

const struct weir_option_def weir_postgres_sink_options[] = {
    { .name = "dsn",
      .kind = WEIR_OPTION_TEXT,
      .required = true,
      .secret = true,
      .help = "connection string of libpq: postgresql://user@host:5432/database, or key=value "
              "pairs" },
    { .name = "lock_timeout",
      .kind = WEIR_OPTION_DURATION,
      .default_text = "30 s",
      .max = INT64_C(86400000000),
      .help = "how long a statement waits for a lock before the batch is rolled back and tried "
              "again" },
    { .name = "statement_timeout",
      .kind = WEIR_OPTION_DURATION,
      .default_text = "0 s",
      .max = INT64_C(86400000000),
      .help = "how long one statement may take, the gathering of a batch included; 0: no limit" },
    { .name = "idle_timeout",
      .kind = WEIR_OPTION_DURATION,
      .default_text = "60 s",
      .max = INT64_C(86400000000),
      .help = "how long the server keeps an open transaction of an instance that stands still" },
    { .name = "answer_timeout",
      .kind = WEIR_OPTION_DURATION,
      .default_text = "60 s",
      .max = INT64_C(86400000000),
      .help = "how long an answer may take before weir asks, over another connection, whether the "
              "server is at work on it; when it is not, or does not answer there either, the "
              "connection is given up and the batch sent again. 0: a batch waits as long as the "
              "link stays open" },
    { 0 },
};

const struct weir_option_def weir_postgres_table_options[] = {
    { .name = "mode",
      .kind = WEIR_OPTION_CHOICE,
      .defining = true,
      .choices = "auto|append|update",
      .default_text = "auto",
      .help = "append inserts rows; update inserts or replaces them by PRIMARY KEY; auto: update "
              "when there is a key" },
    { .name = "create_table",
      .kind = WEIR_OPTION_BOOL,
      .default_text = "false",
      .help = "make the table when it is missing, with every column declared, written or not" },
    { 0 },
};

/* ---- options ---- */

/* "" when it is not there, or empty, which libpq takes for the same. */
static const char *conninfo_value(const PQconninfoOption *options, const char *keyword)
{
    for (; options != NULL && options->keyword != NULL; options++) {
        if (strcmp(options->keyword, keyword) == 0 && options->val != NULL) {
            return options->val;
        }
    }
    return "";
}

static PQconninfoOption *parse_dsn(struct weir_options options)
{
    struct weir_str dsn = weir_options_get(weir_postgres_sink_options, options, "dsn").text;
    char *text = strndup(dsn.len == 0 ? "" : dsn.data, dsn.len);
    PQconninfoOption *ret = text == NULL ? NULL : PQconninfoParse(text, NULL);

    free(text);
    return ret;
}

/* What libpq will use: the dsn's value, else that of the environment, else its own default. */
static const char *effective_value(const PQconninfoOption *dsn, const PQconninfoOption *defaults,
                                   const char *keyword)
{
    const char *said = conninfo_value(dsn, keyword);

    return said[0] != '\0' ? said : conninfo_value(defaults, keyword);
}

static bool same_place(const PQconninfoOption *a, const PQconninfoOption *b,
                       const PQconninfoOption *defaults)
{
    /* The second stands in where the first is empty. */
    static const char *const keywords[][2] = { { "hostaddr", "host" },
                                               { "port", "port" },
                                               { "dbname", "user" } };

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        const char *x = effective_value(a, defaults, keywords[i][0]);
        const char *y = effective_value(b, defaults, keywords[i][0]);
        x = x[0] != '\0' ? x : effective_value(a, defaults, keywords[i][1]);
        y = y[0] != '\0' ? y : effective_value(b, defaults, keywords[i][1]);
        if (strcmp(x, y) != 0) {
            return false;
        }
    }
    return true;
}

/* By name: two names of one server make two sinks, and the start refuses them, as the claim of the one
 * fences the other. */
static bool same_domain(struct weir_options a, struct weir_options b)
{
    PQconninfoOption *left = parse_dsn(a);
    PQconninfoOption *right = parse_dsn(b);
    PQconninfoOption *defaults = PQconndefaults();
    bool same =
        left != NULL && right != NULL && defaults != NULL && same_place(left, right, defaults);

    PQconninfoFree(left);
    PQconninfoFree(right);
    PQconninfoFree(defaults);
    return same;
}

static long long option_ms(const struct weir_postgres_sink *sink, const char *name)
{
    return weir_options_get(weir_postgres_sink_options, sink->args.options, name).number / 1000;
}

/* BEGIN and every setting that a transaction relies on; SET LOCAL in effect, so that nothing stays
 * with a pooler's connection. synchronous_commit is raised to 'on', never lowered. */
static int make_begin(struct weir_postgres_sink *sink, struct weir_error *err)
{
    struct weir_buf text = { 0 };

    weir_buf_printf(&text,
                    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;"
                    "SELECT pg_catalog.set_config('search_path','',true),"
                    "pg_catalog.set_config('synchronous_commit',CASE pg_catalog.current_setting("
                    "'synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END,"
                    "true),pg_catalog.set_config('lock_timeout','%lld',true),"
                    "pg_catalog.set_config('statement_timeout','%lld',true),"
                    "pg_catalog.set_config('idle_in_transaction_session_timeout','%lld',true);",
                    option_ms(sink, "lock_timeout"), option_ms(sink, "statement_timeout"),
                    option_ms(sink, "idle_timeout"));
    sink->begin =
        weir_arena_copy(&sink->arena, (struct weir_str){ (const char *)text.data, text.len });
    bool ok = !text.failed && sink->begin != NULL;
    weir_buf_fini(&text);
    return ok ? WEIR_OK : weir_error_set(err, WEIR_ENOMEM, "no memory for a sink");
}

/* ---- life cycle ---- */

static void close_part(struct weir_postgres_part *part)
{
    PQfinish(part->connection);
    weir_part_fini(&part->rows);
    weir_buf_fini(&part->step_bytes);
    weir_buf_fini(&part->letter_bytes);
    free(part->section_done);
}

static void close_sink(void *self)
{
    struct weir_postgres_sink *sink = self;

    if (sink == NULL) {
        return;
    }
    for (uint32_t s = 0; s < WEIR_SINK_SLOTS_MAX; s++) {
        for (uint32_t p = 0; sink->batches[s].parts != NULL && p < sink->args.partitions; p++) {
            close_part(&sink->batches[s].parts[p]);
        }
        free(sink->batches[s].parts);
    }
    PQfinish(sink->control);
    PQconninfoFree(sink->conninfo);
    weir_buf_fini(&sink->ends);
    weir_buf_fini(&sink->query);
    weir_arena_fini(&sink->scratch);
    weir_arena_fini(&sink->arena);
    free(sink);
}

/* Copies the tables; those of mode 'append' lose their key, so their rows are copied as they come. */
static int copy_tables(struct weir_postgres_sink *sink, struct weir_error *err)
{
    enum { MODE_AUTO, MODE_APPEND, MODE_UPDATE };
    uint32_t count = sink->args.table_count;
    struct weir_sink_table *tables = weir_arena_calloc(&sink->arena, count, sizeof(*tables));

    sink->tables = weir_arena_calloc(&sink->arena, count, sizeof(*sink->tables));
    if (sink->tables == NULL || tables == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a sink");
    }
    for (uint32_t t = 0; t < count; t++) {
        int64_t mode;

        tables[t] = sink->args.tables[t];
        mode = weir_options_get(weir_postgres_table_options, tables[t].options, "mode").number;
        if (mode == MODE_UPDATE && tables[t].key_count == 0) {
            return weir_error_set(err, WEIR_ECONFIG,
                                  "table %s: mode = 'update' needs a PRIMARY KEY", tables[t].name);
        }
        tables[t].key_count = mode == MODE_APPEND ? 0 : tables[t].key_count;
    }
    sink->declared = sink->args.tables;
    sink->args.tables = tables;
    return WEIR_OK;
}

static int open_table(struct weir_postgres_sink *sink, uint32_t t, struct weir_error *err)
{
    const struct weir_sink_table *table = &sink->args.tables[t];
    struct weir_postgres_table *ret = &sink->tables[t];
    struct weir_buf text = { 0 };
    size_t name_bytes;

    weir_buf_append_text(&text, "COPY ");
    weir_postgres_quote_table(&text, table);
    name_bytes = text.len - strlen("COPY ");
    for (uint32_t c = 0; c < table->column_count; c++) {
        weir_buf_append_text(&text, c == 0 ? " (" : ",");
        weir_postgres_quote_name(&text, table->columns[c].name);
    }
    weir_buf_append_text(&text, ") FROM STDIN (FORMAT binary)");
    if (!text.failed) {
        const char *data = (const char *)text.data;
        ret->quoted =
            weir_arena_copy(&sink->arena, (struct weir_str){ data + strlen("COPY "), name_bytes });
        ret->copy = weir_arena_copy(&sink->arena, (struct weir_str){ data, text.len });
    }
    weir_buf_fini(&text);
    if (ret->quoted == NULL || ret->copy == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a sink");
    }
    for (uint32_t k = 0; k < table->key_count; k++) {
        const struct weir_sink_column *column = &table->columns[table->key[k]];
        if (!weir_row_key_allowed(column->type.id)) {
            return weir_error_set(err, WEIR_ECONFIG,
                                  "%s: column \"%s\" of type %s cannot be in a key", ret->quoted,
                                  column->name, weir_type_sql_name(column->type.id));
        }
    }
    sink->has_keys = sink->has_keys || table->key_count != 0;
    return table->key_count == 0 ? WEIR_OK : weir_postgres_upsert_prepare(sink, t, err);
}

static int open_part(struct weir_postgres_sink *sink, struct weir_postgres_part *part, uint32_t p,
                     struct weir_error *err)
{
    part->number = p;
    part->section_done = calloc(sink->args.table_count + 1, sizeof(*part->section_done));
    if (part->section_done == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a sink");
    }
    return weir_part_init(&part->rows, sink->args.tables, sink->args.table_count, err);
}

static int open_sink(const struct weir_sink_args *args, void **ret_self, struct weir_error *err)
{
    struct weir_postgres_sink *sink = calloc(1, sizeof(*sink));
    int rc;

    weir_assert(args->slots >= 1 && args->slots <= WEIR_SINK_SLOTS_MAX);
    weir_assert(args->partitions >= 1 && args->partitions <= WEIR_OUTPUT_PARTITIONS_MAX);
    if (sink == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a sink");
    }
    sink->args = *args;
    weir_arena_init(&sink->arena, 0);
    weir_arena_init(&sink->scratch, 0);
    sink->answer_timeout_ms = option_ms(sink, "answer_timeout");
    rc = weir_postgres_parse_dsn(sink, err);
    if (rc == WEIR_OK) {
        rc = make_begin(sink, err);
    }
    if (rc == WEIR_OK) {
        rc = copy_tables(sink, err);
    }
    for (uint32_t t = 0; t < args->table_count && rc == WEIR_OK; t++) {
        rc = open_table(sink, t, err);
    }
    for (uint32_t s = 0; s < args->slots && rc == WEIR_OK; s++) {
        sink->batches[s].parts = calloc(args->partitions, sizeof(struct weir_postgres_part));
        if (sink->batches[s].parts == NULL) {
            rc = weir_error_set(err, WEIR_ENOMEM, "no memory for a sink");
        }
        for (uint32_t p = 0; p < args->partitions && rc == WEIR_OK; p++) {
            rc = open_part(sink, &sink->batches[s].parts[p], p, err);
        }
    }
    if (rc != WEIR_OK) {
        close_sink(sink);
        return rc;
    }
    *ret_self = sink;
    return WEIR_OK;
}

/* ---- batches ---- */

static struct weir_postgres_batch *batch_of(struct weir_postgres_sink *sink, uint64_t number)
{
    struct weir_postgres_batch *batch = &sink->batches[number % sink->args.slots];

    weir_assert(number != 0 && batch->number == number);
    return batch;
}

static struct weir_postgres_part *part_of(struct weir_postgres_sink *sink, uint64_t number,
                                          uint32_t partition)
{
    weir_assert(partition < sink->args.partitions);
    return &batch_of(sink, number)->parts[partition];
}

/* To be sent from the beginning. */
static void make_ready(struct weir_postgres_sink *sink, struct weir_postgres_part *part,
                       uint64_t number)
{
    for (uint32_t t = 0; t <= sink->args.table_count; t++) {
        part->section_done[t] = false;
    }
    part->any_done = false;
    part->section = 0;
    part->section_rows = 0;
    part->section_bytes = 0;
    part->event_ready = false;
    part->event = (struct weir_sink_event){ .batch = number, .partition = part->number };
    weir_postgres_set_state(part, WEIR_POSTGRES_READY);
}

static int begin(void *self, uint64_t number, struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    struct weir_postgres_batch *batch = &sink->batches[number % sink->args.slots];

    (void)err; /* connections are opened when there are rows; failing there is an event */
    weir_assert(number != 0 && batch->number == 0);
    batch->number = number;
    batch->finished = false;
    for (uint32_t p = 0; p < sink->args.partitions; p++) {
        batch->parts[p].allowed = false;
        make_ready(sink, &batch->parts[p], number);
    }
    return WEIR_OK;
}

static int write_rows(void *self, uint64_t number, uint32_t partition, uint32_t table,
                      uint32_t source, enum weir_on_error on_error, const struct weir_chunk *chunk,
                      struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    struct weir_postgres_part *part = part_of(sink, number, partition);
    int rc = weir_part_write(&part->rows, table, source, on_error, chunk, &sink->scratch, err);

    if (rc == WEIR_OK) {
        weir_postgres_pump(sink, batch_of(sink, number), part);
    }
    return rc;
}

static int dead_letter(void *self, uint64_t batch, uint32_t partition, uint32_t source,
                       const struct weir_dead_letter *letter, struct weir_error *err)
{
    return weir_part_add_letter(&part_of(self, batch, partition)->rows, source, letter, true, err);
}

static int finish(void *self, uint64_t number, struct weir_sink_tally *ret_tallies,
                  struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    struct weir_postgres_batch *batch = batch_of(sink, number);

    (void)err;
    weir_assert(!batch->finished);
    batch->finished = true;
    for (uint32_t p = 0; p < sink->args.partitions; p++) {
        weir_part_seal(&batch->parts[p].rows);
        ret_tallies[p] = batch->parts[p].rows.tally;
        weir_postgres_pump(sink, batch, &batch->parts[p]);
    }
    return WEIR_OK;
}

static int commit(void *self, uint64_t number, uint32_t partition,
                  const struct weir_ledger_step *step, struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    struct weir_postgres_part *part = part_of(sink, number, partition);

    weir_assert(step->batch == number);
    weir_buf_reset(&part->step_bytes);
    weir_buf_append(&part->step_bytes, step->ends.data, step->ends.len);
    weir_buf_append(&part->step_bytes, step->ranges_json.data, step->ranges_json.len);
    if (part->step_bytes.failed) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a step of the ledger");
    }
    const char *bytes = (const char *)part->step_bytes.data;
    part->step = *step;
    part->step.ends = (struct weir_str){ bytes, step->ends.len };
    part->step.ranges_json =
        (struct weir_str){ step->ranges_json.len == 0 ? NULL : bytes + step->ends.len,
                           step->ranges_json.len };
    part->allowed = true;
    weir_postgres_pump(sink, batch_of(sink, number), part);
    return WEIR_OK;
}

static void rollback(void *self, uint64_t batch, uint32_t partition)
{
    weir_postgres_abandon(part_of(self, batch, partition));
}

static int resend(void *self, uint64_t number, uint32_t partition, struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    struct weir_postgres_part *part = part_of(sink, number, partition);
    int rc;

    weir_assert(part->state != WEIR_POSTGRES_IN);
    weir_postgres_abandon(part);
    rc = weir_postgres_restart(sink, part, err);
    if (rc == WEIR_OK) {
        make_ready(sink, part, number);
        weir_postgres_pump(sink, batch_of(sink, number), part);
    }
    return rc;
}

static int isolate(void *self, uint64_t number, uint32_t partition, struct weir_sink_search *ret,
                   struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    struct weir_postgres_part *part = part_of(sink, number, partition);
    int rc;

    weir_postgres_abandon(part);
    rc = weir_postgres_restart(sink, part, err);
    return rc == WEIR_OK ? weir_postgres_isolate(sink, part, ret, err) : rc;
}

static void discard_rows(void *self, uint64_t batch, uint32_t partition)
{
    struct weir_postgres_part *part = part_of(self, batch, partition);

    weir_postgres_abandon(part);
    weir_part_discard_rows(&part->rows);
}

static void release(void *self, uint64_t number)
{
    struct weir_postgres_sink *sink = self;
    struct weir_postgres_batch *batch = batch_of(sink, number);

    for (uint32_t p = 0; p < sink->args.partitions; p++) {
        struct weir_postgres_part *part = &batch->parts[p];

        weir_postgres_abandon(part); /* a no-op unless the caller gave the batch up */
        weir_part_reset(&part->rows);
        part->event_ready = false;
        weir_postgres_set_state(part, WEIR_POSTGRES_FREE);
    }
    batch->number = 0;
}

/* ---- events ---- */

static struct weir_postgres_batch *oldest_after(struct weir_postgres_sink *sink, uint64_t number)
{
    struct weir_postgres_batch *found = NULL;

    for (uint32_t s = 0; s < sink->args.slots; s++) {
        struct weir_postgres_batch *batch = &sink->batches[s];
        if (batch->number > number && (found == NULL || batch->number < found->number)) {
            found = batch;
        }
    }
    return found;
}

static int poll_sink(void *self, struct weir_sink_event *ret, struct weir_error *err)
{
    struct weir_postgres_sink *sink = self;
    struct weir_postgres_batch *batch = oldest_after(sink, 0);

    (void)err; /* what fails is the event of a part */
    for (; batch != NULL; batch = oldest_after(sink, batch->number)) {
        for (uint32_t p = 0; p < sink->args.partitions; p++) {
            struct weir_postgres_part *part = &batch->parts[p];

            weir_postgres_pump(sink, batch, part);
            if (part->event_ready) {
                part->event_ready = false;
                *ret = part->event;
                return WEIR_OK;
            }
        }
    }
    *ret = (struct weir_sink_event){ .outcome = WEIR_SINK_NONE };
    return WEIR_OK;
}

static uint32_t wait_fds(void *self, struct pollfd *ret, uint32_t max)
{
    struct weir_postgres_sink *sink = self;
    uint32_t count = 0;

    for (uint32_t s = 0; s < sink->args.slots; s++) {
        for (uint32_t p = 0; p < sink->args.partitions && count < max; p++) {
            const struct weir_postgres_part *part = &sink->batches[s].parts[p];

            if (sink->batches[s].number == 0 || part->connection == NULL ||
                part->state <= WEIR_POSTGRES_READY || part->state == WEIR_POSTGRES_IN) {
                continue;
            }
            bool writes = weir_postgres_wants_write(part);
            ret[count++] = (struct pollfd){ .fd = PQsocket(part->connection),
                                            .events = (short)(POLLIN | (writes ? POLLOUT : 0)) };
        }
    }
    return count;
}

const struct weir_sink_ops weir_postgres_sink_ops = {
    .name = "postgres",
    .sink_options = weir_postgres_sink_options,
    .table_options = weir_postgres_table_options,
    .holds_ledger = true,
    .same_domain = same_domain,
    .ddl = weir_postgres_ddl,
    .open = open_sink,
    .check = weir_postgres_check,
    .claim = weir_postgres_claim,
    .look = weir_postgres_look,
    .repartition = weir_postgres_repartition,
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
