# shellcheck shell=bash
# build.sh: compiles weir; generates the docs that come from its tables; runs benches.
#
# Uses     meson and ninja. build/gcc is what people and tests use; build/clang, build/asan,
#          build/tsan, build/fail and build/fuzz hold the other builds.

verb build "compiles weir with gcc into build/gcc"
usage_build() {
    cat <<'TEXT'
usage: ./dev build [gcc|clang|asan|tsan|fail|fuzz]...

Compiles weir (default: gcc), with warnings as errors. gcc and clang are optimised; asan is
built for the address and undefined-behaviour sanitizers, tsan for the thread sanitizer; fail is
the program alone with the points at which WEIR_FAIL makes it die, for tests; fuzz is built for
libFuzzer and the sanitizers of asan (see ./dev fuzz).
The program is build/weir.
TEXT
}

verb bench "runs a bench of bench/ against real servers: ./dev bench NAME"
usage_bench() {
    cat <<'TEXT'
usage: ./dev bench NAME [ARGUMENTS]

Builds weir and runs bench/NAME.py, which starts the servers that it needs. Without a name: lists
them.
TEXT
}

verb docs "regenerates those pages of docs/ that come from tables of the program and its tests"
usage_docs() {
    cat <<'TEXT'
usage: ./dev docs

Writes docs/REFERENCE.md anew, by `weir reference`, docs/FAULTS.md, from tests/catalogue/, and
docs/PROOF.md, from the results kept in tests/proof/.
TEXT
}

readonly -a FLAVOURS=(gcc clang asan tsan fail fuzz)

# Where the program is found by people, tests, benches and the demo, wherever meson puts it.
export WEIR=$BUILD/weir

verb_build() {
    local flavour
    for flavour in "$@"; do
        one_of build "$flavour" "${FLAVOURS[@]}"
    done
    if [[ "${*:-gcc}" == gcc ]]; then
        verb_setup --build-only
    else
        verb_setup
    fi
    for flavour in "${@:-gcc}"; do
        if [[ $flavour == fail ]]; then
            build_fail_points
        else
            build_flavour "$flavour"
        fi
    done
}

# build_flavour FLAVOUR [TARGET]...: all of it, tests included, unless targets are named.
build_flavour() {
    local dir=$BUILD/$1
    configure "$1"
    ninja -C "$dir" "${@:2}" >&2
    if [[ $1 == gcc ]]; then
        ln -sfn gcc/src/cli/weir "$WEIR"
    fi
}

# The program alone: building the tests takes as long again and more.
build_program() { build_flavour gcc src/cli/weir; }

# A program that can be told where to die: the one that people use has nothing of it.
build_fail_points() { build_flavour fail src/cli/weir; }

configure() {
    local dir=$BUILD/$1
    local -a options=(-Dwerror=true)
    [[ ! -e $dir/build.ninja ]] || return 0
    case $1 in
        asan) options+=(--buildtype=debug -Doptimization=1 "-Db_sanitize=address,undefined") ;;
        tsan) options+=(--buildtype=debug -Doptimization=1 -Db_sanitize=thread) ;;
        clang) local -x CC=clang CXX=clang++ ;;
        fail)
            options+=(-Dfail_points=true)
            local -x CC=gcc CXX=g++
            ;;
        fuzz)
            local -x CC=clang CXX=clang++
            local -x CFLAGS=-fsanitize=fuzzer-no-link CXXFLAGS=-fsanitize=fuzzer-no-link
            options+=(-Dfuzz=true -Db_lundef=false "-Db_sanitize=address,undefined")
            ;;
        gcc) local -x CC=gcc CXX=g++ ;;
    esac
    rm -rf "$dir" # what an interrupted configuration left is of no use
    meson setup "$dir" "$ROOT" "${options[@]}" >&2
}

verb_bench() {
    local name=${1:-}
    if [[ ! -f $ROOT/bench/$name.py ]]; then
        say "benches: $(find "$ROOT/bench" -maxdepth 1 -name '*.py' -printf '%f ' 2>/dev/null)"
        usage_error "bench: no bench '$name'"
    fi
    shift
    verb_setup
    build_flavour gcc
    exec "$VENV/bin/python" "$ROOT/bench/$name.py" "$@"
}

verb_docs() {
    verb_setup --build-only
    build_program
    "$WEIR" reference >"$BUILD/REFERENCE.md"
    mv "$BUILD/REFERENCE.md" "$ROOT/docs/REFERENCE.md"
    catalogue page >"$BUILD/FAULTS.md"
    mv "$BUILD/FAULTS.md" "$ROOT/docs/FAULTS.md"
    proof page >"$BUILD/PROOF.md"
    mv "$BUILD/PROOF.md" "$ROOT/docs/PROOF.md"
}
