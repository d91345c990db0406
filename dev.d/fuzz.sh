# shellcheck shell=bash
# fuzz.sh: looks for inputs that break a decoder.
#
# Uses     tests/fuzz/fuzz_NAME.c and corpus/NAME/, libFuzzer, the build build/fuzz.
# Z1  New inputs are kept in build/fuzz/corpus/NAME; the tree's own corpus is only read. What breaks
#     a target is left as build/fuzz/found/NAME-*, and belongs into the tree's corpus once mended.

verb fuzz "gives a decoder made-up bytes: ./dev fuzz NAME [SECONDS]"
usage_fuzz() {
    cat <<TEXT
usage: ./dev fuzz NAME [SECONDS]
       ./dev fuzz NAME FILE

Runs the fuzz target NAME for SECONDS (60), from its corpus in the tree and from what earlier runs
found, under the address and undefined-behaviour sanitizers. With a FILE: runs that one input.
Names: $(fuzz_names)
TEXT
}

fuzz_names() { find "$ROOT/tests/fuzz" -name 'fuzz_*.c' -printf '%f\n' | sed 's/fuzz_\(.*\)\.c/\1/' | sort | tr '\n' ' '; }

verb_fuzz() {
    local name=${1:-} how=${2:-60}
    [[ -n $name && -f $ROOT/tests/fuzz/fuzz_$name.c ]] || usage_error "fuzz wants one of: $(fuzz_names)"
    local target=$BUILD/fuzz/tests/fuzz/fuzz_$name kept=$BUILD/fuzz/corpus/$name found=$BUILD/fuzz/found
    [[ $how =~ ^[0-9]+$ || -f $how ]] || usage_error "fuzz: '$how' is neither seconds nor a file"
    verb_setup
    build_flavour fuzz "tests/fuzz/fuzz_$name"
    if [[ -f $how ]]; then
        "$target" "$how"
        return
    fi
    mkdir -p "$kept" "$found"
    "$target" -max_total_time="$how" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$found/$name-" "$kept" "$ROOT/tests/fuzz/corpus/$name"
}
