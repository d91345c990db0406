/* resolve.c: PostgreSQL's rules for choosing among overloaded operators and functions, and for the
 * common type of branches (manual, chapter 10 "Type Conversion").
 *
 * Uses  the catalogue and the casts of expr/expr.h. Knows no syntax and reports no errors.
 * R1    The steps come in the manual's order, each only while more than one candidate is left.
 * Checked by tests/unit/sql/test_expressions.c and by the comparison with PostgreSQL itself. */
#include "sql/resolve.h"

#include "base/assert.h"

enum { CANDIDATES_MAX = 128 };

struct candidates {
    const struct weir_function *items[CANDIDATES_MAX];
    uint32_t count;
};

/* pg_type.typcategory. */
static char category(enum weir_type_id id)
{
    switch (id) {
    case WEIR_TYPE_BOOL:
        return 'B';
    case WEIR_TYPE_INT2:
    case WEIR_TYPE_INT4:
    case WEIR_TYPE_INT8:
    case WEIR_TYPE_FLOAT4:
    case WEIR_TYPE_FLOAT8:
    case WEIR_TYPE_NUMERIC:
        return 'N';
    case WEIR_TYPE_TEXT:
    case WEIR_TYPE_VARCHAR:
    case WEIR_TYPE_BPCHAR:
        return 'S';
    case WEIR_TYPE_DATE:
    case WEIR_TYPE_TIME:
    case WEIR_TYPE_TIMESTAMP:
    case WEIR_TYPE_TIMESTAMPTZ:
        return 'D';
    case WEIR_TYPE_INTERVAL:
        return 'T';
    case WEIR_TYPE_UNKNOWN:
        return 'X';
    default:
        return 'U';
    }
}

/* pg_type.typispreferred. */
static bool is_preferred(enum weir_type_id id)
{
    return id == WEIR_TYPE_BOOL || id == WEIR_TYPE_FLOAT8 || id == WEIR_TYPE_TEXT ||
           id == WEIR_TYPE_TIMESTAMPTZ || id == WEIR_TYPE_INTERVAL;
}

bool resolve_can_coerce(enum weir_type_id from, enum weir_type_id to)
{
    return from == to || from == WEIR_TYPE_UNKNOWN ||
           weir_cast_find(from, to, WEIR_CAST_IMPLICIT) != NULL;
}

static bool accepts(const struct weir_function *function, const enum weir_type_id *types)
{
    for (uint32_t i = 0; i < function->arg_count; i++) {
        if (!resolve_can_coerce(types[i], function->args[i])) {
            return false;
        }
    }
    return true;
}

static bool is_named(const struct weir_function *function, struct weir_str name, uint32_t count)
{
    return function->arg_count == count && weir_str_equal(weir_str_from(function->name), name);
}

bool resolve_is_function(struct weir_str name)
{
    uint32_t count;
    const struct weir_function *rows = weir_functions(&count);

    for (uint32_t i = 0; i < count; i++) {
        if (weir_str_equal(weir_str_from(rows[i].name), name)) {
            return true;
        }
    }
    return false;
}

static const struct weir_function *find_exact(struct weir_str name, const enum weir_type_id *types,
                                              uint32_t arg_count)
{
    uint32_t count;
    const struct weir_function *rows = weir_functions(&count);

    for (uint32_t i = 0; i < count; i++) {
        bool same = is_named(&rows[i], name, arg_count);
        for (uint32_t k = 0; same && k < arg_count; k++) {
            same = rows[i].args[k] == types[k];
        }
        if (same) {
            return &rows[i];
        }
    }
    return NULL;
}

static void find_candidates(struct weir_str name, const enum weir_type_id *types,
                            uint32_t arg_count, struct candidates *ret)
{
    uint32_t count;
    const struct weir_function *rows = weir_functions(&count);

    ret->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (is_named(&rows[i], name, arg_count) && accepts(&rows[i], types)) {
            weir_assert(ret->count < CANDIDATES_MAX);
            ret->items[ret->count++] = &rows[i];
        }
    }
}

/* Keeps the candidates with the highest score: exact matches, and with preferred also preferred
 * types of the argument's own category. Literals count for nothing. */
static void keep_best(struct candidates *candidates, const enum weir_type_id *types, bool preferred)
{
    uint32_t best = 0, kept = 0;

    for (uint32_t i = 0; i < candidates->count; i++) {
        const struct weir_function *function = candidates->items[i];
        uint32_t score = 0;
        for (uint32_t k = 0; k < function->arg_count; k++) {
            enum weir_type_id want = function->args[k];
            score += types[k] != WEIR_TYPE_UNKNOWN &&
                     (types[k] == want ||
                      (preferred && category(want) == category(types[k]) && is_preferred(want)));
        }
        if (score > best) {
            best = score;
            kept = 0;
        }
        if (score == best) {
            candidates->items[kept++] = function;
        }
    }
    candidates->count = kept;
}

/* What the candidates want in the place of a literal: one category for all, or strings as soon as
 * one of them takes a string. False: they disagree. */
static bool literal_category(const struct candidates *candidates, uint32_t arg, char *ret_category,
                             bool *ret_has_preferred)
{
    char found = 0;
    bool has_preferred = false, conflict = false;

    for (uint32_t i = 0; i < candidates->count; i++) {
        enum weir_type_id want = candidates->items[i]->args[arg];
        if (found == 0 || (category(want) != found && category(want) == 'S')) {
            found = category(want);
            has_preferred = is_preferred(want);
        } else if (category(want) == found) {
            has_preferred |= is_preferred(want);
        } else {
            conflict = true;
        }
    }
    *ret_category = found;
    *ret_has_preferred = has_preferred;
    return !conflict || found == 'S';
}

/* Gives the places of literals a category and drops the candidates that do not have it. */
static void keep_by_literals(struct candidates *candidates, const enum weir_type_id *types,
                             uint32_t arg_count)
{
    char categories[WEIR_FUNCTION_ARGS_MAX];
    bool has_preferred[WEIR_FUNCTION_ARGS_MAX];
    struct candidates left = { .count = 0 };

    for (uint32_t k = 0; k < arg_count; k++) {
        if (types[k] == WEIR_TYPE_UNKNOWN &&
            !literal_category(candidates, k, &categories[k], &has_preferred[k])) {
            return;
        }
    }
    for (uint32_t i = 0; i < candidates->count; i++) {
        const struct weir_function *function = candidates->items[i];
        bool keep = true;
        for (uint32_t k = 0; k < arg_count; k++) {
            keep = keep && (types[k] != WEIR_TYPE_UNKNOWN ||
                            (category(function->args[k]) == categories[k] &&
                             (!has_preferred[k] || is_preferred(function->args[k]))));
        }
        if (keep) {
            left.items[left.count++] = function;
        }
    }
    if (left.count > 0) {
        *candidates = left;
    }
}

/* The last step: literals are taken for the one type that all other arguments have. */
static const struct weir_function *choose_same_type(const struct candidates *candidates,
                                                    const enum weir_type_id *types,
                                                    uint32_t arg_count)
{
    enum weir_type_id same[WEIR_FUNCTION_ARGS_MAX];
    enum weir_type_id known = WEIR_TYPE_UNKNOWN;
    const struct weir_function *found = NULL;

    for (uint32_t k = 0; k < arg_count; k++) {
        if (types[k] != WEIR_TYPE_UNKNOWN) {
            if (known != WEIR_TYPE_UNKNOWN && known != types[k]) {
                return NULL;
            }
            known = types[k];
        }
    }
    if (known == WEIR_TYPE_UNKNOWN) {
        return NULL;
    }
    for (uint32_t k = 0; k < arg_count; k++) {
        same[k] = known;
    }
    for (uint32_t i = 0; i < candidates->count; i++) {
        if (accepts(candidates->items[i], same)) {
            if (found != NULL) {
                return NULL;
            }
            found = candidates->items[i];
        }
    }
    return found;
}

static enum resolve_verdict choose(struct candidates *candidates, const enum weir_type_id *types,
                                   uint32_t arg_count, const struct weir_function **ret)
{
    bool has_literal = false;

    for (uint32_t k = 0; k < arg_count; k++) {
        has_literal |= types[k] == WEIR_TYPE_UNKNOWN;
    }
    if (candidates->count == 0) {
        return RESOLVE_NONE;
    }
    if (candidates->count > 1) { /* R1 */
        keep_best(candidates, types, false);
    }
    if (candidates->count > 1) {
        keep_best(candidates, types, true);
    }
    if (candidates->count > 1 && has_literal) {
        keep_by_literals(candidates, types, arg_count);
    }
    *ret = candidates->count == 1 ? candidates->items[0]
           : has_literal          ? choose_same_type(candidates, types, arg_count)
                                  : NULL;
    return *ret == NULL ? RESOLVE_AMBIGUOUS : RESOLVE_FOUND;
}

enum resolve_verdict resolve_function(struct weir_str name, const enum weir_type_id *types,
                                      uint32_t count, const struct weir_function **ret)
{
    struct candidates candidates;

    if (count > WEIR_FUNCTION_ARGS_MAX) {
        return RESOLVE_NONE;
    }
    *ret = find_exact(name, types, count);
    if (*ret != NULL) {
        return RESOLVE_FOUND;
    }
    find_candidates(name, types, count, &candidates);
    return choose(&candidates, types, count, ret);
}

enum resolve_verdict resolve_operator(struct weir_str name, const enum weir_type_id *types,
                                      uint32_t count, const struct weir_function **ret)
{
    /* An operator first takes a literal for the type of its other side. */
    if (count == 2 && (types[0] == WEIR_TYPE_UNKNOWN) != (types[1] == WEIR_TYPE_UNKNOWN)) {
        enum weir_type_id known = types[0] == WEIR_TYPE_UNKNOWN ? types[1] : types[0];
        const enum weir_type_id both[2] = { known, known };

        *ret = find_exact(name, both, 2);
        if (*ret != NULL) {
            return RESOLVE_FOUND;
        }
    }
    return resolve_function(name, types, count, ret);
}

bool resolve_common(const enum weir_type_id *types, uint32_t count, enum weir_type_id *ret,
                    uint32_t *ret_culprit)
{
    enum weir_type_id common = WEIR_TYPE_UNKNOWN;

    for (uint32_t i = 0; i < count; i++) {
        if (types[i] == WEIR_TYPE_UNKNOWN || types[i] == common) {
            continue;
        }
        if (common == WEIR_TYPE_UNKNOWN) {
            common = types[i];
        } else if (category(types[i]) != category(common)) {
            *ret = common;
            *ret_culprit = i;
            return false;
        } else if (!is_preferred(common) && resolve_can_coerce(common, types[i]) &&
                   !resolve_can_coerce(types[i], common)) {
            common = types[i];
        }
    }
    *ret = common == WEIR_TYPE_UNKNOWN ? WEIR_TYPE_TEXT : common;
    return true;
}
