# shellcheck shell=bash
# model.sh: searches all that the commit protocol can do, without the code that does it.
#
# Uses     tests/model/ (its README says how to read what is printed), built by build_flavour.

verb model "searches the commit protocol itself, rules on and off, for histories that harm"
usage_model() {
    cat <<'TEXT'
usage: ./dev model [--trace] [RUN]...

Prints a table, a line a run (default: all of them). With a rule off, the harm that follows and the
length of a shortest history that leads to it; with all rules on, that none of the states is harmed.
--trace tells each such history, a line a move. tests/model/README.md says more.
TEXT
}

verb_model() {
    verb_setup --build-only
    build_flavour gcc tests/model/weir_model
    "$BUILD/gcc/tests/model/weir_model" "$@"
}

suite_model() {
    local rc=0 table=$REPORTS/model.txt
    build_flavour gcc tests/model/weir_model
    "$BUILD/gcc/tests/model/weir_model" >"$table" || rc=$?
    cat "$table" >&2
    sed -n 's/^\(.*[^ ]\) *FAILED$/model: \1/p' "$table" >>"$REPORTS/failures"
    sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2 0/p' "$table" >"$REPORTS/model.tally"
    return $rc
}
