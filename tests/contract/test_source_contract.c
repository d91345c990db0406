/* test_source_contract.c: the memory source keeps the contract of source.h. */
#include "source/memory_source.h"
#include "tests/contract/source_contract.h"
#include "tests/support/test.h"

static struct weir_memory_topic *topic;

static const char *make(uint32_t partitions)
{
    topic = weir_memory_topic_new("records", partitions);
    assert_non_null(topic);
    return "records";
}

static void drop(void)
{
    weir_memory_topic_free(topic);
}

static void append(uint32_t partition, const char *key, const char *value, int64_t timestamp_us)
{
    int64_t offset = weir_memory_topic_append(topic, partition, weir_str_from(key),
                                              weir_str_from(value), timestamp_us);
    assert_true(offset >= 0);
}

static void append_gap(uint32_t partition)
{
    weir_memory_topic_append_gap(topic, partition, 3);
}

static void trim(uint32_t partition, int64_t low)
{
    weir_memory_topic_trim(topic, partition, low);
}

static void add_partition(void)
{
    assert_true(weir_memory_topic_add_partition(topic));
}

static int64_t end(uint32_t partition)
{
    return weir_memory_topic_end(topic, partition);
}

int main(void)
{
    const struct outside_ops ops = {
        .source = &weir_memory_source_ops,
        .make = make,
        .drop = drop,
        .append = append,
        .append_gap = append_gap,
        .trim = trim,
        .add_partition = add_partition,
        .end = end,
    };
    return source_contract_run(&ops);
}
