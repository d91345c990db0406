"""test_support.py: the tools of the other tests, tried against the real servers without weir.

A checker that would not notice a doubled row, or a proxy that cuts in the wrong place, would make
every other test worthless.
"""

from __future__ import annotations

import psycopg
import pytest

import checks
from pgproxy import Strike, mentions
from stage import Stage, database_dsn
from topics import Topic
from weir_process import wait_until


def test_compare_tells_missing_doubled_and_invented_apart():
    verdict = checks.compare([b"a", b"a", b"b", b"c"], [b"a", b"b", b"b", b"z", b"c"])
    assert dict(verdict.missing) == {b"a": 1}
    assert dict(verdict.doubled) == {b"b": 1}
    assert dict(verdict.invented) == {b"z": 1}
    assert not verdict.is_exact
    assert checks.compare([b"a", b"b"], [b"b", b"a"]).is_exact


def test_the_expected_lines_are_what_postgres_makes_of_the_messages(stage: Stage):
    stage.send(2000)
    with psycopg.connect(stage.dsn, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        connection.execute("CREATE TABLE orders (id bigint, customer text, amount numeric(12,2), "
                           "quantity integer, created_at timestamptz, note text, part integer, "
                           "pos bigint)")
        for number, partition, offset in stage.orders.placed(stage.sent):
            connection.execute(
                "INSERT INTO orders SELECT r.*, %s, %s FROM json_to_record(%s) AS r (id bigint, "
                "customer text, amount numeric(12,2), quantity integer, created_at timestamptz, "
                "note text)", (partition, offset, stage.orders.message(number).decode()))
    stage.assert_exact()


def test_orders_lie_where_the_expectation_says(stage: Stage):
    stage.send(1000)
    stage.send(500)
    ends = {partition: 0 for partition in range(stage.orders.partitions)}
    for _, partition, offset in stage.orders.placed(stage.sent):
        ends[partition] = offset + 1
    assert Topic(stage.kafka.bootstrap, stage.topic_name).ends() == ends


@pytest.fixture
def proxied(stage: Stage):
    """A function that opens a connection through the proxy, and the proxy."""
    proxy = stage.proxy()
    stage.connect().execute("CREATE TABLE t (x integer)")
    dsn = database_dsn(proxy.port, stage.database)
    return proxy, lambda: psycopg.connect(dsn)


def answered(connection: psycopg.Connection) -> bool:
    """Asked without blocking: a blocking get_result() would hold up the proxy's threads as well."""
    connection.pgconn.consume_input()
    return not connection.pgconn.is_busy()


def count(stage: Stage) -> int:
    return stage.connect().execute("SELECT count(*) FROM t").fetchone()[0]


@pytest.mark.parametrize("strike, kept", [
    (Strike.CUT_BEFORE, 0), (Strike.CUT_WITHIN, 0), (Strike.CUT_WHILE, 1), (Strike.CUT_AFTER, 1)])
def test_the_proxy_cuts_where_it_says(stage: Stage, proxied, strike, kept):
    proxy, connect = proxied
    connection = connect()
    fault = proxy.arm(strike)
    connection.execute("INSERT INTO t VALUES (1)")
    backend = connection.info.backend_pid
    with pytest.raises(psycopg.OperationalError):
        connection.commit()
    fault.wait_struck()
    watch = stage.connect()
    wait_until(lambda: not watch.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s",
                                         (backend,)).fetchone(), 10, "the session to end")
    assert count(stage) == kept


def test_a_held_request_reaches_the_server_after_its_client_died(stage: Stage, proxied):
    proxy, connect = proxied
    connection = connect()
    fault = proxy.arm(Strike.HOLD_REQUEST)
    connection.execute("INSERT INTO t VALUES (1)")
    connection.pgconn.send_query(b"COMMIT")
    fault.wait_struck()
    connection.close()
    assert count(stage) == 0
    fault.release()
    wait_until(lambda: count(stage) == 1, 10, "the dead client's COMMIT")


def test_a_held_answer_comes_when_it_is_released(stage: Stage, proxied):
    proxy, connect = proxied
    connection = connect()
    fault = proxy.arm(Strike.HOLD_ANSWER)
    connection.execute("INSERT INTO t VALUES (1)")
    connection.pgconn.send_query(b"COMMIT")
    fault.wait_struck()
    assert count(stage) == 1
    assert not answered(connection)
    fault.release()
    wait_until(lambda: answered(connection), 10, "the answer")
    assert connection.pgconn.get_result().command_status == b"COMMIT"


def test_a_fault_waits_for_the_statement_that_it_names(stage: Stage, proxied):
    proxy, connect = proxied
    proxy.arm(Strike.CUT_BEFORE, mentions("needle"), skip=1)
    connection = connect()
    connection.execute("SELECT 'needle'")
    connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 'needle'")


def test_nobody_gets_through_a_refusing_proxy(proxied):
    proxy, connect = proxied
    connection = connect()
    proxy.refuse()
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        connect()
    proxy.admit()
    assert connect().execute("SELECT 1").fetchone() == (1,)
