"""test_kills.py: kill -9 at random moments; every row exactly once.

Uses     kills.py, reader.py. The short run kills 20 times over 300 000 rows, the long one (./dev
         test --long) 200 times over 2 million, for appends without any key and for upserts. Short
         lives are 20 and 200.
"""

from __future__ import annotations

import time

import psycopg
import pytest

import ledger
from kills import Campaign
from reader import Reader
from stage import LONG, SEED, Stage
from weir_process import Weir

LIVES = 200 if LONG else 20
KILLS, ROWS = (200, 2_000_000) if LONG else (20, 300_000)


def campaign(stage: Stage, kind: str, salt: int, kills: int = KILLS, rows: int = ROWS,
             **settings: object) -> Campaign:
    settings = {"batch_rows": 500, **settings}
    weir = stage.weir(stage.order_file(kind, **settings))
    return Campaign(stage, weir, rows, kills, SEED + salt)


def assert_sound(stage: Stage, kind: str) -> None:
    stage.assert_exact(kind)
    with psycopg.connect(stage.dsn) as connection:
        ledger.audit(connection)


# covers: P-02
@pytest.mark.parametrize("kind", ["append", "upsert"])
def test_kills_lose_nothing_and_double_nothing(stage: Stage, count_kills, kind: str):
    run = campaign(stage, kind, salt=1)
    with Reader(stage.dsn, dense=kind == "append") as reader:
        run.run()
    assert run.counted >= KILLS
    count_kills(run.counted)
    reader.assert_fine(looks_min=20)
    assert_sound(stage, kind)


@pytest.mark.parametrize("kind", ["append", "upsert"])
def test_kills_with_two_output_partitions(stage: Stage, count_kills, kind: str):
    run = campaign(stage, kind, salt=2, kills=KILLS // 4, rows=ROWS // 4, output_partitions=2)
    run.run()
    count_kills(run.counted)
    assert_sound(stage, kind)


# covers: P-03
def test_killed_five_times_in_a_row_while_recovering(stage: Stage):
    """Recovery may be cut short as often as one likes: it works no more, and no less, each time."""
    run = campaign(stage, "append", salt=3, kills=5, rows=60_000)
    run.run()
    weir = run.weir
    stage.send(20_000)
    for delay_ms in (2, 10, 20, 40, 80):
        weir.start()
        try:
            weir.process.wait(delay_ms / 1000)
        except Exception:  # noqa: BLE001 - still running is what we want
            weir.kill9()
    weir.finish()
    assert_sound(stage, "append")


def log_bytes(weir: Weir) -> int:
    return sum(path.stat().st_size for path in weir.data.rglob("*.wal"))


def test_short_lives_leave_a_short_log(stage: Stage):
    """No life fills so much as one segment; what is behind is given back all the same."""
    segment = 64 * 1024
    weir = stage.weir(stage.order_file("append", batch_rows=3, **{
        "log.segment_bytes": segment, "log.retain_bytes": segment}))
    sizes = []
    for life in range(LIVES):
        stage.send(30)
        if life % 5 == 4:
            weir.start()
            time.sleep(0.02 * (life % 7))
            weir.kill9()
        else:
            weir.finish()
        sizes.append(log_bytes(weir))
    weir.finish()
    assert max(sizes) <= 6 * segment, sizes
    assert_sound(stage, "append")
