"""live.py: a steady producer and somebody who looks, for benches that run beside a live stream.

Uses     rig.py, multiprocessing: each has a process of its own, so that none waits for another's
         turn in Python.

B4  The producer is an open loop, idempotent like any whose rows must be there once: message n is due at begin + n / rate and carries that time, however
    late it is really sent. A stall then counts for every message that it held up.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from contextlib import contextmanager
from datetime import datetime, timezone
from multiprocessing.synchronize import Event

import psycopg
from confluent_kafka import Consumer, Producer, TopicPartition

from rig import Rig, Topic

LOOK_PAUSE_S = 0.0005
PARTITIONS = 4

# Who looks must not scan the table for it: weir pays for the index like any user, and the looker, whose
# planner knows nothing of a table that was never analysed, is told to use it.
BY_INDEX = "-c enable_seqscan=off -c enable_bitmapscan=off"
TABLE = """CREATE TABLE orders (id bigint, customer text, amount numeric(12,2), quantity integer,
    created_at timestamptz, note text); CREATE INDEX ON orders (id)"""


def produce(bootstrap: str, topic: str, rate: int, stop: Event) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0,
                         "enable.idempotence": True})
    begin, number = time.time() + 0.1, 0
    while not stop.is_set():
        due = begin + number / rate
        if (wait := due - time.time()) > 0:
            time.sleep(wait)
        at = datetime.fromtimestamp(due, timezone.utc)
        value = (f'{{"id":{number},"customer":"customer-{number % 1000:06d}","amount":12.34,'
                 f'"quantity":7,"created_at":"{at:%Y-%m-%dT%H:%M:%S.%f}Z","note":"steady"}}')
        producer.produce(topic, value.encode(), partition=number % PARTITIONS)
        producer.poll(0)
        number += 1
    producer.flush()


@contextmanager
def stream(rig: Rig, rate: int):
    """A new topic with a producer that fills it; yields the topic's name."""
    topic = Topic(rig.kafka.bootstrap, f"live-{time.time_ns()}").create(PARTITIONS)
    stop = multiprocessing.Event()
    producer = multiprocessing.Process(target=produce, daemon=True,
                                       args=(rig.kafka.bootstrap, topic.name, rate, stop))
    producer.start()
    try:
        yield topic.name
    finally:
        stop.set()
        producer.join(30)
        topic.delete()


def fresh_table(rig: Rig) -> str:
    dsn = rig.fresh_database()
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(TABLE)
    return dsn


def listen(bootstrap: str, topic: str, warm_up_s: float, seconds: float) -> list[float]:
    """The bare limit. Latencies in ms: from when a message was due to when a plain consumer has it."""
    found: list[float] = []
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bare", "fetch.wait.max.ms": 20,
                         "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    begin = time.time()
    while (now := time.time()) < begin + warm_up_s + seconds:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None and now > begin + warm_up_s:
            at = datetime.fromisoformat(json.loads(message.value())["created_at"])
            found.append((time.time() - at.timestamp()) * 1000)
    consumer.close()
    return found


def look(dsn: str, warm_up_s: float, seconds: float) -> list[float]:
    """Latencies in ms: from when a message was due to when a second connection has seen its row."""
    found: list[float] = []
    floor, above = -1, set()  # all ids up to floor were seen, and those above it that are in the set
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=0, options=BY_INDEX) as connection:
        begin = time.time()
        while (now := time.time()) < begin + warm_up_s + seconds:
            rows = connection.execute(
                "SELECT id, extract(epoch FROM created_at)::float8 FROM orders WHERE id > %s",
                (floor,)).fetchall()
            seen = time.time()
            fresh = [row for row in rows if row[0] not in above]
            if now > begin + warm_up_s:
                found += [(seen - due) * 1000 for _, due in fresh]
            above.update(row[0] for row in fresh)
            while floor + 1 in above:
                floor += 1
                above.remove(floor)
            time.sleep(LOOK_PAUSE_S)
    return found
