/* prove_verb.c: `weir prove`: reads its options; all the rest is in src/prove/. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "prove/prove.h"

enum { KILLS_DEFAULT = 100, KILLS_MAX = 1000000, ROWS_MAX = 100000000 };

static const struct row {
    struct option option;
    const char *value; /* its name in the help; NULL: takes none */
    const char *help;
} rows[] = {
    { { "brokers", required_argument, NULL, 'b' },
      "LIST",
      "brokers, host:port with commas between" },
    { { "dsn", required_argument, NULL, 'd' }, "DSN", "connection string of the database" },
    { { "mode", required_argument, NULL, 'm' },
      "MODE",
      "exactly_once (default), at_least_once or at_most_once" },
    { { "kills", required_argument, NULL, 'k' }, "N", "how often to kill; default 100" },
    { { "faults", required_argument, NULL, 'f' }, "LIST", "which faults; default all" },
    { { "seed", required_argument, NULL, 's' }, "N", "what is drawn from; default 1" },
    { { "rows", required_argument, NULL, 'n' },
      "N",
      "messages to send at most; default as many as it takes" },
    { { "report", required_argument, NULL, 'r' }, "FILE.html", "one page with a timeline" },
    { { "json", required_argument, NULL, 'j' }, "FILE", "the same as JSON" },
    { { "pipeline", required_argument, NULL, 'P' },
      "FILE",
      "your own pipeline, from one topic to one table, with an id column" },
    { { "external", required_argument, NULL, 'x' },
      "CMD",
      "judge this shell command in place of weir run" },
    { { "pg-restart", required_argument, NULL, 'p' },
      "CMD",
      "shell command: restart the database" },
    { { "kafka-restart", required_argument, NULL, 'K' },
      "CMD",
      "shell command: restart the broker" },
    { { "disk-full-dir", required_argument, NULL, 'F' },
      "DIR",
      "directory on a small disk, to be filled up" },
    { { "dir", required_argument, NULL, 'D' }, "DIR", "where to work; default $TMPDIR or /tmp" },
    { { "no-progress", no_argument, NULL, 'q' }, NULL, "no progress line" },
    { { "help", no_argument, NULL, 'h' }, NULL, "this text" },
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static void print_help(void)
{
    (void)printf(
        "usage: weir prove --brokers LIST --dsn DSN [OPTION...]\n\n"
        "Runs a pipeline on your own Kafka and PostgreSQL, hurts it again and again, and says "
        "whether\nits delivery promise held: nothing lost, nothing doubled. Makes its own topic "
        "and schema, and\nremoves them unless something was wrong.\n\n");
    for (int i = 0; i < ROW_COUNT; i++) {
        char name[40];
        (void)snprintf(name, sizeof(name), "--%s %s", rows[i].option.name,
                       rows[i].value == NULL ? "" : rows[i].value);
        (void)printf("  %-22s%s\n", name, rows[i].help);
    }
    (void)printf(
        "\nFaults: %s.\n"
        "A command of --external reads the topic $WEIR_PROVE_TOPIC at $WEIR_PROVE_BROKERS, "
        "whose messages\nare {\"id\":1,\"body\":\"...\"}, into the columns id and body of "
        "$WEIR_PROVE_TABLE at $WEIR_PROVE_DSN.\n"
        "Exit status: 0 the promise held, 1 it did not, or nothing could be tried; 2 a wrong "
        "command "
        "line,\n69 broker or database not there, 74 a file cannot be written, 78 what was asked "
        "for "
        "cannot be\nplayed, 130 interrupted.\n",
        prove_fault_names());
}

static bool read_number(const char *option, const char *text, uint64_t max, uint64_t *ret)
{
    char *end = NULL;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || *ret > max) {
        (void)fprintf(stderr, "weir prove: %s takes a number up to %" PRIu64 ", not '%s'\n", option,
                      max, text);
        return false;
    }
    return true;
}

/* The names of faults, one by one. */
static bool are_faults(const char *list)
{
    char known[2048];
    char word[64];

    (void)snprintf(known, sizeof(known), ", all, net, %s,", prove_fault_names());
    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        (void)snprintf(word, sizeof(word), ", %.*s,", (int)(len < 32 ? len : 32), list);
        if (strstr(known, word) == NULL) {
            (void)fprintf(stderr, "weir prove: there is no fault '%.*s'; there are: all, net, %s\n",
                          (int)len, list, prove_fault_names());
            return false;
        }
        list += len + (list[len] == ',');
    }
    return true;
}

static bool is_mode(const char *text)
{
    bool known = strcmp(text, "exactly_once") == 0 || strcmp(text, "at_least_once") == 0 ||
                 strcmp(text, "at_most_once") == 0;

    if (!known) {
        (void)fprintf(stderr,
                      "weir prove: --mode takes exactly_once, at_least_once or at_most_once, "
                      "not '%s'\n",
                      text);
    }
    return known;
}

static bool take_option(int id, char *value, struct prove_options *options)
{
    uint64_t kills;

    switch (id) {
    case 'b':
        options->brokers = value;
        return true;
    case 'd':
        options->dsn = value;
        return true;
    case 'm':
        options->mode = value;
        return is_mode(value);
    case 'k':
        if (!read_number("--kills", value, KILLS_MAX, &kills)) {
            return false;
        }
        options->kills = (uint32_t)kills;
        return true;
    case 'f':
        options->faults = value;
        return are_faults(value);
    case 's':
        return read_number("--seed", value, UINT64_MAX, &options->seed);
    case 'n':
        return read_number("--rows", value, ROWS_MAX, &options->rows);
    case 'r':
        options->report_path = value;
        return true;
    case 'j':
        options->json_path = value;
        return true;
    case 'P':
        options->pipeline = value;
        return true;
    case 'F':
        options->disk_full_dir = value;
        return true;
    case 'x':
        options->external = value;
        return true;
    case 'p':
        options->pg_restart = value;
        return true;
    case 'K':
        options->kafka_restart = value;
        return true;
    case 'D':
        options->directory = value;
        return true;
    case 'q':
        options->no_progress = true;
        return true;
    default:
        (void)fprintf(stderr, "see weir prove --help\n");
        return false;
    }
}

int cli_prove(const struct cli_args *args)
{
    struct prove_options options = {
        .mode = "exactly_once", .faults = "all", .kills = KILLS_DEFAULT, .seed = 1
    };
    struct option known[ROW_COUNT + 1] = { 0 };
    char *const *arguments = args->raw_arguments;
    struct weir_error err = { 0 };
    int status = EXIT_FAILURE;
    int id;

    for (int i = 0; i < ROW_COUNT; i++) {
        known[i] = rows[i].option;
    }
    while ((id = getopt_long(args->argument_count, arguments, "h", known, NULL)) != -1) {
        if (id == 'h') {
            print_help();
            return EXIT_SUCCESS;
        }
        if (!take_option(id, optarg, &options)) {
            return EXIT_USAGE;
        }
    }
    if (optind != args->argument_count || options.brokers == NULL || options.dsn == NULL) {
        (void)fprintf(stderr,
                      "weir prove: takes --brokers and --dsn, and no other arguments; see weir "
                      "prove --help\n");
        return EXIT_USAGE;
    }
    if (options.pipeline != NULL && options.external != NULL) {
        (void)fprintf(stderr, "weir prove: --pipeline and --external exclude each other\n");
        return EXIT_USAGE;
    }
    if (prove_run(&options, &status, &err) != WEIR_OK) {
        (void)fprintf(stderr, "weir prove: %s\n", err.text);
        return weir_error_exit_status(err.code);
    }
    return status;
}
