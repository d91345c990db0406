"""latency.py: from when a message is due to when its row can be seen, at 1 000 messages a second.

usage: ./dev bench latency [script]
An open loop produces, a second connection looks for new rows every millisecond, and all of it runs
on the same few cores as Kafka, PostgreSQL and weir. The bare limit is what a plain consumer sees of
the same load before weir starts. The argument script measures bench/rival_script.py instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
from live import fresh_table, listen, look, stream  # noqa: E402
from rig import (HOME, Rig, figure, head, percentile, pipeline_text, pipelines, rig,  # noqa: E402
                 weir_process)

RATE = 1000
# A broker that has just started is busy with compiling itself for a minute.
BARE_WARM_UP_S, BARE_S = 30.0, 10.0
WARM_UP_S, SECONDS = 40.0, float(os.environ.get("WEIR_BENCH_SECONDS", "20"))
# A batch is closed as soon as its rows are there; a longer trigger trades latency for fewer commits.
TRIGGER = os.environ.get("WEIR_BENCH_TRIGGER", "1 ms")
SCRIPT = Path(__file__).resolve().parent / "rival_script.py"


@contextmanager
def running(command: list[object], environment: dict[str, str], log: Path):
    with open(log, "wb") as output:
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output, env=environment)
    try:
        yield process
        if process.poll() is not None:
            sys.exit(f"{command[0]} ended with {process.returncode}: see {log}")
    finally:
        process.kill()
        process.wait()


def weir_command(topic: str) -> list[object]:
    shutil.rmtree(HOME / "weir", ignore_errors=True)
    pipeline = pipelines.write(HOME / "pipeline.sql", pipeline_text(topic, trigger=TRIGGER))
    return [weir_process.binary(), "run", pipeline, "--data", HOME / "weir"]


def latencies(made: Rig, script: bool) -> list[float]:
    dsn = fresh_table(made)
    with stream(made, RATE) as topic:
        command = [sys.executable, SCRIPT] if script else weir_command(topic)
        with running(command, {**made.environment(dsn), "TOPIC": topic}, HOME / "latency.log"):
            return look(dsn, WARM_UP_S, SECONDS)


def bare_latencies(made: Rig) -> list[float]:
    with stream(made, RATE) as topic:
        return listen(made.kafka.bootstrap, topic, BARE_WARM_UP_S, BARE_S)


def spread(what: str, found: list[float]) -> str:
    return f"{what}, {len(found)} rows: " + ", ".join(
        f"p{100 * share:g} {percentile(found, share):.2f} ms" for share in (0.5, 0.9, 0.99, 0.999)
    ) + f", max {max(found):.2f} ms"


def main() -> None:
    script = "script" in sys.argv[1:]
    name = "latency_of_script" if script else "latency"
    head(name, f"{RATE} messages/s: from due to visible, {SECONDS:.0f} s, trigger {TRIGGER}")
    with rig(live=True) as made:
        print(spread("until a plain consumer has it", bare_latencies(made)))
        found = latencies(made, script)
    print(spread("until it is visible", found))
    if len(found) < 0.9 * RATE * SECONDS:
        sys.exit(f"only {len(found)} of {RATE * SECONDS:.0f} rows were seen in time")
    figure(name, "p50_ms", percentile(found, 0.5), 10, 4)
    figure(name, "p99_ms", percentile(found, 0.99), 40, 15)


if __name__ == "__main__":
    main()
