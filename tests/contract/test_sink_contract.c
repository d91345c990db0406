/* test_sink_contract.c: runs the contract on the sink that the command line names: memory, or
 * postgres, whose address WEIR_TEST_PG_DSN tells; without it this fails, as a skipped proof is none. */
#include <stdio.h>
#include <stdlib.h>

#include "sink/memory_sink.h"
#include "tests/contract/postgres_provider.h"
#include "tests/support/pg.h"

/* ---- memory ---- */

static struct weir_memory_database *memory;

static bool refuses_13(void *context, const char *table, const struct weir_record *origin)
{
    (void)context;
    return strcmp(table, "plain") == 0 && origin->offset == 13;
}

static void memory_reset(void)
{
    weir_memory_database_close(memory);
    memory = weir_memory_database_open("memory");
    weir_memory_refuse(memory, refuses_13, NULL);
}

static size_t memory_rows(int table, struct weir_memory_row **ret)
{
    size_t count = 0;

    assert_int_equal(weir_memory_table_rows(memory,
                                            table == TABLE_PLAIN ? "public.plain" : "public.keyed",
                                            ret, &count),
                     WEIR_OK);
    return count;
}

static uint64_t memory_count(int table)
{
    struct weir_memory_row *rows = NULL;
    size_t count = memory_rows(table, &rows);

    free(rows);
    return count;
}

static int64_t memory_sum(int table)
{
    struct weir_memory_row *rows = NULL;
    size_t count = memory_rows(table, &rows);
    int64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += weir_memory_row_integer(&rows[i], 0);
    }
    free(rows);
    return sum;
}

static uint64_t memory_letters(void)
{
    struct weir_memory_letter *letters = NULL;
    size_t count = 0;

    assert_int_equal(weir_memory_dead_letters(memory, &letters, &count), WEIR_OK);
    free(letters);
    return count;
}

static int run_on_memory(void)
{
    const struct sink_provider provider = {
        .name = "memory",
        .ops = &weir_memory_sink_ops,
        .reset = memory_reset,
        .count = memory_count,
        .sum_of_ids = memory_sum,
        .dead_letters = memory_letters,
    };
    int failed = sink_contract_run(&provider);

    weir_memory_database_close(memory);
    return failed;
}

static int run_on_postgres(void)
{
    struct weir_option dsn = { .name = WEIR_STR("dsn"),
                               .text = weir_str_from(test_pg_open("sink_contract")) };
    const struct sink_provider provider = postgres_provider((struct weir_options){ &dsn, 1 });
    int failed = sink_contract_run(&provider);

    test_pg_close();
    return failed;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "memory") == 0) {
        return run_on_memory();
    }
    if (argc == 2 && strcmp(argv[1], "postgres") == 0) {
        return run_on_postgres();
    }
    (void)fprintf(stderr, "usage: test_sink_contract memory|postgres\n");
    return 2;
}
