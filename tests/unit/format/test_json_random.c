/* test_json_random.c: random and mutated JSON against a slow reader of RFC 8259.
 *
 * The reader below is written straight from the grammar, character by character, and shares nothing
 * with the decoder. Whatever both are given, they must agree on whether it is a JSON object. */
#include <stdlib.h>

#include "chunk/utf8.h"
#include "format/json_format.h"
#include "format/json_text.h"
#include "tests/support/test.h"
#include "tests/unit/format/decode.h"

enum { TEXT_BYTES = 2048, ROUNDS = 20000 };

static uint64_t seed = 42;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % sides;
}

/* ---- the slow reader ---- */

struct slow {
    const char *at, *end;
    int depth;
};

static bool slow_value(struct slow *in);

static void slow_space(struct slow *in)
{
    while (in->at < in->end && strchr(" \t\r\n", *in->at) != NULL && *in->at != '\0') {
        in->at++;
    }
}

static bool slow_char(struct slow *in, char c)
{
    if (in->at == in->end || *in->at != c) {
        return false;
    }
    in->at++;
    return true;
}

static int slow_hex(struct slow *in)
{
    char text[5] = "";

    for (int i = 0; i < 4; i++) {
        if (in->at == in->end || *in->at == '\0' ||
            strchr("0123456789abcdefABCDEF", *in->at) == NULL) {
            return -1;
        }
        text[i] = *in->at++;
    }
    return (int)strtol(text, NULL, 16);
}

static bool slow_escape(struct slow *in)
{
    if (in->at == in->end || *in->at == '\0') {
        return false;
    }
    char c = *in->at++;
    if (c != 'u') {
        return strchr("\"\\/bfnrt", c) != NULL;
    }
    int code = slow_hex(in);
    if (code >= 0xd800 && code <= 0xdbff) {
        if (!slow_char(in, '\\') || !slow_char(in, 'u')) {
            return false;
        }
        code = slow_hex(in);
        return code >= 0xdc00 && code <= 0xdfff;
    }
    return code >= 0 && (code < 0xdc00 || code > 0xdfff);
}

static bool slow_string(struct slow *in)
{
    if (!slow_char(in, '"')) {
        return false;
    }
    while (in->at < in->end) {
        unsigned char c = (unsigned char)*in->at++;
        if (c == '"') {
            return true;
        }
        if (c < 0x20 || (c == '\\' && !slow_escape(in))) {
            return false;
        }
    }
    return false;
}

static bool slow_digits(struct slow *in)
{
    const char *first = in->at;

    while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
        in->at++;
    }
    return in->at > first;
}

static bool slow_number(struct slow *in)
{
    (void)slow_char(in, '-');
    if (!slow_char(in, '0') && !slow_digits(in)) {
        return false;
    }
    if (slow_char(in, '.') && !slow_digits(in)) {
        return false;
    }
    if (slow_char(in, 'e') || slow_char(in, 'E')) {
        if (!slow_char(in, '+')) {
            (void)slow_char(in, '-');
        }
        return slow_digits(in);
    }
    return true;
}

static bool slow_word(struct slow *in, const char *word)
{
    for (; *word != '\0'; word++) {
        if (!slow_char(in, *word)) {
            return false;
        }
    }
    return true;
}

/* An object or an array behind its opening bracket. */
static bool slow_members(struct slow *in, char close)
{
    if (++in->depth > JSON_DEPTH_MAX) {
        return false;
    }
    slow_space(in);
    if (slow_char(in, close)) {
        in->depth--;
        return true;
    }
    for (;;) {
        slow_space(in);
        if (close == '}') {
            if (!slow_string(in)) {
                return false;
            }
            slow_space(in);
            if (!slow_char(in, ':')) {
                return false;
            }
        }
        if (!slow_value(in)) {
            return false;
        }
        slow_space(in);
        if (slow_char(in, close)) {
            in->depth--;
            return true;
        }
        if (!slow_char(in, ',')) {
            return false;
        }
    }
}

static bool slow_value(struct slow *in)
{
    slow_space(in);
    char c = in->at < in->end ? *in->at : '\0';
    switch (c) {
    case '{':
    case '[':
        in->at++;
        return slow_members(in, c == '{' ? '}' : ']');
    case '"':
        return slow_string(in);
    case 't':
        return slow_word(in, "true");
    case 'f':
        return slow_word(in, "false");
    case 'n':
        return slow_word(in, "null");
    default:
        return slow_number(in);
    }
}

static bool slow_is_object(struct weir_str text)
{
    struct slow in = { text.data, text.data + text.len, 0 };
    struct weir_value_error verr;

    slow_space(&in);
    if (in.at == in.end || *in.at != '{' || !slow_value(&in)) {
        return false;
    }
    slow_space(&in);
    /* A zero byte is no UTF-8 to SQL; in valid JSON there is none anyway. */
    return in.at == in.end && weir_utf8_check(text, &verr) == WEIR_OK;
}

/* ---- random messages ---- */

struct text {
    char data[TEXT_BYTES];
    size_t len;
};

static void put(struct text *to, const char *what)
{
    size_t len = strlen(what);

    if (to->len + len < TEXT_BYTES) {
        memcpy(to->data + to->len, what, len);
        to->len += len;
    }
}

static void put_space(struct text *to)
{
    static const char *const spaces[] = { "", "", "", "", " ", "\n", "\t ", "\r\n" };

    put(to, spaces[dice(8)]);
}

static void put_string(struct text *to)
{
    static const char *const pieces[] = { "a",  "bc",   "\xc3\xa9", "\xf0\x9f\x98\x80", "\\n",
                                          " ",  "\\\"", "\\u00e9",  "\\ud83d\\ude00",   "\\\\",
                                          "{}", ",:[]", "0",        "0123456789abcdef", "/" };

    put(to, "\"");
    for (uint32_t i = dice(6); i > 0; i--) {
        put(to, pieces[dice(15)]);
    }
    put(to, "\"");
}

static void put_value(struct text *to, int depth)
{
    static const char *const leaves[] = { "true", "false", "null", "0",    "-1",
                                          "12.5", "1e9",   "-0.0", "1E+2", "18446744073709551616" };
    uint32_t kind = dice(depth > 4 ? 2 : 4);

    put_space(to);
    if (kind == 0) {
        put_string(to);
    } else if (kind == 1) {
        put(to, leaves[dice(10)]);
    } else {
        put(to, kind == 2 ? "{" : "[");
        for (uint32_t i = dice(4); i > 0; i--) {
            put_space(to);
            if (kind == 2) {
                put_string(to);
                put_space(to);
                put(to, ":");
            }
            put_value(to, depth + 1);
            put_space(to);
            put(to, i > 1 ? "," : "");
        }
        put(to, kind == 2 ? "}" : "]");
    }
    put_space(to);
}

static void put_message(struct text *to)
{
    static const char *const names[] = { "\"n\"", "\"x\"", "\"t\"", "\"j\"" };

    to->len = 0;
    put(to, "{");
    for (uint32_t i = 0, count = dice(5); i < count; i++) {
        put_space(to);
        put(to, names[i]);
        put(to, ":");
        put_value(to, 1);
        put(to, i + 1 < count ? "," : "");
    }
    put(to, "}");
    put_space(to);
}

static void mutate(struct text *text)
{
    static const char marks[] = "{}[]:,\"\\ue0-1. \n\x01\x80\xff\x0c\x1a";

    for (uint32_t i = dice(3); i > 0 && text->len > 1; i--) {
        size_t at = dice((uint32_t)text->len);
        switch (dice(4)) {
        case 0:
            text->data[at] = marks[dice(sizeof(marks) - 1)];
            break;
        case 1: /* cut out */
            memmove(text->data + at, text->data + at + 1, text->len - at - 1);
            text->len--;
            break;
        case 2: /* put in */
            if (text->len + 1 < TEXT_BYTES) {
                memmove(text->data + at + 1, text->data + at, text->len - at);
                text->data[at] = marks[dice(sizeof(marks) - 1)];
                text->len++;
            }
            break;
        default:
            text->len = at; /* the rest is lost */
            break;
        }
    }
}

/* */
static void both_readers_agree(void **state)
{
    static const struct weir_format_column none[] = { { "n", { WEIR_TYPE_TEXT, -1 } } };
    static struct text text;
    struct decode decode;
    uint32_t good = 0;

    (void)state;
    decode_open(&decode, &weir_json_format_ops, none, 0, (struct weir_options){ 0 });
    for (int round = 0; round < ROUNDS; round++) {
        put_message(&text);
        mutate(&text);
        struct weir_str whole = { text.data, text.len };
        bool want = slow_is_object(whole);
        decode_text(&decode, whole);
        if (decode.errors.count == 1 && strcmp(decode.errors.items[0].sqlstate, "22030") == 0) {
            continue; /* a mutation has made two keys equal: no matter of grammar */
        }
        if (want != (decode.chunk.rows == 1)) {
            print_error("round %d: %.*s\n%s\n", round, (int)text.len, text.data,
                        decode.errors.count == 1 ? decode.errors.items[0].text : "accepted");
        }
        assert_int_equal(decode.chunk.rows == 1, want);
        good += want;
    }
    assert_true(good > ROUNDS / 10 && good < ROUNDS * 9 / 10); /* neither side is rare */
    decode_close(&decode);
}

/* Every type, on texts good and bad: whatever comes of it, nothing is read or written out of bounds. */
static void no_type_trips_over_anything(void **state)
{
    static const char *const names[] = { "n", "x", "t", "j" };
    static struct text text;
    struct decode decode;

    (void)state;
    for (int type = 0; type < WEIR_TYPE_COUNT; type++) {
        struct weir_format_column columns[4];
        for (int c = 0; c < 4; c++) {
            columns[c] = (struct weir_format_column){ names[c], { (enum weir_type_id)type, -1 } };
        }
        decode_open(&decode, &weir_json_format_ops, columns, 4, (struct weir_options){ 0 });
        for (int round = 0; round < ROUNDS / 20; round++) {
            put_message(&text);
            mutate(&text);
            decode_text(&decode, (struct weir_str){ text.data, text.len });
            assert_int_equal(decode.chunk.rows + decode.errors.count, 1);
        }
        decode_close(&decode);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_readers_agree),
        cmocka_unit_test(no_type_trips_over_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
