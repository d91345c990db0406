"""test_takeover.py: one instance is gone, frozen or cut off, and another one takes over.

Uses     pgproxy.py to stop an instance at a named statement.
The zombie, the late COMMIT, and lines cut before, during and after COMMIT.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

import ledger
from pgproxy import Strike, is_commit, mentions
from stage import Stage
from weir_process import wait_until

ROWS = 20_000
FENCED = 76

# Transactions that changed the ledger are held up at their COMMIT, inside the server, for as long as
# public.slow says: those that bring a batch, or those that take a generation.
SLOW_COMMIT = """
    CREATE TABLE public.slow (seconds double precision);
    CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(seconds) FROM public.slow; RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER dawdle AFTER UPDATE ON weir.ledger DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION public.dawdle()"""
BRINGS_A_BATCH, TAKES_A_GENERATION = "NEW.batch <> OLD.batch", "NEW.generation <> OLD.generation"


def sessions_in_transaction(watch: psycopg.Connection) -> list[int]:
    return [pid for pid, in watch.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
        "pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'")]


def settle(stage: Stage, rows: int = 1000, **settings: object) -> None:
    """A first, undisturbed run, so that ledger, table and log are there."""
    stage.send(rows)
    stage.weir(stage.order_file(**settings)).finish()


# covers: P-08
@pytest.mark.parametrize("partitions", [1, 2])
def test_a_frozen_instance_wakes_up_fenced(stage: Stage, partitions: int):
    settings = {"output_partitions": partitions, "batch_rows": 500}
    settle(stage, **settings)
    proxy = stage.proxy()
    zombie = stage.weir(stage.order_file(**settings), via=proxy)
    step = proxy.arm(Strike.HOLD_REQUEST, ledger.is_step)
    stage.send(ROWS)
    zombie.start()
    step.wait_struck()  # the rows are in its transaction, and it wants to commit them
    zombie.stop()
    stage.weir(stage.order_file(**settings), "other").finish()
    stage.assert_exact()
    step.release()
    zombie.cont()
    zombie.expect(FENCED)
    stage.assert_exact()


# covers: P-08
def test_an_instance_frozen_anywhere_in_a_transaction_wakes_up_fenced(stage: Stage):
    """Without a proxy: the freeze falls where it falls, but always while a transaction is open."""
    settle(stage, batch_rows=500)
    stage.send(ROWS)
    zombie = stage.weir(stage.order_file(batch_rows=500))
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        settled = ledger.generation(watch)
        zombie.start()
        # Frozen while it claims the pipeline it would only claim it anew: that is a start, not a zombie.
        wait_until(lambda: ledger.generation(watch) > settled, 20, "its generation", 0.003)

        def frozen_inside() -> bool:
            assert zombie.is_running, zombie.tail()
            zombie.stop()
            if sessions_in_transaction(watch) and sessions_in_transaction(watch):
                return True
            zombie.cont()
            return False
        wait_until(frozen_inside, 20, "a freeze inside a transaction", 0.003)
    stage.weir(stage.order_file(batch_rows=500), "other").finish()
    stage.assert_exact()
    zombie.cont()
    zombie.expect(FENCED)
    stage.assert_exact()


# covers: G-06
@pytest.mark.parametrize("same_directory", [True, False], ids=["same-directory", "other-directory"])
@pytest.mark.parametrize("kind", ["append", "upsert"])
def test_the_server_still_commits_for_a_dead_instance(stage: Stage, kind: str, same_directory: bool):
    """The late COMMIT: it is running in the server when its client is killed and the next starts."""
    stage.send(1000)
    pipeline = stage.order_file(kind, batch_rows=5000)
    stage.weir(pipeline).finish()
    control = stage.connect()
    control.execute(SLOW_COMMIT.format(condition=BRINGS_A_BATCH))
    for _ in range(3):
        control.execute("INSERT INTO public.slow VALUES (1.5)")
        stage.send(3000)
        dead = stage.weir(pipeline)
        dead.start()
        wait_until(lambda: asleep(control), 20, "a COMMIT that dawdles")
        assert dead.kill9()
        assert asleep(control), "the COMMIT must still be running"
        control.execute("DELETE FROM public.slow")
        stage.weir(pipeline, "data" if same_directory else "other").finish()
        stage.assert_exact(kind)
    ledger.audit(control)


@pytest.mark.parametrize("partitions", [1, 2])
def test_the_server_still_commits_for_a_dead_starter(stage: Stage, partitions: int):
    """The next instance reads the ledger before the dead one's claim is in: it must not give up, as
    if somebody alive had overtaken it."""
    settle(stage, output_partitions=partitions)
    pipeline = stage.order_file(output_partitions=partitions)
    control = stage.connect()
    control.execute(SLOW_COMMIT.format(condition=TAKES_A_GENERATION))
    control.execute("INSERT INTO public.slow VALUES (1)")
    dead = stage.weir(pipeline)
    dead.start()
    wait_until(lambda: asleep(control), 20, "a claim that dawdles")
    assert dead.kill9()
    control.execute("DELETE FROM public.slow")
    stage.send(1000)
    dead.finish()
    stage.assert_exact()


def asleep(watch: psycopg.Connection) -> bool:
    return watch.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                         "AND wait_event = 'PgSleep'").fetchone()[0] > 0


# covers: G-06, N-10
def test_a_commit_that_is_released_long_after_its_client_died(stage: Stage):
    """The COMMIT of a killed instance is on its way while the next one starts, and arrives then."""
    settle(stage, batch_rows=500)
    proxy = stage.proxy()
    held = proxy.arm(Strike.HOLD_REQUEST, ledger.is_step)
    stage.send(ROWS)
    dead = stage.weir(stage.order_file(batch_rows=500), via=proxy)
    dead.start()
    held.wait_struck()
    assert dead.kill9()
    other = stage.weir(stage.order_file(batch_rows=500))
    other.start(until_caught_up=True)
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        generation = ledger.generation(watch)
        wait_until(lambda: ledger.generation(watch) > generation or not other.is_running, 30,
                   "the next generation")
    held.release()
    other.expect(0)
    stage.assert_exact()


# covers: G-03, G-04, G-05
@pytest.mark.parametrize("kind, partitions", [("append", 1), ("append", 2), ("upsert", 1)])
@pytest.mark.parametrize("strike", [Strike.CUT_BEFORE, Strike.CUT_WITHIN, Strike.CUT_WHILE,
                                    Strike.CUT_AFTER], ids=lambda strike: strike.name.lower())
def test_a_line_cut_around_commit(stage: Stage, strike: Strike, kind: str, partitions: int):
    proxy = stage.proxy()
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(kind, batch_rows=500, output_partitions=partitions), via=proxy)
    cuts = [proxy.arm(strike, ledger.is_step, skip=skip) for skip in (0, 0, 3, 5, 7)]
    weir.finish()
    assert all(cut.struck.is_set() for cut in cuts), "a cut was never made"
    stage.assert_exact(kind)
    ledger.audit(stage.connect())


# covers: G-02
@pytest.mark.parametrize("word", ["COPY ", "BEGIN", "weir.advance(", "weir.take("])
def test_a_line_cut_at_other_statements(stage: Stage, word: str):
    settle(stage, batch_rows=500)
    proxy = stage.proxy()
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(batch_rows=500), via=proxy)
    cut = proxy.arm(Strike.CUT_WHILE, mentions(word))
    weir.finish()
    assert cut.struck.is_set(), f"no statement mentions {word}"
    stage.assert_exact()


# covers: G-20
@pytest.mark.parametrize("kind, matches", [
    ("append", mentions("COPY ")), ("append", ledger.is_step), ("append", is_commit),
    ("upsert", ledger.is_step)], ids=["copy", "step", "commit", "upsert step"])
def test_a_pooler_loses_the_server(stage: Stage, kind: str, matches: Callable[[str], bool]):
    """It says so by an error, which tells nothing of what became of the transaction."""
    stage.send(500)
    stage.weir(stage.order_file(kind, batch_rows=500)).finish()
    proxy = stage.proxy()
    stage.send(ROWS // 4)
    weir = stage.weir(stage.order_file(kind, batch_rows=500), via=proxy)
    losses = [proxy.arm(Strike.POOLER_LOST, matches, skip) for skip in (0, 2)]
    weir.finish()
    assert all(loss.struck.is_set() for loss in losses), "the server was never lost"
    stage.assert_exact(kind)
    ledger.audit(stage.connect())


def test_an_answer_that_comes_late_is_waited_for(stage: Stage):
    settle(stage, batch_rows=500)
    proxy = stage.proxy()
    stage.send(ROWS)
    held = proxy.arm(Strike.HOLD_ANSWER, ledger.is_step)
    weir = stage.weir(stage.order_file(batch_rows=500), via=proxy)
    weir.start(until_caught_up=True)
    held.wait_struck()
    try:
        weir.process.wait(2)
        raise AssertionError("weir did not wait for the answer")
    except Exception as problem:  # noqa: BLE001
        assert "timed out" in str(problem)
    held.release()
    weir.expect(0)
    stage.assert_exact()
