/* memory_database.c: the server's side of the memory sink: a list of transactions.
 *
 * M1  A commit's rows, dead letters and ledger row are one element of the list, so they are there
 *     together or not at all.
 * M2  An element is added only when the ledger, as the list has it, stands at the commit's
 *     predecessor with the client's generation and owner.
 * Checked by tests/contract/test_sink_contract.c and tests/unit/sink/test_memory_sink.c. */
#include "sink/memory_database.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/variant.h"
#include "sink/row_encode.h"

enum { TRANSACTION_BLOCK_BYTES = 1024 };

/* Every database of the process, as servers stand at addresses. */
static struct weir_memory_database *databases;

static void transaction_free(struct weir_memory_transaction *transaction)
{
    if (transaction != NULL && --transaction->refs == 0) {
        weir_arena_fini(&transaction->arena);
        free(transaction);
    }
}

static struct weir_memory_transaction *transaction_new(void)
{
    struct weir_memory_transaction *ret = calloc(1, sizeof(*ret));

    if (ret != NULL) {
        ret->refs = 1;
        weir_arena_init(&ret->arena, TRANSACTION_BLOCK_BYTES);
    }
    return ret;
}

bool weir_memory_list_add(struct weir_memory_transactions *list,
                          struct weir_memory_transaction *transaction)
{
    if (list->count == list->max) {
        size_t max = list->max == 0 ? 16 : list->max * 2;
        struct weir_memory_transaction **items =
            reallocarray(list->items, max, sizeof(struct weir_memory_transaction *));

        if (items == NULL) {
            return false;
        }
        list->items = items;
        list->max = max;
    }
    list->items[list->count++] = transaction;
    return true;
}

void weir_memory_list_cut(struct weir_memory_transactions *list, size_t count)
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
    weir_memory_end_old(database);
    weir_memory_list_cut(&database->committed, 0);
    weir_memory_list_cut(&database->late, 0);
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
        const struct weir_memory_transaction *transaction = database->committed.items[i - 1];
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
        const struct weir_memory_transaction *transaction = database->committed.items[i - 1];

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

static struct weir_memory_transaction *make_claim(const char *name, const struct weir_ledger *seen,
                                                  const struct weir_ledger *ledger)
{
    struct weir_memory_transaction *ret = transaction_new();

    if (ret == NULL) {
        return NULL;
    }
    ret->after = *ledger;
    ret->pipeline = weir_arena_copy(&ret->arena, weir_str_from(name));
    bool ok = ret->pipeline != NULL;
    for (uint32_t r = 0; ok && r < ledger->count; r++) {
        struct weir_str *ends = &ret->after.rows[r].ends;
        *ends = keep_str(&ret->arena, *ends);
        ok = ends->data != NULL;
    }
    if (!ok) {
        transaction_free(ret);
        return NULL;
    }
    ret->seen_generation = seen->generation;
    memcpy(ret->seen_owner, seen->rows[0].owner, WEIR_UUID_BYTES);
    return ret;
}

/* M2 for a claim: nobody else has taken the ledger since it was read. */
static bool claim_allowed(const struct weir_memory_database *database,
                          const struct weir_memory_transaction *claim)
{
    const uint8_t *uuid = weir_memory_pipeline_uuid(database, claim->pipeline);
    struct weir_ledger now;

    if (WEIR_VARIANT(claim_without_compare)) {
        return true;
    }
    if (uuid == NULL || claim->seen_generation == 0) {
        return uuid == NULL && claim->seen_generation == 0;
    }
    weir_memory_read_ledger(database, uuid, &now);
    return same_uuid(uuid, claim->after.uuid) && now.generation == claim->seen_generation &&
           same_uuid(now.rows[0].owner, claim->seen_owner);
}

/* A claim writes the rows as they are when it gets in: it takes the owner, not the batch. */
static void refresh_claim(const struct weir_memory_database *database,
                          struct weir_memory_transaction *claim)
{
    struct weir_ledger now;

    weir_memory_read_ledger(database, claim->after.uuid, &now);
    for (uint32_t r = 0; r < now.count && now.count == claim->after.count; r++) {
        struct weir_ledger_row *row = &claim->after.rows[r];
        struct weir_ledger_row was = *row;
        struct weir_str ends = keep_str(&claim->arena, now.rows[r].ends);

        weir_assert(ends.data != NULL);
        *row = now.rows[r];
        row->ends = ends;
        row->generation = was.generation;
        memcpy(row->owner, was.owner, WEIR_UUID_BYTES);
    }
}

static bool get_in(struct weir_memory_database *database,
                   struct weir_memory_transaction *transaction)
{
    if (!weir_memory_list_add(&database->committed, transaction)) {
        return false;
    }
    if (database->play.got_in != NULL) {
        database->play.got_in(database->play.context, transaction);
    }
    return true;
}

int weir_memory_write_ledger(struct weir_memory_database *database, const char *name,
                             const struct weir_ledger *seen, const struct weir_ledger *ledger,
                             bool late, struct weir_error *err)
{
    struct weir_memory_transaction *claim = make_claim(name, seen, ledger);

    if (claim == NULL ||
        !(late ? weir_memory_list_add(&database->late, claim) : get_in(database, claim))) {
        transaction_free(claim);
        return weir_error_set(err, WEIR_ENOMEM, "no memory for the ledger");
    }
    return WEIR_OK;
}

/* ---- commits ---- */

static bool copy_table(struct weir_memory_transaction *to, const struct weir_memory_commit *commit,
                       const struct weir_part_table *from)
{
    const char *schema = from->target->schema == NULL ? "public" : from->target->schema;
    size_t schema_len = strlen(schema);
    size_t name_len = strlen(from->target->name);
    char *name = weir_arena_alloc(&to->arena, schema_len + 1 + name_len + 1);
    uint32_t count = weir_part_send_count(from);

    if (name == NULL) {
        return false;
    }
    memcpy(name, schema, schema_len);
    name[schema_len] = '.';
    memcpy(name + schema_len + 1, from->target->name, name_len + 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t r = weir_part_send_row(from, i);
        const struct weir_record *origin = from->origins[r];
        struct weir_memory_stored *row = &to->rows[to->row_count++];

        *row = (struct weir_memory_stored){
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

static bool copy_letters(struct weir_memory_transaction *to,
                         const struct weir_memory_commit *commit)
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
static struct weir_memory_transaction *make_transaction(const struct weir_memory_commit *commit,
                                                        uint32_t partitions)
{
    struct weir_memory_transaction *ret = transaction_new();
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
                          const struct weir_memory_transaction *transaction)
{
    const struct weir_ledger_row *want = &transaction->after.rows[0];
    const struct weir_ledger_step *step = &transaction->step;
    struct weir_ledger now;

    weir_memory_read_ledger(database, transaction->after.uuid, &now);
    if (want->partition >= now.count) {
        return false;
    }
    const struct weir_ledger_row *row = &now.rows[want->partition];
    bool is_owner = row->generation == want->generation && same_uuid(row->owner, want->owner);
    if (!is_owner && !WEIR_VARIANT(advance_any_owner)) {
        return false;
    }
    if (row->batch == step->batch && step->repeat_allowed) {
        return row->t == step->t && weir_digest_equal(row->plan, step->plan);
    }
    return row->batch + 1 == step->batch && row->t == step->previous_t &&
           weir_digest_equal(row->plan, step->previous_plan);
}

/* Whether a transaction that has advanced, and has not ended, holds the ledger's row; UINT32_MAX: any
 * row of the pipeline. */
static bool row_is_held(const struct weir_memory_database *database, const uint8_t *uuid,
                        uint32_t partition)
{
    for (size_t i = 0; i < database->late.count; i++) {
        const struct weir_memory_transaction *late = database->late.items[i];
        if (late->has_advanced && same_uuid(late->after.uuid, uuid) &&
            (partition == UINT32_MAX || late->after.rows[0].partition == partition)) {
            return true;
        }
    }
    return false;
}

bool weir_memory_is_held(const struct weir_memory_database *database, const uint8_t *uuid)
{
    return row_is_held(database, uuid, UINT32_MAX);
}

/* Faults that leave nothing behind in the server; NONE: it is another one. */
static enum weir_sink_outcome fail_plainly(enum weir_memory_fault fault, struct weir_error *err)
{
    switch (fault) {
    case WEIR_MEMORY_ROLLED_BACK:
        (void)weir_error_set(err, WEIR_EREFUSED, "deadlock detected (SQLSTATE 40P01)");
        return WEIR_SINK_ROLLED_BACK;
    case WEIR_MEMORY_BROKEN:
        (void)weir_error_set(err, WEIR_ESCHEMA, "the table does not exist (SQLSTATE 42P01)");
        return WEIR_SINK_BROKEN;
    case WEIR_MEMORY_LOST_BEFORE:
        (void)weir_error_set(err, WEIR_EAWAY, "connection lost");
        return WEIR_SINK_LOST;
    case WEIR_MEMORY_LOST_AFTER:
    case WEIR_MEMORY_LATE:
    case WEIR_MEMORY_LATE_LOCKED:
        break;
    }
    return WEIR_SINK_NONE;
}

/* Rows without their step of the ledger: what must never be. */
static void keep_rows_alone(struct weir_memory_database *database,
                            struct weir_memory_transaction *transaction)
{
    transaction->after.count = 0;
    if (!get_in(database, transaction)) {
        transaction_free(transaction);
    }
}

/* The transaction in the server's hands: in, late, or freed. */
static bool carry_out(struct weir_memory_database *database,
                      struct weir_memory_transaction *transaction, bool is_late, bool is_locked)
{
    bool allowed = ledger_allows(database, transaction);

    transaction->has_advanced = is_late && is_locked && allowed;
    if (is_late && (allowed || !is_locked) && weir_memory_list_add(&database->late, transaction)) {
        return true;
    }
    if (!is_late && allowed && get_in(database, transaction)) {
        return true;
    }
    if (!is_late && !allowed && WEIR_VARIANT(advance_without_raise)) {
        keep_rows_alone(database, transaction);
        return true;
    }
    transaction_free(transaction);
    return false;
}

enum weir_sink_outcome weir_memory_commit(struct weir_memory_database *database,
                                          const struct weir_memory_commit *commit,
                                          struct weir_error *err)
{
    enum weir_memory_fault fault = WEIR_MEMORY_LOST_AFTER;
    struct weir_ledger now;

    if (database->waits_for_standby || row_is_held(database, commit->uuid, commit->partition)) {
        return WEIR_SINK_NONE; /* COMMIT waits for a standby, or advance for the row */
    }
    weir_memory_read_ledger(database, commit->uuid, &now);
    struct weir_memory_transaction *transaction = make_transaction(commit, now.count);
    if (transaction == NULL) {
        (void)weir_error_set(err, WEIR_ENOMEM, "no memory for a transaction");
        return WEIR_SINK_BROKEN;
    }
    bool faulty = weir_memory_take_fault(database, commit, &fault);
    enum weir_sink_outcome outcome = faulty ? fail_plainly(fault, err) : WEIR_SINK_NONE;
    if (database->play.tried != NULL) {
        database->play.tried(database->play.context, transaction, outcome == WEIR_SINK_ROLLED_BACK);
    }
    if (outcome != WEIR_SINK_NONE) {
        if (outcome == WEIR_SINK_LOST && WEIR_VARIANT(rows_without_ledger)) {
            keep_rows_alone(database, transaction);
        } else {
            transaction_free(transaction);
        }
        return outcome;
    }
    bool is_locked = faulty && fault == WEIR_MEMORY_LATE_LOCKED;
    bool is_late = faulty && (fault == WEIR_MEMORY_LATE || is_locked);
    bool in = carry_out(database, transaction, is_late, is_locked);
    if (faulty) {
        (void)weir_error_set(err, WEIR_EAWAY, "connection lost");
        return WEIR_SINK_LOST;
    }
    if (!in) {
        (void)weir_error_set(err, WEIR_EREFUSED,
                             "the ledger's row of partition %u is not at batch %llu of this owner",
                             commit->partition, (unsigned long long)commit->step->batch - 1);
        return WEIR_SINK_REFUSED;
    }
    return WEIR_SINK_COMMITTED;
}

/* ---- transactions of dead clients, and going back ---- */

uint32_t weir_memory_late_count(const struct weir_memory_database *database)
{
    return (uint32_t)database->late.count;
}

static struct weir_memory_transaction *take_late(struct weir_memory_database *database,
                                                 size_t index)
{
    struct weir_memory_transaction *ret = database->late.items[index];

    database->late.count--;
    memmove(database->late.items + index, database->late.items + index + 1,
            (database->late.count - index) * sizeof(struct weir_memory_transaction *));
    return ret;
}

bool weir_memory_end_late(struct weir_memory_database *database, uint32_t index, bool commits)
{
    struct weir_memory_transaction *late = database->late.items[index];
    bool is_claim = late->pipeline != NULL;
    bool waits = !late->has_advanced && commits &&
                 row_is_held(database, late->after.uuid,
                             is_claim ? UINT32_MAX : late->after.rows[0].partition);

    if (waits) {
        return false;
    }
    late = take_late(database, index);
    if (commits && is_claim && claim_allowed(database, late)) {
        refresh_claim(database, late);
        commits = get_in(database, late);
    } else if (commits && !is_claim && (late->has_advanced || ledger_allows(database, late))) {
        commits = get_in(database, late);
    } else if (commits && !is_claim && WEIR_VARIANT(advance_without_raise)) {
        keep_rows_alone(database, late);
    } else {
        commits = false;
    }
    if (!commits) {
        transaction_free(late);
    }
    return true;
}

uint32_t weir_memory_deliver_late(struct weir_memory_database *database)
{
    size_t before = database->committed.count;

    for (uint32_t i = 0; i < database->late.count;) {
        i = weir_memory_end_late(database, i, true) ? 0 : i + 1;
    }
    return (uint32_t)(database->committed.count - before);
}

void weir_memory_terminate_others(struct weir_memory_database *database, const uint8_t *uuid,
                                  const uint8_t *owner)
{
    size_t kept = 0;

    for (size_t i = 0; i < database->late.count; i++) {
        struct weir_memory_transaction *transaction = database->late.items[i];
        bool ours = same_uuid(transaction->after.uuid, uuid) &&
                    same_uuid(transaction->after.rows[0].owner, owner);
        ours = ours || transaction->pipeline != NULL; /* who waits for a lock is not looked for */

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

    weir_memory_end_old(database);
    weir_memory_list_cut(&database->committed, count > have ? 0 : have - count);
    database->lives++;
    weir_memory_list_cut(&database->late, 0); /* no session outlives its server */
}

uint32_t weir_memory_transaction_count(const struct weir_memory_database *database)
{
    return (uint32_t)database->committed.count;
}
