"""upsert.py: a backlog over 100 000 keys into a table with a primary key, against a loop by hand.

usage: ./dev bench upsert
The loop sends the very batches that weir sent: their rows, collapsed to each key's last change and
sorted, encoded beforehand as binary arrays; only the statements and their commits are timed.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))
import psycopg  # noqa: E402
from psycopg.adapt import PyFormat, Transformer  # noqa: E402
from rig import (  # noqa: E402
    MESSAGES, UPSERTED, Rig, Run, figure, head, median_rate, pipeline_text, ratio, ratio_of_best,
    rig, run_weir, say, take_turns)

from orders import SOURCE_COLUMNS  # noqa: E402

TYPES = ("bigint", "text", "numeric", "integer", "timestamptz", "text")
UPSERT = """
    INSERT INTO orders (id, customer, amount, quantity, created_at, note)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::numeric[], $4::integer[], $5::timestamptz[],
                         $6::text[])
    ON CONFLICT (customer) DO UPDATE SET id = excluded.id, amount = excluded.amount,
      quantity = excluded.quantity, created_at = excluded.created_at, note = excluded.note"""
KEY = ", PRIMARY KEY (customer)"

Row = tuple[int, str, Decimal, int | None, datetime, str | None]


def batches_of_weir(rig: Rig) -> list[dict[str, list[int]]]:
    """The ranges of every batch of the last run of weir."""
    with psycopg.connect(rig.postgres.dsn_of("bench"), autocommit=True) as connection:
        return [ranges for ranges, in connection.execute(
            "SELECT ranges FROM weir.batch ORDER BY batch")]


def row_of(number: int) -> Row:
    customer, cents, quantity, created, note = UPSERTED.values(number)
    return number, customer, Decimal(cents).scaleb(-2), quantity, created, note


def encoded(rig: Rig, ranges: list[dict[str, list[int]]]) -> list[list[bytes]]:
    """Each batch as six binary arrays, collapsed and sorted."""
    say(f"encoding {len(ranges)} batches for the loop by hand")
    places: list[list[int]] = [[] for _ in range(UPSERTED.partitions)]
    for number, partition, _ in UPSERTED.placed(range(MESSAGES)):
        places[partition].append(number)
    with psycopg.connect(rig.postgres.dsn) as connection:
        return [arrays(connection, ranges_of_one, places) for ranges_of_one in ranges]


def arrays(connection: psycopg.Connection, ranges: dict[str, list[int]],
           places: list[list[int]]) -> list[bytes]:
    last: dict[int, int] = {}
    for stream, (first, end) in ranges.items():
        for number in places[int(stream.rpartition("/")[2])][first:end]:
            last[UPSERTED.customer(number)] = number
    rows = [row_of(last[customer]) for customer in sorted(last)]
    transformer = Transformer(connection)
    found = []
    for column, kind in zip(zip(*rows), TYPES):
        values = list(column)
        if kind in ("bigint", "integer"):
            wrap = psycopg.types.numeric.Int8 if kind == "bigint" else psycopg.types.numeric.Int4
            values = [None if value is None else wrap(value) for value in values]
        dumper = transformer.get_dumper(values, PyFormat.BINARY)
        found.append(bytes(dumper.dump(values)))
    return found


def run_loop(rig: Rig, batches: list[list[bytes]]) -> Run:
    """One transaction a batch, nothing else."""
    with psycopg.connect(rig.fresh_database("bare"), autocommit=True) as connection:
        connection.execute(f"CREATE TABLE orders ({SOURCE_COLUMNS}{KEY})")
        libpq = connection.pgconn
        done = libpq.prepare(b"upsert", UPSERT.encode())
        assert done.status == psycopg.pq.ExecStatus.COMMAND_OK, done.error_message
        begin = time.monotonic()
        for parameters in batches:
            done = libpq.exec_prepared(b"upsert", parameters, [1] * len(parameters))
            assert done.status == psycopg.pq.ExecStatus.COMMAND_OK, done.error_message
        wall_s = time.monotonic() - begin
    return Run(MESSAGES, wall_s, wall_s, batches=len(batches))


def main() -> None:
    head("upsert", "100 000 keys: rows/s divided by a loop of INSERT ... SELECT FROM unnest by hand")
    with rig() as made:
        topic = made.topic("upserted", UPSERTED)
        keys = len({UPSERTED.customer(number) for number in range(MESSAGES)})

        def weir() -> Run:
            return run_weir(made, pipeline_text(topic, KEY), rows_there=keys)

        weir()
        batches = encoded(made, batches_of_weir(made))
        runs = take_turns({"loop": lambda: run_loop(made, batches), "weir": weir})
    figure("upsert", "rows_per_s", median_rate(runs["weir"]))
    figure("upsert", "loop_rows_per_s", median_rate(runs["loop"]))
    figure("upsert", "ratio_to_loop_of_best", ratio_of_best(runs["weir"], runs["loop"]))
    figure("upsert", "ratio_to_loop", ratio(runs["weir"], runs["loop"]), 0.80, 0.95)


if __name__ == "__main__":
    main()
