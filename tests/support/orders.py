"""orders.py: seeded test data, as messages and as the rows that must come of them.

Uses     the standard library and orjson.
An order is a pure function of (seed, id), so an expectation of millions of rows needs no memory of
what was sent: it is computed again. It has six fields and about 130 bytes of JSON.

W1  What a message says and what the row must be are made here from the same values, independently of
    weir: rows are lines in the text format of COPY, in UTC.
W2  All orders of a customer go to one partition, so that "the last one wins" has one meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

EPOCH = datetime(2026, 1, 1, tzinfo=timezone.utc)
NOTES = ("plain", "größer", "日本語", 'says "yes"', "", None, "a comma, and so on", "the last")
MASK = (1 << 64) - 1

# Columns of the source table, and of a target that keeps the coordinates of every row.
SOURCE_COLUMNS = """  id bigint, customer text, amount numeric(12,2), quantity integer,
  created_at timestamptz, note text"""
TARGET_COLUMNS = SOURCE_COLUMNS + ", part integer, pos bigint"
TARGET_NAMES = "id, customer, amount, quantity, created_at, note, part, pos"
SELECTED = "id, customer, amount, quantity, created_at, note, _partition, _offset"


def mix(seed: int, number: int) -> int:
    """64 well-mixed bits of the pair (splitmix64)."""
    z = (seed * 0x9E3779B97F4A7C15 + number * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def stamp(moment: datetime) -> str:
    """A timestamptz as PostgreSQL prints it in UTC: no trailing zeros in the fraction."""
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    if moment.microsecond:
        text += f".{moment.microsecond:06d}".rstrip("0")
    return text + "+00"


@dataclass(frozen=True)
class Orders:
    """The orders of one seed, spread over partitions of unequal size (weights)."""

    seed: int
    weights: tuple[int, ...] = (4, 3, 2, 1)
    customers: int = 1000

    @property
    def partitions(self) -> int:
        return len(self.weights)

    def customer(self, number: int) -> int:
        return mix(self.seed, number) % self.customers

    def partition(self, number: int) -> int:
        share = mix(self.seed + 1, self.customer(number)) % sum(self.weights)
        for partition, weight in enumerate(self.weights):
            if share < weight:
                return partition
            share -= weight
        raise AssertionError("the weights do not add up")

    def values(self, number: int) -> tuple:
        """(customer, cents, quantity, created_at, note) of one order."""
        bits = mix(self.seed + 2, number)
        cents = bits % 10_000_000
        quantity = None if bits >> 24 & 15 == 0 else (bits >> 28) % 100
        created = EPOCH + timedelta(microseconds=number * 1000 + (bits >> 40) % 1000)
        return (f"customer-{self.customer(number):06d}", cents, quantity, created,
                NOTES[bits >> 60 & 7])

    def message(self, number: int) -> bytes:
        customer, cents, quantity, created, note = self.values(number)
        amount = f"{cents // 100}.{cents % 100:02d}"
        shown = "null" if note is None else '"' + note.replace('"', '\\"') + '"'
        count = "null" if quantity is None else quantity
        return (f'{{"id":{number},"customer":"{customer}","amount":{amount},"quantity":{count},'
                f'"created_at":"{created:%Y-%m-%dT%H:%M:%S.%f}Z","note":{shown}}}').encode()

    def line(self, number: int, *more: object) -> bytes:
        """The row in COPY's text format, with further columns behind it."""
        customer, cents, quantity, created, note = self.values(number)
        fields = [number, customer, f"{cents // 100}.{cents % 100:02d}",
                  r"\N" if quantity is None else quantity, stamp(created),
                  r"\N" if note is None else note, *more]
        return "\t".join(map(str, fields)).encode()

    def placed(self, numbers: range) -> Iterator[tuple[int, int, int]]:
        """(number, partition, offset) of orders sent one after another to an empty topic."""
        following = [0] * self.partitions
        for number in numbers:
            partition = self.partition(number)
            yield number, partition, following[partition]
            following[partition] += 1

    def lines(self, numbers: range) -> Iterator[bytes]:
        """The rows of a target with TARGET_COLUMNS."""
        for number, partition, offset in self.placed(numbers):
            yield self.line(number, partition, offset)

    def last_lines(self, numbers: range) -> Iterator[bytes]:
        """The rows of a target with PRIMARY KEY (customer): each customer's last order."""
        last = {self.customer(number): (number, partition, offset)
                for number, partition, offset in self.placed(numbers)}
        for number, partition, offset in last.values():
            yield self.line(number, partition, offset)
