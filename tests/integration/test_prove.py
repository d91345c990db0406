"""test_prove.py: `weir prove`, as a user runs it: it holds weir to its promise, convicts what keeps
none, and leaves nothing behind.

Uses     naive_copy.py, a script that commits its offsets after its rows.

With test_kills.py it kills weir a hundred times and more; the line behind the tests says how often.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from fail_points import program
from stage import SEED, Stage
from weir_process import binary, run, wait_until

TIMEOUT_S = 300
# Those of the network have a test of their own: test_network.py.
KINDS = ("kill", "kill-start", "kill-drain", "freeze", "dir-lost", "dir-old", "dir-cloned", "pg-cut")
KILLS = ("kill", "kill-start", "kill-drain", "fail-point")
NAIVE = Path(__file__).resolve().parents[1] / "support" / "naive_copy.py"


def command(stage: Stage, *arguments: object, weir: Path | None = None) -> list[str]:
    return [str(weir or binary()), "prove", "--brokers", stage.kafka.bootstrap, "--dsn", stage.dsn, "--seed",
            str(SEED), "--dir", str(stage.dir), "--no-progress", *map(str, arguments)]


def prove(stage: Stage, *arguments: object,
          weir: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(stage, *arguments, weir=weir), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=TIMEOUT_S, check=False)


def outcome(stage: Stage, *arguments: object, weir: Path | None = None) -> tuple[int, dict]:
    path = stage.dir / "proof.json"
    done = prove(stage, "--json", path, *arguments, weir=weir)
    print(done.stdout, done.stderr)
    return done.returncode, json.loads(path.read_text())


def assert_clean(stage: Stage) -> None:
    """A broker may still list a topic for a moment that its controller has deleted."""
    wait_until(lambda: left_behind(stage) == [], 10, f"an end without {left_behind(stage)}")


def kills_in(found: dict) -> int:
    return sum(found["faults"][kind]["tried"] for kind in KILLS if kind in found["faults"])


def left_behind(stage: Stage) -> list[str]:
    """Schemas, topics and directories of a proof."""
    schemas = stage.connect().execute(
        "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'weir%'").fetchall()
    topics = AdminClient({"bootstrap.servers": stage.kafka.bootstrap}).list_topics(timeout=10).topics
    return [name for name, in schemas] + [t for t in topics if t.startswith("weir-prove-")] + \
        [path.name for path in stage.dir.glob("weir-prove-*")]


# covers: G-14, P-05, P-09, P-10, P-30
def test_exactly_once_holds(stage: Stage, count_kills):
    page = stage.dir / "proof.html"
    status, found = outcome(stage, "--kills", 30, "--faults", ",".join(KINDS), "--report", page)
    assert status == 0 and found["held"]
    assert kills_in(found) >= 30
    count_kills(kills_in(found))
    assert found["digests"] == found["batches"] > 0
    assert found["sent"] == found["rows"] > 0
    assert found["missing"]["count"] == found["doubled"]["count"] == 0
    assert set(KINDS) < found["faults"].keys()
    assert found["faults"]["all"]["tried"] == found["faults"]["all"]["survived"] == len(found["events"])
    assert found["looks"] > 5 and found["outside_flight"] == found["harmed_batches"] == 0
    text = page.read_text()
    assert "<svg" in text and "the promise held" in text
    assert "src=" not in text and "href=" not in text and "<script" not in text
    assert_clean(stage)


@pytest.mark.parametrize("mode, allowed", [("at_least_once", "doubled"), ("at_most_once", "missing")])
def test_weaker_modes_hold_what_they_promise(stage: Stage, count_kills, mode: str, allowed: str):
    status, found = outcome(stage, "--mode", mode, "--kills", 10, "--faults", ",".join(KINDS))
    assert status == 0 and found["held"]
    count_kills(kills_in(found))
    for kind in {"missing", "doubled", "altered", "invented"} - {allowed}:
        assert found[kind]["count"] == 0
    assert found["outside_flight"] == 0


OWN_PIPELINE = """
CREATE TABLE orders (id bigint, amount numeric(12,2), placed timestamptz, note text)
  WITH (connector = 'kafka', format = 'json', brokers = '${{WEIR_PROVE_BROKERS}}', topic = '${{WEIR_PROVE_TOPIC:-orders}}',
        "kafka.socket.timeout.ms" = '2000'{leads});
CREATE TABLE revenue (id bigint{key}, cents bigint, placed timestamptz)
  WITH (connector = 'postgres', dsn = '${{WEIR_PROVE_DSN}}', answer_timeout = '1 s');
INSERT INTO revenue SELECT id, (amount * 100)::bigint, placed FROM orders;
"""
LEADS = ", broker_addresses = '${WEIR_PROVE_BROKER_ADDRESSES:-}'"
NET = ("net-reset-broker", "net-change-broker", "net-no-replies-database", "net-hold-database")


@pytest.mark.parametrize("key", ["", " PRIMARY KEY"], ids=["append", "upsert"])
def test_a_pipeline_of_ones_own(stage: Stage, count_kills, key: str):
    path = stage.dir / "own.sql"
    path.write_text(OWN_PIPELINE.format(key=key, leads=LEADS))
    wanted = ("kill", "freeze", *NET)
    status, found = outcome(stage, "--pipeline", path, "--kills", 5, "--faults", ",".join(wanted))
    assert status == 0 and found["held"]
    assert set(wanted) < found["faults"].keys()
    assert all(row["survived"] == row["tried"] > 0 for row in found["faults"].values())
    assert found["sent"] == found["rows"] > 0
    assert found["altered"] is None  # what it makes of the other columns is not known
    assert found["doubled"] is None if key else found["doubled"]["count"] == 0
    count_kills(kills_in(found))
    assert_clean(stage)


def test_a_pipeline_of_ones_own_that_cannot_be_played(stage: Stage):
    path = stage.dir / "own.sql"
    path.write_text(OWN_PIPELINE.format(key="", leads=""))
    for faults in ("net-reset-broker", "kill,net"):
        done = prove(stage, "--pipeline", path, "--faults", faults)
        assert done.returncode == 78 and "${WEIR_PROVE_BROKER_ADDRESSES:-}" in done.stderr
    path.write_text(OWN_PIPELINE.format(key="", leads="").replace("${WEIR_PROVE_TOPIC:-orders}", "orders"))
    done = prove(stage, "--pipeline", path)
    assert done.returncode == 78 and "${WEIR_PROVE_TOPIC}" in done.stderr
    done = prove(stage, "--pipeline", stage.dir / "none.sql")
    assert done.returncode == 78 and "none.sql" in done.stderr
    assert_clean(stage)


def test_fail_points_are_died_at(stage: Stage, count_kills):
    status, found = outcome(stage, "--kills", 10, "--faults", "fail-point", weir=program())
    assert status == 0 and found["held"]
    # Lives that do not come to their point are killed as usual.
    points = [event["point"] for event in found["events"] if event["fault"] == "fail-point"]
    assert len(points) == len(set(points)) == found["faults"]["fail-point"]["tried"] > 5
    count_kills(kills_in(found))


def forget_the_evidence(stage: Stage, topic: str) -> None:
    """The next test looks for what is left."""
    admin = AdminClient({"bootstrap.servers": stage.kafka.bootstrap})
    admin.delete_topics([topic])[topic].result(10)


def test_a_ledger_that_does_not_move_is_convicted(stage: Stage):
    """Rows are committed, the step beside them is left out: what weir would be without its ledger."""
    ddl = run("ddl", stage.order_file(), env=stage.environment()).stdout
    step = ddl.index("    UPDATE weir.ledger AS l SET batch = a_batch")
    stage.connect().execute(ddl[:step] + ddl[ddl.index("    INSERT INTO weir.batch AS b"):])
    status, found = outcome(stage, "--kills", 4, "--faults", "kill")
    assert status == 1 and not found["held"]
    assert found["doubled"]["count"] > 0, found["notes"]
    forget_the_evidence(stage, left_behind(stage)[-2])


def test_offsets_committed_after_the_rows_are_convicted(stage: Stage):
    status, found = outcome(stage, "--external", f"exec {sys.executable} {NAIVE}", "--kills", 6,
                            "--faults", "kill", "--rows", 10000)
    assert status == 1 and not found["held"]
    assert found["doubled"]["count"] > 0
    assert found["missing"]["count"] == 0
    schema, topic, directory = left_behind(stage)  # the evidence is kept
    assert (stage.dir / directory / "sent").exists()
    forget_the_evidence(stage, topic)


def test_a_command_that_never_writes_is_not_held_to_be_wrong(stage: Stage):
    status, found = outcome(stage, "--external", "exec false", "--kills", 2, "--faults", "kill")
    assert status == 1 and found["faults"]["all"]["tried"] == 0
    assert "the command never wrote a row" in found["notes"]
    forget_the_evidence(stage, left_behind(stage)[1])


def test_nothing_tried_is_nothing_proven(stage: Stage):
    done = prove(stage, "--kills", 20, "--faults", "kill,dir-lost", "--rows", 1)
    assert done.returncode == 1 and "the promise is NOT PROVEN" in done.stdout, done.stdout
    assert "0 of 21 faults that were asked for were played" in done.stdout
    forget_the_evidence(stage, left_behind(stage)[-2])


def test_an_interrupt_cleans_up(stage: Stage):
    process = subprocess.Popen(command(stage, "--kills", 1000), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "nothing is proven" in errors
    assert_clean(stage)


def test_what_is_not_there_is_said(stage: Stage):
    done = prove(stage, "--kills", "-3")
    assert done.returncode == 2 and "--kills takes a number" in done.stderr
    done = prove(stage, "--report", stage.dir)
    assert done.returncode == 78 and str(stage.dir) in done.stderr
    done = prove(stage, "--dsn", "postgresql://127.0.0.1:1/none")
    assert done.returncode == 69 and "cannot connect to the database" in done.stderr
    stage.connect().execute("DO $$ BEGIN IF to_regrole('stranger') IS NULL THEN CREATE ROLE stranger "
                            "LOGIN; END IF; END $$")
    done = prove(stage, "--dsn", stage.dsn.replace("postgres@", "stranger@"))
    assert done.returncode == 1 and "needs CREATE on the database" in done.stderr
    assert_clean(stage)
