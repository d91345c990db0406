/* partition_map.h: how rows find their output partition, and the digest that stands for it.
 *
 * A batch can be rebuilt only under the map that it was sealed under, so plans and ledger rows
 * carry its digest (rule 16). There are few maps: one that a digest stands for is found by trying
 * all of them. Threads: any. */
#ifndef WEIR_TXN_PARTITION_MAP_H
#define WEIR_TXN_PARTITION_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

struct weir_partition_map {
    uint32_t partitions; /* P, 1 to WEIR_OUTPUT_PARTITIONS_MAX */
    bool by_source;      /* by the record's source partition, not by the table's key */
};

struct weir_digest weir_partition_map_digest(struct weir_partition_map map);

/* False when digest is that of no map: of batch 0, which has none. */
bool weir_partition_map_find(struct weir_digest digest, struct weir_partition_map *ret);

/* The value of partition_by, as a pipeline file has it. */
const char *weir_partition_map_by(struct weir_partition_map map);

#endif
