/* kafka_reader.h: where one partition stands, and what each thing heard of it means.
 *
 * Pure: no librdkafka, no clock. A reader begins at a position. When that has a witness, fetching
 * starts at the witness, and nothing counts until it has been compared (VERIFY).
 *
 *   begin ---> VERIFY ---> READ ---> DONE        DONE: read up to until; what follows is dropped
 *      \___________________^ \______/^
 *
 * KR1  at.next only rises but by begin() and skip().
 * KR2  No record is taken twice, before at.next, at or behind until, or before the witness was seen.
 * Checked by tests/unit/source/test_kafka_reader.c. */
#ifndef WEIR_SOURCE_KAFKA_READER_H
#define WEIR_SOURCE_KAFKA_READER_H

#include "source/witness.h"

enum kafka_reader_phase { READER_DONE, READER_VERIFY, READER_READ };

struct kafka_reader {
    enum kafka_reader_phase phase;
    struct weir_position at;
    int64_t until; /* INT64_MAX: no end */
    int64_t end;   /* the end of the partition when last heard; -1: not yet */
    bool at_end;   /* nothing was there behind at.next, and nothing has come since */
};

enum kafka_reader_verdict {
    READER_TAKE,     /* the record is the next one */
    READER_DROP,     /* seen before, or not asked for */
    READER_REPLACED, /* another record stands where the witness was */
};

/* What the log's limits say about a position. */
enum kafka_reader_fit {
    READER_FITS,
    READER_WITNESS_LOST, /* retention took the witness, but nothing unread */
    READER_LOST,         /* retention took records that were not read yet */
    READER_DIVERGED,     /* the log ends before the position */
};

void kafka_reader_begin(struct kafka_reader *reader, struct weir_position at, int64_t until);

/* Where fetching has to start. */
static inline int64_t kafka_reader_fetch_offset(const struct kafka_reader *reader)
{
    return reader->phase == READER_VERIFY ? reader->at.witness_offset : reader->at.next;
}

enum kafka_reader_verdict kafka_reader_record(struct kafka_reader *reader,
                                              const struct weir_record *record);

/* Everything before end has come. False when that contradicts the position: the log's limits must
 * be asked for. */
bool kafka_reader_end(struct kafka_reader *reader, int64_t end);

enum kafka_reader_fit kafka_reader_judge(const struct kafka_reader *reader, int64_t low,
                                         int64_t high);

/* Goes on without the witness. */
void kafka_reader_forget_witness(struct kafka_reader *reader);
/* Goes on at next, whatever was there before. */
void kafka_reader_skip(struct kafka_reader *reader, int64_t next);

#endif
