/* memory_database.c: the server's side of the memory sink: a list of transactions.
 *
 * M1  A commit's rows, dead letters and ledger row are one element of the list, so they are there
 *     together or not at all.
 * M2  An element is added only when the ledger, as the list has it, stands at the commit's
 *     predecessor with the client's generation and owner.
 * Checked by tests/contract/test_sink_contract.c and tests/unit/sink/test_memory_sink.c. */
#include "sink/memory_database.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sink/row_encode.h"

enum { INJECTIONS_MAX = 32, NAME_BYTES_MAX = 64, TRANSACTION_BLOCK_BYTES = 1024 };

struct stored_row {
    const char *table; /* "schema.name" */
    bool keyed;
    struct weir_str key;
    struct weir_memory_row row;
};

/* One transaction; all that it points to is in its arena. */
struct transaction {
    struct weir_arena arena;
    const char *pipeline;     /* of a claim; NULL: a commit */
    struct weir_ledger after; /* the ledger rows that it wrote: all of them, or one */
    struct stored_row *rows;
    size_t row_count;
    struct weir_memory_letter *letters;
    size_t letter_count;
    /* What the ledger must say for it to get in (commits only). */
    struct weir_ledger_step step;
};

struct transaction_list {
    struct transaction **items;
    size_t count, max;
};

struct weir_memory_database {
    struct weir_memory_database *next;
    char name[NAME_BYTES_MAX];
    uint32_t refs;
    struct transaction_list committed;
    struct transaction_list late;
    bool late_lingers;
    struct weir_memory_injection injections[INJECTIONS_MAX];
    uint32_t injection_count;
    uint32_t away_count;
    weir_memory_refuses refuses;
    void *refuses_context;
};

/* Every database of the process, as servers stand at addresses. */
static struct weir_memory_database *databases;

static void transaction_free(struct transaction *transaction)
{
    if (transaction != NULL) {
        weir_arena_fini(&transaction->arena);
        free(transaction);
    }
}

static struct transaction *transaction_new(void)
{
    struct transaction *ret = calloc(1, sizeof(*ret));

    if (ret != NULL) {
        weir_arena_init(&ret->arena, TRANSACTION_BLOCK_BYTES);
    }
    return ret;
}

static bool list_add(struct transaction_list *list, struct transaction *transaction)
{
    if (list->count == list->max) {
        size_t max = list->max == 0 ? 16 : list->max * 2;
        struct transaction **items = reallocarray(list->items, max, sizeof(struct transaction *));

        if (items == NULL) {
            return false;
        }
        list->items = items;
        list->max = max;
    }
    list->items[list->count++] = transaction;
    return true;
}

static void list_cut(struct transaction_list *list, size_t count)
{
    while (list->count > count) {
        transaction_free(list->items[--list->count]);
    }
}

static struct weir_memory_database *find(const char *name)
{
    struct weir_memory_database *found = databases;

    while (found != NULL && strcmp(found->name, name) != 0) {
        found = found->next;
    }
    return found;
}

struct weir_memory_database *weir_memory_database_open(const char *name)
{
    struct weir_memory_database *ret = find(name);

    if (ret == NULL) {
        ret = calloc(1, sizeof(*ret));
        if (ret == NULL || strlen(name) >= sizeof(ret->name)) {
            free(ret);
            return NULL;
        }
        memcpy(ret->name, name, strlen(name) + 1);
        ret->next = databases;
        databases = ret;
    }
    ret->refs++;
    return ret;
}

void weir_memory_database_close(struct weir_memory_database *database)
{
    struct weir_memory_database **link = &databases;

    if (database == NULL || --database->refs != 0) {
        return;
    }
    while (*link != database) {
        link = &(*link)->next;
    }
    *link = database->next;
    list_cut(&database->committed, 0);
    list_cut(&database->late, 0);
    free(database->committed.items);
    free(database->late.items);
    free(database);
}

/* ---- the ledger ---- */

static struct weir_str keep_str(struct weir_arena *arena, struct weir_str text)
{
    char *copy = weir_arena_copy(arena, text);

    return (struct weir_str){ copy, copy == NULL ? 0 : text.len };
}

static bool same_uuid(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, WEIR_UUID_BYTES) == 0;
}

const uint8_t *weir_memory_pipeline_uuid(const struct weir_memory_database *database,
                                         const char *name)
{
    for (size_t i = database->committed.count; i > 0; i--) {
        const struct transaction *transaction = database->committed.items[i - 1];
        if (transaction->pipeline != NULL && strcmp(transaction->pipeline, name) == 0) {
            return transaction->after.uuid;
        }
    }
    return NULL;
}

void weir_memory_read_ledger(const struct weir_memory_database *database, const uint8_t *uuid,
                             struct weir_ledger *ret)
{
    bool seen[WEIR_OUTPUT_PARTITIONS_MAX] = { false };

    *ret = (struct weir_ledger){ 0 };
    memcpy(ret->uuid, uuid, WEIR_UUID_BYTES);
    for (size_t i = database->committed.count; i > 0; i--) {
        const struct transaction *transaction = database->committed.items[i - 1];

        if (!same_uuid(transaction->after.uuid, uuid)) {
            continue;
        }
        for (uint32_t r = 0; r < transaction->after.count; r++) {
            const struct weir_ledger_row *row = &transaction->after.rows[r];
            if (!seen[row->partition]) {
                seen[row->partition] = true;
                ret->rows[row->partition] = *row;
                ret->count += 1;
                ret->generation =
                    row->generation > ret->generation ? row->generation : ret->generation;
            }
        }
        if (transaction->pipeline != NULL) {
            break; /* a claim writes all rows: what is older does not count */
        }
    }
}

int weir_memory_write_ledger(struct weir_memory_database *database, const char *name,
                             const struct weir_ledger *ledger, struct weir_error *err)
{
    struct transaction *transaction = transaction_new();
    bool ok = transaction != NULL;

    if (ok) {
        transaction->after = *ledger;
        transaction->pipeline = weir_arena_copy(&transaction->arena, weir_str_from(name));
        ok = transaction->pipeline != NULL;
    }
    for (uint32_t r = 0; ok && r < ledger->count; r++) {
        struct weir_str *ends = &transaction->after.rows[r].ends;
        *ends = keep_str(&transaction->arena, *ends);
        ok = ends->data != NULL;
    }
    if (!ok || !list_add(&database->committed, transaction)) {
        transaction_free(transaction);
        return weir_error_set(err, WEIR_ENOMEM, "no memory for the ledger");
    }
    return WEIR_OK;
}

/* ---- commits ---- */

static bool copy_table(struct transaction *to, const struct weir_memory_commit *commit,
                       const struct weir_part_table *from)
{
    const char *schema = from->target->schema == NULL ? "public" : from->target->schema;
    size_t bytes = strlen(schema) + strlen(from->target->name) + 2;
    char *name = weir_arena_alloc(&to->arena, bytes);
    uint32_t count = weir_part_send_count(from);

    if (name == NULL) {
        return false;
    }
    (void)snprintf(name, bytes, "%s.%s", schema, from->target->name);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t r = weir_part_send_row(from, i);
        const struct weir_record *origin = from->origins[r];
        struct stored_row *row = &to->rows[to->row_count++];

        *row = (struct stored_row){
            .table = name,
            .keyed = from->target->key_count != 0,
            .row = { .batch = commit->step->batch,
                     .partition = commit->partition,
                     .source = weir_part_run_of(from, r)->source,
                     .source_partition = origin->partition,
                     .offset = origin->offset,
                     .bytes = keep_str(&to->arena, weir_part_row(from, r)) },
        };
        if (row->keyed) {
            row->key = keep_str(&to->arena, weir_part_key(from, r));
        }
        if (row->row.bytes.data == NULL || (row->keyed && row->key.data == NULL)) {
            return false;
        }
    }
    return true;
}

static bool copy_letters(struct transaction *to, const struct weir_memory_commit *commit)
{
    const struct weir_part *part = commit->part;

    to->letters = weir_arena_calloc(&to->arena, part->letter_count, sizeof(*to->letters));
    to->letter_count = part->letter_count;
    for (uint32_t i = 0; to->letters != NULL && i < part->letter_count; i++) {
        const struct weir_part_letter *from = &part->letters[i];

        to->letters[i] = (struct weir_memory_letter){ .batch = commit->step->batch,
                                                      .source = from->source,
                                                      .source_partition = from->record->partition,
                                                      .offset = from->record->offset };
        memcpy(to->letters[i].sqlstate, from->sqlstate, sizeof(from->sqlstate));
    }
    return to->letters != NULL;
}

/* The transaction as the server holds it open: rows in, ledger row about to be changed. */
static struct transaction *make_transaction(const struct weir_memory_commit *commit,
                                            uint32_t partitions)
{
    struct transaction *ret = transaction_new();
    const struct weir_ledger_step *step = commit->step;
    size_t row_count = 0;

    if (ret == NULL) {
        return NULL;
    }
    for (uint32_t t = 0; t < commit->part->table_count; t++) {
        row_count += weir_part_send_count(&commit->part->tables[t]);
    }
    ret->rows = weir_arena_calloc(&ret->arena, row_count, sizeof(*ret->rows));
    bool ok = ret->rows != NULL && copy_letters(ret, commit);
    for (uint32_t t = 0; ok && t < commit->part->table_count; t++) {
        ok = copy_table(ret, commit, &commit->part->tables[t]);
    }
    ret->step = *step;
    ret->after.count = 1;
    memcpy(ret->after.uuid, commit->uuid, WEIR_UUID_BYTES);
    struct weir_ledger_row *row = &ret->after.rows[0];
    *row = (struct weir_ledger_row){ .partition = commit->partition,
                                     .partitions = partitions,
                                     .batch = step->batch,
                                     .t = step->t,
                                     .plan = step->plan,
                                     .map = step->map,
                                     .definition = step->definition,
                                     .rows = commit->part->tally.rows,
                                     .output = commit->part->tally.digest,
                                     .generation = commit->generation,
                                     .ends = keep_str(&ret->arena, step->ends) };
    memcpy(row->owner, commit->owner, WEIR_UUID_BYTES);
    if (!ok || row->ends.data == NULL) {
        transaction_free(ret);
        return NULL;
    }
    return ret;
}

/* M2: the compare-and-set. */
static bool ledger_allows(const struct weir_memory_database *database,
                          const struct transaction *transaction)
{
    const struct weir_ledger_row *want = &transaction->after.rows[0];
    const struct weir_ledger_step *step = &transaction->step;
    struct weir_ledger now;

    weir_memory_read_ledger(database, transaction->after.uuid, &now);
    if (want->partition >= now.count) {
        return false;
    }
    const struct weir_ledger_row *row = &now.rows[want->partition];
    if (row->generation != want->generation || !same_uuid(row->owner, want->owner)) {
        return false;
    }
    if (row->batch == step->batch && step->repeat_allowed) {
        return row->t == step->t && weir_digest_equal(row->plan, step->plan);
    }
    return row->batch + 1 == step->batch && row->t == step->previous_t &&
           weir_digest_equal(row->plan, step->previous_plan);
}

static bool take_injection(struct weir_memory_database *database,
                           const struct weir_memory_commit *commit, enum weir_memory_fault *ret)
{
    for (uint32_t i = 0; i < database->injection_count; i++) {
        struct weir_memory_injection *injection = &database->injections[i];

        if (injection->count != 0 &&
            (injection->batch == 0 || injection->batch == commit->step->batch) &&
            (injection->partition == UINT32_MAX || injection->partition == commit->partition)) {
            injection->count--;
            *ret = injection->fault;
            return true;
        }
    }
    return false;
}

enum weir_sink_outcome weir_memory_commit(struct weir_memory_database *database,
                                          const struct weir_memory_commit *commit,
                                          struct weir_error *err)
{
    struct weir_ledger now;
    enum weir_memory_fault fault = WEIR_MEMORY_LOST_AFTER;
    bool faulty = take_injection(database, commit, &fault);

    if (faulty && fault == WEIR_MEMORY_ROLLED_BACK) {
        (void)weir_error_set(err, WEIR_EREFUSED, "deadlock detected (SQLSTATE 40P01)");
        return WEIR_SINK_ROLLED_BACK;
    }
    if (faulty && fault == WEIR_MEMORY_BROKEN) {
        (void)weir_error_set(err, WEIR_ESCHEMA, "the table does not exist (SQLSTATE 42P01)");
        return WEIR_SINK_BROKEN;
    }
    if (faulty && fault == WEIR_MEMORY_LOST_BEFORE) {
        (void)weir_error_set(err, WEIR_EAWAY, "connection lost");
        return WEIR_SINK_LOST;
    }
    weir_memory_read_ledger(database, commit->uuid, &now);
    struct transaction *transaction = make_transaction(commit, now.count);
    if (transaction == NULL) {
        (void)weir_error_set(err, WEIR_ENOMEM, "no memory for a transaction");
        return WEIR_SINK_BROKEN;
    }
    bool late = faulty && fault == WEIR_MEMORY_LATE;
    bool allowed = late || ledger_allows(database, transaction);
    if (!allowed || !list_add(late ? &database->late : &database->committed, transaction)) {
        transaction_free(transaction);
    }
    if (faulty) {
        (void)weir_error_set(err, WEIR_EAWAY, "connection lost");
        return WEIR_SINK_LOST;
    }
    if (!allowed) {
        (void)weir_error_set(err, WEIR_EREFUSED,
                             "the ledger's row of partition %u is not at batch %llu of this owner",
                             commit->partition, (unsigned long long)commit->step->batch - 1);
        return WEIR_SINK_REFUSED;
    }
    return WEIR_SINK_COMMITTED;
}

/* ---- faults ---- */

void weir_memory_inject(struct weir_memory_database *database,
                        const struct weir_memory_injection *injection)
{
    if (injection == NULL) {
        database->injection_count = 0;
        return;
    }
    weir_assert(database->injection_count < INJECTIONS_MAX);
    database->injections[database->injection_count++] = *injection;
}

void weir_memory_go_away(struct weir_memory_database *database, uint32_t count)
{
    database->away_count = count;
}

int weir_memory_reach(struct weir_memory_database *database, struct weir_error *err)
{
    if (database->away_count != 0) {
        database->away_count--;
        return weir_error_set(err, WEIR_EAWAY, "memory database \"%s\" does not answer",
                              database->name);
    }
    return WEIR_OK;
}

void weir_memory_refuse(struct weir_memory_database *database, weir_memory_refuses refuses,
                        void *context)
{
    database->refuses = refuses;
    database->refuses_context = context;
}

bool weir_memory_row_refused(const struct weir_memory_database *database, const char *table,
                             const struct weir_record *origin)
{
    return database->refuses != NULL && database->refuses(database->refuses_context, table, origin);
}

uint32_t weir_memory_deliver_late(struct weir_memory_database *database)
{
    uint32_t delivered = 0;

    for (size_t i = 0; i < database->late.count; i++) {
        struct transaction *transaction = database->late.items[i];

        if (ledger_allows(database, transaction) && list_add(&database->committed, transaction)) {
            delivered++;
        } else {
            transaction_free(transaction);
        }
    }
    database->late.count = 0;
    return delivered;
}

void weir_memory_late_linger(struct weir_memory_database *database, bool linger)
{
    database->late_lingers = linger;
}

void weir_memory_terminate_others(struct weir_memory_database *database, const uint8_t *uuid,
                                  const uint8_t *owner)
{
    size_t kept = 0;

    for (size_t i = 0; i < database->late.count; i++) {
        struct transaction *transaction = database->late.items[i];
        bool ours = same_uuid(transaction->after.uuid, uuid) &&
                    same_uuid(transaction->after.rows[0].owner, owner);

        if (database->late_lingers || ours || !same_uuid(transaction->after.uuid, uuid)) {
            database->late.items[kept++] = transaction;
        } else {
            transaction_free(transaction);
        }
    }
    database->late.count = kept;
}

void weir_memory_go_back(struct weir_memory_database *database, uint32_t count)
{
    size_t have = database->committed.count;

    list_cut(&database->committed, count > have ? 0 : have - count);
}

uint32_t weir_memory_transaction_count(const struct weir_memory_database *database)
{
    return (uint32_t)database->committed.count;
}

/* ---- looking inside ---- */

/* By key; of equal keys the younger first. */
static int compare_stored(const void *left, const void *right)
{
    const struct stored_row *a = *(const struct stored_row *const *)left;
    const struct stored_row *b = *(const struct stored_row *const *)right;
    int order = weir_str_compare(a->key, b->key);

    return order != 0 ? order : (a->row.batch < b->row.batch) - (a->row.batch > b->row.batch);
}

int weir_memory_table_rows(const struct weir_memory_database *database, const char *table,
                           struct weir_memory_row **ret_rows, size_t *ret_count)
{
    size_t count = 0, kept = 0;

    for (size_t i = 0; i < database->committed.count; i++) {
        count += database->committed.items[i]->row_count;
    }
    const struct stored_row **found = calloc(count + 1, sizeof(struct stored_row *));
    struct weir_memory_row *rows = calloc(count + 1, sizeof(*rows));
    if (found == NULL || rows == NULL) {
        free(found);
        free(rows);
        return WEIR_ENOMEM;
    }
    count = 0;
    for (size_t i = 0; i < database->committed.count; i++) {
        const struct transaction *transaction = database->committed.items[i];
        for (size_t r = 0; r < transaction->row_count; r++) {
            if (strcmp(transaction->rows[r].table, table) == 0) {
                found[count++] = &transaction->rows[r];
            }
        }
    }
    bool keyed = count != 0 && found[0]->keyed;
    if (keyed) {
        qsort(found, count, sizeof(struct stored_row *), compare_stored);
    }
    for (size_t i = 0; i < count; i++) {
        if (!keyed || i == 0 || !weir_str_equal(found[i - 1]->key, found[i]->key)) {
            rows[kept++] = found[i]->row;
        }
    }
    free(found);
    *ret_rows = rows;
    *ret_count = kept;
    return WEIR_OK;
}

struct weir_str weir_memory_row_field(const struct weir_memory_row *row, uint32_t column)
{
    const uint8_t *field = (const uint8_t *)row->bytes.data + WEIR_ROW_HEADER_BYTES;

    while (column-- != 0) {
        field = weir_field_next(field);
    }
    int32_t bytes = weir_field_bytes(field);
    return bytes < 0
               ? (struct weir_str){ 0 }
               : (struct weir_str){ (const char *)field + WEIR_FIELD_HEADER_BYTES, (size_t)bytes };
}

int64_t weir_memory_row_integer(const struct weir_memory_row *row, uint32_t column)
{
    struct weir_str field = weir_memory_row_field(row, column);
    uint64_t ret = field.len != 0 && ((uint8_t)field.data[0] & 0x80) != 0 ? UINT64_MAX : 0;

    for (size_t i = 0; i < field.len; i++) {
        ret = ret << 8 | (uint8_t)field.data[i];
    }
    return (int64_t)ret;
}

int weir_memory_dead_letters(const struct weir_memory_database *database,
                             struct weir_memory_letter **ret_letters, size_t *ret_count)
{
    size_t count = 0;

    for (size_t i = 0; i < database->committed.count; i++) {
        count += database->committed.items[i]->letter_count;
    }
    struct weir_memory_letter *letters = calloc(count + 1, sizeof(*letters));
    if (letters == NULL) {
        return WEIR_ENOMEM;
    }
    count = 0;
    for (size_t i = 0; i < database->committed.count; i++) {
        const struct transaction *transaction = database->committed.items[i];
        if (transaction->letter_count > 0) { /* without any, letters may be NULL */
            memcpy(letters + count, transaction->letters,
                   transaction->letter_count * sizeof(*letters));
            count += transaction->letter_count;
        }
    }
    *ret_letters = letters;
    *ret_count = count;
    return WEIR_OK;
}
