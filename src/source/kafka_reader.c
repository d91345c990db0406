/* kafka_reader.c: the moves of one partition's reader. */
#include "source/kafka_reader.h"

#include "base/assert.h"

static void advance(struct kafka_reader *reader, int64_t next)
{
    weir_assert(next >= reader->at.next); /* KR1 */
    reader->at.next = next;
    if (next >= reader->until) {
        reader->phase = READER_DONE;
    }
}

void kafka_reader_begin(struct kafka_reader *reader, struct weir_position at, int64_t until)
{
    reader->at = at;
    reader->until = until;
    reader->end = -1;
    reader->at_end = false;
    reader->phase = at.next >= until         ? READER_DONE
                    : at.witness_offset >= 0 ? READER_VERIFY
                                             : READER_READ;
}

void kafka_reader_forget_witness(struct kafka_reader *reader)
{
    if (reader->phase == READER_VERIFY) {
        reader->phase = READER_READ;
    }
}

void kafka_reader_skip(struct kafka_reader *reader, int64_t next)
{
    kafka_reader_begin(reader, weir_position_first(next), reader->until);
}

enum kafka_reader_verdict kafka_reader_record(struct kafka_reader *reader,
                                              const struct weir_record *record)
{
    reader->at_end = false;
    if (reader->phase == READER_VERIFY) {
        if (record->offset < reader->at.witness_offset) {
            return READER_DROP;
        }
        if (record->offset == reader->at.witness_offset) {
            if (weir_record_digest(record) != reader->at.witness_digest) {
                return READER_REPLACED;
            }
            reader->phase = READER_READ;
            return READER_DROP;
        }
        reader->phase = READER_READ; /* compacted away since: nothing to compare with */
    }
    if (reader->phase == READER_DONE || record->offset < reader->at.next) {
        return READER_DROP; /* KR2 */
    }
    if (record->offset >= reader->until) {
        advance(reader, reader->until); /* nothing visible was left before it */
        return READER_DROP;
    }
    advance(reader, record->offset + 1);
    return READER_TAKE;
}

bool kafka_reader_end(struct kafka_reader *reader, int64_t end)
{
    if (reader->phase == READER_DONE) {
        return true;
    }
    if (end < reader->at.next) {
        return false;
    }
    kafka_reader_forget_witness(reader); /* fetched from there on, and it did not come */
    reader->end = end;
    reader->at_end = true;
    advance(reader, end < reader->until ? end : reader->until);
    return true;
}

enum kafka_reader_fit kafka_reader_judge(const struct kafka_reader *reader, int64_t low,
                                         int64_t high)
{
    if (reader->phase == READER_DONE) {
        return READER_FITS;
    }
    if (reader->at.next < low) {
        return READER_LOST;
    }
    if (reader->at.next > high) {
        return READER_DIVERGED;
    }
    if (reader->phase == READER_VERIFY && reader->at.witness_offset < low) {
        return READER_WITNESS_LOST;
    }
    return READER_FITS;
}
