"""test_network.py: what networks do, between weir and its servers: every kind of fault of weir prove's own
proxy, addresses that are of no use, and TLS that must not be trusted.

Uses     `weir prove --faults net`, certificates.py.
The proxy itself is checked by tests/unit/prove/test_proxy.c, the database's connection by
tests/contract/test_postgres_silence.c.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import servers
from certificates import Authority, Certificate
from conftest import HOME, KAFKA_SETTINGS
from stage import SEED, Stage
from topics import Topic
from weir_process import Weir, binary

PROVE_TIMEOUT_S = 280
NAME = "broker.test"  # the name that the brokers' certificates are for; nobody can resolve it
MESSAGES = 20

# ---- faults -------------------------------------------------------------------------------------

EACH_SIDE = ["reset", "close", "black-hole", "no-replies", "no-requests", "delay", "trickle", "refuse",
             "hang", "flap", "hold"]
KINDS = [f"net-{kind}-{side}" for side in ("broker", "database") for kind in EACH_SIDE] + \
    ["net-change-broker"]


def prove(stage: Stage, *arguments: object) -> dict:
    path = stage.dir / "proof.json"
    done = subprocess.run(
        [binary(), "prove", "--brokers", stage.kafka.bootstrap, "--dsn", stage.dsn, "--seed", str(SEED),
         "--dir", stage.dir, "--no-progress", "--json", path, *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PROVE_TIMEOUT_S, check=False)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    return json.loads(path.read_text())


# covers: N-01, N-02, N-03, N-04, N-05, N-06, N-07, N-08, N-09, N-10, N-11
# covers: K-01, K-23, G-02, G-04, G-06
def test_every_fault_of_the_network_is_survived(stage: Stage):
    found = prove(stage, "--faults", "net", "--kills", 1)
    assert found["held"] and found["sent"] == found["rows"] > 0
    assert found["missing"]["count"] == found["doubled"]["count"] == found["altered"]["count"] == 0
    assert set(KINDS) == found["faults"].keys() - {"all", "kill"}  # before the last run it is killed
    assert all(row["tried"] == row["survived"] == 1 for row in found["faults"].values()
               if row is not found["faults"]["all"])


def test_a_database_on_a_unix_socket_is_hurt_too(stage: Stage):
    directory = stage.postgres._socket_dir()
    if directory == "":
        pytest.skip("this server has no socket: its path would be too long")
    dsn = f"host={directory} port={stage.postgres.port} user=postgres dbname={stage.database}"
    found = prove(stage, "--faults", "net-close-database", "--kills", 1, "--dsn", dsn)
    assert found["faults"]["net-close-database"]["survived"] == 1


# ---- brokers whose addresses are of no use -------------------------------------------------------


class ForwardedKafka(servers.Kafka):
    """A broker that advertises names nobody can resolve, plain and with TLS, on ports of this host."""

    doors = ("plain", "tls", "expired", "strange")

    def __init__(self, directory: Path, certificates: dict[str, Certificate]):
        super().__init__(directory, KAFKA_SETTINGS)
        self.certificates = certificates

    def _port_names(self) -> tuple[str, ...]:
        return (*super()._port_names(), *(f"{door}_port" for door in self.doors))

    def door(self, name: str) -> int:
        return self._state[f"{name}_port"]

    def _configure(self) -> None:
        super()._configure()
        base = self.properties_path.read_text()
        controller = f"CONTROLLER://127.0.0.1:{self._state['controller_port']}"
        own = f"PLAINTEXT://{self.bootstrap}"
        listeners = [f"{door.upper()}://127.0.0.1:{self.door(door)}" for door in self.doors]
        advertised = [f"{door.upper()}://{NAME}:{self.door(door)}" for door in self.doors]
        protocols = [f"{door.upper()}:{'PLAINTEXT' if door == 'plain' else 'SSL'}" for door in self.doors]
        more = {"listeners": ",".join([own, *listeners, controller]),
                "advertised.listeners": ",".join([own, *advertised]),
                "listener.security.protocol.map": ",".join(
                    ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT", *protocols])}
        for door, certificate in self.certificates.items():
            path = self.dir / f"{door}.keystore.pem"
            path.write_text(certificate.both)
            more[f"listener.name.{door}.ssl.keystore.type"] = "PEM"
            more[f"listener.name.{door}.ssl.keystore.location"] = path
        self.properties_path.write_text(base + "".join(f"{k}={v}\n" for k, v in more.items()))


@pytest.fixture(scope="module")
def authorities() -> tuple[Authority, Authority]:
    """One that is trusted, and one that nobody knows."""
    directory = HOME / "certificates"
    shutil.rmtree(directory, ignore_errors=True)
    return Authority(directory / "known"), Authority(directory / "unknown")


@pytest.fixture(scope="module")
def forwarded_kafka(authorities):
    known, unknown = authorities
    certificates = {"tls": known.sign(NAME), "expired": known.sign(NAME, expired=True),
                    "strange": unknown.sign(NAME)}
    directory = HOME / "forwarded-kafka"
    ForwardedKafka(directory, certificates).destroy()
    server = ForwardedKafka(directory, certificates).start()
    yield server
    server.destroy()


@pytest.fixture
def forwarded_stage(forwarded_kafka, postgres, scratch):
    stage = Stage(forwarded_kafka, postgres.start(), scratch)
    topic = stage.make_topic(partitions=2)
    topic.send((number % 2, f'{{"id":{number}}}'.encode()) for number in range(MESSAGES))
    yield stage
    stage.close()


def copier(stage: Stage, source: dict[str, str], dsn: str | None = None, **settings: str) -> Weir:
    """A weir that copies ids; source: the options of its Kafka table."""
    options = {"connector": "kafka", "format": "json", "topic": stage.topic_name, **source}
    listed = ", ".join(f"\"{name}\" = '{value}'" for name, value in options.items())
    changed = "".join(f"SET pipeline.{name} = '{value}';\n" for name, value in settings.items())
    return stage.weir(stage.file(
        f"SET pipeline.name = 'copier';\n{changed}"
        f"CREATE TABLE incoming (id bigint) WITH ({listed});\n"
        "CREATE TABLE copied (id bigint) WITH (connector = 'postgres', create_table = 'true',\n"
        f"  dsn = '{dsn or stage.dsn}');\n"
        "INSERT INTO copied SELECT id FROM incoming;\n"))


def ids(stage: Stage) -> list[int]:
    return [number for number, in stage.connect().execute("SELECT id FROM copied ORDER BY id")]


def forwarded(kafka: ForwardedKafka, door: str, **source: str) -> dict[str, str]:
    port = kafka.door(door)
    return {"brokers": f"{NAME}:{port}", "broker_addresses": f"{NAME}:{port}=127.0.0.1:{port}", **source}


# covers: K-29
def test_brokers_are_reached_where_broker_addresses_says(forwarded_stage: Stage):
    stage, kafka = forwarded_stage, forwarded_stage.kafka
    source = forwarded(kafka, "plain")
    copier(stage, {"brokers": f"127.0.0.1:{kafka.door('plain')}",
                   "broker_addresses": source["broker_addresses"]}).finish()
    assert ids(stage) == list(range(MESSAGES))  # from an address of ours, to the one it advertises


# covers: K-29
def test_an_address_of_no_use_is_told_and_waited_for(forwarded_stage: Stage):
    stage, kafka = forwarded_stage, forwarded_stage.kafka
    weir = copier(stage, {"brokers": f"127.0.0.1:{kafka.door('plain')}"}, retry_limit="3 s")
    weir.start(until_caught_up=True)
    weir.expect(69)
    assert NAME in weir.text()


# ---- TLS to the brokers --------------------------------------------------------------------------


def tls(authority: Authority) -> dict[str, str]:
    return {"kafka.security.protocol": "ssl", "kafka.ssl.ca.location": str(authority.certificate)}


# covers: N-12
def test_a_broker_whose_certificate_is_right_is_read(forwarded_stage: Stage, authorities):
    stage = forwarded_stage
    copier(stage, forwarded(stage.kafka, "tls", **tls(authorities[0]))).finish()
    assert ids(stage) == list(range(MESSAGES))  # the name is the advertised one, which it is not at


# covers: N-12
@pytest.mark.parametrize("door, host", [
    ("expired", NAME),
    ("strange", NAME),
    ("tls", "127.0.0.1"),  # it is not the name in the certificate
], ids=["expired", "unknown issuer", "other name"])
def test_a_broker_whose_certificate_is_wrong_is_refused(forwarded_stage: Stage, authorities, door: str,
                                                        host: str):
    stage = forwarded_stage
    source = forwarded(stage.kafka, door, **tls(authorities[0]))
    source["brokers"] = f"{host}:{stage.kafka.door(door)}"
    weir = copier(stage, source)
    weir.start(until_caught_up=True)
    weir.expect(69, 30)  # at once, without retry_limit: waiting would not mend it
    assert "certificate verify failed" in weir.text(), weir.tail()
    assert nothing_is_copied(stage)


# covers: N-12
def test_a_broker_without_tls_is_not_spoken_to(forwarded_stage: Stage, authorities):
    """It cannot be told from one that breaks off, so it is tried again; never without TLS."""
    stage = forwarded_stage
    weir = copier(stage, forwarded(stage.kafka, "plain", **tls(authorities[0])), retry_limit="2 s")
    weir.start(until_caught_up=True)
    weir.expect(69)
    assert "SSL handshake failed" in weir.text(), weir.tail()
    assert nothing_is_copied(stage)


def nothing_is_copied(stage: Stage) -> bool:
    return stage.connect().execute(
        "SELECT to_regclass('copied') IS NULL OR NOT EXISTS (SELECT FROM pg_stat_user_tables "
        "WHERE relname = 'copied' AND n_tup_ins > 0)").fetchone()[0]


# ---- TLS to the database -------------------------------------------------------------------------


class TlsPostgres(servers.Postgres):
    """A cluster that offers TLS with a certificate that can be changed while it runs."""

    def __init__(self, directory: Path, certificate: Certificate):
        super().__init__(directory, {"ssl": "on", "ssl_cert_file": "'server.pem'",
                                     "ssl_key_file": "'server.key'"})
        self.certificate = certificate

    def _configure(self) -> None:
        super()._configure()
        self.place(self.certificate)

    def place(self, certificate: Certificate) -> None:
        self.certificate = certificate
        for name, source in (("server.pem", certificate.certificate), ("server.key", certificate.key)):
            path = self.data_dir / name
            path.unlink(missing_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(source.read_bytes())
            user = self._user()
            if user is not None:
                shutil.chown(path, user.pw_uid, user.pw_gid)

    def present(self, certificate: Certificate) -> None:
        """New connections see this one."""
        self.place(certificate)
        self.psql("SELECT pg_reload_conf()")
        self.psql("SELECT pg_sleep(0.3)")  # the postmaster reads it a moment later

    def offer(self, offered: bool) -> None:
        self.psql(f"ALTER SYSTEM SET ssl = {'on' if offered else 'off'}")
        self.psql("SELECT pg_reload_conf()")
        self.psql("SELECT pg_sleep(0.3)")


@pytest.fixture(scope="module")
def tls_postgres(authorities):
    certificate = authorities[0].sign("localhost")
    directory = HOME / "tls-pg"
    TlsPostgres(directory, certificate).destroy()
    server = TlsPostgres(directory, certificate).start()
    yield server
    server.destroy()


@pytest.fixture
def tls_stage(kafka, tls_postgres, authorities, scratch):
    tls_postgres.present(authorities[0].sign("localhost"))
    tls_postgres.offer(True)
    stage = Stage(kafka.start(), tls_postgres, scratch)
    topic = stage.make_topic(partitions=1)
    topic.send((0, f'{{"id":{number}}}'.encode()) for number in range(MESSAGES))
    yield stage
    stage.close()


def verified(stage: Stage, authority: Authority, host: str = "localhost") -> str:
    # The password is not asked for here; it has to come through a changed connection string unharmed.
    return f"postgresql://postgres:it%27s%5Ca%20secret@{host}:{stage.postgres.port}/{stage.database}" \
        f"?sslmode=verify-full&sslrootcert={authority.certificate}"


# covers: N-12
def test_a_database_whose_certificate_is_right_is_written_to(tls_stage: Stage, authorities):
    stage = tls_stage
    copier(stage, {"brokers": stage.kafka.bootstrap}, verified(stage, authorities[0])).finish()
    assert ids(stage) == list(range(MESSAGES))


# covers: N-12
@pytest.mark.parametrize("case, words", [
    ("expired", "certificate verify failed"),
    ("unknown issuer", "certificate verify failed"),
    ("other name", "does not match host name"),
    ("no TLS", "server does not support SSL"),
])
def test_a_database_whose_certificate_is_wrong_is_refused(tls_stage: Stage, authorities, case: str,
                                                          words: str):
    stage, (known, unknown) = tls_stage, authorities
    if case == "expired":
        stage.postgres.present(known.sign("localhost", expired=True))
    elif case == "unknown issuer":
        stage.postgres.present(unknown.sign("localhost"))
    elif case == "other name":
        stage.postgres.present(known.sign("elsewhere.test"))
    else:
        stage.postgres.offer(False)
    weir = copier(stage, {"brokers": stage.kafka.bootstrap}, verified(stage, known))
    weir.start(until_caught_up=True)
    weir.expect(69, 30)  # at once, without retry_limit: waiting would not mend it
    assert words in weir.text(), weir.tail()
    stage.postgres.offer(True)
    assert stage.connect().execute("SELECT to_regclass('copied')").fetchone() == (None,)


# covers: N-11, N-12
def test_with_tls_a_changed_byte_is_a_lost_link(tls_stage: Stage, authorities):
    found = prove(tls_stage, "--faults", "net-change-database,net-reset-database", "--kills", 300,
                  "--dsn", verified(tls_stage, authorities[0]))
    assert found["faults"]["net-change-database"]["survived"] == 3
    assert found["altered"]["count"] == found["missing"]["count"] == found["doubled"]["count"] == 0
