/* redact.c: finds what looks like a secret in text that a user wrote.
 *
 * D1  Better too much starred than too little: what follows a word like "password" and an equals
 *     sign is starred up to the end of the value, whatever the quotes around it.
 * Checked by tests/unit/sql/test_report.c and test_plan.c. */
#include "sql/redact.h"

#include <ctype.h>
#include <strings.h>

static const char *const secret_words[] = { "password", "passwd",  "secret",  "token",
                                            "api_key",  "api.key", "ssl.key", NULL };

static const char *secret_word_at(struct weir_str text, size_t at)
{
    for (const char *const *word = secret_words; *word != NULL; word++) {
        size_t len = strlen(*word);
        if (text.len - at >= len && strncasecmp(text.data + at, *word, len) == 0) {
            return *word;
        }
    }
    return NULL;
}

/* Behind a secret word at `at`: where its value begins and ends. False when no value follows. */
static bool value_behind(struct weir_str text, size_t at, size_t *ret_first, size_t *ret_end)
{
    size_t i = at, quotes = 0;

    while (i < text.len &&
           (isalnum((unsigned char)text.data[i]) || text.data[i] == '_' || text.data[i] == '.')) {
        i++;
    }
    while (i < text.len && (text.data[i] == '"' || text.data[i] == ' ')) {
        i++;
    }
    if (i == text.len || text.data[i] != '=') {
        return false;
    }
    i++;
    while (i < text.len && text.data[i] == ' ') {
        i++;
    }
    while (i < text.len && text.data[i] == '\'' && quotes < 2) { /* doubled inside a literal */
        i++;
        quotes++;
    }
    *ret_first = i;
    while (i < text.len && text.data[i] != '\n' && text.data[i] != '\'' &&
           (quotes > 0 || (!isspace((unsigned char)text.data[i]) && text.data[i] != '&'))) {
        i++;
    }
    *ret_end = i;
    return true;
}

/* Behind "://": the password of user:password@, if there is one. */
static bool password_in_url(struct weir_str text, size_t at, size_t *ret_first, size_t *ret_end)
{
    size_t colon = SIZE_MAX, end = SIZE_MAX;

    for (size_t i = at; i < text.len && strchr("/?#'\" \t\r\n", text.data[i]) == NULL; i++) {
        if (text.data[i] == ':' && colon == SIZE_MAX) {
            colon = i;
        } else if (text.data[i] == '@') {
            end = i;
        }
    }
    if (colon == SIZE_MAX || end == SIZE_MAX || end < colon) {
        return false;
    }
    *ret_first = colon + 1;
    *ret_end = end;
    return true;
}

static void append_stars(struct weir_str hidden, bool keep_columns, struct weir_buf *ret)
{
    if (!keep_columns) {
        weir_buf_append_text(ret, "***");
        return;
    }
    for (size_t i = 0; i < hidden.len; i++) {
        if (((unsigned char)hidden.data[i] & 0xc0) != 0x80) {
            weir_buf_append_text(ret, "*");
        }
    }
}

void redact_text(struct weir_str text, bool keep_columns, struct weir_buf *ret)
{
    for (size_t i = 0; i < text.len;) {
        size_t first, end;
        const char *word = secret_word_at(text, i);
        bool is_url = text.len - i > 3 && memcmp(text.data + i, "://", 3) == 0;
        bool hide = word != NULL ? value_behind(text, i + strlen(word), &first, &end)
                    : is_url     ? password_in_url(text, i + 3, &first, &end)
                                 : false;
        if (!hide) {
            weir_buf_append(ret, text.data + i, 1);
            i++;
            continue;
        }
        weir_buf_append(ret, text.data + i, first - i);
        append_stars((struct weir_str){ text.data + first, end - first }, keep_columns, ret);
        i = end;
    }
}

void redact_option(const struct weir_option_def *def, struct weir_str name, struct weir_str text,
                   struct weir_buf *ret)
{
    bool secret = def != NULL && def->secret;

    for (size_t i = 0; i < name.len && !secret; i++) { /* D1 */
        secret = secret_word_at(name, i) != NULL;
    }
    if (secret) {
        weir_buf_append_text(ret, "***");
    } else {
        redact_text(text, false, ret);
    }
}
