"""test_modes.py: at_least_once and at_most_once under kills: what may be missing or doubled, and
that nothing else is.

Uses     kills.py. Rows carry their coordinates, so that each missing or doubled one can be laid at
         the door of a batch: it must be one that was in flight at a kill, and weir must have said so.
"""

from __future__ import annotations

import psycopg

import ledger
from checks import Verdict, compare, table_lines
from kills import Campaign
from orders import TARGET_NAMES
from stage import LONG, SEED, Stage

KILLS, ROWS = (100, 1_000_000) if LONG else (12, 120_000)
BATCH_ROWS = 500
IN_FLIGHT_MAX = 2  # batches sealed and not committed, see WEIR_TXN_IN_FLIGHT


def verdict_after_kills(stage: Stage, delivery: str, salt: int) -> tuple[Verdict, Campaign]:
    weir = stage.weir(stage.order_file(delivery=delivery, batch_rows=BATCH_ROWS))
    campaign = Campaign(stage, weir, ROWS, KILLS, SEED + salt)
    campaign.run()
    with psycopg.connect(stage.dsn) as connection:
        there = table_lines(connection, f"SELECT {TARGET_NAMES} FROM public.orders")
    return compare(stage.orders.lines(stage.sent), there), campaign


def coordinates(lines) -> set[tuple[int, int]]:
    return {tuple(map(int, line.split(b"\t")[-2:])) for line in lines}


def ranges_of(entries: list[dict]) -> set[tuple[int, int]]:
    """All (partition, offset) of these batches of the history."""
    return {(int(stream.rpartition("/")[2]), offset) for entry in entries
            for stream, (first, end) in entry["ranges"].items() for offset in range(first, end)}


# covers: P-02
def test_at_least_once_loses_nothing(stage: Stage):
    verdict, campaign = verdict_after_kills(stage, "at_least_once", salt=11)
    assert not verdict.missing and not verdict.invented, str(verdict)
    allowed = campaign.lives * IN_FLIGHT_MAX * BATCH_ROWS
    assert verdict.doubled.total() <= allowed, str(verdict)
    said = campaign.weir.events("batch_repeated", all_lives=True)
    if verdict.doubled:
        assert said, f"{verdict}\nbut weir never said that it repeats a batch"


def test_at_least_once_without_faults_is_exact(stage: Stage):
    stage.send(20_000)
    stage.weir(stage.order_file(delivery="at_least_once")).finish()
    stage.assert_exact()


# covers: P-02
def test_at_most_once_doubles_nothing(stage: Stage):
    verdict, campaign = verdict_after_kills(stage, "at_most_once", salt=12)
    assert not verdict.doubled and not verdict.invented, str(verdict)
    connection = stage.connect()
    ledger.audit(connection)
    # The ledger steps over a dropped batch without its rows: what is missing is just those batches.
    dropped = [entry for entry in ledger.history(connection)
               if entry["source_rows"] > 0 and entry["rows"] == 0]
    assert coordinates(verdict.missing) == ranges_of(dropped), str(verdict)
    assert verdict.missing.total() == sum(entry["source_rows"] for entry in dropped)
    said = campaign.weir.events("batch_dropped", all_lives=True)
    assert len(said) >= len(dropped)
    assert len(dropped) <= campaign.lives * IN_FLIGHT_MAX


def test_at_most_once_without_faults_is_exact(stage: Stage):
    stage.send(20_000)
    stage.weir(stage.order_file(delivery="at_most_once")).finish()
    stage.assert_exact()
