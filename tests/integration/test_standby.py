"""test_standby.py: a real standby takes over from a PostgreSQL that weir writes to.

Uses     standby.py. weir knows both servers (`host=a,b`) and goes where it may write. What is expected
         comes from what was sent; rows that only the old server has are not there.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

import ledger
from checks import compare, table_lines
from orders import TARGET_NAMES
from stage import Stage, database_dsn
from standby import Standby
from weir_process import Weir, wait_until

ROWS, BATCH_ROWS = 4000, 200
NOTHING = {"exactly_once": ("missing", "doubled", "invented"), "at_least_once": ("missing", "invented"),
           "at_most_once": ("doubled", "invented")}


@pytest.fixture
def standby(own_postgres_stage: Stage) -> Iterator[Standby]:
    primary = own_postgres_stage.postgres
    ret = Standby(primary.dir.parent / "standby", primary)
    ret.destroy()
    ret.start()
    yield ret
    ret.destroy()
    primary.start()
    primary.psql("ALTER SYSTEM RESET ALL")
    primary.psql("SELECT pg_reload_conf()")


def weir_of_both(stage: Stage, standby: Standby, **settings: object) -> Weir:
    pipeline = stage.order_file(batch_rows=BATCH_ROWS, **settings)
    weir = stage.weir(pipeline)
    weir.env["PG_DSN"] = database_dsn(stage.postgres.port, stage.database).replace(
        f":{stage.postgres.port}/", f":{stage.postgres.port},127.0.0.1:{standby.port}/")
    return weir


def send_and_wait(stage: Stage) -> None:
    stage.send(ROWS)
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.exists(watch)
                   and sum(ledger.ends(watch).values()) == len(stage.sent), 60, "all records")


def assert_kept(stage: Stage, delivery: str) -> None:
    with psycopg.connect(stage.dsn) as connection:
        verdict = compare(stage.orders.lines(stage.sent),
                          table_lines(connection, f"SELECT {TARGET_NAMES} FROM public.orders"))
    assert [kind for kind in NOTHING[delivery] if getattr(verdict, kind)] == [], str(verdict)


# covers: G-16
@pytest.mark.parametrize("delivery, partitions", [
    ("exactly_once", 2), ("at_least_once", 1), ("at_most_once", 1)])
def test_a_standby_without_the_last_commits_takes_over(own_postgres_stage: Stage, standby: Standby,
                                                       delivery: str, partitions: int):
    """It lacks what was committed last. The old server lives on for a while, and weir, connected to it,
    is told that its batches are in; then it is gone."""
    stage = own_postgres_stage
    weir = weir_of_both(stage, standby, delivery=delivery, output_partitions=partitions)
    weir.start()
    send_and_wait(stage)
    standby.catch_up()
    standby.fall_behind()
    send_and_wait(stage)
    standby.promote()
    send_and_wait(stage)  # into the void
    stage.postgres.kill9()
    stage.postgres = standby
    send_and_wait(stage)
    weir.wait_event("sink_went_back")
    assert weir.term() == 0
    assert_kept(stage, delivery)
    if delivery == "exactly_once":
        ledger.audit(stage.connect())


# covers: G-13
def test_a_synchronous_standby_takes_over_in_the_middle_of_a_load(own_postgres_stage: Stage,
                                                                  standby: Standby):
    """What was answered it has, so nothing goes back."""
    stage = own_postgres_stage
    stage.postgres.psql("ALTER SYSTEM SET synchronous_standby_names = '*'")
    stage.postgres.psql("SELECT pg_reload_conf()")
    weir = weir_of_both(stage, standby)
    weir.start()
    send_and_wait(stage)
    stage.send(10 * ROWS)
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.batch_number(watch) >= 2 * ROWS // BATCH_ROWS, 60,
                   "a part of the load")
    stage.postgres.kill9()
    standby.promote()
    stage.postgres = standby
    send_and_wait(stage)
    assert not weir.events("sink_went_back"), weir.tail()
    assert weir.term() == 0
    stage.assert_exact()
    ledger.audit(stage.connect())
