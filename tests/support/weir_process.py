"""weir_process.py: one running `weir`, its signals, its end and its log lines.

Uses     the standard library only.

Z1  Signals go to the process that was started here and to no other: it is a child that has not
    been waited for, so its pid cannot be anybody else's.
Z2  A process that a test leaves behind dies with the test (kill9 in close()).
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CANDIDATES = (ROOT / "build" / "weir", ROOT / "build" / "gcc" / "src" / "cli" / "weir")
POLL_S = 0.002
TAIL_LINES = 30


class WeirError(Exception):
    """weir did not do in time what a test waited for; the text shows the end of its log."""


def binary() -> Path:
    """The program under test: WEIR_BIN, or WEIR as ./dev sets it, or the one of build/."""
    for given in (os.environ.get("WEIR_BIN"), os.environ.get("WEIR"), *CANDIDATES):
        if given and Path(given).exists():
            return Path(given)
    raise WeirError("no weir to test: run ./dev build, or set WEIR_BIN")


def wait_until(condition: Callable[[], object], timeout_s: float, what: str,
               every_s: float = POLL_S) -> object:
    """Returns the first true value of the condition."""
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise WeirError(f"waited {timeout_s:.0f} s in vain for {what}")
        time.sleep(every_s)
    return value


def run(*arguments: object, env: dict[str, str] | None = None, timeout_s: float = 30.0,
        cwd: Path | None = None) -> subprocess.CompletedProcess:
    """Runs a verb that ends by itself."""
    return subprocess.run([binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=timeout_s, cwd=cwd,
                          env={**os.environ, **(env or {})})


class Weir:
    """`weir run` with its data directory; may be started, killed and started again."""

    def __init__(self, pipeline: Path, data: Path, env: dict[str, str], log: Path | None = None):
        self.pipeline, self.data, self.env = Path(pipeline), Path(data), env
        self.program: Path | None = None  # another build than that of the other tests
        self.log_path = log or Path(f"{data}.log")
        self.process: subprocess.Popen | None = None
        self.log_begin = 0  # where the lines of the present life begin

    # -- life

    def start(self, *arguments: str, until_caught_up: bool = False) -> "Weir":
        assert not self.is_running, "one life after another"
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        command = [self.program or binary(), "run", self.pipeline, "--data", self.data, *arguments]
        if until_caught_up:
            command.append("--until-caught-up")
        with open(self.log_path, "ab") as log:
            self.log_begin = log.tell()
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.env})
        return self

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        return self.process.pid

    def signal(self, number: int) -> None:
        if self.is_running:
            self.process.send_signal(number)

    def kill9(self) -> bool:
        """Says whether it died of this signal: it may have ended by itself just before."""
        self.signal(signal.SIGKILL)
        return self.process.wait() == -signal.SIGKILL

    def stop(self) -> None:
        """Freezes it, and returns when it is frozen."""
        self.signal(signal.SIGSTOP)
        wait_until(self.is_stopped, 5.0, f"pid {self.pid} to freeze")

    def is_stopped(self) -> bool:
        text = Path(f"/proc/{self.pid}/stat").read_text()
        return text.rpartition(")")[2].split()[0] == "T"

    def cont(self) -> None:
        self.signal(signal.SIGCONT)

    def term(self, timeout_s: float = 20.0) -> int:
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 60.0) -> int:
        """The exit code; negative for a signal."""
        if self.process.poll() is None:  # Popen.wait() would look at it from time to time only
            watch = os.pidfd_open(self.process.pid)
            try:
                select.select([watch], [], [], timeout_s)
            finally:
                os.close(watch)
        if self.process.poll() is None:
            raise WeirError(f"weir is still running after {timeout_s:.0f} s{self.tail()}")
        return self.process.returncode

    def finish(self, timeout_s: float = 60.0, *arguments: str) -> None:
        """Runs until caught up; anything but exit code 0 is a failure."""
        self.start(*arguments, until_caught_up=True)
        self.expect(0, timeout_s)

    def expect(self, code: int, timeout_s: float = 60.0) -> None:
        found = self.wait(timeout_s)
        assert found == code, f"weir ended with {found}, not {code}{self.tail()}"

    def close(self) -> None:
        if self.is_running:
            self.cont()
            self.kill9()

    # -- its words

    def text(self, all_lives: bool = False) -> str:
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as log:
            log.seek(0 if all_lives else self.log_begin)
            return log.read().decode(errors="replace")

    def events(self, name: str | None = None, all_lives: bool = False) -> list[dict]:
        """The log lines of this life, those of one event only when it is named."""
        found = []
        for line in self.text(all_lives).splitlines():
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(event, dict) and (name is None or event.get("event") == name):
                found.append(event)
        return found

    def wait_event(self, name: str, timeout_s: float = 20.0) -> dict:
        def found():
            if events := self.events(name):
                return events
            if not self.is_running:
                raise WeirError(f"weir ended with {self.process.returncode} before {name}{self.tail()}")
            return None
        return wait_until(found, timeout_s, f"event {name}{self.tail()}", 0.01)[0]

    def tail(self) -> str:
        lines = [line for line in self.text(all_lives=True).splitlines() if '"progress"' not in line]
        return f"; the end of {self.log_path}:\n" + "\n".join(f"  | {x}" for x in lines[-TAIL_LINES:])
