"""test_kafka_oddities.py: topics with transactions, holes and tombstones; topics that change under
weir; a broker that hangs.

Uses     topics.py, confluent_kafka for a transactional producer and an independent reader.
"""

from __future__ import annotations

import time

import psycopg
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

import ledger
from pgproxy import Strike
from stage import Stage
from topics import Topic
from weir_process import Weir, wait_until

CONFLICT = 1
ALL_IN_TIMEOUT_S = 60


def wait_all_in(stage: Stage, ends: dict[int, int] | None = None) -> None:
    topic = Topic(stage.kafka.bootstrap, stage.topic_name)
    ends = ends or topic.ends()
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.exists(watch) and ledger.ends(watch) == ends, ALL_IN_TIMEOUT_S,
                   f"the ledger to reach {ends}")


def read_independently(stage: Stage, isolation: str = "read_committed") -> set[tuple[int, int, bytes]]:
    """(partition, offset, value) of everything that a reader sees now."""
    ends = Topic(stage.kafka.bootstrap, stage.topic_name).ends()
    consumer = Consumer({"bootstrap.servers": stage.kafka.bootstrap, "group.id": "independent",
                         "isolation.level": isolation, "enable.partition.eof": True})
    consumer.assign([TopicPartition(stage.topic_name, number, OFFSET_BEGINNING) for number in ends])
    found, open_partitions = set(), set(ends)
    while open_partitions:
        message = consumer.poll(10)
        assert message is not None, "the independent reader found no end"
        if message.error():
            open_partitions.discard(message.partition())
        else:
            found.add((message.partition(), message.offset(), message.value()))
    consumer.close()
    return found


class Sender:
    """Sends orders in transactions to one partition, and remembers those that count."""

    def __init__(self, stage: Stage, name: str, partition: int):
        self.stage, self.partition = stage, partition
        self.committed: dict[int, int] = {}  # number by offset
        self.producer = Producer({"bootstrap.servers": stage.kafka.bootstrap,
                                  "transactional.id": f"{stage.topic_name}-{name}"})
        self.producer.init_transactions(30)

    def transaction(self, numbers: range, commit: bool, tombstones: bool = False) -> None:
        sent: dict[int, int] = {}
        self.producer.begin_transaction()
        for number in numbers:
            def delivered(problem, message, number=number):
                assert problem is None, problem
                sent[message.offset()] = number
            self.producer.produce(self.stage.topic_name, self.stage.orders.message(number), b"key",
                                  self.partition, on_delivery=delivered)
        if tombstones:
            self.producer.produce(self.stage.topic_name, None, b"gone", self.partition)
        self.producer.flush()
        if commit:
            self.producer.commit_transaction(30)
            self.committed.update(sent)
        else:
            self.producer.abort_transaction(30)

    def lines(self) -> list[bytes]:
        return [self.stage.orders.line(number, self.partition, offset)
                for offset, number in self.committed.items()]


# covers: K-14, K-16
@pytest.mark.parametrize("batch_rows", [7, 1000])
def test_transactions_aborts_and_tombstones(stage: Stage, batch_rows: int):
    """Offsets of control records, aborted rows and tombstones lie within ranges, and at their ends."""
    stage.make_topic(partitions=2)
    senders = [Sender(stage, f"p{partition}", partition) for partition in (0, 1)]
    weir = stage.weir(stage.order_file(batch_rows=batch_rows, source_options={"on_error": "skip"}))
    number = 0
    for turn in range(12):
        for sender in senders:
            count = 1 + (turn * 7 + sender.partition) % 13
            sender.transaction(range(number, number + count), commit=turn % 3 != 1,
                               tombstones=turn % 4 == 0)
            number += count
        if turn % 4 == 1:  # a range that ends in an abort, and one that holds nothing else
            weir.finish()
    weir.finish()
    stage.assert_rows(line for sender in senders for line in sender.lines())
    # A later run has nothing to do, and does not stick at the invisible end.
    before = ledger.rows_written(stage.connect())
    weir.finish()
    assert ledger.rows_written(stage.connect()) == before


# covers: K-15
def test_rows_of_an_open_transaction_wait_for_its_end(stage: Stage):
    stage.make_topic(partitions=1)
    sender = Sender(stage, "open", 0)
    sender.transaction(range(10), commit=True)
    sender.producer.begin_transaction()
    for number in range(10, 20):
        sender.producer.produce(stage.topic_name, stage.orders.message(number), b"key", 0)
    sender.producer.flush()
    weir = stage.weir(stage.order_file(source_options={"on_error": "skip"}))
    weir.start()
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.exists(watch) and ledger.rows_written(watch) == 10, 30, "10 rows")
        time.sleep(0.5)
        assert ledger.rows_written(watch) == 10
        sender.producer.commit_transaction(30)
        wait_until(lambda: ledger.rows_written(watch) == 20, 30, "20 rows")
    assert weir.term() == 0


COMPACTED = {"cleanup_policy": "compact", "segment_ms": 200, "min_cleanable_dirty_ratio": 0.001,
             "max_compaction_lag_ms": 300, "min_compaction_lag_ms": 0, "delete_retention_ms": 100}


def send_keyed(stage: Stage, numbers: range, keys: int = 10) -> None:
    topic = Topic(stage.kafka.bootstrap, stage.topic_name)
    topic.send((0, stage.orders.message(n), f"key {n % keys}".encode()) for n in numbers)


def wait_compacted(stage: Stage, count: int) -> None:
    """Until fewer than count records are left; new ones roll the segment, or nothing is cleaned."""
    number = 1_000_000
    deadline = time.monotonic() + 60
    while len(read_independently(stage)) >= count:
        assert time.monotonic() < deadline, "the broker does not compact"
        time.sleep(0.3)
        send_keyed(stage, range(number, number + 1), keys=1)
        number += 1


def survivors(stage: Stage) -> list[bytes]:
    numbers = {stage.orders.message(n): n for n in [*range(2000), *range(1_000_000, 1_000_300)]}
    return [stage.orders.line(numbers[value], partition, offset)
            for partition, offset, value in read_independently(stage)]


def test_a_compacted_topic(stage: Stage):
    stage.make_topic(partitions=1, **COMPACTED)
    send_keyed(stage, range(500))
    wait_compacted(stage, 400)
    send_keyed(stage, range(500, 600))
    weir = stage.weir(stage.order_file(batch_rows=50))
    weir.start(until_caught_up=True)
    weir.expect(0)
    lines = survivors(stage)
    there = stage.connect().execute("SELECT count(*) FROM orders").fetchone()[0]
    assert there >= len(lines), "records may have gone since they were read, but none before"
    assert there < 600, "nothing was compacted away"


# covers: K-17
def test_records_compacted_away_between_seal_and_replay(stage: Stage):
    """The sealed batch cannot be rebuilt as it was; no sink holds it, so it is planned anew."""
    stage.make_topic(partitions=1, **COMPACTED)
    send_keyed(stage, range(5))
    stage.weir(stage.order_file(batch_rows=100)).finish()
    send_keyed(stage, range(5, 500))
    proxy = stage.proxy()
    held = proxy.arm(Strike.HOLD_REQUEST, ledger.is_step)
    first = stage.weir(stage.order_file(batch_rows=100), via=proxy)
    first.start()
    held.wait_struck()
    assert first.kill9()
    proxy.cut_all()
    wait_compacted(stage, 300)
    again = stage.weir(stage.order_file(batch_rows=100))
    again.finish()
    assert again.events("planned_anew"), again.tail()
    numbers = {stage.orders.message(n): n for n in [*range(500), *range(1_000_000, 1_000_300)]}
    allowed = {stage.orders.line(n, 0, 0).split(b"\t")[0] for n in numbers.values()}
    rows = stage.connect().execute("SELECT id::text, count(*) FROM orders GROUP BY id").fetchall()
    assert all(text.encode() in allowed and count == 1 for text, count in rows)
    last = dict(stage.connect().execute("SELECT id % 10, max(id) FROM orders WHERE id < 1000 GROUP BY 1"))
    assert all(last[key] >= 490 for key in range(1, 10)), f"the last of each key is there: {last}"


def loaded(stage: Stage, rows: int, **source_options: object) -> Weir:
    stage.send(rows)
    weir = stage.weir(stage.order_file(batch_rows=500, source_options=source_options))
    weir.finish()
    stage.assert_exact()
    return weir


def make_anew(stage: Stage, rows: int) -> list[bytes]:
    """Deletes the topic and makes it again with other orders; returns the old rows and the new."""
    old = list(stage.orders.lines(stage.sent))
    topic = Topic(stage.kafka.bootstrap, stage.topic_name)
    topic.delete()
    stage.make_topic()
    stage.orders = type(stage.orders)(stage.orders.seed + 77)
    stage.sent = range(0)
    stage.send(rows)
    return old + list(stage.orders.lines(stage.sent))


# covers: K-08, K-09
@pytest.mark.parametrize("rows", [300, 20_000], ids=["shorter", "longer"])
def test_a_topic_made_anew_stops_the_pipeline(stage: Stage, rows: int):
    weir = loaded(stage, 3000)
    old = list(stage.orders.lines(stage.sent))
    make_anew(stage, rows)
    for _ in range(2):  # a restart alone decides nothing
        weir.start(until_caught_up=True)
        weir.expect(CONFLICT)
        assert stage.topic_name in weir.text(), weir.tail()
        stage.assert_rows(old)


def test_a_shorter_topic_made_anew_is_gone_on_with_at_its_end_with_skip(stage: Stage):
    """It could as well be the old log, cut: reading it from the beginning could double rows. What is
    left out is told, with both offsets."""
    weir = loaded(stage, 3000, on_data_loss="skip")
    topic = Topic(stage.kafka.bootstrap, stage.topic_name)
    ends = topic.ends()
    everything = make_anew(stage, 300)
    new_ends = topic.ends()
    weir.start()
    wait_until(lambda: len(weir.events("log_diverged")) == len(ends), 30, "the loss to be told", 0.05)
    for partition, end in ends.items():
        assert any(f"partition {partition}:" in event["message"] and str(end) in event["message"]
                   and str(new_ends[partition]) in event["message"]
                   for event in weir.events("log_diverged")), (partition, weir.tail())
    assert weir.term() == 0
    stage.send(1000)  # a start finds another end: it must go on from where the first one did
    weir.start()
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.rows_written(watch) == 4000, 30, "the records that came since")
    assert weir.term() == 0
    assert not weir.events("log_diverged"), weir.tail()
    stage.assert_rows(everything[:3000] + list(stage.orders.lines(stage.sent))[300:])


def test_a_longer_topic_made_anew_is_gone_on_with_with_skip(stage: Stage):
    weir = loaded(stage, 3000, on_data_loss="skip")
    ends = Topic(stage.kafka.bootstrap, stage.topic_name).ends()
    old = list(stage.orders.lines(stage.sent))
    make_anew(stage, 20_000)
    weir.finish()
    assert len(weir.events("topic_replaced")) == len(ends), weir.tail()
    stage.assert_rows(old + [stage.orders.line(number, partition, offset)
                             for number, partition, offset in stage.orders.placed(stage.sent)
                             if offset >= ends[partition]])


# covers: K-09
def test_a_topic_made_anew_while_weir_runs(stage: Stage):
    weir = loaded(stage, 3000)
    old = list(stage.orders.lines(stage.sent))
    weir.start()
    weir.wait_event("generation_taken")
    make_anew(stage, 5000)
    weir.expect(CONFLICT, 90)
    stage.assert_rows(old)


def remove_unread(stage: Stage) -> tuple[dict[int, int], dict[int, int]]:
    """Sends more, of which retention removes a part; returns our ends and the first kept offsets."""
    topic = Topic(stage.kafka.bootstrap, stage.topic_name)
    ours = topic.ends()
    stage.send(3000)
    kept = {partition: end + 100 for partition, end in ours.items()}
    topic.delete_before(kept)
    return ours, kept


# covers: K-04
def test_retention_beyond_our_offset_stops_the_pipeline(stage: Stage):
    weir = loaded(stage, 3000)
    old = list(stage.orders.lines(stage.sent))
    ours, kept = remove_unread(stage)
    weir.start(until_caught_up=True)
    weir.expect(CONFLICT)
    words = weir.text()
    assert stage.topic_name in words, weir.tail()
    assert any(str(ours[p]) in words and str(kept[p]) in words for p in ours), weir.tail()
    stage.assert_rows(old)


# covers: K-04
def test_retention_beyond_our_offset_with_skip(stage: Stage):
    weir = loaded(stage, 3000, on_data_loss="skip")
    ours, kept = remove_unread(stage)
    weir.finish()
    stage.assert_rows(stage.orders.line(number, partition, offset)
                      for number, partition, offset in stage.orders.placed(stage.sent)
                      if not ours[partition] <= offset < kept[partition])
    assert any(str(ours[p]) in weir.text() for p in ours), "the lost range is named"
    assert weir.events("progress")[-1]["rows_lost"] == sum(kept[p] - ours[p] for p in ours)


# covers: K-11
def test_a_partition_added_while_running(stage: Stage):
    stage.send(2000)
    weir = stage.weir(stage.order_file(batch_rows=500))
    weir.start()
    wait_all_in(stage)
    topic = Topic(stage.kafka.bootstrap, stage.topic_name)
    topic.add_partitions(6)
    extra = range(1_000_000, 1_000_500)
    topic.send((4 + n % 2, stage.orders.message(n)) for n in extra)
    wait_all_in(stage, topic.ends())
    assert weir.term() == 0
    lines = list(stage.orders.lines(stage.sent))
    lines += [stage.orders.line(n, 4 + n % 2, (n - extra.start) // 2) for n in extra]
    stage.assert_rows(lines)


# covers: K-01
def test_a_broker_that_hangs_for_a_while(own_kafka_stage: Stage):
    stage = own_kafka_stage
    stage.send(3000)
    weir = stage.weir(stage.order_file(batch_rows=500))
    weir.start()
    wait_all_in(stage)
    stage.kafka.pause()
    time.sleep(12)
    stage.kafka.resume()
    stage.send(3000)
    wait_all_in(stage)
    assert weir.term() == 0
    stage.assert_exact()
