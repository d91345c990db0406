#!/usr/bin/env python3
"""naive_copy.py: copies a topic into a table as many scripts do: rows first, offsets after them.

Uses     confluent-kafka, psycopg, and the environment that `weir prove --external` gives.

Wrong on purpose. The rows are in before the offsets are, in two places that know nothing of each
other: a kill in between, and the next life writes the same rows again. `weir prove` must convict it.
"""

from __future__ import annotations

import json
import os

import psycopg
from confluent_kafka import Consumer, TopicPartition

BATCH_ROWS = 100
BATCHES_PER_OFFSET = 5  # a client that commits offsets by itself does it every few seconds


def main() -> None:
    topic, table = os.environ["WEIR_PROVE_TOPIC"], os.environ["WEIR_PROVE_TABLE"]
    consumer = Consumer({"bootstrap.servers": os.environ["WEIR_PROVE_BROKERS"],
                         "group.id": os.environ["WEIR_PROVE_GROUP"],
                         "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    # Assigned by hand: a group would make each new life wait until the dead one is given up.
    consumer.assign(consumer.committed([TopicPartition(topic, p) for p in partitions], timeout=10))
    with psycopg.connect(os.environ["WEIR_PROVE_DSN"]) as connection, connection.cursor() as cursor:
        batches = 0
        while True:
            messages = [m for m in consumer.consume(BATCH_ROWS, timeout=0.2) if not m.error()]
            if not messages:
                continue
            rows = [json.loads(message.value()) for message in messages]
            cursor.executemany(f"INSERT INTO {table} (id, body) VALUES (%s, %s)",
                               [(row["id"], row["body"]) for row in rows])
            connection.commit()
            batches += 1
            if batches % BATCHES_PER_OFFSET == 0:
                consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main()
