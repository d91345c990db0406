/* scalar_text.c: input and output of boolean, integers, texts, bytea and uuid. */
#include "chunk/scalar_text.h"

#include "chunk/utf8.h"

static const char hex_digits[] = "0123456789abcdef";

/* PostgreSQL stores n + 4 as the modifier of varchar(n) and char(n). */
enum { TYPMOD_OFFSET = 4 };

struct weir_str weir_text_trim_space(struct weir_str text)
{
    while (text.len != 0 && weir_char_is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len != 0 && weir_char_is_space(text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

int weir_value_error_syntax(struct weir_value_error *verr, const char *type_name,
                            struct weir_str text)
{
    return weir_value_error_set(verr, "22P02", "invalid input syntax for type %s: \"%.*s\"",
                                type_name, WEIR_STR_ARG(text));
}

int weir_bool_parse(struct weir_str text, uint8_t *ret, struct weir_value_error *verr)
{
    /* Any beginning of a word will do, as long as it can only be that word. */
    static const struct {
        const char *word;
        size_t len_min;
        uint8_t value;
    } words[] = {
        { "true", 1, 1 }, { "false", 1, 0 }, { "yes", 1, 1 }, { "no", 1, 0 },
        { "on", 2, 1 },   { "off", 2, 0 },   { "1", 1, 1 },   { "0", 1, 0 },
    };
    struct weir_str trimmed = weir_text_trim_space(text);

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (trimmed.len >= words[i].len_min && trimmed.len <= strlen(words[i].word) &&
            strncasecmp(trimmed.data, words[i].word, trimmed.len) == 0) {
            *ret = words[i].value;
            return WEIR_OK;
        }
    }
    return weir_value_error_syntax(verr, "boolean", text);
}

size_t weir_bool_print(uint8_t value, char *ret)
{
    ret[0] = value ? 't' : 'f';
    return 1;
}

/* Reads an integer between min and max (min <= 0), with spaces around it and a sign. */
static int integer_parse(struct weir_str text, const char *type_name, int64_t min, int64_t max,
                         int64_t *ret, struct weir_value_error *verr)
{
    const char *p = text.data;
    const char *end = text.data + text.len;
    bool negative = false, overflow = false;
    uint64_t value = 0;

    while (p < end && weir_char_is_space(*p)) {
        p++;
    }
    if (p < end && (*p == '-' || *p == '+')) {
        negative = *p == '-';
        p++;
    }
    if (p == end || !weir_char_is_digit(*p)) {
        return weir_value_error_syntax(verr, type_name, text);
    }
    for (; p < end && weir_char_is_digit(*p); p++) {
        overflow |= __builtin_mul_overflow(value, 10, &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value);
    }
    if (overflow || value > (negative ? -(uint64_t)min : (uint64_t)max)) {
        return weir_value_error_set(verr, "22003", "value \"%.*s\" is out of range for type %s",
                                    WEIR_STR_ARG(text), type_name);
    }
    while (p < end && weir_char_is_space(*p)) {
        p++;
    }
    if (p != end) {
        return weir_value_error_syntax(verr, type_name, text);
    }
    *ret = (int64_t)(negative ? -value : value);
    return WEIR_OK;
}

int weir_int2_parse(struct weir_str text, int16_t *ret, struct weir_value_error *verr)
{
    int64_t value;
    int rc = integer_parse(text, "smallint", INT16_MIN, INT16_MAX, &value, verr);

    if (rc == WEIR_OK) {
        *ret = (int16_t)value;
    }
    return rc;
}

int weir_int4_parse(struct weir_str text, int32_t *ret, struct weir_value_error *verr)
{
    int64_t value;
    int rc = integer_parse(text, "integer", INT32_MIN, INT32_MAX, &value, verr);

    if (rc == WEIR_OK) {
        *ret = (int32_t)value;
    }
    return rc;
}

int weir_int8_parse(struct weir_str text, int64_t *ret, struct weir_value_error *verr)
{
    return integer_parse(text, "bigint", INT64_MIN, INT64_MAX, ret, verr);
}

size_t weir_int8_print(int64_t value, char *ret)
{
    char digits[20];
    size_t count = 0, len = 0;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0) {
        ret[len++] = '-';
    }
    while (count != 0) {
        ret[len++] = digits[--count];
    }
    return len;
}

int weir_text_parse(struct weir_str text, struct weir_str *ret, struct weir_value_error *verr)
{
    int rc = weir_utf8_check(text, verr);

    if (rc == WEIR_OK) {
        *ret = text;
    }
    return rc;
}

/* Cuts text to chars characters; 22001 when more than spaces would be lost and is_explicit does
 * not allow it. */
static int text_cut(struct weir_str text, size_t chars, const char *type_name, bool is_explicit,
                    struct weir_str *ret, struct weir_value_error *verr)
{
    size_t end = text.len <= chars ? text.len : weir_utf8_offset(text, chars);

    for (size_t i = end; i < text.len && !is_explicit; i++) {
        if (text.data[i] != ' ') {
            return weir_value_error_set(verr, "22001", "value too long for type %s(%zu)", type_name,
                                        chars);
        }
    }
    *ret = (struct weir_str){ text.data, end };
    return WEIR_OK;
}

int weir_varchar_fit(struct weir_str text, int32_t typmod, bool is_explicit, struct weir_str *ret,
                     struct weir_value_error *verr)
{
    if (typmod < TYPMOD_OFFSET) {
        *ret = text;
        return WEIR_OK;
    }
    return text_cut(text, (size_t)(typmod - TYPMOD_OFFSET), "character varying", is_explicit, ret,
                    verr);
}

int weir_bpchar_fit(struct weir_str text, int32_t typmod, bool is_explicit,
                    struct weir_arena *arena, struct weir_str *ret, struct weir_value_error *verr)
{
    size_t chars, have;
    struct weir_str cut;
    char *padded;
    int rc;

    if (typmod < TYPMOD_OFFSET) {
        *ret = text;
        return WEIR_OK;
    }
    chars = (size_t)(typmod - TYPMOD_OFFSET);
    rc = text_cut(text, chars, "character", is_explicit, &cut, verr);
    if (rc != WEIR_OK) {
        return rc;
    }
    have = weir_utf8_length(cut);
    if (have < chars) {
        padded = weir_arena_alloc(arena, cut.len + chars - have);
        if (padded == NULL) {
            return weir_value_error_memory(verr);
        }
        if (cut.len != 0) {
            memcpy(padded, cut.data, cut.len);
        }
        memset(padded + cut.len, ' ', chars - have);
        cut = (struct weir_str){ padded, cut.len + chars - have };
    }
    *ret = cut;
    return WEIR_OK;
}

struct weir_str weir_bpchar_trim(struct weir_str value)
{
    while (value.len != 0 && value.data[value.len - 1] == ' ') {
        value.len--;
    }
    return value;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The form "\x0aff", with spaces between bytes. */
static int bytea_parse_hex(struct weir_str text, char *ret, size_t *ret_len,
                           struct weir_value_error *verr)
{
    size_t len = 0;

    for (size_t i = 2; i < text.len; i++) {
        struct weir_str bad = { text.data + i, 1 };
        int high, low;

        if (text.data[i] == ' ' || text.data[i] == '\n' || text.data[i] == '\t' ||
            text.data[i] == '\r') {
            continue;
        }
        high = hex_digit(text.data[i]);
        if (high >= 0) {
            if (++i == text.len) {
                return weir_value_error_set(verr, "22023",
                                            "invalid hexadecimal data: odd number of digits");
            }
            bad.data++;
        }
        low = hex_digit(text.data[i]);
        if (high < 0 || low < 0) {
            size_t left = text.len - (size_t)(bad.data - text.data);
            bad.len = weir_utf8_char_bytes((unsigned char)bad.data[0]);
            bad.len = bad.len < left ? bad.len : left;
            return weir_value_error_set(verr, "22023", "invalid hexadecimal digit: \"%.*s\"",
                                        WEIR_STR_ARG(bad));
        }
        ret[len++] = (char)(high << 4 | low);
    }
    *ret_len = len;
    return WEIR_OK;
}

/* The older form: bytes as they are, "\\" for a backslash, "\123" octal. */
static int bytea_parse_escape(struct weir_str text, char *ret, size_t *ret_len,
                              struct weir_value_error *verr)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *p = text.data + i;
        size_t left = text.len - i;

        if (*p != '\\') {
            ret[len++] = *p;
        } else if (left >= 4 && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
                   p[3] >= '0' && p[3] <= '7') {
            ret[len++] = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            i += 3;
        } else if (left >= 2 && p[1] == '\\') {
            ret[len++] = '\\';
            i++;
        } else {
            return weir_value_error_set(verr, "22P02", "invalid input syntax for type bytea");
        }
    }
    *ret_len = len;
    return WEIR_OK;
}

int weir_bytea_parse(struct weir_str text, struct weir_arena *arena, struct weir_str *ret,
                     struct weir_value_error *verr)
{
    char *data = weir_arena_alloc(arena, text.len);
    size_t len = 0;
    int rc;

    if (data == NULL) {
        return weir_value_error_memory(verr);
    }
    if (text.len >= 2 && text.data[0] == '\\' && text.data[1] == 'x') {
        rc = bytea_parse_hex(text, data, &len, verr);
    } else {
        rc = bytea_parse_escape(text, data, &len, verr);
    }
    if (rc == WEIR_OK) {
        *ret = (struct weir_str){ data, len };
    }
    return rc;
}

int weir_bytea_print(struct weir_str value, struct weir_arena *arena, struct weir_str *ret)
{
    char *data = weir_arena_alloc(arena, 2 + 2 * value.len);

    if (data == NULL) {
        return WEIR_ENOMEM;
    }
    data[0] = '\\';
    data[1] = 'x';
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.data[i];
        data[2 + 2 * i] = hex_digits[byte >> 4];
        data[3 + 2 * i] = hex_digits[byte & 15];
    }
    *ret = (struct weir_str){ data, 2 + 2 * value.len };
    return WEIR_OK;
}

/* 32 hex digits, a hyphen allowed behind each group of four, braces allowed around it all. */
int weir_uuid_parse(struct weir_str text, struct weir_uuid *ret, struct weir_value_error *verr)
{
    struct weir_str rest = text;
    struct weir_uuid value;

    if (rest.len >= 2 && rest.data[0] == '{' && rest.data[rest.len - 1] == '}') {
        rest.data++;
        rest.len -= 2;
    }
    for (size_t i = 0; i < sizeof(value.bytes); i++) {
        int high = rest.len >= 2 ? hex_digit(rest.data[0]) : -1;
        int low = rest.len >= 2 ? hex_digit(rest.data[1]) : -1;

        if (high < 0 || low < 0) {
            return weir_value_error_syntax(verr, "uuid", text);
        }
        value.bytes[i] = (uint8_t)(high << 4 | low);
        rest.data += 2;
        rest.len -= 2;
        if (i % 2 == 1 && i < sizeof(value.bytes) - 1 && rest.len != 0 && rest.data[0] == '-') {
            rest.data++;
            rest.len--;
        }
    }
    if (rest.len != 0) {
        return weir_value_error_syntax(verr, "uuid", text);
    }
    *ret = value;
    return WEIR_OK;
}

size_t weir_uuid_print(const struct weir_uuid *value, char *ret)
{
    size_t len = 0;

    for (size_t i = 0; i < sizeof(value->bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            ret[len++] = '-';
        }
        ret[len++] = hex_digits[value->bytes[i] >> 4];
        ret[len++] = hex_digits[value->bytes[i] & 15];
    }
    return len;
}
