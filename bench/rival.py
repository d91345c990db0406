"""rival.py: weir against the script that a good engineer writes today.

usage: ./dev bench rival
Both read the same backlog into the same table. Each one's rate is that of its whole process from
start to exit, which is in the script's favour: Python starts in a tenth of a second, and weir's own
figure is better without its start.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
import psycopg  # noqa: E402
from rig import (HOME, MESSAGES, ORDERS, Rig, Run, figure, head, measured, pipeline_text, rig,  # noqa: E402
                 run_weir, take_turns)

SCRIPT = Path(__file__).resolve().parent / "rival_script.py"


def run_script(rig: Rig, topic: str) -> Run:
    dsn = rig.fresh_database()
    usage = measured([sys.executable, SCRIPT, "--until-caught-up"],
                     {**rig.environment(dsn), "TOPIC": topic}, HOME / "script.log")
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone()[0] == MESSAGES
    return Run(MESSAGES, usage.wall_s, usage.wall_s, usage.peak_mib, usage.cpu_s)


def main() -> None:
    head("rival", "rows/s divided by those of bench/rival_script.py, whole processes")
    with rig() as made:
        topic = made.topic("orders", ORDERS)
        runs = take_turns({"script": lambda: run_script(made, topic),
                           "weir": lambda: run_weir(made, pipeline_text(topic))})
    pairs = list(zip(runs["weir"], runs["script"]))
    figure("rival", "script_rows_per_s", statistics.median(b.whole_rate for _, b in pairs))
    figure("rival", "script_peak_mib", max(b.peak_mib for _, b in pairs))
    figure("rival", "rows_per_s", statistics.median(a.whole_rate for a, _ in pairs))
    figure("rival", "ratio_to_script", statistics.median(a.whole_rate / b.whole_rate
                                                         for a, b in pairs), 4, 5.5)


if __name__ == "__main__":
    main()
