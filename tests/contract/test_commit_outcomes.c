/* test_commit_outcomes.c: plays the ends of COMMITs on the server that the command line names: the
 * simulator's model of one (memory), or a real one (postgres), whose address WEIR_TEST_PG_DSN tells. */
#include <stdio.h>

#include "tests/contract/commit_outcomes.h"
#include "tests/contract/memory_provider.h"
#include "tests/support/pg.h"

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "memory") == 0) {
        int failed = commit_outcomes_run(memory_outcomes());
        memory_provider_close();
        return failed;
    }
    if (argc == 2 && strcmp(argv[1], "postgres") == 0) {
        (void)test_pg_open("commit_outcomes");
        int failed = commit_outcomes_run(postgres_outcomes());
        test_pg_close();
        return failed;
    }
    (void)fprintf(stderr, "usage: test_commit_outcomes memory|postgres\n");
    return 2;
}
