"""fail_points.py: brings a weir to each of its fail points and lets it die, or fail, there.

Uses     stage.py, weir_process.py, checks.py, ledger.py; a weir that was built with
         -Dfail_points=true (`./dev build fail`), which is asked for its points' names.

A point is passed only in certain circumstances: in a life that has a batch to rebuild, say, or whose
log has a torn tail. A *scene* makes them, in a stage whose pipeline has died many times before or in
one of its own, and says with what orders (WEIR_FAIL) the life begins that is to be hurt.

Y1  A life that was to die and does not die by SIGKILL has not passed its point: that is a failure,
    whatever else it did. One whose step was to fail ends with 0 (tried again) or 74 (stopped).
Y2  After each life rows and ledger are compared in one snapshot. The next life is either left alone,
    and everything that was sent is compared with what is there, as the delivery mode allows; or it
    recovers on its way to a point of its own, and is left alone a few deaths later.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from confluent_kafka import Producer

import ledger
import pipelines
from checks import compare, table_lines
from orders import SELECTED, TARGET_COLUMNS, TARGET_NAMES
from stage import Stage
from weir_process import ROOT, Weir, WeirError, wait_until

MODES = ("exactly_once", "at_least_once", "at_most_once")
BATCH_ROWS = 2     # many small batches: a life of LIFE_ROWS fills more than one segment of the log
LIFE_ROWS = 50
IN_FLIGHT_MAX = 3  # WEIR_TXN_IN_FLIGHT for batches as small as these
DEATH_S = 30.0
KEPT_LIVES = 6  # work for so many lives fills more segments than are needed as spare ones
DONE, STOPPED = 0, 74
KILL, FAIL = "kill", "fail"
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
    action: str = KILL  # what happens at a point
    deaths: int = 0
    keep: str = "0 B"  # of the log
    is_repartitioned: bool = False
    bad: int = 0  # dead letters that there have to be
    weir: Weir = field(init=False)
    producer: Producer | None = None

    def __post_init__(self) -> None:
        self.weir = self.stage.weir(self.write_file())
        self.weir.program = program()

    def write_file(self) -> Path:
        """Appends and upserts of every order."""
        settings = {"name": "crashes", "delivery": self.mode, "batch_rows": BATCH_ROWS,
                    "output_partitions": self.partitions, "log.segment_bytes": "64 kB",
                    "log.retain_bytes": self.keep}
        parts = [pipelines.settings_lines(settings),
                 pipelines.source(self.stage.topic_name, on_error="dead_letter"),
                 pipelines.target("public.orders"),
                 pipelines.target("public.latest", TARGET_COLUMNS + ", PRIMARY KEY (customer)")]
        parts += [f"INSERT INTO {table} SELECT {SELECTED} FROM incoming;\n"
                  for table in ("public.orders", "public.latest")]
        return self.stage.file("\n".join(parts), "crashes.sql")

    def send(self) -> None:
        """Work for one life."""
        stage = self.stage
        if not stage.has_topic:
            stage.make_topic()
        following = range(stage.sent.stop, stage.sent.stop + LIFE_ROWS)
        self.produce((stage.orders.partition(n), stage.orders.message(n)) for n in following)
        stage.sent = range(following.stop)

    def send_bad(self, value: bytes, letters: int = 1) -> None:
        """Behind everything else of the stage: orders that came later would get other offsets."""
        self.bad += letters
        self.produce([(0, value)])

    def produce(self, messages: Iterable[tuple[int, bytes]]) -> None:
        """Not idempotent, which would take half a second to begin, but never sent twice either, nor
        out of order: a message that is not taken at once is an error."""
        refused: list[object] = []
        is_new = self.producer is None
        self.producer = self.producer or Producer(
            {"bootstrap.servers": self.stage.kafka.bootstrap, "enable.idempotence": False,
             "message.send.max.retries": 0, "max.in.flight.requests.per.connection": 1,
             "linger.ms": 2, "log_level": 0})

        def delivered(problem, _message) -> None:
            if problem is not None:
                refused.append(problem)

        for partition, value in messages:
            self.producer.produce(self.stage.topic_name, value, None, partition,
                                  on_delivery=delivered)
            if is_new:
                # librdkafka lays aside what is sent to a topic that it does not know yet, and may let
                # the next message overtake it.
                self.producer.flush()
                is_new = False
        self.producer.flush()
        assert not refused, refused

    # -- lives

    def die(self, orders: str, until_caught_up: bool = False, term: bool = False) -> None:
        """One life that ends by SIGKILL from its own hand."""
        code = self.live(orders, until_caught_up, term)
        assert code == -signal.SIGKILL, f"{orders}: ended with {code}{self.weir.tail()}"
        self.deaths += 1

    def live(self, orders: str, until_caught_up: bool = False, term: bool = False) -> int:
        """One life with orders; its exit code."""
        weir = self.weir
        weir.env["WEIR_FAIL"] = orders
        weir.start("--no-progress", until_caught_up=until_caught_up)
        del weir.env["WEIR_FAIL"]
        if term:
            weir.wait_event("generation_taken")
            weir.signal(signal.SIGTERM)
        try:
            return weir.wait(DEATH_S)
        except WeirError:
            weir.kill9()
            raise AssertionError(f"{orders}: still alive after {DEATH_S:.0f} s{weir.tail()}") from None

    def meet(self, point: str, before: str = "", until_caught_up: bool = False,
             term: bool = False) -> None:
        """The life in which the point is passed that this is about; before: orders for the way."""
        orders = f"{before}{point}:{self.action}"
        if self.action == KILL:
            self.die(orders, until_caught_up, term)
            return
        code = self.live(orders, until_caught_up=True)
        self.deaths += 1
        assert code in (DONE, STOPPED), f"{orders}: ended with {code}{self.weir.tail()}"
        assert code == DONE or f"fail point {point}" in self.weir.text(), self.weir.tail()

    def recover(self) -> None:
        self.weir.finish(60, "--no-progress")
        self.check()

    # -- the comparison

    def look(self) -> None:
        """Rows and ledger, in one snapshot. A second reader might see this at any moment."""
        with psycopg.connect(self.stage.dsn) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            if not ledger.exists(connection) or self.partitions > 1 or self.bad > 0:
                return
            ends = ledger.ends(connection)
            rows = connection.execute("SELECT part, count(*), count(DISTINCT pos), max(pos) + 1 "
                                      "FROM public.orders GROUP BY part").fetchall()
        for part, count, distinct, end in rows:
            there = f"partition {part}: {count} rows of {distinct} records up to {end}, ledger: {ends}"
            assert end <= ends.get(part, 0), there
            assert count == distinct or self.mode == "at_least_once", there
            assert distinct == ends[part] or self.mode == "at_most_once", there

    def check(self) -> None:
        orders, sent = self.stage.orders, self.stage.sent
        with psycopg.connect(self.stage.dsn) as connection:
            verdict = compare(orders.lines(sent),
                              table_lines(connection, f"SELECT {TARGET_NAMES} FROM public.orders"))
            latest = compare(orders.last_lines(sent),
                             table_lines(connection, f"SELECT {TARGET_NAMES} FROM public.latest"))
            ledger.audit(connection, all_from_first=not self.is_repartitioned)
            history = ledger.history(connection)
            letters = len(ledger.dead_letters(connection))
        assert not verdict.invented, str(verdict)
        assert letters >= self.bad or self.mode == "at_most_once", f"{letters} dead letters"
        assert letters <= self.bad or self.mode == "at_least_once", f"{letters} dead letters"
        if self.mode == "at_most_once":
            assert not verdict.doubled, str(verdict)
            missing, may_miss = coordinates(verdict.missing), dropped(history)
            # A part of several may have no rows of a batch that is there; nor has a batch of bad records.
            assert missing <= may_miss, str(verdict)
            assert missing == may_miss or self.partitions > 1 or self.bad > 0, str(verdict)
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
    player.meet(point)


def at_the_end(player: Player, point: str) -> None:
    player.send()
    player.meet(point, until_caught_up=True)


def at_sigterm(player: Player, point: str) -> None:
    player.send()
    player.meet(point, term=True)


def without_a_log(player: Player, point: str) -> None:
    shutil.rmtree(player.weir.data)
    in_the_middle(player, point)


def with_an_unfinished_segment(player: Player, point: str) -> None:
    (player.weir.data / "next.new").write_bytes(b"")
    in_the_middle(player, point)


def with_more_segments_than_wanted(player: Player, point: str) -> None:
    """More segments were kept than the file now allows: one of them is used again, others go."""
    player.keep = "4 MB"
    player.write_file()
    for _ in range(KEPT_LIVES):
        player.send()
    player.weir.finish(60, "--no-progress")
    player.keep = "0 B"
    player.write_file()
    in_the_middle(player, point)


def with_a_torn_tail(player: Player, point: str) -> None:
    """Killed; and of its last record, which no later one proves, the disk kept only a part."""
    player.send()
    player.die("done_boundary_before:kill")
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
    player.meet(point)


def with_a_lost_connection(player: Player, point: str) -> None:
    player.send()
    player.meet(point, before="sink_commit_send_before:fail,")


def with_parts_a_batch_apart(player: Player, point: str) -> None:
    """Of two output partitions one has the first batch, and the log is gone."""
    player.send()
    player.die("sink_commit_send_before:kill:2")
    with psycopg.connect(player.stage.dsn, autocommit=True) as watch:
        wait_until(lambda: len({row.batch for row in ledger.state(watch)}) == 2, 10,
                   "a ledger whose rows differ")
    shutil.rmtree(player.weir.data)
    player.meet(point)


def with_more_partitions(player: Player, point: str) -> None:
    """The file asks for another number of output partitions than the ledger has."""
    player.send()
    player.recover()
    player.partitions, player.is_repartitioned = 2, True
    player.write_file()
    in_the_middle(player, point)


def with_a_broken_message(player: Player, point: str) -> None:
    player.send()
    player.send_bad(b"{broken")
    player.meet(point)


def with_a_row_that_is_refused(player: Player, point: str) -> None:
    """The decoder takes it, the database does not: it is searched for."""
    player.send()
    player.recover()
    with psycopg.connect(player.stage.dsn, autocommit=True) as database:
        for table in ("orders", "latest"):
            database.execute(f"ALTER TABLE public.{table} ADD CHECK (quantity < 1000)")
    player.send()
    player.send_bad(b'{"id":1,"customer":"nobody","quantity":1000}', letters=2)  # of two tables
    player.meet(point)


@dataclass(frozen=True)
class Scene:
    play: Callable[[Player, str], None]
    own_stage: bool = False  # it wants a pipeline that nobody has seen before
    partitions: int = 1


MIDDLE = Scene(in_the_middle)
FIRST_START = Scene(in_the_middle, own_stage=True)
APART = Scene(with_parts_a_batch_apart, own_stage=True, partitions=2)
LOST_LOG, SEALED = Scene(without_a_log), Scene(with_a_sealed_batch)
TRIMMED = Scene(with_more_segments_than_wanted)
CUT_OFF = Scene(with_a_lost_connection)
BROKEN = Scene(with_a_broken_message, own_stage=True)
REFUSED = Scene(with_a_row_that_is_refused, own_stage=True)

# By step; what is not here is passed by every life.
SCENES = {
    "start_create_file": LOST_LOG, "start_create_fill": LOST_LOG, "start_create_rename": LOST_LOG,
    "start_create_sync_dir": LOST_LOG, "start_identity": LOST_LOG, "recover_follow": LOST_LOG,
    "recover_void": LOST_LOG,
    "log_segment_create": LOST_LOG, "log_segment_fill": LOST_LOG, "log_segment_rename": LOST_LOG,
    "log_segment_sync_dir": LOST_LOG, "log_segment_switch": LOST_LOG,
    "start_enroll": FIRST_START, "start_positions": FIRST_START,
    "start_remove_unfinished": Scene(with_an_unfinished_segment),
    "start_cut_tail": Scene(with_a_torn_tail),
    "log_remove": TRIMMED, "log_remove_sync_dir": TRIMMED, "log_recycle_rename": TRIMMED,
    "log_recycle_sync_dir": TRIMMED,
    "start_repartition": Scene(with_more_partitions, own_stage=True),
    "sink_dead_letters": BROKEN, "sink_isolate": REFUSED,
    "recover_replay": SEALED, "recover_read_plan": SEALED, "recover_drop": SEALED,
    "recover_rebuild": SEALED, "recover_compare": SEALED,
    "recover_catch_up": APART,
    "recover_resolve": CUT_OFF, "recover_resend": CUT_OFF,
    "stop_mark": Scene(at_the_end), "stop_unlock": Scene(at_the_end),
    "stop_request": Scene(at_sigterm),
}
# At most once drops what is sealed; it rebuilds only what it makes up from ledgers that differ. At
# least once looks at the ledger only so that several parts do not come apart.
SCENES_OF_MODE = {
    "at_most_once": {"recover_rebuild": APART, "recover_compare": APART},
    "at_least_once": {"recover_resolve": Scene(with_a_lost_connection, own_stage=True, partitions=2)},
}
# Points that a mode cannot come to.
NEVER = {"exactly_once": ("recover_drop",), "at_least_once": ("recover_drop",), "at_most_once": ()}

# Steps that have no way to fail, for which the order is refused.
CANNOT_FAIL = ("sink_row_count", "done_publish", "stop_request", "stop_unlock")
# Nothing can fail behind these: a part that the sink took to be sent again is on its way, and may be in
# before anybody asks for it once more, which the sink rightly takes for misuse.
CANNOT_FAIL_AFTER = ("recover_resend",)


def scene_of(point: str, mode: str) -> Scene:
    step = step_of(point)
    return SCENES_OF_MODE.get(mode, {}).get(step) or SCENES.get(step, MIDDLE)


def is_possible(point: str, mode: str) -> bool:
    return step_of(point) not in NEVER[mode]


def can_fail(point: str) -> bool:
    after = CANNOT_FAIL_AFTER if point.endswith("_after") else ()
    return step_of(point) not in CANNOT_FAIL + after
