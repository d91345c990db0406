# shellcheck shell=bash
# test.sh: every test there is, and one line that sums them up.
#
# Uses     meson (unit tests in three builds), pytest (tests/oracle, tests/integration), lint.sh;
#          tests/support/tally.py reads what they report.
# E1  The last line is `N passed, N failed` over all suites; the exit code is 0 only if none failed.
# E2  A suite that does not build, breaks off or runs no test counts as a failure, never as nothing.
# E3  The simulator plays beside the integration tests, which mostly wait for servers: in the idle
#     scheduling class, so that it takes no processor from them.

verb test "runs all tests and ends with the line: N passed, N failed"
usage_test() {
    cat <<TEXT
usage: ./dev test [--long] [SUITE]... [FILTER]

Suites: ${TEST_SUITES[*]} (default: all).
  unit         unit tests, optimised, built by gcc
  coverage     how many branches of wal/ and src/txn tests take: 95 % at least (./dev coverage)
  clang        the unit tests, built by clang
  asan         the same under the address and undefined-behaviour sanitizers
  tsan         the same under the thread sanitizer
  lint         layout, static analysis, layers, shell scripts, generated docs
  model        the commit protocol alone, all its states, rules on and off (./dev model)
  integration  expressions against PostgreSQL; the real program against real Kafka and PostgreSQL
  sim          many seeds of the simulator, all told histories, each known-bad variant until it is caught
A FILTER selects tests by a part of their name; then only unit and integration run, unless named.
--long adds the long campaigns of the integration tests.
TEXT
}

readonly -a TEST_SUITES=(unit coverage clang asan tsan lint model integration sim)
readonly REPORTS=$BUILD/reports
readonly WEIR_SIM_SEEDS=${WEIR_SIM_SEEDS:-500000}

PASSED=0 FAILED=0 SKIPPED=0
TEST_FILTER=
SIM_PID='' SIM_STATUS='' # of the simulator, when it plays beside another suite
TEST_WRAPPER=()
TEST_SELECT=()

verb_test() {
    local -a suites=()
    local word suite
    export WEIR_TEST_LONG=${WEIR_TEST_LONG:-0}
    for word in "$@"; do
        case $word in
            --long) WEIR_TEST_LONG=1 ;;
            -*) usage_error "test: unknown option '$word'" ;;
            *)
                if is_one_of "$word" "${TEST_SUITES[@]}"; then
                    suites+=("$word")
                else
                    TEST_FILTER=$word
                fi
                ;;
        esac
    done
    if ((${#suites[@]} == 0)); then
        suites=("${TEST_SUITES[@]}")
        [[ -z $TEST_FILTER ]] || suites=(unit integration)
    fi
    rm -rf "$REPORTS"
    mkdir -p "$REPORTS"
    try verb_setup
    if ((TRY_STATUS == 0)); then
        trap stop_test_postgres EXIT
        for suite in "${suites[@]}"; do
            if [[ $suite == integration ]] && is_one_of sim "${suites[@]}"; then
                start_sim_beside
            elif [[ $suite == sim && -n $SIM_PID ]]; then
                SIM_STATUS=0
                wait "$SIM_PID" || SIM_STATUS=$?
            fi
            run_suite "$suite"
        done
        if ((PASSED + FAILED == 0)); then
            fail_one "no test is named like '$TEST_FILTER'"
        fi
    else
        fail_one "setup"
    fi
    catalogue list --report "$REPORTS/catalogue.tsv" | tail -n 1 >&2
    [[ ! -s $REPORTS/coverage.txt ]] || grep '^branches of' "$REPORTS/coverage.txt" >&2
    print_sum
    ((FAILED == 0))
}

# The server of those unit tests that want one: the shared one, where each program makes a database
# of its own. It starts with the first suite that needs it, and stops at the end unless it was up.
start_test_postgres() {
    if ! servers pg status >/dev/null; then
        servers pg up >/dev/null
        touch "$REPORTS/stop-postgres"
    fi
    load_env pg
    export WEIR_TEST_PG_DSN=$PG_DSN
}

stop_test_postgres() {
    if [[ -e $REPORTS/stop-postgres ]]; then
        servers pg down >/dev/null
    fi
}

fail_one() {
    FAILED=$((FAILED + 1))
    echo "$1" >>"$REPORTS/failures"
}

print_sum() {
    local sum="$PASSED passed, $FAILED failed"
    ((SKIPPED == 0)) || sum+=", $SKIPPED skipped"
    say
    [[ ! -s $REPORTS/failures ]] || sed 's/^/failed: /' "$REPORTS/failures" >&2
    printf '%s\n' "$sum"
}

# run_suite NAME: suite_NAME leaves its counts in build/reports/NAME.tally (see tally.py), and what
# the catalogue of faults wants to know of its cases in NAME.cases. A filter may leave a suite empty;
# without one, an empty suite is a broken one.
run_suite() {
    local name=$1 begin=$SECONDS tally=$REPORTS/$1.tally
    local passed=0 failed=0 skipped=0
    step "$name"
    try "suite_$name"
    [[ ! -s $tally ]] || read -r passed failed skipped <"$tally"
    say "$name: $passed passed, $failed failed, $skipped skipped in $((SECONDS - begin)) s"
    PASSED=$((PASSED + passed))
    FAILED=$((FAILED + failed))
    SKIPPED=$((SKIPPED + skipped))
    if ((TRY_STATUS != 0 && failed == 0)); then
        fail_one "$name: broke off"
    elif ((passed + failed + skipped == 0)) && [[ -z $TEST_FILTER ]]; then
        fail_one "$name: ran no test"
    fi
}

tally() { /usr/bin/python3 "$ROOT/tests/support/tally.py" "$REPORTS" "$@"; }

suite_unit() { meson_tests unit gcc; }
suite_clang() { meson_tests clang clang; }
suite_asan() {
    export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=1:detect_stack_use_after_return=1}
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:abort_on_error=1:print_stacktrace=1}
    meson_tests asan asan
}
suite_tsan() {
    export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}
    # gcc 12's thread sanitizer does not know the memory layout that newer kernels may randomise to.
    if setarch -R true 2>/dev/null; then
        TEST_WRAPPER=(setarch -R)
    fi
    TEST_SELECT=(--no-suite no_tsan) # tests/meson.build says which these are
    meson_tests tsan tsan
}

# meson_tests SUITE FLAVOUR
meson_tests() {
    local dir=$BUILD/$2 rc=0
    local -a names=()
    build_flavour "$2"
    start_test_postgres
    if [[ -n $TEST_FILTER ]]; then
        mapfile -t names < <(meson test -C "$dir" --list 2>/dev/null | sed 's|.* / ||' |
            grep -F -- "$TEST_FILTER")
        ((${#names[@]} > 0)) || return 0
    fi
    rm -f "$dir/meson-logs/testlog.json" # an earlier run's must not be counted as this one's
    "${TEST_WRAPPER[@]}" meson test -C "$dir" --no-rebuild --timeout-multiplier 3 \
        --print-errorlogs "${TEST_SELECT[@]}" "${names[@]}" >&2 || rc=$?
    tally meson "$1" "$dir/meson-logs/testlog.json"
    return $rc
}

suite_coverage() {
    local rc=0
    count_branches
    judge_branches --report "$REPORTS/coverage.tsv" >"$REPORTS/coverage.txt" || rc=$?
    cat "$REPORTS/coverage.txt" >&2
    ((rc == 0)) || echo "coverage: $(tail -n 1 "$REPORTS/coverage.txt")" >>"$REPORTS/failures"
    echo "$((rc == 0)) $((rc != 0)) 0" >"$REPORTS/coverage.tally"
    return $rc
}

# Histories of the simulator, and the rules it must notice when they are left out (docs/TESTING.md).
play_histories() {
    local sim=$BUILD/gcc/tests/sim/sim rc=0
    "$sim" --seeds "0..$((WEIR_SIM_SEEDS - 1))" --jobs "$(nproc)" || rc=$?
    "$sim" --exhaustive --jobs "$(nproc)" || rc=$?
    "$sim" --all-variants --jobs "$(nproc)" || rc=$?
    return $rc
} >"$REPORTS/sim.txt"

start_sim_beside() {
    build_flavour gcc tests/sim/sim
    (
        chrt --idle --pid 0 "$BASHPID"
        play_histories
    ) &
    SIM_PID=$!
}

suite_sim() {
    local rc=$SIM_STATUS passed=0 failed=0 what p f
    if [[ -z $rc ]]; then
        build_flavour gcc tests/sim/sim
        rc=0
        play_histories || rc=$?
    fi
    cat "$REPORTS/sim.txt" >&2
    # A variant is a test; half a million histories are one, or a failure each.
    while read -r what p f; do
        [[ $what == variants ]] || p=$((f == 0))
        passed=$((passed + p)) failed=$((failed + f))
    done < <(sed -nE 's/^(sim|exhaustive|variants): ([0-9]+) passed, ([0-9]+) failed$/\1 \2 \3/p' "$REPORTS/sim.txt")
    echo "$passed $failed 0" >"$REPORTS/sim.tally"
    printf '%s\tsim\tseeds\n' "$( ((failed == 0)) && echo passed || echo failed)" >"$REPORTS/sim.cases"
    return $rc
}

suite_integration() {
    local rc=0
    # Mostly waiting for servers: three files at a time, each process with servers of its own.
    local -a select=(--numprocesses 3 --dist loadfile)
    build_flavour gcc
    build_fail_points
    [[ -z $TEST_FILTER ]] || select=(-k "$TEST_FILTER")
    "$VENV/bin/python" -m pytest "$ROOT/tests/oracle" "$ROOT/tests/integration" -q --durations=10 \
        -o cache_dir="$BUILD/pytest-cache" --junitxml="$REPORTS/integration.xml" "${select[@]}" \
        >&2 || rc=$?
    tally pytest integration "$REPORTS/integration.xml"
    ((rc != 5)) || rc=0 # none collected, which run_suite sees by itself
    return $rc
}

suite_lint() {
    local check passed=0 failed=0
    for check in "${LINT_CHECKS[@]}"; do
        say "lint: $check"
        if ("lint_$check") >&2; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "lint: $check" >>"$REPORTS/failures"
        fi
    done
    echo "$passed $failed 0" >"$REPORTS/lint.tally"
    ((failed == 0))
}
