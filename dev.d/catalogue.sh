# shellcheck shell=bash
# catalogue.sh: the faults that may happen to a pipeline, and the tests that show what weir answers.
#
# Uses     tests/catalogue/catalogue.py, which reads tests and build/reports.

verb catalogue "lists each fault of the catalogue with its tests, and whether they passed"
usage_catalogue() {
    cat <<'TEXT'
usage: ./dev catalogue [--report FILE]

Prints each fault by id with the tests that carry it, and what became of them in the last ./dev test;
the last line counts the rows that have a passing test. --report FILE writes the same as TSV.
docs/FAULTS.md is the catalogue for readers; a test names the faults that it shows in a comment
before it: `covers: D-15, D-24`.
TEXT
}

verb_catalogue() { catalogue list "$@"; }

catalogue() { /usr/bin/python3 "$ROOT/tests/catalogue/catalogue.py" "$@"; }
