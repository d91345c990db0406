"""test_traces.py: the traces T1 to T10 by which the commit protocol was found, on the real server.

Uses     pgproxy.py to stop an instance at a statement, a second session that locks ledger rows, a
         restored copy of the cluster, empty data directories.
docs/EXACTLY_ONCE.md tells each trace and the rule that ends it. A is the first instance, B the
second, each with a data directory of its own. At the end every row must be there once.
"""

from __future__ import annotations

import shutil

import psycopg
import pytest

import ledger
from pgproxy import PgProxy, Strike, mentions
from stage import Stage
from weir_process import Weir, wait_until

FENCED = 76
both = pytest.mark.parametrize("partitions", [1, 2])


def orders(stage: Stage, partitions: int, **settings: object):
    settings = {"batch_rows": 1000, "output_partitions": partitions, **settings}
    return stage.order_file(**settings)


def wait_all_in(stage: Stage) -> None:
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.exists(watch)
                   and sum(ledger.ends(watch).values()) == len(stage.sent), 60, "all records")


def wait_claimed(stage: Stage, above: int = 0) -> int:
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        return wait_until(lambda: (taken := ledger.generation(watch)) > above and taken, 60,
                          "a claim of the ledger")


class LockedRow:
    """A second session that holds a row of the ledger."""

    def __init__(self, stage: Stage, partition: int):
        self.stage, self.watch = stage, stage.connect()
        self.session = stage.connect(autocommit=False)
        self.session.execute("SELECT 1 FROM weir.ledger WHERE partition = %s FOR UPDATE",
                             (partition,))

    def waiters(self) -> list[int]:
        return [pid for pid, in self.watch.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock'")]

    def wait_for_waiters(self, count: int) -> None:
        wait_until(lambda: len(self.waiters()) >= count, 30, f"{count} sessions at the locked row")

    def end_waiters(self) -> None:
        """The server notices that their clients are dead, before they get the row."""
        for pid in self.waiters():
            self.watch.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    def release(self) -> None:
        self.session.rollback()


def start_and_stop_at_step(stage: Stage, pipeline, proxy: PgProxy, rows: int) -> Weir:
    """A, which has sealed its next batch and wants to commit it, but nothing of it arrived."""
    step = proxy.arm(Strike.HOLD_REQUEST, ledger.is_step)
    stage.send(rows)
    first = stage.weir(pipeline, "A", via=proxy)
    first.start()
    step.wait_struck()
    return first


# covers: P-12
@both
def test_t1_another_directory_commits_its_own_batch_1(stage: Stage, partitions: int):
    """A seals plan 1 and dies; B, in an empty directory, commits a batch 1 of its own."""
    proxy = stage.proxy()
    first = start_and_stop_at_step(stage, orders(stage, partitions), proxy, 3000)
    assert first.kill9()
    proxy.cut_all()
    stage.send(1000)
    second = stage.weir(orders(stage, partitions, batch_rows=700), "B")
    second.start()
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.batch_number(watch) >= 1, 30, "B's batch 1")
    second.kill9()
    stage.send(1000)
    again = stage.weir(orders(stage, partitions), "A")
    again.finish()
    assert again.events("ledger_followed"), again.tail()
    stage.assert_exact()
    second.expect(-9)
    second.finish()  # and B finds itself overtaken in its turn
    stage.assert_exact()


# covers: G-31, P-12
@both
def test_t2_a_restored_sink_hands_out_a_generation_twice(own_postgres_stage: Stage, partitions: int):
    """A owns a generation that the restored sink gives to B, whose batch has the same number."""
    stage = own_postgres_stage
    stage.make_topic()
    pipeline = orders(stage, partitions)
    stage.weir(pipeline, "setup").finish()
    copy = stage.postgres.dir / "copies" / "t2"
    stage.postgres.stop()
    stage.postgres.save(copy)
    stage.postgres.start()
    proxy = stage.proxy()
    step = proxy.arm(Strike.HOLD_REQUEST, ledger.is_step)
    first = stage.weir(pipeline, "A", via=proxy)
    first.start()
    mine = wait_claimed(stage, above=1)
    stage.send(3000)
    step.wait_struck()
    proxy.refuse()
    stage.postgres.stop()
    stage.postgres.restore(copy)
    stage.postgres.start()
    stage.send(500)
    second = stage.weir(orders(stage, partitions, batch_rows=800), "B")
    second.finish()
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        assert ledger.generation(watch) == mine, "the staging failed: another generation"
    stage.assert_exact()
    proxy.admit()
    first.expect(FENCED)
    stage.assert_exact()


# covers: P-30
@both
def test_t3_the_log_is_gone_and_partitions_differ(stage: Stage, partitions: int):
    """The first partition has the batch, the last has not; A is killed, its log lost."""
    pipeline = orders(stage, partitions)
    stage.send(2000)
    weir = stage.weir(pipeline)
    weir.finish()
    weir.start()
    wait_claimed(stage, above=1)
    row = LockedRow(stage, partitions - 1)
    stage.send(5000)
    row.wait_for_waiters(1)
    if partitions == 2:
        with psycopg.connect(stage.dsn, autocommit=True) as watch:
            wait_until(lambda: len({entry.batch for entry in ledger.state(watch)}) == 2, 30,
                       "partitions to differ")
    assert weir.kill9()
    row.end_waiters()
    row.release()
    shutil.rmtree(weir.data)
    stage.send(1000)
    weir.finish()
    stage.assert_exact()


def test_t4_a_batch_is_never_made_of_two_plans(own_postgres_stage: Stage):
    """T2 with B stopped between its partitions: A must not fill the gap with its own plan."""
    stage = own_postgres_stage
    stage.make_topic()
    pipeline = orders(stage, 2)
    stage.weir(pipeline, "setup").finish()
    copy = stage.postgres.dir / "copies" / "t4"
    stage.postgres.stop()
    stage.postgres.save(copy)
    stage.postgres.start()
    proxy = stage.proxy()
    step = proxy.arm(Strike.HOLD_REQUEST, ledger.is_step)
    first = stage.weir(pipeline, "A", via=proxy)
    first.start()
    wait_claimed(stage, above=1)
    stage.send(3000)
    step.wait_struck()
    proxy.refuse()
    stage.postgres.stop()
    stage.postgres.restore(copy)
    stage.postgres.start()
    second = stage.weir(orders(stage, 2, batch_rows=800), "B")
    second.start()
    wait_claimed(stage, above=1)
    row = LockedRow(stage, 0)
    stage.send(500)
    row.wait_for_waiters(1)
    proxy.admit()
    first.expect(FENCED)
    row.release()
    wait_all_in(stage)
    assert second.term() == 0
    stage.assert_exact()


# covers: G-31
@both
def test_t5_a_restore_lands_between_the_partitions(own_postgres_stage: Stage, partitions: int):
    """A batch is in the first partition, not in the last, when the sink goes back before it."""
    stage = own_postgres_stage
    pipeline = orders(stage, partitions)
    stage.send(2000)
    weir = stage.weir(pipeline)
    weir.finish()
    weir.start()
    wait_claimed(stage, above=1)
    copy = stage.postgres.dir / "copies" / "t5"
    stage.postgres.stop()
    stage.postgres.save(copy)
    stage.postgres.start()
    stage.send(1000)
    wait_all_in(stage)
    row = LockedRow(stage, partitions - 1)
    stage.send(5000)
    row.wait_for_waiters(1)
    row.release()
    stage.postgres.stop()
    stage.postgres.restore(copy)
    stage.postgres.start()
    wait_all_in(stage)
    assert weir.is_running, weir.tail()
    assert weir.term() == 0
    stage.assert_exact()
    ledger.audit(stage.connect())


# covers: G-06
@both
def test_t6_queued_commands_of_a_dead_instance_are_refused_by_the_server(stage: Stage,
                                                                         partitions: int):
    """Rows, advance and COMMIT of A are queued in the server while B takes the ledger."""
    stage.send(2000)
    pipeline = orders(stage, partitions)
    stage.weir(pipeline).finish()
    control = stage.connect()
    control.execute("""
        CREATE FUNCTION public.wait_for_leave() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NULL; END $$;
        CREATE TRIGGER wait_for_leave BEFORE INSERT ON public.orders
          FOR EACH STATEMENT EXECUTE FUNCTION public.wait_for_leave()""")
    leave = stage.connect(autocommit=False)
    leave.execute("SELECT pg_advisory_xact_lock(7)")
    stage.send(3000)
    first = stage.weir(pipeline, "A")
    first.start()
    waiting = ("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
               "AND wait_event = 'advisory'")
    wait_until(lambda: control.execute(waiting).fetchone()[0] > 0, 30, "rows that wait")
    before = ledger.generation(control)
    assert first.kill9()
    second = stage.weir(pipeline, "B")
    second.start(until_caught_up=True)
    wait_claimed(stage, above=before)
    leave.rollback()
    second.expect(0)
    stage.assert_exact()


@both
def test_t7_a_queued_commit_runs_while_the_next_one_starts(stage: Stage, partitions: int):
    """A's whole step is held on its way; B reads the ledger; then the step arrives."""
    stage.send(2000)
    pipeline = orders(stage, partitions)
    stage.weir(pipeline).finish()
    for _ in range(3):
        proxy = stage.proxy()
        held = proxy.arm(Strike.HOLD_REQUEST, ledger.is_step)
        stage.send(2000)
        first = stage.weir(pipeline, "A", via=proxy)
        first.start()
        held.wait_struck()
        assert first.kill9()
        second_proxy = stage.proxy()
        taking = second_proxy.arm(Strike.HOLD_REQUEST, mentions("weir.take("))
        second = stage.weir(pipeline, "B", via=second_proxy)
        second.start(until_caught_up=True)
        taking.wait_struck()  # B has read the ledger, and has not taken it yet
        held.release()
        wait_settled(stage)
        taking.release()
        second.expect(0)
        stage.assert_exact()


def wait_settled(stage: Stage) -> None:
    """No session but B's and ours is in a transaction."""
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: watch.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid() AND state = 'active'").fetchone()[0] == 0, 10,
            "the queued commands to be done")


@both
def test_t8_two_starters_at_once(stage: Stage, partitions: int):
    """Both wait at the same row; in the end one owns every partition, and the other is told."""
    stage.send(2000)
    pipeline = orders(stage, partitions)
    stage.weir(pipeline).finish()
    for _ in range(3):
        row = LockedRow(stage, partitions - 1)
        stage.send(2000)
        pair = [stage.weir(pipeline, name) for name in ("A", "B")]
        for weir in pair:
            weir.start()
        row.wait_for_waiters(2)
        row.release()
        wait_all_in(stage)
        with psycopg.connect(stage.dsn, autocommit=True) as watch:
            owners = watch.execute("SELECT count(DISTINCT owner) FROM weir.ledger").fetchone()[0]
            assert owners == 1

        def one_was_told() -> bool:
            stage.send(10)  # who lost learns it at its next commit, and needs something to commit
            return sum(weir.is_running for weir in pair) <= 1

        wait_until(one_was_told, 30, "one of them to be told", 0.1)
        wait_all_in(stage)
        for weir in pair:
            if weir.is_running:
                assert weir.term() == 0
            else:
                assert weir.process.returncode == FENCED, weir.tail()
        stage.assert_exact()


@both
def test_t9_a_dead_starter_takes_the_ledger_late(stage: Stage, partitions: int):
    """A's claim arrives after B took the ledger: it must not fence B."""
    stage.send(2000)
    pipeline = orders(stage, partitions)
    stage.weir(pipeline).finish()
    proxy = stage.proxy()
    taking = proxy.arm(Strike.HOLD_REQUEST, mentions("weir.take("))
    first = stage.weir(pipeline, "A", via=proxy)
    first.start()
    taking.wait_struck()
    assert first.kill9()
    before = wait_claimed(stage)
    second = stage.weir(pipeline, "B")
    second.start()
    mine = wait_claimed(stage, above=before)
    taking.release()
    stage.send(5000)
    wait_all_in(stage)
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        assert ledger.generation(watch) == mine
    assert second.term() == 0
    stage.assert_exact()


@both
def test_t10_upserts_that_wait_for_the_batch_before_do_not_block_it(stage: Stage, partitions: int):
    """The line of batch n dies while batch n + 1 waits for its keys: both must come in, soon."""
    proxy = stage.proxy()
    # Few keys: each batch changes every one of them.
    stage.orders = type(stage.orders)(stage.orders.seed, customers=20)
    stage.send(20_000)
    pipeline = stage.order_file("upsert", batch_rows=500, output_partitions=partitions)
    weir = stage.weir(pipeline, via=proxy)
    strikes = (Strike.CUT_BEFORE, Strike.CUT_WHILE, Strike.CUT_AFTER) * 4
    cuts = [proxy.arm(strike, mentions("weir.advance("), skip=3 * number)
            for number, strike in enumerate(strikes)]
    weir.finish(90)
    assert sum(cut.struck.is_set() for cut in cuts) >= 6, "too few lines were cut"
    stage.assert_exact("upsert")
