"""conftest.py: the servers and the stage that integration tests share.

Uses     tests/support/. Servers live under build/test/, which is made anew in every run.

A test that harms no server takes `stage` (one Kafka and one PostgreSQL for the whole run); one that
kills or restores PostgreSQL takes `own_postgres_stage`, one that kills Kafka `own_kafka_stage`.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import servers  # noqa: E402
from stage import LONG, SEED, Stage  # noqa: E402

# Each process of a run (pytest -n) has servers and directories of its own.
HOME = servers.BUILD / "test" / os.environ.get("PYTEST_XDIST_WORKER", "alone")
# The log cleaner looks every 15 s by default; the compaction tests would wait for it.
KAFKA_SETTINGS = {"log.cleaner.backoff.ms": 200, "log.initial.task.delay.ms": 500,
                  "log.retention.check.interval.ms": 1000}
POSTGRES_SETTINGS = {"max_connections": 100, "max_wal_size": "'2GB'"}
# A cluster that is copied file by file keeps little WAL.
COPIED_POSTGRES_SETTINGS = {"shared_buffers": "'64MB'", "min_wal_size": "'32MB'",
                            "max_wal_size": "'128MB'"}


def pytest_report_header() -> str:
    return f"weir: seed {SEED} (WEIR_TEST_SEED), {'long' if LONG else 'short'} campaigns"


def fresh_server(kind: type, name: str, settings: dict) -> servers.Server:
    server = kind(HOME / name, settings)
    server.destroy()
    return kind(HOME / name, settings).start()


@pytest.fixture(scope="session")
def kafka():
    server = fresh_server(servers.Kafka, "kafka", KAFKA_SETTINGS)
    yield server
    server.destroy()


# Its directory stays until the next run: a hundred databases take minutes to remove.
@pytest.fixture(scope="session")
def postgres():
    server = fresh_server(servers.Postgres, "pg", POSTGRES_SETTINGS)
    yield server
    server.kill9()


@pytest.fixture(scope="module")
def own_postgres():
    """A cluster that may be killed, stopped and restored; the next test finds it running again."""
    server = fresh_server(servers.Postgres, "own-pg", COPIED_POSTGRES_SETTINGS)
    yield server
    server.destroy()


@pytest.fixture(scope="module")
def own_kafka():
    server = fresh_server(servers.Kafka, "own-kafka", KAFKA_SETTINGS)
    yield server
    server.destroy()


@pytest.fixture
def count_kills(request: pytest.FixtureRequest):
    """Takes how many kills of a running weir a test has counted, for the line at the end."""
    return lambda kills: request.node.user_properties.append(("kills", kills))


def pytest_terminal_summary(terminalreporter) -> None:
    kills = sum(value for reports in terminalreporter.stats.values() for report in reports
                if getattr(report, "when", None) == "call"
                for name, value in report.user_properties if name == "kills")
    if kills > 0:
        terminalreporter.write_line(f"weir was killed {kills} times by kill -9 while it had work to do")


@pytest.fixture
def scratch(request: pytest.FixtureRequest) -> Path:
    """A directory of the test's own, kept until the next run so that a failure can be looked into."""
    name = request.node.name.translate(str.maketrans("[]/ ", "____"))
    path = HOME / "work" / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def played(kafka: servers.Kafka, postgres: servers.Postgres, scratch: Path):
    stage = Stage(kafka.start(), postgres.start(), scratch)
    yield stage
    stage.close()


@pytest.fixture
def stage(kafka, postgres, scratch):
    yield from played(kafka, postgres, scratch)


@pytest.fixture
def own_postgres_stage(kafka, own_postgres, scratch):
    yield from played(kafka, own_postgres, scratch)


@pytest.fixture
def own_kafka_stage(own_kafka, postgres, scratch):
    yield from played(own_kafka, postgres, scratch)
