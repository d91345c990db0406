/* letters.c: counts what became a dead letter, and tells it while it happens.
 *
 * A pipeline that puts every row aside looks like one that works, but for a number in its progress. So
 * the first one is told at once, more of them once a minute, and at the end how many there were.
 *
 * LE1  Counted and told is what is in: a batch that is taken back tells nothing.
 * Checked by tests/unit/engine/test_engine.c and tests/integration/test_poison.py. */
#include <stdio.h>

#include "base/log_line.h"
#include "txn/txn_internal.h"

enum { TELL_EVERY_US = 60 * 1000 * 1000 };

void weir_letters_note(struct weir_letters *letters, const char *why)
{
    (void)snprintf(letters->last_why, sizeof(letters->last_why), "%.*s",
                   (int)sizeof(letters->last_why) - 1, why);
}

void weir_letters_count(struct weir_txn *txn, uint64_t rows)
{
    txn->status.rows_dead += rows;
    txn->letters.untold += rows;
}

void weir_letters_tell(struct weir_txn *txn)
{
    struct weir_letters *letters = &txn->letters;
    uint64_t now;

    if (letters->untold == 0) {
        return;
    }
    now = weir_io_mono_us(txn->args.io);
    if (now < letters->tell_at_us) {
        return;
    }
    weir_log(WEIR_LOG_WARN, "dead_letters",
             "pipeline \"%s\": %llu %srows or records went to the dead letters, see table "
             "weir.dead_letter; the last one: %s",
             txn->args.pipeline, (unsigned long long)letters->untold,
             letters->tell_at_us == 0 ? "" : "more ", letters->last_why);
    letters->untold = 0;
    letters->tell_at_us = now + TELL_EVERY_US;
}

void weir_letters_tell_end(const struct weir_txn *txn)
{
    if (txn->status.rows_dead != 0) {
        weir_log(
            WEIR_LOG_WARN, "dead_letters",
            "pipeline \"%s\": in all %llu rows or records went to the dead letters in this run, "
            "see table weir.dead_letter; the last one: %s",
            txn->args.pipeline, (unsigned long long)txn->status.rows_dead, txn->letters.last_why);
    }
}
