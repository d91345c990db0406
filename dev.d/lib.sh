# shellcheck shell=bash
# lib.sh: what every verb uses: the table of verbs, words for the terminal, root rights, locks.
#
# Uses     ROOT and BUILD, set by ../dev.
# L1  Words go to stderr, results to stdout, so that a result can be piped.

VERB_NAMES=()
declare -A VERB_SUMMARY=()

# verb NAME SUMMARY: announces verb_NAME; the order of the calls is the order of `./dev help`.
verb() {
    VERB_NAMES+=("$1")
    VERB_SUMMARY[$1]=$2
}

is_verb() { [[ -n ${VERB_SUMMARY[$1]:-} ]]; }

verb_help() {
    local name=${1:-}
    if [[ -z $name ]]; then
        echo "usage: ./dev VERB [ARGUMENTS]"
        echo
        for name in "${VERB_NAMES[@]}"; do
            printf '  %-7s %s\n' "$name" "${VERB_SUMMARY[$name]}"
        done
        echo
        echo "./dev help VERB says more."
        return
    fi
    is_verb "$name" || die "no verb '$name'; ./dev help lists them"
    echo "$name: ${VERB_SUMMARY[$name]}"
    echo
    "usage_$name"
}

if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
    BOLD=$'\e[1m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
    BOLD='' RED='' PLAIN=''
fi

say() { printf '%s\n' "$*" >&2; }
step() { printf '%s==>%s %s\n' "$BOLD" "$PLAIN" "$*" >&2; }
die() {
    printf '%serror:%s %s\n' "$RED" "$PLAIN" "$*" >&2
    exit 1
}

# A wrong argument is the caller's mistake, not ours: exit code 2, as a command line does.
usage_error() {
    printf './dev: %s\n' "$*" >&2
    exit 2
}

is_one_of() {
    local given=$1 word
    shift
    for word in "$@"; do
        [[ $given != "$word" ]] || return 0
    done
    return 1
}

# one_of VERB GIVEN WORD...: GIVEN must be one of the words.
one_of() { is_one_of "${@:2}" || usage_error "$1 wants one of: ${*:3}"; }

# as_root COMMAND...: runs it with root's rights. A missing sudo is told before anything is done.
as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        die "this needs root's rights, and there is no sudo: run as root: $*"
    fi
}

# A build directory that `sudo ./dev` made belongs to root: better said now than by a failing cp.
require_writable_build() {
    local owner
    if [[ -e $BUILD && ! -w $BUILD ]]; then
        owner=$(stat -c %U "$BUILD")
        die "$BUILD belongs to $owner: run this as $owner, or remove it (sudo ./dev clean --all)"
    fi
    [[ -e $BUILD || -w $ROOT ]] || die "$ROOT is not writable"
}

# try COMMAND...: runs it in a shell of its own and leaves its exit code in TRY_STATUS.
# `if COMMAND` or `COMMAND || ...` would switch errexit off in all of it, and a failed step in its
# middle would pass for done.
# shellcheck disable=SC2034 # other files read it
TRY_STATUS=0
try() {
    set +e
    (
        set -e
        "$@"
    )
    # shellcheck disable=SC2034
    TRY_STATUS=$?
    set -e
}

# with_lock NAME COMMAND...: one at a time over all processes; the lock goes with its holder.
with_lock() {
    local file=$BUILD/.$1.lock lock_fd
    shift
    mkdir -p "$BUILD"
    exec {lock_fd}>"$file"
    if ! flock -n "$lock_fd"; then
        say "waiting for another ./dev (lock $file)"
        flock "$lock_fd"
    fi
    "$@" {lock_fd}>&-
    exec {lock_fd}>&-
}

# tracked_files PATTERN...: the files of this tree, one a line; without git (a release archive),
# all that are there. safe.directory: as root, git refuses a clone that belongs to somebody else.
tracked_files() {
    if [[ -e $ROOT/.git ]]; then
        git -c safe.directory="$ROOT" -C "$ROOT" \
            ls-files --cached --others --exclude-standard -- "$@" |
            while IFS= read -r file; do
                [[ -e $ROOT/$file ]] && printf '%s\n' "$file"
            done
        return
    fi
    local pattern
    for pattern in "$@"; do
        (cd "$ROOT" && find . -path ./build -prune -o -type f -name "${pattern##*/}" -printf '%P\n')
    done | sort -u
}
