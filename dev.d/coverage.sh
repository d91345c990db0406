# shellcheck shell=bash
# coverage.sh: which branches of the log and of the commit protocol the tests take.
#
# Uses     build_flavour of build.sh; gcovr, tests/coverage, tests/support/coverage.py.
# V1  What is counted is what those tests do that need no server; the branches of assertions
#     (weir_assert) are not counted, for no test may take them.
# V2  The same sources give the same number: the simulator plays the same seeds each time.

verb coverage "prints how many branches of wal/ and src/txn the tests take, and fails under 95 %"
usage_coverage() {
    cat <<'TEXT'
usage: ./dev coverage [--report FILE] [--missing]

Builds wal/ and src/txn once more, for gcov, runs the unit tests of wal, txn and engine and ten thousand
seeds of the simulator on them, and prints a table: for each file, and in all, how many lines and how
many branches were taken. Fails under 95 % of all branches, and then names the files that are short.
--report writes the same as a table with tabs; --missing lists the branches that were not taken.
Assertions are not counted. Each ./dev test does it as well.
TEXT
}

readonly COVERAGE_WANTED=95
readonly COVERAGE_SEEDS=10000
readonly COUNTED=$BUILD/gcc/tests/coverage

verb_coverage() {
    local report=() missing=()
    while (($# > 0)); do
        case $1 in
            --report)
                (($# > 1)) || usage_error "coverage: --report wants a file"
                report=(--report "$2")
                shift
                ;;
            --missing) missing=(--missing) ;;
            *) usage_error "coverage: unknown argument '$1'" ;;
        esac
        shift
    done
    verb_setup
    count_branches
    judge_branches "${report[@]}" "${missing[@]}"
}

# judge_branches [ARGUMENT of coverage.py]...: prints what was counted; fails when it is too few.
judge_branches() {
    /usr/bin/python3 "$ROOT/tests/support/coverage.py" "$COUNTED/branches.json" \
        --wanted "$COVERAGE_WANTED" "$@"
}

# What fails here tells less than it could, and is the business of the suites unit and sim.
run_counted() {
    find "$COUNTED" -name '*.gcda' -delete
    # shellcheck disable=SC2016 # the inner shell's $1
    find "$COUNTED" -maxdepth 1 -type f -name 'test_*' -print0 | sort -z |
        xargs -0 -P "$(nproc)" -n 1 sh -c 'timeout 300 "$1" || echo "failed: $1"' sh \
            >"$COUNTED/run.log" 2>&1
    "$COUNTED/sim" --seeds "0..$((COVERAGE_SEEDS - 1))" --jobs "$(nproc)" >>"$COUNTED/run.log" 2>&1 ||
        echo "failed: $COUNTED/sim" >>"$COUNTED/run.log"
    sed -n "s|^failed: .*/|coverage: see $COUNTED/run.log for the failed |p" "$COUNTED/run.log" >&2
}

count_branches() {
    build_flavour gcc counted
    run_counted
    (cd "$BUILD/gcc" && gcovr --root "$ROOT" --object-directory "$BUILD/gcc" \
        --filter "$ROOT/wal/" --filter "$ROOT/src/txn/" \
        --exclude-branches-by-pattern '.*weir_assert\(.*' \
        --json "$COUNTED/branches.json" tests/coverage)
}
