# shellcheck shell=bash
# lint.sh: layout, static analysis and the rules of the tree.
#
# Uses     clang-format, clang-tidy, shellcheck, tests/lint/.
# T1  Each check is a function lint_NAME, silent and 0 when all is well; it counts as one test.

verb fmt "lays out all C and C++ files with clang-format"
usage_fmt() {
    cat <<'TEXT'
usage: ./dev fmt

Rewrites every C and C++ file of the tree as .clang-format says.
TEXT
}

verb lint "layers, headers, clang-format, shellcheck, clang-tidy, generated docs, the catalogue"
usage_lint() {
    cat <<TEXT
usage: ./dev lint [CHECK]...

Checks: ${LINT_CHECKS[*]} (default: all). Changes nothing.
TEXT
}

readonly -a LINT_CHECKS=(layers headers format shell tidy docs catalogue)

verb_fmt() {
    verb_setup
    tracked_files '*.c' '*.h' '*.cc' | xargs -r -d '\n' clang-format -i
}

verb_lint() {
    local check failed=0
    for check in "$@"; do
        one_of lint "$check" "${LINT_CHECKS[@]}"
    done
    verb_setup
    for check in "${@:-${LINT_CHECKS[@]}}"; do
        step "lint: $check"
        "lint_$check" || failed=1
    done
    return $failed
}

# Who includes whom; it speaks TAP, of which only the failures are of interest here.
lint_layers() { /usr/bin/python3 "$ROOT/tests/lint/layers.py" | sed '/^ok /d; /^1\.\./d' >&2; }

# Each header compiles by itself, so that the order of includes never matters.
lint_headers() {
    local header failed=0
    local -a flags
    read -ra flags < <(pkg-config --cflags libpq)
    while IFS= read -r header; do
        gcc -std=gnu11 -D_GNU_SOURCE -fsyntax-only -x c -I"$ROOT/include" -I"$ROOT/src" -I"$ROOT" \
            "${flags[@]}" "$ROOT/$header" || failed=1
    done < <(tracked_files 'include/*.h' 'src/*.h' 'wal/*.h')
    return $failed
}

lint_format() {
    tracked_files '*.c' '*.h' '*.cc' |
        xargs -r -d '\n' clang-format --dry-run -Werror --ferror-limit=3
}

lint_shell() {
    local -a scripts
    mapfile -t scripts < <(tracked_files dev .ci/run '*.sh' '*.bash')
    shellcheck --severity=style "${scripts[@]}"
}

# Over the clang build, because gcc's warning options mean nothing to clang-tidy.
lint_tidy() {
    local log=$BUILD/clang/clang-tidy.log
    configure clang
    if ! run-clang-tidy -quiet -p "$BUILD/clang" -j "$(nproc)" "^$ROOT/(src|wal|tests)/" \
        >"$log" 2>/dev/null; then
        sed -i 's/\x1b\[[0-9;]*m//g' "$log" # this version colours files, too
        grep -E -A 3 'warning:|error:' "$log" >&2 || tail -n 20 "$log" >&2
        return 1
    fi
}

# docs/REFERENCE.md is what the program itself says of its options, types and functions.
lint_docs() {
    build_program >/dev/null
    "$WEIR" reference | diff -u "$ROOT/docs/REFERENCE.md" - >&2 ||
        die "docs/REFERENCE.md is not what the program says: run ./dev docs"
    lint_completions || die "completions/weir.bash lacks what is named above"
    proof page | diff -u "$ROOT/docs/PROOF.md" - >&2 ||
        die "docs/PROOF.md is not what tests/proof/ says: run ./dev docs"
}

# completions/weir.bash knows every option and fault of `weir prove`, and every setting of a pipeline.
lint_completions() {
    local word missing=0
    local -a words
    mapfile -t words < <(
        "$WEIR" prove --help | grep -o -e '--[a-z-]*'
        "$WEIR" prove --faults '?' 2>&1 | sed 's/.*there are: //; s/, /\n/g'
        "$WEIR" reference | sed -n 's/^| .pipeline\.\([a-z_.]*\). .*/\1/p'
    )
    ((${#words[@]} >= 50)) || die "the program does not tell its options, faults and settings"
    for word in "${words[@]}"; do
        tr -s " ';" '\n' <"$ROOT/completions/weir.bash" | grep -qxF -e "$word" && continue
        printf 'completions/weir.bash does not know %s\n' "$word" >&2
        missing=1
    done
    return $missing
}

# Tags of tests name faults that there are, and docs/FAULTS.md is made from them.
lint_catalogue() { catalogue check >&2; }
