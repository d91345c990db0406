/* kafka_source_contract.c: the Kafka source keeps the contract of source.h, against a real broker.
 *
 * Run by tests/integration/test_kafka_source.py, which starts the broker and sets WEIR_TEST_KAFKA. */
#include "source/kafka_source.h"
#include "tests/contract/kafka_outside.h"
#include "tests/contract/source_contract.h"

#include <stdio.h>

enum { EXIT_SKIPPED = 77 };

int main(void)
{
    if (!kafka_outside_init()) {
        (void)fprintf(stderr, "skipped: WEIR_TEST_KAFKA names no broker\n");
        return EXIT_SKIPPED;
    }
    const struct weir_option brokers = { WEIR_STR("brokers"),
                                         weir_str_from(kafka_outside_brokers()), 0 };
    const struct outside_ops ops = {
        .source = &weir_kafka_source_ops,
        .make = kafka_outside_make,
        .drop = kafka_outside_drop,
        .append = kafka_outside_append,
        .append_gap = kafka_outside_abort_one,
        .trim = kafka_outside_trim,
        .add_partition = kafka_outside_add_partition,
        .end = kafka_outside_end,
        .options = &brokers,
        .option_count = 1,
    };
    int ret = source_contract_run(&ops);
    kafka_outside_fini();
    return ret;
}
