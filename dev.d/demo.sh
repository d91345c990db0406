# shellcheck shell=bash
# demo.sh: the main job, shown on real data under kill -9.
#
# Uses     examples/demo.py, which does it; the shared servers.

verb demo "336 776 flights from Kafka to PostgreSQL, exactly once, under kill -9"
usage_demo() {
    cat <<'TEXT'
usage: ./dev demo

Loads the flights that left New York in 2013 into a Kafka topic, runs examples/flights.sql over
them, kills weir with kill -9 several times on the way, and compares what is in PostgreSQL with the
source file. The servers stay up afterwards, so that you can look around.
TEXT
}

verb_demo() {
    verb_setup
    build_program
    verb_kafka up >/dev/null
    verb_pg up >/dev/null
    load_env kafka
    load_env pg
    "$VENV/bin/python" "$ROOT/examples/demo.py" "$@"
}
