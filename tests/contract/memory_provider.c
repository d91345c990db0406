/* memory_provider.c: looks at what the sink left in its database. */
#include "tests/contract/memory_provider.h"

#include <stdlib.h>

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

struct sink_provider memory_provider(void)
{
    return (struct sink_provider){
        .name = "memory",
        .ops = &weir_memory_sink_ops,
        .reset = memory_reset,
        .count = memory_count,
        .sum_of_ids = memory_sum,
        .dead_letters = memory_letters,
    };
}

struct weir_memory_database *memory_provider_database(void)
{
    return memory;
}

void memory_provider_close(void)
{
    weir_memory_database_close(memory);
    memory = NULL;
}
