"""test_wal_verbs.py: `weir wal dump|verify|stat|repair`: what they say, as text and as JSON, and that
repair cuts a torn tail and nothing else.

Uses     stage.py for one log that a killed pipeline left; each test harms a copy of it.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

import ledger
import weir_process
from stage import Stage
from weir_process import wait_until

DONE, FAILURE, USAGE, LOG = 0, 1, 2, 74
RECORD_HEADER_BYTES, BLOCK_BYTES = 40, 4096


def wal(*arguments: object):
    return weir_process.run("wal", *arguments)


def dump(data: Path) -> list[dict]:
    done = wal("dump", "--json", data)
    assert done.returncode == DONE, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def stat(data: Path) -> dict:
    done = wal("stat", data, "--json")
    assert done.returncode == DONE, done.stderr
    return json.loads(done.stdout)


def contents(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.iterdir()}


@pytest.fixture
def closed(stage: Stage) -> Path:
    """The log of a pipeline that ended in order."""
    stage.send(2000)
    weir = stage.weir(stage.order_file(batch_rows=500))
    weir.finish()
    return weir.data


@pytest.fixture
def killed(stage: Stage) -> Path:
    """The log of a killed pipeline: nothing behind its last record proves it."""
    stage.send(2000)
    weir = stage.weir(stage.order_file(batch_rows=100))
    weir.start()
    with psycopg.connect(stage.dsn, autocommit=True) as watch:
        wait_until(lambda: ledger.exists(watch) and sum(ledger.ends(watch).values()) == 2000, 30,
                   "all rows")
    weir.kill9()
    return weir.data


def tear(data: Path) -> dict:
    """Breaks off the last record behind its header; returns what dump said of it."""
    last = dump(data)[-2]
    with open(data / last["file"], "r+b") as segment:
        segment.seek(last["offset"] + RECORD_HEADER_BYTES)
        segment.write(bytes(BLOCK_BYTES - RECORD_HEADER_BYTES))
    return last


# ---- reading -----------------------------------------------------------------------------------


def test_dump_and_stat_agree_with_the_ledger(stage: Stage, closed: Path):
    history = ledger.history(stage.connect())
    *records, end = dump(closed)
    plans = [record for record in records if record["kind"] == "plan"]
    assert [plan["batch"] for plan in plans] == [entry["batch"] for entry in history]
    for plan, entry in zip(plans, history, strict=True):
        assert (plan["t"], plan["source_rows"]) == (entry["t"], entry["source_rows"])
        assert plan["ranges"] == entry["ranges"]
        assert sum(part["rows"] for part in plan["parts"]) == entry["rows"]
    assert [record["pipeline"] for record in records if record["kind"] == "identity"] == ["orders"]
    found = stat(closed)
    assert found["pipeline"] == "orders" and found["closed"] and found["torn_bytes"] == 0
    assert found["records_plan"] == len(plans) and found["batch_sealed"] == plans[-1]["batch"]
    assert found["batch_sealed_t"] == plans[-1]["t"] and found["batch_done"] < found["batch_sealed"]
    assert found["records"] == end["records"] == len(records) + found["records_mark"]
    assert (found["first_lsn"], found["last_lsn"]) == (end["first_lsn"], end["last_lsn"])
    assert found["segment_bytes"] == sum(path.stat().st_size for path in closed.glob("*.wal"))


def test_text_and_json_say_the_same(closed: Path):
    text = dict(line.split(maxsplit=1) for line in wal("stat", closed).stdout.splitlines())
    numbers = {name: value for name, value in stat(closed).items() if isinstance(value, int)}
    assert text["closed"] == "yes" and numbers.pop("closed") is True
    assert {name: int(text[name]) for name in numbers} == numbers
    assert len(wal("dump", closed).stdout.splitlines()) == len(dump(closed))


def test_reading_changes_nothing(killed: Path):
    before = contents(killed)
    for verb in ("dump", "verify", "stat"):
        assert wal(verb, killed).returncode == DONE
    assert contents(killed) == before and not stat(killed)["closed"]


@pytest.mark.parametrize("arguments", [["verify", "--json"], ["stat", "--yes"], ["dump", "--yes"],
                                       ["repair", "--json"], ["stat", "a", "b"], ["repair"]])
def test_options_of_other_verbs_are_refused(arguments, scratch: Path):
    done = wal(*arguments[:1], scratch, *arguments[1:]) if len(arguments) < 3 else wal(*arguments)
    if arguments == ["repair"]:
        done = wal("repair")
    assert done.returncode == USAGE and "weir wal" in done.stderr


@pytest.mark.parametrize("verb", ["dump", "verify", "stat", "repair"])
def test_a_directory_without_a_log(verb: str, scratch: Path):
    done = wal(verb, scratch)
    assert done.returncode == FAILURE and "holds no log" in done.stderr


# ---- repair ------------------------------------------------------------------------------------


def test_repair_cuts_a_torn_tail_and_nothing_else(stage: Stage, killed: Path):
    torn = tear(killed)
    before = contents(killed)
    found = stat(killed)
    assert found["torn_bytes"] == BLOCK_BYTES
    done = wal("repair", killed, "--yes")
    assert done.returncode == DONE, done.stderr
    assert torn["file"] in done.stdout and str(torn["offset"]) in done.stdout
    assert f"up to LSN {found['last_lsn']}" in done.stdout and "57 52 45 43" in done.stdout
    segment = bytearray(before[torn["file"]])
    segment[torn["offset"]:torn["offset"] + BLOCK_BYTES] = bytes(BLOCK_BYTES)
    after = contents(killed)
    assert after.pop(torn["file"]) == segment
    assert all(after[name] == before[name] for name in after if name != "lock")
    assert stat(killed) == {**found, "torn_bytes": 0}
    again = wal("repair", killed, "--yes")
    assert again.returncode == DONE and "nothing is torn" in again.stdout
    stage.weirs[0].finish()
    stage.assert_exact()


def test_repair_does_not_cut_unasked(killed: Path):
    tear(killed)
    before = contents(killed)
    done = wal("repair", killed)
    assert done.returncode == USAGE and "--yes" in done.stderr and "LSN" in done.stdout
    assert contents(killed) == before


@pytest.mark.parametrize("answer, status, is_cut", [(b"y\n", DONE, True), (b"yes\n", DONE, True),
                                                    (b"n\n", FAILURE, False), (b"\n", FAILURE, False),
                                                    (b"\x04", FAILURE, False)])
def test_repair_asks_on_a_terminal(killed: Path, answer: bytes, status: int, is_cut: bool):
    tear(killed)
    keyboard, terminal = pty.openpty()
    with subprocess.Popen([weir_process.binary(), "wal", "repair", killed], stdin=terminal,
                          stdout=subprocess.PIPE, text=True) as process:
        os.close(terminal)
        os.write(keyboard, answer)
        words = process.communicate(timeout=20)[0]
    os.close(keyboard)
    assert process.returncode == status and "[y/N]" in words, words
    assert stat(killed)["torn_bytes"] == (0 if is_cut else BLOCK_BYTES)


def test_repair_refuses_damage_in_the_words_of_verify(killed: Path, scratch: Path):
    broken = scratch / "broken"
    shutil.copytree(killed, broken)
    second = dump(broken)[1]
    with open(broken / second["file"], "r+b") as segment:
        segment.seek(second["offset"] + RECORD_HEADER_BYTES)
        segment.write(b"\xff" * 8)
    before = contents(broken)
    verified, repaired = wal("verify", broken), wal("repair", broken, "--yes")
    assert repaired.returncode == verified.returncode == LOG
    said, seen = (json.loads(done.stderr)["message"] for done in (repaired, verified))
    assert said == seen and second["file"] in said
    assert contents(broken) == before


def test_repair_leaves_a_log_in_use_alone(stage: Stage):
    stage.send(100)
    weir = stage.weir(stage.order_file())
    weir.start()
    weir.wait_event("generation_taken")
    done = wal("repair", weir.data, "--yes")
    assert done.returncode in (DONE, FAILURE), done.stderr
    assert "nothing is torn" in done.stdout or "in use" in done.stderr
    assert weir.term() == DONE
    weir.finish()  # of a log that is as it was
    stage.assert_exact()
