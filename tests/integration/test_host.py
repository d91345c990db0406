"""test_host.py: a host that does not make it easy: signals, pipes, clocks, descriptors, threads, memory.

Uses     shim.c, preloaded into weir, for what only the C library could do to it.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import ledger
import servers
from stage import SEED, Stage
from weir_process import Weir, binary, wait_until

DONE, FAILURE, REFUSED = 0, 1, 78
PROGRAMS = servers.BUILD / "gcc" / "tests"
ROWS = 3000
SECRET = "pa55-w0rd"
GROUP_BYTES = 128 << 20
TURNS = 15  # of a long run


def shimmed(stage: Stage, pipeline: Path, data: str = "data", **settings: object) -> Weir:
    """A weir on a bad host; the settings are those of shim.c."""
    weir = stage.weir(pipeline, data)
    weir.env["LD_PRELOAD"] = str(PROGRAMS / "libweir_test_shim.so")
    weir.env.update({f"WEIR_SHIM_{name.upper()}": str(value) for name, value in settings.items()})
    return weir


def wait_for_batch(stage: Stage, batch: int) -> None:
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.batch_number(watch) >= batch, 30, f"batch {batch}")


def cpu_s(weir: Weir) -> float:
    fields = Path(f"/proc/{weir.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- signals ---------------------------------------------------------------------------------------


# covers: P-06
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE])
def test_a_crash_is_like_a_kill_and_tells_no_secret(stage: Stage, number: signal.Signals):
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(batch_rows=20))
    weir.env["PG_DSN"] = weir.env["PG_DSN"].replace("postgres@", f"postgres:{SECRET}@")
    weir.start()
    wait_for_batch(stage, 3)
    weir.signal(number)
    weir.expect(-number)
    assert SECRET not in weir.text()
    weir.finish()
    stage.assert_exact()


# covers: D-21, P-34
def test_a_storm_of_signals_interrupts_nothing(stage: Stage):
    """A thousand a second, with a handler, and no system call is restarted by the kernel."""
    stage.send(ROWS)
    weir = shimmed(stage, stage.order_file(batch_rows=100), storm_us=1000)
    weir.start()
    wait_for_batch(stage, 3)
    stage.send(ROWS)
    assert weir.term() == DONE
    weir.finish()
    assert not weir.events("waiting", all_lives=True), weir.tail()
    stage.assert_exact()


# covers: P-25
def test_a_machine_that_is_a_hundred_times_slower(stage: Stage):
    """weir gets two milliseconds of each fifth of a second."""
    stage.send(200)
    weir = stage.weir(stage.order_file(batch_rows=20))
    weir.start()
    weir.wait_event("generation_taken")
    deadline = time.monotonic() + 60
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        while sum(ledger.ends(watch).values()) < len(stage.sent):
            assert time.monotonic() < deadline and weir.is_running, weir.tail()
            weir.stop()
            time.sleep(0.2)
            weir.cont()
            time.sleep(0.002)
    assert weir.term() == DONE
    assert not weir.events("waiting"), weir.tail()
    stage.assert_exact()


# ---- pipes -----------------------------------------------------------------------------------------


def start_with_stderr(weir: Weir, end: int) -> None:
    weir.process = subprocess.Popen([binary(), "run", weir.pipeline, "--data", weir.data],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=end,
                                    env={**os.environ, **weir.env})
    os.close(end)


# covers: P-38
def test_nobody_reads_the_log_lines(stage: Stage):
    """stderr is a pipe that is full before weir starts: it drops lines, counts them, and goes on."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    weir = stage.weir(stage.order_file())
    stage.send(ROWS)
    start_with_stderr(weir, writer)
    wait_for_batch(stage, 1)
    stage.send(ROWS)
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: sum(ledger.ends(watch).values()) == len(stage.sent), 30, "all records")
    time.sleep(1.2)  # a progress line, too, was due
    with os.fdopen(reader, "rb") as pipe:
        pipe.read1(1 << 20)  # from now on somebody reads
        weir.signal(signal.SIGTERM)
        assert weir.wait(20) == DONE
        lines = [json.loads(line) for line in pipe.read().decode().lstrip("x").splitlines()]
    assert any(line["event"] == "log_lines_dropped" and line["lines"] >= 2 for line in lines), lines
    stage.assert_exact()


# covers: P-36
def test_the_reader_of_the_log_lines_goes_away(stage: Stage):
    """SIGPIPE, and a locale in which numbers look otherwise."""
    reader, writer = os.pipe()
    os.close(reader)
    weir = stage.weir(stage.order_file())
    weir.env["LC_ALL"] = "de_DE.UTF-8"
    stage.send(ROWS)
    start_with_stderr(weir, writer)
    wait_for_batch(stage, 1)
    stage.send(ROWS)
    assert weir.term() == DONE
    weir.finish()
    stage.assert_exact()


# ---- clocks ----------------------------------------------------------------------------------------


# covers: G-37, P-23
def test_a_clock_that_stands_still(stage: Stage):
    """All batches of all lives fall into one moment: their times still rise, and are kept apart."""
    stage.send(1000)
    weir = shimmed(stage, stage.order_file(batch_rows=50), clock_us=1_790_000_000_000_000)
    weir.finish()
    stage.send(1000)
    weir.finish()
    stage.assert_exact()
    history = ledger.history(stage.connect())
    times = [entry["t"] for entry in sorted(history, key=lambda entry: entry["batch"])]
    assert len(times) >= 40 and all(a < b for a, b in zip(times, times[1:]))
    assert max(times) - min(times) < 1_000_000, "microseconds are enough to tell them apart"


# covers: P-22
@pytest.mark.parametrize("year", [1960, 2039, 2262])
def test_a_clock_from_another_age(stage: Stage, year: int):
    stage.send(500)
    shimmed(stage, stage.order_file(), clock_us=(year - 1970) * 31_556_952_000_000).finish()
    stage.send(500)
    stage.weir(stage.order_file()).finish()
    stage.assert_exact()
    times = [entry["t"] for entry in sorted(ledger.history(stage.connect()),
                                            key=lambda entry: entry["batch"])]
    assert all(a < b for a, b in zip(times, times[1:])), times


# covers: P-24
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu", "right/UTC", "Nowhere/At_All"])
def test_time_zones_of_the_host_do_not_matter(stage: Stage, zone: str):
    stage.send(500)
    weir = stage.weir(stage.order_file())
    weir.env["TZ"] = zone
    weir.finish()
    stage.assert_exact()


# ---- what runs out ---------------------------------------------------------------------------------


# covers: P-17
def test_no_descriptor_is_left(stage: Stage):
    """The session to the database is gone, and a new one would need a descriptor."""
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(batch_rows=100))
    weir.start()
    wait_for_batch(stage, 3)
    usual = resource.prlimit(weir.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(weir.pid, resource.RLIMIT_NOFILE, (3, usual[1]))
    stage.connect().execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                            "application_name LIKE 'weir %' AND datname = current_database()")
    stage.send(ROWS)
    weir.wait_event("waiting")
    before = cpu_s(weir)
    time.sleep(1.5)
    assert cpu_s(weir) - before < 0.75, "waiting, not spinning"
    assert weir.is_running, weir.tail()
    resource.prlimit(weir.pid, resource.RLIMIT_NOFILE, usual)
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: sum(ledger.ends(watch).values()) == len(stage.sent), 30, "all records")
    assert weir.term() == DONE
    stage.assert_exact()


# covers: P-18
@pytest.mark.parametrize("threads", [0, 1, 2, 3])
def test_a_thread_cannot_be_started(stage: Stage, threads: int):
    """It ends and says so, or needs fewer threads; and nothing is left that hinders the next start."""
    stage.send(500)
    weir = shimmed(stage, stage.order_file(retry_limit="2 s"), threads=threads)
    weir.start(until_caught_up=True)
    code = weir.wait(30)
    assert code >= 0, f"died of signal {-code}{weir.tail()}"
    assert code == DONE or re.search("thread|resource", weir.text(), re.IGNORECASE), weir.tail()
    assert code != DONE or threads > 0
    stage.weir(stage.order_file()).finish()
    stage.assert_exact()


# covers: P-15
def test_no_memory_from_some_moment_on(stage: Stage):
    """From the n-th allocation on weir gets none: it ends and says so, whatever n is."""
    stage.send(500)
    pipeline = stage.order_file(batch_rows=20)
    dice = random.Random(SEED)
    told = 0
    for number in [*range(3), *sorted(dice.sample(range(3, 400), 7))]:
        weir = shimmed(stage, pipeline, memory=number)
        weir.start(until_caught_up=True)
        code = weir.wait(30)
        assert code >= 0, f"allocation {number}: died of signal {-code}{weir.tail()}"
        told += code != DONE and "memory" in weir.text()
        assert code == DONE or "memory" in weir.text(), f"allocation {number}: {weir.tail()}"
        stage.send(50)
    assert told >= 3, "hardly ever was an allocation refused"
    stage.weir(pipeline).finish()
    stage.assert_exact()


@pytest.fixture
def small_group(scratch: Path) -> Iterator[Path]:
    """A control group that may use GROUP_BYTES of memory, below the one this test runs in."""
    ours = [line.rstrip("\n").split(":", 2) for line in open("/proc/self/cgroup")]
    old = next((path for _, kinds, path in ours if "memory" in kinds.split(",")), None)
    home = Path("/sys/fs/cgroup/memory" + old if old is not None else "/sys/fs/cgroup" + ours[0][2])
    group = home / f"weir-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.max" if old is None else "memory.limit_in_bytes")).write_text(str(GROUP_BYTES))
    except OSError as problem:
        pytest.skip(f"cannot make a control group with a limit here: {problem}")
    yield group
    group.rmdir()


# covers: P-16
def test_the_memory_killer_of_the_kernel_strikes(stage: Stage, small_group: Path):
    """Somebody else in weir's control group wants more than there is, and weir is the one to go."""
    stage.send(ROWS)
    weir = stage.weir(stage.order_file(batch_rows=20))
    weir.start()
    (small_group / "cgroup.procs").write_text(str(weir.pid))
    Path(f"/proc/{weir.pid}/oom_score_adj").write_text("1000")
    wait_for_batch(stage, 3)
    glutton = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read(1); "
                                f"x = b'x' * {2 * GROUP_BYTES}"], stdin=subprocess.PIPE)
    (small_group / "cgroup.procs").write_text(str(glutton.pid))
    glutton.communicate(b"x")
    weir.expect(-signal.SIGKILL)
    weir.finish()
    stage.assert_exact()


def holdings(weir: Weir) -> tuple[int, int, int]:
    """How many descriptors and threads it has, and the bytes of its log."""
    process = Path(f"/proc/{weir.pid}")
    log = sum(path.stat().st_size for path in weir.data.iterdir())
    return len(list((process / "fd").iterdir())), len(list((process / "task").iterdir())), log


# covers: N-09
def test_nothing_grows_over_a_long_run(stage: Stage):
    """Batches, segments and sessions come and go: descriptors, threads and the log stay as few; and the
    counters say what happened."""
    segment, retain = 64 << 10, 256 << 10
    stage.send(100)
    weir = stage.weir(stage.order_file(batch_rows=5, **{"log.segment_bytes": segment,
                                                        "log.retain_bytes": retain}))
    weir.start()
    found = []
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        for turn in range(TURNS):
            if turn > 0:
                watch.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                              "application_name LIKE 'weir %' AND datname = current_database()")
                stage.send(100)
            wait_until(lambda: ledger.exists(watch)
                       and sum(ledger.ends(watch).values()) == len(stage.sent), 30, "all records")
            found.append(holdings(weir))
    told = wait_until(lambda: [one for one in weir.events("progress")
                               if one["rows_written"] == len(stage.sent)], 10, "the counters", 0.1)[0]
    assert told["reconnects"] >= TURNS - 1 and told["batch"] == ledger.batch_number(stage.connect())
    assert all(told[f"rows_{what}"] == 0 for what in ("dead", "skipped", "lost", "dropped", "repeated"))
    assert weir.term() == DONE
    descriptors, threads, logs = ([one[n] for one in found] for n in range(3))
    assert ledger.batch_number(stage.connect()) > 250 and weir.events("waiting")
    assert max(descriptors[5:]) <= max(descriptors[:5]) + 1, descriptors
    assert max(threads[5:]) <= max(threads[:5]) + 1, threads
    assert max(logs) <= retain + 4 * segment, logs
    stage.assert_exact()


# ---- files -----------------------------------------------------------------------------------------


# covers: D-01
def test_writes_that_take_a_block_at_a_time(stage: Stage):
    """New segments are filled with more than that, and a plan of so many ranges is longer, too: the
    rest of each write has to follow."""
    stage.make_topic(partitions=60)
    stage.send(ROWS)
    pipeline = stage.order_file(batch_rows=200, **{"log.segment_bytes": "64 kB"})
    weir = shimmed(stage, pipeline, short_writes=1)
    command = [PROGRAMS / "forbid", "io_uring", binary(), "run", pipeline, "--data", weir.data,
               "--until-caught-up"]
    for _ in range(3):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env={**os.environ, **weir.env}, timeout=60)
        if done.returncode == 0 and "SKIP" in done.stdout:
            pytest.skip("no seccomp here")
        assert done.returncode == DONE and "log I/O by pwritev2" in done.stderr, done.stderr
        stage.send(ROWS)
    weir.finish()
    stage.assert_exact()


# covers: P-33, X-12
@pytest.mark.parametrize("harm, word", [("link", "link"), ("open to all", "chmod"), ("a file", "")])
def test_data_directories_that_are_refused(stage: Stage, harm: str, word: str):
    target = stage.dir / "elsewhere"
    target.mkdir(mode=0o700)
    weir = stage.weir(stage.order_file())
    if harm == "link":
        weir.data.symlink_to(target)
    elif harm == "a file":
        weir.data.write_text("not mine")
    else:
        weir.data.mkdir()
        weir.data.chmod(0o777)
    weir.start(until_caught_up=True)
    assert weir.wait(20) not in (DONE, 70)
    assert "data" in weir.text() and word in weir.text(), weir.tail()
    assert list(target.iterdir()) == []
    assert weir.data.is_file() or list(weir.data.iterdir()) == []


#
def test_what_is_made_belongs_to_us_alone(stage: Stage):
    stage.send(100)
    weir = stage.weir(stage.order_file())
    os.umask(0)
    try:
        weir.finish()
    finally:
        os.umask(0o022)
    assert weir.data.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in weir.data.iterdir()} == {0o600}


#
@pytest.mark.parametrize("kind", ["random", "headers", "huge lengths"])
def test_a_log_that_an_attacker_wrote(stage: Stage, kind: str):
    """Whatever is in the segments: an error, soon, and no crash."""
    stage.send(500)
    weir = stage.weir(stage.order_file(batch_rows=50))
    weir.finish()
    dice = random.Random(SEED)
    good = {path: path.read_bytes() for path in weir.data.glob("*.wal")}
    for turn in range(3):
        for path, blob in good.items():
            bad = bytearray(blob)
            for at in range(0, len(bad), 4096):
                if kind == "random":
                    bad[at:at + 4096] = dice.randbytes(4096)
                elif kind == "headers":
                    bad[at + dice.randrange(48)] = dice.randrange(256)
                elif at == 4096:  # later records prove this one
                    bad[at:at + 8] = dice.choice([b"\xff" * 8, b"\xff\xff\xff\x7f" * 2])
            path.write_bytes(bad)
        for verb in ("verify", "stat", "dump"):
            done = subprocess.run([binary(), "wal", verb, weir.data], capture_output=True, timeout=20)
            assert done.returncode > 0, (turn, verb, done)
        weir.start(until_caught_up=True)
        assert weir.wait(20) in (FAILURE, 74), weir.tail()
    shutil.rmtree(weir.data)
    weir.finish()
    stage.assert_exact()
