/* plan_verbs.c: the verbs that read a pipeline file without running it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* Reads the whole stream; NULL when it cannot. */
static char *read_stream(FILE *stream, size_t *ret_bytes)
{
    enum { STEP_BYTES = 64 * 1024, FILE_BYTES_MAX = 16 * 1024 * 1024 };
    char *text = NULL;
    size_t bytes = 0;

    while (bytes < FILE_BYTES_MAX) {
        char *more = realloc(text, bytes + STEP_BYTES);
        if (more == NULL) {
            break;
        }
        text = more;
        size_t got = fread(text + bytes, 1, STEP_BYTES, stream);
        bytes += got;
        if (got < STEP_BYTES) {
            if (ferror(stream) != 0) {
                break;
            }
            *ret_bytes = bytes;
            return text;
        }
    }
    free(text);
    return NULL;
}

int cli_read_file(const struct cli_args *args, struct weir_pipeline_file *ret, char **ret_text)
{
    const char *path;
    size_t bytes = 0;

    if (args->argument_count != 1) {
        (void)fprintf(stderr, "weir %s: takes one pipeline file; see weir %s --help\n", args->verb,
                      args->verb);
        return EXIT_USAGE;
    }
    path = args->arguments[0];
    bool is_stdin = path[0] == '-' && path[1] == '\0';
    FILE *stream = is_stdin ? stdin : fopen(path, "re");
    char *text = stream == NULL ? NULL : read_stream(stream, &bytes);
    if (text == NULL) {
        struct weir_error err;
        (void)weir_error_set(&err, WEIR_ECONFIG, "weir: cannot read %s: %s", path, strerror(errno));
        if (stream != NULL && !is_stdin) {
            (void)fclose(stream); /* read only: nothing can be lost */
        }
        return cli_fail(&err);
    }
    if (!is_stdin) {
        (void)fclose(stream);
    }
    *ret = (struct weir_pipeline_file){
        .size_bytes = sizeof(*ret),
        .name = is_stdin ? "stdin" : path,
        .text = text,
        .text_bytes = bytes,
        .settings = args->settings,
        .setting_count = args->setting_count,
    };
    *ret_text = text;
    return 0;
}

/* What a verb of this file does with the file. */
typedef int with_file_fn(const struct weir_pipeline_file *file, char **ret_text,
                         struct weir_error *err);

static int with_file(const struct cli_args *args, with_file_fn *fn)
{
    struct weir_pipeline_file file;
    struct weir_error err = { 0 };
    char *text = NULL;
    char *result = NULL;
    int status = cli_read_file(args, &file, &text);

    if (status != 0) {
        return status;
    }
    status = fn(&file, &result, &err) == WEIR_OK ? EXIT_SUCCESS : cli_fail(&err);
    if (result != NULL && (fputs(result, stdout) == EOF || fflush(stdout) != 0)) {
        status = EXIT_FAILURE;
    }
    free(result);
    free(text);
    return status;
}

static int validate(const struct weir_pipeline_file *file, char **ret_text, struct weir_error *err)
{
    (void)ret_text; /* says nothing when all is well, as compilers do */
    return weir_validate(file, err);
}

static int check(const struct weir_pipeline_file *file, char **ret_text, struct weir_error *err)
{
    (void)ret_text;
    return weir_check(file, err);
}

int cli_validate(const struct cli_args *args)
{
    return with_file(args, validate);
}

int cli_check(const struct cli_args *args)
{
    cli_output_open(false, false); /* what fits, but may hurt, is told in lines */
    return with_file(args, check);
}

int cli_explain(const struct cli_args *args)
{
    return with_file(args, weir_explain);
}

int cli_ddl(const struct cli_args *args)
{
    return with_file(args, weir_ddl);
}

int cli_reference(const struct cli_args *args)
{
    struct weir_error err = { 0 };
    char *text = NULL;

    (void)args;
    if (weir_reference(&text, &err) != WEIR_OK) {
        return cli_fail(&err);
    }
    (void)fputs(text, stdout);
    free(text);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int cli_version(const struct cli_args *args)
{
    if (!args->fail_points) {
        (void)printf("weir %s\n", weir_version());
        return EXIT_SUCCESS;
    }
    if (weir_fail_points()[0] == '\0') {
        (void)fprintf(stderr, "weir version: this weir was built without fail points\n");
        return EXIT_FAILURE;
    }
    (void)fputs(weir_fail_points(), stdout);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
