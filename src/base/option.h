/* option.h: options of connectors and pipelines, declared once in tables.
 *
 * A table row says name, kind, default and help; the parser, `weir explain` and docs/REFERENCE.md
 * are made from it. Values arrive as text; the checked form is a struct weir_option_value. */
#ifndef WEIR_BASE_OPTION_H
#define WEIR_BASE_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "weir/error.h"

enum weir_option_kind {
    WEIR_OPTION_TEXT,
    WEIR_OPTION_BOOL,     /* true, false, on, off, yes, no, 1, 0 */
    WEIR_OPTION_INTEGER,  /* decimal, within [min, max] */
    WEIR_OPTION_DURATION, /* '100 ms', '5 s', '2 min', '1 h', '1 d'; held in microseconds */
    WEIR_OPTION_BYTES,    /* '64 kB', '16 MB', '1 GB' (powers of 1024) or plain bytes */
    WEIR_OPTION_CHOICE,   /* one of the words in choices, separated by '|' */
};

struct weir_option_def {
    const char *name; /* "max_lateness"; "kafka.*" takes any name with that prefix */
    enum weir_option_kind kind;
    const char *default_text; /* NULL: there is none */
    int64_t min, max;         /* INTEGER, DURATION (us) and BYTES; both 0 means any */
    const char *choices;      /* CHOICE only */
    bool required;
    bool secret;   /* never shown */
    bool defining; /* part of what a pipeline means: counts in its fingerprint */
    const char *help;
};

/* One option as written; at is a byte offset in the pipeline file, for error messages. */
struct weir_option {
    struct weir_str name, text;
    uint32_t at;
};

struct weir_options {
    const struct weir_option *items;
    uint32_t count;
};

struct weir_option_value {
    struct weir_str text; /* as written, or the default */
    int64_t number;       /* BOOL 0 or 1, INTEGER, DURATION us, BYTES; CHOICE: index in choices */
    bool is_set;          /* written by the user */
};

/* The row of the table for a name ("kafka.*" for "kafka.client.id"); NULL when there is none. */
const struct weir_option_def *weir_option_find(const struct weir_option_def *defs,
                                               struct weir_str name);

/* Parses text by def. Fails with WEIR_ECONFIG, saying what is allowed. */
int weir_option_parse(const struct weir_option_def *def, struct weir_str text,
                      struct weir_option_value *ret, struct weir_error *err);

/* Checks a whole list against a table (ended by a row whose name is NULL): unknown, doubled,
 * missing and malformed options fail with WEIR_ECONFIG; *ret_at is then the offset of the
 * culprit (of nothing in particular when an option is missing: UINT32_MAX). Unknown names get a
 * hint with the nearest known one. */
int weir_options_check(const struct weir_option_def *defs, struct weir_options options,
                       uint32_t *ret_at, struct weir_error *err);

/* The checked value of one option of the table; its default when it was not written. The list has
 * passed weir_options_check(), so this cannot fail; an unknown name is an assertion. */
struct weir_option_value weir_options_get(const struct weir_option_def *defs,
                                          struct weir_options options, const char *name);

#endif
