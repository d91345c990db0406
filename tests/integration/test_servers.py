"""test_servers.py: the servers that all other integration tests stand on do what they say.

Uses     servers.py. Each test has servers of its own, because it kills them.
Checks V1 to V4 of servers.py.
"""

import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import servers

SCRATCH = servers.BUILD / "test-servers"
SMALL = {"shared_buffers": "'16MB'"}


@pytest.fixture
def postgres():
    server = servers.Postgres(SCRATCH / "pg", SMALL)
    server.destroy()
    yield server.start()
    server.destroy()


@pytest.fixture
def kafka():
    server = servers.Kafka(SCRATCH / "kafka")
    server.destroy()
    yield server.start()
    server.destroy()


def listening_addresses(port: int) -> set[str]:
    """The local addresses, as the kernel prints them, on which somebody listens at the port."""
    listen = "0A"
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, local_port = line.split()[1].split(":")
            if line.split()[3] == listen and int(local_port, 16) == port:
                found.add(address)
    return found


def test_postgres_keeps_what_it_acknowledged_and_its_port(postgres):
    port, pid = postgres.port, postgres.pid
    postgres.psql("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    postgres.kill9()
    assert not postgres.is_running
    postgres.start()
    assert postgres.psql("SELECT count(*), sum(n) FROM kept") == "1000|500500\n"
    assert (postgres.port, postgres.pid != pid) == (port, True)


def test_postgres_runs_with_honest_settings(postgres):
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        assert postgres.psql(f"SHOW {name}") == "on\n"


def test_postgres_goes_back_to_a_saved_copy(postgres):
    postgres.psql("CREATE TABLE t AS SELECT 1 AS n")
    postgres.stop()
    postgres.save(SCRATCH / "saved")
    postgres.start()
    postgres.psql("UPDATE t SET n = 2")
    postgres.stop()
    postgres.restore(SCRATCH / "saved")
    postgres.start()
    assert postgres.psql("SELECT n FROM t") == "1\n"


def test_a_running_server_is_not_copied(postgres):
    with pytest.raises(servers.ServerError, match="must be stopped"):
        postgres.save(SCRATCH / "saved")


def test_a_paused_server_hangs_and_comes_back(postgres):
    postgres.pause()
    try:
        with socket.create_connection(("127.0.0.1", postgres.port), timeout=5) as link:
            link.settimeout(0.5)
            ssl_request = bytes.fromhex("0000000804d2162f")
            link.sendall(ssl_request)
            with pytest.raises(TimeoutError):
                link.recv(1)
    finally:
        postgres.resume()
    assert postgres.psql("SELECT 1") == "1\n"


def test_a_server_that_cannot_start_says_why(postgres):
    postgres.stop()
    postgres.settings = {"shared_buffers": "'nonsense'"}
    with pytest.raises(servers.ServerError, match="ended while starting(.|\n)*nonsense"):
        postgres.start()


def test_only_loopback_is_listened_on(postgres, kafka):
    v4, v6_mapped = "0100007F", "0000000000000000FFFF00000100007F"
    assert listening_addresses(postgres.port) == {v4}
    assert listening_addresses(kafka.port) <= {v4, v6_mapped}
    assert listening_addresses(kafka.port)


def test_kafka_keeps_what_it_acknowledged(kafka):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    admin.create_topics([NewTopic("t", 1, 1)])["t"].result()
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "acks": "all", "log_level": 2})
    acknowledged = []
    for number in range(1000):
        producer.produce("t", b"%d" % number,
                         on_delivery=lambda problem, m: problem or acknowledged.append(m.offset()))
    producer.flush()
    kafka.kill9()
    kafka.start()
    assert len(acknowledged) == 1000
    assert read_all(kafka, "t") == [b"%d" % number for number in range(1000)]


def read_all(kafka, topic: str) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": "reader",
                         "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values = []
    while (message := consumer.poll(30)) is not None and message.error() is None:
        values.append(message.value())
    consumer.close()
    return values


def test_a_recycled_pid_is_left_alone():
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        start = servers.process_start_ticks(bystander.pid)
        assert not servers.signal_process(bystander.pid, start - 1, signal.SIGKILL)
        assert bystander.poll() is None
        assert servers.signal_process(bystander.pid, start, signal.SIGKILL)
    finally:
        bystander.kill()
        bystander.wait()


def test_a_server_dies_with_the_test_that_started_it():
    script = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(servers.__file__).parent)!r})
        import servers
        server = servers.Postgres({str(SCRATCH / "orphan")!r}, {SMALL!r})
        server.destroy()
        print(server.start().pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pid, deadline = int(done.stdout), time.monotonic() + 10
    while servers.process_start_ticks(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert servers.process_start_ticks(pid) is None
    servers.Postgres(SCRATCH / "orphan").destroy()


def test_a_free_port_lies_outside_the_range_of_outgoing_connections():
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not low <= servers.free_port() <= high or low <= 12000
