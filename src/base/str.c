/* str.c: the distance of two words, by which an unknown name is given its nearest known one. */
#include "base/str.h"

enum { WORD_BYTES_MAX = 64 };

/* Levenshtein's distance, by the usual table of a single row. */
size_t weir_str_distance(struct weir_str a, struct weir_str b)
{
    size_t row[WORD_BYTES_MAX + 1];

    if (a.len > WORD_BYTES_MAX || b.len > WORD_BYTES_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b.len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.data[i - 1] != b.data[j - 1]);
            diagonal = row[j];
            size_t gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < gap ? change : gap;
        }
    }
    return row[b.len];
}
