"""restart.py: from kill -9 to the next row that the next instance makes visible.

usage: ./dev bench restart
A stream of 1 000 messages a second goes on all the time. Killed 20 times; the next instance is
started as soon as the kernel has told of the death, as a supervisor without a delay would. The row
counts when a second connection sees a batch of the new instance's generation with rows in it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
import psycopg  # noqa: E402
from latency import RATE, weir_command  # noqa: E402
from live import fresh_table, stream  # noqa: E402
from rig import HOME, figure, head, percentile, rig  # noqa: E402

KILLS = int(os.environ.get("WEIR_BENCH_KILLS", "20"))
SEED = 7
NEXT_ROW_TIMEOUT_S = 30.0
NEWEST = """SELECT generation FROM weir.batch
    WHERE pipeline = (SELECT uuid FROM weir.pipeline) AND partition = 0 AND rows > 0
    ORDER BY batch DESC LIMIT 1"""


def start(command: list[object], environment: dict[str, str]) -> subprocess.Popen:
    with open(HOME / "restart.log", "ab") as output:
        return subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output,
                                stderr=output, env=environment)


def newest(connection: psycopg.Connection) -> int:
    """The generation of the last batch that brought rows; 0 while there is none."""
    if connection.execute("SELECT to_regclass('weir.batch')").fetchone()[0] is None:
        return 0
    row = connection.execute(NEWEST).fetchone()
    return row[0] if row else 0


def wait_beyond(connection: psycopg.Connection, generation: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + NEXT_ROW_TIMEOUT_S
    while newest(connection) <= generation:
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"no row came after a restart: see {HOME / 'restart.log'}")
        time.sleep(0.0005)


def main() -> None:
    head("restart", f"kill -9 to the next visible row, {KILLS} times at {RATE} messages/s")
    chance, found = random.Random(SEED), []
    with rig(live=True) as made:
        dsn = fresh_table(made)
        with stream(made, RATE) as topic, psycopg.connect(dsn, autocommit=True) as connection:
            command, environment = weir_command(topic), made.environment(dsn)
            process = start(command, environment)
            wait_beyond(connection, 0, process)
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.5, 1.0))
                generation = newest(connection)
                begin = time.monotonic()
                process.kill()
                process.wait()
                process = start(command, environment)
                wait_beyond(connection, generation, process)
                found.append(time.monotonic() - begin)
            process.kill()
            process.wait()
    print("restarts: " + ", ".join(f"{1000 * seconds:.0f}" for seconds in found) + " ms")
    figure("restart", "p50_s", percentile(found, 0.5), 0.6, 0.15)
    figure("restart", "p99_s", percentile(found, 0.99), 1.5, 0.4)


if __name__ == "__main__":
    main()
