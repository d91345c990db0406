# shellcheck shell=bash
# proof.sh: keeps the results of long campaigns, which docs/PROOF.md tells.
#
# Uses     tests/proof/proof.py, git.

verb proof "keeps the result of a long campaign for docs/PROOF.md"
usage_proof() {
    cat <<'TEXT'
usage: ./dev proof NAME --command TEXT [--commit REV] FILE...

Keeps a campaign's result as tests/proof/results/NAME.tsv, of which ./dev docs makes docs/PROOF.md. NAME is
one of: sim, variants, exhaustive, prove-exactly_once, prove-at_least_once, prove-at_most_once, network,
fail-points, fuzz, coverage, catalogue. FILE is what the campaign's --report wrote, or --json of
weir prove: several files are added up. REV is the commit that was built for it (HEAD).
docs/TESTING.md has the campaigns' commands.
TEXT
}

verb_proof() { proof record "$@"; }

proof() { /usr/bin/python3 "$ROOT/tests/proof/proof.py" "$@"; }
