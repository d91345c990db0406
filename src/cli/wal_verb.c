/* wal_verb.c: `weir wal dump|verify DIR`: the log for people, read only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static void print_line(void *context, const char *line)
{
    (void)context;
    (void)printf("%s\n", line);
}

int cli_wal(const struct cli_args *args)
{
    bool is_dump = args->argument_count == 2 && strcmp(args->arguments[0], "dump") == 0;
    bool is_verify = args->argument_count == 2 && strcmp(args->arguments[0], "verify") == 0;
    struct weir_error err = { 0 };
    char *summary = NULL;

    if (!is_dump && !is_verify) {
        (void)fprintf(stderr, "weir wal: takes dump or verify, and a data directory; see weir wal "
                              "--help\n");
        return EXIT_USAGE;
    }
    if (weir_log_read(args->arguments[1], is_dump ? print_line : NULL, NULL, &summary, &err) !=
        WEIR_OK) {
        (void)fflush(stdout);
        return cli_fail(&err);
    }
    (void)printf("%s%s\n", is_dump ? "" : "ok: ", summary);
    free(summary);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
