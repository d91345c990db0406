/* test_sink_contract.c: runs the contract on the sink that the command line names: memory, or
 * postgres, whose address WEIR_TEST_PG_DSN tells; without it this fails, as a skipped proof is none. */
#include <stdio.h>

#include "tests/contract/memory_provider.h"
#include "tests/contract/postgres_provider.h"
#include "tests/support/pg.h"

static int run_on_memory(void)
{
    const struct sink_provider provider = memory_provider();
    int failed = sink_contract_run(&provider);

    memory_provider_close();
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
