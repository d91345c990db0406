"""rival_script.py: the script that a good engineer writes today for the job of weir's append bench.

Uses     confluent-kafka, orjson, psycopg. Environment: KAFKA, PG_DSN, TOPIC.
usage: rival_script.py [--until-caught-up]
Kept as good as it gets in one process of Python: batch consume, one write into COPY a batch, offsets
by compare-and-set in the same transaction, so that it too is exactly once but for a COMMIT that
outlives its client. fetch.queue.backoff.ms spares it librdkafka's pauses of a second.
"""

from __future__ import annotations

import os
import sys

import orjson
import psycopg
from confluent_kafka import Consumer, TopicPartition

BATCH_ROWS = 10_000
WAIT_S = 0.02

TABLES = """
    CREATE TABLE IF NOT EXISTS orders (id bigint, customer text, amount numeric(12,2),
      quantity integer, created_at timestamptz, note text);
    CREATE TABLE IF NOT EXISTS offsets (part integer PRIMARY KEY, following bigint NOT NULL)"""
ADVANCE = """
    UPDATE offsets o SET following = n.following
    FROM unnest(%b::integer[], %b::bigint[], %b::bigint[]) AS n (part, expected, following)
    WHERE o.part = n.part AND o.following = n.expected"""
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def text(value: str | None) -> str:
    if value is None:
        return "\\N"
    # Nearly no text needs escapes, and asking is cheaper than translating.
    return value if value.isprintable() and "\\" not in value else value.translate(ESCAPES)


def line(value: bytes) -> str:
    row = orjson.loads(value)
    quantity = row["quantity"]
    return "%d\t%s\t%s\t%s\t%s\t%s\n" % (
        row["id"], text(row["customer"]), row["amount"], "\\N" if quantity is None else quantity,
        row["created_at"], text(row["note"]))


def prepare(connection: psycopg.Connection, consumer: Consumer, topic: str) -> dict[int, int]:
    """Makes the tables, and says where to go on."""
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    with connection.transaction():
        connection.execute(TABLES)
        connection.cursor().executemany("INSERT INTO offsets VALUES (%s, 0) ON CONFLICT DO NOTHING",
                                        [(part,) for part in partitions])
        return dict(connection.execute("SELECT part, following FROM offsets").fetchall())


def store(connection: psycopg.Connection, messages: list, following: dict[int, int]) -> None:
    """Rows and offsets in one transaction."""
    reached = dict(following)
    for message in messages:
        reached[message.partition()] = message.offset() + 1
    changed = [part for part in reached if reached[part] != following[part]]
    with connection.transaction():
        cursor = connection.cursor()
        with cursor.copy("COPY orders FROM STDIN") as copy:
            copy.write("".join([line(message.value()) for message in messages]))
        cursor.execute(ADVANCE, (changed, [following[part] for part in changed],
                                 [reached[part] for part in changed]))
        if cursor.rowcount != len(changed):
            sys.exit("another instance has taken over")
    following.update(reached)


def main() -> None:
    topic, until_caught_up = os.environ["TOPIC"], "--until-caught-up" in sys.argv
    consumer = Consumer({"bootstrap.servers": os.environ["KAFKA"], "group.id": "rival",
                         "enable.auto.commit": False, "enable.auto.offset.store": False,
                         "isolation.level": "read_committed", "fetch.queue.backoff.ms": 10,
                         "auto.offset.reset": "error", "fetch.wait.max.ms": 10})
    with psycopg.connect(os.environ["PG_DSN"]) as connection:
        following = prepare(connection, consumer, topic)
        connection.commit()
        consumer.assign([TopicPartition(topic, part, at) for part, at in following.items()])
        ends = {part: consumer.get_watermark_offsets(TopicPartition(topic, part), timeout=10)[1]
                for part in following}
        while not until_caught_up or following != ends:
            messages = consumer.consume(BATCH_ROWS, WAIT_S)
            for message in messages:
                if message.error():
                    sys.exit(str(message.error()))
            if messages:
                store(connection, messages, following)


if __name__ == "__main__":
    main()
