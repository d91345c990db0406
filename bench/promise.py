"""promise.py: what exactly_once costs beside at_least_once.

usage: ./dev bench promise
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
from rig import (  # noqa: E402
    ORDERS, ROUNDS, figure, head, median_rate, pipeline_text, ratio, ratio_of_best,
    rig, run_weir, take_turns)

# The two are close: a median needs more rounds than where something is several times faster.
PROMISE_ROUNDS = ROUNDS + 2


def main() -> None:
    head("promise", "rows/s of exactly_once divided by at_least_once")
    with rig() as made:
        topic = made.topic("orders", ORDERS)
        runs = take_turns({
            mode: lambda mode=mode: run_weir(made, pipeline_text(topic, delivery=mode))
            for mode in ("at_least_once", "exactly_once")}, PROMISE_ROUNDS)
    figure("promise", "exactly_once_rows_per_s", median_rate(runs["exactly_once"]))
    figure("promise", "ratio_to_at_least_once_of_best", ratio_of_best(runs["exactly_once"], runs["at_least_once"]))
    figure("promise", "ratio_to_at_least_once", ratio(runs["exactly_once"], runs["at_least_once"]),
           0.95, 0.98)


if __name__ == "__main__":
    main()
