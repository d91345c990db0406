/* memory_view.c: what is in a memory database, as a reader sees it: for tests and embedding
 * programs. See memory_sink.h. */
#include <stdlib.h>

#include "sink/memory_database.h"
#include "sink/row_encode.h"

/* By key; of equal keys the younger first. */
static int compare_stored(const void *left, const void *right)
{
    const struct weir_memory_stored *a = *(const struct weir_memory_stored *const *)left;
    const struct weir_memory_stored *b = *(const struct weir_memory_stored *const *)right;
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
    const struct weir_memory_stored **found =
        calloc(count + 1, sizeof(struct weir_memory_stored *));
    struct weir_memory_row *rows = calloc(count + 1, sizeof(*rows));
    if (found == NULL || rows == NULL) {
        free(found);
        free(rows);
        return WEIR_ENOMEM;
    }
    count = 0;
    for (size_t i = 0; i < database->committed.count; i++) {
        const struct weir_memory_transaction *transaction = database->committed.items[i];
        for (size_t r = 0; r < transaction->row_count; r++) {
            if (strcmp(transaction->rows[r].table, table) == 0) {
                found[count++] = &transaction->rows[r];
            }
        }
    }
    bool keyed = count != 0 && found[0]->keyed;
    if (keyed) {
        qsort(found, count, sizeof(struct weir_memory_stored *), compare_stored);
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
        const struct weir_memory_transaction *transaction = database->committed.items[i];
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
