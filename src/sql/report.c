/* report.c: the one place that writes messages about a pipeline file.
 *
 * Uses  only src/base. A message must fit struct weir_error: long lines are cut around the caret.
 * R1    The caret stands under the character meant, also behind tabs (copied into the caret's line)
 *       and characters of more than one byte, or two columns wide.
 * R2    No secret of the file is in a message: lines and messages go through redact.c.
 * Checked by tests/unit/sql/test_report.c. */
#include "sql/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "sql/redact.h"

enum { SHOWN_BYTES_BEFORE = 120, SHOWN_BYTES_AFTER = 60, MESSAGE_BYTES_MAX = 400 };

static bool starts_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

/* The code point that begins at data[0]; the text has been checked to be UTF-8 or is shown as is. */
static uint32_t code_point(const char *data, size_t len)
{
    unsigned char first = (unsigned char)data[0];
    uint32_t value = first;
    size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;

    if (more > 0) {
        value = first & (0x3fU >> more);
    }
    for (size_t i = 1; i <= more && i < len; i++) {
        value = value << 6 | ((unsigned char)data[i] & 0x3f);
    }
    return value;
}

/* Columns that a terminal gives to a character: the East Asian wide ones take two, marks that sit
 * on the character before them none. */
static uint32_t terminal_columns(uint32_t c)
{
    if ((c >= 0x300 && c <= 0x36f) || c == 0x200b || c == 0x200d || (c >= 0xfe00 && c <= 0xfe0f)) {
        return 0;
    }
    if ((c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
        (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
        (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
        (c >= 0x1f300 && c <= 0x1f64f) || (c >= 0x1f900 && c <= 0x1f9ff) ||
        (c >= 0x20000 && c <= 0x3fffd)) {
        return 2;
    }
    return 1;
}

void weir_sql_locate(struct weir_str text, uint32_t at, uint32_t *ret_line, uint32_t *ret_column)
{
    uint32_t line = 1, column = 1;

    for (size_t i = 0; i < at && i < text.len; i++) {
        if (text.data[i] == '\n') {
            line++;
            column = 1;
        } else if (i + 1 >= text.len || starts_character(text.data[i + 1])) {
            column++;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

/* The part of the line around at that is shown: [*ret_first, *ret_end) of text. */
static void shown_part(struct weir_str text, size_t at, size_t *ret_first, size_t *ret_end)
{
    size_t first = at, end = at;

    while (first > 0 && text.data[first - 1] != '\n' && at - first < SHOWN_BYTES_BEFORE) {
        first--;
    }
    while (first < at && !starts_character(text.data[first])) {
        first++;
    }
    while (end < text.len && text.data[end] != '\n' && text.data[end] != '\r' &&
           (end - at < SHOWN_BYTES_AFTER || !starts_character(text.data[end]))) {
        end++;
    }
    *ret_first = first;
    *ret_end = end;
}

static void append_excerpt(struct weir_buf *buf, struct weir_str text, size_t at)
{
    size_t first, end;

    shown_part(text, at, &first, &end);
    weir_buf_append_text(buf, "\n    ");
    size_t shown = buf->len;
    redact_text((struct weir_str){ text.data + first, end - first }, true, buf);
    for (size_t i = shown; i < buf->len; i++) { /* a terminal must not obey what a file holds */
        if ((buf->data[i] < ' ' && buf->data[i] != '\t') || buf->data[i] == 0x7f) {
            buf->data[i] = '?';
        }
    }
    weir_buf_append_text(buf, "\n    ");
    for (size_t i = first; i < at; i++) { /* R1 */
        if (text.data[i] == '\t') {
            weir_buf_append_text(buf, "\t");
        } else if (starts_character(text.data[i])) {
            uint32_t columns = terminal_columns(code_point(text.data + i, text.len - i));
            weir_buf_append(buf, "  ", columns);
        }
    }
    weir_buf_append_text(buf, "^");
}

static int finish(const struct weir_sql *sql, struct weir_buf *buf, const char *hint)
{
    int rc;

    if (hint != NULL) {
        weir_buf_printf(buf, "\nhint: %s", hint);
    }
    if (buf->failed) {
        rc = weir_sql_no_memory(sql);
    } else {
        rc = weir_error_set(sql->err, WEIR_ECONFIG, "%.*s", (int)buf->len, (const char *)buf->data);
    }
    weir_buf_fini(buf);
    return rc;
}

int weir_sql_fail(const struct weir_sql *sql, uint32_t at, const char *hint, const char *fmt, ...)
{
    struct weir_buf buf = { 0 };
    char message[MESSAGE_BYTES_MAX];
    uint32_t line, column;
    va_list args;

    if (at > sql->text.len) {
        at = (uint32_t)sql->text.len;
    }
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    weir_sql_locate(sql->text, at, &line, &column);
    weir_buf_printf(&buf, "%s:%u:%u: error: ", sql->file, line, column);
    redact_text(weir_str_from(message), false, &buf);
    append_excerpt(&buf, sql->text, at);
    return finish(sql, &buf, hint);
}

int weir_sql_fail_file(const struct weir_sql *sql, const char *hint, const char *fmt, ...)
{
    struct weir_buf buf = { 0 };
    char message[MESSAGE_BYTES_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    weir_buf_printf(&buf, "%s: error: ", sql->file);
    redact_text(weir_str_from(message), false, &buf);
    return finish(sql, &buf, hint);
}

int weir_sql_no_memory(const struct weir_sql *sql)
{
    return weir_error_set(sql->err, WEIR_ENOMEM, "out of memory while reading %s", sql->file);
}

const char *weir_sql_format(const struct weir_sql *sql, const char *fmt, ...)
{
    va_list args;
    int need;

    va_start(args, fmt);
    need = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *ret = need < 0 ? NULL : weir_arena_alloc(sql->arena, (size_t)need + 1);
    if (ret != NULL) {
        va_start(args, fmt);
        (void)vsnprintf(ret, (size_t)need + 1, fmt, args);
        va_end(args);
    }
    return ret;
}
