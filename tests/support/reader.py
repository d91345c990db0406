"""reader.py: somebody who reads the sink while weir writes it.

Uses     psycopg, ledger.py. A thread of its own, with a connection of its own.

H1  Each look is one snapshot (REPEATABLE READ) of table, ledger and history.
H2  A batch is all or nothing: in every snapshot the table holds just the rows of the batches that
    the history names, and of each source partition just the records below the ledger's ends.
H3  What was seen once never goes, and the ledger never goes back.
What breaks a rule is kept in `problems`, with what was seen.
"""

from __future__ import annotations

import threading
import time

import psycopg

import ledger

PAUSE_S = 0.05
PAUSE_PER_LOOK = 3  # the reader rests so many times as long as a look takes: it must not be the load


class Reader(threading.Thread):
    """Watches a table with the columns part and pos (partition and offset) while it is filled.

    dense: every offset gives a row, so that count and ends of a partition must agree. Otherwise
    (upserts) the newest record of each partition must be there, and it is the ledger's last.
    """

    def __init__(self, dsn: str, table: str = "public.orders", dense: bool = True):
        super().__init__(daemon=True)
        self.dsn, self.table, self.dense = dsn, table, dense
        self.problems: list[str] = []
        self.looks = 0
        self.batches_seen: set[int] = set()
        self.seen: dict[int, tuple[int, int]] = {}
        self.last_batch = 0
        self.finished = threading.Event()

    def __enter__(self) -> "Reader":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def stop(self) -> None:
        """One more look, then the end."""
        self.finished.set()
        self.join(60)

    def run(self) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            while not self.finished.is_set():
                begin = time.monotonic()
                self.try_to_look(connection)
                self.finished.wait(PAUSE_S + PAUSE_PER_LOOK * (time.monotonic() - begin))
            self.try_to_look(connection)

    def try_to_look(self, connection: psycopg.Connection) -> None:
        exists = connection.execute("SELECT to_regclass(%s)", (self.table,)).fetchone()[0]
        if exists is None or not ledger.exists(connection):
            return
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            rows = dict((part, (count, last)) for part, count, last in connection.execute(
                f"SELECT part, count(*), max(pos) FROM {self.table} GROUP BY part"))
            state = ledger.state(connection)
            written = ledger.rows_written(connection)
            ends = ledger.ends(connection)
        self.looks += 1
        self.judge(rows, state, written, ends)

    def judge(self, rows: dict[int, tuple[int, int]], state: list[ledger.Row], written: int,
              ends: dict[int, int]) -> None:
        batch = max((row.batch for row in state), default=0)
        self.batches_seen.add(batch)
        if batch < self.last_batch:
            self.problems.append(f"the ledger went back from batch {self.last_batch} to {batch}")
        self.last_batch = max(self.last_batch, batch)
        total = sum(count for count, _ in rows.values())
        if self.dense and total != written:
            self.problems.append(f"batch {batch}: {total} rows, but the history says {written}")
        for part, (count, last) in rows.items():
            end = ends.get(part, 0)
            if last != end - 1 or (self.dense and count != end):
                self.problems.append(f"batch {batch}, source partition {part}: {count} rows up to "
                                     f"offset {last}, but the ledger ends at {end}")
        for part, (count, last) in self.seen.items():
            now = rows.get(part, (0, -1))
            if now[0] < count or now[1] < last:
                self.problems.append(f"source partition {part}: {count} rows were seen, now {now[0]}")
        self.seen = rows

    def assert_fine(self, looks_min: int = 1) -> None:
        assert not self.problems, "\n".join(self.problems[:10])
        assert self.looks >= looks_min, f"the reader looked {self.looks} times only"
