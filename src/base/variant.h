/* variant.h: rules that the simulator can leave out, to prove that it would notice.
 *
 * WEIR_VARIANT(name) is a constant false in every build but the simulator's own (tests/sim), which
 * compiles the same sources with WEIR_WITH_VARIANTS and switches on one at a time: each must then be
 * caught by a check. A variant stands where its rule is implemented and takes away that one rule. */
#ifndef WEIR_BASE_VARIANT_H
#define WEIR_BASE_VARIANT_H

#include <stdbool.h>

#ifdef WEIR_WITH_VARIANTS
/* Name, what is wrong. Numbers are those of the rules in docs/EXACTLY_ONCE.md. */
#define WEIR_VARIANT_TABLE(X)                                                                 \
    X(identity_by_number, "1: a batch is known by its number alone")                          \
    X(advance_any_owner, "2: the step does not compare generation and owner")                 \
    X(advance_without_raise, "2: a step that matches no row does not stop the rows")          \
    X(rows_without_ledger, "K1: rows are committed before the ledger")                        \
    X(commit_before_seal, "4: COMMIT does not wait for the plan")                             \
    X(step_out_of_order, "5: n + 1 steps before n is in everywhere")                          \
    X(done_after_one_part, "5: a batch counts as in when its first part is")                  \
    X(ledger_before_claim, "6: the ledger is read before the generation is taken")            \
    X(claim_without_compare, "6: a claim does not compare whom it takes the ledger from")     \
    X(claim_ignores_row_lock, "6: a claim does not wait for a transaction that has advanced") \
    X(claim_makes_ledger_anew, "6: a start makes its own ledger")                             \
    X(generation_not_above_own, "6: a sink that went back hands out a generation again")      \
    X(owner_not_drawn, "6: instances have no owner token")                                    \
    X(owner_not_compared, "7: an equal generation of another owner is taken for ours")        \
    X(never_fenced, "7: a larger generation is not minded")                                   \
    X(unknown_is_in, "7: a COMMIT without an answer counts as in")                            \
    X(unknown_is_not_in, "7: what turns out to be in after all is sent again")                \
    X(refused_is_in, "7: a refused step counts as in")                                        \
    X(look_at_one_partition, "7: only the first partition's row is looked at")                \
    X(going_back_unnoticed, "7: an earlier batch in the ledger is taken for the last one")    \
    X(found_not_synced, "8: what is found at a start is not written again")                   \
    X(no_wait_for_frames, "8: frames under way are not waited for before the log is read")    \
    X(rebuild_from_highest, "9: what is behind is rebuilt from the highest ledger")           \
    X(rebuild_other_ranges, "9: a rebuilt batch takes what is there")                         \
    X(follow_without_void, "10: the ledger is followed without a void record")                \
    X(follow_highest, "11: without a log, parts that lag are not caught up")                  \
    X(follow_lowest, "11: without a log, everything goes on from the lowest row")             \
    X(rebuilt_not_compared, "12: a rebuilt batch that differs is written")                    \
    X(planned_anew_though_held, "12: a batch that somebody holds is planned anew")            \
    X(later_upserts_stay, "13: later upserts stay open while n is sent again")                \
    X(drop_sent_again, "14: at_most_once sends again what it does not know")                  \
    X(sealed_sent_again, "14: at_most_once sends what a start finds sealed")                  \
    X(repartition_any_time, "16: P changes while a sealed batch is open")                     \
    X(held_parts_sent_again, "17: a sink that holds a rebuilt batch gets it again")           \
    X(time_of_the_clock, "t: batch times are those of the clock")                             \
    X(seek_forgotten, "sources are not sent back when everything is taken up again")          \
    X(trim_too_early, "9: frames are trimmed whose batches are not in")                       \
    X(name_not_synced, "log: a new segment's name is not made durable")                       \
    X(failed_write_is_done, "log: a failed write counts as durable")

enum weir_variant {
    WEIR_VARIANT_NONE,
#define WEIR_VARIANT_ENUM(name, what) WEIR_VARIANT_##name,
    WEIR_VARIANT_TABLE(WEIR_VARIANT_ENUM)
#undef WEIR_VARIANT_ENUM
        WEIR_VARIANTS
};

extern enum weir_variant weir_variant_on;
#define WEIR_VARIANT(name) (weir_variant_on == WEIR_VARIANT_##name)
#else
#define WEIR_VARIANT(name) false
#endif

#endif
