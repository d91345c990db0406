/* json_format.c: JSON objects to columns, by the names of the columns.
 *
 * Messages of a topic look alike: the k-th field of a message is mostly that of the one before. So
 * each place remembers what stood there, and a name is hashed only when it is another one. What is
 * remembered never changes a result, only its cost (F2).
 *
 * F1, F2 of format.h.
 * JF1  The whole message is checked, fields that no column names included.
 * JF2  A key that stands twice at the top level is an error, whether or not a column has its name.
 * Checked by tests/unit/format/test_json_format.c. */
#include "format/json_format.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "format/json_value.h"

enum {
    PLACES_MAX = 64, /* fields of a message that are remembered */
    PLACE_NAME_BYTES = 40,
    UNKNOWN_FEW = 16,
    UNKNOWN_MAX = 1024, /* fields without a column in one message */
    ERROR_TEXT_BYTES = 512,
};

static const struct weir_option_def json_options[] = {
    { .name = "null_value",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "error",
      .choices = "error|skip",
      .defining = true,
      .help = "what a message without a value (a tombstone) is: an error, or no row" },
    { .name = "timestamp_format",
      .kind = WEIR_OPTION_CHOICE,
      .default_text = "text",
      .choices = "text|s|ms|us",
      .defining = true,
      .help =
          "what a JSON number in a timestamp column counts since 1970: seconds, milliseconds or "
          "microseconds. text: numbers are refused there. Strings are always read as "
          "PostgreSQL reads them" },
    { .name = "message_bytes_max",
      .kind = WEIR_OPTION_BYTES,
      .default_text = "16 MB",
      .min = 1,
      .max = 256 << 20,
      .defining = true,
      .help = "a longer message is an error" },
    { .name = NULL },
};

struct json_column {
    char *name;
    size_t name_bytes;
    struct weir_type type;
    uint64_t stamp; /* the message in which it was met last */
};

/* What stood at one place of the messages before. */
struct json_place {
    uint64_t name[PLACE_NAME_BYTES / 8]; /* without escapes, zeros behind */
    uint16_t name_bytes;                 /* 0: nothing is remembered */
    uint16_t column;                     /* no_column: a field that no column names */
};

static const uint16_t no_column = UINT16_MAX;

struct json_format {
    struct json_indexer *indexer;
    struct json_column *columns;
    uint32_t column_count;
    uint16_t *slots; /* column by hash of its name; no_column: empty */
    uint32_t slot_mask;
    struct json_place places[PLACES_MAX];
    struct json_value_options value_options;
    size_t bytes_max;
    bool skip_nulls;
    uint64_t stamp; /* of the message under way */
    uint64_t unknown_fields;
    struct weir_str unknown[UNKNOWN_MAX]; /* fields of the message under way */
};

/* What one call of decode() works with. */
struct json_decoding {
    struct json_format *self;
    struct weir_arena *arena;
    struct weir_chunk *chunk;
    uint64_t **valid; /* of each column; NULL: no null so far */
    uint32_t capacity;
    uint32_t unknown_count; /* in the message under way */
    char text[ERROR_TEXT_BYTES];
    char sqlstate[6];
};

/* ---- columns by name ---- */

static uint16_t find_column(const struct json_format *self, struct weir_str name)
{
    uint32_t slot = (uint32_t)weir_hash64(name.data, name.len) & self->slot_mask;

    for (; self->slots[slot] != no_column; slot = (slot + 1) & self->slot_mask) {
        const struct json_column *column = &self->columns[self->slots[slot]];
        if (column->name_bytes == name.len && memcmp(column->name, name.data, name.len) == 0) {
            return self->slots[slot];
        }
    }
    return no_column;
}

/* Whether the name at this place is the one that was there before. Compares by words, because a call
 * costs more than the usual name; up to seven bytes behind the name are read and ignored. */
static bool is_known(const struct json_place *place, struct weir_str name)
{
    uint32_t word = 0;
    uint64_t bytes;

    if (place->name_bytes != name.len || name.len == 0) {
        return false;
    }
    for (; (word + 1) * 8 <= name.len; word++) {
        memcpy(&bytes, name.data + word * 8, sizeof(bytes));
        if (bytes != place->name[word]) {
            return false;
        }
    }
    uint32_t rest = name.len % 8;
    if (rest == 0) {
        return true;
    }
    memcpy(&bytes, name.data + word * 8, sizeof(bytes));
    return ((bytes ^ place->name[word]) & ((UINT64_C(1) << (rest * 8)) - 1)) == 0;
}

static void remember(struct json_place *place, struct weir_str name, uint16_t column)
{
    place->name_bytes = 0;
    if (name.len <= PLACE_NAME_BYTES) {
        memset(place->name, 0, sizeof(place->name));
        memcpy(place->name, name.data, name.len);
        place->name_bytes = (uint16_t)name.len;
        place->column = column;
    }
}

static int make_slots(struct json_format *self, struct weir_error *err)
{
    uint32_t count = 16;

    while (count < self->column_count * 2) {
        count *= 2;
    }
    self->slots = malloc(count * sizeof(*self->slots));
    if (self->slots == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u columns", self->column_count);
    }
    memset(self->slots, 0xff, count * sizeof(*self->slots));
    self->slot_mask = count - 1;
    for (uint32_t c = 0; c < self->column_count; c++) {
        const struct json_column *column = &self->columns[c];
        uint32_t slot = (uint32_t)weir_hash64(column->name, column->name_bytes) & self->slot_mask;
        while (self->slots[slot] != no_column) {
            slot = (slot + 1) & self->slot_mask;
        }
        self->slots[slot] = (uint16_t)c;
    }
    return WEIR_OK;
}

/* ---- life ---- */

static void json_close(void *context)
{
    struct json_format *self = context;

    if (self == NULL) {
        return;
    }
    for (uint32_t c = 0; c < self->column_count; c++) {
        free(self->columns[c].name);
    }
    free(self->columns);
    free(self->slots);
    json_indexer_free(self->indexer);
    free(self);
}

static int copy_columns(struct json_format *self, const struct weir_format_args *args,
                        struct weir_error *err)
{
    self->columns = calloc(args->column_count + 1, sizeof(*self->columns));
    if (self->columns == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u columns", args->column_count);
    }
    for (uint32_t c = 0; c < args->column_count; c++) {
        struct json_column *column = &self->columns[c];
        column->type = args->columns[c].type;
        column->name_bytes = strlen(args->columns[c].name);
        column->name = strdup(args->columns[c].name);
        if (column->name == NULL) {
            return weir_error_set(err, WEIR_ENOMEM, "no memory for %u columns", args->column_count);
        }
        self->column_count++;
    }
    return make_slots(self, err);
}

static int json_open(const struct weir_format_args *args, void **ret_self, struct weir_error *err)
{
    static const int64_t units_us[] = { 0, 1000000, 1000, 1 }; /* as timestamp_format's choices */
    struct json_format *self = calloc(1, sizeof(*self));

    weir_assert(args->column_count < no_column);
    if (self == NULL) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for a decoder");
    }
    self->skip_nulls = weir_options_get(json_options, args->options, "null_value").number == 1;
    self->bytes_max =
        (size_t)weir_options_get(json_options, args->options, "message_bytes_max").number;
    self->value_options.timestamp_unit_us =
        units_us[weir_options_get(json_options, args->options, "timestamp_format").number];
    self->indexer = json_indexer_new();
    int rc = self->indexer == NULL ? weir_error_set(err, WEIR_ENOMEM, "no memory for a decoder")
                                   : copy_columns(self, args, err);
    if (rc != WEIR_OK) {
        json_close(self);
        return rc;
    }
    *ret_self = self;
    return WEIR_OK;
}

/* ---- one message ---- */

static int bad(struct json_decoding *in, const char *sqlstate, const char *fmt, ...)
    WEIR_PRINTF(3, 4);
static int bad(struct json_decoding *in, const char *sqlstate, const char *fmt, ...)
{
    va_list args;

    memcpy(in->sqlstate, sqlstate, sizeof(in->sqlstate));
    va_start(args, fmt);
    (void)vsnprintf(in->text, sizeof(in->text), fmt, args); /* cut: for people */
    va_end(args);
    return WEIR_EDATA;
}

static int bad_text(struct json_decoding *in, const char *wrong)
{
    return bad(in, wrong == json_too_deep ? "54000" : "22P02", "invalid JSON: %s", wrong);
}

static int set_null(struct json_decoding *in, uint32_t column, uint32_t row)
{
    if (in->valid[column] == NULL) {
        in->valid[column] = weir_bitmap_alloc(in->arena, in->capacity, true);
        if (in->valid[column] == NULL) {
            return WEIR_ENOMEM;
        }
        in->chunk->vecs[column].valid = in->valid[column];
    }
    weir_bitmap_clear(in->valid[column], row);
    return WEIR_OK;
}

static int store(struct json_decoding *in, uint16_t index, const struct json_value *value,
                 uint32_t row)
{
    struct json_column *column = &in->self->columns[index];
    struct weir_value_error verr;

    if (column->stamp == in->self->stamp) {
        return bad(in, "22030", "duplicate key \"%s\"", column->name); /* JF2 */
    }
    column->stamp = in->self->stamp;
    if (value->kind == JSON_NULL) {
        return set_null(in, index, row);
    }
    int rc = json_value_store(value, &in->self->value_options, &in->chunk->vecs[index], row,
                              in->arena, &verr);
    return rc == WEIR_EDATA ? bad(in, verr.sqlstate, "field \"%s\": %s", column->name, verr.text)
                            : rc;
}

/* Remembers a field that no column names, to see whether it stands there twice. */
static int note_unknown(struct json_decoding *in, struct weir_str name)
{
    if (in->unknown_count == UNKNOWN_MAX) {
        return bad(in, "54000", "more than %d fields that no column names", UNKNOWN_MAX);
    }
    in->self->unknown[in->unknown_count++] = name;
    return WEIR_OK;
}

static int compare_names(const void *a, const void *b)
{
    const struct weir_str *left = a;
    const struct weir_str *right = b;

    return left->len != right->len ? (left->len > right->len) - (left->len < right->len)
                                   : weir_str_compare(*left, *right);
}

/* Brings equal names side by side; few names are cheaper to sort by hand. */
static void sort_names(struct weir_str *names, uint32_t count)
{
    if (count > UNKNOWN_FEW) {
        qsort(names, count, sizeof(names[0]), compare_names);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct weir_str name = names[i];
        uint32_t to = i;
        for (; to > 0 && compare_names(&names[to - 1], &name) > 0; to--) {
            names[to] = names[to - 1];
        }
        names[to] = name;
    }
}

static int check_unknown(struct json_decoding *in)
{
    struct weir_str *names = in->self->unknown;

    sort_names(names, in->unknown_count);
    for (uint32_t i = 1; i < in->unknown_count; i++) {
        if (weir_str_equal(names[i - 1], names[i])) {
            return bad(in, "22030", "duplicate key \"%.*s\"", WEIR_STR_ARG(names[i]));
        }
    }
    in->self->unknown_fields += in->unknown_count;
    return WEIR_OK;
}

/* A key and its colon; whose field it is, and its name for messages. */
static int take_key(struct json_decoding *in, struct json_text *text, struct json_place *place,
                    struct weir_str *ret_name, uint16_t *ret_column)
{
    struct json_value key;

    if (json_peek(text) != '"') {
        return bad_text(in, "a key must be a string");
    }
    struct weir_str raw = json_peek_token(text);
    struct weir_str inner = { raw.data + 1, raw.len - 2 };
    if (raw.len > 2 && raw.data[raw.len - 1] == '"' && is_known(place, inner)) {
        text->next++; /* as before, so it has no escapes either */
        *ret_name = inner;
        *ret_column = place->column;
    } else {
        const char *wrong = json_take_string(text, &key);
        wrong = wrong == NULL ? json_string(&key, in->arena, ret_name) : wrong;
        if (wrong != NULL) {
            return bad_text(in, wrong);
        }
        if (ret_name->data == NULL) {
            return WEIR_ENOMEM;
        }
        *ret_column = find_column(in->self, *ret_name);
        if (!key.has_escapes) {
            remember(place, *ret_name, *ret_column);
        }
    }
    if (json_peek(text) != ':') {
        return bad_text(in, "a colon is missing behind a key");
    }
    text->next++;
    return WEIR_OK;
}

static int take_field(struct json_decoding *in, struct json_text *text, uint32_t place,
                      uint32_t row)
{
    struct json_place *known = &in->self->places[place < PLACES_MAX ? place : PLACES_MAX - 1];
    struct json_value value;
    struct weir_str name;
    uint16_t column = no_column;
    int rc = take_key(in, text, known, &name, &column);

    if (rc != WEIR_OK) {
        return rc;
    }
    const char *wrong = json_take_value(text, &value);
    if (wrong != NULL) {
        return bad(in, wrong == json_too_deep ? "54000" : "22P02",
                   "field \"%.*s\": invalid JSON: %s", WEIR_STR_ARG(name), wrong);
    }
    return column == no_column ? note_unknown(in, name) : store(in, column, &value, row);
}

static int take_object(struct json_decoding *in, struct json_text *text, uint32_t row)
{
    uint32_t place = 0;

    if (json_peek(text) != '{') {
        return bad(in, "22P02", "the message is not a JSON object");
    }
    text->next++;
    if (json_peek(text) == '}') {
        text->next++;
        return WEIR_OK;
    }
    for (;; place++) {
        int rc = take_field(in, text, place, row);
        if (rc != WEIR_OK) {
            return rc;
        }
        char c = json_peek(text);
        text->next++;
        if (c == '}') {
            return WEIR_OK;
        }
        if (c != ',') {
            return bad_text(in, "a comma or a closing brace is missing");
        }
    }
}

static int index_text(struct json_decoding *in, struct weir_str value, struct json_text *ret)
{
    *ret = (struct json_text){ .data = value.data };
    if (value.len > in->self->bytes_max) {
        return bad(in, "54000", "the message has %zu bytes, more than message_bytes_max",
                   value.len);
    }
    switch (json_index(in->self->indexer, value.data, value.len, &ret->at, &ret->count)) {
    case JSON_INDEX_OK:
        return WEIR_OK;
    case JSON_INDEX_NO_MEMORY:
        return WEIR_ENOMEM;
    case JSON_INDEX_EMPTY:
        return bad_text(in, "the text is empty");
    case JSON_INDEX_BAD_UTF8:
        return bad(in, "22021", "invalid byte sequence for encoding \"UTF8\"");
    case JSON_INDEX_UNCLOSED_STRING:
        return bad_text(in, "a string is not closed");
    case JSON_INDEX_CONTROL_CHARACTER:
        return bad_text(in, "a string holds a control character without escape");
    case JSON_INDEX_BAD_TEXT:
        break;
    }
    return bad_text(in, "the text cannot be read");
}

/* Fields that did not come are NULL. */
static int finish_row(struct json_decoding *in, uint32_t row)
{
    for (uint32_t c = 0; c < in->self->column_count; c++) {
        if (in->self->columns[c].stamp != in->self->stamp) {
            int rc = set_null(in, c, row);
            if (rc != WEIR_OK) {
                return rc;
            }
        }
    }
    return WEIR_OK;
}

static int decode_row(struct json_decoding *in, const struct weir_record *record, uint32_t row)
{
    struct json_text text;

    in->self->stamp++;
    in->unknown_count = 0;
    if (record->value_is_null) {
        return bad(in, "22004",
                   "the message has no value (a tombstone); see the option null_value");
    }
    int rc = index_text(in, record->value, &text);
    if (rc == WEIR_OK) {
        rc = take_object(in, &text, row);
    }
    if (rc == WEIR_OK && text.next < text.count) {
        rc = bad_text(in, "something follows the object");
    }
    if (rc == WEIR_OK && in->unknown_count > 0) {
        rc = check_unknown(in);
    }
    return rc == WEIR_OK ? finish_row(in, row) : rc;
}

/* ---- a chunk ---- */

/* The row of a bad message is used again: what it set to NULL is undone. */
static void undo_row(struct json_decoding *in, uint32_t row)
{
    for (uint32_t c = 0; c < in->self->column_count; c++) {
        if (in->valid[c] != NULL) {
            weir_bitmap_set(in->valid[c], row);
        }
    }
}

static int add_error(struct json_decoding *in, uint32_t record, uint32_t records_max,
                     struct weir_decode_errors *errors)
{
    struct weir_str text = weir_str_from(in->text);

    if (errors->items == NULL) {
        errors->items = weir_arena_calloc(in->arena, records_max, sizeof(*errors->items));
    }
    char *copy = errors->items == NULL ? NULL : weir_arena_copy(in->arena, text);
    if (copy == NULL) {
        return WEIR_ENOMEM;
    }
    struct weir_row_error *error = &errors->items[errors->count++];
    error->row = record;
    error->text = copy;
    memcpy(error->sqlstate, in->sqlstate, sizeof(error->sqlstate));
    return WEIR_OK;
}

static int start_chunk(struct json_decoding *in, uint32_t capacity)
{
    struct json_format *self = in->self;

    in->capacity = capacity;
    in->valid = weir_arena_calloc(in->arena, self->column_count + 1, sizeof(*in->valid));
    in->chunk->columns = self->column_count;
    in->chunk->vecs =
        weir_arena_calloc(in->arena, self->column_count + 1, sizeof(*in->chunk->vecs));
    if (in->valid == NULL || in->chunk->vecs == NULL) {
        return WEIR_ENOMEM;
    }
    for (uint32_t c = 0; c < self->column_count; c++) {
        in->chunk->vecs[c] = weir_vec_alloc(in->arena, self->columns[c].type, capacity);
        if (in->chunk->vecs[c].data == NULL) {
            return WEIR_ENOMEM;
        }
    }
    return WEIR_OK;
}

/* Bits behind the last row are clear in a finished chunk. */
static void trim_bitmaps(struct json_decoding *in, uint32_t rows)
{
    for (uint32_t c = 0; c < in->self->column_count; c++) {
        for (uint32_t row = rows; in->valid[c] != NULL && row < in->capacity; row++) {
            weir_bitmap_clear(in->valid[c], row);
        }
    }
}

static int decode_rows(struct json_decoding *in, const struct weir_record *records, uint32_t count,
                       struct weir_decode_errors *errors)
{
    const struct weir_record **origins = weir_arena_calloc(in->arena, count + 1, sizeof(*origins));
    uint32_t row = 0;
    int rc = origins == NULL ? WEIR_ENOMEM : start_chunk(in, count);

    for (uint32_t i = 0; i < count && rc == WEIR_OK; i++) {
        if (records[i].value_is_null && in->self->skip_nulls) {
            continue;
        }
        rc = decode_row(in, &records[i], row);
        if (rc == WEIR_OK) {
            origins[row++] = &records[i];
        } else if (rc == WEIR_EDATA) {
            undo_row(in, row);
            rc = add_error(in, i, count, errors);
        }
    }
    if (rc == WEIR_OK) {
        trim_bitmaps(in, row);
        in->chunk->rows = row;
        in->chunk->origins = origins;
    }
    return rc;
}

static int json_decode(void *context, const struct weir_record *records, uint32_t count,
                       struct weir_arena *arena, struct weir_chunk *ret,
                       struct weir_decode_errors *ret_errors, struct weir_error *err)
{
    struct json_format *self = context;
    struct weir_chunk chunk = { 0 };
    struct weir_decode_errors errors = { 0 };
    struct json_decoding in = { .self = self, .arena = arena, .chunk = &chunk };

    weir_assert(count <= WEIR_CHUNK_ROWS_MAX);
    if (decode_rows(&in, records, count, &errors) != WEIR_OK) {
        return weir_error_set(err, WEIR_ENOMEM, "no memory for %u rows", count);
    }
    json_indexer_trim(self->indexer);
    *ret = chunk;
    *ret_errors = errors;
    return WEIR_OK;
}

static uint64_t json_unknown_fields(void *context)
{
    const struct json_format *self = context;

    return self->unknown_fields;
}

const struct weir_format_ops weir_json_format_ops = {
    .name = "json",
    .options = json_options,
    .open = json_open,
    .decode = json_decode,
    .unknown_fields = json_unknown_fields,
    .close = json_close,
};
