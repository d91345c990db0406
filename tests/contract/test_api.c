/* test_api.c: libweir as a program that embeds it may call it: in the wrong order, twice, with nonsense,
 * from other threads, over a fork. Nothing crashes; each call says what was wrong.
 *
 * No server is needed: the pipelines here wait for some that are not there. */
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/test.h"
#include "weir/log.h"
#include "weir/pipeline.h"

enum { TURN_US = 20000, TURNS = 5 };

static const char text[] =
    "SET pipeline.name = 'embedded';\n"
    "CREATE TABLE s (id bigint) WITH (connector = 'kafka', brokers = '127.0.0.1:1', topic = 't');\n"
    "CREATE TABLE t (id bigint) WITH (connector = 'postgres', dsn = 'host=127.0.0.1 port=1');\n"
    "INSERT INTO t SELECT id FROM s;\n";

static const struct weir_pipeline_file file = {
    .size_bytes = sizeof(file),
    .name = "embedded.sql",
    .text = text,
    .text_bytes = sizeof(text) - 1,
};

static char parent[64], dir[80];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(parent, sizeof(parent), "/tmp/weir-api-XXXXXX");
    if (mkdtemp(parent) == NULL) {
        return 1;
    }
    (void)snprintf(dir, sizeof(dir), "%s/data", parent);
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    (void)info;
    (void)kind;
    (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(parent, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static weir_pipeline *must_open(void)
{
    const struct weir_pipeline_options options = { .size_bytes = sizeof(options), .dir = dir };
    struct weir_error err = { 0 };
    weir_pipeline *pipeline = NULL;

    if (weir_pipeline_open(&file, &options, &pipeline, &err) != WEIR_OK) {
        fail_msg("%s", err.text);
    }
    return pipeline;
}

/* covers: P-37 */
static void nonsense_is_an_error(void **state)
{
    static const struct {
        const char *text;
        size_t bytes;
    } rows[] = { { "", 0 }, { "\0\0\0", 3 }, { "SELEC", 5 }, { "SET pipeline.name = ''", 22 } };
    const struct weir_pipeline_options options = { .size_bytes = sizeof(options), .dir = dir };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_pipeline_file odd = file;
        struct weir_error err = { 0 };
        weir_pipeline *pipeline = NULL;
        char *explained = NULL;

        odd.text = rows[i].text;
        odd.text_bytes = rows[i].bytes;
        assert_int_equal(weir_validate(&odd, &err), WEIR_ECONFIG);
        assert_true(err.text[0] != '\0');
        assert_int_equal(weir_validate(&odd, NULL), WEIR_ECONFIG);
        assert_int_equal(weir_explain(&odd, &explained, &err), WEIR_ECONFIG);
        assert_null(explained);
        assert_int_equal(weir_pipeline_open(&odd, &options, &pipeline, &err), WEIR_ECONFIG);
        assert_null(pipeline);
        assert_int_not_equal(access(dir, F_OK), 0); /* nothing was made for it */
    }
    weir_pipeline_close(NULL);
}

/* covers: P-37 */
static void a_directory_is_opened_once_and_again_after_its_close(void **state)
{
    const struct weir_pipeline_options options = { .size_bytes = sizeof(options), .dir = dir };

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct weir_error err = { 0 };
        weir_pipeline *first = must_open(), *second = NULL;

        assert_int_equal(weir_pipeline_open(&file, &options, &second, &err), WEIR_EBUSY);
        assert_string_equal(err.reason, "locked");
        assert_null(second);
        weir_pipeline_close(first);
    }
}

static void *stop(void *pipeline)
{
    for (int i = 0; i < 100; i++) {
        weir_pipeline_stop(pipeline);
    }
    return NULL;
}

/* covers: P-37 */
static void it_is_stopped_before_it_runs_and_as_often_as_one_likes(void **state)
{
    weir_pipeline *pipeline = must_open();
    struct weir_status status;
    struct weir_error err = { 0 };
    pthread_t other;
    bool finished = false;

    (void)state;
    assert_string_equal(weir_pipeline_name(pipeline), "embedded");
    weir_pipeline_status(pipeline, &status); /* before the first turn */
    assert_string_equal(status.phase, "connecting");
    assert_int_equal(pthread_create(&other, NULL, stop, pipeline), 0);
    for (int i = 0; i < TURNS * 100 && !finished; i++) {
        assert_int_equal(weir_pipeline_run(pipeline, i == 0 ? 0 : TURN_US, &finished, &err),
                         WEIR_OK);
    }
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_true(finished);
    weir_pipeline_stop(pipeline); /* behind the end */
    assert_int_equal(weir_pipeline_run(pipeline, TURN_US, &finished, &err), WEIR_OK);
    assert_true(finished);
    weir_pipeline_status(pipeline, &status);
    weir_pipeline_close(pipeline);
}

/* The child of an embedding program that forks holds nothing and disturbs nothing, whether it ends in
 * order or not.
 * covers: P-35 */
static void a_fork_of_its_host_takes_nothing_along(void **state)
{
    const struct weir_pipeline_options options = { .size_bytes = sizeof(options), .dir = dir };
    weir_pipeline *pipeline = must_open();
    struct weir_error err = { 0 };
    bool finished;

    (void)state;
    for (int i = 0; i < TURNS; i++) {
        int status;

        assert_int_equal(weir_pipeline_run(pipeline, TURN_US, &finished, &err), WEIR_OK);
        pid_t child = fork();
        if (child == 0) {
            weir_pipeline *second = NULL;
            _exit(weir_pipeline_open(&file, &options, &second, NULL) == WEIR_EBUSY ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    weir_pipeline_close(pipeline);
    weir_pipeline_close(must_open()); /* the lock went with us, not with the children */
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nonsense_is_an_error),
        TEST(a_directory_is_opened_once_and_again_after_its_close),
        TEST(it_is_stopped_before_it_runs_and_as_often_as_one_likes),
        TEST(a_fork_of_its_host_takes_nothing_along),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
