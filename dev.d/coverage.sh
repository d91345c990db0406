# shellcheck shell=bash
# coverage.sh: which branches of the log and of the commit protocol the tests take.
#
# Uses     build_flavour of build.sh; gcovr, tests/support/coverage.py.
# V1  What is counted is what those tests do that need no server; the branches of assertions
#     (weir_assert) are not counted, for no test may take them.

verb coverage "prints how many branches of wal/ and src/txn the tests take, and fails under 91 %"
usage_coverage() {
    cat <<'TEXT'
usage: ./dev coverage [--report FILE] [--missing]

Builds wal/, src/txn and their tests for gcov into build/coverage, runs the unit tests of wal, txn and
engine, and prints a table: for each file, and in all, how many lines and how many branches were taken.
--report writes the same as a table with tabs; --missing lists the branches that were not taken.
Assertions are not counted.
TEXT
}

readonly COVERAGE_WANTED=91 # what was reached; it only rises, and is to be 95

verb_coverage() {
    local report='' missing=''
    while (($# > 0)); do
        case $1 in
            --report)
                (($# > 1)) || usage_error "coverage: --report wants a file"
                report=$2
                shift
                ;;
            --missing) missing=--missing ;;
            *) usage_error "coverage: unknown argument '$1'" ;;
        esac
        shift
    done
    verb_setup
    run_for_coverage
    count_branches
    /usr/bin/python3 "$ROOT/tests/support/coverage.py" "$BUILD/coverage/branches.json" \
        --wanted "$COVERAGE_WANTED" ${report:+--report "$report"} ${missing:+"$missing"}
}

# The tests' own names, so that a new one is counted without being listed here.
coverage_tests() {
    ninja -C "$BUILD/coverage" -t targets all |
        sed -nE 's#^(tests/unit/(wal|txn|engine)/test_[a-z_]+): .*#\1#p'
}

run_for_coverage() {
    local -a tests=()
    configure coverage
    ninja -C "$BUILD/coverage" build.ninja >&2 # it may be older than the tests' lists
    mapfile -t tests < <(coverage_tests)
    build_flavour coverage "${tests[@]}" tests/unit/wal/readme_example
    find "$BUILD/coverage" -name '*.gcda' -delete
    # A program that fails tells less than it could, and is the business of ./dev test.
    meson test -C "$BUILD/coverage" --no-rebuild --timeout-multiplier 5 --quiet \
        "${tests[@]##*/}" >&2 || say "coverage: some tests failed, see ./dev test"
}

count_branches() {
    (cd "$BUILD/coverage" && gcovr --root "$ROOT" --object-directory "$BUILD/coverage" \
        --filter "$ROOT/wal/" --filter "$ROOT/src/txn/" \
        --exclude-branches-by-pattern '.*weir_assert\(.*' \
        --json "$BUILD/coverage/branches.json" wal src/txn)
}
