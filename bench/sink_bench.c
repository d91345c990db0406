/* sink_bench.c: how fast does the PostgreSQL sink take rows, beside COPY BINARY of a ready file?
 *
 * Two million rows of six columns (bigint, text, numeric(12,2), timestamptz, integer, boolean) from
 * chunks that are made before the clock starts: write, finish, advance and commit, batch after
 * batch, two slots. The limit is one COPY of the very same bytes over one connection, made ready in
 * memory. Also measures encoding alone, and upserts of 100 000 keys.
 *
 * Usage: WEIR_TEST_PG_DSN=... sink_bench [ROWS_A_BATCH]. Prints one line of JSON a figure. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sink/postgres_sink.h"
#include "sink/row_encode.h"
#include "tests/support/pg.h"

enum { ROWS = 2000000, CHUNK_ROWS = 4096, CHUNKS = 64, KEYS = 100000, COLUMNS = 6 };

static const struct weir_sink_column columns[COLUMNS] = {
    { .name = "id", .type = { WEIR_TYPE_INT8, -1 } },
    { .name = "customer", .type = { WEIR_TYPE_TEXT, -1 } },
    { .name = "amount", .type = { WEIR_TYPE_NUMERIC, (12 << 16 | 2) + 4 } },
    { .name = "created_at", .type = { WEIR_TYPE_TIMESTAMPTZ, -1 } },
    { .name = "quantity", .type = { WEIR_TYPE_INT4, -1 } },
    { .name = "express", .type = { WEIR_TYPE_BOOL, -1 } },
};
static const uint32_t key[] = { 0 };

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Processor time of this process: what others do on the machine does not count. */
static double cpu_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static _Noreturn void give_up(const char *what, const struct weir_error *err)
{
    (void)fprintf(stderr, "sink_bench: %s: %s\n", what, err == NULL ? "" : err->text);
    exit(1);
}

static void figure(const char *name, double value)
{
    (void)printf("{\"bench\":\"sink\",\"figure\":\"%s\",\"value\":%.3f}\n", name, value);
    (void)fflush(stdout);
}

static struct weir_chunk *make_chunk(struct weir_arena *arena, int64_t first, int64_t modulus)
{
    struct weir_chunk *chunk = weir_arena_calloc(arena, 1, sizeof(*chunk));
    struct weir_vec *vecs = weir_arena_calloc(arena, COLUMNS, sizeof(*vecs));
    const struct weir_record **origins = weir_arena_calloc(arena, CHUNK_ROWS, sizeof(*origins));
    struct weir_record *records = weir_arena_calloc(arena, CHUNK_ROWS, sizeof(*records));

    for (uint32_t c = 0; c < COLUMNS; c++) {
        vecs[c] = weir_vec_alloc(arena, columns[c].type, CHUNK_ROWS);
    }
    for (uint32_t r = 0; r < CHUNK_ROWS; r++) {
        int64_t n = first + r;
        char name[32];

        vecs[0].i8[r] = modulus == 0 ? n : (n * 7919) % modulus;
        int len = snprintf(name, sizeof(name), "customer-%05lld", (long long)(n * 31 % 50000));
        vecs[1].str[r].data = weir_arena_copy(arena, weir_str_from(name));
        vecs[1].str[r].len = (size_t)len;
        vecs[2].num[r] = (struct weir_numeric){ .small = n * 37 % 1000000, .scale = 2 };
        vecs[3].i8[r] = INT64_C(800000000000000) + n * 1000;
        vecs[4].i4[r] = (int32_t)(n % 100);
        vecs[5].b[r] = n % 3 == 0;
        records[r].offset = n;
        origins[r] = &records[r];
    }
    *chunk = (struct weir_chunk){
        .rows = CHUNK_ROWS, .columns = COLUMNS, .vecs = vecs, .origins = origins
    };
    return chunk;
}

static void make_tables(void)
{
    test_pg_run(
        "DROP TABLE IF EXISTS bench; CREATE TABLE bench (id bigint, customer text,"
        " amount numeric(12,2), created_at timestamptz, quantity integer, express boolean)");
    test_pg_run("CHECKPOINT");
}

/* Encodes everything, and copies the ready bytes over one connection. */
static double bench_copy(struct weir_chunk **chunks)
{
    static const char header[19] = "PGCOPY\n\377\r\n";
    struct weir_buf bytes = { 0 };
    struct weir_arena scratch;
    size_t ends[CHUNK_ROWS];
    PGconn *session = test_pg_session();
    double cpu = cpu_s();

    weir_arena_init(&scratch, 0);
    (void)weir_buf_reserve(&bytes, (size_t)ROWS * 100); /* growing is not encoding */
    for (uint32_t n = 0; n < ROWS; n += CHUNK_ROWS) {
        if (weir_row_encode(chunks[n / CHUNK_ROWS % CHUNKS], &scratch, &bytes, ends, NULL) != 0) {
            give_up("encode", NULL);
        }
    }
    figure("encode_cpu_us_per_row", (cpu_s() - cpu) * 1e6 / ROWS);
    make_tables();
    double begin = now_s();
    cpu = cpu_s();
    PQclear(PQexec(session, "COPY bench FROM STDIN (FORMAT binary)"));
    (void)PQputCopyData(session, header, sizeof(header));
    for (size_t at = 0; at < bytes.len; at += 65536) {
        size_t count = bytes.len - at < 65536 ? bytes.len - at : 65536;
        (void)PQputCopyData(session, (const char *)bytes.data + at, (int)count);
    }
    (void)PQputCopyData(session, "\377\377", 2);
    if (PQputCopyEnd(session, NULL) != 1) {
        give_up("COPY", NULL);
    }
    PQclear(PQgetResult(session));
    double rate = ROWS / (now_s() - begin);
    figure("copy_rows_per_s", rate);
    figure("copy_cpu_us_per_row", (cpu_s() - cpu) * 1e6 / ROWS);
    PQfinish(session);
    weir_buf_fini(&bytes);
    weir_arena_fini(&scratch);
    return rate;
}

static void await(void *sink, uint64_t batch)
{
    const struct weir_sink_ops *ops = &weir_postgres_sink_ops;
    struct weir_sink_event event = { 0 };

    for (;;) {
        struct pollfd fds[8];

        (void)ops->poll(sink, &event, NULL);
        if (event.outcome == WEIR_SINK_COMMITTED && event.batch == batch) {
            return;
        }
        if (event.outcome != WEIR_SINK_NONE) {
            give_up("batch", &event.err);
        }
        (void)poll(fds, ops->wait_fds(sink, fds, 8), 1000);
    }
}

static double bench_sink(struct weir_chunk **chunks, const struct weir_option *dsn,
                         uint32_t batch_rows, bool keyed, uint32_t rows)
{
    const struct weir_sink_ops *ops = &weir_postgres_sink_ops;
    struct weir_sink_table table = { .name = "bench", .columns = columns, .column_count = COLUMNS };
    struct weir_sink_args args = { .pipeline = "bench",
                                   .options = { dsn, 1 },
                                   .tables = &table,
                                   .table_count = 1,
                                   .partitions = 1,
                                   .slots = 2 };
    struct weir_claim claim = { .name = keyed ? "upsert" : "append", .uuid = { keyed + 1 } };
    struct weir_ledger ledger;
    struct weir_sink_tally tally;
    struct weir_error err;
    void *sink = NULL;
    uint32_t written = 0;
    uint64_t n = 0;

    table.key = key;
    table.key_count = keyed ? 1 : 0;
    if (ops->open(&args, &sink, &err) != 0 || ops->check(sink, &err) != 0 ||
        ops->claim(sink, &claim, &ledger, &err) != 0) {
        give_up("claim", &err);
    }
    double begin = now_s();
    while (written < rows) {
        n++;
        if (ops->begin(sink, n, &err) != 0) {
            give_up("begin", &err);
        }
        for (uint32_t in_batch = 0; in_batch < batch_rows; in_batch += CHUNK_ROWS) {
            const struct weir_chunk *chunk = chunks[written / CHUNK_ROWS % CHUNKS];
            struct weir_chunk part = *chunk;

            part.rows = batch_rows < CHUNK_ROWS ? batch_rows : CHUNK_ROWS;
            if (ops->write(sink, n, 0, 0, 0, WEIR_ON_ERROR_FAIL, &part, &err) != 0) {
                give_up("write", &err);
            }
            written += part.rows;
        }
        if (ops->finish(sink, n, &tally, &err) != 0) {
            give_up("finish", &err);
        }
        if (n > 1) {
            await(sink, n - 1);
            ops->release(sink, n - 1);
        }
        struct weir_ledger_step step = { .batch = n,
                                         .t = (int64_t)n,
                                         .previous_t = (int64_t)n - 1,
                                         .plan = { n, 0 },
                                         .previous_plan = { n - 1, 0 } };
        if (ops->commit(sink, n, 0, &step, &err) != 0) {
            give_up("commit", &err);
        }
    }
    await(sink, n);
    double rate = written / (now_s() - begin);
    ops->close(sink);
    return rate;
}

int main(int argc, char **argv)
{
    uint32_t batch_rows = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 49152;
    struct weir_option dsn = { .name = WEIR_STR("dsn"),
                               .text = weir_str_from(test_pg_open("sink_bench")) };
    struct weir_chunk *chunks[CHUNKS];
    struct weir_arena arena;

    weir_arena_init(&arena, 1 << 20);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        chunks[i] = make_chunk(&arena, (int64_t)i * CHUNK_ROWS, 0);
    }
    double limit = bench_copy(chunks);
    make_tables();
    double cpu = cpu_s();
    double append = bench_sink(chunks, &dsn, batch_rows, false, ROWS);
    figure("append_cpu_us_per_row", (cpu_s() - cpu) * 1e6 / ROWS);
    figure("append_rows_per_s", append);
    figure("append_ratio_to_copy", append / limit);

    for (uint32_t i = 0; i < CHUNKS; i++) {
        chunks[i] = make_chunk(&arena, (int64_t)i * CHUNK_ROWS, KEYS);
    }
    make_tables();
    test_pg_run("ALTER TABLE bench ADD PRIMARY KEY (id)");
    cpu = cpu_s();
    figure("upsert_rows_per_s", bench_sink(chunks, &dsn, batch_rows, true, ROWS / 4));
    figure("upsert_cpu_us_per_row", (cpu_s() - cpu) * 1e6 / (ROWS / 4));
    weir_arena_fini(&arena);
    test_pg_close();
    return 0;
}
