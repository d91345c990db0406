"""append.py: a backlog into a table without a key, against COPY BINARY of the same rows.

usage: ./dev bench append
The limit is COPY BINARY of a ready file over one connection: no Kafka, no JSON, no log, one commit.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
from rig import (  # noqa: E402
    MIB, ORDERS, copy_file, figure, head, median_rate, pipeline_text, ratio, ratio_of_best,
    rig, run_copy, run_weir, take_turns)


def main() -> None:
    head("append", "rows/s of a backlog, log on and durable, divided by COPY BINARY of the same rows")
    with rig() as made:
        topic, path = made.topic("orders", ORDERS), copy_file(made, ORDERS)
        print(f"# COPY file: {path.stat().st_size / MIB:.0f} MiB")
        runs = take_turns({
            "copy": lambda: run_copy(made, path),
            "weir": lambda: run_weir(made, pipeline_text(topic)),
        })
    figure("append", "rows_per_s", median_rate(runs["weir"]))
    figure("append", "copy_rows_per_s", median_rate(runs["copy"]))
    figure("append", "whole_process_rows_per_s",
           statistics.median(run.whole_rate for run in runs["weir"]))
    figure("append", "cpu_us_per_row",
           statistics.median(run.cpu_s / run.rows * 1e6 for run in runs["weir"]))
    figure("append", "peak_mib", max(run.peak_mib for run in runs["weir"]))
    figure("append", "ratio_to_copy_of_best", ratio_of_best(runs["weir"], runs["copy"]))
    figure("append", "ratio_to_copy", ratio(runs["weir"], runs["copy"]), 0.80, 0.95)


if __name__ == "__main__":
    main()
