/* main.c: the weir command: finds the verb, reads its options, runs it.
 *
 * Uses include/weir/ alone, but for prove_verb.c. Exit statuses: docs/ERRORS.md. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const struct verb {
    const char *name;
    const char *arguments;
    cli_verb_fn *run;
    const char *help; /* NULL: the verb reads its options, and prints its help, by itself */
} verbs[] = {
    { "run", "FILE [--data DIR] [--set NAME=VALUE]... [--until-caught-up] [--no-progress]", cli_run,
      "Runs a pipeline until SIGTERM or SIGINT, which finish the open batch (a second SIGINT "
      "stops\n"
      "at once). Whatever the end, the next run goes on where this one left off." },
    { "validate", "FILE [--set NAME=VALUE]...", cli_validate,
      "Checks a pipeline file without connecting to anything." },
    { "check", "FILE [--set NAME=VALUE]...", cli_check,
      "Checks a pipeline file against its brokers and databases; writes nothing." },
    { "explain", "FILE [--set NAME=VALUE]...", cli_explain,
      "Prints the plan, and for every path the delivery promise and what it rests on." },
    { "ddl", "FILE [--set NAME=VALUE]...", cli_ddl,
      "Prints the SQL that makes ledger and tables, for a database where weir may not." },
    { "wal", "dump|verify|stat|repair DIR [--json] [--yes]", cli_wal,
      "The log of a data directory. dump prints every record but the log's own marks, verify "
      "checks\n"
      "every byte, stat counts records, bytes and batches: they change nothing, and may be used "
      "while\n"
      "the pipeline runs.\n"
      "repair cuts what a crash left of a write that was broken off, after showing it and asking; "
      "it\n"
      "refuses whatever else may be wrong. The next run would cut the same by itself." },
    { "prove", "--brokers LIST --dsn DSN [--kills N] [OPTION...]", cli_prove, NULL },
    { "reference", "", cli_reference, "Prints all options, types and functions as Markdown." },
    { "version", "[--fail-points]", cli_version, "Prints the version." },
};

enum { VERB_COUNT = sizeof(verbs) / sizeof(verbs[0]) };

enum option_id {
    OPTION_DATA = 1,
    OPTION_SET,
    OPTION_UNTIL,
    OPTION_QUIET,
    OPTION_JSON,
    OPTION_YES,
    OPTION_FAIL_POINTS,
    OPTION_HELP
};

static const struct option options[] = {
    { "data", required_argument, NULL, OPTION_DATA },
    { "set", required_argument, NULL, OPTION_SET },
    { "until-caught-up", no_argument, NULL, OPTION_UNTIL },
    { "no-progress", no_argument, NULL, OPTION_QUIET },
    { "json", no_argument, NULL, OPTION_JSON },
    { "yes", no_argument, NULL, OPTION_YES },
    { "fail-points", no_argument, NULL, OPTION_FAIL_POINTS },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 },
};

static void print_usage(FILE *stream)
{
    (void)fprintf(stream,
                  "weir moves rows from Kafka through SQL into PostgreSQL, exactly once.\n\n"
                  "usage:\n");
    for (int i = 0; i < VERB_COUNT; i++) {
        (void)fprintf(stream, "  weir %s %s\n", verbs[i].name, verbs[i].arguments);
    }
    (void)fprintf(stream,
                  "\nweir VERB --help says more. FILE is a pipeline of SQL; - reads it from "
                  "standard input.\n");
}

static void print_verb_help(const struct verb *verb)
{
    (void)printf("usage: weir %s %s\n\n%s\n", verb->name, verb->arguments, verb->help);
    if (strstr(verb->arguments, "--data") != NULL) {
        (void)printf("\n  --data DIR          where the log is kept (default: NAME.weir in the "
                     "current directory)\n");
    }
    if (strstr(verb->arguments, "--set") != NULL) {
        (void)printf("  --set NAME=VALUE    wins over SET pipeline.NAME in the file\n");
    }
    if (strstr(verb->arguments, "--until") != NULL) {
        (void)printf("  --until-caught-up   end when everything that is there has been written\n"
                     "  --no-progress       no progress line every second\n");
    }
    if (strstr(verb->arguments, "--json") != NULL) {
        (void)printf("\n  --json              of dump and stat: JSON, one object a line\n"
                     "  --yes               of repair: cut without asking\n");
    }
    if (strstr(verb->arguments, "--fail-points") != NULL) {
        (void)printf(
            "\n  --fail-points       list where WEIR_FAIL can hurt a build made for tests\n");
    }
}

/* Splits NAME=VALUE in place. */
static bool add_setting(struct cli_args *args, char *text)
{
    char *equals = strchr(text, '=');

    if (equals == NULL || equals == text) {
        (void)fprintf(stderr, "weir: --set takes NAME=VALUE, not '%s'\n", text);
        return false;
    }
    if (args->setting_count == CLI_SETTINGS_MAX) {
        (void)fprintf(stderr, "weir: more than %d --set options\n", (int)CLI_SETTINGS_MAX);
        return false;
    }
    *equals = '\0';
    args->settings[args->setting_count++] =
        (struct weir_setting){ .name = text, .value = equals + 1 };
    return true;
}

/* Reads options and arguments of a verb. Returns false after saying what is wrong. */
static bool read_args(const struct verb *verb, int argc, char **argv, struct cli_args *args,
                      bool *ret_help)
{
    int id;

    while ((id = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (id) {
        case OPTION_DATA:
            args->data_dir = optarg;
            break;
        case OPTION_SET:
            if (!add_setting(args, optarg)) {
                return false;
            }
            break;
        case OPTION_UNTIL:
            args->until_caught_up = true;
            break;
        case OPTION_QUIET:
            args->no_progress = true;
            break;
        case OPTION_JSON:
            args->json = true;
            break;
        case OPTION_YES:
            args->yes = true;
            break;
        case OPTION_FAIL_POINTS:
            args->fail_points = true;
            break;
        case OPTION_HELP:
        case 'h':
            *ret_help = true;
            return true;
        default:
            (void)fprintf(stderr, "see weir %s --help\n", verb->name);
            return false;
        }
    }
    args->arguments = (const char *const *)argv + optind;
    args->argument_count = argc - optind;
    return true;
}

int main(int argc, char **argv)
{
    static char name[64]; /* what getopt puts before its complaints */
    struct cli_args args = { 0 };
    bool want_help = false;

    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return EXIT_SUCCESS;
    }
    args.verb = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
    for (int i = 0; i < VERB_COUNT; i++) {
        if (strcmp(args.verb, verbs[i].name) != 0) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "weir %s", args.verb);
        argv[1] = name;
        if (verbs[i].help == NULL) {
            args.raw_arguments = argv + 1;
            args.argument_count = argc - 1;
            return verbs[i].run(&args);
        }
        if (!read_args(&verbs[i], argc - 1, argv + 1, &args, &want_help)) {
            return EXIT_USAGE;
        }
        if (want_help) {
            print_verb_help(&verbs[i]);
            return EXIT_SUCCESS;
        }
        return verbs[i].run(&args);
    }
    (void)fprintf(stderr, "weir: there is no verb \"%s\"\n\n", argv[1]);
    print_usage(stderr);
    return EXIT_USAGE;
}
