/* json_bench.c: what decoding a message costs. Prints a table and one line of JSON a figure.
 *
 * json_bench [ROUNDS]. Messages of 130 bytes with 6 fields, as the other benches send them, in
 * chunks of 4096. Run by hand: it measures one core, without servers. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "format/json_format.h"

enum { ROWS = WEIR_CHUNK_ROWS_MAX, PADDING_BYTES = 64, ROUNDS_DEFAULT = 200 };

#define TYPE(id_, typmod_)                         \
    {                                              \
        .id = WEIR_TYPE_##id_, .typmod = (typmod_) \
    }

static const struct weir_format_column columns[] = {
    { "id", TYPE(INT8, -1) },
    { "customer", TYPE(TEXT, -1) },
    { "amount", TYPE(NUMERIC, ((12 << 16) | 2) + 4) },
    { "quantity", TYPE(INT4, -1) },
    { "created_at", TYPE(TIMESTAMPTZ, -1) },
    { "note", TYPE(TEXT, -1) },
};

static int64_t cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool make_records(struct weir_arena *arena, struct weir_record *records, size_t *ret_bytes)
{
    char text[256];

    *ret_bytes = 0;
    for (int i = 0; i < ROWS; i++) {
        int len = snprintf(text, sizeof(text),
                           "{\"id\":%d,\"customer\":\"customer-%06d\",\"amount\":%d.%02d,"
                           "\"quantity\":%d,\"created_at\":\"2024-05-01T12:%02d:%02d.123Z\","
                           "\"note\":\"abcdefgh\"}",
                           1000000 + i, i % 100000, i % 9999, i % 100, i % 17, i / 60 % 60, i % 60);
        char *copy = weir_arena_calloc(arena, 1, (size_t)len + PADDING_BYTES);
        if (copy == NULL) {
            return false;
        }
        memcpy(copy, text, (size_t)len);
        records[i] = (struct weir_record){ .offset = i, .value = { copy, (size_t)len } };
        *ret_bytes += (size_t)len;
    }
    return true;
}

/* Nanoseconds a message when the first column_count columns are wanted. */
static double measure(const struct weir_record *records, uint32_t column_count, int rounds)
{
    const struct weir_format_args args = { columns, column_count, { 0 } };
    struct weir_arena arena;
    struct weir_error err;
    void *format;

    weir_arena_init(&arena, 1 << 20);
    if (weir_json_format_ops.open(&args, &format, &err) != WEIR_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    int64_t best = INT64_MAX; /* of the rounds: what else the machine does only adds */
    for (int round = 0; round < rounds; round++) {
        struct weir_chunk chunk;
        struct weir_decode_errors errors;
        int64_t begin = cpu_ns();
        weir_arena_reset(&arena);
        if (weir_json_format_ops.decode(format, records, ROWS, &arena, &chunk, &errors, &err) !=
                WEIR_OK ||
            errors.count > 0) {
            (void)fprintf(stderr, "a message was refused\n");
            exit(1);
        }
        int64_t took = cpu_ns() - begin;
        best = took < best ? took : best;
    }
    double ns = (double)best / ROWS;
    weir_json_format_ops.close(format);
    weir_arena_fini(&arena);
    return ns;
}

int main(int argc, char **argv)
{
    static struct weir_record records[ROWS];
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : ROUNDS_DEFAULT;
    struct weir_arena arena;
    size_t bytes;

    weir_arena_init(&arena, 1 << 20);
    if (rounds < 1 || !make_records(&arena, records, &bytes)) {
        return 1;
    }
    (void)printf("%zu bytes a message\n%-10s %s\n", bytes / ROWS, "columns", "ns a message");
    for (uint32_t count = 0; count <= 6; count += 2) {
        double ns = measure(records, count, rounds);
        (void)printf("%-10u %.0f\n", count, ns);
        (void)printf("{\"bench\":\"json\",\"figure\":\"ns_%u_columns\",\"value\":%.1f}\n", count,
                     ns);
    }
    weir_arena_fini(&arena);
    return 0;
}
