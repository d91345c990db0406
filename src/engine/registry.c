/* registry.c: the one list of every kind of source, format and sink. */
#include "engine/engine.h"
#include "format/json_format.h"
#include "format/raw_format.h"
#include "sink/postgres_sink.h"
#include "source/kafka_source.h"

const struct weir_registry *weir_registry(void)
{
    static const struct weir_source_ops *const sources[] = { &weir_kafka_source_ops, NULL };
    static const struct weir_format_ops *const formats[] = { &weir_json_format_ops,
                                                             &weir_raw_format_ops, NULL };
    static const struct weir_sink_ops *const sinks[] = { &weir_postgres_sink_ops, NULL };
    static const struct weir_registry registry = { .sources = sources,
                                                   .formats = formats,
                                                   .sinks = sinks };

    return &registry;
}
