# shellcheck shell=bash
# fuzz.sh: looks for inputs that break a decoder.
#
# Uses     tests/fuzz/fuzz_NAME.c, corpus/NAME/ and, where it is there, NAME.dict (words to try);
#          libFuzzer, the build build/fuzz.
# Z1  New inputs are kept in build/fuzz/corpus/NAME. The tree's own corpus is only read, but by --keep.
# Z2  What breaks a target is left as build/fuzz/found/NAME-*, and belongs into the tree's corpus,
#     under a name that tells what it was, once mended.

verb fuzz "gives a decoder made-up bytes: ./dev fuzz NAME [SECONDS]"
usage_fuzz() {
    cat <<TEXT
usage: ./dev fuzz NAME [SECONDS]
       ./dev fuzz NAME FILE
       ./dev fuzz --report TSV [SECONDS [NAME]...]
       ./dev fuzz --keep NAME [COUNT]

Runs the fuzz target NAME for SECONDS (60), from its corpus in the tree and from what earlier runs
found, under the address and undefined-behaviour sanitizers. With a FILE: runs that one input.
--report runs the targets, all of them if none is named, one after another, and writes one line of
the table TSV for each. --keep looks for the fewest of the inputs found so far that reach every branch
that all of them reach, and adds the COUNT (40) longest of them to the tree's corpus.
Names: $(fuzz_names)
TEXT
}

fuzz_names() { find "$ROOT/tests/fuzz" -name 'fuzz_*.c' -printf '%f\n' | sed 's/fuzz_\(.*\)\.c/\1/' | sort | tr '\n' ' '; }

# What an input frees is not kept long: targets allocate much, and a fresh page costs more than all
# else that they do.
readonly FUZZ_ASAN_OPTIONS=quarantine_size_mb=4:malloc_context_size=4

fuzz_target() { echo "$BUILD/fuzz/tests/fuzz/fuzz_$1"; }

# run_fuzzer NAME SECONDS
run_fuzzer() {
    local kept=$BUILD/fuzz/corpus/$1 found=$BUILD/fuzz/found words=$ROOT/tests/fuzz/$1.dict
    local -a options=()
    mkdir -p "$kept" "$found"
    [[ ! -e $words ]] || options+=("-dict=$words")
    ASAN_OPTIONS=$FUZZ_ASAN_OPTIONS "$(fuzz_target "$1")" -max_total_time="$2" -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$found/$1-" "${options[@]}" \
        "$kept" "$ROOT/tests/fuzz/corpus/$1"
}

build_fuzzers() {
    local name
    local -a targets=()
    verb_setup
    for name in "$@"; do
        targets+=("tests/fuzz/fuzz_$name")
    done
    build_flavour fuzz "${targets[@]}"
}

verb_fuzz() {
    local name
    case ${1:-} in
        --report) fuzz_report "${@:2}" ;;
        --keep) fuzz_keep "${@:2}" ;;
        *)
            local how=${2:-60}
            one_target "${1:-}"
            name=$1
            [[ $how =~ ^[0-9]+$ || -f $how ]] || usage_error "fuzz: '$how' is neither seconds nor a file"
            build_fuzzers "$name"
            if [[ -f $how ]]; then
                "$(fuzz_target "$name")" "$how"
            else
                run_fuzzer "$name" "$how"
            fi
            ;;
    esac
}

one_target() {
    [[ -n $1 && -f $ROOT/tests/fuzz/fuzz_$1.c ]] || usage_error "fuzz wants one of: $(fuzz_names)"
}

# fuzz_report TSV [SECONDS [NAME]...]
fuzz_report() {
    local table=${1:-} seconds=${2:-60} name log failed=0
    local -a names=("${@:3}")
    [[ -n $table && $seconds =~ ^[0-9]+$ ]] || usage_error "fuzz --report wants a file and seconds"
    ((${#names[@]} > 0)) || read -ra names <<<"$(fuzz_names)"
    for name in "${names[@]}"; do
        one_target "$name"
    done
    build_fuzzers "${names[@]}"
    printf 'target\tseconds\truns\truns_per_s\tedges\tfeatures\tfindings\n' >"$table"
    for name in "${names[@]}"; do
        log=$BUILD/fuzz/$name.log
        step "fuzz $name, $seconds s"
        run_fuzzer "$name" "$seconds" >"$log" 2>&1 || failed=1
        fuzz_line "$name" "$log" | tee -a "$table"
    done
    return $failed
}

# The line of the table that the log of a run says. A target ends with its first finding.
fuzz_line() {
    awk -v name="$1" -v OFS='\t' '
        match($0, /cov: [0-9]+ ft: [0-9]+/) { split(substr($0, RSTART, RLENGTH), word, " ") }
        /^Done [0-9]+ runs in/ { seconds = $5 }
        /^stat::number_of_executed_units:/ { runs = $2 }
        /^stat::average_exec_per_sec:/ { rate = $2 }
        /^SUMMARY:/ { findings++ }
        END {
            if (seconds == "" && rate > 0) seconds = int(runs / rate)
            print name, seconds + 0, runs + 0, rate + 0, word[2] + 0, word[4] + 0, findings + 0
        }' "$2"
}

# fuzz_keep NAME [COUNT]
fuzz_keep() {
    local name=${1:-} count=${2:-40} chosen=$BUILD/fuzz/keep/${1:-} tree=$ROOT/tests/fuzz/corpus/${1:-}
    one_target "$name"
    build_fuzzers "$name"
    rm -rf "$chosen"
    mkdir -p "$chosen"
    cp "$tree"/* "$chosen"
    ASAN_OPTIONS=$FUZZ_ASAN_OPTIONS "$(fuzz_target "$name")" -set_cover_merge=1 -use_counters=0 \
        "$chosen" "$BUILD/fuzz/corpus/$name"
    (cd "$chosen" && find . -type f -printf '%s %f\n') | sort -rn | cut -d ' ' -f 2 |
        while read -r file; do
            [[ -e $tree/$file ]] || echo "$chosen/$file"
        done | sed "${count}q" | xargs -r cp -t "$tree"
}
