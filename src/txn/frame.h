/* frame.h: the records that src/txn writes to the log, as structs and as bytes.
 *
 * IDENTITY says whose log this is; PLAN seals a batch before any output can be seen; VOID says
 * that nothing before it is to be used again. docs/FORMAT.md has the bytes; `weir wal dump`
 * prints them. */
#ifndef WEIR_TXN_FRAME_H
#define WEIR_TXN_FRAME_H

#include "base/variant.h"
#include "sink/sink.h"
#include "txn/ranges.h"
#include "wal/wal.h"

enum weir_frame_type {
    WEIR_FRAME_IDENTITY = 1,
    WEIR_FRAME_PLAN = 2,
    WEIR_FRAME_VOID = 3,
};

enum { WEIR_FRAME_VERSION = 1 };

/* A batch by identity: the same batch only if all three are equal (PROTOCOL rule 1; the plan's
 * digest covers the range ends). Batch 0 is the state before any, with zeros. */
struct weir_batch_id {
    uint64_t batch;
    int64_t t;
    struct weir_digest plan;
};

static inline bool weir_batch_id_equal(struct weir_batch_id a, struct weir_batch_id b)
{
    if (WEIR_VARIANT(identity_by_number)) {
        return a.batch == b.batch;
    }
    return a.batch == b.batch && a.t == b.t && weir_digest_equal(a.plan, b.plan);
}

struct weir_identity {
    uint8_t uuid[WEIR_UUID_BYTES]; /* the pipeline's */
    struct weir_str name;
    struct weir_digest fingerprint; /* of the definition in force from here on */
    struct weir_str definition;     /* its canonical text, to show what differs */
};

/* What one part of a batch holds, by sink and partition. */
struct weir_part_tally {
    uint64_t rows, dead;
    struct weir_digest digest;
};

struct weir_plan_frame {
    struct weir_batch_id id;
    struct weir_batch_id previous; /* the predecessor it stands on */
    uint32_t partitions;           /* P */
    struct weir_digest map;        /* of the partition map */
    struct weir_digest definition;
    uint64_t source_rows; /* records in the ranges, bad ones included */
    uint64_t done;        /* batches up to this one will never be sent again */
    bool is_done;         /* at_most_once: this one too, from here on */
    struct weir_ranges ranges;
    uint32_t sinks;
    struct weir_part_tally *tallies; /* sinks * partitions of them, partitions side by side */
};

struct weir_void_frame {
    struct weir_batch_id id; /* where to go on: the ledger's batch, or 0 at the very start */
    struct weir_ranges ends; /* empty ranges: the next batch begins here */
    struct weir_str reason;  /* for people */
};

/* The digest that names a plan: of pipeline, number, time, ranges, partition map and definition.
 * WEIR_ENOMEM. */
int weir_plan_digest(const uint8_t uuid[WEIR_UUID_BYTES], const struct weir_plan_frame *frame,
                     struct weir_digest *ret, struct weir_error *err);

void weir_identity_encode(const struct weir_identity *identity, struct weir_buf *ret);
void weir_plan_frame_encode(const struct weir_plan_frame *frame, struct weir_buf *ret);
void weir_void_frame_encode(const struct weir_void_frame *frame, struct weir_buf *ret);

/* Each reads one record of its type; what it points to lies in arena or in the record's bytes.
 * WEIR_ECORRUPT (the checksum was right, so this is a mistake of ours or a forged file),
 * WEIR_ECONFLICT with reason "log_version". */
int weir_identity_decode(const struct weir_wal_record *record, struct weir_identity *ret,
                         struct weir_error *err);
int weir_plan_frame_decode(const struct weir_wal_record *record, struct weir_arena *arena,
                           struct weir_plan_frame *ret, struct weir_error *err);
int weir_void_frame_decode(const struct weir_wal_record *record, struct weir_arena *arena,
                           struct weir_void_frame *ret, struct weir_error *err);

/* Appends one line that tells a record to people. */
void weir_frame_print(const struct weir_wal_record *record, struct weir_buf *ret);
/* Appends the members of a JSON object that tell it to programs: "kind":"plan",... */
void weir_frame_print_json(const struct weir_wal_record *record, struct weir_buf *ret);

#endif
