# shellcheck shell=bash
# sim.sh: the simulator: the very engine on a simulated world, from one seed (docs/TESTING.md).
#
# Uses     build_flavour of build.sh; tests/sim.

verb sim "plays histories of faults on a simulated world: ./dev sim --seeds FROM..TO --jobs N"
usage_sim() {
    cat <<'TEXT'
usage: ./dev sim [--seeds FROM..TO] [--jobs N]       plays seeds; shrinks those that fail
       ./dev sim --seed S [--trace] [--only LIST]    plays one; LIST: TURN:FAULT,... or none
       ./dev sim --list FILE                         plays the seeds that a file names
       ./dev sim --variant NAME [...]                leaves out one rule of the protocol
       ./dev sim --all-variants [--jobs N]           each variant must be caught
       ./dev sim --exhaustive [--jobs N]             each crash, pair of crashes, outcome and failure there is
       --report FILE                                 the result as a table as well

docs/TESTING.md tells what to do with a seed that fails.
TEXT
}

verb_sim() {
    build_flavour gcc tests/sim/sim
    exec "$BUILD/gcc/tests/sim/sim" "$@"
}
