"""topics.py: topics for tests: made, filled and changed.

Uses     confluent_kafka.

N1  send() returns only when the broker has acknowledged every message; a refused one raises.
N2  Each message goes to the partition that the caller names, in the order of the calls.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

ADMIN_TIMEOUT_S = 30.0
QUEUE_MESSAGES_MAX = 500_000


class Topic:
    """One topic of a broker."""

    def __init__(self, bootstrap: str, name: str):
        self.bootstrap, self.name = bootstrap, name
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def create(self, partitions: int = 4, **config: object) -> "Topic":
        """Makes the topic; config names have "_" for ".". A name just deleted may be busy a while."""
        settings = {name.replace("_", "."): str(value) for name, value in config.items()}
        deadline = time.monotonic() + ADMIN_TIMEOUT_S
        while True:
            try:
                wish = NewTopic(self.name, partitions, 1, config=settings)
                self.admin.create_topics([wish])[self.name].result(ADMIN_TIMEOUT_S)
                return self
            except KafkaException as problem:
                if "EXISTS" not in problem.args[0].name() or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def delete(self) -> None:
        self.admin.delete_topics([self.name])[self.name].result(ADMIN_TIMEOUT_S)

    def add_partitions(self, total: int) -> None:
        self.admin.create_partitions([NewPartitions(self.name, total)])[self.name].result(
            ADMIN_TIMEOUT_S)

    def delete_before(self, ends: dict[int, int]) -> None:
        """Removes the records below an offset, as retention would."""
        wishes = [TopicPartition(self.name, partition, end) for partition, end in ends.items()]
        for future in self.admin.delete_records(wishes).values():
            future.result(ADMIN_TIMEOUT_S)

    def alter(self, **config: object) -> None:
        resource = ConfigResource(ConfigResource.Type.TOPIC, self.name, set_config={
            name.replace("_", "."): str(value) for name, value in config.items()})
        self.admin.alter_configs([resource])[resource].result(ADMIN_TIMEOUT_S)

    def send(self, messages: Iterable[tuple], **config: object) -> int:
        """Sends (partition, value) or (partition, value, key) tuples; returns how many."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "enable.idempotence": True,
                             "linger.ms": 5, "queue.buffering.max.messages": QUEUE_MESSAGES_MAX,
                             "log_level": 0, **config})
        refused = []

        def delivered(problem, _message) -> None:
            if problem is not None:
                refused.append(problem)

        count = 0
        for partition, value, *key in messages:
            while True:
                try:
                    producer.produce(self.name, value, key[0] if key else None, partition,
                                     on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.05)
            count += 1
            if count % 10_000 == 0:
                producer.poll(0)
        producer.flush()
        if refused:
            raise KafkaException(refused[0])
        return count

    def ends(self) -> dict[int, int]:
        """The end offset of each partition."""
        return {partition: high for partition, (_, high) in self.watermarks().items()}

    def watermarks(self) -> dict[int, tuple[int, int]]:
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "weir-test",
                             "log_level": 0})
        try:
            listing = consumer.list_topics(self.name, ADMIN_TIMEOUT_S).topics[self.name]
            return {number: consumer.get_watermark_offsets(
                        TopicPartition(self.name, number), timeout=ADMIN_TIMEOUT_S)
                    for number in sorted(listing.partitions)}
        finally:
            consumer.close()


def send_orders(topic: Topic, orders, numbers: range) -> int:
    """Sends orders to the partitions where they belong."""
    return topic.send((orders.partition(n), orders.message(n)) for n in numbers)
