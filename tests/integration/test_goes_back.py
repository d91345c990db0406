"""test_goes_back.py: servers that die while rows are loaded, and a database that goes back in time.

Uses     servers.py: a PostgreSQL and a Kafka that these tests may kill, copy and restore.
"""

from __future__ import annotations

import threading

import psycopg
import pytest

import ledger
from pgproxy import PgProxy
from stage import LONG, Stage
from weir_process import wait_until

ROWS = 60_000
DEATHS = 5 if LONG else 2


def batches(stage: Stage) -> int:
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        return ledger.batch_number(watch)


def wait_for_batch(stage: Stage, batch: int) -> None:
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.batch_number(watch) >= batch, 60, f"batch {batch}")


# covers: G-13
@pytest.mark.parametrize("kind", ["append", "upsert"])
def test_postgres_is_killed_while_loading(own_postgres_stage: Stage, kind: str):
    stage = own_postgres_stage
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(kind, batch_rows=200))
    weir.start(until_caught_up=True)
    for death in range(DEATHS):
        wait_for_batch(stage, 5 + 40 * death)
        stage.postgres.kill9()
        stage.postgres.start()
    weir.expect(0, 120)
    assert weir.events("waiting") or "reconnect" in weir.text()
    stage.assert_exact(kind)
    ledger.audit(stage.connect())


# covers: K-01
def test_kafka_is_killed_while_loading(own_kafka_stage: Stage):
    stage = own_kafka_stage
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(batch_rows=200))
    weir.start()
    wait_for_batch(stage, 5)
    stage.kafka.kill9()
    stage.kafka.start()
    stage.send(2000)
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.exists(watch) and sum(ledger.ends(watch).values())
                   == len(stage.sent), 90, "all records")
    assert weir.term() == 0
    stage.assert_exact()


# covers: G-01, N-08
def test_weir_starts_before_its_servers_do(own_postgres_stage: Stage):
    stage = own_postgres_stage
    stage.send(5000)
    pipeline = stage.order_file()
    stage.postgres.stop()
    weir = stage.weir(pipeline)
    weir.start(until_caught_up=True)
    weir.wait_event("waiting")
    stage.postgres.start()
    weir.expect(0)
    stage.assert_exact()


def save_at(stage: Stage, name: str):
    copy = stage.postgres.dir / "copies" / name
    stage.postgres.stop()
    stage.postgres.save(copy)
    stage.postgres.start()
    return copy


def put_back(stage: Stage, copy) -> None:
    stage.postgres.stop()
    stage.postgres.restore(copy)
    stage.postgres.start()


# covers: G-16, G-31
@pytest.mark.parametrize("kind, partitions", [("append", 1), ("append", 2), ("upsert", 1)])
def test_an_older_database_comes_back_while_weir_is_stopped(own_postgres_stage: Stage, kind: str,
                                                            partitions: int):
    stage = own_postgres_stage
    pipeline = stage.order_file(kind, batch_rows=500, output_partitions=partitions)
    stage.send(5000)
    weir = stage.weir(pipeline)
    weir.finish()
    copy = save_at(stage, "older")
    stage.send(5000)
    weir.finish()
    put_back(stage, copy)
    weir.finish()
    stage.assert_exact(kind)
    stage.send(3000)
    weir.finish()
    stage.assert_exact(kind)
    ledger.audit(stage.connect())


# covers: G-16, G-31
@pytest.mark.parametrize("partitions", [1, 2])
def test_an_older_database_comes_back_while_weir_runs(own_postgres_stage: Stage, partitions: int):
    """weir reconnects to the older one, notices, and rewinds to it."""
    stage = own_postgres_stage
    pipeline = stage.order_file(batch_rows=500, output_partitions=partitions)
    stage.send(5000)
    weir = stage.weir(pipeline)
    weir.finish()
    copy = save_at(stage, "older")
    weir.start()
    stage.send(10_000)
    wait_for_all(stage)
    put_back(stage, copy)
    stage.send(5000)
    wait_for_all(stage)
    weir.wait_event("sink_went_back")
    assert weir.term() == 0
    stage.assert_exact()
    ledger.audit(stage.connect())


def test_an_older_database_comes_back_in_the_middle_of_a_load(own_postgres_stage: Stage):
    stage = own_postgres_stage
    pipeline = stage.order_file(batch_rows=200)
    stage.send(ROWS)
    weir = stage.weir(pipeline)
    weir.start(until_caught_up=True)
    wait_for_batch(stage, 10)
    copy = save_at(stage, "middle")
    wait_for_batch(stage, 60)
    put_back(stage, copy)
    weir.expect(0, 120)
    stage.assert_exact()
    ledger.audit(stage.connect())


# covers: N-09
def test_a_flapping_line_loses_and_doubles_nothing(stage: Stage):
    """The line to the database comes and goes every few moments."""
    stage.send(ROWS)
    proxy = stage.proxy()
    weir = stage.weir(stage.order_file(batch_rows=500), via=proxy)
    weir.start(until_caught_up=True)
    done = threading.Event()
    flapper = threading.Thread(target=flap, args=(proxy, done), daemon=True)
    flapper.start()
    try:
        weir.expect(0, 90)
    finally:
        done.set()
        flapper.join()
    stage.assert_exact()


def flap(proxy: PgProxy, done: threading.Event) -> None:
    for turn in range(12):
        done.wait(0.15 + 0.05 * (turn % 4))
        proxy.refuse()
        done.wait(0.1)
        proxy.admit()

# The difference of the ledger's rows after each step, as the server itself sees it.
WATCH_STEPS = """
CREATE TABLE public.apart (batches bigint);
CREATE FUNCTION public.note_apart() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.apart SELECT max(batch) - min(batch) FROM weir.ledger;
    RETURN NULL;
END $$;
CREATE TRIGGER note_apart AFTER UPDATE ON weir.ledger FOR EACH ROW EXECUTE FUNCTION public.note_apart();
"""


def wait_for_all(stage: Stage) -> None:
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: sum(ledger.ends(watch).values()) == len(stage.sent), 60, "all records")


def test_a_restore_between_the_partitions_of_a_batch_is_noticed_before_the_next(
        own_postgres_stage: Stage):
    """Backup and restore both fall into the first batches of a life, before every batch slot has opened
    its connections: a connection that is opened late meets another past than the ledger was read in."""
    stage = own_postgres_stage
    stage.send(1000)
    weir = stage.weir(stage.order_file(batch_rows=500, output_partitions=2))
    weir.finish()
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        watch.execute(WATCH_STEPS)
    weir.start()
    weir.wait_event("generation_taken")
    stage.connect(autocommit=False).execute(
        "SELECT 1 FROM weir.ledger WHERE partition = 1 FOR UPDATE")
    stage.send(1)
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: len({row.batch for row in ledger.state(watch)}) == 2, 60,
                   "one partition of two")
    copy = save_at(stage, "between")
    wait_for_all(stage)
    put_back(stage, copy)
    stage.send(1)
    wait_for_all(stage)
    weir.wait_event("sink_went_back")
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        assert watch.execute("SELECT max(batches) FROM public.apart").fetchone()[0] <= 1
    assert weir.term() == 0
    stage.assert_exact()
    ledger.audit(stage.connect())
