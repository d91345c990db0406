/* trim.c: what the log may forget.
 *
 * Needed are the record of the last batch that is in everywhere, which the next one stands on, all
 * behind it, and the identity record. What lies before them is kept as far as the log's own window
 * reaches, for a sink that goes back.
 *
 * TM1  Nothing is given up for an identity record that is not durable: a log without one is not
 *      known for this pipeline's.
 * TM2  The identity record holds up one segment at most: it is written again once in each. That
 *      depends on where it lies, not on how many batches this process has lived for.
 * Checked by tests/unit/txn/test_trim.c. */
#include "base/fail_point.h"
#include "base/variant.h"
#include "txn/txn_internal.h"

int weir_txn_trim(struct weir_txn *txn, uint64_t lsn, struct weir_error *err)
{
    struct weir_wal_stat stat;

    if (lsn == 0) {
        return WEIR_OK;
    }
    weir_wal_stat(txn->wal, &stat);
    if (txn->identity_lsn < stat.newest_segment_lsn && stat.newest_segment_lsn <= lsn) { /* TM2 */
        int rc = weir_txn_write_identity(txn, err);
        if (weir_error_action(rc) == WEIR_ACTION_RETRY) {
            return WEIR_OK; /* no room for it just now: the next batch tries again */
        }
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if (txn->identity_lsn > stat.durable_lsn) {
        return WEIR_OK; /* TM1: the next batch trims */
    }
    lsn = lsn < txn->identity_lsn ? lsn : txn->identity_lsn;
    if (WEIR_VARIANT(trim_too_early)) {
        lsn = stat.durable_lsn;
    }
    return WEIR_FAIL_AROUND(log_trim, weir_wal_trim(txn->wal, lsn, err), err);
}
