"""pgproxy.py: a proxy before PostgreSQL that knows where messages begin and end.

Uses     the standard library only; PostgreSQL's protocol 3.0, without TLS.
Everything is passed on byte by byte as it is. A test arms faults, each for the next statement that
matches: cut the line before, within, while or after the server works on it, hold the request or
the answer back for as long as the test likes, even beyond the client's death.

Y1  A fault strikes at a message boundary that the test names, never by the clock.
Y2  Held bytes are let go in their order. A line whose client died stays open to the server until
    they are through: that is the command of a dead client which the server still has to do.
Checked by tests/integration/test_support.py.
"""

from __future__ import annotations

import enum
import re
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
READ_BYTES = 1 << 16
# What PgBouncer says when the link to the server breaks in a transaction.
POOLER_SAYS = {"S": "FATAL", "V": "FATAL", "C": "08P01", "M": "server conn crashed?"}


class Strike(enum.Enum):
    """What happens to the line of a statement that matches."""

    CUT_BEFORE = "the request is thrown away, both sides are cut"
    CUT_WITHIN = "half of the request is passed on, then both sides are cut"
    CUT_WHILE = "the request is passed on, and both sides are cut at once"
    POOLER_LOST = "as CUT_WHILE, and the client is told as a pooler tells it"
    CUT_AFTER = "the server answers; the answer is thrown away and the client cut"
    HOLD_REQUEST = "the request and all behind it wait for release()"
    HOLD_ANSWER = "the server's answer and all behind it wait for release()"


def is_commit(text: str) -> bool:
    """A COMMIT, alone or behind other statements of one message; not READ COMMITTED."""
    return re.search(r"(^|;)\s*COMMIT\b", text, re.IGNORECASE) is not None


def mentions(word: str) -> Callable[[str], bool]:
    return lambda text: word in text


def error_response(fields: dict[str, str]) -> bytes:
    body = b"".join(f"{kind}{text}\0".encode() for kind, text in fields.items()) + b"\0"
    return b"E" + struct.pack(">i", 4 + len(body)) + body


@dataclass
class Fault:
    strike: Strike
    matches: Callable[[str], bool]
    skip: int = 0  # so many matches pass unharmed first
    struck: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def wait_struck(self, timeout_s: float = 30.0) -> None:
        assert self.struck.wait(timeout_s), f"no statement came to be struck: {self.strike.value}"

    def release(self) -> None:
        self.released.set()


class Line:
    """One connection of a client through the proxy."""

    def __init__(self, proxy: "PgProxy", client: socket.socket):
        self.proxy, self.client = proxy, client
        self.server = socket.create_connection(("127.0.0.1", proxy.server_port))
        for end in (self.client, self.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client_gone = threading.Event()
        self.swallow = False             # answers are no longer passed on
        self.held_answer: Fault | None = None
        self.cut_at_answer: Fault | None = None
        self.statements: dict[bytes, str] = {}
        self.portals: dict[bytes, str] = {}
        self.single_byte_answers = 0     # the server's one-byte answers to SSLRequest still to come
        for pump in (self.pump_requests, self.pump_answers):
            threading.Thread(target=pump, daemon=True).start()

    # -- from the client to the server

    def pump_requests(self) -> None:
        pending, started = b"", False
        with suppress(OSError):
            while block := self.client.recv(READ_BYTES):
                pending += block
                if not started:
                    pending, started = self.pass_startup(pending)
                if started:
                    pending = self.pass_requests(pending)
        self.client_gone.set()
        with suppress(OSError):
            self.server.shutdown(socket.SHUT_WR)

    def pass_startup(self, pending: bytes) -> tuple[bytes, bool]:
        """Messages before the first typed one have a length and no type."""
        while len(pending) >= 8:
            size, code = struct.unpack(">ii", pending[:8])
            if len(pending) < size:
                break
            message, pending = pending[:size], pending[size:]
            if code in (SSL_REQUEST, GSS_REQUEST):
                self.single_byte_answers += 1
            self.server.sendall(message)
            if code not in (SSL_REQUEST, GSS_REQUEST):
                return pending, True
        return pending, False

    def pass_requests(self, pending: bytes) -> bytes:
        at, safe = 0, 0  # [safe, at) are whole messages that are not yet passed on
        while len(pending) - at >= 5:
            size = 1 + struct.unpack_from(">i", pending, at + 1)[0]
            if len(pending) - at < size:
                break
            message = pending[at:at + size]
            text = self.statement_of(message)
            fault = self.proxy.take_fault(text) if text is not None else None
            if fault is not None:
                self.server.sendall(pending[safe:at])
                safe = at
                if not self.strike(fault, message):
                    safe = at + size
            at += size
        self.server.sendall(pending[safe:at])
        return pending[at:]

    def statement_of(self, message: bytes) -> str | None:
        """The SQL that this message makes the server run; None when it runs none."""
        kind, body = message[:1], message[5:]
        if kind == b"Q":
            return body[:-1].decode(errors="replace")
        if kind == b"P":
            name, sql = body.split(b"\0", 2)[:2]
            self.statements[name] = sql.decode(errors="replace")
        elif kind == b"B":
            portal, name = body.split(b"\0", 2)[:2]
            self.portals[portal] = self.statements.get(name, "")
        elif kind == b"E":
            return self.portals.get(body.split(b"\0", 1)[0], "")
        return None

    def strike(self, fault: Fault, message: bytes) -> bool:
        """True when the message is still to be passed on."""
        if fault.strike is Strike.HOLD_REQUEST:
            fault.struck.set()
            fault.released.wait()
            return True
        if fault.strike is Strike.HOLD_ANSWER:
            self.held_answer = fault
            return True
        if fault.strike is Strike.CUT_AFTER:
            self.cut_at_answer = fault
            return True
        if fault.strike is Strike.CUT_WITHIN:
            self.server.sendall(message[:len(message) // 2])
        elif fault.strike in (Strike.CUT_WHILE, Strike.POOLER_LOST):
            self.swallow = True
            self.server.sendall(message)
        if fault.strike is Strike.POOLER_LOST:
            self.client.sendall(error_response(POOLER_SAYS))
        self.cut()
        fault.struck.set()
        raise ConnectionAbortedError

    # -- from the server to the client

    def pump_answers(self) -> None:
        pending = b""
        with suppress(OSError):
            while block := self.server.recv(READ_BYTES):
                pending = self.pass_answers(pending + block)
        self.cut_client()
        self.server.close()
        self.proxy.forget(self)

    def pass_answers(self, pending: bytes) -> bytes:
        out = b""
        while pending:
            if self.single_byte_answers:
                self.single_byte_answers -= 1
                out, pending = out + pending[:1], pending[1:]
                continue
            if len(pending) < 5:
                break
            size = 1 + struct.unpack_from(">i", pending, 1)[0]
            if len(pending) < size:
                break
            message, pending = pending[:size], pending[size:]
            if message[:1] in (b"C", b"E"):  # CommandComplete, ErrorResponse
                out = self.at_answer(out, message)
            else:
                out += message
        self.to_client(out)
        return pending

    def at_answer(self, out: bytes, message: bytes) -> bytes:
        """An answer that ends a statement: the one a fault waits for, or any other."""
        fault = self.held_answer or self.cut_at_answer
        if fault is None or not (message.startswith(b"E") or message[5:-1] in (b"COMMIT",
                                                                               b"ROLLBACK")):
            return out + message
        self.to_client(out)
        if fault is self.cut_at_answer:
            self.cut()
        fault.struck.set()
        if fault is self.held_answer:
            fault.released.wait()
            self.held_answer = None
        return message

    def to_client(self, block: bytes) -> None:
        if block and not self.swallow:
            with suppress(OSError):
                self.client.sendall(block)

    # -- ends

    def cut(self) -> None:
        """Ends both sides. The server is told in an orderly way, behind all that it was sent: an
        abrupt one could take back bytes that it has not read yet."""
        self.swallow = True
        with suppress(OSError):
            self.server.shutdown(socket.SHUT_WR)
        self.cut_client()

    def cut_client(self) -> None:
        with suppress(OSError):
            self.client.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self.client.close()


class PgProxy:
    """Listens on a port of its own for the server on another one of 127.0.0.1."""

    def __init__(self, server_port: int):
        self.server_port = server_port
        self.lock = threading.Lock()
        self.faults: list[Fault] = []
        self.lines: set[Line] = set()
        self.refusing = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.refusing:
                    client.close()
                    continue
                try:
                    line = Line(self, client)
                except OSError:  # the server is down: so are we
                    client.close()
                    continue
                with self.lock:
                    self.lines.add(line)

    def arm(self, strike: Strike, matches: Callable[[str], bool] = is_commit, skip: int = 0) -> Fault:
        fault = Fault(strike, matches, skip)
        with self.lock:
            self.faults.append(fault)
        return fault

    def take_fault(self, text: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if not fault.matches(text):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                self.faults.remove(fault)
                return fault
        return None

    def forget(self, line: Line) -> None:
        with self.lock:
            self.lines.discard(line)

    def cut_all(self) -> None:
        with self.lock:
            lines = list(self.lines)
        for line in lines:
            line.cut()

    def refuse(self) -> None:
        """From now on nobody gets through, and those who are connected are cut."""
        self.refusing = True
        self.cut_all()

    def admit(self) -> None:
        self.refusing = False

    def close(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut_all()
        with self.lock:
            for fault in self.faults:
                fault.release()
