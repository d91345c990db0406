/* eval_vec.c: bitmaps, selections, and columns put together from parts. */
#include "expr/eval_node.h"

static size_t bitmap_words(uint32_t rows)
{
    return ((size_t)rows + 63) / 64;
}

static bool bitmap_is_full(const uint64_t *bitmap, uint32_t rows)
{
    for (uint32_t word = 0; word < rows / 64; word++) {
        if (bitmap[word] != UINT64_MAX) {
            return false;
        }
    }
    return rows % 64 == 0 || (~bitmap[rows / 64] & ((UINT64_C(1) << (rows % 64)) - 1)) == 0;
}

int weir_eval_and_valid(struct weir_eval *eval, const uint64_t *a, const uint64_t *b, uint32_t rows,
                        const uint64_t **ret)
{
    if (a == NULL || b == NULL || a == b) {
        *ret = a == NULL ? b : a;
        return WEIR_OK;
    }
    uint64_t *both = weir_bitmap_alloc(eval->arena, rows, false);
    if (both == NULL) {
        return weir_eval_no_memory(eval);
    }
    for (size_t word = 0; word < bitmap_words(rows); word++) {
        both[word] = a[word] & b[word];
    }
    *ret = both;
    return WEIR_OK;
}

int weir_eval_mask_failed(struct weir_eval *eval, uint32_t rows, struct weir_vec *vec)
{
    uint64_t *valid = weir_bitmap_alloc(eval->arena, rows, true);

    if (valid == NULL) {
        return weir_eval_no_memory(eval);
    }
    for (size_t word = 0; word < bitmap_words(rows); word++) {
        valid[word] = (vec->valid == NULL ? valid[word] : vec->valid[word]) & ~eval->failed[word];
    }
    vec->valid = valid;
    return WEIR_OK;
}

int weir_eval_select_valid(struct weir_eval *eval, const uint64_t *valid, uint32_t rows,
                           struct weir_sel sel, struct weir_sel *ret)
{
    uint32_t count = 0;

    if (valid == NULL || bitmap_is_full(valid, rows)) {
        *ret = sel;
        return WEIR_OK;
    }
    uint32_t *chosen = weir_arena_alloc(eval->arena, ((size_t)sel.count + 1) * sizeof(*chosen));
    if (chosen == NULL) {
        return weir_eval_no_memory(eval);
    }
    for (uint32_t i = 0; i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        chosen[count] = row;
        count += (uint32_t)(valid[row / 64] >> (row % 64) & 1);
    }
    *ret = (struct weir_sel){ .count = count, .rows = chosen };
    return WEIR_OK;
}

int weir_eval_split(struct weir_eval *eval, const struct weir_vec *condition, struct weir_sel sel,
                    struct weir_sel *ret_true, struct weir_sel *ret_rest)
{
    uint32_t *taken = weir_arena_alloc(eval->arena, ((size_t)sel.count + 1) * sizeof(*taken));
    uint32_t *rest = weir_arena_alloc(eval->arena, ((size_t)sel.count + 1) * sizeof(*rest));
    uint32_t taken_count = 0, rest_count = 0;

    if (taken == NULL || rest == NULL) {
        return weir_eval_no_memory(eval);
    }
    for (uint32_t i = 0; i < sel.count; i++) {
        uint32_t row = sel.rows[i];
        bool is_true = !weir_vec_is_null(condition, row) && condition->b[row] != 0;
        taken[taken_count] = row;
        rest[rest_count] = row;
        taken_count += is_true;
        rest_count += !is_true;
    }
    *ret_true = (struct weir_sel){ .count = taken_count, .rows = taken };
    *ret_rest = (struct weir_sel){ .count = rest_count, .rows = rest };
    return WEIR_OK;
}

int weir_eval_alloc(struct weir_eval *eval, struct weir_type type, uint32_t rows,
                    struct weir_vec *ret)
{
    *ret = weir_vec_alloc(eval->arena, type, rows);
    return ret->data == NULL ? weir_eval_no_memory(eval) : WEIR_OK;
}

int weir_eval_begin_parts(struct weir_eval *eval, struct weir_type type, uint32_t rows,
                          struct weir_vec *ret, uint64_t **ret_valid)
{
    if (weir_eval_alloc(eval, type, rows, ret) != WEIR_OK) {
        return WEIR_ENOMEM;
    }
    *ret_valid = weir_bitmap_alloc(eval->arena, rows, false);
    ret->valid = *ret_valid;
    return *ret_valid == NULL ? weir_eval_no_memory(eval) : WEIR_OK;
}

void weir_eval_put_part(struct weir_vec *vec, uint64_t *valid, const struct weir_vec *part,
                        struct weir_sel sel)
{
#define SCATTER(ctype)                             \
    do {                                           \
        const ctype *from = part->data;            \
        ctype *to = vec->data;                     \
        for (uint32_t i = 0; i < sel.count; i++) { \
            uint32_t row = sel.rows[i];            \
            if (!weir_vec_is_null(part, row)) {    \
                to[row] = from[row];               \
                weir_bitmap_set(valid, row);       \
            }                                      \
        }                                          \
    } while (0)
    WEIR_FOR_WIDTH(weir_type_bytes(vec->type.id), SCATTER)
}
