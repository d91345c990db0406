/* fuzz_ledger.c: what is read back from weir.ledger, where a hand may have put anything.
 *
 * Input: the twelve columns of one row as text, separated by line feeds; and the whole of it once
 * more as the ranges that a row's last column holds: what is accepted of those must encode to the very
 * same bytes. */
#include "sink/postgres_internal.h"
#include "tests/fuzz/fuzz.h"
#include "txn/ranges.h"

enum { COLUMNS = 12 };

static void read_ranges(struct weir_str bytes)
{
    struct weir_reader reader = { .data = (const uint8_t *)bytes.data, .len = bytes.len };
    struct weir_ranges ranges = { 0 };
    struct weir_buf text = { 0 }, back = { 0 };
    struct weir_arena arena;

    weir_arena_init(&arena, 0);
    if (weir_ranges_decode_ends(&reader, &arena, &ranges, NULL) == WEIR_OK) {
        weir_ranges_encode_ends(ranges, &back);
        weir_assert(back.len == reader.at && memcmp(back.data, bytes.data, back.len) == 0);
        weir_ranges_print(ranges, true, &text);
    }
    weir_buf_fini(&back);
    weir_buf_fini(&text);
    weir_arena_fini(&arena);
}

/* A result of one row, as the server would send it. */
static PGresult *make_result(const char *data, size_t len)
{
    static char name[] = "c";
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc columns[COLUMNS];

    for (int i = 0; i < COLUMNS; i++) {
        columns[i] = (PGresAttDesc){ .name = name, .typlen = -1 };
    }
    weir_assert(result != NULL && PQsetResultAttrs(result, COLUMNS, columns));
    for (int i = 0; i < COLUMNS; i++) {
        const char *end = len == 0 ? NULL : memchr(data, '\n', len);
        size_t bytes = end == NULL ? len : (size_t)(end - data);
        char *text = malloc(bytes + 1);

        weir_assert(text != NULL);
        memcpy(text, data, bytes);
        text[bytes] = '\0';
        weir_assert(PQsetvalue(result, 0, i, text, (int)strlen(text))); /* text holds no NUL */
        free(text);
        data += bytes + (end != NULL);
        len -= bytes + (end != NULL);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct weir_postgres_sink sink; /* its buffer grows once */
    static struct weir_ledger ledger;
    struct weir_error err = { 0 };

    read_ranges((struct weir_str){ (const char *)data, len });
    PGresult *result = make_result((const char *)data, len);
    int rc = weir_postgres_parse_ledger(&sink, result, &ledger, &err);
    if (rc == WEIR_OK) {
        weir_assert(ledger.count == 1 && ledger.rows[0].partitions == 1);
        read_ranges(ledger.rows[0].ends);
    } else {
        weir_assert(rc == WEIR_ECONFLICT && strcmp(err.reason, "ledger_uneven") == 0);
    }
    PQclear(result);
    return 0;
}
