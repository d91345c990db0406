/* part.c: keeps the rows of a part, collapses those of tables with a key.
 *
 * Uses     row_encode.h for bytes, row_key.h for keys.
 * N1 and N2 of part.h. Checked by tests/unit/sink/test_part.c. */
#include "sink/part.h"

#include <endian.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sink/row_encode.h"
#include "sink/row_key.h"

enum { ROWS_MIN = 4096, RUNS_MIN = 16, LETTERS_MIN = 16 };

static int no_memory(struct weir_error *err)
{
    return weir_error_set(err, WEIR_ENOMEM, "no memory for the rows of a batch");
}

/* Makes room for count elements; false without memory, the old ones then stay. */
static bool grow(void *array, size_t element_bytes, size_t count)
{
    void *old;

    memcpy(&old, array, sizeof(old)); /* array is the address of a pointer of any type */
    void *bigger = reallocarray(old, count, element_bytes);
    if (bigger == NULL) {
        return false;
    }
    memcpy(array, &bigger, sizeof(bigger));
    return true;
}

int weir_part_init(struct weir_part *part, const struct weir_sink_table *tables, uint32_t count,
                   struct weir_error *err)
{
    *part = (struct weir_part){ .table_count = count };
    part->tables = calloc(count == 0 ? 1 : count, sizeof(*part->tables));
    if (part->tables == NULL) {
        return no_memory(err);
    }
    for (uint32_t i = 0; i < count; i++) {
        part->tables[i].target = &tables[i];
    }
    return WEIR_OK;
}

void weir_part_fini(struct weir_part *part)
{
    for (uint32_t i = 0; part->tables != NULL && i < part->table_count; i++) {
        struct weir_part_table *table = &part->tables[i];

        weir_buf_fini(&table->bytes);
        weir_buf_fini(&table->keys);
        free(table->ends);
        free(table->origins);
        free(table->runs);
        free(table->key_ends);
        free(table->order);
    }
    free(part->tables);
    free(part->letters);
    weir_buf_fini(&part->letter_texts);
    *part = (struct weir_part){ 0 };
}

static void forget_rows(struct weir_part *part)
{
    for (uint32_t i = 0; i < part->table_count; i++) {
        struct weir_part_table *table = &part->tables[i];

        weir_buf_reset(&table->bytes);
        weir_buf_reset(&table->keys);
        table->rows = table->run_count = table->order_count = 0;
    }
    part->letter_count = 0;
    weir_buf_reset(&part->letter_texts);
}

void weir_part_reset(struct weir_part *part)
{
    forget_rows(part);
    part->tally = (struct weir_sink_tally){ 0 };
    part->refused = 0;
    part->sealed = false;
}

void weir_part_discard_rows(struct weir_part *part)
{
    forget_rows(part);
    part->tally = (struct weir_sink_tally){ 0 };
    part->refused = 0;
}

static int make_room(struct weir_part_table *table, uint32_t rows, struct weir_error *err)
{
    size_t need = (size_t)table->rows + rows;
    size_t room = table->rows_max < ROWS_MIN ? ROWS_MIN : table->rows_max;
    size_t runs = table->run_max < RUNS_MIN ? RUNS_MIN : (size_t)table->run_max * 2;

    if (need > UINT32_MAX / 2) {
        return weir_error_set(err, WEIR_ENOMEM, "a batch has more than 2 147 483 647 rows");
    }
    while (room < need) {
        room *= 2;
    }
    if (room > table->rows_max) {
        if (!grow(&table->ends, sizeof(*table->ends), room) ||
            !grow(&table->origins, sizeof(*table->origins), room) ||
            (table->target->key_count != 0 &&
             (!grow(&table->key_ends, sizeof(*table->key_ends), room) ||
              !grow(&table->order, sizeof(*table->order), room)))) {
            return no_memory(err);
        }
        table->rows_max = (uint32_t)room;
    }
    if (table->run_count == table->run_max) {
        if (!grow(&table->runs, sizeof(*table->runs), runs)) {
            return no_memory(err);
        }
        table->run_max = (uint32_t)runs;
    }
    return WEIR_OK;
}

static int append_keys(struct weir_part_table *table, const struct weir_chunk *chunk,
                       struct weir_error *err)
{
    const struct weir_sink_table *target = table->target;

    for (uint32_t r = 0; r < chunk->rows; r++) {
        for (uint32_t k = 0; k < target->key_count; k++) {
            weir_row_key_append(&table->keys, &chunk->vecs[target->key[k]], r);
        }
        table->key_ends[table->rows + r] = table->keys.len;
    }
    return table->keys.failed ? no_memory(err) : WEIR_OK;
}

/* The digest of a row says which table it is for, so equal rows of two tables differ. */
static void add_to_tally(struct weir_part *part, uint32_t number, uint32_t first)
{
    const struct weir_part_table *table = &part->tables[number];

    for (uint32_t r = first; r < table->rows; r++) {
        struct weir_str row = weir_part_row(table, r);
        struct weir_digest digest = weir_hash128(row.data, row.len);

        digest.lo ^= (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
        weir_digest_add(&part->tally.digest, digest);
    }
    part->tally.rows += table->rows - first;
}

int weir_part_write(struct weir_part *part, uint32_t number, uint32_t source,
                    enum weir_on_error on_error, const struct weir_chunk *chunk,
                    struct weir_arena *scratch, struct weir_error *err)
{
    weir_assert(number < part->table_count && !part->sealed);
    struct weir_part_table *table = &part->tables[number];
    size_t bytes_before = table->bytes.len;
    uint32_t first = table->rows;
    int rc;

    weir_assert(chunk->columns == table->target->column_count);
    if (chunk->rows == 0) {
        return WEIR_OK;
    }
    rc = make_room(table, chunk->rows, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    if (table->target->key_count != 0) {
        rc = append_keys(table, chunk, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    rc = weir_row_encode(chunk, scratch, &table->bytes, table->ends + first, err);
    if (rc != WEIR_OK) {
        return rc;
    }
    memcpy(table->origins + first, chunk->origins, chunk->rows * sizeof(chunk->origins[0]));
    table->runs[table->run_count++] =
        (struct weir_part_run){ .first = first, .source = source, .on_error = on_error };
    table->rows += chunk->rows;
    part->tally.bytes += table->bytes.len - bytes_before;
    add_to_tally(part, number, first);
    return WEIR_OK;
}

int weir_part_add_letter(struct weir_part *part, uint32_t source,
                         const struct weir_dead_letter *letter, bool counted,
                         struct weir_error *err)
{
    size_t at = part->letter_texts.len;

    if (part->letter_count == part->letter_max) {
        uint32_t max = part->letter_max < LETTERS_MIN ? LETTERS_MIN : part->letter_max * 2;
        if (!grow(&part->letters, sizeof(*part->letters), max)) {
            return no_memory(err);
        }
        part->letter_max = max;
    }
    weir_buf_append(&part->letter_texts, letter->text, strlen(letter->text) + 1);
    if (part->letter_texts.failed || part->letter_texts.len > UINT32_MAX) {
        return no_memory(err);
    }
    struct weir_part_letter *kept = &part->letters[part->letter_count++];
    *kept = (struct weir_part_letter){ .record = letter->record,
                                       .source = source,
                                       .text_at = (uint32_t)at };
    memcpy(kept->sqlstate, letter->sqlstate, sizeof(kept->sqlstate));
    part->tally.dead += counted ? 1 : 0;
    return WEIR_OK;
}

struct weir_str weir_part_row(const struct weir_part_table *table, uint32_t row)
{
    size_t begin = row == 0 ? 0 : table->ends[row - 1];

    return (struct weir_str){ (const char *)table->bytes.data + begin, table->ends[row] - begin };
}

struct weir_str weir_part_key(const struct weir_part_table *table, uint32_t row)
{
    size_t begin = row == 0 ? 0 : table->key_ends[row - 1];

    return (struct weir_str){ (const char *)table->keys.data + begin,
                              table->key_ends[row] - begin };
}

const struct weir_part_run *weir_part_run_of(const struct weir_part_table *table, uint32_t row)
{
    uint32_t low = 0, high = table->run_count; /* the run is in [low, high) */

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (table->runs[middle].first <= row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return &table->runs[low];
}

uint32_t weir_part_send_count(const struct weir_part_table *table)
{
    return table->target->key_count == 0 ? table->rows : table->order_count;
}

uint32_t weir_part_send_row(const struct weir_part_table *table, uint32_t i)
{
    return table->target->key_count == 0 ? i : table->order[i].row;
}

/* By key, then by (source, partition, offset), then in the order of writing: the last of equal keys
 * is the one to send. */
static int compare_rows(const void *left, const void *right, void *context)
{
    const struct weir_part_table *table = context;
    const struct weir_part_place *l = left;
    const struct weir_part_place *r = right;
    uint32_t a = l->row, b = r->row;

    if (l->prefix != r->prefix) {
        return l->prefix < r->prefix ? -1 : 1;
    }
    const struct weir_record *x = table->origins[a];
    const struct weir_record *y = table->origins[b];
    int order = weir_str_compare(weir_part_key(table, a), weir_part_key(table, b));
    if (order != 0) {
        return order;
    }
    uint32_t p = weir_part_run_of(table, a)->source;
    uint32_t q = weir_part_run_of(table, b)->source;
    if (p != q) {
        return p < q ? -1 : 1;
    }
    if (x->partition != y->partition) {
        return x->partition < y->partition ? -1 : 1;
    }
    if (x->offset != y->offset) {
        return x->offset < y->offset ? -1 : 1;
    }
    return a < b ? -1 : 1;
}

/* The eight bytes behind the mark of the first column, which is the same for all keys that are not
 * null: as numbers they compare like the keys, except that equal ones say nothing. */
static uint64_t prefix_of(struct weir_str key)
{
    uint64_t ret = 0;
    size_t bytes = key.len - 1 < sizeof(ret) ? key.len - 1 : sizeof(ret);

    if (key.data[0] != 0) {
        return UINT64_MAX; /* null: behind all others */
    }
    memcpy(&ret, key.data + 1, bytes);
    return be64toh(ret);
}

static bool same_key(const struct weir_part_table *table, uint32_t i, uint32_t j)
{
    const struct weir_part_place *a = &table->order[i];
    const struct weir_part_place *b = &table->order[j];

    return a->prefix == b->prefix &&
           weir_str_equal(weir_part_key(table, a->row), weir_part_key(table, b->row));
}

static void collapse(struct weir_part_table *table)
{
    uint32_t kept = 0;

    for (uint32_t r = 0; r < table->rows; r++) {
        table->order[r] =
            (struct weir_part_place){ .prefix = prefix_of(weir_part_key(table, r)), .row = r };
    }
    if (table->rows != 0) {
        qsort_r(table->order, table->rows, sizeof(*table->order), compare_rows, table);
    }
    for (uint32_t i = 0; i < table->rows; i++) {
        if (i + 1 == table->rows || !same_key(table, i, i + 1)) {
            table->order[kept++] = table->order[i];
        }
    }
    table->order_count = kept; /* N2 */
}

void weir_part_seal(struct weir_part *part)
{
    weir_assert(!part->sealed);
    for (uint32_t i = 0; i < part->table_count; i++) {
        if (part->tables[i].target->key_count != 0) {
            collapse(&part->tables[i]);
        }
    }
    part->sealed = true;
}

/* Closes the gaps that rows taken out leave in one run of bytes. */
static void compact_bytes(struct weir_buf *buf, size_t *ends, uint32_t rows, const uint32_t *gone,
                          uint32_t gone_count)
{
    size_t begin = 0, to = 0;
    uint32_t kept = 0, next_gone = 0;

    for (uint32_t r = 0; r < rows; r++) {
        size_t end = ends[r];

        if (next_gone < gone_count && gone[next_gone] == r) {
            next_gone++;
        } else {
            memmove(buf->data + to, buf->data + begin, end - begin);
            to += end - begin;
            ends[kept++] = to;
        }
        begin = end;
    }
    buf->len = to;
}

void weir_part_take_out(struct weir_part *part, uint32_t number, const uint32_t *gone,
                        uint32_t gone_count)
{
    struct weir_part_table *table = &part->tables[number];
    uint32_t kept = 0, next_gone = 0, run = 0;

    compact_bytes(&table->bytes, table->ends, table->rows, gone, gone_count);
    if (table->target->key_count != 0) {
        compact_bytes(&table->keys, table->key_ends, table->rows, gone, gone_count);
    }
    for (uint32_t r = 0; r < table->rows; r++) {
        while (run < table->run_count && table->runs[run].first == r) {
            table->runs[run++].first = kept; /* a run that lost all its rows stays, empty */
        }
        if (next_gone < gone_count && gone[next_gone] == r) {
            next_gone++;
        } else {
            table->origins[kept++] = table->origins[r];
        }
    }
    weir_assert(next_gone == gone_count);
    table->rows = kept;
    part->refused += gone_count;
    if (part->sealed && table->target->key_count != 0) {
        collapse(table);
    }
}

static int fail_with(const struct weir_part_table *table, const struct weir_sink_args *args,
                     const struct weir_part_culprit *culprit, uint32_t source,
                     struct weir_error *err)
{
    const struct weir_record *record = table->origins[culprit->row];
    struct weir_str place =
        args->describe_partition(args->describe_context, source, record->partition);

    return weir_error_set_reason(err, WEIR_EDATA, "row_refused",
                                 "%.*s, offset %lld: table \"%s\" refuses the row: %s "
                                 "(SQLSTATE %s); with on_error = 'dead_letter' on the source "
                                 "such rows go to weir.dead_letter",
                                 WEIR_STR_ARG(place), (long long)record->offset,
                                 table->target->name, culprit->text, culprit->sqlstate);
}

int weir_part_refuse(struct weir_part *part, const struct weir_sink_args *args, uint32_t number,
                     const struct weir_part_culprit *culprits, uint32_t count,
                     uint64_t *ret_skipped, struct weir_error *err)
{
    struct weir_part_table *table = &part->tables[number];
    uint32_t *rows = calloc(count == 0 ? 1 : count, sizeof(*rows));
    int rc = WEIR_OK;

    if (rows == NULL) {
        return no_memory(err);
    }
    for (uint32_t i = 0; i < count && rc == WEIR_OK; i++) {
        const struct weir_part_run *run = weir_part_run_of(table, culprits[i].row);

        rows[i] = culprits[i].row;
        if (run->on_error == WEIR_ON_ERROR_FAIL) {
            rc = fail_with(table, args, &culprits[i], run->source, err);
        }
    }
    for (uint32_t i = 0; i < count && rc == WEIR_OK; i++) {
        const struct weir_part_run *run = weir_part_run_of(table, culprits[i].row);
        struct weir_dead_letter letter = { .record = table->origins[culprits[i].row],
                                           .text = culprits[i].text };

        if (run->on_error == WEIR_ON_ERROR_SKIP) {
            (*ret_skipped)++;
            continue;
        }
        memcpy(letter.sqlstate, culprits[i].sqlstate, sizeof(letter.sqlstate));
        rc = weir_part_add_letter(part, run->source, &letter, false, err);
    }
    if (rc == WEIR_OK) {
        weir_part_take_out(part, number, rows, count);
    }
    free(rows);
    return rc;
}
