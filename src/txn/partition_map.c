/* partition_map.c: the digests of all maps from rows to output partitions. */
#include "txn/partition_map.h"

#include <stdio.h>

#include "sink/sink.h"

const char *weir_partition_map_by(struct weir_partition_map map)
{
    return map.by_source ? "source_partition" : "key";
}

struct weir_digest weir_partition_map_digest(struct weir_partition_map map)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "map 1 by %s over %u", weir_partition_map_by(map),
                       map.partitions);

    return weir_hash128(text, (size_t)len);
}

bool weir_partition_map_find(struct weir_digest digest, struct weir_partition_map *ret)
{
    for (uint32_t i = 0; i < 2 * WEIR_OUTPUT_PARTITIONS_MAX; i++) {
        struct weir_partition_map map = { .partitions = 1 + i / 2, .by_source = i % 2 != 0 };
        if (weir_digest_equal(weir_partition_map_digest(map), digest)) {
            *ret = map;
            return true;
        }
    }
    return false;
}
