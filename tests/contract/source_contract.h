/* source_contract.h: what every source must do, as tests that run on any of them.
 *
 * An outside is what a source reads from: it can be made, filled, trimmed. The suite drives it
 * and the source's table of functions side by side and compares. */
#ifndef WEIR_TESTS_SOURCE_CONTRACT_H
#define WEIR_TESTS_SOURCE_CONTRACT_H

#include "source/source.h"

struct outside_ops {
    const struct weir_source_ops *source;
    /* Makes an empty topic and returns its name, valid until drop(). */
    const char *(*make)(uint32_t partitions);
    void (*drop)(void);
    /* value NULL is a null; returns once the record can be read. */
    void (*append)(uint32_t partition, const char *key, const char *value, int64_t timestamp_us);
    /* Puts one or more offsets there that readers never see. */
    void (*append_gap)(uint32_t partition);
    void (*trim)(uint32_t partition, int64_t low);
    void (*add_partition)(void);
    int64_t (*end)(uint32_t partition);
    /* Options beside topic, start and on_data_loss. */
    const struct weir_option *options;
    uint32_t option_count;
};

/* Runs the suite; the result is the program's exit status. */
int source_contract_run(const struct outside_ops *ops);

#endif
