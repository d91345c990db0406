"""fail_points.py: brings a weir to each of its fail points and lets it die there.

Uses     stage.py, weir_process.py, checks.py, ledger.py; a weir that was built with
         -Dfail_points=true (`./dev build fail`), which is asked for its points' names.

A point is passed only in certain circumstances: in a life that has a batch to rebuild, say, or whose
log has a torn tail. A *scene* makes them, in a stage whose pipeline has died many times before or in
one of its own, and says with what orders (WEIR_FAIL) the life begins that has to die.

Y1  A life that does not die by SIGKILL has not passed its point: that is a failure, whatever else it
    did.
Y2  After each death the next life is left alone, and everything that was sent is compared with what
    is there, as the delivery mode allows.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

import ledger
import pipelines
from checks import compare, table_lines
from orders import SELECTED, TARGET_COLUMNS, TARGET_NAMES
from stage import Stage
from topics import Topic
from weir_process import ROOT, Weir, WeirError, wait_until

MODES = ("exactly_once", "at_least_once", "at_most_once")
BATCH_ROWS = 2     # many small batches: a life of LIFE_ROWS fills more than one segment of the log
LIFE_ROWS = 50
IN_FLIGHT_MAX = 3  # WEIR_TXN_IN_FLIGHT for batches as small as these
DEATH_S = 30.0
BLOCK_BYTES = 4096
RECORD_HEADER_BYTES = 40


def program() -> Path:
    path = Path(os.environ.get("WEIR_FAIL_BIN", ROOT / "build" / "fail" / "src" / "cli" / "weir"))
    assert path.exists(), f"{path} is not there: run ./dev build fail, or set WEIR_FAIL_BIN"
    return path


def point_names() -> list[str]:
    done = subprocess.run([program(), "version", "--fail-points"], capture_output=True, text=True,
                          check=True)
    return [line.split()[0] for line in done.stdout.splitlines()]


def step_of(point: str) -> str:
    return point.rpartition("_")[0]


@dataclass
class Player:
    """One stage, one mode, and one pipeline that dies at point after point."""

    stage: Stage
    mode: str
    partitions: int = 1
    deaths: int = 0
    changes: int = 0
    weir: Weir = field(init=False)

    def __post_init__(self) -> None:
        self.weir = self.stage.weir(self.write_file())
        self.weir.program = program()

    def write_file(self) -> Path:
        """Appends and upserts of every order; another definition after each change."""
        settings = {"name": "crashes", "delivery": self.mode, "batch_rows": BATCH_ROWS,
                    "output_partitions": self.partitions, "log.segment_bytes": "64 kB",
                    "log.retain_bytes": "0 B"}
        condition = f" WHERE id >= {-self.changes}"
        parts = [pipelines.settings_lines(settings), pipelines.source(self.stage.topic_name),
                 pipelines.target("public.orders"),
                 pipelines.target("public.latest", TARGET_COLUMNS + ", PRIMARY KEY (customer)")]
        parts += [f"INSERT INTO {table} SELECT {SELECTED} FROM incoming{condition};\n"
                  for table in ("public.orders", "public.latest")]
        return self.stage.file("\n".join(parts), "crashes.sql")

    def send(self) -> None:
        """Work for one life. Not idempotent, which would take half a second to begin, but never sent
        twice either: a message that is not taken at once is an error."""
        stage = self.stage
        if not stage.has_topic:
            stage.make_topic()
        following = range(stage.sent.stop, stage.sent.stop + LIFE_ROWS)
        Topic(stage.kafka.bootstrap, stage.topic_name).send(
            ((stage.orders.partition(n), stage.orders.message(n)) for n in following),
            **{"enable.idempotence": False, "message.send.max.retries": 0, "linger.ms": 0})
        stage.sent = range(following.stop)

    # -- lives

    def die(self, orders: str, until_caught_up: bool = False, term: bool = False) -> None:
        """One life that ends by SIGKILL from its own hand."""
        weir = self.weir
        weir.env["WEIR_FAIL"] = orders
        weir.start("--no-progress", until_caught_up=until_caught_up)
        del weir.env["WEIR_FAIL"]
        if term:
            weir.wait_event("generation_taken")
            weir.signal(signal.SIGTERM)
        try:
            code = weir.wait(DEATH_S)
        except WeirError:
            weir.kill9()
            raise AssertionError(f"{orders}: still alive after {DEATH_S:.0f} s{weir.tail()}") from None
        assert code == -signal.SIGKILL, f"{orders}: ended with {code}{weir.tail()}"
        self.deaths += 1

    def recover(self) -> None:
        self.weir.finish(60, "--no-progress")
        self.check()

    # -- the comparison

    def check(self) -> None:
        orders, sent = self.stage.orders, self.stage.sent
        with psycopg.connect(self.stage.dsn) as connection:
            verdict = compare(orders.lines(sent),
                              table_lines(connection, f"SELECT {TARGET_NAMES} FROM public.orders"))
            latest = compare(orders.last_lines(sent),
                             table_lines(connection, f"SELECT {TARGET_NAMES} FROM public.latest"))
            ledger.audit(connection)
            history = ledger.history(connection)
        assert not verdict.invented, str(verdict)
        if self.mode == "at_most_once":
            assert not verdict.doubled, str(verdict)
            missing, may_miss = coordinates(verdict.missing), dropped(history)
            # A part of several may have no rows of a batch that is there.
            assert missing <= may_miss and (missing == may_miss or self.partitions > 1), str(verdict)
        else:
            assert not verdict.missing and latest.is_exact, f"{verdict}\n{latest}"
        if self.mode == "at_least_once":
            assert verdict.doubled.total() <= self.deaths * IN_FLIGHT_MAX * BATCH_ROWS, str(verdict)
        if self.mode == "exactly_once":
            assert verdict.is_exact, str(verdict)


def coordinates(lines) -> set[tuple[int, int]]:
    return {tuple(map(int, line.split(b"\t")[-2:])) for line in lines}


def dropped(history: list[dict]) -> set[tuple[int, int]]:
    """(partition, offset) of the records over which the ledger stepped without their rows."""
    return {(int(stream.rpartition("/")[2]), offset) for entry in history
            if entry["source_rows"] > 0 and entry["rows"] == 0
            for stream, (first, end) in entry["ranges"].items() for offset in range(first, end)}


# ---- scenes ------------------------------------------------------------------------------------


def in_the_middle(player: Player, point: str) -> None:
    """A life like any other."""
    player.send()
    player.die(f"{point}:kill")


def at_the_end(player: Player, point: str) -> None:
    player.send()
    player.die(f"{point}:kill", until_caught_up=True)


def at_sigterm(player: Player, point: str) -> None:
    player.send()
    player.die(f"{point}:kill", term=True)


def without_a_log(player: Player, point: str) -> None:
    shutil.rmtree(player.weir.data)
    in_the_middle(player, point)


def with_an_unfinished_segment(player: Player, point: str) -> None:
    (player.weir.data / "next.new").write_bytes(b"")
    in_the_middle(player, point)


def with_another_definition(player: Player, point: str) -> None:
    """A new definition puts a new identity record into the log, and lets the old segments go."""
    player.changes += 1
    player.write_file()
    in_the_middle(player, point)


def with_a_torn_tail(player: Player, point: str) -> None:
    """Killed; and of its last record, which no later one proves, the disk kept only a part."""
    in_the_middle(player, "done_boundary_before")
    done = subprocess.run([program(), "wal", "dump", "--json", player.weir.data],
                          capture_output=True, text=True, check=True)
    last = json.loads(done.stdout.splitlines()[-2])
    with open(player.weir.data / last["file"], "r+b") as segment:
        segment.seek(last["offset"] + RECORD_HEADER_BYTES)
        segment.write(bytes(BLOCK_BYTES - RECORD_HEADER_BYTES))
    in_the_middle(player, point)


def with_a_sealed_batch(player: Player, point: str) -> None:
    """The plan of a batch is in the log, its rows are not in the database."""
    player.send()
    player.die("sink_commit_send_before:fail,recover_resend_before:kill")
    player.die(f"{point}:kill")


def with_a_lost_connection(player: Player, point: str) -> None:
    player.send()
    player.die(f"sink_commit_send_before:fail,{point}:kill")


def with_parts_a_batch_apart(player: Player, point: str) -> None:
    """Of two output partitions one has the first batch, and the log is gone."""
    player.send()
    player.die("sink_commit_send_before:kill:2")
    with psycopg.connect(player.stage.dsn, autocommit=True) as watch:
        wait_until(lambda: len({row.batch for row in ledger.state(watch)}) == 2, 10,
                   "a ledger whose rows differ")
    shutil.rmtree(player.weir.data)
    player.die(f"{point}:kill")


@dataclass(frozen=True)
class Scene:
    play: Callable[[Player, str], None]
    own_stage: bool = False  # it wants a pipeline that nobody has seen before
    partitions: int = 1


MIDDLE = Scene(in_the_middle)
FIRST_START = Scene(in_the_middle, own_stage=True)
APART = Scene(with_parts_a_batch_apart, own_stage=True, partitions=2)
LOST_LOG, SEALED = Scene(without_a_log), Scene(with_a_sealed_batch)
TRIMMED = Scene(with_another_definition)
CUT_OFF = Scene(with_a_lost_connection)

# By step; what is not here is passed by every life.
SCENES = {
    "start_create_file": LOST_LOG, "start_create_fill": LOST_LOG, "start_create_rename": LOST_LOG,
    "start_create_sync_dir": LOST_LOG, "start_identity": LOST_LOG, "recover_follow": LOST_LOG,
    "recover_void": LOST_LOG,
    "start_enroll": FIRST_START, "start_positions": FIRST_START,
    "start_remove_unfinished": Scene(with_an_unfinished_segment),
    "start_cut_tail": Scene(with_a_torn_tail),
    "log_remove": TRIMMED, "log_remove_sync_dir": TRIMMED, "log_recycle_rename": TRIMMED,
    "log_recycle_sync_dir": TRIMMED,
    "recover_replay": SEALED, "recover_read_plan": SEALED, "recover_drop": SEALED,
    "recover_rebuild": SEALED, "recover_compare": SEALED,
    "recover_catch_up": APART,
    "recover_resolve": CUT_OFF, "recover_resend": CUT_OFF,
    "stop_mark": Scene(at_the_end), "stop_unlock": Scene(at_the_end),
    "stop_request": Scene(at_sigterm),
}
# At most once drops what is sealed; it rebuilds only what it makes up from ledgers that differ.
SCENES_AT_MOST_ONCE = {"recover_rebuild": APART, "recover_compare": APART}
# Points that a mode cannot come to.
NEVER = {"exactly_once": ("recover_drop",), "at_least_once": ("recover_drop",), "at_most_once": ()}


def scene_of(point: str, mode: str) -> Scene:
    step = step_of(point)
    if mode == "at_most_once" and step in SCENES_AT_MOST_ONCE:
        return SCENES_AT_MOST_ONCE[step]
    return SCENES.get(step, MIDDLE)


def is_possible(point: str, mode: str) -> bool:
    return step_of(point) not in NEVER[mode]
