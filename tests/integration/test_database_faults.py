"""test_database_faults.py: a database that is full, chatty, locked, altered or oddly set up while weir
writes to it.

Uses     triggers that raise the very SQLSTATE, a second session, servers that a test may configure.
"""

from __future__ import annotations

import random
import re
import time
from contextlib import contextmanager

import psycopg
import pytest

import ledger
import pipelines
from orders import SELECTED, TARGET_COLUMNS
from pgproxy import Strike
from stage import SEED, Stage
from topics import Topic
from weir_process import Weir, wait_until

DONE, FAILURE, BAD_DATA, AWAY, SCHEMA = 0, 1, 65, 69, 78
ROWS = 1000
TABLE = f"CREATE TABLE public.orders ({TARGET_COLUMNS})"


def settled(stage: Stage, kind: str = "append", **settings: object) -> Weir:
    """A first, undisturbed run, so that table, ledger and log are there."""
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(kind, **settings))
    weir.finish()
    return weir


def wait_all_in(stage: Stage, weir: Weir) -> None:
    def all_in() -> bool:
        assert weir.is_running, weir.tail()
        return sum(ledger.ends(watch).values()) == len(stage.sent)
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(all_in, 40, "all records")


def trigger(stage: Stage, body: str, table: str = "public.orders", when: str = "BEFORE INSERT",
            each: str = "ROW") -> None:
    stage.connect().execute(f"""
        CREATE OR REPLACE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN {body} RETURN NEW; END $$;
        CREATE TRIGGER meddle {when} ON {table} FOR EACH {each} EXECUTE FUNCTION public.meddle()""")


# ---- errors that pass ------------------------------------------------------------------------------


PASSING = {"disk_full": "53100", "out of memory": "53200", "too many connections": "53300",
           "serialisation": "40001", "deadlock": "40P01", "lock timeout": "55P03",
           "shutting down": "57P01", "I/O error": "58030"}


# covers: G-08, G-21
@pytest.mark.parametrize("kind", ["append", "upsert"])
def test_errors_that_pass_are_tried_again(stage: Stage, kind: str):
    """The server says no to one batch after another, each time for another passing reason, and then
    yes: no row is called bad, none is lost or doubled."""
    weir = settled(stage, kind, batch_rows=100)
    states = ", ".join(f"'{sqlstate}'" for sqlstate in PASSING.values())
    stage.connect().execute("CREATE SEQUENCE public.tried")
    trigger(stage, f"""IF nextval('public.tried') % 60 = 0
          AND currval('public.tried') <= {60 * len(PASSING)} THEN
        RAISE EXCEPTION 'not now' USING ERRCODE =
          (ARRAY[{states}])[currval('public.tried') / 60]; END IF;""")
    stage.send(ROWS)
    weir.finish()
    stage.assert_exact(kind)
    tried = stage.connect().execute("SELECT last_value FROM public.tried").fetchone()[0]
    assert tried >= 60 * len(PASSING), f"only {tried} rows were tried"
    assert ledger.dead_letters(stage.connect()) == []


# covers: G-15
def test_a_server_that_only_reads_is_waited_for(stage: Stage):
    """As when the address has come to point at a standby."""
    weir = settled(stage)
    stage.connect().execute(
        f"ALTER DATABASE {stage.database} SET default_transaction_read_only = on")
    stage.send(ROWS)
    weir.start()
    time.sleep(1.5)
    assert weir.is_running, weir.tail()
    assert weir.events("waiting"), weir.tail()
    admin = stage.connect()
    admin.execute("SET default_transaction_read_only = off")
    admin.execute(f"ALTER DATABASE {stage.database} RESET default_transaction_read_only")
    wait_all_in(stage, weir)
    assert weir.term() == DONE
    stage.assert_exact()


# covers: D-32, E-03, G-26, K-22
def test_a_sink_that_stands_still_holds_the_source_back(stage: Stage):
    """The table is locked for longer than the source's own patience (kafka.max.poll.interval.ms),
    and the source has more than fits: neither log nor memory grows, nothing is given up."""
    patience = {"kafka_max_poll_interval_ms": "6000", "kafka_session_timeout_ms": "6000"}
    weir = settled(stage, batch_rows=500, source_options=patience,
                   target_options={"lock_timeout": "1 s"}, **{"log.segment_bytes": "64 kB"})
    stage.send(30_000)
    with psycopg.connect(stage.dsn) as lock:
        lock.execute("LOCK TABLE public.orders IN ACCESS EXCLUSIVE MODE")
        weir.start()
        time.sleep(3)
        before = footprint(weir)
        time.sleep(4.5)
        after = footprint(weir)
        assert weir.is_running, weir.tail()
        sessions = stage.connect().execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'weir %' "
            "AND datname = current_database()").fetchone()[0]
        assert sessions <= 4, "sessions pile up at the lock"
        lock.rollback()
    assert after[0] == before[0], "the log grows while nothing gets in"
    assert after[1] - before[1] < 4 << 20, f"memory grows: {before[1]} to {after[1]} bytes"
    wait_all_in(stage, weir)
    assert weir.term() == DONE
    stage.assert_exact()


def footprint(weir: Weir) -> tuple[int, int]:
    """Bytes of the log, and of memory."""
    log = sum(path.stat().st_size for path in weir.data.iterdir())
    status = dict(line.split(":", 1) for line in open(f"/proc/{weir.pid}/status"))
    return log, int(status["VmRSS"].split()[0]) * 1024


# covers: E-04, K-30
def test_far_behind_at_the_start(stage: Stage):
    """A hundred times what it was before: batches and memory keep their limits."""
    stage.send(300)
    weir = stage.weir(stage.order_file(batch_rows=400))
    weir.finish()
    stage.send(100 * len(stage.sent))
    weir.start()
    peak = 0
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        while sum(ledger.ends(watch).values()) < len(stage.sent):
            assert weir.is_running, weir.tail()
            peak = max(peak, footprint(weir)[1])
            time.sleep(0.05)
        largest = watch.execute("SELECT max(source_rows) FROM weir.batch").fetchone()[0]
    assert weir.term() == DONE
    assert largest <= 400
    assert peak < 128 << 20, f"{peak >> 20} MiB"
    stage.assert_exact()


# ---- settings --------------------------------------------------------------------------------------


# covers: G-18, G-32
def test_a_commit_waits_for_the_disk_whatever_the_defaults_are(stage: Stage):
    weir = settled(stage)
    database = stage.connect()
    assert database.execute("SHOW max_prepared_transactions").fetchone()[0] == "0"
    database.execute(f"ALTER DATABASE {stage.database} SET synchronous_commit = off")
    database.execute("CREATE TABLE public.seen (value text)")
    trigger(stage, "INSERT INTO public.seen VALUES (current_setting('synchronous_commit'));",
            table="weir.ledger", when="BEFORE UPDATE")
    stage.send(ROWS)
    weir.finish()
    assert set(database.execute("SELECT DISTINCT value FROM public.seen")) == {("on",)}
    stage.assert_exact()


OF_A_SESSION = re.compile(r"^\s*(PREPARE|LISTEN|DECLARE|CREATE TEMP|SET (?!LOCAL|TRANSACTION))|"
                          r"pg_advisory_lock|set_config\(.*, false\)", re.IGNORECASE)


# covers: G-19
@pytest.mark.parametrize("kind", ["append", "upsert"])
def test_nothing_is_kept_in_a_session(stage: Stage, kind: str):
    """A pooler may hand out another session for each transaction: what is set, locked or prepared for
    longer would be lost, or meet somebody else."""
    settled(stage, kind)
    seen: list[str] = []
    proxy = stage.proxy()
    proxy.arm(Strike.CUT_BEFORE, lambda text: bool(seen.append(text)))
    weir = stage.weir(stage.order_file(kind), via=proxy)
    weir.start()
    stage.send(ROWS)
    wait_all_in(stage, weir)
    assert proxy.lines and all(set(line.statements) <= {b""} for line in list(proxy.lines))
    assert weir.term() == DONE
    statements = [one for text in seen for one in text.split(";")]
    assert any("weir.advance(" in one for one in statements)
    assert [one for one in statements if OF_A_SESSION.search(one)] == []
    stage.assert_exact(kind)


# covers: G-17
def test_a_standby_that_does_not_answer(own_postgres_stage: Stage):
    """The wait for it is cancelled: committed here only, which is told."""
    stage = own_postgres_stage
    weir = settled(stage)
    admin = stage.connect()
    admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    admin.execute("SELECT pg_reload_conf()")
    try:
        stage.send(ROWS)
        weir.start()
        cancelled = 0
        with psycopg.connect(stage.dsn, autocommit=True) as watch:
            watch.execute("SET synchronous_commit = local")
            deadline = time.monotonic() + 30
            while sum(ledger.ends(watch).values()) < len(stage.sent):
                assert weir.is_running and time.monotonic() < deadline, weir.tail()
                cancelled += len(watch.execute(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                    "WHERE wait_event = 'SyncRep'").fetchall())
                time.sleep(0.05)
        assert cancelled > 0 and weir.events("sink_warning"), weir.tail()
    finally:
        admin.execute("SET synchronous_commit = local")
        admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
        admin.execute("SELECT pg_reload_conf()")
    assert weir.term() == DONE
    stage.assert_exact()


# covers: G-28
@pytest.mark.parametrize("kind", ["append", "upsert"])
def test_namesakes_in_the_search_path(stage: Stage, kind: str):
    """Tables, functions and operators called like ours stand before them in everybody's path."""
    database = stage.connect()
    database.execute(f"""
        CREATE SCHEMA evil;
        CREATE TABLE evil.orders ({TARGET_COLUMNS}, PRIMARY KEY (customer));
        CREATE TABLE evil.ledger (batch bigint); CREATE TABLE evil.batch (batch bigint);
        CREATE FUNCTION evil.never() RETURNS bigint LANGUAGE plpgsql AS
          $$ BEGIN RAISE 'an evil function'; END $$;
        CREATE FUNCTION evil.unequal(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false';
        CREATE OPERATOR evil.= (leftarg = bigint, rightarg = bigint, function = evil.unequal);
        CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS
          $$ BEGIN RAISE 'an evil clock'; END $$;
        ALTER DATABASE {stage.database} SET search_path = evil, public, pg_catalog""")
    stage.send(ROWS)
    stage.weir(stage.order_file(kind)).finish()
    stage.send(ROWS)
    stage.weir(stage.order_file(kind)).finish()
    database.execute("SET search_path = pg_catalog")
    assert database.execute("SELECT count(*) FROM evil.orders").fetchone()[0] == 0
    database.execute(f"ALTER DATABASE {stage.database} RESET search_path")
    stage.assert_exact(kind)


# covers: G-29
def test_the_password_is_changed_while_weir_runs(own_postgres_stage: Stage):
    """It is read from its file anew at each connection."""
    stage = own_postgres_stage
    weir = settled(stage)
    admin = stage.connect()
    admin.execute("CREATE ROLE rotating LOGIN SUPERUSER PASSWORD 'first'")
    rules = stage.postgres.data_dir / "pg_hba.conf"
    before = rules.read_text()
    secret = stage.dir / "pgpass"
    secret.write_text("*:*:*:rotating:first\n")
    secret.chmod(0o600)
    rules.write_text("host all rotating 127.0.0.1/32 scram-sha-256\n" + before)
    admin.execute("SELECT pg_reload_conf()")
    try:
        weir.env["PG_DSN"] = weir.env["PG_DSN"].replace("postgres@", "rotating@")
        weir.env["PGPASSFILE"] = str(secret)
        weir.start()
        stage.send(ROWS)
        wait_all_in(stage, weir)
        admin.execute("ALTER ROLE rotating PASSWORD 'second'")
        secret.write_text("*:*:*:rotating:second\n")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                      "WHERE usename = 'rotating'")
        stage.send(ROWS)
        wait_all_in(stage, weir)
        assert weir.term() == DONE
    finally:
        rules.write_text(before)
        admin.execute("SELECT pg_reload_conf()")
    stage.assert_exact()


# ---- what is changed under weir --------------------------------------------------------------------


CHANGES = {"dropped column": "ALTER TABLE orders DROP COLUMN note",
           "retyped column": "ALTER TABLE orders ALTER COLUMN id TYPE text",
           "renamed table": "ALTER TABLE orders RENAME TO elsewhere",
           "required column": "ALTER TABLE orders ADD COLUMN more integer NOT NULL DEFAULT 1; "
                              "ALTER TABLE orders ALTER COLUMN more DROP DEFAULT"}


# covers: G-22
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_table_that_is_changed_stops_the_pipeline(stage: Stage, change: str):
    weir = settled(stage)
    weir.start()
    weir.wait_event("generation_taken")
    stage.connect().execute(change)
    rows = "SELECT count(*) FROM " + ("elsewhere" if "RENAME" in change else "orders")
    stage.send(ROWS)
    assert weir.wait(30) not in (DONE, 70, -6)
    assert stage.connect().execute(rows).fetchone()[0] == ROWS, "a part of a batch got in"
    assert "orders" in weir.text(), weir.tail()


# covers: G-22
def test_a_column_that_is_added_does_no_harm(stage: Stage):
    weir = settled(stage)
    weir.start()
    weir.wait_event("generation_taken")
    stage.connect().execute("ALTER TABLE orders ADD COLUMN more text DEFAULT 'mine'")
    stage.send(ROWS)
    wait_all_in(stage, weir)
    assert weir.term() == DONE
    stage.assert_exact()


# covers: G-23
@pytest.mark.parametrize("harm", ["DROP TABLE weir.ledger", "DELETE FROM weir.ledger",
                                  "ALTER TABLE weir.ledger RENAME COLUMN plan TO plans"])
def test_a_ledger_that_is_harmed_while_weir_runs(stage: Stage, harm: str):
    weir = settled(stage)
    weir.start()
    weir.wait_event("generation_taken")
    stage.connect().execute(harm)
    stage.send(ROWS)
    assert weir.wait(30) not in (DONE, 70, -6), weir.tail()
    assert stage.connect().execute("SELECT count(*) FROM orders").fetchone()[0] == ROWS


# ---- rows the server does not like -----------------------------------------------------------------


# covers: G-33
def test_a_value_beyond_the_servers_limits_is_a_bad_record(stage: Stage):
    """A key that no index of the server takes; the rest of its batch goes in."""
    stage.make_topic(partitions=1)
    stage.connect().execute(TABLE + "; CREATE UNIQUE INDEX ON orders (note)")
    long = random.Random(SEED).randbytes(50_000).hex()  # nothing that could be compressed
    messages = [b'{"id":%d,"note":"%d"}' % (n, n) for n in range(50)]
    messages.insert(25, ('{"id":1000,"note":"%s"}' % long).encode())
    Topic(stage.kafka.bootstrap, stage.topic_name).send((0, message) for message in messages)
    stage.weir(stage.order_file(source_options={"on_error": "dead_letter"},
                                target_options={"create_table": False})).finish()
    rows = stage.connect().execute("SELECT id FROM orders ORDER BY id").fetchall()
    assert rows == [(n,) for n in range(50)]
    letters = ledger.dead_letters(stage.connect())
    assert [(x["offset"], x["sqlstate"]) for x in letters] == [(25, "54000")]


# covers: G-34
def test_a_server_that_talks_while_we_send(stage: Stage):
    """Megabytes of notices come while megabytes of rows go: who does not read meanwhile hangs."""
    weir = settled(stage)
    trigger(stage, "RAISE NOTICE '%', repeat('chatter ', 500);")
    stage.connect().execute(f"ALTER DATABASE {stage.database} SET client_min_messages = notice")
    stage.send(10_000)
    weir.finish(60)
    stage.assert_exact()


# covers: E-15
def test_dead_letters_that_cannot_be_written_are_waited_for(stage: Stage):
    stage.connect().execute(TABLE)
    weir = settled(stage, source_options={"on_error": "dead_letter"},
                   target_options={"create_table": False, "lock_timeout": "300 ms"})
    Topic(stage.kafka.bootstrap, stage.topic_name).send([(1, b"broken")])
    with psycopg.connect(stage.dsn) as lock:
        lock.execute("LOCK TABLE weir.dead_letter IN ACCESS EXCLUSIVE MODE")
        weir.start()
        time.sleep(2)
        assert weir.is_running, weir.tail()
        lock.rollback()
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.dead_letters(watch), 20, "the dead letter")
    assert weir.term() == DONE
    stage.assert_exact()
    assert [bytes(x["value"]) for x in ledger.dead_letters(stage.connect())] == [b"broken"]


# covers: E-02
@pytest.mark.parametrize("value, sqlstate", [("1 / (id - 7)", "22012"), ("2147483647 + id::integer",
                         "22003"), ("('x' || id)::integer", "22P02")])
def test_an_expression_that_fails_is_a_bad_record(stage: Stage, value: str, sqlstate: str):
    stage.make_topic(partitions=1)
    Topic(stage.kafka.bootstrap, stage.topic_name).send(
        (0, b'{"id":%d}' % number) for number in range(-5, 10))
    text = (pipelines.settings_lines({"name": "failing"})
            + pipelines.source(stage.topic_name, "id bigint", on_error="dead_letter")
            + pipelines.target("public.made", "id bigint, made bigint")
            + f"INSERT INTO public.made SELECT id, {value} FROM incoming;")
    stage.weir(stage.file(text)).finish()
    made = stage.connect().execute("SELECT id FROM made").fetchall()
    letters = ledger.dead_letters(stage.connect())
    assert {x["sqlstate"] for x in letters} == {sqlstate}
    assert sorted([n for n, in made] + [x["offset"] - 5 for x in letters]) == list(range(-5, 10))
    assert len(letters) == {"22012": 1, "22003": 9, "22P02": 15}[sqlstate]


# covers: E-10
def test_messages_that_change_their_shape(stage: Stage):
    """A field more is left out and counted, a field less is null, a field of another type is bad."""
    stage.make_topic(partitions=1)
    stage.weir(stage.order_file(source_options={"on_error": "dead_letter"})).finish()
    Topic(stage.kafka.bootstrap, stage.topic_name).send([
        (0, b'{"id":1,"customer":"a","colour":"red"}'), (0, b'{"customer":"b"}'),
        (0, b'{"id":{"number":3},"customer":"c"}'), (0, b'{"id":4,"quantity":"many"}'),
        (0, b'["id", 5]')])
    weir = stage.weir(stage.order_file(source_options={"on_error": "dead_letter"}))
    weir.finish()
    rows = stage.connect().execute("SELECT id, customer FROM orders ORDER BY pos").fetchall()
    assert rows == [(1, "a"), (None, "b")]
    assert [x["offset"] for x in ledger.dead_letters(stage.connect())] == [2, 3, 4]
    assert weir.events("progress")[-1]["unknown_fields"] >= 1


# ---- the engine ------------------------------------------------------------------------------------


# covers: E-05
def test_batches_without_rows_move_the_ledger(stage: Stage):
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(batch_rows=100, where=" WHERE id < 0"))
    weir.finish()
    with psycopg.connect(stage.dsn) as connection:
        assert sum(ledger.ends(connection).values()) == ROWS
        assert connection.execute("SELECT count(*) FROM orders").fetchone()[0] == 0
        batch = ledger.batch_number(connection)
    assert batch >= 10
    weir.finish()
    assert ledger.batch_number(stage.connect()) == batch, "what is done is not done again"


@contextmanager
def generation(stage: Stage, value: int):
    """The ledger's generation set to a value, as if there had been that many starts."""
    stage.connect().execute("UPDATE weir.ledger SET generation = %s", (value,))
    yield


# covers: E-11
@pytest.mark.parametrize("border", [2**31, 2**32, 2**53])
def test_generations_pass_the_borders_of_numbers(stage: Stage, border: int):
    weir = settled(stage)
    with generation(stage, border - 2):
        for want in (border - 1, border, border + 1):
            stage.send(100)
            weir.finish()
            assert ledger.generation(stage.connect()) == want
    stage.assert_exact()
    ledger.audit(stage.connect())


# covers: E-11
def test_the_last_generation_is_the_last(stage: Stage):
    """There is none behind it: that start stops instead of beginning anew."""
    weir = settled(stage)
    with generation(stage, 2**63 - 1):
        stage.send(100)
        weir.start(until_caught_up=True)
        assert weir.wait(20) not in (DONE, 70)
    assert stage.connect().execute("SELECT count(*) FROM orders").fetchone()[0] == ROWS
    assert ledger.generation(stage.connect()) == 2**63 - 1


# covers: E-17
def test_one_of_two_pipelines_stops(stage: Stage):
    """They share broker, topic and database: the other one goes on."""
    text = "\n".join([pipelines.settings_lines({"name": "strict"}), pipelines.source(stage.topic_name),
                      pipelines.target("public.strict"),
                      f"INSERT INTO public.strict SELECT {SELECTED} FROM incoming;"])
    stage.send(ROWS)
    strict = stage.weir(stage.file(text, "strict.sql"), "strict")
    patient = stage.weir(stage.order_file(source_options={"on_error": "skip"}))
    strict.start()
    patient.start()
    strict.wait_event("generation_taken")
    patient.wait_event("generation_taken")
    topic = Topic(stage.kafka.bootstrap, stage.topic_name)
    topic.send([(0, b"broken")])
    strict.expect(BAD_DATA, 30)
    extra = range(5_000_000, 5_000_100)
    at = topic.ends()[1]
    topic.send((1, stage.orders.message(n)) for n in extra)
    want = ROWS + len(extra)
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: watch.execute("SELECT count(*) FROM orders").fetchone()[0] == want, 20,
                   "the other pipeline's rows")
    assert patient.term() == DONE
    stage.assert_rows([*stage.orders.lines(stage.sent),
                       *(stage.orders.line(n, 1, at + i) for i, n in enumerate(extra))])
