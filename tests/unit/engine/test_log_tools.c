/* test_log_tools.c: what `weir wal dump` and `stat` say of records that are stored compressed: dump
 * shows them as it shows all others, stat counts them. The rest of these verbs is tested against
 * real logs by tests/integration/test_wal_verbs.py. */
#include "base/buf.h"
#include "tests/support/io_backends.h"
#include "tests/unit/wal/log_fixture.h"
#include "txn/frame.h"
#include "weir/pipeline.h"

enum { DEFINITION_BYTES = 100000, TYPE_OF_NOBODY = 77 };

/* A log in dir of a pipeline whose definition is long, and one record of a type that weir has not. */
static void make_log(struct weir_io *io, const char *dir, uint64_t compress_from_bytes)
{
    static char definition[DEFINITION_BYTES];
    struct weir_identity identity = { .name = WEIR_STR("orders"),
                                      .definition = { definition, sizeof(definition) } };
    struct weir_wal_options options = { .size_bytes = sizeof(options),
                                        .compress_from_bytes = compress_from_bytes };
    struct weir_error err = { 0 };
    struct weir_buf record = { 0 };
    weir_wal *wal = NULL;

    memset(definition, ' ', sizeof(definition));
    weir_identity_encode(&identity, &record);
    assert_false(record.failed);
    if (weir_wal_open(io, dir, &options, &wal, &err) != WEIR_OK) {
        fail_msg("%s", err.text);
    }
    (void)must_append(wal, WEIR_FRAME_IDENTITY, record.data, record.len);
    (void)must_append(wal, TYPE_OF_NOBODY, definition, sizeof(definition));
    weir_wal_close(wal);
    weir_buf_fini(&record);
}

static void keep_line(void *context, const char *line)
{
    weir_buf_append_text(context, line);
    weir_buf_append_text(context, "\n");
}

/* What both verbs say, offsets left out: where a record lies depends on how long the others are. */
static void read_log(const char *dir, struct weir_buf *ret_dump, char **ret_stat)
{
    struct weir_error err = { 0 };
    char *summary = NULL;

    if (weir_log_read(dir, WEIR_FORM_JSON, keep_line, ret_dump, &summary, &err) != WEIR_OK ||
        weir_log_stat(dir, WEIR_FORM_TEXT, ret_stat, &err) != WEIR_OK) {
        fail_msg("%s", err.text);
    }
    keep_line(ret_dump, summary);
    weir_buf_put_u8(ret_dump, 0);
    assert_false(ret_dump->failed);
    for (char *at = (char *)ret_dump->data; (at = strstr(at, "\"offset\":")) != NULL;) {
        at += strlen("\"offset\":");
        memset(at, '-', strspn(at, "0123456789"));
        memmove(at + 1, at + strspn(at, "-"), strlen(at + strspn(at, "-")) + 1);
    }
    free(summary);
}

static long long value_of(const char *stat, const char *name)
{
    const char *at = strstr(stat, name);

    assert_non_null(at);
    return strtoll(at + strlen(name), NULL, 10);
}

static void compressed_records_are_shown_and_counted(void **state)
{
    struct backend plain, packed;
    struct weir_buf dumps[2] = { 0 };
    char *stats[2] = { 0 };

    (void)state;
    backend_open(&plain, "posix");
    backend_open(&packed, "posix");
    make_log(plain.io, plain.dir, 0);
    make_log(packed.io, packed.dir, WEIR_WAL_COMPRESS_BYTES_MIN);
    read_log(plain.dir, &dumps[0], &stats[0]);
    read_log(packed.dir, &dumps[1], &stats[1]);
    assert_non_null(strstr((const char *)dumps[0].data, "\"pipeline\":\"orders\""));
    assert_string_equal((const char *)dumps[0].data, (const char *)dumps[1].data);
    assert_int_equal(value_of(stats[0], "records_zstd"), 0);
    assert_int_equal(value_of(stats[1], "records_zstd"), 2);
    assert_true(value_of(stats[1], "zstd_plain_bytes") > 2 * DEFINITION_BYTES);
    assert_true(value_of(stats[1], "zstd_bytes") < 1000);
    assert_int_equal(value_of(stats[0], "record_bytes"), value_of(stats[1], "record_bytes"));
    for (int i = 0; i < 2; i++) {
        weir_buf_fini(&dumps[i]);
        free(stats[i]);
    }
    backend_close(&plain);
    backend_close(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_records_are_shown_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
