"""rig.py: what the benches stand on: servers, the topic, one measured run of a program, the report.

Uses     tests/support/ for servers and data. Servers and topics live in build/bench/ and stay there
         from bench to bench, because filling a topic takes longer than reading it.

B1  A ratio is that of the medians over rounds in which the things compared take turns (A B A B ...):
    a noisy neighbour then hits both. Every round is printed.
B2  Whatever is compared runs on the same servers, with the same rows, in the same database settings.
B3  The servers are as safe as a user's: fsync, synchronous_commit and full_page_writes are on.
"""

from __future__ import annotations

import json
import os
import re
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import psycopg  # noqa: E402

import ledger  # noqa: E402
import pipelines  # noqa: E402
import servers  # noqa: E402
import weir_process  # noqa: E402
from orders import SOURCE_COLUMNS, Orders  # noqa: E402
from topics import Topic, send_orders  # noqa: E402

HOME = servers.BUILD / "bench"
MESSAGES = int(os.environ.get("WEIR_BENCH_MESSAGES", "2000000"))
ROUNDS = int(os.environ.get("WEIR_BENCH_ROUNDS", "5"))
# Autovacuum would start at some moment in one of the runs, and not in the other.
POSTGRES_SETTINGS = {"autovacuum": "off", "checkpoint_timeout": "'1h'", "max_wal_size": "'8GB'",
                     "min_wal_size": "'4GB'"}
ORDERS = Orders(seed=1)
UPSERTED = Orders(seed=1, customers=100_000)
COLUMNS = "id, customer, amount, quantity, created_at, note"
MIB = 1 << 20


# ---- servers and data ------------------------------------------------------------------------------


class Rig:
    """One Kafka and one PostgreSQL, with the topics that benches read."""

    def __init__(self, live: bool):
        self.kafka = servers.Kafka(HOME / "kafka", all_compilers=live)
        self.postgres = servers.Postgres(HOME / "pg", POSTGRES_SETTINGS)

    def topic(self, name: str, orders: Orders, count: int = MESSAGES) -> str:
        """A topic with so many orders; filled when it is not there."""
        topic = Topic(self.kafka.bootstrap, f"{name}-{count}")
        if topic.name not in topic.admin.list_topics(timeout=30).topics:
            say(f"filling topic {topic.name} with {count:,} messages")
            topic.create(orders.partitions)
            send_orders(topic, orders, range(count))
        assert sum(topic.ends().values()) == count, f"topic {topic.name} is half filled: ./dev clean"
        return topic.name

    def fresh_database(self, name: str = "bench") -> str:
        """An empty database; returns its DSN."""
        with psycopg.connect(self.postgres.dsn, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {name}")
            admin.execute("CHECKPOINT")
        return self.postgres.dsn_of(name)

    def environment(self, dsn: str) -> dict[str, str]:
        return {**os.environ, "KAFKA": self.kafka.bootstrap, "PG_DSN": dsn}


@contextmanager
def rig(live: bool = False):
    """The rig, up; stopped in order at the end, data kept.

    A backlog is over before Java's second compiler is done with the broker, and it takes half of a core
    meanwhile; a bench that is live for minutes is measured with it, like a user's broker.
    """
    made = Rig(live)
    HOME.mkdir(parents=True, exist_ok=True)
    with made.kafka, made.postgres:
        yield made


# ---- one run of a program --------------------------------------------------------------------------


@dataclass
class Run:
    """What one run cost. span_s: from the first record read to the last commit, as the database
    has it; whole_s: of the process, from start to exit."""

    rows: int
    span_s: float
    whole_s: float
    peak_mib: float = 0.0
    cpu_s: float = 0.0
    batches: int = 0

    @property
    def rate(self) -> float:
        return self.rows / self.span_s

    @property
    def whole_rate(self) -> float:
        return self.rows / self.whole_s

    def __str__(self) -> str:
        text = f"{self.rate:>11,.0f} rows/s"
        if self.whole_s != self.span_s:
            text += f"  (whole process {self.whole_rate:,.0f} rows/s, {self.cpu_s:.2f} s of processor, "
            text += f"peak {self.peak_mib:.1f} MiB, {self.batches} batches)"
        return text


def pipeline_text(topic: str, key: str = "", **settings: object) -> str:
    return "\n".join([
        pipelines.settings_lines({"name": "bench", **settings}),
        pipelines.source(topic),
        pipelines.target("public.orders", SOURCE_COLUMNS + key),
        f"INSERT INTO public.orders SELECT {COLUMNS} FROM incoming;\n"])


@dataclass
class Usage:
    wall_s: float
    cpu_s: float
    peak_mib: float


def peak_resident(pid: int, so_far: float) -> float:
    """VmHWM in MiB. ru_maxrss is of no use: it begins with what this Python held when it forked."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except ProcessLookupError:
        return so_far
    found = re.search(r"VmHWM:\s+(\d+) kB", status)  # gone when the process is over
    return int(found[1]) / 1024 if found else so_far


def measured(command: list[object], environment: dict[str, str], log: Path) -> Usage:
    """Runs a program to its end; the peak is looked at every 10 ms."""
    begin, peak = time.monotonic(), 0.0
    with open(log, "wb") as output:
        process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output, env=environment)
        gone = 0
        while gone == 0:
            peak = peak_resident(process.pid, peak)
            gone, status, usage = os.wait4(process.pid, os.WNOHANG)
            time.sleep(0 if gone else 0.01)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = time.monotonic() - begin
    if process.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        sys.exit(f"{command[0]} ended with {process.returncode}:\n{tail}")
    return Usage(wall_s, usage.ru_utime + usage.ru_stime, peak)


def run_weir(rig: Rig, text: str, rows: int = MESSAGES, rows_there: int | None = None) -> Run:
    """weir with an empty log, into an empty database, until it has caught up."""
    dsn = rig.fresh_database()
    data = HOME / "weir"
    shutil.rmtree(data, ignore_errors=True)
    pipeline = pipelines.write(HOME / "pipeline.sql", text)
    usage = measured([weir_process.binary(), "run", pipeline, "--data", data,
                      "--until-caught-up"], rig.environment(dsn), HOME / "weir.log")
    with psycopg.connect(dsn, autocommit=True) as connection:
        span_s, batches, read = connection.execute(
            "SELECT extract(epoch FROM max(committed_at)) - min(t) / 1e6, count(*), "
            "sum(source_rows)::bigint FROM weir.batch").fetchone()
        there = connection.execute("SELECT count(*) FROM orders").fetchone()[0]
        ledger.audit(connection)
    assert read == rows and there == (rows if rows_there is None else rows_there), (read, there)
    return Run(rows, float(span_s), usage.wall_s, usage.peak_mib, usage.cpu_s, batches)


# ---- the bare limit --------------------------------------------------------------------------------


def copy_file(rig: Rig, orders: Orders, count: int = MESSAGES) -> Path:
    """All rows as COPY BINARY wants them."""
    path = HOME / f"orders-{count}.copy"
    if path.exists():
        return path
    say(f"making {path.name}")
    with psycopg.connect(rig.fresh_database("bare"), autocommit=True) as connection:
        connection.execute(f"CREATE TABLE orders ({SOURCE_COLUMNS})")
        with connection.cursor().copy("COPY orders FROM STDIN") as copy:
            for number in range(count):
                copy.write(orders.line(number) + b"\n")
        with connection.cursor().copy("COPY orders TO STDOUT (FORMAT binary)") as copy:
            with open(path.with_suffix(".new"), "wb") as file:
                for block in copy:
                    file.write(block)
    path.with_suffix(".new").rename(path)
    return path


def run_copy(rig: Rig, path: Path, count: int = MESSAGES) -> Run:
    """COPY BINARY of the ready file over one connection, in blocks of 1 MiB, one transaction."""
    dsn = rig.fresh_database("bare")
    with psycopg.connect(dsn, autocommit=True) as connection, open(path, "rb") as file:
        connection.execute(f"CREATE TABLE orders ({SOURCE_COLUMNS})")
        begin = time.monotonic()
        with connection.cursor().copy("COPY orders FROM STDIN (FORMAT binary)") as copy:
            while block := file.read(MIB):
                copy.write(block)
        wall_s = time.monotonic() - begin
        assert connection.execute("SELECT count(*) FROM orders").fetchone()[0] == count
    return Run(count, wall_s, wall_s)


# ---- the report ------------------------------------------------------------------------------------


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                  if line.startswith("model name")), platform.processor())
    memory = int(next(line for line in open("/proc/meminfo")).split()[1]) / MIB
    return (f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, load "
            f"{os.getloadavg()[0]:.1f}")


def commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-c", f"safe.directory={ROOT}", "-C", ROOT, *arguments],
                              capture_output=True, text=True).stdout.strip()
    return git("describe", "--always", "--dirty", "--abbrev=12") or "no commit known"


def head(name: str, what: str) -> None:
    print(f"# {name}: {what}")
    print(f"# machine: {machine()}")
    print(f"# commit: {commit()}; Kafka {servers.KAFKA_VERSION}, PostgreSQL 15, all on this machine; "
          f"{MESSAGES:,} messages, {ORDERS.partitions} partitions, {ROUNDS} rounds", flush=True)


def figure(bench: str, name: str, value: float, must: float | None = None,
           aim: float | None = None) -> None:
    """One line of JSON."""
    line: dict[str, object] = {"bench": bench, "figure": name, "value": round(value, 4)}
    if must is not None:
        line |= {"must": must, "aim": aim}
    print(json.dumps(line), flush=True)


def take_turns(contenders: dict[str, Callable[[], Run]], rounds: int = ROUNDS) -> dict[str, list[Run]]:
    """Runs the contenders in turn, after one round that is thrown away (caches, recycled WAL)."""
    found: dict[str, list[Run]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, run in contenders.items():
            done = run()
            if number > 0:
                found[name].append(done)
            print(f"{'warm-up' if number == 0 else f'round {number}':8} {name:16} {done}", flush=True)
    return found


def median_rate(runs: list[Run]) -> float:
    return statistics.median(run.rate for run in runs)


def ratio(over: list[Run], under: list[Run]) -> float:
    return median_rate(over) / median_rate(under)


def ratio_of_best(over: list[Run], under: list[Run]) -> float:
    """Neighbours only ever slow a run down: where this is far from the ratio, the machine was busy."""
    return max(run.rate for run in over) / max(run.rate for run in under)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
