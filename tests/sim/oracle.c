/* oracle.c: checks of everything that reaches a database, against the source's own list.
 *
 * The oracle knows, for each row of each ledger, where its ranges ended. A transaction that gets in
 * must hold exactly the rows of the records from there to its own ends; so at every moment the rows
 * in the sink are those below the ledger's ends (O-01 to O-04, O-09 to O-11), whoever wrote them.
 * What the sink says is only compared, never believed.
 *
 * O-06  tries of one key are alike.     O-07  batch times rise.
 * O-12  whoever commits owns the ledger; generations rise; a claim takes it from whom it saw. */
#include <stdlib.h>

#include "base/assert.h"
#include "tests/sim/sim.h"
#include "txn/ranges.h"

static void *grown(void *items, size_t *max, size_t count, size_t size)
{
    if (count < *max) {
        return items;
    }
    *max = *max == 0 ? 64 : *max * 2;
    items = realloc(items, *max * size);
    weir_assert(items != NULL);
    return items;
}

const struct sim_step *sim_oracle_now(const struct sim_sink *sink)
{
    static const struct sim_step nothing;

    return sink->step_count == 0 ? &nothing : &sink->steps[sink->step_count - 1];
}

static struct sim_step *push_step(struct sim_sink *sink)
{
    struct sim_step last = *sim_oracle_now(sink);

    sink->steps = grown(sink->steps, &sink->step_max, sink->step_count, sizeof(*sink->steps));
    sink->steps[sink->step_count] = last;
    return &sink->steps[sink->step_count++];
}

/* How many batches the rows of a ledger are apart. */
static uint64_t distance(const struct sim_step *now)
{
    uint64_t lowest = UINT64_MAX;
    uint64_t highest = 0;

    for (uint32_t p = 0; p < now->count; p++) {
        lowest = now->rows[p].batch < lowest ? now->rows[p].batch : lowest;
        highest = now->rows[p].batch > highest ? now->rows[p].batch : highest;
    }
    return now->count == 0 ? 0 : highest - lowest;
}

/* Rule 5: one batch, and never more than before. */
static void limit_distance(struct sim_sink *sink)
{
    uint64_t now = distance(sim_oracle_now(sink));

    sink->apart_max = now > 1 ? now : 1;
}

/* A restore may fall between two parts of a batch. Whoever took the ledger before it does not know: what
 * is under way goes in where it fits, with what the restore took from other parts believed to be in, and
 * so does the batch after it, whose other steps tell: two batches further. No compare-and-set of one row
 * can notice earlier; nothing is lost by it, as the log has them all. Whoever takes the ledger
 * afterwards sees all rows, and has no such excuse. */
void sim_oracle_went_back(struct sim_sink *sink, uint32_t transactions)
{
    weir_assert(transactions <= sink->step_count);
    sink->step_count -= transactions;
    limit_distance(sink);
    sink->apart_max += 2;
}

static bool had_another_of_that_number(const struct sim_sink *sink, const struct sim_row *row)
{
    for (size_t i = 0; i < sink->step_count; i++) {
        for (uint32_t p = 0; p < sink->steps[i].count; p++) {
            const struct sim_row *had = &sink->steps[i].rows[p];
            if (had->batch == row->batch && !weir_digest_equal(had->plan, row->plan)) {
                return true;
            }
        }
    }
    return false;
}

bool sim_oracle_diverged(const struct sim_world *world)
{
    for (uint32_t s = 0; s < world->config.sinks; s++) {
        const struct sim_step *now = sim_oracle_now(&world->sinks[s]);
        for (uint32_t p = 0; p < now->count; p++) {
            for (uint32_t other = 0; other < world->config.sinks; other++) {
                if (had_another_of_that_number(&world->sinks[other], &now->rows[p])) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* --- Claims --------------------------------------------------------------------------------- */

static bool read_ends(struct weir_str bytes, int64_t *ret)
{
    struct weir_reader reader = { .data = (const uint8_t *)bytes.data, .len = bytes.len };
    struct weir_ranges ranges = { 0 };
    struct weir_arena arena;
    bool ok = true;

    memset(ret, 0, SIM_SOURCE_PARTITIONS_MAX * sizeof(*ret));
    if (bytes.len == 0) {
        return true;
    }
    weir_arena_init(&arena, 0);
    ok = weir_ranges_decode_ends(&reader, &arena, &ranges, NULL) == WEIR_OK;
    for (uint32_t i = 0; ok && i < ranges.count; i++) {
        ret[ranges.items[i].number] = ranges.items[i].end.next;
    }
    weir_arena_fini(&arena);
    return ok;
}

static void note_owner(struct sim_sink *sink, const struct weir_ledger *ledger)
{
    struct sim_instance *by = sink->world->current;

    if (by == NULL) {
        return; /* a dead starter's claim */
    }
    if (ledger->generation <= by->generation[sink->number]) {
        sim_violation(sink->world, "O-12: an instance takes generation %llu after %llu",
                      (unsigned long long)ledger->generation,
                      (unsigned long long)by->generation[sink->number]);
    }
    by->generation[sink->number] = ledger->generation;
    memcpy(by->owner[sink->number], ledger->rows[0].owner, WEIR_UUID_BYTES);
}

static void check_claim(struct sim_sink *sink, const struct weir_memory_transaction *claim)
{
    struct sim_world *world = sink->world;
    const struct weir_ledger *ledger = &claim->after;
    struct sim_step *now = push_step(sink);
    bool is_first = now->count == 0;
    bool is_same_count = now->count == ledger->count;

    if (!is_first && memcmp(now->uuid, ledger->uuid, WEIR_UUID_BYTES) != 0) {
        sim_violation(world, "O-11: the ledger is made anew though there is one");
        return;
    }
    if (!is_first && claim->seen_generation != now->rows[0].generation) {
        sim_violation(world, "O-12: a claim takes over generation %llu, having seen %llu",
                      (unsigned long long)now->rows[0].generation,
                      (unsigned long long)claim->seen_generation);
    }
    if (!is_first && ledger->generation <= now->rows[0].generation) {
        sim_violation(world, "O-12: generation %llu follows %llu",
                      (unsigned long long)ledger->generation,
                      (unsigned long long)now->rows[0].generation);
    }
    for (uint32_t p = 0; p < ledger->count; p++) {
        const struct weir_ledger_row *row = &ledger->rows[p];
        struct sim_row *known = &now->rows[p];
        if (!is_first && !is_same_count) { /* another P: all stand where the first one stood */
            for (uint32_t q = 0; q < now->count; q++) {
                if (now->rows[q].batch != now->rows[0].batch) {
                    sim_violation(world, "rule 16: P changes while partitions are a batch apart");
                }
            }
            *known = now->rows[0];
        }
        if (row->batch != known->batch || row->t != known->t ||
            !weir_digest_equal(row->plan, known->plan)) {
            sim_violation(world, "O-11: a claim moves partition %u to batch %llu", p,
                          (unsigned long long)row->batch);
        }
        known->generation = row->generation;
        memcpy(known->owner, row->owner, WEIR_UUID_BYTES);
    }
    memcpy(now->uuid, ledger->uuid, WEIR_UUID_BYTES);
    now->count = ledger->count;
    limit_distance(sink);
    note_owner(sink, ledger);
    sim_note(world, "claimed", sink->number, ledger->generation, ledger->rows[0].batch);
}

/* --- Commits -------------------------------------------------------------------------------- */

static bool is_id_of(const struct sim_record *record, int64_t id)
{
    return id == record->id || (record->was_id >= 0 && id == record->was_id);
}

/* The record at an offset, or NULL. */
static const struct sim_record *find_record(const struct sim_partition *partition, int64_t offset)
{
    for (size_t i = 0; i < partition->count; i++) {
        if (partition->records[i].offset == offset) {
            return &partition->records[i];
        }
    }
    return NULL;
}

static bool is_in_range(const struct sim_row *range, uint32_t q, int64_t offset)
{
    return offset >= range->from[q] && offset < range->ends[q];
}

/* The one row that a key has in a batch: that of the last record, by partition and offset. */
static const struct sim_record *last_of_key(const struct sim_world *world,
                                            const struct sim_row *range, int64_t k)
{
    const struct sim_record *found = NULL;

    for (uint32_t q = 0; q < world->partition_count; q++) {
        const struct sim_partition *partition = &world->partitions[q];
        for (size_t i = 0; i < partition->count; i++) {
            const struct sim_record *record = &partition->records[i];
            if (is_in_range(range, q, record->offset) && !record->is_bad &&
                record->id % SIM_KEYS == k) {
                found = record;
            }
        }
    }
    return found;
}

/* Rows of a table with a key: one for each key, the last one. */
static void check_keyed(struct sim_sink *sink, const struct weir_memory_transaction *transaction,
                        const struct sim_row *range)
{
    size_t expected = 0;

    for (int64_t k = 0; k < SIM_KEYS; k++) {
        const struct sim_record *record = last_of_key(sink->world, range, k);
        bool found = record == NULL;
        expected += record != NULL;
        for (size_t i = 0; i < transaction->row_count && !found; i++) {
            found = is_id_of(record, weir_memory_row_integer(&transaction->rows[i].row, 1));
        }
        if (!found) {
            sim_violation(sink->world, "O-01: batch %llu lacks the row of key %lld",
                          (unsigned long long)range->batch, (long long)k);
        }
    }
    if (transaction->row_count != expected) {
        sim_violation(sink->world, "O-02: batch %llu has %zu rows of %zu keys",
                      (unsigned long long)range->batch, transaction->row_count, expected);
    }
}

static uint64_t count_good(const struct sim_world *world, const struct sim_row *range, uint32_t p,
                           uint32_t count, bool bad)
{
    uint64_t ret = 0;

    for (uint32_t q = 0; q < world->partition_count; q++) {
        for (size_t i = 0; q % count == p && i < world->partitions[q].count; i++) {
            const struct sim_record *record = &world->partitions[q].records[i];
            ret += record->is_bad == bad && is_in_range(range, q, record->offset);
        }
    }
    return ret;
}

/* Appended rows: every good record of the range, once, those of a partition in order. */
static void check_appended(struct sim_sink *sink, const struct weir_memory_transaction *transaction,
                           const struct sim_row *range, uint32_t p, uint32_t count)
{
    struct sim_world *world = sink->world;
    int64_t last[SIM_SOURCE_PARTITIONS_MAX] = { -1, -1, -1, -1 };
    uint64_t expected = count_good(world, range, p, count, false);

    for (size_t i = 0; i < transaction->row_count; i++) {
        const struct weir_memory_row *row = &transaction->rows[i].row;
        uint32_t q = row->source_partition;
        const struct sim_record *record =
            q < world->partition_count ? find_record(&world->partitions[q], row->offset) : NULL;

        if (record == NULL || record->is_bad ||
            !is_id_of(record, weir_memory_row_integer(row, 1))) {
            sim_violation(world, "O-03: batch %llu has a row that no record made, of %u:%lld",
                          (unsigned long long)range->batch, q, (long long)row->offset);
            return;
        }
        if (!is_in_range(range, q, row->offset) || q % count != p) {
            sim_violation(world,
                          "O-02: batch %llu of partition %u holds %u:%lld, which is not in its "
                          "range of %lld to %lld",
                          (unsigned long long)range->batch, p, q, (long long)row->offset,
                          (long long)range->from[q], (long long)range->ends[q]);
            return;
        }
        if (row->offset <= last[q]) {
            sim_violation(world, "O-09: %u:%lld comes after %u:%lld", q, (long long)row->offset, q,
                          (long long)last[q]);
            return;
        }
        last[q] = row->offset;
    }
    if (transaction->row_count != expected) {
        sim_violation(world, "O-01: batch %llu of partition %u has %zu rows, not %llu",
                      (unsigned long long)range->batch, p, transaction->row_count,
                      (unsigned long long)expected);
    }
}

static void check_letters(struct sim_sink *sink, const struct weir_memory_transaction *transaction,
                          const struct sim_row *range, uint32_t p, uint32_t count)
{
    const struct sim_world *world = sink->world;
    bool are_kept = world->config.on_error == WEIR_ON_ERROR_DEAD_LETTER && sink->number == 0;
    uint64_t bad = count_good(world, range, p, count, true);

    if (world->plan.sources[0].on_error != world->config.on_error) {
        return; /* the operator has changed his mind in between */
    }
    if (world->config.on_error == WEIR_ON_ERROR_FAIL && bad != 0) {
        sim_violation(sink->world, "O-10: batch %llu passes over a bad record",
                      (unsigned long long)range->batch);
    }
    if (transaction->letter_count != (are_kept ? bad : 0)) {
        sim_violation(sink->world, "O-10: batch %llu has %zu dead letters for %llu bad records",
                      (unsigned long long)range->batch, transaction->letter_count,
                      (unsigned long long)bad);
    }
}

/* At most once: a part may go in without its rows, then all of them are missing. */
static bool is_dropped(const struct sim_sink *sink,
                       const struct weir_memory_transaction *transaction)
{
    return sink->world->config.mode == WEIR_AT_MOST_ONCE && transaction->row_count == 0 &&
           transaction->letter_count == 0;
}

static void check_step(struct sim_sink *sink, const struct weir_memory_transaction *transaction,
                       const struct sim_row *was, bool is_repeat)
{
    struct sim_world *world = sink->world;
    const struct weir_ledger_row *row = &transaction->after.rows[0];
    bool follows = row->batch == was->batch + 1 && transaction->step.previous_t == was->t &&
                   weir_digest_equal(transaction->step.previous_plan, was->plan);

    if (row->generation != was->generation ||
        memcmp(row->owner, was->owner, WEIR_UUID_BYTES) != 0) {
        sim_violation(world, "O-12: batch %llu is committed by generation %llu under %llu",
                      (unsigned long long)row->batch, (unsigned long long)row->generation,
                      (unsigned long long)was->generation);
    }
    if (!follows && !is_repeat) {
        sim_violation(world, "O-11: batch %llu goes in behind batch %llu, which is not its own",
                      (unsigned long long)row->batch, (unsigned long long)was->batch);
    }
    if (row->t <= was->t && !is_repeat) {
        sim_violation(world, "O-07: batch time %lld follows %lld", (long long)row->t,
                      (long long)was->t);
    }
}

static void check_commit(struct sim_sink *sink, const struct weir_memory_transaction *transaction)
{
    struct sim_world *world = sink->world;
    const struct weir_ledger_row *row = &transaction->after.rows[0];
    uint32_t p = row->partition;
    struct sim_step *now = push_step(sink);
    struct sim_row *known = &now->rows[p];
    struct sim_row next = {
        .batch = row->batch, .t = row->t, .plan = row->plan, .generation = known->generation
    };
    bool is_repeat = world->config.mode == WEIR_AT_LEAST_ONCE && row->batch == known->batch &&
                     row->t == known->t && weir_digest_equal(row->plan, known->plan);

    if (p >= now->count) {
        sim_violation(world, "O-11: a commit of partition %u, which the ledger does not know", p);
        return;
    }
    memcpy(next.owner, known->owner, sizeof(next.owner));
    memcpy(next.from, is_repeat ? known->from : known->ends, sizeof(next.from));
    if (!read_ends(row->ends, next.ends)) {
        sim_violation(world, "O-11: the ledger's ranges cannot be read");
    }
    check_step(sink, transaction, known, is_repeat);
    uint64_t rows = count_good(world, &next, p, now->count, false);
    if (is_dropped(sink, transaction)) {
        now->missing += rows;
    } else {
        now->doubled += is_repeat ? rows : 0;
        if (world->config.keyed) {
            check_keyed(sink, transaction, &next);
        } else {
            check_appended(sink, transaction, &next, p, now->count);
        }
        check_letters(sink, transaction, &next, p, now->count);
    }
    *known = next;
    if (distance(now) > sink->apart_max) {
        sim_violation(world, "rule 5: output partitions are %llu batches apart",
                      (unsigned long long)distance(now));
    }
    sim_note(world, "committed", sink->number << 8 | p, row->batch, transaction->row_count);
}

void sim_oracle_got_in(struct sim_sink *sink, const struct weir_memory_transaction *transaction)
{
    if (transaction->pipeline != NULL) {
        check_claim(sink, transaction);
    } else if (transaction->after.count == 0) {
        (void)push_step(sink);
        sim_violation(sink->world, "O-11: rows without a step of the ledger");
    } else {
        check_commit(sink, transaction);
    }
}

/* --- Tries ---------------------------------------------------------------------------------- */

static struct sim_try *find_try(struct sim_sink *sink, const struct weir_ledger_row *row)
{
    for (size_t i = sink->try_count; i > 0; i--) {
        struct sim_try *try = &sink->tries[i - 1];
        if (try->batch == row->batch && try->t == row->t && try->p == row->partition &&
            weir_digest_equal(try->plan, row->plan)) {
            return try;
        }
    }
    return NULL;
}

static void check_again(struct sim_sink *sink, const struct sim_try *try,
                        const struct weir_ledger_row *row, bool has_rows)
{
    bool is_amo = sink->world->config.mode == WEIR_AT_MOST_ONCE;

    if (!is_amo && !sink->world->source_changed && !weir_digest_equal(try->output, row->output)) {
        sim_violation(sink->world, "O-06: batch %llu is tried again with other bytes",
                      (unsigned long long)row->batch);
    }
    if (is_amo && try->is_open && has_rows && !sim_logs_may_differ(sink->world)) {
        sim_violation(sink->world, "O-02: at_most_once sends batch %llu twice",
                      (unsigned long long)row->batch);
    }
}

/* Whoever owns the ledger has read it: what is in already is not sent for the first time. */
static void check_needless(struct sim_sink *sink, const struct weir_ledger_row *row,
                           const struct sim_try *try)
{
    const struct sim_world *world = sink->world;
    const struct sim_step *now = sim_oracle_now(sink);
    const struct sim_row *known = &now->rows[row->partition];
    const struct sim_instance *by = world->current;
    bool is_first = by != NULL && (try == NULL || try->boots[by - world->instances] != by->boot);

    if (is_first && world->config.mode == WEIR_EXACTLY_ONCE && row->partition < now->count &&
        memcmp(known->owner, row->owner, WEIR_UUID_BYTES) == 0 && known->batch == row->batch &&
        known->t == row->t && weir_digest_equal(known->plan, row->plan)) {
        sim_violation(sink->world, "rule 17: batch %llu is sent to partition %u, which holds it",
                      (unsigned long long)row->batch, row->partition);
    }
}

void sim_oracle_tried(struct sim_sink *sink, const struct weir_memory_transaction *transaction,
                      bool is_rolled_back)
{
    const struct weir_ledger_row *row = &transaction->after.rows[0];
    bool has_rows = transaction->row_count != 0 || transaction->letter_count != 0;
    struct sim_try *try = find_try(sink, row);

    sim_note(sink->world, "tried", sink->number << 8 | row->partition, row->batch,
             transaction->row_count);
    if (sink->world->config.on_error != sink->world->plan.sources[0].on_error) {
        return;
    }
    check_needless(sink, row, try);
    if (try != NULL) {
        check_again(sink, try, row, has_rows);
    } else {
        sink->tries = grown(sink->tries, &sink->try_max, sink->try_count, sizeof(*sink->tries));
        try = &sink->tries[sink->try_count++];
        *try = (struct sim_try){ .batch = row->batch,
                                 .t = row->t,
                                 .p = row->partition,
                                 .plan = row->plan,
                                 .output = row->output };
    }
    const struct sim_instance *by = sink->world->current;
    if (by != NULL) {
        try->boots[by - sink->world->instances] = by->boot;
    }
    try->is_open = try->is_open || (has_rows && !is_rolled_back);
}

/* --- The end -------------------------------------------------------------------------------- */

/* Every ledger row stands at the end of every partition of the source. */
bool sim_oracle_complete(const struct sim_world *world)
{
    for (uint32_t s = 0; s < world->config.sinks; s++) {
        const struct sim_step *now = sim_oracle_now(&world->sinks[s]);
        for (uint32_t p = 0; p < now->count; p++) {
            for (uint32_t q = 0; q < world->partition_count; q++) {
                const struct sim_partition *partition = &world->partitions[q];
                if (partition->count != 0 &&
                    now->rows[p].ends[q] <= partition->records[partition->count - 1].offset) {
                    return false;
                }
            }
        }
        if (now->count == 0) {
            return false;
        }
    }
    return true;
}

/* How often each number is in a table, counted from the table itself: the induction over
 * transactions must have come to the same. */
static void tally(struct sim_world *world, const struct sim_sink *sink)
{
    struct weir_memory_row *rows = NULL;
    uint32_t *seen = calloc((size_t)world->sent + 1, sizeof(*seen));
    uint64_t doubled = 0;
    uint64_t missing = 0;
    size_t count = 0;

    weir_assert(seen != NULL);
    weir_assert(weir_memory_table_rows(sink->database, "public.out", &rows, &count) == WEIR_OK);
    for (size_t i = 0; i < count; i++) {
        int64_t id = weir_memory_row_integer(&rows[i], 1);
        weir_assert(id >= 0 && id < world->sent);
        doubled += seen[id]++ != 0;
    }
    for (uint32_t q = 0; q < world->partition_count; q++) {
        for (size_t i = 0; i < world->partitions[q].count; i++) {
            const struct sim_record *record = &world->partitions[q].records[i];
            missing += !record->is_bad && seen[record->id] == 0 &&
                       (record->was_id < 0 || seen[record->was_id] == 0);
        }
    }
    const struct sim_step *now = sim_oracle_now(sink);
    if (missing != now->missing || doubled != now->doubled) {
        sim_violation(world, "O-01: %llu rows are missing and %llu doubled, not %llu and %llu",
                      (unsigned long long)missing, (unsigned long long)doubled,
                      (unsigned long long)now->missing, (unsigned long long)now->doubled);
    }
    free(rows);
    free(seen);
}

/* Upserts: the row of each key is that of some record of its key. */
void sim_oracle_final(struct sim_world *world)
{
    for (uint32_t s = 0; s < world->config.sinks && !world->config.keyed; s++) {
        tally(world, &world->sinks[s]);
    }
}
