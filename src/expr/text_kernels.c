/* text_kernels.c: functions on text and bytea, by column.
 *
 * Uses     chunk/utf8.h and chunk/scalar_text.h for single values. LIKE has a file of its own.
 * Results that are part of an argument are views of it; others lie in the evaluation's arena. */
#include "expr/text_kernels.h"

#include "chunk/scalar_text.h"
#include "chunk/utf8.h"

/* The results of all rows lie in one piece of memory, measured first. */
WEIR_KERNEL(concat)
{
    const struct weir_str *a = args[0].str, *b = args[1].str;
    size_t bytes = 1;

    WEIR_EACH_SELECTED(row)
    {
        bytes += a[row].len + b[row].len;
    }
    char *out = weir_arena_alloc(eval->arena, bytes);
    if (out == NULL) {
        return weir_eval_no_memory(eval);
    }
    WEIR_EACH_SELECTED(row)
    {
        ret->str[row] = (struct weir_str){ out, a[row].len + b[row].len };
        if (a[row].len != 0) {
            memcpy(out, a[row].data, a[row].len);
        }
        if (b[row].len != 0) {
            memcpy(out + a[row].len, b[row].data, b[row].len);
        }
        out += ret->str[row].len;
    }
    return WEIR_OK;
}

/* ---- length and case ------------------------------------------------------------------------- */

WEIR_SAFE_KERNEL(length, i4, (int32_t)weir_utf8_length(args[0].str[row]))
WEIR_SAFE_KERNEL(length_bpchar, i4, (int32_t)weir_utf8_length(weir_bpchar_trim(args[0].str[row])))
WEIR_SAFE_KERNEL(octet_length, i4, (int32_t)args[0].str[row].len)

WEIR_VALUE_KERNEL(lower, weir_utf8_lower(args[0].str[row], eval->arena, &ret->str[row]))
WEIR_VALUE_KERNEL(upper, weir_utf8_upper(args[0].str[row], eval->arena, &ret->str[row]))

/* ---- parts ----------------------------------------------------------------------------------- */

WEIR_VALUE_KERNEL(substring, weir_utf8_substring(args[0].str[row], args[1].i4[row], args[2].i4[row],
                                                 &ret->str[row], &verr))
WEIR_SAFE_KERNEL(substring_from, str, weir_utf8_substring_from(args[0].str[row], args[1].i4[row]))

/* The bytes from start (counted from 1, anywhere) up to end, which is not among them. */
static struct weir_str bytes_between(struct weir_str bytes, int64_t start, int64_t end)
{
    int64_t len = (int64_t)bytes.len;

    start = start < 1 ? 1 : start;
    end = end > len + 1 ? len + 1 : end;
    if (end <= start) {
        return (struct weir_str){ "", 0 };
    }
    return (struct weir_str){ bytes.data + start - 1, (size_t)(end - start) };
}

static int bytea_substring(struct weir_str bytes, int32_t start, int32_t count,
                           struct weir_str *ret, struct weir_value_error *verr)
{
    if (count < 0) {
        return weir_value_error_set(verr, "22011", "negative substring length not allowed");
    }
    *ret = bytes_between(bytes, start, (int64_t)start + count);
    return WEIR_OK;
}

WEIR_VALUE_KERNEL(substring_bytea, bytea_substring(args[0].str[row], args[1].i4[row],
                                                   args[2].i4[row], &ret->str[row], &verr))
WEIR_SAFE_KERNEL(substring_bytea_from, str,
                 bytes_between(args[0].str[row], args[1].i4[row], INT64_MAX))

/* How many characters count means: a negative one leaves out that many at the other end. */
static size_t chars_meant(struct weir_str text, int32_t count)
{
    if (count >= 0) {
        return (size_t)count;
    }
    int64_t left = (int64_t)weir_utf8_length(text) + count;
    return left < 0 ? 0 : (size_t)left;
}

static struct weir_str left_part(struct weir_str text, int32_t count)
{
    return (struct weir_str){ text.data, weir_utf8_offset(text, chars_meant(text, count)) };
}

static struct weir_str right_part(struct weir_str text, int32_t count)
{
    if (count == INT32_MIN) {
        return text; /* PostgreSQL negates it, and ends up leaving out nothing */
    }
    size_t chars = weir_utf8_length(text), meant = chars_meant(text, count);
    size_t offset = meant >= chars ? 0 : weir_utf8_offset(text, chars - meant);

    return (struct weir_str){ text.data + offset, text.len - offset };
}

WEIR_SAFE_KERNEL(left, str, left_part(args[0].str[row], args[1].i4[row]))
WEIR_SAFE_KERNEL(right, str, right_part(args[0].str[row], args[1].i4[row]))

/* ---- trimming -------------------------------------------------------------------------------- */

/* Bytes of the character that starts at data. */
static size_t char_bytes(const char *data, bool is_utf8)
{
    return is_utf8 ? weir_utf8_char_bytes((unsigned char)*data) : 1;
}

/* Whether one character is among those of the set. */
static bool is_in_set(struct weir_str one, struct weir_str set, bool is_utf8)
{
    for (size_t at = 0; at < set.len; at += char_bytes(set.data + at, is_utf8)) {
        struct weir_str member = { set.data + at, char_bytes(set.data + at, is_utf8) };
        if (weir_str_equal(one, member)) {
            return true;
        }
    }
    return false;
}

enum trim_ends { TRIM_LEFT = 1, TRIM_RIGHT = 2, TRIM_BOTH = 3 };

static struct weir_str trim(struct weir_str text, struct weir_str set, bool is_utf8,
                            enum trim_ends ends)
{
    while ((ends & TRIM_LEFT) != 0 && text.len != 0) {
        size_t bytes = char_bytes(text.data, is_utf8);
        if (!is_in_set((struct weir_str){ text.data, bytes }, set, is_utf8)) {
            break;
        }
        text.data += bytes;
        text.len -= bytes;
    }
    while ((ends & TRIM_RIGHT) != 0 && text.len != 0) {
        size_t start = text.len - 1;
        while (is_utf8 && start > 0 && ((unsigned char)text.data[start] & 0xc0) == 0x80) {
            start--;
        }
        if (!is_in_set((struct weir_str){ text.data + start, text.len - start }, set, is_utf8)) {
            break;
        }
        text.len = start;
    }
    return text;
}

#define TRIM(name, ends)                                                                     \
    WEIR_SAFE_KERNEL(name##_blanks, str, trim(args[0].str[row], WEIR_STR(" "), false, ends)) \
    WEIR_SAFE_KERNEL(name, str, trim(args[0].str[row], args[1].str[row], true, ends))        \
    WEIR_SAFE_KERNEL(name##_bytea, str, trim(args[0].str[row], args[1].str[row], false, ends))

TRIM(btrim, TRIM_BOTH)
TRIM(ltrim, TRIM_LEFT)
TRIM(rtrim, TRIM_RIGHT)

/* ---- searching ------------------------------------------------------------------------------- */

/* Byte offset of the first occurrence at or behind from; text.len + 1 when there is none. UTF-8 is
 * made so that bytes can be compared without regard to characters. */
static size_t find(struct weir_str text, struct weir_str part, size_t from)
{
    const char *found = from > text.len || part.len > text.len - from
                            ? NULL
                            : memmem(text.data + from, text.len - from, part.data, part.len);

    return found == NULL ? text.len + 1 : (size_t)(found - text.data);
}

static int32_t position(struct weir_str text, struct weir_str part, bool is_utf8)
{
    size_t at = part.len == 0 ? 0 : find(text, part, 0);

    if (at > text.len) {
        return 0;
    }
    return 1 + (int32_t)(is_utf8 ? weir_utf8_length((struct weir_str){ text.data, at }) : at);
}

static bool starts_with(struct weir_str text, struct weir_str part)
{
    return text.len >= part.len && weir_str_equal((struct weir_str){ text.data, part.len }, part);
}

WEIR_SAFE_KERNEL(position, i4, position(args[0].str[row], args[1].str[row], true))
WEIR_SAFE_KERNEL(position_bytea, i4, position(args[0].str[row], args[1].str[row], false))
WEIR_SAFE_KERNEL(starts_with, b, starts_with(args[0].str[row], args[1].str[row]))

static int replace(struct weir_str text, struct weir_str from, struct weir_str to,
                   struct weir_arena *arena, struct weir_str *ret)
{
    size_t count = 0, len = 0, last = 0;

    for (size_t at = 0; from.len != 0 && (at = find(text, from, at)) <= text.len; at += from.len) {
        count++;
    }
    if (count == 0) {
        *ret = text;
        return WEIR_OK;
    }
    char *out = weir_arena_alloc(arena, text.len - count * from.len + count * to.len + 1);
    if (out == NULL) {
        return WEIR_ENOMEM;
    }
    for (; count > 0; count--) {
        size_t at = find(text, from, last);
        memcpy(out + len, text.data + last, at - last);
        len += at - last;
        if (to.len != 0) {
            memcpy(out + len, to.data, to.len);
            len += to.len;
        }
        last = at + from.len;
    }
    memcpy(out + len, text.data + last, text.len - last);
    *ret = (struct weir_str){ out, len + text.len - last };
    return WEIR_OK;
}

WEIR_VALUE_KERNEL(replace, replace(args[0].str[row], args[1].str[row], args[2].str[row],
                                   eval->arena, &ret->str[row]))

/* ---- casts ----------------------------------------------------------------------------------- */

WEIR_SAFE_KERNEL(bpchar_to_text, str, weir_bpchar_trim(args[0].str[row]))
WEIR_VALUE_KERNEL(varchar_fit, weir_varchar_fit(args[0].str[row], eval->typmod,
                                                eval->cast_is_explicit, &ret->str[row], &verr))
WEIR_VALUE_KERNEL(bpchar_fit,
                  weir_bpchar_fit(args[0].str[row], eval->typmod, eval->cast_is_explicit,
                                  eval->arena, &ret->str[row], &verr))
