/* fitting.c: reads what `weir explain` says of a pipeline, and makes messages for it. */
#include "prove/fitting.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "prove/moment.h"

enum { MAKE_DAY = 28, MAKE_MINUTES = 60, MAKE_SMALL = 1000 };

/* Values of one type as JSON, from 64 random bits. */
typedef int make_fn(char *ret, size_t room, uint64_t bits);

static int make_number(char *ret, size_t room, uint64_t bits)
{
    return snprintf(ret, room, "%" PRIu64, bits % MAKE_SMALL);
}

static int make_fraction(char *ret, size_t room, uint64_t bits)
{
    return snprintf(ret, room, "%" PRIu64 ".5", bits % 10);
}

static int make_text(char *ret, size_t room, uint64_t bits)
{
    return snprintf(ret, room, "\"%016" PRIx64 "\"", bits);
}

static int make_flag(char *ret, size_t room, uint64_t bits)
{
    return snprintf(ret, room, "%s", bits % 2 == 0 ? "false" : "true");
}

static int make_date(char *ret, size_t room, uint64_t bits)
{
    return snprintf(ret, room, "\"2024-01-%02" PRIu64 "\"", 1 + bits % MAKE_DAY);
}

static int make_time(char *ret, size_t room, uint64_t bits)
{
    return snprintf(ret, room, "\"2024-01-%02" PRIu64 "T12:%02" PRIu64 ":00Z\"",
                    1 + bits % MAKE_DAY, bits / MAKE_DAY % MAKE_MINUTES);
}

static int make_uuid(char *ret, size_t room, uint64_t bits)
{
    return snprintf(ret, room, "\"%08" PRIx64 "-0000-4000-8000-%012" PRIx64 "\"", bits >> 32,
                    bits & 0xffffffff);
}

static int make_object(char *ret, size_t room, uint64_t bits)
{
    return snprintf(ret, room, "{\"n\":%" PRIu64 "}", bits % MAKE_SMALL);
}

/* By how the name of the type begins. Longer names before those they begin with. */
static const struct {
    const char *type;
    make_fn *make;
} makers[] = {
    { "bigint", make_number },
    { "integer", make_number },
    { "smallint", make_number },
    { "numeric", make_fraction },
    { "double precision", make_fraction },
    { "real", make_fraction },
    { "text", make_text },
    { "character varying", make_text },
    { "varchar", make_text },
    { "boolean", make_flag },
    { "date", make_date },
    { "timestamp", make_time },
    { "uuid", make_uuid },
    { "json", make_object },
};

static make_fn *maker_of(const char *type)
{
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        if (strncmp(type, makers[i].type, strlen(makers[i].type)) == 0) {
            return makers[i].make;
        }
    }
    return NULL;
}

int prove_fitting_check_text(const char *text, struct weir_error *err)
{
    static const char *const wanted[] = { "${WEIR_PROVE_BROKERS", "${WEIR_PROVE_TOPIC",
                                          "${WEIR_PROVE_DSN" };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (strstr(text, wanted[i]) == NULL) {
            return weir_error_set(err, WEIR_ECONFIG,
                                  "the pipeline does not use %s}: it would read or write "
                                  "elsewhere than where the proof plays",
                                  wanted[i]);
        }
    }
    return WEIR_OK;
}

bool prove_fitting_can_be_led(const char *text)
{
    return strstr(text, "${WEIR_PROVE_BROKER_ADDRESSES") != NULL;
}

/* The line behind the first one that begins with a word. NULL: none. */
static const char *find_line(const char *text, const char *start)
{
    while (text != NULL && strncmp(text, start, strlen(start)) != 0) {
        text = strchr(text, '\n');
        text = text == NULL ? NULL : text + 1;
    }
    return text;
}

static size_t count_lines(const char *text, const char *start)
{
    size_t count = 0;

    for (text = find_line(text, start); text != NULL; text = find_line(text + 1, start)) {
        count++;
    }
    return count;
}

/* "id bigint, amount numeric(12,2), _offset": a comma within a type has no space behind it. */
static int read_columns(const char *line, struct prove_fitting *ret, struct weir_error *err)
{
    const char *end = line + strcspn(line, "\n");

    while (line < end && ret->column_count < PROVE_COLUMNS_MAX) {
        struct prove_column *column = &ret->columns[ret->column_count];
        const char *comma = strstr(line, ", ");
        const char *stop = comma != NULL && comma < end ? comma : end;
        size_t name = strcspn(line, " ,\n");
        if (line[0] != '_') { /* else the source makes it */
            const char *type = line + name + 1;
            (void)snprintf(column->name, sizeof(column->name), "%.*s", (int)name, line);
            (void)snprintf(column->type, sizeof(column->type), "%.*s",
                           type < stop ? (int)(stop - type) : 0, type);
            if (maker_of(column->type) == NULL) {
                return weir_error_set(err, WEIR_ECONFIG,
                                      "the pipeline reads column %s of type %s, which prove "
                                      "cannot make",
                                      column->name, column->type);
            }
            ret->column_count++;
        }
        line = stop == end ? end : stop + strlen(", ");
    }
    return WEIR_OK;
}

static bool has_id(const struct prove_fitting *fitting)
{
    for (size_t i = 0; i < fitting->column_count; i++) {
        if (strcmp(fitting->columns[i].name, "id") == 0) {
            return strcmp(fitting->columns[i].type, "bigint") == 0;
        }
    }
    return false;
}

int prove_fitting_read(const char *explained, struct prove_fitting *ret, struct weir_error *err)
{
    static const char reads[] = "  reads                ";
    static const char writes[] = "  table ";
    const char *columns = find_line(explained, reads);
    const char *table = find_line(explained, writes);
    int rc;

    *ret = (struct prove_fitting){ 0 };
    if (count_lines(explained, "source ") != 1 || count_lines(explained, writes) != 1 ||
        columns == NULL || table == NULL) {
        return weir_error_set(err, WEIR_ECONFIG,
                              "prove plays pipelines from one topic to one table, and this one has "
                              "%zu sources and %zu tables",
                              count_lines(explained, "source "), count_lines(explained, writes));
    }
    if (strstr(explained, "`- filter ") != NULL) {
        return weir_error_set(err, WEIR_ECONFIG,
                              "the pipeline has a WHERE: rows that it leaves out cannot be told "
                              "from rows that were lost");
    }
    rc = read_columns(columns + strlen(reads), ret, err);
    if (rc == WEIR_OK && !has_id(ret)) {
        rc = weir_error_set(
            err, WEIR_ECONFIG,
            "the pipeline reads no column id of type bigint: prove knows rows by it");
    }
    table += strlen(writes);
    (void)snprintf(ret->table, sizeof(ret->table), "%.*s", (int)strcspn(table, ":\n"), table);
    ret->is_upsert = strstr(explained, ": rows are appended\n") == NULL;
    ret->is_one_transaction = strstr(explained, "and output partition\n") == NULL;
    return rc;
}

size_t prove_fitting_message(const struct prove_fitting *fitting, uint64_t seed, uint64_t id,
                             char ret[PROVE_MESSAGE_BYTES])
{
    size_t len = 0;

    for (size_t i = 0; i < fitting->column_count; i++) {
        const struct prove_column *column = &fitting->columns[i];
        len += (size_t)snprintf(ret + len, PROVE_MESSAGE_BYTES - len,
                                "%c\"%s\":", i == 0 ? '{' : ',', column->name);
        if (strcmp(column->name, "id") == 0) {
            len += (size_t)snprintf(ret + len, PROVE_MESSAGE_BYTES - len, "%" PRIu64, id);
        } else {
            len += (size_t)maker_of(column->type)(ret + len, PROVE_MESSAGE_BYTES - len,
                                                  prove_mix(seed + 1 + i, id));
        }
    }
    ret[len++] = '}';
    return len;
}
