/* memory_promote.c: a memory database whose standby takes over. See memory_sink.h.
 *
 * The old server is a database of its own, which only connections reach that were made before. What it
 * has in common with the new one is shared; what it commits from then on nobody else will see. */
#include <stdlib.h>

#include "base/assert.h"
#include "sink/memory_database.h"

struct weir_memory_database *weir_memory_server(struct weir_memory_database *database,
                                                uint64_t life)
{
    if (life == database->lives) {
        return database;
    }
    return database->old != NULL && life == database->old->lives ? database->old : NULL;
}

bool weir_memory_promoted_between(const struct weir_memory_database *database, uint64_t a,
                                  uint64_t b)
{
    return (a < database->promoted_life) != (b < database->promoted_life);
}

bool weir_memory_promote(struct weir_memory_database *database, uint32_t lag, bool is_synchronous)
{
    struct weir_memory_database *old = calloc(1, sizeof(*old));
    struct weir_memory_transactions copied = { 0 };
    size_t have = database->committed.count;

    weir_assert(!is_synchronous || lag == 0);
    if (old == NULL) {
        return false;
    }
    for (size_t i = 0; i + lag < have; i++) {
        if (!weir_memory_list_add(&copied, database->committed.items[i])) {
            free(copied.items);
            free(old);
            return false;
        }
    }
    weir_memory_end_old(database);
    for (size_t i = 0; i < copied.count; i++) {
        copied.items[i]->refs++;
    }
    *old = *database;
    old->waits_for_standby = is_synchronous;
    old->play.got_in = NULL; /* it gets in where nobody will look */
    database->committed = copied;
    database->late = (struct weir_memory_transactions){ 0 };
    database->old = old;
    database->promoted_life = ++database->lives;
    return true;
}

void weir_memory_end_old(struct weir_memory_database *database)
{
    struct weir_memory_database *old = database->old;

    if (old != NULL) {
        weir_memory_list_cut(&old->committed, 0);
        weir_memory_list_cut(&old->late, 0);
        free(old->committed.items);
        free(old->late.items);
        free(old);
        database->old = NULL;
    }
}

bool weir_memory_has_old(const struct weir_memory_database *database)
{
    return database->old != NULL;
}
