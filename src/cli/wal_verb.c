/* wal_verb.c: `weir wal dump|verify|stat|repair DIR`: the log of a data directory. All but repair
 * change nothing; repair shows what it is going to cut, and asks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static void print_line(void *context, const char *line)
{
    (void)context;
    (void)printf("%s\n", line);
}

static int finish(int status)
{
    return fflush(stdout) == 0 ? status : EXIT_FAILURE;
}

static int read_log(const struct cli_args *args, const char *dir, bool is_dump)
{
    enum weir_form form = args->json ? WEIR_FORM_JSON : WEIR_FORM_TEXT;
    struct weir_error err = { 0 };
    char *summary = NULL;

    if (weir_log_read(dir, form, is_dump ? print_line : NULL, NULL, &summary, &err) != WEIR_OK) {
        (void)fflush(stdout);
        return cli_fail(&err);
    }
    (void)printf("%s%s\n", is_dump ? "" : "ok: ", summary);
    free(summary);
    return finish(EXIT_SUCCESS);
}

static int dump(const struct cli_args *args, const char *dir)
{
    return read_log(args, dir, true);
}

static int verify(const struct cli_args *args, const char *dir)
{
    return read_log(args, dir, false);
}

static int stat(const struct cli_args *args, const char *dir)
{
    struct weir_error err = { 0 };
    char *text = NULL;

    if (weir_log_stat(dir, args->json ? WEIR_FORM_JSON : WEIR_FORM_TEXT, &text, &err) != WEIR_OK) {
        return cli_fail(&err);
    }
    (void)fputs(text, stdout);
    free(text);
    return finish(EXIT_SUCCESS);
}

/* What became of the question whether the tail is to be cut. */
enum answer { ANSWER_NOT_ASKED, ANSWER_YES, ANSWER_NO, ANSWER_NOBODY };

struct question {
    bool yes_given; /* --yes */
    enum answer answer;
};

static bool ask(void *context, const char *tail)
{
    struct question *question = context;
    char line[16] = "";

    (void)fputs(tail, stdout);
    if (question->yes_given) {
        question->answer = ANSWER_YES;
    } else if (isatty(STDIN_FILENO) == 0) {
        question->answer = ANSWER_NOBODY;
    } else {
        (void)fputs("Cut them off? [y/N] ", stdout);
        (void)fflush(stdout);
        bool is_yes = fgets(line, sizeof(line), stdin) != NULL &&
                      (strcmp(line, "y\n") == 0 || strcmp(line, "yes\n") == 0);
        question->answer = is_yes ? ANSWER_YES : ANSWER_NO;
    }
    return question->answer == ANSWER_YES;
}

static int repair(const struct cli_args *args, const char *dir)
{
    struct question question = { .yes_given = args->yes };
    struct weir_error err = { 0 };
    uint64_t cut_bytes = 0;
    int rc = weir_log_repair(dir, ask, &question, &cut_bytes, &err);

    (void)fflush(stdout);
    if (rc != WEIR_OK) {
        return cli_fail(&err);
    }
    switch (question.answer) {
    case ANSWER_NOT_ASKED:
        (void)puts("ok: nothing is torn, nothing was changed");
        break;
    case ANSWER_YES:
        (void)printf("cut %llu bytes\n", (unsigned long long)cut_bytes);
        break;
    case ANSWER_NO:
        (void)puts("nothing was changed");
        return finish(EXIT_FAILURE);
    case ANSWER_NOBODY:
        (void)fprintf(stderr,
                      "weir wal repair: nothing was changed: --yes cuts where nobody can be "
                      "asked\n");
        return EXIT_USAGE;
    }
    return finish(EXIT_SUCCESS);
}

static const struct wal_verb {
    const char *name;
    int (*run)(const struct cli_args *args, const char *dir);
    bool takes_json, takes_yes;
} verbs[] = {
    { "dump", dump, true, false },
    { "verify", verify, false, false },
    { "stat", stat, true, false },
    { "repair", repair, false, true },
};

int cli_wal(const struct cli_args *args)
{
    const char *name = args->argument_count == 2 ? args->arguments[0] : "";

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        const struct wal_verb *verb = &verbs[i];
        if (strcmp(name, verb->name) != 0) {
            continue;
        }
        if ((args->json && !verb->takes_json) || (args->yes && !verb->takes_yes)) {
            (void)fprintf(stderr, "weir wal %s: takes no %s; see weir wal --help\n", name,
                          args->json && !verb->takes_json ? "--json" : "--yes");
            return EXIT_USAGE;
        }
        return verb->run(args, args->arguments[1]);
    }
    (void)fprintf(stderr, "weir wal: takes dump, verify, stat or repair, and a data directory; see "
                          "weir wal --help\n");
    return EXIT_USAGE;
}
