/* option.c: turns option text into checked values, and finds what is wrong with a list.
 *
 * O1  weir_options_get() only reads lists that weir_options_check() has passed; a value that does
 *     not parse there is a mistake of ours.
 * Checked by asserts tagged O1 and tests/unit/base/test_option.c. */
#include "base/option.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit duration_units[] = {
    { "us", 1 },          { "ms", 1000 },         { "s", 1000000 },
    { "sec", 1000000 },   { "second", 1000000 },  { "seconds", 1000000 },
    { "min", 60000000 },  { "minute", 60000000 }, { "minutes", 60000000 },
    { "h", 3600000000 },  { "hour", 3600000000 }, { "hours", 3600000000 },
    { "d", 86400000000 }, { "day", 86400000000 }, { "days", 86400000000 },
    { NULL, 0 },
};

static const struct unit byte_units[] = {
    { "", 1 },         { "B", 1 },         { "kB", 1024 },       { "KiB", 1024 },
    { "MB", 1048576 }, { "MiB", 1048576 }, { "GB", 1073741824 }, { "GiB", 1073741824 },
    { NULL, 0 },
};

static struct weir_str trim(struct weir_str text)
{
    while (text.len > 0 && isspace((unsigned char)text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && isspace((unsigned char)text.data[text.len - 1])) {
        text.len--;
    }
    return text;
}

/* Takes a decimal integer off the front of *text. Returns false when there is none or it does not
 * fit. */
static bool take_integer(struct weir_str *text, int64_t *ret)
{
    bool negative = text->len > 0 && text->data[0] == '-';
    size_t at = negative ? 1 : 0;
    size_t first = at;
    int64_t value = 0;

    for (; at < text->len && isdigit((unsigned char)text->data[at]); at++) {
        int digit = text->data[at] - '0';
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) {
            return false; /* built up as a negative number, which reaches one further */
        }
    }
    if (at == first || (!negative && value == INT64_MIN)) {
        return false;
    }
    *ret = negative ? value : -value;
    text->data += at;
    text->len -= at;
    return true;
}

static bool parse_with_unit(struct weir_str text, const struct unit *units, int64_t *ret)
{
    int64_t number;

    if (!take_integer(&text, &number)) {
        return false;
    }
    text = trim(text);
    for (; units->name != NULL; units++) {
        if (text.len == strlen(units->name) && strncasecmp(text.data, units->name, text.len) == 0) {
            return !__builtin_mul_overflow(number, units->factor, ret);
        }
    }
    return false;
}

static bool parse_bool(struct weir_str text, int64_t *ret)
{
    static const char *const words[] = { "false", "true", "off", "on", "no", "yes", "0", "1" };

    for (int i = 0; i < 8; i++) {
        if (text.len == strlen(words[i]) && strncasecmp(text.data, words[i], text.len) == 0) {
            *ret = i % 2;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const char *choices, struct weir_str text, int64_t *ret)
{
    for (int64_t index = 0; choices != NULL; index++) {
        size_t len = strcspn(choices, "|");
        if (weir_str_equal(text, (struct weir_str){ choices, len })) {
            *ret = index;
            return true;
        }
        choices = choices[len] == '\0' ? NULL : choices + len + 1;
    }
    return false;
}

static bool parse_kind(const struct weir_option_def *def, struct weir_str text, int64_t *ret)
{
    switch (def->kind) {
    case WEIR_OPTION_TEXT:
        *ret = 0;
        return true;
    case WEIR_OPTION_BOOL:
        return parse_bool(text, ret);
    case WEIR_OPTION_INTEGER:
        return take_integer(&text, ret) && text.len == 0;
    case WEIR_OPTION_DURATION:
        return parse_with_unit(text, duration_units, ret);
    case WEIR_OPTION_BYTES:
        return parse_with_unit(text, byte_units, ret);
    case WEIR_OPTION_CHOICE:
        return parse_choice(def->choices, text, ret);
    }
    return false;
}

/* What a user may write, for messages. */
static void describe(const struct weir_option_def *def, char *ret, size_t ret_bytes)
{
    switch (def->kind) {
    case WEIR_OPTION_BOOL:
        (void)snprintf(ret, ret_bytes, "true or false");
        break;
    case WEIR_OPTION_INTEGER:
        (void)snprintf(ret, ret_bytes, "an integer");
        break;
    case WEIR_OPTION_DURATION:
        (void)snprintf(ret, ret_bytes, "a duration such as '100 ms', '5 s' or '2 min'");
        break;
    case WEIR_OPTION_BYTES:
        (void)snprintf(ret, ret_bytes, "a size such as '64 kB' or '16 MB'");
        break;
    case WEIR_OPTION_CHOICE:
        (void)snprintf(ret, ret_bytes, "one of %s", def->choices);
        break;
    case WEIR_OPTION_TEXT:
        (void)snprintf(ret, ret_bytes, "text");
        break;
    }
}

int weir_option_parse(const struct weir_option_def *def, struct weir_str text,
                      struct weir_option_value *ret, struct weir_error *err)
{
    struct weir_str word = def->kind == WEIR_OPTION_TEXT ? text : trim(text);
    char allowed[256];
    int64_t number;

    if (!parse_kind(def, word, &number)) {
        describe(def, allowed, sizeof(allowed));
        return weir_error_set(err, WEIR_ECONFIG, "option %s: '%.*s' is not %s", def->name,
                              WEIR_STR_ARG(text), allowed);
    }
    if ((def->min != 0 || def->max != 0) && (number < def->min || number > def->max)) {
        return weir_error_set(err, WEIR_ECONFIG,
                              "option %s: '%.*s' is out of range (%lld to %lld%s)", def->name,
                              WEIR_STR_ARG(text), (long long)def->min, (long long)def->max,
                              def->kind == WEIR_OPTION_DURATION ? " microseconds"
                              : def->kind == WEIR_OPTION_BYTES  ? " bytes"
                                                                : "");
    }
    *ret = (struct weir_option_value){ .text = text, .number = number, .is_set = true };
    return WEIR_OK;
}

static bool name_matches(const struct weir_option_def *def, struct weir_str name)
{
    size_t len = strlen(def->name);

    if (len > 1 && def->name[len - 1] == '*') {
        return name.len > len - 1 && memcmp(name.data, def->name, len - 1) == 0;
    }
    return weir_str_equal(name, weir_str_from(def->name));
}

const struct weir_option_def *weir_option_find(const struct weir_option_def *defs,
                                               struct weir_str name)
{
    for (; defs->name != NULL; defs++) {
        if (name_matches(defs, name)) {
            return defs;
        }
    }
    return NULL;
}

static int unknown(const struct weir_option_def *defs, struct weir_str name, struct weir_error *err)
{
    const char *nearest = NULL;
    size_t best = 4; /* further away is no help */

    for (; defs->name != NULL; defs++) {
        size_t away = weir_str_distance(name, weir_str_from(defs->name));
        if (away < best) {
            best = away;
            nearest = defs->name;
        }
    }
    if (nearest == NULL) {
        return weir_error_set(err, WEIR_ECONFIG, "unknown option \"%.*s\"", WEIR_STR_ARG(name));
    }
    return weir_error_set(err, WEIR_ECONFIG, "unknown option \"%.*s\"; did you mean \"%s\"?",
                          WEIR_STR_ARG(name), nearest);
}

static const struct weir_option *find_option(struct weir_options options, const char *name)
{
    for (uint32_t i = 0; i < options.count; i++) {
        if (weir_str_equal(options.items[i].name, weir_str_from(name))) {
            return &options.items[i];
        }
    }
    return NULL;
}

int weir_options_check(const struct weir_option_def *defs, struct weir_options options,
                       uint32_t *ret_at, struct weir_error *err)
{
    for (uint32_t i = 0; i < options.count; i++) {
        const struct weir_option *option = &options.items[i];
        const struct weir_option_def *def = weir_option_find(defs, option->name);
        struct weir_option_value value;

        *ret_at = option->at;
        if (def == NULL) {
            return unknown(defs, option->name, err);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (weir_str_equal(options.items[j].name, option->name)) {
                return weir_error_set(err, WEIR_ECONFIG, "option \"%.*s\" is given twice",
                                      WEIR_STR_ARG(option->name));
            }
        }
        int rc = weir_option_parse(def, option->text, &value, err);
        if (rc != WEIR_OK) {
            return rc;
        }
    }
    *ret_at = UINT32_MAX;
    for (; defs->name != NULL; defs++) {
        if (defs->required && find_option(options, defs->name) == NULL) {
            return weir_error_set(err, WEIR_ECONFIG, "option \"%s\" is missing: %s", defs->name,
                                  defs->help);
        }
    }
    return WEIR_OK;
}

struct weir_option_value weir_options_get(const struct weir_option_def *defs,
                                          struct weir_options options, const char *name)
{
    const struct weir_option_def *def = weir_option_find(defs, weir_str_from(name));
    const struct weir_option *option = find_option(options, name);
    struct weir_option_value ret = { 0 };

    weir_assert(def != NULL);
    if (option != NULL) {
        int rc = weir_option_parse(def, option->text, &ret, NULL);
        weir_assert(rc == WEIR_OK); /* O1 */
    } else if (def->default_text != NULL) {
        int rc = weir_option_parse(def, weir_str_from(def->default_text), &ret, NULL);
        weir_assert(rc == WEIR_OK); /* O1 */
        ret.is_set = false;
    }
    return ret;
}
