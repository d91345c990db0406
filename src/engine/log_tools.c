/* log_tools.c: the log of a data directory for people and programs: read it, count it, cut a torn
 * tail.
 *
 * Uses     wal/wal.h to read and cut, txn/frame.h for what the records mean.
 * LT1  Reading changes nothing and locks nothing; it may be done while a pipeline runs.
 * LT2  Nothing is cut but a torn tail, and only after it was shown (weir_wal_cut() compares).
 * Checked by tests/integration/test_wal_verbs.py. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine.h"
#include "txn/frame.h"
#include "weir/pipeline.h"

enum { SHOWN_BYTES = 64, SHOWN_PER_LINE = 16 };

/* --- Every record --------------------------------------------------------------------------- */

struct line_target {
    enum weir_form form;
    weir_line_fn *line;
    void *context;
    struct weir_buf text;
};

static int print_record(void *context, const struct weir_wal_place *place,
                        const struct weir_wal_record *record, struct weir_error *err)
{
    struct line_target *target = context;

    if (target->line == NULL || record->type == WEIR_WAL_TYPE_OWN) {
        return WEIR_OK;
    }
    weir_buf_reset(&target->text);
    if (target->form == WEIR_FORM_JSON) {
        weir_buf_printf(&target->text, "{\"file\":\"%s\",\"offset\":%llu,\"lsn\":%llu,",
                        place->name, (unsigned long long)place->offset,
                        (unsigned long long)record->lsn);
        weir_frame_print_json(record, &target->text);
        weir_buf_append_text(&target->text, "}");
    } else {
        weir_buf_printf(&target->text, "%s:%llu lsn %llu ", place->name,
                        (unsigned long long)place->offset, (unsigned long long)record->lsn);
        weir_frame_print(record, &target->text);
    }
    weir_buf_put_u8(&target->text, 0);
    if (target->text.failed) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a line");
    }
    target->line(target->context, (const char *)target->text.data);
    return WEIR_OK;
}

static void print_summary(const struct weir_wal_report *report, enum weir_form form,
                          struct weir_buf *ret)
{
    weir_buf_printf(ret,
                    form == WEIR_FORM_JSON
                        ? "{\"kind\":\"end\",\"records\":%llu,\"first_lsn\":%llu,\"last_lsn\":%llu,"
                          "\"record_bytes\":%llu,\"segments\":%llu,\"torn_bytes\":%llu}"
                        : "%llu records (lsn %llu to %llu) of %llu bytes in %llu segments, %llu "
                          "torn bytes at the end",
                    (unsigned long long)report->record_count, (unsigned long long)report->first_lsn,
                    (unsigned long long)report->last_lsn, (unsigned long long)report->record_bytes,
                    (unsigned long long)report->segment_count,
                    (unsigned long long)report->torn_bytes);
}

int weir_log_read(const char *dir, enum weir_form form, weir_line_fn *line, void *context,
                  char **ret_summary, struct weir_error *err)
{
    struct line_target target = { .form = form, .line = line, .context = context };
    struct weir_wal_report report;
    struct weir_buf text = { 0 };
    struct weir_io *io = NULL;
    int rc = weir_io_open(WEIR_IO_POSIX, &io, err);

    if (rc == WEIR_OK) {
        rc = weir_wal_verify(io, dir, print_record, &target, &report, err);
    }
    if (rc == WEIR_OK) {
        print_summary(&report, form, &text);
        rc = weir_take_text(&text, ret_summary, err);
    }
    weir_buf_fini(&text);
    weir_buf_fini(&target.text);
    weir_io_close(io);
    return rc;
}

/* --- The whole in numbers ------------------------------------------------------------------- */

struct counts {
    uint64_t marks, identities, plans, voids, others;
    uint64_t sealed, done; /* batches */
    int64_t sealed_t;
    struct weir_buf pipeline; /* its name, as the last identity record has it */
};

static int count_plan(const struct weir_wal_record *record, struct counts *counts,
                      struct weir_error *err)
{
    struct weir_plan_frame frame;
    struct weir_arena arena;

    weir_arena_init(&arena, 0);
    int rc = weir_plan_frame_decode(record, &arena, &frame, err);
    if (rc == WEIR_OK) {
        counts->plans++;
        counts->sealed = frame.id.batch;
        counts->sealed_t = frame.id.t;
        counts->done = frame.is_done ? frame.id.batch : frame.done;
    }
    weir_arena_fini(&arena);
    return rc;
}

/* Behind a void record the log goes on from the batch that it names. */
static int count_void(const struct weir_wal_record *record, struct counts *counts,
                      struct weir_error *err)
{
    struct weir_void_frame frame;
    struct weir_arena arena;

    weir_arena_init(&arena, 0);
    int rc = weir_void_frame_decode(record, &arena, &frame, err);
    if (rc == WEIR_OK) {
        counts->voids++;
        counts->sealed = counts->done = frame.id.batch;
        counts->sealed_t = frame.id.t;
    }
    weir_arena_fini(&arena);
    return rc;
}

static int count_record(void *context, const struct weir_wal_place *place,
                        const struct weir_wal_record *record, struct weir_error *err)
{
    struct counts *counts = context;
    struct weir_identity identity;
    int rc;

    (void)place;
    switch (record->type) {
    case WEIR_WAL_TYPE_OWN:
        counts->marks++;
        return WEIR_OK;
    case WEIR_FRAME_IDENTITY:
        rc = weir_identity_decode(record, &identity, err);
        if (rc == WEIR_OK) {
            counts->identities++;
            weir_buf_reset(&counts->pipeline);
            weir_buf_append_json(&counts->pipeline, identity.name);
        }
        return rc;
    case WEIR_FRAME_PLAN:
        return count_plan(record, counts, err);
    case WEIR_FRAME_VOID:
        return count_void(record, counts, err);
    default:
        counts->others++;
        return WEIR_OK;
    }
}

/* One table for both forms: name, value. */
static void print_counts(const struct weir_wal_report *report, const struct counts *counts,
                         enum weir_form form, struct weir_buf *ret)
{
    const struct {
        const char *name;
        long long value;
    } rows[] = {
        { "segments", (long long)report->segment_count },
        { "segment_bytes", (long long)report->segment_bytes },
        { "first_lsn", (long long)report->first_lsn },
        { "last_lsn", (long long)report->last_lsn },
        { "records", (long long)report->record_count },
        { "record_bytes", (long long)report->record_bytes },
        { "records_zstd", (long long)report->compressed_count },
        { "zstd_plain_bytes", (long long)report->compressed_plain_bytes },
        { "zstd_bytes", (long long)report->compressed_stored_bytes },
        { "records_identity", (long long)counts->identities },
        { "records_plan", (long long)counts->plans },
        { "records_void", (long long)counts->voids },
        { "records_mark", (long long)counts->marks },
        { "records_other", (long long)counts->others },
        { "batch_sealed", (long long)counts->sealed },
        { "batch_sealed_t", (long long)counts->sealed_t },
        { "batch_done", (long long)counts->done },
        { "torn_bytes", (long long)report->torn_bytes },
    };
    bool is_json = form == WEIR_FORM_JSON;
    struct weir_str name = { (const char *)counts->pipeline.data, counts->pipeline.len };

    weir_buf_printf(ret, is_json ? "{\"log\":\"" : "%-16s ", "log");
    for (int i = 0; i < WEIR_IO_UUID_BYTES; i++) {
        weir_buf_printf(ret, "%02x", report->uuid[i]);
    }
    weir_buf_printf(ret, is_json ? "\",\"pipeline\":\"%.*s\"" : "\npipeline         %.*s",
                    WEIR_STR_ARG(name));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        weir_buf_printf(ret, is_json ? ",\"%s\":%lld" : "\n%-16s %lld", rows[i].name,
                        rows[i].value);
    }
    weir_buf_printf(ret, is_json ? ",\"closed\":%s}\n" : "\nclosed           %s\n",
                    report->is_closed ? is_json ? "true" : "yes"
                    : is_json         ? "false"
                                      : "no");
}

int weir_log_stat(const char *dir, enum weir_form form, char **ret_text, struct weir_error *err)
{
    struct weir_wal_report report;
    struct counts counts = { 0 };
    struct weir_buf text = { 0 };
    struct weir_io *io = NULL;
    int rc = weir_io_open(WEIR_IO_POSIX, &io, err);

    if (rc == WEIR_OK) {
        rc = weir_wal_verify(io, dir, count_record, &counts, &report, err);
    }
    if (rc == WEIR_OK) {
        print_counts(&report, &counts, form, &text);
        rc = weir_take_text(&text, ret_text, err);
    }
    weir_buf_fini(&text);
    weir_buf_fini(&counts.pipeline);
    weir_io_close(io);
    return rc;
}

/* --- Cutting -------------------------------------------------------------------------------- */

/* The place of torn bytes and how they begin. */
static int show_bytes(struct weir_io *io, const char *dir, uint64_t segment, uint64_t at,
                      uint64_t bytes, struct weir_buf *ret, struct weir_error *err)
{
    char path[WEIR_IO_PATH_BYTES_MAX];
    uint8_t shown[SHOWN_BYTES];
    struct weir_io_file *file = NULL;
    size_t got = 0;

    if (bytes == 0) {
        return WEIR_OK;
    }
    if (snprintf(path, sizeof(path), "%s/%016llu.wal", dir, (unsigned long long)segment) >=
        (int)sizeof(path)) {
        return weir_error_set(err, WEIR_ECONFIG, "path too long: %s", dir);
    }
    int rc = weir_io_file_open(io, path, WEIR_IO_READ, &file, err);
    if (rc == WEIR_OK) {
        rc = weir_io_read_at(io, file, at, shown, sizeof(shown), &got, err);
    }
    weir_io_file_close(io, file);
    weir_buf_printf(ret, "%s: %llu bytes from offset %llu on, which begin with\n", path,
                    (unsigned long long)bytes, (unsigned long long)at);
    for (size_t i = 0; i < got; i++) {
        weir_buf_printf(ret, "%s%02x%s", i % SHOWN_PER_LINE == 0 ? "  " : " ", shown[i],
                        (i + 1) % SHOWN_PER_LINE == 0 || i + 1 == got ? "\n" : "");
    }
    return rc;
}

/* What is to go, and what stays. */
static int show_tail(struct weir_io *io, const char *dir, const struct weir_wal_report *report,
                     struct weir_buf *ret, struct weir_error *err)
{
    int rc = show_bytes(io, dir, report->end_segment_number, report->end_offset,
                        report->torn_bytes - report->next_torn_bytes, ret, err);

    if (rc == WEIR_OK) {
        rc = show_bytes(io, dir, report->end_segment_number + 1, 0, report->next_torn_bytes, ret,
                        err);
    }
    weir_buf_printf(ret,
                    "They are what is left of a write that was broken off. Everything before them "
                    "stays: %llu records,\nup to LSN %llu.\n",
                    (unsigned long long)report->record_count, (unsigned long long)report->last_lsn);
    return rc;
}

int weir_log_repair(const char *dir, weir_ask_fn *ask, void *context, uint64_t *ret_cut_bytes,
                    struct weir_error *err)
{
    struct weir_wal_report report = { 0 };
    struct weir_buf text = { 0 };
    struct weir_io *io = NULL;
    char *tail = NULL;
    uint64_t cut_bytes = 0;
    int rc = weir_io_open(WEIR_IO_POSIX, &io, err);

    if (rc == WEIR_OK) {
        rc = weir_wal_verify(io, dir, NULL, NULL, &report, err);
    }
    if (rc == WEIR_OK && report.torn_bytes > 0) {
        rc = show_tail(io, dir, &report, &text, err);
        if (rc == WEIR_OK) {
            rc = weir_take_text(&text, &tail, err);
        }
        if (rc == WEIR_OK && ask(context, tail)) { /* LT2 */
            rc = weir_wal_cut(io, dir, &report, err);
            cut_bytes = report.torn_bytes;
        }
    }
    if (rc == WEIR_OK) {
        *ret_cut_bytes = cut_bytes;
    }
    free(tail);
    weir_buf_fini(&text);
    weir_io_close(io);
    return rc;
}
