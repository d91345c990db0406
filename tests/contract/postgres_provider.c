/* postgres_provider.c: looks at what the sink wrote through a session of its own. */
#include "tests/contract/postgres_provider.h"

#include "sink/postgres_sink.h"
#include "tests/support/pg.h"

static void pg_reset(void)
{
    test_pg_run("DROP SCHEMA IF EXISTS weir CASCADE; DROP TABLE IF EXISTS plain, keyed;"
                "CREATE TABLE plain (id bigint CHECK (id <> 13), note text);"
                "CREATE TABLE keyed (id bigint PRIMARY KEY, note text)");
}

static uint64_t pg_count(int table)
{
    return (uint64_t)test_pg_number(table == TABLE_PLAIN ? "SELECT count(*) FROM plain"
                                                         : "SELECT count(*) FROM keyed");
}

static int64_t pg_sum(int table)
{
    return test_pg_number(table == TABLE_PLAIN ? "SELECT sum(id) FROM plain"
                                               : "SELECT sum(id) FROM keyed");
}

static uint64_t pg_letters(void)
{
    return (uint64_t)test_pg_number("SELECT count(*) FROM weir.dead_letter");
}

struct sink_provider postgres_provider(struct weir_options options)
{
    return (struct sink_provider){
        .name = "postgres",
        .ops = &weir_postgres_sink_ops,
        .options = options,
        .reset = pg_reset,
        .count = pg_count,
        .sum_of_ids = pg_sum,
        .dead_letters = pg_letters,
    };
}
