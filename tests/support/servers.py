"""servers.py: private Kafka and PostgreSQL servers for tests, benches, the demo and ./dev.

Uses     the standard library only, so that `./dev kafka up` works without the venv; the jars and
         packages of `./dev setup`.
As a library: `Kafka(dir)` and `Postgres(dir)` each run one server whose data, configuration, log
         and identity (server.json) lie in dir, which should be somewhere under build/.
As a program: `servers.py kafka|pg VERB` drives the shared pair of build/kafka and build/pg, whose
         addresses build/run/kafka.env and build/run/pg.env tell.

V1  Servers listen on 127.0.0.1 only, on a port found free at the first start and kept afterwards.
V2  Only a process that was started from here gets a signal: process id and start time must match.
V3  start() returns when the server answers its own protocol, or raises with the end of its log.
V4  What a server acknowledges it keeps through kill9(): PostgreSQL runs with fsync and all else on.
Checked by tests/integration/test_servers.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import glob
import hashlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
RUN_DIR = BUILD / "run"
KAFKA_VERSION = "4.1.1"
KAFKA_LIBS = BUILD / "cache" / f"kafka-{KAFKA_VERSION}" / "libs"
POSTGRES_BIN = Path("/usr/lib/postgresql/15/bin")

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0
POLL_S = 0.05
LOG_TAIL_LINES = 25
UNIX_SOCKET_PATH_BYTES_MAX = 107
FOREIGN_DIR_PREFIX = "/var/tmp/weir-"


class ServerError(Exception):
    """A server did not do what it was asked; the text says why and shows the end of its log."""


# ---- processes --------------------------------------------------------------------------------


def process_start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None when there is no such process.

    A pid alone may by now be somebody else's; the pair (pid, start) never is. A zombie is dead.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return None if fields[0] in "ZX" else int(fields[19])


def signal_process(pid: int, start_ticks: int, number: int) -> bool:
    """Sends the signal if the pid is still that process; says whether it did.

    The pidfd is taken first: once it is open, the pid cannot pass to another process unseen.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if process_start_ticks(pid) != start_ticks:
            return False
        signal.pidfd_send_signal(pidfd, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)


def children_of(pid: int) -> list[tuple[int, int]]:
    """(pid, start) of every child of the process."""
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            found.append((int(entry.name), int(fields[19])))
    return found


def free_port() -> int:
    """A port on which nobody listens, below the range that the kernel gives to outgoing links.

    From inside that range a client that keeps knocking at a stopped server can be given the
    server's own port as its source and then connects to itself, and the server cannot come back.
    """
    low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ceiling = low if low > 12000 else 65536
    for _ in range(200):
        port = random.randrange(10000, ceiling)
        if port_is_free(port):
            return port
    raise ServerError("found no free port on 127.0.0.1")


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# ---- what both servers share -------------------------------------------------------------------


class Server:
    """One server process and the directory that holds all of it.

    detached=False ties the server to the calling process: it dies with it, so that an interrupted
    test leaves nothing behind. ./dev starts its pair detached.
    """

    name = "server"
    stop_signal = signal.SIGTERM
    orphan_signal = signal.SIGKILL

    def __init__(self, directory: Path | str, detached: bool = False):
        self.dir = Path(directory).absolute()
        self.detached = detached
        self.state_path = self.dir / "server.json"
        self.log_path = self.dir / "server.log"
        self._child: subprocess.Popen | None = None
        self._state = self._read_state()

    # -- identity

    def _read_state(self) -> dict:
        try:
            return json.loads(self.state_path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}

    def _write_state(self, **changes) -> None:
        self._state.update(changes)
        scratch = self.state_path.with_suffix(".new")
        scratch.write_text(json.dumps(self._state, indent=1) + "\n")
        scratch.rename(self.state_path)

    @property
    def port(self) -> int:
        return self._state["port"]

    @property
    def pid(self) -> int | None:
        """The process id while the server runs, else None."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        pid, start = self._state.get("pid"), self._state.get("start_ticks")
        if pid is None or process_start_ticks(pid) != start:
            return None
        return pid

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    # -- life

    def start(self, timeout_s: float = READY_TIMEOUT_S) -> "Server":
        """Starts the server, making its data first if there is none, and waits until it answers."""
        if self.is_running:
            return self
        self._prepare_dir()
        for key in self._port_names():
            if not self._usable_port(self._state.get(key)):
                self._write_state(**{key: free_port()})
        if not self._state.get("formatted"):
            self._format()
            self._write_state(formatted=True)
        self._configure()
        self._spawn()
        self._wait_ready(timeout_s)
        if not self._state.get("populated"):
            self._populate()
            self._write_state(populated=True)
        return self

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stops the server in its orderly way; a stopped one is left alone."""
        if not self._signal(self.stop_signal):
            return
        if not self._wait_gone(timeout_s):
            self.kill9()
            raise ServerError(f"{self.name} did not stop within {timeout_s:.0f} s and was killed"
                              + self._log_tail())

    def kill9(self) -> None:
        """Kills the server at once, its children too, and waits until they are gone."""
        pid = self.pid
        if pid is None:
            return
        children = children_of(pid)
        self._signal(signal.SIGKILL)
        for child, start in children:
            signal_process(child, start, signal.SIGKILL)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while any(process_start_ticks(child) == start for child, start in children):
            if time.monotonic() > deadline:
                raise ServerError(f"a child of {self.name} (pid {pid}) survived SIGKILL")
            time.sleep(POLL_S)
        if not self._wait_gone(STOP_TIMEOUT_S):
            raise ServerError(f"{self.name} (pid {pid}) survived SIGKILL")

    def restart(self) -> "Server":
        self.stop()
        return self.start()

    def pause(self) -> None:
        """SIGSTOP: the server hangs, its connections stay open. resume() ends it."""
        for pid, start in [(self.pid, self._state["start_ticks"]), *children_of(self.pid)]:
            signal_process(pid, start, signal.SIGSTOP)

    def resume(self) -> None:
        for pid, start in [*children_of(self.pid), (self.pid, self._state["start_ticks"])]:
            signal_process(pid, start, signal.SIGCONT)

    def destroy(self) -> None:
        """Stops the server and removes its directory."""
        self.kill9()
        if self.dir.exists():
            shutil.rmtree(self.dir)

    def save(self, copy: Path | str) -> None:
        """Copies the data of the stopped server to a directory, replacing what is there."""
        self._copy_data(self.data_dir, Path(copy))

    def restore(self, copy: Path | str) -> None:
        """Puts back, into the stopped server, what save() kept."""
        self._copy_data(Path(copy), self.data_dir)

    @property
    def data_dir(self) -> Path:
        return self.dir / "data"

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    # -- what each kind fills in

    def _port_names(self) -> tuple[str, ...]:
        return ("port",)

    def _user(self) -> pwd.struct_passwd | None:
        """The user to run as; None for the caller's own."""
        return None

    def _format(self) -> None:
        raise NotImplementedError

    def _configure(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    def _populate(self) -> None:
        """Runs once, after the first start."""

    # -- the work

    def _usable_port(self, port: int | None) -> bool:
        """A known port stays, so that clients find the restarted server; the kernel may take a
        moment to free it. It is given up only when somebody else listens there."""
        if port is None:
            return False
        deadline = time.monotonic() + 5.0
        while not port_is_free(port):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _prepare_dir(self) -> None:
        self.dir.mkdir(parents=True, exist_ok=True)

    def _as_user(self) -> dict:
        user = self._user()
        if user is None:
            return {}
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def _run(self, argv: list[str]) -> None:
        """Runs one short command as the server's user; its words appear only when it fails."""
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=self.dir,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              **self._as_user())
        if done.returncode != 0:
            raise ServerError(f"{argv[0]} failed with {done.returncode}:\n{done.stdout}")

    def _spawn(self) -> None:
        parent = os.getpid()

        def die_with_parent() -> None:
            PR_SET_PDEATHSIG = 1
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(self.orphan_signal))
            if os.getppid() != parent:
                os._exit(1)

        with open(self.log_path, "ab") as log:
            self._child = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
                start_new_session=True, preexec_fn=None if self.detached else die_with_parent,
                **self._as_user())
        self._write_state(pid=self._child.pid, start_ticks=process_start_ticks(self._child.pid))

    def _wait_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if not self.is_running:
                raise ServerError(f"{self.name} ended while starting" + self._log_tail())
            if time.monotonic() > deadline:
                self.kill9()
                raise ServerError(f"{self.name} did not answer within {timeout_s:.0f} s"
                                  + self._log_tail())
            time.sleep(POLL_S)

    def _wait_gone(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.is_running:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _signal(self, number: int) -> bool:
        pid = self.pid
        return pid is not None and signal_process(pid, self._state["start_ticks"], number)

    def _log_tail(self) -> str:
        try:
            lines = self.log_path.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        tail = "\n".join("  | " + line for line in lines[-LOG_TAIL_LINES:])
        return f"; the end of {self.log_path}:\n{tail}"

    def _copy_data(self, source: Path, target: Path) -> None:
        if self.is_running:
            raise ServerError(f"{self.name} must be stopped while its files are copied")
        if target.exists():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


# ---- Kafka -------------------------------------------------------------------------------------


class Kafka(Server):
    """One Kafka broker, its own controller (KRaft). `settings` are added to server.properties.

    A broker that lives for minutes at most is served best by Java's quick compiler alone; with
    `all_compilers` it gets the usual two.
    """

    name = "Kafka"

    def __init__(self, directory: Path | str, settings: dict[str, object] | None = None,
                 detached: bool = False, all_compilers: bool = False):
        super().__init__(directory, detached)
        self.settings = settings or {}
        self.compilers = [] if all_compilers else ["-XX:TieredStopAtLevel=1"]
        self.properties_path = self.dir / "server.properties"

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        return {"KAFKA": self.bootstrap}

    def _port_names(self) -> tuple[str, ...]:
        return ("port", "controller_port")

    def _configure(self) -> None:
        controller = f"127.0.0.1:{self._state['controller_port']}"
        properties = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.data_dir,
            "auto.create.topics.enable": "false",
            "delete.topic.enable": "true",
            "num.partitions": 1,
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "log.retention.ms": -1,
            "message.max.bytes": 16 << 20,
            "log.cleaner.dedupe.buffer.size": 16 << 20,
            # A killed broker is let in again when its old session has run out: 9 s by default.
            "broker.heartbeat.interval.ms": 500,
            "broker.session.timeout.ms": 2000,
            **self.settings,
        }
        self.properties_path.write_text("".join(f"{k}={v}\n" for k, v in properties.items()))

    def _format(self) -> None:
        self._configure()
        cluster_id = hashlib.sha256(str(self.dir).encode()).hexdigest()[:22]
        self._run([*self.java("64m"), "kafka.tools.StorageTool", "format", "-t", cluster_id,
                   "-c", str(self.properties_path)])

    def _command(self) -> list[str]:
        return [*self.java("512m"), "kafka.Kafka", str(self.properties_path)]

    def java(self, heap: str) -> list[str]:
        """The command that runs a class of Kafka's, without the class."""
        if not any(KAFKA_LIBS.glob("kafka_2.13-*.jar")):
            raise ServerError(f"no Kafka in {KAFKA_LIBS}: run ./dev setup")
        return [java_path(), f"-Xmx{heap}", "-XX:+UseSerialGC", *self.compilers,
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-Dorg.slf4j.simpleLogger.showDateTime=true", "-cp", f"{KAFKA_LIBS}/*"]

    def _answers(self) -> bool:
        try:
            return kafka_broker_count(self.port) > 0
        except OSError:
            return False


def java_path() -> str:
    """Debian's Java 17 before any other that PATH may have first."""
    found = sorted(glob.glob("/usr/lib/jvm/java-17-openjdk-*/bin/java"))
    path = found[0] if found else shutil.which("java")
    if path is None:
        raise ServerError("no Java: run ./dev setup")
    return path


def kafka_broker_count(port: int) -> int:
    """Asks for the live brokers (Metadata, version 4, no topics); OSError while nobody answers.

    A broker that has not been let in by its controller yet answers too, but does not list itself.
    """
    api_metadata, version, client = 3, 4, b"weir-dev"
    body = struct.pack(">hhih", api_metadata, version, 1, len(client)) + client
    body += struct.pack(">ib", 0, 0)  # no topics; create none
    with socket.create_connection(("127.0.0.1", port), timeout=2.0) as link:
        link.sendall(struct.pack(">i", len(body)) + body)
        with link.makefile("rb") as stream:
            head = stream.read(16)  # size, correlation id, throttle time, count of brokers
    if len(head) < 16:
        raise ConnectionError("the broker hung up")
    return struct.unpack(">iiii", head)[3]


# ---- PostgreSQL --------------------------------------------------------------------------------


class Postgres(Server):
    """One PostgreSQL 15 cluster with a database `weir`. `settings` are added to postgresql.conf.

    PostgreSQL refuses to run as root; then it runs as the user `postgres` of Debian's package.
    """

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # fast: sessions are ended, the cluster is left clean
    orphan_signal = signal.SIGINT
    superuser = "postgres"
    database = "weir"

    def __init__(self, directory: Path | str, settings: dict[str, object] | None = None,
                 detached: bool = False):
        directory = reachable_postgres_dir(Path(directory).absolute())
        super().__init__(directory, detached)
        self.settings = settings or {}

    @property
    def dsn(self) -> str:
        return self.dsn_of(self.database)

    def dsn_of(self, database: str, user: str = superuser) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def environment(self) -> dict[str, str]:
        return {"PG_DSN": self.dsn, "PG_PORT": str(self.port)}

    def psql(self, sql: str, database: str | None = None) -> str:
        """Runs SQL by psql and returns its rows, unaligned; raises ServerError when it fails."""
        done = subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.dsn_of(database or self.database),
             "-c", sql], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise ServerError(f"psql: {done.stderr.strip()}")
        return done.stdout

    def _user(self) -> pwd.struct_passwd | None:
        return postgres_user()

    def destroy(self) -> None:
        super().destroy()
        if str(self.dir.parent).startswith(FOREIGN_DIR_PREFIX):
            with contextlib.suppress(OSError):  # gone already, or another server's too
                self.dir.parent.rmdir()

    def _prepare_dir(self) -> None:
        if not (POSTGRES_BIN / "postgres").exists():
            raise ServerError(f"no PostgreSQL in {POSTGRES_BIN}: run ./dev setup")
        if str(self.dir.parent).startswith(FOREIGN_DIR_PREFIX):
            self.dir.parent.mkdir(mode=0o711, exist_ok=True)
            if self.dir.parent.stat().st_uid != os.geteuid():  # /var/tmp is everybody's
                raise ServerError(f"{self.dir.parent} belongs to somebody else")
        super()._prepare_dir()
        user = self._user()
        if user is not None:
            os.chown(self.dir, user.pw_uid, user.pw_gid)

    def _format(self) -> None:
        if self.data_dir.exists():
            shutil.rmtree(self.data_dir)  # a first initdb that was cut short
        self._run([str(POSTGRES_BIN / "initdb"), "-D", str(self.data_dir), "-U", self.superuser,
                   "--encoding=UTF8", "--locale=C.UTF-8", "--auth=trust", "--no-sync",
                   "--no-instructions"])

    def _configure(self) -> None:
        settings = {
            "listen_addresses": "'127.0.0.1'",
            "port": self.port,
            "unix_socket_directories": f"'{self._socket_dir()}'",
            "max_connections": 50,
            "shared_buffers": "'256MB'",
            "max_wal_size": "'4GB'",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "timezone": "'UTC'",
            "log_timezone": "'UTC'",
            "log_line_prefix": "'%m [%p] %q%u@%d %a '",
            **self.settings,
        }
        conf = self.data_dir / "postgresql.conf"
        text = "".join(f"{name} = {value}\n" for name, value in settings.items())
        conf.write_text("# Written by tests/support/servers.py at every start.\n" + text)

    def _socket_dir(self) -> str:
        """Empty when the path is longer than a socket's name may be: then there is TCP only."""
        longest = f"{self.dir}/.s.PGSQL.65535.lock"
        return "" if len(longest.encode()) > UNIX_SOCKET_PATH_BYTES_MAX else str(self.dir)

    def _command(self) -> list[str]:
        return [str(POSTGRES_BIN / "postgres"), "-D", str(self.data_dir)]

    def _answers(self) -> bool:
        done = subprocess.run([POSTGRES_BIN / "pg_isready", "-q", "-h", "127.0.0.1", "-t", "2",
                               "-p", str(self.port), "-U", self.superuser, "-d", "postgres"])
        return done.returncode == 0

    def _populate(self) -> None:
        known = self.psql("SELECT datname FROM pg_database", "postgres").split()
        if self.database not in known:
            self.psql(f"CREATE DATABASE {self.database}", "postgres")


def postgres_user() -> pwd.struct_passwd | None:
    """The user that runs PostgreSQL when we are root, who may not; None when we are not root, or
    when the package that brings the user is not installed."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def reachable_postgres_dir(directory: Path) -> Path:
    """The directory itself, or, where the server's user cannot get at it (root's clone in a home of
    mode 0700), one of its own under /var/tmp that is named after it."""
    user = postgres_user()
    if user is None:
        return directory
    nearest = next(path for path in [directory, *directory.parents] if path.exists())
    if nearest == directory and directory.stat().st_uid == user.pw_uid:
        nearest = directory.parent
    can_pass = subprocess.run(["test", "-x", nearest], user=user.pw_uid, group=user.pw_gid,
                              extra_groups=[], cwd="/").returncode == 0
    if can_pass:
        return directory
    digest = hashlib.sha256(str(directory).encode()).hexdigest()[:12]
    return Path(f"{FOREIGN_DIR_PREFIX}{digest}") / directory.name


# ---- the shared pair of ./dev ------------------------------------------------------------------


def shared_kafka() -> Kafka:
    return Kafka(BUILD / "kafka", detached=True)


def shared_postgres() -> Postgres:
    return Postgres(BUILD / "pg", detached=True)


@contextlib.contextmanager
def locked(name: str):
    """Lets one ./dev at a time start or stop the server."""
    RUN_DIR.mkdir(parents=True, exist_ok=True)
    with open(RUN_DIR / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_env(name: str, server: Kafka | Postgres) -> None:
    lines = [f"# {server.name} of this clone; read it with: . build/run/{name}.env"]
    lines += [f"export {key}='{value}'" for key, value in server.environment().items()]
    path = RUN_DIR / f"{name}.env"
    path.with_suffix(".new").write_text("\n".join(lines) + "\n")
    path.with_suffix(".new").rename(path)


def up(name: str, server: Kafka | Postgres) -> int:
    if not server.is_running:
        if not server.dir.is_relative_to(BUILD):
            print(f"{server.name}'s user cannot get at {BUILD}: its data go to {server.dir}")
        begin = time.monotonic()
        server.start()
        print(f"{server.name} is up after {time.monotonic() - begin:.1f} s")
    write_env(name, server)
    return status(name, server)


def down(name: str, server: Kafka | Postgres) -> int:
    was_running = server.is_running
    server.stop()
    (RUN_DIR / f"{name}.env").unlink(missing_ok=True)
    print(f"{server.name} is stopped" if was_running else f"{server.name} was not running")
    return 0


def reset(name: str, server: Kafka | Postgres) -> int:
    server.destroy()
    return up(name, type(server)(server.dir, detached=True))


def remove(name: str, server: Kafka | Postgres) -> int:
    """For `./dev clean`: stopped in order, so that a busy server is not torn out of its files."""
    down(name, server)
    server.destroy()
    return 0


def status(name: str, server: Kafka | Postgres) -> int:
    if not server.is_running:
        print(f"{server.name} is not running; ./dev {name} up starts it")
        return 1
    for key, value in server.environment().items():
        print(f"{key}={value}")
    print(f"pid {server.pid}, data {server.data_dir}, log {server.log_path}")
    return 0


def main(argv: list[str]) -> int:
    servers = {"kafka": shared_kafka, "pg": shared_postgres}
    verbs = {"up": up, "down": down, "reset": reset, "remove": remove,
             "status": status}
    if len(argv) != 2 or argv[0] not in servers or argv[1] not in verbs:
        print("usage: servers.py kafka|pg up|down|reset|remove|status", file=sys.stderr)
        return 2
    name, verb = argv
    try:
        with locked(name):
            return verbs[verb](name, servers[name]())
    except ServerError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
