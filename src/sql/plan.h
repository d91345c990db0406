/* plan.h: a pipeline file after all checks: what to read, compute and write.
 *
 * Everything in a plan lives in its arena; plans never change once made. Offsets (`at`) are bytes
 * in the pipeline file and turn into file:line:column by weir_plan_locate(). */
#ifndef WEIR_SQL_PLAN_H
#define WEIR_SQL_PLAN_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/option.h"
#include "chunk/type.h"
#include "expr/expr.h"
#include "format/format.h"
#include "sink/sink.h"
#include "source/source.h"

enum weir_delivery { WEIR_EXACTLY_ONCE, WEIR_AT_LEAST_ONCE, WEIR_AT_MOST_ONCE };

/* Pipeline settings, from SET pipeline.name = ... and --set; see the option table in settings.c. */
struct weir_settings {
    const char *name;
    enum weir_delivery delivery;
    int64_t trigger_us;         /* a batch is closed at the latest this long after its first row */
    uint32_t batch_rows_max;    /* and at the latest with this many rows */
    size_t batch_bytes_max;     /* and with this many bytes of input */
    uint32_t output_partitions; /* P */
    bool
        partition_by_source; /* rows go to p by source partition; else by primary key or record key */
    int64_t
        retry_limit_us; /* give up (exit 69) after this long without broker or database; 0: never */
    size_t log_segment_bytes;
    size_t log_retain_bytes;    /* how far back a rewind can go */
    int64_t log_write_limit_us; /* give up (exit 74) after this long without its device; 0: never */
    bool log_allow_not_durable;
};

/* The metadata columns that every source table has beside its own. */
enum weir_meta_column {
    WEIR_META_TOPIC,     /* text */
    WEIR_META_PARTITION, /* integer */
    WEIR_META_OFFSET,    /* bigint */
    WEIR_META_TIMESTAMP, /* timestamptz */
    WEIR_META_KEY,       /* bytea */
    WEIR_META_HEADERS,   /* jsonb */
    WEIR_META_COUNT
};

/* Column numbers of the chunk an INSERT's expressions read: first the decoded columns of the source
 * table (only those some INSERT needs, in the order of decoded[]), then the metadata columns. */
struct weir_plan_source {
    const char *name;
    uint32_t at;
    const struct weir_source_ops *ops;
    const struct weir_format_ops *format;
    struct weir_options options;
    enum weir_on_error on_error;
    struct weir_format_column *decoded;
    uint32_t decoded_count;
    uint32_t meta_used; /* bit m: some expression reads metadata column m */
};

struct weir_plan_table {
    const char *name; /* as written, "public.revenue" */
    uint32_t at;
    uint32_t sink; /* index in plan->sinks: tables of one database are one sink */
    struct weir_sink_table target;
};

struct weir_plan_sink {
    const struct weir_sink_ops *ops;
    struct weir_options options; /* those of its first table; connection options must agree */
    uint32_t *tables;            /* indexes in plan->tables, in the order of the sink's tables */
    uint32_t table_count;
};

/* INSERT INTO table SELECT exprs FROM source WHERE filter. exprs[c] computes column c of the table
 * (already cast to its type); columns that the INSERT does not name are null constants only when
 * the table says so, otherwise left out of target columns. */
struct weir_plan_insert {
    uint32_t source, table;
    uint32_t at;
    struct weir_expr *filter; /* NULL: every row */
    struct weir_expr **exprs;
    uint32_t expr_count;
};

struct weir_plan {
    struct weir_arena arena;
    const char *file; /* name for messages */
    struct weir_str text;
    struct weir_settings settings;
    struct weir_plan_source *sources;
    struct weir_plan_table *tables;
    struct weir_plan_sink *sinks;
    struct weir_plan_insert *inserts;
    uint32_t source_count, table_count, sink_count, insert_count;
    /* What the pipeline means, in a canonical form without addresses, secrets and tuning: two files
     * with the same definition process a batch alike. The fingerprint is its hash. */
    struct weir_str definition;
    struct weir_digest fingerprint;
};

/* The kinds of nodes that a pipeline file may name; engine/registry.c has the one list. */
struct weir_registry {
    const struct weir_source_ops *const *sources; /* ended by NULL */
    const struct weir_format_ops *const *formats; /* ended by NULL */
    const struct weir_sink_ops *const *sinks;     /* ended by NULL */
};

/* name=value pairs of --set, which win over the file's SET. */
struct weir_setting_override {
    const char *name, *value;
};

/* Parses and checks a pipeline file. Environment variables are replaced inside string literals
 * after parsing. On success the caller owns *ret (weir_plan_free). WEIR_ECONFIG: err->text is the
 * whole message, "file:line:column: error: ..." with the line, a caret and a hint. */
int weir_plan_make(const char *file, struct weir_str text, const struct weir_registry *registry,
                   const struct weir_setting_override *overrides, uint32_t override_count,
                   struct weir_plan **ret, struct weir_error *err);
void weir_plan_free(struct weir_plan *plan);

/* Line and column (both from 1, columns in characters) of a byte offset. */
void weir_plan_locate(const struct weir_plan *plan, uint32_t at, uint32_t *ret_line,
                      uint32_t *ret_column);

/* Appends what `weir explain` prints: settings, sources, inserts as trees, and for every path the
 * promise and what it rests on. No secrets. */
void weir_plan_explain(const struct weir_plan *plan, struct weir_buf *ret);

#endif
