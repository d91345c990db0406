/* fake_registry.c: connectors without any function but those that the compiler calls. */
#include "tests/unit/sql/fake_registry.h"

static const struct weir_option_def stream_options[] = {
    { .name = "topic",
      .kind = WEIR_OPTION_TEXT,
      .required = true,
      .defining = true,
      .help = "what to read" },
    { .name = "brokers", .kind = WEIR_OPTION_TEXT, .default_text = "localhost" },
    { .name = "isolation",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "read_committed",
      .choices = "read_committed|read_uncommitted" },
    { .name = "on_data_loss",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "fail",
      .choices = "fail|skip" },
    { .name = "wait", .kind = WEIR_OPTION_DURATION, .default_text = "1 s" },
    { .name = "stream.*", .kind = WEIR_OPTION_TEXT },
    { .name = NULL },
};

static const struct weir_option_def socket_options[] = {
    { .name = "port", .kind = WEIR_OPTION_INTEGER, .min = 1, .max = 65535 },
    { .name = NULL },
};

static const struct weir_option_def csv_options[] = {
    { .name = "delimiter", .kind = WEIR_OPTION_TEXT, .default_text = ",", .defining = true },
    { .name = NULL },
};

static const struct weir_option_def store_options[] = {
    { .name = "dsn", .kind = WEIR_OPTION_TEXT, .required = true, .help = "where the store is" },
    { .name = "ticket", .kind = WEIR_OPTION_TEXT, .secret = true },
    { .name = "patience", .kind = WEIR_OPTION_DURATION, .default_text = "30 s" },
    { .name = "store.*", .kind = WEIR_OPTION_TEXT },
    { .name = NULL },
};

static const struct weir_option_def store_table_options[] = {
    { .name = "create_table", .kind = WEIR_OPTION_BOOL, .default_text = "false" },
    { .name = "mode",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "auto",
      .choices = "auto|append|update",
      .defining = true },
    { .name = NULL },
};

static const struct weir_option_def no_options[] = { { .name = NULL } };

static bool same_store(struct weir_options a, struct weir_options b)
{
    return weir_str_equal(weir_options_get(store_options, a, "dsn").text,
                          weir_options_get(store_options, b, "dsn").text);
}

static bool always_same(struct weir_options a, struct weir_options b)
{
    (void)a;
    (void)b;
    return true;
}

static const struct weir_source_ops stream_source = { .name = "stream",
                                                      .options = stream_options,
                                                      .replayable = true };
static const struct weir_source_ops socket_source = { .name = "socket", .options = socket_options };
static const struct weir_format_ops json_format = { .name = "json", .options = no_options };
static const struct weir_format_ops raw_format = { .name = "raw", .options = no_options };
static const struct weir_format_ops csv_format = { .name = "csv", .options = csv_options };
static const struct weir_sink_ops store_sink = { .name = "store",
                                                 .sink_options = store_options,
                                                 .table_options = store_table_options,
                                                 .holds_ledger = true,
                                                 .same_domain = same_store };
static const struct weir_sink_ops printer_sink = { .name = "printer",
                                                   .sink_options = no_options,
                                                   .table_options = no_options,
                                                   .same_domain = always_same };
static const struct weir_sink_ops stream_sink = { .name = "stream",
                                                  .sink_options = no_options,
                                                  .table_options = stream_options,
                                                  .holds_ledger = true,
                                                  .same_domain = always_same };

static const struct weir_source_ops *const sources[] = { &stream_source, &socket_source, NULL };
static const struct weir_format_ops *const formats[] = { &json_format, &raw_format, &csv_format,
                                                         NULL };
static const struct weir_sink_ops *const sinks[] = { &store_sink, &printer_sink, &stream_sink,
                                                     NULL };

const struct weir_registry fake_registry = { sources, formats, sinks };
