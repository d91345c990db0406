"""test_kafka_source.py: the Kafka source alone, against a real broker and what happens to topics.

Uses     kafka_source_contract (the contract of source.h, in C) and source_probe (the source, driven
         by lines), both built beside weir.
The expectation always comes from what was produced, never from what was read.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

import servers
from stage import SEED
from topics import Topic

PROGRAMS = servers.BUILD / "gcc" / "tests" / "contract"
WAIT_MS = 30_000


@dataclass(frozen=True)
class Record:
    partition: int
    offset: int
    timestamp_us: int
    key: bytes | None
    value: bytes | None
    headers: str


class Conflict(Exception):
    """The source said error CODE REASON TEXT."""

    def __init__(self, line: str):
        super().__init__(line)
        _, self.code, self.reason, self.text = line.split(" ", 3)


class Probe:
    """One source_probe on a topic."""

    def __init__(self, bootstrap: str, topic: str, log: Path, **options: object):
        words = [f"{name.replace('__', '.')}={value}" for name, value in
                 {"brokers": bootstrap, "topic": topic, **options}.items()]
        self.log = log
        self.process = subprocess.Popen([PROGRAMS / "source_probe", "probe", *words], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=log.open("a"))
        self.answer()
        self.partitions = self.say("discover").split()

    def __enter__(self) -> "Probe":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stdin.close()
        assert self.process.wait(20) == 0, "the source does not close"

    def answer(self, records: list[Record] | None = None) -> str:
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line.startswith("r "):
                records.append(parse_record(line))
            elif line.startswith("error"):
                raise Conflict(line)
            else:
                return line.removeprefix("ok").strip()
        raise AssertionError(f"source_probe ended: {self.log.read_text()}")

    def say(self, command: str, records: list[Record] | None = None) -> str:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer(records)

    def read(self, count: int, wait_ms: int = WAIT_MS) -> list[Record]:
        records: list[Record] = []
        self.say(f"read {count} {wait_ms}", records)
        return records

    def read_until_conflict(self, wait_ms: int = WAIT_MS) -> Conflict:
        with pytest.raises(Conflict) as conflict:
            self.say(f"drain 1000000000 {wait_ms}")
        return conflict.value

    def state(self) -> dict[str, str]:
        words = self.say("state").split(" ", 3)
        return dict(word.split("=", 1) for word in words)


def parse_record(line: str) -> Record:
    _, partition, offset, timestamp_us, key, value, headers = line.split(" ")
    text = [None if field == "-" else bytes.fromhex(field) for field in (key, value, headers)]
    return Record(int(partition), int(offset), int(timestamp_us), text[0], text[1],
                  text[2].decode())


@pytest.fixture
def probe(kafka, scratch):
    """A function that opens a source on a topic of the shared broker."""
    def opened(topic: str, **options: object) -> Probe:
        return Probe(kafka.bootstrap, topic, scratch / "probe.log", **options)
    return opened


@pytest.fixture
def topic(kafka, request) -> Topic:
    return Topic(kafka.bootstrap, f"source-{time.time_ns()}")


def numbered(partition: int, first: int, count: int) -> Iterator[tuple]:
    return ((partition, b"value %d" % number, b"key %d" % number)
            for number in range(first, first + count))


def test_the_contract(kafka, scratch):
    done = subprocess.run([PROGRAMS / "kafka_source_contract"], text=True, capture_output=True,
                          env={"WEIR_TEST_KAFKA": kafka.bootstrap})
    (scratch / "contract.log").write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr


# covers: K-25
def test_null_keys_values_and_headers(topic, probe):
    topic.create(1)
    producer = Producer({"bootstrap.servers": topic.bootstrap})
    producer.produce(topic.name, value=None, key=None)
    producer.produce(topic.name, value=b"", key=b"", headers=[("a", b"1"), ("a", None),
                                                            ("b\"\n", b"\xff\x00")])
    producer.flush()
    with probe(topic.name) as source:
        source.say("seek 0")
        first, second = source.read(2)
    assert (first.key, first.value, first.headers) == (None, None, "[]")
    assert (second.key, second.value) == (b"", b"")
    assert second.headers == '[["a", "1"], ["a", null], ["b\\"\\u000a", "\\\\xff00"]]'


# ---- transactions ------------------------------------------------------------------------------


def fill_with_transactions(topic: Topic) -> tuple[list[tuple[int, bytes]], int]:
    """Plain, committed, aborted and null records in one partition, ending in control records.
    Returns the visible ones by offset, and the end."""
    dice = random.Random(SEED)
    visible, placed = [], []
    plain = Producer({"bootstrap.servers": topic.bootstrap})
    producer = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": topic.name})
    producer.init_transactions()
    for step in range(60):
        kind = dice.choice(["plain", "commit", "abort", "abort"]) if step < 57 else "abort"
        values = [dice.choice([None, b"%d.%d" % (step, i)]) for i in range(dice.randrange(1, 4))]
        sender = plain if kind == "plain" else producer
        placed.clear()
        if kind != "plain":
            producer.begin_transaction()
        for value in values:
            sender.produce(topic.name, value, b"k", 0,
                           on_delivery=lambda _, message: placed.append(message.offset()))
        sender.flush()
        if kind == "commit":
            producer.commit_transaction()
        elif kind == "abort":
            producer.abort_transaction()
        if kind != "abort":
            visible += zip(placed, values)
    end = placed[-1] + 2  # behind the last record comes its marker, when the broker gets to it
    wait_for_end(topic, end)
    return visible, end


def wait_for_end(topic: Topic, end: int) -> None:
    deadline = time.monotonic() + 20
    while topic.ends()[0] != end:
        assert time.monotonic() < deadline, f"the log ends at {topic.ends()[0]}, not {end}"
        time.sleep(0.05)


# covers: K-14, K-16
def test_every_range_among_transactions_comes_whole_and_ends(topic, probe):
    topic.create(1)
    visible, end = fill_with_transactions(topic)
    dice = random.Random(SEED)
    bounds = [(0, end), (0, 0), (end, end), (end - 1, end)]
    bounds += [(0, stop) for stop in range(end - 12, end)]  # around the control records at the end
    bounds += [tuple(sorted(dice.choices(range(end + 1), k=2))) for _ in range(60)]
    with probe(topic.name) as source:
        for begin, stop in bounds:
            source.say(f"seek {begin} until {stop}")
            got = [(record.offset, record.value) for record in source.read(1_000_000)]
            assert got == [pair for pair in visible if begin <= pair[0] < stop], (begin, stop)
            assert source.state()["reached"] == "1", (begin, stop)
            assert source.say("positions").startswith(f"{max(begin, stop)}/"), (begin, stop)


def test_uncommitted_records_are_read_only_when_asked_for(topic, probe):
    topic.create(1)
    visible, end = fill_with_transactions(topic)
    with probe(topic.name, isolation="read_uncommitted") as source:
        source.say(f"seek 0 until {end}")
        everything = {record.offset for record in source.read(1_000_000)}
    assert everything > {offset for offset, _ in visible}


# covers: K-15
def test_an_open_transaction_holds_readers_back_until_it_ends(topic, probe):
    topic.create(1)
    topic.send(numbered(0, 0, 3))
    producer = Producer({"bootstrap.servers": topic.bootstrap, "transactional.id": topic.name})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic.name, b"open", None, 0)
    producer.flush()
    topic.send(numbered(0, 3, 2))
    with probe(topic.name) as source:
        source.say("seek 0")
        assert len(source.read(4, 2000)) == 3
        assert source.state()["caught_up"] == "1"
        producer.commit_transaction()
        assert [record.offset for record in source.read(3)] == [3, 4, 5]


# covers: K-17
def test_a_range_comes_again_though_its_records_were_compacted(topic, probe):
    topic.create(1, cleanup_policy="compact", segment_ms=100, min_cleanable_dirty_ratio=0.01,
                 max_compaction_lag_ms=200)
    topic.send([(0, b"%d" % number, b"same") for number in range(20)])
    time.sleep(0.5)
    topic.send([(0, b"last", b"other"), (0, b"more", b"other")])
    with probe(topic.name) as source:
        source.say("seek 0 until 20")
        deadline = time.monotonic() + 30
        while len(source.read(1000)) > 1:  # the cleaner takes its time
            assert time.monotonic() < deadline
            time.sleep(0.3)
            topic.send([(0, b"tick", b"tick")])
            source.say("seek 0 until 20")
        assert source.state()["reached"] == "1"
        assert source.say("positions").startswith("20/")
        # A witness that was compacted away is no conflict.
        source.say("seek 10/9/42")
        assert [record.offset for record in source.read(1)] == [19]


# ---- the two traps of librdkafka 2.0.2 ---------------------------------------------------------


# covers: K-19
def test_seeking_never_skips_or_repeats(topic, probe):
    topic.create(3)
    for partition in range(3):
        topic.send(numbered(partition, 0, 20_000))
    dice = random.Random(SEED)
    with probe(topic.name) as source:
        for _ in range(40):
            begins = [dice.randrange(20_000) for _ in range(3)]
            source.say("seek " + " ".join(map(str, begins)))
            expected = list(begins)
            for record in source.read(dice.randrange(1, 3000)):
                assert record.offset == expected[record.partition]
                assert record.value == b"value %d" % record.offset
                expected[record.partition] += 1


def test_a_full_queue_does_not_put_the_reader_to_sleep(topic, probe):
    """Without a request that wakes it, the client sleeps up to a second each time its queue is full."""
    topic.create(2)
    filler = b"x" * 1000
    for partition in range(2):
        topic.send((partition, filler) for _ in range(30_000))
    with probe(topic.name, kafka__queued__max__messages__kbytes=1000) as source:
        source.say("seek 0 0")
        source.say("drain 1 30000")
        silences = []
        for _ in range(4):
            source.say("sleep 1500")  # the queue fills, the client's thread lies down
            count, _, silence_us, gaps = map(int, source.say("drain 10000 30000").split())
            assert (count, gaps) == (10_000, 0)
            silences.append(silence_us)
    assert sorted(silences)[1] < 500_000, silences


# ---- what happens to topics --------------------------------------------------------------------


def read_all(source: Probe, count: int) -> str:
    """Reads count records from the start; returns the position."""
    source.say("seek 0")
    assert len(source.read(count)) == count
    return source.say("positions")


# covers: K-09
def test_a_topic_made_anew_is_not_the_old_one(topic, probe):
    topic.create(1)
    topic.send(numbered(0, 0, 10))
    with probe(topic.name) as source:
        at = read_all(source, 10)
    topic.delete()
    topic.create(1)
    topic.send(numbered(0, 100, 20))
    with probe(topic.name) as source:
        source.say(f"seek {at}")
        conflict = source.read_until_conflict()
        assert (conflict.code, conflict.reason) == ("WEIR_ECONFLICT", "topic_replaced")
        assert topic.name in conflict.text and "10" in conflict.text and "9" in conflict.text


# covers: K-05, K-08
def test_a_shorter_topic_made_anew_is_a_log_that_ends_too_early(topic, probe):
    topic.create(1)
    topic.send(numbered(0, 0, 10))
    with probe(topic.name) as source:
        at = read_all(source, 10)
    topic.delete()
    topic.create(1)
    topic.send(numbered(0, 0, 3))
    with probe(topic.name) as source:
        source.say(f"seek {at}")
        assert source.read_until_conflict().reason == "log_diverged"
    with probe(topic.name, on_data_loss="skip") as source:
        source.say(f"seek {at}")
        assert source.read(1, 6000) == []  # goes on behind what is there
        topic.send(numbered(0, 50, 1))
        assert [record.value for record in source.read(1)] == [b"value 50"]
        assert "log_diverged" in source.log.read_text()


def test_a_topic_replaced_while_it_is_read_is_noticed(topic, probe):
    topic.create(1)
    topic.send(numbered(0, 0, 10))
    with probe(topic.name) as source:
        read_all(source, 10)
        topic.delete()
        topic.create(1)
        topic.send(numbered(0, 100, 20))
        assert source.read_until_conflict().reason in ("topic_replaced", "log_diverged")


# covers: K-07
def test_a_deleted_topic_is_gone(topic, probe):
    topic.create(1)
    topic.send(numbered(0, 0, 10))
    with probe(topic.name) as source:
        read_all(source, 10)
        topic.delete()
        conflict = source.read_until_conflict()
        assert (conflict.code, conflict.reason) == ("WEIR_ECONFLICT", "topic_gone")


# covers: K-04
def test_retention_that_overtakes_a_reader_is_named_or_skipped(topic, probe):
    topic.create(1)
    topic.send(numbered(0, 0, 100))
    topic.delete_before({0: 60})
    with probe(topic.name) as source:
        source.say("seek 20")
        conflict = source.read_until_conflict()
        assert conflict.reason == "data_lost"
        assert all(word in conflict.text for word in (topic.name, "partition 0", "20", "60"))
    with probe(topic.name, on_data_loss="skip") as source:
        source.say("seek 20")
        assert [record.offset for record in source.read(40)] == list(range(60, 100))
        log = source.log.read_text()
        assert all(word in log for word in ("data_lost", topic.name, "partition 0", "20", "60"))


def test_no_such_topic_and_no_such_broker(topic, probe, scratch):
    with pytest.raises(Conflict) as refused:
        probe(topic.name)
    assert refused.value.code == "WEIR_ECONFIG" and topic.name in refused.value.text
    with pytest.raises(Conflict) as refused:
        Probe(f"127.0.0.1:{servers.free_port()}", "t", scratch / "probe.log")
    assert refused.value.code == "WEIR_EAWAY"


# ---- starting, positions for others ------------------------------------------------------------


def test_starting_at_a_time_and_at_offsets(topic, probe):
    topic.create(2)
    producer = Producer({"bootstrap.servers": topic.bootstrap})
    for number in range(10):
        producer.produce(topic.name, b"v", partition=0, timestamp=1_700_000_000_000 + number * 1000)
    producer.flush()

    def starts(**options: object) -> list[str]:
        with probe(topic.name, **options) as source:
            return [position.split("/")[0] for position in source.say("start").split()]

    assert starts() == ["0", "0"]
    assert starts(start="latest") == ["10", "0"]
    assert starts(start="1700000004000") == ["4", "0"]
    assert starts(start="2023-11-14 22:13:24.5+00") == ["5", "0"]
    assert starts(start="2100-01-01") == ["10", "0"]
    assert starts(start="0:3,1:0") == ["3", "0"]
    with pytest.raises(Conflict) as refused:
        starts(start="0:3")
    assert "partition 1" in refused.value.text


def test_positions_are_published_for_lag_tools(topic, probe):
    topic.create(1)
    topic.send(numbered(0, 0, 7))
    with probe(topic.name, group="lag-" + topic.name) as source:
        read_all(source, 7)
        source.say("publish")
        consumer = Consumer({"bootstrap.servers": topic.bootstrap, "group.id": "lag-" + topic.name})
        deadline = time.monotonic() + 20
        while consumer.committed([TopicPartition(topic.name, 0)], 10)[0].offset != 7:
            assert time.monotonic() < deadline
            source.say("publish")
            source.say("drain 1 200")
        consumer.close()


# ---- a broker that dies ------------------------------------------------------------------------


# covers: K-01
def test_a_broker_that_is_away_costs_nothing_but_time(own_kafka, scratch):
    topic = Topic(own_kafka.start().bootstrap, f"away-{time.time_ns()}").create(2)
    for partition in range(2):
        topic.send(numbered(partition, 0, 5000))
    with Probe(topic.bootstrap, topic.name, scratch / "probe.log") as source:
        source.say("seek 0 0")
        records = source.read(3000)
        own_kafka.kill9()
        deadline = time.monotonic() + 20
        while source.state()["trouble"] == "":
            assert time.monotonic() < deadline
            records += source.read(10_000, 500)  # what had come already
        own_kafka.start()
        topic.send(numbered(0, 5000, 1))
        records += source.read(10_001 - len(records), 60_000)
        while source.state()["trouble"] != "":
            assert time.monotonic() < deadline + 60
            source.say("drain 1 200")
    for partition in range(2):
        offsets = [record.offset for record in records if record.partition == partition]
        assert offsets == list(range(5001 if partition == 0 else 5000))


# covers: K-06
def test_a_log_that_was_cut_and_has_grown_again_is_noticed(own_kafka, scratch):
    """As after an unclean leader change: the same offsets, other records."""
    topic = Topic(own_kafka.start().bootstrap, f"cut-{time.time_ns()}").create(1)
    for number in range(10):
        topic.send(numbered(0, number, 1))  # a batch each
    with Probe(topic.bootstrap, topic.name, scratch / "probe.log") as source:
        read_all(source, 10)
        own_kafka.kill9()
        source.read(1, 1000)
        cut_log(own_kafka, topic.name)
        own_kafka.start()
        assert topic.ends()[0] < 10
        topic.send(numbered(0, 100, 20))
        assert source.read_until_conflict(60_000).reason == "topic_replaced"


def cut_log(kafka: servers.Kafka, topic: str) -> None:
    """Cuts the last bytes off the partition's log of a broker that was killed."""
    logs = list(kafka.dir.rglob(f"{topic}-0/*.log"))
    assert len(logs) == 1
    with logs[0].open("r+b") as file:
        file.truncate(logs[0].stat().st_size - 150)
