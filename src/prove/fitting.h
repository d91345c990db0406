/* fitting.h: a pipeline of the user's own: whether a proof can play it, and which messages it reads.
 *
 * It has to read one topic of JSON at ${WEIR_PROVE_BROKERS}, ${WEIR_PROVE_TOPIC}, and to write one table at
 * ${WEIR_PROVE_DSN}, with a column id in both; each message must come out as one row. What it reads and
 * writes is taken from what `weir explain` prints of it. */
#ifndef WEIR_PROVE_FITTING_H
#define WEIR_PROVE_FITTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/error.h"

enum {
    PROVE_COLUMNS_MAX = 64,
    PROVE_COLUMN_BYTES = 64,
    PROVE_MESSAGE_BYTES = 8192, /* room for so many columns with long names */
};

struct prove_column {
    char name[PROVE_COLUMN_BYTES];
    char type[PROVE_COLUMN_BYTES];
};

struct prove_fitting {
    struct prove_column columns[PROVE_COLUMNS_MAX]; /* that it reads */
    size_t column_count;
    char table[2 * PROVE_COLUMN_BYTES]; /* that it writes, qualified */
    bool is_upsert;                     /* a row replaces the one with its key */
    bool is_one_transaction;            /* a batch; else one for each output partition */
};

/* Whether the text of the file goes where it is told. WEIR_ECONFIG says what it lacks. */
int prove_fitting_check_text(const char *text, struct weir_error *err);
/* Whether it says where brokers are reached, so that a proxy may stand before them. */
bool prove_fitting_can_be_led(const char *text);
/* Reads what explain printed. WEIR_ECONFIG: why it cannot be played. */
int prove_fitting_read(const char *explained, struct prove_fitting *ret, struct weir_error *err);
/* The message of an id, as JSON: a pure function of seed and id. Returns its length. */
size_t prove_fitting_message(const struct prove_fitting *fitting, uint64_t seed, uint64_t id,
                             char ret[PROVE_MESSAGE_BYTES]);

#endif
