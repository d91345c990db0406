/* settings.c: SET pipeline.name = ... and --set name=value, by one table.
 *
 * An override of the command line wins over the file. Checked by tests/unit/sql/test_plan.c and
 * test_refusals.c. */
#include "sql/compile.h"

#include <ctype.h>

enum { PIPELINE_NAME_BYTES_MAX = 63, SEGMENT_BYTES_UNIT = 4096 };

const struct weir_option_def weir_setting_defs[] = {
    { .name = "name",
      .kind = WEIR_OPTION_TEXT,
      .required = true,
      .help = "name of the pipeline: letters, digits, _ and -, at most 63; it is the pipeline's "
              "identity in ledgers, logs and metrics" },
    { .name = "delivery",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "exactly_once",
      .choices = "exactly_once|at_least_once|at_most_once",
      .help = "what the pipeline promises of each row" },
    { .name = "trigger",
      .kind = WEIR_OPTION_DURATION,
      .default_text = "100 ms",
      .min = 1000,
      .max = INT64_C(3600000000),
      .help = "a batch is closed at the latest this long after its first row" },
    { .name = "batch_rows",
      .kind = WEIR_OPTION_INTEGER,
      .default_text = "50000",
      .min = 1,
      .max = 1000000,
      .help = "and at the latest with this many rows" },
    { .name = "batch_bytes",
      .kind = WEIR_OPTION_BYTES,
      .default_text = "16 MB",
      .min = 65536,
      .max = 1073741824,
      .help = "and at the latest with this many bytes of input" },
    { .name = "output_partitions",
      .kind = WEIR_OPTION_INTEGER,
      .default_text = "1",
      .min = 1,
      .max = WEIR_OUTPUT_PARTITIONS_MAX,
      .help = "connections that write the output, each all or nothing on its own" },
    { .name = "partition_by",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "key",
      .choices = "key|source_partition",
      .help = "what decides in which output partition a row is written" },
    { .name = "retry_limit",
      .kind = WEIR_OPTION_DURATION,
      .default_text = "10 min",
      .max = INT64_C(31536000000000),
      .help = "give up after this long without broker or database; '0 s': never" },
    { .name = "log.segment_bytes",
      .kind = WEIR_OPTION_BYTES,
      .default_text = "16 MB",
      .min = 65536,
      .max = 1073741824,
      .help = "size of one file of the write-ahead log, a multiple of 4 kB" },
    { .name = "log.retain_bytes",
      .kind = WEIR_OPTION_BYTES,
      .default_text = "64 MB",
      .max = INT64_C(1099511627776),
      .help = "how much of the log is kept: how far back a restored sink may be" },
    { .name = "log.write_limit",
      .kind = WEIR_OPTION_DURATION,
      .default_text = "5 min",
      .max = INT64_C(31536000000000),
      .help =
          "give up after this long without an answer of the log's device, where io_uring writes; "
          "'0 s': never" },
    { .name = "log.allow_not_durable",
      .kind = WEIR_OPTION_BOOL,
      .default_text = "false",
      .help = "whether the log may lie in memory or on the network, where a power cut may take "
              "back what "
              "was promised" },
    { .name = NULL },
};

static struct weir_str without_prefix(struct weir_str name)
{
    static const char prefix[] = "pipeline.";
    size_t len = sizeof(prefix) - 1;

    return name.len > len && memcmp(name.data, prefix, len) == 0
               ? (struct weir_str){ name.data + len, name.len - len }
               : name;
}

static bool is_overridden(const struct weir_option *items, uint32_t count, struct weir_str name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (weir_str_equal(items[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Checks one --set on its own, as it has no place in the file that a message could point at. */
static int take_override(struct compile *compile, const struct weir_setting_override *override,
                         struct weir_option *ret)
{
    struct weir_str name = without_prefix(weir_str_from(override->name));
    const struct weir_option_def *def = weir_option_find(weir_setting_defs, name);
    struct weir_option_value value;
    struct weir_error err = { 0 };

    if (def == NULL) {
        return weir_sql_fail_file(&compile->sql, "`weir reference` lists the settings",
                                  "--set: unknown setting \"%s\"", override->name);
    }
    if (weir_option_parse(def, weir_str_from(override->value), &value, &err) != WEIR_OK) {
        return weir_sql_fail_file(&compile->sql, NULL, "--set: %s", err.text);
    }
    *ret = (struct weir_option){ .name = name, .text = weir_str_from(override->value) };
    return WEIR_OK;
}

static int take_file(struct compile *compile, struct weir_option *items, uint32_t *count)
{
    uint32_t overrides = *count;

    for (uint32_t i = 0; i < compile->file.set_count; i++) {
        struct ast_option *set = &compile->file.sets[i];
        struct weir_str name = without_prefix(set->name);
        int rc;

        if (name.len == set->name.len) {
            return weir_sql_fail(&compile->sql, set->at,
                                 "settings begin with \"pipeline.\"; times are in UTC",
                                 "unknown setting \"%.*s\"", WEIR_STR_ARG(set->name));
        }
        if (is_overridden(items, overrides, name)) {
            continue;
        }
        rc = environment_expand(&compile->sql, set);
        if (rc != WEIR_OK) {
            return rc;
        }
        items[(*count)++] = (struct weir_option){ .name = name, .text = set->text, .at = set->at };
    }
    return WEIR_OK;
}

static uint32_t place_of(struct weir_options options, const char *name)
{
    for (uint32_t i = 0; i < options.count; i++) {
        if (weir_str_equal(options.items[i].name, weir_str_from(name))) {
            return options.items[i].at;
        }
    }
    return 0;
}

static int check_name(const struct weir_sql *sql, struct weir_str name, uint32_t at)
{
    bool good = name.len >= 1 && name.len <= PIPELINE_NAME_BYTES_MAX;

    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        good = good && (isalnum(c) || c == '_' || c == '-');
    }
    return good ? WEIR_OK
                : weir_sql_fail(sql, at, NULL,
                                "a pipeline's name is made of letters, digits, _ and -, at most %d",
                                PIPELINE_NAME_BYTES_MAX);
}

static int fill(const struct weir_sql *sql, struct weir_options options, struct weir_settings *ret)
{
    const struct weir_option_def *defs = weir_setting_defs;
    struct weir_str name = weir_options_get(defs, options, "name").text;
    int rc = check_name(sql, name, place_of(options, "name"));

    if (rc != WEIR_OK) {
        return rc;
    }
    *ret = (struct weir_settings){
        .name = weir_arena_copy(sql->arena, name),
        .delivery = (enum weir_delivery)weir_options_get(defs, options, "delivery").number,
        .trigger_us = weir_options_get(defs, options, "trigger").number,
        .batch_rows_max = (uint32_t)weir_options_get(defs, options, "batch_rows").number,
        .batch_bytes_max = (size_t)weir_options_get(defs, options, "batch_bytes").number,
        .output_partitions = (uint32_t)weir_options_get(defs, options, "output_partitions").number,
        .partition_by_source = weir_options_get(defs, options, "partition_by").number == 1,
        .retry_limit_us = weir_options_get(defs, options, "retry_limit").number,
        .log_segment_bytes = (size_t)weir_options_get(defs, options, "log.segment_bytes").number,
        .log_retain_bytes = (size_t)weir_options_get(defs, options, "log.retain_bytes").number,
        .log_write_limit_us = weir_options_get(defs, options, "log.write_limit").number,
        .log_allow_not_durable =
            weir_options_get(defs, options, "log.allow_not_durable").number != 0,
    };
    if (ret->log_segment_bytes % SEGMENT_BYTES_UNIT != 0) {
        return weir_sql_fail(sql, place_of(options, "log.segment_bytes"), NULL,
                             "log.segment_bytes must be a multiple of %d bytes",
                             SEGMENT_BYTES_UNIT);
    }
    return ret->name == NULL ? weir_sql_no_memory(sql) : WEIR_OK;
}

int settings_make(struct compile *compile, const struct weir_setting_override *overrides,
                  uint32_t override_count)
{
    const struct weir_sql *sql = &compile->sql;
    struct weir_option *items =
        weir_arena_calloc(sql->arena, compile->file.set_count + override_count + 1, sizeof(*items));
    struct weir_error err = { 0 };
    uint32_t count = 0, at;
    int rc = items == NULL ? weir_sql_no_memory(sql) : WEIR_OK;

    for (uint32_t i = override_count; rc == WEIR_OK && i-- > 0;) { /* the last of several wins */
        rc = take_override(compile, &overrides[i], &items[count]);
        count += rc == WEIR_OK && !is_overridden(items, count, items[count].name);
    }
    if (rc == WEIR_OK) {
        rc = take_file(compile, items, &count);
    }
    if (rc != WEIR_OK) {
        return rc;
    }
    struct weir_options options = { items, count };
    if (weir_options_check(weir_setting_defs, options, &at, &err) != WEIR_OK) {
        return at == UINT32_MAX ? weir_sql_fail_file(sql,
                                                     "begin the file with: SET pipeline.name = "
                                                     "'...';",
                                                     "the pipeline has no name")
                                : weir_sql_fail(sql, at, NULL, "%s", err.text);
    }
    return fill(sql, options, &compile->plan->settings);
}
