# shellcheck shell=bash
# clean.sh: removes what the other verbs made.

verb clean "stops the servers and removes build/; downloads stay unless --all"
usage_clean() {
    cat <<'TEXT'
usage: ./dev clean [--all]

Stops this clone's servers and removes what was built, their data included. build/cache (downloads)
and build/venv stay; --all removes them too.
TEXT
}

verb_clean() {
    local -a keep=(-name cache -o -name venv)
    case ${1:-} in
        '') ;;
        --all) keep=(-name .) ;;
        *) usage_error "clean: unknown argument '$1'" ;;
    esac
    [[ -d $BUILD ]] || return 0
    if command -v /usr/bin/python3 >/dev/null; then
        servers kafka remove >&2
        servers pg remove >&2
    fi
    find "$BUILD" -mindepth 1 -maxdepth 1 ! \( "${keep[@]}" \) -exec rm -rf {} +
    rmdir --ignore-fail-on-non-empty "$BUILD"
}
