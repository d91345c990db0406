"""stage.py: what one test plays on: a topic, a database, and weirs between them.

Uses     servers.py, topics.py, pipelines.py, weir_process.py, pgproxy.py, psycopg.

G1  Tests share servers, never topics or databases.
G2  What a test started is gone when its stage closes: weirs are killed, proxies closed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import psycopg
from psycopg import sql

import checks
import pipelines
from orders import TARGET_NAMES, Orders
from pgproxy import PgProxy
from servers import Kafka, Postgres
from topics import Topic, send_orders
from weir_process import Weir

NUMBERS = itertools.count(1)
SEED = int(os.environ.get("WEIR_TEST_SEED", "20130101"))
LONG = os.environ.get("WEIR_TEST_LONG") == "1"


def database_dsn(port: int, database: str) -> str:
    return f"postgresql://{Postgres.superuser}@127.0.0.1:{port}/{database}"


class Stage:
    """One test's corner of a Kafka and a PostgreSQL that others use too."""

    def __init__(self, kafka: Kafka, postgres: Postgres, directory: Path):
        number = next(NUMBERS)
        self.kafka, self.postgres, self.dir = kafka, postgres, Path(directory)
        self.database, self.topic_name = f"stage{number}", f"topic{number}"
        self.orders = Orders(SEED + number)
        self.sent = range(0)  # numbers of the orders that were sent
        self.has_topic = False
        self.weirs: list[Weir] = []
        self.proxies: list[PgProxy] = []
        self.connections: list[psycopg.Connection] = []
        with psycopg.connect(postgres.dsn, autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self.database)))

    # -- the source

    def make_topic(self, name: str | None = None, partitions: int | None = None,
                   **config: object) -> Topic:
        topic = Topic(self.kafka.bootstrap, name or self.topic_name)
        self.has_topic = self.has_topic or name is None
        return topic.create(partitions or self.orders.partitions, **config)

    def send(self, count: int) -> None:
        """Sends the next orders; makes the topic if it is not there."""
        if not self.has_topic:
            self.make_topic()
        following = range(self.sent.stop, self.sent.stop + count)
        send_orders(Topic(self.kafka.bootstrap, self.topic_name), self.orders, following)
        self.sent = range(following.stop)

    # -- the sink

    @property
    def dsn(self) -> str:
        return database_dsn(self.postgres.port, self.database)

    def connect(self, autocommit: bool = True) -> psycopg.Connection:
        connection = psycopg.connect(self.dsn, autocommit=autocommit)
        self.connections.append(connection)
        return connection

    def proxy(self) -> PgProxy:
        proxy = PgProxy(self.postgres.port)
        self.proxies.append(proxy)
        return proxy

    # -- weir

    def file(self, text: str, name: str = "pipeline.sql") -> Path:
        return pipelines.write(self.dir / name, text)

    def order_file(self, kind: str = "append", **settings: object) -> Path:
        return self.file(pipelines.order_pipeline(self.topic_name, kind, **settings))

    def environment(self, via: PgProxy | None = None) -> dict[str, str]:
        port = self.postgres.port if via is None else via.port
        return {"KAFKA": self.kafka.bootstrap, "PG_DSN": database_dsn(port, self.database)}

    def weir(self, pipeline: Path, data: str = "data", via: PgProxy | None = None) -> Weir:
        """A weir with a data directory of that name; `via` puts a proxy before the database."""
        weir = Weir(pipeline, self.dir / data, self.environment(via))
        self.weirs.append(weir)
        return weir

    # -- the comparison

    def assert_exact(self, kind: str = "append", table: str = "public.orders") -> checks.Verdict:
        """All that was sent is in the table, once."""
        rows = self.orders.lines if kind == "append" else self.orders.last_lines
        return self.assert_rows(rows(self.sent), table)

    def assert_rows(self, expected: Iterable[bytes], table: str = "public.orders",
                    names: str = TARGET_NAMES) -> checks.Verdict:
        with psycopg.connect(self.dsn) as connection:
            return checks.assert_exact(connection, f"SELECT {names} FROM {table}", expected)

    def close(self) -> None:
        for weir in self.weirs:
            weir.close()
        for proxy in self.proxies:
            proxy.close()
        for connection in self.connections:
            connection.close()
