/* decimal_text.c: numeric's text form in and out.
 *
 * JSON numbers and money come as a few digits with a point: that way is short. Everything else,
 * exponents and hundreds of digits included, is gathered into digits of base 10 000. */
#include <stdlib.h>

#include "chunk/decimal_big.h"
#include "chunk/scalar_text.h"

enum {
    FAST_DIGITS_MAX = 18,         /* 10^18 - 1 fits 64 bits */
    EXPONENT_END = INT32_MAX / 2, /* PostgreSQL refuses exponents from here on */
};

/* "[+-]digits[.digits]" of at most 18 digits; false when the text is anything else. */
static bool fast_parse(struct weir_str text, struct weir_numeric *ret)
{
    const char *p = text.data;
    const char *end = p + text.len;
    const char *point = NULL;
    bool negative = false;
    int64_t value = 0;
    uint32_t digits = 0;

    if (text.len == 0 || text.len > FAST_DIGITS_MAX + 2) {
        return false;
    }
    if (*p == '-' || *p == '+') {
        negative = *p++ == '-';
    }
    for (; p < end; p++) {
        unsigned digit = (unsigned)(*p - '0');
        if (digit <= 9 && digits < FAST_DIGITS_MAX) {
            value = value * 10 + (int64_t)digit;
            digits++;
        } else if (*p == '.' && point == NULL) {
            point = p;
        } else {
            return false;
        }
    }
    if (digits == 0) {
        return false;
    }
    *ret = weir_numeric_small(negative ? -value : value,
                              point == NULL ? 0 : (uint16_t)(end - point - 1));
    return true;
}

static bool is_word(struct weir_str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

static bool special_parse(struct weir_str text, struct weir_numeric *ret)
{
    bool is_signed = text.len != 0 && (text.data[0] == '-' || text.data[0] == '+');
    bool negative = is_signed && text.data[0] == '-';

    if (is_word(text, "NaN")) {
        *ret = weir_numeric_special(WEIR_NUMERIC_NAN);
        return true;
    }
    text.data += is_signed;
    text.len -= is_signed;
    if (is_word(text, "Infinity") || is_word(text, "inf")) {
        *ret = weir_numeric_special(negative ? WEIR_NUMERIC_NINF : WEIR_NUMERIC_PINF);
        return true;
    }
    return false;
}

/* Where the parts of a number's text are. */
struct number_text {
    bool negative;
    const char *digits; /* with a point among them, perhaps */
    const char *digits_end;
    int64_t whole_count;    /* digits before the point */
    int64_t fraction_count; /* and behind it */
    int64_t exponent;
};

/* false when the text is not a number. */
static bool number_scan(struct weir_str text, struct number_text *ret)
{
    const char *p = text.data;
    const char *end = p + text.len;
    bool has_point = false;

    *ret = (struct number_text){ .negative = p < end && *p == '-' };
    p += p < end && (*p == '-' || *p == '+');
    ret->digits = p;
    for (; p < end && (weir_char_is_digit(*p) || (*p == '.' && !has_point)); p++) {
        if (*p == '.') {
            has_point = true;
        } else if (has_point) {
            ret->fraction_count++;
        } else {
            ret->whole_count++;
        }
    }
    ret->digits_end = p;
    if (ret->whole_count + ret->fraction_count == 0) {
        return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        bool negative = ++p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        if (p == end || !weir_char_is_digit(*p)) {
            return false;
        }
        for (; p < end && weir_char_is_digit(*p); p++) {
            if (ret->exponent < EXPONENT_END) {
                ret->exponent = ret->exponent * 10 + (*p - '0');
            }
        }
        ret->exponent = negative ? -ret->exponent : ret->exponent;
    }
    return p == end;
}

/* Packs the decimal digits into digits of base 10 000; false without memory. */
static bool number_pack(const struct number_text *number, struct weir_numeric_var *var,
                        struct weir_arena *arena)
{
    int64_t count = number->whole_count + number->fraction_count;
    const char *p = number->digits;

    for (; p < number->digits_end && (*p == '0' || *p == '.') && count > 1; p++) {
        count -= *p == '0';
    }
    /* The first digit left counts 10^first; digits of the base start at multiples of four. */
    int64_t first = count - 1 - number->fraction_count + number->exponent;
    int64_t weight = first >= 0 ? first / 4 : -((-first + 3) / 4);
    int32_t position = (int32_t)(weight * 4 + 3 - first); /* within the first digit of the base */
    int64_t scale = number->fraction_count - number->exponent;

    if (!weir_numeric_var_alloc(var, (int32_t)((count + position + 3) / 4), arena)) {
        return false;
    }
    for (; p < number->digits_end; p++) {
        static const int16_t units[WEIR_NUMERIC_BASE_DIGITS] = { 1000, 100, 10, 1 };
        if (*p != '.') {
            int16_t *digit = &var->digits[position / 4];
            *digit = (int16_t)(*digit + (*p - '0') * units[position % 4]);
            position++;
        }
    }
    var->negative = number->negative;
    var->weight = (int32_t)weight;
    var->scale = (int32_t)(scale < 0 ? 0 : scale);
    return true;
}

int weir_numeric_parse(struct weir_str text, int32_t typmod, struct weir_arena *arena,
                       struct weir_numeric *ret, struct weir_value_error *verr)
{
    struct weir_str trimmed;
    struct number_text number;
    struct weir_numeric_var var;
    struct weir_numeric value;
    int rc;

    if (fast_parse(text, &value)) {
        if (typmod < 0) {
            *ret = value;
            return WEIR_OK;
        }
        return weir_numeric_fit(value, typmod, arena, ret, verr);
    }
    trimmed = weir_text_trim_space(text);
    if (special_parse(trimmed, &value)) {
        return weir_numeric_fit(value, typmod, arena, ret, verr);
    }
    if (!number_scan(trimmed, &number)) {
        return weir_value_error_syntax(verr, "numeric", text);
    }
    if (number.exponent >= EXPONENT_END || number.exponent <= -EXPONENT_END) {
        return weir_value_error_set(verr, "22003", "value overflows numeric format");
    }
    if (!number_pack(&number, &var, arena)) {
        return weir_value_error_memory(verr);
    }
    if (typmod >= 0) {
        /* The modifier comes before the limits of all numbers: digits that it drops may be beyond
         * them, and what is too large for it is its error. */
        if (var.weight > WEIR_NUMERIC_WEIGHT_MAX) {
            var.weight = WEIR_NUMERIC_WEIGHT_MAX;
        }
        if (var.scale > WEIR_NUMERIC_SCALE_MAX) {
            weir_numeric_var_round(&var, WEIR_NUMERIC_SCALE_MAX, true);
        }
    }
    rc = weir_numeric_var_finish(&var, arena, &value, verr);
    return rc != WEIR_OK ? rc : weir_numeric_fit(value, typmod, arena, ret, verr);
}

size_t weir_numeric_print_small(struct weir_numeric value, char *ret)
{
    static const char *const names[] = { [WEIR_NUMERIC_NAN] = "NaN",
                                         [WEIR_NUMERIC_PINF] = "Infinity",
                                         [WEIR_NUMERIC_NINF] = "-Infinity" };
    char digits[20];
    size_t count = 0, len = 0;

    if (value.kind != WEIR_NUMERIC_SMALL) {
        len = strlen(names[value.kind]);
        memcpy(ret, names[value.kind], len);
        return len;
    }
    uint64_t rest = value.small < 0 ? -(uint64_t)value.small : (uint64_t)value.small;
    for (; rest != 0; rest /= 10) {
        digits[count++] = (char)('0' + rest % 10);
    }
    if (value.small < 0) {
        ret[len++] = '-';
    }
    if (count <= value.scale) {
        ret[len++] = '0';
    } else {
        while (count > value.scale) {
            ret[len++] = digits[--count];
        }
    }
    if (value.scale != 0) {
        ret[len++] = '.';
        for (size_t left = value.scale; left != 0; left--) {
            ret[len++] = left <= count ? digits[left - 1] : '0';
        }
    }
    return len;
}

/* Appends a digit of the base as count decimals, its first ones or its last ones. */
static char *base_digit_print(char *p, int32_t digit, int from, int to)
{
    const char four[WEIR_NUMERIC_BASE_DIGITS] = { (char)('0' + digit / 1000),
                                                  (char)('0' + digit / 100 % 10),
                                                  (char)('0' + digit / 10 % 10),
                                                  (char)('0' + digit % 10) };

    for (int i = from; i < to; i++) {
        *p++ = four[i];
    }
    return p;
}

static int32_t big_digit(const struct weir_numeric_big *big, int32_t at)
{
    return at >= 0 && at < big->digit_count ? big->digits[at] : 0;
}

static size_t big_print(const struct weir_numeric_big *big, int32_t scale, char *ret)
{
    char *p = ret;
    int32_t at = 0;

    if (big->negative) {
        *p++ = '-';
    }
    if (big->weight < 0) {
        *p++ = '0';
        at = big->weight + 1; /* negative: zeros come first */
    } else {
        int32_t first = big->digits[0];
        p = base_digit_print(p, first, first < 10 ? 3 : first < 100 ? 2 : first < 1000 ? 1 : 0, 4);
        for (at = 1; at <= big->weight; at++) {
            p = base_digit_print(p, big_digit(big, at), 0, 4);
        }
    }
    if (scale > 0) {
        *p++ = '.';
    }
    for (; scale > 0; scale -= WEIR_NUMERIC_BASE_DIGITS, at++) {
        p = base_digit_print(p, big_digit(big, at), 0, scale < 4 ? scale : 4);
    }
    return (size_t)(p - ret);
}

int weir_numeric_print(struct weir_numeric value, struct weir_arena *arena, struct weir_str *ret)
{
    size_t bytes = 24 + (size_t)value.scale; /* sign, 19 digits, point */
    char *data;

    if (value.kind == WEIR_NUMERIC_BIG && value.big->weight >= 0) {
        bytes += ((size_t)value.big->weight + 1) * WEIR_NUMERIC_BASE_DIGITS;
    }
    data = weir_arena_alloc(arena, bytes);
    if (data == NULL) {
        return WEIR_ENOMEM;
    }
    *ret = (struct weir_str){ data, value.kind == WEIR_NUMERIC_BIG
                                        ? big_print(value.big, value.scale, data)
                                        : weir_numeric_print_small(value, data) };
    return WEIR_OK;
}
