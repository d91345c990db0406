/* postgres_isolate.c: which rows of a part does the server refuse?
 *
 * The part's rows are sent again inside a transaction that is rolled back at the end, by halves
 * under savepoints: a half that is refused is halved again, down to single rows. What was taken
 * stays in, so that rows refused because of each other (a unique key twice) show as well.
 * Constraints that are checked at the end of a transaction are forced once all else is in; only if
 * that fails are they forced after every step, which could wrongly accuse a row whose partner comes
 * later.
 * Checked by tests/contract/test_sink_contract.c. */
#include <stdlib.h>

#include "sink/postgres_internal.h"

struct search {
    struct weir_postgres_sink *sink;
    struct weir_postgres_part *part;
    PGconn *connection;
    uint32_t table;
    bool force_deferred; /* SET CONSTRAINTS ALL IMMEDIATE after every step */
    struct weir_part_culprit *culprits;
    uint32_t count, max;
    struct weir_arena texts;
};

/* Runs statements; *ret_refused says that the server refused data, which is no error here. */
static int try_statements(struct search *search, const char *sql, bool *ret_refused,
                          PGresult **ret_failed, struct weir_error *err)
{
    PGresult *failed = NULL;
    int rc = weir_postgres_run(search->sink, search->connection, sql, NULL, &failed, err);

    *ret_refused = failed != NULL && weir_postgres_outcome(failed) == WEIR_SINK_ROW_REFUSED;
    if (*ret_refused) {
        rc = WEIR_OK;
    }
    *ret_failed = failed;
    return rc;
}

/* Sends rows [first, first + count) of those that the table sends, by COPY. */
static int copy_rows(struct search *search, uint32_t first, uint32_t count, PGresult **ret_failed,
                     struct weir_error *err)
{
    const struct weir_part_table *rows = &search->part->rows.tables[search->table];
    PGconn *connection = search->connection;
    struct weir_str begin = weir_part_row(rows, first);
    struct weir_str last = weir_part_row(rows, first + count - 1);
    PGresult *started = NULL;
    int rc = weir_postgres_run(search->sink, connection, search->sink->tables[search->table].copy,
                               &started, ret_failed, err);

    PQclear(started);
    if (rc != WEIR_OK) {
        return rc;
    }
    bool ok = PQputCopyData(connection, weir_postgres_copy_header,
                            sizeof(weir_postgres_copy_header)) == 1;
    for (const char *at = begin.data; ok && at < last.data + last.len;) {
        size_t left = (size_t)(last.data + last.len - at);
        int bytes = left > 65536 ? 65536 : (int)left;

        ok = PQputCopyData(connection, at, bytes) == 1;
        at += bytes;
        rc = ok ? weir_postgres_flush(search->sink, connection, err) : WEIR_OK;
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    if (!ok || PQputCopyData(connection, weir_postgres_copy_trailer, 2) != 1 ||
        PQputCopyEnd(connection, NULL) != 1) {
        return weir_postgres_connection_error(search->sink, connection, err);
    }
    return weir_postgres_wait(search->sink, connection, NULL, ret_failed, err);
}

static int upsert_rows(struct search *search, uint32_t first, uint32_t count, PGresult **ret_failed,
                       struct weir_error *err)
{
    const struct weir_part_table *rows = &search->part->rows.tables[search->table];
    int rc = WEIR_OK;

    for (uint32_t done = 0; done < count && rc == WEIR_OK && *ret_failed == NULL;) {
        uint32_t slice = count - done;

        slice = slice > WEIR_POSTGRES_UPSERT_ROWS_MAX ? WEIR_POSTGRES_UPSERT_ROWS_MAX : slice;
        rc = weir_postgres_upsert_send(search->sink, search->connection, rows, search->table,
                                       first + done, slice, err);
        if (rc == WEIR_OK) {
            rc = weir_postgres_wait(search->sink, search->connection, NULL, ret_failed, err);
        }
        done += slice;
    }
    return rc;
}

/* Puts a range of rows in under a savepoint, or takes it back and says that it was refused. */
static int try_range(struct search *search, uint32_t first, uint32_t count, PGresult **ret_failed,
                     struct weir_error *err)
{
    bool keyed = search->part->rows.tables[search->table].target->key_count != 0;
    PGresult *failed = NULL;
    bool refused = false;
    int rc = weir_postgres_run(search->sink, search->connection, "SAVEPOINT weir", NULL, NULL, err);

    if (rc == WEIR_OK) {
        rc = keyed ? upsert_rows(search, first, count, &failed, err)
                   : copy_rows(search, first, count, &failed, err);
        refused = failed != NULL && weir_postgres_outcome(failed) == WEIR_SINK_ROW_REFUSED;
    }
    if (rc == WEIR_OK && search->force_deferred) {
        rc = try_statements(search, "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED",
                            &refused, &failed, err);
    }
    if (rc == WEIR_OK && !refused) {
        rc = weir_postgres_run(search->sink, search->connection, "RELEASE SAVEPOINT weir", NULL,
                               NULL, err);
    } else if (refused) {
        rc = weir_postgres_run(search->sink, search->connection,
                               "ROLLBACK TO SAVEPOINT weir; RELEASE SAVEPOINT weir", NULL, NULL,
                               err);
    }
    if (refused && rc == WEIR_OK) {
        *ret_failed = failed;
        return WEIR_OK;
    }
    PQclear(failed);
    *ret_failed = NULL;
    return rc;
}

static int accuse(struct search *search, uint32_t row, const PGresult *failed,
                  struct weir_error *err)
{
    const char *sqlstate = PQresultErrorField(failed, PG_DIAG_SQLSTATE);
    struct weir_error words = { 0 };

    if (search->count == search->max) {
        uint32_t max = search->max == 0 ? 16 : search->max * 2;
        void *bigger = reallocarray(search->culprits, max, sizeof(*search->culprits));
        if (bigger == NULL) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory to find refused rows");
        }
        search->culprits = bigger;
        search->max = max;
    }
    (void)weir_postgres_result_error(search->sink, failed, &words);
    struct weir_part_culprit *culprit = &search->culprits[search->count++];
    *culprit = (struct weir_part_culprit){
        .row = row, .text = weir_arena_copy(&search->texts, weir_str_from(words.text))
    };
    if (culprit->text == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory to find refused rows");
    }
    memcpy(culprit->sqlstate, sqlstate, 5);
    return WEIR_OK;
}

/* Halves [first, first + count) until the refused rows stand alone. The depth is that of halving:
 * 31 at most. */
static int halve(struct search *search, uint32_t first, uint32_t count, struct weir_error *err)
{
    const struct weir_part_table *rows = &search->part->rows.tables[search->table];
    PGresult *failed = NULL;
    int rc = try_range(search, first, count, &failed, err);

    if (rc != WEIR_OK || failed == NULL) {
        return rc;
    }
    if (count == 1) {
        rc = accuse(search, weir_part_send_row(rows, first), failed, err);
        PQclear(failed);
        return rc;
    }
    PQclear(failed);
    rc = halve(search, first, count / 2, err);
    return rc == WEIR_OK ? halve(search, first + count / 2, count - count / 2, err) : rc;
}

static int compare_culprits(const void *left, const void *right)
{
    const struct weir_part_culprit *a = left;
    const struct weir_part_culprit *b = right;

    return (a->row > b->row) - (a->row < b->row);
}

/* One pass over all tables in a transaction that is rolled back. found gets the culprits of each
 * table; *ret_deferred says that a deferred constraint is still broken. */
static int pass(struct search *search, struct weir_part_culprit **found, uint32_t *counts,
                bool *ret_deferred, struct weir_error *err)
{
    PGresult *failed = NULL;
    int rc =
        weir_postgres_run(search->sink, search->connection, search->sink->begin, NULL, NULL, err);

    for (uint32_t t = 0; t < search->part->rows.table_count && rc == WEIR_OK; t++) {
        uint32_t count = weir_part_send_count(&search->part->rows.tables[t]);

        search->table = t;
        search->culprits = NULL;
        search->count = search->max = 0;
        if (count != 0) {
            rc = halve(search, 0, count, err);
        }
        if (search->count != 0) {
            qsort(search->culprits, search->count, sizeof(*search->culprits), compare_culprits);
        }
        found[t] = search->culprits;
        counts[t] = search->count;
    }
    *ret_deferred = false;
    if (rc == WEIR_OK) {
        rc = try_statements(search, "SET CONSTRAINTS ALL IMMEDIATE", ret_deferred, &failed, err);
        PQclear(failed);
    }
    if (rc == WEIR_OK) {
        rc = weir_postgres_run(search->sink, search->connection, "ROLLBACK", NULL, NULL, err);
    }
    return rc;
}

int weir_postgres_isolate(struct weir_postgres_sink *sink, struct weir_postgres_part *part,
                          struct weir_sink_search *ret, struct weir_error *err)
{
    struct search search = { .sink = sink, .part = part, .connection = part->connection };
    uint32_t tables = part->rows.table_count;
    struct weir_part_culprit **found = calloc(tables, sizeof(*found));
    uint32_t *counts = calloc(tables, sizeof(*counts));
    struct weir_sink_search result = { 0 };
    bool deferred = false;
    int rc = WEIR_OK;

    weir_arena_init(&search.texts, 0);
    if (found == NULL || counts == NULL) {
        rc = weir_error_set(err, WEIR_ENOMEM, "no memory to find refused rows");
    }
    if (rc == WEIR_OK) {
        rc = pass(&search, found, counts, &deferred, err);
    }
    if (rc == WEIR_OK && deferred) {
        for (uint32_t t = 0; t < tables; t++) {
            free(found[t]);
            found[t] = NULL;
        }
        search.force_deferred = true;
        rc = pass(&search, found, counts, &deferred, err);
    }
    for (uint32_t t = 0; t < tables && rc == WEIR_OK; t++) {
        rc = weir_part_refuse(&part->rows, &sink->args, t, found[t], counts[t], &result.skipped,
                              err);
        result.refused += counts[t];
    }
    if (rc == WEIR_OK) {
        *ret = result;
    }
    for (uint32_t t = 0; found != NULL && t < tables; t++) {
        free(found[t]);
    }
    free(found);
    free(counts);
    weir_arena_fini(&search.texts);
    return rc;
}
