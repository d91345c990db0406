/* jsonb_access.c: members, order and hash of jsonb values in their canonical text.
 *
 * The text was made by weir_jsonb_parse(), so it is not checked again: tokens are where they must
 * be, and the only escapes are those that PostgreSQL prints. */
#include "base/hash.h"
#include "chunk/decimal.h"
#include "chunk/jsonb.h"
#include "chunk/jsonb_scan.h"

/* Kinds in PostgreSQL's order. */
enum kind { KIND_NULL, KIND_STRING, KIND_NUMBER, KIND_BOOL, KIND_ARRAY, KIND_OBJECT };

static enum kind kind_of(const char *p)
{
    switch (*p) {
    case '{':
        return KIND_OBJECT;
    case '[':
        return KIND_ARRAY;
    case '"':
        return KIND_STRING;
    case 'n':
        return KIND_NULL;
    case 't':
    case 'f':
        return KIND_BOOL;
    default:
        return KIND_NUMBER;
    }
}

/* Behind the value at p. Flat, so that deep values take no stack. */
static const char *value_end(const char *p, const char *end)
{
    uint32_t depth = 0;

    do {
        if (*p == '"') {
            p = weir_json_string_end(p + 1, end) + 1;
        } else {
            depth += *p == '{' || *p == '[';
            depth -= *p == '}' || *p == ']';
            p++;
        }
        if (depth == 0) {
            /* A scalar ends where something that cannot belong to it follows. */
            while (p < end && p[-1] != '"' && p[-1] != '}' && p[-1] != ']' && *p != ',' &&
                   *p != '}' && *p != ']') {
                p++;
            }
        }
    } while (depth != 0);
    return p;
}

/* Walks the members of an object or the elements of an array. */
struct walker {
    const char *p;
    const char *end;
    struct weir_str key; /* of the current member, in quotes and escaped */
    struct weir_str value;
};

static struct walker walk(struct weir_str container)
{
    return (struct walker){ .p = container.data + 1, .end = container.data + container.len };
}

static bool walk_next(struct walker *walker, bool is_object)
{
    if (*walker->p == '}' || *walker->p == ']') {
        return false;
    }
    if (*walker->p == ',') {
        walker->p += 2;
    }
    if (is_object) {
        const char *end = weir_json_string_end(walker->p + 1, walker->end) + 1;
        walker->key = (struct weir_str){ walker->p, (size_t)(end - walker->p) };
        walker->p = end + 2;
    }
    const char *end = value_end(walker->p, walker->end);
    walker->value = (struct weir_str){ walker->p, (size_t)(end - walker->p) };
    walker->p = end;
    return true;
}

static uint32_t count_of(struct weir_str container)
{
    bool is_object = container.data[0] == '{';
    uint32_t count = 0;

    for (struct walker walker = walk(container); walk_next(&walker, is_object);) {
        count++;
    }
    return count;
}

static unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The next byte of a string's content; all escapes stand for one byte. */
static unsigned char string_next(const char **p)
{
    static const char names[] = "bfnrt";
    static const char means[] = "\b\f\n\r\t";
    char c = *(*p)++;

    if (c != '\\') {
        return (unsigned char)c;
    }
    c = *(*p)++;
    if (c == 'u') {
        *p += 4;
        return (unsigned char)(hex_value((*p)[-2]) << 4 | hex_value((*p)[-1]));
    }
    const char *found = strchr(names, c);
    return (unsigned char)(found == NULL ? c : means[found - names]);
}

static bool string_is(struct weir_str quoted, struct weir_str text)
{
    const char *p = quoted.data + 1;
    const char *end = quoted.data + quoted.len - 1;

    for (size_t i = 0; i < text.len; i++) {
        if (p == end || string_next(&p) != (unsigned char)text.data[i]) {
            return false;
        }
    }
    return p == end;
}

static int string_compare(struct weir_str a, struct weir_str b)
{
    const char *p = a.data + 1, *p_end = a.data + a.len - 1;
    const char *q = b.data + 1, *q_end = b.data + b.len - 1;

    while (p < p_end && q < q_end) {
        unsigned char x = string_next(&p), y = string_next(&q);
        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return (p < p_end) - (q < q_end);
}

bool weir_jsonb_get_key(struct weir_str json, struct weir_str key, struct weir_str *ret)
{
    if (json.data[0] != '{') {
        return false;
    }
    for (struct walker walker = walk(json); walk_next(&walker, true);) {
        if (string_is(walker.key, key)) {
            *ret = walker.value;
            return true;
        }
    }
    return false;
}

bool weir_jsonb_get_index(struct weir_str json, int32_t index, struct weir_str *ret)
{
    int64_t at = index;

    if (json.data[0] == '{') {
        return false;
    }
    if (json.data[0] != '[') {
        if (index == 0 || index == -1) {
            *ret = json;
        }
        return index == 0 || index == -1;
    }
    if (at < 0) {
        at += count_of(json);
    }
    struct walker walker = walk(json);
    for (int64_t i = 0; i <= at && walk_next(&walker, false); i++) {
        if (i == at) {
            *ret = walker.value;
            return true;
        }
    }
    return false;
}

int weir_jsonb_to_text(struct weir_str json, struct weir_arena *arena, struct weir_str *ret,
                       bool *ret_null)
{
    enum kind kind = kind_of(json.data);
    const char *p = json.data + 1, *end = json.data + json.len - 1;
    size_t len = 0;
    char *data;

    *ret_null = kind == KIND_NULL;
    if (kind != KIND_STRING) {
        *ret = json;
        return WEIR_OK;
    }
    if (memchr(json.data, '\\', json.len) == NULL) {
        *ret = (struct weir_str){ json.data + 1, json.len - 2 };
        return WEIR_OK;
    }
    data = weir_arena_alloc(arena, json.len);
    if (data == NULL) {
        return WEIR_ENOMEM;
    }
    while (p < end) {
        data[len++] = (char)string_next(&p);
    }
    *ret = (struct weir_str){ data, len };
    return WEIR_OK;
}

/* Numbers of jsonb were numerics once, so reading them again cannot fail but for memory; without
 * it their text stands for them. */
static int number_compare(struct weir_str a, struct weir_str b)
{
    struct weir_arena arena;
    struct weir_numeric x, y;
    int order;

    weir_arena_init(&arena, 1024);
    if (weir_numeric_parse(a, -1, &arena, &x, NULL) == WEIR_OK &&
        weir_numeric_parse(b, -1, &arena, &y, NULL) == WEIR_OK) {
        order = weir_numeric_compare(x, y);
    } else {
        order = weir_str_compare(a, b);
    }
    weir_arena_fini(&arena);
    return order;
}

static int value_compare(struct weir_str a, struct weir_str b);

/* Fewer members come first; then key and value, one pair after the other. */
static int container_compare(struct weir_str a, struct weir_str b)
{
    bool is_object = a.data[0] == '{';
    uint32_t a_count = count_of(a), b_count = count_of(b);
    struct walker x = walk(a), y = walk(b);
    int order = 0;

    if (a_count != b_count) {
        return a_count < b_count ? -1 : 1;
    }
    while (order == 0 && walk_next(&x, is_object) && walk_next(&y, is_object)) {
        order = is_object ? string_compare(x.key, y.key) : 0;
        if (order == 0) {
            order = value_compare(x.value, y.value);
        }
    }
    return order;
}

static int value_compare(struct weir_str a, struct weir_str b)
{
    enum kind x = kind_of(a.data), y = kind_of(b.data);

    if (x != y) {
        return x < y ? -1 : 1;
    }
    switch (x) {
    case KIND_NULL:
        return 0;
    case KIND_BOOL:
        return (a.data[0] == 't') - (b.data[0] == 't');
    case KIND_STRING:
        return string_compare(a, b);
    case KIND_NUMBER:
        return number_compare(a, b);
    default:
        return container_compare(a, b);
    }
}

int weir_jsonb_compare(struct weir_str a, struct weir_str b)
{
    enum kind x = kind_of(a.data), y = kind_of(b.data);

    /* PostgreSQL keeps a scalar by itself as an array of one element, and an array of as many
     * elements as another counts for more than it: so the empty array comes before all scalars. */
    if (x < KIND_ARRAY && y == KIND_ARRAY) {
        return count_of(b) == 0 ? 1 : -1;
    }
    if (y < KIND_ARRAY && x == KIND_ARRAY) {
        return count_of(a) == 0 ? -1 : 1;
    }
    return value_compare(a, b);
}

uint64_t weir_jsonb_hash(struct weir_str json)
{
    const char *p = json.data, *end = json.data + json.len;
    uint64_t hash = 0;

    /* Numbers by value, all else by its text. */
    while (p < end) {
        const char *start = p;
        struct weir_numeric value;
        struct weir_arena arena;
        uint64_t part;

        if (*p == '"') {
            p = weir_json_string_end(p + 1, end) + 1;
            part = weir_hash64(start, (size_t)(p - start));
        } else if (*p == '-' || weir_char_is_digit(*p)) {
            p = weir_json_number_end(p, end);
            weir_arena_init(&arena, 1024);
            part = weir_numeric_parse((struct weir_str){ start, (size_t)(p - start) }, -1, &arena,
                                      &value, NULL) == WEIR_OK
                       ? weir_numeric_hash(value)
                       : 0;
            weir_arena_fini(&arena);
        } else {
            part = (unsigned char)*p++;
        }
        hash = (hash ^ part) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}
