"""wal.py: what the log costs beside bare durable writes of the same size, mode and file length.

usage: ./dev bench wal [--dir DIR] [--pairs N] [--tsv FILE]

DIR lies on the device to be measured (build/bench). An append and a bare write take turns, N of them a
size. The figures have to be reached by the backend that is in use in DIR; the other one is shown
beside it. --tsv also writes the table as a file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
import rig  # noqa: E402

PROGRAM = rig.ROOT / "build" / "gcc" / "bench" / "wal_bench"

# Figure: name, whether the ratio to the bare writes counts (else the value), what it must be, whether
# that is the most or the least.
REQUIRED = {
    "append_p50": ("durable append, p50", True, 1.1, "most"),
    "append_p99": ("durable append, p99", True, 1.5, "most"),
    "bandwidth": ("frames one after another", True, 0.9, "least"),
    "late_segments": ("appends that waited for a file", False, 0, "most"),
    "scan": ("recovery scan, from cache", False, 2000, "least"),
}


def judge(figure: str, log: float, bare: float) -> tuple[float, float, bool]:
    """The value that counts, what is required, and whether it is reached."""
    _, as_ratio, must, side = REQUIRED[figure]
    value = log / bare if as_ratio else log
    return value, must, value <= must if side == "most" else value >= must


def main() -> int:
    words = argparse.ArgumentParser(prog="./dev bench wal")
    words.add_argument("--dir", type=Path, default=rig.HOME)
    words.add_argument("--pairs", type=int, default=2000)
    words.add_argument("--tsv", type=Path)
    asked = words.parse_args()
    asked.dir.mkdir(parents=True, exist_ok=True)
    print("# wal: the log beside bare durable writes")
    print(f"# machine: {rig.machine()}")
    print(f"# commit: {rig.commit()}; {asked.pairs} pairs a size", flush=True)
    output = subprocess.run([PROGRAM, asked.dir, str(asked.pairs)], check=True,
                            stdout=subprocess.PIPE, text=True).stdout
    rows = [line.split("\t") for line in output.splitlines()]
    in_use = next(row[0] for row in rows if row[1] == "in_use")
    header = ("backend", "figure", "KiB", "log", "bare", "unit", "counts", "required", "")
    table, failed = [header], 0
    for backend, figure, kib, log, bare, unit in (row for row in rows if row[1] != "in_use"):
        value, must, reached = judge(figure, float(log), float(bare))
        # From cache: io_uring reads past it, so there the device is what is measured.
        counts = figure == "scan" and backend == "posix" or figure != "scan" and backend == in_use
        verdict = ("reached" if reached else "missed") if counts else "not required"
        failed += counts and not reached
        table.append((backend, REQUIRED[figure][0], kib if kib != "0" else "", log, bare, unit,
                      f"{value:.2f}", f"{must:g}", verdict))
        rig.figure("wal", f"{backend}_{figure}" + (f"_{kib}k" if kib != "0" else ""), value,
                   must if counts else None, must if counts else None)
    for row in table:
        print("{:9} {:31} {:>5} {:>9} {:>9} {:6} {:>8} {:>8} {}".format(*row))
    if asked.tsv:
        asked.tsv.write_text("".join("\t".join(row) + "\n" for row in table))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
