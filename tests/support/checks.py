"""checks.py: compares what a sink holds with what was sent.

Uses     psycopg; orders.py or any other maker of lines in COPY's text format.

C1  The expectation comes from what was sent, never from the sink.
C2  Whole rows are compared, as multisets: a count alone would not see one row lost and another
    doubled. Missing, doubled and invented rows are told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import psycopg

SHOWN_MAX = 5


@dataclass
class Verdict:
    """What a comparison found. `wrong` is empty when the sink holds just what it must."""

    expected: int = 0
    there: int = 0
    missing: Counter = field(default_factory=Counter)
    doubled: Counter = field(default_factory=Counter)
    invented: Counter = field(default_factory=Counter)

    @property
    def is_exact(self) -> bool:
        return not (self.missing or self.doubled or self.invented)

    def __str__(self) -> str:
        parts = [f"{self.there} rows of {self.expected}"]
        for name in ("missing", "doubled", "invented"):
            rows = getattr(self, name)
            parts.append(f"{rows.total()} {name}")
            parts += [f"    {name}: {line.decode()}" for line in list(rows)[:SHOWN_MAX]]
        return "\n".join(parts)


def compare(expected: Iterable[bytes], there: Iterable[bytes]) -> Verdict:
    """Both are lines; the order does not matter."""
    verdict = Verdict()
    rest = Counter(expected)
    verdict.expected = rest.total()
    for line in there:
        verdict.there += 1
        count = rest.get(line)
        if count is None:
            verdict.invented[line] += 1
        elif count == 0:
            verdict.doubled[line] += 1
        else:
            rest[line] = count - 1
    verdict.missing = +rest
    return verdict


def table_lines(connection: psycopg.Connection, query: str) -> list[bytes]:
    """The rows of a query, in COPY's text format, in UTC."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone = 'UTC'")
        with cursor.copy(f"COPY ({query}) TO STDOUT") as copy:
            return b"".join(bytes(block) for block in copy).splitlines()


def assert_exact(connection: psycopg.Connection, query: str, expected: Iterable[bytes]) -> Verdict:
    """0 missing, 0 doubled, 0 invented."""
    verdict = compare(expected, table_lines(connection, query))
    assert verdict.is_exact, f"{query}: {verdict}"
    return verdict
