"""test_broker_faults.py: brokers that are not there or are others, groups that others use, and records
of every kind.

Uses     topics.py, confluent_kafka's admin client and consumers.
"""

from __future__ import annotations

import time

import psycopg
import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

import ledger
import pipelines
import servers
from stage import Stage
from topics import Topic
from weir_process import Weir, run, wait_until

DONE, FAILURE, AWAY, REFUSED = 0, 1, 69, 78
ROWS = 1000
GROUP = "weir-orders"


def wait_all_in(stage: Stage, weir: Weir) -> None:
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.exists(watch)
                   and sum(ledger.ends(watch).values()) == len(stage.sent), 60, "all records")
    assert weir.is_running, weir.tail()


# ---- who answers -----------------------------------------------------------------------------------


# covers: K-02, N-08
def test_no_broker_at_the_start(own_kafka_stage: Stage):
    """It starts, says what it waits for, and begins when the broker comes."""
    stage = own_kafka_stage
    stage.send(ROWS)
    stage.kafka.stop()
    weir = stage.weir(stage.order_file())
    weir.start()
    weir.wait_event("waiting")
    time.sleep(0.5)
    assert weir.is_running, weir.tail()
    stage.kafka.start()
    wait_all_in(stage, weir)
    assert weir.term() == DONE
    stage.assert_exact()


# covers: K-29
def test_a_name_that_does_not_resolve(stage: Stage):
    """That is a broker which is away: it is tried again until the limit, and nothing is written."""
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(retry_limit="2 s"))
    weir.env["KAFKA"] = "no-such-host.invalid:9092"
    weir.start(until_caught_up=True)
    weir.wait_event("waiting")
    weir.expect(AWAY, 30)
    weir.env["KAFKA"] = stage.kafka.bootstrap
    weir.finish()
    stage.assert_exact()


# covers: K-10
def test_another_cluster_at_the_address(own_kafka_stage: Stage, kafka: servers.Kafka):
    """It has a topic of that name, with the same records even: still it is another one."""
    stage = own_kafka_stage
    stage.send(ROWS)
    weir = stage.weir(stage.order_file())
    weir.finish()
    numbers = range(2 * ROWS)
    Topic(kafka.start().bootstrap, stage.topic_name).create(4).send(
        (stage.orders.partition(n), stage.orders.message(n)) for n in numbers)
    weir.env["KAFKA"] = kafka.bootstrap
    for _ in range(2):
        weir.start(until_caught_up=True)
        weir.expect(FAILURE)
        assert weir.events("cluster_changed"), weir.tail()
    stage.assert_exact()
    weir.env["KAFKA"] = stage.kafka.bootstrap
    stage.send(ROWS)
    weir.finish()
    stage.assert_exact()


# covers: K-12
def test_a_topic_made_anew_with_fewer_partitions(stage: Stage):
    stage.send(ROWS)
    weir = stage.weir(stage.order_file())
    weir.finish()
    old = list(stage.orders.lines(stage.sent))
    topic = Topic(stage.kafka.bootstrap, stage.topic_name)
    topic.delete()
    topic.create(2)
    topic.send((0, stage.orders.message(n)) for n in range(50_000, 50_000 + 3 * ROWS))
    for _ in range(2):
        weir.start(until_caught_up=True)
        weir.expect(FAILURE)
        assert stage.topic_name in weir.text(), weir.tail()
    stage.assert_rows(old)


# covers: K-07
def test_a_topic_that_is_deleted(stage: Stage):
    stage.send(ROWS)
    weir = stage.weir(stage.order_file())
    weir.start()
    wait_all_in(stage, weir)
    Topic(stage.kafka.bootstrap, stage.topic_name).delete()
    weir.expect(FAILURE, 60)
    assert weir.events("topic_gone"), weir.tail()
    stage.assert_exact()


# covers: K-32
@pytest.mark.parametrize("mode, status", [("exactly_once", REFUSED), ("at_least_once", DONE),
                                          ("at_most_once", DONE)])
def test_uncommitted_records_are_no_base_for_exactly_once(stage: Stage, mode: str, status: int):
    pipeline = stage.order_file(delivery=mode, source_options={"isolation": "read_uncommitted"})
    done = run("validate", pipeline, env=stage.environment())
    assert done.returncode == status, done.stderr
    assert status == DONE or "read_uncommitted" in done.stderr


# ---- groups ----------------------------------------------------------------------------------------


# covers: K-20
def test_a_stranger_joins_our_group(stage: Stage):
    """Nobody can take partitions from a weir: it assigns them to itself."""
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(batch_rows=100))
    weir.start()
    wait_all_in(stage, weir)
    stranger = Consumer({"bootstrap.servers": stage.kafka.bootstrap, "group.id": GROUP,
                         "auto.offset.reset": "earliest", "enable.auto.commit": False,
                         "log_level": 0})
    stranger.subscribe([stage.topic_name])
    deadline = time.monotonic() + 15
    while not stranger.assignment() and time.monotonic() < deadline:
        stranger.poll(0.1)
    assert stranger.assignment(), "the staging failed: the stranger got no partition"
    stage.send(ROWS)
    wait_all_in(stage, weir)
    stranger.close()
    stage.send(ROWS)
    wait_all_in(stage, weir)
    assert weir.term() == DONE
    stage.assert_exact()


# covers: K-21
@pytest.mark.parametrize("harm", ["back", "ahead", "deleted"])
def test_the_offsets_of_our_group_are_for_display(stage: Stage, harm: str):
    stage.send(ROWS)
    weir = stage.weir(stage.order_file())
    weir.finish()
    stage.send(ROWS)
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap, "log_level": 0})
    if harm == "deleted":
        try:
            admin.delete_consumer_groups([GROUP])[GROUP].result(10)
        except Exception as problem:  # noqa: BLE001 - none was written yet: just as well
            assert "GROUP_ID_NOT_FOUND" in str(problem), problem
    else:
        offset = {"back": 0, "ahead": ROWS}[harm]
        wish = ConsumerGroupTopicPartitions(GROUP, [
            TopicPartition(stage.topic_name, n, offset) for n in range(stage.orders.partitions)])
        admin.alter_consumer_group_offsets([wish])[GROUP].result(10)
    weir.finish()
    stage.assert_exact()


# ---- records ---------------------------------------------------------------------------------------


# covers: K-24
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_records_that_grow_a_thousand_times(stage: Stage, codec: str):
    """Half a hundred mebibytes of nothing come as some kilobytes: memory keeps its limits."""
    topic = stage.make_topic(partitions=1)
    blank = b" " * 900_000
    messages = [b'{"id":%d,"note":"x"%s}' % (n, blank) for n in range(60)]
    topic.send(((0, message) for message in messages), **{"compression.type": codec,
                                                          "message.max.bytes": 1_000_000})
    weir = stage.weir(stage.order_file())
    weir.start()
    peak = 0
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        while not ledger.exists(watch) or ledger.rows_written(watch) < len(messages):
            assert weir.is_running, weir.tail()
            status = dict(line.split(":", 1) for line in open(f"/proc/{weir.pid}/status"))
            peak = max(peak, int(status["VmRSS"].split()[0]) // 1024)
            time.sleep(0.02)
    assert weir.term() == DONE
    assert stage.connect().execute("SELECT count(*), sum(id) FROM orders").fetchone() == (60, 1770)
    assert peak < 160, f"{peak} MiB"


# covers: K-24
def test_a_message_over_the_limit_is_a_bad_record(stage: Stage):
    topic = stage.make_topic(partitions=1)
    topic.send([(0, b'{"id":1}'), (0, b'{"id":2,"note":"%s"}' % (b"x" * 300_000)), (0, b'{"id":3}')])
    options = {"on_error": "dead_letter", "message_bytes_max": "100 kB"}
    stage.weir(stage.order_file(source_options=options)).finish()
    assert stage.connect().execute("SELECT id FROM orders ORDER BY id").fetchall() == [(1,), (3,)]
    assert [(x["offset"], x["sqlstate"]) for x in ledger.dead_letters(stage.connect())] == [
        (1, "54000")]


# covers: K-25, K-26
def test_timestamps_of_every_age_and_ten_thousand_headers(stage: Stage):
    """-1 is none. The others come as they are; none of them moves anything but its own row."""
    stage.make_topic(partitions=1, message_timestamp_type="CreateTime",
                     message_timestamp_before_max_ms=2**63 - 1, message_timestamp_after_max_ms=2**63 - 1)
    stamps = [0, 1, 1_000, 1_790_000_000_000, 253_402_300_799_000, 4_102_444_800_000]
    producer = Producer({"bootstrap.servers": stage.kafka.bootstrap, "log_level": 0})
    for number, stamp in enumerate(stamps):
        headers = [("h", b"v")] * 10_000 if number == 3 else None
        producer.produce(stage.topic_name, b'{"id":%d}' % number, None, 0, timestamp=stamp,
                         headers=headers)
    producer.produce(stage.topic_name, b'{"id":100}', b"", 0)
    producer.flush()
    text = (pipelines.settings_lines({"name": "stamps"})
            + pipelines.source(stage.topic_name, "id bigint")
            + pipelines.target("public.stamps", "id bigint, at timestamptz, key bytea, headers jsonb")
            + "INSERT INTO public.stamps SELECT id, _timestamp, _key, _headers FROM incoming;")
    stage.weir(stage.file(text)).finish()
    rows = stage.connect().execute(
        "SELECT id, (extract(epoch FROM at) * 1000)::bigint, key, jsonb_array_length(headers) "
        "FROM stamps ORDER BY id").fetchall()
    # librdkafka's producer takes 0 for "now"
    assert [row[1] for row in rows[1:6]] == stamps[1:]
    assert [row[3] for row in rows] == [0, 0, 0, 10_000, 0, 0, 0]
    assert rows[6][2] == b"" and rows[0][2] is None
