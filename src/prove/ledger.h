/* ledger.h: the independent ledger: what was sent, in a file of its own.
 *
 * A line a message: "id<TAB>partition<TAB>offset", written when the broker has acknowledged it; "?"
 * in place of the offset when it is not known whether the broker has it. */
#ifndef WEIR_PROVE_LEDGER_H
#define WEIR_PROVE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/error.h"

/* Written by one thread. */
struct prove_ledger;

enum prove_sent_state {
    PROVE_NOT_SENT,
    PROVE_SENT,
    PROVE_UNSURE, /* neither its absence nor one row of it is a fault */
};

struct prove_sent {
    int64_t offset;
    int32_t partition;
    enum prove_sent_state state;
};

int prove_ledger_create(const char *path, struct prove_ledger **ret, struct weir_error *err);
/* offset < 0: not known whether the broker has it. */
void prove_ledger_add(struct prove_ledger *ledger, uint64_t id, int32_t partition, int64_t offset);
/* Writes out what is buffered. Fails when any line could not be written. */
int prove_ledger_flush(struct prove_ledger *ledger, struct weir_error *err);
void prove_ledger_close(struct prove_ledger *ledger);

/* Reads the file back: *ret_sent has ids 0 to count - 1 and is to be freed. */
int prove_ledger_read(const char *path, uint64_t count, struct prove_sent **ret_sent,
                      struct weir_error *err);

#endif
