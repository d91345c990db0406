/* fail_point.h: named places at which a test makes this process die, stand still, wait or fail.
 *
 * A step of the code has a point before and one after it: step `sink_commit_send` has the points
 * sink_commit_send_before and sink_commit_send_after. In a build with -Dfail_points=true the
 * environment says what happens at them:
 *
 *     WEIR_FAIL=POINT:ACTION[:NTH][,...]   ACTION: kill, stop, delay, delay=MS, fail
 *
 * at the NTH time (1 unless given) that the point is passed. `fail` behaves as the step's own failure
 * would: an I/O error of the log, or a server that is away. In other builds nothing of it is
 * compiled in.
 *
 * FP1  A name that is not in the table does not compile; a row of the table that is nowhere in the
 *      code is found by tests/integration/test_fail_points.py, which dies at every one of them.
 * FP2  Nothing happens before weir_fail_point_init() has read the environment.
 * Threads  Points may be passed on any thread, and in a signal handler. */
#ifndef WEIR_BASE_FAIL_POINT_H
#define WEIR_BASE_FAIL_POINT_H

#include "weir/error.h"

/* One row a step: name, the code with which it fails, what it is. Grouped by the stages of a batch's
 * life. WEIR_EIO stops the pipeline and a restart recovers; WEIR_EAWAY is tried again; WEIR_OK: there
 * is no way in which this step fails. */
#define WEIR_FAIL_STEP_TABLE(X)                                                               \
    X(start_open_dir, WEIR_EIO, "the data directory is looked for, or made")                  \
    X(start_lock, WEIR_EIO, "the data directory is locked")                                   \
    X(start_read_segment, WEIR_EIO, "one segment of the log is read")                         \
    X(start_remove_unfinished, WEIR_EIO, "a segment that was never finished is removed")      \
    X(start_write_again, WEIR_EIO, "records that none later proves are written again")        \
    X(start_cut_tail, WEIR_EIO, "a torn tail is cut off")                                     \
    X(start_create_file, WEIR_EIO, "the first segment of a new log is made")                  \
    X(start_create_fill, WEIR_EIO, "it is filled with zeros, and its header written")         \
    X(start_create_rename, WEIR_EIO, "it gets its name")                                      \
    X(start_create_sync_dir, WEIR_EIO, "that name is made durable")                           \
    X(start_mark, WEIR_EIO, "the log is marked as opened")                                    \
    X(start_discover, WEIR_EAWAY, "the source's partitions are asked for")                    \
    X(start_install, WEIR_EAWAY, "schema weir is made or checked")                            \
    X(start_enroll, WEIR_EAWAY, "the ledger's rows are made")                                 \
    X(start_take, WEIR_EAWAY, "the generation is taken from another instance")                \
    X(start_claim, WEIR_EAWAY, "one sink is claimed, from its tables to its generation")      \
    X(start_read_ledger, WEIR_EAWAY, "the ledger is read under our own generation")           \
    X(start_compare, WEIR_EIO, "log and ledgers are compared")                                \
    X(start_identity, WEIR_EIO, "the identity record is appended")                            \
    X(start_positions, WEIR_EAWAY, "the first positions are chosen")                          \
    X(start_repartition, WEIR_EAWAY, "a ledger gets rows for another number of partitions")   \
    X(start_seek, WEIR_EAWAY, "the source is told where to read")                             \
    X(read_first_record, WEIR_EIO, "a batch is opened by its first record")                   \
    X(read_fetch, WEIR_EIO, "fetched records are handed out")                                 \
    X(read_decode, WEIR_EIO, "records become rows")                                           \
    X(compute_operator, WEIR_EIO, "one operator works on a chunk")                            \
    X(plan_assign_t, WEIR_EIO, "the batch gets its time")                                     \
    X(plan_choose_range, WEIR_EIO, "the batch's ranges are fixed, behind its last record")    \
    X(plan_seal, WEIR_EIO, "the batch is closed: tallies, digest of the plan")                \
    X(plan_append, WEIR_EIO, "the plan is given to the log")                                  \
    X(log_write, WEIR_EIO, "a durable write of records is handed to the device")              \
    X(log_complete, WEIR_EIO, "its completion is taken note of")                              \
    X(log_segment_create, WEIR_EIO, "the file of a new segment is made")                      \
    X(log_segment_fill, WEIR_EIO, "a durable write of zeros into it is handed to the device") \
    X(log_segment_rename, WEIR_EIO, "it gets its name")                                       \
    X(log_segment_sync_dir, WEIR_EIO, "that name is made durable")                            \
    X(log_segment_switch, WEIR_EIO, "it becomes the active one")                              \
    X(log_recycle_rename, WEIR_EIO, "the oldest segment gets the next one's name")            \
    X(log_recycle_sync_dir, WEIR_EIO, "that name is made durable")                            \
    X(log_trim, WEIR_EIO, "it is decided which segments nobody needs")                        \
    X(log_remove, WEIR_EIO, "one of them is removed")                                         \
    X(log_remove_sync_dir, WEIR_EIO, "its removal is made durable")                           \
    X(sink_connect, WEIR_EAWAY, "a part connects to the database")                            \
    X(sink_begin, WEIR_EAWAY, "BEGIN, settings and the head of a COPY are sent")              \
    X(sink_copy_chunk, WEIR_EAWAY, "rows of a COPY are given to the connection")              \
    X(sink_copy_end, WEIR_EAWAY, "the end of a COPY is sent")                                 \
    X(sink_upsert, WEIR_EAWAY, "a slice of upserts is sent")                                  \
    X(sink_dead_letters, WEIR_EAWAY, "a batch's dead letters are made ready for their COPY")  \
    X(sink_isolate, WEIR_EAWAY, "it is searched for the row that the server refuses")         \
    X(sink_row_count, WEIR_OK, "the server's count is compared with the rows sent")           \
    X(sink_allow_step, WEIR_EIO, "txn allows a part's step")                                  \
    X(sink_commit_send, WEIR_EAWAY, "weir.advance() and COMMIT are sent")                     \
    X(sink_commit_reply, WEIR_EAWAY, "the answer to COMMIT is taken note of")                 \
    X(done_boundary, WEIR_EIO, "the boundary moves behind a batch that is in everywhere")     \
    X(done_retire, WEIR_EIO, "what was kept for the batch is let go, the log is trimmed")     \
    X(done_publish, WEIR_OK, "the source's group offsets are published")                      \
    X(recover_follow, WEIR_EIO, "the ledger is followed, not the log")                        \
    X(recover_void, WEIR_EIO, "a void record is made durable")                                \
    X(recover_catch_up, WEIR_EIO, "a plan is made up for partitions that lag")                \
    X(recover_replay, WEIR_EIO, "the plans of batches to be rebuilt are opened")              \
    X(recover_read_plan, WEIR_EIO, "one of those plans is read")                              \
    X(recover_rebuild, WEIR_EIO, "a batch that was sealed is opened again")                   \
    X(recover_compare, WEIR_EIO, "a rebuilt batch is closed and compared with its plan")      \
    X(recover_drop, WEIR_EIO, "at_most_once: a sealed batch is dropped")                      \
    X(recover_resolve, WEIR_EAWAY, "it is found out what became of a part")                   \
    X(recover_resend, WEIR_EAWAY, "a part is sent again")                                     \
    X(stop_request, WEIR_OK, "a signal asks for the end")                                     \
    X(stop_mark, WEIR_EIO, "the log is marked as closed")                                     \
    X(stop_unlock, WEIR_OK, "the data directory's lock is given up")

enum weir_fail_point {
#define WEIR_FAIL_POINT_ENUM(name, code, what) WEIR_FAIL_##name##_before, WEIR_FAIL_##name##_after,
    WEIR_FAIL_STEP_TABLE(WEIR_FAIL_POINT_ENUM)
#undef WEIR_FAIL_POINT_ENUM
        WEIR_FAIL_POINT_COUNT
};

/* Reads WEIR_FAIL, once for the process. WEIR_ECONFIG for what it does not understand, and for
 * anything at all in a build without fail points: a test must not believe that it was hurt. */
int weir_fail_point_init(struct weir_error *err);

/* Every point with what its step is, a line each; "" in a build without them. Static. */
const char *weir_fail_point_list(void);

/* Does what WEIR_FAIL says of this point. Returns WEIR_OK, or the step's code for `fail`. */
int weir_fail_point_pass(enum weir_fail_point point, struct weir_error *err);

/* The point behind a step that came out as rc: passed only when it succeeded. */
int weir_fail_point_pass_after(enum weir_fail_point point, int rc, struct weir_error *err);

/* The code with which a point's step fails. */
int weir_fail_point_code(enum weir_fail_point point);

/* WEIR_FAIL_POINT passes one point; WEIR_FAIL_AROUND wraps the call that is the step, and is that
 * call's code. err may be NULL. */
#if WEIR_FAIL_POINTS
#define WEIR_FAIL_POINT(point, err) weir_fail_point_pass(WEIR_FAIL_##point, (err))
#define WEIR_FAIL_AROUND(step, call, err)                              \
    (weir_fail_point_pass(WEIR_FAIL_##step##_before, (err)) != WEIR_OK \
         ? weir_fail_point_code(WEIR_FAIL_##step##_before)             \
         : weir_fail_point_pass_after(WEIR_FAIL_##step##_after, (call), (err)))
#else
#define WEIR_FAIL_POINT(point, err) ((void)WEIR_FAIL_##point, WEIR_OK)
#define WEIR_FAIL_AROUND(step, call, err) ((void)WEIR_FAIL_##step##_before, (call))
#endif

#endif
