/* part.h: what one output partition of one batch holds, in memory, until the batch is released.
 *
 * Rows are encoded once, on write(), and kept with the record each came from, so that a part can
 * be sent again and a refused row can be told by its coordinates. Shared by all sinks that keep a
 * ledger; knows no server.
 *
 * N1  The tally is that of what was written, before any row was taken out: a rebuilt batch is
 *     compared by it.
 * N2  A table with a key has, after weir_part_seal(), at most one row for each key, the one with the
 *     highest (source, partition, offset), in the order of keys.
 * Checked by asserts tagged N2, tests/unit/sink/test_part.c. */
#ifndef WEIR_SINK_PART_H
#define WEIR_SINK_PART_H

#include "sink/sink.h"

/* Rows of one write(): numbers from first on, up to the first of the next run. */
struct weir_part_run {
    uint32_t first;
    uint32_t source;
    enum weir_on_error on_error;
};

/* A row in the order of keys. Most comparisons end at the first bytes of the key. */
struct weir_part_place {
    uint64_t prefix;
    uint32_t row;
};

struct weir_part_table {
    const struct weir_sink_table *target;
    struct weir_buf bytes;              /* tuples of COPY BINARY, one behind the other */
    size_t *ends;                       /* of each row in bytes */
    const struct weir_record **origins; /* of each row */
    uint32_t rows, rows_max;            /* rows: all that were written and not taken out */
    struct weir_part_run *runs;
    uint32_t run_count, run_max;
    struct weir_buf keys; /* with a key: see row_key.h */
    size_t *key_ends;
    struct weir_part_place *order; /* with a key, once sealed: the rows to send, by key */
    uint32_t order_count;
};

/* A record that goes to the dead letters. */
struct weir_part_letter {
    const struct weir_record *record;
    uint32_t source;
    char sqlstate[6];
    uint32_t text_at; /* in letter_texts, NUL-terminated */
};

struct weir_part {
    struct weir_part_table *tables; /* in the order of the sink's tables */
    uint32_t table_count;
    struct weir_part_letter *letters;
    uint32_t letter_count, letter_max;
    struct weir_buf letter_texts;
    struct weir_sink_tally tally;
    uint64_t refused; /* rows taken out since */
    bool sealed;
};

/* Tables are borrowed for the part's life. WEIR_ENOMEM. */
int weir_part_init(struct weir_part *part, const struct weir_sink_table *tables, uint32_t count,
                   struct weir_error *err);
void weir_part_fini(struct weir_part *part);
/* Forgets everything, keeps the memory. */
void weir_part_reset(struct weir_part *part);

/* Adds the rows of a chunk, as write() of sink.h. WEIR_ENOMEM, WEIR_EDATA. */
int weir_part_write(struct weir_part *part, uint32_t table, uint32_t source,
                    enum weir_on_error on_error, const struct weir_chunk *chunk,
                    struct weir_arena *scratch, struct weir_error *err);
/* Adds a dead letter. counted: it came by dead_letter() and is part of the tally. WEIR_ENOMEM. */
int weir_part_add_letter(struct weir_part *part, uint32_t source,
                         const struct weir_dead_letter *letter, bool counted,
                         struct weir_error *err);
/* No more rows: collapses and sorts tables with a key. */
void weir_part_seal(struct weir_part *part);
/* Forgets rows, dead letters and the tally: what the ledger is to say of a part that is dropped. */
void weir_part_discard_rows(struct weir_part *part);

/* How many rows of a table are to be sent, and which row is the i-th of them. */
uint32_t weir_part_send_count(const struct weir_part_table *table);
uint32_t weir_part_send_row(const struct weir_part_table *table, uint32_t i);
/* The bytes of a row, a tuple of COPY BINARY. */
struct weir_str weir_part_row(const struct weir_part_table *table, uint32_t row);
/* The key of a row of a table with a key, see row_key.h. */
struct weir_str weir_part_key(const struct weir_part_table *table, uint32_t row);
/* The run to which a row belongs. */
const struct weir_part_run *weir_part_run_of(const struct weir_part_table *table, uint32_t row);

/* Takes rows out of a table: count row numbers, rising. Numbers of later rows change; a sealed
 * table with a key is collapsed anew, so a row that a refused one had replaced comes back. */
void weir_part_take_out(struct weir_part *part, uint32_t table, const uint32_t *rows,
                        uint32_t count);

/* A row that the server refuses, and its words. */
struct weir_part_culprit {
    uint32_t row;
    char sqlstate[6];
    const char *text;
};

/* Does with refused rows of a table (in rising order) what their sources' on_error says: dead
 * letter, or only out. ret_skipped counts the latter, on top of what it holds. With a row whose
 * source says fail, nothing changes and it is WEIR_EDATA, with the record's coordinates. */
int weir_part_refuse(struct weir_part *part, const struct weir_sink_args *args, uint32_t table,
                     const struct weir_part_culprit *culprits, uint32_t count,
                     uint64_t *ret_skipped, struct weir_error *err);

#endif
