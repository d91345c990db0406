"""ledger.py: what schema weir of a database says, and whether it agrees with itself.

Uses     psycopg. The one place of the tests that knows the columns of weir.ledger, weir.batch and
         weir.dead_letter. Each stage has a database and one pipeline of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg.rows import dict_row


@dataclass(frozen=True)
class Row:
    """One row of weir.ledger."""

    partition: int
    batch: int
    t: int
    generation: int


def is_step(text: str) -> bool:
    """Whether a statement moves the ledger on; its COMMIT comes in the same message."""
    return "weir.advance(" in text


def exists(connection: psycopg.Connection) -> bool:
    return connection.execute("SELECT to_regclass('weir.ledger')").fetchone()[0] is not None


def state(connection: psycopg.Connection) -> list[Row]:
    return [Row(*row) for row in connection.execute(
        "SELECT partition, batch, t, generation FROM weir.ledger ORDER BY partition")]


def batch_number(connection: psycopg.Connection) -> int:
    """The last batch that is in all partitions; 0 while there is none."""
    if not exists(connection):
        return 0
    return connection.execute("SELECT coalesce(min(batch), 0) FROM weir.ledger").fetchone()[0]


def generation(connection: psycopg.Connection) -> int:
    if not exists(connection):
        return 0
    return connection.execute("SELECT coalesce(max(generation), 0) FROM weir.ledger").fetchone()[0]


def rows_written(connection: psycopg.Connection) -> int:
    """Output rows of all batches of the history, but for those that the server would not take."""
    return connection.execute(
        "SELECT coalesce(sum(rows - refused), 0)::bigint FROM weir.batch").fetchone()[0]


def ends(connection: psycopg.Connection, partition: int | None = None) -> dict[int, int]:
    """Where each source partition's records end that are in (in all output partitions)."""
    query = """
        WITH all_in AS (
          SELECT min(batch) AS batch FROM weir.ledger WHERE partition = coalesce(%s, partition))
        SELECT split_part(r.key, '/', 3)::integer, max((r.value ->> 1)::bigint)
        FROM weir.batch b, all_in, jsonb_each(b.ranges) r
        WHERE b.batch <= all_in.batch GROUP BY 1"""
    return dict(connection.execute(query, (partition,)).fetchall())


def history(connection: psycopg.Connection) -> list[dict]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT batch, partition, t, generation, rows, source_rows, ranges "
                       "FROM weir.batch ORDER BY partition, batch")
        return cursor.fetchall()


def dead_letters(connection: psycopg.Connection) -> list[dict]:
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute('SELECT batch, source, stream, stream_partition::integer, "offset", key, value, '
                       'sqlstate, error FROM weir.dead_letter '
                       'ORDER BY stream, stream_partition, "offset"')
        return cursor.fetchall()


def audit(connection: psycopg.Connection, gapless: bool = True, all_from_first: bool = True) -> None:
    """The history agrees with itself: batches without gaps, time and generation only rise, and
    ranges that join without a hole or an overlap (gapless: from the first record on). all_from_first:
    no output partition was added later."""
    expected_batch: dict[int, int] = {}
    last: dict[int, dict] = {}
    joined: dict[tuple[int, str], int] = {}
    for entry in history(connection):
        partition = entry["partition"]
        wanted = expected_batch.get(partition, 1 if all_from_first else entry["batch"])
        assert entry["batch"] == wanted, f"partition {partition}: batch {wanted} is not in the history"
        expected_batch[partition] = wanted + 1
        if before := last.get(partition):
            assert entry["t"] > before["t"], f"batch time does not rise: {before}, {entry}"
            assert entry["generation"] >= before["generation"], f"generation falls: {before}, {entry}"
        last[partition] = entry
        for stream, (first, end) in entry["ranges"].items():
            begin = joined.get((partition, stream), 0 if all_from_first else first)
            assert not gapless or first == begin, f"{stream}: {first} follows {begin} in {entry}"
            joined[partition, stream] = end
    for row in state(connection):
        entry = last.get(row.partition)
        if entry is not None:
            assert (row.batch, row.t) == (entry["batch"], entry["t"]), f"{row} is not {entry}"
