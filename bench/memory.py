"""memory.py: the most memory that weir ever holds while it appends 2 million rows.

usage: ./dev bench memory
The kernel's own figure (VmHWM), shared libraries included.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
from rig import MESSAGES, ORDERS, ROUNDS, figure, head, pipeline_text, rig, run_weir  # noqa: E402


def main() -> None:
    head("memory", f"peak resident, append of {MESSAGES:,} rows")
    with rig() as made:
        topic = made.topic("orders", ORDERS)
        peaks = []
        for number in range(ROUNDS):
            run = run_weir(made, pipeline_text(topic))
            peaks.append(run.peak_mib)
            print(f"round {number + 1} {run}", flush=True)
    figure("memory", "median_mib", statistics.median(peaks))
    figure("memory", "peak_mib", max(peaks), 96, 48)


if __name__ == "__main__":
    main()
