"""test_broker_trouble.py: brokers that hold damaged records, hold weir back, or let it in no longer.

Uses     topics.py; Kafka's own tool for quotas, which no client library sets.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import ledger
import pipelines
import servers
from conftest import HOME, KAFKA_SETTINGS
from stage import Stage
from topics import Topic
from weir_process import wait_until

DONE, AWAY, CORRUPT = 0, 69, 74
ROWS = 1000
CLIENT = "held-back"
QUOTA_BYTES_S, QUOTA_ROWS = 200_000, 10_000  # some five seconds' worth
USER, SECRET, OTHER_SECRET = "weir", "first-secret", "other-secret"


def wait_for_records(stage: Stage, count: int) -> None:
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.exists(watch) and sum(ledger.ends(watch).values()) >= count, 60,
                   f"{count} records", 0.05)


# ---- records ---------------------------------------------------------------------------------------


def flip_in_log(kafka: servers.Kafka, topic: str, text: bytes) -> None:
    """Flips a bit of a record where the broker keeps it; a second call flips it back."""
    for path in kafka.data_dir.rglob(f"{topic}-*/*.log"):
        at = path.read_bytes().find(text)
        if at >= 0:
            with open(path, "r+b") as log:
                log.seek(at + len(text) - 1)
                byte = log.read(1)[0]
                log.seek(at + len(text) - 1)
                log.write(bytes([byte ^ 1]))
            return
    raise AssertionError("the staging failed: no such record in the broker's log")


# covers: K-23
def test_a_record_that_is_damaged_at_the_broker(stage: Stage):
    """It is fetched again in vain, then weir stops there, as it does at each start until it is mended."""
    topic = stage.make_topic(partitions=1)
    topic.send((0, b'{"id":%d,"note":"before"}' % n) for n in range(ROWS))
    weir = stage.weir(stage.order_file())
    weir.finish()
    topic.send((0, b'{"id":%d,"note":"behind"}' % n) for n in range(ROWS, 2 * ROWS))
    flipped = b'{"id":%d,"note":"b' % (2 * ROWS - 1)
    flip_in_log(stage.kafka, stage.topic_name, flipped)
    for _ in range(2):
        weir.start(until_caught_up=True)
        weir.expect(CORRUPT)
        assert weir.events("source_corrupt"), weir.tail()
        assert re.search(rf"topic {stage.topic_name} partition 0: .* offset \d+", weir.text()), weir.tail()
    flip_in_log(stage.kafka, stage.topic_name, flipped[:-1] + bytes([flipped[-1] ^ 1]))
    weir.finish()
    count = stage.connect().execute("SELECT count(*), count(DISTINCT id), max(id) FROM orders")
    assert count.fetchone() == (2 * ROWS, 2 * ROWS, 2 * ROWS - 1)


# ---- a broker with a lock --------------------------------------------------------------------------


class LockedKafka(servers.Kafka):
    """A broker with a second door, where clients say who they are; and one that counts by the second
    what it hands out."""

    secret = SECRET

    def _port_names(self) -> tuple[str, ...]:
        return (*super()._port_names(), "locked_port")

    @property
    def locked(self) -> str:
        return f"127.0.0.1:{self._state['locked_port']}"

    def _configure(self) -> None:
        super()._configure()
        controller = f"127.0.0.1:{self._state['controller_port']}"
        doors = f"PLAINTEXT://{self.bootstrap},LOCKED://{self.locked}"
        module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        more = {"listeners": f"{doors},CONTROLLER://{controller}", "advertised.listeners": doors,
                "listener.security.protocol.map":
                    "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOCKED:SASL_PLAINTEXT",
                "sasl.enabled.mechanisms": "PLAIN", "quota.window.num": 2,
                "listener.name.locked.plain.sasl.jaas.config": f"{module} user_{USER}=\"{self.secret}\";"}
        with open(self.properties_path, "a") as properties:
            properties.writelines(f"{name}={value}\n" for name, value in more.items())

    def set_secret(self, secret: str) -> None:
        """The only one from now on with which USER gets in. It takes a restart."""
        self.stop()
        self.secret = secret
        self.start()


@pytest.fixture(scope="module")
def locked_kafka() -> Iterator[LockedKafka]:
    directory = HOME / "locked-kafka"
    LockedKafka(directory, KAFKA_SETTINGS).destroy()
    server = LockedKafka(directory, KAFKA_SETTINGS).start()
    yield server
    server.destroy()


@pytest.fixture
def locked_stage(locked_kafka: LockedKafka, postgres: servers.Postgres,
                 scratch: Path) -> Iterator[Stage]:
    stage = Stage(locked_kafka.start(), postgres.start(), scratch)
    yield stage
    stage.close()


# ---- quotas ----------------------------------------------------------------------------------------


def set_quota(kafka: servers.Kafka, client: str, bytes_s: int) -> None:
    subprocess.run([*kafka.java("64m"), "kafka.admin.ConfigCommand", "--bootstrap-server", kafka.bootstrap,
                    "--alter", "--add-config", f"consumer_byte_rate={bytes_s}", "--entity-type", "clients",
                    "--entity-name", client], stdin=subprocess.DEVNULL, check=True, capture_output=True)


# covers: K-28
def test_a_quota_holds_weir_back(locked_stage: Stage):
    """It takes as long as the broker wants it to take, and nothing is given up."""
    stage = locked_stage
    set_quota(stage.kafka, CLIENT, QUOTA_BYTES_S)
    topic = stage.make_topic(partitions=1)
    # A broker hands out nothing at all where one answer would be more than the quota allows.
    topic.send(((0, b'{"id":%d,"note":"%s"}' % (n, b"x" * 80)) for n in range(QUOTA_ROWS)),
               **{"batch.size": 16384})
    weir = stage.weir(stage.order_file(source_options={
        "kafka_client_id": CLIENT, "kafka_fetch_message_max_bytes": 16384}))
    begin = time.monotonic()
    weir.finish()
    took_s = time.monotonic() - begin
    assert took_s > 2, f"the staging failed: nobody was held back in {took_s:.1f} s"
    count = stage.connect().execute("SELECT count(*), count(DISTINCT id) FROM orders")
    assert count.fetchone() == (QUOTA_ROWS, QUOTA_ROWS)


# ---- credentials -----------------------------------------------------------------------------------


# covers: K-27
def test_a_credential_is_revoked_while_weir_runs(locked_stage: Stage):
    """It says so, waits, and goes on when it is let in again. Who never was let in is refused at once."""
    stage = locked_stage
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(source_options={
        "brokers": stage.kafka.locked, "kafka_security_protocol": "sasl_plaintext",
        "kafka_sasl_mechanism": "PLAIN", "kafka_sasl_username": USER,
        "kafka_sasl_password": "${SECRET}"}))
    weir.env["SECRET"] = OTHER_SECRET
    weir.start()
    weir.expect(AWAY, 30)
    weir.env["SECRET"] = SECRET
    weir.start()
    wait_for_records(stage, ROWS)
    stage.kafka.set_secret(OTHER_SECRET)
    wait_until(lambda: any("uthentication" in event["message"] for event in weir.events("waiting")), 30,
               "the refusal to be told")
    stage.send(ROWS)
    time.sleep(1)
    assert weir.is_running, weir.tail()
    assert sum(ledger.ends(stage.connect()).values()) == ROWS
    stage.kafka.set_secret(SECRET)
    wait_for_records(stage, 2 * ROWS)
    assert weir.term() == DONE
    assert SECRET not in weir.text(all_lives=True)
    stage.assert_exact()


# ---- two clusters ----------------------------------------------------------------------------------


def wait_for_rows(stage: Stage, count: int) -> None:
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.exists(watch) and ledger.rows_written(watch) >= count, 60,
                   f"{count} rows", 0.05)


# covers: K-31
def test_one_of_two_clusters_is_away(locked_stage: Stage, kafka: servers.Kafka):
    """At the start both are waited for; later each goes on while the other one is away."""
    stage, far = locked_stage, locked_stage.kafka
    near_topic, far_topic = Topic(kafka.start().bootstrap, stage.topic_name), stage.make_topic()
    near_topic.create(2)
    near_topic.send((0, b'{"id":%d}' % n) for n in range(ROWS))
    far_topic.send((0, b'{"id":%d}' % n) for n in range(ROWS, 2 * ROWS))
    weir = stage.weir(stage.file("".join([
        pipelines.settings_lines({"name": "two"}),
        pipelines.source(stage.topic_name, "id bigint", "near", brokers=kafka.bootstrap),
        pipelines.source(stage.topic_name, "id bigint", "far", brokers="${FAR}"),
        pipelines.target("copied", "id bigint"),
        "INSERT INTO copied SELECT id FROM near;\nINSERT INTO copied SELECT id FROM far;\n"])))
    weir.env["FAR"] = f"127.0.0.1:{servers.free_port()}"
    weir.start()
    weir.wait_event("waiting")
    time.sleep(0.5)
    assert weir.is_running and not ledger.exists(stage.connect()), weir.tail()
    assert weir.term() == DONE
    weir.env["FAR"] = far.bootstrap
    weir.start()
    wait_for_rows(stage, 2 * ROWS)
    far.kill9()
    near_topic.send((1, b'{"id":%d}' % n) for n in range(2 * ROWS, 3 * ROWS))
    wait_for_rows(stage, 3 * ROWS)
    far.start()
    far_topic.send((1, b'{"id":%d}' % n) for n in range(3 * ROWS, 4 * ROWS))
    wait_for_rows(stage, 4 * ROWS)
    assert weir.term() == DONE
    found = stage.connect().execute("SELECT count(*), count(DISTINCT id), max(id) FROM copied")
    assert found.fetchone() == (4 * ROWS, 4 * ROWS, 4 * ROWS - 1)
