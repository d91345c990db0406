# shellcheck shell=bash
# servers.sh: the shared Kafka broker and PostgreSQL cluster of this clone.
#
# Uses     tests/support/servers.py, which knows how to start and stop them, as the tests do.
# Their data lie in build/kafka and build/pg. Only PostgreSQL, which will not run as root, may lie
# elsewhere: where its user cannot enter the clone it gets /var/tmp/weir-HASH, and this is told.

verb kafka "Kafka for trying things out: up, down, reset, status"
usage_kafka() {
    cat <<'TEXT'
usage: ./dev kafka up|down|reset|status

One Apache Kafka broker on 127.0.0.1, on a free port that build/run/kafka.env tells (KAFKA=...).
up starts it or finds it running, down stops it, reset starts it anew without any topic,
status tells address, pid and files, and the topics.
TEXT
}

verb pg "PostgreSQL for trying things out: up, down, reset, psql, status"
usage_pg() {
    cat <<'TEXT'
usage: ./dev pg up|down|reset|status
       ./dev pg psql [DATABASE] [ARGUMENTS OF PSQL]

A PostgreSQL 15 cluster of its own on 127.0.0.1, on a free port that build/run/pg.env tells
(PG_DSN=...), with a database `weir`; no other cluster of this machine is touched. reset starts it
anew, empty. psql connects to it, to `weir` unless another database is named.
TEXT
}

verb_kafka() {
    one_of kafka "${1:-}" up down reset status
    [[ $1 != up && $1 != reset ]] || verb_setup >&2
    servers kafka "$1"
    if [[ $1 == status ]]; then
        (load_env kafka && kcat -b "$KAFKA" -L -m 5 2>/dev/null | sed -n 's/^  topic /topic /p')
    fi
}

verb_pg() {
    if [[ ${1:-} == psql ]]; then
        shift
        load_env pg
        # As environment, not as -d: so that an argument may name another database.
        exec env PGHOST=127.0.0.1 PGPORT="$PG_PORT" PGUSER=postgres PGDATABASE=weir psql "$@"
    fi
    one_of pg "${1:-}" up down reset status psql
    [[ $1 != up && $1 != reset ]] || verb_setup >&2
    servers pg "$1"
}

servers() { /usr/bin/python3 "$ROOT/tests/support/servers.py" "$@"; }

# load_env kafka|pg: sets KAFKA, or PG_DSN and PG_PORT, from what the running server wrote.
load_env() {
    servers "$1" status >/dev/null || die "$1 is not running; start it with ./dev $1 up"
    # shellcheck source=/dev/null
    . "$BUILD/run/$1.env"
}
