"""small_batches.py: the append bench with batches held at 1 000 rows.

usage: ./dev bench small_batches
What a commit costs shows here: 2 000 of them, each with its durable frame in the log.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
from rig import (  # noqa: E402
    ORDERS, copy_file, figure, head, median_rate, pipeline_text, ratio, ratio_of_best,
    rig, run_copy, run_weir, take_turns)

BATCH_ROWS = 1000


def main() -> None:
    head("small_batches", f"the same as append, with {BATCH_ROWS} rows a batch")
    with rig() as made:
        topic, path = made.topic("orders", ORDERS), copy_file(made, ORDERS)
        runs = take_turns({
            "copy": lambda: run_copy(made, path),
            "weir": lambda: run_weir(made, pipeline_text(topic, batch_rows=BATCH_ROWS)),
        })
    figure("small_batches", "rows_per_s", median_rate(runs["weir"]))
    figure("small_batches", "ratio_to_copy_of_best", ratio_of_best(runs["weir"], runs["copy"]))
    figure("small_batches", "ratio_to_copy", ratio(runs["weir"], runs["copy"]), 0.30, 0.45)


if __name__ == "__main__":
    main()
