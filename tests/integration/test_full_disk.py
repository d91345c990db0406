"""test_full_disk.py: the data directory lies on a small file system that gets full or stops answering, or
in memory.

Uses     stage.py; mount(8), so the tests are skipped where this user may not mount.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stage import Stage
from weir_process import Weir, wait_until

DISK_BYTES = 16 << 20
DEVICE_BYTES = 96 << 20
SETTINGS = {"batch_rows": 10, "log.segment_bytes": "64 KB", "log.allow_not_durable": "true"}  # which retains 64 MB, more than there is
BLOCK = b"\0" * 4096


@pytest.fixture
def small_disk(scratch: Path) -> Iterator[Path]:
    """A file system of its own; unmounted at the end, whatever happened."""
    place = scratch / "small"
    place.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", place],
                             capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path) -> Path:
    """Takes all the space that is left."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(BLOCK)
        except OSError:
            return ballast


def rows(stage: Stage) -> int:
    return stage.connect().execute("SELECT count(*) FROM public.orders").fetchone()[0]


def started(stage: Stage, disk: Path) -> Weir:
    """A weir whose log lies on the disk, at work, with batches and segments that soon fill it."""
    weir = stage.weir(stage.order_file(**SETTINGS))
    weir.data = disk / "data"
    stage.send(200)
    weir.start()
    wait_until(lambda: weir.events("progress") and rows(stage) >= 200, 30, "the first rows", 0.1)
    return weir


# covers: D-04
def test_a_full_disk_is_waited_out(stage: Stage, small_disk: Path):
    """The log cannot go on, says so and waits; when there is space again it goes on; all is in once."""
    weir = started(stage, small_disk)
    ballast = fill(small_disk)
    stage.send(4000)
    wait_until(lambda: any(e["log_no_space"] for e in weir.events("progress")), 60, "a full log", 0.1)
    before = rows(stage)
    assert weir.is_running
    assert before < 4200
    time.sleep(1)
    assert weir.is_running
    os.unlink(ballast)
    wait_until(lambda: rows(stage) >= 4200, 60, "the rest", 0.1)
    assert weir.term() == 0
    stage.assert_exact()


# covers: D-04
def test_a_stop_does_not_wait_for_space(stage: Stage, small_disk: Path):
    """It says what it waits for, gives up soon, and the next start has everything in once."""
    weir = started(stage, small_disk)
    ballast = fill(small_disk)
    stage.send(4000)
    wait_until(lambda: any(e["log_no_space"] for e in weir.events("progress")), 60, "a full log", 0.1)
    assert weir.term(10) == 0
    assert "No space left" in weir.events("stopping")[0]["message"], weir.tail()
    assert weir.events("stop_unfinished"), weir.tail()
    os.unlink(ballast)
    weir.start(until_caught_up=True)
    assert weir.wait(60) == 0
    stage.assert_exact()


# covers: D-06
def test_a_kill_while_the_disk_is_full(stage: Stage, small_disk: Path):
    """What is found by a start on a full disk is kept until there is room, and then goes on."""
    weir = started(stage, small_disk)
    ballast = fill(small_disk)
    stage.send(2000)
    time.sleep(1)
    weir.kill9()
    weir.start()
    time.sleep(1)
    weir.kill9()
    os.unlink(ballast)
    weir.start(until_caught_up=True)
    assert weir.wait(60) == 0
    stage.assert_exact()


@pytest.fixture
def frozen_disk(scratch: Path) -> Iterator[Path]:
    """A file system with a device of its own, which fsfreeze(8) can hold; unmounted at the end."""
    missing = [tool for tool in ("mkfs.ext4", "mount", "fsfreeze") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not to be had here: {', '.join(missing)}")
    image, place = scratch / "image", scratch / "device"
    place.mkdir(parents=True)
    with open(image, "wb") as file:
        file.truncate(DEVICE_BYTES)
    made = subprocess.run(["mkfs.ext4", "-q", image], capture_output=True, text=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, place], capture_output=True, text=True)
    if made.returncode + mounted.returncode != 0:
        pytest.skip(f"cannot mount a device here: {(made.stderr + mounted.stderr).strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


# covers: D-23
def test_a_device_that_does_not_answer_ends_the_run(stage: Stage, frozen_disk: Path):
    """It is told, and nothing more gets in; the process itself leaves when the kernel lets go of it."""
    weir = stage.weir(stage.order_file(**{"log.write_limit": "3 s"}))
    weir.data = frozen_disk / "data"
    stage.send(200)
    weir.start()
    if weir.wait_event("io_backend")["message"] != "log I/O by io_uring":
        pytest.skip("a plain system call is waited for")
    wait_until(lambda: weir.events("progress") and rows(stage) >= 200, 30, "the first rows", 0.1)
    subprocess.run(["fsfreeze", "--freeze", frozen_disk], check=True)
    try:
        stage.send(1000)
        assert "has not answered" in weir.wait_event("failed", 20)["message"]
        assert rows(stage) == 200
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", frozen_disk], check=True)
    weir.expect(74)
    weir.finish()
    stage.assert_exact()


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory in memory, which needs no mount."""
    shm = Path("/dev/shm")
    kind = subprocess.run(["stat", "--file-system", "--format=%T", shm], capture_output=True, text=True)
    if kind.stdout.strip() != "tmpfs" or not os.access(shm, os.W_OK):
        pytest.skip("/dev/shm is not in memory here")
    place = Path(tempfile.mkdtemp(prefix="weir-test-", dir=shm))
    yield place
    shutil.rmtree(place)


# covers: D-29
def test_a_log_in_memory_is_refused_unless_it_is_wanted(stage: Stage, memory: Path):
    stage.send(100)
    weir = stage.weir(stage.order_file())
    weir.data = memory / "data"
    weir.start(until_caught_up=True)
    weir.expect(78)
    assert "not_durable" in weir.text() and not weir.data.exists(), weir.tail()
    weir.start("--set", "log.allow_not_durable=true", until_caught_up=True)
    weir.expect(0)
    assert weir.events("not_durable"), weir.tail()
    stage.assert_exact()
